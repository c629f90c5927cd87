/* explain.c - see explain.h. */
#include "rules/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "rules/rule_reader.h"
#include "rules/title.h"

enum {
    TEXT_SHOWN = 80,  /* bytes of one text */
    ITEMS_SHOWN = 6,  /* of a list */
    TEST_BYTES = 500, /* one side of a test */
};

/* --- a bounded piece of text ----------------------------------------------------------------- */

struct line {
    size_t used;
    char at[TEST_BYTES];
};

static void put_bytes(struct line *line, const char *at, size_t bytes)
{
    size_t room = sizeof(line->at) - 1 - line->used;

    if (bytes > room)
        bytes = room;
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

/* 1h30m, 250ms: as rules are written. */
static void put_duration(struct line *line, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;

    if (ms < 0)
        put(line, "-");
    if (left == 0)
        put(line, "0s");
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (left / (uint64_t)units[i].ms == 0)
            continue;
        put_number(line, (int64_t)(left / (uint64_t)units[i].ms));
        put(line, units[i].unit);
        left %= (uint64_t)units[i].ms;
    }
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

/* --- tests ----------------------------------------------------------------------------------- */

static void put_list(struct line *line, const struct instruction *at)
{
    char more[40];

    put(line, "[");
    for (uint32_t i = 0; i < at->list.count && i < ITEMS_SHOWN; i++) {
        struct operand item = {.kind = OPERAND_CONSTANT};
        enum sort sort = sort_of(at);
        if (sort == SORT_TEXT)
            item.text = at->list.texts[i];
        else if (sort == SORT_REAL)
            item.real = at->list.reals[i];
        else
            item.number = at->list.numbers[i];
        put(line, i > 0 ? ", " : "");
        put_constant(line, &item, sort, operand_type(&at->left));
    }
    if (at->list.count > ITEMS_SHOWN) {
        snprintf(more, sizeof(more), ", ... %u more", (unsigned)(at->list.count - ITEMS_SHOWN));
        put(line, more);
    }
    put(line, "]");
}

static const char *search_name(const struct instruction *at)
{
    return at->op == OP_STARTS_WITH ? ".startsWith("
           : at->op == OP_ENDS_WITH ? ".endsWith("
                                    : ".contains(";
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
        if (!put_side(line, &at->left, sort, TYPE_TEXT, input, aggregates))
            return;
        put(line, search_name(at));
        put_side(line, &at->right, sort, TYPE_TEXT, input, aggregates);
        put(line, ")");
        return;
    case OP_QUIET:
        put(line, input != NULL ? "quiet for " : "quiet(");
        put_duration(line, input != NULL ? input->quiet_ms : at->left.number);
        put(line, input != NULL ? "" : ")");
        return;
    case OP_CLEARED:
        put(line, input == NULL ? "cleared()" : truth == TRUTH_TRUE ? "" : "an alert is open");
        return;
    default:
        if (input == NULL)
            put(line, at->left.number != 0 ? "true" : "false");
    }
}

/* --- the walk -----------------------------------------------------------------------------------
 */

struct walk {
    const struct program *program;
    struct program_input *input;
    const struct rule_aggregate *aggregates;
    struct explanation *out;
};

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

    put_test(&written, at, NULL, walk->aggregates, truth);
    put_test(&valued, at, walk->input, walk->aggregates, truth);
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
