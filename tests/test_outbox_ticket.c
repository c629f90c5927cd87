/*
 * Aim: at sinks of class A, B and C an incident has one ticket, however they lie (D3), and the
 * states of ops are told and taken back (O1). Method: the core of the outbox on virtual time,
 * against three systems that act on requests and lie about it (ticket_desk.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "ticket_desk.h"

enum { PAGER, ZEN, SNOW, SNOW_TOO, SINKS };

#define HOUR_MS UINT64_C(3600000)
#define SETTLE_MS 30000

static const struct sink_config configs[SINKS] = {
    [PAGER] = {"pager",
               "pagerduty",
               {{"routing_key", "0123456789abcdef0123456789abcdef"},
                {"url", "https://pager.example/"}},
               2},
    [ZEN] = {"zen",
             "zendesk",
             {{"url", "https://zen.example/"}, {"user", "a@b.example"}, {"api_token", "secret"}},
             3},
    [SNOW] = {"snow",
              "servicenow",
              {{"url", "https://snow.example"}, {"user", "tocsin"}, {"password", "secret"}},
              3},
    [SNOW_TOO] = {"snow-too", /* as another owner of the same incidents would be */
                  "servicenow",
                  {{"url", "https://snow.example/"}, {"token", "secret"}},
                  2},
};
static const char *const hosts[] = {"pager.example", "zen.example", "snow.example"};

/* The linker sends our own malloc() through here. */
void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);

static bool memory_is_short;

void *__wrap_malloc(size_t bytes)
{
    return memory_is_short ? NULL : __real_malloc(bytes);
}

static struct sink *sinks[SINKS];
static struct outbox_core *core;

/* What was told of ops. */
enum { MOVES_MAX = 256 };
static struct outbox_move moves[MOVES_MAX];
static struct sink_remote remotes[MOVES_MAX];
static size_t move_count;
static bool gates_are_shut;

static bool on_moved(void *self, const struct outbox_move *move)
{
    (void)self;
    assert_true(move_count < MOVES_MAX);
    moves[move_count] = *move;
    remotes[move_count] = *move->remote;
    moves[move_count].remote = &remotes[move_count];
    move_count++;
    return gates_are_shut && move->gate != NULL;
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

static struct outbox_bounds bounds = {.ops_max = 1000,
                                      .bytes_max = UINT64_C(1) << 30,
                                      .dead_max = 100,
                                      .dead_bytes_max = UINT64_C(1) << 30,
                                      .refs_max = 100,
                                      .beyond_max = 100};

static void begin_core(void)
{
    const struct outbox_core_hooks hooks = {NULL, on_finished, on_changed, on_moved, NULL};

    core = outbox_core_create(sinks, SINKS, &desk_transport, &bounds, &hooks);
    assert_non_null(core);
    move_count = 0;
}

/* The process dies: what is on its way is never heard of. */
static void crash(void)
{
    for (size_t i = 0; i < DESK_ANSWERS_MAX; i++) {
        desk.answer[i].done = NULL;
        free(desk.answer[i].body);
        desk.answer[i].body = NULL;
    }
    outbox_core_destroy(core);
    begin_core();
}

static int set_up(void **state)
{
    struct error err;

    (void)state;
    fixture_host_install();
    desk_reset();
    gates_are_shut = memory_is_short = false;
    bounds.refs_max = 100;
    for (size_t i = 0; i < SINKS; i++)
        if (sink_create(&configs[i], true, &sinks[i], &err) != 0)
            fail_msg("%s", err.text);
    begin_core();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < DESK_ANSWERS_MAX; i++)
        desk.answer[i].done = NULL;
    outbox_core_destroy(core);
    for (size_t i = 0; i < SINKS; i++)
        sink_destroy(sinks[i]);
    desk_reset();
    host_set(NULL);
    return 0;
}

static void submit(uint64_t incident, uint32_t number, enum op_kind kind, uint16_t sink)
{
    struct op op = fixture_op(incident, number, kind, sink);

    outbox_core_take(core, outbox_op_create(&op));
}

static struct sink_counters counters(size_t sink)
{
    struct sink_counters c;
    struct error err;

    outbox_core_counters(core, sink, &c);
    assert_int_equal(c.ops + c.redriven, c.done + c.dead + c.superseded + c.waiting); /* L5 */
    if (!outbox_core_check_walk(core, &err))                                          /* L6 */
        fail_msg("%s", err.text);
    return c;
}

static size_t requests(const char *method)
{
    size_t count = 0;

    for (size_t i = 0; i < desk.request_count; i++)
        count += strcmp(desk.log[i], method) == 0;
    return count;
}

/* ---- one ticket ---- */

/* The life of an incident: opened, told of once more, resolved. With a pause each op is taken
 * before the next one is made. */
static void live(uint64_t incident, uint16_t sink, bool with_pauses)
{
    static const enum op_kind kinds[] = {OP_OPEN, OP_UPDATE, OP_RESOLVE};

    for (uint32_t i = 0; i < 3; i++) {
        submit(incident, i + 1, kinds[i], sink);
        if (with_pauses && !desk_run(core, HOUR_MS))
            fail_msg("op %u is not taken", i + 1);
    }
    assert_true(desk_run(core, HOUR_MS));
}

