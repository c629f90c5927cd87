/*
 * blind.c - see blind.h.
 */
#include "correlate/blind.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "correlate/derived.h"
#include "correlate/mark.h"
#include "correlate/part.h"

#define BLIND_AFTER_NS 10000000000u

/* Spells whose time has not come; a further one begins when there is room. A partition begins
 * at most one in 10 s, and they wait no longer than the watermark stands. */
enum { SPELLS_MAX = 1 << 16 };

/* The largest multiple of the round that is at most half of the expiry. */
static int64_t reminder_ms(const struct engine *engine)
{
    int64_t round = (int64_t)engine->config.round_ms;
    int64_t rounds = engine->newest_rules->terms.expire_ms / 2 / round;

    return rounds > 0 ? rounds * round : round;
}

static int64_t round_at_or_after(const struct engine *engine, int64_t ms)
{
    int64_t round = (int64_t)engine->config.round_ms;

    return -floor_div(-ms, round) * round;
}

static void due_renew(struct engine *engine)
{
    int64_t due = engine->spell_at < engine->spells.count
                      ? engine->spells.at[engine->spell_at].at_ms
                      : INT64_MAX;

    for (unsigned i = 1; i < part_total(engine); i++)
        if (engine->parts[i]->remind_ms < due)
            due = engine->parts[i]->remind_ms;
    engine->spell_due_ms = due;
}

static int by_time(const void *a, const void *b)
{
    const struct spell_mark *x = a, *y = b;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return (x->made > y->made) - (x->made < y->made);
}

void blind_load(struct engine *engine)
{
    for (size_t i = 0; i < engine->config.mark_count; i++) {
        const struct mark *mark = &engine->config.marks[i];
        if (mark->kind == MARK_BLIND_BEGIN || mark->kind == MARK_BLIND_END)
            vector_add(&engine->spells) =
                (struct spell_mark){.at_ms = round_at_or_after(engine, mark->value_ms),
                                    .made = i,
                                    .part = (uint16_t)(mark->part + 1),
                                    .begins = mark->kind == MARK_BLIND_BEGIN};
    }
    if (engine->spells.count > 1)
        qsort(engine->spells.at, engine->spells.count, sizeof(struct spell_mark), by_time);
    if (engine->spells.count > 0)
        engine->spell_last_ms = engine->spells.at[engine->spells.count - 1].at_ms;
    due_renew(engine);
}

enum { SPELL_BYTES = 16 };

void blind_save(const struct engine *engine, struct image_out *out)
{
    image_put_i64(out, engine->spell_last_ms);
    image_put_u32(out, (uint32_t)(engine->spells.count - engine->spell_at));
    for (size_t i = engine->spell_at; i < engine->spells.count; i++) {
        image_put_i64(out, engine->spells.at[i].at_ms);
        image_put_u32(out, engine->spells.at[i].part);
        image_put_u32(out, engine->spells.at[i].begins);
    }
}

/* Both are in order: `seen` is where to look from. */
static bool spell_is_known(const struct spell_mark *mark, const struct spell_mark *more,
                           size_t more_count, size_t *seen)
{
    for (size_t i = *seen; i < more_count && more[i].at_ms <= mark->at_ms; i++)
        if (more[i].at_ms == mark->at_ms && more[i].part == mark->part &&
            more[i].begins == mark->begins) {
            *seen = i + 1;
            return true;
        }
    return false;
}

void blind_take(struct engine *engine, int64_t now_ms, struct image_in *in)
{
    int64_t last_ms = image_take_any_time(in), before_ms = INT64_MIN;
    uint32_t count = image_take_count(in, SPELL_BYTES);
    struct spell_mark *more = engine->spells.at;
    size_t more_count = engine->spells.count, seen = 0;

    engine->spells.at = NULL;
    engine->spells.count = engine->spells.room = engine->spell_at = 0;
    for (uint32_t i = 0; i < count && in->fault == NULL; i++) {
        struct spell_mark mark = {.at_ms = image_take_time(in), .made = i};
        mark.part = (uint16_t)image_take_below(in, PARTS_MAX, "a spell is of no partition");
        mark.begins = image_take_flag(in);
        if (mark.at_ms < before_ms || last_ms == INT64_MAX)
            image_fail(in, "spells of blindness are not in order");
        before_ms = mark.at_ms;
        if (!spell_is_known(&mark, more, more_count, &seen))
            vector_add(&engine->spells) = mark;
    }
    for (size_t i = 0; i < more_count; i++)
        vector_add(&engine->spells) = more[i];
    free(more);
    while (engine->spell_at < engine->spells.count &&
           engine->spells.at[engine->spell_at].at_ms < now_ms)
        engine->spell_at++; /* they have become events */
    if (last_ms > engine->spell_last_ms)
        engine->spell_last_ms = last_ms;
    due_renew(engine);
}

