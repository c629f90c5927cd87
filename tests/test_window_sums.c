/*
 * Aim: the aggregates of a window that is kept with sums are those that a look at all of its
 * entries gives, whatever came, went and changed. Method: random operations on a window, after each
 * of which every aggregate is computed both ways; numbers of few values, so that equal ones meet,
 * and many entries without one. The tree and the queue besides against plain arrays, and the shape
 * of the tree on inputs that make an unbalanced one deep.
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
#include "correlate/order_tree.h"
#include "correlate/value_counts.h"
#include "correlate/window_full.h"
#include "correlate/window_repeats.h"
#include "correlate/window_sums.h"

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_mix(random_state) % n);
}

/* Two columns of numbers and two of values; every kind, some of them twice. */
static struct rule rules[] = {
    {.aggregate_count = 8,
     .has_distinct = true,
     .entry_words = 3,
     .aggregate = {{.kind = AGGREGATE_SUM},
                   {.kind = AGGREGATE_DISTINCT, .limit = 1000},
                   {.kind = AGGREGATE_MIN, .argument = 1},
                   {.kind = AGGREGATE_MAX},
                   {.kind = AGGREGATE_DISTINCT, .limit = 1000},
                   {.kind = AGGREGATE_RATE, .argument = 1},
                   {.kind = AGGREGATE_QUANTILE, .share = 0.9},
                   {.kind = AGGREGATE_COUNT}}},
    {.aggregate_count = 8,
     .entry_words = 2,
     .aggregate = {{.kind = AGGREGATE_AVG, .argument = 1},
                   {.kind = AGGREGATE_STDDEV},
                   {.kind = AGGREGATE_FIRST},
                   {.kind = AGGREGATE_LAST, .argument = 1},
                   {.kind = AGGREGATE_RATE},
                   {.kind = AGGREGATE_QUANTILE, .share = 0},
                   {.kind = AGGREGATE_MIN},
                   {.kind = AGGREGATE_MAX, .argument = 1}}},
};

/* How a run goes: shares of a hundred of its operations, and what its numbers are. */
struct course {
    uint32_t pushes, pops, changes; /* the rest leaves from the middle */
    uint32_t without;               /* of a hundred entries have no number */
    uint32_t numbers;               /* different ones */
};

static double a_number(const struct course *course)
{
    if (below(100) < course->without)
        return __builtin_nan("");
    return ((double)below(course->numbers) - course->numbers / 4.0) * 0.1;
}

static void fill(const struct course *course, const struct rule *rule, union window_word *to,
                 struct slab *slab)
{
    uint32_t word = 0;

    if (rule->has_distinct) {
        size_t bytes = sizeof(struct window_values) + 2 * sizeof(struct window_value);
        struct window_values *values = slab_alloc(slab, bytes);
        values->bytes = (uint16_t)bytes;
        values->count = 2;
        values->value[0] = (struct window_value){.hash = hash_mix(below(course->numbers))};
        /* Neighbours in the table, and at its end. */
        values->value[1] = (struct window_value){.hash = UINT64_MAX - below(7)};
        to[word++].values = values;
    }
    for (; word < rule->entry_words; word++)
        to[word].number = a_number(course);
}

static void push_at(struct window *window, int64_t at_ms, struct slab *slab)
{
    const struct window_entry entry = {.at_ms = at_ms, .ts_ms = at_ms};

    window_push(window, &entry, slab);
}

static void same_both_ways(const struct rule *rule, const struct window *window)
{
    int64_t kept[RULE_AGGREGATES_MAX], scanned[RULE_AGGREGATES_MAX];
    uint32_t index[RULE_AGGREGATES_MAX];
    struct window bare = *window;

    if (window->count == 0)
        return;
    bare.sums = NULL;
    aggregates_compute(rule, window, true, kept, index);
    aggregates_compute(rule, &bare, true, scanned, index);
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        double a = aggregate_to_real(kept[i]), b = aggregate_to_real(scanned[i]);
        bool same = aggregate_is_real(rule->aggregate[i].kind) ? a == b || (a != a && b != b)
                                                               : kept[i] == scanned[i];
        if (!same)
            fail_msg("aggregate %u of %u entries: %.17g kept, %.17g scanned", i, window->count, a,
                     b);
    }
}

