/*
 * silences.h - silences that people made while the daemon ran: what is left of those in the intake
 * log, as text of a rule file that is read behind the configured ones (docs/muting.md).
 *
 * The list is a function of the log: each silence.add and silence.end in their order, or a
 * checkpoint, which has the list as it was there, and what comes behind it. One that has ended goes
 * when another is made a day later, or more.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_SILENCES_H
#define DAEMON_SILENCES_H

#include <jansson.h>
#include <stdio.h>
#include "base/error.h"
#include "base/vector.h"
#include "store/intake_log.h"

enum { SILENCES_MAX = 500, SILENCE_BYTES_MAX = 16 << 10 };

/* What the rule file is called. */
#define SILENCES_FILE "silences-by-hand"

/* What acts are called in the log. */
#define ACT_SILENCE_ADD "silence.add"
#define ACT_SILENCE_END "silence.end"

/* What a checkpoint is called there, and a silence's stamp in it. */
#define INTAKE_CHECKPOINT_WHAT "checkpoint"
#define SILENCE_MADE_MS "made_ms"

struct silences {
    /* Owned; as their acts have them: id, where, from, to, comment, by; and made_ms, the stamp. */
    VECTOR_OF(json_t *) item;
    uint64_t made; /* ever */
};

void silences_release(struct silences *list);

/* Takes an act of the log, or a checkpoint; records of other kinds change nothing. */
void silences_take(struct silences *list, const struct intake_record *record);

/* The list as a checkpoint has it; the caller's. NULL: memory is short. */
json_t *silences_checkpoint(const struct silences *list);
/* What a checkpoint has; *out is to be released. */
void silences_of_checkpoint(const struct intake_record *record, struct silences *out);

/* What a request asks for, as the log is to have it: with its id, its times in full, and who made
 * it. *out is the caller's.
 * Errors: -EINVAL, -EEXIST, -ENOSPC (there are SILENCES_MAX), with a sentence. */
int silences_read_add(const struct silences *list, const char *body, size_t bytes, const char *who,
                      int64_t now_ms, json_t **out, struct error *err);
/* Errors: also -ENOENT. */
int silences_read_end(const struct silences *list, const char *body, size_t bytes, json_t **out,
                      struct error *err);

/* The rule file, with `more` behind the list unless it is NULL, and without the one whose id is
 * `less`. The caller frees it; "" where there is no silence. */
char *silences_text(const struct silences *list, const json_t *more, const char *less);

/* {"silences":[...]}; the caller's. */
json_t *silences_json(const struct silences *list);

/* And back, of a daemon's answer. *out is to be released. Errors: -EINVAL, with a sentence. */
int silences_read_list(const char *answer, struct silences *out, struct error *err);

#endif
