/*
 * durable_world.h - for tests: what outlives the daemon, whole, on a disk in memory: data
 * directory, journal, intake log, rule sets, incident log, and the engine behind them that is told
 * what to do again.
 *
 *   struct world world;
 *   world_create(&world);                  two partitions of topic t, and the intake
 *   sim_disk_begin(1);
 *   code = world_start(&world, rules, 0);  EXIT_OK, or the code of a start that is refused
 *   bench_put(world.bench->feed[0], ...); world_push(&world, "p1"); bench_pass(world.bench, ...);
 *   world_stop(&world);                    as a daemon that is asked to
 *
 * Wired as daemon/service.c does it, but for Kafka, of which the bench's feeds take the place, and
 * the admin API. Time is the bench's. With a port ops go to two webhooks there: one that folds
 * repeats (class A), and one that does not (class D).
 *
 * Thread: the test's; what was told is read after world_sync().
 */
#ifndef TESTS_DURABLE_WORLD_H
#define TESTS_DURABLE_WORLD_H

#include "base/vector.h"
#include "daemon/command.h"
#include "daemon/durable_parts.h"
#include "daemon/incident_log.h"
#include "daemon/log.h"
#include "ingest/intake_source.h"
#include "store/intake_log.h"
#include "tests/engine_bench.h"
#include "tests/sim_disk.h"

/* A test that writes much has larger segments, for the disk holds few files. */
#ifndef WORLD_SEGMENT_BYTES
#define WORLD_SEGMENT_BYTES SEGMENT_BYTES_MIN
#endif
enum { WORLD_FEEDS = 2, WORLD_SEGMENT = WORLD_SEGMENT_BYTES, WORLD_LINE = 16 << 10 };

#define WORLD_LOG "incidents.log"

struct world {
    struct bench *bench;
    struct engine_config config; /* as the first start found it */
    struct data_dir dir;
    struct durable *durable;
    struct outbox *outbox;
    struct intake_log *intake;
    struct source *intake_source; /* ours; inside of `source` */
    struct source *source;
    struct rule_set *rules, *next;
    struct rules_read read;
    struct line_writer *log;
    char url[2][80];
    struct sink_config sinks[2];
    struct error why; /* of a start that was refused, or a run that ended */

    /* As the test wants them; they stay from life to life. */
    int64_t snapshot_every_ms; /* 0: no snapshots */
    size_t snapshot_bytes;     /* of lanes taken at once; 0: as many as the daemon does */
    bool recycles;             /* the journal keeps only what a start needs */
    bool takes_last;           /* a snapshot as a life ends */
    struct unit *unit;         /* that the directory is of; NULL: none */
    /* As durable_options.intake_release; NULL: nobody asks. */
    void (*on_intake_release)(void *self, uint64_t low, int64_t now_ms);

    /* Told by threads of the product. */
    pthread_mutex_t lock;
    struct bench_text told;   /* lines that were committed */
    VECTOR_OF(uint64_t) kept; /* positions of pushes that were answered */
    uint64_t pushes_open, pushes_refused;
    _Atomic uint64_t late_by_seal;        /* over the last life */
    void (*on_told)(struct world *world); /* behind each line and answer, under the lock */

    /* The outbox runs, and the rest of a start is to come. Thread: the test's; NULL: nobody asks.
     */
    void (*on_outbox)(struct world *world);
};

static const char *const world_sinks[] = {"hook", "pager"};

/* ---- what the engine and the journal report: as daemon/service.c ---- */

static inline void world_on_incident(void *self, struct incident *incident)
{
    durable_incident(((struct world *)self)->durable, incident);
}

static inline bool world_on_op(void *self, const struct op *op)
{
    return durable_op(((struct world *)self)->durable, op);
}

static inline void world_on_joined(void *self, const struct engine_joined *joined)
{
    durable_joined(((struct world *)self)->durable, joined);
}

static inline bool world_on_room(void *self)
{
    return durable_room(((struct world *)self)->durable);
}

static inline void world_on_step(void *self, const struct engine_step *step)
{
    durable_step(((struct world *)self)->durable, step);
}

