/*
 * config_read.c - walks the YAML tree beside the rows of config_keys.c.
 *
 * The path of a key is its names joined by dots, so `engine: {flap: {window: 1m}}`
 * and `engine: {flap.window: 1m}` are the same key; giving it twice is refused.
 * Everything wrong in a file is collected before anything is reported.
 */
#include "daemon/config_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/brokers.h"
#include "daemon/choice.h"
#include "daemon/units.h"
#include "base/nearest.h"

enum { PATH_BYTES_MAX = 128 };

static const char *keep(struct config_reader *reader, const char *text)
{
    const char *copy = arena_copy(reader->config->arena, text, strlen(text));

    if (copy == NULL)
        diagnose_memory(reader->diag);
    return copy != NULL ? copy : "";
}

/* A path of the file, taken from the folder that the file lies in. */
static const char *keep_path(struct config_reader *reader, const char *path)
{
    char joined[4096];

    if (path[0] == '/' || path[0] == '\0' || reader->folder[0] == '\0')
        return keep(reader, path);
    snprintf(joined, sizeof(joined), "%s/%s", reader->folder, path);
    return keep(reader, joined);
}

/* ---- single values ---- */

static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    int64_t port;

    return strcmp(text, "off") == 0 ||
           (colon != NULL && colon != text && strpbrk(text, " \t/,") == NULL &&
            unit_parse_count(colon + 1, &port, NULL) == 0 && port <= 65535);
}

static int parse_number(const struct config_key *key, const char *text, int64_t *to,
                        struct error *err)
{
    int rc = key->kind == CONFIG_DURATION ? unit_parse_duration(text, to, err)
             : key->kind == CONFIG_SIZE   ? unit_parse_size(text, to, err)
                                          : unit_parse_count(text, to, err);
    char low[UNIT_TEXT_BYTES], high[UNIT_TEXT_BYTES];

    if (rc != 0 || (*to >= key->min && (key->max == 0 || *to <= key->max)))
        return rc;
    if (key->kind == CONFIG_DURATION) {
        unit_format_duration(key->min, low);
        unit_format_duration(key->max, high);
    } else if (key->kind == CONFIG_SIZE) {
        unit_format_size(key->min, low);
        unit_format_size(key->max, high);
    } else {
        snprintf(low, sizeof(low), "%" PRId64, key->min);
        snprintf(high, sizeof(high), "%" PRId64, key->max);
    }
    if (key->max == 0)
        error_set(err, "%s is too small, it must be at least %s", text, low);
    else
        error_set(err, "%s is out of range, it must be from %s to %s", text, low, high);
    return -EINVAL;
}

static bool key_is_path(const struct config_key *key)
{
    const char *name = strrchr(key->path, '.');

    return name != NULL && (strcmp(name, ".path") == 0 || strcmp(name, ".dir") == 0);
}

/* Sets one field from text. 0, or -EINVAL with a sentence. */
static int set_text(struct config_reader *reader, const struct config_key *key, const char *text,
                    void *base, struct error *err)
{
    char *at = (char *)base + key->offset, hint[NEAREST_HINT_BYTES];
    int64_t time_ms;

    switch (key->kind) {
    case CONFIG_FLAG:
        *(bool *)at = strcmp(text, "true") == 0;
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
            return 0;
        error_set(err, "'%.80s' is neither true nor false", text);
        return -EINVAL;
    case CONFIG_COUNT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return parse_number(key, text, (int64_t *)at, err);
    case CONFIG_CHOICE:
        *(int64_t *)at = choice_index(key->choices, text);
        if (*(int64_t *)at >= 0)
            return 0;
        error_set(err, "'%.80s' is not one of: %s%s", text, key->choices,
                  choice_hint(key->choices, text, hint));
        return -EINVAL;
    case CONFIG_START:
        if (strcmp(text, "earliest") != 0 && strcmp(text, "latest") != 0 &&
            unit_parse_time(text, &time_ms, NULL) != 0) {
            error_set(err,
                      "'%.80s' is neither earliest, latest nor a time like 2026-02-01T10:00:00Z",
                      text);
            return -EINVAL;
        }
        break;
    case CONFIG_ADDRESS:
        if (!is_address(text)) {
            error_set(err, "'%.80s' is not an address: write it like 127.0.0.1:9099, or off", text);
            return -EINVAL;
        }
        break;
    default:
        break;
    }
    *(const char **)at = key_is_path(key) ? keep_path(reader, text) : keep(reader, text);
    return 0;
}

