/*
 * Aim: the plan finds exactly the rules that evaluating each of them finds, by whatever terms they
 * are found. Method: random sets over a small vocabulary, each read twice: as it is, and with every
 * `where` as !(!(where)), of which nothing can be looked up, so that every rule is evaluated for
 * every event. Both have to answer alike (the language itself is held to a model in
 * test_rules_match.c). The seed is printed; PLAN_SEED sets it. And: which rules are found by
 * nothing.
 */
#include "rules_support.h"
#include "base/host.h"
#include "rules/match_range.h"
#include "tests/random_seed.h"
#include "tests/random_text.h"

enum { SETS = 150, EVENTS = 150, RULES_MAX_HERE = 300, WHERE_BYTES = 4000 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static const char *const words[] = {"",
                                    "a",
                                    "ab",
                                    "abc",
                                    "b",
                                    "disk.full",
                                    "disk.smart",
                                    "disk",
                                    "host-1",
                                    "host-2",
                                    "link down",
                                    "link up",
                                    "error 7",
                                    "error 71",
                                    "\xc3\xa4rger",
                                    "host-1/sda",
                                    "x y z",
                                    "a long text with a tail on link",
                                    "another long text with a tail on link"};
static const char *const fields[] = {
    "tenant",  "source", "resource",  "check",    "check",    "check",    "message",
    "message", "host",   "dedup_key", "labels.x", "labels.x", "labels.y", "labels[\"y z\"]"};
static const char *const label_names[] = {"x", "y", "y z"};
static const char *const patterns[] = {"^disk\\\\.",
                                       "^a$",
                                       "down$",
                                       "link",
                                       "^host-[12]",
                                       "e.*7",
                                       "(?i)LINK (up|down)",
                                       "^(a|b)",
                                       "[0-9]{2}",
                                       "^$",
                                       "",
                                       "a|b",
                                       "^disk\\\\.f?",
                                       "tail on link$",
                                       "^link (up|down)$",
                                       "link u[a-z]",
                                       "link (xx|down)",
                                       "error 7[0-9]|disk",
                                       "other.*tail on"};
static const char *const relations[] = {"==", "!=", "<", "<=", ">", ">="};
static const char *const severities[] = {"OK", "INFO", "WARNING", "MAJOR", "CRITICAL"};
static const char *const numbers[] = {"-1.5", "0",  "0.0",  "-0.0",  "1",
                                      "2.5",  "90", "90.5", "1e300", "-1e300"};
static const char *const ages[] = {"0s", "1s", "5s", "1m"};
static const char *const methods[] = {"startsWith", "endsWith", "contains"};

static char *put_test(char *at)
{
    switch (below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        return put(at, "%s == \"%s\"", PICK(fields), PICK(words));
    case 4:
        return put(at, "\"%s\" %s %s", PICK(words), PICK(relations), PICK(fields));
    case 5:
        at = put(at, "%s in [\"%s\"", PICK(fields), PICK(words));
        for (uint32_t i = below(4); i > 0; i--)
            at = put(at, ", \"%s\"", PICK(words));
        return put(at, "]");
    case 6:
    case 7:
        return put(at, "%s.%s(\"%s\")", PICK(fields), PICK(methods), PICK(words));
    case 8:
    case 9:
        return put(at, "%s.matches(\"%s\")", PICK(fields), PICK(patterns));
    case 10:
        return put(at, "value %s %s", PICK(relations), PICK(numbers));
    case 11:
        return put(at, "%s %s value", PICK(numbers), PICK(relations));
    case 12:
        return put(at, "age %s %s", PICK(relations), PICK(ages));
    case 13:
        return put(at, "has(%s)", below(2) ? PICK(fields) : "value");
    case 14:
        return put(at, "severity %s %s", PICK(relations), PICK(severities));
    default:
        return put(at, "%s.lowerAscii().matches(\"%s\")", PICK(fields), PICK(patterns));
    }
}

static char *put_where(char *at, int depth)
{
    uint32_t what = below(8), sides = 2 + below(3);

    if (depth == 0 || what < 2)
        return put_test(at);
    if (what == 2) {
        at = put(at, "!(");
        return put(put_where(at, depth - 1), ")");
    }
    at = put(at, "(");
    for (uint32_t i = 0; i < sides; i++) {
        if (i > 0)
            at = put(at, what < 6 ? " && " : " || ");
        at = put_where(at, depth - 1);
    }
    return put(at, ")");
}

/* Many rules that share their texts, so that two of them are looked up together. */
static char *put_pair(char *at)
{
    static const char *const few[] = {"a", "ab", "disk"}, *const sides[] = {"check", "labels.x",
                                                                            "host"};
    uint32_t first = below(3), second = (first + 1 + below(2)) % 3;

    at = put(at, "%s == \"%s\" && ", sides[first], PICK(few));
    at = below(3) ? put(at, "%s == \"%s\"", sides[second], PICK(few))
                  : put(at, "%s in [\"%s\", \"b\"]", sides[second], PICK(few));
    if (below(3) == 0)
        at = put_test(put(at, " && "));
    return at;
}

/* What can never be true is refused when it is read; such a rule is left out. */
static bool is_accepted(const char *where)
{
    static char text[WHERE_BYTES + 300];
    struct rule_set *set = NULL;
    struct error err;

    bool is_good =
        rule_set_parse("r.yaml", text, strlen(rule_with_where(where, text, sizeof(text))), &set,
                       &err) == 0;
    rule_set_destroy(set);
    return is_good;
}

static char *put_rule(char *at, uint32_t rule, const char *where)
{
    return put(at,
               "  - id: r%05u\n    where: |\n      %s\n    window: 1m\n    when: count() >= 1\n"
               "    incident: {title: t}\n    close: cleared()\n",
               (unsigned)rule, where);
}

static void event_make(struct sample *sample)
{
    struct words event = {.tenant = PICK(words),
                          .source = PICK(words),
                          .resource = PICK(words),
                          .check = PICK(words),
                          .dedup_key = PICK(words),
                          .message = PICK(words),
                          .severity = (enum severity)below(SEVERITY_COUNT),
                          .has_value = below(4) != 0,
                          .value = strtod(PICK(numbers), NULL),
                          .ts_ms = 100000,
                          .et_ms = 100000 + (int64_t)below(4) * 1000 * below(40)};
    int count = 0;

    for (int i = 0; i < 3; i++)
        if (below(2)) {
            event.label[count++] = label_names[i];
            event.label[count++] = PICK(words);
        }
    sample_make(sample, &event);
}

static void assert_alike(const struct rule_set *set, const struct rule_set *plain,
                         char (*where)[WHERE_BYTES])
{
    uint32_t found[RULES_MAX_HERE], expected[RULES_MAX_HERE];
    struct sample sample;

    event_make(&sample);
    size_t count = rule_set_match(set, &sample.view, found, RULES_MAX_HERE);
    size_t expected_count = rule_set_match(plain, &sample.view, expected, RULES_MAX_HERE);
    for (size_t i = 0; i < count || i < expected_count; i++)
        if (i >= count || i >= expected_count || found[i] != expected[i]) {
            bool is_missing = i >= count || (i < expected_count && expected[i] < found[i]);
            fail_msg("%s: %s", is_missing ? "missed" : "found in vain",
                     where[is_missing ? expected[i] : found[i]]);
        }
}

static void the_plan_finds_what_evaluating_every_rule_finds(void **state)
{
    static char where[RULES_MAX_HERE][WHERE_BYTES], negated[WHERE_BYTES + 10];
    static char text[RULES_MAX_HERE * (WHERE_BYTES + 200)], plain_text[sizeof(text)];

    (void)state;
    random_state = random_seed("PLAN_SEED");
    for (int s = 0; s < SETS; s++) {
        uint32_t count = 1 + below(s % 3 == 0 ? RULES_MAX_HERE : 40), unguarded = 0;
        char *at = put(text, "rules:\n"), *plain_at = put(plain_text, "rules:\n");
        for (uint32_t r = 0; r < count;) {
            if (s % 5 == 0)
                put_pair(where[r]);
            else
                put_where(where[r], (int)below(4));
            put(negated, "!(!(%s))", where[r]);
            /* Each by itself: how much is found out of the two is not the same. */
            if (strlen(where[r]) > WHERE_BYTES / 2 || !is_accepted(where[r]) ||
                !is_accepted(negated))
                continue;
            at = put_rule(at, r, where[r]);
            plain_at = put_rule(plain_at, r, negated);
            r++;
        }
        struct rule_set *set = parse_good(text), *plain = parse_good(plain_text);
        for (uint32_t r = 0; r < count; r++) {
            assert_true(rule_set_is_unguarded(plain, r));
            unguarded += rule_set_is_unguarded(set, r);
        }
        assert_true(unguarded < count || count < 20);
        for (int e = 0; e < EVENTS; e++)
            assert_alike(set, plain, where);
        rule_set_destroy(set);
        rule_set_destroy(plain);
    }
}

/* ---- who is found by nothing ---- */

static const struct {
    const char *where;
    bool is_unguarded;
} guards[] = {
    {"check == \"a\"", false},
    {"\"a\" == check && severity >= MAJOR", false},
    {"check in [\"a\", \"b\"]", false},
    {"check.startsWith(\"a\")", false},
    {"message.contains(\"a\")", false},
    {"message.endsWith(\"a\")", false},
    {"message == \"a\"", false},
    {"message.matches(\"a+b\")", false},
    {"labels.x.matches(\"^a\")", false},
    {"value > 90", false},
    {"90 >= value", false},
    {"value > 1 && value < 2", false},
    {"age > 5m", false},
    {"has(value)", false},
    {"has(labels.x)", false},
    {"labels.x != \"a\"", false}, /* the label has to be there */
    {"check == \"a\" || value > 90 || message.contains(\"a\")", false},
    {"check != \"a\" && host == \"b\"", false},
    {"true", true},
    {"severity >= MAJOR", true},
    {"check != \"a\"", true},
    {"!(check == \"a\")", true},
    {"check == \"a\" || severity >= MAJOR", true},
    {"check.contains(\"\")", true},
    {"value != 90", true},
    {"check == source", true},
    {"check.lowerAscii() == \"a\"", true},
};

static void rules_that_are_found_by_nothing_are_known(void **state)
{
    char text[500];

    (void)state;
    for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++) {
        struct rule_set *set = parse_good(rule_with_where(guards[i].where, text, sizeof(text)));
        if (rule_set_is_unguarded(set, 0) != guards[i].is_unguarded)
            fail_msg("%s: %s", guards[i].where,
                     guards[i].is_unguarded ? "is found by something" : "is found by nothing");
        rule_set_destroy(set);
    }
}

