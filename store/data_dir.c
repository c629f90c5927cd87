/*
 * data_dir.c - see data_dir.h.
 *
 * FORMAT is text, so that somebody who finds the directory in five years can read what it is:
 *
 *   tocsin data directory
 *   version 1
 *   id 0123456789abcdef0123456789abcdef
 *   checksum 89abcdef
 *
 * The checksum is CRC-32C of the lines before it. The file is made under another name, synced and
 * renamed after the folders are there: a directory without it is an unfinished one if it holds
 * nothing but these.
 */
#include "store/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "base/hash.h"
#include "base/incident.h"
#include "store/crc32c.h"

enum {
    FORMAT_BYTES_MAX = 4096,
    FILE_MODE = 0600,
    FOLDER_MODE = 0700,
    NUMBER_BYTES = 24,
    SEGMENT_NAME_BYTES = 128,
    BOOT_BYTES = 40
};

/* Linux: another one with each start of the machine. */
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static const char *const folders[] = {"journal", "intake", "snapshots", "blobs"};
/* May be there before FORMAT is: ours, or what every file system or person leaves. */
static const char *const harmless[] = {"LOCK",      "FORMAT.new", "journal",   "intake",
                                       "snapshots", "blobs",      "lost+found"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void data_dir_folder(const struct data_dir *dir, const char *folder, char to[DATA_DIR_PATH_BYTES])
{
    snprintf(to, DATA_DIR_PATH_BYTES, "%s/%s", dir->path, folder);
}

static int fail(const char *path, int rc, const char *what, struct error *err)
{
    error_set(err, "%s: %s: %s", path, what, strerrordesc_np(-rc));
    return rc;
}

/* ---- FORMAT ---- */

static size_t format_print(struct id128 id, char to[FORMAT_BYTES_MAX])
{
    char hex[ID128_TEXT_BYTES];
    int bytes;

    id128_format(id, hex);
    bytes = snprintf(to, FORMAT_BYTES_MAX, "tocsin data directory\nversion %d\nid %s\n",
                     DATA_DIR_VERSION, hex);
    bytes += snprintf(to + bytes, FORMAT_BYTES_MAX - (size_t)bytes, "checksum %08" PRIx32 "\n",
                      crc32c(0, to, (size_t)bytes));
    return (size_t)bytes;
}

/* Of exactly what format_print() makes, but for the version: a later one may go on differently. */
static int format_read(const char *path, const char *text, struct id128 *id,
                       enum data_dir_refusal *why, struct error *err)
{
    char again[FORMAT_BYTES_MAX];
    unsigned version = 0;

    *why = DATA_DIR_FOREIGN;
    if (sscanf(text, "tocsin data directory\nversion %u\n", &version) != 1) {
        error_set(err, "%s:1: this is not the directory of a tocsin", path);
        return -EINVAL;
    }
    *why = DATA_DIR_DAMAGED; /* it is a tocsin's, and who would page does not run */
    if (version > DATA_DIR_VERSION) {
        error_set(err,
                  "%s:2: version %u was written by a newer tocsin, and this one reads up to %d; "
                  "start the newer one, or give this one a directory of its own",
                  path, version, DATA_DIR_VERSION);
        return -EINVAL;
    }
    if (sscanf(text, "tocsin data directory\nversion %*u\nid %16" SCNx64 "%16" SCNx64 "\n", &id->hi,
               &id->lo) == 2) {
        format_print(*id, again);
        if (strcmp(again, text) == 0) {
            *why = DATA_DIR_WORLD; /* as before: what fails from here on is the disk */
            return 0;
        }
    }
    error_set(err,
              "%s: the file is damaged; put back the one of a copy, for without its id nothing "
              "in the directory can be told from what is foreign",
              path);
    return -EBADMSG;
}

static int format_write(struct data_dir *dir, struct error *err)
{
    const struct host *h = host();
    char from[DATA_DIR_PATH_BYTES], to[DATA_DIR_PATH_BYTES], text[FORMAT_BYTES_MAX];
    size_t bytes;
    int fd, rc;

    h->random(h->self, &dir->id, sizeof(dir->id));
    bytes = format_print(dir->id, text);
    data_dir_folder(dir, "FORMAT.new", from);
    data_dir_folder(dir, "FORMAT", to);
    fd = h->open(h->self, from, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE);
    if (fd < 0)
        return fail(from, fd, "it cannot be made", err);
    rc = host_pwrite_all(fd, text, bytes, 0);
    if (rc == 0)
        rc = host_sync(fd);
    h->close(h->self, fd);
    if (rc == 0)
        rc = h->rename(h->self, from, to);
    if (rc == 0)
        rc = h->sync_dir(h->self, dir->path);
    return rc != 0 ? fail(to, rc, "it cannot be written", err) : 0;
}

/* ---- the directory ---- */

struct names {
    bool has_format;
    char stranger[256]; /* "": none */
};

static void see_name(void *user, const char *name)
{
    struct names *names = user;

    if (strcmp(name, "FORMAT") == 0) {
        names->has_format = true;
        return;
    }
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (strcmp(name, harmless[i]) == 0)
            return;
    if (names->stranger[0] == '\0')
        snprintf(names->stranger, sizeof(names->stranger), "%s", name);
}

static int lock(struct data_dir *dir, enum data_dir_refusal *why, struct error *err)
{
    const struct host *h = host();
    char path[DATA_DIR_PATH_BYTES], number[NUMBER_BYTES] = "";
    int bytes, rc;

    data_dir_folder(dir, "LOCK", path);
    dir->lock_fd = h->open(h->self, path, O_RDWR | O_CREAT, FILE_MODE);
    if (dir->lock_fd < 0)
        return fail(path, dir->lock_fd, "it cannot be made", err);
    rc = h->lock(h->self, dir->lock_fd);
    if (rc == -EAGAIN) {
        ssize_t got = h->pread(h->self, dir->lock_fd, number, sizeof(number) - 1, 0);
        *why = DATA_DIR_LOCKED;
        number[got > 0 ? strcspn(number, " \n") : 0] = '\0'; /* padded: see below */
        error_set(err,
                  "%s: another tocsin uses this directory%s%s; stop it, or give this one a "
                  "directory of its own",
                  dir->path, number[0] != '\0' ? ": process " : "", number);
        return rc;
    }
    if (rc != 0)
        return fail(path, rc, "it cannot be locked", err);
    /* For sentences alone, so a disk that is full is no reason to stop. */
    bytes = snprintf(number, sizeof(number), "%-15ld\n", (long)getpid());
    host_pwrite_all(dir->lock_fd, number, (size_t)bytes, 0);
    return 0;
}

/* By a name that is there as long as the directory is anything. */
static int lock_format(struct data_dir *dir, enum data_dir_refusal *why, struct error *err)
{
    const struct host *h = host();
    char path[DATA_DIR_PATH_BYTES];
    int rc;

    data_dir_folder(dir, "FORMAT", path);
    dir->format_fd = h->open(h->self, path, O_RDONLY, 0);
    if (dir->format_fd < 0)
        return fail(path, dir->format_fd, "it cannot be opened", err);
    rc = h->lock(h->self, dir->format_fd);
    if (rc != -EAGAIN)
        return rc != 0 ? fail(path, rc, "it cannot be locked", err) : 0;
    *why = DATA_DIR_LOCKED;
    error_set(err,
              "%s: another tocsin uses this directory, although its LOCK was taken away; stop it, "
              "or give this one a directory of its own",
              dir->path);
    return rc;
}

/* The directory's own name, which is in the folder above it. Where that may not be read, or its
 * file system syncs no folders, there is nothing more to be done. */
static int sync_name(const struct data_dir *dir, struct error *err)
{
    char above[DATA_DIR_PATH_BYTES];
    size_t bytes = strlen(dir->path);
    int rc;

    while (bytes > 1 && dir->path[bytes - 1] == '/')
        bytes--;
    while (bytes > 0 && dir->path[bytes - 1] != '/')
        bytes--;
    while (bytes > 1 && dir->path[bytes - 1] == '/')
        bytes--;
    snprintf(above, sizeof(above), "%.*s", bytes > 0 ? (int)bytes : 1, bytes > 0 ? dir->path : ".");
    rc = host()->sync_dir(host()->self, above);
    if (rc == 0 || rc == -EACCES || rc == -EPERM || rc == -EROFS || rc == -EINVAL)
        return 0;
    return fail(above, rc, "it cannot be synced", err);
}

static int make_folders(struct data_dir *dir, struct error *err)
{
    const struct host *h = host();
    char path[DATA_DIR_PATH_BYTES];
    int rc;

    for (size_t i = 0; i < COUNT(folders); i++) {
        data_dir_folder(dir, folders[i], path);
        rc = h->mkdir(h->self, path, FOLDER_MODE);
        if (rc != 0 && rc != -EEXIST)
            return fail(path, rc, "it cannot be made", err);
    }
    rc = h->sync_dir(h->self, dir->path);
    return rc != 0 ? fail(dir->path, rc, "it cannot be synced", err) : 0;
}

static int read_format(struct data_dir *dir, enum data_dir_refusal *why, struct error *err)
{
    char path[DATA_DIR_PATH_BYTES], text[FORMAT_BYTES_MAX + 1];
    const struct host *h = host();
    ssize_t bytes;
    int fd;

    data_dir_folder(dir, "FORMAT", path);
    fd = h->open(h->self, path, O_RDONLY, 0);
    if (fd < 0)
        return fail(path, fd, "it cannot be opened", err);
    bytes = h->pread(h->self, fd, text, FORMAT_BYTES_MAX, 0);
    h->close(h->self, fd);
    if (bytes < 0)
        return fail(path, (int)bytes, "it cannot be read", err);
    text[bytes] = '\0';
    return format_read(path, text, &dir->id, why, err);
}

/* Locks the directory and makes what is missing. */
static int use_it(struct data_dir *dir, struct names *names, enum data_dir_refusal *why,
                  struct error *err)
{
    int rc = lock(dir, why, err);

    /* Looked for again under the lock: another process may have been making it. */
    if (rc == 0 && !names->has_format) {
        rc = host()->list(host()->self, dir->path, see_name, names);
        if (rc != 0)
            return fail(dir->path, rc, "the data directory cannot be read", err);
        if (names->has_format)
            rc = read_format(dir, why, err);
    }
    if (rc == 0)
        rc = make_folders(dir, err);
    if (rc == 0 && !names->has_format) {
        dir->is_new = true;
        rc = sync_name(dir, err);
        if (rc == 0)
            rc = format_write(dir, err);
    }
    return rc != 0 ? rc : lock_format(dir, why, err);
}

/* What lies in a folder that is called like one of ours. */
struct inside {
    char ours[SEGMENT_NAME_BYTES]; /* "": nothing that looks like ours */
    char any[SEGMENT_NAME_BYTES];
};

static bool ends_with(const char *name, const char *end)
{
    size_t bytes = strlen(name), end_bytes = strlen(end);

    return bytes > end_bytes && strcmp(name + bytes - end_bytes, end) == 0;
}

/* A segment, a spare one, a snapshot, or what is kept under its hash. */
static bool is_our_name(const char *name)
{
    size_t digits = strspn(name, "0123456789abcdef");

    return (digits == 16 && (ends_with(name, ".seg") || ends_with(name, ".snap"))) ||
           (digits == 2 * sizeof(struct id128) && name[digits] == '\0') ||
           strncmp(name, "spare.", 6) == 0;
}

static void see_inside(void *user, const char *name)
{
    struct inside *inside = user;
    char *to = is_our_name(name) ? inside->ours : inside->any;

    if (name[0] != '.' && to[0] == '\0')
        snprintf(to, SEGMENT_NAME_BYTES, "%.100s", name);
}

/* FORMAT is there before anything is in the folders: without it they are empty, or it was lost, or
 * they are somebody else's. `names` gets what is foreign there. */
static int look_for_orphans(const struct data_dir *dir, struct names *names,
                            enum data_dir_refusal *why, struct error *err)
{
    const struct host *h = host();
    char path[DATA_DIR_PATH_BYTES];

    for (size_t i = 0; i < COUNT(folders); i++) {
        struct inside inside = {"", ""};
        int rc;
        data_dir_folder(dir, folders[i], path);
        rc = h->list(h->self, path, see_inside, &inside);
        if (rc != 0 && rc != -ENOENT)
            return fail(path, rc, "it cannot be read", err);
        if (inside.any[0] != '\0' && names->stranger[0] == '\0')
            snprintf(names->stranger, sizeof(names->stranger), "%s/%s", folders[i], inside.any);
        if (inside.ours[0] == '\0')
            continue;
        *why = DATA_DIR_DAMAGED;
        error_set(err,
                  "%s/FORMAT: it is missing, and %s holds %s; put back the one of a copy, for "
                  "without its id nothing in the directory can be told from what is foreign",
                  dir->path, path, inside.ours);
        return -EBADMSG;
    }
    return 0;
}

int data_dir_open(struct data_dir *dir, const char *path, enum data_dir_use use,
                  enum data_dir_refusal *why, struct error *err)
{
    const struct host *h = host();
    struct names names = {false, ""};
    int rc = 0;

    *dir = (struct data_dir)DATA_DIR_CLOSED;
    *why = DATA_DIR_WORLD;
    if (strlen(path) >= sizeof(dir->path)) {
        error_set(err, "%.80s...: the path is longer than %zu bytes", path, sizeof(dir->path) - 1);
        return -ENAMETOOLONG;
    }
    snprintf(dir->path, sizeof(dir->path), "%s", path);
    if (use == DATA_DIR_RUN) {
        rc = h->mkdir(h->self, path, FOLDER_MODE);
        if (rc != 0 && rc != -EEXIST)
            return fail(path, rc, "the data directory cannot be made", err);
    }
    rc = h->list(h->self, path, see_name, &names);
    if (rc == -ENOENT)
        *why = DATA_DIR_MISSING;
    if (rc != 0)
        return fail(path, rc, "the data directory cannot be read", err);
    if (!names.has_format)
        rc = look_for_orphans(dir, &names, why, err);
    if (rc != 0)
        return rc;
    if (!names.has_format && names.stranger[0] != '\0') {
        *why = DATA_DIR_FOREIGN;
        error_set(err, "%s: holds %s and no FORMAT, so it is not the directory of a tocsin%s", path,
                  names.stranger, use == DATA_DIR_RUN ? "; give it an empty one" : "");
        return -EINVAL;
    }
    if (!names.has_format && use == DATA_DIR_LOOK) {
        *why = DATA_DIR_MISSING;
        error_set(err, "%s: holds no data of a tocsin", path);
        return -ENOENT;
    }
    /* Before anything is made: what is not ours stays as it is. */
    if (names.has_format)
        rc = read_format(dir, why, err);
    if (rc == 0 && use == DATA_DIR_RUN)
        rc = use_it(dir, &names, why, err);
    if (rc != 0)
        data_dir_close(dir);
    else
        *why = DATA_DIR_FINE;
    return rc;
}

void data_dir_close(struct data_dir *dir)
{
    const struct host *h = host();

    if (dir->lock_fd >= 0)
        h->close(h->self, dir->lock_fd);
    if (dir->format_fd >= 0)
        h->close(h->self, dir->format_fd);
    dir->lock_fd = dir->format_fd = -1;
}

struct data_dir data_dir_hand_over(struct data_dir *dir)
{
    struct data_dir to = *dir;

    dir->lock_fd = dir->format_fd = -1;
    return to;
}

int data_dir_is_there(const struct data_dir *dir, struct error *err)
{
    const struct host *h = host();
    char path[DATA_DIR_PATH_BYTES];
    uint64_t ours[2], named[2];
    int fd, rc = h->file_id(h->self, dir->format_fd, ours);

    data_dir_folder(dir, "FORMAT", path);
    if (rc != 0)
        return fail(path, rc, "it cannot be looked at", err);
    fd = h->open(h->self, path, O_RDONLY, 0);
    if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR)
        return fail(path, fd, "it cannot be opened", err);
    if (fd >= 0) {
        rc = h->file_id(h->self, fd, named);
        h->close(h->self, fd);
        if (rc != 0)
            return fail(path, rc, "it cannot be looked at", err);
        if (memcmp(ours, named, sizeof(ours)) == 0)
            return 0;
    }
    error_set(err,
              "%s: the data directory of this run is not there any more: it was moved, removed or "
              "replaced; put it back before the next start",
              dir->path);
    return -ESTALE;
}

void data_dir_place(const struct data_dir *dir, char to[DATA_DIR_PLACE_BYTES])
{
    struct {
        uint64_t file[2];
        char boot[BOOT_BYTES];
    } place = {{0, 0}, ""};
    const struct host *h = host();
    int fd = h->open(h->self, BOOT_ID, O_RDONLY, 0);

    h->file_id(h->self, dir->format_fd, place.file);
    if (fd >= 0) {
        if (h->read(h->self, fd, place.boot, sizeof(place.boot)) < 0)
            place.boot[0] = '\0';
        h->close(h->self, fd);
    }
    snprintf(to, DATA_DIR_PLACE_BYTES, "%016" PRIx64, hash64(&place, sizeof(place), 0));
}
