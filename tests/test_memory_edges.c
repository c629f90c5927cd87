/*
 * Aim: each memory edge of the engine (correlate/core.h) carries its hand-over alone.
 * Method: the functions of the roles run on threads of their own, in turns (tests/turns.h), in an
 * order that the test writes down. So a role is not handed on unless a test says so (edge R orders
 * nearly everything), nobody sleeps, and each hand-over has one edge to go by. This is the program
 * that tests/weaken_orders.py weakens the orders of correlate/ and base/incident.c against; in a
 * plain build it checks that each story arrives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "correlate/core.h"
#include "rules/rule_set.h"
#include "tests/turns.h"
#include "tests/wakerless_host.h"

enum { ROOM = 320, PAYLOAD = 96, BURST = 16 };
#define T0 INT64_C(1000000000000)
#define TURN_NS 50000000u /* the clock per look: every role finds its work due */

static const char rules_text[] =
    "rules:\n"
    "  - id: each\n"
    "    where: severity >= MINOR\n"
    "    by: [resource]\n"
    "    window: 60s\n"
    "    when: count() >= 1\n"
    "    incident: {title: \"{resource} {check}\"}\n"
    "    close: quiet(10m)\n"
    "enrich:\n"
    "  - {id: team, where: check == \"none\", set: {labels.team: '\"x\"'}}\n"
    "silences:\n"
    "  - {id: calm, where: rule == \"none\", to: 2026-01-01T00:00:00Z}\n";

/* A worker's number is its place among the threads. */
enum thread {
    WORKER_0,
    WORKER_1,
    SEQUENCER,
    OTHER_SEQUENCER,
    TELLER,
    OTHER_TELLER,
    OUTSIDE,
    OTHER,
    THREADS
};

/* --- a source whose records come when the test says so ------------------------------------------
 */

struct told_feed {
    struct feed feed;
    struct record record[ROOM];
    char payload[ROOM][PAYLOAD];
    size_t made, taken, out; /* made: before the threads start; the others are the owner's */
    _Atomic size_t shown;    /* relaxed, as all below: numbers on their own */
    _Atomic bool is_ended;
};

static struct told_feed feeds[2];
static struct source_change changes[4];
static _Atomic size_t change_count;
static size_t change_at, dropped; /* the sequencer's */

static size_t take(struct feed *feed, const struct record **out, size_t max)
{
    struct told_feed *self = (struct told_feed *)feed;
    size_t left = atomic_load_explicit(&self->shown, memory_order_relaxed) - self->taken;

    self->out = left < max ? left : max;
    *out = self->record + self->taken;
    self->taken += self->out;
    return self->out;
}

static void release(struct feed *feed)
{
    ((struct told_feed *)feed)->out = 0;
}

static enum feed_state state_of(struct feed *feed)
{
    struct told_feed *self = (struct told_feed *)feed;

    return atomic_load_explicit(&self->is_ended, memory_order_relaxed) ? FEED_FINISHED : FEED_LIVE;
}

static bool end_proof(struct feed *feed, uint64_t *proof_ns)
{
    (void)feed;
    (void)proof_ns;
    return false;
}

static size_t take_changes(struct source *source, struct source_change *out, size_t max)
{
    size_t count = 0;

    (void)source;
    while (count < max && change_at < atomic_load_explicit(&change_count, memory_order_relaxed))
        out[count++] = changes[change_at++];
    return count;
}

static void drop(struct source *source, struct feed *feed)
{
    (void)source;
    dropped += 1 + ((struct told_feed *)feed)->out;
}

/* Within the joining of a partition: it has its place, but is no member yet. */
static void wake_on(struct source *source, struct feed *feed, int waker)
{
    (void)source;
    (void)feed;
    (void)waker;
    pause_here();
}

static const struct feed_ops feed_ops = {
    .take = take, .release = release, .state = state_of, .end_proof = end_proof};
static const struct source_ops source_ops = {
    .changes = take_changes, .drop = drop, .wake_on = wake_on};
static struct source source = {.ops = &source_ops};

