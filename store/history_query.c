/*
 * history_query.c - see history_query.h.
 */
#include "store/history_query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/incident.h"

enum { DIGITS = 32 };

#define INCIDENT_COLUMNS                                                                           \
    "i.id, i.opened_ms, i.ended_ms, i.changed_ms, i.first_ts_ms, i.tenant, i.rule, i.key, "        \
    "i.severity, i.priority, i.title, i.tier, i.runbook, i.team, i.source, i.resource, "           \
    "i.\"check\", i.host, i.muted_by, i.changes, i.events, i.alerts, i.open_alerts, i.last, "      \
    "(SELECT count(*) FROM notification n WHERE n.incident = i.id AND n.state = 'done'), "         \
    "(SELECT count(*) FROM notification n WHERE n.incident = i.id AND n.state NOT IN "             \
    "('done', 'dead', 'superseded')), "                                                            \
    "(SELECT count(*) FROM notification n WHERE n.incident = i.id AND n.state = 'dead'), "         \
    "(SELECT group_concat(t, ', ') FROM (SELECT DISTINCT n.sink || ' ' || "                        \
    "CASE n.label WHEN '' THEN n.reference ELSE n.label END AS t FROM notification n "             \
    "WHERE n.incident = i.id AND (n.label <> '' OR n.reference <> '') ORDER BY 1 LIMIT 20)), "     \
    "(SELECT h.who FROM hand h LEFT JOIN change c ON c.incident = h.incident AND "                 \
    "c.number = h.number WHERE h.incident = i.id AND "                                             \
    "(c.cause = 'acknowledged' OR h.number = 0) ORDER BY h.number DESC LIMIT 1), "                 \
    "max(0, i.changes - (SELECT count(*) FROM change c WHERE c.incident = i.id))"

struct history_reader {
    struct history *history;
};

int history_reader_open(const char *path, struct id128 directory, struct history_reader **out,
                        enum history_refusal *why, struct error *err)
{
    struct history_reader *reader = calloc(1, sizeof(*reader));
    int rc;

    *why = HISTORY_WORLD;
    if (reader == NULL) {
        error_set(err, "%s: out of memory", path);
        return -ENOMEM;
    }
    rc = history_open(path, directory, HISTORY_READ, &reader->history, why, err);
    if (rc != 0) {
        free(reader);
        return rc;
    }
    *out = reader;
    return 0;
}

void history_reader_close(struct history_reader *reader)
{
    if (reader == NULL)
        return;
    history_close(reader->history);
    free(reader);
}

void history_reader_state(const struct history_reader *reader, struct history_state *out)
{
    history_state(reader->history, out);
}

void history_reader_deadline(struct history_reader *reader, uint64_t mono_ns)
{
    sql_deadline(history_sql(reader->history), mono_ns);
}

int history_reader_check(struct history_reader *reader, uint64_t *incidents, struct error *err)
{
    struct sql *sql = history_sql(reader->history);
    struct sql_query *query;
    int64_t count = 0;
    int rc = sql_prepare(sql, "PRAGMA quick_check(1)", &query, err);

    if (rc != 0)
        return rc;
    rc = sql_step(query, err);
    if (rc == 1 && strcmp(sql_text(query, 0), "ok") != 0) {
        error_set(err, "it is damaged: %.500s", sql_text(query, 0));
        rc = -EBADMSG;
    }
    sql_query_release(query);
    if (rc >= 0)
        rc = sql_ask_int(sql, "SELECT count(*) FROM incident", 0, &count, err);
    *incidents = (uint64_t)count;
    return rc;
}

/* False: it is none of ours. */
static bool read_incident(struct sql_query *query, struct history_incident *to)
{
    *to =
        (struct history_incident){.opened_ms = sql_int(query, 1),
                                  .ended_ms = sql_is_null(query, 2) ? INT64_MIN : sql_int(query, 2),
                                  .changed_ms = sql_int(query, 3),
                                  .first_ts_ms = sql_int(query, 4),
                                  .tenant = sql_text(query, 5),
                                  .rule = sql_text(query, 6),
                                  .key = sql_text(query, 7),
                                  .severity = sql_text(query, 8),
                                  .priority = sql_text(query, 9),
                                  .title = sql_text(query, 10),
                                  .tier = sql_text(query, 11),
                                  .runbook = sql_text(query, 12),
                                  .team = sql_text(query, 13),
                                  .source = sql_text(query, 14),
                                  .resource = sql_text(query, 15),
                                  .check = sql_text(query, 16),
                                  .host = sql_text(query, 17),
                                  .muted_by = sql_text(query, 18),
                                  .changes = sql_int(query, 19),
                                  .events = sql_int(query, 20),
                                  .alerts = sql_int(query, 21),
                                  .open_alerts = sql_int(query, 22),
                                  .last = sql_text(query, 23),
                                  .told = sql_int(query, 24),
                                  .owed = sql_int(query, 25),
                                  .dead = sql_int(query, 26),
                                  .tickets = sql_text(query, 27),
                                  .acked_by = sql_text(query, 28),
                                  .lacking = sql_int(query, 29)};
    return sql_id(query, 0, &to->id);
}

