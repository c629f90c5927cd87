/*
 * Aim: what Kafka holds reaches the reader once, in order, from the right place on;
 * a proof of the end never comes while an acknowledged record is untaken; trouble is
 * said and survived. Method: the mock broker in a child process, a producer of our
 * own in this one, and waiting for conditions with a deadline. With the argument `real` the
 * cases that need no tricks of the mock run against the Kafka of the test run.
 */
#include "tests/kafka_reader.h"
#include <assert.h>
#include "ingest/kafka_internal.h" /* to make a client fail */

#define ASK_AGAIN_NS UINT64_C(17000000000) /* more than a join takes: sessions are 6 s */

static void every_record_arrives_once_and_in_order(void **state)
{
    (void)state;
    const char *topics[] = {named("order")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    int next[3] = {0, 0, 0};

    make_topic(topics[0], 3);
    for (int p = 0; p < 3; p++)
        send_numbers(producer, topics[0], p, 0, 5000);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 3);
    for (int i = 0; i < 3; i++) {
        struct feed *feed = reader.feeds[i];
        assert_int_equal(feed->start_offset, 0);
        WAIT_FOR(take_up_to(feed, &next[i], 5000));
    }
    /* Again after an idle spell, on one partition alone. */
    struct feed *last = NULL;
    for (int i = 0; i < 3; i++)
        if (reader.feeds[i]->partition == 2)
            last = reader.feeds[i];
    int go_on = 5000;
    assert_non_null(last);
    assert(last != NULL); /* for the analyzer */
    send_numbers(producer, topics[0], 2, 5000, 5001);
    WAIT_FOR(take_up_to(last, &go_on, 5001));
    assert_int_equal(last->ops->lag(last), 0);
    struct error why;
    assert_true(reader.source->ops->ready(reader.source, &why));
}

static void a_feed_that_is_not_taken_from_keeps_no_other_feed_waiting(void **state)
{
    (void)state;
    const char *topics[] = {named("pause")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    int next = 0;

    make_topic(topics[0], 2);
    send_numbers(producer, topics[0], 0, 0, 1000);
    send_numbers(producer, topics[0], 1, 0, 1000);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 2);
    WAIT_FOR(take_up_to(reader.feeds[1], &next, 1000));
    next = 0;
    WAIT_FOR(take_up_to(reader.feeds[0], &next, 1000));
}

/* Whether brokers hold `offset` for the group by now. What a source tells them at its close is
 * advisory (D5): it waits 1.5 s for the answer. */
static bool brokers_hold(const struct kafka_config *config, int64_t offset)
{
    struct kafka_config asking = *config;
    struct reader reader;

    asking.read_only = true;
    asking.began_at = NULL;
    reader_open(&reader, &asking);
    WAIT_FOR(reader_changes(&reader) == 1);
    bool they_do = reader.feeds[0]->start_offset == offset;
    reader_close(&reader);
    return they_do;
}

enum { LIVES_MOST = 20 };

/* Reads from `from` up to `to`, says that `low` is done with, and ends: again until brokers know.
 */
static void read_until_they_hold(struct kafka_config *config, int from, int to, int64_t low)
{
    int lives = 0;

    do {
        struct reader reader;
        int next = from;
        assert_in_range(++lives, 1, LIVES_MOST);
        reader_open(&reader, config);
        WAIT_FOR(reader_changes(&reader) == 1);
        assert_int_equal(reader.feeds[0]->start_offset, from);
        WAIT_FOR(take_up_to(reader.feeds[0], &next, to));
        reader.source->ops->position(reader.source, reader.feeds[0], low);
        reader_close(&reader);
    } while (!brokers_hold(config, low));
}

