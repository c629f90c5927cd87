/*
 * title.h - templates: text with {placeholders}, checked at load.
 *
 *   "{host}: {distinct(check)} storage checks failing"
 *
 * A placeholder is an expression over the event that opened the incident and over the aggregates
 * that `when` names; {{ and }} stand for the braces themselves. What is absent or cannot be
 * computed is shown as nothing.
 */
#ifndef RULES_TITLE_H
#define RULES_TITLE_H

#include "rules/program.h"
#include "rules/types.h"
#include "rules/yaml_reader.h"

enum { TITLE_BYTES_MAX = 1000 };

struct title_part {
    bool is_placeholder;
    bool computes;          /* `program` and not `operand` */
    struct operand operand; /* a constant text where it is not a placeholder */
    struct program program;
};

struct title_known {
    const struct operand *field;
    uint32_t count;
    bool is_all; /* others are refused, and not only noted */
};

struct title {
    const struct title_part *parts;
    uint32_t count;
    struct id128 digest; /* of what the placeholders mean */
    const char *empty;   /* a field that is not known when an incident opens; NULL: there is none */
};

/* Compiles a scalar; `when` is the scope after checking, with its aggregates. Where no event opens
 * an incident, `known` are the only fields that are not empty then; others are refused, or the
 * first of them is noted. NULL: all are known. Errors: false, diagnosed (or memory noted). */
bool title_compile(const struct yaml_node *node, const struct scope *when,
                   const struct title_known *known, struct arena *arena, struct title *out);

/* Renders into `to`, cut at `bytes` on a character border, always terminated. */
void title_render(const struct title *title, struct program_input *input, char *to, size_t bytes);

#endif
