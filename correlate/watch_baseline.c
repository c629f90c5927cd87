/*
 * watch_baseline.c - the form with a baseline: windows that follow each other, each looked at when
 * it ends, beside what the key showed in the same window of earlier seasons.
 *
 *   slot  0     1     2            167   0     1
 *       |-----|-----|-----| ... |-----|-----|-----|      a season of seven days, windows of an hour
 *          each end: when? --true--> incident
 *                      \---false--> the slot learns the window's numbers
 *
 * A window without entries ends as well: that nothing comes any more is a deviation. So a key has
 * a timer at every end until it is forgotten, and a rule costs keys / window looks a second.
 *
 * What tocsin did not see is neither unusual nor usual: a window of which some partition could not
 * be read, one in which an incident was open, and those of a rule that is not in force any more are
 * not looked at, and nothing is learned from them.
 */
#include <math.h>
#include <string.h>
#include "correlate/aggregates.h"
#include "correlate/away.h"
#include "correlate/baseline.h"
#include "correlate/image.h"
#include "correlate/watch_window.h"
#include "correlate/window_words.h"
#include "rules/needs.h"

/* How long after blindness events may take to come in. */
enum { GRACE_MS = 60000 };

/* The body of a key. */
struct watched {
    void *block;     /* the window of entries (correlate/window.h) */
    int64_t end_ms;  /* of the window under way */
    int64_t last_ms; /* of the last RAISE, CHANGE or REPEAT, */
    bool is_pushed;  /* and whether that was pushed */
    bool is_ring;
    bool is_partial;             /* an incident was open in a part of the window under way */
    struct baseline_slot slot[]; /* season after season; of each deviation of the rule in turn */
};

static uint32_t season_slots(const struct rule *rule)
{
    return (uint32_t)(rule->season_ms / rule->window_ms);
}

static size_t body_bytes(const struct rule *rule)
{
    return sizeof(struct watched) +
           (size_t)rule->deviation_count * season_slots(rule) * sizeof(struct baseline_slot);
}

/* The slot of the window that ends at `end_ms`, of the first deviation; those of the others follow
 * at distances of a season. */
static struct baseline_slot *slot_at(const struct rule *rule, struct watched *watched,
                                     int64_t end_ms)
{
    int64_t window = floor_div(end_ms, rule->window_ms) - 1;
    int64_t slots = season_slots(rule);

    return &watched->slot[window - floor_div(window, slots) * slots];
}

static struct window window_of(const struct rule *rule, const struct watched *watched)
{
    return window_read(watched->block, watched->is_ring, rule);
}

static void window_keep(struct watched *watched, const struct window *window)
{
    watched->block = window->block;
    watched->is_ring = window->is_ring;
}

static void key_begin(struct correlation *c, struct key_state *key, int64_t now_ms)
{
    const struct rule *rule = correlation_rule(c, key);
    size_t bytes = body_bytes(rule);
    struct watched *watched = slab_alloc(&c->worker->slab, bytes);

    memset(watched, 0, bytes);
    watched->end_ms = (floor_div(now_ms, rule->window_ms) + 1) * rule->window_ms;
    key_set_body(key, watched);
}

static void heard(const struct correlation *c, struct watched *watched, const struct touch *touch)
{
    watched->last_ms = touch->order.at_ms;
    watched->is_pushed = away_is_intake(c->worker->engine->parts[touch->order.part]);
}

static void baseline_raise(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    if (key_body(key) == NULL)
        key_begin(c, key, touch->order.at_ms);
    struct watched *watched = key_body(key);
    struct window window = window_of(correlation_rule(c, key), watched);

    window_take(c, key, &window, touch);
    window_keep(watched, &window);
    heard(c, watched, touch);
}

static void baseline_clear(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    struct window window = window_of(correlation_rule(c, key), key_body(key));

    c->retired++;
    window_clear_alert(&window, touch->alert, &c->worker->slab);
}

/* As any incident, but that the key is heard of. */
static bool baseline_touch_open(struct correlation *c, struct key_lane *lane, uint32_t number,
                                const struct touch *touch)
{
    struct watched *watched = key_open(key_at(lane, number))->body;

    if (touch->kind > TOUCH_REPEAT)
        return incident_leave(c, lane, number, touch);
    heard(c, watched, touch);
    return incident_join(c, lane, number, touch);
}

static int64_t baseline_due(const struct correlation *c, const struct key_state *key)
{
    const struct watched *watched = key_body(key);

    (void)c;
    return watched->end_ms;
}

/* A rule that is gone or was changed is told of nothing new: its silence means nothing. */
static bool is_in_force(const struct correlation *c, const struct key_state *key)
{
    return c->rules->slots[key->slot].current;
}

