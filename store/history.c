/*
 * history.c - see history.h.
 *
 * Written in WAL mode, so that readers neither wait nor hold anything up, and with a sync for each
 * commit: the place in it is what the journal may give up, so it has to be there after a power cut.
 */
#include "store/history.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/severity.h"
#include "store/history_parts.h"

enum {
    APPLICATION_ID = 0x54435348, /* "TCSH" */
    TRIM_INCIDENTS = 64,         /* of a batch, */
    TRIM_ROWS = 10000,           /* which ends with the incident that reaches this */
    VACUUM_PAGES = 4096,
};

/* Tables without a number of their own for each row: their rows lie in the order of their keys. */
static const char schema[] =
    "CREATE TABLE place (one INTEGER PRIMARY KEY CHECK (one = 1), directory BLOB NOT NULL,"
    " frame INTEGER NOT NULL, crc INTEGER NOT NULL, to_ms INTEGER NOT NULL,"
    " now_ms INTEGER NOT NULL, missed INTEGER NOT NULL, removed INTEGER NOT NULL) STRICT;"
    "CREATE TABLE incident (id BLOB PRIMARY KEY, opened_ms INTEGER NOT NULL, ended_ms INTEGER,"
    " changed_ms INTEGER NOT NULL, first_ts_ms INTEGER NOT NULL, tenant TEXT NOT NULL,"
    " rule TEXT NOT NULL, key TEXT NOT NULL, severity TEXT NOT NULL, priority TEXT NOT NULL,"
    " title TEXT NOT NULL, tier TEXT NOT NULL, runbook TEXT NOT NULL, team TEXT NOT NULL,"
    " source TEXT NOT NULL, resource TEXT NOT NULL, \"check\" TEXT NOT NULL, host TEXT NOT NULL,"
    " muted_by TEXT NOT NULL, changes INTEGER NOT NULL, events INTEGER NOT NULL,"
    " alerts INTEGER NOT NULL, open_alerts INTEGER NOT NULL, last TEXT NOT NULL,"
    " frame INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX incident_opened ON incident (opened_ms);"
    "CREATE INDEX incident_ended ON incident (ended_ms);"
    "CREATE TABLE change (incident BLOB, number INTEGER, at_ms INTEGER NOT NULL,"
    " change TEXT NOT NULL, cause TEXT NOT NULL, severity TEXT NOT NULL,"
    " priority TEXT NOT NULL, events INTEGER NOT NULL, alerts INTEGER NOT NULL,"
    " open_alerts INTEGER NOT NULL, title TEXT NOT NULL, why TEXT NOT NULL, message TEXT NOT NULL,"
    " muted_by TEXT NOT NULL, frame INTEGER NOT NULL,"
    " PRIMARY KEY (incident, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE member (incident BLOB, source TEXT, resource TEXT, \"check\" TEXT,"
    " dedup_key TEXT, host TEXT NOT NULL, severity TEXT NOT NULL, at_ms INTEGER NOT NULL,"
    " frame INTEGER NOT NULL,"
    " PRIMARY KEY (incident, source, resource, \"check\", dedup_key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE notification (op BLOB PRIMARY KEY, incident BLOB NOT NULL,"
    " change INTEGER NOT NULL, sink TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL,"
    " at_ms INTEGER NOT NULL, state TEXT NOT NULL, state_ms INTEGER NOT NULL,"
    " retries INTEGER NOT NULL, may_exist INTEGER NOT NULL, reference TEXT NOT NULL,"
    " label TEXT NOT NULL, reason TEXT NOT NULL, frame INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX notification_incident ON notification (incident, change, sink, number);";

/* What version 2 has beside these: changes that a person made. */
static const char schema_of_hands[] =
    "CREATE TABLE hand (incident BLOB, number INTEGER, who TEXT NOT NULL, comment TEXT NOT NULL,"
    " frame INTEGER NOT NULL, PRIMARY KEY (incident, number)) STRICT, WITHOUT ROWID;";

