/*
 * Aim: categories, scripts and folding are those of Unicode. Method: characters at both sides of
 * each place where a table of rules/unicode_tables.h goes over to another value are asked of RE2,
 * but for those that either has not heard of yet; and what is known of some by heart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rules/unicode.h"
#include "rules/unicode_tables.h"
#include "tests/re2_search.h"

enum { SAMPLES_MAX = 20000 };

static struct unicode_set set;

static bool set_has(uint32_t character)
{
    for (uint32_t i = 0; i < set.count; i++)
        if (set.range[i].low <= character && character <= set.range[i].high)
            return true;
    return false;
}

static uint32_t utf8_put(uint32_t c, char *at)
{
    if (c < 0x80) {
        at[0] = (char)c;
        return 1;
    }
    uint32_t count = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (uint32_t i = count; i-- > 1; c >>= 6)
        at[i] = (char)(0x80 | (c & 0x3f));
    at[0] = (char)((count == 2 ? 0xc0 : count == 3 ? 0xe0 : 0xf0) | c);
    return count;
}

static bool re2_finds(const char *pattern, uint32_t character)
{
    char text[4];
    uint32_t bytes = utf8_put(character, text);
    int found = re2_search(pattern, strlen(pattern), text, bytes);

    assert_int_not_equal(found, -1);
    return found == 1;
}

/* ---- what RE2 says ---- */

static uint32_t sample[SAMPLES_MAX], sample_count;

static void add_sample(uint32_t character)
{
    if (character <= UNICODE_CHARACTER_MAX && (character < 0xd800 || character > 0xdfff)) {
        assert_true(sample_count < SAMPLES_MAX);
        sample[sample_count++] = character;
    }
}

static int order_characters(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Both sides of all places, of what is assigned here and there. */
static void take_samples(void)
{
    uint32_t kept = 0;

    sample_count = 0;
    for (uint32_t i = 1; i < unicode_category_run_count; i++) {
        add_sample((unicode_category_run[i] >> 5) - 1);
        add_sample(unicode_category_run[i] >> 5);
    }
    for (uint32_t i = 1; i < unicode_script_run_count; i++) {
        add_sample((unicode_script_run[i] >> 8) - 1);
        add_sample(unicode_script_run[i] >> 8);
    }
    qsort(sample, sample_count, sizeof(sample[0]), order_characters);
    set.count = 0;
    for (uint32_t i = 1; i < unicode_category_name_count; i++)
        unicode_set_add_property(&set, unicode_category_name[i], 2);
    unicode_set_join(&set);
    for (uint32_t i = 0; i < sample_count; i++)
        if ((i == 0 || sample[i] != sample[i - 1]) && set_has(sample[i]) &&
            re2_finds("[\\pC\\pL\\pM\\pN\\pP\\pS\\pZ]", sample[i]))
            sample[kept++] = sample[i];
    sample_count = kept;
    assert_true(sample_count > 4000);
}

/* All samples that are in the set, or are not, in one text. */
static uint32_t write_samples(bool is_in, char *text)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < sample_count; i++)
        if (set_has(sample[i]) == is_in)
            bytes += utf8_put(sample[i], text + bytes);
    return bytes;
}

static void hold_against_re2(const char *name)
{
    static char text[4 * SAMPLES_MAX];
    char pattern[80];

    set.count = 0;
    unicode_set_add_property(&set, name, (uint32_t)strlen(name));
    unicode_set_join(&set);
    for (int is_in = 0; is_in < 2; is_in++) {
        int n = snprintf(pattern, sizeof(pattern), "\\A\\%c{%s}*\\z", is_in ? 'p' : 'P', name);
        uint32_t bytes = write_samples(is_in, text);
        int found = re2_search(pattern, (size_t)n, text, bytes);
        if (found == 0)
            fail_msg("%s: RE2 knows other ones %s it", name, is_in ? "in" : "outside of");
        if (found < 0)
            printf("%s: not known to RE2\n", name);
    }
}

