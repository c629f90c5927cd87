/* why_run.c - see why_run.h. */
#include "daemon/why_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "daemon/command.h"
#include "daemon/data_look.h"
#include "daemon/packs.h"
#include "daemon/past_rules.h"
#include "daemon/progress.h"
#include "daemon/rules_kept.h"
#include "daemon/rules_past.h"
#include "daemon/silences_past.h"
#include "daemon/terms_change.h"
#include "daemon/units.h"
#include "daemon/why_daemon.h"
#include "daemon/why_intake.h"

enum { POLL_MS = 200, PARTS_SHOWN = 256, PASSES_MAX = 2 };
#define SINCE_MS_DEFAULT ((int64_t)3600 * 1000)

struct answering {
    const struct why_run *run;
    const char *command;
    struct option_list files;
    bool is_live; /* the last of what the configuration's daemon reads */
    struct replay_range range;
    char from[UNIT_TEXT_BYTES];
    int64_t since_ms, before_ms; /* which `from` was made of; 0: it was not */
    int64_t from_ms;             /* INT64_MIN: all is read; INT64_MAX: not known */
    const char *marks;
    bool lacks_marks; /* the daemon writes none */
    bool asks_daemon; /* which has an admin server */
    bool has_begin;   /* it told what its marks would have begun with */
    struct mark begin;
    bool has_records;
    uint64_t undated; /* engine_counters.undated of the last pass */
    struct config *config;
    struct rule_set *rules;
    struct rules_read read;             /* what the rules were read from */
    char silences[SILENCES_NOTE_BYTES]; /* what the answer lacks of those made by hand; "": nothing
                                         */
    struct rules_past past; /* the sets that the daemon had, instead of `rules`; none: not known */
    char past_lacks[1100];  /* why they are not; "": nobody asked for them */
    struct engine_config engine_config;
    struct why *why;
    struct replay_input *inputs[PASSES_MAX];
    unsigned input_count;
};

/* --- preparation -------------------------------------------------------------------------------
 */

static int prepare_engine_config(struct answering *a, struct error *err)
{
    struct engine_config *config = &a->engine_config;

    engine_config_init(config);
    if (config_fill_engine(a->config, config) != 0) {
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    config->workers = 1;
    config->seal_ms = 0; /* X7: what is over is sealed at its end */
    /* All runs of one question have one seed: hashes are compared between them. */
    host()->random(host()->self, &config->seed, sizeof(config->seed));
    return EXIT_OK;
}

static int64_t longest_window_ms(const struct rule_set *rules)
{
    int64_t longest = 0;

    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        int64_t window = rule_set_rule(rules, i)->window_ms;
        longest = window > longest ? window : longest;
    }
    return longest;
}

/* How long before a moment something may lie that still counts at it. */
static int64_t memory_ms(const struct answering *a)
{
    int64_t longest = longest_window_ms(a->rules), expire = a->engine_config.expire_ms;

    for (size_t i = 0; i < a->past.set.count; i++) {
        int64_t window = longest_window_ms(a->past.set.at[i]);
        longest = window > longest ? window : longest;
    }
    for (size_t i = 0; i < a->past.terms.count; i++)
        expire = a->past.terms.at[i].expire_ms > expire ? a->past.terms.at[i].expire_ms : expire;
    return longest + expire;
}

static void set_begin(struct answering *a, int64_t now_ms)
{
    a->before_ms = memory_ms(a);
    a->from_ms = now_ms - a->since_ms - a->before_ms;
    unit_format_time(a->from_ms, a->from);
    a->range.from = a->from;
}

/* One that the daemon has made by now: its journal has the marks, its intake what was pushed. */
static bool has_data_dir(const struct answering *a)
{
    const char *dir = a->config->data.dir;
    struct data_look look;
    struct error ignored;

    return dir[0] != '\0' && data_look_open(&look, dir, &ignored) == EXIT_OK;
}

