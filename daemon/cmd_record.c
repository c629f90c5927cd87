/*
 * cmd_record.c - `tocsin record`: a stretch of topics into a recording.
 *
 * One thread takes from all partitions in turn and writes. Each partition ends by itself:
 * where the log stood when it was found (--to latest), before its first record of a later
 * time (--to TIME), or with everything else after --for or a signal. The recording holds
 * offsets, log times, keys and payloads as they are; nothing is decoded.
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
#include "daemon/progress.h"
#include "daemon/setting_list.h"
#include "daemon/units.h"
#include "ingest/kafka_source.h"
#include "store/recording.h"

enum { TAKE = 1024, FEEDS_MAX = 4096, WAIT_MS = 10, SYNC_S = 5, REACH_S = 30 };

struct record_options {
    const char *brokers;
    struct option_list topics;
    struct option_list settings;
    const char *from;
    const char *to;
    int64_t for_ms;
    const char *output;
    bool is_quiet, progress;
};

static const struct option_row rows[] = {
    {"--brokers", OPTION_BROKERS, offsetof(struct record_options, brokers), "HOST:PORT,...", NULL,
     "Where to connect first.", .min = 0},
    {"--topic", OPTION_LIST, offsetof(struct record_options, topics), "NAME", NULL,
     "A topic to record, all partitions; may be given again.", .min = 0},
    {"--from", OPTION_TEXT, offsetof(struct record_options, from), "WHERE", "earliest",
     "Where to begin: earliest, latest, or a time.", .min = 0},
    {"--to", OPTION_TEXT, offsetof(struct record_options, to), "WHERE", NULL,
     "Where to end: latest (what is there now), or a time. Without it and --for: when interrupted.",
     .min = 0},
    {"--for", OPTION_DURATION, offsetof(struct record_options, for_ms), "D", "0s",
     "Ends after this time; 0s: without end.", .min = 0},
    {"--set", OPTION_LIST, offsetof(struct record_options, settings), "KEY=VALUE", NULL,
     "A librdkafka property for the connection, such as security.protocol, ssl.* and sasl.*; the "
     "value may be env:NAME or file:PATH. May be given again.",
     .min = 0},
    {"--output", OPTION_TEXT, offsetof(struct record_options, output), "FILE", NULL,
     "The recording to make; one that exists is not overwritten.", .min = 0},
    {"--quiet", OPTION_FLAG, offsetof(struct record_options, is_quiet), NULL, NULL,
     "Says neither how long it goes on nor the figures at the end.", .min = 0},
    {"--progress", OPTION_FLAG, offsetof(struct record_options, progress), NULL, NULL,
     "Says on standard error how far it has come, also where that is no terminal.", .min = 0},
};

static const struct option_table table = {
    .command = "record",
    .usage = "--brokers HOST:PORT --topic NAME --output FILE [options]",
    .about = "Keeps a stretch of Kafka topics in a file: positions, log times, keys and payloads,\n"
             "packed with zstd. `tocsin replay FILE` reads it. Nothing is committed to Kafka.",
    .rows = rows,
    .row_count = OPTION_ROWS(rows),
    .exits = "0 64 65 69 71 74",
};

/* One partition on its way into the recording. */
struct track {
    struct feed *feed;
    int part;           /* of the recording */
    int64_t next;       /* offset behind the last record written */
    int64_t end_offset; /* --to latest: ends here; INT64_MAX otherwise */
    bool is_over;
};

struct recorder {
    struct record_options options;
    int waker;
    struct source *source;
    struct recording_writer *writer;
    struct track *tracks;
    size_t track_count;
    int64_t to_ms; /* --to TIME; INT64_MAX otherwise */
    uint64_t record_count, payload_bytes;
    struct progress progress;
    struct error err;
};

static void print_log(void *self, int level, const char *text)
{
    (void)self;
    if (level <= 4)
        fprintf(stderr, "tocsin record: %s\n", text);
}

static int open_source(struct recorder *recorder)
{
    const struct record_options *options = &recorder->options;
    struct kafka_option settings[OPTION_LIST_MAX] = {{NULL, NULL}};
    struct kafka_config config;
    int rc = setting_list_split(&options->settings, settings, &recorder->err);

    kafka_config_init(&config);
    config.brokers = options->brokers;
    config.topics = options->topics.item;
    config.topic_count = options->topics.count;
    /* A recording keeps offsets as they are; whether holes are meant is for its reader to say. */
    config.gap_topics = options->topics.item;
    config.gap_topic_count = options->topics.count;
    config.start = options->from;
    config.read_only = true;
    config.options = settings;
    config.option_count = options->settings.count;
    config.log = print_log;
    if (rc == 0)
        rc = kafka_source_open(&config, &recorder->source, &recorder->err);
    setting_list_release(settings, options->settings.count);
    return rc;
}

