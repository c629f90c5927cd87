/* part_image.c - see part_image.h. */
#include "correlate/part_image.h"

#include <stdlib.h>
#include "correlate/part.h"

enum { PART_BYTES_LEAST = 64, TOPIC_BYTES_MAX = 4096 };

static const char parts_mark[4] = {'P', 'A', 'R', 'T'};

/* --- out ---------------------------------------------------------------------------------- */

static void counts_put(struct image_out *out, const struct part_counts *counts)
{
    image_put_u64(out, counts->records);
    image_put_u64(out, counts->record_bytes);
    image_put_u64(out, counts->events);
    image_put_u64(out, counts->time_clamped);
    image_put_u64(out, counts->late);
    image_put_u64(out, counts->late_by_seal);
    image_put_u64(out, counts->capped);
    image_put_u64(out, counts->undated);
    image_put_u64(out, counts->gaps);
    image_put_u64(out, counts->redelivered);
    for (int r = 0; r < REJECT_REASON_COUNT; r++)
        image_put_u64(out, counts->rejected[r]);
    image_put_u64(out, counts->told);
}

static void stand_put(struct image_out *out, const struct part *part)
{
    const struct part_stand *stand = &part->stand;

    image_put_i64(out, stand->offset);
    image_put_i64(out, stand->max_c);
    image_put_i64(out, stand->sealed);
    image_put_i64(out, stand->last_kt);
    image_put_u32(out, stand->had_event);
    image_put_u32(out, stand->had_log_time);
    image_put_u64(out, stand->records);
    image_put_u64(out, stand->gaps);
    image_put_u64(out, stand->redelivered);
    image_put_u64(out, stand->rejected);
    /* relaxed: reports. */
    image_put_i64(out, atomic_load_explicit(&part->start_offset, memory_order_relaxed));
    image_put_i64(out, atomic_load_explicit(&part->first_ms, memory_order_relaxed));
    quota_save(&stand->quota, out);
    shed_save(&stand->shed, out);
}

void parts_save(const struct engine *engine, struct image_out *out)
{
    unsigned count = part_total(engine);

    image_put_mark(out, parts_mark);
    image_put_u32(out, count);
    for (unsigned i = 1; i < count; i++) { /* 0 is @derived */
        const struct part *part = engine->parts[i];
        bool is_member = part_is_member(part);
        image_put_text(out, (struct text){part->name, (uint32_t)strlen(part->name)});
        image_put_u32(out, (uint32_t)part->number);
        image_put_i64(out, part->remind_ms);
        image_put_i64(out, part->blind_end_ms);
        image_put_u32(out, part->blind_told);
        counts_put(out, is_member ? &part->stand.counts : &part->counts);
        image_put_u32(out, is_member);
        if (is_member)
            stand_put(out, part);
    }
}

/* --- in ----------------------------------------------------------------------------------- */

static void counts_take(struct image_in *in, struct part_counts *counts)
{
    counts->records = image_take_u64(in);
    counts->record_bytes = image_take_u64(in);
    counts->events = image_take_u64(in);
    counts->time_clamped = image_take_u64(in);
    counts->late = image_take_u64(in);
    counts->late_by_seal = image_take_u64(in);
    counts->capped = image_take_u64(in);
    counts->undated = image_take_u64(in);
    counts->gaps = image_take_u64(in);
    counts->redelivered = image_take_u64(in);
    for (int r = 0; r < REJECT_REASON_COUNT; r++)
        counts->rejected[r] = image_take_u64(in);
    counts->told = in->version >= 6 ? image_take_u64(in) : 0;
}

