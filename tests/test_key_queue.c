/*
 * Aim (X4): at each round's end the keys that a rule's bound takes are those that a look at all
 * keys and a sort give, in that order; and finding them costs a few looks for each key that comes,
 * goes or is touched, however many there are. Method: stage R alone (bench/stage.h), random touches
 * of rules that open by events and by timers, whose keys go by themselves or watch on behind an
 * incident; before each round end all keys are sorted. Costs are counted in looks, not in time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/text.h"
#include "bench/stage.h"
#include "correlate/key_queue.h"
#include "correlate/key_sort.h"
#include "tests/rules_parsed.h"

enum { ROUND_MS = 200, TEXT_BYTES = 192, TOUCHES_MAX = 8192 };

/* By slot: the rules' places in the set are their order by id. */
static const char rules_text[] =
    "rules:\n"
    "  - id: a-window\n    where: severity >= MAJOR\n    by: [resource]\n    on: events\n    "
    "window: 3s\n"
    "    when: count() >= 3\n    incident: {title: t}\n    close: quiet(1s)\n    max_keys: 6000\n"
    "  - id: b-expect\n    where: severity >= MAJOR\n    by: [resource]\n    expect: {every: 1s}\n"
    "    incident: {title: t}\n    close: cleared() || quiet(700ms)\n    max_keys: 700\n"
    "  - id: c-to-next\n    where: severity >= MAJOR\n    by: [resource]\n    on: events\n"
    "    sequence: [{where: 'true'}, {where: 'true'}, {where: 'true'}]\n    within: 5s\n"
    "    skip: to_next\n    incident: {title: t}\n    close: quiet(400ms)\n    max_keys: 50\n"
    "  - id: d-at-once\n    where: severity >= MAJOR\n    by: [resource]\n    window: 1m\n    "
    "when: count() >= 1\n"
    "    incident: {title: t}\n    close: quiet(2s)\n    max_keys: 300\n";
enum { RULES = 4 };

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state += 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(hash_mix(random_state) % n);
}

struct world {
    struct rule_set *set;
    struct engine *engine;
    struct part part;
    uint64_t seq;
    int64_t at_ms; /* the round's start */
    uint64_t made, evicted;
    _Alignas(8) char text[STEPS][TOUCHES_MAX][TEXT_BYTES];
};

static struct world *world_create(const char *text)
{
    struct world *world = calloc(1, sizeof(*world));

    world->set = parse_good(text);
    world->engine = stage_make(world->set);
    world->part.name = (char *)(uintptr_t) "t";
    world->engine->parts[1] = &world->part;
    world->at_ms = 1000000;
    return world;
}

/* What the last step left for others: changes, and words that touches pointed at. */
static void step_forget(struct world *world)
{
    struct worker *worker = world->engine->workers;
    uint64_t s = world->seq & (STEPS - 1);

    for (size_t i = 0; i < worker->changes[s].count; i++)
        incident_unref(worker->changes[s].at[i].incident);
    for (size_t i = 0; i < worker->remains[s].count; i++)
        slab_free(&worker->slab, worker->remains[s].at[i].block, worker->remains[s].at[i].bytes);
    worker->changes[s].count = worker->remains[s].count = 0;
}

static void world_destroy(struct world *world)
{
    for (int s = 0; s < STEPS; s++) {
        free(world->engine->workers->changes[s].at);
        world->engine->workers->changes[s].at = NULL;
    }
    free(world->engine->workers->untold.at);
    stage_free(world->engine);
    rule_set_destroy(world->set);
    free(world);
}

static void touch_make(struct world *world, struct touch *touch, uint32_t i, uint32_t slot,
                       uint32_t host, int64_t at_ms, enum touch_kind kind)
{
    char name[32], *text = world->text[world->seq & (STEPS - 1)][i];
    struct event_draft draft = {.severity = SEVERITY_MAJOR};
    int len = snprintf(name, sizeof(name), "host-%07u", host);
    struct event_text *words;

    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        draft.field[f] = text_of("");
    draft.field[FIELD_TENANT] = text_of("acme");
    draft.field[FIELD_RESOURCE] = text_of(name);
    const struct text by[] = {draft.field[FIELD_TENANT], draft.field[FIELD_RESOURCE]};
    struct id128 id = key_id(slot, world->engine->config.seed, by, 2);
    words = event_text_pack(text, event_text_bytes(&draft), &draft, at_ms);
    *touch = (struct touch){.order = {.at_ms = at_ms,
                                      .offset = i,
                                      .part = 1,
                                      .class = kind == TOUCH_EVICT ? ORDER_ROUND_END : ORDER_EVENT,
                                      .identity = words},
                            .key = id,
                            .alert = hash128(name, (size_t)len, slot),
                            .text = words,
                            .slot = slot,
                            .kind = (uint8_t)kind,
                            .severity = SEVERITY_MAJOR,
                            .lane = (uint8_t)(id.hi >> 56),
                            .steps = 7};
}

