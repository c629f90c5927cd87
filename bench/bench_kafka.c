/*
 * bench_kafka - Kafka to incidents against a bare consumer of the same records (G1, G2).
 *
 * Unit:      one event of about 300 bytes of JSON, in a mock broker in its own process.
 * Yardstick: librdkafka with the same queue settings as our source, drained through
 *            rd_kafka_consume_batch_queue, one byte of each payload looked at.
 * Ours:      the Kafka source, the engine with the demo's rules and two workers: decoded,
 *            deduplicated, correlated, accounted; no sinks.
 * Clock:     from the first record until 95 % of the records are consumed (bare) or in
 *            closed epochs (ours).
 * Method:    both take turns; the ratio of each round is kept. Partitions are aligned in
 *            time: each holds a share of every second.
 * CPU:       by the clocks of threads. The thread that looks on counts for nobody, and the broker
 *            is another process. What tocsin adds is what its own threads take beyond what the bare
 *            consumer's thread takes to drain the queue (own-cpu - bare-drain): they drain, too.
 *            "All" holds the whole process against the whole bare one: that the client library's
 *            threads take longer beside ours is in it. Stages: where samples found own threads
 *            (sampler.h).
 * Check:     every record is accounted, none rejected, and each round opens the same
 *            number of incidents, which is the number that the generator put in.
 *
 * usage: bench_kafka [rounds, 5] [events, 1000000] [codecs, none,lz4]
 */
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "bench/engine_run.h"
#include "bench/result.h"
#include "ingest/kafka_producer.h"
#include "ingest/kafka_source.h"
#include "ingest/mock_broker.h"

enum { ROUNDS_MAX = 32, BATCH = 10000, PART_BYTES = 3 << 20, HOSTS = 4000, CHECKS = 10 };

#define TOPIC "events"

struct job {
    char brokers[256];
    long events;
    int partitions;
    const char *codec;
    int64_t start_ms;
};

/* --- the broker and its records ------------------------------------------------------------ */

static pid_t broker_start(struct job *job)
{
    int pipe_fd[2];
    pid_t pid;

    if (pipe(pipe_fd) != 0 || (pid = fork()) < 0)
        exit(1);
    if (pid == 0) {
        struct error err = {""};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct mock_broker *broker = mock_broker_create(&err);
        if (broker == NULL || mock_broker_add_topic(broker, TOPIC, job->partitions, &err) != 0)
            _exit(1);
        const char *address = mock_broker_address(broker);
        if (write(pipe_fd[1], address, strlen(address) + 1) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    if (read(pipe_fd[0], job->brokers, sizeof(job->brokers)) <= 0)
        exit(1);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    return pid;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

/* Mostly repeats of standing alerts; every 50,000th event and the next four are five
 * failing instances of one service: one incident of rule service-outage. */
enum { OUTAGE_EVERY = 50000, OUTAGE_EVENTS = 5 };

static int event_write(char *to, size_t room, const struct job *job, long i)
{
    uint64_t h = mix((uint64_t)i + 1);
    long at = i % OUTAGE_EVERY;
    bool outage = at < OUTAGE_EVENTS && i >= OUTAGE_EVERY;
    unsigned host = outage ? (unsigned)at : (unsigned)(h % HOSTS);
    unsigned check = (unsigned)(h >> 32) % CHECKS;
    static const char *const severities[] = {"info", "warning", "minor", "major"};
    static const char *const checks[CHECKS] = {
        "cpu.high", "memory.pressure", "swap.used",    "net.retransmits", "fs.inodes",
        "ntp.skew", "log.errors",      "tls.expiring", "queue.depth",     "gc.pause"};

    return snprintf(
        to, room,
        "{\"tenant\":\"acme\",\"source\":\"node-exporter\",\"resource\":\"web-%04u.dc1.example.net"
        "%s\",\"check\":\"%s\",\"severity\":\"%s\",\"state\":\"problem\",\"time\":%lld,"
        "\"message\":\"%s on web-%04u is out of its range\",\"value\":%.3f,\"labels\":"
        "{\"site\":\"dc1\",\"rack\":\"dc1-r%02u\",\"host\":\"web-%04u\",\"service\":\"svc-%ld\"}}",
        host, outage ? "/outage" : "", outage ? "service.errors" : checks[check],
        outage ? "critical" : severities[host % 4], (long long)job->start_ms + i / 500,
        checks[check], host, outage ? 1.5 : (double)(h % 100000) / 1000.0, host % 40, host,
        outage ? i / OUTAGE_EVERY : (long)(host % 300) + 1000);
}

/* Their mean size. */
static double produce(const struct job *job)
{
    const struct kafka_producer_config config = {
        .brokers = job->brokers, .linger_ms = 20, .compression = job->codec};
    struct kafka_producer *producer;
    struct error err = {""};
    char text[1024];
    double bytes = 0;

    if (kafka_producer_create(&config, &producer, &err) != 0)
        goto failed;
    for (long i = 0; i < job->events; i++) {
        int len = event_write(text, sizeof(text), job, i);
        bytes += len;
        if (kafka_producer_send(producer, TOPIC, (int32_t)(i % job->partitions), NULL, 0, text,
                                (size_t)len, job->start_ms + i / 500, &err) != 0)
            goto failed;
    }
    if (kafka_producer_flush(producer, 60000, &err) != 0)
        goto failed;
    kafka_producer_destroy(producer);
    return bytes / (double)job->events;
failed:
    fprintf(stderr, "%s\n", err.text);
    exit(1);
}

/* --- the bare consumer ------------------------------------------------------------------------ */

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];

    if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "%s\n", why);
        exit(1);
    }
}

