/* pattern_lane.c - see pattern_lane.h. */
#include "rules/pattern_lane.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "rules/pattern_database.h"

struct pattern_lane *pattern_lanes_create(void)
{
    size_t bytes = PATTERN_LANES * sizeof(struct pattern_lane);
    struct pattern_lane *lanes = aligned_alloc(_Alignof(struct pattern_lane), bytes);

    if (lanes == NULL)
        return NULL;
    memset(lanes, 0, bytes);
    for (int i = 0; i < PATTERN_LANES; i++)
        pthread_mutex_init(&lanes[i].lock, NULL);
    return lanes;
}

void pattern_lanes_destroy(struct pattern_lane *lanes)
{
    for (int i = 0; lanes != NULL && i < PATTERN_LANES; i++) {
        pthread_mutex_destroy(&lanes[i].lock);
        pattern_scratch_free(lanes[i].scratch);
    }
    free(lanes);
}

bool pattern_lanes_fit(struct pattern_lane *lanes, const struct pattern_database *database)
{
    return pattern_scratch_fit(&lanes[0].scratch, database);
}

static struct pattern_lane *lane_of_thread(struct pattern_lane *lanes)
{
    static _Atomic uint32_t threads;
    static _Thread_local uint32_t number; /* of this thread, from 1 */

    if (number == 0) /* relaxed: any different numbers do */
        number = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) % PATTERN_LANES;
    return &lanes[number - 1];
}

struct pattern_lane *pattern_lane_take(struct pattern_lane *lanes)
{
    struct pattern_lane *lane = lane_of_thread(lanes);
    struct hs_scratch *scratch;

    pthread_mutex_lock(&lane->lock);
    if (lane->scratch != NULL)
        return lane;
    pthread_mutex_unlock(&lane->lock);
    /* Cloned under the lock of the first, which nobody may be using meanwhile. */
    pthread_mutex_lock(&lanes[0].lock);
    scratch = pattern_scratch_clone(lanes[0].scratch);
    if (scratch == NULL)
        return &lanes[0];
    pthread_mutex_unlock(&lanes[0].lock);
    pthread_mutex_lock(&lane->lock);
    if (lane->scratch == NULL)
        lane->scratch = scratch;
    else
        pattern_scratch_free(scratch);
    return lane;
}

void pattern_lane_give(struct pattern_lane *lane)
{
    pthread_mutex_unlock(&lane->lock);
}
