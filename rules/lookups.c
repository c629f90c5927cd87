/* lookups.c - see lookups.h. */
#include "rules/lookups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "base/text.h"
#include "base/nearest.h"
#include "rules/rule_reader.h"
#include "rules/vars.h"

/* ---- what is found at run time ---- */

const struct named_set *lookups_find_set(const struct lookups *lookups, struct text name)
{
    const struct named_set *set = lookups != NULL ? lookups->sets : NULL;

    while (set != NULL && !texts_equal(set->name, name))
        set = set->next;
    return set;
}

const struct table *lookups_find_table(const struct lookups *lookups, struct text name)
{
    const struct table *table = lookups != NULL ? lookups->tables : NULL;

    while (table != NULL && !texts_equal(table->name, name))
        table = table->next;
    return table;
}

uint32_t table_find_column(const struct table *table, struct text name)
{
    uint32_t i = 0;

    while (i < table->column_count && !texts_equal(table->column[i], name))
        i++;
    return i < table->column_count ? i : SHEET_COLUMNS_MAX;
}

uint32_t table_find_row(const struct table *table, struct text key)
{
    uint32_t at = (uint32_t)hash64(key.at, key.len, 0) & table->mask;

    for (; table->slots[at] != 0; at = (at + 1) & table->mask)
        if (texts_equal(table->cells[table->key][table->slots[at] - 1], key))
            return table->slots[at] - 1;
    return UINT32_MAX;
}

/* ---- files ---- */

/* One definition while it is read. */
struct definition {
    struct lookups *lookups;
    const struct yaml_node *node;
    const char *kind; /* "a set", "a table" */
    struct sheet sheet;
    struct script script; /* the file, while it is read */
    bool has_script;
    sheet_taker taker; /* of lookups_read_sheet() */
    void *self;
};

static struct diagnostics *diag_of(const struct definition *definition)
{
    return definition->lookups->diag;
}

static const struct yaml_node *word_of(const struct definition *definition, const char *key)
{
    const struct yaml_node *node = yaml_node_find(definition->node, key);

    if (node == NULL || (node->kind == YAML_SCALAR && node->text.len > 0))
        return node;
    diagnose(diag_of(definition), node->span, "%s takes a word", key);
    return NULL;
}

/* Beside the file of rules, where the name is not absolute. */
static char *path_of(const struct definition *definition, const struct yaml_node *node)
{
    const char *rules = node->span.script->name, *slash = strrchr(rules, '/');
    size_t folder = node->text.at[0] == '/' || slash == NULL ? 0 : (size_t)(slash - rules) + 1;
    char *path = arena_alloc(definition->lookups->arena, folder + node->text.len + 3);

    if (path == NULL)
        return diagnose_memory(diag_of(definition));
    memcpy(path, rules, folder);
    if (folder == 0 && node->text.at[0] != '/') {
        memcpy(path, "./", 2); /* "-" is a file, too */
        folder = 2;
    }
    memcpy(path + folder, node->text.at, node->text.len);
    return path;
}

static bool ends_with(struct text text, const char *end)
{
    size_t length = strlen(end);

    return text.len > length && memcmp(text.at + text.len - length, end, length) == 0;
}

/* What a sheet takes that was read: to be sorted, to be found by its keys, to be compared with its
 * next form. */
static uint64_t sheet_ns(const struct sheet *sheet)
{
    uint64_t rows = sheet->row_count;

    return rows * LOAD_ROW_NS + rows * sheet->column_count * LOAD_CELL_NS;
}

/* Diagnoses at the name of the file when nothing is left. */
static bool has_work_left(const struct definition *definition, const struct yaml_node *file)
{
    const struct lookups *lookups = definition->lookups;

    return load_work_left(lookups->work) > 0 ||
           load_work_refuse(lookups->work, lookups->diag, file->span);
}

