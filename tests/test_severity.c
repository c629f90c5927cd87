/*
 * Aim: words of common systems mean what docs/events.md says; nothing else passes.
 * Method: the systems' own scales as rows, then a walk over the tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/severity.h"

static int severity_of(const char *word)
{
    size_t len = strlen(word);
    char *copy = malloc(len + 1); /* exact, so that asan sees one byte more */
    memcpy(copy, word, len);
    int severity = severity_from_word((struct text){copy, (uint32_t)len});
    free(copy);
    return severity;
}

static int state_of(const char *word)
{
    return event_state_from_word((struct text){word, (uint32_t)strlen(word)});
}

/* Each system's scale from worst to best; equal or better with every step. */
static const char *const scales[][10] = {
    {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"},     /* syslog */
    {"critical", "major", "minor", "warning", "cleared"},                        /* X.733 */
    {"CRITICAL", "WARNING", "OK"},                                               /* Nagios */
    {"Disaster", "High", "Average", "Warning", "Information", "Not classified"}, /* Zabbix */
    {"critical", "error", "warning", "info"},                                    /* PagerDuty */
    {"Sev0", "Sev1", "Sev2", "Sev3", "Sev4"},                                    /* Azure */
    {"FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"},                        /* OTLP */
    {"Critical", "High", "Medium", "Low", "Informational"},                      /* CrowdStrike */
    {"P1", "P2", "P3", "P4", "P5"},                 /* Opsgenie, Datadog */
    {"CRITICAL", "MAJOR", "MODERATE", "NONE"},      /* NinjaOne */
    {"Highest", "High", "Medium", "Low", "Lowest"}, /* Jira */
};

static void scales_of_systems_keep_their_order(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof(scales) / sizeof(scales[0]); s++) {
        assert_int_equal(severity_of(scales[s][0]), SEVERITY_CRITICAL);
        for (int i = 1; i < 10 && scales[s][i] != NULL; i++) {
            int worse = severity_of(scales[s][i - 1]), better = severity_of(scales[s][i]);
            if (better == WORD_UNKNOWN || better > worse)
                fail_msg("%s is worse than %s", scales[s][i], scales[s][i - 1]);
        }
    }
}

static void known_words_mean_what_the_page_says(void **state)
{
    (void)state;
    assert_int_equal(severity_of("error"), SEVERITY_MAJOR);
    assert_int_equal(severity_of("err"), SEVERITY_MAJOR);
    assert_int_equal(severity_of("warn"), SEVERITY_WARNING);
    assert_int_equal(severity_of("notice"), SEVERITY_INFO);
    assert_int_equal(severity_of("ok"), SEVERITY_OK);
    assert_int_equal(severity_of("Cleared"), SEVERITY_OK);
    assert_int_equal(severity_of("not_classified"), SEVERITY_INFO);
    assert_int_equal(severity_of("Not-Classified"), SEVERITY_INFO);
    assert_int_equal(state_of("firing"), EVENT_PROBLEM);
    assert_int_equal(state_of("RESOLVED"), EVENT_CLEAR);
    assert_int_equal(state_of("Re-Triggered"), EVENT_PROBLEM);
    assert_int_equal(state_of("No Data"), EVENT_PROBLEM);
    assert_int_equal(state_of("1"), EVENT_PROBLEM);
    assert_int_equal(state_of("0"), EVENT_CLEAR);
    assert_int_equal(state_of("up"), EVENT_CLEAR);
}

static void other_words_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "5",
                                      "3",
                                      "critica",
                                      "criticall",
                                      "crit ical",
                                      "warning ",
                                      " warning",
                                      "sev5",
                                      "p0",
                                      "p6",
                                      "\xc2\xb5",
                                      "c\x12itical",
                                      "not classified!",
                                      "an informational one",
                                      "criti\xc3\xa1l",
                                      "@k",
                                      "`k",
                                      "o\x0b",
                                      "OK\x01"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (severity_of(bad[i]) != WORD_UNKNOWN)
            fail_msg("\"%s\" passes", bad[i]);
    assert_int_equal(state_of("2"), WORD_UNKNOWN);
    assert_int_equal(state_of("acknowledged"), WORD_UNKNOWN);
    assert_int_equal(state_of(""), WORD_UNKNOWN);
}

/* Every row is found, in lower, upper and mixed case, and no word comes twice. */
static void every_row_is_found(void **state)
{
    (void)state;
    char word[17] = "", other[17] = "";
    enum severity severity;
    enum event_state problem;
    size_t n;
    for (n = 0; severity_table_word(n, &severity) != NULL; n++) {
        memcpy(word, severity_table_word(n, &severity), 16);
        assert_int_equal(severity_of(word), (int)severity);
        for (size_t m = 0; m < n; m++) {
            enum severity ignored;
            memcpy(other, severity_table_word(m, &ignored), 16);
            assert_string_not_equal(word, other);
        }
        for (size_t c = 0; word[c] != '\0'; c++)
            if (c % 2 == 0)
                word[c] = (char)toupper((unsigned char)word[c]);
        assert_int_equal(severity_of(word), (int)severity);
    }
    assert_true(n > 50);
    for (n = 0; event_state_table_word(n, &problem) != NULL; n++) {
        memcpy(word, event_state_table_word(n, &problem), 16);
        assert_int_equal(state_of(word), (int)problem);
    }
    assert_true(n > 30);
}

/* One byte of a word is replaced by every other: only its other case may pass, or
 * another row. */
static void one_wrong_byte_is_noticed(void **state)
{
    (void)state;
    const char *good = "indeterminate"; /* no row differs from it in one byte */
    for (size_t at = 0; at < strlen(good); at++) {
        for (int c = 1; c < 256; c++) {
            char word[32];
            strcpy(word, good);
            word[at] = (char)c;
            bool may = tolower(c) == good[at] && c < 128;
            assert_int_equal(severity_of(word), may ? SEVERITY_WARNING : WORD_UNKNOWN);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scales_of_systems_keep_their_order),
        cmocka_unit_test(known_words_mean_what_the_page_says),
        cmocka_unit_test(other_words_are_refused),
        cmocka_unit_test(every_row_is_found),
        cmocka_unit_test(one_wrong_byte_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
