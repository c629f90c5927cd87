/*
 * host.c - the real world behind base/host.h. This file and the libraries behind
 * struct source and struct transport are the only doors to it.
 */
#include "base/host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include "base/standard_files.h"

static ssize_t or_errno(ssize_t rc)
{
    return rc < 0 ? -errno : rc;
}

static uint64_t real_mono_ns(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int64_t real_wall_ms(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void real_random(void *self, void *to, size_t bytes)
{
    char *at = to;

    (void)self;
    while (bytes > 0) {
        ssize_t got = getrandom(at, bytes, 0);
        if (got < 0 && errno != EINTR)
            abort(); /* the kernel has no randomness: nothing sensible can follow */
        if (got > 0) {
            at += got;
            bytes -= (size_t)got;
        }
    }
}

static int real_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self;
    return (int)or_errno(open(path, flags | O_CLOEXEC, mode));
}

static ssize_t real_read(void *self, int fd, void *to, size_t bytes)
{
    (void)self;
    return or_errno(read(fd, to, bytes));
}

static ssize_t real_pread(void *self, int fd, void *to, size_t bytes, int64_t at)
{
    (void)self;
    return or_errno(pread(fd, to, bytes, at));
}

static ssize_t real_write(void *self, int fd, const void *from, size_t bytes)
{
    (void)self;
    return or_errno(write(fd, from, bytes));
}

static ssize_t real_pwrite(void *self, int fd, const void *from, size_t bytes, int64_t at)
{
    (void)self;
    return or_errno(pwrite(fd, from, bytes, at));
}

static int real_sync(void *self, int fd)
{
    (void)self;
    return (int)or_errno(fdatasync(fd));
}

static int64_t real_size(void *self, int fd)
{
    struct stat st;

    (void)self;
    return fstat(fd, &st) == 0 ? st.st_size : -errno;
}

static int64_t real_modified_ms(void *self, int fd)
{
    struct stat st;

    (void)self;
    if (fstat(fd, &st) != 0)
        return INT64_MIN;
    return (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
}

static bool real_is_regular(void *self, int fd)
{
    struct stat st;

    (void)self;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int real_file_id(void *self, int fd, uint64_t to[2])
{
    struct stat st;

    (void)self;
    if (fstat(fd, &st) != 0)
        return -errno;
    to[0] = st.st_dev;
    to[1] = st.st_ino;
    return 0;
}

static int real_close(void *self, int fd)
{
    (void)self;
    return (int)or_errno(close(fd));
}

static int real_rename(void *self, const char *from, const char *to)
{
    (void)self;
    return (int)or_errno(rename(from, to));
}

static int real_unlink(void *self, const char *path)
{
    (void)self;
    return (int)or_errno(unlink(path));
}

static int real_mkdir(void *self, const char *path, unsigned mode)
{
    (void)self;
    return (int)or_errno(mkdir(path, mode));
}

static int real_sync_dir(void *self, const char *path)
{
    int fd, rc;

    (void)self;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    rc = (int)or_errno(fsync(fd));
    close(fd);
    return rc;
}

static int64_t real_free_bytes(void *self, const char *path)
{
    struct statvfs at;

    (void)self;
    if (statvfs(path, &at) != 0)
        return -errno;
    if (at.f_bavail > INT64_MAX / at.f_frsize)
        return INT64_MAX;
    return (int64_t)(at.f_bavail * at.f_frsize);
}

static int real_lock(void *self, int fd)
{
    (void)self;
    return (int)or_errno(flock(fd, LOCK_EX | LOCK_NB));
}

static int real_list(void *self, const char *path, void (*take)(void *user, const char *name),
                     void *user)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    int rc;

    (void)self;
    if (folder == NULL)
        return -errno;
    errno = 0;
    while ((entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            take(user, entry->d_name);
    rc = -errno;
    closedir(folder);
    return rc;
}

static int real_waker_create(void *self)
{
    (void)self;
    return (int)or_errno(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static void real_waker_wake(void *self, int waker)
{
    uint64_t one = 1;

    (void)self;
    /* A full counter means that a wake is pending already. */
    if (write(waker, &one, sizeof(one)) < 0)
        return;
}

static void real_waker_sleep(void *self, int waker, uint64_t timeout_ns)
{
    struct pollfd fd = {.fd = waker, .events = POLLIN};
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000u),
                               .tv_nsec = (long)(timeout_ns % 1000000000u)};
    uint64_t count;

    (void)self;
    if (ppoll(&fd, 1, &timeout, NULL) > 0 && read(waker, &count, sizeof(count)) < 0)
        return;
}

static const struct host real_host = {
    .mono_ns = real_mono_ns,
    .wall_ms = real_wall_ms,
    .random = real_random,
    .open = real_open,
    .read = real_read,
    .pread = real_pread,
    .write = real_write,
    .pwrite = real_pwrite,
    .sync = real_sync,
    .size = real_size,
    .modified_ms = real_modified_ms,
    .is_regular = real_is_regular,
    .file_id = real_file_id,
    .close = real_close,
    .rename = real_rename,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .sync_dir = real_sync_dir,
    .free_bytes = real_free_bytes,
    .lock = real_lock,
    .list = real_list,
    .waker_create = real_waker_create,
    .waker_wake = real_waker_wake,
    .waker_sleep = real_waker_sleep,
};

static const struct host *current = &real_host;

const struct host *host(void)
{
    return current;
}

void host_set(const struct host *replacement)
{
    current = replacement != NULL ? replacement : &real_host;
}

static _Thread_local const struct host_reading *reading;

void host_read_through(const struct host_reading *through)
{
    reading = through;
}

int host_list(const char *path, void (*take)(void *user, const char *name), void *user)
{
    const struct host_reading *through = reading;
    const struct host *h = host();
    int rc;

    if (through == NULL)
        return strcmp(path, "-") == 0 ? -ENOTDIR : h->list(h->self, path, take, user);
    reading = NULL;
    rc = through->folder(through->self, path, take, user);
    reading = through;
    return rc;
}

static int read_file(const char *path, size_t bytes_max, char **out, size_t *bytes)
{
    const struct host *h = host();
    bool is_stdin = strcmp(path, "-") == 0;
    size_t room = 64 << 10, used = 0;
    char *data = NULL;
    int fd, rc = 0;

    if (is_stdin && !standard_input_take())
        return -EALREADY;
    /* The opening of a pipe would wait for a writer. */
    fd = is_stdin ? STDIN_FILENO : h->open(h->self, path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0)
        return fd;
    if (!is_stdin && !h->is_regular(h->self, fd)) {
        char byte;
        rc = h->read(h->self, fd, &byte, 1) == -EISDIR ? -EISDIR : -ESPIPE;
        goto out;
    }
    for (;;) {
        char *larger = realloc(data, room + 1);
        if (larger == NULL) {
            rc = -ENOMEM;
            goto out;
        }
        data = larger;
        while (used < room) {
            ssize_t got = h->read(h->self, fd, data + used, room - used);
            if (got == -EINTR)
                continue;
            if (got < 0) {
                rc = (int)got;
                goto out;
            }
            if (got == 0) {
                data[used] = '\0';
                *out = data;
                *bytes = used;
                data = NULL;
                goto out;
            }
            used += (size_t)got;
        }
        if (used > bytes_max) {
            rc = -EFBIG;
            goto out;
        }
        room *= 2;
    }
out:
    free(data);
    if (!is_stdin)
        h->close(h->self, fd);
    return rc;
}

int host_read_file(const char *path, size_t bytes_max, char **out, size_t *bytes)
{
    const struct host_reading *through = reading;
    int rc;

    if (through == NULL)
        return read_file(path, bytes_max, out, bytes);
    reading = NULL;
    rc = through->file(through->self, path, bytes_max, out, bytes);
    reading = through;
    return rc;
}

const char *host_read_why(int rc)
{
    switch (rc) {
    case -ESPIPE:
        return "this is no regular file; a pipe is read as -";
    case -EALREADY:
        return STANDARD_INPUT_TAKEN;
    default:
        return strerrordesc_np(-rc);
    }
}

int host_write_all(int fd, const void *from, size_t bytes)
{
    const struct host *h = host();
    const char *at = from;

    while (bytes > 0) {
        ssize_t put = h->write(h->self, fd, at, bytes);
        if (put == -EINTR)
            continue;
        if (put < 0)
            return (int)put;
        at += put;
        bytes -= (size_t)put;
    }
    return 0;
}

int host_pwrite_all(int fd, const void *from, size_t bytes, int64_t at)
{
    const struct host *h = host();
    const char *next = from;

    while (bytes > 0) {
        ssize_t put = h->pwrite(h->self, fd, next, bytes, at);
        if (put == -EINTR)
            continue;
        if (put < 0)
            return (int)put;
        next += put;
        bytes -= (size_t)put;
        at += put;
    }
    return 0;
}

int host_pread_all(int fd, void *to, size_t bytes, int64_t at)
{
    const struct host *h = host();
    char *next = to;

    while (bytes > 0) {
        ssize_t got = h->pread(h->self, fd, next, bytes, at);
        if (got == -EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? (int)got : -EIO;
        next += got;
        bytes -= (size_t)got;
        at += got;
    }
    return 0;
}

int host_sync(int fd)
{
    const struct host *h = host();
    int rc;

    do
        rc = h->sync(h->self, fd);
    while (rc == -EINTR); /* not begun, so nothing failed */
    return rc;
}

int host_replace_file(const char *folder, const char *name, const void *from, size_t bytes)
{
    enum { MODE = 0600, PATH_BYTES = 4400 };
    const struct host *h = host();
    char path[PATH_BYTES], fresh[PATH_BYTES];

    snprintf(path, sizeof(path), "%.4200s/%.100s", folder, name);
    snprintf(fresh, sizeof(fresh), "%.4200s/%.100s.new", folder, name);
    int fd = h->open(h->self, fresh, O_WRONLY | O_CREAT | O_TRUNC, MODE);
    if (fd < 0)
        return fd;
    int rc = host_pwrite_all(fd, from, bytes, 0);
    if (rc == 0)
        rc = host_sync(fd);
    int closed = h->close(h->self, fd);
    rc = rc != 0 ? rc : closed;
    if (rc == 0)
        rc = h->rename(h->self, fresh, path);
    return rc != 0 ? rc : h->sync_dir(h->self, folder);
}
