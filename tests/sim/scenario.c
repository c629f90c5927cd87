/* scenario.c - see scenario.h. */
#include "sim/scenario.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim/disk.h"

/* Windows, expiry and quiet times of all rules have passed after so long. */
#define TAIL_NS (32 * SECOND_NS)

/* ---- rules ---- */

struct rule_text {
    unsigned percent; /* how often it is there */
    bool takes_first; /* needs the first and the third rule */
    const char *text;
};

static const struct rule_text rules[] = {
    {100, false,
     "  - id: pushed\n"
     "    where: tenant == \"pushed\"\n"
     "    by: [host]\n"
     "    window: 1h\n"
     "    when: count() >= 1\n"
     "    incident: {title: \"{host} was pushed\"}\n"
     "    close: quiet(2s)\n"},
    {100, false,
     "  - id: down\n"
     "    where: check == \"down\"\n"
     "    by: [tenant, host]\n"
     "    window: 1h\n"
     "    when: count() >= 1\n"
     "    incident: {title: \"{host} is down\", priority: P1}\n"
     "    close: cleared()\n"},
    {60, false,
     "  - id: pair\n"
     "    where: check != \"tick\" && tenant == \"acme\"\n"
     "    by: [tenant, host]\n"
     "    window: 4s\n"
     "    when: distinct(check) >= 2\n"
     "    incident: {title: \"{host} in trouble\", priority: P2}\n"
     "    close: cleared() || quiet(6s)\n"},
    {60, false,
     "  - id: storm\n"
     "    on: events\n"
     "    where: check != \"tick\" && tenant == \"acme\"\n"
     "    by: [labels.site]\n"
     "    window: 2s\n"
     "    when: count() >= 8\n"
     "    incident: {title: \"{labels.site}: {count()}\", priority: P3}\n"
     "    close: quiet(3s)\n"},
    {40, false,
     "  - id: held\n"
     "    where: check == \"slow\" && severity >= MAJOR\n"
     "    by: [host]\n"
     "    window: open\n"
     "    for: 1s\n"
     "    when: count() >= 1\n"
     "    incident: {title: \"{host} slow for a second\"}\n"
     "    close: cleared()\n"},
    {40, false,
     "  - id: chain\n"
     "    by: [host]\n"
     "    sequence:\n"
     "      - {where: check == \"slow\", as: first}\n"
     "      - {not: check == \"full\"}\n"
     "      - {where: check == \"down\", as: second}\n"
     "    within: 5s\n"
     "    incident: {title: \"{host}: slow, then down\"}\n"
     "    close: cleared() || quiet(5s)\n"},
    {30, false,
     "  - id: sums\n"
     "    on: events\n"
     "    where: check == \"full\"\n"
     "    by: [labels.site]\n"
     "    window: {tumbling: 5s}\n"
     "    when: sum(value) > 300.0\n"
     "    incident: {title: \"{labels.site}: {sum(value)}\", priority: P4}\n"
     "    close: quiet(4s)\n"},
    {30, false,
     "  - id: silent\n"
     "    where: check == \"tick\"\n"
     "    by: [host]\n"
     "    expect: {every: 3s, severity: MAJOR}\n"
     "    incident: {title: \"{host}: no sign of life\", priority: P2}\n"
     "    close: cleared() || quiet(10s)\n"},
    {30, false,
     "  - id: session\n"
     "    where: check == \"full\"\n"
     "    by: [labels.site]\n"
     "    window: {session: 800ms, max: 6s}\n"
     "    look: end\n"
     "    when: distinct(host) >= 2\n"
     "    incident: {title: \"{labels.site}: {distinct(host)} hosts\", priority: P3}\n"
     "    close: quiet(5s)\n"},
    {30, false,
     "  - id: few\n"
     "    on: events\n"
     "    where: check != \"tick\" && tenant == \"acme\"\n"
     "    by: [host, check]\n"
     "    window: 3s\n"
     "    when: count() >= 4\n"
     "    max_keys: 6\n"
     "    incident: {title: \"{host}: {count()} of {check}\", priority: P5}\n"
     "    close: quiet(2s)\n"},
    {40, true,
     "  - id: both\n"
     "    on: incidents\n"
     "    of: [down, storm]\n"
     "    by: [tenant]\n"
     "    window: open\n"
     "    when: distinct(check) >= 2\n"
     "    incident: {title: \"{tenant}: {message}\", priority: P1}\n"
     "    close: cleared()\n"},
};

