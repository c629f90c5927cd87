/*
 * config_files.c - whether the files that a run writes can be written, and its data directory be
 * used, found out before it starts.
 *
 * A file that is there is opened for writing and closed. For one that is not, its folder is asked
 * for a file without a name, which leaves nothing behind. A data directory is looked into, or,
 * where there is none, the folder that it would be made in.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "base/host.h"
#include "daemon/config.h"
#include "rules/diagnostics.h"
#include "store/data_dir.h"

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

/* Whether something can be made in the folder: 0, or a negative errno. */
static int try_folder(const char *folder)
{
    int rc = try_open(folder, O_WRONLY | O_TMPFILE);

    /* A file system that knows no files without a name: that the folder is there must do. */
    if (rc == -EOPNOTSUPP || rc == -EISDIR || rc == -EINVAL)
        rc = try_open(folder, O_RDONLY | O_DIRECTORY);
    return rc;
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
    rc = try_folder(folder);
    if (rc != 0)
        diagnose(diag, place, "%s: no file can be made in the folder %s: %s", key, folder,
                 strerror(-rc));
}

/* One that is not there is made by the run, but not the folder that it lies in. */
static void check_new_directory(struct diagnostics *diag, struct span place, const char *dir)
{
    char path[PATH_BYTES], folder[PATH_BYTES];
    size_t length = strlen(dir) < PATH_BYTES ? strlen(dir) : PATH_BYTES - 1;
    int rc;

    while (length > 1 && dir[length - 1] == '/')
        length--;
    snprintf(path, sizeof(path), "%.*s", (int)length, dir);
    folder_of(path, folder);
    rc = try_folder(folder);
    if (rc != 0)
        diagnose(diag, place, "data.dir: no directory can be made in the folder %s: %s", folder,
                 strerror(-rc));
}

/* Damage is left to the run, which ends otherwise than over a configuration. */
static void check_data_dir(struct diagnostics *diag, struct span place, const char *path)
{
    struct data_dir dir;
    struct error err = {{0}};
    enum data_dir_refusal why;
    int rc;

    if (path[0] == '\0')
        return;
    rc = data_dir_open(&dir, path, DATA_DIR_LOOK, &why, &err);
    if (rc == 0) {
        data_dir_close(&dir);
    } else if (why == DATA_DIR_FOREIGN) {
        diagnose(diag, place, "data.dir: %s; give it an empty one", err.text);
    } else if (why == DATA_DIR_WORLD) {
        diagnose(diag, place, "data.dir: %s", err.text);
    } else if (why == DATA_DIR_MISSING && try_open(path, O_RDONLY | O_DIRECTORY) == -ENOENT) {
        check_new_directory(diag, place, path);
    }
}

int config_check_files(const struct config *config, struct error *err)
{
    struct diagnostics diag;

    diagnostics_init(&diag, err);
    check_file(&diag, config->quarantine.place, "quarantine.path", config->quarantine.path);
    check_file(&diag, config->incident_log.place, "incident_log.path", config->incident_log.path);
    check_file(&diag, config->marks.place, "marks.path", config->marks.path);
    check_data_dir(&diag, config->data.place, config->data.dir);
    return diagnostics_finish(&diag);
}
