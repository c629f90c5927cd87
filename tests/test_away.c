/*
 * Aim (T4, X1, C7): what is pushed comes to nobody while the daemon is away, so a start makes
 * nobody missing and lets nothing expire that was pushed, and topics, which kept what came, show no
 * difference; what it decided is told again, and replayed, from its marks. Method: live runs on
 * virtual time with the intake as one of two feeds. A run ends, the clock moves by 40 s, what came
 * over the topic meanwhile waits, and another run goes on with what the last step said it needs.
 */
#include "base/act.h"
#include "base/vector.h"
#include "correlate/away.h"
#include "ingest/intake_source.h"
#include "tests/engine_bench.h"

enum { FEEDS = 2, TOPIC = 0, INTAKE = 1, BEAT_MS = 5000, AWAY_MS = 40000 };

#define NOTE(id, close)                                                                            \
    "  - id: " id "\n    where: check == \"note\"\n    by: [resource]\n    window: 1m\n"           \
    "    when: count() >= 1\n    incident: {title: \"{resource}\"}\n    close: " close "\n"
#define RULES                                                                                      \
    BENCH_RULE_ONE                                                                                 \
    "  - id: alive\n    where: check == \"hb\"\n    by: [resource]\n    expect: {every: 15s}\n"    \
    "    incident: {title: \"{resource} is silent\"}\n    close: cleared()\n"                      \
    "  - id: blind\n    where: check == \"input-blind\"\n    by: [resource]\n    window: 1m\n"     \
    "    when: count() >= 1\n    incident: {title: \"{message}\"}\n    close: cleared()\n" NOTE(   \
        "calm", "quiet(20s)") NOTE("few", "fewer(1, 20s)")

/* What the last step said, and all marks that were made until then, in all runs. */
static struct last {
    int64_t to_ms, n_ms, r_ms;
    uint64_t marks;
    int64_t read[FEEDS];
} last;
static VECTOR_OF(struct mark) known;
static struct bench_image shot;
static size_t recovered_count;

static void on_step(void *self, const struct engine_step *step)
{
    (void)self;
    last = (struct last){
        .to_ms = step->to_ms, .n_ms = step->n_ms, .r_ms = step->r_ms, .marks = step->marks};
    for (size_t i = 0; i < step->position_count; i++)
        last.read[step->positions[i].part] = step->positions[i].read;
}

static void on_recovered(void *self)
{
    (void)self;
    recovered_count++;
}

/* Nobody changes the rules here, so its set is the bench's. */
static void on_image(void *self, const struct engine_image *image)
{
    (void)self;
    free(shot.at);
    shot.at = engine_image_join(image, &shot.bytes);
    shot.set_count = image->set_count;
    assert_int_equal(shot.set_count, 1);
}

static int64_t now_of(struct bench *bench)
{
    return atomic_load(&bench->wall_ms) - BENCH_T0;
}

static struct bench *begin(unsigned workers)
{
    struct bench *bench = bench_create(RULES);

    bench_go_live(bench);
    bench->config.workers = workers;
    bench->on_step = on_step;
    bench->on_recovered = on_recovered;
    bench->on_image = on_image;
    bench_feed(bench, "t", 0)->is_ahead = true;
    bench_feed(bench, INTAKE_TOPIC, INTAKE_PARTITION)->is_ahead = true;
    known.count = 0;
    recovered_count = 0;
    return bench;
}

static void end(struct bench *bench)
{
    bench_destroy(bench);
    free(known.at);
    known.at = NULL;
    known.count = known.room = 0;
    free(shot.at);
    shot = (struct bench_image){.at = NULL};
}

/* Who is there sends a sign of life and a problem every 5 s: `topic` over the topic, `pushed` by a
 * push. */
static void beat(struct bench *bench, int feed, const char *resource, int64_t at_ms)
{
    bench_put(bench->feed[feed], at_ms, resource, "hb", "");
    bench_put(bench->feed[feed], at_ms, resource, "down", "");
}

static void live(struct bench *bench, int64_t ms)
{
    for (int64_t at = 0; at < ms; at += BEAT_MS) {
        beat(bench, TOPIC, "topic", now_of(bench));
        beat(bench, INTAKE, "pushed", now_of(bench));
        bench_settle(bench);
        bench_pass(bench, BEAT_MS, 1250);
    }
}