static const char inhibit[] = "inhibit:\n"
                              "  - id: site\n"
                              "    source: rule == \"down\"\n"
                              "    target: rule == \"pair\"\n"
                              "    equal: [host]\n";

static void make_rules(char to[WORLD_CONFIG_BYTES], struct dice *dice)
{
    bool has[sizeof(rules) / sizeof(rules[0])];
    size_t used = (size_t)snprintf(to, WORLD_CONFIG_BYTES, "rules:\n");

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        has[i] = dice_percent(dice, rules[i].percent) && (!rules[i].takes_first || has[3]);
        if (has[i])
            used += (size_t)snprintf(to + used, WORLD_CONFIG_BYTES - used, "%s\n", rules[i].text);
    }
    if (has[2] && dice_percent(dice, 40))
        used += (size_t)snprintf(to + used, WORLD_CONFIG_BYTES - used, "%s", inhibit);
    assert(used < WORLD_CONFIG_BYTES);
}

/* ---- events ---- */

struct stream {
    struct scenario *scenario;
    struct dice dice;
    unsigned hosts, sites;
    bool by_host; /* the partition hangs on the host */
    bool is_down[32][4];
};

static const char *const checks[] = {"down", "slow", "full", "disk"};

__attribute__((format(printf, 1, 2))) static uint32_t text_add(const char *form, ...)
{
    va_list args;
    int bytes;

    va_start(args, form);
    bytes = vsnprintf(world->text + world->text_bytes, sizeof(world->text) - world->text_bytes,
                      form, args);
    va_end(args);
    assert(bytes > 0 && world->text_bytes + (uint32_t)bytes < sizeof(world->text));
    world->text_bytes += (uint32_t)bytes;
    return (uint32_t)bytes;
}

/* One event at this time of its sender. */
static void put_event(struct stream *stream, unsigned host, unsigned check, bool is_problem,
                      int64_t ts_ms)
{
    static const char *const severities[] = {"minor", "major", "critical"};

    text_add("{\"tenant\":\"acme\",\"source\":\"s%u\",\"resource\":\"h%u\",\"check\":\"%s\","
             "\"severity\":\"%s\",\"state\":\"%s\",\"time\":%" PRId64 ",\"value\":%u,"
             "\"labels\":{\"site\":\"site%u\"},\"message\":\"m%u\"}",
             host % 2, host, check < 4 ? checks[check] : "tick",
             severities[dice_below(&stream->dice, 3)], is_problem ? "problem" : "clear", ts_ms,
             (unsigned)dice_below(&stream->dice, 100), host % stream->sites,
             (unsigned)dice_below(&stream->dice, 5));
}

/* How long it takes from the sender to the log. */
static int64_t delay_ms(struct stream *stream)
{
    const struct scenario *scenario = stream->scenario;
    struct dice *dice = &stream->dice;

    if (!scenario->is_orderly && dice_percent(dice, 2))
        return (int64_t)dice_between(dice, scenario->disorder_ms, 5000);
    return (int64_t)dice_below(dice, scenario->disorder_ms / 2 + 1);
}

static unsigned put_some(struct stream *stream, unsigned host, int64_t now_ms)
{
    struct dice *dice = &stream->dice;
    unsigned check = (unsigned)dice_below(dice, 9), count = 1;

    if (check >= 5)
        check = (unsigned)dice_below(dice, 4);
    if (dice_percent(dice, 1)) { /* nothing that could be read */
        text_add("{\"resource\":\"h%u\",", host);
        return 0;
    }
    if (dice_percent(dice, 90)) {
        bool *is_down = &stream->is_down[host][check % 4];
        *is_down = check == 4 || (*is_down ? dice_percent(dice, 60) : dice_percent(dice, 80));
        put_event(stream, host, check, *is_down, now_ms - delay_ms(stream));
        return 1;
    }
    count = (unsigned)dice_between(dice, 2, 5);
    for (unsigned i = 0; i < count; i++) {
        text_add("%c", i == 0 ? '[' : ',');
        put_event(stream, host, (unsigned)dice_below(dice, 4), dice_percent(dice, 60),
                  now_ms - delay_ms(stream));
    }
    text_add("]");
    return count;
}

