/*
 * cmd_history.c - `tocsin history`: which incidents there were, and the story of one; and the file
 * behind it made anew.
 *
 * Reads history.db of a data directory, also while a daemon writes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "base/plural.h"
#include "base/slab.h"
#include "base/text.h"
#include "base/vector.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/data_look.h"
#include "daemon/history_json.h"
#include "daemon/history_print.h"
#include "daemon/json_print.h"
#include "daemon/options.h"
#include "rules/zone_names.h"
#include "store/history_files.h"

enum { ZONE_BYTES_MAX = 4 << 20 };

struct history_options {
    struct option_list words; /* DIR, INCIDENT, or both */
    const char *id;           /* of the incident whose story is told, or NULL */
    const char *config_path, *data, *rule, *tenant, *key, *timezone;
    int64_t from_ms, to_ms, limit;
    bool open_only, json, rebuild;

    struct config *config;
    struct data_look look;
    char path[DATA_DIR_PATH_BYTES]; /* of the file */
};

#define AT(field) offsetof(struct history_options, field)

static const struct option_row rows[] = {
    {"--config", OPTION_TEXT, AT(config_path), "FILE", NULL,
     "Configuration file: its data.dir and history.timezone.", 0, 0, NULL},
    {"--data", OPTION_TEXT, AT(data), "DIR", NULL, "The data directory, instead of data.dir.", 0, 0,
     NULL},
    {"--from", OPTION_TIME, AT(from_ms), "TIME", NULL, "Only what was open then or later.", 0, 0,
     NULL},
    {"--to", OPTION_TIME, AT(to_ms), "TIME", NULL, "Only what opened before.", 0, 0, NULL},
    {"--rule", OPTION_TEXT, AT(rule), "ID", NULL, "Only incidents of this rule.", 0, 0, NULL},
    {"--tenant", OPTION_TEXT, AT(tenant), "NAME", NULL, "Only incidents of this tenant.", 0, 0,
     NULL},
    {"--key", OPTION_TEXT, AT(key), "TEXT", NULL,
     "Only incidents whose key or title holds this text: host=db01.", 0, 0, NULL},
    {"--open", OPTION_FLAG, AT(open_only), NULL, NULL, "Only incidents that are open.", 0, 0, NULL},
    {"--limit", OPTION_COUNT, AT(limit), "N", "100", "How many are listed at most.", 1,
     HISTORY_LIST_MAX, NULL},
    {"--timezone", OPTION_TEXT, AT(timezone), "ZONE", NULL,
     "Zone of the times that are shown, instead of history.timezone.", 0, 0, NULL},
    {"--json", OPTION_FLAG, AT(json), NULL, NULL, "Prints one JSON object, with times in UTC.", 0,
     0, NULL},
    {"--rebuild", OPTION_FLAG, AT(rebuild), NULL, NULL,
     "Makes the history anew from the journal, while no daemon runs.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "history",
    .usage = "(DIR | --config FILE | --data DIR) [options] [INCIDENT]",
    .about =
        "Lists the incidents that a data directory remembers, the newest first, or tells the whole "
        "story of one: its changes, who was told of each, and under which name it is found there. "
        "INCIDENT is its id or the first digits of it. Writes nothing unless --rebuild is given, "
        "and may look on while a daemon runs.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 0,
    .arguments_max = 2,
    .arguments_offset = AT(words),
    .exits = "0 1 64 65 66 71 73 74 78",
};

/* ---- the file ---- */

static int exit_code_of(enum history_refusal why)
{
    switch (why) {
    case HISTORY_MISSING:
        return EXIT_NO_INPUT;
    case HISTORY_FOREIGN:
    case HISTORY_NEWER:
    case HISTORY_DAMAGED:
        return EXIT_DATA;
    case HISTORY_FINE:
    case HISTORY_WORLD:
        break;
    }
    return EXIT_IO;
}

static int open_reader(struct history_options *options, struct history_reader **out,
                       struct error *err)
{
    enum history_refusal why;

    if (history_reader_open(options->path, options->look.dir.id, out, &why, err) == 0)
        return EXIT_OK;
    if (why == HISTORY_MISSING)
        error_set(err,
                  "%s: there is no history: it is written by a daemon with history.enabled, or by "
                  "tocsin history --rebuild",
                  options->path);
    else if (why != HISTORY_WORLD)
        error_prefix(err, "the history cannot be read; tocsin history --rebuild makes it anew: ");
    return exit_code_of(why);
}

/* ---- asking ---- */

static int load_zone(const struct history_options *options, struct arena *arena,
                     struct history_clock *clock, struct error *err)
{
    clock->name = options->timezone != NULL ? options->timezone : options->config->history.timezone;
    if (arena != NULL)
        clock->zone = zone_load(text_of(clock->name), arena, err);
    else
        error_set(err, "out of memory");
    if (clock->zone != NULL)
        return EXIT_OK;
    if (arena != NULL)
        zone_hint(text_of(clock->name), err);
    error_prefix(err, "%s: ", options->timezone != NULL ? "--timezone" : "history.timezone");
    return options->timezone != NULL ? EXIT_USAGE : EXIT_CONFIG;
}

static int print(const struct history_options *options, json_t *found, struct error *err)
{
    struct history_clock clock = {NULL, NULL};
    struct arena *arena;
    int code;

    if (options->json) {
        if (json_print(found, JSON_INDENT(2), stdout)) /* taken */
            return EXIT_OK;
        error_set(err, "out of memory");
        return EXIT_SYSTEM;
    }
    arena = arena_create(ZONE_BYTES_MAX);
    code = load_zone(options, arena, &clock, err);
    if (code == EXIT_OK && options->id != NULL)
        history_print_story(found, &clock, stdout);
    else if (code == EXIT_OK)
        history_print_list(found, &clock, stdout);
    arena_destroy(arena);
    json_decref(found);
    return code;
}

/* The rules that the history knows. */
struct known_rules {
    VECTOR_OF(char *) name;
    const char *asked;
    bool has_asked;
};

static void add_rule(void *self, const char *rule)
{
    struct known_rules *known = self;

    known->has_asked = known->has_asked || strcmp(rule, known->asked) == 0;
    vector_add(&known->name) = memcpy(memory_alloc(strlen(rule) + 1), rule, strlen(rule) + 1);
}

/* Of a rule that no incident is of nothing was asked, most likely. What cannot be read is told by
 * the question itself. */
static void note_rule(struct history_reader *reader, const char *rule)
{
    struct known_rules known = {.asked = rule};
    char hint[NEAREST_HINT_BYTES];
    struct error ignored;

    if (history_rules(reader, add_rule, &known, &ignored) == 0 && !known.has_asked)
        fprintf(stderr, "tocsin history: no incident here is of a rule \"%.100s\"%s\n", rule,
                nearest_hint(text_of(rule), (const char *const *)known.name.at, known.name.count,
                             hint));
    for (size_t i = 0; i < known.name.count; i++)
        free(known.name.at[i]);
    free(known.name.at);
}

static int ask(struct history_options *options, struct error *err)
{
    const struct history_filter filter = {.from_ms = options->from_ms,
                                          .to_ms = options->to_ms,
                                          .rule = options->rule,
                                          .tenant = options->tenant,
                                          .key = options->key,
                                          .open_only = options->open_only,
                                          .rows_max = (uint32_t)options->limit};
    struct history_reader *reader;
    json_t *found = NULL;
    int code = open_reader(options, &reader, err), rc;

    if (code != EXIT_OK)
        return code;
    rc = options->id != NULL
             ? history_story_json(reader, options->id, HISTORY_STORY_MAX, INT64_MIN, &found, err)
             : history_list_json(reader, &filter, INT64_MIN, &found, err);
    if (rc == 0 && options->id == NULL && options->rule != NULL &&
        json_array_size(json_object_get(found, "incidents")) == 0)
        note_rule(reader, options->rule);
    history_reader_close(reader);
    if (rc == 0)
        return print(options, found, err);
    return rc == -ENOENT                    ? EXIT_CHANGED
           : rc == -EINVAL || rc == -EEXIST ? EXIT_USAGE
           : rc == -ENOMEM                  ? EXIT_SYSTEM
           : rc == -EBADMSG                 ? EXIT_DATA
                                            : EXIT_IO;
}

/* ---- making it anew ---- */

static void print_rebuilt(const struct history_rebuilt *rebuilt)
{
    printf("%" PRIu64 " group%s of the journal, %" PRIu64 " incident%s in the history\n",
           rebuilt->groups, plural(rebuilt->groups), rebuilt->incidents,
           plural(rebuilt->incidents));
    if (rebuilt->aside[0] != '\0')
        printf("the former file is kept as %s: %s\n", rebuilt->aside, rebuilt->why);
    if (rebuilt->before > 0)
        printf("the journal begins with frame %" PRIu64 "; what came before %s\n", rebuilt->before,
               rebuilt->has_taken_over ? "was taken over from the former file"
                                       : "is not in the history");
}

static int make_anew(struct history_options *options, struct error *err)
{
    const struct history_limits limits = {.keep_ms = options->config->history.keep_ms,
                                          .bytes_max =
                                              (uint64_t)options->config->history.bytes_max};
    struct history_rebuilt rebuilt;
    enum data_dir_refusal why;
    struct data_dir dir;
    int rc;

    if (data_dir_open(&dir, options->look.dir.path, DATA_DIR_RUN, &why, err) != 0)
        return why == DATA_DIR_LOCKED ? EXIT_LOCKED : why == DATA_DIR_WORLD ? EXIT_IO : EXIT_DATA;
    rc = history_rebuild(options->path, &options->look.segments, &limits, &rebuilt, err);
    data_dir_close(&dir);
    if (rc == 0)
        print_rebuilt(&rebuilt);
    return rc == 0 ? EXIT_OK : rc == -EBADMSG ? EXIT_DATA : EXIT_IO;
}

/* ---- the command ---- */

/* Without --config and --data the first word is the directory, as of fsck, ledger and audit. */
static int sort_words(struct history_options *options, struct error *err)
{
    const struct option_list *words = &options->words;
    bool is_said = options->data != NULL || options->config_path != NULL;

    if (is_said && words->count > 1) {
        error_set(err, "%s says where the history is: no more than an incident goes with it",
                  options->data != NULL ? "--data" : "--config");
        return EXIT_USAGE;
    }
    if (!is_said && words->count > 0)
        options->data = words->item[0];
    if (words->count > (is_said ? 0 : 1))
        options->id = words->item[words->count - 1];
    return EXIT_OK;
}

static int run(struct history_options *options, struct error *err)
{
    int code = sort_words(options, err);
    const char *data = options->data;

    if (code != EXIT_OK)
        return code;
    if (options->rebuild && options->id != NULL) {
        error_set(err, "--rebuild makes all of it anew, and takes no incident");
        return EXIT_USAGE;
    }
    if (config_load(options->config_path, CONFIG_SECRETS_MAY_BE_ABSENT, &options->config, err) != 0)
        return EXIT_CONFIG;
    if (data == NULL)
        data = options->config->data.dir;
    if (data[0] == '\0') {
        error_set(err, options->config_path != NULL
                           ? "the configuration has no data.dir, so nothing is remembered"
                           : "say where the history is: its data directory, or --config FILE");
        return EXIT_USAGE;
    }
    code = data_look_open(&options->look, data, err);
    if (code == EXIT_NO_INPUT && options->words.count > 0 && data == options->words.item[0])
        error_prefix(err, "the first word is the data directory, where no --config names it: ");
    if (code != EXIT_OK)
        return code;
    data_dir_folder(&options->look.dir, HISTORY_FILE, options->path);
    return options->rebuild ? make_anew(options, err) : ask(options, err);
}

int cmd_history(int argc, char **argv)
{
    struct history_options options = {.from_ms = INT64_MIN, .to_ms = INT64_MIN};
    struct error err = {{0}};
    int code;

    if (!options_read(&table, argc, argv, &options, &code))
        return code;
    code = run(&options, &err);
    config_destroy(options.config);
    if (code != EXIT_OK)
        fprintf(stderr, "tocsin history: %s\n", err.text);
    return code;
}
