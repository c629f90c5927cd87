/*
 * key_queue.c - see key_queue.h.
 *
 * Nothing is taken out of a queue when a key goes, is touched, opens or closes: a place is judged
 * when it is looked at. What makes that safe:
 *
 *   - A place in `next` knows the last touch that it was sorted by. Touches after that have later
 *     times, so equal means untouched. All of `next` is older than the round end at which it was
 *     sorted, so a number that was given to another key since is not taken for the one before.
 *   - A place in a stretch is a promise that the key was not touched before the stretch; it holds
 *     for another key of that number, too.
 *   - Two bits of a key say that it has a place in the line (key_state.is_queued). After a number
 *     was used again it may have two: equals stand side by side in `next`, and the second is passed
 *     over.
 */
#include "correlate/key_queue.h"
#include "correlate/key_sort.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    PARTS = 16,
    SORTED_AT_ONCE = 4096, /* a stretch with more is parted; half a millisecond */
    STRETCH_MIN = 64,
    STRETCH_MAX = SORTED_AT_ONCE, /* what nobody touches meanwhile is not parted */
    AHEAD = 8,                    /* keys lie anywhere: they are fetched so many looks before */
    STRETCH_SHARE = 8, /* of all places: so many may be in `next`, which takes more of each */
    PLACES_SPARE = 256,
};

/* Five bytes: there may be a million. */
struct key_place {
    uint32_t number;
    uint8_t lane;
} __attribute__((packed));
_Static_assert(sizeof(struct key_place) == 5, "a key in a queue costs five bytes");

struct stretch {
    int64_t from_ms;
    struct key_place *at;
    uint32_t count, room;
};

struct next_key {
    int64_t last_ms;
    struct key_place place;
};

enum { LINE_WATCHING, LINE_OPEN, LINES };

struct line {
    VECTOR_OF(struct next_key) next; /* those before next_first are used up */
    size_t next_first;
    VECTOR_OF(struct stretch) stretches; /* the youngest first */
    VECTOR_OF(struct key_place) loose;
    int64_t cut_ms;
};

struct key_queue {
    struct line line[LINES];
    uint64_t places, places_max; /* of both lines; at the latter all are gone through */
};

static bool is_queued(const struct key_state *key, unsigned line)
{
    return line == LINE_OPEN ? key->is_queued_open : key->is_queued;
}

static void set_queued(struct key_state *key, unsigned line, bool is)
{
    if (line == LINE_OPEN)
        key->is_queued_open = is;
    else
        key->is_queued = is;
}

static struct key_state *state_at(const struct worker *worker, struct key_place place)
{
    return key_at(&worker->engine->key_lanes[place.lane], place.number);
}

static void place_fetch(const struct worker *worker, struct key_place place)
{
    __builtin_prefetch(state_at(worker, place));
}

/* --- a key gets a place ------------------------------------------------------------------- */

static void stretch_add(struct stretch *stretch, struct key_place place)
{
    if (stretch->count == stretch->room) {
        stretch->room = stretch->room > 0 ? key_room_after(stretch->room) : STRETCH_MIN;
        stretch->at = memory_grow(stretch->at, stretch->room * sizeof(*stretch->at));
    }
    stretch->at[stretch->count++] = place;
}

/* A stretch that ends where the one before it in the line begins. */
static struct stretch *stretch_new(struct line *line, int64_t from_ms)
{
    vector_reserve(&line->stretches, 1);
    memmove(line->stretches.at + 1, line->stretches.at,
            line->stretches.count++ * sizeof(*line->stretches.at));
    line->stretches.at[0] = (struct stretch){.from_ms = from_ms};
    return &line->stretches.at[0];
}

static uint64_t stretch_size(const struct key_queue *queue)
{
    uint64_t size = queue->places / STRETCH_SHARE;

    return size < STRETCH_MIN ? STRETCH_MIN : size < STRETCH_MAX ? size : STRETCH_MAX;
}

/* The stretch that such a time lies in. */
static struct stretch *stretch_for(const struct key_queue *queue, struct line *line, int64_t at_ms)
{
    size_t low = 0, high = line->stretches.count;

    if (high == 0)
        return stretch_new(line, at_ms);
    struct stretch *stretch = &line->stretches.at[0];
    if (at_ms > stretch->from_ms && stretch->count >= stretch_size(queue))
        return stretch_new(line, at_ms);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (line->stretches.at[middle].from_ms <= at_ms)
            high = middle;
        else
            low = middle + 1;
    }
    if (low < line->stretches.count)
        return &line->stretches.at[low];
    stretch = &line->stretches.at[low - 1];
    stretch->from_ms = at_ms; /* the oldest begins sooner */
    return stretch;
}