static void put_record(struct stream *stream, unsigned host, uint64_t at_ns, unsigned *events,
                       int clears)
{
    unsigned p =
        (unsigned)(stream->by_host ? host : dice_below(&stream->dice, 64)) % world->partition_count;
    struct world_partition *partition = &world->partition[p];
    int64_t now_ms = WORLD_WALL_MS + (int64_t)(at_ns / MILLI_NS);
    uint32_t from = world->text_bytes;

    assert(partition->count < WORLD_RECORDS_MAX);
    if (clears >= 0)
        put_event(stream, host, (unsigned)clears, false, now_ms);
    else
        *events += put_some(stream, host, now_ms);
    partition->record[partition->count++] = (struct world_record){
        .at_ns = at_ns, .log_time_ms = now_ms, .from = from, .bytes = world->text_bytes - from};
    if (at_ns > world->last_record_ns)
        world->last_record_ns = at_ns;
}

static void make_events(struct scenario *scenario, struct dice *dice)
{
    struct stream stream = {.scenario = scenario, .dice = *dice};
    uint64_t span_ns = dice_between(dice, 15, 40) * SECOND_NS, at_ns = SECOND_NS / 2;
    uint64_t step_ns = 2 * span_ns / scenario->events;
    unsigned events = 0;

    stream.hosts = (unsigned)dice_between(dice, 3, 24);
    stream.sites = (unsigned)dice_between(dice, 1, 4);
    stream.by_host = dice_percent(dice, 60);
    world->partition_count = (unsigned)dice_between(dice, 1, WORLD_PARTITIONS_MAX);
    while (events < scenario->events) {
        unsigned host = (unsigned)dice_below(&stream.dice, stream.hosts);
        /* Now a rush, now a pause. */
        at_ns += dice_percent(&stream.dice, 2) ? dice_below(&stream.dice, 40 * step_ns)
                                               : dice_below(&stream.dice, step_ns);
        put_record(&stream, host, at_ns, &events, -1);
    }
    /* The last word on each: all of it is over. */
    for (unsigned host = 0; host < stream.hosts; host++)
        for (int check = 0; check < 4; check++)
            put_record(&stream, host, at_ns += SECOND_NS / 1000, &events, check);
    scenario->end_ns = world->last_record_ns + TAIL_NS;
}

/* ---- lives ---- */

struct life_plan scenario_quiet_life(void)
{
    return (struct life_plan){.end = LIFE_STOPS,
                              .end_ns = UINT64_MAX,
                              .mono_ns = SECOND_NS,
                              .workers = 1,
                              .epoch_ms = 20,
                              .take = 512,
                              .snapshot_ms = 300000,
                              .turn_ns = 2000,
                              .preempts = 64,
                              .sync_ns = MILLI_NS,
                              .full_from_ns = UINT64_MAX};
}

/* How threads and the clock go in it. */
static void make_course(struct life_plan *life, struct dice *dice)
{
    static const unsigned epochs[] = {10, 20, 20, 40, 100};
    static const uint64_t turns[] = {500, 3000, 3000, 50000};
    static const unsigned preempts[] = {2, 8, 32, 200};

    *life = scenario_quiet_life();
    life->workers = (unsigned)dice_between(dice, 1, 3);
    life->epoch_ms = epochs[dice_below(dice, 5)];
    life->take = (unsigned)(dice_percent(dice, 30) ? dice_between(dice, 1, 16) : 512);
    life->snapshot_ms = dice_percent(dice, 60) ? (unsigned)dice_between(dice, 200, 5000) : 300000;
    life->turn_ns = turns[dice_below(dice, 4)];
    life->preempts = preempts[dice_below(dice, 4)];
    life->favours = (unsigned)dice_below(dice, 3);
    life->sync_ns = dice_percent(dice, 20) ? 80 * MILLI_NS : 2 * MILLI_NS;
    life->mono_ns = dice_between(dice, 1, 1000) * SECOND_NS;
}

