/* sheet_json.c - the three shapes of JSON that are rows and columns. See sheet.h. */
#include <string.h>
#include "rules/sheet.h"

struct json {
    const struct script *script;
    struct sheet *sheet;
    const char *text;
    uint32_t at, end;
};

static bool fail(const struct json *json, uint32_t from, uint32_t to, const char *why)
{
    diagnose(json->sheet->diag, (struct span){json->script, from, to}, "%s", why);
    return false;
}

static bool fail_here(const struct json *json, const char *why)
{
    return fail(json, json->at, json->at < json->end ? json->at + 1 : json->at, why);
}

/* The next sign behind blanks, '\0' at the end. */
static char peek(struct json *json)
{
    while (json->at < json->end && strchr(" \t\r\n", json->text[json->at]) != NULL &&
           json->text[json->at] != '\0')
        json->at++;
    return json->at < json->end ? json->text[json->at] : '\0';
}

/* ---- texts ---- */

static bool read_hex(struct json *json, uint32_t *code)
{
    *code = 0;
    for (int i = 0; i < 4; i++, json->at++) {
        char c = json->at < json->end ? json->text[json->at] : '\0';
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return fail_here(json, "\\u is followed by four hex digits");
        *code = *code << 4 | digit;
    }
    return true;
}

static uint32_t put_utf8(char *to, uint32_t code)
{
    uint32_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};

    to[0] = (char)(lead[more] | code >> 6 * more);
    for (uint32_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
    return more + 1;
}

