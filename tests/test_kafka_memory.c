/*
 * Aim: what is fetched and not taken is bounded, in records and in what the process has in memory
 * (F8). Method: more than the bound lies in four partitions of the mock broker, a child process, or
 * of the Kafka of the test run (`real`); nobody takes anything; then all of it is taken.
 */
#include "tests/kafka_reader.h"
#include "daemon/memory_budget.h"

enum {
    MIB = 1 << 20,
    PARTITIONS = 4,
    QUEUED_MIB = 4,
    RECORD_BYTES = 256,
    RECORDS = 14000, /* 3.5 MiB a partition: the mock holds 5 */
    ANSWER_BYTES =
        MIB, /* of a partition in one answer, which is taken whole: librdkafka's default */
    /* What librdkafka keeps beside each record; 300 to 380 bytes were seen. */
    BESIDE = 450,
};

static void fill_topic(const char *topic)
{
    struct kafka_producer *producer = producer_open();
    struct error err = {""};
    char text[RECORD_BYTES];

    memset(text, 'x', sizeof(text));
    for (int i = 0; i < RECORDS; i++) {
        for (int p = 0; p < PARTITIONS; p++)
            assert_int_equal(kafka_producer_send(producer, topic, p, NULL, 0, text, sizeof(text),
                                                 1700000000000 + i, &err),
                             0);
        /* A few at a time, so that the producer leaves no memory behind that would be used again.
         */
        if (i % 200 == 199 && kafka_producer_flush(producer, 20000, &err) != 0)
            fail_msg("%s", err.text);
    }
    if (kafka_producer_flush(producer, 20000, &err) != 0)
        fail_msg("%s", err.text);
}

static uint64_t queued_bytes(const struct reader *reader)
{
    struct kafka_counters counters;

    kafka_source_counters(reader->source, &counters);
    return counters.queued * RECORD_BYTES;
}

static size_t take_all(const struct reader *reader)
{
    size_t count = 0;

    for (size_t i = 0; i < reader->feed_count; i++) {
        struct feed *feed = reader->feeds[i];
        const struct record *records;
        size_t taken = feed->ops->take(feed, &records, TAKE);
        if (taken > 0)
            feed->ops->release(feed);
        count += taken;
    }
    return count;
}

/* What tells of a partition's end stands in the queue, too, until somebody looks. */
static bool is_drained(const struct reader *reader)
{
    return take_all(reader) == 0 && queued_bytes(reader) == 0;
}

static void F8_what_is_fetched_and_not_taken_is_bounded(void **state)
{
    (void)state;
    const char *topics[] = {named("memory")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    /* A queue is asked for more while it is below its share, and may then get an answer. */
    const uint64_t most = (uint64_t)QUEUED_MIB * MIB + PARTITIONS * ANSWER_BYTES;
    struct reader reader;
    size_t taken = 0;

    make_topic(topics[0], PARTITIONS);
    fill_topic(topics[0]);
    config.queued_mb = QUEUED_MIB;
    uint64_t before = memory_resident();
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == PARTITIONS);
    /* Beside its payload a record counts with a few bytes of its own. */
    const uint64_t least = (uint64_t)QUEUED_MIB * MIB / 8 * 7;
    WAIT_FOR(queued_bytes(&reader) >= least);
    uint64_t after = memory_resident(), queued = queued_bytes(&reader);
    assert_in_range(queued, least, most);
    print_message("%" PRIu64 " KiB of records are queued, %" PRIu64 " KiB more are resident\n",
                  queued >> 10, after > before ? (after - before) >> 10 : 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* Two clients with their threads are 4 MiB. */
    assert_in_range(after, 0, before + most / RECORD_BYTES * (RECORD_BYTES + BESIDE) + 8 * MIB);
#endif
    WAIT_FOR((taken += take_all(&reader)) == PARTITIONS * RECORDS); /* nothing was lost for it */
    WAIT_FOR(is_drained(&reader));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {KAFKA_TEST(F8_what_is_fetched_and_not_taken_is_bounded)};

    RUN_ON_KAFKA(argc, argv, tests, tests);
}