/* Whether systems of this kind tell this lie at all. */
static bool is_told(size_t sink, enum lie lie)
{
    return lie != LIE_409 || sink == ZEN;
}

static void expect_one_ticket(size_t sink, enum lie lie, size_t at, uint64_t lag_ms)
{
    struct sink_counters c = counters(sink);

    if (desk_count(hosts[sink], false) != 1 || desk_count(hosts[sink], true) != 0 ||
        c.done + c.superseded != 3)
        fail_msg("%s, lie %d at request %zu, lag %llu ms: %zu tickets, %zu open, %llu of 3 done",
                 hosts[sink], lie, at, (unsigned long long)lag_ms, desk_count(hosts[sink], false),
                 desk_count(hosts[sink], true), (unsigned long long)(c.done + c.superseded));
}

static void lie_and_look(uint16_t sink, enum lie lie, size_t from, size_t until, uint64_t lag_ms,
                         bool with_pauses)
{
    desk_reset();
    desk.lag_ns = lag_ms * 1000000;
    for (size_t i = from; i < until; i++)
        desk.lie[i] = lie;
    outbox_core_destroy(core);
    begin_core();
    live(7, sink, with_pauses);
    expect_one_ticket(sink, lie, from, lag_ms);
}

static void D3_one_lie_at_any_request_leaves_one_ticket(void **state)
{
    static const uint64_t lags_ms[] = {0, 20000};

    (void)state;
    for (uint16_t sink = PAGER; sink <= SNOW; sink++)
        for (enum lie lie = HONEST; lie < LIE_COUNT; lie++)
            for (size_t at = 0; at < 6 && is_told(sink, lie); at++)
                for (size_t lag = 0; lag < 2; lag++) {
                    lie_and_look(sink, lie, at, at + 1, lags_ms[lag], false);
                    lie_and_look(sink, lie, at, at + 1, lags_ms[lag], true);
                }
}

static void D3_many_lies_in_a_row_leave_one_ticket(void **state)
{
    (void)state;
    for (uint16_t sink = PAGER; sink <= SNOW; sink++)
        for (enum lie lie = HONEST; lie < LIE_COUNT; lie++)
            for (size_t from = 0; from < 4 && is_told(sink, lie); from++)
                lie_and_look(sink, lie, from, from + 4, 20000, true);
}

static void D3_random_lies_leave_one_ticket(void **state)
{
    (void)state;
    fixture_seed = 20261122;
    for (unsigned round = 0; round < 300; round++) {
        uint16_t sink = (uint16_t)(fixture_next_random() % 3);
        enum lie lie[12];
        for (size_t i = 0; i < 12; i++) {
            lie[i] = fixture_next_random() % 2 == 0 ? HONEST
                                                    : (enum lie)(fixture_next_random() % LIE_COUNT);
            if (!is_told(sink, lie[i]))
                lie[i] = HONEST;
        }
        desk_reset();
        memcpy(desk.lie, lie, 12 * sizeof(lie[0]));
        desk.lag_ns = fixture_next_random() % 21 * UINT64_C(1000000000);
        outbox_core_destroy(core);
        begin_core();
        live(7, sink, fixture_next_random() % 2 == 0);
        expect_one_ticket(sink, HONEST, round, desk.lag_ns / 1000000);
    }
}

static void D3_class_c_waits_the_settle_time_before_it_looks_up_what_is_in_doubt(void **state)
{
    uint64_t began_ns = fixture_mono_ns;

    (void)state;
    desk.lie[1] = LIE_LOST; /* the creation */
    submit(7, 1, OP_OPEN, SNOW);
    assert_false(desk_run(core, SETTLE_MS - 1));
    assert_int_equal(desk.request_count, 2);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(requests("POST"), 1);
    assert_true(fixture_mono_ns - began_ns >= SETTLE_MS * UINT64_C(1000000));
    assert_int_equal(counters(SNOW).uncertain, 1);
}

/* The settle time is the least; who asks for more gets it. */
static void O5_a_creation_in_doubt_waits_as_long_as_the_sink_asks(void **state)
{
    uint64_t began_ns;

    (void)state;
    submit(7, 1, OP_OPEN, SNOW);
    while (desk.request_count < 2)
        assert_false(desk_run(core, 10));
    for (size_t i = 0; i < DESK_ANSWERS_MAX; i++)
        if (desk.answer[i].done != NULL) { /* of the creation: done, and not admitted */
            desk.answer[i].status = 503;
            snprintf(desk.answer[i].retry_after, sizeof(desk.answer[i].retry_after), "120");
        }
    assert_false(desk_run(core, 100));
    assert_int_equal(counters(SNOW).uncertain, 1);
    began_ns = fixture_mono_ns;
    while (desk.request_count < 3)
        assert_false(desk_run(core, 10));
    assert_true(fixture_mono_ns - began_ns >= (120000 - 100) * UINT64_C(1000000));
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", false), 1);
}