static const char *const queries[QUERY_COUNT] = {
    [QUERY_INCIDENT] = "INSERT OR REPLACE INTO incident VALUES "
                       "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, "
                       "?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
    [QUERY_CHANGE] = "INSERT OR REPLACE INTO change VALUES "
                     "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [QUERY_HAND] = "INSERT OR REPLACE INTO hand VALUES (?1, ?2, ?3, ?4, ?5)",
    [QUERY_MEMBER] = "INSERT OR IGNORE INTO member VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [QUERY_OP] = "INSERT OR REPLACE INTO notification VALUES "
                 "(?1, ?2, ?3, ?4, ?5, ?6, ?7, 'owed', ?7, 0, 0, '', '', '', ?8)",
    /* A sink's name of a ticket is said once, and stays. */
    [QUERY_OP_STATE] = "UPDATE notification SET state = ?2, state_ms = ?3, "
                       "retries = retries + (?2 = 'retry'), may_exist = ?4, "
                       "reference = CASE ?5 WHEN '' THEN reference ELSE ?5 END, "
                       "label = CASE ?6 WHEN '' THEN label ELSE ?6 END, reason = ?7 "
                       "WHERE op = ?1 AND frame >= ?8",
    [QUERY_PLACE] = "UPDATE place SET frame = ?1, crc = ?2, to_ms = ?3, now_ms = ?4, missed = ?5, "
                    "removed = ?6",
    [QUERY_OLD] = "SELECT id FROM incident WHERE ended_ms < ?1 ORDER BY ended_ms, id LIMIT ?2",
    [QUERY_OLDEST] =
        "SELECT id FROM incident WHERE ended_ms IS NOT NULL ORDER BY ended_ms, id LIMIT ?1",
    [QUERY_DROP_CHANGES] = "DELETE FROM change WHERE incident = ?1",
    [QUERY_DROP_HANDS] = "DELETE FROM hand WHERE incident = ?1",
    [QUERY_DROP_MEMBERS] = "DELETE FROM member WHERE incident = ?1",
    [QUERY_DROP_OPS] = "DELETE FROM notification WHERE incident = ?1",
    [QUERY_DROP] = "DELETE FROM incident WHERE id = ?1",
    [QUERY_USED] = "SELECT (p.page_count - f.freelist_count) * s.page_size "
                   "FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s",
};

static const char *const fates[JOURNAL_FATE_COUNT] = {
    [JOURNAL_FATE_OWED] = "owed",   [JOURNAL_FATE_INTENT] = "intent",
    [JOURNAL_FATE_RETRY] = "retry", [JOURNAL_FATE_UNCERTAIN] = "uncertain",
    [JOURNAL_FATE_MADE] = "made",   [JOURNAL_FATE_DONE] = "done",
    [JOURNAL_FATE_DEAD] = "dead",   [JOURNAL_FATE_TAKEN_IN] = "superseded",
};

/* ---- judging a file ---- */

static enum history_refusal refusal_of(int rc)
{
    return rc == -EBADMSG ? HISTORY_DAMAGED : HISTORY_WORLD;
}

/* The statements that its tables were made with, as one text that the caller frees. */
static int schema_text(struct sql *sql, char **out, struct error *err)
{
    struct sql_query *query;
    int rc = sql_prepare(sql,
                         "SELECT group_concat(sql, ';') FROM "
                         "(SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name)",
                         &query, err);

    if (rc != 0)
        return rc;
    rc = sql_step(query, err);
    if (rc == 1)
        *out = strdup(sql_text(query, 0));
    sql_query_release(query);
    if (rc == 1 && *out == NULL) {
        error_set(err, "out of memory for the history");
        return -ENOMEM;
    }
    return rc < 0 ? rc : 0;
}

/* Whether its tables are those of its version, and nothing else is in it. */
static int judge_schema(struct history *history, int64_t version, enum history_refusal *why,
                        struct error *err)
{
    struct sql *model = NULL;
    char *ours = NULL, *its = NULL;
    int rc = sql_open(":memory:", SQL_WRITE, &model, err);

    if (rc == 0)
        rc = sql_run(model, schema, err);
    if (rc == 0 && version > 1)
        rc = sql_run(model, schema_of_hands, err);
    if (rc == 0)
        rc = schema_text(model, &ours, err);
    if (rc == 0)
        rc = schema_text(history->sql, &its, err);
    if (rc != 0) {
        *why = refusal_of(rc);
    } else if (strcmp(ours, its) != 0) {
        error_set(err, "%s: its tables are not those of a tocsin's history", history->path);
        *why = HISTORY_DAMAGED;
        rc = -EBADMSG;
    }
    sql_close(model);
    free(ours);
    free(its);
    return rc;
}

