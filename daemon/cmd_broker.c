/*
 * cmd_broker.c - `tocsin broker`: the demo broker in a process of its own.
 *
 * In its own process, because a broker shares no core, no allocator and no fate with
 * the daemon that reads from it. What it can and cannot do: ingest/mock_broker.h.
 */
#include "daemon/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "daemon/interrupt.h"
#include "daemon/options.h"
#include "ingest/mock_broker.h"

struct broker {
    const char *port_file;
    struct option_list topics;
    int64_t for_ms;
};

static const struct option_row rows[] = {
    {"--topic", OPTION_LIST, offsetof(struct broker, topics), "NAME:PARTITIONS", NULL,
     "A topic to make at the start; may be given again.", .min = 0},
    {"--port-file", OPTION_TEXT, offsetof(struct broker, port_file), "FILE", NULL,
     "Writes the address host:port into FILE once clients can connect.", .min = 0},
    {"--for", OPTION_DURATION, offsetof(struct broker, for_ms), "DURATION", "0",
     "Ends after this time; 0: runs until SIGTERM or SIGINT.", .min = 0},
};

static const struct option_table table = {
    .command = "broker",
    .usage = "[options]",
    .about =
        "Runs a small Kafka broker for demos and tests, in memory, on a free port of 127.0.0.1, "
        "and prints its address. It keeps the newest 5 MiB of each partition and drops the "
        "rest; it cannot look up offsets by time; transactions are only pretended. Not for "
        "use with events that matter.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 64 71 74",
};

static int add_topic(struct mock_broker *broker, const char *text, struct error *err)
{
    const char *colon = strrchr(text, ':');
    char name[256];
    char *end;
    long partitions;

    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof(name)) {
        error_set(err, "--topic %s: a topic is written NAME:PARTITIONS", text);
        return -EINVAL;
    }
    memcpy(name, text, (size_t)(colon - text));
    name[colon - text] = '\0';
    partitions = strtol(colon + 1, &end, 10);
    if (*end != '\0' || end == colon + 1 || partitions < 1 || partitions > 1000) {
        error_set(err, "--topic %s: the number of partitions is 1 to 1000", text);
        return -EINVAL;
    }
    return mock_broker_add_topic(broker, name, (int)partitions, err);
}

/* Written beside and renamed: whoever waits for the file never reads half of it. */
static int write_address(const char *path, const char *address, struct error *err)
{
    const struct host *h = host();
    char beside[4096];
    int fd, rc;

    snprintf(beside, sizeof(beside), "%s.new", path);
    fd = h->open(h->self, beside, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    rc = fd < 0 ? fd : host_write_all(fd, address, strlen(address));
    if (rc == 0)
        rc = host_write_all(fd, "\n", 1);
    if (fd >= 0)
        h->close(h->self, fd);
    if (rc == 0)
        rc = h->rename(h->self, beside, path);
    if (rc != 0)
        error_set(err, "%s: %s", path, strerror(-rc));
    return rc;
}

int cmd_broker(int argc, char **argv)
{
    struct broker broker = {0};
    struct mock_broker *mock = NULL;
    struct error err = {""};
    int waker = -1, code = EXIT_OK;

    if (!options_read(&table, argc, argv, &broker, &code))
        return code;
    waker = interrupt_begin();
    mock = waker >= 0 ? mock_broker_create(&err) : NULL;
    if (mock == NULL) {
        if (waker < 0)
            error_set(&err, "no descriptor to wait on: %s", strerror(-waker));
        code = EXIT_SYSTEM;
        goto out;
    }
    for (size_t i = 0; i < broker.topics.count; i++)
        if (add_topic(mock, broker.topics.item[i], &err) != 0) {
            code = EXIT_USAGE;
            goto out;
        }
    printf("%s\n", mock_broker_address(mock));
    fflush(stdout);
    if (broker.port_file != NULL &&
        write_address(broker.port_file, mock_broker_address(mock), &err) != 0) {
        code = EXIT_IO;
        goto out;
    }
    uint64_t begin_ns = host_mono_ns();
    uint64_t for_ns = broker.for_ms == 0 ? UINT64_MAX : (uint64_t)broker.for_ms * 1000000u;
    for (uint64_t past_ns = 0; !interrupt_seen() && past_ns < for_ns;
         past_ns = host_mono_ns() - begin_ns) {
        uint64_t left_ns = for_ns - past_ns;
        host()->waker_sleep(host()->self, waker,
                            left_ns < 3600000000000u ? left_ns : 3600000000000u);
    }
out:
    if (code != EXIT_OK)
        fprintf(stderr, "tocsin broker: %s\n", err.text);
    mock_broker_destroy(mock);
    interrupt_end();
    return code;
}
