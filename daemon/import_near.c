/* import_near.c - "did you mean" of the importers. See import_work.h. */
#include "base/nearest.h"
#include "daemon/import_work.h"

const char *import_near(struct import_work *work, struct text name, const char *const *known,
                        size_t count)
{
    char hint[NEAREST_HINT_BYTES];

    if (work->hint_count >= IMPORT_HINTS_MAX)
        return "";
    work->hint_count++;
    nearest_hint(name, known, count, hint);
    return hint[0] != '\0' ? import_pool_format(&work->pool, "%s", hint) : "";
}

const char *import_near_key(struct import_work *work, struct text name, const struct yaml_node *map)
{
    const char *known[IMPORT_NEAR_MAX];
    size_t count = 0;

    for (const struct yaml_node *node = map->first; node != NULL && count < IMPORT_NEAR_MAX;
         node = node->next)
        known[count++] = node->key->text.at;
    return import_near(work, name, known, count);
}

/* The order of an index is that of its hashes, so one file has one answer. Its names need not end
 * in a zero byte. */
const char *import_near_index(struct import_work *work, struct text name,
                              const struct import_index *index)
{
    struct text names[IMPORT_NEAR_MAX];
    const char *known[IMPORT_NEAR_MAX];
    size_t count = import_index_names(index, names, IMPORT_NEAR_MAX);

    if (work->hint_count >= IMPORT_HINTS_MAX)
        return "";
    for (size_t i = 0; i < count; i++)
        known[i] = import_pool_copy(&work->scratch, names[i].at, names[i].len);
    return import_near(work, name, known, count);
}