static inline void world_on_recovered(void *self)
{
    durable_recovered(((struct world *)self)->durable);
}

static inline void world_on_short_of(void *self, uint16_t part, int64_t at, int64_t read)
{
    durable_short_of(((struct world *)self)->durable, part, at, read);
}

static inline void world_on_switched(void *self, const struct rule_set *rules,
                                     const struct engine_terms *terms, int64_t at_ms)
{
    (void)at_ms;
    durable_switched(((struct world *)self)->durable, rules, terms);
}

static inline struct rule_set *world_on_rules_before(void *self, size_t index,
                                                     struct engine_terms *terms)
{
    return durable_rules_before(((struct world *)self)->durable, index, terms);
}

static inline void world_on_image(void *self, const struct engine_image *image)
{
    durable_image(((struct world *)self)->durable, image);
}

static inline void world_on_mark(void *self, const struct mark *mark)
{
    struct world *world = self;
    const char *topic = NULL;
    int32_t partition = -1;

    if (mark->kind != MARK_SWITCH && mark->kind != MARK_BEGIN)
        topic = engine_part_name(world->bench->engine, mark->part, &partition);
    durable_mark(world->durable, mark, topic, partition);
}

static inline void world_on_committed(void *self, const struct incident *incident,
                                      const struct op *op, const char *sink)
{
    struct world *world = self;
    char line[WORLD_LINE];
    size_t bytes = incident != NULL ? incident_log_change(incident, line, sizeof(line))
                                    : incident_log_op(op, sink, line, sizeof(line));

    assert_true(bytes < sizeof(line));
    if (world->log != NULL) {
        line_writer_add(world->log, line, bytes);
        line_writer_flush(world->log);
    }
    pthread_mutex_lock(&world->lock);
    bench_text_add(&world->told, "%s\n", line);
    if (world->on_told != NULL)
        world->on_told(world);
    pthread_mutex_unlock(&world->lock);
}

static inline int world_on_keep_committed(void *self)
{
    return line_writer_sync(((struct world *)self)->log);
}

/* ---- intake: as daemon/intake.c ---- */

static inline int64_t world_on_stamp(void *self)
{
    struct world *world = self;

    intake_source_expect(world->intake_source);
    return engine_stamp(world->bench->engine);
}

static inline void world_on_kept(void *self, char *payload, size_t bytes)
{
    intake_source_give(((struct world *)self)->intake_source, payload, bytes);
}

static inline void world_on_posted(void *self, struct intake_post *post)
{
    struct world *world = self;

    pthread_mutex_lock(&world->lock);
    world->pushes_open--;
    if (post->rc == 0)
        vector_add(&world->kept) = post->first;
    else
        world->pushes_refused++;
    if (world->on_told != NULL)
        world->on_told(world);
    pthread_mutex_unlock(&world->lock);
    intake_post_destroy(post);
}

/* Somebody pushes an event; the answer comes later. */
static inline void world_push(struct world *world, const char *resource, const char *check)
{
    struct intake_post *post = intake_post_create();
    struct error err = {""};
    char body[256];

    assert_non_null(post);
    snprintf(body, sizeof(body), "{\"resource\":\"%s\",\"check\":\"%s\"}", resource, check);
    intake_post_add(post, &(struct intake_record){.kind = INTAKE_EVENTS,
                                                  .who = {"ops", 3},
                                                  .from = {"192.0.2.7:1", 11},
                                                  .what = {"events", 6},
                                                  .body = {body, (uint32_t)strlen(body)}});
    post->done = world_on_posted;
    post->self = world;
    pthread_mutex_lock(&world->lock);
    world->pushes_open++;
    pthread_mutex_unlock(&world->lock);
    if (intake_log_post(world->intake, post, &err) == 0)
        return;
    intake_post_destroy(post);
    pthread_mutex_lock(&world->lock);
    world->pushes_open--;
    world->pushes_refused++;
    pthread_mutex_unlock(&world->lock);
}

/* ---- life ---- */

static inline void world_create(struct world *world)
{
    memset(world, 0, sizeof(*world));
    pthread_mutex_init(&world->lock, NULL);
}

