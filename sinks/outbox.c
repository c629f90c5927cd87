/*
 * outbox.c - the thread around outbox_core: ring in, loop, counters out.
 *
 * The submitting thread makes the op's copy, counts it towards the bound and pushes
 * it into a ring; a flag keeps it from waking the loop more than once per batch.
 * The loop owns core and transport and never shares them. What other threads may
 * know is copied out under a mutex after each turn: they ask a few times a second,
 * far from any hot path.
 *
 * Memory edges, beside P and C of the rings (base/batch_ring.h). None of them hands over memory:
 * each keeps atomics in order, so a thread sanitizer has nothing to compare.
 *   A  who wakes has pushed before; the loop lowers the flag before it takes.
 *   O  an op is counted in before it is counted out.
 *   H  who ends the outbox has seen the last submission; the loop sees it before the end.
 */
#include "sinks/outbox.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/batch_ring.h"
#include "base/host.h"
#include "sinks/outbox_core.h"
#include "sinks/sink.h"
#include "sinks/transport_curl.h"

/* What is committed is taken beyond the bound: it can go nowhere else, and who commits waits for
 * nobody, least of all for ops that wait for a commit. Its producer asks outbox_fill() first. */
enum { COMMITTED_SLACK = 1 << 18 };
enum { RING_SLOTS = 8192, TAKE_MAX = 256, INPUT_WHY_BYTES = 512, REFS_MAX = 100000 };

#define MS_NS UINT64_C(1000000)
#define WALK_NS UINT64_C(60000000000)
#define NS_NEVER UINT64_MAX

/* What another thread asks of the loop; on the asker's stack. */
struct question {
    const struct outbox_pick *pick;
    struct outbox_redriven *redriven; /* NULL: only a list is wanted */
    struct outbox_dead_row *rows;
    struct outbox_waiting_row *waiting; /* not NULL: a list of these is wanted instead */
    size_t rows_max, count;
    bool is_answered;
};

struct outbox {
    /* Constant while the thread runs. */
    struct sink **sinks;
    const char **names; /* the caller's, for counters that are looked at after our end */
    size_t sink_count;
    size_t ops_max, dead_max;
    uint64_t bytes_max;
    struct batch_ring *ring; /* of struct outbox_op *, submitter -> loop */
    int waker;
    pthread_t thread;
    bool is_joined; /* by who stops it */

    /* Written by the submitter. */
    atomic_uint_fast64_t ops_in;
    atomic_uint_fast64_t bytes_in;
    atomic_uint_fast64_t *sink_ops; /* per sink */

    /* Written by the loop. */
    atomic_uint_fast64_t ops_out;
    atomic_uint_fast64_t bytes_out;

    atomic_bool wake_pending;
    atomic_uint_fast64_t stop_ns; /* loop ends at this time or when idle; NS_NEVER: runs */

    /* Touched by the loop only. */
    struct event_base *loop;
    struct event *wake_event, *timer;
    struct transport_curl *curl;
    struct outbox_core *core;
    bool is_ending; /* the core knows of stop_ns */
    bool (*moved)(void *self, const struct outbox_move *move);
    void *moved_self;
    enum outbox_leave (*may_leave)(void *self, bool folds); /* NULL: nobody is asked */
    void *may_leave_self;

    struct batch_ring *gates; /* of what outbox_permit() was given, permitter -> loop */

    pthread_mutex_t asking; /* one question at a time */
    pthread_cond_t answered;
    struct question *question;             /* under lock */
    char input_why[INPUT_WHY_BYTES];       /* under lock; "": the input can be read */
    uint64_t walk_ns;                      /* loop: when all that waits was last gone through */
    char ledger_why[INPUT_WHY_BYTES];      /* the same; "": all adds up */
    char memory_why[INPUT_WHY_BYTES];      /* the same; "": there is enough */
    char clock_why[INPUT_WHY_BYTES];       /* the same; "": it is right */
    char refusal_why[INPUT_WHY_BYTES];     /* the same; "": none is refused */
    const struct outbox_hearing *hearings; /* of that refusal; the asker's, while it asks */
    bool ends_refusals;                    /* the same */
    int64_t *noted_ms;                     /* the same: per sink, outbox_note_hold() */

