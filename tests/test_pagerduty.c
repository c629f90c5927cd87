/*
 * Aim: the requests to PagerDuty are exactly what the Events API v2 asks for, within
 * its limits for any incident. Method: golden bodies written by hand from the API's
 * schema, compared as JSON values, and incidents made of the worst characters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include "sink_fixture.h"

#define ROUTING_KEY "0123456789abcdef0123456789abcdef"

static struct sink *make_sink(const char *key, const char *value)
{
    struct sink_config config = {.name = "pd", .type = "pagerduty"};
    struct error err = {""};
    struct sink *sink = NULL;

    config.option[0].key = "routing_key";
    config.option[0].value = ROUTING_KEY;
    config.option[1].key = key;
    config.option[1].value = value;
    config.option_count = key != NULL ? 2 : 1;
    assert_int_equal(sink_create(&config, true, &sink, &err), 0);
    return sink;
}

static void build(const struct sink *sink, const struct op *op, struct sink_request *request)
{
    struct sink_attempt attempt = {.op = op, .number = 1, .wall_ms = 0};
    struct error err = {""};

    memset(request, 0, sizeof(*request));
    assert_int_equal(sink->type->build(sink, &attempt, request, &err), 0);
    assert_int_equal(request->body_bytes, strlen(request->body));
}

/* Compares as values: the order of members is not part of the contract. */
static void assert_json(const char *body, const char *expected)
{
    json_t *a = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    json_t *b = json_loads(expected, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(a);
    assert_non_null(b);
    if (!json_equal(a, b))
        print_error("got      %s\nexpected %s\n", body, expected);
    assert_true(json_equal(a, b));
    json_decref(a);
    json_decref(b);
}

static void an_open_is_a_trigger_with_the_whole_incident(void **state)
{
    struct sink *sink = make_sink(NULL, NULL);
    struct op op = fixture_op(0xabc, 1, OP_OPEN, 0);
    struct sink_request request;

    (void)state;
    build(sink, &op, &request);
    assert_string_equal(request.url, "https://events.pagerduty.com/v2/enqueue");
    assert_int_equal(request.header_count, 1);
    assert_string_equal(request.headers[0], "Content-Type: application/json");
    assert_json(
        request.body,
        "{\"routing_key\":\"" ROUTING_KEY "\",\"event_action\":\"trigger\","
        "\"dedup_key\":\"0123456789abcdef0000000000000abc\","
        "\"client\":\"tocsin\","
        "\"payload\":{\"summary\":\"3 alerts on db01\",\"source\":\"db01\","
        "\"severity\":\"error\",\"timestamp\":\"2026-02-01T10:00:05.250Z\","
        "\"component\":\"db01/sda\",\"group\":\"dba\",\"class\":\"disk\","
        "\"custom_details\":{"
        "\"incident_id\":\"0123456789abcdef0000000000000abc\",\"tenant\":\"acme\","
        "\"rule\":\"disk-full\",\"key\":\"tenant=acme host=db01\","
        "\"why\":\"3 alerts in 10m (needs 3)\",\"message\":\"disk 97% full\","
        "\"priority\":\"P2\",\"severity\":\"major\",\"monitored_by\":\"zabbix\",\"host\":\"db01\","
        "\"resource\":\"db01/sda\",\"check\":\"disk\",\"team\":\"dba\",\"tier\":\"gold\","
        "\"runbook\":\"https://wiki.example/disk\",\"change\":1,\"change_cause\":\"rule\","
        "\"opened_at\":\"2026-02-01T10:00:05.250Z\","
        "\"first_event_at\":\"2026-02-01T10:00:00.000Z\","
        "\"events\":7,\"alerts\":3,\"open_alerts\":2}},"
        "\"links\":[{\"href\":\"https://wiki.example/disk\",\"text\":\"runbook\"}]}");
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void each_kind_has_its_action_and_the_same_dedup_key(void **state)
{
    static const struct {
        enum op_kind kind;
        const char *body;
    } rows[] = {
        {OP_ACK, "{\"routing_key\":\"" ROUTING_KEY "\",\"event_action\":\"acknowledge\","
                 "\"dedup_key\":\"0123456789abcdef0000000000000abc\"}"},
        {OP_RESOLVE, "{\"routing_key\":\"" ROUTING_KEY "\",\"event_action\":\"resolve\","
                     "\"dedup_key\":\"0123456789abcdef0000000000000abc\"}"},
    };
    struct sink *sink = make_sink(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct op op = fixture_op(0xabc, 2, rows[i].kind, 0);
        struct sink_request request;
        build(sink, &op, &request);
        assert_json(request.body, rows[i].body);
        sink_request_release(&request);
        incident_unref(op.incident);
    }
    sink_destroy(sink);
}

/* A field of the payload of an update; the caller frees it. */
static char *payload_field(const struct sink *sink, const struct op *op, const char *name)
{
    struct sink_request request;
    json_t *root;
    const char *value;
    char *copy;

    build(sink, op, &request);
    root = json_loads(request.body, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(root, "event_action")), "trigger");
    value = json_string_value(json_object_get(json_object_get(root, "payload"), name));
    assert_non_null(value);
    copy = strdup(value);
    json_decref(root);
    sink_request_release(&request);
    return copy;
}

static void severities_map_to_the_four_words_and_priorities_raise_them(void **state)
{
    /* By severity from OK to CRITICAL. */
    static const char *const rows[][SEVERITY_COUNT] = {
        [PRIORITY_NONE] = {"info", "info", "info", "warning", "warning", "error", "critical"},
        [PRIORITY_P1] = {"critical", "critical", "critical", "critical", "critical", "critical",
                         "critical"},
        [PRIORITY_P2] = {"error", "error", "error", "error", "error", "error", "critical"},
        [PRIORITY_P3] = {"info", "info", "info", "warning", "warning", "error", "critical"},
        [PRIORITY_P4] = {"info", "info", "info", "warning", "warning", "error", "critical"},
        [PRIORITY_P5] = {"info", "info", "info", "warning", "warning", "error", "critical"},
    };
    struct sink *sink = make_sink(NULL, NULL);

    (void)state;
    for (unsigned priority = 0; priority < sizeof(rows) / sizeof(rows[0]); priority++)
        for (unsigned i = 0; i < SEVERITY_COUNT; i++) {
            struct op op = fixture_op(1, 1, OP_UPDATE, 0);
            char *word;
            op.incident->severity = (uint8_t)i;
            op.incident->priority = (uint8_t)priority;
            word = payload_field(sink, &op, "severity");
            assert_string_equal(word, rows[priority][i]);
            free(word);
            incident_unref(op.incident);
        }
    sink_destroy(sink);
}

static void the_source_is_what_the_incident_is_about(void **state)
{
    static const struct {
        const char *key, *source;
    } rows[] = {
        {"tenant=acme host=db01", "db01"},
        {"tenant=acme resource=checkout", "checkout"},
        {"tenant=acme labels.rack=r17", "labels.rack=r17"}, /* not the host that opened it */
        {"tenant=acme host=db01 check=disk", "host=db01 check=disk"},
        {"tenant=acme host=a=b", "host=a=b"},
        {"tenant=acme", "web7"}, /* says nothing: that host, then */
    };
    struct sink *sink = make_sink(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct op op = fixture_op(1, 1, OP_UPDATE, 0);
        char *source;
        op.incident->key = rows[i].key;
        op.incident->host = "web7";
        source = payload_field(sink, &op, "source");
        assert_string_equal(source, rows[i].source);
        free(source);
        incident_unref(op.incident);
    }
    sink_destroy(sink);
}

static void a_base_makes_links_of_runbooks_that_are_none(void **state)
{
    static const struct {
        const char *runbook, *href; /* NULL: no link */
    } rows[] = {
        {"kb/disk-full", "\"links\":[{\"href\":\"https://wiki.example/kb/disk-full\","},
        {"http://other.example/x", "\"links\":[{\"href\":\"http://other.example/x\","},
        {"", NULL},
    };
    struct sink *sink = make_sink("runbook_base", "https://wiki.example/");

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct op op = fixture_op(1, 1, OP_OPEN, 0);
        struct sink_request request;
        op.incident->runbook = rows[i].runbook;
        build(sink, &op, &request);
        if (rows[i].href != NULL)
            assert_non_null(strstr(request.body, rows[i].href));
        else
            assert_null(strstr(request.body, "\"links\""));
        sink_request_release(&request);
        incident_unref(op.incident);
    }
    sink_destroy(sink);
}

