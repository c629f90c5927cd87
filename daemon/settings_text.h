/*
 * settings_text.h - the settings that show in results, as text: one a line, its key first.
 *
 * A data directory keeps it, so that a start under others can say which, and what may change
 * between two runs does: from the end of what was told on, and never for what was told before
 * (semantics X5).
 *
 *   sinks, topics of which nothing was read    may change
 *   all else                                   stays
 *   what decides how marks are made (B, G)     is not listed: marks are kept, so it may change
 */
#ifndef DAEMON_SETTINGS_TEXT_H
#define DAEMON_SETTINGS_TEXT_H

#include "base/error.h"
#include "correlate/engine.h"

/* Owner: the caller, who frees it. */
char *settings_text(const struct engine_config *engine);

struct settings_reader {
    void *self;
    bool (*has_read)(void *self, struct text topic); /* records of it, before */
};

enum settings_change { SETTINGS_EQUAL, SETTINGS_SWITCH, SETTINGS_FIXED };

/* FIXED: `what` says what may not change, then and now. */
enum settings_change settings_compare(const char *before, const char *now,
                                      const struct settings_reader *reader, struct error *what);

/* The least urgent priority that the sink takes, PRIORITY_NONE for all. */
enum { SETTINGS_NO_SINK = UINT8_MAX };
uint8_t settings_sink_priority(const char *text, const char *sink);

#endif
