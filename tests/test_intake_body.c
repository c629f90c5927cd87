/*
 * Aim: what a request pushes is one document or one a line, taken whole or refused with a sentence
 * that says where; a silence that people ask for is understood or refused, and what is left of
 * those in the log is a rule file that can be read. Method: rows of bodies; records of a log, made
 * here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/intake_body.h"
#include "daemon/rules_kept.h"
#include "daemon/silences.h"

#define EVENT "{\"resource\":\"a\",\"check\":\"b\"}"

/* 2026-02-01T10:00:00Z */
#define NOW_MS INT64_C(1769940000000)

static char taken[1024];

static void take(void *self, const char *at, size_t bytes)
{
    (void)self;
    snprintf(taken + strlen(taken), sizeof(taken) - strlen(taken), "<%.*s>", (int)bytes, at);
}

static void C3_a_request_is_taken_whole_or_refused_with_the_place(void **state)
{
    static const struct {
        const char *body;
        uint64_t events; /* 0: refused */
        const char *taken;
    } cases[] = {
        {EVENT, 1, "<" EVENT ">"},
        {EVENT "\n", 1, "<" EVENT "\n>"},
        {EVENT "\n" EVENT, 2, "<" EVENT "><" EVENT ">"},
        {"\n \t\r\n" EVENT "\r\n\n" EVENT "\n\n", 2, "<" EVENT "\r><" EVENT ">"},
        {"[" EVENT ",\n" EVENT "]", 2, "<[" EVENT ",\n" EVENT "]>"},
        {"[" EVENT "," EVENT "]\n" EVENT, 3, "<[" EVENT "," EVENT "]><" EVENT ">"},
        {"", 0, "the request holds no event"},
        {"\n\n", 0, "the request holds no event"},
        {"{", 0, "byte 0: "},
        {"{\"check\":\"b\"}", 0, "byte "},
        {EVENT "\n{\"check\":\"b\"}\n" EVENT, 0, "line 2, byte "},
        {EVENT "\n\n" EVENT " x", 0, "line 3, byte "},
        {"[" EVENT ",\n{\"check\":\"b\"}]", 0, "byte "},
        /* What curl -d makes of a file with two lines; the event has 28 bytes. */
        {EVENT EVENT, 0,
         "byte 28: another document follows the first, and each needs a line of its own (curl "
         "takes line ends out of a file with -d, and leaves them there with --data-binary); "},
        {EVENT "\n" EVENT " [" EVENT "]\n", 0,
         "line 2, byte 29: another document follows the first, and each needs a line of its own; "},
        {EVENT "x", 0, "byte 28: the record does not end"},
    };
    struct decoder *decoder = decoder_create();

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t bytes = strlen(cases[i].body);
        char *body = malloc(bytes + 1); /* no byte behind it is there to be read */
        struct error err = {""};
        uint64_t events = 99;
        int rc;
        taken[0] = '\0';
        memcpy(body, cases[i].body, bytes);
        body = realloc(body, bytes > 0 ? bytes : 1);
        rc = intake_body_read(decoder, FORMAT_AUTO, body, bytes, take, NULL, &events, &err);
        assert_int_equal(rc, cases[i].events > 0 ? 0 : -EINVAL);
        if (rc == 0) {
            assert_int_equal(events, cases[i].events);
            assert_string_equal(taken, cases[i].taken);
        } else if (strncmp(err.text, cases[i].taken, strlen(cases[i].taken)) != 0) {
            fail_msg("%s: %s", cases[i].body, err.text);
        }
        free(body);
    }
    decoder_destroy(decoder);
}

static void an_alertmanager_address_takes_nothing_else(void **state)
{
    static const char body[] =
        "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"a\"}}]}";
    struct decoder *decoder = decoder_create();
    struct error err = {""};
    uint64_t events;

    (void)state;
    assert_int_equal(intake_body_read(decoder, FORMAT_ALERTMANAGER, body, strlen(body), take, NULL,
                                      &events, &err),
                     0);
    assert_int_equal(events, 1);
    assert_int_equal(intake_body_read(decoder, FORMAT_ALERTMANAGER, EVENT, strlen(EVENT), take,
                                      NULL, &events, &err),
                     -EINVAL);
    decoder_destroy(decoder);
}