    pthread_mutex_t lock;
    struct sink_counters *counters; /* under lock; `ops` and `waiting` are made by the reader */
};

/* ---- the loop ---- */

static void on_finished(void *self, uint64_t bytes)
{
    struct outbox *outbox = self;

    /* One writer, so a load and a store do. O, release end of both: who sees an op gone sees it
     * counted in, so no more is out than in. unseen by tsan: all that is ordered are counters,
     * which are atomic. */
    atomic_store_explicit(&outbox->ops_out,
                          atomic_load_explicit(&outbox->ops_out, memory_order_relaxed) + 1,
                          memory_order_release);
    atomic_store_explicit(&outbox->bytes_out,
                          atomic_load_explicit(&outbox->bytes_out, memory_order_relaxed) + bytes,
                          memory_order_release);
}

/* An answer came: look at the queues again in this turn of the loop. */
static void on_changed(void *self)
{
    struct outbox *outbox = self;

    event_active(outbox->timer, EV_TIMEOUT, 0);
}

static bool on_moved(void *self, const struct outbox_move *move)
{
    const struct outbox *outbox = self;

    return outbox->moved(outbox->moved_self, move);
}

static enum outbox_leave on_may_leave(void *self, bool folds)
{
    const struct outbox *outbox = self;

    return outbox->may_leave(outbox->may_leave_self, folds);
}

static void publish(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    for (size_t i = 0; i < outbox->sink_count; i++)
        outbox_core_counters(outbox->core, i, &outbox->counters[i]);
    pthread_mutex_unlock(&outbox->lock);
}

/* Flushed as far as it can be: nothing is left, or nothing can happen in time. */
static bool is_over(const struct outbox *outbox, uint64_t due_ns, uint64_t stop_ns)
{
    if (outbox_core_waiting(outbox->core) == 0 || host_mono_ns() >= stop_ns)
        return true;
    return outbox_core_in_flight(outbox->core) == 0 && due_ns > stop_ns;
}

/* What waits is what was counted (L6). */
static void look_through(struct outbox *outbox)
{
    uint64_t now_ns = host_mono_ns();
    struct error err;

    if (outbox->walk_ns == 0)
        outbox->walk_ns = now_ns;
    if (now_ns - outbox->walk_ns < WALK_NS)
        return;
    outbox->walk_ns = now_ns;
    if (outbox_core_check_walk(outbox->core, &err))
        return;
    pthread_mutex_lock(&outbox->lock);
    snprintf(outbox->ledger_why, sizeof(outbox->ledger_why), "%.400s", err.text);
    pthread_mutex_unlock(&outbox->lock);
}

/* Sends what is due, says what is known, and sets the alarm for the next time. */
static void turn(struct outbox *outbox)
{
    /* H, acquire end: an empty ring seen below is that of the end. unseen by tsan: all that is
     * ordered is the head of the ring, which is atomic; the ops in it come by P. */
    uint64_t stop_ns = atomic_load_explicit(&outbox->stop_ns, memory_order_acquire);
    uint64_t due_ns, now_ns, delay_us;

    if (stop_ns != NS_NEVER && !outbox->is_ending) {
        outbox->is_ending = true;
        outbox_core_end(outbox->core);
    }
    outbox_core_run(outbox->core);
    look_through(outbox);
    publish(outbox);
    due_ns = outbox_core_due_ns(outbox->core);
    if (stop_ns != NS_NEVER && batch_ring_count(outbox->ring) == 0 &&
        is_over(outbox, due_ns, stop_ns)) {
        event_base_loopbreak(outbox->loop);
        return;
    }
    if (stop_ns < due_ns)
        due_ns = stop_ns;
    if (due_ns == NS_NEVER) {
        event_del(outbox->timer);
        return;
    }
    now_ns = host_mono_ns();
    /* Rounded up: an alarm before its time would find nothing to do. */
    delay_us = due_ns > now_ns ? (due_ns - now_ns + 999) / 1000 : 0;
    struct timeval delay = {.tv_sec = (time_t)(delay_us / 1000000),
                            .tv_usec = (suseconds_t)(delay_us % 1000000)};
    event_add(outbox->timer, &delay);
}

