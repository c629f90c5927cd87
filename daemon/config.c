/*
 * config.c - see config.h. Reading is config_read.c; here are the checks between
 * keys and everything that is made from a config that was read.
 */
#include "daemon/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/host.h"
#include "base/text.h"
#include "daemon/choice.h"
#include "daemon/config_read.h"
#include "daemon/memory_budget.h"
#include "daemon/units.h"
#include "rules/fields.h"
#include "rules/zone.h"
#include "rules/zone_names.h"
#include "sinks/sink_options.h"
#include "store/redis_link.h"
#include "store/shared_store.h"

enum { ARENA_BYTES_MAX = 64 << 20 };

static const char *kind_name(enum config_kind kind)
{
    static const char *const names[] = {
        [CONFIG_TEXT] = "text",
        [CONFIG_FLAG] = "true or false",
        [CONFIG_COUNT] = "count",
        [CONFIG_DURATION] = "duration",
        [CONFIG_SIZE] = "size",
        [CONFIG_CHOICE] = "word",
        [CONFIG_START] = "time",
        [CONFIG_ADDRESS] = "host:port",
        [CONFIG_TEXTS] = "text, or list of text",
        [CONFIG_PAIRS] = "map of text",
        [CONFIG_TOPICS] = "list",
        [CONFIG_SINKS] = "list",
        [CONFIG_QUOTAS] = "list",
        [CONFIG_BROKERS] = "host:port,...",
    };
    return names[kind];
}

/* ---- checks between keys ---- */

/* Points at the value of `path`, or at the beginning where it is a default. */
static struct span place_of(const struct config_reader *reader, const struct script *script,
                            const char *path)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(keys[i].path, path) == 0 && reader->place[i] != NULL)
            return reader->place[i]->span;
    return (struct span){script, 0, 0};
}

/* Only tocsin history needs the zone; it would be late to be told of a slip there. */
static void check_zone(struct config_reader *reader, const struct script *script)
{
    const char *name = reader->config->history.timezone;
    struct error err = {{0}};

    if (zone_load(text_of(name), reader->config->arena, &err) != NULL)
        return;
    zone_hint(text_of(name), &err);
    diagnose(reader->diag, place_of(reader, script, "history.timezone"), "history.timezone: %s",
             err.text);
}

/* A unit that another machine can go on with. */
static void check_shared(struct config_reader *reader, const struct script *script)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const struct config *config = reader->config;
    const struct config_pairs *options = &config->shared.options;
    size_t bytes = strlen(config->shared.unit);
    struct error err = {{0}};

    if (config->shared.address[0] == '\0')
        return;
    if (redis_address_check(config->shared.address, &err) != 0)
        diagnose(reader->diag, place_of(reader, script, "shared.address"), "shared.address: %s",
                 err.text);
    if (config->data.dir[0] == '\0')
        diagnose(
            reader->diag, place_of(reader, script, "shared.address"),
            "shared.address: needs data.dir: what another machine goes on with is its journal");
    if (bytes == 0 || bytes >= SHARED_UNIT_BYTES || strspn(config->shared.unit, letters) != bytes)
        diagnose(reader->diag, place_of(reader, script, "shared.unit"),
                 "shared.unit: is made of up to %d letters, digits, '.', '_' and '-'",
                 SHARED_UNIT_BYTES - 1);
    for (size_t i = 0; i < options->count; i++)
        if (strcmp(options->item[i].name, "user") != 0 &&
            strcmp(options->item[i].name, "password") != 0)
            diagnose(reader->diag, options->item[i].name_place,
                     "shared.options: there is no option \"%s\": user and password",
                     options->item[i].name);
}

