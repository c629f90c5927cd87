/*
 * seal.c - see seal.h.
 */
#include "correlate/seal.h"

#include "correlate/blind.h"
#include "correlate/part.h"
#include "ingest/intake_source.h"

/* Whether it had records since the last round. A start that goes on from the R of the run before
 * reads again what that R knew of: it does not take R back to the time of those records. */
static bool reads_what_is_new(const struct engine *engine, const struct part *part,
                              uint64_t records)
{
    /* relaxed: a bit old is fine, as it is for M. */
    return records != part->records_at_seal &&
           (!engine->r_settled || part->read_until == INT64_MIN ||
            atomic_load_explicit(&part->seen_offset, memory_order_relaxed) > part->read_until);
}

/*
 * One seal round. R is the least M of the partitions that had records since the last
 * round and are not far behind; without any it goes on from the last R by the
 * monotonic clock, but only up to the oldest of the answers that prove something.
 *
 * Once a seal was made, "far behind" is also measured from the last R: V never falls, so
 * an R that followed old records down (a month published again into a quiet topic)
 * would close nothing until the clock had caught up with V.
 *
 * What a partition holds before its first proof is a backlog: it was there before anybody looked,
 * and may be of any age. While it is read R follows it; where nothing comes behind it R would stay
 * behind the clock by the age of its last record, and every timer with it. So at a first start,
 * once all of it has been read and B has gone by without more, R is the clock's, as it is where
 * there was nothing to read. A record behind a proof settles R the other way, for good: it shows
 * what time the input has, which may well be an hour behind. Until it is settled R is not
 * journaled: a start after a crash of before then is a first one still. Where there was nothing to
 * read the first seal settles it: what is sealed by the clock stays so, and a start that did not
 * know would follow records whose clock is behind, and close nothing until they had caught up.
 *
 * The first seal of all waits for something to go by, a record or that all has been read: else
 * an empty partition, which answers at once, would be sealed at the clock, and with it R, before
 * the first record of a backlog is here.
 */
static void take_clock(struct engine *engine, uint64_t proof_ns)
{
    uint64_t quiet_ns = (uint64_t)engine->config.behind_ms * 1000000u;
    int64_t clock_ms =
        engine->wall_at_start + (int64_t)((proof_ns - engine->mono_at_start) / 1000000u);

    if (proof_ns < engine->backlog_ns + quiet_ns)
        return;
    if (clock_ms > engine->r_ms) {
        engine->r_ms = clock_ms;
        engine->r_ns = proof_ns;
    }
    engine->r_settled = true;
}