static bool read_text(struct definition *definition, bool is_json)
{
    struct lookups *lookups = definition->lookups;

    if (!script_is_text(&definition->script, lookups->diag))
        return false;
    return (is_json ? sheet_read_json : sheet_read_csv)(&definition->script, lookups->arena,
                                                        lookups->diag, &definition->sheet);
}

/* Reads the file and hands it to `take`, while messages may still point into it. */
static bool read_file(struct definition *definition, const struct yaml_node *file,
                      bool (*take)(struct definition *))
{
    struct lookups *lookups = definition->lookups;
    bool is_json = ends_with(file->text, ".json"), is_good = false;
    char *path = path_of(definition, file), *text = NULL;
    size_t bytes = 0;
    int rc;

    if (path == NULL)
        return false;
    if (!is_json && !ends_with(file->text, ".csv")) {
        diagnose(lookups->diag, file->span, "a file of %s ends with .csv or .json",
                 definition->kind);
        return false;
    }
    /* What is refused was read all the same: a set that names a thousand such files is not to cost
     * a thousand times their bytes. */
    rc = lookups->bytes > LOOKUP_BYTES_MAX ? -EFBIG
                                           : host_read_file(path, SHEET_BYTES_MAX, &text, &bytes);
    if (rc == -ENOMEM)
        diagnose_memory(lookups->diag);
    else if (rc != 0 && rc != -EFBIG)
        diagnose(lookups->diag, file->span, "%.200s: %s", path, host_read_why(rc));
    lookups->bytes += rc == -EFBIG ? SHEET_BYTES_MAX : bytes;
    if (rc == -EFBIG || bytes > SHEET_BYTES_MAX || lookups->bytes > LOOKUP_BYTES_MAX) {
        diagnose(lookups->diag, file->span,
                 "a file of %s has at most %d MiB, all of them together, each as often as it is "
                 "named, %d MiB",
                 definition->kind, SHEET_BYTES_MAX >> 20, LOOKUP_BYTES_MAX >> 20);
    } else if (rc == 0) {
        definition->script = (struct script){path, text, bytes};
        definition->has_script = true;
        load_work_add(lookups->work, LOAD_SHEETS, bytes * LOAD_SHEET_BYTE_NS);
        is_good = has_work_left(definition, file) && read_text(definition, is_json);
        load_work_add(lookups->work, LOAD_SHEETS, sheet_ns(&definition->sheet));
        is_good = is_good && has_work_left(definition, file) && take(definition);
    }
    free(text);
    return is_good;
}

static bool hand_over(struct definition *definition)
{
    return definition->taker(definition->self, &definition->sheet, &definition->script);
}

bool lookups_read_sheet(struct lookups *lookups, const struct yaml_node *file, const char *kind,
                        sheet_taker taker, void *self)
{
    struct definition definition = {
        .lookups = lookups, .node = file, .kind = kind, .taker = taker, .self = self};

    return read_file(&definition, file, hand_over);
}

/* A column by the word under `key`; the only one where there is none. */
static uint32_t column_of(struct definition *definition, const char *key)
{
    const struct yaml_node *node = word_of(definition, key);
    const struct sheet *sheet = &definition->sheet;
    char hint[SHEET_HINT_BYTES];
    uint32_t column;

    if (node == NULL) {
        if (sheet->column_count == 1)
            return 0;
        diagnose(diag_of(definition), definition->node->span,
                 "%s of several columns needs the key \"%s\"", definition->kind, key);
        return SHEET_COLUMNS_MAX;
    }
    column = sheet_find_column(sheet, node->text);
    if (column < SHEET_COLUMNS_MAX)
        return column;
    diagnose(diag_of(definition), node->span, "there is no column \"%.60s\"%s", node->text.at,
             sheet_columns_hint(sheet->column, sheet->column_count, node->text, hint));
    return SHEET_COLUMNS_MAX;
}

/* ---- digests: of what is there, in whatever order ---- */

static void digest_add(struct id128 *digest, struct id128 part)
{
    digest->lo += part.lo;
    digest->hi += part.hi;
}