int history_list(struct history_reader *reader, const struct history_filter *filter,
                 void (*each)(void *self, const struct history_incident *incident), void *self,
                 bool *more, struct error *err)
{
    struct sql_query *query;
    struct history_incident incident;
    uint32_t rows = 0;
    int rc = sql_prepare(history_sql(reader->history),
                         "SELECT " INCIDENT_COLUMNS " FROM incident i WHERE "
                         "(?1 IS NULL OR i.ended_ms IS NULL OR i.ended_ms >= ?1) AND "
                         "(?2 IS NULL OR i.opened_ms < ?2) AND (?3 IS NULL OR i.rule = ?3) AND "
                         "(?4 IS NULL OR i.tenant = ?4) AND "
                         "(?5 IS NULL OR instr(i.key, ?5) > 0 OR instr(i.title, ?5) > 0) AND "
                         "(?6 = 0 OR i.ended_ms IS NULL) ORDER BY i.opened_ms DESC, i.id LIMIT ?7",
                         &query, err);

    *more = false;
    if (rc != 0)
        return rc;
    if (filter->from_ms != INT64_MIN)
        sql_set_int(query, 1, filter->from_ms);
    if (filter->to_ms != INT64_MIN)
        sql_set_int(query, 2, filter->to_ms);
    sql_set_text(query, 3, filter->rule);
    sql_set_text(query, 4, filter->tenant);
    sql_set_text(query, 5, filter->key);
    sql_set_int(query, 6, filter->open_only);
    sql_set_int(query, 7, (int64_t)filter->rows_max + 1);
    while ((rc = sql_step(query, err)) == 1) {
        *more = rows++ == filter->rows_max;
        if (!*more && read_incident(query, &incident))
            each(self, &incident);
    }
    sql_query_release(query);
    return rc;
}

int history_rules(struct history_reader *reader, void (*each)(void *self, const char *rule),
                  void *self, struct error *err)
{
    struct sql_query *query;
    int rc = sql_prepare(history_sql(reader->history),
                         "SELECT DISTINCT rule FROM incident ORDER BY rule", &query, err);

    if (rc != 0)
        return rc;
    while ((rc = sql_step(query, err)) == 1)
        each(self, sql_text(query, 0));
    sql_query_release(query);
    return rc;
}

/* ---- one ---- */

/* The first and the last id that begin with the digits, as they lie in the file. */
static bool read_digits(const char *digits, struct id128 *first, struct id128 *last)
{
    char low[DIGITS + 1], high[DIGITS + 1];
    size_t count = strlen(digits);

    if (count == 0 || count > DIGITS)
        return false;
    memset(low, '0', DIGITS);
    memset(high, 'f', DIGITS);
    memcpy(low, digits, count);
    memcpy(high, digits, count);
    low[DIGITS] = high[DIGITS] = '\0';
    return id128_parse(low, first) && id128_parse(high, last);
}

static int find(struct sql *sql, const char *digits, struct id128 *id, struct error *err)
{
    struct sql_query *query;
    struct id128 first, last;
    int found = 0, rc;

    if (!read_digits(digits, &first, &last)) {
        error_set(err, "'%.40s' is not the id of an incident, which has up to 32 digits of 0-9 a-f",
                  digits);
        return -EINVAL;
    }
    rc =
        sql_prepare(sql, "SELECT id FROM incident WHERE id BETWEEN ?1 AND ?2 LIMIT 2", &query, err);
    if (rc != 0)
        return rc;
    sql_set_id(query, 1, first);
    sql_set_id(query, 2, last);
    while ((rc = sql_step(query, err)) == 1)
        if (found++ == 0 && !sql_id(query, 0, id))
            found = 0;
    sql_query_release(query);
    if (rc == 0 && found != 1) {
        error_set(err,
                  found == 0 ? "there is no incident %.40s in the history"
                             : "several incidents begin with %.40s: give more digits",
                  digits);
        rc = found == 0 ? -ENOENT : -EEXIST;
    }
    return rc;
}

static int tell_incident(struct sql *sql, const struct id128 *id, const struct history_story *story,
                         struct error *err)
{
    struct history_incident incident;
    struct sql_query *query;
    int rc = sql_prepare(sql, "SELECT " INCIDENT_COLUMNS " FROM incident i WHERE i.id = ?1", &query,
                         err);