/* What ends by then was not seen as a whole: some partition was blind, or catches up. */
static int64_t blind_until_ms(struct correlation *c)
{
    const struct engine *engine = c->worker->engine;

    if (c->blind_is_known)
        return c->blind_until_ms;
    c->blind_is_known = true; /* steps do not straddle the begin or end of a spell */
    c->blind_until_ms = INT64_MIN;
    for (unsigned i = 1; i < c->step->part_count; i++) {
        const struct part *part = engine->parts[i];
        int64_t until_ms = part->remind_ms != INT64_MAX      ? INT64_MAX
                           : part->blind_end_ms != INT64_MIN ? part->blind_end_ms + GRACE_MS
                                                             : INT64_MIN;
        c->blind_until_ms = until_ms > c->blind_until_ms ? until_ms : c->blind_until_ms;
    }
    return c->blind_until_ms;
}

/* The same of what is pushed: nobody could for a part of it. Nothing of that comes later. */
static bool was_away(const struct correlation *c, const struct watched *watched,
                     const struct rule *rule)
{
    const struct away_spell *spell =
        watched->is_pushed ? away_at(c->worker->engine, watched->end_ms) : NULL;

    return spell != NULL && spell->end_ms > watched->end_ms - rule->window_ms;
}

/* --- the look ---------------------------------------------------------------------------- */

/* What a window shows at its end. */
struct shown {
    int64_t value[RULE_AGGREGATES_MAX];
    double number[RULE_AGGREGATES_MAX]; /* by deviation: what it looks at; NaN: nothing */
    bool has_number;                    /* one of them */
};

/* Where nothing came, nothing rose either. */
static void show_nothing(const struct rule *rule, struct shown *shown)
{
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        enum aggregate_kind kind = rule->aggregate[i].kind;
        bool is_none = aggregate_is_real(kind) && kind != AGGREGATE_SUM && kind != AGGREGATE_RATE;
        shown->value[i] = is_none ? aggregate_of_real(NAN) : 0; /* the bits of 0.0, too */
    }
}

/* The number that deviates. */
static double number_of(const struct rule *rule, uint32_t of, int64_t value)
{
    return aggregate_is_real(rule->aggregate[of].kind) ? aggregate_to_real(value) : (double)value;
}

static void show(const struct rule *rule, const struct window *window,
                 const struct baseline_slot *slot, struct shown *shown)
{
    uint32_t index[RULE_AGGREGATES_MAX];

    if (window->count > 0)
        aggregates_compute(rule, window, true, shown->value, index);
    else
        show_nothing(rule, shown);
    shown->has_number = false;
    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        const struct rule_aggregate *aggregate = &rule->aggregate[i];
        if (aggregate->kind != AGGREGATE_DEVIATION)
            continue;
        double number = number_of(rule, aggregate->of, shown->value[aggregate->of]);
        shown->number[aggregate->argument] = number;
        shown->has_number |= number == number;
        shown->value[i] = aggregate_of_real(baseline_deviation(
            &slot[aggregate->argument * season_slots(rule)], rule->learn_count, number));
    }
}

static void learn(const struct rule *rule, struct baseline_slot *slot, const struct shown *shown)
{
    for (uint32_t i = 0; i < rule->deviation_count; i++)
        if (shown->number[i] == shown->number[i])
            baseline_teach(&slot[i * season_slots(rule)], shown->number[i]);
}

static void baseline_open(struct correlation *c, struct key_state *key, struct window *window,
                          const struct baseline_slot *slot, const struct shown *shown)
{
    const struct rule *rule = correlation_rule(c, key);
    struct watched *watched = key_body(key);
    struct order order = correlation_order(c, key, watched->end_ms, ORDER_TIMER, ORDER_RULE);
    struct opening opening = {.rule = rule,
                              .key = key_words(key),
                              .order = &order,
                              .put_why = window_words_why,
                              .found = window,
                              .usual = slot};

    memcpy(opening.value, shown->value, sizeof(opening.value));
    struct open_incident *open = incident_open_by_timer(c, key, &opening);
    if (window->count == 0) { /* what is missing has no severity of its own */
        open->severity = SEVERITY_WARNING;
        open->first_ts_ms = watched->end_ms - rule->window_ms;
    }
    window_join(c, key, window, open, NULL);
    window_release(window, &c->worker->slab);
    window_keep(watched, window);
    incident_show(c, key, open, &order);
}

/* The window is over. False when an incident opened. */
static bool look(struct correlation *c, struct key_state *key, struct window *window)
{
    const struct rule *rule = correlation_rule(c, key);
    struct watched *watched = key_body(key);
    struct baseline_slot *slot = slot_at(rule, watched, watched->end_ms);
    struct shown shown;

    show(rule, window, slot, &shown);
    if (window->count == 0 && !shown.has_number)
        return true; /* of averages of nothing nothing is said */
    if (rule_when(rule, shown.value)) {
        baseline_open(c, key, window, slot, &shown);
        return false;
    }
    learn(rule, slot, &shown);
    return true;
}

static void baseline_release(const struct rule *rule, struct key_state *key, struct slab *slab)
{
    struct window window = window_of(rule, key_body(key));

    window_release(&window, slab);
    slab_free(slab, key_body(key), body_bytes(rule));
    key_set_body(key, NULL);
}

static void baseline_save(const struct rule *rule, const struct key_state *key,
                          struct image_out *out)
{
    const struct watched *watched = key_body(key);
    struct window window = window_of(rule, watched);
    uint32_t slots = rule->deviation_count * season_slots(rule);

