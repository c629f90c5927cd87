/*
 * cmd_incidents.c - `tocsin incidents`: what is open, as the owner of the unit has put it into the
 * shared store. Whoever can read that can ask, on any machine, whether or not a daemon runs on it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/options.h"
#include "daemon/plain.h"
#include "daemon/unit.h"
#include "daemon/units.h"

struct incidents {
    const char *config;
    bool json;
};

static const struct option_row rows[] = {
    {"--config", OPTION_TEXT, offsetof(struct incidents, config), "FILE", NULL,
     "Configuration file with the shared.address and shared.unit to ask for.", .min = 0},
    {"--json", OPTION_FLAG, offsetof(struct incidents, json), NULL, NULL,
     "One JSON object, with all that is known of each.", .min = 0},
};

static const struct option_table table = {
    .command = "incidents",
    .usage = "--config FILE [--json]",
    .about = "Lists the incidents of a unit that are open, out of the Redis of shared.address, on\n"
             "any machine and whether or not a daemon runs: the owner puts each change there\n"
             "before a sink is told.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 64 69 71 78",
};

static const char *text_of_field(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? text : "";
}

static int by_opening(const void *left, const void *right)
{
    json_int_t a = json_integer_value(json_object_get(*(json_t *const *)left, "opened"));
    json_int_t b = json_integer_value(json_object_get(*(json_t *const *)right, "opened"));

    return (a > b) - (a < b);
}

/* One a line, the oldest first. */
static void print_list(const json_t *list)
{
    size_t count = json_array_size(list), i;
    const json_t **item = calloc(count + 1, sizeof(*item)); /* borrowed of the list */
    char at[UNIT_TEXT_BYTES];

    for (i = 0; item != NULL && i < count; i++)
        item[i] = json_array_get(list, i);
    if (item != NULL)
        qsort(item, count, sizeof(*item), by_opening);
    for (i = 0; item != NULL && i < count; i++) {
        int64_t opened_ms = json_integer_value(json_object_get(item[i], "opened"));
        plain_printf(stdout, "%.12s  %s  %s  ", text_of_field(item[i], "incident"),
                     text_of_field(item[i], "priority"), unit_format_time(opened_ms, at));
        plain_print(text_of_field(item[i], "title"), stdout);
        printf("  (");
        plain_print(text_of_field(item[i], "key"), stdout);
        printf(")\n");
    }
    free(item);
}

static int show(const struct incidents *incidents, const char *answer)
{
    json_t *root; /* ours */
    int code = EXIT_OK;

    if (incidents->json) {
        fputs(answer, stdout);
        return EXIT_OK;
    }
    root = json_loads(answer, 0, NULL);
    if (root == NULL) {
        fprintf(stderr, "tocsin incidents: what the shared store has as open is not what was put "
                        "there\n");
        code = EXIT_UNAVAILABLE;
    } else {
        print_list(json_object_get(root, "open"));
    }
    json_decref(root);
    return code;
}

int cmd_incidents(int argc, char **argv)
{
    struct incidents incidents = {.json = false};
    struct config *config = NULL;
    struct error err = {""};
    size_t bytes = 0;
    char *answer = NULL;
    FILE *to;
    int code, rc;

    if (!options_read(&table, argc, argv, &incidents, &code))
        return code;
    if (incidents.config == NULL) {
        fprintf(stderr, "tocsin incidents: say with --config FILE whose: it has the address of the "
                        "shared store\n");
        return EXIT_USAGE;
    }
    if (config_load(incidents.config, CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err) != 0) {
        fprintf(stderr, "tocsin incidents: %s\n", err.text);
        return EXIT_CONFIG;
    }
    if (config->shared.address[0] == '\0') {
        fprintf(stderr,
                "tocsin incidents: %s: without shared.address there is no shared store; "
                "tocsin history lists the incidents of a daemon\n",
                incidents.config);
        config_destroy(config);
        return EXIT_CONFIG;
    }
    to = open_memstream(&answer, &bytes);
    rc = to != NULL ? unit_list_open(config, to, &err) : -1;
    if (to == NULL || fclose(to) != 0) {
        fprintf(stderr, "tocsin incidents: out of memory\n");
        code = EXIT_SYSTEM;
    } else if (rc != 0) {
        fprintf(stderr, "tocsin incidents: %s\n", err.text);
        code = EXIT_UNAVAILABLE;
    } else {
        code = show(&incidents, answer);
    }
    free(answer);
    config_destroy(config);
    return code;
}
