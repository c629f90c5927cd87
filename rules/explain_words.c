/* explain_words.c - tests of one instruction in words. See explain_parts.h. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "rules/explain_parts.h"
#include "rules/types.h"

enum {
    TEXT_SHOWN = 80, /* bytes of one text */
    ITEMS_SHOWN = 6, /* of a list */
};

/* --- a bounded piece of text ------------------------------------------------------------- */

void explain_put_bytes(struct explain_line *line, const char *at, size_t bytes)
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

void explain_put(struct explain_line *line, const char *word)
{
    explain_put_bytes(line, word, strlen(word));
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

void explain_put_quoted(struct explain_line *line, struct text text)
{
    uint32_t shown = cut(text, TEXT_SHOWN);
    char escape[8];

    explain_put(line, "\"");
    for (uint32_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c == '"' || c == '\\') {
            explain_put(line, c == '"' ? "\\\"" : "\\\\");
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            explain_put(line, escape);
        } else {
            explain_put_bytes(line, text.at + i, 1);
        }
    }
    explain_put(line, shown < text.len ? "...\"" : "\"");
}

static void put_number(struct explain_line *line, int64_t number)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRId64, number);
    explain_put(line, text);
}

void explain_put_real(struct explain_line *line, double real)
{
    char text[NUMBER_TEXT_BYTES];

    explain_put_bytes(line, text, number_print(real, text));
}

static void put_duration(struct explain_line *line, int64_t ms)
{
    char text[DURATION_TEXT_BYTES];

    explain_put_bytes(line, text, duration_print(ms, text));
}

static void put_time(struct explain_line *line, int64_t ms)
{
    char text[TIMESTAMP_TEXT_BYTES];

    if (timestamp_is_known(ms))
        explain_put_bytes(line, text, timestamp_print(ms, text));
    else
        put_number(line, ms);
}

static void put_severity(struct explain_line *line, int64_t severity)
{
    const char *name = severity >= 0 && severity < SEVERITY_COUNT
                           ? severity_name((enum severity)severity)
                           : "unknown";
    char upper[16];
    size_t i = 0;

    for (; name[i] != '\0' && i < sizeof(upper) - 1; i++)
        upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    upper[i] = '\0';
    explain_put(line, upper);
}

/* A whole number of this type. */
void explain_put_whole(struct explain_line *line, enum value_type type, int64_t number)
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

static enum explain_sort sort_of(const struct instruction *at)
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

static void put_label(struct explain_line *line, struct text name)
{
    bool is_plain = name.len > 0;

    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        is_plain = is_plain && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                                (i > 0 && c >= '0' && c <= '9'));
    }
    explain_put(line, is_plain ? "labels." : "labels[");
    if (is_plain) {
        explain_put_bytes(line, name.at, name.len);
    } else {
        explain_put_quoted(line, name);
        explain_put(line, "]");
    }
}

static void put_constant(struct explain_line *line, const struct operand *operand,
                         enum explain_sort sort, enum value_type type)
{
    if (sort == SORT_TEXT)
        explain_put_quoted(line, operand->text);
    else if (sort == SORT_REAL)
        explain_put_real(line, operand->real);
    else
        explain_put_whole(line, type, operand->number);
}

/* Its name, or the constant. `type` is that of the other side. */
void explain_put_written(struct explain_line *line, const struct operand *operand,
                         enum explain_sort sort, enum value_type type,
                         const struct rule_aggregate *aggregates)
{
    if (operand->kind == OPERAND_CONSTANT)
        put_constant(line, operand, sort, type);
    else if (operand->kind == OPERAND_LABEL)
        put_label(line, operand->text);
    else if (operand->kind == OPERAND_AGGREGATE)
        explain_put(line, aggregates != NULL ? aggregates[operand->index].text : "aggregate");
    else
        explain_put(line, field_row((enum rule_field)operand->field)->name);
}

/* Its value; false when there is none, which is what is put then. */
static bool put_valued(struct explain_line *line, const struct operand *operand,
                       enum explain_sort sort, enum value_type type, struct program_input *input)
{
    struct text text;

