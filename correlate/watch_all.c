/*
 * watch_all.c - the form of conditions in any order: each has to have been met, all within a
 * time. A key holds the latest touch of each condition; a touch may meet several.
 */
#include <string.h>
#include "correlate/image.h"
#include "correlate/seen.h"

struct conditions {
    uint32_t count;
    uint32_t made;                    /* touches so far */
    struct seen *met[RULE_STEPS_MAX]; /* NULL: not met */
};

static void let_go(struct correlation *c, const struct key_state *key, struct seen **at,
                   uint64_t *as)
{
    if (*at != NULL)
        seen_let_go(c, key, *at, as);
    *at = NULL;
}

static int64_t end_ms(const struct rule *rule, const struct seen *seen)
{
    return seen != NULL ? seen->at_ms + rule->window_ms : INT64_MAX;
}

static void put_why(struct text_buffer *to, const struct opening *o)
{
    const struct conditions *conditions = o->found;

    for (uint32_t i = 0; i < conditions->count; i++) {
        text_put_string(to, i > 0 ? " and " : "");
        text_put_string(to, o->rule->step[i].name);
        text_put_string(to, ": ");
        seen_put(to, conditions->met[i]);
    }
    text_put_string(to, " (within ");
    text_put_duration(to, o->rule->window_ms);
    text_put_string(to, ")");
}

static bool all_met(const struct conditions *conditions)
{
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->met[i] == NULL)
            return false;
    return true;
}

static void all_open(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    const struct conditions *conditions = key_body(key);
    struct opening opening = {.rule = correlation_rule(c, key),
                              .key = key_words(key),
                              .order = &touch->order,
                              .view = touch_view(touch),
                              .put_why = put_why,
                              .found = conditions};
    struct open_incident *open = incident_open(c, key, &opening);
    struct seen *met[RULE_STEPS_MAX];

    memcpy(met, conditions->met, sizeof(met));
    seen_correlate(c, key, open, met, conditions->count);
    incident_show(c, key, open, &touch->order);
}

static void all_raise(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    struct conditions *conditions = key_body(key);

    if (conditions == NULL) {
        conditions = slab_alloc(&c->worker->slab, sizeof(*conditions));
        key_set_body(key, conditions);
        *conditions = (struct conditions){.count = correlation_rule(c, key)->step_count};
    }
    struct seen *seen = seen_make(c, key, touch, conditions->made++, false);
    for (uint32_t i = 0; i < conditions->count; i++) {
        if ((touch->steps >> i & 1) == 0)
            continue;
        let_go(c, key, &conditions->met[i], &c->retired);
        conditions->met[i] = seen;
        seen->holders++;
    }
    if (all_met(conditions))
        all_open(c, key, touch);
    seen_let_go(c, key, seen, &c->retired);
}

static void all_clear(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    struct conditions *conditions = key_body(key);

    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->met[i] != NULL && id128_equal(conditions->met[i]->alert, touch->alert))
            conditions->met[i]->is_cleared = true;
    c->retired++;
}

static int64_t all_due(const struct correlation *c, const struct key_state *key)
{
    const struct rule *rule = correlation_rule(c, key);
    const struct conditions *conditions = key_body(key);
    int64_t due = INT64_MAX;

    for (uint32_t i = 0; i < conditions->count; i++)
        if (end_ms(rule, conditions->met[i]) < due)
            due = end_ms(rule, conditions->met[i]);
    return due;
}

static void all_timer(struct correlation *c, struct key_state *key, int64_t due_ms)
{
    const struct rule *rule = correlation_rule(c, key);
    struct conditions *conditions = key_body(key);

    for (uint32_t i = 0; i < conditions->count; i++)
        if (end_ms(rule, conditions->met[i]) <= due_ms)
            let_go(c, key, &conditions->met[i], &c->expired);
}

static bool all_is_empty(const struct correlation *c, const struct key_state *key)
{
    const struct conditions *conditions = key_body(key);

    (void)c;
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->met[i] != NULL)
            return false;
    return true;
}

/* One touch may have met several conditions. */
static uint32_t all_pending(const struct correlation *c, const struct key_state *key)
{
    const struct conditions *conditions = key_body(key);
    uint32_t count = 0;

    (void)c;
    for (uint32_t i = 0; i < conditions->count; i++) {
        uint32_t before = 0;
        while (before < i && conditions->met[before] != conditions->met[i])
            before++;
        count += conditions->met[i] != NULL && before == i;
    }
    return count;
}

