/* compile.c - a checked tree into instructions. See program.h. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "rules/program.h"

_Static_assert(sizeof(struct instruction) <= 64, "a test is one cache line");

struct compiler {
    struct arena *arena;
    struct label_slots *slots;
    struct instruction *code;
    uint32_t count;
    bool reads_unstable;
    bool makes_text;
};

static uint8_t slot_of(struct label_slots *slots, struct text name)
{
    if (slots == NULL)
        return LABEL_SLOT_NONE;
    for (uint32_t i = 0; i < slots->count; i++)
        if (slots->name[i].len == name.len && memcmp(slots->name[i].at, name.at, name.len) == 0)
            return (uint8_t)i;
    if (slots->count == LABEL_SLOTS_MAX)
        return LABEL_SLOT_NONE;
    slots->name[slots->count] = name;
    return (uint8_t)slots->count++;
}

/* ---- operands ---- */

bool operand_compile(const struct ast *ast, struct arena *arena, struct label_slots *slots,
                     struct operand *out)
{
    memset(out, 0, sizeof(*out));
    if (ast->meaning == MEANS_AGGREGATE) {
        out->kind = OPERAND_AGGREGATE;
        out->index = (uint32_t)ast->number;
    } else if (ast->meaning == MEANS_FIELD && ast->field == RULE_FIELD_LABEL) {
        out->kind = OPERAND_LABEL;
        out->field = RULE_FIELD_LABEL;
        if (!text_keep(arena, ast->text, &out->text))
            return false;
        out->slot = slot_of(slots, out->text);
    } else if (ast->meaning == MEANS_FIELD) {
        out->kind = OPERAND_FIELD;
        out->field = (uint8_t)ast->field;
    } else if (ast->type == TYPE_TEXT) {
        return text_keep(arena, ast->text, &out->text);
    } else if (ast->type == TYPE_DOUBLE) {
        out->real = ast->real;
    } else {
        out->number = ast->number;
    }
    return true;
}

static bool add_operand(struct compiler *compiler, const struct ast *ast, bool as_real,
                        struct operand *out)
{
    if (ast->meaning == MEANS_FIELD && ast->field != RULE_FIELD_LABEL &&
        (field_row(ast->field)->flags & FIELD_UNSTABLE))
        compiler->reads_unstable = true;
    if (!operand_compile(ast, compiler->arena, compiler->slots, out))
        return false;
    if (as_real && ast->type == TYPE_INT)
        out->real = (double)ast->number;
    return true;
}

static bool is_real_list(const struct ast *list)
{
    for (const struct ast *item = list->first; item != NULL; item = item->next)
        if (item->type == TYPE_DOUBLE)
            return true;
    return false;
}

/* The type in which the items of a list are kept. Beside a real number all are real. */
static enum value_type list_type(const struct ast *left, const struct ast *list)
{
    if (list->meaning == MEANS_SET)
        return left->type;
    assert(list->first != NULL);
    return left->type == TYPE_DOUBLE || is_real_list(list) ? TYPE_DOUBLE : list->first->type;
}

static bool add_list(struct compiler *compiler, const struct ast *list, enum value_type type,
                     struct constant_list *out)
{
    size_t bytes = constant_bytes(type);
    char *items, *at;

    if (list->meaning == MEANS_SET) { /* sorted already, and shared by all that use it */
        *out = type == TYPE_TEXT     ? list->named_set->texts
               : type == TYPE_DOUBLE ? list->named_set->reals
                                     : list->named_set->whole;
        return true;
    }
    items = at = arena_alloc_many(compiler->arena, list->count, bytes);

    if (items == NULL)
        return false;
    for (const struct ast *item = list->first; item != NULL; item = item->next, at += bytes) {
        struct operand operand;
        if (!add_operand(compiler, item, type == TYPE_DOUBLE, &operand))
            return false;
        memcpy(at, type == TYPE_TEXT ? (void *)&operand.text : (void *)&operand.number, bytes);
    }
    constants_sort(items, list->count, type);
    out->count = list->count;
    out->type = (uint8_t)type;
    out->texts = (const struct text *)items;
    return true;
}

/* ---- which instruction ---- */

static bool is_constant(const struct ast *ast)
{
    return ast->meaning == MEANS_CONSTANT;
}

/* One operand, without anything to compute. */
static bool is_plain(const struct ast *ast)
{
    return is_constant(ast) || ast->meaning == MEANS_FIELD || ast->meaning == MEANS_AGGREGATE;
}

/* Whether two plain sides can be loaded as one kind of number: a constant becomes real beside a
 * real one, what is counted at run time does not. */
static bool is_one_kind(const struct ast *a, const struct ast *b)
{
    return a->type == b->type || (a->type == TYPE_INT && is_constant(a)) ||
           (b->type == TYPE_INT && is_constant(b));
}

static enum opcode compare_opcode(const struct ast *ast)
{
    const struct ast *left = ast->first, *right = ast->last;

