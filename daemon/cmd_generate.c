/*
 * cmd_generate.c - `tocsin generate`: a synthetic estate as a stream of events.
 *
 * One loop: the next event, wait for its time if the stream is live, write it
 * straight into the output's buffer. Counts are taken on the way and printed at
 * the end, so that whoever reads the stream can be held to them.
 */
#include "daemon/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "base/plural.h"
#include "daemon/estate.h"
#include "daemon/estate_output.h"
#include "daemon/interrupt.h"
#include "daemon/options.h"
#include "daemon/units.h"

enum { PACE_AUTO, PACE_LIVE, PACE_FAST };
enum {
    FINISH_MS_MAX = 30000,     /* for Kafka to acknowledge what was sent */
    INTERRUPTED_MS_MAX = 3000, /* the same, when it may be Kafka that has gone */
};

struct generate {
    const char *output;
    const char *brokers;
    const char *topic;
    const char *compression;
    const char *recording;
    int64_t partitions;
    const char *truth;
    int64_t pace;
    int64_t start_ms;
    int64_t duration_ms;
    int64_t seed, rate, tenants, sites, racks, hosts, services, faults, storm_events;
    int64_t repeat_ms, disorder_ms;
    bool quiet;
};

#define FIELD(name) offsetof(struct generate, name)

static const struct option_row rows[] = {
    {"--output", OPTION_TEXT, FIELD(output), "FILE", "-",
     "Where events go, one JSON object a line; - is standard output.", .min = 0},
    {"--brokers", OPTION_BROKERS, FIELD(brokers), "HOST:PORT", NULL,
     "Sends the events to Kafka instead, each alert's to one partition.", .min = 0},
    {"--recording", OPTION_TEXT, FIELD(recording), "FILE", NULL,
     "Writes a recording for `tocsin replay` instead.", .min = 0},
    {"--partitions", OPTION_COUNT, FIELD(partitions), "N", "8", "Partitions of the recording.",
     .min = 1, .max = 1000},
    {"--topic", OPTION_TEXT, FIELD(topic), "NAME", "events",
     "The topic they go to, or that the recording is of.", .min = 0},
    {"--compression", OPTION_TEXT, FIELD(compression), "NAME", "none",
     "none, lz4, zstd, gzip or snappy; on the way to Kafka.", .min = 0},
    {"--truth", OPTION_TEXT, FIELD(truth), "FILE", NULL,
     "Writes what truly happens: one JSON line per fault, ahead of its events.", .min = 0},
    {"--pace", OPTION_CHOICE, FIELD(pace), "PACE", "auto",
     "live: each event at its time; fast: as fast as it goes; auto: live to Kafka, else fast.",
     .choices = "auto live fast"},
    {"--start", OPTION_TIME, FIELD(start_ms), "TIME", NULL,
     "Time of the first event. Default: now for a live stream, else 2026-02-01T00:00:00Z, so that "
     "a file is the same byte for byte each time.",
     .min = 0},
    {"--duration", OPTION_DURATION, FIELD(duration_ms), "D", "60s",
     "How long the stream lasts by its own time; 0s: until it is interrupted.", .min = 0},
    {"--rate", OPTION_COUNT, FIELD(rate), "N", "2000",
     "Events of everyday noise per second; faults and storms come on top.", .min = 1,
     .max = 100000000},
    {"--seed", OPTION_COUNT, FIELD(seed), "N", "1",
     "Everything follows from it: the same seed and options give the same stream.", .min = 0},
    {"--tenants", OPTION_COUNT, FIELD(tenants), "N", "1", "Tenants.", .min = 1, .max = 1000},
    {"--sites", OPTION_COUNT, FIELD(sites), "N", "2", "Sites.", .min = 1, .max = 10000},
    {"--racks", OPTION_COUNT, FIELD(racks), "N", "16", "Racks in all.", .min = 1, .max = 100000},
    {"--hosts", OPTION_COUNT, FIELD(hosts), "N", "192", "Hosts in all.", .min = 1, .max = 10000000},
    {"--services", OPTION_COUNT, FIELD(services), "N", "24", "Services.", .min = 1, .max = 100000},
    {"--faults", OPTION_COUNT, FIELD(faults), "N", "7",
     "Faults in the whole stream, or per minute of an endless one.", .min = 0, .max = 1000000},
    {"--storm-events", OPTION_COUNT, FIELD(storm_events), "N", "6000",
     "Events that one storm sends within seconds.", .min = 1, .max = 10000000},
    {"--duplicates", OPTION_DURATION, FIELD(repeat_ms), "D", "2s",
     "An open alert is sent again after this time; 0s: never.", .min = 0, .max = 3600000},
    {"--disorder", OPTION_DURATION, FIELD(disorder_ms), "D", "0s",
     "An event reaches the output up to this much later than its time says.", .min = 0,
     .max = 60000},
    {"--quiet", OPTION_FLAG, FIELD(quiet), NULL, NULL, "No counts at the end.", .min = 0},
};

