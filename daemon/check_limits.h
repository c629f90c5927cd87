/*
 * check_limits.h - what `tocsin check` notes of quotas and shedding: what is left out by them is
 * told by a self-alert, which is an event for rules, and may be what a rule waits for.
 *
 * Thread: any.
 */
#ifndef DAEMON_CHECK_LIMITS_H
#define DAEMON_CHECK_LIMITS_H

#include "daemon/config.h"
#include "rules/rule_set.h"

/* Calls `each` with one sentence after the other, without line end. Without rules there is nothing
 * to say. */
void check_limits(const struct config *config, const struct rule_set *rules,
                  void (*each)(void *self, const char *sentence), void *self);

#endif