    if (left->type == TYPE_BOOL)
        return OP_COMPARE_TRUTH;
    if (!is_plain(left) || !is_plain(right) || !is_one_kind(left, right))
        return OP_COMPARE;
    return left->type == TYPE_TEXT                                   ? OP_COMPARE_TEXT
           : left->type == TYPE_DOUBLE || right->type == TYPE_DOUBLE ? OP_COMPARE_REAL
                                                                     : OP_COMPARE_NUMBER;
}

static enum opcode in_opcode(const struct ast *ast)
{
    const struct ast *left = ast->first, *right = ast->last;
    enum value_type type;

    if (right->meaning == MEANS_LABELS)
        return OP_IN_LABELS;
    if (right->meaning == MEANS_TABLE)
        return OP_IN_TABLE;
    for (const struct ast *item = right->first; item != NULL; item = item->next)
        if (!is_constant(item))
            return OP_IN_ITEMS;
    type = list_type(left, right);
    if (!is_plain(left) || (type == TYPE_DOUBLE && left->type != TYPE_DOUBLE && !is_constant(left)))
        return OP_IN_LIST;
    return type == TYPE_TEXT ? OP_IN_TEXT : type == TYPE_DOUBLE ? OP_IN_REAL : OP_IN_NUMBER;
}

static enum opcode search_opcode(const struct ast *ast)
{
    return ast->meaning == MEANS_STARTS_WITH ? OP_STARTS_WITH
           : ast->meaning == MEANS_ENDS_WITH ? OP_ENDS_WITH
                                             : OP_CONTAINS;
}

static enum opcode call_opcode(const struct ast *ast)
{
    switch (ast->meaning) {
    case MEANS_CONSTANT:
        return OP_LOAD;
    case MEANS_AGGREGATE:
        return OP_LOAD;
    case MEANS_HAS:
        return ast->first->meaning == MEANS_CELL ? OP_HAS_CELL : OP_HAS;
    case MEANS_STARTS_WITH:
    case MEANS_ENDS_WITH:
    case MEANS_CONTAINS:
        return is_plain(ast->receiver) && is_plain(ast->first) ? search_opcode(ast) : OP_SEARCH;
    case MEANS_MATCHES:
        return ast->receiver->meaning == MEANS_FIELD ? OP_MATCHES : OP_MATCHES_VALUE;
    case MEANS_QUIET:
        return OP_QUIET;
    case MEANS_CLEARED:
        return OP_CLEARED;
    case MEANS_FEWER:
        return OP_FEWER;
    case MEANS_SIZE:
        return ast->first->meaning == MEANS_LABELS ? OP_COUNT_LABELS : OP_SIZE;
    case MEANS_LOWER:
        return OP_LOWER;
    case MEANS_UPPER:
        return OP_UPPER;
    case MEANS_TIME_PART:
        return OP_TIME_PART;
    default:
        return OP_CONVERT;
    }
}

static enum opcode opcode_of(const struct ast *ast)
{
    switch (ast->kind) {
    case AST_NOT:
        return OP_NOT;
    case AST_AND:
        return OP_AND;
    case AST_OR:
        return OP_OR;
    case AST_CALL:
        return call_opcode(ast);
    case AST_COMPARE:
        return compare_opcode(ast);
    case AST_IN:
        return in_opcode(ast);
    case AST_NEGATE:
        return OP_NEGATE;
    case AST_ARITHMETIC:
        return OP_ARITHMETIC;
    case AST_CHOOSE:
        return OP_CHOOSE;
    case AST_INDEX:
        return OP_LABEL_OF;
    case AST_MEMBER:
        return ast->meaning == MEANS_CELL ? OP_CELL : OP_LOAD;
    default:
        return ast->type == TYPE_BOOL ? OP_CONSTANT : OP_LOAD;
    }
}

/* The subtrees that become instructions of their own, in their order: all children, or those
 * that the opcode says, the receiver of a method first. */
struct subtrees {
    const struct ast *receiver, *next;
    bool only_first;
};

static struct subtrees subtrees_of(const struct ast *ast, enum opcode op)
{
    struct subtrees none = {NULL, NULL, false}, all = {ast->receiver, ast->first, false};

    switch (op) {
    case OP_NOT:
    case OP_AND:
    case OP_OR:
    case OP_COMPARE_TRUTH:
    case OP_COMPARE:
    case OP_SEARCH:
    case OP_ARITHMETIC:
    case OP_NEGATE:
    case OP_CHOOSE:
    case OP_SIZE:
    case OP_CONVERT:
    case OP_LOWER:
    case OP_UPPER:
        return all;
    case OP_IN_LIST:
    case OP_IN_LABELS:
    case OP_IN_TABLE:
        all.only_first = true;
        return all;
    case OP_CELL: /* table[this].column */
        return (struct subtrees){NULL, ast->first->last, true};
    case OP_HAS_CELL:
        return (struct subtrees){NULL, ast->first->first->last, true};
    case OP_LABEL_OF: /* labels[this] */
        return (struct subtrees){NULL, ast->last, true};
    case OP_MATCHES_VALUE: /* the pattern too */
    case OP_TIME_PART:     /* its zone is in the instruction */
        return (struct subtrees){ast->receiver, NULL, false};
    default:
        return none;
    }
}