/* ---- free maps and their secrets ---- */

/* Checks that a secret can be had and completes its path. What reads it, and keeps it
 * out of all sentences, is the sink or the Kafka client. */
static int check_secret(struct config_reader *reader, const char *written, const char **value,
                        struct error *err)
{
    char *text = NULL, whole[4096];
    const char *path;
    size_t bytes;
    int rc;

    *value = written;
    if (strncmp(written, "env:", 4) == 0) {
        const char *text_of = getenv(written + 4);
        if (text_of != NULL && *text_of != '\0')
            return 0;
        error_set(err, "the environment variable %.80s is %s", written + 4,
                  text_of == NULL ? "not set" : "empty");
        return -EINVAL;
    }
    if (strncmp(written, "file:", 5) != 0)
        return 0;
    path = keep_path(reader, written + 5);
    rc = host_read_file(path, CONFIG_SECRET_BYTES_MAX, &text, &bytes);
    if (rc == 0 && (bytes == 0 || text[0] == '\n'))
        rc = -ENODATA;
    if (rc != 0) {
        error_set(err, "%s cannot be read: %s", path,
                  rc == -ENODATA ? "it is empty" : host_read_why(rc));
        rc = -EINVAL;
    }
    if (text != NULL)
        explicit_bzero(text, bytes);
    free(text);
    snprintf(whole, sizeof(whole), "file:%s", path);
    *value = keep(reader, whole);
    return rc;
}

static void note_absent(struct config_reader *reader, struct config_pair *pair,
                        const struct error *why)
{
    char text[sizeof(why->text) + 128];

    pair->is_absent = true;
    if (reader->config->absent_count++ > 0)
        return;
    snprintf(text, sizeof(text), "%.80s: %s", pair->name, why->text);
    reader->config->absent = keep(reader, text);
}

static void read_pairs(struct config_reader *reader, const struct yaml_node *map,
                       struct config_pairs *pairs)
{
    pairs->item = arena_alloc_many(reader->config->arena, map->count, sizeof(*pairs->item));
    if (pairs->item == NULL) {
        diagnose_memory(reader->diag);
        return;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct error err = {{0}};
        if (node->kind != YAML_SCALAR) {
            diagnose(reader->diag, node->span, "%.80s: expected text, not %s", node->key->text.at,
                     yaml_kind_name(node->kind));
            continue;
        }
        struct config_pair *pair = &pairs->item[pairs->count++];
        pair->name_place = node->key->span;
        pair->value_place = node->span;
        pair->name = keep(reader, node->key->text.at);
        pair->written = keep(reader, node->text.at);
        if (check_secret(reader, pair->written, &pair->value, &err) == 0)
            continue;
        if (reader->secrets == CONFIG_SECRETS_NEEDED)
            diagnose(reader->diag, node->span, "%.80s: %s", pair->name, err.text);
        else
            note_absent(reader, pair, &err);
    }
}

/* ---- lists ---- */

/* A text with its quotes: what is wrong with the value as a whole is shown from its first sign. */
static struct span whole_value(const struct yaml_node *node)
{
    const struct script *script = node->span.script;
    struct span span = node->span;

    if (node->kind == YAML_SCALAR && span.from > 0 && span.to < script->bytes &&
        (script->text[span.to] == '"' || script->text[span.to] == '\'') &&
        script->text[span.from - 1] == script->text[span.to]) {
        span.from--;
        span.to++;
    }
    return span;
}

static bool require_kind(struct config_reader *reader, const struct yaml_node *node,
                         enum yaml_kind kind, const char *path)
{
    if (node->kind == kind)
        return true;
    diagnose(reader->diag, whole_value(node), "%s: expected %s, not %s", path, yaml_kind_name(kind),
             yaml_kind_name(node->kind));
    return false;
}

