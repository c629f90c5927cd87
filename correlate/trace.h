/*
 * trace.h - what the engine tells somebody who asks why: each decision, as it is made.
 *
 * The engine is deterministic, so a question about the past is answered by running the same
 * input again with a tracer: nothing is recorded while nobody asks. An ordinary run has none
 * (NULL), and its straight lines have no word of it: with a tracer, deduplication takes the
 * long way round for every event, which comes to the same results.
 *
 *   received --> enriched ... --> decided --> touched ... --> incident changes and ops
 *   ingest       stage D          stage D     stage R         (struct engine_listener, as always)
 *                   |           |
 *                 ended        lost          alerts and keys that go
 *
 * Everything that is passed is borrowed for the call. Each function may be NULL.
 *
 * Thread: an engine with a tracer has one worker, so all of it comes from one thread.
 */
#ifndef CORRELATE_TRACE_H
#define CORRELATE_TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include "correlate/alert.h"
#include "correlate/key.h"
#include "correlate/rules_version.h"
#include "correlate/touch.h"
#include "rules/enrich.h"
#include "rules/rule_set.h"

/* An event has got its effective time. */
struct trace_receipt {
    const struct event *event;
    const char *topic;
    int32_t partition;
    int64_t log_ms;      /* kt */
    int64_t trusted_ms;  /* c: what the event's own time came to */
    int64_t disorder_ms; /* L of the topic */
};

/* A step of enrichment did something to an event; told before the event is decided. */
struct trace_deed {
    const struct event *event; /* as it was sent */
    const char *topic;
    int32_t partition;
    const struct enrich_deed *deed;
};

/* What deduplication made of an event. */
enum trace_outcome {
    TRACE_CLEAR_OF_NONE,   /* no alert, none is made */
    TRACE_NEW,             /* a new alert, open */
    TRACE_REFIRED,         /* a closed alert is open again */
    TRACE_REPEATED,        /* a problem of an open alert, nothing else */
    TRACE_CHANGED,         /* the same with other attributes, or matched anew */
    TRACE_CLEARED,         /* an open alert is closed */
    TRACE_CLEAR_OF_CLOSED, /* of a closed one */
    TRACE_DROPPED,         /* as if it had not been sent */
};

/* Which sum of the ledger it went into (L2). */
enum trace_counted { TRACE_ROUTED, TRACE_DUPLICATE, TRACE_UNMATCHED, TRACE_COUNTED_DROPPED };

struct trace_decision {
    const struct event *event; /* as rules see it */
    const char *topic;
    int32_t partition;
    enum trace_outcome outcome;
    enum trace_counted counted;
    const char *dropped_by; /* TRACE_DROPPED: the id of the step */
    bool flapping;          /* the alert flaps: its rules are told nothing */
    bool flap_begun;        /* and that began with this event */
    int64_t calm_ms;        /* when flapping ends if nothing more changes */
    int64_t expire_ms;      /* when the alert is over if nothing more comes */
    const struct rules_version *rules;
    const struct route *routes; /* what the rules know of the alert now */
    uint32_t route_count;
};

/* Something happened to an alert without an event. */
enum trace_ending { TRACE_EXPIRED, TRACE_FLAP_ENDED, TRACE_ALERT_EVICTED };

struct trace_alert {
    enum trace_ending what;
    int64_t at_ms;
    struct id128 alert;
    const struct event_text *text;
    bool open;
};

/* What became of a touch. */
enum trace_fate {
    TRACE_NO_KEY,  /* a CLEAR or EVICT of a key that is not there */
    TRACE_WATCHED, /* the key watches on */
    TRACE_OPENED,  /* an incident opened */
    TRACE_JOINED,  /* it joined the open incident */
    TRACE_LEFT,    /* an alert of the open incident cleared or went */
    TRACE_IGNORED, /* an open incident that the alert is not open in */
    TRACE_CLOSED,  /* the open incident closed */
};

struct trace_touch {
    const struct touch *touch;
    const char *topic; /* of an event's touch; else NULL */
    int32_t partition;
    const struct rule *rule;
    const struct key_text *key; /* NULL: there is no such key, before and after */
    enum trace_fate fate;
    uint64_t evicted;      /* held touches that had to go for it */
    struct id128 incident; /* TRACE_OPENED, JOINED, LEFT, IGNORED, CLOSED */
    /* A former form of the rule holds the key by its open incident (X5): when the set in force took
     * effect. INT64_MIN: none does. */
    int64_t former_until_ms;
    /* TRACE_CLOSED: the rule, as it is in force, by which the key watches on; else NULL. */
    const struct rule *then;
    /* TRACE_WATCHED: the form of the rule that holds the key after the touch; NULL: there is no key
     * any more. */
    const struct rule *holder;
    /* TRACE_WATCHED, and with `then`, after the touch: how far the key is, as its rule's form says
     * it ("count() 4 of 5, distinct(check) 2 of 2"), when something in it is next due to change by
     * itself (INT64_MAX: never), and what that is when nothing opens ("the oldest left"); `near` is
     * 0 for nothing, 1 for enough. Else "". */
    const char *state;
    int64_t next_ms;
    const char *waits;
    double near;
};

/* A timer of a key that watches has run, and no incident opened by it, or a switch made it one of
 * another form: how the key is now, as in struct trace_touch; `state` is "" where it holds nothing
 * any more. */
struct trace_turn {
    int64_t at_ms;
    struct id128 key;
    const struct rule *rule;
    const char *state;
    int64_t next_ms;
    double near;
};

/* A key that went because its rule has too many (X4). */
struct trace_key {
    int64_t at_ms;
    struct id128 key;
    const struct rule *rule;
    const struct key_text *text;
    struct id128 incident; /* zero while watching */
    uint32_t pending;      /* touches that it held */
};

/* A touch that an incident begins with; those of one opening come together, just before it. */
struct trace_member {
    struct id128 alert;
    int64_t ts_ms;
    bool cleared;
};

/* A change of an incident, as stage R makes it. */
struct trace_change {
    struct id128 key;
    const struct order *order;
    const char *topic; /* of a change that an event made; else NULL */
    int32_t partition;
    const struct rule *rule;
    const struct incident *incident;
};

struct engine_trace {
    void *self;
    void (*received)(void *self, const struct trace_receipt *receipt);
    void (*enriched)(void *self, const struct trace_deed *deed);
    void (*decided)(void *self, const struct trace_decision *decision);
    void (*ended)(void *self, const struct trace_alert *alert);
    void (*touched)(void *self, const struct trace_touch *touch);
    void (*turned)(void *self, const struct trace_turn *turn);
    void (*member)(void *self, const struct trace_member *member);
    void (*changed)(void *self, const struct trace_change *change);
    void (*lost)(void *self, const struct trace_key *key);
};

#endif
