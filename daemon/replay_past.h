/*
 * replay_past.h - the settings under which the records of a data directory were read, for who reads
 * them again: an engine that is to find the same has to read them by the same.
 *
 * Thread: setup.
 */
#ifndef DAEMON_REPLAY_PAST_H
#define DAEMON_REPLAY_PAST_H

#include <stdio.h>
#include "correlate/engine.h"
#include "daemon/rules_past.h"

/* Marks say from where on a partition was read by which settings. Where `marks`, what they are read
 * from, is a data directory, these are known, and `config` gets them; a file has none. Rules and
 * terms are those of the configuration throughout: where the run had other terms, or what it had is
 * not known, `to` gets a note; NULL: none is printed.
 * Owner: `past` is the caller's, zeroed before, until rules_past_release(), after the engine. */
void replay_past_read(const char *marks, struct engine_config *config, struct rules_past *past,
                      FILE *to);

#endif
