/*
 * Aim (L7): a partition that stays too far behind leaves out what may be left out, from a mark on
 * to a mark, and whoever has to know hears of it; nothing else is ever left out. Method: live runs
 * on virtual time, in which a feed says how much waits behind what it gave; recordings with marks,
 * in many forms of the work; runs that go on from an image, taken while a record is worked on too.
 */
#include "base/hash.h"
#include "base/mark.h"
#include "correlate/shed.h"
#include "correlate/shed_look.h"
#include "tests/engine_bench.h"

#define ALL                                                                                        \
    "rules:\n"                                                                                     \
    "  - {id: one, by: [resource], window: 1s, when: count() >= 1,\n"                              \
    "     where: 'source != \"tocsin\"', incident: {title: t}, close: cleared()}\n"                \
    "  - {id: shed, by: [resource], window: 1m, when: count() >= 1,\n"                             \
    "     where: 'check == \"input-shed\"', incident: {title: \"{message}\"},\n"                   \
    "     close: cleared()}\n"

#define INFO ",\"severity\":\"info\""
#define MINOR ",\"severity\":\"minor\""

static struct bench_text words;

static void on_shed(void *self, const struct engine_shed_word *word)
{
    (void)self;
    bench_text_add(&words,
                   "%s/%d/%" PRId64 " behind %" PRId64 " waiting %" PRId64
                   " below %s count %" PRIu64 "\n",
                   word->topic, (int)word->partition, word->offset, word->behind_ms, word->waiting,
                   severity_name(word->below), word->count);
}

static const char *words_said(void)
{
    return words.used > 0 ? words.at : "";
}

static struct shed_config ten_seconds(void)
{
    return (struct shed_config){
        .behind_ms = 10000, .for_ms = 3000, .until_ms = 4000, .below = SEVERITY_WARNING};
}

static struct bench *live_bench(unsigned workers)
{
    struct bench *bench = bench_create(ALL);

    bench_go_live(bench);
    bench->config.workers = workers;
    bench->config.shedding = ten_seconds();
    bench->on_shed = on_shed;
    words.used = 0;
    return bench;
}

static void put(struct bench_feed *feed, int64_t at_ms, const char *resource, const char *more)
{
    bench_put(feed, at_ms, resource, "down", more);
}

/* The clock goes on, then there is a record that is so far behind it, of this severity. */
static void put_behind(struct bench_feed *feed, int64_t after_ms, int64_t behind_ms,
                       const char *resource, const char *more)
{
    struct bench *bench = feed->bench;

    bench_pass(bench, after_ms, after_ms);
    put(feed, atomic_load(&bench->wall_ms) - BENCH_T0 - behind_ms, resource, more);
    bench_settle(bench);
}

static struct engine_part_counters part_of(struct bench *bench, int32_t partition)
{
    struct engine_part_counters part[8];
    size_t count = engine_part_counters(bench->engine, part, 8);

    for (size_t i = 0; i < count; i++)
        if (part[i].partition == partition)
            return part[i];
    fail_msg("no such partition");
    return part[0];
}

/* --- when ------------------------------------------------------------------------------------- */

