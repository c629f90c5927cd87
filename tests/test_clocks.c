/*
 * Aim: whatever times events carry, and whatever the wall clock does meanwhile, the same records
 * and marks give the same log (X1), and the wall clock shows nowhere (T6). Method: live runs on
 * virtual time over every shape of event times that we could think of, each with every way of
 * setting the clock; one of three partitions is silent. Then each is replayed from its records and
 * marks, by one to three workers in another order of reading.
 */
#include "tests/engine_bench.h"

enum { TURNS = 30, TURN_MS = 100, PARTITIONS = 3 };
#define DAYS_400 (INT64_C(400) * 86400 * 1000)

/* Of the n-th event, at `now_ms`. */
struct times {
    int64_t log_ms, own_ms;
};

static struct times in_order(int n, int64_t now_ms)
{
    return (struct times){now_ms, now_ms - n % 30};
}

static struct times all_equal(int n, int64_t now_ms)
{
    (void)n, (void)now_ms;
    return (struct times){0, 0};
}

static struct times own_all_equal(int n, int64_t now_ms)
{
    (void)n;
    return (struct times){now_ms, 0};
}

static struct times backwards(int n, int64_t now_ms)
{
    (void)n;
    return (struct times){TURNS * TURN_MS - now_ms, TURNS * TURN_MS - now_ms};
}

static struct times own_backwards(int n, int64_t now_ms)
{
    (void)n;
    return (struct times){now_ms, -now_ms};
}

static struct times own_far_future(int n, int64_t now_ms)
{
    return (struct times){now_ms, n % 3 == 0 ? now_ms + DAYS_400 : now_ms};
}

static struct times own_far_past(int n, int64_t now_ms)
{
    return (struct times){now_ms, n % 3 == 0 ? now_ms - DAYS_400 : now_ms};
}

static struct times far_future(int n, int64_t now_ms)
{
    int64_t at = n % 7 == 5 ? now_ms + DAYS_400 : now_ms;

    return (struct times){at, at};
}

static struct times far_past(int n, int64_t now_ms)
{
    int64_t at = n % 7 == 5 ? now_ms - DAYS_400 : now_ms;

    return (struct times){at, at};
}

static const struct shape {
    const char *name;
    struct times (*times)(int n, int64_t now_ms);
    bool is_clamped, is_capped, is_late; /* what has to have happened, or the shape is none */
} shapes[] = {
    {"in order", in_order, false, false, false},
    {"all equal", all_equal, false, false, false},
    {"own times all equal", own_all_equal, false, false, false},
    {"backwards", backwards, true, true, true},
    {"own times backwards", own_backwards, false, false, true},
    {"own times far in the future", own_far_future, true, false, false},
    {"own times far in the past", own_far_past, true, false, false},
    {"log times far in the future", far_future, true, true, true},
    {"log times far in the past", far_past, false, false, true},
};

/* By how much the wall clock is set in this turn, beside going on. */
static int64_t calm(int turn)
{
    (void)turn;
    return 0;
}

static int64_t ahead(int turn)
{
    return turn == TURNS / 3 ? DAYS_400 : 0;
}

static int64_t back(int turn)
{
    return turn == TURNS / 3 ? -DAYS_400 : 0;
}

static int64_t to_and_fro(int turn)
{
    return turn % 2 == 0 ? 1000 : -1000;
}

static int64_t in_steps(int turn)
{
    (void)turn;
    return -1000;
}

static int64_t (*const clocks[])(int turn) = {calm, ahead, back, to_and_fro, in_steps};

static struct bench *live(const struct shape *shape, int64_t (*clock)(int turn))
{
    struct bench *bench = bench_create(BENCH_RULE_ONE);
    struct bench_feed *feed[PARTITIONS];
    int n = 0;

    bench_go_live(bench);
    bench->config.workers = 2;
    for (int p = 0; p < PARTITIONS; p++) {
        feed[p] = bench_feed(bench, "t", p); /* the last one is silent */
        feed[p]->is_ahead = true;
    }
    bench_start(bench);
    bench_settle(bench);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int p = 0; p < PARTITIONS - 1; p++, n++) {
            struct times times = shape->times(n, turn * TURN_MS);
            char resource[16], more[64];
            snprintf(resource, sizeof(resource), "r%d", n % 11);
            snprintf(more, sizeof(more), ",\"time\":%" PRId64 "%s", BENCH_T0 + times.own_ms,
                     n % 5 == 4 ? BENCH_CLEAR : "");
            bench_put(feed[p], times.log_ms, resource, "down", more);
        }
        bench_settle(bench);
        atomic_fetch_add(&bench->wall_ms, clock(turn));
        bench_pass(bench, TURN_MS, TURN_MS);
    }
    bench_pass(bench, 2000, 250);
    bench_stop(bench);
    assert_int_equal(bench->counters.records, n);
    if ((bench->counters.time_clamped > 0) != shape->is_clamped ||
        (bench->counters.capped > 0) != shape->is_capped ||
        (bench->counters.late + bench->counters.late_by_seal > 0) != shape->is_late)
        fail_msg("%s: %" PRIu64 " clamped, %" PRIu64 " capped, %" PRIu64 " late", shape->name,
                 bench->counters.time_clamped, bench->counters.capped,
                 bench->counters.late + bench->counters.late_by_seal);
    return bench;
}

static char *kept(const struct bench_text *text)
{
    char *copy = malloc(text->used + 1);

    assert_non_null(copy);
    memcpy(copy, text->at, text->used);
    copy[text->used] = '\0';
    return copy;
}

/* One has told more than the other, which had come less far. */
static bool is_one_story(const char *a, const char *b)
{
    size_t common = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

    return common > 1000 && strncmp(a, b, common) == 0;
}

/* What was told live is what a replay says first. */
static void replay(struct bench *bench, unsigned workers, const struct shape *shape, size_t clock)
{
    size_t count = bench->mark_count;
    struct mark *marks = malloc((count + 1) * sizeof(*marks));
    char *told = kept(&bench->log);

    assert_non_null(marks);
    memcpy(marks, bench->mark, count * sizeof(*marks));
    bench_rewind(bench, true);
    bench->config.workers = workers;
    bench->config.shuffle = clock + 1;
    bench->config.marks = marks;
    bench->config.mark_count = count;
    bench_run(bench);
    if (bench->log.used < strlen(told) || !is_one_story(bench->log.at, told))
        fail_msg("%s, clock %zu: the replay by %u workers is another story", shape->name, clock,
                 workers);
    free(told);
    free(marks);
}

static void X1_T6_no_shape_of_times_and_no_clock_shows(void **state)
{
    (void)state;
    enum { CLOCKS = sizeof(clocks) / sizeof(clocks[0]) };
    size_t compared = 0;

    for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
        char *first = NULL;
        for (size_t c = 0; c < CLOCKS; c++) {
            struct bench *bench = live(&shapes[s], clocks[c]);
            bool is_pure = bench->counters.late_by_seal == 0 && bench->counters.capped == 0;
            if (is_pure && first == NULL) {
                first = kept(&bench->log);
            } else if (is_pure) {
                compared++;
                if (!is_one_story(bench->log.at, first))
                    fail_msg("%s: clock %zu shows", shapes[s].name, c);
            }
            replay(bench, 1 + (unsigned)(c % 3), &shapes[s], c);
            bench_destroy(bench);
        }
        free(first);
    }
    /* Of these shapes no seal can change anything: there is none, or it lies before all events. */
    assert_true(compared >= 3 * (CLOCKS - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(X1_T6_no_shape_of_times_and_no_clock_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
