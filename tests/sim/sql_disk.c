/*
 * sql_disk.c - see sql_disk.h.
 *
 * What SQLite is promised is what it is promised of a file of the system: writes may come to the
 * disk in any order until a sync, by whole sectors. One connection to a file at a time, so that
 * locks are granted; the index of a log lies in memory, and is made anew in each life, as it is
 * behind a crash.
 */
#include "sim/sql_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "sim/disk.h"
#include "sim/fibers.h"
#include "sim/world.h"

enum { INDEX_PARTS = 64 };

struct sql_file {
    sqlite3_file base; /* first */
    int fd;
    bool is_new_log;   /* its name is not durable yet */
    bool is_temporary; /* it goes when it is closed */
    char path[WORLD_PATH_BYTES];
    void *index[INDEX_PARTS];
};

static struct sql_file *file_of(sqlite3_file *base)
{
    return (struct sql_file *)base;
}

static int code_of(int rc, int otherwise)
{
    return rc == -ENOSPC ? SQLITE_FULL : otherwise;
}

/* ---- a file ---- */

static void index_free(struct sql_file *file)
{
    for (int i = 0; i < INDEX_PARTS; i++) {
        free(file->index[i]);
        file->index[i] = NULL;
    }
}

static int file_close(sqlite3_file *base)
{
    struct sql_file *file = file_of(base);

    index_free(file);
    host()->close(host()->self, file->fd);
    if (file->is_temporary)
        host()->unlink(host()->self, file->path);
    return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *to, int bytes, sqlite3_int64 at)
{
    ssize_t got = host()->pread(host()->self, file_of(base)->fd, to, (size_t)bytes, at);

    if (got < 0)
        return SQLITE_IOERR_READ;
    if (got == bytes)
        return SQLITE_OK;
    memset((char *)to + got, 0, (size_t)(bytes - got));
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *from, int bytes, sqlite3_int64 at)
{
    int rc = host_pwrite_all(file_of(base)->fd, from, (size_t)bytes, at);

    return rc == 0 ? SQLITE_OK : code_of(rc, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 bytes)
{
    int rc = disk_truncate(file_of(base)->fd, (uint64_t)bytes);

    return rc == 0 ? SQLITE_OK : code_of(rc, SQLITE_IOERR_TRUNCATE);
}

/* A log that was just made needs its name too. */
static int file_sync(sqlite3_file *base, int flags)
{
    struct sql_file *file = file_of(base);
    char folder[WORLD_PATH_BYTES];
    int rc = host()->sync(host()->self, file->fd);

    (void)flags;
    if (rc != 0)
        return code_of(rc, SQLITE_IOERR_FSYNC);
    if (!file->is_new_log)
        return SQLITE_OK;
    file->is_new_log = false;
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(file->path, '/') - file->path),
             file->path);
    return host()->sync_dir(host()->self, folder) == 0 ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    *out = host()->size(host()->self, file_of(base)->fd);
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int kind)
{
    (void)base, (void)kind;
    return SQLITE_OK;
}

