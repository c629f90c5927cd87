/*
 * bench_latency.c - from an event to the POST that tells of it (G10): how long a page takes, for a
 * lone event in silence and at loads up to four fifths of what the machine carries.
 *
 * Unit:      one event of about 300 bytes of JSON that opens an incident of its own: a probe. It
 *            comes by a topic of PARTITIONS partitions of a mock broker in a process of its own;
 *            the daemon, in another, runs the demo's rules and one for the probes, keeps
 *            everything in a data directory and syncs it, and tells a webhook on loopback.
 * Clock:     from the moment at which a probe was meant to be sent, whether or not the sender got
 *            there in time, until all of the POST's body had come. The senders go by a schedule
 *            that waits for nothing (an open loop), so what stalls makes every event of that time
 *            late, and not one of them. A probe's own time is that moment, too.
 * Loads:     lone      probes alone, each when the one before has been told, by the schedule
 *            capacity  events are sent as fast as it goes; their number by the time until all of
 *                      them are in closed epochs, less L: what sender, broker and daemon carry on
 *                      this machine together
 *            N %       repeats of standing alerts at this share of the capacity, and 200 probes a
 *                      second between them
 * Yardstick: the floor: what passes on each POST at once (bench/http_floor.h), with the same
 *            schedule and receiver. And how late the sender itself was.
 * Check:     the daemon has accounted every event, rejected none and lost none; it opened as many
 *            incidents as there were probes; each was posted once, and not before L was over; the
 *            daemon's sums hold (exit code 0).
 *
 * L, the allowed disorder, is 200 ms here, and times are told beyond it. The producer lets a lone
 * event wait for others for 1 ms, and 5 ms under load, which is in the times.
 *
 *   bench_latency [LONE] [SECONDS] [EVENTS] [HOST:PORT]     [100] [8] [600000]
 *
 * SECONDS of each load, EVENTS for the capacity. With HOST:PORT of a Kafka, its topic `events`,
 * which must be there and without records, instead of the mock.
 *
 * Goal: p99 of at most 100 ms beyond L, 30 ms aimed at.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/host.h"
#include "bench/daemon_run.h"
#include "bench/event_form.h"
#include "bench/figures.h"
#include "bench/http_floor.h"
#include "bench/receiver.h"
#include "bench/result.h"
#include "ingest/kafka_producer.h"

enum {
    FLOOR_POSTS = 200,
    PARTITIONS = 64,
    L_MS = 200,
    PROBES_MAX = 200000,
    PROBES_A_SECOND = 200,
    FORMS = 4096, /* standing alerts */
    EVENT_BYTES = 300,
    LATEST_S = 60, /* a page that has not come by then does not come */
    LOOK_MS = 5,
};

static const int shares[] = {20, 50, 80};

static const char rules_text[] = "rules:\n"
                                 "  - id: probe\n"
                                 "    where: check == \"probe\"\n"
                                 "    by: [tenant, host]\n"
                                 "    window: 1m\n"
                                 "    when: count() >= 1\n"
                                 "    incident: {title: \"probe of {host}\", priority: P1}\n"
                                 "    close: quiet(1d)\n";

/* One probe; `arrived_ns` and `posts` are the receiver's until posts_in has counted them. */
struct probe {
    uint64_t due_ns, sent_ns, arrived_ns;
    unsigned posts;
};

static struct probe probes[PROBES_MAX];
static atomic_long posts_in, posts_strange;
static struct event_form forms[FORMS];
static struct kafka_producer *producer;
static long sent, probe_count; /* events in all, probes among them */
static int64_t wall_ms;        /* at the monotonic zero */

static void give_up(const char *what)
{
    fprintf(stderr, "bench_latency: %s\n", what);
    exit(2);
}

static void on_post(const char *body, size_t bytes, uint64_t arrived_ns)
{
    const char *at = strstr(body, "probe-");
    long number = at != NULL ? strtol(at + 6, NULL, 10) : -1;

    (void)bytes;
    /* What the floor passes on is the event itself. */
    if (number < 0 || number >= PROBES_MAX ||
        (strstr(body, "\"op\"") != NULL && strstr(body, "\"open\"") == NULL)) {
        atomic_fetch_add(&posts_strange, 1);
        return;
    }
    if (probes[number].posts++ == 0)
        probes[number].arrived_ns = arrived_ns;
    atomic_fetch_add(&posts_in, 1); /* shows what is above, too */
}

