/*
 * json_scan.c - the parts of the walk that are not in the innermost loop.
 * See json_scan.h.
 */
#include "ingest/json_scan.h"

#include <stdlib.h>
#include "ingest/utf8.h"

/* A mantissa of 19 digits times ten to this power is below the largest double. */
enum { EXPONENT_SAFE = 308 - 19 };

_Static_assert(RECORD_FIELDS_MAX <= 1 << JSON_NAME_INDEX_BITS, "a slot holds any name's index");
_Static_assert(JSON_NAME_SLOTS == 1 << 10, "the upper ten bits of a hash choose a slot");

bool json_scan_init(struct json_scan *scan, json_index_fn index)
{
    *scan = (struct json_scan){.index = index};
    scan->quotes = malloc((RECORD_BYTES_MAX + JSON_INDEX_SLACK) * sizeof(*scan->quotes));
    /* Unescaped text is never longer than the record; besides it there is one
     * zero-terminated number at a time, and what the forms make up. */
    scan->scratch = malloc(2 * RECORD_BYTES_MAX + 64);
    return scan->quotes != NULL && scan->scratch != NULL;
}

void json_scan_release(struct json_scan *scan)
{
    free(scan->quotes);
    free(scan->scratch);
}

struct json_cursor json_scan_fault(struct json_scan *scan, enum reject_reason reason,
                                   const char *at, const char *why)
{
    if (scan->reason == REJECT_NONE) {
        scan->reason = reason;
        /* Unescaped text is not in the record: its fault is where the record is. */
        scan->fault_at = (uint32_t)(at - scan->record);
        scan->why = why;
    }
    return (struct json_cursor){NULL, NULL};
}

static const char *trim_blank_end(const char *record, size_t bytes)
{
    const char *last = record + bytes - 1;

    while (last > record && json_scan_is_blank(*last))
        last--;
    return last;
}

struct json_cursor json_scan_begin(struct json_scan *scan, const char *record, size_t bytes)
{
    struct json_index index;
    const char *at = record;

    scan->record = record;
    scan->scratch_at = scan->scratch;
    scan->reason = REJECT_NONE;
    scan->fault_at = 0;
    scan->why = "";
    if (record == NULL || bytes == 0)
        return json_scan_fault(scan, REJECT_PARSE, record, "the record is empty");
    if (bytes > RECORD_BYTES_MAX)
        return json_scan_fault(scan, REJECT_SIZE, record + RECORD_BYTES_MAX,
                               "the record is longer than 1 MiB");
    scan->last = trim_blank_end(record, bytes);
    while (at < scan->last && json_scan_is_blank(*at))
        at++;
    if (at == scan->last && json_scan_is_blank(*at))
        return json_scan_fault(scan, REJECT_PARSE, record, "the record is empty");
    if (*at != '{' && *at != '[')
        return json_scan_fault(scan, REJECT_PARSE, at, "a record must be an object or an array");
    scan->index(record, (uint32_t)bytes, scan->quotes, &index);
    scan->quote_count = index.count;
    if (index.has_high) {
        size_t valid = utf8_valid_bytes(record, bytes);
        if (valid < bytes)
            return json_scan_fault(scan, REJECT_UTF8, record + valid, "the text is not UTF-8");
    }
    if (index.count % 2 != 0)
        return json_scan_fault(scan, REJECT_PARSE,
                               record + (scan->quotes[index.count - 1] & ~JSON_INDEX_ESCAPED),
                               "a string is not closed");
    if (index.control_at != UINT32_MAX)
        return json_scan_fault(scan, REJECT_PARSE, record + index.control_at,
                               "a control character in a string must be escaped");
    if (*scan->last != '}' && *scan->last != ']')
        return json_scan_fault(scan, REJECT_PARSE, scan->last,
                               "the record does not end with a closing bracket");
    return (struct json_cursor){at, scan->quotes};
}

const char json_scan_second[] = "another document follows the first";

bool json_scan_finish(struct json_scan *scan, struct json_cursor cursor)
{
    if (cursor.at <= scan->last) {
        const char *more = json_scan_blank(cursor.at);
        json_scan_fault(scan, REJECT_PARSE, more,
                        *more == '{' || *more == '[' ? json_scan_second
                                                     : "something follows the end of the document");
        return false;
    }
    return true;
}

