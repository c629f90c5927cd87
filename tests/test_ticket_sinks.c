/*
 * Aim: the requests to ServiceNow and Zendesk are what their APIs ask for, step by step, and of
 * their answers only real ones count. Method: golden requests written by hand from the APIs'
 * documentation, compared as JSON values, and answers that are not what they seem.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include "sink_fixture.h"

#define ID "0123456789abcdef0000000000000abc"
#define SYS_ID "00000000000000000000000000000001"
#define TABLE "https://noc.example/api/now/table/incident"
#define TICKETS "https://noc.example/api/v2/tickets"
#define DESCRIPTION                                                                                \
    "3 alerts in 10m (needs 3)\\ndisk 97% full\\nrunbook: https://wiki.example/disk\\n"            \
    "tenant: acme\\nrule: disk-full\\nkey: tenant=acme host=db01\\npriority: P2\\n"                \
    "severity: major\\nmonitored by: zabbix\\nhost: db01\\nresource: db01/sda\\ncheck: disk\\n"    \
    "team: dba\\ntier: gold\\n3 alerts, 2 of them open; their beginnings, changes, repeats and "   \
    "ends: 7\\n"                                                                                   \
    "opened at: 2026-02-01T10:00:05.250Z\\nincident: " ID "\\n"
#define NOTE_END                                                                                   \
    " at 2026-02-01T10:00:05.250Z (rule): severity major\\n3 alerts in 10m (needs 3)\\n"           \
    "3 alerts, 2 of them open; their beginnings, changes, repeats and ends: 7\\n"

struct pair {
    const char *key, *value;
};

static struct sink *make_sink(const char *type, const struct pair *pairs)
{
    struct sink_config config = {.name = "s", .type = type};
    struct error err = {""};
    struct sink *sink = NULL;

    for (; pairs->key != NULL; pairs++) {
        config.option[config.option_count].key = pairs->key;
        config.option[config.option_count++].value = pairs->value;
    }
    if (sink_create(&config, true, &sink, &err) != 0)
        fail_msg("%s", err.text);
    return sink;
}

static const struct pair snow_pairs[] = {
    {"url", "https://noc.example/"},  {"user", "tocsin"}, {"password", "open sesame"},
    {"assignment_group", "Database"}, {"set_ci", "true"}, {NULL, NULL}};
static const struct pair zen_pairs[] = {{"url", "https://noc.example"},
                                        {"user", "a@b.example"},
                                        {"api_token", "0123456789"},
                                        {"group_id", "77"},
                                        {NULL, NULL}};

/* What a step must look like; NULL: there is no body. */
struct golden {
    enum sink_step step;
    enum op_kind kind;
    const char *method, *url, *body;
};

static void assert_json(const char *body, const char *expected)
{
    json_t *a = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    json_t *b = json_loads(expected, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(a);
    assert_non_null(b);
    if (!json_equal(a, b))
        fail_msg("got      %s\nexpected %s\n", body, expected);
    json_decref(a);
    json_decref(b);
}

static bool has_header(const struct sink_request *request, const char *line)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i], line) == 0)
            return true;
    return false;
}

static void expect(struct sink *sink, const struct golden *row, const char *credentials)
{
    static const struct sink_remote kept = {SYS_ID, "INC0042"}, twin = {"2", "INC0043"};
    struct op op = fixture_op(0xabc, 1, row->kind, 0);
    struct sink_attempt attempt = {
        .op = &op, .number = 1, .step = row->step, .remote = &kept, .twin = &twin};
    struct sink_request request = {0};
    struct error err;

    assert_int_equal(sink->type->build(sink, &attempt, &request, &err), 0);
    assert_string_equal(request.method != NULL ? request.method : "POST", row->method);
    assert_string_equal(request.url, row->url);
    assert_true(has_header(&request, credentials));
    assert_true(has_header(&request, "Accept: application/json"));
    if (row->body == NULL) {
        assert_null(request.body);
    } else {
        assert_true(has_header(&request, "Content-Type: application/json"));
        assert_int_equal(request.body_bytes, strlen(request.body));
        assert_json(request.body, row->body);
    }
    assert_int_equal(has_header(&request, "Idempotency-Key: feedfacecafebeef000000000abc0001"),
                     sink_class_of(sink) == SINK_CLASS_B && row->step == SINK_STEP_CREATE);
    sink_request_release(&request);
    incident_unref(op.incident);
}

