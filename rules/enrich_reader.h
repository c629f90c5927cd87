/*
 * enrich_reader.h - the list under `enrich:` of all files into one set of steps.
 *
 *   enrich:
 *     - id: disk-of-message
 *       where: source == "zabbix"
 *       extract: {from: message, pattern: "disk (?P<disk>[a-z0-9]+) is at (?P<used>[0-9]+)%"}
 *       set:
 *         labels.team: owners[host].team
 *         severity: 'int(labels.used) > 95 ? CRITICAL : WARNING'
 *       remove: [labels.pod_uid]
 *     - id: no-pings
 *       where: check == "ping" && severity <= INFO && state == "problem"
 *       drop: true
 *
 * Whoever finds a mistake diagnoses it and goes on, so that one load shows many.
 *
 * Thread: one load, one thread.
 */
#ifndef RULES_ENRICH_READER_H
#define RULES_ENRICH_READER_H

#include "rules/enrich_set.h"
#include "rules/rule_reader.h"

/* Steps while files are read, in their order. */
struct enrich_gathering {
    struct compiled_step *first, *last;
    uint32_t count;
    struct label_slots slots; /* of their own: those of rules know other events */
};

/* Takes what is under `enrich:` of one file. */
void enrich_gather(struct enrich_gathering *gathering, const struct yaml_node *root,
                   const struct rule_build *build, struct arena *kept);

/* Makes the set, in `arena`; *out stays NULL when there are no steps. `hash` goes on with theirs.
 * Errors: false, diagnosed: an id that is taken, or memory. */
bool enrich_set_make(const struct enrich_gathering *gathering, struct arena *arena,
                     struct arena *kept, struct diagnostics *diag, const struct enrich_set **out,
                     struct id128 *hash);

#endif