/* Appends `count` records: of resources of their own, or such as will be rejected. */
static void feed_add(struct told_feed *feed, size_t count, int64_t at_ms, bool is_event)
{
    for (size_t i = 0; i < count; i++, feed->made++) {
        char *payload = feed->payload[feed->made];
        int bytes = snprintf(payload, PAYLOAD,
                             "%s{\"resource\":\"%s-%zu\",\"check\":\"c\",\"state\":\"problem\","
                             "\"severity\":\"major\"}",
                             is_event ? "" : "no event: ", feed->feed.topic, feed->made);
        assert_true(feed->made < ROOM && bytes < PAYLOAD);
        feed->record[feed->made] = (struct record){.offset = (int64_t)feed->made,
                                                   .log_time_ms = at_ms,
                                                   .payload = payload,
                                                   .bytes = (uint32_t)bytes,
                                                   .leader_epoch = -1};
    }
}

static void show(struct told_feed *feed, size_t upto)
{
    atomic_store_explicit(&feed->shown, upto, memory_order_relaxed);
}

static void end(struct told_feed *feed)
{
    atomic_store_explicit(&feed->is_ended, true, memory_order_relaxed);
}

/* --- a world that orders nothing ---------------------------------------------------------------
 */

static _Atomic uint64_t now_ns;
static struct host plain_host;

static uint64_t turn_clock(void *self)
{
    (void)self;
    return atomic_fetch_add_explicit(&now_ns, TURN_NS, memory_order_relaxed);
}

static int64_t fixed_clock(void *self)
{
    (void)self;
    return T0;
}

/* --- the engine under test
 * ------------------------------------------------------------------------ */

/* What the listener was told; the teller's, marks the sequencer's. */
static size_t incidents, ops, marks, caps, images;
static size_t caps_of[2];             /* by partition; the sequencer's */
static size_t caps_told[ROOM * 2][2]; /* the same, behind so many marks */
static size_t steps, uncovered; /* the teller's: records before a read position without a cap */

static struct engine *engine;
static struct rule_set *first_rules;
static struct rule_set *switched[2];    /* made by the threads that hand them over */
static struct incident *shared;         /* incident_ref counts */
static size_t read_outside, read_other; /* what readers of counters saw */
static struct id128 told_of;

static void on_incident(void *self, struct incident *incident)
{
    (void)self;
    incidents += strlen(incident->title) > 0;
    told_of = incident->id;
}

static bool on_op(void *self, const struct op *op)
{
    (void)self;
    ops++;
    incident_unref(op->incident);
    return true;
}

static void on_mark(void *self, const struct mark *mark)
{
    (void)self;
    marks++;
    caps += mark->kind == MARK_CAP && mark->offset == (int64_t)caps;
    caps_of[mark->part] += mark->kind == MARK_CAP;
    memcpy(caps_told[marks], caps_of, sizeof(caps_of));
    if (mark->kind == MARK_CAP)
        pause_here();
}

/* Each record is capped here, so that each must have its mark. */
static void on_step(void *self, const struct engine_step *step)
{
    (void)self;
    steps++;
    for (size_t i = 0; i < step->position_count; i++)
        uncovered +=
            (size_t)step->positions[i].read > caps_told[step->marks][step->positions[i].part];
}

static void on_image(void *self, const struct engine_image *image)
{
    (void)self;
    size_t bytes;
    free(engine_image_join(image, &bytes));
    images += bytes > 0;
}

static struct rule_set *rules_make(void)
{
    struct rule_set *rules = NULL;
    struct error err = {""};

    if (rule_set_parse("rules.yaml", rules_text, strlen(rules_text), &rules, &err) != 0)
        abort(); /* cmocka's own ways out are for its thread alone */
    return rules;
}

static int setup(void **state)
{
    (void)state;
    plain_host = wakerless_host();
    plain_host.mono_ns = turn_clock;
    plain_host.wall_ms = fixed_clock;
    host_set(&plain_host);
    memset((void *)feeds, 0, sizeof(feeds));
    /* The first that joins is worker 1's, the second worker 0's. */
    for (int f = 0; f < 2; f++) {
        feeds[f].feed = (struct feed){.ops = &feed_ops, .topic = f == 0 ? "one" : "zero"};
        changes[f] = (struct source_change){SOURCE_JOIN, &feeds[f].feed};
        changes[2 + f] = (struct source_change){SOURCE_LEAVE, &feeds[f].feed};
    }
    change_at = dropped = incidents = ops = marks = caps = read_outside = read_other = 0;
    steps = uncovered = images = 0;
    memset(caps_of, 0, sizeof(caps_of));
    atomic_store_explicit(&change_count, 2, memory_order_relaxed);
    return 0;
}