static int whole_order(const void *a, const void *b)
{
    const struct key_candidate *x = a, *y = b;

    if (x->slot != y->slot)
        return x->slot < y->slot ? -1 : 1;
    if (x->open != y->open)
        return x->open ? 1 : -1;
    if (x->last_ms != y->last_ms)
        return x->last_ms < y->last_ms ? -1 : 1;
    return key_text_compare(x->text, y->text);
}

/* All keys, in the order in which they would go. */
static size_t keys_sorted(const struct engine *engine, struct key_candidate **out)
{
    size_t count = 0, room = 0;

    for (unsigned l = 0; l < LANES; l++)
        room += engine->key_lanes[l].count;
    *out = malloc((room + 1) * sizeof(**out));
    for (unsigned l = 0; l < LANES; l++)
        for (uint32_t n = 0; n < engine->key_lanes[l].used; n++) {
            const struct key_state *key = key_at(&engine->key_lanes[l], n);
            if (key->used)
                (*out)[count++] = (struct key_candidate){.open = key->is_open,
                                                         .last_ms = key_last_ms(key),
                                                         .text = key_words(key),
                                                         .slot = key->slot,
                                                         .number = n,
                                                         .lane = (uint8_t)l};
        }
    assert_int_equal(count, room);
    qsort(*out, count, sizeof(**out), whole_order);
    return count;
}

/* What the phase offers is the beginning of each rule's keys. */
static void offers_compare(const struct engine *engine)
{
    const struct worker *worker = engine->workers;
    struct key_candidate *all;
    size_t count = keys_sorted(engine, &all), offered = 0;

    for (size_t i = 0; i < count;) {
        uint32_t slot = all[i].slot;
        size_t end = i;
        while (end < count && all[end].slot == slot)
            end++;
        uint64_t most = engine->newest_rules->slots[slot].rule->max_keys;
        for (uint64_t k = 0; k + most < end - i; k++, offered++) {
            assert_true(offered < worker->key_candidates.count);
            const struct key_candidate *is = &worker->key_candidates.at[offered];
            assert_int_equal(is->slot, slot);
            assert_int_equal(is->open, all[i + k].open);
            assert_int_equal(is->last_ms, all[i + k].last_ms);
            assert_int_equal(is->lane, all[i + k].lane);
            assert_int_equal(is->number, all[i + k].number);
        }
        i = end;
    }
    assert_int_equal(offered, worker->key_candidates.count);
    free(all);
}

/* The round with the touches that stage_touches() took; its end holds the bounds. */
static void round_run(struct world *world, uint32_t count, bool compares)
{
    struct worker *worker = world->engine->workers;
    struct touch_list *list = &worker->touches_out[world->seq & (STEPS - 1)][0];
    struct step step = {.from_ms = world->at_ms,
                        .to_ms = world->at_ms + ROUND_MS,
                        .events = count,
                        .bounded = true,
                        .rules = world->engine->newest_rules};

    list->count = count;
    rules_phase(worker, world->seq, &step);
    list->count = 0;
    rules_candidates_phase(worker, &step);
    if (compares)
        offers_compare(world->engine);
    world->evicted += worker->key_candidates.count;
    rules_evict_phase(worker, world->seq, &step);
    step_forget(world);
    world->seq++;
    world->at_ms += ROUND_MS;
}

/* --- the order ------------------------------------------------------------------------------- */

static int touch_time(const void *a, const void *b)
{
    const struct touch *x = a, *y = b;

    return (x->order.at_ms > y->order.at_ms) - (x->order.at_ms < y->order.at_ms);
}

/* Hosts of a round come from some that are there, some that are new, some that were long ago; in
 * some rounds all at one time; sometimes nothing comes for a while, so that timers empty the rules.
 */