static void servicenow_gets_what_the_table_api_asks_for(void **state)
{
    static const struct golden rows[] = {
        {SINK_STEP_FIND, OP_OPEN, "GET",
         TABLE "?sysparm_query=correlation_id%3D" ID "%5EORDERBYsys_created_on&sysparm_fields="
               "sys_id,number,state,correlation_id,sys_created_on&sysparm_limit=8",
         NULL},
        {SINK_STEP_CREATE, OP_OPEN, "POST", TABLE,
         "{\"short_description\":\"3 alerts on db01\",\"description\":\"" DESCRIPTION "\","
         "\"impact\":\"2\",\"urgency\":\"1\",\"correlation_id\":\"" ID "\","
         "\"correlation_display\":\"tocsin\",\"assignment_group\":\"Database\","
         "\"cmdb_ci\":\"db01\"}"},
        {SINK_STEP_CHANGE, OP_UPDATE, "PATCH", TABLE "/" SYS_ID,
         "{\"short_description\":\"3 alerts on db01\",\"description\":\"" DESCRIPTION "\","
         "\"impact\":\"2\",\"urgency\":\"1\",\"work_notes\":\"Update" NOTE_END "\"}"},
        {SINK_STEP_CHANGE, OP_ACK, "PATCH", TABLE "/" SYS_ID,
         "{\"state\":\"2\",\"work_notes\":\"Acknowledged" NOTE_END "\"}"},
        {SINK_STEP_CHANGE, OP_RESOLVE, "PATCH", TABLE "/" SYS_ID,
         "{\"state\":\"6\",\"close_code\":\"Solved (Permanently)\","
         "\"close_notes\":\"Resolved" NOTE_END "\"}"},
        {SINK_STEP_TWIN, OP_OPEN, "PATCH", TABLE "/2",
         "{\"parent_incident\":\"" SYS_ID "\",\"state\":\"6\",\"close_code\":\"Duplicate\","
         "\"close_notes\":\"Duplicate of INC0042: the same incident was opened twice.\"}"},
    };
    static const struct pair token[] = {
        {"url", "https://noc.example"}, {"token", "t0k3n"}, {NULL, NULL}};
    static const struct pair api_key[] = {
        {"url", "https://noc.example"}, {"api_key", "k3y!"}, {NULL, NULL}};
    struct sink *sink = make_sink("servicenow", snow_pairs);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) /* RFC 7617 of tocsin:open sesame */
        expect(sink, &rows[i], "Authorization: Basic dG9jc2luOm9wZW4gc2VzYW1l");
    sink_destroy(sink);
    sink = make_sink("servicenow", token);
    expect(sink, &rows[0], "Authorization: Bearer t0k3n");
    sink_destroy(sink);
    sink = make_sink("servicenow", api_key);
    expect(sink, &rows[0], "x-sn-apikey: k3y!");
    sink_destroy(sink);
}

/* A note says who did it, and what they said. */
static void a_note_names_the_person(void **state)
{
    static const struct sink_remote kept = {SYS_ID, "INC0042"};
    struct sink *sink = make_sink("servicenow", snow_pairs);
    struct op op = fixture_op(1, 2, OP_RESOLVE, 0);
    const struct sink_attempt attempt = {
        .op = &op, .number = 1, .step = SINK_STEP_CHANGE, .remote = &kept};
    struct sink_request request = {0};
    struct error err;

    (void)state;
    op.incident->cause = CAUSE_BY_HAND;
    op.incident->by = "ada";
    op.incident->comment = "disk swapped";
    assert_int_equal(sink->type->build(sink, &attempt, &request, &err), 0);
    assert_non_null(strstr(request.body, "(by-hand): severity major\\nby: ada\\n"
                                         "comment: disk swapped\\n"));
    sink_request_release(&request);
    incident_unref(op.incident);
    sink_destroy(sink);
}