/* Starts the threads; what is written from here on they learn from each other. */
static void begin(unsigned seal_ms)
{
    static const char *const sinks[] = {"sink"};
    static const struct engine_listener listener = {
        .incident = on_incident, .op = on_op, .mark = on_mark, .step = on_step, .image = on_image};
    struct engine_config config;
    struct error err = {""};

    engine_config_init(&config);
    config.workers = 2;
    config.seal_ms = seal_ms;
    config.sink_names = sinks;
    config.sink_count = 1;
    first_rules = rules_make();
    assert_int_equal(engine_create(&config, &source, first_rules, &listener, &engine, &err), 0);
    turns_begin(THREADS);
}

static int teardown(void **state)
{
    (void)state;
    engine_destroy(engine);
    rule_set_destroy(first_rules);
    host_set(NULL);
    return 0;
}

static void reads(unsigned self)
{
    ingest_poll(&engine->workers[self]);
}

static void works(unsigned self)
{
    stages_poll(&engine->workers[self]);
}

static void sequences(unsigned self)
{
    (void)self;
    sequencer_poll(engine);
}

static void tells(unsigned self)
{
    (void)self;
    incident_poll(engine);
}

/* Both partitions have joined, and their first records have shown where time stands. */
static void start_at_first_records(void)
{
    turn(SEQUENCER, sequences);
    turn(WORKER_0, reads);
    turn(WORKER_1, reads);
    turn(SEQUENCER, sequences); /* the first watermark */
}

static void both_read(void)
{
    turn(WORKER_0, reads);
    turn(WORKER_1, reads);
}

/* The two phases of a step that holds no bounds. */
static void both_work(void)
{
    turn(WORKER_0, works);
    turn(WORKER_1, works);
    turn(WORKER_0, works);
    turn(WORKER_1, works);
}

/* --- tests
 * ----------------------------------------------------------------------------------------- */

/* J, W, S, T, I and F, one after the other, and the bins come back to be filled again. */
static void a_step_goes_once_around(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++) {
        feed_add(&feeds[f], BURST, T0, true);
        feed_add(&feeds[f], 1, T0 + 2000, true);
        feed_add(&feeds[f], BURST, T0 + 3000, true);
        show(&feeds[f], BURST + 1);
    }
    begin(0);
    start_at_first_records();
    both_read();                /* W: bins are filled */
    turn(SEQUENCER, sequences); /* S: a step is cut */
    both_work();                /* T: touches go from each worker to the other */
    turn(TELLER, tells);        /* I: changes are told; F: the step is done */
    turn(SEQUENCER, sequences); /* F: its bins are free */
    show(&feeds[0], feeds[0].made);
    show(&feeds[1], feeds[1].made);
    both_read(); /* over what the other worker read in its second phase */
    turns_end();
    assert_int_equal(incidents, 2 * BURST);
    assert_int_equal(ops, 2 * BURST);
    assert_int_equal(atomic_load(&engine->steps_done), 1);
    assert_int_equal(engine->workers[0].bins.free_until, (T0 + 1500) / 20);
    assert_int_equal(engine->workers[0].tally.binned, 2 * BURST + 1);
}

/* F and S: places of the ring of steps, and lists of changes, are used again. */
static void the_ring_of_steps_goes_round(void **state)
{
    (void)state;
    enum { ROUNDS = 2 * STEPS + 2 };
    for (int f = 0; f < 2; f++)
        for (int r = 0; r < ROUNDS; r++)
            feed_add(&feeds[f], 2, T0 + 1000 * r, true);
    show(&feeds[0], 2);
    show(&feeds[1], 2);
    begin(0);
    start_at_first_records();
    for (size_t r = 1; r < ROUNDS; r++) {
        show(&feeds[0], 2 * r + 2);
        show(&feeds[1], 2 * r + 2);
        both_read();
        turn(SEQUENCER, sequences);
        both_work();
        turn(TELLER, tells);
    }
    turns_end();
    /* The first turn only puts the first records into bins, so the second closes two rounds; with
     * 500 ms of disorder the last is still open. */
    assert_int_equal(atomic_load(&engine->steps_done), ROUNDS - 2);
    assert_int_equal(incidents, 4 * (ROUNDS - 1));
}

