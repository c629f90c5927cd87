/*
 * why_daemon.h - what only the running daemon knows of an answer: how far its clock has come, what
 * of its incidents waits for which sink and why, what was given up, and whether its rules were
 * switched.
 *
 * Thread: one; blocks until the daemon has answered.
 */
#ifndef DAEMON_WHY_DAEMON_H
#define DAEMON_WHY_DAEMON_H

#include "base/error.h"
#include "daemon/config.h"
#include "daemon/why.h"

/* Between which times the daemon at "host:port" has decided, also where no event came: its first
 * watermark and the one of now. Both INT64_MIN: there is none, or it does not answer. */
void why_daemon_span(const char *address, int64_t *begin_ms, int64_t *watermark_ms);

/* Asks the admin server of `config` about the incidents of the answer and about the keys that it
 * runs with, and adds what it says to it. A daemon that does not answer is a remark, not a failure.
 * `has_rules`: the answer was made with the rules that it had; `reads_as_daemon`: records were read
 * as it read them. */
void why_daemon_ask(struct why *why, const struct config *config, bool has_rules,
                    bool reads_as_daemon);

#endif
