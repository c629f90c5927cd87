/*
 * rule_reader.h - one rule of a YAML file into its compiled form.
 */
#ifndef RULES_RULE_READER_H
#define RULES_RULE_READER_H

#include "rules/load_work.h"
#include "rules/program.h"
#include "rules/rule_set.h"
#include "rules/title.h"
#include "rules/yaml_reader.h"

enum {
    RULE_ID_BYTES_MAX = 100,
    RULE_KEYS_DEFAULT = 100000,
    RULE_KEYS_MAX = 10000000,
    RULE_MEMBERS_DEFAULT = 1000,
    RULE_MEMBERS_MAX = 100000,
    RULE_DROPS_MAX = 200, /* enrich steps that a rule is compared with */
    RULE_DROPS_WORDS = (RULE_DROPS_MAX + 63) / 64,
};

/* One of the rules that a composite is made of. */
struct composite_name {
    const char *id;
    struct span span; /* while loading */
    uint32_t index;   /* of that rule in the set */
};

/* The open part comes first: a pointer to one is a pointer to the other. */
struct compiled_rule {
    struct rule open;
    /* A cache line: what finding and watching a key takes. */
    _Alignas(64) struct program when;
    struct operand by[RULE_BY_MAX];
    struct program where, close;
    struct program *steps; /* of open.step */
    struct operand distinct[RULE_AGGREGATES_MAX];
    struct program argument[RULE_AGGREGATES_MAX]; /* of rule.argument_count */
    struct program last[RULE_LAST_MAX];           /* of rule.last_count */
    struct title title;
    struct composite_name *of; /* of open.of_count, by id */
    uint64_t
        apart[RULE_DROPS_WORDS]; /* of the first steps that drop: it drops nothing of the rule */
    struct id128 digest;         /* of id, form and settings: all that the file says about it */
    struct span id_span;         /* while loading */
    struct span by_span[RULE_BY_MAX];
    struct span *aggregate_span; /* while loading, of rules on incidents */
    struct compiled_rule *next;
};
_Static_assert(sizeof(struct program) + 2 * sizeof(struct operand) == 64,
               "`when` and the first two of `by` fill a line");

/* What rules of a file inherit that do not say it themselves. */
struct rule_bounds {
    uint32_t max_keys, max_members;
    int64_t max_window_ms;
    struct text max_window; /* as it is written */
};

struct drops; /* rules/drops.h */

/* Where things go while a set is built. */
struct rule_build {
    struct arena *arena;   /* of the set */
    struct arena *scratch; /* of one file */
    struct diagnostics *diag;
    struct label_slots *slots;
    uint32_t *var_parts;     /* see vars.h */
    uint32_t *deed_count;    /* entries of extract, set and remove, of a set */
    uint32_t *extract_work;  /* of their patterns */
    uint64_t *calendar_work; /* see recurrence.h; of all calendars of a set */
    struct load_work *work;  /* of all of a set */
    struct zone_book *zones; /* of all calendars of a set */
    struct patterns *patterns;
    struct lookups *lookups;
    struct drops *drops;             /* of all enrich steps of the set */
    const struct composite_ids *ids; /* of all rules of the set: whom `of` may name */
    struct rule_bounds bounds;       /* of one file */
};

/* Reads `bounds:` of a file, NULL where it has none, into build->bounds. What is wrong is
 * diagnosed. */
void rule_bounds_read(const struct yaml_node *node, struct rule_build *build);

/* Reads one entry of `rules:`. Everything that is wrong with it is diagnosed.
 * Errors: false. */
bool rule_read(const struct yaml_node *node, struct rule_build *build, struct compiled_rule *out);

/* Diagnoses every key of a map that is none of `known`. */
bool rule_check_keys(const struct yaml_node *map, const char *const *known, size_t count,
                     const char *what, struct diagnostics *diag);

#endif
