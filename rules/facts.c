/*
 * facts.c - see facts.h. First what must be there, then what each pair of sides says of their
 * order, then the numbers, in a few rounds, because one bounds the other; last the texts.
 */
#include "rules/facts.h"

#include <math.h>
#include <string.h>
#include "base/event.h"
#include "base/hash.h"
#include "rules/facts_text.h"
#include "rules/meaning.h"
#include "rules/rule_set.h"
#include "rules/timestamp.h"

enum { ROUNDS = 3 };

bool work_take(struct work *work, uint64_t looks)
{
    work->left = looks < work->left ? work->left - looks : 0;
    return work->left > 0;
}

uint64_t tree_weight(const struct ast *ast)
{
    uint64_t weight = 1 + (ast->receiver != NULL ? tree_weight(ast->receiver) : 0);

    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        weight += tree_weight(child);
    return weight;
}

static bool is_number(const struct ast *ast)
{
    return ast->type >= TYPE_INT && ast->type <= TYPE_SEVERITY;
}

static bool is_field(const struct ast *ast, enum rule_field field)
{
    return ast->meaning == MEANS_FIELD && ast->field == field;
}

/* ---- subjects ---- */

static struct id128 label_key(struct text name)
{
    struct id128 digest = hash128(name.at, name.len, RULE_FIELD_LABEL);

    return digest;
}

/* Sets and tables count by their names: what two of them hold may be the same today. */
static void add_names(struct id128 *key, const struct ast *ast)
{
    const struct text *name = ast->meaning == MEANS_SET     ? &ast->named_set->name
                              : ast->meaning == MEANS_TABLE ? &ast->table->name
                              : ast->meaning == MEANS_CELL  ? &ast->table->name
                                                            : NULL;

    if (name != NULL) {
        struct id128 pair[2] = {*key, hash128(name->at, name->len, 0)};
        *key = hash128(pair, sizeof(pair), 0);
    }
    if (ast->receiver != NULL)
        add_names(key, ast->receiver);
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        add_names(key, child);
}

/* Kept in the tree, which is ours while it is read: a part is asked again and again. */
static struct id128 key_of(struct facts *facts, const struct ast *ast)
{
    struct ast *kept = (struct ast *)ast;

    if (ast->has_key)
        return ast->key;
    work_take(facts->work, 2 * tree_weight(ast));
    if (is_field(ast, RULE_FIELD_LABEL)) {
        kept->key = label_key(ast->text);
    } else {
        kept->key = ast_digest(ast);
        add_names(&kept->key, ast);
    }
    kept->has_key = true;
    return ast->key;
}