/* As far as they can be read: what a run would refuse is told by a check, at its place. */
static void check_tokens(struct config_reader *reader)
{
    const struct config_pairs *pairs = &reader->config->admin.tokens;

    for (size_t i = 0; i < pairs->count; i++) {
        const struct config_pair *pair = &pairs->item[i];
        struct error err = {{0}};
        char *token = NULL;
        if (pair->is_absent)
            continue;
        if (sink_secret_read(pair->value, &token, &err) != 0)
            diagnose(reader->diag, pair->value_place, "admin.tokens: %.80s: %s", pair->name,
                     err.text);
        else if (strlen(token) < CONFIG_TOKEN_BYTES_MIN)
            diagnose(reader->diag, pair->value_place,
                     "admin.tokens: %.80s: a token has at least %d characters", pair->name,
                     CONFIG_TOKEN_BYTES_MIN);
        if (token != NULL)
            explicit_bzero(token, strlen(token));
        free(token);
    }
}

/* A moment of delay is no overload, and what ends shedding has to be out of the reach of what
 * begins it. */
static void check_shedding(struct config_reader *reader, const struct script *script)
{
    const struct config *config = reader->config;
    char a[UNIT_TEXT_BYTES], b[UNIT_TEXT_BYTES];

    if (config->shedding.behind_ms > 0 && config->shedding.behind_ms < 1000)
        diagnose(reader->diag, place_of(reader, script, "shedding.behind"),
                 "shedding.behind: %s is too small: at least 1s, or 0s to leave nothing out",
                 unit_format_duration(config->shedding.behind_ms, a));
    else if (config->shedding.until_ms > 0 && config->shedding.behind_ms == 0)
        diagnose(reader->diag, place_of(reader, script, "shedding.until"),
                 "shedding.until: without shedding.behind nothing is left out that could end");
    else if (config->shedding.until_ms > 0 &&
             config->shedding.until_ms >= config->shedding.behind_ms)
        diagnose(reader->diag, place_of(reader, script, "shedding.until"),
                 "shedding.until: %s must be less than shedding.behind, %s",
                 unit_format_duration(config->shedding.until_ms, a),
                 unit_format_duration(config->shedding.behind_ms, b));
}

static void check_together(struct config_reader *reader, const struct script *script)
{
    const struct config *config = reader->config;
    char a[UNIT_TEXT_BYTES], b[UNIT_TEXT_BYTES];

    if (config->engine.epoch_ms > 0 && config->engine.round_ms % config->engine.epoch_ms != 0)
        diagnose(reader->diag, place_of(reader, script, "engine.epoch"),
                 "engine.epoch: %s does not divide engine.round, %s",
                 unit_format_duration(config->engine.epoch_ms, a),
                 unit_format_duration(config->engine.round_ms, b));
    if (config->memory.budget > 0 && config->memory.budget < MEMORY_BUDGET_LEAST)
        diagnose(reader->diag, place_of(reader, script, "memory.budget"),
                 "memory.budget: at least 128MiB are needed, or 0 to go by what the system allows");
    if (config->engine.flap_stop >= config->engine.flap_start)
        diagnose(reader->diag, place_of(reader, script, "engine.flap.stop"),
                 "engine.flap.stop: %" PRId64 " must be less than engine.flap.start, %" PRId64,
                 config->engine.flap_stop, config->engine.flap_start);
    if (config->input.topics.count == 0)
        diagnose(reader->diag, place_of(reader, script, "input.topics"),
                 "input.topics: at least one topic is needed");
    if (config->input.brokers[0] == '\0')
        diagnose(reader->diag, place_of(reader, script, "input.brokers"),
                 "input.brokers: must not be empty");
    if (config->quarantine.path[0] != '\0' &&
        strcmp(config->quarantine.path, config->incident_log.path) == 0)
        diagnose(reader->diag, place_of(reader, script, "incident_log.path"),
                 "incident_log.path: is the file of quarantine.path already");
    if (config->data.dir[0] != '\0' && config->input.mode == INPUT_GROUP)
        diagnose(
            reader->diag, place_of(reader, script, "data.dir"),
            "data.dir: needs input.mode: assign, for another member of the group does not have "
            "the directory");
    if (config->marks.path[0] != '\0' &&
        (strcmp(config->marks.path, config->incident_log.path) == 0 ||
         strcmp(config->marks.path, config->quarantine.path) == 0))
        diagnose(reader->diag, place_of(reader, script, "marks.path"),
                 "marks.path: is the file of incident_log.path or quarantine.path already");
    check_shedding(reader, script);
    check_shared(reader, script);
    check_zone(reader, script);
    check_tokens(reader);
}

