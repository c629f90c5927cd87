/*
 * incident.h - what leaves the correlation: incident changes, and ops for sinks.
 *
 * An incident change is what happened; an op is what one sink must be told of
 * it. Both are plain records, made by the incident stage in T3's order, and make
 * up the incident log (semantics section 0).
 *
 *            open                 update*                close
 *   (none) --------> INCIDENT_OPEN -------> INCIDENT_OPEN -------> INCIDENT_RESOLVED
 *
 * Owner: a change and its strings are one refcounted block (struct incident);
 *        ops borrow it through incident_ref().
 */
#ifndef BASE_INCIDENT_H
#define BASE_INCIDENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/event.h"

enum incident_change { INCIDENT_OPENED, INCIDENT_UPDATED, INCIDENT_CLOSED };

enum priority { PRIORITY_NONE, PRIORITY_P1, PRIORITY_P2, PRIORITY_P3, PRIORITY_P4, PRIORITY_P5 };

/* Why an incident was closed or updated; the names are part of the incident log. */
enum incident_cause {
    CAUSE_RULE,         /* opened: the rule's condition became true */
    CAUSE_SEVERITY,     /* updated: a worse severity joined */
    CAUSE_GREW,         /* updated: the number of alerts has doubled */
    CAUSE_QUIET,        /* closed: nothing came for the rule's quiet time */
    CAUSE_CLEARED,      /* closed: all its alerts have cleared */
    CAUSE_FEWER,        /* closed: fewer touches than the rule's fewer() says */
    CAUSE_VALUE,        /* closed: a number that came in made close true */
    CAUSE_UNLISTED,     /* closed: its key is no longer listed by the rule */
    CAUSE_EVICTED,      /* updated: no longer watched, a bound was reached */
    CAUSE_UNMUTED,      /* updated: nothing mutes it any more, and there is something to tell */
    CAUSE_ACKNOWLEDGED, /* updated: somebody has taken it on */
    CAUSE_BY_HAND,      /* closed: somebody said that it is over */
    INCIDENT_CAUSE_COUNT
};

/* One incident as it stood at one change: a snapshot, never modified. */
struct incident {
    atomic_uint refs;     /* relaxed up, acq_rel down: edge D */
    uint32_t block_bytes; /* of this struct and its strings, one allocation */

    struct id128 id;
    enum incident_change change;
    enum incident_cause cause;
    int64_t at_ms;          /* effective time of this change */
    int64_t opened_ms;      /* effective time of the opening */
    int64_t first_ts_ms;    /* own time of the oldest event in it */
    uint32_t change_number; /* 1 for the opening, then counting up */
    uint8_t severity;       /* worst so far */
    uint8_t priority;       /* enum priority */
    uint64_t event_count;   /* touches correlated so far */
    uint32_t alert_count;   /* distinct alerts that ever joined */
    uint32_t open_count;    /* of these, not cleared */
    bool is_forgotten;      /* its key was evicted: this is the last change of it */
    uint8_t field_count;    /* of `fields` */

    /* Zero-terminated UTF-8 in the same block; "" where the rule gives none. */
    const char *tenant;
    const char *rule_id;
    const char *key; /* "tenant=acme host=db01": by-fields and their values */
    const char *title;
    const char *tier;
    const char *runbook;
    const char *team;
    const char
        *why; /* "5 alerts in 10m (needs 5); 2 different values of check in 10m (needs 2): a, b" */
    const char *source; /* of the opening event */
    const char *resource;
    const char *check;
    const char *message;
    const char *host;
    const char *muted_by; /* "silence deploy, inhibit rack-down by 0123..."; "" when told */
    const char *acked_by; /* who has taken it on, the last who did; "" while nobody has */
    const char *by;       /* who made this change; "" when no person did */
    const char *comment;  /* and what they said of it */
    /* The names of `by` and the values of the key: for each a uint32_t with its bytes, then
     * these, names and values by turns. */
    const char *fields;
};

/* Name `i` of `fields`, or its value; i < field_count. */
struct text incident_field(const struct incident *incident, unsigned i, bool wants_value);

const char *incident_change_name(enum incident_change change);
const char *incident_cause_name(enum incident_cause cause);
const char *priority_name(enum priority priority); /* "P1"; "" for none */

/* A block of that many bytes for an incident and its strings, which is all zero but for
 * `block_bytes` and one reference, and counted until its last reference is dropped. Never NULL
 * (base/slab.h). Returns owned. */
struct incident *incident_alloc(size_t bytes);

/* What all blocks that are there take. Thread: any. */
uint64_t incident_bytes_held(void);

/* Takes / drops one reference; the last drop frees. NULL is allowed. */
struct incident *incident_ref(struct incident *incident);
void incident_unref(struct incident *incident);

enum op_kind { OP_OPEN, OP_UPDATE, OP_ACK, OP_RESOLVE };

/* One change for one sink. */
struct op {
    struct id128 id;           /* hash of (incident id, sink name, number) */
    uint32_t number;           /* per incident and sink, from 1, superseded ones too */
    uint16_t sink;             /* index into the configured sinks */
    uint8_t kind;              /* enum op_kind */
    struct incident *incident; /* owned reference */
};

const char *op_kind_name(enum op_kind kind);

/* 32 lower-case hexadecimal digits and a zero byte. */
enum { ID128_TEXT_BYTES = 33 };
void id128_format(struct id128 id, char to[ID128_TEXT_BYTES]);
/* The other way. False for anything else, NULL too; `out` is then left alone. */
bool id128_parse(const char *text, struct id128 *out);

#endif
