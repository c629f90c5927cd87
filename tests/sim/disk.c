/* disk.c - see disk.h. */
#include "sim/disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sim/disk_names.h"
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

const char *disk_data(void)
{
    return world->machine == 0 ? DISK_FOLDER "/data" : DISK_FOLDER "/other";
}

const char *disk_config(void)
{
    return world->machine == 0 ? DISK_FOLDER "/tocsin.yaml" : DISK_FOLDER "/other.yaml";
}

const char *disk_incidents(void)
{
    return world->machine == 0 ? DISK_FOLDER "/incidents.jsonl" : DISK_FOLDER "/other.jsonl";
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

/* ---- files ---- */

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
        bool is_needed = !file->is_used || file->open_count[0] + file->open_count[1] > 0 ||
                         is_named(disk()->now, i) || is_named(disk()->durable, i);
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
    fputs("tocsin_sim: the disk has no room for more files\n", stderr);
    abort();
}

static bool has_folder_of(const char *path)
{
    const char *end = strrchr(path, '/');
    char folder[WORLD_PATH_BYTES];
    struct world_name *name;

    if (end == NULL)
        return true;
    snprintf(folder, sizeof(folder), "%.*s", (int)(end - path), path);
    name = names_find(disk()->now, folder);
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
            disk()->file[file].open_count[world->machine]++;
            return DISK_FD + fd;
        }
    return -EMFILE;
}

static int sim_open(void *self, const char *path, int flags, unsigned mode)
{
    char room[WORLD_PATH_BYTES];
    struct world_name *name = names_find(disk()->now, path = names_plain(path, room));
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
    name = names_find(disk()->now, path); /* another thread may have been at work */
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

/* What the daemon says of itself, for the judge. */
static void heed_log(const char *line, size_t bytes)
{
    const struct {
        const char *event;
        bool *flag;
    } rows[] = {{"event=history_moved_aside ", &world->report.is_history_aside},
                {"event=shared_store_empty unit=", &world->report.is_catching_up},
                {"event=unit_taken ", &world->report.is_owner},
                {"event=unit_alone ", &world->report.is_owner}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        *rows[i].flag |= memmem(line, bytes, rows[i].event, strlen(rows[i].event)) != NULL;
}

static ssize_t sim_write(void *self, int fd, const void *from, size_t bytes)
{
    ssize_t done;

    if (fd <= STDERR_FILENO) { /* the log of the daemon */
        world_note("log", "%.*s", (int)bytes - 1, (const char *)from);
        heed_log(from, bytes);
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

static int sim_file_id(void *self, int fd, uint64_t to[2])
{
    (void)self;
    to[0] = (uint64_t)world->machine;
    to[1] = (uint64_t)file_of(fd);
    return 0;
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
    disk()->file[i].open_count[world->machine]--;
    disk()->file[i].is_locked[world->machine] = false;
    fds[fd - DISK_FD].file = -1;
    collect();
    return 0;
}

static int sim_rename(void *self, const char *from, const char *to)
{
    char rooms[2][WORLD_PATH_BYTES];
    struct step step = step_begin("rename", to = names_plain(to, rooms[0]));
    struct world_name *name = names_find(disk()->now, from = names_plain(from, rooms[1]));

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
    char room[WORLD_PATH_BYTES];
    struct step step = step_begin("unlink", path = names_plain(path, room));

    (void)self;
    if (step.rc != 0)
        return step.rc;
    if (names_find(disk()->now, path) == NULL)
        return -ENOENT;
    names_change(path, -1, "", -1);
    collect();
    die_if(&step, MIDDLE);
    die_if(&step, AFTER);
    return 0;
}

static int sim_mkdir(void *self, const char *path, unsigned mode)
{
    char room[WORLD_PATH_BYTES];
    struct step step;

    path = names_plain(path, room);
    (void)self, (void)mode;
    if (names_find(disk()->now, path) != NULL)
        return -EEXIST;
    step = step_begin("mkdir", path);
    if (step.rc != 0)
        return step.rc;
    names_change(path, file_make(true), "", -1);
    die_if(&step, MIDDLE);
    die_if(&step, AFTER);
    return 0;
}

static int64_t sim_free_bytes(void *self, const char *path)
{
    (void)self;
    (void)path;
    return -ENOSYS; /* nobody can tell */
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
    if (file->is_locked[0] || file->is_locked[1])
        return -EAGAIN;
    file->is_locked[world->machine] = true;
    return 0;
}

static int sim_list(void *self, const char *path, void (*take)(void *user, const char *name),
                    void *user)
{
    char room[WORLD_PATH_BYTES];
    const struct world_name *name = names_find(disk()->now, path = names_plain(path, room));
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
    host->file_id = sim_file_id;
    host->close = sim_close;
    host->rename = sim_rename;
    host->unlink = sim_unlink;
    host->mkdir = sim_mkdir;
    host->sync_dir = sim_sync_dir;
    host->free_bytes = sim_free_bytes;
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
    names_set(disk()->now, DISK_FOLDER, file_make(true));
    memcpy(disk()->durable, disk()->now, sizeof(disk()->now));
}

void disk_let_go(void)
{
    for (int32_t i = 0; i < WORLD_FILES; i++) {
        disk()->file[i].open_count[world->machine] = 0;
        disk()->file[i].is_locked[world->machine] = false;
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
    struct world_name *name = names_find(disk()->now, path);
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
    names_set(disk()->now, path, i);
    names_set(disk()->durable, path, i);
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
    const struct world_name *name = names_find(disk()->now, path);

    if (name == NULL)
        return NULL;
    *bytes = disk()->file[name->file].bytes;
    return disk()->data[name->file][0];
}
