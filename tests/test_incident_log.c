/*
 * Aim: the lines of the incident log are exactly those of docs/correlation.md, section 4.
 * Method: one incident whose texts hold every kind of character that needs care; the
 * expected bytes are written out by the rules of the document. Buffers of every size.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/incident_log.h"

static struct incident incident = {
    .id = {0x0123456789abcdefULL, 0xfedcba9876543210ULL},
    .change = INCIDENT_CLOSED,
    .cause = CAUSE_CLEARED,
    .at_ms = 1700000003000,
    .opened_ms = 1700000001000,
    .first_ts_ms = -1,
    .change_number = 3,
    .severity = SEVERITY_MAJOR,
    .priority = PRIORITY_P2,
    .event_count = 12345678901,
    .alert_count = 7,
    .open_count = 0,
    .tenant = "acme",
    .rule_id = "disk",
    .key = "tenant=acme host=db/01",
    .title = "a\"b\\c/d\b\f\n\r\t\x01\x1f\x7f",
    .why = "Gr\xc3\xbc\xc3\x9f"
           "e \xf0\x9f\x94\xa5",
};

static const char change_line[] =
    "{\"at\":1700000003000,\"change\":\"closed\",\"cause\":\"cleared\","
    "\"incident\":\"0123456789abcdeffedcba9876543210\",\"n\":3,\"tenant\":\"acme\","
    "\"rule\":\"disk\",\"key\":\"tenant=acme host=db/01\",\"priority\":\"P2\","
    "\"severity\":\"major\",\"events\":12345678901,\"alerts\":7,\"open\":0,"
    "\"opened\":1700000001000,\"first\":-1,"
    "\"title\":\"a\\\"b\\\\c/d\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\","
    "\"why\":\"Gr\xc3\xbc\xc3\x9f"
    "e \xf0\x9f\x94\xa5\"}";

static void a_change_is_one_canonical_line(void **state)
{
    (void)state;
    char line[1024];

    assert_int_equal(incident_log_change(&incident, line, sizeof(line)), strlen(change_line));
    assert_string_equal(line, change_line);
}

static void a_rule_without_priority_leaves_the_text_empty(void **state)
{
    (void)state;
    struct incident without = incident;
    char line[1024];

    without.priority = PRIORITY_NONE;
    incident_log_change(&without, line, sizeof(line));
    assert_non_null(strstr(line, "\"priority\":\"\",\"severity\""));
}

static void an_op_names_its_incident_sink_and_number(void **state)
{
    (void)state;
    struct op op = {.id = {1, 0xab}, .number = 4, .kind = OP_RESOLVE, .incident = &incident};
    char line[512];

    incident_log_op(&op, "pager \"one\"", line, sizeof(line));
    assert_string_equal(line, "{\"at\":1700000003000,\"op\":\"resolve\","
                              "\"incident\":\"0123456789abcdeffedcba9876543210\","
                              "\"sink\":\"pager \\\"one\\\"\",\"number\":4,"
                              "\"id\":\"000000000000000100000000000000ab\"}");
}

static void a_short_buffer_is_cut_terminated_and_never_passed(void **state)
{
    (void)state;
    char line[sizeof(change_line) + 8];

    assert_int_equal(incident_log_change(&incident, NULL, 0), strlen(change_line));
    for (size_t bytes = 1; bytes <= sizeof(change_line); bytes++) {
        memset(line, '#', sizeof(line));
        assert_int_equal(incident_log_change(&incident, line, bytes), strlen(change_line));
        assert_memory_equal(line, change_line, bytes - 1);
        assert_int_equal(line[bytes - 1], '\0');
        assert_int_equal(line[bytes], '#');
    }
}

/* Eight values of 64 KiB, all of which has to be escaped: with a fixed buffer the line was cut in
 * the middle of a text, and no JSON. */
static void the_longest_line_is_written_whole(void **state)
{
    enum { KEY_BYTES = 8 * (64 << 10) };
    struct incident with = incident;
    char *key = malloc(KEY_BYTES + 1), *text = NULL, path[] = "incident-log-XXXXXX";
    int fd = mkstemp(path);
    struct line_writer *writer = line_writer_open(path, LINE_WRITER_TRUNCATE, NULL);
    size_t bytes = 0, plain = strlen(change_line) - strlen(incident.key);

    (void)state;
    assert_non_null(key);
    assert_non_null(writer);
    memset(key, '\x01', KEY_BYTES);
    key[KEY_BYTES] = '\0';
    with.key = key;
    incident_log_add_change(writer, &with);
    incident_log_add_change(writer, &incident);
    assert_int_equal(line_writer_close(writer), 0);
    assert_int_equal(host_read_file(path, 8 << 20, &text, &bytes), 0);
    assert_int_equal(bytes, plain + 6 * KEY_BYTES + 1 + strlen(change_line) + 1);
    assert_int_equal(text[plain + 6 * KEY_BYTES], '\n');
    assert_memory_equal(text + bytes - 1 - strlen(change_line), change_line, strlen(change_line));
    assert_memory_equal(text + plain + 6 * KEY_BYTES - 2, "\"}", 2);
    free(text);
    free(key);
    close(fd);
    unlink(path);
}

static void an_id_is_read_as_it_is_written(void **state)
{
    static const char *const wrong[] = {NULL,
                                        "",
                                        "0123456789abcdeffedcba987654321",
                                        "0123456789abcdeffedcba98765432100",
                                        "0123456789ABCDEFfedcba9876543210",
                                        "0123456789abcdeffedcba987654321g",
                                        " 123456789abcdeffedcba9876543210",
                                        "0x23456789abcdeffedcba9876543210"};
    struct id128 id = {1, 2};
    char text[ID128_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(id128_parse(wrong[i], &id));
    assert_int_equal(id.hi, 1);
    assert_int_equal(id.lo, 2);
    id128_format(incident.id, text);
    assert_true(id128_parse(text, &id));
    assert_int_equal(id.hi, incident.id.hi);
    assert_int_equal(id.lo, incident.id.lo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_one_canonical_line),
        cmocka_unit_test(a_rule_without_priority_leaves_the_text_empty),
        cmocka_unit_test(an_op_names_its_incident_sink_and_number),
        cmocka_unit_test(a_short_buffer_is_cut_terminated_and_never_passed),
        cmocka_unit_test(the_longest_line_is_written_whole),
        cmocka_unit_test(an_id_is_read_as_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
