/*
 * shared_image.c - see shared_image.h.
 */
#include "store/shared_image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "base/vector.h"
#include "store/shared_parts.h"

enum { CHUNK_KEY_BYTES = SHARED_KEY_BYTES + SHARED_IMAGE_NAME_BYTES + SHARED_NUMBER_BYTES };

/* How long a chunk stays that no line names. */
#define HOUR_MS "3600000"

/* KEYS[2]: the chunk. ARGV[2]: its bytes. */
static const char PUT_CHUNK[] =
    UNDER_FENCE "redis.call('set', KEYS[2], ARGV[2], 'px', " HOUR_MS ")\n"
                "return {0}\n";

/* KEYS[2]: the image. ARGV: fence, line, name, number of chunks. */
static const char PUBLISH[] =
    UNDER_FENCE "for i = 0, tonumber(ARGV[4]) - 1 do\n"
                "  local key = KEYS[2] .. ':' .. ARGV[3] .. ':' .. i\n"
                "  if redis.call('exists', key) == 0 then return {2} end\n"
                "  redis.call('persist', key)\n"
                "end\n" SHARED_LET_GO("KEYS[2]", "ARGV[3]") "redis.call('set', KEYS[2], ARGV[2])\n"
                                                            "return {0}\n";

void shared_image_release(struct shared_image *image)
{
    free(image->blobs);
    image->blobs = NULL;
    image->blob_count = 0;
}

void shared_image_name(const struct shared_store *store, uint64_t count,
                       char to[SHARED_IMAGE_NAME_BYTES])
{
    snprintf(to, SHARED_IMAGE_NAME_BYTES, "%" PRIu64 "-%" PRIu64, store->fence, count);
}

static struct text chunk_key(const struct shared_store *store, const char *name, uint32_t number,
                             char to[CHUNK_KEY_BYTES])
{
    return (struct text){to, (uint32_t)snprintf(to, CHUNK_KEY_BYTES, "%s:%s:%" PRIu32,
                                                store->key[KEY_IMAGE], name, number)};
}

enum shared_verdict shared_image_put_chunk(struct shared_store *store, const char *name,
                                           uint32_t number, struct text bytes, struct error *err)
{
    char key[CHUNK_KEY_BYTES], fence[SHARED_NUMBER_BYTES];
    const struct text words[] = {shared_number_text(fence, store->fence), bytes};
    const struct shared_script script = {.text = PUT_CHUNK,
                                         .key = {KEY_FENCE},
                                         .keys = 1,
                                         .more = chunk_key(store, name, number, key)};
    const struct shared_reply *said;

    return shared_run(store, &script, words, 2, &said, err);
}

/* ---- the line ---- */

/* "<name> <chunks> <bytes> <known> <chain> <frame> <directory> <number> <blobs> <blob> <blob> ..."
 */
static char *line_make(const struct shared_image *image)
{
    size_t room = 256 + image->blob_count * ID128_TEXT_BYTES, at;
    char *line = memory_alloc(room), id[ID128_TEXT_BYTES];

    id128_format(image->directory, id);
    at = (size_t)snprintf(line, room,
                          "%s %" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu32 " %" PRIu64
                          " %s %" PRIu64 " %zu",
                          image->name, image->chunks, image->bytes, image->known.number,
                          image->known.chain, image->frame, id, image->number, image->blob_count);
    for (size_t i = 0; i < image->blob_count; i++) {
        id128_format(image->blobs[i], id);
        at += (size_t)snprintf(line + at, room - at, " %s", id);
    }
    return line;
}

/* What stands up to the next space goes to `word`. */
static bool word_take(struct text *left, struct text *word)
{
    uint32_t at = 0;

    while (at < left->len && left->at[at] != ' ')
        at++;
    *word = (struct text){left->at, at};
    *left = at < left->len ? (struct text){left->at + at + 1, left->len - at - 1}
                           : (struct text){left->at + at, 0};
    return at > 0;
}

static bool number_take(struct text *left, uint64_t max, uint64_t *out)
{
    struct text word, rest;

    return word_take(left, &word) && shared_number_read(word, max, out, &rest) && rest.len == 0;
}

