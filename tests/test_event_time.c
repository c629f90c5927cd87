/*
 * Aim: every time format that docs/events.md lists gives the right millisecond, and
 * nothing else passes. Method: rows; the seconds come from `date -u -d ... +%s`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ingest/event_time.h"

static const struct row {
    const char *text;
    enum event_time_kind kind;
    int64_t ms;
} texts[] = {
    {"2026-02-01T10:00:00Z", EVENT_TIME_SET, 1769940000000},
    {"2026-02-01T10:00:00.2Z", EVENT_TIME_SET, 1769940000200},
    {"2026-02-01T10:00:00.27Z", EVENT_TIME_SET, 1769940000270},
    {"2026-02-01T10:00:00.265543312Z", EVENT_TIME_SET, 1769940000265},
    {"2026-02-01T10:00:00.9999Z", EVENT_TIME_SET, 1769940000999},
    {"2026-02-01t10:00:00z", EVENT_TIME_SET, 1769940000000},
    {"2026-02-01 10:00:00+02:00", EVENT_TIME_SET, 1769932800000},
    {"2026-02-01T10:00:00.000+0000", EVENT_TIME_SET, 1769940000000},
    {"2026-02-01T10:00:00-0730", EVENT_TIME_SET, 1769967000000},
    {"2026-02-01T10:00:00", EVENT_TIME_SET, 1769940000000},
    {"2026.02.01 10:00:00", EVENT_TIME_SET, 1769940000000},
    {"2024-02-29T23:59:59Z", EVENT_TIME_SET, 1709251199000},
    {"2016-12-31T23:59:60Z", EVENT_TIME_SET, 1483228800000}, /* leap second */
    {"1969-12-31T23:59:59.999Z", EVENT_TIME_SET, -1},
    {"2000-03-01T00:00:00Z", EVENT_TIME_SET, 951868800000},
    {"9999-12-31T23:59:59Z", EVENT_TIME_SET, 253402300799000},
    {"0002-01-01T00:00:00Z", EVENT_TIME_SET, -62104060800000},
    {"0001-01-01T00:00:00Z", EVENT_TIME_ABSENT, 0},
    {"0000-12-31T00:00:00Z", EVENT_TIME_ABSENT, 0},
    {"1970-01-01T00:00:00Z", EVENT_TIME_ABSENT, 0},
    {"", EVENT_TIME_ABSENT, 0},
    {"0", EVENT_TIME_ABSENT, 0},
    {"0.0", EVENT_TIME_ABSENT, 0},
    {"1769940000", EVENT_TIME_SET, 1769940000000},
    {"1769940000.12", EVENT_TIME_SET, 1769940000120},
    {"1769940000.1239999", EVENT_TIME_SET, 1769940000123},
    {"1769940000123", EVENT_TIME_SET, 1769940000123},
    {"1769940000123.9", EVENT_TIME_SET, 1769940000123},
    {"1769940000123456", EVENT_TIME_SET, 1769940000123},
    {"1769940000123456789", EVENT_TIME_SET, 1769940000123},
    {"99999999999", EVENT_TIME_SET, 99999999999000},
    {"100000000000", EVENT_TIME_SET, 100000000000},
    {"1.76994e9", EVENT_TIME_SET, 1769940000000},
    {"176994E4", EVENT_TIME_SET, 1769940000000},
    {"0.25", EVENT_TIME_SET, 250},
    {"1769940000.00000000000000000000000001", EVENT_TIME_SET, 1769940000000},
    {"yesterday", EVENT_TIME_BAD, 0},
    {"2026-02-30T10:00:00Z", EVENT_TIME_BAD, 0},
    {"2025-02-29T10:00:00Z", EVENT_TIME_BAD, 0},
    {"1900-02-29T10:00:00Z", EVENT_TIME_BAD, 0},
    {"2026-04-31T10:00:00Z", EVENT_TIME_BAD, 0},
    {"2026-13-01T10:00:00Z", EVENT_TIME_BAD, 0},
    {"2026-00-01T10:00:00Z", EVENT_TIME_BAD, 0},
    {"2026-02-00T10:00:00Z", EVENT_TIME_BAD, 0},
    {"2026-02-01T24:00:00Z", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:60:00Z", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:61Z", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:00.Z", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:00.1234567890Z", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:00+24:00", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:00+02:60", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:00+2", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:00+02:0x", EVENT_TIME_BAD, 0},
    {"2026-02-01T10:00:00Zz", EVENT_TIME_BAD, 0},
    {"2026-02-01X10:00:00Z", EVENT_TIME_BAD, 0},
    {"2026-02-01", EVENT_TIME_BAD, 0},
    {"2026.02.01 10:00:00Z", EVENT_TIME_BAD, 0},
    {"2026.02-01 10:00:00", EVENT_TIME_BAD, 0},
    {"-1", EVENT_TIME_BAD, 0},
    {"99999999999999999999", EVENT_TIME_BAD, 0},
    {"1e20", EVENT_TIME_BAD, 0},
    {"1769940000 ", EVENT_TIME_BAD, 0},
    {"+1769940000", EVENT_TIME_BAD, 0},
    {"01769940000", EVENT_TIME_BAD, 0},
};