/* The run ends; its marks and those before are what the next one has. */
static void stop(struct bench *bench)
{
    bench_stop(bench);
    for (size_t i = 0; i < last.marks; i++)
        if (known.count == 0 || recovered_count == 0 ||
            (bench->mark[i].kind != MARK_JOIN && bench->mark[i].kind != MARK_BEGIN))
            vector_add(&known) = bench->mark[i];
}

/* Over the topic all came meanwhile. */
static void away(struct bench *bench)
{
    bench_rewind(bench, false);
    for (int64_t at = 0; at < AWAY_MS; at += BEAT_MS)
        beat(bench, TOPIC, "topic", now_of(bench) + at);
    bench_clock_move(bench, AWAY_MS);
}

static void go_on(struct bench *bench)
{
    static struct last before;
    size_t recovered = recovered_count;

    before = last;
    bench->config.marks = known.at;
    bench->config.mark_count = known.count;
    bench->config.recovery = (struct engine_recovery){.is_wanted = true,
                                                      .until_ms = before.to_ms,
                                                      .read = before.read,
                                                      .read_count = FEEDS,
                                                      .n_ms = before.n_ms,
                                                      .r_ms = before.r_ms};
    bench_start(bench);
    bench_settle(bench);
    for (int i = 0; i < 200 && recovered_count == recovered; i++)
        bench_pass(bench, 3, 3);
    assert_int_equal(recovered_count, recovered + 1);
    bench->image = NULL;
}

static int64_t mark_ms(const struct bench *bench, enum mark_kind kind)
{
    const struct mark mark = bench_mark(bench, kind);

    assert_int_equal(bench_marks(bench, kind), 1);
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 0);
    assert_int_equal(mark.part, INTAKE);
    return mark.value_ms - BENCH_T0;
}

static void T4_a_start_makes_nobody_missing_and_lets_nothing_expire(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    char expected[1024];

    bench->config.expire_ms = 20000;
    bench_start(bench);
    bench_settle(bench);
    beat(bench, INTAKE, "gone", 0);
    live(bench, 10000);
    stop(bench);
    int64_t told_ms = last.to_ms - BENCH_T0;
    away(bench);
    go_on(bench);
    bench_pass(bench, 2000, 500);
    assert_in_range(mark_ms(bench, MARK_AWAY_BEGIN), told_ms, told_ms);
    int64_t end_ms = mark_ms(bench, MARK_AWAY_END);
    assert_in_range(end_ms, 10000 + AWAY_MS, now_of(bench));
    live(bench, 10000);
    assert_null(strstr(bench->brief, "rule alive resource=pushed"));
    assert_null(strstr(bench->brief, "rule alive resource=topic"));
    assert_null(strstr(bench->brief, "rule blind"));
    live(bench, 15000);
    /* What was not pushed again has what any other has, from the start on. */
    snprintf(expected, sizeof(expected), "%" PRId64 " closed cleared one resource=gone n=2",
             end_ms + 20000);
    assert_non_null(strstr(bench->brief, expected));
    assert_null(strstr(bench->brief, "cleared one resource=pushed"));
    assert_null(strstr(bench->brief, "cleared one resource=topic"));
    bench_stop(bench);
    end(bench);
}

/* `every` behind the start; over a topic nothing was unseen. */
static void T4_who_stays_silent_after_a_start_is_missed(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    char expected[256];

    bench_start(bench);
    bench_settle(bench);
    live(bench, 10000);
    stop(bench);
    away(bench);
    go_on(bench);
    bench_pass(bench, 1000, 500);
    const int64_t missed_ms = mark_ms(bench, MARK_AWAY_END) + 15000;
    snprintf(expected, sizeof(expected), "%" PRId64 " opened rule alive resource=pushed",
             missed_ms);
    for (int i = 0; i < 60 && engine_watermark(bench->engine) < BENCH_T0 + missed_ms + 1000; i++)
        bench_pass(bench, 5000, 5000);
    assert_non_null(strstr(bench->brief, expected));
    assert_non_null(strstr(bench->brief, "60000 opened rule alive resource=topic"));
    bench_stop(bench);
    end(bench);
}

