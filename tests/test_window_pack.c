/*
 * Aim: a window holds what was put into it, to the bit, packed or not, and gives back all that it
 * took. Method: random operations on a window and on a plain array of entries; times, own times and
 * alerts are such that all forms are met: narrow and wide marks, a base that follows, a ring. Sizes
 * of blocks besides, worked out from the layout in window_pack.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "correlate/image.h"
#include "correlate/window.h"
#include "correlate/window_pack.h"

enum { HELD_MAX = 64, OPERATIONS = 3000 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_mix(random_state) % n);
}

static struct rule counts = {
    .window_kind = WINDOW_SLIDING, .aggregate_count = 1, .aggregate = {{.kind = AGGREGATE_COUNT}}};
static struct rule values = {
    .window_kind = WINDOW_OPEN,
    .aggregate_count = 2,
    .has_distinct = true,
    .entry_words = 2,
    .aggregate = {{.kind = AGGREGATE_DISTINCT, .limit = 9}, {.kind = AGGREGATE_SUM}}};
static struct rule session = {.window_kind = WINDOW_SESSION,
                              .aggregate_count = 1,
                              .entry_words = 1,
                              .looks_at_end = true,
                              .aggregate = {{.kind = AGGREGATE_SUM}}};
static struct rule holds = {.window_kind = WINDOW_OPEN,
                            .hold_ms = 1000,
                            .aggregate_count = 1,
                            .aggregate = {{.kind = AGGREGATE_COUNT}}};

/* What the plain array holds. */
struct held {
    struct window_entry entry;
    uint64_t word[2]; /* distinct: a number that its text is made of */
};

struct course {
    uint32_t pushes, pops, alerts; /* the rest leaves from the middle or changes */
    int64_t gap_ms, lead_ms;       /* at most, between entries, and of ts before the time */
};

static struct window_values *values_of(uint64_t number, struct slab *slab)
{
    size_t bytes = sizeof(struct window_values) + sizeof(struct window_value) + number % 200;
    struct window_values *made = slab_alloc(slab, bytes);

    memset(made, 0, bytes);
    made->bytes = (uint16_t)bytes;
    made->count = 1;
    made->value[0].hash = number;
    return made;
}

static void words_put(const struct window *window, uint32_t i, struct held *held, struct slab *slab)
{
    for (uint32_t w = 0; w < window->rule->entry_words; w++) {
        held->word[w] = hash_mix(below(1000));
        if (w == 0 && window->rule->has_distinct)
            window_words(window, i)[w].values = values_of(held->word[w], slab);
        else
            window_words(window, i)[w].number = (double)held->word[w];
    }
}

static void compare(const struct window *window, const struct held *held, uint32_t count)
{
    assert_int_equal(window->count, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct window_entry entry = window_get(window, i);
        assert_true(id128_equal(entry.alert, held[i].entry.alert));
        assert_true(id128_equal(*window_alert(window, i), held[i].entry.alert));
        assert_int_equal(entry.at_ms, held[i].entry.at_ms);
        assert_int_equal(window_at_ms(window, i), held[i].entry.at_ms);
        assert_int_equal(entry.ts_ms, held[i].entry.ts_ms);
        assert_int_equal(entry.severity, held[i].entry.severity);
        assert_int_equal(entry.cleared, held[i].entry.cleared);
        for (uint32_t w = 0; w < window->rule->entry_words; w++)
            if (w == 0 && window->rule->has_distinct)
                assert_int_equal(window_values(window, i)->value[0].hash, held[i].word[w]);
            else
                assert_true(window_words(window, i)[w].number == (double)held[i].word[w]);
    }
}

static void run(const struct rule *rule, const struct course *course, struct slab *slab,
                uint32_t *packed, uint32_t *rings)
{
    struct window window = window_read(NULL, false, rule);
    struct held held[HELD_MAX + 1];
    uint32_t count = 0;
    int64_t now_ms = 1000000000000, since_ms = 0;

    for (uint32_t o = 0; o < OPERATIONS; o++) {
        uint32_t dice = below(100);
        if (count == 0 || (dice < course->pushes && count < HELD_MAX)) {
            now_ms += below((uint32_t)course->gap_ms + 1);
            struct held *new = &held[count];
            new->entry = (struct window_entry){
                .alert = {hash_mix(below(course->alerts)), 7},
                .at_ms = now_ms,
                .ts_ms = now_ms - below((uint32_t)course->lead_ms + 1) + course->lead_ms / 2,
                .severity = (uint8_t)(1 + below(SEVERITY_COUNT - 1)),
                .cleared = below(4) == 0};
            since_ms = count == 0 ? now_ms : since_ms;
            window_push(&window, &new->entry, slab);
            words_put(&window, count, new, slab);
            count++;
        } else if (dice < course->pushes + course->pops) {
            window_pop(&window, slab);
            memmove(held, held + 1, --count * sizeof(held[0]));
        } else if (dice % 2 == 0) {
            uint32_t i = below(count);
            window_remove(&window, i, slab);
            memmove(held + i, held + i + 1, (--count - i) * sizeof(held[0]));
        } else {
            uint32_t i = below(count);
            window_values_free(&window, i, slab);
            words_put(&window, i, &held[i], slab);
            held[i].entry.severity = (uint8_t)(1 + below(SEVERITY_COUNT - 1));
            held[i].entry.cleared |= below(2) == 0;
            window_set_severity(&window, i, held[i].entry.severity);
            if (held[i].entry.cleared)
                window_set_cleared(&window, i);
        }
        /* What a key remembers between touches is the block alone. */
        window = window_read(window.block, window.is_ring, rule);
        compare(&window, held, count);
        if (count > 0 && rule->window_kind == WINDOW_SESSION)
            assert_int_equal(window.since_ms, since_ms);
        *packed += count > 0 && !window.is_ring;
        *rings += window.is_ring;
    }
    window_release(&window, slab);
}

