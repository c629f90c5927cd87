/*
 * settings_text.h - the settings that show in results, as text: one a line, its key first.
 *
 * A data directory keeps it, so that a start under others can say which.
 */
#ifndef DAEMON_SETTINGS_TEXT_H
#define DAEMON_SETTINGS_TEXT_H

#include "base/error.h"
#include "correlate/engine.h"

/* Owner: the caller, who frees it. */
char *settings_text(const struct engine_config *engine);

/* The first lines that are not the same, one of each; one that is not there is "nothing". */
void settings_differ(const char *before, const char *now, struct error *out);

#endif
