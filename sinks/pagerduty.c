/*
 * pagerduty.c - PagerDuty Events API v2.
 *
 * Opens and updates are triggers with the incident id as dedup_key, so that any
 * repeat is folded by PagerDuty itself: class A. An update is a trigger too, for
 * the API has no other; PagerDuty logs it under the open alert. The API answers
 * 202 before it has processed anything and cannot be read back.
 *
 * Source: PagerDuty Events API v2 (PagerDuty/api-schema, reference/events-v2).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sinks/payload.h"
#include "base/plural.h"
#include "sinks/sink.h"

enum {
    ROUTING_KEY_CHARS = 32,
    SUMMARY_CHARS_MAX = 1024,
    /* Not limited by themselves, but the body is at 512 KB. With these, thirteen
     * details and six short fields of nothing but control characters (six bytes
     * each in JSON) come to 13 * 4096 * 6 + 7 * 1024 * 6 < 370,000 bytes. */
    FIELD_CHARS_MAX = 1024,
    DETAIL_CHARS_MAX = 4096,
};

struct pagerduty {
    struct sink_settings common;
    const char *routing_key;
    const char *url;
    const char *client;
    const char *client_url;
    const char *runbook_base;
};

static const struct sink_option options[] = {
    {"routing_key", OPT_SECRET, offsetof(struct pagerduty, routing_key), NULL,
     "Integration key of an Events API v2 integration, 32 characters.", 0, 0},
    {"url", OPT_URL, offsetof(struct pagerduty, url), "https://events.pagerduty.com/v2/enqueue",
     "Where events go; accounts in the EU use https://events.eu.pagerduty.com/v2/enqueue.", 0, 0},
    {"client", OPT_TEXT, offsetof(struct pagerduty, client), "tocsin",
     "Name of the monitoring client that PagerDuty shows.", 0, 0},
    {"client_url", OPT_TEXT, offsetof(struct pagerduty, client_url), "", "Link behind that name.",
     0, 0},
    {"runbook_base", OPT_TEXT, offsetof(struct pagerduty, runbook_base), "",
     "What is put before a runbook that is no URL, to make the link: https://wiki.example/.", 0, 0},
};

/* PagerDuty's scale has four words. */
enum pd_severity { PD_INFO, PD_WARNING, PD_ERROR, PD_CRITICAL };

static const char *const pd_words[] = {"info", "warning", "error", "critical"};

static const enum pd_severity pd_severities[SEVERITY_COUNT] = {
    [SEVERITY_OK] = PD_INFO,           [SEVERITY_DEBUG] = PD_INFO,    [SEVERITY_INFO] = PD_INFO,
    [SEVERITY_WARNING] = PD_WARNING,   [SEVERITY_MINOR] = PD_WARNING, [SEVERITY_MAJOR] = PD_ERROR,
    [SEVERITY_CRITICAL] = PD_CRITICAL,
};

/* PagerDuty makes urgency, and so whether somebody's telephone rings, from this word; the
 * rule says it with its priority. A P1 made of warnings must ring, so the priority raises
 * the word. It never lowers it. */
static const char *severity_word(const struct incident *inc)
{
    enum pd_severity severity = pd_severities[inc->severity];
    enum pd_severity least = inc->priority == PRIORITY_P1   ? PD_CRITICAL
                             : inc->priority == PRIORITY_P2 ? PD_ERROR
                                                            : PD_INFO;

    return pd_words[severity > least ? severity : least];
}

static const char *const action_words[] = {
    [OP_OPEN] = "trigger",
    [OP_UPDATE] = "trigger",
    [OP_ACK] = "acknowledge",
    [OP_RESOLVE] = "resolve",
};

static enum sink_class class_of(const void *settings)
{
    (void)settings;
    return SINK_CLASS_A;
}

static int check(const struct sink *sink, struct error *err)
{
    const struct pagerduty *pd = sink->settings;
    size_t chars = strlen(pd->routing_key);

    /* Empty means a reference that was not read: sink_config_check(). */
    if (chars == ROUTING_KEY_CHARS || (chars == 0 && !sink->is_resolved))
        return 0;
    error_set(err, "option \"routing_key\": has %zu character%s and must have %d", chars,
              plural(chars), ROUTING_KEY_CHARS);
    return -EINVAL;
}

