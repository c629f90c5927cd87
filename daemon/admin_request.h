/*
 * admin_request.h - what a request to the admin port asks for; of admin.c alone.
 *
 *   POST /silences?wait, its body, who sends it --> struct admin_pick
 *
 * Thread: admin's.
 */
#ifndef DAEMON_ADMIN_REQUEST_H
#define DAEMON_ADMIN_REQUEST_H

#include <event2/http.h>
#include "base/error.h"
#include "daemon/admin.h"

enum { ADMIN_FROM_BYTES = 128 };

/* What may stand behind the ? of a path. */
enum admin_parameter {
    PARAMETER_SINK = 1,
    PARAMETER_INCIDENT = 2,
    PARAMETER_ALL = 4,
    PARAMETER_DRY = 8,
    PARAMETER_OPEN = 16,
    PARAMETER_FROM = 32,
    PARAMETER_TO = 64,
    PARAMETER_RULE = 128,
    PARAMETER_TENANT = 256,
    PARAMETER_KEY = 512,
    PARAMETER_LIMIT = 1024,
    PARAMETER_WAIT = 2048,
    PARAMETER_SET = 4096
};

/* Whether a request has a body. */
enum admin_body { BODY_NONE, BODY_SMALL, BODY_PUSHED };

struct admin_endpoint {
    const char *path;
    bool is_command;
    const char *tail; /* the path goes on with an incident, and ends with this; NULL: it does not */
    unsigned takes;   /* bits of enum admin_parameter */
    enum admin_body body;
    void (*serve)(struct evhttp_request *request, struct admin *admin,
                  const struct admin_pick *pick);
};

struct evkeyvalq;

/* Who asks, and on whose behalf. `from` is what pick->peer then points to. */
void admin_read_sender(struct evhttp_request *request, char from[ADMIN_FROM_BYTES],
                       struct admin_pick *pick);

/* Parameters and body. Texts of `pick` are those of `pairs` (the caller clears it) and of the
 * request. Errors: a negative errno, with a sentence. */
int admin_read_request(const struct admin_endpoint *endpoint, struct evhttp_request *request,
                       struct evkeyvalq *pairs, struct admin_pick *pick, struct error *err);

#endif
