/*
 * Aim (C3): what is pushed is answered when it is kept, and who asked to wait when all that came of
 * it is durable, not before; what the engine does not work off has a bound; what somebody does to
 * an incident is answered when what came of it is on record. Method: an intake on a disk in memory
 * (tests/sim_disk.h), whose engine is the test (the link takes engine_stamp() and engine_told()
 * away), and answers that are written down in place of being sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/act.h"
#include "daemon/command.h"
#include "daemon/durable.h"
#include "daemon/intake.h"
#include "daemon/log.h"
#include "ingest/intake_act.h"
#include "tests/sim_disk.h"

enum { BODY_MAX = 8 << 10, BACKLOG_MAX = 20000, BEHIND = 1000000 };

/* ---- what the engine says ---- */

static struct {
    _Atomic int64_t stamp_ms, told_ms;
    _Atomic uint64_t asked; /* how often it was asked how far it has told */
} says;

int64_t __wrap_engine_stamp(struct engine *engine);
int64_t __wrap_engine_told(struct engine *engine);

int64_t __wrap_engine_stamp(struct engine *engine)
{
    assert_non_null(engine);
    return atomic_load(&says.stamp_ms);
}

int64_t __wrap_engine_told(struct engine *engine)
{
    int64_t told_ms = atomic_load(&says.told_ms);

    assert_non_null(engine);
    atomic_fetch_add(&says.asked, 1);
    return told_ms;
}

/* Who waits has been looked at: a waiter that is asked for last has been since. */
static void await_looks(void)
{
    uint64_t before = atomic_load(&says.asked);

    while (atomic_load(&says.asked) < before + 6)
        usleep(1000);
}

/* ---- answers: a line each ---- */

static struct {
    pthread_mutex_t lock;
    char line[64][256]; /* who waited, the code, the words */
    size_t count, read;
} answers = {.lock = PTHREAD_MUTEX_INITIALIZER};

void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes);
void __wrap_admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence);

static void say(const struct admin_reply *reply, int code, const char *words, size_t bytes)
{
    pthread_mutex_lock(&answers.lock);
    snprintf(answers.line[answers.count++ % 64], sizeof(answers.line[0]), "%s %d %.*s",
             (const char *)reply, code, (int)bytes, words);
    pthread_mutex_unlock(&answers.lock);
}

void __wrap_admin_answer(struct admin_reply *reply, int code, const char *type, char *text,
                         size_t bytes)
{
    assert_string_equal(type, ADMIN_JSON);
    say(reply, code, text, bytes - 1); /* its line ends */
    free(text);
}

void __wrap_admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence)
{
    say(reply, code, sentence, strlen(sentence));
}

static size_t answered(void)
{
    size_t count;

    pthread_mutex_lock(&answers.lock);
    count = answers.count - answers.read;
    pthread_mutex_unlock(&answers.lock);
    return count;
}

/* The next one, when it is there. */
static const char *answer(void)
{
    const char *line;

    while (answered() == 0)
        usleep(1000);
    pthread_mutex_lock(&answers.lock);
    line = answers.line[answers.read++ % 64];
    pthread_mutex_unlock(&answers.lock);
    return line;
}

/* ---- the intake ---- */

static struct {
    struct data_dir dir;
    struct intake *intake;
    struct source inner, *source;
    struct feed inner_feed, *feed; /* the source's own */
    bool has_told;
} world;

static size_t inner_changes(struct source *source, struct source_change *out, size_t max)
{
    (void)source;
    if (world.has_told || max == 0)
        return 0;
    world.has_told = true;
    out[0] = (struct source_change){SOURCE_JOIN, &world.inner_feed};
    return 1;
}

static void inner_close(struct source *source)
{
    (void)source;
}

