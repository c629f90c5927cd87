/*
 * why_bench.h - what tests of why and whynot share: a recording, a question, the answer.
 *
 *   static const struct put story[] = {{0, "h/a", "disk", ""}, {0, NULL, NULL, NULL}};
 *   struct bench *bench = bench_of(rules, story);
 *   struct why *why = answer(bench, &question);      the engine runs as often as it needs
 *
 * Questions whose answers are told by their verdicts are rows, run by
 * each_question_has_its_verdict; of what a person reads as a whole, story_of_first() and story_of()
 * give the text. struct told has what the engine itself told, to compare with.
 */
#ifndef TESTS_WHY_BENCH_H
#define TESTS_WHY_BENCH_H

#include "correlate/trace.h"
#include "daemon/why.h"
#include "tests/engine_bench.h"

/* BENCH_T0 as the answers write it, in seconds and milliseconds. */
#define T "2001-09-09T01:46:"

struct put {
    int64_t at_ms;
    const char *resource, *check, *more;
};

struct row {
    const char *name, *rules;
    const struct put *puts;
    const char *asked, *rule;
    int64_t at_ms; /* 0: all counts */
    bool is_found;
    const char *verdict; /* # stands for an incident's id */
};
#define VALUE(v) ",\"value\":" v
#define MAJOR ",\"severity\":\"major\""
#define RACK(r) MAJOR ",\"labels\":{\"rack\":\"" r "\"}"

/* Rules of most rows, and of the random recordings. */
static const char why_rules[] =
    "rules:\n"
    "- id: full\n  where: check == \"disk\" && value > 90.0\n"
    "  by: [host]\n  window: 10s\n"
    "  when: count() >= 3 && distinct(resource) >= 2\n"
    "  incident: {title: full}\n  close: cleared() || quiet(5s)\n"
    "- id: fans\n  where: severity >= MAJOR && check == \"fan\"\n"
    "  by: [labels.rack]\n  window: 2s\n  when: count() >= 2\n"
    "  max_keys: 1\n"
    "  incident: {title: fans}\n  close: quiet(1s)\n"
    "- id: probes\n  where: check == \"probe\" && severity >= MAJOR\n"
    "  by: [host]\n  window: 1s\n  when: count() >= 1\n"
    "  incident: {title: probes}\n  close: fewer(1, 10s)\n"
    "silences:\n- id: work\n  where: host == \"q\"\n"
    "  from: 2001-09-09T01:46:40Z\n  to: 2001-09-09T01:46:48Z\n"
    "- id: forever\n  where: host == \"s\"\n  to: 2002-01-01T00:00:00Z\n";

/* --- recordings and answers ---------------------------------------------------------------------
 */

static inline struct bench *bench_of(const char *text, const struct put *puts)
{
    struct bench *bench = bench_create(text);
    struct bench_feed *feed = bench_feed(bench, "t", 0);

    bench->config.expire_ms = 20000;
    bench->config.flap_start = 4;
    bench->config.flap_stop = 1;
    bench->config.flap_window_ms = 4000;
    for (; puts->more != NULL; puts++) {
        if (puts->resource == NULL)
            bench_put_text(feed, puts->at_ms, puts->more);
        else
            bench_put(feed, puts->at_ms, puts->resource, puts->check, puts->more);
    }
    return bench;
}

static inline void run_for(struct bench *bench, const struct engine_listener *listener)
{
    bench_start_for(bench, listener);
    assert_true(engine_wait_finished(bench->engine, BENCH_LIMIT_MS));
    engine_stop(bench->engine);
    bench_rewind(bench, true);
}

/* Runs the input as often as the answer needs. */
static inline struct why *answer(struct bench *bench, const struct why_question *question)
{
    struct error err = {""};
    struct why *why = why_create(question, bench->rules, &bench->config, &err);

    if (why == NULL)
        fail_msg("%s", err.text);
    do {
        run_for(bench, why_listener(why));
    } while (why_pass(why));
    return why;
}

/* The answer as a person gets it; freed by the caller. */
static inline char *answer_text(struct why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    why_print_text(why, to);
    fclose(to);
    return text;
}

/* Every id in the text, 32 digits, becomes #. */
static inline void without_ids(const char *text, char *to, size_t bytes)
{
    size_t used = 0;

    while (*text != '\0' && used + 1 < bytes) {
        if (strspn(text, "0123456789abcdef") == 32) {
            to[used++] = '#';
            text += 32;
        } else {
            to[used++] = *text++;
        }
    }
    to[used] = '\0';
}

/* Rows of one story, a test each. */
struct questions {
    const struct row *rows;
    size_t count;
};

#define QUESTIONS(rows)                                                                            \
    {                                                                                              \
        rows, sizeof(rows) / sizeof((rows)[0])                                                     \
    }

