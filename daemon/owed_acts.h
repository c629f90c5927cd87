/*
 * owed_acts.h - what somebody did to incidents and is not at its end: it is on record, and what
 * came of it is to be put on record and answered.
 *
 *   recorded --> told by the engine: this came of it --> durable --> outcome recorded --> answered
 *
 * An act that a run before left without an outcome is told again when its input is read again, and
 * gets it then.
 *
 * Bounds:  OWED_ACTS_MAX that wait.
 * Thread:  as each function says.
 */
#ifndef DAEMON_OWED_ACTS_H
#define DAEMON_OWED_ACTS_H

#include "correlate/engine.h"
#include "daemon/admin.h"
#include "store/intake_log.h"

enum { OWED_ACTS_MAX = 4096 };

struct owed_act {
    uint64_t position;
    bool closes;
    char *who, *from;          /* NULL: nobody has said yet that it is theirs */
    struct admin_reply *reply; /* NULL: nobody waits */
    char *answer;              /* JSON up to its last brace; with a reply */
    uint64_t end_ns;           /* when who waits has waited long enough */
    bool is_told, was_open;    /* by the engine */
    int64_t at_ms;             /* then: up to where all has to be durable */
};

struct owed_acts;

/* NULL: memory is short. */
struct owed_acts *owed_acts_create(void);
/* Answers who still waits. NULL is allowed. Thread: setup. */
void owed_acts_destroy(struct owed_acts *acts);

/* A record of the log, from the first on. Thread: setup. */
void owed_acts_read(struct owed_acts *acts, const struct intake_record *record);
/* Records from `next` on are of this run, and those from `first` on are read again: what came of
 * one before is not told any more, and nobody waits for it. Thread: setup. */
void owed_acts_begin(struct owed_acts *acts, uint64_t first, uint64_t next);

/* Thread: any, as the next three. */
bool owed_acts_has_room(struct owed_acts *acts);

/* Position of the oldest one; UINT64_MAX: nothing is owed. */
uint64_t owed_acts_oldest(struct owed_acts *acts);

/* The act is on record. Copies who and from; takes the reply and the answer. */
void owed_acts_add(struct owed_acts *acts, const struct owed_act *act);

/* What came of the one at a position; may come before owed_acts_add(). */
void owed_acts_told(struct owed_acts *acts, const struct engine_acted *acted);

/* Hands out those of which everything is durable; the act is taken, and freed by
 * owed_act_free(). Who has waited long enough is answered. True while another look is wanted.
 * Thread: the intake's. */
bool owed_acts_look(struct owed_acts *acts, int64_t durable_ms,
                    void (*settle)(void *self, struct owed_act *act), void *self);
/* Nobody looks any more: who waits is answered. */
void owed_acts_stop(struct owed_acts *acts);

/* Answers who waits for it, if anybody does: 200, 202 while it is not known, or 409. */
void owed_act_answer(struct owed_act *act);
void owed_act_free(struct owed_act *act);

#endif