static void start_decides_once_and_committed_offsets_decide_later(void **state)
{
    (void)state;
    const char *topics[] = {named("start")};
    struct kafka_config config = config_for(topics, 1, "latest", topics[0]);
    struct kafka_producer *producer = producer_open();
    struct reader reader;

    make_topic(topics[0], 1);
    send_numbers(producer, topics[0], 0, 0, 10);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    assert_int_equal(reader.feeds[0]->start_offset, 10);
    reader_close(&reader);

    /* "latest" was resolved to 10 and written down: it is 10 again, not 20. */
    send_numbers(producer, topics[0], 0, 10, 20);
    read_until_they_hold(&config, 10, 20, 15);

    config.read_only = true;
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    assert_int_equal(reader.feeds[0]->start_offset, 15);
    reader_close(&reader);

    config.from_start = true;
    config.start = "earliest";
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    assert_int_equal(reader.feeds[0]->start_offset, 0);
}

static bool begins_at(void *self, const char *topic, int32_t partition, int64_t *offset)
{
    (void)topic, (void)partition;
    *offset = *(int64_t *)self;
    return true;
}

/* What brokers hold of the group is further on, or further back, than what the journal knows. */
static void D5_what_the_journal_knows_goes_before_committed_offsets(void **state)
{
    (void)state;
    const char *topics[] = {named("advisory")};
    struct kafka_config config = config_for(topics, 1, "latest", topics[0]);
    struct kafka_producer *producer = producer_open();
    int64_t known[] = {3, 18, 7};
    struct reader reader;

    make_topic(topics[0], 1);
    send_numbers(producer, topics[0], 0, 0, 20);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        config.began_at = begins_at;
        config.began_at_self = &known[i];
        read_until_they_hold(&config, (int)known[i], 20, i == 0 ? 15 : 20);
    }
    config.began_at = NULL;
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    assert_int_equal(reader.feeds[0]->start_offset, 20);
}

static struct pour {
    struct kafka_producer *producer;
    const char *topic;
    atomic_int acknowledged; /* records below this one are */
    uint64_t at_ns[1 << 20]; /* record n was by then; written before the count moves */
    atomic_bool stop;
    pthread_t thread;
    bool runs;
} pour;

/* Single records with pauses from nothing to some milliseconds: each may fall
 * between any two steps of a probe. */
static void *pour_run(void *unused)
{
    unsigned seed = 7;

    for (int i = 0; !atomic_load(&pour.stop); i++) {
        send_numbers(pour.producer, pour.topic, 0, i, i + 1);
        pour.at_ns[i] = host_mono_ns();
        atomic_store(&pour.acknowledged, i + 1);
        for (int n = rand_r(&seed) % 30; n > 0; n--)
            nap();
    }
    return unused;
}

static void pour_begin(const char *topic)
{
    pour.producer = producer_open();
    pour.topic = topic;
    pour.runs = pthread_create(&pour.thread, NULL, pour_run, NULL) == 0;
    assert_true(pour.runs);
}

static int pour_end(void **state)
{
    atomic_store(&pour.stop, true);
    if (pour.runs)
        pthread_join(pour.thread, NULL);
    pour.runs = false;
    return close_all(state);
}

