/*
 * Aim: a pattern means here what it means to RE2, whoever answers for it: its table, its positions
 * or a database. Method: random patterns over random texts (seed printed; PATTERNS_SEED repeats a
 * run) asked of RE2 itself; for positions with repetitions of whole patterns, so that they fill
 * several words.
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/host.h"
#include "rules/capture_program.h"
#include "rules/positions.h"
#include "tests/pattern_world.h"
#include "tests/random_seed.h"
#include "tests/sanitized.h"
#include "tests/re2_search.h"

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

static const char *const pieces[] = {"a",
                                     "b",
                                     "k",
                                     "S",
                                     "\xc3\xa9",
                                     "\xc3\x9f",
                                     "\xce\xa9",
                                     "\xcf\x89",
                                     "\xe6\x97\xa5",
                                     "1",
                                     "_",
                                     " ",
                                     "\\n",
                                     "\n",
                                     ".",
                                     "\\d",
                                     "\\w",
                                     "\\s",
                                     "\\D",
                                     "\\W",
                                     "\\S",
                                     "[ab]",
                                     "[^a]",
                                     "[^k]",
                                     "[a-z]",
                                     "[\xc3\xa9-\xc3\xbc]",
                                     "[[:alpha:]]",
                                     "[[:^digit:]]",
                                     "^",
                                     "$",
                                     "\\A",
                                     "\\z",
                                     "\\b",
                                     "(?i)",
                                     "(?m)",
                                     "(?s)",
                                     "(?-i)",
                                     "(?i:k)",
                                     "(?m:^)",
                                     "(?m:$)",
                                     "()",
                                     "\\Qa.\\E",
                                     "\\x41",
                                     "\\x{e9}",
                                     "\\v",
                                     "\\t",
                                     "\v",
                                     "\xc5\xbf",
                                     "\xe2\x84\xaa",
                                     "[\\d\\s]",
                                     "[^\\W]",
                                     "[\\D]",
                                     "{",
                                     "}",
                                     "a{",
                                     "]",
                                     "-",
                                     "\\-",
                                     "[a-]",
                                     "[]a]",
                                     "[^]a]",
                                     "\\061",
                                     "\\.",
                                     "i",
                                     "I",
                                     "[[:word:]]",
                                     "[[:space:]]",
                                     "[[:punct:]]",
                                     "\xcf\x83",
                                     "\xcf\x82",
                                     "\xce\xa3",
                                     "\\p{Greek}",
                                     "\\P{Greek}",
                                     "\\pL",
                                     "\\p{^Lu}",
                                     "[^\\p{Ll}]",
                                     "[\\pN\\P{Latin}_]",
                                     "[^\\P{Lu}k]",
                                     "\\B"};

static const char *const words[] = {"a",        "b",        "A",
                                    "k",        "K",        "\xe2\x84\xaa",
                                    "s",        "S",        "\xc5\xbf",
                                    "\xc3\xa9", "\xc3\x89", "\xc3\x9f",
                                    "\xce\xa9", "\xcf\x89", "\xe6\x97\xa5",
                                    " ",        "\n",       "\v",
                                    "\t",       "1",        "_",
                                    "-",        ".",        "{",
                                    "}",        "]",        "i",
                                    "I",        "ab",       "\xc3\xbc",
                                    "\xcf\x83", "\xcf\x82", "\xce\xa3"};

static void pattern_make(char *pattern, int depth)
{
    static const char *const times[] = {"*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{0}"};
    uint32_t count = below(4) + (depth == 0);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t what = below(20);
        const char *piece = pieces[below(sizeof(pieces) / sizeof(pieces[0]))];
        if (what == 3) {
            strcat(pattern, "|");
            continue;
        }
        if (what < 3 && depth < 3) {
            strcat(pattern, what == 0 ? "(" : what == 1 ? "(?:" : "(?i:");
            pattern_make(pattern, depth + 1);
            strcat(pattern, ")");
        } else {
            strcat(pattern, piece);
            /* RE2 takes a repetition behind flags as one of what stands before them. */
            if (strncmp(piece, "(?", 2) == 0 && piece[strlen(piece) - 2] != '^')
                continue;
        }
        what = below(12);
        if (what < 8)
            strcat(pattern, times[what]);
    }
}

/* In front of a quarter of the texts 65 to 500 letters, all the same: the library takes texts
 * longer than its registers by ways of their own. Returns where the text goes on. */
enum { FILLER_MAX = 500 };

static char *filler_make(char *text)
{
    static const char letters[] = "abk1 ";
    uint32_t bytes = below(4) == 0 ? 65 + below(FILLER_MAX - 64) : 0;

    memset(text, letters[below(sizeof(letters) - 1)], bytes);
    text[bytes] = '\0';
    return text + bytes;
}

static void text_make(char *text)
{
    uint32_t count = below(6);

    text = filler_make(text);
    for (uint32_t i = 0; i < count; i++)
        strcat(text, words[below(sizeof(words) / sizeof(words[0]))]);
}

