/* title.c - see title.h. */
#include "rules/title.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "rules/parser.h"
#include "rules/printer.h"

struct template
{
    const struct yaml_node *node;
    const struct scope *when;
    const struct title_known *known;
    struct arena *arena;
    struct title_part *parts;
    uint32_t count;
    struct id128 digest;
    const char *empty;
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

/* A field, label or aggregate is looked up; all else is a program. */
static bool compile_placeholder(struct template *template, const struct ast *ast,
                                struct title_part *part)
{
    part->is_placeholder = true;
    part->computes = ast->meaning != MEANS_FIELD && ast->meaning != MEANS_AGGREGATE;
    if (ast->type == TYPE_TIME || ast->type == TYPE_DURATION ||
        (ast->meaning == MEANS_AGGREGATE && ast->type == TYPE_DOUBLE))
        part->computes = true;
    return part->computes ? program_compile(ast, template->arena, NULL, &part->program)
                          : operand_compile(ast, template->arena, NULL, &part->operand);
}

/* What is known of an event's host is a label of it. */
static bool is_host(unsigned field, struct text label)
{
    return field == RULE_FIELD_HOST || (field == RULE_FIELD_LABEL && text_equals(label, "host"));
}

static bool is_known(const struct title_known *known, const struct ast *ast)
{
    for (uint32_t i = 0; i < known->count; i++) {
        const struct operand *field = &known->field[i];
        if (is_host(field->field, field->text) && is_host(ast->field, ast->text))
            return true;
        if (field->field == ast->field &&
            (ast->field != RULE_FIELD_LABEL ||
             (field->text.len == ast->text.len &&
              memcmp(field->text.at, ast->text.at, ast->text.len) == 0)))
            return true;
    }
    return false;
}

/* The first field that would stay empty; NULL: there is none. */
static const struct ast *find_empty(const struct title_known *known, const struct ast *ast)
{
    const struct ast *found = NULL;

    if (ast->meaning == MEANS_FIELD)
        return is_known(known, ast) ? NULL : ast;
    if (ast->meaning == MEANS_AGGREGATE)
        return NULL;
    if (ast->receiver != NULL)
        found = find_empty(known, ast->receiver);
    for (const struct ast *part = ast->first; found == NULL && part != NULL; part = part->next)
        found = find_empty(known, part);
    return found;
}

static bool check_known(struct template *template, const struct ast *ast)
{
    const struct ast *empty = template->known != NULL ? find_empty(template->known, ast) : NULL;

    if (empty != NULL && !template->known->is_all) {
        if (template->empty == NULL)
            template->empty = ast_print(empty, template->arena);
        return template->empty != NULL || diagnose_memory(template->when->diag) != NULL;
    }
    return empty == NULL ||
           diagnose_sense(template->when->diag, empty->span,
                          "this would stay empty: no event opens an incident of this rule, so its "
                          "title knows what \"by\" names and no more");
}

static bool add_placeholder(struct template *template, uint32_t from, uint32_t to)
{
    struct title_part *part = &template->parts[template->count++];
    struct diagnostics *diag = template->when->diag;
    struct scope scope = *template->when;
    struct id128 pair[2];
    const char *text;
    struct ast *ast;

    if (from == to) {
        diagnose(diag, yaml_node_span(template->node, from - 1, to + 1),
                 "a placeholder names a field; a brace itself is written {{");
        return false;
    }
    scope.kind = SCOPE_TITLE;
    ast = parse_expression(template->node, from, to, scope.arena, diag);
    if (ast == NULL || !vars_place(ast, scope.vars) || !types_check_value(ast, &scope) ||
        !check_known(template, ast))
        return false;
    text = ast_print(ast, scope.arena);
    if (text == NULL || !compile_placeholder(template, ast, part)) {
        diagnose_memory(diag);
        return false;
    }
    pair[0] = template->digest;
    pair[1] = hash128(text, strlen(text), 0);
    template->digest = hash128(pair, sizeof(pair), 0);
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

bool title_compile(const struct yaml_node *node, const struct scope *when,
                   const struct title_known *known, struct arena *arena, struct title *out)
{
    struct template template = {.node = node, .when = when, .known = known, .arena = arena};
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
    *out = (struct title){template.parts, template.count, template.digest, template.empty};
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

/* Apart: its room on the stack is large. */
static __attribute__((noinline)) void
write_computed(struct writer *writer, const struct program *program, struct program_input *input)
{
    char bytes[TEXT_ROOM_BYTES];
    struct text_room room = {bytes, sizeof(bytes), 0};
    struct value value;

    if (program_value(program, input, &room, &value) == NULL &&
        value_convert(TYPE_TEXT, &value, &room, &value) == NULL)
        write_text(writer, value.text.at, value.text.len);
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
        if (title->parts[i].computes)
            write_computed(&writer, &title->parts[i].program, input);
        else
            write_operand(&writer, &title->parts[i].operand, input);
    to[writer.used] = '\0';
}