static void take_all(struct outbox *outbox)
{
    void *taken[TAKE_MAX];
    size_t count;

    while ((count = batch_ring_pop(outbox->ring, taken, TAKE_MAX)) > 0)
        for (size_t i = 0; i < count; i++)
            outbox_core_take(outbox->core, taken[i]);
}

static void open_gates(struct outbox *outbox)
{
    void *gates[TAKE_MAX];
    size_t count;

    while ((count = batch_ring_pop(outbox->gates, gates, TAKE_MAX)) > 0)
        for (size_t i = 0; i < count; i++)
            outbox_core_permit(outbox->core, gates[i]);
}

static void hear_others(struct outbox *outbox)
{
    struct question *question;

    pthread_mutex_lock(&outbox->lock);
    outbox_core_tell_input(outbox->core, outbox->input_why);
    outbox_core_tell_ledger(outbox->core, outbox->ledger_why);
    outbox_core_tell_memory(outbox->core, outbox->memory_why);
    outbox_core_tell_clock(outbox->core, outbox->clock_why);
    if (outbox->hearings != NULL)
        outbox_core_take_hearings(outbox->core, outbox->hearings);
    outbox_core_tell_refusal(outbox->core, outbox->refusal_why);
    if (outbox->ends_refusals)
        outbox_core_end_refusals(outbox->core);
    for (size_t i = 0; i < outbox->sink_count; i++)
        outbox_core_note_hold(outbox->core, i, outbox->noted_ms[i]);
    question = outbox->question;
    outbox->question = NULL;
    if (question != NULL) {
        if (question->redriven != NULL)
            outbox_core_redrive(outbox->core, question->pick, question->redriven);
        else if (question->waiting != NULL)
            question->count = outbox_core_waits(outbox->core, question->pick->incident,
                                                question->waiting, question->rows_max);
        else
            question->count =
                outbox_core_dead(outbox->core, question->pick, question->rows, question->rows_max);
        question->is_answered = true;
        pthread_cond_broadcast(&outbox->answered);
    }
    pthread_mutex_unlock(&outbox->lock);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct outbox *outbox = arg;

    (void)fd;
    (void)what;
    host()->waker_sleep(host()->self, outbox->waker, 0); /* consumes the wakes */
    /* A, acquire end: either this exchange comes after the submitter's and its push is seen
     * below, or before it and the submitter finds the flag down and wakes us. unseen by tsan: all
     * that is ordered is the head of the ring, which is atomic; the ops in it come by P. */
    atomic_exchange_explicit(&outbox->wake_pending, false, memory_order_acquire);
    take_all(outbox);
    open_gates(outbox);
    hear_others(outbox);
    turn(outbox);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    turn(arg);
}

static void *loop_run(void *arg)
{
    struct outbox *outbox = arg;

    event_base_loop(outbox->loop, EVLOOP_NO_EXIT_ON_EMPTY);
    return NULL;
}

static void wake(struct outbox *outbox)
{
    /* A, release end: what was pushed shows before the flag. unseen by tsan: see on_wake(). An
     * exchange by another thread in between does not break the chain, it only lengthens it. */
    if (!atomic_exchange_explicit(&outbox->wake_pending, true, memory_order_release))
        host()->waker_wake(host()->self, outbox->waker);
}

/* ---- creating and destroying ---- */

static void outbox_free(struct outbox *outbox)
{
    void *left[TAKE_MAX];
    size_t count;

    if (outbox == NULL)
        return;
    transport_curl_destroy(outbox->curl); /* first: nobody calls the core any more */
    outbox_core_destroy(outbox->core);
    while (outbox->ring != NULL && (count = batch_ring_pop(outbox->ring, left, TAKE_MAX)) > 0)
        for (size_t i = 0; i < count; i++)
            outbox_op_destroy(left[i]);
    batch_ring_destroy(outbox->ring);
    batch_ring_destroy(outbox->gates);
    if (outbox->timer != NULL)
        event_free(outbox->timer);
    if (outbox->wake_event != NULL)
        event_free(outbox->wake_event);
    if (outbox->loop != NULL)
        event_base_free(outbox->loop);
    if (outbox->waker >= 0)
        host()->close(host()->self, outbox->waker);
    for (size_t i = 0; outbox->sinks != NULL && i < outbox->sink_count; i++)
        sink_destroy(outbox->sinks[i]);
    free(outbox->sinks);
    free(outbox->names);
    free(outbox->sink_ops);
    free(outbox->counters);
    free(outbox->noted_ms);
    pthread_mutex_destroy(&outbox->lock);
    pthread_mutex_destroy(&outbox->asking);
    pthread_cond_destroy(&outbox->answered);
    free(outbox);
}

