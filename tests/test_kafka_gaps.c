/*
 * Aim: offsets that never come, leaders that go back and topics that lose records are noticed
 * (semantics L1, D6). Method: the mock broker, into which batches with holes are written by hand
 * over a socket, as compaction leaves them; on a real Kafka transactions, whose markers take
 * offsets, and topics that are really compacted.
 */
#include "tests/kafka_reader.h"
#include <arpa/inet.h>
#include <librdkafka/rdkafka.h>
#include <sys/socket.h>
#include "ingest/kafka_internal.h" /* to judge offsets and epochs, and to lose records */

/* --- a Produce request by hand (Kafka protocol, Produce v3, record batch v2) -------------------
 */

struct wire {
    uint8_t at[8192];
    size_t used;
};

static void put_int(struct wire *wire, int bytes, int64_t value)
{
    for (int i = bytes - 1; i >= 0; i--)
        wire->at[wire->used++] = (uint8_t)((uint64_t)value >> (8 * i));
}

static void set_int32(struct wire *wire, size_t at, size_t value)
{
    struct wire four = {.used = 0};

    put_int(&four, 4, (int64_t)value);
    memcpy(wire->at + at, four.at, 4);
}

static void put_bytes(struct wire *wire, const void *from, size_t bytes)
{
    memcpy(wire->at + wire->used, from, bytes);
    wire->used += bytes;
}

static void put_text(struct wire *wire, const char *text)
{
    put_int(wire, 2, (int64_t)strlen(text));
    put_bytes(wire, text, strlen(text));
}

/* All lengths here are below 64: one byte of a zigzag varint. */
static void put_small(struct wire *wire, int value)
{
    wire->at[wire->used++] = (uint8_t)(value >= 0 ? 2 * value : -2 * value - 1);
}

static void put_record(struct wire *wire, int delta, int number)
{
    char text[32];
    int bytes = snprintf(text, sizeof(text), "record %d", number);

    put_small(wire, 6 + bytes); /* what follows */
    put_int(wire, 1, 0);
    put_small(wire, delta); /* its time */
    put_small(wire, delta); /* its offset */
    put_small(wire, -1);    /* no key */
    put_small(wire, bytes);
    put_bytes(wire, text, (size_t)bytes);
    put_small(wire, 0); /* no headers */
}

/* Writes the offsets [first, end) of partition 0 but those in [hole, hole_end): the broker takes
 * the batch for whole. */
static void send_with_hole(const char *topic, int first, int end, int hole, int hole_end)
{
    struct wire wire = {.used = 0};
    struct sockaddr_in to = {.sin_family = AF_INET};
    char answer[256];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t set, batch;

    put_int(&wire, 4, 0);
    put_int(&wire, 2, 0); /* Produce */
    put_int(&wire, 2, 3);
    put_int(&wire, 4, 1);
    put_text(&wire, "by hand");
    put_int(&wire, 2, -1);
    put_int(&wire, 2, 1);
    put_int(&wire, 4, 5000);
    put_int(&wire, 4, 1);
    put_text(&wire, topic);
    put_int(&wire, 4, 1);
    put_int(&wire, 4, 0);
    set = wire.used;
    put_int(&wire, 4, 0);
    put_int(&wire, 8, first);
    batch = wire.used;
    put_int(&wire, 4, 0);
    put_int(&wire, 4, -1);
    put_int(&wire, 1, 2);
    put_int(&wire, 4, 0); /* the checksum, which nobody looks at (check.crcs) */
    put_int(&wire, 2, 0);
    put_int(&wire, 4, end - first - 1);
    put_int(&wire, 8, 1700000000000 + first);
    put_int(&wire, 8, 1700000000000 + end - 1);
    put_int(&wire, 8, -1);
    put_int(&wire, 2, -1);
    put_int(&wire, 4, -1);
    put_int(&wire, 4, end - first);
    for (int i = first; i < end; i++)
        if (i < hole || i >= hole_end)
            put_record(&wire, i - first, i);
    set_int32(&wire, set, wire.used - set - 4);
    set_int32(&wire, batch, wire.used - batch - 4);
    set_int32(&wire, 0, wire.used - 4);

    const char *colon = strchr(address, ':');
    char host_name[64];
    snprintf(host_name, sizeof(host_name), "%.*s", (int)(colon - address), address);
    assert_int_equal(inet_pton(AF_INET, host_name, &to.sin_addr), 1);
    to.sin_port = htons((uint16_t)atoi(colon + 1));
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(write(fd, wire.at, wire.used), (ssize_t)wire.used);
    /* size, correlation, one topic, its name, one partition, number, error */
    size_t error_at = 4 + 4 + 4 + 2 + strlen(topic) + 4 + 4;
    size_t got = 0;
    while (got < error_at + 2) {
        ssize_t more = read(fd, answer + got, sizeof(answer) - got);
        assert_true(more > 0);
        got += (size_t)more;
    }
    assert_int_equal(answer[error_at], 0);
    assert_int_equal(answer[error_at + 1], 0);
    close(fd);
}

