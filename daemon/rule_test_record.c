/*
 * rule_test_record.c - see rule_test_record.h.
 *
 * Records are put in order first, as (arrival, place in the file), and written out then, so that
 * a partition's payloads lie in its order in one arena.
 */
#include "daemon/rule_test_record.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mark.h"
#include "daemon/rule_test_template.h"
#include "daemon/units.h"
#include "ingest/finite_source.h"
#include "rules/fields.h"

#define ARENA_BYTES_MAX ((size_t)1 << 30)

/* One record before it has bytes. */
struct plan {
    int64_t at_ms;
    uint32_t partition;
    uint32_t event;       /* index in the test */
    uint32_t i;           /* number in time, from 0 */
    uint32_t combination; /* of `each` */
    bool is_clear, has_value;
    double value;
};

struct test_feed {
    struct finite_feed base; /* first: feed ops cast back */
    struct record *records;
    const struct plan *plans; /* one for each record */
    size_t count, next;
};

struct rule_test_source {
    struct finite_source base; /* first: source ops cast back */
    struct arena *arena;
    const struct rule_test *test;
    struct plan *plans;
    size_t plan_count;
    struct test_feed *feeds;
    struct mark *marks;
    size_t mark_count;
    /* The record that is being written out. */
    char *text;
    size_t used, room;
    bool out_of_memory;
};

/* ---- serving ---- */

static size_t feed_take(struct feed *feed, const struct record **out, size_t max)
{
    struct test_feed *self = (struct test_feed *)feed;
    size_t count = self->count - self->next < max ? self->count - self->next : max;

    *out = self->records + self->next;
    self->next += count;
    return count;
}

static void feed_release(struct feed *feed)
{
    struct test_feed *self = (struct test_feed *)feed;

    if (self->next == self->count)
        finite_feed_finish(&self->base);
}

static const struct feed_ops feed_ops = {feed_take, feed_release, finite_feed_state,
                                         finite_feed_end_proof, NULL};

static void source_close(struct source *source)
{
    (void)source; /* its owner destroys it */
}

static const struct source_ops source_ops = {
    .changes = finite_source_changes,
    .drop = finite_source_drop,
    .wake_on = finite_source_wake_on,
    .ready = finite_source_ready,
    .close = source_close,
};

/* ---- writing JSON ---- */

static void put(void *self, const char *at, size_t bytes)
{
    struct rule_test_source *source = self;

    if (source->used > RECORD_BYTES_MAX)
        return; /* it is refused as too long, however much longer it were */
    if (source->room - source->used < bytes) {
        size_t room = 2 * source->room + bytes + 512;
        char *larger = realloc(source->text, room);
        if (larger == NULL) {
            source->out_of_memory = true;
            return;
        }
        source->text = larger;
        source->room = room;
    }
    memcpy(source->text + source->used, at, bytes);
    source->used += bytes;
}

static void put_word(struct rule_test_source *source, const char *word)
{
    put(source, word, strlen(word));
}

/* The inside of a JSON string. */
static void put_escaped(void *self, const char *at, size_t bytes)
{
    size_t plain = 0;
    char escape[8];

    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(self, at + plain, i - plain);
        snprintf(escape, sizeof(escape), "\\u%04x", c);
        put(self, escape, 6);
        plain = i + 1;
    }
    put(self, at + plain, bytes - plain);
}

static void put_text(struct rule_test_source *source, const struct plan *plan, struct text text)
{
    put_word(source, "\"");
    template_expand(text, &source->test->events[plan->event], plan->i, plan->combination,
                    put_escaped, source);
    put_word(source, "\"");
}

/* `"name":`, after a comma where something stands before it. */
static void put_name(struct rule_test_source *source, const char *name)
{
    char last = source->used > 0 ? source->text[source->used - 1] : '\0';

    put_word(source, last == '{' || last == '[' || last == '\0' ? "\"" : ",\"");
    put_escaped(source, name, strlen(name));
    put_word(source, "\":");
}