/* The wall clock is a bit off, and behind where things are to be in time: one that is ahead seals
 * an empty partition ahead of its records. Where they need not be it steps between two lives. */
static void make_skews(struct scenario *scenario, struct dice *dice)
{
    int64_t skew_ms = (int64_t)dice_below(dice, 800) - (scenario->is_orderly ? 800 : 300);

    for (unsigned i = 0; i < scenario->life_count; i++) {
        if (!scenario->is_orderly && i > 0 && dice_percent(dice, 50))
            skew_ms += (int64_t)dice_below(dice, 4000) - 2000;
        if (!scenario->is_orderly && i > 0 && dice_percent(dice, 5))
            skew_ms += ((int64_t)dice_below(dice, 800) - 400) * 86400000;
        scenario->life[i].skew_ms = skew_ms;
        scenario->is_ahead |= skew_ms > 10000;
        scenario->is_set_back |= i > 0 && skew_ms < scenario->life[i - 1].skew_ms - 10000;
    }
}

/* When and how it ends. */
static void make_end(const struct scenario *scenario, struct life_plan *life, struct dice *dice)
{
    life->end = dice_percent(dice, 50) ? LIFE_POWER_CUT : LIFE_KILLED;
    if (dice_percent(dice, 8))
        life->end = LIFE_STOPS;
    life->down_ns =
        dice_percent(dice, 20) ? dice_below(dice, 20 * SECOND_NS) : dice_below(dice, SECOND_NS);
    life->die_when = dice_below(dice, 3);
    if (life->end != LIFE_STOPS && dice_percent(dice, 60))
        life->die_step =
            dice_percent(dice, 30) ? dice_between(dice, 1, 60) : dice_between(dice, 1, 1000);
    else if (life->end != LIFE_STOPS && dice_percent(dice, 50)) {
        life->die_name = dice_between(dice, 1, 80);
        life->die_behind = dice_below(dice, 8);
    }
    /* Of the life; made absolute when it begins. */
    life->end_ns = dice_below(dice, scenario->end_ns - 20 * SECOND_NS);
}

static void make_lives(struct scenario *scenario, struct dice *dice)
{
    unsigned count = 1 + (unsigned)dice_between(dice, 1, 4);

    if (dice_percent(dice, 10))
        count += (unsigned)dice_below(dice, 6);
    scenario->life_count = count;
    for (unsigned i = 0; i < count; i++) {
        make_course(&scenario->life[i], dice);
        if (i + 1 < count)
            make_end(scenario, &scenario->life[i], dice);
    }
    make_skews(scenario, dice);
    make_course(&scenario->again, dice);
    scenario->again.skew_ms = scenario->life[count - 1].skew_ms;
}

static void make_sinks(struct scenario *scenario, struct dice *dice)
{
    static const unsigned rates[] = {60000, 60000, 3000, 240, 60};

    for (int i = 0; i < SCENARIO_SINKS; i++)
        scenario->has_sink[i] = dice_percent(dice, 70);
    scenario->has_sink[dice_below(dice, SCENARIO_SINKS)] = true;
    scenario->rate_per_minute = rates[dice_below(dice, 5)];
    scenario->has_refusals = dice_percent(dice, 20);
    scenario->ops_max = !dice_percent(dice, 15)            ? 5000
                        : scenario->rate_per_minute < 1000 ? 200
                                                           : 20;
    scenario->lag_ns = dice_percent(dice, 50) ? dice_below(dice, 2500) * MILLI_NS : 0;
    scenario->wire = (struct wire_plan){
        .has_refusals = scenario->has_refusals,
        .lies = dice_percent(dice, 30) ? 0 : (unsigned)dice_between(dice, 1, 30),
        .way_ns = dice_between(dice, 1, 100) * MILLI_NS,
        .slow_ns = dice_percent(dice, 25) ? dice_below(dice, 12000) * MILLI_NS : 0,
        .calm_ns = scenario->end_ns};
}

