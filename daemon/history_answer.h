/*
 * history_answer.h - what the admin server says of the history: the list of incidents, or one's
 * story, as JSON.
 *
 * The server has one thread, so an answer is bounded: HISTORY_ANSWER_ROWS incidents at most, and
 * HISTORY_ANSWER_MS, after which it is given up with a sentence.
 *
 * Thread: admin.
 */
#ifndef DAEMON_HISTORY_ANSWER_H
#define DAEMON_HISTORY_ANSWER_H

#include <stdio.h>
#include "base/event.h"
#include "daemon/admin.h"

enum { HISTORY_ANSWER_ROWS = 1000, HISTORY_ANSWER_MS = 250 };

/* `path`: of the file, which belongs to the data directory; `as_of_ms` as in history_json.h. The
 * story of pick->incident, or without one the list. Errors: -EINVAL and -ENOENT blame the request,
 * others us; with a sentence. */
int history_answer(const char *path, struct id128 directory, int64_t as_of_ms,
                   const struct admin_pick *pick, FILE *to, struct error *err);

#endif
