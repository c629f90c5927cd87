/* sheet_csv.c - CSV as RFC 4180 has it, in one pass. See sheet.h. */
#include <string.h>
#include "rules/sheet.h"

struct csv {
    const struct script *script;
    struct sheet *sheet;
    char *text; /* the script's, copied; cells lie in it */
    uint32_t at, end;
};

static bool fail(const struct csv *csv, uint32_t from, uint32_t to, const char *why)
{
    diagnose(csv->sheet->diag, (struct span){csv->script, from, to}, "%s", why);
    return false;
}

static bool is_line_end(const struct csv *csv)
{
    return csv->at == csv->end || csv->text[csv->at] == '\n' ||
           (csv->text[csv->at] == '\r' && csv->at + 1 < csv->end && csv->text[csv->at + 1] == '\n');
}

/* "a ""word""": the doubled quotes become one each, in place. */
static bool read_quoted(struct csv *csv, struct text *out)
{
    uint32_t from = csv->at++, to = csv->at, start = csv->at;

    for (;; csv->at++) {
        if (csv->at == csv->end)
            return fail(csv, from, from + 1, "the quote that begins here has no end");
        if (csv->text[csv->at] == '"') {
            if (csv->at + 1 == csv->end || csv->text[csv->at + 1] != '"')
                break;
            csv->at++;
        }
        csv->text[to++] = csv->text[csv->at];
    }
    csv->at++;
    *out = (struct text){csv->text + start, to - start};
    if (!is_line_end(csv) && csv->text[csv->at] != ',')
        return fail(csv, csv->at, csv->at + 1,
                    "a comma or the end of the line follows a quoted cell");
    return true;
}

static bool read_plain(struct csv *csv, struct text *out)
{
    uint32_t from = csv->at;

    for (; !is_line_end(csv) && csv->text[csv->at] != ','; csv->at++)
        if (csv->text[csv->at] == '"' || csv->text[csv->at] == '\r')
            return fail(csv, csv->at, csv->at + 1,
                        csv->text[csv->at] == '"' ? "a cell with a quote in it begins with a quote"
                                                  : "a line ends with a line feed");
    *out = (struct text){csv->text + from, csv->at - from};
    return true;
}

static bool read_cell(struct csv *csv, struct text *out)
{
    uint32_t from = csv->at;

    if (!(csv->at < csv->end && csv->text[csv->at] == '"' ? read_quoted(csv, out)
                                                          : read_plain(csv, out)))
        return false;
    if (out->len > SHEET_CELL_BYTES_MAX)
        return fail(csv, from, from + 1, "a cell has at most 1024 bytes");
    return true;
}

/* One row, up to and with its line end. `take` gets each cell. */
static bool read_row(struct csv *csv, bool (*take)(struct csv *, uint32_t, struct text, uint32_t))
{
    struct text cell;

    for (uint32_t i = 0;; i++) {
        uint32_t from = csv->at;
        if (!read_cell(csv, &cell) || !take(csv, i, cell, from))
            return false;
        if (is_line_end(csv))
            break;
        csv->at++; /* the comma */
    }
    csv->at += csv->at < csv->end && csv->text[csv->at] == '\r';
    csv->at += csv->at < csv->end;
    return true;
}

static bool take_name(struct csv *csv, uint32_t column, struct text name, uint32_t from)
{
    struct sheet *sheet = csv->sheet;

    if (name.len == 0)
        return fail(csv, from, from, "the first row names the columns: this one has no name");
    if (sheet_find_column(sheet, name) < SHEET_COLUMNS_MAX)
        return fail(csv, from, csv->at, "a column of this name is there already");
    return sheet_add_column(sheet, name, (struct span){csv->script, from, csv->at}) == column;
}

static bool take_cell(struct csv *csv, uint32_t column, struct text cell, uint32_t from)
{
    struct sheet *sheet = csv->sheet;

    if (column >= sheet->column_count)
        return fail(csv, from, csv->at, "this row has more cells than the first one has names");
    if (cell.len > 0)
        sheet->cells[column][sheet->row_count - 1] = cell;
    if (column + 1 < sheet->column_count && is_line_end(csv))
        return fail(csv, csv->at, csv->at, "this row has fewer cells than the first one has names");
    return true;
}

/* What is left: as many rows, or a few more, where a quoted cell has a line end in it. To count
 * them is far less work than to move a table each time when it has grown out of its memory. */
static uint64_t count_lines(const struct csv *csv)
{
    const char *at = csv->text + csv->at, *end = csv->text + csv->end;
    uint64_t count = 1;

    for (; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        count++;
    return count;
}

bool sheet_read_csv(const struct script *script, struct arena *arena, struct diagnostics *diag,
                    struct sheet *out)
{
    struct csv csv = {.script = script, .sheet = out, .end = (uint32_t)script->bytes};

    *out = (struct sheet){.arena = arena, .diag = diag};
    csv.text = arena_copy(arena, script->text, script->bytes);
    if (csv.text == NULL)
        return diagnose_memory(diag) != NULL;
    if (script->bytes >= 3 && memcmp(script->text, "\xef\xbb\xbf", 3) == 0)
        csv.at = 3; /* a byte order mark, as spreadsheets write it */
    if (csv.at == csv.end)
        return fail(&csv, csv.at, csv.at, "the file is empty: the first row names the columns");
    if (!read_row(&csv, take_name))
        return false;
    sheet_expect_rows(out, count_lines(&csv));
    while (csv.at < csv.end) {
        if (out->column_count > 1 && is_line_end(&csv)) { /* an empty line is no row */
            csv.at += csv.text[csv.at] == '\r';
            csv.at++;
            continue;
        }
        if (!sheet_add_row(out, (struct span){script, csv.at, csv.at}) ||
            !read_row(&csv, take_cell))
            return false;
    }
    return true;
}
