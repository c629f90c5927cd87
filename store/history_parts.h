/*
 * history_parts.h - the inside of a history (store/history.h is its door).
 *
 *   history.c       the file: what it is, opening, rows of the journal, retention
 *   history_open.c  incidents that are open of which the journal does not say so any more
 */
#ifndef STORE_HISTORY_PARTS_H
#define STORE_HISTORY_PARTS_H

#include "base/incident.h"
#include "store/history.h"

enum query_name {
    QUERY_INCIDENT,
    QUERY_CHANGE,
    QUERY_HAND,
    QUERY_MEMBER,
    QUERY_OP,
    QUERY_OP_STATE,
    QUERY_PLACE,
    QUERY_OLD,
    QUERY_OLDEST,
    QUERY_DROP_CHANGES,
    QUERY_DROP_HANDS,
    QUERY_DROP_MEMBERS,
    QUERY_DROP_OPS,
    QUERY_DROP,
    QUERY_USED,
    QUERY_COUNT
};

struct history {
    struct sql *sql;
    char *path;
    struct sql_query *query[QUERY_COUNT];
    struct history_state state;
    bool is_open; /* a transaction is */
    uint64_t rows;
    /* Of the change that ops belong to; within a group. */
    struct id128 last;
    uint32_t last_number;
    int64_t last_ms;
    /* Rows of groups before the first of these frames were taken over, with what became of them up
     * to the second: history_take_over(). */
    uint64_t taken_before, taken_up_to;
};

/* A transaction is open behind it; and it is over. */
int history_begin(struct history *history, struct error *err);

/* The rows of a change: the incident as it stands then, the change, and who made it. */
int history_put_change(struct history *history, const struct incident *inc, uint64_t frame,
                       struct error *err);

#endif
