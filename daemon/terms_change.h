/*
 * terms_change.h - settings of the engine that a switch takes along (correlate/terms.h), by the
 * keys of the configuration: what two of them differ in, for who announces a reload or tells of
 * one.
 *
 * Thread: any.
 */
#ifndef DAEMON_TERMS_CHANGE_H
#define DAEMON_TERMS_CHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "correlate/terms.h"
#include "daemon/units.h"

enum { TERMS_KEYS = 5, TERMS_NAMES_BYTES = 320 };

struct terms_change {
    const char *key; /* "engine.expire" */
    char from[UNIT_TEXT_BYTES], to[UNIT_TEXT_BYTES];
};

/* How many keys differ, and which. */
size_t terms_changes(const struct engine_terms *from, const struct engine_terms *to,
                     struct terms_change out[TERMS_KEYS]);

/* "engine.expire 3m -> 20s, engine.flap.start 5 -> 6"; "": nothing changes. Returns `to`. */
const char *terms_changes_print(const struct terms_change *changes, size_t count,
                                char to[TERMS_NAMES_BYTES]);

/* {"engine.expire":"3m","engine.flap.start":"5",..}. New reference. */
json_t *terms_json(const struct engine_terms *terms);

/* The other way. False: one is not there, or is no value of its kind. */
bool terms_read(const json_t *object, struct engine_terms *terms);

#endif