static struct id128 digest_of(struct text text, uint64_t seed)
{
    return hash128(text.at, text.len, seed);
}

/* ---- sets ---- */

static bool keep_name(struct definition *definition, struct text *name)
{
    struct text key = definition->node->key->text;

    name->at = arena_copy(definition->lookups->arena, key.at, key.len);
    name->len = key.len;
    return name->at != NULL || diagnose_memory(diag_of(definition)) != NULL;
}

/* A whole number that some real number is equal to. */
static bool is_exact(int64_t number)
{
    double real = (double)number;

    return real < 0x1p63 && (int64_t)real == number;
}

static bool is_whole(double real)
{
    return real >= -0x1p63 && real < 0x1p63 && (double)(int64_t)real == real;
}

static bool is_number(struct text text)
{
    struct value value = {.type = TYPE_TEXT, .text = text}, number;

    return value_convert(TYPE_INT, &value, NULL, &number) == NULL ||
           value_convert(TYPE_DOUBLE, &value, NULL, &number) == NULL;
}

/* The texts as numbers, each with those that can be equal to it; none unless all are numbers. */
static bool add_numbers(struct definition *definition, struct named_set *set)
{
    struct arena *arena = definition->lookups->arena;
    uint32_t count = set->texts.count;
    uint32_t real_count = 0, whole_count = 0;
    double *reals;
    int64_t *whole;

    /* Words are told by the last one nearly always, before there is memory for numbers. */
    if (count > 0 && !is_number(set->texts.texts[count - 1]))
        return true;
    reals = arena_alloc_many(arena, count + 1, sizeof(*reals));
    whole = arena_alloc_many(arena, count + 1, sizeof(*whole));
    if (reals == NULL || whole == NULL)
        return diagnose_memory(definition->lookups->diag) != NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct value text = {.type = TYPE_TEXT, .text = set->texts.texts[i]}, number;
        if (value_convert(TYPE_INT, &text, NULL, &number) == NULL) {
            whole[whole_count++] = number.number;
            if (is_exact(number.number))
                reals[real_count++] = (double)number.number;
        } else if (value_convert(TYPE_DOUBLE, &text, NULL, &number) == NULL) {
            reals[real_count++] = number.real;
            if (is_whole(number.real))
                whole[whole_count++] = (int64_t)number.real;
        } else {
            return true;
        }
    }
    set->is_numbers = true;
    constants_sort(reals, real_count, TYPE_DOUBLE);
    constants_sort(whole, whole_count, TYPE_INT);
    set->reals = (struct constant_list){.count = real_count, .type = TYPE_DOUBLE, .reals = reals};
    set->whole = (struct constant_list){.count = whole_count, .type = TYPE_INT, .numbers = whole};
    return true;
}

/* Sorts texts, takes out those that are there twice, and enters the set. */
static bool set_finish(struct definition *definition, struct text *texts, uint32_t count)
{
    struct lookups *lookups = definition->lookups;
    struct named_set *set = arena_alloc(lookups->arena, sizeof(*set));
    uint32_t kept = 0;

    if (texts == NULL) /* nobody searches in NULL, not even for nothing */
        texts = arena_alloc(lookups->arena, sizeof(*texts));
    if (set == NULL || texts == NULL)
        return diagnose_memory(lookups->diag) != NULL;
    if (!keep_name(definition, &set->name))
        return false;
    set->span = definition->node->key->span;
    constants_sort(texts, count, TYPE_TEXT);
    for (uint32_t i = 0; i < count; i++) {
        if (kept > 0 && texts_equal(texts[i], texts[kept - 1]))
            continue;
        texts[kept++] = texts[i];
        digest_add(&set->digest, digest_of(texts[i], 1));
    }
    set->texts = (struct constant_list){.count = kept, .type = TYPE_TEXT, .texts = texts};
    if (!add_numbers(definition, set))
        return false;
    set->next = lookups->sets;
    lookups->sets = set;
    return true;
}