static void make_people(struct scenario *scenario, struct dice *dice)
{
    struct people_plan *people = &scenario->people;

    if (!dice_percent(dice, 40))
        return;
    people->every_ns = dice_between(dice, 50, 1000) * MILLI_NS;
    people->has_pushes = dice_percent(dice, 80);
    people->reloads = dice_percent(dice, 30) ? (unsigned)dice_between(dice, 1, 20) : 0;
    people->silences = dice_percent(dice, 20) ? (unsigned)dice_between(dice, 1, 10) : 0;
    scenario->is_switched = people->reloads + people->silences > 0;
    if (people->reloads > 0)
        make_rules(scenario->other_rules, dice);
}

static void make_acts(struct scenario *scenario, struct dice *dice)
{
    struct people_plan *people = &scenario->people;

    if (people->every_ns > 0 && dice_percent(dice, 60))
        people->by_hand = (unsigned)dice_between(dice, 5, 60);
    scenario->has_acts = people->by_hand > 0;
}

/* Some end in the very moment in which what is promised has been relied on. */
static void make_moments(struct scenario *scenario, struct dice *dice)
{
    for (unsigned i = 0; i + 1 < scenario->life_count; i++) {
        struct life_plan *life = &scenario->life[i];
        bool is_by_answer = dice_percent(dice, 10), is_by_request = dice_percent(dice, 15);
        uint64_t answers = dice_between(dice, 1, 30), requests = dice_between(dice, 1, 300);
        if (life->end == LIFE_STOPS)
            continue;
        life->die_answer = is_by_answer ? answers : 0;
        life->die_sent = is_by_request ? requests : 0;
    }
}

/* Behind the journal a history is written. */
static void make_history(struct scenario *scenario, struct dice *dice)
{
    scenario->has_history = dice_percent(dice, 35);
}

/* Without snapshots: a machine that begins with an image that another made has not the whole
 * journal, which is what it is judged by (but see make_images()). Who takes over tells the same,
 * where no seal decides a time: marks that were not mirrored yet are lost with the machine. */
static void make_machines(struct scenario *scenario, struct dice *dice)
{
    scenario->is_shared = scenario->is_orderly && scenario->people.every_ns == 0 &&
                          !scenario->has_outage && dice_percent(dice, 60);
    for (unsigned i = 0; scenario->is_shared && i < scenario->life_count; i++)
        scenario->life[i].machine = (unsigned)dice_below(dice, 2);
    scenario->again.machine = scenario->life[scenario->life_count - 1].machine;
}

/* What it is away for, and what it forgets. */
static void make_redis(struct scenario *scenario, struct dice *dice)
{
    struct world_redis *redis = &scenario->redis;
    uint64_t span_ns = world->last_record_ns;

    scenario->has_redis = dice_percent(dice, scenario->people.every_ns == 0 ? 40 : 20);
    if (!scenario->has_redis)
        return;
    scenario->lease_ms = dice_percent(dice, 50) ? 10000 : (unsigned)dice_between(dice, 4000, 20000);
    redis->way_ns = dice_percent(dice, 70) ? MILLI_NS / 2 : dice_below(dice, 40 * MILLI_NS);
    redis->lost = dice_percent(dice, 40) ? (unsigned)dice_between(dice, 1, 20) : 0;
    for (int i = 0; i < WORLD_REDIS_AWAYS; i++)
        if (dice_percent(dice, 25)) {
            redis->away[i].from_ns = dice_percent(dice, 20) ? 0 : dice_below(dice, span_ns);
            redis->away[i].to_ns = redis->away[i].from_ns + dice_below(dice, 30 * SECOND_NS);
            redis->away[i].is_silent = dice_percent(dice, 50);
        }
    if (dice_percent(dice, 30)) {
        redis->restart_ns = 1 + dice_below(dice, span_ns);
        redis->save_ns = dice_percent(dice, 60) ? 1 + dice_below(dice, redis->restart_ns) : 0;
    }
    redis->calm_ns = scenario->end_ns;
    for (int i = 0; i < WORLD_REDIS_AWAYS; i++)
        scenario->has_redis_faults |= redis->away[i].to_ns > 0;
    scenario->has_redis_faults |= redis->lost > 0 || redis->restart_ns > 0;
    make_machines(scenario, dice);
}

