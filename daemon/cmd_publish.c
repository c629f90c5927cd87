/*
 * cmd_publish.c - `tocsin publish`: recorded input back into Kafka.
 *
 * The opposite of `tocsin record`, and a way of feeding files of events to a running
 * daemon with their own times: Kafka keeps the log times of the input, so a replay of the
 * files and a run on the topic read the same log. A line of JSON has no log time; it gets
 * the time of its first event, which is also what a replay takes (docs/correlation.md,
 * section 1).
 *
 * A line that is no JSON is most often the wrong file: it ends the command, and before anything is
 * published where it is the first. JSON that is no event is published, as what a daemon rejects has
 * to come from somewhere, and told.
 *
 * One thread goes through all partitions at once, always on with the one whose next record
 * has the least log time: a daemon that reads along then sees no partition far ahead.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/plural.h"
#include "daemon/commands.h"
#include "daemon/interrupt.h"
#include "daemon/options.h"
#include "daemon/replay_input.h"
#include "daemon/setting_list.h"
#include "daemon/units.h"
#include "ingest/decoder.h"
#include "ingest/kafka_producer.h"
#include "ingest/recording_source.h"

enum {
    TAKE = 512,
    FEEDS_MAX = 4096,
    LINGER_MS = 5,
    LOOK_MS = 200, /* between looks whether brokers acknowledge, and a person wants to go on */
};

struct publish_options {
    struct option_list files; /* first: the arguments */
    const char *brokers;
    const char *topic;
    const char *compression;
    struct option_list settings;
    int64_t silence_ms;
    bool is_raw, is_quiet;
};

static const struct option_row rows[] = {
    {"--brokers", OPTION_BROKERS, offsetof(struct publish_options, brokers), "HOST:PORT,...", NULL,
     "Where to connect first.", .min = 0},
    {"--topic", OPTION_TEXT, offsetof(struct publish_options, topic), "NAME", NULL,
     "Topic for all records, with at least as many partitions as the input. Without it a recording "
     "goes to the topics of its own.",
     .min = 0},
    {"--compression", OPTION_TEXT, offsetof(struct publish_options, compression), "NAME", "none",
     "none, lz4, zstd, gzip or snappy.", .min = 0},
    {"--set", OPTION_LIST, offsetof(struct publish_options, settings), "KEY=VALUE", NULL,
     "A librdkafka property for the connection, such as security.protocol, ssl.* and sasl.*; the "
     "value may be env:NAME or file:PATH. May be given again.",
     .min = 0},
    {"--silence", OPTION_DURATION, offsetof(struct publish_options, silence_ms), "TIME", "10s",
     "Gives up when brokers have said nothing for so long.", .min = 1, .max = 3600000},
    {"--raw", OPTION_FLAG, offsetof(struct publish_options, is_raw), NULL, NULL,
     "Lines of JSON files go there whatever they are.", .min = 0},
    {"--quiet", OPTION_FLAG, offsetof(struct publish_options, is_quiet), NULL, NULL,
     "No figures at the end.", .min = 0},
};

static const struct option_table table = {
    .command = "publish",
    .usage = "--brokers HOST:PORT --topic NAME [options] FILE...",
    .about =
        "Puts recorded input into Kafka: each record into the partition it came from, with its\n"
        "key and log time. FILE is a recording (.trec), a log written as text (.tlog), or events "
        "as\n"
        "JSON lines; files of JSON lines are partitions 0, 1, ... in the order given, each line\n"
        "with the time of its first event as log time. The topic must keep old records\n"
        "(retention.ms=-1) and take the sender's times (message.timestamp.type=CreateTime).",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .arguments_min = 1,
    .arguments_max = OPTION_LIST_MAX,
    .arguments_offset = offsetof(struct publish_options, files),
    .exits = "0 64 65 66 69 71",
};

/* One partition of the input and the batch that was taken from it. */
struct track {
    struct feed *feed;
    const struct record *records;
    size_t count, next;
    int64_t time_ms; /* of the next record; LOG_TIME_NONE where nothing tells it */
};

struct publisher {
    struct publish_options options;
    struct replay_input *input;
    struct kafka_producer *producer;
    struct decoder *decoder;
    struct track *tracks;
    size_t track_count; /* those that have records left */
    uint64_t record_count, payload_bytes, undated_count;
    uint64_t reject_count; /* lines that are no events */
    char first_reject[400];
    bool is_lines; /* files of JSON lines */
    struct error err;
};

