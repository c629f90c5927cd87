/*
 * import_alertmanager.h - the parts of the Alertmanager importer.
 *
 *   import_alertmanager.c  the file: its sections, and the routes, each of which becomes a rule
 *   import_route_keys.c    what of a route cannot be read, and which others that touches
 *   import_route_reach.c   which alerts stay with a route
 *   import_inhibit.c       inhibit_rules
 *   import_intervals.c     time_intervals, where a route is muted by one
 *
 * Source: Alertmanager's configuration reference.
 */
#ifndef DAEMON_IMPORT_ALERTMANAGER_H
#define DAEMON_IMPORT_ALERTMANAGER_H

#include "daemon/import_matcher.h"

enum { ROUTES_MAX = 1000, ROUTE_BY_MAX = 7, CONDITION_BYTES_MAX = 1 << 20 };

/* A key of a route that is not carried over while the route is. */
struct route_oddity {
    const struct yaml_node *node;
    const char *why;
    const char *then; /* one more sentence, where the route becomes a rule; "": none */
    const struct route_oddity *next;
};

/* A node of the routing tree, with what it inherits. */
struct route {
    const struct yaml_node *node;
    struct route *parent, *first, *last, *next; /* next: the sibling behind it */
    struct matchers matchers;
    const char *bad; /* what keeps it from being a rule: "routs at 9:7"; NULL: nothing */
    bool is_lost;    /* and what it takes, or what those below it inherit, is not known */
    bool is_dead;    /* nothing fulfils its own matchers */
    bool goes_on;    /* `continue: true` */
    const struct route_oddity *odd;
    struct text receiver;
    const struct yaml_node *group_by;
    int64_t group_wait_ms, group_interval_ms, repeat_ms;
    const struct yaml_node *repeat_node; /* where that is said; NULL: nowhere */
    const char *construct;               /* route to "dba" */
    /* Of the rule that it became; id NULL: of none. */
    const char *id;
    const struct import_made *made;
    bool is_untold;               /* its receiver tells nobody */
    const char *by[ROUTE_BY_MAX]; /* fields, without the tenant */
    uint32_t by_count;
};

struct alertmanager {
    struct import_work *work;
    const struct yaml_node *document;
    VECTOR_OF(struct route *) routes; /* parents before children */
    struct import_index receivers;    /* name -> its entry under `receivers`, the first of them */
    struct import_index intervals;    /* name -> struct interval_use */
    struct import_index meant;        /* labels -> rules that group by them, import_inhibit.c */
    struct import_index windows;      /* kind and intervals -> struct route_window */
    struct route_window *first_window, *last_window;
    size_t interval_entries; /* of all time intervals, however often named */
    size_t interval_bytes;   /* of all time intervals, as often as routes name them */
    size_t condition_bytes;  /* of all conditions that were made, those left out too */
};

/* Reads `continue`, and finds the keys that are not known. */
void alertmanager_route_keys(struct alertmanager *am, struct route *route);

/* Whether the engine takes the route's matchers behind `last` (NULL: all), each by itself; false
 * with findings. Words are texts of any kind and are not shown to it unless they are long. */
bool alertmanager_route_takes(struct alertmanager *am, const struct route *route,
                              const struct matcher *last);

/* Of a route that cannot be a rule because of a node, of which a finding tells. */
void alertmanager_route_spoil(struct alertmanager *am, struct route *route,
                              const struct yaml_node *node, bool is_lost);

/* The route above on whose account nothing is known of what reaches this one; NULL: none. */
const struct route *alertmanager_route_lost(const struct route *route);

/* True when an alert that reaches `route` (by its way and itself) cannot be meant by `other`. */
bool alertmanager_route_excludes(const struct route *route, const struct route *other);

/* Once the matchers are read: whether anything fulfils them. */
void alertmanager_route_weigh(struct alertmanager *am, struct route *route);

/* The condition of the route's rule: what comes its way, without what siblings before it and its
 * children take. NULL: there is none, and a finding tells why. */
struct expr *alertmanager_route_where(struct alertmanager *am, const struct route *route,
                                      struct expr_build *build);

/* Why no alert stays with the route, a sentence for the list; NULL: one may. */
const char *alertmanager_route_unreached(struct alertmanager *am, const struct route *route,
                                         const struct expr *where);

/* Once it is known whether there is a rule: keys that are not carried over, and what it gets of
 * routes that are none. */
void alertmanager_route_tell(struct alertmanager *am, const struct route *route);

/* "am-" rules have been written: inhibitions may name them. */
void alertmanager_inhibit(struct alertmanager *am);

/* Reads the named intervals; then, for each route that has a rule, joins a maintenance window. */
void alertmanager_intervals_read(struct alertmanager *am);
void alertmanager_intervals_mute(struct alertmanager *am, const struct route *route);
/* Adds the windows, and finds intervals that no route names. */
void alertmanager_intervals_finish(struct alertmanager *am);

#endif