/* Where reading begins, of a question about what a daemon has read lately. */
static int prepare_range(struct answering *a, int64_t now, struct error *err)
{
    const struct why_run *run = a->run;
    int64_t since = run->since_ms > 0 ? run->since_ms : SINCE_MS_DEFAULT;

    a->range = run->range;
    a->marks = run->marks;
    if (a->files.count > 0) {
        if (run->since_ms > 0) {
            error_set(err, "--since is for topics, and files are named: --from cuts these");
            return EXIT_USAGE;
        }
        return replay_input_can_repeat(a->files.item, a->files.count, err) == 0 ? EXIT_OK
                                                                                : EXIT_USAGE;
    }
    if (a->range.from == NULL) {
        a->since_ms = since;
        set_begin(a, now);
    } else if (run->since_ms > 0) {
        error_set(err, "--since and --from both say where to begin");
        return EXIT_USAGE;
    }
    if (a->since_ms == 0)
        a->from_ms = strcmp(a->range.from, "earliest") == 0 ? INT64_MIN : INT64_MAX;
    a->is_live = a->range.brokers == NULL && a->range.topics.count == 0;
    a->asks_daemon = a->is_live && strcmp(a->config->admin.listen, "off") != 0;
    /* The file is made anew at each start; the directory has the marks of all lives. */
    if (a->is_live && a->marks == NULL && has_data_dir(a))
        a->marks = a->config->data.dir;
    else if (a->is_live && a->marks == NULL && a->config->marks.path[0] != '\0')
        a->marks = a->config->marks.path;
    else if (a->is_live && a->marks == NULL)
        a->lacks_marks = true;
    if (a->is_live && has_data_dir(a))
        a->range.data_dir = a->config->data.dir;
    return EXIT_OK;
}

/* The directory of the run that is asked about: its daemon's, or that of a recording (--marks). */
static const char *directory_of(const struct answering *a)
{
    struct data_look look;
    struct error ignored;

    if (a->range.data_dir != NULL)
        return a->range.data_dir;
    return a->run->marks != NULL && data_look_open(&look, a->run->marks, &ignored) == EXIT_OK
               ? a->run->marks
               : NULL;
}

/* The rules that the run had, unless the question names others. */
static void read_past(struct answering *a, const char *dir, const char *silences)
{
    int64_t from_ms = a->from_ms == INT64_MAX ? INT64_MIN : a->from_ms;
    struct error err = {""};
    int rc = 0;

    if (dir != NULL)
        rc = rules_past_of_directory(dir, from_ms, silences, &a->engine_config, &a->past, &err);
    else if (a->asks_daemon && a->run->rules.count == 0)
        rc = rules_past_of_daemon(a->config->admin.listen, from_ms, rule_set_hash(a->rules),
                                  &a->engine_config, &a->past, &err);
    if (a->run->rules.count > 0) {
        rules_past_drop_sets(&a->past);
        a->past.lacks[0] = '\0'; /* others are named */
    }
    if (rc != 0)
        snprintf(a->past_lacks, sizeof(a->past_lacks),
                 "which rules the daemon had is not known, so these are those of the "
                 "configuration: %.900s",
                 err.text);
}

/* Settings of then, in place of those that are configured. */
static void go_by_past(struct answering *a)
{
    struct engine_config *config = &a->engine_config;
    const struct rules_past *past = &a->past;

    /* A partition that the run did not read is taken as one that it did: it lists its topic, or
     * not. */
    config->recovery.inputs = past->read_as.at;
    config->recovery.input_count = past->read_as.count;
    config->recovery.read_count = past->read_as.count > 0 ? UINT16_MAX : 0;
    if (a->run->rules.count > 0)
        return; /* a switch brings both */
    if (past->terms.count > 0) {
        config->alerts_max = past->terms.at[0].alerts_max;
        config->expire_ms = past->terms.at[0].expire_ms;
        config->flap_window_ms = past->terms.at[0].flap_window_ms;
        config->flap_start = past->terms.at[0].flap_start;
        config->flap_stop = past->terms.at[0].flap_stop;
    }
}

