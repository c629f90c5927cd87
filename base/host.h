/*
 * host.h - the one table through which tocsin reaches the world (semantics H1).
 *
 * Clocks, randomness, files and waiting go through `host()`. Kafka is reached
 * through struct source (ingest/source.h) and sinks through struct transport
 * (sinks/transport.h): two further replaceable tables, because they are
 * conversations and not calls. A simulator replaces all three; tests/lint_host.sh
 * fails the build where another file calls the world directly.
 *
 * Thread: host_set() before threads start; every entry may be called by any thread.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host {
    void *self; /* given back to every call */

    uint64_t (*mono_ns)(void *self); /* never goes back */
    int64_t (*wall_ms)(void *self);  /* since 1970; may jump */
    void (*random)(void *self, void *to, size_t bytes);

    /* Files: as open(2), read(2), pread(2), write(2), fdatasync(2), close(2) and
     * so on, with 0 or a count for success and a negative errno for failure. */
    int (*open)(void *self, const char *path, int flags, unsigned mode);
    ssize_t (*read)(void *self, int fd, void *to, size_t bytes);
    ssize_t (*pread)(void *self, int fd, void *to, size_t bytes, int64_t at);
    ssize_t (*write)(void *self, int fd, const void *from, size_t bytes);
    ssize_t (*pwrite)(void *self, int fd, const void *from, size_t bytes, int64_t at);
    int (*sync)(void *self, int fd);
    int64_t (*size)(void *self, int fd);
    int64_t (*modified_ms)(void *self,
                           int fd);         /* since 1970: the last change; INT64_MIN: unknown */
    bool (*is_regular)(void *self, int fd); /* a file, and no pipe, device or folder */
    /* Device and number: two names lead to one file where both are the same. */
    int (*file_id)(void *self, int fd, uint64_t to[2]);
    int (*close)(void *self, int fd);
    int (*rename)(void *self, const char *from, const char *to);
    int (*unlink)(void *self, const char *path);
    int (*mkdir)(void *self, const char *path, unsigned mode);
    int (*sync_dir)(void *self, const char *path); /* makes its names durable */
    /* What may still be written to the file system of this folder, by whoever is not its superuser.
     */
    int64_t (*free_bytes)(void *self, const char *path);
    int (*lock)(void *self, int fd); /* for this process alone, until closed; -EAGAIN: taken */
    /* Calls `take` for every entry of a folder but . and .., in any order; -ENOTDIR for a file. */
    int (*list)(void *self, const char *path, void (*take)(void *user, const char *name),
                void *user);

    /* A waker is a descriptor that one thread sleeps on and others write to. */
    int (*waker_create)(void *self);
    void (*waker_wake)(void *self, int waker);
    /* Sleeps until woken or until timeout_ns passed; pending wakes are consumed. */
    void (*waker_sleep)(void *self, int waker, uint64_t timeout_ns);
};

const struct host *host(void);

/* Replaces the table; NULL restores the real one. */
void host_set(const struct host *replacement);

static inline uint64_t host_mono_ns(void)
{
    return host()->mono_ns(host()->self);
}

static inline int64_t host_wall_ms(void)
{
    return host()->wall_ms(host()->self);
}

/* Reads a whole file into memory that the caller frees; a zero byte is put
 * behind it and not counted. "-" reads standard input; anything else has to be a regular file,
 * for a pipe may never end. Returns 0 or a negative errno: -ESPIPE for a pipe or device, -EALREADY
 * where standard input is read for something else (base/standard_files.h). */
int host_read_file(const char *path, size_t bytes_max, char **out, size_t *bytes);

/* Calls `take` for the entries of a folder, as host()->list; - is none. */
int host_list(const char *path, void (*take)(void *user, const char *name), void *user);

/* What stands between this thread and the two above, to note what is read, or to answer it from
 * elsewhere. While it is asked they reach the host again. NULL: nothing does. Thread: each has its
 * own. */
struct host_reading {
    void *self;
    int (*file)(void *self, const char *path, size_t bytes_max, char **out, size_t *bytes);
    int (*folder)(void *self, const char *path, void (*take)(void *user, const char *name),
                  void *user);
};
void host_read_through(const struct host_reading *reading);

/* What a negative errno of host_read_file() means, for the end of a sentence. */
const char *host_read_why(int rc);

/* Write or read all bytes or return a negative errno; -EIO for a file that ends before. */
int host_write_all(int fd, const void *from, size_t bytes);
int host_pwrite_all(int fd, const void *from, size_t bytes, int64_t at);
int host_pread_all(int fd, void *to, size_t bytes, int64_t at);

/* fdatasync(2). After a failure nobody knows what the file holds: never try again. */
int host_sync(int fd);

/* `folder`/`name` holds these bytes, whole and durable, or what it held before: they are written to
 * `name`.new, synced, and given the name. 0 or a negative errno. For one writer of a name. */
int host_replace_file(const char *folder, const char *name, const void *from, size_t bytes);

#endif
