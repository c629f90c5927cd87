/*
 * kept_files.c - see kept_files.h.
 *
 * A list is text, one file a line; names have their length before, for they may hold anything:
 *
 *   tocsin kept files 1
 *   id 0123456789abcdef0123456789abcdef
 *   f 89abcdef0123456789abcdef01234567 1234 12 ./rules.yaml
 *   checksum 89abcdef
 */
#include "store/kept_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "base/incident.h"
#include "store/crc32c.h"

enum {
    PATH_BYTES = 4096,
    LINE_BYTES = 128,
    LIST_BYTES_MAX = 64 << 20,
    NAME_BYTES_MAX = 4096,
    FILE_MODE = 0600
};

#define LIST_HEAD "tocsin kept files 1\nid "
#define TAIL "checksum %08" PRIx32 "\n"
#define LIST_ENDING ".files"
#define NEW_ENDING ".new"

void kept_files_add(struct kept_files *files, char kind, const char *name, const char *at,
                    size_t bytes)
{
    struct kept_file file = {.kind = kind, .bytes = bytes};
    size_t length = strlen(name) + 1;

    file.name = memory_alloc(length);
    memcpy(file.name, name, length);
    file.at = memory_alloc(bytes + 1);
    memcpy(file.at, at, bytes);
    file.at[bytes] = '\0';
    vector_add(&files->file) = file;
}

void kept_files_release(struct kept_files *files)
{
    for (size_t i = 0; i < files->file.count; i++) {
        free(files->file.at[i].name);
        free(files->file.at[i].at);
    }
    free(files->file.at);
    *files = (struct kept_files){0};
}

static void path_of(const char *folder, struct id128 id, const char *ending, char to[PATH_BYTES])
{
    char hex[ID128_TEXT_BYTES];

    id128_format(id, hex);
    snprintf(to, PATH_BYTES, "%s/%s%s", folder, hex, ending);
}

static int read_file(const char *path, size_t bytes_max, char **out, size_t *bytes)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDONLY | O_NONBLOCK, 0), rc = 0;
    int64_t size;

    if (fd < 0)
        return fd;
    size = h->size(h->self, fd);
    if (size < 0)
        rc = (int)size;
    else if (size > (int64_t)bytes_max)
        rc = -EFBIG;
    if (rc == 0) {
        *bytes = (size_t)size;
        *out = memory_alloc(*bytes + 1);
        (*out)[*bytes] = '\0';
        rc = host_pread_all(fd, *out, *bytes, 0);
        if (rc != 0)
            free(*out);
    }
    h->close(h->self, fd);
    return rc;
}

/* ---- writing ---- */

static bool has_already(const char *path, const char *from, size_t bytes)
{
    char *text;
    size_t count;
    bool same;

    if (read_file(path, bytes, &text, &count) != 0)
        return false;
    same = count == bytes && memcmp(text, from, bytes) == 0;
    free(text);
    return same;
}

