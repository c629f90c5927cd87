/*
 * incident_match.h - which incidents of two runs belong together: the rules of docs/diff.md.
 *
 * Given all incidents that are held, incident_match() finds clusters (what could be matched with
 * each other at all, whatever comes later), and in each cluster that is complete the groups.
 *
 * Thread: any; everything belongs to the caller.
 */
#ifndef DAEMON_INCIDENT_MATCH_H
#define DAEMON_INCIDENT_MATCH_H

#include "daemon/incident_diff.h"

/* An incident that is held. */
struct held {
    struct diff_incident incident;
    enum diff_side side;
    struct id128 key; /* of (rule id, key text) */
    struct held_member {
        struct id128 alert;
        int64_t from_ms; /* when it joined */
    } * member;
    uint32_t member_count, member_room;
    /* Made by incident_match(): */
    bool is_settled;
    uint32_t group; /* the same for incidents of one group; of settled ones */
};

/* Of those that have an alert in common with an incident and fit, so many that have it since before
 * and so many since after it are looked at. */
enum { MATCH_NEAREST = 32 };

/* What matching took. */
struct match_cost {
    uint64_t weighed;      /* pairs that were looked at, for each alert that they share */
    uint64_t nearest_only; /* incidents for which MATCH_NEAREST left others out */
};

/* `held` comes in any order and leaves ordered by (opening, id, side). Clusters whose last end is
 * before `passed_ms` by more than `near_ms` are settled; INT64_MAX settles all. Time: count x
 * log(count), and for each member that stage 3 asks for at most 2 x MATCH_NEAREST searches. */
struct match_cost incident_match(struct held **held, size_t count, int64_t near_ms,
                                 int64_t passed_ms);

#endif
