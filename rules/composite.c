/* composite.c - see composite.h. */
#include "rules/composite.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "base/nearest.h"
#include "rules/printer.h"

/* ---- of ---- */

static bool is_named(const struct compiled_rule *rule, struct text id)
{
    for (uint32_t i = 0; i < rule->open.of_count; i++)
        if (text_equals(id, rule->of[i].id))
            return true;
    return false;
}

static int order_of_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void composite_ids_add(struct composite_ids *ids, const struct yaml_node *rules)
{
    for (const struct yaml_node *node = rules->first; node != NULL; node = node->next) {
        const struct yaml_node *id = node->kind == YAML_MAP ? yaml_node_find(node, "id") : NULL;
        if (id != NULL && id->kind == YAML_SCALAR)
            ids->id[ids->count++] = id->text.at;
    }
}

void composite_ids_sort(struct composite_ids *ids)
{
    qsort(ids->id, ids->count, sizeof(*ids->id), order_of_texts);
}

/* Before the condition is looked at: of a name that is none all sorts of things are not true. */
static void check_name(struct reading *reading, const struct composite_name *name)
{
    const struct composite_ids *ids = reading->build->ids;
    const char *nearest;

    if (bsearch(&name->id, ids->id, ids->count, sizeof(*ids->id), order_of_texts) != NULL)
        return;
    /* All are looked through for the nearest: not for a mistake that is only counted. */
    nearest =
        reading_diag(reading)->full ? NULL : nearest_name(text_of(name->id), ids->id, ids->count);
    if (nearest != NULL)
        diagnose(reading_diag(reading), name->span, "there is no rule \"%s\"; did you mean \"%s\"?",
                 name->id, nearest);
    else
        diagnose(reading_diag(reading), name->span, "there is no rule \"%s\"", name->id);
    reading->names_unknown = true;
    reading_spoil(reading);
}

static void add_name(struct reading *reading, const struct yaml_node *node)
{
    struct compiled_rule *rule = reading->rule;
    const char *copy;

    if (node->kind != YAML_SCALAR || node->text.len == 0 || is_named(rule, node->text)) {
        diagnose(reading_diag(reading), node->span,
                 node->kind == YAML_SCALAR && node->text.len > 0 ? "of names %.100s twice"
                                                                 : "of lists ids of rules",
                 node->kind == YAML_SCALAR ? node->text.at : "");
        reading_spoil(reading);
        return;
    }
    copy = arena_copy(reading->build->arena, node->text.at, node->text.len);
    if (copy == NULL) {
        reading_out_of_memory(reading);
        return;
    }
    rule->of[rule->open.of_count] = (struct composite_name){.id = copy, .span = node->span};
    check_name(reading, &rule->of[rule->open.of_count++]);
}

static int order_by_id(const void *a, const void *b)
{
    const struct composite_name *x = a, *y = b;

    return strcmp(x->id, y->id);
}

static void read_names(struct reading *reading, const struct yaml_node *list)
{
    struct compiled_rule *rule = reading->rule;

    if (list->kind != YAML_LIST || list->count == 0 || list->count > RULE_OF_MAX) {
        diagnose(reading_diag(reading), list->span, "of takes a list of 1 to %d ids of rules",
                 RULE_OF_MAX);
        reading_spoil(reading);
        return;
    }
    rule->of = arena_alloc_many(reading->build->arena, list->count, sizeof(*rule->of));
    if (rule->of == NULL) {
        reading_out_of_memory(reading);
        return;
    }
    for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
        add_name(reading, node);
    qsort(rule->of, rule->open.of_count, sizeof(*rule->of), order_by_id);
    for (uint32_t i = 0; i < rule->open.of_count; i++)
        reading_digest_text(&rule->open.form, rule->of[i].id);
}

void composite_read(struct reading *reading)
{
    const struct yaml_node *of = yaml_node_find(reading->node, "of");
    bool is_composite = reading->rule->open.input == RULE_INPUT_INCIDENTS;

    if (is_composite && of != NULL) {
        read_names(reading, of);
    } else if (is_composite) {
        reading_required(reading, reading->node, "of", "a rule on incidents");
    } else if (of != NULL) {
        diagnose(reading_diag(reading), of->key->span,
                 "of names rules whose incidents are looked at: that takes \"on: incidents\"");
        reading_spoil(reading);
    }
}

/* ---- the condition ---- */

static struct ast *node_make(struct reading *reading, enum ast_kind kind)
{
    struct ast *ast = arena_alloc(reading->build->scratch, sizeof(*ast));

    if (ast == NULL) {
        reading_out_of_memory(reading);
        return NULL;
    }
    *ast = (struct ast){.kind = kind, .span = reading->node->span};
    return ast;
}

/* check in ["a", "b"] */
static struct ast *make_condition(struct reading *reading)
{
    const struct compiled_rule *rule = reading->rule;
    struct ast *in = node_make(reading, AST_IN), *check = node_make(reading, AST_NAME);
    struct ast *list = node_make(reading, AST_LIST);
    struct scope scope = reading_scope(reading, SCOPE_WHERE);

