/*
 * check_start.h - what a start over the data directory of a configuration would do: refuse, or go
 * on under other settings and rules than before. For `tocsin check`.
 *
 * Thread: any.
 */
#ifndef DAEMON_CHECK_START_H
#define DAEMON_CHECK_START_H

#include <stdio.h>
#include "base/error.h"
#include "daemon/config.h"
#include "daemon/rules_kept.h"
#include "daemon/rules_preview.h"

/* EXIT_OK, or the exit code with which a start would refuse, and a sentence. What would be switched
 * goes to standard error, a note each; *preview is what becomes of the rules, printed to `to`
 * unless that is NULL: empty where they stay. `rules`, read out of `read`, may be NULL: they are
 * not asked for. *preview is to be released whatever comes of it. */
int check_start(struct config *config, const struct rule_set *rules, const struct rules_read *read,
                FILE *to, struct rules_preview *preview, struct error *err);

#endif
