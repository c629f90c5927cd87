/*
 * sql.h - a database file of SQLite, as far as the history needs it: the one door to the library.
 *
 * A file may come from anywhere: what it holds is not trusted (no functions of its schema run, its
 * pages are checked as they are read), and whoever opens it compares its schema first.
 *
 * SQLite reaches its files by itself and not through base/host.h: nothing that is promised rests on
 * them, they are written behind the journal and can be made anew from it.
 *
 * Errors: 0 or a negative errno with a sentence that names the file: -ENOSPC the disk is full,
 *         -EBADMSG it is damaged or no database, -EAGAIN another process holds it, -ETIMEDOUT the
 *         time given by sql_deadline() is over, -ENOMEM, -EIO and others.
 * Thread: a database and its queries belong to one thread at a time.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"

struct sql;
struct sql_query;

enum sql_use {
    SQL_WRITE, /* the file exists, if only empty */
    SQL_READ,  /* beside a process that writes, too */
};

/* Owner: the caller, until sql_close(). */
int sql_open(const char *path, enum sql_use use, struct sql **out, struct error *err);
/* Its queries are released before. NULL is allowed. */
void sql_close(struct sql *sql);

/* Runs statements that give no rows. */
int sql_run(struct sql *sql, const char *text, struct error *err);

/* What is asked of it from now on has to be done by then; 0: there is no end. */
void sql_deadline(struct sql *sql, uint64_t mono_ns);

/* Rows that the last statement changed. */
int64_t sql_changes(struct sql *sql);

/* One statement, to be run again and again.
 * Owner: the caller, until sql_query_release(). */
int sql_prepare(struct sql *sql, const char *text, struct sql_query **out, struct error *err);
void sql_query_release(struct sql_query *query);

/* Parameters count from 1, and are kept until they are set again; texts are copied. A text that is
 * NULL is none. An id is a blob whose bytes are in the order of its digits. */
void sql_set_int(struct sql_query *query, int at, int64_t value);
void sql_set_text(struct sql_query *query, int at, const char *text);
void sql_set_id(struct sql_query *query, int at, struct id128 id);
void sql_set_null(struct sql_query *query, int at);

/* 1 and a row, 0 behind the last one; then it stands at its beginning again. */
int sql_step(struct sql_query *query, struct error *err);
/* To its beginning, before its rows have all been seen. */
void sql_rewind(struct sql_query *query);
/* Runs it to its end; what rows it gives are not looked at. */
int sql_do(struct sql_query *query, struct error *err);

/* Columns count from 0. A text is never NULL, and good until the next step. */
int64_t sql_int(struct sql_query *query, int at);
bool sql_is_null(struct sql_query *query, int at);
const char *sql_text(struct sql_query *query, int at);
/* False: the column is no id. */
bool sql_id(struct sql_query *query, int at, struct id128 *out);

/* The first column of the first row; `fallback` where there is none. */
int sql_ask_int(struct sql *sql, const char *text, int64_t fallback, int64_t *out,
                struct error *err);

#endif
