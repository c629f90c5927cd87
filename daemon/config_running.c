/* config_running.c - see config_running.h. */
#include "daemon/config_running.h"

#include <string.h>
#include "base/hash.h"
#include "base/incident.h"

enum { KEYS_MAX = 256 };

/* Digests in the order of config_keys(). */
struct digests {
    const struct config_key *keys;
    size_t count, folder_bytes; /* of the configuration's path, up to the last slash */
    const char *folder;
    struct id128 of[KEYS_MAX];
};

/* "sinks[0].options.url" belongs to "sinks". */
static bool is_part_of(const char *path, const char *key)
{
    size_t length = strlen(key);

    return strncmp(path, key, length) == 0 &&
           (path[length] == '\0' || path[length] == '[' || path[length] == '.');
}

static bool is_told(const struct config_key *key)
{
    return !key->live && strstr(key->path, "[].") == NULL;
}

static void mix(struct id128 *digest, const char *text)
{
    struct id128 both[2] = {*digest, hash128(text, strlen(text), 0)};

    *digest = hash128(both, sizeof(both), 0);
}

static void add(void *self, const struct config_key *row, const char *path, const char *value)
{
    struct digests *digests = self;

    (void)row;
    if (digests->folder_bytes > 0 && strncmp(value, digests->folder, digests->folder_bytes) == 0)
        value += digests->folder_bytes;
    for (size_t i = 0; i < digests->count; i++) {
        if (!is_told(&digests->keys[i]) || !is_part_of(path, digests->keys[i].path))
            continue;
        mix(&digests->of[i], path);
        mix(&digests->of[i], value);
    }
}

static void digests_make(const struct config *config, struct digests *out)
{
    const char *slash = config->path != NULL ? strrchr(config->path, '/') : NULL;

    *out = (struct digests){.folder = config->path};
    out->keys = config_keys(&out->count);
    if (out->count > KEYS_MAX)
        out->count = KEYS_MAX;
    out->folder_bytes = slash != NULL ? (size_t)(slash + 1 - config->path) : 0;
    config_walk(config, add, out);
}

json_t *config_running_json(const struct config *config)
{
    json_t *object = json_object();
    struct digests digests;
    char text[ID128_TEXT_BYTES];

    digests_make(config, &digests);
    for (size_t i = 0; i < digests.count; i++)
        if (is_told(&digests.keys[i])) {
            id128_format(digests.of[i], text);
            json_object_set_new(object, digests.keys[i].path, json_string(text));
        }
    return object;
}

size_t config_running_restart(const char *answer, const struct config *config, char *names,
                              size_t bytes)
{
    json_t *root = json_loads(answer, 0, NULL);              /* ours */
    const json_t *running = json_object_get(root, "config"); /* borrowed */
    struct digests digests;
    size_t differing = 0, used = 0;

    names[0] = '\0';
    digests_make(config, &digests);
    for (size_t i = 0; i < digests.count; i++) {
        const char *text = json_string_value(json_object_get(running, digests.keys[i].path));
        struct id128 digest;
        int put;
        if (!is_told(&digests.keys[i]) || text == NULL || !id128_parse(text, &digest) ||
            id128_equal(digest, digests.of[i]))
            continue;
        put = snprintf(names + used, bytes - used, "%s%s", differing > 0 ? "," : "",
                       digests.keys[i].path);
        if (put > 0 && used + (size_t)put < bytes)
            used += (size_t)put;
        differing++;
    }
    json_decref(root);
    return differing;
}
