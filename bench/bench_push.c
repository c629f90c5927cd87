/*
 * bench_push.c - alerts over HTTP, in requests of a thousand: tocsin beside Prometheus Alertmanager
 * (G7).
 *
 * Unit:   one alert, known or fresh: of 5,000 that stand and are sent again, or one that was never
 *         there before. Ten are of one host.
 * Peer:   Alertmanager, POST /api/v2/alerts, as bench/peers/alertmanager has it: it groups, and
 *         tells nobody.
 * Ours:   the daemon with a data directory, POST /alertmanager (the same alerts in the same words,
 *         as Alertmanager's webhook has them) and POST /events (the same as events of ours). Each
 *         request is on the disk when it is answered, and the rule of bench/peers/tocsin opens an
 *         incident for each host.
 * Clock:  CPU of the process until it has come to rest again, so that what it does later counts;
 *         and the wall until the last answer, which of ours comes when that is applied, most of a
 *         second later. One connection, one request after the other.
 * Method: all take turns, in all rounds with known alerts and then in all with fresh ones; the
 *         ratio of each round is kept.
 * Check:  every request is answered with 200; both count as many alerts as were sent, none refused;
 *         Alertmanager has as many groups, and tocsin opened as many incidents, as there are hosts.
 *
 *   bench_push [ROUNDS] [ALERTS] [none]      [5] [50000]
 *
 * ALERTS fresh ones in each round, in thousands, and twice as many known ones. With `none` ours
 * alone.
 *
 * Goal: CPU at most 1/15 of Alertmanager's.
 */
#include <curl/curl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "bench/daemon_run.h"
#include "bench/figures.h"
#include "bench/peer_run.h"
#include "bench/result.h"

enum {
    ROUNDS_MAX = 32,
    BATCH = 1000,
    KNOWN = 5000,
    OF_A_HOST = 10,
    KNOWN_FOR_FRESH = 2,
    ALERT_BYTES_MAX = 512,
    PAGE_BYTES_MAX = 1 << 20,
    READY_S_MAX = 60,
    LOOK_MS = 50,
    ROUNDS_LEAST = 3,
    ENOUGH_S = 30,
    REST_S_MAX = 20,
    REST_LOOKS = 4,
    REST_LOOK_MS = 100,
};

#define REST_SHARE 0.06 /* of a core; one that waits for events takes less */

enum { ALERTMANAGER, WEBHOOK, EVENTS, WAYS };

enum { FRESH, STANDING, KINDS };

static const char *const kinds[KINDS] = {"fresh", "known"};

struct way {
    const char *id, *name, *host; /* hosts of each way have names of their own */
    const char *path, *last_path; /* the last request of many waits until all are applied */
    const char *before, *after;   /* what a request has around its alerts */
    double sent, distinct;        /* alerts */
    double cpu_us[KINDS][ROUNDS_MAX], rate[KINDS][ROUNDS_MAX];
};

static struct way ways[WAYS] = {
    [ALERTMANAGER] = {.id = "alertmanager",
                      .name = "Alertmanager",
                      .host = "am",
                      .path = "/api/v2/alerts",
                      .last_path = "/api/v2/alerts",
                      .before = "[",
                      .after = "]"},
    [WEBHOOK] = {.id = "webhook",
                 .name = "tocsin /alertmanager",
                 .host = "hook",
                 .path = "/alertmanager",
                 .last_path = "/alertmanager?wait=8s",
                 .before = "{\"version\":\"4\",\"status\":\"firing\",\"alerts\":[",
                 .after = "]}"},
    [EVENTS] = {.id = "events",
                .name = "tocsin /events",
                .host = "own",
                .path = "/events",
                .last_path = "/events?wait=8s",
                .before = "[",
                .after = "]"},
};

static char started[32];          /* when the alerts of a part began */
static char peer_at[64];          /* Alertmanager's address */
static char page[PAGE_BYTES_MAX]; /* the last answer */
static size_t page_bytes;
static CURL *curl;

/* --- requests ------------------------------------------------------------------------------- */

static size_t keep(const char *data, size_t one, size_t count, void *self)
{
    size_t room = PAGE_BYTES_MAX - 1 - page_bytes, bytes = one * count;

    (void)self;
    bytes = bytes < room ? bytes : room;
    memcpy(page + page_bytes, data, bytes);
    page_bytes += bytes;
    page[page_bytes] = '\0';
    return one * count;
}

