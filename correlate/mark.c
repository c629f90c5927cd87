/*
 * mark.c - see mark.h.
 */
#include "correlate/mark.h"

/* Outside the engine partitions are counted from 0 in the order of their joins. */
void mark_tell(struct engine *engine, const struct mark *mark)
{
    struct mark told = *mark;

    engine->marks_told++;
    told.part = (uint16_t)(mark->part > 0 ? mark->part - 1 : 0);
    if (engine->listener.mark != NULL)
        engine->listener.mark(engine->listener.self, &told);
}

bool mark_push(struct worker *worker, const struct mark *mark)
{
    struct mark_ring *ring = &worker->marks;
    /* relaxed: own index. M, acquire end: slots below tail have been read. */
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);

    if (head - tail == MARKS)
        return false;
    ring->at[head % MARKS] = *mark;
    /* M, release end: the mark is complete. */
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

void marks_drain(struct engine *engine)
{
    for (unsigned w = 0; w < engine->worker_count; w++) {
        struct mark_ring *ring = &engine->workers[w].marks;
        /* relaxed: this role is its only writer. M, acquire end: the marks below head. */
        uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail == head)
            continue;
        for (; tail != head; tail++)
            mark_tell(engine, &ring->at[tail % MARKS]);
        /* M, release end: the slots below tail have been read. */
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
    }
}
