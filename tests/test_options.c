/*
 * Aim: command lines are read as their table says, every mistake gets a sentence
 * that names it, and units mean what people mean by them. Method: rows of input
 * and expected outcome; every command of the binary is walked for its help.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "daemon/commands.h"
#include "daemon/options.h"
#include "daemon/units.h"

struct sample {
    struct option_list files;
    bool is_json;
    const char *path, *brokers;
    int64_t workers, wait_ms, room_bytes, from_ms, format;
    struct option_list rules;
};

static const struct option_row rows[] = {
    {"--json", OPTION_FLAG, offsetof(struct sample, is_json), NULL, NULL, "Prints JSON.", 0, 0,
     NULL},
    {"--path", OPTION_TEXT, offsetof(struct sample, path), "FILE", "out", "Where to.", 0, 0, NULL},
    {"--workers", OPTION_COUNT, offsetof(struct sample, workers), "N", "1", "Threads.", 1, 64,
     NULL},
    {"--wait", OPTION_DURATION, offsetof(struct sample, wait_ms), "TIME", "10s", "Patience.", 0, 0,
     NULL},
    {"--room", OPTION_SIZE, offsetof(struct sample, room_bytes), "SIZE", "1GiB", "Room.", 1, 0,
     NULL},
    {"--from", OPTION_TIME, offsetof(struct sample, from_ms), "TIME", NULL, "Start.", 0, 0, NULL},
    {"--format", OPTION_CHOICE, offsetof(struct sample, format), "NAME", "text", "Form.", 0, 0,
     "text json"},
    {"--brokers", OPTION_BROKERS, offsetof(struct sample, brokers), "HOST:PORT", NULL, "Kafka.", 0,
     0, NULL},
    {"--rules", OPTION_LIST, offsetof(struct sample, rules), "FILE", NULL, "Rules.", 0, 0, NULL},
};

static const struct option_table table = {"sample",
                                          "[options] FILE...",
                                          "Reads samples.",
                                          rows,
                                          OPTION_ROWS(rows),
                                          1,
                                          3,
                                          offsetof(struct sample, files),
                                          "0 64"};

/* Splits `line` at blanks and parses it. */
static int parse(const char *line, struct sample *sample, struct error *err)
{
    static char copy[512];
    char *argv[32] = {(char *)"sample"};
    int argc = 1;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
        argv[argc++] = word;
    memset(sample, 0, sizeof(*sample));
    return options_parse(&table, argc, argv, sample, err);
}

static void absent_options_have_their_defaults(void **state)
{
    (void)state;
    struct sample sample;
    struct error err;
    assert_int_equal(parse("in.json", &sample, &err), 0);
    assert_int_equal(sample.files.count, 1);
    assert_string_equal(sample.files.item[0], "in.json");
    assert_false(sample.is_json);
    assert_string_equal(sample.path, "out");
    assert_int_equal(sample.workers, 1);
    assert_int_equal(sample.wait_ms, 10000);
    assert_int_equal(sample.room_bytes, 1073741824);
    assert_int_equal(sample.format, 0);
    assert_int_equal(sample.rules.count, 0);
}

static void both_spellings_of_a_value_are_read(void **state)
{
    (void)state;
    struct sample sample;
    struct error err;
    assert_int_equal(parse("--workers 3 --wait=1h30m --room 64KiB --format=json --rules a "
                           "--rules=b --json --from 1970-01-02T01:00:00.5+01:00 - -- --odd",
                           &sample, &err),
                     0);
    assert_int_equal(sample.workers, 3);
    assert_int_equal(sample.wait_ms, 90 * 60000);
    assert_int_equal(sample.room_bytes, 65536);
    assert_int_equal(sample.format, 1);
    assert_int_equal(sample.rules.count, 2);
    assert_string_equal(sample.rules.item[1], "b");
    assert_true(sample.is_json);
    assert_int_equal(sample.from_ms, 86400500); /* one day and half a second: the zone is +1 h */
    assert_int_equal(sample.files.count, 2);
    assert_string_equal(sample.files.item[0], "-");
    assert_string_equal(sample.files.item[1], "--odd");
}

