/*
 * watch_expect.c - the form of absence: a key that has shown a sign of life owes another one
 * within a time.
 *
 *   BEAT -> due = now + every -> BEAT -> due = now + every -> ... silence -> incident
 *                                                      BEAT: cleared, the key goes on
 *
 * What cannot be seen is not absent: while the topic of the key's last sign of life is blind
 * (correlate/blind.h), and for a while after, the timer is put off (semantics T4b). Of a sign that
 * was pushed nothing shows while the daemon is away (correlate/away.h).
 */
#include <string.h>
#include "correlate/away.h"
#include "correlate/correlation.h"
#include "correlate/image.h"

/* How long after blindness signs of life may take to come in, and how often a key looks whether
 * it is over; the latter is shorter, so that no look misses the time after it. */
enum { GRACE_MS = 60000, LOOK_AGAIN_MS = 10000 };

struct expected {
    int64_t last_ms;  /* sign of life; of a key that never gave one: when it was listed */
    int64_t since_ms; /* its silence counts from here, */
    int64_t due_ms;   /* and is looked at then: `every` later, or when it has been put off to */
    uint32_t listed;  /* generation of the rules that list it; 0: none */
    uint16_t part;    /* of the last sign of life */
    bool is_seen;     /* there was one */
    bool has_resumed; /* while its incident is open */
};

static void wait_from(struct expected *expected, const struct rule *rule, int64_t since_ms)
{
    expected->since_ms = since_ms;
    expected->due_ms = since_ms + rule->every_ms;
}

/* Did its topic bring the last sign of life? What was never seen may come by any. */
static bool is_of(const struct expected *expected, const struct engine *engine,
                  const struct part *part)
{
    return !expected->is_seen || strcmp(part->name, engine->parts[expected->part]->name) == 0;
}

static bool put_off_blind(const struct correlation *c, const struct rule *rule,
                          struct expected *expected, int64_t now_ms)
{
    const struct engine *engine = c->worker->engine;
    int64_t end_ms = INT64_MIN;

    for (unsigned i = 1; i < c->step->part_count; i++) {
        const struct part *part = engine->parts[i];
        if (!is_of(expected, engine, part))
            continue;
        if (part->remind_ms != INT64_MAX) {
            expected->due_ms = now_ms + LOOK_AGAIN_MS;
            return true;
        }
        if (part->blind_end_ms > end_ms)
            end_ms = part->blind_end_ms;
    }
    if (end_ms == INT64_MIN || now_ms >= end_ms + GRACE_MS)
        return false;
    wait_from(expected, rule, end_ms + GRACE_MS);
    return true;
}

/* Its silence at `now_ms` says nothing: it is looked at later. */
static bool put_off(const struct correlation *c, const struct rule *rule, struct expected *expected,
                    int64_t now_ms)
{
    const struct engine *engine = c->worker->engine;

    if (put_off_blind(c, rule, expected, now_ms))
        return true;
    if (expected->is_seen && !away_is_intake(engine->parts[expected->part]))
        return false;
    int64_t due_ms = away_due(engine, expected->since_ms, rule->every_ms, now_ms);
    if (due_ms <= now_ms)
        return false;
    expected->due_ms = due_ms;
    return true;
}

static void put_why(struct text_buffer *to, const struct opening *o)
{
    const struct expected *expected = o->found;

    text_put_string(to, expected->is_seen ? "nothing for " : "nothing since it was listed, ");
    text_put_duration(to, o->order->at_ms - expected->last_ms);
    text_put_string(to, expected->is_seen ? "" : " ago");
    text_put_string(to, " (expects an event every ");
    text_put_duration(to, o->rule->every_ms);
    text_put_string(to, ")");
}

static void expect_open(struct correlation *c, struct key_state *key, int64_t due_ms)
{
    const struct rule *rule = correlation_rule(c, key);
    struct expected *expected = key_body(key);
    struct order order = correlation_order(c, key, due_ms, ORDER_TIMER, ORDER_RULE);
    struct opening opening = {.rule = rule,
                              .key = key_words(key),
                              .order = &order,
                              .put_why = put_why,
                              .found = expected};
    struct open_incident *open = incident_open_by_timer(c, key, &opening);

    /* What is missing counts as one alert that nobody sent. */
    open->alert_count = open->open_count = open->untracked_open = 1;
    open->first_ts_ms = expected->last_ms;
    open->severity = rule->silence_severity;
    expected->has_resumed = false;
    incident_show(c, key, open, &order);
}

