/*
 * kafka_reader.h - for tests of the Kafka source: the mock broker (or a real one), a producer, and
 * a source whose feeds the test takes from itself, as an engine would.
 *
 * Readers and producers are closed behind each test (KAFKA_TEST), also behind one that failed: it
 * is left by a jump, and what its threads still use must neither lie in its frame nor live on
 * beside the next test. A test closes a reader itself where that is part of what it tells.
 */
#ifndef TESTS_KAFKA_READER_H
#define TESTS_KAFKA_READER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include "base/host.h"
#include "ingest/kafka_producer.h"
#include "ingest/kafka_source.h"
#include "tests/mock_process.h"

enum { DEADLINE_S = 60, TAKE = 100, OPEN_MAX = 8 };

static struct mock_process mock;
static bool is_real;
static const char *address;

/* Topics of a real Kafka outlive the test, so they carry the number of its process. */
static inline const char *named(const char *base)
{
    static char names[32][64];
    static int count;
    if (!is_real)
        return base;
    snprintf(names[count], sizeof(names[0]), "%s.%d", base, (int)getpid());
    return names[count++];
}

/* `settings`: "key=value ..." of a real Kafka. */
static inline void make_topic_with(const char *topic, int partitions, const char *settings)
{
    char line[512];
    if (!is_real) {
        snprintf(line, sizeof(line), "topic %s %d", topic, partitions);
        assert_true(mock_process_do(&mock, line));
        return;
    }
    snprintf(line, sizeof(line), "%s/kafka/kafka topic \"$(dirname $TOCSIN_KAFKA_CA)/..\" %s %d %s",
             TESTS_DIR, topic, partitions, settings);
    assert_int_equal(system(line), 0);
}

static inline void make_topic(const char *topic, int partitions)
{
    make_topic_with(topic, partitions, "");
}

static inline void nap(void)
{
    static _Thread_local int waker = -1;
    if (waker < 0)
        waker = host()->waker_create(host()->self);
    host()->waker_sleep(host()->self, waker, 1000000);
}

#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        uint64_t deadline_ns = host_mono_ns() + (uint64_t)DEADLINE_S * 1000000000u;                \
        while (!(condition)) {                                                                     \
            if (host_mono_ns() > deadline_ns)                                                      \
                fail_msg("not within %d s: %s", DEADLINE_S, #condition);                           \
            nap();                                                                                 \
        }                                                                                          \
    } while (0)

/* Lines that the source said. */
struct lines {
    pthread_mutex_t lock;
    char text[64 << 10];
};

static inline void keep_line(void *self, int level, const char *text)
{
    struct lines *lines = self;

    pthread_mutex_lock(&lines->lock);
    size_t used = strlen(lines->text);
    snprintf(lines->text + used, sizeof(lines->text) - used, "%d %s\n", level, text);
    pthread_mutex_unlock(&lines->lock);
}

static inline bool has_line(struct lines *lines, const char *part)
{
    pthread_mutex_lock(&lines->lock);
    bool found = strstr(lines->text, part) != NULL;
    pthread_mutex_unlock(&lines->lock);
    return found;
}

/* What is open, and what the sources said. */
static struct source *sources[OPEN_MAX];
static struct lines lines_of[OPEN_MAX];
static struct kafka_producer *producers[OPEN_MAX];

/* A source with its feeds, as an engine holds them. */
struct reader {
    struct lines *lines;
    struct source *source;
    struct feed *feeds[64];
    size_t feed_count, left_count;
};

static inline struct kafka_config config_for(const char *const *topics, size_t count,
                                             const char *start, const char *group)
{
    struct kafka_config config;

    kafka_config_init(&config);
    config.brokers = address;
    config.topics = topics;
    config.topic_count = count;
    config.start = start;
    config.group = group;
    return config;
}

static inline void reader_open(struct reader *reader, struct kafka_config *config)
{
    struct error err = {""};
    size_t at = 0;

    while (at < OPEN_MAX && sources[at] != NULL)
        at++;
    assert_true(at < OPEN_MAX);
    memset(reader, 0, sizeof(*reader));
    reader->lines = &lines_of[at];
    memset(reader->lines, 0, sizeof(*reader->lines));
    pthread_mutex_init(&reader->lines->lock, NULL);
    config->log = keep_line;
    config->log_self = reader->lines;
    if (kafka_source_open(config, &reader->source, &err) != 0)
        fail_msg("%s", err.text);
    sources[at] = reader->source;
}

