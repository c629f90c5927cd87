/*
 * decode.h - inside of the decoder: what its forms share.
 *
 * decoder.c chooses the form, decode_native.c and decode_alertmanager.c each know
 * one. A form is entered with the cursor on the record's first byte and leaves
 * drafts behind, or a fault in the scan.
 *
 * Owner:  everything belongs to the decoder. Views in drafts point into the
 *         record or into the scan's scratch.
 * Thread: the decoder's.
 */
#ifndef INGEST_DECODE_H
#define INGEST_DECODE_H

#include "ingest/decoder.h"
#include "ingest/json_key.h"
#include "ingest/json_scan.h"

enum {
    /* The shortest label is "a":1, with its comma: six bytes. */
    DECODE_LABELS_MAX = RECORD_BYTES_MAX / 6 + 1,
};

struct decoder {
    struct decode_result result;
    struct json_scan scan;
    struct event_draft *drafts; /* RECORD_EVENTS_MAX */
    struct event_label *labels; /* DECODE_LABELS_MAX, shared out to the drafts in turn */
    uint32_t label_count;
    uint32_t draft_count;
    uint32_t missing_count;
    bool leave_at_alerts; /* a field `alerts` means another form: the native one stops */
    bool has_alerts;      /* it came */
    struct text default_tenant;
    struct json_keys native_keys;
    struct json_keys envelope_keys;
    struct json_keys alert_keys;
    struct json_keys label_keys;
    struct json_keys annotation_keys;
};

/* A decoder that uses one kernel of json_index.h, for tests that compare them. */
struct decoder *decoder_create_with(json_index_fn index);

void decode_native_init(struct decoder *decoder);
struct json_cursor decode_native(struct decoder *decoder, struct json_cursor cursor);

void decode_alertmanager_init(struct decoder *decoder);
struct json_cursor decode_alertmanager(struct decoder *decoder, struct json_cursor cursor);

/* Puts the next draft at `*draft`, empty, and starts counting its fields.
 * False: the record holds more than RECORD_EVENTS_MAX. */
bool decode_new_draft(struct decoder *decoder, const char *at, struct event_draft **draft);

/* One label: its name and the text of its value. Steps behind the value. A null
 * leaves `label->value.at` NULL: the label is absent. */
struct json_cursor decode_label(struct json_scan *scan, struct json_cursor cursor, uint32_t object,
                                struct event_label *label);

/* Counts a known name and refuses it when `*seen` has its bit. */
static inline bool decode_known_name(struct json_scan *scan, uint32_t id, uint32_t *seen,
                                     const char *at)
{
    if (__builtin_expect((*seen >> id & 1) != 0, 0)) {
        json_scan_fault(scan, REJECT_SCHEMA, at, "a field comes twice in one object");
        return false;
    }
    *seen |= 1u << id;
    if (__builtin_expect(scan->names->field_count++ >= RECORD_FIELDS_MAX, 0)) {
        json_scan_fault(scan, REJECT_SIZE, at, "more than 512 fields in one event");
        return false;
    }
    return true;
}

#endif