/* "engine.expire 3m -> 20s at T" */
static void remark_terms(struct answering *a)
{
    const struct rules_past *past = &a->past;
    struct terms_change changes[TERMS_KEYS];
    char line[TERMS_NAMES_BYTES + 160], names[TERMS_NAMES_BYTES], time[UNIT_TEXT_BYTES];
    size_t count;

    for (size_t i = past->terms.count; i-- > 1;) {
        count = terms_changes(&past->terms.at[i - 1], &past->terms.at[i], changes);
        if (count == 0)
            continue;
        snprintf(
            line, sizeof(line), "the daemon's settings changed at %s (%s): %s",
            unit_format_time(past->from_ms.at[i], time), terms_changes_print(changes, count, names),
            a->run->rules.count == 0 ? "what came before goes by those of then"
                                     : "with --rules all of it goes by those of the configuration");
        why_remark(a->why, line);
        return;
    }
}

/* "the daemon switched its rules at T (and 2 times more): ..." */
static void remark_switches(struct answering *a)
{
    const struct rules_past *past = &a->past;
    char line[256], time[UNIT_TEXT_BYTES], more[48] = "";
    size_t switches = 0, last = 0;

    if (a->past_lacks[0] != '\0' && !a->asks_daemon)
        why_remark(a->why, a->past_lacks);
    if (past->lacks[0] != '\0')
        why_remark(a->why, past->lacks);
    if (past->lacks_settings[0] != '\0')
        why_remark(a->why, past->lacks_settings);
    remark_terms(a);
    for (size_t i = 1; i < past->set.count; i++)
        if (!id128_equal(rule_set_hash(past->set.at[i]), rule_set_hash(past->set.at[i - 1]))) {
            switches++;
            last = i;
        }
    if (switches == 0)
        return;
    if (switches > 1)
        snprintf(more, sizeof(more), ", and %zu time%s before", switches - 1, plural(switches - 1));
    snprintf(line, sizeof(line),
             "the daemon switched its rules at %s%s: what came before is decided by the rules of "
             "then",
             unit_format_time(past->from_ms.at[last], time), more);
    why_remark(a->why, line);
}

/* What the runs are made with. */
static int create_why(struct answering *a, struct error *err)
{
    const struct why_run *run = a->run;
    struct rules_past *past = &a->past;
    struct why_question question = run->question;
    bool has_past = past->set.count > 0;

    question.rule = run->rule;
    question.at_ms = run->at_ms;
    question.notes_max = (size_t)run->lines;
    a->input_count = question.subject == WHY_KEY ? 1 : PASSES_MAX;
    if (has_past)
        a->engine_config.recovery = (struct engine_recovery){.switch_ms = past->from_ms.at + 1,
                                                             .switch_count = past->set.count - 1};
    go_by_past(a);
    a->why = why_create_over(&question, has_past ? past->set.at : &a->rules,
                             has_past ? past->set.count : 1, &a->engine_config, err);
    if (a->why == NULL)
        return EXIT_USAGE;
    if (has_past)
        why_go_by_terms(a->why, past->terms.at);
    if (run->rules.count == 0 && a->config->rules.place == NULL)
        why_remark(a->why,
                   "no rules are named: this is the shipped pack demo; --rules names others");
    if (a->silences[0] != '\0')
        why_remark(a->why, a->silences);
    remark_switches(a);
    return EXIT_OK;
}

static int prepare(struct answering *a, struct error *err)
{
    const struct why_run *run = a->run;
    int64_t now_ms = host()->wall_ms(host()->self);
    struct error refused;
    const char *dir;
    char *silences;
    int code, rc;

    for (size_t i = 1; i < run->arguments.count; i++)
        a->files.item[a->files.count++] = run->arguments.item[i];
    if (config_load(run->config, CONFIG_SECRETS_MAY_BE_ABSENT, &a->config, err) != 0)
        return EXIT_CONFIG;
    rc = past_rules_load(a->config, &run->rules, &a->read, &a->rules, &refused, err);
    if (rc != 0)
        return packs_exit_code(rc);
    code = prepare_engine_config(a, err);
    if (code == EXIT_OK)
        code = prepare_range(a, now_ms, err);
    if (code != EXIT_OK)
        return code;
    dir = directory_of(a);
    silences =
        dir != NULL
            ? silences_past_text(dir, a->from_ms == INT64_MAX ? INT64_MIN : a->from_ms, a->silences)
            : NULL;
    read_past(a, dir, silences);
    if (a->past.set.count == 0)
        silences_past_add(silences, &a->rules, &a->read, a->silences);
    else if (a->since_ms > 0)
        set_begin(a, now_ms); /* their windows may be longer */
    free(silences);
    return create_why(a, err);
}

