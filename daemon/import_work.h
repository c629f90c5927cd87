/*
 * import_work.h - what the importers share while they convert: where findings and entries go.
 */
#ifndef DAEMON_IMPORT_WORK_H
#define DAEMON_IMPORT_WORK_H

#include "base/arena.h"
#include "base/vector.h"
#include "daemon/import.h"
#include "daemon/import_expr.h"
#include "daemon/import_index.h"
#include "rules/yaml_reader.h"

struct import_work {
    const struct import_input *input;
    struct import_result *out;
    struct arena *arena;        /* YAML nodes */
    struct script *scripts;     /* one per file */
    struct import_pool pool;    /* what the result points at */
    struct import_pool scratch; /* of one rule: import_scratch_reset() */
    const struct yaml_node **documents;
    size_t document_count;
    VECTOR_OF(struct import_finding) findings;
    VECTOR_OF(struct import_made *) made;
    VECTOR_OF(struct import_part *) parts;
    size_t flushed;               /* of them, those that the engine has seen */
    struct import_index ids;      /* how often each was asked for */
    struct import_text sets_text; /* the section `sets` of the result */
    struct import_text sets_stub; /* the same with one word in each, to show entries with */
    uint32_t set_count;
    uint32_t mute_count;
    uint32_t hint_count;            /* asked for */
    const struct import_made *over; /* the first for which the result has no room; NULL: none */
    struct import_text text;
    struct import_entry *entries;   /* of the result */
    struct import_made **taken;     /* what they were made of */
    struct import_written *written; /* where they stand in the text, in its order */
    size_t written_count;
    size_t made_bytes; /* of all entries, taken or not */
};

/* Where an entry stands in the result's text, and what it was made of. */
struct import_written {
    struct import_made *made;
    size_t begin;
};

/* Adds a finding unless the same one is there. The format makes the reason. */
void import_find(struct import_work *work, struct span span, enum import_effect effect,
                 const char *construct, const char *why, ...) __attribute__((format(printf, 5, 6)));

/* A construct's name: "key %.80s". It lives as long as the result. */
#define import_name(work, ...) import_pool_format(&(work)->pool, __VA_ARGS__)

/* A key of a map that is not carried over. */
void import_ignore_key(struct import_work *work, const struct yaml_node *node, const char *why);

/* The end of a sentence about a name that is none, `; did you mean "selection"?`, of those that
 * could stand there: words, the keys of a map, what is in an index. Empty where none is near, and
 * once IMPORT_HINTS_MAX have been asked for; of the keys and the index the first
 * IMPORT_NEAR_MAX are looked at. It lives as long as the result. */
enum { IMPORT_HINTS_MAX = 1000, IMPORT_NEAR_MAX = 500 };
const char *import_near(struct import_work *work, struct text name, const char *const *known,
                        size_t count);
const char *import_near_key(struct import_work *work, struct text name,
                            const struct yaml_node *map);
const char *import_near_index(struct import_work *work, struct text name,
                              const struct import_index *index);

/* The words of YAML 1.1 for true and false, which those who wrote the files had. False: it is
 * neither.
 */
bool import_read_bool(const struct yaml_node *node, bool *out);

/* An id made of words of a title that no entry has yet: "sigma-many-failed-logins", and "-2". */
const char *import_id(struct import_work *work, const char *prefix, struct text title);

/* What is in the result as a part of entries and as nothing else. */
struct import_part {
    struct span span;
    const char *construct;
    const char *without; /* the reason of the finding that it is where no entry has it */
    bool is_carried;     /* known once all entries are settled */
};

/* Adds a part; it lives as long as the result. */
struct import_part *import_part_add(struct import_work *work, struct span span,
                                    const char *construct, const char *without);

/* One entry on its way into the result. */
struct import_made {
    struct import_entry entry;
    struct span span;
    const char *construct;
    struct span differs_span;
    const char *differs; /* a finding that it brings when it is taken; NULL: none */
    const char *without; /* what that means where it is not taken; NULL: that it is not there */
    struct import_part **parts; /* which are in the result if it is */
    uint32_t part_count;
    bool is_refused; /* known after import_flush(), unless it is of the whole */
};

/* Adds an entry and takes both texts. It is shown to the engine later, many at once, and what the
 * engine refuses becomes a finding in its place.
 * Returns what is known of it; it lives as long as the result. */
struct import_made *import_add(struct import_work *work, enum import_section section,
                               const char *id, struct import_text *comment,
                               struct import_text *entry, struct span span, const char *construct);

/* Shows the engine what was added since the last time. */
void import_flush(struct import_work *work);

/* Whether the engine takes this text, and why not. */
bool import_is_taken(struct import_work *work, const char *text, size_t bytes, const char **why);

/* True when a bound of the result is reached: whatever is converted from here on is in vain. */
bool import_is_over(const struct import_work *work);

/* Says how far it is, to who wants to know. */
void import_tell(const struct import_work *work, size_t done, size_t total);

/* `rule in ["a", "b"]` of a list of quoted ids; many have a name under `sets`. NULL: there are as
 * many names as a file may have. */
const char *import_rules_term(struct import_work *work, const char *words, uint32_t count);

/* A comment line of an entry: "  # WORD: value" on one line. */
void import_comment(struct import_text *comment, const char *word, struct text value);

/* Frees what one rule needed. */
void import_scratch_reset(struct import_work *work);

static inline struct text import_word(const char *word)
{
    return (struct text){word, (uint32_t)__builtin_strlen(word)};
}

/* The importers: daemon/import_sigma.c, daemon/import_alertmanager.c. */
void import_sigma(struct import_work *work);
void import_alertmanager(struct import_work *work);

#endif
