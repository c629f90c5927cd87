/*
 * desk.h - the systems that are told, as they outlive each life: those of tests/ticket_desk.h, and
 * a hook that folds nothing. They live in the judge's process and are asked through a pipe:
 *
 *   life:  wire.c  --POST id, request-->   desk.c   it is on its way
 *                  --ACT id, lie------->            it has come: acted on, or not
 *                  <--answer------------
 *
 * A request that is on its way when the life ends comes all the same, or does not.
 */
#ifndef TESTS_SIM_DESK_H
#define TESTS_SIM_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/dice.h"
#include "sinks/transport.h"

enum { DESK_TEXT_BYTES = TRANSPORT_BODY_BYTES_MAX + 4096, DESK_HEADERS = 2048 };

enum desk_kind { DESK_POST = 1, DESK_ACT };

struct desk_message {
    uint32_t kind, id;
    uint32_t lie;        /* ACT; enum lie */
    uint32_t timeout_ms; /* POST */
    uint64_t now_ns;
    uint32_t method_bytes, url_bytes, headers_bytes, body_bytes; /* POST: they follow */
};

struct desk_reply {
    int32_t result, status;
    uint32_t body_bytes; /* it follows */
    bool is_late;        /* the answer does not come before the time-out */
    char retry_after[64];
};

/* What a request to this address meets: an enum lie. */
uint32_t desk_throw_lie(const char *url, bool has_refusals, struct dice *dice);

/* Nobody knows a ticket. `lag_ns`: so long one is missing from look-ups. */
void desk_begin(uint64_t lag_ns);

/* Serves one life until its end of the pipe is closed; then what was on its way. */
void desk_serve(int fd, struct dice *dice);

/* What the systems hold of one incident: how many tickets were made, how many are open. */
struct desk_found {
    unsigned made, open, linked; /* linked: closed as a duplicate of another */
};
struct desk_found desk_find_tickets(const char *host, const char *incident);
/* The i-th ticket of all: whose it is. False: there are not as many. */
bool desk_ticket(size_t i, const char **host, const char **incident);
/* Tickets of this system, of all incidents. */
unsigned desk_tickets(const char *host);

/* What the hook was told, in order. */
struct desk_told {
    char op[40], incident[40], kind[16];
    unsigned number;
    bool may_repeat;
};
const struct desk_told *desk_told(size_t *count);

#endif