static int file_is_reserved(sqlite3_file *base, int *out)
{
    (void)base;
    *out = 0;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int what, void *arg)
{
    (void)base, (void)what, (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *base)
{
    (void)base;
    return WORLD_SECTOR;
}

static int file_kind(sqlite3_file *base)
{
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int index_map(sqlite3_file *base, int part, int bytes, int grows, void volatile **out)
{
    struct sql_file *file = file_of(base);

    assert(part < INDEX_PARTS);
    if (file->index[part] == NULL && grows)
        file->index[part] = calloc(1, (size_t)bytes);
    *out = file->index[part];
    return SQLITE_OK;
}

static int index_lock(sqlite3_file *base, int from, int count, int flags)
{
    (void)base, (void)from, (void)count, (void)flags;
    return SQLITE_OK;
}

static void index_barrier(sqlite3_file *base)
{
    (void)base;
}

static int index_unmap(sqlite3_file *base, int removes)
{
    (void)removes;
    index_free(file_of(base));
    return SQLITE_OK;
}

/* ---- names ---- */

static int sql_path(sqlite3_vfs *vfs, const char *name, int bytes, char *to)
{
    (void)vfs;
    return snprintf(to, (size_t)bytes, "%s", name) < bytes ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int sql_open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                         int *out_flags)
{
    static const sqlite3_io_methods methods = {.iVersion = 2,
                                               .xClose = file_close,
                                               .xRead = file_read,
                                               .xWrite = file_write,
                                               .xTruncate = file_truncate,
                                               .xSync = file_sync,
                                               .xFileSize = file_size,
                                               .xLock = file_lock,
                                               .xUnlock = file_lock,
                                               .xCheckReservedLock = file_is_reserved,
                                               .xFileControl = file_control,
                                               .xSectorSize = file_sector,
                                               .xDeviceCharacteristics = file_kind,
                                               .xShmMap = index_map,
                                               .xShmLock = index_lock,
                                               .xShmBarrier = index_barrier,
                                               .xShmUnmap = index_unmap};
    static unsigned temporaries;
    struct sql_file *file = file_of(base);
    const struct host *h = host();
    int how = (flags & SQLITE_OPEN_READWRITE) != 0 ? O_RDWR : O_RDONLY;

    (void)vfs;
    *file = (struct sql_file){.fd = -1, .is_temporary = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0};
    if (name != NULL)
        snprintf(file->path, sizeof(file->path), "%s", name);
    else
        snprintf(file->path, sizeof(file->path), DISK_FOLDER "/temporary-%u", temporaries++);
    file->fd = h->open(h->self, file->path, how, 0);
    if (file->fd == -ENOENT && (flags & SQLITE_OPEN_CREATE) != 0) {
        file->fd = h->open(h->self, file->path, how | O_CREAT, 0600);
        file->is_new_log = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    }
    if (file->fd < 0)
        return code_of(file->fd, SQLITE_CANTOPEN);
    if (out_flags != NULL)
        *out_flags = flags;
    file->base.pMethods = &methods;
    return SQLITE_OK;
}

static int sql_delete(sqlite3_vfs *vfs, const char *name, int syncs)
{
    const struct host *h = host();
    char folder[WORLD_PATH_BYTES];
    int rc = h->unlink(h->self, name);

    (void)vfs;
    if (rc == -ENOENT)
        return SQLITE_IOERR_DELETE_NOENT;
    snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(name, '/') - name), name);
    if (rc == 0 && syncs)
        rc = h->sync_dir(h->self, folder);
    return rc == 0 ? SQLITE_OK : SQLITE_IOERR_DELETE;
}

static int sql_access(sqlite3_vfs *vfs, const char *name, int what, int *out)
{
    size_t bytes = 0;

    (void)vfs;
    /* As the file system of SQLite has it: one that is empty does not exist for who asks so. */
    *out = disk_look(name, &bytes) != NULL && (what != SQLITE_ACCESS_EXISTS || bytes > 0);
    return SQLITE_OK;
}

/* ---- the rest of the world ---- */

static int sql_random(sqlite3_vfs *vfs, int bytes, char *to)
{
    (void)vfs;
    host()->random(host()->self, to, (size_t)bytes);
    return bytes;
}

static int sql_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    fibers_pause((uint64_t)us * 1000);
    return us;
}

static int sql_now(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    *out = INT64_C(210866760000000) + host_wall_ms(); /* from noon of day 0 in Greenwich to 1970 */
    return SQLITE_OK;
}

static int sql_now_days(sqlite3_vfs *vfs, double *out)
{
    sqlite3_int64 ms;

    sql_now(vfs, &ms);
    *out = (double)ms / 86400000.0;
    return SQLITE_OK;
}

static int sql_last_error(sqlite3_vfs *vfs, int bytes, char *to)
{
    (void)vfs;
    if (bytes > 0)
        to[0] = '\0';
    return 0;
}

void sql_disk_begin(void)
{
    static sqlite3_vfs vfs = {.iVersion = 2,
                              .szOsFile = sizeof(struct sql_file),
                              .mxPathname = WORLD_PATH_BYTES,
                              .zName = "world",
                              .xOpen = sql_open_file,
                              .xDelete = sql_delete,
                              .xAccess = sql_access,
                              .xFullPathname = sql_path,
                              .xRandomness = sql_random,
                              .xSleep = sql_sleep,
                              .xCurrentTime = sql_now_days,
                              .xGetLastError = sql_last_error,
                              .xCurrentTimeInt64 = sql_now};

    /* Its own locks are of the C library, where fibers cannot wait. One of them uses it. */
    sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    sqlite3_vfs_register(&vfs, 1);
}