/* They are cut off from the shared store, the broker or the sinks for a while. */
static void make_aparts(struct scenario *scenario, struct dice *dice)
{
    for (int i = 0; i < WORLD_APARTS; i++) {
        struct world_apart *apart = &scenario->apart[i];
        if (!dice_percent(dice, 35))
            continue;
        uint64_t ns = dice_below(dice, (dice_percent(dice, 50) ? 8 : 30) * SECOND_NS);
        *apart = (struct world_apart){.what = (enum apart)dice_below(dice, APART_KINDS),
                                      .machine = (unsigned)dice_below(dice, WORLD_MACHINES),
                                      .from_ns = dice_below(dice, world->last_record_ns)};
        apart->to_ns = apart->from_ns + ns;
        scenario->has_redis_faults |= apart->what == APART_REDIS;
        if (apart->what == APART_KAFKA && ns > 8 * SECOND_NS)
            scenario->has_outage = true; /* it is blind meanwhile */
    }
    if (scenario->has_outage)
        scenario->end_ns += 60 * SECOND_NS;
    scenario->wire.calm_ns = scenario->redis.calm_ns = scenario->end_ns;
}

/* Before it was thrown for whether two live at once. */
#define SEEDS_ALONE 1000000

/* Two machines, a life or several on each, and all of them at the same time. The power stays: it
 * would have to be that of one machine alone. */
static void make_pair(struct scenario *scenario, struct dice *dice)
{
    unsigned count = scenario->life_count, last = (unsigned)dice_below(dice, WORLD_MACHINES);

    scenario->is_pair = scenario->seed >= SEEDS_ALONE && scenario->is_orderly &&
                        scenario->people.every_ns == 0 && !scenario->has_outage &&
                        dice_percent(dice, 20);
    if (!scenario->is_pair)
        return;
    assert(count < WORLD_LIVES_MAX);
    scenario->is_shared = scenario->has_redis = true;
    if (scenario->lease_ms == 0) {
        scenario->lease_ms = (unsigned)dice_between(dice, 4000, 12000);
        scenario->redis.way_ns = MILLI_NS / 2;
    }
    make_course(&scenario->life[count], dice);
    scenario->life[count].skew_ms = scenario->life[count - 1].skew_ms;
    scenario->life_count++;
    for (unsigned i = 0; i <= count; i++) {
        struct life_plan *life = &scenario->life[i];
        life->machine = i + 1 < count ? (unsigned)dice_below(dice, WORLD_MACHINES)
                                      : (last + i) % WORLD_MACHINES;
        if (life->end == LIFE_POWER_CUT)
            life->end = LIFE_KILLED;
        if (!dice_percent(dice, 40))
            continue;
        life->freeze_ns = dice_below(dice, (scenario->lease_ms + 15000) * MILLI_NS);
        life->freeze_from_ns = dice_below(dice, world->last_record_ns);
        if (dice_percent(dice, 50)) {
            life->freeze_from_ns = UINT64_MAX;
            life->freeze_sent = dice_between(dice, 1, 200);
        }
        scenario->is_frozen |= life->freeze_ns > 0;
    }
    make_aparts(scenario, dice);
}

/* Before it was thrown for whether the two make snapshots. */
#define SEEDS_PAIRS_WITHOUT_IMAGES 2000000000

/* What the journal lacks of one that began with the other's image is taken from the undisturbed
 * run (judge.c), which knows nothing of people. */
static void make_images(struct scenario *scenario, struct dice *dice)
{
    scenario->has_images =
        scenario->is_pair && scenario->seed >= SEEDS_PAIRS_WITHOUT_IMAGES && dice_percent(dice, 70);
    for (unsigned i = 0; scenario->has_images && i < scenario->life_count; i++)
        scenario->life[i].snapshot_ms = (unsigned)dice_between(dice, 200, 3000);
}

/* Before it was thrown for whether anybody does anything to the two. */
#define SEEDS_PAIRS_LEFT_ALONE 1000000000

/* Whoever has the unit is pushed at, and incidents are acknowledged and closed there. Only where
 * the store can be asked all the time: an owner that cannot reach it goes on, and what it answered
 * then comes back with its directory alone (docs/operating.md). */
