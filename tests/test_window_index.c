/*
 * Aim: a large window finds an alert's newest entry without a search, and is the same window as
 * without an index: what it holds, what its aggregates are, which entry goes when it is full, and
 * what an image of it says. Method: random operations on a window and on a plain array of entries,
 * with courses that fill, thin and empty it; what finding costs is counted in looks, which are the
 * same on each machine, for windows of different sizes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "correlate/aggregates.h"
#include "correlate/image.h"
#include "correlate/window_full.h"
#include "correlate/window_index.h"
#include "correlate/window_sums.h"

enum { HELD_MAX = 3000, OPERATIONS = 12000 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_mix(random_state) % n);
}

static struct rule counts = {
    .window_kind = WINDOW_OPEN, .aggregate_count = 1, .aggregate = {{.kind = AGGREGATE_COUNT}}};
static struct rule holds = {.window_kind = WINDOW_OPEN,
                            .hold_ms = 1000,
                            .aggregate_count = 1,
                            .aggregate = {{.kind = AGGREGATE_COUNT}}};
static struct rule sums = {.window_kind = WINDOW_OPEN,
                           .has_distinct = true,
                           .argument_count = 2,
                           .entry_words = 3,
                           .aggregate_count = 8,
                           .aggregate = {{.kind = AGGREGATE_SUM},
                                         {.kind = AGGREGATE_DISTINCT, .limit = 5000},
                                         {.kind = AGGREGATE_MIN, .argument = 1},
                                         {.kind = AGGREGATE_MAX},
                                         {.kind = AGGREGATE_FIRST},
                                         {.kind = AGGREGATE_LAST, .argument = 1},
                                         {.kind = AGGREGATE_RATE},
                                         {.kind = AGGREGATE_QUANTILE, .share = 0.9}}};
static struct rule at_end = {.window_kind = WINDOW_TUMBLING,
                             .window_ms = 1000,
                             .has_distinct = true,
                             .looks_at_end = true,
                             .argument_count = 1,
                             .entry_words = 2,
                             .aggregate_count = 4,
                             .aggregate = {{.kind = AGGREGATE_RATE},
                                           {.kind = AGGREGATE_DISTINCT, .limit = 5000},
                                           {.kind = AGGREGATE_STDDEV},
                                           {.kind = AGGREGATE_QUANTILE, .share = 0.5}}};
static struct rule keeps = {
    .window_kind = WINDOW_OPEN,
    .has_distinct = true,
    .keeps_values = true,
    .entry_words = 1,
    .aggregate_count = 2,
    .aggregate = {{.kind = AGGREGATE_COUNT}, {.kind = AGGREGATE_DISTINCT, .limit = 5000}}};

/* Shares of a hundred of the operations while the window fills; while it thins pushes are a fifth
 * of that. The rest changes an entry. */
struct course {
    uint32_t pushes, pops, removes, clears;
    uint32_t most;   /* entries; one more and one goes */
    uint32_t alerts; /* different ones; 0: another each time */
};

struct held {
    struct window_entry entry;
    uint64_t value;
    double number[2];
};

struct world {
    const struct rule *rule;
    struct window window;
    struct slab slab;
    struct held held[HELD_MAX + 1];
    uint32_t count, indexed, gone;
    uint64_t made;
};

static void fill(struct world *w, uint32_t i, struct held *held)
{
    union window_word *word = window_words(&w->window, i);

    held->value = hash_mix(below(400));
    if (w->rule->has_distinct) {
        size_t bytes = sizeof(struct window_values) + sizeof(struct window_value);
        struct window_values *values = slab_alloc(&w->slab, bytes);
        *values = (struct window_values){.bytes = (uint16_t)bytes, .count = 1};
        values->value[0] = (struct window_value){.hash = held->value};
        (word++)->values = values;
    }
    for (uint32_t n = 0; n < w->rule->argument_count; n++) {
        held->number[n] = below(5) == 0 ? __builtin_nan("") : below(1000);
        word[n].number = held->number[n];
    }
    window_sums_put(&w->window, i, &w->slab);
}

static void push(struct world *w, int64_t at_ms, uint32_t alerts)
{
    struct held *new = &w->held[w->count++];
    uint64_t alert = alerts > 0 ? below(alerts) : w->made;

    w->made++;
    new->entry = (struct window_entry){.alert = {hash_mix(alert), alert % 7},
                                       .at_ms = at_ms,
                                       .ts_ms = at_ms - below(9),
                                       .severity = (uint8_t)(1 + below(SEVERITY_COUNT - 1))};
    window_push(&w->window, &new->entry, &w->slab);
    fill(w, w->window.span - 1, new);
}