static bool is_stopped(struct feed *feed, int *next)
{
    take_numbers(feed, next);
    return feed->ops->state(feed) == FEED_STOPPED;
}

static void L1_a_hole_is_fetched_again_once_and_then_stops_the_partition(void **state)
{
    (void)state;
    const char *topics[] = {"hole"};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_counters counters;
    struct reader reader;
    struct error why = {""};
    uint64_t proof_ns;
    int next = 0;

    make_topic(topics[0], 1);
    send_with_hole(topics[0], 0, 10, 4, 7);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    WAIT_FOR(is_stopped(feed, &next));
    assert_int_equal(next, 4); /* what came before it was read, nothing behind it */
    assert_true(has_line(reader.lines,
                         "4 hole/0: offsets 4 to 6 (3) never came, and the topic is not "
                         "declared gaps_expected; fetching them again"));
    assert_true(has_line(reader.lines,
                         "3 hole/0: offsets 4 to 6 (3) never came, and the topic is not "
                         "declared gaps_expected; the partition is stopped until tocsin is "
                         "started with input.accept_gap: true"));
    kafka_source_counters(reader.source, &counters);
    assert_int_equal(counters.holes, 1);
    assert_int_equal(counters.skipped, 0);
    WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.stopped == 1));
    WAIT_FOR(!reader.source->ops->ready(reader.source, &why));
    assert_non_null(strstr(why.text, "hole/0: offsets 4 to 6 (3) never came"));
    assert_false(feed->ops->end_proof(feed, &proof_ns));
    reader_close(&reader);

    /* Told to go on, it reads behind the hole, and says what it passed over. */
    config.accept_gap = true;
    next = 0;
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    feed = reader.feeds[0];
    WAIT_FOR(take_up_to(feed, &next, 4));
    next = 7;
    WAIT_FOR(take_up_to(feed, &next, 10));
    WAIT_FOR(is_proven_after(feed, &next, 0));
    assert_true(has_line(reader.lines, "going on at 7 as input.accept_gap says"));
    kafka_source_counters(reader.source, &counters);
    assert_int_equal(counters.skipped, 3);
    assert_int_equal(feed->ops->state(feed), FEED_LIVE);
}

static void L1_a_hole_of_a_topic_that_is_declared_is_read_over(void **state)
{
    (void)state;
    const char *topics[] = {"declared"}, *gaps[] = {"other", "declared"};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_counters counters;
    struct reader reader;
    int next = 0;

    config.gap_topics = gaps;
    config.gap_topic_count = 2;
    make_topic(topics[0], 1);
    send_with_hole(topics[0], 0, 10, 4, 7);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    const struct record *records;
    size_t count = 0;
    WAIT_FOR((count = feed->ops->take(feed, &records, TAKE)) == 7);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(records[i].offset, i < 4 ? i : i + 3);
    feed->ops->release(feed);
    next = 10;
    WAIT_FOR(is_proven_after(feed, &next, 0));
    kafka_source_counters(reader.source, &counters);
    assert_int_equal(counters.holes, 0);
}

static void L1_a_hole_at_the_end_of_the_log_is_one_too(void **state)
{
    (void)state;
    const char *topics[] = {"tail"};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct reader reader;
    int next = 0;

    make_topic(topics[0], 1);
    send_with_hole(topics[0], 0, 10, 8, 10);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    WAIT_FOR(is_stopped(reader.feeds[0], &next));
    assert_int_equal(next, 8);
    assert_true(has_line(reader.lines, "tail/0: offsets 8 to 9 (2) never came"));
}

