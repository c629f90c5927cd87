/*
 * Aim: a pattern means here what it means to RE2, a pattern that cannot be carried over is refused
 * with its place, a set answers for all its columns and is built in time, and no pattern makes a
 * scan slow.
 * Method: a table of constructs with answers worked out by hand, asked of RE2 itself too where it
 * is installed (random ones: test_patterns_random.c); patterns known to ruin engines that backtrack
 * (tests/corpus/backtracking.tsv: pattern, head, repeated piece, tail, a text that is found;
 * backtracking_large.tsv: those of the same families that are too large for a table;
 * backtracking_costly.tsv: those that a set tells of, because they may take more than 5 ms), each
 * over 64 KiB, once without and once with the text that it needs at the end.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/host.h"
#include "rules/pattern_choice.h"
#include "rules/pattern_database.h"
#include "rules/pattern_soundness.h"
#include "tests/pattern_world.h"
#include "tests/sanitized.h"
#include "tests/re2_search.h"

/* A sanitizer takes tens of times as long. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { TEXT_BYTES = 64 << 10, SCAN_NS_MAX = 500000000 };
#else
enum { TEXT_BYTES = 64 << 10, SCAN_NS_MAX = 5000000 };
#endif

/* ---- constructs ---- */

static const struct {
    const char *pattern, *text;
    bool is_found;
} constructs[] = {
    /* anywhere, and anchored */
    {"link", "eth0: link down", true},
    {"link", "eth0: lin", false},
    {"^link", "eth0: link", false},
    {"^eth[0-9]", "eth7", true},
    {"down$", "link down", true},
    {"down$", "link down\n", false}, /* the very end, not the last line */
    {"down\\z", "down", true},
    {"\\Aeth", "eth0", true},
    {"(?m)^b$", "a\nb\nc", true},
    {"(?m)^b", "ab", false},
    {"(?m)^$", "a\n", true}, /* behind a line end that ends the text, too */
    {"(?m:^)\\z", " b\n", true},
    {"(?m)^b?$|c", "b\n\n", true},
    {"(?m)^(x|b*)\\z", "ab\n", true},
    {"(?m)^(x|b+)\\z", "ab\n", false},
    {"(?m)^b", "a\n", false},
    {"(?m)^\\pL", "1\nb", true},
    {"(?m)^\\pL", "1\n", false},
    {"^$", "", true},
    {"^$", "a", false},
    {"", "", true},
    {"", "a", true},
    {"a|", "b", true},
    {"(^|,)b(,|$)", "a,b", true},
    {"(^|,)b(,|$)", "a,bc", false},
    /* characters */
    {"^.$", "\xe6\x97\xa5", true}, /* one character of three bytes */
    {"^..$", "\xe6\x97\xa5", false},
    {"^[^a]$", "\xc3\xa9", true},
    {"a.c", "a\nc", false},
    {"(?s)a.c", "a\nc", true},
    {"a[^b]c", "a\nc", true},
    {"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
    {"[\xc3\xa0-\xc3\xbf]", "\xc3\x89", false},
    {"\\x{e9}", "\xc3\xa9", true},
    {"\\x41\\102", "AB", true},
    {"\\pL", "7\xc3\xa9", true},
    {"^\\PL+$", "7 8", true},
    {"\\p{Greek}", "\xce\xa9", true},
    {"\\p{^Greek}", "\xce\xa9", false},
    /* classes */
    {"^\\d+$", "123", true},
    {"\\d", "\xd9\xa3", false}, /* an Arabic digit is none: ASCII */
    {"\\s", "a\vb", false},     /* as in RE2; in PCRE it is one */
    {"[[:space:]]", "a\vb", true},
    {"^\\w+$", "a_9", true},
    {"\\W", "a_9", false},
    {"^[]a]+$", "]a", true},
    {"^[a-]+$", "a-", true},
    {"[^[:^digit:]]", "x5", true},
    {"^[\\d.]+$", "1.5", true},
    {"[[:foo]", ":", true}, /* no class, but characters */
    {"\\.", "ab", false},
    {"^\\Qa.b\\E+$", "a.bb", true},
    {"\\Qa.b", "axb", false},
    {"a\\-b\\_", "a-b_", true},
    /* letters of any case */
    {"(?i)ERROR", "an eRRor", true},
    {"ERR(?i)or", "ERROR", true},
    {"ERR(?i)or", "errOR", false},
    {"(?i:err)OR", "ERROR", true},
    {"(?i:err)OR", "ERRor", false},
    {"(?i)a(?-i)b", "AB", false},
    {"(?i)gr\xc3\xb6\xc3\x9f"
     "e",
     "GR\xc3\x96\xc3\x9f"
     "E",
     true},
    {"(?i)k", "\xe2\x84\xaa", true}, /* the sign of Kelvin */
    {"(?i)[^k]", "K", false},
    {"(?i)\\w", "\xe2\x84\xaa", true},
    {"(?i)\\W", "\xe2\x84\xaa", false},
    {"(?i)\\W", "k", false},
    {"(?i)[[:^lower:]]", "A", false},
    /* repetitions */
    {"^a{2}$", "aa", true},
    {"^a{2,3}$", "aaaa", false},
    {"^a{2,}$", "aaaa", true},
    {"^a{,2}$", "a{,2}", true}, /* stands for itself */
    {"^a{$", "a{", true},
    {"^(ab)*$", "abab", true},
    {"^(?P<part>ab)+?$", "abab", true},
    {"^a{0}b$", "b", true},
    {"^(?:a|b){3}$", "abb", true},
    {"(?U)a+", "a", true},
    {"x*", "", true},
    /* borders of words */
    {"\\bdown\\b", "link down.", true},
    {"\\bdown\\b", "downtime", false},
    {"\\Bown", "down", true},
    /* places in the middle, which vectorscan does not take */
    {"(?:a|^b)c", "bc", true},
    {"(?:a|^b)c", "abc", false},
    {"(?:a$|b)c?", "xa", true},
};

static void constructs_mean_what_they_mean_to_re2(void **state)
{
    struct pattern_world world;

    (void)state;
    for (size_t i = 0; i < sizeof(constructs) / sizeof(constructs[0]); i++) {
        struct text text = text_of(constructs[i].text);
        world_init(&world, "x");
        uint32_t kept = add(&world, "message", constructs[i].pattern);
        uint32_t computed = add(&world, "", constructs[i].pattern);
        uint32_t wanted = add(&world, "check", constructs[i].pattern);
        uint32_t company = add(&world, "check", "[0-9]+x"); /* in the database */
        pattern_table_want(world.table, wanted);
        pattern_table_want(world.table, company);
        build(&world);
        pattern_scan_start(&world.scan, world.set);
        if (test(&world, kept, text) != constructs[i].is_found ||
            test(&world, wanted, text) != constructs[i].is_found ||
            test(&world, computed, text) != constructs[i].is_found)
            fail_msg("%s in \"%s\" should be %s", constructs[i].pattern, constructs[i].text,
                     constructs[i].is_found ? "found" : "absent");
        assert_int_equal(
            re2_search(constructs[i].pattern, strlen(constructs[i].pattern), text.at, text.len),
            constructs[i].is_found);
        world_release(&world);
    }
}

/* ---- refused ---- */

static const struct {
    const char *pattern;
    uint32_t from, to;
    const char *why; /* begins with */
} refused[] = {
    {"(a)\\1", 3, 5, "\\1 refers back to a group"},
    {"a(?=b)", 1, 4, "looking ahead is not part of RE2"},
    {"a(?!b)", 1, 4, "looking ahead is not part of RE2"},
    {"(?<=a)b", 0, 4, "looking behind is not part of RE2"},
    {"(?<!a)b", 0, 4, "looking behind is not part of RE2"},
    {"(?>a+)", 0, 3, "an atomic group is not part of RE2"},
    {"(?P=n)", 0, 4, "a reference back is not part of RE2"},
    {"a(?#x)", 1, 4, "a comment is not part of RE2"},
    {"(?x)a", 0, 3, "RE2 knows the flags i, m, s and U, not x"},
    {"(?i", 0, 3, "the flags have no end"},
    {"a**", 1, 3, "a repetition of a repetition"},
    {"a{2}{3}", 1, 7, "a repetition of a repetition"},
    {"*a", 0, 1, "nothing stands before this repetition"},
    {"(|{2})", 2, 5, "nothing stands before this repetition"},
    {"a{1001}", 1, 7, "something is repeated more than 1000 times"},
    {"(a{100}){100}", 0, 13, "repetitions inside of each other come to more than 1000"},
    {"a{3,2}", 1, 6, "the repetition runs backwards"},
    {"(ab", 0, 1, "the group has no end"},
    {"ab)", 2, 3, "no group is open that ) could end"},
    {"[ab", 0, 3, "the class has no end"},
    {"[z-a]", 1, 4, "the range runs backwards"},
    {"[[:foo:]]", 1, 8, "there is no class of this name"},
    {"[a-\\d]", 3, 5, "RE2 knows no escape \\d"},
    {"a\\", 1, 2, "nothing follows the last \\"},
    {"a\\y", 1, 3, "RE2 knows no escape \\y"},
    {"a\\Z", 1, 3, "RE2 knows no escape \\Z"},
    {"\\C", 0, 2, "\\C, a single byte, is not carried over"},
    {"\\x4", 0, 3, "\\x takes two hexadecimal digits"},
    {"\\x{110000}", 0, 10, "there is no such character"},
    {"\\x{d800}", 0, 8, "there is no such character"},
    {"\\p{L", 0, 4, "\\p takes a letter, or a name in braces"},
    {"[^\\x00-\\x{10ffff}]", 0, 18, "a class that no character is in"},
    {"a\xff", 1, 2, "this is not UTF-8"},
    {".{501}", 0, 6,
     "the pattern is too large: written out it has more than 2000 places, and a . has four; write "
     ".* "
     "where the length does not matter"},
    {"(\\pL{300}|\\pL{200}|\\pL)a", 0, 22,
     "the pattern is too large: written out it has more than 2000 places"},
    {"a\\p{greek}", 1, 10, "there is no property of this name; RE2 has categories, L or Lu, "},
    {"[\\pA]", 1, 4, "there is no property of this name"},
};

static void what_cannot_be_carried_over_is_refused_with_its_place(void **state)
{
    struct pattern_fault fault;

    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (pattern_check(text_of(refused[i].pattern), &fault))
            fail_msg("%s is taken", refused[i].pattern);
        if (fault.from != refused[i].from || fault.to != refused[i].to ||
            strncmp(fault.why, refused[i].why, strlen(refused[i].why)) != 0)
            fail_msg("%s: %u-%u %s", refused[i].pattern, fault.from, fault.to, fault.why);
    }
}

