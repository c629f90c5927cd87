/*
 * journal_read.h - the records of a journal, group by group, as a recovery and `tocsin fsck` read
 * them: only groups that are whole.
 *
 * Never writes. Any bytes are safe.
 * Bounds:  one group in memory at a time.
 * Thread:  one at a time.
 */
#ifndef STORE_JOURNAL_READ_H
#define STORE_JOURNAL_READ_H

#include "store/journal_format.h"
#include "store/segment_walk.h"

struct journal_reader;

/* Of an incident at one change: what decides which sinks are told of it. */
struct journal_about {
    int64_t opened_ms, at_ms;
    uint8_t priority; /* enum priority */
};

/* Whether an op of the journal is told again: sinks come and go between two runs. */
struct journal_filter {
    void *self;
    bool (*is_told)(void *self, const struct journal_about *about, const char *sink);
};

/* Owner: the caller, until journal_reader_destroy(). Errors: as segment_walk_create(). */
int journal_reader_create(const struct segment_config *config, struct journal_reader **out,
                          enum segment_refusal *why, struct error *err);
void journal_reader_destroy(struct journal_reader *reader);

/* Where a group ends: its last frame, and the checksum that proves it is that one. */
struct journal_place {
    uint64_t frame; /* 0: before all */
    uint32_t crc;
};

/* A stretch of the journal that is told again. */
struct journal_span {
    struct journal_place from; /* behind this */
    uint64_t skip;             /* without so many changes and ops, which were told before */
    uint64_t to;               /* up to this frame: later ones are this run's own */
};

/* The records of the span, as journal_reader_create_at(); where the journal does not have it, an
 * error with a sentence. */
int journal_reader_create_span(const struct segment_config *config, const struct journal_span *span,
                               struct journal_reader **out, struct error *err);

/* Before anything is read: groups up to the place are passed over. */
void journal_reader_skip(struct journal_reader *reader, const struct journal_place *place);

/* Behind the end: whether the place was come to, and is that one. */
bool journal_reader_has_skipped(const struct journal_reader *reader);

enum journal_seek {
    JOURNAL_SEEK_THERE, /* what comes next is behind the place */
    JOURNAL_SEEK_LATER, /* the journal begins later: all that it has comes next */
    JOURNAL_SEEK_OTHER, /* it was never written on from this place */
};

/* For who follows a journal that is being written: as if what is at or before `place` were not
 * there. Reads nothing behind frame `limit`, until journal_reader_limit() sets a later one: at the
 * limit journal_reader_next() says 0, and goes on once there is more. */
int journal_reader_create_at(const struct segment_config *config, const struct journal_place *place,
                             uint64_t limit, enum journal_seek *seek, struct journal_reader **out,
                             enum segment_refusal *why, struct error *err);
void journal_reader_limit(struct journal_reader *reader, uint64_t limit);

/* Behind JOURNAL_SEEK_LATER, before anything was read: the first frame that there is. */
uint64_t journal_reader_first(const struct journal_reader *reader);

/* The frame with which the journal begins, once something was read of it: 1 where nothing was
 * released or lost. */
uint64_t journal_reader_begin(const struct journal_reader *reader);

/* The end of the group that the last record was of. */
struct journal_place journal_reader_place(const struct journal_reader *reader);

/* 1 and the next record, which lives until the next call; its bytes are in `raw` unless that is
 * NULL. 0 at the end. A negative errno with a sentence that names file and byte. */
int journal_reader_next(struct journal_reader *reader, struct journal_record *out, struct text *raw,
                        struct error *err);

/* As those of the walk. */
enum segment_refusal journal_reader_refusal(const struct journal_reader *reader);
void journal_reader_accept_loss(struct journal_reader *reader);
const struct segment_end *journal_reader_end(const struct journal_reader *reader);

/* Groups whose last frame is not there: they never counted. */
uint64_t journal_reader_unfinished(const struct journal_reader *reader);

#endif