void blind_join(const struct engine *engine, struct part *part)
{
    for (size_t i = part->mark_at; i < part->mark_end; i++) {
        const struct mark *mark = &engine->config.marks[i];
        if (mark->part == part->id - 1 &&
            (mark->kind == MARK_BLIND_BEGIN || mark->kind == MARK_BLIND_END))
            part->blind_told = mark->kind == MARK_BLIND_BEGIN;
    }
}

/* --- marks are made ------------------------------------------------------------------------ */

/* R, gone on by the monotonic clock. */
static int64_t r_at(const struct engine *engine, uint64_t now_ns)
{
    return engine->r_ms +
           (now_ns > engine->r_ns ? (int64_t)((now_ns - engine->r_ns) / 1000000u) : 0);
}

/* Nothing before the watermark can change any more, and marks are in the order of their times.
 * False: there is no watermark yet, or no room, or a recovery goes through what was told before;
 * the mark is made later. */
static bool spell_mark(struct engine *engine, struct part *part, bool begins, int64_t ms)
{
    if (engine->planned_epoch == INT64_MIN || engine->recover_epoch != INT64_MIN ||
        (begins && engine->spells.count - engine->spell_at >= SPELLS_MAX))
        return false;
    int64_t watermark = engine->planned_epoch * (int64_t)engine->config.epoch_ms;
    int64_t at = round_at_or_after(engine, ms > watermark ? ms : watermark);
    if (at < engine->spell_last_ms)
        at = engine->spell_last_ms;
    engine->spell_last_ms = at;
    if (engine->spell_at == engine->spells.count)
        engine->spell_at = engine->spells.count = 0;
    vector_add(&engine->spells) = (struct spell_mark){
        .at_ms = at, .made = engine->spells.count, .part = part->id, .begins = begins};
    due_renew(engine);
    mark_tell(engine, &(struct mark){
                          .kind = begins ? MARK_BLIND_BEGIN : MARK_BLIND_END,
                          .part = part->id,
                          .offset = atomic_load_explicit(&part->read_offset, memory_order_relaxed),
                          .value_ms = at});
    return true;
}

/* The times are those of the moment in which the mark is made. The end lies behind all that was
 * or could have been stamped while the partition could not be read. */
static void spell_tell(struct engine *engine, struct part *part, bool blind, uint64_t now_ns)
{
    int64_t ms = INT64_MIN;

    if (blind == part->blind_told)
        return;
    if (!blind) {
        int64_t lasted = part->blind_r_ms + (int64_t)((now_ns - part->blind_ns) / 1000000u);
        ms = r_at(engine, now_ns);
        ms = lasted > ms ? lasted : ms;
    }
    if (spell_mark(engine, part, blind, ms))
        part->blind_told = blind;
}

void blind_look(struct engine *engine, struct part *part, uint64_t now_ns, bool others)
{
    bool unreadable = atomic_load_explicit(&part->state, memory_order_relaxed) >= FEED_UNREADABLE;
    bool blind = atomic_load_explicit(&part->blind, memory_order_relaxed);

    if (!unreadable)
        part->unreadable_since = part->alone_since = 0;
    else if (part->unreadable_since == 0)
        part->unreadable_since = now_ns;
    if (!others)
        part->alone_since = 0; /* nothing goes on without it */
    else if (unreadable && part->alone_since == 0)
        part->alone_since = now_ns;

    if (unreadable && now_ns - part->unreadable_since >= BLIND_AFTER_NS && !blind) {
        blind = true;
        part->blind_ns = part->unreadable_since;
        part->blind_r_ms =
            r_at(engine, now_ns) - (int64_t)((now_ns - part->unreadable_since) / 1000000u);
    }
    if (part->alone_since != 0 && now_ns - part->alone_since >= BLIND_AFTER_NS)
        part->sealed_on = true;
    if (!unreadable && part->sealed_on) {
        int64_t max_c = atomic_load_explicit(&part->seen_max_c, memory_order_relaxed);
        part->sealed_on = max_c != INT64_MIN && max_c < engine->r_ms - engine->config.behind_ms;
    }
    if (!unreadable && !part->sealed_on)
        blind = false;
    atomic_store_explicit(&part->blind, blind, memory_order_relaxed);
    spell_tell(engine, part, blind, now_ns);
}

