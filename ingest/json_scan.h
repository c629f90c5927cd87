/*
 * json_scan.h - walks one record, token by token, checking every byte of it.
 *
 * The walk has two hands: `at`, a byte outside of strings, and `quote`, the index
 * entry of the next quote (json_index.h). When `at` is on a quote, `quote` is its
 * entry and the next one closes the string.
 *
 * Two facts keep the walk inside the record without a check per byte:
 * json_scan_begin() made sure that the last byte that is no blank closes an
 * object or an array and lies outside of strings. So whatever is followed by more
 * (a key, a value, a comma, a colon) may look at the next byte unasked; only
 * behind a closing bracket must one ask.
 *
 * A fault is noted once in the scan (the first one counts) and travels up as a
 * cursor whose `at` is NULL.
 *
 * Owner:  a scan's memory is taken by json_scan_init() for the largest record
 *         that is allowed; pages that were never needed cost nothing.
 * Thread: one.
 */
#ifndef INGEST_JSON_SCAN_H
#define INGEST_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/bytes.h"
#include "base/event.h"
#include "ingest/json_index.h"
#include "ingest/json_number.h"

struct json_cursor {
    const char *at; /* NULL: the record is refused */
    const uint32_t *quote;
};

enum { JSON_NAME_SLOTS = 2 * RECORD_FIELDS_MAX };

/* The names of one event, to find repeated ones: an open hash table whose slots
 * are emptied all at once by a new stamp. */
struct json_names {
    uint32_t field_count;           /* names in this event, all depths */
    uint32_t count;                 /* of these, entries of name[] */
    uint32_t stamp;                 /* of this event, in the upper bits of a slot */
    uint32_t objects;               /* objects numbered so far */
    uint32_t slot[JSON_NAME_SLOTS]; /* stamp | index into name[] */
    struct json_name {
        const char *at;
        uint32_t len;
        uint32_t hash;
        uint32_t object;
    } name[RECORD_FIELDS_MAX];
};

struct json_scan {
    const char *record;
    const char *last; /* the last byte that is no blank */
    uint32_t *quotes; /* the index */
    uint32_t quote_count;
    json_index_fn index;
    char *scratch; /* unescaped strings of this record */
    char *scratch_at;
    struct json_names *names;      /* of what is read now: one of the next two */
    struct json_names event_names; /* of one event */
    struct json_names outer_names; /* of an envelope around events */
    enum reject_reason reason;     /* the fault, REJECT_NONE: none */
    uint32_t fault_at;
    const char *why;
};

/* Errors: false when memory is short; json_scan_release() is due even then. */
bool json_scan_init(struct json_scan *scan, json_index_fn index);
void json_scan_release(struct json_scan *scan);

/* Starts on a record: limits, quotes, UTF-8. On success the cursor stands on the
 * first byte that is no blank, which is '{' or '['. */
struct json_cursor json_scan_begin(struct json_scan *scan, const char *record, size_t bytes);

/* The record must end where the cursor stands. */
bool json_scan_finish(struct json_scan *scan, struct json_cursor cursor);

/* A new event starts: count and names of scan->names are forgotten. */
void json_scan_new_event(struct json_scan *scan);

/* Notes a fault at `at`, returns the cursor that says so. */
struct json_cursor json_scan_fault(struct json_scan *scan, enum reject_reason reason,
                                   const char *at, const char *why);

/* Unescapes text[0..len) into the scratch and checks its length. False: a fault. */
bool json_scan_unescape(struct json_scan *scan, struct text *text);

/* Counts a name of object `object` and refuses it when it came before. */
bool json_scan_add_name(struct json_scan *scan, uint32_t object, struct text name, const char *at);

/* Checks a whole value and steps behind it. `depth`: containers open around it. */
struct json_cursor json_scan_skip(struct json_scan *scan, struct json_cursor cursor,
                                  unsigned depth);

/* Steps behind a literal: true, false, null. */
struct json_cursor json_scan_literal(struct json_scan *scan, struct json_cursor cursor);

/* Reads a number, refusing one that no double can hold. */
struct json_cursor json_scan_number(struct json_scan *scan, struct json_cursor cursor,
                                    struct json_number *number);

static inline bool json_scan_is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *json_scan_blank(const char *at)
{
    while (__builtin_expect((unsigned char)*at <= ' ', 0) && json_scan_is_blank(*at))
        at++;
    return at;
}

/* The string that starts at cursor->at, unescaped; the cursor moves behind it. */
static inline bool json_scan_string(struct json_scan *scan, struct json_cursor *cursor,
                                    struct text *text)
{
    uint32_t close = cursor->quote[1];
    const char *end = scan->record + (close & ~JSON_INDEX_ESCAPED);

    text->at = cursor->at + 1;
    text->len = (uint32_t)(end - text->at);
    cursor->at = end + 1;
    cursor->quote += 2;
    if (__builtin_expect((close & JSON_INDEX_ESCAPED) != 0 || text->len > RECORD_STRING_BYTES_MAX,
                         0))
        return json_scan_unescape(scan, text);
    return true;
}

/* A name and its colon; the cursor moves to the value. */
static inline bool json_scan_name(struct json_scan *scan, struct json_cursor *cursor,
                                  struct text *name)
{
    if (__builtin_expect(*cursor->at != '"', 0)) {
        json_scan_fault(scan, REJECT_PARSE, cursor->at, "a name in quotes is missing");
        return false;
    }
    if (!json_scan_string(scan, cursor, name))
        return false;
    cursor->at = json_scan_blank(cursor->at);
    if (__builtin_expect(*cursor->at != ':', 0)) {
        json_scan_fault(scan, REJECT_PARSE, cursor->at, "a colon is missing");
        return false;
    }
    cursor->at = json_scan_blank(cursor->at + 1);
    return true;
}

enum json_step { JSON_STEP_MORE, JSON_STEP_END, JSON_STEP_FAULT };

/* Behind a value: steps over a comma to the next item, or over `close`. */
static inline enum json_step json_scan_step(struct json_scan *scan, struct json_cursor *cursor,
                                            char close)
{
    const char *at = cursor->at;

    /* Behind a closing bracket the record may be over. */
    if (__builtin_expect(at > scan->last, 0)) {
        json_scan_fault(scan, REJECT_PARSE, scan->last, "the record ends too early");
        return JSON_STEP_FAULT;
    }
    at = json_scan_blank(at);
    if (*at == ',') {
        cursor->at = json_scan_blank(at + 1);
        return JSON_STEP_MORE;
    }
    if (__builtin_expect(*at != close, 0)) {
        json_scan_fault(scan, REJECT_PARSE, at, "a comma or a closing bracket is missing");
        return JSON_STEP_FAULT;
    }
    cursor->at = at + 1;
    return JSON_STEP_END;
}

#endif
