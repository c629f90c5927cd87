/*
 * Aim: a condition that can be true is never refused. Method: random conditions over few fields and
 * few constants; of those in which rules/impossible.h finds a part that can never be true, that
 * part is run over all small events (of `when`: over many small windows of events that make `where`
 * true, with aggregates computed here the plain way), and must be true of none. How many it finds
 * of those that are true of none is held to a share, so that finding nothing is no way to pass.
 */
#include "rules_support.h"
#include <math.h>
#include "base/arena.h"
#include "rules/impossible.h"
#include "rules/parser.h"
#include "rules/program.h"
#include "rules/rule_reader.h"
#include "tests/random_text.h"

static uint64_t random_state; /* IMPOSSIBLE_SEED, the same in each run unless it is given */

static uint32_t below(uint32_t end)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 11) % end);
}

/* ---- random text ---- */

static const char *const relations[] = {"==", "!=", "<", "<=", ">", ">="};

/* Few words, so that they meet each other often. */
static char *put_event_test(char *at)
{
    static const char *const texts[] = {"check",
                                        "check",
                                        "labels.x",
                                        "labels.x",
                                        "host",
                                        "check.lowerAscii()",
                                        "(check + labels.x)",
                                        "(has(labels.x) ? labels.x : check)"};
    static const char *const words[] = {"", "a", "A", "ab", "b", "1"};
    static const char *const numbers[] = {"value",
                                          "value",
                                          "value",
                                          "size(check)",
                                          "value * 2.0",
                                          "int(labels.x)",
                                          "double(labels.x)",
                                          "value - 1",
                                          "-value",
                                          "size(labels.x) + 1",
                                          "size(labels)",
                                          "(has(value) ? value : 1)"};
    static const char *const constants[] = {"-1", "0", "1", "2", "0.5", "2.5", "3"};
    static const char *const methods[] = {"startsWith", "endsWith", "contains"};
    static const char *const severities[] = {"OK", "INFO", "MAJOR", "CRITICAL"};
    static const char *const parts[] = {"ts.getHours()", "ts.getSeconds()", "ts.getDayOfWeek()",
                                        "ts.getMonth()", "age.getMilliseconds()"};

    switch (below(14)) {
    case 0:
    case 1:
        return put(at, "%s %s \"%s\"", PICK(texts), PICK(relations), PICK(words));
    case 2:
        return put(at, "%s in [\"%s\", \"%s\"]", PICK(texts), PICK(words), PICK(words));
    case 3:
        return put(at, "%s.%s(\"%s\")", PICK(texts), PICK(methods), PICK(words));
    case 4:
    case 5:
    case 6:
        return put(at, "%s %s %s", PICK(numbers), PICK(relations), PICK(constants));
    case 7:
        return put(at, "%s %s %s", PICK(numbers), PICK(relations), PICK(numbers));
    case 8:
        return put(at, "%s %s %s", PICK(texts), PICK(relations), PICK(texts));
    case 9:
        return put(at, "has(%s)", below(2) ? "labels.x" : below(2) ? "value" : "check");
    case 10:
        return put(at, "severity %s %s", PICK(relations), PICK(severities));
    case 11:
        return put(at, "%s %s %d", PICK(parts), PICK(relations), (int)below(14) * 5 - 5);
    case 12:
        return put(at, "%s in [%s, %s]", PICK(numbers), PICK(constants), PICK(constants));
    default:
        return put(at, "\"%s\" in labels", below(3) ? "x" : "y");
    }
}

static char *put_window_test(char *at)
{
    static const char *const wholes[] = {"count()",
                                         "count()",
                                         "distinct(check)",
                                         "distinct(labels.x)",
                                         "distinct(severity)",
                                         "count() * 2",
                                         "(count() - distinct(check))",
                                         "count() % 3"};
    static const char *const reals[] = {"sum(value)",      "avg(value)",
                                        "min(value)",      "max(value)",
                                        "stddev(value)",   "first(value)",
                                        "last(value)",     "quantile(value, 0.5)",
                                        "max(labels.x)",   "(max(value) - min(value))",
                                        "sum(value * 2.0)"};
    static const char *const constants[] = {"-2.0", "-1.0", "0.0", "0.1", "0.5", "2.5", "5.0"};

    switch (below(4)) {
    case 0:
        return put(at, "%s %s %s", PICK(reals), PICK(relations), PICK(reals));
    case 1:
        return put(at, "%s %s %s", PICK(reals), PICK(relations), PICK(constants));
    case 2:
        return put(at, "%s %s %s", PICK(wholes), PICK(relations), PICK(wholes));
    default:
        return put(at, "%s %s %d", PICK(wholes), PICK(relations), (int)below(7));
    }
}

