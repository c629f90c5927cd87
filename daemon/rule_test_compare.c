/*
 * rule_test_compare.c - which incident meets which expectation, and what is left over.
 *
 * Expectations that can be met are met: a matching is searched in which as many as possible are,
 * so the order of `expect` does not matter. What is left is then put side by side where rule and
 * key are the same, nearest first, so that a wrong title shows as a wrong title and not as one
 * incident missing and one too many.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/rule_test_match.h"
#include "base/plural.h"
#include "daemon/units.h"
#include "rules/fields.h"

#define NONE UINT32_MAX
enum { SAID_BYTES = 512 };

/* What is known of an expectation and an incident. */
enum pair { PAIR_UNSEEN, PAIR_CAN, PAIR_CANNOT };
enum { PAIRS_KEPT = 64 << 20 };

struct comparison {
    const struct rule_test_file *file;
    const struct rule_test *test;
    const struct rule_test_run *run;
    struct rule_test_result *result;
    uint32_t *incident_of; /* of each expectation; NONE: not met */
    uint32_t *meets;       /* of each incident; NONE: nothing describes it */
    bool *visited;         /* of each incident, in one search */
    uint8_t *pair;         /* enum pair, by expectation and incident */
    uint64_t pair_count;   /* the first so many are kept */
};

const char *rule_test_finding_name(enum rule_test_finding_kind kind)
{
    static const char *const names[] = {"differs", "missing", "extra", "forbidden", "count"};

    return names[kind];
}

/* How many rows are not met, counted up to `enough`. */
static uint32_t unmet_rows(const struct comparison *cmp, uint32_t expectation, uint32_t incident,
                           uint32_t enough)
{
    struct rule_test_rows rows = {.enough = enough};

    rule_test_match(cmp->file, cmp->test, &cmp->test->expect[expectation],
                    &cmp->run->incident[incident], &rows);
    return rows.unmet;
}

/* ---- who meets whom ---- */

/* Looks at a pair once, and keeps what it saw while there is room. */
static bool can_meet(const struct comparison *cmp, uint32_t expectation, uint32_t incident)
{
    uint64_t pair = (uint64_t)expectation * cmp->run->incident_count + incident;
    uint8_t *seen = pair < cmp->pair_count ? &cmp->pair[pair] : NULL;
    bool can;

    if (seen != NULL && *seen != PAIR_UNSEEN)
        return *seen == PAIR_CAN;
    can = rule_test_match_is_same(&cmp->test->expect[expectation], &cmp->run->incident[incident]) &&
          unmet_rows(cmp, expectation, incident, 1) == 0;
    if (seen != NULL)
        *seen = can ? PAIR_CAN : PAIR_CANNOT;
    return can;
}

static void meet(struct comparison *cmp, uint32_t expectation, uint32_t incident)
{
    cmp->meets[incident] = expectation;
    cmp->incident_of[expectation] = incident;
}

/* The n-th incident to look at: people write what they expect in the order in which it comes, so
 * the search begins where the last one ended. */
static uint32_t nth_from(const struct comparison *cmp, uint32_t begin, uint32_t n)
{
    uint64_t place = (uint64_t)begin + n;

    return (uint32_t)(place < cmp->run->incident_count ? place : place - cmp->run->incident_count);
}

/* One augmenting path from an expectation (Kuhn's algorithm): a free incident, else one whose
 * expectation can go elsewhere. */
static bool assign(struct comparison *cmp, uint32_t expectation)
{
    for (uint32_t i = 0; i < cmp->run->incident_count; i++) {
        if (cmp->visited[i] || !can_meet(cmp, expectation, i))
            continue;
        cmp->visited[i] = true;
        if (cmp->meets[i] == NONE || assign(cmp, cmp->meets[i])) {
            meet(cmp, expectation, i);
            return true;
        }
    }
    return false;
}

/* Each expectation gets the first incident that is free and meets it; only the few that find none
 * need a search. What a search in vain has visited leads nowhere in the next one either, until one
 * succeeds. */
static void assign_all(struct comparison *cmp)
{
    uint32_t begin = 0, count = cmp->run->incident_count;
    bool is_stale = true;

    for (uint32_t e = 0; e < cmp->test->expect_count; e++) {
        cmp->incident_of[e] = NONE;
        for (uint32_t n = 0; n < count && cmp->incident_of[e] == NONE; n++) {
            uint32_t i = nth_from(cmp, begin, n);
            if (cmp->meets[i] == NONE && can_meet(cmp, e, i)) {
                meet(cmp, e, i);
                begin = i + 1 < count ? i + 1 : 0;
            }
        }
    }
    for (uint32_t e = 0; e < cmp->test->expect_count; e++) {
        if (cmp->incident_of[e] != NONE)
            continue;
        if (is_stale)
            memset(cmp->visited, 0, count * sizeof(*cmp->visited));
        is_stale = assign(cmp, e);
    }
}

