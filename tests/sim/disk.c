/* disk.c - see disk.h. */
#include "sim/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "sim/fibers.h"
#include "sim/world.h"

enum { DISK_FD = 1000, DISK_FDS = 128 };

/* Of this life. */
static struct {
    int file; /* -1: closed */
    uint64_t at;
    bool appends;
} fds[DISK_FDS];

static struct world_disk *disk(void)
{
    return &world->disk;
}

/* ---- steps ---- */

enum moment { BEFORE, MIDDLE, AFTER };

struct step {
    bool is_last; /* the life ends within it */
    int rc;       /* what it fails with; 0: it does not */
    bool is_short;
};

static void die_if(const struct step *step, enum moment moment)
{
    if (step->is_last && world->plan.die_when == moment)
        world_die("at a step of the disk");
}

/* `path`: the name that it changes; "": none. */
static struct step step_begin(const char *what, const char *path)
{
    const struct life_plan *plan = &world->plan;
    struct step step = {false, 0, false};
    uint64_t number;

    fibers_turn();
    number = ++world->report.steps;
    if (path[0] != '\0' && ++world->report.names == plan->die_name)
        world->plan.die_step = number + plan->die_behind;
    step.is_last = plan->die_step != 0 && number >= plan->die_step;
    if (plan->fault_step != 0 &&
        (number == plan->fault_step || (plan->fault_stays && number > plan->fault_step))) {
        /* Signals break off reads, writes and syncs alone. */
        step.rc = plan->fault_errno == EINTR && path[0] != '\0' ? 0 : -plan->fault_errno;
        step.is_short = plan->fault_errno == 0;
        world->report.was_fault_met = true;
    }
    world_hash(hash64(path, strlen(path), number));
    if (world->is_told || step.rc != 0)
        world_note("disk", "%llu %s %s%s", (unsigned long long)number, what, path,
                   step.rc != 0 ? ": fails" : "");
    die_if(&step, BEFORE);
    return step;
}

/* ---- names ---- */