struct bare {
    double rate;     /* records per second */
    double cpu_ns;   /* of the process, per record */
    double drain_ns; /* of these, of the thread that drains */
};

static double thread_cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void bare(const struct job *job, struct bare *out)
{
    static rd_kafka_message_t *messages[BATCH];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256], kbytes[32];
    long count = 0, enough = (long)((double)job->events * 0.95);
    uint64_t sum = 0;
    double start = 0, cpu = 0, drain = 0;

    set(conf, "bootstrap.servers", job->brokers);
    set(conf, "group.id", "bare");
    set(conf, "enable.auto.commit", "false");
    set(conf, "queued.min.messages", "10000000");
    snprintf(kbytes, sizeof(kbytes), "%d", 256 * 1024);
    set(conf, "queued.max.messages.kbytes", kbytes);
    set(conf, "fetch.wait.max.ms", "5");
    set(conf, "fetch.error.backoff.ms", "1");
    set(conf, "fetch.max.bytes", "104857600");
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(job->partitions);
    for (int p = 0; p < job->partitions; p++)
        rd_kafka_topic_partition_list_add(list, TOPIC, p)->offset = 0;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    const double until = bench_now_s() + 120;
    while (count < enough && bench_now_s() < until) {
        ssize_t got = rd_kafka_consume_batch_queue(queue, 100, messages, BATCH);
        if (got > 0 && start == 0) {
            start = bench_now_s();
            cpu = bench_cpu_s();
            drain = thread_cpu_s();
        }
        for (ssize_t i = 0; i < got; i++) {
            if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
                sum += (unsigned char)((char *)messages[i]->payload)[0];
                count++;
            }
            rd_kafka_message_destroy(messages[i]);
        }
    }
    out->rate = (double)count / (bench_now_s() - start);
    out->cpu_ns = (bench_cpu_s() - cpu) / (double)count * 1e9;
    out->drain_ns = (thread_cpu_s() - drain) / (double)count * 1e9;
    if (count < enough) {
        fprintf(stderr, "the bare consumer got only %ld of %ld records in 120 s\n", count, enough);
        exit(1);
    }
    if (sum != (uint64_t)count * '{')
        printf("WRONG: the bare consumer read something else\n");
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