void seal_round(struct engine *engine, uint64_t now_ns)
{
    unsigned count = part_total(engine);
    int64_t largest = INT64_MIN, least = INT64_MAX;
    uint64_t oldest_proof = UINT64_MAX, least_ns = 0;
    bool readable = false, proven = false, all_read = true;

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
        engine->backlog_ns = now_ns;
        if (engine->config.recovery.is_wanted && engine->config.recovery.r_ms != INT64_MIN) {
            engine->r_ms += engine->config.recovery.r_ms - engine->config.recovery.n_ms;
            engine->r_used = engine->r_settled = true; /* seals were made from it */
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
        bool is_new = reads_what_is_new(engine, part, records), is_backlog = part->proof_used == 0;
        if (is_new && max_c != INT64_MIN && max_c >= far_behind) {
            if (max_c < least) {
                least = max_c;
                least_ns = atomic_load_explicit(&part->taken_ns, memory_order_relaxed);
            }
            engine->r_settled |= !is_backlog;
        }
        if (is_new)
            engine->news_ns = now_ns;
        if (is_new && is_backlog)
            engine->backlog_ns = now_ns;
        part->records_at_seal = records;
        blind_look(engine, part, now_ns, readable);
        uint64_t proof = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
        /* What stays unreadable is not waited for: others go on without it (T4b). */
        all_read &= proof > 0 || part->sealed_on;
        if (proof > part->proof_used) {
            proven = true;
            oldest_proof = proof < oldest_proof ? proof : oldest_proof;
        }
    }
    if (least != INT64_MAX) {
        engine->r_ms = least;
        /* As of when it came, not of when we look: the clock goes on from there. Since the last
         * round it did, or the two were not stored at once. */
        engine->r_ns = engine->round_ns > 0 && least_ns > engine->round_ns && least_ns < now_ns
                           ? least_ns
                           : now_ns;
    } else if (proven && oldest_proof > engine->r_ns) {
        engine->r_ms += (int64_t)((oldest_proof - engine->r_ns) / 1000000u);
        engine->r_ns += (oldest_proof - engine->r_ns) / 1000000u * 1000000u;
        if (all_read && !engine->r_settled)
            take_clock(engine, oldest_proof);
    }
    engine->round_ns = now_ns;
    /* relaxed: for stamps alone, which the ingest thread does not see before a lock. */
    atomic_store_explicit(&engine->shown_r_ms, engine->r_ms, memory_order_relaxed);
    if (!readable)
        return; /* T9: with no reachable input nothing closes */
    bool is_clock = !engine->r_used && reference == INT64_MIN && least == INT64_MAX;
    if (is_clock && !all_read)
        return;
    for (unsigned i = 0; i < count; i++) {
        struct part *part = engine->parts[i];
        if (!part_is_member(part))
            continue;
        uint64_t proof = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
        if (proof <= part->proof_used && !part->sealed_on)
            continue;
        part->proof_used = proof;
        engine->r_used = true;
        engine->r_settled |= is_clock;
        /* relaxed: the value is all that is handed over. The owner applies it at its read
         * position. */
        atomic_store_explicit(&part->seal_request, engine->r_ms - engine->slack_ms,
                              memory_order_relaxed);
    }
    tally_add(&engine->incident_tally.seals, 1);
}

void seal_aim(struct engine *engine, int64_t passed, uint64_t now_ns)
{
    const struct engine_config *config = &engine->config;
    const int64_t d = (int64_t)config->epoch_ms;
    /* What came last may lie in the epoch behind the next, and is sealed G later. */
    const uint64_t news_ms = (uint64_t)engine->slack_ms + 4 * (uint64_t)d + 100;
    uint64_t wanted_ns = 0;

    if (passed < engine->wanted_ms && seal_is_wanted(engine, now_ns))
        return; /* its proofs may be on their way */
    if (engine->r_used && now_ns - engine->news_ns < news_ms * 1000000u) {
        /* The first end of an epoch that R, going on by the clock, has not G behind it by now. */
        uint64_t since_ms = now_ns > engine->r_ns ? (now_ns - engine->r_ns) / 1000000u : 0;
        int64_t sealed_ms = engine->r_ms + (int64_t)since_ms - engine->slack_ms;
        engine->wanted_ms = (floor_div(sealed_ms, d) + 1) * d;
        wanted_ns = engine->r_ns +
                    (uint64_t)(engine->wanted_ms + engine->slack_ms - engine->r_ms) * 1000000u;
    }
    /* relaxed, both: nobody else writes it, and who reads it takes it for a hint. */
    if (wanted_ns == atomic_load_explicit(&engine->wanted_ns, memory_order_relaxed))
        return;
    atomic_store_explicit(&engine->wanted_ns, wanted_ns, memory_order_relaxed);
    if (wanted_ns != 0 && engine->source->ops->prove_at != NULL)
        engine->source->ops->prove_at(engine->source, wanted_ns);
}

bool seal_is_due(const struct engine *engine, uint64_t now_ns)
{
    uint64_t wanted_ns = atomic_load_explicit(&engine->wanted_ns, memory_order_relaxed);

    if (now_ns >= engine->seal_due_ns)
        return true;
    if (!seal_is_wanted(engine, now_ns))
        return false;
    bool waits = false;
    for (unsigned i = 0; i < part_total(engine); i++) {
        const struct part *part = engine->parts[i];
        if (!part_is_member(part) || part->sealed_on ||
            atomic_load_explicit(&part->passed, memory_order_relaxed) >= engine->wanted_ms)
            continue;
        uint64_t proof_ns = atomic_load_explicit(&part->proof_ns, memory_order_relaxed);
        if (proof_ns < wanted_ns || proof_ns <= part->proof_used)
            return false;
        waits = true;
    }
    return waits;
}
