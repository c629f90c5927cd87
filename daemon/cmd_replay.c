/*
 * cmd_replay.c - `tocsin replay`: recorded input, or a range of topics, through the real engine, as
 * fast as it goes or paced; prints the incident log and the ledger.
 *
 * What it prints is a function of the input, the rules and the configuration alone:
 * workers, batch sizes, epoch and the order of reading must not show, and options
 * for them are there so that everybody can try.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/host.h"
#include "base/plural.h"
#include "base/same_file.h"
#include "correlate/engine.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/incident_list.h"
#include "daemon/incident_log.h"
#include "daemon/ledger.h"
#include "daemon/line_writer.h"
#include "daemon/options.h"
#include "daemon/packs.h"
#include "daemon/progress.h"
#include "daemon/replay_input.h"
#include "daemon/replay_past.h"
#include "daemon/replay_range.h"

/* A sink's name has at most 100 bytes, of which a byte may become six. */
enum { OP_LINE_BYTES = 1 << 10, POLL_MS = 200 };

struct replay_options {
    struct option_list files;
    const char *config;
    struct replay_range range;
    const char *pace;
    const char *marks;
    struct option_list rules;
    int64_t workers, take, epoch_ms, round_ms, seed, shuffle;
    const char *incidents;
    const char *ledger;
    bool is_list;
    bool is_json;
    bool quiet;
    bool progress;
};