/* --- ours ------------------------------------------------------------------------------------ */

static void ours(const struct job *job, struct engine_run *run)
{
    static const char *const topics[] = {TOPIC};
    static const struct topic_config ordered = {.topic = TOPIC, .disorder_ms = 0};
    const char *rules = RULES_FILE;
    struct kafka_config kafka;
    struct engine_config config;
    struct error err = {""};

    kafka_config_init(&kafka);
    kafka.brokers = job->brokers;
    kafka.topics = topics;
    kafka.topic_count = 1;
    kafka.start = "earliest";
    kafka.fetch_wait_ms = 5;
    engine_config_init(&config);
    config.workers = 2;
    config.topics = &ordered;
    config.topic_count = 1;
    *run = (struct engine_run){
        .config = &config, .records = (uint64_t)job->events, .share = 0.95, .stages = true};
    if (kafka_source_open(&kafka, &run->source, &err) != 0 ||
        rule_set_load(&rules, 1, &run->rules, &err) != 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    engine_run(run);
    run->source->ops->close(run->source);
    rule_set_destroy(run->rules);
}

/* --- rounds ------------------------------------------------------------------------------------
 */

/* A figure of each round, under the codec's name where it is not the first. */
enum figure {
    BARE_RATE,
    BARE_CPU,
    BARE_DRAIN,
    OURS_RATE,
    OURS_CPU,
    OWN_CPU,
    CLIENT_CPU,
    RATIO,
    ADDED,
    ADDED_ALL,
    ALLOCATIONS,
    WAKES,
    FUTEXES,
    FIGURES,
};

static const struct {
    const char *id, *what, *unit;
} figure_of[FIGURES] = {
    [BARE_RATE] = {"bare", "bare batch consumer", "M events/s"},
    [BARE_CPU] = {"bare-cpu", "its CPU", "ns/event"},
    [BARE_DRAIN] = {"bare-drain", "of it the thread that drains", "ns/event"},
    [OURS_RATE] = {"ours", "Kafka to incidents", "M events/s"},
    [OURS_CPU] = {"ours-cpu", "its CPU, all threads", "ns/event"},
    [OWN_CPU] = {"own-cpu", "of it own threads", "ns/event"},
    [CLIENT_CPU] = {"client-cpu", "of it the client library's threads", "ns/event"},
    [RATIO] = {"ratio", "rate, ours / bare", ""},
    [ADDED] = {"added", "CPU, own threads beyond draining / bare", ""},
    [ADDED_ALL] = {"added-all", "CPU, all beyond the bare one's / bare", ""},
    [ALLOCATIONS] = {"allocations", "allocations of own threads", "per million events"},
    [WAKES] = {"wakes", "sleeps and wakes of own threads", "per million events"},
    [FUTEXES] = {"futexes", "futex calls of own threads", "per million events"},
};

static void tell(const char *id, const char *what, const char *unit, const double *samples,
                 int rounds, const char *codec, const char *why_not)
{
    char full_id[64], full_what[128];

    snprintf(full_id, sizeof(full_id), "%s%s%s", id, codec[0] != '\0' ? "." : "", codec);
    snprintf(full_what, sizeof(full_what), "%s%s%s", what, codec[0] != '\0' ? ", " : "", codec);
    if (why_not == NULL)
        result_figure(full_id, full_what, unit, samples, rounds);
    else
        result_absent(full_id, full_what, why_not);
}

/* One round of both. False when the answer is wrong. */
static bool round_run(const struct job *job, double at[FIGURES], double stage[SAMPLE_STAGES],
                      const char **no_futexes)
{
    struct engine_run run;
    struct bare yardstick;
    uint64_t expected = (uint64_t)(job->events - 1) / OUTAGE_EVERY;

    bare(job, &yardstick);
    ours(job, &run);
    at[BARE_RATE] = yardstick.rate / 1e6;
    at[BARE_CPU] = yardstick.cpu_ns;
    at[BARE_DRAIN] = yardstick.drain_ns;
    at[OURS_RATE] = 0.95 * (double)job->events / run.seconds / 1e6;
    at[OURS_CPU] = run.cpu_ns_event;
    at[OWN_CPU] = run.own_ns_event;
    at[CLIENT_CPU] = run.cpu_ns_event - run.own_ns_event;
    at[RATIO] = at[OURS_RATE] / at[BARE_RATE];
    at[ADDED] = (run.own_ns_event - yardstick.drain_ns) / yardstick.cpu_ns;
    at[ADDED_ALL] = (run.cpu_ns_event - yardstick.cpu_ns) / yardstick.cpu_ns;
    at[ALLOCATIONS] = run.steady_allocations;
    at[WAKES] = run.steady_wakes;
    at[FUTEXES] = run.steady_futexes;
    *no_futexes = run.no_futexes;
    for (int s = 0; s < SAMPLE_STAGES; s++)
        stage[s] = run.stage_share[s] * run.own_ns_event;
    if (run.why[0] == '\0' && run.opened == expected)
        return true;
    printf("WRONG: %s; %llu incidents, %llu expected\n", run.why, (unsigned long long)run.opened,
           (unsigned long long)expected);
    return false;
}

/* All rounds with one codec, which figures are told under; "" for those without a name. */
static bool codec_run(const struct job *job, int rounds, const char *codec)
{
    static double samples[FIGURES][ROUNDS_MAX], stages[SAMPLE_STAGES][ROUNDS_MAX];
    const char *no_futexes = NULL;
    bool right = true;

    for (int r = 0; r < rounds; r++) {
        double at[FIGURES], stage[SAMPLE_STAGES];
        right = round_run(job, at, stage, &no_futexes) && right;
        for (int f = 0; f < FIGURES; f++)
            samples[f][r] = at[f];
        for (int s = 0; s < SAMPLE_STAGES; s++)
            stages[s][r] = stage[s];
    }
    for (int f = 0; f < FIGURES; f++)
        tell(figure_of[f].id, figure_of[f].what, figure_of[f].unit, samples[f], rounds, codec,
             f == FUTEXES ? no_futexes : NULL);
    for (int s = 0; s < SAMPLE_STAGES; s++) {
        char id[32], what[64];
        snprintf(id, sizeof(id), "stage-%s", sample_stage_name[s]);
        snprintf(what, sizeof(what), "own threads: %s", sample_stage_name[s]);
        tell(id, what, "ns/event", stages[s], rounds, codec, NULL);
    }
    return right;
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    struct job job = {.events = argc > 2 ? atol(argv[2]) : 1000000, .start_ms = 1769904000000};
    char codecs[64], *rest = codecs;
    bool right = true, is_first = true;

    snprintf(codecs, sizeof(codecs), "%s", argc > 3 ? argv[3] : "none,lz4");
    if (rounds < 1 || rounds > ROUNDS_MAX || job.events < OUTAGE_EVERY)
        return 64;
    job.partitions = (int)((double)job.events * 420 / PART_BYTES) + 1;
    if (job.partitions < 4)
        job.partitions = 4;
    for (const char *codec; (codec = strsep(&rest, ",")) != NULL; is_first = false) {
        job.codec = codec;
        pid_t broker = broker_start(&job);
        double bytes = produce(&job);
        if (is_first)
            result_begin("kafka", "%ld events of %.0f bytes, %d partitions, %s, librdkafka %s",
                         job.events, bytes, job.partitions, argc > 3 ? argv[3] : "none and lz4",
                         rd_kafka_version_str());
        right = codec_run(&job, rounds, strcmp(codec, "none") != 0 ? codec : "") && right;
        kill(broker, SIGKILL);
        waitpid(broker, NULL, 0);
    }
    return result_answer(right, "every incident, every record accounted");
}
