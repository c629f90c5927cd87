/*
 * Aim (C7): a run that is broken off anywhere and gone on with tells again, byte for byte, what had
 * been told, whatever it reads and seals meanwhile, and then goes on as if nothing had happened.
 * Method: live runs of random records, clocks and answers, on virtual time, in which each step is
 * kept with what it says it needs: marks, positions, counts. Any of them is then the last thing
 * that was made durable: the engine starts anew on the same records, with a later clock, and what
 * it tells is held against the first run.
 */
#include "base/hash.h"
#include "base/vector.h"
#include "tests/engine_bench.h"

enum { KEPT_MAX = 1 << 14, FEEDS = 3 };

/* A step of the first run, and how long the log was behind it. */
struct kept {
    int64_t from_ms, to_ms, n_ms, r_ms;
    uint64_t marks;
    int64_t read[FEEDS];
    uint64_t counts[ENGINE_COUNTS];
    size_t log_bytes;
};

static struct kept kept[KEPT_MAX];
static size_t kept_count;
static const int64_t *switch_ms; /* of the second run, told to it */
static size_t switch_count;
static const char *switch_first; /* rules that are asked for before it looks; NULL: none are */
static int64_t wanted_ms;        /* how far the second run tells what was told before */
static struct kept found;        /* its last step up to there */
static size_t recovered_count, recovered_at;

static void on_step(void *self, const struct engine_step *step)
{
    struct bench *bench = self;
    bool is_first_run = wanted_ms == 0;
    struct kept *to = !is_first_run && step->to_ms <= wanted_ms ? &found : &kept[kept_count];

    assert_true(kept_count < KEPT_MAX);
    *to = (struct kept){.from_ms = step->from_ms,
                        .to_ms = step->to_ms,
                        .n_ms = step->n_ms,
                        .r_ms = step->r_ms,
                        .marks = step->marks};
    for (int i = 0; i < FEEDS; i++)
        to->read[i] = 0;
    for (size_t i = 0; i < step->position_count; i++) {
        assert_true(step->positions[i].low <= step->positions[i].read);
        to->read[step->positions[i].part] = step->positions[i].read;
    }
    memcpy(to->counts, step->counts, sizeof(to->counts));
    pthread_mutex_lock(&bench->lock);
    to->log_bytes = bench->log.used;
    pthread_mutex_unlock(&bench->lock);
    kept_count += is_first_run;
}

static void on_recovered(void *self)
{
    struct bench *bench = self;

    recovered_count++;
    pthread_mutex_lock(&bench->lock);
    recovered_at = bench->log.used;
    pthread_mutex_unlock(&bench->lock);
}

static int64_t behind_ms; /* clocks of producers against ours */
static bool is_overload;  /* partitions fall behind and catch up again, and shed */
static uint64_t dice;
static uint64_t draw(uint64_t below)
{
    dice += 0x9e3779b97f4a7c15u;
    return hash_mix(dice) % below;
}

static int64_t now_of(struct bench *bench)
{
    return atomic_load(&bench->wall_ms) - BENCH_T0;
}

/* A stretch of life: records with times around now, some far off; answers that come and go. */
static void live(struct bench *bench, unsigned turns, bool is_orderly)
{
    static const char *const checks[] = {"down", "slow"};
    char resource[16], more[96];

    for (unsigned i = 0; i < turns; i++) {
        const int64_t waits_ms = is_overload && i / 20 % 2 == 0 ? 2500 : 0;
        uint64_t records = draw(4);
        for (int f = 0; is_overload && i % 20 == 0 && f < FEEDS; f++)
            bench_wait_behind(bench->feed[f], waits_ms);
        for (uint64_t r = 0; r < records; r++) {
            int64_t at = now_of(bench) - behind_ms - waits_ms -
                         (is_orderly ? (int64_t)draw(20) : (int64_t)draw(900));
            if (!is_orderly && draw(40) == 0 && !is_overload)
                at += 5000; /* from the future: capped */
            snprintf(resource, sizeof(resource), "r%" PRIu64, draw(5));
            snprintf(more, sizeof(more), ",\"labels\":{\"rack\":\"k%" PRIu64 "\"}%s%s", draw(2),
                     draw(3) == 0 ? BENCH_CLEAR : "",
                     is_overload && draw(3) != 0 ? ",\"severity\":\"info\"" : "");
            bench_put(bench->feed[draw(FEEDS)], at, resource, checks[draw(2)], more);
        }
        if (!is_orderly && draw(6) == 0 && !is_overload)
            bench_answers_set(bench->feed[draw(FEEDS)], draw(2) == 0);
        bench_pass(bench, (int64_t)draw(240) + 1, 240);
    }
    for (int f = 0; f < FEEDS; f++)
        bench_wait_behind(bench->feed[f], 0);
    bench_pass(bench, 1500, 300);
}