static const struct option_row rows[] = {
    {"--config", OPTION_TEXT, offsetof(struct replay_options, config), "FILE", NULL,
     "Configuration file: its engine, topics, rules and sink names count; nothing is sent.", 0, 0,
     NULL},
    {"--rules", OPTION_LIST, offsetof(struct replay_options, rules), "FILE", NULL,
     "Rule file, folder or shipped pack instead of those of the configuration; may be given again.",
     0, 0, NULL},
    REPLAY_RANGE_ROWS(offsetof(struct replay_options, range)),
    {"--pace", OPTION_TEXT, offsetof(struct replay_options, pace), "SPEED", NULL,
     "Gives records out at 1x, 10x, 0.5x ... of the speed of their log times, instead of as fast "
     "as "
     "it goes.",
     0, 0, NULL},
    {"--marks", OPTION_TEXT, offsetof(struct replay_options, marks), "FILE", NULL,
     "What the clock decided in the run that is replayed: the file of its marks.path.", 0, 0, NULL},
    REPLAY_DATA_ROW(offsetof(struct replay_options, range)),
    {"--workers", OPTION_COUNT, offsetof(struct replay_options, workers), "N", NULL,
     "Threads of the engine, instead of the configuration's.", 1, 64, NULL},
    {"--take", OPTION_COUNT, offsetof(struct replay_options, take), "N", NULL,
     "Records taken from a partition at once.", 1, 65536, NULL},
    {"--epoch", OPTION_DURATION, offsetof(struct replay_options, epoch_ms), "TIME", NULL,
     "Length of an epoch; divides the round.", 1, 60000, NULL},
    {"--round", OPTION_DURATION, offsetof(struct replay_options, round_ms), "TIME", NULL,
     "Length of a round; this one may change results.", 1, 60000, NULL},
    {"--seed", OPTION_COUNT, offsetof(struct replay_options, seed), "N", NULL,
     "Seed of the engine's hashes instead of a random one.", 0, 0, NULL},
    {"--shuffle", OPTION_COUNT, offsetof(struct replay_options, shuffle), "N", NULL,
     "Reads the partitions in a random order made from N.", 1, 0, NULL},
    {"--incidents", OPTION_TEXT, offsetof(struct replay_options, incidents), "FILE", NULL,
     "Where the incident log goes; - is standard output, off is nowhere; without it standard "
     "output where nothing else is shown there.",
     0, 0, NULL},
    {"--list", OPTION_FLAG, offsetof(struct replay_options, is_list), NULL, NULL,
     "Lists the incidents for people, with their sums, instead of the log; also without it where "
     "standard output is a terminal and neither --incidents, --pace nor --json is given.",
     0, 0, NULL},
    {"--ledger", OPTION_TEXT, offsetof(struct replay_options, ledger), "FILE", NULL,
     "Where the ledger goes; - is standard output, off is nowhere; without it standard error.", 0,
     0, NULL},
    {"--json", OPTION_FLAG, offsetof(struct replay_options, is_json), NULL, NULL,
     "The ledger is one JSON object.", 0, 0, NULL},
    {"--quiet", OPTION_FLAG, offsetof(struct replay_options, quiet), NULL, NULL,
     "No figures about speed on standard error.", 0, 0, NULL},
    {"--progress", OPTION_FLAG, offsetof(struct replay_options, progress), NULL, NULL,
     "Says on standard error how far it has come, also where that is no terminal.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "replay",
    .usage = "[options] [FILE...]",
    .about =
        "Runs recorded input through the engine and prints the incident log, or a list of "
        "incidents "
        "for people, and the ledger; nobody is told. FILE is a recording (.trec), a small log "
        "written as text (.tlog), or events as "
        "JSON lines; - reads JSON lines from standard input. Without a FILE it is a range of Kafka "
        "topics; nothing is committed.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct replay_options, files),
    .exits = "0 64 65 66 69 70 71 74 78",
};

struct replay {
    struct replay_options options;
    struct config *config;
    struct engine_config engine_config;
    struct rule_set *rules;
    struct rules_read read; /* what they are made of */
    struct replay_input *input;
    struct rules_past past; /* settings of the run whose data directory has the marks */
    struct engine *engine;
    const char *log_path;          /* of the incident log; "-": standard output */
    struct line_writer *incidents; /* NULL: off */
    struct incident_list *list;    /* NULL: the log alone */
    bool is_paced;                 /* lines are written as they come */
    uint64_t wall_ns, cpu_ns;      /* from start to finish of the engine */
};

/* ---- what the engine reports ---- */

static void write_incident(void *self, struct incident *incident)
{
    struct replay *replay = self;

    if (replay->list != NULL)
        incident_list_told(replay->list, incident);
    if (replay->incidents == NULL)
        return;
    incident_log_add_change(replay->incidents, incident);
    if (replay->is_paced)
        line_writer_flush(replay->incidents); /* a failure is told at the close */
}

static bool write_op(void *self, const struct op *op)
{
    struct replay *replay = self;
    char line[OP_LINE_BYTES];
    size_t bytes;

    if (replay->incidents != NULL) {
        bytes = incident_log_op(op, replay->engine_config.sink_names[op->sink], line, sizeof(line));
        line_writer_add(replay->incidents, line, bytes);
    }
    incident_unref(op->incident);
    return true;
}

/* ---- preparation ---- */

static int prepare_engine_config(struct replay *replay, struct error *err)
{
    const struct replay_options *options = &replay->options;
    struct engine_config *config = &replay->engine_config;

    engine_config_init(config);
    host()->random(host()->self, &config->seed, sizeof(config->seed));
    if (config_fill_engine(replay->config, config) != 0) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    if (options->workers > 0)
        config->workers = (unsigned)options->workers;
    if (options->take > 0)
        config->take_max = (size_t)options->take;
    if (options->epoch_ms > 0)
        config->epoch_ms = (unsigned)options->epoch_ms;
    if (options->round_ms > 0)
        config->round_ms = (unsigned)options->round_ms;
    if (options->seed >= 0)
        config->seed = (uint64_t)options->seed;
    config->shuffle = (uint64_t)options->shuffle;
    config->seal_ms = 0; /* X7: a recording is sealed at its end, never by the clock */
    if (config->round_ms % config->epoch_ms == 0)
        return EXIT_OK;
    error_set(err, "--epoch: %u ms does not divide the round, %u ms", config->epoch_ms,
              config->round_ms);
    return EXIT_USAGE;
}

/* False, with a sentence, where the writing of `path` would destroy what is read, or what is
 * written beside it. */
static bool can_write(const struct replay_options *options, const char *option, const char *path,
                      struct error *err)
{
    const char *const others[] = {options->config, options->marks,
                                  path == options->ledger ? options->incidents : NULL};
    const struct option_list *const lists[] = {&options->files, &options->rules};
    bool is_one = false;

    if (path == NULL || strcmp(path, "-") == 0 || strcmp(path, "off") == 0)
        return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        is_one |= others[i] != NULL && same_regular_file(others[i], path);
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            is_one |= same_regular_file(lists[l]->item[i], path);
    if (is_one)
        error_set(err, "%s %s is another of the files named here, and is not overwritten", option,
                  path);
    return !is_one;
}

/* What is shown on standard output: the log, or the list. */
static int choose_output(struct replay *replay, struct error *err)
{
    const struct replay_options *options = &replay->options;
    bool lists = options->is_list || (isatty(STDOUT_FILENO) && options->incidents == NULL &&
                                      options->pace == NULL && !options->is_json);

    replay->log_path = options->incidents != NULL ? options->incidents : lists ? "off" : "-";
    if (lists && strcmp(replay->log_path, "-") == 0) {
        error_set(err, "--list and --incidents - are both for standard output; name a file for "
                       "the log");
        return EXIT_USAGE;
    }
    if (lists && (replay->list = incident_list_create()) == NULL) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    return EXIT_OK;
}

/* Loads and checks everything before anything runs. Returns an exit code. */
static int prepare(struct replay *replay, struct error *err)
{
    const struct replay_options *options = &replay->options;
    const char *marks = options->marks != NULL ? options->marks : options->range.data_dir;
    char note[SILENCES_NOTE_BYTES];
    uint32_t speed = 0;
    int rc, code;

    if (options->pace != NULL && replay_range_speed(options->pace, &speed, err) != 0) {
        error_prefix(err, "--pace %s: ", options->pace);
        return EXIT_USAGE;
    }
    if (!can_write(options, "--incidents", options->incidents, err) ||
        !can_write(options, "--ledger", options->ledger, err))
        return EXIT_USAGE;
    code = choose_output(replay, err);
    if (code != EXIT_OK)
        return code;
    replay->is_paced = speed > 0;
    if (config_load(options->config, CONFIG_SECRETS_MAY_BE_ABSENT, &replay->config, err) != 0)
        return EXIT_CONFIG;
    rules_read_begin(&replay->read);
    rc = packs_load_configured(replay->config, &options->rules, &replay->rules, err);
    rules_read_end(&replay->read);
    if (rc != 0)
        return packs_exit_code(rc);
    replay_range_add_silences(&options->range, &replay->rules, &replay->read, note);
    if (note[0] != '\0')
        fprintf(stderr, "note: %s\n", note);
    code = prepare_engine_config(replay, err);
    if (code != EXIT_OK)
        return code;
    code = replay_range_open(&options->range, &options->files, replay->config, speed, "replay",
                             NULL, &replay->input, err);
    if (code != EXIT_OK)
        return code;
    if (marks != NULL) {
        rc = replay_input_read_marks(replay->input, marks, err);
        if (rc != 0)
            return replay_input_exit_code(rc);
        replay_past_read(marks, &replay->engine_config, &replay->past, stderr);
    }
    replay->engine_config.undated_ms = replay_input_undated(replay->input);
    replay->engine_config.marks =
        replay_input_marks(replay->input, &replay->engine_config.mark_count);
    if (strcmp(replay->log_path, "off") != 0) {
        replay->incidents = line_writer_open(replay->log_path, LINE_WRITER_TRUNCATE, err);
        if (replay->incidents == NULL)
            return EXIT_IO;
    }
    return EXIT_OK;
}

/* ---- the run ---- */

static uint64_t cpu_ns(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
           ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u;
}

/* Records that are still to come, by what the partitions know of their ends. */
static void show_progress(struct replay *replay, struct progress *progress)
{
    enum { PARTS = 256 };
    struct engine_part_counters parts[PARTS];
    struct engine_counters counters;
    size_t count;
    uint64_t left = 0;

    if (!progress->is_on)
        return;
    engine_counters(replay->engine, &counters);
    count = engine_part_counters(replay->engine, parts, PARTS);
    for (size_t i = 0; i < count && i < PARTS; i++)
        left += parts[i].lag > 0 ? (uint64_t)parts[i].lag : 0;
    progress_show(progress, counters.records, left > 0 ? counters.records + left : 0);
}

static int run(struct replay *replay, struct error *err)
{
    struct engine_listener listener = {.self = replay, .incident = write_incident, .op = write_op};
    struct source *source = replay_input_source(replay->input);
    struct progress progress;
    uint64_t cpu_start, wall_start;
    int rc = engine_create(&replay->engine_config, source, replay->rules, &listener,
                           &replay->engine, err);

    if (rc != 0)
        return rc == -EINVAL ? EXIT_CONFIG : EXIT_SYSTEM;
    cpu_start = cpu_ns();
    wall_start = host_mono_ns();
    if (engine_start(replay->engine, err) != 0)
        return EXIT_SYSTEM;
    progress_begin(&progress, "records", replay->options.progress, replay->options.quiet);
    /* A damaged recording stops its partition, which then never finishes. */
    while (!engine_wait_finished(replay->engine, POLL_MS)) {
        if (!source->ops->ready(source, err)) {
            progress_end(&progress);
            engine_stop(replay->engine);
            return replay->options.files.count > 0 ? EXIT_DATA : EXIT_UNAVAILABLE;
        }
        show_progress(replay, &progress);
    }
    progress_end(&progress);
    engine_stop(replay->engine);
    replay->wall_ns = host_mono_ns() - wall_start;
    replay->cpu_ns = cpu_ns() - cpu_start;
    if (!source->ops->ready(source, err))
        return EXIT_DATA;
    return EXIT_OK;
}

/* ---- the ledger ---- */

static int write_ledger(const struct replay *replay, const struct ledger *ledger, struct error *err)
{
    const char *path = replay->options.ledger;
    struct line_writer *writer;
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    int code = EXIT_OK, rc;

    if (to == NULL) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    if (replay->options.is_json)
        ledger_print_json(ledger, to);
    else
        ledger_print_text(ledger, to);
    fclose(to);
    if (path == NULL) {
        fputs(text, stderr);
    } else {
        writer = line_writer_open(path, LINE_WRITER_TRUNCATE, err);
        if (writer == NULL) {
            code = EXIT_IO;
        } else {
            line_writer_add(writer, text, bytes - 1); /* the writer ends the line */
            rc = line_writer_close(writer);
            if (rc != 0) {
                line_writer_say(path, rc, err);
                code = EXIT_IO;
            }
        }
    }
    free(text);
    return code;
}

static void print_speed(const struct replay *replay, const struct engine_counters *counters)
{
    double seconds = (double)replay->wall_ns / 1e9;
    double events = (double)(counters->events > 0 ? counters->events : 1);

    fprintf(stderr,
            "replayed %" PRIu64
            " event%s in %.3f s with %u worker%s: %.0f events/s, %.0f ns CPU/event\n",
            counters->events, plural(counters->events), seconds, replay->engine_config.workers,
            plural(replay->engine_config.workers),
            seconds > 0 ? (double)counters->events / seconds : 0, (double)replay->cpu_ns / events);
}

/* Has the file a line that begins with a key of rule files? Its first part is looked at. */
static bool is_rule_file(const char *path)
{
    static const char *const keys[] = {"rules:", "sets:", "tables:", "silences:", "enrich:"};
    char text[8192] = "\n", line[16];
    const struct host *h = host();
    int fd =
        strcmp(path, "-") != 0 ? h->open(h->self, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0) : -1;
    ssize_t count;

    if (fd < 0)
        return false;
    count = h->pread(h->self, fd, text + 1, sizeof(text) - 2, 0);
    h->close(h->self, fd);
    text[count > 0 ? 1 + count : 1] = '\0';
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        snprintf(line, sizeof(line), "\n%s", keys[k]);
        if (strstr(text, line) != NULL)
            return true;
    }
    return false;
}

