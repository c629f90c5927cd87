/*
 * incident_diff.h - the incidents of two runs over the same events, side by side: which are the
 * same, and what became of the others.
 *
 *   engine of the old rules --told, joined, passed--> held incidents --+
 *                                                                      +--> clusters -> groups ->
 * counts engine of the new rules --told, joined, passed--> held incidents --+
 *
 * How incidents are matched is docs/diff.md, exactly. What may still be matched is held; a cluster
 * of incidents is settled and let go when both runs have passed all of it by `near_ms` and none of
 * it is open. Which clusters are settled together does not show in the result.
 *
 * Bound: `bytes_max` over both sides for incidents, their words and members. Beyond it the run
 * that is ahead waits for the other; at twice the bound the comparison fails with a sentence.
 * Settling needs 60 bytes more for each incident and member.
 *
 * Thread: calls of one side by one thread at a time, the two sides side by side.
 */
#ifndef DAEMON_INCIDENT_DIFF_H
#define DAEMON_INCIDENT_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/incident.h"

enum diff_side { DIFF_OLD, DIFF_NEW, DIFF_SIDES };

/* What became of a group of incidents. A pair may have changed in several ways. */
enum diff_kind {
    DIFF_GAINED,    /* none -> one */
    DIFF_LOST,      /* one -> none */
    DIFF_MERGED,    /* several -> one */
    DIFF_SPLIT,     /* one -> several */
    DIFF_REGROUPED, /* several -> several, or a pair with another key */
    DIFF_PRIORITY,
    DIFF_SEVERITY,
    DIFF_ROUTE, /* which sinks, which team */
    DIFF_TOLD_SOONER,
    DIFF_TOLD_LATER,
    DIFF_NEVER_TOLD, /* and was */
    DIFF_NEWLY_TOLD,
    DIFF_RETIMED,
    DIFF_REWORDED, /* rule, title, tier or runbook */
    DIFF_KINDS
};

const char *diff_kind_name(enum diff_kind kind);  /* for programs: "told_sooner" */
const char *diff_kind_words(enum diff_kind kind); /* for people: "told sooner" */

/* The kind that a kind becomes when old and new change places. */
enum diff_kind diff_kind_mirror(enum diff_kind kind);

enum { DIFF_SHOWN = 8 };
#define DIFF_OPEN INT64_MAX   /* `closed_ms` of an incident that was not closed */
#define DIFF_UNTOLD INT64_MAX /* `told_ms` of one of which nobody was told */

/* One incident as it was at the end of its life, or of the run. */
struct diff_incident {
    struct incident *opened; /* the opening: id, rule, key, title, why ... ; a reference */
    int64_t closed_ms;       /* DIFF_OPEN: open at the end */
    int64_t told_ms;         /* when somebody was first told of it; DIFF_UNTOLD: never */
    uint64_t event_count;
    uint64_t sinks; /* bit i: sink i was told of it */
    uint32_t alert_count;
    uint32_t pages; /* sinks that were told of its opening */
    uint8_t severity;
};

/* A group for a reader. */
struct diff_example {
    unsigned kinds; /* bit of each enum diff_kind */
    int64_t at_ms;  /* of its earliest opening */
    size_t count[DIFF_SIDES];
    struct diff_incident shown[DIFF_SIDES][DIFF_SHOWN]; /* the earliest of each side */
};

/* Sums of the incidents of a rule or a team. A group counts once in each row that any of its
 * incidents belongs to. */
struct diff_row {
    char *name;
    uint64_t incidents[DIFF_SIDES], pages[DIFF_SIDES];
    uint64_t same;
    uint64_t changed[DIFF_KINDS];
    /* Of a rule: the earliest groups whose first incident is of it, under their first kind. */
    struct diff_example *examples[DIFF_KINDS];
    size_t example_count[DIFF_KINDS];
};

struct diff_result {
    struct diff_row total; /* each group once */
    struct diff_row *rules, *teams;
    size_t rule_count, team_count; /* by name */
    uint64_t settled_times;
    uint64_t weighed;      /* pairs that were looked at, for each alert that they share */
    uint64_t nearest_only; /* incidents that shared alerts with more than are looked at */
};

struct incident_diff;

struct incident_diff_config {
    int64_t near_ms;
    uint64_t bytes_max;
    size_t examples_max; /* for each kind of each rule */
};

/* Owner: the caller, until incident_diff_destroy(). NULL when memory is short. */
struct incident_diff *incident_diff_create(const struct incident_diff_config *config);
void incident_diff_destroy(struct incident_diff *diff);

/* What the listener of a side's engine was told (correlate/engine.h). */
void incident_diff_told(struct incident_diff *diff, enum diff_side which,
                        struct incident *incident);
void incident_diff_op(struct incident_diff *diff, enum diff_side which, const struct op *op);
void incident_diff_joined(struct incident_diff *diff, enum diff_side which, struct id128 incident,
                          struct id128 alert, int64_t at_ms);

/* All before `to_ms` was told. May wait for the other side. */
void incident_diff_passed(struct incident_diff *diff, enum diff_side which, int64_t to_ms);

/* The side tells nothing more. */
void incident_diff_ended(struct incident_diff *diff, enum diff_side which);

/* False with a sentence when the bound was reached. Any thread. */
bool incident_diff_is_well(struct incident_diff *diff, struct error *why);

/* Lets who waits go on; nothing is compared any more. Any thread. */
void incident_diff_give_up(struct incident_diff *diff);

/* After both sides have ended. Borrowed; valid until destroy. */
const struct diff_result *incident_diff_result(struct incident_diff *diff);

/* For tests: settles at once whatever can be settled. */
void incident_diff_settle(struct incident_diff *diff);

#endif
