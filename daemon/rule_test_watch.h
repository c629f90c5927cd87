/*
 * rule_test_watch.h - what a run is asked besides its incidents: the names of their members, and,
 * when a test has failed, why a rule did not open what it should have.
 *
 * The engine tells it through its tracer (correlate/trace.h). A test that passes and names no
 * members runs without one; one that failed is run a second time with it, which gives the same
 * results.
 *
 * Thread: one.
 */
#ifndef DAEMON_RULE_TEST_WATCH_H
#define DAEMON_RULE_TEST_WATCH_H

#include "correlate/trace.h"
#include "daemon/rule_test.h"
#include "daemon/rule_test_record.h"

struct rule_test_watch;

/* `asked`, one for each rule of the set: whether it is asked why; NULL: none is.
 * Owner:  the caller, until rule_test_watch_destroy(). Borrows the rest until then.
 * Errors: NULL when memory is short. */
struct rule_test_watch *rule_test_watch_create(const struct rule_test *test,
                                               const struct rule_set *rules, const bool *asked);
void rule_test_watch_destroy(struct rule_test_watch *watch);

/* The records that the next run has. */
void rule_test_watch_begin(struct rule_test_watch *watch, const struct rule_test_source *source);

const struct engine_trace *rule_test_watch_trace(const struct rule_test_watch *watch);

/* "db1/sda smart.pending", or the dedup key; "" for an alert that was never seen. Lives as long
 * as the watch. */
const char *rule_test_watch_name(const struct rule_test_watch *watch, struct id128 alert);

/* The key of a rule that was asked which came nearest to opening, of those for which `is_meant` is
 * true; NULL: there was none. */
const char *rule_test_watch_nearest(const struct rule_test_watch *watch, const char *rule_id,
                                    bool (*is_meant)(const void *self, const char *key),
                                    const void *self);

/* Lines that say, for a rule that was asked, what its `where` made of the events, and how far its
 * keys were; the i-th, NULL behind the last. */
const char *rule_test_watch_line(const struct rule_test_watch *watch, const char *rule_id,
                                 uint32_t i);

#endif
