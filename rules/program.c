/* program.c - see program.h. */
#include "rules/program.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct instruction) <= 64, "a test is one cache line");

/* ---- compile ---- */

struct compiler {
    struct arena *arena;
    struct label_slots *slots;
    struct instruction *code;
    uint32_t count;
    bool reads_unstable;
};

static uint32_t count_instructions(const struct ast *ast)
{
    uint32_t count = 1;

    if (ast->kind == AST_AND || ast->kind == AST_OR || ast->kind == AST_NOT ||
        (ast->kind == AST_COMPARE && ast->first->type == TYPE_BOOL))
        for (const struct ast *child = ast->first; child != NULL; child = child->next)
            count += count_instructions(child);
    return count;
}

static bool text_keep(struct arena *arena, struct text text, struct text *out)
{
    out->at = arena_copy(arena, text.at, text.len);
    out->len = text.len;
    return out->at != NULL;
}

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

static int compare_texts(struct text a, struct text b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.at, b.at, common) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int order_texts(const void *a, const void *b)
{
    const struct text *x = a, *y = b;

    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->len > 0 ? memcmp(x->at, y->at, x->len) : 0;
}

static int order_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int order_reals(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static bool add_list(struct compiler *compiler, const struct ast *list, enum opcode op,
                     struct constant_list *out)
{
    size_t bytes = op == OP_IN_TEXT ? sizeof(struct text) : sizeof(int64_t);
    char *items = arena_alloc_many(compiler->arena, list->count, bytes), *at = items;

    _Static_assert(sizeof(double) == sizeof(int64_t), "one size for both kinds of number");
    if (items == NULL)
        return false;
    for (const struct ast *item = list->first; item != NULL; item = item->next, at += bytes) {
        struct operand operand;
        if (!add_operand(compiler, item, op == OP_IN_REAL, &operand))
            return false;
        memcpy(at, op == OP_IN_TEXT ? (void *)&operand.text : (void *)&operand.number, bytes);
    }
    qsort(items, list->count, bytes,
          op == OP_IN_TEXT     ? order_texts
          : op == OP_IN_NUMBER ? order_numbers
                               : order_reals);
    out->count = list->count;
    out->texts = (const struct text *)items;
    return true;
}

static enum opcode opcode_of(const struct ast *ast)
{
    enum value_type type = ast->first != NULL ? ast->first->type : TYPE_BOOL;
    bool is_in = ast->kind == AST_IN;

    switch (ast->kind) {
    case AST_NOT:
        return OP_NOT;
    case AST_AND:
        return OP_AND;
    case AST_OR:
        return OP_OR;
    case AST_CALL:
        return ast->meaning == MEANS_HAS           ? OP_HAS
               : ast->meaning == MEANS_STARTS_WITH ? OP_STARTS_WITH
               : ast->meaning == MEANS_ENDS_WITH   ? OP_ENDS_WITH
               : ast->meaning == MEANS_CONTAINS    ? OP_CONTAINS
               : ast->meaning == MEANS_QUIET       ? OP_QUIET
                                                   : OP_CLEARED;
    case AST_COMPARE:
    case AST_IN:
        break;
    default:
        return OP_CONSTANT;
    }
    if (type == TYPE_TEXT)
        return is_in ? OP_IN_TEXT : OP_COMPARE_TEXT;
    if (type == TYPE_BOOL)
        return OP_COMPARE_TRUTH;
    /* Whole numbers stay whole unless a real one is among them. */
    bool is_real = type == TYPE_DOUBLE || (!is_in && ast->last->type == TYPE_DOUBLE);
    if (is_in)
        for (const struct ast *item = ast->last->first; item != NULL; item = item->next)
            is_real = is_real || item->type == TYPE_DOUBLE;
    return is_real ? (is_in ? OP_IN_REAL : OP_COMPARE_REAL)
                   : (is_in ? OP_IN_NUMBER : OP_COMPARE_NUMBER);
}

static bool add(struct compiler *compiler, const struct ast *ast)
{
    struct instruction *at = &compiler->code[compiler->count++];
    bool is_good = true;

    at->op = (uint8_t)opcode_of(ast);
    at->relation = (uint8_t)ast->relation;
    switch ((enum opcode)at->op) {
    case OP_NOT:
    case OP_AND:
    case OP_OR:
    case OP_COMPARE_TRUTH:
        for (const struct ast *child = ast->first; is_good && child != NULL; child = child->next)
            is_good = add(compiler, child);
        break;
    case OP_COMPARE_TEXT:
    case OP_COMPARE_NUMBER:
    case OP_COMPARE_REAL:
        is_good = add_operand(compiler, ast->first, at->op == OP_COMPARE_REAL, &at->left) &&
                  add_operand(compiler, ast->last, at->op == OP_COMPARE_REAL, &at->right);
        break;
    case OP_IN_TEXT:
    case OP_IN_NUMBER:
    case OP_IN_REAL:
        is_good = add_operand(compiler, ast->first, at->op == OP_IN_REAL, &at->left) &&
                  add_list(compiler, ast->last, (enum opcode)at->op, &at->list);
        break;
    case OP_HAS:
        is_good = add_operand(compiler, ast->first, false, &at->left);
        break;
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
        is_good = add_operand(compiler, ast->receiver, false, &at->left) &&
                  add_operand(compiler, ast->first, false, &at->right);
        break;
    case OP_CONSTANT:
    case OP_QUIET:
        at->left.number = ast->number;
        break;
    case OP_CLEARED:
        break;
    }
    at->end = compiler->count;
    return is_good;
}

bool program_compile(const struct ast *ast, struct arena *arena, struct label_slots *slots,
                     struct program *out)
{
    struct compiler compiler = {.arena = arena, .slots = slots};

    compiler.code = arena_alloc_many(arena, count_instructions(ast), sizeof(struct instruction));
    if (compiler.code == NULL || !add(&compiler, ast))
        return false;
    *out = (struct program){compiler.code, compiler.count, compiler.reads_unstable};
    return true;
}

/* ---- run ---- */

static struct text load_label(const struct operand *operand, struct program_input *input)
{
    uint64_t bit;

    if (operand->slot == LABEL_SLOT_NONE)
        return event_text_find_label(input->view->text, operand->text);
    bit = (uint64_t)1 << operand->slot;
    if (!(input->label_known & bit)) {
        input->label_known |= bit;
        input->label[operand->slot] = event_text_find_label(input->view->text, operand->text);
    }
    return input->label[operand->slot];
}

static struct text load_host(struct program_input *input)
{
    if (!input->host_known) {
        input->host_known = true;
        input->host = event_text_host(input->view->text);
    }
    return input->host;
}

static struct text word(const char *name)
{
    return (struct text){name, (uint32_t)strlen(name)};
}

bool operand_text(const struct operand *operand, struct program_input *input, struct text *out)
{
    if (operand->kind == OPERAND_CONSTANT)
        *out = operand->text;
    else if (operand->kind == OPERAND_LABEL)
        *out = load_label(operand, input);
    else if (operand->field < EVENT_FIELD_COUNT)
        *out = event_text_field(input->view->text, (enum event_field)operand->field);
    else if (operand->field == RULE_FIELD_HOST)
        *out = load_host(input);
    else if (operand->field == RULE_FIELD_SEVERITY)
        *out = word(severity_name((enum severity)input->view->severity));
    else
        *out = word(event_state_name((enum event_state)input->view->state));
    return operand->kind != OPERAND_LABEL || out->at != NULL;
}

static int64_t load_number(const struct operand *operand, const struct program_input *input)
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

static bool load_real(const struct operand *operand, const struct program_input *input, double *out)
{
    if (operand->kind == OPERAND_CONSTANT)
        *out = operand->real;
    else if (input->view->text->has_value)
        *out = input->view->text->value;
    else
        return false;
    return true;
}

static enum truth truth_of(bool value)
{
    return value ? TRUTH_TRUE : TRUTH_FALSE;
}

static enum truth holds(enum relation relation, int order)
{
    switch (relation) {
    case RELATION_EQ:
        return truth_of(order == 0);
    case RELATION_NE:
        return truth_of(order != 0);
    case RELATION_LT:
        return truth_of(order < 0);
    case RELATION_LE:
        return truth_of(order <= 0);
    case RELATION_GT:
        return truth_of(order > 0);
    default:
        return truth_of(order >= 0);
    }
}

static bool texts_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static enum truth run_compare_text(const struct instruction *at, struct program_input *input)
{
    struct text left, right;

    if (!operand_text(&at->left, input, &left) || !operand_text(&at->right, input, &right))
        return TRUTH_ERROR;
    if (at->relation <= RELATION_NE)
        return truth_of(texts_equal(left, right) == (at->relation == RELATION_EQ));
    return holds((enum relation)at->relation, compare_texts(left, right));
}

/* A value is a JSON number and never NaN; the test for it costs nothing and keeps
 * the order total: NaN compares as nothing, which is an error here. */
static enum truth run_compare_real(const struct instruction *at, const struct program_input *input)
{
    double left, right;

    if (!load_real(&at->left, input, &left) || !load_real(&at->right, input, &right) ||
        left != left || right != right)
        return TRUTH_ERROR;
    return holds((enum relation)at->relation, (left > right) - (left < right));
}

static enum truth run_in(const struct instruction *at, struct program_input *input)
{
    const struct constant_list *list = &at->list;
    struct text text;
    double real;
    int64_t number;

    switch ((enum opcode)at->op) {
    case OP_IN_TEXT:
        if (!operand_text(&at->left, input, &text))
            return TRUTH_ERROR;
        return truth_of(bsearch(&text, list->texts, list->count, sizeof(text), order_texts) !=
                        NULL);
    case OP_IN_REAL:
        if (!load_real(&at->left, input, &real) || real != real)
            return TRUTH_ERROR;
        return truth_of(bsearch(&real, list->reals, list->count, sizeof(real), order_reals) !=
                        NULL);
    default:
        number = load_number(&at->left, input);
        return truth_of(
            bsearch(&number, list->numbers, list->count, sizeof(number), order_numbers) != NULL);
    }
}

static enum truth run_has(const struct instruction *at, struct program_input *input)
{
    struct text text;

    if (at->left.field == RULE_FIELD_VALUE)
        return truth_of(input->view->text->has_value);
    /* A label may be there and empty; a field that is empty is not there. */
    return truth_of(operand_text(&at->left, input, &text) &&
                    (at->left.kind == OPERAND_LABEL || text.len > 0));
}

static enum truth run_search(const struct instruction *at, struct program_input *input)
{
    struct text text, part;

    if (!operand_text(&at->left, input, &text) || !operand_text(&at->right, input, &part))
        return TRUTH_ERROR;
    if (part.len == 0)
        return TRUTH_TRUE;
    if (text.len < part.len)
        return TRUTH_FALSE;
    if (at->op == OP_STARTS_WITH)
        return truth_of(memcmp(text.at, part.at, part.len) == 0);
    if (at->op == OP_ENDS_WITH)
        return truth_of(memcmp(text.at + text.len - part.len, part.at, part.len) == 0);
    return truth_of(memmem(text.at, text.len, part.at, part.len) != NULL);
}

static enum truth run(const struct program *program, uint32_t index, struct program_input *input);

/* Stops at the first side that decides; an error waits for one that does. */
static enum truth run_chain(const struct program *program, uint32_t index,
                            struct program_input *input, enum truth decisive)
{
    uint32_t end = program->code[index].end;
    enum truth result = decisive == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_TRUE;

    for (uint32_t i = index + 1; i < end; i = program->code[i].end) {
        enum truth side = run(program, i, input);
        if (side == decisive)
            return decisive;
        if (side == TRUTH_ERROR)
            result = TRUTH_ERROR;
    }
    return result;
}

static enum truth run_compare_truth(const struct program *program, uint32_t index,
                                    struct program_input *input)
{
    enum truth left = run(program, index + 1, input);
    enum truth right = run(program, program->code[index + 1].end, input);

    if (left == TRUTH_ERROR || right == TRUTH_ERROR)
        return TRUTH_ERROR;
    return truth_of((left == right) == (program->code[index].relation == RELATION_EQ));
}

static enum truth run(const struct program *program, uint32_t index, struct program_input *input)
{
    const struct instruction *at = &program->code[index];
    enum truth side;

    switch ((enum opcode)at->op) {
    case OP_CONSTANT:
        return truth_of(at->left.number != 0);
    case OP_NOT:
        side = run(program, index + 1, input);
        return side == TRUTH_ERROR ? TRUTH_ERROR : truth_of(side == TRUTH_FALSE);
    case OP_AND:
        return run_chain(program, index, input, TRUTH_FALSE);
    case OP_OR:
        return run_chain(program, index, input, TRUTH_TRUE);
    case OP_COMPARE_TEXT:
        return run_compare_text(at, input);
    case OP_COMPARE_NUMBER: {
        int64_t left = load_number(&at->left, input), right = load_number(&at->right, input);
        return holds((enum relation)at->relation, (left > right) - (left < right));
    }
    case OP_COMPARE_REAL:
        return run_compare_real(at, input);
    case OP_COMPARE_TRUTH:
        return run_compare_truth(program, index, input);
    case OP_IN_TEXT:
    case OP_IN_NUMBER:
    case OP_IN_REAL:
        return run_in(at, input);
    case OP_HAS:
        return run_has(at, input);
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
        return run_search(at, input);
    case OP_QUIET:
        return truth_of(input->quiet_ms >= at->left.number);
    case OP_CLEARED:
        return truth_of(input->cleared);
    }
    return TRUTH_ERROR;
}

enum truth program_run(const struct program *program, struct program_input *input)
{
    return run(program, 0, input);
}

enum truth program_test(const struct program *program, uint32_t index, struct program_input *input)
{
    return run(program, index, input);
}
