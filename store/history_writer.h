/*
 * history_writer.h - the thread that carries committed groups from the journal into the history.
 *
 *   journal thread --"durable up to frame N"--> writer: reads the journal up to there,
 *                                               writes rows and place, trims
 *
 * It follows the journal's own files, so it needs no queue: a daemon that was down, a disk that was
 * full and a storm are all the same to it, groups that are not in the history yet. What it lags
 * behind costs disk and no memory. Whoever gives up segments of the journal asks
 * history_writer_floor() first.
 *
 * Where the journal begins later than what is open, or than the file ends, the file lacks what was
 * in between; what is open is not to be missed, so whoever makes the writer says what it knows of
 * that (store/journal_recall.h): history_know_open() at the first look into the journal,
 * history_end_unseen() once all that was durable then is in the file.
 *
 * A file that cannot be gone on with - damaged, of another program, directory or version, or ahead
 * of the journal - is moved aside as history.db.aside.N, and begun anew from what the journal
 * holds. A disk that is full, or any other trouble, pauses the history alone, and it is tried
 * again.
 *
 * Bounds:  HISTORY_ASIDE_MAX files aside, then it stays paused.
 * Thread:  create and destroy by setup; the rest as each function says.
 */
#ifndef STORE_HISTORY_WRITER_H
#define STORE_HISTORY_WRITER_H

#include "base/incident.h"
#include "store/history.h"

struct history_writer;

enum { HISTORY_ASIDE_MAX = 9 };

enum history_news {
    HISTORY_NEWS_ASIDE,   /* a file was moved aside; the sentence says why and where it is */
    HISTORY_NEWS_PAUSED,  /* nothing is written for now */
    HISTORY_NEWS_GOES_ON, /* it is again */
    HISTORY_NEWS_MISSED,  /* the journal had given up groups that were not in it */
};

struct history_writer_config {
    const char *path;                     /* of history.db */
    const struct segment_config *journal; /* outlives the writer */
    struct history_limits limits;
    uint64_t batch_rows; /* of a transaction, which ends with the group that reaches it [4000] */
    unsigned retry_ms;   /* between two attempts while it is paused [5 s] */
    /* The daemon's clock when the writer is created. It is noted as it goes on, for a quiet daemon
     * writes no groups: with what comes, at the end, and when it is this old. Each note has a sync,
     * which an idle daemon has no other reason for; retention and who reads the file beside no
     * daemon go by it. 0: there is none, and the groups alone say how far it is. */
    int64_t now_ms;
    unsigned note_ms; /* [1 min] */
    /* What is open where the journal is durable now: the last change of each; `knows_open`: these
     * are all. References are taken. `open_ms`: everything before was told. */
    struct incident *const *open;
    size_t open_count;
    bool knows_open;
    int64_t open_ms;
    void *self;
    /* Once for each. Thread: the writer's own. */
    void (*news)(void *self, enum history_news news, const char *sentence);
};

/* Starts the thread; frames up to `durable` are in the journal.
 * Owner: the caller, until history_writer_destroy(). Errors: a negative errno with a sentence. */
int history_writer_create(const struct history_writer_config *config, uint64_t durable,
                          struct history_writer **out, struct error *err);

/* Writes what is durable, for at most `wait_ns`, and stops. NULL is allowed. */
void history_writer_destroy(struct history_writer *writer, uint64_t wait_ns);

/* The journal is durable up to this frame. Thread: journal. */
void history_writer_tell(struct history_writer *writer, uint64_t frame);

/* Frames from this one on are still needed; UINT64_MAX: none is. Thread: any. */
uint64_t history_writer_floor(const struct history_writer *writer);

/* How far the daemon's clock is, if all that is durable is in the file; INT64_MIN: it is not, or
 * there is no such clock. Thread: any. */
int64_t history_writer_clock(const struct history_writer *writer);

struct history_writer_counters {
    uint64_t frame;    /* the last of the journal that the file says is in it */
    uint64_t lag;      /* frames that are durable and were not looked at yet */
    uint64_t rows;     /* written since the start */
    uint64_t removed;  /* incidents that retention took out since the start */
    uint64_t missed;   /* frames, as in struct history_state */
    uint64_t aside;    /* files moved aside since the start */
    uint64_t failures; /* transactions that came to nothing */
    uint64_t bytes;    /* that rows take up */
    bool is_paused;
};
void history_writer_counters(const struct history_writer *writer,
                             struct history_writer_counters *out);

#endif
