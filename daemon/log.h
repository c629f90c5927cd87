/*
 * log.h - what the daemon says, one line for each thing that happened, to stderr.
 *
 *   log_event(LOG_WARNING, "sink_held", log_text("sink", name), log_number("waiting", n));
 *
 *   text: time=2026-02-01T10:00:00.250Z level=warning event=sink_held sink=pager waiting=7
 *   json: {"time":"2026-02-01T10:00:00.250Z","level":"warning","event":"sink_held", ...}
 *
 * The same line again (event and texts equal; numbers may differ) is written LOG_BURST
 * times in LOG_INTERVAL_MS; what is held back is counted and told with the next
 * line of its kind, or by log_flush().
 *
 * Thread: everything by any thread. A line is written whole, by one write(2).
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR }; /* as `log.level` */
enum log_format { LOG_TEXT, LOG_JSON };                         /* as `log.format` */

enum {
    LOG_LINE_BYTES_MAX = 4096, /* longer lines are cut, and say so */
    LOG_BURST = 5,
    LOG_INTERVAL_MS = 10000,
    LOG_KINDS_MAX = 256 /* different lines remembered for holding back */
};

struct log_field {
    const char *name;
    const char *text; /* NULL: `number` counts */
    int64_t number;
};

static inline struct log_field log_text(const char *name, const char *text)
{
    return (struct log_field){name, text != NULL ? text : "", 0};
}

static inline struct log_field log_number(const char *name, int64_t number)
{
    return (struct log_field){name, NULL, number};
}

#define log_event(level, event, ...)                                                               \
    log_write((level), (event), (const struct log_field[]){__VA_ARGS__},                           \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Takes effect with the next line. */
void log_configure(enum log_level level, enum log_format format);

/* Lines go to `fd` [2]; tests point it elsewhere. */
void log_set_descriptor(int fd);

/* `event` is a word of ours, never text from outside. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* Tells of lines that were held back and whose interval is over; called now and
 * then, and at the end with `all`. */
void log_flush(bool all);

struct log_counters {
    uint64_t lines[LOG_ERROR + 1]; /* written, by level */
    uint64_t held_back;
    uint64_t failed; /* could not be written */
};
void log_counters(struct log_counters *out);

#endif