static void no_proof_while_an_acknowledged_record_is_untaken(void **state)
{
    (void)state;
    const char *topics[] = {named("proof")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct reader reader;
    uint64_t proof_ns, last_ns = 0;
    int next = 0, proofs = 0;

    config.probe_ms = 1;
    make_topic(topics[0], 1);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    pour_begin(topics[0]);
    uint64_t until_ns = host_mono_ns() + (uint64_t)DEADLINE_S * 1000000000u;
    while (next < 150 || proofs < 100) {
        if (host_mono_ns() > until_ns)
            fail_msg("%d records and %d proofs only", next, proofs);
        take_numbers(feed, &next);
        if (feed->ops->end_proof(feed, &proof_ns)) {
            proofs += proof_ns != last_ns;
            assert_true(proof_ns >= last_ns);
            assert_true(proof_ns <= host_mono_ns());
            int acknowledged = atomic_load(&pour.acknowledged);
            while (acknowledged > 0 && pour.at_ns[acknowledged - 1] >= proof_ns)
                acknowledged--; /* after the proof's time: it says nothing about these */
            assert_true(acknowledged <= next);
            last_ns = proof_ns;
        } else {
            nap();
        }
    }
}

static void records_that_are_gone_stop_the_partition_or_are_skipped(void **state)
{
    (void)state;
    const char *topics[] = {named("gone")};
    struct kafka_config config = config_for(topics, 1, "earliest", "g-gone");
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    struct kafka_counters counters;
    struct error err = {""};
    static char big[64 << 10];

    make_topic(topics[0], 1);
    send_numbers(producer, topics[0], 0, 0, 10);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    reader_close(&reader); /* offset 0 is committed */

    /* The mock keeps 5 MiB: 200 records of 64 KiB push the first ones out. */
    memset(big, 'x', sizeof(big));
    for (int i = 0; i < 200; i++)
        assert_int_equal(kafka_producer_send(producer, topics[0], 0, NULL, 0, big, sizeof(big),
                                             1700000000000, &err),
                         0);
    assert_int_equal(kafka_producer_flush(producer, 20000, &err), 0);

    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    assert_int_equal(reader.feeds[0]->ops->state(reader.feeds[0]), FEED_STOPPED);
    assert_int_equal(reader.feeds[0]->start_offset, 0);
    assert_true(has_line(reader.lines, "gone/0: records 0 to "));
    kafka_source_counters(reader.source, &counters);
    assert_true(counters.lost > 100);
    uint64_t lost = counters.lost;
    reader_close(&reader);

    config.accept_gap = true;
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    assert_int_equal(feed->ops->state(feed), FEED_LIVE);
    assert_int_equal(feed->start_offset, (int64_t)lost);
    const struct record *records;
    size_t count;
    WAIT_FOR((count = feed->ops->take(feed, &records, 1)) == 1);
    assert_int_equal(records[0].offset, (int64_t)lost);
    feed->ops->release(feed);
}

/* Retention overtakes a reader that is at work: the engine paused it, say. */
static void records_that_vanish_before_a_slow_reader_stop_its_partition(void **state)
{
    (void)state;
    static const struct kafka_option options[] = {{"queued.min.messages", "1"},
                                                  {"fetch.message.max.bytes", "65536"}};
    const char *topics[] = {named("vanish")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    struct kafka_counters counters;
    struct error err = {""};
    const struct record *records;
    static char big[32 << 10];
    int64_t next = 0;

    config.options = options; /* next to nothing is fetched ahead */
    config.option_count = 2;
    make_topic(topics[0], 1);
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            kafka_producer_send(producer, topics[0], 0, NULL, 0, big, sizeof(big), 1, &err), 0);
    assert_int_equal(kafka_producer_flush(producer, 20000, &err), 0);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    WAIT_FOR(feed->ops->take(feed, &records, 1) == 1);
    next = records[0].offset + 1;
    feed->ops->release(feed);
    for (int i = 0; i < 900; i++)
        assert_int_equal(
            kafka_producer_send(producer, topics[0], 0, NULL, 0, big, sizeof(big), 1, &err), 0);
    assert_int_equal(kafka_producer_flush(producer, 20000, &err), 0);
    uint64_t until_ns = host_mono_ns() + (uint64_t)DEADLINE_S * 1000000000u;
    while (feed->ops->state(feed) != FEED_STOPPED && host_mono_ns() < until_ns) {
        size_t count = feed->ops->take(feed, &records, 1);
        if (count == 1)
            next = records[0].offset + 1;
        feed->ops->release(feed);
        if (count == 0)
            nap();
    }
    assert_int_equal(feed->ops->state(feed), FEED_STOPPED);
    char line[200];
    snprintf(line, sizeof(line), "%s/0: records %d to ", topics[0], (int)next);
    assert_true(has_line(reader.lines, line));
    WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.lost > 0));
}

/* Takes the hold off that an attempt to make the clients anew puts on a feed; true if there was
 * one. */
static bool hold_lifted(struct feed *base)
{
    struct kafka_feed *feed = (struct kafka_feed *)base;

    pthread_mutex_lock(&feed->lock);
    bool held = feed->hold;
    feed->hold = false;
    pthread_mutex_unlock(&feed->lock);
    return held;
}

