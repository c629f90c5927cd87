/*
 * workload.h - for bench_workloads: streams of events with a known answer, and the process that
 * sends them.
 *
 * Noise: an event is a problem of one of so many alerts, each of a host of its own, or, hot, all of
 * one; nothing comes of it but alerts, and a rule key that watches for each host. Between it, after
 * every FAULT_EVERY events of it, stand the five events of a fault, one for each of five checks of
 * a host, of which exactly one incident comes. What has to be counted is reckoned while it is made.
 *
 *   steady    5,000 events a second of their own time
 *   storm     20 a second for 10 s, 1,000 times as many for 10 s, and 20 for 10 s
 *   hot       as steady, and all on one host
 *   disorder  each is up to 400 ms older than its place in the log says, which L (500 ms) allows
 *   late      every hundredth of the noise is 10 s older
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { PARTITIONS_MAX = 128, FAULT_EVERY = 5000, FAULT_EVENTS = 5, WORD_BYTES = 24 };

struct workload {
    char name[WORD_BYTES], when[WORD_BYTES], codec[WORD_BYTES], shape[WORD_BYTES];
    long events; /* of noise */
    long alerts; /* among them; 0: each is one of its own */
    int bytes, partitions, rules;
};

/* Shared by the sender's process and its parent; each word has one writer. */
struct workload_counts {
    atomic_long sent;    /* all that the broker has; sender */
    atomic_bool is_over; /* nothing more comes; sender */
    atomic_long taken;   /* by the daemon; parent */
    atomic_bool is_full; /* the broker would drop what was not taken; sender */
    /* Of what was sent, once it is over. */
    long events, alerts, faults, late;
};

/* Writes rules.yaml: one that opens the faults' incidents, one that watches all hosts, and as many
 * others as there are wanted, which no event is for. */
void workload_rules(const struct workload *load);

/* Starts a process that sends `load` to the topic `events` at `brokers`: as much as the broker
 * keeps of what nobody has taken, then what `taken` makes room for. It ends with this one. The
 * counts stay until the bench ends.
 * Errors: what fails ends the process with a sentence and code 2. */
struct workload_counts *workload_send(const struct workload *load, const char *brokers,
                                      int *process);

#endif