static void bounds_are_told(void **state)
{
    struct pattern_fault fault;
    char pattern[PATTERN_BYTES_MAX + 2];

    (void)state;
    memset(pattern, '(', PATTERN_DEPTH_MAX + 1);
    pattern[PATTERN_DEPTH_MAX + 1] = '\0';
    assert_false(pattern_check(text_of(pattern), &fault));
    assert_string_equal(fault.why, "groups are nested deeper than 50");
    memset(pattern, 'a', sizeof(pattern) - 1);
    pattern[PATTERN_BYTES_MAX + 1] = '\0';
    assert_false(pattern_check(text_of(pattern), &fault));
    assert_string_equal(fault.why, "a pattern has at most 1000 bytes");
    assert_int_equal(fault.from, PATTERN_BYTES_MAX);
}

static void build_refuses(const char *pattern, const char *why)
{
    struct pattern_world world;
    uint32_t id;

    world_init(&world, "where: message.matches('it')");
    add(&world, "message", "[0-9]+");
    assert_true(pattern_table_add(world.table, text_of("message"), text_of(pattern),
                                  (struct span){&world.script, 23, 28}, &world.diag, &id));
    assert_false(pattern_set_build(world.table, world.arena, &world.diag, &world.set));
    assert_int_equal(diagnostics_finish(&world.diag), -22);
    if (strstr(world.err.text, why) == NULL)
        fail_msg("%s: %s", pattern, world.err.text);
    world_release(&world);
}