static void L7_a_partition_that_stays_behind_sheds_until_it_has_caught_up(void **state)
{
    (void)state;
    struct bench *bench = live_bench(1);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_start(bench);
    bench_wait_behind(feed, 70);
    bench_clock_move(bench, 100000);
    put_behind(feed, 1, 11000, "r0", INFO); /* since here */
    put_behind(feed, 1500, 11000, "r1", INFO);
    put_behind(feed, 1499, 11000, "r2", INFO);
    assert_string_equal(words_said(), "");
    put_behind(feed, 1, 12000, "r3", INFO); /* as far behind that it comes before r1 */
    assert_string_equal(words_said(), "t/0/3 behind 12000 waiting 70 below warning count 0\n");
    assert_true(part_of(bench, 0).is_shedding);
    assert_int_equal(part_of(bench, 0).behind_ms, 12000);
    put_behind(feed, 1000, 11000, "r4", INFO);
    put_behind(feed, 1000, 11000, "r5", ",\"severity\":\"warning\"");
    put_behind(feed, 1000, 11000, "r0", INFO BENCH_CLEAR);
    put_behind(feed, 1000, 4000, "r6", INFO); /* until: since here */
    put_behind(feed, 999, 4000, "r7", INFO);
    put_behind(feed, 1, 4001, "r8", INFO); /* but not for a second */
    put_behind(feed, 1000, 4000, "r9", INFO);
    assert_int_equal(part_of(bench, 0).shed, 6);
    put_behind(feed, 1000, 3000, "s0", INFO);
    assert_string_equal(words_said(), "t/0/3 behind 12000 waiting 70 below warning count 0\n"
                                      "t/0/11 behind 3000 waiting 70 below ok count 6\n");
    assert_false(part_of(bench, 0).is_shedding);
    bench_wait_behind(feed, 0);
    bench_pass(bench, 6000, 500);
    bench_stop(bench);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 6);
    assert_int_equal(bench->counters.events, 12);
    assert_int_equal(bench->counters.derived, 2);
    assert_int_equal(bench_marks(bench, MARK_SHED), 2);
    const struct mark end = bench_mark(bench, MARK_SHED);
    assert_int_equal(end.offset, 11);
    assert_int_equal(end.value_ms, 3000 * 8);
    assert_string_equal(bench->rejected.at,
                        "t/0/3 quota at 0\nt/0/4 quota at 0\nt/0/7 quota at 0\n"
                        "t/0/8 quota at 0\nt/0/9 quota at 0\nt/0/10 quota at 0\n");
    /* The first is at 101 less 12 s, so it is raised to half a second before M. */
    assert_string_equal(bench->brief,
                        "89001 opened rule one resource=r0 n=1 alerts=1\n"
                        "90501 opened rule one resource=r1 n=1 alerts=1\n"
                        "91500 opened rule shed tenant=@tocsin resource=t/0 n=1 alerts=1\n"
                        "92000 opened rule one resource=r2 n=1 alerts=1\n"
                        "94001 opened rule one resource=r5 n=1 alerts=1\n"
                        "95001 closed cleared one resource=r0 n=2 alerts=1\n"
                        "107001 opened rule one resource=s0 n=1 alerts=1\n"
                        "107001 closed cleared shed tenant=@tocsin resource=t/0 n=2 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "t/0 is 12s behind: events of severity below warning are "
                                          "left out, but for clears"));
    bench_destroy(bench);
}

/* One that is read to its end now and then has nothing that would come sooner for shedding: so is a
 * quiet one, and one of a producer whose clock is slow. */
static void L7_who_reads_to_the_end_sheds_nothing(void **state)
{
    (void)state;
    struct bench *bench = live_bench(1);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench_start(bench);
    bench_clock_move(bench, 10000000);
    for (int i = 0; i < 10; i++)
        put_behind(feed, 1000, 7200000, "r", INFO); /* nothing waits behind it */
    bench_wait_behind(feed, 5);
    for (int i = 0; i < 12; i++) { /* again and again, at last by a look at nothing */
        put_behind(feed, 1000, 7200000, "r", INFO);
        if (i % 3 != 1)
            continue;
        bench_wait_behind(feed, 0);
        bench_pass(bench, 20, 10);
        bench_wait_behind(feed, 5);
    }
    for (int i = 0; i < 6; i++) { /* or one producer of several has the time */
        bench_hold(bench);
        put(feed, 100, "r", INFO);
        put(feed, atomic_load(&bench->wall_ms) - BENCH_T0, "s", INFO);
        atomic_store(&bench->is_held, false);
        bench_pass(bench, 1000, 1000);
    }
    bench_pass(bench, 60000, 1000); /* what gives nothing says nothing */
    put_behind(feed, 0, 7200000, "r", INFO);
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_SHED), 0);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 0);
    bench_destroy(bench);
}