/* Every required row of an item must have been given. */
static void require_keys(struct config_reader *reader, const struct yaml_node *map,
                         const char *prefix)
{
    size_t count, length = strlen(prefix);
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++)
        if (keys[i].fallback == NULL && strncmp(keys[i].path, prefix, length) == 0 &&
            yaml_node_find(map, keys[i].path + length) == NULL)
            diagnose(reader->diag, map->span, "'%s' is missing here", keys[i].path + length);
}

/* Room for `count` items of `bytes`, zeroed; NULL after a diagnosis. */
static void *list_alloc(struct config_reader *reader, const struct yaml_node *list,
                        const char *path, size_t bytes)
{
    void *items;

    if (!require_kind(reader, list, YAML_LIST, path))
        return NULL;
    if (list->count > CONFIG_ITEMS_MAX) {
        diagnose(reader->diag, list->span, "%s: at most %d entries are allowed", path,
                 CONFIG_ITEMS_MAX);
        return NULL;
    }
    /* One more, so that an empty list is not mistaken for a lack of memory. */
    items = arena_alloc_many(reader->config->arena, list->count + (size_t)1, bytes);
    if (items == NULL)
        diagnose_memory(reader->diag);
    return items;
}

static void read_topics(struct config_reader *reader, const struct yaml_node *list)
{
    struct config_topics *topics = &reader->config->input.topics;
    struct config_topic *items = list_alloc(reader, list, "input.topics", sizeof(*items));

    if (items == NULL)
        return;
    topics->item = items;
    topics->count = 0;
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct config_topic *topic = &items[topics->count];
        topic->topic = "";
        if (!require_kind(reader, node, YAML_MAP, "input.topics[]") ||
            !config_read_defaults(reader, "input.topics[].", topic))
            continue;
        config_read_map(reader, node, "input.topics[].", topic);
        require_keys(reader, node, "input.topics[].");
        for (size_t i = 0; i < topics->count; i++)
            if (strcmp(items[i].topic, topic->topic) == 0 && topic->topic[0] != '\0')
                diagnose(reader->diag, node->span, "the topic '%.80s' is listed twice",
                         topic->topic);
        topics->count++;
    }
}

static void check_sink(struct config_reader *reader, const struct yaml_node *node,
                       const struct config_sink *sink)
{
    const struct yaml_node *options = yaml_node_find(node, "options"), *place = node;
    struct sink_config config = {.name = sink->name, .type = sink->type};
    struct error err = {{0}};

    if (sink->options.count > SINK_OPTIONS_MAX) {
        diagnose(reader->diag, node->span, "a sink has at most %d options", SINK_OPTIONS_MAX);
        return;
    }
    for (size_t i = 0; i < sink->options.count; i++) {
        config.option[i].key = sink->options.item[i].name;
        config.option[i].value = sink->options.item[i].value;
    }
    config.option_count = sink->options.count;
    if (sink->name[0] == '\0' || sink->type[0] == '\0' || sink_config_check(&config, &err) == 0)
        return;
    if (!sink_type_exists(sink->type))
        place = yaml_node_find(node, "type");
    /* The sentence names the option at fault: its value is wrong, or nobody knows its name. */
    for (const struct yaml_node *option = options != NULL ? options->first : NULL; option != NULL;
         option = option->next) {
        char named[160];
        snprintf(named, sizeof(named), "option \"%.100s\"", option->key->text.at);
        if (strstr(err.text, named) != NULL)
            place = strstr(err.text, "unknown option") != NULL ? option->key : option;
    }
    diagnose(reader->diag, place->span, "%s", err.text);
}

static void read_sinks(struct config_reader *reader, const struct yaml_node *list)
{
    struct config_sinks *sinks = &reader->config->sinks;
    struct config_sink *items = list_alloc(reader, list, "sinks", sizeof(*items));

    if (items == NULL)
        return;
    sinks->item = items;
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct config_sink *sink = &items[sinks->count];
        sink->name = sink->type = "";
        if (!require_kind(reader, node, YAML_MAP, "sinks[]") ||
            !config_read_defaults(reader, "sinks[].", sink))
            continue;
        config_read_map(reader, node, "sinks[].", sink);
        require_keys(reader, node, "sinks[].");
        check_sink(reader, node, sink);
        for (size_t i = 0; i < sinks->count; i++)
            if (strcmp(items[i].name, sink->name) == 0 && sink->name[0] != '\0')
                diagnose(reader->diag, node->span, "the sink '%.80s' is listed twice", sink->name);
        sinks->count++;
    }
}

