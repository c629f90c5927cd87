/*
 * kafka_source.c - opens and closes the Kafka source and runs its service thread.
 *
 * The service thread is the only one that calls librdkafka beside the drains of
 * kafka_feed.c. All callbacks run inside its polls (logs too, through log.queue), so
 * nothing but what `lock` guards is shared. See kafka_source.h.
 */
#include "ingest/kafka_source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/kafka_internal.h"

enum {
    IDLE_POLL_MS = 50,
    FAREWELL_MS = 500, /* for a broker that is to be told that we leave */
};

static const uint64_t ms_ns = 1000000;

void kafka_say(struct kafka_source *source, int level, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (source->config.log == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    source->config.log(source->config.log_self, level, text);
}

/* One line per interval and kind; the next one tells how many were held back. */
void kafka_say_rarely(struct kafka_source *source, enum kafka_line_kind kind, int level,
                      const char *format, ...)
{
    struct kafka_line *line = &source->lines[kind];
    uint64_t now_ns = host_mono_ns();
    char text[900];
    va_list args;

    if (line->said_ns != 0 && now_ns - line->said_ns < source->config.say_ms * ms_ns) {
        line->held++;
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (line->held > 0)
        kafka_say(source, level, "%s (%" PRIu64 " more like this since the last line)", text,
                  line->held);
    else
        kafka_say(source, level, "%s", text);
    line->said_ns = now_ns;
    line->held = 0;
}

void kafka_count(struct kafka_source *source, uint64_t *counter, uint64_t more)
{
    pthread_mutex_lock(&source->lock);
    *counter += more;
    pthread_mutex_unlock(&source->lock);
}

void kafka_answered(struct kafka_source *source)
{
    source->answered_ns = host_mono_ns();
    pthread_mutex_lock(&source->lock);
    source->heard_ns = source->answered_ns;
    source->refused.text[0] = '\0';
    source->reason[0] = '\0';
    pthread_mutex_unlock(&source->lock);
}

void kafka_report(struct kafka_source *source, enum source_change_kind kind,
                  struct kafka_feed *feed)
{
    pthread_mutex_lock(&source->lock);
    if (source->change_count == source->change_room) {
        size_t room = source->change_room != 0 ? 2 * source->change_room : 64;
        struct source_change *larger = realloc(source->changes, room * sizeof(*larger));
        if (larger == NULL)
            abort(); /* an unreported leave would hold the watermark for ever */
        source->changes = larger;
        source->change_room = room;
    }
    source->changes[source->change_count++] =
        (struct source_change){.kind = kind, .feed = &feed->feed};
    pthread_mutex_unlock(&source->lock);
}

/* Callbacks of librdkafka, in the service thread's polls. */

/* Bytes of a reason without librdkafka's timings behind it. */
static int reason_bytes(const char *reason)
{
    const char *tail = strstr(reason, " (after ");
    size_t bytes = strcspn(reason, "\n");

    return tail != NULL && (size_t)(tail - reason) < bytes ? (int)(tail - reason) : (int)bytes;
}

/* For ready(), while nobody answers. */
static void note_reason(struct kafka_source *source, const char *reason)
{
    pthread_mutex_lock(&source->lock);
    snprintf(source->reason, sizeof(source->reason), "%.*s", reason_bytes(reason), reason);
    pthread_mutex_unlock(&source->lock);
}

/* A login or a certificate that is not accepted: a person has to act, so it gets a sentence
 * of its own, without librdkafka's broker name before it and its timings behind. */
static void on_refused(struct kafka_source *source, const char *what, const char *word,
                       const char *reason)
{
    const char *from = strstr(reason, word);
    struct error err;

    if (from == NULL)
        from = reason;
    error_set(&err, "Kafka at %s %s: %.*s", source->config.brokers, what, reason_bytes(from), from);
    pthread_mutex_lock(&source->lock);
    source->refused = err;
    pthread_mutex_unlock(&source->lock);
    kafka_say_rarely(source, LINE_REFUSED, 3, "%s", err.text);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_source *source = opaque;

    kafka_count(source, &source->counters.errors, 1);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        char text[512];
        rd_kafka_resp_err_t cause = rd_kafka_fatal_error(rk, text, sizeof(text));
        kafka_say(source, 3, "fatal error of the Kafka client: %s: %s; it is made anew",
                  rd_kafka_err2str(cause), text);
        source->fatal = true;
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
        code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED) {
        on_refused(source, "refuses the login", "SASL", reason);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__SSL) {
        on_refused(source, "cannot be spoken to by TLS", "SSL", reason);
        return;
    }
    snprintf(source->last_error, sizeof(source->last_error), "%s", reason);
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) /* it follows the reason and says none */
        note_reason(source, reason);
    kafka_say_rarely(source, LINE_BROKER, 4, "Kafka at %s: %s", source->config.brokers, reason);
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct kafka_source *source = rd_kafka_opaque(rk);

    /* Failures of connections come through on_error() as well. */
    if (strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0)
        return;
    if (level >= 6)
        kafka_say(source, level, "librdkafka %s: %s", facility, text);
    else
        kafka_say_rarely(source, LINE_OTHER, level, "librdkafka %s: %s", facility, text);
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                      rd_kafka_topic_partition_list_t *offsets, void *opaque)
{
    struct kafka_source *source = opaque;

    (void)rk;
    (void)offsets;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__NO_OFFSET)
        return;
    kafka_count(source, &source->counters.commits_failed, 1);
    kafka_say_rarely(source, LINE_COMMIT, 4, "offsets of group %s were not committed: %s",
                     source->config.group, rd_kafka_err2str(code));
}

