/*
 * mute.h - what keeps incidents from being told: silences, maintenance windows, inhibitions.
 *
 *   silence      where                     from one time to another
 *   maintenance  where                     while its calendar is open (rules/calendar.h)
 *   inhibit      target; source            while an incident of `source` is open that has the
 *                                          same values of all `equal` names
 *
 * They look at incidents: at the rule, priority, severity, team and tier of one and at the
 * values of its key under the names of `by`. A name that an incident lacks is the empty text.
 *
 * Part of the rule set; ordered by (kind, id), bytewise.
 *
 * Thread: immutable; any number of threads may ask.
 */
#ifndef RULES_MUTE_H
#define RULES_MUTE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/incident.h"
#include "rules/calendar.h"
#include "rules/rule_set.h"

enum { MUTES_MAX = 1000, MUTE_EQUAL_MAX = 16 }; /* of a set; of one inhibition */

enum mute_kind { MUTE_SILENCE, MUTE_MAINTENANCE, MUTE_INHIBIT, MUTE_KIND_COUNT };

struct mute {
    enum mute_kind kind;
    const char *id;
    const char *place;      /* where that stands: "rules/mutes.yaml:12:9" */
    int64_t from_ms, to_ms; /* of a silence: [from, to) */
    const struct calendar *calendar;
    struct id128 digest;            /* of everything that decides what it does */
    const struct rule_shape *shape; /* its keys, as written (rules/rule_shape.h) */
    uint32_t shape_count;
    uint32_t equal_count; /* of an inhibition; the tenant comes first, always */
    const char *equal[MUTE_EQUAL_MAX];
};

/* One incident as mutes see it. */
struct mute_view {
    struct event_text *text; /* owned: its names and values as labels */
    uint8_t severity;
};

uint32_t rule_set_mute_count(const struct rule_set *set);
const struct mute *rule_set_mute(const struct rule_set *set, uint32_t index);

/* "silence", "maintenance", "inhibit". */
const char *mute_kind_name(enum mute_kind kind);

/* Whether a silence or maintenance window is in force. */
struct calendar_state mute_at(const struct mute *mute, int64_t at_ms);

/* When a silence or maintenance window that can be in force no more was so for the last time
 * (0: before 1970). INT64_MAX: it is or will be, or it is an inhibition. */
int64_t mute_end(const struct mute *mute, int64_t now_ms);

/* Errors: ends the process when memory is short. */
void mute_view_begin(struct mute_view *view, const struct incident *incident);
void mute_view_end(struct mute_view *view);

/* Whether the incident is one that it mutes; for an inhibition, whether it is one that mutes. */
bool mute_hits(const struct mute *mute, const struct mute_view *view);
bool mute_is_source(const struct mute *mute, const struct mute_view *view);

/* Equal values of all `equal` names give equal hashes. */
struct id128 mute_equal_hash(const struct mute *mute, const struct mute_view *view, uint64_t seed);

#endif
