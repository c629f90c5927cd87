/*
 * sim_disk.h - for tests: a disk in memory, behind base/host.h, whose power can be cut.
 *
 *   write  -> what a reader of the running system sees (`now`), sectors marked dirty
 *   sync   -> of one file: dirty sectors become durable
 *   sync_dir -> names of the folder become durable
 *   cut    -> of every dirty sector of 512 bytes the old or the new content stays, at random; of
 *             the names changed since the last sync_dir the first few changes stay, either of all
 *             folders together, as a file system with a journal of its own does it, or of each
 *             folder by itself; what lies in a folder that was made and whose name is lost goes
 *             with it; a file's size is that of what is durable or that of `now`, its bytes between
 *             them zeros
 *
 * Faults: the call numbered `fault_at` (all calls that can fail count) fails with `fault_errno`,
 * once or from then on for ever; a write may be cut short or be broken off by a signal first.
 * `crash_at`: from that call on nothing reaches the disk and everything fails with -EIO, as to a
 * process that is gone.
 *
 * Images: sim_trace_begin() keeps what is done to the disk, call by call; sim_disk_image() makes a
 * disk anew of the first calls of such a trace, and cuts its power there.
 *
 * Bounds: SIM_FILES files, SIM_CHANGES names that are not durable. Thread: any may call the table;
 * what is for tests is for the test's, while no other is at it. Clocks, randomness and wakers stay
 * real.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/host.h"

enum {
    SIM_FILES = 64,
    SIM_SECTOR = 512,
    SIM_NAME = 200,
    SIM_FD = 5000,
    SIM_CHANGES = 256,
    SIM_FOLDER = SIM_FILES, /* in place of a file's number: the name of a folder */
};

struct sim_file {
    char *now, *durable;
    size_t now_bytes, durable_bytes, room;
    unsigned char *dirty; /* by sector */
    unsigned open_count;
    uint64_t made; /* number of the call of the trace that made it */
    bool exists;   /* has a name, durable or not, or is open */
};

struct sim_name {
    char path[SIM_NAME]; /* "": free */
    int file;
};

struct sim_change { /* of names: `path` names `file` from then on; -1: nothing */
    char path[2][SIM_NAME];
    int file[2];
};

/* What was done to the disk, in its order. */
enum sim_act {
    SIM_MAKE,
    SIM_EMPTY,
    SIM_WRITE,
    SIM_SYNC,
    SIM_MOVE,
    SIM_REMOVE,
    SIM_MKDIR,
    SIM_SYNC_DIR
};

struct sim_done {
    enum sim_act act;
    uint64_t file; /* as sim_file.made; of MAKE, EMPTY, WRITE, SYNC */
    uint64_t at;   /* of WRITE */
    size_t bytes;
    char *path, *to; /* owned; "to" of MOVE: the new name; of WRITE: the bytes */
};

struct sim_trace {
    struct sim_done *done;
    size_t count, room;
};

struct sim_disk {
    struct sim_file files[SIM_FILES];
    struct sim_name now[SIM_FILES], durable[SIM_FILES];
    struct sim_change changes[SIM_CHANGES];
    int change_count;
    int fd_file[SIM_FILES]; /* by descriptor - SIM_FD; -1: closed */
    int64_t fd_at[SIM_FILES];
    bool fd_appends[SIM_FILES];
    char folders[SIM_FILES][SIM_NAME]; /* that were ever made */
    int folder_count;
    bool is_traced;
    struct sim_trace trace;
    _Atomic size_t traced; /* its count */
    uint64_t random;       /* state of the generator */

    /* Atomic, as a test sets them while a thread of the product is at work. */
    _Atomic uint64_t calls; /* so far */
    _Atomic uint64_t fault_at;
    _Atomic int fault_errno;
    _Atomic bool fault_for_ever, fault_is_short;
    _Atomic uint64_t crash_at;  /* 0: never */
    _Atomic uint64_t bytes_max; /* of all files: beyond it -ENOSPC; 0: no bound */
    uint64_t syncs, writes;
};

