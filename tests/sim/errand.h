/*
 * errand.h - something done to the disk of the world between two lives, in a process of its own: as
 * a person runs a command while no daemon does.
 */
#ifndef TESTS_SIM_ERRAND_H
#define TESTS_SIM_ERRAND_H

/* What `run` returned; -1: its process died. What it prints goes into a trace. */
int errand_run(int (*run)(void));

#endif
