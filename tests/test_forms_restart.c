/*
 * Aim (X5, C7): keys that are on their way from a former form of an absence to the one in force get
 * there over a restart as without one. Method: lives of the daemon's parts on a disk in memory and
 * virtual time (tests/durable_world.h). A reload changes `every` of one rule, and takes the list of
 * another away; the run is killed, or stops and leaves a snapshot, at each place between that and
 * the last key's hand-over. What all lives told together is what one undisturbed life tells, byte
 * for byte, and that is worked out by hand.
 *
 *   ms     0  d heard     3000 missed (former)                  8100 heard: goes over, 12100 missed
 *          2000  a heard                  5000 goes over, 6000 missed
 *          2100  b heard                  5100 goes over, 6100 missed, 8000 heard, 12000 missed
 *          2200  e heard, f only listed   6000 f leaves,  8200 e goes over, 11200 missed
 *
 * The reload is asked for at 4000; what is told and done lies half a second behind the clock.
 */
#include "tests/durable_world.h"

#define ABSENCE(id, expect, title)                                                                 \
    "  - {id: " id ", where: check == \"" id "\", by: [resource], expect: {" expect "}, "          \
    "incident: {title: \"" title "\"}, close: cleared()}\n"
#define FORMER                                                                                     \
    "rules:\n" ABSENCE("one", "every: 3s", "former")                                               \
        ABSENCE("two", "every: 6s, keys: [{resource: e}, {resource: f}]", "former")
#define NEW "rules:\n" ABSENCE("one", "every: 4s", "new") ABSENCE("two", "every: 9s", "new")

enum { RELOAD_MS = 4000, END_MS = 14000, TICK_MS = 500, STOPS_MAX = 3 };

static const struct {
    int64_t at_ms;
    const char *resource, *check;
} beats[] = {{0, "d", "one"},    {2000, "a", "one"}, {2100, "b", "one"},
             {2200, "e", "two"}, {8000, "b", "one"}, {8100, "d", "one"}};

static const char *const expected = "3000 opened d former\n"
                                    "6000 opened a new\n"
                                    "6100 opened b new\n"
                                    "8000 closed b new\n"
                                    "8100 closed d former\n"
                                    "11200 opened e new\n"
                                    "12000 opened b new\n"
                                    "12100 opened d new\n";

/* Where a life ends before its time, and whether the next one has an image of it or only the
 * journal and the records. */
struct stop {
    int64_t at_ms; /* 0: no more */
    bool leaves_image;
};

static struct world world;
static struct bench_text told; /* by all lives */
static int64_t tick_ms;        /* when the next of the other events comes */

static int64_t now_ms(void)
{
    return atomic_load(&world.bench->wall_ms) - BENCH_T0;
}

static void let_pass_to(int64_t at_ms)
{
    bench_settle(world.bench);
    if (now_ms() < at_ms)
        bench_pass(world.bench, at_ms - now_ms(), 100);
}

/* Other events come all the while, and carry time on. */
static void pass_to(int64_t at_ms)
{
    for (; tick_ms <= at_ms; tick_ms += TICK_MS) {
        let_pass_to(tick_ms);
        bench_put(world.bench->feed[1], tick_ms, "t", "tick", "");
    }
    let_pass_to(at_ms);
}

static void begin_life(const char *rules)
{
    if (world_start(&world, rules, 0) != EXIT_OK)
        fail_msg("%s", world.why.text);
    if (!world_recover(&world))
        fail_msg("it does not recover: %s", world.why.text);
}

/* Of a kill nothing is left but what was durable by then. */
static void end_life(const struct stop *stop)
{
    world_sync(&world);
    world.takes_last = stop->leaves_image;
    if (!stop->leaves_image)
        sim.crash_at = sim.calls + 1;
    int code = world_stop(&world);
    if (!stop->leaves_image)
        sim_disk_cut();
    else if (code != EXIT_OK)
        fail_msg("%s", world.why.text);
    bench_text_add(&told, "%.*s", (int)world.told.used, world.told.at != NULL ? world.told.at : "");
}