/* \u00e4, or a pair of them for what lies beyond 16 bits. */
static bool read_code(struct json *json, char *to, uint32_t *put)
{
    uint32_t from = json->at - 2, code, low;

    if (!read_hex(json, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00) {
        if (json->end - json->at < 2 || memcmp(json->text + json->at, "\\u", 2) != 0)
            return fail(json, from, json->at, "half of a surrogate pair");
        json->at += 2;
        if (!read_hex(json, &low))
            return false;
        if (low < 0xdc00 || low > 0xdfff)
            return fail(json, from, json->at, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
    } else if (code >= 0xdc00 && code <= 0xdfff) {
        return fail(json, from, json->at, "half of a surrogate pair");
    }
    if (code == 0)
        return fail(json, from, json->at, "a zero byte in a text");
    *put = put_utf8(to, code);
    return true;
}

static bool read_escape(struct json *json, char *to, uint32_t *put)
{
    static const char pairs[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    char c;

    json->at++;
    c = json->at < json->end ? json->text[json->at] : '\0';
    *put = 1;
    for (size_t i = 0; i + 1 < sizeof(pairs); i += 2) {
        if (c != '\0' && pairs[i] == c) {
            *to = pairs[i + 1];
            json->at++;
            return true;
        }
    }
    if (c != 'u')
        return fail_here(json, "there is no such escape");
    json->at++;
    return read_code(json, to, put);
}

static bool read_text(struct json *json, struct text *out)
{
    uint32_t from = json->at++, used = 0, put;
    char kept[SHEET_CELL_BYTES_MAX + 4];

    for (; json->at < json->end && json->text[json->at] != '"'; used += put) {
        if (used > SHEET_CELL_BYTES_MAX)
            return fail(json, from, from + 1, "a cell has at most 1024 bytes");
        put = 1;
        if (json->text[json->at] == '\\') {
            if (!read_escape(json, kept + used, &put))
                return false;
        } else if ((unsigned char)json->text[json->at] < 0x20) {
            return fail_here(json, "a line end or control character inside of a text");
        } else {
            kept[used] = json->text[json->at++];
        }
    }
    if (json->at == json->end)
        return fail(json, from, from + 1, "the text that begins here has no end");
    if (used > SHEET_CELL_BYTES_MAX)
        return fail(json, from, from + 1, "a cell has at most 1024 bytes");
    json->at++;
    out->at = arena_copy(json->sheet->arena, kept, used);
    out->len = used;
    return out->at != NULL || diagnose_memory(json->sheet->diag) != NULL;
}

/* ---- cells ---- */

static bool is_number(struct text word)
{
    uint32_t at = word.at[0] == '-', digits = 0, i;

    for (i = at; i < word.len && word.at[i] >= '0' && word.at[i] <= '9'; i++)
        digits++;
    if (digits == 0 || (digits > 1 && word.at[at] == '0'))
        return false;
    if (i < word.len && word.at[i] == '.') {
        uint32_t from = ++i;
        while (i < word.len && word.at[i] >= '0' && word.at[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    if (i < word.len && (word.at[i] == 'e' || word.at[i] == 'E')) {
        i++;
        i += i < word.len && (word.at[i] == '-' || word.at[i] == '+');
        uint32_t from = i;
        while (i < word.len && word.at[i] >= '0' && word.at[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    return i == word.len;
}

static bool is_word(struct text word, const char *name)
{
    return word.len == strlen(name) && memcmp(word.at, name, word.len) == 0;
}

/* A number, true, false, or null, which is a missing cell. */
static bool read_word(struct json *json, struct text *out)
{
    uint32_t from = json->at;
    struct text word = {json->text + from, 0};

    while (json->at < json->end && strchr(",]}: \t\r\n", json->text[json->at]) == NULL)
        json->at++;
    word.len = json->at - from;
    *out = (struct text){NULL, 0};
    if (word.len == 0)
        return fail_here(json, "expected a value here");
    if (is_word(word, "null"))
        return true;
    if (!is_word(word, "true") && !is_word(word, "false") && !is_number(word))
        return fail(json, from, json->at,
                    "a value is a text in quotes, a number, true, false or null");
    if (word.len > SHEET_CELL_BYTES_MAX)
        return fail(json, from, from + 1, "a cell has at most 1024 bytes");
    out->at = arena_copy(json->sheet->arena, word.at, word.len);
    out->len = word.len;
    return out->at != NULL || diagnose_memory(json->sheet->diag) != NULL;
}

static bool read_cell(struct json *json, struct text *out)
{
    char c = peek(json);

    if (c == '[' || c == '{')
        return fail_here(json, "a cell is a single value, not a list or map");
    return c == '"' ? read_text(json, out) : read_word(json, out);
}

/* Behind one part of a list or map: true with *more when a comma follows. */
static bool read_separator(struct json *json, char close, bool *more)
{
    char c = peek(json);

    *more = c == ',';
    if (c != ',' && c != close)
        return fail_here(json, close == ']' ? "expected , or ] here" : "expected , or } here");
    json->at++;
    return true;
}

/* Opens a list or map; false in *any when it is empty, and closed. */
static void open_part(struct json *json, char close, bool *any)
{
    json->at++;
    *any = peek(json) != close;
    json->at += !*any;
}

static bool read_name(struct json *json, struct text *name, struct span *span)
{
    uint32_t from;

    if (peek(json) != '"')
        return fail_here(json, "expected a name in quotes here");
    from = json->at;
    if (!read_text(json, name))
        return false;
    *span = (struct span){json->script, from, json->at};
    if (peek(json) != ':')
        return fail_here(json, "expected : here");
    json->at++;
    return true;
}

/* ---- rows ---- */

static bool add_row(struct json *json)
{
    return sheet_add_row(json->sheet, (struct span){json->script, json->at, json->at});
}

/* {"column": value, ...} into the last row. */
static bool read_map_row(struct json *json)
{
    struct sheet *sheet = json->sheet;
    uint64_t seen = 0;
    bool more;

    open_part(json, '}', &more);
    while (more) {
        struct text name = {NULL, 0}, cell;
        struct span span;
        uint32_t column;
        if (!read_name(json, &name, &span))
            return false;
        column = sheet_add_column(sheet, name, span);
        if (column == SHEET_COLUMNS_MAX)
            return false;
        if (seen >> column & 1)
            return fail(json, span.from, span.to, "this name is there already");
        seen |= (uint64_t)1 << column;
        if (!read_cell(json, &cell) || !read_separator(json, '}', &more))
            return false;
        sheet->cells[column][sheet->row_count - 1] = cell;
    }
    return true;
}

static bool read_single_row(struct json *json)
{
    uint32_t from = json->at, column;
    struct text cell;

    column = sheet_add_column(json->sheet, (struct text){"value", 5},
                              (struct span){json->script, from, from});
    if (column == SHEET_COLUMNS_MAX || !read_cell(json, &cell))
        return false;
    json->sheet->cells[column][json->sheet->row_count - 1] = cell;
    return true;
}

static bool read_list(struct json *json)
{
    bool more;

    open_part(json, ']', &more);
    while (more) {
        char c = peek(json);
        if (!add_row(json) || !(c == '{' ? read_map_row(json) : read_single_row(json)) ||
            !read_separator(json, ']', &more))
            return false;
    }
    return true;
}

/* {"db01": {...}, ...}: the names are the column "key". */
static bool read_map(struct json *json)
{
    struct text name;
    struct span span;
    uint32_t column;
    bool more;

    column = sheet_add_column(json->sheet, (struct text){"key", 3},
                              (struct span){json->script, json->at, json->at});
    open_part(json, '}', &more);
    while (more) {
        if (!add_row(json) || !read_name(json, &name, &span))
            return false;
        if (peek(json) != '{')
            return fail_here(json, "expected a map of columns here");
        if (!read_map_row(json))
            return false;
        if (json->sheet->cells[column][json->sheet->row_count - 1].at != NULL)
            return fail(json, span.from, span.to, "a row of a map of maps has no column \"key\"");
        json->sheet->cells[column][json->sheet->row_count - 1] = name;
        if (!read_separator(json, '}', &more))
            return false;
    }
    return true;
}

bool sheet_read_json(const struct script *script, struct arena *arena, struct diagnostics *diag,
                     struct sheet *out)
{
    struct json json = {script, out, script->text, 0, (uint32_t)script->bytes};
    char c;

    *out = (struct sheet){.arena = arena, .diag = diag};
    if (script->bytes >= 3 && memcmp(script->text, "\xef\xbb\xbf", 3) == 0)
        json.at = 3; /* a byte order mark: not in JSON's grammar, but in what Windows writes */
    c = peek(&json);
    if (c != '[' && c != '{')
        return fail_here(&json, "a list or a map should stand here");
    if (!(c == '[' ? read_list(&json) : read_map(&json)))
        return false;
    if (peek(&json) != '\0' || json.at < json.end)
        return fail_here(&json, "nothing follows behind the end");
    return true;
}
