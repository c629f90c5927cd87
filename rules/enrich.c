/* enrich.c - runs the steps. See enrich.h. */
#include "rules/enrich.h"

#include <stdlib.h>
#include <string.h>
#include "base/event_edit.h"
#include "rules/enrich_set.h"

struct enrich_room {
    struct program_input input; /* of the event as it is by now */
    char *side[2];              /* the words, those before the last change and those after */
    unsigned used;              /* the side that has them after */
    char made[TEXT_ROOM_BYTES]; /* texts that one deed makes */
    struct capture_room *capture;
};

uint32_t enrich_count(const struct enrich_set *set)
{
    return set != NULL ? set->count : 0;
}

const struct enrich_step *enrich_step_at(const struct enrich_set *set, uint32_t index)
{
    return &set->steps[index].open;
}

uint32_t enrich_drop_reach(const struct enrich_set *set)
{
    return set != NULL ? set->drop_reach : 0;
}

struct enrich_room *enrich_room_create(void)
{
    struct enrich_room *room = calloc(1, sizeof(*room));

    if (room == NULL)
        return NULL;
    room->side[0] = malloc(EVENT_EDIT_BYTES);
    room->side[1] = malloc(EVENT_EDIT_BYTES);
    /* Zeroed: the places that a search remembers are looked at before they are written. */
    room->capture = calloc(1, capture_room_bytes());
    if (room->side[0] != NULL && room->side[1] != NULL && room->capture != NULL)
        return room;
    enrich_room_destroy(room);
    return NULL;
}

void enrich_room_destroy(struct enrich_room *room)
{
    if (room == NULL)
        return;
    free(room->side[0]);
    free(room->side[1]);
    free(room->capture);
    free(room);
}

void enrich_start(struct enriching *it, const struct enrich_set *set, struct enrich_room *room,
                  const struct event_view *view)
{
    *it = (struct enriching){.set = set, .room = room, .view = *view};
    program_input_start(&room->input, &it->view);
}

