/*
 * servicenow.c - ServiceNow's incident table, through the Table API.
 *
 * A record carries the incident id as its correlation_id. The table has no constraint on that
 * field, so nothing folds a second creation: class C, looked up before and after. All records
 * with the key are looked up, not only active ones: one that a person has closed already is
 * still proof that the creation was taken.
 *
 * Source: Table API (ServiceNow docs, c_TableAPI); states and impact x urgency as an instance has
 *         them out of the box.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/plural.h"
#include "sinks/payload.h"
#include "sinks/sink.h"
#include "sinks/ticket.h"

enum { TITLE_CHARS_MAX = 160, FIELD_CHARS_MAX = 1024 };

struct servicenow {
    struct sink_settings common;
    const char *url;
    const char *table;
    const char *user;
    const char *password;
    const char *token;
    const char *api_key;
    const char *caller_id;
    const char *assignment_group;
    const char *category;
    bool set_ci;
    uint32_t ack_state;
    uint32_t resolved_state;
    const char *close_code;
    const char *duplicate_code;
};

/* Positions in `options`, for which of them are given. */
enum { AT_USER = 2, AT_PASSWORD, AT_TOKEN, AT_API_KEY };

#define FIELD(field) offsetof(struct servicenow, field)

static const struct sink_option options[] = {
    {"url", OPT_URL, FIELD(url), NULL, "The instance, https://NAME.service-now.com.", 0, 0},
    {"table", OPT_TEXT, FIELD(table), "incident", "Table of the records.", 0, 0},
    {"user", OPT_TEXT, FIELD(user), "", "User for basic authentication, with `password`.", 0, 0},
    {"password", OPT_SECRET, FIELD(password), "", "Password of that user.", 0, 0},
    {"token", OPT_SECRET, FIELD(token), "",
     "OAuth access token, instead of user and password. It is sent as it is and never renewed.", 0,
     0},
    {"api_key", OPT_SECRET, FIELD(api_key), "",
     "Inbound REST API key, instead of user and password.", 0, 0},
    {"caller_id", OPT_TEXT, FIELD(caller_id), "", "Caller of new records.", 0, 0},
    {"assignment_group", OPT_TEXT, FIELD(assignment_group), "", "Group of new records.", 0, 0},
    {"category", OPT_TEXT, FIELD(category), "", "Category of new records.", 0, 0},
    {"set_ci", OPT_BOOL, FIELD(set_ci), "false",
     "Whether the host is given as cmdb_ci of new records.", 0, 0},
    {"ack_state", OPT_COUNT, FIELD(ack_state), "2", "State of an acknowledged record.", 0, 1000},
    {"resolved_state", OPT_COUNT, FIELD(resolved_state), "6",
     "State of a resolved record; records in this state or a higher one count as not open.", 1,
     1000},
    {"close_code", OPT_TEXT, FIELD(close_code), "Solved (Permanently)",
     "close_code of a resolved record, one of the codes that the instance has.", 0, 0},
    {"duplicate_code", OPT_TEXT, FIELD(duplicate_code), "Duplicate",
     "close_code of a second record of an incident.", 0, 0},
    {"settle_ms", OPT_MS, FIELD(common.settle_ms), "30000",
     "How long a created record may be missing from look-ups. A creation in doubt is looked up "
     "after this time, and each that succeeded once more.",
     100, 600000},
};

static enum sink_class class_of(const void *settings)
{
    (void)settings;
    return SINK_CLASS_C;
}

