/*
 * cmd_run.c - `tocsin run`: the daemon. Signals, and one look a second.
 *
 * The shutdown runs on a thread of its own, so that the main thread still hears
 * the second signal that ends it at once.
 */
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "base/slab.h"
#include "daemon/commands.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/service.h"

struct run {
    const char *config;
    struct option_list rules;
    bool accept_loss, trust_journal;

    struct service *service;
    struct event_base *base;
    struct event *events[6]; /* three signals, the look, the end, the unit */
    int waker;               /* written by the stop thread when it is done */
    int unit_waker;          /* and this when one that stands by is to go on */
    pthread_t stopper;
    bool is_stopping;
    int code;
};

static const struct option_row rows[] = {
    {"--config", OPTION_TEXT, offsetof(struct run, config), "FILE", NULL,
     "Configuration file; without one the defaults are in force.", 0, 0, NULL},
    {"--rules", OPTION_LIST, offsetof(struct run, rules), "FILE", NULL,
     "Rule file, folder or shipped pack instead of those of the configuration; may be given again.",
     0, 0, NULL},
    {"--accept-loss", OPTION_FLAG, offsetof(struct run, accept_loss), NULL, NULL,
     "A damaged journal in data.dir is cut where it was last whole, instead of being refused; what "
     "stood behind it is gone. Keep a copy of the directory first.",
     0, 0, NULL},
    {"--trust-journal", OPTION_FLAG, offsetof(struct run, trust_journal), NULL, NULL,
     "A start that does not come to what the journal in data.dir says lists the differences and "
     "goes on: journaled incidents stand, and none is opened again.",
     0, 0, NULL},
};

static const struct option_table table = {
    .command = "run",
    .usage = "[--config FILE] [--rules FILE]... [--accept-loss] [--trust-journal]",
    .about = "Reads events from Kafka, correlates them and opens incidents, until SIGTERM or "
             "SIGINT: then input stops and the sinks get outbox.flush to take what is waiting. A "
             "second signal ends it at once. SIGHUP reads configuration and rules again; a fault "
             "in them changes nothing. The log goes to standard error.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 64 65 70 71 73 74 75 78",
};

static void *stop(void *self)
{
    struct run *run = self;
    const struct host *h = host();

    run->code = service_stop(run->service);
    h->waker_wake(h->self, run->waker);
    return NULL;
}

static void begin_stop(struct run *run)
{
    run->is_stopping = true;
    if (pthread_create(&run->stopper, NULL, stop, run) != 0) {
        /* No thread to be had: the same here, deaf to a second signal. */
        run->code = service_stop(run->service);
        event_base_loopbreak(run->base);
        run->is_stopping = false;
    }
}