static void sleep_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000u),
                          .tv_nsec = (long)(at_ns % 1000000000u)};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* 0 to 1, the same in every run. */
static double spread(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

static void send_form(struct event_form *form, uint64_t due_ns)
{
    int64_t time_ms = wall_ms + (int64_t)(due_ns / 1000000u);
    struct error err;

    event_form_date(form, time_ms);
    if (kafka_producer_send(producer, "events", (int32_t)(sent % PARTITIONS), NULL, 0, form->text,
                            form->bytes, time_ms, &err) != 0)
        give_up(err.text);
    sent++;
}

static void probe_form(struct event_form *form, long number)
{
    char host[32];

    snprintf(host, sizeof(host), "probe-%06ld", number);
    event_form_make(form, host, "probe", "critical", "problem", "", EVENT_BYTES);
}

static void send_probe(uint64_t due_ns)
{
    static struct event_form form;

    probe_form(&form, probe_count);
    probes[probe_count].due_ns = due_ns;
    send_form(&form, due_ns);
    probes[probe_count++].sent_ns = host_mono_ns();
}

/* The same to the floor. */
static void post_probe(int port, uint64_t due_ns)
{
    static struct event_form form;

    probe_form(&form, probe_count);
    probes[probe_count].due_ns = due_ns;
    http_floor_post(port, form.text, form.bytes);
    probes[probe_count++].sent_ns = host_mono_ns();
}

static void await_posts(void)
{
    uint64_t until_ns = host_mono_ns() + (uint64_t)LATEST_S * 1000000000u;

    while (atomic_load(&posts_in) < probe_count && host_mono_ns() < until_ns)
        sleep_until(host_mono_ns() + 1000000u);
}

static void await_closed(void)
{
    uint64_t until_ns = host_mono_ns() + (uint64_t)LATEST_S * 1000000000u;

    while (daemon_closed() < (double)sent) {
        if (host_mono_ns() > until_ns)
            give_up("the daemon does not account what was sent: see run.log");
        sleep_until(host_mono_ns() + LOOK_MS * 1000000u);
    }
}

/* `per_second` events and `probes_per_second` probes for a while, each at its time. */
static void send_load(double per_second, double probes_per_second, double seconds)
{
    const uint64_t start_ns = host_mono_ns() + 2000000u;
    const long events = (long)(per_second * seconds);
    const long count = (long)(probes_per_second * seconds);
    long event = 0, probe = 0;
    uint64_t event_ns = start_ns, probe_ns = start_ns, now_ns;

    while (event < events || probe < count) {
        now_ns = host_mono_ns();
        while ((event < events && event_ns <= now_ns) || (probe < count && probe_ns <= now_ns)) {
            if (probe >= count || (event < events && event_ns <= probe_ns)) {
                send_form(&forms[(uint64_t)event * 2654435761u % FORMS], event_ns);
                event++;
                event_ns = start_ns + (uint64_t)((double)event / per_second * 1e9);
            } else {
                send_probe(probe_ns);
                probe++;
                /* Anywhere in its turn: nothing that goes by a beat is met at one place of it. */
                probe_ns =
                    start_ns + (uint64_t)(((double)probe + spread()) / probes_per_second * 1e9);
            }
        }
        uint64_t next_ns = event < events && event_ns < probe_ns ? now_ns + 500000u : probe_ns;
        if (probe >= count)
            next_ns = now_ns + 500000u;
        sleep_until(next_ns < now_ns + 500000u || event >= events ? next_ns : now_ns + 500000u);
    }
}

static void send_lone(long count)
{
    const uint64_t gap_ns = (uint64_t)(L_MS + 120) * 1000000u;
    const uint64_t start_ns = host_mono_ns() + 2000000u;

    for (long i = 0; i < count; i++) {
        uint64_t due_ns =
            start_ns + (uint64_t)i * (gap_ns + 40000000u) + (uint64_t)(spread() * 40000000.0);
        sleep_until(due_ns);
        send_probe(due_ns);
    }
}

/* What sender, broker and daemon carry together, events a second. */
static double find_capacity(long events)
{
    uint64_t start_ns = host_mono_ns();

    for (long i = 0; i < events; i++)
        send_form(&forms[(uint64_t)i * 2654435761u % FORMS], host_mono_ns());
    await_closed();
    return (double)events / ((double)(host_mono_ns() - start_ns) * 1e-9 - L_MS * 1e-3);
}

/* Says how late the probes from `first` on were told; how many were told other than once, or
 * before their time. */
static long tell(const char *id, const char *what, long first, double less_ms)
{
    static const struct {
        const char *id, *what;
        double share;
    } of[] = {
        {"p50", "p50", 0.5}, {"p99", "p99", 0.99}, {"p999", "p99.9", 0.999}, {"max", "most", 1}};
    static double late_ms[PROBES_MAX], sender_ms[PROBES_MAX];
    char name[48], text[96];
    long wrong = 0;
    int count = 0;

    for (long i = first; i < probe_count; i++) {
        wrong += probes[i].posts != 1;
        /* Milliseconds are what its time is told in. */
        wrong += probes[i].posts > 0 &&
                 (double)(int64_t)(probes[i].arrived_ns - probes[i].due_ns) * 1e-6 < less_ms - 1;
        if (probes[i].posts == 0)
            continue;
        late_ms[count] =
            (double)(int64_t)(probes[i].arrived_ns - probes[i].due_ns) * 1e-6 - less_ms;
        sender_ms[count++] = (double)(probes[i].sent_ns - probes[i].due_ns) * 1e-6;
    }
    if (count == 0)
        return wrong;
    result_curve(id, what, less_ms > 0 ? "ms beyond L" : "ms", late_ms, count);
    qsort(sender_ms, (size_t)count, sizeof(sender_ms[0]), bench_double_order);
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        snprintf(name, sizeof(name), "%s.%s", id, of[i].id);
        snprintf(text, sizeof(text), "%s: %s", what, of[i].what);
        if (of[i].share == 0.999 && count < 1000)
            result_absent(name, text, "fewer than 1,000 samples");
        else
            result_one(name, text, less_ms > 0 ? "ms beyond L" : "ms",
                       result_quantile(late_ms, count, of[i].share));
    }
    snprintf(name, sizeof(name), "%s.sender", id);
    snprintf(text, sizeof(text), "%s: how late the sender was, p99, in it", what);
    result_one(name, text, "ms", result_quantile(sender_ms, count, 0.99));
    return wrong;
}

