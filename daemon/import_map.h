/*
 * import_map.h - where the fields of foreign rules lie in tocsin's events.
 *
 *   case: exact                  # values are compared as written [ignore]
 *   fields:                      # Sigma field -> field of an event [labels.NAME]
 *     CommandLine: message
 *     destination.ip: labels.dst_ip
 *   keywords: message            # where words without a field are looked for
 *   logsource:                   # key of a logsource -> field; ignore: not looked at
 *     product: source
 *     service: ignore
 *   sources:                     # a whole logsource -> condition
 *     - {category: process_creation, where: 'source == "sysmon"'}
 *   by: [tenant, host]           # of Sigma rules that stand alone
 *   placeholders: {Servers: [srv1, srv2]}
 *   labels: {instance: host}     # Alertmanager label -> field [labels.NAME]
 *   receivers:                   # Alertmanager receiver -> what its incidents carry
 *     dba-pager: {team: dba, tier: T2, priority: P2}
 *   prefix: soc-                 # of the ids [sigma- or am-]
 *
 * Every key may be absent, and so may the file.
 *
 * Thread: immutable once read.
 */
#ifndef DAEMON_IMPORT_MAP_H
#define DAEMON_IMPORT_MAP_H

#include "base/error.h"
#include "daemon/import_text.h"

struct import_map;

/* What a field is: it decides how it is tested for being there, and what it is compared with. */
enum import_target_kind {
    TARGET_LABEL, /* absent is an error of evaluation */
    TARGET_TEXT,  /* absent is empty text */
    TARGET_VALUE, /* the number `value` */
};

struct import_target {
    enum import_target_kind kind;
    const char *text;     /* "labels.user", "host" */
    const char *presence; /* "has(labels.user)" */
};

struct import_receiver {
    const char *team, *tier, *priority; /* NULL: not given */
};

/* The map without a file: every default. */
struct import_map *import_map_create(void);

/* Reads a file's text. Errors: NULL, with place and sentence in *err. */
struct import_map *import_map_parse(const char *name, const char *text, size_t bytes,
                                    struct error *err);
void import_map_destroy(struct import_map *map);

/* `pool` takes what has to be made: the default target of a name that is not in the map. */
struct import_target import_map_field(const struct import_map *map, struct text name,
                                      struct import_pool *pool);
struct import_target import_map_label(const struct import_map *map, struct text name,
                                      struct import_pool *pool);
struct import_target import_map_keywords(const struct import_map *map);

/* False: this key of a logsource is not looked at. */
bool import_map_logsource(const struct import_map *map, struct text key,
                          struct import_target *target, struct import_pool *pool);
/* The condition for a whole logsource; NULL: none is given. Absent parts are empty text. */
const char *import_map_source(const struct import_map *map, struct text category,
                              struct text product, struct text service);

/* The values of a placeholder: count 0 when it is unknown. */
const struct text *import_map_placeholder(const struct import_map *map, struct text name,
                                          uint32_t *count);
struct import_receiver import_map_receiver(const struct import_map *map, struct text name);
/* Of a receiver that the map does not have: the name that is most like it there, which may be a
 * slip of it; NULL: none is near, or it has that receiver. Looks at the first 500. */
const char *import_map_receiver_near(const struct import_map *map, struct text name);

/* `by` of rules that stand alone, as a YAML list: "[tenant, host]". */
const char *import_map_by(const struct import_map *map);
bool import_map_is_exact(const struct import_map *map);
/* NULL: none is given. */
const char *import_map_prefix(const struct import_map *map);

#endif
