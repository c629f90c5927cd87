/*
 * act.h - what somebody does to an incident: takes it on, or says that it is over.
 *
 * An act comes to the engine as an event does, with a time and a place among what was pushed, and
 * does there what it says; so a run that reads its input again does the same again.
 *
 * On its way through the engine it is packed as an event (act_draft()):
 *
 *   state     a problem for an acknowledgement, a clear for a close
 *   dedup key the incident's id    source   who
 *   check     its rule             message  what they said
 *   labels    "a", "b" ...: the values of its key
 */
#ifndef BASE_ACT_H
#define BASE_ACT_H

#include "base/event.h"
#include "base/incident.h"

enum { ACT_KEY_MAX = 16 }; /* values of a key */

struct act {
    struct id128 incident;
    bool closes;         /* else it acknowledges */
    struct text who;     /* never empty */
    struct text comment; /* may be empty */
    struct text rule;    /* of the incident */
    struct text key[ACT_KEY_MAX];
    uint32_t key_count;
};

/* What a draft of an act points into, beside the act. */
struct act_words {
    char incident[ID128_TEXT_BYTES];
    struct event_label label[ACT_KEY_MAX];
};

/* The act in the form of an event. The draft borrows from both. */
void act_draft(const struct act *act, struct act_words *words, struct event_draft *draft);

#endif
