/* import_map.c - see import_map.h. */
#include "daemon/import_map.h"

#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/slab.h"
#include "rules/fields.h"
#include "base/nearest.h"
#include "rules/rule_reader.h"
#include "rules/rule_set.h"
#include "rules/yaml_reader.h"

enum { MAP_ARENA_BYTES_MAX = 256 << 20, PREFIX_BYTES_MAX = 20, RECEIVERS_LOOKED_AT = 500 };

struct name_row {
    struct text name;
    struct import_target target;
    bool is_ignored;
    struct name_row *next;
};

struct source_row {
    struct text part[3]; /* category, product, service */
    const char *where;
    struct source_row *next;
};

struct placeholder_row {
    struct text name;
    struct text *value;
    uint32_t count;
    struct placeholder_row *next;
};

struct receiver_row {
    struct text name;
    struct import_receiver receiver;
    struct receiver_row *next;
};

struct import_map {
    struct import_pool pool;
    bool is_exact;
    const char *prefix, *by;
    struct import_target keywords;
    struct name_row *fields, *labels, *logsource;
    struct source_row *sources;
    struct placeholder_row *placeholders;
    struct receiver_row *receivers;
};

struct map_reading {
    struct import_map *map;
    struct diagnostics *diag;
};

static bool same(struct text a, struct text b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static struct text kept(struct import_map *map, struct text text)
{
    return (struct text){import_pool_copy(&map->pool, text.at, text.len), text.len};
}

/* ---- fields of events ---- */

static bool is_word(struct text name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!is_letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.len > 0;
}

static struct import_target target_make(enum import_target_kind kind, const char *text,
                                        struct import_pool *pool)
{
    return (struct import_target){kind, text, import_pool_format(pool, "has(%s)", text)};
}

static struct import_target label_target(struct text name, struct import_pool *pool)
{
    struct import_text text = {NULL, 0, 0};

    if (is_word(name)) {
        import_text_put(&text, "labels.");
        import_text_add(&text, name.at, name.len);
    } else {
        import_text_put(&text, "labels[");
        import_text_literal(&text, name.at, name.len);
        import_text_put(&text, "]");
    }
    return target_make(TARGET_LABEL, import_text_take(&text, pool), pool);
}

/* Fields that hold text, and `value`. A label is labels.NAME or labels["NAME"]; what stands
 * between the quotes is taken as it is. */
static bool target_parse(struct text text, struct import_pool *pool, struct import_target *target)
{
    enum rule_field field = field_find(text);
    struct text name;

    if (field != RULE_FIELD_COUNT) {
        if (field_row(field)->type != TYPE_TEXT && field != RULE_FIELD_VALUE)
            return false;
        *target = target_make(field == RULE_FIELD_VALUE ? TARGET_VALUE : TARGET_TEXT,
                              field_row(field)->name, pool);
        return field != RULE_FIELD_STATE;
    }
    if (text.len > 7 && memcmp(text.at, "labels.", 7) == 0) {
        name = (struct text){text.at + 7, text.len - 7};
    } else if (text.len > 10 && memcmp(text.at, "labels[\"", 8) == 0 &&
               memcmp(text.at + text.len - 2, "\"]", 2) == 0) {
        name = (struct text){text.at + 8, text.len - 10};
    } else {
        return false;
    }
    *target = label_target(name, pool);
    return true;
}

/* ---- reading ---- */

static bool is_kind(struct map_reading *reading, const struct yaml_node *node, enum yaml_kind kind)
{
    if (node->kind == kind)
        return true;
    diagnose(reading->diag, node->span, "%s is wanted here, not %s", yaml_kind_name(kind),
             yaml_kind_name(node->kind));
    return false;
}

/* A field that is none, with the nearest; a slip in the word labels is told with what follows. */
static void refuse_field(struct diagnostics *diag, const struct yaml_node *node)
{
    static const char *const labels[] = {"labels"};
    const char *names[FIELD_NAMES_MAX], *nearest = NULL;
    uint32_t head = (uint32_t)strcspn(node->text.at, ".[");

    if (diagnostics_wants_hint(diag) && head < node->text.len &&
        nearest_name((struct text){node->text.at, head}, labels, 1) != NULL)
        diagnose(diag, node->span, "there is no field \"%.80s\"; did you mean \"labels%.80s\"?",
                 node->text.at, node->text.at + head);
    else if (diagnostics_wants_hint(diag) && field_find(node->text) == RULE_FIELD_COUNT &&
             (nearest = nearest_name(node->text, names, field_names(names, false))) != NULL)
        diagnose(diag, node->span, "there is no field \"%.80s\"; did you mean \"%s\"?",
                 node->text.at, nearest);
    else
        diagnose(diag, node->span,
                 "%s \"%.80s\": a field that holds text (source, resource, check, host, message, "
                 "labels.NAME ...) or value is wanted here",
                 field_find(node->text) == RULE_FIELD_COUNT ? "there is no field" : "not",
                 node->text.at);
}

static bool read_target(struct map_reading *reading, const struct yaml_node *node,
                        struct import_target *target)
{
    if (!is_kind(reading, node, YAML_SCALAR))
        return false;
    if (target_parse(node->text, &reading->map->pool, target))
        return true;
    refuse_field(reading->diag, node);
    return false;
}

static void read_names(struct map_reading *reading, const struct yaml_node *map, bool may_ignore,
                       struct name_row **rows)
{
    if (map == NULL || !is_kind(reading, map, YAML_MAP))
        return;
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct name_row *row = import_pool_alloc(&reading->map->pool, sizeof(*row));
        row->name = kept(reading->map, node->key->text);
        row->is_ignored =
            may_ignore && node->kind == YAML_SCALAR && text_equals(node->text, "ignore");
        if (!row->is_ignored && !read_target(reading, node, &row->target))
            continue;
        row->next = *rows;
        *rows = row;
    }
}

