/*
 * ingest.c - the ingest role: takes records from the feeds a thread owns, has them put into the
 * bins (ingest_parts.h says who does what), and says how far each partition has come.
 */
#include "base/hash.h"
#include "base/host.h"
#include "correlate/ingest_parts.h"
#include "correlate/memory.h"
#include "correlate/part.h"
#include "correlate/seal.h"

/* With full bins only feeds are read that are not ahead of the watermark by more than this, or two
 * epochs. */
enum { AHEAD_MS = 100 };

/* Records are fetched ahead by one, some cache lines of each: the core that received them is
 * another, and the lines behind follow in their order, which a core sees by itself. */
enum { AHEAD_LINES = 4, CACHE_LINE = 64 };

/* --- feeds ------------------------------------------------------------------------------------ */

static void part_finish(struct worker *worker, struct part *part)
{
    marks_apply(worker, part, INT64_MAX); /* seals after its last record */
    part->finished = true;
    passed_publish(worker, part);
}

static void counts_store(struct worker *worker, struct part *part)
{
    if (worker->records == 0 && worker->binned == 0 && worker->capped == 0 &&
        worker->undated == 0 && part->again_run == 0)
        return;
    part->counts.records += worker->records;
    part->counts.record_bytes += worker->record_bytes;
    part->counts.events += worker->binned;
    if (worker->binned > 0) /* relaxed: a report */
        atomic_store_explicit(&part->has_events, true, memory_order_relaxed);
    part->counts.time_clamped += worker->clamped;
    part->counts.late += worker->late;
    part->counts.late_by_seal += worker->late_by_seal;
    part->counts.capped += worker->capped;
    part->counts.undated += worker->undated;
    tally_add(&worker->tally.records, worker->records);
    tally_add(&worker->tally.record_bytes, worker->record_bytes);
    /* An event counts when it is in its bin: a record may be held, or left, in its middle. */
    tally_add(&worker->tally.events, worker->binned);
    tally_add(&worker->tally.binned, worker->binned);
    tally_add(&worker->tally.time_clamped, worker->clamped);
    tally_add(&worker->tally.late, worker->late);
    tally_add(&worker->tally.late_by_seal, worker->late_by_seal);
    tally_add(&worker->tally.capped, worker->capped);
    tally_add(&worker->tally.undated, worker->undated);
    tally_add(&part->records, part->records_run);
    worker->records = worker->record_bytes = worker->binned = 0;
    worker->clamped = worker->late = worker->late_by_seal = worker->capped = worker->undated = 0;
    part->records_run = 0;
    if (part->again_run > 0) { /* L1: as if this membership had begun behind them */
        int64_t start = atomic_load_explicit(&part->start_offset, memory_order_relaxed);
        atomic_store_explicit(&part->start_offset, start + (int64_t)part->again_run,
                              memory_order_relaxed);
        part->again_run = 0;
    }
    atomic_store_explicit(&part->read_offset, part->next_offset, memory_order_relaxed);
}

static uint64_t random_next(struct worker *worker)
{
    worker->shuffle_state += 0x9e3779b97f4a7c15ULL;
    return hash_mix(worker->shuffle_state);
}

/* How many records to ask for: the configured number, or any up to it in shuffled runs. */
static size_t take_size(struct worker *worker)
{
    size_t max = worker->engine->config.take_max;

    return worker->engine->config.shuffle == 0 ? max : (size_t)(random_next(worker) % max) + 1;
}

static void lag_look(struct part *part)
{
    if (part->feed->ops->lag != NULL)
        atomic_store_explicit(&part->lag, part->feed->ops->lag(part->feed), memory_order_relaxed);
}

/* Whatever input waits for: a broker that is gone meanwhile is a blind spell all the same. */
static enum feed_state state_look(struct part *part)
{
    enum feed_state state = part->feed->ops->state(part->feed);

    atomic_store_explicit(&part->state, (int)state, memory_order_relaxed);
    return state;
}

static void record_prefetch(const struct record *record)
{
    uint32_t bytes =
        record->bytes < AHEAD_LINES * CACHE_LINE ? record->bytes : AHEAD_LINES * CACHE_LINE;

    for (uint32_t at = 0; at < bytes; at += CACHE_LINE)
        __builtin_prefetch(record->payload + at);
}

/* Behind a take: is the partition too far behind, or no more? */
static inline void shed_look_take(struct worker *worker, struct part *part, uint64_t now_ns)
{
    if (worker->engine->config.shedding.behind_ms > 0 || part->shed.below != SEVERITY_OK)
        shed_look(worker, part, now_ns);
}

/* Reads one feed: at most one take; asks for proof and lag if `look` says so. True if anything
 * moved. */
