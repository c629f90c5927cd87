/*
 * step_size.h - how many events a step takes.
 *
 * A touch has 96 bytes, and an event makes one for each rule that asks for it, none or thousands: a
 * step of as many events as always would hold gigabytes of them. How many its events will make is
 * not known before rules are asked, so the steps before it tell: a step takes so many events that
 * engine_config.step_touches come of them, and at most twice as many as the one before.
 *
 * An epoch is never cut, so this is no bound where one epoch holds more.
 *
 * Thread: sequencer role.
 */
#ifndef CORRELATE_STEP_SIZE_H
#define CORRELATE_STEP_SIZE_H

#include <stdint.h>

struct engine;
struct rules_version;

struct step_size {
    uint64_t events;     /* that the next step takes: it is cut after the epoch that reaches this */
    uint64_t step;       /* the first that was not looked at */
    uint64_t touches;    /* ever made by those before it */
    uint32_t generation; /* of the rules that `events` is for; 0: of none */
};

/* Looks at the steps that have been done since the last call. Called before each step is cut, while
 * steps that were done since the last are in their places still. */
void step_size_look(struct engine *engine, const struct rules_version *rules);

#endif
