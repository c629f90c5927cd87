/* rule_trace.c - see rule_trace.h. */
#include "correlate/rule_trace.h"

#include "correlate/text_buffer.h"

void rule_trace_begin(struct rule_trace *before, const struct correlation *c,
                      const struct touch *touch, const struct key_lane *lane, uint32_t number)
{
    *before = (struct rule_trace){.rule = c->rules->slots[touch->slot].rule,
                                  .correlated = c->correlated,
                                  .evicted = c->evicted};
    if (number == UINT32_MAX)
        return;
    const struct key_state *key = key_at(lane, number);
    before->key = key_words(key); /* its words outlive the step */
    before->open = key->is_open;
    if (before->open) {
        before->incident = key_open(key)->latest->id;
        before->rule = key_open(key)->rule;
        before->is_former = key->slot != touch->slot && c->rules->slots[touch->slot].current;
    }
}

/* Where the event of this order came from. */
static void name_part(const struct correlation *c, const struct order *order, const char **topic,
                      int32_t *partition)
{
    if (order->class != ORDER_EVENT)
        return;
    const struct part *part = c->worker->engine->parts[order->part];
    *topic = part->name;
    *partition = part->number;
}

static enum trace_fate fate_of(const struct rule_trace *before, const struct correlation *c,
                               const struct touch *touch, const struct key_state *key)
{
    const struct open_incident *open = key != NULL ? key_open(key) : NULL;
    bool counted = c->correlated > before->correlated;

    if (!before->open)
        return open != NULL                         ? TRACE_OPENED
               : before->key != NULL || key != NULL ? TRACE_WATCHED
                                                    : TRACE_NO_KEY;
    if (open == NULL || !id128_equal(open->latest->id, before->incident))
        return TRACE_CLOSED;
    return !counted ? TRACE_IGNORED : touch->kind <= TOUCH_REPEAT ? TRACE_JOINED : TRACE_LEFT;
}

void rule_trace_end(const struct rule_trace *before, const struct correlation *c,
                    const struct touch *touch, const struct key_lane *lane, uint32_t number)
{
    const struct key_state *key = number != UINT32_MAX ? key_at(lane, number) : NULL;
    struct trace_touch told = {.touch = touch,
                               .rule = before->rule,
                               .key = key != NULL ? key_words(key) : before->key,
                               .fate = fate_of(before, c, touch, key),
                               .evicted = c->evicted - before->evicted,
                               .incident = before->incident,
                               .state = "",
                               .waits = "",
                               .next_ms = INT64_MAX,
                               .former_until_ms =
                                   before->is_former ? c->rules->from_ms : INT64_MIN};
    struct text_buffer state, waits;

    if (c->trace->touched == NULL)
        return;
    name_part(c, &touch->order, &told.topic, &told.partition);
    if (told.fate == TRACE_OPENED)
        told.incident = key_open(key)->latest->id;
    text_begin(&state);
    text_begin(&waits);
    if (told.fate == TRACE_CLOSED && key != NULL && !key->is_open)
        told.then = correlation_rule(c, key);
    if (told.fate == TRACE_WATCHED && key != NULL)
        told.holder = correlation_rule(c, key);
    if (told.holder != NULL || told.then != NULL) {
        const struct rule_form *form = correlation_form(c, key);
        told.next_ms = form->due(c, key);
        if (form->explain != NULL)
            form->explain(c, key, &state);
        told.near = form->near != NULL ? form->near(c, key) : 0;
        if (form->waits != NULL)
            form->waits(c, key, &waits);
        told.state = state.at;
        told.waits = waits.at;
    }
    c->trace->touched(c->trace->self, &told);
    text_end(&state);
    text_end(&waits);
}

void rule_trace_member(const struct correlation *c, struct id128 alert, bool cleared, int64_t ts_ms)
{
    if (c->trace == NULL || c->trace->member == NULL)
        return;
    const struct trace_member member = {.alert = alert, .ts_ms = ts_ms, .cleared = cleared};
    c->trace->member(c->trace->self, &member);
}

void rule_trace_change(const struct correlation *c, const struct key_state *key,
                       const struct order *order, const struct incident *incident)
{
    if (c->trace == NULL || c->trace->changed == NULL)
        return;
    struct trace_change change = {.key = rule_key_id(c, key),
                                  .order = order,
                                  .rule = correlation_rule(c, key),
                                  .incident = incident};
    name_part(c, order, &change.topic, &change.partition);
    c->trace->changed(c->trace->self, &change);
}

void rule_trace_lost(const struct correlation *c, const struct key_state *key)
{
    if (c->trace == NULL || c->trace->lost == NULL)
        return;
    const struct trace_key lost = {
        .at_ms = c->step->to_ms,
        .key = rule_key_id(c, key),
        .rule = correlation_rule(c, key),
        .text = key_words(key),
        .incident = key->is_open ? key_open(key)->latest->id : (struct id128){0, 0},
        .pending = key->is_open ? 0 : correlation_form(c, key)->pending(c, key)};
    c->trace->lost(c->trace->self, &lost);
}

void rule_trace_timer(const struct correlation *c, const struct key_state *key, int64_t at_ms)
{
    const struct rule_form *form;
    struct trace_turn turn = {.at_ms = at_ms, .state = "", .next_ms = INT64_MAX};
    struct text_buffer state;

    if (c->trace == NULL || c->trace->turned == NULL || key->is_open)
        return;
    form = correlation_form(c, key);
    turn.key = rule_key_id(c, key);
    turn.rule = correlation_rule(c, key);
    text_begin(&state);
    if (!form->is_empty(c, key)) {
        turn.next_ms = form->due(c, key);
        turn.near = form->near != NULL ? form->near(c, key) : 0;
        if (form->explain != NULL)
            form->explain(c, key, &state);
        turn.state = state.at;
    }
    c->trace->turned(c->trace->self, &turn);
    text_end(&state);
}