static void note(struct expected *expected, const struct rule *rule, const struct touch *touch)
{
    expected->last_ms = touch->order.at_ms;
    wait_from(expected, rule, touch->order.at_ms);
    expected->part = touch->order.part;
    expected->is_seen = true;
}

static void body_make(struct correlation *c, struct key_state *key)
{
    key_set_body(key, slab_alloc(&c->worker->slab, sizeof(struct expected)));
    *(struct expected *)key_body(key) = (struct expected){0};
}

static void expect_raise(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    if (key_body(key) == NULL)
        body_make(c, key);
    note(key_body(key), correlation_rule(c, key), touch);
    c->retired++;
}

/* Rules that take every event are told of no clears. */
static void expect_clear(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    (void)key;
    (void)touch;
    c->retired++;
}

static bool expect_touch_open(struct correlation *c, struct key_lane *lane, uint32_t number,
                              const struct touch *touch)
{
    struct key_state *key = key_at(lane, number);
    struct open_incident *open = key_open(key);
    struct expected *expected = open->body;

    note(expected, open->rule, touch);
    if (expected->has_resumed) {
        c->retired++;
        return true;
    }
    expected->has_resumed = true;
    open->open_count = open->untracked_open = 0;
    open->event_count++;
    c->correlated++;
    if (!open->member_evicted && incident_closes(open, touch->order.at_ms))
        return incident_close(c, lane, number, &touch->order, CAUSE_CLEARED);
    return true;
}

/* A former form's key that watches goes on as it would had the form in force been told of its last
 * sign of life: a host that fell silent before a reload is missed after it. False where that form
 * would not have it: the rule is gone, or lists others, or there was no sign of life. */
static bool goes_over(struct correlation *c, struct key_state *key)
{
    struct expected *expected = key_body(key);
    const uint32_t heir = rules_version_heir(c->rules, key->slot);

    if (heir == UINT32_MAX || c->rules->slots[heir].is_listed || !expected->is_seen)
        return false;
    rule_key_inherit(c, key, heir);
    wait_from(expected, correlation_rule(c, key), expected->last_ms);
    return true;
}

/* It goes on where it is listed, or where there was a sign of life; what was closed in its silence
 * is forgotten until there is one. A key of a former form goes on as one of the form in force. */
static bool expect_closed(struct correlation *c, struct key_state *key, int64_t at_ms)
{
    struct expected *expected = key_body(key);
    const uint32_t heir = rules_version_heir(c->rules, key->slot);

    if (heir == UINT32_MAX)
        return false;
    const struct rule *rule = c->rules->slots[heir].rule;
    if (!(rule->listed_count > 0 ? expected->listed != 0 : expected->has_resumed))
        return false;
    if (heir != key->slot) {
        rule_key_inherit(c, key, heir);
        wait_from(expected, rule, expected->last_ms);
    }
    if (expected->due_ms <= at_ms)
        wait_from(expected, rule, at_ms);
    return true;
}

void expect_take_over(struct correlation *c, struct key_state *key, uint32_t slot)
{
    struct expected *expected = key_body(key);
    const int64_t due_ms = expected->due_ms;

    rule_key_inherit(c, key, slot);
    wait_from(expected, correlation_rule(c, key), expected->last_ms);
    if (expected->due_ms < due_ms)
        expected->due_ms = due_ms;
}

void expect_list(struct correlation *c, struct key_state *key, int64_t at_ms)
{
    struct expected *expected;

    if (!key->is_open && key_body(key) == NULL) {
        body_make(c, key);
        expected = key_body(key);
        expected->last_ms = at_ms;
        wait_from(expected, correlation_rule(c, key), at_ms);
    }
    expected = key->is_open ? key_open(key)->body : key_body(key);
    expected->listed = c->rules->generation;
}

bool expect_unlist(const struct correlation *c, struct key_state *key)
{
    struct expected *expected = key->is_open ? key_open(key)->body : key_body(key);

    if (expected->listed == c->rules->generation)
        return false;
    expected->listed = 0;
    return true;
}