static void a_fatal_error_makes_the_clients_anew_and_loses_nothing(void **state)
{
    (void)state;
    const char *topics[] = {named("fatal")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    struct kafka_counters counters;
    int next = 0;

    make_topic(topics[0], 1);
    send_numbers(producer, topics[0], 0, 0, 1000);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    WAIT_FOR(take_up_to(feed, &next, 200));

    /* One batch is out while the client dies: it must stay readable until its release. */
    const struct record *records;
    WAIT_FOR(feed->ops->take(feed, &records, 1) == 1);
    rd_kafka_test_fatal_error(((struct kafka_source *)reader.source)->fetch,
                              RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "made by a test");
    WAIT_FOR(has_line(reader.lines, "made by a test"));
    /* The service thread tries, sees the batch, leaves it at that, and tries again. */
    for (int attempt = 0; attempt < 2; attempt++) {
        WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.rebuilds > 0) ||
                 hold_lifted(feed));
        assert_int_equal(counters.rebuilds, 0);
    }
    assert_int_equal(records[0].offset, next);
    assert_memory_equal(records[0].payload, "record ", 7);
    feed->ops->release(feed);
    next++;

    WAIT_FOR((kafka_source_counters(reader.source, &counters), counters.rebuilds == 1));
    WAIT_FOR(take_up_to(feed, &next, 1000));
    send_numbers(producer, topics[0], 0, 1000, 1010);
    WAIT_FOR(take_up_to(feed, &next, 1010));
    WAIT_FOR(is_proven_after(feed, &next, 0));
    assert_int_equal(reader.left_count, 0);
}

/* Takes, as an engine does: while something that was fetched waits to be taken, be it the note that
 * the log ends here, a feed can be read. */
static bool is_in_state(struct feed *feed, int *next, enum feed_state wanted)
{
    take_numbers(feed, next);
    return feed->ops->state(feed) == wanted;
}

static void a_broker_that_goes_and_comes_is_survived(void **state)
{
    (void)state;
    const char *topics[] = {named("away")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    struct error why = {""};
    uint64_t proof_ns;
    int next = 0;

    config.unreachable_ms = 500;
    config.say_ms = 100;
    make_topic(topics[0], 1);
    send_numbers(producer, topics[0], 0, 0, 10);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 1);
    struct feed *feed = reader.feeds[0];
    WAIT_FOR(take_up_to(feed, &next, 10));
    WAIT_FOR(is_proven_after(feed, &next, 0));
    send_numbers(producer, topics[0], 0, 10, 11);
    /* It, and the note that the log ends: before it if that was not taken yet, or behind it. */
    WAIT_FOR(rd_kafka_queue_length(((struct kafka_feed *)feed)->queue) >= 2);

    assert_true(mock_process_do(&mock, "down"));
    uint64_t down_ns = host_mono_ns();
    WAIT_FOR(!reader.source->ops->ready(reader.source, &why));
    assert_non_null(strstr(why.text, "has answered for"));
    WAIT_FOR(is_in_state(feed, &next, FEED_UNREADABLE));
    assert_int_equal(next, 11);
    /* The last proof may still be told, a newer one may not. */
    if (feed->ops->end_proof(feed, &proof_ns))
        assert_true(proof_ns <= down_ns);
    assert_true(has_line(reader.lines, mock.address));

    assert_true(mock_process_do(&mock, "up"));
    uint64_t up_ns = host_mono_ns();
    WAIT_FOR(reader.source->ops->ready(reader.source, &why));
    WAIT_FOR(is_in_state(feed, &next, FEED_LIVE));
    send_numbers(producer, topics[0], 0, 11, 20);
    WAIT_FOR(take_up_to(feed, &next, 20));
    WAIT_FOR(is_proven_after(feed, &next, up_ns));
    /* Metadata were asked for many times by now; the mock's version cannot say "make no topic". */
    assert_false(has_line(reader.lines, "AUTOCREATE"));
}

/* The source does not set it, see make_client(). */
static void a_reader_makes_no_topics_by_librdkafkas_default(void **state)
{
    (void)state;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char value[16];
    size_t bytes = sizeof(value);

    assert_int_equal(rd_kafka_conf_get(conf, "allow.auto.create.topics", value, &bytes),
                     RD_KAFKA_CONF_OK);
    assert_string_equal(value, "false");
    rd_kafka_conf_destroy(conf);
}

