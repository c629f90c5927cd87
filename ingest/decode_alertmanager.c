/*
 * decode_alertmanager.c - the body of Alertmanager's webhook, version 4.
 *
 *   {"externalURL": S, "receiver": S, "truncatedAlerts": N,
 *    "alerts": [{"status": "firing" | "resolved", "labels": {...}, "annotations": {...},
 *                "startsAt": T, "endsAt": T, "fingerprint": S}, ...]}
 *
 * One body mixes firing and resolved alerts, a firing one carries an end in the
 * year 1, a resolve may come with another start and without annotations. What
 * identifies an alert is its fingerprint; a sender that leaves it out gets the same
 * number computed from the labels.
 * Source: Alertmanager documentation, "webhook_config"; fingerprint: prometheus/common,
 *         model/signature.go (FNV-1a over names and values, each followed by 0xff).
 */
#include "ingest/decode.h"

#include "ingest/event_time.h"
#include "base/severity.h"

enum envelope_field {
    ENVELOPE_EXTERNAL_URL,
    ENVELOPE_RECEIVER,
    ENVELOPE_TRUNCATED,
    ENVELOPE_ALERTS,
    ENVELOPE_FIELD_COUNT
};
static const char *const envelope_names[ENVELOPE_FIELD_COUNT] = {"externalURL", "receiver",
                                                                 "truncatedAlerts", "alerts"};

enum alert_field {
    ALERT_STATUS,
    ALERT_STARTS_AT,
    ALERT_ENDS_AT,
    ALERT_FINGERPRINT,
    ALERT_TEXT_COUNT, /* fields above are strings */
    ALERT_LABELS = ALERT_TEXT_COUNT,
    ALERT_ANNOTATIONS,
    ALERT_FIELD_COUNT
};
static const char *const alert_names[ALERT_FIELD_COUNT] = {
    "status", "startsAt", "endsAt", "fingerprint", "labels", "annotations"};

/* Labels that say what the alert is about, the better one first. */
enum label_role {
    LABEL_ALERTNAME,
    LABEL_SEVERITY,
    LABEL_INSTANCE,
    LABEL_HOST,
    LABEL_HOSTNAME,
    LABEL_NODE,
    LABEL_POD,
    LABEL_SERVICE,
    LABEL_JOB,
    LABEL_ROLE_COUNT
};
static const char *const label_names[LABEL_ROLE_COUNT] = {
    "alertname", "severity", "instance", "host", "hostname", "node", "pod", "service", "job"};

enum annotation {
    ANNOTATION_SUMMARY,
    ANNOTATION_DESCRIPTION,
    ANNOTATION_MESSAGE,
    ANNOTATION_COUNT
};
static const char *const annotation_names[ANNOTATION_COUNT] = {"summary", "description", "message"};

struct alert {
    uint32_t seen;
    struct text text[ALERT_TEXT_COUNT];
    const char *name_at[ALERT_FIELD_COUNT];
    struct text label[LABEL_ROLE_COUNT];
    struct text annotation[ANNOTATION_COUNT];
};

static const struct json_cursor refused = {NULL, NULL};

void decode_alertmanager_init(struct decoder *decoder)
{
    json_keys_init(&decoder->envelope_keys, envelope_names, ENVELOPE_FIELD_COUNT);
    json_keys_init(&decoder->alert_keys, alert_names, ALERT_FIELD_COUNT);
    json_keys_init(&decoder->label_keys, label_names, LABEL_ROLE_COUNT);
    json_keys_init(&decoder->annotation_keys, annotation_names, ANNOTATION_COUNT);
}

/* A string or null. */
static struct json_cursor take_text(struct json_scan *scan, struct json_cursor cursor,
                                    struct text *text, const char *wrong_type)
{
    const char *at = cursor.at;

    if (*at == '"') {
        if (!json_scan_string(scan, &cursor, text))
            cursor.at = NULL;
        return cursor;
    }
    if (*at == 'n')
        return json_scan_literal(scan, cursor);
    return json_scan_fault(scan, REJECT_SCHEMA, at, wrong_type);
}

/* Enters an object, or steps over null. Returns what comes: an item, or nothing. */
static struct json_cursor enter_object(struct json_scan *scan, struct json_cursor cursor,
                                       const char *wrong_type, enum json_step *step)
{
    *step = JSON_STEP_END;
    if (*cursor.at == 'n')
        return json_scan_literal(scan, cursor);
    if (*cursor.at != '{')
        return json_scan_fault(scan, REJECT_SCHEMA, cursor.at, wrong_type);
    cursor.at = json_scan_blank(cursor.at + 1);
    if (*cursor.at == '}')
        cursor.at++;
    else
        *step = JSON_STEP_MORE;
    return cursor;
}

