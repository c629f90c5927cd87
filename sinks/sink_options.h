/*
 * sink_options.h - reads the options of one sink; shared by sink.c and sink_options.c.
 */
#ifndef SINKS_SINK_OPTIONS_H
#define SINKS_SINK_OPTIONS_H

#include "sinks/sink.h"

/* Shorter secrets are not searched for: the text would be full of stars. */
enum { SECRET_BYTES_MIN = 4 };

/* Puts `text` (owned by the caller until success) into the sink's list, and `secret`,
 * a part of it or NULL, into the list of what must not show. Errors: -ENOMEM. */
int sink_keep(struct sink *sink, char *text, const char *secret);

/* Reads what an env: or file: value stands for, without the line end that editors put behind it.
 * Returns owned text in `out`. Errors: -EINVAL, also for a value that is neither, -ENOMEM or a
 * file's errno, with a sentence. */
int sink_secret_read(const char *value, char **out, struct error *err);

/* Fills the settings, whose type is known, from what is given and from defaults.
 * Errors: -EINVAL, -ENOMEM or a file's errno, with a sentence. */
int sink_options_read(struct sink *sink, const struct sink_config *config, struct error *err);

#endif
