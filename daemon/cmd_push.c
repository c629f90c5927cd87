/*
 * cmd_push.c - `tocsin push`: events into a running daemon, over HTTP. Each file is one request,
 * which is kept whole or not at all.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "daemon/admin_client.h"
#include "daemon/admin_peer.h"
#include "daemon/commands.h"
#include "daemon/options.h"

enum { PUSH_BYTES_MAX = 256 << 20 };

struct push_options {
    struct option_list files;
    struct admin_peer peer;
    bool alertmanager;
    bool wait;
    bool json;
};

static const struct option_row rows[] = {
    ADMIN_PEER_ROWS(struct push_options, peer),
    {"--alertmanager", OPTION_FLAG, offsetof(struct push_options, alertmanager), NULL, NULL,
     "They are bodies of Alertmanager's webhook.", .min = 0},
    {"--wait", OPTION_FLAG, offsetof(struct push_options, wait), NULL, NULL,
     "Waits until what they change is durable, up to 5s.", .min = 0},
    {"--json", OPTION_FLAG, offsetof(struct push_options, json), NULL, NULL,
     "Prints the daemon's answers as they are, one a line.", .min = 0},
};

static const struct option_table table = {
    .command = "push",
    .usage = "[options] FILE...",
    .about =
        "Pushes events into a running daemon: one JSON document, or one a line, as a topic\n"
        "would hold them. - is standard input. A file is kept whole, on the daemon's disk, or\n"
        "not at all; the first that is refused ends it.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct push_options, files),
    .exits = "0 1 64 65 66 69 74 78",
};

/* An exit code. */
static int read_file(const char *path, char **text, size_t *bytes)
{
    int rc = host_read_file(path, PUSH_BYTES_MAX, text, bytes);

    if (rc == 0)
        return EXIT_OK;
    fprintf(stderr, "tocsin push: %s: %s\n", path,
            rc == -EFBIG ? "it has more than 256 MiB" : strerrordesc_np(-rc));
    return EXIT_NO_INPUT;
}

static void show(const struct push_options *options, const char *path, const char *answer)
{
    json_t *root = json_loads(answer, 0, NULL);
    json_int_t events = json_integer_value(json_object_get(root, "events"));
    const char *position = json_string_value(json_object_get(root, "position"));

    if (options->json)
        fputs(answer, stdout);
    else
        printf("%s: %" JSON_INTEGER_FORMAT " event%s kept at %s%s\n", path, events,
               plural((uint64_t)events), position != NULL ? position : "?",
               json_is_true(json_object_get(root, "applied"))    ? ", and applied"
               : json_is_false(json_object_get(root, "applied")) ? ", not applied yet"
                                                                 : "");
    json_decref(root);
}

int cmd_push(int argc, char **argv)
{
    struct push_options options = {.json = false};
    char path[64], *text, *answer;
    size_t bytes;
    int code;

    if (!options_read(&table, argc, argv, &options, &code))
        return code;
    code = admin_peer_find(&options.peer, "push", true);
    snprintf(path, sizeof(path), "%s%s", options.alertmanager ? "/alertmanager" : "/events",
             options.wait ? "?wait" : "");
    for (size_t i = 0; code == EXIT_OK && i < options.files.count; i++) {
        text = answer = NULL;
        code = read_file(options.files.item[i], &text, &bytes);
        if (code == EXIT_OK)
            code = admin_client_command("push", &options.peer, path, options.files.item[i], text,
                                        bytes, &answer);
        if (code == EXIT_OK)
            show(&options, options.files.item[i], answer);
        free(text);
        free(answer);
    }
    admin_peer_release(&options.peer);
    return code;
}