/* ---- loading ---- */

static const char *folder_of(struct arena *arena, const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash == NULL ? "" : arena_copy(arena, name, (size_t)(slash - name + (slash == name)));
}

/* A rule file, or an event, in the place of the configuration: told for what it is, and not key by
 * key. Both have "rules", but a configuration names files there. */
static bool is_other_file(const struct yaml_node *root, struct diagnostics *diag)
{
    static const char *const of_rules[] = {"sets",        "tables",  "silences",
                                           "maintenance", "inhibit", "enrich"};
    const struct yaml_node *rules = yaml_node_find(root, "rules");
    const struct yaml_node *event = yaml_node_find(root, "resource");
    const struct yaml_node *tests = yaml_node_find(root, "tests");

    if (rules != NULL &&
        (rules->kind != YAML_LIST || rules->first == NULL || rules->first->kind != YAML_MAP))
        rules = NULL;
    for (size_t i = 0; rules == NULL && i < sizeof(of_rules) / sizeof(of_rules[0]); i++)
        rules = yaml_node_find(root, of_rules[i]);
    if (tests != NULL)
        diagnose(diag, tests->key->span, "this is a file of tests: tocsin test runs it");
    else if (rules != NULL)
        diagnose(diag, rules->key->span,
                 "this is a rule file, and no configuration: --rules takes it, and the "
                 "configuration names it under rules");
    else if (event != NULL)
        diagnose(diag, event->key->span, "this is an event, and no configuration");
    return tests != NULL || rules != NULL || event != NULL;
}

static void read_document(struct config_reader *reader, const struct script *script,
                          struct arena *arena)
{
    const struct yaml_node *root;
    size_t blank = 0;

    /* A file of comments alone asks for the defaults. */
    for (bool comment = false; blank < script->bytes; blank++) {
        char c = script->text[blank];
        comment = c != '\n' && (comment || c == '#');
        if (!comment && c != '\n' && c != ' ' && c != '\t' && c != '\r')
            break;
    }
    if (blank == script->bytes)
        return;
    root = yaml_read(script, arena, reader->diag);
    if (root == NULL)
        return;
    if (root->kind != YAML_MAP)
        diagnose(reader->diag, root->span, "a configuration is a map of sections, not %s",
                 yaml_kind_name(root->kind));
    else if (!is_other_file(root, reader->diag))
        config_read_map(reader, root, "", reader->config);
    if (diagnostics_clean(reader->diag))
        check_together(reader, script);
}

int config_parse(const char *name, const char *text, size_t bytes, enum config_secrets secrets,
                 struct config **out, struct error *err)
{
    struct arena *arena = arena_create(ARENA_BYTES_MAX);
    struct diagnostics diag;
    struct config_reader reader = {.diag = &diag, .secrets = secrets};
    struct config *config;
    size_t count;
    int rc;

