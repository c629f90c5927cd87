/*
 * Aim: who asks which rules and steps go by a name hears of each that does, however its condition
 * reads it. Method: conditions over labels.q, one for each place in which an instruction can have a
 * name, and some that do not read it; each as `where` of a rule, as `where` of a step and inside of
 * what a step sets; and the other parts of a rule. That there is no place beside them is seen by
 * counting opcodes.
 */
#include "rules_support.h"
#include <errno.h>
#include "base/arena.h"
#include "base/host.h"
#include "rules/enrich_set.h"
#include "rules/names_read.h"
#include "rules/names_spread.h"
#include "rules/operands.h"
#include "rules/rule_set_parts.h"

enum { NAMES_MAX = 8 };

static const struct reading {
    const char *where;
    bool reads_q;
} rows[] = {
    {"labels.q == check", true},
    {"check == labels.q", true},
    {"message != labels.q", true},
    {"\"a\" < labels.q", true},
    {"labels.q in [\"a\", \"b\"]", true},
    {"labels.q in core", true},
    {"check in [labels.q, \"b\"]", true},
    {"labels.q.lowerAscii() in [\"a\", \"b\"]", true},
    {"has(labels.q)", true},
    {"labels.q.startsWith(\"a\")", true},
    {"message.startsWith(labels.q)", true},
    {"labels.q.endsWith(\"a\")", true},
    {"message.endsWith(labels.q)", true},
    {"labels.q.contains(\"a\")", true},
    {"message.contains(labels.q)", true},
    {"\"ab\".contains(labels.q)", true},
    {"message.contains(\"a\" + labels.q)", true},
    {"!(check == \"c\" && message.contains(labels.q))", true},
    {"check == \"c\" || message.endsWith(labels.q)", true},
    {"labels.q.matches(\"a.*b\")", true},
    {"labels.q.upperAscii().matches(\"a.*b\")", true},
    {"size(labels.q) > 2", true},
    {"value > double(labels.q)", true},
    {"value * -double(labels.q) > 3.5", true},
    {"severity(labels.q) >= MAJOR", true},
    {"timestamp(labels.q).getHours() == 3", true},
    {"(labels.q == \"a\" ? labels.r : labels.s) == \"x\"", true},
    {"(labels.r == \"a\") == (labels.q == \"a\")", true},
    {"owners[labels.q].team == \"x\"", true},
    {"has(owners[labels.q].team)", true},
    {"labels.q in owners", true},
    {"labels.size() > 3", true},
    {"check in labels", true},
    {"labels[check] == \"x\"", true},
    {"ts - timestamp(labels.q) > 5m", true},
    /* Others. */
    {"message.contains(labels.r)", false},
    {"labels.r == \"q\"", false},
    {"value > 1.5 || value in [1.0, 2.0]", false},
    {"severity >= MAJOR && severity in [MAJOR, CRITICAL]", false},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Of events there is neither of these. */
static bool is_of_close(unsigned op)
{
    return op == OP_QUIET || op == OP_CLEARED || op == OP_FEWER;
}

/* ---- the file behind the table ---- */

static const char owners[] = "host,team\nh1,x\n";
static size_t owners_at;

static int file_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)path, (void)flags, (void)mode;
    owners_at = 0;
    return 1000;
}

static ssize_t file_read(void *self, int fd, void *to, size_t bytes)
{
    const size_t left = strlen(owners) - owners_at;

    (void)self, (void)fd;
    bytes = bytes < left ? bytes : left;
    memcpy(to, owners + owners_at, bytes);
    owners_at += bytes;
    return (ssize_t)bytes;
}