static struct bench *begin(unsigned workers)
{
    static const char *sinks[] = {"pager"};
    struct bench *bench = bench_create(RULES_STORM("3", ""));

    bench_go_live(bench);
    bench->is_restless = true;
    bench->config.workers = workers;
    bench->config.sink_names = sinks;
    bench->config.sink_count = 1;
    bench->on_step = on_step;
    bench->on_recovered = on_recovered;
    /* What is capped is what the first run happens to cap: the marks say it. */
    for (int f = 0; f < FEEDS; f++)
        bench_feed(bench, "t", f)->is_ahead = true;
    kept_count = recovered_count = 0;
    wanted_ms = 0;
    return bench;
}

enum { INPUTS_NOW = 77 };
static const struct engine_inputs
    *inputs_before; /* of the first run, where the second has others */

/* The first run is broken off behind step `at`, and gone on with `later_ms` afterwards. */
static void go_on(struct bench *bench, const struct kept *at, const struct mark *marks,
                  const char *log, int64_t later_ms)
{
    static struct mark known[BENCH_MARKS + FEEDS];

    bench_rewind(bench, false);
    bench_clock_move(bench, later_ms);
    memcpy(known, marks, at->marks * sizeof(*marks));
    bench->config.marks = known;
    bench->config.mark_count = at->marks;
    for (uint16_t i = 0; inputs_before != NULL && i < FEEDS; i++) /* whoever was read is read on */
        known[bench->config.mark_count++] = (struct mark){
            .kind = MARK_INPUT, .part = i, .offset = at->read[i], .value_ms = INPUTS_NOW};
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = at->to_ms,
                                                      .read = at->read,
                                                      .read_count = FEEDS,
                                                      .n_ms = at->n_ms,
                                                      .r_ms = at->r_ms,
                                                      .inputs = inputs_before,
                                                      .input_count = inputs_before != NULL,
                                                      .switch_ms = switch_ms,
                                                      .switch_count = switch_count};
    recovered_count = 0;
    wanted_ms = at->to_ms;
    found = (struct kept){.to_ms = 0};
    bench_start(bench);
    if (switch_first != NULL)
        bench_switch(bench, switch_first);
    bench_settle(bench);
    /* Closed epochs gather while the clock stands: it moves until all are worked off. */
    for (int i = 0; i < 200 && recovered_count == 0; i++)
        bench_pass(bench, 3, 3);
    assert_int_equal(recovered_count, 1);
    assert_int_equal(recovered_at, at->log_bytes);
    assert_memory_equal(bench->log.at, log, at->log_bytes);
    /* Its steps end where they like, and none is made for a stretch in which nothing happens. */
    assert_memory_equal(found.counts, at->counts, sizeof(found.counts));
}

/* Time that nobody was sealed behind gives the same log to the end (X1b). */
static void assert_goes_on(struct bench *bench, const char *log, size_t bytes)
{
    size_t both = bench->log.used < bytes ? bench->log.used : bytes;

    assert_int_equal(both, bytes);
    assert_memory_equal(bench->log.at, log, both);
}

