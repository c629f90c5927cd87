/*
 * history_world.h - for tests: a journal on the real disk (SQLite reaches its files by itself), in
 * the working folder of the test, and what a history of it holds, as text.
 */
#ifndef TESTS_HISTORY_WORLD_H
#define TESTS_HISTORY_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/host.h"
#include "store/history.h"
#include "store/segment_walk.h"

#define HISTORY_PATH "history.db"
enum { WAIT_S = 60, WORLD_DAY_MS = 86400000 };

static struct segment_config history_journal = {
    .folder = "journal", .kind = "journal", .directory = {1, 2}, .segment_bytes = 64 << 10};
static struct segment_log *history_log;
static struct journal_buffer history_group;
static uint64_t history_frame;            /* of the last group */
static const char *history_acked_by = ""; /* says each change from now on */

/* A folder of its own, in which files may be removed. */
static inline int world_folder(void **unused)
{
    (void)unused;
    mkdir("history_world", 0700);
    return chdir("history_world");
}

static inline void forget_file(void *folder, const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", (const char *)folder, name);
    unlink(path);
}

static inline void open_log(void)
{
    struct segment_walk *walk;
    struct segment_frame frame;
    enum segment_refusal why;
    struct error err = {""};

    if (segment_walk_create(&history_journal, &walk, &why, &err) != 0)
        fail_msg("%s", err.text);
    while (segment_walk_next(walk, &frame, &err) == 1)
        history_frame = frame.number;
    if (segment_log_open(&history_journal, segment_walk_end(walk), &history_log, &err) != 0)
        fail_msg("%s", err.text);
    segment_walk_destroy(walk);
}

