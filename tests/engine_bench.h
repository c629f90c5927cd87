/*
 * engine_bench.h - runs the engine on records, proofs and clocks that a test holds in its hand.
 *
 *   struct bench *bench = bench_create(rules);
 *   struct bench_feed *feed = bench_feed(bench, "t", 0);
 *   bench_put(feed, 1000, "a", "down", "");
 *   bench_run(bench);             a recording: all feeds have ended, real clock
 *   assert_string_equal(bench->brief, "1000 opened rule one resource=a n=1 alerts=1\n");
 *   bench_destroy(bench);
 *
 * Live runs go on virtual time: bench_go_live() puts a clock of the test's in front of the
 * host, bench_start() starts the engine, bench_pass() moves the clock, and bench_settle() waits
 * until every thread of the engine has found nothing to do several times in a row. With the
 * clock standing still that is the end of all consequences, so a test may also say what did
 * *not* happen. Nothing waits for a stretch of real time; a run that does not come to rest
 * within BENCH_LIMIT_MS fails.
 *
 * Thread: the test's. What the engine's threads call takes a lock per feed or per bench.
 */
#ifndef TESTS_ENGINE_BENCH_H
#define TESTS_ENGINE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "correlate/engine.h"
#include "daemon/incident_log.h"
#include "daemon/ledger.h"
#include "tests/bench_rules.h"
#include "tests/rules_parsed.h"

enum {
    BENCH_LIMIT_MS = 60000,
    BENCH_FEEDS = 128,
    BENCH_SLEEPERS = 64,
    BENCH_RECORDS = 1 << 15, /* per feed; they must not move while the engine borrows them */
    BENCH_LINE = 16 << 10,
    BENCH_MARKS = 1 << 14,
};

/* All times of the bench's functions and of its brief lines count from here: a start of a round. */
#define BENCH_T0 INT64_C(1000000000000)
#define BENCH_MONO_NS UINT64_C(3600000000000) /* an hour since the machine's start */

struct bench_feed {
    struct feed feed;
    pthread_mutex_t lock; /* all below */
    struct bench *bench;
    struct record *records;
    size_t count, taken;
    int64_t next_offset;
    enum feed_state state;
    bool answers;      /* fetches are answered: the end is proven at any time */
    uint64_t proof_ns; /* else: the one proof that there is; 0 for none */
    int64_t waiting;   /* records that the log has behind those that were put */
    size_t polls;
    bool dropped;
    bool is_ahead; /* of the clock by more than F: settles before the clock moves */
};

/* A text that grows. */
struct bench_text {
    char *at;
    size_t used, room;
};

/* What an engine begins from instead of nothing; sets but the first, which is the bench's rules, go
 * to the engine. */
struct bench_image {
    void *at;
    size_t bytes;
    struct rule_set *set[8];
    size_t set_count;
};

struct bench {
    struct source source; /* first: the engine gives it back */
    struct engine_config config;
    struct rule_set *rules;
    struct engine *engine;
    struct engine_counters counters;  /* after bench_stop() */
    const struct engine_trace *trace; /* told of every decision; NULL: nobody asks */
    void (*on_step)(void *bench, const struct engine_step *step); /* NULL: nobody asks */
    void (*on_recovered)(void *bench);                            /* the same */
    void (*on_short_of)(void *bench, uint16_t part, int64_t at, int64_t read);
    void (*on_acted)(void *bench, const struct engine_acted *acted);
    void (*on_switched)(void *bench, const struct rule_set *rules, const struct engine_terms *terms,
                        int64_t at_ms);
    struct rule_set *(*rules_before)(void *bench, size_t index, struct engine_terms *terms);
    void (*on_image)(void *bench, const struct engine_image *image);
    void (*on_quota)(void *bench, const struct engine_quota_word *word);
    void (*on_shed)(void *bench, const struct engine_shed_word *word);
    const struct bench_image *image; /* NULL: it begins from nothing */
    bool refuses;                    /* every third op, as a full outbox does */
    _Atomic bool is_over; /* whoever waits for the end by the clock has it go on meanwhile */
    _Atomic bool is_full; /* refuses every op */