static struct sim_disk sim;
/* Of all of it. Recursive: who lists a folder may open what it is told of. */
static pthread_mutex_t sim_lock_ = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static inline void sim_enter(void)
{
    pthread_mutex_lock(&sim_lock_);
}

static inline void sim_leave(void)
{
    pthread_mutex_unlock(&sim_lock_);
}

/* Notes what is done. */
static inline void sim_note(enum sim_act act, uint64_t file, const char *path, const void *to,
                            size_t bytes, uint64_t at)
{
    struct sim_trace *trace = &sim.trace;
    struct sim_done *done;

    if (!sim.is_traced)
        return;
    if (trace->count == trace->room) {
        trace->room = 2 * trace->room + 256;
        trace->done = realloc(trace->done, trace->room * sizeof(*trace->done));
        assert(trace->done != NULL);
    }
    done = &trace->done[trace->count];
    *done = (struct sim_done){.act = act, .file = file, .at = at, .bytes = bytes};
    if (path != NULL)
        done->path = strdup(path);
    if (to != NULL) {
        done->to = malloc(bytes + 1);
        assert(done->to != NULL);
        memcpy(done->to, to, bytes);
        done->to[bytes] = '\0';
    }
    sim.traced = ++trace->count;
}

static inline uint64_t sim_random(void)
{
    sim.random += 0x9e3779b97f4a7c15u;
    return hash_mix(sim.random);
}

/* Counts a call; what it is to fail with, or 0. Signals break off reads, writes and syncs alone. */
static inline int sim_call(void)
{
    sim.calls++;
    if (sim.crash_at != 0 && sim.calls >= sim.crash_at)
        return -EIO;
    if (sim.fault_at != 0 &&
        (sim.calls == sim.fault_at || (sim.fault_for_ever && sim.calls > sim.fault_at)))
        return sim.fault_is_short ? 0 : sim.fault_errno;
    return 0;
}

static inline int sim_name_call(void)
{
    int rc = sim_call();

    return rc == -EINTR ? 0 : rc;
}