/* "a.json:5" */
static void put_place(const struct publisher *publisher, const struct track *track, char *to,
                      size_t bytes)
{
    const char *path = publisher->options.files.item[track->feed->partition];

    snprintf(to, bytes, "%.200s:%" PRId64, strcmp(path, "-") == 0 ? "standard input" : path,
             track->records[track->next].offset + 1);
}

/* A line that is no event. 0 when it goes into the topic all the same, or -EBADMSG. */
static int reject(struct publisher *publisher, const struct track *track,
                  const struct decode_result *decoded)
{
    char place[240];

    put_place(publisher, track, place, sizeof(place));
    if (decoded->reason == REJECT_PARSE && !publisher->options.is_raw) {
        char before[64] = "nothing was published";
        if (publisher->record_count > 0)
            snprintf(before, sizeof(before), "of the lines before it %" PRIu64 " were published",
                     publisher->record_count);
        error_set(&publisher->err,
                  "%s: this line is no JSON: at byte %" PRIu32
                  ": %s; %s; --raw puts lines there as "
                  "they are",
                  place, decoded->at, decoded->why, before);
        return -EBADMSG;
    }
    if (publisher->reject_count++ == 0)
        snprintf(publisher->first_reject, sizeof(publisher->first_reject),
                 "%s: at byte %" PRIu32 ": %.100s", place, decoded->at, decoded->why);
    return 0;
}

/* A plain line is dated by its first event, and where that says nothing, by the line before.
 * 0, or -EBADMSG where it is not to be published. */
static int date(struct publisher *publisher, struct track *track)
{
    const struct record *record = &track->records[track->next];
    const struct decode_result *decoded;

    if (record->log_time_ms != LOG_TIME_NONE) {
        track->time_ms = record->log_time_ms;
        return 0;
    }
    if (record->payload == NULL)
        return 0;
    decoded = decoder_decode(publisher->decoder, FORMAT_AUTO, record->payload, record->bytes,
                             (struct text){.at = "default", .len = 7});
    if (decoded->reason == REJECT_NONE && decoded->draft_count > 0 && decoded->drafts[0].has_time)
        track->time_ms = decoded->drafts[0].time_ms;
    return decoded->reason != REJECT_NONE && publisher->is_lines ? reject(publisher, track, decoded)
                                                                 : 0;
}

/* Steps to the next record. 1 when there is one, 0 at the end, or a negative errno. */
static int advance(struct publisher *publisher, struct track *track)
{
    struct source *source = replay_input_source(publisher->input);
    struct feed *feed = track->feed;

    if (++track->next >= track->count) {
        feed->ops->release(feed);
        track->next = 0;
        track->count = feed->ops->take(feed, &track->records, TAKE);
    }
    if (track->count > 0) {
        int rc = date(publisher, track);
        return rc == 0 ? 1 : rc;
    }
    feed->ops->release(feed);
    if (feed->ops->state(feed) == FEED_FINISHED || interrupt_seen())
        return 0;
    if (source->ops->ready(source, &publisher->err))
        error_set(&publisher->err, "%s/%" PRId32 " gives no records, though it is not at its end",
                  feed->topic, feed->partition);
    return -EIO;
}

static int forward(struct publisher *publisher, const struct track *track)
{
    const struct record *record = &track->records[track->next];
    const char *topic =
        publisher->options.topic != NULL ? publisher->options.topic : track->feed->topic;
    uint32_t key_bytes = 0;
    const char *key = recording_source_key(track->feed, track->next, &key_bytes);
    /* 0 means "stamp it" to the client; so does a time that Kafka cannot hold. */
    int64_t time_ms = track->time_ms > 0 ? track->time_ms : 0;

    publisher->record_count++;
    publisher->payload_bytes += record->bytes;
    publisher->undated_count += time_ms == 0;
    return kafka_producer_send(publisher->producer, topic, track->feed->partition, key, key_bytes,
                               record->payload, record->bytes, time_ms, &publisher->err);
}

/* The track whose next record is the oldest, and in *limit_ms how far it may go on before
 * another one is older. */
