/* explain.c - see explain.h. */
#include "rules/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "rules/lookups.h"
#include "rules/rule_reader.h"
#include "rules/types.h"

enum {
    TEXT_SHOWN = 80,  /* bytes of one text */
    ITEMS_SHOWN = 6,  /* of a list */
    TEST_BYTES = 500, /* one side of a test */
};

/* --- a bounded piece of text ------------------------------------------------------------- */

struct line {
    size_t used;
    char at[TEST_BYTES];
};

static void put_bytes(struct line *line, const char *at, size_t bytes)
{
    size_t room = sizeof(line->at) - 1 - line->used;

    if (bytes > room) {
        bytes = room;
        while (bytes > 0 && ((unsigned char)at[bytes] & 0xC0) == 0x80)
            bytes--; /* not in the middle of a character */
    }
    if (bytes > 0)
        memcpy(line->at + line->used, at, bytes);
    line->used += bytes;
    line->at[line->used] = '\0';
}

static void put(struct line *line, const char *word)
{
    put_bytes(line, word, strlen(word));
}

/* Where text of `max` bytes may end without cutting a character in two. */
static uint32_t cut(struct text text, uint32_t max)
{
    if (text.len <= max)
        return text.len;
    while (max > 0 && ((unsigned char)text.at[max] & 0xC0) == 0x80)
        max--;
    return max;
}

static void put_quoted(struct line *line, struct text text)
{
    uint32_t shown = cut(text, TEXT_SHOWN);
    char escape[8];

    put(line, "\"");
    for (uint32_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\') {
            put(line, c == '"' ? "\\\"" : "\\\\");
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            put(line, escape);
        } else {
            put_bytes(line, text.at + i, 1);
        }
    }
    put(line, shown < text.len ? "...\"" : "\"");
}

static void put_number(struct line *line, int64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, number);
    put(line, text);
}

static void put_real(struct line *line, double real)
{
    char text[NUMBER_TEXT_BYTES];

    put_bytes(line, text, number_print(real, text));
}

static void put_duration(struct line *line, int64_t ms)
{
    char text[DURATION_TEXT_BYTES];

    put_bytes(line, text, duration_print(ms, text));
}

static void put_time(struct line *line, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];

    if (timestamp_is_known(ms))
        put_bytes(line, text, timestamp_print(ms, text));
    else
        put_number(line, ms);
}

static void put_severity(struct line *line, int64_t severity)
{
    const char *name = severity >= 0 && severity < SEVERITY_COUNT
                           ? severity_name((enum severity)severity)
                           : "unknown";
    char upper[16];
    size_t i = 0;

    for (; name[i] != '\0' && i < sizeof(upper) - 1; i++)
        upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    upper[i] = '\0';
    put(line, upper);
}

/* A whole number of this type. */
static void put_whole(struct line *line, enum value_type type, int64_t number)
{
    if (type == TYPE_SEVERITY)
        put_severity(line, number);
    else if (type == TYPE_DURATION)
        put_duration(line, number);
    else if (type == TYPE_TIME)
        put_time(line, number);
    else
        put_number(line, number);
}

/* --- operands ----------------------------------------------------------------------------------
 */

/* What an instruction compares: decides how constants are read. */
enum sort { SORT_TEXT, SORT_NUMBER, SORT_REAL };

static enum sort sort_of(const struct instruction *at)
{
    switch ((enum opcode)at->op) {
    case OP_COMPARE_NUMBER:
    case OP_IN_NUMBER:
        return SORT_NUMBER;
    case OP_COMPARE_REAL:
    case OP_IN_REAL:
        return SORT_REAL;
    default:
        return SORT_TEXT;
    }
}

static enum value_type operand_type(const struct operand *operand)
{
    return operand->kind == OPERAND_FIELD ? field_row((enum rule_field)operand->field)->type
                                          : TYPE_INT;
}

static void put_label(struct line *line, struct text name)
{
    bool is_plain = name.len > 0;

    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        is_plain = is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                                (i > 0 && c >= '0' && c <= '9'));
    }
    put(line, is_plain ? "labels." : "labels[");
    if (is_plain) {
        put_bytes(line, name.at, name.len);
    } else {
        put_quoted(line, name);
        put(line, "]");
    }
}

