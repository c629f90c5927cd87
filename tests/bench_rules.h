/*
 * bench_rules.h - texts of the rules that tests of the engine have in common.
 */
#ifndef TESTS_BENCH_RULES_H
#define TESTS_BENCH_RULES_H

/* One entry of `rules:` for a check, a key per resource. `more` is further lines, each with its
 * indent and end, or "". */
#define RULE_BY_RESOURCE(id, check, more, window, when, close)                                     \
    "  - id: " id "\n"                                                                             \
    "    where: check == \"" check "\"\n"                                                          \
    "    by: [resource]\n" more "    window: " window "\n"                                         \
    "    when: " when "\n"                                                                         \
    "    incident: {title: t}\n"                                                                   \
    "    close: " close "\n"

#define RULE_ON_EVENTS "    on: events\n"

/* What the engine tells of itself; the message is the title. */
#define RULE_SELF(window, close)                                                                   \
    "  - id: self\n"                                                                               \
    "    where: source == \"tocsin\"\n"                                                            \
    "    by: [resource]\n"                                                                         \
    "    window: " window "\n"                                                                     \
    "    when: count() >= 1\n"                                                                     \
    "    incident: {title: \"{message}\"}\n"                                                       \
    "    close: " close "\n"

/* For storms of events: pairs on one resource, many resources of one rack, and the self-alerts of
 * bounds that are reached. `pair_keys` and `rack_more` are their bounds. */
#define RULES_STORM(pair_keys, rack_more)                                                          \
    "rules:\n"                                                                                     \
    "  - id: pair\n"                                                                               \
    "    where: check == \"down\"\n"                                                               \
    "    by: [resource]\n"                                                                         \
    "    on: events\n"                                                                             \
    "    window: 2s\n"                                                                             \
    "    when: count() >= 2\n"                                                                     \
    "    max_keys: " pair_keys "\n"                                                                \
    "    incident: {title: \"{resource}\", priority: P2}\n"                                        \
    "    close: cleared() || fewer(1, 1s)\n"                                                       \
    "  - id: rack\n"                                                                               \
    "    where: severity >= MINOR\n"                                                               \
    "    by: [labels.rack]\n"                                                                      \
    "    window: 5s\n"                                                                             \
    "    when: distinct(resource) >= 3\n" rack_more                                                \
    "    incident: {title: \"rack {labels.rack}\"}\n"                                              \
    "    close: cleared() || quiet(3s)\n" RULE_SELF("10s", "fewer(1, 1s)")

#endif
