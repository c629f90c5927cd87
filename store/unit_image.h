/*
 * unit_image.h - a data directory that goes on from the image in the shared store: the snapshot
 * becomes one of its own, and what its journal had before is not needed any more.
 *
 *   DIR/anchor             "<frame> <chain>": the end of the unit's journal behind a frame that an
 *                          image stands for. A journal that does not begin with frame 1 counts its
 *                          chain from there.
 *   DIR/intake-anchor      the same of the intake log: behind the first frame that an image needs
 *   DIR/snapshots/fetched  the image as it came
 *
 * Thread: setup, or one at a time.
 */
#ifndef STORE_UNIT_IMAGE_H
#define STORE_UNIT_IMAGE_H

#include "store/segment_log.h"
#include "store/shared_image.h"

/* `log`: the journal of the directory, or its intake log. *out is {0, 0} where there is none.
 * Errors: a negative errno with a sentence. */
int unit_anchor_read(const struct segment_config *log, struct shared_end *out, struct error *err);
/* Durable when it returns 0. */
int unit_anchor_write(const struct segment_config *log, struct shared_end anchor,
                      struct error *err);

/* Fetches the image with all blobs that it needs, and makes it the newest snapshot of the
 * directory; of snapshots before it one stays. `crc` is of the frame in our journal up to which it
 * knows it (struct journal_place). SHARED_LOST: another image has taken its place meanwhile.
 * SHARED_UNKEPT: the disk has no room or fails. */
enum shared_verdict unit_image_fetch(struct shared_store *store,
                                     const struct segment_config *journal, const char *blobs,
                                     const struct shared_image *image, uint32_t crc,
                                     struct error *err);

#endif