static void put_pairs(struct rule_test_source *source, const struct plan *plan, const char *name,
                      const struct yaml_node *under, const struct yaml_node *over)
{
    put_name(source, name);
    put_word(source, "{");
    for (const struct yaml_node *at = under != NULL ? under->first : NULL; at != NULL;
         at = at->next)
        if (over == NULL || yaml_node_find(over, at->key->text.at) == NULL) {
            put_name(source, at->key->text.at);
            put_text(source, plan, at->text);
        }
    for (const struct yaml_node *at = over != NULL ? over->first : NULL; at != NULL;
         at = at->next) {
        put_name(source, at->key->text.at);
        put_text(source, plan, at->text);
    }
    put_word(source, "}");
}

static void put_time(struct rule_test_source *source, const char *name, int64_t ms)
{
    char text[UNIT_TEXT_BYTES];

    put_name(source, name);
    put_word(source, "\"");
    put_word(source, unit_format_time(source->test->settings.start_ms + ms, text));
    put_word(source, "\"");
}

static int64_t own_time(const struct rule_test_event *event, const struct plan *plan)
{
    return event->own == OWN_TIME_AT     ? event->own_ms + plan->i * event->every_ms
           : event->own == OWN_TIME_LATE ? plan->at_ms - event->own_ms
                                         : plan->at_ms;
}

static void put_native(struct rule_test_source *source, const struct plan *plan)
{
    const struct rule_test_event *event = &source->test->events[plan->event];
    const struct rule_test_fields *defaults = &source->test->defaults;
    char number[40];

    put_word(source, "{");
    for (int i = 0; i < RULE_TEST_FIELD_VALUE; i++) {
        const struct yaml_node *node =
            event->fields.field[i] != NULL ? event->fields.field[i] : defaults->field[i];
        if (node == NULL || (plan->is_clear && strcmp(rule_test_field_names[i], "state") == 0))
            continue;
        put_name(source, rule_test_field_names[i]);
        put_text(source, plan, node->text);
    }
    if (plan->is_clear) {
        put_name(source, "state");
        put_word(source, "\"clear\"");
    }
    if (plan->has_value) {
        snprintf(number, sizeof(number), "%.15g", plan->value);
        put_name(source, "value");
        put_word(source, number);
    } else if (event->values == NULL) {
        const struct yaml_node *value = event->fields.field[RULE_TEST_FIELD_VALUE] != NULL
                                            ? event->fields.field[RULE_TEST_FIELD_VALUE]
                                            : defaults->field[RULE_TEST_FIELD_VALUE];
        if (value != NULL) {
            put_name(source, "value");
            put_word(source, value->text.at);
        }
    }
    if (event->own != OWN_TIME_NONE)
        put_time(source, "time", own_time(event, plan));
    if (event->fields.labels != NULL || defaults->labels != NULL)
        put_pairs(source, plan, "labels", defaults->labels, event->fields.labels);
    put_word(source, "}");
}

/* A time that an alert gives, on the test's clock; it was checked when it was read. */
static int64_t alert_time(const struct rule_test *test, const struct yaml_node *node)
{
    const char *text = node->text.at;
    struct error err;
    int64_t ms = 0;

    if (node->text.len >= 10 && text[4] == '-' && text[7] == '-')
        return unit_parse_time(text, &ms, &err) == 0 ? ms - test->settings.start_ms : 0;
    unit_parse_duration(text + (text[0] == '-'), &ms, &err);
    return text[0] == '-' ? -ms : ms;
}