/* ---- silences ---- */

static void act(struct silences *list, const char *what, int64_t at_ms, const char *body)
{
    silences_take(list, &(struct intake_record){.kind = INTAKE_ACT,
                                                .at_ms = at_ms,
                                                .what = {what, (uint32_t)strlen(what)},
                                                .body = {body, (uint32_t)strlen(body)}});
}

static void a_silence_is_understood_or_refused(void **state)
{
    static const struct {
        const char *body;
        int rc;
        const char *said; /* of the object, or of the sentence */
    } cases[] = {
        {"{\"where\":\"host == \\\"a\\\"\",\"for\":\"2h\"}", 0,
         "{\"where\":\"host == "
         "\\\"a\\\"\",\"id\":\"by-hand-2\",\"to\":\"2026-02-01T12:00:00.000Z\","
         "\"by\":\"ada\"}"},
        {"{\"where\":\"w\",\"id\":\"x\",\"from\":\"2026-02-02T00:00:00Z\",\"for\":\"1h\"}", 0,
         "{\"where\":\"w\",\"id\":\"x\",\"from\":\"2026-02-02T00:00:00.000Z\","
         "\"to\":\"2026-02-02T01:00:00.000Z\",\"by\":\"ada\"}"},
        {"{\"where\":\"w\",\"to\":\"2026-02-02T00:00:00+01:00\",\"comment\":\"c\"}", 0,
         "{\"where\":\"w\",\"to\":\"2026-02-01T23:00:00.000Z\",\"comment\":\"c\","
         "\"id\":\"by-hand-2\",\"by\":\"ada\"}"},
        {"{\"where\":\"w\"}", -EINVAL, "say how long it holds"},
        {"{\"where\":\"w\",\"for\":\"1h\",\"to\":\"2026-02-02T00:00:00Z\"}", -EINVAL,
         "say how long"},
        {"{\"for\":\"1h\"}", -EINVAL, "where is missing"},
        {"{\"where\":\"\",\"for\":\"1h\"}", -EINVAL, "where is missing"},
        {"{\"where\":\"w\",\"for\":\"0s\"}", -EINVAL, "for: a silence holds"},
        {"{\"where\":\"w\",\"for\":\"367d\"}", -EINVAL, "for: a silence holds"},
        {"{\"where\":\"w\",\"for\":\"2\"}", -EINVAL, "for: "},
        {"{\"where\":\"w\",\"to\":\"2026-02-01T09:00:00Z\"}", -EINVAL, "it would be over"},
        {"{\"where\":\"w\",\"from\":\"2026-02-02T00:00:00Z\",\"to\":\"2026-02-02T00:00:00Z\"}",
         -EINVAL, "it would be over"},
        {"{\"where\":\"w\",\"to\":\"soon\"}", -EINVAL, "to: "},
        {"{\"where\":\"w\",\"for\":\"1h\",\"id\":\"by-hand-1\"}", -EEXIST, "there is a silence"},
        {"{\"where\":\"w\",\"for\":\"1h\",\"id\":\"\"}", -EINVAL, "id has 1 to"},
        {"{\"where\":\"w\",\"for\":\"1h\",\"by\":\"eve\"}", -EINVAL, "there is no field 'by'"},
        {"{\"where\":7,\"for\":\"1h\"}", -EINVAL, "where is a text"},
        {"{\"where\":\"w\",\"where\":\"v\",\"for\":\"1h\"}", -EINVAL,
         "the body is no JSON: line 1"},
        {"[]", -EINVAL, "the body is an object"},
        {"", -EINVAL, "the body is no JSON"},
    };
    struct silences list = {.made = 0};

    (void)state;
    act(&list, ACT_SILENCE_ADD, NOW_MS,
        "{\"id\":\"by-hand-1\",\"where\":\"true\",\"to\":\"2026-02-01T11:00:00Z\"}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {""};
        json_t *out = NULL;
        int rc = silences_read_add(&list, cases[i].body, strlen(cases[i].body), "ada", NOW_MS, &out,
                                   &err);
        char *text = json_dumps(out, JSON_COMPACT | JSON_PRESERVE_ORDER);
        if (rc != cases[i].rc || (rc == 0 ? strcmp(text, cases[i].said) != 0
                                          : strstr(err.text, cases[i].said) != err.text))
            fail_msg("%s: %d %s %s", cases[i].body, rc, text != NULL ? text : "", err.text);
        free(text);
        json_decref(out);
    }
    silences_release(&list);
}

