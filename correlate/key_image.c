/* key_image.c - see key_image.h. */
#include "correlate/key_image.h"

enum { KEY_BYTES_LEAST = 32, MEMBER_BYTES = 20 };

static const char lane_mark[4] = {'K', 'E', 'Y', 'S'};

/* --- rules -------------------------------------------------------------------------------- */

void image_put_rule(struct image_out *out, const struct image_sets *sets, const struct rule *rule)
{
    uint32_t set = 0;

    while (rule->index >= rule_set_count(sets->sets.at[set]) ||
           rule_set_rule(sets->sets.at[set], rule->index) != rule)
        set++;
    image_put_u32(out, set);
    image_put_u32(out, rule->index);
}

const struct rule *image_take_rule(struct image_in *in, const struct image_sets *sets)
{
    uint32_t set = image_take_u32(in), index = image_take_u32(in);

    if (set >= sets->sets.count || index >= rule_set_count(sets->sets.at[set])) {
        image_fail(in, "there is no such rule");
        return NULL;
    }
    return in->fault == NULL ? rule_set_rule(sets->sets.at[set], index) : NULL;
}

/* --- out ---------------------------------------------------------------------------------- */

static void members_put(struct image_out *out, const struct members *members)
{
    image_put_u32(out, members->count);
    for (uint32_t i = 0; members->slots != NULL && i <= members->mask; i++) {
        if (members->slots[i].state == MEMBER_NONE)
            continue;
        image_put_id(out, members->slots[i].alert);
        image_put_u32(out, members->slots[i].state);
    }
}

static void open_put(struct image_out *out, const struct open_incident *open,
                     const struct image_sets *sets)
{
    image_put_rule(out, sets, open->rule);
    incident_save(open->latest, out);
    image_put_i64(out, open->last_touch_ms);
    image_put_i64(out, open->quiet_checked_ms);
    image_put_i64(out, open->first_ts_ms);
    image_put_i64(out, open->dirty_round);
    image_put_u64(out, open->event_count);
    image_put_u32(out, open->alert_count);
    image_put_u32(out, open->open_count);
    image_put_u32(out, open->untracked_open);
    image_put_u32(out, open->alert_count_told);
    for (int i = 0; i < RULE_LAST_MAX; i++)
        image_put_real(out, open->last[i]);
    image_put_u32(out, open->recent_room);
    image_put_u32(out, open->recent_count);
    for (uint32_t i = 0; i < open->recent_room && i < open->recent_count; i++)
        image_put_i64(out, open->recent_ms[i]);
    image_put_u32(out, open->severity);
    image_put_u32(out, open->severity_told);
    image_put_u32(out, open->member_evicted);
    image_put_u32(out, open->evicted_now);
    image_put_u32(out, open->is_told);
    image_put_u32(out, open->is_pushed);
    image_put_i64(out, open->away_end_ms);
    members_put(out, &open->members);
}

/* What the form remembers; of an open key what it kept for afterwards. */
static void body_put(struct image_out *out, const struct rule *rule, const struct key_state *key)
{
    struct key_state watching = *key;

    if (key->is_open)
        key_set_body(&watching, key_open(key)->body);
    image_put_u32(out, key_body(&watching) != NULL);
    if (key_body(&watching) != NULL)
        rule_forms[rule->form_kind]->save(rule, &watching, out);
}

static void key_put(const struct engine *engine, struct image_out *out, const struct key_state *key,
                    const struct image_sets *sets)
{
    image_put_u32(out, key->slot);
    image_put_key(out, key_words(key));
    image_put_i64(out, key_last_ms(key));
    image_put_u32(out, key->is_self_touched);
    image_put_u32(out, key->is_open);
    if (key->is_open)
        open_put(out, key_open(key), sets);
    body_put(out, key->is_open ? key_open(key)->rule : engine->newest_rules->slots[key->slot].rule,
             key);
}

/* What slots further on lead to lies anywhere: the state first, then what it points at. */
static void fetch(const struct key_lane *keys, uint32_t at)
{
    enum { STATE_AHEAD = 24, BODY_AHEAD = 10 };

    if (keys->room - at <= STATE_AHEAD)
        return;
    const struct key_slot *state = &keys->slots[at + STATE_AHEAD];
    const struct key_slot *body = &keys->slots[at + BODY_AHEAD];
    if (state->number != 0)
        __builtin_prefetch(key_at(keys, state->number - 1));
    if (body->number != 0) {
        const struct key_state *of = key_at(keys, body->number - 1);
        __builtin_prefetch(key_words(of));
        __builtin_prefetch(key_body(of));
    }
}