static void what_cannot_be_built_is_refused_at_the_pattern(void **state)
{
    (void)state;
    build_refuses("x?a$b", "rules.yaml:1:24: the pattern can never match\n");
    build_refuses(
        "(ab|cd|ef){300}",
        "rules.yaml:1:24: the pattern is too large: written out it takes more than 2600 ");
}

/* ---- many at once ---- */

static void what_takes_long_for_each_character_is_refused(void **state)
{
    static const char *const patterns[] = {"((a{1,3}b{1,3}){1,4}c){40}!", "(ab|cd|ef|gh){100}!",
                                           "((ab?c?|b?d){1,3}e?){60}!"};

    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
        build_refuses(patterns[i], "rules.yaml:1:24: the pattern may take ");
}

static void refuse_literal(void *literal, uint32_t id)
{
    if (id == *(uint32_t *)literal)
        fail_msg("a part of a literal is taken for all of it");
}

static void a_column_answers_for_all_its_patterns_and_no_other_does(void **state)
{
    struct pattern_world world;
    uint32_t id[300], literal, tail, same;
    char pattern[40];

    (void)state;
    world_init(&world, "x");
    for (int i = 0; i < 300; i++) { /* more than one word of bits */
        snprintf(pattern, sizeof(pattern), "disk-%d [a-z]+!", i);
        id[i] = add(&world, i % 2 ? "message" : "labels.rack", pattern);
        if (i % 4 < 2) /* in the database of the column, the others in one of their own */
            pattern_table_want(world.table, id[i]);
    }
    assert_true(pattern_table_add_literal(world.table, text_of("message"),
                                          text_of("a long text that ends on link"), false,
                                          &literal));
    assert_true(
        pattern_table_add_literal(world.table, text_of("message"), text_of("link"), true, &tail));
    same = add(&world, "message", "disk-1 [a-z]+!");
    assert_int_equal(same, id[1]);
    build(&world);

    pattern_scan_start(&world.scan, world.set);
    struct text message = text_of("disk-7 failed! disk-8 failed! disk-299 gone! on link");
    for (int i = 1; i < 300; i += 2)
        assert_int_equal(test(&world, id[i], message), i == 7 || i == 299);
    struct text rack = text_of("disk-8 failed!");
    for (int i = 0; i < 300; i += 2)
        assert_int_equal(test(&world, id[i], rack), i == 8);
    assert_false(test(&world, literal, message)); /* a part of it alone */
    assert_true(test(&world, tail, message));

    pattern_scan_start(&world.scan, world.set); /* the next event */
    assert_false(test(&world, id[7], text_of("nothing")));
    pattern_scan_start(&world.scan, world.set);
    for (int i = 0; i + 8 <= 29; i++) { /* whichever part is looked for: it is not all */
        char part[] = "a long text that ends on link";
        part[i + 8] = '\0';
        pattern_scan_start(&world.scan, world.set);
        pattern_scan_visit(&world.scan, pattern_set_column(world.set, literal), text_of(part + i),
                           refuse_literal, &literal);
    }
    pattern_scan_start(&world.scan, world.set);
    assert_true(test(&world, literal, text_of("here is a long text that ends on link.")));
    assert_false(test(&world, tail, text_of("here is a long text that ends on link.")));
    world_release(&world);
}

