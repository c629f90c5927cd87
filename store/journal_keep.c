/* journal_keep.c - see journal_keep.h. */
#include "store/journal_keep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/vector.h"
#include "store/journal_format.h"
#include "store/segment_format.h"
#include "store/segment_walk.h"

enum { PATH_BYTES = 4096 };

struct segments {
    VECTOR_OF(struct segment_place) place; /* the oldest first */
};

static void see_name(void *user, const char *name)
{
    struct segments *segments = user;
    uint64_t sequence;

    if (segment_name_read(name, &sequence))
        vector_add(&segments->place) = (struct segment_place){.sequence = sequence};
}

static int by_sequence(const void *left, const void *right)
{
    const struct segment_place *a = left, *b = right;

    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static int head_read(const struct segment_config *config, struct segment_place *place,
                     struct error *err)
{
    const struct host *h = host();
    struct segment_head head;
    char path[PATH_BYTES];
    int fd, rc;

    snprintf(path, sizeof(path), "%s/%016" PRIu64 ".seg", config->folder, place->sequence);
    fd = h->open(h->self, path, O_RDONLY, 0);
    rc = fd < 0 ? fd : host_pread_all(fd, &head, sizeof(head), 0);
    if (fd >= 0)
        h->close(h->self, fd);
    if (rc == 0 && (head.crc != segment_head_crc(&head) || head.sequence != place->sequence))
        rc = -EBADMSG;
    if (rc != 0) {
        error_set(err, "%s: its head cannot be read: %s", path, strerrordesc_np(-rc));
        return rc;
    }
    place->first_frame = head.first_frame;
    place->bytes = head.bytes;
    return 0;
}

static int segments_read(const struct segment_config *config, struct segments *segments,
                         struct error *err)
{
    int rc = host()->list(host()->self, config->folder, see_name, segments);

    if (rc != 0)
        error_set(err, "%s: its files cannot be listed: %s", config->folder, strerrordesc_np(-rc));
    if (segments->place.count > 0)
        qsort(segments->place.at, segments->place.count, sizeof(segments->place.at[0]),
              by_sequence);
    for (size_t i = 0; rc == 0 && i < segments->place.count; i++)
        rc = head_read(config, &segments->place.at[i], err);
    return rc;
}

/* A group that has one begins there. */
static int journal_clock(const struct segment_frame *frame, int64_t *out, struct error *err)
{
    struct journal_cursor cursor = {frame->payload, frame->payload + frame->bytes, false};
    struct journal_record record;
    int rc;

    if ((frame->kind & JOURNAL_FRAME_FIRST) == 0)
        return 0;
    rc = journal_get(&cursor, &record, err);
    if (rc == 1 && !journal_group_has_step(&record.group))
        return 0;
    if (rc == 1)
        *out = record.group.n_ms;
    return rc < 0 ? rc : 1;
}

/* The clock of the first frame at or behind `frame` that has one; INT64_MAX: none does up to
 * `needed`. */
static int clock_of(const struct segment_config *config, segment_clock stamp, uint64_t frame,
                    uint64_t needed, int64_t *out, struct error *err)
{
    enum segment_refusal why;
    struct segment_walk *walk;
    struct segment_frame found;
    int rc = segment_walk_create_at(config, frame, &walk, &why, err);

    *out = INT64_MAX;
    if (rc != 0)
        return rc;
    while (segment_walk_next_number(walk) <= needed &&
           (rc = segment_walk_next(walk, &found, err)) == 1) {
        if (found.number < frame)
            continue;
        rc = stamp(&found, out, err);
        if (rc != 0)
            break;
    }
    segment_walk_destroy(walk);
    return rc < 0 ? rc : 0;
}

int segments_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                         segment_clock stamp, uint64_t needed, int64_t now_ms, uint64_t *before,
                         struct error *err)
{
    struct segments segments = {.place = {.at = NULL}};
    uint64_t bytes = 0;
    int rc = segments_read(config, &segments, err);

    *before = 0;
    for (size_t i = 0; i < segments.place.count; i++)
        bytes += segments.place.at[i].bytes;
    for (size_t i = 0; rc == 0 && i + 1 < segments.place.count; i++) {
        uint64_t behind = segments.place.at[i + 1].first_frame;
        int64_t clock_ms;
        if (behind > needed)
            break;
        rc = clock_of(config, stamp, behind, needed, &clock_ms, err);
        if (rc != 0)
            break;
        if (!(keep->bytes_max > 0 && bytes > keep->bytes_max) &&
            !(keep->keep_ms > 0 && now_ms > INT64_MIN + keep->keep_ms &&
              clock_ms <= now_ms - keep->keep_ms))
            break;
        *before = behind;
        bytes -= segments.place.at[i].bytes;
    }
    free(segments.place.at);
    return rc;
}

int journal_keep_before(const struct segment_config *config, const struct journal_keep *keep,
                        uint64_t needed, int64_t now_ms, uint64_t *before, struct error *err)
{
    return segments_keep_before(config, keep, journal_clock, needed, now_ms, before, err);
}
