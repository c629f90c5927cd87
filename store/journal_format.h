/*
 * journal_format.h - what stands in a commit group of the journal: one frame, many records (C2).
 *
 *   frame payload:  record | record | ...      record: kind, bytes of the body, body
 *
 * Numbers are varints, signed ones in zigzag; texts have their length before and a zero byte behind
 * them, which is not counted, so that what is read needs no copy. A group begins with
 * JOURNAL_GROUP, and has no other one. A kind that is not known, a number too many or too few and a
 * byte left over are damage: formats have versions, in the head of the segment.
 *
 * Owner:  what is read points into the payload, and lives as long as that.
 * Thread: each buffer and cursor belongs to its caller.
 */
#ifndef STORE_JOURNAL_FORMAT_H
#define STORE_JOURNAL_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/incident.h"
#include "base/mark.h"
#include "base/vector.h"

/* Kinds of frames. A group that is too large for one goes over several, cut between records; it
 * counts when its last one is there. A first one says that what came before it was never ended. */
enum { JOURNAL_FRAME_FIRST = 1, JOURNAL_FRAME_LAST = 2, JOURNAL_COUNTS_MAX = 128 };

enum journal_kind {
    JOURNAL_GROUP = 1, /* head of the group */
    JOURNAL_PART,      /* a partition gets its number */
    JOURNAL_POSITION,
    JOURNAL_MARK,
    JOURNAL_CHANGE, /* of an incident */
    JOURNAL_OP,     /* of the change before it */
    JOURNAL_OP_STATE,
    JOURNAL_COUNTS, /* the ledger as of the group's last epoch */
    JOURNAL_RULES,  /* the rule set in force from a time on */
    JOURNAL_MEMBER, /* an alert that an incident tracks from then on */
    JOURNAL_KIND_COUNT
};

/* What a group says that made it. */
#define JOURNAL_ENGINE "tocsin " TOCSIN_VERSION

struct journal_group {
    int64_t from_ms, to_ms; /* closed time that it holds; equal: outbox states alone */
    int64_t n_ms;           /* the daemon's clock N when it was closed */
    int64_t r_ms;           /* R of the last seal round; INT64_MIN: a backlog's, or none yet */
    const char *engine;     /* that made it, "tocsin 0.1.0" */
};

/* Else it holds states of ops alone, as behind a start, and its clock may be none. */
static inline bool journal_group_has_step(const struct journal_group *group)
{
    return group->to_ms > group->from_ms;
}

struct journal_part {
    uint32_t part; /* as marks and positions call it */
    int32_t partition;
    const char *topic;
};

struct journal_position {
    uint32_t part;
    int64_t low;  /* first record that is in no closed epoch */
    int64_t read; /* next record to be fetched when the last epoch closed */
};

struct journal_op {
    struct id128 id;
    struct id128 incident;
    uint32_t number;
    uint8_t kind; /* enum op_kind */
    const char *sink;
};

/* What has become of an op, as the outbox tells it. */
enum journal_fate {
    JOURNAL_FATE_OWED,      /* it waits; of the sinks that fold repeats it may have been sent */
    JOURNAL_FATE_INTENT,    /* it is about to be sent */
    JOURNAL_FATE_RETRY,     /* it was not taken */
    JOURNAL_FATE_UNCERTAIN, /* it may have been */
    JOURNAL_FATE_MADE,      /* its ticket is there, and looked at once more */
    JOURNAL_FATE_DONE,
    JOURNAL_FATE_DEAD,     /* given up */
    JOURNAL_FATE_TAKEN_IN, /* superseded: the op before it tells it, or nobody has to */
    JOURNAL_FATE_COUNT
};

struct journal_op_state {
    struct id128 op;
    uint8_t fate; /* enum journal_fate */
    bool may_exist;
    int64_t not_before_ms; /* wall clock; of RETRY and MADE */
    int64_t at_ms;         /* the same: when it happened */
    const char *reference; /* the sink's own name of what it opened; "" */
    const char *label;     /* what people call that; "" */
    const char *reason;    /* of DEAD, or one of RETRY below; "" */
};

/* Why an op is at RETRY without an attempt that counts as one of its own. */
#define JOURNAL_REASON_HELD "the sink refuses the credentials" /* all that waits for it waits */
#define JOURNAL_REASON_FOUND "as a start found it"             /* it was not tried */

struct journal_counts {
    uint32_t count;
    uint64_t value[JOURNAL_COUNTS_MAX];
};

struct journal_rules {
    int64_t from_ms;
    struct id128 set;      /* content hash, under which its files are kept */
    struct id128 settings; /* the same of the settings that show in results */
};

struct journal_member {
    struct id128 incident;
    int64_t at_ms;
    const char *source, *resource, *check, *dedup_key, *host; /* the beginnings of its words */
    uint8_t severity;
};

struct journal_record {
    enum journal_kind kind;
    union {
        struct journal_group group;
        struct journal_part part;
        struct journal_position position;
        struct mark mark;
        struct incident change; /* a view: not counted, not to be released */
        struct journal_op op;
        struct journal_op_state op_state;
        struct journal_counts counts;
        struct journal_rules rules;
        struct journal_member member;
    };
};

/* Whether it is one of those that a recovery tells again. */
static inline bool journal_record_is_told(const struct journal_record *record)
{
    return record->kind == JOURNAL_CHANGE || record->kind == JOURNAL_OP;
}

/* A group under construction. */
struct journal_buffer {
    VECTOR_OF(char) bytes;
};

/* Appends. What it points at is copied. */
void journal_put(struct journal_buffer *buffer, const struct journal_record *record);
void journal_buffer_release(struct journal_buffer *buffer);

struct journal_cursor {
    const char *at, *end;
    bool began; /* the head was read */
};

/* Where the record at `at` ends; it is one that journal_put() made. */
const char *journal_record_end(const char *at);

/* 1 and the next record; 0 behind the last one; -EBADMSG with a sentence that says which record
 * and what is wrong with it. Any bytes are safe. */
int journal_get(struct journal_cursor *cursor, struct journal_record *out, struct error *err);

const char *journal_kind_name(enum journal_kind kind);

#endif
