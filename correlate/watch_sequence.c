/*
 * watch_sequence.c - the form of ordered steps: one event after the other, within a time, and
 * nothing unwanted in between.
 *
 * For each step that has to come, a key keeps one chain that has got as far as that step: of
 * all there may be, the one that began last. That is exact for the question whether a match
 * exists: whatever completes an earlier chain at the same step completes this one too, and later
 * still, and what must not come ends both. So a key holds at most steps * steps / 2 touches,
 * however many combinations its events have.
 *
 *   sequence: a, not x, b, c          chain[1] = a'          waits for b, ended by x
 *                                     chain[2] = a, b        waits for c
 *
 * A sequence that ends with `not` waits behind its last step that comes, for its time to be
 * over: there the chain that waits stays until it is decided.
 */
#include <assert.h>
#include <string.h>
#include "correlate/image.h"
#include "correlate/seen.h"

struct chain {
    uint32_t count; /* steps done; 0: no chain */
    struct seen *seen[RULE_STEPS_MAX];
};

/* chain[i] has done i + 1 of the steps that come; the last of them only where it waits. */
struct sequence {
    uint32_t count; /* of chains */
    uint32_t made;  /* touches so far */
    struct chain chain[];
};

/* The steps that come, and what must not come behind each. */
struct plan {
    uint32_t count;
    uint32_t step[RULE_STEPS_MAX];
    uint32_t unwanted[RULE_STEPS_MAX]; /* bits */
    uint32_t last_unwanted;            /* the step that ends it by not coming */
    bool is_strict;
};

static struct plan plan_of(const struct rule *rule)
{
    struct plan plan = {.is_strict = rule->is_strict};

    for (uint32_t i = 0; i < rule->step_count; i++) {
        if (!rule->step[i].is_negated) {
            plan.step[plan.count++] = i;
        } else {
            plan.unwanted[plan.count - 1] |= 1u << i;
            plan.last_unwanted = i;
        }
    }
    return plan;
}

static size_t sequence_bytes(uint32_t count)
{
    return sizeof(struct sequence) + count * sizeof(struct chain);
}

static struct sequence *sequence_room(struct correlation *c, const struct rule *rule,
                                      const struct plan *plan)
{
    uint32_t count = plan->count - !rule->ends_by_absence;
    struct sequence *sequence = slab_alloc(&c->worker->slab, sequence_bytes(count));

    memset(sequence, 0, sequence_bytes(count));
    sequence->count = count;
    return sequence;
}

static void sequence_release(const struct rule *rule, struct key_state *key, struct slab *slab)
{
    struct sequence *sequence = key_body(key);

    (void)rule;
    for (uint32_t i = 0; i < sequence->count; i++)
        for (uint32_t s = 0; s < sequence->chain[i].count; s++)
            seen_forget(sequence->chain[i].seen[s], slab);
    slab_free(slab, sequence, sequence_bytes(sequence->count));
}

/* --- chains come and go -------------------------------------------------------------------- */

static void chain_drop(struct correlation *c, const struct key_state *key, struct chain *chain,
                       uint64_t *as)
{
    for (uint32_t i = 0; i < chain->count; i++)
        seen_let_go(c, key, chain->seen[i], as);
    chain->count = 0;
}

/* `from` with one touch more, in place of what was there. */
static void chain_extend(struct correlation *c, const struct key_state *key,
                         const struct chain *from, struct seen *seen, struct chain *to)
{
    struct chain longer = {.count = from != NULL ? from->count + 1 : 1};

    if (from != NULL)
        memcpy(longer.seen, from->seen, from->count * sizeof(struct seen *));
    longer.seen[longer.count - 1] = seen;
    for (uint32_t i = 0; i < longer.count; i++)
        longer.seen[i]->holders++;
    chain_drop(c, key, to, &c->retired);
    *to = longer;
}

static int64_t chain_end_ms(const struct rule *rule, const struct chain *chain)
{
    return chain->seen[0]->at_ms + rule->window_ms;
}

/* --- it opens ------------------------------------------------------------------------------ */

struct found {
    const struct chain *chain;
    const struct plan *plan;
};

static void put_why(struct text_buffer *to, const struct opening *o)
{
    const struct found *found = o->found;
    const struct rule *rule = o->rule;

    for (uint32_t i = 0; i < found->chain->count; i++) {
        const struct seen *seen = found->chain->seen[i];
        text_put_string(to, i > 0 ? ", then " : "");
        text_put_string(to, rule->step[found->plan->step[i]].name);
        text_put_string(to, ": ");
        seen_put(to, seen);
        if (i > 0) {
            text_put_string(to, " ");
            text_put_duration(to, seen->at_ms - found->chain->seen[i - 1]->at_ms);
            text_put_string(to, " later");
        }
    }
    if (rule->ends_by_absence) {
        text_put_string(to, ", then no ");
        text_put_string(to, rule->step[found->plan->last_unwanted].name);
    }
    text_put_string(to, " (within ");
    text_put_duration(to, rule->window_ms);
    text_put_string(to, ")");
}

