/*
 * unit_image.c - see unit_image.h.
 */
#include "store/unit_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "store/crc32c.h"
#include "store/data_dir.h"
#include "store/shared_files.h"
#include "store/snapshot_file.h"

enum {
    FILE_MODE = 0600,
    FOLDER_MODE = 0700,
    PATH_BYTES = DATA_DIR_PATH_BYTES + 64,
    LINE_BYTES = 64
};

static int fail(const char *path, int rc, const char *what, struct error *err)
{
    error_set(err, "%s: %s: %s", path, what, strerrordesc_np(-rc));
    return rc;
}

static void beside(const struct segment_config *journal, const char *name, char to[PATH_BYTES])
{
    snprintf(to, PATH_BYTES, "%.4000s/../%s", journal->folder, name);
}

/* ---- the anchor ---- */

static const char *anchor_name(const struct segment_config *log)
{
    return strcmp(log->kind, "intake") == 0 ? "intake-anchor" : "anchor";
}

int unit_anchor_read(const struct segment_config *log, struct shared_end *out, struct error *err)
{
    const struct host *h = host();
    char path[PATH_BYTES], line[LINE_BYTES] = "";
    uint32_t sum = 0;
    int64_t bytes;
    int fd, rc, words, end = 0;

    *out = (struct shared_end){0, 0};
    beside(log, anchor_name(log), path);
    fd = h->open(h->self, path, O_RDONLY, 0);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fail(path, fd, "it cannot be opened", err);
    bytes = h->size(h->self, fd);
    rc = bytes > 0 && bytes < LINE_BYTES ? host_pread_all(fd, line, (size_t)bytes, 0) : -EBADMSG;
    h->close(h->self, fd);
    words = rc == 0 ? sscanf(line, "%" SCNu64 " %" SCNu32 "%n %" SCNx32, &out->number, &out->chain,
                             &end, &sum)
                    : 0;
    if (words == 3 && crc32c(0, line, (size_t)end) == sum)
        return 0;
    error_set(err, "%s: byte 0: it is not what was written there", path);
    return rc != 0 ? rc : -EBADMSG;
}

int unit_anchor_write(const struct segment_config *log, struct shared_end anchor, struct error *err)
{
    char path[PATH_BYTES], folder[PATH_BYTES], line[LINE_BYTES];
    int bytes = snprintf(line, sizeof(line), "%" PRIu64 " %" PRIu32, anchor.number, anchor.chain);
    int rc;

    bytes += snprintf(line + bytes, sizeof(line) - (size_t)bytes, " %08" PRIx32 "\n",
                      crc32c(0, line, (size_t)bytes));
    beside(log, anchor_name(log), path);
    beside(log, "", folder);
    rc = host_replace_file(folder, anchor_name(log), line, (size_t)bytes);
    return rc != 0 ? fail(path, rc, "it cannot be written", err) : 0;
}

/* ---- the image ---- */

static enum shared_verdict fetch_blobs(struct shared_store *store, const char *blobs,
                                       const struct shared_image *image, struct error *err)
{
    enum shared_verdict verdict = SHARED_FINE;

    for (size_t i = 0; verdict == SHARED_FINE && i < image->blob_count; i++) {
        struct kept_files files = {0};
        struct error ignored;
        bool is_there = kept_files_load(blobs, image->blobs[i], &files, &ignored) == 0;
        kept_files_release(&files);
        if (is_there)
            continue;
        verdict = shared_files_get(store, blobs, image->blobs[i], err);
        if (verdict == SHARED_LOST)
            verdict = SHARED_DAMAGED; /* they are there before the image is */
    }
    return verdict;
}

/* A call on our own disk has failed. */
static enum shared_verdict verdict_of(int rc)
{
    return rc == -EIO || rc == -ENOSPC ? SHARED_UNKEPT : SHARED_DAMAGED;
}

