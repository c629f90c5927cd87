/*
 * history_print.h - what the history says, for who is woken by it: short lines, the newest first,
 * local times, and of each change who was told and under which name it is found there.
 *
 * Texts may come from strangers: what could play with a terminal is shown as blanks.
 *
 * Thread: any; each call by itself.
 */
#ifndef DAEMON_HISTORY_PRINT_H
#define DAEMON_HISTORY_PRINT_H

#include <jansson.h>
#include <stdio.h>
#include "rules/zone.h"

struct history_clock {
    const struct zone *zone;
    const char *name; /* of the zone */
};

/* What history_list_json() and history_story_json() give. */
void history_print_list(const json_t *list, const struct history_clock *clock, FILE *to);
void history_print_story(const json_t *story, const struct history_clock *clock, FILE *to);

#endif
