/* alert_image.c - see alert_image.h. */
#include "correlate/alert_image.h"

#include "correlate/away.h"
#include "correlate/dedup_parts.h"

/* Less than any alert takes: what a count of them may be believed by. */
enum { ALERT_BYTES_LEAST = 64, ROUTE_BYTES = 24 };

static const char lane_mark[4] = {'A', 'L', 'R', 'T'};

/* --- out ---------------------------------------------------------------------------------- */

static void routes_put(struct image_out *out, const struct route *routes, uint16_t count)
{
    image_put_u32(out, count);
    for (uint16_t i = 0; i < count; i++) {
        image_put_id(out, routes[i].key);
        image_put_u32(out, routes[i].slot);
        image_put_u32(out, routes[i].lane);
    }
}

/* The oldest first. */
static void changes_put(struct image_out *out, const struct alert_cold *cold, unsigned max)
{
    image_put_u32(out, cold->change_count);
    for (unsigned i = 0; i < cold->change_count; i++)
        image_put_i64(
            out, cold->changes == NULL
                     ? cold->first_change
                     : cold->changes[(cold->change_next + max - cold->change_count + i) % max]);
}

static void alert_put(const struct engine *engine, struct image_out *out,
                      const struct alert_slot *slot, const struct alert_cold *cold, int64_t now_ms)
{
    image_put_id(out, slot->fingerprint);
    image_put_u64(out, slot->attr_hash);
    image_put_i64(out, alert_slot_last(slot, now_ms));
    image_put_u64(out, cold->count + (slot->bits >> ALERT_COUNT_SHIFT & ALERT_COUNT_MAX));
    image_put_u32(out, slot->bits & ALERT_FLAGS);
    image_put_i64(out, cold->problem_et);
    image_put_i64(out, cold->flap_end_ms);
    image_put_u64(out, cold->told_attr);
    image_put_u32(out, cold->severity);
    image_put_u32(out, cold->told_open);
    image_put_u32(out, cold->is_held);
    image_put_u32(out, cold->is_pushed);
    changes_put(out, cold, engine->newest_rules->terms.flap_start);
    routes_put(out, cold->routes, cold->route_count);
    routes_put(out, cold->flap_routes, cold->flap_route_count);
    image_put_event(out, cold->text);
}

/* What slots further on lead to lies anywhere: the cold record first, then its words. */
static void fetch(const struct alert_lane *alerts, uint32_t at)
{
    enum { COLD_AHEAD = 32, WORDS_AHEAD = 12, LINE = 64, WORDS_LINES = 4 };
    const struct alert_slot *cold = &alerts->slots[(at + COLD_AHEAD) & alerts->mask];
    const struct alert_slot *words = &alerts->slots[(at + WORDS_AHEAD) & alerts->mask];

    if (cold->bits != 0)
        for (size_t i = 0; i < sizeof(struct alert_cold); i += LINE)
            __builtin_prefetch((const char *)alert_cold(alerts, alert_slot_cold(cold)) + i);
    if (words->bits == 0)
        return;
    const struct alert_cold *of = alert_cold(alerts, alert_slot_cold(words));
    for (size_t i = 0; i < WORDS_LINES; i++)
        __builtin_prefetch((const char *)of->text + i * LINE);
    __builtin_prefetch(of->routes);
}