static inline void world_destroy(struct world *world)
{
    if (world->bench != NULL)
        bench_destroy(world->bench);
    free(world->told.at);
    free(world->kept.at);
    pthread_mutex_destroy(&world->lock);
}

/* On the disk that there is now. */
static inline void world_begin_bench(struct world *world)
{
    struct bench *bench = bench_create(BENCH_RULE_ONE);

    bench_go_live(bench);
    bench->is_restless = true;
    bench->config.sink_names = world_sinks;
    bench->config.sink_count = 2;
    for (int f = 0; f < WORLD_FEEDS; f++)
        bench_feed(bench, "t", f)->is_ahead = true;
    world->bench = bench;
    world->config = bench->config;
}

static inline void world_load_rules(const char *text, struct rule_set **rules,
                                    struct rules_read *read)
{
    const struct rules_read none = {.files = {{0}}};
    struct error err = {""};

    if (rules_kept_with(&none, "rules.yaml", text, RULES_OF_NOW, rules, read, &err) != 0)
        fail_msg("%s", err.text);
}

static inline struct segment_config world_intake_segments(const struct data_dir *dir)
{
    static char folder[DATA_DIR_PATH_BYTES];

    data_dir_folder(dir, "intake", folder);
    return (struct segment_config){
        .folder = folder, .kind = "intake", .directory = dir->id, .segment_bytes = WORLD_SEGMENT};
}

static inline int world_open_intake(struct world *world)
{
    const struct intake_log_config config = {.segments = world_intake_segments(&world->dir),
                                             .waiting_bytes_max = 1 << 20};
    enum segment_refusal why;

    if (intake_log_open(&config, NULL, NULL, &world->intake, &why, &world->why) == 0)
        return EXIT_OK;
    return why == SEGMENT_REFUSED_WORLD || why == SEGMENT_REFUSED_NOT ? EXIT_IO : EXIT_DATA;
}

static inline int world_open_source(struct world *world)
{
    struct intake_source_config over = {.segments = world_intake_segments(&world->durable->dir),
                                        .next = intake_log_next(world->intake)};
    int64_t first = 0;

    durable_began_at(world->durable, INTAKE_TOPIC, INTAKE_PARTITION, &first);
    over.first = (uint64_t)first;
    if (intake_source_create(&world->bench->source, &over, &world->intake_source, &world->why) != 0)
        return EXIT_SYSTEM;
    world->source = durable_source(world->durable, world->intake_source);
    return EXIT_OK;
}

static inline void world_fill_sinks(struct world *world, unsigned port)
{
    for (int i = 0; i < 2; i++) {
        struct sink_config *sink = &world->sinks[i];
        snprintf(world->url[i], sizeof(world->url[i]), "http://127.0.0.1:%u/%s", port,
                 world_sinks[i]);
        *sink = (struct sink_config){.name = world_sinks[i], .type = "webhook"};
        sink->option[0].key = "url";
        sink->option[0].value = world->url[i];
        sink->option[1].key = "rate_per_minute";
        sink->option[1].value = "0";
        sink->option[2].key = "idempotent";
        sink->option[2].value = i == 1 ? "true" : "false";
        sink->option_count = 3;
    }
}