/* Whatever people write: what is made of it is what they wrote, in a rule file that can be read. */
static void silences_become_a_rule_file(void **state)
{
    static const char wanted[] = "silences:\n"
                                 "  - id: \"by-hand-1\"\n"
                                 "    where: \"host == \\\"a\\\"\"\n"
                                 "    to: 2026-02-01T12:00:00.000Z\n"
                                 "    comment: \"a: b # c\\n- d\"\n"
                                 "    by: \"ada\"\n";
    const struct rules_read none = {.files = {{0}}};
    struct silences list = {.made = 0};
    struct rule_set *set = NULL;
    struct rules_read read;
    struct error err = {""};
    json_t *out;
    char *text;

    (void)state;
    text = silences_text(&list, NULL, NULL);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(
        silences_read_add(
            &list,
            "{\"where\":\"host == \\\"a\\\"\",\"for\":\"2h\",\"comment\":\"a: b # c\\n- d\"}",
            strlen(
                "{\"where\":\"host == \\\"a\\\"\",\"for\":\"2h\",\"comment\":\"a: b # c\\n- d\"}"),
            "ada", NOW_MS, &out, &err),
        0);
    text = silences_text(&list, out, NULL);
    assert_string_equal(text, wanted);
    if (rules_kept_with(&none, "by-hand", text, RULES_OF_NOW, &set, &read, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(read.files.file.count, 2);
    rule_set_destroy(set);
    rules_read_release(&read);
    free(text);
    json_decref(out);
    silences_release(&list);
}

static void the_list_is_a_function_of_the_log(void **state)
{
    struct silences list = {.made = 0};
    struct error err = {""};
    json_t *out;
    char *text;

    (void)state;
    act(&list, ACT_SILENCE_ADD, NOW_MS, "{\"id\":\"a\",\"to\":\"2026-02-01T11:00:00Z\"}");
    act(&list, "reload", NOW_MS, "{\"id\":\"a\"}");
    act(&list, ACT_SILENCE_ADD, NOW_MS, "{\"id\":\"b\",\"to\":\"2026-02-05T11:00:00Z\"}");
    assert_int_equal(list.item.count, 2);
    /* `a` has ended, by less than a day: it may be needed for what is behind. */
    act(&list, ACT_SILENCE_ADD, NOW_MS + 86400000,
        "{\"id\":\"c\",\"to\":\"2026-02-05T11:00:00Z\"}");
    assert_int_equal(list.item.count, 3);
    act(&list, ACT_SILENCE_ADD, NOW_MS + 2 * 86400000,
        "{\"id\":\"d\",\"to\":\"2026-02-05T11:00:00Z\"}");
    assert_int_equal(list.item.count, 3);
    assert_int_equal(list.made, 4);
    assert_int_equal(silences_read_end(&list, "{\"id\":\"a\"}", 10, &out, &err), -ENOENT);
    assert_int_equal(silences_read_end(&list, "{\"id\":\"c\",\"comment\":\"x\"}", 24, &out, &err),
                     0);
    json_decref(out);
    text = silences_text(&list, NULL, "c");
    assert_null(strstr(text, "\"c\""));
    assert_non_null(strstr(text, "\"d\""));
    free(text);
    act(&list, ACT_SILENCE_END, NOW_MS, "{\"id\":\"c\"}");
    assert_int_equal(list.item.count, 2);
    silences_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C3_a_request_is_taken_whole_or_refused_with_the_place),
        cmocka_unit_test(an_alertmanager_address_takes_nothing_else),
        cmocka_unit_test(a_silence_is_understood_or_refused),
        cmocka_unit_test(silences_become_a_rule_file),
        cmocka_unit_test(the_list_is_a_function_of_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