static void begin(void)
{
    static const struct source_ops ops = {.changes = inner_changes, .close = inner_close};
    const struct intake_options options = {
        .dir = &world.dir, .body_max = BODY_MAX, .backlog_max = BACKLOG_MAX};
    struct source_change change[4];
    struct error err = {""};

    atomic_store(&says.stamp_ms, 1000);
    atomic_store(&says.told_ms, 0);
    world.dir = (struct data_dir)DATA_DIR_CLOSED;
    world.inner.ops = &ops;
    world.has_told = false;
    if (durable_lock("data", &world.dir, &err) != EXIT_OK ||
        intake_open(&options, &world.intake, &err) != EXIT_OK ||
        intake_begin(world.intake, &err) != EXIT_OK ||
        intake_source_over(world.intake, NULL, &world.inner, &world.source, &err) != EXIT_OK ||
        intake_start(world.intake, (struct engine *)(uintptr_t)&says, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(world.source->ops->changes(world.source, change, 4), 2);
    world.feed = change[1].feed;
}

static void end(void)
{
    struct error why;

    assert_int_equal(intake_verdict(world.intake, &why), EXIT_OK);
    intake_close(world.intake);
    world.source->ops->close(world.source);
    data_dir_close(&world.dir);
    assert_int_equal(answered(), 0);
}

static void push_body(const char *waits, const char *body, size_t bytes, int64_t wait_ms)
{
    intake_push(world.intake,
                &(struct intake_push){.who = "ada",
                                      .from = "192.0.2.7:1",
                                      .what = "events",
                                      .format = FORMAT_AUTO,
                                      .body = body,
                                      .bytes = bytes,
                                      .wait_ms = wait_ms,
                                      .reply = (struct admin_reply *)(uintptr_t)waits});
}

static void push(const char *waits, int64_t wait_ms)
{
    static const char body[] = "{\"resource\":\"r\",\"check\":\"c\"}\n";

    push_body(waits, body, strlen(body), wait_ms);
}

#define KEPT(position, at)                                                                         \
    "{\"position\":\"@intake/" position                                                            \
    "\",\"records\":1,\"events\":1,\"at\":\"1970-01-01T00:00:" at "Z\""

/* ---- pushes ---- */

static void a_push_is_answered_when_it_is_kept(void **state)
{
    struct intake_counters counters;

    (void)state;
    sim_disk_begin(1);
    begin();
    push("one", 0);
    assert_string_equal(answer(), "one 200 " KEPT("0", "01.000") "}");
    push_body("two", "{}", 2, 0);
    assert_memory_equal(answer(), "two 400 ", 8);
    intake_counters(world.intake, &counters);
    assert_int_equal(counters.pushes, 1);
    assert_int_equal(counters.push_events, 1);
    assert_int_equal(counters.refused_bad, 1);
    assert_int_equal(counters.refused_full, 0);
    end();
    begin(); /* and it is there */
    assert_int_equal(intake_next(world.intake), 1);
    end();
    sim_disk_end();
}

static void a_push_has_a_bound(void **state)
{
    static char body[BODY_MAX + 2] = "{\"resource\":\"r\",\"check\":\"c\"}";
    struct intake_counters counters;

    (void)state;
    memset(body + strlen(body), ' ', sizeof(body) - strlen(body));
    sim_disk_begin(1);
    begin();
    push_body("one", body, BODY_MAX, 0);
    assert_string_equal(answer(), "one 200 " KEPT("0", "01.000") "}");
    push_body("two", body, BODY_MAX + 1, 0);
    assert_string_equal(answer(), "two 413 8193 bytes are more than a request may have "
                                  "(intake.body.max): 8192");
    intake_counters(world.intake, &counters);
    assert_int_equal(counters.refused_bad, 1);
    end();
    sim_disk_end();
}

/* The engine takes what was given since it was asked last. */
static void work_off(void)
{
    const struct record *records;

    while (world.feed->ops->take(world.feed, &records, 100) > 0)
        world.feed->ops->release(world.feed);
}

static void what_the_engine_does_not_work_off_has_a_bound(void **state)
{
    struct intake_counters counters;
    uint64_t refused = 0, kept = 0;

    (void)state;
    sim_disk_begin(1);
    begin();
    for (int i = 0; i < BEHIND && refused < 3; i++) {
        intake_counters(world.intake, &counters);
        bool is_behind = counters.backlog_bytes > BACKLOG_MAX;
        push("one", 0);
        if (is_behind)
            assert_string_equal(answer(),
                                "one 503 the engine is behind with what was pushed before; "
                                "try again");
        else
            assert_memory_equal(answer(), "one 200 ", 8);
        refused += is_behind;
        kept += !is_behind;
    }
    assert_int_equal(refused, 3);
    assert_in_range(kept, 20, BACKLOG_MAX / 30);
    intake_counters(world.intake, &counters);
    assert_int_equal(counters.refused_full, 3);
    assert_int_equal(counters.refused_bad, 0);
    work_off();
    intake_counters(world.intake, &counters);
    assert_int_equal(counters.backlog_bytes, 0);
    push("two", 0);
    assert_memory_equal(answer(), "two 200 ", 8);
    end();
    sim_disk_end();
}

/* ---- ?wait ---- */

/* One that waits for what never comes is looked at behind all others: when the engine was asked
 * because of it, what has become so for those was seen. */
static void who_waits_is_answered_when_what_came_of_it_is_durable(void **state)
{
    (void)state;
    sim_disk_begin(1);
    begin();
    intake_stepped(world.intake, 900);
    intake_committed(world.intake, 900);
    atomic_store(&says.stamp_ms, 5000);
    push("one", BEHIND);
    while (atomic_load(&says.asked) == 0) /* it waits */
        usleep(1000);
    atomic_store(&says.stamp_ms, 9000);
    push("last", BEHIND);
    await_looks();
    assert_int_equal(answered(), 0);
    atomic_store(&says.told_ms, 5000); /* what is of the same time may be still to come */
    await_looks();
    assert_int_equal(answered(), 0);
    intake_stepped(world.intake, 5200);
    atomic_store(&says.told_ms, 5001);
    await_looks();
    assert_int_equal(answered(), 0);    /* the journal has it, and not the disk */
    intake_stepped(world.intake, 5400); /* of no interest to it */
    intake_committed(world.intake, 5199);
    await_looks();
    assert_int_equal(answered(), 0);
    intake_committed(world.intake, 5200);
    assert_string_equal(answer(), "one 200 " KEPT("0", "05.000") ",\"applied\":true}");
    assert_int_equal(answered(), 0);
    intake_stop(world.intake);
    assert_string_equal(answer(), "last 202 " KEPT("1", "09.000") ",\"applied\":false}");
    push("late", BEHIND);
    assert_memory_equal(answer(), "late 503 ", 9);
    end();
    sim_disk_end();
}

static void who_has_waited_long_enough_is_answered(void **state)
{
    struct intake_counters counters;

    (void)state;
    sim_disk_begin(1);
    begin();
    push("one", 1);
    push("last", BEHIND);
    assert_string_equal(answer(), "one 202 " KEPT("0", "01.000") ",\"applied\":false}");
    do {
        usleep(1000);
        intake_counters(world.intake, &counters);
    } while (counters.waiting != 1);
    assert_int_equal(counters.pushes, 2);
    intake_stepped(world.intake, 1200);
    intake_committed(world.intake, 1200);
    atomic_store(&says.told_ms, 1001);
    assert_string_equal(answer(), "last 200 " KEPT("1", "01.000") ",\"applied\":true}");
    do {
        usleep(1000);
        intake_counters(world.intake, &counters);
    } while (counters.waiting != 0);
    end();
    sim_disk_end();
}

static _Atomic bool is_loaded;

static bool is_so(void *self, struct id128 what)
{
    assert_int_equal(what.hi, 7);
    return atomic_load((_Atomic bool *)self);
}

static void an_answer_is_given_when_something_has_become_so(void **state)
{
    (void)state;
    sim_disk_begin(1);
    begin();
    atomic_store(&is_loaded, false);
    intake_answer_when(world.intake,
                       &(struct intake_until){.reply = (struct admin_reply *)(uintptr_t) "one",
                                              .text = strdup("{}\n"),
                                              .is_so = is_so,
                                              .self = &is_loaded,
                                              .what = {7, 0}});
    push("last", BEHIND);
    await_looks();
    assert_int_equal(answered(), 0);
    atomic_store(&is_loaded, true);
    assert_string_equal(answer(), "one 200 {}");
    intake_stop(world.intake);
    assert_memory_equal(answer(), "last 202 ", 9);
    intake_answer_when(world.intake,
                       &(struct intake_until){.reply = (struct admin_reply *)(uintptr_t) "late",
                                              .text = strdup("{}\n"),
                                              .is_so = is_so,
                                              .self = &is_loaded,
                                              .what = {7, 0}});
    assert_string_equal(answer(), "late 202 {}");
    end();
    sim_disk_end();
}

/* ---- acts ---- */

static void what_is_done_to_an_incident_is_answered_behind_its_outcome(void **state)
{
    struct intake_act act = {.who = "ada", .from = "192.0.2.7:1", .what = ACT_CLOSE};
    struct intake_counters counters;
    struct error err = {""};

    (void)state;
    json_t *body = json_pack("{s:s, s:s, s:[s]}", "id", "00000000000000010000000000000002", "rule",
                             "down", "key", "h1");
    sim_disk_begin(1);
    begin();
    push("kept", 0);
    answer();
    assert_int_equal(intake_act_begin(world.intake, &act, body, &err), 0);
    assert_int_equal(act.position, 1);
    assert_true(intake_may_owe(world.intake));
    intake_owe(world.intake, &act, true, (struct admin_reply *)(uintptr_t) "one",
               strdup("{\"outcome\":\"closed\""));
    push("last", BEHIND);
    await_looks();
    intake_acted(world.intake,
                 &(struct engine_acted){.position = 1, .at_ms = 3000, .was_open = true});
    intake_committed(world.intake, 3000);
    await_looks();
    assert_int_equal(answered(), 0);
    intake_committed(world.intake, 3001);
    assert_string_equal(answer(), "one 200 {\"outcome\":\"closed\",\"applied\":true}");
    intake_stop(world.intake);
    assert_memory_equal(answer(), "last 202 ", 9);
    intake_counters(world.intake, &counters);
    assert_int_equal(counters.acts, 1);
    assert_int_equal(counters.log.records, 4); /* two pushes, the act, and what came of it */
    end();

    /* One that did not get that far is owed by the next run, and gets its outcome there. */
    begin();
    assert_int_equal(intake_next(world.intake), 4);
    assert_int_equal(intake_act_begin(world.intake, &act, body, &err), 0);
    end();
    begin();
    intake_acted(world.intake,
                 &(struct engine_acted){.position = 1, .at_ms = 3000, .was_open = true});
    intake_acted(world.intake,
                 &(struct engine_acted){.position = 4, .at_ms = 3000, .was_open = false});
    intake_committed(world.intake, 3001);
    do {
        usleep(1000);
        intake_counters(world.intake, &counters);
    } while (counters.log.records == 0);
    end();
    begin();
    assert_int_equal(intake_next(world.intake), 6);
    end();
    json_decref(body);
    sim_disk_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_push_is_answered_when_it_is_kept),
        cmocka_unit_test(a_push_has_a_bound),
        cmocka_unit_test(what_the_engine_does_not_work_off_has_a_bound),
        cmocka_unit_test(who_waits_is_answered_when_what_came_of_it_is_durable),
        cmocka_unit_test(who_has_waited_long_enough_is_answered),
        cmocka_unit_test(an_answer_is_given_when_something_has_become_so),
        cmocka_unit_test(what_is_done_to_an_incident_is_answered_behind_its_outcome),
    };
    log_configure(LOG_ERROR + 1, LOG_TEXT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
