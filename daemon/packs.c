/*
 * packs.c - see packs.h.
 */
#include "daemon/packs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/host.h"
#include "daemon/command.h"

enum { PACKS_MAX = 64, PACK_NAME_BYTES = 48 };

/* 0 when there is such a file or folder, or a negative errno. */
static int look_for(const char *path)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDONLY | O_NONBLOCK, 0);

    if (fd < 0)
        return fd;
    h->close(h->self, fd);
    return 0;
}

static bool exists(const char *path)
{
    return look_for(path) == 0;
}

/* The i-th folder of packs; false behind the last. Folders that are not known here are "". */
static bool pack_folder(unsigned i, char *to, size_t bytes)
{
    char binary[PATH_MAX];
    const char *named;
    ssize_t length;
    char *slash;

    to[0] = '\0';
    switch (i) {
    case 0:
        named = getenv("TOCSIN_PACKS");
        snprintf(to, bytes, "%s", named != NULL ? named : "");
        return true;
    case 1:
        length = readlink("/proc/self/exe", binary, sizeof(binary) - 1);
        if (length <= 0)
            return true;
        binary[length] = '\0';
        slash = strrchr(binary, '/');
        if (slash != NULL)
            *slash = '\0';
        snprintf(to, bytes, "%s/../share/tocsin/packs", binary);
        return true;
    case 2:
        snprintf(to, bytes, "%s", TOCSIN_PACKS_DIR);
        return true;
    default:
        return false;
    }
}

bool pack_find(const char *name, char *to, size_t bytes)
{
    char folder[PATH_MAX + 64];

    for (unsigned i = 0; pack_folder(i, folder, sizeof(folder)); i++) {
        if (folder[0] == '\0')
            continue;
        snprintf(to, bytes, "%s/%s", folder, name);
        if (exists(to))
            return true;
        snprintf(to, bytes, "%s/%s.yaml", folder, name);
        if (exists(to))
            return true;
    }
    return false;
}

/* The packs that ship, for who mistypes one. */
struct pack_names {
    char text[PACKS_MAX][PACK_NAME_BYTES];
    const char *name[PACKS_MAX];
    size_t count;
};

static void take_pack(void *self, const char *file)
{
    static const char ending[] = ".yaml";
    struct pack_names *packs = self;
    size_t length = strlen(file), cut = strlen(ending);

    if (length <= cut || strcmp(file + length - cut, ending) != 0 ||
        length - cut >= PACK_NAME_BYTES || memchr(file, '.', length - cut) != NULL ||
        packs->count == PACKS_MAX)
        return;
    snprintf(packs->text[packs->count], PACK_NAME_BYTES, "%.*s", (int)(length - cut), file);
    packs->name[packs->count] = packs->text[packs->count];
    packs->count++;
}

const char *pack_hint(const char *name, char hint[NEAREST_HINT_BYTES])
{
    struct pack_names packs = {.count = 0};
    char folder[PATH_MAX + 64];

    for (unsigned i = 0; pack_folder(i, folder, sizeof(folder)); i++)
        if (folder[0] != '\0')
            host()->list(host()->self, folder, take_pack, &packs);
    return nearest_hint((struct text){name, (uint32_t)strlen(name)}, packs.name, packs.count, hint);
}

/* Says that there is no such pack, and what may have been meant. */
static void refuse_pack(const char *name, struct error *err)
{
    char hint[NEAREST_HINT_BYTES];

    if (exists(name))
        error_set(
            err,
            "there is no shipped rule pack '%.200s'; what has this name here is written ./%.200s",
            name, name);
    else if (pack_hint(name, hint)[0] != '\0')
        error_set(err, "there is no shipped rule pack '%.200s'%s", name, hint);
    else
        error_set(err,
                  "there is no shipped rule pack '%.200s'; a file is written with its folder or "
                  "ending, like ./%.200s.yaml",
                  name, name);
}

/* A bare word is a shipped pack; what has a slash or an ending is a path, - standard input. */
static bool is_pack(const char *name)
{
    return strchr(name, '/') == NULL && strchr(name, '.') == NULL && strcmp(name, "-") != 0;
}

typedef int load_fn(const char *const *paths, size_t count, struct rule_set **out,
                    struct error *err);

static int load_by(load_fn *load, const char *const *names, size_t count, struct rule_set **out,
                   struct error *err)
{
    const char **paths = calloc(count + 1, sizeof(*paths));
    char(*found)[PATH_MAX] = calloc(count + 1, sizeof(*found));
    int rc = -ENOMEM;

    if (paths == NULL || found == NULL) {
        error_set(err, "out of memory for %zu rule files", count);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        paths[i] = names[i];
        if (!is_pack(names[i]))
            continue;
        if (!pack_find(names[i], found[i], sizeof(found[i]))) {
            refuse_pack(names[i], err);
            rc = -ENOENT;
            goto out;
        }
        paths[i] = found[i];
    }
    rc = load(paths, count, out, err);
out:
    free(found);
    free(paths);
    return rc;
}

int packs_load_rules(const char *const *names, size_t count, struct rule_set **out,
                     struct error *err)
{
    return load_by(rule_set_load, names, count, out, err);
}

/* What the configuration names and nobody finds is shown where it is named. */
static int check_named(const struct config_texts *rules, struct error *err)
{
    struct diagnostics diag;
    char found[PATH_MAX];
    struct error why;

    diagnostics_init(&diag, err);
    for (size_t i = 0; rules->place != NULL && i < rules->count; i++) {
        const char *name = rules->item[i];
        int rc = is_pack(name) || strcmp(name, "-") == 0 ? 0 : look_for(name);
        if (rc != 0)
            diagnose(&diag, rules->place[i], "rules: %s: %s", name, strerrordesc_np(-rc));
        else if (is_pack(name) && !pack_find(name, found, sizeof(found))) {
            refuse_pack(name, &why);
            diagnose(&diag, rules->place[i], "rules: %s", why.text);
        }
    }
    return diagnostics_finish(&diag);
}

int packs_exit_code(int rc)
{
    return rc == -ENOMEM ? EXIT_SYSTEM : EXIT_CONFIG;
}

static int load_configured(load_fn *load, const struct config *config,
                           const struct option_list *rules, struct rule_set **out,
                           struct error *err)
{
    const char *const *names = rules->count > 0 ? rules->item : config->rules.item;
    size_t count = rules->count > 0 ? rules->count : config->rules.count;

    if (rules->count == 0 && check_named(&config->rules, err) != 0)
        return -EINVAL;
    if (count > 0)
        return load_by(load, names, count, out, err);
    error_set(err, "no rules are named: list files, folders or packs under `rules` in the "
                   "configuration, or give --rules");
    return -EINVAL;
}

int packs_load_configured(const struct config *config, const struct option_list *rules,
                          struct rule_set **out, struct error *err)
{
    return load_configured(rule_set_load, config, rules, out, err);
}

int packs_load_past(const struct config *config, const struct option_list *rules,
                    struct rule_set **out, struct error *err)
{
    return load_configured(rule_set_load_past, config, rules, out, err);
}