    if (rc != 0)
        return rc;
    sql_set_id(query, 1, *id);
    rc = sql_step(query, err);
    if (rc == 1 && read_incident(query, &incident))
        story->incident(story->self, &incident);
    sql_query_release(query);
    return rc < 0 ? rc : 0;
}

static void tell_change(struct sql_query *query, const struct history_story *story)
{
    const struct history_change change = {.number = sql_int(query, 0),
                                          .at_ms = sql_int(query, 1),
                                          .change = sql_text(query, 2),
                                          .cause = sql_text(query, 3),
                                          .severity = sql_text(query, 4),
                                          .priority = sql_text(query, 5),
                                          .events = sql_int(query, 6),
                                          .alerts = sql_int(query, 7),
                                          .open_alerts = sql_int(query, 8),
                                          .title = sql_text(query, 9),
                                          .why = sql_text(query, 10),
                                          .message = sql_text(query, 11),
                                          .muted_by = sql_text(query, 12),
                                          .by = sql_text(query, 13),
                                          .comment = sql_text(query, 14)};

    story->change(story->self, &change);
}

static void tell_notification(struct sql_query *query, const struct history_story *story)
{
    const struct history_notification told = {.change = sql_int(query, 0),
                                              .number = sql_int(query, 1),
                                              .sink = sql_text(query, 2),
                                              .kind = sql_text(query, 3),
                                              .state = sql_text(query, 4),
                                              .reference = sql_text(query, 5),
                                              .label = sql_text(query, 6),
                                              .reason = sql_text(query, 7),
                                              .at_ms = sql_int(query, 8),
                                              .state_ms = sql_int(query, 9),
                                              .retries = sql_int(query, 10),
                                              .may_exist = sql_int(query, 11) != 0};

    story->notification(story->self, &told);
}

static void tell_member(struct sql_query *query, const struct history_story *story)
{
    const struct history_member member = {.source = sql_text(query, 0),
                                          .resource = sql_text(query, 1),
                                          .check = sql_text(query, 2),
                                          .dedup_key = sql_text(query, 3),
                                          .host = sql_text(query, 4),
                                          .severity = sql_text(query, 5),
                                          .at_ms = sql_int(query, 6)};

    story->member(story->self, &member);
}

static int tell_rows(struct sql *sql, const char *text, const struct id128 *id, uint32_t rows_max,
                     void (*tell)(struct sql_query *query, const struct history_story *story),
                     const struct history_story *story, bool *more, struct error *err)
{
    struct sql_query *query;
    uint32_t rows = 0;
    int rc = sql_prepare(sql, text, &query, err);

    if (rc != 0)
        return rc;
    sql_set_id(query, 1, *id);
    sql_set_int(query, 2, (int64_t)rows_max + 1);
    while ((rc = sql_step(query, err)) == 1) {
        if (rows++ == rows_max)
            *more = true;
        else
            tell(query, story);
    }
    sql_query_release(query);
    return rc;
}

static int tell_all(struct sql *sql, const char *digits, uint32_t rows_max,
                    const struct history_story *story, bool *more, struct error *err)
{
    struct id128 id;
    int rc = find(sql, digits, &id, err);

    if (rc == 0)
        rc = tell_incident(sql, &id, story, err);
    if (rc == 0)
        rc = tell_rows(sql,
                       "SELECT c.number, at_ms, change, cause, severity, priority, events, alerts, "
                       "open_alerts, title, why, message, muted_by, who, comment FROM change c "
                       "LEFT JOIN hand h ON h.incident = c.incident AND h.number = c.number "
                       "WHERE c.incident = ?1 ORDER BY c.number LIMIT ?2",
                       &id, rows_max, tell_change, story, more, err);
    if (rc == 0)
        rc = tell_rows(sql,
                       "SELECT change, number, sink, kind, state, reference, label, reason, at_ms, "
                       "state_ms, retries, may_exist FROM notification WHERE incident = ?1 "
                       "ORDER BY change, sink, number LIMIT ?2",
                       &id, rows_max, tell_notification, story, more, err);
    if (rc == 0)
        rc = tell_rows(sql,
                       "SELECT source, resource, \"check\", dedup_key, host, severity, at_ms "
                       "FROM member WHERE incident = ?1 "
                       "ORDER BY at_ms, source, resource, \"check\", dedup_key LIMIT ?2",
                       &id, rows_max, tell_member, story, more, err);
    return rc;
}

int history_tell(struct history_reader *reader, const char *digits, uint32_t rows_max,
                 const struct history_story *story, bool *more, struct error *err)
{
    struct sql *sql = history_sql(reader->history);
    struct error ignored;
    int rc = sql_run(sql, "BEGIN", err);

    *more = false;
    if (rc != 0)
        return rc;
    rc = tell_all(sql, digits, rows_max, story, more, err);
    sql_run(sql, "ROLLBACK", &ignored);
    return rc;
}