/* How long a source takes to close whose broker is gone. */
static unsigned close_without_broker(const char *const topics[2], bool is_grouped)
{
    struct kafka_config config = config_for(topics, 2, "earliest", "g-leave");
    struct reader reader;
    struct error why = {""};

    config.mode = is_grouped ? KAFKA_GROUP : KAFKA_ASSIGN;
    config.unreachable_ms = 500;
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 4);
    WAIT_FOR(reader.source->ops->ready(reader.source, &why));
    reader.source->ops->position(reader.source, reader.feeds[0], is_grouped ? 2 : 1);
    assert_true(mock_process_do(&mock, "down"));
    WAIT_FOR(!reader.source->ops->ready(reader.source, &why));
    uint64_t begin_ns = host_mono_ns();
    reader_close(&reader);
    uint64_t took_ms = (host_mono_ns() - begin_ns) / 1000000u;
    assert_true(mock_process_do(&mock, "up"));
    print_message("%s: closed after %u ms\n", is_grouped ? "group" : "assign", (unsigned)took_ms);
    return (unsigned)took_ms;
}

/* The client libraries wait for brokers when they are let to. Measured: 48 s and more. A machine
 * that stands still makes a close late as well, but not each of them. */
static void a_source_whose_broker_is_gone_closes_soon(void **state)
{
    (void)state;
    enum { SOON_MS = 5000, TRIES = 4 }; /* one wait for an answer may be under way: KAFKA_CALL_MS */
    const char *topics[] = {"leave-a", "leave-b"};
    struct kafka_producer *producer = producer_open();

    make_topic(topics[0], 2);
    make_topic(topics[1], 2);
    send_numbers(producer, topics[0], 0, 0, 10);
    for (int grouped = 0; grouped < 2; grouped++) {
        bool is_soon = false;
        for (int i = 0; i < TRIES && !is_soon; i++)
            is_soon = close_without_broker(topics, grouped == 1) < SOON_MS;
        assert_true(is_soon);
    }
}

