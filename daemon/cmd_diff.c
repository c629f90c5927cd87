/*
 * cmd_diff.c - `tocsin diff`: what a change of rules would have done to recorded events.
 *
 * Two engines run side by side over the same records, each with half of the threads and readers of
 * its own, and tell their incidents to a comparison (daemon/incident_diff.h). They share the seed
 * of their hashes, so that an alert is the same word to both. Reading twice costs a second decoding
 * but no meeting of the two: nowhere does one wait for the other, but at the bound of memory.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "correlate/engine.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/diff_report.h"
#include "daemon/incident_diff.h"
#include "daemon/ledger.h"
#include "daemon/options.h"
#include "daemon/packs.h"
#include "daemon/progress.h"
#include "daemon/replay_input.h"
#include "daemon/replay_past.h"
#include "daemon/replay_range.h"

enum { POLL_MS = 100, SINKS_MAX = 64, PARTS_MAX = 4096 };

struct diff_options {
    struct option_list files;
    const char *config;
    struct replay_range range;
    const char *marks;
    struct option_list rules;
    int64_t workers, take, near_ms, memory, examples;
    bool is_json, quiet, progress;
};

static const struct option_row rows[] = {
    {"--rules", OPTION_LIST, offsetof(struct diff_options, rules), "SET", NULL,
     "Given twice: the old rules, then the new ones; each a file, a folder or a shipped pack. "
     "Given "
     "once: the new ones, the configuration's are the old.",
     0, 0, NULL},
    {"--config", OPTION_TEXT, offsetof(struct diff_options, config), "FILE", NULL,
     "Configuration file: its engine, topics and sinks count for both; nothing is sent. Without "
     "sinks an incident of P1 or P2 counts as a page.",
     0, 0, NULL},
    REPLAY_RANGE_ROWS(offsetof(struct diff_options, range)),
    {"--marks", OPTION_TEXT, offsetof(struct diff_options, marks), "FILE", NULL,
     "What the clock decided in the run that was recorded: the file of its marks.path.", 0, 0,
     NULL},
    REPLAY_DATA_ROW(offsetof(struct diff_options, range)),
    {"--near", OPTION_DURATION, offsetof(struct diff_options, near_ms), "TIME", "10m",
     "Incidents further apart than this are never taken for one.", 0, 0, NULL},
    {"--examples", OPTION_COUNT, offsetof(struct diff_options, examples), "N", "3",
     "Examples of each kind of change and rule.", 0, 100, NULL},
    {"--memory", OPTION_SIZE, offsetof(struct diff_options, memory), "SIZE", "512MiB",
     "Bound of the incidents that are held to be compared.", 1, 0, NULL},
    {"--workers", OPTION_COUNT, offsetof(struct diff_options, workers), "N", NULL,
     "Threads of each of the two engines, instead of half of the configuration's.", 1, 64, NULL},
    {"--take", OPTION_COUNT, offsetof(struct diff_options, take), "N", NULL,
     "Records taken from a partition at once.", 1, 65536, NULL},
    {"--json", OPTION_FLAG, offsetof(struct diff_options, is_json), NULL, NULL,
     "Prints one JSON object (docs/diff.md).", 0, 0, NULL},
    {"--quiet", OPTION_FLAG, offsetof(struct diff_options, quiet), NULL, NULL,
     "Neither notes nor figures about speed on standard error.", 0, 0, NULL},
    {"--progress", OPTION_FLAG, offsetof(struct diff_options, progress), NULL, NULL,
     "Says on standard error how far it has come, also where that is no terminal.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "diff",
    .usage = "--rules OLD --rules NEW [options] [FILE...]",
    .about =
        "Runs two sets of rules over the same recorded events and tells what the change does: "
        "incidents gained, lost, merged, split, regrouped, retimed, told at another time, of "
        "another priority, severity or route, and pages saved or added. FILE is a recording "
        "(.trec), a small log (.tlog) or "
        "events as JSON lines; without one it is a range of Kafka topics, which is read "
        "twice, with what was pushed where --data says where. Exit code 0: nothing changed, 1: "
        "something did, above: it could not be told.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct diff_options, files),
    .exits = "0 1 64 65 66 69 70 71 74 78",
};

struct comparison;

/* One of the two runs. */
struct side {
    struct comparison *comparison;
    enum diff_side which;
    const char *name;
    struct rule_set *rules;
    struct rules_read read; /* what they are made of */
    struct replay_input *input;
    struct engine *engine;
    bool is_finished;
};