/* The settings of a run stand in its data directory a line each. */
static bool is_one_line(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static void read_quotas(struct config_reader *reader, const struct yaml_node *list)
{
    struct config_quotas *quotas = &reader->config->quotas.tenants;
    struct config_quota *items = list_alloc(reader, list, "quotas.tenants", sizeof(*items));

    if (items == NULL)
        return;
    quotas->item = items;
    quotas->count = 0;
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct config_quota *quota = &items[quotas->count];
        quota->tenant = "";
        if (!require_kind(reader, node, YAML_MAP, "quotas.tenants[]") ||
            !config_read_defaults(reader, "quotas.tenants[].", quota))
            continue;
        config_read_map(reader, node, "quotas.tenants[].", quota);
        require_keys(reader, node, "quotas.tenants[].");
        if (!is_one_line(quota->tenant))
            diagnose(reader->diag, yaml_node_find(node, "tenant")->span,
                     "the name of a tenant has no control characters");
        if (strcmp(quota->tenant, "@tocsin") == 0)
            diagnose(reader->diag, yaml_node_find(node, "tenant")->span,
                     "what tocsin says of itself is not limited");
        for (size_t i = 0; i < quotas->count; i++)
            if (strcmp(items[i].tenant, quota->tenant) == 0 && quota->tenant[0] != '\0')
                diagnose(reader->diag, node->span, "the tenant '%.80s' is listed twice",
                         quota->tenant);
        quotas->count++;
    }
}

/* A word of its own is a list of one, as on a command line. */
static void *texts_alloc(struct config_reader *reader, const struct yaml_node *node,
                         const struct config_key *key, size_t bytes)
{
    void *items;

    if (node->kind != YAML_SCALAR || node->text.len == 0)
        return list_alloc(reader, node, key->path, bytes);
    items = arena_alloc(reader->config->arena, bytes);
    if (items == NULL)
        diagnose_memory(reader->diag);
    return items;
}

static void read_texts(struct config_reader *reader, const struct yaml_node *list,
                       const struct config_key *key, struct config_texts *texts)
{
    const char **items = texts_alloc(reader, list, key, sizeof(*items));
    struct span *places = items != NULL ? texts_alloc(reader, list, key, sizeof(*places)) : NULL;
    const struct yaml_node *first = list->kind == YAML_SCALAR ? list : list->first;

    if (places == NULL)
        return;
    texts->item = items;
    texts->place = places;
    texts->count = 0;
    for (const struct yaml_node *node = first; node != NULL;
         node = node == list ? NULL : node->next)
        if (require_kind(reader, node, YAML_SCALAR, key->path)) {
            /* A bare word is a shipped pack; what has a slash or an ending is a path. */
            bool is_pack = strchr(node->text.at, '/') == NULL && strchr(node->text.at, '.') == NULL;
            places[texts->count] = whole_value(node);
            items[texts->count++] =
                is_pack ? keep(reader, node->text.at) : keep_path(reader, node->text.at);
        }
}

/* ---- maps of rows ---- */

static void read_value(struct config_reader *reader, const struct config_key *key,
                       const struct yaml_node *node, void *base)
{
    struct brokers_fault fault;
    struct error err = {{0}};
    void *at = (char *)base + key->offset;

    switch (key->kind) {
    case CONFIG_TOPICS:
        read_topics(reader, node);
        return;
    case CONFIG_SINKS:
        read_sinks(reader, node);
        return;
    case CONFIG_QUOTAS:
        read_quotas(reader, node);
        return;
    case CONFIG_TEXTS:
        read_texts(reader, node, key, at);
        return;
    case CONFIG_PAIRS:
        if (require_kind(reader, node, YAML_MAP, key->path))
            read_pairs(reader, node, at);
        return;
    default:
        break;
    }
    if (!require_kind(reader, node, YAML_SCALAR, key->path))
        return;
    if (strlen(node->text.at) != node->text.len)
        diagnose(reader->diag, node->span, "%s: a zero byte is not allowed", key->path);
    else if (key->kind == CONFIG_BROKERS && !brokers_check(node->text.at, &fault))
        diagnose(reader->diag, yaml_node_span(node, (uint32_t)fault.from, (uint32_t)fault.to),
                 "%s: %s", key->path, fault.why.text);
    else if (key->fallback == NULL && node->text.len == 0)
        diagnose(reader->diag, whole_value(node), "%s: must not be empty", key->path);
    else if (set_text(reader, key, node->text.at, base, &err) != 0)
        diagnose(reader->diag, node->span, "%s: %s", key->path, err.text);
}