/* All lives, with such stops in between, which lie apart from what happens; how many begin with an
 * image. */
static unsigned live(const struct stop *stops)
{
    const struct stop last = {.leaves_image = true};
    const char *rules = FORMER;
    unsigned images = 0;
    size_t put = 0;

    told.used = 0;
    tick_ms = 0;
    world_create(&world);
    world.snapshot_every_ms = 3600000; /* none but those of a stop */
    begin_life(rules);
    for (;;) {
        const size_t count = sizeof(beats) / sizeof(beats[0]);
        int64_t beat_ms = put < count ? beats[put].at_ms : INT64_MAX;
        int64_t reload_ms = strcmp(rules, FORMER) == 0 ? RELOAD_MS : INT64_MAX;
        int64_t stop_ms = stops->at_ms > 0 ? stops->at_ms : END_MS;
        if (beat_ms < reload_ms && beat_ms < stop_ms) {
            pass_to(beat_ms);
            bench_put(world.bench->feed[0], beat_ms, beats[put].resource, beats[put].check, "");
            put++;
        } else if (reload_ms < stop_ms) {
            pass_to(reload_ms);
            rules = NEW;
            assert_int_equal(world_switch(&world, rules), 0);
        } else {
            /* Of an image all that came before it is worked off. */
            pass_to(stop_ms - (stops->leaves_image ? 2 * TICK_MS : 0));
            let_pass_to(stop_ms);
            tick_ms = (stop_ms / TICK_MS + 1) * TICK_MS;
            if (stops->at_ms == 0)
                break;
            end_life(stops++);
            begin_life(rules);
            images += world.durable->snapshots.begin.number > 0;
        }
    }
    end_life(&last);
    world_destroy(&world);
    return images;
}

/* "3000 opened d former": the changes among the lines, for people. */
static void print_brief(const char *lines, char *to, size_t bytes)
{
    size_t used = 0;

    to[0] = '\0';
    for (const char *at = lines; (at = strstr(at, "{\"at\":")) != NULL; at++) {
        int64_t at_ms;
        char change[16], resource[16], title[16];
        const char *key = strstr(at, "resource="), *name = strstr(at, "\"title\":\"");
        if (key == NULL || name == NULL ||
            sscanf(at, "{\"at\":%" SCNd64 ",\"change\":\"%15[a-z]", &at_ms, change) != 2 ||
            sscanf(key, "resource=%15[a-z]", resource) != 1 ||
            sscanf(name, "\"title\":\"%15[a-z]", title) != 1)
            continue;
        used += (size_t)snprintf(to + used, bytes - used, "%" PRId64 " %s %s %s\n",
                                 at_ms - BENCH_T0, change, resource, title);
        assert_true(used < bytes);
    }
}

static void X5_keys_go_over_to_the_form_in_force_over_a_restart(void **state)
{
    (void)state;
    static const struct {
        struct stop stop[STOPS_MAX];
        unsigned images;
    } cases[] = {
        {{{0, false}}, 0},
        {{{4800, false}}, 0}, /* all are with the former forms */
        {{{4800, true}}, 1},
        {{{3800, true}, {4800, false}}, 2}, /* an image of before the reload */
        {{{5900, false}}, 0},               /* a and b are not missed yet */
        {{{5900, true}}, 1},
        {{{4800, true}, {7000, false}}, 2},  /* d and e are still to go over */
        {{{4800, false}, {10500, true}}, 1}, /* all have gone over */
    };
    char brief[1024];
    char *undisturbed = NULL;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sim_disk_begin(i + 1);
        assert_int_equal(live(cases[i].stop), cases[i].images);
        sim_disk_end();
        print_brief(told.at, brief, sizeof(brief));
        assert_string_equal(brief, expected);
        if (i == 0)
            undisturbed = strdup(told.at);
        else
            assert_string_equal(told.at, undisturbed);
    }
    free(undisturbed);
    free(told.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(X5_keys_go_over_to_the_form_in_force_over_a_restart),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