static void properties_are_those_of_re2(void **state)
{
    static const char *const groups[] = {"C", "L", "M", "N", "P", "S", "Z", "Any"};

    (void)state;
    take_samples();
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        hold_against_re2(groups[i]);
    for (uint32_t i = 1; i < unicode_category_name_count; i++)
        hold_against_re2(unicode_category_name[i]);
    for (uint32_t i = 1; i < unicode_script_name_count; i++)
        hold_against_re2(unicode_script_name[i]);
}

/* Each character that folds, and those beside them: what it folds to, RE2 finds it by. */
static void folding_is_that_of_re2(void **state)
{
    char pattern[16] = "(?i)", text[64];

    (void)state;
    for (uint32_t f = 0; f < unicode_fold_count; f++)
        for (uint32_t c = unicode_fold[f].low - 1; c <= unicode_fold[f].high + 1; c++) {
            uint32_t bytes = 0;
            int found;
            if (strchr("@[`{", (int)c) != NULL) /* signs of RE2's */
                continue;
            set.count = 0;
            unicode_set_add(&set, c, c);
            unicode_set_fold(&set);
            for (uint32_t i = 0; i < set.count; i++)
                for (uint32_t k = set.range[i].low; k <= set.range[i].high; k++)
                    bytes += utf8_put(k, text + bytes);
            /* As often as there are such, none of them twice. */
            uint32_t length = 4 + utf8_put(c, pattern + 4);
            pattern[length] = '\0';
            char whole[64];
            int n = snprintf(whole, sizeof(whole), "\\A(?:%s)+\\z", pattern);
            found = re2_search(whole, (size_t)n, text, bytes);
            assert_int_not_equal(found, -1);
            if (found == 0)
                fail_msg("U+%04X folds to something else in RE2", (unsigned)c);
        }
}

/* ---- by heart ---- */

static void some_are_known_by_heart(void **state)
{
    static const struct {
        const char *name;
        uint32_t character;
        bool is_in;
    } rows[] = {{"Lu", 'A', true},       {"Lu", 'a', false},        {"L", 0xdf, true},
                {"Greek", 0x3a9, true},  {"Greek", 'o', false},     {"Nd", 0x663, true},
                {"Han", 0x65e5, true},   {"Cyrillic", 0x436, true}, {"Zs", 0xa0, true},
                {"Any", 0x10ffff, true}, {"Sc", 0x20ac, true},      {"Cc", '\n', true},
                {"So", 0x1f600, true},   {"Latin", 0x212a, true}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set.count = 0;
        unicode_set_add_property(&set, rows[i].name, (uint32_t)strlen(rows[i].name));
        assert_int_equal(set_has(rows[i].character), rows[i].is_in);
        unicode_set_join(&set);
        unicode_set_negate(&set);
        assert_int_equal(set_has(rows[i].character), !rows[i].is_in);
    }
    assert_false(unicode_has_property("greek", 5));
    assert_false(unicode_has_property("Cn", 2));
    assert_false(unicode_has_property("Unknown", 7));
    assert_false(unicode_has_property("", 0));
    assert_false(unicode_has_property("Lul", 3));
}

static void what_folds_to_the_same_stands_in_a_ring(void **state)
{
    static const uint32_t kin[][4] = {{'k', 'K', 0x212a, 'k'},
                                      {0x3c3, 0x3c2, 0x3a3, 0x3c3},    /* sigma */
                                      {0x1c4, 0x1c5, 0x1c6, 0x1c4},    /* dz with caron */
                                      {0x1e9e, 0xdf, 0x1e9e, 0x1e9e}}; /* sharp s */

    (void)state;
    for (size_t i = 0; i < sizeof(kin) / sizeof(kin[0]); i++)
        for (int from = 0; from < 4; from++) {
            set.count = 0;
            unicode_set_add(&set, kin[i][from], kin[i][from]);
            unicode_set_fold(&set);
            for (int to = 0; to < 4; to++)
                assert_true(set_has(kin[i][to]));
        }
    set.count = 0; /* as a whole nothing is new */
    unicode_set_add(&set, 0, UNICODE_CHARACTER_MAX);
    unicode_set_fold(&set);
    assert_int_equal(set.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_those_of_re2),
        cmocka_unit_test(folding_is_that_of_re2),
        cmocka_unit_test(some_are_known_by_heart),
        cmocka_unit_test(what_folds_to_the_same_stands_in_a_ring),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