static void make_pair_people(struct scenario *scenario, struct dice *dice)
{
    struct people_plan *people = &scenario->people;

    if (!scenario->is_pair || scenario->seed < SEEDS_PAIRS_LEFT_ALONE || scenario->has_images ||
        scenario->has_redis_faults || !dice_percent(dice, 90))
        return;
    people->every_ns = dice_between(dice, 50, 1000) * MILLI_NS;
    people->has_pushes = true;
    people->by_hand = dice_percent(dice, 50) ? (unsigned)dice_between(dice, 5, 60) : 0;
    scenario->has_acts = people->by_hand > 0;
}

static void make_outage(struct scenario *scenario, struct dice *dice)
{
    scenario->has_outage = dice_percent(dice, 12);
    world->outage_from_ns = world->outage_to_ns = 0;
    if (!scenario->has_outage)
        return;
    world->outage_from_ns = dice_below(dice, world->last_record_ns);
    world->outage_to_ns = world->outage_from_ns + dice_between(dice, 1, 40) * SECOND_NS;
    world->outage_partition =
        dice_percent(dice, 50) ? -1 : (int)dice_below(dice, world->partition_count);
    if (scenario->end_ns < world->outage_to_ns + TAIL_NS + 60 * SECOND_NS)
        scenario->end_ns = world->outage_to_ns + TAIL_NS + 60 * SECOND_NS;
    scenario->wire.calm_ns = scenario->end_ns;
}

/* Of the disk; the last life meets none. */
static void make_faults(struct scenario *scenario, struct dice *dice)
{
    static const int errnos[] = {EIO, EIO, EINTR, ENOSPC, 0, 0};

    for (unsigned i = 0; i + 1 < scenario->life_count; i++) {
        struct life_plan *life = &scenario->life[i];
        if (dice_percent(dice, 12)) {
            life->fault_step =
                dice_percent(dice, 30) ? dice_between(dice, 1, 60) : dice_between(dice, 1, 800);
            life->fault_errno = errnos[dice_below(dice, 6)];
            life->fault_stays = life->fault_errno == EIO && dice_percent(dice, 50);
        }
        if (dice_percent(dice, 8)) {
            life->full_from_ns = dice_below(dice, 20 * SECOND_NS);
            life->full_to_ns = life->full_from_ns + dice_below(dice, 15 * SECOND_NS);
        }
    }
}

void scenario_make(struct scenario *scenario, uint64_t seed, unsigned events)
{
    struct dice dice = dice_of(seed, 1), acts = dice_of(seed, 20);
    struct dice history = dice_of(seed, 21), redis = dice_of(seed, 22);
    struct dice moments = dice_of(seed, 23), pair = dice_of(seed, 24), by = dice_of(seed, 26);
    struct dice images = dice_of(seed, 27);

    *scenario = (struct scenario){.seed = seed, .events = events};
    scenario->is_orderly = dice_percent(&dice, 75);
    scenario->disorder_ms = (unsigned)(dice_percent(&dice, 20) ? 100 : 500);
    make_rules(scenario->rules, &dice);
    make_events(scenario, &dice);
    make_sinks(scenario, &dice);
    make_lives(scenario, &dice);
    make_people(scenario, &dice);
    make_acts(scenario, &acts);
    make_history(scenario, &history);
    make_outage(scenario, &dice);
    make_faults(scenario, &dice);
    make_redis(scenario, &redis);
    make_moments(scenario, &moments);
    make_pair(scenario, &pair);
    make_images(scenario, &images);
    make_pair_people(scenario, &by);
}

/* ---- the configuration ---- */

