/* rule_test_template.c - see rule_test_template.h. */
#include "daemon/rule_test_template.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "rules/fields.h"
#include "base/nearest.h"

/* The next piece of a text: plain bytes, or what stands between braces. */
struct piece {
    uint32_t from, to; /* without the braces */
    bool is_name;
};

/* False at the end. A brace that is never closed is a name without an end: to = text.len + 1. */
static bool next_piece(struct text text, uint32_t *at, struct piece *out)
{
    uint32_t from = *at;

    if (from >= text.len)
        return false;
    if (text.at[from] == '{' && (from + 1 == text.len || text.at[from + 1] != '{')) {
        const char *end = memchr(text.at + from, '}', text.len - from);
        *out =
            (struct piece){from + 1, end != NULL ? (uint32_t)(end - text.at) : text.len + 1, true};
        *at = out->to + 1;
        return true;
    }
    uint32_t to = from;
    while (to < text.len && text.at[to] != '{' && text.at[to] != '}')
        to++;
    /* {{ is one {, }} is one }, and a } alone is itself. */
    if (to == from) {
        bool is_twin = to + 1 < text.len && text.at[to + 1] == text.at[to];
        *out = (struct piece){from, from + 1, false};
        *at = from + 1 + is_twin;
        return true;
    }
    *out = (struct piece){from, to, false};
    *at = to;
    return true;
}

static struct text piece_text(struct text text, const struct piece *piece)
{
    return (struct text){text.at + piece->from, piece->to - piece->from};
}

/* Digits that {i:N} asks for, 0 for {i}, -1 when it is no number at all. */
static int number_width(struct text name)
{
    if (name.len == 1 && name.at[0] == 'i')
        return 0;
    if (name.len == 3 && name.at[0] == 'i' && name.at[1] == ':' && name.at[2] >= '1' &&
        name.at[2] <= '9')
        return name.at[2] - '0';
    return -1;
}

static const struct yaml_node *find_each(const struct rule_test_event *event, struct text name,
                                         uint32_t *index)
{
    for (uint32_t e = 0; e < event->each_count; e++) {
        struct text key = event->each[e]->key->text;
        if (key.len == name.len && memcmp(key.at, name.at, name.len) == 0) {
            *index = e;
            return event->each[e];
        }
    }
    return NULL;
}

static bool name_check(struct text name, const struct rule_test_event *event,
                       struct template_fault *fault)
{
    const char *names[RULE_TEST_EACH_MAX + 1] = {"i"}, *near;
    uint32_t index;

    if (event == NULL || number_width(name) >= 0 || find_each(event, name, &index) != NULL)
        return true;
    for (uint32_t e = 0; e < event->each_count; e++)
        names[e + 1] = event->each[e]->key->text.at;
    near = nearest_name(name, names, event->each_count + 1);
    if (near != NULL)
        snprintf(fault->why, sizeof(fault->why), "{%.*s} names nothing; did you mean {%.60s}?",
                 (int)(name.len < 60 ? name.len : 60), name.at, near);
    else
        snprintf(fault->why, sizeof(fault->why),
                 "{%.*s} names nothing: there are {i}, {i:3} and the names of `each`; a brace is "
                 "written {{",
                 (int)(name.len < 60 ? name.len : 60), name.at);
    return false;
}

bool template_check(struct text text, const struct rule_test_event *event,
                    struct template_fault *fault)
{
    struct piece piece;
    uint32_t at = 0;

    while (next_piece(text, &at, &piece)) {
        if (!piece.is_name)
            continue;
        fault->from = piece.from - 1;
        fault->to = piece.to < text.len ? piece.to + 1 : text.len;
        if (piece.to > text.len) {
            snprintf(fault->why, sizeof(fault->why), "this { is not closed; a brace is written {{");
            return false;
        }
        if (!name_check(piece_text(text, &piece), event, fault))
            return false;
    }
    return true;
}

/* The value that list `e` of `each` has in a combination: the last list turns fastest. */
static struct text each_value(const struct rule_test_event *event, uint32_t e, uint32_t combination)
{
    const struct yaml_node *item;

    for (uint32_t later = event->each_count; later-- > e + 1;)
        combination /= event->each[later]->count;
    combination %= event->each[e]->count;
    item = event->each[e]->first;
    while (combination-- > 0)
        item = item->next;
    return item->text;
}

void template_expand(struct text text, const struct rule_test_event *event, uint32_t i,
                     uint32_t combination, void (*put)(void *self, const char *at, size_t bytes),
                     void *self)
{
    struct piece piece;
    char number[16];
    uint32_t at = 0, e;

    if (memchr(text.at, '{', text.len) == NULL && memchr(text.at, '}', text.len) == NULL) {
        put(self, text.at, text.len);
        return;
    }
    while (next_piece(text, &at, &piece)) {
        struct text name;
        if (piece.to > text.len)
            piece.to = text.len;
        name = piece_text(text, &piece);
        if (piece.is_name && number_width(name) >= 0) {
            int bytes = snprintf(number, sizeof(number), "%0*" PRIu32, number_width(name), i + 1);
            put(self, number, (size_t)bytes);
        } else if (piece.is_name && find_each(event, name, &e) != NULL) {
            struct text value = each_value(event, e, combination);
            put(self, value.at, value.len);
        } else {
            put(self, text.at + piece.from - piece.is_name, name.len + 2u * piece.is_name);
        }
    }
}
