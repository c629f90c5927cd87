/*
 * transport.h - how a request reaches a sink: a replaceable conversation.
 *
 *   outbox core --send(request)--> transport ... wire ...
 *        ^----------done(answer)-------'
 *
 * The outbox knows HTTP by this table only. sinks/transport_curl.c is the real
 * one; tests and simulators put their own in its place. What matters to delivery
 * is not only whether an exchange failed but how far it came: as long as no byte
 * of the request left, the sink cannot have acted on it.
 *
 * Thread: all calls and callbacks belong to the thread that runs the outbox.
 */
#ifndef SINKS_TRANSPORT_H
#define SINKS_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRANSPORT_BODY_BYTES_MAX = 64 << 10, TRANSPORT_RETRY_AFTER_BYTES = 128 };

/* How far an exchange came. */
enum transport_result {
    TRANSPORT_ANSWERED,          /* a status line and its body came back */
    TRANSPORT_CONNECT,           /* no connection: name, route, refused, timed out */
    TRANSPORT_TLS,               /* connected, but no trusted TLS session */
    TRANSPORT_PROXY_REFUSED,     /* the proxy wants other credentials; nothing went through */
    TRANSPORT_BEFORE_FIRST_BYTE, /* failed otherwise, nothing of the request left */
    TRANSPORT_AFTER_FIRST_BYTE,  /* failed when the sink may have seen the request */
    TRANSPORT_RESULT_COUNT
};

struct transport_request {
    const char *method; /* "GET" carries no body */
    const char *url;
    const char *const *headers; /* "Name: value" */
    size_t header_count;
    const char *body;
    size_t body_bytes;
    unsigned connect_timeout_ms;
    unsigned timeout_ms; /* of the whole exchange */
    /* Texts: "" for none. */
    const char *proxy;       /* URL, may hold user and password */
    const char *no_proxy;    /* hosts that are reached without it, comma separated */
    const char *ca_file;     /* PEM; none: the system's authorities */
    const char *client_cert; /* PEM */
    const char *client_key;  /* PEM; none: it stands in client_cert */
    const char *client_key_password;
    bool may_reuse_connection; /* false where a hidden repeat would do harm: a
                                * client resends by itself when a kept connection
                                * turns out to be closed */
    /* Asked when there is a connection, right before the first byte; false: nothing is sent, and
     * the answer is TRANSPORT_BEFORE_FIRST_BYTE. NULL: it may. Lives until `done`. */
    bool (*may_leave)(void *self);
    void *may_leave_self;
};

struct transport_answer {
    enum transport_result result;
    int status;              /* of the answer; 0 unless TRANSPORT_ANSWERED */
    const char *retry_after; /* header as sent; "" when absent */
    const char *body;        /* zero-terminated, cut at TRANSPORT_BODY_BYTES_MAX */
    size_t body_bytes;
    const char *detail; /* why it failed, for a person; "" when answered */
};

/* The answer is borrowed for the call. May call send(). */
typedef void (*transport_done)(void *arg, const struct transport_answer *answer);

struct transport {
    void *self;
    /* Begins one exchange. The request is borrowed until `done`, which is called
     * once, later, never from within send().
     * Errors: a negative errno: nothing was begun and `done` will not be called. */
    int (*send)(void *self, const struct transport_request *request, transport_done done,
                void *arg);
};

#endif