static void L7_nothing_is_shed_that_nobody_configured(void **state)
{
    (void)state;
    struct bench *bench = live_bench(1);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.shedding = (struct shed_config){.behind_ms = 0};
    bench_start(bench);
    bench_wait_behind(feed, 5);
    bench_clock_move(bench, 10000000);
    for (int i = 0; i < 20; i++)
        put_behind(feed, 10000, 7200000, "r", ",\"severity\":\"debug\"");
    bench_stop(bench);
    assert_int_equal(bench_marks(bench, MARK_SHED), 0);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 0);
    bench_destroy(bench);
}

/* Behind and not, ten times a second: nothing. And as fast as marks can be made: one in a second
 * and `for`. */
static void L7_who_falls_behind_and_catches_up_makes_few_marks(void **state)
{
    (void)state;
    struct bench *bench = live_bench(1);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.shedding.for_ms = 1000;
    bench_start(bench);
    bench_wait_behind(feed, 5);
    bench_clock_move(bench, 10000000);
    for (int i = 0; i < 200; i++)
        put_behind(feed, 100, i % 2 == 0 ? 20000 : 0, "r", INFO);
    assert_string_equal(words_said(), "");
    for (int i = 0; i < 240; i++)
        put_behind(feed, 250, i / 5 % 2 == 0 ? 20000 : 0, "r", INFO);
    bench_stop(bench);
    /* A minute, in which it was behind for 1,250 ms and then not for as long, 24 times. */
    assert_int_equal(bench_marks(bench, MARK_SHED), 48);
    assert_int_equal(part_of(bench, 0).shed_spells, 24);
    bench_destroy(bench);
}

/* --- what: recordings with marks ---------------------------------------------------------------
 */

static struct mark shed_at(uint16_t part, int64_t offset, int64_t behind_ms, enum severity below)
{
    return (struct mark){MARK_SHED, part, offset, mark_shed_value(behind_ms, below)};
}

static void L7_what_is_below_is_left_out_event_by_event(void **state)
{
    (void)state;
    struct bench *bench = bench_create(ALL);
    struct bench_feed *feed = bench_feed(bench, "t", 0), *other = bench_feed(bench, "t", 1);
    const struct mark marks[] = {shed_at(0, 1, 90000, SEVERITY_MINOR)};

    bench->config.marks = marks;
    bench->config.mark_count = 1;
    put(feed, 1000, "before", INFO);
    bench_put_text(feed, 1000,
                   "[{\"resource\":\"a\",\"check\":\"down\",\"severity\":\"minor\"},"
                   "{\"resource\":\"b\",\"check\":\"down\",\"severity\":\"info\"},"
                   "{\"resource\":\"before\",\"check\":\"down\",\"severity\":\"ok\"},"
                   "{\"resource\":\"c\",\"check\":\"down\",\"severity\":\"warning\"},"
                   "{\"resource\":\"d\",\"check\":\"down\",\"severity\":\"critical\"}]");
    put(other, 1000, "e", INFO);
    bench_run(bench);
    assert_string_equal(bench->brief,
                        "1000 opened rule one resource=before n=1 alerts=1\n"
                        "1000 opened rule one resource=a n=1 alerts=1\n"
                        "1000 opened rule shed tenant=@tocsin resource=t/0 n=1 alerts=1\n"
                        "1000 closed cleared one resource=before n=2 alerts=1\n"
                        "1000 opened rule one resource=d n=1 alerts=1\n"
                        "1000 opened rule one resource=e n=1 alerts=1\n");
    assert_string_equal(bench->rejected.at, "t/0/1 quota at 1\nt/0/1 quota at 3\n");
    assert_int_equal(bench->counters.events, 7);
    assert_int_equal(bench->counters.derived, 1);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 2);
    bench_destroy(bench);
}

