/* mute_reach.c - matchers over what is known of incidents before there are any. See mute_reach.h.
 */
#include "rules/mute_reach.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "rules/mute_reader.h"
#include "rules/operands.h"
#include "base/nearest.h"

enum {
    SHAPES_MAX = 64, /* of rules, as one inhibition tells them apart */
    KNOWN_LABELS = 4,
    FIXED_BYTES_MAX = 256, /* of a name and of a value that are worth knowing beforehand */
    VIEW_BYTES = 16384
};

/* One rule, as far as its incidents are known. */
struct looking {
    const struct rule *rule;
    const struct program *program;
    struct program_input input;
    uint32_t fixed;    /* bits of `by` whose values the view has */
    bool has_severity; /* that of the view is the incident's */
};

static bool has_name(const struct rule *rule, struct text name)
{
    for (uint32_t i = 0; i < rule->by_count; i++)
        if (text_equals(name, rule->by_name[i]))
            return true;
    return false;
}

/* A name that no incident of the rule carries, or that all do with one value. */
static bool is_known_name(const struct looking *looking, struct text name)
{
    for (uint32_t i = 0; i < looking->rule->by_count; i++)
        if (text_equals(name, looking->rule->by_name[i]))
            return (looking->fixed >> i & 1) != 0;
    return true;
}

static bool is_known(const struct looking *looking, const struct operand *operand)
{
    if (operand->kind == OPERAND_FIELD && operand->field == RULE_FIELD_SEVERITY)
        return looking->has_severity;
    return operand->kind == OPERAND_CONSTANT ||
           (operand->kind == OPERAND_LABEL && is_known_name(looking, operand->text));
}

/* True when nothing in the subtree depends on what only an incident knows. */
static bool is_decided(const struct looking *looking, uint32_t index)
{
    const struct instruction *code = looking->program->code;

    for (uint32_t i = index; i < code[index].end; i++) {
        const struct operands operands = operands_of(&code[i]);
        if (operands.every_label)
            return false;
        for (uint32_t k = 0; k < operands.count; k++)
            if (!is_known(looking, operands.at[k]))
                return false;
    }
    return true;
}

/* TRUTH_ERROR: it depends. The depth is that of an expression. */
static enum truth evaluate(struct looking *looking, uint32_t index)
{
    const struct instruction *at = &looking->program->code[index];
    enum truth decides = at->op == OP_AND ? TRUTH_FALSE : TRUTH_TRUE, truth;
    bool is_open = false;

    if (is_decided(looking, index))
        return program_test(looking->program, index, &looking->input);
    if (at->op == OP_NOT) {
        truth = evaluate(looking, index + 1);
        return truth == TRUTH_ERROR ? TRUTH_ERROR : truth == TRUTH_TRUE ? TRUTH_FALSE : TRUTH_TRUE;
    }
    if (at->op != OP_AND && at->op != OP_OR)
        return TRUTH_ERROR;
    for (uint32_t i = index + 1; i < at->end; i = looking->program->code[i].end) {
        truth = evaluate(looking, i);
        if (truth == decides)
            return truth;
        is_open = is_open || truth == TRUTH_ERROR;
    }
    return is_open ? TRUTH_ERROR : decides == TRUTH_FALSE ? TRUTH_TRUE : TRUTH_FALSE;
}

/* What is known of a rule's incidents before there are any. */
struct outline {
    const struct rule *rule;
    struct event_view view;
    uint32_t fixed;     /* bits of `by` whose values the view has */
    uint8_t severities; /* that they may have */
};

static enum truth match_at(const struct outline *outline, const struct program *program,
                           bool has_severity)
{
    struct looking looking = {.rule = outline->rule,
                              .program = program,
                              .fixed = outline->fixed,
                              .has_severity = has_severity};

    program_input_start(&looking.input, &outline->view);
    looking.input.lacks_are_empty = true;
    return evaluate(&looking, 0);
}

