/*
 * why_intake.h - what a position of @intake is that is asked about as an event, and is none: in its
 * order stand, beside what was pushed, acts (a reload, a silence) and what came of them.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_WHY_INTAKE_H
#define DAEMON_WHY_INTAKE_H

#include "daemon/why.h"

/* Adds a remark where the question names such a record of the data directory `dir`; NULL, and one
 * that cannot be read: nothing is added. Both are borrowed. */
void why_intake_remark(struct why *why, const struct why_question *question, const char *dir);

#endif
