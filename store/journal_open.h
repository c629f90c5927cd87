/*
 * journal_open.h - the incidents that are open where a journal was read to, each as its last change
 * has it: for who lists what is open and has not the journal of when it opened.
 *
 * An incident that is no longer watched (its key was given up) has had its last change, and is not
 * among them.
 *
 * Bounds:  one block for each incident that is open, as the engine has; the table is half full.
 * Thread:  one at a time. The incidents themselves are counted, and may be read by any.
 */
#ifndef STORE_JOURNAL_OPEN_H
#define STORE_JOURNAL_OPEN_H

#include "base/incident.h"
#include "base/vector.h"

struct journal_open {
    VECTOR_OF(struct incident *) at; /* one reference each; in no order that means anything */
    size_t *slots;                   /* open hash table of places, plus 1; 0: free */
    size_t slot_count;
};

/* It changes nothing more. */
static inline bool incident_is_over(const struct incident *incident)
{
    return incident->change == INCIDENT_CLOSED || incident->is_forgotten;
}

/* The next change of an incident. Takes a reference of its own. False: it is over, and was not
 * among them. */
bool journal_open_take(struct journal_open *open, struct incident *change);

void journal_open_release(struct journal_open *open);

#endif
