/* mute.c - what the incident stage asks of a mute. See mute.h. */
#include "rules/mute.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/slab.h"
#include "base/text.h"
#include "rules/mute_reader.h"

static const struct compiled_mute *compiled(const struct mute *mute)
{
    return (const struct compiled_mute *)(const void *)mute;
}

const char *mute_kind_name(enum mute_kind kind)
{
    static const char *const names[MUTE_KIND_COUNT] = {"silence", "maintenance", "inhibit"};

    return (unsigned)kind < MUTE_KIND_COUNT ? names[kind] : "unknown";
}

struct calendar_state mute_at(const struct mute *mute, int64_t at_ms)
{
    if (mute->kind == MUTE_MAINTENANCE)
        return calendar_at(mute->calendar, at_ms);
    assert(mute->kind == MUTE_SILENCE);
    if (at_ms < mute->from_ms)
        return (struct calendar_state){false, mute->from_ms};
    return (struct calendar_state){at_ms < mute->to_ms,
                                   at_ms < mute->to_ms ? mute->to_ms : INT64_MAX};
}

int64_t mute_end(const struct mute *mute, int64_t now_ms)
{
    if (mute->kind == MUTE_INHIBIT)
        return INT64_MAX;
    if (mute->kind == MUTE_MAINTENANCE)
        return calendar_end(mute->calendar, now_ms);
    return mute->to_ms <= now_ms ? mute->to_ms : INT64_MAX;
}

static struct event_label label(struct text name, struct text value)
{
    return (struct event_label){name, value};
}

/* Empty values are left out: missing and empty are the same. */
void mute_view_begin(struct mute_view *view, const struct incident *incident)
{
    struct event_label labels[RULE_BY_MAX + 4];
    struct event_draft draft = {.labels = labels};
    const struct event_label own[] = {
        label(text_of("rule"), text_of(incident->rule_id)),
        label(text_of("priority"), text_of(priority_name((enum priority)incident->priority))),
        label(text_of("team"), text_of(incident->team)),
        label(text_of("tier"), text_of(incident->tier)),
    };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (own[i].value.len > 0)
            labels[draft.label_count++] = own[i];
    for (unsigned i = 0; i < incident->field_count; i++) {
        struct event_label field =
            label(incident_field(incident, i, false), incident_field(incident, i, true));
        if (field.value.len > 0)
            labels[draft.label_count++] = field;
    }
    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        draft.field[f] = text_of("");
    size_t bytes = event_text_bytes(&draft);
    view->text = event_text_pack(memory_alloc(bytes), bytes, &draft, incident->at_ms);
    view->severity = incident->severity;
}

void mute_view_end(struct mute_view *view)
{
    free(view->text);
    view->text = NULL;
}

static bool holds(const struct program *program, const struct mute_view *view)
{
    const struct event_view event = {.text = view->text, .severity = view->severity};
    struct program_input input;

    program_input_start(&input, &event);
    input.lacks_are_empty = true;
    return program_run(program, &input) == TRUTH_TRUE;
}

bool mute_hits(const struct mute *mute, const struct mute_view *view)
{
    return holds(&compiled(mute)->where, view);
}

bool mute_is_source(const struct mute *mute, const struct mute_view *view)
{
    assert(mute->kind == MUTE_INHIBIT);
    return holds(&compiled(mute)->source, view);
}

struct id128 mute_equal_hash(const struct mute *mute, const struct mute_view *view, uint64_t seed)
{
    struct id128 hash = {0, 0};

    /* Digests chain, so that borders between values count. */
    for (uint32_t i = 0; i < mute->equal_count; i++) {
        struct text value = event_text_find_label(view->text, text_of(mute->equal[i]));
        struct id128 pair[2] = {hash, hash128(value.at != NULL ? value.at : "", value.len, seed)};
        hash = hash128(pair, sizeof(pair), seed);
    }
    return hash;
}
