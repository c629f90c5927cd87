/*
 * memory_budget.h - how much memory the daemon may take, and what its parts get of it (semantics
 * F7).
 *
 *   memory.budget, or 3/4 of the limit that the system sets: of the cgroup, else all that the
 * machine has
 *
 *   1/16 records that were fetched   beyond: Kafka keeps them
 *   1/8  bins of decoded events      beyond: who is ahead of the others waits
 *   1/8  touches of steps under way  beyond: steps hold fewer events
 *   1/4  ops for sinks               beyond: input waits, nothing is dropped
 *   the rest: alerts, keys and their windows, rules, and the program itself, which have bounds of
 *   their own (engine.alerts.max, max_keys)
 *
 * Each share has also the bound that it has without a budget, so that from some 8 GiB on the budget
 * only watches the sum.
 *
 * Thread: any; nothing is kept.
 */
#ifndef DAEMON_MEMORY_BUDGET_H
#define DAEMON_MEMORY_BUDGET_H

#include <stdint.h>

/* Less than this hardly holds the program, its libraries and the least of its shares. */
#define MEMORY_BUDGET_LEAST (INT64_C(128) << 20)

/* From the first share of the budget on memory is short, and below the second it is not any more.
 */
#define MEMORY_SHORT 0.90
#define MEMORY_ENOUGH 0.85

struct memory_budget {
    uint64_t bytes;       /* 0: there is none, for no limit is known */
    const char *reason;   /* where it comes from, a literal */
    uint64_t limit_bytes; /* that it was derived from; 0: it was configured, or nothing is known */
    uint64_t fetched_bytes;
    uint64_t bins_bytes; /* of each worker */
    uint64_t step_touches;
    uint64_t outbox_bytes; /* at most so much, whatever outbox.bytes.max says */
};

/* `configured`: memory.budget, 0 to derive it. */
void memory_budget_find(int64_t configured, unsigned workers, struct memory_budget *out);

/* The least limit of memory of the cgroups that the process is in, as the kernel's files say it; 0
 * where there is none. */
uint64_t memory_limit_of_cgroup(void);

/* What the process has in memory now; 0 where that is not known. */
uint64_t memory_resident(void);

#endif
