/*
 * desk.h - the systems that are told, as they outlive each life: those of tests/ticket_desk.h, and
 * a hook that folds nothing. They live in memory that all processes share:
 *
 *   life:  wire.c  --desk_post()--> it is on its way
 *                  --desk_act_on()--> it has come: acted on, or not; and the answer
 *   judge:         --desk_deliver()--> what was on its way when the life ended comes all the same,
 * or does not
 */
#ifndef TESTS_SIM_DESK_H
#define TESTS_SIM_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "sim/dice.h"
#include "sinks/transport.h"

struct desk_reply {
    enum transport_result result;
    int status;
    char *body;   /* the caller frees it; NULL: none */
    bool is_late; /* the answer does not come before the time-out */
    char retry_after[64];
};

/* Maps them; before the first life, once. */
void desk_map(void);

/* What a request to this address meets: an enum lie. */
uint32_t desk_throw_lie(const char *url, bool has_refusals, struct dice *dice);

/* The one that never comes. */
uint32_t desk_loss(void);

/* Nobody knows a ticket. `lag_ns`: so long one is missing from look-ups. */
void desk_begin(uint64_t lag_ns);

/* The request is on its way, under this number. Thread: a life's, as the next. */
void desk_post(uint32_t id, const struct transport_request *request);
/* It has come, and meets this lie (enum lie). */
void desk_act_on(uint32_t id, uint32_t lie, struct desk_reply *reply);

/* The life is over: what its machine sent. */
void desk_deliver(struct dice *dice);

/* What the systems hold of one incident: how many tickets were made, how many are open. */
struct desk_found {
    unsigned made, open, linked; /* linked: closed as a duplicate of another */
    unsigned unseen;             /* open, and shown by no look-up */
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