/* What is shed takes nothing of its tenant's quota, and what is over that is told apart. */
static void L7_what_is_shed_takes_nothing_of_a_quota(void **state)
{
    (void)state;
    struct bench *bench = bench_create(ALL);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    const struct mark marks[] = {shed_at(0, 0, 90000, SEVERITY_WARNING)};

    bench->config.marks = marks;
    bench->config.mark_count = 1;
    bench->config.quotas = (struct quota_config){.events = 1, .burst = 2, .tenants_max = 10};
    for (int i = 0; i < 5; i++)
        put(feed, 1000, "info", INFO);
    put(feed, 1000, "a", MINOR);
    put(feed, 1000, "b", MINOR);
    put(feed, 1000, "c", MINOR);
    bench_run(bench);
    assert_string_equal(bench->brief,
                        "1000 opened rule shed tenant=@tocsin resource=t/0 n=1 alerts=1\n"
                        "1000 opened rule one resource=a n=1 alerts=1\n"
                        "1000 opened rule one resource=b n=1 alerts=1\n");
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 6);
    assert_int_equal(bench->counters.derived, 2);
    assert_int_equal(part_of(bench, 0).shed, 5);
    bench_destroy(bench);
}

static void L7_shedding_is_told_each_minute_of_it_and_when_it_is_over(void **state)
{
    (void)state;
    struct bench *bench = bench_create(ALL);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    /* The second of the marks at 100 holds; so does the last of those at 300, of another spell in
     * which nothing came that could be left out; the last is behind all. */
    const struct mark marks[] = {
        shed_at(0, 1, 3600000, SEVERITY_WARNING),   shed_at(0, 100, 0, SEVERITY_OK),
        shed_at(0, 100, 7200000, SEVERITY_WARNING), shed_at(0, 301, 2000, SEVERITY_OK),
        shed_at(0, 302, 5000, SEVERITY_WARNING),    shed_at(0, 303, 5000, SEVERITY_OK),
        shed_at(0, 400, 0, SEVERITY_CRITICAL)};

    bench->config.marks = marks;
    bench->config.mark_count = sizeof(marks) / sizeof(marks[0]);
    for (int i = 0; i <= 300; i++) /* five minutes */
        put(feed, 1000 * i, "r", INFO);
    put(feed, 301500, "s", MINOR);
    put(feed, 302000, "s", MINOR);
    put(feed, 303000, "s", MINOR);
    bench_run(bench);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 300);
    assert_int_equal(bench->counters.derived, 5 + 1); /* at 1, 61, ... 241 s, and its end */
    assert_int_equal(part_of(bench, 0).shed_spells, 4);
    assert_string_equal(bench->brief,
                        "0 opened rule one resource=r n=1 alerts=1\n"
                        "1000 opened rule shed tenant=@tocsin resource=t/0 n=1 alerts=1\n"
                        "300000 closed cleared one resource=r n=2 alerts=1\n" /* it expires */
                        "301500 opened rule one resource=s n=1 alerts=1\n"
                        "301500 closed cleared shed tenant=@tocsin resource=t/0 n=2 alerts=1\n");
    assert_non_null(strstr(bench->log.at, "t/0 is 1h behind: "));
    bench_destroy(bench);
}

