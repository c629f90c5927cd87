/*
 * refusals.c - see refusals.h.
 *
 * The file is JSON, for people look into data directories: {"refusals":[{"sink":"pager",
 * "since":1767225600000,"told":1767225600000,"why":"..."}]}; "told" is missing where nobody
 * confirmed it, as it was in files of before.
 * Held sinks are listed the same way under "held"; a file of before has no such list.
 */
#include "daemon/refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "base/slab.h"
#include "store/data_dir.h"

enum { FILE_BYTES_MAX = 4 << 20, PATH_BYTES = DATA_DIR_PATH_BYTES + 16 };

static int fail(const char *path, int rc, const char *what, struct error *err)
{
    error_set(err, "%s: %s: %s", path, what, strerrordesc_np(-rc));
    return rc;
}

static void path_of(const char *dir, const char *name, char to[PATH_BYTES])
{
    snprintf(to, PATH_BYTES, "%.4000s/%s", dir, name);
}

/* ---- the list ---- */

void refusals_release(struct refusals *refusals)
{
    while (refusals->at.count > 0)
        refusals_remove(refusals, refusals->at.count - 1);
    while (refusals->held.count > 0)
        refusals_free(refusals, refusals->held.count - 1);
    free(refusals->at.at);
    free(refusals->held.at);
    *refusals = (struct refusals){.at = {.at = NULL}};
}

static char *copy_name(const char *sink)
{
    size_t bytes = strlen(sink) + 1;

    return memcpy(memory_alloc(bytes), sink, bytes);
}

void refusals_remove(struct refusals *refusals, size_t index)
{
    struct refusal *at = refusals->at.at;

    free(at[index].sink);
    refusals->at.count--;
    memmove(&at[index], &at[index + 1], (refusals->at.count - index) * sizeof(*at));
}

void refusals_sentence(const char *why, char to[OUTBOX_WHY_BYTES])
{
    json_t *text;

    snprintf(to, OUTBOX_WHY_BYTES, "%s", why);
    text = json_string(to);
    /* It names a file whose name is no UTF-8, or was cut within a letter. */
    for (char *at = to; text == NULL && *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    json_decref(text);
}

bool refusals_add(struct refusals *refusals, const char *sink, int64_t since_ms, const char *why)
{
    struct refusal refusal = {.since_ms = since_ms, .ending = -1};

    snprintf(refusal.why, sizeof(refusal.why), "%s", why);
    if (refusals_find(refusals, sink, refusal.why) != NULL)
        return false;
    refusal.sink = copy_name(sink);
    if (refusals->at.count == REFUSALS_MAX)
        refusals_remove(refusals, 0);
    vector_add(&refusals->at) = refusal;
    return true;
}

void refusals_free(struct refusals *refusals, size_t index)
{
    struct refusal *at = refusals->held.at;

    free(at[index].sink);
    refusals->held.count--;
    memmove(&at[index], &at[index + 1], (refusals->held.count - index) * sizeof(*at));
}

void refusals_hold(struct refusals *refusals, const char *sink, int64_t since_ms, const char *why)
{
    struct refusal *before = refusals_find_held(refusals, sink);
    struct refusal refusal = {.since_ms = since_ms, .ending = -1};

    if (before != NULL)
        refusals_free(refusals, (size_t)(before - refusals->held.at));
    else if (refusals->held.count == REFUSALS_MAX)
        refusals_free(refusals, 0);
    refusals_sentence(why, refusal.why);
    refusal.sink = copy_name(sink);
    vector_add(&refusals->held) = refusal;
}

struct refusal *refusals_find_held(const struct refusals *refusals, const char *sink)
{
    for (size_t i = 0; i < refusals->held.count; i++)
        if (strcmp(refusals->held.at[i].sink, sink) == 0)
            return &refusals->held.at[i];
    return NULL;
}

struct refusal *refusals_find(const struct refusals *refusals, const char *sink, const char *why)
{
    for (size_t i = 0; i < refusals->at.count; i++) {
        struct refusal *at = &refusals->at.at[i];
        if (strcmp(at->sink, sink) == 0 && strcmp(at->why, why) == 0)
            return at;
    }
    return NULL;
}

struct outbox_hearing refusals_hearing(const struct refusals *refusals, const char *sink,
                                       const char *why, int64_t now_ms)
{
    const struct refusal *at = refusals_find(refusals, sink, why);
    struct outbox_hearing hearing = {.heard = OUTBOX_HEARD_NOTHING};

    if (at == NULL)
        return hearing;
    hearing.since_ms = at->since_ms;
    /* A told time in the future is that of a clock that was set back: it says nothing. */
    hearing.heard =
        at->told_ms != 0 && at->told_ms <= now_ms && now_ms - at->told_ms < REFUSALS_AGAIN_MS
            ? OUTBOX_HEARD_IT
            : OUTBOX_HEARD_PERHAPS;
    return hearing;
}

/* ---- the file ---- */

static bool take_held(struct refusals *to, const json_t *list)
{
    const json_t *item;
    size_t i;

    if (list == NULL)
        return true;
    if (!json_is_array(list) || json_array_size(list) > REFUSALS_MAX)
        return false;
    json_array_foreach (list, i, item) {
        const char *sink = json_string_value(json_object_get(item, "sink"));
        const char *why = json_string_value(json_object_get(item, "why"));
        const json_t *since = json_object_get(item, "since");
        if (sink == NULL || why == NULL || !json_is_integer(since))
            return false;
        refusals_hold(to, sink, json_integer_value(since), why);
    }
    return true;
}

static bool take(struct refusals *to, const json_t *root)
{
    const json_t *list = json_object_get(root, "refusals"), *item;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > REFUSALS_MAX)
        return false;
    json_array_foreach (list, i, item) {
        const char *sink = json_string_value(json_object_get(item, "sink"));
        const char *why = json_string_value(json_object_get(item, "why"));
        const json_t *since = json_object_get(item, "since");
        const json_t *told = json_object_get(item, "told");
        if (sink == NULL || why == NULL || !json_is_integer(since) ||
            (told != NULL && !json_is_integer(told)))
            return false;
        if (refusals_add(to, sink, json_integer_value(since), why))
            to->at.at[to->at.count - 1].told_ms = json_integer_value(told);
    }
    return true;
}