static void random_patterns_mean_what_they_mean_to_re2(void **state)
{
    (void)state;
    uint32_t agreed = 0, unbuilt = 0;
    struct pattern_world world;

    random_state = random_seed("PATTERNS_SEED");
    for (int i = 0; i < ROUNDS(1500, 150); i++) {
        char pattern[2000] = "", text[FILLER_MAX + 100] = "";
        struct pattern_fault fault;
        uint32_t id, wanted;
        pattern_make(pattern, 0);
        bool is_good = pattern_check(text_of(pattern), &fault);
        if (is_good != (re2_search(pattern, strlen(pattern), "", 0) >= 0) &&
            strncmp(fault.why, "the pattern is too large", 24) != 0)
            fail_msg("%s: %s", pattern, is_good ? "RE2 refuses it" : fault.why);
        if (!is_good)
            continue;
        world_init(&world, pattern);
        id = add(&world, "message", pattern);   /* has a table, if it can have one */
        wanted = add(&world, "check", pattern); /* in a database */
        pattern_table_want(world.table, wanted);
        if (!pattern_set_build(world.table, world.arena, &world.diag, &world.set)) {
            unbuilt++; /* what can never match, mostly */
            world_release(&world);
            continue;
        }
        for (int t = 0; t < 40; t++) {
            pattern_scan_start(&world.scan, world.set);
            bool is_found = test(&world, id, text_of(text));
            if (is_found != (re2_search(pattern, strlen(pattern), text, strlen(text)) == 1))
                fail_msg("%s in \"%s\": %d", pattern, text, is_found);
            if (test(&world, wanted, text_of(text)) != is_found)
                fail_msg("%s in \"%s\": another answer of its database", pattern, text);
            agreed++;
            text_make(text);
        }
        world_release(&world);
    }
    print_message("%u answers agree, %u patterns were not built\n", agreed, unbuilt);
    assert_true(agreed > ROUNDS(20000, 2000));
}

/* One pattern many times, with something before and behind. */
static void large_pattern_make(char *pattern)
{
    static const char *const heads[] = {
        "", "", "a.{0,70}", "\\b", "^", "[a-z]{3,80}", "(?:a|b){0,65}"};
    static const char *const tails[] = {"", "b", "\\b", "$", "\\d{2,70}", "_", "(?:ab|\\s){1,40}k"};
    char inner[2000] = "", counts[20];

    while (inner[0] == '\0' || strlen(inner) > 60) {
        inner[0] = '\0';
        pattern_make(inner, 1);
    }
    strcpy(pattern, heads[below(sizeof(heads) / sizeof(heads[0]))]);
    snprintf(counts, sizeof(counts), "){%u,%u}", below(20), 20 + below(40));
    strcat(strcat(strcat(pattern, "(?:"), inner), counts);
    strcat(pattern, tails[below(sizeof(tails) / sizeof(tails[0]))]);
}

/* Words of a small choice, so that repetitions find something. */
static void long_text_make(char *text)
{
    static const uint32_t choice_max = sizeof(words) / sizeof(words[0]);
    const char *choice[4];
    uint32_t count = below(200);

    for (int i = 0; i < 4; i++)
        choice[i] = words[below(choice_max)];
    text = filler_make(text);
    for (uint32_t i = 0; i < count; i++)
        strcat(text, below(30) == 0 ? words[below(choice_max)] : choice[below(4)]);
}

/* Its positions; NULL where others have to answer. */
static struct positions *positions_of(const char *pattern, struct arena *arena)
{
    struct pattern_fault fault;
    uint32_t work;
    const struct capture *program;

    if (!pattern_check(text_of(pattern), &fault))
        return NULL;
    program = capture_program_create(text_of(pattern), arena, &fault);
    return program != NULL ? positions_create(program, arena, arena, &work) : NULL;
}

static void positions_mean_what_they_mean_to_re2(void **state)
{
    uint32_t agreed = 0, found = 0;

    (void)state;
    random_state = random_seed("PATTERNS_SEED");
    for (int i = 0; i < ROUNDS(1500, 150); i++) {
        char pattern[3000], text[FILLER_MAX + 1000] = "";
        struct arena *arena = arena_create(PATTERN_WORLD_BYTES);
        large_pattern_make(pattern);
        const struct positions *positions = positions_of(pattern, arena);
        for (int t = 0; positions != NULL && t < 20; t++) {
            int expected = re2_search(pattern, strlen(pattern), text, strlen(text));
            if (expected >= 0 && positions_search(positions, text_of(text)) != (expected == 1))
                fail_msg("%s in \"%s\": RE2 says %d", pattern, text, expected);
            agreed += expected >= 0;
            found += expected == 1;
            long_text_make(text);
        }
        arena_destroy(arena);
    }
    print_message("%u answers agree, %u of them found\n", agreed, found);
    assert_true(found > ROUNDS(2000, 200) && agreed - found > ROUNDS(2000, 200));
}