/* What the journal syncs need not be on the disk here. */
static inline int no_sync(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

static inline void world_begin(void)
{
    static struct host quick;

    quick = *host();
    quick.sync = no_sync;
    host_set(&quick);
    char journal[] = "journal", here[] = ".";

    mkdir(journal, 0700);
    host()->list(host()->self, journal, forget_file, journal);
    host()->list(host()->self, here, forget_file, here);
    history_frame = 0;
    open_log();
}

static inline void world_end(void)
{
    segment_log_destroy(history_log);
    history_log = NULL;
    journal_buffer_release(&history_group);
}

static inline void put(const struct journal_record *record)
{
    journal_put(&history_group, record);
}

/* Closed time from `from_ms` to `to_ms`, at that time by the daemon's clock. */
static inline void group(int64_t from_ms, int64_t to_ms)
{
    put(&(struct journal_record){.kind = JOURNAL_GROUP,
                                 .group = {from_ms, to_ms, to_ms, to_ms, "tocsin x"}});
}

static inline void commit_as(uint32_t kind)
{
    struct error err = {""};

    if (segment_log_append(history_log, kind, history_group.bytes.at, history_group.bytes.count,
                           &history_frame, &err) != 0 ||
        segment_log_sync(history_log, &err) != 0)
        fail_msg("%s", err.text);
    history_group.bytes.count = 0;
}

static inline void commit(void)
{
    commit_as(JOURNAL_FRAME_FIRST | JOURNAL_FRAME_LAST);
}

/* A change of incident `number`; all that is not said follows from its number. */
static inline void change(uint64_t number, uint32_t of, enum incident_change what, int64_t at_ms)
{
    static const char *const rules[] = {"disk-full", "link-down", "no-sign"};
    struct journal_record record = {.kind = JOURNAL_CHANGE};
    struct incident inc;
    char key[64], title[64];

    memset((void *)&inc, 0, sizeof(inc));
    snprintf(key, sizeof(key), "tenant=acme host=db%" PRIu64, number);
    snprintf(title, sizeof(title), "db%" PRIu64 " is full: %" PRIu32, number, of);
    inc.id = (struct id128){0xabc0000000000000u + number, number};
    inc.change = what;
    inc.cause = what == INCIDENT_CLOSED    ? CAUSE_CLEARED
                : what == INCIDENT_UPDATED ? CAUSE_GREW
                                           : CAUSE_RULE;
    inc.at_ms = at_ms;
    inc.opened_ms = at_ms - 30 * (int64_t)(of - 1);
    inc.first_ts_ms = inc.opened_ms - 5;
    inc.change_number = of;
    inc.severity = SEVERITY_CRITICAL;
    inc.priority = PRIORITY_P2;
    inc.event_count = 2 * of;
    inc.alert_count = of;
    inc.open_count = what == INCIDENT_CLOSED ? 0 : of;
    inc.tenant = "acme";
    inc.rule_id = rules[number % 3];
    inc.key = key;
    inc.title = title;
    inc.why = "5 events in 10m (needs 5)";
    inc.message = "95 % of /var";
    inc.tier = inc.runbook = inc.source = inc.resource = inc.check = inc.muted_by = inc.fields = "";
    inc.team = "storage";
    inc.acked_by = history_acked_by;
    inc.by = inc.comment = "";
    inc.host = "db";
    memcpy((void *)&record.change, (void *)&inc, sizeof(inc));
    put(&record);
}

static inline struct id128 op_id(uint64_t number, uint32_t of)
{
    return (struct id128){number, of};
}

/* Of the change before it. */
static inline void op(uint64_t number, uint32_t of, enum op_kind kind, const char *sink)
{
    put(&(struct journal_record){
        .kind = JOURNAL_OP,
        .op = {
            op_id(number, of), {0xabc0000000000000u + number, number}, of, (uint8_t)kind, sink}});
}

static inline void state(uint64_t number, uint32_t of, enum journal_fate fate, int64_t at_ms,
                         const char *label, const char *reason)
{
    put(&(struct journal_record){.kind = JOURNAL_OP_STATE,
                                 .op_state = {.op = op_id(number, of),
                                              .fate = (uint8_t)fate,
                                              .at_ms = at_ms,
                                              .reference = label[0] != '\0' ? "sys9" : "",
                                              .label = label,
                                              .reason = reason}});
}

static inline void member(uint64_t number, const char *check, int64_t at_ms)
{
    char resource[32], host_[64];

    snprintf(resource, sizeof(resource), "db%" PRIu64, number);
    snprintf(host_, sizeof(host_), "db%" PRIu64 ".example.org", number);
    put(&(struct journal_record){.kind = JOURNAL_MEMBER,
                                 .member = {.incident = {0xabc0000000000000u + number, number},
                                            .at_ms = at_ms,
                                            .source = "prom",
                                            .resource = resource,
                                            .check = check,
                                            .dedup_key = "",
                                            .host = host_,
                                            .severity = SEVERITY_WARNING}});
}

/* Incident `number`: opened and told, refused once, updated, closed and resolved, in three groups
 * from `at_ms` on. */
static inline void whole_incident(uint64_t number, int64_t at_ms)
{
    group(at_ms, at_ms + 20);
    change(number, 1, INCIDENT_OPENED, at_ms);
    op(number, 1, OP_OPEN, "pager");
    member(number, "disk", at_ms);
    member(number, "inodes", at_ms + 10);
    member(number, "disk", at_ms + 15); /* it was one already */
    commit();
    group(at_ms + 20, at_ms + 20);
    state(number, 1, JOURNAL_FATE_RETRY, at_ms + 21, "", "");
    state(number, 1, JOURNAL_FATE_DONE, at_ms + 22, "INC12", "");
    commit();
    group(at_ms + 20, at_ms + 40);
    change(number, 2, INCIDENT_CLOSED, at_ms + 30);
    op(number, 2, OP_RESOLVE, "pager");
    commit();
}

/* What stands in a table, a row a line; the caller frees it. */
static inline char *rows_of(struct sql *sql, const char *table)
{
    struct sql_query *query;
    struct error err = {""};
    char text[4096], *columns;

    snprintf(text, sizeof(text),
             "SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ') "
             "FROM pragma_table_info('%s')",
             table);
    if (sql_prepare(sql, text, &query, &err) != 0 || sql_step(query, &err) != 1)
        fail_msg("%s", err.text);
    columns = strdup(sql_text(query, 0));
    sql_query_release(query);
    snprintf(text, sizeof(text),
             "SELECT group_concat(line, char(10)) FROM (SELECT %s AS line "
             "FROM %s ORDER BY 1)",
             columns, table);
    free(columns);
    if (sql_prepare(sql, text, &query, &err) != 0 || sql_step(query, &err) != 1)
        fail_msg("%s", err.text);
    columns = strdup(sql_text(query, 0));
    sql_query_release(query);
    return columns;
}

static inline char *rows_of_file(const char *path)
{
    static const char *const tables[] = {"incident", "change", "member", "notification"};
    struct error err = {""};
    enum history_refusal why;
    struct history *history;
    char *all = NULL;
    size_t bytes;
    FILE *to = open_memstream(&all, &bytes);

    if (history_open(path, history_journal.directory, HISTORY_READ, &history, &why, &err) != 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        char *rows = rows_of(history_sql(history), tables[i]);
        fprintf(to, "%s:\n%s\n", tables[i], rows);
        free(rows);
    }
    fclose(to);
    history_close(history);
    return all;
}

static inline int64_t ask(const char *path, const char *question)
{
    struct error err = {""};
    enum history_refusal why;
    struct history *history;
    int64_t answer = -1;

    if (history_open(path, history_journal.directory, HISTORY_READ, &history, &why, &err) != 0 ||
        sql_ask_int(history_sql(history), question, -1, &answer, &err) != 0)
        fail_msg("%s", err.text);
    history_close(history);
    return answer;
}

static inline void short_rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

#endif
