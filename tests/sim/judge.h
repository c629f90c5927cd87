/*
 * judge.h - lives a seed, twice: undisturbed in one life, and in the lives of its scenario; and
 * holds what was told in the end against what the contract promises.
 */
#ifndef TESTS_SIM_JUDGE_H
#define TESTS_SIM_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

struct judge_options {
    unsigned events;
    const char *keep; /* a folder for the disk as it is in the end; NULL: none */
    bool takes_pairs; /* seeds in which two live at once; the others are passed over */
    bool is_told;     /* a trace on standard output */
    bool is_twice;    /* the same again: it has to go the same way, to the byte */
};

/* Of all seeds that were judged. */
struct judge_counts {
    uint64_t seeds, failed, lives, kills, power_cuts, faults, events, incidents, ops, held_against;
    uint64_t acts;        /* that were done by hand */
    uint64_t from_images; /* lives */
    uint64_t completed;   /* journals that began with another machine's image, held against all that
                           * was told before too */
    uint64_t histories;   /* held against the journal */
    uint64_t shared;      /* seeds with a shared store */
    uint64_t pairs;       /* seeds in which two lived at once */
    uint64_t taken;       /* take-overs in them, that came to be ready */
    uint64_t taken_in_time, taken_ns; /* where nothing was in the way; the longest, from the end of
                                       * the lease until it was ready */
    uint64_t left_open;  /* alerts and tickets of one that was not the owner any more */
    uint64_t memory_kib; /* the largest of a life */
};

/* False, and a sentence has been printed: the seed fails. */
bool judge_seed(uint64_t seed, const struct judge_options *options, struct judge_counts *counts);

#endif
