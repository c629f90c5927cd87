/*
 * ledger.h - what went in, what came out, and the named losses between (semantics 6).
 *
 * Holds only what the records decide: no times, no steps, no thread shows in it, so
 * the same input gives the same bytes for any number of workers.
 *
 * Thread: any; the counters belong to the caller.
 */
#ifndef DAEMON_LEDGER_H
#define DAEMON_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include "base/error.h"
#include "correlate/engine.h"

struct ledger {
    struct engine_counters engine;
    struct engine_part_counters *parts; /* borrowed */
    size_t part_count;
    const struct engine_quota_counters *quotas; /* borrowed */
    size_t quota_count;
    bool gaps_expected; /* of some topic: L1 cannot tell its holes from losses */
};

/* Checks L1 to L4 of an engine that stands still. True when all hold; else *err
 * names each sum that does not, with both sides. */
bool ledger_check(const struct ledger *ledger, struct error *err);

void ledger_print_text(const struct ledger *ledger, FILE *to);

/* One JSON object and a line end. False when memory is short. */
bool ledger_print_json(const struct ledger *ledger, FILE *to);

#endif
