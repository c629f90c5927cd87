/*
 * Aim: answers agree with what happened. Method: random recordings; the answer about every event is
 * held against what the engine told of it, the members of every incident against those it joined.
 */
#include "tests/sanitized.h"
#include "tests/why_bench.h"

static struct bench *random_bench(unsigned seed)
{
    struct bench *bench = bench_create(why_rules);
    struct bench_feed *feed = bench_feed(bench, "t", 0);
    static const char *const values[] = {VALUE("95"), VALUE("99"), VALUE("71"), BENCH_CLEAR};

    bench->config.expire_ms = 3000;
    bench->config.flap_start = 4;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 1000;
    for (int64_t i = 0, at = 0; i < TOLD_EVENTS; i++) {
        char resource[32];
        at += rand_r(&seed) % 12 == 0 ? 4000 : rand_r(&seed) % 300;
        snprintf(resource, sizeof(resource), "db%d/%c", rand_r(&seed) % 2, 'a' + rand_r(&seed) % 4);
        if (rand_r(&seed) % 4 == 0)
            bench_put(feed, at, resource, "fan", rand_r(&seed) % 3 == 0 ? BENCH_CLEAR : RACK("r1"));
        else
            bench_put(feed, at, resource, "disk", values[rand_r(&seed) % 4]);
    }
    return bench;
}

/* The members in the answer are those that the engine had, each once. */
static void check_members(struct bench *bench, const struct told *told, struct id128 id,
                          unsigned seed)
{
    struct why_question question;
    struct error err = {""};
    char hex[ID128_TEXT_BYTES];
    size_t members = 0, named = 0;

    id128_format(id, hex);
    assert_int_equal(why_ask_incident(hex, &question, &err), 0);
    struct why *why = answer(bench, &question);
    assert_true(why_found(why));
    for (size_t j = 0; j < told->join_count; j++) {
        if (!id128_equal(told->join[j].incident, id))
            continue;
        members++;
        const char *name = "";
        for (size_t a = 0; a < told->alert_count; a++)
            if (id128_equal(told->alert[a].id, told->join[j].alert))
                name = told->alert[a].name;
        bool is_named = false;
        for (size_t m = 0; why_member(why, m) != NULL; m++)
            is_named = is_named || strcmp(why_member(why, m), name) == 0;
        if (!is_named)
            fail_msg("seed %u: %s is a member of %s and not named", seed, name, hex);
    }
    while (why_member(why, named) != NULL)
        named++;
    if (named != members)
        fail_msg("seed %u: %s has %zu members, and %zu are named", seed, hex, members, named);
    why_destroy(why);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The answer about an event says what it was counted as. */
static void check_event(struct bench *bench, const struct told *told, int64_t offset, unsigned seed)
{
    const struct told_event *event = &told->event[offset];
    struct why_question question;
    struct error err = {""};
    char asked[64];

    snprintf(asked, sizeof(asked), "t/0/%" PRId64, offset);
    assert_int_equal(why_ask_whynot(asked, &question, &err), 0);
    struct why *why = answer(bench, &question);
    const char *said = why_verdict(why);
    bool fits = event->is_clear ? begins(said, "it is a clear") || begins(said, "folded: ")
                : event->counted == TRACE_DUPLICATE
                    ? begins(said, "folded") || strstr(said, "; besides, it is repeat ") != NULL
                : event->counted == TRACE_UNMATCHED
                    ? begins(said, "no rule matches")
                    : begins(said, "rule ") || begins(said, "it opened") ||
                          begins(said, "it joined") || begins(said, "it is in incident") ||
                          begins(said, "it ended its alert for rule");
    if (!fits || strstr(said, "not met again") != NULL)
        fail_msg("seed %u: %s, counted %d, clear %d: %s", seed, asked, event->counted,
                 event->is_clear, said);
    why_destroy(why);
}

static void answers_agree_with_what_happened(void **state)
{
    (void)state;
    enum { SEEDS = ROUNDS(8, 2) };
    static struct told told;
    size_t incidents = 0;

    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        struct bench *bench = random_bench(seed);
        listen_to(bench, &told);
        for (size_t i = 0; i < told.incident_count; i++)
            check_members(bench, &told, told.incident[i], seed);
        for (int64_t offset = 0; offset < TOLD_EVENTS; offset++)
            check_event(bench, &told, offset, seed);
        incidents += told.incident_count;
        bench_destroy(bench);
    }
    assert_true(incidents > SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_agree_with_what_happened),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
