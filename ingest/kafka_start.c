/*
 * kafka_start.c - what the service thread asks brokers about positions: where a
 * partition begins, where it ends now, and how far we are. See kafka_source.h.
 *
 * rd_kafka_offsets_for_times() with the "times" -2 and -1 is ListOffsets for the
 * first and the latest offset, for any number of partitions in one request for
 * each leader. One call that spans several leaders fails as a whole when one of
 * them is down, so probes go leader by leader, and one that failed rests a while.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/kafka_internal.h"

enum {
    TIME_FIRST = -2,  /* ListOffsets: the first offset that the broker holds */
    TIME_LATEST = -1, /* ListOffsets: the offset of the next record */
    PROBE_TIMEOUT_MS = 200,
    /* A leader that did not answer is left alone before it is asked again, for it held up the
     * probes of the others: shortly at first, since it may only have been slow, and whatever waits
     * for a proof waits for that, then twice as long each time. */
    PROBE_REST_MS = 25,
    PROBE_RESTS_MAX = 7, /* 3.2 s */
    PROBE_LOOK_MS = 1000,
    STALL_MS = 10000, /* a feed that should move and does not is unreadable (T4b) */
    WATCH_MS = 1000,
};

rd_kafka_topic_partition_list_t *kafka_list_of(struct kafka_feed **feeds, size_t count)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, feeds[i]->topic, feeds[i]->feed.partition);
    return list;
}

/* One ListOffsets for all of `list`; every entry holds an offset afterwards. */
static bool ask_offsets(struct kafka_source *source, rd_kafka_topic_partition_list_t *list,
                        int64_t time, const char *what)
{
    rd_kafka_resp_err_t code;

    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = time;
        list->elems[i].err = RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    code = rd_kafka_offsets_for_times(source->control, list, KAFKA_CALL_MS);
    for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
        code = list->elems[i].err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_say_rarely(source, LINE_START, 4,
                         "cannot learn the %s of the partitions: %s; will try again", what,
                         rd_kafka_err2str(code));
        return false;
    }
    return true;
}

bool kafka_ask_first(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    return ask_offsets(source, list, TIME_FIRST, "first offsets");
}

bool kafka_ask_end(struct kafka_source *source, rd_kafka_topic_partition_list_t *list)
{
    return ask_offsets(source, list, TIME_LATEST, "ends");
}