static void broken_off_anywhere(uint64_t seed, unsigned workers, bool is_orderly)
{
    static const unsigned epochs_ms[] = {20, 100, 10, 200, 50, 8};
    struct bench *bench = begin(workers);
    struct mark *marks;
    char *log;
    size_t mark_count, bytes;
    uint64_t late_by_seal;

    dice = seed;
    if (is_overload)
        bench->config.shedding = (struct shed_config){
            .behind_ms = 1800, .for_ms = 300, .until_ms = 1000, .below = SEVERITY_WARNING};
    bench_start(bench);
    bench_settle(bench);
    live(bench, is_overload ? 100 : 60, is_orderly);
    bench_stop(bench);
    assert_true((bench->counters.rejected[REJECT_QUOTA] > 10) == is_overload);
    assert_true((bench_marks(bench, MARK_SHED) > 6) == is_overload);
    late_by_seal = bench->counters.late_by_seal;
    mark_count = bench->mark_count;
    marks = malloc((mark_count + 1) * sizeof(*marks));
    memcpy(marks, bench->mark, mark_count * sizeof(*marks));
    bytes = bench->log.used;
    log = malloc(bytes + 1);
    memcpy(log, bench->log.at, bytes);
    assert_true(kept_count > 10);
    assert_true(bytes > 1000);
    for (int i = 0; i < 6; i++) {
        size_t at = i == 0 ? kept_count - 1 : draw(kept_count);
        assert_true(kept[at].marks <= mark_count);
        bench->config.epoch_ms = epochs_ms[i]; /* its size never shows */
        go_on(bench, &kept[at], marks, log, (int64_t)draw(100000));
        for (int t = 0; t < 300 && engine_watermark(bench->engine) < kept[kept_count - 1].to_ms;
             t++)
            bench_pass(bench, 3, 3);
        bench_stop(bench);
        if (late_by_seal == 0 && bench->counters.late_by_seal == 0)
            assert_goes_on(bench, log, bytes);
    }
    free(log);
    free(marks);
    bench_destroy(bench);
}

static void a_run_broken_off_anywhere_tells_the_same_again(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        broken_off_anywhere(seed, 1 + (unsigned)(seed % 3), false);
}

/* L7: what a run shed was decided by its clock, and is known by its marks from then on. */
static void L7_a_run_broken_off_while_it_sheds_tells_the_same_again(void **state)
{
    (void)state;
    is_overload = true;
    for (uint64_t seed = 61; seed <= 64; seed++)
        broken_off_anywhere(seed, 1 + (unsigned)(seed % 3), false);
    is_overload = false;
}

/* How records are read changes from where each partition stands on: what was told is told again by
 * the settings of then, and time does not fall back however large the disorder becomes. */
static void X5_what_is_read_otherwise_from_here_on_was_told_as_before(void **state)
{
    static const int64_t disorders[] = {0, 50, 500, 3000};
    static const struct topic_config then[] = {{.topic = "t", .disorder_ms = 500}};
    static const struct quota_config quotas[] = {{.events = 1, .burst = 1, .tenants_max = 10},
                                                 {.events = 0, .burst = 1, .tenants_max = 10},
                                                 {.events = 9, .burst = 3, .tenants_max = 10}};

    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct topic_config now = {.topic = "t",
                                   .disorder_ms = disorders[seed % 4],
                                   .tenant = "other",
                                   .log_append_time = seed % 3 == 0};
        struct engine_inputs inputs = {.value = 1, .topics = then, .topic_count = 1};
        struct bench *bench = begin(1 + (unsigned)(seed % 3));
        struct kept last;
        struct mark *marks;
        char *log;

        dice = 100 + seed;
        inputs.past_ms = bench->config.past_ms;
        inputs.future_ms = bench->config.future_ms;
        inputs.behind_ms = bench->config.behind_ms;
        bench->config.quotas = inputs.quotas = quotas[seed % 2];
        bench_start(bench);
        bench_settle(bench);
        live(bench, 40, false);
        bench_stop(bench);
        assert_true((bench->counters.rejected[REJECT_QUOTA] > 5) == (seed % 2 == 0));
        marks = malloc((bench->mark_count + 1) * sizeof(*marks));
        memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
        log = malloc(bench->log.used + 1);
        memcpy(log, bench->log.at, bench->log.used);
        bench->config.topics = &now;
        bench->config.topic_count = 1;
        bench->config.past_ms = 700;
        bench->config.future_ms = 5;
        bench->config.quotas = quotas[seed / 2];
        inputs_before = &inputs;
        for (int i = 0; i < 2; i++) {
            last = kept[i == 0 ? kept_count - 1 : draw(kept_count)];
            go_on(bench, &last, marks, log, (int64_t)draw(5000));
            int64_t watermark = engine_watermark(bench->engine);
            for (int t = 0; t < 40; t++) {
                bench_put(bench->feed[draw(FEEDS)], now_of(bench) - (int64_t)draw(900), "r1",
                          "down", draw(2) == 0 ? BENCH_CLEAR : "");
                bench_pass(bench, 50, 50);
                assert_true(engine_watermark(bench->engine) >= watermark);
                watermark = engine_watermark(bench->engine);
            }
            bench_pass(bench, 4000, 200);
            bench_stop(bench);
            assert_non_null(strstr(bench->log.at + last.log_bytes, "\"tenant\":\"other\""));
        }
        inputs_before = NULL;
        free(log);
        free(marks);
        bench_destroy(bench);
    }
}

