/*
 * demo_start.c - starts broker, receiver, daemon and generator, each when the one before
 * is up, and writes the configuration that the daemon reads.
 */
#include "daemon/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/http.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "base/plural.h"
#include "daemon/units.h"

enum {
    START_MS_MAX = 15000, /* for each part */
    ADMIN_PORT = 9099,    /* the daemon's usual one, if it is free */
    ROUTING_KEY_CHARS = 32,
};

static const char topic[] = "events";

void demo_path_in(const struct demo *demo, const char *name, char to[DEMO_PATH_BYTES])
{
    snprintf(to, DEMO_PATH_BYTES, "%.4000s/%s", demo->dir, name);
}

static int start(struct demo *demo, int which, const char *name, const char *const *argv,
                 struct error *err)
{
    struct child *child = &demo->children[which];

    child->name = name;
    child->self = demo;
    child->on_line = which == DEMO_RECEIVER ? demo_receiver_line : NULL;
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
    char file[DEMO_PATH_BYTES], partitions[64];
    uint64_t since_ns = host_mono_ns();
    char *address = NULL;
    size_t bytes;
    int rc;

    demo_path_in(demo, "broker.address", file);
    host()->unlink(host()->self, file); /* of an earlier run in the same folder */
    snprintf(partitions, sizeof(partitions), "%s:%d", topic, DEMO_PARTITIONS);
    const char *const argv[] = {"broker", "--topic", partitions, "--port-file", file, NULL};
    rc = start(demo, DEMO_BROKER, "broker", argv, err);
    while (rc == 0 && host_read_file(file, sizeof(demo->broker), &address, &bytes) != 0) {
        if (!may_wait(demo, since_ns)) {
            error_set(err, "the broker does not come up");
            return -ETIMEDOUT;
        }
        demo_pump(demo, 20, NULL);
    }
    if (rc != 0)
        return rc;
    snprintf(demo->broker, sizeof(demo->broker), "%.*s", (int)strcspn(address, "\n"), address);
    free(address);
    return 0;
}

static int start_receiver(struct demo *demo, const char *secret, struct error *err)
{
    char pages[DEMO_PATH_BYTES], seed[32], width[32];
    uint64_t since_ns = host_mono_ns();
    int rc;

    demo_path_in(demo, "pages.jsonl", pages);
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
    rc = start(demo, DEMO_RECEIVER, "receiver", argv, err);
    while (rc == 0 && demo->receiver_port == 0) {
        if (!may_wait(demo, since_ns)) {
            error_set(err, "the receiver does not come up");
            return -ETIMEDOUT;
        }
        demo_pump(demo, 20, NULL);
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
    char text[3 * DEMO_PATH_BYTES];

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
             "  path: quarantine.jsonl\n"
             "incident_log:\n"
             "  path: incidents.jsonl\n",
             demo->broker, topic, demo->receiver_port, ROUTING_KEY_CHARS, secret,
             demo->receiver_port, secret, demo->admin_port);
    return write_file(path, text, err);
}

static int start_daemon(struct demo *demo, const char *secret, struct error *err)
{
    char config[DEMO_PATH_BYTES];
    uint64_t since_ns = host_mono_ns();
    int rc;

    demo_path_in(demo, "tocsin.yaml", config);
    demo->admin_port = free_port(demo);
    rc = write_config(demo, config, secret, err);
    if (rc != 0)
        return rc;
    const char *const argv[] = {"run", "--config", config, NULL};
    rc = start(demo, DEMO_DAEMON, "daemon", argv, err);
    while (rc == 0) {
        struct demo_answer answer;
        demo_ask(demo, "/readyz", &answer);
        free(answer.body);
        if (answer.code == 200)
            return 0;
        if (!may_wait(demo, since_ns)) {
            error_set(err, "the daemon does not get ready");
            return -ETIMEDOUT;
        }
        demo_pump(demo, 50, NULL);
    }
    return rc;
}

static int start_generator(struct demo *demo, struct error *err)
{
    char duration[UNIT_TEXT_BYTES + 8], seed[32], rate[32], faults[32], truth[DEMO_PATH_BYTES];

    demo_path_in(demo, "truth.jsonl", truth);
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
    demo->may_end[DEMO_GENERATOR] = !demo->options.is_forever;
    return start(demo, DEMO_GENERATOR, "generator", argv, err);
}

/* A secret for this run, in hexadecimal. */
static void make_secret(char to[2 * ROUTING_KEY_CHARS + 1])
{
    unsigned char bytes[ROUTING_KEY_CHARS];

    host()->random(host()->self, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

int demo_start_all(struct demo *demo, struct error *err)
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
           topic, DEMO_PARTITIONS);
    printf("%s  daemon    %shttp://127.0.0.1:%u/metrics\n", DIM(demo), PLAIN(demo),
           demo->admin_port);
    printf("%s  pager     %shttp://127.0.0.1:%u, plays PagerDuty and a signed webhook\n", DIM(demo),
           PLAIN(demo), demo->receiver_port);
    unit_format_duration(demo->options.for_ms, length);
    printf("%s  estate    %s16 racks, 192 hosts, 24 services; %s events/s, %" PRId64
           " fault%s%s%s\n",
           DIM(demo), PLAIN(demo), demo_grouped((double)demo->options.rate, rate),
           demo->options.faults, plural((uint64_t)demo->options.faults),
           demo->options.is_forever ? " a minute, until Ctrl-C" : " in ",
           demo->options.is_forever ? "" : length);
    printf("\n%sPages as they arrive; times are UTC%s\n", DIM(demo), PLAIN(demo));
    fflush(stdout);
    return start_generator(demo, err);
}