/* --- one pass ---------------------------------------------------------------------------- */

static void show_progress(struct engine *engine, struct progress *progress)
{
    struct engine_part_counters parts[PARTS_SHOWN];
    struct engine_counters counters;
    uint64_t left = 0;

    if (!progress->is_on)
        return;
    engine_counters(engine, &counters);
    size_t count = engine_part_counters(engine, parts, PARTS_SHOWN);
    for (size_t i = 0; i < count && i < PARTS_SHOWN; i++)
        left += parts[i].lag > 0 ? (uint64_t)parts[i].lag : 0;
    progress_show(progress, counters.records, left > 0 ? counters.records + left : 0);
}

static int run_engine(struct answering *a, struct replay_input *input, struct error *err)
{
    struct source *source = replay_input_source(input);
    struct rule_set *first = a->past.set.count > 0 ? a->past.set.at[0] : a->rules;
    struct progress progress;
    struct engine *engine = NULL;
    struct engine_counters counters;
    int code = EXIT_OK;

    /* One answer for all passes, also where it is the clock's. */
    a->engine_config.undated_ms = replay_input_undated(a->inputs[0]);
    a->engine_config.marks = replay_input_marks(input, &a->engine_config.mark_count);
    if (a->has_begin) {
        a->engine_config.marks = &a->begin;
        a->engine_config.mark_count = 1;
    }
    if (engine_create(&a->engine_config, source, first, why_listener(a->why), &engine, err) != 0 ||
        engine_start(engine, err) != 0) {
        engine_destroy(engine);
        return EXIT_SYSTEM;
    }
    progress_begin(&progress, "records", a->run->progress, a->run->quiet);
    /* A damaged recording stops its partition, which then never finishes. */
    while (code == EXIT_OK && !engine_wait_finished(engine, POLL_MS)) {
        if (!source->ops->ready(source, err))
            code = a->files.count > 0 ? EXIT_DATA : EXIT_UNAVAILABLE;
        show_progress(engine, &progress);
    }
    progress_end(&progress);
    engine_stop(engine);
    engine_counters(engine, &counters);
    a->has_records = a->has_records || counters.records > 0;
    a->undated = counters.undated;
    if (code == EXIT_OK && !source->ops->ready(source, err))
        code = EXIT_DATA;
    engine_destroy(engine);
    return code;
}

/* What a reader of the answer has to know of its input, before it was read or after. */
static void remark_input(struct answering *a, const struct replay_input *input, bool was_read)
{
    char *text = NULL, *rest = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (to == NULL)
        return;
    if (was_read)
        replay_input_say_undated(input, a->undated, to);
    else
        replay_input_say(input, to);
    fclose(to);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        why_remark(a->why, strncmp(line, "note: ", 6) == 0 ? line + 6 : line);
    free(text);
}

/* A daemon whose topics are quiet goes on by its clock, and timers open incidents: the run goes as
 * far as it is, and begins where it did. To be asked before the topics are opened, so that what it
 * has read is in these. */
static void follow_clock(struct answering *a)
{
    int64_t now = host()->wall_ms(host()->self), begin, watermark;

    if (!a->asks_daemon || a->range.to != NULL)
        return;
    why_daemon_span(a->config->admin.listen, &begin, &watermark);
    /* What lies in the future it has from events, which the run reads too. */
    a->engine_config.until_ms = watermark < now ? watermark : now;
    if (watermark == INT64_MIN && a->lacks_marks)
        why_remark(a->why, "the daemon does not say how far its clock is: what its timers did "
                           "after the last event is not told");
    a->has_begin = a->lacks_marks && begin != INT64_MIN && begin >= a->from_ms;
    a->begin = (struct mark){.kind = MARK_BEGIN, .value_ms = begin};
}

