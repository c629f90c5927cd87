/*
 * severities.h - at which severities a condition can be true, told from the condition alone.
 *
 *   severity >= MAJOR && check == "a"    MAJOR, CRITICAL
 *   severity == OK || severity > MAJOR   OK, CRITICAL
 *   !(severity > MINOR)                  all: of a negation nothing is said
 *
 * Every event has one severity, so rules are kept by it before anything of the event is looked up.
 */
#ifndef RULES_SEVERITIES_H
#define RULES_SEVERITIES_H

#include "rules/program.h"

/* The severities at which the program can be true, a bit each. */
uint8_t severities_possible(const struct program *program);

/* Is the truth of this test a matter of the severity alone? */
bool severities_decide(const struct instruction *at);

#endif
