/* wildcards.c - see wildcards.h. */
#include "rules/wildcards.h"

#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "rules/fields.h"
#include "rules/rule_reader.h"

/* Of a list that many texts are looked at: a set may have 200,000, and 4,000 rules may ask it. Who
 * writes patterns into a set writes them at its beginning, too. */
enum { SHOWN_BYTES = 60, LOOKED_TEXTS = 100 };

/* The first that stands at an end of a text is meant. */
static const char *const signs[] = {".*", "*", "%"};

static bool begins(struct text text, const char *sign)
{
    return text.len >= strlen(sign) && memcmp(text.at, sign, strlen(sign)) == 0;
}

static bool ends(struct text text, const char *sign)
{
    size_t bytes = strlen(sign);

    return text.len >= bytes && memcmp(text.at + text.len - bytes, sign, bytes) == 0;
}

/* A number of percent is one. */
static bool is_percent(struct text text)
{
    return text.len >= 2 && ends(text, "%") && text.at[text.len - 2] >= '0' &&
           text.at[text.len - 2] <= '9';
}

/* "labels.rack", "check". */
static void print_name(const struct operand *operand, char to[SHOWN_BYTES])
{
    if (operand->kind == OPERAND_LABEL)
        snprintf(to, SHOWN_BYTES, "labels.%.*s", (int)operand->text.len, operand->text.at);
    else
        snprintf(to, SHOWN_BYTES, "%s", field_row((enum rule_field)operand->field)->name);
}

static bool tell(const struct operand *operand, struct text text, char to[WILDCARD_BYTES])
{
    char name[SHOWN_BYTES];

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        uint32_t bytes = (uint32_t)strlen(signs[i]);
        bool is_before = begins(text, signs[i]), is_behind = ends(text, signs[i]);
        uint32_t cut = bytes * ((uint32_t)is_before + (uint32_t)is_behind);
        if (cut == 0 || text.len <= cut || text.len > SHOWN_BYTES || is_percent(text))
            continue;
        print_name(operand, name);
        snprintf(to, WILDCARD_BYTES,
                 "compares %s with \"%.*s\", in which %s stands for itself and for no other text; "
                 "did you mean %s.%s(\"%.*s\")?",
                 name, (int)text.len, text.at, signs[i], name,
                 !is_before   ? "startsWith"
                 : !is_behind ? "endsWith"
                              : "contains",
                 (int)(text.len - cut), text.at + (is_before ? bytes : 0));
        return true;
    }
    return false;
}

static bool is_name(const struct operand *operand)
{
    return operand->kind == OPERAND_FIELD || operand->kind == OPERAND_LABEL;
}

bool wildcard_find(const struct rule *rule, char to[WILDCARD_BYTES])
{
    const struct program *where = &((const struct compiled_rule *)(const void *)rule)->where;

    for (uint32_t i = 0; i < where->count; i++) {
        const struct instruction *at = &where->code[i];
        if (at->op == OP_COMPARE_TEXT && is_name(&at->left) && at->right.kind == OPERAND_CONSTANT &&
            tell(&at->left, at->right.text, to))
            return true;
        uint32_t count = at->op == OP_IN_TEXT && is_name(&at->left) ? at->list.count : 0;
        for (uint32_t t = 0; t < count && t < LOOKED_TEXTS; t++)
            if (tell(&at->left, at->list.texts[t], to))
                return true;
    }
    return false;
}