static void place_put(struct key_queue *queue, unsigned l, struct key_place place, int64_t at_ms)
{
    struct line *line = &queue->line[l];

    queue->places++;
    if (at_ms < line->cut_ms)
        vector_add(&line->loose) = place;
    else
        stretch_add(stretch_for(queue, line, at_ms), place);
}

/* --- a place is looked at ------------------------------------------------------------------- */

/* The key, if it is still one of this line; else the place goes, and a key of the other line has
 * one there. */
static struct key_state *key_look(struct worker *worker, uint32_t slot, unsigned l,
                                  struct key_place place)
{
    struct key_state *key = state_at(worker, place);
    struct key_queue *queue = worker->key_queues.at[slot];

    worker->key_looks++;
    if (!key->used || key->slot != slot)
        return NULL;
    set_queued(key, l, key->is_open == (l == LINE_OPEN));
    if (is_queued(key, l))
        return key;
    /* One that closed was put back when it did. */
    if (key->is_open && !key->is_queued_open) {
        key->is_queued_open = true;
        place_put(queue, LINE_OPEN, place, key_last_ms(key));
    }
    return NULL;
}

static struct key_candidate candidate_of(const struct key_state *key, struct key_place place)
{
    return (struct key_candidate){.open = key->is_open,
                                  .last_ms = key_last_ms(key),
                                  .text = key_words(key),
                                  .slot = key->slot,
                                  .number = place.number,
                                  .lane = place.lane};
}

static struct key_place place_of(const struct key_candidate *candidate)
{
    return (struct key_place){candidate->number, candidate->lane};
}

/* --- from stretches to what comes next ------------------------------------------------------ */

/* Instead of the stretch that they were in, which was the oldest. */
static void scatter(struct worker *worker, struct line *line, int64_t least_ms, int64_t most_ms)
{
    const int64_t width_ms = (most_ms - least_ms) / PARTS + 1;
    struct stretch part[PARTS] = {{0}};

    for (size_t i = 0; i < worker->key_scratch.count; i++) {
        const struct key_candidate *candidate = &worker->key_scratch.at[i];
        stretch_add(&part[(candidate->last_ms - least_ms) / width_ms], place_of(candidate));
    }
    for (int i = PARTS; i-- > 0;)
        if (part[i].count > 0) {
            part[i].from_ms = least_ms + i * width_ms;
            vector_add(&line->stretches) = part[i];
        }
}

static void next_compact(struct line *line)
{
    if (line->next_first * 2 < line->next.count)
        return;
    line->next.count -= line->next_first;
    if (line->next.count > 0)
        memmove(line->next.at, line->next.at + line->next_first,
                line->next.count * sizeof(*line->next.at));
    line->next_first = 0;
}

static void next_add(struct line *line, const struct key_candidate *candidate)
{
    vector_add(&line->next) = (struct next_key){candidate->last_ms, place_of(candidate)};
}

/* Takes the oldest stretch apart. False when what is left was touched at `now_ms`. */
static bool line_advance(struct worker *worker, uint32_t slot, unsigned l, int64_t now_ms)
{
    struct key_queue *queue = worker->key_queues.at[slot];
    struct line *line = &queue->line[l];
    int64_t end_ms = now_ms, least_ms = INT64_MAX, most_ms = INT64_MIN;

    if (line->stretches.count == 0 ||
        line->stretches.at[line->stretches.count - 1].from_ms >= now_ms)
        return false;
    const struct stretch oldest = line->stretches.at[--line->stretches.count];
    if (line->stretches.count > 0 && line->stretches.at[line->stretches.count - 1].from_ms < end_ms)
        end_ms = line->stretches.at[line->stretches.count - 1].from_ms;
    worker->key_scratch.count = 0;
    queue->places -= oldest.count;
    for (uint32_t i = 0; i < oldest.count; i++) {
        if (i + AHEAD < oldest.count)
            place_fetch(worker, oldest.at[i + AHEAD]);
        const struct key_state *key = key_look(worker, slot, l, oldest.at[i]);
        if (key == NULL)
            continue;
        int64_t last_ms = key_last_ms(key);
        if (last_ms >= end_ms) {
            place_put(queue, l, oldest.at[i], last_ms);
            continue;
        }
        vector_add(&worker->key_scratch) = candidate_of(key, oldest.at[i]);
        __builtin_prefetch(key_words(key)); /* keys of one millisecond go by them */
        least_ms = last_ms < least_ms ? last_ms : least_ms;
        most_ms = last_ms > most_ms ? last_ms : most_ms;
    }
    free(oldest.at);
    queue->places += worker->key_scratch.count;
    if (worker->key_scratch.count > SORTED_AT_ONCE && least_ms < most_ms) {
        scatter(worker, line, least_ms, most_ms);
        return true;
    }
    key_sort(worker->key_scratch.at, worker->key_scratch.count);
    for (size_t i = 0; i < worker->key_scratch.count; i++)
        next_add(line, &worker->key_scratch.at[i]);
    line->cut_ms = end_ms;
    return true;
}

