/*
 * decode_native.c - the native event of docs/events.md.
 *
 * Fields come in any order, so a branch per field would be guessed wrong once per
 * field. The loop therefore treats all texts alike: it notes where each one is,
 * by number, and what they mean is worked out afterwards in a fixed order.
 */
#include "ingest/decode.h"

#include "ingest/event_time.h"
#include "base/severity.h"

enum native_field {
    /* 0 .. EVENT_FIELD_COUNT - 1 are the texts of enum event_field. */
    NATIVE_SEVERITY = EVENT_FIELD_COUNT,
    NATIVE_STATE,
    NATIVE_TIME,
    NATIVE_VALUE,
    NATIVE_LABELS,
    NATIVE_FIELD_COUNT,
    NATIVE_OTHER = NATIVE_FIELD_COUNT, /* a name that we do not know */
    NATIVE_ALERTS = NATIVE_OTHER,      /* nor this one; but it means another form */
    NATIVE_NAME_COUNT
};

#define BIT(field) (1u << (field))

static const char *const native_names[NATIVE_NAME_COUNT] = {
    "tenant",   "source", "resource", "check", "dedup_key", "message",
    "severity", "state",  "time",     "value", "labels",    "alerts"};

/* What the loop over the fields found. */
struct native_event {
    uint32_t numbers;                         /* fields that were numbers */
    struct text text[NATIVE_FIELD_COUNT + 1]; /* NATIVE_OTHER: a place for what is ignored */
    const char *name_at[NATIVE_FIELD_COUNT + 1];
    struct json_number value;
    struct json_number time;
};

void decode_native_init(struct decoder *decoder)
{
    name_table_keep(&decoder->field_names, native_names, NATIVE_NAME_COUNT);
}

static const char *wrong_type(uint32_t field)
{
    static const char *const reasons[NATIVE_FIELD_COUNT] = {
        "tenant must be a string",
        "source must be a string",
        "resource must be a string",
        "check must be a string",
        "dedup_key must be a string",
        "message must be a string",
        "severity must be a word: a number means something else in every system",
        "state must be a word, or the number 0 or 1",
        "time must be a string or a number",
        "value must be a number",
        "labels must be an object"};
    return reasons[field];
}

/* A value that is no string, of a known field. */
static struct json_cursor native_value(struct decoder *decoder, struct json_cursor cursor,
                                       uint32_t field, struct native_event *event,
                                       struct event_draft *draft)
{
    struct json_scan *scan = &decoder->scan;
    const char *at = cursor.at;

    switch (*at) {
    case '{':
        if (field != NATIVE_LABELS)
            return json_scan_fault(scan, REJECT_SCHEMA, at, wrong_type(field));
        return decode_labels(decoder, cursor, draft);
    case '[':
        return json_scan_fault(scan, REJECT_SCHEMA, at, wrong_type(field));
    case 't':
    case 'f':
    case 'n':
        cursor = json_scan_literal(scan, cursor);
        if (cursor.at != NULL && *at != 'n')
            return json_scan_fault(scan, REJECT_SCHEMA, at, wrong_type(field));
        return cursor;
    default:
        break;
    }
    struct json_number *number = field == NATIVE_VALUE ? &event->value : &event->time;
    struct json_number state;
    if (field == NATIVE_STATE)
        number = &state;
    cursor = json_scan_number(scan, cursor, number);
    if (cursor.at == NULL)
        return cursor;
    if (field != NATIVE_VALUE && field != NATIVE_TIME && field != NATIVE_STATE)
        return json_scan_fault(scan, REJECT_SCHEMA, at, wrong_type(field));
    if (field == NATIVE_STATE) {
        /* Only a plain 0 or 1: "1" and "0" are words of the table. */
        event->text[NATIVE_STATE] = number->text;
        return cursor;
    }
    event->numbers |= BIT(field);
    return cursor;
}

/* What `look_up` makes of a word, through the words that came lately. */
static inline int word_meaning(struct json_scan *scan, struct word_memo *memo, struct text word,
                               int (*look_up)(struct text word))
{
    uint64_t head = json_scan_head(scan, word);
    struct word_memo *it = &memo[(head * 0x9e3779b97f4a7c15ULL) >> (64 - WORD_MEMO_BITS)];

    if (__builtin_expect(it->head == head && it->len == word.len, 1))
        return it->meaning;
    int meaning = look_up(word);
    if (word.len <= 8)
        *it = (struct word_memo){head, word.len, meaning};
    return meaning;
}