/* Is the chain one that began after the first event of the match? */
static bool began_later(const struct chain *chain, const struct chain *match)
{
    return chain->count > 0 && chain->seen[0]->at_ms > match->seen[0]->at_ms;
}

/* What a match leaves behind: nothing, or the chains that began later. */
static void skip(struct correlation *c, const struct key_state *key, const struct rule *rule,
                 struct sequence *sequence, const struct chain *match)
{
    for (uint32_t i = 0; i < sequence->count; i++)
        if (!rule->keeps_later || !began_later(&sequence->chain[i], match))
            chain_drop(c, key, &sequence->chain[i], &c->retired);
}

/* `match` holds its touches itself. */
static void sequence_open(struct correlation *c, struct key_state *key, struct chain *match,
                          const struct order *order, const struct plan *plan)
{
    const struct rule *rule = correlation_rule(c, key);
    struct found found = {.chain = match, .plan = plan};
    struct opening opening = {.rule = rule,
                              .key = key_words(key),
                              .order = order,
                              .view = seen_view(match->seen[match->count - 1]),
                              .put_why = put_why,
                              .found = &found};
    struct open_incident *open = incident_open(c, key, &opening);
    struct sequence *kept = key_body(key);
    struct seen *seen[RULE_STEPS_MAX * (RULE_STEPS_MAX + 1)];
    uint32_t count = match->count;

    memcpy(seen, match->seen, match->count * sizeof(struct seen *));
    skip(c, key, rule, kept, match);
    /* What lives on belongs to the incident as well. */
    for (uint32_t i = 0; i < kept->count; i++)
        for (uint32_t s = 0; s < kept->chain[i].count; s++)
            seen[count++] = kept->chain[i].seen[s];
    seen_correlate(c, key, open, seen, count);
    if (!rule->keeps_later) {
        sequence_release(rule, key, &c->worker->slab);
        key_set_body(key, NULL);
    }
    incident_show(c, key, open, order);
}

/* --- a touch ------------------------------------------------------------------------------- */

static bool is_at(uint32_t bits, uint32_t step)
{
    return (bits >> step & 1) != 0;
}

/* Takes the touch to all chains it continues, the longest first, so that it serves each once.
 * The touch that completes the sequence becomes `match`, which then holds its touches. */
static void advance(struct correlation *c, const struct key_state *key, struct sequence *sequence,
                    struct seen *seen, uint32_t bits, const struct plan *plan, struct chain *match)
{
    bool is_strict = plan->is_strict;

    for (uint32_t i = 0; i < sequence->count; i++)
        if ((plan->unwanted[i] & bits) != 0)
            chain_drop(c, key, &sequence->chain[i], &c->retired);
    for (uint32_t i = plan->count; i-- > 0;) {
        struct chain *from = i > 0 ? &sequence->chain[i - 1] : NULL;
        struct chain *to = i < sequence->count ? &sequence->chain[i] : match;
        /* What waits for the end of its time stays, unless nothing at all may come. */
        bool waits = !is_strict && i < sequence->count && i == plan->count - 1 && to->count > 0;
        if (is_at(bits, plan->step[i]) && !waits && (from == NULL || from->count > 0))
            chain_extend(c, key, from, seen, to);
        else if (is_strict && to != match)
            chain_drop(c, key, to, &c->retired);
    }
}

static void sequence_raise(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    const struct rule *rule = correlation_rule(c, key);
    const struct plan plan = plan_of(rule);
    struct chain match = {0};

    if (key_body(key) == NULL)
        key_set_body(key, sequence_room(c, rule, &plan));
    struct sequence *sequence = key_body(key);
    struct seen *seen = seen_make(c, key, touch, sequence->made++, false);
    advance(c, key, sequence, seen, touch->steps, &plan, &match);
    if (match.count > 0)
        sequence_open(c, key, &match, &touch->order, &plan);
    chain_drop(c, key, &match, &c->retired);
    seen_let_go(c, key, seen, &c->retired);
}

static void sequence_clear(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    struct sequence *sequence = key_body(key);

    for (uint32_t i = 0; i < sequence->count; i++)
        for (uint32_t s = 0; s < sequence->chain[i].count; s++)
            if (id128_equal(sequence->chain[i].seen[s]->alert, touch->alert))
                sequence->chain[i].seen[s]->is_cleared = true;
    c->retired++;
}

