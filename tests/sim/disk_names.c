/* disk_names.c - see disk_names.h. */
#include "sim/disk_names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct world_disk *disk(void)
{
    return &world->disk;
}

struct world_name *names_find(struct world_name *names, const char *path)
{
    for (int i = 0; i < WORLD_FILES; i++)
        if (strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

void names_set(struct world_name *names, const char *path, int32_t file)
{
    struct world_name *name = names_find(names, path);

    if (file < 0) {
        if (name != NULL)
            name->path[0] = '\0';
        return;
    }
    if (name == NULL)
        name = names_find(names, "");
    assert(name != NULL);
    snprintf(name->path, sizeof(name->path), "%s", path);
    name->file = file;
}

/* What lies below a folder comes along with it. */
static void tree_move(struct world_name *names, const char *from, const char *to)
{
    size_t bytes = strlen(from);
    char path[2 * WORLD_PATH_BYTES];

    for (int i = 0; i < WORLD_FILES; i++) {
        if (strncmp(names[i].path, from, bytes) != 0 || names[i].path[bytes] != '/')
            continue;
        snprintf(path, sizeof(path), "%s%s", to, names[i].path + bytes);
        assert(strlen(path) < WORLD_PATH_BYTES);
        memcpy(names[i].path, path, strlen(path) + 1);
    }
}

static void change_apply(struct world_name *names, const struct world_change *change)
{
    if (change->is_tree)
        tree_move(names, change->path[1], change->path[0]);
    for (int i = 0; i < 2; i++)
        if (change->path[i][0] != '\0')
            names_set(names, change->path[i], change->file[i]);
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

void names_change(const char *path0, int32_t file0, const char *path1, int32_t file1)
{
    struct world_change change = {.file = {file0, file1},
                                  .is_tree = path1[0] != '\0' && file0 >= 0 &&
                                             disk()->file[file0].is_folder};

    assert(strlen(path0) < WORLD_PATH_BYTES && strlen(path1) < WORLD_PATH_BYTES);
    snprintf(change.path[0], WORLD_PATH_BYTES, "%s", path0);
    snprintf(change.path[1], WORLD_PATH_BYTES, "%s", path1);
    change_apply(disk()->now, &change);
    if (disk()->change_count == WORLD_CHANGES_MAX)
        names_age();
    disk()->change[disk()->change_count++] = change;
}

/* The first so many changes of names are durable, and the others never were. */
void names_settle(int count)
{
    for (int i = 0; i < count; i++)
        change_apply(disk()->durable, &disk()->change[i]);
    disk()->change_count = 0;
}

const char *names_plain(const char *path, char to[WORLD_PATH_BYTES])
{
    char *up, *before;

    assert(strlen(path) < WORLD_PATH_BYTES);
    snprintf(to, WORLD_PATH_BYTES, "%s", path);
    while ((up = strstr(to, "//")) != NULL)
        memmove(up, up + 1, strlen(up));
    while ((up = strstr(to, "/..")) != NULL) {
        for (before = up - 1; before > to && *before != '/'; before--)
            ;
        memmove(before, up + 3, strlen(up + 3) + 1);
    }
    return to;
}