static void send_floor(int port, long count)
{
    uint64_t start_ns = host_mono_ns() + 2000000u;

    for (long i = 0; i < count; i++) {
        uint64_t due_ns = start_ns + (uint64_t)(((double)i + spread()) / PROBES_A_SECOND * 1e9);
        sleep_until(due_ns);
        post_probe(port, due_ns);
    }
}

static void make_forms(void)
{
    static const char *const severities[] = {"info", "warning", "minor", "major"};
    static const char *const checks[] = {"net.retransmits", "fs.inodes",    "ntp.skew",
                                         "log.errors",      "tls.expiring", "queue.depth"};
    char host[48], words[48];

    for (int i = 0; i < FORMS; i++) {
        snprintf(host, sizeof(host), "web-%04d.dc1.example.net", i / 2);
        snprintf(words, sizeof(words), ",\"service\":\"svc-%d\"", i % 300);
        event_form_make(&forms[i], host, checks[i % 6], severities[i % 4], "problem", words,
                        EVENT_BYTES);
    }
}

static void write_config(int port)
{
    FILE *to = daemon_write("rules.yaml");
    char more[512];

    fputs(rules_text, to);
    fclose(to);
    snprintf(more, sizeof(more),
             "input.topics: [{topic: events, disorder: %dms}]\nrules: [demo, rules.yaml]\n"
             "data: {dir: data}\n"
             "sinks: [{name: hook, type: webhook, options: {url: \"http://127.0.0.1:%d/\", "
             "idempotent: \"true\", rate_per_minute: \"0\"}}]\n",
             L_MS, port);
    daemon_config("latency", more);
}

