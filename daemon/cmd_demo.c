/*
 * cmd_demo.c - `tocsin demo`: the whole way of an event, in one terminal.
 *
 *   generate --Kafka--> broker --Kafka--> run --HTTP--> receive --lines--> this terminal
 *
 * Each part is a process of its own, as in an installation, and the daemon is the
 * ordinary one with a configuration file that is written here. This program only
 * starts them, looks at the daemon's /metrics, and passes on what the receiver
 * shows. At the end it holds the pages against the truth that the generator wrote.
 *
 * The story below is told in order; everything that happens meanwhile (lines of
 * the receiver, answers, signals) happens inside demo_pump().
 */
#include "daemon/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/demo.h"
#include "daemon/options.h"
#include "daemon/units.h"

enum {
    DRAIN_MS_MAX = 20000, /* after the last event: incidents close, pages leave */
    INTERRUPTED_DRAIN_MS = 1500,
    END_MS_MAX = 12000, /* for each part to end by itself */
};

#define FIELD(name) offsetof(struct demo_options, name)

static const struct option_row rows[] = {
    {"--for", OPTION_DURATION, FIELD(for_ms), "D", "45s", "How long the estate sends events.",
     .min = 10000, .max = 86400000},
    {"--forever", OPTION_FLAG, FIELD(is_forever), NULL, NULL,
     "Goes on, with new faults each minute, until Ctrl-C.", .min = 0},
    {"--dir", OPTION_TEXT, FIELD(dir), "DIR", NULL,
     "Folder for configuration, logs, truth and pages; it is kept. Default: a temporary one.",
     .min = 0},
    {"--keep", OPTION_FLAG, FIELD(keep), NULL, NULL, "Keeps the temporary folder.", .min = 0},
    {"--seed", OPTION_COUNT, FIELD(seed), "N", "1", "Another number, other faults.", .min = 0},
    {"--rate", OPTION_COUNT, FIELD(rate), "N", "2000", "Events of everyday noise per second.",
     .min = 1, .max = 20000},
    {"--faults", OPTION_COUNT, FIELD(faults), "N", "7",
     "Faults in the whole run, or per minute with --forever.", .min = 0, .max = 60},
    {"--fail", OPTION_TEXT, FIELD(fail), "SHARE", "0",
     "Share of pages that the receiver answers with an error, to see them repeated.", .min = 0},
};

static const struct option_table table = {
    .command = "demo",
    .usage = "[options]",
    .about =
        "Runs the main job on this machine in one terminal: a broker, a synthetic estate with\n"
        "faults of known truth, the daemon, and a pager that shows what it is told.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 1 64 69 71 74",
};

/* --- what happens meanwhile --- */

static void on_interrupt(evutil_socket_t number, short what, void *self)
{
    struct demo *demo = self;

    (void)number;
    (void)what;
    demo->is_interrupted = true;
}

static void on_child_end(evutil_socket_t number, short what, void *self)
{
    (void)number;
    (void)what;
    (void)self; /* it has woken the loop: demo_pump() looks which one it was */
}

static void on_timer(evutil_socket_t number, short what, void *self)
{
    (void)number;
    (void)what;
    *(bool *)self = true;
}

static void look_for_lost_child(struct demo *demo)
{
    for (int i = 0; i < DEMO_CHILD_COUNT; i++) {
        struct child *child = &demo->children[i];
        if (child->pid != 0 && !child_is_running(child) && !demo->may_end[i] && demo->lost == NULL)
            demo->lost = child;
    }
}

bool demo_pump(struct demo *demo, int64_t ms, const bool *is_done)
{
    struct timeval after = {ms / 1000, ms % 1000 * 1000};
    bool is_over = false;
    bool was_interrupted = demo->is_interrupted;
    struct event *timer = evtimer_new(demo->base, on_timer, &is_over);

    if (timer == NULL)
        return false;
    evtimer_add(timer, &after);
    while (!is_over && demo->lost == NULL && demo->is_interrupted == was_interrupted &&
           (is_done == NULL || !*is_done)) {
        event_base_loop(demo->base, EVLOOP_ONCE);
        look_for_lost_child(demo);
    }
    event_free(timer);
    return is_done != NULL && *is_done;
}

/* --- the run --- */

static void run_traffic(struct demo *demo)
{
    while (child_is_running(&demo->children[DEMO_GENERATOR]) && demo->lost == NULL &&
           !demo->is_interrupted) {
        demo_pump(demo, 250, NULL);
        if (!demo->is_interrupted && demo->lost == NULL)
            demo_status_update(demo);
    }
}

/* Asks a child to end and waits for it; what does not end is ended. */
static void end_child(struct demo *demo, int which)
{
    struct child *child = &demo->children[which];
    uint64_t since_ns = host_mono_ns();

    demo->may_end[which] = true;
    child_terminate(child);
    while (child_is_running(child) && host_mono_ns() - since_ns < (uint64_t)END_MS_MAX * 1000000)
        demo_pump(demo, 20, NULL);
    child_kill(child);
}

