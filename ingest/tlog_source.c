/*
 * tlog_source.c - reads the whole text first, then serves it feed by feed.
 *
 * Lines refer to partitions before all of them are known, and marks name them by their final
 * number, so lines are kept in the file's order until the end and sorted then.
 */
#include "ingest/tlog_source.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "ingest/finite_source.h"

struct tlog_feed {
    struct finite_feed base; /* first: feed ops cast back */
    char *topic;
    struct record *records; /* payloads are owned */
    size_t count, capacity;
    size_t next; /* the ingest thread that owns the feed writes this */
};

struct tlog_mark {
    struct mark mark;
    struct tlog_feed *feed; /* numbered at the end */
};

struct tlog_source {
    struct finite_source base; /* first: source ops cast back; holds the feeds */
    struct tlog_mark *pending;
    size_t mark_count, mark_capacity;
    struct mark *marks;
};

/* ---- serving ---- */

static size_t tlog_take(struct feed *feed, const struct record **out, size_t max)
{
    struct tlog_feed *self = (struct tlog_feed *)feed;
    size_t count = self->count - self->next < max ? self->count - self->next : max;

    *out = self->records + self->next;
    self->next += count;
    return count;
}

static void tlog_release(struct feed *feed)
{
    struct tlog_feed *self = (struct tlog_feed *)feed;

    if (self->next == self->count) /* records stay until the source closes */
        finite_feed_finish(&self->base);
}

static int64_t tlog_lag(struct feed *feed)
{
    struct tlog_feed *self = (struct tlog_feed *)feed;
    return (int64_t)(self->count - self->next);
}

static const struct feed_ops tlog_feed_ops = {tlog_take, tlog_release, finite_feed_state,
                                              finite_feed_end_proof, tlog_lag};

static struct tlog_feed *feed_at(const struct tlog_source *self, size_t index)
{
    return (struct tlog_feed *)self->base.feeds[index];
}

static void tlog_close(struct source *source)
{
    struct tlog_source *self = (struct tlog_source *)source;

    if (self == NULL)
        return;
    for (size_t f = 0; f < self->base.feed_count; f++) {
        struct tlog_feed *feed = feed_at(self, f);
        for (size_t r = 0; r < feed->count; r++)
            free((char *)feed->records[r].payload);
        free(feed->records);
        free(feed->topic);
        free(feed);
    }
    finite_source_release(&self->base);
    free(self->pending);
    free(self->marks);
    free(self);
}

static const struct source_ops tlog_source_ops = {
    .changes = finite_source_changes,
    .drop = finite_source_drop,
    .wake_on = finite_source_wake_on,
    .ready = finite_source_ready,
    .close = tlog_close,
};

/* ---- reading ---- */

/* Room for one more item; NULL when memory is short, the old array staying valid. */
static void *grow(void *array, size_t count, size_t *capacity, size_t item_bytes)
{
    size_t wanted = *capacity == 0 ? 16 : 2 * *capacity;
    void *larger;

    if (count < *capacity)
        return array;
    larger = realloc(array, wanted * item_bytes);
    if (larger != NULL)
        *capacity = wanted;
    return larger;
}

static struct tlog_feed *find_feed(struct tlog_source *self, const char *topic, int32_t partition)
{
    struct tlog_feed *feed = (struct tlog_feed *)finite_source_find(&self->base, topic, partition);

