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

enum {
    JSON_NAME_INDEX_BITS = 10, /* of a slot: which entry of name[] */
    JSON_NAME_SLOTS = 2 * RECORD_FIELDS_MAX,
};

/* The names of one event, to find repeated ones: an open hash table whose slots
 * are emptied all at once by a new stamp. */
struct json_names {
    uint32_t count;                 /* names of the event, the known ones aside */
    uint32_t placed;                /* of them in the table; those of name_table.h need none */
    uint32_t stamp;                 /* of this event, in the upper bits of a slot */
    uint32_t objects;               /* objects numbered so far */
    uint32_t slot[JSON_NAME_SLOTS]; /* stamp, index into name[] */
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

/* Why a record is refused that holds one document behind another, or a name twice. */
extern const char json_scan_second[];
extern const char json_scan_twice[];

/* The record must end where the cursor stands. */
bool json_scan_finish(struct json_scan *scan, struct json_cursor cursor);

/* A new event starts: count and names of scan->names are forgotten. */
void json_scan_new_event(struct json_scan *scan);

/* Notes a fault at `at`, returns the cursor that says so. */
struct json_cursor json_scan_fault(struct json_scan *scan, enum reject_reason reason,
                                   const char *at, const char *why);

/* Unescapes text[0..len) into the scratch and checks its length. False: a fault. */
bool json_scan_unescape(struct json_scan *scan, struct text *text);

/* One more name that the table of names need not hold. False: it is one too many. */
bool json_scan_count_name(struct json_scan *scan, const char *at);

/* Adds a name to object `object`; false when it came before, or when there are too
 * many. `head`: its first eight bytes. The slow half of json_scan_add_name(). */
bool json_scan_place_name(struct json_scan *scan, uint32_t slot, struct json_name name,
                          const char *at);

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

/* The slow half of json_scan_string(): one with an escape, or one that is too long. */
bool json_scan_rare_string(struct json_scan *scan, struct json_cursor *cursor, struct text *text);

/* The string that starts at cursor->at, unescaped; the cursor moves behind it. */
static inline bool json_scan_string(struct json_scan *scan, struct json_cursor *cursor,
                                    struct text *text)
{
    const char *from = cursor->at + 1;
    /* A mark of an escape makes the length larger than any that is allowed. */
    uint32_t len = cursor->quote[1] - (uint32_t)(from - scan->record);

    if (__builtin_expect(len > RECORD_STRING_BYTES_MAX, 0))
        return json_scan_rare_string(scan, cursor, text);
    *text = (struct text){from, len};
    cursor->at = from + len + 1;
    cursor->quote += 2;
    return true;
}

/* The first eight bytes of a name, zeros behind a shorter one. One load does for all
 * but the last names of a record; what it reads behind a name is masked. Unescaped
 * names are in the scratch, which has room behind every name. */
static inline uint64_t json_scan_head(const struct json_scan *scan, struct text name)
{
    if (__builtin_expect((intptr_t)scan->last - (intptr_t)name.at < 8, 0))
        return bytes_load_short(name.at, name.len);
    uint32_t len = name.len < 8 ? name.len : 8;
    /* Two shifts, because one by 64 is undefined. */
    return bytes_load64(name.at) & ~(~0ULL << 4 * len << 4 * len);
}

/* Adds a name of object `object` to the names of the event. False: it came before,
 * or there are too many; the fault is noted. `head` as of json_scan_head(). */
static inline bool json_scan_add_name(struct json_scan *scan, uint32_t object, struct text name,
                                      uint64_t head, const char *at)
{
    struct json_names *names = scan->names;
    uint64_t tail = name.len > 8 ? bytes_load64(name.at + name.len - 8) : 0;
    /* Ends and length spread a name; the middle is left to the comparison. */
    uint64_t hash = (head ^ ((uint64_t)object << 32 | name.len)) * 0x9e3779b97f4a7c15ULL;
    hash = ((hash ^ hash >> 32) + tail) * 0xd6e8feb86659fd93ULL;
    uint32_t slot = (uint32_t)(hash >> 54);
    struct json_name it = {name.at, name.len, (uint32_t)(hash >> 22), object};

    if (__builtin_expect(names->count == RECORD_FIELDS_MAX ||
                             names->slot[slot] >> JSON_NAME_INDEX_BITS == names->stamp,
                         0))
        return json_scan_place_name(scan, slot, it, at);
    names->slot[slot] = names->stamp << JSON_NAME_INDEX_BITS | names->placed;
    names->name[names->placed++] = it;
    names->count++;
    return true;
}

/* A name as it mostly comes: no blank before the colon or behind it, no escape, of one to
 * `len_max` bytes, and with as many as JSON_NAME_SPARE of the record from its first one on, which
 * whoever asked may read. The cursor moves to the value. False, with nothing done, for all else. */
enum { JSON_NAME_SPARE = 32 };

static inline bool json_scan_short_name(const struct json_scan *scan, struct json_cursor *cursor,
                                        uint32_t len_max, struct text *name)
{
    const char *at = cursor->at + 1;

    if (__builtin_expect(scan->last - at < JSON_NAME_SPARE + 3 || at[-1] != '"', 0))
        return false;
    /* A mark of an escape makes the length larger than any that is allowed. */
    uint32_t len = cursor->quote[1] - (uint32_t)(at - scan->record);
    if (__builtin_expect(len - 1 >= len_max || at[len + 1] != ':' || at[len + 2] <= ' ', 0))
        return false;
    *name = (struct text){at, len};
    cursor->at = at + len + 2;
    cursor->quote += 2;
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
