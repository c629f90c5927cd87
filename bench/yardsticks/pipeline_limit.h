/*
 * pipeline_limit.h - yardstick: what this memory allows a pipeline that deduplicates and counts.
 *
 * The job, done with nothing that a real pipeline has beside it: events of 32 bytes stream in, each
 * with a key that is a good hash already and a time that never falls. An event finds its key's
 * record of 64 bytes, one cache line, in a table with open addressing at a load of at most one
 * half. A key that was silent for longer than `expire` is fresh, any other event is a repeat; and
 * every event counts in a sliding window of six buckets of ten seconds.
 *
 *   events, streamed                     records, 64 B each
 *   [key at host severity value] ------> [key first last total | 6 buckets, epoch, flags]
 *            ^ 16 ahead: the two lines that a probe may touch are fetched
 *
 * Why it is held against: with a million keys the table is far larger than any cache, so this is
 * the rate at which the machine can bring two random lines in, use one and write it back, and what
 * our stages cost beyond it is ours. Words, rules, partitions, threads and accounts are left out.
 *
 * Pages are huge where the kernel grants it. Thread: one at a time for each limit.
 */
#ifndef BENCH_YARDSTICKS_PIPELINE_LIMIT_H
#define BENCH_YARDSTICKS_PIPELINE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct limit_event {
    uint64_t key;  /* not 0 */
    int64_t at_ms; /* since the epoch, above the table's `expire_ms` */
    uint32_t host, severity;
    uint64_t value;
};
_Static_assert(sizeof(struct limit_event) == 32, "two events a line");

/* What came of the events, ever. */
struct limit_answer {
    uint64_t fresh, repeats;
    uint64_t reached; /* keys whose window came to five, once each */
};

struct pipeline_limit;

/* Room for so many keys. Returns owned, until pipeline_limit_destroy(); ends the process where
 * memory is short. */
struct pipeline_limit *pipeline_limit_create(uint32_t keys, int64_t expire_ms);
void pipeline_limit_destroy(struct pipeline_limit *limit);

/* Takes the events in, in their order; `ahead` says whether lines are fetched. */
void pipeline_limit_run(struct pipeline_limit *limit, const struct limit_event *events,
                        size_t count, bool ahead);

struct limit_answer pipeline_limit_answer(const struct pipeline_limit *limit);

#endif
