/*
 * real_data.h - for bench_workloads: replays of alerts that real detectors raised
 * (docs/real-data.md), which are no part of this tree.
 *
 * Thread: the bench's only one, from its beginning, for it forks.
 */
#ifndef BENCH_REAL_DATA_H
#define BENCH_REAL_DATA_H

/* Replays each scenario of the data set in `folder` that is there with the pack `security`, says
 * its rate and CPU, and holds it to the events and incidents that docs/real-data.md has. NULL: all
 * of them are so; else what is not. */
const char *real_data_run(const char *folder);

#endif