static void run(const struct rule *rule, const struct course *course, uint32_t operations)
{
    struct slab slab;
    struct window window = window_read(NULL, false, rule);
    uint32_t with_sums = 0;
    int64_t now_ms = 1000;

    slab_init(&slab);
    uint64_t bytes = 0;
    for (uint32_t o = 0; o < operations; o++) {
        uint32_t dice = below(100);
        if (window.count == 0 || dice < course->pushes) {
            now_ms += below(3) * 500;
            push_at(&window, now_ms, &slab);
            fill(course, rule, window_words(&window, window.count - 1), &slab);
            window_sums_put(&window, window.count - 1, &slab);
        } else if (dice < course->pushes + course->pops) {
            window_pop(&window, &slab);
        } else if (dice < course->pushes + course->pops + course->changes) {
            uint32_t i = below(window.count);
            window_sums_take(&window, i, &slab);
            window_values_free(&window, i, &slab);
            fill(course, rule, window_words(&window, i), &slab);
            window_sums_put(&window, i, &slab);
        } else {
            window_remove(&window, below(window.count), &slab);
        }
        with_sums += window.sums != NULL;
        if (window.count < 150 || o % 16 == 0) /* a scan of many takes its time */
            same_both_ways(rule, &window);
        /* What a key remembers between touches is the block alone. */
        window = window_read(window.block, window.is_ring, rule);
    }
    assert_true(with_sums > operations / 4);
    window_release(&window, &slab);
    bytes = atomic_load(&slab.bytes);
    assert_int_equal(bytes % SLAB_PAGE_BYTES, 0); /* blocks of their own are given back */
    slab_release(&slab);
}

static void what_is_kept_is_what_a_scan_finds(void **state)
{
    static const struct course courses[] = {
        {52, 48, 0, 20, 1000},  /* it slides */
        {52, 40, 8, 20, 1000},  /* and entries change */
        {50, 5, 20, 20, 50},    /* many leave from the middle */
        {54, 36, 10, 95, 10},   /* hardly a number */
        {53, 37, 7, 0, 3},      /* hardly a difference */
        {70, 20, 10, 10, 5000}, /* it grows */
    };
    (void)state;
    for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++)
        for (size_t c = 0; c < sizeof(courses) / sizeof(courses[0]); c++)
            for (uint64_t seed = 1; seed <= 3; seed++) {
                random_state = seed;
                run(&rules[r], &courses[c], 4000);
            }
}

/* A counter in order: of every kind, the queue at its longest, the tree at its most lopsided. */
static void ascents_and_descents_are_kept(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        const struct rule *rule = &rules[1];
        struct window window = window_read(NULL, false, rule);
        struct slab slab;
        slab_init(&slab);
        for (int i = 0; i < 2000; i++) {
            push_at(&window, (int64_t)1000 + 500 * i, &slab);
            union window_word *word = window_words(&window, window.count - 1);
            word[0].number = word[1].number = sign * i;
            window_sums_put(&window, window.count - 1, &slab);
            if (i >= 700)
                window_pop(&window, &slab);
            if (i % 50 == 0)
                same_both_ways(rule, &window);
        }
        window_release(&window, &slab);
        slab_release(&slab);
    }
}

