/*
 * Aim: what another list of keys takes from a rule that carries on, and adds to it, is counted and
 * named right, also of a list that came as JSON, and only where both are known. Method: two sets,
 * the former as it is, or read back from what a daemon would answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "daemon/list_effects.h"
#include "daemon/rules_preview.h"
#include "tests/rules_parsed.h"

#define LISTS(keys)                                                                                \
    "rules:\n  - {id: beats, where: check == \"b\", by: [host, labels.rack], "                     \
    "expect: {every: 5m, keys: [" keys "]}, incident: {title: t}, close: cleared()}\n"
#define KEY(host, rack) "{host: " host ", labels.rack: " rack "}"

struct pair {
    struct rule_set *before, *after;
    struct rules_running was, next;
    struct rules_preview preview;
};

static void make(struct pair *pair, const char *before, const char *after)
{
    struct error err = {""};

    pair->before = parse_good(before);
    pair->after = parse_good(after);
    assert_int_equal(rules_running_of_set(pair->before, &pair->was, &err), 0);
    assert_int_equal(rules_running_of_set(pair->after, &pair->next, &err), 0);
}

/* As a daemon tells it that holds this much; `strip`: one of before. */
static void by_answer(struct pair *pair, int open, bool strip)
{
    struct error err = {""};
    json_t *answer;
    char *text;

    pair->was.rules[0].held.keys = 2;
    pair->was.rules[0].held.open = (uint64_t)open;
    answer = rules_running_json(&pair->was);
    if (strip)
        json_object_del(json_array_get(json_object_get(answer, "rules"), 0), "listed");
    text = json_dumps(answer, 0);
    rules_running_release(&pair->was);
    assert_int_equal(rules_running_read(text, &pair->was, &err), 0);
    free(text);
    json_decref(answer);
}

/* Of the only row; "": nothing is said. */
static void assert_said(struct pair *pair, const char *sentence, bool closes)
{
    char said[LIST_SENTENCE_BYTES] = "";
    struct error err = {""};

    assert_int_equal(rules_preview_make(&pair->was, &pair->next, pair->after, &pair->preview, &err),
                     0);
    assert_int_equal(pair->preview.count, 1);
    assert_int_equal(pair->preview.rows[0].state, PREVIEW_CARRIES_ON);
    assert_int_equal(list_sentence(&pair->preview, &pair->preview.rows[0], said),
                     sentence[0] != '\0');
    assert_string_equal(said, sentence);
    assert_int_equal(list_effect_closes(&pair->preview, &pair->preview.rows[0]), closes);
    rules_preview_release(&pair->preview);
}

static void drop(struct pair *pair)
{
    rules_running_release(&pair->was);
    rules_running_release(&pair->next);
    rule_set_destroy(pair->before);
    rule_set_destroy(pair->after);
}

static void who_leaves_and_who_comes_is_told(void **state)
{
    static const char before[] = LISTS(KEY("a", "r1") ", " KEY("b", "r1") ", " KEY("b", "r2"));
    struct pair pair;

    (void)state;
    make(&pair, before, LISTS(KEY("b", "r1") ", {tenant: acme, host: b, labels.rack: r2}"));
    assert_said(&pair,
                "2 of 3 keys are not waited for any more (a/r1 and 1 more): an open incident of "
                "such a key is resolved at once, cause unlisted; 1 new key is waited for from then "
                "on (acme/b/r2), due `every` after that",
                true);
    by_answer(&pair, 1, false);
    assert_said(&pair,
                "2 of 3 keys are not waited for any more (a/r1 and 1 more): of 1 open incident "
                "those of such keys are resolved at once, cause unlisted; 1 new key is waited for "
                "from then on (acme/b/r2), due `every` after that",
                true);
    by_answer(&pair, 0, false);
    assert_said(&pair,
                "2 of 3 keys are not waited for any more (a/r1 and 1 more): no incident is open; 1 "
                "new key is waited for from then on (acme/b/r2), due `every` after that",
                false);
    drop(&pair);
}