    if (in == NULL || check == NULL || list == NULL)
        return NULL;
    check->text = (struct text){"check", 5};
    for (uint32_t i = 0; i < rule->open.of_count; i++) {
        struct ast *id = node_make(reading, AST_LITERAL);
        if (id == NULL)
            return NULL;
        id->type = TYPE_TEXT;
        id->text = text_of(rule->of[i].id);
        ast_add_child(list, id);
    }
    ast_add_child(in, check);
    ast_add_child(in, list);
    if (types_check(in, &scope))
        return in;
    reading_spoil(reading);
    return NULL;
}

struct ast *composite_where(struct reading *reading, struct ast *ast)
{
    const struct yaml_node *of = yaml_node_find(reading->node, "of");
    struct ast *condition, *both;

    if (reading->rule->open.of_count == 0)
        return ast;
    condition = make_condition(reading);
    if (condition != NULL && of != NULL && of->key != NULL)
        condition->span = of->key->span; /* what a mistake in `where` is told to be beside */
    if (condition == NULL || ast == NULL)
        return condition;
    both = node_make(reading, AST_AND);
    if (both == NULL)
        return NULL;
    both->type = TYPE_BOOL;
    both->span = ast->span;
    ast_add_child(both, condition);
    ast_add_child(both, ast);
    if (reading->names_unknown || reading_is_possible(reading, ast, condition))
        return both;
    reading_spoil(reading);
    return NULL;
}

/* ---- the set ---- */

static int order_to_rule(const void *id, const void *rule)
{
    return strcmp(id, ((const struct compiled_rule *)rule)->open.id);
}

/* Finds whom each rule names: all are there, or the set would not have been read. */
static void resolve(struct compiled_rule *rules, uint32_t count)
{
    for (uint32_t r = 0; r < count; r++) {
        for (uint32_t i = 0; i < rules[r].open.of_count; i++) {
            struct composite_name *name = &rules[r].of[i];
            struct compiled_rule *found =
                bsearch(name->id, rules, count, sizeof(*rules), order_to_rule);
            assert(found != NULL);
            name->index = (uint32_t)(found - rules);
            found->open.is_named = true;
        }
    }
}

/* An incident has a label for each value of its key that is no field of it; a label of `by` that no
 * rule of `of` has there is absent of all of them. */
static bool has_label(const struct rule *rule, const char *label)
{
    static const char prefix[] = "labels.";
    static const char *const fields[] = {"tenant", "source", "resource", "check"};
    bool is_plain = strncmp(label, prefix, sizeof(prefix) - 1) == 0;

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        is_plain = is_plain && strcmp(label + sizeof(prefix) - 1, fields[i]) != 0;
    for (uint32_t i = 0; i < rule->by_count; i++)
        if (strcmp(rule->by_name[i], label) == 0 ||
            (is_plain && strcmp(rule->by_name[i], label + sizeof(prefix) - 1) == 0))
            return true;
    return false;
}

static bool diagnose_label(const struct compiled_rule *rules, const struct compiled_rule *rule,
                           const char *label, struct span span, struct diagnostics *diag)
{
    const char *names[RULE_OF_MAX * RULE_BY_MAX], *nearest;
    size_t count = 0;

    for (uint32_t i = 0; i < rule->open.of_count; i++) {
        const struct rule *of = &rules[rule->of[i].index].open;
        for (uint32_t k = 0; k < of->by_count; k++)
            if (strncmp(of->by_name[k], "labels", 6) == 0)
                names[count++] = of->by_name[k];
    }
    nearest = nearest_name(text_of(label), names, count);
    if (nearest != NULL)
        diagnose(diag, span, "no rule of `of` has %.80s in its `by`; did you mean \"%.80s\"?",
                 label, nearest);
    else
        diagnose(diag, span, "no rule of `of` has %.80s in its `by`", label);
    return false;
}

static bool any_has_label(const struct compiled_rule *rules, const struct compiled_rule *rule,
                          const char *label)
{
    uint32_t i = 0;

    while (i < rule->open.of_count && !has_label(&rules[rule->of[i].index].open, label))
        i++;
    return i < rule->open.of_count;
}

static bool check_by(const struct compiled_rule *rules, const struct compiled_rule *rule,
                     struct diagnostics *diag)
{
    bool is_good = true;

    for (uint32_t by = 0; by < rule->open.by_count; by++) {
        const char *label = rule->open.by_name[by];
        if (strncmp(label, "labels", 6) == 0 && !any_has_label(rules, rule, label))
            is_good = diagnose_label(rules, rule, label, rule->by_span[by], diag);
    }
    return is_good;
}

/* A label that no incident has is one value for all of them. */
static bool check_distinct(const struct compiled_rule *rules, const struct compiled_rule *rule,
                           struct arena *scratch, struct diagnostics *diag)
{
    bool is_good = true;

