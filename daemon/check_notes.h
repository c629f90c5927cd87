/*
 * check_notes.h - what `tocsin check` notes of rules and mutes that are taken: each works, and
 * tells less or other than whoever wrote it meant, most likely.
 *
 * Thread: any.
 */
#ifndef DAEMON_CHECK_NOTES_H
#define DAEMON_CHECK_NOTES_H

#include "rules/rule_set.h"

/* Calls `each` with one sentence after the other, without line end; `now_ms` is the wall clock.
 * `looks_at_mutes`: what each mute can match beside the rules is not too much to look at. */
void check_notes(const struct rule_set *rules, int64_t now_ms, bool looks_at_mutes,
                 void (*each)(void *self, const char *sentence), void *self);

#endif