/* The free incident of the same rule and key that differs least; NONE when there is none. */
static uint32_t nearest_incident(const struct comparison *cmp, uint32_t expectation, uint32_t begin)
{
    uint32_t best = NONE, least = UINT32_MAX;

    for (uint32_t n = 0; n < cmp->run->incident_count && least > 1; n++) {
        uint32_t i = nth_from(cmp, begin, n);
        if (cmp->meets[i] != NONE ||
            !rule_test_match_is_same(&cmp->test->expect[expectation], &cmp->run->incident[i]))
            continue;
        uint32_t unmet = unmet_rows(cmp, expectation, i, least);
        if (unmet < least) {
            least = unmet;
            best = i;
        }
    }
    return best;
}

/* ---- findings ---- */

static struct rule_test_finding *add_finding(struct comparison *cmp,
                                             enum rule_test_finding_kind kind, struct span place)
{
    struct rule_test_result *result = cmp->result;
    struct rule_test_finding *larger;

    if (result->finding_count == result->finding_room) {
        uint32_t room = result->finding_room == 0 ? 8 : 2 * result->finding_room;
        larger = arena_alloc_many(result->arena, room, sizeof(*larger));
        if (larger == NULL) {
            result->out_of_memory = true;
            return NULL;
        }
        if (result->finding_count > 0)
            memcpy(larger, result->finding, result->finding_count * sizeof(*larger));
        result->finding = larger;
        result->finding_room = room;
    }
    result->finding[result->finding_count] =
        (struct rule_test_finding){.kind = kind, .place = place, .said = ""};
    return &result->finding[result->finding_count++];
}

static void say(struct comparison *cmp, struct rule_test_finding *finding, const char *text)
{
    finding->said = arena_copy(cmp->result->arena, text, strlen(text));
    if (finding->said == NULL) {
        finding->said = "";
        cmp->result->out_of_memory = true;
    }
}

static void add_differs(struct comparison *cmp, uint32_t expectation, uint32_t incident)
{
    const struct rule_test_expectation *expected = &cmp->test->expect[expectation];
    struct rule_test_finding *finding = add_finding(cmp, FINDING_DIFFERS, expected->node->span);
    struct rule_test_rows rows = {.arena = cmp->result->arena};

    if (finding == NULL)
        return;
    rule_test_match(cmp->file, cmp->test, expected, &cmp->run->incident[incident], &rows);
    finding->expectation = expected;
    finding->incident = &cmp->run->incident[incident];
    finding->row = rows.row;
    finding->row_count = rows.count;
    cmp->result->out_of_memory |= rows.out_of_memory;
}

static bool is_of_flapping(const struct rule_test_run *run, const char *rule_id)
{
    for (uint32_t i = 0; i < rule_set_count(run->set); i++) {
        const struct rule *rule = rule_set_rule(run->set, i);
        if (strcmp(rule->id, rule_id) == 0)
            return rule->input == RULE_INPUT_FLAPPING;
    }
    return false;
}

/* A rule of alerts that flap is told of no other: its `where` may hold for each of them. */
static void put_unflapped(const struct comparison *cmp, const char *rule_id, char *to, size_t bytes)
{
    const struct rule_test_settings *settings = &cmp->test->settings;
    const struct engine_counters *sums = &cmp->run->counters;
    uint64_t changes = sums->alerts_opened + sums->alerts_refired + sums->alerts_cleared;
    char window[UNIT_TEXT_BYTES];

    if (sums->flap_begun > 0)
        snprintf(to, bytes,
                 "rule %s is told of alerts that flap: %" PRIu64
                 " of them began to, and its `where` was true of none",
                 rule_id, sums->flap_begun);
    else
        snprintf(to, bytes,
                 "rule %s is told of alerts that flap, and none did: the test has %" PRIu64
                 " change%s between problem and clear, and an alert flaps at %" PRId64
                 " within %s (settings.flap)",
                 rule_id, changes, plural(changes), settings->flap_start,
                 unit_format_duration(settings->flap_window_ms, window));
}

