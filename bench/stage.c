/* stage.c - see stage.h. */
#include "bench/stage.h"

#include "correlate/key_queue.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

double stage_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* What all touches come from: rules ask of it whether it is what is pushed. */
static struct part source;

struct engine *stage_make(struct rule_set *set)
{
    struct engine *engine = aligned_alloc(64, (sizeof(*engine) + 63) / 64 * 64);
    struct worker *worker = aligned_alloc(64, (sizeof(*worker) + 63) / 64 * 64);

    if (engine == NULL || worker == NULL)
        exit(2);
    memset((void *)engine, 0, sizeof(*engine));
    memset((void *)worker, 0, sizeof(*worker));
    engine_config_init(&engine->config);
    const struct engine_terms terms = engine_terms_of(&engine->config);
    engine->worker_count = 1;
    engine->workers = worker;
    engine->parts[0] = &source;
    engine->alert_lanes = memory_alloc(LANES * sizeof(*engine->alert_lanes));
    engine->key_lanes = memory_alloc(LANES * sizeof(*engine->key_lanes));
    for (int l = 0; l < LANES; l++) {
        alert_lane_init(&engine->alert_lanes[l], &terms);
        key_lane_init(&engine->key_lanes[l]);
    }
    engine->newest_rules = rules_version_create(set, &terms, NULL, 1);
    worker->engine = engine;
    slab_init(&worker->slab);
    for (int s = 0; s < STEPS; s++) {
        worker->touches_out[s] = memory_alloc(sizeof(struct touch_list));
        memset(worker->touches_out[s], 0, sizeof(struct touch_list));
    }
    return engine;
}

void stage_free(struct engine *engine)
{
    struct worker *worker = engine->workers;

    for (int l = 0; l < LANES; l++) {
        alert_lane_release(&engine->alert_lanes[l], &worker->slab);
        rule_keys_release(&engine->key_lanes[l], engine->newest_rules, &worker->slab);
    }
    for (int s = 0; s < STEPS; s++) {
        free(worker->touches_out[s]->at);
        free(worker->touches_out[s]);
        free(worker->remains[s].at);
    }
    free(worker->sort_key.at);
    free(worker->sort_scratch.at);
    free(worker->touches_in.at);
    free(worker->key_candidates.at);
    free(worker->key_excess.at);
    key_queues_release(worker);
    slab_release(&worker->slab);
    rules_version_destroy(engine->newest_rules);
    free(engine->alert_lanes);
    free(engine->key_lanes);
    free(worker);
    free(engine);
}

struct touch *stage_touches(struct engine *engine, uint64_t seq, uint32_t count)
{
    struct touch_list *list = &engine->workers->touches_out[seq & (STEPS - 1)][0];

    if (list->room < count) {
        list->at = memory_grow(list->at, count * sizeof(struct touch));
        list->room = count;
    }
    list->count = count;
    return list->at;
}

void stage_run(struct engine *engine, uint64_t seq, int64_t from_ms, int64_t to_ms)
{
    struct touch_list *list = &engine->workers->touches_out[seq & (STEPS - 1)][0];
    struct step step = {
        .from_ms = from_ms, .to_ms = to_ms, .events = list->count, .rules = engine->newest_rules};

    rules_phase(engine->workers, seq, &step);
    list->count = 0;
}