    for (uint32_t i = 0; i < rule->open.aggregate_count; i++) {
        const struct operand *of = &rule->distinct[i];
        const char *label;
        if (rule->open.aggregate[i].kind != AGGREGATE_DISTINCT || of->kind != OPERAND_LABEL)
            continue;
        label = label_print(of->text, scratch);
        if (label == NULL)
            return diagnose_memory(diag) != NULL;
        if (!any_has_label(rules, rule, label))
            is_good = diagnose_label(rules, rule, label, rule->aggregate_span[i], diag);
    }
    return is_good;
}

static bool check_labels(const struct compiled_rule *rules, uint32_t count, struct arena *scratch,
                         struct diagnostics *diag)
{
    bool is_good = true;

    for (uint32_t r = 0; r < count; r++)
        if (rules[r].open.of_count > 0) {
            is_good = check_by(rules, &rules[r], diag) && is_good;
            is_good = check_distinct(rules, &rules[r], scratch, diag) && is_good;
        }
    return is_good;
}

/* Who is made of whom, turned round: for each rule those that name it. */
struct turned {
    uint32_t *first; /* by rule: an edge, plus one; 0: none */
    uint32_t *next, *who;
    uint32_t count;
};

static bool turn(const struct compiled_rule *rules, uint32_t count, struct arena *scratch,
                 struct turned *out)
{
    uint32_t edges = 0;

    for (uint32_t r = 0; r < count; r++)
        edges += rules[r].open.of_count;
    *out = (struct turned){.first = arena_alloc_many(scratch, count + 1, sizeof(uint32_t)),
                           .next = arena_alloc_many(scratch, edges + 1, sizeof(uint32_t)),
                           .who = arena_alloc_many(scratch, edges + 1, sizeof(uint32_t))};
    if (out->first == NULL || out->next == NULL || out->who == NULL)
        return false;
    for (uint32_t r = 0; r < count; r++)
        for (uint32_t i = 0; i < rules[r].open.of_count; i++) {
            uint32_t named = rules[r].of[i].index;
            out->who[out->count] = r;
            out->next[out->count] = out->first[named];
            out->first[named] = ++out->count;
        }
    return true;
}

/* Takes out whoever is made of nobody who is left, one after the other. `waits` says of each rule
 * for how many it waits: above 0 are in the end those that are made of themselves, and those above
 * them. Returns how many rules were taken out. */
static uint32_t peel(const struct compiled_rule *rules, uint32_t count, const struct turned *turned,
                     uint32_t *waits, uint32_t *queue)
{
    uint32_t used = 0;

    for (uint32_t r = 0; r < count; r++) {
        waits[r] = rules[r].open.of_count;
        if (waits[r] == 0)
            queue[used++] = r;
    }
    for (uint32_t at = 0; at < used; at++)
        for (uint32_t e = turned->first[queue[at]]; e != 0; e = turned->next[e - 1])
            if (--waits[turned->who[e - 1]] == 0)
                queue[used++] = turned->who[e - 1];
    return used;
}

/* The first that a rule is made of and that is left too. */
static const struct composite_name *below(const struct compiled_rule *rule, const uint32_t *waits)
{
    uint32_t i = 0;

    while (waits[rule->of[i].index] == 0)
        i++;
    return &rule->of[i];
}

/* Whoever is left is made of somebody who is left: that way leads into a circle. */
static void diagnose_circle(const struct compiled_rule *rules, uint32_t count,
                            const uint32_t *waits, struct diagnostics *diag)
{
    const struct composite_name *name;
    char way[400];
    size_t used = 0;
    uint32_t r = 0;

    while (waits[r] == 0)
        r++;
    for (uint32_t i = 0; i < count; i++)
        r = below(&rules[r], waits)->index;
    for (uint32_t at = below(&rules[r], waits)->index, end = r; at != end;
         at = below(&rules[at], waits)->index)
        r = at < r ? at : r; /* it begins with the first by id */
    name = below(&rules[r], waits);
    for (uint32_t at = name->index; at != r && used + RULE_ID_BYTES_MAX + 20 < sizeof(way);
         at = below(&rules[at], waits)->index)
        used += (size_t)snprintf(way + used, sizeof(way) - used, "%s, which is made of ",
                                 rules[at].open.id);
    way[used] = '\0';
    diagnose(diag, name->span, "rule %s is made of itself: of %s%s", rules[r].open.id, way,
             rules[r].open.id);
}

bool composite_check(struct compiled_rule *rules, uint32_t count, struct arena *scratch,
                     struct diagnostics *diag)
{
    uint32_t *waits = arena_alloc_many(scratch, count + 1, sizeof(*waits));
    uint32_t *queue = arena_alloc_many(scratch, count + 1, sizeof(*queue));
    struct turned turned;

    if (waits == NULL || queue == NULL)
        return diagnose_memory(diag) != NULL;
    resolve(rules, count);
    if (!check_labels(rules, count, scratch, diag))
        return false;
    if (!turn(rules, count, scratch, &turned))
        return diagnose_memory(diag) != NULL;
    if (peel(rules, count, &turned, waits, queue) == count)
        return true;
    diagnose_circle(rules, count, waits, diag);
    return false;
}