static struct track *oldest(struct publisher *publisher, int64_t *limit_ms)
{
    struct track *found = &publisher->tracks[0];

    *limit_ms = INT64_MAX;
    for (size_t i = 1; i < publisher->track_count; i++) {
        struct track *track = &publisher->tracks[i];
        if (track->time_ms < found->time_ms) {
            *limit_ms = found->time_ms;
            found = track;
        } else if (track->time_ms < *limit_ms) {
            *limit_ms = track->time_ms;
        }
    }
    return found;
}

/* 0 or a negative errno. */
static int send_all(struct publisher *publisher)
{
    while (publisher->track_count > 0 && !interrupt_seen()) {
        int64_t limit_ms;
        struct track *track = oldest(publisher, &limit_ms);
        int rc;

        do {
            rc = forward(publisher, track);
            if (rc == 0)
                rc = advance(publisher, track);
        } while (rc == 1 && track->time_ms <= limit_ms && !interrupt_seen());
        if (rc < 0)
            return rc;
        if (rc == 0)
            *track = publisher->tracks[--publisher->track_count];
    }
    return 0;
}

/* "within 10s" of --silence. */
static const char *silence(const struct publisher *publisher, char to[UNIT_TEXT_BYTES])
{
    return unit_format_duration(publisher->options.silence_ms, to);
}

/* How many partitions a topic has; negative, with a sentence, where nobody says. */
static int count_partitions(struct publisher *publisher, const char *topic)
{
    const struct publish_options *options = &publisher->options;
    char within[UNIT_TEXT_BYTES];
    int known = kafka_producer_partitions(publisher->producer, topic, (unsigned)options->silence_ms,
                                          &publisher->err);

    if (known == -ETIMEDOUT)
        error_set(&publisher->err, "no broker of %s has answered within %s; nothing was published",
                  options->brokers, silence(publisher, within));
    return known;
}

/* Finds the partitions of the input and that the topics have them. Returns an exit code. */
static int prepare(struct publisher *publisher)
{
    struct source *source = replay_input_source(publisher->input);
    struct source_change changes[64];
    size_t count;

    while ((count = source->ops->changes(source, changes, 64)) > 0)
        for (size_t i = 0; i < count; i++) {
            struct feed *feed = changes[i].feed;
            const char *topic =
                publisher->options.topic != NULL ? publisher->options.topic : feed->topic;
            struct track *track = &publisher->tracks[publisher->track_count];
            int known;

            if (publisher->track_count == FEEDS_MAX) {
                error_set(&publisher->err, "more than %d partitions", FEEDS_MAX);
                return EXIT_DATA;
            }
            known = count_partitions(publisher, topic);
            if (known < 0)
                return EXIT_UNAVAILABLE;
            if (feed->partition >= known) {
                error_set(
                    &publisher->err,
                    "the topic %s has %d partitions, and the input has one of number %" PRId32,
                    topic, known, feed->partition);
                return EXIT_UNAVAILABLE;
            }
            *track = (struct track){.feed = feed, .time_ms = LOG_TIME_NONE};
            known = advance(publisher, track);
            if (known < 0)
                return EXIT_DATA;
            publisher->track_count += known > 0;
        }
    return EXIT_OK;
}

static int open_input(struct publisher *publisher)
{
    const struct publish_options *options = &publisher->options;
    const char *topic = options->topic != NULL ? options->topic : "events";

    int rc = replay_input_open(options->files.item, options->files.count, topic, NULL,
                               &publisher->input, &publisher->err);

    publisher->is_lines = rc == 0 && replay_input_is_lines(publisher->input);
    return replay_input_exit_code(rc);
}

static int open_producer(struct publisher *publisher)
{
    const struct publish_options *options = &publisher->options;
    struct kafka_option settings[OPTION_LIST_MAX] = {{NULL, NULL}};
    struct kafka_producer_config config = {
        .brokers = options->brokers,
        .options = settings,
        .option_count = options->settings.count,
        .linger_ms = LINGER_MS,
        .compression = options->compression,
    };
    int rc = setting_list_split(&options->settings, settings, &publisher->err);

    if (rc == 0)
        rc = kafka_producer_create(&config, &publisher->producer, &publisher->err);
    setting_list_release(settings, options->settings.count);
    return rc == 0 ? EXIT_OK : rc == -ENOMEM ? EXIT_SYSTEM : EXIT_USAGE;
}