static int write_file(const char *path, const char *from, size_t bytes, struct error *err)
{
    const struct host *h = host();
    char fresh[PATH_BYTES + sizeof(NEW_ENDING)];
    int fd, rc;

    if (has_already(path, from, bytes))
        return 0;
    snprintf(fresh, sizeof(fresh), "%s" NEW_ENDING, path);
    fd = h->open(h->self, fresh, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
    rc = fd < 0 ? fd : host_pwrite_all(fd, from, bytes, 0);
    if (rc == 0)
        rc = host_sync(fd);
    if (fd >= 0)
        h->close(h->self, fd);
    if (rc == 0)
        rc = h->rename(h->self, fresh, path);
    if (rc != 0)
        error_set(err, "%s: it cannot be written: %s", path, strerrordesc_np(-rc));
    return rc;
}

static int sync_folder(const char *folder, struct error *err)
{
    int rc = host()->sync_dir(host()->self, folder);

    if (rc != 0)
        error_set(err, "%s: it cannot be synced: %s", folder, strerrordesc_np(-rc));
    return rc;
}

struct text_buffer {
    VECTOR_OF(char) bytes;
};

static void put(struct text_buffer *to, const char *from, size_t bytes)
{
    vector_reserve(&to->bytes, bytes);
    memcpy(to->bytes.at + to->bytes.count, from, bytes);
    to->bytes.count += bytes;
}

static void list_print(struct text_buffer *to, struct id128 id, const struct kept_files *files)
{
    char line[LINE_BYTES], hex[ID128_TEXT_BYTES];

    id128_format(id, hex);
    put(to, line, (size_t)snprintf(line, sizeof(line), LIST_HEAD "%s\n", hex));
    for (size_t i = 0; i < files->file.count; i++) {
        const struct kept_file *file = &files->file.at[i];
        size_t length = strlen(file->name);
        id128_format(hash128(file->at, file->bytes, 0), hex);
        put(to, line,
            (size_t)snprintf(line, sizeof(line), "%c %s %zu %zu ", file->kind, hex, file->bytes,
                             length));
        put(to, file->name, length);
        put(to, "\n", 1);
    }
    put(to, line,
        (size_t)snprintf(line, sizeof(line), TAIL, crc32c(0, to->bytes.at, to->bytes.count)));
}

int kept_files_save(const char *folder, struct id128 id, const struct kept_files *files,
                    struct error *err)
{
    struct text_buffer list = {.bytes = {0}};
    char path[PATH_BYTES];
    int rc = 0;

    if (files->file.count > KEPT_FILES_MAX) {
        error_set(err, "%s: %zu files are more than the %d that can be kept together", folder,
                  files->file.count, KEPT_FILES_MAX);
        return -E2BIG;
    }
    for (size_t i = 0; i < files->file.count && rc == 0; i++) {
        const struct kept_file *file = &files->file.at[i];
        path_of(folder, hash128(file->at, file->bytes, 0), "", path);
        rc = write_file(path, file->at, file->bytes, err);
    }
    if (rc == 0)
        rc = sync_folder(folder, err);
    if (rc == 0) {
        list_print(&list, id, files);
        path_of(folder, id, LIST_ENDING, path);
        rc = write_file(path, list.bytes.at, list.bytes.count, err);
    }
    if (rc == 0)
        rc = sync_folder(folder, err);
    free(list.bytes.at);
    return rc;
}

/* ---- reading ---- */

static int damaged(const char *path, struct error *err)
{
    error_set(err,
              "%s: the file is damaged; put back the one of a copy, or give this run a data "
              "directory of its own",
              path);
    return -EBADMSG;
}

static int read_all(const char *path, size_t bytes_max, char **out, size_t *bytes,
                    struct error *err)
{
    int rc = read_file(path, bytes_max, out, bytes);

    if (rc == -EFBIG)
        return damaged(path, err);
    if (rc == -ENOENT)
        error_set(err,
                  "%s: the file is missing; put back the one of a copy, or give this run a data "
                  "directory of its own",
                  path);
    else if (rc != 0)
        error_set(err, "%s: it cannot be read: %s", path, strerrordesc_np(-rc));
    return rc;
}

/* One file of a list, as its line says. */
struct listed {
    char kind;
    struct id128 hash;
    size_t bytes;
    const char *name;
    size_t name_bytes;
};

/* What follows the line, or NULL. */
static const char *line_read(const char *at, const char *end, struct listed *out)
{
    char line[LINE_BYTES];
    size_t left = (size_t)(end - at), used;
    int numbers = 0;

    snprintf(line, sizeof(line), "%.*s", (int)(left < sizeof(line) ? left : sizeof(line) - 1), at);
    if (sscanf(line, "%c %16" SCNx64 "%16" SCNx64 " %zu %zu%n", &out->kind, &out->hash.hi,
               &out->hash.lo, &out->bytes, &out->name_bytes, &numbers) != 5)
        return NULL;
    used = (size_t)numbers + 1; /* and the space before the name */
    if (line[numbers] != ' ' || out->bytes > KEPT_FILE_BYTES_MAX ||
        out->name_bytes > NAME_BYTES_MAX || left < used + out->name_bytes + 1)
        return NULL;
    out->name = at + used;
    at = out->name + out->name_bytes;
    return *at == '\n' ? at + 1 : NULL;
}

/* Calls `take` for each file of the list until it does not return 0. */
static int list_read(const char *folder, struct id128 id,
                     int (*take)(void *self, const struct listed *listed, struct error *err),
                     void *self, struct error *err)
{
    char path[PATH_BYTES], head[LINE_BYTES], hex[ID128_TEXT_BYTES], *text;
    char tail[LINE_BYTES];
    size_t bytes, head_bytes, tail_bytes = strlen("checksum 01234567\n");
    const char *at, *end;
    size_t files = 0;
    int rc;

    path_of(folder, id, LIST_ENDING, path);
    rc = read_all(path, LIST_BYTES_MAX, &text, &bytes, err);
    if (rc != 0)
        return rc;
    id128_format(id, hex);
    head_bytes = (size_t)snprintf(head, sizeof(head), LIST_HEAD "%s\n", hex);
    end = bytes > tail_bytes ? text + bytes - tail_bytes : text;
    snprintf(tail, sizeof(tail), TAIL, crc32c(0, text, (size_t)(end - text)));
    if (bytes < head_bytes + tail_bytes || memcmp(text, head, head_bytes) != 0 ||
        memcmp(end, tail, tail_bytes) != 0)
        rc = damaged(path, err);
    for (at = text + head_bytes; rc == 0 && at < end;) {
        struct listed listed;
        at = line_read(at, end, &listed);
        rc = at == NULL || ++files > KEPT_FILES_MAX ? damaged(path, err) : take(self, &listed, err);
    }
    free(text);
    return rc;
}

static int content_read(const char *folder, const struct listed *listed, char **out,
                        struct error *err)
{
    char path[PATH_BYTES];
    size_t bytes;
    int rc;

    path_of(folder, listed->hash, "", path);
    rc = read_all(path, listed->bytes, out, &bytes, err);
    if (rc == 0 &&
        (bytes != listed->bytes || !id128_equal(hash128(*out, bytes, 0), listed->hash))) {
        free(*out);
        rc = damaged(path, err);
    }
    return rc;
}

struct loading {
    const char *folder;
    struct kept_files *files;
};

static int take_loaded(void *self, const struct listed *listed, struct error *err)
{
    const struct loading *loading = self;
    struct kept_file file = {.kind = listed->kind, .bytes = listed->bytes};
    int rc = content_read(loading->folder, listed, &file.at, err);

    if (rc != 0)
        return rc;
    file.name = memory_alloc(listed->name_bytes + 1);
    memcpy(file.name, listed->name, listed->name_bytes);
    file.name[listed->name_bytes] = '\0';
    vector_add(&loading->files->file) = file;
    return 0;
}

int kept_files_load(const char *folder, struct id128 id, struct kept_files *out, struct error *err)
{
    struct loading loading = {folder, out};
    int rc;

    *out = (struct kept_files){0};
    rc = list_read(folder, id, take_loaded, &loading, err);
    if (rc != 0)
        kept_files_release(out);
    return rc;
}

/* ---- a look at all ---- */

struct looking {
    const char *folder;
    VECTOR_OF(struct id128) lists;     /* sorted, once each */
    VECTOR_OF(struct listed) contents; /* sorted and once each when all are there; no names */
    VECTOR_OF(char *) strangers;
};

static int order_ids(const struct id128 *a, const struct id128 *b)
{
    if (a->hi != b->hi)
        return a->hi < b->hi ? -1 : 1;
    return (a->lo > b->lo) - (a->lo < b->lo);
}

static int by_id(const void *a, const void *b)
{
    return order_ids(a, b);
}

static int by_hash(const void *a, const void *b)
{
    return order_ids(&((const struct listed *)a)->hash, &((const struct listed *)b)->hash);
}

static int take_content(void *self, const struct listed *listed, struct error *err)
{
    struct looking *looking = self;

    (void)err;
    vector_add(&looking->contents) = (struct listed){.hash = listed->hash, .bytes = listed->bytes};
    return 0;
}

static bool is_needed(const struct looking *looking, const char *name, bool *is_ours)
{
    struct listed listed = {.kind = 0};
    const char *ending = name + 2 * 16;

    *is_ours = false;
    if (strlen(name) < 2 * 16 || strspn(name, "0123456789abcdef") != 2 * 16 ||
        sscanf(name, "%16" SCNx64 "%16" SCNx64, &listed.hash.hi, &listed.hash.lo) != 2)
        return true;
    *is_ours = true;
    if (ending[0] == '\0')
        return looking->contents.count > 0 &&
               bsearch(&listed, looking->contents.at, looking->contents.count, sizeof(listed),
                       by_hash) != NULL;
    if (strcmp(ending, LIST_ENDING) == 0)
        return looking->lists.count > 0 &&
               bsearch(&listed.hash, looking->lists.at, looking->lists.count, sizeof(listed.hash),
                       by_id) != NULL;
    /* Those that were not finished. */
    *is_ours = strcmp(ending, NEW_ENDING) == 0 || strcmp(ending, LIST_ENDING NEW_ENDING) == 0;
    return !*is_ours;
}

static void see_name(void *self, const char *name)
{
    struct looking *looking = self;
    size_t bytes = strlen(name) + 1;
    bool is_ours;

    if (is_needed(looking, name, &is_ours))
        return;
    char *copy = memory_alloc(bytes);
    memcpy(copy, name, bytes);
    vector_add(&looking->strangers) = copy;
}

static int sweep(struct looking *looking, struct kept_counts *out, struct error *err)
{
    const struct host *h = host();
    char path[PATH_BYTES];
    int rc = h->list(h->self, looking->folder, see_name, looking);

    for (size_t i = 0; i < looking->strangers.count && rc == 0; i++) {
        snprintf(path, sizeof(path), "%s/%s", looking->folder, looking->strangers.at[i]);
        rc = h->unlink(h->self, path);
        out->removed += rc == 0;
    }
    if (rc != 0)
        error_set(err, "%s: what is not needed any more cannot be removed: %s", looking->folder,
                  strerrordesc_np(-rc));
    return rc;
}

/* Sorts, and keeps one of each. */
static void contents_settle(struct looking *looking)
{
    size_t kept = 0;

    if (looking->contents.count > 1)
        qsort(looking->contents.at, looking->contents.count, sizeof(looking->contents.at[0]),
              by_hash);
    for (size_t i = 0; i < looking->contents.count; i++)
        if (kept == 0 || by_hash(&looking->contents.at[i], &looking->contents.at[kept - 1]) != 0)
            looking->contents.at[kept++] = looking->contents.at[i];
    looking->contents.count = kept;
}

int kept_files_look(const char *folder, const struct id128 *ids, size_t count, bool must_sweep,
                    struct kept_counts *out, struct error *err)
{
    struct looking looking = {.folder = folder};
    char *text;
    int rc = 0;

    *out = (struct kept_counts){0};
    for (size_t i = 0; i < count; i++)
        vector_add(&looking.lists) = ids[i];
    if (count > 1)
        qsort(looking.lists.at, count, sizeof(struct id128), by_id);
    looking.lists.count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !id128_equal(looking.lists.at[i], looking.lists.at[looking.lists.count - 1]))
            looking.lists.at[looking.lists.count++] = looking.lists.at[i];
    for (size_t i = 0; i < looking.lists.count && rc == 0; i++)
        rc = list_read(folder, looking.lists.at[i], take_content, &looking, err);
    contents_settle(&looking);
    for (size_t i = 0; i < looking.contents.count && rc == 0; i++) {
        rc = content_read(folder, &looking.contents.at[i], &text, err);
        if (rc == 0) {
            out->bytes += looking.contents.at[i].bytes;
            free(text);
        }
    }
    out->lists = looking.lists.count;
    out->contents = looking.contents.count;
    if (rc == 0 && must_sweep)
        rc = sweep(&looking, out, err);
    for (size_t i = 0; i < looking.strangers.count; i++)
        free(looking.strangers.at[i]);
    free(looking.strangers.at);
    free(looking.contents.at);
    free(looking.lists.at);
    return rc;
}
