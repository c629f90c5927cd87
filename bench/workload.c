/* workload.c - see workload.h. */
#include "bench/workload.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "base/host.h"
#include "bench/daemon_run.h"
#include "bench/event_form.h"
#include "ingest/kafka_producer.h"

enum {
    RATE = 5000,          /* events a second of their own time */
    CALM = 200,           /* events of a storm before it, and behind */
    KEPT_BYTES = 4 << 20, /* of a partition, by a mock broker: 5 MiB, less some air */
    RECORD_BYTES = 120,   /* what it keeps beside an event */
    DISORDER_MS = 400,
    LATE_MS = 10000,
    ALLOWED_MS = 500, /* L */
};

struct sender {
    const struct workload *load;
    struct workload_counts *counts;
    struct kafka_producer *producer;
    struct event_form form;
    int64_t start_ms;
    long sent, room;
    int64_t newest_ms[PARTITIONS_MAX]; /* M of each partition */
    uint8_t *seen;                     /* a bit for each alert of the noise */
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

static bool is_shape(const struct workload *load, const char *shape)
{
    return strcmp(load->shape, shape) == 0;
}

/* When the noise's event `i` happens, milliseconds from the start. */
static int64_t time_of(const struct workload *load, long i)
{
    if (!is_shape(load, "storm"))
        return i * 1000 / RATE;
    long storm = load->events - 2 * CALM;
    if (i < CALM)
        return i * 10000 / CALM;
    return i < CALM + storm ? 10000 + (i - CALM) * 10000 / storm
                            : 20000 + (i - CALM - storm) * 10000 / CALM;
}

void workload_rules(const struct workload *load)
{
    static const char *const where[] = {
        "check == \"none.%d\"", "check.startsWith(\"none%d.\") && severity >= MAJOR",
        "message.contains(\"none %d \")", "labels.service == \"none-%d\" && severity >= WARNING"};
    FILE *to = daemon_write("rules.yaml");

    fputs(
        "rules:\n"
        "  - {id: fault, where: 'check.startsWith(\"fault.\")', by: [tenant, host], window: 1m,\n"
        "     when: distinct(check) >= 5, incident: {title: \"{host} fails\"}, close: quiet(1d),\n"
        "     max_keys: 10000000}\n"
        "  - {id: watch, where: 'severity >= INFO', by: [tenant, host], window: 1m,\n"
        "     when: distinct(source) >= 2, incident: {title: t}, close: quiet(1d),\n"
        "     max_keys: 10000000}\n",
        to);
    for (int i = 0; i + 2 < load->rules; i++) {
        fprintf(to, "  - {id: none-%d, where: '", i);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        fprintf(to, where[i % 4], i);
#pragma GCC diagnostic pop
        fputs("', by: [tenant, host], window: 1m, when: count() >= 3, incident: {title: t}, close: "
              "quiet(1d)}\n",
              to);
    }
    fclose(to);
}

static void give_up(const char *what)
{
    fprintf(stderr, "bench_workloads: the sender: %s\n", what);
    _exit(2);
}

/* Everything so far is with the broker, and the parent may know. */
static void flush(struct sender *sender)
{
    struct error err;

    if (kafka_producer_flush(sender->producer, 60000, &err) != 0)
        give_up(err.text);
    atomic_store(&sender->counts->sent, sender->sent);
}

/* Waits until what the broker would drop otherwise has been taken. */
static void await_room(struct sender *sender)
{
    const long kept =
        (long)KEPT_BYTES * sender->load->partitions / (sender->load->bytes + RECORD_BYTES);

    if (sender->sent < sender->room)
        return;
    while ((sender->room = atomic_load(&sender->counts->taken) + kept) <= sender->sent) {
        if (atomic_load(&sender->counts->sent) != sender->sent)
            flush(sender);
        atomic_store(&sender->counts->is_full, true);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

static void send_form(struct sender *sender, int64_t log_ms, int64_t age_ms)
{
    int partition = (int)(sender->sent % sender->load->partitions);
    int64_t *newest_ms = &sender->newest_ms[partition], time_ms = log_ms - age_ms;
    struct error err;

    await_room(sender);
    event_form_date(&sender->form, time_ms);
    if (kafka_producer_send(sender->producer, "events", partition, NULL, 0, sender->form.text,
                            sender->form.bytes, log_ms, &err) != 0)
        give_up(err.text);
    sender->sent++;
    sender->counts->late += time_ms < *newest_ms - ALLOWED_MS;
    *newest_ms = time_ms > *newest_ms ? time_ms : *newest_ms;
}

static void send_noise(struct sender *sender, long i)
{
    static const char *const severities[] = {"info", "warning", "minor", "major"};
    const struct workload *load = sender->load;
    uint64_t alert = load->alerts > 0 ? mix((uint64_t)i + 1) % (uint64_t)load->alerts : (uint64_t)i;
    char host[32], check[32];
    bool is_hot = is_shape(load, "hot");
    int64_t age_ms = is_shape(load, "disorder") ? (int64_t)(mix((uint64_t)i * 7 + 3) % DISORDER_MS)
                     : is_shape(load, "late") && i % 100 == 99 ? LATE_MS
                                                               : 0;

    snprintf(host, sizeof(host), is_hot ? "hot" : "web-%08llu", (unsigned long long)alert);
    snprintf(check, sizeof(check), is_hot ? "noise.%llu" : "noise", (unsigned long long)alert);
    event_form_make(&sender->form, host, check, severities[alert % 4], "problem", "",
                    (size_t)load->bytes);
    sender->counts->alerts += (sender->seen[alert / 8] >> alert % 8 & 1) == 0;
    sender->seen[alert / 8] |= (uint8_t)(1u << alert % 8);
    send_form(sender, sender->start_ms + time_of(load, i), age_ms);
}

static void send_fault(struct sender *sender, int64_t log_ms)
{
    char host[32], check[32];

    snprintf(host, sizeof(host), "fault-%06ld", sender->counts->faults++);
    for (int i = 0; i < FAULT_EVENTS; i++) {
        snprintf(check, sizeof(check), "fault.%d", i);
        event_form_make(&sender->form, host, check, "critical", "problem", "",
                        (size_t)sender->load->bytes);
        send_form(sender, log_ms, 0);
    }
    sender->counts->alerts += FAULT_EVENTS;
}

static void send_all(struct sender *sender, const char *brokers)
{
    const struct workload *load = sender->load;
    const struct kafka_producer_config to = {
        .brokers = brokers, .linger_ms = 5, .compression = load->codec};
    int64_t span_ms = time_of(load, load->events - 1);
    struct error err;

    sender->seen = calloc((size_t)(load->alerts > 0 ? load->alerts : load->events) / 8 + 1, 1);
    if (sender->seen == NULL || kafka_producer_create(&to, &sender->producer, &err) != 0)
        give_up(sender->seen == NULL ? "out of memory" : err.text);
    /* In the past as a whole, as a backlog is: no broker's clock says that it is of the future. */
    sender->start_ms = host_wall_ms() - span_ms - 60000;
    for (int p = 0; p < load->partitions; p++)
        sender->newest_ms[p] = INT64_MIN / 2;
    for (long i = 0; i < load->events; i++) {
        send_noise(sender, i);
        if (i % FAULT_EVERY == FAULT_EVERY / 2)
            send_fault(sender, sender->start_ms + time_of(load, i));
    }
    flush(sender);
    sender->counts->events = sender->sent;
    kafka_producer_destroy(sender->producer);
    atomic_store(&sender->counts->is_over, true);
}

struct workload_counts *workload_send(const struct workload *load, const char *brokers,
                                      int *process)
{
    struct workload_counts *counts =
        mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct sender *sender;

    if (counts == MAP_FAILED)
        give_up("out of memory");
    fflush(NULL);
    *process = fork();
    if (*process < 0)
        give_up("no process can be made");
    if (*process > 0)
        return counts;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sender = calloc(1, sizeof(*sender));
    if (sender == NULL)
        give_up("out of memory");
    sender->load = load;
    sender->counts = counts;
    send_all(sender, brokers);
    _exit(0);
}
