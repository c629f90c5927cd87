/*
 * sql.c - see sql.h.
 */
#include "store/sql.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

enum {
    WRITER_BUSY_MS = 2000,
    READER_BUSY_MS = 200,
    PROGRESS_STEPS = 1000,
    LENGTH_MAX = 16 << 20,
    PATH_BYTES = 3 * 4200
};

struct sql {
    sqlite3 *db;
    char *path;
    uint64_t deadline_ns; /* 0: none */
};

struct sql_query {
    struct sql *sql;
    sqlite3_stmt *stmt;
    int wrong; /* the first parameter that could not be set: an SQLite code; 0: none */
};

static int errno_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_SCHEMA:
        return -EBADMSG;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EAGAIN;
    case SQLITE_INTERRUPT:
        return -ETIMEDOUT;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return -EACCES;
    case SQLITE_READONLY:
        return -EROFS;
    default:
        return -EIO;
    }
}

static int fail(struct sql *sql, int code, struct error *err)
{
    if ((code & 0xff) == SQLITE_INTERRUPT)
        error_set(err, "%s: it took too long, and was given up", sql->path);
    else
        error_set(err, "%s: %s", sql->path,
                  sql->db != NULL ? sqlite3_errmsg(sql->db) : sqlite3_errstr(code));
    return errno_of(code);
}

/* True ends what runs. */
static int is_late(void *self)
{
    const struct sql *sql = self;

    return sql->deadline_ns != 0 && host_mono_ns() > sql->deadline_ns;
}

/* A file that nobody writes has no log beside it, and is read without any: SQLite would make one,
 * and who only looks leaves nothing behind. */
static bool is_at_rest(const char *path)
{
    const struct host *h = host();
    char log[PATH_BYTES];
    int fd;

    snprintf(log, sizeof(log), "%s-wal", path);
    fd = h->open(h->self, log, O_RDONLY, 0);
    if (fd >= 0)
        h->close(h->self, fd);
    return fd == -ENOENT;
}

/* "file:/a%20b?immutable=1", cut where it is too long: then there is no such file. */
static void put_uri(const char *path, char to[PATH_BYTES])
{
    size_t used = (size_t)snprintf(to, PATH_BYTES, "file:");

    for (; *path != '\0' && used + sizeof("%00?immutable=1") < PATH_BYTES; path++)
        if ((*path >= 'a' && *path <= 'z') || (*path >= 'A' && *path <= 'Z') ||
            (*path >= '0' && *path <= '9') || strchr("/._-", *path) != NULL)
            to[used++] = *path;
        else
            used += (size_t)snprintf(to + used, PATH_BYTES - used, "%%%02x", (unsigned char)*path);
    snprintf(to + used, PATH_BYTES - used, "?immutable=1");
}