/* What the former owner made a moment ago no look-up may show yet. */
static void D3_class_c_alone_waits_the_settle_time_after_a_takeover(void **state)
{
    (void)state;
    outbox_core_taken_over(core, 0); /* long ago: nothing that comes happened before it */
    for (uint16_t sink = PAGER; sink <= SNOW; sink++)
        submit(7, 1, OP_OPEN, sink);
    assert_false(desk_run(core, SETTLE_MS - 1));
    assert_int_equal(desk_count("pager.example", true), 1);
    assert_int_equal(desk_count("zen.example", true), 1);
    assert_int_equal(desk.request_count, 2);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", true), 1);
}

static void D3_a_second_ticket_of_another_owner_is_linked_closed_and_counted(void **state)
{
    (void)state;
    desk.lag_ns = 20 * UINT64_C(1000000000);
    submit(7, 1, OP_OPEN, SNOW);
    submit(7, 1, OP_OPEN, SNOW_TOO); /* neither sees the other's in its look-up before */
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", false), 2);
    assert_int_equal(desk_count("snow.example", true), 1);
    assert_true(desk.ticket[0].is_open); /* the older one, for both of them */
    assert_string_equal(desk.ticket[1].link, desk.ticket[0].ref);
    assert_true(counters(SNOW).duplicates + counters(SNOW_TOO).duplicates >= 1);
    /* Both go on with the one that is kept. */
    submit(7, 2, OP_RESOLVE, SNOW_TOO);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", true), 0);
}

