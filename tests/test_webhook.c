/*
 * Aim: the webhook's document, headers and signature are what docs/sinks.md says.
 * Method: a golden body written by hand; its signature computed by another program:
 *   printf %s "1769940123:$body" | openssl dgst -sha256 -hmac 'open sesame'
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "sink_fixture.h"

/* Member by member as add_incident() should write it; the order is fixed, because
 * the signature below covers the bytes. */
static const char golden[] =
    "{\"version\":1,\"op\":{\"id\":\"feedfacecafebeef000000000abc0001\",\"number\":1,"
    "\"kind\":\"open\",\"possible_repeat\":false},\"incident\":{"
    "\"id\":\"0123456789abcdef0000000000000abc\",\"change_number\":1,\"change\":\"opened\","
    "\"cause\":\"rule\",\"changed_at\":\"2026-02-01T10:00:05.250Z\","
    "\"opened_at\":\"2026-02-01T10:00:05.250Z\",\"first_event_at\":\"2026-02-01T10:00:00.000Z\","
    "\"severity\":\"major\",\"priority\":\"P2\",\"events\":7,\"alerts\":3,\"open_alerts\":2,"
    "\"tenant\":\"acme\",\"rule\":\"disk-full\",\"key\":\"tenant=acme host=db01\","
    "\"title\":\"3 alerts on db01\",\"why\":\"3 alerts in 10m (needs 3)\",\"tier\":\"gold\","
    "\"team\":\"dba\",\"runbook\":\"https://wiki.example/disk\",\"source\":\"zabbix\","
    "\"resource\":\"db01/sda\",\"check\":\"disk\",\"host\":\"db01\","
    "\"message\":\"disk 97% full\"}}";
static const char golden_signature[] =
    "b53b39e99d23e3daa24b11f234f675f3540c07545a25704ecea860b0321ca5c3";

struct pair {
    const char *key, *value;
};

static struct sink *make_sink(const struct pair *pairs, size_t count)
{
    struct sink_config config = {.name = "hook", .type = "webhook"};
    struct error err = {""};
    struct sink *sink = NULL;

    config.option[0].key = "url";
    config.option[0].value = "https://hook.example/in";
    for (size_t i = 0; i < count; i++) {
        config.option[i + 1].key = pairs[i].key;
        config.option[i + 1].value = pairs[i].value;
    }
    config.option_count = count + 1;
    if (sink_create(&config, true, &sink, &err) != 0)
        fail_msg("%s", err.text);
    return sink;
}

static void build(const struct sink *sink, const struct op *op, uint32_t number, bool is_repeat,
                  struct sink_request *request)
{
    struct sink_attempt attempt = {
        .op = op, .number = number, .possible_repeat = is_repeat, .wall_ms = 1769940123999};
    struct error err = {""};

    memset(request, 0, sizeof(*request));
    assert_int_equal(sink->type->build(sink, &attempt, request, &err), 0);
}

/* The value of header `name`, NULL when there is none. */
static const char *header(const struct sink_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strncasecmp(request->headers[i], name, strlen(name)) == 0 &&
            strncmp(request->headers[i] + strlen(name), ": ", 2) == 0)
            return request->headers[i] + strlen(name) + 2;
    return NULL;
}

