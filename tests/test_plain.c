/*
 * Aim: what a terminal obeys is shown as ?, and everything else as it is. Method: rows with the
 * answers written out; for the history, whose file no short test has, an answer of the daemon made
 * by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "daemon/history_print.h"
#include "daemon/plain.h"
#include "rules/zone.h"

static const struct {
    const char *text, *shown;
} rows[] = {
    {"", ""},
    {"db01 \"down\"", "db01 \"down\""},
    {"\x1b[2Ja\r\nb\tc\x7f", "?[2Ja??b?c?"},
    {"K\xc3\xbche \xe2\x82\xac \xf0\x9f\x94\xa5", "K\xc3\xbche \xe2\x82\xac \xf0\x9f\x94\xa5"},
    {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "???\xc2\xa0"},        /* U+0080, 9B, 9F; A0 */
    {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9", "\xe2\x80\xa7??"}, /* U+2027; 2028, 2029 */
    {"\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf", "??\xe2\x80\xaf"}, /* U+202A, 202E; 202F */
    {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9", "\xe2\x81\xa5??"}, /* U+2065; 2066, 2069 */
    {"\x9b"
     "2J",
     "?2J"},                                          /* a control of 8 bits */
    {"a\xe2\x82", "a??"},                             /* cut */
    {"\xc0\x9b\xe0\x80\x9b", "?????"},                /* spelled longer than needed */
    {"\xed\xa0\x80\xf4\x90\x80\x80\xff", "????????"}, /* no characters */
};

static char *buffer;
static size_t buffer_bytes;

static void plain_texts_and_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        FILE *to = open_memstream(&buffer, &buffer_bytes);
        assert_non_null(to);
        plain_print(rows[i].text, to);
        plain_printf(to, "|%s", rows[i].text);
        fclose(to);
        size_t bytes = strlen(rows[i].shown);
        assert_int_equal(buffer_bytes, 2 * bytes + 1);
        assert_memory_equal(buffer, rows[i].shown, bytes);
        assert_string_equal(buffer + bytes + 1, rows[i].shown);
        free(buffer);
    }
}

static json_t *history(void)
{
    static const char word[] = "\x1b[2J\n\xc2\x9b\xe2\x80\xae";
    static const char time[] = "2026-01-05T00:00:00.000Z";
    json_t *told = json_pack("[{s:s,s:s,s:s,s:s,s:s}]", "sink", word, "kind", word, "at", time,
                             "ticket", word, "reason", word);
    json_t *changes = json_pack("[{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:s,s:s,s:o}]", "at", time, "change",
                                word, "cause", word, "by", word, "title", word, "why", word,
                                "number", 1, "comment", word, "severity", word, "told", told);
    json_t *members =
        json_pack("[{s:s,s:s,s:s,s:s,s:s,s:s,s:s}]", "at", time, "severity", word, "source", word,
                  "resource", word, "check", word, "dedup_key", word, "host", "h\x1b");
    json_t *root =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:o,s:o}", "incident", word, "opened_at", time, "severity",
                  word, "priority", word, "as_of", time, "timeline", changes, "members", members);
    static const char *const names[] = {"title",   "rule",     "key",      "team",    "tier",
                                        "runbook", "acked_by", "muted_by", "tickets", "last"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        json_object_set_new(root, names[i], json_string(word));
    return root;
}

static void history_is_printed_plain(void **state)
{
    struct arena *arena = arena_create(4096);
    struct error err = {""};
    const struct history_clock clock = {zone_load(text_of("UTC"), arena, &err), "UTC"};
    json_t *story = history(), *list = json_pack("{s:[O]}", "incidents", story);

    (void)state;
    assert_non_null(clock.zone);
    for (int is_list = 0; is_list < 2; is_list++) {
        FILE *to = open_memstream(&buffer, &buffer_bytes);
        if (is_list)
            history_print_list(list, &clock, to);
        else
            history_print_story(story, &clock, to);
        fclose(to);
        assert_non_null(strstr(buffer, "?[2J???"));
        assert_null(strpbrk(buffer, "\x1b\t\r"));
        assert_null(strstr(buffer, "\xc2\x9b"));
        assert_null(strstr(buffer, "\xe2\x80\xae"));
        free(buffer);
    }
    json_decref(list);
    json_decref(story);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_texts_and_others),
        cmocka_unit_test(history_is_printed_plain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