static bool may_match_at(const struct outline *outline, const struct program *program,
                         bool has_severity)
{
    return match_at(outline, program, has_severity) != TRUTH_FALSE;
}

/* Whatever its incidents are; with `has_severity`, those of the view's. */
static bool must_match_at(const struct outline *outline, const struct program *program,
                          bool has_severity)
{
    return match_at(outline, program, has_severity) == TRUTH_TRUE;
}

static bool asks_severity(const struct program *program)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct operands operands = operands_of(&program->code[i]);
        for (uint32_t k = 0; k < operands.count; k++)
            if (operands.at[k]->kind == OPERAND_FIELD &&
                operands.at[k]->field == RULE_FIELD_SEVERITY)
                return true;
    }
    return false;
}

/* *by_severity: it is the severities alone that do not match. */
static bool may_match(struct outline *outline, const struct program *program, bool *by_severity)
{
    if (!may_match_at(outline, program, false))
        return false;
    if (!asks_severity(program))
        return true;
    for (uint8_t s = 0; s < SEVERITY_COUNT; s++) {
        outline->view.severity = s;
        if ((outline->severities >> s & 1) != 0 && may_match_at(outline, program, true))
            return true;
    }
    *by_severity = true;
    return false;
}

static bool is_one_side_at(const struct outline *outline, const struct compiled_mute *mute,
                           bool has_severity)
{
    return (!may_match_at(outline, &mute->where, has_severity) &&
            !may_match_at(outline, &mute->source, has_severity)) ||
           (must_match_at(outline, &mute->where, has_severity) &&
            must_match_at(outline, &mute->source, has_severity));
}

/* Of an inhibition: what matches one of its sides matches both, certainly. */
static bool is_one_side(struct outline *outline, const struct compiled_mute *mute)
{
    if (mute->is_same || is_one_side_at(outline, mute, false))
        return true;
    if (!asks_severity(&mute->where) && !asks_severity(&mute->source))
        return false;
    for (uint8_t s = 0; s < SEVERITY_COUNT; s++) {
        outline->view.severity = s;
        if ((outline->severities >> s & 1) != 0 && !is_one_side_at(outline, mute, true))
            return false;
    }
    return true;
}

static struct event_label label(const char *name, const char *value)
{
    return (struct event_label){{name, (uint32_t)strlen(name)}, {value, (uint32_t)strlen(value)}};
}

/* What all incidents of the rule have. Empty values are as good as absent ones. */
static struct outline outline_of(const struct rule_set *set, uint32_t index, void *bytes)
{
    const struct rule *rule = rule_set_rule(set, index);
    struct outline outline = {.rule = rule, .severities = rule_set_severities(set, index)};
    struct event_label labels[KNOWN_LABELS + RULE_BY_MAX] = {
        label("rule", rule->id),
        label("priority", priority_name((enum priority)rule->priority)),
        label("team", rule->team),
        label("tier", rule->tier),
    };
    struct event_draft draft = {.labels = labels, .label_count = KNOWN_LABELS};
    struct text value;

    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        draft.field[f] = (struct text){"", 0};
    for (uint32_t i = 0; i < rule->by_count; i++)
        if (rule_set_fixes(set, index, i, &value) && value.len <= FIXED_BYTES_MAX &&
            strlen(rule->by_name[i]) <= FIXED_BYTES_MAX) {
            labels[draft.label_count++] = (struct event_label){text_of(rule->by_name[i]), value};
            outline.fixed |= 1u << i;
        }
    assert(event_text_bytes(&draft) <= VIEW_BYTES);
    outline.view.text = event_text_pack(bytes, event_text_bytes(&draft), &draft, 0);
    return outline;
}

/* ---- both sides of an inhibition ---- */

static bool asks_name(const struct program *program, const char *name)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct operands operands = operands_of(&program->code[i]);
        for (uint32_t k = 0; k < operands.count; k++)
            if (operands.at[k]->kind == OPERAND_LABEL && text_equals(operands.at[k]->text, name))
                return true;
    }
    return false;
}