static int64_t expect_due(const struct correlation *c, const struct key_state *key)
{
    const struct expected *expected = key_body(key);

    (void)c;
    return expected->due_ms;
}

static void expect_timer(struct correlation *c, struct key_state *key, int64_t due_ms)
{
    struct expected *expected = key_body(key);

    if (!c->rules->slots[key->slot].current && !goes_over(c, key)) {
        slab_free(&c->worker->slab, expected, sizeof(*expected));
        key_set_body(key, NULL); /* it leaves */
        return;
    }
    if (expected->due_ms > due_ms)
        return; /* the form in force waits for longer */
    if (!put_off(c, correlation_rule(c, key), expected, due_ms))
        expect_open(c, key, due_ms);
}

static bool expect_is_empty(const struct correlation *c, const struct key_state *key)
{
    (void)c;
    return key_body(key) == NULL;
}

static uint32_t expect_pending(const struct correlation *c, const struct key_state *key)
{
    (void)c;
    (void)key;
    return 0;
}

static void expect_release(const struct rule *rule, struct key_state *key, struct slab *slab)
{
    (void)rule;
    slab_free(slab, key_body(key), sizeof(struct expected));
}

static void expect_save(const struct rule *rule, const struct key_state *key, struct image_out *out)
{
    const struct expected *expected = key_body(key);

    (void)rule;
    image_put_i64(out, expected->last_ms);
    image_put_i64(out, expected->since_ms);
    image_put_i64(out, expected->due_ms);
    image_put_u32(out, expected->listed);
    image_put_u32(out, expected->part);
    image_put_u32(out, expected->is_seen);
    image_put_u32(out, expected->has_resumed);
}

static void expect_load(struct correlation *c, const struct rule *rule, struct key_state *key,
                        struct image_in *in)
{
    struct expected *expected;

    body_make(c, key);
    expected = key_body(key);
    expected->last_ms = image_take_time(in);
    if (in->version >= 5)
        expected->since_ms = image_take_time(in);
    expected->due_ms = image_take_time(in);
    if (in->version < 5)
        expected->since_ms = expected->due_ms - rule->every_ms;
    else if (expected->since_ms > expected->due_ms)
        image_fail(in, "a sign of life is due before it is waited for");
    expected->listed = image_take_u32(in);
    expected->part =
        (uint16_t)image_take_below(in, c->step->part_count, "a sign of life came of no partition");
    expected->is_seen = image_take_flag(in);
    expected->has_resumed = image_take_flag(in);
}

static void expect_explain(const struct correlation *c, const struct key_state *key,
                           struct text_buffer *to)
{
    (void)key;
    text_put_string(to, "expects an event every ");
    text_put_duration(to, correlation_rule(c, key)->every_ms);
}

/* A key that has just shown a sign of life is as far from an incident as it can be. */
static double expect_near(const struct correlation *c, const struct key_state *key)
{
    (void)c;
    (void)key;
    return 0;
}

/* Of the sign of life that has just come. A replay knows of spells before they begin. */
static void expect_waits(const struct correlation *c, const struct key_state *key,
                         struct text_buffer *to)
{
    const struct engine *engine = c->worker->engine;
    const struct expected *expected = key_body(key);
    const int64_t every_ms = correlation_rule(c, key)->every_ms;
    const int64_t due_ms = expected->since_ms + every_ms;
    bool was_away = away_is_intake(engine->parts[expected->part]) &&
                    away_due(engine, expected->since_ms, every_ms, due_ms) > due_ms;

    text_put_string(to, was_away ? "nobody could push when the next was due"
                                 : "it was blind when the next was due");
}

const struct rule_form watch_expect = {
    .raise = expect_raise,
    .clear = expect_clear,
    .due = expect_due,
    .timer = expect_timer,
    .is_empty = expect_is_empty,
    .pending = expect_pending,
    .release = expect_release,
    .save = expect_save,
    .load = expect_load,
    .touch_open = expect_touch_open,
    .closed = expect_closed,
    .explain = expect_explain,
    .near = expect_near,
    .waits = expect_waits,
};
