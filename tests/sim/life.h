/*
 * life.h - one process of the daemon, from its start to its end: service.h, driven as `tocsin run`
 * drives it.
 */
#ifndef TESTS_SIM_LIFE_H
#define TESTS_SIM_LIFE_H

#include "sim/scenario.h"

/* Lives it; ends the process with the daemon's exit code, or one of enum LIFE_... of world.h. */
_Noreturn void life_run(const struct scenario *scenario);

#endif