struct comparison {
    struct diff_options options;
    struct config *config;
    struct engine_config engine_config;
    struct rules_past past; /* how the records were read; engine_config borrows from it */
    struct incident_diff *diff;
    struct side sides[DIFF_SIDES];
    uint64_t wall_ns;
};

/* ---- what the engines tell ---- */

static void on_incident(void *self, struct incident *incident)
{
    const struct side *side = self;

    incident_diff_told(side->comparison->diff, side->which, incident);
}

static bool on_op(void *self, const struct op *op)
{
    const struct side *side = self;

    incident_diff_op(side->comparison->diff, side->which, op);
    incident_unref(op->incident);
    return true;
}

static void on_joined(void *self, const struct engine_joined *joined)
{
    const struct side *side = self;

    incident_diff_joined(side->comparison->diff, side->which, joined->incident, joined->alert,
                         joined->at_ms);
}

static void on_passed(void *self, int64_t to_ms)
{
    const struct side *side = self;

    incident_diff_passed(side->comparison->diff, side->which, to_ms);
}

/* ---- preparation ---- */

static int load_rules(struct comparison *c, struct error *err)
{
    const struct option_list *rules = &c->options.rules;
    char note[DIFF_SIDES][SILENCES_NOTE_BYTES];

    if (rules->count == 0 || rules->count > 2) {
        error_set(err, "--rules is needed twice: the old rules, then the new ones (once with "
                       "--config, whose rules are the old ones then)");
        return EXIT_USAGE;
    }
    if (rules->count == 1 && c->options.config == NULL) {
        error_set(err, "--rules is given once, and no --config says what the old rules are");
        return EXIT_USAGE;
    }
    for (int s = 0; s < DIFF_SIDES; s++) {
        struct option_list one = {.count = 0};
        bool is_configured = rules->count == 1 && s == DIFF_OLD;
        if (!is_configured)
            one =
                (struct option_list){.item = {rules->item[rules->count == 1 ? 0 : s]}, .count = 1};
        c->sides[s].name = is_configured ? c->options.config : one.item[0];
        struct side *side = &c->sides[s];
        rules_read_begin(&side->read);
        int rc = packs_load_configured(c->config, &one, &side->rules, err);
        rules_read_end(&side->read);
        if (rc != 0)
            return packs_exit_code(rc);
        replay_range_add_silences(&c->options.range, &side->rules, &side->read, note[s]);
    }
    for (int s = 0; s < DIFF_SIDES && !c->options.quiet; s++)
        if (note[s][0] != '\0' && (s == DIFF_OLD || strcmp(note[s], note[DIFF_OLD]) != 0))
            fprintf(stderr, "note: %s\n", note[s]);
    return EXIT_OK;
}

static int prepare_engine_config(struct comparison *c, struct error *err)
{
    /* Without sinks a page is an incident that somebody would be woken for. */
    static const char *const page_sink[] = {"page"};
    static const uint8_t page_priority[] = {PRIORITY_P2};
    struct engine_config *config = &c->engine_config;

    engine_config_init(config);
    host()->random(host()->self, &config->seed, sizeof(config->seed));
    if (config_fill_engine(c->config, config) != 0) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    config->workers = c->options.workers > 0 ? (unsigned)c->options.workers
                      : config->workers > 1  ? config->workers / 2
                                             : 1;
    if (c->options.take > 0)
        config->take_max = (size_t)c->options.take;
    config->seal_ms = 0; /* X7: a recording is sealed at its end, never by the clock */
    if (config->sink_count == 0) {
        config->sink_names = page_sink;
        config->sink_priority_max = page_priority;
        config->sink_count = 1;
    }
    if (config->sink_count <= SINKS_MAX)
        return EXIT_OK;
    error_set(err, "routes to more than %d sinks cannot be compared", SINKS_MAX);
    return EXIT_CONFIG;
}

static const char *marks_of(const struct diff_options *options)
{
    return options->marks != NULL ? options->marks : options->range.data_dir;
}

static int open_input(struct comparison *c, struct side *side, struct error *err)
{
    const struct diff_options *options = &c->options;
    const char *marks = marks_of(options);
    struct replay_input *like = side->which == DIFF_NEW ? c->sides[DIFF_OLD].input : NULL;
    int code = replay_range_open(&options->range, &options->files, c->config, 0, "diff", like,
                                 &side->input, err);
    int rc;

    if (code != EXIT_OK || marks == NULL)
        return code;
    rc = replay_input_read_marks(side->input, marks, err);
    return replay_input_exit_code(rc);
}

