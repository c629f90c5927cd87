/*
 * sink_class.h - what makes a repeated request harmless at a sink, as a table.
 *
 *   A  the sink folds repeats of our key: every request may be sent again
 *   B  the sink remembers a key of each creation for a while: within it, sent again with the
 *      same key; beyond it, looked up first
 *   C  the sink can be searched for our key: looked up before each creation, a settle time
 *      after each uncertain one, and once more after each that succeeded
 *   D  none of these: sent again after an uncertain attempt, marked as a possible repeat
 *
 * The outbox acts by the rows alone, so that a further sink is a file of requests and answers.
 */
#ifndef SINKS_SINK_CLASS_H
#define SINKS_SINK_CLASS_H

#include <stdbool.h>

enum sink_class { SINK_CLASS_A, SINK_CLASS_B, SINK_CLASS_C, SINK_CLASS_D, SINK_CLASS_COUNT };

struct sink_class_rules {
    char letter;
    /* An HTTP client resends by itself when a kept connection turns out to be closed. */
    bool repeats_are_folded;
    /* O1: the intent to send is durable by itself before the first byte leaves. Where repeats
     * are folded the op's own commit is its intent. */
    bool keeps_intent;
    /* An open that is sent again after its resolve opens anew: so what follows an open waits until
     * it is durable that the open is done. */
    bool reopens;
    bool finds_before; /* a creation follows a look-up that found nothing */
    bool finds_after;  /* and is followed by one, which finds a second ticket */
    /* An answer that neither takes nor refuses (5xx, a page in the sink's place) may come from
     * a sink that has taken the op all the same. */
    bool doubts_answers;
    bool key_expires;    /* a creation in doubt is looked up once its key may be forgotten */
    bool marks_repeats;  /* what may be a second delivery says so */
    const char *promise; /* D3, in one sentence */
};

extern const struct sink_class_rules sink_classes[SINK_CLASS_COUNT];

#endif