static void put_alert(struct rule_test_source *source, const struct plan *plan,
                      const struct yaml_node *alert)
{
    const struct rule_test_event *event = &source->test->events[plan->event];
    const struct yaml_node *status = yaml_node_find(alert, "status");
    const struct yaml_node *starts = yaml_node_find(alert, "startsAt");
    const struct yaml_node *ends = yaml_node_find(alert, "endsAt");
    bool is_resolved = plan->is_clear || (status != NULL && text_equals(status->text, "resolved"));
    int64_t at = own_time(event, plan);

    put_word(source, source->text[source->used - 1] == '[' ? "{" : ",{");
    put_name(source, "status");
    put_word(source, is_resolved ? "\"resolved\"" : "\"firing\"");
    put_pairs(source, plan, "labels", yaml_node_find(alert, "labels"), NULL);
    put_pairs(source, plan, "annotations", yaml_node_find(alert, "annotations"), NULL);
    put_time(source, "startsAt", starts != NULL ? alert_time(source->test, starts) : at);
    if (is_resolved || ends != NULL) {
        put_time(source, "endsAt", ends != NULL ? alert_time(source->test, ends) : at);
    } else {
        put_name(source, "endsAt");
        put_word(source, "\"0001-01-01T00:00:00Z\"");
    }
    put_word(source, "}");
}

static void put_alerts(struct rule_test_source *source, const struct plan *plan)
{
    const struct yaml_node *alerts = source->test->events[plan->event].alerts;

    put_word(source, "{\"version\":\"4\",\"receiver\":\"tocsin\",\"status\":\"firing\","
                     "\"externalURL\":\"http://alertmanager\",\"alerts\":[");
    if (alerts->kind == YAML_MAP)
        put_alert(source, plan, alerts);
    else
        for (const struct yaml_node *at = alerts->first; at != NULL; at = at->next)
            put_alert(source, plan, at);
    put_word(source, "]}");
}

static void record_write(struct rule_test_source *source, const struct plan *plan,
                         struct record *out)
{
    const struct rule_test_event *event = &source->test->events[plan->event];
    const char *payload;

    source->used = 0;
    if (event->form == RECORD_NATIVE)
        put_native(source, plan);
    else if (event->form == RECORD_ALERTS)
        put_alerts(source, plan);
    else
        put(source, event->record->text.at, event->record->text.len);
    payload = arena_copy(source->arena, source->used > 0 ? source->text : "", source->used);
    source->out_of_memory |= payload == NULL;
    out->payload = payload;
    out->bytes = (uint32_t)source->used;
    out->log_time_ms = source->test->settings.start_ms + plan->at_ms;
    out->leader_epoch = -1;
}

/* ---- planning ---- */

/* Where the i-th number of `values` stands. */
struct value_walk {
    const struct rule_test_values *at;
    uint32_t used;
};

static void value_next(struct value_walk *walk, const struct rule_test_event *event,
                       struct plan *plan, bool *is_none)
{
    while (walk->used == walk->at->count) {
        assert(walk->at + 1 < event->values + event->value_count);
        walk->at++;
        walk->used = 0;
    }
    *is_none = walk->at->kind == VALUE_NONE;
    plan->is_clear |= walk->at->kind == VALUE_CLEAR;
    plan->has_value = walk->at->kind == VALUE_NUMBER;
    plan->value = walk->at->from + walk->used * walk->at->by;
    walk->used++;
}

static void plan_event(struct rule_test_source *source, uint32_t index)
{
    const struct rule_test_event *event = &source->test->events[index];
    struct value_walk walk = {event->values, 0};

    for (uint32_t i = 0; i < event->count; i++) {
        struct plan plan = {.at_ms = event->at_ms + i * event->every_ms,
                            .partition = event->partition,
                            .event = index,
                            .i = i,
                            .is_clear = event->is_clear};
        bool is_none = false;
        if (event->values != NULL)
            value_next(&walk, event, &plan, &is_none);
        for (uint32_t c = 0; c < event->combined && !is_none; c++) {
            plan.combination = c;
            source->plans[source->plan_count++] = plan;
        }
    }
}

static int order_plans(const void *a, const void *b)
{
    const struct plan *x = a, *y = b;

    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->event != y->event)
        return x->event < y->event ? -1 : 1;
    if (x->i != y->i)
        return x->i < y->i ? -1 : 1;
    return x->combination < y->combination ? -1 : x->combination > y->combination;
}