int sql_open(const char *path, enum sql_use use, struct sql **out, struct error *err)
{
    bool is_still = use == SQL_READ && is_at_rest(path);
    char uri[PATH_BYTES];
    struct sql *sql = calloc(1, sizeof(*sql));
    int code = SQLITE_NOMEM, rc;

    if (sql != NULL)
        sql->path = strdup(path);
    if (sql == NULL || sql->path == NULL) {
        free(sql);
        error_set(err, "%s: out of memory", path);
        return -ENOMEM;
    }
    put_uri(path, uri);
    code = sqlite3_open_v2(is_still ? uri : path, &sql->db,
                           (use == SQL_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                               SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                               (is_still ? SQLITE_OPEN_URI : 0),
                           NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(sql->db, 1);
        sqlite3_busy_timeout(sql->db, use == SQL_READ ? READER_BUSY_MS : WRITER_BUSY_MS);
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
        sqlite3_db_config(sql->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
        sqlite3_limit(sql->db, SQLITE_LIMIT_LENGTH, LENGTH_MAX);
        sqlite3_progress_handler(sql->db, PROGRESS_STEPS, is_late, sql);
        code = sqlite3_exec(sql->db, "PRAGMA cell_size_check = on; PRAGMA mmap_size = 0", NULL,
                            NULL, NULL);
    }
    if (code != SQLITE_OK) {
        rc = fail(sql, code, err);
        sql_close(sql);
        return rc;
    }
    *out = sql;
    return 0;
}

void sql_close(struct sql *sql)
{
    if (sql == NULL)
        return;
    sqlite3_close(sql->db);
    free(sql->path);
    free(sql);
}

int sql_run(struct sql *sql, const char *text, struct error *err)
{
    int code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);

    return code == SQLITE_OK ? 0 : fail(sql, code, err);
}

void sql_deadline(struct sql *sql, uint64_t mono_ns)
{
    sql->deadline_ns = mono_ns;
}

int64_t sql_changes(struct sql *sql)
{
    return sqlite3_changes64(sql->db);
}

/* ---- queries ---- */

int sql_prepare(struct sql *sql, const char *text, struct sql_query **out, struct error *err)
{
    struct sql_query *query = calloc(1, sizeof(*query));
    int code, rc;

    if (query == NULL) {
        error_set(err, "%s: out of memory", sql->path);
        return -ENOMEM;
    }
    query->sql = sql;
    code = sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
    if (code != SQLITE_OK) {
        rc = fail(sql, code, err);
        free(query);
        return rc;
    }
    *out = query;
    return 0;
}

void sql_query_release(struct sql_query *query)
{
    if (query == NULL)
        return;
    sqlite3_finalize(query->stmt);
    free(query);
}

static void note(struct sql_query *query, int code)
{
    if (code != SQLITE_OK && query->wrong == 0)
        query->wrong = code;
}

void sql_set_int(struct sql_query *query, int at, int64_t value)
{
    note(query, sqlite3_bind_int64(query->stmt, at, value));
}

void sql_set_text(struct sql_query *query, int at, const char *text)
{
    note(query, sqlite3_bind_text(query->stmt, at, text, -1, SQLITE_TRANSIENT));
}

static uint64_t big_endian(uint64_t value)
{
    return __builtin_bswap64(value);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files go from machine to machine");

void sql_set_id(struct sql_query *query, int at, struct id128 id)
{
    const uint64_t bytes[2] = {big_endian(id.hi), big_endian(id.lo)};

    note(query, sqlite3_bind_blob(query->stmt, at, bytes, sizeof(bytes), SQLITE_TRANSIENT));
}

void sql_set_null(struct sql_query *query, int at)
{
    note(query, sqlite3_bind_null(query->stmt, at));
}

int sql_step(struct sql_query *query, struct error *err)
{
    int code = query->wrong != 0 ? query->wrong : sqlite3_step(query->stmt), rc = 0;

    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        rc = fail(query->sql, code, err);
    query->wrong = 0;
    sqlite3_reset(query->stmt);
    return rc;
}

void sql_rewind(struct sql_query *query)
{
    sqlite3_reset(query->stmt);
}

int sql_do(struct sql_query *query, struct error *err)
{
    int rc = sql_step(query, err);

    if (rc == 1)
        sql_rewind(query);
    return rc < 0 ? rc : 0;
}

int64_t sql_int(struct sql_query *query, int at)
{
    return sqlite3_column_int64(query->stmt, at);
}

bool sql_is_null(struct sql_query *query, int at)
{
    return sqlite3_column_type(query->stmt, at) == SQLITE_NULL;
}

const char *sql_text(struct sql_query *query, int at)
{
    const char *text = (const char *)sqlite3_column_text(query->stmt, at);

    return text != NULL ? text : "";
}

bool sql_id(struct sql_query *query, int at, struct id128 *out)
{
    uint64_t bytes[2];

    if (sqlite3_column_type(query->stmt, at) != SQLITE_BLOB ||
        (size_t)sqlite3_column_bytes(query->stmt, at) != sizeof(bytes))
        return false;
    memcpy(bytes, sqlite3_column_blob(query->stmt, at), sizeof(bytes));
    *out = (struct id128){big_endian(bytes[0]), big_endian(bytes[1])};
    return true;
}

int sql_ask_int(struct sql *sql, const char *text, int64_t fallback, int64_t *out,
                struct error *err)
{
    struct sql_query *query;
    int rc = sql_prepare(sql, text, &query, err);

    if (rc != 0)
        return rc;
    rc = sql_step(query, err);
    *out = rc == 1 ? sql_int(query, 0) : fallback;
    sql_query_release(query);
    return rc < 0 ? rc : 0;
}