/* No clock seals anything here: M - L alone has passed. Records of before come when L is six times
 * as large, and have their place behind what had passed. */
static void X5_what_had_passed_stays_passed_under_a_larger_disorder(void **state)
{
    static const struct topic_config then[] = {{.topic = "t", .disorder_ms = 500}};
    static const struct topic_config now = {.topic = "t", .disorder_ms = 3000, .tenant = "other"};
    struct engine_inputs inputs = {.value = 1, .topics = then, .topic_count = 1};
    struct bench *bench = begin(1);
    struct mark *marks;
    char *log;

    (void)state;
    inputs.past_ms = bench->config.past_ms;
    inputs.future_ms = bench->config.future_ms;
    inputs.behind_ms = bench->config.behind_ms;
    for (int f = 0; f < FEEDS; f++)
        bench_answers_set(bench->feed[f], false);
    bench_start(bench);
    bench_pass(bench, 5000, 1000);
    for (int f = 0; f < FEEDS; f++)
        bench_put(bench->feed[f], 1000, "r1", "down", "");
    bench_settle(bench);
    for (int f = 0; f < FEEDS; f++)
        bench_put(bench->feed[f], 5000, "r1", "down", "");
    bench_settle(bench);
    bench_pass(bench, 10, 5);
    assert_int_equal(engine_watermark(bench->engine) - BENCH_T0, 4500);
    bench_stop(bench);
    marks = malloc((bench->mark_count + 1) * sizeof(*marks));
    memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
    log = malloc(bench->log.used + 1);
    memcpy(log, bench->log.at, bench->log.used);
    const struct kept last = kept[kept_count - 1];
    bench->config.topics = &now;
    bench->config.topic_count = 1;
    inputs_before = &inputs;
    bench_put(bench->feed[0], 4400, "r9", "down", ""); /* the very first that is read otherwise */
    bench_put(bench->feed[0], 4401, "r9", "down", "");
    go_on(bench, &last, marks, log, 0);
    inputs_before = NULL;
    bench_settle(bench);
    bench_pass(bench, 5000, 1000);
    for (int f = 0; f < FEEDS; f++)
        bench_put(bench->feed[f], 9000, "r1", "down", "");
    bench_settle(bench);
    bench_pass(bench, 10, 5);
    assert_int_equal(engine_watermark(bench->engine) - BENCH_T0, 6000);
    bench_stop(bench);
    assert_int_equal(bench->counters.late_by_seal, 2);
    assert_non_null(strstr(bench->log.at, "\"tenant\":\"other\""));
    assert_int_equal(bench->counters.in_bins, FEEDS); /* those of 9000: the late ones were seen */
    free(log);
    free(marks);
    bench_destroy(bench);
}

static void what_no_seal_has_moved_goes_on_as_if_nothing_had_been(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed <= 103; seed++)
        broken_off_anywhere(seed, 1 + (unsigned)(seed % 2), true);
}

/* A run, kept to its last step, that is to be gone on with. */
struct kept_run {
    struct mark *marks;
    struct kept last;
    char *log;
};

/* Stops it, too. */
static struct kept_run keep(struct bench *bench)
{
    struct kept_run run;