static void stand_take(struct image_in *in, struct part *part)
{
    part->next_offset = part->again_until = image_take_i64(in);
    part->max_c = image_take_any_time(in);
    part->sealed = image_take_any_time(in);
    part->last_kt = image_take_any_time(in);
    part->had_event = image_take_flag(in);
    part->had_log_time = image_take_flag(in);
    if (part->next_offset < 0 || part->max_c == INT64_MAX || part->sealed == INT64_MAX ||
        part->last_kt == INT64_MAX || (part->had_event && part->max_c == INT64_MIN))
        image_fail(in, "a partition stands where none can");
    uint64_t records = image_take_u64(in);
    /* relaxed, all of them: published when it joins. */
    atomic_store_explicit(&part->records, records, memory_order_relaxed);
    atomic_store_explicit(&part->seen_records, records, memory_order_relaxed);
    atomic_store_explicit(&part->gaps, image_take_u64(in), memory_order_relaxed);
    atomic_store_explicit(&part->redelivered, image_take_u64(in), memory_order_relaxed);
    atomic_store_explicit(&part->rejected, image_take_u64(in), memory_order_relaxed);
    atomic_store_explicit(&part->start_offset, image_take_i64(in), memory_order_relaxed);
    atomic_store_explicit(&part->first_ms, image_take_i64(in), memory_order_relaxed);
    atomic_store_explicit(&part->seen_max_c, part->max_c, memory_order_relaxed);
    atomic_store_explicit(&part->passed, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->reach, INT64_MIN, memory_order_relaxed);
    atomic_store_explicit(&part->read_offset, part->next_offset, memory_order_relaxed);
    atomic_store_explicit(&part->seen_offset, part->next_offset, memory_order_relaxed);
    atomic_store_explicit(&part->low_offset, part->next_offset, memory_order_relaxed);
    if (in->version >= 6)
        quota_load(&part->quota, in);
    if (in->version >= 7)
        shed_load(part, in);
}

/* What was counted while it was read is somebody's again. */
static void counts_tell(struct worker *worker, const struct part_counts *counts)
{
    struct tally *tally = &worker->tally;

    tally_add(&tally->records, counts->records);
    tally_add(&tally->record_bytes, counts->record_bytes);
    tally_add(&tally->events, counts->events);
    tally_add(&tally->binned, counts->events);
    tally_add(&tally->time_clamped, counts->time_clamped);
    tally_add(&tally->late, counts->late);
    tally_add(&tally->late_by_seal, counts->late_by_seal);
    tally_add(&tally->capped, counts->capped);
    tally_add(&tally->undated, counts->undated);
    tally_add(&tally->gaps, counts->gaps);
    tally_add(&tally->redelivered, counts->redelivered);
    tally_add(&tally->derived, counts->told);
    tally_add(&tally->binned, counts->told);
    for (int r = 0; r < REJECT_REASON_COUNT; r++) {
        tally_add(&tally->rejected[r], counts->rejected[r]);
        tally_add(&tally->events, counts->rejected[r]);
    }
}

/* False when the image is none. */
static bool part_take(struct engine *engine, struct image_in *in)
{
    char name[TOPIC_BYTES_MAX];
    struct text topic = image_take_text(in);
    int32_t number = (int32_t)image_take_u32(in);

    if (topic.len == 0 || topic.len >= sizeof(name) || memchr(topic.at, '\0', topic.len) != NULL)
        image_fail(in, "a topic has no name");
    if (in->fault != NULL)
        return false;
    memcpy(name, topic.at, topic.len);
    name[topic.len] = '\0';
    struct part *part = part_add(engine, name, number);
    part->dropped = true;
    part->low_epoch = INT64_MIN; /* nothing of it is in a bin */
    part->remind_ms = image_take_any_time(in);
    part->blind_end_ms = image_take_any_time(in);
    part->blind_told = image_take_flag(in);
    if (part->remind_ms == INT64_MIN || part->blind_end_ms == INT64_MAX)
        image_fail(in, "a partition is blind at no time");
    counts_take(in, &part->counts);
    /* relaxed: nobody else is there yet. */
    atomic_store_explicit(&part->has_events, part->counts.events > 0, memory_order_relaxed);
    part->is_awaited = image_take_flag(in);
    if (part->is_awaited)
        stand_take(in, part);
    for (unsigned i = 1; part->is_awaited && i < part->id; i++)
        if (engine->parts[i]->is_awaited && engine->parts[i]->number == number &&
            strcmp(engine->parts[i]->name, name) == 0)
            image_fail(in, "a partition is read twice");
    counts_tell(&engine->workers[part->owner], &part->counts);
    return in->fault == NULL;
}

void parts_load(struct engine *engine, struct image_in *in)
{
    image_take_mark(in, parts_mark);
    uint32_t count = image_take_below(in, PARTS_MAX + 1, "there are too many partitions");

    for (uint32_t i = 1; i < count; i++)
        if (!part_take(engine, in))
            return;
    if (count > 1)
        part_ranks(engine);
}
