/* drop_reach.c - see drop_reach.h. */
#include "rules/drop_reach.h"

#include "base/text.h"
#include "rules/enrich_set.h"
#include "rules/fixed_value.h"
#include "rules/rule_set_parts.h"

uint32_t drop_place(const struct rule_set *set, uint32_t step)
{
    uint32_t place = 0;

    for (uint32_t i = 0; i < step; i++)
        place += enrich_step_at(rule_set_enrich(set), i)->drops;
    return place;
}

/* No step changes what an event is known by, so both see the same. */
static bool asks_for_others(const struct program *where, const struct program *rule)
{
    static const enum rule_field fields[] = {RULE_FIELD_TENANT, RULE_FIELD_SOURCE,
                                             RULE_FIELD_RESOURCE, RULE_FIELD_CHECK,
                                             RULE_FIELD_DEDUP_KEY};
    struct text dropped, taken;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const struct operand field = {.kind = OPERAND_FIELD, .field = (uint8_t)fields[i]};
        if (fixed_value(where, &field, &dropped) && fixed_value(rule, &field, &taken) &&
            !texts_equal(dropped, taken))
            return true;
    }
    return false;
}

static bool is_of_tocsin(const struct program *where)
{
    const struct operand tenant = {.kind = OPERAND_FIELD, .field = RULE_FIELD_TENANT};
    struct text value;

    return fixed_value(where, &tenant, &value) && text_equals(value, "@tocsin");
}

bool drop_reaches(const struct rule_set *set, uint32_t step, uint32_t place, uint32_t rule)
{
    const struct compiled_rule *of = &set->rules[rule];
    const bool is_compared = place < RULE_DROPS_MAX;

    /* What tocsin says itself, and what becomes of incidents, passes no step. */
    return of->open.input != RULE_INPUT_INCIDENTS && !is_of_tocsin(&set->where[rule]) &&
           !(is_compared && (of->apart[place / 64] >> (place % 64) & 1) != 0) &&
           !asks_for_others(&set->enrich->steps[step].where, &set->where[rule]);
}
