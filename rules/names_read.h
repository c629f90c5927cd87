/*
 * names_read.h - which rules look at what an enrich step makes: for who tells what a step that a
 * reload changes does to incidents that are open.
 *
 *   by: [labels.rack]                a repeat with another rack is of another key
 *   where: labels.tier == "prod"     of an alert with another tier the rule may know nothing
 *   close: last(value) < 80          by another value it may close
 *
 * Names are those of struct enrich_deed: "labels.rack", "severity", "message", "value".
 *
 * Thread: any.
 */
#ifndef RULES_NAMES_READ_H
#define RULES_NAMES_READ_H

#include "rules/enrich.h"
#include "rules/rule_set.h"

enum name_reader { NAME_IN_BY = 1, NAME_IN_WHERE = 2, NAME_IN_CLOSE = 4 };

/* Where the rule reads the name, bits of enum name_reader; conditions of steps are of `where`.
 * `host` reads labels.host, and who asks for any label reads each. */
unsigned rule_reads_name(const struct rule_set *set, uint32_t index, const char *name);

/* The names that the step sets or removes, each once, up to `max`: how many. The set's. `names`
 * NULL: room for so many is enough. */
uint32_t enrich_step_names(const struct enrich_set *set, uint32_t index, const char **names,
                           uint32_t max);

#endif