/* B: a slot of an earlier epoch was emptied before the readers look at it for a later one. */
static void readers_look_no_further_than_slots_are_emptied(void **state)
{
    (void)state;
    /* 4096 epochs of 20 ms: what is at 4 s shares its slot with 85.92 s. */
    feed_add(&feeds[0], 1, T0 + 4000, true);
    feed_add(&feeds[1], 1, T0, true);
    feed_add(&feeds[1], 1, T0 + 85000, true); /* beyond the reach: held */
    feed_add(&feeds[1], 1, T0 + 90000, true);
    show(&feeds[0], 1);
    show(&feeds[1], 2);
    begin(0);
    start_at_first_records();
    end(&feeds[0]);
    both_read();
    both_read(); /* worker 1 finds the end and publishes no more */
    turn(SEQUENCER, sequences);
    both_work();
    turn(TELLER, tells);
    turn(SEQUENCER, sequences);
    turn(WORKER_1, reads); /* empties its slots */
    turn(WORKER_0, reads);
    show(&feeds[1], 3);
    turn(WORKER_0, reads);
    turn(SEQUENCER, sequences); /* looks through 84.5 s to 89.5 s in the bins of both */
    turns_end();
    assert_int_equal(engine->slot_count * engine->config.epoch_ms, 81920);
    assert_int_equal(incidents, 2);
    assert_int_equal(atomic_load(&engine->step_count), 2);
    assert_int_equal(engine->planned_epoch, (T0 + 89500) / 20);
}

static void asks_for_an_image(unsigned self)
{
    (void)self;
    engine_ask_image(engine);
}

/* Y: owners that have published all there is say how their partitions stand. U: and say it again,
 * when the sequencer has had its last look at what they said before. */
static void how_partitions_stand_is_handed_over(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++) {
        feed_add(&feeds[f], 2, T0, true);
        show(&feeds[f], 2);
        end(&feeds[f]);
    }
    begin(0);
    start_at_first_records();
    both_read();
    both_read(); /* the end */
    turn(SEQUENCER, sequences);
    both_work();
    turn(TELLER, tells);
    turn(SEQUENCER, sequences);
    turn(OUTSIDE, asks_for_an_image);
    turn(SEQUENCER, sequences);
    both_read();
    turn(SEQUENCER, sequences);
    turn(OUTSIDE, asks_for_an_image);
    turn(SEQUENCER, sequences);
    both_read();
    turn(SEQUENCER, sequences);
    turns_end();
    assert_int_equal(images, 2);
}

/* R: the sequencer role, from one holder to the next. */
static void the_sequencer_role_is_handed_on(void **state)
{
    (void)state;
    begin(0);
    turn(SEQUENCER, sequences);
    turn(OTHER_SEQUENCER, sequences);
    turns_end();
    assert_int_equal(atomic_load(&engine->part_count), 3); /* with @derived */
}

/* R: the incident role, between two steps that the workers had both seen before. */
static void the_incident_role_is_handed_on(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++)
        for (int r = 0; r < 3; r++)
            feed_add(&feeds[f], 2, T0 + 1000 * r, true);
    show(&feeds[0], 4);
    show(&feeds[1], 4);
    begin(0);
    start_at_first_records();
    both_read();
    turn(SEQUENCER, sequences);
    show(&feeds[0], 6);
    show(&feeds[1], 6);
    both_read();
    turn(SEQUENCER, sequences); /* two steps are under way */
    both_work();
    turn(TELLER, tells);
    both_work();
    turn(OTHER_TELLER, tells);
    turns_end();
    assert_int_equal(atomic_load(&engine->steps_done), 2);
    assert_int_equal(incidents, 8);
}

static void looks_for_an_incident(unsigned self)
{
    (void)self;
    struct incident *found = engine_incident(engine, told_of);

    if (found != NULL) {
        read_outside += strlen(found->title) > 0;
        incident_unref(found);
    }
}