static bool id_take(struct text *left, struct id128 *out)
{
    char id[ID128_TEXT_BYTES];
    struct text word;

    if (!word_take(left, &word) || word.len != ID128_TEXT_BYTES - 1)
        return false;
    memcpy(id, word.at, word.len);
    id[word.len] = '\0';
    return id128_parse(id, out);
}

bool shared_image_read_line(struct text line, struct shared_image *out)
{
    uint64_t chunks, chain, blobs;
    struct text name;

    if (!word_take(&line, &name) || name.len >= sizeof(out->name) ||
        !number_take(&line, SHARED_CHUNKS_MAX, &chunks) ||
        !number_take(&line, (uint64_t)SHARED_CHUNKS_MAX * SHARED_CHUNK_BYTES, &out->bytes) ||
        !number_take(&line, UINT64_MAX - 1, &out->known.number) ||
        !number_take(&line, UINT32_MAX, &chain) ||
        !number_take(&line, UINT64_MAX - 1, &out->frame) || !id_take(&line, &out->directory) ||
        !number_take(&line, UINT64_MAX - 1, &out->number) ||
        !number_take(&line, SHARED_IMAGE_BLOBS_MAX, &blobs))
        return false;
    if (chunks != (out->bytes + SHARED_CHUNK_BYTES - 1) / SHARED_CHUNK_BYTES ||
        out->known.number == 0)
        return false;
    memcpy(out->name, name.at, name.len);
    out->name[name.len] = '\0';
    out->chunks = (uint32_t)chunks;
    out->known.chain = (uint32_t)chain;
    out->blobs = memory_alloc((blobs + 1) * sizeof(*out->blobs));
    while (out->blob_count < blobs && id_take(&line, &out->blobs[out->blob_count]))
        out->blob_count++;
    return out->blob_count == blobs && line.len == 0;
}

enum shared_verdict shared_image_publish(struct shared_store *store,
                                         const struct shared_image *image, struct error *err)
{
    static const struct shared_script script = {
        .text = PUBLISH, .key = {KEY_FENCE, KEY_IMAGE}, .keys = 2};
    char fence[SHARED_NUMBER_BYTES], chunks[SHARED_NUMBER_BYTES], *line = line_make(image);
    const struct text words[] = {shared_number_text(fence, store->fence), text_of(line),
                                 text_of(image->name), shared_number_text(chunks, image->chunks)};
    const struct shared_reply *said;
    enum shared_verdict verdict = shared_run(store, &script, words, 4, &said, err);

    free(line);
    return verdict;
}

enum shared_verdict shared_image_find(struct shared_store *store, struct shared_image *out,
                                      struct error *err)
{
    const struct text words[] = {text_of("GET"), text_of(store->key[KEY_IMAGE])};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, words, 2, &reply, err);

    *out = (struct shared_image){.chunks = 0};
    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind == SHARED_REPLY_NIL) {
        error_set(err, "unit %s: the shared store has no image of it", store->unit);
        return SHARED_LOST;
    }
    if (reply->kind == SHARED_REPLY_TEXT && shared_image_read_line(reply->text, out))
        return SHARED_FINE;
    shared_image_release(out);
    return shared_damaged(store, err, "its image");
}

enum shared_verdict shared_image_chunk(struct shared_store *store, const struct shared_image *image,
                                       uint32_t number, struct text *out, struct error *err)
{
    uint64_t rest = image->bytes - (uint64_t)number * SHARED_CHUNK_BYTES;
    char key[CHUNK_KEY_BYTES];
    const struct text words[] = {text_of("GET"), chunk_key(store, image->name, number, key)};
    const struct shared_reply *reply;
    enum shared_verdict verdict = shared_ask(store, words, 2, &reply, err);

    if (verdict != SHARED_FINE)
        return verdict;
    if (reply->kind == SHARED_REPLY_NIL) {
        error_set(err, "unit %s: %s is not in the shared store any more", store->unit, key);
        return SHARED_LOST;
    }
    if (reply->kind != SHARED_REPLY_TEXT ||
        reply->text.len != (rest < SHARED_CHUNK_BYTES ? rest : SHARED_CHUNK_BYTES))
        return shared_damaged(store, err, key);
    *out = reply->text;
    return SHARED_FINE;
}