/* The times of the marks of spells of each run lie inside of one another's, however short the run
 * was; and what was told is told again, also as a recording. */
static void X1_what_a_start_decided_is_told_again(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 3; workers++) {
        struct bench *bench = begin(workers);
        char *log = NULL;
        size_t bytes = 0;

        bench->config.expire_ms = 20000;
        bench_start(bench);
        bench_settle(bench);
        beat(bench, INTAKE, "gone", 0);
        live(bench, 10000);
        stop(bench);
        for (int life = 0; life < 3; life++) {
            away(bench);
            go_on(bench);
            assert_true(bench->log.used >= bytes);
            if (bytes > 0)
                assert_memory_equal(bench->log.at, log, bytes);
            bench_pass(bench, 500, 250);
            live(bench, (int64_t[]){10000, 0, 25000}[life]);
            stop(bench);
            bytes = bench->log.used;
            log = realloc(log, bytes + 1);
            memcpy(log, bench->log.at, bytes);
        }
        assert_null(strstr(bench->brief, "rule alive resource=pushed"));
        assert_null(strstr(bench->brief, "rule alive resource=topic"));
        assert_non_null(strstr(bench->brief, "rule alive resource=gone"));
        assert_non_null(strstr(bench->brief, "cleared one resource=gone"));
        bench->config.recovery.is_wanted = false;
        bench->config.marks = known.at;
        bench->config.mark_count = known.count;
        bench_rewind(bench, true);
        bench_run(bench);
        assert_true(bench->log.used >= bytes);
        assert_memory_equal(bench->log.at, log, bytes);
        free(log);
        end(bench);
    }
}

/* Where nothing ever was pushed a start decides nothing: what people do comes the same way. */
static void T4_where_nothing_was_pushed_nobody_was_away(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    const struct act act = {.who = {"ada", 3}};

    bench_start(bench);
    bench_settle(bench);
    beat(bench, TOPIC, "topic", 0);
    bench_put_record(bench->feed[INTAKE], 0, &(struct record){.act = &act});
    bench_settle(bench);
    bench_pass(bench, 3000, 500);
    stop(bench);
    away(bench);
    go_on(bench);
    bench_pass(bench, 3000, 500);
    assert_int_equal(bench_marks(bench, MARK_AWAY_BEGIN), 0);
    assert_int_equal(bench_marks(bench, MARK_AWAY_END), 0);
    bench_stop(bench);
    end(bench);
}

/* Until the run has come there: rounds that may be over a bound take a look at the clock each. */
static void pass_to(struct bench *bench, int64_t ms)
{
    for (int i = 0; i < 2000 && engine_watermark(bench->engine) < BENCH_T0 + ms; i++)
        bench_pass(bench, 5, 5);
    assert_true(engine_watermark(bench->engine) >= BENCH_T0 + ms);
}

/* Each start begins the wait anew, but three of them of what the daemon was there for are enough.
 */
static void T4_who_is_silent_over_many_starts_is_missed_all_the_same(void **state)
{
    (void)state;
    struct bench *bench = begin(2);
    int64_t up_ms = 0, from_ms = BENCH_T0, missed_ms = 0;
    char expected[256];

    bench_start(bench);
    bench_settle(bench);
    beat(bench, INTAKE, "gone", 0);
    live(bench, 10000);
    for (int starts = 0; starts < 9; starts++) {
        stop(bench);
        away(bench);
        go_on(bench);
        bench_pass(bench, 500, 250);
        live(bench, 10000);
    }
    stop(bench);
    for (size_t i = 0; i < known.count && missed_ms == 0; i++) {
        const struct mark *mark = &known.at[i];
        if (mark->kind == MARK_AWAY_BEGIN && up_ms + mark->value_ms - from_ms > 45000)
            missed_ms = from_ms + 45000 - up_ms;
        else if (mark->kind == MARK_AWAY_BEGIN)
            up_ms += mark->value_ms - from_ms;
        else if (mark->kind == MARK_AWAY_END)
            from_ms = mark->value_ms;
    }
    snprintf(expected, sizeof(expected), "%" PRId64 " opened rule alive resource=gone",
             missed_ms - BENCH_T0);
    if (strstr(bench->brief, expected) == NULL)
        fail_msg("not %s:\n%s", expected, bench->brief);
    assert_null(strstr(bench->brief, "rule alive resource=pushed"));
    assert_null(strstr(bench->brief, "rule alive resource=topic"));
    end(bench);
}