static void a_window_holds_what_was_put_in(void **state)
{
    static const struct course courses[] = {
        {42, 30, 3, 1000, 0},        /* few alerts, seconds */
        {50, 30, 40, 1000, 0},       /* an alert each */
        {40, 40, 5, 3000, 6000},     /* own times a little off */
        {50, 40, 5, 3000, 20000000}, /* and so far off that they fit or do not */
        {42, 42, 5, 9000000, 0},     /* hours apart: the base follows, marks get wide */
        {42, 42, 5, INT32_MAX, 0},   /* weeks apart */
        {55, 25, 2, 0, 0},           /* all at once */
    };
    const struct rule *const rules[] = {&counts, &values, &session, &holds};
    struct slab slab;

    (void)state;
    for (size_t r = 0; r < sizeof(rules) / sizeof(rules[0]); r++) {
        uint32_t packed = 0, rings = 0;
        slab_init(&slab);
        for (size_t c = 0; c < sizeof(courses) / sizeof(courses[0]); c++) {
            random_state = c + 1;
            run(rules[r], &courses[c], &slab, &packed, &rings);
            assert_int_equal(slab_blocks(&slab), 0);
        }
        slab_release(&slab);
        assert_true(rings > OPERATIONS);
        assert_true(rules[r]->hold_ms > 0 ? packed == 0 : packed > OPERATIONS);
    }
}

/* `alerts` different ones in turn, `gap_ms` apart, each with its ts so much before. */
static struct window filled(uint32_t count, uint32_t alerts, int64_t gap_ms, int64_t lead_ms,
                            struct slab *slab)
{
    struct window window = window_read(NULL, false, &counts);

    for (uint32_t i = 0; i < count; i++) {
        const struct window_entry entry = {.alert = {i % alerts, 1},
                                           .at_ms = 1000 + i * gap_ms,
                                           .ts_ms = 1000 + i * gap_ms - lead_ms,
                                           .severity = SEVERITY_MAJOR};
        window_push(&window, &entry, slab);
    }
    return window;
}

static void blocks_are_as_large_as_what_they_hold(void **state)
{
    static const struct {
        uint32_t count, alerts;
        int64_t gap_ms, lead_ms;
        size_t bytes; /* 8 + 16 per alert + 4 per entry, or 8 where wide; 0: a ring */
    } rows[] = {
        {1, 1, 1, 0, 32},       /* 28 */
        {2, 1, 1, 0, 32},       /* 32 */
        {3, 1, 1, 0, 40},       /* 36 */
        {4, 1, 1, 0, 40},       /* 40 */
        {2, 2, 1, 0, 48},       /* 48 */
        {4, 4, 1, 0, 88},       /* 88 */
        {8, 8, 1, 0, 192},      /* 168; the class above 160 */
        {4, 1, 1, 5, 56},       /* own times: 8 + 16 + 32 */
        {2, 1, 1 << 24, 0, 40}, /* 4.7 hours after the base: 8 + 16 + 16 */
        {2, 1, (1 << 24) - 1, 0, 32},
        {9, 1, 1, 0, 0},
        {1, 1, 1, (1 << 23) + 1, 0},
        {1, 1, 1, 1 << 23, 32}, /* 8 + 16 + 8 */
    };
    struct slab slab;

    (void)state;
    slab_init(&slab);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct window window =
            filled(rows[r].count, rows[r].alerts, rows[r].gap_ms, rows[r].lead_ms, &slab);
        if (window.is_ring != (rows[r].bytes == 0) ||
            (!window.is_ring && window_pack_bytes(&window) != rows[r].bytes))
            fail_msg("row %zu: %zu bytes, or the other form", r,
                     window.is_ring ? 0 : window_pack_bytes(&window));
        assert_int_equal(slab_blocks(&slab), 1);
        window_release(&window, &slab);
        assert_int_equal(slab_blocks(&slab), 0);
    }
    slab_release(&slab);
}