    diagnostics_init(&diag, err);
    config_keys(&count);
    config = arena != NULL ? arena_alloc(arena, sizeof(*config)) : NULL;
    reader.place = arena != NULL ? arena_alloc_many(arena, count, sizeof(*reader.place)) : NULL;
    reader.folder = arena != NULL ? folder_of(arena, name) : NULL;
    if (config == NULL || reader.place == NULL || reader.folder == NULL) {
        error_set(err, "out of memory while reading the configuration");
        arena_destroy(arena);
        return -ENOMEM;
    }
    config->arena = arena;
    config->absent = "";
    config->path = arena_copy(arena, name, strlen(name));
    config->script = (struct script){config->path, arena_copy(arena, text, bytes), bytes};
    reader.config = config;
    if (config->path == NULL || config->script.text == NULL)
        diagnose_memory(&diag);
    else if (config_read_defaults(&reader, "", config))
        read_document(&reader, &config->script, arena);
    config->data.place = place_of(&reader, &config->script, "data.dir");
    config->quarantine.place = place_of(&reader, &config->script, "quarantine.path");
    config->incident_log.place = place_of(&reader, &config->script, "incident_log.path");
    config->marks.place = place_of(&reader, &config->script, "marks.path");
    rc = diagnostics_finish(&diag);
    if (rc != 0) {
        arena_destroy(arena);
        return rc;
    }
    *out = config;
    return 0;
}

int config_load(const char *path, enum config_secrets secrets, struct config **out,
                struct error *err)
{
    char *text = NULL;
    size_t bytes;
    int rc;

    if (path == NULL)
        return config_parse("", "", 0, secrets, out, err);
    rc = host_read_file(path, CONFIG_BYTES_MAX, &text, &bytes);
    if (rc != 0) {
        error_set(err, "%s: the configuration cannot be read: %s", path, host_read_why(rc));
        return rc;
    }
    rc = config_parse(path, text, bytes, secrets, out, err);
    free(text);
    return rc;
}

bool config_wants_json_log(const char *path)
{
    struct arena *arena = arena_create(ARENA_BYTES_MAX);
    const struct yaml_node *node = NULL;
    struct diagnostics unheard;
    struct script script = {.name = path};
    char *text = NULL;
    bool is_json;

    diagnostics_init(&unheard, NULL);
    if (path != NULL && arena != NULL &&
        host_read_file(path, CONFIG_BYTES_MAX, &text, &script.bytes) == 0) {
        script.text = text;
        node = yaml_read(&script, arena, &unheard);
    }
    node = node != NULL && node->kind == YAML_MAP ? yaml_node_find(node, "log") : NULL;
    node = node != NULL && node->kind == YAML_MAP ? yaml_node_find(node, "format") : NULL;
    is_json = node != NULL && node->kind == YAML_SCALAR && text_equals(node->text, "json");
    free(text);
    arena_destroy(arena);
    return is_json;
}

void config_destroy(struct config *config)
{
    if (config != NULL)
        arena_destroy(config->arena);
}

/* ---- everything as text ---- */

struct walk {
    void (*each)(void *self, const struct config_key *key, const char *path, const char *value);
    void *self;
};

static const char *value_text(const struct config_key *key, const void *base, char to[64])
{
    const char *at = (const char *)base + key->offset;

    switch (key->kind) {
    case CONFIG_FLAG:
        return *(const bool *)at ? "true" : "false";
    case CONFIG_COUNT:
        snprintf(to, 64, "%" PRId64, *(const int64_t *)at);
        return to;
    case CONFIG_DURATION:
        return unit_format_duration(*(const int64_t *)at, to);
    case CONFIG_SIZE:
        return unit_format_size(*(const int64_t *)at, to);
    case CONFIG_CHOICE:
        return choice_word(key->choices, *(const int64_t *)at, to, 64);
    default:
        return *(const char *const *)at;
    }
}

/* References to secrets may be shown; of other free values only those whose name
 * does not speak of a secret. */
static const char *pair_text(const struct config_pair *pair)
{
    static const char *const secret[] = {"password",   "secret", "token", "key",
                                         "credential", "header", "url"};

    if (strncmp(pair->written, "env:", 4) == 0 || strncmp(pair->written, "file:", 5) == 0)
        return pair->written;
    for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++)
        if (strcasestr(pair->name, secret[i]) != NULL)
            return "***";
    return pair->written;
}

static void walk_item(const struct walk *walk, const char *prefix, size_t index, const void *item);