static bool part_poll(struct worker *worker, struct part *part, uint64_t now_ns, bool look)
{
    struct engine *engine = worker->engine;
    const struct feed_ops *ops = part->feed->ops;
    bool moved = false;

    if (part->finished)
        return false;
    if (part->batch_at == part->batch_count) {
        bool stopped = atomic_load_explicit(&engine->stop_input, memory_order_relaxed) ||
                       atomic_load_explicit(&engine->paused, memory_order_relaxed);
        moved = marks_recover(worker, part);
        moved = seal_apply(worker, part) || moved;
        /* The state first: FEED_FINISHED seen before an empty take is final. */
        enum feed_state state = state_look(part);
        if (stopped) {
            if (look) /* nothing is taken while the outbox is full, and that is what lag is for */
                lag_look(part);
            return moved;
        }
        part->batch_at = 0;
        part->batch_count = ops->take(part->feed, &part->batch, take_size(worker));
        if (part->batch_count == 0) {
            uint64_t proof;
            if (state == FEED_FINISHED) {
                part_finish(worker, part);
                return true;
            }
            if (look && engine->config.seal_ms > 0 && ops->end_proof(part->feed, &proof))
                atomic_store_explicit(&part->proof_ns, proof, memory_order_relaxed);
            if (look) {
                lag_look(part);
                shed_look_take(worker, part, now_ns);
            }
            return moved;
        }
        clock_look_take(engine, part, now_ns);
        /* relaxed: a bit old is fine, as it is for M. */
        atomic_store_explicit(&part->taken_ns, now_ns, memory_order_relaxed);
        worker->taken_ms = engine_clock_ms(engine);
        shed_look_take(worker, part, now_ns);
    }
    while (part->batch_at < part->batch_count) {
        if (part->batch_at + 1 < part->batch_count)
            record_prefetch(&part->batch[part->batch_at + 1]);
        if (!record_run(worker, part, &part->batch[part->batch_at]))
            break;
        part->batch_at++;
        moved = true;
    }
    worker_at(worker, 0, 0);
    if (part->batch_at == part->batch_count)
        ops->release(part->feed);
    counts_store(worker, part);
    passed_publish(worker, part);
    worker->data_ns = now_ns;
    if (look)
        lag_look(part);
    return moved;
}

/* --- memory that is short (F7) -------------------------------------------------------------- */

/* It is not read: is it so for others, or for workers that are behind with what it brought itself?
 * Only the first is a pause. */
static void part_pause(struct worker *worker, struct part *part, int64_t ahead)
{
    int64_t least = atomic_load_explicit(&worker->engine->least_passed_ms, memory_order_relaxed);

    if (atomic_load_explicit(&part->is_paused, memory_order_relaxed) || part->finished ||
        least == INT64_MAX || /* all had ended, before this one joined */
        (least != INT64_MIN &&
         atomic_load_explicit(&part->passed, memory_order_relaxed) <= least + ahead))
        return;
    atomic_store_explicit(&part->is_paused, true, memory_order_relaxed);
    tally_add(&part->pauses, 1);
    tally_add(&worker->pauses, 1);
    tally_add(&worker->paused, 1);
}

static void part_unpause(struct worker *worker, struct part *part)
{
    if (!atomic_load_explicit(&part->is_paused, memory_order_relaxed))
        return;
    atomic_store_explicit(&part->is_paused, false, memory_order_relaxed);
    tally_add(&worker->paused, UINT64_MAX); /* one less */
}

/* The owner's last act for a partition that leaves. */
static void part_let_go(struct worker *worker, struct part *part)
{
    part_unpause(worker, part);
    rejoin_note(worker, part);
    if (part->batch_at < part->batch_count)
        part->feed->ops->release(part->feed);
    part->batch_at = part->batch_count = 0;
    /* K, release end: the feed is the source's again. */
    atomic_store_explicit(&part->membership, PART_GONE, memory_order_release);
}

static void part_look_leaving(struct worker *worker, struct part *part)
{
    /* J, acquire end: which of its events are dropped. unseen by tsan: an atomic alone. */
    if (atomic_load_explicit(&part->membership, memory_order_acquire) == PART_LEAVING)
        part_let_go(worker, part);
}

static void low_publish(struct part *part, int64_t done_epoch)
{
    while (part->low_count > 0 && part->low[part->low_first].epoch < done_epoch) {
        part->low_first = (part->low_first + 1) % LOW_MARKS;
        part->low_count--;
    }
    /* relaxed: advisory (D5). */
    atomic_store_explicit(&part->low_offset,
                          part->low_count > 0 ? part->low[part->low_first].offset
                                              : part->next_offset,
                          memory_order_relaxed);
}