/* What closes because nothing comes does not while nothing could come. */
static void T4_an_incident_of_what_was_pushed_is_not_quiet_while_nobody_can_push(void **state)
{
    (void)state;
    struct bench *bench = begin(1);
    char expected[256];

    bench_start(bench);
    bench_settle(bench);
    live(bench, 5000);
    for (int f = 0; f < FEEDS; f++)
        for (int c = 0; c < 2; c++) {
            const char *who = (const char *[]){"once", "pushed"}[f == INTAKE ? c : 0];
            if (f == TOPIC && c == 1)
                continue;
            bench_put(bench->feed[f], 5000, f == TOPIC ? "topic" : who, "note", "");
            bench_put(bench->feed[f], 6000, f == TOPIC ? "topic" : who, "note", BENCH_CLEAR);
        }
    live(bench, 5000);
    stop(bench);
    away(bench);
    go_on(bench);
    live(bench, 10000);
    bench_put(bench->feed[INTAKE], now_of(bench), "pushed", "note", "");
    live(bench, 15000);
    const int64_t end_ms = mark_ms(bench, MARK_AWAY_END);
    assert_null(strstr(bench->brief, "quiet calm resource=pushed"));
    assert_non_null(strstr(bench->brief, "25000 closed fewer few resource=topic"));
    assert_non_null(strstr(bench->brief, "26000 closed quiet calm resource=topic"));
    snprintf(expected, sizeof(expected), "%" PRId64 " closed quiet calm resource=once",
             end_ms + 20000);
    assert_non_null(strstr(bench->brief, expected));
    snprintf(expected, sizeof(expected), "%" PRId64 " closed fewer few resource=once",
             end_ms + 20000);
    assert_non_null(strstr(bench->brief, expected));
    bench_stop(bench);
    end(bench);
}

/* A log that the disk does not give is a fault, and a stop of the daemon is none. */
static void T4_an_intake_that_cannot_be_read_is_told_of(void **state)
{
    (void)state;
    struct bench *bench = begin(1);

    bench_start(bench);
    bench_settle(bench);
    live(bench, 5000);
    stop(bench);
    away(bench);
    go_on(bench);
    live(bench, 5000);
    assert_null(strstr(bench->brief, "rule blind"));
    bench_state_set(bench->feed[INTAKE], FEED_STOPPED);
    for (int i = 0; i < 5; i++) {
        beat(bench, TOPIC, "topic", now_of(bench));
        bench_settle(bench);
        bench_pass(bench, 5000, 1250);
    }
    assert_int_equal(bench_marks(bench, MARK_BLIND_BEGIN), 1);
    assert_non_null(strstr(bench->brief, "opened rule blind tenant=@tocsin resource=@intake/-1"));
    bench_stop(bench);
    end(bench);
}

/* An image says what was pushed and since when nobody could: one from inside of the spell, from
 * behind it, and with a bound that takes alerts meanwhile. */