static void an_unreachable_broker_is_said_and_not_ready(void **state)
{
    (void)state;
    const char *topics[] = {named("any")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    struct reader reader;
    struct error why = {""};

    config.brokers = "127.0.0.1:1"; /* nobody listens on port 1 */
    reader_open(&reader, &config);
    assert_false(reader.source->ops->ready(reader.source, &why));
    assert_non_null(strstr(why.text, "no Kafka broker of 127.0.0.1:1 has answered"));
    WAIT_FOR(has_line(reader.lines, "127.0.0.1:1"));
    assert_int_equal(reader_changes(&reader), 0);
    WAIT_FOR(!reader.source->ops->ready(reader.source, &why) && strstr(why.text, "yet: ") != NULL);
    assert_non_null(strstr(why.text, "Connection refused"));
    assert_null(strstr(why.text, "after")); /* no timings, so that the sentence stays the same */
}

static void a_client_that_cannot_be_made_is_said_and_not_ready(void **state)
{
    (void)state;
    const char *topics[] = {named("any")};
    struct kafka_config config = config_for(topics, 1, "earliest", NULL);
    const struct kafka_option options[] = {{"security.protocol", "ssl"},
                                           {"ssl.ca.location", "/nonexistent/ca.pem"}};
    struct reader reader;
    struct error why = {""};

    config.options = options;
    config.option_count = 2;
    reader_open(&reader, &config);
    WAIT_FOR(!reader.source->ops->ready(reader.source, &why) &&
             strstr(why.text, "yet: cannot make a Kafka client: ") != NULL);
    assert_non_null(strstr(why.text, "ssl.ca.location"));
}

/* The mock, late by a second itself, ends the session of a member that waits for its JoinGroup, and
 * forgets that it owes an answer; a client asks again after five minutes (max.poll.interval.ms), or
 * at once when its connection is gone. A broker answers whoever waits. */
static bool is_asked_again(uint64_t *due_ns)
{
    if (!is_real && host_mono_ns() > *due_ns) {
        assert_true(mock_process_do(&mock, "down"));
        assert_true(mock_process_do(&mock, "up"));
        *due_ns = host_mono_ns() + ASK_AGAIN_NS;
    }
    return false;
}

#define WAIT_FOR_GROUP(condition)                                                                  \
    do {                                                                                           \
        uint64_t due_ns = host_mono_ns() + ASK_AGAIN_NS;                                           \
        WAIT_FOR((condition) || is_asked_again(&due_ns));                                          \
    } while (0)

static void one_member_owns_everything_and_another_takes_over(void **state)
{
    (void)state;
    const char *topics[] = {named("own-b"), named("own-a")};
    struct kafka_config config = config_for(topics, 2, "earliest", topics[0]);
    struct kafka_producer *producer = producer_open();
    struct reader one, two;
    struct reader *owner, *standby;
    struct error why = {""};

    /* The mock notices a member that left only when its session is over. */
    static const struct kafka_option options[] = {{"session.timeout.ms", "6000"},
                                                  {"heartbeat.interval.ms", "500"}};
    config.mode = KAFKA_GROUP;
    config.options = options;
    config.option_count = 2;
    make_topic(topics[1], 2);
    make_topic(topics[0], 3);
    send_numbers(producer, topics[1], 1, 0, 100);
    reader_open(&one, &config);
    reader_open(&two, &config);
    WAIT_FOR_GROUP(reader_changes(&one) + reader_changes(&two) == 5 &&
                   (one.feed_count == 5 || two.feed_count == 5));
    owner = one.feed_count == 5 ? &one : &two;
    standby = owner == &one ? &two : &one;
    WAIT_FOR(owner->source->ops->ready(owner->source, &why));
    WAIT_FOR(!standby->source->ops->ready(standby->source, &why) &&
             strstr(why.text, "standing by") != NULL);

    for (size_t i = 0; i < 5; i++)
        if (strcmp(owner->feeds[i]->topic, topics[1]) == 0 && owner->feeds[i]->partition == 1) {
            int next = 0;
            WAIT_FOR(take_up_to(owner->feeds[i], &next, 100));
            owner->source->ops->position(owner->source, owner->feeds[i], 60);
        }
    reader_close(owner);
    WAIT_FOR_GROUP(reader_changes(standby) == 5);
    for (size_t i = 0; i < 5; i++) {
        bool is_read =
            strcmp(standby->feeds[i]->topic, topics[1]) == 0 && standby->feeds[i]->partition == 1;
        assert_int_equal(standby->feeds[i]->start_offset, is_read ? 60 : 0);
        assert_true(standby->feeds[i]->is_continued); /* the owner has committed where it began */
    }
}

/* The group has decided anew: the owner let go of its partitions, and one of them has them. */
static bool is_decided(struct reader *owner, struct reader *joiner, size_t left_count)
{
    size_t owned = reader_changes(owner);

    return reader_changes(joiner) == 2 || (owner->left_count >= left_count && owned == 2);
}

/* Each joins in the hope of coming first; brokers name members at random. */
static void a_member_that_joins_does_not_take_over(void **state)
{
    (void)state;
    enum { JOINERS = 5 };
    static const struct kafka_option options[] = {{"session.timeout.ms", "6000"},
                                                  {"heartbeat.interval.ms", "200"}};
    const char *topics[] = {named("keep")};
    struct kafka_config config = config_for(topics, 1, "earliest", topics[0]);
    struct reader owner, joiner[JOINERS];

    config.mode = KAFKA_GROUP;
    config.options = options;
    config.option_count = 2;
    make_topic(topics[0], 2);
    reader_open(&owner, &config);
    WAIT_FOR(reader_changes(&owner) == 2);
    for (int i = 0; i < 2; i++)
        assert_false(owner.feeds[i]->is_continued);
    for (int i = 0; i < JOINERS; i++) {
        nap(); /* not opened within the same millisecond */
        reader_open(&joiner[i], &config);
        WAIT_FOR(is_decided(&owner, &joiner[i], 2 * (size_t)(i + 1)));
        assert_int_equal(joiner[i].feed_count, 0);
        assert_int_equal(owner.feed_count, 2);
        for (int f = 0; f < 2; f++) /* the same log, whatever was read of it */
            assert_true(owner.feeds[f]->is_continued && !owner.feeds[f]->is_gone);
    }
}

/* T8: 4 partitions become 6 while records come; the new ones are read from offset 0. */
static void partitions_that_are_added_under_load_join_from_their_first_record(void **state)
{
    (void)state;
    const char *topics[] = {named("grow")};
    struct kafka_config config = config_for(topics, 1, "latest", topics[0]);
    struct kafka_producer *producer = producer_open();
    struct reader reader;
    int next[6] = {0};

    config.metadata_ms = 300;
    make_topic(topics[0], 4);
    reader_open(&reader, &config);
    WAIT_FOR(reader_changes(&reader) == 4);
    for (int p = 0; p < 4; p++)
        send_numbers(producer, topics[0], p, 0, 1000);
    make_topic(topics[0], 6);
    /* Before the source may know of them. A producer of its own learns of them at once. */
    struct kafka_producer *fresh = producer_open();
    for (int p = 0; p < 6; p++)
        send_numbers(fresh, topics[0], p, p < 4 ? 1000 : 0, 2000);
    WAIT_FOR(reader_changes(&reader) == 6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(reader.feeds[i]->start_offset, 0);
        WAIT_FOR(take_up_to(reader.feeds[i], &next[i], 2000));
    }
    assert_int_equal(reader.left_count, 0);
}

static void wrong_configuration_is_refused_with_a_sentence(void **state)
{
    (void)state;
    static const char *const topic[] = {"a"};
    static const char *const twice[] = {"a", "a"};
    static const char *const pattern[] = {"^a.*"};
    static const struct {
        const char *brokers;
        const char *const *topics;
        size_t topic_count;
        enum kafka_mode mode;
        const char *start;
        struct kafka_option option;
        const char *sentence;
    } rows[] = {
        {"", topic, 1, KAFKA_ASSIGN, "latest", {NULL, NULL}, "no brokers are named"},
        {"b:1", topic, 0, KAFKA_ASSIGN, "latest", {NULL, NULL}, "no topic is named"},
        {"b:1", twice, 2, KAFKA_ASSIGN, "latest", {NULL, NULL}, "a is named twice"},
        {"b:1", pattern, 1, KAFKA_ASSIGN, "latest", {NULL, NULL}, "is no topic name"},
        {"b:1", topic, 1, KAFKA_GROUP, "latest", {NULL, NULL}, "needs the name of a group"},
        {"b:1", topic, 1, KAFKA_ASSIGN, "yesterday", {NULL, NULL}, "start \"yesterday\""},
        {"b:1", topic, 1, KAFKA_ASSIGN, "2026-02-30T00:00:00+1:00", {NULL, NULL}, "start"},
        {"b:1",
         topic,
         1,
         KAFKA_ASSIGN,
         "latest",
         {"enable.auto.commit", "true"},
         "enable.auto.commit cannot be set"},
        {"b:1",
         topic,
         1,
         KAFKA_ASSIGN,
         "latest",
         {"allow.auto.create.topics", "true"},
         "allow.auto.create.topics cannot be set"},
        {"b:1",
         topic,
         1,
         KAFKA_ASSIGN,
         "latest",
         {"plugin.library.paths", "x"},
         "plugin.library.paths cannot be set"},
        {"b:1",
         topic,
         1,
         KAFKA_ASSIGN,
         "latest",
         {"security.protocol", "carrier-pigeon"},
         "security.protocol"},
        {"b:1",
         topic,
         1,
         KAFKA_ASSIGN,
         "latest",
         {"sasl.mechanism", "SCRAM-SHA-1024"},
         "sasl.mechanism: the value is none of PLAIN"},
        {"b:1",
         topic,
         1,
         KAFKA_ASSIGN,
         "latest",
         {"sasl.password", "env:TOCSIN_NO_SUCH"},
         "TOCSIN_NO_SUCH is not set"},
        {"b:1",
         topic,
         1,
         KAFKA_ASSIGN,
         "latest",
         {"sasl.password", "file:/nonexistent"},
         "/nonexistent: No such file"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kafka_config config;
        struct error err = {""};

        kafka_config_init(&config);
        config.brokers = rows[i].brokers;
        config.topics = rows[i].topics;
        config.topic_count = rows[i].topic_count;
        config.mode = rows[i].mode;
        config.start = rows[i].start;
        config.options = &rows[i].option;
        config.option_count = rows[i].option.key != NULL;
        assert_int_equal(kafka_config_check(&config, &err), -22);
        if (strstr(err.text, rows[i].sentence) == NULL)
            fail_msg("row %zu says: %s", i, err.text);
    }
}

static void times_are_read_with_zone_and_fraction(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms; /* worked out by hand from 2026-01-31T00:00:00Z = 20484 days */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-31T10:00:00Z", (int64_t)20484 * 86400000 + 10 * 3600000},
        {"2026-01-31T10:00:00.2509Z", (int64_t)20484 * 86400000 + 10 * 3600000 + 250},
        {"2026-01-31T10:00:00+01:30", (int64_t)20484 * 86400000 + 8 * 3600000 + 1800000},
        {"2026-01-30T23:00:00-01:00", (int64_t)20484 * 86400000},
        {"1700000000123", 1700000000123},
    };
    int64_t ms;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(kafka_time_parse(rows[i].text, &ms), 0);
        assert_int_equal(ms, rows[i].ms);
    }
    assert_int_not_equal(kafka_time_parse("", &ms), 0);
    assert_int_not_equal(kafka_time_parse("2026-01-31T10:00:00", &ms), 0);
    assert_int_not_equal(kafka_time_parse("2026-13-31T10:00:00Z", &ms), 0);
    assert_int_not_equal(kafka_time_parse("2026-01-31T10:00:00Zx", &ms), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        KAFKA_TEST(wrong_configuration_is_refused_with_a_sentence),
        KAFKA_TEST(times_are_read_with_zone_and_fraction),
        KAFKA_TEST(an_unreachable_broker_is_said_and_not_ready),
        KAFKA_TEST(a_client_that_cannot_be_made_is_said_and_not_ready),
        KAFKA_TEST(every_record_arrives_once_and_in_order),
        KAFKA_TEST(a_feed_that_is_not_taken_from_keeps_no_other_feed_waiting),
        KAFKA_TEST(start_decides_once_and_committed_offsets_decide_later),
        KAFKA_TEST(D5_what_the_journal_knows_goes_before_committed_offsets),
        cmocka_unit_test_teardown(no_proof_while_an_acknowledged_record_is_untaken, pour_end),
        KAFKA_TEST(records_that_are_gone_stop_the_partition_or_are_skipped),
        KAFKA_TEST(records_that_vanish_before_a_slow_reader_stop_its_partition),
        KAFKA_TEST(a_fatal_error_makes_the_clients_anew_and_loses_nothing),
        KAFKA_TEST(a_broker_that_goes_and_comes_is_survived),
        KAFKA_TEST(a_reader_makes_no_topics_by_librdkafkas_default),
        KAFKA_TEST(a_source_whose_broker_is_gone_closes_soon),
        KAFKA_TEST(one_member_owns_everything_and_another_takes_over),
    };
    const struct CMUnitTest real[] = {
        KAFKA_TEST(every_record_arrives_once_and_in_order),
        KAFKA_TEST(a_feed_that_is_not_taken_from_keeps_no_other_feed_waiting),
        KAFKA_TEST(start_decides_once_and_committed_offsets_decide_later),
        KAFKA_TEST(D5_what_the_journal_knows_goes_before_committed_offsets),
        cmocka_unit_test_teardown(no_proof_while_an_acknowledged_record_is_untaken, pour_end),
        KAFKA_TEST(one_member_owns_everything_and_another_takes_over),
        KAFKA_TEST(a_member_that_joins_does_not_take_over),
        KAFKA_TEST(partitions_that_are_added_under_load_join_from_their_first_record),
    };

    RUN_ON_KAFKA(argc, argv, tests, real);
}