static void walk_key(const struct walk *walk, const struct config_key *key, const char *path,
                     const void *base)
{
    const void *at = (const char *)base + key->offset;
    char to[256], value[64];

    switch (key->kind) {
    case CONFIG_TOPICS: {
        const struct config_topics *topics = at;
        for (size_t i = 0; i < topics->count; i++)
            walk_item(walk, key->path, i, &topics->item[i]);
        return;
    }
    case CONFIG_SINKS: {
        const struct config_sinks *sinks = at;
        for (size_t i = 0; i < sinks->count; i++)
            walk_item(walk, key->path, i, &sinks->item[i]);
        return;
    }
    case CONFIG_QUOTAS: {
        const struct config_quotas *quotas = at;
        for (size_t i = 0; i < quotas->count; i++)
            walk_item(walk, key->path, i, &quotas->item[i]);
        return;
    }
    case CONFIG_TEXTS: {
        const struct config_texts *texts = at;
        for (size_t i = 0; i < texts->count; i++) {
            snprintf(to, sizeof(to), "%s[%zu]", path, i);
            walk->each(walk->self, key, to, texts->item[i]);
        }
        return;
    }
    case CONFIG_PAIRS: {
        const struct config_pairs *pairs = at;
        for (size_t i = 0; i < pairs->count; i++) {
            snprintf(to, sizeof(to), "%s.%s", path, pairs->item[i].name);
            walk->each(walk->self, key, to, pair_text(&pairs->item[i]));
        }
        return;
    }
    default:
        walk->each(walk->self, key, path, value_text(key, base, value));
    }
}

static void walk_item(const struct walk *walk, const char *prefix, size_t index, const void *item)
{
    size_t count, length = strlen(prefix);
    const struct config_key *keys = config_keys(&count);
    char path[256];

    for (size_t i = 0; i < count; i++)
        if (strncmp(keys[i].path, prefix, length) == 0 &&
            strncmp(keys[i].path + length, "[].", 3) == 0) {
            snprintf(path, sizeof(path), "%s[%zu].%s", prefix, index, keys[i].path + length + 3);
            walk_key(walk, &keys[i], path, item);
        }
}

void config_walk(const struct config *config,
                 void (*each)(void *self, const struct config_key *key, const char *path,
                              const char *value),
                 void *self)
{
    struct walk walk = {each, self};
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++)
        if (strstr(keys[i].path, "[].") == NULL)
            walk_key(&walk, &keys[i], keys[i].path, config);
}

/* ---- what a reload cannot follow ---- */

static bool pairs_equal(const struct config_pairs *a, const struct config_pairs *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->item[i].name, b->item[i].name) != 0 ||
            strcmp(a->item[i].value, b->item[i].value) != 0)
            return false;
    return true;
}

static bool keys_equal(const char *prefix, const void *a, const void *b);

static bool value_equal(const struct config_key *key, const void *a, const void *b)
{
    const void *at_a = (const char *)a + key->offset, *at_b = (const char *)b + key->offset;
    char text_a[64], text_b[64];

    switch (key->kind) {
    case CONFIG_TOPICS: {
        const struct config_topics *left = at_a, *right = at_b;
        bool equal = left->count == right->count;
        for (size_t i = 0; equal && i < left->count; i++)
            equal = keys_equal("input.topics[].", &left->item[i], &right->item[i]);
        return equal;
    }
    case CONFIG_SINKS: {
        const struct config_sinks *left = at_a, *right = at_b;
        bool equal = left->count == right->count;
        for (size_t i = 0; equal && i < left->count; i++)
            equal = keys_equal("sinks[].", &left->item[i], &right->item[i]);
        return equal;
    }
    case CONFIG_QUOTAS: {
        const struct config_quotas *left = at_a, *right = at_b;
        bool equal = left->count == right->count;
        for (size_t i = 0; equal && i < left->count; i++)
            equal = keys_equal("quotas.tenants[].", &left->item[i], &right->item[i]);
        return equal;
    }
    case CONFIG_TEXTS: {
        const struct config_texts *left = at_a, *right = at_b;
        bool equal = left->count == right->count;
        for (size_t i = 0; equal && i < left->count; i++)
            equal = strcmp(left->item[i], right->item[i]) == 0;
        return equal;
    }
    case CONFIG_PAIRS:
        return pairs_equal(at_a, at_b);
    default:
        return strcmp(value_text(key, a, text_a), value_text(key, b, text_b)) == 0;
    }
}