/* After the last event: until every incident has closed and every page has left. */
static void drain(struct demo *demo)
{
    uint64_t since_ns = host_mono_ns();
    int64_t ms_max = demo->is_interrupted ? INTERRUPTED_DRAIN_MS : DRAIN_MS_MAX;
    bool was_interrupted = demo->is_interrupted;

    do {
        demo_pump(demo, 250, NULL);
        demo_status_update(demo);
        if (demo->sample.open == 0 && demo->sample.waiting == 0 &&
            host_mono_ns() - since_ns > 1500000000u)
            break;
    } while (demo->lost == NULL && demo->is_interrupted == was_interrupted &&
             host_mono_ns() - since_ns < (uint64_t)ms_max * 1000000);
}

/* Ends the parts in the order in which events flow, so that each gets to deliver. */
static void end_all(struct demo *demo)
{
    end_child(demo, DEMO_GENERATOR);
    end_child(demo, DEMO_DAEMON);
    demo->is_closing = true;
    end_child(demo, DEMO_RECEIVER);
    demo_pump(demo, 100, NULL); /* its last lines */
    end_child(demo, DEMO_BROKER);
}

static const char *const files[] = {
    "tocsin.yaml",     "truth.jsonl", "pages.jsonl",  "broker.address", "quarantine.jsonl",
    "incidents.jsonl", "broker.log",  "receiver.log", "daemon.log",     "generator.log"};

static void remove_files(const struct demo *demo)
{
    char path[DEMO_PATH_BYTES];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        demo_path_in(demo, files[i], path);
        host()->unlink(host()->self, path);
    }
    children_remove_dir(demo->dir);
}

static int prepare(struct demo *demo, struct error *err)
{
    struct winsize size;
    const char *tmp = getenv("TMPDIR");
    int rc;

    demo->is_terminal = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    demo->width = demo->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
                          size.ws_col >= 40 && size.ws_col <= 1000
                      ? size.ws_col
                      : 120;
    demo->may_end[DEMO_GENERATOR] = true;
    if (demo->options.dir != NULL) {
        snprintf(demo->dir, sizeof(demo->dir), "%s", demo->options.dir);
        rc = children_make_dir(demo->dir);
    } else {
        snprintf(demo->dir, sizeof(demo->dir), "%s/tocsin-demo-XXXXXX",
                 tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
        rc = children_make_temporary_dir(demo->dir);
    }
    if (rc != 0) {
        error_set(err, "%s: %s", demo->dir, strerror(-rc));
        return rc;
    }
    demo->base = event_base_new();
    if (demo->base == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    demo->on_int = evsignal_new(demo->base, SIGINT, on_interrupt, demo);
    demo->on_term = evsignal_new(demo->base, SIGTERM, on_interrupt, demo);
    demo->on_child = evsignal_new(demo->base, SIGCHLD, on_child_end, demo);
    if (demo->on_int == NULL || demo->on_term == NULL || demo->on_child == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    event_add(demo->on_int, NULL);
    event_add(demo->on_term, NULL);
    event_add(demo->on_child, NULL);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static void release(struct demo *demo)
{
    for (int i = 0; i < DEMO_CHILD_COUNT; i++) {
        child_kill(&demo->children[i]);
        child_release(&demo->children[i]);
    }
    if (demo->on_int != NULL)
        event_free(demo->on_int);
    if (demo->on_term != NULL)
        event_free(demo->on_term);
    if (demo->on_child != NULL)
        event_free(demo->on_child);
    if (demo->base != NULL)
        event_base_free(demo->base);
}

int cmd_demo(int argc, char **argv)
{
    struct demo demo = {0};
    struct error err = {""};
    int code = EXIT_OK;
    double share;
    int rc;

    if (!options_read(&table, argc, argv, &demo.options, &code))
        return code;
    if (unit_parse_share(demo.options.fail, &share, &err) != 0) {
        fprintf(stderr, "tocsin demo: --fail: %s\n", err.text);
        return EXIT_USAGE;
    }
    rc = prepare(&demo, &err);
    if (rc != 0) {
        fprintf(stderr, "tocsin demo: %s\n", err.text);
        release(&demo);
        return rc == -ENOMEM ? EXIT_SYSTEM : EXIT_IO;
    }
    rc = demo_start_all(&demo, &err);
    if (rc == 0) {
        run_traffic(&demo);
        end_child(&demo, DEMO_GENERATOR);
        if (demo.lost == NULL && demo.children[DEMO_GENERATOR].status != 0)
            demo.lost = &demo.children[DEMO_GENERATOR];
        if (demo.lost == NULL)
            drain(&demo);
    }
    end_all(&demo);
    if (demo.lost != NULL) {
        demo_print_lost(&demo);
        code = EXIT_UNAVAILABLE;
    } else if (rc != 0 && demo.is_interrupted) {
        code = EXIT_OK; /* Ctrl-C before the traffic began */
    } else if (rc != 0) {
        fprintf(stderr, "tocsin demo: %s; logs are in %s\n", err.text, demo.dir);
        code = EXIT_UNAVAILABLE;
    } else {
        rc = demo_report(&demo, &err);
        code = rc == 0 ? EXIT_OK : rc > 0 ? EXIT_CHANGED : EXIT_IO;
        if (rc < 0)
            fprintf(stderr, "tocsin demo: %s\n", err.text);
        demo_print_where_to_look(&demo);
    }
    if (code == EXIT_OK && demo.options.dir == NULL && !demo.options.keep)
        remove_files(&demo);
    release(&demo);
    return code;
}