/* Sends the offsets of `list` and waits for the answer. */
static bool commit_list(struct kafka_source *source, const rd_kafka_topic_partition_list_t *list,
                        int wait_ms)
{
    rd_kafka_queue_t *answers = rd_kafka_queue_new(source->control);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(source->control, list, answers, NULL, NULL);

    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(answers, wait_ms);
        code = event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(answers);
    kafka_count(source, &source->counters.commits, 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_count(source, &source->counters.commits_failed, 1);
        kafka_say_rarely(source, LINE_COMMIT, 4, "offsets of group %s were not committed: %s",
                         source->config.group, rd_kafka_err2str(code));
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool may_commit(const struct kafka_source *source)
{
    return source->config.group != NULL && !source->config.read_only;
}

/* Committed offsets where there are any and what led to them is known; otherwise what `start` says.
 * At the first
 * start of a group no partition has one; a partition without one beside others that
 * have is new since then and begins at its first record (T8). */
static bool resolve_starts(struct kafka_source *source, struct kafka_feed **fresh, size_t count,
                           const rd_kafka_topic_partition_list_t *first,
                           const rd_kafka_topic_partition_list_t *latest)
{
    rd_kafka_topic_partition_list_t *list = kafka_list_of(fresh, count);
    bool have_any = source->had_feeds, is_again = false;
    bool done = false;

    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    if (source->config.group != NULL && !source->config.from_start) {
        rd_kafka_resp_err_t code = rd_kafka_committed(source->control, list, KAFKA_CALL_MS);
        for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
            code = list->elems[i].err;
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            kafka_say_rarely(source, LINE_START, 4,
                             "cannot learn the committed offsets of group %s: %s; will try again",
                             source->config.group, rd_kafka_err2str(code));
            goto out;
        }
    }
    for (int i = 0; source->config.is_lost && i < list->cnt; i++) {
        is_again = is_again || list->elems[i].offset >= 0;
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    }
    for (int i = 0; source->config.began_at != NULL && i < list->cnt; i++) {
        int64_t began = list->elems[i].offset;
        if (source->config.began_at(source->config.began_at_self, fresh[i]->topic,
                                    fresh[i]->feed.partition, &began))
            list->elems[i].offset = began;
    }
    for (int i = 0; i < list->cnt; i++)
        have_any = have_any || list->elems[i].offset >= 0;

    bool by_time = !have_any && source->start_ms >= 0;
    rd_kafka_topic_partition_list_t *at_time = NULL;
    if (by_time) {
        at_time = kafka_list_of(fresh, count);
        if (!ask_offsets(source, at_time, source->start_ms, "offsets at the start time")) {
            rd_kafka_topic_partition_list_destroy(at_time);
            goto out;
        }
    }
    for (int i = 0; i < list->cnt; i++) {
        int64_t from_first = first->elems[i].offset;
        int64_t from_latest = latest->elems[i].offset;
        struct kafka_feed *feed = fresh[i];

        feed->feed.is_continued = list->elems[i].offset >= 0;
        if (feed->feed.is_continued)
            feed->next = feed->committed = list->elems[i].offset;
        else if (have_any)
            feed->next = from_first;
        else if (source->config.start_offset >= 0)
            feed->next = source->config.start_offset < from_first    ? from_first
                         : source->config.start_offset > from_latest ? from_latest
                                                                     : source->config.start_offset;
        else if (by_time) /* -1: no record is as late as that */
            feed->next = at_time->elems[i].offset >= 0 ? at_time->elems[i].offset : from_latest;
        else
            feed->next = is_again || strcmp(source->config.start, "earliest") == 0 ? from_first
                                                                                   : from_latest;
        feed->feed.start_offset = feed->next;
    }
    if (at_time != NULL)
        rd_kafka_topic_partition_list_destroy(at_time);

    /* Resolved once: the next start must not decide anew, so it is written down
     * before the first record is fetched (D6). */
    done = true;
    if (may_commit(source)) {
        for (int i = 0; i < list->cnt; i++)
            list->elems[i].offset = fresh[i]->next;
        done = commit_list(source, list, KAFKA_CALL_MS);
        for (int i = 0; done && i < list->cnt; i++)
            fresh[i]->committed = fresh[i]->next;
    }
out:
    rd_kafka_topic_partition_list_destroy(list);
    return done;
}

/* Resolves where new feeds begin and starts them. False: nothing was changed, a
 * broker did not answer; the caller comes back with the same feeds later. */
bool kafka_start_feeds(struct kafka_source *source, struct kafka_feed **fresh, size_t count)
{
    rd_kafka_topic_partition_list_t *first = kafka_list_of(fresh, count);
    rd_kafka_topic_partition_list_t *latest = kafka_list_of(fresh, count);
    bool done = kafka_ask_first(source, first) && kafka_ask_end(source, latest) &&
                resolve_starts(source, fresh, count, first, latest);

    for (size_t i = 0; done && i < count; i++) {
        struct kafka_feed *feed = fresh[i];
        int64_t wanted = feed->next;

        feed->end = latest->elems[i].offset;
        feed->alive_ns = host_mono_ns();
        feed->seen_next = feed->next;
        if (!kafka_check_range(feed, first->elems[i].offset, latest->elems[i].offset)) {
            kafka_feed_set_phase(feed, KAFKA_STOPPED);
        } else if (kafka_feed_begin(feed) != 0) {
            kafka_say(source, 3, "%s/%" PRId32 ": librdkafka cannot start it: %s", feed->topic,
                      feed->feed.partition, rd_kafka_err2str(rd_kafka_last_error()));
            kafka_feed_set_phase(feed, KAFKA_STOPPED);
        } else {
            kafka_feed_set_phase(feed, KAFKA_LIVE);
            if (wanted != feed->next)
                feed->feed.start_offset = feed->next;
        }
    }
    rd_kafka_topic_partition_list_destroy(first);
    rd_kafka_topic_partition_list_destroy(latest);
    return done;
}

static struct kafka_leader *leader_of(struct kafka_source *source, int32_t id)
{
    for (size_t i = 0; i < source->leader_count; i++)
        if (source->leaders[i].id == id)
            return &source->leaders[i];
    if (source->leader_count == KAFKA_BROKERS_MAX)
        return &source->leaders[0]; /* beyond the bound brokers share one rest */
    source->leaders[source->leader_count] = (struct kafka_leader){.id = id};
    return &source->leaders[source->leader_count++];
}

/* One request to one leader; `feeds` are the partitions it leads. */
static void probe_leader(struct kafka_source *source, int32_t leader, struct kafka_feed **feeds,
                         size_t count)
{
    struct kafka_leader *state = leader_of(source, leader);
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
    uint64_t before_ns = host_mono_ns();
    uint64_t failed = 0;

    if (before_ns < state->retry_ns)
        return;
    list = kafka_list_of(feeds, count);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = TIME_LATEST;
    before_ns = host_mono_ns(); /* the proof's time: nothing has been sent yet */
    code = rd_kafka_offsets_for_times(source->control, list, PROBE_TIMEOUT_MS);
    for (int i = 0; i < list->cnt; i++) {
        struct kafka_feed *feed = feeds[i];
        int64_t end = list->elems[i].offset;

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR ||
            list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR || end < 0) {
            failed++;
            continue;
        }
        feed->alive_ns = host_mono_ns();
        kafka_answered(source);
        pthread_mutex_lock(&feed->lock);
        feed->probe_offset = end;
        feed->probe_ns = before_ns;
        feed->end = end;
        pthread_mutex_unlock(&feed->lock);
    }
    kafka_count(source, &source->counters.probes, count);
    kafka_count(source, &source->counters.probes_failed, failed);
    if (failed == count) {
        uint64_t rest = (uint64_t)PROBE_REST_MS << state->failures;
        state->failures += state->failures < PROBE_RESTS_MAX;
        state->retry_ns = host_mono_ns() + rest * 1000000u;
    } else {
        state->failures = 0;
        state->retry_ns = 0;
    }
    if (failed > 0) { /* a leader may have moved: look soon, but not for each probe */
        uint64_t soon_ns = host_mono_ns() + (uint64_t)PROBE_LOOK_MS * 1000000u;
        if (source->metadata_due_ns > soon_ns)
            source->metadata_due_ns = soon_ns;
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static int compare_leaders(const void *a, const void *b)
{
    const struct kafka_feed *x = *(struct kafka_feed *const *)a;
    const struct kafka_feed *y = *(struct kafka_feed *const *)b;

    return (x->leader > y->leader) - (x->leader < y->leader);
}

uint64_t kafka_probe_due(const struct kafka_source *source)
{
    /* relaxed: a hint. */
    uint64_t at_ns = atomic_load_explicit(&source->prove_at_ns, memory_order_relaxed);

    /* Once for each time that was told. */
    return at_ns > source->probed_ns && at_ns < source->probe_due_ns ? at_ns : source->probe_due_ns;
}

/* Wakes who reads the feeds: the proofs that were waited for are there. */
static void wake_readers(struct kafka_feed *const *feeds, size_t count)
{
    int woken = -1;

    for (size_t i = 0; i < count; i++) {
        pthread_mutex_lock(&feeds[i]->lock);
        if (feeds[i]->waker >= 0 && feeds[i]->waker != woken) {
            woken = feeds[i]->waker;
            host()->waker_wake(host()->self, woken);
        }
        pthread_mutex_unlock(&feeds[i]->lock);
    }
}

/* Asks for the ends of the feeds that want a proof, or of all. */
void kafka_probe(struct kafka_source *source, bool all)
{
    struct kafka_feed **wanted;
    size_t count = 0;
    uint64_t now_ns = host_mono_ns();
    uint64_t at_ns = atomic_load_explicit(&source->prove_at_ns, memory_order_relaxed);
    bool is_waited_for = at_ns > source->probed_ns && at_ns <= now_ns;

    source->probed_ns = now_ns;
    source->probe_due_ns = now_ns + (uint64_t)source->config.probe_ms * 1000000u;
    if (source->feed_count == 0)
        return;
    wanted = malloc(source->feed_count * sizeof(struct kafka_feed *));
    if (wanted == NULL)
        return; /* no proof this time */
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed) {
        /* relaxed: `asked` is a hint, and phase is ours. */
        bool asked = atomic_exchange_explicit(&feed->asked, false, memory_order_relaxed);
        int phase = atomic_load_explicit(&feed->phase, memory_order_relaxed);
        if (asked)
            source->asked_ns = host_mono_ns();
        if ((asked || all) && (phase == KAFKA_LIVE || phase == KAFKA_UNREADABLE))
            wanted[count++] = feed;
    }
    qsort(wanted, count, sizeof(struct kafka_feed *), compare_leaders);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && wanted[to]->leader == wanted[from]->leader; to++)
            ;
        probe_leader(source, wanted[from]->leader, wanted + from, to - from);
    }
    if (is_waited_for)
        wake_readers(wanted, count);
    free(wanted);
}

