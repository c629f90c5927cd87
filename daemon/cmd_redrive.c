/*
 * cmd_redrive.c - `tocsin redrive`: changes that a sink was not told of, because it refused
 * them or did not take them in time; listed, and sent again once their cause is mended.
 *
 * Asks the admin server of the running daemon, which holds them.
 */
#include <errno.h>
#include <event2/http.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/admin_client.h"
#include "daemon/admin_peer.h"
#include "base/plural.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "daemon/plain.h"

struct redrive {
    struct admin_peer peer;
    const char *sink;
    const char *incident;
    bool all;
    bool list;
    bool json;
};

static const struct option_row rows[] = {
    ADMIN_PEER_ROWS(struct redrive, peer),
    {"--sink", OPTION_TEXT, offsetof(struct redrive, sink), "NAME", NULL,
     "Only changes for this sink.", .min = 0},
    {"--incident", OPTION_TEXT, offsetof(struct redrive, incident), "ID", NULL,
     "Only changes of this incident.", .min = 0},
    {"--all", OPTION_FLAG, offsetof(struct redrive, all), NULL, NULL,
     "All of them, of every sink and incident.", .min = 0},
    {"--list", OPTION_FLAG, offsetof(struct redrive, list), NULL, NULL,
     "Lists them, the newest first, and sends nothing.", .min = 0},
    {"--json", OPTION_FLAG, offsetof(struct redrive, json), NULL, NULL,
     "Prints the daemon's answer as it is.", .min = 0},
};

static const struct option_table table = {
    .command = "redrive",
    .usage = "(--list | --sink NAME | --incident ID | --all) [options]",
    .about =
        "Sends changes again that a running daemon gave up, because their sink refused them or "
        "did\nnot take them in time. Each goes before all later ones of its incident, with a new "
        "time\nto be tried in; what a later change has told in the meantime is not among them.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 1 64 69 74 78",
};

/* Appends "?name=value" or "&name=value", encoded. `value` may be NULL: nothing. */
static void add_to_query(char *path, size_t bytes, const char *name, const char *value)
{
    size_t used = strlen(path);
    char *encoded = value != NULL ? evhttp_uriencode(value, -1, 0) : NULL;

    if (encoded != NULL)
        snprintf(path + used, bytes - used, "%c%s=%s", strchr(path, '?') != NULL ? '&' : '?', name,
                 encoded);
    free(encoded);
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static void print_list(const json_t *root)
{
    const json_t *item; /* borrowed */
    size_t i, listed = json_array_size(json_object_get(root, "dead"));
    json_int_t count = json_integer_value(json_object_get(root, "count"));

    json_array_foreach (json_object_get(root, "dead"), i, item) {
        json_int_t attempts = json_integer_value(json_object_get(item, "attempts"));
        plain_printf(stdout, "%s  %s  %s %s %s", text_of(item, "died_at"), text_of(item, "sink"),
                     text_of(item, "incident"), text_of(item, "kind"), text_of(item, "priority"));
        printf("\n  ");
        plain_print(text_of(item, "title"), stdout);
        printf("\n  ");
        plain_printf(stdout, "%s after %" JSON_INTEGER_FORMAT " attempt%s: %s",
                     text_of(item, "cause"), attempts, plural((uint64_t)attempts),
                     text_of(item, "error"));
        printf("\n");
    }
    printf("%" JSON_INTEGER_FORMAT " change%s given up can be sent again", count,
           plural((uint64_t)count));
    if ((json_int_t)listed < count)
        printf("; the newest %zu are listed", listed);
    putchar('\n');
}

static void print_redriven(const json_t *root)
{
    json_int_t redriven = json_integer_value(json_object_get(root, "redriven"));
    json_int_t busy = json_integer_value(json_object_get(root, "busy"));

    printf("%" JSON_INTEGER_FORMAT " change%s sent again\n", redriven, plural((uint64_t)redriven));
    if (busy > 0)
        printf("%" JSON_INTEGER_FORMAT
               " left, because a later change of the same incident is under way; try again\n",
               busy);
}

/* Prints the daemon's answer. Returns an exit code. */
static int show(const struct redrive *redrive, int status, const char *body)
{
    json_t *root; /* ours */

    if (status != 200) {
        fprintf(stderr, "tocsin redrive: %s", body);
        return status >= 400 && status < 500 ? EXIT_USAGE : EXIT_UNAVAILABLE;
    }
    root = json_loads(body, 0, NULL);
    if (!json_is_object(root)) {
        fprintf(stderr, "tocsin redrive: what answers at %s is no tocsin\n", redrive->peer.address);
        json_decref(root);
        return EXIT_UNAVAILABLE;
    }
    if (redrive->json)
        fputs(body, stdout);
    else if (redrive->list)
        print_list(root);
    else
        print_redriven(root);
    bool is_complete = redrive->list || json_integer_value(json_object_get(root, "busy")) == 0;
    json_decref(root);
    return is_complete ? EXIT_OK : EXIT_CHANGED;
}

int cmd_redrive(int argc, char **argv)
{
    struct redrive redrive = {0};
    struct error err = {{0}};
    char path[2048], *body = NULL;
    int code, status, rc;

    if (!options_read(&table, argc, argv, &redrive, &code))
        return code;
    if (!redrive.list && redrive.sink == NULL && redrive.incident == NULL && !redrive.all) {
        fprintf(stderr, "tocsin redrive: say which: --sink NAME, --incident ID or --all; or --list "
                        "them first\n");
        return EXIT_USAGE;
    }
    snprintf(path, sizeof(path), "%s", redrive.list ? "/outbox/dead" : "/outbox/redrive");
    add_to_query(path, sizeof(path), "sink", redrive.sink);
    add_to_query(path, sizeof(path), "incident", redrive.incident);
    add_to_query(path, sizeof(path), "all", redrive.all ? "1" : NULL);
    code = admin_peer_find(&redrive.peer, "redrive", !redrive.list);
    if (code != EXIT_OK)
        return code;
    rc = admin_client_ask(redrive.peer.address, redrive.peer.token, !redrive.list, path, &status,
                          &body, &err);
    if (rc == 0) {
        code = show(&redrive, status, body);
    } else {
        fprintf(stderr, "tocsin redrive: %s\n", err.text);
        code = rc == -EINVAL ? EXIT_USAGE : EXIT_UNAVAILABLE;
    }
    free(body);
    admin_peer_release(&redrive.peer);
    return code;
}