/* Everything that must have come to pass: what did not, or NULL. */
static const char *fault_of(long incidents)
{
    static char text[256];
    double events = daemon_metric("tocsin_events_total");
    double rejected = daemon_metric("tocsin_events_rejected_total");
    double lost = daemon_metric("tocsin_kafka_lost_total");
    double opened = daemon_metric("tocsin_incidents_opened_total");

    if (events == (double)sent && rejected <= 0 && lost == 0 && opened == (double)incidents &&
        posts_strange == 0)
        return NULL;
    snprintf(
        text, sizeof(text),
        "%ld events were sent, %.0f are accounted, %.0f rejected, %.0f lost; %.0f incidents of "
        "%ld; %ld other posts",
        sent, events, rejected, lost, opened, incidents, (long)posts_strange);
    return text;
}

int main(int argc, char **argv)
{
    static const char *const run[] = {"run", "--config", "tocsin.yaml", NULL};
    long lone = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 8;
    long events = argc > 3 ? strtol(argv[3], NULL, 10) : 600000;
    const long most = FLOOR_POSTS + lone + (long)(3 * PROBES_A_SECOND * seconds);
    struct kafka_producer_config to = {.linger_ms = 1};
    struct error err;
    char name[32], what[64];
    long wrong, first;

    if (lone < 1 || seconds <= 0 || events < 1 || most > PROBES_MAX)
        return 64;
    daemon_folder();
    int port = receiver_listen();
    to.brokers = argc > 4 ? argv[4] : daemon_broker(PARTITIONS);
    if (argc > 4)
        daemon_use_broker(to.brokers);
    write_config(port);
    int floor_port = http_floor_begin(port);
    pid_t daemon = daemon_begin("run.log", run);
    receiver_start(on_post);
    result_begin("latency",
                 "events of %d bytes, %d partitions of %s, L = %d ms, everything journaled and "
                 "synced; %ld probes in silence, %.0f s of each load with %d probes a second",
                 EVENT_BYTES, PARTITIONS, argc > 4 ? "Kafka" : "a mock broker", L_MS, lone, seconds,
                 PROBES_A_SECOND);
    make_forms();
    if (kafka_producer_create(&to, &producer, &err) != 0)
        give_up(err.text);
    wall_ms = host_wall_ms() - (int64_t)(host_mono_ns() / 1000000u);
    daemon_await_ready(daemon, 20);

    send_floor(floor_port, FLOOR_POSTS);
    await_posts();
    wrong = tell("floor", "floor, HTTP in to HTTP out", 0, 0);

    for (int i = 0; i < FORMS; i++) /* they stand */
        send_form(&forms[i], host_mono_ns());
    await_closed();
    first = probe_count;
    send_lone(lone);
    await_posts();
    wrong += tell("lone", "lone event", first, L_MS);

    /* As producers of many events do: with 1 ms a broker has a batch for every third event. */
    kafka_producer_destroy(producer);
    to.linger_ms = 5;
    if (kafka_producer_create(&to, &producer, &err) != 0)
        give_up(err.text);
    double capacity = find_capacity(events);
    result_one("capacity", "sender, broker and daemon carry", "k events/s", capacity / 1e3);
    for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
        first = probe_count;
        send_load(capacity * shares[i] / 100, PROBES_A_SECOND, seconds);
        await_posts();
        snprintf(name, sizeof(name), "load-%d", shares[i]);
        snprintf(what, sizeof(what), "at %d %% of it", shares[i]);
        wrong += tell(name, what, first, L_MS);
        await_closed();
    }
    const char *fault = fault_of(probe_count - FLOOR_POSTS);
    double late = daemon_metric("tocsin_events_late_total");
    double again = daemon_metric("tocsin_sink_retries_total");
    double sync_ms = daemon_metric("tocsin_journal_sync_seconds_max") * 1e3;
    kafka_producer_destroy(producer);
    kill(daemon, SIGTERM);
    int code = daemon_end(daemon);
    receiver_stop();
    result_one("sync", "the longest sync of the journal", "ms", sync_ms);
    result_one("again", "POSTs that had to be made again", "", again);
    result_one("late", "events that came later than L allows, moved", "per million",
               late / (double)sent * 1e6);
    result_one("wrong", "pages that did not come, came twice or too soon", "", (double)wrong);
    if (fault == NULL && code != 0)
        fault = "the daemon's sums do not hold, or it could not stop: see run.log";
    return result_answer(fault == NULL && wrong == 0, "%s",
                         fault != NULL ? fault
                         : wrong != 0  ? "not every probe was posted once, in time"
                                       : "every event accounted, every probe posted once");
}