/* How near the rule came: what the engine counted of it. */
static void say_missing(struct comparison *cmp, struct rule_test_finding *finding,
                        const struct yaml_node *rule)
{
    char text[SAID_BYTES];

    for (size_t i = 0; rule != NULL && i < cmp->run->rule_count; i++) {
        const struct engine_rule_counters *counters = &cmp->run->rules[i];
        if (!text_equals(rule->text, counters->rule_id))
            continue;
        if (counters->touches == 0 && is_of_flapping(cmp->run, counters->rule_id))
            put_unflapped(cmp, counters->rule_id, text, sizeof(text));
        else if (counters->touches == 0)
            snprintf(text, sizeof(text), "no event reached rule %s: its `where` was never true",
                     counters->rule_id);
        else
            snprintf(text, sizeof(text),
                     "rule %s was reached by %" PRIu64 " alert%s or event%s, and opened %" PRIu64
                     " incident%s; at the end it watched %" PRIu64 " key%s",
                     counters->rule_id, counters->touches, plural(counters->touches),
                     plural(counters->touches), counters->opened, plural(counters->opened),
                     counters->keys, plural(counters->keys));
        say(cmp, finding, text);
        return;
    }
}

static void add_missing(struct comparison *cmp, uint32_t expectation)
{
    const struct rule_test_expectation *expected = &cmp->test->expect[expectation];
    struct rule_test_finding *finding = add_finding(cmp, FINDING_MISSING, expected->node->span);

    if (finding == NULL)
        return;
    finding->expectation = expected;
    say_missing(cmp, finding, expected->rule);
}

static void add_extra(struct comparison *cmp, uint32_t incident)
{
    struct rule_test_finding *finding = add_finding(cmp, FINDING_EXTRA, cmp->test->node->span);

    if (finding != NULL)
        finding->incident = &cmp->run->incident[incident];
}

static void compare_expected(struct comparison *cmp)
{
    const struct rule_test *test = cmp->test;

    uint32_t begin = 0;

    assign_all(cmp);
    for (uint32_t e = 0; e < test->expect_count; e++) {
        uint32_t near = cmp->incident_of[e] == NONE ? nearest_incident(cmp, e, begin) : NONE;
        if (near != NONE) {
            begin = near + 1 < cmp->run->incident_count ? near + 1 : 0;
            cmp->incident_of[e] = near;
            cmp->meets[near] = e;
            add_differs(cmp, e, near);
        } else if (cmp->incident_of[e] == NONE) {
            add_missing(cmp, e);
        }
    }
    for (uint32_t i = 0; i < cmp->run->incident_count && test->has_expect; i++)
        if (cmp->meets[i] == NONE && !test->others_allowed)
            add_extra(cmp, i);
}

static void compare_forbidden(struct comparison *cmp)
{
    for (uint32_t e = 0; e < cmp->test->expect_not_count; e++) {
        const struct rule_test_expectation *expected = &cmp->test->expect_not[e];
        for (uint32_t i = 0; i < cmp->run->incident_count; i++) {
            struct rule_test_rows rows = {.enough = 1};
            struct rule_test_finding *finding;
            rule_test_match(cmp->file, cmp->test, expected, &cmp->run->incident[i], &rows);
            if (rows.unmet > 0)
                continue;
            finding = add_finding(cmp, FINDING_FORBIDDEN, expected->node->span);
            if (finding == NULL)
                return;
            finding->expectation = expected;
            finding->incident = &cmp->run->incident[i];
        }
    }
}

/* ---- counts ---- */

/* A sum that `counts` may name: one counter, or two that belong together. */
static const struct sum {
    const char *name;
    size_t offset, second; /* in struct engine_counters; second 0: none */
} sums[] = {
#define SUM(name, counter)                                                                         \
    {                                                                                              \
        name, offsetof(struct engine_counters, counter), 0                                         \
    }
    SUM("events", events),
    SUM("records", records),
    SUM("derived", derived),
    {"rejected", SIZE_MAX, 0}, /* of all reasons */
    SUM("duplicate", duplicate),
    SUM("unmatched", unmatched),
    SUM("routed", routed),
    SUM("dropped", dropped),
    SUM("enrich_errors", enrich_errors),
    {"late", offsetof(struct engine_counters, late),
     offsetof(struct engine_counters, late_by_seal)},
    SUM("clamped", time_clamped),
    SUM("touches", touches),
    SUM("expired", expired),
    SUM("evicted", evicted),
    SUM("opened", opened),
    SUM("updates", updates),
    SUM("closed", closed),
    SUM("open", open),
    SUM("alerts", alerts),
    SUM("flap_begun", flap_begun),
    SUM("flap_folded", flap_folded),
#undef SUM
};

