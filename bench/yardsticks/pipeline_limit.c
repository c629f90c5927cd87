/* pipeline_limit.c - see pipeline_limit.h. */
#include "bench/yardsticks/pipeline_limit.h"

#include <stdlib.h>
#include "bench/yardsticks/pages.h"

enum { AHEAD = 16, BUCKETS = 6, BUCKET_MS = 10000, REACHES = 5 };

struct limit_record {
    _Alignas(64) uint64_t key;
    int64_t first_ms, last_ms;
    uint64_t total;
    uint32_t bucket[BUCKETS];
    uint32_t epoch; /* of the newest bucket */
    uint32_t has_reached;
};
_Static_assert(sizeof(struct limit_record) == 64, "a record is a line");

struct pipeline_limit {
    struct limit_record *records;
    uint64_t mask;
    int64_t expire_ms;
    struct limit_answer answer;
};

struct pipeline_limit *pipeline_limit_create(uint32_t keys, int64_t expire_ms)
{
    struct pipeline_limit *limit = calloc(1, sizeof(*limit));
    uint64_t room = 16;

    while (room < 2 * (uint64_t)keys)
        room *= 2;
    if (limit == NULL)
        abort();
    limit->records = pages_map(room * sizeof(struct limit_record), true);
    limit->mask = room - 1;
    limit->expire_ms = expire_ms;
    return limit;
}

void pipeline_limit_destroy(struct pipeline_limit *limit)
{
    pages_unmap(limit->records, (limit->mask + 1) * sizeof(struct limit_record));
    free(limit);
}

struct limit_answer pipeline_limit_answer(const struct pipeline_limit *limit)
{
    return limit->answer;
}

/* Counts the event in its bucket; what all six hold then. */
static inline uint32_t window_add(struct limit_record *record, int64_t at_ms)
{
    uint32_t epoch = (uint32_t)(at_ms / BUCKET_MS), passed = epoch - record->epoch, sum = 0;

    for (uint32_t i = 0; i < passed && i < BUCKETS; i++)
        record->bucket[(epoch - i) % BUCKETS] = 0;
    record->epoch = epoch;
    record->bucket[epoch % BUCKETS]++;
    for (uint32_t i = 0; i < BUCKETS; i++)
        sum += record->bucket[i];
    return sum;
}

static inline void take(struct pipeline_limit *limit, const struct limit_event *event)
{
    uint64_t at = event->key & limit->mask;

    while (limit->records[at].key != 0 && limit->records[at].key != event->key)
        at = (at + 1) & limit->mask;
    struct limit_record *record = &limit->records[at];
    if (event->at_ms - record->last_ms > limit->expire_ms) { /* also of one never seen */
        record->key = event->key;
        record->first_ms = event->at_ms;
        limit->answer.fresh++;
    } else {
        limit->answer.repeats++;
    }
    record->last_ms = event->at_ms;
    record->total++;
    if (window_add(record, event->at_ms) >= REACHES && record->has_reached == 0) {
        record->has_reached = 1;
        limit->answer.reached++;
    }
}

void pipeline_limit_run(struct pipeline_limit *limit, const struct limit_event *events,
                        size_t count, bool ahead)
{
    for (size_t i = 0; i < count; i++) {
        if (ahead && i + AHEAD < count) {
            uint64_t at = events[i + AHEAD].key & limit->mask;
            __builtin_prefetch(&limit->records[at], 1);
            __builtin_prefetch(&limit->records[(at + 1) & limit->mask], 1);
        }
        take(limit, &events[i]);
    }
}
