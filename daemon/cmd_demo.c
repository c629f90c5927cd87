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
 * the receiver, answers, signals) happens inside pump().
 */
#include "daemon/commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/children.h"
#include "daemon/options.h"
#include "daemon/score.h"
#include "daemon/units.h"

enum {
    PATH_BYTES = 4096,
    START_MS_MAX = 15000, /* for each part */
    DRAIN_MS_MAX = 20000, /* after the last event: incidents close, pages leave */
    INTERRUPTED_DRAIN_MS = 1500,
    END_MS_MAX = 12000, /* for each part to end by itself */
    STATUS_MS = 1000,
    STATUS_PLAIN_MS = 5000, /* where no terminal redraws the line */
    ADMIN_PORT = 9099,      /* the daemon's usual one, if it is free */
    PARTITIONS = 8,
    CLOSING_LINES_MAX = 8,
    LOG_LINES_SHOWN = 12,
    ROUTING_KEY_CHARS = 32,
};

static const char topic[] = "events";

struct demo_options {
    int64_t for_ms;
    bool is_forever;
    const char *dir;
    bool keep;
    int64_t seed, rate, faults;
    const char *fail;
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

enum { BROKER, RECEIVER, DAEMON, GENERATOR, CHILD_COUNT };

/* What the daemon says of itself, summed over sinks. */
struct sample {
    double events, duplicate, unmatched, routed, rejected, gaps;
    double opened, closed, open;
    double done, waiting, retries, dead;
};

struct demo {
    struct demo_options options;
    char dir[PATH_BYTES];
    bool is_terminal;
    int width;
    struct event_base *base;
    struct event *on_int, *on_term, *on_child;
    struct child children[CHILD_COUNT];
    bool may_end[CHILD_COUNT]; /* an end of this one is no accident */
    bool is_interrupted;
    const struct child *lost; /* the child that ended too early */
    char broker[64];
    unsigned receiver_port, admin_port;
    uint64_t start_ns; /* of the traffic */
    struct sample sample;
    bool has_sample;
    bool has_status; /* a status line stands at the bottom of the terminal */
    uint64_t status_ns;
    bool is_closing; /* what the receiver says now are its counts */
    char closing[CLOSING_LINES_MAX][160];
    size_t closing_count;
};

/* --- the terminal --- */

static const char *style(const struct demo *demo, const char *code)
{
    return demo->is_terminal ? code : "";
}

#define DIM(demo) style(demo, "\033[2m")
#define BOLD(demo) style(demo, "\033[1m")
#define PLAIN(demo) style(demo, "\033[0m")

static void status_wipe(struct demo *demo)
{
    if (demo->has_status)
        printf("\r\033[K");
    demo->has_status = false;
}

/* 24310 -> "24,310" */
static const char *grouped(double number, char to[32])
{
    char digits[32];
    int length = snprintf(digits, sizeof(digits), "%.0f", number);
    int at = 0;

    for (int i = 0; i < length && at < 30; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            to[at++] = ',';
        to[at++] = digits[i];
    }
    to[at] = '\0';
    return to;
}

static int64_t traffic_ms(const struct demo *demo)
{
    return (int64_t)((host_mono_ns() - demo->start_ns) / 1000000);
}

static void status_show(struct demo *demo)
{
    const struct sample *sample = &demo->sample;
    char events[32], text[256];
    double folded = sample->events > 0 ? 100 * sample->duplicate / sample->events : 0;

    if (!demo->has_sample)
        return;
    snprintf(text, sizeof(text),
             "%5" PRId64 " s   %s events in, %.0f %% folded   incidents %.0f opened, %.0f resolved",
             traffic_ms(demo) / 1000, grouped(sample->events, events), folded, sample->opened,
             sample->closed);
    status_wipe(demo);
    /* A line that wraps could not be wiped again. */
    printf("%s%.*s%s", DIM(demo), demo->width - 1, text, PLAIN(demo));
    if (demo->is_terminal)
        demo->has_status = true;
    else
        printf("\n");
    fflush(stdout);
}

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
    (void)self; /* it has woken the loop: pump() looks which one it was */
}

static void on_timer(evutil_socket_t number, short what, void *self)
{
    (void)number;
    (void)what;
    *(bool *)self = true;
}