static void L7_marks_that_say_no_severity_are_none(void **state)
{
    (void)state;
    const struct {
        int64_t value;
        bool is_possible;
    } rows[] = {{0, true},
                {6, true},
                {7, false},
                {15, false},
                {-1, false},
                {-8, false},
                {TIME_MS_MAX - 8, true},
                {TIME_MS_MAX + 8, false}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(
            mark_is_possible(&(struct mark){.kind = MARK_SHED, .value_ms = rows[i].value}),
            rows[i].is_possible);
    assert_true(mark_is_possible(&(struct mark){
        .kind = MARK_SHED, .value_ms = mark_shed_value(INT64_MAX, SEVERITY_CRITICAL)}));
    assert_int_equal(mark_shed_value(-5, SEVERITY_INFO), SEVERITY_INFO);
    assert_int_equal(mark_shed_behind(mark_shed_value(312000, SEVERITY_MAJOR)), 312000);
    assert_int_equal(mark_shed_below(mark_shed_value(312000, SEVERITY_MAJOR)), SEVERITY_MAJOR);
}

static uint64_t dice;

static uint64_t draw(uint64_t below)
{
    dice += 0x9e3779b97f4a7c15u;
    return hash_mix(dice) % below;
}

/* A record of one event or a few, of any severity. */
static void put_any(struct bench_feed *feed, int64_t at_ms)
{
    static const char *const severities[] = {"info", "info", "debug", "warning", "major"};
    char text[2048];
    size_t used = 0;
    unsigned events = draw(4) == 0 ? 2 + (unsigned)draw(6) : 1;

    used += (size_t)snprintf(text, sizeof(text), "[");
    for (unsigned i = 0; i < events; i++)
        used += (size_t)snprintf(
            text + used, sizeof(text) - used,
            "%s{\"resource\":\"r%" PRIu64
            "\",\"check\":\"down\",\"severity\":\"%s\",\"time\":%" PRId64 "%s}",
            i > 0 ? "," : "", draw(9), severities[draw(5)], BENCH_T0 + at_ms - (int64_t)draw(700),
            draw(4) == 0 ? BENCH_CLEAR : "");
    snprintf(text + used, sizeof(text) - used, "]");
    bench_put_text(feed, at_ms, text);
}

static const struct form {
    unsigned workers, epoch_ms;
    size_t take;
    uint64_t shuffle, seed;
} forms[] = {{4, 20, 512, 0, 7}, {2, 20, 1, 0, 7},   {1, 200, 7, 3, 7},
             {4, 1, 64, 4, 99},  {3, 100, 16, 5, 1}, {4, 20, 3, 6, 7}};

static void run_in(struct bench *bench, const struct form *form)
{
    bench_rewind(bench, true);
    bench->config.workers = form->workers;
    bench->config.epoch_ms = form->epoch_ms;
    bench->config.take_max = form->take;
    bench->config.shuffle = form->shuffle;
    bench->config.seed = form->seed;
    bench_run(bench);
}

/* X1: by any number of workers, and however the work is cut, the same are left out. */
static void L7_what_is_shed_depends_on_no_form_of_the_work(void **state)
{
    (void)state;
    enum { PARTS = 5, MARKS = 60 };
    struct mark marks[MARKS];
    struct bench *bench = bench_create(ALL);

    dice = 3;
    for (int p = 0; p < PARTS; p++) {
        struct bench_feed *feed = bench_feed(bench, "t", p);
        for (int64_t at = (int64_t)draw(500); at < 100000; at += (int64_t)draw(800))
            put_any(feed, at);
        int64_t offset = 0;
        for (int m = 0; m < MARKS / PARTS; m++) {
            offset += 1 + (int64_t)draw(40);
            marks[MARKS / PARTS * p + m] =
                shed_at((uint16_t)p, offset, (int64_t)draw(100000),
                        draw(2) == 0 ? SEVERITY_OK : (enum severity)(2 + draw(4)));
        }
    }
    bench->config.marks = marks;
    bench->config.mark_count = MARKS;
    bench_run(bench);
    char *log = strdup(bench->log.at);
    const struct engine_counters expected = bench->counters;
    assert_true(expected.rejected[REJECT_QUOTA] > 300 && expected.derived > 20);
    assert_non_null(strstr(bench->brief, " closed cleared shed tenant=@tocsin resource=t/"));
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        run_in(bench, &forms[i]);
        assert_string_equal(bench->log.at, log);
        assert_int_equal(bench->counters.rejected[REJECT_QUOTA], expected.rejected[REJECT_QUOTA]);
        assert_int_equal(bench->counters.derived, expected.derived);
    }
    free(log);
    bench_destroy(bench);
}

