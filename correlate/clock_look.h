/*
 * clock_look.h - whether the clock that the run goes by is that of its input (semantics T6).
 *
 * N is the wall clock of the start, or what the journal says where that is later, and goes on by
 * the monotonic clock. Where it is hours off, records are capped or stamped by it and timers wait
 * for it, and nothing fails: so it is told. What tells it are records behind a proof (T4a): they
 * were not there at the proof, and are there now.
 *
 *   log-append topics  the log time is the broker's clock of between the proof and now. Where N is
 *                      an hour behind or ahead of that, one record shows it.
 *   other topics       the log time is some producer's clock, which may be off alone, or of what is
 *                      old. That N is ahead cannot be told from that. That it is behind is taken
 *                      from all producers together: from a hundred records in a minute and more
 * that all lie an hour or more ahead, while not one of any partition lies near N and no broker's
 * clock does.
 *
 * Nothing in results depends on it.
 */
#ifndef CORRELATE_CLOCK_LOOK_H
#define CORRELATE_CLOCK_LOOK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct engine;
struct part;

/* What one partition says. Written by its owner; relaxed: each value is a report of its own, and
 * who reads them looks again within a second. */
struct clock_look {
    _Atomic bool is_near;       /* a record lay within the hour: for good, until it joins again */
    _Atomic int64_t off_ms;     /* of a broker: its clock minus N; 0: less than an hour */
    _Atomic uint64_t far_count; /* of producers: records that lay ahead by more */
    _Atomic uint64_t far_ns;    /* when the first of them came, monotonic; 0: none did */
    _Atomic int64_t least_ms;   /* by how much the nearest of them did */
};

/* Looks at the batch that was just taken. Thread: the partition's owner. */
void clock_look_take(const struct engine *engine, struct part *part, uint64_t now_ns);

/* It joins: nothing is known. Thread: sequencer role, before its owner sees it. */
void clock_look_join(struct part *part);

/* By how much the clock of the input is ahead of N (negative: behind it), where that is more than
 * an hour. 0: it is not, or nothing is known. Unit: ms. Thread: any. */
int64_t clock_look_off(const struct engine *engine, uint64_t now_ns);

#endif
