/*
 * watch_window.c - the form with a window: entries come and go, `when` looks at their
 * aggregates whenever it gains one, when it ends, or (`for`) whenever it is another.
 */
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "correlate/aggregates.h"
#include "correlate/correlation.h"
#include "correlate/exact_sum.h"
#include "correlate/image.h"
#include "correlate/bounds_tell.h"
#include "correlate/watch_window.h"
#include "correlate/window_full.h"
#include "correlate/window_sums.h"
#include "correlate/window_words.h"
#include "rules/needs.h"

/* key->form_flag: its window is a ring. */
static struct window window_of(const struct rule *rule, const struct key_state *key)
{
    return window_read(key_body(key), key->form_flag, rule);
}

static void window_keep(struct key_state *key, const struct window *window)
{
    key_set_body(key, window->block);
    key->form_flag = window->is_ring;
}

static void count_gone(const struct correlation *c, const struct key_state *key, uint64_t entries)
{
    correlation_hold(c, key, (uint64_t)0 - entries);
}

static void count_expired(struct correlation *c, const struct key_state *key, uint64_t entries)
{
    c->expired += entries;
    tally_add(&correlation_tally(c, key)->expired, entries);
    count_gone(c, key, entries);
}

/* Entries older than the window leave. */
static void slide(struct correlation *c, struct key_state *key, struct window *window,
                  int64_t now_ms)
{
    int64_t before_ms = now_ms - correlation_rule(c, key)->window_ms;
    uint32_t held = window->count;

    while (window->count > 0 && window_at_ms(window, 0) <= before_ms)
        window_pop(window, &c->worker->slab);
    if (held > window->count)
        count_expired(c, key, held - window->count);
}

static struct window_values *values_make(struct correlation *c, const struct rule *rule,
                                         const struct event_view *view)
{
    struct text text[RULE_AGGREGATES_MAX];
    char scratch[RULE_AGGREGATES_MAX][32];
    size_t bytes = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        if (rule->aggregate[i].kind != AGGREGATE_DISTINCT)
            continue;
        text[count] = rule_aggregate_value(rule, i, view, scratch[count]);
        bytes += text[count].len < VALUE_TEXT_BYTES ? text[count].len : VALUE_TEXT_BYTES;
        count++;
    }
    bytes += sizeof(struct window_values) + count * sizeof(struct window_value);
    struct window_values *values = slab_alloc(&c->worker->slab, bytes);
    values->bytes = (uint16_t)bytes;
    values->count = (uint16_t)count;
    char *to = (char *)(values->value + count);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = text[i].len < VALUE_TEXT_BYTES ? text[i].len : VALUE_TEXT_BYTES;
        values->value[i] = (struct window_value){
            .hash = hash64(text[i].at, text[i].len, c->config->seed ^ hash_mix(text[i].len + 1)),
            .at = at,
            .len = len};
        if (len > 0)
            memcpy(to + at, text[i].at, len);
        at += len;
    }
    return values;
}

void window_join(struct correlation *c, const struct key_state *key, const struct window *window,
                 struct open_incident *open, const struct touch *touch)
{
    for (uint32_t i = 0; i < window->span; i++) {
        if (window_is_gone(window, i))
            continue;
        const struct window_entry entry = window_get(window, i);
        bool is_its = touch != NULL && id128_equal(entry.alert, touch->alert);
        incident_add(c, open, entry.alert, is_its ? touch->text : NULL, entry.cleared, entry.ts_ms,
                     entry.severity);
    }
    c->correlated += window->count;
    count_gone(c, key, window->count);
}

/* The entries become an incident, for an event's or a timer's sake; `touch` is NULL for the latter.
 */
static void window_open(struct correlation *c, struct key_state *key, const struct window *window,
                        const struct touch *touch, const struct order *order)
{
    const struct rule *rule = correlation_rule(c, key);
    uint32_t index[RULE_AGGREGATES_MAX];
    struct opening opening = {.rule = rule,
                              .key = key_words(key),
                              .order = order,
                              .put_why = window_words_why,
                              .found = window};

    aggregates_compute(rule, window, true, opening.value, index);
    if (touch != NULL)
        opening.view = touch_view(touch);
    struct open_incident *open =
        touch != NULL ? incident_open(c, key, &opening) : incident_open_by_timer(c, key, &opening);
    window_join(c, key, window, open, touch);
    incident_show(c, key, open, order);
}

