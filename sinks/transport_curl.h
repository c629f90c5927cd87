/*
 * transport_curl.h - the real transport: libcurl's multi interface on libevent.
 *
 * TLS certificates and host names are always verified, redirects never followed,
 * only http and https spoken, and the proxy variables of the environment (no_proxy too) ignored.
 *
 * Thread: everything belongs to the thread that runs `loop`.
 */
#ifndef SINKS_TRANSPORT_CURL_H
#define SINKS_TRANSPORT_CURL_H

#include "base/error.h"
#include "sinks/transport.h"

struct event_base;
struct transport_curl;

/* Borrows the loop. Errors: NULL and a sentence. */
struct transport_curl *transport_curl_create(struct event_base *loop, struct error *err);

/* Ends all exchanges; their `done` is not called any more. NULL is allowed. */
void transport_curl_destroy(struct transport_curl *curl);

/* Valid until the transport is destroyed. */
const struct transport *transport_curl_table(const struct transport_curl *curl);

#endif
