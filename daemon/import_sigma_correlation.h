/*
 * import_sigma_correlation.h - one correlation of Sigma while it is converted; shared by
 *
 *   import_sigma_correlation.c  the rules that it is about, and the rule that it becomes
 *   import_sigma_group.c        group-by and aliases: the key
 *   import_sigma_count.c        timespan and condition
 */
#ifndef DAEMON_IMPORT_SIGMA_CORRELATION_H
#define DAEMON_IMPORT_SIGMA_CORRELATION_H

#include "daemon/import_sigma.h"

enum correlation_type { EVENT_COUNT, VALUE_COUNT, TEMPORAL, TEMPORAL_ORDERED };

/* An alias that stands for different fields: a label that enrich steps make of them. */
struct correlation_alias {
    const struct yaml_node *node;
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
    struct import_target by[SIGMA_BY_MAX];
    uint32_t by_count;
    struct correlation_alias alias[SIGMA_BY_MAX];
    uint32_t alias_count;
    const struct yaml_node *timespan;
    struct import_text when;      /* "count() > 5 && count() <= 9" */
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

/* The steps that make the labels of aliases, once all else is good. */
bool correlation_add_steps(struct correlation *c);

/* Aliases that do nothing. */
void correlation_find_unused_aliases(struct correlation *c);

#endif