static void read_logsource(struct map_reading *reading, const struct yaml_node *map)
{
    static const char *const keys[] = {"category", "product", "service"};

    if (map == NULL || map->kind != YAML_MAP ||
        rule_check_keys(map, keys, sizeof(keys) / sizeof(keys[0]), "a logsource", reading->diag))
        read_names(reading, map, true, &reading->map->logsource);
}

static const char *read_word(struct map_reading *reading, const struct yaml_node *map,
                             const char *key)
{
    const struct yaml_node *node = yaml_node_find(map, key);

    if (node == NULL || !is_kind(reading, node, YAML_SCALAR))
        return NULL;
    return kept(reading->map, node->text).at;
}

/* What is written here comes to stand in a rule under `key`; else its place would be that of each
 * foreign rule which it spoils. */
static void check_in_rule(struct map_reading *reading, const struct yaml_node *node,
                          const char *key, const char *word)
{
    const bool is_by = strcmp(key, "by") == 0, is_where = strcmp(key, "where") == 0;
    struct import_text text = {NULL, 0, 0};
    struct error err = {""};

    if (word == NULL)
        return;
    import_text_put(&text, "rules:\n  - id: r\n    window: 1m\n    when: count() >= 1\n"
                           "    close: quiet(1m)\n    by: ");
    import_text_put(&text, is_by ? word : "[tenant]");
    import_text_put(&text, "\n    where: ");
    import_text_quoted(&text, is_where ? word : "true", strlen(is_where ? word : "true"));
    import_text_put(&text, "\n    incident:\n      title: t\n");
    if (!is_by && !is_where) {
        import_text_format(&text, "      %s: ", key);
        import_text_quoted(&text, word, strlen(word));
        import_text_put(&text, "\n");
    }
    if (rule_set_check("map", text.at, text.bytes, NULL, &err) != 0) {
        struct text sentence = import_text_sentence(err.text);
        diagnose(reading->diag, node->span, "%.*s", (int)sentence.len, sentence.at);
    }
    import_text_release(&text);
}

static const char *read_rule_word(struct map_reading *reading, const struct yaml_node *map,
                                  const char *key)
{
    const char *word = read_word(reading, map, key);

    check_in_rule(reading, yaml_node_find(map, key), key, word);
    return word;
}

static void read_sources(struct map_reading *reading, const struct yaml_node *list)
{
    static const char *const keys[] = {"category", "product", "service", "where"};
    struct source_row **end = &reading->map->sources; /* the first that fits counts */

    if (list == NULL || !is_kind(reading, list, YAML_LIST))
        return;
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct source_row *row = import_pool_alloc(&reading->map->pool, sizeof(*row));
        if (!is_kind(reading, node, YAML_MAP) ||
            !rule_check_keys(node, keys, 4, "a source", reading->diag))
            continue;
        for (int i = 0; i < 3; i++) {
            const char *word = read_word(reading, node, keys[i]);
            row->part[i] =
                (struct text){word != NULL ? word : "", word != NULL ? (uint32_t)strlen(word) : 0};
        }
        row->where = read_rule_word(reading, node, "where");
        if (row->where == NULL || row->where[0] == '\0') {
            diagnose(reading->diag, node->span, "a source needs the key \"where\"");
            continue;
        }
        *end = row;
        end = &row->next;
    }
}

