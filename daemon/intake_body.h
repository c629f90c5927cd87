/*
 * intake_body.h - what a request pushes, as records: one document, or one a line (docs/events.md).
 *
 * Whatever a topic would refuse refuses the whole request, with line and byte: so what is kept can
 * be read, and who pushes learns of it at once.
 *
 * Thread: that of the decoder.
 */
#ifndef DAEMON_INTAKE_BODY_H
#define DAEMON_INTAKE_BODY_H

#include "base/error.h"
#include "ingest/decoder.h"

/* Takes one record, which lies in the body. */
typedef void (*intake_body_take)(void *self, const char *at, size_t bytes);

/* Calls `take` for each record, in order, also for those before one that is refused. 0 with the
 * number of their events in *events, at least one; -EINVAL with a sentence. */
int intake_body_read(struct decoder *decoder, enum event_format format, const char *body,
                     size_t bytes, intake_body_take take, void *self, uint64_t *events,
                     struct error *err);

#endif