void blind_leave(struct engine *engine, struct part *part, uint64_t now_ns)
{
    spell_tell(engine, part, false, now_ns);
    part->blind_told = part->sealed_on = false;
    part->unreadable_since = part->alone_since = 0;
    atomic_store_explicit(&part->blind, false, memory_order_relaxed);
}

/* --- marks become events --------------------------------------------------------------------- */

static void event_put(struct engine *engine, const struct part *part, int64_t at_ms, bool is_blind,
                      uint16_t sub)
{
    char resource[300], message[400];

    snprintf(resource, sizeof(resource), "%s/%" PRId32, part->name, part->number);
    snprintf(message, sizeof(message),
             is_blind ? "%s cannot be read: what it holds is not correlated"
                      : "%s can be read again",
             resource);
    derived_put(engine, &(struct derived){.at_ms = at_ms,
                                          .resource = resource,
                                          .check = "input-blind",
                                          .message = message,
                                          .severity = SEVERITY_CRITICAL,
                                          .state = is_blind ? EVENT_PROBLEM : EVENT_CLEAR,
                                          .sub = sub});
}

/* Of one partition the last mark of a time is told alone. Where it left and came back, the end of
 * its spell before may have this time, too. */
static void told_set(const struct engine *engine, uint8_t *told, const struct part *part)
{
    for (unsigned i = 1; i < part_total(engine); i++) {
        const struct part *other = engine->parts[i];
        if (other->number == part->number && strcmp(other->name, part->name) == 0)
            told[i] = other == part;
    }
}

static void events_enter(struct engine *engine, int64_t at_ms)
{
    unsigned count = part_total(engine);
    uint8_t *told = memory_alloc(count); /* has a mark at this time */
    uint16_t *by_rank = memory_alloc(count * sizeof(*by_rank));
    uint16_t sub = 0;

    for (unsigned i = 0; i < count; i++) {
        told[i] = false;
        by_rank[engine->rank[i]] = (uint16_t)i;
    }
    for (; engine->spell_at < engine->spells.count &&
           engine->spells.at[engine->spell_at].at_ms <= at_ms;
         engine->spell_at++) {
        const struct spell_mark *mark = &engine->spells.at[engine->spell_at];
        if (mark->part >= count)
            continue; /* of a partition that is not in this replay */
        engine->parts[mark->part]->remind_ms = mark->begins ? at_ms : INT64_MAX;
        if (!mark->begins)
            engine->parts[mark->part]->blind_end_ms = at_ms;
        told_set(engine, told, engine->parts[mark->part]);
    }
    for (unsigned r = 0; r < count; r++) {
        struct part *part = engine->parts[by_rank[r]];
        bool is_blind = part->remind_ms != INT64_MAX;
        if (!told[part->id] && part->remind_ms > at_ms)
            continue;
        event_put(engine, part, at_ms, is_blind, (uint16_t)(DERIVED_SUBS + sub++));
        if (is_blind)
            part->remind_ms = at_ms + reminder_ms(engine);
    }
    free(by_rank);
    free(told);
    due_renew(engine);
}

int64_t blind_due(const struct engine *engine)
{
    return engine->spell_due_ms == INT64_MAX
               ? INT64_MAX
               : floor_div(engine->spell_due_ms, (int64_t)engine->config.epoch_ms);
}

bool blind_at(struct engine *engine, int64_t from, bool busy, int64_t *closed)
{
    if (blind_due(engine) <= from) {
        if (busy)
            return false;
        derived_make_room(engine, from);
        events_enter(engine, from * (int64_t)engine->config.epoch_ms);
    }
    if (*closed > blind_due(engine))
        *closed = blind_due(engine);
    return true;
}