static void read_by(struct map_reading *reading, const struct yaml_node *list)
{
    struct import_text text = {NULL, 0, 0};

    if (list == NULL || !is_kind(reading, list, YAML_LIST))
        return;
    import_text_put(&text, "[");
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct import_target target;
        if (!read_target(reading, node, &target))
            continue;
        import_text_put(&text, node != list->first ? ", " : "");
        if (strchr(target.text, '"') != NULL)
            import_text_quoted(&text, target.text, strlen(target.text));
        else
            import_text_put(&text, target.text);
    }
    import_text_put(&text, "]");
    reading->map->by = import_text_take(&text, &reading->map->pool);
    if (diagnostics_clean(reading->diag))
        check_in_rule(reading, list, "by", reading->map->by);
}

static void read_placeholders(struct map_reading *reading, const struct yaml_node *map)
{
    struct import_pool *pool = &reading->map->pool;

    if (map == NULL || !is_kind(reading, map, YAML_MAP))
        return;
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct placeholder_row *row = import_pool_alloc(pool, sizeof(*row));
        if (!is_kind(reading, node, YAML_LIST))
            continue;
        row->name = kept(reading->map, node->key->text);
        row->value = import_pool_alloc(pool, (node->count + 1) * sizeof(row->value[0]));
        for (const struct yaml_node *item = node->first; item != NULL; item = item->next)
            if (is_kind(reading, item, YAML_SCALAR))
                row->value[row->count++] = kept(reading->map, item->text);
        row->next = reading->map->placeholders;
        reading->map->placeholders = row;
    }
}

static void read_receivers(struct map_reading *reading, const struct yaml_node *map)
{
    static const char *const keys[] = {"team", "tier", "priority"};

    if (map == NULL || !is_kind(reading, map, YAML_MAP))
        return;
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct receiver_row *row = import_pool_alloc(&reading->map->pool, sizeof(*row));
        if (!is_kind(reading, node, YAML_MAP) ||
            !rule_check_keys(node, keys, 3, "a receiver", reading->diag))
            continue;
        row->name = kept(reading->map, node->key->text);
        row->receiver.team = read_rule_word(reading, node, "team");
        row->receiver.tier = read_rule_word(reading, node, "tier");
        row->receiver.priority = read_rule_word(reading, node, "priority");
        row->next = reading->map->receivers;
        reading->map->receivers = row;
    }
}

static void read_case(struct map_reading *reading, const struct yaml_node *node)
{
    static const char *const cases[] = {"exact", "ignore"};
    char hint[NEAREST_HINT_BYTES];

    if (node == NULL || !is_kind(reading, node, YAML_SCALAR))
        return;
    reading->map->is_exact = text_equals(node->text, "exact");
    if (!reading->map->is_exact && !text_equals(node->text, "ignore"))
        diagnose(reading->diag, node->span, "case is exact or ignore%s",
                 nearest_hint(node->text, cases, 2, hint));
}

static void read_prefix(struct map_reading *reading, const struct yaml_node *root)
{
    const struct yaml_node *node = yaml_node_find(root, "prefix");
    const char *prefix = read_word(reading, root, "prefix");

    if (prefix == NULL)
        return;
    if (strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789._-") != node->text.len ||
        node->text.len > PREFIX_BYTES_MAX)
        diagnose(reading->diag, node->span,
                 "a prefix is made of a-z, 0-9, \".\", \"_\" and \"-\", at most %d of them",
                 PREFIX_BYTES_MAX);
    reading->map->prefix = prefix;
}

static void read_keywords(struct map_reading *reading, const struct yaml_node *node)
{
    if (node == NULL || !read_target(reading, node, &reading->map->keywords))
        return;
    if (reading->map->keywords.kind == TARGET_VALUE)
        diagnose(reading->diag, node->span, "words are looked for in text, and value is a number");
}

static void read_root(struct map_reading *reading, const struct yaml_node *root)
{
    static const char *const keys[] = {"case", "fields", "keywords",  "logsource", "sources",
                                       "by",   "labels", "receivers", "prefix",    "placeholders"};

    if (!is_kind(reading, root, YAML_MAP))
        return;
    rule_check_keys(root, keys, sizeof(keys) / sizeof(keys[0]), "a mapping file", reading->diag);
    read_case(reading, yaml_node_find(root, "case"));
    read_names(reading, yaml_node_find(root, "fields"), false, &reading->map->fields);
    read_names(reading, yaml_node_find(root, "labels"), false, &reading->map->labels);
    read_logsource(reading, yaml_node_find(root, "logsource"));
    read_keywords(reading, yaml_node_find(root, "keywords"));
    read_sources(reading, yaml_node_find(root, "sources"));
    read_by(reading, yaml_node_find(root, "by"));
    read_placeholders(reading, yaml_node_find(root, "placeholders"));
    read_receivers(reading, yaml_node_find(root, "receivers"));
    read_prefix(reading, root);
}

