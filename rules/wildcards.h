/*
 * wildcards.h - texts that read like patterns of other programs, where a rule compares texts.
 *
 *   check == "disk.*"    is true of the text disk.* and of no other
 *   check == "disk%"     the same
 *
 * Such texts there may be, so it is no mistake, and told as what it may be.
 *
 * Thread: any.
 */
#ifndef RULES_WILDCARDS_H
#define RULES_WILDCARDS_H

#include "rules/rule_set.h"

enum { WILDCARD_BYTES = 300 };

/* The first comparison of a rule's `where` that has one, as a sentence; of a list the first hundred
 * texts are looked at. False: there is none. */
bool wildcard_find(const struct rule *rule, char to[WILDCARD_BYTES]);

#endif