static bool set_of_sheet(struct definition *definition)
{
    const struct sheet *sheet = &definition->sheet;
    uint32_t column, count = 0;
    struct text *texts;

    if (sheet->row_count == 0 && sheet->column_count == 0)
        return set_finish(definition, NULL, 0); /* [] */
    column = column_of(definition, "column");
    if (column == SHEET_COLUMNS_MAX)
        return false;
    texts = sheet->cells[column];
    for (uint32_t i = 0; i < sheet->row_count; i++)
        if (texts[i].at != NULL)
            texts[count++] = texts[i];
    return set_finish(definition, texts, count);
}

static bool set_of_list(struct definition *definition)
{
    struct lookups *lookups = definition->lookups;
    const struct yaml_node *list = definition->node;
    struct text *texts = arena_alloc_many(lookups->arena, list->count + 1, sizeof(*texts));
    uint32_t count = 0;

    if (texts == NULL)
        return diagnose_memory(lookups->diag) != NULL;
    if (list->count == 0) {
        diagnose(lookups->diag, list->span, "nothing is in an empty set");
        return false;
    }
    for (const struct yaml_node *item = list->first; item != NULL; item = item->next) {
        if (item->kind != YAML_SCALAR || item->text.len > SHEET_CELL_BYTES_MAX) {
            diagnose(lookups->diag, item->span, "a set holds words of at most %d bytes",
                     SHEET_CELL_BYTES_MAX);
            return false;
        }
        texts[count].at = arena_copy(lookups->arena, item->text.at, item->text.len);
        texts[count].len = item->text.len;
        if (texts[count++].at == NULL)
            return diagnose_memory(lookups->diag) != NULL;
    }
    return set_finish(definition, texts, count);
}

static bool read_set(struct definition *definition)
{
    static const char *const keys[] = {"file", "column"};
    const struct yaml_node *node = definition->node, *file;

    if (node->kind == YAML_LIST)
        return set_of_list(definition);
    if (node->kind != YAML_MAP) {
        diagnose(diag_of(definition), node->span,
                 "a set is a list of words, or {file: NAME.csv, column: NAME}");
        return false;
    }
    if (!rule_check_keys(node, keys, 2, "a set", diag_of(definition)))
        return false;
    file = word_of(definition, "file");
    if (file != NULL)
        return read_file(definition, file, set_of_sheet);
    if (yaml_node_find(node, "file") == NULL)
        diagnose(diag_of(definition), node->span, "a set needs the key \"file\"");
    return false;
}

/* ---- tables ---- */

static bool enter_rows(struct definition *definition, struct table *table)
{
    const struct text *keys = table->cells[table->key];
    uint32_t room = 16, *slots;

    while (room < 2 * table->row_count)
        room *= 2;
    table->mask = room - 1;
    slots = arena_alloc_many(definition->lookups->arena, room, sizeof(*slots));
    if (slots == NULL)
        return diagnose_memory(diag_of(definition)) != NULL;
    table->slots = slots;
    for (uint32_t row = 0; row < table->row_count; row++) {
        uint32_t place = definition->sheet.row_place[row], at;
        struct span span = {&definition->script, place, place};
        if (keys[row].at == NULL) {
            diagnose(diag_of(definition), span, "this row has no \"%.60s\", its key",
                     table->column[table->key].at);
            return false;
        }
        if (table_find_row(table, keys[row]) != UINT32_MAX) {
            diagnose(diag_of(definition), span, "a row with the key \"%.*s\" is there already",
                     keys[row].len < 60 ? (int)keys[row].len : 60, keys[row].at);
            return false;
        }
        at = (uint32_t)hash64(keys[row].at, keys[row].len, 0) & table->mask;
        while (slots[at] != 0)
            at = (at + 1) & table->mask;
        slots[at] = row + 1;
    }
    return true;
}

