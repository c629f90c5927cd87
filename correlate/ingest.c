/*
 * ingest.c - the ingest role: takes records from the feeds a thread owns, decodes
 * them, sets their effective time (docs/correlation.md, section 1), and puts the
 * events into the bins.
 *
 * A feed whose next event lies beyond the reach of the bins is held: its record
 * stays with the feed until the others have caught up. Its M has moved already, so
 * it never holds up the watermark itself.
 */
#include <assert.h>
#include <string.h>
#include "base/act.h"
#include "base/hash.h"
#include "base/host.h"
#include "base/text.h"
#include "correlate/core.h"
#include "correlate/crash.h"
#include "correlate/in_place.h"
#include "correlate/mark.h"
#include "correlate/memory.h"
#include "correlate/part.h"
#include "correlate/seal.h"
#include "correlate/trace.h"
#include "ingest/intake_source.h"

/* With full bins only feeds are read that are not ahead of the watermark by more than this, or two
 * epochs. */
enum { AHEAD_MS = 100 };

/* Records are fetched ahead by one, some cache lines of each: the core that received them is
 * another, and the lines behind follow in their order, which a core sees by itself. */
enum { AHEAD_LINES = 4, CACHE_LINE = 64 };

struct timing {
    int64_t c, et;
    uint8_t flags;
};

/* --- marks ----------------------------------------------------------------------------- */

static void passed_publish(const struct worker *worker, struct part *part)
{
    int64_t least = part->max_c != INT64_MIN ? part->max_c - part->topic.disorder_ms : INT64_MIN;
    int64_t passed = part->sealed > least ? part->sealed : least;

    /* A replay begins with the first events: how far seals alone have brought a partition whose
     * first records are refused depends on how many of these were taken at once. */
    if (!part->had_event && worker->engine->config.seal_ms == 0)
        passed = INT64_MIN;
    if (part->had_event) {
        int64_t reach = part->max_c + part->topic.disorder_ms;
        /* relaxed: read after passed has been seen to be at the end (W). */
        atomic_store_explicit(&part->reach, reach > part->sealed ? reach : part->sealed,
                              memory_order_relaxed);
    }
    atomic_store_explicit(&part->seen_max_c, part->max_c, memory_order_relaxed);
    /* A held record has moved M already: R may not wait for it to be counted. */
    atomic_store_explicit(&part->seen_records, tally_get(&part->records) + part->held,
                          memory_order_relaxed);
    /* Q, release end: the marks of all records before, and of one that is held, are in the ring.
     * unseen by tsan: the marks come by M; all that is ordered here are atomics. */
    atomic_store_explicit(&part->seen_offset, part->next_offset + part->held, memory_order_release);
    /* W, release end: every event before this time is in its bin, or held by this partition with an
     * et at or after it. unseen by tsan: Q, which is stored before and read behind, orders the same
     * where stores are seen in their order. */
    atomic_store_explicit(&part->passed, part->finished ? INT64_MAX : passed, memory_order_release);
}

/* What was so before the record at which it joined it has brought along. */
static void input_turn(const struct worker *worker, struct part *part, const struct mark *mark)
{
    if (mark->offset >= part->first_offset)
        part_turn(worker->engine, part, mark->value_ms);
}

/* Journaled marks of the partition that hold for records from `offset` on. */
static void marks_apply(struct worker *worker, struct part *part, int64_t offset)
{
    const struct engine_config *config = &worker->engine->config;

    for (; part->mark_at < part->mark_end; part->mark_at++) {
        const struct mark *mark = &config->marks[part->mark_at];
        if (mark->part != part->id - 1 || !mark_is_of_reading(mark->kind))
            continue; /* the others are made by the sequencer, at offsets that it has heard of */
        if (mark->offset > offset)
            break;
        if (mark->kind == MARK_INPUT)
            input_turn(worker, part, mark);
        if (mark->kind == MARK_SHED)
            shed_turn(part, mark->value_ms);
        if (mark->kind == MARK_SEAL && mark->value_ms > part->sealed)
            part->sealed = mark->value_ms;
        else if (mark->kind == MARK_CAP && mark->offset == offset)
            part->cap_ms = mark->value_ms;
    }
}

