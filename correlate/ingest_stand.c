/* ingest_stand.c - see ingest_parts.h: how partitions stand, for an image. */
#include "correlate/ingest_parts.h"

#include "correlate/part.h"

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

void stands_give(struct worker *worker, unsigned count)
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