/* A file of another form, most likely, which a ledger alone does not say. Nothing was asked of the
 * rules then: that is no success. */
static int refuse_all_rejected(const struct replay *replay, const struct engine_counters *counters,
                               struct error *err)
{
    const struct option_list *files = &replay->options.files;
    uint64_t rejected = 0;

    for (int reason = 0; reason < REJECT_REASON_COUNT; reason++)
        rejected += counters->rejected[reason];
    if (rejected == 0 || rejected != counters->events)
        return EXIT_OK;
    for (size_t i = 0; i < files->count; i++)
        if (is_rule_file(files->item[i])) {
            error_set(err,
                      "nothing was replayed: every record, %" PRIu64
                      " of them, was rejected; %.200s is a rule file: give it with --rules",
                      rejected, files->item[i]);
            return EXIT_DATA;
        }
    error_set(err,
              "nothing was replayed: every record, %" PRIu64
              " of them, was rejected; docs/events.md says what a record looks like",
              rejected);
    return EXIT_DATA;
}

/* Incidents of rules that nobody named are no answer about one's own. */
static void say_demo_rules(const struct replay *replay)
{
    if (replay->options.rules.count == 0 && replay->config->rules.place == NULL)
        fprintf(stderr, "note: no rules are named: these are incidents of the shipped pack demo; "
                        "--rules names others\n");
}