static void put_constant(struct line *line, const struct operand *operand, enum sort sort,
                         enum value_type type)
{
    if (sort == SORT_TEXT)
        put_quoted(line, operand->text);
    else if (sort == SORT_REAL)
        put_real(line, operand->real);
    else
        put_whole(line, type, operand->number);
}

/* Its name, or the constant. `type` is that of the other side. */
static void put_written(struct line *line, const struct operand *operand, enum sort sort,
                        enum value_type type, const struct rule_aggregate *aggregates)
{
    if (operand->kind == OPERAND_CONSTANT)
        put_constant(line, operand, sort, type);
    else if (operand->kind == OPERAND_LABEL)
        put_label(line, operand->text);
    else if (operand->kind == OPERAND_AGGREGATE)
        put(line, aggregates != NULL ? aggregates[operand->index].text : "aggregate");
    else
        put(line, field_row((enum rule_field)operand->field)->name);
}

static int64_t whole_of(const struct operand *operand, const struct program_input *input)
{
    if (operand->kind == OPERAND_AGGREGATE)
        return input->aggregate[operand->index];
    if (operand->field == RULE_FIELD_SEVERITY)
        return input->view->severity;
    if (operand->field == RULE_FIELD_TS)
        return input->view->text->ts_ms;
    return input->view->et_ms - input->view->text->ts_ms;
}

/* Its value; false when there is none, which is what is put then. */
static bool put_valued(struct line *line, const struct operand *operand, enum sort sort,
                       enum value_type type, struct program_input *input)
{
    struct text text;

    if (operand->kind == OPERAND_CONSTANT) {
        put_constant(line, operand, sort, type);
    } else if (sort == SORT_TEXT) {
        if (operand_text(operand, input, &text)) {
            put_quoted(line, text);
        } else {
            line->used = 0;
            put_label(line, operand->text);
            put(line, " is absent");
            return false;
        }
    } else if (sort == SORT_REAL && operand->kind == OPERAND_AGGREGATE) {
        put_real(line, input->aggregate_real[operand->index]);
    } else if (sort == SORT_REAL && operand->kind == OPERAND_FIELD) {
        if (input->view->text->has_value) {
            put_real(line, input->view->text->value);
        } else {
            line->used = 0;
            put(line, "the event has no value");
            return false;
        }
    } else {
        put_whole(line, operand_type(operand), whole_of(operand, input));
    }
    return true;
}

/* --- tests ------------------------------------------------------------------------------- */

static void put_item(struct line *line, const struct constant_list *list, uint32_t i)
{
    if (list->type == TYPE_TEXT)
        put_quoted(line, list->texts[i]);
    else if (list->type == TYPE_DOUBLE)
        put_real(line, list->reals[i]);
    else
        put_whole(line, (enum value_type)list->type, list->numbers[i]);
}

static void put_list(struct line *line, const struct instruction *at)
{
    char more[40];

    put(line, "[");
    for (uint32_t i = 0; i < at->list.count && i < ITEMS_SHOWN; i++) {
        put(line, i > 0 ? ", " : "");
        put_item(line, &at->list, i);
    }
    if (at->list.count > ITEMS_SHOWN) {
        snprintf(more, sizeof(more), ", ... %u more", (unsigned)(at->list.count - ITEMS_SHOWN));
        put(line, more);
    }
    put(line, "]");
}

static const char *search_name(uint8_t op)
{
    return op == OP_STARTS_WITH ? ".startsWith("
           : op == OP_ENDS_WITH ? ".endsWith("
           : op == OP_CONTAINS  ? ".contains("
                                : ".matches(";
}

/* One side of a test: with `input` the values, else as it is written. False when a value is
 * missing: the line says so and nothing else. */
static bool put_side(struct line *line, const struct operand *operand, enum sort sort,
                     enum value_type type, struct program_input *input,
                     const struct rule_aggregate *aggregates)
{
    if (input != NULL)
        return put_valued(line, operand, sort, type, input);
    put_written(line, operand, sort, type, aggregates);
    return true;
}

