/*
 * plain_loop.h - yardstick: the job of peers_list.h as one loop, written for it alone.
 *
 * A file of JSON lines is read in pieces of 1 MiB; each line is walked once by simdjson's on-demand
 * parser, which reads the five fields that the job needs and passes over the rest. The alert
 * (source, resource, check) is looked up in a table by a hash of its words; one that is new or has
 * been silent for 300 s is noted at its host, and a host with five different checks within 60 s is
 * an incident, which lasts until the host has been silent for 10 min.
 *
 * Why it is held against: it is what somebody who knows how would write for this one job. It keeps
 * no text, knows no rules, no disorder, no clears and no second input; it refuses a line that is no
 * event without saying why. What a system costs beyond that is the price of all it can do besides.
 */
#ifndef BENCH_YARDSTICKS_PLAIN_LOOP_H
#define BENCH_YARDSTICKS_PLAIN_LOOP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct plain_loop_answer {
    uint64_t events, alerts, repeats, incidents;
    uint64_t refused;
};

/* What came out of the file. A file that cannot be read ends the bench. */
struct plain_loop_answer plain_loop_run(const char *path);

#ifdef __cplusplus
}
#endif

#endif