static bool is_true(const struct rule *rule, const struct window *window)
{
    int64_t value[RULE_AGGREGATES_MAX];
    uint32_t index[RULE_AGGREGATES_MAX];

    aggregates_compute(rule, window, false, value, index);
    return rule_when(rule, value);
}

/* What the rule's aggregates look at of the touch's event. */
static void words_fill(struct correlation *c, const struct window *window, uint32_t i,
                       const struct touch *touch)
{
    const struct rule *rule = window->rule;
    const struct event_view view = touch_view(touch);
    union window_word *word = window_words(window, i);

    if (rule->has_distinct)
        (word++)->values = values_make(c, rule, &view);
    for (uint32_t a = 0; a < rule->argument_count; a++) {
        double number = rule_argument(rule, a, &view);
        bool is_exact = exact_fits(number);
        (word++)->number = is_exact ? number : __builtin_nan("");
        if (!is_exact && number == number)
            tally_add(&c->worker->tally.numbers_unfit, 1);
    }
}

static void gain(struct correlation *c, struct key_state *key, struct window *window,
                 const struct touch *touch)
{
    const struct rule *rule = correlation_rule(c, key);
    struct slab *slab = &c->worker->slab;
    const struct window_entry entry = {.alert = touch->alert,
                                       .at_ms = touch->order.at_ms,
                                       .ts_ms = touch->text->ts_ms,
                                       .severity = touch->severity};

    window_push(window, &entry, slab);
    if (window->count == 1 && rule->hold_ms > 0)
        window_set_since(window, INT64_MAX);
    words_fill(c, window, window->span - 1, touch);
    window_sums_put(window, window->span - 1, slab);
    correlation_hold(c, key, 1);
    if (window->count > c->worker->so_far.fullest)
        c->worker->so_far.fullest = window->count;
    if (window->count > rule->max_members) {
        uint32_t i = window_full_choose(window);
        bounds_pushed(c->worker, key->slot, touch);
        if (i == 0)
            window_pop(window, slab);
        else
            window_remove(window, i, slab);
        c->evicted++;
        tally_add(&correlation_tally(c, key)->evicted, 1);
        count_gone(c, key, 1);
    }
}

/* A rule with `for`: since when `when` is true. */
static void hold(const struct rule *rule, struct key_state *key, struct window *window,
                 int64_t now_ms)
{
    if (window->count > 0 && !is_true(rule, window))
        window_set_since(window, INT64_MAX);
    else if (window->count > 0 && window->since_ms == INT64_MAX)
        window_set_since(window, now_ms);
    window_keep(key, window);
}

void window_take(struct correlation *c, struct key_state *key, struct window *window,
                 const struct touch *touch)
{
    const struct rule *rule = correlation_rule(c, key);
    struct slab *slab = &c->worker->slab;
    uint32_t i = window->span;

    if (touch->kind == TOUCH_CHANGE || rule->window_kind == WINDOW_OPEN)
        i = window_find(window, touch->alert, slab);
    if (i < window->span) {
        window_sums_take(window, i, slab);
        window_values_free(window, i, slab);
        window_set_severity(window, i, touch->severity);
        words_fill(c, window, i, touch);
        window_sums_put(window, i, slab);
        c->retired++;
    } else {
        gain(c, key, window, touch);
    }
}

static void window_raise(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    const struct rule *rule = correlation_rule(c, key);
    struct window window = window_of(rule, key);
    int64_t now_ms = touch->order.at_ms;

    if (rule->window_kind == WINDOW_SLIDING)
        slide(c, key, &window, now_ms);
    window_take(c, key, &window, touch);
    window_keep(key, &window);
    if (rule->hold_ms > 0)
        hold(rule, key, &window, now_ms);
    else if (!rule->looks_at_end && is_true(rule, &window))
        window_open(c, key, &window, touch, &touch->order);
}

/* It is open no more: its entry, of which there is one, leaves a window of what is open. */
static void leave(struct correlation *c, struct key_state *key, struct window *window,
                  const struct touch *touch)
{
    const struct rule *rule = correlation_rule(c, key);
    struct slab *slab = &c->worker->slab;
    uint32_t i = window_find(window, touch->alert, slab);

    if (i == window->span)
        return;
    window_remove(window, i, slab);
    window_keep(key, window);
    count_expired(c, key, 1);
    if (rule->hold_ms > 0)
        hold(rule, key, window, touch->order.at_ms);
}