static struct json_cursor alert_labels(struct decoder *decoder, struct json_cursor cursor,
                                       struct alert *alert, struct event_draft *draft)
{
    struct json_scan *scan = &decoder->scan;

    if (*cursor.at == 'n')
        return json_scan_literal(scan, cursor);
    if (*cursor.at != '{')
        return json_scan_fault(scan, REJECT_SCHEMA, cursor.at, "labels must be an object");
    cursor = decode_labels(decoder, cursor, draft);
    if (cursor.at == NULL)
        return cursor;
    for (uint32_t i = 0; i < draft->label_count; i++) {
        const struct event_label *label = &draft->labels[i];
        uint32_t role = json_keys_find(&decoder->label_keys, label->name,
                                       json_scan_head(scan, label->name), LABEL_ROLE_COUNT);
        if (role < LABEL_ROLE_COUNT)
            alert->label[role] = label->value;
    }
    return cursor;
}

static struct json_cursor alert_annotations(struct decoder *decoder, struct json_cursor cursor,
                                            unsigned depth, struct alert *alert)
{
    struct json_scan *scan = &decoder->scan;
    uint32_t object = ++scan->names->objects;
    enum json_step step;
    struct text name;

    cursor = enter_object(scan, cursor, "annotations must be an object", &step);
    while (cursor.at != NULL && step == JSON_STEP_MORE) {
        const char *at = cursor.at;
        if (!json_scan_name(scan, &cursor, &name))
            return refused;
        uint64_t head = json_scan_head(scan, name);
        if (!json_scan_add_name(scan, object, name, head, at))
            return refused;
        uint32_t id = json_keys_find(&decoder->annotation_keys, name, head, ANNOTATION_COUNT);
        cursor = id == ANNOTATION_COUNT ? json_scan_skip(scan, cursor, depth + 1)
                                        : take_text(scan, cursor, &alert->annotation[id],
                                                    "an annotation must be a string");
        if (cursor.at == NULL)
            return cursor;
        step = json_scan_step(scan, &cursor, '}');
    }
    return step == JSON_STEP_FAULT ? refused : cursor;
}

/* Puts labels in order whose names are not all known: a rare path, and labels are few. */
static void order_labels(const struct event_draft *draft, uint16_t *order)
{
    for (uint32_t i = 0; i < draft->label_count; i++) {
        struct text name = draft->labels[i].name;
        uint32_t j = i;
        for (; j > 0; j--) {
            struct text other = draft->labels[order[j - 1]].name;
            uint32_t common = name.len < other.len ? name.len : other.len;
            int way = memcmp(other.at, name.at, common);
            if (way < 0 || (way == 0 && other.len <= name.len))
                break;
            order[j] = order[j - 1];
        }
        order[j] = (uint16_t)i;
    }
}

/* Alertmanager's number of a label set, as 16 hexadecimal digits in the scratch. */
static struct text labels_fingerprint(struct json_scan *scan, const struct event_draft *draft)
{
    uint16_t made[RECORD_FIELDS_MAX];
    const uint16_t *order = draft->label_order;
    uint64_t hash = 0xcbf29ce484222325ULL;
    char *digits = scan->scratch_at;

    if (order == NULL) {
        order_labels(draft, made);
        order = made;
    }
    for (uint32_t i = 0; i < draft->label_count; i++) {
        const struct event_label *label = &draft->labels[order[i]];
        const struct text part[2] = {label->name, label->value};
        for (int p = 0; p < 2; p++) {
            for (uint32_t b = 0; b < part[p].len; b++)
                hash = (hash ^ (unsigned char)part[p].at[b]) * 0x100000001b3ULL;
            hash = (hash ^ 0xff) * 0x100000001b3ULL;
        }
    }
    for (int shift = 60; shift >= 0; shift -= 4)
        *scan->scratch_at++ = "0123456789abcdef"[hash >> shift & 15];
    return (struct text){digits, 16};
}

static struct text first_of(const struct text *texts, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        if (texts[i].len > 0)
            return texts[i];
    return (struct text){NULL, 0};
}