/* What the client left out, the broker still has: the second fetch brings it. */
static void L1_a_hole_that_the_second_fetch_fills_stops_nothing(void **state)
{
    (void)state;
    const char *topics[] = {"filled"};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct kafka_counters counters;
    struct reader reader;
    int next = 0;

    make_topic(topics[0], 1);
    send_numbers(producer, topics[0], 0, 0, 10);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    WAIT_FOR(take_up_to(feed, &next, 10));
    /* As if 6 to 9 had not been delivered. */
    struct kafka_feed *inside = (struct kafka_feed *)feed;
    pthread_mutex_lock(&inside->lock);
    inside->next = next = 6;
    pthread_mutex_unlock(&inside->lock);
    send_numbers(producer, topics[0], 0, 10, 20);
    WAIT_FOR(take_up_to(feed, &next, 20));
    kafka_source_counters(reader.source, &counters);
    assert_int_equal(counters.holes, 1);
    assert_int_equal(counters.skipped, 0);
    assert_int_equal(feed->ops->state(feed), FEED_LIVE);
}

static void D6_a_leader_epoch_that_goes_back_is_noticed(void **state)
{
    (void)state;
    struct kafka_feed feed = {.next = 10, .epoch = 5, .gaps_expected = true};

    assert_int_equal(kafka_feed_judge(&feed, 10, 4), KAFKA_EPOCH_BACK);
    assert_int_equal(kafka_feed_judge(&feed, 10, 5), KAFKA_NO_TROUBLE);
    assert_int_equal(kafka_feed_judge(&feed, 10, 6), KAFKA_NO_TROUBLE);
    assert_int_equal(kafka_feed_judge(&feed, 12, 4), KAFKA_EPOCH_BACK);
    assert_int_equal(kafka_feed_judge(&feed, 12, 6), KAFKA_NO_TROUBLE);
    /* Unknown on either side proves nothing: librdkafka before 2.1 never tells. */
    assert_int_equal(kafka_feed_judge(&feed, 10, -1), KAFKA_NO_TROUBLE);
    feed.epoch = -1;
    assert_int_equal(kafka_feed_judge(&feed, 10, 0), KAFKA_NO_TROUBLE);
    feed.gaps_expected = false;
    assert_int_equal(kafka_feed_judge(&feed, 11, 0), KAFKA_HOLE);
}

/* The reader's finding is put in by hand, because this librdkafka may not tell epochs. */
static void D6_a_leader_epoch_that_goes_back_stops_the_partition(void **state)
{
    (void)state;
    const char *topics[] = {"epoch"};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    int next = 0;

    make_topic(topics[0], 1);
    send_numbers(producer, topics[0], 0, 0, 20);
    for (int accept = 0; accept < 2; accept++) {
        config.accept_gap = accept == 1;
        next = 0;
        reader_open(&reader, &config);
        WAIT_FOR(reader_changes(&reader) == 1);
        struct feed *feed = reader.feeds[0];
        WAIT_FOR(take_up_to(feed, &next, 20));
        struct kafka_feed *inside = (struct kafka_feed *)feed;
        pthread_mutex_lock(&inside->lock);
        inside->next = inside->came = next = 15;
        inside->epoch = 7;
        inside->epoch_came = 3;
        inside->trouble = KAFKA_EPOCH_BACK;
        pthread_mutex_unlock(&inside->lock);
        if (accept == 0)
            WAIT_FOR(is_stopped(feed, &next));
        else
            WAIT_FOR(take_up_to(feed, &next, 20));
        assert_true(has_line(reader.lines,
                             "epoch/0: record 15 is of leader epoch 3, the one before it of 7: "
                             "the log was truncated behind our position and written anew"));
        assert_int_equal(next, accept == 0 ? 15 : 20);
        reader_close(&reader);
    }
}

/* The mock broker does not know the question; a declared topic is told of, others are not. */
static void D6_a_compaction_lag_that_cannot_be_learned_is_said(void **state)
{
    (void)state;
    const char *topics[] = {"lag-a", "lag-b"}, *gaps[] = {"lag-b"};
    struct kafka_config config = config_for(topics, 2, "earliest", NULL);
    struct reader reader, only_reads;

    config.gap_topics = gaps;
    config.gap_topic_count = 1;
    make_topic(topics[0], 1);
    make_topic(topics[1], 1);
    config.read_only = true; /* such as a recording: it reads nothing again */
    reader_open(&only_reads, &config);
    config.read_only = false;
    reader_open(&reader, &config);
    WAIT_FOR(has_line(reader.lines, "4 topic lag-b is declared gaps_expected, and whether its "
                                    "min.compaction.lag.ms is above 600000 cannot be learned: "));
    assert_false(has_line(reader.lines, "topic lag-a"));
    assert_false(has_line(only_reads.lines, "cannot be learned"));
}

/* --- on a real Kafka ---------------------------------------------------------------------------
 */

static void must(rd_kafka_error_t *error)
{
    if (error != NULL)
        fail_msg("%s", rd_kafka_error_string(error));
}

