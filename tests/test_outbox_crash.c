/*
 * Aim: at sinks of class A, B and C an incident has one ticket, however often the process dies and
 * however the sinks lie (D3, O1, O8). Method: the core of the outbox on virtual time, against
 * systems that lie (ticket_desk.h), with a journal that is durable only up to some point: at a
 * random time all after that point is lost, and the next core is given what is left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "ticket_desk.h"

enum { SINKS = 3, INCIDENTS = 5, OPS_MAX = 6, MOVES_MAX = 20000, RUNS = 150, STEPS = 400 };

#define SECOND_NS UINT64_C(1000000000)

static const struct sink_config configs[SINKS] = {
    {"pager",
     "pagerduty",
     {{"routing_key", "0123456789abcdef0123456789abcdef"}, {"url", "https://pager.example/"}},
     2},
    {"zen", "zendesk", {{"url", "https://zen.example/"}, {"token", "secret"}}, 2},
    {"snow", "servicenow", {{"url", "https://snow.example"}, {"token", "secret"}}, 2},
};
static const char *const hosts[SINKS] = {"pager.example", "zen.example", "snow.example"};

static struct sink *sinks[SINKS];
static struct outbox_core *core;

/* The journal: moves as told, of which the first `durable` would be found by the next process. */
static struct outbox_move moves[MOVES_MAX];
static struct sink_remote remotes[MOVES_MAX];
static size_t move_count, durable;
static unsigned deaths, in_doubt;

/* What was committed: kinds[sink][incident][number - 1]. */
static enum op_kind kinds[SINKS][INCIDENTS][OPS_MAX];
static uint32_t committed[SINKS][INCIDENTS];

static bool on_moved(void *self, const struct outbox_move *move)
{
    (void)self;
    assert_true(move_count < MOVES_MAX);
    moves[move_count] = *move;
    remotes[move_count] = *move->remote;
    moves[move_count].remote = &remotes[move_count];
    move_count++;
    return move->gate != NULL;
}

static void on_finished(void *self, uint64_t bytes)
{
    (void)self;
    (void)bytes;
}

static void on_changed(void *self)
{
    (void)self;
}

static void begin_core(void)
{
    const struct outbox_core_hooks hooks = {NULL, on_finished, on_changed, on_moved, NULL};
    const struct outbox_bounds bounds = {.ops_max = 1000,
                                         .bytes_max = UINT64_C(1) << 30,
                                         .dead_max = 100,
                                         .dead_bytes_max = UINT64_C(1) << 30,
                                         .refs_max = 3, /* so that some are forgotten */
                                         .beyond_max = 1000};

    core = outbox_core_create(sinks, SINKS, &desk_transport, &bounds, &hooks);
    assert_non_null(core);
}

/* More becomes durable, in order; whoever waits for it may go. */
static void sync_until(size_t end)
{
    for (; durable < end; durable++)
        if (moves[durable].gate != NULL)
            outbox_core_permit(core, moves[durable].gate);
}

/* The last durable move of the op; NULL: none is. */
static const struct outbox_move *last_move(uint16_t sink, struct id128 incident, uint32_t number)
{
    for (size_t i = durable; i > 0; i--)
        if (moves[i - 1].sink == sink && moves[i - 1].number == number &&
            id128_equal(moves[i - 1].incident, incident))
            return &moves[i - 1];
    return NULL;
}

static void resume_incident(uint16_t sink, uint64_t incident)
{
    for (uint32_t number = 1; number <= committed[sink][incident]; number++) {
        struct outbox_resumed left = {
            .op = fixture_op(incident, number, kinds[sink][incident][number - 1], sink),
            .state = OP_PENDING};
        const struct outbox_move *move, *into;
        uint64_t bytes;
        left.incident = left.op.incident->id;
        move = last_move(sink, left.incident, number);
        if (move != NULL) {
            left.state = move->state;
            left.may_exist = move->may_exist;
            left.not_before_ms = move->not_before_ms;
            left.remote = *move->remote;
        }
        if (left.state == OP_SUPERSEDED) {
            into = move->into != 0 ? last_move(sink, left.incident, move->into) : NULL;
            if (move->into == 0 || (into != NULL && into->state == OP_DONE)) {
                incident_unref(left.op.incident);
                continue;
            }
            left.state = OP_PENDING;
        }
        in_doubt += left.state == OP_INTENT;
        assert_true(outbox_core_resume(core, &left, &bytes));
    }
}

