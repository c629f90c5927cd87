/*
 * sheet.h - rows and columns: what sets and tables of rules are read from.
 *
 * A CSV file is that of RFC 4180, its first row naming the columns:
 *
 *   host,team,note
 *   db01,storage,"said ""no"""
 *
 * A JSON file is a list of maps, a map of maps (whose keys are the column "key"), or a list of
 * single values (the column "value"):
 *
 *   [{"host": "db01", "team": "storage"}]    {"db01": {"team": "storage"}}    ["db01", "db02"]
 *
 * Every cell is text, a number as it is written. An empty cell of CSV is missing, and so is null.
 * Both are read in one pass, without nesting, so that any bytes take time in proportion.
 *
 * Limits: those below; beyond them a file is refused with the place where it begins to be too much.
 * Thread: one load, one thread.
 */
#ifndef RULES_SHEET_H
#define RULES_SHEET_H

#include "base/arena.h"
#include "base/event.h"
#include "rules/diagnostics.h"

enum {
    SHEET_BYTES_MAX = 8 << 20,
    SHEET_COLUMNS_MAX = 64,
    SHEET_CELLS_MAX = 2 << 20,
    SHEET_CELL_BYTES_MAX = 1024,
};

struct sheet {
    uint32_t column_count, row_count;
    struct text column[SHEET_COLUMNS_MAX];
    struct text *cells[SHEET_COLUMNS_MAX]; /* by row; `at` is NULL where a cell is missing */
    uint32_t *row_place;                   /* byte of the script at which a row begins */
    uint32_t room;                         /* rows for which there is memory */
    uint32_t rows_expected;                /* what memory is taken for at first */
    struct arena *arena;
    struct diagnostics *diag;
};

/* Cells are copied into `arena`.
 * Errors: false, diagnosed in the script (or memory noted). */
bool sheet_read_csv(const struct script *script, struct arena *arena, struct diagnostics *diag,
                    struct sheet *out);
bool sheet_read_json(const struct script *script, struct arena *arena, struct diagnostics *diag,
                     struct sheet *out);

/* SHEET_COLUMNS_MAX when there is none. */
uint32_t sheet_find_column(const struct sheet *sheet, struct text name);

/* The end of a sentence about a column that is not there: the name that was meant, or which there
 * are. Returns `to`, terminated. */
enum { SHEET_HINT_BYTES = 600 };
const char *sheet_columns_hint(const struct text *column, uint32_t count, struct text name,
                               char to[SHEET_HINT_BYTES]);

/* For readers: one row more, of missing cells.
 * Errors: false, diagnosed at the place. */
bool sheet_add_row(struct sheet *sheet, struct span at);

/* For readers: memory for so many rows at once, if there may be as many; a wish. */
void sheet_expect_rows(struct sheet *sheet, uint64_t rows);

/* A column, found or added; SHEET_COLUMNS_MAX, diagnosed, when there are too many. */
uint32_t sheet_add_column(struct sheet *sheet, struct text name, struct span at);

#endif