/* Two transactions of ten records each: the marker of the first takes offset 10. */
static void send_transactions(const char *topic)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    rd_kafka_t *rk;

    rd_kafka_conf_set(conf, "bootstrap.servers", address, text, sizeof(text));
    rd_kafka_conf_set(conf, "transactional.id", topic, text, sizeof(text));
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(rk);
    must(rd_kafka_init_transactions(rk, 30000));
    for (int t = 0; t < 2; t++) {
        must(rd_kafka_begin_transaction(rk));
        for (int i = 0; i < 10; i++)
            assert_int_equal(rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                                               RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END),
                             0);
        must(rd_kafka_commit_transaction(rk, 30000));
    }
    rd_kafka_destroy(rk);
}

static void L1_markers_of_transactions_are_holes_unless_declared(void **state)
{
    (void)state;
    const char *topics[] = {named("transactions")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    const struct record *records;
    struct reader reader;
    int64_t last = -1;
    size_t total = 0;

    make_topic(topics[0], 1);
    send_transactions(topics[0]);
    for (int declared = 0; declared < 2; declared++) {
        config.gap_topics = topics;
        config.gap_topic_count = (size_t)declared;
        total = 0;
        reader_open(&reader, &config);
        WAIT_FOR(reader_changes(&reader) == 1);
        struct feed *feed = reader.feeds[0];
        uint64_t until_ns = host_mono_ns() + (uint64_t)DEADLINE_S * 1000000000u;
        while (total < (declared == 1 ? 20u : 11u) && host_mono_ns() < until_ns &&
               feed->ops->state(feed) != FEED_STOPPED) {
            size_t count = feed->ops->take(feed, &records, TAKE);
            if (count > 0)
                last = records[count - 1].offset;
            total += count;
            feed->ops->release(feed);
            if (count == 0)
                nap();
        }
        assert_int_equal(total, declared == 1 ? 20 : 10);
        assert_int_equal(last, declared == 1 ? 20 : 9);
        assert_int_equal(feed->ops->state(feed), declared == 1 ? FEED_LIVE : FEED_STOPPED);
        assert_int_equal(has_line(reader.lines, "offsets 10 to 10 (1) never came"), !declared);
        reader_close(&reader);
    }
}

static void D6_a_compaction_lag_that_is_too_short_is_said(void **state)
{
    (void)state;
    const char *topics[] = {named("compact-bare"), named("compact-short"), named("compact-long"),
                            named("kept")};
    struct kafka_config config = config_for(topics, 4, "earliest", NULL);
    struct kafka_counters counters;
    struct reader reader;
    char line[256];

    make_topic_with(topics[0], 1, "cleanup.policy=compact min.compaction.lag.ms=3600000");
    make_topic_with(topics[1], 1, "cleanup.policy=compact,delete min.compaction.lag.ms=600000");
    make_topic_with(topics[2], 1, "cleanup.policy=compact min.compaction.lag.ms=600001");
    make_topic_with(topics[3], 1, "");
    config.gap_topics = topics + 1;
    config.gap_topic_count = 3;
    reader_open(&reader, &config);
    snprintf(line, sizeof(line),
             "4 topic %s is compacted and its min.compaction.lag.ms is 600000, which is not above "
             "600000",
             topics[1]);
    WAIT_FOR(has_line(reader.lines, line));
    WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.unsafe == 1));
    snprintf(line, sizeof(line), "4 topic %s is compacted and not declared gaps_expected",
             topics[0]);
    assert_true(has_line(reader.lines, line));
    for (int i = 2; i < 4; i++) {
        snprintf(line, sizeof(line), "topic %s", topics[i]);
        assert_false(has_line(reader.lines, line));
    }
}

/* By age, where the topic drops by age. */
static void D1_a_retention_that_is_too_short_is_said(void **state)
{
    (void)state;
    const char *topics[] = {named("short"), named("enough"), named("endless"), named("compacted")};
    struct kafka_config config = config_for(topics, 4, "earliest", NULL);
    struct kafka_counters counters;
    struct reader reader;
    char line[256];

    make_topic_with(topics[0], 1, "retention.ms=3999"); /* one snapshot a second at most */
    make_topic_with(topics[1], 1, "retention.ms=4000");
    make_topic_with(topics[2], 1, "retention.ms=-1");
    make_topic_with(topics[3], 1,
                    "cleanup.policy=compact retention.ms=1000 min.compaction.lag.ms=3600000");
    config.gap_topics = topics + 3;
    config.gap_topic_count = 1;
    reader_open(&reader, &config);
    snprintf(line, sizeof(line),
             "4 topic %s keeps records for retention.ms 3999, which is less than 4000 (four",
             topics[0]);
    WAIT_FOR(has_line(reader.lines, line));
    WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.unsafe == 1));
    for (int i = 1; i < 4; i++) {
        snprintf(line, sizeof(line), "topic %s", topics[i]);
        assert_false(has_line(reader.lines, line));
    }
}