static bool keys_equal(const char *prefix, const void *a, const void *b)
{
    size_t count, length = strlen(prefix);
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++)
        if (strncmp(keys[i].path, prefix, length) == 0 && !value_equal(&keys[i], a, b))
            return false;
    return true;
}

size_t config_restart_keys(const struct config *old, const struct config *new, char *names,
                           size_t bytes)
{
    size_t count, differing = 0, used = 0;
    const struct config_key *keys = config_keys(&count);

    names[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        if (keys[i].live || strstr(keys[i].path, "[].") != NULL || value_equal(&keys[i], old, new))
            continue;
        int put =
            snprintf(names + used, bytes - used, "%s%s", differing > 0 ? "," : "", keys[i].path);
        if (put > 0 && used + (size_t)put < bytes)
            used += (size_t)put;
        differing++;
    }
    return differing;
}

/* ---- the reference ---- */

void config_print_reference(FILE *to)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    fprintf(to, "| key | kind | default | SIGHUP | meaning |\n| --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        const char *fallback = keys[i].fallback;
        fprintf(to, "| `%s` | %s | ", keys[i].path, kind_name(keys[i].kind));
        if (fallback == NULL)
            fprintf(to, "required");
        else if (fallback[0] == '\0')
            fprintf(to, "none");
        else
            fprintf(to, "`%s`", fallback);
        fprintf(to, " | %s | %s", keys[i].live ? "yes" : "no", keys[i].help);
        if (keys[i].choices != NULL)
            fprintf(to, " One of: %s.", keys[i].choices);
        fprintf(to, " |\n");
    }
}

/* ---- for the engine and the outbox ---- */

static bool config_read_topic_defaults(struct config *config, struct config_topic *topic)
{
    struct diagnostics diag;
    struct config_reader reader = {.config = config, .diag = &diag, .folder = ""};

    diagnostics_init(&diag, NULL);
    memset(topic, 0, sizeof(*topic));
    return config_read_defaults(&reader, "input.topics[].", topic);
}

struct engine_terms config_terms(const struct config *config)
{
    return (struct engine_terms){.alerts_max = (uint32_t)config->engine.alerts_max,
                                 .expire_ms = config->engine.expire_ms,
                                 .flap_window_ms = config->engine.flap_window_ms,
                                 .flap_start = (unsigned)config->engine.flap_start,
                                 .flap_stop = (unsigned)config->engine.flap_stop};
}

static uint32_t burst_of(int64_t burst, int64_t events)
{
    enum { SECONDS = 10 };

    return (uint32_t)(burst > 0 ? burst : events > 0 ? SECONDS * events : 1);
}

/* False when memory is short. */
static bool fill_quotas(struct config *config, struct quota_config *to)
{
    size_t count = config->quotas.tenants.count;
    struct quota_tenant *rows = arena_alloc_many(config->arena, count + 1, sizeof(*rows));

    if (rows == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct config_quota *from = &config->quotas.tenants.item[i];
        rows[i] = (struct quota_tenant){from->tenant, (uint32_t)from->events,
                                        burst_of(from->burst, from->events)};
    }
    *to = (struct quota_config){
        .events = (uint32_t)config->quotas.events,
        .burst = burst_of(config->quotas.burst, config->quotas.events),
        .tenants_max = (uint32_t)config->quotas.tracked_max,
        .tenants = rows,
        .tenant_count = count,
    };
    return true;
}