/* Loads and checks everything before anything runs. Returns an exit code. */
static int prepare(struct comparison *c, struct error *err)
{
    const struct diff_options *options = &c->options;
    struct incident_diff_config config = {.near_ms = options->near_ms,
                                          .bytes_max = (uint64_t)options->memory,
                                          .examples_max = (size_t)options->examples};
    int code;

    if (replay_input_can_repeat(options->files.item, options->files.count, err) != 0)
        return EXIT_USAGE;
    if (config_load(options->config, CONFIG_SECRETS_MAY_BE_ABSENT, &c->config, err) != 0)
        return EXIT_CONFIG;
    code = load_rules(c, err);
    if (code == EXIT_OK)
        code = prepare_engine_config(c, err);
    for (int s = 0; s < DIFF_SIDES && code == EXIT_OK; s++)
        code = open_input(c, &c->sides[s], err);
    if (code != EXIT_OK)
        return code;
    if (marks_of(options) != NULL)
        replay_past_read(marks_of(options), &c->engine_config, &c->past,
                         options->quiet ? NULL : stderr);
    c->diff = incident_diff_create(&config);
    if (c->diff != NULL)
        return EXIT_OK;
    error_set(err, "out of memory");
    return EXIT_SYSTEM;
}

/* ---- the run ---- */

static int start(struct comparison *c, struct side *side, struct error *err)
{
    struct engine_listener listener = {.self = side,
                                       .incident = on_incident,
                                       .op = on_op,
                                       .joined = on_joined,
                                       .passed = on_passed};
    struct engine_config config = c->engine_config;
    int rc;

    /* One answer for both sides, also where it is the clock's. */
    config.undated_ms = replay_input_undated(c->sides[DIFF_OLD].input);
    config.marks = replay_input_marks(side->input, &config.mark_count);
    rc = engine_create(&config, replay_input_source(side->input), side->rules, &listener,
                       &side->engine, err);
    if (rc != 0)
        return rc == -EINVAL ? EXIT_CONFIG : EXIT_SYSTEM;
    return engine_start(side->engine, err) == 0 ? EXIT_OK : EXIT_SYSTEM;
}

static void show_progress(struct comparison *c, struct progress *progress)
{
    struct engine_part_counters *parts;
    uint64_t done = 0, left = 0;

    if (!progress->is_on || (parts = calloc(PARTS_MAX, sizeof(*parts))) == NULL)
        return;
    for (int s = 0; s < DIFF_SIDES; s++) {
        size_t count = engine_part_counters(c->sides[s].engine, parts, PARTS_MAX);
        for (size_t i = 0; i < count; i++) {
            done += parts[i].records;
            left += parts[i].lag > 0 ? (uint64_t)parts[i].lag : 0;
        }
    }
    free(parts);
    progress_show(progress, done, left > 0 ? done + left : 0);
}

/* One look at a run: EXIT_OK, or why it cannot go on. */
static int look(struct comparison *c, struct side *side, struct error *err)
{
    struct source *source = replay_input_source(side->input);

    if (!side->is_finished && engine_wait_finished(side->engine, POLL_MS)) {
        side->is_finished = true;
        incident_diff_ended(c->diff, side->which);
    }
    if (!source->ops->ready(source, err))
        return c->options.files.count > 0 ? EXIT_DATA : EXIT_UNAVAILABLE;
    return incident_diff_is_well(c->diff, err) ? EXIT_OK : EXIT_SYSTEM;
}

static int run(struct comparison *c, struct error *err)
{
    struct side *sides = c->sides;
    uint64_t begin_ns = host_mono_ns();
    struct progress progress;
    int code = EXIT_OK;

    for (int s = 0; s < DIFF_SIDES && code == EXIT_OK; s++)
        code = start(c, &sides[s], err);
    progress_begin(&progress, "records of both runs", c->options.progress, c->options.quiet);
    while (code == EXIT_OK && !(sides[DIFF_OLD].is_finished && sides[DIFF_NEW].is_finished)) {
        for (int s = 0; s < DIFF_SIDES && code == EXIT_OK; s++)
            code = look(c, &sides[s], err);
        show_progress(c, &progress);
    }
    progress_end(&progress);
    if (code != EXIT_OK)
        incident_diff_give_up(c->diff);
    for (int s = 0; s < DIFF_SIDES; s++)
        if (sides[s].engine != NULL)
            engine_stop(sides[s].engine);
    c->wall_ns = host_mono_ns() - begin_ns;
    return code;
}

