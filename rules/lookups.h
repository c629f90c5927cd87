/*
 * lookups.h - the named sets and tables of a rule set.
 *
 *   sets:
 *     core_hosts: [db01, db02]
 *     edge_hosts: {file: hosts.csv, column: host}
 *   tables:
 *     owners: {file: owners.csv, key: host}
 *
 *   where: host in core_hosts && owners[host].team == "storage"
 *
 * All files of a rule set see them. What is read is kept as text; where a number is looked for in a
 * set, its texts have to be numbers. A key that is not there, or a cell that is missing, is an
 * error of evaluation.
 *
 * What a set or a column of a table holds, in whatever order, has a digest, which is part of the
 * form of the rules that use it.
 *
 * Limits: those below.
 * Thread: built by one load; immutable afterwards, and read by any number of threads.
 */
#ifndef RULES_LOOKUPS_H
#define RULES_LOOKUPS_H

#include "base/arena.h"
#include "rules/constants.h"
#include "rules/load_work.h"
#include "rules/sheet.h"
#include "rules/yaml_reader.h"

enum {
    LOOKUPS_MAX = 256,           /* sets and tables */
    LOOKUP_BYTES_MAX = 16 << 20, /* of all their files, each as often as it is named */
};

struct named_set {
    struct text name;
    struct span span;
    struct constant_list texts;
    bool is_numbers; /* all texts are */
    /* Those of them that a real number, and that a whole one, can be equal to. 2^53 + 1 is no real
     * number, and 2.5 no whole one. */
    struct constant_list reals, whole;
    struct id128 digest;
    struct named_set *next;
};

struct table {
    struct text name;
    struct span span;
    uint32_t row_count, column_count;
    uint32_t key; /* the column */
    struct text column[SHEET_COLUMNS_MAX];
    const struct text *cells[SHEET_COLUMNS_MAX]; /* by row; `at` is NULL where one is missing */
    struct id128 digest[SHEET_COLUMNS_MAX];      /* of the pairs of key and cell */
    uint32_t mask;
    const uint32_t *slots; /* row + 1 by the hash of its key; 0: free */
    struct table *next;
};

struct lookups {
    struct arena *arena; /* of the rule set */
    struct diagnostics *diag;
    struct load_work *work; /* of the whole set */
    struct named_set *sets;
    struct table *tables;
    uint32_t count;
    uint64_t bytes; /* read from files, also those refused; beyond the bound none is read */
};

/* Reads the values of `sets:` and `tables:` of one file of rules; NULL is none.
 * Errors: false, diagnosed. */
bool lookups_read(struct lookups *lookups, const struct yaml_node *sets,
                  const struct yaml_node *tables);

/* What becomes of a file of rows; `script` is where messages about rows may point. Cells live as
 * long as the rule set. */
typedef bool (*sheet_taker)(void *self, const struct sheet *sheet, const struct script *script);

/* Reads a file that a rule names itself, within the bounds of all of them, and hands it over.
 * `file` is its name (a word), `kind` what it is of: "a set". Errors: false, diagnosed. */
bool lookups_read_sheet(struct lookups *lookups, const struct yaml_node *file, const char *kind,
                        sheet_taker taker, void *self);

/* NULL when there is none of the name. `lookups` may be NULL. */
const struct named_set *lookups_find_set(const struct lookups *lookups, struct text name);
const struct table *lookups_find_table(const struct lookups *lookups, struct text name);

/* SHEET_COLUMNS_MAX when there is none of the name. */
uint32_t table_find_column(const struct table *table, struct text name);

/* The row of a key, UINT32_MAX when there is none. */
uint32_t table_find_row(const struct table *table, struct text key);

#endif