static char *put_condition(char *at, int depth, char *(*put_test)(char *))
{
    static const char *const joints[] = {" && ", " && ", " && ", " || ", " == "};
    uint32_t what = below(8);
    const char *joint = PICK(joints);

    if (depth == 0 || what == 0)
        return put_test(at);
    if (what == 1)
        return put(put_condition(put(at, "!("), depth - 1, put_test), ")");
    if (what == 2) {
        at = put_condition(put(at, "(("), depth - 1, put_test);
        at = put_condition(put(at, ") ? ("), depth - 1, put_test);
        return put(put_condition(put(at, ") : ("), depth - 1, put_test), "))");
    }
    at = put_condition(put(at, "(("), depth - 1, put_test);
    return put(put_condition(put(at, ")%s(", joint), depth - 1, put_test), "))");
}

/* ---- one condition ---- */

struct condition {
    char text[8000];
    struct script script;
    struct scope scope;
    struct ast *ast;
};

static bool condition_check(struct condition *condition, enum scope_kind kind, struct arena *arena,
                            struct diagnostics *diag)
{
    struct yaml_node node = {.kind = YAML_SCALAR};

    condition->script = (struct script){"x", condition->text, strlen(condition->text)};
    node.span = (struct span){&condition->script, 0, (uint32_t)condition->script.bytes};
    node.text = (struct text){condition->text, (uint32_t)condition->script.bytes};
    condition->scope = (struct scope){.kind = kind, .arena = arena, .diag = diag};
    condition->ast = parse_node(&node, arena, diag);
    return condition->ast != NULL && types_check(condition->ast, &condition->scope);
}

static struct program compiled(const struct ast *ast, struct arena *arena)
{
    struct program program;

    assert_true(program_compile(ast, arena, NULL, &program));
    return program;
}

/* ---- all small events ---- */

static const char *const checks[] = {"", "a", "b", "A", "ab"};
static const char *const labels[] = {NULL, "", "1", "2", "a"};
static const double values[] = {NAN, -1, 0, 0.1, 1, 2.5};
static const enum severity severity_of[] = {SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_MAJOR,
                                            SEVERITY_CRITICAL};

enum { EVENTS = COUNT_OF(checks) * COUNT_OF(labels) * COUNT_OF(values) * COUNT_OF(severity_of) };

static struct sample *events;

static void events_make(void)
{
    uint32_t count = 0;

    events = calloc(EVENTS, sizeof(*events));
    assert_non_null(events);
    for (size_t c = 0; c < COUNT_OF(checks); c++)
        for (size_t l = 0; l < COUNT_OF(labels); l++)
            for (size_t v = 0; v < COUNT_OF(values); v++)
                for (size_t s = 0; s < COUNT_OF(severity_of); s++) {
                    struct words words = {.tenant = "t",
                                          .resource = c % 2 ? "a/b" : "",
                                          .check = checks[c],
                                          .severity = severity_of[s],
                                          .has_value = !isnan(values[v]),
                                          .value = isnan(values[v]) ? 0 : values[v],
                                          /* each some hours, days and seconds after the other */
                                          .ts_ms = count * INT64_C(100012345),
                                          .et_ms = count * INT64_C(100012345) + count % 1500};
                    if (labels[l] != NULL) {
                        words.label[0] = "x";
                        words.label[1] = labels[l];
                    }
                    sample_make(&events[count++], &words);
                }
    assert_int_equal(count, EVENTS);
}

static enum truth truth_of(const struct program *program, const struct sample *event)
{
    struct program_input input;

    program_input_start(&input, &event->view);
    return program_run(program, &input);
}

static bool is_true_of_some(const struct program *program)
{
    for (uint32_t i = 0; i < EVENTS; i++)
        if (truth_of(program, &events[i]) == TRUTH_TRUE)
            return true;
    return false;
}

