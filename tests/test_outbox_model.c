/*
 * Aim: order, sums and O8 hold together, whatever sinks answer. Method: random ops and
 * answers on virtual time (outbox_world.h), with a model of what each incident's sink
 * has seen; the seed is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include "outbox_world.h"

enum { INCIDENTS = 60, STEPS = 30000 };

struct model {
    uint32_t submitted; /* op number */
    uint32_t done;      /* highest number that was answered 2xx */
    int in_flight;      /* index of the request, -1 for none */
    bool is_resolved;
};

/* Looks at requests that were not looked at before. */
static void check_new_requests(struct model *models, size_t *seen)
{
    for (; *seen < fixture_sent_count; (*seen)++) {
        struct model *model = &models[incident_of(*seen)];
        assert_int_equal(model->in_flight, -1);                  /* O2 */
        assert_true(sent_number(*seen, "number") > model->done); /* O2, O8 */
        if (model->done > 0)
            assert_false(sent_has(*seen, "\"kind\":\"open\"")); /* O8 */
        model->in_flight = (int)*seen;
    }
}

static void answer_at_random(struct model *model)
{
    size_t index = (size_t)model->in_flight;
    uint32_t number = (uint32_t)sent_number(index, "number");

    model->in_flight = -1;
    switch (fixture_next_random() % 8) {
    case 0:
        fixture_fail(index, TRANSPORT_AFTER_FIRST_BYTE);
        break;
    case 1:
        fixture_fail(index, TRANSPORT_CONNECT);
        break;
    case 2:
        fixture_answer(index, 503, "", "");
        break;
    case 3:
        fixture_answer(index, 429, "", "3");
        break;
    case 5:
        fixture_answer(index, fixture_next_random() % 4 == 0 ? 404 : 502, "", "");
        break;
    case 4:
        fixture_answer(index, fixture_next_random() % 50 == 0 ? 401 : 500, "", "");
        break;
    default:
        fixture_answer(index, 200, "", "");
        model->done = number;
    }
}

static void submit_at_random(struct model *model, uint64_t incident)
{
    enum op_kind kind = model->submitted == 0 ? OP_OPEN : OP_UPDATE;

    if (model->is_resolved)
        return;
    if (model->submitted > 0 && fixture_next_random() % 6 == 0) {
        kind = OP_RESOLVE;
        model->is_resolved = true;
    }
    submit(incident, ++model->submitted, kind, 0);
}

static void O8_an_open_is_never_sent_again_once_a_later_op_is_done(void **state)
{
    static struct model models[INCIDENTS];
    size_t seen = 0;
    uint64_t ops = 0;
    const struct outbox_pick everything = {.sink = -1};
    struct outbox_redriven redriven;
    struct sink_counters c;

    (void)state;
    fixture_seed = 20260201;
    printf("seed %llu\n", (unsigned long long)fixture_seed);
    begin_world(NULL, 0);
    for (size_t i = 0; i < INCIDENTS; i++)
        models[i] = (struct model){.in_flight = -1};
    for (unsigned step = 0; step < STEPS; step++) {
        uint64_t i = fixture_next_random() % INCIDENTS;
        if (fixture_next_random() % 20 == 0)
            submit_at_random(&models[i], i);
        else if (models[i].in_flight >= 0)
            answer_at_random(&models[i]);
        if (fixture_next_random() % 1000 == 0)
            outbox_core_redrive(core, &everything, &redriven);
        fixture_advance_ms(fixture_next_random() % 2000);
        outbox_core_run(core);
        check_new_requests(models, &seen);
        counters(0);
    }
    for (size_t i = 0; i < INCIDENTS; i++) {
        while (!models[i].is_resolved)
            submit_at_random(&models[i], i);
        ops += models[i].submitted;
    }
    while (outbox_core_waiting(core) > 0 || counters(0).dead_kept > 0) {
        outbox_core_redrive(core, &everything, &redriven);
        for (size_t i = 0; i < INCIDENTS; i++)
            if (models[i].in_flight >= 0)
                answer_at_random(&models[i]);
        run_next(400000);
        check_new_requests(models, &seen);
    }
    for (size_t i = 0; i < INCIDENTS; i++)
        assert_int_equal(models[i].done, models[i].submitted); /* each resolve was taken */
    c = counters(0);
    assert_int_equal(c.done + c.superseded + c.overtaken, ops);
    assert_int_equal(c.forgotten, 0);
    printf("redriven %llu, overtaken %llu\n", (unsigned long long)c.redriven,
           (unsigned long long)c.overtaken);
    assert_true(c.redriven >= 10); /* else the run shows nothing about them */
    assert_true(c.overtaken >= 3);
    assert_int_equal(finished_ops, ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(O8_an_open_is_never_sent_again_once_a_later_op_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