static void texts_give_their_millisecond(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const struct row *row = &texts[i];
        size_t len = strlen(row->text);
        char *copy = malloc(len > 0 ? len : 1); /* exact, so that asan sees one byte more */
        int64_t ms = 0;
        memcpy(copy, row->text, len);
        enum event_time_kind kind = event_time_from_text((struct text){copy, (uint32_t)len}, &ms);
        if (kind != row->kind || (kind == EVENT_TIME_SET && ms != row->ms))
            fail_msg("%s: kind %d, %lld", row->text, kind, (long long)ms);
        free(copy);
    }
}

/* One byte at a time is replaced by every other: what still passes must differ in
 * digits, signs, or the letters between, never in what separates. */
static void no_other_byte_takes_the_place_of_a_digit(void **state)
{
    (void)state;
    const char *good = "2026-02-01T10:00:00.123+01:00";
    size_t len = strlen(good);
    for (size_t at = 0; at < len; at++) {
        for (int c = 0; c < 256; c++) {
            char text[64];
            int64_t ms;
            memcpy(text, good, len);
            text[at] = (char)c;
            bool may = (good[at] >= '0' && good[at] <= '9') ? c >= '0' && c <= '9'
                       : at == 10                           ? c == 'T' || c == 't' || c == ' '
                       : at == 23                           ? c == '+' || c == '-'
                                                            : c == good[at];
            if (event_time_from_text((struct text){text, (uint32_t)len}, &ms) != EVENT_TIME_BAD &&
                !may)
                fail_msg("byte 0x%02x at %zu passes", (unsigned)c, at);
        }
    }
}

/* Every day of 400 years, counted up one by one. */
static void days_follow_each_other(void **state)
{
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t want = -11676096000000; /* date -u -d 1600-01-01 +%s */
    for (int y = 1600; y < 2000; y++) {
        for (int m = 1; m <= 12; m++) {
            int leap = m == 2 && y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
            for (int d = 1; d <= lengths[m - 1] + leap; d++, want += 86400000) {
                char text[32];
                int64_t ms = 0;
                int len = snprintf(text, sizeof(text), "%04d-%02d-%02dT00:00:00Z", y, m, d);
                enum event_time_kind kind =
                    event_time_from_text((struct text){text, (uint32_t)len}, &ms);
                assert_int_equal(kind, want == 0 ? EVENT_TIME_ABSENT : EVENT_TIME_SET);
                assert_true(ms == want);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_give_their_millisecond),
        cmocka_unit_test(no_other_byte_takes_the_place_of_a_digit),
        cmocka_unit_test(days_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
