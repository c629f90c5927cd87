/* explain_tree.c - tests that are computed, in words. See explain_parts.h. */
#include <stdio.h>
#include <string.h>
#include "rules/explain_parts.h"
#include "rules/lookups.h"
#include "rules/types.h"

/* All operands of an instruction, something between them. */
static void put_operands(struct explain_line *line, const struct explain_walk *walk, uint32_t index,
                         const char *before, const char *between, const char *behind)
{
    const struct instruction *code = walk->program->code;

    explain_put(line, before);
    for (uint32_t i = index + 1; i < code[index].end; i = code[i].end) {
        explain_put(line, i > index + 1 ? between : "");
        explain_put_tree(line, walk, i);
    }
    explain_put(line, behind);
}

/* The first operand, a sign, and the others as a list or alone. */
static void put_first_and_rest(struct explain_line *line, const struct explain_walk *walk,
                               uint32_t index, const char *sign, const char *behind)
{
    const struct instruction *code = walk->program->code;

    explain_put_tree(line, walk, index + 1);
    explain_put(line, sign);
    for (uint32_t i = code[index + 1].end; i < code[index].end; i = code[i].end) {
        explain_put(line, i > code[index + 1].end ? ", " : "");
        explain_put_tree(line, walk, i);
    }
    explain_put(line, behind);
}

static void put_between(struct explain_line *line, const struct explain_walk *walk, uint32_t index,
                        const char *sign, bool in_brackets)
{
    char between[16];

    snprintf(between, sizeof(between), " %s ", sign);
    put_operands(line, walk, index, in_brackets ? "(" : "", between, in_brackets ? ")" : "");
}

static const char *conversion_name(enum value_type type)
{
    switch (type) {
    case TYPE_INT:
        return "int(";
    case TYPE_DOUBLE:
        return "double(";
    case TYPE_DURATION:
        return "duration(";
    case TYPE_TIME:
        return "timestamp(";
    case TYPE_SEVERITY:
        return "severity(";
    default:
        return "string(";
    }
}

static void put_load(struct explain_line *line, const struct explain_walk *walk,
                     const struct instruction *at)
{
    enum explain_sort sort = at->type == TYPE_TEXT     ? SORT_TEXT
                             : at->type == TYPE_DOUBLE ? SORT_REAL
                                                       : SORT_NUMBER;

    explain_put_written(line, &at->left, sort, (enum value_type)at->type, walk->aggregates);
}

static void put_choice(struct explain_line *line, const struct explain_walk *walk, uint32_t index)
{
    const struct instruction *code = walk->program->code;
    uint32_t first = code[index + 1].end;

    explain_put(line, "(");
    explain_put_tree(line, walk, index + 1);
    explain_put(line, " ? ");
    explain_put_tree(line, walk, first);
    explain_put(line, " : ");
    explain_put_tree(line, walk, code[first].end);
    explain_put(line, ")");
}

/* A subtree as it is written. */
void explain_put_tree(struct explain_line *line, const struct explain_walk *walk, uint32_t index)
{
    const struct instruction *at = &walk->program->code[index];
    struct explain_line test;

    if (line->used + 1 >= sizeof(line->at))
        return; /* full: a deep tree ends here */
    switch ((enum opcode)at->op) {
    case OP_AND:
        put_between(line, walk, index, "&&", true);
        return;
    case OP_OR:
        put_between(line, walk, index, "||", true);
        return;
    case OP_NOT:
        put_operands(line, walk, index, "!", "", "");
        return;
    case OP_COMPARE_TRUTH:
    case OP_COMPARE:
        put_between(line, walk, index, relation_sign((enum relation)at->relation), false);
        return;
    case OP_LOAD:
        put_load(line, walk, at);
        return;
    case OP_IN_LIST:
        put_operands(line, walk, index, "", "", " in ");
        explain_put_list(line, at);
        return;
    case OP_IN_ITEMS:
        put_first_and_rest(line, walk, index, " in [", "]");
        return;
    case OP_IN_LABELS:
        put_operands(line, walk, index, "", "", " in labels");
        return;
    case OP_SEARCH:
        put_first_and_rest(line, walk, index, explain_search_name(at->form), ")");
        return;
    case OP_CELL:
    case OP_HAS_CELL:
        explain_put(line, at->op == OP_HAS_CELL ? "has(" : "");
        explain_put_bytes(line, at->table->name.at, at->table->name.len);
        put_operands(line, walk, index, "[", "", "].");
        explain_put_bytes(line, at->table->column[at->right.index].at,
                          at->table->column[at->right.index].len);
        explain_put(line, at->op == OP_HAS_CELL ? ")" : "");
        return;
    case OP_IN_TABLE:
        put_operands(line, walk, index, "", "", " in ");
        explain_put_bytes(line, at->table->name.at, at->table->name.len);
        return;
    case OP_MATCHES_VALUE:
        put_operands(line, walk, index, "", "", ".matches(");
        explain_put_quoted(line, at->right.text);
        explain_put(line, ")");
        return;
    case OP_ARITHMETIC:
        put_between(line, walk, index, arithmetic_sign((enum arithmetic)at->form), true);
        return;
    case OP_NEGATE:
        put_operands(line, walk, index, "-", "", "");
        return;
    case OP_CHOOSE:
        put_choice(line, walk, index);
        return;
    case OP_SIZE:
        put_operands(line, walk, index, "size(", "", ")");
        return;
    case OP_COUNT_LABELS:
        explain_put(line, "size(labels)");
        return;
    case OP_LABEL_OF:
        put_operands(line, walk, index, "labels[", "", "]");
        return;
    case OP_CONVERT:
        put_operands(line, walk, index, conversion_name((enum value_type)at->type), "", ")");
        return;
    case OP_LOWER:
        put_operands(line, walk, index, "", "", ".lowerAscii()");
        return;
    case OP_UPPER:
        put_operands(line, walk, index, "", "", ".upperAscii()");
        return;
    case OP_TIME_PART:
        put_operands(line, walk, index, "", "", ".");
        explain_put(line, time_part_name((enum time_part)at->form));
        explain_put(line, "()");
        return;
    default:
        explain_put_test(&test, at, NULL, walk->aggregates, TRUTH_TRUE);
        explain_put(line, test.at);
    }
}