static void few_entries_and_a_look_at_the_end_keep_nothing(void **state)
{
    struct rule at_end = rules[1];
    struct rule counts = {.aggregate_count = 1, .aggregate = {{.kind = AGGREGATE_COUNT}}};
    const struct rule *const of[] = {&rules[1], &at_end, &counts};
    struct slab slab;

    (void)state;
    at_end.looks_at_end = true;
    slab_init(&slab);
    for (int r = 0; r < 3; r++) {
        struct window window = window_read(NULL, false, of[r]);
        for (int i = 0; i < WINDOW_SUMS_ROOM; i++) {
            push_at(&window, 1000, &slab);
            for (uint32_t w = 0; w < of[r]->entry_words; w++)
                window_words(&window, window.count - 1)[w].number = i;
            window_sums_put(&window, window.count - 1, &slab);
            /* The ring has that room when it passes half of it. */
            assert_int_equal(window.sums != NULL, r == 0 && i >= WINDOW_SUMS_ROOM / 2);
        }
        window_release(&window, &slab);
    }
    slab_release(&slab);
}

/* --- which entry goes ------------------------------------------------------------------------ */

static struct rule full_rule = {.aggregate_count = 2,
                                .has_distinct = true,
                                .keeps_values = true,
                                .entry_words = 1,
                                .aggregate = {{.kind = AGGREGATE_COUNT, .limit = 1000},
                                              {.kind = AGGREGATE_DISTINCT, .limit = 1000}}};

static void fill_value(const struct window *window, uint32_t i, uint64_t value, struct slab *slab)
{
    size_t bytes = sizeof(struct window_values) + sizeof(struct window_value);
    struct window_values *values = slab_alloc(slab, bytes);

    *values = (struct window_values){.bytes = (uint16_t)bytes, .count = 1};
    values->value[0] = (struct window_value){.hash = hash_mix(value)};
    window_words(window, i)->values = values;
    window_sums_put((struct window *)window, i, slab);
}

/* Of the oldest, the first whose value stands again behind it. */
static uint32_t choose_by_a_look(const struct window *window)
{
    for (uint32_t i = 0; i < window->count && i < WINDOW_FULL_LOOKS; i++)
        for (uint32_t k = i + 1; k < window->count; k++)
            if (window_values(window, i)->value[0].hash == window_values(window, k)->value[0].hash)
                return i;
    return 0;
}

/* `spread` values, or as many as entries where it is 0, and one in `loud` of one value. */
static void full_run(uint32_t most, uint32_t spread, uint32_t loud, uint32_t changes,
                     uint32_t operations)
{
    struct window window = window_read(NULL, false, &full_rule);
    uint32_t pushed = 0, from_middle = 0;
    struct slab slab;

    slab_init(&slab);
    for (uint32_t o = 0; o < operations; o++) {
        uint32_t dice = below(100);
        uint64_t value = below(100) < loud ? 7 : spread > 0 ? below(spread) : 1000u + o;
        if (window.count > 0 && dice < changes) {
            uint32_t i = below(window.count);
            window_sums_take(&window, i, &slab);
            window_values_free(&window, i, &slab);
            fill_value(&window, i, value, &slab);
        } else if (window.count > 0 && dice < changes + 3) {
            for (uint32_t gone = below(most / 40 + 2); gone > 0 && window.count > 0; gone--)
                window_pop(&window, &slab);
        } else if (window.count > 0 && dice < changes + 4) {
            window_remove(&window, below(window.count), &slab);
        } else {
            push_at(&window, 1000 + o / 7, &slab);
            fill_value(&window, window.count - 1, value, &slab);
        }
        if (window.count > most) {
            uint32_t i = window_full_choose(&window);
            if (pushed++ % (1 + most / 100) == 0)
                assert_int_equal(i, choose_by_a_look(&window));
            from_middle += i > 0;
            window_remove(&window, i, &slab);
        }
        window = window_read(window.block, window.is_ring, window.rule);
    }
    assert_true(pushed > operations / 20);
    assert_true(from_middle > 10);
    window_release(&window, &slab);
    slab_release(&slab);
}