static void X1_a_run_goes_on_from_an_image_of_a_spell(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        const bool is_inside = (round & 1) != 0, is_bounded = (round & 2) != 0;
        struct bench *bench = begin(1 + (unsigned)round % 2 * 2);
        char name[16], *log;
        size_t bytes;

        bench->config.expire_ms = 6000;
        bench->config.alerts_max = is_bounded ? 12 : 1000;
        bench_start(bench);
        bench_settle(bench);
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof(name), "g%d", i);
            bench_put(bench->feed[INTAKE], 1000 + i * 300, name, "down", "");
        }
        live(bench, 5000);
        stop(bench);
        away(bench);
        const int64_t back_ms = now_of(bench);
        bench->feed[TOPIC]->count -= 4; /* what came last has not been read yet */
        bench_answers_set(bench->feed[TOPIC], false);
        go_on(bench);
        pass_to(bench, 29000); /* what was pushed would have expired */
        assert_true(engine_watermark(bench->engine) < BENCH_T0 + back_ms);
        if (is_inside)
            engine_ask_image(bench->engine);
        bench_pass(bench, 1000, 250);
        pthread_mutex_lock(&bench->feed[TOPIC]->lock);
        bench->feed[TOPIC]->count += 4;
        pthread_mutex_unlock(&bench->feed[TOPIC]->lock);
        bench_answers_set(bench->feed[TOPIC], true);
        pass_to(bench, back_ms);
        if (!is_inside)
            engine_ask_image(bench->engine);
        for (int i = 0; i < 6; i++) {
            snprintf(name, sizeof(name), "t%d", i);
            bench_put(bench->feed[TOPIC], now_of(bench), name, "down", "");
        }
        pass_to(bench, now_of(bench));
        assert_non_null(shot.at);
        live(bench, 10000);
        stop(bench);
        bytes = bench->log.used;
        log = memcpy(malloc(bytes + 1), bench->log.at, bytes);
        assert_non_null(strstr(bench->brief, "one resource=g5"));

        /* From the image what was told before it is not told again. */
        bench_rewind(bench, false);
        shot.set[0] = bench->rules;
        bench->image = &shot;
        bench->config.recovery.is_wanted = true;
        go_on(bench);
        bench_stop(bench);
        assert_true(bench->log.used > 0 && bench->log.used <= bytes);
        assert_memory_equal(bench->log.at, log + bytes - bench->log.used, bench->log.used);
        free(log);
        end(bench);
    }
}

/* Questions about spells, of an engine of which nothing else is needed. */
static void T4_a_wait_begins_anew_three_times_at_most(void **state)
{
    (void)state;
    static struct away_spell spells[] = {{100, 200}, {230, 300}, {400, 500}, {505, 600}};
    static const struct {
        int64_t since_ms, wait_ms, now_ms, due_ms;
    } rows[] = {
        {0, 99, 1000, 99},                        /* over before */
        {0, 100, 1000, 665},  {0, 100, 229, 300}, /* what has not begun is not known */
        {90, 20, 1000, 220},                      /* the whole of it, from the first end on */
        {150, 20, 1000, 220}, /* it came while nobody could push: what had been kept */
        {150, 40, 1000, 340}, {200, 30, 1000, 330}, /* a spell begins when it is due */
        {201, 28, 1000, 229}, {450, 10, 1000, 610}, {601, 10, 1000, 611},
    };
    struct engine *engine = calloc(1, sizeof(*engine));

    engine->away.at = spells;
    engine->away.count = sizeof(spells) / sizeof(spells[0]);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (away_due(engine, rows[i].since_ms, rows[i].wait_ms, rows[i].now_ms) != rows[i].due_ms)
            fail_msg("row %zu: %" PRId64, i,
                     away_due(engine, rows[i].since_ms, rows[i].wait_ms, rows[i].now_ms));
    assert_null(away_at(engine, 99));
    assert_ptr_equal(away_at(engine, 100), &spells[0]);
    assert_ptr_equal(away_at(engine, 399), &spells[1]);
    assert_ptr_equal(away_at(engine, INT64_MAX), &spells[3]);
    free(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T4_a_start_makes_nobody_missing_and_lets_nothing_expire),
        cmocka_unit_test(T4_who_stays_silent_after_a_start_is_missed),
        cmocka_unit_test(X1_what_a_start_decided_is_told_again),
        cmocka_unit_test(T4_who_is_silent_over_many_starts_is_missed_all_the_same),
        cmocka_unit_test(T4_an_incident_of_what_was_pushed_is_not_quiet_while_nobody_can_push),
        cmocka_unit_test(T4_an_intake_that_cannot_be_read_is_told_of),
        cmocka_unit_test(X1_a_run_goes_on_from_an_image_of_a_spell),
        cmocka_unit_test(T4_a_wait_begins_anew_three_times_at_most),
        cmocka_unit_test(T4_where_nothing_was_pushed_nobody_was_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