static void put_value(struct explain_line *line, const struct value *value)
{
    if (value->type == TYPE_TEXT)
        explain_put_quoted(line, value->text);
    else if (value->type == TYPE_DOUBLE)
        explain_put_real(line, value->real);
    else if (value->type == TYPE_BOOL)
        explain_put(line, value->number != 0 ? "true" : "false");
    else
        explain_put_whole(line, (enum value_type)value->type, value->number);
}

/* The value of an operand; false when it has none: the line says that and nothing else. */
static bool put_computed(struct explain_line *line, const struct explain_walk *walk, uint32_t index)
{
    char made[TEXT_ROOM_BYTES];
    struct text_room room = {made, sizeof(made), 0};
    struct value value;
    const char *why = program_value_at(walk->program, index, walk->input, &room, &value);

    if (why == NULL) {
        put_value(line, &value);
        return true;
    }
    line->used = 0;
    line->at[0] = '\0';
    explain_put_tree(line, walk, index);
    explain_put(line, " has no value: ");
    explain_put(line, why);
    return false;
}

/* A computed test with the values of its operands. */
void explain_put_computed(struct explain_line *line, const struct explain_walk *walk,
                          uint32_t index)
{
    const struct instruction *code = walk->program->code, *at = &code[index];
    uint32_t second = at->end > index + 1 ? code[index + 1].end : at->end;

    line->used = 0;
    line->at[0] = '\0';
    if (at->op == OP_CHOOSE || at->op == OP_LOAD || at->end == index + 1)
        return; /* nothing that the truth itself does not say */
    if (!put_computed(line, walk, index + 1))
        return;
    switch ((enum opcode)at->op) {
    case OP_COMPARE:
        explain_put(line, " ");
        explain_put(line, relation_sign((enum relation)at->relation));
        explain_put(line, " ");
        put_computed(line, walk, second);
        return;
    case OP_IN_LIST:
        explain_put(line, " in ");
        explain_put_list(line, at);
        return;
    case OP_IN_LABELS:
        explain_put(line, " in labels");
        return;
    case OP_IN_TABLE:
        explain_put(line, " in ");
        explain_put_bytes(line, at->table->name.at, at->table->name.len);
        return;
    case OP_HAS_CELL: /* the key's value: which row was looked for */
        explain_put(line, " as the key");
        return;
    case OP_IN_ITEMS:
        explain_put(line, " in [");
        for (uint32_t i = second; i < at->end; i = code[i].end) {
            explain_put(line, i > second ? ", " : "");
            if (!put_computed(line, walk, i))
                return;
        }
        explain_put(line, "]");
        return;
    case OP_MATCHES_VALUE:
        explain_put(line, ".matches(");
        explain_put_quoted(line, at->right.text);
        explain_put(line, ")");
        return;
    case OP_SEARCH:
        explain_put(line, explain_search_name(at->form));
        if (put_computed(line, walk, second))
            explain_put(line, ")");
        return;
    default:
        line->used = 0;
        line->at[0] = '\0';
    }
}
