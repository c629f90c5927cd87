/*
 * in_place.h - an event that is left out at ingest (quota.h, shed.h), and what tocsin says instead.
 *
 * What it says takes the place of the event in its partition: it has its position and its time, so
 * it comes where a replay finds it as well, and an image, a held record or a partition that leaves
 * need nothing of their own for it. What ends is told behind the last event of the record that
 * shows it, in places that no event of a record has.
 *
 * Thread: the partition's owner.
 */
#ifndef CORRELATE_IN_PLACE_H
#define CORRELATE_IN_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

struct event_draft;
struct part;
struct record;
struct worker;

/* Subs behind those of the events of any record. */
enum {
    IN_PLACE_QUOTA =
        RECORD_EVENTS_MAX, /* IN_PLACE_QUOTAS of them; the rest behind the next record */
    IN_PLACE_QUOTAS = 64,
    IN_PLACE_SHED = IN_PLACE_QUOTA + IN_PLACE_QUOTAS,
};

/* What may leave events out of the partition has changed. Thread: as of quota.h. */
void in_place_note_limits(struct part *part);

/* Where an event stands. */
struct in_place {
    const struct record *record;
    uint32_t sub;
    int64_t et_ms, epoch;
    bool is_one_of_many; /* its record holds others */
};

/* Puts an event of tocsin there, of the draft's texts, severity, state and value, into the bin of
 * its epoch; its time is the place's. Counts it as derived. */
void in_place_put(struct worker *worker, struct part *part, const struct in_place *place,
                  struct event_draft *draft);

/* Counts an event as rejected{quota}, and says so with the sentence `why`. */
void in_place_reject(struct worker *worker, struct part *part, const struct in_place *place,
                     const char *why);

#endif
