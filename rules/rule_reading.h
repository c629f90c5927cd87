/*
 * rule_reading.h - what the readers of one rule share: rule_reader.c reads the keys that all
 * rules have, rule_form_<name>.c those of one form.
 *
 * Whoever finds a mistake diagnoses it, spoils the reading and goes on, so that one load shows
 * many mistakes.
 *
 * Thread: as rule_read().
 */
#ifndef RULES_RULE_READING_H
#define RULES_RULE_READING_H

#include "rules/ast.h"
#include "rules/rule_reader.h"
#include "rules/types.h"

/* One rule while it is read. */
struct reading {
    struct rule_build *build;
    const struct yaml_node *node;
    struct compiled_rule *rule;
    struct vars vars;
    struct scope when;                /* its aggregates are needed by the title */
    struct ast *when_ast, *where_ast; /* of all of the rule's events; NULL: not good */
    struct rule_bounds bounds;        /* of this rule */
    bool has_title;                   /* `when` is good, or there is none: the title can be read */
    bool names_unknown;               /* `of` names a rule that there is not */
    bool is_good;
};

enum { FORM_KEYS_MAX = 8 };

/* How a form is read. A rule has the form whose key it has. */
struct rule_form_reader {
    enum rule_form_kind kind;
    const char *chosen_by;           /* a key that no other form has */
    const char *what;                /* for messages: "a rule", "a sequence" */
    bool makes_where;                /* read() puts `where` together: the key is not required */
    const char *keys[FORM_KEYS_MAX]; /* besides those that every rule may have */
    /* After where, by and bounds, before incident and close. What decides whether keys carry on
     * over a reload goes into rule->open.form, all else into a setting. */
    void (*read)(struct reading *reading);
};

extern const struct rule_form_reader rule_form_window, rule_form_sequence, rule_form_all,
    rule_form_expect, rule_form_baseline;

/* `window`, `look`, `for` and `when`, for forms that have these and more. */
void rule_form_window_read(struct reading *reading);

struct diagnostics *reading_diag(const struct reading *reading);
void reading_spoil(struct reading *reading);
void reading_out_of_memory(struct reading *reading);

/* The value of a key; NULL, diagnosed, when it is absent. */
const struct yaml_node *reading_required(struct reading *reading, const struct yaml_node *map,
                                         const char *key, const char *what);

/* False, diagnosed, for a list or map. */
bool reading_is_scalar(struct reading *reading, const struct yaml_node *node);

/* The value of `id`, and where it stands; "", diagnosed, when it is none. `what` as above. */
const char *reading_id(struct reading *reading, const char *what, struct span *span);

/* Reads what is under `vars`. */
void reading_vars(struct reading *reading);

/* Parses an expression and puts variables in their place; NULL, diagnosed, when something is
 * wrong. */
struct ast *reading_parse(struct reading *reading, const struct yaml_node *node);

/* Parses and checks the expression under a key that must be there; NULL, diagnosed, when
 * something is wrong. */
struct ast *reading_expression(struct reading *reading, const char *key, struct scope *scope);

/* The same of a node. */
struct ast *reading_expression_at(struct reading *reading, const struct yaml_node *node,
                                  struct scope *scope);

/* Refuses a condition on events that none can meet; `where` is what else they have to meet, or
 * NULL. False, diagnosed. */
bool reading_is_possible(struct reading *reading, const struct ast *ast, const struct ast *where);

/* A duration between 1ms and 30d; 0, diagnosed, when it is something else. `what` begins the
 * sentence: "a window". */
int64_t reading_duration(struct reading *reading, const struct yaml_node *node, const char *what);

/* The same of how long a rule remembers: max_window at most. */
int64_t reading_window(struct reading *reading, const struct yaml_node *node, const char *what);

/* A whole number from `min` to `max` under a key; `otherwise` where the key is absent, or when it
 * is something else, diagnosed. */
uint32_t reading_number(struct reading *reading, const struct yaml_node *map, const char *key,
                        uint32_t otherwise, uint32_t min, uint32_t max);

/* One line of text under a key; "" where the key is absent. */
const char *reading_line(struct reading *reading, const struct yaml_node *map, const char *key,
                         uint32_t bytes_max);

struct scope reading_scope(struct reading *reading, enum scope_kind kind);
void reading_compile(struct reading *reading, const struct ast *ast, struct program *out);

/* Digests chain: each step hashes the digest so far and one thing more. */
void reading_digest_text(struct id128 *digest, const char *text);
void reading_digest_number(struct id128 *digest, int64_t number);
void reading_digest_ast(struct id128 *digest, const struct ast *ast);

/* What may change while the rule carries on. `text` lives as long as the set; its hash is the
 * digest, unless what it means is added. */
void reading_setting(struct reading *reading, enum rule_setting_kind kind, const char *text);
/* The same of what a node says, as it is written. */
void reading_setting_of_node(struct reading *reading, enum rule_setting_kind kind,
                             const struct yaml_node *node);

#endif
