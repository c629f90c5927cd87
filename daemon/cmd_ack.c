/*
 * cmd_ack.c - `tocsin ack` and `tocsin close`: somebody takes an incident on, or says that it is
 * over. Asks the admin server of the running daemon.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/incident.h"
#include "daemon/admin_client.h"
#include "daemon/admin_peer.h"
#include "daemon/commands.h"
#include "daemon/options.h"

struct act_options {
    struct option_list incidents;
    struct admin_peer peer;
    const char *comment;
    bool json;
};

static const struct option_row rows[] = {
    ADMIN_PEER_ROWS(struct act_options, peer),
    {"--comment", OPTION_TEXT, offsetof(struct act_options, comment), "TEXT", NULL,
     "What is said of it; sinks are told, too.", .min = 0},
    {"--json", OPTION_FLAG, offsetof(struct act_options, json), NULL, NULL,
     "Prints the daemon's answers as they are, one a line.", .min = 0},
};

static const struct option_table ack_table = {
    .command = "ack",
    .usage = "ID... [options]",
    .about = "Says that somebody has taken incidents on: who was paged for them is not paged on.\n"
             "ID is an incident's id, or the first digits of it. They stay open, and close as\n"
             "their rule says.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct act_options, incidents),
    .exits = "0 1 64 69 74 78",
};

static const struct option_table close_table = {
    .command = "close",
    .usage = "ID... [options]",
    .about = "Closes incidents by hand, whatever their rule says. ID is an incident's id, or the\n"
             "first digits of it. Another one opens when the rule's condition comes true anew: it\n"
             "begins with nothing, as after any close.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct act_options, incidents),
    .exits = "0 1 64 69 74 78",
};

static bool are_digits(const char *text)
{
    size_t length = strlen(text);

    return length > 0 && length < ID128_TEXT_BYTES && strspn(text, "0123456789abcdef") == length;
}

/* The whole id of an incident of which `digits` are the first. An exit code. */
static int find(const char *command, const struct act_options *options, const char *digits,
                char id[ID128_TEXT_BYTES])
{
    struct error err = {{0}};
    char path[64], *body = NULL;
    int status, code = EXIT_OK;
    json_t *root;

    snprintf(id, ID128_TEXT_BYTES, "%s", digits);
    if (strlen(digits) == ID128_TEXT_BYTES - 1)
        return EXIT_OK;
    snprintf(path, sizeof(path), "/incidents/%s", digits);
    if (admin_client_ask(options->peer.address, options->peer.token, false, path, &status, &body,
                         &err) != 0) {
        fprintf(stderr, "tocsin %s: %s\n", command, err.text);
        return EXIT_UNAVAILABLE;
    }
    root = status == 200 ? json_loads(body, 0, NULL) : NULL;
    const char *found = json_string_value(json_object_get(root, "incident"));
    if (found != NULL) {
        snprintf(id, ID128_TEXT_BYTES, "%s", found);
    } else {
        fprintf(stderr, "tocsin %s: %s: %s", command, digits,
                status == 200 ? "what answers is no tocsin\n" : body);
        /* 400: the digits are those of several. */
        code = status == 400                    ? EXIT_USAGE
               : status == 404 || status == 409 ? EXIT_CHANGED
                                                : EXIT_UNAVAILABLE;
    }
    json_decref(root);
    free(body);
    return code;
}

static void show(const struct act_options *options, const char *id, const char *answer)
{
    json_t *root = json_loads(answer, 0, NULL);
    const char *outcome = json_string_value(json_object_get(root, "outcome"));

    if (options->json)
        fputs(answer, stdout);
    else if (json_is_true(json_object_get(root, "applied")))
        printf("%s is %s\n", id, outcome != NULL ? outcome : "done");
    else
        printf("%s: it is on record, and follows when the daemon has caught up\n", id);
    json_decref(root);
}

/* An exit code. */
static int act_on(const char *command, const char *verb, const struct act_options *options,
                  const char *digits)
{
    json_t *said = json_object();
    char id[ID128_TEXT_BYTES], path[96], *answer = NULL, *body;
    int code;

    if (options->comment != NULL)
        json_object_set_new(said, "comment", json_string(options->comment));
    body = json_dumps(said, JSON_COMPACT);
    json_decref(said);
    if (body == NULL)
        return EXIT_SYSTEM;
    code = find(command, options, digits, id);
    if (code == EXIT_OK) {
        snprintf(path, sizeof(path), "/incidents/%s/%s", id, verb);
        code =
            admin_client_command(command, &options->peer, path, NULL, body, strlen(body), &answer);
    }
    if (code == EXIT_OK)
        show(options, id, answer);
    free(answer);
    free(body);
    return code;
}

/* The first thing that went wrong is the code; the others are done. */
static int act(const struct option_table *table, const char *verb, int argc, char **argv)
{
    struct act_options options = {.json = false};
    int code, one;

    if (!options_read(table, argc, argv, &options, &code))
        return code;
    for (size_t i = 0; i < options.incidents.count; i++)
        if (!are_digits(options.incidents.item[i])) {
            fprintf(stderr,
                    "tocsin %s: '%.64s' is not the id of an incident: 32 digits of 0-9a-f, "
                    "or the first of them\n",
                    table->command, options.incidents.item[i]);
            return EXIT_USAGE;
        }
    code = admin_peer_find(&options.peer, table->command, true);
    if (code != EXIT_OK)
        return code;
    for (size_t i = 0; i < options.incidents.count; i++) {
        one = act_on(table->command, verb, &options, options.incidents.item[i]);
        code = code == EXIT_OK ? one : code;
    }
    admin_peer_release(&options.peer);
    return code;
}

int cmd_ack(int argc, char **argv)
{
    return act(&ack_table, "acknowledge", argc, argv);
}

int cmd_close(int argc, char **argv)
{
    return act(&close_table, "close", argc, argv);
}
