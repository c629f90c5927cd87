/* page.c - see page.h. */
#include "daemon/page.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/units.h"

const char *page_kind_name(enum page_kind kind)
{
    static const char *const names[PAGE_KIND_COUNT] = {"open", "update", "ack", "resolve"};

    return names[kind];
}

const char *page_channel_name(enum page_channel channel)
{
    static const char *const names[PAGE_CHANNEL_COUNT] = {"pager", "webhook"};

    return names[channel];
}

static int kind_from_name(const char *name)
{
    for (int i = 0; name != NULL && i < PAGE_KIND_COUNT; i++)
        if (strcmp(name, page_kind_name((enum page_kind)i)) == 0)
            return i;
    return -1;
}

/* Copies object[name] where it is text, cut on a character's border. */
static void get_text(const json_t *object, const char *name, char *to, size_t bytes)
{
    const char *text = json_string_value(json_object_get(object, name));
    size_t length;

    to[0] = '\0';
    if (text == NULL)
        return;
    length = strlen(text);
    if (length >= bytes) {
        length = bytes - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
            length--;
    }
    memcpy(to, text, length);
    to[length] = '\0';
}

#define GET_TEXT(object, name, field) get_text(object, name, field, sizeof(field))

static int64_t get_time(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    struct error ignored;
    int64_t ms;

    return text != NULL && unit_parse_time(text, &ms, &ignored) == 0 ? ms : 0;
}

static json_t *load(const char *body, size_t bytes, struct error *err)
{
    json_error_t at;
    json_t *root = json_loadb(body, bytes, JSON_REJECT_DUPLICATES, &at);

    if (!json_is_object(root)) {
        error_set(err, "the body is not a JSON object");
        json_decref(root);
        return NULL;
    }
    return root;
}

/* A trigger as an opening. */
static int kind_from_action(const char *action)
{
    static const char *const actions[PAGE_KIND_COUNT] = {
        [PAGE_OPEN] = "trigger", [PAGE_ACK] = "acknowledge", [PAGE_RESOLVE] = "resolve"};

    for (int i = 0; action != NULL && i < PAGE_KIND_COUNT; i++)
        if (actions[i] != NULL && strcmp(action, actions[i]) == 0)
            return i;
    return -1;
}

int page_from_pagerduty(struct page *page, const char *body, size_t bytes, struct error *err)
{
    json_t *root = load(body, bytes, err); /* ours; all others are borrowed from it */
    const json_t *payload, *details;
    char severity[24];
    int rc = -EINVAL, kind;

    if (root == NULL)
        return rc;
    *page = (struct page){.channel = PAGE_BY_PAGER};
    kind = kind_from_action(json_string_value(json_object_get(root, "event_action")));
    payload = json_object_get(root, "payload");
    details = json_object_get(payload, "custom_details");
    GET_TEXT(root, "dedup_key", page->id);
    GET_TEXT(payload, "summary", page->title);
    GET_TEXT(payload, "severity", severity);
    if (json_string_value(json_object_get(root, "routing_key")) == NULL) {
        error_set(err, "routing_key is missing");
    } else if (kind < 0) {
        error_set(err, "event_action must be trigger, acknowledge or resolve");
    } else if (page->id[0] == '\0') {
        error_set(err, "dedup_key is missing");
    } else if (kind == PAGE_OPEN && (page->title[0] == '\0' || severity[0] == '\0' ||
                                     json_object_get(payload, "source") == NULL)) {
        error_set(err, "a trigger needs summary, source and severity in its payload");
    } else {
        rc = 0;
    }
    if (rc == 0) {
        page->change = (int64_t)json_integer_value(json_object_get(details, "change"));
        page->kind = kind == PAGE_OPEN && page->change > 1 ? PAGE_UPDATE : (enum page_kind)kind;
        page->opened_ms = get_time(details, "opened_at");
        GET_TEXT(details, "tenant", page->tenant);
        GET_TEXT(details, "rule", page->rule);
        GET_TEXT(details, "key", page->key);
        GET_TEXT(details, "priority", page->priority);
        GET_TEXT(details, "severity", page->severity);
        GET_TEXT(details, "change_cause", page->cause);
        page->alerts = (int64_t)json_integer_value(json_object_get(details, "alerts"));
        GET_TEXT(details, "why", page->why);
    }
    json_decref(root);
    return rc;
}