static struct world_name *find(struct world_name *names, const char *path)
{
    for (int i = 0; i < WORLD_FILES; i++)
        if (strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

static void name_set(struct world_name *names, const char *path, int32_t file)
{
    struct world_name *name = find(names, path);

    if (file < 0) {
        if (name != NULL)
            name->path[0] = '\0';
        return;
    }
    if (name == NULL)
        name = find(names, "");
    assert(name != NULL);
    snprintf(name->path, sizeof(name->path), "%s", path);
    name->file = file;
}

static void change_apply(struct world_name *names, const struct world_change *change)
{
    for (int i = 0; i < 2; i++)
        if (change->path[i][0] != '\0')
            name_set(names, change->path[i], change->file[i]);
}

/* A file system does not keep what nobody syncs to itself for ever: the oldest are durable. */
static void names_age(void)
{
    enum { AGED = WORLD_CHANGES_MAX / 2 };

    for (int i = 0; i < AGED; i++)
        change_apply(disk()->durable, &disk()->change[i]);
    disk()->change_count -= AGED;
    memmove(disk()->change, disk()->change + AGED,
            (size_t)disk()->change_count * sizeof(disk()->change[0]));
}

static void names_change(const char *path0, int32_t file0, const char *path1, int32_t file1)
{
    struct world_change change = {.file = {file0, file1}};

    assert(strlen(path0) < WORLD_PATH_BYTES && strlen(path1) < WORLD_PATH_BYTES);
    snprintf(change.path[0], WORLD_PATH_BYTES, "%s", path0);
    snprintf(change.path[1], WORLD_PATH_BYTES, "%s", path1);
    change_apply(disk()->now, &change);
    if (disk()->change_count == WORLD_CHANGES_MAX)
        names_age();
    disk()->change[disk()->change_count++] = change;
}

/* The first so many changes of names are durable, and the others never were. */
static void names_settle(int count)
{
    for (int i = 0; i < count; i++)
        change_apply(disk()->durable, &disk()->change[i]);
    disk()->change_count = 0;
}

static void file_free(int32_t i)
{
    struct world_file *file = &disk()->file[i];

    memset(disk()->data[i][0], 0, file->reach);
    memset(disk()->data[i][1], 0, file->reach);
    memset(disk()->dirty[i], 0, file->reach / WORLD_SECTOR + 1);
    disk()->bytes_used -= file->bytes;
    *file = (struct world_file){0};
}

static bool is_named(const struct world_name *names, int32_t file)
{
    for (int i = 0; i < WORLD_FILES; i++)
        if (names[i].path[0] != '\0' && names[i].file == file)
            return true;
    return false;
}

static void collect(void)
{
    for (int32_t i = 0; i < WORLD_FILES; i++) {
        const struct world_file *file = &disk()->file[i];
        bool is_needed = !file->is_used || file->open_count > 0 || is_named(disk()->now, i) ||
                         is_named(disk()->durable, i);
        for (int c = 0; c < disk()->change_count && !is_needed; c++)
            is_needed = disk()->change[c].file[0] == i || disk()->change[c].file[1] == i;
        if (!is_needed)
            file_free(i);
    }
}

static int32_t file_make(bool is_folder)
{
    for (int32_t i = 0; i < WORLD_FILES; i++)
        if (!disk()->file[i].is_used) {
            disk()->file[i] = (struct world_file){
                .is_used = true, .is_folder = is_folder, .dirty_from = UINT64_MAX};
            return i;
        }
    assert(!"the disk has room for more files");
    return -1;
}

static bool has_folder_of(const char *path)
{
    const char *end = strrchr(path, '/');
    char folder[WORLD_PATH_BYTES];
    struct world_name *name;

    if (end == NULL)
        return true;
    snprintf(folder, sizeof(folder), "%.*s", (int)(end - path), path);
    name = find(disk()->now, folder);
    return name != NULL && disk()->file[name->file].is_folder;
}

/* ---- contents ---- */

static void mark(int32_t i, uint64_t from, uint64_t to)
{
    struct world_file *file = &disk()->file[i];
    uint64_t first = from / WORLD_SECTOR, end = (to + WORLD_SECTOR - 1) / WORLD_SECTOR;

    memset(&disk()->dirty[i][first], 1, end - first);
    if (first < file->dirty_from)
        file->dirty_from = first;
    if (end > file->dirty_to)
        file->dirty_to = end;
    if (end * WORLD_SECTOR > file->reach)
        file->reach = end * WORLD_SECTOR;
}

static void resize(int32_t i, uint64_t bytes)
{
    disk()->bytes_used += bytes - disk()->file[i].bytes;
    disk()->file[i].bytes = bytes;
}

static void clean(int32_t i)
{
    disk()->file[i].dirty_from = UINT64_MAX;
    disk()->file[i].dirty_to = 0;
}

/* `keeps`: of 100 marked sectors so many become durable; the others are as they were. */
static void settle(int32_t i, struct dice *dice, unsigned keeps)
{
    struct world_file *file = &disk()->file[i];

    for (uint64_t s = file->dirty_from; s < file->dirty_to; s++) {
        char *now = &disk()->data[i][0][s * WORLD_SECTOR];
        char *durable = &disk()->data[i][1][s * WORLD_SECTOR];
        if (!disk()->dirty[i][s])
            continue;
        disk()->dirty[i][s] = 0;
        if (keeps >= 100 || dice_percent(dice, keeps))
            memcpy(durable, now, WORLD_SECTOR);
        else
            memcpy(now, durable, WORLD_SECTOR);
    }
    clean(i);
}

/* ---- the table ---- */

static int32_t file_of(int fd)
{
    assert(fd >= DISK_FD && fd < DISK_FD + DISK_FDS && fds[fd - DISK_FD].file >= 0);
    return fds[fd - DISK_FD].file;
}

static int fd_make(int32_t file, bool appends)
{
    for (int fd = 0; fd < DISK_FDS; fd++)
        if (fds[fd].file < 0) {
            fds[fd].file = file;
            fds[fd].at = 0;
            fds[fd].appends = appends;
            disk()->file[file].open_count++;
            return DISK_FD + fd;
        }
    return -EMFILE;
}

static int sim_open(void *self, const char *path, int flags, unsigned mode)
{
    struct world_name *name = find(disk()->now, path);
    struct step step;
    int32_t file;

    (void)self, (void)mode;
    if (name == NULL && (flags & O_CREAT) == 0)
        return -ENOENT;
    if (name != NULL && (flags & O_EXCL) != 0)
        return -EEXIST;
    if (name != NULL && disk()->file[name->file].is_folder && (flags & O_ACCMODE) != O_RDONLY)
        return -EISDIR;
    if (name != NULL && (flags & O_TRUNC) == 0)
        return fd_make(name->file, (flags & O_APPEND) != 0);
    if (!has_folder_of(path))
        return -ENOENT;
    step = step_begin(name == NULL ? "create" : "truncate", path);
    if (step.rc != 0)
        return step.rc;
    name = find(disk()->now, path); /* another thread may have been at work */
    if (name == NULL) {
        file = file_make(false);
        names_change(path, file, "", -1);
    } else {
        file = name->file;
        memset(disk()->data[file][0], 0, disk()->file[file].reach);
        mark(file, 0, disk()->file[file].reach);
        resize(file, 0);
    }
    die_if(&step, MIDDLE);
    die_if(&step, AFTER);
    return fd_make(file, (flags & O_APPEND) != 0);
}

static ssize_t sim_pread(void *self, int fd, void *to, size_t bytes, int64_t at)
{
    int32_t i = file_of(fd);
    uint64_t end = disk()->file[i].bytes;

    (void)self;
    if (disk()->file[i].is_folder)
        return -EISDIR;
    if ((uint64_t)at >= end)
        return 0;
    if (bytes > end - (uint64_t)at)
        bytes = end - (uint64_t)at;
    memcpy(to, disk()->data[i][0] + at, bytes);
    return (ssize_t)bytes;
}

static ssize_t sim_read(void *self, int fd, void *to, size_t bytes)
{
    ssize_t got;

    file_of(fd);
    got = sim_pread(self, fd, to, bytes, (int64_t)fds[fd - DISK_FD].at);
    if (got > 0)
        fds[fd - DISK_FD].at += (uint64_t)got;
    return got;
}

static bool is_full(uint64_t more)
{
    return more > 0 && world->now_ns >= world->plan.full_from_ns &&
           world->now_ns < world->plan.full_to_ns;
}

static ssize_t put(int fd, const void *from, size_t bytes, uint64_t at, const struct step *step)
{
    int32_t i = file_of(fd);
    struct world_file *file = &disk()->file[i];
    size_t half = bytes / 2;

    if (step->is_short && bytes > 1)
        bytes = half;
    assert(at + bytes <= WORLD_FILE_BYTES);
    if (is_full(at + bytes > file->bytes ? at + bytes - file->bytes : 0)) {
        world_note("disk", "is full");
        world->report.was_full_met = true;
        return -ENOSPC;
    }
    if (step->is_last && world->plan.die_when == MIDDLE) {
        memcpy(disk()->data[i][0] + at, from, half);
        mark(i, at, at + half);
        if (at + half > file->bytes)
            resize(i, at + half);
    }
    die_if(step, MIDDLE);
    memcpy(disk()->data[i][0] + at, from, bytes);
    mark(i, at, at + bytes);
    if (at + bytes > file->bytes)
        resize(i, at + bytes);
    die_if(step, AFTER);
    return (ssize_t)bytes;
}

static ssize_t sim_pwrite(void *self, int fd, const void *from, size_t bytes, int64_t at)
{
    struct step step = step_begin("write", "");

    (void)self;
    world_hash(hash64(from, bytes, (uint64_t)at));
    return step.rc != 0 ? step.rc : put(fd, from, bytes, (uint64_t)at, &step);
}

static ssize_t sim_write(void *self, int fd, const void *from, size_t bytes)
{
    ssize_t done;

    if (fd <= STDERR_FILENO) { /* the log of the daemon */
        world_note("log", "%.*s", (int)bytes - 1, (const char *)from);
        world->report.is_history_aside |=
            memmem(from, bytes, "event=history_moved_aside", 25) != NULL;
        world->report.is_catching_up |= memmem(from, bytes, "event=shared_store_empty", 24) != NULL;
        return (ssize_t)bytes;
    }
    if (fds[fd - DISK_FD].appends)
        fds[fd - DISK_FD].at = disk()->file[file_of(fd)].bytes;
    done = sim_pwrite(self, fd, from, bytes, (int64_t)fds[fd - DISK_FD].at);
    if (done > 0)
        fds[fd - DISK_FD].at += (uint64_t)done;
    return done;
}

static int sim_sync(void *self, int fd)
{
    struct step step = step_begin("sync", "");
    int32_t i = file_of(fd);
    uint64_t ns = dice_below(&world->steps, world->plan.sync_ns + 1);

    (void)self;
    if (step.rc != 0)
        return step.rc;
    fibers_pause(ns / 2);
    settle(i, &world->steps, 100);
    disk()->file[i].durable_bytes = disk()->file[i].bytes;
    die_if(&step, MIDDLE);
    fibers_pause(ns / 2);
    die_if(&step, AFTER);
    return 0;
}

/* What is cut off is gone at once: who cuts has no use for it, in either order of things. */
int disk_truncate(int fd, uint64_t bytes)
{
    struct step step = step_begin("truncate", "");
    int32_t i = file_of(fd);
    struct world_file *file = &disk()->file[i];

    if (step.rc != 0)
        return step.rc;
    if (bytes < file->bytes) {
        memset(disk()->data[i][0] + bytes, 0, file->reach > bytes ? file->reach - bytes : 0);
        memset(disk()->data[i][1] + bytes, 0, file->reach > bytes ? file->reach - bytes : 0);
        if (file->durable_bytes > bytes)
            file->durable_bytes = bytes;
    }
    resize(i, bytes);
    die_if(&step, MIDDLE);
    die_if(&step, AFTER);
    return 0;
}

static int64_t sim_size(void *self, int fd)
{
    (void)self;
    return (int64_t)disk()->file[file_of(fd)].bytes;
}

static int64_t sim_modified_ms(void *self, int fd)
{
    (void)self, (void)fd;
    return WORLD_WALL_MS;
}

static bool sim_is_regular(void *self, int fd)
{
    (void)self;
    return !disk()->file[file_of(fd)].is_folder;
}

static int sim_close(void *self, int fd)
{
    int32_t i;

    (void)self;
    if (fibers_is_waker(fd)) {
        fibers_waker_close(fd);
        return 0;
    }
    i = file_of(fd);
    disk()->file[i].open_count--;
    disk()->file[i].is_locked = false;
    fds[fd - DISK_FD].file = -1;
    collect();
    return 0;
}

static int sim_rename(void *self, const char *from, const char *to)
{
    struct step step = step_begin("rename", to);
    struct world_name *name = find(disk()->now, from);

    (void)self;
    if (step.rc != 0)
        return step.rc;
    if (name == NULL)
        return -ENOENT;
    names_change(to, name->file, from, -1);
    collect();
    die_if(&step, MIDDLE);
    die_if(&step, AFTER);
    return 0;
}

static int sim_unlink(void *self, const char *path)
{
    struct step step = step_begin("unlink", path);

    (void)self;
    if (step.rc != 0)
        return step.rc;
    if (find(disk()->now, path) == NULL)
        return -ENOENT;
    names_change(path, -1, "", -1);
    collect();
    die_if(&step, MIDDLE);
    die_if(&step, AFTER);
    return 0;
}

static int sim_mkdir(void *self, const char *path, unsigned mode)
{
    struct step step;

    (void)self, (void)mode;
    if (find(disk()->now, path) != NULL)
        return -EEXIST;
    step = step_begin("mkdir", path);
    if (step.rc != 0)
        return step.rc;
    names_change(path, file_make(true), "", -1);
    die_if(&step, MIDDLE);
    die_if(&step, AFTER);
    return 0;
}

static int sim_sync_dir(void *self, const char *path)
{
    struct step step = step_begin("sync_dir", path);
    uint64_t ns = dice_below(&world->steps, world->plan.sync_ns + 1);

    (void)self;
    if (step.rc != 0)
        return step.rc;
    fibers_pause(ns / 2);
    names_settle(disk()->change_count);
    collect();
    die_if(&step, MIDDLE);
    fibers_pause(ns / 2);
    die_if(&step, AFTER);
    return 0;
}

static int sim_lock(void *self, int fd)
{
    struct world_file *file = &disk()->file[file_of(fd)];

    (void)self;
    if (file->is_locked)
        return -EAGAIN;
    file->is_locked = true;
    return 0;
}

static int sim_list(void *self, const char *path, void (*take)(void *user, const char *name),
                    void *user)
{
    const struct world_name *name = find(disk()->now, path);
    size_t bytes = strlen(path);

    (void)self;
    if (name == NULL)
        return -ENOENT;
    if (!disk()->file[name->file].is_folder)
        return -ENOTDIR;
    for (int i = 0; i < WORLD_FILES; i++) {
        const char *other = disk()->now[i].path;
        if (strncmp(other, path, bytes) == 0 && other[bytes] == '/' &&
            strchr(other + bytes + 1, '/') == NULL)
            take(user, other + bytes + 1);
    }
    return 0;
}

void disk_fill_host(struct host *host)
{
    for (int fd = 0; fd < DISK_FDS; fd++)
        fds[fd].file = -1;
    host->open = sim_open;
    host->read = sim_read;
    host->pread = sim_pread;
    host->write = sim_write;
    host->pwrite = sim_pwrite;
    host->sync = sim_sync;
    host->size = sim_size;
    host->modified_ms = sim_modified_ms;
    host->is_regular = sim_is_regular;
    host->close = sim_close;
    host->rename = sim_rename;
    host->unlink = sim_unlink;
    host->mkdir = sim_mkdir;
    host->sync_dir = sim_sync_dir;
    host->lock = sim_lock;
    host->list = sim_list;
}

/* ---- between two lives ---- */

void disk_make(void)
{
    for (int32_t i = 0; i < WORLD_FILES; i++)
        if (disk()->file[i].is_used)
            file_free(i);
    memset(disk()->now, 0, sizeof(disk()->now));
    memset(disk()->durable, 0, sizeof(disk()->durable));
    disk()->change_count = 0;
    disk()->bytes_used = 0;
    name_set(disk()->now, DISK_FOLDER, file_make(true));
    memcpy(disk()->durable, disk()->now, sizeof(disk()->now));
}

void disk_let_go(void)
{
    for (int32_t i = 0; i < WORLD_FILES; i++) {
        disk()->file[i].open_count = 0;
        disk()->file[i].is_locked = false;
    }
    collect();
}

void disk_cut_power(struct dice *dice)
{
    static const unsigned shares[] = {0, 10, 50, 50, 90, 100};
    unsigned keeps = shares[dice_below(dice, 6)];

    names_settle((int)dice_below(dice, (uint64_t)disk()->change_count + 1));
    memcpy(disk()->now, disk()->durable, sizeof(disk()->now));
    for (int32_t i = 0; i < WORLD_FILES; i++) {
        struct world_file *file = &disk()->file[i];
        if (!file->is_used)
            continue;
        settle(i, dice, keeps);
        if (dice_percent(dice, 50))
            resize(i, file->durable_bytes);
        file->durable_bytes = file->bytes;
        /* What is behind the end is zero, should the file grow again. */
        if (file->reach > file->bytes) {
            memset(disk()->data[i][0] + file->bytes, 0, file->reach - file->bytes);
            memset(disk()->data[i][1] + file->bytes, 0, file->reach - file->bytes);
        }
    }
    collect();
}

void disk_put(const char *path, const char *text, size_t bytes)
{
    struct world_name *name = find(disk()->now, path);
    int32_t i = name != NULL ? name->file : file_make(false);

    assert(bytes <= WORLD_FILE_BYTES);
    memset(disk()->data[i][0], 0, disk()->file[i].reach);
    memset(disk()->data[i][1], 0, disk()->file[i].reach);
    memcpy(disk()->data[i][0], text, bytes);
    memcpy(disk()->data[i][1], text, bytes);
    if (bytes > disk()->file[i].reach)
        disk()->file[i].reach = bytes;
    resize(i, bytes);
    disk()->file[i].durable_bytes = bytes;
    name_set(disk()->now, path, i);
    name_set(disk()->durable, path, i);
}

void disk_keep(const char *folder)
{
    for (int i = 0; i < WORLD_FILES; i++) {
        const struct world_name *name = &disk()->now[i];
        char path[2 * WORLD_PATH_BYTES];
        FILE *to;
        if (name->path[0] == '\0' || disk()->file[name->file].is_folder)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, name->path + strlen(DISK_FOLDER) + 1);
        for (char *at = path + strlen(folder) + 1; *at != '\0'; at++)
            *at = *at == '/' ? '_' : *at;
        to = fopen(path, "w");
        if (to == NULL)
            continue;
        fwrite(disk()->data[name->file][0], 1, disk()->file[name->file].bytes, to);
        fclose(to);
    }
}

const char *disk_look(const char *path, size_t *bytes)
{
    const struct world_name *name = find(disk()->now, path);

    if (name == NULL)
        return NULL;
    *bytes = disk()->file[name->file].bytes;
    return disk()->data[name->file][0];
}
