/* list_effects.c - see list_effects.h. */
#include "daemon/list_effects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "base/text.h"
#include "daemon/plain.h"
#include "daemon/rules_preview.h"
#include "rules/rule_set.h"

/* ---- a list, and as JSON ---- */

/* JSON as it is read here has no zero byte. */
static bool has_zero(struct text text)
{
    return text.len > 0 && memchr(text.at, '\0', text.len) != NULL;
}

bool list_keep(const struct rule *rule, struct arena *arena, size_t *room, struct key_list *out)
{
    const size_t count = (size_t)rule->listed_count * rule->by_count;
    size_t bytes = count * (sizeof(struct text) + 1);
    bool is_plain = true;
    struct text *values;

    *out = (struct key_list){NULL, 0, 0};
    for (size_t i = 0; i < count; i++) {
        bytes += rule->listed[i].len;
        is_plain &= !has_zero(rule->listed[i]);
    }
    if (count == 0 || bytes > *room || !is_plain)
        return true;
    *room -= bytes;
    values = arena_alloc_many(arena, count, sizeof(*values));
    for (size_t i = 0; values != NULL && i < count; i++)
        if (!text_keep(arena, rule->listed[i], &values[i]))
            return false;
    *out = (struct key_list){values, rule->listed_count, rule->by_count};
    return values != NULL;
}

json_t *list_json(const struct key_list *list)
{
    json_t *rows = list->values != NULL ? json_array() : NULL;
    bool is_good = true;

    for (uint32_t r = 0; rows != NULL && r < list->count; r++) {
        json_t *row = json_array();
        for (uint32_t i = 0; i < list->width; i++) {
            const struct text value = list->values[(size_t)r * list->width + i];
            is_good &= json_array_append_new(row, json_stringn(value.at, value.len)) == 0;
        }
        json_array_append_new(rows, row);
    }
    if (is_good)
        return rows;
    json_decref(rows); /* a value is no UTF-8 */
    return NULL;
}

bool list_read(const json_t *from, struct arena *arena, struct key_list *out)
{
    const size_t count = json_array_size(from), width = json_array_size(json_array_get(from, 0));
    struct text *values;

    *out = (struct key_list){NULL, 0, 0};
    if (count == 0 || width == 0 || count > UINT32_MAX / width)
        return true;
    values = arena_alloc_many(arena, count * width, sizeof(*values));
    if (values == NULL)
        return false;
    for (size_t i = 0; i < count * width; i++) {
        const json_t *row = json_array_get(from, i / width);
        const json_t *value = json_array_get(row, i % width);
        if (json_array_size(row) != width || !json_is_string(value))
            return true;
        const struct text text = {json_string_value(value), (uint32_t)json_string_length(value)};
        if (!text_keep(arena, text, &values[i]))
            return false;
    }
    *out = (struct key_list){values, (uint32_t)count, (uint32_t)width};
    return true;
}

/* ---- two lists ---- */

struct list_row {
    const struct text *values;
    uint32_t width;
};

static int row_order(const void *a, const void *b)
{
    const struct list_row *x = a, *y = b;

    for (uint32_t i = 0; i < x->width; i++) {
        const struct text one = x->values[i], other = y->values[i];
        const uint32_t both = one.len < other.len ? one.len : other.len;
        const int order = both > 0 ? memcmp(one.at, other.at, both) : 0;
        if (order != 0)
            return order;
        if (one.len != other.len)
            return one.len < other.len ? -1 : 1;
    }
    return 0;
}

/* A daemon of another version may have its rows in another order. NULL: memory is short. */
static struct list_row *sort_rows(const struct key_list *list)
{
    struct list_row *rows = calloc(list->count, sizeof(*rows));

    for (uint32_t r = 0; rows != NULL && r < list->count; r++)
        rows[r] = (struct list_row){&list->values[(size_t)r * list->width], list->width};
    if (rows != NULL)
        qsort(rows, list->count, sizeof(*rows), row_order);
    return rows;
}

/* "nas", "acme/nas": the tenant of whom names none is left out. */
static void print_name(const struct list_row *row, char to[LIST_NAME_BYTES])
{
    size_t used = 0;

    for (uint32_t i = texts_equal(row->values[0], text_of("default")) ? 1 : 0; i < row->width;
         i++) {
        struct text rest = row->values[i];
        if (used > 0 && used + sizeof("...") < LIST_NAME_BYTES)
            to[used++] = '/';
        while (rest.len > 0) {
            bool is_plain;
            const uint32_t bytes = plain_character(rest, &is_plain);
            if (used + bytes + sizeof("...") > LIST_NAME_BYTES) {
                memcpy(to + used, "...", sizeof("..."));
                return;
            }
            memcpy(to + used, is_plain ? rest.at : "?", is_plain ? bytes : 1);
            used += is_plain ? bytes : 1;
            rest.at += bytes;
            rest.len -= bytes;
        }
    }
    to[used] = '\0';
}