int page_from_webhook(struct page *page, const char *body, size_t bytes, struct error *err)
{
    json_t *root = load(body, bytes, err); /* ours; all others are borrowed from it */
    const json_t *inc;
    int kind;

    if (root == NULL)
        return -EINVAL;
    *page = (struct page){.channel = PAGE_BY_WEBHOOK};
    kind = kind_from_name(json_string_value(json_object_get(json_object_get(root, "op"), "kind")));
    inc = json_object_get(root, "incident");
    GET_TEXT(inc, "id", page->id);
    if (kind < 0 || page->id[0] == '\0') {
        error_set(err, "the document has no op kind or no incident id");
        json_decref(root);
        return -EINVAL;
    }
    page->kind = (enum page_kind)kind;
    page->change = (int64_t)json_integer_value(json_object_get(inc, "change_number"));
    page->opened_ms = get_time(inc, "opened_at");
    GET_TEXT(inc, "tenant", page->tenant);
    GET_TEXT(inc, "rule", page->rule);
    GET_TEXT(inc, "key", page->key);
    GET_TEXT(inc, "priority", page->priority);
    GET_TEXT(inc, "severity", page->severity);
    GET_TEXT(inc, "cause", page->cause);
    page->alerts = (int64_t)json_integer_value(json_object_get(inc, "alerts"));
    GET_TEXT(inc, "title", page->title);
    GET_TEXT(inc, "why", page->why);
    json_decref(root);
    return 0;
}

char *page_to_line(const struct page *page)
{
    json_t *root = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "by",
        page_channel_name(page->channel), "kind", page_kind_name(page->kind), "received",
        (json_int_t)page->received_ms, "opened", (json_int_t)page->opened_ms, "change",
        (json_int_t)page->change, "alerts", (json_int_t)page->alerts, "incident", page->id,
        "tenant", page->tenant, "rule", page->rule, "key", page->key, "priority", page->priority,
        "severity", page->severity, "cause", page->cause, "title", page->title, "why", page->why);
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT) : NULL;
    char *line = NULL;

    json_decref(root);
    if (text != NULL) {
        size_t length = strlen(text);
        line = realloc(text, length + 2);
        if (line == NULL)
            free(text);
        else
            memcpy(line + length, "\n", 2);
    }
    return line;
}

int page_from_line(struct page *page, const char *line, size_t bytes, struct error *err)
{
    json_t *root = load(line, bytes, err);
    const char *by;
    int kind;

    if (root == NULL)
        return -EINVAL;
    *page = (struct page){0};
    by = json_string_value(json_object_get(root, "by"));
    kind = kind_from_name(json_string_value(json_object_get(root, "kind")));
    GET_TEXT(root, "incident", page->id);
    if (by == NULL || kind < 0 || page->id[0] == '\0') {
        error_set(err, "not a line of received pages: by, kind or incident is missing");
        json_decref(root);
        return -EINVAL;
    }
    page->channel = strcmp(by, "webhook") == 0 ? PAGE_BY_WEBHOOK : PAGE_BY_PAGER;
    page->kind = (enum page_kind)kind;
    page->received_ms = (int64_t)json_integer_value(json_object_get(root, "received"));
    page->opened_ms = (int64_t)json_integer_value(json_object_get(root, "opened"));
    page->change = (int64_t)json_integer_value(json_object_get(root, "change"));
    page->alerts = (int64_t)json_integer_value(json_object_get(root, "alerts"));
    GET_TEXT(root, "tenant", page->tenant);
    GET_TEXT(root, "rule", page->rule);
    GET_TEXT(root, "key", page->key);
    GET_TEXT(root, "priority", page->priority);
    GET_TEXT(root, "severity", page->severity);
    GET_TEXT(root, "cause", page->cause);
    GET_TEXT(root, "title", page->title);
    GET_TEXT(root, "why", page->why);
    json_decref(root);
    return 0;
}