/* What the incident is about: its key without the tenant, of a lone host or resource its
 * name. Not the host of the event that opened it: of a rack that is one of many. */
static const char *scope_of(const struct incident *inc)
{
    size_t tenant_bytes = strlen("tenant=") + strlen(inc->tenant);
    const char *rest;

    if (strlen(inc->key) <= tenant_bytes || inc->key[tenant_bytes] != ' ')
        return "";
    rest = inc->key + tenant_bytes + 1;
    if (strchr(rest, '=') != strrchr(rest, '='))
        return rest;
    if (strncmp(rest, "host=", 5) == 0)
        return rest + 5;
    return strncmp(rest, "resource=", 9) == 0 ? rest + 9 : rest;
}

/* The first of the texts that says something. */
static const char *first_of(const char *a, const char *b, const char *c, const char *d)
{
    return a[0] != '\0' ? a : b[0] != '\0' ? b : c[0] != '\0' ? c : d;
}

static int add_details(json_t *details, const struct incident *inc)
{
    char id[ID128_TEXT_BYTES];
    int rc = 0;

    /* In the order in which somebody who was just woken wants to know it. */
    rc |= payload_set_text(details, "why", inc->why, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "message", inc->message, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "runbook", inc->runbook, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "tenant", inc->tenant, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "rule", inc->rule_id, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "key", inc->key, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "priority", priority_name(inc->priority), FIELD_CHARS_MAX);
    rc |= payload_set_text(details, "severity", severity_name(inc->severity), FIELD_CHARS_MAX);
    rc |= payload_set_text(details, "monitored_by", inc->source, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "host", inc->host, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "resource", inc->resource, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "check", inc->check, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "team", inc->team, DETAIL_CHARS_MAX);
    rc |= payload_set_text(details, "tier", inc->tier, DETAIL_CHARS_MAX);
    rc |= payload_set_count(details, "change", inc->change_number);
    rc |=
        payload_set_text(details, "change_cause", incident_cause_name(inc->cause), FIELD_CHARS_MAX);
    rc |= payload_set_time(details, "opened_at", inc->opened_ms);
    rc |= payload_set_time(details, "first_event_at", inc->first_ts_ms);
    rc |= payload_set_count(details, "events", inc->event_count);
    rc |= payload_set_count(details, "alerts", inc->alert_count);
    rc |= payload_set_count(details, "open_alerts", inc->open_count);
    id128_format(inc->id, id);
    rc |= payload_set_text(details, "incident_id", id, FIELD_CHARS_MAX);
    return rc;
}

