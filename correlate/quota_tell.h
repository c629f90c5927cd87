/*
 * quota_tell.h - what becomes of an event over its tenant's quota: it is counted, and what an
 * operator has to know enters as an event of tenant @tocsin.
 *
 * That event takes the place of the refused one (in_place.h). The clear of one that ceased to be
 * cut stands behind the event that shows it.
 *
 * Thread: the partition's owner; quota_rows_see(): any.
 */
#ifndef CORRELATE_QUOTA_TELL_H
#define CORRELATE_QUOTA_TELL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "correlate/engine.h"

#define QUOTA_CHECK "tenant-over-quota" /* of the self-alert */

struct event_draft;
struct in_place;
struct part;
struct worker;

/* Of an engine. Row 0 is of all that found none free. A row is there for good: who has found its
 * number needs the lock no more. */
struct quota_rows {
    pthread_mutex_t lock; /* the names, and how many there are */
    struct quota_row {
        char tenant[ENGINE_TENANT_BYTES];
        _Atomic uint64_t refused; /* relaxed: a report; by owners of several partitions */
    } row[ENGINE_QUOTA_ROWS];
    uint32_t count;
    _Atomic uint64_t shared; /* events whose bucket was the shared one. relaxed: a report */
};

void quota_rows_init(struct quota_rows *rows);
void quota_rows_release(struct quota_rows *rows);

/* Whether the event goes on. False: it is refused and counted, and so is what was told of it. */
bool quota_admits(struct worker *worker, struct part *part, const struct in_place *place,
                  const struct event_draft *draft);

/* Behind the last event of the record that stands at `place`: who is cut no longer. */
void quota_look_quiet(struct worker *worker, struct part *part, const struct in_place *place);

/* The partition is read by other quotas, or by nobody any more: how many it cuts now. */
void quota_cut_note(struct part *part);

#endif