static void a_list_that_stays_or_grows_closes_nothing(void **state)
{
    struct pair pair;

    (void)state;
    make(&pair, LISTS(KEY("a", "r1") ", " KEY("b", "r1")),
         LISTS(KEY("b", "r1") ", " KEY("a", "r1")));
    assert_said(&pair, "", false);
    drop(&pair);
    make(&pair, LISTS(KEY("b", "r1")),
         LISTS(KEY("c", "r1") ", " KEY("b", "r1") ", " KEY("a", "r1")));
    by_answer(&pair, 2, false);
    assert_said(&pair,
                "2 new keys are waited for from then on (a/r1 and 1 more), due `every` after that",
                false);
    drop(&pair);
}

static void without_the_former_list_no_number_is_told(void **state)
{
    struct pair pair;

    (void)state;
    make(&pair, LISTS(KEY("a", "r1")), LISTS(KEY("b", "r1")));
    by_answer(&pair, 3, true);
    assert_said(&pair,
                "keys that the new list does not name are not waited for any more: of 3 open "
                "incidents those of such keys are resolved at once, cause unlisted; those that "
                "only it names are waited for from then on, due `every` after that; which they are "
                "is not known here",
                true);
    drop(&pair);
}

#define TEN "0123456789"
#define NINETY TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* A name of any length, and of any characters, is told in one line. */
static void a_long_name_is_cut(void **state)
{
    struct pair pair;

    (void)state;
    make(&pair, LISTS(KEY("\"\\u001b" NINETY TEN "\"", "\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"")),
         LISTS(KEY("b", "r1")));
    assert_said(
        &pair,
        "1 of 1 key is not waited for any more (?" NINETY TEN
        "/\xc3\xa4\xc3\xa4\xc3\xa4...): an open incident of such a key is resolved at once, cause "
        "unlisted; 1 new key is waited for from then on (b/r1), due `every` after that",
        true);
    drop(&pair);
    for (int length = 90; length < 120; length++) {
        char rules[1200];
        snprintf(rules, sizeof(rules), LISTS("{host: %.*s, labels.rack: rr}"), length,
                 NINETY TEN NINETY);
        make(&pair, rules, LISTS(KEY("b", "r1")));
        assert_int_equal(list_effect_find(&pair.was.rules[0], &pair.next.rules[0],
                                          &(struct list_effect){.is_other = false}),
                         true);
        drop(&pair);
    }
}

static void a_list_without_room_is_not_kept(void **state)
{
    struct rule_set *set = parse_good(LISTS(KEY("a", "r1") ", " KEY("b", "r1")));
    struct arena *arena = arena_create(1 << 16);
    struct key_list list;
    size_t room = 20;

    (void)state;
    assert_true(list_keep(rule_set_rule(set, 0), arena, &room, &list));
    assert_null(list.values);
    assert_null(list_json(&list));
    assert_int_equal(room, 20);
    room = LISTS_BYTES_MAX;
    assert_true(list_keep(rule_set_rule(set, 0), arena, &room, &list));
    assert_int_equal(list.count, 2);
    assert_true(room < LISTS_BYTES_MAX);
    arena_destroy(arena);
    rule_set_destroy(set);
}

static void what_is_no_list_of_keys_is_not_known(void **state)
{
    static const char *const texts[] = {
        "{}", "[]", "[[]]", "[1]", "[[\"a\"],[\"a\",\"b\"]]", "[[\"a\"],[1]]", "[[\"a\"],\"b\"]"};
    struct arena *arena = arena_create(1 << 16);

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *json = json_loads(texts[i], 0, NULL);
        struct key_list list;
        assert_true(list_read(json, arena, &list));
        if (list.values != NULL)
            fail_msg("%s is taken", texts[i]);
        json_decref(json);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_leaves_and_who_comes_is_told),
        cmocka_unit_test(a_list_that_stays_or_grows_closes_nothing),
        cmocka_unit_test(without_the_former_list_no_number_is_told),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(a_list_without_room_is_not_kept),
        cmocka_unit_test(what_is_no_list_of_keys_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