static void on_end_signal(evutil_socket_t number, short what, void *self)
{
    struct run *run = self;

    (void)what;
    if (run->is_stopping) {
        log_event(LOG_WARNING, "stopped_at_once", log_text("signal", strsignal(number)));
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    log_event(LOG_INFO, "stopping", log_text("signal", strsignal(number)),
              log_text("next", "input stops, sinks are flushed; again to leave at once"));
    begin_stop(run);
}

static void on_reload_signal(evutil_socket_t number, short what, void *self)
{
    struct run *run = self;

    (void)number;
    (void)what;
    if (!run->is_stopping)
        service_reload_by_signal(run->service);
}

static void on_look(evutil_socket_t fd, short what, void *self)
{
    struct run *run = self;
    struct error why = {{0}};

    (void)fd;
    (void)what;
    if (run->is_stopping)
        return;
    service_tick(run->service);
    if (service_verdict(run->service, &why) != EXIT_OK) {
        log_event(LOG_ERROR, "giving_up", log_text("why", why.text),
                  log_text("next", "input stops, sinks are flushed"));
        begin_stop(run);
    }
}

static void on_stopped(evutil_socket_t fd, short what, void *self)
{
    struct run *run = self;

    (void)fd;
    (void)what;
    event_base_loopbreak(run->base);
}

static void on_unit(evutil_socket_t fd, short what, void *self)
{
    struct run *run = self;
    struct error err = {{0}};

    (void)fd;
    (void)what;
    host()->waker_sleep(host()->self, run->unit_waker, 0); /* takes the wake */
    if (run->is_stopping)
        return;
    run->code = service_go_on(&run->service, &err);
    if (run->code == EXIT_OK) {
        service_tick(run->service);
        return;
    }
    log_event(LOG_ERROR, "giving_up", log_text("why", err.text));
    event_base_loopbreak(run->base);
}

static bool prepare(struct run *run)
{
    const struct timeval second = {.tv_sec = 1};

    run->waker = host()->waker_create(host()->self);
    run->unit_waker = host()->waker_create(host()->self);
    run->base = event_base_new();
    if (run->waker < 0 || run->unit_waker < 0 || run->base == NULL)
        return false;
    run->events[0] = evsignal_new(run->base, SIGTERM, on_end_signal, run);
    run->events[1] = evsignal_new(run->base, SIGINT, on_end_signal, run);
    run->events[2] = evsignal_new(run->base, SIGHUP, on_reload_signal, run);
    run->events[3] = event_new(run->base, -1, EV_PERSIST, on_look, run);
    run->events[4] = event_new(run->base, run->waker, EV_READ | EV_PERSIST, on_stopped, run);
    run->events[5] = event_new(run->base, run->unit_waker, EV_READ | EV_PERSIST, on_unit, run);
    for (size_t i = 0; i < sizeof(run->events) / sizeof(run->events[0]); i++)
        if (run->events[i] == NULL || event_add(run->events[i], i == 3 ? &second : NULL) != 0)
            return false;
    return true;
}

static void release(struct run *run)
{
    for (size_t i = 0; i < sizeof(run->events) / sizeof(run->events[0]); i++)
        if (run->events[i] != NULL)
            event_free(run->events[i]);
    if (run->base != NULL)
        event_base_free(run->base);
    if (run->waker >= 0)
        host()->close(host()->self, run->waker);
    if (run->unit_waker >= 0)
        host()->close(host()->self, run->unit_waker);
}

/* To people as `tocsin check` says it; to who reads lines of JSON as one of them. */
static void tell_refusal(const struct run *run, int code, const struct error *err)
{
    if (!config_wants_json_log(run->config)) {
        fprintf(stderr, "%s\n", err->text);
        return;
    }
    log_configure(LOG_INFO, LOG_JSON);
    log_event(LOG_ERROR, "start_refused", log_number("code", code), log_text("why", err->text));
}

int cmd_run(int argc, char **argv)
{
    struct run run = {.waker = -1, .unit_waker = -1};
    struct service_options options;
    struct error err = {{0}};
    int code;

    if (!options_read(&table, argc, argv, &run, &code))
        return code;
    options = (struct service_options){.config_path = run.config,
                                       .rules = &run.rules,
                                       .accept_loss = run.accept_loss,
                                       .trust_journal = run.trust_journal,
                                       .waker = -1};
    memory_ends_process();
    signal(SIGPIPE, SIG_IGN); /* a sink that hangs up is an error of its write */
    /* Signals are caught before anything starts, so that none is lost on the way. */
    if (!prepare(&run)) {
        fprintf(stderr, "tocsin run: out of memory or descriptors\n");
        release(&run);
        return EXIT_SYSTEM;
    }
    options.waker = run.unit_waker;
    code = service_create(&options, &run.service, &err);
    if (code != EXIT_OK) {
        tell_refusal(&run, code, &err);
        release(&run);
        return code;
    }
    service_tick(run.service);
    event_base_dispatch(run.base);
    if (run.is_stopping)
        pthread_join(run.stopper, NULL);
    code = run.code;
    if (!service_destroy(run.service))
        _exit(code); /* no exit handlers under a thread that still works */
    release(&run);
    return code;
}