static void zendesk_gets_what_the_tickets_api_asks_for(void **state)
{
    static const struct golden rows[] = {
        {SINK_STEP_FIND, OP_OPEN, "GET", TICKETS ".json?external_id=" ID, NULL},
        {SINK_STEP_CREATE, OP_OPEN, "POST", TICKETS ".json",
         "{\"ticket\":{\"subject\":\"3 alerts on db01\",\"comment\":{\"public\":false,"
         "\"body\":\"" DESCRIPTION "\"},\"external_id\":\"" ID "\",\"type\":\"incident\","
         "\"priority\":\"high\",\"tags\":[\"tocsin\"],\"group_id\":77}}"},
        {SINK_STEP_CHANGE, OP_UPDATE, "PUT", TICKETS "/" SYS_ID ".json",
         "{\"ticket\":{\"comment\":{\"public\":false,\"body\":\"Update" NOTE_END
         "\"},\"priority\":\"high\"}}"},
        {SINK_STEP_CHANGE, OP_ACK, "PUT", TICKETS "/" SYS_ID ".json",
         "{\"ticket\":{\"comment\":{\"public\":false,\"body\":\"Acknowledged" NOTE_END
         "\"},\"status\":\"open\"}}"},
        {SINK_STEP_CHANGE, OP_RESOLVE, "PUT", TICKETS "/" SYS_ID ".json",
         "{\"ticket\":{\"comment\":{\"public\":false,\"body\":\"Resolved" NOTE_END
         "\"},\"status\":\"solved\"}}"},
        {SINK_STEP_TWIN, OP_OPEN, "PUT", TICKETS "/2.json",
         "{\"ticket\":{\"comment\":{\"public\":false,\"body\":"
         "\"Duplicate of #INC0042: the same incident was opened twice.\"},\"status\":\"solved\"}}"},
    };
    struct sink *sink = make_sink("zendesk", zen_pairs);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) /* a@b.example/token:0123456789 */
        expect(sink, &rows[i], "Authorization: Basic YUBiLmV4YW1wbGUvdG9rZW46MDEyMzQ1Njc4OQ==");
    sink_destroy(sink);
}

/* Impact and urgency, and Zendesk's word, of every priority; without one by severity. */
static void priorities_become_what_the_system_has(void **state)
{
    static const struct {
        enum priority priority;
        enum severity severity;
        const char *snow, *zen;
    } rows[] = {
        {PRIORITY_P1, SEVERITY_INFO, "\"impact\":\"1\",\"urgency\":\"1\"", "urgent"},
        {PRIORITY_P2, SEVERITY_INFO, "\"impact\":\"2\",\"urgency\":\"1\"", "high"},
        {PRIORITY_P3, SEVERITY_INFO, "\"impact\":\"2\",\"urgency\":\"2\"", "normal"},
        {PRIORITY_P4, SEVERITY_INFO, "\"impact\":\"3\",\"urgency\":\"2\"", "low"},
        {PRIORITY_P5, SEVERITY_INFO, "\"impact\":\"3\",\"urgency\":\"3\"", "low"},
        {PRIORITY_NONE, SEVERITY_CRITICAL, "\"impact\":\"2\",\"urgency\":\"1\"", "high"},
        {PRIORITY_NONE, SEVERITY_MAJOR, "\"impact\":\"2\",\"urgency\":\"2\"", "normal"},
        {PRIORITY_NONE, SEVERITY_WARNING, "\"impact\":\"3\",\"urgency\":\"2\"", "low"},
        {PRIORITY_NONE, SEVERITY_OK, "\"impact\":\"3\",\"urgency\":\"3\"", "low"},
    };
    struct sink *sinks[] = {make_sink("servicenow", snow_pairs), make_sink("zendesk", zen_pairs)};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t s = 0; s < 2; s++) {
            struct op op = fixture_op(1, 1, OP_OPEN, 0);
            struct sink_attempt attempt = {.op = &op, .step = SINK_STEP_CREATE};
            struct sink_request request = {0};
            struct error err;
            char word[64];
            op.incident->priority = (uint8_t)rows[i].priority;
            op.incident->severity = (uint8_t)rows[i].severity;
            snprintf(word, sizeof(word), s == 0 ? "%s" : "\"priority\":\"%s\"",
                     s == 0 ? rows[i].snow : rows[i].zen);
            assert_int_equal(sinks[s]->type->build(sinks[s], &attempt, &request, &err), 0);
            if (strstr(request.body, word) == NULL)
                fail_msg("row %zu: %s does not contain %s", i, request.body, word);
            sink_request_release(&request);
            incident_unref(op.incident);
        }
    sink_destroy(sinks[0]);
    sink_destroy(sinks[1]);
}

