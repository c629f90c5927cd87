/* data_room.c - see data_room.h. */
#include "daemon/data_room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/host.h"
#include "daemon/command.h"
#include "daemon/intake.h"
#include "store/data_dir.h"
#include "store/segment_log.h"

static bool is_made(const char *dir)
{
    const struct host *h = host();
    char path[DATA_DIR_PATH_BYTES];
    int fd;

    snprintf(path, sizeof(path), "%.4000s/FORMAT", dir);
    fd = h->open(h->self, path, O_RDONLY, 0);
    if (fd >= 0)
        h->close(h->self, fd);
    return fd != -ENOENT && fd != -ENOTDIR;
}

/* Of the folder, or of the one in which it will be made; negative: nobody can tell. */
static int64_t free_bytes(const char *dir)
{
    const struct host *h = host();
    char above[DATA_DIR_PATH_BYTES], *slash;
    int64_t bytes = h->free_bytes(h->self, dir);

    if (bytes != -ENOENT)
        return bytes;
    snprintf(above, sizeof(above), "%.4000s", dir);
    for (slash = above + strlen(above); slash > above && slash[-1] == '/';)
        *--slash = '\0';
    slash = strrchr(above, '/');
    if (slash == NULL)
        return h->free_bytes(h->self, ".");
    slash[slash == above] = '\0';
    return h->free_bytes(h->self, above);
}

int data_room_check(const struct config *config, struct error *err)
{
    const int64_t needed =
        (int64_t)SEGMENT_BYTES_DEFAULT +
        intake_segment_bytes((uint64_t)config->intake.bytes_max, (uint64_t)config->intake.body_max);
    int64_t there;

    if (config->data.dir[0] == '\0' || is_made(config->data.dir))
        return EXIT_OK;
    there = free_bytes(config->data.dir);
    if (there < 0 || there >= needed)
        return EXIT_OK;
    error_set(err,
              "%s: a new data directory needs %" PRId64
              " MiB for its first segments, and its disk has %" PRId64 " MiB left",
              config->data.dir, (needed + (1 << 20) - 1) >> 20, there >> 20);
    return EXIT_IO;
}