static void the_document_is_the_op_and_the_whole_incident(void **state)
{
    struct sink *sink = make_sink(NULL, 0);
    struct op op = fixture_op(0xabc, 1, OP_OPEN, 0);
    struct sink_request request;

    (void)state;
    build(sink, &op, 1, false, &request);
    assert_string_equal(request.body, golden);
    assert_string_equal(request.url, "https://hook.example/in");
    assert_string_equal(header(&request, "Content-Type"), "application/json");
    assert_string_equal(header(&request, "Idempotency-Key"), "feedfacecafebeef000000000abc0001");
    assert_string_equal(header(&request, "Tocsin-Attempt"), "1");
    assert_null(header(&request, "Tocsin-Signature")); /* there is no secret */
    assert_null(header(&request, "ce-id"));
    sink_request_release(&request);
    /* What a person did, where one did something. */
    op.incident->acked_by = "ada";
    op.incident->by = "bob";
    op.incident->comment = "disk swapped";
    build(sink, &op, 1, false, &request);
    assert_non_null(strstr(request.body, ",\"acknowledged_by\":\"ada\",\"by\":\"bob\","
                                         "\"comment\":\"disk swapped\"}"));
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void the_signature_covers_time_and_body(void **state)
{
    static const struct pair pairs[] = {{"secret", "open sesame"}};
    struct sink *sink = make_sink(pairs, 1);
    struct op op = fixture_op(0xabc, 1, OP_OPEN, 0);
    struct sink_request request;

    (void)state;
    build(sink, &op, 1, false, &request);
    assert_string_equal(header(&request, "Tocsin-Timestamp"), "1769940123");
    assert_string_equal(header(&request, "Tocsin-Signature"), golden_signature);
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void headers_can_be_named_and_added(void **state)
{
    static const struct pair pairs[] = {
        {"secret", "open sesame"},
        {"signature_header", "X-Grafana-Alerting-Signature"},
        {"timestamp_header", "X-Grafana-Alerting-Timestamp"},
        {"header.Authorization", "Bearer abcdef"},
        {"header.X-Team", "ops and dba"},
    };
    struct sink *sink = make_sink(pairs, 5);
    struct op op = fixture_op(0xabc, 1, OP_OPEN, 0);
    struct sink_request request;

    (void)state;
    build(sink, &op, 1, false, &request);
    assert_string_equal(header(&request, "X-Grafana-Alerting-Signature"), golden_signature);
    assert_string_equal(header(&request, "X-Grafana-Alerting-Timestamp"), "1769940123");
    assert_string_equal(header(&request, "Authorization"), "Bearer abcdef");
    assert_string_equal(header(&request, "X-Team"), "ops and dba");
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void cloudevents_are_in_binary_mode(void **state)
{
    static const struct pair pairs[] = {{"cloudevents", "true"},
                                        {"cloudevents_source", "/noc \"1\"/50%/\xc3\xa4"}};
    static const char *const types[] = {"tocsin.incident.opened", "tocsin.incident.updated",
                                        "tocsin.incident.acknowledged", "tocsin.incident.resolved"};
    struct sink *sink = make_sink(pairs, 2);

    (void)state;
    for (uint32_t kind = OP_OPEN; kind <= OP_RESOLVE; kind++) {
        struct op op = fixture_op(0xabc, kind + 1, (enum op_kind)kind, 0);
        struct sink_request request;
        build(sink, &op, 1, false, &request);
        assert_string_equal(header(&request, "ce-specversion"), "1.0");
        assert_string_equal(header(&request, "ce-type"), types[kind]);
        assert_string_equal(header(&request, "ce-time"), "2026-02-01T10:00:05.250Z");
        assert_string_equal(header(&request, "ce-subject"), "0123456789abcdef0000000000000abc");
        /* Space, quote, percent and UTF-8 are percent-encoded with upper-case digits. */
        assert_string_equal(header(&request, "ce-source"), "/noc%20%221%22/50%25/%C3%A4");
        assert_string_equal(header(&request, "ce-id"), header(&request, "Idempotency-Key"));
        assert_string_equal(header(&request, "Content-Type"), "application/json");
        assert_null(header(&request, "ce-datacontenttype"));
        sink_request_release(&request);
        incident_unref(op.incident);
    }
    sink_destroy(sink);
}

static void a_repeat_is_told_and_numbered(void **state)
{
    struct sink *sink = make_sink(NULL, 0);
    struct op op = fixture_op(0xabc, 4, OP_RESOLVE, 0);
    struct sink_request request;

    (void)state;
    build(sink, &op, 3, true, &request);
    assert_non_null(
        strstr(request.body, "\"number\":4,\"kind\":\"resolve\",\"possible_repeat\":true}"));
    assert_string_equal(header(&request, "Tocsin-Attempt"), "3");
    assert_string_equal(header(&request, "Idempotency-Key"), "feedfacecafebeef000000000abc0004");
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void the_class_follows_what_the_receiver_promises(void **state)
{
    static const struct pair pairs[] = {{"idempotent", "true"}};
    struct sink *plain = make_sink(NULL, 0), *idempotent = make_sink(pairs, 1);

    (void)state;
    assert_int_equal(sink_class_of(plain), SINK_CLASS_D);
    assert_int_equal(sink_class_of(idempotent), SINK_CLASS_A);
    sink_destroy(plain);
    sink_destroy(idempotent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_the_op_and_the_whole_incident),
        cmocka_unit_test(the_signature_covers_time_and_body),
        cmocka_unit_test(headers_can_be_named_and_added),
        cmocka_unit_test(cloudevents_are_in_binary_mode),
        cmocka_unit_test(a_repeat_is_told_and_numbered),
        cmocka_unit_test(the_class_follows_what_the_receiver_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
