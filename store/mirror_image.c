/*
 * mirror_image.c - snapshots on their way into the store: see mirror.h.
 */
#include "store/mirror_parts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include "base/host.h"
#include "store/shared_files.h"
#include "store/unit_image.h"

enum {
    IMAGE_SHARE = 20, /* it rests so many times as long as an image took */
    TRIM_FRAMES = 1000,
};

void mirror_told_release(struct told_image *told)
{
    free(told->path);
    free(told->blobs);
    *told = (struct told_image){.path = NULL};
}

void mirror_upload_end(struct mirror *mirror)
{
    if (mirror->upload.from.path != NULL && mirror->upload.fd >= 0)
        host()->close(host()->self, mirror->upload.fd);
    mirror_told_release(&mirror->upload.from);
    mirror->upload = (struct upload){.fd = -1};
}

/* It came to nothing: the newest that was told of is tried in a while. */
static void upload_fail(struct mirror *mirror)
{
    mirror_upload_end(mirror);
    mirror->next_image_ns = host_mono_ns() + mirror_ns_of(mirror->config.retry_ms);
    pthread_mutex_lock(&mirror->lock);
    mirror->has_told = mirror->told.path != NULL;
    pthread_mutex_unlock(&mirror->lock);
}

bool mirror_has_told(struct mirror *mirror)
{
    pthread_mutex_lock(&mirror->lock);
    bool has = mirror->has_told;
    pthread_mutex_unlock(&mirror->lock);
    return has;
}

bool mirror_is_told(struct mirror *mirror)
{
    pthread_mutex_lock(&mirror->lock);
    bool is_told = mirror->told.path != NULL;
    pthread_mutex_unlock(&mirror->lock);
    return is_told;
}

/* The journal first: whoever can go on from what is left of it finds what it goes by in the intake
 * log. SHARED_LOGS: nothing is to go. */
static enum shared_log log_to_trim(const struct mirror *mirror)
{
    enum shared_log which = SHARED_JOURNAL;

    while (which < SHARED_LOGS && mirror->trimmed[which] >= mirror->trim_to[which])
        which++;
    return which;
}

/* Something can be done for an image now. */
bool mirror_has_image_turn(struct mirror *mirror, uint64_t now_ns)
{
    if (log_to_trim(mirror) != SHARED_LOGS)
        return true;
    if (mirror->upload.from.path == NULL)
        return now_ns >= mirror->next_image_ns && mirror_has_told(mirror);
    return mirror->upload.chunk < mirror->upload.image.chunks ||
           (mirror->ends.of[SHARED_JOURNAL].number >= mirror->upload.from.frame &&
            mirror->ends.of[SHARED_INTAKE].number >= mirror->upload.from.intake);
}

/* The newest that was told of is begun; the file may have gone meanwhile, for a newer one. */
static void upload_begin(struct mirror *mirror)
{
    struct upload *upload = &mirror->upload;
    const struct host *h = host();
    int64_t bytes;

    pthread_mutex_lock(&mirror->lock);
    upload->from = mirror->told;
    upload->from.path = strdup(mirror->told.path);
    upload->from.blobs = memory_alloc((mirror->told.blob_count + 1) * sizeof(struct id128));
    memcpy(upload->from.blobs, mirror->told.blobs, mirror->told.blob_count * sizeof(struct id128));
    mirror->has_told = false;
    pthread_mutex_unlock(&mirror->lock);
    upload->began_ns = host_mono_ns();
    upload->fd = h->open(h->self, upload->from.path, O_RDONLY, 0);
    bytes = upload->fd >= 0 ? h->size(h->self, upload->fd) : -1;
    if (bytes <= 0 || bytes > (int64_t)SHARED_CHUNKS_MAX * SHARED_CHUNK_BYTES) {
        upload_fail(mirror);
        return;
    }
    shared_image_name(mirror->store, ++mirror->image_count, upload->image.name);
    upload->image.bytes = (uint64_t)bytes;
    upload->image.chunks =
        (uint32_t)(((uint64_t)bytes + SHARED_CHUNK_BYTES - 1) / SHARED_CHUNK_BYTES);
    upload->image.frame = upload->from.frame;
    upload->image.number = upload->from.number;
    upload->image.directory = mirror->config.log[SHARED_JOURNAL]->directory;
    upload->image.blobs = upload->from.blobs;
    upload->image.blob_count = upload->from.blob_count;
}