    if (feed != NULL)
        return feed;
    feed = calloc(1, sizeof(*feed));
    if (feed == NULL || (feed->topic = strdup(topic)) == NULL ||
        !finite_source_add(&self->base, &feed->base)) {
        if (feed != NULL)
            free(feed->topic);
        free(feed);
        return NULL;
    }
    feed->base.feed =
        (struct feed){.ops = &tlog_feed_ops, .topic = feed->topic, .partition = partition};
    return feed;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of a record, owned by the caller; NULL with *bytes 0 for a tombstone. */
static int read_payload(const json_t *line, char **out, uint32_t *bytes, struct error *err)
{
    const json_t *text = json_object_get(line, "payload");
    const json_t *hex = json_object_get(line, "payload_hex");
    size_t count;

    *out = NULL;
    *bytes = 0;
    if (text != NULL && json_is_null(text) && hex == NULL)
        return 0;
    if ((text == NULL) == (hex == NULL) || !json_is_string(text != NULL ? text : hex)) {
        error_set(err, "a record has one of payload and payload_hex, a string");
        return -EINVAL;
    }
    if (hex != NULL && json_string_length(hex) % 2 != 0) {
        error_set(err, "payload_hex is pairs of the digits 0-9 and a-f");
        return -EINVAL;
    }
    count = text != NULL ? json_string_length(text) : json_string_length(hex) / 2;
    *out = malloc(count + 1); /* never NULL for an empty record: that is a tombstone */
    if (*out == NULL) {
        error_set(err, "out of memory for a record of %zu bytes", count);
        return -ENOMEM;
    }
    *bytes = (uint32_t)count;
    if (text != NULL) {
        memcpy(*out, json_string_value(text), count);
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        int high = hex_digit(json_string_value(hex)[2 * i]);
        int low = hex_digit(json_string_value(hex)[2 * i + 1]);
        if (high < 0 || low < 0) {
            error_set(err, "payload_hex is pairs of the digits 0-9 and a-f");
            free(*out);
            return -EINVAL;
        }
        (*out)[i] = (char)(high << 4 | low);
    }
    return 0;
}

static int read_record(struct tlog_feed *feed, const json_t *line, struct error *err)
{
    const json_t *time = json_object_get(line, "log_time");
    int64_t offset = json_integer_value(json_object_get(line, "offset"));
    struct record *records;
    char *payload;
    uint32_t bytes;
    int rc;

    if (!json_is_integer(json_object_get(line, "offset")) || offset < 0) {
        error_set(err, "offset must be a number from 0");
        return -EINVAL;
    }
    if (feed->count > 0 && offset <= feed->records[feed->count - 1].offset) {
        error_set(err, "offset %lld does not come after %lld of the same partition",
                  (long long)offset, (long long)feed->records[feed->count - 1].offset);
        return -EINVAL;
    }
    if (time != NULL && !json_is_integer(time) && !json_is_null(time)) {
        error_set(err, "log_time must be milliseconds since 1970, or null");
        return -EINVAL;
    }
    records = grow(feed->records, feed->count, &feed->capacity, sizeof(*records));
    if (records == NULL) {
        error_set(err, "out of memory for %zu records", feed->count + 1);
        return -ENOMEM;
    }
    feed->records = records;
    rc = read_payload(line, &payload, &bytes, err);
    if (rc != 0)
        return rc;
    if (feed->count == 0)
        feed->base.feed.start_offset = offset;
    feed->records[feed->count++] = (struct record){
        .offset = offset,
        .log_time_ms = json_is_integer(time) ? json_integer_value(time) : LOG_TIME_NONE,
        .payload = payload,
        .bytes = bytes,
        .leader_epoch = -1,
    };
    return 0;
}

static int read_mark(struct tlog_source *self, struct tlog_feed *feed, const json_t *line,
                     struct error *err)
{
    const char *kind = json_string_value(json_object_get(line, "mark"));
    const json_t *offset = json_object_get(line, "offset"), *value = json_object_get(line, "value");
    static const enum mark_kind kinds[] = {MARK_SEAL,      MARK_CAP,   MARK_BLIND_BEGIN,
                                           MARK_BLIND_END, MARK_BEGIN, MARK_AWAY_BEGIN,
                                           MARK_AWAY_END,  MARK_SHED};
    const size_t kind_count = sizeof(kinds) / sizeof(kinds[0]);
    struct tlog_mark *pending;
    size_t k = 0;