/* Loops lead back by two positions, from each of the first three words into the one before. */
static void loops_lead_back_over_the_bounds_of_words(void **state)
{
    (void)state;
    for (uint32_t lead = 0; lead < 64; lead++) {
        struct arena *arena = arena_create(PATTERN_WORLD_BYTES);
        char pattern[100], text[1000] = "", *at = text;
        snprintf(pattern, sizeof(pattern), "^q{%u}(?:(?:abc)*d){40}!", lead);
        const struct positions *positions = positions_of(pattern, arena);
        assert_non_null(positions);
        memset(text, 'q', lead);
        at += lead;
        for (int i = 0; i < 40; i++)
            at = stpcpy(at, "abcabcd");
        strcpy(at, "!");
        assert_true(positions_search(positions, text_of(text)));
        text[lead + 7 * (lead % 40) + 3] = 'b'; /* abcbbcd */
        assert_false(positions_search(positions, text_of(text)));
        arena_destroy(arena);
    }
}

/* The same in more words, and with the counts that are all that matters. */
static void repetitions_of_repetitions_mean_their_product(void **state)
{
    static const struct {
        const char *pattern, *plain;
    } rows[] = {
        {"^((\\w|\\d){2,9}){30}$", "^\\w{60,270}$"},
        {"^(?:x|xx|xxx){40}$", "^x{40,120}$"},
        {"^(x{3}|x{4}|(?:xx){3}|x{5}){20}$", "^x{60,120}$"},
        {"^(?:(x|y)?[yz]{0}(x|y){0,2}?){30}$", "^[xy]{0,90}$"},
        {"^(?:(?:a|b|[cx])+|[abcx]?){20,}$", "^[abcx]*$"},
        {"^(?:x{2}){10,20}$", "^(?:xx){10}(?:xx){0,10}$"}, /* not all between */
        {"^(?:x{3,4}){2,9}$", "^(?:x{6,8}|x{9,36})$"},
        {"^(?:xx|xxxx){3}$", "^(?:x{6}|x{8}|x{10}|x{12})$"},
        {"^(?:x|xy){30}$", "^(?:xy?){30}$"},
        {"^(?:.|\\n|\xc3\xa9){20}x$", "^(?s:.{20})x$"},
        {"^(?:[^x]|[^\xc3\xa9]){25}$", "^(?s:.{25})$"},
        {"^(?i:(k|x){2}){20}$", "^[kKxX\xe2\x84\xaa]{40}$"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (uint32_t length = 0; length < 300; length++) {
            struct arena *arena = arena_create(PATTERN_WORLD_BYTES);
            const struct positions *positions = positions_of(rows[i].pattern, arena);
            const struct positions *plain = positions_of(rows[i].plain, arena);
            char text[310] = "";
            assert_true(positions != NULL && plain != NULL);
            memset(text, 'x', length);
            if (length > 0 && length % 3 == 0)
                text[length / 2] = length % 2 == 0 ? 'y' : 'q';
            if (positions_search(positions, text_of(text)) !=
                positions_search(plain, text_of(text)))
                fail_msg("%s in %u characters", rows[i].pattern, length);
            if (re2_search(rows[i].plain, strlen(rows[i].plain), text, length) >= 0)
                assert_int_equal(positions_search(plain, text_of(text)),
                                 re2_search(rows[i].plain, strlen(rows[i].plain), text, length));
            arena_destroy(arena);
        }
}

/* 62 letters and digits and as many characters of three bytes. */
static void many_different_characters_are_told_apart(void **state)
{
    char pattern[1000] = "^.{0,40}", text[1000] = "", *at = text;
    struct arena *arena = arena_create(PATTERN_WORLD_BYTES);

    (void)state;
    for (int i = 0; i < 62; i++) {
        char c = (char)(i < 10 ? '0' + i : i < 36 ? 'a' + i - 10 : 'A' + i - 36);
        at += sprintf(at, "%c\xe6\x97%c", c, 0x80 + i);
    }
    strcat(strcat(pattern, text), "$");
    const struct positions *positions = positions_of(pattern, arena);
    assert_non_null(positions);
    assert_true(positions_search(positions, text_of(text)));
    for (size_t i = 0; i < strlen(text); i += 4) {
        text[i] ^= 1; /* another one of them */
        assert_false(positions_search(positions, text_of(text)));
        text[i] ^= 1;
        text[i + 3] ^= 1;
        assert_false(positions_search(positions, text_of(text)));
        text[i + 3] ^= 1;
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_patterns_mean_what_they_mean_to_re2),
        cmocka_unit_test(positions_mean_what_they_mean_to_re2),
        cmocka_unit_test(loops_lead_back_over_the_bounds_of_words),
        cmocka_unit_test(repetitions_of_repetitions_mean_their_product),
        cmocka_unit_test(many_different_characters_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