static void every_mistake_gets_its_sentence(void **state)
{
    (void)state;
    static const struct {
        const char *line, *sentence;
    } cases[] = {
        {"--worker 3 f", "unknown option --worker; did you mean --workers?"},
        {"--zzz f", "unknown option --zzz"},
        /* what all options begin with makes none nearer */
        {"--rum f", "unknown option --rum"},
        {"--form f", "unknown option --form; did you mean --from?"},
        {"--work f", "unknown option --work; did you mean --workers?"},
        {"f --workers", "--workers needs a value: --workers N"},
        {"--workers 0 f", "--workers: 0 is out of range, it must be from 1 to 64"},
        {"--workers 65 f", "--workers: 65 is out of range, it must be from 1 to 64"},
        {"--workers 3x f", "--workers: '3x' is not a whole number"},
        {"--workers 99999999999999999999 f",
         "--workers: '99999999999999999999' is not a whole number"},
        {"--wait 10 f", "--wait: '10' is not a duration: write it like 500ms, 30s, 10m, 2h, 1d or "
                        "1h30m"},
        {"--room 0 f", "--room: 0 is too small, it must be at least 1"},
        {"--format yaml f", "--format: 'yaml' is not one of: text json"},
        {"--brokers a:1,b:70000 f", "--brokers: the port '70000' is no number from 1 to 65535"},
        {"--brokers= f", "--brokers: must not be empty"},
        {"--json=1 f", "--json takes no value"},
        {"a b c d", "'d' is one argument too many"},
        {"a b c d.yaml", "'d.yaml' is one argument too many; rules are named by --rules FILE"},
        {"a b c .yaml.gz", "'.yaml.gz' is one argument too many"},
        {"--json", "an argument is missing: tocsin sample [options] FILE..."},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sample sample;
        struct error err = {{0}};
        assert_true(parse(cases[i].line, &sample, &err) < 0);
        assert_string_equal(err.text, cases[i].sentence);
    }
}

static void help_is_asked_for_by_both_names(void **state)
{
    (void)state;
    struct sample sample;
    struct error err;
    assert_int_equal(parse("--help", &sample, &err), 1);
    assert_int_equal(parse("--workers 2 -h", &sample, &err), 1);
}

static void durations_are_read_and_written_back(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
        const char *written; /* NULL: refused */
    } cases[] = {
        {"0", 0, "0"},
        {"500ms", 500, "500ms"},
        {"1500ms", 1500, "1500ms"},
        {"60s", 60000, "1m"},
        {"1d", 86400000, "1d"},
        {"1h30m", 5400000, "90m"},
        {"2m1s", 121000, "121s"},
        {"", 0, NULL},
        {"10", 0, NULL},
        {"10 s", 0, NULL},
        {"-1s", 0, NULL},
        {"1m1h", 0, NULL},
        {"1s1s", 0, NULL},
        {"1x", 0, NULL},
        {"9223372036854775807d", 0, NULL},
        {"1.5s", 0, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char to[UNIT_TEXT_BYTES];
        int64_t ms = -1;
        struct error err;
        int rc = unit_parse_duration(cases[i].text, &ms, &err);
        if (cases[i].written == NULL) {
            assert_int_not_equal(rc, 0);
            continue;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(ms, cases[i].ms);
        assert_string_equal(unit_format_duration(ms, to), cases[i].written);
    }
}

static void spans_are_written_in_parts_of_days_and_less(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *written;
    } cases[] = {
        {0, "0s"},
        {6500, "6s500ms"},
        {-5000, "-5s"},
        {3600000, "1h"},
        {2196 * INT64_C(86400000) + 9 * 3600000 + 52500, "2196d9h52s500ms"},
        /* 106751991167 days are 9223372036828800000 ms; 25975808 ms are left. */
        {INT64_MIN, "-106751991167d7h12m55s808ms"},
    };
    char to[UNIT_TEXT_BYTES];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(unit_format_span(cases[i].ms, to), cases[i].written);
}

