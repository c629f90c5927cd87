/*
 * json_index.h - where the quotes of a record are, 64 bytes at a time.
 *
 * The scanner walks a record from quote to quote: what lies between two of them
 * is either a string, which needs no second look, or a few bytes of punctuation.
 *
 *   record   {"check":"a \"b\"","n":1}
 *   index     ^     ^ ^       * ^ ^            ^ position   * position | ESCAPED
 *
 * Quotes behind a backslash are no borders. The first quote after a backslash
 * carries JSON_INDEX_ESCAPED: the string that it closes has to be unescaped.
 * Positions mean something up to the first fault of syntax; the scanner finds
 * that fault before it uses a position behind it.
 *
 * There is a kernel for several instruction sets (base/isa.h); they find the same.
 * Thread: any.
 */
#ifndef INGEST_JSON_INDEX_H
#define INGEST_JSON_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/isa.h"

enum {
    JSON_INDEX_SLACK = 64, /* entries that a kernel may write behind the last one */
};
#define JSON_INDEX_ESCAPED 0x80000000u

struct json_index {
    uint32_t count;      /* quotes found */
    uint32_t control_at; /* first control character inside a string; UINT32_MAX: none */
    bool has_high;       /* some byte is not ASCII: UTF-8 must be checked */
};

/* Writes the positions of `record`'s quotes to `out`, which has room for
 * bytes + JSON_INDEX_SLACK entries. Reads no byte outside of the record. */
typedef void (*json_index_fn)(const char *record, uint32_t bytes, uint32_t *out,
                              struct json_index *index);

/* The kernel of this set, or of the largest one below it that has one of its own. */
json_index_fn json_index_of(enum isa isa);

#endif