/* --- time ---------------------------------------------------------------------------------- */

static int64_t sequence_due(const struct correlation *c, const struct key_state *key)
{
    const struct rule *rule = correlation_rule(c, key);
    const struct sequence *sequence = key_body(key);
    int64_t due = INT64_MAX;

    for (uint32_t i = 0; i < sequence->count; i++)
        if (sequence->chain[i].count > 0 && chain_end_ms(rule, &sequence->chain[i]) < due)
            due = chain_end_ms(rule, &sequence->chain[i]);
    return due;
}

/* Chains whose time is over leave, of the first `count`. */
static void expire(struct correlation *c, const struct key_state *key, const struct rule *rule,
                   struct sequence *sequence, uint32_t count, int64_t now_ms)
{
    for (uint32_t i = 0; i < count; i++)
        if (sequence->chain[i].count > 0 && chain_end_ms(rule, &sequence->chain[i]) <= now_ms)
            chain_drop(c, key, &sequence->chain[i], &c->expired);
}

static void sequence_timer(struct correlation *c, struct key_state *key, int64_t due_ms)
{
    const struct rule *rule = correlation_rule(c, key);
    struct sequence *sequence = key_body(key);
    struct chain *last = &sequence->chain[sequence->count - 1];

    expire(c, key, rule, sequence, sequence->count - rule->ends_by_absence, due_ms);
    if (!rule->ends_by_absence || last->count == 0 || chain_end_ms(rule, last) > due_ms)
        return;
    const struct plan plan = plan_of(rule);
    struct order order = correlation_order(c, key, due_ms, ORDER_TIMER, ORDER_RULE);
    struct chain match = *last;
    last->count = 0;
    sequence_open(c, key, &match, &order, &plan);
    chain_drop(c, key, &match, &c->retired);
}

/* --- while its incident is open ------------------------------------------------------------ */

/* Chains that live on under `skip: to_next` go on; what they hold the incident has counted. */
static void advance_open(struct correlation *c, struct key_state *key, const struct touch *touch)
{
    const struct rule *rule = key_open(key)->rule;
    const struct plan plan = plan_of(rule);
    struct chain match = {0};
    struct sequence *sequence = key_open(key)->body;
    struct seen *seen = seen_make(c, key, touch, sequence->made++, true);

    expire(c, key, rule, sequence, sequence->count, touch->order.at_ms);
    advance(c, key, sequence, seen, touch->steps, &plan, &match);
    if (match.count > 0)
        skip(c, key, rule, sequence, &match);
    chain_drop(c, key, &match, &c->retired);
    seen_let_go(c, key, seen, &c->retired);
}

static bool sequence_touch_open(struct correlation *c, struct key_lane *lane, uint32_t number,
                                const struct touch *touch)
{
    struct key_state *key = key_at(lane, number);

    if (touch->kind > TOUCH_REPEAT)
        return incident_leave(c, lane, number, touch);
    if (!incident_join(c, lane, number, touch))
        return false;
    if (key->is_open && key_open(key)->body != NULL)
        advance_open(c, key, touch);
    return true;
}

static bool sequence_is_empty(const struct correlation *c, const struct key_state *key)
{
    const struct sequence *sequence = key_body(key);

    (void)c;
    if (sequence == NULL)
        return true;
    for (uint32_t i = 0; i < sequence->count; i++)
        if (sequence->chain[i].count > 0)
            return false;
    return true;
}

static bool sequence_closed(struct correlation *c, struct key_state *key, int64_t at_ms)
{
    struct sequence *sequence = key_body(key);

    if (sequence == NULL)
        return false;
    expire(c, key, correlation_rule(c, key), sequence, sequence->count, at_ms);
    return !sequence_is_empty(c, key);
}

/* --- the rest ------------------------------------------------------------------------------ */

static uint32_t sequence_pending(const struct correlation *c, const struct key_state *key)
{
    const struct sequence *sequence = key_body(key);
    const struct seen *known[RULE_STEPS_MAX * RULE_STEPS_MAX];
    uint32_t count = 0;

    (void)c;
    for (uint32_t i = 0; i < sequence->count; i++) {
        for (uint32_t s = 0; s < sequence->chain[i].count; s++) {
            const struct seen *seen = sequence->chain[i].seen[s];
            uint32_t k = 0;
            while (k < count && known[k] != seen)
                k++;
            if (k == count && !seen->is_counted)
                known[count++] = seen;
        }
    }
    return count;
}

/* Touches first, each once, then which of them stand in each chain. */
static void sequence_save(const struct rule *rule, const struct key_state *key,
                          struct image_out *out)
{
    const struct sequence *sequence = key_body(key);
    const struct seen *known[RULE_STEPS_MAX * RULE_STEPS_MAX];
    uint32_t count = 0;

