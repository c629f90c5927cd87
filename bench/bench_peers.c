/*
 * bench_peers.c - one job on one list with one right answer: tocsin beside what else can do it
 * (G6).
 *
 * Unit:   one event of the list (peers_list.h): deduplicated, counted by host, told.
 * Peers:  SEC and syslog-ng as whole processes on lines of text; Esper, Siddhi and Flink CEP
 *         embedded in a program on the JVM which reads the same lines, warm: WARM_ROUNDS of the
 *         list before the first that counts. What each is given stands in bench/peers, with where
 *         its documentation says so.
 * Ours:   `tocsin replay` of the list as JSON, as a whole process; and `tocsin run` on Kafka, the
 *         mock broker in a process of its own, from its first event until every one is in a closed
 *         epoch.
 * Clock:  CPU of the process, threads that compile or collect garbage included, and the wall: of
 *         whole processes from start to end.
 * Method: all take turns; the ratios of each round are kept.
 * Check:  each answer of each round is the right one: the incidents, by host, each once. One of
 *         ours or of a peer that is not makes the bench fail and is named, and it has no figures.
 *
 * A peer that is not installed, cannot be had, or cannot express the job is listed with the reason.
 *
 *   bench_peers [ROUNDS] [EVENTS] [PEER,...]      [5] [500000] [all of them; ours are always there]
 *
 * Goal: throughput by CPU 40 times SEC's by replay, 10 times through Kafka.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "bench/daemon_run.h"
#include "bench/figures.h"
#include "bench/peer_run.h"
#include "bench/peers_list.h"
#include "bench/result.h"

enum { ROUNDS_MAX = 32, WARM_ROUNDS = 4, PARTS = 64, LOOK_MS = 5, CANNOT_BE_HAD = 77 };

enum { ROUNDS_LEAST = 3, ENOUGH_S = 90 }; /* on a machine that has other work, fewer rounds do */

enum { REPLAY, KAFKA, SEC, SYSLOG_NG, ESPER, SIDDHI, FLINK, ALERTMANAGER, ENTRANTS };

struct entrant {
    const char *id, *name;
    /* Whether it is there; *why says why not, or, if it is and does not work, `wrong` is set. */
    bool (*find)(struct entrant *self, char *why);
    bool (*run)(struct entrant *self, struct peer_took *took, char *why);
    bool is_log;            /* its answer is an incident log of ours */
    struct peer_talk *talk; /* with one that stays */
    char absent[PEER_WHY_BYTES], wrong[PEER_WHY_BYTES];
    double cpu_ns[ROUNDS_MAX], rate[ROUNDS_MAX];
};

static char tocsin[4096];
static double events;

static void say(char *why, const char *words, ...)
{
    va_list list;

    va_start(list, words);
    vsnprintf(why, PEER_WHY_BYTES, words, list);
    va_end(list);
}

/* --- ours ----------------------------------------------------------------------------------- */

static bool find_ours(struct entrant *self, char *why)
{
    (void)self, (void)why;
    return true;
}

static bool run_replay(struct entrant *self, struct peer_took *took, char *why)
{
    const char *const replay[] = {
        tocsin,        "replay",     "--rules",  (PEERS "/tocsin/host-five.yaml"),
        "--incidents", "replay.out", "--ledger", "off",
        "list.jsonl",  NULL};

    (void)self;
    return peer_run(replay, NULL, "replay.said", "replay.log", took, why);
}

static void fill_broker(void)
{
    static char parts[PARTS][32];
    const char *publish[PARTS + 8] = {"publish", "--brokers", daemon_broker(PARTS),
                                      "--topic", "events",    "--quiet"};

    for (int p = 0; p < PARTS; p++) {
        snprintf(parts[p], sizeof(parts[p]), "part-%02d.jsonl", p);
        publish[6 + p] = parts[p];
    }
    if (daemon_end(daemon_begin("publish.log", publish)) != 0) {
        fprintf(stderr, "the broker cannot be filled: see publish.log\n");
        exit(2);
    }
}

static bool run_kafka(struct entrant *self, struct peer_took *took, char *why)
{
    static const char *const run[] = {"run", "--config", "tocsin.yaml", NULL};
    static int runs;
    char group[32];

    (void)self;
    snprintf(group, sizeof(group), "peers-%d", ++runs);
    unlink("kafka.out");
    daemon_config(group, "rules: [" PEERS "/tocsin/host-five.yaml]\n"
                         "incident_log: {path: kafka.out}\n");
    pid_t pid = daemon_begin("run.log", run);
    daemon_await(pid, "tocsin_events_total", 1, 1);
    double began = bench_now_s(), cpu = daemon_cpu_s(pid);
    daemon_await(pid, "tocsin_events_total", events, LOOK_MS);
    while (daemon_closed() < events)
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000}, NULL);
    took->wall_s = bench_now_s() - began;
    took->cpu_s = daemon_cpu_s(pid) - cpu;
    double read = daemon_metric("tocsin_events_total");
    kill(pid, SIGTERM);
    int code = daemon_end(pid);
    if (code == 0 && read == events)
        return true;
    say(why, "it read %.0f events and ended with code %d", read, code);
    return false;
}