/* What every incident has beside the names of `by`. */
static bool has_every(struct text name)
{
    static const char *const names[] = {"rule", "tenant", "priority", "team", "tier"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (text_equals(name, names[i]))
            return true;
    return false;
}

/* The rules of one side, by the names of `equal` that they carry, a bit each. */
struct side {
    const struct program *program;
    uint32_t asked; /* names that the matcher itself asks for */
    uint32_t carried[SHAPES_MAX];
    uint32_t full[SHAPES_MAX]; /* of these, names that no incident of the side has empty */
    uint32_t count;
    bool is_over; /* there are more of them */
};

static uint32_t asked_names(const struct mute *mute, const struct program *program)
{
    uint32_t mask = 0;

    for (uint32_t i = 0; i < mute->equal_count; i++)
        if (asks_name(program, mute->equal[i]))
            mask |= 1u << i;
    return mask;
}

/* Whether an incident that matches may have nothing in a name of `by`. */
static bool may_be_empty(const struct outline *outline, const struct side *side, uint32_t by,
                         bool is_asked)
{
    struct outline empty = *outline;
    struct text name = text_of(outline->rule->by_name[by]);
    bool by_severity = false;

    if (text_equals(name, "tenant"))
        return false;
    if ((outline->fixed >> by & 1) != 0)
        return event_text_find_label(outline->view.text, name).len == 0;
    empty.fixed |= 1u << by; /* what the view lacks is the empty text */
    return !is_asked || may_match(&empty, side->program, &by_severity);
}

static void side_add(struct side *side, const struct mute *mute, const struct outline *outline)
{
    uint32_t carried = 0, full = 0, at = 0;

    for (uint32_t i = 0; i < mute->equal_count; i++)
        for (uint32_t b = 0; b < outline->rule->by_count; b++)
            if (strcmp(mute->equal[i], outline->rule->by_name[b]) == 0) {
                carried |= 1u << i;
                if (!may_be_empty(outline, side, b, (side->asked >> i & 1) != 0))
                    full |= 1u << i;
            }
    while (at < side->count && (side->carried[at] != carried || side->full[at] != full))
        at++;
    if (at == SHAPES_MAX) {
        side->is_over = true;
        return;
    }
    side->carried[at] = carried;
    side->full[at] = full;
    side->count = at < side->count ? side->count : at + 1;
}

/* A name that one rule carries and the other lacks is equal where it is empty. */
static void compare_sides(const struct mute *mute, const struct side *source,
                          const struct side *target, struct mute_reach *reach)
{
    uint32_t some = 0, both = 0;

    for (uint32_t s = 0; s < source->count; s++)
        for (uint32_t t = 0; t < target->count; t++) {
            some |= source->carried[s] | target->carried[t];
            if ((source->full[s] & ~target->carried[t]) != 0 ||
                (target->full[t] & ~source->carried[s]) != 0)
                continue;
            reach->is_possible = true;
            both |= source->carried[s] & target->carried[t];
        }
    for (uint32_t i = 0; i < mute->equal_count; i++)
        if (has_every(text_of(mute->equal[i])))
            some |= both |= 1u << i;
    if (source->is_over || target->is_over) { /* then nothing is claimed */
        reach->is_possible = true;
        some = both = UINT32_MAX;
    }
    reach->idle_equal = ((1u << mute->equal_count) - 1) & ~some;
    reach->only_empty = some & ~both;
}

static uint64_t program_cost(const struct mute *mute, const struct program *program)
{
    uint32_t asked = asked_names(mute, program);
    uint64_t looks = 1;

    for (; asked != 0; asked &= asked - 1)
        looks++;
    return looks * program->count * (asks_severity(program) ? 8 : 1);
}

uint64_t mute_reach_cost(const struct rule_set *set, uint32_t index)
{
    const struct mute *mute = rule_set_mute(set, index);
    const struct compiled_mute *compiled = (const struct compiled_mute *)(const void *)mute;

    /* Once, once for each severity, and as often for each name that has to be empty. */
    return (uint64_t)rule_set_count(set) *
           (8 + program_cost(mute, &compiled->where) + program_cost(mute, &compiled->source));
}

struct mute_reach mute_reach(const struct rule_set *set, uint32_t index)
{
    const struct mute *mute = rule_set_mute(set, index);
    const struct compiled_mute *compiled = (const struct compiled_mute *)(const void *)mute;
    bool is_inhibit = mute->kind == MUTE_INHIBIT;
    struct mute_reach reach = {.is_one_side = is_inhibit};
    struct side source = {.program = &compiled->source}, target = {.program = &compiled->where};
    _Alignas(16) char bytes[VIEW_BYTES];

    source.asked = asked_names(mute, source.program);
    target.asked = asked_names(mute, target.program);
    for (uint32_t i = 0; i < rule_set_count(set); i++) {
        struct outline outline = outline_of(set, i, bytes);
        if (may_match(&outline, target.program, &reach.is_severity)) {
            side_add(&target, mute, &outline);
            reach.has_target = true;
            reach.is_possible |= !is_inhibit;
        }
        if (is_inhibit && may_match(&outline, source.program, &reach.is_severity)) {
            side_add(&source, mute, &outline);
            reach.has_source = true;
        }
        reach.is_one_side = reach.is_one_side && is_one_side(&outline, compiled);
    }
    if (is_inhibit && reach.has_source && reach.has_target)
        compare_sides(mute, &source, &target, &reach);
    reach.is_one_side = reach.is_one_side && reach.has_source && reach.has_target;
    reach.is_possible = reach.is_possible && !reach.is_one_side;
    return reach;
}

/* ---- names that both sides have ---- */

enum { SHARED_MAX = 64 }; /* names of sources that are remembered */

/* Of one side: its names go to `names`, or, where `found` is given, the first that is there goes to
 * it. */
static void look_at_names(const struct rule_set *set, const struct program *program,
                          const char *names[SHARED_MAX], uint32_t *count, const char **found)
{
    _Alignas(16) char bytes[VIEW_BYTES];

    for (uint32_t i = 0; i < rule_set_count(set); i++) {
        const struct rule *rule = rule_set_rule(set, i);
        struct outline outline = outline_of(set, i, bytes);
        bool by_severity = false;
        if (!may_match(&outline, program, &by_severity))
            continue;
        for (uint32_t b = 1; b < rule->by_count; b++) { /* the tenant comes first */
            uint32_t n = 0;
            while (n < *count && strcmp(names[n], rule->by_name[b]) != 0)
                n++;
            if (found != NULL && n < *count) {
                *found = names[n];
                return;
            }
            if (found == NULL && n == *count && n < SHARED_MAX &&
                !asks_name(program, rule->by_name[b]))
                names[(*count)++] = rule->by_name[b];
        }
    }
}

const char *mute_reach_shared(const struct rule_set *set, uint32_t index)
{
    const struct mute *mute = rule_set_mute(set, index);
    const struct compiled_mute *compiled = (const struct compiled_mute *)(const void *)mute;
    const char *names[SHARED_MAX], *found = NULL;
    uint32_t count = 0;

    if (mute->kind != MUTE_INHIBIT || !mute_reach(set, index).is_possible)
        return NULL;
    look_at_names(set, &compiled->source, names, &count, NULL);
    look_at_names(set, &compiled->where, names, &count, &found);
    return found;
}

/* ---- names that nothing has ---- */

static const char *rule_id(const struct rule *rule)
{
    return rule->id;
}

static const char *rule_team(const struct rule *rule)
{
    return rule->team;
}

static const char *rule_tier(const struct rule *rule)
{
    return rule->tier;
}

static const struct {
    const char *name;
    const char *(*of)(const struct rule *rule);
} kept[] = {{"rule", rule_id}, {"team", rule_team}, {"tier", rule_tier}};

enum { KEPT = sizeof(kept) / sizeof(kept[0]) };

struct stray {
    const struct rule_set *set;
    char *to;
    size_t bytes;
};

/* `names` has room for each rule. */
static bool is_stray(const struct stray *stray, size_t kind, struct text value, const char **names)
{
    uint32_t count = rule_set_count(stray->set);
    char hint[NEAREST_HINT_BYTES];

    for (uint32_t i = 0; i < count; i++) {
        names[i] = kept[kind].of(rule_set_rule(stray->set, i));
        if (text_equals(value, names[i]))
            return false;
    }
    snprintf(stray->to, stray->bytes, "there is no %s \"%.*s\"%s", kept[kind].name,
             value.len < 60 ? (int)value.len : 60, value.at,
             nearest_hint(value, names, count, hint));
    return true;
}

/* A label compared with one constant, or looked for among some: how many, at `values`. */
static uint32_t asked_for(const struct instruction *at, struct text *name,
                          const struct text **values)
{
    bool is_equal = at->op == OP_COMPARE_TEXT && at->relation == RELATION_EQ;

    if (at->op == OP_IN_TEXT && at->left.kind == OPERAND_LABEL) {
        *name = at->left.text;
        *values = at->list.texts;
        return at->list.count;
    }
    if (is_equal && at->left.kind == OPERAND_LABEL && at->right.kind == OPERAND_CONSTANT) {
        *name = at->left.text;
        *values = &at->right.text;
        return 1;
    }
    if (is_equal && at->right.kind == OPERAND_LABEL && at->left.kind == OPERAND_CONSTANT) {
        *name = at->right.text;
        *values = &at->left.text;
        return 1;
    }
    return 0;
}

/* A name that is in no rule's `by`, so no incident has a value of it. */
static bool is_stray_name(const struct stray *stray, struct text name)
{
    uint32_t count = rule_set_count(stray->set), used = 0;
    char hint[NEAREST_HINT_BYTES];
    const char **names;

    if (name.len == 0 || has_every(name))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (has_name(rule_set_rule(stray->set, i), name))
            return false;
    names = calloc((size_t)count * RULE_BY_MAX + 1, sizeof(*names));
    for (uint32_t i = 0; names != NULL && i < count; i++)
        for (uint32_t b = 0; b < rule_set_rule(stray->set, i)->by_count; b++)
            names[used++] = rule_set_rule(stray->set, i)->by_name[b];
    snprintf(stray->to, stray->bytes, "no rule counts by %.*s%s",
             name.len < 60 ? (int)name.len : 60, name.at,
             names != NULL ? nearest_hint(name, names, used, hint) : "");
    free(names);
    return true;
}

static bool program_stray(const struct stray *stray, const struct program *program,
                          const char **names)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct text *values = NULL;
        struct text name = {"", 0};
        uint32_t count = asked_for(&program->code[i], &name, &values);
        for (size_t kind = 0; kind < KEPT; kind++)
            for (uint32_t v = 0; text_equals(name, kept[kind].name) && v < count; v++)
                if (is_stray(stray, kind, values[v], names))
                    return true;
        if (count > 0 && is_stray_name(stray, name))
            return true;
    }
    return false;
}

bool mute_reach_stray(const struct rule_set *set, uint32_t index, char *to, size_t bytes)
{
    const struct compiled_mute *mute =
        (const struct compiled_mute *)(const void *)rule_set_mute(set, index);
    const struct stray stray = {set, to, bytes};
    const char **names = calloc((size_t)rule_set_count(set) + 1, sizeof(*names));
    bool is_found =
        names != NULL &&
        (program_stray(&stray, &mute->where, names) ||
         (mute->open.kind == MUTE_INHIBIT && program_stray(&stray, &mute->source, names)));

    free(names);
    return is_found;
}