static void D3_a_look_up_behind_by_more_than_the_settle_time_costs_a_duplicate(void **state)
{
    (void)state;
    desk.lag_ns = 70 * UINT64_C(1000000000);
    desk.lie[1] = LIE_LOST;
    submit(7, 1, OP_OPEN, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", false), 2);
    assert_int_equal(desk_count("snow.example", true), 1);
    assert_int_equal(counters(SNOW).duplicates, 1);
}

static void a_ticket_that_no_look_up_shows_is_kept_and_counted(void **state)
{
    (void)state;
    desk.lag_ns = HOUR_MS * 1000000;
    submit(7, 1, OP_OPEN, SNOW);
    assert_true(desk_run(core, HOUR_MS / 2));
    assert_int_equal(desk_count("snow.example", true), 1);
    assert_int_equal(counters(SNOW).unseen, 1);
    submit(7, 2, OP_RESOLVE, SNOW);
    assert_true(desk_run(core, HOUR_MS / 2));
    assert_int_equal(desk_count("snow.example", true), 0);
}

/* A look-up shows so many at most, the oldest. Ours, the youngest, is not among them. */
static void D3_no_ticket_is_closed_when_others_fill_the_look_up(void **state)
{
    char ours[sizeof(desk.ticket[0].ref)];

    (void)state;
    desk.lag_ns = 20 * UINT64_C(1000000000); /* the look-up before shows none of them */
    for (size_t i = 0; i < SINK_FOUND_MAX; i++)
        desk_create("snow.example", "0123456789abcdef0000000000000007", "", "");
    submit(7, 1, OP_OPEN, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(requests("POST"), 1);
    assert_int_equal(desk_count("snow.example", true), SINK_FOUND_MAX + 1);
    assert_int_equal(counters(SNOW).unseen, 1);
    assert_int_equal(counters(SNOW).duplicates, 0);
    snprintf(ours, sizeof(ours), "%s", desk.ticket[SINK_FOUND_MAX].ref);
    submit(7, 2, OP_RESOLVE, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_false(desk_find(ours, strlen(ours))->is_open);
    assert_int_equal(desk_count("snow.example", true), SINK_FOUND_MAX);
}

/* The second ticket cannot be noted: the look-up is made again, and then it is closed. */
static void D3_twins_that_find_no_memory_are_looked_up_again(void **state)
{
    (void)state;
    desk.lag_ns = 20 * UINT64_C(1000000000);
    desk_create("snow.example", "0123456789abcdef0000000000000007", "", ""); /* of another owner */
    submit(7, 1, OP_OPEN, SNOW);
    assert_false(desk_run(core, 1000));
    assert_int_equal(desk_count("snow.example", true), 2);
    while (requests("GET") < 2) /* before and after */
        assert_false(desk_run(core, 10));
    memory_is_short = true;
    assert_false(desk_run(core, 100)); /* until after the answer */
    memory_is_short = false;
    assert_int_equal(requests("GET"), 2);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", true), 1);
    assert_int_equal(requests("GET"), 3);
    assert_int_equal(counters(SNOW).duplicates, 1);
    assert_int_equal(counters(SNOW).done, 1);
}

static void a_twin_that_cannot_be_closed_is_counted_and_holds_nothing_up(void **state)
{
    (void)state;
    submit(7, 1, OP_OPEN, SNOW);
    submit(7, 1, OP_OPEN, SNOW_TOO);
    desk.lag_ns = 1000000000;
    desk.refuse_change = 403 + 1; /* 404 */
    assert_true(desk_run(core, HOUR_MS));
    assert_true(counters(SNOW).duplicates_left + counters(SNOW_TOO).duplicates_left >= 1);
    assert_int_equal(counters(SNOW).done, 1);
}

static void D3_class_b_looks_up_once_its_key_may_be_forgotten(void **state)
{
    (void)state;
    desk.lie[0] = LIE_LOST;
    desk.lie[1] = LIE_500; /* within the life of the key: sent again */
    submit(7, 1, OP_OPEN, ZEN);
    assert_false(desk_run(core, 1000));
    while (desk.request_count < 2)
        assert_false(desk_run(core, 1000));
    assert_int_equal(requests("POST"), 2);
    crash();
    fixture_advance_ms(3 * HOUR_MS); /* the key is forgotten by now */
    struct outbox_resumed left = {
        .op = fixture_op(7, 1, OP_OPEN, ZEN), .state = OP_RETRY, .may_exist = true};
    uint64_t bytes;
    left.incident = left.op.incident->id;
    assert_true(outbox_core_resume(core, &left, &bytes));
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("zen.example", false), 1);
    assert_int_equal(requests("GET"), 1);
    assert_int_equal(requests("POST"), 2);
}

/* An attempt that nobody knows of is assumed at every start, and not written down: what a person
 * reads tells of those that got no answer. */
static void what_is_assumed_of_a_former_life_is_not_told_as_known(void **state)
{
    static const struct {
        enum op_state was;
        bool is_known;
    } cases[] = {{OP_PENDING, false}, {OP_RETRY, false}, {OP_INTENT, true}, {OP_UNCERTAIN, true}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outbox_resumed left = {.op = fixture_op(7, 1, OP_OPEN, ZEN), .state = cases[i].was};
        uint64_t bytes;
        bool is_known = false;
        left.incident = left.op.incident->id;
        desk.lie[0] = LIE_429_SECONDS; /* an answer: nothing was asked */
        assert_true(outbox_core_resume(core, &left, &bytes));
        assert_false(desk_run(core, 500));
        assert_true(move_count > 0);
        for (size_t at = 0; at < move_count; at++)
            is_known |= moves[at].may_exist;
        assert_int_equal(is_known, cases[i].is_known);
        desk.lie[2] = LIE_LOST; /* of the creation: none */
        for (is_known = false; !is_known;) {
            assert_false(desk_run(core, 1000));
            is_known = moves[move_count - 1].may_exist;
        }
        tear_down(state);
        set_up(state);
    }
}

/* ---- references ---- */

static void a_ticket_is_changed_by_its_reference_without_another_look_up(void **state)
{
    (void)state;
    submit(7, 1, OP_OPEN, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(requests("GET"), 2); /* before and after */
    assert_int_equal(counters(SNOW).refs, 1);
    submit(7, 2, OP_UPDATE, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    submit(7, 3, OP_RESOLVE, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(requests("GET"), 2);
    assert_int_equal(requests("PATCH"), 2);
    assert_int_equal(counters(SNOW).refs, 0);
}

static void references_are_bounded_and_what_is_forgotten_is_looked_up(void **state)
{
    (void)state;
    bounds.refs_max = 2;
    outbox_core_destroy(core);
    begin_core();
    for (uint64_t incident = 1; incident <= 3; incident++) {
        submit(incident, 1, OP_OPEN, SNOW);
        assert_true(desk_run(core, HOUR_MS));
    }
    assert_int_equal(counters(SNOW).refs, 2);
    assert_int_equal(counters(SNOW).refs_forgotten, 1);
    for (uint64_t incident = 1; incident <= 3; incident++) {
        submit(incident, 2, OP_RESOLVE, SNOW);
        assert_true(desk_run(core, HOUR_MS));
    }
    /* Each open two; and the first resolve one, whose reference pushes out the second one's. */
    assert_int_equal(requests("GET"), 3 * 2 + 2);
    assert_int_equal(counters(SNOW).refs_forgotten, 2);
    assert_int_equal(desk_count("snow.example", false), 3);
    assert_int_equal(desk_count("snow.example", true), 0);
    assert_int_equal(counters(SNOW).refs, 0);
}

static void an_update_makes_the_ticket_of_an_open_that_was_given_up(void **state)
{
    (void)state;
    desk.refuse_create = 400;
    submit(7, 1, OP_OPEN, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(counters(SNOW).dead, 1);
    desk.refuse_create = 0;
    submit(7, 2, OP_UPDATE, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", true), 1);
    assert_int_equal(counters(SNOW).overtaken, 1);
    assert_int_equal(counters(SNOW).dead_kept, 0); /* so no redrive makes a second one */
}

/* As the first time: one look-up alone might have come too early. */
static void an_update_that_is_sent_again_looks_twice_before_it_makes_a_ticket(void **state)
{
    const struct outbox_pick all = {.sink = -1};
    struct outbox_redriven redriven;
    size_t looks;

    (void)state;
    desk.refuse_create = 400;
    submit(7, 2, OP_UPDATE, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(counters(SNOW).dead, 1);
    looks = requests("GET");
    desk.refuse_create = 0;
    outbox_core_redrive(core, &all, &redriven);
    assert_int_equal(redriven.redriven, 1);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", true), 1);
    assert_int_equal(requests("GET") - looks, 2 + 1); /* and one after the creation */
}

static void a_resolve_of_what_was_never_opened_makes_nothing(void **state)
{
    (void)state;
    desk.refuse_create = 400;
    submit(7, 1, OP_OPEN, ZEN);
    submit(7, 2, OP_RESOLVE, ZEN);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("zen.example", false), 0);
    assert_int_equal(counters(ZEN).done, 1);
}

/* ---- O4, O6, O8 ---- */

static void O4_updates_merge_until_the_creation_leaves(void **state)
{
    (void)state;
    desk.lie[0] = LIE_429_SECONDS; /* the look-up before: no byte of the op has left */
    submit(7, 1, OP_OPEN, SNOW);
    assert_false(desk_run(core, 1000));
    submit(7, 2, OP_UPDATE, SNOW);
    assert_int_equal(counters(SNOW).superseded, 1);
    desk.lie[2] = LIE_500; /* the creation */
    while (desk.request_count < 3)
        assert_false(desk_run(core, 1000));
    assert_false(desk_run(core, 1000));
    submit(7, 3, OP_UPDATE, SNOW);
    assert_int_equal(counters(SNOW).superseded, 1); /* it may exist as it was */
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(requests("PATCH"), 1);
}

static void O6_a_refused_creation_is_dead_after_one_look_up(void **state)
{
    (void)state;
    desk.refuse_create = 422;
    submit(7, 1, OP_OPEN, ZEN);
    submit(7, 1, OP_OPEN, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(counters(ZEN).dead, 1);
    assert_int_equal(counters(ZEN).lookups, 1);
    assert_int_equal(counters(SNOW).dead, 1);
    assert_int_equal(counters(SNOW).lookups, 2); /* and the one before */
}

static void O6_a_creation_refused_because_there_is_a_ticket_is_done(void **state)
{
    (void)state;
    submit(7, 1, OP_OPEN, ZEN);
    assert_true(desk_run(core, HOUR_MS));
    crash();
    desk.refuse_create = 400; /* the key is known with another body */
    submit(7, 1, OP_OPEN, ZEN);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(counters(ZEN).done, 1);
    assert_int_equal(desk_count("zen.example", false), 1);
}

static void O6_a_refused_change_of_a_ticket_that_a_person_closed(void **state)
{
    (void)state;
    submit(7, 1, OP_OPEN, ZEN);
    submit(8, 1, OP_OPEN, ZEN);
    assert_true(desk_run(core, HOUR_MS));
    snprintf(desk.ticket[0].state, sizeof(desk.ticket[0].state), "closed");
    snprintf(desk.ticket[1].state, sizeof(desk.ticket[1].state), "closed");
    desk.refuse_change = 422;
    submit(7, 2, OP_UPDATE, ZEN);
    submit(8, 2, OP_RESOLVE, ZEN);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(counters(ZEN).dead, 1); /* the update can be told to nobody */
    assert_int_equal(counters(ZEN).done, 3); /* the resolve is what has happened already */
    assert_int_equal(counters(ZEN).lookups, 2);
}

static void O6_a_refused_look_up_holds_the_sink_and_kills_nothing(void **state)
{
    (void)state;
    submit(7, 1, OP_OPEN, SNOW);
    outbox_core_run(core);
    free(desk.answer[0].body);
    desk.answer[0].body = strdup("{\"error\":{\"message\":\"User Not Authenticated\"}}");
    desk.answer[0].status = 401;
    assert_false(desk_run(core, 1000));
    assert_true(counters(SNOW).held);
    assert_int_equal(counters(SNOW).dead, 0);
    assert_true(desk_run(core, HOUR_MS));
    assert_false(counters(SNOW).held);
    assert_int_equal(desk_count("snow.example", true), 1);
}

static void a_ticket_that_is_made_is_looked_up_at_once_when_the_daemon_stops(void **state)
{
    uint64_t began_ns = fixture_mono_ns;

    (void)state;
    submit(7, 1, OP_OPEN, SNOW);
    assert_false(desk_run(core, 1000));
    outbox_core_end(core);
    assert_true(desk_run(core, 1000));
    assert_true(fixture_mono_ns - began_ns < SETTLE_MS * UINT64_C(1000000));
    assert_int_equal(requests("GET"), 2);
    assert_int_equal(counters(SNOW).done, 1);
}

/* ---- the doors: states told, states taken back ---- */

static void expect_moves(const enum op_state *states, size_t count)
{
    assert_int_equal(move_count, count);
    for (size_t i = 0; i < count; i++)
        if (moves[i].state != states[i])
            fail_msg("move %zu is to state %d instead of %d", i, moves[i].state, states[i]);
}

static void O1_every_move_is_told_once_in_order(void **state)
{
    static const enum op_state c_states[] = {OP_INTENT,  OP_UNCERTAIN, OP_RETRY,
                                             OP_PENDING, OP_INTENT,    OP_MADE,
                                             OP_DONE,    OP_INTENT,    OP_DONE};
    static const enum op_state b_states[] = {OP_INTENT, OP_RETRY, OP_PENDING, OP_INTENT, OP_DONE};

    (void)state;
    desk.lie[1] = LIE_LOST_BEFORE;
    submit(7, 1, OP_OPEN, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    submit(7, 2, OP_RESOLVE, SNOW);
    assert_true(desk_run(core, HOUR_MS));
    expect_moves(c_states, 9);
    for (size_t i = 0; i < move_count; i++) {
        struct op op = fixture_op(7, i < 7 ? 1 : 2, i < 7 ? OP_OPEN : OP_RESOLVE, SNOW);
        assert_true(id128_equal(moves[i].op, op.id));
        assert_true(id128_equal(moves[i].incident, op.incident->id));
        assert_int_equal(moves[i].number, op.number);
        assert_int_equal(moves[i].kind, op.kind);
        assert_int_equal(moves[i].sink, SNOW);
        assert_int_equal(moves[i].may_exist, i >= 1 && i < 7);
        assert_string_equal(moves[i].remote->ref, i < 5 ? "" : desk.ticket[0].ref);
        assert_string_equal(moves[i].remote->label, i < 5 ? "" : "INC0001");
        incident_unref(op.incident);
    }
    /* The times of RETRY and MADE are the settle time after each; the others have none. */
    assert_int_equal(moves[5].not_before_ms - moves[2].not_before_ms,
                     SETTLE_MS + 100); /* a look-up and a creation of 50 ms each */
    assert_int_equal(moves[6].not_before_ms, 0);

    move_count = 0;
    desk.lie[desk.request_count] = LIE_429_SECONDS;
    submit(8, 1, OP_OPEN, ZEN);
    assert_true(desk_run(core, HOUR_MS));
    expect_moves(b_states, 5);
    assert_string_equal(moves[4].remote->ref, desk.ticket[1].ref);
}

static void O1_an_intent_is_kept_before_the_first_byte_at_class_c_alone(void **state)
{
    (void)state;
    gates_are_shut = true;
    submit(7, 1, OP_OPEN, SNOW);
    submit(8, 1, OP_OPEN, ZEN);
    submit(9, 1, OP_OPEN, PAGER);
    assert_false(desk_run(core, 1000));
    assert_int_equal(desk_count("zen.example", true), 1);
    assert_int_equal(desk_count("pager.example", true), 1);
    assert_int_equal(desk_count("snow.example", false), 0);
    for (size_t i = 0; i < move_count; i++) {
        if (moves[i].gate == NULL)
            continue;
        assert_int_equal(moves[i].sink, SNOW);
        assert_int_equal(moves[i].state, OP_INTENT);
        outbox_core_permit(core, moves[i].gate);
    }
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", false), 1);
}

/* A second open page would come of an open that is sent again after its resolve. */
static void O8_what_follows_an_open_at_class_a_waits_until_its_end_is_durable(void **state)
{
    (void)state;
    gates_are_shut = true;
    submit(7, 1, OP_OPEN, PAGER);
    submit(7, 2, OP_RESOLVE, PAGER);
    assert_false(desk_run(core, 1000));
    expect_moves((const enum op_state[]){OP_INTENT, OP_DONE, OP_INTENT}, 3);
    assert_null(moves[0].gate);
    assert_non_null(moves[2].gate);
    assert_int_equal(desk_count("pager.example", true), 1);
    outbox_core_permit(core, moves[2].gate);
    assert_true(desk_run(core, 1000));
    assert_int_equal(desk_count("pager.example", true), 0);
}

static void O4_what_was_taken_in_is_told_with_what_tells_it_instead(void **state)
{
    (void)state;
    desk.lie[0] = LIE_BAD_CERT; /* no byte left */
    submit(7, 1, OP_OPEN, PAGER);
    assert_false(desk_run(core, 100));
    submit(7, 2, OP_UPDATE, PAGER);
    assert_int_equal(moves[move_count - 1].state, OP_SUPERSEDED);
    assert_int_equal(moves[move_count - 1].number, 2);
    assert_int_equal(moves[move_count - 1].into, 1);
}

static void D3_a_look_up_that_grew_old_at_the_gate_is_made_anew(void **state)
{
    (void)state;
    gates_are_shut = true;
    submit(7, 1, OP_OPEN, SNOW);
    assert_false(desk_run(core, SETTLE_MS + 100));
    assert_int_equal(requests("GET"), 1);
    desk_create("snow.example", "0123456789abcdef0000000000000007", "", ""); /* by another owner */
    outbox_core_permit(core, moves[move_count - 1].gate);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(requests("GET"), 2);
    assert_int_equal(desk_count("snow.example", false), 1);
}

static void O4_what_waits_for_its_gate_takes_nothing_in(void **state)
{
    (void)state;
    gates_are_shut = true;
    submit(7, 1, OP_OPEN, SNOW);
    assert_false(desk_run(core, 1000));
    submit(7, 2, OP_UPDATE, SNOW);
    submit(7, 3, OP_RESOLVE, SNOW);
    assert_int_equal(counters(SNOW).superseded, 0);
    assert_int_equal(outbox_core_in_flight(core), 1);
    gates_are_shut = false;
    outbox_core_permit(core, moves[move_count - 1].gate);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(counters(SNOW).done, 3);
}

static void resume(enum op_state state, uint64_t incident, uint32_t number, enum op_kind kind,
                   uint16_t sink, const char *ref, uint64_t delay_ms)
{
    struct outbox_resumed left = {.op = fixture_op(incident, number, kind, sink), .state = state};
    uint64_t bytes;

    left.incident = left.op.incident->id;
    left.not_before_ms = fixture_wall_ms + (int64_t)delay_ms;
    snprintf(left.remote.ref, sizeof(left.remote.ref), "%s", ref);
    if (state == OP_DONE) {
        incident_unref(left.op.incident);
        left.op.incident = NULL;
    }
    assert_true(outbox_core_resume(core, &left, &bytes));
    assert_int_equal(bytes > 0, state != OP_DONE);
}

/* Killed before, or after, the creation was acted on; started again at once. */
static void O1_an_intent_found_at_start_is_acted_on_by_class(void **state)
{
    (void)state;
    for (uint16_t sink = PAGER; sink <= SNOW; sink++)
        for (unsigned was_taken = 0; was_taken < 2; was_taken++) {
            size_t creation = sink == SNOW ? 1 : 0; /* after the look-up */
            desk_reset();
            desk.lag_ns = 20 * UINT64_C(1000000000);
            desk.lie[creation] = was_taken ? LIE_LOST : LIE_LOST_BEFORE;
            outbox_core_destroy(core);
            begin_core();
            submit(7, 1, OP_OPEN, sink);
            outbox_core_run(core);
            if (sink == SNOW) {
                fixture_advance_ms(50);
                desk_answer_due();
                outbox_core_run(core);
            }
            assert_int_equal(desk.request_count, creation + 1);
            assert_int_equal(desk_count(hosts[sink], false), was_taken);
            crash();
            resume(OP_INTENT, 7, 1, OP_OPEN, sink, "", 0);
            submit(7, 2, OP_UPDATE, sink); /* O4: a byte of the open may have left */
            assert_int_equal(counters(sink).superseded, 0);
            submit(7, 3, OP_RESOLVE, sink);
            assert_true(desk_run(core, HOUR_MS));
            assert_int_equal(desk_count(hosts[sink], false), 1);
            assert_int_equal(desk_count(hosts[sink], true), 0);
            assert_int_equal(counters(sink).done, 3);
        }
}

static void O1_states_found_at_start_go_on_where_they_were(void **state)
{
    (void)state;
    /* A retry keeps its time. */
    resume(OP_RETRY, 1, 1, OP_OPEN, PAGER, "", 5000);
    assert_false(desk_run(core, 4999));
    assert_int_equal(desk.request_count, 0);
    assert_true(desk_run(core, 1000));
    assert_int_equal(desk_count("pager.example", true), 1);
    /* What was pending is sent, what was dead is kept for a person. */
    resume(OP_PENDING, 2, 1, OP_OPEN, PAGER, "", 0);
    resume(OP_DEAD, 3, 1, OP_OPEN, PAGER, "", 0);
    assert_true(desk_run(core, 1000));
    assert_int_equal(desk_count("pager.example", true), 2);
    assert_int_equal(counters(PAGER).dead_kept, 1);
    /* A ticket that was made is looked up, and not made again. */
    desk_create("snow.example", "0123456789abcdef0000000000000004", "", "");
    resume(OP_MADE, 4, 1, OP_OPEN, SNOW, desk.ticket[2].ref, 5000);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk_count("snow.example", false), 1);
    assert_int_equal(counters(SNOW).lookups, 1);
}

/* Both were given up and sent again by hand; of the second one that was not durable yet. */
static void O1_an_op_that_is_sent_again_is_not_given_up_with_the_next_one(void **state)
{
    (void)state;
    resume(OP_PENDING, 7, 1, OP_OPEN, PAGER, "", 0);
    resume(OP_DEAD, 7, 2, OP_RESOLVE, PAGER, "", 0);
    assert_int_equal(counters(PAGER).dead, 0);
    assert_true(desk_run(core, 1000));
    assert_int_equal(counters(PAGER).done, 2);
    assert_int_equal(desk_count("pager.example", false), 1);
    assert_int_equal(desk_count("pager.example", true), 0);
}

/* The resolve has looked for a ticket in vain, when the open that was given up is sent again. */
static void D1_a_resolve_finds_what_is_made_before_it_by_hand(void **state)
{
    const struct outbox_pick all = {.sink = -1};
    struct outbox_redriven redriven;

    (void)state;
    desk.refuse_create = 400;
    submit(7, 1, OP_OPEN, SNOW);
    submit(7, 2, OP_RESOLVE, SNOW);
    assert_false(desk_run(core, 1000));
    assert_int_equal(counters(SNOW).dead_kept, 1);
    desk.refuse_create = 0;
    desk.lag_ns = HOUR_MS * UINT64_C(1000000);
    outbox_core_redrive(core, &all, &redriven);
    assert_int_equal(redriven.redriven, 1);
    assert_true(desk_run(core, HOUR_MS / 2));
    assert_int_equal(desk_count("snow.example", false), 1);
    assert_int_equal(desk_count("snow.example", true), 0);
}

/* A wall clock that was ahead by a year when the op was put off. */
static void T6_a_clock_that_was_set_back_puts_nothing_off_for_long(void **state)
{
    (void)state;
    resume(OP_RETRY, 1, 1, OP_OPEN, PAGER, "", UINT64_C(365) * 86400000);
    assert_false(desk_run(core, HOUR_MS - 1));
    assert_int_equal(desk.request_count, 0);
    assert_true(desk_run(core, 1000));
    assert_int_equal(desk_count("pager.example", true), 1);
}

static void O8_what_is_done_at_start_lends_its_reference_and_is_not_sent_again(void **state)
{
    (void)state;
    desk_create("snow.example", "0123456789abcdef0000000000000007", "", "");
    resume(OP_DONE, 7, 1, OP_OPEN, SNOW, desk.ticket[0].ref, 0);
    assert_int_equal(counters(SNOW).refs, 1);
    assert_int_equal(counters(SNOW).ops, 0);
    resume(OP_PENDING, 7, 2, OP_RESOLVE, SNOW, "", 0);
    assert_true(desk_run(core, HOUR_MS));
    assert_int_equal(desk.request_count, 1);
    assert_string_equal(desk.log[0], "PATCH");
    assert_int_equal(desk_count("snow.example", true), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(D3_one_lie_at_any_request_leaves_one_ticket),
        TEST(D3_many_lies_in_a_row_leave_one_ticket),
        TEST(D3_random_lies_leave_one_ticket),
        TEST(D3_class_c_waits_the_settle_time_before_it_looks_up_what_is_in_doubt),
        TEST(O5_a_creation_in_doubt_waits_as_long_as_the_sink_asks),
        TEST(D3_class_c_alone_waits_the_settle_time_after_a_takeover),
        TEST(D3_a_second_ticket_of_another_owner_is_linked_closed_and_counted),
        TEST(D3_a_look_up_behind_by_more_than_the_settle_time_costs_a_duplicate),
        TEST(a_ticket_that_no_look_up_shows_is_kept_and_counted),
        TEST(D3_no_ticket_is_closed_when_others_fill_the_look_up),
        TEST(D3_twins_that_find_no_memory_are_looked_up_again),
        TEST(a_twin_that_cannot_be_closed_is_counted_and_holds_nothing_up),
        TEST(D3_class_b_looks_up_once_its_key_may_be_forgotten),
        TEST(what_is_assumed_of_a_former_life_is_not_told_as_known),
        TEST(a_ticket_is_changed_by_its_reference_without_another_look_up),
        TEST(references_are_bounded_and_what_is_forgotten_is_looked_up),
        TEST(an_update_makes_the_ticket_of_an_open_that_was_given_up),
        TEST(an_update_that_is_sent_again_looks_twice_before_it_makes_a_ticket),
        TEST(a_resolve_of_what_was_never_opened_makes_nothing),
        TEST(O4_updates_merge_until_the_creation_leaves),
        TEST(O6_a_refused_creation_is_dead_after_one_look_up),
        TEST(O6_a_creation_refused_because_there_is_a_ticket_is_done),
        TEST(O6_a_refused_change_of_a_ticket_that_a_person_closed),
        TEST(O6_a_refused_look_up_holds_the_sink_and_kills_nothing),
        TEST(a_ticket_that_is_made_is_looked_up_at_once_when_the_daemon_stops),
        TEST(O1_every_move_is_told_once_in_order),
        TEST(O1_an_intent_is_kept_before_the_first_byte_at_class_c_alone),
        TEST(O8_what_follows_an_open_at_class_a_waits_until_its_end_is_durable),
        TEST(O4_what_was_taken_in_is_told_with_what_tells_it_instead),
        TEST(D3_a_look_up_that_grew_old_at_the_gate_is_made_anew),
        TEST(O4_what_waits_for_its_gate_takes_nothing_in),
        TEST(O1_an_intent_found_at_start_is_acted_on_by_class),
        TEST(O1_states_found_at_start_go_on_where_they_were),
        TEST(O1_an_op_that_is_sent_again_is_not_given_up_with_the_next_one),
        TEST(D1_a_resolve_finds_what_is_made_before_it_by_hand),
        TEST(T6_a_clock_that_was_set_back_puts_nothing_off_for_long),
        TEST(O8_what_is_done_at_start_lends_its_reference_and_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