/* --- others --------------------------------------------------------------------------------- */

static bool find_command(const char *command, const char *package, char *why)
{
    if (peer_is_there(command))
        return true;
    say(why, "%s is not installed (Debian package %s)", command, package);
    return false;
}

static bool find_sec(struct entrant *self, char *why)
{
    (void)self;
    return find_command("sec", "sec", why);
}

static bool run_sec(struct entrant *self, struct peer_took *took, char *why)
{
    static const char *const sec[] = {"sec", ("--conf=" PEERS "/sec/host-five.conf"),
                                      "--input=list.txt", "--notail", NULL};

    (void)self;
    return peer_run(sec, NULL, "sec.out", "sec.log", took, why);
}

static bool find_syslog_ng(struct entrant *self, char *why)
{
    (void)self;
    return find_command("syslog-ng", "syslog-ng-core", why);
}

static bool run_syslog_ng(struct entrant *self, struct peer_took *took, char *why)
{
    static char folder[2048], persist[2064], pid[2064], control[2064];
    const char *const command[] = {
        "syslog-ng", "-F",    "--no-caps", "--stderr", "-f", (PEERS "/syslog-ng/host-five.conf"),
        "-R",        persist, "-p",        pid,        "-c", control,
        NULL};

    (void)self;
    if (getcwd(folder, sizeof(folder)) == NULL)
        return false;
    snprintf(persist, sizeof(persist), "%s/sng.persist", folder);
    snprintf(pid, sizeof(pid), "%s/sng.pid", folder);
    snprintf(control, sizeof(control), "%s/sng.ctl", folder);
    setenv("PATTERNS", PEERS "/syslog-ng/patterns.xml", 1);
    unlink(persist);
    return peer_run(command, "list.txt", "syslog-ng.out", "syslog-ng.log", took, why);
}

static bool cannot_count(struct entrant *self, char *why)
{
    (void)self;
    say(why, "it cannot do the job: it groups alerts and has no word for five within 60 s; "
             "bench_push has what it can");
    return false;
}

static bool find_on_jvm(struct entrant *self, char *why)
{
    char command[4096], classes[4096], answer[64], log[64], broken[PEER_WHY_BYTES];
    struct peer_took took;

    snprintf(command, sizeof(command), PEERS "/jars %s", self->id);
    int code = peer_ask(command, classes, sizeof(classes));
    if (code != 0) {
        say(code == CANNOT_BE_HAD ? why : self->wrong, "%s", classes);
        return false;
    }
    snprintf(answer, sizeof(answer), "%s.out", self->id);
    snprintf(log, sizeof(log), "%s.log", self->id);
    /* What Flink wants open (its documentation, Java Compatibility); nothing to the others. */
    const char *const java[] = {"java",
                                "-Xms1g",
                                "-Xmx1g",
                                "-XX:+UseParallelGC",
                                "--add-opens=java.base/java.util=ALL-UNNAMED",
                                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                                "--add-opens=java.base/java.time=ALL-UNNAMED",
                                "-cp",
                                classes,
                                "HostFive",
                                "list.txt",
                                answer,
                                NULL};
    self->talk = peer_talk_begin(java, log);
    for (int r = 0; r < WARM_ROUNDS; r++)
        if (!peer_talk_round(self->talk, &took, broken)) {
            say(self->wrong, "%s: %s", self->name, broken);
            return false;
        }
    return true;
}

static bool run_on_jvm(struct entrant *self, struct peer_took *took, char *why)
{
    return peer_talk_round(self->talk, took, why);
}

/* --- rounds --------------------------------------------------------------------------------- */

static struct entrant entrants[ENTRANTS] = {
    [REPLAY] = {.id = "replay",
                .name = "tocsin replay",
                .find = find_ours,
                .run = run_replay,
                .is_log = true},
    [KAFKA] = {.id = "kafka",
               .name = "tocsin through Kafka",
               .find = find_ours,
               .run = run_kafka,
               .is_log = true},
    [SEC] = {.id = "sec", .name = "SEC", .find = find_sec, .run = run_sec},
    [SYSLOG_NG] = {.id = "syslog-ng",
                   .name = "syslog-ng",
                   .find = find_syslog_ng,
                   .run = run_syslog_ng},
    [ESPER] = {.id = "esper", .name = "Esper, warm", .find = find_on_jvm, .run = run_on_jvm},
    [SIDDHI] = {.id = "siddhi", .name = "Siddhi, warm", .find = find_on_jvm, .run = run_on_jvm},
    [FLINK] = {.id = "flink", .name = "Flink CEP, warm", .find = find_on_jvm, .run = run_on_jvm},
    [ALERTMANAGER] = {.id = "alertmanager", .name = "Alertmanager", .find = cannot_count},
};

static bool is_wanted(const char *list, const char *id)
{
    size_t bytes = strlen(id);

    for (const char *at = list; (at = strstr(at, id)) != NULL; at += bytes)
        if ((at == list || at[-1] == ',') && (at[bytes] == ',' || at[bytes] == '\0'))
            return true;
    return false;
}

