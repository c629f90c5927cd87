/*
 * Aim: whatever brokers answer, and whoever leads a partition, each record comes once and in order,
 * and nothing is skipped (D2, D6, L1). Method: three mock brokers in a child process; while four
 * partitions are read in small fetches their leaders move, one broker goes and comes, and requests
 * of all kinds that a reader makes are answered with errors. The seed is printed; an argument sets
 * it.
 */
#define MOCK_BROKERS 3
#include "tests/kafka_reader.h"

enum { PARTITIONS = 4, RECORDS = 3000, STORMS = 60, IDLE = 300 };

/* Numbers of Kafka's protocol. */
enum { FETCH = 1, LIST_OFFSETS = 2, METADATA = 3 };

static const struct {
    const char *name;
    int kind, error;
} faults[] = {
    {"not leader", FETCH, 6},
    {"leader not available", FETCH, 5},
    {"unknown leader epoch", FETCH, 76},
    {"fenced leader epoch", FETCH, 74},
    {"request timed out", FETCH, 7},
    {"broker not available", FETCH, 8},
    {"replica not available", FETCH, 9},
    {"kafka storage error", FETCH, 56},
    {"unknown server error", FETCH, -1},
    {"not leader", LIST_OFFSETS, 6},
    {"request timed out", LIST_OFFSETS, 7},
    {"unknown server error", LIST_OFFSETS, -1},
    {"leader not available", METADATA, 5},
    {"broker not available", METADATA, 8},
};

static uint64_t dice;

static unsigned draw(unsigned below)
{
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(dice >> 33) % below;
}

static void do_on_mock(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void do_on_mock(const char *format, ...)
{
    char line[256];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    assert_true(mock_process_do(&mock, line));
}

/* The next thing that happens to the brokers. */
static void trouble(const char *topic, unsigned turn)
{
    size_t fault = draw(sizeof(faults) / sizeof(faults[0]));

    switch (draw(4)) {
    case 0:
        do_on_mock("lead %s %u %u", topic, draw(PARTITIONS), 1 + draw(MOCK_BROKERS));
        break;
    case 1:
        do_on_mock(turn % 2 == 0 ? "down" : "up");
        break;
    default:
        do_on_mock("fail %d %d %u", faults[fault].kind, faults[fault].error, 1 + draw(4));
        break;
    }
}

static void D2_each_record_comes_once_through_errors_and_leaders_that_move(void **state)
{
    (void)state;
    static const struct kafka_option small[] = {{"fetch.message.max.bytes", "1500"},
                                                {"queued.max.messages.kbytes", "4"},
                                                {"reconnect.backoff.max.ms", "100"}};
    const char *topics[] = {named("storm")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct kafka_counters counters;
    struct reader reader;
    int next[PARTITIONS] = {0};
    unsigned storms = 0;

    print_message("seed %" PRIu64 "\n", dice);
    make_topic(topics[0], PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++)
        send_numbers(producer, topics[0], p, 0, RECORDS);
    config.options = small;
    config.option_count = sizeof(small) / sizeof(small[0]);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == PARTITIONS);
    /* Trouble comes with what is read, so that there is some from the first record to the last;
     * when nothing is for a while, more of it comes. */
    for (int taken = 0, due = 0, idle = 0; storms < STORMS; taken = 0, idle++) {
        for (int p = 0; p < PARTITIONS; p++)
            taken += next[p];
        if (taken >= due || idle == IDLE) {
            trouble(topics[0], storms++);
            due = taken + PARTITIONS * RECORDS / STORMS;
            idle = 0;
        }
        for (size_t i = 0; i < reader.feed_count; i++)
            take_numbers(reader.feeds[i], &next[reader.feeds[i]->partition]);
        nap();
    }
    do_on_mock("up");
    for (size_t i = 0; i < reader.feed_count; i++)
        WAIT_FOR(take_up_to(reader.feeds[i], &next[reader.feeds[i]->partition], RECORDS));
    for (int p = 0; p < PARTITIONS; p++)
        assert_int_equal(next[p], RECORDS);
    kafka_source_counters(reader.source, &counters);
    assert_int_equal(counters.lost, 0);
    assert_int_equal(counters.skipped, 0);
    assert_int_equal(counters.stopped, 0);
    assert_int_equal(reader.left_count, 0);
    /* And it still knows where the end is. */
    uint64_t now_ns = host_mono_ns();
    for (size_t i = 0; i < reader.feed_count; i++)
        WAIT_FOR(is_proven_after(reader.feeds[i], &next[reader.feeds[i]->partition], now_ns));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(D2_each_record_comes_once_through_errors_and_leaders_that_move),
    };

    dice = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    argc = 1; /* these brokers are always the mock's */
    RUN_ON_KAFKA(argc, argv, tests, tests);
}