static inline size_t reader_changes(struct reader *reader)
{
    struct source_change changes[8];
    size_t count = reader->source->ops->changes(reader->source, changes, 8);

    for (size_t i = 0; i < count; i++) {
        if (changes[i].kind == SOURCE_JOIN) {
            reader->feeds[reader->feed_count++] = changes[i].feed;
            continue;
        }
        for (size_t j = 0; j < reader->feed_count; j++)
            if (reader->feeds[j] == changes[i].feed)
                reader->feeds[j] = reader->feeds[--reader->feed_count];
        reader->left_count++;
        reader->source->ops->drop(reader->source, changes[i].feed);
    }
    return reader->feed_count;
}

static inline void reader_close(struct reader *reader)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (sources[i] == reader->source)
            sources[i] = NULL;
    reader->source->ops->close(reader->source);
}

static inline struct kafka_producer *producer_open(void)
{
    struct kafka_producer_config config = {.brokers = address, .linger_ms = 1};
    struct error err = {""};
    size_t at = 0;

    while (at < OPEN_MAX && producers[at] != NULL)
        at++;
    assert_true(at < OPEN_MAX);
    if (kafka_producer_create(&config, &producers[at], &err) != 0)
        fail_msg("%s", err.text);
    return producers[at];
}

/* Behind each test: closes what it left open, on a broker that answers. */
static inline int close_all(void **state)
{
    (void)state;
    if (!is_real && !mock_process_do(&mock, "up"))
        return -1;
    for (size_t i = OPEN_MAX; i-- > 0;) { /* who joined last leaves first */
        if (sources[i] != NULL)
            sources[i]->ops->close(sources[i]);
        sources[i] = NULL;
        kafka_producer_destroy(producers[i]);
        producers[i] = NULL;
    }
    return 0;
}

#define KAFKA_TEST(test) cmocka_unit_test_teardown(test, close_all)

static inline void send_numbers(struct kafka_producer *producer, const char *topic,
                                int32_t partition, int from, int to)
{
    struct error err = {""};
    char text[32];

    for (int i = from; i < to; i++) {
        int bytes = snprintf(text, sizeof(text), "record %d", i);
        assert_int_equal(kafka_producer_send(producer, topic, partition, "k", 1, text,
                                             (size_t)bytes, 1700000000000 + i, &err),
                         0);
    }
    if (kafka_producer_flush(producer, 20000, &err) != 0)
        fail_msg("%s", err.text);
}

/* Takes what is there; records must be numbered on from *next, in offset and payload. */
static inline size_t take_numbers(struct feed *feed, int *next)
{
    const struct record *records;
    size_t count = feed->ops->take(feed, &records, TAKE);
    char text[32];

    for (size_t i = 0; i < count; i++, ++*next) {
        int bytes = snprintf(text, sizeof(text), "record %d", *next);
        assert_int_equal(records[i].offset, *next);
        assert_int_equal(records[i].bytes, bytes);
        assert_memory_equal(records[i].payload, text, (size_t)bytes);
        assert_int_equal(records[i].log_time_ms, 1700000000000 + *next);
    }
    feed->ops->release(feed);
    return count;
}

static inline bool take_up_to(struct feed *feed, int *next, int end)
{
    take_numbers(feed, next);
    return *next >= end;
}

/* A proof needs an empty queue: what stands in it is taken first. */
static inline bool is_proven_after(struct feed *feed, int *next, uint64_t after_ns)
{
    uint64_t proof_ns;

    take_numbers(feed, next);
    return feed->ops->end_proof(feed, &proof_ns) && proof_ns > after_ns;
}

/* Runs `tests` on the mock broker, or `real` on the Kafka of the test run if the program was
 * told to. */
#define RUN_ON_KAFKA(argc, argv, tests, real)                                                      \
    do {                                                                                           \
        int failed;                                                                                \
        is_real = (argc) > 1 && strcmp((argv)[1], "real") == 0;                                    \
        address = getenv("TOCSIN_KAFKA");                                                          \
        if (is_real && address == NULL) {                                                          \
            fprintf(stderr, "TOCSIN_KAFKA is not set\n");                                          \
            return 1;                                                                              \
        }                                                                                          \
        if (is_real)                                                                               \
            return cmocka_run_group_tests(real, NULL, NULL);                                       \
        if (!mock_process_start(&mock))                                                            \
            return 1;                                                                              \
        address = mock.address;                                                                    \
        failed = cmocka_run_group_tests(tests, NULL, NULL);                                        \
        mock_process_end(&mock);                                                                   \
        return failed;                                                                             \
    } while (0)

#endif