static void look_for_lost_child(struct demo *demo)
{
    for (int i = 0; i < CHILD_COUNT; i++) {
        struct child *child = &demo->children[i];
        if (child->pid != 0 && !child_is_running(child) && !demo->may_end[i] && demo->lost == NULL)
            demo->lost = child;
    }
}

/* Lets things happen for `ms`, or until *is_done (NULL: never), a child is lost
 * or Ctrl-C is pressed. True when *is_done. */
static bool pump(struct demo *demo, int64_t ms, const bool *is_done)
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

/* The receiver's lines: first its address, then pages, at the end its counts. */
static void on_receiver_line(void *self, const char *line)
{
    static const char said[] = "receiving pages on http://127.0.0.1:";
    struct demo *demo = self;

    if (demo->receiver_port == 0) {
        if (strncmp(line, said, sizeof(said) - 1) == 0)
            demo->receiver_port = (unsigned)strtoul(line + sizeof(said) - 1, NULL, 10);
        return;
    }
    if (demo->is_closing) {
        if (demo->closing_count < CLOSING_LINES_MAX)
            snprintf(demo->closing[demo->closing_count++], sizeof(demo->closing[0]), "%s", line);
        return;
    }
    status_wipe(demo);
    puts(line);
    if (demo->is_terminal)
        status_show(demo);
    fflush(stdout);
}

/* --- asking the daemon --- */

struct answer {
    bool is_done;
    int code; /* 0: none came */
    char *body;
};

static void on_answer(struct evhttp_request *request, void *self)
{
    struct answer *answer = self;

    answer->is_done = true;
    if (request == NULL)
        return;
    answer->code = evhttp_request_get_response_code(request);
    struct evbuffer *body = evhttp_request_get_input_buffer(request);
    size_t bytes = evbuffer_get_length(body);
    answer->body = malloc(bytes + 1);
    if (answer->body == NULL)
        return;
    evbuffer_remove(body, answer->body, bytes);
    answer->body[bytes] = '\0';
}

/* GETs `path` from the daemon's admin side. The caller frees answer->body. */
static void ask(struct demo *demo, const char *path, struct answer *answer)
{
    struct evhttp_connection *connection;
    struct evhttp_request *request;

    *answer = (struct answer){0};
    connection =
        evhttp_connection_base_new(demo->base, NULL, "127.0.0.1", (ev_uint16_t)demo->admin_port);
    request = connection != NULL ? evhttp_request_new(on_answer, answer) : NULL;
    if (request != NULL) {
        evhttp_connection_set_timeout(connection, 2);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Host", "127.0.0.1");
        evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
        if (evhttp_make_request(connection, request, EVHTTP_REQ_GET, path) == 0)
            pump(demo, 3000, &answer->is_done);
    }
    if (connection != NULL)
        evhttp_connection_free(connection); /* ends an unfinished request as well */
}

