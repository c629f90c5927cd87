/*
 * program.h - a checked expression in the form in which it runs.
 *
 * A program is an array of instructions in the order of a walk from the root:
 * each knows where its subtree ends, so that && and || skip what no longer
 * matters. Running it allocates nothing and writes only to the given scratch.
 *
 *   (check == "a" && (has(value) || host in [..]))
 *   [ AND end=5 | COMPARE_TEXT | OR end=5 | HAS | IN_TEXT ]
 *
 * A test of one field against a constant is one instruction, which the index of a set understands
 * (rules/match_index.h); whatever computes has its operands behind it, a subtree each:
 *
 *   value * 2.0 > 10.0
 *   [ COMPARE end=5 | ARITHMETIC end=4 | LOAD value | LOAD 2.0 | LOAD 10.0 ]
 *
 * An expression is true, false or an error (a label compared that is not there).
 * As in CEL, && and || do not care for the order of their sides: false && error
 * is false, true || error is true; otherwise an error makes the whole an error.
 *
 * Thread: immutable after compile; runs on any number of threads.
 */
#ifndef RULES_PROGRAM_H
#define RULES_PROGRAM_H

#include "base/arena.h"
#include "rules/ast.h"
#include "rules/constants.h"
#include "rules/lookups.h"
#include "rules/pattern_scan.h"
#include "rules/rule_set.h"

enum truth { TRUTH_FALSE, TRUTH_TRUE, TRUTH_ERROR };

enum opcode {
    OP_CONSTANT, /* left.number */
    OP_NOT,
    OP_AND,
    OP_OR,
    OP_COMPARE_TEXT,
    OP_COMPARE_NUMBER, /* whole numbers, durations, times, severities */
    OP_COMPARE_REAL,
    OP_COMPARE_TRUTH, /* two instructions follow as its sides */
    OP_IN_TEXT,
    OP_IN_NUMBER,
    OP_IN_REAL,
    OP_HAS,
    OP_STARTS_WITH,
    OP_ENDS_WITH,
    OP_CONTAINS,
    OP_QUIET,
    OP_CLEARED,
    OP_FEWER, /* left.number = which of the rule's */
    /* From here on the operands are the subtrees that follow. */
    OP_LOAD,         /* none: `left` is the value */
    OP_COMPARE,      /* two */
    OP_IN_LIST,      /* one, looked for in the constants */
    OP_IN_ITEMS,     /* the first, looked for among the others */
    OP_IN_LABELS,    /* one: a label's name */
    OP_SEARCH,       /* two; form = OP_STARTS_WITH, OP_ENDS_WITH or OP_CONTAINS */
    OP_ARITHMETIC,   /* two; form = enum arithmetic */
    OP_NEGATE,       /* one */
    OP_CHOOSE,       /* three: condition, then, else */
    OP_SIZE,         /* one */
    OP_COUNT_LABELS, /* none */
    OP_LABEL_OF,     /* one: a label's name */
    OP_CONVERT,      /* one; to `type` */
    OP_LOWER,        /* one */
    OP_UPPER,        /* one */
    OP_CELL,         /* one: the key of a row; `table`, right.index = the column */
    OP_HAS_CELL,     /* one, the same */
    OP_IN_TABLE,     /* one: a key */
    OP_MATCHES,      /* none: `left` is a field or label; right.text, .index: the pattern, its id */
    OP_MATCHES_VALUE, /* one; right as before */
    OP_TIME_PART,     /* one; form = enum time_part, left.number = the zone's milliseconds */
};

enum operand_kind { OPERAND_CONSTANT, OPERAND_FIELD, OPERAND_LABEL, OPERAND_AGGREGATE };

/* Labels that `where` names get a slot each, so that one event's label is looked
 * up once for all rules; those beyond the last slot are looked up each time. */
enum { LABEL_SLOTS_MAX = 64, LABEL_SLOT_NONE = 0xff };

