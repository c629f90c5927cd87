/* check_start.c - see check_start.h. */
#include "daemon/check_start.h"

#include <stdlib.h>
#include <string.h>
#include "daemon/command.h"
#include "daemon/data_room.h"
#include "daemon/past_check.h"
#include "daemon/past_rules.h"

/* That it cannot be told is no reason to refuse. Returns an exit code. */
static int look_at_rules(const char *path, struct id128 before, const struct rule_set *rules,
                         const struct rules_read *read, FILE *to, struct rules_preview *preview,
                         struct error *err)
{
    const struct id128 none = {0, 0};
    struct error why = {""};
    bool is_refused;

    if (id128_equal(before, none))
        return EXIT_OK;
    if (past_rules_preview(path, before, rules, read, preview, &is_refused, &why) == 0) {
        if (rules_preview_is_changed(preview) && to != NULL)
            rules_preview_print(preview, "note: a start", to);
        return EXIT_OK;
    }
    if (!is_refused) {
        fprintf(stderr, "note: what a start would do to the rules is not known: %s\n", why.text);
        return EXIT_OK;
    }
    *err = why;
    error_prefix(err, "with the silences made by hand the rules cannot be loaded: ");
    return EXIT_DATA;
}

static void print_changes(const char *changes)
{
    for (const char *line = changes; line != NULL && *line != '\0';) {
        size_t bytes = strcspn(line, "\n");
        fprintf(stderr, "note: a start switches behind what was told: %.*s\n", (int)bytes, line);
        line += bytes + (line[bytes] == '\n');
    }
}

/* Nothing is counted of a daemon that does not run. */
static void print_taken(const struct engine_terms *before, const struct engine_terms *now)
{
    const struct rules_preview nothing = {.alerts = -1, .flapping = -1};
    struct terms_change changes[TERMS_KEYS];
    const size_t count = terms_changes(before, now, changes);
    char sentence[BOUND_SENTENCE_BYTES];

    for (size_t i = 0; i < count; i++)
        if (bound_sentence_of_terms(&nothing, &changes[i], sentence))
            fprintf(stderr, "note: by %s %s %s\n", changes[i].key, changes[i].to, sentence);
}

int check_start(struct config *config, const struct rule_set *rules, const struct rules_read *read,
                FILE *to, struct rules_preview *preview, struct error *err)
{
    struct engine_config engine;
    struct engine_terms terms, now;
    struct id128 before;
    char *changes = NULL;
    int code;

    *preview = (struct rules_preview){.rows = NULL};
    if (config->data.dir[0] == '\0')
        return EXIT_OK;
    engine_config_init(&engine);
    if (config_fill_engine(config, &engine) != 0) {
        error_set(err, "out of memory for the engine's configuration");
        return EXIT_SYSTEM;
    }
    code = past_check_dir(config->data.dir, config->shared.address[0] != '\0',
                          rules != NULL ? rule_set_hash(rules) : (struct id128){0, 0}, &engine,
                          &changes, &before, &terms, err);
    if (code == EXIT_OK)
        code = data_room_check(config, err);
    if (code != EXIT_OK) {
        error_prefix(err, "data.dir: ");
    } else {
        now = engine_terms_of(&engine);
        print_changes(changes);
        print_taken(&terms, &now);
    }
    free(changes);
    if (code == EXIT_OK && rules != NULL)
        code = look_at_rules(config->data.dir, before, rules, read, to, preview, err);
    return code;
}