    while (kind != NULL && k < kind_count && strcmp(kind, mark_kind_name(kinds[k])) != 0)
        k++;
    if (kind == NULL || k == kind_count) {
        error_set(err,
                  "mark must be \"seal\", \"cap\", \"blind-begin\", \"blind-end\", \"away-begin\", "
                  "\"away-end\", \"shed\" or \"begin\"");
        return -EINVAL;
    }
    if (!json_is_integer(offset) || !json_is_integer(value)) {
        error_set(err, "a mark has an offset and a value, both numbers");
        return -EINVAL;
    }
    pending = grow(self->pending, self->mark_count, &self->mark_capacity, sizeof(*pending));
    if (pending == NULL) {
        error_set(err, "out of memory for %zu marks", self->mark_count + 1);
        return -ENOMEM;
    }
    self->pending = pending;
    self->pending[self->mark_count++] = (struct tlog_mark){
        {kinds[k], 0, json_integer_value(offset), json_integer_value(value)}, feed};
    if (mark_is_possible(&self->pending[self->mark_count - 1].mark))
        return 0;
    error_set(err,
              kinds[k] == MARK_SHED
                  ? "the value %lld of this mark is none of shedding: eight times how many ms the "
                    "partition was behind, and the number of a severity"
                  : "the value %lld of this mark is no time",
              (long long)json_integer_value(value));
    return -EINVAL;
}

static int read_line(struct tlog_source *self, const char *at, size_t bytes, struct error *err)
{
    json_error_t fault;
    json_t *line; /* ours */
    const json_t *topic, *partition;
    struct tlog_feed *feed;
    int rc = -EINVAL;

    line = json_loadb(at, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    if (line == NULL) {
        error_set(err, "column %d: %s", fault.column, fault.text);
        return -EINVAL;
    }
    topic = json_object_get(line, "topic");
    partition = json_object_get(line, "partition");
    if (!json_is_string(topic) || !json_is_integer(partition) ||
        json_integer_value(partition) < -1 || json_integer_value(partition) > INT32_MAX) {
        error_set(err, "each line names its topic, a string, and partition, a number");
        goto out;
    }
    feed = find_feed(self, json_string_value(topic), (int32_t)json_integer_value(partition));
    if (feed == NULL) {
        error_set(err, "out of memory for %zu partitions", self->base.feed_count + 1);
        rc = -ENOMEM;
        goto out;
    }
    rc = json_object_get(line, "mark") != NULL     ? read_mark(self, feed, line, err)
         : json_object_get(line, "offset") != NULL ? read_record(feed, line, err)
                                                   : 0;
out:
    json_decref(line);
    return rc;
}

static int feed_order(const void *a, const void *b)
{
    const struct feed *x = &(*(struct finite_feed *const *)a)->feed;
    const struct feed *y = &(*(struct finite_feed *const *)b)->feed;
    int order = strcmp(x->topic, y->topic);

    return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* Sorts the feeds and gives the marks their partitions' numbers. */
static bool finish(struct tlog_source *self)
{
    if (self->base.feed_count > 0)
        qsort(self->base.feeds, self->base.feed_count, sizeof(struct finite_feed *), feed_order);
    for (size_t f = 0; f < self->base.feed_count; f++)
        if (feed_at(self, f)->count == 0)
            finite_feed_finish(self->base.feeds[f]);
    self->marks = calloc(self->mark_count + 1, sizeof(struct mark));
    if (self->marks == NULL)
        return false;
    for (size_t m = 0; m < self->mark_count; m++) {
        self->marks[m] = self->pending[m].mark;
        while (feed_at(self, self->marks[m].part) != self->pending[m].feed)
            self->marks[m].part++;
    }
    return true;
}

int tlog_source_open(const char *path, struct source **out, const struct mark **marks,
                     size_t *mark_count, struct error *err)
{
    struct tlog_source *self = calloc(1, sizeof(*self));
    char *text = NULL, *at, *end;
    size_t bytes = 0, number = 0;
    int rc = -ENOMEM;

    if (self == NULL) {
        error_set(err, "%s: out of memory", path);
        goto out;
    }
    finite_source_init(&self->base, &tlog_source_ops);
    rc = host_read_file(path, TLOG_BYTES_MAX, &text, &bytes);
    if (rc != 0) {
        error_set(err, "%s: %s", path, host_read_why(rc));
        goto out;
    }
    for (at = text; at < text + bytes; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + bytes - at));
        if (end == NULL)
            end = text + bytes;
        number++;
        rc = end > at ? read_line(self, at, (size_t)(end - at), err) : 0;
        if (rc != 0) {
            error_prefix(err, "%s:%zu: ", path, number);
            goto out;
        }
    }
    if (self->base.feed_count > UINT16_MAX) {
        error_set(err, "%s: more than %d partitions", path, UINT16_MAX);
        rc = -EINVAL;
        goto out;
    }
    if (!finish(self)) {
        error_set(err, "%s: out of memory for %zu marks", path, self->mark_count);
        rc = -ENOMEM;
        goto out;
    }
    *out = &self->base.source;
    *marks = self->marks;
    *mark_count = self->mark_count;
    self = NULL; /* the caller owns it from here */
out:
    tlog_close((struct source *)self);
    free(text);
    return rc;
}