/* A file of one chunk after the other. */
static enum shared_verdict fetch_file(struct shared_store *store, const struct shared_image *image,
                                      const char *path, struct error *err)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE), rc = 0;
    enum shared_verdict verdict = SHARED_FINE;
    uint64_t at = 0;

    if (fd < 0) {
        fail(path, fd, "it cannot be made", err);
        return verdict_of(fd);
    }
    for (uint32_t i = 0; verdict == SHARED_FINE && rc == 0 && i < image->chunks; i++) {
        struct text chunk;
        verdict = shared_image_chunk(store, image, i, &chunk, err);
        if (verdict == SHARED_FINE)
            rc = host_pwrite_all(fd, chunk.at, chunk.len, (int64_t)at);
        if (verdict == SHARED_FINE)
            at += chunk.len;
    }
    if (h->close(h->self, fd) != 0 && rc == 0)
        rc = -EIO;
    if (rc != 0) {
        fail(path, rc, "it cannot be written", err);
        verdict = verdict_of(rc);
    }
    return verdict;
}

/* The two newest stay. */
static void remove_others(const struct snapshot_folder *folder)
{
    uint64_t number[SNAPSHOT_LIST_MAX];
    int count = snapshot_file_list(folder, number);

    for (int i = 2; i < count; i++)
        snapshot_file_remove(folder, number[i], false);
}

/* What came becomes one of ours. */
static int adopt(const struct snapshot_folder *from, const struct snapshot_folder *to,
                 const struct shared_image *image, uint32_t crc, struct error *err)
{
    uint64_t number[SNAPSHOT_LIST_MAX];
    struct snapshot_content content;
    struct snapshot_written written;
    enum snapshot_refusal why;
    int count = snapshot_file_list(to, number), rc;

    if (count < 0)
        return fail(to->path, count, "it cannot be read", err);
    rc = snapshot_file_read(from, image->number, &content, &why, err);
    if (rc != 0)
        return rc;
    if (content.facts.known.frame != image->known.number || content.facts.frame != image->frame) {
        error_set(err, "the image in the shared store is of another moment than is said of it");
        rc = -EBADMSG;
    } else {
        content.facts.known.crc = crc;
        rc = snapshot_file_write(to, count > 0 ? number[0] + 1 : 1, &content.facts,
                                 &(struct snapshot_piece){content.known, content.known_bytes},
                                 &(struct snapshot_piece){content.image, content.image_bytes}, 1,
                                 &written, err);
    }
    snapshot_content_release(&content);
    return rc;
}

enum shared_verdict unit_image_fetch(struct shared_store *store,
                                     const struct segment_config *journal, const char *blobs,
                                     const struct shared_image *image, uint32_t crc,
                                     struct error *err)
{
    const struct host *h = host();
    char ours[PATH_BYTES], theirs[PATH_BYTES], path[SNAPSHOT_PATH_BYTES];
    const struct snapshot_folder to = {ours, journal->directory};
    const struct snapshot_folder from = {theirs, image->directory};
    enum shared_verdict verdict = fetch_blobs(store, blobs, image, err);
    int rc;

    if (verdict != SHARED_FINE)
        return verdict;
    beside(journal, "snapshots", ours);
    beside(journal, "snapshots/fetched", theirs);
    rc = h->mkdir(h->self, ours, FOLDER_MODE);
    if (rc == 0 || rc == -EEXIST)
        rc = h->mkdir(h->self, theirs, FOLDER_MODE);
    if (rc != 0 && rc != -EEXIST) {
        fail(theirs, rc, "it cannot be made", err);
        return verdict_of(rc);
    }
    snapshot_file_path(&from, image->number, path);
    verdict = fetch_file(store, image, path, err);
    if (verdict == SHARED_FINE && (rc = adopt(&from, &to, image, crc, err)) != 0)
        verdict = verdict_of(rc);
    h->unlink(h->self, path);
    if (verdict == SHARED_FINE)
        remove_others(&to);
    return verdict;
}
