/*
 * sink.h - one configured sink, and the table of the types there are.
 *
 * A type is one file and one row of sink_types[]: its options with their help
 * and defaults, how an op becomes a request, and what an answer in 2xx must
 * contain. Queueing, order, retries and budgets are the outbox's and the same
 * for all types.
 *
 * An op at a paging service is one request. An op at a ticketing system is done in steps, each
 * a request of its own: look up, create, change, close a twin. Which step comes when is the
 * outbox's affair and follows from the class of the sink (sinks/sink_class.h); a type says how a
 * step looks as a request and what an answer to it says.
 *
 * Secrets: text options may be `env:NAME` or `file:/path`. What was read that
 * way, and every option of kind OPT_SECRET, is replaced by *** in all sentences.
 */
#ifndef SINKS_SINK_H
#define SINKS_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/incident.h"
#include "sinks/outbox.h"
#include "sinks/sink_class.h"
#include "sinks/transport.h"

/* What an answer means for the op (semantics O6). */
enum sink_verdict {
    SINK_DELIVERED,
    SINK_RETRY,     /* not taken; later it may be */
    SINK_THROTTLED, /* the sink said when to come back */
    SINK_UNCERTAIN, /* it may have been taken */
    SINK_HELD,      /* our credentials are refused: nothing will be taken */
    SINK_REJECTED,  /* this op will never be taken */
    SINK_VERDICT_COUNT
};

enum sink_option_kind {
    OPT_TEXT,
    OPT_SECRET, /* text that never shows */
    OPT_URL,    /* http:// or https:// */
    OPT_PROXY,  /* the same, without a path; user and password may stand in it */
    OPT_PEM,    /* path of a PEM file, read at the start to see that it is one */
    OPT_BOOL,   /* true or false */
    OPT_COUNT,
    OPT_MS,
    OPT_HEADER, /* the family header.NAME: each names one header */
};

struct sink_option {
    const char *name;
    enum sink_option_kind kind;
    size_t offset;             /* in the type's settings */
    const char *default_value; /* NULL: must be given */
    const char *help;
    uint32_t min, max; /* of OPT_COUNT and OPT_MS */
};

/* The options that every type has; first member of each type's settings. */
struct sink_settings {
    uint32_t timeout_ms;
    uint32_t connect_timeout_ms;
    uint32_t rate_per_minute; /* 0: no limit */
    uint32_t burst;
    uint32_t in_flight_max;
    uint32_t retry_hours;
    const char *proxy;
    const char *no_proxy;
    const char *ca_file;
    const char *client_cert;
    const char *client_key;
    const char *client_key_password;
    bool fold_resolved;
    bool self_alerts;
    /* Of ticketing systems; rows of their types' own options. */
    uint32_t settle_ms;   /* D3: so long may a look-up be behind */
    uint32_t key_minutes; /* so long is a request key surely remembered; class B */
};

/* What one request is for. */
enum sink_step {
    SINK_STEP_SEND,   /* the op itself; the only step of types that have no tickets */
    SINK_STEP_FIND,   /* which tickets carry our key? Changes nothing */
    SINK_STEP_CREATE, /* a new ticket, with our key in it */
    SINK_STEP_CHANGE, /* of the ticket that is known: an update, an ack or a resolve */
    SINK_STEP_TWIN,   /* a second ticket with our key is linked to the first, and closed */
    SINK_STEP_COUNT
};

/* A ticket with our key, as a look-up or a creation shows it. */
struct sink_ticket {
    struct sink_remote remote;
    char created[32]; /* as text that sorts by time */
    bool is_open;
};

/* The tickets of one answer, the oldest first: each owner of an incident keeps the same one. */
enum { SINK_FOUND_MAX = 8 };

struct sink_found {
    size_t count;
    struct sink_ticket ticket[SINK_FOUND_MAX];
};

/* Puts the ticket into its place; the youngest falls out when there are too many. */
void sink_found_add(struct sink_found *found, const struct sink_ticket *ticket);

struct sink;

/* One attempt at one op, as a type's build() sees it. */
struct sink_attempt {
    const struct op *op;
    uint32_t number;      /* of this attempt, from 1 */
    bool possible_repeat; /* class D: an earlier attempt may have been taken */
    int64_t wall_ms;      /* now, for signatures */
    enum sink_step step;
    const struct sink_remote *remote; /* of CHANGE the ticket, of TWIN the one that is kept */
    const struct sink_remote *twin;   /* of TWIN: the one to close */
};