/* Texts as long as the bounds of input let them be, of the characters that JSON doubles. */
static void the_longest_texts_are_cut(void **state)
{
    struct sink *sinks[] = {make_sink("servicenow", snow_pairs), make_sink("zendesk", zen_pairs)};
    size_t bytes = 65536;
    char *text = malloc(bytes + 1);

    (void)state;
    memset(text, '\x01', bytes);
    text[bytes] = '\0';
    for (size_t s = 0; s < 2; s++) {
        struct op op = fixture_op(1, 1, OP_OPEN, 0);
        struct sink_attempt attempt = {.op = &op, .step = SINK_STEP_CREATE};
        struct sink_request request = {0};
        struct error err;
        struct incident *inc = op.incident;
        inc->title = inc->why = inc->message = inc->key = inc->runbook = inc->host = text;
        assert_int_equal(sinks[s]->type->build(sinks[s], &attempt, &request, &err), 0);
        /* Five lines of 2048 characters, a title and a host, of six bytes each, and little more. */
        assert_in_range(request.body_bytes, 5 * 2048 * 6, 6 * 2048 * 6);
        sink_request_release(&request);
        incident_unref(inc);
        sink_destroy(sinks[s]);
    }
    free(text);
}

/* ---- answers ---- */

static enum sink_verdict hear(const char *type, enum sink_step step, int status, const char *body,
                              struct sink_found *found)
{
    struct sink *sink = make_sink(type, type[0] == 's' ? snow_pairs : zen_pairs);
    struct transport_answer answer = {.result = TRANSPORT_ANSWERED,
                                      .status = status,
                                      .retry_after = "",
                                      .body = body,
                                      .body_bytes = strlen(body),
                                      .detail = ""};
    struct id128 incident = {0x0123456789abcdefu, 0xabc};
    enum sink_verdict by_status = status / 100 == 2 ? SINK_DELIVERED : SINK_REJECTED, verdict;
    struct error err = {""};

    *found = (struct sink_found){0};
    verdict = sink->type->read(sink, step, incident, &answer, by_status, found, &err);
    sink_destroy(sink);
    return verdict;
}

static void only_real_answers_count(void **state)
{
    static const struct {
        const char *type;
        enum sink_step step;
        int status;
        const char *body;
        enum sink_verdict verdict;
        size_t found;
    } rows[] = {
        {"servicenow", SINK_STEP_CREATE, 201, "{\"result\":{\"sys_id\":\"a1\"}}", SINK_DELIVERED,
         1},
        {"servicenow", SINK_STEP_CREATE, 200, "<html>log in</html>", SINK_RETRY, 0},
        {"servicenow", SINK_STEP_CREATE, 201, "", SINK_RETRY, 0},
        {"servicenow", SINK_STEP_CREATE, 201, "{\"result\":{}}", SINK_RETRY, 0},
        {"servicenow", SINK_STEP_CREATE, 201, "{\"result\":[]}", SINK_RETRY, 0},
        /* What becomes part of an address has no signs in it. */
        {"servicenow", SINK_STEP_CREATE, 201, "{\"result\":{\"sys_id\":\"../x\"}}", SINK_RETRY, 0},
        {"servicenow", SINK_STEP_CREATE, 201,
         "{\"result\":{\"sys_id\":\"a123456789012345678901234567890123456789\"}}", SINK_RETRY, 0},
        {"servicenow", SINK_STEP_CHANGE, 200, "{\"result\":{\"sys_id\":\"a1\"}}", SINK_DELIVERED,
         0},
        {"servicenow", SINK_STEP_CHANGE, 200, "<html>hibernating</html>", SINK_RETRY, 0},
        {"servicenow", SINK_STEP_TWIN, 404, "{\"error\":{}}", SINK_REJECTED, 0},
        {"servicenow", SINK_STEP_FIND, 200, "{\"result\":[]}", SINK_DELIVERED, 0},
        {"servicenow", SINK_STEP_FIND, 200, "{\"result\":{}}", SINK_RETRY, 0},
        {"servicenow", SINK_STEP_FIND, 200, "<html>log in</html>", SINK_RETRY, 0},
        /* An instance without that field shows any records. */
        {"servicenow", SINK_STEP_FIND, 200,
         "{\"result\":[{\"sys_id\":\"a1\",\"correlation_id\":\"\"},{\"sys_id\":\"a2\"},"
         "{\"sys_id\":\"a3\",\"correlation_id\":\"" ID "\"}]}",
         SINK_DELIVERED, 1},
        {"servicenow", SINK_STEP_FIND, 200,
         "{\"result\":[{\"sys_id\":7.5,\"correlation_id\":\"" ID "\"}]}", SINK_RETRY, 0},
        {"zendesk", SINK_STEP_CREATE, 201, "{\"ticket\":{\"id\":35436}}", SINK_DELIVERED, 1},
        {"zendesk", SINK_STEP_CREATE, 200, "<html>log in</html>", SINK_RETRY, 0},
        {"zendesk", SINK_STEP_CREATE, 201, "{\"ticket\":{\"id\":null}}", SINK_RETRY, 0},
        {"zendesk", SINK_STEP_CREATE, 409, "{}", SINK_RETRY, 0},
        {"zendesk", SINK_STEP_CREATE, 422, "{\"error\":\"RecordInvalid\"}", SINK_REJECTED, 0},
        {"zendesk", SINK_STEP_CHANGE, 409, "{}", SINK_RETRY, 0},
        {"zendesk", SINK_STEP_CHANGE, 200, "{\"ticket\":{\"id\":35436}}", SINK_DELIVERED, 0},
        {"zendesk", SINK_STEP_FIND, 200, "{\"tickets\":[]}", SINK_DELIVERED, 0},
        {"zendesk", SINK_STEP_FIND, 200, "{}", SINK_RETRY, 0},
        {"zendesk", SINK_STEP_FIND, 200,
         "{\"tickets\":[{\"id\":1,\"external_id\":null},{\"id\":2,\"external_id\":\"" ID "\"}]}",
         SINK_DELIVERED, 1},
    };
    struct sink_found found;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum sink_verdict verdict =
            hear(rows[i].type, rows[i].step, rows[i].status, rows[i].body, &found);
        if (verdict != rows[i].verdict || found.count != rows[i].found)
            fail_msg("row %zu: verdict %d, %zu found", i, verdict, found.count);
    }
}

