/*
 * decoder.h - one record in, event drafts out: one pass, no tree, no allocation.
 *
 * Accepts exactly the documents that docs/events.md describes: strict RFC 8259
 * JSON in UTF-8 with the limits of base/event.h. A record is taken whole or
 * refused whole with the reason and the byte position.
 *
 * Thread: a decoder belongs to one thread.
 */
#ifndef INGEST_DECODER_H
#define INGEST_DECODER_H

#include "base/event.h"
#include "ingest/source.h"

struct decoder;

struct decode_result {
    enum reject_reason reason;        /* REJECT_NONE: drafts are valid */
    uint32_t at;                      /* byte position of the fault */
    const char *why;                  /* sentence part, e.g. "severity must be a string"; owned by
                                       * the decoder until its next call */
    const struct event_draft *drafts; /* owned by the decoder until its next call */
    uint32_t draft_count;
    uint32_t missing_count; /* events that the sender says it left out of the record
                             * (Alertmanager's truncatedAlerts): counted, never guessed */
};

/* Owner: the caller, until decoder_destroy(). All memory that decoding can ever
 * need is taken here or kept from an earlier, larger record.
 * Errors: NULL when memory is short. */
struct decoder *decoder_create(void);
void decoder_destroy(struct decoder *decoder);

/* Decodes one record. `record` need not be padded or terminated: no byte outside
 * of [record, record + bytes) is read. `default_tenant` stands in where an event
 * names none. FORMAT_AUTO tells the forms apart by their top-level fields. */
const struct decode_result *decoder_decode(struct decoder *decoder, enum event_format format,
                                           const char *record, size_t bytes,
                                           struct text default_tenant);

#endif