static void fill_shedding(const struct config *config, struct shed_config *to)
{
    *to = (struct shed_config){
        .behind_ms = config->shedding.behind_ms,
        .for_ms = config->shedding.for_ms,
        .until_ms = config->shedding.until_ms > 0 ? config->shedding.until_ms
                                                  : config->shedding.behind_ms / 2,
        .below = (enum severity)(config->shedding.below + SEVERITY_DEBUG),
    };
}

int config_fill_engine(struct config *config, struct engine_config *engine)
{
    size_t topic_count = config->input.topics.count, sink_count = config->sinks.count;
    struct topic_config *topics = arena_alloc_many(config->arena, topic_count + 1, sizeof(*topics));
    struct config_topic other;
    const char **names = arena_alloc_many(config->arena, sink_count + 1, sizeof(*names));
    uint8_t *priorities = arena_alloc_many(config->arena, sink_count + 1, sizeof(*priorities));

    if (topics == NULL || names == NULL || priorities == NULL ||
        !config_read_topic_defaults(config, &other) || !fill_quotas(config, &engine->quotas))
        return -ENOMEM;
    for (size_t i = 0; i <= topic_count; i++) {
        /* The last row is that of topics which no key names: those of a recording. */
        const struct config_topic *from = i < topic_count ? &config->input.topics.item[i] : &other;
        topics[i] = (struct topic_config){
            .topic = from->topic,
            .format = (enum event_format)from->format,
            .disorder_ms = from->disorder_ms,
            .log_append_time = from->log_append_time,
            .tenant = from->tenant,
            .tenant_fixed = from->tenant_fixed,
            .gaps_expected = from->gaps_expected,
        };
    }
    for (size_t i = 0; i < sink_count; i++) {
        names[i] = config->sinks.item[i].name;
        priorities[i] = (uint8_t)config->sinks.item[i].priority;
    }
    fill_shedding(config, &engine->shedding);
    if (config->engine.workers > 0)
        engine->workers = (unsigned)config->engine.workers;
    engine->epoch_ms = (unsigned)config->engine.epoch_ms;
    engine->round_ms = (unsigned)config->engine.round_ms;
    engine->past_ms = config->engine.past_ms;
    engine->future_ms = config->engine.future_ms;
    engine->behind_ms = config->engine.behind_ms;
    engine->slack_ms = config->engine.slack_ms;
    engine->take_max = (size_t)config->engine.take;
    engine->alerts_max = (uint32_t)config->engine.alerts_max;
    engine->expire_ms = config->engine.expire_ms;
    engine->flap_window_ms = config->engine.flap_window_ms;
    engine->flap_start = (unsigned)config->engine.flap_start;
    engine->flap_stop = (unsigned)config->engine.flap_stop;
    engine->topics = topics;
    engine->topic_count = topic_count + 1;
    engine->sink_names = names;
    engine->sink_priority_max = priorities;
    engine->sink_count = sink_count;
    return 0;
}

int config_fill_outbox(struct config *config, struct outbox_config *outbox)
{
    size_t count = config->sinks.count;
    struct sink_config *sinks = arena_alloc_many(config->arena, count + 1, sizeof(*sinks));

    if (sinks == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct config_sink *from = &config->sinks.item[i];
        sinks[i] = (struct sink_config){.name = from->name, .type = from->type};
        for (size_t o = 0; o < from->options.count && o < SINK_OPTIONS_MAX; o++) {
            sinks[i].option[o].key = from->options.item[o].name;
            sinks[i].option[o].value = from->options.item[o].value;
            sinks[i].option_count++;
        }
    }
    outbox->sinks = sinks;
    outbox->sink_count = count;
    outbox->ops_max = (size_t)config->outbox.ops_max;
    outbox->bytes_max = (size_t)config->outbox.bytes_max;
    outbox->dead_max = (size_t)config->outbox.dead_max;
    return 0;
}
