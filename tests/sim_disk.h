/*
 * sim_disk.h - for tests: a disk in memory, behind base/host.h, whose power can be cut.
 *
 *   write  -> what a reader of the running system sees (`now`), sectors marked dirty
 *   sync   -> of one file: dirty sectors become durable
 *   sync_dir -> names of the folder become durable
 *   cut    -> of every dirty sector of 512 bytes the old or the new content stays, at random; of
 *             the names changed since the last sync_dir the first few changes stay, as a file
 *             system with a journal of its own does it; a file's size is that of what is durable
 *             or that of `now`, its bytes between them zeros
 *
 * Faults: the call numbered `fault_at` (all calls that can fail count) fails with `fault_errno`,
 * once or from then on for ever; a write may be cut short or be broken off by a signal first.
 * `crash_at`: from that call on nothing reaches the disk and everything fails with -EIO, as to a
 * process that is gone.
 *
 * Bounds: SIM_FILES files. Thread: one at a time, but for the faults. Clocks, randomness and wakers
 * stay real.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/host.h"

enum { SIM_FILES = 64, SIM_SECTOR = 512, SIM_NAME = 200, SIM_FD = 5000, SIM_CHANGES = 256 };

struct sim_file {
    char *now, *durable;
    size_t now_bytes, durable_bytes, room;
    unsigned char *dirty; /* by sector */
    unsigned open_count;
    bool exists; /* has a name, durable or not, or is open */
};

struct sim_name {
    char path[SIM_NAME]; /* "": free */
    int file;
};

struct sim_change { /* of names: `path` names `file` from then on; -1: nothing */
    char path[2][SIM_NAME];
    int file[2];
};