enum { SINK_HEADERS_MAX = 40, SINK_CUSTOM_HEADERS_MAX = 16 };

/* A request under construction. */
struct sink_request {
    const char *url;    /* borrowed from the sink, or own_url */
    char *own_url;      /* owned */
    const char *method; /* a literal; NULL: POST */
    char *body;         /* owned; NULL: none */
    size_t body_bytes;
    char *headers[SINK_HEADERS_MAX]; /* owned, "Name: value" */
    size_t header_count;
};

struct sink_type {
    const char *name;
    const char *help;
    const struct sink_option *options;
    size_t option_count;
    size_t settings_bytes;
    enum sink_class (*class_of)(const void *settings);
    /* What no single option can tell. NULL: nothing. Errors: -EINVAL and a sentence. */
    int (*check)(const struct sink *sink, struct error *err);
    /* Fills `out`. Errors: -ENOMEM: try again later; others: it can never be sent. */
    int (*build)(const struct sink *sink, const struct sink_attempt *attempt,
                 struct sink_request *out, struct error *err);
    /* Sees every answer that came back, and what its status means, and may overrule
     * that with a sentence. NULL: the status alone decides. */
    enum sink_verdict (*judge)(const struct sink *sink, const struct transport_answer *answer,
                               enum sink_verdict by_status, struct error *err);
    /* The same for a type of tickets, whose judge is NULL: says as well which tickets of the
     * incident an answer in 2xx shows; after SINK_STEP_CREATE exactly one. */
    enum sink_verdict (*read)(const struct sink *sink, enum sink_step step, struct id128 incident,
                              const struct transport_answer *answer, enum sink_verdict by_status,
                              struct sink_found *out, struct error *err);
};

struct sink_header {
    const char *name;
    const char *value;
};

struct sink {
    const struct sink_type *type;
    const char *name;
    void *settings; /* of the type; begins with struct sink_settings */
    struct sink_header headers[SINK_CUSTOM_HEADERS_MAX];
    size_t header_count;
    bool is_resolved; /* false: made for a check, env: and file: were not read */
    uint64_t given;   /* bit i: the type's option i stands in the configuration */

    char **texts; /* owns every string of the settings */
    size_t text_count;
    const char **secrets; /* of these, the ones that must not show */
    size_t secret_count;
};

extern const struct sink_type *const sink_types[];
extern const size_t sink_type_count;
extern const struct sink_option sink_common_options[];
extern const size_t sink_common_option_count;

/* Builds a sink from its configuration. With `resolve` env: and file: are read;
 * without, they are only checked for form, and so may be missing.
 * Owner: the caller. Errors: -EINVAL, -ENOMEM or a file's errno, with a sentence. */
int sink_create(const struct sink_config *config, bool resolve, struct sink **out,
                struct error *err);
void sink_destroy(struct sink *sink);

static inline const struct sink_settings *sink_settings(const struct sink *sink)
{
    return sink->settings;
}

static inline enum sink_class sink_class_of(const struct sink *sink)
{
    return sink->type->class_of(sink->settings);
}

static inline bool sink_has_tickets(const struct sink *sink)
{
    return sink->type->read != NULL;
}

/* The step that tells the op itself, once what it needs to know is known. */
static inline enum sink_step sink_step_of(const struct sink *sink, enum op_kind kind)
{
    if (!sink_has_tickets(sink))
        return SINK_STEP_SEND;
    return kind == OP_OPEN ? SINK_STEP_CREATE : SINK_STEP_CHANGE;
}

/* Overwrites every secret of the sink that occurs in `text` with ***. */
void sink_redact(const struct sink *sink, char *text);

/* Adds one header line. Errors: -ENOMEM; -E2BIG beyond SINK_HEADERS_MAX. */
int sink_request_add_header(struct sink_request *request, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sink_request_release(struct sink_request *request);

/* The rows of sink_types[], one file each. */
extern const struct sink_type sink_pagerduty;
extern const struct sink_type sink_servicenow;
extern const struct sink_type sink_webhook;
extern const struct sink_type sink_zendesk;

#endif
