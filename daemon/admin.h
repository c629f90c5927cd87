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
 *   POST /reload          as SIGHUP; answers with what it did to each rule; ?dry=1: only tells
 *   GET /incidents        the newest incidents of the history as JSON; ?from=TIME, to=TIME,
 *                         rule=ID, tenant=NAME, key=TEXT, open=1, limit=N
 *   GET /incidents/ID     the story of one, by its id or the first digits of it
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
 * the listen queue), 8 KiB of headers, 4 KiB of body, 10 s of silence.
 *
 * Thread: create and destroy by setup; the callbacks run on the admin thread.
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
};

struct admin_config {
    const char *listen; /* "host:port", "[::1]:port"; port 0 takes a free one */
    unsigned connections_max;
    void *self;
    void (*metrics)(void *self, FILE *to);
    /* False with a sentence in *why. */
    bool (*healthy)(void *self, struct error *why);
    bool (*ready)(void *self, struct error *why);
    /* Write one line of JSON. Errors: -EINVAL and -ENOENT blame the request, others us; with a
     * sentence. */
    int (*dead)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*rules)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*reload)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*waiting)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*redrive)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
    int (*incidents)(void *self, const struct admin_pick *pick, FILE *to, struct error *err);
};

/* Binds and starts the thread. Errors: a negative errno with a sentence.
 * Owner: the caller, until admin_destroy(). */
int admin_create(const struct admin_config *config, struct admin **out, struct error *err);

/* Answers nothing more; waits for the thread. NULL is allowed. */
void admin_destroy(struct admin *admin);

uint16_t admin_port(const struct admin *admin);

#endif
