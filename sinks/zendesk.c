/*
 * zendesk.c - Zendesk Support tickets.
 *
 * A creation carries the op id as Idempotency-Key: within the life of such keys a repeat is
 * answered with the first one's ticket, class B. The ticket also carries the incident id as
 * external_id, which is not unique but can be looked up: that is how a ticket is found whose
 * number is not known, or whose key may be forgotten. The body of a creation is the same in every
 * attempt, for Zendesk refuses a key that comes with another one.
 *
 * Source: Zendesk Support API: Tickets; Idempotency; Requests.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sinks/payload.h"
#include "sinks/sink.h"
#include "sinks/ticket.h"

enum { TITLE_CHARS_MAX = 150, FIELD_CHARS_MAX = 1024 };

struct zendesk {
    struct sink_settings common;
    const char *url;
    const char *user;
    const char *api_token;
    const char *token;
    uint32_t group_id;
    bool public_comments;
};

/* Positions in `options`, for which of them are given. */
enum { AT_USER = 1, AT_API_TOKEN, AT_TOKEN };

#define FIELD(field) offsetof(struct zendesk, field)

static const struct sink_option options[] = {
    {"url", OPT_URL, FIELD(url), NULL, "The account, https://NAME.zendesk.com.", 0, 0},
    {"user", OPT_TEXT, FIELD(user), "",
     "E-mail address of the agent that opens tickets, with "
     "`api_token`.",
     0, 0},
    {"api_token", OPT_SECRET, FIELD(api_token), "", "API token of the account.", 0, 0},
    {"token", OPT_SECRET, FIELD(token), "", "OAuth access token, instead of user and api_token.", 0,
     0},
    {"group_id", OPT_COUNT, FIELD(group_id), "0", "Group of new tickets; 0: Zendesk's default.", 0,
     UINT32_MAX},
    {"public_comments", OPT_BOOL, FIELD(public_comments), "false",
     "Whether comments are shown to the requester.", 0, 0},
    {"key_minutes", OPT_COUNT, FIELD(common.key_minutes), "60",
     "How long Zendesk surely remembers an Idempotency-Key. A creation in doubt is looked up by "
     "its external_id once this has passed.",
     1, 10080},
};

static enum sink_class class_of(const void *settings)
{
    (void)settings;
    return SINK_CLASS_B;
}

static int check(const struct sink *sink, struct error *err)
{
    const struct zendesk *desk = sink->settings;
    bool user = sink->given >> AT_USER & 1, api_token = sink->given >> AT_API_TOKEN & 1;
    bool token = sink->given >> AT_TOKEN & 1;

    if (user != api_token) {
        error_set(err, "option \"%s\": is given without \"%s\"", user ? "user" : "api_token",
                  user ? "api_token" : "user");
        return -EINVAL;
    }
    if (user == token) {
        error_set(err, "needs one of: \"user\" and \"api_token\", \"token\"%s",
                  token ? "; it has both" : "");
        return -EINVAL;
    }
    if (strchr(desk->user, ':') != NULL) {
        error_set(err, "option \"user\": must not contain a colon");
        return -EINVAL;
    }
    return 0;
}

static int add_priority(json_t *ticket, const struct incident *inc)
{
    static const char *const words[] = {[PRIORITY_P1] = "urgent",
                                        [PRIORITY_P2] = "high",
                                        [PRIORITY_P3] = "normal",
                                        [PRIORITY_P4] = "low",
                                        [PRIORITY_P5] = "low"};

    return payload_set_text(ticket, "priority", words[ticket_priority(inc)], FIELD_CHARS_MAX);
}

/* An empty comment of the ticket, borrowed. NULL: memory is short. */
static json_t *add_comment(json_t *ticket, const struct zendesk *desk)
{
    json_t *comment = json_object(); /* stolen by the ticket */

    if (json_object_set_new(ticket, "comment", comment) != 0 ||
        json_object_set_new(comment, "public", json_boolean(desk->public_comments)) != 0)
        return NULL;
    return comment;
}

static int add_tag(json_t *ticket)
{
    json_t *tags = json_array(); /* stolen by the ticket */

    return json_array_append_new(tags, json_string("tocsin")) |
           json_object_set_new(ticket, "tags", tags);
}

static int fill_new(json_t *ticket, const struct zendesk *desk, const struct incident *inc)
{
    json_t *comment = add_comment(ticket, desk); /* borrowed */
    char id[ID128_TEXT_BYTES];
    int rc = comment != NULL ? 0 : -ENOMEM;

    id128_format(inc->id, id);
    rc |= payload_set_text(ticket, "subject", ticket_title(inc), TITLE_CHARS_MAX);
    if (rc == 0)
        rc |= ticket_set_description(comment, "body", inc);
    rc |= payload_set_text(ticket, "external_id", id, FIELD_CHARS_MAX);
    rc |= payload_set_text(ticket, "type", "incident", FIELD_CHARS_MAX);
    rc |= add_priority(ticket, inc);
    rc |= add_tag(ticket);
    if (desk->group_id != 0)
        rc |= payload_set_count(ticket, "group_id", desk->group_id);
    return rc;
}

