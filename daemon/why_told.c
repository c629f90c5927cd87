/*
 * why_told.c - who is told of the incidents that are watched, and what keeps them from it. See
 * why_parts.h.
 */
#include <stdlib.h>
#include <string.h>
#include "daemon/why_parts.h"

/* What an incident's sentence names of mutes: the first ones and the last. */
enum { MUTES_TOLD = 4 };

static const char word_op[] = "op";

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

/* Something was told of the incident; what is withheld later does not change that. */
static bool is_told(const struct why *why, struct id128 id)
{
    for (size_t i = 0; i < why->told.count; i++)
        if (id128_equal(why->told.at[i], id))
            return true;
    return false;
}

/* The newest lines of this change: of the change itself, and of the sinks that hear of it. */
struct change_lines {
    struct why_note *change, *op;
};

static struct change_lines lines_of(struct why *why, const struct incident *incident)
{
    struct why_notes *lists[] = {&why->after, &why->before};
    struct change_lines lines = {NULL, NULL};

    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l]->list.count; i++) {
            struct why_note *note = &lists[l]->list.at[i];
            if (!note->has_incident || !id128_equal(note->subject, incident->id) ||
                note->at_ms != incident->at_ms)
                continue;
            if (note->stage == STAGE_INCIDENT)
                lines.change = note;
            else if (strcmp(note->what, word_op) == 0)
                lines.op = note;
        }
    return lines;
}

/* A line beside that of the change. */
static void note_beside(struct why *why, const struct incident *incident,
                        const struct why_note *change, const char *what, char *text)
{
    why_note(why, (struct why_note){.at_ms = incident->at_ms,
                                    .class = change != NULL ? change->class : ORDER_EVENT,
                                    .stage = STAGE_SINKS,
                                    .place = change != NULL ? change->place : (struct why_place){0},
                                    .what = what,
                                    .subject = incident->id,
                                    .has_incident = true,
                                    .is_by_hand = change == NULL && incident->by[0] != '\0',
                                    .text = text});
}

static char *mute_text(const struct incident *incident, bool was_told)
{
    if (!was_told)
        return why_format("nobody is told: it is muted by %s", incident->muted_by);
    if (incident->change == INCIDENT_CLOSED)
        return why_format("its close is told, as it was told before, though it is muted by %s",
                          incident->muted_by);
    return why_format("this is withheld from who was told before: it is muted by %s",
                      incident->muted_by);
}

/* What mutes a watched incident, when that is new, or that nothing does any more. */
static void note_mute(struct why *why, const struct incident *incident)
{
    uint32_t count;
    struct why_mute *mute = mute_of(why, incident->id, &count);
    const struct why_note *change = lines_of(why, incident).change;
    bool is_muted = incident->muted_by[0] != '\0', was_told = is_told(why, incident->id);
    bool closes = incident->change == INCIDENT_CLOSED;

    if (is_muted && (mute == NULL || mute->until_ms != INT64_MIN)) {
        if (count < MUTES_TOLD)
            mute = &vector_add(&why->mutes);
        *mute = (struct why_mute){.incident = incident->id,
                                  .from_ms = incident->at_ms,
                                  .until_ms = INT64_MIN,
                                  .was_told = was_told,
                                  .at_close = was_told && closes};
        snprintf(mute->by, sizeof(mute->by), "%s", incident->muted_by);
        why_words_mend(mute->by);
        note_beside(why, incident, change, "muted", mute_text(incident, was_told));
    } else if (is_muted && was_told && closes) {
        note_beside(why, incident, change, "muted", mute_text(incident, true));
    } else if (!is_muted && mute != NULL && mute->until_ms == INT64_MIN) {
        /* By a change of its own, a worse severity, as well as by the end of a mute. */
        mute->until_ms = incident->at_ms;
        note_beside(why, incident, change, "unmuted",
                    why_format("nothing mutes it any more%s",
                               incident->cause == CAUSE_UNMUTED ? ": it is told now" : ""));
    }
    if (!is_muted && !was_told)
        vector_add(&why->told) = incident->id;
}

/* Who did it, and what they said. */
static void note_person(struct why *why, const struct incident *incident)
{
    bool closes = incident->change == INCIDENT_CLOSED, has_comment = incident->comment[0] != '\0';
    char *text =
        why_format("%s %s%s%s%s", incident->by, closes ? "has closed it" : "has acknowledged it",
                   has_comment ? ": \"" : "", incident->comment, has_comment ? "\"" : "");

    why_words_mend(text);
    note_beside(why, incident, lines_of(why, incident).change, "by-hand", text);
}

void why_watch_incident(void *self, struct incident *incident)
{
    struct why *why = self;

    if (why_watches_incident(why, incident->id) && !why_is_too_late(why, incident->at_ms)) {
        if (incident->by[0] != '\0')
            note_person(why, incident);
        note_mute(why, incident);
    }
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

    if (why_watches_incident(why, incident->id) && !why_is_too_late(why, incident->at_ms)) {
        const struct change_lines lines = lines_of(why, incident);
        if (lines.op != NULL) {
            char *text = why_format("%s, %s", lines.op->text, sink);
            free(lines.op->text);
            lines.op->text = text;
        } else {
            note_beside(why, incident, lines.change, word_op,
                        why_format("%s goes to %s", op_kind_name((enum op_kind)op->kind), sink));
        }
    }
    incident_unref(op->incident);
    return true;
}