void key_lane_save(const struct engine *engine, unsigned lane, struct lane_take *take,
                   const struct image_sets *sets, struct image_out *out)
{
    const struct key_lane *keys = &engine->key_lanes[lane];
    const uint32_t room = keys->room, first = key_home(keys, (uint32_t)take->next);
    const uint64_t from = take->next;
    const size_t begin = out->bytes.count;
    uint32_t count = 0, at = first;

    image_put_mark(out, lane_mark);
    image_put_u32(out, 0);
    take->next = PLACES;
    if (keys->count == 0)
        return;
    const size_t count_at = out->bytes.count - sizeof(count);
    for (; at < room; at++) {
        const struct key_slot *slot = &keys->slots[at];
        fetch(keys, at);
        if (slot->number == 0) {
            if (take->spent + out->bytes.count - begin + (at - first) < take->most)
                continue;
            take->next = place_first(++at, room);
            break;
        }
        /* Those that fall to slots at the table's end and lie at its beginning come last. */
        if (slot->hash < from || key_home(keys, slot->hash) > at)
            continue;
        key_put(engine, out, key_at(keys, slot->number - 1), sets);
        count++;
    }
    take->spent += at - first;
    for (at = 0; take->next == PLACES && keys->slots[at].number != 0; at++) {
        const struct key_slot *slot = &keys->slots[at];
        if (slot->hash < from || key_home(keys, slot->hash) <= at)
            continue;
        key_put(engine, out, key_at(keys, slot->number - 1), sets);
        count++;
    }
    take->spent += out->bytes.count - begin;
    memcpy(out->bytes.at + count_at, &count, sizeof(count));
}

/* --- in ----------------------------------------------------------------------------------- */

static void members_take(struct image_in *in, struct members *members, struct slab *slab)
{
    for (uint32_t count = image_take_count(in, MEMBER_BYTES); count > 0; count--) {
        struct id128 alert = image_take_id(in);
        uint32_t state = image_take_u32(in);
        if (state != MEMBER_OPEN && state != MEMBER_CLEARED)
            image_fail(in, "an alert is neither open nor cleared in an incident");
        if (in->fault == NULL && members_find(members, alert) != NULL)
            image_fail(in, "an alert is twice in an incident");
        if (in->fault != NULL)
            return;
        members_add(members, slab, alert)->state = (uint8_t)state;
    }
}

/* Returns owned, whatever it holds; NULL only without an incident. */
static struct open_incident *open_take(struct correlation *c, struct image_in *in,
                                       const struct image_sets *sets, const struct rule *watched)
{
    struct slab *slab = &c->worker->slab;
    const struct rule *rule = image_take_rule(in, sets);

    if (rule != NULL && !id128_equal(rule->form, watched->form))
        image_fail(in, "an incident goes by the rule of another key");
    struct incident *latest = incident_load(in);
    if (in->fault != NULL) {
        incident_unref(latest);
        return NULL;
    }
    struct open_incident *open = slab_alloc(slab, sizeof(*open));
    *open = (struct open_incident){.rule = rule, .latest = latest};
    open->last_touch_ms = image_take_time(in);
    open->quiet_checked_ms = image_take_time(in);
    open->first_ts_ms = image_take_i64(in); /* what a sender says */
    open->dirty_round = image_take_any_time(in);
    open->event_count = image_take_u64(in);
    open->alert_count = image_take_u32(in);
    open->open_count = image_take_u32(in);
    open->untracked_open = image_take_u32(in);
    open->alert_count_told = image_take_u32(in);
    for (int i = 0; i < RULE_LAST_MAX; i++)
        open->last[i] = image_take_real(in);
    if (image_take_u32(in) != rule->fewer_touches_max)
        image_fail(in, "an incident remembers another number of touches than its rule asks for");
    open->recent_room = rule->fewer_touches_max;
    if (open->recent_room > 0)
        open->recent_ms = slab_alloc(slab, open->recent_room * sizeof(int64_t));
    open->recent_count = image_take_u32(in);
    for (uint32_t i = 0; i < open->recent_room && i < open->recent_count; i++)
        open->recent_ms[i] = image_take_time(in);
    open->severity = (uint8_t)image_take_below(in, SEVERITY_COUNT, "there is no such severity");
    open->severity_told =
        (uint8_t)image_take_below(in, SEVERITY_COUNT, "there is no such severity");
    open->member_evicted = image_take_flag(in);
    open->evicted_now = image_take_flag(in);
    open->is_told = image_take_flag(in);
    open->is_pushed = in->version >= 5 && image_take_flag(in);
    open->away_end_ms = in->version >= 5 ? image_take_any_time(in) : INT64_MIN;
    members_take(in, &open->members, slab);
    return open;
}