    bench_stop(bench);
    run.last = kept[kept_count - 1];
    run.marks = malloc((bench->mark_count + 1) * sizeof(*run.marks));
    memcpy(run.marks, bench->mark, bench->mark_count * sizeof(*run.marks));
    run.log = malloc(bench->log.used + 1);
    memcpy(run.log, bench->log.at, bench->log.used);
    return run;
}

static struct kept_run run_and_keep(struct bench *bench, unsigned turns)
{
    for (int f = 0; f < FEEDS; f++) /* what time it is is known from the records first */
        bench_put(bench->feed[f], now_of(bench) - behind_ms, "r0", "slow", "");
    bench_start(bench);
    bench_settle(bench);
    live(bench, turns, true);
    return keep(bench);
}

/* T4b seals on what cannot be read, but not before what had been read of it: its records still have
 * the times that they had. */
static void what_cannot_be_read_meanwhile_is_not_sealed_on(void **state)
{
    struct bench *bench = begin(1);
    struct kept_run run;

    (void)state;
    dice = 11;
    run = run_and_keep(bench, 30);
    bench_rewind(bench, false);
    bench->config.marks = run.marks;
    bench->config.mark_count = run.last.marks;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = run.last.to_ms,
                                                      .read = run.last.read,
                                                      .read_count = FEEDS,
                                                      .n_ms = run.last.n_ms,
                                                      .r_ms = run.last.r_ms};
    bench_state_set(bench->feed[1], FEED_UNREADABLE);
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 13000, 500);
    assert_int_equal(recovered_count, 0);
    bench_state_set(bench->feed[1], FEED_LIVE);
    for (int i = 0; i < 200 && recovered_count == 0; i++)
        bench_pass(bench, 3, 3);
    assert_int_equal(recovered_count, 1);
    assert_int_equal(recovered_at, run.last.log_bytes);
    assert_memory_equal(bench->log.at, run.log, run.last.log_bytes);
    bench_stop(bench);
    free(run.log);
    free(run.marks);
    bench_destroy(bench);
}

/* T4: R goes on from where it was by N. Producers whose clocks are an hour behind ours are not
 * sealed by our clock because we were away. */
static void time_goes_on_from_where_it_was(void **state)
{
    struct bench *bench = begin(1);
    struct kept_run run;

    (void)state;
    dice = 12;
    behind_ms = 3600000;
    run = run_and_keep(bench, 30);
    go_on(bench, &run.last, run.marks, run.log, 60000);
    bench_pass(bench, 300, 20); /* seals by the clock */
    bench_put(bench->feed[0], now_of(bench) - behind_ms, "r1", "down", "");
    bench_pass(bench, 100, 20);
    bench_stop(bench);
    behind_ms = 0;
    assert_int_equal(bench->counters.late_by_seal, 0);
    free(run.log);
    free(run.marks);
    bench_destroy(bench);
}

/* T4: a first start on a backlog that is broken off before R is settled is gone on with as one:
 * the clock takes over, and what had been told is told again. What it gave is then gone on from. */
static void a_first_start_goes_on_as_a_first_start(void **state)
{
    struct bench *bench = begin(1);
    struct kept_run run;

    (void)state;
    for (int i = 0; i < 300; i++)
        bench_put(bench->feed[i % FEEDS], -60000 + 100 * i, "r1", "down",
                  i % 7 == 0 ? BENCH_CLEAR : "");
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    run = keep(bench);
    assert_true(run.last.to_ms < BENCH_T0 - 29000);
    assert_true(run.last.r_ms == INT64_MIN);
    go_on(bench, &run.last, run.marks, run.log, 2000);
    bench_pass(bench, 6000, 20);
    bench_stop(bench);
    assert_in_range(engine_watermark(bench->engine) - BENCH_T0, now_of(bench) - 1000,
                    now_of(bench));
    free(run.log);
    free(run.marks);
    bench_destroy(bench);
}

/* T4: topics that were empty at a first start are sealed by our clock. A start that goes on from
 * there, however soon, does not follow producers whose clocks are behind it. */