void scenario_config(const struct scenario *scenario, const struct life_plan *life,
                     char to[WORLD_CONFIG_BYTES])
{
    static const char *const sinks[SCENARIO_SINKS] = {
        [SINK_HOOK] = "{name: hook, type: webhook, options: {url: \"https://hook.example/\"",
        [SINK_PAGER] = "{name: pager, type: pagerduty, options: {url: "
                       "\"https://pager.example/v2/enqueue\", routing_key: "
                       "\"0123456789abcdef0123456789abcdef\"",
        [SINK_SNOW] = "{name: snow, type: servicenow, options: {url: \"https://snow.example\", "
                      "user: u, password: p, settle_ms: \"3000\"",
        [SINK_ZEN] = "{name: zen, type: zendesk, options: {url: \"https://zen.example\", "
                     "user: u@v.example, api_token: p"};
    size_t used = (size_t)snprintf(
        to, WORLD_CONFIG_BYTES,
        "input: {brokers: \"127.0.0.1:1\", start: earliest, topics: [{topic: events, disorder: "
        "%ums}]}\n"
        "engine: {workers: %u, epoch: %ums, take: %u, expire: 20s}\n"
        "rules: [" DISK_RULES "]\n"
        "data: {dir: %s, snapshot: {every: %ums}, journal: {keep: 0}}\n"
        "intake: {body: {max: 1KiB}, keep: 1s, bytes: {max: 64KiB}}\n"
        "history: {enabled: %s}\n"
        "admin: {listen: \"off\"}\n"
        "incident_log: {path: %s}\n"
        "outbox: {flush: %s, ops.max: %u}\n",
        scenario->disorder_ms, life->workers, life->epoch_ms, life->take, disk_data(),
        scenario->is_shared && !scenario->has_images ? 0 : life->snapshot_ms,
        scenario->has_history ? "true" : "false", disk_incidents(),
        life->end_ns == UINT64_MAX ? "1h" : "5s", scenario->ops_max);

    if (scenario->has_redis)
        used += (size_t)snprintf(to + used, WORLD_CONFIG_BYTES - used,
                                 "shared: {address: \"127.0.0.1:2\", lease: %ums}\n",
                                 scenario->lease_ms);
    used += (size_t)snprintf(to + used, WORLD_CONFIG_BYTES - used, "sinks:\n");
    for (int i = 0; i < SCENARIO_SINKS; i++)
        if (scenario->has_sink[i])
            used += (size_t)snprintf(to + used, WORLD_CONFIG_BYTES - used,
                                     "  - %s, rate_per_minute: \"%u\", self_alerts: \"false\"}}\n",
                                     sinks[i], scenario->rate_per_minute);
    assert(used < WORLD_CONFIG_BYTES);
}

void scenario_tell(const struct scenario *scenario)
{
    static const char *const ends[] = {"stops", "killed", "power cut"};
    static const char *const apart_names[APART_KINDS] = {"the store", "the broker", "the sinks"};

    printf("seed %" PRIu64 ": %u events in %u partitions, %s, disorder %u ms, rate %u, ops.max %u, "
           "lies %u%%, slow %" PRIu64 " ms, lag %" PRIu64 " ms; %u lives:\n",
           scenario->seed, scenario->events, world->partition_count,
           scenario->is_orderly ? "in time" : "some late", scenario->disorder_ms,
           scenario->rate_per_minute, scenario->ops_max, scenario->wire.lies,
           scenario->wire.slow_ns / MILLI_NS, scenario->lag_ns / MILLI_NS, scenario->life_count);
    for (int i = 0; i < WORLD_APARTS && scenario->is_pair; i++)
        printf("  machine %u is cut off from %s from %.3f s to %.3f s\n",
               scenario->apart[i].machine, apart_names[scenario->apart[i].what],
               (double)scenario->apart[i].from_ns / 1e9, (double)scenario->apart[i].to_ns / 1e9);
    for (unsigned i = 0; i < scenario->life_count; i++) {
        const struct life_plan *life = &scenario->life[i];
        printf("  %u: on machine %u, frozen for %.3f s, %s, step %" PRIu64 "/%" PRIu64
               ", after %.3f s; %u workers, epoch %u, take "
               "%u, turn %" PRIu64 " ns, 1 of %u, favours %u\n",
               i + 1, life->machine, (double)life->freeze_ns / 1e9, ends[life->end], life->die_step,
               life->die_when, life->end_ns == UINT64_MAX ? -1.0 : (double)life->end_ns / 1e9,
               life->workers, life->epoch_ms, life->take, life->turn_ns, life->preempts,
               life->favours);
    }
    printf("%s", scenario->rules);
}