static int read_place(struct history *history, struct id128 directory, enum history_refusal *why,
                      struct error *err)
{
    struct history_state *state = &history->state;
    struct sql_query *query;
    struct id128 owner;
    int rc = sql_prepare(history->sql,
                         "SELECT directory, frame, crc, to_ms, now_ms, missed, removed FROM place",
                         &query, err);

    if (rc == 0) {
        rc = sql_step(query, err);
        if (rc == 0 || (rc == 1 && !sql_id(query, 0, &owner))) {
            error_set(err, "%s: it does not say whose history it is", history->path);
            rc = -EBADMSG;
        } else if (rc == 1) {
            *state = (struct history_state){
                .place = {(uint64_t)sql_int(query, 1), (uint32_t)sql_int(query, 2)},
                .to_ms = sql_int(query, 3),
                .now_ms = sql_int(query, 4),
                .missed = (uint64_t)sql_int(query, 5),
                .removed = (uint64_t)sql_int(query, 6)};
        }
        sql_query_release(query);
    }
    if (rc < 0) {
        *why = refusal_of(rc);
        return rc;
    }
    if (!id128_equal(owner, directory)) {
        error_set(err, "%s: it is the history of another data directory", history->path);
        *why = HISTORY_FOREIGN;
        return -EINVAL;
    }
    return 0;
}

/* To a file of version 1 what it does not have; for who only reads, beside the file. */
static int add_hands(struct history *history, enum history_use use, struct error *err)
{
    char text[sizeof(schema_of_hands) + 80];

    if (use == HISTORY_READ)
        snprintf(text, sizeof(text), "CREATE TEMP%s", schema_of_hands + strlen("CREATE"));
    else
        snprintf(text, sizeof(text), "BEGIN IMMEDIATE; PRAGMA user_version = %d; %s COMMIT",
                 HISTORY_VERSION, schema_of_hands);
    return sql_run(history->sql, text, err);
}

/* Whose it is: an empty one is ours to fill. */
static int judge(struct history *history, struct id128 directory, enum history_use use,
                 bool *is_empty, enum history_refusal *why, struct error *err)
{
    int64_t application = 0, version = 0, tables = 0;
    int rc = sql_ask_int(history->sql, "PRAGMA application_id", 0, &application, err);

    if (rc == 0)
        rc = sql_ask_int(history->sql, "PRAGMA user_version", 0, &version, err);
    if (rc == 0)
        rc = sql_ask_int(history->sql, "SELECT count(*) FROM sqlite_schema", 0, &tables, err);
    if (rc != 0) {
        *why = refusal_of(rc);
        return rc;
    }
    *is_empty = application == 0 && version == 0 && tables == 0;
    if (*is_empty)
        return 0;
    if (application != APPLICATION_ID) {
        error_set(err, "%s: this is not the history of a tocsin", history->path);
        *why = HISTORY_FOREIGN;
        return -EINVAL;
    }
    if (version < 1 || version > HISTORY_VERSION) {
        error_set(err,
                  "%s: version %" PRId64 " was written by another tocsin, and this one reads "
                  "up to version %d",
                  history->path, version, HISTORY_VERSION);
        *why = version > HISTORY_VERSION ? HISTORY_NEWER : HISTORY_FOREIGN;
        return -EINVAL;
    }
    rc = judge_schema(history, version, why, err);
    if (rc == 0)
        rc = read_place(history, directory, why, err);
    if (rc == 0 && version == 1) {
        rc = add_hands(history, use, err);
        if (rc != 0)
            *why = refusal_of(rc);
    }
    return rc;
}

/* ---- opening ---- */

/* An empty file, if there is none, so that nobody else may read it. A log that another file of the
 * name left is thrown away by SQLite itself, where the file is empty. */
static int make_file(const char *path, struct error *err)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDWR | O_CREAT, 0600);

    if (fd < 0) {
        error_set(err, "%s: it cannot be made: %s", path, strerrordesc_np(-fd));
        return fd;
    }
    h->close(h->self, fd);
    return 0;
}

