/*
 * snapshot_rules.h - texts of the rules whose images tests load, and fuzz_snapshot.
 */
#ifndef TESTS_SNAPSHOT_RULES_H
#define TESTS_SNAPSHOT_RULES_H

#include "tests/bench_rules.h"

static const char *const snapshot_rules[] = {
    RULES_STORM("3", ""),
    RULES_STORM("2", "    max_members: 4\n"), /* other bounds: the rules carry on */
    "silences:\n  - {id: calm, where: 'rule == \"slow\"', to: 2100-01-01T00:00:00Z}\n"
    "rules:\n"
    "  - {id: slow, where: 'check == \"slow\"', by: [resource], window: 1s, when: count() >= 1,\n"
    "     incident: {title: \"{resource}\", priority: P1}, close: quiet(1s)}\n"
    "  - {id: all, on: incidents, of: [slow], by: [tenant], window: 5s, when: count() >= 2,\n"
    "     incident: {title: \"{tenant}\", priority: P1}, close: cleared()}\n",
    RULES_STORM("3", "    max_keys: 1\n"),
    RULES_STORM("100", ""),
};
enum {
    SNAPSHOT_TEXTS = sizeof(snapshot_rules) / sizeof(snapshot_rules[0]),
    SNAPSHOT_TIGHT = SNAPSHOT_TEXTS - 2,
    SNAPSHOT_WIDE = SNAPSHOT_TEXTS - 1,
};

#endif