/* State and time: a firing alert's time is its start, a resolved one's its end. */
static bool finish_status(struct json_scan *scan, struct alert *alert, const char *begin,
                          struct event_draft *draft)
{
    struct text status = alert->text[ALERT_STATUS];
    int64_t ms[2];
    enum event_time_kind kind[2];

    if (status.len == 6 && memcmp(status.at, "firing", 6) == 0) {
        draft->state = EVENT_PROBLEM;
    } else if (status.len == 8 && memcmp(status.at, "resolved", 8) == 0) {
        draft->state = EVENT_CLEAR;
    } else {
        json_scan_fault(scan, REJECT_SCHEMA, begin,
                        "the status of an alert must be firing or resolved");
        return false;
    }
    for (int i = 0; i < 2; i++) {
        kind[i] = event_time_from_text(alert->text[ALERT_STARTS_AT + i], &ms[i]);
        if (kind[i] == EVENT_TIME_BAD) {
            json_scan_fault(scan, REJECT_SCHEMA, alert->name_at[ALERT_STARTS_AT + i],
                            "startsAt and endsAt must be times");
            return false;
        }
    }
    int which = draft->state == EVENT_CLEAR && kind[1] == EVENT_TIME_SET ? 1 : 0;
    draft->has_time = kind[which] == EVENT_TIME_SET;
    draft->time_ms = draft->has_time ? ms[which] : 0;
    return true;
}

static bool finish_alert(struct json_scan *scan, struct alert *alert, const char *begin,
                         struct event_draft *draft)
{
    int word = severity_from_word(alert->label[LABEL_SEVERITY]);

    /* The label is free text by convention: a word that we do not know is no
     * fault of the alert, and "none" or "ok" on a firing one does not end it. */
    if (word == WORD_UNKNOWN)
        word = SEVERITY_WARNING;
    draft->field[FIELD_CHECK] = alert->label[LABEL_ALERTNAME];
    draft->field[FIELD_RESOURCE] = first_of(alert->label, LABEL_INSTANCE, LABEL_ROLE_COUNT);
    draft->field[FIELD_MESSAGE] = first_of(alert->annotation, 0, ANNOTATION_COUNT);
    draft->field[FIELD_DEDUP_KEY] = alert->text[ALERT_FINGERPRINT];
    if (draft->field[FIELD_DEDUP_KEY].len == 0)
        draft->field[FIELD_DEDUP_KEY] = labels_fingerprint(scan, draft);
    if (!finish_status(scan, alert, begin, draft))
        return false;
    if (word == SEVERITY_OK && draft->state == EVENT_PROBLEM)
        word = SEVERITY_INFO;
    draft->severity = (uint8_t)word;
    return true;
}

static struct json_cursor alert_object(struct decoder *decoder, struct json_cursor cursor,
                                       unsigned depth)
{
    struct json_scan *scan = &decoder->scan;
    const char *begin = cursor.at;
    struct alert alert = {.seen = 0};
    struct event_draft *draft;
    enum json_step step;
    struct text name;

    if (!decode_new_draft(decoder, cursor.at, &draft))
        return refused;
    cursor = enter_object(scan, cursor, "an alert must be an object", &step);
    while (step == JSON_STEP_MORE) {
        const char *at = cursor.at;
        if (!json_scan_name(scan, &cursor, &name))
            return refused;
        uint64_t head = json_scan_head(scan, name);
        uint32_t field = json_keys_find(&decoder->alert_keys, name, head, ALERT_FIELD_COUNT);
        if (field == ALERT_FIELD_COUNT) {
            cursor = json_scan_add_name(scan, 0, name, head, at)
                         ? json_scan_skip(scan, cursor, depth + 1)
                         : refused;
        } else if (!decode_known_name(scan, field, &alert.seen, at)) {
            return refused;
        } else if (field == ALERT_LABELS) {
            cursor = alert_labels(decoder, cursor, &alert, draft);
        } else if (field == ALERT_ANNOTATIONS) {
            cursor = alert_annotations(decoder, cursor, depth + 1, &alert);
        } else {
            alert.name_at[field] = at;
            cursor = take_text(scan, cursor, &alert.text[field],
                               "status, startsAt, endsAt and fingerprint must be strings");
        }
        if (cursor.at == NULL)
            return cursor;
        step = json_scan_step(scan, &cursor, '}');
    }
    if (step == JSON_STEP_FAULT ||
        !decode_check_fields(scan, (uint32_t)__builtin_popcount(alert.seen), begin) ||
        !finish_alert(scan, &alert, begin, draft))
        return refused;
    return cursor;
}