/* A source is read once, so there is one for each pass. All are opened before the first is read:
 * they have one range, also where the logs grow meanwhile. */
static int open_inputs(struct answering *a, struct error *err)
{
    int code = EXIT_OK;

    for (unsigned i = 0; code == EXIT_OK && i < a->input_count; i++) {
        code = replay_range_open(&a->range, &a->files, a->config, 0, a->command,
                                 i > 0 ? a->inputs[0] : NULL, &a->inputs[i], err);
        if (code == EXIT_OK && a->marks != NULL) {
            int rc = replay_input_read_marks(a->inputs[i], a->marks, err);
            if (rc != 0)
                code = replay_input_exit_code(rc);
            else if (a->past.set.count > 0)
                replay_input_follow_switches(a->inputs[i]);
        }
    }
    if (code == EXIT_OK && a->lacks_marks)
        why_remark(a->why, "the daemon keeps no marks (marks.path): where its clock sealed a "
                           "silent partition, times and results may differ");
    else if (code == EXIT_OK)
        remark_input(a, a->inputs[0], false);
    return code;
}

/* --- the answer -------------------------------------------------------------------------- */

/* What was not found may lie before the stretch that was read, which nobody named. */
static void remark_since(struct answering *a)
{
    char line[384], since[UNIT_TEXT_BYTES], before[UNIT_TEXT_BYTES];

    snprintf(line, sizeof(line),
             "nothing from before %s was read: that is %s ago (--since), and %s more for windows "
             "and alerts; a longer --since, or --from, reads further back; where the broker cannot "
             "look up offsets by time, --from earliest reads all",
             a->from, unit_format_duration(a->since_ms, since),
             unit_format_duration(a->before_ms, before));
    why_remark(a->why, line);
}

int why_run(struct why_run *run, const char *command, struct error *err)
{
    struct answering a = {.run = run, .command = command};
    int code = prepare(&a, err);

    if (code == EXIT_OK)
        follow_clock(&a);
    if (code == EXIT_OK)
        code = open_inputs(&a, err);
    for (unsigned i = 0; code == EXIT_OK && i < a.input_count; i++) {
        code = run_engine(&a, a.inputs[i], err);
        if (code == EXIT_OK && !why_pass(a.why))
            break;
    }
    if (code == EXIT_OK && !a.has_records)
        why_remark(a.why, a.range.from == NULL && a.range.to == NULL
                              ? "the input is empty: no record was read"
                          : a.files.count > 0
                              ? "the input is empty: the files have no record of that stretch"
                              : "the input is empty: no record was read of that stretch; where the "
                                "broker cannot look up offsets by time, --from earliest reads all");
    if (code == EXIT_OK)
        remark_input(&a, a.inputs[0], true);
    if (code == EXIT_OK && !why_found(a.why))
        why_intake_remark(a.why, &run->question, directory_of(&a));
    if (code == EXIT_OK && a.since_ms > 0 && !why_found(a.why))
        remark_since(&a);
    if (code == EXIT_OK && a.asks_daemon)
        why_daemon_ask(a.why, a.config, a.past.set.count > 0, a.past.read_as.count > 0);
    if (code == EXIT_OK) {
        if (run->is_json)
            why_print_json(a.why, stdout);
        else
            why_print_text(a.why, stdout);
        if (fflush(stdout) != 0 || ferror(stdout)) {
            error_set(err, "the answer cannot be written: %s", strerror(errno));
            code = EXIT_IO;
        } else if (!why_found(a.why)) {
            code = EXIT_CHANGED;
        }
    }
    for (unsigned i = 0; i < a.input_count; i++)
        replay_input_close(a.inputs[i]);
    why_destroy(a.why);
    rule_set_destroy(a.rules);
    rules_past_release(&a.past);
    rules_read_release(&a.read);
    config_destroy(a.config);
    return code;
}