static bool is_same(struct id128 a, struct id128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

static const struct subject *find(const struct facts *facts, struct id128 key)
{
    work_take(facts->work, 1 + facts->count / 3);
    for (uint32_t i = 0; i < facts->count; i++)
        if (is_same(facts->subject[i].key, key))
            return &facts->subject[i];
    return NULL;
}

/* All that its type and the ground allow: an event that is OK is a clear. */
static struct interval range_of_type(const struct facts *facts, const struct ast *ast)
{
    if (is_field(ast, RULE_FIELD_SEVERITY) && facts->ground->kind != GROUND_INCIDENT &&
        !facts->ground->sees_clears)
        return interval_whole(SEVERITY_DEBUG, SEVERITY_CRITICAL);
    return interval_all(ast->type);
}

/* NULL when there are too many: nothing is noted of it then. */
static struct subject *subject_at(struct facts *facts, struct id128 key, const struct ast *ast)
{
    struct subject *subject = (struct subject *)find(facts, key);

    if (subject == NULL && facts->count < SUBJECTS_MAX) {
        subject = &facts->subject[facts->count++];
        *subject = (struct subject){.key = key};
        if (ast != NULL && is_number(ast))
            subject->range = range_of_type(facts, ast);
    }
    if (subject != NULL && subject->ast == NULL && ast != NULL) {
        subject->ast = ast;
        if (is_number(ast))
            subject->range = range_of_type(facts, ast);
    }
    return subject;
}

static struct subject *subject_of(struct facts *facts, const struct ast *ast)
{
    return subject_at(facts, key_of(facts, ast), ast);
}

/* ---- what is there ---- */

static bool may_lack(const struct facts *facts, const struct ast *ast)
{
    return ast->meaning == MEANS_CELL || is_field(ast, RULE_FIELD_VALUE) ||
           (is_field(ast, RULE_FIELD_LABEL) && facts->ground->kind != GROUND_INCIDENT);
}

static void note_there(struct facts *facts, struct id128 key, const struct ast *ast, bool is_there)
{
    struct subject *subject = subject_at(facts, key, ast);

    if (subject == NULL)
        return;
    subject->is_there |= is_there;
    subject->is_absent |= !is_there;
}

/* All that has to be there for the part to have a value. */
static void note_needs(struct facts *facts, const struct ast *ast)
{
    if (!work_take(facts->work, 1) || ast->meaning == MEANS_CONSTANT ||
        ast->meaning == MEANS_AGGREGATE || ast->meaning == MEANS_HAS || ast->kind == AST_AND ||
        ast->kind == AST_OR) /* which an error need not be the end of */
        return;
    if (may_lack(facts, ast))
        note_there(facts, key_of(facts, ast), ast, true);
    if (ast->meaning == MEANS_FIELD)
        return;
    if (ast->kind == AST_CHOOSE) {
        note_needs(facts, ast->first);
        return;
    }
    if (ast->receiver != NULL)
        note_needs(facts, ast->receiver);
    for (const struct ast *child = ast->first; child != NULL; child = child->next)
        note_needs(facts, child);
}

static void note_presence(struct facts *facts, const struct literal *literal)
{
    const struct ast *ast = literal->ast, *of = ast->first;

    if (ast->meaning == MEANS_HAS && may_lack(facts, of))
        note_there(facts, key_of(facts, of), of, literal->want);
    else if (ast->kind == AST_IN && ast->last->meaning == MEANS_LABELS &&
             of->meaning == MEANS_CONSTANT && facts->ground->kind == GROUND_EVENT)
        note_there(facts, label_key(of->text), NULL, literal->want);
    else
        note_needs(facts, ast);
}

static bool is_presence_possible(const struct facts *facts)
{
    for (uint32_t i = 0; i < facts->count; i++)
        if (facts->subject[i].is_there && facts->subject[i].is_absent)
            return false;
    return true;
}

/* ---- order ---- */

enum { BELOW = 1, EQUAL = 2, ABOVE = 4 };

static bool is_comparison(const struct ast *ast)
{
    return ast->kind == AST_COMPARE && ast->first->type != TYPE_BOOL;
}

static unsigned orders_of(enum relation relation, bool want)
{
    static const unsigned orders[] = {
        [RELATION_EQ] = EQUAL,         [RELATION_NE] = BELOW | ABOVE, [RELATION_LT] = BELOW,
        [RELATION_LE] = BELOW | EQUAL, [RELATION_GT] = ABOVE,         [RELATION_GE] = ABOVE | EQUAL,
    };

    return want ? orders[relation] : (BELOW | EQUAL | ABOVE) & ~orders[relation];
}

static unsigned turned(unsigned orders)
{
    return (orders & EQUAL) | (orders & BELOW ? ABOVE : 0) | (orders & ABOVE ? BELOW : 0);
}

/* One aggregate of a window is never more than another: nothing is more often different than it is
 * there, no entry is above the greatest. An average may be, by what rounding does. */
static bool is_never_above(const struct facts *facts, const struct ast *a, const struct ast *b)
{
    const struct aggregate *left, *right;

    if (a->meaning != MEANS_AGGREGATE || b->meaning != MEANS_AGGREGATE ||
        facts->ground->kind != GROUND_WINDOW)
        return false;
    left = &facts->ground->aggregate[a->number];
    right = &facts->ground->aggregate[b->number];
    if (left->kind == AGGREGATE_DISTINCT && right->kind == AGGREGATE_COUNT)
        return true;
    if (!aggregate_is_real(left->kind) || !aggregate_is_real(right->kind) ||
        left->argument == NULL || right->argument == NULL ||
        !is_same(ast_digest(left->argument), ast_digest(right->argument)))
        return false;
    switch (left->kind) {
    case AGGREGATE_MIN:
        return right->kind == AGGREGATE_MAX || right->kind == AGGREGATE_QUANTILE ||
               right->kind == AGGREGATE_FIRST || right->kind == AGGREGATE_LAST;
    case AGGREGATE_QUANTILE:
        return right->kind == AGGREGATE_MAX ||
               (right->kind == AGGREGATE_QUANTILE && left->share <= right->share);
    case AGGREGATE_FIRST:
    case AGGREGATE_LAST:
        return right->kind == AGGREGATE_MAX;
    default:
        return false;
    }
}

struct order {
    struct id128 left, right;
    unsigned orders;
};

/* Whether all that compares the same two sides can hold together. */
static bool is_order_possible(struct facts *facts)
{
    struct order order[LITERALS_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < facts->all->count; i++) {
        const struct literal *literal = &facts->all->literal[i];
        const struct ast *ast = literal->ast;
        if (!is_comparison(ast))
            continue;
        struct order new = {key_of(facts, ast->first), key_of(facts, ast->last),
                            orders_of(ast->relation, literal->want)};
        if (is_never_above(facts, ast->first, ast->last))
            new.orders &= BELOW | EQUAL;
        if (is_never_above(facts, ast->last, ast->first))
            new.orders &= ABOVE | EQUAL;
        if (is_same(new.left, new.right))
            new.orders &= EQUAL;
        for (uint32_t k = 0; k < count; k++) {
            if (is_same(order[k].left, new.left) && is_same(order[k].right, new.right))
                new.orders &= order[k].orders;
            else if (is_same(order[k].left, new.right) && is_same(order[k].right, new.left))
                new.orders &= turned(order[k].orders);
        }
        if (new.orders == 0)
            return false;
        order[count++] = new;
    }
    return true;
}

/* ---- p && !p ---- */

static bool contradicts_itself(struct facts *facts)
{
    struct id128 key[LITERALS_MAX];

    for (uint32_t i = 0; i < facts->all->count; i++) {
        key[i] = key_of(facts, facts->all->literal[i].ast);
        for (uint32_t k = 0; k < i; k++)
            if (is_same(key[i], key[k]) &&
                facts->all->literal[i].want != facts->all->literal[k].want)
                return true;
    }
    return false;
}

/* ---- numbers ---- */

static struct interval part_range(enum time_part part, enum value_type of)
{
    /* Of a time; a zone may lead out of the years 1 to 9999. */
    static const int16_t range[][2] = {
        [TIME_FULL_YEAR] = {0, 10000},  [TIME_MONTH] = {0, 11},      [TIME_DATE] = {1, 31},
        [TIME_DAY_OF_MONTH] = {0, 30},  [TIME_DAY_OF_WEEK] = {0, 6}, [TIME_DAY_OF_YEAR] = {0, 365},
        [TIME_HOURS] = {0, 23},         [TIME_MINUTES] = {0, 59},    [TIME_SECONDS] = {0, 59},
        [TIME_MILLISECONDS] = {0, 999},
    };

    if (of == TYPE_DURATION)
        return part == TIME_MILLISECONDS ? interval_whole(-999, 999) : interval_all(TYPE_INT);
    return interval_whole(range[part][0], range[part][1]);
}

static struct interval of_side(const struct facts *facts, const struct ast *ast,
                               enum value_type type)
{
    return interval_convert(facts_range(facts, ast), ast->type, type);
}

/* By what the part is made of. */
static struct interval natural_range(const struct facts *facts, const struct ast *ast)
{
    struct value constant;

    if (ast->meaning == MEANS_CONSTANT) {
        constant = value_of_constant(ast);
        return interval_of(&constant);
    }
    if (ast->meaning == MEANS_AGGREGATE && facts->bound != NULL)
        return facts->bound[ast->number].range;
    if (ast->meaning == MEANS_SIZE)
        return interval_whole(0,
                              ast->first->meaning == MEANS_LABELS ? RECORD_FIELDS_MAX : INT64_MAX);
    if (ast->meaning == MEANS_TIME_PART)
        return part_range((enum time_part)ast->number, ast->receiver->type);
    if (ast->meaning == MEANS_CONVERT && is_number(ast->first))
        return of_side(facts, ast->first, ast->type);
    if (ast->kind == AST_ARITHMETIC)
        return interval_compute(ast->arithmetic, facts_range(facts, ast->first),
                                facts_range(facts, ast->last), ast->type);
    if (ast->kind == AST_NEGATE)
        return interval_negate(facts_range(facts, ast->first));
    if (ast->kind == AST_CHOOSE)
        return interval_join(of_side(facts, ast->first->next, ast->type),
                             of_side(facts, ast->last, ast->type));
    return range_of_type(facts, ast);
}

struct interval facts_range(const struct facts *facts, const struct ast *ast)
{
    const struct subject *subject;
    struct interval range;

    if (!work_take(facts->work, 2))
        return interval_all(ast->type);
    range = natural_range(facts, ast);
    if (ast->meaning == MEANS_CONSTANT)
        return range;
    subject = find(facts, key_of((struct facts *)facts, ast));
    return subject != NULL && subject->ast != NULL ? interval_meet(range, subject->range) : range;
}

static bool limit(struct facts *facts, const struct ast *ast, struct interval to)
{
    struct subject *subject;

    if (interval_is_empty(&to))
        return false;
    if (ast->meaning == MEANS_CONSTANT)
        return true;
    subject = subject_of(facts, ast);
    if (subject == NULL)
        return true;
    to = interval_meet(subject->range, to);
    facts->is_narrower |= to.lo != subject->range.lo || to.hi != subject->range.hi ||
                          to.lo_open != subject->range.lo_open ||
                          to.hi_open != subject->range.hi_open;
    subject->range = to;
    return !interval_is_empty(&to);
}

/* What one side says of the other. False when nothing is left. */
static bool narrow(struct facts *facts, const struct ast *left, const struct ast *right,
                   unsigned orders)
{
    struct interval a = facts_range(facts, left), b = facts_range(facts, right);
    struct interval to_a = a, to_b = b;
    bool or_equal = (orders & EQUAL) != 0;

    work_take(facts->work, 4);
    if (interval_is_empty(&a) || interval_is_empty(&b))
        return false;
    if (!(orders & ABOVE)) {
        to_a = interval_below(to_a, b, or_equal);
        to_b = interval_above(to_b, a, or_equal);
    }
    if (!(orders & BELOW)) {
        to_a = interval_above(to_a, b, or_equal);
        to_b = interval_below(to_b, a, or_equal);
    }
    return limit(facts, left, to_a) && limit(facts, right, to_b);
}

/* `x in [1, 5]` lies between 1 and 5. */
static bool narrow_to_list(struct facts *facts, const struct test *test)
{
    struct interval range = {0};

    for (const struct ast *item = test->constant; item != NULL; item = test_next(test, item)) {
        struct value value = value_of_constant(item);
        struct interval point = interval_of(&value);
        range = item == test->constant ? point : interval_join(range, point);
        if (!work_take(facts->work, 1))
            return true;
    }
    return limit(facts, test->subject, interval_meet(facts_range(facts, test->subject), range));
}

/* What one aggregate says of another. */
static bool narrow_aggregates(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->count; i++) {
        const struct ast *low = facts->subject[i].ast;
        for (uint32_t k = 0; low != NULL && low->meaning == MEANS_AGGREGATE && k < facts->count;
             k++) {
            const struct ast *high = facts->subject[k].ast;
            if (i != k && high != NULL && is_never_above(facts, low, high) &&
                !narrow(facts, low, high, BELOW | EQUAL))
                return false;
        }
    }
    return true;
}