static int print_list(const struct replay *replay, struct error *err)
{
    size_t count = rule_set_count(replay->rules);
    struct engine_rule_counters *rules = calloc(count + 1, sizeof(*rules));
    int code = EXIT_OK;

    if (rules == NULL) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    count = engine_rule_counters(replay->engine, rules, count);
    incident_list_print(replay->list, rules, count, stdout);
    if (fflush(stdout) != 0) {
        error_set(err, "standard output cannot be written: %s", strerror(errno));
        code = EXIT_IO;
    }
    free(rules);
    return code;
}

static int report(struct replay *replay, struct error *err)
{
    enum { PARTS_MAX = 65536 };
    struct engine_quota_counters quotas[ENGINE_QUOTA_ROWS];
    struct ledger ledger = {.gaps_expected = false, .quotas = quotas};
    struct error difference = {{0}};
    int code = EXIT_OK;

    ledger.parts = calloc(PARTS_MAX, sizeof(*ledger.parts));
    if (ledger.parts == NULL) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    engine_counters(replay->engine, &ledger.engine);
    ledger.part_count = engine_part_counters(replay->engine, ledger.parts, PARTS_MAX);
    ledger.quota_count = engine_quota_counters(replay->engine, quotas, ENGINE_QUOTA_ROWS);
    for (size_t i = 0; i < replay->engine_config.topic_count; i++)
        ledger.gaps_expected |= replay->engine_config.topics[i].gaps_expected;
    if (replay->list != NULL)
        code = print_list(replay, err);
    if (code == EXIT_OK &&
        (replay->options.ledger == NULL || strcmp(replay->options.ledger, "off") != 0))
        code = write_ledger(replay, &ledger, err);
    say_demo_rules(replay);
    replay_input_say_undated(replay->input, ledger.engine.undated, stderr);
    if (!replay->options.quiet)
        print_speed(replay, &ledger.engine);
    replay_range_say_empty(&replay->options.range, ledger.engine.records, stderr);
    if (code == EXIT_OK &&
        (!ledger_check(&ledger, &difference) || !engine_check_walk(replay->engine, &difference))) {
        *err = difference;
        code = EXIT_INTERNAL;
    }
    if (code == EXIT_OK)
        code = refuse_all_rejected(replay, &ledger.engine, err);
    free(ledger.parts);
    return code;
}

int cmd_replay(int argc, char **argv)
{
    struct replay replay = {.options = {.seed = -1}};
    struct error err = {{0}};
    int code, rc;

    if (!options_read(&table, argc, argv, &replay.options, &code))
        return code;
    code = prepare(&replay, &err);
    if (code == EXIT_OK) {
        replay_input_say(replay.input, stderr);
        code = run(&replay, &err);
    }
    rc = line_writer_close(replay.incidents);
    if (rc != 0 && code == EXIT_OK) {
        line_writer_say(replay.log_path, rc, &err);
        code = EXIT_IO;
    }
    if (code == EXIT_OK)
        code = report(&replay, &err);
    if (code != EXIT_OK)
        fprintf(stderr, "%s\n", err.text);
    incident_list_destroy(replay.list);
    engine_destroy(replay.engine);
    replay_input_close(replay.input);
    rules_past_release(&replay.past);
    rule_set_destroy(replay.rules);
    rules_read_release(&replay.read);
    config_destroy(replay.config);
    return code;
}
