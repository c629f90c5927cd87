/*
 * journal_recall_parts.h - the inside of what a journal knows (journal_recall.h), for the files
 * that read it from the journal (journal_recall.c) and from a snapshot (journal_recall_bytes.c).
 */
#ifndef STORE_JOURNAL_RECALL_PARTS_H
#define STORE_JOURNAL_RECALL_PARTS_H

#include "base/vector.h"
#include "store/journal_open.h"
#include "store/journal_recall.h"

enum { ENGINE_BYTES = 64 };

struct entry {
    struct journal_recalled_op op;
    struct id128 chain; /* of its incident and sink */
    size_t before;      /* 1 + place of the op before it there; 0: none */
    size_t sink;        /* place of its sink */
    int64_t since_ms;   /* the sink's active time when it was made */
    bool is_gap;
    bool has_twin; /* the incident opened again: there is an op of its id before it */
};

/* What ops of a sink grow old by. */
struct sink_clock {
    const char *name; /* of names */
    int64_t active_ms;
    bool is_held; /* it refuses our credentials: nothing grows older */
};

/* An open hash table of places, plus 1; 0: free. */
struct table {
    size_t *slots;
};

struct journal_recall {
    struct journal_summary sum;
    char engine[ENGINE_BYTES], other_engine[ENGINE_BYTES];
    VECTOR_OF(struct journal_recalled_part) parts;
    VECTOR_OF(size_t) seal_at; /* by part: 1 + place of its last seal in marks; 0: none */
    VECTOR_OF(struct mark) marks;
    VECTOR_OF(struct journal_rules) rules;
    VECTOR_OF(struct entry) entries;
    VECTOR_OF(struct journal_recalled_op) ops; /* entries without gaps, at the end */
    VECTOR_OF(char *) names;                   /* of sinks and topics; owned */
    VECTOR_OF(struct sink_clock) sinks;
    bool has_step;    /* the group that is read has; while none is, states say nothing of time */
    int64_t state_ms; /* the last state of an op since the last step; INT64_MIN: none */
    int64_t aside_ms; /* what passed since, by states */
    struct journal_counts counts;
    size_t gaps;
    struct table by_id, by_chain; /* the latter of the last op of each */
    size_t slot_count;            /* of both */
    struct incident *last;        /* the change that ops belong to */
    struct journal_open open;
    uint64_t forgotten; /* incidents that ended because nobody watches them any more */
    bool is_told_again; /* changes are those of ops of before: nothing opens or ends by them */
    bool has_parts;     /* all partitions are known beforehand */
};

/* The next record of the journal, in its order. Errors: -EBADMSG with a sentence. */
int journal_recall_take(struct journal_recall *recall, const struct journal_record *record,
                        struct error *err);
/* All has been read for now: the ops without gaps, with their ages. */
void journal_recall_list(struct journal_recall *recall);

#endif