static void rounds_at_random(uint64_t seed)
{
    struct world *world = world_create(rules_text);
    uint32_t newest = 0;
    random_state = seed;

    for (int r = 0; r < 100; r++) {
        uint32_t count = below(8) == 0 ? below(TOUCHES_MAX) : below(1500);
        uint32_t share = below(101), slots = 1 + below(RULES);
        bool at_once = below(3) == 0;
        int64_t once_ms = world->at_ms + below(ROUND_MS);
        struct touch *touch = stage_touches(world->engine, world->seq, count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t slot = below(slots), host = below(newest + 1);
            if (below(100) < share)
                host = newest++;
            else if (below(2) == 0 && newest > 500)
                host = newest - 1 - below(500);
            enum touch_kind kind = slot == 1 ? TOUCH_BEAT : TOUCH_RAISE;
            if (slot != 1 && below(20) == 0)
                kind = below(2) == 0 ? TOUCH_CLEAR : TOUCH_EVICT;
            int64_t at_ms = kind == TOUCH_EVICT ? world->at_ms + ROUND_MS
                            : at_once           ? once_ms
                                                : world->at_ms + below(ROUND_MS);
            touch_make(world, &touch[i], i, slot, host, at_ms, kind);
        }
        if (count > 0)
            qsort(touch, count, sizeof(*touch), touch_time);
        for (uint32_t i = 0; i < count; i++)
            touch[i].order.offset = i;
        round_run(world, count, true);
        if (below(40) == 0)
            for (uint32_t i = below(40); i > 0; i--)
                round_run(world, 0, true);
    }
    assert_true(world->evicted > 1000);
    world_destroy(world);
}

static void X4_keys_go_in_the_order_of_a_sort(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++)
        rounds_at_random(seed);
}

/* --- the cost -------------------------------------------------------------------------------- */

enum { BOUND = 10000, EACH = 500 };
#define BOUNDED(more)                                                                              \
    "rules:\n  - id: a\n    where: severity >= MAJOR\n    by: [resource]\n    on: events\n" more   \
    "    incident: {title: t}\n    close: quiet(1h)\n    max_keys: 10000\n"

/* Ten times the bound, all new; `old` touches a round besides, of hosts that are there. */
static void storm_costs_little(const char *rules, uint32_t old, bool at_once)
{
    struct world *world = world_create(rules);
    uint64_t touches = 0;
    uint32_t newest = 0;

    random_state = 1;
    while (newest < 11 * BOUND) {
        struct touch *touch = stage_touches(world->engine, world->seq, EACH + old);
        for (uint32_t i = 0; i < EACH + old; i++) {
            uint32_t host = i % ((EACH + old) / EACH) == 0 && newest < 11 * BOUND
                                ? newest++
                                : newest - 1 - below(newest < BOUND ? newest : BOUND);
            touch_make(world, &touch[i], i, 0, host,
                       world->at_ms + (at_once ? 0 : i * ROUND_MS / (EACH + old)), TOUCH_RAISE);
        }
        round_run(world, EACH + old, false);
        touches += EACH + old;
    }
    assert_true(world->evicted >= (uint64_t)10 * BOUND);
    /* A pass over all at the first time; then a look when a key is parted from others, one when it
     * is sorted, one when it is offered; and the same again after a touch. A pass per round would
     * be 200 * 10,000 and more. */
    assert_true(world->engine->workers->key_looks <= 2 * BOUND + 5 * touches);
    world_destroy(world);
}

#define WATCHES BOUNDED("    window: 1h\n    when: count() >= 100\n")
#define OPENS BOUNDED("    window: 1h\n    when: count() >= 1\n")

static void X4_a_storm_of_new_keys_costs_a_few_looks_for_each(void **state)
{
    (void)state;
    storm_costs_little(WATCHES, 0, false);
    storm_costs_little(WATCHES, 0, true);
    storm_costs_little(OPENS, 0, false);
}

static void X4_a_storm_over_keys_that_are_touched_costs_no_more_for_each(void **state)
{
    (void)state;
    storm_costs_little(WATCHES, 2 * EACH, false);
    storm_costs_little(OPENS, 2 * EACH, false);
}

/* One new key a round: who stays is not looked at again, though all were touched at one time. */
static void X4_a_bound_that_is_barely_reached_costs_nothing_for_who_stays(void **state)
{
    (void)state;
    struct world *world = world_create(WATCHES);
    uint32_t newest = 0;

    for (; newest < BOUND; newest += EACH) {
        struct touch *touch = stage_touches(world->engine, world->seq, EACH);
        for (uint32_t i = 0; i < EACH; i++)
            touch_make(world, &touch[i], i, 0, newest + i, world->at_ms, TOUCH_RAISE);
        world->at_ms -= newest + EACH < BOUND ? ROUND_MS : 0; /* all of them at one time */
        round_run(world, EACH, false);
    }
    for (int r = 0; r < 1000; r++) {
        struct touch *touch = stage_touches(world->engine, world->seq, 1);
        touch_make(world, &touch[0], 0, 0, newest++, world->at_ms, TOUCH_RAISE);
        round_run(world, 1, r % 100 == 0);
    }
    assert_int_equal(world->evicted, 1000);
    assert_true(world->engine->workers->key_looks <= 3 * BOUND + 3 * 1000);
    world_destroy(world);
}

