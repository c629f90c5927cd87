/*
 * bin.h - where decoded events wait for their epoch to close.
 *
 *   slot ring, one per ingest thread           slot e & mask
 *   [ e | e+1 | e+2 | ... ]            worker 0: chunk -> chunk -> ...   (32 events each)
 *                                      worker 1: chunk -> ...
 *                                      texts:    block -> block -> ...   (the words)
 *
 * Only the ingest thread writes; workers read a slot after its epoch was closed
 * (edges W and S, core.h). A slot and all its memory return to the ingest thread
 * when every worker has passed the epoch: that is one counter, no return ring.
 * The ring's length is the skew between partitions that can be held; a feed
 * whose next event lies beyond it is not taken from until the others catch up.
 */
#ifndef CORRELATE_BIN_H
#define CORRELATE_BIN_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/event.h"

/* Block sizes with their heads. A region is one huge page where the kernel has them: its
 * memory is touched all the time and in no order that a prefetcher would like. */
enum {
    CHUNK_EVENTS = 31,
    TEXT_BLOCK_SMALL = 2048,
    TEXT_BLOCK_LARGE = 32768,
    BIN_REGION_BYTES = 2 << 20,
};

struct event_chunk {
    struct event_chunk *next;
    uint32_t count;
    _Alignas(64) struct event event[CHUNK_EVENTS];
};

struct bin_list {
    struct event_chunk *first;
    struct event_chunk *last;
    uint64_t chunks;
};

struct text_block; /* bin.c */

#define NO_EPOCH INT64_MIN

struct bin_slot {
    int64_t epoch;
    uint32_t count; /* events in it, all workers */
    uint32_t text_left;
    char *text_at;
    struct text_block *texts;
    struct bin_list worker[]; /* one per worker */
};

struct bins {
    char *slots; /* slot_count times slot_bytes */
    size_t slot_bytes;
    int64_t slot_count;
    unsigned worker_count;
    int64_t free_until;         /* slots of epochs below this are free again */
    struct event_chunk *chunks; /* free lists */
    struct text_block *blocks[2];
    char *region; /* what is left of the newest region, which both are cut from */
    size_t region_left;
    void *regions;          /* all of them, through their first word */
    _Atomic uint64_t bytes; /* taken from the system; one writer, read relaxed */
    uint64_t used;          /* of these, in slots now */
};

/* Owner: the caller. `first` is the first epoch that may be used. */
void bins_init(struct bins *bins, int64_t slot_count, unsigned worker_count, int64_t first);
void bins_release(struct bins *bins);

static inline struct bin_slot *bins_slot(const struct bins *bins, int64_t epoch)
{
    return (struct bin_slot *)(void *)(bins->slots +
                                       (size_t)(epoch & (bins->slot_count - 1)) * bins->slot_bytes);
}

/* True when an event of `epoch` can be put in now. */
static inline bool bins_reach(const struct bins *bins, int64_t epoch)
{
    return epoch < bins->free_until + bins->slot_count;
}

/* The slot of an epoch that bins_reach(), emptied for it when it was last used
 * for another. A slot still holding an older epoch's events would lose them, so
 * that is asserted. */
static inline struct bin_slot *bins_claim(struct bins *bins, int64_t epoch)
{
    struct bin_slot *slot = bins_slot(bins, epoch);

    if (slot->epoch != epoch) {
        assert(slot->epoch == NO_EPOCH);
        slot->epoch = epoch;
    }
    return slot;
}

/* The slot's newest block of texts has no room for `bytes`: takes another. */
void bins_text_block(struct bins *bins, struct bin_slot *slot, size_t bytes);

/* Room for a text of `bytes` in the slot. */
static inline void *bins_text(struct bins *bins, struct bin_slot *slot, size_t bytes)
{
    if (bytes > slot->text_left)
        bins_text_block(bins, slot, bytes);
    void *at = slot->text_at;
    slot->text_at += bytes;
    slot->text_left -= (uint32_t)bytes;
    return at;
}

/* The list's last chunk is full, or there is none: appends another. */
struct event_chunk *bins_chunk(struct bins *bins, struct bin_list *list);

/* Room for one event of `worker` in the slot. */
static inline struct event *bins_event(struct bins *bins, struct bin_slot *slot, unsigned worker)
{
    struct bin_list *list = &slot->worker[worker];
    struct event_chunk *chunk = list->last;

    if (chunk == NULL || chunk->count == CHUNK_EVENTS)
        chunk = bins_chunk(bins, list);
    slot->count++;
    struct event *ev = &chunk->event[chunk->count++];
    __builtin_prefetch(ev + 1, 1); /* another core read it last */
    return ev;
}

/* Every worker has passed the epochs below `epoch`: their memory is free again. */
void bins_free_until(struct bins *bins, int64_t epoch);

#endif