static bool narrow_all(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->all->count; i++) {
        const struct literal *literal = &facts->all->literal[i];
        const struct ast *ast = literal->ast;
        if (is_comparison(ast) && is_number(ast->first) &&
            !narrow(facts, ast->first, ast->last, orders_of(ast->relation, literal->want)))
            return false;
    }
    for (uint32_t i = 0; i < facts->test_count; i++) {
        const struct test *test = &facts->test[i];
        if (test->is_list && test->want && is_number(test->subject) && !narrow_to_list(facts, test))
            return false;
    }
    return narrow_aggregates(facts);
}

static bool are_numbers_possible(struct facts *facts)
{
    for (int round = 0; round < ROUNDS; round++) {
        facts->is_narrower = false;
        if (!narrow_all(facts))
            return false;
        if (!facts->is_narrower)
            break;
    }
    return true;
}

/* ---- one value after the other ---- */

const char *const *facts_domain(const struct ground *ground, const struct ast *ast)
{
    static const char *const problems[] = {"problem", NULL};
    static const char *const states[] = {"problem", "clear", NULL};
    static const char *const priorities[] = {"P1", "P2", "P3", "P4", "P5", NULL};

    if (is_field(ast, RULE_FIELD_STATE))
        return ground->sees_clears ? states : problems;
    if (ground->kind == GROUND_INCIDENT && is_field(ast, RULE_FIELD_LABEL) &&
        text_equals(ast->text, "priority"))
        return priorities;
    return NULL;
}