/* The names that may stand at a level: each row's next name behind `prefix`. */
static void unknown_key(struct config_reader *reader, const struct yaml_node *key,
                        const char *prefix)
{
    enum { NAMES_MAX = 64, NAME_BYTES = 64 };
    char name[NAMES_MAX][NAME_BYTES];
    const char *names[NAMES_MAX], *near;
    size_t count, length = strlen(prefix), found = 0;
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count && found < NAMES_MAX; i++) {
        const char *rest = keys[i].path + length;
        if (strncmp(keys[i].path, prefix, length) != 0)
            continue;
        snprintf(name[found], NAME_BYTES, "%.*s", (int)strcspn(rest, ".["), rest);
        names[found] = name[found];
        found++;
    }
    near = nearest_name(key->text, names, found);
    if (near != NULL)
        diagnose(reader->diag, key->span, "there is no key '%.80s' here; did you mean '%s'?",
                 key->text.at, near);
    else
        diagnose(reader->diag, key->span, "there is no key '%.80s' here", key->text.at);
}

void config_read_map(struct config_reader *reader, const struct yaml_node *map, const char *prefix,
                     void *base)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);

    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        char path[PATH_BYTES_MAX], section[PATH_BYTES_MAX + 1];
        const struct config_key *key = NULL;
        bool is_section = false;
        snprintf(path, sizeof(path), "%s%.60s", prefix, node->key->text.at);
        snprintf(section, sizeof(section), "%s.", path);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(keys[i].path, path) == 0)
                key = &keys[i];
            else if (strncmp(keys[i].path, section, strlen(section)) == 0)
                is_section = true;
        }
        if (key != NULL && base == reader->config) {
            if (reader->place[key - keys] != NULL)
                diagnose(reader->diag, node->key->span, "%s is given twice", path);
            reader->place[key - keys] = node;
        }
        if (key != NULL)
            read_value(reader, key, node, base);
        else if (!is_section)
            unknown_key(reader, node->key, prefix);
        else if (require_kind(reader, node, YAML_MAP, path))
            config_read_map(reader, node, section, base);
    }
}

static bool read_default(struct config_reader *reader, const struct config_key *key, void *base)
{
    struct error err = {{0}};
    void *at = (char *)base + key->offset;

    switch (key->kind) {
    case CONFIG_TOPICS: {
        struct config_topics *topics = at;
        topics->item = arena_alloc(reader->config->arena, sizeof(*topics->item));
        if (topics->item == NULL || !config_read_defaults(reader, "input.topics[].", topics->item))
            return false;
        topics->item->topic = key->fallback;
        topics->count = 1;
        return true;
    }
    case CONFIG_TEXTS: {
        struct config_texts *texts = at; /* one word is enough for a default */
        texts->item = arena_alloc(reader->config->arena, sizeof(*texts->item));
        if (texts->item == NULL)
            return false;
        texts->item[0] = key->fallback;
        texts->count = 1;
        return true;
    }
    case CONFIG_PAIRS:
    case CONFIG_SINKS:
    case CONFIG_QUOTAS:
        return true; /* empty, as the memory is */
    default:
        /* Defaults are ours; a test walks all rows. */
        return key->fallback == NULL || set_text(reader, key, key->fallback, base, &err) == 0;
    }
}

bool config_read_defaults(struct config_reader *reader, const char *prefix, void *base)
{
    size_t count, length = strlen(prefix);
    const struct config_key *keys = config_keys(&count);

    for (size_t i = 0; i < count; i++) {
        /* Rows of items are read with their items. */
        if (strncmp(keys[i].path, prefix, length) != 0 ||
            strstr(keys[i].path + length, "[].") != NULL)
            continue;
        if (!read_default(reader, &keys[i], base)) {
            diagnose_memory(reader->diag);
            return false;
        }
    }
    return true;
}