static void all_release(const struct rule *rule, struct key_state *key, struct slab *slab)
{
    struct conditions *conditions = key_body(key);

    (void)rule;
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->met[i] != NULL)
            seen_forget(conditions->met[i], slab);
    slab_free(slab, conditions, sizeof(*conditions));
}

static void all_save(const struct rule *rule, const struct key_state *key, struct image_out *out)
{
    const struct conditions *conditions = key_body(key);
    const struct seen *known[RULE_STEPS_MAX];
    uint32_t count = 0;

    (void)rule;
    for (uint32_t i = 0; i < conditions->count; i++)
        if (conditions->met[i] != NULL)
            seen_number(conditions->met[i], known, &count);
    image_put_u32(out, conditions->made);
    image_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        seen_save(known[i], out);
    for (uint32_t i = 0; i < conditions->count; i++)
        image_put_u32(out, conditions->met[i] == NULL
                               ? UINT32_MAX
                               : seen_number(conditions->met[i], known, &count));
}

static void all_load(struct correlation *c, const struct rule *rule, struct key_state *key,
                     struct image_in *in)
{
    struct conditions *conditions = slab_alloc(&c->worker->slab, sizeof(*conditions));
    struct seen *known[RULE_STEPS_MAX];
    uint32_t count = 0;

    key_set_body(key, conditions);
    *conditions = (struct conditions){.count = rule->step_count, .made = image_take_u32(in)};
    uint32_t wanted = image_take_count(in, SEEN_BYTES_LEAST);
    if (wanted > RULE_STEPS_MAX)
        image_fail(in, "a key holds more touches than conditions");
    while (in->fault == NULL && count < wanted) {
        known[count] = seen_load(in, &c->worker->slab);
        count += known[count] != NULL;
    }
    for (uint32_t i = 0; i < conditions->count && in->fault == NULL; i++) {
        uint32_t which = image_take_u32(in);
        if (which == UINT32_MAX || in->fault != NULL)
            continue;
        if (which >= count) {
            image_fail(in, "a condition was met by an unknown touch");
            continue;
        }
        conditions->met[i] = known[which];
        known[which]->holders++;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (known[i]->holders > 0)
            continue;
        image_fail(in, "a touch meets no condition");
        known[i]->holders = 1;
        seen_forget(known[i], &c->worker->slab);
    }
}

static void all_explain(const struct correlation *c, const struct key_state *key,
                        struct text_buffer *to)
{
    const struct rule *rule = correlation_rule(c, key);
    const struct conditions *conditions = key_body(key);
    const char *before = ": waits for ";
    uint32_t met = 0;

    for (uint32_t i = 0; i < conditions->count; i++)
        met += conditions->met[i] != NULL;
    text_put_number(to, met);
    text_put_string(to, " of ");
    text_put_number(to, conditions->count);
    text_put_string(to, " conditions");
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (conditions->met[i] != NULL)
            continue;
        text_put_string(to, before);
        text_put_string(to, rule->step[i].name);
        before = ", ";
    }
}

static double all_near(const struct correlation *c, const struct key_state *key)
{
    const struct conditions *conditions = key_body(key);
    uint32_t met = 0;

    (void)c;
    for (uint32_t i = 0; i < conditions->count; i++)
        met += conditions->met[i] != NULL;
    return (double)met / conditions->count;
}

/* The condition whose time is over first. */
static void all_waits(const struct correlation *c, const struct key_state *key,
                      struct text_buffer *to)
{
    const struct rule *rule = correlation_rule(c, key);
    const struct conditions *conditions = key_body(key);
    int64_t due = all_due(c, key);

    for (uint32_t i = 0; i < conditions->count; i++) {
        if (end_ms(rule, conditions->met[i]) != due || due == INT64_MAX)
            continue;
        text_put_string(to, rule->step[i].name);
        text_put_string(to, " was too long ago");
        return;
    }
}

const struct rule_form watch_all = {
    .raise = all_raise,
    .clear = all_clear,
    .due = all_due,
    .timer = all_timer,
    .is_empty = all_is_empty,
    .pending = all_pending,
    .release = all_release,
    .save = all_save,
    .load = all_load,
    .explain = all_explain,
    .near = all_near,
    .waits = all_waits,
};
