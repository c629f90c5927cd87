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

bool rule_shape_read(const struct yaml_node *node, struct arena *arena, struct rule *rule)
{
    struct rule_shape found[RULE_SHAPE_MAX], *shape;
    uint32_t count = 0;

    for (size_t i = 0; rule_shape_keys[i] != NULL && count < RULE_SHAPE_MAX; i++) {
        const struct yaml_node *value = yaml_node_find(node, rule_shape_keys[i]);
        struct line line;
        if (value == NULL)
            continue;
        line.used = 0;
        flatten(&line, value);
        found[count] =
            (struct rule_shape){rule_shape_keys[i], arena_copy(arena, line.at, whole_bytes(&line))};
        if (found[count++].text == NULL)
            return false;
    }
    shape = arena_alloc_many(arena, count, sizeof(*shape));
    if (shape == NULL)
        return count == 0;
    memcpy(shape, found, count * sizeof(*shape));
    rule->shape = shape;
    rule->shape_count = count;
    return true;
}
