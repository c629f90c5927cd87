/*
 * loop.c - the loop of the outbox on the world's time: what it uses of libevent, replaced when the
 * simulator is linked (--wrap). One waker and any number of timers; of what is due at the same
 * time one is thrown for.
 */
#include <event2/event.h>
#include <stdlib.h>
#include "sim/fibers.h"
#include "sim/world.h"

enum { EVENTS_MAX = 64 };

struct sim_event {
    struct sim_loop *loop;
    int fd; /* a waker; -1: a timer */
    event_callback_fn call;
    void *arg;
    bool is_added, is_active;
    uint64_t due_ns; /* of a timer */
    struct sim_event *next;
};

struct sim_loop {
    struct sim_event *events;
    bool is_broken;
};

struct event_base *__wrap_event_base_new(void);
struct event_base *__wrap_event_base_new(void)
{
    return calloc(1, sizeof(struct sim_loop));
}

void __wrap_event_base_free(struct event_base *base);
void __wrap_event_base_free(struct event_base *base)
{
    free(base);
}

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what,
                               event_callback_fn call, void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what,
                               event_callback_fn call, void *arg)
{
    struct sim_loop *loop = (struct sim_loop *)base;
    struct sim_event *event = calloc(1, sizeof(*event));

    (void)what;
    if (event == NULL)
        return NULL;
    *event =
        (struct sim_event){.loop = loop, .fd = fd, .call = call, .arg = arg, .next = loop->events};
    loop->events = event;
    return (struct event *)event;
}

int __wrap_event_del(struct event *base);
int __wrap_event_del(struct event *base)
{
    struct sim_event *event = (struct sim_event *)base;

    event->is_added = event->is_active = false;
    return 0;
}

void __wrap_event_free(struct event *base);
void __wrap_event_free(struct event *base)
{
    struct sim_event *event = (struct sim_event *)base, **at = &event->loop->events;

    while (*at != event)
        at = &(*at)->next;
    *at = event->next;
    free(event);
}

int __wrap_event_add(struct event *base, const struct timeval *after);
int __wrap_event_add(struct event *base, const struct timeval *after)
{
    struct sim_event *event = (struct sim_event *)base;

    event->is_added = true;
    if (after != NULL)
        event->due_ns =
            world->now_ns + (uint64_t)after->tv_sec * SECOND_NS + (uint64_t)after->tv_usec * 1000;
    return 0;
}

void __wrap_event_active(struct event *base, int what, short calls);
void __wrap_event_active(struct event *base, int what, short calls)
{
    (void)what, (void)calls;
    ((struct sim_event *)base)->is_active = true;
}

int __wrap_event_base_loopbreak(struct event_base *base);
int __wrap_event_base_loopbreak(struct event_base *base)
{
    ((struct sim_loop *)base)->is_broken = true;
    return 0;
}

static bool is_due(const struct sim_event *event)
{
    if (event->is_active)
        return true;
    if (!event->is_added)
        return false;
    return event->fd >= 0 ? fibers_waker_is_woken(event->fd) : event->due_ns <= world->now_ns;
}

/* Sleeps until something is due. */
static void wait_for_one(const struct sim_loop *loop)
{
    uint64_t until_ns = UINT64_MAX;
    int waker = -1;

    for (const struct sim_event *event = loop->events; event != NULL; event = event->next) {
        if (event->is_added && event->fd >= 0)
            waker = event->fd;
        if (event->is_added && event->fd < 0 && event->due_ns < until_ns)
            until_ns = event->due_ns;
    }
    fibers_sleep(waker, until_ns, false);
}

int __wrap_event_base_loop(struct event_base *base, int flags);
int __wrap_event_base_loop(struct event_base *base, int flags)
{
    struct sim_loop *loop = (struct sim_loop *)base;

    (void)flags;
    for (loop->is_broken = false; !loop->is_broken;) {
        struct sim_event *due[EVENTS_MAX];
        uint64_t count = 0;
        for (struct sim_event *event = loop->events; event != NULL; event = event->next)
            if (is_due(event) && count < EVENTS_MAX)
                due[count++] = event;
        if (count == 0) {
            wait_for_one(loop);
            continue;
        }
        struct sim_event *event = due[dice_below(&world->turns, count)];
        event->is_active = false;
        if (event->fd < 0)
            event->is_added = false;
        event->call(event->fd, event->fd >= 0 ? EV_READ : EV_TIMEOUT, event->arg);
    }
    return 0;
}