/* Time, value, severity and state of an event whose texts are known. */
static bool finish_scales(struct decoder *decoder, struct native_event *event,
                          struct event_draft *draft)
{
    struct json_scan *scan = &decoder->scan;
    enum event_time_kind time = EVENT_TIME_ABSENT;
    int word;

    if ((event->numbers & BIT(NATIVE_TIME)) != 0)
        time = event_time_from_number(&event->time, &draft->time_ms);
    else if (event->text[NATIVE_TIME].len != 0)
        time = event_time_from_text(event->text[NATIVE_TIME], &draft->time_ms);
    if (__builtin_expect(time == EVENT_TIME_BAD, 0)) {
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): set with the text or number */
        decode_fault_of_text(decoder, event->name_at[NATIVE_TIME], "time",
                             (event->numbers & BIT(NATIVE_TIME)) != 0 ? event->time.text
                                                                      : event->text[NATIVE_TIME],
                             "in no form that docs/events.md lists", DECODE_WORDS_NONE);
        return false;
    }
    draft->has_time = time == EVENT_TIME_SET;

    if (event->text[NATIVE_STATE].len != 0) {
        word =
            word_meaning(scan, decoder->states, event->text[NATIVE_STATE], event_state_from_word);
        if (__builtin_expect(word == WORD_UNKNOWN, 0)) {
            decode_fault_of_text(decoder, event->name_at[NATIVE_STATE], "state",
                                 event->text[NATIVE_STATE], "no word that docs/events.md lists",
                                 DECODE_WORDS_STATE);
            return false;
        }
        draft->state = (uint8_t)word;
    }
    if (event->text[NATIVE_SEVERITY].len != 0) {
        word = word_meaning(scan, decoder->severities, event->text[NATIVE_SEVERITY],
                            severity_from_word);
        if (__builtin_expect(word == WORD_UNKNOWN, 0)) {
            decode_fault_of_text(decoder, event->name_at[NATIVE_SEVERITY], "severity",
                                 event->text[NATIVE_SEVERITY], "no word that docs/events.md lists",
                                 DECODE_WORDS_SEVERITY);
            return false;
        }
        draft->severity = (uint8_t)word;
        if (word == SEVERITY_OK)
            draft->state = EVENT_CLEAR;
    } else {
        draft->severity = draft->state == EVENT_CLEAR ? SEVERITY_OK : SEVERITY_WARNING;
    }
    if ((event->numbers & BIT(NATIVE_VALUE)) != 0) {
        draft->has_value = true;
        if (__builtin_expect(!json_number_to_double(&event->value, scan->scratch_at, &draft->value),
                             0)) {
            json_scan_fault(scan, REJECT_PARSE, event->value.text.at, "a number is too large");
            return false;
        }
    }
    return true;
}

enum { FIELD_FAULT = UINT16_MAX };

/* Which field a name is, row 1 of field_names being the first; all that we do not know is one. */
static inline uint32_t field_of_row(uint32_t row)
{
    return row <= NATIVE_OTHER ? row - 1 : NATIVE_OTHER;
}

/* Of a name that has no row, or that is wrong where it stands. */
static __attribute__((noinline)) uint32_t rare_field(struct decoder *decoder, uint32_t row,
                                                     struct text name, const char *at)
{
    struct json_scan *scan = &decoder->scan;

    if (row == NATIVE_ALERTS + 1 && decoder->leave_at_alerts) {
        decoder->has_alerts = true;
        return FIELD_FAULT;
    }
    if (row == NAME_TABLE_STRANGER)
        return json_scan_add_name(scan, 0, name, json_scan_head(scan, name), at) ? NATIVE_OTHER
                                                                                 : FIELD_FAULT;
    if (field_of_row(row) == NATIVE_OTHER && !json_scan_count_name(scan, at))
        return FIELD_FAULT;
    if (!name_table_see(&decoder->field_names, row, 0)) {
        json_scan_fault(scan, REJECT_SCHEMA, at, json_scan_twice);
        return FIELD_FAULT;
    }
    return field_of_row(row);
}

