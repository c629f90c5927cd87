/*
 * service.h - the parts of the daemon, wired: source -> engine -> incident log and outbox.
 *
 *   thread      started by   does
 *   main        -            signals, one look a second, reload, shutdown
 *   engine ...  engine       ingest, deduplication, rules, incidents; calls the listener
 *   outbox      outbox       delivery
 *   admin       admin        /metrics, /healthz, /readyz
 *   unit        unit         with shared.address: asks for the unit, then keeps it
 *   stop        main         the shutdown, so that main still hears a second signal
 *
 * Thread: everything by the main thread, but service_stop().
 */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include <stdbool.h>
#include "base/error.h"
#include "daemon/durable.h"
#include "daemon/rules_preview.h"
#include "daemon/options.h"

struct service;

struct service_options {
    const char *config_path;         /* NULL: defaults */
    const struct option_list *rules; /* instead of the configuration's; borrowed */
    bool accept_loss;                /* of a damaged journal */
    bool trust_journal;              /* as durable_options.trust */
    int waker;                       /* woken when one that stands by is to go on */
    struct durable_refused refused;  /* snapshots to be passed over */
};

/* Reads and checks configuration, rules and sinks, then opens files, sockets and
 * threads. Nothing runs when anything is wrong. With shared.address it stands by then, until its
 * unit is to be had. Returns an exit code; EXIT_OK gives the service. Owner: the caller, until
 * service_destroy(). */
int service_create(const struct service_options *options, struct service **out, struct error *err);

/* The waker was woken: the unit is this daemon's, or was refused. EXIT_OK, or an exit code with a
 * sentence, after which the service is to be destroyed, if there is one. Where the image that it
 * was to go on from makes no sense the service is another one afterwards, which stands by to go on
 * from one before it. Thread: main. */
int service_go_on(struct service **service, struct error *err);

/* The look once a second: readiness, sinks, held back log lines. */
void service_tick(struct service *service);

/* EXIT_OK, or the exit code with which the run has to end, and why. Thread: main. */
int service_verdict(struct service *service, struct error *why);

/* SIGHUP: reloads, on record where there is a data directory; what came of it is in the log.
 * Thread: main. */
void service_reload_by_signal(struct service *service);

/* Reads everything again; says in the log what came of it, and in `preview`, which the
 * caller releases, what it did to each rule. Changes nothing when it fails.
 * Errors: a negative errno, -EINVAL where the files are at fault, with a sentence.
 * Thread: any. */
int service_reload(struct service *service, struct rules_preview *preview, struct error *err);

/* What a reload would do now, and nothing else. As service_reload(). */
int service_preview(struct service *service, struct rules_preview *preview, struct error *err);

/* Stops input, works off what is closed, gives the sinks their time (F10). Returns an exit code. */
int service_stop(struct service *service);

/* Releases everything. False when the Kafka client did not let go in SOURCE_CLOSE_MS (it
 * waits for answers of a broker that is gone; one wait of 3 s may have just begun, and a farewell
 * of half a second follows): all else is done then, and the process is to end without further ado.
 * NULL is allowed. */
enum { SOURCE_CLOSE_MS = 5000, SOURCE_LOOK_MS = 250 };
bool service_destroy(struct service *service);

#endif
