/*
 * why_told.c - who is told of the incidents that are watched, and what keeps them from it. See
 * why_parts.h.
 */
#include <stdlib.h>
#include <string.h>
#include "daemon/why_parts.h"

/* What an incident's sentence names of mutes: the first ones and the last. */
enum { MUTES_TOLD = 4 };

/* The latest mute of the incident, and how many are known. */
static struct why_mute *mute_of(struct why *why, struct id128 id, uint32_t *count)
{
    struct why_mute *latest = NULL;

    *count = 0;
    for (size_t i = 0; i < why->mutes.count; i++)
        if (id128_equal(why->mutes.at[i].incident, id)) {
            latest = &why->mutes.at[i];
            ++*count;
        }
    return latest;
}

/* What mutes a watched incident, when that is new, or that nothing does any more. */
static void note_mute(struct why *why, const struct incident *incident)
{
    uint32_t count;
    struct why_mute *mute = mute_of(why, incident->id, &count);
    bool is_muted = incident->muted_by[0] != '\0';
    struct why_note note = {.at_ms = incident->at_ms,
                            .class = ORDER_EVENT,
                            .stage = STAGE_SINKS,
                            .what = is_muted ? "muted" : "unmuted",
                            .rule = NULL,
                            .subject = incident->id,
                            .has_incident = true};

    if (is_muted && (mute == NULL || mute->until_ms != INT64_MIN)) {
        if (count < MUTES_TOLD)
            mute = &vector_add(&why->mutes);
        *mute = (struct why_mute){.incident = incident->id, .until_ms = INT64_MIN};
        snprintf(mute->by, sizeof(mute->by), "%s", incident->muted_by);
        why_words_mend(mute->by);
        note.text = why_format("nobody is told: it is muted by %s", incident->muted_by);
        why_note(why, note);
    } else if (!is_muted && mute != NULL && mute->until_ms == INT64_MIN) {
        /* By a change of its own, a worse severity, as well as by the end of a mute. */
        mute->until_ms = incident->at_ms;
        note.text = why_format("nothing mutes it any more%s",
                               incident->cause == CAUSE_UNMUTED ? ": it is told now" : "");
        why_note(why, note);
    }
}

void why_watch_incident(void *self, struct incident *incident)
{
    struct why *why = self;

    if (why_watches_incident(why, incident->id) && !why_is_too_late(why, incident->at_ms))
        note_mute(why, incident);
    if (!why_is_it(why, incident->id))
        return;
    incident_unref(why->latest);
    why->latest = incident_ref(incident);
}

bool why_watch_op(void *self, const struct op *op)
{
    struct why *why = self;
    const struct incident *incident = op->incident;
    const char *sink = why->config->sink_names[op->sink];

    if (why_watches_incident(why, incident->id)) {
        struct why_notes *lists[] = {&why->after, &why->before};
        struct why_note *change = NULL, *told = NULL;
        for (size_t l = 0; l < 2; l++)
            for (size_t i = 0; i < lists[l]->list.count; i++) {
                struct why_note *note = &lists[l]->list.at[i];
                if (!note->has_incident || !id128_equal(note->subject, incident->id) ||
                    note->at_ms != incident->at_ms)
                    continue;
                if (note->stage == STAGE_INCIDENT)
                    change = note;
                else if (note->stage == STAGE_SINKS)
                    told = note;
            }
        if (told != NULL) {
            char *text = why_format("%s, %s", told->text, sink);
            free(told->text);
            told->text = text;
        } else {
            why_note(why, (struct why_note){
                              .at_ms = incident->at_ms,
                              .class = change != NULL ? change->class : ORDER_EVENT,
                              .stage = STAGE_SINKS,
                              .place = change != NULL ? change->place : (struct why_place){0},
                              .what = "op",
                              .subject = incident->id,
                              .has_incident = true,
                              .text = why_format("%s goes to %s",
                                                 op_kind_name((enum op_kind)op->kind), sink)});
        }
    }
    incident_unref(op->incident);
    return true;
}