/* Which field comes next, or FIELD_FAULT. The cursor moves to its value. */
static inline uint32_t native_field(struct decoder *decoder, struct json_cursor *cursor)
{
    struct json_scan *scan = &decoder->scan;
    struct name_table *table = &decoder->field_names;
    const char *at = cursor->at;
    struct text name;
    uint32_t row;

    if (__builtin_expect(json_scan_short_name(scan, cursor, NAME_TABLE_BYTES, &name), 1)) {
        row = name_table_row_quick(table, name.at, name.len);
    } else {
        if (!json_scan_name(scan, cursor, &name))
            return FIELD_FAULT;
        row = name_table_row(table, name.at, name.len);
    }
    /* Whether a name is known is hard to guess, so nothing branches on that here. */
    if (__builtin_expect(row == NAME_TABLE_STRANGER || row == NATIVE_ALERTS + 1 ||
                             scan->names->count == RECORD_FIELDS_MAX ||
                             !name_table_see(table, row, 0),
                         0))
        return rare_field(decoder, row, name, at);
    scan->names->count += row > NATIVE_OTHER;
    return field_of_row(row);
}

static struct json_cursor native_object(struct decoder *decoder, struct json_cursor cursor,
                                        unsigned depth)
{
    struct json_scan *scan = &decoder->scan;
    const char *begin = cursor.at;
    struct native_event event; /* name_at[f] only counts where `text` or `numbers` has f */
    struct event_draft *draft;
    enum json_step step = JSON_STEP_MORE;
    uint32_t known = 0;

    event.numbers = 0;
    memset(event.text, 0, sizeof(event.text));
    if (!decode_new_draft(decoder, cursor.at, &draft))
        return (struct json_cursor){NULL, NULL};
    name_table_start(&decoder->field_names);
    cursor.at = json_scan_blank(cursor.at + 1);
    if (*cursor.at == '}') {
        cursor.at++;
        step = JSON_STEP_END;
    }
    while (step == JSON_STEP_MORE) {
        const char *at = cursor.at;
        uint32_t field = native_field(decoder, &cursor);
        if (__builtin_expect(field == FIELD_FAULT, 0))
            return (struct json_cursor){NULL, NULL};
        known += field < NATIVE_OTHER;
        event.name_at[field] = at;
        if (__builtin_expect(*cursor.at == '"', 1)) {
            if (!json_scan_string(scan, &cursor, &event.text[field]))
                return (struct json_cursor){NULL, NULL};
        } else {
            cursor = field == NATIVE_OTHER ? json_scan_skip(scan, cursor, depth + 1)
                                           : native_value(decoder, cursor, field, &event, draft);
            if (cursor.at == NULL)
                return cursor;
        }
        step = json_scan_step(scan, &cursor, '}');
    }
    if (step == JSON_STEP_FAULT || !decode_check_fields(scan, known, begin))
        return (struct json_cursor){NULL, NULL};
    for (uint32_t f = NATIVE_VALUE; f <= NATIVE_LABELS; f++)
        if (__builtin_expect(event.text[f].at != NULL, 0))
            /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): set with the text */
            return json_scan_fault(scan, REJECT_SCHEMA, event.name_at[f], wrong_type(f));
    memcpy(draft->field, event.text, sizeof(draft->field));
    if (draft->field[FIELD_TENANT].len == 0)
        draft->field[FIELD_TENANT] = decoder->default_tenant;
    if (__builtin_expect(
            draft->field[FIELD_DEDUP_KEY].len == 0 &&
                (draft->field[FIELD_RESOURCE].len == 0 || draft->field[FIELD_CHECK].len == 0),
            0))
        return json_scan_fault(scan, REJECT_SCHEMA, begin,
                               "an event needs resource and check, or dedup_key");
    if (!finish_scales(decoder, &event, draft))
        return (struct json_cursor){NULL, NULL};
    return cursor;
}

struct json_cursor decode_native(struct decoder *decoder, struct json_cursor cursor)
{
    struct json_scan *scan = &decoder->scan;
    enum json_step step = JSON_STEP_MORE;

    if (*cursor.at == '{')
        return native_object(decoder, cursor, 0);
    cursor.at = json_scan_blank(cursor.at + 1);
    if (*cursor.at == ']') {
        cursor.at++;
        return cursor;
    }
    while (step == JSON_STEP_MORE) {
        if (*cursor.at != '{')
            return json_scan_fault(scan, REJECT_SCHEMA, cursor.at, "an array may hold events only");
        cursor = native_object(decoder, cursor, 1);
        if (cursor.at == NULL)
            return cursor;
        step = json_scan_step(scan, &cursor, ']');
    }
    if (step == JSON_STEP_FAULT)
        cursor.at = NULL;
    return cursor;
}