/* The sum of the samples of a family in Prometheus text. */
static double family_sum(const char *text, const char *name)
{
    size_t length = strlen(name);
    double sum = 0;

    for (const char *at = text; at != NULL && *at != '\0';) {
        size_t line = strcspn(at, "\n");
        if (strncmp(at, name, length) == 0 && (at[length] == ' ' || at[length] == '{')) {
            size_t value = line;
            while (value > 0 && at[value - 1] != ' ')
                value--;
            sum += strtod(at + value, NULL);
        }
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return sum;
}

static void take_sample(struct demo *demo)
{
    struct answer answer;

    ask(demo, "/metrics", &answer);
    if (answer.code == 200 && answer.body != NULL) {
        const char *text = answer.body;
        demo->sample = (struct sample){
            .events = family_sum(text, "tocsin_events_total"),
            .duplicate = family_sum(text, "tocsin_events_duplicate_total"),
            .unmatched = family_sum(text, "tocsin_events_unmatched_total"),
            .routed = family_sum(text, "tocsin_events_routed_total"),
            .rejected = family_sum(text, "tocsin_events_rejected_total"),
            .gaps = family_sum(text, "tocsin_input_gaps_total"),
            .opened = family_sum(text, "tocsin_incidents_opened_total"),
            .closed = family_sum(text, "tocsin_incidents_closed_total"),
            .open = family_sum(text, "tocsin_incidents_open"),
            .done = family_sum(text, "tocsin_sink_done_total"),
            .waiting = family_sum(text, "tocsin_sink_waiting"),
            .retries = family_sum(text, "tocsin_sink_retries_total"),
            .dead = family_sum(text, "tocsin_sink_dead_total"),
        };
        demo->has_sample = true;
    }
    free(answer.body);
}

static void status_update(struct demo *demo)
{
    uint64_t every_ns = (uint64_t)(demo->is_terminal ? STATUS_MS : STATUS_PLAIN_MS) * 1000000;

    take_sample(demo);
    if (host_mono_ns() - demo->status_ns < every_ns)
        return;
    demo->status_ns = host_mono_ns();
    status_show(demo);
}

/* --- starting --- */

static void path_in(const struct demo *demo, const char *name, char to[PATH_BYTES])
{
    snprintf(to, PATH_BYTES, "%.4000s/%s", demo->dir, name);
}

static int start(struct demo *demo, int which, const char *name, const char *const *argv,
                 struct error *err)
{
    struct child *child = &demo->children[which];

    child->name = name;
    child->self = demo;
    child->on_line = which == RECEIVER ? on_receiver_line : NULL;
    return child_start(child, demo->base, demo->dir, argv, err);
}

/* True while the part that starts up has time left and nothing has gone wrong. */
static bool may_wait(const struct demo *demo, uint64_t since_ns)
{
    return demo->lost == NULL && !demo->is_interrupted &&
           host_mono_ns() - since_ns < (uint64_t)START_MS_MAX * 1000000;
}

static int start_broker(struct demo *demo, struct error *err)
{
    char file[PATH_BYTES], partitions[64];
    uint64_t since_ns = host_mono_ns();
    char *address = NULL;
    size_t bytes;
    int rc;

    path_in(demo, "broker.address", file);
    host()->unlink(host()->self, file); /* of an earlier run in the same folder */
    snprintf(partitions, sizeof(partitions), "%s:%d", topic, PARTITIONS);
    const char *const argv[] = {"broker", "--topic", partitions, "--port-file", file, NULL};
    rc = start(demo, BROKER, "broker", argv, err);
    while (rc == 0 && host_read_file(file, sizeof(demo->broker), &address, &bytes) != 0) {
        if (!may_wait(demo, since_ns)) {
            error_set(err, "the broker does not come up");
            return -ETIMEDOUT;
        }
        pump(demo, 20, NULL);
    }
    if (rc != 0)
        return rc;
    snprintf(demo->broker, sizeof(demo->broker), "%.*s", (int)strcspn(address, "\n"), address);
    free(address);
    return 0;
}

static int start_receiver(struct demo *demo, const char *secret, struct error *err)
{
    char pages[PATH_BYTES], seed[32], width[32];
    uint64_t since_ns = host_mono_ns();
    int rc;

    path_in(demo, "pages.jsonl", pages);
    snprintf(seed, sizeof(seed), "%" PRId64, demo->options.seed);
    snprintf(width, sizeof(width), "%d", demo->width);
    const char *const argv[] = {"receive",
                                "--port",
                                "0",
                                "--secret",
                                secret,
                                "--out",
                                pages,
                                "--show",
                                "pager",
                                "--fail",
                                demo->options.fail,
                                "--seed",
                                seed,
                                "--width",
                                width,
                                "--colour",
                                demo->is_terminal ? "always" : "never",
                                NULL};
    rc = start(demo, RECEIVER, "receiver", argv, err);
    while (rc == 0 && demo->receiver_port == 0) {
        if (!may_wait(demo, since_ns)) {
            error_set(err, "the receiver does not come up");
            return -ETIMEDOUT;
        }
        pump(demo, 20, NULL);
    }
    return rc;
}

/* The daemon's usual admin port, or another one that is free now. */
static unsigned free_port(struct demo *demo)
{
    static const uint16_t wanted[] = {ADMIN_PORT, 0};
    unsigned port = 0;

    for (size_t i = 0; i < 2 && port == 0; i++) {
        struct evhttp *http = evhttp_new(demo->base);
        struct sockaddr_in address = {0};
        socklen_t bytes = sizeof(address);
        struct evhttp_bound_socket *bound =
            http != NULL ? evhttp_bind_socket_with_handle(http, "127.0.0.1", wanted[i]) : NULL;
        if (bound != NULL && getsockname(evhttp_bound_socket_get_fd(bound),
                                         (struct sockaddr *)&address, &bytes) == 0)
            port = ntohs(address.sin_port);
        if (http != NULL)
            evhttp_free(http);
    }
    return port;
}

static int write_file(const char *path, const char *text, struct error *err)
{
    int fd = host()->open(host()->self, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int rc = fd < 0 ? fd : host_write_all(fd, text, strlen(text));

    if (fd >= 0)
        host()->close(host()->self, fd);
    if (rc != 0)
        error_set(err, "%s: %s", path, strerror(-rc));
    return rc;
}

static int write_config(struct demo *demo, const char *path, const char *secret, struct error *err)
{
    char text[3 * PATH_BYTES];

    snprintf(text, sizeof(text),
             "# Written by `tocsin demo`. Times are shorter than in an installation, so that\n"
             "# alerts expire and flapping ends while somebody looks.\n"
             "input:\n"
             "  brokers: \"%s\"\n"
             "  start: earliest\n"
             "  topics:\n"
             "    - topic: %s\n"
             "      disorder: 200ms\n"
             "engine:\n"
             "  expire: 30s\n"
             "  flap:\n"
             "    window: 20s\n"
             "rules: [demo]\n"
             "sinks:\n"
             "  - name: pager\n"
             "    type: pagerduty\n"
             "    options:\n"
             "      url: \"http://127.0.0.1:%u/v2/enqueue\"\n"
             "      routing_key: \"%.*s\"\n"
             "  - name: webhook\n"
             "    type: webhook\n"
             "    options:\n"
             "      url: \"http://127.0.0.1:%u/webhook\"\n"
             "      secret: \"%s\"\n"
             "      idempotent: \"true\"\n"
             "admin:\n"
             "  listen: \"127.0.0.1:%u\"\n"
             "quarantine:\n"
             "  path: \"%.3000s/quarantine.jsonl\"\n"
             "incident_log:\n"
             "  path: \"%.3000s/incidents.jsonl\"\n",
             demo->broker, topic, demo->receiver_port, ROUTING_KEY_CHARS, secret,
             demo->receiver_port, secret, demo->admin_port, demo->dir, demo->dir);
    return write_file(path, text, err);
}

static int start_daemon(struct demo *demo, const char *secret, struct error *err)
{
    char config[PATH_BYTES];
    uint64_t since_ns = host_mono_ns();
    int rc;

    path_in(demo, "tocsin.yaml", config);
    demo->admin_port = free_port(demo);
    rc = write_config(demo, config, secret, err);
    if (rc != 0)
        return rc;
    const char *const argv[] = {"run", "--config", config, NULL};
    rc = start(demo, DAEMON, "daemon", argv, err);
    while (rc == 0) {
        struct answer answer;
        ask(demo, "/readyz", &answer);
        free(answer.body);
        if (answer.code == 200)
            return 0;
        if (!may_wait(demo, since_ns)) {
            error_set(err, "the daemon does not get ready");
            return -ETIMEDOUT;
        }
        pump(demo, 50, NULL);
    }
    return rc;
}

static int start_generator(struct demo *demo, struct error *err)
{
    char duration[UNIT_TEXT_BYTES + 8], seed[32], rate[32], faults[32], truth[PATH_BYTES];

    path_in(demo, "truth.jsonl", truth);
    snprintf(duration, sizeof(duration), "%" PRId64 "ms",
             demo->options.is_forever ? 0 : demo->options.for_ms);
    snprintf(seed, sizeof(seed), "%" PRId64, demo->options.seed);
    snprintf(rate, sizeof(rate), "%" PRId64, demo->options.rate);
    snprintf(faults, sizeof(faults), "%" PRId64, demo->options.faults);
    const char *const argv[] = {"generate", "--brokers", demo->broker, "--topic",  topic,
                                "--pace",   "live",      "--duration", duration,   "--seed",
                                seed,       "--rate",    rate,         "--faults", faults,
                                "--truth",  truth,       "--disorder", "100ms",    NULL};
    demo->start_ns = host_mono_ns();
    demo->may_end[GENERATOR] = !demo->options.is_forever;
    return start(demo, GENERATOR, "generator", argv, err);
}

/* A secret for this run, in hexadecimal. */
static void make_secret(char to[2 * ROUTING_KEY_CHARS + 1])
{
    unsigned char bytes[ROUTING_KEY_CHARS];

    host()->random(host()->self, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

static int start_all(struct demo *demo, struct error *err)
{
    char secret[2 * ROUTING_KEY_CHARS + 1];
    char length[UNIT_TEXT_BYTES], rate[32];
    int rc;

    make_secret(secret);
    printf("%stocsin demo%s: broker, daemon, pager and estate, each a process of its own\n",
           BOLD(demo), PLAIN(demo));
    rc = start_broker(demo, err);
    if (rc == 0)
        rc = start_receiver(demo, secret, err);
    if (rc == 0)
        rc = start_daemon(demo, secret, err);
    if (rc != 0)
        return rc;
    printf("%s  broker    %s%s, topic %s, %d partitions\n", DIM(demo), PLAIN(demo), demo->broker,
           topic, PARTITIONS);
    printf("%s  daemon    %shttp://127.0.0.1:%u/metrics\n", DIM(demo), PLAIN(demo),
           demo->admin_port);
    printf("%s  pager     %shttp://127.0.0.1:%u, plays PagerDuty and a signed webhook\n", DIM(demo),
           PLAIN(demo), demo->receiver_port);
    unit_format_duration(demo->options.for_ms, length);
    printf("%s  estate    %s16 racks, 192 hosts, 24 services; %s events/s, %" PRId64
           " faults%s%s\n",
           DIM(demo), PLAIN(demo), grouped((double)demo->options.rate, rate), demo->options.faults,
           demo->options.is_forever ? " a minute, until Ctrl-C" : " in ",
           demo->options.is_forever ? "" : length);
    printf("\n%sPages as they arrive; times are UTC%s\n", DIM(demo), PLAIN(demo));
    fflush(stdout);
    return start_generator(demo, err);
}

/* --- the run --- */

static void run_traffic(struct demo *demo)
{
    while (child_is_running(&demo->children[GENERATOR]) && demo->lost == NULL &&
           !demo->is_interrupted) {
        pump(demo, 250, NULL);
        if (!demo->is_interrupted && demo->lost == NULL)
            status_update(demo);
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
        pump(demo, 20, NULL);
    child_kill(child);
}

/* After the last event: until every incident has closed and every page has left. */
static void drain(struct demo *demo)
{
    uint64_t since_ns = host_mono_ns();
    int64_t ms_max = demo->is_interrupted ? INTERRUPTED_DRAIN_MS : DRAIN_MS_MAX;
    bool was_interrupted = demo->is_interrupted;

    do {
        pump(demo, 250, NULL);
        status_update(demo);
        if (demo->sample.open == 0 && demo->sample.waiting == 0 &&
            host_mono_ns() - since_ns > 1500000000u)
            break;
    } while (demo->lost == NULL && demo->is_interrupted == was_interrupted &&
             host_mono_ns() - since_ns < (uint64_t)ms_max * 1000000);
}

/* Ends the parts in the order in which events flow, so that each gets to deliver. */
static void end_all(struct demo *demo)
{
    end_child(demo, GENERATOR);
    end_child(demo, DAEMON);
    demo->is_closing = true;
    end_child(demo, RECEIVER);
    pump(demo, 100, NULL); /* its last lines */
    end_child(demo, BROKER);
}

/* --- the report --- */

static void print_share(const struct demo *demo, const char *what, double part)
{
    char text[32];

    printf("    %-25s %12s   %5.1f %%\n", what, grouped(part, text),
           demo->sample.events > 0 ? 100 * part / demo->sample.events : 0);
}

static void print_counts(const struct demo *demo, const struct score *score)
{
    const struct sample *sample = &demo->sample;
    double lost = (double)score->events_sent - sample->events;
    char events[32], sent[32];

    printf("  events in                   %12s   of %s sent%s\n", grouped(sample->events, events),
           grouped((double)score->events_sent, sent), lost == 0 ? ", none lost" : "");
    print_share(demo, "repeats, folded", sample->duplicate);
    print_share(demo, "of no rule's interest", sample->unmatched);
    print_share(demo, "looked at by rules", sample->routed);
    if (sample->rejected > 0)
        print_share(demo, "rejected", sample->rejected);
    if (lost > 0 && !demo->is_interrupted)
        printf("  %.0f events did not reach the daemon: the broker keeps 5 MiB of each partition, "
               "and\n"
               "  the daemon did not keep up, or it was stopped before it had read them.\n",
               lost);
    printf("  incidents                   %12.0f   opened, %.0f resolved, %.0f open\n",
           sample->opened, sample->closed, sample->open);
    printf("  deliveries                  %12.0f   to two systems, %.0f repeated, %.0f given up\n",
           sample->done, sample->retries, sample->dead);
    for (size_t i = 0; i < demo->closing_count; i++)
        printf("%s    %s%s\n", DIM(demo), demo->closing[i], PLAIN(demo));
}

static int report(struct demo *demo, struct error *err)
{
    char truth[PATH_BYTES], pages[PATH_BYTES];
    struct score score;
    bool is_right;
    int rc;

    path_in(demo, "truth.jsonl", truth);
    path_in(demo, "pages.jsonl", pages);
    rc = score_load(&score, truth, pages, PAGE_BY_WEBHOOK, err);
    if (rc != 0)
        return rc;
    status_wipe(demo);
    printf("\n%sWhat came of it%s\n", BOLD(demo), PLAIN(demo));
    print_counts(demo, &score);
    printf("\n%sWhat was wrong in the estate, and who found it%s\n", BOLD(demo), PLAIN(demo));
    score_print(&score, stdout, demo->is_terminal);
    is_right = score.missed == 0 && score.wrong == 0;
    score_release(&score);
    return is_right || demo->is_interrupted ? 0 : 1;
}

static void print_where_to_look(const struct demo *demo)
{
    if (demo->options.dir != NULL || demo->options.keep)
        printf("\n%sFiles kept in%s %s: tocsin.yaml, truth.jsonl, pages.jsonl, incidents.jsonl, "
               "*.log\n",
               DIM(demo), PLAIN(demo), demo->dir);
    else
        printf("\n%sNext: --forever goes on, --keep keeps configuration, truth, pages, logs.%s\n",
               DIM(demo), PLAIN(demo));
}

static const char *const files[] = {
    "tocsin.yaml",     "truth.jsonl", "pages.jsonl",  "broker.address", "quarantine.jsonl",
    "incidents.jsonl", "broker.log",  "receiver.log", "daemon.log",     "generator.log"};

static void remove_files(const struct demo *demo)
{
    char path[PATH_BYTES];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        path_in(demo, files[i], path);
        host()->unlink(host()->self, path);
    }
    children_remove_dir(demo->dir);
}

/* Says which part ended, and its last words. */
static void print_lost(struct demo *demo)
{
    const struct child *child = demo->lost;
    char status[64];
    char *text = NULL;
    size_t bytes;

    status_wipe(demo);
    fprintf(stderr, "tocsin demo: the %s %s; the end of %s:\n", child->name,
            child_status_text(child, status), child->log);
    if (host_read_file(child->log, 64 << 20, &text, &bytes) == 0) {
        size_t at = bytes > 0 ? bytes - 1 : 0;
        for (int lines = 0; at > 0; at--)
            if (text[at - 1] == '\n' && ++lines == LOG_LINES_SHOWN)
                break;
        fprintf(stderr, "%s", text + at);
    }
    free(text);
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
    demo->may_end[GENERATOR] = true;
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
    for (int i = 0; i < CHILD_COUNT; i++) {
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
    int rc;

    if (!options_read(&table, argc, argv, &demo.options, &code))
        return code;
    rc = prepare(&demo, &err);
    if (rc != 0) {
        fprintf(stderr, "tocsin demo: %s\n", err.text);
        release(&demo);
        return rc == -ENOMEM ? EXIT_SYSTEM : EXIT_IO;
    }
    rc = start_all(&demo, &err);
    if (rc == 0) {
        run_traffic(&demo);
        end_child(&demo, GENERATOR);
        if (demo.lost == NULL && demo.children[GENERATOR].status != 0)
            demo.lost = &demo.children[GENERATOR];
        if (demo.lost == NULL)
            drain(&demo);
    }
    end_all(&demo);
    if (demo.lost != NULL) {
        print_lost(&demo);
        code = EXIT_UNAVAILABLE;
    } else if (rc != 0 && demo.is_interrupted) {
        code = EXIT_OK; /* Ctrl-C before the traffic began */
    } else if (rc != 0) {
        fprintf(stderr, "tocsin demo: %s; logs are in %s\n", err.text, demo.dir);
        code = EXIT_UNAVAILABLE;
    } else {
        rc = report(&demo, &err);
        code = rc == 0 ? EXIT_OK : rc > 0 ? EXIT_CHANGED : EXIT_IO;
        if (rc < 0)
            fprintf(stderr, "tocsin demo: %s\n", err.text);
        print_where_to_look(&demo);
    }
    if (code == EXIT_OK && demo.options.dir == NULL && !demo.options.keep)
        remove_files(&demo);
    release(&demo);
    return code;
}