/* A rule that was over its bound once, and whose keys go by themselves since. */
static void X4_places_of_keys_that_went_by_themselves_do_not_gather(void **state)
{
    (void)state;
    struct world *world = world_create(BOUNDED("    window: 1s\n    when: count() >= 100\n"));
    uint32_t newest = 0;

    for (int r = 0; r < 400; r++) {
        uint32_t count = r == 0 ? 0 : r < 5 ? 3000 : EACH;
        struct touch *touch = stage_touches(world->engine, world->seq, count);
        for (uint32_t i = 0; i < count; i++)
            touch_make(world, &touch[i], i, 0, newest++, world->at_ms, TOUCH_RAISE);
        round_run(world, count, false);
    }
    assert_int_equal(world->evicted, 4 * 3000 + EACH - BOUND); /* then the first are over */
    const struct key_queue *queue = key_queue_of(world->engine->workers, 0);
    assert_true(key_queue_places(queue) <= (uint64_t)4 * 6 * EACH + 256);
    world_destroy(world);
}

/* Timers of keys that are gone do not stay until they would have been due. */
static void X4_timers_of_keys_that_went_do_not_gather(void **state)
{
    (void)state;
    struct world *world = world_create(WATCHES);
    uint64_t timers = 0;

    for (uint32_t newest = 0; newest < 11 * BOUND; newest += EACH) {
        struct touch *touch = stage_touches(world->engine, world->seq, EACH);
        for (uint32_t i = 0; i < EACH; i++)
            touch_make(world, &touch[i], i, 0, newest + i, world->at_ms, TOUCH_RAISE);
        round_run(world, EACH, false);
    }
    for (unsigned l = 0; l < LANES; l++)
        timers += world->engine->key_lanes[l].timers.count;
    assert_true(timers <= (uint64_t)2 * (BOUND + EACH) + (uint64_t)LANES * 65);
    world_destroy(world);
}

/* A word of few letters, so that words begin alike, are each other's beginnings and are equal. */
static struct text word_make(char *room, uint32_t most)
{
    static const char letters[] = {'a', 'a', 'a', 'b', '\0', '\xff'};
    uint32_t length = below(most + 1);

    for (uint32_t i = 0; i < length; i++)
        room[i] = letters[below(sizeof(letters))];
    return (struct text){room, length};
}

static void keys_are_sorted_by_time_and_words(void **state)
{
    enum { KEYS_MAX = 60, SETS = 400, WORDS_ROOM = 1280 };
    static struct key_candidate at[KEYS_MAX];
    static _Alignas(8) char words[KEYS_MAX][WORDS_ROOM];

    (void)state;
    random_state = 7;
    for (int set = 0; set < SETS; set++) {
        uint32_t count = below(KEYS_MAX + 1), times = 1 + below(4);
        uint32_t most = set % 3 == 0 ? 3 : set % 3 == 1 ? 20 : 400, values = 1 + below(3);
        char common[400], own[3][400];
        struct text shared = word_make(common, most); /* all keys begin with it, or none does */
        bool is_shared = values > 1 && below(2) == 0;
        for (uint32_t i = 0; i < count; i++) {
            struct text value[3];
            for (uint32_t v = 0; v < values; v++)
                value[v] = is_shared && v == 0 ? shared : word_make(own[v], most);
            struct key_text *text = (struct key_text *)(void *)words[i];
            assert_true(key_text_need(value, values) <= WORDS_ROOM);
            key_text_pack(text, value, values);
            at[i] = (struct key_candidate){.last_ms = below(times), .text = text, .number = i};
        }
        key_sort(at, count);
        uint64_t seen = 0;
        for (uint32_t i = 0; i < count; i++) {
            seen |= UINT64_C(1) << at[i].number;
            assert_ptr_equal(at[i].text, words[at[i].number]);
            if (i == 0)
                continue;
            assert_true(at[i - 1].last_ms <= at[i].last_ms);
            if (at[i - 1].last_ms == at[i].last_ms)
                assert_true(key_text_compare(at[i - 1].text, at[i].text) <= 0);
        }
        assert_true(seen == (UINT64_C(1) << count) - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_sorted_by_time_and_words),
        cmocka_unit_test(X4_keys_go_in_the_order_of_a_sort),
        cmocka_unit_test(X4_a_storm_of_new_keys_costs_a_few_looks_for_each),
        cmocka_unit_test(X4_a_storm_over_keys_that_are_touched_costs_no_more_for_each),
        cmocka_unit_test(X4_a_bound_that_is_barely_reached_costs_nothing_for_who_stays),
        cmocka_unit_test(X4_places_of_keys_that_went_by_themselves_do_not_gather),
        cmocka_unit_test(X4_timers_of_keys_that_went_do_not_gather),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
