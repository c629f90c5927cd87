/*
 * memory.h - how much the engine holds, and whether that is too much (semantics F7).
 *
 *   bins       what ingest threads have taken for decoded events
 *   state      slabs of the workers (windows, words, members), and the tables of their lanes, which
 *              come from malloc
 *   touches    lists from stage D to stage R
 *
 * Nothing is counted where it is allocated but what a slab and bins count anyway: tables know their
 * size, and each worker adds up those of its lanes ten times a second. What is decided by the sum,
 * who is read next, never shows in results (X1).
 */
#ifndef CORRELATE_MEMORY_H
#define CORRELATE_MEMORY_H

#include "correlate/core.h"

/* Adds up what the worker's tables take, when that is due. Thread: the worker. */
void memory_look(struct worker *worker, uint64_t now_ns);

/* More is held than may be: who is ahead of the others waits. Thread: any. */
bool memory_is_short(const struct engine *engine);

#endif