/* X1: what a live run decided by its clock, a replay has by its marks, without any configuration.
 */
static void L7_a_live_run_that_shed_is_replayed(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers += 2) {
        struct bench *bench = live_bench(workers);
        struct bench_feed *feed[3];
        for (int p = 0; p < 3; p++)
            feed[p] = bench_feed(bench, "t", p);
        bench_start(bench);
        bench_clock_move(bench, 100000);
        dice = 17 + workers;
        for (int i = 0; i < 400; i++) {
            struct bench_feed *of = feed[draw(3)];
            /* Each is behind for a while, and then it is not; the third never is. */
            bool is_behind = of != feed[2] && i / 60 % 2 == of->feed.partition % 2;
            bench_wait_behind(of, is_behind ? 100 : 0);
            put_any(of, atomic_load(&bench->wall_ms) - BENCH_T0 - (is_behind ? 15000 : 100));
            bench_pass(bench, 20 + (int64_t)draw(300), 400);
        }
        for (int p = 0; p < 3; p++)
            bench_wait_behind(feed[p], 0);
        bench_pass(bench, 20000, 500);
        bench_stop(bench);
        assert_true(bench_marks(bench, MARK_SHED) > 6);
        assert_true(bench->counters.rejected[REJECT_QUOTA] > 50);
        const uint64_t shed = bench->counters.rejected[REJECT_QUOTA];
        char *log = strdup(bench->log.at);
        struct mark *marks = malloc(bench->mark_count * sizeof(*marks));
        memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
        size_t count = 0; /* joins at the begin are none of a replay's */
        for (size_t i = 0; i < bench->mark_count; i++)
            if (marks[i].kind != MARK_JOIN)
                marks[count++] = marks[i];
        int64_t watermark = engine_watermark(bench->engine);
        bench->config.marks = marks;
        bench->config.mark_count = count;
        bench->config.until_ms = watermark;
        bench->config.shedding = (struct shed_config){.behind_ms = 0};
        for (size_t i = 0; i < 3; i++) {
            run_in(bench, &forms[i]);
            assert_memory_equal(bench->log.at, log, strlen(log));
            assert_int_equal(bench->counters.rejected[REJECT_QUOTA], shed);
        }
        free(log);
        free(marks);
        bench_destroy(bench);
    }
}

/* --- gone on with ------------------------------------------------------------------------------
 */

static struct {
    struct bench_image image;
    int64_t at_ms, to_ms, n_ms, r_ms, read[2];
    uint64_t marks;
    size_t log_bytes, log_bytes_of_step;
    bool is_again, has_recovered;
} held;

static size_t log_bytes(struct bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    size_t bytes = bench->log.used;
    pthread_mutex_unlock(&bench->lock);
    return bytes;
}

static void on_step(void *self, const struct engine_step *step)
{
    if (held.is_again)
        return;
    held.to_ms = step->to_ms;
    held.n_ms = step->n_ms;
    held.r_ms = step->r_ms;
    held.marks = step->marks;
    held.log_bytes_of_step = log_bytes(self);
    for (size_t i = 0; i < step->position_count; i++)
        held.read[step->positions[i].part] = step->positions[i].read;
}

static void on_image(void *self, const struct engine_image *image)
{
    assert_null(held.image.at);
    held.image.at = engine_image_join(image, &held.image.bytes);
    held.image.set_count = image->set_count;
    held.at_ms = image->at_ms;
    held.log_bytes = log_bytes(self);
}

static void on_recovered(void *self)
{
    (void)self;
    held.has_recovered = true;
}

static struct bench *kept_bench(void)
{
    struct bench *bench = live_bench(1);

