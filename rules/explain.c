/* explain.c - see explain.h. */
#include "rules/explain.h"

#include <stdio.h>
#include <string.h>
#include "rules/explain_parts.h"
#include "rules/rule_reader.h"

static const char *keep(struct explanation *out, const struct explain_line *line)
{
    const char *at = out->text + out->used;

    if (out->used + line->used + 1 > sizeof(out->text))
        return NULL;
    memcpy(out->text + out->used, line->at, line->used + 1);
    out->used += (uint32_t)line->used + 1;
    return at;
}

/* Where a part of the expression stands. */
struct branch {
    bool decides;    /* the whole is what this part makes it */
    bool is_negated; /* it stands behind an odd number of ! */
    bool is_closed; /* within an alternative, or below what is neither && nor ||: no more of them */
    uint32_t choice, alternative;
};

static void add_test(struct explain_walk *walk, uint32_t index, enum truth truth,
                     const struct branch *branch)
{
    const struct instruction *at = &walk->program->code[index];
    struct explanation *out = walk->out;
    struct explain_line written, valued;
    const char *first, *second;

    if (at->op >= OP_LOAD && at->op != OP_MATCHES) {
        written.used = 0;
        written.at[0] = '\0';
        explain_put_tree(&written, walk, index);
        explain_put_computed(&valued, walk, index);
    } else {
        explain_put_test(&written, at, NULL, walk->aggregates, truth);
        explain_put_test(&valued, at, walk->input, walk->aggregates, truth);
    }
    if (strcmp(written.at, valued.at) == 0)
        valued.at[valued.used = 0] = '\0';
    first = out->count < EXPLAIN_TESTS_MAX ? keep(out, &written) : NULL;
    second = first != NULL ? keep(out, &valued) : NULL;
    if (second == NULL) {
        out->left_out++;
        return;
    }
    out->test[out->count++] = (struct explained_test){.truth = (uint8_t)truth,
                                                      .is_negated = branch->is_negated,
                                                      .says_truth = at->op == OP_HAS,
                                                      .decides = branch->decides,
                                                      .choice = branch->choice,
                                                      .alternative = branch->alternative,
                                                      .written = first,
                                                      .valued = second};
}

static void add_tree(struct explain_walk *walk, uint32_t index, struct branch branch)
{
    const struct instruction *code = walk->program->code, *at = &code[index];
    enum truth truth = program_test(walk->program, index, walk->input);

    if (at->op != OP_AND && at->op != OP_OR && at->op != OP_NOT && at->op != OP_COMPARE_TRUTH) {
        add_test(walk, index, truth, &branch);
        return;
    }
    bool opens = at->op == OP_OR && truth != TRUTH_TRUE && !branch.is_closed;
    branch.is_closed = branch.is_closed || at->op != OP_AND;
    branch.is_negated = branch.is_negated != (at->op == OP_NOT);
    branch.choice = opens ? ++walk->choices : branch.choice;
    for (uint32_t i = index + 1; i < at->end; i = code[i].end) {
        /* A chain is what the sides make it that come to the same; both sides of == count. */
        bool counts = at->op == OP_NOT || at->op == OP_COMPARE_TRUTH ||
                      program_test(walk->program, i, walk->input) == truth;
        struct branch side = branch;
        side.decides = branch.decides && counts;
        side.alternative = opens ? ++walk->alternatives : branch.alternative;
        add_tree(walk, i, side);
    }
}

/* --- the nearest alternative -------------------------------------------------------------------
 */

/* An alternative's tests, of those that were kept. */
struct tally {
    uint32_t count, held;
    bool decides, fails_at_check;
};

/* It is what the whole asks of it. */
static bool holds(const struct explained_test *test)
{
    return test->truth == (test->is_negated ? TRUTH_FALSE : TRUTH_TRUE);
}

