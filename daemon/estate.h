/*
 * estate.h - a synthetic estate: what its monitoring would send, and what truly happened.
 *
 *   sites > racks > hosts; services run on hosts of different racks and depend
 *   on each other; each rack hangs on its site's core by one link.
 *
 *   noise    standing alerts that are repeated, checks that report "ok", alerts
 *            that come and go, a few checks that flap, restarts
 *   faults   each with one root, a start, an end, every event it causes, and the
 *            rules of rules/packs/demo.yaml that are expected to find it
 *   storms   a host or a link that screams thousands of events in seconds
 *
 * Noise and faults never share an alert: noise has its own resources or sources,
 * so it can neither clear what a fault raised nor complete what a rule waits for.
 *
 * Everything follows from the configuration: no clock, no other randomness than
 * `seed`. The same configuration gives the same events and the same truth.
 *
 * Time is cut in acts. The faults of an act are planned when it begins and are
 * over, recovery included, before it ends; so an endless stream takes bounded
 * memory and its truth is always known ahead of its events.
 *
 * Thread: an estate belongs to one thread.
 */
#ifndef DAEMON_ESTATE_H
#define DAEMON_ESTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"

struct estate;

struct estate_config {
    uint64_t seed;         /* [1] */
    int64_t start_ms;      /* time of the first event [2026-02-01T00:00:00Z] */
    int64_t duration_ms;   /* 0: endless [60000] */
    uint32_t rate;         /* noise events per second; faults and storms come on top [2000] */
    uint32_t tenants;      /* [1] */
    uint32_t sites;        /* at least one per tenant [2] */
    uint32_t racks;        /* at least one per site [16] */
    uint32_t hosts;        /* at least one per rack [192] */
    uint32_t services;     /* at least one per tenant [24] */
    uint32_t faults;       /* in `duration_ms`, or per minute of an endless stream [7] */
    uint32_t storm_events; /* events of one storm [6000] */
    uint32_t repeat_ms;    /* an open alert is sent again after this; 0: never [2000] */
    uint32_t disorder_ms;  /* an event may come this late after its own time [0] */
};

/* Fills the defaults in brackets above. */
void estate_config_init(struct estate_config *config);

enum estate_fault_kind {
    FAULT_RACK_POWER, /* both feeds of a rack, then its hosts, then what ran there */
    FAULT_LINK,       /* errors, then both ends down, then slow services behind it */
    FAULT_SERVICE,    /* a bad deploy: all instances fail, dependants get slow */
    FAULT_DISK,       /* one disk: SMART warnings one after the other */
    FAULT_HOST_CRASH, /* one host, and the instances on it */
    FAULT_DISK_FULL,  /* a file system fills up */
    FAULT_STORM,      /* a host or link that sends thousands of events in seconds */
    ESTATE_FAULT_KIND_COUNT
};

/* Why an event is in the stream; the generator counts by this. */
enum estate_cause {
    STREAM_STANDING,     /* repeat of an alert that is open all the time */
    STREAM_OK,           /* a check that says all is well */
    STREAM_RESTART,      /* a process was restarted, for information */
    STREAM_PASSING,      /* an alert that comes and goes */
    STREAM_FLAPPING,     /* one that does so every two seconds */
    STREAM_FAULT,        /* a fault's problem or clear */
    STREAM_FAULT_REPEAT, /* a fault's alert, still open, sent again */
    STREAM_STORM,
    ESTATE_CAUSE_COUNT
};

const char *estate_fault_kind_name(enum estate_fault_kind kind);
const char *estate_cause_name(enum estate_cause cause);

/* One event of the stream; its words are made by estate_event_write(). */
struct estate_event {
    int64_t time_ms;  /* the event's own time */
    int64_t emit_ms;  /* when it reaches the wire: time_ms plus disorder */
    uint32_t entity;  /* index of a host, rack or link, as the symptom says */
    uint32_t service; /* where the symptom has one */
    uint32_t fault;   /* number of its fault, 0 for noise */
    uint16_t value_tenths;
    uint8_t symptom;  /* row of the table in estate_text.c */
    uint8_t severity; /* enum severity; SEVERITY_OK on a clear */
    uint8_t state;    /* enum event_state */
    uint8_t cause;    /* enum estate_cause */
};

enum { ESTATE_NAME_BYTES = 48, ESTATE_KEY_BYTES = 160, ESTATE_RULES_MAX = 3 };

/* The truth about one fault. */
struct estate_fault {
    uint32_t number; /* from 1, in order of planning */
    enum estate_fault_kind kind;
    const char *tenant;
    const char *root_kind;               /* "rack", "host", "link", "service" */
    char root[ESTATE_NAME_BYTES];        /* its name */
    int64_t start_ms;                    /* own time of its first event */
    int64_t end_ms;                      /* own time of its last clear */
    const char *rules[ESTATE_RULES_MAX]; /* any of these, NULL-terminated unless full */
    char key[ESTATE_KEY_BYTES];          /* of the incident expected, as in the incident log */
    uint32_t event_count;                /* problems, repeats and clears */
    const char *const *affected;         /* "host:x", "service:y" ...; owned by the estate */
    uint32_t affected_count;
};

enum { ESTATE_EVENT_BYTES_MAX = 1024 };

/* Owner: the caller, until estate_destroy().
 * Errors: -EINVAL with a sentence where the numbers do not fit together; -ENOMEM. */
int estate_create(const struct estate_config *config, struct estate **out, struct error *err);
void estate_destroy(struct estate *estate);

/* Moves to the next event, in the order of emit_ms. False at the end. */
bool estate_next(struct estate *estate, struct estate_event *out);

/* The next fault that has been planned and not been reported yet, or NULL. Valid
 * until the estate moves on. Ask before the first event and after each: what is
 * reported starts after the events seen so far. */
const struct estate_fault *estate_fault_next(struct estate *estate);

/* How many faults could not be planned for want of a healthy rack, service or
 * time: what is planned plus this is what was asked for. */
uint32_t estate_faults_skipped(const struct estate *estate);

/* Writes the event as native JSON (docs/events.md), without a line end; returns
 * its bytes, at most ESTATE_EVENT_BYTES_MAX. */
size_t estate_event_write(struct estate *estate, const struct estate_event *event, char *to);

/* The host, or the rack of a link or feed: what a sender keys its records by, so
 * that all events of one alert take one way. */
struct text estate_event_key(const struct estate *estate, const struct estate_event *event);

/* Writes the fault as one JSON line without its end; returns what snprintf would. */
size_t estate_fault_write(const struct estate_fault *fault, char *to, size_t bytes);

#endif