/* Waits for the acknowledgements as long as some come. Returns an exit code. */
static int wait_for_brokers(struct publisher *publisher)
{
    uint64_t silence_ns = (uint64_t)publisher->options.silence_ms * 1000000u;
    uint64_t heard_ns = host_mono_ns();
    size_t waiting = SIZE_MAX;
    char within[UNIT_TEXT_BYTES];
    int rc;

    while ((rc = kafka_producer_flush(publisher->producer, LOOK_MS, &publisher->err)) ==
               -ETIMEDOUT &&
           !interrupt_seen()) {
        size_t now_waiting = kafka_producer_waiting(publisher->producer);
        if (now_waiting < waiting)
            heard_ns = host_mono_ns();
        waiting = now_waiting;
        if (host_mono_ns() - heard_ns >= silence_ns) {
            error_set(&publisher->err,
                      "no broker of %s has acknowledged anything for %s; of %" PRIu64
                      " records %zu may not be there",
                      publisher->options.brokers, silence(publisher, within),
                      publisher->record_count, waiting);
            break;
        }
    }
    return rc == 0 ? EXIT_OK : EXIT_UNAVAILABLE;
}

static int publish(struct publisher *publisher)
{
    struct error refused;
    int code = open_input(publisher);

    if (code == EXIT_OK)
        code = open_producer(publisher);
    if (code == EXIT_OK)
        code = prepare(publisher);
    if (code != EXIT_OK)
        return code;
    switch (send_all(publisher)) {
    case 0:
        break;
    case -EIO:
        return EXIT_DATA;
    case -EBADMSG:
        refused = publisher->err;
        code = wait_for_brokers(publisher); /* for what stood before it */
        if (code == EXIT_OK)
            publisher->err = refused;
        return code == EXIT_OK ? EXIT_DATA : code;
    default:
        return EXIT_UNAVAILABLE;
    }
    code = wait_for_brokers(publisher);
    if (interrupt_seen()) {
        size_t waiting = kafka_producer_waiting(publisher->producer);
        error_set(&publisher->err, "interrupted after %" PRIu64 " record%s%s",
                  publisher->record_count, plural(publisher->record_count),
                  waiting > 0 ? ", of which the last may not be there" : "");
        return EXIT_UNAVAILABLE;
    }
    return code;
}

int cmd_publish(int argc, char **argv)
{
    struct publisher publisher = {.tracks = NULL};
    uint64_t begin_ns = host_mono_ns();
    int code = EXIT_OK;

    if (!options_read(&table, argc, argv, &publisher.options, &code))
        return code;
    publisher.tracks = calloc(FEEDS_MAX, sizeof(*publisher.tracks));
    publisher.decoder = decoder_create();
    if (publisher.options.brokers == NULL) {
        error_set(&publisher.err, "--brokers is needed");
        code = EXIT_USAGE;
    } else if (publisher.tracks == NULL || publisher.decoder == NULL) {
        error_set(&publisher.err, "out of memory");
        code = EXIT_SYSTEM;
    } else {
        interrupt_begin();
        code = publish(&publisher);
    }
    if (code != EXIT_OK)
        fprintf(stderr, "tocsin publish: %s\n", publisher.err.text);
    else if (!publisher.options.is_quiet)
        fprintf(stderr,
                "published %" PRIu64 " record%s, %" PRIu64 " byte%s, in %.3f s; %" PRIu64
                " without a time of their own, stamped now\n",
                publisher.record_count, plural(publisher.record_count), publisher.payload_bytes,
                plural(publisher.payload_bytes), (double)(host_mono_ns() - begin_ns) / 1e9,
                publisher.undated_count);
    if (publisher.reject_count > 0 && !publisher.options.is_quiet)
        fprintf(
            stderr, "note: %" PRIu64 " of the lines %s, the first is %s; a daemon will reject %s\n",
            publisher.reject_count, publisher.reject_count == 1 ? "is no event" : "are no events",
            publisher.first_reject, publisher.reject_count == 1 ? "it" : "them");
    kafka_producer_destroy(publisher.producer);
    replay_input_close(publisher.input);
    decoder_destroy(publisher.decoder);
    free(publisher.tracks);
    interrupt_end();
    return code;
}
