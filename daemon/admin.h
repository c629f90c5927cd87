/*
 * admin.h - the daemon's HTTP side: what monitoring asks of it.
 *
 *   GET /metrics   Prometheus text
 *   GET /healthz   200 while the process makes progress, else 503 and a sentence
 *   GET /readyz    200 while it can serve, else 503 and a sentence
 *   GET /outbox/dead      dead changes as JSON; ?sink=NAME&incident=ID
 *   GET /outbox/waiting   what of an incident is still to be sent; ?incident=ID
 *   POST /outbox/redrive  sends them again; ?sink=NAME, ?incident=ID or ?all=1
 *   GET /rules            the rules in force and what they hold, as JSON
 *   GET /rules/past       without data.dir: the sets in force during the last hour; ?set=ID: the
 *                         files of one
 *   POST /reload          as SIGHUP; answers with what it did to each rule; with ?dry=1 what it
 *                         would do
 *   GET /incidents        the newest incidents of the history as JSON; ?from=TIME, to=TIME,
 *                         rule=ID, tenant=NAME, key=TEXT, open=1, limit=N
 *   GET /incidents/ID     the story of one, by its id or the first digits of it
 *   POST /incidents/ID/acknowledge   somebody takes it on; {"comment": "..."} or no body
 *   POST /incidents/ID/close         somebody says that it is over; the same
 *   GET /silences         those made by hand, as JSON
 *   POST /silences/add    {"where": "host == \"db-1\"", "for": "2h", "comment": "..."}
 *   POST /silences/end    {"id": "..."}
 *   POST /events          events, as a topic would hold them: one document, or one a line; ?wait=5s
 *   POST /alertmanager    the body of Alertmanager's webhook; ?wait=5s
 *   GET /                 a list of these
 *
 * What a request says has to be understood: a parameter that the path does not take, twice the
 * same, a flag that is not 1, or a body is refused with a sentence (400), for what is not read
 * could have been meant to hold something back.
 *
 * A request that changes something and comes from a web page (it says so by its Origin) is
 * refused: a page that somebody on this machine looks at must not command the daemon.
 *
 * One thread with libevent's HTTP server. Bounds: connections (further ones wait in
 * the listen queue), 8 KiB of headers, `body_max` of body, 10 s of silence.
 *
 * Thread: create and destroy by setup; the callbacks run on the admin thread; answers that are owed
 *         are given by any.
 */
#ifndef DAEMON_ADMIN_H
#define DAEMON_ADMIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"

struct admin;

/* What a request says: which changes it means, and whether it only wants to look. NULL, false: it
 * does not say. */
struct admin_pick {
    const char *sink;
    const char *incident;
    bool all;
    bool dry;
    bool open;
    const char *from, *to, *rule, *tenant, *key, *limit;
    const char *wait;
    const char *set;
    const char *peer;  /* who asks: "192.0.2.7:4711" */
    bool is_local;     /* on this machine */
    const char *token; /* of "Authorization: Bearer ..." */
    const char *body;  /* where the path takes one */
    size_t bytes;
};

/* An answer that is owed. */
struct admin_reply;

#define ADMIN_JSON "application/json"

/* The HTTP status of a negative errno, as in the errors of struct admin_config. */
int admin_code(int rc);

/* Gives it; takes `text`, which is NULL for want of memory. Thread: any. */
void admin_answer(struct admin_reply *reply, int code, const char *type, char *text, size_t bytes);
/* The same with one sentence. */
void admin_answer_sentence(struct admin_reply *reply, int code, const char *sentence);

struct admin_config {
    const char *listen; /* "host:port", "[::1]:port"; port 0 takes a free one */
    unsigned connections_max;
    size_t body_max; /* of what is pushed; other bodies have at most ADMIN_BODY_BYTES_MAX */
    void *self;
    void (*metrics)(void *self, FILE *to);
    /* False with a sentence in *why. */
    bool (*healthy)(void *self, struct error *why);
    bool (*ready)(void *self, struct error *why);
    /* Write one line of JSON. Errors: -EINVAL, -EEXIST, -ENOENT, -EMSGSIZE, -EACCES (no token that
     * is known) and -EPERM blame the request, -ENOSYS the configuration, others us; with a
     * sentence. */
    int (*dead)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*rules)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*rules_past)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*reload)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*waiting)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*redrive)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*incidents)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*silences)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    /* Answer now or later; all that is owed before the server is destroyed. */
    void (*acknowledge)(void *self, const struct admin_pick *pick, struct admin_reply *reply);
    void (*close_incident)(void *self, const struct admin_pick *pick, struct admin_reply *reply);
    void (*silence_add)(void *self, const struct admin_pick *pick, struct admin_reply *reply);
    void (*silence_end)(void *self, const struct admin_pick *pick, struct admin_reply *reply);
    void (*events)(void *self, const struct admin_pick *pick, struct admin_reply *reply);
    void (*alertmanager)(void *self, const struct admin_pick *pick, struct admin_reply *reply);
};

enum { ADMIN_BODY_BYTES_MAX = 64 << 10 };

/* Binds and starts the thread. Errors: a negative errno with a sentence.
 * Owner: the caller, until admin_destroy(). */
int admin_create(const struct admin_config *config, struct admin **out, struct error *err);

/* Answers nothing more; waits for the thread. NULL is allowed. */
void admin_destroy(struct admin *admin);

uint16_t admin_port(const struct admin *admin);

#endif