static inline int world_start_durable(struct world *world, const char *rules, unsigned port)
{
    struct outbox_config outbox = {.ops_max = 10000,
                                   .bytes_max = 64 << 20,
                                   .dead_max = 100,
                                   .refs_max = 1000,
                                   .sinks = world->sinks,
                                   .sink_count = 2};
    struct durable_options options = {.dir = &world->dir,
                                      .unit = world->unit,
                                      .engine = &world->bench->config,
                                      .read = &world->read,
                                      .segment_bytes = WORLD_SEGMENT,
                                      .snapshot_every_ms = world->snapshot_every_ms,
                                      .keep = {.bytes_max = world->recycles},
                                      .committed = world_on_committed,
                                      .keep_committed = world_on_keep_committed,
                                      .intake_release = world->on_intake_release,
                                      .self = world};
    int code = durable_lock("data", &world->dir, &world->why);

    if (code == EXIT_OK)
        code = world_open_intake(world);
    if (code != EXIT_OK)
        return code;
    world_load_rules(rules, &world->rules, &world->read);
    options.rules = rule_set_hash(world->rules);
    code = durable_open(&options, &world->durable, &world->why);
    if (code != EXIT_OK)
        return code;
    world_fill_sinks(world, port);
    durable_fill_engine(world->durable, &world->bench->config);
    world->log = line_writer_open(WORLD_LOG, LINE_WRITER_APPEND, &world->why);
    if (world->log == NULL)
        return EXIT_IO;
    durable_mend_log(world->durable, WORLD_LOG, world->log);
    code = durable_begin_rules(world->durable, &world->rules, &world->next, &world->why);
    if (code == EXIT_OK)
        code = durable_fill_outbox(world->durable, &outbox, &world->why);
    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; port == 0 && i < outbox.resumed_count; i++)
        incident_unref(outbox.resumed[i].op.incident); /* nobody takes it */
    if (port != 0 && outbox_create(&outbox, &world->outbox, &world->why) != 0)
        return EXIT_SYSTEM;
    return world_open_source(world);
}

/* Nobody else moves the clock meanwhile. */
static inline void world_end_snapshots(struct world *world, bool takes_last)
{
    atomic_store(&world->bench->snapshots_end, true);
    durable_snapshots_end(world->durable, takes_last);
    atomic_store(&world->bench->snapshots_end, false);
}

/* The engine goes on from what the directory knows. */
static inline int world_start_engine(struct world *world, const struct engine_listener *listener)
{
    struct engine_terms terms;
    int code;

    durable_begin(world->durable, world->outbox);
    if (world->snapshot_bytes > 0)
        world->bench->config.image_bytes = world->snapshot_bytes;
    if (engine_create(&world->bench->config, world->source, world->rules, listener,
                      &world->bench->engine, &world->why) != 0)
        return EXIT_SYSTEM;
    code = durable_load_image(world->durable, world->bench->engine, world->rules, &world->why);
    if (code == EXIT_OK)
        code = durable_last_switch(world->durable, world->bench->engine, &world->next, &terms,
                                   &world->why);
    if (code == EXIT_OK && world->next != NULL)
        engine_switch(world->bench->engine, world->next, &terms);
    if (code == EXIT_OK)
        world->next = NULL;
    return code;
}

static inline void world_release(struct world *world)
{
    struct source *source = world->source;

    if (world->durable != NULL)
        world_end_snapshots(world, false);
    engine_destroy(world->bench->engine);
    world->bench->engine = NULL;
    if (world->durable != NULL)
        durable_stop(world->durable);
    outbox_destroy(world->outbox, 0);
    if (source == NULL)
        source = world->intake_source;
    if (source != NULL)
        source->ops->close(source);
    intake_log_destroy(world->intake);
    durable_close(world->durable);
    data_dir_close(&world->dir);
    line_writer_close(world->log);
    rule_set_destroy(world->rules);
    rule_set_destroy(world->next);
    rules_read_release(&world->read);
    world->durable = NULL;
    world->outbox = NULL;
    world->source = world->intake_source = NULL;
    world->intake = NULL;
    world->log = NULL;
    world->rules = world->next = NULL;
    world->read = (struct rules_read){.files = {{0}}};
}

/* Begins a life with these rules configured; `port` 0: ops wait. What was told before is forgotten
 * here. EXIT_OK, or the exit code of a start that is given up, with world->why. */