static void a_first_start_on_empty_topics_is_of_our_clock(void **state)
{
    struct bench *bench = begin(1);
    struct kept_run run;

    (void)state;
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1500, 20);
    for (int i = 0; i < FEEDS; i++)
        bench_put(bench->feed[i], now_of(bench) - 3600000, "r1", "down", "");
    bench_pass(bench, 300, 20);
    run = keep(bench);
    assert_in_range(run.last.r_ms - BENCH_T0, now_of(bench) - 1000, now_of(bench));
    go_on(bench, &run.last, run.marks, run.log, 2000);
    for (int i = 0; i < FEEDS; i++)
        bench_put(bench->feed[i], now_of(bench) - 3600000, "r2", "down", "");
    bench_pass(bench, 1000, 20);
    bench_stop(bench);
    assert_in_range(engine_watermark(bench->engine) - BENCH_T0, now_of(bench) - 1000,
                    now_of(bench));
    assert_int_equal(bench->counters.late_by_seal, 2 * FEEDS);
    free(run.log);
    free(run.marks);
    bench_destroy(bench);
}

/* T4: what is read again was there before the start, and does not take R back to its time: timers
 * would be late by the time that the daemon was away, up to B, until the next record. */
static void what_is_read_again_leaves_time_where_it_is(void **state)
{
    struct bench *bench = begin(1);
    struct kept_run run;

    (void)state;
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    for (int i = 0; i < FEEDS; i++)
        bench_put(bench->feed[i], now_of(bench), "r1", "down", "");
    bench_settle(bench);
    bench_pass(bench, 1000, 20);
    run = keep(bench);
    go_on(bench, &run.last, run.marks, run.log, 3000);
    bench_pass(bench, 300, 20);
    assert_in_range(engine_watermark(bench->engine) - BENCH_T0, now_of(bench) - 1000,
                    now_of(bench));
    bench_stop(bench);
    free(run.log);
    free(run.marks);
    bench_destroy(bench);
}

static int64_t short_at, short_read;
static size_t short_count;

static void on_short_of(void *self, uint16_t part, int64_t at, int64_t read)
{
    (void)self;
    assert_int_equal(part, 1);
    short_at = at;
    short_read = read;
    short_count++;
}

/* A log that ends before what was read of it is said to; nothing is told meanwhile. */
static void a_partition_that_lost_records_is_told_of(void **state)
{
    struct bench *bench = begin(1);
    struct mark *marks;
    struct kept last;

    (void)state;
    dice = 7;
    bench->on_short_of = on_short_of;
    short_count = 0;
    bench_start(bench);
    bench_settle(bench);
    live(bench, 30, true);
    bench_stop(bench);
    last = kept[kept_count - 1];
    assert_true(last.read[1] > 3);
    marks = malloc((bench->mark_count + 1) * sizeof(*marks));
    memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
    bench_rewind(bench, false);
    free((char *)(uintptr_t)bench->feed[1]->records[bench->feed[1]->count - 1].payload);
    bench->feed[1]->count--;
    bench->config.marks = marks;
    bench->config.mark_count = last.marks;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = last.to_ms,
                                                      .read = last.read,
                                                      .read_count = FEEDS,
                                                      .n_ms = last.n_ms,
                                                      .r_ms = last.r_ms};
    bench_start(bench);
    bench_settle(bench);
    bench_pass(bench, 60, 20);
    assert_int_equal(short_count, 1);
    assert_int_equal(short_read, last.read[1]);
    assert_int_equal(short_at, last.read[1] - 1);
    assert_int_equal(recovered_count, 0);
    bench_stop(bench);
    free(marks);
    bench_destroy(bench);
}

/* --- rules that were switched ---------------------------------------------------------------- */

static const char *const rule_texts[] = {
    RULES_STORM("3", ""),
    RULES_STORM("2", "    max_members: 4\n"), /* other bounds: the rules carry on */
    "rules:\n"
    "  - {id: slow, where: 'check == \"slow\"', by: [resource], window: 1s, when: count() >= 1,\n"
    "     incident: {title: \"{resource}\", priority: P1}, close: quiet(1s)}\n",
};
enum { TEXTS = sizeof(rule_texts) / sizeof(rule_texts[0]), SWITCHES_MAX = 64 };

static struct id128 text_hashes[TEXTS];
static struct switched {
    int64_t at_ms;
    size_t text;
} switched[SWITCHES_MAX];
static size_t switched_count;
static size_t before_count; /* of those, the ones that the second run is told of */
static struct switched before[SWITCHES_MAX];

