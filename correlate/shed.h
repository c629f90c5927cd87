/*
 * shed.h - what is left out of a partition that is too far behind (semantics L7).
 *
 *   take of records --too far behind, for long enough--> mark `shed`      live alone: shed_look.h
 *                                                          |
 *                         from its offset on, in any run   v
 *   event --et--> its severity is below the mark's, no clear? --yes--> rejected{quota}
 *                                                               |
 *                                 the first, and each minute of it: a self-alert in its place
 *
 *   mark that ends it, then the next record with an event: the self-alert's clear behind that
 *
 * What is left out is a function of the partition's records and marks; the clock has a part in the
 * mark alone. So a replay leaves out the same, and what has to be kept is how this stands between
 * two records (part_image.h).
 *
 * A mark says all that holds from its offset on, and changes nothing of what was counted and told:
 * so a run that goes on from an image may go by the marks of that offset once more.
 *
 * A clear is never left out, because an alert whose clear is lost stays open. What tocsin says and
 * what people do goes past this.
 *
 * Thread: the partition's owner; before it joins, the sequencer role.
 */
#ifndef CORRELATE_SHED_H
#define CORRELATE_SHED_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"
#include "correlate/image.h"

struct event_draft;
struct in_place;
struct part;
struct worker;

#define SHED_CHECK "input-shed" /* of the self-alert */

enum { SHED_REMIND_MS = 60000, SHED_WHY_BYTES = 400 };

/* All zero: nothing is left out, and nothing is owed. */
struct shed {
    int64_t behind_ms; /* how far the partition was behind when it was decided */
    uint64_t count;    /* events that were left out since the last clear */
    int64_t told_ms;   /* et of the last self-alert */
    uint8_t below;     /* enum severity; 0: nothing is left out */
    bool is_told;      /* the self-alert has no clear yet */
};

/* Whether events or records are to be looked at at all. */
static inline bool shed_is_on(const struct shed *shed)
{
    return shed->below != SEVERITY_OK || shed->is_told;
}

/* Nothing is left out any more, and that was not told. */
static inline bool shed_is_over(const struct shed *shed)
{
    return shed->below == SEVERITY_OK && shed->is_told;
}

/* From here on by this mark. */
void shed_turn(struct part *part, int64_t value);

/* Whether the event goes on. False: it is left out and counted, and so is what was told of it. */
bool shed_admits(struct worker *worker, struct part *part, const struct in_place *place,
                 const struct event_draft *draft);

/* Tells that it is over, behind the last event of the record that stands at `place`. */
void shed_tell_end(struct worker *worker, struct part *part, const struct in_place *place);

void shed_save(const struct shed *shed, struct image_out *out);
void shed_load(struct part *part, struct image_in *in);

#endif