/* The place of the n-th entry that is there. */
static uint32_t place_of(const struct window *window, uint32_t n)
{
    uint32_t i = 0;

    for (;; i++)
        if (!window_is_gone(window, i) && n-- == 0)
            return i;
}

static void drop(struct world *w, uint32_t n)
{
    memmove(w->held + n, w->held + n + 1, (--w->count - n) * sizeof(w->held[0]));
}

static uint32_t newest(const struct world *w, struct id128 alert)
{
    uint32_t n = w->count;

    while (n > 0 && !id128_equal(w->held[n - 1].entry.alert, alert))
        n--;
    return n > 0 ? n - 1 : w->count;
}

/* Where the window says that the alert's newest entry is; the array agrees. */
static uint32_t found(struct world *w, struct id128 alert, uint32_t *n)
{
    uint32_t i = window_find(&w->window, alert, &w->slab);

    *n = newest(w, alert);
    assert_int_equal(i == w->window.span, *n == w->count);
    if (*n < w->count)
        assert_int_equal(i, place_of(&w->window, *n));
    return i;
}

static void clear(struct world *w, struct id128 alert)
{
    window_clear_alert(&w->window, alert, &w->slab);
    for (uint32_t n = 0; n < w->count; n++)
        if (id128_equal(w->held[n].entry.alert, alert))
            w->held[n].entry.cleared = true;
}

static void full(struct world *w)
{
    uint32_t n = 0;

    if (w->rule->keeps_values) {
        uint32_t looks = w->count < WINDOW_FULL_LOOKS ? w->count : WINDOW_FULL_LOOKS;
        bool again = false;
        for (; n < looks && !again; n += !again)
            for (uint32_t k = n + 1; k < w->count && !again; k++)
                again = w->held[n].value == w->held[k].value;
        n = again ? n : 0;
    }
    uint32_t i = window_full_choose(&w->window);
    assert_int_equal(i, place_of(&w->window, n));
    if (i == 0)
        window_pop(&w->window, &w->slab);
    else
        window_remove(&w->window, i, &w->slab);
    drop(w, n);
}

static void same_aggregates(const struct world *w)
{
    int64_t kept[RULE_AGGREGATES_MAX], scanned[RULE_AGGREGATES_MAX];
    uint32_t index[RULE_AGGREGATES_MAX];
    struct window bare = w->window;

    bare.sums = NULL;
    aggregates_compute(w->rule, &w->window, true, kept, index);
    aggregates_compute(w->rule, &bare, true, scanned, index);
    for (uint32_t a = 0; a < w->rule->aggregate_count; a++) {
        double x = aggregate_to_real(kept[a]), y = aggregate_to_real(scanned[a]);
        if (kept[a] != scanned[a] && x == x && y == y && x != y)
            fail_msg("aggregate %u of %u entries: %.17g kept, %.17g scanned", a, w->count, x, y);
    }
}

static void compare(const struct world *w)
{
    uint32_t n = 0;

    assert_int_equal(w->window.count, w->count);
    for (uint32_t i = 0; i < w->window.span; i++) {
        if (window_is_gone(&w->window, i))
            continue;
        const struct held *held = &w->held[n++];
        const struct window_entry entry = window_get(&w->window, i);
        const union window_word *word = window_words(&w->window, i);
        assert_true(id128_equal(entry.alert, held->entry.alert));
        assert_int_equal(entry.at_ms, held->entry.at_ms);
        assert_int_equal(entry.ts_ms, held->entry.ts_ms);
        assert_int_equal(entry.severity, held->entry.severity);
        assert_int_equal(entry.cleared, held->entry.cleared);
        if (w->rule->has_distinct)
            assert_int_equal((word++)->values->value[0].hash, held->value);
        for (uint32_t k = 0; k < w->rule->argument_count; k++)
            assert_memory_equal(&word[k].number, &held->number[k], sizeof(double));
    }
    assert_int_equal(n, w->count);
    if (w->count > 0)
        same_aggregates(w);
}