/* The type that constants of the instruction have. */
static enum value_type type_beside(const struct instruction *at)
{
    return at->left.kind != OPERAND_CONSTANT ? operand_type(&at->left) : operand_type(&at->right);
}

static void put_has(struct line *line, const struct instruction *at, struct program_input *input,
                    enum truth truth)
{
    put(line, input == NULL ? "has(" : "");
    put_written(line, &at->left, SORT_TEXT, TYPE_TEXT, NULL);
    put(line, input == NULL ? ")" : truth == TRUTH_TRUE ? " is there" : " is absent");
}

/* --- what computes: operands are subtrees ------------------------------------------------ */

struct walk {
    const struct program *program;
    struct program_input *input;
    const struct rule_aggregate *aggregates;
    struct explanation *out;
};

static void put_tree(struct line *line, const struct walk *walk, uint32_t index);

/* All operands of an instruction, something between them. */
static void put_operands(struct line *line, const struct walk *walk, uint32_t index,
                         const char *before, const char *between, const char *behind)
{
    const struct instruction *code = walk->program->code;

    put(line, before);
    for (uint32_t i = index + 1; i < code[index].end; i = code[i].end) {
        put(line, i > index + 1 ? between : "");
        put_tree(line, walk, i);
    }
    put(line, behind);
}

/* The first operand, a sign, and the others as a list or alone. */
static void put_first_and_rest(struct line *line, const struct walk *walk, uint32_t index,
                               const char *sign, const char *behind)
{
    const struct instruction *code = walk->program->code;

    put_tree(line, walk, index + 1);
    put(line, sign);
    for (uint32_t i = code[index + 1].end; i < code[index].end; i = code[i].end) {
        put(line, i > code[index + 1].end ? ", " : "");
        put_tree(line, walk, i);
    }
    put(line, behind);
}

static void put_between(struct line *line, const struct walk *walk, uint32_t index,
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

static void put_test(struct line *line, const struct instruction *at, struct program_input *input,
                     const struct rule_aggregate *aggregates, enum truth truth);

static void put_load(struct line *line, const struct walk *walk, const struct instruction *at)
{
    enum sort sort = at->type == TYPE_TEXT     ? SORT_TEXT
                     : at->type == TYPE_DOUBLE ? SORT_REAL
                                               : SORT_NUMBER;

    put_written(line, &at->left, sort, (enum value_type)at->type, walk->aggregates);
}

static void put_choice(struct line *line, const struct walk *walk, uint32_t index)
{
    const struct instruction *code = walk->program->code;
    uint32_t first = code[index + 1].end;

    put(line, "(");
    put_tree(line, walk, index + 1);
    put(line, " ? ");
    put_tree(line, walk, first);
    put(line, " : ");
    put_tree(line, walk, code[first].end);
    put(line, ")");
}

/* A subtree as it is written. */
static void put_tree(struct line *line, const struct walk *walk, uint32_t index)
{
    const struct instruction *at = &walk->program->code[index];
    struct line test;

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
        put_list(line, at);
        return;
    case OP_IN_ITEMS:
        put_first_and_rest(line, walk, index, " in [", "]");
        return;
    case OP_IN_LABELS:
        put_operands(line, walk, index, "", "", " in labels");
        return;
    case OP_SEARCH:
        put_first_and_rest(line, walk, index, search_name(at->form), ")");
        return;
    case OP_CELL:
    case OP_HAS_CELL:
        put(line, at->op == OP_HAS_CELL ? "has(" : "");
        put_bytes(line, at->table->name.at, at->table->name.len);
        put_operands(line, walk, index, "[", "", "].");
        put_bytes(line, at->table->column[at->right.index].at,
                  at->table->column[at->right.index].len);
        put(line, at->op == OP_HAS_CELL ? ")" : "");
        return;
    case OP_IN_TABLE:
        put_operands(line, walk, index, "", "", " in ");
        put_bytes(line, at->table->name.at, at->table->name.len);
        return;
    case OP_MATCHES_VALUE:
        put_operands(line, walk, index, "", "", ".matches(");
        put_quoted(line, at->right.text);
        put(line, ")");
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
        put(line, "size(labels)");
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
        put(line, time_part_name((enum time_part)at->form));
        put(line, "()");
        return;
    default:
        put_test(&test, at, NULL, walk->aggregates, TRUTH_TRUE);
        put(line, test.at);
    }
}

