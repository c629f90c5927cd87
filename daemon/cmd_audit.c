/*
 * cmd_audit.c - `tocsin audit`: who pushed what into a daemon and had it do what, when, from where
 * and with which result, out of the intake log of its data directory. Never writes there.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "base/vector.h"
#include "daemon/commands.h"
#include "daemon/data_look.h"
#include "daemon/json_print.h"
#include "daemon/options.h"
#include "daemon/plain.h"
#include "daemon/silences.h"
#include "daemon/units.h"
#include "ingest/intake_act.h"
#include "store/intake_log.h"

struct audit {
    struct option_list folders;
    const char *from, *to, *who, *what;
    bool json;

    int64_t from_ms, to_ms;
    /* What came of acts, which is told with them: by position, of those that are shown. */
    VECTOR_OF(struct outcome) outcomes;
    size_t next; /* of them */
    uint64_t shown;
    uint64_t first;        /* position of the first record, and when that was */
    int64_t first_wall_ms; /* INT64_MIN: there is none */
    bool is_cut;           /* standard output takes no more */
};

struct outcome {
    uint64_t of;
    json_t *body; /* owned */
};

static const struct option_row rows[] = {
    {"--from", OPTION_TEXT, offsetof(struct audit, from), "TIME", NULL,
     "Only what came at this time or later, like 2026-02-01T10:00:00Z.", .min = 0},
    {"--to", OPTION_TEXT, offsetof(struct audit, to), "TIME", NULL,
     "Only what came before this time.", .min = 0},
    {"--who", OPTION_TEXT, offsetof(struct audit, who), "NAME", NULL,
     "Only of this one: the name of a token, local, or signal.", .min = 0},
    {"--what", OPTION_TEXT, offsetof(struct audit, what), "WORD", NULL,
     "Only of this kind: events, alertmanager, incident.acknowledge, incident.close, reload, "
     "redrive, silence.add, silence.end; or all that begin so: silence.",
     .min = 0},
    {"--json", OPTION_FLAG, offsetof(struct audit, json), NULL, NULL,
     "One JSON object a line, with all that was sent.", .min = 0},
};

static const struct option_table table = {
    .command = "audit",
    .usage = "DIR [--from TIME] [--to TIME] [--who NAME] [--what WORD] [--json]",
    .about = "Lists who pushed events into a daemon and who had it do what, when, from where and\n"
             "with which result, as the data directory has it. Writes nothing there, and may look\n"
             "on while a daemon uses it.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = 1,
    .arguments_offset = offsetof(struct audit, folders),
    .exits = "0 64 65 66 74",
};

static bool begins_with(struct text text, const char *start)
{
    size_t bytes = strlen(start);

    return text.len >= bytes && memcmp(text.at, start, bytes) == 0 &&
           (text.len == bytes || text.at[bytes] == '.');
}

static bool is_wanted(const struct audit *audit, const struct intake_record *record)
{
    return record->wall_ms >= audit->from_ms && record->wall_ms < audit->to_ms &&
           (audit->who == NULL || (record->who.len == strlen(audit->who) &&
                                   memcmp(record->who.at, audit->who, record->who.len) == 0)) &&
           (audit->what == NULL || begins_with(record->what, audit->what));
}

/* First through: what came of acts. */
static void see_outcome(void *self, const struct intake_record *record)
{
    struct audit *audit = self;

    if (audit->first_wall_ms == INT64_MIN) {
        audit->first = record->position;
        audit->first_wall_ms = record->wall_ms;
    }
    if (record->kind == INTAKE_OUTCOME)
        vector_add(&audit->outcomes) =
            (struct outcome){record->of, json_loadb(record->body.at, record->body.len, 0, NULL)};
}

static int by_position(const void *left, const void *right)
{
    const struct outcome *a = left, *b = right;

    return (a->of > b->of) - (a->of < b->of);
}

/* NULL: none is there, the daemon ended in between. Borrowed. */
static const json_t *outcome_of(struct audit *audit, uint64_t position)
{
    while (audit->next < audit->outcomes.count && audit->outcomes.at[audit->next].of < position)
        audit->next++;
    return audit->next < audit->outcomes.count && audit->outcomes.at[audit->next].of == position
               ? audit->outcomes.at[audit->next].body
               : NULL;
}

static const char *result_of(const json_t *outcome)
{
    const char *result = json_string_value(json_object_get(outcome, "result"));
    const char *why = json_string_value(json_object_get(outcome, "why"));

    return result != NULL ? result : why != NULL ? why : "not known: the daemon ended meanwhile";
}

/* Of what a refused reload says, the first mistake: it is more than a line, with what is written
 * there below it. */
static void print_result(const char *result)
{
    uint32_t bytes = (uint32_t)strcspn(result, "\n");

    plain_print_text((struct text){result, bytes}, stdout);
    if (result[bytes] != '\0')
        printf(" (all of it: --json)");
}

static void print_line(const struct intake_record *record, const char *result)
{
    char at[UNIT_TEXT_BYTES];

    printf("%s  @intake/%" PRIu64 "  ", unit_format_time(record->wall_ms, at), record->position);
    plain_print_text(record->who, stdout);
    printf("  ");
    plain_print_text(record->from, stdout);
    printf("  ");
    plain_print_text(record->what, stdout);
    if (record->kind == INTAKE_ACT) {
        printf("  ");
        plain_print_text(record->body, stdout);
        printf("  ");
        print_result(result);
    } else {
        printf("  %" PRIu32 " bytes", record->body.len);
    }
    putchar('\n');
}

static json_t *text_json(struct text text)
{
    return json_stringn(text.at, text.len);
}

