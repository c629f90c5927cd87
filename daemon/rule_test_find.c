/* rule_test_find.c - see rule_test_find.h. */
#include "daemon/rule_test_find.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/same_file.h"
#include "daemon/packs.h"

static const char ending[] = ".test.yaml";

struct finding {
    struct arena *arena;
    struct rule_test_files *out;
    size_t before; /* files of earlier names */
    int rc;
};

/* Entries of one folder, kept until it has been read: they are told in any order. */
struct folder {
    struct finding *finding;
    const char **name;
    size_t count, room;
};

/* The folders from the one that was named to the one that is read. */
struct way {
    const char *path;
    const struct way *up; /* NULL: the one that was named */
};

static void add_path(struct finding *finding, const char *path)
{
    const char *copy;

    /* rules and rules/a.test.yaml name one file twice, and it is run once. */
    for (size_t i = 0; i < finding->before; i++)
        if (strcmp(finding->out->path[i], path) == 0)
            return;
    copy = arena_copy(finding->arena, path, strlen(path));
    if (finding->out->count == RULE_TEST_FILES_MAX)
        finding->rc = -E2BIG;
    else if (copy == NULL)
        finding->rc = -ENOMEM;
    else
        finding->out->path[finding->out->count++] = copy;
}

static void take_entry(void *self, const char *name)
{
    struct folder *folder = self;

    if (name[0] == '.' || folder->finding->rc != 0)
        return;
    if (folder->count == folder->room) {
        size_t room = folder->room == 0 ? 32 : 2 * folder->room;
        const char **larger = arena_alloc_many(folder->finding->arena, room, sizeof(*larger));
        if (larger == NULL) {
            folder->finding->rc = -ENOMEM;
            return;
        }
        if (folder->count > 0)
            memcpy(larger, folder->name, folder->count * sizeof(*larger));
        folder->name = larger;
        folder->room = room;
    }
    folder->name[folder->count] = arena_copy(folder->finding->arena, name, strlen(name));
    if (folder->name[folder->count++] == NULL)
        folder->finding->rc = -ENOMEM;
}

static int order_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_test_file(const char *name)
{
    size_t length = strlen(name), cut = strlen(ending);

    return length > cut && strcmp(name + length - cut, ending) == 0;
}

/* A link may lead back to where it lies in. */
static bool is_inside(const struct way *way, const char *path)
{
    while (way != NULL && !same_file(way->path, path))
        way = way->up;
    return way != NULL;
}

/* 0, or -ENOTDIR for what is no folder, or another errno. */
static int walk(struct finding *finding, const char *path, unsigned depth, const struct way *up)
{
    struct folder folder = {.finding = finding};
    const struct way way = {path, up};
    char below[PATH_MAX];
    int rc = host()->list(host()->self, path, take_entry, &folder);

    if (rc != 0 || finding->rc != 0)
        return rc;
    if (folder.count > 0)
        qsort(folder.name, folder.count, sizeof(*folder.name), order_names);
    for (size_t i = 0; i < folder.count && finding->rc == 0; i++) {
        if (snprintf(below, sizeof(below), "%s/%s", strcmp(path, "/") == 0 ? "" : path,
                     folder.name[i]) >= (int)sizeof(below))
            continue;
        if (is_test_file(folder.name[i]))
            add_path(finding, below);
        else if (depth < RULE_TEST_FOLDERS_DEPTH && strchr(folder.name[i], '.') == NULL &&
                 !is_inside(&way, below))
            walk(finding, below, depth + 1,
                 &way); /* a file without an ending is no folder: no harm */
    }
    return 0;
}

static int find_one(struct finding *finding, const char *name, struct error *err)
{
    char path[PATH_MAX], word[PATH_MAX], folder[PATH_MAX], hint[NEAREST_HINT_BYTES];
    size_t length = strlen(name);
    int rc;

    finding->before = finding->out->count;
    /* rules/ is the folder rules. */
    while (length > 1 && name[length - 1] == '/')
        length--;
    if (length >= sizeof(folder)) {
        error_set(err, "%.80s...: %s", name, strerrordesc_np(ENAMETOOLONG));
        return -ENAMETOOLONG;
    }
    snprintf(folder, sizeof(folder), "%.*s", (int)length, name);
    snprintf(word, sizeof(word), "%s.test", name);
    if (strpbrk(name, "/.") == NULL && pack_find(word, path, sizeof(path))) {
        add_path(finding, path);
        return finding->rc;
    }
    rc = strcmp(name, "-") == 0 ? -ENOTDIR : walk(finding, folder, 0, NULL);
    if (rc == -ENOTDIR) {
        add_path(finding, name);
        rc = 0;
    } else if (rc == 0 && finding->rc == 0 && finding->out->count == finding->before) {
        error_set(err, "%s: there is no *%s file in this folder or below", name, ending);
        return -ENOENT;
    }
    rc = rc != 0 ? rc : finding->rc;
    if (rc == -E2BIG)
        error_set(err, "%s: more than %d files of tests", name, RULE_TEST_FILES_MAX);
    else if (rc == -ENOENT && strpbrk(name, "/.") == NULL)
        error_set(err, "%.200s: there is no file, folder or shipped pack of this name%s", name,
                  pack_hint(name, hint));
    else if (rc != 0)
        error_set(err, "%s: %s", name, strerrordesc_np(-rc));
    return rc;
}

int rule_test_files_find(const struct option_list *names, struct arena *arena,
                         struct rule_test_files *out, struct error *err)
{
    struct finding finding = {.arena = arena, .out = out};
    int rc = 0;

    *out = (struct rule_test_files){
        .path = arena_alloc_many(arena, RULE_TEST_FILES_MAX, sizeof(*out->path))};
    if (out->path == NULL) {
        error_set(err, "out of memory");
        return -ENOMEM;
    }
    if (names->count == 0)
        return find_one(&finding, ".", err);
    for (size_t i = 0; i < names->count && rc == 0; i++)
        rc = find_one(&finding, names->item[i], err);
    return rc;
}