static inline struct sim_name *sim_find(struct sim_name *names, const char *path)
{
    for (int i = 0; i < SIM_FILES; i++)
        if (strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

static inline void sim_name_set(struct sim_name *names, const char *path, int file)
{
    struct sim_name *name = sim_find(names, path);

    if (file < 0) {
        if (name != NULL)
            *name = (struct sim_name){"", -1};
        return;
    }
    if (name == NULL)
        name = sim_find(names, "");
    assert(name != NULL);
    snprintf(name->path, sizeof(name->path), "%s", path);
    name->file = file;
}

static inline void sim_change_apply(struct sim_name *names, const struct sim_change *change)
{
    for (int i = 0; i < 2; i++)
        if (change->path[i][0] != '\0')
            sim_name_set(names, change->path[i], change->file[i]);
}

/* Up to two names change in one go. */
static inline void sim_names_change(const char *path0, int file0, const char *path1, int file1)
{
    struct sim_change change = {.file = {file0, file1}};

    snprintf(change.path[0], SIM_NAME, "%s", path0);
    snprintf(change.path[1], SIM_NAME, "%s", path1);
    sim_change_apply(sim.now, &change);
    assert(sim.change_count < SIM_CHANGES);
    sim.changes[sim.change_count++] = change;
}

static inline bool sim_is_in(const char *path, const char *folder)
{
    size_t bytes = strlen(folder);

    return strncmp(path, folder, bytes) == 0 && path[bytes] == '/' &&
           strchr(path + bytes + 1, '/') == NULL;
}

/* Where the last part of a path begins; its folder is before that. */
static inline size_t sim_folder_bytes(const char *path)
{
    const char *last = strrchr(path, '/');

    return last != NULL ? (size_t)(last - path) : 0;
}

/* The names of one folder, in which each change lies whole. */
static inline void sim_names_sync(const char *folder)
{
    int left = 0;

    for (int i = 0; i < sim.change_count; i++) {
        bool is_its = sim_is_in(sim.changes[i].path[0], folder) ||
                      (strcmp(folder, ".") == 0 && strchr(sim.changes[i].path[0], '/') == NULL);
        if (is_its)
            sim_change_apply(sim.durable, &sim.changes[i]);
        else
            sim.changes[left++] = sim.changes[i];
    }
    sim.change_count = left;
}

static inline bool sim_folder_was_made(const char *path)
{
    for (int i = 0; i < sim.folder_count; i++)
        if (strcmp(sim.folders[i], path) == 0)
            return true;
    return false;
}

/* Whether all folders of the path that were ever made are there. */
static inline bool sim_has_folders(struct sim_name *names, const char *path)
{
    for (int i = 0; i < sim.folder_count; i++) {
        size_t bytes = strlen(sim.folders[i]);
        if (strncmp(path, sim.folders[i], bytes) == 0 && path[bytes] == '/' &&
            sim_find(names, sim.folders[i]) == NULL)
            return false;
    }
    return true;
}

/* What the power leaves of the names. */
static inline void sim_names_cut(void)
{
    bool is_by_folder = (sim_random() & 1) != 0;
    uint64_t dice = sim_random();
    int together = (int)(sim_random() % (uint64_t)(sim.change_count + 1));

    for (int i = 0; i < sim.change_count; i++) {
        size_t bytes = sim_folder_bytes(sim.changes[i].path[0]);
        int before = 0, of = 0, kept;
        for (int j = 0; j < sim.change_count; j++)
            if (sim_folder_bytes(sim.changes[j].path[0]) == bytes &&
                memcmp(sim.changes[j].path[0], sim.changes[i].path[0], bytes) == 0) {
                before += j < i;
                of++;
            }
        kept =
            (int)(hash_mix(dice ^ hash64(sim.changes[i].path[0], bytes, 0)) % (uint64_t)(of + 1));
        if (is_by_folder ? before < kept : i < together)
            sim_change_apply(sim.durable, &sim.changes[i]);
    }
    sim.change_count = 0;
    for (int i = 0; i < SIM_FILES; i++) /* more than once, as a folder may be in a folder */
        for (int n = 0; n < SIM_FILES; n++)
            if (sim.durable[n].path[0] != '\0' &&
                !sim_has_folders(sim.durable, sim.durable[n].path))
                sim.durable[n] = (struct sim_name){"", -1};
}

/* Frees what has no name and is not open. */
static inline void sim_collect(void)
{
    for (int i = 0; i < SIM_FILES; i++) {
        bool named = false;
        for (int n = 0; n < SIM_FILES; n++)
            named |= (sim.now[n].path[0] != '\0' && sim.now[n].file == i) ||
                     (sim.durable[n].path[0] != '\0' && sim.durable[n].file == i);
        for (int c = 0; c < sim.change_count; c++)
            named |= sim.changes[c].file[0] == i || sim.changes[c].file[1] == i;
        if (named || sim.files[i].open_count > 0)
            continue;
        free(sim.files[i].now);
        free(sim.files[i].durable);
        free(sim.files[i].dirty);
        sim.files[i] = (struct sim_file){0};
    }
}

static inline void sim_room(struct sim_file *file, size_t bytes)
{
    size_t room = file->room > 0 ? file->room : 4096;

    if (bytes <= file->room)
        return;
    while (room < bytes)
        room *= 2;
    file->now = realloc(file->now, room);
    file->durable = realloc(file->durable, room);
    file->dirty = realloc(file->dirty, room / SIM_SECTOR);
    assert(file->now != NULL && file->durable != NULL && file->dirty != NULL);
    memset(file->now + file->room, 0, room - file->room);
    memset(file->durable + file->room, 0, room - file->room);
    memset(file->dirty + file->room / SIM_SECTOR, 0, (room - file->room) / SIM_SECTOR);
    file->room = room;
}

static inline struct sim_file *sim_file(int fd)
{
    assert(fd >= SIM_FD && fd < SIM_FD + SIM_FILES && sim.fd_file[fd - SIM_FD] >= 0);
    return &sim.files[sim.fd_file[fd - SIM_FD]];
}

/* ---- the table ---- */

static inline int sim_open_in(const char *path, int flags)
{
    struct sim_name *name = sim_find(sim.now, path);
    int rc = sim_name_call(), file = 0, fd = 0;

    if (rc != 0)
        return rc;
    if (name == NULL && ((flags & O_CREAT) == 0 || !sim_has_folders(sim.now, path)))
        return -ENOENT;
    if (name != NULL && (flags & O_EXCL) != 0)
        return -EEXIST;
    if (name != NULL && name->file == SIM_FOLDER)
        return -EISDIR;
    if (name == NULL) {
        while (file < SIM_FILES && sim.files[file].exists)
            file++;
        assert(file < SIM_FILES);
        sim.files[file].exists = true;
        sim.files[file].made = sim.trace.count;
        sim_note(SIM_MAKE, sim.files[file].made, path, NULL, 0, 0);
        sim_names_change(path, file, "", -1);
    } else {
        file = name->file;
    }
    if ((flags & O_TRUNC) != 0) {
        sim_note(SIM_EMPTY, sim.files[file].made, NULL, NULL, 0, 0);
        sim_room(&sim.files[file], 1);
        memset(sim.files[file].now, 0, sim.files[file].room);
        memset(sim.files[file].dirty, 1, sim.files[file].room / SIM_SECTOR);
        sim.files[file].now_bytes = 0;
    }
    while (fd < SIM_FILES && sim.fd_file[fd] >= 0)
        fd++;
    assert(fd < SIM_FILES);
    sim.fd_file[fd] = file;
    sim.fd_at[fd] = 0;
    sim.fd_appends[fd] = (flags & O_APPEND) != 0;
    sim.files[file].open_count++;
    return SIM_FD + fd;
}

static inline int sim_open(void *self, const char *path, int flags, unsigned mode)
{
    int fd;

    (void)self, (void)mode;
    sim_enter();
    fd = sim_open_in(path, flags);
    sim_leave();
    return fd;
}

static inline ssize_t sim_pread(void *self, int fd, void *to, size_t bytes, int64_t at)
{
    struct sim_file *file;
    int rc;

    (void)self;
    sim_enter();
    file = sim_file(fd);
    rc = sim_call();
    if (rc == 0 && (uint64_t)at >= file->now_bytes)
        bytes = 0;
    else if (rc == 0 && bytes > file->now_bytes - (size_t)at)
        bytes = file->now_bytes - (size_t)at;
    if (rc == 0 && bytes > 0)
        memcpy(to, file->now + at, bytes);
    sim_leave();
    return rc != 0 ? rc : (ssize_t)bytes;
}

static inline ssize_t sim_read(void *self, int fd, void *to, size_t bytes)
{
    ssize_t got = sim_pread(self, fd, to, bytes, sim.fd_at[fd - SIM_FD]);

    sim.fd_at[fd - SIM_FD] += got > 0 ? got : 0;
    return got;
}

static inline uint64_t sim_bytes(void)
{
    uint64_t bytes = 0;

    for (int i = 0; i < SIM_FILES; i++)
        bytes += sim.files[i].now_bytes;
    return bytes;
}

static inline void sim_file_put(struct sim_file *file, const void *from, size_t bytes, size_t at)
{
    sim_room(file, at + bytes);
    memcpy(file->now + at, from, bytes);
    if (at + bytes > file->now_bytes)
        file->now_bytes = at + bytes;
    for (size_t sector = at / SIM_SECTOR; sector * SIM_SECTOR < at + bytes; sector++)
        file->dirty[sector] = 1;
}

static inline ssize_t sim_pwrite_in(struct sim_file *file, const void *from, size_t bytes,
                                    size_t at)
{
    size_t end = at + bytes;
    int rc = sim_call();

    if (rc != 0)
        return rc;
    if (sim.fault_is_short && sim.calls == sim.fault_at)
        end -= bytes / 2;
    if (sim.bytes_max != 0 && end > file->now_bytes &&
        sim_bytes() + (end - file->now_bytes) > sim.bytes_max)
        return -ENOSPC;
    bytes = end - at;
    sim_note(SIM_WRITE, file->made, NULL, from, bytes, at);
    sim_file_put(file, from, bytes, at);
    sim.writes++;
    return (ssize_t)bytes;
}

static inline ssize_t sim_pwrite(void *self, int fd, const void *from, size_t bytes, int64_t at)
{
    ssize_t put;

    (void)self;
    sim_enter();
    put = sim_pwrite_in(sim_file(fd), from, bytes, (size_t)at);
    sim_leave();
    return put;
}

static inline ssize_t sim_write(void *self, int fd, const void *from, size_t bytes)
{
    struct sim_file *file;
    ssize_t put;

    (void)self;
    if (fd < SIM_FD)
        return write(fd, from, bytes); /* what is said */
    sim_enter();
    file = sim_file(fd);
    if (sim.fd_appends[fd - SIM_FD])
        sim.fd_at[fd - SIM_FD] = (int64_t)file->now_bytes;
    put = sim_pwrite_in(file, from, bytes, (size_t)sim.fd_at[fd - SIM_FD]);
    sim.fd_at[fd - SIM_FD] += put > 0 ? put : 0;
    sim_leave();
    return put;
}

static inline void sim_file_settle(struct sim_file *file)
{
    if (file->room > 0) {
        memcpy(file->durable, file->now, file->room);
        memset(file->dirty, 0, file->room / SIM_SECTOR);
    }
    file->durable_bytes = file->now_bytes;
}

static inline int sim_sync(void *self, int fd)
{
    int rc;

    (void)self;
    sim_enter();
    rc = sim_call();
    if (rc == 0) {
        sim_note(SIM_SYNC, sim_file(fd)->made, NULL, NULL, 0, 0);
        sim_file_settle(sim_file(fd));
        sim.syncs++;
    }
    sim_leave();
    return rc;
}

static inline int64_t sim_size(void *self, int fd)
{
    int64_t bytes;

    (void)self;
    sim_enter();
    bytes = (int64_t)sim_file(fd)->now_bytes;
    sim_leave();
    return bytes;
}

static inline bool sim_is_regular(void *self, int fd)
{
    (void)self, (void)fd;
    return true;
}

static inline int sim_file_id(void *self, int fd, uint64_t to[2])
{
    (void)self;
    sim_enter();
    to[0] = 0;
    to[1] = (uint64_t)sim.fd_file[fd - SIM_FD];
    sim_leave();
    return 0;
}

static inline int sim_close(void *self, int fd)
{
    (void)self;
    if (fd < SIM_FD)
        return close(fd); /* a waker */
    sim_enter();
    sim_file(fd)->open_count--;
    sim.fd_file[fd - SIM_FD] = -1;
    sim_collect();
    sim_leave();
    return 0;
}

static inline int sim_rename(void *self, const char *from, const char *to)
{
    struct sim_name *name;
    int rc;

    (void)self;
    sim_enter();
    name = sim_find(sim.now, from);
    rc = sim_name_call();
    if (rc == 0 && name == NULL)
        rc = -ENOENT;
    if (rc == 0) {
        sim_note(SIM_MOVE, 0, from, to, strlen(to), 0);
        sim_names_change(to, name->file, from, -1);
        sim_collect();
    }
    sim_leave();
    return rc;
}

static inline int sim_unlink(void *self, const char *path)
{
    int rc;

    (void)self;
    sim_enter();
    rc = sim_name_call();
    if (rc == 0 && sim_find(sim.now, path) == NULL)
        rc = -ENOENT;
    if (rc == 0) {
        sim_note(SIM_REMOVE, 0, path, NULL, 0, 0);
        sim_names_change(path, -1, "", -1);
        sim_collect();
    }
    sim_leave();
    return rc;
}

static inline int sim_mkdir(void *self, const char *path, unsigned mode)
{
    int rc;

    (void)self, (void)mode;
    sim_enter();
    rc = sim_name_call();
    if (rc == 0 && sim_find(sim.now, path) != NULL)
        rc = -EEXIST;
    else if (rc == 0 && !sim_has_folders(sim.now, path))
        rc = -ENOENT;
    if (rc == 0) {
        if (!sim_folder_was_made(path)) {
            assert(sim.folder_count < SIM_FILES);
            snprintf(sim.folders[sim.folder_count++], SIM_NAME, "%s", path);
        }
        sim_note(SIM_MKDIR, 0, path, NULL, 0, 0);
        sim_names_change(path, SIM_FOLDER, "", -1);
    }
    sim_leave();
    return rc;
}

static inline int64_t sim_free_bytes(void *self, const char *path)
{
    (void)self;
    (void)path;
    return -ENOSYS; /* nobody can tell */
}

static inline int sim_sync_dir(void *self, const char *path)
{
    int rc;

    (void)self;
    sim_enter();
    rc = sim_name_call();
    if (rc == 0) {
        sim_note(SIM_SYNC_DIR, 0, path, NULL, 0, 0);
        sim_names_sync(path);
        sim_collect();
    }
    sim_leave();
    return rc;
}

static inline int sim_lock(void *self, int fd)
{
    int rc;

    (void)self, (void)fd;
    sim_enter();
    rc = sim_name_call();
    sim_leave();
    return rc;
}

static inline int sim_list(void *self, const char *path, void (*take)(void *user, const char *name),
                           void *user)
{
    int rc;

    (void)self;
    sim_enter();
    rc = sim_name_call();
    if (rc == 0 && sim_folder_was_made(path) && sim_find(sim.now, path) == NULL)
        rc = -ENOENT;
    for (int i = 0; i < SIM_FILES && rc == 0; i++)
        if (sim_is_in(sim.now[i].path, path))
            take(user, sim.now[i].path + strlen(path) + 1);
    sim_leave();
    return rc;
}

/* ---- for tests ---- */

/* An empty disk, until sim_disk_end(). */
static inline void sim_disk_begin(uint64_t seed)
{
    static struct host table;

    memset(&sim, 0, sizeof(sim));
    sim.random = seed;
    for (int i = 0; i < SIM_FILES; i++)
        sim.fd_file[i] = sim.now[i].file = sim.durable[i].file = -1;
    host_set(NULL);
    table = *host();
    table.open = sim_open;
    table.read = sim_read;
    table.pread = sim_pread;
    table.write = sim_write;
    table.pwrite = sim_pwrite;
    table.sync = sim_sync;
    table.size = sim_size;
    table.is_regular = sim_is_regular;
    table.file_id = sim_file_id;
    table.close = sim_close;
    table.rename = sim_rename;
    table.unlink = sim_unlink;
    table.mkdir = sim_mkdir;
    table.sync_dir = sim_sync_dir;
    table.free_bytes = sim_free_bytes;
    table.lock = sim_lock;
    table.list = sim_list;
    host_set(&table);
}

/* The power goes and comes back. Every descriptor has to be closed. */
static inline void sim_disk_cut(void)
{
    for (int i = 0; i < SIM_FILES; i++)
        assert(sim.fd_file[i] < 0);
    sim_names_cut();
    memcpy(sim.now, sim.durable, sizeof(sim.now));
    for (int i = 0; i < SIM_FILES; i++) {
        struct sim_file *file = &sim.files[i];
        for (size_t sector = 0; sector < file->room / SIM_SECTOR; sector++)
            if (file->dirty[sector] && (sim_random() & 1) != 0)
                memcpy(file->durable + sector * SIM_SECTOR, file->now + sector * SIM_SECTOR,
                       SIM_SECTOR);
        if ((sim_random() & 1) != 0)
            file->durable_bytes = file->now_bytes;
        if (file->durable_bytes < file->room)
            memset(file->durable + file->durable_bytes, 0, file->room - file->durable_bytes);
        file->now_bytes = file->durable_bytes;
        if (file->room > 0)
            memcpy(file->now, file->durable, file->room);
        if (file->room > 0)
            memset(file->dirty, 0, file->room / SIM_SECTOR);
    }
    sim_collect();
    sim.crash_at = sim.fault_at = 0;
}

static inline void sim_trace_release(struct sim_trace *trace)
{
    for (size_t i = 0; i < trace->count; i++) {
        free(trace->done[i].path);
        free(trace->done[i].to);
    }
    free(trace->done);
    *trace = (struct sim_trace){0};
}

/* From now on, on an empty disk, what is done to it is kept. */
static inline void sim_trace_begin(void)
{
    sim.is_traced = true;
}

/* What was kept is the caller's, and nothing is kept any more. */
static inline struct sim_trace sim_trace_take(void)
{
    struct sim_trace trace = sim.trace;

    sim.trace = (struct sim_trace){0};
    sim.is_traced = false;
    return trace;
}

static inline void sim_disk_end(void)
{
    sim_trace_release(&sim.trace);
    memset(sim.now, 0, sizeof(sim.now));
    memset(sim.durable, 0, sizeof(sim.durable));
    sim.change_count = 0;
    for (int i = 0; i < SIM_FILES; i++)
        sim.files[i].open_count = 0;
    sim_collect();
    host_set(NULL);
}

static inline struct sim_file *sim_file_made(uint64_t made)
{
    for (int i = 0; i < SIM_FILES; i++)
        if (sim.files[i].exists && sim.files[i].made == made)
            return &sim.files[i];
    assert(false);
    return NULL;
}

/* One call of a trace, again. What is closed was only read since, or is written by name. */
static inline void sim_do_again(const struct sim_done *done, uint64_t number)
{
    const struct host *h = host();
    int fd;

    switch (done->act) {
    case SIM_MAKE:
        fd = sim_open_in(done->path, O_CREAT | O_EXCL);
        assert(fd >= SIM_FD);
        sim_file(fd)->made = number;
        sim.fd_file[fd - SIM_FD] =
            -1; /* counted as open until the end, or an image would lose it */
        break;
    case SIM_EMPTY: {
        struct sim_file *file = sim_file_made(done->file);
        sim_room(file, 1);
        memset(file->now, 0, file->room);
        memset(file->dirty, 1, file->room / SIM_SECTOR);
        file->now_bytes = 0;
        break;
    }
    case SIM_WRITE:
        sim_file_put(sim_file_made(done->file), done->to, done->bytes, done->at);
        break;
    case SIM_SYNC:
        sim_file_settle(sim_file_made(done->file));
        break;
    case SIM_MOVE:
        h->rename(h->self, done->path, done->to);
        break;
    case SIM_REMOVE:
        h->unlink(h->self, done->path);
        break;
    case SIM_MKDIR:
        h->mkdir(h->self, done->path, 0700);
        break;
    case SIM_SYNC_DIR:
        h->sync_dir(h->self, done->path);
        break;
    }
}

/* The disk as it may be found when the power goes behind the first `count` calls of the trace.
 * Begins it, until sim_disk_end(). */
static inline void sim_disk_image(const struct sim_trace *trace, size_t count, uint64_t seed)
{
    sim_disk_begin(seed);
    for (size_t i = 0; i < count; i++)
        sim_do_again(&trace->done[i], i);
    for (int i = 0; i < SIM_FILES; i++)
        sim.files[i].open_count = 0;
    sim_disk_cut();
}

/* The bytes of a file, for damage; NULL: there is none. */
static inline struct sim_file *sim_disk_file(const char *path)
{
    struct sim_name *name = sim_find(sim.now, path);

    return name != NULL ? &sim.files[name->file] : NULL;
}

#endif
