/*
 * history_files.c - see history_files.h.
 *
 * A database and the log beside it belong together: a log that is left alone would be taken for
 * that of the next file of the name. So the log goes first, and a file that is replaced has been
 * closed without one.
 */
#include "store/history_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"

enum { BATCH_ROWS = 10000 };

static const char *const ends[] = {"-wal", "-shm", "-journal", ""};

static bool is_there(const char *path)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDONLY, 0);

    if (fd >= 0)
        h->close(h->self, fd);
    return fd != -ENOENT;
}

int history_move_aside(const char *path, int most, char to[HISTORY_PATH_BYTES], struct error *err)
{
    const struct host *h = host();
    char from[HISTORY_PATH_BYTES], end[HISTORY_PATH_BYTES];
    int rc = 0;

    for (int i = 1;; i++) {
        if (i > most) {
            error_set(err,
                      "%s: it cannot be gone on with, and %d such files are kept beside it "
                      "already: remove or take away %s.aside.*",
                      path, most, path);
            return -EEXIST;
        }
        snprintf(to, HISTORY_PATH_BYTES, "%s.aside.%d", path, i);
        if (!is_there(to))
            break;
    }
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && (rc == 0 || rc == -ENOENT); i++) {
        snprintf(from, sizeof(from), "%s%s", path, ends[i]);
        snprintf(end, sizeof(end), "%s%s", to, ends[i]);
        rc = h->rename(h->self, from, end);
    }
    if (rc != 0)
        error_set(err, "%s: it cannot be moved to %s: %s", path, to, strerrordesc_np(-rc));
    return rc;
}

static int remove_all(const char *path)
{
    const struct host *h = host();
    char name[HISTORY_PATH_BYTES];
    int rc = 0;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && (rc == 0 || rc == -ENOENT); i++) {
        snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        rc = h->unlink(h->self, name);
    }
    return rc == -ENOENT ? 0 : rc;
}

/* All that the reader has, in transactions of a bounded size. */
static int take_all(struct history *history, struct journal_reader *reader,
                    struct history_rebuilt *out, struct error *err)
{
    struct journal_record record;
    struct journal_place place;
    int rc;

    while ((rc = journal_reader_next(reader, &record, NULL, err)) == 1) {
        if (record.kind == JOURNAL_GROUP) {
            if (history_rows(history) >= BATCH_ROWS && (rc = history_commit(history, err)) != 0)
                return rc;
            out->groups++;
        }
        place = journal_reader_place(reader);
        rc = history_take(history, &record, &place, err);
        if (rc != 0)
            return rc;
    }
    return rc == 0 ? history_commit(history, err) : rc;
}

/* What the old file has of groups that the journal does not. */
static int take_old(struct history *history, const char *old, const struct segment_config *journal,
                    struct history_rebuilt *out, struct error *err)
{
    struct history *former = NULL;
    enum history_refusal why;
    struct history_state state;
    struct error wrong = {""};
    int rc;

    if (history_open(old, journal->directory, HISTORY_READ, &former, &why, &wrong) != 0) {
        if (why == HISTORY_MISSING)
            return 0;
        snprintf(out->why, sizeof(out->why), "%s", wrong.text);
        return 0;
    }
    history_state(former, &state);
    history_close(former);
    rc = history_take_over(history, old, out->before, err);
    if (rc != 0)
        return rc;
    out->has_taken_over = true;
    /* What it lacked then is not there now either. */
    history_miss(history, state.missed);
    if (state.place.frame + 1 < out->before)
        history_miss(history, out->before - state.place.frame - 1);
    return 0;
}

static int build(const char *path, const char *old, const struct segment_config *journal,
                 const struct history_limits *limits, struct history_rebuilt *out,
                 struct error *err)
{
    const struct journal_place start = {0, 0};
    struct journal_reader *reader = NULL;
    struct history *history = NULL;
    enum segment_refusal refusal;
    enum history_refusal why;
    enum journal_seek seek;
    int64_t count = 0;
    int rc;

    rc = journal_reader_create_at(journal, &start, UINT64_MAX, &seek, &reader, &refusal, err);
    if (rc == 0)
        rc = history_open(path, journal->directory, HISTORY_WRITE, &history, &why, err);
    if (rc == 0 && seek == JOURNAL_SEEK_LATER) {
        out->before = journal_reader_first(reader);
        rc = take_old(history, old, journal, out, err);
    }
    if (rc == 0)
        rc = take_all(history, reader, out, err);
    while (rc == 0 && (rc = history_trim(history, limits, err)) == 1)
        rc = 0;
    if (rc == 0)
        rc = sql_ask_int(history_sql(history), "SELECT count(*) FROM incident", 0, &count, err);
    out->incidents = (uint64_t)count;
    /* Without a log of its own it is one file, which can be renamed. */
    if (rc == 0)
        rc = sql_run(history_sql(history), "PRAGMA wal_checkpoint(TRUNCATE)", err);
    history_close(history);
    journal_reader_destroy(reader);
    return rc;
}

/* The old file without a log beside it, so that the new one is not given it. */
static int settle_old(const char *path, const struct segment_config *journal,
                      struct history_rebuilt *out, struct error *err)
{
    struct history *history = NULL;
    enum history_refusal why;
    struct error wrong = {""};
    int rc;

    if (!is_there(path))
        return 0;
    rc = history_open(path, journal->directory, HISTORY_WRITE, &history, &why, &wrong);
    if (rc == 0) {
        rc = sql_run(history_sql(history), "PRAGMA journal_mode = delete", err);
        history_close(history);
        if (rc == -EAGAIN)
            error_set(err, "%s: somebody reads it; try again when that is over", path);
        return rc;
    }
    if (why == HISTORY_WORLD) {
        error_set(err, "%s", wrong.text);
        return rc;
    }
    snprintf(out->why, sizeof(out->why), "%s", wrong.text);
    return history_move_aside(path, INT8_MAX, out->aside, err);
}

int history_rebuild(const char *path, const struct segment_config *journal,
                    const struct history_limits *limits, struct history_rebuilt *out,
                    struct error *err)
{
    const struct host *h = host();
    char fresh[HISTORY_PATH_BYTES], folder[HISTORY_PATH_BYTES];
    int rc;

    memset(out, 0, sizeof(*out));
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    rc = remove_all(fresh);
    if (rc != 0)
        error_set(err, "%s: it cannot be removed: %s", fresh, strerrordesc_np(-rc));
    else
        rc = build(fresh, path, journal, limits, out, err);
    if (rc == 0)
        rc = settle_old(path, journal, out, err);
    if (rc == 0) {
        rc = h->rename(h->self, fresh, path);
        snprintf(folder, sizeof(folder), "%s", path);
        if (strrchr(folder, '/') != NULL)
            *strrchr(folder, '/') = '\0';
        else
            snprintf(folder, sizeof(folder), ".");
        if (rc == 0)
            rc = h->sync_dir(h->self, folder);
        if (rc != 0)
            error_set(err, "%s: the new one cannot take its place: %s", path, strerrordesc_np(-rc));
    }
    if (rc != 0)
        remove_all(fresh);
    return rc;
}
