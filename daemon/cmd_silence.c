/*
 * cmd_silence.c - `tocsin silence`: silences that are made by hand, ended and listed. Asks the
 * admin server of the running daemon.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/admin_client.h"
#include "daemon/admin_peer.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "daemon/plain.h"
#include "daemon/units.h"

struct silence_options {
    struct option_list words;
    struct admin_peer peer;
    const char *where, *lasts, *from, *to, *comment, *id;
    bool json;
};

static const struct option_row rows[] = {
    ADMIN_PEER_ROWS(struct silence_options, peer),
    {"--where", OPTION_TEXT, offsetof(struct silence_options, where), "CONDITION", NULL,
     "Of add: which incidents it mutes, as in rule files: host == \"db-1\".", .min = 0},
    {"--for", OPTION_TEXT, offsetof(struct silence_options, lasts), "DURATION", NULL,
     "Of add: how long it holds; or --to.", .min = 0},
    {"--from", OPTION_TEXT, offsetof(struct silence_options, from), "TIME", NULL,
     "Of add: when it begins; without it, now.", .min = 0},
    {"--to", OPTION_TEXT, offsetof(struct silence_options, to), "TIME", NULL,
     "Of add: when it ends.", .min = 0},
    {"--comment", OPTION_TEXT, offsetof(struct silence_options, comment), "TEXT", NULL,
     "What is said of it.", .min = 0},
    {"--id", OPTION_TEXT, offsetof(struct silence_options, id), "ID", NULL,
     "Of add: what it is called; without it, by-hand-1 and so on.", .min = 0},
    {"--json", OPTION_FLAG, offsetof(struct silence_options, json), NULL, NULL,
     "Prints the daemon's answer as it is.", .min = 0},
};

static const struct option_table table = {
    .command = "silence",
    .usage = "(add --where CONDITION (--for DURATION | --to TIME) | end ID | list) [options]",
    .about =
        "Makes a silence by hand, ends one, or lists them. A silence holds from the answer on,\n"
        "over restarts and reloads, until its end.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = 2,
    .arguments_offset = offsetof(struct silence_options, words),
    .exits = "0 1 64 69 74 78",
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

/* One that has ended stays on the list for a day. */
static bool has_ended(const json_t *silence)
{
    int64_t to_ms;

    return unit_parse_time(text_of(silence, "to"), &to_ms, NULL) == 0 &&
           to_ms <= host()->wall_ms(host()->self);
}

static void print_one(const json_t *silence)
{
    plain_printf(stdout, "%s  %s to %s%s  %s", text_of(silence, "id"), text_of(silence, "from"),
                 text_of(silence, "to"), has_ended(silence) ? ", ended" : "",
                 text_of(silence, "where"));
    if (text_of(silence, "comment")[0] != '\0')
        plain_printf(stdout, "  \"%s\"", text_of(silence, "comment"));
    if (text_of(silence, "by")[0] != '\0')
        plain_printf(stdout, "  by %s", text_of(silence, "by"));
    putchar('\n');
}

static int list(const struct silence_options *options)
{
    struct error err = {{0}};
    char *body = NULL;
    const json_t *silence; /* borrowed */
    json_t *root, *rows_of;
    int status;
    size_t i;

    if (admin_client_ask(options->peer.address, options->peer.token, false, "/silences", &status,
                         &body, &err) != 0) {
        fprintf(stderr, "tocsin silence: %s\n", err.text);
        return EXIT_UNAVAILABLE;
    }
    root = status == 200 ? json_loads(body, 0, NULL) : NULL;
    rows_of = json_is_array(root) ? root : json_object_get(root, "silences");
    if (!json_is_array(rows_of)) {
        fprintf(stderr, "tocsin silence: what answers at %s is no tocsin\n", options->peer.address);
        json_decref(root);
        free(body);
        return EXIT_UNAVAILABLE;
    }
    if (options->json)
        fputs(body, stdout);
    else
        json_array_foreach (rows_of, i, silence)
            print_one(silence);
    if (!options->json && json_array_size(rows_of) == 0)
        printf("no silence was made by hand\n");
    json_decref(root);
    free(body);
    return EXIT_OK;
}

/* What was made or ended, as the daemon says. */
static int change(const struct silence_options *options, const char *path, json_t *said)
{
    char *body = json_dumps(said, JSON_COMPACT), *answer = NULL;
    int code = EXIT_SYSTEM;
    json_t *root;

    json_decref(said);
    if (body != NULL)
        code = admin_client_command("silence", &options->peer, path, NULL, body, strlen(body),
                                    &answer);
    free(body);
    if (code != EXIT_OK)
        return code;
    root = json_loads(answer, 0, NULL);
    if (options->json)
        fputs(answer, stdout);
    else if (strcmp(path, "/silences/add") == 0) {
        print_one(root);
        if (text_of(root, "note")[0] != '\0')
            printf("note: %s\n", text_of(root, "note"));
    } else
        printf("%s has ended\n", text_of(root, "id"));
    json_decref(root);
    free(answer);
    return EXIT_OK;
}

static int add(const struct silence_options *options)
{
    json_t *said = json_pack("{s:s*,s:s*,s:s*,s:s*,s:s*,s:s*}", "where", options->where, "for",
                             options->lasts, "from", options->from, "to", options->to, "comment",
                             options->comment, "id", options->id);

    return said != NULL ? change(options, "/silences/add", said) : EXIT_SYSTEM;
}

static int end(const struct silence_options *options)
{
    json_t *said =
        json_pack("{s:s,s:s*}", "id", options->words.item[1], "comment", options->comment);

    return said != NULL ? change(options, "/silences/end", said) : EXIT_SYSTEM;
}

static bool has_matcher(const struct silence_options *options)
{
    return options->where != NULL || options->lasts != NULL || options->from != NULL ||
           options->to != NULL || options->id != NULL;
}

int cmd_silence(int argc, char **argv)
{
    struct silence_options options = {.json = false};
    int (*what)(const struct silence_options *options) = NULL;
    int code;

    if (!options_read(&table, argc, argv, &options, &code))
        return code;
    const char *word = options.words.item[0];
    size_t more = options.words.count - 1;
    if (strcmp(word, "add") == 0 && more == 0)
        what = add;
    if (strcmp(word, "end") == 0 && more == 1 && !has_matcher(&options))
        what = end;
    if (strcmp(word, "list") == 0 && more == 0 && !has_matcher(&options) && options.comment == NULL)
        what = list;
    if (what == NULL) {
        fprintf(stderr,
                "tocsin silence: say add with --where and --for, end with its id, or list\n");
        return EXIT_USAGE;
    }
    code = admin_peer_find(&options.peer, "silence", what != list);
    if (code == EXIT_OK)
        code = what(&options);
    admin_peer_release(&options.peer);
    return code;
}