static void the_entry_that_goes_is_the_first_that_is_repeated(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        random_state = seed;
        full_run(40, 45, 10, 0, 4000);
        full_run(40, 60, 10, 10, 4000);
        full_run(200, 190, 5, 2, 8000);
        full_run(200, 0, 50, 0, 8000);
        full_run(200, 300, 1, 1, 8000);
        full_run(1200, 1300, 2, 0, 20000); /* more than is looked at */
        full_run(1200, 0, 1, 0, 20000);
    }
}

/* As if it had been there for years. */
static void entries_are_numbered_anew_when_numbers_end(void **state)
{
    struct window_repeats repeats = {.next = UINT32_MAX - 2, .passed = 1};
    struct window window = window_read(NULL, false, &full_rule);
    struct slab slab;

    (void)state;
    slab_init(&slab);
    for (uint32_t i = 0; i < 5; i++) {
        push_at(&window, 1000, &slab);
        fill_value(&window, i, i, &slab);
        window_repeats_number(&repeats, &window, i);
    }
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(window_values(&window, i)->number, i);
    assert_int_equal(repeats.passed, 0);
    window_release(&window, &slab);
    slab_release(&slab);
}

static int number_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void check_shape(const struct order_tree *tree, uint32_t node, uint32_t depth,
                        uint32_t *deepest)
{
    const struct order_node *nodes = tree->nodes;

    if (node == 0)
        return;
    *deepest = depth > *deepest ? depth : *deepest;
    uint32_t left = nodes[nodes[node].left].size, right = nodes[nodes[node].right].size;
    assert_int_equal(nodes[node].size, left + right + 1);
    assert_true(left + 1 <= 3 * (right + 1));
    assert_true(right + 1 <= 3 * (left + 1));
    check_shape(tree, nodes[node].left, depth + 1, deepest);
    check_shape(tree, nodes[node].right, depth + 1, deepest);
}

static void the_tree_is_a_sorted_array_and_stays_flat(void **state)
{
    enum { N = 3000 };
    static double held[N];
    (void)state;
    /* 0: random of few values; 1: ascending, taken from the front; 2: descending likewise. */
    for (int way = 0; way < 3; way++) {
        struct order_tree tree = {0};
        struct slab slab;
        uint32_t count = 0, deepest = 0;
        slab_init(&slab);
        random_state = 5;
        for (int o = 0; o < 3 * N; o++) {
            if (count < N && (count == 0 || below(10) < 6)) {
                held[count] = way == 0 ? (double)below(200) : way == 1 ? o : -o;
                order_tree_add(&tree, held[count++], &slab);
            } else {
                uint32_t out = way == 0 ? below(count) : 0u;
                order_tree_take(&tree, held[out]);
                memmove(held + out, held + out + 1, (--count - out) * sizeof(held[0]));
            }
            assert_int_equal(order_tree_count(&tree), count);
            if (o % 97 != 0 || count == 0)
                continue;
            double sorted[N];
            memcpy(sorted, held, count * sizeof(sorted[0]));
            qsort(sorted, count, sizeof(sorted[0]), number_order);
            for (uint32_t k = 0; k < count; k++)
                assert_true(order_tree_at(&tree, k + 1) == sorted[k]);
            deepest = 0;
            check_shape(&tree, tree.root, 1, &deepest);
            assert_true(deepest <= 30); /* log 3001 / log (4/3), and the root: 28.8 */
        }
        order_tree_free(&tree, &slab);
        slab_release(&slab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_kept_is_what_a_scan_finds),
        cmocka_unit_test(ascents_and_descents_are_kept),
        cmocka_unit_test(few_entries_and_a_look_at_the_end_keep_nothing),
        cmocka_unit_test(the_entry_that_goes_is_the_first_that_is_repeated),
        cmocka_unit_test(entries_are_numbered_anew_when_numbers_end),
        cmocka_unit_test(the_tree_is_a_sorted_array_and_stays_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