static void put_value(struct line *line, const struct value *value)
{
    if (value->type == TYPE_TEXT)
        put_quoted(line, value->text);
    else if (value->type == TYPE_DOUBLE)
        put_real(line, value->real);
    else if (value->type == TYPE_BOOL)
        put(line, value->number != 0 ? "true" : "false");
    else
        put_whole(line, (enum value_type)value->type, value->number);
}

/* The value of an operand; false when it has none: the line says that and nothing else. */
static bool put_computed(struct line *line, const struct walk *walk, uint32_t index)
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
    put_tree(line, walk, index);
    put(line, " has no value: ");
    put(line, why);
    return false;
}

/* A computed test with the values of its operands. */
static void put_computed_test(struct line *line, const struct walk *walk, uint32_t index)
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
        put(line, " ");
        put(line, relation_sign((enum relation)at->relation));
        put(line, " ");
        put_computed(line, walk, second);
        return;
    case OP_IN_LIST:
        put(line, " in ");
        put_list(line, at);
        return;
    case OP_IN_LABELS:
        put(line, " in labels");
        return;
    case OP_IN_TABLE:
        put(line, " in ");
        put_bytes(line, at->table->name.at, at->table->name.len);
        return;
    case OP_HAS_CELL: /* the key's value: which row was looked for */
        put(line, " as the key");
        return;
    case OP_IN_ITEMS:
        put(line, " in [");
        for (uint32_t i = second; i < at->end; i = code[i].end) {
            put(line, i > second ? ", " : "");
            if (!put_computed(line, walk, i))
                return;
        }
        put(line, "]");
        return;
    case OP_MATCHES_VALUE:
        put(line, ".matches(");
        put_quoted(line, at->right.text);
        put(line, ")");
        return;
    case OP_SEARCH:
        put(line, search_name(at->form));
        if (put_computed(line, walk, second))
            put(line, ")");
        return;
    default:
        line->used = 0;
        line->at[0] = '\0';
    }
}

/* The test as written, or with values if there is an `input`. */
static void put_test(struct line *line, const struct instruction *at, struct program_input *input,
                     const struct rule_aggregate *aggregates, enum truth truth)
{
    enum sort sort = sort_of(at);
    enum value_type type;

    line->used = 0;
    line->at[0] = '\0';
    switch ((enum opcode)at->op) {
    case OP_COMPARE_TEXT:
    case OP_COMPARE_NUMBER:
    case OP_COMPARE_REAL:
        type = type_beside(at);
        if (!put_side(line, &at->left, sort, type, input, aggregates))
            return;
        put(line, " ");
        put(line, relation_sign((enum relation)at->relation));
        put(line, " ");
        put_side(line, &at->right, sort, type, input, aggregates);
        return;
    case OP_IN_TEXT:
    case OP_IN_NUMBER:
    case OP_IN_REAL:
        if (!put_side(line, &at->left, sort, operand_type(&at->left), input, aggregates))
            return;
        put(line, " in ");
        put_list(line, at);
        return;
    case OP_HAS:
        put_has(line, at, input, truth);
        return;
    case OP_STARTS_WITH:
    case OP_ENDS_WITH:
    case OP_CONTAINS:
    case OP_MATCHES:
        if (!put_side(line, &at->left, sort, TYPE_TEXT, input, aggregates))
            return;
        put(line, search_name(at->op));
        put_side(line, &at->right, sort, TYPE_TEXT, input, aggregates);
        put(line, ")");
        return;
    case OP_QUIET:
        put(line, input != NULL ? "quiet for " : "quiet(");
        put_duration(line, input != NULL ? input->quiet_ms : at->left.number);
        put(line, input != NULL ? "" : ")");
        return;
    case OP_FEWER:
        put(line, "fewer()");
        return;
    case OP_CLEARED:
        put(line, input == NULL ? "cleared()" : truth == TRUTH_TRUE ? "" : "an alert is open");
        return;
    case OP_CONSTANT:
        if (input == NULL)
            put(line, at->left.number != 0 ? "true" : "false");
        return;
    default:
        if (input == NULL)
            put(line, "...");
    }
}

