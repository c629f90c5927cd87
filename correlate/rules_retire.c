/*
 * rules_retire.c - see rules_retire.h.
 *
 * The look goes through lanes only while no step is under way: then no worker touches them (F, S),
 * and this role may. Under load that moment is asked for after a while by planning nothing more.
 * A slot or set is judged only if it was old when the look began; what became old meanwhile is left
 * to the next.
 */
#include "correlate/rules_retire.h"

#include <stdlib.h>
#include <string.h>
#include "correlate/bounds_tell.h"
#include "correlate/key_queue.h"

enum { LANES_AT_ONCE = 4 };
#define REST_MIN_NS UINT64_C(1000000000)
#define REST_MAX_NS (60 * REST_MIN_NS)
#define PATIENCE_NS UINT64_C(20000000) /* then a look asks for the moment that it needs */

/* --- what is old ---------------------------------------------------------------------------- */

static uint64_t next_step(const struct engine *engine)
{
    /* relaxed: this role is its only writer. */
    return atomic_load_explicit(&engine->step_count, memory_order_relaxed);
}

static void count_sets(struct engine *engine)
{
    /* relaxed: a number for metrics. */
    atomic_store_explicit(&engine->rule_sets, engine->retire.sets.count + 1, memory_order_relaxed);
}

static void bury(struct engine *engine, enum buried_kind kind, void *what)
{
    vector_add(&engine->retire.buried) =
        (struct buried){.kind = kind, .what = what, .step = next_step(engine)};
}

void rules_retire_add(struct engine *engine, struct rules_version *old)
{
    bury(engine, BURIED_VERSION, old);
    vector_add(&engine->retire.sets) = old->set;
    engine->retire.rest_ns = REST_MIN_NS;
    count_sets(engine);
}

void rules_retire_free(struct engine *engine, struct rule_set *set)
{
    if (set != NULL && engine->listener.rules_done != NULL)
        engine->listener.rules_done(engine->listener.self, set);
    else
        rule_set_destroy(set);
}

static void free_buried(struct engine *engine, const struct buried *buried)
{
    switch (buried->kind) {
    case BURIED_VERSION:
        rules_version_drop(buried->what);
        break;
    case BURIED_TALLY:
        free(buried->what);
        break;
    case BURIED_SET:
        rules_retire_free(engine, buried->what);
        break;
    }
}

/* Frees what no step knows any more: a later one has been told, so the incident role has moved on.
 */
static void free_done(struct engine *engine)
{
    struct rules_retire *retire = &engine->retire;
    size_t kept = 0;

    if (retire->buried.count == 0 || retire->buried.at[0].step >= engine->steps_seen)
        return;
    /* Readers of counters hold it while they look at a version. */
    pthread_mutex_lock(&engine->rules_lock);
    for (size_t i = 0; i < retire->buried.count; i++) {
        if (retire->buried.at[i].step < engine->steps_seen)
            free_buried(engine, &retire->buried.at[i]);
        else
            retire->buried.at[kept++] = retire->buried.at[i];
    }
    pthread_mutex_unlock(&engine->rules_lock);
    retire->buried.count = kept;
}

/* --- the look ------------------------------------------------------------------------------- */

static void slot_hold(struct rules_retire *retire, uint32_t slot)
{
    /* Slots beyond are of later versions: they are not judged. */
    if (slot < retire->slot_count)
        retire->is_dead[slot] = false;
}

/* Few are different: incidents that an earlier form or text of a rule has opened. */
static void rule_hold(struct rules_retire *retire, const struct rule *rule)
{
    for (size_t i = retire->rules.count; i-- > 0;)
        if (retire->rules.at[i] == rule)
            return;
    vector_add(&retire->rules) = rule;
}

static void lane_look(struct engine *engine, unsigned lane)
{
    struct rules_retire *retire = &engine->retire;
    const struct alert_lane *alerts = &engine->alert_lanes[lane];
    const struct key_lane *keys = &engine->key_lanes[lane];
    const struct rules_version *version = engine->newest_rules;

    for (uint32_t i = 0; i <= alerts->mask; i++) {
        if (alerts->slots[i].bits == 0)
            continue;
        const struct alert_cold *cold = alert_cold(alerts, alert_slot_cold(&alerts->slots[i]));
        for (unsigned r = 0; r < cold->route_count; r++)
            slot_hold(retire, cold->routes[r].slot);
        for (unsigned r = 0; r < cold->flap_route_count; r++)
            slot_hold(retire, cold->flap_routes[r].slot);
    }
    for (uint32_t n = 0; n < keys->used; n++) {
        const struct key_state *key = key_at(keys, n);
        if (!key->used)
            continue;
        slot_hold(retire, key->slot);
        if (key->is_open && key_open(key)->rule != version->slots[key->slot].rule)
            rule_hold(retire, key_open(key)->rule);
    }
}

static void look_begin(struct engine *engine)
{
    struct rules_retire *retire = &engine->retire;
    const struct rules_version *version = engine->newest_rules;

    retire->slot_count = version->slot_count;
    retire->set_count = retire->sets.count;
    retire->rules.count = 0;
    retire->is_dead = memory_grow(retire->is_dead, version->slot_count + 1);
    for (uint32_t s = 0; s < version->slot_count; s++)
        retire->is_dead[s] = version->slots[s].rule != NULL && !version->slots[s].current;
    retire->lane = 0;
    retire->is_looking = true;
}