/* Decides which feeds can be read. A feed lives when its leader answers, and when
 * what the leader holds beyond our position arrives. */
void kafka_watch(struct kafka_source *source, uint64_t now_ns)
{
    uint64_t unreadable = 0, stopped = 0, queued = 0, queued_bytes = 0;

    kafka_probe(source, true);
    now_ns = host_mono_ns();
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed) {
        /* relaxed: written by this thread alone. */
        int phase = atomic_load_explicit(&feed->phase, memory_order_relaxed);
        bool moves, waits;

        if (phase == KAFKA_STOPPED)
            stopped++;
        if (phase != KAFKA_LIVE && phase != KAFKA_UNREADABLE)
            continue;
        pthread_mutex_lock(&feed->lock);
        uint64_t waiting = feed->queue != NULL ? rd_kafka_queue_length(feed->queue) : 0;
        moves = feed->next != feed->seen_next || feed->taken > 0 || waiting > 0;
        queued += waiting;
        if (feed->records_taken > 0)
            queued_bytes += waiting * (feed->bytes_taken / feed->records_taken);
        waits = feed->end <= feed->next; /* nothing is there to arrive */
        feed->seen_next = feed->next;
        pthread_mutex_unlock(&feed->lock);
        /* A probe that answered has renewed alive_ns; it speaks for a feed only
         * while no record is due. `moves` speaks for itself: what waits in the queue will be read
         * without a broker, and must not come late behind a blind partition's watermark. */
        if (moves)
            feed->stall_ns = 0;
        else if (!waits && feed->stall_ns == 0)
            feed->stall_ns = now_ns;
        else if (waits)
            feed->stall_ns = 0;
        bool silent = !moves && now_ns - feed->alive_ns > (uint64_t)STALL_MS * 1000000u / 3;
        bool stalled =
            feed->stall_ns != 0 && now_ns - feed->stall_ns > (uint64_t)STALL_MS * 1000000u;
        if (silent || stalled) {
            unreadable++;
            if (phase == KAFKA_LIVE)
                kafka_say_rarely(source, LINE_FEED, 4, "%s/%" PRId32 " cannot be read: %s",
                                 feed->topic, feed->feed.partition,
                                 silent ? "its broker does not answer"
                                        : "records that its broker holds do not arrive");
            kafka_feed_set_phase(feed, KAFKA_UNREADABLE);
        } else {
            kafka_feed_set_phase(feed, KAFKA_LIVE);
        }
    }
    pthread_mutex_lock(&source->lock);
    source->counters.unreadable = unreadable;
    source->counters.stopped = stopped;
    source->counters.feeds = source->feed_count;
    source->counters.queued = queued;
    source->counters.queued_bytes = queued_bytes;
    source->counters.owner = source->owner;
    pthread_mutex_unlock(&source->lock);
    source->watch_due_ns = now_ns + (uint64_t)WATCH_MS * 1000000u;
}

/* Tells the broker the low positions that moved; advisory (D5). */
void kafka_commit(struct kafka_source *source, bool wait)
{
    rd_kafka_topic_partition_list_t *list;

    if (!may_commit(source) || source->control == NULL)
        return;
    list = rd_kafka_topic_partition_list_new((int)source->feed_count + 1);
    for (struct kafka_feed *feed = source->feeds; feed != NULL; feed = feed->next_feed) {
        /* relaxed: a number on its own. */
        int64_t low = atomic_load_explicit(&feed->low, memory_order_relaxed);
        if (low >= 0 && low != feed->committed) {
            rd_kafka_topic_partition_list_add(list, feed->topic, feed->feed.partition)->offset =
                low;
            feed->committed = low;
        }
    }
    if (list->cnt > 0) {
        if (wait) {
            commit_list(source, list, KAFKA_CALL_MS / 2);
        } else {
            kafka_count(source, &source->counters.commits, 1);
            if (rd_kafka_commit(source->control, list, 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
                kafka_count(source, &source->counters.commits_failed, 1);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}
