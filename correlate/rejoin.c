/*
 * rejoin.c - see rejoin.h.
 *
 * What has counted is told by what has not: the bins have that, event by event. To reckon the
 * effective times anew and compare them with the watermark of the leave would need M, V and all
 * seals from the low position on, and a position that another member told is none of ours.
 */
#include "correlate/rejoin.h"

#include <stdlib.h>
#include <string.h>
#include "correlate/core.h"

static bool is_before(struct event_place a, struct event_place b)
{
    return a.offset != b.offset ? a.offset < b.offset : a.sub < b.sub;
}

static int by_place(const void *one, const void *other)
{
    const struct event_place *a = one, *b = other;

    return is_before(*b, *a) - is_before(*a, *b);
}

void rejoin_forget(struct rejoin *rejoin)
{
    free(rejoin->unread.at);
    memset(rejoin, 0, sizeof(*rejoin));
}

/* What tocsin said itself is in no record: in its place stands an event that was refused, and has
 * counted. */
static void note_slot(const struct bin_slot *slot, unsigned worker_count, const struct part *part,
                      struct rejoin *rejoin)
{
    for (unsigned w = 0; w < worker_count; w++)
        for (const struct event_chunk *c = slot->worker[w].first; c != NULL; c = c->next)
            for (uint32_t i = 0; i < c->count; i++)
                if (c->event[i].part == part->id && (c->event[i].flags & EVENT_DERIVED) == 0)
                    vector_add(&rejoin->unread) =
                        (struct event_place){c->event[i].offset, c->event[i].sub};
}

/* Of an earlier life, what this one did not come to. */
static void keep_behind(struct rejoin *rejoin, struct event_place next)
{
    size_t kept = 0;

    for (size_t i = 0; i < rejoin->unread.count; i++)
        if (!is_before(rejoin->unread.at[i], next))
            rejoin->unread.at[kept++] = rejoin->unread.at[i];
    rejoin->unread.count = kept;
}

void rejoin_note(const struct worker *worker, struct part *part)
{
    const struct bins *bins = &worker->bins;
    struct rejoin *rejoin = &part->rejoin;
    struct event_place next = {part->next_offset, part->held ? part->held_sub : 0};
    /* relaxed: known through J. */
    int64_t left = atomic_load_explicit(&part->left_epoch, memory_order_relaxed);
    int64_t end = bins->free_until + bins->slot_count;

    if (part->feed->is_gone) {
        rejoin_forget(rejoin);
        return;
    }
    keep_behind(rejoin, next);
    for (int64_t e = left > bins->free_until ? left : bins->free_until;
         worker->bins_placed && e < end; e++) {
        const struct bin_slot *slot = bins_slot(bins, e);
        if (slot->epoch == e && slot->count > 0)
            note_slot(slot, bins->worker_count, part, rejoin);
    }
    if (rejoin->unread.count > 1)
        qsort(rejoin->unread.at, rejoin->unread.count, sizeof(struct event_place), by_place);
    if (!rejoin->is_known || is_before(rejoin->until, next))
        rejoin->until = next;
    if (!rejoin->is_known || part->leader_epoch > rejoin->leader_epoch)
        rejoin->leader_epoch = part->leader_epoch;
    rejoin->from = part->first_offset;
    rejoin->is_known = true;
}

void rejoin_begin(struct engine *engine, struct part *part)
{
    struct rejoin *rejoin = &part->rejoin;
    unsigned count = atomic_load_explicit(&engine->part_count, memory_order_relaxed);

    for (unsigned i = 1; i < count && !rejoin->is_known; i++) {
        struct part *before = engine->parts[i];
        if (before == part || !before->dropped || !before->rejoin.is_known ||
            before->number != part->number || strcmp(before->name, part->name) != 0)
            continue;
        *rejoin = before->rejoin;
        memset(&before->rejoin, 0, sizeof(before->rejoin));
    }
    rejoin->at = 0;
    if (rejoin->is_known && (!part->feed->is_continued || part->next_offset < rejoin->from ||
                             !is_before((struct event_place){part->next_offset, 0}, rejoin->until)))
        rejoin_forget(rejoin);
}

/* The first that was dropped at this place or behind it; NULL when there is none. */
static const struct event_place *next_unread(struct rejoin *rejoin, struct event_place place)
{
    while (rejoin->at < rejoin->unread.count && is_before(rejoin->unread.at[rejoin->at], place))
        rejoin->at++;
    return rejoin->at < rejoin->unread.count ? &rejoin->unread.at[rejoin->at] : NULL;
}

bool rejoin_is_owed(struct rejoin *rejoin, int64_t offset, uint32_t sub)
{
    struct event_place place = {offset, sub};
    const struct event_place *unread = next_unread(rejoin, place);

    return !is_before(place, rejoin->until) || (unread != NULL && !is_before(place, *unread));
}

bool rejoin_has_counted(struct part *part, const struct record *record)
{
    struct rejoin *rejoin = &part->rejoin;

    /* A record keeps the epoch of the leader that it was written under, and epochs only rise: of a
     * younger one than all that were read it has come in the place of what was there. */
    if (record->offset > rejoin->until.offset ||
        (rejoin->leader_epoch >= 0 && record->leader_epoch > rejoin->leader_epoch)) {
        rejoin_forget(rejoin);
        return false;
    }
    if (record->offset == rejoin->until.offset)
        return false;
    const struct event_place *unread = next_unread(rejoin, (struct event_place){record->offset, 0});
    return unread == NULL || unread->offset != record->offset;
}