/* The order of a key of `next` and another. Where they were touched at one time and the first has
 * another time by now, or is gone, any answer does: it will be passed over. */
static bool next_is_later(const struct worker *worker, uint32_t slot, const struct next_key *next,
                          const struct key_candidate *other)
{
    const struct key_state *key = state_at(worker, next->place);

    if (next->last_ms != other->last_ms)
        return next->last_ms > other->last_ms;
    return !key->used || key->slot != slot || key_last_ms(key) != next->last_ms ||
           key_text_compare(key_words(key), other->text) > 0;
}

/* Loose keys come to their places in `next`. */
static void loose_merge(struct worker *worker, uint32_t slot, unsigned l)
{
    struct key_queue *queue = worker->key_queues.at[slot];
    struct line *line = &queue->line[l];
    size_t count = line->loose.count;

    if (count == 0)
        return;
    worker->key_scratch.count = line->loose.count = 0;
    queue->places -= count;
    for (size_t i = 0; i < count; i++) {
        const struct key_state *key = key_look(worker, slot, l, line->loose.at[i]);
        if (key == NULL)
            continue;
        if (key_last_ms(key) >= line->cut_ms)
            place_put(queue, l, line->loose.at[i], key_last_ms(key));
        else
            vector_add(&worker->key_scratch) = candidate_of(key, line->loose.at[i]);
    }
    key_sort(worker->key_scratch.at, worker->key_scratch.count);
    size_t more = worker->key_scratch.count, old = line->next.count;
    queue->places += more;
    vector_reserve(&line->next, more);
    line->next.count += more;
    /* From the end, so that nothing is written over that is still to be read. */
    while (more > 0) {
        struct next_key *to = &line->next.at[old + more - 1];
        const struct key_candidate *candidate = &worker->key_scratch.at[more - 1];
        worker->key_looks++;
        if (old > line->next_first &&
            next_is_later(worker, slot, &line->next.at[old - 1], candidate)) {
            *to = line->next.at[--old];
        } else {
            *to = (struct next_key){candidate->last_ms, place_of(candidate)};
            more--;
        }
    }
}

/* --- what goes first ------------------------------------------------------------------------ */

/* Keys that were touched at the round's end itself, as by an alert that went there: the next round
 * may touch others at that time, so they are not put into `next`. */
static void offer_touched_now(struct worker *worker, uint32_t slot, unsigned l, size_t most)
{
    struct line *line = &((struct key_queue *)worker->key_queues.at[slot])->line[l];
    const size_t from = worker->key_candidates.count;
    size_t kept = from;

    for (size_t s = 0; s < line->stretches.count; s++)
        for (uint32_t i = 0; i < line->stretches.at[s].count; i++) {
            struct key_place place = line->stretches.at[s].at[i];
            const struct key_state *key = key_look(worker, slot, l, place);
            if (key != NULL)
                vector_add(&worker->key_candidates) = candidate_of(key, place);
        }
    struct key_candidate *at = worker->key_candidates.at;
    key_sort(at + from, worker->key_candidates.count - from);
    for (size_t i = from; i < worker->key_candidates.count && kept - from < most; i++)
        if (kept == from || at[i].text != at[kept - 1].text)
            at[kept++] = at[i];
    worker->key_candidates.count = kept;
}