static int make_tables(struct history *history, struct id128 directory, struct error *err)
{
    struct sql_query *query;
    char begin[256];
    int rc;

    /* How pages are given back is settled before the first table. */
    rc = sql_run(history->sql, "PRAGMA auto_vacuum = incremental; PRAGMA journal_mode = wal", err);
    snprintf(begin, sizeof(begin),
             "BEGIN IMMEDIATE; PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, HISTORY_VERSION);
    if (rc == 0)
        rc = sql_run(history->sql, begin, err);
    if (rc == 0)
        rc = sql_run(history->sql, schema, err);
    if (rc == 0)
        rc = sql_run(history->sql, schema_of_hands, err);
    if (rc == 0)
        rc = sql_prepare(history->sql, "INSERT INTO place VALUES (1, ?1, 0, 0, ?2, ?2, 0, 0)",
                         &query, err);
    if (rc == 0) {
        sql_set_id(query, 1, directory);
        sql_set_int(query, 2, INT64_MIN);
        rc = sql_do(query, err);
        sql_query_release(query);
    }
    if (rc == 0)
        rc = sql_run(history->sql, "COMMIT", err);
    history->state = (struct history_state){.to_ms = INT64_MIN, .now_ms = INT64_MIN};
    return rc;
}

static int open_for_writing(struct history *history, struct error *err)
{
    int rc = sql_run(history->sql,
                     "PRAGMA journal_mode = wal; PRAGMA synchronous = full; "
                     "PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = memory",
                     err);

    for (int i = 0; rc == 0 && i < QUERY_COUNT; i++)
        rc = sql_prepare(history->sql, queries[i], &history->query[i], err);
    return rc;
}

static int open_file(struct history *history, struct id128 directory, enum history_use use,
                     enum history_refusal *why, struct error *err)
{
    bool is_empty = false;
    int rc = use == HISTORY_WRITE ? make_file(history->path, err) : 0;

    if (rc == 0)
        rc = sql_open(history->path, use == HISTORY_WRITE ? SQL_WRITE : SQL_READ, &history->sql,
                      err);
    if (rc != 0) {
        *why = refusal_of(rc);
        return rc;
    }
    rc = judge(history, directory, use, &is_empty, why, err);
    if (rc == 0 && is_empty && use == HISTORY_READ) {
        error_set(err, "%s: there is no history in it yet", history->path);
        *why = HISTORY_MISSING;
        return -ENOENT;
    }
    if (rc != 0 || use == HISTORY_READ)
        return rc;
    if (is_empty)
        rc = make_tables(history, directory, err);
    if (rc == 0)
        rc = open_for_writing(history, err);
    if (rc != 0)
        *why = refusal_of(rc);
    return rc;
}

int history_open(const char *path, struct id128 directory, enum history_use use,
                 struct history **out, enum history_refusal *why, struct error *err)
{
    const struct host *h = host();
    struct history *history;
    int fd, rc;

    *why = HISTORY_WORLD;
    if (use == HISTORY_READ) {
        fd = h->open(h->self, path, O_RDONLY, 0);
        if (fd < 0) {
            *why = fd == -ENOENT ? HISTORY_MISSING : HISTORY_WORLD;
            error_set(err, "%s: %s", path, strerrordesc_np(-fd));
            return fd;
        }
        h->close(h->self, fd);
    }
    history = calloc(1, sizeof(*history));
    if (history != NULL)
        history->path = strdup(path);
    if (history == NULL || history->path == NULL) {
        error_set(err, "%s: out of memory", path);
        rc = -ENOMEM;
    } else {
        rc = open_file(history, directory, use, why, err);
    }
    if (rc != 0) {
        history_close(history);
        return rc;
    }
    *why = HISTORY_FINE;
    *out = history;
    return 0;
}

void history_close(struct history *history)
{
    if (history == NULL)
        return;
    for (int i = 0; i < QUERY_COUNT; i++)
        sql_query_release(history->query[i]);
    sql_close(history->sql);
    free(history->path);
    free(history);
}

struct sql *history_sql(struct history *history)
{
    return history->sql;
}

void history_state(const struct history *history, struct history_state *out)
{
    *out = history->state;
}

/* ---- writing ---- */

/* A transaction begins with its first row. */
int history_begin(struct history *history, struct error *err)
{
    int rc = history->is_open ? 0 : sql_run(history->sql, "BEGIN IMMEDIATE", err);

    history->is_open = rc == 0;
    return rc;
}

static int put_place(struct history *history, struct error *err)
{
    struct sql_query *query = history->query[QUERY_PLACE];
    const struct history_state *state = &history->state;

    sql_set_int(query, 1, (int64_t)state->place.frame);
    sql_set_int(query, 2, state->place.crc);
    sql_set_int(query, 3, state->to_ms);
    sql_set_int(query, 4, state->now_ms);
    sql_set_int(query, 5, (int64_t)state->missed);
    sql_set_int(query, 6, (int64_t)state->removed);
    return sql_do(query, err);
}

int history_commit(struct history *history, struct error *err)
{
    int rc = history_begin(history, err);

    if (rc == 0)
        rc = put_place(history, err);
    if (rc == 0)
        rc = sql_run(history->sql, "COMMIT", err);
    if (rc != 0)
        return rc;
    history->is_open = false;
    history->rows = 0;
    return 0;
}

uint64_t history_rows(const struct history *history)
{
    return history->rows;
}

void history_clock(struct history *history, int64_t now_ms)
{
    if (now_ms > history->state.now_ms)
        history->state.now_ms = now_ms;
}

void history_miss(struct history *history, uint64_t frames)
{
    history->state.missed += frames;
}

static int put_incident(struct history *history, const struct incident *inc, uint64_t frame,
                        struct error *err)
{
    const char *const texts[] = {inc->title,    inc->tier,  inc->runbook, inc->team,    inc->source,
                                 inc->resource, inc->check, inc->host,    inc->muted_by};
    struct sql_query *query = history->query[QUERY_INCIDENT];
    int at = 11;

    sql_set_id(query, 1, inc->id);
    sql_set_int(query, 2, inc->opened_ms);
    if (inc->change == INCIDENT_CLOSED || inc->is_forgotten)
        sql_set_int(query, 3, inc->at_ms);
    else
        sql_set_null(query, 3);
    sql_set_int(query, 4, inc->at_ms);
    sql_set_int(query, 5, inc->first_ts_ms);
    sql_set_text(query, 6, inc->tenant);
    sql_set_text(query, 7, inc->rule_id);
    sql_set_text(query, 8, inc->key);
    sql_set_text(query, 9, severity_name((enum severity)inc->severity));
    sql_set_text(query, 10, priority_name((enum priority)inc->priority));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        sql_set_text(query, at++, texts[i]);
    sql_set_int(query, at++, inc->change_number);
    sql_set_int(query, at++, (int64_t)inc->event_count);
    sql_set_int(query, at++, inc->alert_count);
    sql_set_int(query, at++, inc->open_count);
    sql_set_text(query, at++, incident_cause_name(inc->cause));
    sql_set_int(query, at, (int64_t)frame);
    return sql_do(query, err);
}

static int put_change(struct history *history, const struct incident *inc, uint64_t frame,
                      struct error *err)
{
    struct sql_query *query = history->query[QUERY_CHANGE];

    sql_set_id(query, 1, inc->id);
    sql_set_int(query, 2, inc->change_number);
    sql_set_int(query, 3, inc->at_ms);
    sql_set_text(query, 4, incident_change_name(inc->change));
    sql_set_text(query, 5, incident_cause_name(inc->cause));
    sql_set_text(query, 6, severity_name((enum severity)inc->severity));
    sql_set_text(query, 7, priority_name((enum priority)inc->priority));
    sql_set_int(query, 8, (int64_t)inc->event_count);
    sql_set_int(query, 9, inc->alert_count);
    sql_set_int(query, 10, inc->open_count);
    sql_set_text(query, 11, inc->title);
    sql_set_text(query, 12, inc->why);
    sql_set_text(query, 13, inc->message);
    sql_set_text(query, 14, inc->muted_by);
    sql_set_int(query, 15, (int64_t)frame);
    return sql_do(query, err);
}

/* Where a person made it. */
static int put_hand(struct history *history, const struct incident *inc, uint64_t frame,
                    struct error *err)
{
    struct sql_query *query = history->query[QUERY_HAND];

    if (inc->by[0] == '\0')
        return 0;
    history->rows++;
    sql_set_id(query, 1, inc->id);
    sql_set_int(query, 2, inc->change_number);
    sql_set_text(query, 3, inc->by);
    sql_set_text(query, 4, inc->comment);
    sql_set_int(query, 5, (int64_t)frame);
    return sql_do(query, err);
}

int history_put_change(struct history *history, const struct incident *inc, uint64_t frame,
                       struct error *err)
{
    int rc = history_begin(history, err);

    if (rc == 0)
        rc = put_incident(history, inc, frame, err);
    if (rc == 0)
        rc = put_change(history, inc, frame, err);
    if (rc == 0)
        rc = put_hand(history, inc, frame, err);
    history->rows += 2;
    return rc;
}

static int take_change(struct history *history, const struct incident *inc, uint64_t frame,
                       struct error *err)
{
    history->last = inc->id;
    history->last_number = inc->change_number;
    history->last_ms = inc->at_ms;
    return history_put_change(history, inc, frame, err);
}

static int take_member(struct history *history, const struct journal_member *member, uint64_t frame,
                       struct error *err)
{
    const char *const texts[] = {member->source, member->resource, member->check, member->dedup_key,
                                 member->host};
    struct sql_query *query = history->query[QUERY_MEMBER];
    int rc = history_begin(history, err), at = 2;

    if (rc != 0)
        return rc;
    sql_set_id(query, 1, member->incident);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        sql_set_text(query, at++, texts[i]);
    sql_set_text(query, at++, severity_name((enum severity)member->severity));
    sql_set_int(query, at++, member->at_ms);
    sql_set_int(query, at, (int64_t)frame);
    history->rows++;
    return sql_do(query, err);
}

static int take_op(struct history *history, const struct journal_op *op, uint64_t frame,
                   struct error *err)
{
    struct sql_query *query = history->query[QUERY_OP];
    bool follows = id128_equal(history->last, op->incident);
    int rc = history_begin(history, err);

    if (rc != 0)
        return rc;
    sql_set_id(query, 1, op->id);
    sql_set_id(query, 2, op->incident);
    sql_set_int(query, 3, follows ? history->last_number : 0);
    sql_set_text(query, 4, op->sink);
    sql_set_int(query, 5, op->number);
    sql_set_text(query, 6, op_kind_name((enum op_kind)op->kind));
    sql_set_int(query, 7, follows ? history->last_ms : history->state.to_ms);
    sql_set_int(query, 8, (int64_t)frame);
    history->rows++;
    return sql_do(query, err);
}

static int take_op_state(struct history *history, const struct journal_op_state *state,
                         uint64_t frame, struct error *err)
{
    struct sql_query *query = history->query[QUERY_OP_STATE];
    bool is_known = frame <= history->taken_up_to;
    int rc = history_begin(history, err);

    if (rc != 0)
        return rc;
    sql_set_id(query, 1, state->op);
    sql_set_text(query, 2, fates[state->fate]);
    sql_set_int(query, 3, state->at_ms);
    sql_set_int(query, 4, state->may_exist);
    sql_set_text(query, 5, state->reference);
    sql_set_text(query, 6, state->label);
    sql_set_text(query, 7, state->reason);
    sql_set_int(query, 8, is_known ? (int64_t)history->taken_before : 0);
    history->rows++;
    return sql_do(query, err);
}

int history_take(struct history *history, const struct journal_record *record,
                 const struct journal_place *place, struct error *err)
{
    struct history_state *state = &history->state;

    state->place = *place;
    switch (record->kind) {
    case JOURNAL_GROUP:
        if (record->group.to_ms > record->group.from_ms)
            state->to_ms = record->group.to_ms;
        history_clock(history, record->group.n_ms);
        history->last = (struct id128){0};
        return 0;
    case JOURNAL_CHANGE:
        return take_change(history, &record->change, place->frame, err);
    case JOURNAL_MEMBER:
        return take_member(history, &record->member, place->frame, err);
    case JOURNAL_OP:
        return take_op(history, &record->op, place->frame, err);
    case JOURNAL_OP_STATE:
        return take_op_state(history, &record->op_state, place->frame, err);
    case JOURNAL_PART:
    case JOURNAL_POSITION:
    case JOURNAL_MARK:
    case JOURNAL_COUNTS:
    case JOURNAL_RULES:
    case JOURNAL_KIND_COUNT:
        break;
    }
    return 0;
}

/* ---- retention ---- */

int history_bytes(struct history *history, uint64_t *out, struct error *err)
{
    struct sql_query *query = history->query[QUERY_USED];
    int rc = sql_step(query, err);

    if (rc == 1)
        *out = (uint64_t)sql_int(query, 0);
    sql_rewind(query);
    return rc < 0 ? rc : 0;
}

static int drop(struct history *history, const struct id128 *id, struct error *err)
{
    static const enum query_name parts[] = {QUERY_DROP_CHANGES, QUERY_DROP_HANDS,
                                            QUERY_DROP_MEMBERS, QUERY_DROP_OPS, QUERY_DROP};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof(parts) / sizeof(parts[0]); i++) {
        struct sql_query *query = history->query[parts[i]];
        sql_set_id(query, 1, *id);
        rc = sql_do(query, err);
        history->rows += (uint64_t)sql_changes(history->sql);
    }
    history->state.removed++;
    return rc;
}

