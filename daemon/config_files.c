/*
 * config_files.c - whether the files that a run writes can be written, found out before it starts.
 *
 * A file that is there is opened for writing and closed. For one that is not, its folder is asked
 * for a file without a name, which leaves nothing behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "base/host.h"
#include "daemon/config.h"
#include "rules/diagnostics.h"

enum { PATH_BYTES = 4096 };

/* 0, or a negative errno. */
static int try_open(const char *path, int flags)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, flags, 0600);

    if (fd < 0)
        return fd;
    h->close(h->self, fd);
    return 0;
}

static void folder_of(const char *path, char folder[PATH_BYTES])
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        snprintf(folder, PATH_BYTES, ".");
    else if (slash == path)
        snprintf(folder, PATH_BYTES, "/");
    else
        snprintf(folder, PATH_BYTES, "%.*s", (int)(slash - path), path);
}

static void check_file(struct diagnostics *diag, struct span place, const char *key,
                       const char *path)
{
    char folder[PATH_BYTES];
    int rc;

    if (path[0] == '\0' || strcmp(path, "-") == 0)
        return;
    /* Without waiting for the reader of a pipe, which may come later. */
    rc = try_open(path, O_WRONLY | O_APPEND | O_NONBLOCK);
    if (rc == 0 || rc == -ENXIO)
        return;
    if (rc != -ENOENT) {
        diagnose(diag, place, "%s: %s cannot be written: %s", key, path, strerror(-rc));
        return;
    }
    folder_of(path, folder);
    rc = try_open(folder, O_WRONLY | O_TMPFILE);
    /* A file system that knows no files without a name: that the folder is there must do. */
    if (rc == -EOPNOTSUPP || rc == -EISDIR || rc == -EINVAL)
        rc = try_open(folder, O_RDONLY | O_DIRECTORY);
    if (rc != 0)
        diagnose(diag, place, "%s: no file can be made in the folder %s: %s", key, folder,
                 strerror(-rc));
}

int config_check_files(const struct config *config, struct error *err)
{
    struct diagnostics diag;

    diagnostics_init(&diag, err);
    check_file(&diag, config->quarantine.place, "quarantine.path", config->quarantine.path);
    check_file(&diag, config->incident_log.place, "incident_log.path", config->incident_log.path);
    check_file(&diag, config->marks.place, "marks.path", config->marks.path);
    return diagnostics_finish(&diag);
}