    struct bench_feed *feed[BENCH_FEEDS];
    size_t feed_count;

    /* The virtual host. */
    const struct host *real;
    struct host host;
    bool live;
    _Atomic uint64_t mono_ns;
    _Atomic int64_t wall_ms;
    _Atomic uint64_t sleeps[BENCH_SLEEPERS]; /* by thread of the engine */
    _Atomic bool asleep[BENCH_SLEEPERS];     /* the same: now */
    _Atomic bool is_held;                    /* nobody wakes up */
    _Atomic bool snapshots_end;              /* time goes on for the thread of snapshots */
    bool is_restless;                        /* see bench_pass() */
    _Atomic size_t sleeper_count;
    pthread_t owner;
    uint64_t run; /* unlike that of any other start in this process */

    pthread_mutex_t lock; /* all below */
    struct source_change change[BENCH_FEEDS * 4];
    size_t change_count, change_at;
    struct bench_text log, brief_text, rejected;
    const char *brief; /* of brief_text, after bench_settle(), bench_run() or bench_stop() */
    struct mark mark[BENCH_MARKS];
    size_t mark_count;
    size_t offers;
};

static inline void bench_text_add(struct bench_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void bench_text_add(struct bench_text *text, const char *format, ...)
{
    va_list args;

    if (text->room - text->used < BENCH_LINE) {
        text->room = 2 * text->room + 2 * BENCH_LINE;
        text->at = realloc(text->at, text->room);
        if (text->at == NULL)
            abort();
    }
    va_start(args, format);
    text->used += (size_t)vsnprintf(text->at + text->used, BENCH_LINE, format, args);
    va_end(args);
}

/* --- the source ------------------------------------------------------------------------------ */

static inline size_t bench_take(struct feed *feed, const struct record **out, size_t max)
{
    struct bench_feed *self = (struct bench_feed *)feed;

    pthread_mutex_lock(&self->lock);
    size_t left = self->state == FEED_UNREADABLE ? 0 : self->count - self->taken;
    size_t count = left < max ? left : max;
    *out = self->records + self->taken;
    self->taken += count;
    self->polls++;
    pthread_mutex_unlock(&self->lock);
    return count;
}

static inline void bench_release(struct feed *feed)
{
    (void)feed;
}

static inline enum feed_state bench_state(struct feed *feed)
{
    struct bench_feed *self = (struct bench_feed *)feed;

    pthread_mutex_lock(&self->lock);
    enum feed_state state = self->state;
    pthread_mutex_unlock(&self->lock);
    return state;
}

static inline bool bench_end_proof(struct feed *feed, uint64_t *proof_ns)
{
    struct bench_feed *self = (struct bench_feed *)feed;

    pthread_mutex_lock(&self->lock);
    bool at_end = self->taken == self->count && self->state == FEED_LIVE;
    *proof_ns = self->answers ? host_mono_ns() : self->proof_ns;
    pthread_mutex_unlock(&self->lock);
    return at_end && *proof_ns > 0;
}

static inline int64_t bench_lag(struct feed *feed)
{
    struct bench_feed *self = (struct bench_feed *)feed;

    pthread_mutex_lock(&self->lock);
    int64_t lag = (int64_t)(self->count - self->taken) + self->waiting;
    pthread_mutex_unlock(&self->lock);
    return lag;
}

static inline size_t bench_changes(struct source *source, struct source_change *out, size_t max)
{
    struct bench *self = (struct bench *)source;
    size_t count = 0;

    pthread_mutex_lock(&self->lock);
    while (count < max && self->change_at < self->change_count)
        out[count++] = self->change[self->change_at++];
    pthread_mutex_unlock(&self->lock);
    return count;
}

static inline void bench_drop(struct source *source, struct feed *feed)
{
    struct bench_feed *dropped = (struct bench_feed *)feed;

    (void)source;
    pthread_mutex_lock(&dropped->lock);
    dropped->dropped = true;
    pthread_mutex_unlock(&dropped->lock);
}

static inline void bench_wake_on(struct source *source, struct feed *feed, int waker)
{
    (void)source;
    (void)feed;
    (void)waker; /* sleeps are short */
}

static inline bool bench_ready(struct source *source, struct error *why)
{
    (void)source;
    (void)why;
    return true;
}

static inline void bench_source_close(struct source *source)
{
    (void)source;
}

/* --- the host --------------------------------------------------------------------------------- */

/* By how much this thread is ahead of the others. */
static inline uint64_t *bench_ahead_ns(void)
{
    static _Thread_local uint64_t ahead_ns;

    return &ahead_ns;
}

static inline uint64_t bench_mono_ns(void *self)
{
    return atomic_load(&((struct bench *)self)->mono_ns) + *bench_ahead_ns();
}

static inline int64_t bench_wall_ms(void *self)
{
    return atomic_load(&((struct bench *)self)->wall_ms);
}

/* Real, but short: the virtual clock does not say when it would be over. */
static inline void bench_waker_sleep(void *self, int waker, uint64_t timeout_ns)
{
    static _Thread_local uint64_t run;
    static _Thread_local size_t index;
    struct bench *bench = self;
    uint64_t short_ns = 100000;
    bool is_worker, is_last_wait;
    char name[16] = "";

    /* Of the engine alone: journal, intake and others sleep by the same table. */
    pthread_getname_np(pthread_self(), name, sizeof(name));
    is_last_wait = bench->snapshots_end && strcmp(name, "tocsin-snapshot") == 0;
    if (is_last_wait) /* it is woken when the engine has what it waits for, however busy that is */
        short_ns = 100000000;
    is_worker = !pthread_equal(pthread_self(), bench->owner) && strncmp(name, "worker-", 7) == 0;
    if (is_worker) {
        if (run != bench->run) {
            run = bench->run;
            index = atomic_fetch_add(&bench->sleeper_count, 1) % BENCH_SLEEPERS;
        }
        atomic_fetch_add(&bench->sleeps[index], 1);
        atomic_store(&bench->asleep[index], true);
    }
    bench->real->waker_sleep(bench->real->self, waker,
                             timeout_ns < short_ns ? timeout_ns : short_ns);
    while (is_worker) {
        atomic_store(&bench->asleep[index], false);
        /* bench_hold() sees this thread asleep, or it sees that. */
        if (!atomic_load(&bench->is_held))
            break;
        atomic_store(&bench->asleep[index], true);
        sched_yield();
    }
    if (bench->is_over && pthread_equal(pthread_self(), bench->owner))
        atomic_fetch_add(&bench->mono_ns, UINT64_C(100000000));
    if (is_last_wait)
        *bench_ahead_ns() += UINT64_C(100000000);
}

/* --- the listener ------------------------------------------------------------------------------
 */

static inline void bench_on_incident(void *self, struct incident *incident)
{
    struct bench *bench = self;
    char line[BENCH_LINE / 2];

    pthread_mutex_lock(&bench->lock);
    incident_log_change(incident, line, sizeof(line));
    bench_text_add(&bench->log, "%s\n", line);
    /* The key without the tenant that every test has. */
    const char *key =
        strncmp(incident->key, "tenant=default ", 15) == 0 ? incident->key + 15 : incident->key;
    bench_text_add(&bench->brief_text, "%" PRId64 " %s %s %s %s n=%u alerts=%u\n",
                   incident->at_ms - BENCH_T0, incident_change_name(incident->change),
                   incident_cause_name(incident->cause), incident->rule_id, key,
                   incident->change_number, incident->alert_count);
    pthread_mutex_unlock(&bench->lock);
}

static inline bool bench_on_op(void *self, const struct op *op)
{
    struct bench *bench = self;
    char line[BENCH_LINE / 2];

    if (atomic_load(&bench->is_full) || (bench->refuses && ++bench->offers % 3 == 0))
        return false;
    pthread_mutex_lock(&bench->lock);
    incident_log_op(op, bench->config.sink_names[op->sink], line, sizeof(line));
    bench_text_add(&bench->log, "%s\n", line);
    pthread_mutex_unlock(&bench->lock);
    incident_unref(op->incident);
    return true;
}

static inline void bench_on_mark(void *self, const struct mark *mark)
{
    struct bench *bench = self;

    pthread_mutex_lock(&bench->lock);
    if (bench->mark_count < BENCH_MARKS)
        bench->mark[bench->mark_count++] = *mark;
    pthread_mutex_unlock(&bench->lock);
}

static inline void bench_on_rejected(void *self, const char *topic, int32_t partition,
                                     const struct record *record, enum reject_reason reason,
                                     uint32_t at, const char *why)
{
    struct bench *bench = self;

    pthread_mutex_lock(&bench->lock);
    bench_text_add(&bench->rejected, "%s/%d/%" PRId64 " %s at %u%s\n", topic, (int)partition,
                   record->offset, reject_reason_name(reason), at,
                   why != NULL && why[0] != '\0' ? "" : " without a sentence");
    pthread_mutex_unlock(&bench->lock);
}

/* --- setup --------------------------------------------------------------------------------------
 */

static inline struct bench *bench_create(const char *rules)
{
    static const struct source_ops ops = {.changes = bench_changes,
                                          .drop = bench_drop,
                                          .wake_on = bench_wake_on,
                                          .ready = bench_ready,
                                          .close = bench_source_close};
    struct bench *bench = calloc(1, sizeof(*bench));

    assert_non_null(bench);
    bench->source.ops = &ops;
    bench->real = host();
    pthread_mutex_init(&bench->lock, NULL);
    engine_config_init(&bench->config);
    bench->config.seal_ms = 0;
    bench->config.workers = 1;
    bench->config.seed = 7;
    bench->brief = "";
    bench->rules = parse_good(rules);
    return bench;
}

/* A feed that joins at the engine's first look; ended unless the run is live. */
static inline struct bench_feed *bench_feed_unjoined(struct bench *bench, const char *topic,
                                                     int32_t partition)
{
    static const struct feed_ops ops = {.take = bench_take,
                                        .release = bench_release,
                                        .state = bench_state,
                                        .end_proof = bench_end_proof,
                                        .lag = bench_lag};
    struct bench_feed *feed = calloc(1, sizeof(*feed));

    assert_non_null(feed);
    assert_true(bench->feed_count < BENCH_FEEDS);
    feed->feed = (struct feed){.ops = &ops, .topic = topic, .partition = partition};
    feed->bench = bench;
    feed->records = calloc(BENCH_RECORDS, sizeof(*feed->records));
    feed->state = bench->live ? FEED_LIVE : FEED_FINISHED;
    feed->answers = true;
    assert_non_null(feed->records);
    pthread_mutex_init(&feed->lock, NULL);
    bench->feed[bench->feed_count++] = feed;
    return feed;
}

static inline void bench_change(struct bench_feed *feed, enum source_change_kind kind)
{
    struct bench *bench = feed->bench;

    pthread_mutex_lock(&bench->lock);
    assert_true(bench->change_count < BENCH_FEEDS * 4);
    bench->change[bench->change_count++] = (struct source_change){kind, &feed->feed};
    pthread_mutex_unlock(&bench->lock);
}

static inline struct bench_feed *bench_feed(struct bench *bench, const char *topic,
                                            int32_t partition)
{
    struct bench_feed *feed = bench_feed_unjoined(bench, topic, partition);

    bench_change(feed, SOURCE_JOIN);
    return feed;
}

/* Any bytes, at the feed's next offset. */
static inline void bench_put_record(struct bench_feed *feed, int64_t log_time_ms,
                                    const struct record *what)
{
    pthread_mutex_lock(&feed->lock);
    assert_true(feed->count < BENCH_RECORDS);
    struct record *record = &feed->records[feed->count];
    *record = *what;
    record->offset = feed->next_offset++;
    record->log_time_ms = log_time_ms == LOG_TIME_NONE ? LOG_TIME_NONE : BENCH_T0 + log_time_ms;
    record->leader_epoch = -1;
    feed->count++; /* whole: the engine may look as soon as the lock is free */
    pthread_mutex_unlock(&feed->lock);
}

static inline void bench_put_bytes(struct bench_feed *feed, int64_t log_time_ms, const char *bytes,
                                   size_t count)
{
    char *payload = malloc(count + 1);

    assert_non_null(payload);
    memcpy(payload, bytes, count);
    payload[count] = '\0';
    bench_put_record(feed, log_time_ms,
                     &(struct record){.payload = payload, .bytes = (uint32_t)count});
}

static inline void bench_put_text(struct bench_feed *feed, int64_t log_time_ms, const char *text)
{
    bench_put_bytes(feed, log_time_ms, text, strlen(text));
}

/* One event for check `check` of `resource`; `more` is further JSON, as BENCH_CLEAR. */
static inline void bench_put(struct bench_feed *feed, int64_t log_time_ms, const char *resource,
                             const char *check, const char *more)
{
    char text[4096];
    struct bench *bench = feed->bench;

    /* Capped or not: that would hang on whether it is read before the clock moves on. */
    if (bench->live && bench->config.seal_ms > 0 && !feed->is_ahead &&
        log_time_ms > (int64_t)((atomic_load(&bench->mono_ns) - BENCH_MONO_NS) / 1000000u) +
                          bench->config.future_ms)
        fail_msg("%" PRId64 " is further ahead than what is taken as it is", log_time_ms);
    snprintf(text, sizeof(text), "{\"resource\":\"%s\",\"check\":\"%s\"%s}", resource, check, more);
    bench_put_text(feed, log_time_ms, text);
}

#define BENCH_CLEAR ",\"state\":\"clear\""

/* The same with an own time. */
static inline void bench_put_own(struct bench_feed *feed, int64_t log_time_ms, int64_t own_ms,
                                 const char *resource, const char *check)
{
    char more[64];

    snprintf(more, sizeof(more), ",\"time\":%" PRId64, BENCH_T0 + own_ms);
    bench_put(feed, log_time_ms, resource, check, more);
}

/* The bench's clock, before what the real host is by now. */
static inline void bench_host_again(struct bench *bench)
{
    bench->host = *bench->real;
    bench->host.self = bench;
    bench->host.mono_ns = bench_mono_ns;
    bench->host.wall_ms = bench_wall_ms;
    bench->host.waker_sleep = bench_waker_sleep;
    host_set(&bench->host);
}

/* The one bench that time is of. */
static struct bench *bench_going __attribute__((unused));

/* From here on time is the bench's: 0 on the wall, an hour since the machine's start. */
static inline void bench_go_live(struct bench *bench)
{
    assert_int_equal(bench->feed_count, 0);
    /* Its threads would wait for ever in a time that nobody moves. */
    if (bench_going != NULL && bench_going != bench) {
        printf("a test failed and left its engine at work: no further one is run\n");
        exit(1);
    }
    bench_going = bench;
    bench->live = true;
    bench->config.seal_ms = 10;
    atomic_store(&bench->mono_ns, BENCH_MONO_NS);
    atomic_store(&bench->wall_ms, BENCH_T0);
    bench_host_again(bench);
}

/* Creates and starts the engine for another listener than the bench's own. */
static inline void bench_start_for(struct bench *bench, const struct engine_listener *listener)
{
    struct error err = {""};

    assert_null(bench->engine);
    if (engine_create(&bench->config, &bench->source, bench->rules, listener, &bench->engine,
                      &err) != 0 ||
        (bench->image != NULL &&
         engine_load_image(bench->engine, bench->image->at, bench->image->bytes, bench->image->set,
                           bench->image->set_count, &err) != 0) ||
        engine_start(bench->engine, &err) != 0)
        fail_msg("%s", err.text);
}

static inline void bench_start(struct bench *bench)
{
    struct engine_listener listener = {.self = bench,
                                       .incident = bench_on_incident,
                                       .op = bench_on_op,
                                       .mark = bench_on_mark,
                                       .rejected = bench_on_rejected,
                                       .step = bench->on_step,
                                       .recovered = bench->on_recovered,
                                       .short_of = bench->on_short_of,
                                       .acted = bench->on_acted,
                                       .switched = bench->on_switched,
                                       .rules_before = bench->rules_before,
                                       .image = bench->on_image,
                                       .quota = bench->on_quota,
                                       .shed = bench->on_shed,
                                       .trace = bench->trace};
    static uint64_t runs;

    bench->run = ++runs;
    bench->owner = pthread_self();
    atomic_store(&bench->sleeper_count, 0);
    bench_start_for(bench, &listener);
}

static inline void bench_show(struct bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    bench->brief = bench->brief_text.used > 0 ? bench->brief_text.at : "";
    pthread_mutex_unlock(&bench->lock);
}

/* Stops the engine; the sums of its ledger have to hold. */
static inline void bench_stop(struct bench *bench)
{
    struct engine_part_counters parts[BENCH_FEEDS];
    struct ledger ledger = {.parts = parts};
    struct error err = {""};

    engine_stop(bench->engine);
    engine_counters(bench->engine, &bench->counters);
    bench_show(bench);
    ledger.engine = bench->counters;
    ledger.part_count = engine_part_counters(bench->engine, parts, BENCH_FEEDS);
    for (size_t i = 0; i < bench->config.topic_count; i++)
        ledger.gaps_expected |= bench->config.topics[i].gaps_expected;
    if (!ledger_check(&ledger, &err) || !engine_check_walk(bench->engine, &err)) /* L6 */
        fail_msg("%s", err.text);
}

/* A recording, from start to end. */
static inline void bench_run(struct bench *bench)
{
    bench_start(bench);
    if (!engine_wait_finished(bench->engine, BENCH_LIMIT_MS))
        fail_msg("the engine has not finished after %d ms; log so far:\n%s", BENCH_LIMIT_MS,
                 bench->brief_text.at != NULL ? bench->brief_text.at : "");
    bench_stop(bench);
}

/* Back to before the start, records kept, for another run with another configuration.
 * `as_recording`: the clock is the real one again and all feeds have ended. */
static inline void bench_rewind(struct bench *bench, bool as_recording)
{
    engine_destroy(bench->engine);
    bench->engine = NULL;
    if (as_recording) {
        bench->live = false;
        bench_going = NULL;
        bench->config.seal_ms = 0;
        host_set(NULL);
    }
    bench->log.used = bench->brief_text.used = bench->rejected.used = 0;
    bench->brief = "";
    bench->mark_count = bench->change_count = bench->change_at = 0;
    for (size_t i = 0; i < bench->feed_count; i++) {
        struct bench_feed *feed = bench->feed[i];
        feed->taken = 0;
        feed->dropped = false;
        if (as_recording)
            feed->state = FEED_FINISHED;
        bench_change(feed, SOURCE_JOIN);
    }
}

static inline void bench_destroy(struct bench *bench)
{
    engine_destroy(bench->engine);
    host_set(NULL);
    if (bench_going == bench)
        bench_going = NULL;
    rule_set_destroy(bench->rules);
    for (size_t i = 0; i < bench->feed_count; i++) {
        struct bench_feed *feed = bench->feed[i];
        for (size_t r = 0; r < feed->count; r++)
            free((char *)(uintptr_t)feed->records[r].payload);
        free(feed->records);
        pthread_mutex_destroy(&feed->lock);
        free(feed);
    }
    free(bench->log.at);
    free(bench->brief_text.at);
    free(bench->rejected.at);
    pthread_mutex_destroy(&bench->lock);
    free(bench);
}

/* --- virtual time --------------------------------------------------------------------------------
 */

/* All that shows of a run's progress. */
struct bench_look {
    struct engine_counters counters;
    int64_t passed[BENCH_FEEDS], read[BENCH_FEEDS];
    int64_t watermark;
    size_t mark_count, changes_left, dropped;
};

static inline void bench_look(struct bench *bench, struct bench_look *look)
{
    memset(look, 0, sizeof(*look));
    engine_counters(bench->engine, &look->counters);
    look->counters.sleeps = 0;
    struct engine_part_counters parts[BENCH_FEEDS];
    size_t count = engine_part_counters(bench->engine, parts, BENCH_FEEDS);
    for (size_t i = 0; i < count; i++) {
        look->passed[i] = parts[i].passed_ms;
        look->read[i] = parts[i].read_offset;
    }
    look->watermark = engine_watermark(bench->engine);
    for (size_t i = 0; i < bench->feed_count; i++) {
        pthread_mutex_lock(&bench->feed[i]->lock);
        look->dropped += bench->feed[i]->dropped;
        pthread_mutex_unlock(&bench->feed[i]->lock);
    }
    pthread_mutex_lock(&bench->lock);
    look->mark_count = bench->mark_count;
    look->changes_left = bench->change_count - bench->change_at;
    pthread_mutex_unlock(&bench->lock);
}

static inline void bench_settle(struct bench *bench)
{
    enum { SLEEPS = 4 };
    struct bench_look before, after;
    uint64_t until = bench->real->mono_ns(bench->real->self) + BENCH_LIMIT_MS * (uint64_t)1000000;
    int waker = bench->real->waker_create(bench->real->self);

    bench_look(bench, &after);
    do {
        uint64_t from[BENCH_SLEEPERS] = {0};
        before = after;
        for (size_t i = 0; i < bench->config.workers; i++)
            from[i] = atomic_load(&bench->sleeps[i]);
        for (size_t i = 0; i < bench->config.workers; i++)
            while (atomic_load(&bench->sleeper_count) <= i ||
                   atomic_load(&bench->sleeps[i]) < from[i] + SLEEPS) {
                if (bench->real->mono_ns(bench->real->self) > until)
                    fail_msg("the engine does not come to rest");
                bench->real->waker_sleep(bench->real->self, waker, 50000);
            }
        bench_look(bench, &after);
    } while (memcmp(&before, &after, sizeof(before)) != 0);
    bench->real->close(bench->real->self, waker);
    bench_show(bench);
}

/* Other rules from the engine's next look on. */
static inline void bench_switch(struct bench *bench, const char *rules)
{
    engine_switch_rules(bench->engine, parse_good(rules));
}

static inline void bench_clock_move(struct bench *bench, int64_t ms)
{
    atomic_fetch_add(&bench->mono_ns, (uint64_t)ms * 1000000u);
    atomic_fetch_add(&bench->wall_ms, ms);
}

/* Holds every thread of the engine in its sleep. */
static inline void bench_hold(struct bench *bench)
{
    uint64_t until = bench->real->mono_ns(bench->real->self) + BENCH_LIMIT_MS * (uint64_t)1000000;

    atomic_store(&bench->is_held, true);
    for (size_t i = 0; i < bench->config.workers; i++)
        while (atomic_load(&bench->sleeper_count) <= i || !atomic_load(&bench->asleep[i])) {
            if (bench->real->mono_ns(bench->real->self) > until)
                fail_msg("a thread of the engine does not come to sleep");
            sched_yield();
        }
}

/* Lets `ms` pass in steps of `step_ms`, and all its consequences come. The clock moves while all
 * sleep: between a seal round and a fetch of one look it would now and then prove more by one
 * round. What was put, proven or asked for before is seen before it moves, too: R goes on from the
 * round in which records are seen, so that two runs of one test would differ by a step of the
 * clock. Restless is a run of chance, which has them seen now or later, as threads like. */
static inline void bench_pass(struct bench *bench, int64_t ms, int64_t step_ms)
{
    if (!bench->is_restless)
        bench_settle(bench);
    for (int64_t at = 0; at < ms; at += step_ms) {
        bench_hold(bench);
        bench_clock_move(bench, ms - at < step_ms ? ms - at : step_ms);
        atomic_store(&bench->is_held, false);
        bench_settle(bench);
    }
}

static inline void bench_state_set(struct bench_feed *feed, enum feed_state state)
{
    pthread_mutex_lock(&feed->lock);
    feed->state = state;
    pthread_mutex_unlock(&feed->lock);
}

/* Whether fetches are answered from now on; if not, nothing is proven until bench_prove(). */
static inline void bench_answers_set(struct bench_feed *feed, bool answers)
{
    pthread_mutex_lock(&feed->lock);
    feed->answers = answers;
    feed->proof_ns = 0;
    pthread_mutex_unlock(&feed->lock);
}

/* From now on the feed can be read no more, and proves nothing; or it can be again. */
static inline void bench_blind(struct bench_feed *feed)
{
    bench_answers_set(feed, false);
    bench_state_set(feed, FEED_UNREADABLE);
    bench_settle(feed->bench);
}

static inline void bench_see(struct bench_feed *feed)
{
    bench_state_set(feed, FEED_LIVE);
    bench_answers_set(feed, true);
    bench_settle(feed->bench);
}

/* How many records the log has behind what was put: while there are any, it has not been read to
 * its end, and nothing proves that. */
static inline void bench_wait_behind(struct bench_feed *feed, int64_t waiting)
{
    bench_answers_set(feed, waiting == 0);
    pthread_mutex_lock(&feed->lock);
    feed->waiting = waiting;
    pthread_mutex_unlock(&feed->lock);
}

/* One answered fetch, now, that found the feed at its end. */
static inline void bench_prove(struct bench_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    feed->proof_ns = host_mono_ns();
    pthread_mutex_unlock(&feed->lock);
}

static inline int64_t bench_passed(struct bench *bench, const struct bench_feed *feed)
{
    struct engine_part_counters parts[BENCH_FEEDS];
    size_t count = engine_part_counters(bench->engine, parts, BENCH_FEEDS);

    for (size_t i = 0; i < count; i++)
        if (strcmp(parts[i].topic, feed->feed.topic) == 0 &&
            parts[i].partition == feed->feed.partition)
            return parts[i].passed_ms - BENCH_T0;
    fail_msg("no such partition");
    return 0;
}

static inline size_t bench_marks(const struct bench *bench, enum mark_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < bench->mark_count; i++)
        count += bench->mark[i].kind == kind;
    return count;
}

/* The last mark of a kind, which there must be. */
static inline struct mark bench_mark(const struct bench *bench, enum mark_kind kind)
{
    for (size_t i = bench->mark_count; i-- > 0;)
        if (bench->mark[i].kind == kind)
            return bench->mark[i];
    fail_msg("no mark %s", mark_kind_name(kind));
    return (struct mark){0};
}

/* A rule that opens one incident per resource at the first event of a check, and closes it with
 * the clear: its lines show the effective times of events. */
#define BENCH_RULE_ONE                                                                             \
    "rules:\n"                                                                                     \
    "  - id: one\n"                                                                                \
    "    where: check == \"down\"\n"                                                               \
    "    by: [resource]\n"                                                                         \
    "    window: 1m\n"                                                                             \
    "    when: count() >= 1\n"                                                                     \
    "    incident: {title: \"{resource} is down\"}\n"                                              \
    "    close: cleared()\n"

#endif