    memset((void *)&held, 0, sizeof(held));
    bench->on_step = on_step;
    bench->on_image = on_image;
    bench->on_recovered = on_recovered;
    return bench;
}

/* The marks, which the caller frees; whoever is started next goes on with the run. */
static struct mark *stop_to_go_on(struct bench *bench, size_t parts)
{
    bench_stop(bench);
    struct mark *marks = malloc((bench->mark_count + 1) * sizeof(*marks));
    memcpy(marks, bench->mark, bench->mark_count * sizeof(*marks));
    bench_rewind(bench, false);
    bench->config.marks = marks;
    bench->config.mark_count = held.marks;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = held.to_ms,
                                                      .read = held.read,
                                                      .read_count = parts,
                                                      .n_ms = held.n_ms,
                                                      .r_ms = held.r_ms};
    held.is_again = true;
    return marks;
}

static void recover(struct bench *bench)
{
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 400 && !held.has_recovered; i++)
        bench_pass(bench, 3, 3);
    assert_true(held.has_recovered);
}

/* As a process does that died while it shed: what it had told is told again, and then it goes by
 * its own configuration, and says so by a mark before it does. */
static void L7_who_goes_on_and_sheds_otherwise_says_so_by_a_mark(void **state)
{
    (void)state;
    const struct {
        int64_t behind_ms;
        enum severity below, turned;
    } rows[] = {{0, SEVERITY_WARNING, SEVERITY_OK}, {10000, SEVERITY_MAJOR, SEVERITY_MAJOR}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench *bench = kept_bench();
        struct bench_feed *feed = bench_feed(bench, "t", 0);
        bench_start(bench);
        bench_wait_behind(feed, 70);
        bench_clock_move(bench, 100000);
        for (int r = 0; r < 10; r++)
            put_behind(feed, 1000, 20000, "r", INFO);
        put_behind(feed, 1000, 20000, "seen", MINOR);
        bench_wait_behind(feed, 0);
        bench_pass(bench, 900, 10); /* in which its epoch closes, and which is no second */
        bench_wait_behind(feed, 70);
        assert_true(part_of(bench, 0).is_shedding);
        struct mark *marks = stop_to_go_on(bench, 1);
        assert_int_equal(held.read[0], 11);
        assert_true(held.log_bytes_of_step > 0);
        bench->config.shedding.behind_ms = rows[i].behind_ms;
        bench->config.shedding.below = rows[i].below;
        recover(bench);
        assert_int_equal(log_bytes(bench), held.log_bytes_of_step);
        bench_pass(bench, 20, 10);
        assert_int_equal(bench_marks(bench, MARK_SHED), 1);
        const struct mark turned = bench_mark(bench, MARK_SHED);
        assert_int_equal(turned.offset, 11);
        assert_int_equal(turned.value_ms, mark_shed_value(20000, rows[i].turned));
        put_behind(feed, 1000, 20000, "minor", MINOR);
        bench_wait_behind(feed, 0);
        bench_pass(bench, 3000, 100);
        bench_stop(bench);
        assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 7 + i); /* from r's fourth on */
        assert_false(part_of(bench, 0).is_shedding);
        assert_int_equal(bench_marks(bench, MARK_SHED), 1 + i);
        free(marks);
        bench_destroy(bench);
    }
}

/* The third record has two events that are left out and one that lies so far ahead of the other
 * partition that it has to wait: the image is taken while it does, and has what was counted before
 * the record. */
