/* decoder.c - chooses the form of a record; what the forms share. See decoder.h. */
#include "ingest/decoder.h"

#include <stdlib.h>
#include "ingest/decode.h"

struct decoder *decoder_create(void)
{
    struct decoder *decoder = calloc(1, sizeof(*decoder));

    if (decoder == NULL)
        return NULL;
    decoder->drafts = malloc(RECORD_EVENTS_MAX * sizeof(*decoder->drafts));
    decoder->labels = malloc(DECODE_LABELS_MAX * sizeof(*decoder->labels));
    decoder->label_order = malloc(DECODE_LABELS_MAX * sizeof(*decoder->label_order));
    if (!json_scan_init(&decoder->scan, json_index_of(isa_chosen())) || decoder->drafts == NULL ||
        decoder->labels == NULL || decoder->label_order == NULL) {
        decoder_destroy(decoder);
        return NULL;
    }
    decode_native_init(decoder);
    decode_alertmanager_init(decoder);
    return decoder;
}

void decoder_destroy(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    json_scan_release(&decoder->scan);
    free(decoder->drafts);
    free(decoder->labels);
    free(decoder->label_order);
    free(decoder);
}

bool decode_new_draft(struct decoder *decoder, const char *at, struct event_draft **draft)
{
    if (decoder->draft_count == RECORD_EVENTS_MAX) {
        json_scan_fault(&decoder->scan, REJECT_SIZE, at, "more than 4096 events in one record");
        return false;
    }
    *draft = &decoder->drafts[decoder->draft_count++];
    **draft = (struct event_draft){.labels = decoder->labels + decoder->label_count};
    json_scan_new_event(&decoder->scan);
    return true;
}

static void start_over(struct decoder *decoder, bool leave_at_alerts)
{
    decoder->scan.names = &decoder->scan.event_names;
    decoder->draft_count = 0;
    decoder->label_count = 0;
    decoder->missing_count = 0;
    decoder->has_alerts = false;
    decoder->leave_at_alerts = leave_at_alerts;
}

/* An object with a field `alerts` is Alertmanager's, all else is native. Which it
 * is may show late, or be hidden behind a fault of the native form; the first
 * fault stays when it is not. */
static struct json_cursor decode_auto(struct decoder *decoder, struct json_cursor begin)
{
    struct json_scan *scan = &decoder->scan;
    bool is_object = *begin.at == '{';

    start_over(decoder, is_object);
    struct json_cursor cursor = decode_native(decoder, begin);
    if (cursor.at != NULL || !is_object || (!decoder->has_alerts && scan->reason != REJECT_SCHEMA))
        return cursor;

    enum reject_reason reason = scan->reason;
    uint32_t fault_at = scan->fault_at;
    const char *why = scan->why;
    scan->reason = REJECT_NONE;
    scan->scratch_at = scan->scratch;
    start_over(decoder, false);
    cursor = decode_alertmanager(decoder, begin);
    if (cursor.at == NULL && !decoder->has_alerts && reason != REJECT_NONE) {
        scan->reason = reason;
        scan->fault_at = fault_at;
        scan->why = why;
    }
    return cursor;
}

static struct json_cursor decode_form(struct decoder *decoder, enum event_format format,
                                      struct json_cursor cursor)
{
    if (format == FORMAT_AUTO)
        return decode_auto(decoder, cursor);
    start_over(decoder, false);
    return format == FORMAT_ALERTMANAGER ? decode_alertmanager(decoder, cursor)
                                         : decode_native(decoder, cursor);
}

const struct decode_result *decoder_decode(struct decoder *decoder, enum event_format format,
                                           const char *record, size_t bytes,
                                           struct text default_tenant)
{
    struct json_scan *scan = &decoder->scan;
    struct decode_result *result = &decoder->result;
    struct json_cursor cursor;

    decoder->default_tenant = default_tenant;
    decoder->draft_count = 0;
    cursor = json_scan_begin(scan, record, bytes);
    if (cursor.at != NULL)
        cursor = decode_form(decoder, format, cursor);
    if (cursor.at != NULL && json_scan_finish(scan, cursor) && decoder->draft_count == 0)
        json_scan_fault(scan, REJECT_SCHEMA, record, "the record holds no event");
    result->reason = scan->reason;
    result->at = scan->fault_at;
    result->why = scan->why;
    result->drafts = decoder->drafts;
    result->draft_count = scan->reason == REJECT_NONE ? decoder->draft_count : 0;
    result->missing_count = scan->reason == REJECT_NONE ? decoder->missing_count : 0;
    return result;
}