static void mark_add(struct rule_test_source *source, enum mark_kind kind, uint32_t part,
                     int64_t offset, int64_t ms)
{
    source->marks[source->mark_count++] =
        (struct mark){.kind = kind,
                      .part = (uint16_t)part,
                      .offset = offset,
                      .value_ms = source->test->settings.start_ms + ms};
}

static void feed_fill(struct rule_test_source *source, uint32_t part, struct plan *plans,
                      size_t count, int64_t slack_ms)
{
    struct test_feed *feed = &source->feeds[part];
    int64_t sealed = INT64_MIN;

    *feed = (struct test_feed){
        .records = arena_alloc_many(source->arena, count + 1, sizeof(*feed->records)),
        .plans = plans,
        .count = count};
    feed->base.feed =
        (struct feed){.ops = &feed_ops, .topic = RULE_TEST_TOPIC, .partition = (int32_t)part};
    atomic_init(&feed->base.state, count > 0 ? FEED_LIVE : FEED_FINISHED);
    if (feed->records == NULL || !finite_source_add(&source->base, &feed->base)) {
        source->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        /* Not before the clock begins: what is watched from the beginning is watched from there. */
        int64_t seal = plans[i].at_ms > slack_ms ? plans[i].at_ms - slack_ms : 0;
        if (seal > sealed) {
            sealed = seal;
            mark_add(source, MARK_SEAL, part, (int64_t)i, sealed);
        }
        feed->records[i].offset = (int64_t)i;
        record_write(source, &plans[i], &feed->records[i]);
    }
    mark_add(source, MARK_SEAL, part, (int64_t)count, source->test->last_ms);
}

struct rule_test_source *rule_test_source_create(const struct rule_test *test, int64_t slack_ms)
{
    struct arena *arena = arena_create(ARENA_BYTES_MAX);
    struct rule_test_source *source = arena != NULL ? arena_alloc(arena, sizeof(*source)) : NULL;
    size_t from = 0;

    if (source == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    source->arena = arena;
    source->test = test;
    finite_source_init(&source->base, &source_ops);
    source->plans = arena_alloc_many(arena, test->record_count + 1, sizeof(*source->plans));
    source->feeds = arena_alloc_many(arena, test->partition_count + 1, sizeof(*source->feeds));
    source->marks = arena_alloc_many(arena, test->record_count + test->partition_count + 2,
                                     sizeof(*source->marks));
    if (source->plans == NULL || source->feeds == NULL || source->marks == NULL) {
        rule_test_source_destroy(source);
        return NULL;
    }
    for (uint32_t e = 0; e < test->event_count; e++)
        plan_event(source, e);
    assert(source->plan_count <= test->record_count);
    qsort(source->plans, source->plan_count, sizeof(*source->plans), order_plans);
    mark_add(source, MARK_BEGIN, 0, 0, 0);
    for (uint32_t part = 0; part < test->partition_count; part++) {
        size_t to = from;
        while (to < source->plan_count && source->plans[to].partition == part)
            to++;
        feed_fill(source, part, source->plans + from, to - from, slack_ms);
        from = to;
    }
    if (!source->out_of_memory)
        return source;
    rule_test_source_destroy(source);
    return NULL;
}

void rule_test_source_destroy(struct rule_test_source *source)
{
    if (source == NULL)
        return;
    finite_source_release(&source->base);
    free(source->text);
    arena_destroy(source->arena);
}

struct source *rule_test_source_base(struct rule_test_source *source)
{
    return &source->base.source;
}

const struct mark *rule_test_source_marks(const struct rule_test_source *source, size_t *count)
{
    *count = source->mark_count;
    return source->marks;
}

const struct rule_test_event *rule_test_source_event(const struct rule_test_source *source,
                                                     int32_t partition, int64_t offset)
{
    if (partition < 0 || (uint32_t)partition >= source->test->partition_count)
        return NULL;
    const struct test_feed *feed = &source->feeds[partition];
    if (offset < 0 || (size_t)offset >= feed->count)
        return NULL;
    return &source->test->events[feed->plans[offset].event];
}