void alert_lane_save(const struct engine *engine, unsigned lane, struct lane_take *take,
                     int64_t now_ms, struct image_out *out)
{
    const struct alert_lane *alerts = &engine->alert_lanes[lane];
    const uint32_t room = alerts->mask + 1, first = place_home((uint32_t)take->next, room);
    const uint64_t from = take->next;
    const size_t begin = out->bytes.count;
    uint32_t count = 0, at = first;

    image_put_mark(out, lane_mark);
    image_put_u32(out, 0);
    take->next = PLACES;
    if (alerts->count == 0)
        return;
    const size_t count_at = out->bytes.count - sizeof(count);
    for (; at < room; at++) {
        const struct alert_slot *slot = &alerts->slots[at];
        fetch(alerts, at);
        if (slot->bits == 0) {
            if (take->spent + out->bytes.count - begin + (at - first) < take->most)
                continue;
            take->next = place_first(++at, room);
            break;
        }
        /* Those that fall to slots at the table's end and lie at its beginning come last. */
        if (lane_place(slot->fingerprint) < from || alert_home(alerts, slot->fingerprint) > at)
            continue;
        alert_put(engine, out, slot, alert_cold(alerts, alert_slot_cold(slot)), now_ms);
        count++;
    }
    take->spent += at - first;
    for (at = 0; take->next == PLACES && alerts->slots[at].bits != 0; at++) {
        const struct alert_slot *slot = &alerts->slots[at];
        if (lane_place(slot->fingerprint) < from || alert_home(alerts, slot->fingerprint) <= at)
            continue;
        alert_put(engine, out, slot, alert_cold(alerts, alert_slot_cold(slot)), now_ms);
        count++;
    }
    take->spent += out->bytes.count - begin;
    memcpy(out->bytes.at + count_at, &count, sizeof(count));
}

/* --- in ----------------------------------------------------------------------------------- */

static struct route *routes_take(const struct engine *engine, struct image_in *in,
                                 struct slab *slab, uint16_t *count)
{
    const struct rules_version *rules = engine->newest_rules;
    uint32_t all = image_take_count(in, ROUTE_BYTES);

    if (all > UINT16_MAX)
        image_fail(in, "an alert has too many routes");
    if (all == 0 || in->fault != NULL)
        return NULL;
    struct route *routes = slab_alloc(slab, all * sizeof(*routes));
    *count = (uint16_t)all;
    for (uint32_t i = 0; i < all; i++) {
        routes[i].key = image_take_id(in);
        routes[i].slot = image_take_below(in, rules->slot_count, "a route leads to no rule");
        routes[i].lane = (uint8_t)image_take_below(in, LANES, "a route leads to no lane");
        if (in->fault == NULL && rules->slots[routes[i].slot].rule == NULL)
            image_fail(in, "a route leads to no rule");
        if (in->fault == NULL && routes[i].lane != routes[i].key.hi >> 56)
            image_fail(in, "a route leads to another lane than its key is in");
    }
    return routes;
}

static void changes_take(struct image_in *in, struct slab *slab, struct alert_cold *cold,
                         unsigned max)
{
    uint32_t count = image_take_below(in, max + 1, "an alert remembers too many changes");

    if (count == 0)
        return;
    cold->change_count = (uint16_t)count;
    if (count == 1 && max > 1) {
        cold->first_change = image_take_time(in);
        return;
    }
    cold->changes = slab_alloc(slab, max * sizeof(int64_t));
    for (uint32_t i = 0; i < count; i++)
        cold->changes[i] = image_take_time(in);
    cold->change_next = (uint16_t)(count % max);
}

/* When the last spell ends, or has ended, in which nobody can push. */
static int64_t away_until(const struct engine *engine, int64_t now_ms)
{
    const struct away_spell *spell = away_at(engine, now_ms - 1);

    return spell != NULL ? spell->end_ms : INT64_MIN;
}

/* All of it but its place. False, with nothing kept, when it cannot be. */
static bool alert_take(const struct engine *engine, struct image_in *in, struct slab *slab,
                       struct alert_slot *slot, struct alert_cold *cold, int64_t now_ms)
{
    const struct engine_terms *terms = &engine->newest_rules->terms;
    const unsigned changes_max = terms->flap_start;