/* 1: there is none. */
static int read_text(const char *path, char **text, size_t *bytes, struct error *err)
{
    const struct host *h = host();
    int fd = h->open(h->self, path, O_RDONLY, 0), rc = -EBADMSG;
    int64_t size;

    if (fd == -ENOENT)
        return 1;
    if (fd < 0)
        return fail(path, fd, "it cannot be opened", err);
    size = h->size(h->self, fd);
    if (size > 0 && size <= FILE_BYTES_MAX) {
        *bytes = (size_t)size;
        *text = memory_alloc(*bytes);
        rc = host_pread_all(fd, *text, *bytes, 0);
    }
    h->close(h->self, fd);
    return rc != 0 ? fail(path, rc, "it cannot be read", err) : 0;
}

int refusals_read(const char *dir, struct refusals *out, struct error *err)
{
    char path[PATH_BYTES], *text = NULL;
    size_t bytes = 0;
    json_error_t at;
    json_t *root;
    int rc;

    *out = (struct refusals){.at = {.at = NULL}};
    path_of(dir, "refusals", path);
    rc = read_text(path, &text, &bytes, err);
    if (rc != 0) {
        free(text);
        return rc > 0 ? 0 : rc;
    }
    root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &at);
    if (root == NULL || !take(out, root) || !take_held(out, json_object_get(root, "held"))) {
        refusals_release(out);
        error_set(err, "%s: it is not what was written there", path);
        rc = -EBADMSG;
    }
    json_decref(root);
    free(text);
    return rc;
}

static bool print_list(json_t *list, const struct refusal *from, size_t count)
{
    bool is_fine = true;

    for (size_t i = 0; is_fine && i < count; i++) {
        const struct refusal *at = &from[i];
        json_t *why = json_string(at->why), *item = json_object();
        is_fine = item != NULL && why != NULL &&
                  json_object_set_new(item, "sink", json_string(at->sink)) == 0 &&
                  json_object_set_new(item, "since", json_integer(at->since_ms)) == 0 &&
                  (at->told_ms == 0 ||
                   json_object_set_new(item, "told", json_integer(at->told_ms)) == 0) &&
                  json_object_set(item, "why", why) == 0 && json_array_append(list, item) == 0;
        json_decref(why);
        json_decref(item);
    }
    return is_fine;
}

static char *print(const struct refusals *refusals)
{
    json_t *root = json_object(), *list = json_array(), *held = json_array();
    char *text = NULL;
    bool is_fine = root != NULL && json_object_set(root, "refusals", list) == 0 &&
                   print_list(list, refusals->at.at, refusals->at.count) &&
                   print_list(held, refusals->held.at, refusals->held.count);

    if (is_fine && refusals->held.count > 0)
        is_fine = json_object_set(root, "held", held) == 0;
    json_decref(list);
    json_decref(held);
    if (is_fine)
        text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static int write_text(const char *dir, const char *text, struct error *err)
{
    char path[PATH_BYTES];
    int rc = host_replace_file(dir, "refusals", text, strlen(text));

    path_of(dir, "refusals", path);
    return rc != 0 ? fail(path, rc, "it cannot be written", err) : 0;
}

int refusals_write(const char *dir, const struct refusals *refusals, struct error *err)
{
    const struct host *h = host();
    char path[PATH_BYTES], *text;
    int rc;

    if (refusals->at.count == 0 && refusals->held.count == 0) {
        path_of(dir, "refusals", path);
        rc = h->unlink(h->self, path);
        if (rc == -ENOENT)
            return 0;
        rc = rc == 0 ? h->sync_dir(h->self, dir) : rc;
        return rc != 0 ? fail(path, rc, "it cannot be removed", err) : 0;
    }
    text = print(refusals);
    if (text == NULL) {
        error_set(err, "%s: no room for what was refused, or it is no text", dir);
        return -ENOMEM;
    }
    rc = write_text(dir, text, err);
    free(text);
    return rc;
}
