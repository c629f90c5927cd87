/*
 * import_sigma_correlation.h - one correlation of Sigma while it is converted; shared by
 *
 *   import_sigma_correlation.c  the rules that it is about, and the rule that it becomes
 *   import_sigma_group.c        group-by and aliases: the key
 *   import_sigma_count.c        timespan and condition
 *   import_sigma_chain.c        the rules that it is made of, where one is a correlation
 */
#ifndef DAEMON_IMPORT_SIGMA_CORRELATION_H
#define DAEMON_IMPORT_SIGMA_CORRELATION_H

#include "daemon/import_sigma.h"

enum correlation_type { EVENT_COUNT, VALUE_COUNT, TEMPORAL, TEMPORAL_ORDERED };

/* An alias that stands for different fields: a label that enrich steps make of them. (In a chain
 * also a field of group-by by which the rules are grouped under different names.) */
struct correlation_alias {
    struct text name;
    struct span span;
    const char *id;              /* of the first step, "sigma-alias-who" */
    const char *label;           /* labels["sigma-alias-who"] */
    struct import_target *field; /* of each base */
};

struct correlation {
    struct sigma *sigma;
    struct sigma_rule *rule;
    const struct yaml_node *map;
    enum correlation_type type;
    struct sigma_rule **base; /* what it correlates */
    uint32_t base_count;
    bool is_chain;              /* one of them is a correlation */
    struct correlation *parent; /* the chain that it is a part of; NULL: a rule that is told */
    struct correlation **part;  /* in a chain, of each base: the correlation, or NULL */
    const char **part_id;       /* and the id of the rule that it becomes */
    uint32_t part_count;        /* of the whole chain, in the correlation without a parent */
    struct import_target by[SIGMA_BY_MAX];
    struct text by_name[SIGMA_BY_MAX]; /* what group-by calls it; empty: added by the chain */
    uint32_t by_count;
    struct correlation_alias alias[SIGMA_BY_MAX];
    uint32_t alias_count;
    const struct yaml_node *timespan;
    const char *when;             /* "count() > 5 && count() <= 9"; NULL: nothing is asked */
    int64_t count_min, count_max; /* what the condition lets through; INT64_MAX: any more */
    struct import_target field;   /* of value_count */
    struct expr_build expr;
};

/* Leaves the correlation out: a finding at its place. Returns false. */
bool correlation_refuse(struct correlation *c, struct span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each reads its keys; false, and found, when they cannot be carried over. */
bool correlation_read_by(struct correlation *c);
bool correlation_read_timespan(struct correlation *c);
bool correlation_read_condition(struct correlation *c);

/* Whether a window, or steps, can hold what was read. */
bool correlation_check_count(struct correlation *c);
bool correlation_check_steps(struct correlation *c);

/* The steps that make the labels of aliases, once all else is good; those of its parts first. */
bool correlation_add_steps(struct correlation *c);

/* What of the events of base `i` is called `name`. In a chain: of its incidents, if it is a
 * correlation. */
bool correlation_field(struct correlation *c, uint32_t i, struct text name, struct span span,
                       struct import_target *out);

/* The events of base `i`: the `where` of the rule, or of all that it is made of. */
struct expr *correlation_base_expr(struct correlation *c, uint32_t i, struct expr_build *expr);

/* Reads the keys of a correlation. */
bool correlation_read_all(struct correlation *c);

/* The rule, behind those that it is made of. */
bool correlation_put_rule(struct correlation *c, const char *id, struct import_text *entry);
void correlation_put_by(struct correlation *c, const struct import_target *more,
                        struct import_text *entry);
void correlation_put_title(struct correlation *c, const struct sigma_rule *rule,
                           struct import_text *entry);

/* ---- import_sigma_chain.c ---- */

/* What stays of a chain until all rules are converted. */
struct sigma_chain {
    struct sigma_chain *next;
    const struct import_made *made;
    const char *ids; /* of its parts, quoted and joined */
    uint32_t count;
};

/* How parts close: each time that they come true is an incident of its own. */
#define CHAIN_PART_CLOSE "fewer(1, 1ms)"

/* Whether an incident shows this field of its key to the rules that look at it. */
bool chain_is_shown(struct correlation *c, const struct import_target *field, struct span span);

/* Reads base `i` where it is a correlation. */
bool chain_read_part(struct correlation *c, uint32_t i, struct span span);

/* Has a part grouped by one more field, and what it is made of. */
bool chain_add_key(struct correlation *part, struct import_target key, struct span span);

/* Where base `i` is first named: one that is named again is the same rule, which is made once. */
uint32_t chain_first(const struct correlation *c, uint32_t i);

/* The rules that a chain is made of. */
bool chain_put_parts(struct correlation *c, struct import_text *entry);

/* Remembers a chain whose rules are in the result, and says how it differs. */
void chain_note(struct correlation *c, struct import_made *made);

/* Aliases that do nothing. */
void correlation_find_unused_aliases(struct correlation *c);

#endif
