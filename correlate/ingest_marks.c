/* ingest_marks.c - see ingest_parts.h: what is on record of how a partition is read, and how far it
 * has come. */
#include "correlate/ingest_parts.h"

#include "correlate/mark.h"
#include "correlate/part.h"

void passed_publish(const struct worker *worker, struct part *part)
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

void marks_take(struct worker *worker, struct part *part, int64_t offset)
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

bool marks_recover(struct worker *worker, struct part *part)
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

bool seal_apply(struct worker *worker, struct part *part)
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
