/*
 * history_open.c - what is open, in a history that lacks a part of the journal: see history.h.
 *
 *   journal   | let go of, or of another owner | 7 8 9 10 ... E
 *   history   1 2 3                              7 8 9 10       <- what is open by E, from who
 * knows
 *
 * What opened in the gap gets a row before frame 7 is read, and what the frames say comes over it.
 * What ended in the gap is found when frame E is in the file: it is open there, and nowhere else.
 */
#include "store/history_parts.h"

#include <stdlib.h>
#include <string.h>
#include "base/vector.h"

/* Changes of the incident that the file knows; 0: it does not know it. */
static int changes_known(struct sql_query *query, struct id128 id, int64_t *out, struct error *err)
{
    int rc;

    sql_set_id(query, 1, id);
    rc = sql_step(query, err);
    *out = rc == 1 ? sql_int(query, 0) : 0;
    sql_rewind(query);
    return rc < 0 ? rc : 0;
}

/* Who acknowledged it, in a change that is not there. */
static int put_acknowledged(struct history *history, const struct incident *inc, struct error *err)
{
    struct sql_query *query = history->query[QUERY_HAND];

    if (inc->acked_by[0] == '\0')
        return 0;
    history->rows++;
    sql_set_id(query, 1, inc->id);
    sql_set_int(query, 2, 0);
    sql_set_text(query, 3, inc->acked_by);
    sql_set_text(query, 4, "");
    sql_set_int(query, 5, (int64_t)history->state.place.frame);
    return sql_do(query, err);
}

int history_know_open(struct history *history, struct incident *const *open, size_t count,
                      struct error *err)
{
    struct sql_query *query;
    int64_t known = 0;
    int rc = sql_prepare(history->sql, "SELECT changes FROM incident WHERE id = ?1", &query, err);

    if (rc != 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = changes_known(query, open[i]->id, &known, err);
        if (rc != 0 || known >= open[i]->change_number)
            continue;
        rc = history_put_change(history, open[i], history->state.place.frame, err);
        if (rc == 0)
            rc = put_acknowledged(history, open[i], err);
    }
    sql_query_release(query);
    return rc;
}

static int compare_ids(const void *a, const void *b)
{
    const struct id128 *left = a, *right = b;

    if (left->hi != right->hi)
        return left->hi < right->hi ? -1 : 1;
    return left->lo == right->lo ? 0 : left->lo < right->lo ? -1 : 1;
}

struct ids {
    VECTOR_OF(struct id128) of;
};

/* Those that the file has as open up to `frame`, and that are none of `is`. */
static int find_ended(struct history *history, const struct ids *is, uint64_t frame,
                      struct ids *out, struct error *err)
{
    struct sql_query *query;
    struct id128 id;
    int rc =
        sql_prepare(history->sql, "SELECT id FROM incident WHERE ended_ms IS NULL AND frame <= ?1",
                    &query, err);

    if (rc != 0)
        return rc;
    sql_set_int(query, 1, (int64_t)frame);
    while ((rc = sql_step(query, err)) == 1)
        if (sql_id(query, 0, &id) &&
            (is->of.count == 0 ||
             bsearch(&id, is->of.at, is->of.count, sizeof(id), compare_ids) == NULL))
            vector_add(&out->of) = id;
    sql_query_release(query);
    return rc;
}

int history_end_unseen(struct history *history, struct incident *const *open, size_t count,
                       uint64_t frame, int64_t at_ms, struct error *err)
{
    struct ids is = {.of = {.at = NULL}}, ended = {.of = {.at = NULL}};
    struct sql_query *query = NULL;
    int rc;

    for (size_t i = 0; i < count; i++)
        vector_add(&is.of) = open[i]->id;
    if (count > 0)
        qsort(is.of.at, count, sizeof(is.of.at[0]), compare_ids);
    rc = find_ended(history, &is, frame, &ended, err);
    if (rc == 0 && ended.of.count > 0)
        rc = history_begin(history, err);
    if (rc == 0 && ended.of.count > 0)
        rc = sql_prepare(history->sql,
                         "UPDATE incident SET ended_ms = max(changed_ms, ?2), open_alerts = 0, "
                         "last = '" HISTORY_UNSEEN "' WHERE id = ?1",
                         &query, err);
    for (size_t i = 0; rc == 0 && i < ended.of.count; i++) {
        sql_set_id(query, 1, ended.of.at[i]);
        sql_set_int(query, 2, at_ms);
        rc = sql_do(query, err);
        history->rows++;
    }
    sql_query_release(query);
    free(is.of.at);
    free(ended.of.at);
    return rc;
}
