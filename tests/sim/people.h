/*
 * people.h - what is done to a life over its admin interface, behind HTTP: events are pushed, rules
 * reloaded, silences made. The functions are those that the admin server calls.
 */
#ifndef TESTS_SIM_PEOPLE_H
#define TESTS_SIM_PEOPLE_H

#include "sim/scenario.h"

struct service;

/* A thread of its own does it, until people_end(). */
void people_begin(const struct scenario *scenario, struct service *service);
void people_end(void);

/* Sends once more what was given up. True: something waits still, and may be given up. */
bool people_redrive(struct service *service);

#endif