/* ---- intervals ---- */

static void count_owner(void *self, uint32_t owner)
{
    ((uint32_t *)self)[owner]++;
}

static int64_t number_near(uint32_t n)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX};

    return below(10) == 0 ? ends[below(4)] : (int64_t)below(n) - n / 2;
}

static void intervals_are_found_by_the_numbers_in_them(void **state)
{
    struct interval intervals[200];
    uint32_t found[200];

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct arena *arena = arena_create(1 << 20), *scratch = arena_create(1 << 20);
        uint32_t count = below(200);
        for (uint32_t i = 0; i < count; i++) {
            int64_t a = number_near(60), b = number_near(60);
            intervals[i] = (struct interval){a < b ? a : b, a < b ? b : a, i};
        }
        struct match_range *range = match_range_create(intervals, count, arena, scratch);
        assert_non_null(range);
        arena_destroy(scratch);
        for (int t = 0; t < 100; t++) {
            int64_t number = number_near(70);
            memset(found, 0, sizeof(found));
            match_range_find(range, number, count_owner, found);
            for (uint32_t i = 0; i < count; i++)
                assert_int_equal(found[i],
                                 intervals[i].low <= number && number <= intervals[i].high);
        }
        arena_destroy(arena);
    }
}

static void keys_of_real_numbers_keep_their_order(void **state)
{
    static const double ascending[] = {-1e300, -1.5, -1e-310, 0.0, 1e-310, 1.0, 1.5, 1e300};

    (void)state;
    for (int i = 1; i < 8; i++)
        assert_true(match_range_key(ascending[i - 1]) < match_range_key(ascending[i]));
    assert_true(match_range_key(-0.0) == match_range_key(0.0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_finds_what_evaluating_every_rule_finds),
        cmocka_unit_test(rules_that_are_found_by_nothing_are_known),
        cmocka_unit_test(intervals_are_found_by_the_numbers_in_them),
        cmocka_unit_test(keys_of_real_numbers_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
