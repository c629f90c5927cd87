/* title.c - see title.h. */
#include "rules/title.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "rules/parser.h"
#include "rules/printer.h"

struct template
{
    const struct yaml_node *node;
    const struct scope *when;
    struct arena *arena;
    struct title_part *parts;
    uint32_t count;
};

static bool add_text(struct template *template, const char *at, uint32_t len)
{
    struct title_part *part = &template->parts[template->count];

    if (len == 0)
        return true;
    part->operand.text.at = arena_copy(template->arena, at, len);
    part->operand.text.len = len;
    template->count++;
    if (part->operand.text.at == NULL)
        diagnose_memory(template->when->diag);
    return part->operand.text.at != NULL;
}

/* count() and distinct(x) mean what `when` computed. */
static bool resolve_aggregate(struct ast *ast, const struct scope *when)
{
    const char *text = ast_print(ast, when->arena);

    if (text == NULL) {
        diagnose_memory(when->diag);
        return false;
    }
    for (uint32_t i = 0; i < when->aggregate_count; i++) {
        if (strcmp(when->aggregate[i].text, text) == 0) {
            ast->meaning = MEANS_AGGREGATE;
            ast->number = i;
            return true;
        }
    }
    diagnose(when->diag, ast->span, "when does not compute %.80s, so a title cannot show it", text);
    return false;
}

static bool add_placeholder(struct template *template, uint32_t from, uint32_t to)
{
    struct title_part *part = &template->parts[template->count++];
    struct diagnostics *diag = template->when->diag;
    struct ast *ast;

    if (from == to) {
        diagnose(diag, yaml_node_span(template->node, from - 1, to + 1),
                 "a placeholder names a field; a brace itself is written {{");
        return false;
    }
    ast = parse_expression(template->node, from, to, template->when->arena, diag);
    if (ast == NULL)
        return false;
    if (ast->kind == AST_CALL ? !resolve_aggregate(ast, template->when)
                              : !types_check_field(ast, FIELD_IN_TITLE, "a title", diag))
        return false;
    part->is_placeholder = true;
    if (!operand_compile(ast, template->arena, NULL, &part->operand)) {
        diagnose_memory(diag);
        return false;
    }
    return true;
}

/* The brace that closes the placeholder; quotes inside may hold braces. */
static uint32_t find_close(struct text text, uint32_t at)
{
    char quote = '\0';

    for (; at < text.len; at++) {
        char c = text.at[at];
        if (quote != '\0')
            quote = c == quote ? '\0' : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '}')
            return at;
    }
    return text.len;
}

static bool compile_parts(struct template *template)
{
    struct text text = template->node->text;
    uint32_t from = 0, at = 0;

    while (at < text.len) {
        char c = text.at[at];
        bool is_double = at + 1 < text.len && text.at[at + 1] == c;
        if (c != '{' && c != '}') {
            at++;
        } else if (is_double) {
            if (!add_text(template, text.at + from, at + 1 - from))
                return false;
            from = at += 2;
        } else if (c == '}') {
            diagnose(template->when->diag, yaml_node_span(template->node, at, at + 1),
                     "this } closes nothing; a brace itself is written }}");
            return false;
        } else {
            uint32_t close = find_close(text, at);
            if (close == text.len) {
                diagnose(template->when->diag, yaml_node_span(template->node, at, at + 1),
                         "this { is not closed; a brace itself is written {{");
                return false;
            }
            if (!add_text(template, text.at + from, at - from) ||
                !add_placeholder(template, at + 1, close))
                return false;
            from = at = close + 1;
        }
    }
    return add_text(template, text.at + from, at - from);
}

bool title_compile(const struct yaml_node *node, const struct scope *when, struct arena *arena,
                   struct title *out)
{
    struct template template = {.node = node, .when = when, .arena = arena};
    uint32_t braces = 0;

    for (uint32_t i = 0; i < node->text.len; i++)
        braces += node->text.at[i] == '{' || node->text.at[i] == '}';
    template.parts = arena_alloc_many(arena, 2 * (size_t)braces + 1, sizeof(struct title_part));
    if (template.parts == NULL) {
        diagnose_memory(when->diag);
        return false;
    }
    if (!compile_parts(&template))
        return false;
    *out = (struct title){template.parts, template.count};
    return true;
}

struct writer {
    char *to;
    size_t used, room;
};

static void write_text(struct writer *writer, const char *at, size_t len)
{
    size_t left = writer->room - writer->used;

    if (len > left) {
        len = left;
        while (len > 0 && ((unsigned char)at[len] & 0xc0) == 0x80)
            len--;
        writer->room = writer->used + len; /* full from here on */
    }
    if (len > 0)
        memcpy(writer->to + writer->used, at, len);
    writer->used += len;
}

static void write_operand(struct writer *writer, const struct operand *operand,
                          struct program_input *input)
{
    char number[NUMBER_TEXT_BYTES];
    struct text text;

    if (operand->kind == OPERAND_AGGREGATE) {
        snprintf(number, sizeof(number), "%" PRId64, input->aggregate[operand->index]);
        write_text(writer, number, strlen(number));
    } else if (operand->kind == OPERAND_FIELD && operand->field == RULE_FIELD_VALUE) {
        if (input->view->text->has_value)
            write_text(writer, number, number_print(input->view->text->value, number));
    } else if (operand_text(operand, input, &text)) {
        write_text(writer, text.at, text.len);
    }
}

void title_render(const struct title *title, struct program_input *input, char *to, size_t bytes)
{
    struct writer writer = {to, 0, bytes - 1};

    if (bytes == 0)
        return;
    for (uint32_t i = 0; i < title->count; i++)
        write_operand(&writer, &title->parts[i].operand, input);
    to[writer.used] = '\0';
}