static int file_close(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static bool file_is_regular(void *self, int fd)
{
    (void)self, (void)fd;
    return true;
}

static int host_begin(void **state)
{
    static struct host fake;

    (void)state;
    host_set(NULL);
    fake = *host();
    fake.open = file_open;
    fake.read = file_read;
    fake.close = file_close;
    fake.is_regular = file_is_regular;
    host_set(&fake);
    return 0;
}

static int host_end(void **state)
{
    (void)state;
    host_set(NULL);
    return 0;
}

/* ---- */

static struct rule_set *set_of(const char *where)
{
    char text[2000];

    snprintf(text, sizeof(text),
             "sets: {core: [a, b]}\n"
             "tables: {owners: {file: o.csv, key: host}}\n"
             "enrich:\n"
             "  - id: by-where\n    where: |\n      %s\n    set: {labels.made: '\"1\"'}\n"
             "  - id: by-value\n    set:\n      labels.told: |\n        (%s) ? \"y\" : \"n\"\n" HEAD
             "    where: |\n      %s\n" GOOD_WINDOW GOOD_WHEN TAIL,
             where, where, where);
    return parse_good(text);
}

/* Whether the step becomes another one with labels.q. */
static bool step_reads_q(const struct rule_set *set, uint32_t step)
{
    struct arena *arena = arena_create(1 << 16);
    struct spread_name made[NAMES_MAX];
    struct names_spread spread;
    uint32_t count;

    assert_non_null(arena);
    assert_true(names_spread_init(&spread, NAMES_MAX, arena));
    assert_true(names_spread_add(&spread, "labels.q", 0));
    count = names_spread_step(&spread, rule_set_enrich(set), step, made);
    arena_destroy(arena);
    return count > 0;
}

static void whoever_reads_a_name_is_found(void **state)
{
    bool is_seen[OP_TIME_PART + 1] = {false};

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        struct rule_set *set = set_of(rows[i].where);
        const struct program *where = &set->where[0];
        for (uint32_t k = 0; k < where->count; k++)
            is_seen[where->code[k].op] = true;
        if (rule_reads_name(set, 0, "labels.q") != (rows[i].reads_q ? NAME_IN_WHERE : 0U))
            fail_msg("a rule: %s", rows[i].where);
        if (step_reads_q(set, 0) != rows[i].reads_q)
            fail_msg("where of a step: %s", rows[i].where);
        if (step_reads_q(set, 1) != rows[i].reads_q)
            fail_msg("what a step sets: %s", rows[i].where);
        rule_set_destroy(set);
    }
    for (unsigned op = 0; op <= OP_TIME_PART; op++)
        if (!is_seen[op] && !is_of_close(op) && op != OP_CONSTANT)
            fail_msg("no row has opcode %u", op);
}

/* Beside `where`. */
static void each_part_of_a_rule_reads_names(void **state)
{
    static const struct {
        const char *body, *close;
        unsigned reads;
    } parts[] = {
        {"    by: [labels.q]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN, "cleared()", NAME_IN_BY},
        {"    by: [labels.r]\n" GOOD_WHERE GOOD_WINDOW GOOD_WHEN, "cleared()", 0},
        {GOOD_WHERE GOOD_WINDOW GOOD_WHEN, "last(double(labels.q)) < 80.0", NAME_IN_CLOSE},
        {GOOD_WHERE GOOD_WINDOW GOOD_WHEN, "last(value) > 1.0 && last(double(labels.q)) < 80.0",
         NAME_IN_CLOSE},
        {GOOD_WHERE GOOD_WINDOW GOOD_WHEN, "last(value) < 80.0", 0},
        {"    sequence:\n      - {as: a, where: check == \"a\"}\n"
         "      - {as: b, where: check.contains(labels.q)}\n    within: 1m\n",
         "cleared()", NAME_IN_WHERE},
        /* A strict one: its events are those of `where`, whichever of them are steps. */
        {GOOD_WHERE
         "    contiguity: strict\n    sequence:\n      - {as: a, where: check == \"a\"}\n"
         "      - {as: b, where: message.contains(labels.q)}\n    within: 1m\n",
         "cleared()", NAME_IN_WHERE},
        {GOOD_WHERE
         "    contiguity: strict\n    sequence:\n      - {as: a, where: check == \"a\"}\n"
         "      - {as: b, where: check == \"b\"}\n    within: 1m\n",
         "cleared()", 0},
        {"    by: [labels.q]\n    all:\n      - {as: a, where: labels.q == \"a\"}\n"
         "      - {as: b, where: check == \"b\"}\n    within: 1m\n",
         "last(value) < 3.0", NAME_IN_BY | NAME_IN_WHERE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct rule_set *set;
        unsigned reads;
        char text[1000];
        snprintf(text, sizeof(text), HEAD "%s    incident: {title: t}\n    close: |\n      %s\n",
                 parts[i].body, parts[i].close);
        set = parse_good(text);
        reads = rule_reads_name(set, 0, "labels.q");
        rule_set_destroy(set);
        if (reads != parts[i].reads)
            fail_msg("%u instead of %u:\n%s", reads, parts[i].reads, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_of_a_rule_reads_names),
        cmocka_unit_test_setup_teardown(whoever_reads_a_name_is_found, host_begin, host_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