/* An image says the same as one of a window that never lost an entry from its middle. */
static void same_image(struct world *w)
{
    struct image_out out = {0}, again = {0};
    struct window loaded = window_read(NULL, false, w->rule);

    window_save(&w->window, &out);
    struct image_in in = {.at = out.bytes.at, .bytes = out.bytes.count};
    window_load(&loaded, &w->slab, &in);
    assert_null(in.fault);
    assert_null(loaded.index);
    assert_int_equal(loaded.span, w->count);
    window_save(&loaded, &again);
    assert_int_equal(out.bytes.count, again.bytes.count);
    assert_memory_equal(out.bytes.at, again.bytes.at, out.bytes.count);
    window_release(&loaded, &w->slab);
    free(out.bytes.at);
    free(again.bytes.at);
}

static void step(struct world *w, const struct course *course, bool is_filling, int64_t at_ms)
{
    uint32_t dice = below(100), n = 0, i = 0;
    uint32_t pushes = is_filling ? course->pushes : course->pushes / 5;

    if (w->count == 0 || dice < pushes) {
        push(w, at_ms, course->alerts);
        if (w->count > course->most)
            full(w);
        return;
    }
    const struct id128 alert = w->held[below(w->count)].entry.alert;
    if (dice < pushes + course->pops) {
        window_pop(&w->window, &w->slab);
        drop(w, 0);
    } else if (dice < pushes + course->pops + course->removes) {
        i = found(w, alert, &n);
        window_remove(&w->window, i, &w->slab);
        drop(w, n);
    } else if (dice < pushes + course->pops + course->removes + course->clears) {
        clear(w, alert);
    } else if (dice % 4 == 0) {
        found(w, (struct id128){hash_mix(below(1000000) + (1u << 30)), 3}, &n);
    } else {
        i = found(w, alert, &n);
        window_sums_take(&w->window, i, &w->slab);
        window_values_free(&w->window, i, &w->slab);
        w->held[n].entry.severity = (uint8_t)(1 + below(SEVERITY_COUNT - 1));
        window_set_severity(&w->window, i, w->held[n].entry.severity);
        fill(w, i, &w->held[n]);
    }
}

static void run(const struct rule *rule, const struct course *course)
{
    struct world *w = calloc(1, sizeof(*w));
    int64_t at_ms = 1000000;

    assert_non_null(w);
    w->rule = rule;
    w->window = window_read(NULL, false, rule);
    slab_init(&w->slab);
    for (uint32_t o = 0; o < OPERATIONS; o++) {
        at_ms += below(3);
        step(w, course, o / 3000 % 2 == 0, at_ms);
        if (w->window.block != NULL) { /* what a key remembers between touches */
            struct window again = window_read(w->window.block, w->window.is_ring, rule);
            assert_int_equal(again.span, w->window.span);
            w->window = again;
        }
        w->indexed += w->window.index != NULL;
        w->gone += w->window.span > w->window.count;
        if (w->window.span > 0) {
            assert_false(window_is_gone(&w->window, 0));
            assert_false(window_is_gone(&w->window, w->window.span - 1));
            assert_true(w->window.span <= 2 * w->count);
        }
        if (w->count < 20 || o % 64 == 0)
            compare(w);
        if (o % 1000 == 0)
            same_image(w);
    }
    assert_true(w->indexed > OPERATIONS / 10);
    if (course->removes > 0)
        assert_true(w->gone > OPERATIONS / 20);
    window_release(&w->window, &w->slab);
    assert_int_equal(slab_blocks(&w->slab), 0);
    assert_int_equal(atomic_load(&w->slab.bytes) % SLAB_PAGE_BYTES, 0);
    slab_release(&w->slab);
    free(w);
}

static void a_window_with_an_index_is_the_same_window(void **state)
{
    static const struct course courses[] = {
        {45, 3, 20, 7, HELD_MAX, 0},   /* what is open: an alert each, cleared in any order */
        {50, 30, 0, 10, HELD_MAX, 60}, /* what slides: few alerts, many entries each */
        {60, 0, 25, 5, HELD_MAX, 500}, /* both */
        {70, 2, 2, 10, 150, 0},        /* full */
        {70, 1, 20, 2, 1400, 2000},    /* full, and more than is looked at */
        {80, 5, 5, 5, HELD_MAX, 3},    /* hardly another alert */
    };
    const struct rule *const rules[] = {&counts, &holds, &sums, &at_end, &keeps};

    (void)state;
    for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++)
        for (size_t c = 0; c < sizeof(courses) / sizeof(courses[0]); c++) {
            random_state = 100 * r + c;
            run(rules[r], &courses[c]);
        }
}

