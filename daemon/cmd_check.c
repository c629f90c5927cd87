/*
 * cmd_check.c - `tocsin check`: reads configuration, rules and sinks as the daemon would,
 * says what would run, and starts nothing. Only secrets may be missing: it runs where they
 * do not exist.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/input.h"
#include "daemon/metrics.h"
#include "daemon/options.h"
#include "daemon/packs.h"

struct check {
    const char *config;
    struct option_list rules;
    bool is_json;
    bool keys;
    bool metrics;
};

static const struct option_row rows[] = {
    {"--config", OPTION_TEXT, offsetof(struct check, config), "FILE", NULL,
     "Configuration file; without one the defaults are checked.", 0, 0, NULL},
    {"--rules", OPTION_LIST, offsetof(struct check, rules), "FILE", NULL,
     "Rule file, folder or shipped pack instead of those of the configuration; may be given again.",
     0, 0, NULL},
    {"--json", OPTION_FLAG, offsetof(struct check, is_json), NULL, NULL,
     "Prints what would run as one JSON object.", 0, 0, NULL},
    {"--keys", OPTION_FLAG, offsetof(struct check, keys), NULL, NULL,
     "Prints the reference of all configuration keys, and checks nothing.", 0, 0, NULL},
    {"--metrics", OPTION_FLAG, offsetof(struct check, metrics), NULL, NULL,
     "Prints the reference of all metrics, and checks nothing.", 0, 0, NULL},
};

static const struct option_table table = {
    .command = "check",
    .usage = "[--config FILE] [--rules FILE]... [--json]",
    .about = "Checks configuration, rules and sinks as the daemon would at its start, prints what "
             "would run, and starts nothing. What is wrong is told with file, line and column.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 64 78",
};

static void print_key(void *self, const struct config_key *key, const char *path, const char *value)
{
    (void)self;
    (void)key;
    printf("  %-34s %s\n", path, value);
}

static void add_key(void *self, const struct config_key *key, const char *path, const char *value)
{
    (void)key;
    json_object_set_new(self, path, json_string(value));
}

static void print_text(const struct config *config, const struct rule_set *rules)
{
    printf("configuration %s\n", config->path[0] != '\0' ? config->path : "(defaults)");
    config_walk(config, print_key, NULL);
    printf("rules %u\n", rule_set_count(rules));
    for (uint32_t i = 0; i < rule_set_count(rules); i++) {
        const struct rule *rule = rule_set_rule(rules, i);
        printf("  %-34s %s\n", rule->id, priority_name((enum priority)rule->priority));
    }
    if (rule_set_count(rules) == 0)
        printf("note: there are no rules, so no incident would be opened\n");
    if (config->sinks.count == 0)
        printf("note: no sinks are named, so nobody would be told\n");
    if (config->absent_count > 0)
        printf("note: %zu of the secrets cannot be read here, and where they cannot `tocsin run` "
               "refuses: %s\n",
               config->absent_count, config->absent);
    printf("ok\n");
}

static int print_json(const struct config *config, const struct rule_set *rules)
{
    json_t *root = json_object(), *keys = json_object(), *list = json_array();
    char *text;

    config_walk(config, add_key, keys);
    for (uint32_t i = 0; i < rule_set_count(rules); i++)
        json_array_append_new(list, json_string(rule_set_rule(rules, i)->id));
    json_object_set_new(root, "config", keys); /* stolen */
    json_object_set_new(root, "rules", list);  /* stolen */
    text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        fprintf(stderr, "tocsin check: out of memory\n");
        return EXIT_SYSTEM;
    }
    puts(text);
    free(text);
    return EXIT_OK;
}

int cmd_check(int argc, char **argv)
{
    struct check check = {0};
    struct config *config = NULL;
    struct rule_set *rules = NULL;
    struct error err = {{0}};
    int code = EXIT_CONFIG;

    if (!options_read(&table, argc, argv, &check, &code))
        return code;
    if (check.keys)
        config_print_reference(stdout);
    if (check.metrics)
        metrics_print_reference(stdout);
    if (check.keys || check.metrics)
        return EXIT_OK;
    if (config_load(check.config, CONFIG_SECRETS_MAY_BE_ABSENT, &config, &err) != 0 ||
        input_check(config, &err) != 0 || config_check_files(config, &err) != 0 ||
        packs_load_configured(config, &check.rules, &rules, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        goto out;
    }
    code = EXIT_OK;
    if (check.is_json)
        code = print_json(config, rules);
    else
        print_text(config, rules);
out:
    rule_set_destroy(rules);
    config_destroy(config);
    return code;
}