/* R: who looks for an incident has the role, from one step to the next. */
static void an_incident_is_looked_for_between_two_steps(void **state)
{
    (void)state;
    enum { MANY = 40 }; /* the table of incidents grows in the second step */
    for (int f = 0; f < 2; f++)
        for (int r = 0; r < 3; r++)
            feed_add(&feeds[f], r == 1 ? MANY : 2, T0 + 1000 * r, true);
    show(&feeds[0], 2 + MANY);
    show(&feeds[1], 2 + MANY);
    begin(0);
    start_at_first_records();
    both_read();
    turn(SEQUENCER, sequences);
    show(&feeds[0], 4 + MANY);
    show(&feeds[1], 4 + MANY);
    both_read();
    turn(SEQUENCER, sequences); /* two steps are under way */
    both_work();
    turn(TELLER, tells);
    turn(OUTSIDE, looks_for_an_incident);
    both_work();
    turn(OTHER_TELLER, tells);
    turns_end();
    assert_int_equal(incidents, 4 + 2 * MANY);
    assert_int_equal(read_outside, 1);
}

/* M: marks come complete, and their slots are used again only after they were told. */
static void marks_are_handed_over_round_their_ring(void **state)
{
    (void)state;
    /* A day ahead of the clock: each record's time is capped, and each cap is a mark. */
    feed_add(&feeds[1], ROOM - 1, T0 + 86400000, false);
    show(&feeds[1], ROOM - 1);
    begin(10);
    turn(SEQUENCER, sequences);
    turn(WORKER_0, reads); /* until the ring is full */
    turn(SEQUENCER, sequences);
    turn(WORKER_0, reads);
    turn(SEQUENCER, sequences);
    turns_end();
    assert_int_equal(caps, ROOM - 1);
    assert_int_equal(marks, ROOM - 1 + 2); /* and two joins */
    assert_int_equal(engine->workers[0].tally.capped, ROOM - 1);
}

/* Q: a step knows the marks of all that it says was read, whatever is read while they are taken. */
static void a_step_has_the_marks_of_what_it_has_read(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++) {
        feed_add(&feeds[f], 6 * BURST, T0 + 86400000, true);
        show(&feeds[f], BURST);
    }
    begin(10);
    start_at_first_records();
    for (int f = 0; f < 2; f++)
        show(&feeds[f], 3 * BURST);
    both_read();
    for (int f = 0; f < 2; f++)
        show(&feeds[f], 6 * BURST);
    turn_until_pause(SEQUENCER, sequences); /* takes marks, */
    both_read();                            /* while more are made, */
    turn_go_on(SEQUENCER);                  /* and cuts a step */
    both_work();
    turn(TELLER, tells);
    turns_end();
    assert_int_equal(steps, 1);
    assert_int_equal(uncovered, 0);
}

/* J: the owner reads its list while a partition joins, and its feed once it has joined. */
static void an_owner_that_looks_on_while_a_partition_joins(void **state)
{
    (void)state;
    atomic_store_explicit(&change_count, 1, memory_order_relaxed);
    feed_add(&feeds[0], 1, T0, true);
    show(&feeds[0], 1);
    begin(0);
    turn_until_pause(SEQUENCER, sequences);
    turn(WORKER_1, reads);
    turn_go_on(SEQUENCER);
    turn(WORKER_1, reads);
    turns_end();
    assert_int_equal(feeds[0].taken, 1);
}

/* K: a partition that leaves with a record out goes back to the source. */
static void a_partition_goes_back_to_the_source(void **state)
{
    (void)state;
    feed_add(&feeds[0], 1, T0, true);
    show(&feeds[0], 1); /* the other has none: no watermark, so the record waits */
    begin(0);
    turn(SEQUENCER, sequences);
    turn(WORKER_1, reads);
    atomic_store_explicit(&change_count, 3, memory_order_relaxed);
    turn(SEQUENCER, sequences);
    turn(WORKER_1, reads); /* lets go */
    turn(SEQUENCER, sequences);
    turns_end();
    assert_int_equal(feeds[0].taken, 1);
    assert_int_equal(dropped, 1); /* once, and no record was out */
}

/* D2, J and F: steps behind a leave may be done before its owner looks, and their bins are freed.
 */