/* Both are in order: how many of `rows` are not among `others`, and the first of these. */
static uint32_t count_missing(const struct list_row *rows, uint32_t count,
                              const struct list_row *others, uint32_t other_count,
                              char first[LIST_NAME_BYTES])
{
    uint32_t missing = 0, at = 0;

    for (uint32_t r = 0; r < count; r++) {
        while (at < other_count && row_order(&others[at], &rows[r]) < 0)
            at++;
        if (at < other_count && row_order(&others[at], &rows[r]) == 0)
            continue;
        if (missing++ == 0)
            print_name(&rows[r], first);
    }
    return missing;
}

bool list_is_of(const struct running_rule *rule)
{
    const char *text =
        rule != NULL && rule->setting != NULL ? rule->setting[SETTING_KEYS].text : NULL;

    return text != NULL && text[0] != '\0';
}

bool list_effect_find(const struct running_rule *now, const struct running_rule *next,
                      struct list_effect *out)
{
    const struct key_list *before = &now->list, *after = &next->list;
    struct list_row *was, *comes;
    bool is_good;

    *out = (struct list_effect){.is_other = false};
    if (now->setting == NULL || next->setting == NULL ||
        id128_equal(now->setting[SETTING_KEYS].digest, next->setting[SETTING_KEYS].digest))
        return true;
    out->is_other = true;
    if (before->values == NULL || after->values == NULL || before->width != after->width)
        return true;
    was = sort_rows(before);
    comes = sort_rows(after);
    is_good = was != NULL && comes != NULL;
    if (is_good) {
        out->is_known = true;
        out->before = before->count;
        out->dropped = count_missing(was, before->count, comes, after->count, out->first_dropped);
        out->added = count_missing(comes, after->count, was, before->count, out->first_added);
    }
    free(was);
    free(comes);
    return is_good;
}

/* ---- telling ---- */

#define RESOLVED "resolved at once, cause unlisted"

/* "nas", "nas and 3 more". */
static void print_first(const char *first, uint32_t count, char to[LIST_NAME_BYTES + 24])
{
    if (count > 1)
        snprintf(to, LIST_NAME_BYTES + 24, "%s and %" PRIu32 " more", first, count - 1);
    else
        snprintf(to, LIST_NAME_BYTES + 24, "%s", first);
}

static void print_resolved(const struct rules_preview *preview, const struct preview_row *row,
                           char to[160])
{
    if (!preview->is_counted)
        snprintf(to, 160, "an open incident of such a key is " RESOLVED);
    else if (row->open == 0)
        snprintf(to, 160, "no incident is open");
    else
        snprintf(to, 160, "of %" PRIu64 " open incident%s those of such keys are " RESOLVED,
                 row->open, plural(row->open));
}

static void print_known(const struct list_effect *list, const char *resolved,
                        char sentence[LIST_SENTENCE_BYTES])
{
    char name[LIST_NAME_BYTES + 24];
    size_t used = 0;

    sentence[0] = '\0';
    if (list->dropped > 0) {
        print_first(list->first_dropped, list->dropped, name);
        snprintf(sentence, LIST_SENTENCE_BYTES,
                 "%" PRIu32 " of %" PRIu32 " key%s %s not waited for any more (%s): %s",
                 list->dropped, list->before, plural(list->before),
                 list->dropped == 1 ? "is" : "are", name, resolved);
        used = strlen(sentence);
    }
    if (list->added == 0)
        return;
    print_first(list->first_added, list->added, name);
    snprintf(sentence + used, LIST_SENTENCE_BYTES - used,
             "%s%" PRIu32 " new key%s %s waited for from then on (%s), due `every` after that",
             used > 0 ? "; " : "", list->added, plural(list->added),
             list->added == 1 ? "is" : "are", name);
}

bool list_sentence(const struct rules_preview *preview, const struct preview_row *row,
                   char sentence[LIST_SENTENCE_BYTES])
{
    char resolved[160];

    if (!row->list.is_other)
        return false;
    print_resolved(preview, row, resolved);
    if (row->list.is_known)
        print_known(&row->list, resolved, sentence);
    else
        snprintf(sentence, LIST_SENTENCE_BYTES,
                 "keys that the new list does not name are not waited for any more: %s; those that "
                 "only it names are waited for from then on, due `every` after that; which they "
                 "are is not known here",
                 resolved);
    return true;
}

bool list_effect_closes(const struct rules_preview *preview, const struct preview_row *row)
{
    const bool drops = row->list.is_other && (!row->list.is_known || row->list.dropped > 0);

    return (drops || row->relists) && (!preview->is_counted || row->open > 0);
}