/* Journaled marks but caps that were made while the partition stood where it stands now. */
static bool marks_recover(struct worker *worker, struct part *part)
{
    const struct engine_config *config = &worker->engine->config;
    int64_t sealed = part->sealed;
    bool has_turned = false;

    for (; part->read_until != INT64_MIN && part->mark_at < part->mark_end; part->mark_at++) {
        const struct mark *mark = &config->marks[part->mark_at];
        if (mark->part != part->id - 1 || !mark_is_of_reading(mark->kind))
            continue;
        if (mark->offset > part->next_offset || mark->kind == MARK_CAP)
            break; /* a cap holds for a record, which is not here yet */
        if (mark->kind == MARK_INPUT) {
            input_turn(worker, part, mark);
            has_turned = true;
        } else if (mark->kind == MARK_SHED) {
            shed_turn(part, mark->value_ms);
        } else if (mark->value_ms > part->sealed) {
            part->sealed = mark->value_ms;
        }
    }
    if (part->sealed == sealed && !has_turned)
        return false;
    passed_publish(worker, part);
    return true;
}

/* A seal that the sequencer asked for takes effect before the next record. */
static bool seal_apply(struct worker *worker, struct part *part)
{
    /* relaxed: the value is all there is. By exchange: each request is taken once. */
    int64_t value = atomic_load_explicit(&part->seal_request, memory_order_relaxed);

    if (value == INT64_MIN)
        return false;
    value = atomic_exchange_explicit(&part->seal_request, INT64_MIN, memory_order_relaxed);
    if (value <= part->sealed || part->next_offset < part->read_until ||
        !mark_push(worker, &(struct mark){.kind = MARK_SEAL,
                                          .part = part->id,
                                          .offset = part->next_offset,
                                          .value_ms = value}))
        return false; /* V never falls; a seal that cannot be noted is not made */
    part->sealed = value;
    passed_publish(worker, part);
    return true;
}

/* --- effective time ---------------------------------------------------------------------- */

/* The record's kt. False when a cap could not be noted: try again later. */
static bool log_time(struct worker *worker, struct part *part, const struct record *record,
                     const struct decode_result *decoded, int64_t *kt)
{
    struct engine *engine = worker->engine;

    if (record->log_time_ms == LOG_TIME_NONE) {
        if (!part->had_log_time && decoded->draft_count > 0 && decoded->drafts[0].has_time) {
            *kt = decoded->drafts[0].time_ms; /* a plain file: the event lends its own time */
            return true;
        }
        if (!part->had_log_time && decoded->draft_count > 0)
            worker->undated += part->before.undated = 1;
        *kt = part->last_kt != INT64_MIN               ? part->last_kt
              : engine->config.undated_ms != INT64_MIN ? engine->config.undated_ms
                                                       : engine_clock_ms(engine);
        return true;
    }
    part->had_log_time = true;
    /* Log times beyond (the year 287396) are read as this: sums stay in 64 bits. */
    *kt = record->log_time_ms < -TIME_MS_MAX  ? -TIME_MS_MAX
          : record->log_time_ms > TIME_MS_MAX ? TIME_MS_MAX
                                              : record->log_time_ms;
    if (part->cap_ms != INT64_MIN) {
        *kt = part->cap_ms;
        part->cap_ms = INT64_MIN;
    } else if (engine->config.seal_ms > 0 && !part->topic.log_append_time &&
               record->offset >= part->read_until) {
        /* The clock costs a tenth of what decoding does: it is asked again where the time of the
         * take does not do. */
        int64_t latest = worker->taken_ms + part->future_ms;
        if (*kt > latest)
            latest = engine_clock_ms(engine) + part->future_ms;
        if (*kt > latest) {
            if (!mark_push(worker, &(struct mark){.kind = MARK_CAP,
                                                  .part = part->id,
                                                  .offset = record->offset,
                                                  .value_ms = latest}))
                return false;
            *kt = latest;
            worker->capped += part->before.capped = 1;
        }
    }
    return true;
}

static struct timing timing_of(struct part *part, const struct event_draft *draft, int64_t kt)
{
    int64_t ts = draft->has_time ? draft->time_ms : kt;
    struct timing t = {0};
    bool trusted = ts >= kt - part->past_ms && ts <= kt + part->future_ms;