static int create_sinks(struct outbox *outbox, const struct outbox_config *config,
                        struct error *err)
{
    for (size_t i = 0; i < config->sink_count; i++) {
        int rc;
        for (size_t j = 0; j < i; j++)
            if (strcmp(config->sinks[i].name, config->sinks[j].name) == 0) {
                error_set(err, "sink %s: there are two sinks of this name", config->sinks[i].name);
                return -EINVAL;
            }
        outbox->names[i] = config->sinks[i].name;
        rc = sink_create(&config->sinks[i], true, &outbox->sinks[i], err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Room for every op that can be gated at once. */
static bool create_gates(struct outbox *outbox)
{
    size_t count = 0, slots = 64;

    for (size_t i = 0; i < outbox->sink_count; i++)
        count += sink_settings(outbox->sinks[i])->in_flight_max;
    while (slots < count)
        slots *= 2;
    outbox->gates = batch_ring_create(slots);
    return outbox->gates != NULL;
}

static size_t slack(const struct outbox *outbox)
{
    return outbox->moved != NULL ? COMMITTED_SLACK : 0;
}

/* A descriptor for the loop; -ENOMEM stands for all of libevent's refusals. */
static int create_loop(struct outbox *outbox, const struct outbox_config *config, struct error *err)
{
    const struct outbox_core_hooks hooks = {outbox, on_finished, on_changed,
                                            config->moved != NULL ? on_moved : NULL,
                                            config->may_leave != NULL ? on_may_leave : NULL};
    /* Of the bound that is configured a part is full: what is taken beyond it is no room. */
    const struct outbox_bounds bounds = {.ops_max = outbox->ops_max,
                                         .bytes_max = outbox->bytes_max,
                                         .dead_max = outbox->dead_max,
                                         .dead_bytes_max = outbox->bytes_max / 8,
                                         .refs_max =
                                             config->refs_max > 0 ? config->refs_max : REFS_MAX,
                                         .beyond_max = config->resumed_count + slack(outbox)};

    outbox->waker = host()->waker_create(host()->self);
    if (outbox->waker < 0) {
        error_set(err, "the outbox cannot create its waker: %s", strerror(-outbox->waker));
        return outbox->waker;
    }
    error_set(err, "out of memory for the outbox");
    outbox->loop = event_base_new();
    if (outbox->loop == NULL)
        return -ENOMEM;
    outbox->wake_event =
        event_new(outbox->loop, outbox->waker, EV_READ | EV_PERSIST, on_wake, outbox);
    outbox->timer = evtimer_new(outbox->loop, on_timer, outbox);
    if (outbox->wake_event == NULL || outbox->timer == NULL ||
        event_add(outbox->wake_event, NULL) != 0)
        return -ENOMEM;
    outbox->curl = transport_curl_create(outbox->loop, err);
    if (outbox->curl == NULL)
        return -ENOMEM;
    outbox->core = outbox_core_create(outbox->sinks, outbox->sink_count,
                                      transport_curl_table(outbox->curl), &bounds, &hooks);
    if (outbox->core == NULL)
        return -ENOMEM;
    if (config->taken_over_ms > 0)
        outbox_core_taken_over(outbox->core, config->taken_over_ms);
    return 0;
}

static void add_relaxed(atomic_uint_fast64_t *counter, uint64_t add)
{
    /* One writer: its own last store plus something. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + add,
                          memory_order_relaxed);
}

/* Before the thread runs. `taken` says of how many the references are gone. */
static int resume_all(struct outbox *outbox, const struct outbox_config *config, size_t *taken)
{
    while (*taken < config->resumed_count) {
        const struct outbox_resumed *from = &config->resumed[(*taken)++];
        uint64_t bytes = 0;
        assert(from->op.sink < outbox->sink_count);
        if (!outbox_core_resume(outbox->core, from, &bytes))
            return -ENOMEM;
        if (from->state == OP_DONE)
            continue;
        add_relaxed(&outbox->ops_in, 1);
        add_relaxed(&outbox->bytes_in, bytes);
        add_relaxed(&outbox->sink_ops[from->op.sink], 1);
    }
    return 0;
}

int outbox_create(const struct outbox_config *config, struct outbox **out, struct error *err)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    size_t count = config->sink_count, taken = 0;
    struct error why = {"out of memory for the outbox"};
    int rc = -ENOMEM;

    if (outbox == NULL)
        goto out;
    outbox->waker = -1;
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_mutex_init(&outbox->asking, NULL);
    pthread_cond_init(&outbox->answered, NULL);
    atomic_init(&outbox->stop_ns, NS_NEVER);
    outbox->moved = config->moved;
    outbox->moved_self = config->moved_self;
    outbox->may_leave = config->may_leave;
    outbox->may_leave_self = config->may_leave_self;
    outbox->sink_count = count;
    outbox->ops_max = config->ops_max > 0 ? config->ops_max : 1000000;
    outbox->bytes_max = config->bytes_max > 0 ? config->bytes_max : UINT64_C(1) << 30;
    outbox->dead_max = config->dead_max > 0 ? config->dead_max : 10000;
    /* One more than needed: calloc(0) may return NULL. */
    outbox->sinks = calloc(count + 1, sizeof(outbox->sinks[0]));
    outbox->names = calloc(count + 1, sizeof(outbox->names[0]));
    outbox->sink_ops = calloc(count + 1, sizeof(outbox->sink_ops[0]));
    outbox->counters = calloc(count + 1, sizeof(outbox->counters[0]));
    outbox->noted_ms = calloc(count + 1, sizeof(outbox->noted_ms[0]));
    outbox->ring = batch_ring_create(RING_SLOTS);
    if (outbox->sinks == NULL || outbox->names == NULL || outbox->sink_ops == NULL ||
        outbox->counters == NULL || outbox->noted_ms == NULL || outbox->ring == NULL)
        goto out;
    rc = create_sinks(outbox, config, &why);
    if (rc == 0)
        rc = create_gates(outbox) ? create_loop(outbox, config, &why) : -ENOMEM;
    if (rc == 0) {
        error_set(&why, "out of memory for the outbox");
        rc = resume_all(outbox, config, &taken);
    }
    assert(config->refusal_count <= OUTBOX_REFUSALS_MAX);
    if (rc == 0 &&
        (!outbox_core_take_refusals(outbox->core, config->refusals, config->refusal_count) ||
         !outbox_core_take_holds(outbox->core, config->holds, config->hold_count,
                                 config->notes_holds)))
        rc = -ENOMEM;
    if (rc != 0)
        goto out;
    publish(outbox);
    rc = -pthread_create(&outbox->thread, NULL, loop_run, outbox);
    if (rc == 0) {
        wake(outbox); /* what was resumed may be due */
        *out = outbox;
        return 0;
    }
    error_set(&why, "the outbox cannot start its thread: %s", strerror(-rc));
out:
    for (; taken < config->resumed_count; taken++)
        incident_unref(config->resumed[taken].op.incident);
    error_set(err, "%s", why.text);
    outbox_free(outbox);
    return rc;
}

size_t outbox_stop(struct outbox *outbox, unsigned flush_ms)
{
    /* H, release end: the loop then sees whatever was submitted before. unseen by tsan: see
     * turn(). */
    atomic_store_explicit(&outbox->stop_ns, host_mono_ns() + flush_ms * MS_NS,
                          memory_order_release);
    wake(outbox);
    if (!outbox->is_joined)
        pthread_join(outbox->thread, NULL);
    outbox->is_joined = true;
    /* relaxed: the join has ordered everything. */
    return (size_t)(atomic_load_explicit(&outbox->ops_in, memory_order_relaxed) -
                    atomic_load_explicit(&outbox->ops_out, memory_order_relaxed));
}

size_t outbox_destroy(struct outbox *outbox, unsigned flush_ms)
{
    size_t left = 0;

    if (outbox == NULL)
        return 0;
    if (!outbox->is_joined)
        left = outbox_stop(outbox, flush_ms);
    outbox_free(outbox);
    return left;
}

/* ---- other threads ---- */

/* What is in use. */
static void in_use(const struct outbox *outbox, uint64_t *ops, uint64_t *bytes)
{
    /* O, acquire end of both: the trailing counter first, so that the difference cannot go
     * negative. unseen by tsan: see on_finished(). */
    uint64_t ops_out = atomic_load_explicit(&outbox->ops_out, memory_order_acquire);
    uint64_t bytes_out = atomic_load_explicit(&outbox->bytes_out, memory_order_acquire);

    /* relaxed: nothing is read through them. */
    *ops = atomic_load_explicit(&outbox->ops_in, memory_order_relaxed) - ops_out;
    *bytes = atomic_load_explicit(&outbox->bytes_in, memory_order_relaxed) - bytes_out;
}

bool outbox_submit(struct outbox *outbox, const struct op *op)
{
    struct outbox_op *copy;
    void *item;
    uint64_t ops, bytes;

    assert(op->sink < outbox->sink_count);
    in_use(outbox, &ops, &bytes);
    if (ops >= outbox->ops_max + slack(outbox) ||
        (slack(outbox) == 0 && bytes >= outbox->bytes_max) ||
        batch_ring_count(outbox->ring) >= RING_SLOTS)
        return false;
    copy = outbox_op_create(op);
    if (copy == NULL)
        return false;
    /* Counted before it is pushed: once pushed it may be out at any time. */
    add_relaxed(&outbox->ops_in, 1);
    add_relaxed(&outbox->bytes_in, outbox_op_bytes(copy));
    add_relaxed(&outbox->sink_ops[op->sink], 1);
    item = copy;
    /* The consumer only makes room, so the ring cannot have become full. */
    size_t pushed = batch_ring_push(outbox->ring, &item, 1);
    assert(pushed == 1);
    (void)pushed;
    wake(outbox);
    return true;
}

void outbox_permit(struct outbox *outbox, void *gate)
{
    size_t pushed = batch_ring_push(outbox->gates, &gate, 1);

    assert(pushed == 1);
    (void)pushed;
    wake(outbox);
}

double outbox_fill(const struct outbox *outbox)
{
    uint64_t ops, bytes;
    double by_ops, by_bytes, fill;

    in_use(outbox, &ops, &bytes);
    by_ops = (double)ops / (double)outbox->ops_max;
    by_bytes = (double)bytes / (double)outbox->bytes_max;
    fill = by_ops > by_bytes ? by_ops : by_bytes;
    return fill < 1 ? fill : 1;
}

uint64_t outbox_bytes(const struct outbox *outbox)
{
    uint64_t ops, bytes;

    in_use(outbox, &ops, &bytes);
    return bytes;
}

size_t outbox_counters(const struct outbox *outbox, struct sink_counters *out, size_t max)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)&outbox->lock; /* a lock is no part of the value */
    size_t count = outbox->sink_count < max ? outbox->sink_count : max;

    pthread_mutex_lock(lock);
    memcpy(out, outbox->counters, count * sizeof(out[0]));
    pthread_mutex_unlock(lock);
    for (size_t i = 0; i < count; i++) {
        out[i].name = outbox->names[i];
        /* relaxed: the lock orders it after the submission of whatever is counted as
         * out. What lies in the ring is waiting, too (L5). */
        out[i].ops =
            atomic_load_explicit(&outbox->sink_ops[i], memory_order_relaxed) + out[i].notices;
        out[i].waiting =
            out[i].ops + out[i].redriven - out[i].done - out[i].dead - out[i].superseded;
    }
    return outbox->sink_count;
}

void outbox_tell_input(struct outbox *outbox, const char *why)
{
    pthread_mutex_lock(&outbox->lock);
    snprintf(outbox->input_why, sizeof(outbox->input_why), "%s", why != NULL ? why : "");
    pthread_mutex_unlock(&outbox->lock);
    wake(outbox);
}

void outbox_tell_ledger(struct outbox *outbox, const char *why)
{
    pthread_mutex_lock(&outbox->lock);
    snprintf(outbox->ledger_why, sizeof(outbox->ledger_why), "%s", why);
    pthread_mutex_unlock(&outbox->lock);
    wake(outbox);
}

void outbox_tell_memory(struct outbox *outbox, const char *why)
{
    pthread_mutex_lock(&outbox->lock);
    snprintf(outbox->memory_why, sizeof(outbox->memory_why), "%s", why != NULL ? why : "");
    pthread_mutex_unlock(&outbox->lock);
    wake(outbox);
}

void outbox_tell_clock(struct outbox *outbox, const char *why)
{
    pthread_mutex_lock(&outbox->lock);
    snprintf(outbox->clock_why, sizeof(outbox->clock_why), "%s", why != NULL ? why : "");
    pthread_mutex_unlock(&outbox->lock);
    wake(outbox);
}

static void ask(struct outbox *outbox, struct question *question)
{
    pthread_mutex_lock(&outbox->asking);
    pthread_mutex_lock(&outbox->lock);
    outbox->question = question;
    wake(outbox);
    while (!question->is_answered)
        pthread_cond_wait(&outbox->answered, &outbox->lock);
    pthread_mutex_unlock(&outbox->lock);
    pthread_mutex_unlock(&outbox->asking);
}

void outbox_tell_refusal(struct outbox *outbox, const char *why,
                         const struct outbox_hearing *hearings)
{
    const struct outbox_pick all = {.sink = -1};
    struct question question = {.pick = &all};

    pthread_mutex_lock(&outbox->lock);
    snprintf(outbox->refusal_why, sizeof(outbox->refusal_why), "%s", why);
    outbox->hearings = hearings;
    pthread_mutex_unlock(&outbox->lock);
    ask(outbox, &question); /* who answers has heard it */
    pthread_mutex_lock(&outbox->lock);
    outbox->hearings = NULL;
    pthread_mutex_unlock(&outbox->lock);
}

bool outbox_refusal_told(const struct outbox *outbox, size_t sink)
{
    return outbox_core_refusal_told(outbox->core, sink);
}

bool outbox_refusal_confirmed(const struct outbox *outbox, size_t sink)
{
    return outbox_core_refusal_confirmed(outbox->core, sink);
}

void outbox_end_refusals(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->ends_refusals = true;
    pthread_mutex_unlock(&outbox->lock);
    wake(outbox);
}

bool outbox_refusal_ended(const struct outbox *outbox, size_t index)
{
    return outbox_core_refusal_ended(outbox->core, index);
}

void outbox_note_hold(struct outbox *outbox, size_t sink, int64_t since_ms)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->noted_ms[sink] = since_ms;
    pthread_mutex_unlock(&outbox->lock);
    wake(outbox);
}