static struct json_cursor alert_array(struct decoder *decoder, struct json_cursor cursor)
{
    struct json_scan *scan = &decoder->scan;
    enum json_step step = JSON_STEP_MORE;

    decoder->has_alerts = true;
    if (*cursor.at != '[')
        return json_scan_fault(scan, REJECT_SCHEMA, cursor.at, "alerts must be an array");
    cursor.at = json_scan_blank(cursor.at + 1);
    if (*cursor.at == ']') {
        cursor.at++;
        return cursor;
    }
    while (step == JSON_STEP_MORE) {
        if (*cursor.at != '{')
            return json_scan_fault(scan, REJECT_SCHEMA, cursor.at, "an alert must be an object");
        cursor = alert_object(decoder, cursor, 2);
        if (cursor.at == NULL)
            return cursor;
        step = json_scan_step(scan, &cursor, ']');
    }
    return step == JSON_STEP_FAULT ? refused : cursor;
}

struct envelope {
    uint32_t seen;
    struct text text[ENVELOPE_TRUNCATED];
    struct json_number truncated;
};

static struct json_cursor take_truncated(struct json_scan *scan, struct json_cursor cursor,
                                         struct json_number *number)
{
    if (*cursor.at == 'n')
        return json_scan_literal(scan, cursor);
    if (*cursor.at != '-' && (*cursor.at < '0' || *cursor.at > '9'))
        return json_scan_fault(scan, REJECT_SCHEMA, cursor.at,
                               "truncatedAlerts must be a whole number");
    const char *at = cursor.at;
    cursor = json_scan_number(scan, cursor, number);
    if (cursor.at != NULL &&
        (number->is_negative || number->exponent != 0 || number->mantissa > UINT32_MAX))
        return json_scan_fault(scan, REJECT_SCHEMA, at, "truncatedAlerts must be a whole number");
    return cursor;
}

struct json_cursor decode_alertmanager(struct decoder *decoder, struct json_cursor cursor)
{
    struct json_scan *scan = &decoder->scan;
    struct envelope envelope = {.seen = 0};
    const char *begin = cursor.at;
    enum json_step step;
    struct text name;

    scan->names = &scan->outer_names;
    json_scan_new_event(scan);
    cursor = enter_object(scan, cursor, "a body of Alertmanager must be an object", &step);
    if (cursor.at == NULL)
        return cursor;
    while (step == JSON_STEP_MORE) {
        const char *at = cursor.at;
        if (!json_scan_name(scan, &cursor, &name))
            return refused;
        uint64_t head = json_scan_head(scan, name);
        uint32_t field = json_keys_find(&decoder->envelope_keys, name, head, ENVELOPE_FIELD_COUNT);
        if (field == ENVELOPE_FIELD_COUNT) {
            cursor = json_scan_add_name(scan, 0, name, head, at) ? json_scan_skip(scan, cursor, 1)
                                                                 : refused;
        } else if (!decode_known_name(scan, field, &envelope.seen, at)) {
            return refused;
        } else if (field == ENVELOPE_ALERTS) {
            /* Each alert counts and compares names of its own. */
            scan->names = &scan->event_names;
            cursor = alert_array(decoder, cursor);
            scan->names = &scan->outer_names;
        } else if (field == ENVELOPE_TRUNCATED) {
            cursor = take_truncated(scan, cursor, &envelope.truncated);
        } else {
            cursor = take_text(scan, cursor, &envelope.text[field],
                               "externalURL and receiver must be strings");
        }
        if (cursor.at == NULL)
            return cursor;
        step = json_scan_step(scan, &cursor, '}');
    }
    if (step == JSON_STEP_FAULT ||
        !decode_check_fields(scan, (uint32_t)__builtin_popcount(envelope.seen), begin))
        return refused;
    if (!decoder->has_alerts)
        return json_scan_fault(scan, REJECT_SCHEMA, begin, "the body has no alerts");
    /* externalURL may come behind the alerts. */
    struct text source = first_of(envelope.text, 0, ENVELOPE_TRUNCATED);
    for (uint32_t i = 0; i < decoder->draft_count; i++) {
        decoder->drafts[i].field[FIELD_TENANT] = decoder->default_tenant;
        decoder->drafts[i].field[FIELD_SOURCE] = source;
    }
    decoder->missing_count = (uint32_t)envelope.truncated.mantissa;
    return cursor;
}