static void print_json(const struct intake_record *record, const json_t *outcome)
{
    json_t *root = json_object();
    char at[UNIT_TEXT_BYTES], position[48];

    snprintf(position, sizeof(position), "@intake/%" PRIu64, record->position);
    json_object_set_new(root, "position", json_string(position));
    json_object_set_new(root, "time", json_string(unit_format_time(record->wall_ms, at)));
    json_object_set_new(root, "stamp", json_string(unit_format_time(record->at_ms, at)));
    json_object_set_new(root, "who", text_json(record->who));
    json_object_set_new(root, "from", text_json(record->from));
    json_object_set_new(root, "what", text_json(record->what));
    if (record->kind == INTAKE_EVENTS) {
        json_object_set_new(root, "body", text_json(record->body));
    } else {
        json_object_set_new(root, "with", json_loadb(record->body.at, record->body.len, 0, NULL));
        if (outcome != NULL)
            json_object_set(root, "outcome", (json_t *)outcome);
    }
    json_print(root, JSON_COMPACT | JSON_PRESERVE_ORDER, stdout);
}

/* Second through. */
static void show(void *self, const struct intake_record *record)
{
    struct audit *audit = self;
    const json_t *outcome;

    if (record->kind == INTAKE_OUTCOME || record->kind == INTAKE_CHECKPOINT || audit->is_cut ||
        !is_wanted(audit, record))
        return;
    outcome = record->kind == INTAKE_ACT ? outcome_of(audit, record->position) : NULL;
    if (audit->json)
        print_json(record, outcome);
    else
        print_line(record, result_of(outcome));
    audit->shown++;
    audit->is_cut = ferror(stdout) != 0;
}

static int read_time(const char *option, const char *text, int64_t *ms)
{
    struct error err;

    if (text == NULL || unit_parse_time(text, ms, &err) == 0)
        return EXIT_OK;
    fprintf(stderr, "tocsin audit: %s: %s\n", option, err.text);
    return EXIT_USAGE;
}

/* What is on record, and what several of it begin with (--what). */
static const char *const kinds[] = {
    "events",  "alertmanager",  ACT_ACKNOWLEDGE, ACT_CLOSE,  "reload",
    "redrive", ACT_SILENCE_ADD, ACT_SILENCE_END, "incident", "silence",
};

/* A word that is no kind would find nothing, as if nothing had been done. */
static int check_what(const char *what)
{
    char hint[NEAREST_HINT_BYTES];

    if (what == NULL)
        return EXIT_OK;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(what, kinds[i]) == 0)
            return EXIT_OK;
    /* what the commands are called */
    snprintf(hint, sizeof(hint), "; did you mean \"%s\"?",
             strcmp(what, "ack") == 0 ? ACT_ACKNOWLEDGE : ACT_CLOSE);
    if (strcmp(what, "ack") != 0 && strcmp(what, "close") != 0)
        nearest_hint((struct text){what, (uint32_t)strlen(what)}, kinds,
                     sizeof(kinds) / sizeof(kinds[0]), hint);
    fprintf(stderr, "tocsin audit: --what: there is no kind \"%s\"%s\n", what, hint);
    return EXIT_USAGE;
}

/* What was before is not said to have been nothing. */
static void tell_begin(const struct audit *audit)
{
    char at[UNIT_TEXT_BYTES];

    if (audit->first == 0 || audit->from_ms >= audit->first_wall_ms)
        return;
    fprintf(audit->json ? stderr : stdout,
            "the record begins with @intake/%" PRIu64 ", at %s: what came before has been let go "
            "of (intake.keep, intake.bytes.max), or is in the directory that had the unit\n",
            audit->first, unit_format_time(audit->first_wall_ms, at));
}

static int list(struct audit *audit, struct error *err)
{
    struct data_look at;
    struct segment_config segments;
    struct segment_end end;
    enum segment_refusal why;
    char folder[DATA_DIR_PATH_BYTES];
    int code = data_look_open(&at, audit->folders.item[0], err);

    if (code != EXIT_OK)
        return code;
    data_dir_folder(&at.dir, "intake", folder);
    segments = (struct segment_config){.folder = folder,
                                       .kind = "intake",
                                       .directory = at.dir.id,
                                       .segment_bytes = INTAKE_SEGMENT_BYTES};
    if (intake_log_read(&segments, see_outcome, audit, NULL, &why, err) != 0)
        return data_look_exit_code(why);
    if (audit->outcomes.count > 1)
        qsort(audit->outcomes.at, audit->outcomes.count, sizeof(audit->outcomes.at[0]),
              by_position);
    tell_begin(audit);
    if (intake_log_read(&segments, show, audit, &end, &why, err) != 0)
        return data_look_exit_code(why);
    if (!audit->json && audit->shown == 0)
        printf("nothing of that is on record\n");
    return EXIT_OK;
}

int cmd_audit(int argc, char **argv)
{
    struct audit audit = {.from_ms = INT64_MIN, .to_ms = INT64_MAX, .first_wall_ms = INT64_MIN};
    struct error err = {{0}};
    int code;

    if (!options_read(&table, argc, argv, &audit, &code))
        return code;
    code = read_time("--from", audit.from, &audit.from_ms);
    if (code == EXIT_OK)
        code = read_time("--to", audit.to, &audit.to_ms);
    if (code == EXIT_OK)
        code = check_what(audit.what);
    if (code != EXIT_OK)
        return code;
    code = list(&audit, &err);
    if (code != EXIT_OK)
        fprintf(stderr, "%s\n", err.text);
    for (size_t i = 0; i < audit.outcomes.count; i++)
        json_decref(audit.outcomes.at[i].body);
    free(audit.outcomes.at);
    return code;
}