/* ---- what came of it ---- */

/* Sums of one run, and the effective time of its first event. */
static int check_ledger(struct side *side, struct engine_counters *counters, int64_t *from_ms,
                        bool gaps_expected, struct error *err)
{
    struct ledger ledger = {.gaps_expected = gaps_expected};
    int code = EXIT_OK;

    ledger.parts = calloc(PARTS_MAX, sizeof(*ledger.parts));
    if (ledger.parts == NULL) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    engine_counters(side->engine, &ledger.engine);
    ledger.part_count = engine_part_counters(side->engine, ledger.parts, PARTS_MAX);
    for (size_t i = 0; i < ledger.part_count; i++)
        if (ledger.parts[i].first_ms < *from_ms)
            *from_ms = ledger.parts[i].first_ms;
    if (!ledger_check(&ledger, err))
        code = EXIT_INTERNAL;
    *counters = ledger.engine;
    free(ledger.parts);
    return code;
}

static int report(struct comparison *c, struct error *err)
{
    struct diff_report report = {.from_ms = INT64_MAX,
                                 .to_ms = engine_watermark(c->sides[DIFF_OLD].engine),
                                 .near_ms = c->options.near_ms,
                                 .sink_names = c->engine_config.sink_names,
                                 .sink_count = c->engine_config.sink_count};
    double seconds = (double)c->wall_ns / 1e9;
    bool gaps_expected = false;
    int code = EXIT_OK;

    for (size_t i = 0; i < c->engine_config.topic_count; i++)
        gaps_expected |= c->engine_config.topics[i].gaps_expected;
    for (int s = 0; s < DIFF_SIDES && code == EXIT_OK; s++) {
        report.rules[s] = c->sides[s].name;
        report.rule_count[s] = rule_set_count(c->sides[s].rules);
        code = check_ledger(&c->sides[s], &report.engine[s], &report.from_ms, gaps_expected, err);
    }
    if (code != EXIT_OK)
        return code;
    report.result = incident_diff_result(c->diff);
    if (!c->options.is_json) {
        diff_report_print_text(&report, stdout);
    } else if (!diff_report_print_json(&report, stdout)) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    if (fflush(stdout) != 0) {
        error_set(err, "standard output cannot be written: %s", strerror(errno));
        return EXIT_IO;
    }
    replay_range_say_empty(&c->options.range, report.engine[DIFF_OLD].records, stderr);
    replay_input_say_undated(c->sides[DIFF_OLD].input, report.engine[DIFF_OLD].undated, stderr);
    if (!c->options.quiet)
        fprintf(stderr,
                "compared %" PRIu64
                " event%s twice in %.3f s with %u worker%s each: %.0f events/s\n",
                report.engine[DIFF_OLD].events, plural(report.engine[DIFF_OLD].events), seconds,
                c->engine_config.workers, plural(c->engine_config.workers),
                seconds > 0 ? 2 * (double)report.engine[DIFF_OLD].events / seconds : 0);
    return diff_report_is_changed(&report) ? EXIT_CHANGED : EXIT_OK;
}

int cmd_diff(int argc, char **argv)
{
    struct comparison c = {.diff = NULL};
    struct error err = {{0}};
    int code;

    if (!options_read(&table, argc, argv, &c.options, &code))
        return code;
    for (int s = 0; s < DIFF_SIDES; s++)
        c.sides[s] = (struct side){.comparison = &c, .which = (enum diff_side)s};
    code = prepare(&c, &err);
    if (code == EXIT_OK) {
        if (!c.options.quiet) {
            replay_input_say(c.sides[DIFF_OLD].input, stderr);
            replay_range_say_pushed(&c.options.range, &c.options.files, c.config, stderr);
        }
        code = run(&c, &err);
    }
    if (code == EXIT_OK)
        code = report(&c, &err);
    if (code != EXIT_OK && code != EXIT_CHANGED)
        fprintf(stderr, "%s\n", err.text);
    for (int s = 0; s < DIFF_SIDES; s++)
        engine_destroy(c.sides[s].engine);
    for (int s = 0; s < DIFF_SIDES; s++) {
        replay_input_close(c.sides[s].input);
        rule_set_destroy(c.sides[s].rules);
        rules_read_release(&c.sides[s].read);
    }
    incident_diff_destroy(c.diff);
    rules_past_release(&c.past);
    config_destroy(c.config);
    return code;
}
