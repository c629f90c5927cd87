/* expect_keys.c - see expect_keys.h. */
#include "rules/expect_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/plural.h"
#include "base/text.h"
#include "rules/lookups.h"
#include "base/nearest.h"
#include "rules/text_sort.h"

enum { ROWS_AHEAD = 16 };

static const char no_tenant[] = "default";

/* All rows while they are read. */
struct listing {
    struct reading *reading;
    struct span span;    /* of the list */
    struct span *spans;  /* where each row stands */
    struct text *values; /* of all rows, one of each field of by, in the arena of the set */
    uint32_t count, room;
};

static uint32_t by_count(const struct listing *listing)
{
    return listing->reading->rule->open.by_count;
}

static const char *by_name(const struct listing *listing, uint32_t i)
{
    return listing->reading->rule->open.by_name[i];
}

/* ---- rows ---- */

/* False, diagnosed, when there are more than the rule may hold. */
static bool listing_begin(struct listing *listing, uint32_t room)
{
    struct reading *reading = listing->reading;
    uint32_t max = reading->rule->open.max_keys;

    if (room == 0 || room > max) {
        diagnose(reading_diag(reading), listing->span,
                 room == 0 ? "keys lists one key at least"
                           : "keys lists more keys than max_keys, %u",
                 (unsigned)max);
        reading_spoil(reading);
        return false;
    }
    listing->spans = arena_alloc_many(reading->build->scratch, room, sizeof(*listing->spans));
    listing->values = arena_alloc_many(reading->build->arena, (size_t)room * by_count(listing),
                                       sizeof(*listing->values));
    listing->room = room;
    if (listing->spans != NULL && listing->values != NULL)
        return true;
    reading_out_of_memory(reading);
    return false;
}

/* The values of the next row, to be filled. */
static struct text *listing_add(struct listing *listing, struct span span)
{
    struct text *value = &listing->values[(size_t)listing->count * by_count(listing)];

    listing->spans[listing->count++] = span;
    value[0] = (struct text){no_tenant, sizeof(no_tenant) - 1};
    return value;
}

/* Of its values; a digest of all is the sum of these, so that their order is none of it. */
static struct id128 row_digest(const struct text *value, uint32_t count)
{
    struct id128 digest = {0, 0};

    for (uint32_t i = 0; i < count; i++) {
        struct id128 pair[2] = {digest, hash128(value[i].at, value[i].len, i)};
        digest = hash128(pair, sizeof(pair), 0);
    }
    return digest;
}

/* Which keys are listed may change while the rule carries on. */
static void setting_keep(struct listing *listing)
{
    struct reading *reading = listing->reading;
    struct rule *rule = &reading->rule->open;
    char text[32];
    int length = snprintf(text, sizeof(text), "%u key%s", (unsigned)rule->listed_count,
                          plural(rule->listed_count));
    const char *copy = arena_copy(reading->build->arena, text, (size_t)length);

    if (copy == NULL) {
        reading_out_of_memory(reading);
        return;
    }
    reading_setting(reading, SETTING_KEYS, copy);
    rule->setting[SETTING_KEYS].digest = rule->listed_digest;
}

/* Sorts the rows into the rule. `values` stays as memory behind them. */
static bool listing_finish(struct listing *listing)
{
    struct reading *reading = listing->reading;
    struct rule *rule = &reading->rule->open;
    const size_t width = rule->by_count, bytes = width * sizeof(struct text);
    struct text *sorted = arena_alloc_many(reading->build->arena, listing->count, bytes);
    uint32_t *order = arena_alloc_many(reading->build->scratch, listing->count, sizeof(*order)),
             twice;

    if (sorted == NULL || order == NULL ||
        !text_sort_rows(listing->values, rule->by_count, listing->count, order, &twice)) {
        reading_out_of_memory(reading);
        return false;
    }
    if (twice != UINT32_MAX) {
        diagnose(reading_diag(reading), listing->spans[twice], "this key is listed twice");
        reading_spoil(reading);
        return false;
    }
    for (uint32_t r = 0; r < listing->count; r++) {
        /* In the order of the keys each row lies somewhere else. */
        if (r + ROWS_AHEAD < listing->count)
            __builtin_prefetch(&listing->values[order[r + ROWS_AHEAD] * width]);
        struct id128 digest = row_digest(&listing->values[r * width], rule->by_count);
        rule->listed_digest.lo += digest.lo;
        rule->listed_digest.hi += digest.hi;
        memcpy(&sorted[r * width], &listing->values[order[r] * width], bytes);
    }
    rule->listed = sorted;
    rule->listed_count = listing->count;
    setting_keep(listing);
    return true;
}

/* ---- a list of maps ---- */

static uint32_t by_find(const struct listing *listing, struct text name)
{
    uint32_t i = 0;

    while (i < by_count(listing) && !text_equals(name, by_name(listing, i)))
        i++;
    return i;
}