static int look_for_changes(struct recorder *recorder)
{
    const struct source_ops *ops = recorder->source->ops;
    struct source_change changes[64];
    size_t count = ops->changes(recorder->source, changes, 64);
    bool ends_at_latest =
        recorder->options.to != NULL && strcmp(recorder->options.to, "latest") == 0;

    for (size_t i = 0; i < count; i++) {
        struct feed *feed = changes[i].feed;
        if (changes[i].kind == SOURCE_LEAVE) {
            for (size_t j = 0; j < recorder->track_count; j++)
                if (recorder->tracks[j].feed == feed)
                    recorder->tracks[j] = (struct track){.feed = NULL, .is_over = true};
            ops->drop(recorder->source, feed);
            continue;
        }
        if (recorder->track_count == FEEDS_MAX) {
            error_set(&recorder->err, "more than %d partitions", FEEDS_MAX);
            return -E2BIG;
        }
        int part = recording_writer_add_part(recorder->writer, feed->topic, feed->partition,
                                             feed->start_offset, &recorder->err);
        if (part < 0)
            return part;
        recorder->tracks[recorder->track_count++] = (struct track){
            .feed = feed,
            .part = part,
            .next = feed->start_offset,
            .end_offset = ends_at_latest ? feed->start_offset + feed->ops->lag(feed) : INT64_MAX,
        };
        ops->wake_on(recorder->source, feed, recorder->waker);
    }
    return 0;
}

/* Takes one batch of a partition. Returns how many records were there. */
static ptrdiff_t advance(struct recorder *recorder, struct track *track)
{
    const struct record *records;
    size_t count = track->feed->ops->take(track->feed, &records, TAKE);
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        const struct record *record = &records[i];
        struct recorded recorded = {
            .offset = record->offset,
            .time_ms = record->log_time_ms,
            .payload = record->payload,
            .bytes = record->bytes,
            .leader_epoch = record->leader_epoch,
        };
        if (record->offset < track->next)
            continue; /* delivered again */
        if (record->offset >= track->end_offset ||
            (record->log_time_ms != LOG_TIME_NONE && record->log_time_ms >= recorder->to_ms)) {
            track->is_over = true;
            break;
        }
        recorded.key = kafka_source_key(track->feed, i, &recorded.key_bytes);
        rc = recording_writer_add(recorder->writer, track->part, &recorded, &recorder->err);
        track->next = record->offset + 1;
        recorder->record_count++;
        recorder->payload_bytes += record->bytes;
    }
    track->feed->ops->release(track->feed);
    if (track->next >= track->end_offset)
        track->is_over = true;
    return rc != 0 ? rc : (ptrdiff_t)count;
}

/* An empty partition is over when its end is proven and no record of before can come. */
static void look_for_end(struct recorder *recorder, struct track *track, uint64_t begin_ns)
{
    uint64_t proof_ns;

    if (!track->feed->ops->end_proof(track->feed, &proof_ns) || proof_ns < begin_ns)
        return;
    if (track->end_offset != INT64_MAX || host_wall_ms() > recorder->to_ms)
        track->is_over = true;
}

static bool all_are_over(const struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->track_count; i++)
        if (!recorder->tracks[i].is_over)
            return false;
    return recorder->track_count > 0;
}

/* Until the end that was asked for. 0 or an exit code. */
static int run(struct recorder *recorder)
{
    uint64_t begin_ns = host_mono_ns();
    uint64_t for_ns =
        recorder->options.for_ms == 0 ? UINT64_MAX : (uint64_t)recorder->options.for_ms * 1000000u;
    uint64_t sync_ns = begin_ns;

    while (!interrupt_seen() && host_mono_ns() - begin_ns < for_ns && !all_are_over(recorder)) {
        size_t taken = 0;

        if (look_for_changes(recorder) != 0)
            return EXIT_IO;
        for (size_t i = 0; i < recorder->track_count; i++) {
            struct track *track = &recorder->tracks[i];
            if (track->is_over)
                continue;
            if (track->feed->ops->state(track->feed) == FEED_STOPPED) {
                error_set(&recorder->err, "%s/%" PRId32 " cannot be read on from offset %" PRId64,
                          track->feed->topic, track->feed->partition, track->next);
                return EXIT_DATA;
            }
            ptrdiff_t count = advance(recorder, track);
            if (count < 0)
                return EXIT_IO;
            if (count == 0)
                look_for_end(recorder, track, begin_ns);
            taken += (size_t)count;
        }
        progress_show(&recorder->progress, recorder->record_count, 0);
        uint64_t now_ns = host_mono_ns();
        if (recorder->track_count == 0 && now_ns - begin_ns > REACH_S * 1000000000ull) {
            recorder->source->ops->ready(recorder->source, &recorder->err);
            return EXIT_UNAVAILABLE;
        }
        if (now_ns - sync_ns > SYNC_S * 1000000000ull) {
            if (recording_writer_sync(recorder->writer, &recorder->err) != 0)
                return EXIT_IO;
            sync_ns = now_ns;
        }
        if (taken == 0)
            host()->waker_sleep(host()->self, recorder->waker, WAIT_MS * 1000000u);
    }
    /* No partition was ever shown: what was to be recorded is not known to be empty. */
    if (recorder->track_count == 0 && !interrupt_seen() &&
        !recorder->source->ops->ready(recorder->source, &recorder->err))
        return EXIT_UNAVAILABLE;
    return recording_writer_finish(recorder->writer, &recorder->err) == 0 ? EXIT_OK : EXIT_IO;
}