/* Clients */

static bool has_option(const struct kafka_config *config, const char *key)
{
    for (size_t i = 0; i < config->option_count; i++)
        if (strcmp(config->options[i].key, key) == 0)
            return true;
    return false;
}

/* Brokers name a member by its client.id (or group.instance.id) and a random part, and who
 * comes first by name owns the input (kafka_group.c). A name that begins with the time of joining
 * makes the oldest member come first: one that joins takes nothing away. */
static int name_member(rd_kafka_conf_t *conf, const struct kafka_config *config, struct error *err)
{
    char name[64];

    if (config->mode != KAFKA_GROUP || has_option(config, "client.id") ||
        has_option(config, "group.instance.id"))
        return 0;
    snprintf(name, sizeof(name), "tocsin-%013" PRId64, host_wall_ms());
    return kafka_conf_set(conf, "client.id", name, err);
}

static rd_kafka_t *make_client(struct kafka_source *source, bool is_control)
{
    const struct kafka_config *config = &source->config;
    struct error err = {""};
    char text[512], number[32];
    rd_kafka_t *rk;
    rd_kafka_conf_t *conf =
        kafka_conf_create(config->options, config->option_count, config->brokers, &err);
    int rc = conf != NULL ? 0 : -EINVAL;

    /* Not allow.auto.create.topics: false is a consumer's default, which nobody else can change
     * (option_keys), and where it is set all the same, librdkafka warns of brokers that cannot be
     * told so with request after request, as its own mock is one. */
    struct kafka_option common[] = {
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"log.queue", "true"},
    };
    for (size_t i = 0; rc == 0 && i < sizeof(common) / sizeof(common[0]); i++)
        rc = kafka_conf_set(conf, common[i].key, common[i].value, &err);
    if (is_control) {
        if (rc == 0)
            rc = name_member(conf, config, &err);
        if (rc == 0 && config->group != NULL)
            rc = kafka_conf_set(conf, "group.id", config->group, &err);
        if (rc == 0) /* eager: cooperative rebalancing can abort the process in 2.0.2 */
            rc = kafka_conf_set(conf, "partition.assignment.strategy", "range", &err);
        if (rc == 0)
            rc = kafka_conf_set(conf, "topic.metadata.refresh.fast.interval.ms", "100", &err);
    } else {
        /* queued.max.messages.kbytes holds for each partition's queue. Counting
         * messages instead makes 2.0.2 stop fetching from the fullest partitions. */
        size_t parts = source->partition_count > 0 ? source->partition_count : 1;
        size_t kbytes = (size_t)config->queued_mb * 1024 / parts;
        kbytes = kbytes < 1024 ? 1024 : kbytes > 65536 ? 65536 : kbytes;
        bool own_bound = false;
        for (size_t i = 0; i < config->option_count; i++)
            own_bound = own_bound || strncmp(config->options[i].key, "queued.", 7) == 0;
        if (rc == 0 && !own_bound) {
            rc = kafka_conf_set(conf, "queued.min.messages", "10000000", &err);
            snprintf(number, sizeof(number), "%zu", kbytes);
            if (rc == 0)
                rc = kafka_conf_set(conf, "queued.max.messages.kbytes", number, &err);
        }
        snprintf(number, sizeof(number), "%u", config->fetch_wait_ms);
        if (rc == 0)
            rc = kafka_conf_set(conf, "fetch.wait.max.ms", number, &err);
        if (rc == 0)
            rc = kafka_conf_set(conf, "fetch.error.backoff.ms", "100", &err);
        if (rc == 0)
            rc = kafka_conf_set(conf, "enable.partition.eof", "true", &err);
    }
    if (rc != 0) {
        if (conf != NULL)
            rd_kafka_conf_destroy(conf);
        kafka_say_rarely(source, LINE_OTHER, 3, "%s", err.text);
        note_reason(source, err.text);
        return NULL;
    }
    rd_kafka_conf_set_opaque(conf, source);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (is_control) {
        rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
        if (config->mode == KAFKA_GROUP)
            rd_kafka_conf_set_rebalance_cb(conf, kafka_group_rebalance);
    }
    rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        error_set(&err, "cannot make a Kafka client: %s", text);
        kafka_say_rarely(source, LINE_OTHER, 3, "%s", err.text);
        note_reason(source, err.text);
        return NULL;
    }
    rd_kafka_set_log_queue(rk, NULL);
    if (is_control && config->group != NULL)
        rd_kafka_poll_set_consumer(rk);
    return rk;
}