static bool is_url(const char *text)
{
    return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

/* The link to the runbook, where there is one. `root` is borrowed. */
static int add_link(json_t *root, const struct pagerduty *pd, const struct incident *inc)
{
    char href[FIELD_CHARS_MAX];
    json_t *link, *links; /* stolen by the calls below */
    int bytes, rc;

    bytes = snprintf(href, sizeof(href), "%s%s", is_url(inc->runbook) ? "" : pd->runbook_base,
                     inc->runbook);
    if (inc->runbook[0] == '\0' || !is_url(href) || bytes >= (int)sizeof(href))
        return 0; /* half a URL leads nowhere; the details have it whole */
    link = json_object();
    links = json_array();
    rc = json_array_append_new(links, link);
    rc |= json_object_set_new(root, "links", links);
    if (rc != 0)
        return -ENOMEM;
    rc |= payload_set_text(link, "href", href, FIELD_CHARS_MAX);
    rc |= payload_set_text(link, "text", "runbook", FIELD_CHARS_MAX);
    return rc;
}

/* The payload and the rest of a trigger. `root` is borrowed. */
static int add_trigger(json_t *root, const struct pagerduty *pd, const struct incident *inc)
{
    json_t *payload = json_object(), *details = json_object(); /* stolen by the set calls */
    const char *summary = first_of(inc->title, inc->message, inc->rule_id, "incident");
    const char *source = first_of(scope_of(inc), inc->host, inc->resource, "tocsin");
    int rc = 0;

    rc |= json_object_set_new(root, "payload", payload);
    rc |= json_object_set_new(payload, "custom_details", details);
    if (rc != 0)
        return -ENOMEM;
    rc |= payload_set_text(payload, "summary", summary, SUMMARY_CHARS_MAX);
    rc |= payload_set_text(payload, "source", source, FIELD_CHARS_MAX);
    rc |= payload_set_text(payload, "severity", severity_word(inc), FIELD_CHARS_MAX);
    rc |= payload_set_time(payload, "timestamp", inc->at_ms);
    rc |= payload_set_text(payload, "component", inc->resource, FIELD_CHARS_MAX);
    rc |=
        payload_set_text(payload, "group", first_of(inc->team, inc->tier, "", ""), FIELD_CHARS_MAX);
    rc |= payload_set_text(payload, "class", inc->check, FIELD_CHARS_MAX);
    rc |= add_details(details, inc);
    rc |= add_link(root, pd, inc);
    rc |= payload_set_text(root, "client", pd->client, FIELD_CHARS_MAX);
    rc |= payload_set_text(root, "client_url", pd->client_url, FIELD_CHARS_MAX);
    return rc == 0 ? 0 : -ENOMEM;
}

static int build(const struct sink *sink, const struct sink_attempt *attempt,
                 struct sink_request *out, struct error *err)
{
    const struct pagerduty *pd = sink->settings;
    const struct op *op = attempt->op;
    json_t *root = json_object();
    char id[ID128_TEXT_BYTES];
    int rc = 0;

    error_set(err, "out of memory");
    id128_format(op->incident->id, id);
    rc |= payload_set_text(root, "routing_key", pd->routing_key, FIELD_CHARS_MAX);
    rc |= payload_set_text(root, "event_action", action_words[op->kind], FIELD_CHARS_MAX);
    rc |= payload_set_text(root, "dedup_key", id, FIELD_CHARS_MAX); /* 32 of at most 255 */
    if (op->kind == OP_OPEN || op->kind == OP_UPDATE)
        rc |= add_trigger(root, pd, op->incident);
    if (rc == 0)
        out->body = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (out->body == NULL)
        return -ENOMEM;
    out->body_bytes = strlen(out->body);
    out->url = pd->url;
    return sink_request_add_header(out, "Content-Type: application/json");
}

/* True when one of the answer's errors is about the routing key. */
static bool blames_routing_key(const json_t *root)
{
    json_t *item; /* borrowed */
    size_t i;

    json_array_foreach (json_object_get(root, "errors"), i, item) {
        const char *text = json_string_value(item);
        if (text != NULL &&
            (strcasestr(text, "routing_key") != NULL || strcasestr(text, "routing key") != NULL))
            return true;
    }
    return false;
}

static enum sink_verdict judge(const struct sink *sink, const struct transport_answer *answer,
                               enum sink_verdict by_status, struct error *err)
{
    enum sink_verdict verdict = by_status;
    json_t *root; /* ours */
    const char *status;

    (void)sink;
    if (by_status != SINK_DELIVERED && answer->status != 400)
        return by_status;
    root = json_loadb(answer->body, answer->body_bytes, 0, NULL);
    status = json_string_value(json_object_get(root, "status"));
    if (by_status == SINK_DELIVERED && (status == NULL || strcmp(status, "success") != 0)) {
        /* A log-in page or a proxy answered in PagerDuty's place. */
        error_set(err, "HTTP %d, but the body does not say \"status\":\"success\"", answer->status);
        verdict = SINK_RETRY;
    } else if (answer->status == 400 && blames_routing_key(root)) {
        /* 400 is how the API says what others say with 401. */
        error_set(err, "HTTP 400: the routing key is refused");
        verdict = SINK_HELD;
    }
    json_decref(root);
    return verdict;
}

const struct sink_type sink_pagerduty = {
    .name = "pagerduty",
    .help = "PagerDuty, Events API v2. A repeated request is folded by its dedup_key (class A).",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .settings_bytes = sizeof(struct pagerduty),
    .class_of = class_of,
    .check = check,
    .build = build,
    .judge = judge,
};