static int check(const struct sink *sink, struct error *err)
{
    const struct servicenow *snow = sink->settings;
    bool user = sink->given >> AT_USER & 1, password = sink->given >> AT_PASSWORD & 1;
    bool token = sink->given >> AT_TOKEN & 1, api_key = sink->given >> AT_API_KEY & 1;

    if (user != password) {
        error_set(err, "option \"%s\": is given without \"%s\"", user ? "user" : "password",
                  user ? "password" : "user");
        return -EINVAL;
    }
    if (user + token + api_key != 1) {
        error_set(err, "needs one of: \"user\" and \"password\", \"token\", \"api_key\"%s",
                  user + token + api_key > 1 ? "; it has several" : "");
        return -EINVAL;
    }
    if (strchr(snow->user, ':') != NULL) {
        error_set(err, "option \"user\": must not contain a colon");
        return -EINVAL;
    }
    if (snow->table[strspn(snow->table, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0' ||
        snow->table[0] == '\0') {
        error_set(err, "option \"table\": is no name of a table (small letters, digits, _)");
        return -EINVAL;
    }
    if (snow->ack_state >= snow->resolved_state) {
        error_set(err, "option \"ack_state\": must be below resolved_state");
        return -EINVAL;
    }
    return 0;
}

/* The instance computes priority 1 to 5 from these two. */
static int add_urgency(json_t *root, const struct incident *inc)
{
    static const char *const impact[] = {[PRIORITY_P1] = "1",
                                         [PRIORITY_P2] = "2",
                                         [PRIORITY_P3] = "2",
                                         [PRIORITY_P4] = "3",
                                         [PRIORITY_P5] = "3"};
    static const char *const urgency[] = {[PRIORITY_P1] = "1",
                                          [PRIORITY_P2] = "1",
                                          [PRIORITY_P3] = "2",
                                          [PRIORITY_P4] = "2",
                                          [PRIORITY_P5] = "3"};
    enum priority priority = ticket_priority(inc);

    return payload_set_text(root, "impact", impact[priority], 1) |
           payload_set_text(root, "urgency", urgency[priority], 1);
}

static int set_number(json_t *root, const char *key, uint32_t number)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", number);
    return payload_set_text(root, key, text, sizeof(text));
}

static int fill_new(json_t *root, const struct servicenow *snow, const struct incident *inc)
{
    char id[ID128_TEXT_BYTES];
    int rc = 0;

    id128_format(inc->id, id);
    rc |= payload_set_text(root, "short_description", ticket_title(inc), TITLE_CHARS_MAX);
    rc |= ticket_set_description(root, "description", inc);
    rc |= add_urgency(root, inc);
    rc |= payload_set_text(root, "correlation_id", id, FIELD_CHARS_MAX);
    rc |= payload_set_text(root, "correlation_display", "tocsin", FIELD_CHARS_MAX);
    rc |= payload_set_text(root, "caller_id", snow->caller_id, FIELD_CHARS_MAX);
    rc |= payload_set_text(root, "assignment_group", snow->assignment_group, FIELD_CHARS_MAX);
    rc |= payload_set_text(root, "category", snow->category, FIELD_CHARS_MAX);
    if (snow->set_ci)
        rc |= payload_set_text(root, "cmdb_ci", inc->host, FIELD_CHARS_MAX);
    return rc;
}

static int fill_change(json_t *root, const struct servicenow *snow, const struct op *op)
{
    int rc = 0;

    switch (op->kind) {
    case OP_ACK:
        rc |= set_number(root, "state", snow->ack_state);
        return rc | ticket_set_note(root, "work_notes", op);
    case OP_RESOLVE:
        rc |= set_number(root, "state", snow->resolved_state);
        rc |= payload_set_text(root, "close_code", snow->close_code, FIELD_CHARS_MAX);
        return rc | ticket_set_note(root, "close_notes", op);
    default:
        rc |= payload_set_text(root, "short_description", ticket_title(op->incident),
                               TITLE_CHARS_MAX);
        rc |= ticket_set_description(root, "description", op->incident);
        rc |= add_urgency(root, op->incident);
        return rc | ticket_set_note(root, "work_notes", op);
    }
}

/* A second record of one incident: linked to the one that is kept, and closed. */
static int fill_twin(json_t *root, const struct servicenow *snow, const struct sink_remote *kept)
{
    char note[64 + SINK_LABEL_BYTES];
    int rc = 0;

    snprintf(note, sizeof(note), "Duplicate of %s: the same incident was opened twice.",
             kept->label);
    rc |= payload_set_text(root, "parent_incident", kept->ref, FIELD_CHARS_MAX);
    rc |= set_number(root, "state", snow->resolved_state);
    rc |= payload_set_text(root, "close_code", snow->duplicate_code, FIELD_CHARS_MAX);
    return rc | payload_set_text(root, "close_notes", note, FIELD_CHARS_MAX);
}

static int add_credentials(struct sink_request *out, const struct servicenow *snow)
{
    if (snow->token[0] != '\0')
        return sink_request_add_header(out, "Authorization: Bearer %s", snow->token);
    if (snow->api_key[0] != '\0')
        return sink_request_add_header(out, "x-sn-apikey: %s", snow->api_key);
    return ticket_add_basic(out, snow->user, "", snow->password);
}

static int set_target(const struct servicenow *snow, const struct sink_attempt *attempt,
                      struct sink_request *out)
{
    char id[ID128_TEXT_BYTES];

    switch (attempt->step) {
    case SINK_STEP_FIND:
        out->method = "GET";
        id128_format(attempt->op->incident->id, id);
        return ticket_set_url(out, snow->url,
                              "/api/now/table/%s?sysparm_query=correlation_id%%3D%s%%5E"
                              "ORDERBYsys_created_on&sysparm_fields=sys_id,number,state,"
                              "correlation_id,sys_created_on&sysparm_limit=%d",
                              snow->table, id, SINK_FOUND_MAX);
    case SINK_STEP_CHANGE:
    case SINK_STEP_TWIN:
        out->method = "PATCH";
        return ticket_set_url(out, snow->url, "/api/now/table/%s/%s", snow->table,
                              attempt->step == SINK_STEP_TWIN ? attempt->twin->ref
                                                              : attempt->remote->ref);
    default:
        return ticket_set_url(out, snow->url, "/api/now/table/%s", snow->table);
    }
}

static int set_record(const struct servicenow *snow, const struct sink_attempt *attempt,
                      struct sink_request *out)
{
    json_t *root = json_object();
    int rc;

    if (attempt->step == SINK_STEP_CREATE)
        rc = fill_new(root, snow, attempt->op->incident);
    else if (attempt->step == SINK_STEP_CHANGE)
        rc = fill_change(root, snow, attempt->op);
    else
        rc = fill_twin(root, snow, attempt->remote);
    if (rc == 0)
        return ticket_set_body(out, root);
    json_decref(root);
    return -ENOMEM;
}

static int build(const struct sink *sink, const struct sink_attempt *attempt,
                 struct sink_request *out, struct error *err)
{
    const struct servicenow *snow = sink->settings;
    int rc = set_target(snow, attempt, out);

    error_set(err, "out of memory");
    if (rc == 0 && attempt->step != SINK_STEP_FIND)
        rc = set_record(snow, attempt, out);
    if (rc == 0)
        rc = sink_request_add_header(out, "Accept: application/json");
    return rc == 0 ? add_credentials(out, snow) : rc;
}

/* A record of the answer. False: it is none. */
static bool read_record(const void *settings, const json_t *record, struct sink_ticket *out)
{
    const struct servicenow *snow = settings;
    const char *state = json_string_value(json_object_get(record, "state"));
    const char *created = json_string_value(json_object_get(record, "sys_created_on"));

    *out = (struct sink_ticket){0};
    if (!ticket_read_name(json_object_get(record, "sys_id"), out->remote.ref, SINK_REF_BYTES))
        return false;
    ticket_read_name(json_object_get(record, "number"), out->remote.label, SINK_LABEL_BYTES);
    snprintf(out->created, sizeof(out->created), "%s", created != NULL ? created : "");
    out->is_open = state == NULL || strtoul(state, NULL, 10) < snow->resolved_state;
    return true;
}

static enum sink_verdict read_answer(const struct sink *sink, enum sink_step step,
                                     struct id128 incident, const struct transport_answer *answer,
                                     enum sink_verdict by_status, struct sink_found *out,
                                     struct error *err)
{
    static const struct ticket_form form = {.one = "result",
                                            .list = "result",
                                            .key = "correlation_id",
                                            .what = "the table API",
                                            .read = read_record};

    return ticket_read_answer(&form, sink, step, incident, answer, by_status, out, err);
}

const struct sink_type sink_servicenow = {
    .name = "servicenow",
    .help = "ServiceNow's incident table. A record is looked up by its correlation_id before and "
            "after it is created (class C).",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_bytes = sizeof(struct servicenow),
    .class_of = class_of,
    .check = check,
    .build = build,
    .read = read_answer,
};