struct operand {
    uint8_t kind;   /* enum operand_kind */
    uint8_t field;  /* enum rule_field */
    uint8_t slot;   /* of a label */
    uint32_t index; /* of an aggregate */
    union {
        struct text text; /* a constant, or a label's name */
        int64_t number;
        double real;
    };
};

struct instruction {
    uint8_t op;       /* enum opcode */
    uint8_t relation; /* enum relation */
    uint8_t type;     /* enum value_type of the result */
    uint8_t form;     /* see the opcode */
    uint32_t end;     /* the instruction behind this one's subtree */
    struct operand left;
    union {
        struct operand right;
        struct constant_list list;
    };
    union {
        const struct pattern_set *const *pattern_set; /* of OP_MATCHES: filled when all is read */
        const struct table *table;
    };
};
_Static_assert(sizeof(struct instruction) == 64, "an arena puts it into one cache line");

struct program {
    const struct instruction *code;
    uint32_t count;
    bool reads_unstable; /* message, value or time */
    bool makes_text;
};

/* The names of labels that have a slot; shared by the programs of one set. */
struct label_slots {
    uint32_t count;
    struct text name[LABEL_SLOTS_MAX];
};

/* What a program runs over: one of the three, by its scope. The scratch part is
 * filled on demand and good for one event. */
struct program_input {
    const struct event_view *view;
    const int64_t *aggregate;     /* those that are whole numbers */
    const double *aggregate_real; /* those that are real ones */
    int64_t quiet_ms;
    bool cleared;
    const bool *fewer;

    bool lacks_are_empty; /* a label that is not there is the empty text (rules/mute.h) */
    bool host_known;
    struct text host;
    uint64_t label_known; /* bit per slot */
    struct text label[LABEL_SLOTS_MAX];
    struct text_room *room; /* while a program runs */
    struct pattern_scan patterns;
};

/* Compiles a tree that types_check() accepted. Texts are copied into `arena`;
 * `slots` may gain names (NULL: labels get no slots).
 * Errors: false when memory is short. */
bool program_compile(const struct ast *ast, struct arena *arena, struct label_slots *slots,
                     struct program *out);

/* Runs a program that is true or false. */
enum truth program_run(const struct program *program, struct program_input *input);

/* The same of the subtree that begins at instruction `index`, which is true or false. */
enum truth program_test(const struct program *program, uint32_t index, struct program_input *input);

/* Runs a program of any type. Texts in `out` belong to the event, the program or `room`.
 * Returns NULL, or the reason why there is no value. */
const char *program_value(const struct program *program, struct program_input *input,
                          struct text_room *room, struct value *out);

/* The same of the subtree that begins at instruction `index`. */
const char *program_value_at(const struct program *program, uint32_t index,
                             struct program_input *input, struct text_room *room,
                             struct value *out);

/* Makes the scratch ready for the next event. */
static inline void program_input_start(struct program_input *input, const struct event_view *view)
{
    input->view = view;
    input->lacks_are_empty = false;
    input->host_known = false;
    input->label_known = 0;
    pattern_scan_start(&input->patterns, NULL);
}

/* An operand for a field that types_check_field() accepted. */
bool operand_compile(const struct ast *ast, struct arena *arena, struct label_slots *slots,
                     struct operand *out);

/* The text of a text field, label, severity or state. False when a label is absent. */
bool operand_text(const struct operand *operand, struct program_input *input, struct text *out);

/* The number of an operand that is whole: severity, a time, a duration, an aggregate. */
static inline int64_t operand_whole(const struct operand *operand,
                                    const struct program_input *input)
{
    if (operand->kind == OPERAND_CONSTANT)
        return operand->number;
    if (operand->kind == OPERAND_AGGREGATE)
        return input->aggregate[operand->index];
    if (operand->field == RULE_FIELD_SEVERITY)
        return input->view->severity;
    if (operand->field == RULE_FIELD_TS)
        return input->view->text->ts_ms;
    return input->view->et_ms - input->view->text->ts_ms; /* age */
}

#endif