    if (operand->kind == OPERAND_CONSTANT) {
        put_constant(line, operand, sort, type);
    } else if (sort == SORT_TEXT) {
        if (operand_text(operand, input, &text)) {
            explain_put_quoted(line, text);
        } else {
            line->used = 0;
            put_label(line, operand->text);
            explain_put(line, " is absent");
            return false;
        }
    } else if (sort == SORT_REAL && operand->kind == OPERAND_AGGREGATE) {
        explain_put_real(line, input->aggregate_real[operand->index]);
    } else if (sort == SORT_REAL && operand->kind == OPERAND_FIELD) {
        if (input->view->text->has_value) {
            explain_put_real(line, input->view->text->value);
        } else {
            line->used = 0;
            explain_put(line, "the event has no value");
            return false;
        }
    } else {
        explain_put_whole(line, operand_type(operand), operand_whole(operand, input));
    }
    return true;
}

/* --- tests ------------------------------------------------------------------------------- */

static void put_item(struct explain_line *line, const struct constant_list *list, uint32_t i)
{
    if (list->type == TYPE_TEXT)
        explain_put_quoted(line, list->texts[i]);
    else if (list->type == TYPE_DOUBLE)
        explain_put_real(line, list->reals[i]);
    else
        explain_put_whole(line, (enum value_type)list->type, list->numbers[i]);
}

void explain_put_list(struct explain_line *line, const struct instruction *at)
{
    char more[40];

    explain_put(line, "[");
    for (uint32_t i = 0; i < at->list.count && i < ITEMS_SHOWN; i++) {
        explain_put(line, i > 0 ? ", " : "");
        put_item(line, &at->list, i);
    }
    if (at->list.count > ITEMS_SHOWN) {
        snprintf(more, sizeof(more), ", ... %u more", (unsigned)(at->list.count - ITEMS_SHOWN));
        explain_put(line, more);
    }
    explain_put(line, "]");
}

const char *explain_search_name(uint8_t op)
{
    return op == OP_STARTS_WITH ? ".startsWith("
           : op == OP_ENDS_WITH ? ".endsWith("
           : op == OP_CONTAINS  ? ".contains("
                                : ".matches(";
}

/* One side of a test: with `input` the values, else as it is written. False when a value is
 * missing: the line says so and nothing else. */
static bool put_side(struct explain_line *line, const struct operand *operand,
                     enum explain_sort sort, enum value_type type, struct program_input *input,
                     const struct rule_aggregate *aggregates)
{
    if (input != NULL)
        return put_valued(line, operand, sort, type, input);
    explain_put_written(line, operand, sort, type, aggregates);
    return true;
}

/* The type that constants of the instruction have. */
static enum value_type type_beside(const struct instruction *at)
{
    return at->left.kind != OPERAND_CONSTANT ? operand_type(&at->left) : operand_type(&at->right);
}

static void put_has(struct explain_line *line, const struct instruction *at,
                    struct program_input *input, enum truth truth)
{
    explain_put(line, input == NULL ? "has(" : "");
    explain_put_written(line, &at->left, SORT_TEXT, TYPE_TEXT, NULL);
    explain_put(line, input == NULL ? ")" : truth == TRUTH_TRUE ? " is there" : " is absent");
}

/* The test as written, or with values if there is an `input`. */
void explain_put_test(struct explain_line *line, const struct instruction *at,
                      struct program_input *input, const struct rule_aggregate *aggregates,
                      enum truth truth)
{
    enum explain_sort sort = sort_of(at);
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
        explain_put(line, " ");
        explain_put(line, relation_sign((enum relation)at->relation));
        explain_put(line, " ");
        put_side(line, &at->right, sort, type, input, aggregates);
        return;
    case OP_IN_TEXT:
    case OP_IN_NUMBER:
    case OP_IN_REAL:
        if (!put_side(line, &at->left, sort, operand_type(&at->left), input, aggregates))
            return;
        explain_put(line, " in ");
        explain_put_list(line, at);
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
        explain_put(line, explain_search_name(at->op));
        put_side(line, &at->right, sort, TYPE_TEXT, input, aggregates);
        explain_put(line, ")");
        return;
    case OP_QUIET:
        explain_put(line, input != NULL ? "quiet for " : "quiet(");
        put_duration(line, input != NULL ? input->quiet_ms : at->left.number);
        explain_put(line, input != NULL ? "" : ")");
        return;
    case OP_FEWER:
        explain_put(line, "fewer()");
        return;
    case OP_CLEARED:
        explain_put(line, input == NULL         ? "cleared()"
                          : truth == TRUTH_TRUE ? ""
                                                : "an alert is open");
        return;
    case OP_CONSTANT:
        if (input == NULL)
            explain_put(line, at->left.number != 0 ? "true" : "false");
        return;
    default:
        if (input == NULL)
            explain_put(line, "...");
    }
}