static void plain_patterns_are_known_as_such(void **state)
{
    static const struct {
        const char *pattern, *literal;
        enum pattern_shape shape;
        const char *prefix; /* of all that is matched */
    } rows[] = {
        {"link", "link", PATTERN_CONTAINS, ""},
        {"^disk\\.", "disk.", PATTERN_BEGINS, "disk."},
        {"\\Qa.b\\E$", "a.b", PATTERN_ENDS, ""},
        {"^a$", "a", PATTERN_EQUALS, "a"},
        {"^disk\\.(a|b)", NULL, PATTERN_SEARCHES, "disk."},
        {"^ab*", NULL, PATTERN_SEARCHES, "a"},
        {"^ab|c", NULL, PATTERN_SEARCHES, ""},
        {"^(ab|c)", NULL, PATTERN_SEARCHES, ""},
        {"ab+", NULL, PATTERN_SEARCHES, ""},
        {"^*ab", NULL, PATTERN_SEARCHES, ""},
        {"(?m)^ab", NULL, PATTERN_SEARCHES, ""},
        {"^ab(?i)c", NULL, PATTERN_SEARCHES, "ab"},
        {"a$b", NULL, PATTERN_SEARCHES, ""},
        {"", NULL, PATTERN_SEARCHES, ""},
    };
    struct pattern_world world;

    (void)state;
    world_init(&world, "x");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text literal, prefix;
        uint32_t id = add(&world, "message", rows[i].pattern);
        assert_int_equal(pattern_table_shape(world.table, id, &literal), rows[i].shape);
        if (rows[i].literal != NULL) {
            assert_int_equal(literal.len, strlen(rows[i].literal));
            assert_memory_equal(literal.at, rows[i].literal, literal.len);
        }
        prefix = pattern_table_prefix(world.table, id);
        if (prefix.len != strlen(rows[i].prefix) ||
            memcmp(prefix.at, rows[i].prefix, prefix.len) != 0)
            fail_msg("%s: prefix %.*s", rows[i].pattern, (int)prefix.len, prefix.at);
    }
    world_release(&world);
}

static void a_pattern_is_told_from_the_others_by_its_rarest_text(void **state)
{
    static const struct {
        const char *pattern, *part; /* NULL: it holds none */
    } rows[] = {
        {"up-17 answered code=5[0-9]+ after", "up-17 answered code=5"},
        {"up-18 answered code=5[0-9]+ after", "up-18 answered code=5"},
        {"pool [0-9]+ is full", " is full"},
        {"is full (of|with) errors", "is full "},
        {"abcx*def", "def"}, /* all three rows that follow hold "abc" */
        {"abc?", NULL},      /* "ab" is too short to say much */
        {"abcc+", "abcc"},
        {"abc{2}", "abc"},
        {"(abc)+", NULL}, /* what stands in a group is not looked at */
        {"abc|xyz", NULL},
        {"(?i)abc", NULL},
        {"a.b[c]d", NULL},
        {"\\Qx.y\\E[0-9]", "x.y"},
    };
    struct pattern_world world;
    uint32_t id[sizeof(rows) / sizeof(rows[0])];

    (void)state;
    world_init(&world, "x");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        id[i] = add(&world, "message", rows[i].pattern);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct text part = {"", 0};
        bool has_part = pattern_table_part(world.table, id[i], &part);
        if (has_part != (rows[i].part != NULL) ||
            (has_part &&
             (part.len != strlen(rows[i].part) || memcmp(part.at, rows[i].part, part.len) != 0)))
            fail_msg("%s: \"%.*s\"", rows[i].pattern, (int)part.len, part.at);
    }
    world_release(&world);
}

