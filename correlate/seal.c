/*
 * seal.c - see seal.h.
 */
#include "correlate/seal.h"

#include "correlate/blind.h"
#include "correlate/part.h"
#include "ingest/intake_source.h"

/*
 * One seal round. R is the least M of the partitions that had records since the last
 * round and are not far behind; without any it goes on from the last R by the
 * monotonic clock, but only up to the oldest of the answers that prove something.
 *
 * Once a seal was made, "far behind" is also measured from the last R: V never falls, so
 * an R that followed old records down (a month published again into a quiet topic)
 * would close nothing until the clock had caught up with V.
 */
void seal_round(struct engine *engine, uint64_t now_ns)
{
    unsigned count = part_total(engine);
    int64_t largest = INT64_MIN, least = INT64_MAX;
    uint64_t oldest_proof = UINT64_MAX;
    bool readable = false, proven = false;

    for (unsigned i = 0; i < count; i++) {
        struct part *part = engine->parts[i];
        int64_t max_c = atomic_load_explicit(&part->seen_max_c, memory_order_relaxed);
        if (!part_is_member(part))
            continue;
        /* What is pushed can always be read, and shows nothing of the topics. */
        readable |= part->number != INTAKE_PARTITION &&
                    atomic_load_explicit(&part->state, memory_order_relaxed) < FEED_UNREADABLE;
        if (max_c > largest)
            largest = max_c;
    }
    if (!engine->r_known) {
        engine->r_ms = engine->wall_at_start;
        engine->r_ns = engine->mono_at_start;
        engine->r_known = true;
        if (engine->config.recovery.is_wanted && engine->config.recovery.r_ms != INT64_MIN) {
            engine->r_ms += engine->config.recovery.r_ms - engine->config.recovery.n_ms;
            engine->r_used = true; /* seals were made from it */
        }
    }
    /* A first record may come between the two looks: with nothing to be behind of, none is. */
    int64_t reference = engine->r_used && engine->r_ms > largest ? engine->r_ms : largest;
    int64_t far_behind = reference == INT64_MIN ? INT64_MIN : reference - engine->config.behind_ms;
    for (unsigned i = 0; i < count; i++) {
        struct part *part = engine->parts[i];
        if (!part_is_member(part))
            continue;
        uint64_t records = atomic_load_explicit(&part->seen_records, memory_order_relaxed);
        int64_t max_c = atomic_load_explicit(&part->seen_max_c, memory_order_relaxed);
        if (records != part->records_at_seal && max_c != INT64_MIN && max_c >= far_behind &&
            max_c < least)
            least = max_c;
        part->records_at_seal = records;
        blind_look(engine, part, now_ns, readable);
        uint64_t proof = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
        if (proof > part->proof_used) {
            proven = true;
            oldest_proof = proof < oldest_proof ? proof : oldest_proof;
        }
    }
    if (least != INT64_MAX) {
        engine->r_ms = least;
        engine->r_ns = now_ns;
    } else if (proven && oldest_proof > engine->r_ns) {
        engine->r_ms += (int64_t)((oldest_proof - engine->r_ns) / 1000000u);
        engine->r_ns += (oldest_proof - engine->r_ns) / 1000000u * 1000000u;
    }
    /* relaxed: for stamps alone, which the ingest thread does not see before a lock. */
    atomic_store_explicit(&engine->shown_r_ms, engine->r_ms, memory_order_relaxed);
    if (!readable)
        return; /* T9: with no reachable input nothing closes */
    for (unsigned i = 0; i < count; i++) {
        struct part *part = engine->parts[i];
        if (!part_is_member(part))
            continue;
        uint64_t proof = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
        if (proof <= part->proof_used && !part->sealed_on)
            continue;
        part->proof_used = proof;
        engine->r_used = true;
        /* relaxed: the value is all that is handed over. The owner applies it at its read
         * position. */
        atomic_store_explicit(&part->seal_request, engine->r_ms - engine->slack_ms,
                              memory_order_relaxed);
    }
    tally_add(&engine->incident_tally.seals, 1);
}