/* --- the walk -----------------------------------------------------------------------------------
 */

static const char *keep(struct explanation *out, const struct line *line)
{
    const char *at = out->text + out->used;

    if (out->used + line->used + 1 > sizeof(out->text))
        return NULL;
    memcpy(out->text + out->used, line->at, line->used + 1);
    out->used += (uint32_t)line->used + 1;
    return at;
}

static void add_test(struct walk *walk, uint32_t index, enum truth truth, bool decides)
{
    const struct instruction *at = &walk->program->code[index];
    struct explanation *out = walk->out;
    struct line written, valued;
    const char *first, *second;

    if (at->op >= OP_LOAD && at->op != OP_MATCHES) {
        written.used = 0;
        written.at[0] = '\0';
        put_tree(&written, walk, index);
        put_computed_test(&valued, walk, index);
    } else {
        put_test(&written, at, NULL, walk->aggregates, truth);
        put_test(&valued, at, walk->input, walk->aggregates, truth);
    }
    if (strcmp(written.at, valued.at) == 0)
        valued.at[valued.used = 0] = '\0';
    first = out->count < EXPLAIN_TESTS_MAX ? keep(out, &written) : NULL;
    second = first != NULL ? keep(out, &valued) : NULL;
    if (second == NULL) {
        out->left_out++;
        return;
    }
    out->test[out->count++] = (struct explained_test){
        .truth = (uint8_t)truth, .decides = decides, .written = first, .valued = second};
}

/* `decides`: the whole is what this subtree makes it. */
static void add_tree(struct walk *walk, uint32_t index, bool decides)
{
    const struct instruction *code = walk->program->code, *at = &code[index];
    enum truth truth = program_test(walk->program, index, walk->input);

    if (at->op != OP_AND && at->op != OP_OR && at->op != OP_NOT && at->op != OP_COMPARE_TRUTH) {
        add_test(walk, index, truth, decides);
        return;
    }
    for (uint32_t i = index + 1; i < at->end; i = code[i].end) {
        /* A chain is what the sides make it that come to the same; both sides of == count. */
        bool counts = at->op == OP_NOT || at->op == OP_COMPARE_TRUTH ||
                      program_test(walk->program, i, walk->input) == truth;
        add_tree(walk, i, decides && counts);
    }
}

void program_explain(const struct program *program, struct program_input *input,
                     const struct rule_aggregate *aggregates, struct explanation *out)
{
    struct walk walk = {program, input, aggregates, out};

    out->count = out->left_out = out->used = 0;
    out->truth = program_test(program, 0, input);
    add_tree(&walk, 0, true);
}

void rule_explain_where(const struct rule *rule, const struct event_view *view,
                        struct explanation *out)
{
    const struct compiled_rule *compiled = (const struct compiled_rule *)(const void *)rule;
    struct program_input input;

    program_input_start(&input, view);
    program_explain(&compiled->where, &input, NULL, out);
}

const struct explained_test *explanation_cause(const struct explanation *explanation)
{
    for (uint32_t i = 0; i < explanation->count; i++)
        if (explanation->test[i].decides)
            return &explanation->test[i];
    return NULL;
}

void explained_test_print(const struct explained_test *test, char *to, size_t bytes)
{
    const char *is = test->truth == TRUTH_TRUE    ? " is true"
                     : test->truth == TRUTH_FALSE ? " is false"
                                                  : "";

    if (test->valued[0] == '\0')
        snprintf(to, bytes, "%s%s", test->written,
                 test->truth == TRUTH_ERROR ? " cannot be evaluated" : is);
    else
        snprintf(to, bytes, "%s: %s%s", test->written, test->valued, is);
}