static bool map_value(struct listing *listing, const struct yaml_node *node, struct text *value)
{
    struct reading *reading = listing->reading;

    if (!reading_is_scalar(reading, node))
        return false;
    if (node->text.len == 0 || node->text.len > SHEET_CELL_BYTES_MAX) {
        diagnose(reading_diag(reading), node->span, "the value of a key has 1 to %d bytes",
                 SHEET_CELL_BYTES_MAX);
        reading_spoil(reading);
        return false;
    }
    value->at = arena_copy(reading->build->arena, node->text.at, node->text.len);
    value->len = node->text.len;
    if (value->at == NULL)
        reading_out_of_memory(reading);
    return value->at != NULL;
}

static bool take_map(struct listing *listing, const struct yaml_node *map)
{
    struct reading *reading = listing->reading;
    const struct rule *rule = &reading->rule->open;

    if (map->kind != YAML_MAP) {
        diagnose(reading_diag(reading), map->span,
                 "keys lists maps that name each field of by: {%.80s: ...}",
                 rule->by_name[rule->by_count - 1]);
        reading_spoil(reading);
        return false;
    }
    if (!rule_check_keys(map, rule->by_name, rule->by_count, "a key of this rule",
                         reading_diag(reading))) {
        reading_spoil(reading);
        return false;
    }
    struct text *value = listing_add(listing, map->span);
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next)
        if (!map_value(listing, node, &value[by_find(listing, node->key->text)]))
            return false;
    for (uint32_t i = 1; i < rule->by_count; i++)
        if (value[i].at == NULL) {
            diagnose(reading_diag(reading), map->span, "this key has no %.80s", rule->by_name[i]);
            reading_spoil(reading);
            return false;
        }
    return true;
}

static bool take_list(struct listing *listing, const struct yaml_node *list)
{
    if (!listing_begin(listing, list->count))
        return false;
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        if (!take_map(listing, node))
            return false;
    return true;
}

/* ---- a file ---- */

static bool find_columns(struct listing *listing, const struct sheet *sheet, uint32_t *column)
{
    struct reading *reading = listing->reading;

    char hint[SHEET_HINT_BYTES];

    for (uint32_t i = 0; i < by_count(listing); i++) {
        const char *name = by_name(listing, i);
        column[i] = sheet_find_column(sheet, text_of(name));
        if (column[i] == SHEET_COLUMNS_MAX && i > 0) {
            diagnose(reading_diag(reading), listing->span,
                     "the file has no column \"%.80s\", which by names%s", name,
                     sheet_columns_hint(sheet->column, sheet->column_count, text_of(name), hint));
            reading_spoil(reading);
            return false;
        }
    }
    return true;
}

static bool take_sheet(void *self, const struct sheet *sheet, const struct script *script)
{
    struct listing *listing = self;
    uint32_t column[RULE_BY_MAX];

    load_work_add(listing->reading->build->work, LOAD_SHEETS,
                  (uint64_t)sheet->row_count * LOAD_KEY_NS);
    if (!find_columns(listing, sheet, column) || !listing_begin(listing, sheet->row_count))
        return false;
    for (uint32_t r = 0; r < sheet->row_count; r++) {
        struct span span = {script, sheet->row_place[r], sheet->row_place[r]};
        struct text *value = listing_add(listing, span);
        for (uint32_t i = 0; i < by_count(listing); i++) {
            if (column[i] < SHEET_COLUMNS_MAX && sheet->cells[column[i]][r].at != NULL) {
                value[i] = sheet->cells[column[i]][r];
            } else if (i > 0) {
                diagnose(reading_diag(listing->reading), span, "this row has no \"%.80s\"",
                         by_name(listing, i));
                reading_spoil(listing->reading);
                return false;
            }
        }
    }
    /* While messages may still point into the file. */
    return listing_finish(listing);
}

static void take_file(struct listing *listing, const struct yaml_node *map)
{
    static const char *const known[] = {"file"};
    struct reading *reading = listing->reading;
    const struct yaml_node *file;

    if (!rule_check_keys(map, known, 1, "keys", reading_diag(reading)))
        reading_spoil(reading);
    file = reading_required(reading, map, "file", "keys");
    if (file == NULL || !reading_is_scalar(reading, file))
        return;
    if (file->text.len == 0) {
        diagnose(reading_diag(reading), file->span, "file takes a name");
        reading_spoil(reading);
    } else if (!lookups_read_sheet(reading->build->lookups, file, "keys", take_sheet, listing)) {
        reading_spoil(reading);
    }
}

void expect_keys_read(struct reading *reading, const struct yaml_node *keys)
{
    struct listing listing = {.reading = reading, .span = keys->span};

    if (keys->kind == YAML_MAP) {
        take_file(&listing, keys);
    } else if (keys->kind == YAML_LIST) {
        if (take_list(&listing, keys))
            listing_finish(&listing);
    } else {
        diagnose(reading_diag(reading), keys->span,
                 "keys takes a list of maps, or {file: NAME.csv}");
        reading_spoil(reading);
    }
}
