/* health.c - see health.h. */
#include "daemon/health.h"

#include <inttypes.h>

static const uint64_t stuck_ns = HEALTH_STUCK_MS * UINT64_C(1000000);

void health_init(struct health *health, uint64_t now_ns)
{
    *health = (struct health){
        .progress_at_ns = now_ns,
        .watermark_ms = INT64_MIN,
        .watermark_at_ns = now_ns,
        .seen_ns = now_ns,
        .is_alive = true,
    };
    pthread_mutex_init(&health->lock, NULL);
    error_set(&health->why_not_ready, "starting");
}

void health_begin(struct health *health, uint64_t now_ns)
{
    pthread_mutex_lock(&health->lock);
    health->progress_at_ns = health->watermark_at_ns = health->seen_ns = now_ns;
    pthread_mutex_unlock(&health->lock);
}

void health_release(struct health *health)
{
    pthread_mutex_destroy(&health->lock);
}

static bool judge_ready(const struct health *health, const struct health_view *view,
                        struct error *why)
{
    uint64_t still_ns = view->now_ns - health->watermark_at_ns;

    if (health->is_stopping) {
        error_set(why, "stopping");
        return false;
    }
    if (!view->source_ready) {
        error_set(why, "%s", view->source_why);
        return false;
    }
    if (still_ns >= stuck_ns) {
        error_set(why,
                  "the watermark has not moved for %" PRIu64 " s while %" PRIu64
                  " records and events wait for it",
                  still_ns / 1000000000u, view->waiting);
        return false;
    }
    if (view->outbox_fill >= 1) {
        error_set(why, "the outbox is full and input pauses: see tocsin_sink_waiting");
        return false;
    }
    return true;
}

bool health_see(struct health *health, const struct health_view *view)
{
    bool was_ready;

    pthread_mutex_lock(&health->lock);
    was_ready = health->is_ready;
    health->seen_ns = view->now_ns;
    if (view->progress != health->progress)
        health->progress_at_ns = view->now_ns;
    health->progress = view->progress;
    if (view->watermark_ms != health->watermark_ms || view->waiting == 0)
        health->watermark_at_ns = view->now_ns;
    health->watermark_ms = view->watermark_ms;
    health->is_alive = view->now_ns - health->progress_at_ns < stuck_ns;
    if (!health->is_alive)
        error_set(&health->why_dead, "the engine has made no progress for %" PRIu64 " s",
                  (view->now_ns - health->progress_at_ns) / 1000000000u);
    health->is_ready = judge_ready(health, view, &health->why_not_ready);
    bool changed = health->is_ready != was_ready;
    pthread_mutex_unlock(&health->lock);
    return changed;
}

void health_stop(struct health *health)
{
    pthread_mutex_lock(&health->lock);
    health->is_stopping = true;
    health->is_ready = false;
    error_set(&health->why_not_ready, "stopping");
    pthread_mutex_unlock(&health->lock);
}

bool health_is_alive(struct health *health, uint64_t now_ns, struct error *why)
{
    bool is_alive;

    pthread_mutex_lock(&health->lock);
    is_alive = health->is_alive;
    if (!is_alive) {
        *why = health->why_dead;
    } else if (!health->is_stopping && now_ns > health->seen_ns &&
               now_ns - health->seen_ns >= stuck_ns) {
        error_set(why, "the main thread has not looked at the engine for %" PRIu64 " s",
                  (now_ns - health->seen_ns) / 1000000000u);
        is_alive = false;
    }
    pthread_mutex_unlock(&health->lock);
    return is_alive;
}

bool health_is_ready(struct health *health, struct error *why)
{
    bool is_ready;

    pthread_mutex_lock(&health->lock);
    is_ready = health->is_ready;
    if (!is_ready)
        *why = health->why_not_ready;
    pthread_mutex_unlock(&health->lock);
    return is_ready;
}
