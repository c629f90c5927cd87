/*
 * shared_files.c - see shared_files.h.
 */
#include "store/shared_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store/crc32c.h"

typedef VECTOR_OF(char) bytes_vector;

static void put_bytes(bytes_vector *to, const void *from, size_t bytes)
{
    vector_reserve(to, bytes);
    if (bytes > 0)
        memcpy(to->at + to->count, from, bytes);
    to->count += bytes;
}

static void put_u32(bytes_vector *to, uint32_t value)
{
    put_bytes(to, &value, sizeof(value));
}

static void put_u64(bytes_vector *to, uint64_t value)
{
    put_bytes(to, &value, sizeof(value));
}

enum shared_verdict shared_files_put(struct shared_store *store, const char *folder,
                                     struct id128 id, struct error *err)
{
    enum shared_verdict verdict = SHARED_DAMAGED;
    struct kept_files files = {0};
    bytes_vector bytes = {0};
    uint64_t sum = 0;

    if (kept_files_load(folder, id, &files, err) != 0)
        return SHARED_DAMAGED;
    for (size_t i = 0; i < files.file.count; i++)
        sum += files.file.at[i].bytes + strlen(files.file.at[i].name) + 16;
    if (sum > SHARED_FILES_BYTES_MAX) {
        error_set(err, "rules with all their files have %llu MiB: up to %d go to the shared store",
                  (unsigned long long)(sum >> 20), SHARED_FILES_BYTES_MAX >> 20);
        goto out;
    }
    put_u32(&bytes, (uint32_t)files.file.count);
    for (size_t i = 0; i < files.file.count; i++) {
        const struct kept_file *file = &files.file.at[i];
        size_t name_bytes = strlen(file->name);
        put_bytes(&bytes, &file->kind, 1);
        put_u32(&bytes, (uint32_t)name_bytes);
        put_bytes(&bytes, file->name, name_bytes);
        put_u64(&bytes, file->bytes);
        put_bytes(&bytes, file->at, file->bytes);
    }
    put_u32(&bytes, crc32c(0, bytes.at, bytes.count));
    verdict = shared_store_put_blob(store, id, (struct text){bytes.at, (uint32_t)bytes.count}, err);
out:
    free(bytes.at);
    kept_files_release(&files);
    return verdict;
}

/* What is left of a blob. */
struct rest {
    const char *at;
    size_t bytes;
};

/* NULL: there is not so much. */
static const char *take(struct rest *rest, uint64_t bytes)
{
    const char *at = rest->at;

    if (bytes > rest->bytes)
        return NULL;
    rest->at += bytes;
    rest->bytes -= (size_t)bytes;
    return at;
}

static bool take_number(struct rest *rest, void *to, size_t bytes)
{
    const char *at = take(rest, bytes);

    if (at != NULL)
        memcpy(to, at, bytes);
    return at != NULL;
}

static bool files_read(struct text blob, struct kept_files *to)
{
    struct rest rest = {blob.at, blob.len};
    uint32_t count, sum;

    if (rest.bytes < sizeof(sum))
        return false;
    rest.bytes -= sizeof(sum);
    memcpy(&sum, rest.at + rest.bytes, sizeof(sum));
    if (crc32c(0, rest.at, rest.bytes) != sum || !take_number(&rest, &count, sizeof(count)) ||
        count > KEPT_FILES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const char *kind = take(&rest, 1), *name, *at;
        uint32_t name_bytes;
        uint64_t bytes;
        char name_text[4096];
        if (kind == NULL || !take_number(&rest, &name_bytes, sizeof(name_bytes)) ||
            name_bytes >= sizeof(name_text) || (name = take(&rest, name_bytes)) == NULL ||
            !take_number(&rest, &bytes, sizeof(bytes)) || (at = take(&rest, bytes)) == NULL)
            return false;
        memcpy(name_text, name, name_bytes);
        name_text[name_bytes] = '\0';
        kept_files_add(to, *kind, name_text, at, (size_t)bytes);
    }
    return rest.bytes == 0;
}

enum shared_verdict shared_files_get(struct shared_store *store, const char *folder,
                                     struct id128 id, struct error *err)
{
    struct kept_files files = {0};
    struct text blob;
    enum shared_verdict verdict = shared_store_blob(store, id, &blob, err);

    if (verdict != SHARED_FINE)
        return verdict;
    if (!files_read(blob, &files)) {
        error_set(err, "rules in the shared store are not what was put there");
        verdict = SHARED_DAMAGED;
    } else {
        int rc = kept_files_save(folder, id, &files, err);
        if (rc != 0)
            verdict = rc == -EIO || rc == -ENOSPC ? SHARED_UNKEPT : SHARED_DAMAGED;
    }
    kept_files_release(&files);
    return verdict;
}