    (void)rule;
    for (uint32_t i = 0; i < sequence->count; i++)
        for (uint32_t s = 0; s < sequence->chain[i].count; s++)
            seen_number(sequence->chain[i].seen[s], known, &count);
    image_put_u32(out, sequence->made);
    image_put_u32(out, count);
    for (uint32_t i = 0; i < count; i++)
        seen_save(known[i], out);
    image_put_u32(out, sequence->count);
    for (uint32_t i = 0; i < sequence->count; i++) {
        image_put_u32(out, sequence->chain[i].count);
        for (uint32_t s = 0; s < sequence->chain[i].count; s++)
            image_put_u32(out, seen_number(sequence->chain[i].seen[s], known, &count));
    }
}

static void chain_load(struct chain *chain, uint32_t length, struct seen *const *known,
                       uint32_t count, struct image_in *in)
{
    uint32_t has = image_take_u32(in);

    if (has != 0 && has != length)
        image_fail(in, "a chain has an impossible length");
    for (uint32_t s = 0; s < length && has == length; s++) {
        uint32_t which = image_take_below(in, count, "a chain holds an unknown touch");
        if (in->fault != NULL)
            return;
        chain->seen[chain->count++] = known[which];
        known[which]->holders++;
    }
}

static void sequence_load(struct correlation *c, const struct rule *rule, struct key_state *key,
                          struct image_in *in)
{
    const struct plan plan = plan_of(rule);
    struct sequence *sequence = sequence_room(c, rule, &plan);
    struct seen *known[RULE_STEPS_MAX * RULE_STEPS_MAX];
    uint32_t count = 0;

    key_set_body(key, sequence);
    sequence->made = image_take_u32(in);
    uint32_t wanted = image_take_count(in, SEEN_BYTES_LEAST);
    if (wanted > RULE_STEPS_MAX * RULE_STEPS_MAX)
        image_fail(in, "a sequence holds too many touches");
    while (in->fault == NULL && count < wanted) {
        known[count] = seen_load(in, &c->worker->slab);
        count += known[count] != NULL;
    }
    if (image_take_u32(in) != sequence->count)
        image_fail(in, "a sequence has other chains than its rule has steps");
    for (uint32_t i = 0; i < sequence->count && in->fault == NULL; i++)
        chain_load(&sequence->chain[i], i + 1, known, count, in);
    for (uint32_t i = 0; i < count; i++) {
        if (known[i]->holders > 0)
            continue;
        image_fail(in, "a touch stands in no chain");
        known[i]->holders = 1;
        seen_forget(known[i], &c->worker->slab);
    }
}

/* The chain that has got furthest. */
static void sequence_explain(const struct correlation *c, const struct key_state *key,
                             struct text_buffer *to)
{
    const struct rule *rule = correlation_rule(c, key);
    const struct sequence *sequence = key_body(key);
    const struct plan plan = plan_of(rule);
    uint32_t far = sequence->count;

    while (far > 0 && sequence->chain[far - 1].count == 0)
        far--;
    text_put_number(to, far);
    text_put_string(to, " of ");
    text_put_number(to, plan.count);
    text_put_string(to, " steps");
    for (uint32_t i = 0; i < far; i++) {
        text_put_string(to, i > 0 ? ", then " : ": ");
        text_put_string(to, rule->step[plan.step[i]].name);
        text_put_string(to, ": ");
        seen_put(to, sequence->chain[far - 1].seen[i]);
    }
    text_put_string(to, "; waits for ");
    text_put_string(to, rule->step[far < plan.count ? plan.step[far] : plan.last_unwanted].name);
    text_put_string(to, far < plan.count ? "" : " not to come");
}

static double sequence_near(const struct correlation *c, const struct key_state *key)
{
    const struct sequence *sequence = key_body(key);
    uint32_t far = sequence->count;

    while (far > 0 && sequence->chain[far - 1].count == 0)
        far--;
    return (double)far / plan_of(correlation_rule(c, key)).count;
}

static void sequence_waits(const struct correlation *c, const struct key_state *key,
                           struct text_buffer *to)
{
    (void)c;
    (void)key;
    text_put_string(to, "the time since its first step was over");
}

const struct rule_form watch_sequence = {
    .raise = sequence_raise,
    .clear = sequence_clear,
    .due = sequence_due,
    .timer = sequence_timer,
    .is_empty = sequence_is_empty,
    .pending = sequence_pending,
    .release = sequence_release,
    .save = sequence_save,
    .load = sequence_load,
    .touch_open = sequence_touch_open,
    .closed = sequence_closed,
    .explain = sequence_explain,
    .near = sequence_near,
    .waits = sequence_waits,
};