static void on_switched(void *self, const struct rule_set *rules, const struct engine_terms *terms,
                        int64_t at_ms)
{
    struct id128 hash = rule_set_hash(rules);
    size_t text = 0;

    (void)self, (void)terms;
    while (!id128_equal(text_hashes[text], hash))
        assert_true(++text < TEXTS);
    assert_true(switched_count < SWITCHES_MAX);
    switched[switched_count++] = (struct switched){at_ms, text};
}

static struct rule_set *rules_before(void *self, size_t index, struct engine_terms *terms)
{
    (void)self, (void)terms;
    assert_true(index < before_count);
    return parse_good(rule_texts[before[index].text]);
}

/* C7, X5: switches come again where they were, and not where they were asked for; what is asked
 * for meanwhile waits for its turn. */
static void rules_are_switched_again_where_they_were(void **state)
{
    struct bench *bench = begin(2);
    int64_t times[SWITCHES_MAX];
    struct mark *marks;
    struct kept last;
    char *log;

    (void)state;
    dice = 21;
    for (size_t i = 0; i < TEXTS; i++) {
        struct rule_set *set = parse_good(rule_texts[i]);
        text_hashes[i] = rule_set_hash(set);
        rule_set_destroy(set);
    }
    bench->on_switched = on_switched;
    bench->rules_before = rules_before;
    switched_count = 0;
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 8; i++) {
        bench_switch(bench, rule_texts[(i + 1) % TEXTS]);
        live(bench, 8, false);
    }
    bench_stop(bench);
    assert_true(switched_count >= 6);
    last = kept[kept_count - 1];
    marks = malloc((bench->mark_count + 1) * sizeof(*marks));
    memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
    log = malloc(bench->log.used + 1);
    memcpy(log, bench->log.at, bench->log.used);
    before_count = switched_count;
    for (size_t i = 0; i < before_count; i++) {
        before[i] = switched[i];
        times[i] = switched[i].at_ms;
        assert_true(i == 0 || times[i] > times[i - 1]);
    }
    for (int round = 0; round < 3; round++) {
        switched_count = 0;
        switch_ms = times;
        switch_count = before_count;
        switch_first = rule_texts[round % TEXTS]; /* asked for from the first look on */
        go_on(bench, &last, marks, log, 5000 * round);
        bench_put(bench->feed[0], now_of(bench), "r1", "slow", "");
        bench_pass(bench, 2000, 100);
        bench_stop(bench);
        assert_int_equal(switched_count, before_count + 1);
        for (size_t i = 0; i < before_count; i++) {
            assert_int_equal(switched[i].at_ms, before[i].at_ms);
            assert_int_equal(switched[i].text, before[i].text);
        }
        assert_true(switched[before_count].at_ms >= last.to_ms);
        assert_int_equal(switched[before_count].text, round % TEXTS);
    }
    switch_ms = NULL;
    switch_count = 0;
    switch_first = NULL;
    free(log);
    free(marks);
    bench_destroy(bench);
}

/* --- each kind of mark is needed ------------------------------------------------------------ */

/* One run in which each kind of mark changed something: a record from the future is capped, one of
 * a sealed partition comes late, a partition cannot be read for a while, a record is one that
 * kills. */
static struct kept_run run_by_marks(struct bench *bench)
{
    struct kept_run run;

