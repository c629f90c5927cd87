/*
 * ast.h - an expression as a tree: made by the parser, annotated by the type
 * check, turned into a program, then forgotten.
 */
#ifndef RULES_AST_H
#define RULES_AST_H

#include <stdint.h>
#include "base/event.h"
#include "rules/diagnostics.h"
#include "rules/value.h"

enum ast_kind {
    AST_LITERAL, /* type says which */
    AST_NAME,    /* text */
    AST_MEMBER,  /* first child . text; also first child ["text"] */
    AST_CALL,    /* text; `receiver` or NULL; children are the arguments */
    AST_LIST,
    AST_NOT,
    AST_AND, /* two or more children: a && b && c is one node */
    AST_OR,
    AST_COMPARE, /* relation */
    AST_IN,
    AST_NEGATE,
    AST_ARITHMETIC, /* arithmetic */
    AST_CHOOSE,     /* condition ? first : second */
    AST_INDEX,      /* first child [second child]; labels["text"] is a member instead */
};

enum relation { RELATION_EQ, RELATION_NE, RELATION_LT, RELATION_LE, RELATION_GT, RELATION_GE };

/* What the type check found a node to mean, where its kind does not say it. */
enum meaning {
    MEANS_NOTHING,
    MEANS_FIELD,     /* field; RULE_FIELD_LABEL with text = the label's name */
    MEANS_CONSTANT,  /* number, real or text by type */
    MEANS_AGGREGATE, /* number = its index */
    MEANS_HAS,
    MEANS_STARTS_WITH,
    MEANS_ENDS_WITH,
    MEANS_CONTAINS,
    MEANS_MATCHES, /* number = the pattern's id in pattern_set */
    MEANS_SIZE,
    MEANS_CONVERT, /* to the node's type */
    MEANS_LOWER,
    MEANS_UPPER,
    MEANS_TIME_PART, /* number = enum time_part; zone_ms */
    MEANS_LABELS,    /* the word `labels` where the map as a whole is meant */
    MEANS_LABEL_OF,  /* labels[expression] */
    MEANS_SET,       /* named_set */
    MEANS_TABLE,     /* table */
    MEANS_ROW,       /* table[expression] */
    MEANS_CELL,      /* row.text; table, number = the column */
    MEANS_QUIET,     /* number = milliseconds */
    MEANS_CLEARED,
    MEANS_FEWER, /* number = which of the rule's */
};

struct pattern_set; /* rules/pattern_set.h */
struct named_set;   /* rules/lookups.h */
struct table;

struct ast {
    enum ast_kind kind;
    enum relation relation;
    enum value_type type;
    enum meaning meaning;
    enum rule_field field;
    enum arithmetic arithmetic;
    bool is_folded;   /* a constant that was an expression */
    bool has_key;     /* `key` is there; facts.c alone looks at it */
    struct id128 key; /* of what the part means */
    struct span span; /* from its first to its last byte */
    struct span name; /* AST_CALL: of `text` alone */
    struct text text;
    int64_t number; /* a bool is 0 or 1 */
    double real;
    int64_t zone_ms;
    const struct pattern_set *const *pattern_set;
    const struct named_set *named_set;
    const struct table *table;
    struct ast *receiver;
    struct ast *first, *last, *next;
    uint32_t count; /* children */
};

const char *relation_sign(enum relation relation);
const char *arithmetic_sign(enum arithmetic arithmetic);

/* Behind the children that are there. */
void ast_add_child(struct ast *parent, struct ast *child);

#endif