void json_scan_new_event(struct json_scan *scan)
{
    struct json_names *names = scan->names;

    names->count = names->placed = 0;
    names->objects = 0;
    names->stamp++;
    if (names->stamp >> (32 - JSON_NAME_INDEX_BITS) != 0) {
        /* Stamps come round again, so old slots must go. */
        memset(names->slot, 0, sizeof(names->slot));
        names->stamp = 1;
    }
}

const char json_scan_twice[] = "a field comes twice in one object";

bool json_scan_count_name(struct json_scan *scan, const char *at)
{
    if (scan->names->count == RECORD_FIELDS_MAX) {
        json_scan_fault(scan, REJECT_SIZE, at, "more than 512 fields in one event");
        return false;
    }
    scan->names->count++;
    return true;
}

bool json_scan_place_name(struct json_scan *scan, uint32_t slot, struct json_name name,
                          const char *at)
{
    struct json_names *names = scan->names;
    uint32_t mask = (1u << JSON_NAME_INDEX_BITS) - 1;

    if (!json_scan_count_name(scan, at))
        return false;
    for (; names->slot[slot] >> JSON_NAME_INDEX_BITS == names->stamp;
         slot = (slot + 1) % JSON_NAME_SLOTS) {
        const struct json_name *other = &names->name[names->slot[slot] & mask];
        if (other->hash == name.hash && other->object == name.object && other->len == name.len &&
            memcmp(other->at, name.at, name.len) == 0) {
            json_scan_fault(scan, REJECT_SCHEMA, at, json_scan_twice);
            return false;
        }
    }
    names->slot[slot] = names->stamp << JSON_NAME_INDEX_BITS | names->placed;
    names->name[names->placed++] = name;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX at `at`, or -1. */
static int hex_code(const char *at, const char *end)
{
    int code = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* Appends the character of \uXXXX whose digits start at `at`; returns the end of
 * the escape (a second one for a surrogate pair), or NULL after a fault. */
static const char *unescape_unicode(struct json_scan *scan, const char *at, const char *end)
{
    int code = hex_code(at, end);

    if (code < 0) {
        json_scan_fault(scan, REJECT_PARSE, at, "four hexadecimal digits must follow \\u");
        return NULL;
    }
    if (code == 0) {
        json_scan_fault(scan, REJECT_PARSE, at, "\\u0000 is not allowed");
        return NULL;
    }
    at += 4;
    if (code >= 0xd800 && code <= 0xdfff) {
        int low = code <= 0xdbff && end - at >= 6 && at[0] == '\\' && at[1] == 'u'
                      ? hex_code(at + 2, end)
                      : -1;
        if (low < 0xdc00 || low > 0xdfff) {
            json_scan_fault(scan, REJECT_UTF8, at - 4, "half a surrogate pair");
            return NULL;
        }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    scan->scratch_at = utf8_put(scan->scratch_at, (unsigned)code);
    return at;
}

/* The character that a one-letter escape stands for; 0: there is no such escape. */
static char escape_char(char letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

bool json_scan_unescape(struct json_scan *scan, struct text *text)
{
    const char *at = text->at, *end = at + text->len, *begin = at;
    char *start = scan->scratch_at;

    while (at < end) {
        const char *backslash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((backslash != NULL ? backslash : end) - at);
        memcpy(scan->scratch_at, at, plain);
        scan->scratch_at += plain;
        if (backslash == NULL)
            break;
        /* A string never ends behind a lone backslash: its quote would be escaped. */
        at = backslash + 2;
        if (backslash[1] == 'u') {
            at = unescape_unicode(scan, at, end);
            if (at == NULL)
                return false;
            continue;
        }
        *scan->scratch_at = escape_char(backslash[1]);
        if (*scan->scratch_at++ == 0) {
            json_scan_fault(scan, REJECT_PARSE, backslash, "no such escape");
            return false;
        }
    }
    text->at = start;
    text->len = (uint32_t)(scan->scratch_at - start);
    if (text->len > RECORD_STRING_BYTES_MAX) {
        json_scan_fault(scan, REJECT_SIZE, begin, "a string is longer than 64 KiB");
        return false;
    }
    return true;
}

bool json_scan_rare_string(struct json_scan *scan, struct json_cursor *cursor, struct text *text)
{
    const char *end = scan->record + (cursor->quote[1] & ~JSON_INDEX_ESCAPED);

    *text = (struct text){cursor->at + 1, (uint32_t)(end - cursor->at - 1)};
    cursor->at = end + 1;
    cursor->quote += 2;
    return json_scan_unescape(scan, text);
}

struct json_cursor json_scan_literal(struct json_scan *scan, struct json_cursor cursor)
{
    static const struct text literals[] = {{"true", 4}, {"false", 5}, {"null", 4}};
    size_t left = (size_t)(scan->last - cursor.at); /* the last byte is a bracket */

    for (int i = 0; i < 3; i++) {
        if (left >= literals[i].len && memcmp(cursor.at, literals[i].at, literals[i].len) == 0) {
            cursor.at += literals[i].len;
            return cursor;
        }
    }
    return json_scan_fault(scan, REJECT_PARSE, cursor.at, "this is not a JSON value");
}

struct json_cursor json_scan_number(struct json_scan *scan, struct json_cursor cursor,
                                    struct json_number *number)
{
    const char *end = json_number_scan(cursor.at, scan->last, number);
    double value;

    if (end == NULL)
        return json_scan_fault(scan, REJECT_PARSE, cursor.at, "this is not a JSON value");
    if (__builtin_expect(number->exponent > EXPONENT_SAFE, 0) &&
        !json_number_to_double(number, scan->scratch_at, &value))
        return json_scan_fault(scan, REJECT_PARSE, cursor.at, "a number is too large");
    cursor.at = end;
    return cursor;
}

/* A value that is neither object nor array. */
static struct json_cursor skip_plain(struct json_scan *scan, struct json_cursor cursor)
{
    struct json_number number;
    struct text text;

    switch (*cursor.at) {
    case '"':
        if (!json_scan_string(scan, &cursor, &text))
            cursor.at = NULL;
        return cursor;
    case 't':
    case 'f':
    case 'n':
        return json_scan_literal(scan, cursor);
    default:
        return json_scan_number(scan, cursor, &number);
    }
}

/* Iterative, so that depth costs no stack: one bit and one number per level. */
struct json_cursor json_scan_skip(struct json_scan *scan, struct json_cursor cursor, unsigned depth)
{
    uint32_t object[RECORD_DEPTH_MAX + 1];
    char close[RECORD_DEPTH_MAX + 1];
    unsigned floor = depth;
    struct text name;

    for (;;) {
        bool is_container = *cursor.at == '{' || *cursor.at == '[';
        if (is_container) {
            if (++depth > RECORD_DEPTH_MAX)
                return json_scan_fault(scan, REJECT_DEPTH, cursor.at,
                                       "nested deeper than 32 levels");
            close[depth] = *cursor.at == '{' ? '}' : ']';
            object[depth] = ++scan->names->objects;
            cursor.at = json_scan_blank(cursor.at + 1);
            if (*cursor.at == close[depth]) {
                cursor.at++;
                depth--;
                is_container = false;
            }
        } else {
            cursor = skip_plain(scan, cursor);
            if (cursor.at == NULL)
                return cursor;
        }
        /* Behind a value: close what ends here, until an item follows. */
        while (!is_container) {
            if (depth == floor)
                return cursor;
            enum json_step step = json_scan_step(scan, &cursor, close[depth]);
            if (step == JSON_STEP_FAULT)
                return (struct json_cursor){NULL, NULL};
            if (step == JSON_STEP_MORE)
                break;
            depth--;
        }
        if (close[depth] == '}') {
            const char *at = cursor.at;
            if (!json_scan_name(scan, &cursor, &name) ||
                !json_scan_add_name(scan, object[depth], name, json_scan_head(scan, name), at))
                return (struct json_cursor){NULL, NULL};
        }
    }
}
