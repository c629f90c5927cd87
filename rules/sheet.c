/* sheet.c - see sheet.h. */
#include "rules/sheet.h"

#include <stdio.h>
#include <string.h>
#include "base/nearest.h"

enum { ROWS_MIN = 64, COLUMNS_SHOWN = 8, COLUMN_SHOWN_BYTES = 60 };

uint32_t sheet_find_column(const struct sheet *sheet, struct text name)
{
    for (uint32_t i = 0; i < sheet->column_count; i++)
        if (sheet->column[i].len == name.len && memcmp(sheet->column[i].at, name.at, name.len) == 0)
            return i;
    return SHEET_COLUMNS_MAX;
}

/* host;team as some programs write CSV: one column of a strange name. */
static bool is_separated_otherwise(const struct text *column, uint32_t count)
{
    return count == 1 && (memchr(column->at, ';', column->len) != NULL ||
                          memchr(column->at, '\t', column->len) != NULL);
}

const char *sheet_columns_hint(const struct text *column, uint32_t count, struct text name,
                               char to[SHEET_HINT_BYTES])
{
    const char *names[SHEET_COLUMNS_MAX], *nearest;
    uint32_t shown = count > COLUMNS_SHOWN ? COLUMNS_SHOWN : count;
    size_t used;

    to[0] = '\0';
    if (count == 0)
        return to;
    for (uint32_t i = 0; i < count; i++)
        names[i] = column[i].at;
    nearest = nearest_name(name, names, count);
    if (is_separated_otherwise(column, count)) {
        snprintf(to, SHEET_HINT_BYTES,
                 ": columns are separated by commas, and this file has none in its first row");
        return to;
    }
    if (nearest != NULL) {
        snprintf(to, SHEET_HINT_BYTES, "; did you mean \"%.*s\"?", COLUMN_SHOWN_BYTES, nearest);
        return to;
    }
    used = (size_t)snprintf(to, SHEET_HINT_BYTES, count == 1 ? ": there is " : ": there are ");
    for (uint32_t i = 0; i < shown; i++)
        used += (size_t)snprintf(to + used, SHEET_HINT_BYTES - used, "%s%.*s",
                                 i == 0           ? ""
                                 : i + 1 == count ? " and "
                                                  : ", ",
                                 COLUMN_SHOWN_BYTES, names[i]);
    if (shown < count)
        snprintf(to + used, SHEET_HINT_BYTES - used, " and %u more", (unsigned)(count - shown));
    else if (count == 1)
        snprintf(to + used, SHEET_HINT_BYTES - used, " alone");
    return to;
}

static void *enlarge(struct sheet *sheet, const void *old, size_t bytes, uint32_t room)
{
    char *larger = arena_alloc_many(sheet->arena, room, bytes);

    if (larger != NULL && sheet->row_count > 0)
        memcpy(larger, old, sheet->row_count * bytes);
    return larger;
}

static bool make_room(struct sheet *sheet)
{
    uint32_t room = sheet->room > 0 ? 2 * sheet->room : ROWS_MIN;

    if (sheet->room == 0 && sheet->rows_expected > room)
        room = sheet->rows_expected;

    sheet->row_place = enlarge(sheet, sheet->row_place, sizeof(uint32_t), room);
    if (sheet->row_place == NULL)
        return diagnose_memory(sheet->diag) != NULL;
    for (uint32_t i = 0; i < sheet->column_count; i++) {
        sheet->cells[i] = enlarge(sheet, sheet->cells[i], sizeof(struct text), room);
        if (sheet->cells[i] == NULL)
            return diagnose_memory(sheet->diag) != NULL;
    }
    sheet->room = room;
    return true;
}

static bool is_too_large(const struct sheet *sheet, uint64_t rows, uint64_t columns, struct span at)
{
    if (rows * columns <= SHEET_CELLS_MAX)
        return false;
    diagnose(sheet->diag, at, "more than %d cells", SHEET_CELLS_MAX);
    return true;
}

void sheet_expect_rows(struct sheet *sheet, uint64_t rows)
{
    uint32_t columns = sheet->column_count > 0 ? sheet->column_count : 1;

    sheet->rows_expected =
        rows < SHEET_CELLS_MAX / columns ? (uint32_t)rows : SHEET_CELLS_MAX / columns;
}

bool sheet_add_row(struct sheet *sheet, struct span at)
{
    if (is_too_large(sheet, (uint64_t)sheet->row_count + 1,
                     sheet->column_count > 0 ? sheet->column_count : 1, at) ||
        (sheet->row_count == sheet->room && !make_room(sheet)))
        return false;
    sheet->row_place[sheet->row_count++] = at.from;
    return true;
}

uint32_t sheet_add_column(struct sheet *sheet, struct text name, struct span at)
{
    uint32_t i = sheet_find_column(sheet, name);
    char *copy;

    if (i < SHEET_COLUMNS_MAX)
        return i;
    i = sheet->column_count;
    if (i == SHEET_COLUMNS_MAX) {
        diagnose(sheet->diag, at, "more than %d columns", SHEET_COLUMNS_MAX);
        return i;
    }
    if (is_too_large(sheet, sheet->row_count, (uint64_t)i + 1, at))
        return SHEET_COLUMNS_MAX;
    copy = arena_copy(sheet->arena, name.at, name.len);
    sheet->cells[i] = arena_alloc_many(sheet->arena, sheet->room + 1, sizeof(struct text));
    if (copy == NULL || sheet->cells[i] == NULL) {
        diagnose_memory(sheet->diag);
        return SHEET_COLUMNS_MAX;
    }
    sheet->column[i] = (struct text){copy, name.len};
    return sheet->column_count++;
}
