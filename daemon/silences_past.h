/*
 * silences_past.h - the silences that people made while a daemon ran, as they held then: for who
 * asks what became of an incident, when some of them may have ended.
 *
 * Each holds from when it was made, or its `from` where that is later, to its end: its `to`, or
 * when somebody ended it. In the run they take effect at the step that the daemon is at then, so
 * within the half second before that time the two may differ.
 *
 * Bounds:  SILENCES_MAX, the last ones made.
 * Thread:  any; everything belongs to the caller.
 */
#ifndef DAEMON_SILENCES_PAST_H
#define DAEMON_SILENCES_PAST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"
#include "daemon/rules_kept.h"

enum { SILENCES_NOTE_BYTES = 1024 };

struct silences_past {
    char *text;       /* of a rule file (daemon/silences.h), the caller's; "" for none */
    size_t left_out;  /* by the bound, or since a later one has their id */
    int64_t since_ms; /* of those that ended before, some are not on record any more; INT64_MIN:
                         all are */
};

/* Those that had not ended at `from_ms`, by the intake log of a data directory, also while a daemon
 * writes it. Errors: a negative errno with a sentence. */
int silences_past_read(const char *dir, int64_t from_ms, struct silences_past *out,
                       struct error *err);

/* The text alone, with what it lacks of the silences in `note`: a sentence without its full stop,
 * or
 * "". The caller frees it; NULL: it cannot be had. */
char *silences_past_text(const char *dir, int64_t from_ms, char note[SILENCES_NOTE_BYTES]);

/* Such a text, which may be NULL, behind rules that were read as *read; `note` says so where they
 * cannot be had together, and stays as it is else. */
void silences_past_add(const char *text, struct rule_set **rules, struct rules_read *read,
                       char note[SILENCES_NOTE_BYTES]);

#endif