static enum shared_verdict put_chunk(struct mirror *mirror, struct error *err)
{
    struct upload *upload = &mirror->upload;
    uint64_t at = (uint64_t)upload->chunk * SHARED_CHUNK_BYTES;
    uint64_t rest = upload->image.bytes - at;
    size_t bytes = rest < SHARED_CHUNK_BYTES ? (size_t)rest : SHARED_CHUNK_BYTES;
    enum shared_verdict verdict;
    int rc;

    if (mirror->chunk_room == NULL)
        mirror->chunk_room = memory_alloc(SHARED_CHUNK_BYTES);
    rc = host_pread_all(upload->fd, mirror->chunk_room, bytes, (int64_t)at);
    if (rc != 0) {
        upload_fail(mirror);
        return SHARED_FINE;
    }
    verdict = shared_image_put_chunk(mirror->store, upload->image.name, upload->chunk,
                                     (struct text){mirror->chunk_room, (uint32_t)bytes}, err);
    upload->chunk += verdict == SHARED_FINE;
    return verdict;
}

static enum shared_verdict put_blob(struct mirror *mirror, struct error *err)
{
    struct upload *upload = &mirror->upload;
    struct id128 id = upload->image.blobs[upload->blob];
    enum shared_verdict verdict = shared_store_has_blob(mirror->store, id, err);

    if (verdict == SHARED_LOST)
        verdict = shared_files_put(mirror->store, mirror->config.blobs, id, err);
    upload->blob += verdict == SHARED_FINE;
    return verdict;
}

/* Whoever follows has the frames before an image by the time of the next one. That may be of before
 * it, where its owner passed over the newest that it had: so none of its own go. */
static void trim_before(struct mirror *mirror, enum shared_log which, uint64_t needed)
{
    uint64_t to = mirror->known[which] < needed ? mirror->known[which] : needed;

    if (to > mirror->trim_to[which])
        mirror->trim_to[which] = to;
}

/* From here on it stands for what the journal has before. */
static enum shared_verdict publish(struct mirror *mirror, struct error *err)
{
    struct upload *upload = &mirror->upload;
    enum shared_verdict verdict = shared_store_end_at(
        mirror->store, SHARED_JOURNAL, upload->from.known, &upload->image.known, err);
    struct shared_end intake = {0, 0};
    uint64_t now_ns;

    if (verdict == SHARED_FINE && upload->from.intake > 0)
        verdict =
            shared_store_end_at(mirror->store, SHARED_INTAKE, upload->from.intake, &intake, err);
    if (verdict == SHARED_FINE)
        verdict = shared_image_publish(mirror->store, &upload->image, err);
    if (verdict == SHARED_LOST) { /* it took too long, or is of before all that is there */
        upload_fail(mirror);
        return SHARED_FINE;
    }
    if (verdict != SHARED_FINE)
        return verdict;
    if (unit_anchor_write(mirror->config.log[SHARED_JOURNAL], upload->image.known, err) != 0 ||
        (intake.number > 0 &&
         unit_anchor_write(mirror->config.log[SHARED_INTAKE], intake, err) != 0))
        return SHARED_DAMAGED;
    trim_before(mirror, SHARED_JOURNAL, upload->image.known.number);
    trim_before(mirror, SHARED_INTAKE, intake.number);
    mirror->known[SHARED_JOURNAL] = upload->image.known.number;
    if (intake.number > 0)
        mirror->known[SHARED_INTAKE] = intake.number;
    mirror->is_owed = false;
    now_ns = host_mono_ns();
    mirror->next_image_ns = now_ns + IMAGE_SHARE * (now_ns - upload->began_ns);
    pthread_mutex_lock(&mirror->lock);
    memcpy(mirror->floor, mirror->known, sizeof(mirror->floor));
    mirror->counters.images++;
    pthread_mutex_unlock(&mirror->lock);
    mirror_upload_end(mirror);
    mirror_ends_are(mirror, &(struct unit_ends){.of = {mirror->ends.of[SHARED_JOURNAL],
                                                       mirror->ends.of[SHARED_INTAKE]}});
    return SHARED_FINE;
}

