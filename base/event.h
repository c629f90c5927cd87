/*
 * event.h - the record that travels the hot path: one decoded monitoring event.
 *
 * An event has two parts. `struct event` is one cache line: everything that the
 * deduplication stage needs to fold a repeat. `struct event_text` holds the
 * words; it is written once, beside the event, and read only when an alert is
 * new or its attributes changed.
 *
 *   struct event (64 B)                     struct event_text (variable)
 *   +--------------------------+            +-------------------------------+
 *   | fingerprint    attr_hash |  text ---> | ts, label_count, field_end[]  |
 *   | et  offset  part  lane...|            | labels[] | tenant|source|...  |
 *   +--------------------------+            +-------------------------------+
 *
 * Owner:  both parts lie in the bins of the ingest thread that made them
 *         (correlate/bin.h) and are freed when every worker has passed their
 *         epoch. Whoever needs a word for longer copies it.
 * Thread: written by one ingest thread before the epoch closes, read-only after.
 */
#ifndef BASE_EVENT_H
#define BASE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A 128-bit hash: the identity of an alert, a rule key or an incident. */
struct id128 {
    uint64_t hi;
    uint64_t lo;
};

static inline bool id128_equal(struct id128 a, struct id128 b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

/* One scale for the severity words of all systems, worst last. The mapping of
 * words is a table in base/severity.c and is documented in docs/events.md. */
enum severity {
    SEVERITY_OK,
    SEVERITY_DEBUG,
    SEVERITY_INFO,
    SEVERITY_WARNING,
    SEVERITY_MINOR,
    SEVERITY_MAJOR, /* "error" means this */
    SEVERITY_CRITICAL,
    SEVERITY_COUNT
};

enum event_state { EVENT_PROBLEM, EVENT_CLEAR };

/* The text fields of an event, in the order in which event_text stores them.
 * The first four are the identity when no dedup key is given, so that their
 * bytes are hashed in one stretch. */
enum event_field {
    FIELD_TENANT,
    FIELD_SOURCE,
    FIELD_RESOURCE,
    FIELD_CHECK,
    FIELD_DEDUP_KEY,
    FIELD_MESSAGE,
    EVENT_FIELD_COUNT
};

/* Limits of semantics F1; beyond them a record is rejected with the reason. */
enum {
    RECORD_BYTES_MAX = 1 << 20,
    RECORD_DEPTH_MAX = 32,
    RECORD_FIELDS_MAX = 512, /* names in one event, nested ones included */
    RECORD_STRING_BYTES_MAX = 64 << 10,
    RECORD_EVENTS_MAX = 4096, /* events that one record may hold */
};

/* Why a record was refused; the names are label values of a metric. */
enum reject_reason {
    REJECT_NONE,
    REJECT_PARSE,  /* not JSON, truncated, empty, or trailing bytes */
    REJECT_SIZE,   /* record, string, field count or event count over its limit */
    REJECT_DEPTH,  /* nested deeper than RECORD_DEPTH_MAX */
    REJECT_UTF8,   /* a string that is not UTF-8, or an unpaired surrogate */
    REJECT_SCHEMA, /* wrong type, missing or repeated field, unknown word */
    REJECT_TENANT, /* a tenant that this input may not speak for */
    REJECT_QUOTA,
    REJECT_CRASH,
    REJECT_REASON_COUNT
};

/* A stretch of UTF-8, not zero-terminated, borrowed. Absent text has len 0. */
struct text {
    const char *at;
    uint32_t len;
};

struct event_label {
    struct text name;
    struct text value;
};

struct event_text {
    int64_t ts_ms;  /* the event's own time; the log time where it has none */
    uint32_t bytes; /* of this record, head included */
    uint16_t label_count;
    uint8_t has_value; /* the event carried `value` */
    /* Made of an incident, whose id is the dedup key and whose rule the check. */
    uint8_t of_incident : 1;
    uint8_t is_self_alert : 1; /* said by tocsin of itself */
    double value;
    /* Field f spans data[field_end[f-1] .. field_end[f]), f 0 starts at 0. */
    uint32_t field_end[EVENT_FIELD_COUNT];
    /* Label i spans three marks in label_end[2*i .. ]: name ends at
     * label_end[2i], value at label_end[2i+1]; the first name starts at the end
     * of the last field. Labels are sorted by name, bytewise. */
    uint32_t label_end[];
    /* data follows label_end[2 * label_count]; see event_text_data() */
};

struct event {
    struct id128 fingerprint;
    uint64_t attr_hash; /* of severity, state, dedup key and labels: unchanged
                         * means that no rule can see a difference but in
                         * message, value and time */
    int64_t et_ms;      /* effective time, milliseconds since 1970 */
    int64_t ts_ms;      /* own time, as text->ts_ms */
    int64_t offset;     /* of the record in its partition */
    const struct event_text *text;
    uint16_t part;    /* input partition, index into the partition table */
    uint16_t sub;     /* which event of the record */
    uint8_t lane;     /* top byte of the fingerprint: 256 key groups */
    uint8_t severity; /* enum severity */
    uint8_t state;    /* enum event_state */
    uint8_t flags;    /* EVENT_LATE ... */
};

enum {
    EVENT_LATE = 1,         /* et was raised above c */
    EVENT_LATE_BY_SEAL = 2, /* by a seal alone */
    EVENT_CLAMPED = 4,      /* ts was outside the trusted range */
    EVENT_DERIVED = 8,      /* made by tocsin itself (self-alert) */
    EVENT_OF_INCIDENT = 16, /* a change of an incident, for rules on incidents alone */
    EVENT_LAST_WORD = 32,   /* and nothing will be heard of that incident any more */
    EVENT_BY_HAND = 64,     /* no event, but what somebody does to an incident (base/act.h) */
};

_Static_assert(sizeof(struct event) == 64, "an event is one cache line");

static inline const char *event_text_data(const struct event_text *text)
{
    return (const char *)(text->label_end + 2 * (size_t)text->label_count);
}

static inline struct text event_text_field(const struct event_text *text, enum event_field field)
{
    uint32_t from = field == 0 ? 0 : text->field_end[field - 1];
    return (struct text){event_text_data(text) + from, text->field_end[field] - from};
}

static inline struct event_label event_text_label(const struct event_text *text, uint32_t index)
{
    const char *data = event_text_data(text);
    uint32_t from =
        index == 0 ? text->field_end[EVENT_FIELD_COUNT - 1] : text->label_end[2 * index - 1];
    uint32_t mid = text->label_end[2 * index];
    return (struct event_label){{data + from, mid - from},
                                {data + mid, text->label_end[2 * index + 1] - mid}};
}

/* The value of label `name`; `at` is NULL when the event has no such label. */
struct text event_text_find_label(const struct event_text *text, struct text name);

/* What one decoded event looks like before it is packed: views into the record
 * or into the decoder's scratch, valid until the decoder's next call. */
struct event_draft {
    struct text field[EVENT_FIELD_COUNT];
    const struct event_label *labels; /* in the order of the record */
    const uint16_t *label_order;      /* which label comes first by name, second, ...; NULL: whoever
                                       * wants to know that compares the names */
    uint32_t label_count;
    uint8_t severity;
    uint8_t state;
    bool has_time;
    bool has_value;
    int64_t time_ms;
    double value;
};

/* Names of the scales above, for logs, metrics and rules. Never NULL. */
const char *severity_name(enum severity severity);
const char *event_state_name(enum event_state state);
const char *reject_reason_name(enum reject_reason reason);
const char *event_field_name(enum event_field field);

/* Bytes that event_text_pack() will need for `draft`. */
static inline size_t event_text_bytes(const struct event_draft *draft)
{
    size_t bytes = sizeof(struct event_text) + 2 * sizeof(uint32_t) * (size_t)draft->label_count;

    for (int f = 0; f < EVENT_FIELD_COUNT; f++)
        bytes += draft->field[f].len;
    for (uint32_t i = 0; i < draft->label_count; i++)
        bytes += (size_t)draft->labels[i].name.len + draft->labels[i].value.len;
    return (bytes + 7) & ~(size_t)7;
}

/* Writes `draft` at `at` (8-byte aligned), labels sorted by name, as draft->label_order says if it
 * is there. `bytes` is what
 * event_text_bytes() says, `ts_ms` the event's own time, or the log time. */
struct event_text *event_text_pack(void *at, size_t bytes, const struct event_draft *draft,
                                   int64_t ts_ms);

/* The identity of the alert that `text` belongs to: the seeded 128-bit hash of
 * (tenant, source, resource, check), or of (tenant, dedup key) when there is one.
 * Source: XXH3, 128 bit, lengths mixed into the seed so that field borders count. */
struct id128 event_fingerprint(const struct event_text *text, uint64_t seed);

/* See struct event. */
uint64_t event_attr_hash(const struct event_text *text, uint8_t severity, uint8_t state,
                         uint64_t seed);

/* The host of an event: its label `host`, else its resource up to the first '/'. */
struct text event_text_host(const struct event_text *text);

#endif