struct sim_disk {
    struct sim_file files[SIM_FILES];
    struct sim_name now[SIM_FILES], durable[SIM_FILES];
    struct sim_change changes[SIM_CHANGES];
    int change_count;
    int fd_file[SIM_FILES]; /* by descriptor - SIM_FD; -1: closed */
    bool locked[SIM_FILES];
    uint64_t random; /* state of the generator */

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

static inline void sim_names_sync(int count)
{
    for (int i = 0; i < count; i++)
        sim_change_apply(sim.durable, &sim.changes[i]);
    sim.change_count = 0;
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

static inline int sim_open(void *self, const char *path, int flags, unsigned mode)
{
    struct sim_name *name = sim_find(sim.now, path);
    int rc = sim_name_call(), file = 0, fd = 0;

    (void)self, (void)mode;
    if (rc != 0)
        return rc;
    if (name == NULL && (flags & O_CREAT) == 0)
        return -ENOENT;
    if (name != NULL && (flags & O_EXCL) != 0)
        return -EEXIST;
    if (name == NULL) {
        while (file < SIM_FILES && sim.files[file].exists)
            file++;
        assert(file < SIM_FILES);
        sim.files[file].exists = true;
        sim_names_change(path, file, "", -1);
    } else {
        file = name->file;
    }
    if ((flags & O_TRUNC) != 0) {
        sim_room(&sim.files[file], 1);
        memset(sim.files[file].now, 0, sim.files[file].room);
        memset(sim.files[file].dirty, 1, sim.files[file].room / SIM_SECTOR);
        sim.files[file].now_bytes = 0;
    }
    while (fd < SIM_FILES && sim.fd_file[fd] >= 0)
        fd++;
    assert(fd < SIM_FILES);
    sim.fd_file[fd] = file;
    sim.files[file].open_count++;
    return SIM_FD + fd;
}

static inline ssize_t sim_pread(void *self, int fd, void *to, size_t bytes, int64_t at)
{
    struct sim_file *file = sim_file(fd);
    int rc = sim_call();

    (void)self;
    if (rc != 0)
        return rc;
    if ((uint64_t)at >= file->now_bytes)
        return 0;
    if (bytes > file->now_bytes - (size_t)at)
        bytes = file->now_bytes - (size_t)at;
    memcpy(to, file->now + at, bytes);
    return (ssize_t)bytes;
}

static inline uint64_t sim_bytes(void)
{
    uint64_t bytes = 0;

    for (int i = 0; i < SIM_FILES; i++)
        bytes += sim.files[i].now_bytes;
    return bytes;
}

static inline ssize_t sim_pwrite(void *self, int fd, const void *from, size_t bytes, int64_t at)
{
    struct sim_file *file = sim_file(fd);
    size_t end = (size_t)at + bytes;
    int rc = sim_call();

    (void)self;
    if (rc != 0)
        return rc;
    if (sim.fault_is_short && sim.calls == sim.fault_at)
        end -= bytes / 2;
    if (sim.bytes_max != 0 && end > file->now_bytes &&
        sim_bytes() + (end - file->now_bytes) > sim.bytes_max)
        return -ENOSPC;
    bytes = end - (size_t)at;
    sim_room(file, end);
    memcpy(file->now + at, from, bytes);
    if (end > file->now_bytes)
        file->now_bytes = end;
    for (size_t sector = (size_t)at / SIM_SECTOR; sector * SIM_SECTOR < end; sector++)
        file->dirty[sector] = 1;
    sim.writes++;
    return (ssize_t)bytes;
}

static inline void sim_file_settle(struct sim_file *file)
{
    if (file->room == 0)
        return;
    memcpy(file->durable, file->now, file->room);
    memset(file->dirty, 0, file->room / SIM_SECTOR);
    file->durable_bytes = file->now_bytes;
}

static inline int sim_sync(void *self, int fd)
{
    int rc = sim_call();

    (void)self;
    if (rc != 0)
        return rc;
    sim_file_settle(sim_file(fd));
    sim.syncs++;
    return 0;
}

static inline int64_t sim_size(void *self, int fd)
{
    (void)self;
    return (int64_t)sim_file(fd)->now_bytes;
}

static inline bool sim_is_regular(void *self, int fd)
{
    (void)self, (void)fd;
    return true;
}

static inline int sim_close(void *self, int fd)
{
    (void)self;
    if (fd < SIM_FD)
        return close(fd); /* a waker */
    sim_file(fd)->open_count--;
    sim.fd_file[fd - SIM_FD] = -1;
    sim_collect();
    return 0;
}

static inline int sim_rename(void *self, const char *from, const char *to)
{
    struct sim_name *name = sim_find(sim.now, from);
    int rc = sim_name_call();

    (void)self;
    if (rc != 0)
        return rc;
    if (name == NULL)
        return -ENOENT;
    sim_names_change(to, name->file, from, -1);
    sim_collect();
    return 0;
}

static inline int sim_unlink(void *self, const char *path)
{
    int rc = sim_name_call();

    (void)self;
    if (rc != 0)
        return rc;
    if (sim_find(sim.now, path) == NULL)
        return -ENOENT;
    sim_names_change(path, -1, "", -1);
    sim_collect();
    return 0;
}

static inline int sim_mkdir(void *self, const char *path, unsigned mode)
{
    (void)self, (void)path, (void)mode;
    return sim_name_call();
}

static inline int sim_sync_dir(void *self, const char *path)
{
    int rc = sim_name_call();

    (void)self, (void)path;
    if (rc != 0)
        return rc;
    sim_names_sync(sim.change_count);
    sim_collect();
    return 0;
}

static inline int sim_lock(void *self, int fd)
{
    (void)self, (void)fd;
    return sim_name_call();
}

static inline int sim_list(void *self, const char *path, void (*take)(void *user, const char *name),
                           void *user)
{
    size_t bytes = strlen(path);
    int rc = sim_name_call();

    (void)self;
    if (rc != 0)
        return rc;
    for (int i = 0; i < SIM_FILES; i++)
        if (strncmp(sim.now[i].path, path, bytes) == 0 && sim.now[i].path[bytes] == '/')
            take(user, sim.now[i].path + bytes + 1);
    return 0;
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
    table.pread = sim_pread;
    table.pwrite = sim_pwrite;
    table.sync = sim_sync;
    table.size = sim_size;
    table.is_regular = sim_is_regular;
    table.close = sim_close;
    table.rename = sim_rename;
    table.unlink = sim_unlink;
    table.mkdir = sim_mkdir;
    table.sync_dir = sim_sync_dir;
    table.lock = sim_lock;
    table.list = sim_list;
    host_set(&table);
}

/* The power goes and comes back. Every descriptor has to be closed. */
static inline void sim_disk_cut(void)
{
    for (int i = 0; i < SIM_FILES; i++)
        assert(sim.fd_file[i] < 0);
    sim_names_sync((int)(sim_random() % (uint64_t)(sim.change_count + 1)));
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

static inline void sim_disk_end(void)
{
    memset(sim.now, 0, sizeof(sim.now));
    memset(sim.durable, 0, sizeof(sim.durable));
    sim.change_count = 0;
    for (int i = 0; i < SIM_FILES; i++)
        sim.files[i].open_count = 0;
    sim_collect();
    host_set(NULL);
}

/* The bytes of a file, for damage; NULL: there is none. */
static inline struct sim_file *sim_disk_file(const char *path)
{
    struct sim_name *name = sim_find(sim.now, path);

    return name != NULL ? &sim.files[name->file] : NULL;
}

#endif
