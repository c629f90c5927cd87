/*
 * decode.h - inside of the decoder: what its forms share.
 *
 * decoder.c chooses the form, decode_native.c and decode_alertmanager.c each know
 * one, decode_labels.c what both read alike. A form is entered with the cursor on the record's
 * first byte and leaves drafts behind, or a fault in the scan.
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
#include "ingest/name_table.h"

enum {
    /* The shortest label is "a":1, with its comma: six bytes. */
    DECODE_LABELS_MAX = RECORD_BYTES_MAX / 6 + 1,
};

/* Words of up to eight bytes that came lately, as they were written, and what they
 * mean: sources use few, and one comparison is cheaper than the table of all. */
enum { WORD_MEMO_BITS = 3 };

/* Of a text that is refused, in a sentence: so many bytes, then "...". */
enum { DECODE_SHOWN_BYTES = 32, DECODE_WHY_BYTES = 200 };

struct word_memo {
    uint64_t head;
    uint32_t len; /* 0: empty */
    int32_t meaning;
};

struct decoder {
    struct decode_result result;
    struct json_scan scan;
    struct event_draft *drafts; /* RECORD_EVENTS_MAX */
    struct event_label *labels; /* DECODE_LABELS_MAX, shared out to the drafts in turn */
    uint16_t *label_order;      /* as many, shared out alike */
    uint32_t label_count;
    uint32_t draft_count;
    uint32_t missing_count;
    bool leave_at_alerts;       /* a field `alerts` means another form: the native one stops */
    bool has_alerts;            /* it came */
    char why[DECODE_WHY_BYTES]; /* a sentence that names what the record has */
    struct text default_tenant;
    struct word_memo severities[1 << WORD_MEMO_BITS];
    struct word_memo states[1 << WORD_MEMO_BITS];
    struct json_keys envelope_keys;
    struct json_keys alert_keys;
    struct json_keys label_keys;
    struct json_keys annotation_keys;
    struct name_table label_names;
    struct name_table field_names; /* those of the native form first */
};

void decode_native_init(struct decoder *decoder);
struct json_cursor decode_native(struct decoder *decoder, struct json_cursor cursor);

void decode_alertmanager_init(struct decoder *decoder);
struct json_cursor decode_alertmanager(struct decoder *decoder, struct json_cursor cursor);

/* Puts the next draft at `*draft`, empty, and starts counting its fields.
 * False: the record holds more than RECORD_EVENTS_MAX. */
bool decode_new_draft(struct decoder *decoder, const char *at, struct event_draft **draft);

enum decode_words { DECODE_WORDS_NONE, DECODE_WORDS_SEVERITY, DECODE_WORDS_STATE };

/* Notes the fault of a text at `at` that `field` cannot be, as in `severity "hihg" is <what>; did
 * you mean "high"?`; `words` are what may be meant. */
void decode_fault_of_text(struct decoder *decoder, const char *at, const char *field,
                          struct text text, const char *what, enum decode_words words);

/* Reads the object of labels that the cursor stands on into the draft, in the order of the record,
 * and steps behind it. A label whose value is null is absent. */
struct json_cursor decode_labels(struct decoder *decoder, struct json_cursor cursor,
                                 struct event_draft *draft);

/* Refuses a known name that comes again: `*seen` has its bit then. */
static inline bool decode_known_name(struct json_scan *scan, uint32_t id, uint32_t *seen,
                                     const char *at)
{
    if (__builtin_expect((*seen >> id & 1) != 0, 0)) {
        json_scan_fault(scan, REJECT_SCHEMA, at, json_scan_twice);
        return false;
    }
    *seen |= 1u << id;
    return true;
}

/* At an object's end: the names counted so far and so many known ones together have a limit. */
static inline bool decode_check_fields(struct json_scan *scan, uint32_t known, const char *begin)
{
    if (__builtin_expect(scan->names->count + known > RECORD_FIELDS_MAX, 0)) {
        json_scan_fault(scan, REJECT_SIZE, begin, "more than 512 fields in one event");
        return false;
    }
    return true;
}

#endif