/* Looks of an event, in thousandths, where `count` alerts are raised, each is changed, and each is
 * cleared: `leaves`, as in a window of what is open, or marked. */
static uint64_t looks_per_event(const struct rule *rule, uint32_t count, bool leaves)
{
    struct window window = window_read(NULL, false, rule);
    uint32_t *order = calloc(count, sizeof(*order));
    struct slab slab;

    assert_non_null(order);
    slab_init(&slab);
    random_state = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct id128 alert = {hash_mix(i), i};
        uint32_t other = below(i + 1);
        order[i] = order[other];
        order[other] = i;
        if (leaves)
            assert_int_equal(window_find(&window, alert, &slab), window.span);
        window_push(&window, &(struct window_entry){.alert = alert, .at_ms = 1000 + i}, &slab);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct id128 alert = {hash_mix(order[i]), order[i]};
        uint32_t at = window_find(&window, alert, &slab);
        assert_true(at < window.span);
        if (leaves)
            window_remove(&window, at, &slab);
        else
            window_clear_alert(&window, alert, &slab);
    }
    uint64_t looks = window.looks;
    window_release(&window, &slab);
    slab_release(&slab);
    free(order);
    return looks * 1000 / (2 * (uint64_t)count);
}

static void what_a_clear_costs_does_not_grow_with_the_window(void **state)
{
    (void)state;
    for (int leaves = 0; leaves <= 1; leaves++) {
        uint64_t few = looks_per_event(&counts, WINDOW_INDEX_LEAST, leaves != 0);
        for (uint32_t count = 1000; count <= 64000; count *= 8) {
            uint64_t many = looks_per_event(&counts, count, leaves != 0);
            if (many > few || many > 8000)
                fail_msg("%.1f looks an event in a window of %u, %.1f in a small one",
                         (double)many / 1000, count, (double)few / 1000);
        }
    }
}

/* An alert that is raised and cleared over and over: each clear marks what came since. */
static void a_clear_looks_at_what_came_since_the_one_before(void **state)
{
    enum { ENTRIES = 20000 };
    const struct id128 alert = {1, 2};
    struct window window = window_read(NULL, false, &counts);
    struct slab slab;

    (void)state;
    slab_init(&slab);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        window_push(&window, &(struct window_entry){.alert = alert, .at_ms = 1000 + i}, &slab);
        window_clear_alert(&window, alert, &slab);
    }
    for (uint32_t i = 0; i < window.span; i++)
        assert_true(window_get(&window, i).cleared);
    assert_in_range(window.looks, ENTRIES, 10 * ENTRIES);
    window_release(&window, &slab);
    slab_release(&slab);
}

/* Who is asked for no alert, or is small, pays nothing; what got small again gives it back. */
static void a_window_has_an_index_while_it_is_large_and_asked(void **state)
{
    struct window window = window_read(NULL, false, &counts);
    struct slab slab;

    (void)state;
    slab_init(&slab);
    for (uint32_t i = 0; i < 4000; i++) {
        const struct id128 alert = {hash_mix(i), i};
        window_push(&window, &(struct window_entry){.alert = alert, .at_ms = 1000 + i}, &slab);
        if (i < WINDOW_INDEX_LEAST)
            window_find(&window, alert, &slab);
    }
    assert_null(window.index);
    uint64_t before = atomic_load(&slab.bytes);
    window_find(&window, (struct id128){hash_mix(5), 5}, &slab);
    assert_non_null(window.index);
    /* 12 bytes for each of 4,096 places, and what the slab keeps of a block of its own. */
    assert_in_range(atomic_load(&slab.bytes) - before, 12 * 4096, 12 * 4096 + 64);
    for (uint32_t i = 0; i < 3990; i++)
        window_pop(&window, &slab);
    assert_null(window.index);
    assert_int_equal(window.mask + 1, WINDOW_INDEX_ROOM / 2); /* the ring, too */
    window_release(&window, &slab);
    slab_release(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_with_an_index_is_the_same_window),
        cmocka_unit_test(what_a_clear_costs_does_not_grow_with_the_window),
        cmocka_unit_test(a_clear_looks_at_what_came_since_the_one_before),
        cmocka_unit_test(a_window_has_an_index_while_it_is_large_and_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
