/*
 * history_json.c - see history_json.h.
 */
#include "daemon/history_json.h"

#include <errno.h>
#include "base/incident.h"
#include "rules/timestamp.h"
#include "sinks/payload.h"

static int set_text(json_t *object, const char *key, const char *text)
{
    return payload_set_text(object, key, text, HISTORY_TEXT_MAX);
}

/* Nothing where there is none that can be written. */
static int set_time(json_t *object, const char *key, int64_t ms)
{
    return timestamp_is_known(ms) ? payload_set_time(object, key, ms) : 0;
}

static int set_number(json_t *object, const char *key, int64_t number)
{
    return json_object_set_new(object, key, json_integer(number)) == 0 ? 0 : -ENOMEM;
}

/* New reference; NULL when memory is short. */
static json_t *incident_json(const struct history_incident *inc)
{
    const struct {
        const char *key, *text;
    } texts[] = {
        {"tenant", inc->tenant},     {"rule", inc->rule},         {"key", inc->key},
        {"severity", inc->severity}, {"priority", inc->priority}, {"title", inc->title},
        {"tier", inc->tier},         {"runbook", inc->runbook},   {"team", inc->team},
        {"source", inc->source},     {"resource", inc->resource}, {"check", inc->check},
        {"host", inc->host},         {"muted_by", inc->muted_by}, {"tickets", inc->tickets},
        {"acked_by", inc->acked_by}, {"last", inc->last}};
    json_t *object = json_object();
    char id[ID128_TEXT_BYTES];
    int rc;

    id128_format(inc->id, id);
    rc = set_text(object, "incident", id);
    rc |= json_object_set_new(object, "open", json_boolean(inc->ended_ms == INT64_MIN));
    rc |= set_time(object, "opened_at", inc->opened_ms);
    rc |= set_time(object, "ended_at", inc->ended_ms);
    rc |= set_time(object, "changed_at", inc->changed_ms);
    rc |= set_time(object, "first_event_at", inc->first_ts_ms);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        rc |= set_text(object, texts[i].key, texts[i].text);
    rc |= set_number(object, "changes", inc->changes);
    rc |= set_number(object, "events", inc->events);
    rc |= set_number(object, "alerts", inc->alerts);
    rc |= set_number(object, "open_alerts", inc->open_alerts);
    rc |= set_number(object, "told", inc->told);
    rc |= set_number(object, "owed", inc->owed);
    rc |= set_number(object, "dead", inc->dead);
    if (inc->lacking > 0)
        rc |= set_number(object, "changes_missing", inc->lacking);
    if (rc == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *change_json(const struct history_change *change)
{
    json_t *object = json_object();
    int rc = set_number(object, "number", change->number);

    rc |= set_time(object, "at", change->at_ms);
    rc |= set_text(object, "change", change->change);
    rc |= set_text(object, "cause", change->cause);
    rc |= set_text(object, "severity", change->severity);
    rc |= set_text(object, "priority", change->priority);
    rc |= set_number(object, "events", change->events);
    rc |= set_number(object, "alerts", change->alerts);
    rc |= set_number(object, "open_alerts", change->open_alerts);
    rc |= set_text(object, "title", change->title);
    rc |= set_text(object, "why", change->why);
    rc |= set_text(object, "message", change->message);
    rc |= set_text(object, "muted_by", change->muted_by);
    rc |= set_text(object, "by", change->by);
    rc |= set_text(object, "comment", change->comment);
    rc |= json_object_set_new(object, "told", json_array());
    if (rc == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *notification_json(const struct history_notification *told)
{
    json_t *object = json_object();
    int rc = set_text(object, "sink", told->sink);

    rc |= set_number(object, "number", told->number);
    rc |= set_text(object, "kind", told->kind);
    rc |= set_text(object, "state", told->state);
    rc |= set_time(object, "at", told->state_ms);
    rc |= set_number(object, "retries", told->retries);
    rc |= json_object_set_new(object, "may_exist", json_boolean(told->may_exist));
    rc |= set_text(object, "ticket", told->label);
    rc |= set_text(object, "reference", told->reference);
    rc |= set_text(object, "reason", told->reason);
    if (rc == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *member_json(const struct history_member *member)
{
    json_t *object = json_object();
    int rc = set_time(object, "at", member->at_ms);

    rc |= set_text(object, "severity", member->severity);
    rc |= set_text(object, "source", member->source);
    rc |= set_text(object, "resource", member->resource);
    rc |= set_text(object, "check", member->check);
    rc |= set_text(object, "dedup_key", member->dedup_key);
    rc |= set_text(object, "host", member->host);
    if (rc == 0)
        return object;
    json_decref(object);
    return NULL;
}

/* ---- a list ---- */

struct growing {
    json_t *root;  /* new */
    json_t *array; /* borrowed from it */
    bool is_short; /* of memory */
};

static void add(struct growing *growing, json_t *item)
{
    growing->is_short |= json_array_append_new(growing->array, item) != 0;
}

static void add_incident(void *self, const struct history_incident *incident)
{
    add(self, incident_json(incident));
}

/* Hands `growing` over, or says why not. */
static int finish(struct history_reader *reader, struct growing *growing, bool more,
                  int64_t as_of_ms, int rc, json_t **out, struct error *err)
{
    struct history_state state;

    history_reader_state(reader, &state);
    if (as_of_ms > state.now_ms)
        state.now_ms = as_of_ms;
    if (rc == 0 && (growing->is_short || growing->root == NULL ||
                    json_object_set_new(growing->root, "more", json_boolean(more)) != 0 ||
                    set_time(growing->root, "as_of", state.now_ms) != 0)) {
        error_set(err, "out of memory");
        rc = -ENOMEM;
    }
    if (rc == 0)
        *out = growing->root;
    else
        json_decref(growing->root);
    return rc;
}

int history_list_json(struct history_reader *reader, const struct history_filter *filter,
                      int64_t as_of_ms, json_t **out, struct error *err)
{
    struct growing growing = {.root = json_object(), .array = json_array()};
    bool more = false;
    int rc;

    growing.is_short = json_object_set_new(growing.root, "incidents", growing.array) != 0;
    if (growing.is_short)
        growing.array = NULL;
    rc = history_list(reader, filter, add_incident, &growing, &more, err);
    return finish(reader, &growing, more, as_of_ms, rc, out, err);
}

/* ---- a story ---- */

static void begin_story(void *self, const struct history_incident *incident)
{
    struct growing *growing = self;

    growing->root = incident_json(incident);
    growing->array = json_array();
    growing->is_short |= json_object_set_new(growing->root, "members", json_array()) != 0;
    if (json_object_set_new(growing->root, "timeline", growing->array) != 0) {
        growing->is_short = true;
        growing->array = NULL;
    }
}

static void add_change(void *self, const struct history_change *change)
{
    add(self, change_json(change));
}

/* To the change that it is of, which stands near its number. */
static void add_notification(void *self, const struct history_notification *told)
{
    struct growing *growing = self;
    size_t at = told->change > 0 ? (size_t)told->change : 0,
           count = json_array_size(growing->array);
    json_t *change = NULL; /* borrowed */

    for (at = at < count ? at : count; at > 0; at--) {
        change = json_array_get(growing->array, at - 1);
        if (json_integer_value(json_object_get(change, "number")) <= told->change)
            break;
    }
    growing->is_short |= count > 0 && json_array_append_new(json_object_get(change, "told"),
                                                            notification_json(told)) != 0;
}

static void add_member(void *self, const struct history_member *member)
{
    struct growing *growing = self;

    growing->is_short |=
        json_array_append_new(json_object_get(growing->root, "members"), member_json(member)) != 0;
}

int history_story_json(struct history_reader *reader, const char *digits, uint32_t rows_max,
                       int64_t as_of_ms, json_t **out, struct error *err)
{
    struct growing growing = {.root = NULL};
    const struct history_story story = {&growing, begin_story, add_change, add_notification,
                                        add_member};
    bool more = false;
    int rc = history_tell(reader, digits, rows_max, &story, &more, err);

    return finish(reader, &growing, more, as_of_ms, rc, out, err);
}
