/* program.c - runs what compile.c made. See program.h. */
#include "rules/program.h"

#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "rules/timestamp.h"

/* ---- operands ---- */

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
        *out = text_of(severity_name((enum severity)input->view->severity));
    else
        *out = text_of(event_state_name((enum event_state)input->view->state));
    if (operand->kind != OPERAND_LABEL || out->at != NULL)
        return true;
    *out = (struct text){"", 0};
    return input->lacks_are_empty;
}

static bool load_real(const struct operand *operand, const struct program_input *input, double *out)
{
    if (operand->kind == OPERAND_CONSTANT)
        *out = operand->real;
    else if (operand->kind == OPERAND_AGGREGATE)
        *out = input->aggregate_real[operand->index];
    else if (input->view->text->has_value)
        *out = input->view->text->value;
    else
        return false;
    return *out == *out; /* NaN: an aggregate of which no entry has a number */
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

static enum truth run_compare_text(const struct instruction *at, struct program_input *input)
{
    struct text left, right;

    if (!operand_text(&at->left, input, &left) || !operand_text(&at->right, input, &right))
        return TRUTH_ERROR;
    if (at->relation <= RELATION_NE)
        return truth_of(texts_equal(left, right) == (at->relation == RELATION_EQ));
    return holds((enum relation)at->relation, text_order(left, right));
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
    struct value value = {.type = at->list.type};

    switch ((enum opcode)at->op) {
    case OP_IN_TEXT:
        if (!operand_text(&at->left, input, &value.text))
            return TRUTH_ERROR;
        break;
    case OP_IN_REAL:
        if (!load_real(&at->left, input, &value.real) || value.real != value.real)
            return TRUTH_ERROR;
        break;
    default:
        value.number = operand_whole(&at->left, input);
    }
    return truth_of(constants_hold(&at->list, &value));
}

static enum truth run_has(const struct instruction *at, struct program_input *input)
{
    struct text text;

    if (at->left.field == RULE_FIELD_VALUE)
        return truth_of(input->view->text->has_value);
    /* A label may be there and empty; a field that is empty is not there. */
    return truth_of(operand_text(&at->left, input, &text) &&
                    ((at->left.kind == OPERAND_LABEL && !input->lacks_are_empty) || text.len > 0));
}

static bool search(enum opcode how, struct text text, struct text part)
{
    if (part.len == 0)
        return true;
    if (text.len < part.len)
        return false;
    if (how == OP_STARTS_WITH)
        return memcmp(text.at, part.at, part.len) == 0;
    if (how == OP_ENDS_WITH)
        return memcmp(text.at + text.len - part.len, part.at, part.len) == 0;
    return memmem(text.at, text.len, part.at, part.len) != NULL;
}

static enum truth run_search(const struct instruction *at, struct program_input *input)
{
    struct text text, part;

    if (!operand_text(&at->left, input, &text) || !operand_text(&at->right, input, &part))
        return TRUTH_ERROR;
    return truth_of(search((enum opcode)at->op, text, part));
}

/* The databases of a set are built when all of it is read: only then is there something to scan
 * with. */
static bool pattern_is_in(const struct instruction *at, struct program_input *input,
                          struct text text)
{
    if (input->patterns.set != *at->pattern_set)
        pattern_scan_start(&input->patterns, *at->pattern_set);
    return pattern_scan_test(&input->patterns, at->right.index, text);
}

static enum truth run_matches(const struct instruction *at, struct program_input *input)
{
    struct text text;

    if (!operand_text(&at->left, input, &text))
        return TRUTH_ERROR;
    return truth_of(pattern_is_in(at, input, text));
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

/* ---- what computes ---- */

static const char *load(const struct program *program, uint32_t index, struct program_input *input,
                        struct value *out);

static const char *load_operand(const struct instruction *at, struct program_input *input,
                                struct value *out)
{
    *out = (struct value){.type = at->type};
    if (at->type == TYPE_TEXT)
        return operand_text(&at->left, input, &out->text) ? NULL : "the label is absent";
    if (at->type == TYPE_DOUBLE)
        return load_real(&at->left, input, &out->real) ? NULL : "value is absent";
    out->number = operand_whole(&at->left, input);
    return NULL;
}

/* Both sides of an operation, the second behind the first. */
static const char *load_sides(const struct program *program, uint32_t index,
                              struct program_input *input, struct value side[2])
{
    const char *why = load(program, index + 1, input, &side[0]);

    return why != NULL ? why : load(program, program->code[index + 1].end, input, &side[1]);
}

static const char *choose(const struct program *program, uint32_t index,
                          struct program_input *input, struct value *out)
{
    uint32_t first = program->code[index + 1].end;
    enum truth condition = run(program, index + 1, input);
    const char *why;

    if (condition == TRUTH_ERROR)
        return "the condition cannot be computed";
    why = load(program, condition == TRUTH_TRUE ? first : program->code[first].end, input, out);
    /* 1 beside 2.5 is a real number. */
    if (why == NULL && program->code[index].type == TYPE_DOUBLE && out->type == TYPE_INT)
        *out = (struct value){.type = TYPE_DOUBLE, .real = (double)out->number};
    return why;
}

static const char *load_text_function(const struct instruction *at, struct program_input *input,
                                      struct value *out)
{
    struct text text;

    switch ((enum opcode)at->op) {
    case OP_SIZE:
        *out = (struct value){.type = TYPE_INT, .number = text_size(out->text)};
        return NULL;
    case OP_LABEL_OF:
        text = event_text_find_label(input->view->text, out->text);
        if (text.at == NULL)
            return "the label is absent";
        out->text = text;
        return NULL;
    default:
        return text_change_case(out->text, at->op == OP_UPPER, input->room, out);
    }
}

static const char *cell_of(const struct instruction *at, struct text key, struct value *out)
{
    uint32_t row = table_find_row(at->table, key);

    if (row == UINT32_MAX)
        return "the table has no such row";
    *out = (struct value){.type = TYPE_TEXT, .text = at->table->cells[at->right.index][row]};
    return out->text.at != NULL ? NULL : "the row has nothing in this column";
}

static const char *time_part(const struct instruction *at, struct value *out)
{
    int64_t ms = out->number;

    *out = (struct value){.type = TYPE_INT,
                          .number =
                              out->type == TYPE_DURATION
                                  ? duration_part(ms, (enum time_part)at->form)
                                  : timestamp_part(ms + at->left.number, (enum time_part)at->form)};
    return NULL;
}

static const char *load(const struct program *program, uint32_t index, struct program_input *input,
                        struct value *out)
{
    const struct instruction *at = &program->code[index];
    struct value side[2];
    enum truth truth;
    const char *why;

    switch ((enum opcode)at->op) {
    case OP_LOAD:
        return load_operand(at, input, out);
    case OP_ARITHMETIC:
        why = load_sides(program, index, input, side);
        return why != NULL
                   ? why
                   : value_compute((enum arithmetic)at->form, &side[0], &side[1], input->room, out);
    case OP_CHOOSE:
        return choose(program, index, input, out);
    case OP_COUNT_LABELS:
        *out = (struct value){.type = TYPE_INT, .number = input->view->text->label_count};
        return NULL;
    case OP_NEGATE:
        why = load(program, index + 1, input, out);
        return why != NULL ? why : value_negate(out, out);
    case OP_CONVERT:
        why = load(program, index + 1, input, out);
        return why != NULL ? why : value_convert((enum value_type)at->type, out, input->room, out);
    case OP_TIME_PART:
        why = load(program, index + 1, input, out);
        return why != NULL ? why : time_part(at, out);
    case OP_CELL:
        why = load(program, index + 1, input, out);
        return why != NULL ? why : cell_of(at, out->text, out);
    case OP_SIZE:
    case OP_LABEL_OF:
    case OP_LOWER:
    case OP_UPPER:
        why = load(program, index + 1, input, out);
        return why != NULL ? why : load_text_function(at, input, out);
    default:
        truth = run(program, index, input);
        *out = (struct value){.type = TYPE_BOOL, .number = truth == TRUTH_TRUE};
        return truth == TRUTH_ERROR ? "the condition cannot be computed" : NULL;
    }
}

static enum truth run_compare(const struct program *program, uint32_t index,
                              struct program_input *input)
{
    struct value side[2];

    if (load_sides(program, index, input, side) != NULL)
        return TRUTH_ERROR;
    return holds((enum relation)program->code[index].relation, value_order(&side[0], &side[1]));
}

/* As in CEL the list is computed before it is looked at: one item that cannot be computed makes
 * the whole an error. */
static enum truth run_in_items(const struct program *program, uint32_t index,
                               struct program_input *input)
{
    uint32_t end = program->code[index].end;
    struct value wanted, item;
    bool is_there = false;

    if (load(program, index + 1, input, &wanted) != NULL)
        return TRUTH_ERROR;
    for (uint32_t i = program->code[index + 1].end; i < end; i = program->code[i].end) {
        if (load(program, i, input, &item) != NULL)
            return TRUTH_ERROR;
        is_there = is_there || value_order(&wanted, &item) == 0;
    }
    return truth_of(is_there);
}

static enum truth run_computed(const struct program *program, uint32_t index,
                               struct program_input *input)
{
    const struct instruction *at = &program->code[index];
    struct value side[2];

    switch ((enum opcode)at->op) {
    case OP_COMPARE:
        return run_compare(program, index, input);
    case OP_IN_ITEMS:
        return run_in_items(program, index, input);
    case OP_SEARCH:
        if (load_sides(program, index, input, side) != NULL)
            return TRUTH_ERROR;
        return truth_of(search((enum opcode)at->form, side[0].text, side[1].text));
    case OP_CHOOSE:
        if (choose(program, index, input, side) != NULL)
            return TRUTH_ERROR;
        return truth_of(side[0].number != 0);
    case OP_IN_LIST:
        if (load(program, index + 1, input, side) != NULL)
            return TRUTH_ERROR;
        return truth_of(constants_hold(&at->list, side));
    case OP_HAS_CELL: /* the row of a key that cannot be computed is not there either */
        return truth_of(load(program, index + 1, input, side) == NULL &&
                        cell_of(at, side[0].text, side) == NULL);
    case OP_IN_TABLE:
        if (load(program, index + 1, input, side) != NULL)
            return TRUTH_ERROR;
        return truth_of(table_find_row(at->table, side[0].text) != UINT32_MAX);
    case OP_MATCHES_VALUE:
        if (load(program, index + 1, input, side) != NULL)
            return TRUTH_ERROR;
        return truth_of(pattern_is_in(at, input, side[0].text));
    case OP_IN_LABELS:
        if (load(program, index + 1, input, side) != NULL)
            return TRUTH_ERROR;
        return truth_of(event_text_find_label(input->view->text, side[0].text).at != NULL);
    default:
        return TRUTH_ERROR; /* not a truth: types_check() lets none through */
    }
}

/* What a test makes of texts is gone when it is done. Apart, so that the tests of one instruction
 * stay as short as they are. */
static __attribute__((noinline)) enum truth
run_with_room(const struct program *program, uint32_t index, struct program_input *input)
{
    uint32_t used = input->room != NULL ? input->room->used : 0;
    enum truth truth = run_computed(program, index, input);

    if (input->room != NULL)
        input->room->used = used;
    return truth;
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
        int64_t left = operand_whole(&at->left, input), right = operand_whole(&at->right, input);
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
    case OP_MATCHES:
        return run_matches(at, input);
    case OP_QUIET:
        return truth_of(input->quiet_ms >= at->left.number);
    case OP_FEWER:
        return truth_of(input->fewer[at->left.number]);
    case OP_CLEARED:
        return truth_of(input->cleared);
    default:
        return run_with_room(program, index, input);
    }
}

/* Apart, so that whoever makes no text does not pay for the room on the stack. */
static __attribute__((noinline)) enum truth run_in_room(const struct program *program,
                                                        uint32_t index, struct program_input *input)
{
    char bytes[TEXT_ROOM_BYTES];
    struct text_room room = {bytes, sizeof(bytes), 0};
    enum truth truth;

    input->room = &room;
    truth = run(program, index, input);
    input->room = NULL;
    return truth;
}

enum truth program_test(const struct program *program, uint32_t index, struct program_input *input)
{
    if (program->makes_text)
        return run_in_room(program, index, input);
    input->room = NULL;
    return run(program, index, input);
}

enum truth program_run(const struct program *program, struct program_input *input)
{
    return program_test(program, 0, input);
}

const char *program_value_at(const struct program *program, uint32_t index,
                             struct program_input *input, struct text_room *room, struct value *out)
{
    const char *why;

    input->room = room;
    why = load(program, index, input, out);
    input->room = NULL;
    return why;
}

const char *program_value(const struct program *program, struct program_input *input,
                          struct text_room *room, struct value *out)
{
    return program_value_at(program, 0, input, room, out);
}
