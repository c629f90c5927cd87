/*
 * snapshot_recall.h - what a data directory knows: its newest snapshot that is good, and what the
 * journal says behind that; where none is, all of the journal (semantics C7).
 *
 *   newest file --whole? rests on what the journal holds?--yes--> what it knew + the journal's rest
 *      | no: passed over, and said
 *   the one before ... | the beginning, if the journal still has it
 *
 * A snapshot is believed whole or not at all.
 *
 * Thread: setup.
 */
#ifndef STORE_SNAPSHOT_RECALL_H
#define STORE_SNAPSHOT_RECALL_H

#include "store/journal_recall.h"
#include "store/snapshot_file.h"

struct snapshot_recall_config {
    const struct snapshot_folder *folder;
    const struct segment_config *journal;
    bool accept_loss; /* what is damaged of the journal is its end (C8) */
    bool must_know;   /* the image is not asked for: it is read, and let go */
    void *self;
    /* Whether an image can be gone on from: 0, or a negative errno with a sentence. NULL: any. */
    int (*look)(void *self, uint64_t number, const void *image, size_t bytes, struct error *err);
    /* One is not good. `is_ahead`: it is whole, but of a moment that the journal does not hold, and
     * never will. */
    void (*passed_over)(void *self, uint64_t number, bool is_ahead, const char *why);
};

struct snapshot_recalled {
    struct snapshot_content begin; /* number 0: from the beginning */
    uint64_t begin_told;           /* changes and ops up to begin.facts.known */
    struct journal_recall *recall;
    struct journal_reader *reader; /* at its end */
    struct error lost;       /* what of the journal was damaged or gone, where that is accepted */
    uint64_t newest;         /* the largest number there was; 0: none */
    int count;               /* of files */
    struct error newest_why; /* why the newest was passed over; "": it was not */
};

/* Owner:  the caller of all in `out`, until snapshot_recalled_release().
 * Errors: a negative errno with a sentence; `why` says what is wrong with the journal. */
int snapshot_recall(const struct snapshot_recall_config *config, struct snapshot_recalled *out,
                    enum segment_refusal *why, struct error *err);
void snapshot_recalled_release(struct snapshot_recalled *recalled);

#endif