static uint64_t line_offer(struct worker *worker, uint32_t slot, unsigned l, uint64_t wanted,
                           int64_t now_ms)
{
    struct key_queue *queue = worker->key_queues.at[slot];
    struct line *line = &queue->line[l];
    const size_t from = worker->key_candidates.count;

    loose_merge(worker, slot, l);
    next_compact(line);
    size_t at = line->next_first;
    while (worker->key_candidates.count - from < wanted) {
        if (at == line->next.count) {
            if (!line_advance(worker, slot, l, now_ms))
                break;
            continue;
        }
        const struct next_key next = line->next.at[at++];
        if (at + AHEAD < line->next.count)
            place_fetch(worker, line->next.at[at + AHEAD].place);
        const struct key_state *key = key_look(worker, slot, l, next.place);
        bool is_untouched = key != NULL && key_last_ms(key) == next.last_ms;
        size_t count = worker->key_candidates.count;
        if (!is_untouched ||
            (count > from && worker->key_candidates.at[count - 1].text == key_words(key))) {
            queue->places--;
            if (key != NULL && !is_untouched)
                place_put(queue, l, next.place, key_last_ms(key));
            continue;
        }
        vector_add(&worker->key_candidates) = candidate_of(key, next.place);
    }
    assert(line->loose.count == 0);
    /* Who is not taken is offered again: they stand before what was not looked at. */
    line->next_first = at;
    for (size_t i = worker->key_candidates.count; i > from; i--)
        line->next.at[--line->next_first] = (struct next_key){
            worker->key_candidates.at[i - 1].last_ms, place_of(&worker->key_candidates.at[i - 1])};
    if (worker->key_candidates.count - from < wanted)
        offer_touched_now(worker, slot, l, wanted - (worker->key_candidates.count - from));
    return worker->key_candidates.count - from;
}

void key_queue_offer(struct worker *worker, uint32_t slot, uint64_t wanted, int64_t now_ms)
{
    uint64_t have = line_offer(worker, slot, LINE_WATCHING, wanted, now_ms);

    if (have < wanted)
        line_offer(worker, slot, LINE_OPEN, wanted - have, now_ms);
}

void key_queue_gone(struct worker *worker, const struct key_candidate *candidate)
{
    struct key_queue *queue = worker->key_queues.at[candidate->slot];
    struct line *line = &queue->line[candidate->open ? LINE_OPEN : LINE_WATCHING];

    if (line->next_first == line->next.count)
        return; /* it was touched at the round's end: its place is in a stretch */
    const struct key_place place = line->next.at[line->next_first].place;
    if (place.number == candidate->number && place.lane == candidate->lane) {
        line->next_first++;
        queue->places--;
    }
}

/* --- queues come and go --------------------------------------------------------------------- */

/* Keeps one place for each key that there is. Its bit says whether one was seen: those that were
 * have it cleared, and set again behind the last. */
static bool is_first_seen(struct worker *worker, uint32_t slot, unsigned l, struct key_place place)
{
    struct key_state *key = state_at(worker, place);

    worker->key_looks++;
    if (!key->used || key->slot != slot || !is_queued(key, l))
        return false;
    set_queued(key, l, false);
    return true;
}

static void line_compact(struct worker *worker, uint32_t slot, unsigned l)
{
    struct line *line = &((struct key_queue *)worker->key_queues.at[slot])->line[l];
    size_t kept = 0;

    for (size_t i = line->next_first; i < line->next.count; i++)
        if (is_first_seen(worker, slot, l, line->next.at[i].place))
            line->next.at[kept++] = line->next.at[i];
    line->next_first = 0;
    line->next.count = kept;
    kept = 0;
    for (size_t i = 0; i < line->loose.count; i++)
        if (is_first_seen(worker, slot, l, line->loose.at[i]))
            line->loose.at[kept++] = line->loose.at[i];
    line->loose.count = kept;
    for (size_t s = 0; s < line->stretches.count; s++) {
        struct stretch *stretch = &line->stretches.at[s];
        uint32_t stay = 0;
        for (uint32_t i = 0; i < stretch->count; i++)
            if (is_first_seen(worker, slot, l, stretch->at[i]))
                stretch->at[stay++] = stretch->at[i];
        stretch->count = stay;
    }
}

