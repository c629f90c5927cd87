/* rule_shape.c - see rule_shape.h. */
#include "rules/rule_shape.h"

#include <stdio.h>
#include <string.h>

const char *const rule_shape_keys[] = {"on",         "of",     "where",    "by",  "window", "look",
                                       "for",        "when",   "sequence", "all", "within", "skip",
                                       "contiguity", "expect", "baseline", NULL};

struct line {
    char at[RULE_SHAPE_TEXT_BYTES];
    size_t used;
};

/* On one line, whatever it stands on in the file. */
static void put(struct line *line, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes && line->used < sizeof(line->at); i++) {
        bool is_blank = (unsigned char)text[i] <= ' ';
        if (is_blank && (line->used == 0 || line->at[line->used - 1] == ' '))
            continue;
        line->at[line->used++] = is_blank ? ' ' : text[i];
    }
}

static void put_word(struct line *line, const char *word)
{
    put(line, word, strlen(word));
}

/* "5m", "[tenant, host]", "{tumbling: 5m}". YAML is at most 16 levels deep. */
static void flatten(struct line *line, const struct yaml_node *node)
{
    if (node->kind == YAML_SCALAR) {
        put(line, node->text.at, node->text.len);
        return;
    }
    put_word(line, node->kind == YAML_MAP ? "{" : "[");
    for (const struct yaml_node *child = node->first; child != NULL; child = child->next) {
        if (child != node->first)
            put_word(line, ", ");
        if (child->key != NULL) {
            put(line, child->key->text.at, child->key->text.len);
            put_word(line, ": ");
        }
        flatten(line, child);
    }
    put_word(line, node->kind == YAML_MAP ? "}" : "]");
}

/* A character that was cut in its middle goes. */
static size_t whole_bytes(const struct line *line)
{
    size_t bytes = line->used;

    if (bytes == sizeof(line->at)) {
        while (bytes > 0 && ((unsigned char)line->at[bytes - 1] & 0xc0) == 0x80)
            bytes--;
        bytes -= bytes > 0 && ((unsigned char)line->at[bytes - 1] & 0x80) != 0;
    }
    while (bytes > 0 && line->at[bytes - 1] == ' ')
        bytes--;
    return bytes;
}

static bool keep_all(const struct rule_shape *found, uint32_t count, struct arena *arena,
                     struct rule_shape **out)
{
    struct rule_shape *shape = arena_alloc_many(arena, count, sizeof(*shape));

    if (shape == NULL)
        return count == 0;
    memcpy(shape, found, count * sizeof(*shape));
    *out = shape;
    return true;
}

bool rule_shape_read(const struct yaml_node *node, struct arena *arena, struct rule *rule)
{
    struct rule_shape found[RULE_SHAPE_MAX], *kept = NULL;
    uint32_t count = 0;

    for (size_t i = 0; rule_shape_keys[i] != NULL && count < RULE_SHAPE_MAX; i++) {
        const struct yaml_node *value = yaml_node_find(node, rule_shape_keys[i]);
        struct line line;
        if (value == NULL)
            continue;
        line.used = 0;
        flatten(&line, value);
        found[count] = (struct rule_shape){
            rule_shape_keys[i], arena_copy(arena, line.at, whole_bytes(&line)), {0, 0}};
        if (found[count++].text == NULL)
            return false;
    }
    if (!keep_all(found, count, arena, &kept))
        return false;
    rule->shape = kept;
    rule->shape_count = count;
    return true;
}

static bool is_for_readers(const char *key)
{
    static const char *const keys[] = {"id", "by", "comment", "description"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

bool rule_shape_read_all(const struct yaml_node *node, struct arena *arena, struct rule_shape **out,
                         uint32_t *count)
{
    struct rule_shape found[RULE_SHAPE_MAX];

    *count = 0;
    for (const struct yaml_node *value = node->first; value != NULL && *count < RULE_SHAPE_MAX;
         value = value->next) {
        struct line line = {.used = 0};
        if (value->key == NULL || is_for_readers(value->key->text.at))
            continue;
        flatten(&line, value);
        found[*count] =
            (struct rule_shape){arena_copy(arena, value->key->text.at, value->key->text.len),
                                arena_copy(arena, line.at, whole_bytes(&line)),
                                {0, 0}};
        if (found[*count].key == NULL || found[(*count)++].text == NULL)
            return false;
    }
    return keep_all(found, *count, arena, out);
}