static bool is_in_domain(const char *const *domain, const struct value *value)
{
    for (; domain != NULL && *domain != NULL; domain++)
        if (text_equals(value->text, *domain))
            return true;
    return false;
}

/* The values of one subject, and all that is asked of it. */
struct trial {
    struct facts *facts;
    const struct ast *subject;
    struct id128 key;
    struct interval range;
    const char *const *domain;
    struct value *out; /* NULL: one is enough */
    uint32_t count;
};

static bool is_whole_number(const struct value *value)
{
    return value->type != TYPE_DOUBLE || floor(value->real) == value->real;
}

/* True when it meets everything that is asked of the subject. */
static bool value_fits(struct trial *trial, const struct value *value)
{
    struct facts *facts = trial->facts;

    if (!work_take(facts->work, 2 + facts->test_count))
        return true;
    if (is_number(trial->subject)) {
        struct interval point = interval_of(value);
        if (!interval_holds(&trial->range, point.lo) ||
            (trial->range.is_whole && !is_whole_number(value)))
            return false;
    } else if ((trial->domain != NULL && !is_in_domain(trial->domain, value)) ||
               !text_can_come_of(trial->subject, value->text)) {
        return false;
    }
    for (uint32_t i = 0; i < facts->test_count; i++) {
        const struct test *test = &facts->test[i];
        if (is_same(test->key, trial->key) && test_meets(test, value, facts->work) != test->want &&
            facts->work->left > 0)
            return false;
    }
    return true;
}