/* All that are left have a place. Returns how many. */
static uint64_t line_mark(struct worker *worker, uint32_t slot, unsigned l)
{
    struct line *line = &((struct key_queue *)worker->key_queues.at[slot])->line[l];
    uint64_t count = line->next.count + line->loose.count;

    for (size_t i = 0; i < line->next.count; i++)
        set_queued(state_at(worker, line->next.at[i].place), l, true);
    for (size_t i = 0; i < line->loose.count; i++)
        set_queued(state_at(worker, line->loose.at[i]), l, true);
    for (size_t s = 0; s < line->stretches.count; s++) {
        count += line->stretches.at[s].count;
        for (uint32_t i = 0; i < line->stretches.at[s].count; i++)
            set_queued(state_at(worker, line->stretches.at[s].at[i]), l, true);
    }
    return count;
}

static void queue_compact(struct worker *worker, uint32_t slot)
{
    struct key_queue *queue = worker->key_queues.at[slot];

    queue->places = 0;
    for (unsigned l = 0; l < LINES; l++) {
        line_compact(worker, slot, l);
        queue->places += line_mark(worker, slot, l);
    }
    queue->places_max = 2 * queue->places + PLACES_SPARE;
}

uint64_t key_queue_places(const struct key_queue *queue)
{
    return queue->places;
}

uint64_t key_queues_bytes(const struct worker *worker)
{
    uint64_t bytes = worker->key_queues.room * sizeof(*worker->key_queues.at) +
                     worker->key_scratch.room * sizeof(*worker->key_scratch.at);

    for (size_t s = 0; s < worker->key_queues.count; s++) {
        const struct key_queue *queue = worker->key_queues.at[s];
        for (unsigned l = 0; queue != NULL && l < LINES; l++)
            bytes += queue->line[l].next.room * sizeof(struct next_key);
        if (queue != NULL)
            bytes += sizeof(*queue) + queue->places * sizeof(struct key_place);
    }
    return bytes;
}

void key_queue_put(struct worker *worker, struct key_state *key, uint32_t number, int64_t at_ms)
{
    struct key_queue *queue = worker->key_queues.at[key->slot];
    unsigned l = key->is_open ? LINE_OPEN : LINE_WATCHING;

    if (is_queued(key, l))
        return;
    set_queued(key, l, true);
    place_put(queue, l, (struct key_place){number, (uint8_t)(key->id_high >> 56)}, at_ms);
    if (queue->places > queue->places_max)
        queue_compact(worker, key->slot);
}

void key_queues_begin(struct worker *worker, const bool *is_wanted, uint32_t slot_count)
{
    const struct engine *engine = worker->engine;

    while (worker->key_queues.count < slot_count)
        vector_add(&worker->key_queues) = NULL;
    for (uint32_t s = 0; s < slot_count; s++)
        if (is_wanted[s]) {
            struct key_queue *queue = memory_alloc(sizeof(*queue));
            *queue = (struct key_queue){.places_max = UINT64_MAX};
            for (unsigned l = 0; l < LINES; l++)
                queue->line[l].cut_ms = INT64_MIN;
            worker->key_queues.at[s] = queue;
        }
    for (unsigned l = worker->index; l < LANES; l += engine->worker_count) {
        const struct key_lane *lane = &engine->key_lanes[l];
        worker->key_looks += lane->used;
        for (uint32_t n = 0; n < lane->used; n++) {
            struct key_state *key = key_at(lane, n);
            if (key->used && is_wanted[key->slot])
                key_queue_put(worker, key, n, INT64_MIN);
        }
    }
    for (uint32_t s = 0; s < slot_count; s++)
        if (is_wanted[s])
            worker->key_queues.at[s]->places_max =
                2 * worker->key_queues.at[s]->places + PLACES_SPARE;
}

static void queue_free(struct key_queue *queue)
{
    if (queue == NULL)
        return;
    for (unsigned l = 0; l < LINES; l++) {
        struct line *line = &queue->line[l];
        for (size_t s = 0; s < line->stretches.count; s++)
            free(line->stretches.at[s].at);
        free(line->stretches.at);
        free(line->next.at);
        free(line->loose.at);
    }
    free(queue);
}

void key_queue_forget(struct engine *engine, uint32_t slot)
{
    for (unsigned w = 0; w < engine->worker_count; w++) {
        struct worker *worker = &engine->workers[w];
        if (key_queue_of(worker, slot) == NULL)
            continue;
        queue_free(worker->key_queues.at[slot]);
        worker->key_queues.at[slot] = NULL;
    }
}

void key_queues_release(struct worker *worker)
{
    for (size_t s = 0; s < worker->key_queues.count; s++)
        queue_free(worker->key_queues.at[s]);
    free(worker->key_queues.at);
    free(worker->key_scratch.at);
}