static void D2_what_a_leave_drops_is_written_down_before_its_bins_are_free(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++) {
        feed_add(&feeds[f], 1, T0, true);
        feed_add(&feeds[f], 1, T0 + 1000, true);
        show(&feeds[f], 2);
    }
    feed_add(&feeds[1], 1, T0 + 5000, true);
    begin(0);
    start_at_first_records();
    both_read();
    turn(SEQUENCER, sequences);
    both_work();
    turn(TELLER, tells);
    atomic_store_explicit(&change_count, 3, memory_order_relaxed); /* the first feed leaves */
    turn(SEQUENCER, sequences);
    show(&feeds[1], 3);
    turn(WORKER_0, reads);
    turn(SEQUENCER, sequences); /* cuts a step over what the first has left */
    both_work();
    turn(TELLER, tells);
    turn(SEQUENCER, sequences);
    turn(WORKER_1, reads); /* lets go, and frees the bins of the step */
    turns_end();
    assert_int_equal(engine->workers[1].bins.free_until, (T0 + 4500) / 20);
    const struct rejoin *rejoin = &engine->parts[1]->rejoin;
    assert_true(rejoin->is_known);
    assert_int_equal(rejoin->until.offset, 2);
    assert_int_equal(rejoin->unread.count, 1);
    assert_int_equal(rejoin->unread.at[0].offset, 1);
}

static void looks_at_partitions(unsigned self)
{
    struct engine_part_counters row[4];

    (void)self;
    size_t rows = engine_part_counters(engine, row, 4);
    for (size_t i = 0; i < rows; i++)
        read_outside += strlen(row[i].topic);
}

static void asks_a_name(unsigned self)
{
    int32_t partition = -1;
    const char *name = engine_part_name(engine, 1, &partition);

    (void)self;
    read_other = name != NULL ? strlen(name) : 0;
}

static void looks_at_rules(unsigned self)
{
    struct engine_rule_counters row;

    (void)self;
    for (size_t i = 0; engine_rule_row(engine, &i, &row);)
        read_outside += strlen(row.rule_id);
}

static void looks_at_mutes(unsigned self)
{
    struct engine_mute_counters row;

    (void)self;
    for (size_t i = 0; engine_mute_row(engine, i, &row); i++)
        read_outside += strlen(row.id);
}

static void looks_at_steps(unsigned self)
{
    struct engine_enrich_counters row[2];
    size_t count = engine_enrich_counters(engine, row, 2);

    (void)self;
    for (size_t i = 0; i < count; i++)
        read_outside += strlen(row[i].step);
}

static void looks_at_the_clock(unsigned self)
{
    (void)self;
    read_outside += (size_t)engine_clock_off(engine);
}

static void counts(unsigned self)
{
    struct engine_counters counters;

    (void)self;
    engine_counters(engine, &counters);
    read_outside += counters.quota_cut;
}

static void looks_at_the_end(unsigned self)
{
    (void)self;
    read_outside += engine_input_end(engine) != INT64_MIN;
}

static void switches(unsigned self)
{
    struct rule_set *set = rules_make();

    switched[self == OTHER] = set;
    engine_switch_rules(engine, set);
}

/* C: readers of counters find partitions and rules complete. X: sets are handed over. */
static void readers_and_switchers_from_outside(void **state)
{
    (void)state;
    begin(0);
    turn(OUTSIDE, looks_at_partitions); /* none yet */
    turn(SEQUENCER, sequences);
    turn(OUTSIDE, looks_at_partitions);
    turn(OTHER, asks_a_name);
    turns_end();
    assert_int_equal(read_outside, strlen("one") + strlen("zero"));
    assert_int_equal(read_other, strlen("zero"));
}

/* C: so does who asks how the clock stands. */
static void the_clock_is_looked_at_from_outside(void **state)
{
    (void)state;
    begin(0);
    turn(SEQUENCER, sequences);
    turn(OUTSIDE, looks_at_the_clock);
    turns_end();
    assert_int_equal(read_outside, 0);
}

/* C: and who asks how many tenants are cut. */
static void the_counters_of_partitions_are_summed_from_outside(void **state)
{
    (void)state;
    begin(0);
    turn(SEQUENCER, sequences);
    turn(OUTSIDE, counts);
    turns_end();
    assert_int_equal(read_outside, 0);
}

/* C: and who asks how far the input goes. */
static void the_end_of_the_input_is_looked_at_from_outside(void **state)
{
    (void)state;
    begin(0);
    turn(SEQUENCER, sequences);
    turn(OUTSIDE, looks_at_the_end);
    turns_end();
    assert_int_equal(read_outside, 0);
}

static void a_switched_rule_set_is_taken_and_shown(void **state)
{
    (void)state;
    begin(0);
    turn(OUTSIDE, switches);
    turn(SEQUENCER, sequences);
    turn(OTHER, looks_at_rules);
    turns_end();
    assert_int_equal(read_outside, strlen("each"));
    assert_ptr_equal(engine->pending_rules->set, switched[0]);
}

