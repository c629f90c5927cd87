/* names_read.c - see names_read.h. */
#include "rules/names_read.h"

#include <string.h>
#include "rules/enrich_set.h"
#include "rules/operands.h"
#include "rules/rule_set_parts.h"

#define LABELS "labels."

static bool is_label(const char *name, struct text label)
{
    const size_t prefix = strlen(LABELS), bytes = strlen(name);

    return strncmp(name, LABELS, prefix) == 0 && bytes - prefix == label.len &&
           memcmp(name + prefix, label.at, label.len) == 0;
}

static bool operand_reads(const struct operand *operand, const char *name)
{
    if (operand->kind == OPERAND_LABEL)
        return is_label(name, operand->text);
    if (operand->kind != OPERAND_FIELD)
        return false;
    return operand->field == RULE_FIELD_HOST
               ? strcmp(name, LABELS "host") == 0
               : strcmp(field_row((enum rule_field)operand->field)->name, name) == 0;
}

static bool program_reads(const struct program *program, const char *name)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct operands operands = operands_of(&program->code[i]);
        if (operands.every_label && strncmp(name, LABELS, strlen(LABELS)) == 0)
            return true;
        for (uint32_t k = 0; k < operands.count; k++)
            if (operand_reads(operands.at[k], name))
                return true;
    }
    return false;
}

unsigned rule_reads_name(const struct rule_set *set, uint32_t index, const char *name)
{
    const struct compiled_rule *rule = &set->rules[index];
    unsigned reads = program_reads(&set->where[index], name) ? NAME_IN_WHERE : 0;

    for (uint32_t i = 0; i < rule->open.by_count; i++)
        if (operand_reads(&rule->by[i], name))
            reads |= NAME_IN_BY;
    for (uint32_t i = 0; i < rule->open.step_count; i++)
        if (program_reads(&rule->steps[i], name))
            reads |= NAME_IN_WHERE;
    for (uint32_t i = 0; i < rule->open.last_count; i++)
        if (program_reads(&rule->last[i], name))
            reads |= NAME_IN_CLOSE;
    return reads;
}

static uint32_t add_name(const char **names, uint32_t count, uint32_t max, const char *name)
{
    if (names == NULL)
        return count + 1;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return count;
    if (count < max)
        names[count++] = name;
    return count;
}

uint32_t enrich_step_names(const struct enrich_set *set, uint32_t index, const char **names,
                           uint32_t max)
{
    const struct compiled_step *step = &set->steps[index];
    uint32_t count = 0;

    for (uint32_t i = 0; i < step->deed_count; i++) {
        const struct deed *deed = &step->deeds[i];
        if (deed->kind != DEED_EXTRACT)
            count = add_name(names, count, max, deed->what);
        for (uint32_t g = 0; deed->kind == DEED_EXTRACT && g < capture_count(deed->capture); g++)
            count = add_name(names, count, max, deed->group_what[g]);
    }
    return count;
}
