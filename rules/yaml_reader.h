/*
 * yaml_reader.h - YAML text in, a tree of nodes that know their place out.
 *
 * What is read is the plain part of YAML: maps, lists and scalars. Anchors,
 * aliases, tags and several documents in one file are refused: a person should
 * see what a file says without following references. (Foreign files may hold several
 * documents: yaml_read_documents().) Every scalar is text here;
 * the reader of a key decides what it has to look like.
 *
 * A scalar may be folded, quoted or a block, so the bytes of its value do not lie
 * where the bytes of the file do: yaml_node_span() maps them back, so that an
 * error inside an expression points at the right column of the file.
 *
 * Limits: those below; beyond them a file is refused.
 * Thread: one load, one thread.
 */
#ifndef RULES_YAML_READER_H
#define RULES_YAML_READER_H

#include <stdbool.h>
#include "base/arena.h"
#include "base/event.h"
#include "rules/diagnostics.h"

enum {
    YAML_BYTES_MAX = 4 << 20,
    YAML_DEPTH_MAX = 16,
    YAML_KEYS_MAX = 256, /* of one map */
    YAML_NODES_MAX = 500000,
    YAML_MARKS_MAX = 500000,    /* brackets and commas */
    YAML_DOCUMENTS_MAX = 20000, /* of a foreign file */
    YAML_LINE_BYTES_MAX = 64 << 10,
    YAML_EMPTY_LINES_MAX = 50, /* in a row */
    YAML_TAG_BYTES_MAX = 1024, /* tags are refused, but read first */
};

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    struct span span;            /* a list or map: its first byte */
    struct text text;            /* of a scalar, zero-terminated */
    const uint32_t *origin;      /* of each byte of text and its end; NULL: as in the file */
    const struct yaml_node *key; /* in a map: the key of this value */
    struct yaml_node *first, *last, *next; /* children, in the file's order */
    uint32_t count;
    bool is_plain; /* a scalar without quotes: null, true and 5 may be meant as such */
};

/* Reads the script into `arena`.
 * Errors: NULL, with at least one diagnosis. An empty file is an error too. */
struct yaml_node *yaml_read(const struct script *script, struct arena *arena,
                            struct diagnostics *diag);

/* The same for a file of several documents: a list of their roots, empty ones left out. */
struct yaml_node *yaml_read_documents(const struct script *script, struct arena *arena,
                                      struct diagnostics *diag);

/* Where bytes [from, to) of a scalar's text lie in the file. */
struct span yaml_node_span(const struct yaml_node *node, uint32_t from, uint32_t to);

/* The value of a map's key, NULL when there is none. */
const struct yaml_node *yaml_node_find(const struct yaml_node *map, const char *key);

/* "a list", "a map", "text": for messages. */
const char *yaml_kind_name(enum yaml_kind kind);

/* Where text is wanted and something else was found: what of it may have been meant as text and
 * lacks quotes, as the end of a sentence. */
const char *yaml_unquoted_hint(enum yaml_kind kind);

#endif
