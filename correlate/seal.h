/*
 * seal.h - seals by the clock (semantics T4): what lets quiet partitions pass, so
 * that those with records need not wait for them.
 *
 * Thread: who holds the sequencer role.
 */
#ifndef CORRELATE_SEAL_H
#define CORRELATE_SEAL_H

#include "correlate/core.h"

/* One seal round: finds R and asks each partition with a new proof, or one that cannot be
 * read while others can, to raise V to R - G. */
void seal_round(struct engine *engine, uint64_t now_ns);

#endif