static void what_is_empty_is_left_out_but_required_fields_are_filled(void **state)
{
    struct sink *sink = make_sink("client", "");
    struct op op = fixture_op(1, 1, OP_OPEN, 0);
    struct incident *inc = op.incident;
    struct sink_request request;
    json_t *root, *payload; /* payload is borrowed */

    (void)state;
    inc->title = inc->tier = inc->runbook = inc->host = inc->resource = inc->check = "";
    inc->source = inc->message = inc->team = inc->why = inc->key = "";
    inc->priority = PRIORITY_NONE;
    build(sink, &op, &request);
    root = json_loads(request.body, 0, NULL);
    payload = json_object_get(root, "payload");
    assert_string_equal(json_string_value(json_object_get(payload, "summary")), "disk-full");
    assert_string_equal(json_string_value(json_object_get(payload, "source")), "tocsin");
    assert_null(json_object_get(payload, "component"));
    assert_null(json_object_get(payload, "group"));
    assert_null(json_object_get(root, "links"));
    assert_null(json_object_get(root, "client"));
    json_decref(root);
    sink_request_release(&request);
    incident_unref(inc);
    sink_destroy(sink);
}

static void a_runbook_that_is_no_url_becomes_no_link(void **state)
{
    struct sink *sink = make_sink("url", "https://events.eu.pagerduty.com/v2/enqueue");
    struct op op = fixture_op(1, 1, OP_OPEN, 0);
    struct sink_request request;

    (void)state;
    op.incident->runbook = "page 12 of the folder";
    build(sink, &op, &request);
    assert_string_equal(request.url, "https://events.eu.pagerduty.com/v2/enqueue");
    assert_null(strstr(request.body, "\"links\""));
    assert_non_null(strstr(request.body, "page 12 of the folder"));
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void a_long_summary_is_cut_at_a_character(void **state)
{
    struct sink *sink = make_sink(NULL, NULL);
    struct op op = fixture_op(1, 1, OP_OPEN, 0);
    struct sink_request request;
    char title[1023 + 3 * 100 + 1];
    const char *summary;
    json_t *root;

    (void)state;
    /* 1023 one-byte characters and a hundred of three: the first of those still fits. */
    memset(title, 'x', 1023);
    for (size_t i = 0; i < 100; i++)
        memcpy(title + 1023 + 3 * i, "\xe2\x82\xac", 3);
    title[sizeof(title) - 1] = '\0';
    op.incident->title = title;
    build(sink, &op, &request);
    root = json_loads(request.body, 0, NULL);
    summary = json_string_value(json_object_get(json_object_get(root, "payload"), "summary"));
    assert_int_equal(strlen(summary), 1026);
    assert_string_equal(summary + 1023, "\xe2\x82\xac");
    json_decref(root);
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void the_largest_incident_stays_under_the_body_limit(void **state)
{
    /* Control characters: one byte each, six in JSON. */
    static char huge[65536];
    struct sink *sink = make_sink(NULL, NULL);
    struct op op = fixture_op(1, 1, OP_OPEN, 0);
    struct incident *inc = op.incident;
    struct sink_request request;

    (void)state;
    memset(huge, 1, sizeof(huge) - 1);
    inc->tenant = inc->rule_id = inc->key = inc->title = inc->tier = inc->team = inc->why = huge;
    inc->source = inc->resource = inc->check = inc->message = inc->host = huge;
    inc->runbook = huge;
    build(sink, &op, &request);
    assert_true(request.body_bytes < 512 * 1000);
    assert_true(request.body_bytes > 200 * 1000);
    sink_request_release(&request);
    incident_unref(inc);
    sink_destroy(sink);
}

static void bytes_that_are_no_utf8_do_not_stop_the_page(void **state)
{
    struct sink *sink = make_sink(NULL, NULL);
    struct op op = fixture_op(1, 1, OP_OPEN, 0);
    struct sink_request request;
    json_t *root;

    (void)state;
    op.incident->title = "a\xff\xe2\x82z\xed\xa0\x80";
    build(sink, &op, &request);
    root = json_loads(request.body, 0, NULL);
    assert_non_null(root);
    /* One U+FFFD for each byte that belongs to no character. */
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(root, "payload"), "summary")),
        "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    json_decref(root);
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void answers_are_judged_by_their_words(void **state)
{
    static const struct {
        int status;
        const char *body;
        enum sink_verdict by_status, verdict;
    } rows[] = {
        {202, "{\"status\":\"success\",\"message\":\"Event processed\",\"dedup_key\":\"k\"}",
         SINK_DELIVERED, SINK_DELIVERED},
        {202, "{\"status\":\"invalid event\"}", SINK_DELIVERED, SINK_RETRY},
        {202, "", SINK_DELIVERED, SINK_RETRY},
        {200, "<html></html>", SINK_DELIVERED, SINK_RETRY},
        {200, "[1]", SINK_DELIVERED, SINK_RETRY},
        {400, "{\"status\":\"invalid event\",\"errors\":[\"summary is missing\"]}", SINK_REJECTED,
         SINK_REJECTED},
        {400, "{\"errors\":[1,\"Length of 'routing_key' is incorrect\"]}", SINK_REJECTED,
         SINK_HELD},
        {400, "{\"errors\":\"routing_key\"}", SINK_REJECTED, SINK_REJECTED},
        {429, "{}", SINK_RETRY, SINK_RETRY},
        {500, "", SINK_RETRY, SINK_RETRY},
    };
    struct sink *sink = make_sink(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct transport_answer answer = {.result = TRANSPORT_ANSWERED,
                                          .status = rows[i].status,
                                          .retry_after = "",
                                          .body = rows[i].body,
                                          .body_bytes = strlen(rows[i].body),
                                          .detail = ""};
        struct error err = {""};
        assert_int_equal(sink->type->judge(sink, &answer, rows[i].by_status, &err),
                         rows[i].verdict);
        assert_int_equal(err.text[0] != '\0', rows[i].verdict != rows[i].by_status);
    }
    sink_destroy(sink);
}

static void repeats_are_folded_by_the_dedup_key(void **state)
{
    struct sink *sink = make_sink(NULL, NULL);

    (void)state;
    assert_int_equal(sink_class_of(sink), SINK_CLASS_A);
    sink_destroy(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_is_a_trigger_with_the_whole_incident),
        cmocka_unit_test(each_kind_has_its_action_and_the_same_dedup_key),
        cmocka_unit_test(severities_map_to_the_four_words_and_priorities_raise_them),
        cmocka_unit_test(the_source_is_what_the_incident_is_about),
        cmocka_unit_test(a_base_makes_links_of_runbooks_that_are_none),
        cmocka_unit_test(what_is_empty_is_left_out_but_required_fields_are_filled),
        cmocka_unit_test(a_runbook_that_is_no_url_becomes_no_link),
        cmocka_unit_test(a_long_summary_is_cut_at_a_character),
        cmocka_unit_test(the_largest_incident_stays_under_the_body_limit),
        cmocka_unit_test(bytes_that_are_no_utf8_do_not_stop_the_page),
        cmocka_unit_test(answers_are_judged_by_their_words),
        cmocka_unit_test(repeats_are_folded_by_the_dedup_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