/* The client that fetches, made when the number of partitions is known; it learns the
 * topics before partitions of them are started. NULL: try again later. */
rd_kafka_t *kafka_fetch_client(struct kafka_source *source)
{
    if (source->fetch == NULL)
        source->fetch = make_client(source, false);
    for (size_t i = 0; source->fetch != NULL && i < source->config.topic_count; i++) {
        const struct rd_kafka_metadata *metadata;
        rd_kafka_topic_t *rkt = rd_kafka_topic_new(source->fetch, source->topics[i], NULL);
        if (rkt == NULL)
            return NULL;
        rd_kafka_resp_err_t code =
            rd_kafka_metadata(source->fetch, 0, rkt, &metadata, KAFKA_CALL_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            rd_kafka_metadata_destroy(metadata);
        rd_kafka_topic_destroy(rkt);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return NULL;
    }
    return source->fetch;
}

static void poll_control(struct kafka_source *source, int wait_ms)
{
    rd_kafka_message_t *message;

    if (source->config.group == NULL) {
        rd_kafka_poll(source->control, wait_ms);
        return;
    }
    message = rd_kafka_consumer_poll(source->control, wait_ms);
    if (message != NULL) {
        kafka_say_rarely(source, LINE_OTHER, 4, "group %s: %s", source->config.group,
                         rd_kafka_message_errstr(message));
        rd_kafka_message_destroy(message);
    }
}

/* Whether any broker answers now. */
static bool is_reachable(struct kafka_source *source)
{
    const struct rd_kafka_metadata *metadata;

    if (source->control == NULL || source->fatal ||
        rd_kafka_metadata(source->control, 0, NULL, &metadata, FAREWELL_MS) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* Leaving the group in good order asks a broker; without one it is pointless, and takes
 * a minute. */
static void destroy_clients(struct kafka_source *source, bool reachable)
{
    if (source->fetch != NULL)
        rd_kafka_destroy(source->fetch);
    source->fetch = NULL;
    kafka_topics_forget(source);
    if (source->control != NULL) {
        if (source->subscribed && reachable)
            rd_kafka_consumer_close(source->control);
        rd_kafka_destroy_flags(source->control, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    source->control = NULL;
    source->subscribed = false;
}

/* F9: makes both clients anew. Comes back until no reader has records out. */
static void rebuild(struct kafka_source *source)
{
    bool quiet = true;

    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed)
        quiet = kafka_feed_end(feed) && quiet;
    if (!quiet)
        return;
    destroy_clients(source, false);
    source->fatal = false;
    kafka_count(source, &source->counters.rebuilds, 1);
    if (source->config.mode == KAFKA_GROUP) {
        source->owner = false;
        kafka_group_leave_all(source);
    }
    source->must_begin = true;
    source->metadata_due_ns = 0;
}

/* After a rebuild: every feed goes on where it was. */
static void begin_again(struct kafka_source *source)
{
    if (kafka_fetch_client(source) == NULL)
        return;
    source->must_begin = false;
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed) {
        /* relaxed: written by this thread alone. */
        int phase = atomic_load_explicit(&feed->phase, memory_order_relaxed);
        if ((phase == KAFKA_LIVE || phase == KAFKA_UNREADABLE) && feed->queue == NULL &&
            feed->trouble == KAFKA_NO_TROUBLE && kafka_feed_begin(feed) != 0)
            source->must_begin = true;
    }
}

/* Frees what the engine is done with. */
static void sweep(struct kafka_source *source)
{
    struct kafka_feed **link = &source->feeds;

    while (*link != NULL) {
        struct kafka_feed *feed = *link;
        if (kafka_feed_dropped(feed) && kafka_feed_end(feed)) {
            *link = feed->next_feed;
            source->feed_count--;
            kafka_feed_destroy(feed);
        } else {
            link = &feed->next_feed;
        }
    }
}

static void run_due(struct kafka_source *source)
{
    uint64_t now_ns = host_mono_ns();

    if (now_ns >= source->metadata_due_ns) {
        kafka_group_refresh(source);
        now_ns = host_mono_ns();
    }
    if (source->must_begin)
        begin_again(source);
    kafka_resolve_trouble(source);
    kafka_topics_look(source);
    if (now_ns >= source->watch_due_ns) {
        kafka_watch(source, now_ns);
        /* Right behind an answer: a commit that nobody answers is kept by librdkafka for 45 s,
         * and keeps it from ending. */
        if (now_ns >= source->commit_due_ns && source->answered_ns >= now_ns) {
            kafka_commit(source, false);
            source->commit_due_ns = host_mono_ns() + source->config.commit_ms * ms_ns;
        }
    } else if (now_ns >= kafka_probe_due(source)) {
        kafka_probe(source, false);
    }
    sweep(source);
}

static int poll_ms(const struct kafka_source *source)
{
    unsigned wait_ms = IDLE_POLL_MS;
    uint64_t now_ns = host_mono_ns();

    /* Somebody asked within the last second: be there in time for the next probe. */
    if (now_ns - source->asked_ns < 1000 * ms_ns) {
        uint64_t due_ns = kafka_probe_due(source);
        uint64_t left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
        if (left_ns / ms_ns < wait_ms)
            wait_ms = (unsigned)((left_ns + ms_ns - 1) / ms_ns);
    }
    return (int)wait_ms;
}

static void *serve(void *opaque)
{
    struct kafka_source *source = opaque;

    /* relaxed: close() joins this thread before it touches anything. */
    while (!atomic_load_explicit(&source->stopping, memory_order_relaxed)) {
        if (source->control == NULL)
            source->control = make_client(source, true);
        if (source->control == NULL) { /* a secret file was removed, say: try again */
            host()->waker_sleep(host()->self, source->waker, 1000 * ms_ns);
            continue;
        }
        kafka_group_subscribe(source);
        poll_control(source, poll_ms(source));
        if (source->fetch != NULL)
            rd_kafka_poll(source->fetch, 0);
        if (source->fatal)
            rebuild(source);
        else
            run_due(source);
    }
    bool reachable = is_reachable(source);
    if (reachable)
        kafka_commit(source, true);
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed)
        while (!kafka_feed_end(feed)) /* close() comes after the readers: no record is out */
            feed->feed.ops->release(&feed->feed);
    destroy_clients(source, reachable);
    return NULL;
}

/* struct source */

static struct kafka_source *of(struct source *source)
{
    return (struct kafka_source *)source;
}

static size_t source_changes(struct source *base, struct source_change *out, size_t max)
{
    struct kafka_source *source = of(base);
    size_t count;

    pthread_mutex_lock(&source->lock);
    count = source->change_count < max ? source->change_count : max;
    if (count > 0) {
        memcpy(out, source->changes, count * sizeof(*out));
        source->change_count -= count;
        memmove(source->changes, source->changes + count, source->change_count * sizeof(*out));
    }
    pthread_mutex_unlock(&source->lock);
    return count;
}

static void source_drop(struct source *base, struct feed *feed)
{
    (void)base;
    kafka_feed_drop((struct kafka_feed *)feed);
}

static void source_wake_on(struct source *base, struct feed *feed, int waker)
{
    (void)base;
    kafka_feed_set_waker((struct kafka_feed *)feed, waker);
}

static void source_position(struct source *base, struct feed *feed, int64_t low_offset)
{
    (void)base;
    /* relaxed: a number on its own, read by the service thread when it commits. */
    atomic_store_explicit(&((struct kafka_feed *)feed)->low, low_offset, memory_order_relaxed);
}

static void source_prove_at(struct source *base, uint64_t at_ns)
{
    /* relaxed: a hint of when to ask, for the service thread. */
    atomic_store_explicit(&of(base)->prove_at_ns, at_ns, memory_order_relaxed);
}

static bool source_ready(struct source *base, struct error *why)
{
    struct kafka_source *source = of(base);
    bool is_ready;

    pthread_mutex_lock(&source->lock);
    uint64_t silent_ns = host_mono_ns() - source->heard_ns;
    const char *colon = source->reason[0] != '\0' ? ": " : "";
    is_ready = source->is_ready && silent_ns < source->config.unreachable_ms * ms_ns &&
               source->counters.stopped == 0;
    if (!is_ready && why != NULL) {
        if (source->refused.text[0] != '\0')
            *why = source->refused;
        else if (source->is_ready && source->counters.stopped > 0)
            *why = source->stopped;
        else if (source->is_ready)
            error_set(why, "no Kafka broker of %s has answered for %" PRIu64 " s%s%s",
                      source->config.brokers, silent_ns / (1000 * ms_ns), colon, source->reason);
        else if (source->heard_ns == 0)
            error_set(why, "no Kafka broker of %s has answered yet%s%s", source->config.brokers,
                      colon, source->reason);
        else
            *why = source->not_ready;
    }
    pthread_mutex_unlock(&source->lock);
    return is_ready;
}

static void source_destroy(struct kafka_source *source)
{
    while (source->feeds != NULL) {
        struct kafka_feed *feed = source->feeds;
        source->feeds = feed->next_feed;
        kafka_feed_destroy(feed);
    }
    free(source->changes);
    if (source->waker >= 0)
        host()->close(host()->self, source->waker);
    kafka_config_release(source);
    pthread_mutex_destroy(&source->lock);
    free(source);
}

static void source_close(struct source *base)
{
    struct kafka_source *source = of(base);

    if (source == NULL)
        return;
    /* relaxed: nothing is published with it; the join orders the rest. */
    atomic_store_explicit(&source->stopping, true, memory_order_relaxed);
    host()->waker_wake(host()->self, source->waker);
    pthread_join(source->thread, NULL);
    source_destroy(source);
}

static const struct source_ops kafka_source_ops = {
    .changes = source_changes,
    .drop = source_drop,
    .wake_on = source_wake_on,
    .position = source_position,
    .prove_at = source_prove_at,
    .ready = source_ready,
    .close = source_close,
};

int kafka_source_open(const struct kafka_config *config, struct source **out, struct error *err)
{
    struct kafka_source *source;
    int rc = kafka_config_check(config, err);

    if (rc != 0)
        return rc;
    source = calloc(1, sizeof(*source));
    if (source == NULL) {
        error_set(err, "kafka: out of memory");
        return -ENOMEM;
    }
    source->source.ops = &kafka_source_ops;
    source->waker = -1;
    pthread_mutex_init(&source->lock, NULL);
    rc = kafka_config_copy(source, config, err);
    if (rc == 0) {
        source->waker = host()->waker_create(host()->self);
        if (source->waker < 0) {
            rc = source->waker;
            error_set(err, "kafka: no descriptor for the service thread: %s", strerror(-rc));
        }
    }
    if (rc == 0) {
        source->owner = config->mode == KAFKA_ASSIGN;
        error_set(&source->not_ready, "the partitions of the topics are not known yet");
        rc = -pthread_create(&source->thread, NULL, serve, source);
        if (rc != 0)
            error_set(err, "kafka: cannot start the service thread: %s", strerror(-rc));
    }
    if (rc != 0) {
        source_destroy(source);
        return rc;
    }
    *out = &source->source;
    return 0;
}

void kafka_source_counters(const struct source *base, struct kafka_counters *out)
{
    struct kafka_source *source = (struct kafka_source *)base;

    pthread_mutex_lock(&source->lock);
    *out = source->counters;
    out->silent = source->refused.text[0] != '\0' ||
                  host_mono_ns() - source->heard_ns >= source->config.unreachable_ms * ms_ns;
    pthread_mutex_unlock(&source->lock);
}
