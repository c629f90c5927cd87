/*
 * service_parts.h - what the files of the daemon's life share (daemon/service.h is its door).
 *
 *   service.c        start, reload, stop; what the engine reports
 *   service_admin.c  what the admin server asks
 *   service_watch.c  the look once a second
 */
#ifndef DAEMON_SERVICE_PARTS_H
#define DAEMON_SERVICE_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include "correlate/engine.h"
#include "daemon/admin.h"
#include "daemon/config.h"
#include "daemon/durable.h"
#include "daemon/health.h"
#include "daemon/metrics.h"
#include "daemon/rules_preview.h"
#include "daemon/service.h"
#include "sinks/outbox.h"

struct service {
    struct service_options options;
    struct config *config; /* in force since the start; borrowed by engine and outbox */
    struct engine_config engine_config;
    struct rule_set *rules;      /* of the start; borrowed by the engine */
    struct rule_set *next_rules; /* during the start: to be switched to */
    struct durable *durable;     /* NULL: nothing is kept */
    struct source *kafka;
    struct source *source; /* the same, as the engine sees it */
    struct engine *engine;
    struct admin *admin;
    struct quarantine *quarantine;    /* NULL: none */
    struct line_writer *incident_log; /* NULL: none, or failed; incident role, or the journal's */
    atomic_bool must_reopen;          /* set by a reload, taken by the same thread */
    struct mark_log *marks;           /* NULL: none; sequencer role. Closed under lock */
    struct health health;
    int64_t flush_ms; /* as of the last reload */
    bool is_filling;  /* the outbox, as last logged */
    bool is_lost;     /* the input, as last logged and told to the outbox */
    uint64_t read_ns; /* when some of the input could last be read */

    /* One reload at a time, from a signal or the admin server. Before `lock`. */
    pthread_mutex_t reload_lock;
    struct rules_running loaded; /* the set that was loaded last */

    /* What the metrics thread and the stop thread share with the main thread. */
    pthread_mutex_t lock;
    struct outbox *outbox; /* NULL: no sinks, or already flushed */
    struct daemon_counters counters;
    struct metrics seen; /* of the last tick: sinks, parts */
};

/* Starts the admin server where the configuration wants one. EXIT_OK, or an exit code with a
 * sentence. */
int service_create_admin(struct service *service, struct error *err);

#endif
