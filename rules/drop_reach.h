/*
 * drop_reach.h - which rules lose events by an enrich step that drops.
 *
 *   step:  check == "ping" && host == "k1"
 *   rules: check == "ping" && severity >= MAJOR    it may lose some
 *          check == "disk"                         it loses none
 *
 * Nobody knows which events will come, so a rule may lose some unless it is known that it cannot
 * (rules/drops.h).
 *
 * Thread: any.
 */
#ifndef RULES_DROP_REACH_H
#define RULES_DROP_REACH_H

#include <stdbool.h>
#include <stdint.h>
#include "rules/rule_set.h"

/* The step's place among those that drop, which is asked for once. */
uint32_t drop_place(const struct rule_set *set, uint32_t step);

/* `place` is that of `step`, which drops. */
bool drop_reaches(const struct rule_set *set, uint32_t step, uint32_t place, uint32_t rule);

#endif
