/*
 * service_incidents.c - somebody takes an incident on, or says that it is over; see
 * service_parts.h.
 *
 * The act goes on record with the rule and the key of the incident, by which the engine finds it
 * again wherever the record is read; what came of it the engine says (daemon/owed_acts.h).
 */
#include "daemon/service_parts.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/log.h"
#include "ingest/intake_act.h"

enum { COMMENT_BYTES_MAX = 1 << 10 };

/* {"comment": "..."}, or nothing. Returns owned; NULL: a sentence says what is wrong. */
static json_t *read_body(const struct admin_pick *pick, struct error *err)
{
    json_error_t at;
    json_t *root, *comment; /* comment is borrowed */

    if (pick->bytes == 0)
        return json_object();
    root = json_loadb(pick->body, pick->bytes, JSON_REJECT_DUPLICATES, &at);
    comment = json_object_get(root, "comment");
    if (root == NULL)
        error_set(err, "line %d, column %d: %.200s", at.line, at.column, at.text);
    else if (!json_is_object(root) || json_object_size(root) > (comment != NULL))
        error_set(err, "the body is an object with a comment, {\"comment\": \"...\"}, or none");
    else if (comment != NULL && !json_is_string(comment))
        error_set(err, "comment is a text");
    else if (json_string_length(comment) > COMMENT_BYTES_MAX)
        error_set(err, "comment has at most %d bytes", COMMENT_BYTES_MAX);
    else
        return root;
    json_decref(root);
    return NULL;
}

static json_t *key_json(const struct incident *incident)
{
    json_t *key = json_array();

    for (unsigned i = 0; i < incident->field_count; i++) {
        struct text value = incident_field(incident, i, true);
        json_array_append_new(key, json_stringn(value.at, value.len));
    }
    return key;
}

/* What goes on record. `incident` is NULL where there is none. Returns owned; NULL for want of
 * memory. */
static json_t *act_body(const char *id, const json_t *said, const struct incident *incident)
{
    json_t *body = json_pack("{s:s,s:O*}", "id", id, "comment", json_object_get(said, "comment"));
    json_t *key = incident != NULL ? key_json(incident) : NULL;

    if (body == NULL || incident == NULL)
        return body;
    if (json_array_size(key) == incident->field_count &&
        json_object_set_new(body, "rule", json_string(incident->rule_id)) == 0 &&
        json_object_set_new(body, "key", key) == 0)
        return body;
    json_decref(key);
    json_decref(body);
    return NULL;
}

/* The answer without its last brace, which says whether it is done. */
static char *act_answer(const struct intake_act *act, const json_t *body, const char *outcome)
{
    char position[48], *text;
    json_t *root;

    snprintf(position, sizeof(position), "@intake/%llu", (unsigned long long)act->position);
    root = json_pack("{s:O,s:s,s:s,s:s}", "id", json_object_get(body, "id"), "by", act->who,
                     "outcome", outcome, "position", position);
    text = root != NULL ? json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(root);
    if (text != NULL)
        text[strlen(text) - 1] = '\0';
    return text;
}

/* Nothing of that id is open: that somebody tried is on record. */
static int refuse(struct service *service, const struct intake_act *act, struct error *err)
{
    error_set(err, "no incident that is open and watched has this id");
    return service_record_outcome(service, act, &(struct service_outcome){-ENOENT, err->text, NULL},
                                  err);
}

/* 0: the reply is taken, and is given later. */
static int act_on(struct service *service, const struct admin_pick *pick, bool closes,
                  struct admin_reply *reply, struct error *err)
{
    char who[SERVICE_WHO_BYTES], id[ID128_TEXT_BYTES], *answer;
    struct intake_act act = {
        .who = who, .from = pick->peer, .what = closes ? ACT_CLOSE : ACT_ACKNOWLEDGE};
    struct incident *incident;
    json_t *said, *body;
    struct id128 of;
    int rc = service_needs_intake(service, err);

    if (rc == 0)
        rc = service_authorize(service, pick, who, err);
    if (rc != 0)
        return rc;
    if (!id128_parse(pick->incident, &of)) {
        error_set(err, "an incident is named by all 32 digits of its id");
        return -EINVAL;
    }
    if (!durable_is_recovered(service->durable) || !intake_may_owe(service->intake)) {
        error_set(err, "the daemon starts or stops, or has too much to do; try again");
        return -EAGAIN;
    }
    said = read_body(pick, err);
    if (said == NULL)
        return -EINVAL;
    id128_format(of, id);
    incident = engine_incident(service->engine, of);
    body = act_body(id, said, incident);
    error_set(err, "out of memory");
    rc = body != NULL ? intake_act_begin(service->intake, &act, body, err) : -ENOMEM;
    if (rc == 0 && incident == NULL) {
        rc = refuse(service, &act, err);
    } else if (rc == 0) {
        answer = act_answer(&act, body, closes ? "closed" : "acknowledged");
        log_event(LOG_INFO, closes ? "incident_closed_by_hand" : "incident_acknowledged",
                  log_text("incident", id), log_text("who", who), log_text("from", pick->peer));
        intake_owe(service->intake, &act, closes, reply, answer);
    }
    incident_unref(incident);
    json_decref(said);
    json_decref(body);
    return rc;
}

static void act_and_answer(struct service *service, const struct admin_pick *pick, bool closes,
                           struct admin_reply *reply)
{
    struct error err = {""};
    int rc = act_on(service, pick, closes, reply, &err);

    if (rc != 0)
        admin_answer_sentence(reply, admin_code(rc), err.text);
}

void service_acknowledge(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    act_and_answer(self, pick, false, reply);
}

void service_close_incident(void *self, const struct admin_pick *pick, struct admin_reply *reply)
{
    act_and_answer(self, pick, true, reply);
}