static bool holds_rule_of(const struct rule_set *set, const struct rule *rule)
{
    uint32_t count = rule_set_count(set);

    return rule != NULL && count > 0 && rule->index < count &&
           rule_set_rule(set, rule->index) == rule;
}

static bool set_is_held(const struct engine *engine, const struct rule_set *set)
{
    const struct rules_version *version = engine->newest_rules;

    for (uint32_t s = 0; s < version->slot_count; s++)
        if (holds_rule_of(set, version->slots[s].rule))
            return true;
    for (size_t i = 0; i < engine->retire.rules.count; i++)
        if (holds_rule_of(set, engine->retire.rules.at[i]))
            return true;
    return false;
}

/* Takes the dead slots out of the version in force. Returns how many. */
static uint32_t slots_drop(struct engine *engine)
{
    struct rules_retire *retire = &engine->retire;
    struct rules_version *version = engine->newest_rules;
    bool *is_dead = memory_alloc(version->slot_count + 1);
    uint32_t count = 0;

    for (uint32_t s = 0; s < version->slot_count; s++) {
        is_dead[s] = s < retire->slot_count && retire->is_dead[s] && !bounds_owes(engine, s);
        count += is_dead[s];
    }
    if (count > 0) {
        struct rules_version *trimmed = rules_version_trim(version, is_dead, engine->worker_count);
        for (uint32_t s = 0; s < version->slot_count; s++)
            if (is_dead[s]) {
                bury(engine, BURIED_TALLY, version->slots[s].tally);
                bounds_forget(engine, s);
                key_queue_forget(engine, s);
            }
        bury(engine, BURIED_VERSION, version);
        engine->newest_rules = trimmed;
        /* relaxed: readers look at it under the lock. */
        pthread_mutex_lock(&engine->rules_lock);
        atomic_store_explicit(&engine->shown_rules, trimmed, memory_order_relaxed);
        pthread_mutex_unlock(&engine->rules_lock);
    }
    free(is_dead);
    return count;
}

/* The first set is the creator's: it is forgotten, and freed by whom it belongs to. */
static void set_drop(struct engine *engine, struct rule_set *set)
{
    if (set != engine->first_set)
        bury(engine, BURIED_SET, set);
}

static void look_end(struct engine *engine, uint64_t now_ns)
{
    struct rules_retire *retire = &engine->retire;
    size_t kept = 0;
    uint32_t freed;

    freed = slots_drop(engine);
    for (size_t i = 0; i < retire->sets.count; i++) {
        if (i >= retire->set_count || set_is_held(engine, retire->sets.at[i])) {
            retire->sets.at[kept++] = retire->sets.at[i];
        } else {
            set_drop(engine, retire->sets.at[i]);
            freed++;
        }
    }
    retire->sets.count = kept;
    retire->is_looking = false;
    retire->ended_ns = now_ns;
    retire->rest_ns = freed > 0                           ? REST_MIN_NS
                      : 2 * retire->rest_ns < REST_MAX_NS ? 2 * retire->rest_ns
                                                          : REST_MAX_NS;
    count_sets(engine);
}

void rules_retire_poll(struct engine *engine, uint64_t now_ns)
{
    struct rules_retire *retire = &engine->retire;

    /* A step that held a bound is looked at once more after its end. */
    if (engine->draining != 0)
        return;
    free_done(engine);
    if (!retire->is_looking && retire->sets.count == 0 && engine->newest_rules->drain_count == 0)
        return;
    if (!retire->is_looking && now_ns - retire->ended_ns < retire->rest_ns)
        return;
    bool has_seen_all = retire->is_looking && retire->lane == LANES;
    /* A version that is about to take effect has the slots of this one: nothing is taken out. */
    if (has_seen_all && engine->pending_rules != NULL)
        return;
    if (engine->steps_seen != next_step(engine)) {
        if (retire->looked_ns == 0)
            retire->looked_ns = now_ns;
        retire->must_drain = now_ns - retire->looked_ns > PATIENCE_NS;
        return;
    }
    retire->must_drain = false;
    retire->looked_ns = 0;
    if (has_seen_all) {
        look_end(engine, now_ns);
        return;
    }
    if (!retire->is_looking)
        look_begin(engine);
    for (unsigned i = 0; i < LANES_AT_ONCE && retire->lane < LANES; i++)
        lane_look(engine, retire->lane++);
}

bool rules_retire_is_ending(const struct engine *engine)
{
    return engine->retire.is_looking && engine->retire.lane == LANES;
}

void rules_retire_release(struct engine *engine)
{
    struct rules_retire *retire = &engine->retire;

    for (size_t i = 0; i < retire->buried.count; i++)
        free_buried(engine, &retire->buried.at[i]);
    for (size_t i = 0; i < retire->sets.count; i++)
        if (retire->sets.at[i] != engine->first_set)
            rules_retire_free(engine, retire->sets.at[i]);
    if (engine->pending_rules != NULL) { /* has all slots of the one in force */
        rules_retire_free(engine, engine->pending_rules->set);
        rules_version_destroy(engine->pending_rules);
    }
    if (engine->newest_rules != NULL && engine->newest_rules->set != engine->first_set)
        rules_retire_free(engine, engine->newest_rules->set);
    if (engine->newest_rules != NULL && engine->pending_rules != NULL)
        rules_version_drop(engine->newest_rules);
    else
        rules_version_destroy(engine->newest_rules);
    free(retire->buried.at);
    free(retire->sets.at);
    free(retire->rules.at);
    free(retire->is_dead);
}