struct import_map *import_map_create(void)
{
    struct import_map *map = memory_alloc(sizeof(*map));

    *map = (struct import_map){.by = "[tenant, host]"};
    map->keywords = target_make(TARGET_TEXT, "message", &map->pool);
    return map;
}

struct import_map *import_map_parse(const char *name, const char *text, size_t bytes,
                                    struct error *err)
{
    struct import_map *map = import_map_create();
    struct script script = {name, text, bytes};
    struct diagnostics diag;
    struct map_reading reading = {map, &diag};
    struct arena *arena = arena_create(MAP_ARENA_BYTES_MAX);
    const struct yaml_node *root = NULL;

    diagnostics_init(&diag, err);
    if (arena != NULL)
        root = yaml_read(&script, arena, &diag);
    else
        diagnose_memory(&diag);
    if (root != NULL)
        read_root(&reading, root);
    arena_destroy(arena);
    if (diagnostics_finish(&diag) != 0) {
        import_map_destroy(map);
        return NULL;
    }
    return map;
}

void import_map_destroy(struct import_map *map)
{
    if (map == NULL)
        return;
    import_pool_release(&map->pool);
    free(map);
}

/* ---- questions ---- */

static const struct name_row *row_find(const struct name_row *row, struct text name)
{
    while (row != NULL && !same(row->name, name))
        row = row->next;
    return row;
}

struct import_target import_map_field(const struct import_map *map, struct text name,
                                      struct import_pool *pool)
{
    const struct name_row *row = row_find(map->fields, name);

    return row != NULL ? row->target : label_target(name, pool);
}

struct import_target import_map_label(const struct import_map *map, struct text name,
                                      struct import_pool *pool)
{
    const struct name_row *row = row_find(map->labels, name);

    return row != NULL ? row->target : label_target(name, pool);
}

struct import_target import_map_keywords(const struct import_map *map)
{
    return map->keywords;
}

bool import_map_logsource(const struct import_map *map, struct text key,
                          struct import_target *target, struct import_pool *pool)
{
    const struct name_row *row = row_find(map->logsource, key);

    if (row != NULL && row->is_ignored)
        return false;
    *target = row != NULL ? row->target : label_target(key, pool);
    return true;
}

const char *import_map_source(const struct import_map *map, struct text category,
                              struct text product, struct text service)
{
    for (const struct source_row *row = map->sources; row != NULL; row = row->next)
        if ((row->part[0].len == 0 || same(row->part[0], category)) &&
            (row->part[1].len == 0 || same(row->part[1], product)) &&
            (row->part[2].len == 0 || same(row->part[2], service)))
            return row->where;
    return NULL;
}

const struct text *import_map_placeholder(const struct import_map *map, struct text name,
                                          uint32_t *count)
{
    for (const struct placeholder_row *row = map->placeholders; row != NULL; row = row->next) {
        if (same(row->name, name)) {
            *count = row->count;
            return row->value;
        }
    }
    *count = 0;
    return NULL;
}

static const struct receiver_row *receiver_find(const struct import_map *map, struct text name)
{
    const struct receiver_row *row = map->receivers;

    while (row != NULL && !same(row->name, name))
        row = row->next;
    return row;
}

struct import_receiver import_map_receiver(const struct import_map *map, struct text name)
{
    const struct receiver_row *row = receiver_find(map, name);

    return row != NULL ? row->receiver : (struct import_receiver){NULL, NULL, NULL};
}

const char *import_map_receiver_near(const struct import_map *map, struct text name)
{
    const char *known[RECEIVERS_LOOKED_AT];
    size_t count = 0;

    if (receiver_find(map, name) != NULL)
        return NULL;
    for (const struct receiver_row *row = map->receivers;
         row != NULL && count < RECEIVERS_LOOKED_AT; row = row->next)
        known[count++] = row->name.at;
    return nearest_name(name, known, count);
}

const char *import_map_by(const struct import_map *map)
{
    return map->by;
}

bool import_map_is_exact(const struct import_map *map)
{
    return map->is_exact;
}

const char *import_map_prefix(const struct import_map *map)
{
    return map->prefix;
}
