/*
 * enrich.h - the steps under `enrich:`, which change events before rules see them.
 *
 *   event as it was sent --> step 1 --> step 2 --> ... --> event as rules see it
 *                              |
 *                              +--> dropped: as if it had not been sent
 *
 * A step whose `where` is true of the event, as the steps before it left it, drops the event or
 * runs its deeds one after the other: extract, set, remove. A deed that cannot be done (a label is
 * absent, a number is none, something would be too large) leaves the event as it is and counts as
 * an error of its step. What identifies an event, its state and its times cannot be changed.
 *
 * Words are packed, so each deed copies them, from one side of the room to the other; an event that
 * no deed changes is not copied at all.
 *
 * Time:    an extraction takes its text as if it were no longer than ENRICH_LOOK_BYTES; one with
 *          which those of the event would look at more than ENRICH_LOOK_EVENT_BYTES, or may take
 *          longer than ENRICH_LOOK_EVENT_NS, is an error.
 *          A deed passes over the words of the event once, an extraction once for each of its
 *          groups; one with which those of the event would pass over more than ENRICH_PASS_BYTES
 *          is an error, and not even computed.
 *
 * Memory:  all work is done in a room; nothing is allocated for an event.
 * Thread:  a set is immutable. A room belongs to one thread; a tally has one writer.
 */
#ifndef RULES_ENRICH_H
#define RULES_ENRICH_H

#include <stdatomic.h>
#include "rules/rule_set.h"

/* Of a set; a deed is an entry of `extract`, `set` or `remove`. A pattern of `extract` takes up to
 * 30 KiB, and tens of microseconds to be read. */
enum { ENRICH_STEPS_MAX = 1000, ENRICH_DEEDS_MAX = 10000 };

/* Of all patterns of a set (capture_work()): 0.2 s, which only Unicode properties come to. */
enum { ENRICH_EXTRACT_WORK_MAX = 20000000 };

/* Of the text of one `extract`, cut on a character border; and of all that run over one event,
 * where an empty text counts as one byte, and what each pattern takes for one at most is estimated
 * (capture_ns_per_byte()): any pattern there is may look at one text. */
enum {
    ENRICH_LOOK_BYTES = 4 << 10,
    ENRICH_LOOK_EVENT_BYTES = 64 << 10,
    ENRICH_LOOK_EVENT_NS = 16000000,
};

/* Of all deeds of one event. Words count as a deed finds them: a byte each, and so much more for
 * each label, which takes some 25 ns to copy, as 16 MiB take a millisecond. */
enum { ENRICH_PASS_BYTES = 16 << 20, ENRICH_PASS_LABEL_BYTES = 128 };

struct enrich_set;
struct enrich_room;

struct enrich_step {
    const char *id;
    bool drops;
    bool takes_clears;   /* and its `where` has them, perhaps unawares (rules/enrich_clears.h) */
    struct id128 digest; /* of everything that the file says about it */
    const struct rule_shape *shape; /* the same as written (rules/rule_shape.h) */
    uint32_t shape_count;
};

/* NULL when the set has no steps. */
const struct enrich_set *rule_set_enrich(const struct rule_set *set);

uint32_t enrich_count(const struct enrich_set *set);
/* In the order in which they run. */
const struct enrich_step *enrich_step_at(const struct enrich_set *set, uint32_t index);
/* How many steps there are up to the last that drops, itself included; 0: none does. */
uint32_t enrich_drop_reach(const struct enrich_set *set);

/* Room to work in, about 2.5 MiB, of which only what is used is ever touched.
 * Owner:  the caller, until enrich_room_destroy(), which takes NULL.
 * Errors: NULL when memory is short. */
struct enrich_room *enrich_room_create(void);
void enrich_room_destroy(struct enrich_room *room);

/* Of one step. One writer; read relaxed. */
struct enrich_tally {
    _Atomic uint64_t applied; /* events that it dropped or changed */
    _Atomic uint64_t errors;  /* deeds that could not be done */
};

/* What a step did, for somebody who asks why; borrowed for the call. */
struct enrich_deed {
    const struct enrich_step *step;
    const char *what;   /* "severity", "message", "value", "labels.disk", or "an extraction" */
    const char *failed; /* why it was not done; NULL: it was */
    bool is_removal;
    struct text value; /* what it is now */
};

struct enrich_listener {
    void *self;
    void (*done)(void *self, const struct enrich_deed *deed);
};

/* An event on its way through the steps; it stays where it is until they have run. */
struct enriching {
    const struct enrich_set *set;
    struct enrich_room *room;
    struct event_view view; /* as it is by now; words that were changed lie in the room */
    uint32_t next;          /* step to come */
    bool is_changed;        /* view.text is in the room */
    bool has_effect;        /* the step that runs now has changed something */
    uint32_t looked_at;     /* bytes, by the extractions so far */
    uint32_t looked_ns;     /* what that took at most */
    uint32_t passed;        /* bytes, by the deeds so far */
    uint64_t errors;
    const struct enrich_listener *listener; /* NULL: nobody asks */
};

void enrich_start(struct enriching *it, const struct enrich_set *set, struct enrich_room *room,
                  const struct event_view *view);

/* Runs the steps before number `until` that have not run yet. `tally` has one for each step of the
 * set. Returns the step that dropped the event, or NULL. */
const struct enrich_step *enrich_run(struct enriching *it, uint32_t until,
                                     struct enrich_tally *tally);

#endif