static void digest_columns(struct table *table)
{
    for (uint32_t row = 0; row < table->row_count; row++) {
        struct id128 key = digest_of(table->cells[table->key][row], 2);
        for (uint32_t i = 0; i < table->column_count; i++)
            if (table->cells[i][row].at != NULL)
                digest_add(&table->digest[i], digest_of(table->cells[i][row], key.lo));
    }
}

static bool table_of_sheet(struct definition *definition)
{
    struct lookups *lookups = definition->lookups;
    const struct sheet *sheet = &definition->sheet;
    struct table *table = arena_alloc(lookups->arena, sizeof(*table));

    if (table == NULL)
        return diagnose_memory(lookups->diag) != NULL;
    if (!keep_name(definition, &table->name))
        return false;
    table->span = definition->node->key->span;
    table->row_count = sheet->row_count;
    table->column_count = sheet->column_count;
    memcpy(table->column, sheet->column, sizeof(table->column));
    for (uint32_t i = 0; i < sheet->column_count; i++)
        table->cells[i] = sheet->cells[i];
    table->key = column_of(definition, "key");
    if (table->key == SHEET_COLUMNS_MAX || !enter_rows(definition, table))
        return false;
    digest_columns(table);
    table->next = lookups->tables;
    lookups->tables = table;
    return true;
}

static bool read_table(struct definition *definition)
{
    static const char *const keys[] = {"file", "key"};
    const struct yaml_node *node = definition->node, *file;

    if (node->kind != YAML_MAP) {
        diagnose(diag_of(definition), node->span, "a table is {file: NAME.csv, key: COLUMN}");
        return false;
    }
    if (!rule_check_keys(node, keys, 2, "a table", diag_of(definition)))
        return false;
    file = word_of(definition, "file");
    if (file != NULL && yaml_node_find(node, "key") != NULL)
        return read_file(definition, file, table_of_sheet);
    if (yaml_node_find(node, "file") == NULL || yaml_node_find(node, "key") == NULL)
        diagnose(diag_of(definition), node->span, "a table needs the keys \"file\" and \"key\"");
    return false;
}

/* ---- names ---- */

static bool check_name(struct lookups *lookups, const struct yaml_node *key)
{
    const struct named_set *set = lookups_find_set(lookups, key->text);
    const struct table *table = lookups_find_table(lookups, key->text);
    const char *why = name_check(key->text);

    if (why != NULL) {
        diagnose(lookups->diag, key->span, "%s", why);
    } else if (set != NULL || table != NULL) {
        struct span span = set != NULL ? set->span : table->span;
        struct place place = script_place(span.script, span.from);
        diagnose(lookups->diag, key->span, "the name \"%.60s\" is taken already: %.200s:%u:%u",
                 key->text.at, span.script->name, (unsigned)place.line, (unsigned)place.column);
    } else if (lookups->count == LOOKUPS_MAX) {
        diagnose(lookups->diag, key->span, "at most %d sets and tables", LOOKUPS_MAX);
    } else {
        lookups->count++;
        return true;
    }
    return false;
}

static bool read_all(struct lookups *lookups, const struct yaml_node *map, const char *kind,
                     bool (*take)(struct definition *))
{
    bool is_good = true;

    if (map == NULL)
        return true;
    if (map->kind != YAML_MAP) {
        diagnose(lookups->diag, map->span, "%s takes a map of names, not %s", map->key->text.at,
                 yaml_kind_name(map->kind));
        return false;
    }
    for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
        struct definition definition = {.lookups = lookups, .node = node, .kind = kind};
        is_good = check_name(lookups, node->key) && take(&definition) && is_good;
        if (lookups->diag->out_of_memory || lookups->diag->full)
            return false;
    }
    return is_good;
}

bool lookups_read(struct lookups *lookups, const struct yaml_node *sets,
                  const struct yaml_node *tables)
{
    bool is_good = read_all(lookups, sets, "a set", read_set);

    return read_all(lookups, tables, "a table", read_table) && is_good;
}
