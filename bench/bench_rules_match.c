/*
 * bench_rules_match.c - what it costs to find the rules of an event.
 *
 * Unit: one rule_set_match() call. Workload: sets of 1, 10, 100, 1000 and 10000 rules as
 * people write them (a check or a prefix, a severity, every fifth one by a label),
 * 4096 different events over 64 checks, in random order; so with 10 rules few
 * events match and with 10000 rules each matches about 120. The clock runs around
 * whole passes; the best and the median of 15 passes are given. Answer check:
 * the number of matches equals that of evaluating the same conditions in plain C.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/text.h"
#include "bench/result.h"
#include "rules/rule_set.h"

enum { EVENTS = 4096, CHECKS = 64, RACKS = 100, PASSES = 15, TEXT_BYTES = 512, RULES = 10000 };

static uint64_t random_state = 7;

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % n);
}

/* Rule r: every fifth by rack, every seventh by prefix of ten checks, else by check. */
struct plan {
    uint32_t check, rack;
    bool by_prefix, by_rack;
    uint8_t severity;
};

struct one {
    struct event_view view;
    uint32_t check, rack;
    _Alignas(8) char text[TEXT_BYTES];
};

static struct plan plans[RULES];
static struct one events[EVENTS];

static void events_make(void)
{
    for (int i = 0; i < EVENTS; i++) {
        struct one *one = &events[i];
        char check[32], resource[32], rack[32];
        one->check = below(CHECKS);
        one->rack = below(RACKS);
        snprintf(check, sizeof(check), "check-%02u.used", one->check);
        snprintf(resource, sizeof(resource), "host%04u/sda", below(2000));
        snprintf(rack, sizeof(rack), "rack-%u", one->rack);
        struct event_label labels[] = {{text_of("rack"), text_of(rack)},
                                       {text_of("site"), text_of("fra1")},
                                       {text_of("service"), text_of("checkout")}};
        struct event_draft draft = {
            .field = {text_of("acme"), text_of("node"), text_of(resource), text_of(check),
                      text_of(""), text_of("something is not as it should be: 93 %")},
            .labels = labels,
            .label_count = 3,
        };
        one->view = (struct event_view){
            .text = event_text_pack(one->text, event_text_bytes(&draft), &draft, 1000),
            .severity = (uint8_t)below(SEVERITY_COUNT),
            .et_ms = 1000};
    }
}

static size_t rule_write(char *to, uint32_t r)
{
    static const char *const names[] = {"INFO", "WARNING", "MINOR", "MAJOR", "CRITICAL"};
    struct plan *plan = &plans[r];
    char where[200];
    size_t used;

    *plan = (struct plan){.check = below(CHECKS),
                          .rack = below(RACKS),
                          .by_rack = r % 5 == 4,
                          .by_prefix = r % 7 == 6,
                          .severity = (uint8_t)(SEVERITY_INFO + below(5))};
    if (plan->by_prefix)
        used = (size_t)sprintf(where, "check.startsWith(\"check-%u\")", plan->check / 10);
    else
        used = (size_t)sprintf(where, "check == \"check-%02u.used\"", plan->check);
    used +=
        (size_t)sprintf(where + used, " && severity >= %s", names[plan->severity - SEVERITY_INFO]);
    if (plan->by_rack)
        sprintf(where + used, " && labels.rack == \"rack-%u\"", plan->rack);
    return (size_t)sprintf(to,
                           "- {id: r%05u, where: '%s', by: [host], window: 5m, "
                           "when: count() >= 3, incident: {title: t}, close: cleared()}\n",
                           r, where);
}

static bool plan_matches(const struct plan *plan, const struct one *one)
{
    return (plan->by_prefix ? plan->check / 10 == one->check / 10 : plan->check == one->check) &&
           one->view.severity >= plan->severity && (!plan->by_rack || plan->rack == one->rack);
}

static int run(uint32_t rules)
{
    static uint32_t out[RULES];
    char *text = malloc((size_t)rules * 400 + 100), *at = text;
    struct rule_set *set = NULL;
    struct error err;
    uint64_t expected = 0, found = 0;
    double ns[PASSES];

    random_state = 99;
    at += sprintf(at, "rules:\n");
    for (uint32_t r = 0; r < rules; r++)
        at += rule_write(at, r);
    uint64_t start = host_mono_ns();
    if (rule_set_parse("bench", text, (size_t)(at - text), &set, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double load_ms = (double)(host_mono_ns() - start) / 1e6;
    for (int e = 0; e < EVENTS; e++)
        for (uint32_t r = 0; r < rules; r++)
            expected += plan_matches(&plans[r], &events[e]);
    for (int pass = 0; pass < PASSES; pass++) {
        found = 0;
        start = host_mono_ns();
        for (int e = 0; e < EVENTS; e++)
            found += rule_set_match(set, &events[e].view, out, RULES);
        ns[pass] = (double)(host_mono_ns() - start) / EVENTS;
    }
    char id[24], what[64];
    snprintf(id, sizeof(id), "match.%u", rules);
    snprintf(what, sizeof(what), "%u rules, %.2f matches an event", rules, (double)found / EVENTS);
    result_figure(id, what, "ns/event", ns, PASSES);
    snprintf(id, sizeof(id), "load.%u", rules);
    snprintf(what, sizeof(what), "%u rules read", rules);
    result_one(id, what, "ms", load_ms);
    rule_set_destroy(set);
    free(text);
    return found == expected ? 0 : 1;
}

int main(void)
{
    static const uint32_t sizes[] = {1, 10, 100, 1000, 10000};
    int rc = 0;

    result_begin("rules_match", "%d events over %d checks, one thread", EVENTS, CHECKS);
    events_make();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        rc |= run(sizes[i]);
    return result_answer(rc == 0, "as many matches as the same conditions in plain C");
}
