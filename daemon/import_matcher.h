/*
 * import_matcher.h - the label matchers of Prometheus Alertmanager as conditions.
 *
 *   alertname="Watchdog", severity=~"warning|critical"
 *
 * A label that is missing and one that is empty are the same there, so `team!="a"` and
 * `team=""` hold without the label. Regular expressions are anchored at both ends.
 *
 * Source: Alertmanager's configuration reference, label matchers (classic and UTF-8).
 */
#ifndef DAEMON_IMPORT_MATCHER_H
#define DAEMON_IMPORT_MATCHER_H

#include "daemon/import_work.h"

enum matcher_sign { MATCHER_EQUAL, MATCHER_UNEQUAL, MATCHER_PATTERN, MATCHER_NO_PATTERN };

struct matcher {
    enum matcher_sign sign;
    struct text label, value;
    struct span span;
    struct matcher *next;
};

/* All of them must hold. */
struct matchers {
    struct matcher *first, *last;
};

/* Where the condition will stand. */
enum matcher_scope {
    MATCHER_ON_EVENTS,    /* `where` of a rule: an absent label is an error */
    MATCHER_ON_INCIDENTS, /* of an inhibition: what an incident lacks is empty text, and severity is
                             a field of its own */
    MATCHER_ON_KEYS,      /* the same, of incidents that have the label severity in their key */
};

/* Reads `matchers: [..]`. False with findings. */
bool matchers_read(struct import_work *work, const struct yaml_node *node, const char *construct,
                   struct matchers *out);

/* Reads the older maps: match (sign MATCHER_EQUAL) and match_re (MATCHER_PATTERN). */
bool matchers_read_map(struct import_work *work, const struct yaml_node *node,
                       enum matcher_sign sign, const char *construct, struct matchers *out);

/* The condition; true where there are no matchers. NULL with a finding, on incidents alone. */
struct expr *matchers_expr(struct import_work *work, const struct matchers *matchers,
                           enum matcher_scope scope, const char *construct,
                           struct expr_build *build);

/* The next word that a matcher of words names, from *at = 0 on; false behind the last, and where it
 * is another pattern. */
bool matcher_word_next(const struct matcher *matcher, uint32_t *at, struct text *word);

/* True when no set of labels can fulfil both. (False says nothing.) */
bool matchers_exclude(const struct matchers *a, const struct matchers *b);

#endif
