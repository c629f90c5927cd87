/*
 * replay_input.h - files named on the command line as one source with its marks.
 *
 * A file that begins with a recording's magic, or whose name ends in .trec, is a recording; one
 * that ends in .tlog a small log written as text; everything else is events as JSON lines; "-"
 * reads these from standard input.
 */
#ifndef DAEMON_REPLAY_INPUT_H
#define DAEMON_REPLAY_INPUT_H

#include <stddef.h>
#include <stdio.h>
#include "base/error.h"
#include "base/mark.h"
#include "ingest/range_source.h"
#include "ingest/source.h"

struct replay_input;

/* Files of JSON lines count as partitions 0, 1, ... of `topic`; the other forms name their own.
 * `range` is the stretch that is read and how fast; NULL: all of it at once.
 * Owner: the caller, until replay_input_close(), after the engine is gone.
 * Errors: -EINVAL for contents, those of range_source_open(), another negative errno for reading,
 *         with a sentence. */
int replay_input_open(const char *const *paths, size_t count, const char *topic,
                      const struct range_config *range, struct replay_input **out,
                      struct error *err);
void replay_input_close(struct replay_input *input);

/* For commands that read their input twice, which a pipe gives once: what is named there is a file.
 * What cannot be opened, or is a folder, is told by the opening.
 * Errors: -EINVAL with a sentence. */
int replay_input_can_repeat(const char *const *paths, size_t count, struct error *err);

/* It is events as JSON lines: partition i is the i-th path, an offset the number of a line from 0.
 */
bool replay_input_is_lines(const struct replay_input *input);

/* The exit code of a command that got `rc` from one of these. */
int replay_input_exit_code(int rc);

struct source *replay_input_source(struct replay_input *input);

/* The range that it was opened with, for range_config.like. */
const struct source *replay_input_inner(const struct replay_input *input);

/* The same for a source that is open already, which is taken, also after an error; with what was
 * pushed into the daemon of a data directory, where it is not NULL. Of that it has what `like`, an
 * input of the same directory, has: the daemon may have more by now; NULL: what there is. */
int replay_input_take(struct source *source, const struct range_config *range, const char *data_dir,
                      const struct replay_input *like, struct replay_input **out,
                      struct error *err);

/* The marks of the input itself, or those that replay_input_read_marks() put in their place. */
const struct mark *replay_input_marks(const struct replay_input *input, size_t *count);

/* Reads the marks that the run wrote (daemon/mark_log.h), or those in its data directory.
 * Errors: a negative errno with a sentence. */
int replay_input_read_marks(struct replay_input *input, const char *path, struct error *err);

/* engine_config.undated_ms for this input: the last change of the latest of its files, which is the
 * same in each run; where it is a pipe or a Kafka, when it was opened. */
int64_t replay_input_undated(const struct replay_input *input);

/* Says what a reader of the results has to know: torn ends, marks that are missing. */
void replay_input_say(const struct replay_input *input, FILE *to);

/* The run switches its rules where these say so: that is nothing to be said. */
void replay_input_follow_switches(struct replay_input *input);

/* The same of engine_counters.undated, once the input has been read. */
void replay_input_say_undated(const struct replay_input *input, uint64_t undated, FILE *to);

#endif