static void the_oldest_ticket_comes_first_and_the_youngest_fall_out(void **state)
{
    struct sink_found found;

    (void)state;
    hear("servicenow", SINK_STEP_FIND, 200,
         "{\"result\":[{\"sys_id\":\"b\",\"number\":\"INC2\",\"state\":\"7\",\"correlation_id\":"
         "\"" ID "\",\"sys_created_on\":\"2026-02-01 10:00:06\"},"
         "{\"sys_id\":\"c\",\"state\":\"1\",\"correlation_id\":\"" ID "\","
         "\"sys_created_on\":\"2026-02-01 10:00:05\"},"
         "{\"sys_id\":\"a\",\"state\":\"6\",\"correlation_id\":\"" ID "\","
         "\"sys_created_on\":\"2026-02-01 10:00:06\"}]}",
         &found);
    assert_int_equal(found.count, 3);
    assert_string_equal(found.ticket[0].remote.ref, "c");
    assert_true(found.ticket[0].is_open);
    assert_string_equal(found.ticket[1].remote.ref, "a");
    assert_false(found.ticket[1].is_open);
    assert_string_equal(found.ticket[2].remote.ref, "b");
    assert_string_equal(found.ticket[2].remote.label, "INC2");
    assert_false(found.ticket[2].is_open);
    found.count = 0;
    for (unsigned i = 12; i > 0; i--) { /* numbers sort as numbers */
        struct sink_ticket ticket = {0};
        snprintf(ticket.remote.ref, sizeof(ticket.remote.ref), "%u", i);
        sink_found_add(&found, &ticket);
    }
    assert_int_equal(found.count, SINK_FOUND_MAX);
    assert_string_equal(found.ticket[0].remote.ref, "1");
    assert_string_equal(found.ticket[SINK_FOUND_MAX - 1].remote.ref, "8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servicenow_gets_what_the_table_api_asks_for),
        cmocka_unit_test(a_note_names_the_person),
        cmocka_unit_test(zendesk_gets_what_the_tickets_api_asks_for),
        cmocka_unit_test(priorities_become_what_the_system_has),
        cmocka_unit_test(the_longest_texts_are_cut),
        cmocka_unit_test(only_real_answers_count),
        cmocka_unit_test(the_oldest_ticket_comes_first_and_the_youngest_fall_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