static void sets_that_hold_the_same_share_and_outlive_each_other(void **state)
{
    struct pattern_world first, second;

    (void)state;
    world_init(&first, "x");
    uint32_t a = add(&first, "message", "a+b"), b = add(&first, "message", "c+d");
    build(&first);
    world_init(&second, "x");
    uint32_t other = add(&second, "message", "c+d"); /* in another order */
    add(&second, "message", "a+b");
    build(&second);
    world_release(&first);
    (void)a;
    (void)b;
    pattern_scan_start(&second.scan, second.set);
    assert_true(test(&second, other, text_of("ccd")));
    world_release(&second);
}

static void too_many_patterns_are_refused(void **state)
{
    struct span span;
    struct pattern_world world;
    char pattern[80];
    uint32_t id;

    (void)state;
    world_init(&world, "where: x");
    span = (struct span){&world.script, 7, 8};
    for (uint32_t i = 0; i < PATTERNS_MAX; i++) {
        snprintf(pattern, sizeof(pattern), "%05u", i);
        add(&world, "message", pattern);
    }
    add(&world, "message", "00001"); /* is there */
    assert_false(
        pattern_table_add(world.table, text_of("message"), text_of("x"), span, &world.diag, &id));
    assert_non_null(
        strstr(world.err.text, "rules.yaml:1:8: a set holds at most 16384 different patterns"));
    /* Each of them may yet have a text that its rule is found by. */
    for (uint32_t i = 0; i < PATTERNS_MAX; i++) {
        snprintf(pattern, sizeof(pattern), "t%05u", i);
        assert_true(pattern_table_add_literal(world.table, text_of("message"), text_of(pattern),
                                              false, &id));
    }
    assert_int_equal(id, 2 * PATTERNS_MAX - 1);
    assert_false(
        pattern_table_add_literal(world.table, text_of("message"), text_of("u"), false, &id));
    world_release(&world);
}

/* Those of which all ways are followed are made as long as that takes PATTERN_POSITIONS_COST_MAX
 * together, by an estimate that knows nothing of the machine. */