static inline int world_start(struct world *world, const char *rules, unsigned port)
{
    const struct engine_listener listener = {.self = world,
                                             .incident = world_on_incident,
                                             .op = world_on_op,
                                             .joined = world_on_joined,
                                             .room = world_on_room,
                                             .step = world_on_step,
                                             .mark = world_on_mark,
                                             .recovered = world_on_recovered,
                                             .short_of = world_on_short_of,
                                             .switched = world_on_switched,
                                             .image = world_on_image,
                                             .rules_before = world_on_rules_before};
    const struct intake_hooks hooks = {
        .self = world, .stamp_ms = world_on_stamp, .kept = world_on_kept};
    static uint64_t runs = 1 << 20; /* unlike those of bench_start() */
    struct bench *bench = world->bench;
    int code;

    if (bench == NULL) {
        world_begin_bench(world);
        bench = world->bench;
    } else {
        bench_rewind(bench, false);
        /* Partitions are found in another order than before. */
        for (size_t i = 0; i < bench->change_count / 2; i++) {
            struct source_change first = bench->change[i];
            bench->change[i] = bench->change[bench->change_count - 1 - i];
            bench->change[bench->change_count - 1 - i] = first;
        }
        bench->config = world->config;
        bench_host_again(bench); /* the disk may be another one since */
    }
    bench->is_over = false;
    bench->run = ++runs; /* before any thread sleeps */
    bench->owner = pthread_self();
    atomic_store(&bench->sleeper_count, 0);
    world->told.used = 0;
    world->kept.count = 0;
    world->pushes_open = world->pushes_refused = 0;
    world->why = (struct error){""};
    world->dir = (struct data_dir)DATA_DIR_CLOSED;
    code = world_start_durable(world, rules, port);
    if (code == EXIT_OK && world->on_outbox != NULL)
        world->on_outbox(world);
    if (code == EXIT_OK)
        code = world_start_engine(world, &listener);
    if (code == EXIT_OK && (intake_log_start(world->intake, &hooks, &world->why) != 0 ||
                            engine_start(bench->engine, &world->why) != 0))
        code = EXIT_SYSTEM;
    if (code == EXIT_OK)
        code = durable_snapshots_begin(world->durable, bench->engine, &world->why);
    if (code != EXIT_OK)
        world_release(world);
    return code;
}

/* All that the engine has told is durable, or the journal broken. */
static inline void world_sync(struct world *world)
{
    bench_settle(world->bench);
    durable_sync(world->durable);
}

static inline int world_verdict(struct world *world)
{
    return durable_verdict(world->durable, &world->why);
}

static inline bool world_is_recovered(struct world *world)
{
    return durable_is_recovered(world->durable);
}

/* Lets time pass until all that had been told has been told again; false: the run has to end, see
 * world->why. */
static inline bool world_recover(struct world *world)
{
    bench_settle(world->bench);
    for (int i = 0; i < 300 && !world_is_recovered(world); i++) {
        if (world_verdict(world) != 0)
            return false;
        bench_pass(world->bench, 3, 3);
    }
    return world_is_recovered(world) && world_verdict(world) == 0;
}

/* Ends a life; the verdict on it. */
static inline int world_stop(struct world *world)
{
    struct journal_counters journal;
    struct engine_counters counters;
    int code;

    intake_log_stop(world->intake);
    world_end_snapshots(world, world->takes_last);
    durable_counters(world->durable, &journal);
    /* A step may never end then; of a disk that is gone nobody may have heard yet. */
    world->bench->is_over =
        world_verdict(world) != 0 || journal.is_waiting_for_disk || atomic_load(&sim.crash_at) != 0;
    engine_stop(world->bench->engine);
    engine_counters(world->bench->engine, &counters);
    atomic_store(&world->late_by_seal, counters.late_by_seal);
    durable_flush(world->durable);
    if (world->outbox != NULL)
        outbox_stop(world->outbox, 0);
    durable_stop(world->durable);
    code = world_verdict(world);
    world_release(world);
    return code;
}

/* Other rules from the engine's next look on. */
static inline int world_switch(struct world *world, const char *text)
{
    struct rules_read read;
    struct rule_set *rules = NULL;
    struct error err = {""};
    int rc;

    world_load_rules(text, &rules, &read);
    rc = durable_keep_rules(world->durable, rules, &read, &err);
    rules_read_release(&read);
    if (rc != 0) {
        rule_set_destroy(rules);
        return rc;
    }
    durable_asked_for(world->durable, rules, &world->durable->terms);
    engine_switch_rules(world->bench->engine, rules);
    return 0;
}

#endif