/* All that was due has been done, so what is left is due later. */
static void due_check(const struct correlation *c, const struct key_state *key, struct image_in *in)
{
    int64_t now_ms = c->step->to_ms, round = floor_div(now_ms - 1, (int64_t)c->config->round_ms);

    if (in->fault == NULL && correlation_next_due(c, key) < now_ms)
        image_fail(in, "something was due before");
    if (in->fault == NULL && key->is_open && key_open(key)->dirty_round != INT64_MIN &&
        (key_open(key)->dirty_round != round || round_end_ms(c, round) <= now_ms))
        image_fail(in, "an incident waits for a round's end that is over");
}

/* False when the image is none; the key is good to be freed then. */
static bool state_take(struct correlation *c, struct key_state *key, const struct rule *watched,
                       const struct image_sets *sets, struct image_in *in)
{
    struct open_incident *open = NULL;
    const struct rule *rule = watched;

    if (image_take_flag(in)) {
        open = open_take(c, in, sets, watched);
        if (open != NULL)
            rule = open->rule;
    }
    bool has_body = image_take_flag(in);
    if (in->fault == NULL && open == NULL && !has_body)
        image_fail(in, "a key watches nothing");
    if (in->fault == NULL && open != NULL && has_body &&
        rule_forms[rule->form_kind]->closed == NULL)
        image_fail(in, "a key watches on that cannot");
    if (in->fault == NULL && open != NULL && !has_body && rule->form_kind != FORM_SEQUENCE &&
        rule_forms[rule->form_kind]->closed != NULL)
        image_fail(in, "a key does not watch on that has to");
    if (in->fault == NULL && has_body)
        rule_forms[rule->form_kind]->load(c, rule, key, in);
    if (open != NULL) {
        open->body = key_body(key);
        key_set_open(key, open);
    }
    due_check(c, key, in);
    return in->fault == NULL;
}

static void dirty_note(struct key_lane *keys, uint32_t number)
{
    struct key_state *key = key_at(keys, number);

    if (!key->is_open || key_open(key)->dirty_round == INT64_MIN)
        return;
    key->is_listed = true;
    vector_add(&keys->dirty) = number;
}

void key_lane_load(struct correlation *c, unsigned lane, uint64_t from, uint64_t until,
                   const struct image_sets *sets, struct image_in *in)
{
    struct key_lane *keys = &c->worker->engine->key_lanes[lane];

    image_take_mark(in, lane_mark);
    for (uint32_t count = image_take_count(in, KEY_BYTES_LEAST); count > 0; count--) {
        struct text value[RULE_BY_MAX];
        uint32_t slot = image_take_below(in, c->rules->slot_count, "a key has no rule");
        const struct rule *rule = in->fault == NULL ? c->rules->slots[slot].rule : NULL;
        uint32_t by_count = image_take_key(in, value);
        int64_t last_ms = image_take_time(in);
        if (in->fault == NULL && (rule == NULL || by_count != rule->by_count))
            image_fail(in, "a key has no rule, or other values than its rule asks for");
        if (in->fault != NULL)
            return;
        struct id128 id = key_id(c->rules->slots[slot].family, c->config->seed, value, by_count);
        if (id.hi >> 56 != lane || lane_place(id) < from || lane_place(id) >= until ||
            key_find(keys, id) != UINT32_MAX) {
            image_fail(in, "a key stands in the wrong place, or twice");
            return;
        }
        uint32_t number = key_add(keys, id);
        struct key_state *key = key_at(keys, number);
        struct key_text *words = slab_alloc(&c->worker->slab, key_text_need(value, by_count));
        key_text_pack(words, value, by_count);
        key_set_words(key, words);
        key->slot = slot;
        key->last_any = TIME_PACK(last_ms);
        key->is_self_touched = image_take_flag(in);
        if (!state_take(c, key, rule, sets, in))
            return;
        dirty_note(keys, number);
        correlation_timer_keep(c, keys, number);
    }
}
