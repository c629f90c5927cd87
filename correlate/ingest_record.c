/* ingest_record.c - see ingest_parts.h: a record's events, their times, and their bins. */
#include <string.h>
#include "base/act.h"
#include "base/text.h"
#include "correlate/crash.h"
#include "correlate/in_place.h"
#include "correlate/ingest_parts.h"
#include "correlate/mark.h"
#include "correlate/part.h"
#include "correlate/trace.h"
#include "ingest/intake_source.h"

struct timing {
    int64_t c, et;
    uint8_t flags;
};

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

bool record_run(struct worker *worker, struct part *part, const struct record *record)
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