static void trimmed_is(struct mirror *mirror, enum shared_log which, uint64_t frame)
{
    mirror->trimmed[which] = frame;
    pthread_mutex_lock(&mirror->lock);
    mirror->counters.first[which] = frame;
    pthread_mutex_unlock(&mirror->lock);
}

void mirror_trim_to(struct mirror *mirror, enum shared_log which, uint64_t frame)
{
    mirror->trim_to[which] = frame;
    trimmed_is(mirror, which, frame);
}

/* What an image knows is not asked of the logs any more; a few frames at a time, for the store does
 * nothing else meanwhile. */
static enum shared_verdict trim_some(struct mirror *mirror, enum shared_log which,
                                     struct error *err)
{
    const uint64_t trimmed = mirror->trimmed[which], trim_to = mirror->trim_to[which];
    uint64_t to = trim_to - trimmed > TRIM_FRAMES ? trimmed + TRIM_FRAMES : trim_to;
    uint64_t first = 0;
    enum shared_verdict verdict = SHARED_FINE;

    if (trimmed == 0) /* of the run before */
        verdict = shared_store_first(mirror->store, which, &first, err);
    if (verdict == SHARED_FINE && to < first)
        to = first < trim_to ? first : trim_to;
    if (verdict == SHARED_FINE)
        verdict = shared_store_trim(mirror->store, which, to, err);
    if (verdict == SHARED_FINE)
        trimmed_is(mirror, which, to);
    return verdict;
}

enum shared_verdict mirror_image_turn(struct mirror *mirror, struct error *err)
{
    struct upload *upload = &mirror->upload;

    if (log_to_trim(mirror) != SHARED_LOGS)
        return trim_some(mirror, log_to_trim(mirror), err);
    if (upload->from.path == NULL) {
        upload_begin(mirror);
        return SHARED_FINE;
    }
    if (upload->chunk < upload->image.chunks)
        return put_chunk(mirror, err);
    return upload->blob < upload->image.blob_count ? put_blob(mirror, err) : publish(mirror, err);
}

void mirror_image_again(struct mirror *mirror)
{
    mirror_upload_end(mirror);
    mirror->next_image_ns = 0;
    for (enum shared_log which = 0; which < SHARED_LOGS; which++) {
        mirror->known[which] = 0;
        mirror_trim_to(mirror, which, 0);
    }
    pthread_mutex_lock(&mirror->lock);
    mirror->has_told = mirror->told.path != NULL;
    pthread_mutex_unlock(&mirror->lock);
}

void mirror_image(struct mirror *mirror, const struct mirror_image *image)
{
    struct told_image told = {.path = strdup(image->path),
                              .number = image->number,
                              .known = image->known,
                              .frame = image->frame,
                              .intake = image->intake,
                              .blob_count = image->blob_count};

    told.blobs = memory_alloc((image->blob_count + 1) * sizeof(*told.blobs));
    if (image->blob_count > 0)
        memcpy(told.blobs, image->blobs, image->blob_count * sizeof(*told.blobs));
    pthread_mutex_lock(&mirror->lock);
    mirror_told_release(&mirror->told);
    mirror->told = told;
    mirror->has_told = told.path != NULL;
    pthread_mutex_unlock(&mirror->lock);
    host()->waker_wake(host()->self, mirror->waker);
}

uint64_t mirror_floor(struct mirror *mirror, enum shared_log which)
{
    pthread_mutex_lock(&mirror->lock);
    uint64_t floor = mirror->floor[which];
    pthread_mutex_unlock(&mirror->lock);
    return floor;
}
