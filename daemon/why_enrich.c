/*
 * why_enrich.c - what enrich steps did to an event, a line for each step. See why_parts.h.
 *
 * Deeds are told before it is known whether the event matters to the question; so those of the
 * last event are kept, and become lines when its decision turns out to be one.
 */
#include "daemon/why_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_SHOWN = 200, STEP_TEXT_MAX = 2000 };

void why_deeds_clear(struct why *why)
{
    for (size_t i = 0; i < why->deeds.count; i++)
        free(why->deeds.at[i].text);
    why->deeds.count = 0;
}

static bool is_same_place(const struct why_place *a, const struct why_place *b)
{
    return a->topic != NULL && b->topic != NULL && a->offset == b->offset && a->sub == b->sub &&
           a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

/* "labels.disk = sda1" */
static char *words_of(const struct enrich_deed *deed)
{
    char value[VALUE_SHOWN + 1];

    if (deed->failed != NULL)
        return why_format("%s stays as it is: %s", deed->what, deed->failed);
    if (deed->is_removal)
        return why_format("%s removed", deed->what);
    snprintf(value, sizeof(value), "%.*s",
             (int)(deed->value.len < VALUE_SHOWN ? deed->value.len : VALUE_SHOWN), deed->value.at);
    why_words_mend(value);
    return why_format("%s = %s%s", deed->what, value, deed->value.len > VALUE_SHOWN ? "..." : "");
}

void why_watch_enriched(void *self, const struct trace_deed *told)
{
    struct why *why = self;
    const struct event *ev = told->event;
    const struct why_place place = {why_topic(why, told->topic), told->partition, ev->offset,
                                    ev->sub};
    char *words, *joined;

    if (why->question.subject == WHY_EVENT && !why_is_asked_event(why, &place))
        return;
    if (!is_same_place(&why->deeds_of, &place)) {
        why_deeds_clear(why);
        why->deeds_of = place;
    }
    const char *step = why_topic(why, told->deed->step->id);
    struct why_deed *last = why->deeds.count > 0 ? &why->deeds.at[why->deeds.count - 1] : NULL;
    if (last != NULL && last->step == step && strlen(last->text) > STEP_TEXT_MAX)
        return; /* a line that nobody reads to its end */
    words = words_of(told->deed);
    if (last != NULL && last->step == step) {
        joined = why_format("%s, %s", last->text, words);
        free(words);
        free(last->text);
        last->text = joined;
        return;
    }
    joined = why_format("enrich %s: %s", step, words);
    free(words);
    vector_add(&why->deeds) = (struct why_deed){step, joined};
}

void why_note_deeds(struct why *why, const struct event *ev, const struct why_place *place)
{
    if (!is_same_place(&why->deeds_of, place))
        return;
    for (size_t i = 0; i < why->deeds.count; i++) {
        struct why_note *same = why_notes_last_deed(why_list_for(why, ev->et_ms), ev->fingerprint,
                                                    why->deeds.at[i].text);
        if (same != NULL) {
            same->count++;
            same->until_ms = ev->et_ms;
            continue;
        }
        why_note(why, (struct why_note){.at_ms = ev->et_ms,
                                        .class = ORDER_EVENT,
                                        .stage = STAGE_DEDUP,
                                        .place = *place,
                                        .what = why_word_enriched,
                                        .alert = ev->fingerprint,
                                        .text = why->deeds.at[i].text});
        why->deeds.at[i].text = NULL; /* the note has taken it */
    }
    why_deeds_clear(why);
}