static void count(_Atomic uint64_t *counter)
{
    /* relaxed, load and store: this thread is the only writer. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* ---- telling ---- */

static void tell(const struct enriching *it, const struct enrich_deed *deed)
{
    if (it->listener != NULL)
        it->listener->done(it->listener->self, deed);
}

static void fail(struct enriching *it, const struct compiled_step *step, const char *what,
                 const char *why, struct enrich_tally *tally)
{
    count(&tally->errors);
    it->errors++;
    tell(it, &(struct enrich_deed){.step = &step->open, .what = what, .failed = why});
}

/* ---- deeds ---- */

static const char too_large[] = "the event would be too large";

/* Bytes of fields, names and values of labels. */
static uint32_t words_end(const struct event_text *text)
{
    return text->label_count > 0 ? text->label_end[2 * text->label_count - 1]
                                 : text->field_end[EVENT_FIELD_COUNT - 1];
}

/* Marks and words, without what fills a record up behind them. */
static bool is_same(const struct event_text *a, const struct event_text *b)
{
    size_t used = (size_t)(event_text_data(a) - (const char *)a) + words_end(a);

    return a->bytes == b->bytes && memcmp(a, b, used) == 0;
}

/* NULL, or why the event is as it was. */
static const char *edit_words(struct enriching *it, const struct event_edit *edit)
{
    struct enrich_room *room = it->room;
    unsigned side = it->is_changed ? room->used ^ 1 : 0;
    const struct event_text *text = event_text_edit(it->view.text, edit, room->side[side]);

    if (text == NULL)
        return too_large;
    it->has_effect |= !is_same(it->view.text, text);
    room->used = side;
    it->is_changed = true;
    it->view.text = text;
    program_input_start(&room->input, &it->view);
    return NULL;
}

static const char *set_label(struct enriching *it, struct text name, struct text value)
{
    const struct event_label label = {name, value};

    return edit_words(it, &(struct event_edit){.labels = &label, .label_count = 1});
}

static const char *set_value(struct enriching *it, double value)
{
    const char *why = it->is_changed ? NULL : edit_words(it, &(struct event_edit){0});

    if (why != NULL)
        return why;
    struct event_text *text = (struct event_text *)(void *)it->room->side[it->room->used];
    it->has_effect |= !text->has_value || text->value != value;
    text->value = value;
    text->has_value = true;
    return NULL;
}

/* An event that is OK is a clear, and what an event is cannot be changed. */
static const char *set_severity(struct enriching *it, int64_t severity)
{
    if (severity == SEVERITY_OK && it->view.state == EVENT_PROBLEM)
        return "a problem is not OK";
    it->has_effect |= it->view.severity != severity;
    it->view.severity = (uint8_t)severity;
    return NULL;
}

static const char *set(struct enriching *it, const struct deed *deed, struct value *value,
                       struct text_room *room)
{
    const char *why = NULL;

    switch (deed->kind) {
    case DEED_SEVERITY:
        return set_severity(it, value->number);
    case DEED_VALUE:
        return set_value(it, value->type == TYPE_INT ? (double)value->number : value->real);
    default:
        if (value->type != TYPE_TEXT)
            why = value_convert(TYPE_TEXT, value, room, value);
    }
    if (why != NULL)
        return why;
    if (deed->kind == DEED_LABEL) /* one that holds nothing is there all the same */
        return set_label(it, deed->label, value->text.len > 0 ? value->text : (struct text){"", 0});
    return edit_words(it, &(struct event_edit){.sets_message = true, .message = value->text});
}

static void run_set(struct enriching *it, const struct compiled_step *step, const struct deed *deed,
                    struct enrich_tally *tally)
{
    struct text_room room = {it->room->made, sizeof(it->room->made), 0};
    struct value value;
    const char *why = program_value(&deed->program, &it->room->input, &room, &value);

    if (why == NULL)
        why = set(it, deed, &value, &room);
    if (why != NULL) {
        fail(it, step, deed->what, why, tally);
        return;
    }
    if (it->listener != NULL && value_convert(TYPE_TEXT, &value, &room, &value) == NULL)
        tell(it,
             &(struct enrich_deed){.step = &step->open, .what = deed->what, .value = value.text});
}

static void run_remove(struct enriching *it, const struct compiled_step *step,
                       const struct deed *deed, struct enrich_tally *tally)
{
    const char *why;

    if (event_text_find_label(it->view.text, deed->label).at == NULL)
        return;
    why = set_label(it, deed->label, (struct text){NULL, 0});
    if (why != NULL)
        fail(it, step, deed->what, why, tally);
    else
        tell(it,
             &(struct enrich_deed){.step = &step->open, .what = deed->what, .is_removal = true});
}

/* Groups become labels, each that fits. All are set at once, since what they hold may lie in words
 * that a second change would write over. */
static void set_groups(struct enriching *it, const struct compiled_step *step,
                       const struct deed *deed, const struct text value[PATTERN_GROUPS_MAX],
                       struct enrich_tally *tally)
{
    struct event_label label[PATTERN_GROUPS_MAX];
    const char *what[PATTERN_GROUPS_MAX];
    struct event_edit edit = {.labels = label};

    for (uint32_t i = 0; i < capture_count(deed->capture); i++) {
        uint32_t group = deed->group_order[i];
        if (value[group].at == NULL)
            continue;
        label[edit.label_count] =
            (struct event_label){capture_name(deed->capture, group), value[group]};
        what[edit.label_count++] = deed->group_what[group];
        if (event_text_fits(it->view.text, &edit))
            continue;
        fail(it, step, what[--edit.label_count], too_large, tally);
    }
    if (edit.label_count == 0)
        return;
    edit_words(it, &edit);
    for (uint32_t i = 0; i < edit.label_count; i++)
        tell(it,
             &(struct enrich_deed){.step = &step->open,
                                   .what = what[i],
                                   .value = event_text_find_label(it->view.text, label[i].name)});
}

static struct text beginning_of(struct text text)
{
    if (text.len <= ENRICH_LOOK_BYTES)
        return text;
    text.len = ENRICH_LOOK_BYTES;
    while (text.len > 0 && ((unsigned char)text.at[text.len] & 0xc0) == 0x80)
        text.len--; /* what comes next belongs to the last character */
    return text;
}

/* The text to search; NULL, or why there is none. */
static const char *look_at(struct enriching *it, const struct deed *deed, struct text *out)
{
    static const char too_much[] = "the extractions before it have looked at 64 KiB";
    struct text_room room = {it->room->made, sizeof(it->room->made), 0};
    struct value from;
    const char *why;
    uint32_t bytes, ns;

    if (it->looked_at == ENRICH_LOOK_EVENT_BYTES)
        return too_much; /* what it would look at need not be made */
    why = program_value(&deed->program, &it->room->input, &room, &from);
    if (why != NULL)
        return why;
    *out = beginning_of(from.text);
    bytes = out->len > 0 ? out->len : 1;
    if (bytes > ENRICH_LOOK_EVENT_BYTES - it->looked_at)
        return "with it the extractions would look at more than 64 KiB";
    ns = bytes * capture_ns_per_byte(deed->capture);
    if (ns > ENRICH_LOOK_EVENT_NS - it->looked_ns)
        return "with it the extractions may take more than 16 ms";
    it->looked_at += bytes;
    it->looked_ns += ns;
    return NULL;
}

static void run_extract(struct enriching *it, const struct compiled_step *step,
                        const struct deed *deed, struct enrich_tally *tally)
{
    struct text value[PATTERN_GROUPS_MAX], text;
    const char *why = look_at(it, deed, &text);

    if (why != NULL)
        fail(it, step, deed->what, why, tally);
    else if (capture_search(deed->capture, text, it->room->capture, value))
        set_groups(it, step, deed, value, tally);
}

/* Is there time left for the deed? Then it is taken. */
static bool pass(struct enriching *it, const struct deed *deed)
{
    const struct event_text *text = it->view.text;
    uint64_t times = deed->kind == DEED_EXTRACT ? capture_count(deed->capture) : 1;
    uint64_t bytes =
        times * (words_end(text) + (uint64_t)text->label_count * ENRICH_PASS_LABEL_BYTES);

    if (bytes > ENRICH_PASS_BYTES - it->passed)
        return false;
    it->passed += (uint32_t)bytes;
    return true;
}

static void run_deed(struct enriching *it, const struct compiled_step *step,
                     const struct deed *deed, struct enrich_tally *tally)
{
    if (!pass(it, deed)) {
        fail(it, step, deed->what, "with it the steps would pass over more than 16 MiB of words",
             tally);
        return;
    }
    switch (deed->kind) {
    case DEED_EXTRACT:
        run_extract(it, step, deed, tally);
        break;
    case DEED_REMOVE:
        run_remove(it, step, deed, tally);
        break;
    default:
        run_set(it, step, deed, tally);
    }
}

const struct enrich_step *enrich_run(struct enriching *it, uint32_t until,
                                     struct enrich_tally *tally)
{
    for (; it->next < until; it->next++) {
        const struct compiled_step *step = &it->set->steps[it->next];
        if (step->has_where && program_run(&step->where, &it->room->input) != TRUTH_TRUE)
            continue;
        it->has_effect = step->open.drops;
        for (uint32_t i = 0; i < step->deed_count; i++)
            run_deed(it, step, &step->deeds[i], &tally[it->next]);
        if (it->has_effect)
            count(&tally[it->next].applied);
        if (step->open.drops)
            return &step->open;
    }
    return NULL;
}