static const struct option_table table = {
    .command = "generate",
    .usage = "[options]",
    .about =
        "Writes the monitoring events of a synthetic estate: noise, duplicates, flapping checks,\n"
        "storms, and faults that cascade, of which the truth is known exactly.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 64 69 71 74",
};

/* What was sent, and the clock it was sent by. */
struct run {
    struct estate *estate;
    struct estate_output *out;
    const char *truth_name;
    int truth_fd; /* -1: none is written */
    bool is_live;
    int waker;
    uint64_t start_ns;
    int64_t start_ms; /* of the stream */
    int64_t now_ms;   /* stream time that has come, as last looked at */
    int64_t last_ms;
    uint64_t events;
    uint64_t by_cause[ESTATE_CAUSE_COUNT];
    uint32_t by_fault[ESTATE_FAULT_KIND_COUNT];
    uint32_t faults;
};

/* Waits until the stream's time is `at_ms`. Before it sleeps it hands over what
 * is written: a live reader must not wait for a buffer to fill up. */
static int wait_for(struct run *run, int64_t at_ms, struct error *err)
{
    while (!interrupt_seen()) {
        run->now_ms = run->start_ms + (int64_t)((host_mono_ns() - run->start_ns) / 1000000);
        if (run->now_ms >= at_ms)
            return 0;
        int rc = estate_output_flush(run->out, err);
        if (rc != 0)
            return rc;
        host()->waker_sleep(host()->self, run->waker, (uint64_t)(at_ms - run->now_ms) * 1000000);
    }
    return 0;
}

static int write_truth_line(struct run *run, const char *line, size_t bytes, struct error *err)
{
    int rc = run->truth_fd >= 0 ? host_write_all(run->truth_fd, line, bytes) : 0;

    if (rc != 0)
        error_set(err, "%s: %s", run->truth_name, strerror(-rc));
    return rc;
}

/* Faults are told before their first event is sent. */
static int write_truth(struct run *run, struct error *err)
{
    const struct estate_fault *fault;
    int rc = 0;

    while (rc == 0 && (fault = estate_fault_next(run->estate)) != NULL) {
        size_t bytes = estate_fault_write(fault, NULL, 0);
        char *line = malloc(bytes + 2);
        if (line == NULL) {
            error_set(err, "out of memory for a line of truth");
            return -ENOMEM;
        }
        estate_fault_write(fault, line, bytes + 1);
        line[bytes] = '\n';
        rc = write_truth_line(run, line, bytes + 1, err);
        free(line);
        run->faults++;
        run->by_fault[fault->kind]++;
    }
    return rc;
}

/* The truth's last line: where the stream really ended. */
static int write_truth_end(struct run *run, struct error *err)
{
    char line[128];
    int bytes =
        snprintf(line, sizeof(line), "{\"stream_end\":%" PRId64 ",\"events\":%" PRIu64 "}\n",
                 run->last_ms, run->events);

    return write_truth_line(run, line, (size_t)bytes, err);
}

static int generate_event(struct run *run, const struct estate_event *event, struct error *err)
{
    char *to = estate_output_room(run->out, err);

    if (to == NULL)
        return -EIO;
    run->events++;
    run->by_cause[event->cause]++;
    if (event->time_ms > run->last_ms)
        run->last_ms = event->time_ms;
    return estate_output_commit(run->out, estate_event_key(run->estate, event), event->emit_ms,
                                estate_event_write(run->estate, event, to), err);
}

static int generate_all(struct run *run, struct error *err)
{
    struct estate_event event;
    int rc = write_truth(run, err);

    run->start_ns = host_mono_ns();
    while (rc == 0 && !interrupt_seen() && estate_next(run->estate, &event)) {
        rc = write_truth(run, err);
        if (rc == 0 && run->is_live && event.emit_ms > run->now_ms)
            rc = wait_for(run, event.emit_ms, err);
        if (rc == 0 && !interrupt_seen())
            rc = generate_event(run, &event, err);
    }
    if (rc == 0)
        rc = estate_output_finish(run->out, interrupt_seen() ? INTERRUPTED_MS_MAX : FINISH_MS_MAX,
                                  err);
    return rc == 0 ? write_truth_end(run, err) : rc;
}