static void times_are_read_in_every_zone_and_written_in_utc(void **state)
{
    (void)state;
    /* 2000-03-01 is day 11017: 30 years of 365 days, 7 leap days, 31 + 29 days. */
    const int64_t march_2000 = INT64_C(86400000) * (30 * 365 + 7 + 31 + 29);
    static const char *bad[] = {"2000-02-30T00:00:00Z",
                                "2001-02-29T00:00:00Z",
                                "2000-03-01T24:00:00Z",
                                "2000-03-01 00:00:00Z",
                                "2000-03-01T00:00:00",
                                "2000-3-1T00:00:00Z",
                                "2000-03-01T00:00:00Zx",
                                "",
                                "soon"};
    char to[UNIT_TEXT_BYTES];
    struct error err;
    int64_t ms;
    assert_int_equal(unit_parse_time("2000-03-01T00:00:00Z", &ms, &err), 0);
    assert_int_equal(ms, march_2000);
    assert_int_equal(unit_parse_time("2000-02-29T22:30:00.0019-01:30", &ms, &err), 0);
    assert_int_equal(ms, march_2000 + 1); /* finer fractions are cut off */
    assert_string_equal(unit_format_time(ms, to), "2000-03-01T00:00:00.001Z");
    assert_string_equal(unit_format_time(march_2000 - 1, to), "2000-02-29T23:59:59.999Z");
    assert_string_equal(unit_format_time(0, to), "1970-01-01T00:00:00.000Z");
    assert_int_equal(unit_parse_time("951868800000", &ms, &err), 0);
    assert_int_equal(ms, march_2000);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(unit_parse_time(bad[i], &ms, &err), 0);
}

static void sizes_know_binary_and_decimal_units(void **state)
{
    (void)state;
    char to[UNIT_TEXT_BYTES];
    struct error err;
    int64_t bytes;
    assert_int_equal(unit_parse_size("10MB", &bytes, &err), 0);
    assert_int_equal(bytes, 10000000);
    assert_int_equal(unit_parse_size("3MiB", &bytes, &err), 0);
    assert_int_equal(bytes, 3 * 1048576);
    assert_string_equal(unit_format_size(bytes, to), "3MiB");
    assert_string_equal(unit_format_size(1000, to), "1000");
    assert_int_not_equal(unit_parse_size("3 MiB", &bytes, &err), 0);
    assert_int_not_equal(unit_parse_size("9999999999GiB", &bytes, &err), 0);
}

static void a_mistyped_command_is_a_usage_error(void **state)
{
    (void)state;
    char *argv[] = {(char *)"tocsin", (char *)"relpay", NULL};
    assert_int_equal(commands_run(2, argv), EXIT_USAGE);
    assert_int_equal(commands_run(1, argv), EXIT_USAGE);
    argv[1] = (char *)"--version";
    assert_int_equal(commands_run(2, argv), EXIT_OK);
}

static void every_command_has_a_name_a_summary_and_help(void **state)
{
    (void)state;
    size_t count;
    const struct command *list = commands_list(&count);
    for (size_t i = 0; i < count; i++) {
        char *argv[] = {(char *)list[i].name, (char *)"--help", NULL};
        assert_true(list[i].name[0] != '\0' && list[i].summary[0] != '\0');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(list[i].name, list[j].name);
        assert_int_equal(list[i].run(2, argv), EXIT_OK);
        argv[1] = (char *)"--no-such-option";
        assert_int_equal(list[i].run(2, argv), EXIT_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_options_have_their_defaults),
        cmocka_unit_test(both_spellings_of_a_value_are_read),
        cmocka_unit_test(every_mistake_gets_its_sentence),
        cmocka_unit_test(help_is_asked_for_by_both_names),
        cmocka_unit_test(durations_are_read_and_written_back),
        cmocka_unit_test(spans_are_written_in_parts_of_days_and_less),
        cmocka_unit_test(times_are_read_in_every_zone_and_written_in_utc),
        cmocka_unit_test(sizes_know_binary_and_decimal_units),
        cmocka_unit_test(a_mistyped_command_is_a_usage_error),
        cmocka_unit_test(every_command_has_a_name_a_summary_and_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