bool outbox_hold_over(const struct outbox *outbox, size_t index)
{
    return outbox_core_hold_over(outbox->core, index);
}

void outbox_redrive(struct outbox *outbox, const struct outbox_pick *pick,
                    struct outbox_redriven *out)
{
    struct question question = {.pick = pick, .redriven = out};

    ask(outbox, &question);
}

size_t outbox_waits(struct outbox *outbox, struct id128 incident, struct outbox_waiting_row *out,
                    size_t max)
{
    const struct outbox_pick pick = {.sink = -1, .has_incident = true, .incident = incident};
    struct question question = {.pick = &pick, .waiting = out, .rows_max = max};

    ask(outbox, &question);
    return question.count;
}

size_t outbox_dead(struct outbox *outbox, const struct outbox_pick *pick,
                   struct outbox_dead_row *out, size_t max)
{
    struct question question = {.pick = pick, .rows = out, .rows_max = max};

    ask(outbox, &question);
    return question.count;
}

int outbox_sink_find(const struct outbox *outbox, const char *name)
{
    for (size_t i = 0; i < outbox->sink_count; i++)
        if (strcmp(outbox->sinks[i]->name, name) == 0)
            return (int)i;
    return -1;
}

const char *outbox_sink_name(const struct outbox *outbox, size_t sink)
{
    return outbox->sinks[sink]->name;
}