/* Everything that was not durable is gone, and so is what was on its way back. */
static void crash(void)
{
    for (size_t i = 0; i < DESK_ANSWERS_MAX; i++) {
        free(desk.answer[i].body);
        desk.answer[i] = (struct desk_answer){0};
    }
    outbox_core_destroy(core);
    deaths++;
    move_count = durable;
    for (size_t i = 0; i < durable; i++)
        moves[i].gate = NULL;
    begin_core();
    fixture_advance_ms(fixture_next_random() % 3 == 0 ? fixture_next_random() % 10000000 : 100);
    for (uint16_t sink = 0; sink < SINKS; sink++)
        for (uint64_t incident = 0; incident < INCIDENTS; incident++)
            resume_incident(sink, incident);
}

static void submit_next(uint16_t sink, uint64_t incident, bool ends)
{
    uint32_t number = ++committed[sink][incident];
    enum op_kind kind = number == 1 ? OP_OPEN : ends || number == OPS_MAX ? OP_RESOLVE : OP_UPDATE;
    struct op op = fixture_op(incident, number, kind, sink);

    kinds[sink][incident][number - 1] = kind;
    outbox_core_take(core, outbox_op_create(&op));
}

static bool is_resolved(uint16_t sink, uint64_t incident)
{
    uint32_t number = committed[sink][incident];

    return number > 0 && kinds[sink][incident][number - 1] == OP_RESOLVE;
}

static void live_at_random(void)
{
    for (unsigned step = 0; step < STEPS; step++) {
        uint16_t sink = (uint16_t)(fixture_next_random() % SINKS);
        uint64_t incident = fixture_next_random() % INCIDENTS;
        switch (fixture_next_random() % 8) {
        case 0:
            if (!is_resolved(sink, incident))
                submit_next(sink, incident, fixture_next_random() % 3 == 0);
            break;
        case 1:
        case 2:
            sync_until(durable + fixture_next_random() % (move_count - durable + 1));
            break;
        case 3:
            if (fixture_next_random() % 6 == 0)
                crash();
            break;
        case 4:
            desk_run(core, fixture_next_random() % 30000);
            break;
        default:
            desk_run(core, fixture_next_random() % 200);
        }
    }
}

/* From here on nobody lies or dies, and every incident comes to its end. */
static void come_to_rest(void)
{
    memset(desk.lie, 0, sizeof(desk.lie));
    for (uint16_t sink = 0; sink < SINKS; sink++)
        for (uint64_t incident = 0; incident < INCIDENTS; incident++)
            while (!is_resolved(sink, incident))
                submit_next(sink, incident, true);
    for (unsigned i = 0; outbox_core_waiting(core) > 0; i++) {
        assert_true(i < 100000);
        sync_until(move_count);
        desk_run(core, 1000);
    }
}

static void D3_deaths_at_any_time_leave_one_ticket(void **state)
{
    uint64_t seed = 20261122;

    (void)state;
    for (unsigned run = 0; run < RUNS; run++) {
        fixture_seed = seed + run * 7919;
        desk_reset();
        desk.lag_ns = fixture_next_random() % 21 * SECOND_NS;
        for (size_t i = 0; i < DESK_LIES_MAX; i++) {
            desk.lie[i] = fixture_next_random() % 3 != 0
                              ? HONEST
                              : (enum lie)(fixture_next_random() % LIE_409);
        }
        memset(committed, 0, sizeof(committed));
        move_count = durable = 0;
        begin_core();
        live_at_random();
        come_to_rest();
        for (uint16_t sink = 0; sink < SINKS; sink++) {
            if (desk_count(hosts[sink], false) != INCIDENTS || desk_count(hosts[sink], true) != 0)
                fail_msg("run %u: %s has %zu tickets of %d incidents, %zu of them open", run,
                         hosts[sink], desk_count(hosts[sink], false), INCIDENTS,
                         desk_count(hosts[sink], true));
        }
        outbox_core_destroy(core);
        core = NULL;
    }
    printf("%u deaths, %u ops that were on their way\n", deaths, in_doubt);
    assert_true(deaths > 4 * RUNS); /* else the runs show nothing */
    assert_true(in_doubt > RUNS);
}

static int set_up(void **state)
{
    struct error err;

    (void)state;
    fixture_host_install();
    for (size_t i = 0; i < SINKS; i++)
        if (sink_create(&configs[i], true, &sinks[i], &err) != 0)
            fail_msg("%s", err.text);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    outbox_core_destroy(core);
    for (size_t i = 0; i < SINKS; i++)
        sink_destroy(sinks[i]);
    desk_reset();
    host_set(NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(D3_deaths_at_any_time_leave_one_ticket, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