_Static_assert(sizeof(sums) / sizeof(sums[0]) <= RULE_TEST_SUMS_MAX, "the reader has room");

size_t rule_test_sum_names(const char *names[RULE_TEST_SUMS_MAX])
{
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
        names[i] = sums[i].name;
    return sizeof(sums) / sizeof(sums[0]);
}

static uint64_t rejected(const struct engine_counters *counters)
{
    uint64_t sum = 0;

    for (int i = 0; i < REJECT_REASON_COUNT; i++)
        sum += counters->rejected[i];
    return sum;
}

static uint64_t counter_at(const struct engine_counters *counters, size_t offset)
{
    uint64_t counter;

    memcpy(&counter, (const char *)counters + offset, sizeof(counter));
    return counter;
}

static uint64_t count_of(const struct engine_counters *counters, struct text name)
{
    const struct sum *sum = sums;

    while (!text_equals(name, sum->name)) /* the reader knows no others */
        sum++;
    if (sum->offset == SIZE_MAX)
        return rejected(counters);
    return counter_at(counters, sum->offset) +
           (sum->second > 0 ? counter_at(counters, sum->second) : 0);
}

static void compare_counts(struct comparison *cmp)
{
    const struct yaml_node *counts = cmp->test->counts;
    bool names_rejected = false;

    for (const struct yaml_node *at = counts != NULL ? counts->first : NULL; at != NULL;
         at = at->next) {
        uint64_t got = count_of(&cmp->run->counters, at->key->text);
        struct error err;
        struct rule_test_finding *finding;
        char text[SAID_BYTES];
        int64_t wanted = 0;

        names_rejected |= text_equals(at->key->text, "rejected");
        unit_parse_count(at->text.at, &wanted, &err);
        if ((uint64_t)wanted == got)
            continue;
        finding = add_finding(cmp, FINDING_COUNT, at->span);
        if (finding == NULL)
            return;
        snprintf(text, sizeof(text), "%s: expected %s, got %" PRIu64, at->key->text.at, at->text.at,
                 got);
        say(cmp, finding, text);
    }
    /* An event that was never read would make silence look like a pass. */
    if (!names_rejected && cmp->run->refused[0] != '\0') {
        const struct rule_test_event *event = cmp->run->refused_event;
        struct rule_test_finding *finding = add_finding(
            cmp, FINDING_COUNT, event != NULL ? event->node->span : cmp->test->node->span);
        char text[SAID_BYTES];
        if (finding == NULL)
            return;
        snprintf(text, sizeof(text),
                 "%" PRIu64 " record%s refused, the first with: %s; if that is meant, say so "
                 "under `counts` with `rejected`",
                 rejected(&cmp->run->counters),
                 rejected(&cmp->run->counters) == 1 ? " was" : "s were", cmp->run->refused);
        say(cmp, finding, text);
    }
}

void rule_test_compare(const struct rule_test_file *file, const struct rule_test *test,
                       const struct rule_test_run *run, struct rule_test_result *result)
{
    struct comparison cmp = {.file = file, .test = test, .run = run, .result = result};

    *result = (struct rule_test_result){.arena = arena_create((size_t)1 << 30)};
    if (result->arena == NULL) {
        result->out_of_memory = true;
        return;
    }
    cmp.incident_of =
        arena_alloc_many(result->arena, test->expect_count + 1, sizeof(*cmp.incident_of));
    cmp.meets = arena_alloc_many(result->arena, run->incident_count + 1, sizeof(*cmp.meets));
    cmp.visited = arena_alloc_many(result->arena, run->incident_count + 1, sizeof(*cmp.visited));
    if (cmp.incident_of == NULL || cmp.meets == NULL || cmp.visited == NULL) {
        result->out_of_memory = true;
        return;
    }
    for (uint32_t i = 0; i < run->incident_count; i++)
        cmp.meets[i] = NONE;
    cmp.pair_count = (uint64_t)test->expect_count * run->incident_count;
    if (cmp.pair_count > PAIRS_KEPT)
        cmp.pair_count = PAIRS_KEPT;
    cmp.pair = calloc(cmp.pair_count + 1, 1); /* NULL is slow, and right */
    cmp.pair_count = cmp.pair != NULL ? cmp.pair_count : 0;
    compare_expected(&cmp);
    free(cmp.pair);
    compare_forbidden(&cmp);
    compare_counts(&cmp);
}

void rule_test_result_release(struct rule_test_result *result)
{
    arena_destroy(result->arena);
    *result = (struct rule_test_result){0};
}