    *slot = (struct alert_slot){.fingerprint = image_take_id(in)};
    slot->attr_hash = image_take_u64(in);
    int64_t last_ms = image_take_time(in);
    if (last_ms > now_ms || now_ms - last_ms > UINT32_MAX)
        image_fail(in, "an alert was heard of at an impossible time");
    slot->last32 = (uint32_t)last_ms;
    *cold = (struct alert_cold){.fingerprint = slot->fingerprint, .count = image_take_u64(in)};
    slot->bits = image_take_below(in, ALERT_FLAGS + 1, "an alert has an unknown flag");
    cold->problem_et = image_take_time(in);
    cold->flap_end_ms = image_take_time(in);
    cold->told_attr = image_take_u64(in);
    cold->severity = (uint8_t)image_take_below(in, SEVERITY_COUNT, "there is no such severity");
    cold->told_open = image_take_flag(in);
    cold->is_held = image_take_flag(in);
    cold->is_pushed = in->version >= 5 && image_take_flag(in);
    changes_take(in, slab, cold, changes_max);
    if ((slot->bits & ALERT_FLAPPING) != 0 &&
        (cold->change_count <= terms->flap_stop || cold->flap_end_ms < now_ms))
        image_fail(in, "an alert flaps that cannot");
    if (!cold->is_held && last_ms + terms->expire_ms < now_ms &&
        !(cold->is_pushed && away_until(engine, now_ms) >= now_ms))
        image_fail(in, "an alert was not heard of for too long");
    cold->routes = routes_take(engine, in, slab, &cold->route_count);
    cold->route_room = cold->route_count;
    cold->flap_routes = routes_take(engine, in, slab, &cold->flap_route_count);
    cold->text = image_take_event(in, slab);
    if (in->fault == NULL)
        return true;
    if (cold->text != NULL)
        slab_free(slab, cold->text, cold->text->bytes);
    slab_free(slab, cold->routes, cold->route_count * sizeof(struct route));
    slab_free(slab, cold->flap_routes, cold->flap_route_count * sizeof(struct route));
    slab_free(slab, cold->changes, changes_max * sizeof(int64_t));
    return false;
}

void alert_lane_load(struct engine *engine, unsigned lane, uint64_t from, uint64_t until,
                     int64_t now_ms, struct image_in *in)
{
    struct alert_lane *alerts = &engine->alert_lanes[lane];
    struct worker *owner = &engine->workers[lane_owner(engine, lane)];

    image_take_mark(in, lane_mark);
    for (uint32_t count = image_take_count(in, ALERT_BYTES_LEAST); count > 0; count--) {
        struct alert_slot slot;
        struct alert_cold cold;
        struct id128 fingerprint;
        if (in->fault == NULL && in->bytes - in->used >= sizeof(fingerprint)) {
            memcpy(&fingerprint, in->at + in->used, sizeof(fingerprint));
            if (fingerprint.hi >> 56 != lane || lane_place(fingerprint) < from ||
                lane_place(fingerprint) >= until || alert_find(alerts, fingerprint) != NULL)
                image_fail(in, "an alert stands in the wrong place, or twice");
        }
        if (alerts->count >= ALERT_COLD_MAX)
            image_fail(in, "a lane has too many alerts");
        if (!alert_take(engine, in, &owner->slab, &slot, &cold, now_ms))
            return;
        struct alert_slot *added = alert_add(alerts, slot.fingerprint);
        uint32_t number = alert_slot_cold(added);
        *alert_cold(alerts, number) = cold;
        slot.bits |= (number + 1) << ALERT_COLD_SHIFT;
        *added = slot;
        tally_add(&owner->alerts, 1);
        if ((slot.bits & ALERT_FLAPPING) != 0) {
            tally_add(&owner->flapping, 1);
            dedup_timer_push(alerts, added, ALERT_TIMER_FLAP, cold.flap_end_ms);
        }
        int64_t over_ms = alert_slot_last(added, now_ms) + engine->newest_rules->terms.expire_ms;
        if (cold.is_held)
            dedup_wait(alerts, number, now_ms);
        else if (over_ms < now_ms)
            dedup_wait_away(alerts, number, now_ms, away_until(engine, now_ms));
        else
            dedup_timer_push(alerts, added, ALERT_TIMER_EXPIRE, over_ms);
    }
    alerts->generation = engine->newest_rules->generation;
    alerts->terms = engine->newest_rules->terms;
}
