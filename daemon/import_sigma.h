/*
 * import_sigma.h - the parts of the Sigma importer (specification 2.0 of SigmaHQ).
 *
 *   import_sigma.c              documents, names, metadata, rules that stand alone
 *   import_sigma_correlation.c  event_count, value_count, temporal, temporal_ordered
 *   import_sigma_group.c        their group-by and aliases
 *   import_sigma_count.c        their timespan and condition
 *   import_sigma_chain.c        correlations of correlations
 *   import_sigma_condition.c    `selection and not 1 of filter*`
 *   import_sigma_detection.c    search identifiers: maps and lists of fields
 *   import_sigma_field.c        one field with modifiers and values
 *   import_sigma_value.c        wildcards, Base64, UTF-16, address ranges
 *
 * What cannot be carried over is found at its place, and the function that met it returns
 * NULL (or false): the rule is then left out by whoever asked for it.
 *
 * Source: github.com/SigmaHQ/sigma-specification, rules, correlation rules and modifiers 2.0.
 */
#ifndef DAEMON_IMPORT_SIGMA_H
#define DAEMON_IMPORT_SIGMA_H

#include "daemon/import_work.h"

enum {
    SIGMA_DEPTH_MAX = 32,             /* parentheses of a condition */
    SIGMA_CONDITION_BYTES_MAX = 4096, /* of one condition */
    SIGMA_STEPS_MAX = 8,              /* rules of a temporal correlation */
    SIGMA_BY_MAX = 7,                 /* and the tenant */
    SIGMA_MEMBERS_MAX = 100000,       /* entries that a window can hold */
    SIGMA_MEMBERS_DEFAULT = 1000,
    SIGMA_VALUES_EXACT = 1000,   /* of distinct(), in a window that is full */
    SIGMA_ENRICH_MAX = 1000,     /* enrich steps of a set */
    SIGMA_PARTS_MAX = 16,        /* rules that a chain is made of, over others too */
    SIGMA_ALL_PARTS_MAX = 5000,  /* of all chains of a set */
    SIGMA_ALL_BASES_MAX = 10000, /* rules that correlations in chains refer to, in all */
};

enum sigma_kind { SIGMA_DETECTION, SIGMA_CORRELATION, SIGMA_OTHER };

struct sigma_rule {
    const struct yaml_node *document;
    enum sigma_kind kind;
    struct text title, name, id; /* empty where not given */
    const char *construct;       /* for findings: rule "Many logins" */
    uint8_t level;               /* 0: none, 1 informational ... 5 critical */
    bool is_referenced;
    bool is_generated;        /* a correlation asks for it as a rule of its own, too */
    struct import_part *part; /* of one that is referred to and not generated; else NULL */
};

struct sigma_chain; /* daemon/import_sigma_correlation.h */

struct sigma {
    struct import_work *work;
    struct sigma_rule *rules;
    size_t count;
    struct import_index names; /* name or id -> rule; an id that stands twice: the first */
    uint32_t step_count;       /* enrich steps that make labels of aliases */
    uint32_t part_count;       /* of all chains */
    uint32_t part_base_count;  /* what correlations in chains refer to */
    struct sigma_chain *first_chain, *last_chain; /* in the order of the result */
};

/* One condition under construction. */
struct sigma_build {
    struct import_work *work;
    struct expr_build expr;
    const struct yaml_node *detection; /* the map of search identifiers */
    bool used[YAML_KEYS_MAX];          /* by a condition; in the order of the map */
};

/* The `where` of a detection rule: logsource and condition. NULL: found and told. */
struct expr *sigma_rule_where(struct sigma *sigma, const struct sigma_rule *rule,
                              struct expr_build *expr);

/* Lines about where a rule comes from; `what` is how the first one begins. */
void sigma_rule_comment(struct sigma *sigma, const struct sigma_rule *rule, const char *what,
                        struct import_text *comment);

/* The same for a rule that a correlation is made of, with all that it says about itself. */
void sigma_base_comment(struct sigma *sigma, const struct sigma_rule *rule,
                        struct import_text *comment);

/* What its logsource says about itself. */
void sigma_source_comment(const struct sigma_rule *rule, struct import_text *comment);

/* The title as a title of tocsin, with braces doubled. */
void sigma_title(const struct sigma_rule *rule, struct import_text *to);

/* "description: ..." where the rule has one. */
void sigma_rule_description(struct sigma *sigma, const struct sigma_rule *rule,
                            struct import_text *entry);

/* P1 to P5. */
const char *sigma_priority(uint8_t level);

/* import_sigma_correlation.c: converts one correlation rule and marks those it refers to.
 * sigma_correlation_refer() has been called for all before. */
void sigma_correlation_refer(struct sigma *sigma, struct sigma_rule *rule);
void sigma_correlation_convert(struct sigma *sigma, struct sigma_rule *rule);

/* import_sigma_chain.c: what is known once all are converted: a maintenance window keeps what
 * chains are made of from being told. */
void sigma_chains_finish(struct sigma *sigma);

/* import_sigma_condition.c: a scalar of the condition language. */
struct expr *sigma_condition(struct sigma_build *build, const struct yaml_node *node);

/* import_sigma_detection.c: one search identifier, which from now on counts as used; and what
 * stands below one. */
struct expr *sigma_search_named(struct sigma_build *build, const struct yaml_node *node);
struct expr *sigma_search(struct sigma_build *build, const struct yaml_node *node);

/* import_sigma_field.c: `key: value` of a map, or with `key` NULL words without a field. */
struct expr *sigma_field(struct sigma_build *build, const struct yaml_node *key,
                         const struct yaml_node *value);

/* ---- import_sigma_value.c ---- */

/* A text of Sigma: bytes, some of them wildcards. */
struct sigma_text {
    char *at;
    uint8_t *wildcard; /* 0, '*' or '?' */
    uint32_t count;
    bool open_front, open_back; /* anything may come before, after */
};

/* Reads escapes and wildcards; a `*` at either end becomes an open end. */
struct sigma_text sigma_text_read(struct text from, struct import_pool *pool);

/* Bytes without wildcards. */
struct sigma_text sigma_text_plain(struct text text);
bool sigma_text_has_wildcard(const struct sigma_text *text);
bool sigma_text_has_letter(const struct sigma_text *text); /* ASCII, or anything beyond it */

/* As a regular expression, without flags: "^a.*b$". */
void sigma_text_pattern(const struct sigma_text *text, bool windash, struct import_text *to);

enum sigma_encoding { UTF16_NONE, UTF16_LE, UTF16_BE, UTF16_MARK };

/* The bytes in UTF-16. False when they are no UTF-8. */
bool sigma_utf16(struct text from, enum sigma_encoding encoding, struct import_text *to);

/* Base64; with an `offset` of 0 to 2 what stays the same wherever the bytes lie behind that many
 * others (modulo 3) inside a longer text. */
void sigma_base64(struct text from, struct import_text *to);
void sigma_base64_offset(struct text from, unsigned offset, struct import_text *to);

/* The pattern or prefix of an IPv4 range: true with text in `to`; *is_prefix says which.
 * False: `why`. */
bool sigma_cidr(struct text text, struct import_text *to, bool *is_prefix, const char **why);

#endif