static void L7_an_image_of_a_record_that_waits_has_what_was_shed_before_it(void **state)
{
    (void)state;
    struct bench *bench = kept_bench();
    struct bench_feed *ahead = bench_feed(bench, "t", 0), *behind = bench_feed(bench, "t", 1);
    char text[1024];

    bench->config.shedding.behind_ms = 5000;
    bench->config.shedding.until_ms = 2000;
    bench_wait_behind(ahead, 70);
    bench_answers_set(behind, false);
    bench_clock_move(bench, 200000);
    bench_start(bench);
    put(behind, 500, "s0", MINOR);
    put_behind(ahead, 100, 199500, "r0", INFO);
    put_behind(ahead, 3000, 202400, "r1", INFO);
    assert_true(part_of(bench, 0).is_shedding);
    snprintf(text, sizeof(text),
             "[{\"resource\":\"r2\",\"check\":\"down\",\"severity\":\"info\",\"time\":%" PRId64 "},"
             "{\"resource\":\"r3\",\"check\":\"down\",\"severity\":\"info\",\"time\":%" PRId64 "},"
             "{\"resource\":\"r4\",\"check\":\"down\",\"severity\":\"minor\",\"time\":%" PRId64
             "}]",
             BENCH_T0 + 2000, BENCH_T0 + 2000, BENCH_T0 + 190000);
    bench_put_text(ahead, 190000, text);
    bench_settle(bench);
    put(behind, 3000, "s1", MINOR); /* what lies before 2,500 is closed */
    bench_pass(bench, 1000, 100);
    engine_ask_image(bench->engine);
    bench_pass(bench, 1000, 100);
    put(behind, 4000, "s2", MINOR);
    bench_pass(bench, 1000, 100);
    assert_non_null(held.image.at);
    assert_in_range(held.at_ms - BENCH_T0, 1020, 5000);
    for (int i = 0; i < 200; i++)
        put(behind, 5000 + 1000 * i, "s3", MINOR);
    bench_pass(bench, 3000, 100);
    assert_int_equal(part_of(bench, 0).shed, 3); /* r1, r2, r3 */
    struct mark *marks = stop_to_go_on(bench, 2);
    const struct engine_counters expected = bench->counters;
    assert_int_equal(held.read[0], 3);
    char *log = strdup(bench->log.at + held.log_bytes);
    size_t bytes = held.log_bytes_of_step - held.log_bytes;

    rule_set_destroy(bench->rules);
    bench->rules = held.image.set[0] = parse_good(ALL);
    bench->image = &held.image;
    words.used = 0;
    recover(bench);
    assert_true(bytes > 0 && log_bytes(bench) == bytes);
    assert_memory_equal(bench->log.at, log, bytes);
    bench_wait_behind(ahead, 0);
    bench_pass(bench, 3000, 100);
    /* What was counted before the image is in it, and what the record did by then is not. */
    assert_string_equal(words_said(), "t/0/3 behind 0 waiting 0 below ok count 3\n");
    bench_stop(bench);
    assert_int_equal(bench->counters.rejected[REJECT_QUOTA], 3);
    assert_int_equal(bench->counters.events, expected.events);
    assert_int_equal(bench->counters.derived, expected.derived);
    free(log);
    free(marks);
    free(held.image.at);
    bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(L7_a_partition_that_stays_behind_sheds_until_it_has_caught_up),
        cmocka_unit_test(L7_who_reads_to_the_end_sheds_nothing),
        cmocka_unit_test(L7_nothing_is_shed_that_nobody_configured),
        cmocka_unit_test(L7_who_falls_behind_and_catches_up_makes_few_marks),
        cmocka_unit_test(L7_what_is_below_is_left_out_event_by_event),
        cmocka_unit_test(L7_what_is_shed_takes_nothing_of_a_quota),
        cmocka_unit_test(L7_shedding_is_told_each_minute_of_it_and_when_it_is_over),
        cmocka_unit_test(L7_marks_that_say_no_severity_are_none),
        cmocka_unit_test(L7_what_is_shed_depends_on_no_form_of_the_work),
        cmocka_unit_test(L7_a_live_run_that_shed_is_replayed),
        cmocka_unit_test(L7_who_goes_on_and_sheds_otherwise_says_so_by_a_mark),
        cmocka_unit_test(L7_an_image_of_a_record_that_waits_has_what_was_shed_before_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