/* Times that no mark can say are held all the same: millennia, and further apart than 32 bits. */
static void times_far_away_are_held_in_a_ring(void **state)
{
    static const int64_t far[][2] = {
        {(int64_t)1 << 47, (int64_t)1 << 47}, {-((int64_t)1 << 47) - 1, 0}, {0, (int64_t)1 << 32}};
    struct slab slab;

    (void)state;
    slab_init(&slab);
    for (size_t r = 0; r < sizeof(far) / sizeof(far[0]); r++) {
        struct window window = window_read(NULL, false, &session);
        for (int i = 0; i < 2; i++) {
            const struct window_entry entry = {.at_ms = far[r][i], .ts_ms = far[r][i]};
            window_push(&window, &entry, &slab);
            window_words(&window, window.count - 1)->number = i;
        }
        window = window_read(window.block, window.is_ring, &session);
        assert_true(window.is_ring);
        assert_int_equal(window.since_ms, far[r][0]);
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(window_get(&window, i).at_ms, far[r][i]);
            assert_int_equal(window_get(&window, i).ts_ms, far[r][i]);
            assert_true(window_words(&window, i)->number == i);
        }
        window_release(&window, &slab);
    }
    assert_int_equal(slab_blocks(&slab), 0);
    slab_release(&slab);
}

/* Entries that leave take their room along: of eight alerts four and then one. */
static void a_pack_that_empties_gets_smaller(void **state)
{
    struct slab slab;

    (void)state;
    slab_init(&slab);
    struct window window = filled(8, 8, 1, 0, &slab);
    for (int i = 0; i < 4; i++)
        window_remove(&window, 2, &slab);
    assert_int_equal(window_pack_bytes(&window), 88); /* not above half of 192 */
    assert_int_equal(window_get(&window, 0).alert.hi, 0);
    assert_int_equal(window_get(&window, 1).alert.hi, 1);
    assert_int_equal(window_get(&window, 2).alert.hi, 6);
    assert_int_equal(window_get(&window, 3).alert.hi, 7);
    for (int i = 0; i < 3; i++)
        window_pop(&window, &slab);
    assert_int_equal(window_pack_bytes(&window), 32);
    assert_int_equal(window_get(&window, 0).alert.hi, 7);
    window_pop(&window, &slab);
    assert_null(window.block);
    assert_int_equal(slab_blocks(&slab), 0);
    slab_release(&slab);
}

/* What many keys leave behind when they grow serves the next size, and in the end goes back. */
static void memory_of_one_size_serves_another(void **state)
{
    enum { KEYS = 20000 };
    static void *block[KEYS];
    struct slab slab;
    uint64_t peak = 0;

    (void)state;
    slab_init(&slab);
    for (size_t bytes = 32; bytes <= 96; bytes += 8) {
        for (int k = 0; k < KEYS; k++) {
            void *larger = slab_alloc(&slab, bytes);
            memset(larger, 1, bytes);
            if (bytes > 32)
                slab_free(&slab, block[k], bytes - 8);
            block[k] = larger;
        }
        peak = atomic_load(&slab.bytes) > peak ? atomic_load(&slab.bytes) : peak;
        assert_int_equal(slab_blocks(&slab), KEYS);
    }
    /* The last two sizes need 96 + 88 bytes at most at one time; all nine together 576. */
    assert_in_range(peak, KEYS * 96, KEYS * (96 + 88) + 32 * SLAB_PAGE_BYTES);
    for (int k = 0; k < KEYS; k++)
        slab_free(&slab, block[k], 96);
    assert_int_equal(slab_blocks(&slab), 0);
    /* Of each of the nine sizes the page that serves, and the spare ones. */
    assert_in_range(atomic_load(&slab.bytes), 0, (9 + SLAB_SPARE_PAGES) * SLAB_PAGE_BYTES);
    slab_release(&slab);
}

/* Of entries without words there are no more bytes than these: nothing has to follow. */
static void an_image_of_entries_alone_is_read_back(void **state)
{
    struct slab slab;

    (void)state;
    slab_init(&slab);
    for (uint32_t count = 1; count < 200; count += 11) {
        struct window window = filled(count, 5, 1000, 0, &slab), again = filled(0, 1, 0, 0, &slab);
        struct image_out out = {0};
        window_save(&window, &out);
        struct image_in in = {.at = out.bytes.at, .bytes = out.bytes.count};
        window_load(&again, &slab, &in);
        if (in.fault != NULL)
            fail_msg("%u entries: %s", count, in.fault);
        assert_int_equal(in.used, in.bytes);
        assert_int_equal(again.count, count);
        window_release(&again, &slab);
        window_release(&window, &slab);
        free(out.bytes.at);
    }
    assert_int_equal(slab_blocks(&slab), 0);
    slab_release(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_of_entries_alone_is_read_back),
        cmocka_unit_test(a_window_holds_what_was_put_in),
        cmocka_unit_test(blocks_are_as_large_as_what_they_hold),
        cmocka_unit_test(times_far_away_are_held_in_a_ring),
        cmocka_unit_test(a_pack_that_empties_gets_smaller),
        cmocka_unit_test(memory_of_one_size_serves_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
