/*
 * memory_host.h - for tests: a host on which every file that is opened is one stretch of
 * memory, for readers of hostile and damaged files.
 */
#ifndef TESTS_MEMORY_HOST_H
#define TESTS_MEMORY_HOST_H

#include <string.h>
#include "base/host.h"

/* What every file holds; may change between two reads. */
static const char *memory_host_file;
static size_t memory_host_bytes;

static inline int memory_host_open(void *self, const char *path, int flags, unsigned mode)
{
    (void)self, (void)path, (void)flags, (void)mode;
    return 1000;
}

static inline ssize_t memory_host_pread(void *self, int fd, void *to, size_t bytes, int64_t at)
{
    (void)self, (void)fd;
    if (at < 0 || (uint64_t)at >= memory_host_bytes)
        return 0;
    if (bytes > memory_host_bytes - (size_t)at)
        bytes = memory_host_bytes - (size_t)at;
    memcpy(to, memory_host_file + at, bytes);
    return (ssize_t)bytes;
}

static inline int64_t memory_host_size(void *self, int fd)
{
    (void)self, (void)fd;
    return (int64_t)memory_host_bytes;
}

static inline int memory_host_close(void *self, int fd)
{
    (void)self, (void)fd;
    return 0;
}

/* Until host_set(NULL). */
static inline void memory_host_begin(void)
{
    static struct host fake;

    fake = *host();
    fake.open = memory_host_open;
    fake.pread = memory_host_pread;
    fake.size = memory_host_size;
    fake.close = memory_host_close;
    host_set(&fake);
}

#endif