static void the_mutes_of_a_switched_rule_set_are_shown(void **state)
{
    (void)state;
    begin(0);
    turn(OUTSIDE, switches);
    turn(SEQUENCER, sequences);
    turn(OTHER, looks_at_mutes);
    turns_end();
    assert_int_equal(read_outside, strlen("calm"));
}

static void the_enrich_steps_of_a_switched_rule_set_are_shown(void **state)
{
    (void)state;
    begin(0);
    turn(OUTSIDE, switches);
    turn(SEQUENCER, sequences);
    turn(OTHER, looks_at_steps);
    turns_end();
    assert_int_equal(read_outside, strlen("team"));
}

static void a_rule_set_that_was_never_taken_comes_back(void **state)
{
    (void)state;
    begin(0);
    turn(OUTSIDE, switches);
    turn(OTHER, switches); /* frees the first */
    turns_end();
    assert_ptr_equal(atomic_load(&engine->switch_request)->set, switched[1]);
}

static void waits_for_the_end(unsigned self)
{
    (void)self;
    if (engine_wait_finished(engine, 1))
        read_outside = incidents;
}

/* E: whoever sees that all has finished sees all that was told. */
static void the_end_comes_after_all_that_was_told(void **state)
{
    (void)state;
    for (int f = 0; f < 2; f++) {
        feed_add(&feeds[f], BURST, T0, true);
        show(&feeds[f], BURST);
        end(&feeds[f]);
    }
    begin(0);
    start_at_first_records();
    both_read();
    both_read(); /* the ends */
    turn(SEQUENCER, sequences);
    both_work();
    turn(TELLER, tells);
    turn(SEQUENCER, sequences);
    turn(OUTSIDE, waits_for_the_end);
    turns_end();
    assert_int_equal(read_outside, 2 * BURST);
}

static void reads_and_gives_back(unsigned self)
{
    (void)self;
    read_outside = strlen(shared->title);
    incident_unref(shared);
}

static void gives_back(unsigned self)
{
    (void)self;
    incident_unref(shared);
}

/* D: the last owner frees after the others' last look. */
static void an_incident_is_freed_after_its_last_reader(void **state)
{
    (void)state;
    shared = calloc(1, sizeof(*shared));
    assert_non_null(shared);
    shared->title = "shared";
    atomic_init(&shared->refs, 2);
    begin(0);
    turn(OUTSIDE, reads_and_gives_back);
    turn(OTHER, gives_back);
    turns_end();
    assert_int_equal(read_outside, strlen("shared"));
}

int main(void)
{
#define IN_TURNS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        IN_TURNS(a_step_goes_once_around),
        IN_TURNS(the_ring_of_steps_goes_round),
        IN_TURNS(readers_look_no_further_than_slots_are_emptied),
        IN_TURNS(the_sequencer_role_is_handed_on),
        IN_TURNS(the_incident_role_is_handed_on),
        IN_TURNS(an_incident_is_looked_for_between_two_steps),
        IN_TURNS(marks_are_handed_over_round_their_ring),
        IN_TURNS(how_partitions_stand_is_handed_over),
        IN_TURNS(a_step_has_the_marks_of_what_it_has_read),
        IN_TURNS(an_owner_that_looks_on_while_a_partition_joins),
        IN_TURNS(a_partition_goes_back_to_the_source),
        IN_TURNS(D2_what_a_leave_drops_is_written_down_before_its_bins_are_free),
        IN_TURNS(readers_and_switchers_from_outside),
        IN_TURNS(the_clock_is_looked_at_from_outside),
        IN_TURNS(the_counters_of_partitions_are_summed_from_outside),
        IN_TURNS(the_end_of_the_input_is_looked_at_from_outside),
        IN_TURNS(a_switched_rule_set_is_taken_and_shown),
        IN_TURNS(the_mutes_of_a_switched_rule_set_are_shown),
        IN_TURNS(the_enrich_steps_of_a_switched_rule_set_are_shown),
        IN_TURNS(a_rule_set_that_was_never_taken_comes_back),
        IN_TURNS(the_end_comes_after_all_that_was_told),
        IN_TURNS(an_incident_is_freed_after_its_last_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
