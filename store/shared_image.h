/*
 * shared_image.h - the newest snapshot of a unit in the shared store, so that whoever takes the
 * unit over need not read its journal and its input from the beginning, and the store need not keep
 * them.
 *
 *   tocsin:{UNIT}:image           what it is: one line of text, as struct shared_image
 *   tocsin:{UNIT}:image:NAME:<n>  the file in chunks, n = 0, 1, ...
 *
 * Chunks are put one at a time and go by themselves after an hour, until the line names them: so an
 * image is there whole or not at all, and what a broken off one left goes. Those of the image
 * before stay for another minute, for who reads them.
 *
 * Bounds:  two images at a time, in chunks of SHARED_CHUNK_BYTES.
 * Thread:  as the shared store.
 */
#ifndef STORE_SHARED_IMAGE_H
#define STORE_SHARED_IMAGE_H

#include "store/shared_store.h"

enum {
    SHARED_CHUNK_BYTES = 256 << 10,
    SHARED_CHUNKS_MAX = 1 << 18, /* 64 GiB */
    SHARED_IMAGE_BLOBS_MAX = 8192,
    SHARED_IMAGE_NAME_BYTES = 48,
};

struct shared_image {
    char name[SHARED_IMAGE_NAME_BYTES];
    uint32_t chunks;
    uint64_t bytes;
    struct shared_end
        known;      /* the frame of the journal up to which it knows it, and its end there */
    uint64_t frame; /* it rests on what the journal has up to this frame */
    struct id128 directory; /* of which the file says that it is */
    uint64_t number;        /* which it has there */
    struct id128 *blobs;    /* that a start from it needs */
    size_t blob_count;
};

/* Lets the list of blobs go. */
void shared_image_release(struct shared_image *image);

/* What the line says. Any bytes are safe. False: it is no such line. `out` is zeros before, and to
 * be released in any case. */
bool shared_image_read_line(struct text line, struct shared_image *out);

/* A name that no other image has: `count` of the caller, who counts on. */
void shared_image_name(const struct shared_store *store, uint64_t count,
                       char to[SHARED_IMAGE_NAME_BYTES]);

/* Under the fence, as the next. */
enum shared_verdict shared_image_put_chunk(struct shared_store *store, const char *name,
                                           uint32_t number, struct text bytes, struct error *err);

/* From now on it is the unit's. SHARED_LOST: a chunk of it has gone. */
enum shared_verdict shared_image_publish(struct shared_store *store,
                                         const struct shared_image *image, struct error *err);

/* SHARED_LOST: there is none. Owner of its blobs: the caller, until shared_image_release(). */
enum shared_verdict shared_image_find(struct shared_store *store, struct shared_image *out,
                                      struct error *err);

/* SHARED_LOST: another image has taken its place. `out` lives until the next call. */
enum shared_verdict shared_image_chunk(struct shared_store *store, const struct shared_image *image,
                                       uint32_t number, struct text *out, struct error *err);

#endif