/* The status; 0 where nobody answers. */
static long ask(const char *address, const char *path, const char *body, size_t bytes)
{
    char url[256];
    long status = 0;

    page_bytes = 0;
    page[0] = '\0';
    snprintf(url, sizeof(url), "http://%s%s", address, path);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    if (body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)bytes);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    } else {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Of Alertmanager's metrics, with its labels as they stand there; -1 where it is not. */
static double peer_metric(const char *name)
{
    if (ask(peer_at, "/metrics", NULL, 0) != 200)
        return -1;
    const char *at = strstr(page, name);
    return at != NULL ? strtod(at + strlen(name), NULL) : -1;
}

static void begin_requests(void)
{
    static struct curl_slist *headers;

    curl = curl_easy_init();
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (curl == NULL || headers == NULL)
        exit(2);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

/* --- alerts --------------------------------------------------------------------------------- */

static const char *const alerts[OF_A_HOST] = {
    "NodeFilesystemAlmostFull", "HighCpuLoad",        "InstanceDown",   "KubePodCrashLooping",
    "HttpErrorRateHigh",        "DiskLatencyHigh",    "MemoryPressure", "LinkFlapping",
    "ReplicationLag",           "CertificateExpiring"};

static int alert_write(const struct way *way, char *to, long number)
{
    const char *alert = alerts[number % OF_A_HOST];
    long host = number / OF_A_HOST;

    if (way == &ways[EVENTS])
        return snprintf(to, ALERT_BYTES_MAX,
                        "{\"resource\":\"%s-%06ld.dc1.example.net:9100\",\"check\":\"%s\","
                        "\"severity\":\"critical\",\"source\":\"prometheus\",\"message\":\"%s on "
                        "%s-%06ld\",\"labels\":{\"job\":\"node-exporter\",\"cluster\":\"dc1\"}}",
                        way->host, host, alert, alert, way->host, host);
    return snprintf(
        to, ALERT_BYTES_MAX,
        "{%s\"labels\":{\"alertname\":\"%s\",\"instance\":\"%s-%06ld.dc1.example.net:"
        "9100\",\"job\":\"node-exporter\",\"cluster\":\"dc1\",\"severity\":\"critical\"},"
        "\"annotations\":{\"summary\":\"%s on %s-%06ld\"},\"startsAt\":\"%s\","
        "\"generatorURL\":\"http://prometheus.example.net/graph\"}",
        way == &ways[WEBHOOK] ? "\"status\":\"firing\"," : "", alert, way->host, host, alert,
        way->host, host, started);
}

static long number_of(long i, bool is_known, long first)
{
    /* 1,999 and 5,000 have no common divisor: those that stand come in turn, not in order. */
    return is_known ? i * 1999 % KNOWN : first + i;
}

/* Waits until the process does hardly anything: what it put off for later is done. */
static void come_to_rest(pid_t pid)
{
    double until = bench_now_s() + REST_S_MAX, cpu = daemon_cpu_s(pid);

    for (int quiet = 0; quiet < REST_LOOKS && bench_now_s() < until;) {
        nanosleep(&(struct timespec){.tv_nsec = REST_LOOK_MS * 1000000}, NULL);
        double now = daemon_cpu_s(pid);
        quiet = now - cpu < REST_SHARE * REST_LOOK_MS * 1e-3 ? quiet + 1 : 0;
        cpu = now;
    }
}

/* Fewer rounds do on a machine that has other work. */
static bool is_enough(int rounds, double began)
{
    return rounds >= ROUNDS_LEAST && bench_now_s() - began > ENOUGH_S;
}

/* Sends so many and waits until they are taken; false, with *why, where one is not. */
static bool send_all(struct way *way, pid_t pid, long count, bool is_known, struct peer_took *took,
                     char *why)
{
    const char *path = way->path, *last = way->last_path;
    const char *address = way == &ways[ALERTMANAGER] ? peer_at : daemon_admin();
    size_t room = (size_t)BATCH * ALERT_BYTES_MAX, *bytes;
    long requests = count / BATCH, first = (long)way->distinct;
    char *bodies = malloc((size_t)requests * room);
    double ours = ways[WEBHOOK].sent + ways[EVENTS].sent;
    time_t now = time(NULL);
    struct tm utc;
    bool is_well = true;

    bytes = calloc((size_t)requests, sizeof(*bytes));
    if (bodies == NULL || bytes == NULL)
        exit(2);
    strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    for (long b = 0; b < requests; b++) {
        char *body = bodies + (size_t)b * room;
        size_t at = (size_t)snprintf(body, room, "%s", way->before);
        for (long i = b * BATCH; i < (b + 1) * BATCH; i++) {
            if (i % BATCH != 0)
                body[at++] = ',';
            at += (size_t)alert_write(way, body + at, number_of(i, is_known, first));
        }
        bytes[b] = at + (size_t)snprintf(body + at, room - at, "%s", way->after);
    }
    double began = bench_now_s(), cpu = daemon_cpu_s(pid);
    for (long b = 0; b < requests && is_well; b++) {
        long status =
            ask(address, b + 1 < requests ? path : last, bodies + (size_t)b * room, bytes[b]);
        /* The last one waits for all; where that takes too long it was taken, and follows. */
        is_well = status == 200 || (status == 202 && b + 1 == requests);
        if (!is_well)
            snprintf(why, PEER_WHY_BYTES, "%s answered %ld: %.200s", way->name, status, page);
    }
    took->wall_s = bench_now_s() - began;
    come_to_rest(pid);
    took->cpu_s = daemon_cpu_s(pid) - cpu;
    way->sent += (double)count;
    way->distinct += is_known ? 0 : (double)count;
    if (is_well && way != &ways[ALERTMANAGER])
        while (daemon_closed() < ours + (double)count)
            nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    free(bodies);
    free(bytes);
    return is_well;
}

/* --- both daemons --------------------------------------------------------------------------- */

static struct peer_process *begin_alertmanager(char *why)
{
    static char listen[96];
    const char *const command[] = {"prometheus-alertmanager",
                                   ("--config.file=" PEERS "/alertmanager/alertmanager.yml"),
                                   "--storage.path=alertmanager",
                                   listen,
                                   "--cluster.listen-address=",
                                   "--log.level=warn",
                                   NULL};

    if (!peer_is_there(command[0])) {
        snprintf(why, PEER_WHY_BYTES,
                 "prometheus-alertmanager is not installed (Debian package of that name)");
        return NULL;
    }
    snprintf(peer_at, sizeof(peer_at), "127.0.0.1:%d", daemon_free_port());
    snprintf(listen, sizeof(listen), "--web.listen-address=%s", peer_at);
    struct peer_process *process = peer_begin(command, "alertmanager.log");
    for (double until = bench_now_s() + READY_S_MAX; ask(peer_at, "/-/ready", NULL, 0) != 200;) {
        if (bench_now_s() > until) {
            snprintf(why, PEER_WHY_BYTES, "it was not ready after %d s", READY_S_MAX);
            peer_end(process);
            return NULL;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    }
    return process;
}

static pid_t begin_ours(void)
{
    static const char *const run[] = {"run", "--config", "tocsin.yaml", NULL};

    daemon_broker(1);
    daemon_config("push", "rules: [" PEERS "/tocsin/host-five.yaml]\ndata: {dir: data}\n");
    pid_t pid = daemon_begin("run.log", run);
    daemon_await_ready(pid, LOOK_MS);
    return pid;
}

/* Whether both say what was sent. */
static bool is_right(bool with_peer, char *why)
{
    double sent = ways[WEBHOOK].sent + ways[EVENTS].sent;
    double hosts = (ways[WEBHOOK].distinct + ways[EVENTS].distinct) / OF_A_HOST;
    double events = daemon_metric("tocsin_events_total");
    double opened = daemon_metric("tocsin_incidents_opened_total");

    if (events != sent || opened != hosts) {
        snprintf(why, PEER_WHY_BYTES,
                 "tocsin took %.0f alerts of %.0f and opened %.0f incidents of %.0f", events, sent,
                 opened, hosts);
        return false;
    }
    if (!with_peer)
        return true;
    double taken =
        peer_metric("\nalertmanager_alerts_received_total{status=\"firing\",version=\"v2\"}");
    double refused = peer_metric("\nalertmanager_alerts_invalid_total{version=\"v2\"}");
    double groups = ways[ALERTMANAGER].distinct / OF_A_HOST, seen = -1;
    /* What was answered is grouped a little later. */
    for (double until = bench_now_s() + READY_S_MAX; bench_now_s() < until && seen != groups;)
        seen = peer_metric("\nalertmanager_dispatcher_aggregation_groups ");
    if (taken == ways[ALERTMANAGER].sent && refused == 0 && seen == groups)
        return true;
    snprintf(why, PEER_WHY_BYTES,
             "Alertmanager took %.0f alerts of %.0f, refused %.0f and has %.0f groups of %.0f",
             taken, ways[ALERTMANAGER].sent, refused, seen, groups);
    return false;
}

static void tell(const char *form, const char *words, int way, int kind, const char *unit,
                 const double *samples, int rounds, const char *absent)
{
    char id[64], what[128];

    snprintf(id, sizeof(id), "%s-%s.%s", form, kinds[kind], ways[way].id);
    snprintf(what, sizeof(what), "%s, %s alerts, %s", words, kinds[kind], ways[way].name);
    if (absent != NULL)
        result_absent(id, what, absent);
    else
        result_figure(id, what, unit, samples, rounds);
}

static void tell_all(const int rounds[KINDS], const char *absent)
{
    for (int kind = KINDS; kind-- > 0;)
        for (int w = 0; w < WAYS; w++) {
            const char *out = w == ALERTMANAGER ? absent : NULL;
            tell("cpu", "CPU", w, kind, "us/alert", ways[w].cpu_us[kind], rounds[kind], out);
            tell("rate", "rate", w, kind, "thousand alerts/s", ways[w].rate[kind], rounds[kind],
                 out);
        }
    for (int kind = KINDS; kind-- > 0;)
        for (int w = WEBHOOK; w < WAYS; w++) {
            double ratio[ROUNDS_MAX];
            for (int r = 0; r < rounds[kind]; r++)
                ratio[r] = ways[w].cpu_us[kind][r] / ways[ALERTMANAGER].cpu_us[kind][r];
            tell("ratio", "CPU / Alertmanager's", w, kind, "", ratio, rounds[kind], absent);
        }
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 50000;
    char absent[PEER_WHY_BYTES] = "", why[PEER_WHY_BYTES] = "";
    struct peer_took took;
    bool is_well = true;

    if (rounds < 1 || rounds > ROUNDS_MAX || count < BATCH || count % BATCH != 0)
        return 64;
    daemon_folder();
    result_begin("push", "%ld known and %ld fresh alerts a round, %d in a request, one connection",
                 count, count, BATCH);
    pid_t ours = begin_ours();
    begin_requests();
    struct peer_process *peer = NULL;
    if (argc > 3 && strcmp(argv[3], "none") == 0)
        snprintf(absent, sizeof(absent), "not asked for");
    else
        peer = begin_alertmanager(absent);
    for (int w = peer != NULL ? 0 : WEBHOOK; w < WAYS && is_well; w++) /* those that stand */
        is_well =
            send_all(&ways[w], w == ALERTMANAGER ? peer_pid(peer) : ours, KNOWN, false, &took, why);
    int done[KINDS] = {0, 0};
    for (int kind = KINDS; kind-- > 0;) {
        double began = bench_now_s();
        for (int r = 0; r < rounds && is_well && !is_enough(r, began); r++) {
            for (int w = peer != NULL ? 0 : WEBHOOK; w < WAYS && is_well; w++) {
                long number = kind == STANDING ? KNOWN_FOR_FRESH * count : count;
                is_well = send_all(&ways[w], w == ALERTMANAGER ? peer_pid(peer) : ours, number,
                                   kind == STANDING, &took, why);
                ways[w].cpu_us[kind][r] = took.cpu_s / (double)number * 1e6;
                ways[w].rate[kind][r] = (double)number / took.wall_s / 1e3;
            }
            done[kind] = r + 1;
        }
    }
    is_well = is_well && is_right(peer != NULL, why);
    if (is_well)
        tell_all(done, peer != NULL ? NULL : absent);
    peer_end(peer);
    kill(ours, SIGTERM);
    int code = daemon_end(ours);
    curl_easy_cleanup(curl);
    if (is_well && code != 0)
        snprintf(why, sizeof(why), "tocsin ended with code %d", code);
    if (!is_well || code != 0)
        return result_answer(false, "%s", why);
    return result_answer(true,
                         "%.0f alerts taken by tocsin, %.0f by Alertmanager, all that were sent",
                         ways[WEBHOOK].sent + ways[EVENTS].sent, ways[ALERTMANAGER].sent);
}
