/*
 * Aim: somebody who asks why is told of each decision once, as it was counted, and asking changes
 * nothing. Method: random recordings on the bench, run without and with a tracer; its sums must
 * be those of the ledger, and what it heard of openings those of the listener.
 */
#include "correlate/trace.h"
#include "tests/engine_bench.h"

/* The last of them makes every event be matched anew: without it, repeats go the straight line. */
#define RULES_STEADY                                                                               \
    "rules:\n"                                                                                     \
    "- id: many\n  where: severity >= WARNING\n  by: [host]\n  window: 2s\n"                       \
    "  when: count() >= 3 && distinct(check) >= 2\n  max_members: 4\n  max_keys: 3\n"              \
    "  incident: {title: many}\n  close: quiet(1s) || cleared()\n"                                 \
    "- id: each\n  on: events\n  where: check == \"c1\"\n  by: [resource]\n  window: 1s\n"         \
    "  when: count() >= 2\n  incident: {title: each}\n  close: cleared()\n"

static const char steady[] = RULES_STEADY;
static const char restless[] = RULES_STEADY
    "- id: words\n  where: value > 5.0\n  by: [check]\n  window: 1s\n  when: count() >= 1\n"
    "  incident: {title: words}\n  close: quiet(500ms)\n";

struct sums {
    uint64_t received, routed, duplicate, unmatched, folded, touched, opened, closed, updated;
    uint64_t members, lost, begun, expired;
    uint64_t wrong; /* asserted later: these run on the engine's thread */
    uint64_t fates[TRACE_CLOSED + 1];
};

static void on_received(void *self, const struct trace_receipt *receipt)
{
    struct sums *sums = self;

    sums->wrong += receipt->topic == NULL || receipt->event->et_ms < receipt->trusted_ms;
    sums->received++;
}

static void on_decided(void *self, const struct trace_decision *decision)
{
    struct sums *sums = self;

    sums->routed += decision->counted == TRACE_ROUTED;
    sums->duplicate += decision->counted == TRACE_DUPLICATE;
    sums->unmatched += decision->counted == TRACE_UNMATCHED;
    sums->begun += decision->flap_begun;
    sums->folded += decision->flapping && decision->counted == TRACE_DUPLICATE &&
                    decision->outcome != TRACE_REPEATED &&
                    decision->outcome != TRACE_CLEAR_OF_CLOSED;
}

static void on_ended(void *self, const struct trace_alert *alert)
{
    ((struct sums *)self)->expired += alert->what == TRACE_EXPIRED && alert->open;
}

static void on_touched(void *self, const struct trace_touch *touch)
{
    struct sums *sums = self;

    sums->touched++;
    sums->fates[touch->fate]++;
    sums->wrong += (touch->topic != NULL) != (touch->touch->order.class == ORDER_EVENT);
    if (touch->fate == TRACE_WATCHED && touch->touch->kind <= TOUCH_REPEAT)
        sums->wrong += touch->key == NULL || touch->state[0] == '\0';
}

static void on_member(void *self, const struct trace_member *member)
{
    (void)member;
    ((struct sums *)self)->members++;
}

static void on_changed(void *self, const struct trace_change *change)
{
    struct sums *sums = self;

    sums->opened += change->incident->change == INCIDENT_OPENED;
    sums->closed += change->incident->change == INCIDENT_CLOSED;
    sums->updated += change->incident->change == INCIDENT_UPDATED;
    if (change->incident->change == INCIDENT_OPENED) {
        sums->wrong += sums->members != change->incident->event_count;
        sums->members = 0;
    }
}

static void on_lost(void *self, const struct trace_key *key)
{
    (void)key;
    ((struct sums *)self)->lost++;
}

static void put_random(struct bench *bench, unsigned seed)
{
    struct bench_feed *feed[2] = {bench_feed(bench, "t", 0), bench_feed(bench, "t", 1)};

    for (int64_t i = 0, at = 0; i < 1500; i++) {
        char resource[32], check[8], rest[96];
        at += rand_r(&seed) % 40 == 0 ? 3000 : rand_r(&seed) % 30;
        snprintf(resource, sizeof(resource), "h%d/r%d", rand_r(&seed) % 5, rand_r(&seed) % 2);
        snprintf(check, sizeof(check), "c%d", rand_r(&seed) % 4);
        if (rand_r(&seed) % 3 == 0)
            snprintf(rest, sizeof(rest), BENCH_CLEAR);
        else
            snprintf(rest, sizeof(rest), ",\"severity\":\"%s\",\"value\":%d",
                     rand_r(&seed) % 3 ? "critical" : "info", rand_r(&seed) % 8);
        bench_put(feed[rand_r(&seed) % 2], at, resource, check, rest);
    }
}

static void asking_changes_nothing_and_hears_all(void **state)
{
    (void)state;
    struct sums all = {0};

    for (unsigned seed = 1; seed <= 12; seed++) {
        struct bench *bench = bench_create(seed % 3 == 0 ? steady : restless);
        struct sums sums = {0};
        const struct engine_trace trace = {.self = &sums,
                                           .received = on_received,
                                           .decided = on_decided,
                                           .ended = on_ended,
                                           .touched = on_touched,
                                           .member = on_member,
                                           .changed = on_changed,
                                           .lost = on_lost};

        bench->config.workers = 2;
        bench->config.expire_ms = 1500;
        bench->config.flap_start = 4;
        bench->config.flap_stop = 1;
        bench->config.flap_window_ms = 800;
        bench->config.alerts_max = seed % 2 ? 12 : 1000;
        put_random(bench, seed);
        bench_run(bench);
        char *plain = strdup(bench->log.at);
        struct engine_counters counters = bench->counters;
        bench_rewind(bench, true);
        bench->trace = &trace;
        bench_run(bench);
        assert_string_equal(bench->log.at, plain);
        free(plain);
        assert_int_equal(sums.wrong, 0);
        assert_int_equal(sums.received, counters.events);
        assert_int_equal(sums.routed, counters.routed);
        assert_int_equal(sums.duplicate, counters.duplicate);
        assert_int_equal(sums.unmatched, counters.unmatched);
        assert_int_equal(sums.folded, counters.flap_folded);
        assert_int_equal(sums.begun, counters.flap_begun);
        assert_int_equal(sums.expired, counters.alerts_expired);
        assert_int_equal(sums.touched, counters.touches);
        assert_int_equal(sums.opened, counters.opened);
        assert_int_equal(sums.closed, counters.closed);
        assert_int_equal(sums.updated, counters.updates);
        assert_int_equal(sums.lost, counters.keys_evicted);
        assert_true(sums.fates[TRACE_OPENED] <= sums.opened); /* others by timers */
        for (int f = 0; f <= TRACE_CLOSED; f++)
            all.fates[f] += sums.fates[f];
        all.folded += sums.folded;
        all.lost += sums.lost;
        bench_destroy(bench);
    }
    /* The recordings have seen it all. */
    for (int f = 0; f <= TRACE_CLOSED; f++)
        if (all.fates[f] == 0)
            fail_msg("no touch had fate %d", f);
    assert_true(all.folded > 0);
    assert_true(all.lost > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_changes_nothing_and_hears_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
