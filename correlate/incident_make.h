/*
 * incident_make.h - builds the snapshots that leave the correlation: ids, texts, copies.
 *
 * Thread: any; nothing is shared.
 */
#ifndef CORRELATE_INCIDENT_MAKE_H
#define CORRELATE_INCIDENT_MAKE_H

#include "correlate/key.h"
#include "correlate/text_buffer.h"
#include "correlate/touch.h"

struct baseline_slot;
struct image_in;
struct image_out;

/* What an opening is made of; all borrowed. */
struct opening {
    const struct rule *rule;
    const struct key_text *key;
    const struct order *order; /* of the touch or timer that did it */
    struct event_view view;    /* the event of it: what title and details say */
    const char *topic;         /* set by incident_open(): of the event's partition */
    int32_t partition;
    bool is_former; /* set by incident_open(), too: the form of the rule is not in force any more;
                     * such a one and an absence that is may open at one time */
    int64_t value[RULE_AGGREGATES_MAX]; /* exact */
    /* Says why, in the form's words; what is too long is cut. */
    void (*put_why)(struct text_buffer *to, const struct opening *opening);
    const void *found;                 /* the form's own, for put_why */
    const struct baseline_slot *usual; /* where the rule has deviations: see baseline.h */
};

/* A snapshot with id, title, why and all texts; counts are left zero.
 * Returns owned, one reference. */
struct incident *incident_make(const struct opening *opening);

/* A copy of `from` to be changed before it is shown. Returns owned. */
struct incident *incident_copy(const struct incident *from);

/* The same with other words of these; `acked_by` NULL is as it was. */
struct incident_words {
    struct text muted_by, acked_by, by, comment;
};
struct incident *incident_copy_with(const struct incident *from,
                                    const struct incident_words *words);

/* Into an image and out of it (correlate/image.h). Returns owned; NULL when the image is none. */
void incident_save(const struct incident *incident, struct image_out *out);
struct incident *incident_load(struct image_in *in);

struct id128 op_id_make(struct id128 incident, const char *sink, uint32_t number);

#endif
