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

static void add_test(struct explain_walk *walk, uint32_t index, enum truth truth, bool decides)
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
    out->test[out->count++] = (struct explained_test){
        .truth = (uint8_t)truth, .decides = decides, .written = first, .valued = second};
}

/* `decides`: the whole is what this subtree makes it. */
static void add_tree(struct explain_walk *walk, uint32_t index, bool decides)
{
    const struct instruction *code = walk->program->code, *at = &code[index];
    enum truth truth = program_test(walk->program, index, walk->input);

    if (at->op != OP_AND && at->op != OP_OR && at->op != OP_NOT && at->op != OP_COMPARE_TRUTH) {
        add_test(walk, index, truth, decides);
        return;
    }
    for (uint32_t i = index + 1; i < at->end; i = code[i].end) {
        /* A chain is what the sides make it that come to the same; both sides of == count. */
        bool counts = at->op == OP_NOT || at->op == OP_COMPARE_TRUTH ||
                      program_test(walk->program, i, walk->input) == truth;
        add_tree(walk, i, decides && counts);
    }
}

void rule_explain_where(const struct rule *rule, const struct event_view *view,
                        struct explanation *out)
{
    const struct compiled_rule *compiled = (const struct compiled_rule *)(const void *)rule;
    struct program_input input;
    struct explain_walk walk = {&compiled->where, &input, NULL, out};

    program_input_start(&input, view);
    out->count = out->left_out = out->used = 0;
    out->truth = program_test(walk.program, 0, &input);
    add_tree(&walk, 0, true);
}

const struct explained_test *explanation_cause(const struct explanation *explanation)
{
    for (uint32_t i = 0; i < explanation->count; i++)
        if (explanation->test[i].decides)
            return &explanation->test[i];
    return NULL;
}

void explained_test_print(const struct explained_test *test, char *to, size_t bytes)
{
    const char *is = test->truth == TRUTH_TRUE    ? " is true"
                     : test->truth == TRUTH_FALSE ? " is false"
                                                  : "";

    if (test->valued[0] == '\0')
        snprintf(to, bytes, "%s%s", test->written,
                 test->truth == TRUTH_ERROR ? " cannot be evaluated" : is);
    else
        snprintf(to, bytes, "%s: %s%s", test->written, test->valued, is);
}