static void what_takes_long_to_build_is_bounded(void **state)
{
    static const struct {
        uint32_t count;
        bool is_taken;
    } rows[] = {{100, true}, {3001, false}}; /* the number that is taken is between the two */

    (void)state;
    for (int row = 0; row < 2; row++) {
        struct pattern_world world;
        char pattern[80];
        world_init(&world, "where: x");
        for (uint32_t i = 0; i < rows[row].count; i++) {
            snprintf(pattern, sizeof(pattern), "x%u[a-z]{0,990}y", i);
            add(&world, "message", pattern);
        }
        assert_int_equal(pattern_set_build(world.table, world.arena, &world.diag, &world.set),
                         rows[row].is_taken);
        if (!rows[row].is_taken)
            assert_non_null(strstr(world.err.text, "rules.yaml:1:1: the regular expressions up to "
                                                   "here take too long to build"));
        world_release(&world);
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* RE2 folds a class and negates it then: the sign of Kelvin is a k, and so no \W under (?i). */
static void negated_classes_under_i_are_those_of_re2(void **state)
{
    static const char *const patterns[] = {"(?i)^\\W$", "(?i:^[^k]$)", "(?i)^[^\\w]$"};
    struct pattern_world world;

    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        uint32_t ids[2];
        world_init(&world, patterns[i]);
        ids[0] = add(&world, "message", patterns[i]);
        ids[1] = add(&world, "check", patterns[i]);
        pattern_table_want(world.table, ids[1]);
        assert_true(pattern_set_build(world.table, world.arena, &world.diag, &world.set));
        for (int wanted = 0; wanted < 2; wanted++) {
            pattern_scan_start(&world.scan, world.set);
            assert_false(test(&world, ids[wanted], text_of("\xe2\x84\xaa"))); /* Kelvin */
            pattern_scan_start(&world.scan, world.set);
            assert_true(test(&world, ids[wanted], text_of("!")));
        }
        world_release(&world);
    }
}

/* Their tables would be too large, and vectorscan takes up to 0.3 s for each. */
static void patterns_of_long_gaps_fill_no_set(void **state)
{
    static const struct {
        const char *pattern, *found, *missed; /* %u: which of them */
    } rows[] = {
        {"user%u .{1,100}failed", "a user%u is failed", "a user%u failed"},
        {"(?i)error%u.{0,50}timeout", "ERROR%uTIMEout", "timeout of error%u"},
        {"(?i)abcdef%u.{1,30}ghijkl[a-z]{1,20}mnopqr", "xABCDEF%u ghijklMmnopqr",
         "xABCDEF%u ghijklmnopqr"},
        {"\\berror%u\\b.{0,80}\\bfailed\\b", "an error%u: failed", "an error%u has_failed"},
        {"(?m)^at%u.{20,60}end$", "x\nat%u 234567890123456789 end\n", "x\nat%u end\n"},
        {"^disk%u .{30}b",
         "disk%u 12345678901234567890123456789\xc3\xa9"
         "b",
         "disk%u 123456789012345678901234567890cb"},
        {"a.{100}b%u$",
         "aaaa123456789_123456789_123456789_123456789_123456789_123456789_123456789_123456789_"
         "123456789_123456789_b%u",
         "a123456789_b%u"},
    };
    enum { EACH = 200, KINDS = sizeof(rows) / sizeof(rows[0]) };
    uint32_t ids[KINDS][EACH];
    struct pattern_world world;
    char text[200];

    (void)state;
    world_init(&world, "x");
    for (uint32_t k = 0; k < KINDS; k++)
        for (uint32_t i = 0; i < EACH; i++) {
            snprintf(text, sizeof(text), rows[k].pattern, i);
            ids[k][i] = add(&world, "message", text);
            if (i % 2)
                pattern_table_want(world.table, ids[k][i]);
        }
    uint64_t start = cpu_ns();
    build(&world);
    /* A twentieth of it, but for sanitizers. */
    assert_true(cpu_ns() - start < ROUNDS(4000000000u, 60000000000u));
    for (uint32_t k = 0; k < KINDS; k++)
        for (uint32_t i = 0; i < EACH; i += 33) {
            pattern_scan_start(&world.scan, world.set);
            snprintf(text, sizeof(text), rows[k].found, i);
            assert_true(test(&world, ids[k][i], text_of(text)));
            pattern_scan_start(&world.scan, world.set);
            snprintf(text, sizeof(text), rows[k].missed, i);
            assert_false(test(&world, ids[k][i], text_of(text)));
        }
    world_release(&world);
}

struct visits {
    uint32_t count, last;
};

static void count_visit(void *self, uint32_t id)
{
    struct visits *visits = self;

    visits->count++;
    visits->last = id;
}

/* One of them costs 500 + 100 * 6 microseconds or more: 227 at most are in the database. */
static void a_column_answers_for_more_than_its_database_can_hold(void **state)
{
    enum { COUNT = 300 };
    struct pattern_world world;
    uint32_t id[COUNT];
    char pattern[40], text[40];

    (void)state;
    world_init(&world, "x");
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(pattern, sizeof(pattern), "[xy]+%04u[a-z]", i);
        id[i] = add(&world, "message", pattern);
        pattern_table_want(world.table, id[i]);
    }
    build(&world);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct visits visits = {0, 0};
        snprintf(text, sizeof(text), "a %04ub xx%04uc", (i + 1) % COUNT, i);
        pattern_scan_start(&world.scan, world.set);
        for (int again = 0; again < 2; again++) { /* scanned, then remembered */
            visits.count = 0;
            pattern_scan_visit(&world.scan, pattern_set_column(world.set, id[i]), text_of(text),
                               count_visit, &visits);
            assert_int_equal(visits.count, 1);
            assert_int_equal(visits.last, id[i]);
        }
        assert_true(test(&world, id[i], text_of(text)));
        assert_false(test(&world, id[(i + 1) % COUNT], text_of(text)));
    }
    world_release(&world);
}

/* The answers of a column are kept for an event, but for those of the columns beyond the 128th,
 * which are scanned each time. */
static void each_of_many_columns_has_answers_of_its_own(void **state)
{
    enum { COUNT = PATTERN_COLUMNS_MAX + 2 };
    struct pattern_world world;
    uint32_t id[COUNT];
    char column[20];

    (void)state;
    world_init(&world, "x");
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(column, sizeof(column), "labels.%03u", i);
        id[i] = add(&world, column, "^[xy]+z");
        pattern_table_want(world.table, id[i]);
        pattern_table_want(world.table, add(&world, column, "^[xy]+w"));
    }
    build(&world);
    for (uint32_t odd = 0; odd < 2; odd++) {
        uint32_t kept = 0;
        pattern_scan_start(&world.scan, world.set);
        for (uint32_t i = COUNT; i-- > 0;)
            assert_int_equal(test(&world, id[i], text_of(i % 2 == odd ? "xyz" : "zyx")),
                             i % 2 == odd);
        for (uint32_t i = 0; i < COUNT; i++) {
            bool is_found = test(&world, id[i], text_of(i % 2 == odd ? "zyx" : "xyz"));
            if (i < PATTERN_COLUMNS_MAX)
                assert_int_equal(is_found, i % 2 == odd);
            kept += is_found == (i % 2 == odd);
        }
        assert_int_equal(kept, PATTERN_COLUMNS_MAX);
        for (uint32_t i = 0; i < COUNT; i++) {
            struct visits visits = {0, 0};
            pattern_scan_visit(&world.scan, pattern_set_column(world.set, id[i]),
                               text_of(i % 2 == odd ? "xyz" : "zyx"), count_visit, &visits);
            assert_int_equal(visits.count, i % 2 == odd);
        }
    }
    world_release(&world);
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 2000 };

