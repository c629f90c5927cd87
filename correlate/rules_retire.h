/*
 * rules_retire.h - rule sets and slots of rules that nothing holds any more are freed (X5).
 *
 *   a switch: the set before is old, slots of its rules that changed or went drain
 *        |
 *        v         a look through all lanes, a few at a time, between steps
 *   what keys, routes of alerts and open incidents hold stays; the rest is taken out of the version
 *   in force, and freed when no step under way and no reader of counters knows it
 *
 * What may point into an old set: a slot that a key or a route has, and an open incident by the
 * rule that opened it. A slot that drains gets no new route and no new key, so a look over several
 * steps misses none.
 *
 * Costs nothing while there is nothing old. A look that frees nothing makes the next one wait
 * longer.
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_RULES_RETIRE_H
#define CORRELATE_RULES_RETIRE_H

#include "correlate/core.h"

/* `old` was in force until now: steps from the next one on do not know it. */
void rules_retire_add(struct engine *engine, struct rules_version *old);

/* Looks a little further if it is time, and frees what can go. */
void rules_retire_poll(struct engine *engine, uint64_t now_ns);

/* True while a look waits for steps under way to end: none may be planned. */
static inline bool rules_retire_holds(const struct engine *engine, bool under_way)
{
    return under_way && engine->retire.must_drain;
}

/* True when a look has seen everything and waits to free what it can: the next set waits for it, so
 * that reloads which follow each other closely do not put it off for ever. */
bool rules_retire_is_ending(const struct engine *engine);

/* Frees everything that is old, when the engine ends. */
void rules_retire_release(struct engine *engine);

/* A set that the engine took goes, to the listener where that wants it; NULL is allowed. */
void rules_retire_free(struct engine *engine, struct rule_set *set);

#endif