/* Whether what it said in this round is right; if not it is out, with the reason. */
static void run_round(struct entrant *self, int round)
{
    struct list_answer answer;
    struct peer_took took = {1, 1};
    char path[64], why[PEER_WHY_BYTES] = "";

    snprintf(path, sizeof(path), "%s.out", self->id);
    bool is_right =
        self->run(self, &took, why) &&
        (self->is_log ? list_answer_read_log : list_answer_read)(path, &answer, why, sizeof(why)) &&
        list_answer_is_right(&answer, why, sizeof(why));
    self->cpu_ns[round] = took.cpu_s / events * 1e9;
    self->rate[round] = events / took.wall_s / 1e3;
    if (!is_right)
        say(self->wrong, "%s: %s", self->name, why);
}

static const char *out_because(const struct entrant *self)
{
    return self->absent[0] != '\0' ? self->absent : self->wrong[0] != '\0' ? self->wrong : NULL;
}

static void tell(const char *kind, const struct entrant *of, const char *words, const char *unit,
                 const double *samples, int rounds)
{
    char id[64], what[128];

    snprintf(id, sizeof(id), "%s.%s", kind, of->id);
    snprintf(what, sizeof(what), words, of->name);
    if (out_because(of) != NULL)
        result_absent(id, what, out_because(of));
    else
        result_figure(id, what, unit, samples, rounds);
}

/* Throughput of one of ours against a peer's. */
static void tell_ratios(const struct entrant *ours, const struct entrant *peer, int rounds)
{
    double by_cpu[ROUNDS_MAX], by_clock[ROUNDS_MAX];
    char kind[32], words[64];

    for (int r = 0; r < rounds; r++) {
        by_cpu[r] = peer->cpu_ns[r] / ours->cpu_ns[r];
        by_clock[r] = ours->rate[r] / peer->rate[r];
    }
    snprintf(kind, sizeof(kind), "%s-cpu", ours->id);
    snprintf(words, sizeof(words), "throughput by CPU, %s / %%s", ours->name);
    tell(kind, peer, words, "", by_cpu, rounds);
    snprintf(kind, sizeof(kind), "%s-clock", ours->id);
    snprintf(words, sizeof(words), "the same by the clock, %s / %%s", ours->name);
    tell(kind, peer, words, "", by_clock, rounds);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    long wanted = argc > 2 ? strtol(argv[2], NULL, 10) : 500000;
    const char *peers = argc > 3 ? argv[3] : NULL, *wrong = NULL;
    double text_bytes, json_bytes;

    ssize_t got = readlink("/proc/self/exe", tocsin, sizeof(tocsin) - 64);
    if (got < 0 || rounds < 1 || rounds > ROUNDS_MAX || wanted < LIST_ALERTS)
        return 64;
    tocsin[got] = '\0';
    strcpy(strrchr(tocsin, '/'), "/../tocsin");
    daemon_folder();
    events = (double)wanted;
    list_write(wanted, PARTS, &text_bytes, &json_bytes);
    result_begin("peers",
                 "%ld events of %.0f bytes of text, %.0f of JSON, %d alerts of %d hosts; an alert "
                 "once in 300 s, then five of a host in 60 s; through Kafka in %d partitions; on "
                 "the JVM after %d rounds, 1 GiB of heap",
                 wanted, text_bytes, json_bytes, LIST_ALERTS, LIST_HOSTS, PARTS, WARM_ROUNDS);
    fill_broker();
    for (int e = 0; e < ENTRANTS; e++) {
        struct entrant *self = &entrants[e];
        if (peers != NULL && e >= SEC && !is_wanted(peers, self->id))
            say(self->absent, "not asked for");
        else
            self->find(self, self->absent);
    }
    double began = bench_now_s();
    for (int r = 0; r < rounds; r++) {
        for (int e = 0; e < ENTRANTS; e++)
            if (out_because(&entrants[e]) == NULL)
                run_round(&entrants[e], r);
        if (r + 1 >= ROUNDS_LEAST && bench_now_s() - began > ENOUGH_S)
            rounds = r + 1;
    }
    for (int e = 0; e < ENTRANTS; e++) {
        struct entrant *self = &entrants[e];
        peer_talk_end(self->talk);
        tell("cpu", self, "CPU, %s", "ns/event", self->cpu_ns, rounds);
        tell("rate", self, "rate, %s", "thousand events/s", self->rate, rounds);
        wrong = wrong == NULL && self->wrong[0] != '\0' ? self->wrong : wrong;
    }
    for (int o = REPLAY; o <= KAFKA && wrong == NULL; o++)
        for (int e = SEC; e < ENTRANTS; e++)
            tell_ratios(&entrants[o], &entrants[e], rounds);
    if (wrong != NULL)
        return result_answer(false, "%s", wrong);
    return result_answer(true, "%d incidents, each once, of everyone in every round",
                         LIST_INCIDENTS);
}