    t.c = trusted ? (ts < kt ? ts : kt) : kt;
    if (!trusted)
        t.flags |= EVENT_CLAMPED;
    if (part->topic.log_append_time && part->max_c < kt - part->behind_ms)
        part->max_c = kt - part->behind_ms;
    int64_t ordered = t.c;
    if (part->max_c != INT64_MIN && part->max_c - part->topic.disorder_ms > ordered)
        ordered = part->max_c - part->topic.disorder_ms;
    t.et = part->sealed > ordered ? part->sealed : ordered;
    if (t.et > ordered)
        t.flags |= EVENT_LATE_BY_SEAL;
    else if (t.et > t.c)
        t.flags |= EVENT_LATE;
    if (t.c > part->max_c)
        part->max_c = t.c;
    if (!part->had_event) /* relaxed: a report */
        atomic_store_explicit(&part->first_ms, t.et, memory_order_relaxed);
    part->had_event = true;
    return t;
}

/* --- one record ---------------------------------------------------------------------------- */

static void low_note(struct part *part, int64_t epoch, int64_t offset)
{
    if (part->low_count > 0 && epoch <= part->low_epoch)
        return;
    part->low_epoch = epoch;
    if (part->low_count == LOW_MARKS) {
        part->low[(part->low_first + LOW_MARKS - 1) % LOW_MARKS].epoch = epoch;
        return;
    }
    part->low[(part->low_first + part->low_count++) % LOW_MARKS] =
        (struct low_mark){.epoch = epoch, .offset = offset};
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

/* Most events share the epoch of the one before: that saves a division each. */
static inline int64_t epoch_of(struct worker *worker, int64_t et)
{
    int64_t epoch_ms = (int64_t)worker->engine->config.epoch_ms;

    if ((uint64_t)(et - worker->epoch_from_ms) >= (uint64_t)epoch_ms) {
        worker->epoch = floor_div(et, epoch_ms);
        worker->epoch_from_ms = worker->epoch * epoch_ms;
    }
    return worker->epoch;
}

static void trace_received(const struct engine *engine, const struct part *part,
                           const struct event *ev, int64_t kt)
{
    const struct engine_trace *trace = engine->listener.trace;
    /* c again: a held event comes here later than its time was found. */
    const struct trace_receipt receipt = {
        .event = ev,
        .topic = part->name,
        .partition = part->number,
        .log_ms = kt,
        .trusted_ms = (ev->flags & EVENT_CLAMPED) != 0 || ev->ts_ms > kt ? kt : ev->ts_ms,
        .disorder_ms = part->topic.disorder_ms};

    if (trace->received != NULL)
        trace->received(trace->self, &receipt);
}

/* The record has put an event into the bin of this epoch. */
static inline void bin_note(struct worker *worker, struct part *part, int64_t epoch, int64_t offset)
{
    low_note(part, epoch, offset);
    if (epoch > atomic_load_explicit(&worker->highest_bin, memory_order_relaxed))
        atomic_store_explicit(&worker->highest_bin, epoch, memory_order_relaxed);
}

static void bin_event(struct worker *worker, struct part *part, const struct record *record,
                      uint32_t sub, const struct event_draft *draft, int64_t kt, int64_t et,
                      int64_t epoch, uint8_t flags)
{
    struct engine *engine = worker->engine;
    struct bin_slot *slot = bins_claim(&worker->bins, epoch);
    size_t bytes = event_text_bytes(draft);
    void *room = bins_text(&worker->bins, slot, bytes);
    const struct event_text *text =
        event_text_pack(room, bytes, draft, draft->has_time ? draft->time_ms : kt);
    struct id128 fingerprint = event_fingerprint(text, engine->config.seed);
    uint8_t lane = (uint8_t)(fingerprint.hi >> 56);
    struct event *ev = bins_event(&worker->bins, slot, lane_owner(engine, lane));

    *ev = (struct event){
        .fingerprint = fingerprint,
        .attr_hash = event_attr_hash(text, draft->severity, draft->state, engine->config.seed),
        .et_ms = et,
        .ts_ms = text->ts_ms,
        .offset = record->offset,
        .text = text,
        .part = part->id,
        .sub = (uint16_t)sub,
        .lane = lane,
        .severity = draft->severity,
        .state = draft->state,
        .flags = flags};
    if (engine->listener.trace != NULL && (flags & EVENT_BY_HAND) == 0)
        trace_received(engine, part, ev, kt);
    bin_note(worker, part, epoch, record->offset);
}

static void event_count(struct worker *worker, uint8_t flags)
{
    worker->binned++;
    worker->clamped += (flags & EVENT_CLAMPED) != 0;
    worker->late += (flags & EVENT_LATE) != 0;
    worker->late_by_seal += (flags & EVENT_LATE_BY_SEAL) != 0;
}

static void reject(struct worker *worker, struct part *part, const struct record *record,
                   enum reject_reason reason, uint32_t at, const char *why)
{
    const struct engine_listener *listener = &worker->engine->listener;

    tally_add(&worker->tally.rejected[reason], 1);
    part->counts.rejected[reason]++;
    tally_add(&part->rejected, 1);
    tally_add(&worker->tally.events, 1);
    if (listener->rejected != NULL)
        listener->rejected(listener->self, part->name, part->number, record, reason, at, why);
}

static bool tenants_allowed(const struct part *part, const struct decode_result *decoded)
{
    const char *tenant = part->topic.tenant;

    for (uint32_t i = 0; part->topic.tenant_fixed && i < decoded->draft_count; i++) {
        struct text own = decoded->drafts[i].field[FIELD_TENANT];
        if (own.len != strlen(tenant) || memcmp(own.at, tenant, own.len) != 0)
            return false;
    }
    return true;
}

static void gap_count(struct worker *worker, struct part *part, const struct record *record)
{
    if (record->offset > part->next_offset && !part->topic.gaps_expected) {
        uint64_t gap = (uint64_t)(record->offset - part->next_offset);
        tally_add(&worker->tally.gaps, gap);
        tally_add(&part->gaps, gap);
        part->counts.gaps += gap;
    }
}

/* Whatever became of the record, the next one of the partition comes behind it. */
static void record_pass(struct worker *worker, struct part *part, const struct record *record)
{
    gap_count(worker, part, record);
    part->next_offset = record->offset + 1;
    if (record->leader_epoch > part->leader_epoch)
        part->leader_epoch = record->leader_epoch;
    worker->records++;
    worker->record_bytes += record->bytes;
    part->records_run++;
}

/* It has counted before the partition was lost: as if it had not come again. */
static void again_pass(struct worker *worker, struct part *part, const struct record *record)
{
    gap_count(worker, part, record);
    part->next_offset = record->offset + 1;
    tally_add(&worker->tally.redelivered, 1);
    tally_add(&part->redelivered, 1);
    part->counts.redelivered++;
    part->again_run++;
}

/* What somebody had the daemon do has its place among what was pushed, and holds no events. What it
 * does to an incident, if anything, the record says (base/act.h). */
static bool is_act(const struct part *part, const struct record *record)
{
    return part->number == INTAKE_PARTITION && record->payload == NULL;
}

static void record_begin(struct part *part)
{
    memset(&part->before, 0, sizeof(part->before));
    part->before.max_c = part->max_c;
    part->before.last_kt = part->last_kt;
    part->before.had_event = part->had_event;
    part->before.had_log_time = part->had_log_time;
}

/* An event of the record is in its bin. */
static void record_note(struct part *part, uint8_t flags)
{
    part->before.events++;
    part->before.time_clamped += (flags & EVENT_CLAMPED) != 0;
    part->before.late += (flags & EVENT_LATE) != 0;
    part->before.late_by_seal += (flags & EVENT_LATE_BY_SEAL) != 0;
}

/* False when the event has to wait until its epoch is in reach. */
static bool is_in_reach(struct worker *worker, struct part *part, uint32_t sub, int64_t kt,
                        const struct timing *t, int64_t epoch)
{
    part->held = !worker->bins_placed || !bins_reach(&worker->bins, epoch);
    if (!part->held)
        return true;
    part->held_sub = sub;
    part->held_kt = kt;
    part->held_et = t->et;
    part->held_flags = t->flags;
    return false;
}

/* What somebody does to an incident counts at its time, as an event would, and is none. False as
 * below. */
static bool act_run(struct worker *worker, struct part *part, const struct record *record)
{
    static const struct decode_result no_events;
    struct act_words words;
    struct event_draft draft;
    struct timing t = {.et = part->held_et, .flags = part->held_flags};
    int64_t kt = part->held_kt;

    act_draft(record->act, &words, &draft);
    if (!part->held) {
        if (!log_time(worker, part, record, &no_events, &kt))
            return false;
        part->last_kt = kt;
        t = timing_of(part, &draft, kt);
    }
    int64_t epoch = epoch_of(worker, t.et);
    if (!is_in_reach(worker, part, 0, kt, &t, epoch))
        return false;
    if (epoch >= part->again_epoch)
        bin_event(worker, part, record, 0, &draft, kt, t.et, epoch, t.flags | EVENT_BY_HAND);
    record_pass(worker, part, record);
    return true;
}

/* Before a record of a partition of which events may be left out. */
static void limits_record(struct part *part)
{
    if (part->quota != NULL)
        quota_record(part->quota);
    part->shed_before = part->shed;
}

/* Is the event to go on? What is told instead of it is in the bin. */
static bool is_admitted(struct worker *worker, struct part *part, const struct record *record,
                        uint32_t sub, const struct decode_result *decoded, int64_t et,
                        int64_t epoch)
{
    const struct in_place place = {.record = record,
                                   .sub = sub,
                                   .et_ms = et,
                                   .epoch = epoch,
                                   .is_one_of_many = decoded->draft_count > 1};

    if ((!shed_is_on(&part->shed) || shed_admits(worker, part, &place, &decoded->drafts[sub])) &&
        (part->quota == NULL || quota_admits(worker, part, &place, &decoded->drafts[sub])))
        return true;
    bin_note(worker, part, epoch, record->offset);
    return false;
}

/* Behind the last event of a record: what has come to its end? */
static void limits_look(struct worker *worker, struct part *part, const struct record *record,
                        int64_t et)
{
    const struct in_place place = {
        .record = record, .et_ms = et, .epoch = epoch_of(worker, et), .is_one_of_many = false};

    bool is_quiet = part->quota != NULL && et >= part->quota->quiet_due_ms;
    bool is_over = shed_is_over(&part->shed);
    if (!is_quiet && !is_over)
        return;
    if (is_quiet)
        quota_look_quiet(worker, part, &place);
    if (is_over)
        shed_tell_end(worker, part, &place);
    bin_note(worker, part, place.epoch, record->offset);
}

static const struct decode_result crashed = {.reason = REJECT_CRASH,
                                             .why = "tocsin died twice at this record"};

/* False when the record has to wait: for bins to reach its time, or for a mark. */
static bool record_run(struct worker *worker, struct part *part, const struct record *record)
{
    uint32_t sub = 0;
    int64_t kt, et = INT64_MIN;

    worker_at(worker, part->id, record->offset);
    if (!part->held) {
        if (record->offset < part->next_offset) {
            if (record->offset >= part->again_until) {
                tally_add(&worker->tally.redelivered, 1);
                tally_add(&part->redelivered, 1);
                part->counts.redelivered++;
            }
            return true;
        }
        if (part->rejoin.is_known && rejoin_has_counted(part, record)) {
            again_pass(worker, part, record);
            return true;
        }
        marks_apply(worker, part, record->offset);
        if (is_act(part, record) && record->act == NULL) {
            record_pass(worker, part, record);
            return true;
        }
        record_begin(part);
        if (part->is_limited)
            limits_record(part);
    }
    if (record->act != NULL && !crash_is_at(part, record->offset))
        return act_run(worker, part, record);
    const struct decode_result *decoded =
        crash_is_at(part, record->offset)
            ? &crashed
            : decoder_decode(worker->decoder, part->topic.format,
                             record->payload != NULL ? record->payload : "", record->bytes,
                             text_of(part->topic.tenant));
    if (part->held) {
        sub = part->held_sub;
        kt = part->held_kt;
    } else if (!log_time(worker, part, record, decoded, &kt)) {
        return false;
    }
    part->last_kt = kt;
    bool foreign = decoded->reason == REJECT_NONE && !tenants_allowed(part, decoded);
    if (decoded->reason != REJECT_NONE || foreign) {
        reject(worker, part, record, foreign ? REJECT_TENANT : decoded->reason,
               foreign ? 0 : decoded->at,
               foreign ? "the event names a tenant that this topic does not speak for"
                       : decoded->why);
    } else {
        for (; sub < decoded->draft_count; sub++) {
            const struct event_draft *draft = &decoded->drafts[sub];
            struct timing t;
            if (part->rejoin.is_known && !rejoin_is_owed(&part->rejoin, record->offset, sub))
                continue;
            if (part->held) {
                t = (struct timing){.et = part->held_et, .flags = part->held_flags};
            } else {
                t = timing_of(part, draft, kt);
            }
            int64_t epoch = epoch_of(worker, t.et);
            if (!is_in_reach(worker, part, sub, kt, &t, epoch))
                return false;
            et = t.et;
            if (part->is_limited && !is_admitted(worker, part, record, sub, decoded, t.et, epoch))
                continue;
            if (epoch >= part->again_epoch)
                bin_event(worker, part, record, sub, draft, kt, t.et, epoch, t.flags);
            event_count(worker, t.flags);
            if (decoded->draft_count > 1) /* else nothing is held behind it */
                record_note(part, t.flags);
        }
        if (part->is_limited && et != INT64_MIN)
            limits_look(worker, part, record, et);
    }
    part->held = false;
    record_pass(worker, part, record);
    return true;
}

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

/* How the partition stands between two records: one that is held was not read yet. */
static void stand_take(struct part *part)
{
    struct part_stand *stand = &part->stand;
    struct quota_stand quota = stand->quota; /* its room */

    quota_stand(part->quota, part->held, &quota);
    *stand = (struct part_stand){.offset = part->next_offset,
                                 .max_c = part->max_c,
                                 .sealed = part->sealed,
                                 .last_kt = part->last_kt,
                                 .epoch = part->low_count > 0 ? part->low_epoch : INT64_MIN,
                                 .had_event = part->had_event,
                                 .had_log_time = part->had_log_time,
                                 .records = tally_get(&part->records),
                                 .gaps = tally_get(&part->gaps),
                                 .redelivered = tally_get(&part->redelivered),
                                 .rejected = tally_get(&part->rejected),
                                 .counts = part->counts,
                                 .quota = quota,
                                 .shed = part->held && shed_is_on(&part->shed) ? part->shed_before
                                                                               : part->shed};
    if (!part->held)
        return;
    stand->max_c = part->before.max_c;
    stand->last_kt = part->before.last_kt;
    stand->had_event = part->before.had_event;
    stand->had_log_time = part->before.had_log_time;
    stand->counts.events -= part->before.events;
    stand->counts.time_clamped -= part->before.time_clamped;
    stand->counts.late -= part->before.late;
    stand->counts.late_by_seal -= part->before.late_by_seal;
    stand->counts.capped -= part->before.capped;
    stand->counts.undated -= part->before.undated;
    stand->rejected -= part->before.rejected;
    stand->counts.rejected[REJECT_QUOTA] -= part->before.rejected;
    stand->counts.told -= part->before.told;
}

static void stands_give(struct worker *worker, unsigned count)
{
    /* U, acquire end: nobody looks at the stands of the request before any more. */
    uint64_t asked = atomic_load_explicit(&worker->engine->stands_asked, memory_order_acquire);

    if (asked == worker->stands_seen)
        return;
    worker->stands_seen = asked;
    for (unsigned i = 0; i < count; i++)
        /* J, acquire end: a partition that joined (again) is set up. unseen by tsan: in a test its
         * owner has looked at it by J before. */
        if (atomic_load_explicit(&worker->parts[i]->membership, memory_order_acquire) ==
            PART_MEMBER)
            stand_take(worker->parts[i]);
    /* Y, release end: the stands are complete. */
    atomic_store_explicit(&worker->stands_given, asked, memory_order_release);
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
