/* gone.c - see gone.h. */
#include "correlate/gone.h"

#include <stdlib.h>
#include <string.h>
#include "correlate/core.h"

void gone_note(struct worker *worker, const struct step *step, uint32_t lane, struct id128 id)
{
    if (lane_reach_has(&step->taken, lane, id))
        vector_add(&worker->gone.all) = (struct gone){.at_ms = step->to_ms, .id = id, .lane = lane};
}

void gone_forget(struct engine *engine)
{
    for (unsigned w = 0; w < engine->worker_count; w++)
        engine->workers[w].gone.all.count = 0;
}

size_t gone_count(const struct engine *engine)
{
    size_t count = 0;

    for (unsigned w = 0; w < engine->worker_count; w++)
        count += engine->workers[w].gone.all.count;
    return count;
}

static int gone_order(const void *left, const void *right)
{
    const struct gone *a = left, *b = right;

    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    if (a->lane != b->lane)
        return a->lane < b->lane ? -1 : 1;
    return memcmp(&a->id, &b->id, sizeof(a->id));
}

void gone_save(const struct engine *engine, struct image_out *out)
{
    size_t count = gone_count(engine), used = 0;
    struct gone *all = memory_alloc((count + 1) * sizeof(*all));

    for (unsigned w = 0; w < engine->worker_count; w++)
        for (size_t i = 0; i < engine->workers[w].gone.all.count; i++)
            all[used++] = engine->workers[w].gone.all.at[i];
    if (count > 0)
        qsort(all, count, sizeof(*all), gone_order);
    image_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        image_put_i64(out, all[i].at_ms);
        image_put_u32(out, all[i].lane);
        image_put_u64(out, all[i].id.hi);
        image_put_u64(out, all[i].id.lo);
    }
    free(all);
}

void gone_load(struct gone_list *list, int64_t from_ms, int64_t to_ms, uint32_t round_ms,
               struct image_in *in)
{
    int64_t before_ms = from_ms;

    list->all.count = 0;
    for (uint32_t count = image_take_count(in, 28); count > 0 && in->fault == NULL; count--) {
        struct gone gone = {.at_ms = image_take_time(in), .lane = image_take_u32(in)};
        gone.id.hi = image_take_u64(in);
        gone.id.lo = image_take_u64(in);
        if (gone.at_ms < before_ms || gone.at_ms <= from_ms || gone.at_ms > to_ms ||
            gone.at_ms % (int64_t)round_ms != 0 || gone.lane >= 2 * LANES)
            image_fail(in, "a bound took something at an impossible time or place");
        else
            vector_add(&list->all) = gone;
        before_ms = gone.at_ms;
    }
}

/* The first that is not before this moment. */
static size_t first_from(const struct gone_list *list, int64_t at_ms)
{
    size_t low = 0, high = list->all.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->all.at[middle].at_ms < at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct gone *gone_at(const struct gone_list *list, int64_t at_ms, size_t *count)
{
    size_t first = first_from(list, at_ms), end = first;

    while (end < list->all.count && list->all.at[end].at_ms == at_ms)
        end++;
    *count = end - first;
    return list->all.at + first;
}

int64_t gone_next(const struct gone_list *list, int64_t after_ms)
{
    size_t first = first_from(list, after_ms + 1);

    return first < list->all.count ? list->all.at[first].at_ms : INT64_MAX;
}