/* What has no end of its own looks as if it hung. */
static void say_begin(const struct record_options *options)
{
    if (options->is_quiet || options->to != NULL || options->for_ms > 0)
        return;
    fprintf(stderr,
            "recording %s%s into %s until interrupted; with --to latest it ends at what is "
            "there now\n",
            options->topics.item[0], options->topics.count > 1 ? " and others" : "",
            options->output);
}

static int check_options(struct recorder *recorder)
{
    const struct record_options *options = &recorder->options;
    struct error *err = &recorder->err;

    recorder->to_ms = INT64_MAX;
    if (options->brokers == NULL || options->topics.count == 0 || options->output == NULL)
        error_set(err, "--brokers, --topic and --output are needed");
    else if (options->to == NULL || strcmp(options->to, "latest") == 0)
        return 0;
    else if (unit_parse_time(options->to, &recorder->to_ms, err) == 0)
        return 0;
    else
        error_prefix(err, "--to %s: it is latest or a time: ", options->to);
    return -EINVAL;
}

int cmd_record(int argc, char **argv)
{
    struct recorder recorder = {.tracks = NULL};
    int code = EXIT_OK;

    if (!options_read(&table, argc, argv, &recorder.options, &code))
        return code;
    if (check_options(&recorder) != 0) {
        code = EXIT_USAGE;
        goto out;
    }
    recorder.tracks = calloc(FEEDS_MAX, sizeof(*recorder.tracks));
    recorder.waker = interrupt_begin();
    if (recorder.tracks == NULL || recorder.waker < 0) {
        error_set(&recorder.err, "out of memory or descriptors");
        code = EXIT_SYSTEM;
        goto out;
    }
    if (open_source(&recorder) != 0) {
        code = EXIT_USAGE;
        goto out;
    }
    if (recording_writer_create(recorder.options.output, &recorder.writer, &recorder.err) != 0) {
        code = EXIT_IO;
        goto out;
    }
    say_begin(&recorder.options);
    progress_begin(&recorder.progress, "records", recorder.options.progress,
                   recorder.options.is_quiet);
    code = run(&recorder);
    progress_end(&recorder.progress);
    if (code == EXIT_OK && !recorder.options.is_quiet)
        fprintf(stderr,
                "recorded %" PRIu64 " record%s of %zu partition%s, %" PRIu64
                " byte%s in a file of %" PRIu64 "\n",
                recorder.record_count, plural(recorder.record_count), recorder.track_count,
                plural(recorder.track_count), recorder.payload_bytes,
                plural(recorder.payload_bytes), recording_writer_bytes(recorder.writer));
    if (code == EXIT_OK && recorder.record_count == 0)
        fprintf(stderr, "note: no record was there; %s\n",
                strcmp(recorder.options.from, "earliest") == 0
                    ? "see whether the topic's name is right: many brokers make a topic that is "
                      "asked for"
                    : "where the broker cannot look up offsets by time, --from earliest reads "
                      "all");
out:
    if (code != EXIT_OK)
        fprintf(stderr, "tocsin record: %s\n", recorder.err.text);
    if (recorder.source != NULL)
        recorder.source->ops->close(recorder.source);
    recording_writer_destroy(recorder.writer);
    /* A file of ours that holds no record would only refuse the next try. */
    if (recorder.writer != NULL && code != EXIT_OK && recorder.record_count == 0)
        host()->unlink(host()->self, recorder.options.output);
    free(recorder.tracks);
    interrupt_end();
    return code;
}
