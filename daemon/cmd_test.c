/*
 * cmd_test.c - `tocsin test`: rule tests, through the real engine on a virtual clock.
 *
 * Everything that can be wrong with a file is found before its first test runs; a file that is
 * wrong does not keep the others from running.
 */
#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "base/same_file.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/json_print.h"
#include "daemon/line_writer.h"
#include "daemon/options.h"
#include "daemon/packs.h"
#include "daemon/progress.h"
#include "daemon/rule_test.h"
#include "daemon/rule_test_find.h"
#include "daemon/rule_test_report.h"

#define NAMES_BYTES_MAX ((size_t)64 << 20)

struct test_options {
    struct option_list files;
    struct option_list rules;
    const char *config;
    const char *run;
    const char *junit;
    bool is_json;
    bool verbose;
    bool progress;
};

static const struct option_row rows[] = {
    {"--rules", OPTION_LIST, offsetof(struct test_options, rules), "FILE", NULL,
     "Rule file, folder or shipped pack instead of those that the test files name; may be given "
     "again.",
     0, 0, NULL},
    {"--config", OPTION_TEXT, offsetof(struct test_options, config), "FILE", NULL,
     "Configuration file: its engine settings and sinks stand where a test file has none, its "
     "rules "
     "where it names none.",
     0, 0, NULL},
    {"--run", OPTION_TEXT, offsetof(struct test_options, run), "PATTERN", NULL,
     "Only tests whose name has this in it; with * and ? a pattern for the whole name.", 0, 0,
     NULL},
    {"--json", OPTION_FLAG, offsetof(struct test_options, is_json), NULL, NULL,
     "Prints one JSON object instead of text.", 0, 0, NULL},
    {"--junit", OPTION_TEXT, offsetof(struct test_options, junit), "FILE", NULL,
     "Writes a report in JUnit's form there too; - is standard output.", 0, 0, NULL},
    {"--verbose", OPTION_FLAG, offsetof(struct test_options, verbose), NULL, NULL,
     "Prints each test, and the incidents that it opened.", 0, 0, NULL},
    {"-v", OPTION_FLAG, offsetof(struct test_options, verbose), NULL, NULL, "The same.", 0, 0,
     NULL},
    {"--progress", OPTION_FLAG, offsetof(struct test_options, progress), NULL, NULL,
     "Says on standard error how far the tests are, even where that is no terminal.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "test",
    .usage = "[options] [FILE...]",
    .about = "Runs rule tests: events on a virtual clock through the real engine, and what is "
             "expected of them. FILE is a file of tests, a folder whose *.test.yaml are run with "
             "those below it, the name of a shipped pack, or - for standard input; without any it "
             "is the "
             "working folder. "
             "Exit code 1 means that a test failed, 65 that a test file is refused.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct test_options, files),
    .exits = "0 1 64 65 66 70 71 74 78",
};

struct testing {
    struct test_options options;
    struct config *config; /* NULL: none given */
    struct rule_test_base base;
    struct arena *arena; /* names of files, sinks of the configuration */
    struct rule_test_files files;
    /* The rules of the last file: most files in a row have the same. */
    struct rule_set *rules;
    char *rules_names;
    json_t *results; /* with --json */
    FILE *junit;     /* with --junit: a stream in memory */
    char *junit_text;
    size_t junit_bytes;
    uint64_t started_ns;
    struct progress progress;
    size_t passed, failed, skipped, refused; /* tests; files */
    int code;
};

/* The worst of what happened is what the exit code says: a refused file above a failed test. */
static void note(struct testing *testing, int code)
{
    if (testing->code == EXIT_OK || testing->code == EXIT_CHANGED)
        testing->code = code;
}

/* ---- preparation ---- */

static int take_config(struct testing *testing, struct error *err)
{
    struct rule_test_settings *settings = &testing->base.settings;
    const struct config *config;
    struct sink_config *sinks;
    uint8_t *priorities;

    if (config_load(testing->options.config, CONFIG_SECRETS_MAY_BE_ABSENT, &testing->config, err) !=
        0)
        return EXIT_CONFIG;
    config = testing->config;
    settings->expire_ms = config->engine.expire_ms;
    settings->round_ms = config->engine.round_ms;
    settings->past_ms = config->engine.past_ms;
    settings->future_ms = config->engine.future_ms;
    settings->flap_window_ms = config->engine.flap_window_ms;
    settings->flap_start = config->engine.flap_start;
    settings->flap_stop = config->engine.flap_stop;
    settings->alerts_max = config->engine.alerts_max;
    if (config->input.topics.count > 0) {
        settings->disorder_ms = config->input.topics.item[0].disorder_ms;
        settings->tenant = config->input.topics.item[0].tenant;
        settings->log_append_time = config->input.topics.item[0].log_append_time;
    }
    sinks = arena_alloc_many(testing->arena, config->sinks.count + 1, sizeof(*sinks));
    priorities = arena_alloc_many(testing->arena, config->sinks.count + 1, sizeof(*priorities));
    if (sinks == NULL || priorities == NULL) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    for (size_t i = 0; i < config->sinks.count; i++) {
        const struct config_sink *from = &config->sinks.item[i];
        sinks[i] = (struct sink_config){.name = from->name, .type = from->type};
        for (size_t o = 0; o < from->options.count && o < SINK_OPTIONS_MAX; o++) {
            sinks[i].option[o].key = from->options.item[o].name;
            sinks[i].option[o].value = from->options.item[o].value;
            sinks[i].option_count = o + 1;
        }
        priorities[i] = (uint8_t)from->priority;
    }
    testing->base.sinks = sinks;
    testing->base.sink_priority_max = priorities;
    testing->base.sink_count = config->sinks.count;
    return EXIT_OK;
}

/* The tests and rules that are read, and the configuration, are not what a report replaces. */
static bool can_write(const struct testing *testing, const char *path, struct error *err)
{
    const struct test_options *options = &testing->options;
    bool is_one = options->config != NULL && same_regular_file(options->config, path);

    for (size_t i = 0; i < testing->files.count; i++)
        is_one |= same_regular_file(testing->files.path[i], path);
    for (size_t i = 0; i < options->rules.count; i++)
        is_one |= same_regular_file(options->rules.item[i], path);
    if (is_one)
        error_set(err, "--junit %s is one of the files that are read, and is not overwritten",
                  path);
    return !is_one;
}

static int prepare(struct testing *testing, struct error *err)
{
    int rc, code = EXIT_OK;

    rule_test_base_init(&testing->base);
    testing->arena = arena_create(NAMES_BYTES_MAX);
    testing->results = testing->options.is_json ? json_array() : NULL;
    if (testing->options.junit != NULL)
        testing->junit = open_memstream(&testing->junit_text, &testing->junit_bytes);
    if (testing->arena == NULL || (testing->options.is_json && testing->results == NULL) ||
        (testing->options.junit != NULL && testing->junit == NULL)) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    if (testing->options.config != NULL)
        code = take_config(testing, err);
    if (code != EXIT_OK)
        return code;
    rc = rule_test_files_find(&testing->options.files, testing->arena, &testing->files, err);
    if (rc != 0)
        return rc == -ENOMEM ? EXIT_SYSTEM : EXIT_NO_INPUT;
    if (testing->options.junit != NULL && strcmp(testing->options.junit, "-") != 0 &&
        !can_write(testing, testing->options.junit, err))
        return EXIT_USAGE;
    return EXIT_OK;
}

/* ---- rules ---- */

static const char *const *rule_names(const struct testing *testing,
                                     const struct rule_test_file *file, size_t *count)
{
    if (testing->options.rules.count > 0) {
        *count = testing->options.rules.count;
        return testing->options.rules.item;
    }
    if (testing->config != NULL && file->rules_are_default && testing->config->rules.count > 0) {
        *count = testing->config->rules.count;
        return testing->config->rules.item;
    }
    *count = file->rule_count;
    return file->rules;
}

/* The rules that the file's tests run with; NULL with a sentence when they are refused. */
static struct rule_set *load_rules(struct testing *testing, const struct rule_test_file *file,
                                   struct error *err)
{
    size_t count, bytes = 0;
    const char *const *names = rule_names(testing, file, &count);
    char *joined;

    if (count == 0) {
        error_set(err, "%s: the file names no rules: give `rules`, or --rules", file->script.name);
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        bytes += strlen(names[i]) + 1;
    joined = malloc(bytes);
    if (joined == NULL) {
        error_set(err, "out of memory");
        return NULL;
    }
    bytes = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(names[i]);
        memcpy(joined + bytes, names[i], length);
        bytes += length;
        joined[bytes++] = i + 1 < count ? '\n' : '\0';
    }
    if (testing->rules_names != NULL && strcmp(testing->rules_names, joined) == 0) {
        free(joined);
        return testing->rules;
    }
    rule_set_destroy(testing->rules);
    free(testing->rules_names);
    testing->rules = NULL;
    testing->rules_names = NULL;
    if (packs_load_rules(names, count, &testing->rules, err) != 0) {
        if (names == (const char *const *)file->rules && file->rules_are_default)
            error_prefix(err, "%s has no `rules`, so its rules are %s: ", file->script.name,
                         names[0]);
        free(joined);
        return NULL;
    }
    testing->rules_names = joined;
    return testing->rules;
}

/* ---- running ---- */

static bool is_chosen(const struct testing *testing, const struct rule_test *test)
{
    const char *pattern = testing->options.run;

    if (pattern == NULL)
        return true;
    if (strpbrk(pattern, "*?[") != NULL)
        return fnmatch(pattern, test->name, 0) == 0;
    return strstr(test->name, pattern) != NULL;
}

static void report(struct testing *testing, const struct rule_test_outcome *outcome)
{
    bool passed = rule_test_outcome_passed(outcome);

    if (!passed || testing->options.verbose)
        progress_end(&testing->progress);
    testing->passed += passed;
    testing->failed += !passed;
    if (!passed)
        note(testing, EXIT_CHANGED);
    if (testing->results != NULL)
        json_array_append_new(testing->results, rule_test_report_json(outcome));
    else
        rule_test_report_text(outcome, testing->options.verbose, stdout);
    if (testing->junit != NULL)
        rule_test_report_junit(outcome, testing->junit);
}

static void run_test(struct testing *testing, const struct rule_test_file *file,
                     const struct rule_test *test, struct rule_set *rules)
{
    struct rule_test_outcome outcome = {.file = file, .test = test};
    struct rule_test_result result = {0};
    struct rule_test_run run = {0};
    struct error err = {{0}};
    uint64_t begin = host_mono_ns();

    if (rule_test_run(file, test, rules, NULL, &run, &err) != 0) {
        outcome.trouble = err.text;
    } else {
        rule_test_compare(file, test, &run, &result);
        if (result.finding_count > 0)
            rule_test_explain(file, test, rules, &result);
        outcome.result = &result;
        outcome.run = &run;
    }
    outcome.elapsed_ns = host_mono_ns() - begin;
    report(testing, &outcome);
    rule_test_result_release(&result);
    rule_test_run_release(&run);
}

static void refuse(struct testing *testing, const char *path, int code, const char *why)
{
    progress_end(&testing->progress);
    testing->refused++;
    note(testing, code);
    fprintf(stderr, "%s\n", why);
    if (testing->results != NULL)
        json_array_append_new(testing->results,
                              json_pack("{s:o, s:b, s:o}", "file", json_shown(path), "passed", 0,
                                        "trouble", json_shown(why)));
    if (testing->junit != NULL) {
        fprintf(testing->junit, "    <testcase name=\"the file is read\" classname=\"");
        rule_test_report_xml_text(path, testing->junit);
        fprintf(testing->junit, "\"><error message=\"refused\">");
        rule_test_report_xml_text(why, testing->junit);
        fprintf(testing->junit, "</error></testcase>\n");
    }
}

static void run_file(struct testing *testing, size_t index)
{
    const char *path = testing->files.path[index];
    struct rule_test_file *file = NULL;
    struct rule_set *rules;
    struct error err = {{0}};
    char *text = NULL;
    size_t bytes = 0;
    int rc = host_read_file(path, YAML_BYTES_MAX + 1, &text, &bytes);

    if (rc != 0) {
        error_set(&err, "%s: %s", path, host_read_why(rc));
        refuse(testing, path, EXIT_NO_INPUT, err.text);
        return;
    }
    rc = rule_test_file_read(path, text, bytes, &testing->base, &file, &err);
    free(text);
    if (rc != 0) {
        refuse(testing, path, EXIT_DATA, err.text);
        return;
    }
    rules = load_rules(testing, file, &err);
    if (rules == NULL)
        refuse(testing, path, EXIT_CONFIG, err.text);
    else if (rule_test_file_bind(file, rules, &err) != 0)
        refuse(testing, path, EXIT_DATA, err.text);
    else
        for (uint32_t t = 0; t < file->test_count; t++) {
            if (!is_chosen(testing, &file->tests[t])) {
                testing->skipped++;
                continue;
            }
            run_test(testing, file, &file->tests[t], rules);
            progress_show(&testing->progress, testing->passed + testing->failed, 0);
        }
    rule_test_file_destroy(file);
}

/* ---- at the end ---- */

static void print_sum(const struct testing *testing)
{
    char skipped[48] = "", refused[48] = "";
    size_t ran = testing->passed + testing->failed;

    if (testing->skipped > 0)
        snprintf(skipped, sizeof(skipped), ", %zu not chosen", testing->skipped);
    if (testing->refused > 0)
        snprintf(refused, sizeof(refused), ", %zu file%s refused", testing->refused,
                 plural(testing->refused));
    printf("%zu test%s in %zu file%s: %zu passed, %zu failed%s%s (%.2f s)\n", ran, plural(ran),
           testing->files.count, plural(testing->files.count), testing->passed, testing->failed,
           skipped, refused, (double)(host_mono_ns() - testing->started_ns) / 1e9);
}

static int print_json(struct testing *testing)
{
    json_t *root =
        json_pack("{s:I, s:I, s:I, s:I, s:f, s:O}", "passed", (json_int_t)testing->passed, "failed",
                  (json_int_t)testing->failed, "not_chosen", (json_int_t)testing->skipped,
                  "files_refused", (json_int_t)testing->refused, "seconds",
                  (double)(host_mono_ns() - testing->started_ns) / 1e9, "tests", testing->results);

    return json_print(root, JSON_INDENT(2), stdout) ? EXIT_OK : EXIT_SYSTEM;
}

static int write_junit(struct testing *testing, struct error *err)
{
    struct line_writer *writer;
    char head[256];
    int rc;

    fclose(testing->junit);
    testing->junit = NULL;
    writer = line_writer_open(testing->options.junit, LINE_WRITER_TRUNCATE, err);
    if (writer == NULL)
        return EXIT_IO;
    snprintf(head, sizeof(head),
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
             "  <testsuite name=\"tocsin test\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
             "time=\"%.3f\">",
             testing->passed + testing->failed + testing->refused, testing->failed,
             testing->refused, (double)(host_mono_ns() - testing->started_ns) / 1e9);
    line_writer_add(writer, head, strlen(head));
    if (testing->junit_bytes > 0)
        line_writer_add(writer, testing->junit_text, testing->junit_bytes - 1);
    line_writer_add(writer, "  </testsuite>\n</testsuites>", 28);
    rc = line_writer_close(writer);
    if (rc == 0)
        return EXIT_OK;
    line_writer_say(testing->options.junit, rc, err);
    return EXIT_IO;
}

static int finish(struct testing *testing, struct error *err)
{
    int code = EXIT_OK;

    if (testing->options.is_json)
        code = print_json(testing);
    else
        print_sum(testing);
    if (code == EXIT_OK && testing->junit != NULL)
        code = write_junit(testing, err);
    if (code == EXIT_OK && testing->passed + testing->failed + testing->refused == 0) {
        error_set(err, "no test has '%s' in its name", testing->options.run);
        code = EXIT_USAGE;
    }
    return code != EXIT_OK ? code : testing->code;
}

int cmd_test(int argc, char **argv)
{
    struct testing testing = {.code = EXIT_OK};
    struct error err = {{0}};
    int code;

    if (!options_read(&table, argc, argv, &testing.options, &code))
        return code;
    testing.started_ns = host_mono_ns();
    progress_begin(&testing.progress, "tests", testing.options.progress, false);
    code = prepare(&testing, &err);
    for (size_t i = 0; i < testing.files.count && code == EXIT_OK; i++)
        run_file(&testing, i);
    progress_end(&testing.progress);
    if (code == EXIT_OK)
        code = finish(&testing, &err);
    if (err.text[0] != '\0')
        fprintf(stderr, "tocsin test: %s\n", err.text);
    if (testing.junit != NULL)
        fclose(testing.junit);
    free(testing.junit_text);
    json_decref(testing.results);
    rule_set_destroy(testing.rules);
    free(testing.rules_names);
    config_destroy(testing.config);
    arena_destroy(testing.arena);
    return code;
}