static void print_counts(const struct run *run)
{
    double seconds = (double)(host_mono_ns() - run->start_ns) / 1e9;

    fprintf(stderr, "generated %" PRIu64 " event%s, %.1f MB, in %.2f s: %.0f events/s\n",
            run->events, plural(run->events), (double)estate_output_bytes(run->out) / 1e6, seconds,
            (double)run->events / (seconds > 0 ? seconds : 1));
    for (int i = 0; i < ESTATE_CAUSE_COUNT; i++)
        fprintf(stderr, "  %12" PRIu64 "  %s\n", run->by_cause[i],
                estate_cause_name((enum estate_cause)i));
    fprintf(stderr, "faults planned: %" PRIu32 "\n", run->faults);
    for (int i = 0; i < ESTATE_FAULT_KIND_COUNT; i++)
        if (run->by_fault[i] > 0)
            fprintf(stderr, "  %12" PRIu32 "  %s\n", run->by_fault[i],
                    estate_fault_kind_name((enum estate_fault_kind)i));
    if (estate_faults_skipped(run->estate) > 0)
        fprintf(stderr, "  %12" PRIu32 "  left out: no rack, service or time was free for them\n",
                estate_faults_skipped(run->estate));
}

static struct estate_config estate_config_of(const struct generate *options, bool is_live)
{
    struct estate_config config;

    estate_config_init(&config);
    config.seed = (uint64_t)options->seed;
    config.duration_ms = options->duration_ms;
    config.rate = (uint32_t)options->rate;
    config.tenants = (uint32_t)options->tenants;
    config.sites = (uint32_t)options->sites;
    config.racks = (uint32_t)options->racks;
    config.hosts = (uint32_t)options->hosts;
    config.services = (uint32_t)options->services;
    config.faults = (uint32_t)options->faults;
    config.storm_events = (uint32_t)options->storm_events;
    config.repeat_ms = (uint32_t)options->repeat_ms;
    config.disorder_ms = (uint32_t)options->disorder_ms;
    if (options->start_ms != INT64_MIN)
        config.start_ms = options->start_ms;
    else if (is_live)
        config.start_ms = host_wall_ms();
    else if (options->brokers != NULL)
        config.start_ms = host_wall_ms() - options->duration_ms;
    return config;
}

int cmd_generate(int argc, char **argv)
{
    struct generate options = {.start_ms = INT64_MIN};
    struct run run = {.truth_fd = -1, .waker = -1, .now_ms = INT64_MIN};
    struct estate_config config;
    struct error err = {""};
    int code = EXIT_OK;
    int rc;

    if (!options_read(&table, argc, argv, &options, &code))
        return code;
    const struct estate_output_config output = {
        .brokers = options.brokers,
        .recording = options.recording,
        .file = options.output,
        .topic = options.topic,
        .compression = options.compression,
        .partitions = (uint32_t)options.partitions,
    };
    signal(SIGPIPE, SIG_IGN); /* a reader that left shows as an error of the write */
    run.is_live =
        options.pace == PACE_LIVE || (options.pace == PACE_AUTO && options.brokers != NULL);
    config = estate_config_of(&options, run.is_live);
    run.start_ms = config.start_ms;
    rc = estate_create(&config, &run.estate, &err);
    if (rc != 0) {
        code = rc == -EINVAL ? EXIT_USAGE : EXIT_SYSTEM;
        goto out;
    }
    code = EXIT_IO;
    run.waker = interrupt_begin();
    rc = estate_output_open(&output, &run.out, &err);
    if (rc != 0) {
        /* Of Kafka the first thing that is asked is the topic. */
        code = rc == -ENOMEM ? EXIT_SYSTEM : options.brokers != NULL ? EXIT_UNAVAILABLE : EXIT_IO;
        goto out;
    }
    if (options.truth != NULL) {
        run.truth_name = options.truth;
        run.truth_fd =
            host()->open(host()->self, options.truth, O_WRONLY | O_CREAT | O_TRUNC, 0666);
        if (run.truth_fd < 0) {
            error_set(&err, "%s: %s", options.truth, strerror(-run.truth_fd));
            goto out;
        }
    }
    rc = generate_all(&run, &err);
    if (rc != 0) {
        code = rc == -ETIMEDOUT ? EXIT_UNAVAILABLE : EXIT_IO;
        goto out;
    }
    code = EXIT_OK;
    if (!options.quiet)
        print_counts(&run);
out:
    if (code != EXIT_OK)
        fprintf(stderr, "tocsin generate: %s\n", err.text);
    if (run.truth_fd >= 0)
        host()->close(host()->self, run.truth_fd);
    interrupt_end();
    estate_output_close(run.out);
    estate_destroy(run.estate);
    return code;
}