    image_put_i64(out, watched->end_ms);
    image_put_i64(out, watched->last_ms);
    image_put_u32(out, watched->is_pushed);
    image_put_u32(out, watched->is_partial);
    image_put_u32(out, slots);
    for (uint32_t i = 0; i < slots; i++) {
        image_put_real(out, watched->slot[i].mean);
        image_put_real(out, watched->slot[i].square);
        image_put_u32(out, watched->slot[i].count);
    }
    window_save(&window, out);
}

static void baseline_load(struct correlation *c, const struct rule *rule, struct key_state *key,
                          struct image_in *in)
{
    struct watched *watched = slab_alloc(&c->worker->slab, body_bytes(rule));
    struct window window = window_read(NULL, false, rule);
    uint32_t slots = rule->deviation_count * season_slots(rule);

    memset(watched, 0, body_bytes(rule));
    key_set_body(key, watched);
    watched->end_ms = image_take_time(in);
    watched->last_ms = image_take_time(in);
    watched->is_pushed = in->version >= 5 && image_take_flag(in);
    watched->is_partial = image_take_flag(in);
    if (image_take_u32(in) != slots)
        image_fail(in, "a baseline has another season than its rule");
    for (uint32_t i = 0; i < slots && in->fault == NULL; i++) {
        watched->slot[i].mean = image_take_real(in);
        watched->slot[i].square = image_take_real(in);
        watched->slot[i].count = image_take_u32(in);
    }
    window_load(&window, &c->worker->slab, in);
    window_keep(watched, &window);
}

static void baseline_timer(struct correlation *c, struct key_state *key, int64_t due_ms)
{
    const struct rule *rule = correlation_rule(c, key);
    struct watched *watched = key_body(key);
    struct window window = window_of(rule, watched);

    if (!is_in_force(c, key) || watched->last_ms + rule->forget_ms <= due_ms) {
        window_expire(c, key, &window);
        window_keep(watched, &window);
        baseline_release(rule, key, &c->worker->slab); /* it leaves */
        return;
    }
    bool was_seen = !watched->is_partial && blind_until_ms(c) <= due_ms - rule->window_ms &&
                    !was_away(c, watched, rule);
    if (was_seen && !look(c, key, &window))
        return;
    window_expire(c, key, &window);
    window_keep(watched, &window);
    watched->end_ms += rule->window_ms;
    watched->is_partial = false;
}

/* The first window that is seen as a whole is the one that begins now or next. */
static bool baseline_closed(struct correlation *c, struct key_state *key, int64_t at_ms)
{
    const struct rule *rule = correlation_rule(c, key);
    struct watched *watched = key_body(key);
    int64_t begin_ms = floor_div(at_ms, rule->window_ms) * rule->window_ms;

    watched->end_ms = begin_ms + rule->window_ms;
    watched->is_partial = begin_ms < at_ms;
    return is_in_force(c, key);
}

static bool baseline_is_empty(const struct correlation *c, const struct key_state *key)
{
    (void)c;
    return key_body(key) == NULL;
}

static uint32_t baseline_pending(const struct correlation *c, const struct key_state *key)
{
    return window_of(correlation_rule(c, key), key_body(key)).count;
}

/* --- words ------------------------------------------------------------------------------- */

static void baseline_explain(const struct correlation *c, const struct key_state *key,
                             struct text_buffer *to)
{
    const struct rule *rule = correlation_rule(c, key);
    struct watched *watched = key_body(key);
    struct window window = window_of(rule, watched);

    window_words_state(rule, &window, slot_at(rule, watched, watched->end_ms), to);
}

/* One half is the part of the seasons that have to be known, the other how near `when` is as the
 * window stands. */
static double baseline_near(const struct correlation *c, const struct key_state *key)
{
    const struct rule *rule = correlation_rule(c, key);
    struct watched *watched = key_body(key);
    const struct baseline_slot *slot = slot_at(rule, watched, watched->end_ms);
    struct window window = window_of(rule, watched);
    uint32_t least = rule->learn_count;
    struct shown shown;

    for (uint32_t i = 0; i < rule->deviation_count; i++)
        if (slot[i * season_slots(rule)].count < least)
            least = slot[i * season_slots(rule)].count;
    if (least < rule->learn_count)
        return (double)least / rule->learn_count / 2;
    show(rule, &window, slot, &shown);
    return (1 + rule_when_near(rule, shown.value)) / 2;
}

static void baseline_waits(const struct correlation *c, const struct key_state *key,
                           struct text_buffer *to)
{
    text_put_string(to, window_words_end(correlation_rule(c, key)));
}

const struct rule_form watch_baseline = {
    .raise = baseline_raise,
    .clear = baseline_clear,
    .due = baseline_due,
    .timer = baseline_timer,
    .is_empty = baseline_is_empty,
    .pending = baseline_pending,
    .release = baseline_release,
    .save = baseline_save,
    .load = baseline_load,
    .touch_open = baseline_touch_open,
    .closed = baseline_closed,
    .explain = baseline_explain,
    .near = baseline_near,
    .waits = baseline_waits,
};