/* True when no more have to be tried. */
static bool try_value(struct trial *trial, const struct value *value)
{
    if (!value_fits(trial, value))
        return false;
    if (trial->out == NULL)
        return true;
    for (uint32_t i = 0; i < trial->count; i++)
        if (value_order(&trial->out[i], value) == 0)
            return false;
    if (trial->count < FACT_VALUES_MAX)
        trial->out[trial->count] = *value;
    return trial->count++ == FACT_VALUES_MAX;
}

static bool try_list(struct trial *trial, const struct test *test)
{
    for (const struct ast *item = test->constant; item != NULL; item = test_next(test, item)) {
        struct value value = value_of_constant(item);
        if (try_value(trial, &value))
            return true;
    }
    return false;
}

static bool try_domain(struct trial *trial)
{
    for (const char *const *word = trial->domain; *word != NULL; word++) {
        struct value value = {.type = TYPE_TEXT, .text = {*word, (uint32_t)strlen(*word)}};
        if (try_value(trial, &value))
            return true;
    }
    return false;
}

static bool try_range(struct trial *trial)
{
    struct value value = {.type = (uint8_t)trial->subject->type};

    for (long double number = trial->range.lo; number <= trial->range.hi; number += 1) {
        if (value.type == TYPE_DOUBLE)
            value.real = (double)number;
        else
            value.number = (int64_t)number;
        if (try_value(trial, &value))
            return true;
    }
    return false;
}

