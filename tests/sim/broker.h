/*
 * broker.h - the broker of the world: a struct source over the records of struct world. It is put
 * in place of Kafka's when the simulator is linked (--wrap=input_open).
 */
#ifndef TESTS_SIM_BROKER_H
#define TESTS_SIM_BROKER_H

#include <stdint.h>

#define BROKER_TOPIC "events"

/* Records of all partitions. */
uint64_t broker_records(void);

#endif