static const struct ast *subtree_next(struct subtrees *subtrees)
{
    const struct ast *ast = subtrees->receiver != NULL ? subtrees->receiver : subtrees->next;

    if (subtrees->receiver != NULL)
        subtrees->receiver = NULL;
    else if (ast != NULL)
        subtrees->next = subtrees->only_first ? NULL : ast->next;
    return ast;
}

static uint32_t count_instructions(const struct ast *ast)
{
    enum opcode op = opcode_of(ast);
    struct subtrees subtrees = subtrees_of(ast, op);
    uint32_t count = 1;

    if (op == OP_IN_ITEMS) {
        count += count_instructions(ast->first);
        subtrees.next = ast->last->first;
    }
    for (const struct ast *part; (part = subtree_next(&subtrees)) != NULL;)
        count += count_instructions(part);
    return count;
}

/* ---- instructions ---- */

static bool add(struct compiler *compiler, const struct ast *ast);

/* What stands in the instruction itself. */
static bool add_inside(struct compiler *compiler, const struct ast *ast, struct instruction *at)
{
    const struct ast *first = ast->first, *last = ast->last;

    switch ((enum opcode)at->op) {
    case OP_COMPARE_TEXT:
    case OP_COMPARE_NUMBER:
    case OP_COMPARE_REAL:
        return add_operand(compiler, first, at->op == OP_COMPARE_REAL, &at->left) &&
               add_operand(compiler, last, at->op == OP_COMPARE_REAL, &at->right);
    case OP_IN_TEXT:
    case OP_IN_NUMBER:
    case OP_IN_REAL:
        return add_operand(compiler, first, at->op == OP_IN_REAL, &at->left) &&
               add_list(compiler, last, list_type(first, last), &at->list);
    case OP_IN_LIST:
        return add_list(compiler, last, list_type(first, last), &at->list);
    case OP_HAS:
        return add_operand(compiler, first, false, &at->left);
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
        return add_operand(compiler, ast->receiver, false, &at->left) &&
               add_operand(compiler, first, false, &at->right);
    case OP_MATCHES:
    case OP_MATCHES_VALUE:
        at->pattern_set = ast->pattern_set;
        if (!add_operand(compiler, first, false, &at->right) ||
            (at->op == OP_MATCHES && !add_operand(compiler, ast->receiver, false, &at->left)))
            return false;
        at->right.index = (uint32_t)ast->number;
        return true;
    case OP_CELL:
    case OP_HAS_CELL:
        at->table = at->op == OP_CELL ? ast->table : first->table;
        at->right.index = (uint32_t)(at->op == OP_CELL ? ast->number : first->number);
        return true;
    case OP_IN_TABLE:
        at->table = last->table;
        return true;
    case OP_SEARCH:
        at->form = (uint8_t)search_opcode(ast);
        return true;
    case OP_LOAD:
        return add_operand(compiler, ast, false, &at->left);
    case OP_CONSTANT:
    case OP_QUIET:
        at->left.number = ast->number;
        return true;
    case OP_ARITHMETIC:
        at->form = (uint8_t)ast->arithmetic;
        compiler->makes_text = compiler->makes_text || ast->type == TYPE_TEXT;
        return true;
    case OP_TIME_PART:
        at->form = (uint8_t)ast->number;
        at->left.number = ast->zone_ms;
        return true;
    case OP_CONVERT:
    case OP_LOWER:
    case OP_UPPER:
        compiler->makes_text = compiler->makes_text || ast->type == TYPE_TEXT;
        return true;
    default:
        return true;
    }
}

static bool add(struct compiler *compiler, const struct ast *ast)
{
    struct instruction *at = &compiler->code[compiler->count++];
    enum opcode op = opcode_of(ast);
    struct subtrees subtrees = subtrees_of(ast, op);

    at->op = (uint8_t)op;
    at->relation = (uint8_t)ast->relation;
    at->type = (uint8_t)ast->type;
    if (!add_inside(compiler, ast, at))
        return false;
    if (op == OP_IN_ITEMS) {
        if (!add(compiler, ast->first))
            return false;
        subtrees.next = ast->last->first;
    }
    for (const struct ast *part; (part = subtree_next(&subtrees)) != NULL;)
        if (!add(compiler, part))
            return false;
    at->end = compiler->count;
    return true;
}

bool program_compile(const struct ast *ast, struct arena *arena, struct label_slots *slots,
                     struct program *out)
{
    struct compiler compiler = {.arena = arena, .slots = slots};

    compiler.code = arena_alloc_many(arena, count_instructions(ast), sizeof(struct instruction));
    if (compiler.code == NULL || !add(&compiler, ast))
        return false;
    *out = (struct program){compiler.code, compiler.count, compiler.reads_unstable,
                            compiler.makes_text};
    return true;
}