static void window_clear(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    const struct rule *rule = correlation_rule(c, key);
    struct window window = window_of(rule, key);

    c->retired++;
    if (rule->window_kind == WINDOW_OPEN)
        leave(c, key, &window, touch);
    else
        window_clear_alert(&window, touch->alert, &c->worker->slab);
}

static int64_t window_due(const struct correlation *c, const struct key_state *key)
{
    const struct rule *rule = correlation_rule(c, key);
    struct window window = window_of(rule, key);

    if (window.count == 0)
        return INT64_MAX;
    switch (rule->window_kind) {
    case WINDOW_SLIDING:
        return window_at_ms(&window, 0) + rule->window_ms;
    case WINDOW_TUMBLING:
        return (floor_div(window.since_ms, rule->window_ms) + 1) * rule->window_ms;
    case WINDOW_SESSION: {
        int64_t quiet_ms = window_at_ms(&window, window.span - 1) + rule->window_ms;
        int64_t max_ms = window.since_ms + rule->session_max_ms;
        return quiet_ms < max_ms ? quiet_ms : max_ms;
    }
    default:
        return rule->hold_ms > 0 && window.since_ms < INT64_MAX ? window.since_ms + rule->hold_ms
                                                                : INT64_MAX;
    }
}

void window_expire(struct correlation *c, const struct key_state *key, struct window *window)
{
    count_expired(c, key, window->count);
    window_release(window, &c->worker->slab);
}

/* A tumbling window or a session ends, or `when` has held for long enough. */
static void window_end(struct correlation *c, struct key_state *key, struct window *window,
                       int64_t now_ms)
{
    const struct rule *rule = correlation_rule(c, key);

    if (rule->hold_ms > 0 || (rule->looks_at_end && is_true(rule, window))) {
        struct order order = correlation_order(c, key, now_ms, ORDER_TIMER, ORDER_RULE);
        window_open(c, key, window, NULL, &order);
        return;
    }
    window_expire(c, key, window);
    window_keep(key, window);
}

static void window_timer(struct correlation *c, struct key_state *key, int64_t due_ms)
{
    const struct rule *rule = correlation_rule(c, key);
    struct window window = window_of(rule, key);

    if (rule->window_kind == WINDOW_SLIDING) {
        slide(c, key, &window, due_ms);
        window_keep(key, &window);
    } else {
        window_end(c, key, &window, due_ms);
    }
}

static bool window_is_empty(const struct correlation *c, const struct key_state *key)
{
    (void)c;
    return key_body(key) == NULL;
}

static uint32_t window_pending(const struct correlation *c, const struct key_state *key)
{
    return window_of(correlation_rule(c, key), key).count;
}

static void window_free(const struct rule *rule, struct key_state *key, struct slab *slab)
{
    struct window window = window_of(rule, key);

    window_release(&window, slab);
}

static void form_save(const struct rule *rule, const struct key_state *key, struct image_out *out)
{
    struct window window = window_of(rule, key);

    window_save(&window, out);
}

static void form_load(struct correlation *c, const struct rule *rule, struct key_state *key,
                      struct image_in *in)
{
    struct window window = window_read(NULL, false, rule);

    window_load(&window, &c->worker->slab, in);
    window_keep(key, &window);
    if (window.count == 0)
        image_fail(in, "a key watches an empty window");
}

static void window_explain(const struct correlation *c, const struct key_state *key,
                           struct text_buffer *to)
{
    const struct rule *rule = correlation_rule(c, key);
    struct window window = window_of(rule, key);

    window_words_state(rule, &window, NULL, to);
}

static double window_near(const struct correlation *c, const struct key_state *key)
{
    const struct rule *rule = correlation_rule(c, key);
    struct window window = window_of(rule, key);
    int64_t value[RULE_AGGREGATES_MAX];
    uint32_t index[RULE_AGGREGATES_MAX];

    if (window.count == 0)
        return 0;
    aggregates_compute(rule, &window, true, value, index);
    return rule_when_near(rule, value);
}

static void window_waits(const struct correlation *c, const struct key_state *key,
                         struct text_buffer *to)
{
    text_put_string(to, window_words_end(correlation_rule(c, key)));
}

const struct rule_form watch_window = {
    .raise = window_raise,
    .clear = window_clear,
    .due = window_due,
    .timer = window_timer,
    .is_empty = window_is_empty,
    .pending = window_pending,
    .release = window_free,
    .save = form_save,
    .load = form_load,
    .explain = window_explain,
    .near = window_near,
    .waits = window_waits,
};
