/*
 * incident_list.h - the incidents of a run, for people: what `tocsin replay --list` prints.
 *
 *   2026-01-31T10:00:02.000Z  07b79861  P2  disk-full: db01: 3 disks full
 *     tenant=acme host=db01; critical; 3 alerts; closed after 20m, cleared
 *   2026-01-31T10:04:00.000Z  53fa097f  P4  rack-warm: rack r7 is warm
 *     tenant=acme rack=r7; warning; 1 alert; open at the end; muted by silence deploy
 *   2 incidents, 1 of them open at the end; 1 opened muted; P2 1, P4 1
 *     disk-full                          1
 *     rack-warm                          1, 1 open at the end
 *
 * In the order of their openings, each as it was at its end or that of the input. Bound: the first
 * INCIDENT_LIST_MAX are kept, which takes two KiB each; the others are counted alone.
 *
 * Thread: one at a time.
 */
#ifndef DAEMON_INCIDENT_LIST_H
#define DAEMON_INCIDENT_LIST_H

#include <stdio.h>
#include "base/incident.h"
#include "correlate/engine.h"

enum { INCIDENT_LIST_MAX = 10000 };

struct incident_list;

/* Owner: the caller, until incident_list_destroy(). NULL when memory is short. */
struct incident_list *incident_list_create(void);
void incident_list_destroy(struct incident_list *list);

/* What the listener of the engine was told (correlate/engine.h); borrowed. */
void incident_list_told(struct incident_list *list, struct incident *incident);

/* `rules` are the engine's counters of each rule. */
void incident_list_print(const struct incident_list *list, const struct engine_rule_counters *rules,
                         size_t rule_count, FILE *to);

#endif