/* Memory of epochs that every worker has passed comes back. */
static void reclaim(struct worker *worker, unsigned count)
{
    /* F, acquire end: nobody reads the bins below any more. */
    int64_t done = atomic_load_explicit(&worker->engine->done_epoch, memory_order_acquire);

    if (done == INT64_MIN)
        return;
    /* What these leave unread is in bins that may be freed next: steps behind a leave do not wait
     * for its owner. Whoever sees the step sees the leave. */
    for (unsigned i = 0; done > worker->bins.free_until && i < count; i++)
        part_look_leaving(worker, worker->parts[i]);
    if (!worker->bins_placed) {
        worker->bins.free_until = done;
        worker->bins_placed = true;
    } else if (done > worker->bins.free_until) {
        bins_free_until(&worker->bins, done);
    } else {
        return;
    }
    /* B, release end: the slots below are empty, or hold the epoch that they are for. */
    atomic_store_explicit(&worker->reach_epoch, done + worker->bins.slot_count,
                          memory_order_release);
}

/* When memory is short, or bins are half as full again as they may be, a feed is read no further
 * than the next epoch needs to close: of a burst, 100 ms may be many times of what bins may hold.
 */
static int64_t ahead_ms(const struct worker *worker)
{
    int64_t epoch_ms = (int64_t)worker->engine->config.epoch_ms;
    uint64_t most = worker->engine->config.bins_bytes_max;

    if (worker->is_short || worker->bins.used > most + most / 2)
        return epoch_ms;
    return 2 * epoch_ms > AHEAD_MS ? 2 * epoch_ms : AHEAD_MS;
}

bool ingest_poll(struct worker *worker)
{
    /* J, acquire end: the partitions below the count are set up. */
    unsigned count = atomic_load_explicit(&worker->part_count, memory_order_acquire);
    bool moved = false;

    reclaim(worker, count);
    stands_give(worker, count);
    worker->holds_any = false;
    if (count == 0)
        return false;
    /* Proofs and lag cost a lock each: twice per seal round is enough. */
    uint64_t now_ns = host_mono_ns();
    bool is_due = now_ns >= worker->look_due_ns;
    bool look = is_due || seal_is_wanted(worker->engine, now_ns);
    if (is_due)
        worker->look_due_ns = now_ns + (uint64_t)worker->engine->config.seal_ms * 500000u;
    memory_look(worker, now_ns);
    bool full = worker->bins.used > worker->engine->config.bins_bytes_cached ||
                worker->bins.used > worker->engine->config.bins_bytes_max;
    if (look)
        worker->is_short = memory_is_short(worker->engine);
    int64_t wm = atomic_load_explicit(&worker->engine->watermark_ms, memory_order_relaxed);
    int64_t ahead = ahead_ms(worker);
    unsigned first = worker->engine->config.shuffle != 0 ? (unsigned)(random_next(worker) % count)
                                                         : worker->next_part++ % count;
    for (unsigned i = 0; i < count; i++) {
        struct part *part = worker->parts[(first + i) % count];
        /* J, acquire end: a partition that joined (again) is set up. */
        int membership = atomic_load_explicit(&part->membership, memory_order_acquire);
        if (membership == PART_LEAVING) {
            part_let_go(worker, part);
            moved = true;
        }
        if (membership != PART_MEMBER)
            continue;
        /* Whoever holds the watermark back is never paused for memory (F7): it is read on once
         * there are steps of what it has brought. */
        if ((full || worker->is_short) && part->max_c != INT64_MIN &&
            atomic_load_explicit(&part->passed, memory_order_relaxed) > wm + ahead) {
            worker->holds_any |= part->held;
            if (look)
                state_look(part);
            if (worker->is_short)
                part_pause(worker, part, ahead);
            if (look)
                lag_look(part);
            continue;
        }
        part_unpause(worker, part);
        moved |= part_poll(worker, part, now_ns, look);
        worker->holds_any |= part->held;
        low_publish(part, worker->bins.free_until);
        if (worker->engine->config.shuffle != 0 && moved && random_next(worker) % 4 == 0)
            break;
    }
    return moved;
}

void ingest_stop(struct worker *worker)
{
    struct source *source = worker->engine->source;
    unsigned count = atomic_load_explicit(&worker->part_count, memory_order_relaxed);

    reclaim(worker, count);
    worker->held_due_ns = 0;
    memory_look(worker, host_mono_ns());
    for (unsigned i = 0; source->ops->position != NULL && i < count; i++) {
        struct part *part = worker->parts[i];
        if (part->dropped || !part_is_member(part))
            continue;
        low_publish(part, worker->bins.free_until);
        source->ops->position(source, part->feed,
                              atomic_load_explicit(&part->low_offset, memory_order_relaxed));
    }
}