static inline void each_question_has_its_verdict(void **state)
{
    const struct questions *questions = *state;
    const struct row *rows = questions->rows;
    size_t wrong = 0;

    for (size_t i = 0; i < questions->count; i++) {
        struct bench *bench = bench_of(rows[i].rules, rows[i].puts);
        struct why_question question;
        struct error err = {""};
        char said[2000];
        assert_int_equal(why_ask_whynot(rows[i].asked, &question, &err), 0);
        question.rule = rows[i].rule;
        if (rows[i].at_ms != 0)
            question.at_ms = BENCH_T0 + rows[i].at_ms;
        struct why *why = answer(bench, &question);
        without_ids(why_verdict(why), said, sizeof(said));
        if (strcmp(said, rows[i].verdict) != 0 || why_found(why) != rows[i].is_found)
            print_error("%s (%s):\n  %s\nnot\n  %s\n", rows[i].name, rows[i].asked, said,
                        rows[i].verdict);
        wrong += strcmp(said, rows[i].verdict) != 0 || why_found(why) != rows[i].is_found;
        why_destroy(why);
        bench_destroy(bench);
    }
    assert_int_equal(wrong, 0);
}
/* --- what the engine told of itself, without the collector of answers ---------------------------
 */

enum { TOLD_ALERTS = 64, TOLD_OPENINGS = 128, TOLD_JOINS = 2048, TOLD_EVENTS = 60 };

struct told {
    size_t alert_count, incident_count, join_count;
    struct told_alert {
        struct id128 id;
        char name[64];
    } alert[TOLD_ALERTS];
    struct id128 incident[TOLD_OPENINGS];
    struct {
        struct id128 incident, alert;
    } join[TOLD_JOINS];
    struct told_event {
        enum trace_counted counted;
        bool is_clear, touched;
    } event[TOLD_EVENTS];
};

static inline void tell_received(void *self, const struct trace_receipt *receipt)
{
    struct told *told = self;
    struct text resource = event_text_field(receipt->event->text, FIELD_RESOURCE);
    struct text check = event_text_field(receipt->event->text, FIELD_CHECK);

    for (size_t i = 0; i < told->alert_count; i++)
        if (id128_equal(told->alert[i].id, receipt->event->fingerprint))
            return;
    if (told->alert_count == TOLD_ALERTS)
        return;
    struct told_alert *alert = &told->alert[told->alert_count++];
    alert->id = receipt->event->fingerprint;
    snprintf(alert->name, sizeof(alert->name), "%.*s %.*s", (int)resource.len, resource.at,
             (int)check.len, check.at);
}

static inline void tell_decided(void *self, const struct trace_decision *decision)
{
    struct told *told = self;

    if (decision->event->offset >= TOLD_EVENTS)
        return;
    told->event[decision->event->offset].counted = decision->counted;
    told->event[decision->event->offset].is_clear = decision->event->state == EVENT_CLEAR;
}

static inline void tell_incident(void *self, struct incident *incident)
{
    struct told *told = self;

    if (incident->change == INCIDENT_OPENED && told->incident_count < TOLD_OPENINGS)
        told->incident[told->incident_count++] = incident->id;
}

static inline void tell_joined(void *self, const struct engine_joined *joined)
{
    struct told *told = self;

    if (told->join_count < TOLD_JOINS) {
        told->join[told->join_count].incident = joined->incident;
        told->join[told->join_count++].alert = joined->alert;
    }
}

static inline bool let_go(void *self, const struct op *op)
{
    (void)self;
    incident_unref(op->incident);
    return true;
}

static inline void listen_to(struct bench *bench, struct told *told)
{
    const struct engine_trace trace = {
        .self = told, .received = tell_received, .decided = tell_decided};
    const struct engine_listener listener = {.self = told,
                                             .incident = tell_incident,
                                             .joined = tell_joined,
                                             .op = let_go,
                                             .trace = &trace};

    memset(told, 0, sizeof(*told));
    run_for(bench, &listener);
}

/* The story of an incident, freed by the caller. */
static inline char *story_of_incident(struct bench *bench, struct id128 id)
{
    struct why_question question;
    struct error err = {""};
    char hex[ID128_TEXT_BYTES];

    id128_format(id, hex);
    assert_int_equal(why_ask_incident(hex, &question, &err), 0);
    struct why *why = answer(bench, &question);
    char *text = answer_text(why);
    why_destroy(why);
    return text;
}

/* The same of the first one that opens. */
static inline char *story_of_first(struct bench *bench)
{
    static struct told told;

    listen_to(bench, &told);
    assert_true(told.incident_count > 0);
    return story_of_incident(bench, told.incident[0]);
}

/* The same of an event or a key. */
static inline char *story_of(struct bench *bench, const char *asked)
{
    struct why_question question;
    struct error err = {""};

    assert_int_equal(why_ask_whynot(asked, &question, &err), 0);
    struct why *why = answer(bench, &question);
    char *text = answer_text(why);
    why_destroy(why);
    return text;
}

#endif
