/*
 * journal_recall.h - what a journal knows when it has been read to its end: how far everything was
 * told, the partitions and their marks, and the ops that are still owed (semantics C7).
 *
 *   records --> parts, positions, marks --> the engine reads again under them
 *           --> ops without a last state --> the outbox, at once
 *
 * Of the seals of a partition that stood still only the last is kept. Ops that have come to their
 * end are forgotten, but for dead ones, which a person may send again, and the last of each open
 * incident that has a ticket. Of each incident that is open the last change is known, however long
 * ago the journal let go of it (store/journal_open.h).
 *
 * How old an op is (O5) is counted by the clocks of the groups, and not while its sink is held or
 * nobody runs: a silence of the journal counts JOURNAL_SILENCE_MS at most, for where an op waits,
 * what became of an attempt is told every few minutes.
 *
 * Thread: setup.
 */
#ifndef STORE_JOURNAL_RECALL_H
#define STORE_JOURNAL_RECALL_H

#include "store/journal_read.h"

struct journal_recall;

struct journal_recalled_part {
    const char *topic;
    int32_t partition;
    int64_t start_offset; /* where it was begun */
    int64_t read;         /* before this no mark may be made but those that are recalled */
    bool has_left;        /* and did not come back */
    int64_t left_ms; /* the watermark when it left for the last time; INT64_MIN: it never did */
};

enum { JOURNAL_REFERENCE_BYTES = 40, JOURNAL_SILENCE_MS = 600000 };

struct journal_recalled_op {
    struct id128 id;
    struct incident *incident; /* as it is to be told of; one reference, the recall's */
    const char *sink;
    uint32_t number;
    uint8_t kind; /* enum op_kind */
    uint8_t fate; /* enum journal_fate: not TAKEN_IN; DONE where its ticket is still needed */
    bool may_exist;
    uint32_t attempts; /* that are known to have failed */
    int64_t not_before_ms;
    int64_t age_ms; /* how long it could be tried; since it was sent again by hand, where it was */
    char reference[JOURNAL_REFERENCE_BYTES], label[JOURNAL_REFERENCE_BYTES];
};

/* Reads the reader to its end. With `lost`, what is damaged is the end (C8, `--accept-loss`), and
 * `lost` gets the sentence; NULL: it is an error.
 * Owner:  the caller, until journal_recall_destroy().
 * Errors: as journal_reader_next(). */
int journal_recall_create(struct journal_reader *reader, struct error *lost,
                          struct journal_recall **out, struct error *err);
void journal_recall_destroy(struct journal_recall *recall);

struct journal_summary;
/* The same of a journal that has let go of its beginning: partitions are those of `later`, which
 * knows all that the reader comes to. What its sums say is of what was read. */
int journal_recall_create_late(struct journal_reader *reader, const struct journal_summary *later,
                               struct journal_recall **out, struct error *err);

/* The same in steps: nothing is known yet; and it reads on, from where it stands. NULL: memory is
 * short. */
struct journal_recall *journal_recall_begin(void);
int journal_recall_read(struct journal_recall *recall, struct journal_reader *reader,
                        struct error *lost, struct error *err);

/* What is known as bytes, and back. Any bytes are safe. Errors: -EBADMSG with a sentence, -ENOMEM.
 */
void journal_recall_save(const struct journal_recall *recall, struct journal_buffer *to);
int journal_recall_load(const void *at, size_t bytes, struct journal_recall **out,
                        struct error *err);

/* Forgets what nobody asks for any more who goes on from a snapshot of `at_ms`: marks of records
 * before `offset` of their partition (INT64_MIN: it is not read any more), blind spells before, and
 * rule sets that were replaced more than JOURNAL_RULES_KEPT_MS before, which is for people who ask
 * why; of settings it is known from when on they were. */
#define JOURNAL_RULES_KEPT_MS INT64_C(7200000)
struct journal_kept_part {
    uint32_t part;
    int64_t offset;
};
void journal_recall_forget(struct journal_recall *recall, int64_t at_ms,
                           const struct journal_kept_part *parts, size_t part_count);

/* Forgets what is open, for who has asked and reads no further. */
void journal_recall_forget_open(struct journal_recall *recall);

struct journal_summary {
    int64_t to_ms; /* everything before was told; INT64_MIN: nothing was */
    int64_t n_ms, r_ms;
    const struct journal_recalled_part *parts; /* by the number that marks call them by */
    size_t part_count;
    const struct mark *marks; /* in the order of making */
    size_t mark_count;
    const struct journal_counts *counts; /* as of to_ms */
    const struct journal_rules *rules;   /* in force from when on, the oldest first */
    size_t rules_count;
    const struct journal_recalled_op *ops; /* in the order of making */
    size_t op_count;
    size_t ops_owed, ops_dead;    /* of these; the others are done, and there for their tickets */
    struct incident *const *open; /* the last change of each that is; references are the recall's */
    size_t open_count;
    bool knows_open; /* they are all: a recall that began from one of version 2 or before lacks
                        those that have not changed since */
    uint64_t groups, changes, ops_made, ops_by_fate[JOURNAL_FATE_COUNT];
    uint64_t opened, closed;
    size_t leaves;            /* so often a partition left */
    const char *engine;       /* that wrote the last group */
    const char *other_engine; /* that wrote the first group that is not of this one; "" */
};
void journal_recall_summary(const struct journal_recall *recall, struct journal_summary *out);

#endif