static bool is_exact(const struct test *test)
{
    return (test->how == TEST_IN && test->want) ||
           (test->how == TEST_COMPARE && test_relation(test) == RELATION_EQ);
}

enum answer { MANY, SOME, NONE };

/* Goes through the values of a subject where they are few. */
static enum answer try_values(struct trial *trial)
{
    struct facts *facts = trial->facts;

    if (is_number(trial->subject))
        trial->range = facts_range(facts, trial->subject);
    else
        trial->domain = facts_domain(facts->ground, trial->subject);
    for (uint32_t i = 0; i < facts->test_count; i++)
        if (is_exact(&facts->test[i]) && is_same(facts->test[i].key, trial->key))
            return try_list(trial, &facts->test[i]) ? SOME : NONE;
    if (trial->domain != NULL)
        return try_domain(trial) ? SOME : NONE;
    if (is_number(trial->subject) &&
        (trial->range.is_whole ? trial->range.hi - trial->range.lo < FACT_VALUES_MAX
                               : interval_is_point(&trial->range)))
        return try_range(trial) ? SOME : NONE;
    return MANY;
}

/* Every subject of a test has a value that meets all of them. */
static bool are_values_possible(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->count; i++) {
        struct trial trial = {
            .facts = facts, .subject = facts->subject[i].ast, .key = facts->subject[i].key};
        if (trial.subject == NULL ||
            (!is_number(trial.subject) && trial.subject->type != TYPE_TEXT))
            continue;
        if (try_values(&trial) == NONE && facts->work->left > 0)
            return false;
    }
    return true;
}

uint32_t facts_values(const struct facts *facts, const struct ast *ast,
                      struct value out[FACT_VALUES_MAX])
{
    struct trial trial = {.facts = (struct facts *)facts,
                          .subject = ast,
                          .key = key_of((struct facts *)facts, ast),
                          .out = out};

    return try_values(&trial) == MANY || facts->work->left == 0 ? FACT_VALUES_MAX + 1 : trial.count;
}

/* ---- texts ---- */

static bool are_texts_possible(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->test_count; i++) {
        const struct test *test = &facts->test[i];
        if (test->subject->type != TYPE_TEXT || test->how == TEST_IN)
            continue;
        if (!text_test_is_possible(test))
            return false;
        for (uint32_t k = 0; k < i; k++) {
            const struct test *other = &facts->test[k];
            if (!work_take(facts->work, 1))
                return true;
            if (is_same(test->key, other->key) && other->how != TEST_IN &&
                !text_tests_agree(other, test))
                return false;
        }
    }
    return true;
}

/* ---- all of it ---- */

/* Each test has a subject, so that its values are looked at. */
static void note_tests(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->all->count; i++) {
        struct test *test = &facts->test[facts->test_count];
        if (!test_of(facts->all->literal[i].ast, facts->ground, test))
            continue;
        test->want = facts->all->literal[i].want;
        test->key = key_of(facts, test->subject);
        subject_at(facts, test->key, test->subject);
        facts->test_count++;
    }
}

bool facts_gather(struct facts *facts, const struct ground *ground,
                  const struct aggregate_bound *bound, const struct conjunction *all,
                  struct work *work)
{
    facts->ground = ground;
    facts->bound = bound;
    facts->all = all;
    facts->work = work;
    facts->count = facts->test_count = 0;
    work_take(work, 16 + all->count);
    for (uint32_t i = 0; i < all->count; i++) {
        const struct ast *ast = all->literal[i].ast;
        if (ast->meaning == MEANS_CONSTANT && (ast->number != 0) != all->literal[i].want)
            return false;
        note_presence(facts, &all->literal[i]);
    }
    note_tests(facts);
    /* What is cut short for want of work has said nothing. */
    return (is_presence_possible(facts) && !contradicts_itself(facts) && is_order_possible(facts) &&
            are_numbers_possible(facts) && are_texts_possible(facts) &&
            are_values_possible(facts)) ||
           work->left == 0;
}