static void no_event_makes_a_refused_part_true(void **state)
{
    static const struct ground ground = {.kind = GROUND_EVENT};
    static struct condition condition;
    uint32_t refused = 0, overlooked = 0;

    (void)state;
    for (int i = 0; i < 6000; i++) {
        struct arena *arena = arena_create(1 << 24);
        struct diagnostics diag;
        struct error err = {""};
        diagnostics_init(&diag, &err);
        put_condition(condition.text, 1 + i % 4, put_event_test);
        if (condition_check(&condition, SCOPE_WHERE, arena, &diag)) {
            const struct ast *dead = impossible_find(condition.ast, &ground);
            struct program program = compiled(dead != NULL ? dead : condition.ast, arena);
            bool is_true = is_true_of_some(&program);
            if (dead != NULL && is_true)
                fail_msg("%s\nrefused, and true of an event:\n%.*s", condition.text,
                         (int)(dead->span.to - dead->span.from), condition.text + dead->span.from);
            refused += dead != NULL;
            overlooked += dead == NULL && !is_true;
        }
        arena_destroy(arena);
    }
    print_message("%u refused; %u true of no small event were not\n", refused, overlooked);
    assert_true(refused > 1000);
    assert_true(overlooked < refused / 2);
}

/* ---- small windows ---- */

enum { MEMBERS = 4, WINDOWS = 300 };

struct window {
    const struct sample *entry[MEMBERS];
    uint32_t count;
};

static struct text label_of(const struct sample *event)
{
    struct text text = event_text_find_label(event->view.text, (struct text){"x", 1});

    return text.at != NULL ? text : (struct text){"", 0};
}

static bool is_key(const struct sample *a, const struct sample *b)
{
    struct text x = label_of(a), y = label_of(b);

    return x.len == y.len && memcmp(x.at, y.at, x.len) == 0;
}

/* Events that make `where` true, of one key where the rule goes by the label. False: there are
 * none. */
static bool window_make(struct window *window, const struct program *where, bool by_label)
{
    uint32_t wanted = 1 + below(MEMBERS);

    window->count = 0;
    for (uint32_t tries = 0; tries < 60 && window->count < wanted; tries++) {
        const struct sample *event = &events[below(EVENTS)];
        if (truth_of(where, event) != TRUTH_TRUE ||
            (by_label && window->count > 0 && !is_key(window->entry[0], event)))
            continue;
        window->entry[window->count++] = event;
    }
    return window->count > 0;
}

static int64_t distinct_of(const struct window *window, const struct operand *field)
{
    int64_t count = 0;

    for (uint32_t i = 0; i < window->count; i++) {
        struct program_input input;
        struct text text, other;
        bool is_new = true;
        program_input_start(&input, &window->entry[i]->view);
        operand_text(field, &input, &text);
        for (uint32_t k = 0; k < i && is_new; k++) {
            program_input_start(&input, &window->entry[k]->view);
            operand_text(field, &input, &other);
            is_new = text.len != other.len || memcmp(text.at, other.at, text.len) != 0;
        }
        count += is_new;
    }
    return count;
}

static double stddev_of(const double *number, uint32_t count)
{
    double mean = 0, square = 0;

    for (uint32_t i = 0; i < count; i++)
        mean += number[i] / count;
    for (uint32_t i = 0; i < count; i++)
        square += (number[i] - mean) * (number[i] - mean) / count;
    return sqrt(square);
}

static int order_of_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* As docs/correlation.md says, "Numbers": sums are of multiples of 2^-40. */
static double number_of(const struct aggregate *aggregate, const struct window *window,
                        const struct program *argument)
{
    double number[MEMBERS], sorted[MEMBERS];
    long double sum = 0;
    uint32_t count = 0, rank;

    for (uint32_t i = 0; i < window->count; i++) {
        struct program_input input;
        struct value value;
        program_input_start(&input, &window->entry[i]->view);
        if (program_value(argument, &input, NULL, &value) != NULL)
            continue;
        number[count++] = value.real;
        sum += rintl((long double)value.real * 0x1p40L);
    }
    if (count == 0)
        return aggregate->kind == AGGREGATE_SUM ? 0 : NAN;
    memcpy(sorted, number, sizeof(sorted));
    qsort(sorted, count, sizeof(double), order_of_numbers);
    rank = (uint32_t)ceil(aggregate->share * count);
    switch (aggregate->kind) {
    case AGGREGATE_SUM:
        return (double)(sum * 0x1p-40L);
    case AGGREGATE_AVG:
        return (double)(sum * 0x1p-40L) / count;
    case AGGREGATE_MIN:
        return sorted[0];
    case AGGREGATE_MAX:
        return sorted[count - 1];
    case AGGREGATE_STDDEV:
        return stddev_of(number, count);
    case AGGREGATE_FIRST:
        return number[0];
    case AGGREGATE_LAST:
        return number[count - 1];
    default: /* quantile() */
        return sorted[rank > 0 ? rank - 1 : 0];
    }
}