static struct pattern_world shared;
static uint32_t shared_id[2];

static void *scan_many(void *wrong)
{
    struct pattern_scan scan;

    for (int i = 0; i < TURNS; i++) {
        char text[40];
        snprintf(text, sizeof(text), "disk %d is %s", i, i % 3 ? "up" : "down");
        pattern_scan_start(&scan, shared.set);
        if (pattern_scan_test(&scan, shared_id[0], text_of(text)) != (i % 3 == 0) ||
            pattern_scan_test(&scan, shared_id[1], text_of(text)) != (i % 10 == 7))
            ++*(int *)wrong;
    }
    return NULL;
}

static void threads_scan_side_by_side(void **state)
{
    pthread_t thread[THREADS];
    int wrong[THREADS] = {0};

    (void)state;
    world_init(&shared, "x");
    shared_id[0] = add(&shared, "message", "is [cd]own");
    shared_id[1] = add(&shared, "message", "[0-9]*7 is");
    build(&shared);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, scan_many, &wrong[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
    world_release(&shared);
}

/* ---- time ---- */

/* Puts `part` at `to`, "\n" as the character that it means. Returns the bytes. */
static size_t put_part(char *to, const char *part)
{
    size_t used = 0;

    for (const char *at = part; *at != '\0'; at++) {
        bool is_newline = at[0] == '\\' && at[1] == 'n';
        to[used++] = is_newline ? '\n' : *at;
        at += is_newline;
    }
    return used;
}

/* 64 KiB: head, the piece as often as it fits, tail, and what is needed. */
static struct text hostile_text(char *text, char *const part[], const char *needed)
{
    size_t used = strlen(part[1]), piece_bytes = strlen(part[2]);
    size_t end_bytes = strlen(part[3]) + strlen(needed);

    memcpy(text, part[1], used);
    for (; used + piece_bytes + end_bytes <= TEXT_BYTES; used += piece_bytes)
        memcpy(text + used, part[2], piece_bytes);
    used += put_part(text + used, part[3]);
    used += put_part(text + used, needed);
    return (struct text){text, (uint32_t)used};
}

/* The best of some: what is held is the work, not what else the machine does. */
static uint64_t scan_ns(struct pattern_world *world, uint32_t id, struct text text, uint64_t wanted)
{
    enum { TRIES = 3, TRIES_MAX = 20 };
    uint64_t best = UINT64_MAX;

    for (int i = 0; i < TRIES || (i < TRIES_MAX && best >= wanted); i++) {
        pattern_scan_start(&world->scan, world->set);
        uint64_t start = cpu_ns();
        test(world, id, text);
        uint64_t ns = cpu_ns() - start;
        best = ns < best ? ns : best;
    }
    return best;
}

/* One line of a corpus: its pattern is found where it should be, and takes no time over 64 KiB. A
 * text that lacks what a pattern needs is told at once; one that has it at its end is followed up
 * to there. The clock is that of the thread. */
static void line_is_fast(char *line, uint64_t worst[2])
{
    static char text[TEXT_BYTES + 16];
    char *part[5] = {line}, needed[600];
    struct pattern_world world;

    for (int i = 1; i < 5; i++) {
        part[i] = strchr(part[i - 1], '\t');
        assert_non_null(part[i]);
        *part[i]++ = '\0';
    }
    uint64_t start = cpu_ns(), build_ns;
    world_init(&world, "x");
    uint32_t id = add(&world, "message", part[0]);
    build(&world);
    build_ns = cpu_ns() - start;
    if (build_ns >= 1000000000u)
        fail_msg("%s: built in %.1f ms", part[0], (double)build_ns / 1e6);
    assert_true(strlen(part[4]) < sizeof(needed));
    pattern_scan_start(&world.scan, world.set);
    if (!test(&world, id, (struct text){needed, (uint32_t)put_part(needed, part[4])}))
        fail_msg("%s is not found in \"%s\"", part[0], part[4]);
    for (int i = 0; i < 2; i++) {
        struct text hostile = hostile_text(text, part, i == 0 ? "" : part[4]);
        uint64_t ns = scan_ns(&world, id, hostile, SCAN_NS_MAX);
        if (ns >= SCAN_NS_MAX)
            fail_msg("%s: %.1f ms, %s", part[0], (double)ns / 1e6,
                     i == 0 ? "without what it needs" : "with what it needs at the end");
        worst[i] = ns > worst[i] ? ns : worst[i];
    }
    world_release(&world);
}

static void corpus_is_fast(const char *path, size_t count_min)
{
    char *file, *line, *rest;
    size_t bytes, count = 0;
    uint64_t worst[2] = {0, 0}; /* without, with what it needs */

    assert_int_equal(host_read_file(path, 1 << 20, &file, &bytes), 0);
    for (line = strtok_r(file, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        line_is_fast(line, worst);
        count++;
    }
    print_message("%zu patterns, the slowest scan took %.3f ms, with what it needs %.3f ms\n",
                  count, (double)worst[0] / 1e6, (double)worst[1] / 1e6);
    assert_true(count >= count_min);
    free(file);
}

static void no_pattern_takes_long_over_64_kib(void **state)
{
    (void)state;
    corpus_is_fast(TESTS_DIR "/corpus/backtracking.tsv", 200);
    corpus_is_fast(TESTS_DIR "/corpus/backtracking_large.tsv", 10);
    corpus_is_fast(TESTS_DIR "/corpus/backtracking_costly.tsv", 20);
}

/* Each word alone in a set and beside others, behind any number of other characters: the library
 * has ways of its own for a single byte and for texts longer than its registers. */
static void the_length_of_a_text_never_shows(void **state)
{
    (void)state;
    static const char *const patterns[] = {"k", "(?i)k", "k|zz", "\\bk", "%", "[kx][yz]", "kz"};
    static const char *const words[] = {"k", "K", "k", "k", "%", "kz", "kz"};

    for (size_t p = 0; p < sizeof(patterns) / sizeof(patterns[0]); p++) {
        for (size_t others = 0; others < 4; others++) {
            static const char *const beside[] = {"error", "failed", "timeout"};
            struct pattern_world world;
            char text[400];
            world_init(&world, "x");
            uint32_t id = add(&world, "message", patterns[p]);
            pattern_table_want(world.table, id); /* in the database */
            for (size_t i = 0; i < others; i++)
                pattern_table_want(world.table, add(&world, "message", beside[i]));
            build(&world);
            for (size_t before = 0; before < 300; before++) {
                bool is_there = strcmp(patterns[p], "\\bk") != 0 || before == 0;
                memset(text, 'b', before);
                strcpy(text + before, words[p]);
                pattern_scan_start(&world.scan, world.set);
                if (test(&world, id, text_of(text)) != is_there)
                    fail_msg("%s behind %zu characters, beside %zu", patterns[p], before, others);
            }
            world_release(&world);
        }
    }
}

static void the_library_of_this_machine_is_sound(void **state)
{
    (void)state;
    const char *why;

    assert_int_equal(pattern_library_soundness(), PATTERN_SOUND);
    assert_false(pattern_database_fault(&why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constructs_mean_what_they_mean_to_re2),
        cmocka_unit_test(what_cannot_be_carried_over_is_refused_with_its_place),
        cmocka_unit_test(bounds_are_told),
        cmocka_unit_test(what_cannot_be_built_is_refused_at_the_pattern),
        cmocka_unit_test(what_takes_long_for_each_character_is_refused),
        cmocka_unit_test(a_column_answers_for_all_its_patterns_and_no_other_does),
        cmocka_unit_test(plain_patterns_are_known_as_such),
        cmocka_unit_test(a_pattern_is_told_from_the_others_by_its_rarest_text),
        cmocka_unit_test(sets_that_hold_the_same_share_and_outlive_each_other),
        cmocka_unit_test(too_many_patterns_are_refused),
        cmocka_unit_test(what_takes_long_to_build_is_bounded),
        cmocka_unit_test(negated_classes_under_i_are_those_of_re2),
        cmocka_unit_test(patterns_of_long_gaps_fill_no_set),
        cmocka_unit_test(a_column_answers_for_more_than_its_database_can_hold),
        cmocka_unit_test(each_of_many_columns_has_answers_of_its_own),
        cmocka_unit_test(threads_scan_side_by_side),
        cmocka_unit_test(the_length_of_a_text_never_shows),
        cmocka_unit_test(the_library_of_this_machine_is_sound),
        cmocka_unit_test(no_pattern_takes_long_over_64_kib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