/* The first of those that the query gives; `count` says how many. */
static int drop_some(struct history *history, struct sql_query *query, size_t *count,
                     struct error *err)
{
    struct id128 ids[TRIM_INCIDENTS];
    size_t found = 0;
    int rc;

    while ((rc = sql_step(query, err)) == 1)
        if (found < TRIM_INCIDENTS && sql_id(query, 0, &ids[found]))
            found++;
    if (rc == 0 && found > 0)
        rc = history_begin(history, err);
    for (*count = 0; rc == 0 && *count < found && history->rows < TRIM_ROWS; (*count)++)
        rc = drop(history, &ids[*count], err);
    if (rc == 0 && found > 0)
        rc = history_commit(history, err);
    return rc;
}

int history_trim(struct history *history, const struct history_limits *limits, struct error *err)
{
    struct sql_query *query = NULL;
    char give_back[64];
    uint64_t bytes = 0;
    size_t count = 0;
    int rc = history_bytes(history, &bytes, err);

    if (rc != 0)
        return rc;
    if (limits->keep_ms > 0 && history->state.now_ms > INT64_MIN + limits->keep_ms) {
        query = history->query[QUERY_OLD];
        sql_set_int(query, 1, history->state.now_ms - limits->keep_ms);
        sql_set_int(query, 2, TRIM_INCIDENTS);
        rc = drop_some(history, query, &count, err);
    }
    if (rc == 0 && count == 0 && limits->bytes_max > 0 && bytes > limits->bytes_max) {
        query = history->query[QUERY_OLDEST];
        sql_set_int(query, 1, TRIM_INCIDENTS);
        rc = drop_some(history, query, &count, err);
    }
    if (rc != 0 || count == 0)
        return rc;
    snprintf(give_back, sizeof(give_back), "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
    rc = sql_run(history->sql, give_back, err);
    return rc != 0 ? rc : 1;
}

/* ---- made anew ---- */

int history_take_over(struct history *history, const char *path, uint64_t before, struct error *err)
{
    static const char *const copies[] = {
        "INSERT INTO main.incident SELECT * FROM old.incident WHERE frame < ?1",
        "INSERT INTO main.member SELECT * FROM old.member WHERE frame < ?1",
        "INSERT INTO main.change SELECT * FROM old.change WHERE frame < ?1",
        "INSERT INTO main.notification SELECT * FROM old.notification WHERE frame < ?1",
        "INSERT INTO main.hand SELECT * FROM old.hand WHERE frame < ?1", /* not in version 1 */
    };
    struct sql_query *query;
    size_t count = sizeof(copies) / sizeof(copies[0]);
    int64_t up_to = 0, version = 0;
    int rc = sql_prepare(history->sql, "ATTACH ?1 AS old", &query, err);

    if (rc != 0)
        return rc;
    sql_set_text(query, 1, path);
    rc = sql_do(query, err);
    sql_query_release(query);
    if (rc != 0)
        return rc;
    rc = sql_ask_int(history->sql, "SELECT frame FROM old.place", 0, &up_to, err);
    if (rc == 0)
        rc = sql_ask_int(history->sql, "PRAGMA old.user_version", 0, &version, err);
    count -= version == 1;
    if (rc == 0)
        rc = history_begin(history, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = sql_prepare(history->sql, copies[i], &query, err);
        if (rc != 0)
            break;
        sql_set_int(query, 1, (int64_t)before);
        rc = sql_do(query, err);
        sql_query_release(query);
    }
    if (rc == 0)
        rc = history_commit(history, err);
    if (rc != 0)
        return rc;
    history->taken_before = before;
    history->taken_up_to = (uint64_t)up_to;
    return sql_run(history->sql, "DETACH old", err);
}
