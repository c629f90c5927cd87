/*
 * Aim: texts and numbers come out in the order that text_sort.h states, and rows that are there
 * twice are found. Method: lists of many sizes, of texts that share beginnings and hold zeros,
 * against a sort that compares byte by byte; and texts of megabytes that differ in their last byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "rules/text_sort.h"

enum { MANY = 3000, TEXT_BYTES = 40, WIDTH = 3 };

static uint64_t drawn = 1;

static uint32_t draw(uint32_t below)
{
    drawn = drawn * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(drawn >> 33) % below;
}

/* Of few letters, zero among them, so that many begin alike or end early. */
static struct text draw_text(char *to, uint32_t letters)
{
    uint32_t len = draw(TEXT_BYTES), same = draw(3) == 0 ? 0 : len - draw(len < 3 ? len + 1 : 3);

    for (uint32_t i = 0; i < len; i++)
        to[i] = (char)(i < same ? 0xc3 : draw(letters) * 0x7f);
    return (struct text){to, len};
}

static int order_of(struct text a, struct text b)
{
    uint32_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int order_of_rows(const struct text *rows, uint32_t width, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < width; i++) {
        int order = order_of(rows[a * width + i], rows[b * width + i]);
        if (order != 0)
            return order;
    }
    return 0;
}

static char bytes[MANY * WIDTH][TEXT_BYTES];
static struct text texts[MANY * WIDTH];
static uint32_t order[MANY];
static const uint32_t counts[] = {0, 1, 2, 3, 20, 24, 25, 100, 511, 512, 513, MANY};
enum { COUNTS = sizeof(counts) / sizeof(counts[0]) };

static void rows_come_out_in_order(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 20 * COUNTS; round++) {
        uint32_t count = counts[round % COUNTS], width = 1 + draw(WIDTH), twice, found = UINT32_MAX;
        uint32_t letters = 2 + draw(2);
        bool is_there[MANY] = {false};
        for (uint32_t i = 0; i < count * width; i++)
            texts[i] = draw_text(bytes[i], letters);
        assert_true(text_sort_rows(texts, width, count, order, &twice));
        for (uint32_t i = 0; i < count; i++) {
            assert_true(order[i] < count);
            assert_false(is_there[order[i]]);
            is_there[order[i]] = true;
            if (i == 0)
                continue;
            int before = order_of_rows(texts, width, order[i - 1], order[i]);
            assert_true(before <= 0);
            if (before < 0)
                continue;
            assert_true(order[i - 1] < order[i]);
            found = found == UINT32_MAX ? order[i] : found;
        }
        assert_int_equal(twice, found);
    }
}

static void texts_come_out_by_length_first(void **state)
{
    (void)state;
    for (uint32_t round = 0; round < 5 * COUNTS; round++) {
        uint32_t count = counts[round % COUNTS], sum = 0, after = 0;
        for (uint32_t i = 0; i < count; i++) {
            texts[i] = draw_text(bytes[i], 3);
            sum += (uint32_t)(texts[i].at - bytes[0]) / TEXT_BYTES;
        }
        assert_true(text_sort_by_length(texts, count));
        for (uint32_t i = 0; i < count; i++) {
            after += (uint32_t)(texts[i].at - bytes[0]) / TEXT_BYTES;
            if (i > 0 && texts[i].len == texts[i - 1].len)
                assert_true(order_of(texts[i - 1], texts[i]) <= 0);
            else if (i > 0)
                assert_true(texts[i].len > texts[i - 1].len);
        }
        assert_int_equal(sum, after);
    }
}

/* A call for each chunk would need a stack of a hundred megabytes. */
static void long_texts_need_no_stack(void **state)
{
    enum { LONG = 8 << 20 };
    char *a = malloc(LONG), *b = malloc(LONG);
    uint32_t twice;

    (void)state;
    assert_non_null(a);
    assert_non_null(b);
    memset(a, 'x', LONG);
    memset(b, 'x', LONG);
    a[LONG - 1] = 'y';
    texts[0] = (struct text){a, LONG};
    texts[1] = (struct text){b, LONG};
    assert_true(text_sort_rows(texts, 1, 2, order, &twice));
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 0);
    assert_int_equal(twice, UINT32_MAX);
    a[LONG - 1] = 'x';
    assert_true(text_sort_rows(texts, 1, 2, order, &twice));
    assert_int_equal(twice, 1);
    free(a);
    free(b);
}

static void numbers_come_out_in_order(void **state)
{
    static int64_t whole[MANY];
    static double reals[MANY];

    (void)state;
    for (uint32_t round = 0; round < COUNTS; round++) {
        uint32_t count = counts[round];
        for (uint32_t i = 0; i < count; i++) {
            whole[i] = i % 7 == 0 ? INT64_MIN : (int64_t)((uint64_t)draw(UINT32_MAX) << draw(33));
            whole[i] = i % 2 == 0 ? whole[i] : ~whole[i];
            reals[i] = (double)whole[i] * (i % 3 == 0 ? 1e-300 : 1e200);
        }
        assert_true(text_sort_whole(whole, count));
        assert_true(text_sort_reals(reals, count));
        for (uint32_t i = 1; i < count; i++) {
            assert_true(whole[i - 1] <= whole[i]);
            assert_true(reals[i - 1] <= reals[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_out_in_order),
        cmocka_unit_test(texts_come_out_by_length_first),
        cmocka_unit_test(long_texts_need_no_stack),
        cmocka_unit_test(numbers_come_out_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
