/*
 * why.h - why an incident opened, or why an event or a key did not open one: told from runs of
 * the input with a tracer (correlate/trace.h).
 *
 *   question --> why_create() --> run the input with why_listener() --> why_pass() --+--> again
 *                                                                                    |
 *                          why_print_text(), why_print_json() <----------- done -----+
 *
 * The first run finds what is asked for (an incident's rule and key, an event's alert), the second
 * watches it; a question about a key needs one. What is kept is bounded: of a long story the
 * middle goes, and it is said how much.
 *
 * Thread: one at a time: the engine's while it runs, the caller's between runs.
 */
#ifndef DAEMON_WHY_H
#define DAEMON_WHY_H

#include <stdbool.h>
#include <stdio.h>
#include "base/error.h"
#include "correlate/engine.h"

struct why;

enum why_subject { WHY_INCIDENT, WHY_EVENT, WHY_KEY };

enum { WHY_TOPIC_BYTES = 256, WHY_NOTES_MAX = 200 };
enum { WHY_TIME_BYTES = 48, WHY_PLACE_BYTES = WHY_TOPIC_BYTES + 64 };

/* How times and events are told by who has names of his own for them, as rule tests have. */
struct why_names {
    void *self;
    void (*put_time)(void *self, int64_t ms, char to[WHY_TIME_BYTES]);
    void (*put_place)(void *self, int32_t partition, int64_t offset, char to[WHY_PLACE_BYTES]);
};

struct why_question {
    enum why_subject subject;
    char incident[ID128_TEXT_BYTES]; /* its first digits, or all */
    char topic[WHY_TOPIC_BYTES];     /* of an event */
    int32_t partition;
    int64_t offset;
    int64_t sub;      /* -1: the record's only or first event */
    const char *key;  /* "tenant=acme host=db01"; borrowed */
    const char *rule; /* NULL: any; borrowed */
    int64_t at_ms;    /* of a key: what is later does not count; INT64_MAX: all counts */
    size_t notes_max; /* lines of a story that are kept [WHY_NOTES_MAX] */
    const struct why_names *names; /* NULL: dates, and topic/partition/offset/number; borrowed */
};

/* The first digits of an incident's id. Errors: -EINVAL with a sentence, here and below. */
int why_ask_incident(const char *text, struct why_question *out, struct error *err);

/* "topic/partition/offset" or "topic/partition/offset/sub" asks for an event ("@derived/-1/..." for
 * one that tocsin made), "name=value ..." for a key. */
int why_ask_whynot(const char *text, struct why_question *out, struct error *err);

/* Borrows all three until why_destroy().
 * Errors: NULL with a sentence: a rule that is not there, a key that no rule has. */
struct why *why_create(const struct why_question *question, struct rule_set *rules,
                       const struct engine_config *config, struct error *err);
void why_destroy(struct why *why);

/* The same where rules were switched: `sets[0]` is in force first, and engine_config.recovery says
 * when the others come to be, which the listener hands to the engine. Borrows the sets too. What
 * the question says is checked against all of them. */
struct why *why_create_over(const struct why_question *question, struct rule_set *const *sets,
                            size_t set_count, const struct engine_config *config,
                            struct error *err);

/* What went with each of the sets; borrowed. Without it all go by the configuration. */
void why_go_by_terms(struct why *why, const struct engine_terms *terms);

/* For the next run. */
const struct engine_listener *why_listener(struct why *why);

/* The run is over; true: another is needed. The seed of the engine must be the same in all. */
bool why_pass(struct why *why);

/* A remark that the reader of the answer needs: marks that are missing. Copied. */
void why_remark(struct why *why, const char *remark);

/* The incidents that the answer speaks of, up to `max`; returns how many there are. */
size_t why_incidents(const struct why *why, struct id128 *out, size_t max);

/* True when what was asked for is in the input. */
bool why_found(const struct why *why);

/* The sentence that the answer ends in. */
const char *why_verdict(struct why *why);

void why_print_text(struct why *why, FILE *to);
/* The lines of the story and the verdict alone. */
void why_print_story(struct why *why, FILE *to);
void why_print_json(struct why *why, FILE *to);

/* The alerts that the incident had as members, first to last: names, for tests. NULL beyond. */
const char *why_member(const struct why *why, size_t index);

#endif
