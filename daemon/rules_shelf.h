/*
 * rules_shelf.h - what the rule sets of a running daemon were read from, for an hour after they
 * were switched: for who asks why, where no data directory keeps them (daemon/rules_past.h).
 *
 *   asked for --> in force from a time on --> replaced --> gone, an hour later
 *     (its files are the daemon's own)      (they lie here)
 *
 * Bounds:  RULES_SHELF_SETS_MAX replaced sets, of RULES_SHELF_BYTES_MAX in all; the oldest go
 * first. Thread:  any; it has a lock, which nobody holds for long.
 */
#ifndef DAEMON_RULES_SHELF_H
#define DAEMON_RULES_SHELF_H

#include <jansson.h>
#include <stdint.h>
#include "base/error.h"
#include "base/event.h"
#include "correlate/terms.h"
#include "store/kept_files.h"

enum { RULES_SHELF_SETS_MAX = 64 };
#define RULES_SHELF_BYTES_MAX ((uint64_t)16 << 20)
#define RULES_SHELF_TIME "1h"
#define RULES_SHELF_NS (UINT64_C(3600) * 1000000000)

struct rules_shelf;

/* With the set of the start, and its terms. Owner: the caller, until rules_shelf_destroy(), which
 * takes NULL. NULL when memory is short. */
struct rules_shelf *rules_shelf_create(struct id128 first, const struct engine_terms *terms);
void rules_shelf_destroy(struct rules_shelf *shelf);

/* `next` is asked for, with `terms`, in place of the set that was last, whose files `before` are
 * taken. */
void rules_shelf_ask(struct rules_shelf *shelf, struct id128 next, const struct engine_terms *terms,
                     struct kept_files *before);

/* A set that was asked for is in force from `at_ms` on. */
void rules_shelf_switched(struct rules_shelf *shelf, struct id128 set, int64_t at_ms,
                          uint64_t now_ns);

/* {"sets":[{"set":"<32 hex>","from":MS or null,"engine":{"engine.expire":"5m",..}}, ...]}, the
 * oldest first; the last one or two are
 * those in force and asked for. New reference, here and below; NULL when memory is short. */
json_t *rules_shelf_list(struct rules_shelf *shelf, uint64_t now_ns);

/* {"files":[{"kind":"f","name":...,"text":... or "hex":...}, ...]}; `newest` are the files of the
 * one that was asked for last. Errors: NULL with a sentence: there is no such set. */
json_t *rules_shelf_files(struct rules_shelf *shelf, struct id128 set,
                          const struct kept_files *newest, struct error *err);

/* The other way. Errors: -EBADMSG with a sentence. */
int rules_shelf_read_files(const json_t *answer, struct kept_files *out, struct error *err);

#endif
