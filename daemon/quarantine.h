/*
 * quarantine.h - keeps the beginning of every record that was refused (semantics F1).
 *
 *   {"at":"2026-...Z","topic":"events","partition":0,"offset":17,"reason":"parse","byte":12,
 *    "why":"...","bytes":300,"head":"..."}
 *
 * The file is bounded: at half the bound it becomes FILE.1, replacing an older one, and
 * a new one begins; what FILE.1 held before is counted as dropped.
 *
 * Thread: quarantine_add() by any thread (one mutex: refused records are rare, and
 *         a flood of them is no reason to be fast).
 */
#ifndef DAEMON_QUARANTINE_H
#define DAEMON_QUARANTINE_H

#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "ingest/source.h"

struct quarantine;

enum { QUARANTINE_HEAD_BYTES = 256 };

/* Opens `path` for appending. Owner: the caller, until quarantine_close().
 * Errors: NULL with a sentence. */
struct quarantine *quarantine_open(const char *path, int64_t bytes_max, struct error *err);
void quarantine_close(struct quarantine *quarantine);

/* Opens the path again: the file may have been renamed, to be kept. When that fails, says so and
 * goes on with the open one. NULL is allowed. Thread: any. */
void quarantine_reopen(struct quarantine *quarantine);

void quarantine_add(struct quarantine *quarantine, const char *topic, int32_t partition,
                    const struct record *record, enum reject_reason reason, uint32_t at,
                    const char *why);

struct quarantine_counters {
    uint64_t written; /* records kept */
    uint64_t dropped; /* kept once, gone with a replaced FILE.1 */
    uint64_t failed;  /* not kept: the write failed */
};
/* NULL gives zeros. */
void quarantine_counters(struct quarantine *quarantine, struct quarantine_counters *out);

#endif
