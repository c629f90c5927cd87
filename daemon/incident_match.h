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

/* `held` comes in any order and leaves ordered by (opening, id, side). Clusters whose last end is
 * before `passed_ms` by more than `near_ms` are settled; INT64_MAX settles all. */
void incident_match(struct held **held, size_t count, int64_t near_ms, int64_t passed_ms);

#endif