/* Where none are taken, whatever a topic drops may be needed. */
static void D1_a_retention_without_snapshots_is_said(void **state)
{
    (void)state;
    const char *topics[] = {named("week"), named("for-good"), named("replaced")};
    struct kafka_config config = config_for(topics, 3, "earliest", NULL);
    struct kafka_counters counters;
    struct reader reader;
    char line[256];

    make_topic_with(topics[0], 1, "retention.ms=604800000");
    make_topic_with(topics[1], 1, "retention.ms=-1");
    make_topic_with(topics[2], 1, "cleanup.policy=compact min.compaction.lag.ms=604800000");
    config.gap_topics = topics + 2;
    config.gap_topic_count = 1;
    config.snapshot_ms = 0;
    reader_open(&reader, &config);
    snprintf(line, sizeof(line),
             "4 topic %s keeps records for retention.ms 604800000, and no snapshots are taken",
             topics[0]);
    WAIT_FOR(has_line(reader.lines, line));
    WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.unsafe == 2));
    snprintf(line, sizeof(line), "4 topic %s is compacted, and no snapshots are taken", topics[2]);
    assert_true(has_line(reader.lines, line));
    snprintf(line, sizeof(line), "topic %s", topics[1]);
    assert_false(has_line(reader.lines, line));
}

/* Of topics that drop by age, and the compacted one has to keep up with it. */
static void C6_the_shortest_retention_says_how_often_a_snapshot_is_taken(void **state)
{
    (void)state;
    const char *topics[] = {named("two-minutes"), named("day"), named("lagging"), named("slow")};
    struct kafka_config config = config_for(topics, 4, "earliest", NULL);
    struct kafka_counters counters;
    struct reader reader;
    char line[256];

    make_topic_with(topics[0], 1, "retention.ms=120000");
    make_topic_with(topics[1], 1, "retention.ms=86400000");
    make_topic_with(topics[2], 1,
                    "cleanup.policy=compact retention.ms=4000 min.compaction.lag.ms=60001");
    make_topic_with(topics[3], 1, "cleanup.policy=compact min.compaction.lag.ms=60000");
    config.gap_topics = topics + 2;
    config.gap_topic_count = 2;
    reader_open(&reader, &config);
    WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.snapshot_ms > 0));
    assert_int_equal(counters.snapshot_ms, 30000);
    assert_int_equal(counters.unsafe, 1);
    snprintf(line, sizeof(line),
             "6 topic %s keeps records for retention.ms 120000: a snapshot is taken at least each "
             "30000 ms",
             topics[0]);
    assert_true(has_line(reader.lines, line));
    snprintf(line, sizeof(line),
             "4 topic %s is compacted and its min.compaction.lag.ms is 60000, which is not above "
             "60000",
             topics[3]);
    assert_true(has_line(reader.lines, line));
    for (int i = 1; i < 3; i++) {
        snprintf(line, sizeof(line), "topic %s", topics[i]);
        assert_false(has_line(reader.lines, line));
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(L1_a_hole_is_fetched_again_once_and_then_stops_the_partition),
        KAFKA_TEST(L1_a_hole_of_a_topic_that_is_declared_is_read_over),
        KAFKA_TEST(L1_a_hole_at_the_end_of_the_log_is_one_too),
        KAFKA_TEST(L1_a_hole_that_the_second_fetch_fills_stops_nothing),
        KAFKA_TEST(D6_a_leader_epoch_that_goes_back_is_noticed),
        KAFKA_TEST(D6_a_leader_epoch_that_goes_back_stops_the_partition),
        KAFKA_TEST(D6_a_compaction_lag_that_cannot_be_learned_is_said),
    };
    const struct CMUnitTest real[] = {
        KAFKA_TEST(L1_markers_of_transactions_are_holes_unless_declared),
        KAFKA_TEST(D6_a_compaction_lag_that_is_too_short_is_said),
        KAFKA_TEST(D1_a_retention_that_is_too_short_is_said),
        KAFKA_TEST(D1_a_retention_without_snapshots_is_said),
        KAFKA_TEST(C6_the_shortest_retention_says_how_often_a_snapshot_is_taken),
    };

    RUN_ON_KAFKA(argc, argv, tests, real);
}