/* `when`, or a part of it, over one window. */
static enum truth truth_of_window(const struct program *when, const struct scope *scope,
                                  const struct window *window, struct arena *arena)
{
    int64_t whole[RULE_AGGREGATES_MAX];
    double real[RULE_AGGREGATES_MAX];
    struct program_input input = {.aggregate = whole, .aggregate_real = real};

    for (uint32_t i = 0; i < scope->aggregate_count; i++) {
        const struct aggregate *aggregate = &scope->aggregate[i];
        struct operand field;
        if (aggregate->kind == AGGREGATE_COUNT) {
            whole[i] = window->count;
        } else if (aggregate->kind == AGGREGATE_DISTINCT) {
            assert_true(operand_compile(aggregate->argument, arena, NULL, &field));
            whole[i] = distinct_of(window, &field);
        } else {
            struct program argument = compiled(aggregate->argument, arena);
            real[i] = number_of(aggregate, window, &argument);
        }
    }
    return program_run(when, &input);
}

static bool is_true_of_some_window(const struct program *when, const struct scope *scope,
                                   const struct program *where, bool by_label, struct arena *arena)
{
    struct window window;

    for (int i = 0; i < WINDOWS; i++)
        if (window_make(&window, where, by_label) &&
            truth_of_window(when, scope, &window, arena) == TRUTH_TRUE)
            return true;
    return false;
}

static void no_window_makes_a_refused_part_true(void **state)
{
    static const struct ground of_events = {.kind = GROUND_EVENT};
    static struct condition where, when;
    uint32_t refused = 0, overlooked = 0;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        struct arena *arena = arena_create(1 << 26);
        struct diagnostics diag;
        struct error err = {""};
        diagnostics_init(&diag, &err);
        put_condition(where.text, i % 3, put_event_test);
        put_condition(when.text, i / 3 % 4, put_window_test);
        if (condition_check(&where, SCOPE_WHERE, arena, &diag) &&
            condition_check(&when, SCOPE_WHEN, arena, &diag) &&
            impossible_find(where.ast, &of_events) == NULL) {
            bool by_label = below(2) == 1;
            struct compiled_rule rule = {.open = {.max_members = MEMBERS, .by_count = 1 + by_label},
                                         .by = {{.kind = OPERAND_FIELD, .field = RULE_FIELD_TENANT},
                                                {.kind = OPERAND_LABEL, .text = {"x", 1}}}};
            struct ground ground = {.kind = GROUND_WINDOW,
                                    .where = where.ast,
                                    .aggregate = when.scope.aggregate,
                                    .aggregate_count = when.scope.aggregate_count,
                                    .rule = &rule};
            const struct ast *dead = impossible_find(when.ast, &ground);
            struct program asked = compiled(where.ast, arena);
            struct program program = compiled(dead != NULL ? dead : when.ast, arena);
            bool is_true = is_true_of_some_window(&program, &when.scope, &asked, by_label, arena);
            if (dead != NULL && is_true)
                fail_msg("where: %s\nwhen: %s\nrefused, and true of a window:\n%.*s", where.text,
                         when.text, (int)(dead->span.to - dead->span.from),
                         when.text + dead->span.from);
            refused += dead != NULL;
            overlooked += dead == NULL && !is_true;
        }
        arena_destroy(arena);
    }
    print_message("%u refused; %u true of no window that was tried were not\n", refused,
                  overlooked);
    assert_true(refused > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_event_makes_a_refused_part_true),
        cmocka_unit_test(no_window_makes_a_refused_part_true),
    };
    const char *seed = getenv("IMPOSSIBLE_SEED");
    int rc;

    random_state = (seed != NULL ? strtoull(seed, NULL, 10) : 1) * UINT64_C(0x9e3779b97f4a7c15);
    events_make();
    rc = cmocka_run_group_tests(tests, NULL, NULL);
    free(events);
    return rc;
}
