/*
 * wire.h - the network between a life and the systems that are told: a struct transport in place of
 * libcurl's (--wrap=transport_curl_create). Requests take their time, are lost, and are answered
 * with lies (tests/ticket_desk.h), until the world is calm.
 */
#ifndef TESTS_SIM_WIRE_H
#define TESTS_SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_plan {
    unsigned lies;     /* of 100 requests so many meet one */
    bool has_refusals; /* some are for good */
    uint64_t way_ns;   /* to the system, at most; and back */
    uint64_t slow_ns;  /* what a request takes in addition, at most */
    uint64_t calm_ns;  /* from then on everything is honest and quick */
};

/* Of this life. */
void wire_begin(const struct wire_plan *plan);

/* All that is on its way comes to where it was sent. Answers do not. */
void wire_flush(void);

#endif
