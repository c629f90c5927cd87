/*
 * decode_labels.c - an object of labels, which all forms have.
 *
 * Most labels are a known name and a text, and an event has more of them than of all else. What
 * they need is kept in registers, and nothing branches on what differs from label to label; all
 * other labels go through any_label(), one by one.
 */
#include "ingest/decode.h"

/* The object that is being read. */
struct label_list {
    struct event_label *first, *next;
    uint32_t object;
    bool is_ordered; /* every name that came has a row in decoder->label_names */
};

/* A value that is no string: numbers and booleans keep their text. */
static struct json_cursor other_value(struct json_scan *scan, struct json_cursor cursor,
                                      struct text *value)
{
    const char *at = cursor.at;
    struct json_number number;

    *value = (struct text){NULL, 0};
    switch (*at) {
    case '{':
    case '[':
        return json_scan_fault(scan, REJECT_SCHEMA, at,
                               "a label must be text, a number, a boolean or null");
    case 't':
    case 'f':
    case 'n':
        cursor = json_scan_literal(scan, cursor);
        break;
    default:
        cursor = json_scan_number(scan, cursor, &number);
        break;
    }
    if (cursor.at != NULL && *at != 'n')
        *value = (struct text){at, (uint32_t)(cursor.at - at)};
    return cursor;
}

/* Notes the name of the label that comes next. False: it came before, or is one too many. */
static bool take_name(struct decoder *decoder, struct label_list *list, struct text name,
                      const char *at)
{
    struct json_scan *scan = &decoder->scan;
    uint32_t row = name_table_row(&decoder->label_names, name.at, name.len);

    if (row == NAME_TABLE_STRANGER) {
        list->is_ordered = false;
        return json_scan_add_name(scan, list->object, name, json_scan_head(scan, name), at);
    }
    if (!json_scan_count_name(scan, at))
        return false;
    if (!name_table_see(&decoder->label_names, row, (uint32_t)(list->next - list->first))) {
        json_scan_fault(scan, REJECT_SCHEMA, at, json_scan_twice);
        return false;
    }
    return true;
}

static __attribute__((noinline)) struct json_cursor
any_label(struct decoder *decoder, struct json_cursor cursor, struct label_list *list)
{
    struct json_scan *scan = &decoder->scan;
    struct event_label *label = list->next;
    const char *at = cursor.at;
    struct text name;

    if (!json_scan_name(scan, &cursor, &name) || !take_name(decoder, list, name, at))
        return (struct json_cursor){NULL, NULL};
    if (name.len == 0)
        return json_scan_fault(scan, REJECT_SCHEMA, at, "a label has no name");
    label->name = name;
    if (*cursor.at != '"')
        cursor = other_value(scan, cursor, &label->value);
    else if (!json_scan_string(scan, &cursor, &label->value))
        cursor.at = NULL;
    if (cursor.at == NULL)
        return cursor;
    if (label->value.at != NULL)
        list->next++;
    else
        list->is_ordered = false;
    return cursor;
}

/* As many labels as come in their common form: known names and texts without escapes, and nothing
 * between them but what must be. The cursor stands on the label that comes then, or, `*step` says
 * so, behind the object. */
static struct json_cursor common_labels(struct decoder *decoder, struct json_cursor cursor,
                                        struct label_list *list, enum json_step *step)
{
    struct name_table *table = &decoder->label_names;
    const char *record = decoder->scan.record, *last = decoder->scan.last, *at = cursor.at;
    const uint32_t *quote = cursor.quote;
    uint32_t *count = &decoder->scan.names->count;
    struct event_label *first = list->first, *label = list->next;
    const struct event_label *end = label + (RECORD_FIELDS_MAX - *count);
    char behind = ',';

    while (behind == ',' && last - at > JSON_NAME_SPARE + 3 && *at == '"' && label < end) {
        const char *name = at + 1;
        uint32_t len = quote[1] - (uint32_t)(name - record);
        /* A mark of an escape makes either length larger than any that is allowed. */
        if (len - 1 >= NAME_TABLE_BYTES || name[len + 1] != ':' || name[len + 2] != '"')
            break;
        const char *value = name + len + 3;
        uint32_t value_len = quote[3] - (uint32_t)(value - record);
        if (value_len > RECORD_STRING_BYTES_MAX)
            break;
        behind = value[value_len + 1];
        uint32_t row = name_table_row_quick(table, name, len);
        if ((behind != ',' && behind != '}') || row == NAME_TABLE_STRANGER ||
            !name_table_see(table, row, (uint32_t)(label - first)))
            break;
        label->name = (struct text){name, len};
        label->value = (struct text){value, value_len};
        label++;
        at = value + value_len + 2;
        quote += 4;
        *step = behind == '}' ? JSON_STEP_END : JSON_STEP_MORE;
    }
    *count += (uint32_t)(label - list->next);
    list->next = label;
    return (struct json_cursor){at, quote};
}

struct json_cursor decode_labels(struct decoder *decoder, struct json_cursor cursor,
                                 struct event_draft *draft)
{
    struct json_scan *scan = &decoder->scan;
    struct event_label *first = decoder->labels + decoder->label_count;
    uint16_t *order = decoder->label_order + decoder->label_count;
    struct label_list list = {first, first, ++scan->names->objects, true};
    enum json_step step = JSON_STEP_MORE;

    name_table_start(&decoder->label_names);
    cursor.at = json_scan_blank(cursor.at + 1);
    if (*cursor.at == '}') {
        cursor.at++;
        step = JSON_STEP_END;
    }
    while (step == JSON_STEP_MORE) {
        cursor = common_labels(decoder, cursor, &list, &step);
        if (step == JSON_STEP_END)
            break;
        cursor.at = json_scan_blank(cursor.at);
        cursor = any_label(decoder, cursor, &list);
        if (cursor.at == NULL)
            return cursor;
        step = json_scan_step(scan, &cursor, '}');
    }
    if (step == JSON_STEP_FAULT)
        return (struct json_cursor){NULL, NULL};
    if (list.is_ordered) {
        name_table_order(&decoder->label_names, order);
        draft->label_order = order;
    }
    draft->labels = first;
    draft->label_count = (uint32_t)(list.next - first);
    decoder->label_count += draft->label_count;
    return cursor;
}
