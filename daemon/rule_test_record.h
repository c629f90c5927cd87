/*
 * rule_test_record.h - the events of one test as a source: records in memory on a virtual clock,
 * and the seals that the clock would have made.
 *
 * A record's log time is its arrival. What live sealing does by the machine's clock is done here by
 * the test's: when a record arrives at t, its partition stands sealed to t less the slack, so an
 * event that was longer on its way counts late, as it would in the daemon. At the end all
 * partitions are sealed to the test's last moment, so that timers come due as if nothing more came.
 */
#ifndef DAEMON_RULE_TEST_RECORD_H
#define DAEMON_RULE_TEST_RECORD_H

#include "daemon/rule_test.h"
#include "ingest/source.h"

struct rule_test_source;

/* The name of the topic that all partitions belong to. */
#define RULE_TEST_TOPIC "events"

/* Makes all records of the test. `slack_ms`: G of the engine.
 * Owner:  the caller, until rule_test_source_destroy().
 * Errors: NULL when memory is short. */
struct rule_test_source *rule_test_source_create(const struct rule_test *test, int64_t slack_ms);
void rule_test_source_destroy(struct rule_test_source *source);

struct source *rule_test_source_base(struct rule_test_source *source);
const struct mark *rule_test_source_marks(const struct rule_test_source *source, size_t *count);

/* Which entry of `events` a record stems from; NULL for one that there is not. */
const struct rule_test_event *rule_test_source_event(const struct rule_test_source *source,
                                                     int32_t partition, int64_t offset);

#endif