static int fill_change(json_t *ticket, const struct zendesk *desk, const struct op *op)
{
    json_t *comment = add_comment(ticket, desk); /* borrowed */
    int rc = comment != NULL ? ticket_set_note(comment, "body", op) : -ENOMEM;

    if (op->kind == OP_ACK)
        return rc | payload_set_text(ticket, "status", "open", FIELD_CHARS_MAX);
    if (op->kind == OP_RESOLVE)
        return rc | payload_set_text(ticket, "status", "solved", FIELD_CHARS_MAX);
    return rc | add_priority(ticket, op->incident);
}

static int fill_twin(json_t *ticket, const struct zendesk *desk, const struct sink_remote *kept)
{
    json_t *comment = add_comment(ticket, desk); /* borrowed */
    char note[64 + SINK_LABEL_BYTES];

    snprintf(note, sizeof(note), "Duplicate of #%s: the same incident was opened twice.",
             kept->label);
    if (comment == NULL || payload_set_text(comment, "body", note, FIELD_CHARS_MAX) != 0)
        return -ENOMEM;
    return payload_set_text(ticket, "status", "solved", FIELD_CHARS_MAX);
}

static int set_target(const struct zendesk *desk, const struct sink_attempt *attempt,
                      struct sink_request *out)
{
    char id[ID128_TEXT_BYTES];

    switch (attempt->step) {
    case SINK_STEP_FIND:
        out->method = "GET";
        id128_format(attempt->op->incident->id, id);
        return ticket_set_url(out, desk->url, "/api/v2/tickets.json?external_id=%s", id);
    case SINK_STEP_CHANGE:
    case SINK_STEP_TWIN:
        out->method = "PUT";
        return ticket_set_url(out, desk->url, "/api/v2/tickets/%s.json",
                              attempt->step == SINK_STEP_TWIN ? attempt->twin->ref
                                                              : attempt->remote->ref);
    default:
        return ticket_set_url(out, desk->url, "/api/v2/tickets.json");
    }
}

static int set_ticket(const struct zendesk *desk, const struct sink_attempt *attempt,
                      struct sink_request *out)
{
    json_t *root = json_object(), *ticket = json_object(); /* ticket is stolen by root */
    int rc = json_object_set_new(root, "ticket", ticket);

    if (rc == 0 && attempt->step == SINK_STEP_CREATE)
        rc = fill_new(ticket, desk, attempt->op->incident);
    else if (rc == 0 && attempt->step == SINK_STEP_CHANGE)
        rc = fill_change(ticket, desk, attempt->op);
    else if (rc == 0)
        rc = fill_twin(ticket, desk, attempt->remote);
    if (rc == 0)
        return ticket_set_body(out, root);
    json_decref(root);
    return -ENOMEM;
}

static int build(const struct sink *sink, const struct sink_attempt *attempt,
                 struct sink_request *out, struct error *err)
{
    const struct zendesk *desk = sink->settings;
    char id[ID128_TEXT_BYTES];
    int rc = set_target(desk, attempt, out);

    error_set(err, "out of memory");
    if (rc == 0 && attempt->step != SINK_STEP_FIND)
        rc = set_ticket(desk, attempt, out);
    if (rc == 0)
        rc = sink_request_add_header(out, "Accept: application/json");
    if (rc == 0 && attempt->step == SINK_STEP_CREATE) {
        id128_format(attempt->op->id, id);
        rc = sink_request_add_header(out, "Idempotency-Key: %s", id);
    }
    if (rc != 0)
        return rc;
    return desk->token[0] != '\0'
               ? sink_request_add_header(out, "Authorization: Bearer %s", desk->token)
               : ticket_add_basic(out, desk->user, "/token", desk->api_token);
}

/* A ticket of the answer. False: it is none. */
static bool read_ticket(const void *settings, const json_t *ticket, struct sink_ticket *out)
{
    const char *status = json_string_value(json_object_get(ticket, "status"));
    const char *created = json_string_value(json_object_get(ticket, "created_at"));

    (void)settings;
    *out = (struct sink_ticket){0};
    if (!ticket_read_name(json_object_get(ticket, "id"), out->remote.ref, SINK_REF_BYTES))
        return false;
    snprintf(out->remote.label, sizeof(out->remote.label), "%.20s", out->remote.ref);
    snprintf(out->created, sizeof(out->created), "%s", created != NULL ? created : "");
    out->is_open =
        status == NULL || (strcmp(status, "solved") != 0 && strcmp(status, "closed") != 0);
    return true;
}

static enum sink_verdict read_answer(const struct sink *sink, enum sink_step step,
                                     struct id128 incident, const struct transport_answer *answer,
                                     enum sink_verdict by_status, struct sink_found *out,
                                     struct error *err)
{
    static const struct ticket_form form = {.one = "ticket",
                                            .list = "tickets",
                                            .key = "external_id",
                                            .what = "the tickets API",
                                            .read = read_ticket};

    /* Two changes met, or the first creation with this key is still under way. */
    if (answer->status == 409)
        return SINK_RETRY;
    return ticket_read_answer(&form, sink, step, incident, answer, by_status, out, err);
}

const struct sink_type sink_zendesk = {
    .name = "zendesk",
    .help = "Zendesk Support tickets. A repeated creation is answered with the first one's ticket, "
            "as long as its Idempotency-Key is remembered (class B).",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_bytes = sizeof(struct zendesk),
    .class_of = class_of,
    .check = check,
    .build = build,
    .read = read_answer,
};