static bool is_of_check(const struct explained_test *test)
{
    return test->decides && !holds(test) && test->truth != TRUTH_ERROR &&
           strncmp(test->written, "check", 5) == 0;
}

static struct tally tally_of(const struct explanation *explanation, uint32_t alternative)
{
    struct tally tally = {0};

    for (uint32_t i = 0; i < explanation->count; i++) {
        const struct explained_test *test = &explanation->test[i];
        if (test->alternative != alternative)
            continue;
        tally.count++;
        tally.held += holds(test);
        tally.decides |= test->decides;
        tally.fails_at_check |= is_of_check(test);
    }
    return tally;
}

static bool is_nearer(const struct tally *a, const struct tally *b)
{
    if (a->decides != b->decides)
        return a->decides;
    if (a->fails_at_check != b->fails_at_check)
        return b->fails_at_check;
    return (uint64_t)a->held * b->count > (uint64_t)b->held * a->count;
}

static uint32_t nearest_of(const struct explanation *explanation, uint32_t choice)
{
    uint32_t nearest = 0;
    struct tally best = {0};

    for (uint32_t i = 0; i < explanation->count; i++) {
        const struct explained_test *test = &explanation->test[i];
        if (test->choice != choice || test->alternative == nearest)
            continue;
        struct tally tally = tally_of(explanation, test->alternative);
        if (nearest == 0 || is_nearer(&tally, &best)) {
            nearest = test->alternative;
            best = tally;
        }
    }
    return nearest;
}

/* The tests of a choice stand one behind the other. */
static void mark_near(struct explanation *out)
{
    uint32_t nearest = 0;

    for (uint32_t i = 0; i < out->count; i++) {
        struct explained_test *test = &out->test[i];
        if (i == 0 || test->choice != out->test[i - 1].choice)
            nearest = test->choice == 0 ? 0 : nearest_of(out, test->choice);
        test->is_near = test->alternative == nearest;
    }
}

void rule_explain_where(const struct rule *rule, const struct event_view *view,
                        struct explanation *out)
{
    const struct compiled_rule *compiled = (const struct compiled_rule *)(const void *)rule;
    struct program_input input;
    struct explain_walk walk = {.program = &compiled->where, .input = &input, .out = out};

    program_input_start(&input, view);
    out->count = out->left_out = out->used = 0;
    out->truth = program_test(walk.program, 0, &input);
    add_tree(&walk, 0, (struct branch){.decides = true});
    mark_near(out);
}

const struct explained_test *explanation_cause(const struct explanation *explanation)
{
    for (uint32_t i = 0; i < explanation->count; i++)
        if (explanation->test[i].decides && explanation->test[i].is_near)
            return &explanation->test[i];
    return NULL;
}

double explanation_share(const struct explanation *explanation)
{
    uint32_t count = 0, held = 0;

    for (uint32_t i = 0; i < explanation->count; i++) {
        count += explanation->test[i].is_near;
        held += explanation->test[i].is_near && holds(&explanation->test[i]);
    }
    return count > 0 ? held / (double)count : 0;
}

bool explanation_fails_at_check(const struct explanation *explanation)
{
    for (uint32_t i = 0; i < explanation->count; i++)
        if (explanation->test[i].is_near && is_of_check(&explanation->test[i]))
            return true;
    return false;
}

void explained_test_print(const struct explained_test *test, char *to, size_t bytes)
{
    const char *is = test->truth == TRUTH_TRUE    ? " is true"
                     : test->truth == TRUTH_FALSE ? " is false"
                                                  : "";

    const char *turned = test->is_negated && test->truth != TRUTH_ERROR ? ", behind a !" : "";

    if (test->valued[0] == '\0')
        snprintf(to, bytes, "%s%s%s", test->written,
                 test->truth == TRUTH_ERROR ? " cannot be evaluated" : is, turned);
    else
        snprintf(to, bytes, "%s: %s%s%s", test->written, test->valued, test->says_truth ? "" : is,
                 turned);
}