    bench_start(bench);
    bench_settle(bench);
    for (int f = 0; f < FEEDS; f++)
        bench_put(bench->feed[f], now_of(bench), "r0", "slow", "");
    bench_put(bench->feed[0], now_of(bench), "r9", "down", ""); /* kills */
    bench_pass(bench, 1000, 100);
    bench_put(bench->feed[1], now_of(bench) + 5000, "r1", "down", "");
    bench_put(bench->feed[1], now_of(bench), "r1", "down", "");
    bench_pass(bench, 3000, 100);
    bench_put(bench->feed[2], now_of(bench) - 2500, "r2", "down", "");
    bench_put(bench->feed[2], now_of(bench) - 2500, "r2", "down", "");
    bench_pass(bench, 1000, 100);
    for (int spell = 0; spell < 2; spell++) { /* of one without an end the next is no news */
        bench_state_set(bench->feed[1], FEED_UNREADABLE);
        bench_pass(bench, 12000, 500);
        bench_state_set(bench->feed[1], FEED_LIVE);
        bench_put(bench->feed[1], now_of(bench), "r3", "slow", "");
        bench_pass(bench, 3000, 500);
    }
    bench_stop(bench);
    for (int kind = MARK_SEAL; kind <= MARK_BLIND_END; kind++)
        assert_true(bench_marks(bench, (enum mark_kind)kind) > 0);
    run.last = kept[kept_count - 1];
    run.marks = malloc((bench->mark_count + 1) * sizeof(*run.marks));
    memcpy(run.marks, bench->mark, bench->mark_count * sizeof(*run.marks));
    run.log = malloc(bench->log.used + 1);
    memcpy(run.log, bench->log.at, bench->log.used);
    return run;
}

/* Whether a run that goes on without marks of this kind comes to what was told. */
static bool comes_to_the_same_without(struct bench *bench, const struct kept_run *run,
                                      enum mark_kind kind)
{
    struct mark *marks = malloc((run->last.marks + 1) * sizeof(*marks));
    size_t count = 0;
    bool is_same;

    for (size_t i = 0; i < run->last.marks; i++)
        if (run->marks[i].kind != kind)
            marks[count++] = run->marks[i];
    bench_rewind(bench, false);
    bench_clock_move(bench, 10000);
    bench->config.marks = marks;
    bench->config.mark_count = count;
    bench->config.crash_count = 0; /* the mark alone says it */
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = run->last.to_ms,
                                                      .read = run->last.read,
                                                      .read_count = FEEDS,
                                                      .n_ms = run->last.n_ms,
                                                      .r_ms = run->last.r_ms};
    recovered_count = 0;
    wanted_ms = run->last.to_ms;
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 200 && recovered_count == 0; i++)
        bench_pass(bench, 3, 3);
    bench_stop(bench);
    is_same = recovered_count == 1 && recovered_at == run->last.log_bytes &&
              memcmp(bench->log.at, run->log, run->last.log_bytes) == 0;
    free(marks);
    return is_same;
}

/* What is told is then not what the journal says, and the run stops (C7). */
static void C2_a_group_that_lacks_a_kind_of_mark_shows(void **state)
{
    (void)state;
    static const struct engine_crash crashes[] = {{"t", 0, 1}};
    static const enum mark_kind kinds[] = {MARK_SEAL, MARK_CAP, MARK_BLIND_BEGIN, MARK_BLIND_END,
                                           MARK_CRASH};
    struct bench *bench = begin(2);
    struct kept_run run;

    bench->config.crashes = crashes;
    bench->config.crash_count = 1;
    run = run_by_marks(bench);
    assert_true(comes_to_the_same_without(bench, &run, MARK_KIND_COUNT)); /* none is left out */
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (comes_to_the_same_without(bench, &run, kinds[i]))
            fail_msg("without any mark %s all is the same", mark_kind_name(kinds[i]));
    free(run.log);
    free(run.marks);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_broken_off_anywhere_tells_the_same_again),
        cmocka_unit_test(L7_a_run_broken_off_while_it_sheds_tells_the_same_again),
        cmocka_unit_test(C2_a_group_that_lacks_a_kind_of_mark_shows),
        cmocka_unit_test(what_cannot_be_read_meanwhile_is_not_sealed_on),
        cmocka_unit_test(time_goes_on_from_where_it_was),
        cmocka_unit_test(a_first_start_goes_on_as_a_first_start),
        cmocka_unit_test(a_first_start_on_empty_topics_is_of_our_clock),
        cmocka_unit_test(what_is_read_again_leaves_time_where_it_is),
        cmocka_unit_test(rules_are_switched_again_where_they_were),
        cmocka_unit_test(a_partition_that_lost_records_is_told_of),
        cmocka_unit_test(X5_what_is_read_otherwise_from_here_on_was_told_as_before),
        cmocka_unit_test(X5_what_had_passed_stays_passed_under_a_larger_disorder),
        cmocka_unit_test(what_no_seal_has_moved_goes_on_as_if_nothing_had_been),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
