/*
 * intake_read.c - see intake_read.h.
 */
#include "store/intake_read.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "store/segment_format.h"

enum { PLACE_BYTES = 4 << 10 }; /* between two places that are known by heart */

/* ---- places ---- */

void intake_places_add(struct intake_places *places, const struct intake_place *place,
                       bool begins_segment, size_t bytes)
{
    if (begins_segment || places->bytes >= PLACE_BYTES) {
        vector_add(&places->at) = *place;
        places->bytes = 0;
    }
    places->bytes += bytes;
}

size_t intake_places_find(const struct intake_places *places, uint64_t number, bool is_frame)
{
    size_t low = 0, high = places->at.count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct intake_place *place = &places->at.at[middle];
        if ((is_frame ? place->frame : place->position) <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : places->at.count;
}

void intake_places_drop_before(struct intake_places *places, uint64_t frame)
{
    size_t first = intake_places_find(places, frame, true);

    if (first >= places->at.count)
        return;
    places->at.count -= first;
    memmove(places->at.at, places->at.at + first, places->at.count * sizeof(places->at.at[0]));
}

/* ---- reading ---- */

/* One frame's records. */
static int read_frame(struct intake_reading *reading, const struct segment_frame *frame,
                      struct error *err)
{
    struct intake_cursor cursor;
    struct intake_record record;
    struct error why = {""};
    int rc = intake_frame_begin(&cursor, frame->payload, frame->bytes, &why);
    bool is_first = true;

    /* What was before the first frame that is there has been let go of. */
    if (rc == 0 && cursor.position != reading->next && (reading->has_begun || frame->number == 1)) {
        error_set(&why, "record %" PRIu64 " is not the next one", cursor.position);
        rc = -EBADMSG;
    }
    reading->has_begun = true;
    while (rc == 0 && (rc = intake_frame_next(&cursor, &record, &why)) == 1) {
        if (is_first && reading->places != NULL)
            intake_places_add(
                reading->places,
                &(struct intake_place){frame->number, record.position, record.wall_ms},
                frame->at == SEGMENT_HEAD_BYTES, frame->bytes);
        is_first = false;
        reading->next = cursor.position;
        reading->last_ms = record.at_ms;
        if (reading->each != NULL)
            reading->each(reading->self, &record);
        rc = 0;
    }
    if (rc < 0)
        error_set(err, "%s: byte %" PRIu64 ": %s", frame->file, frame->at, why.text);
    return rc;
}

int intake_read_all(const struct segment_config *config, struct intake_reading *reading,
                    struct segment_walk **walk, enum segment_refusal *why, struct error *err)
{
    struct segment_frame frame;
    int rc;

    *walk = NULL;
    rc = segment_walk_create(config, walk, why, err);
    if (rc != 0)
        return rc;
    while ((rc = segment_walk_next(*walk, &frame, err)) == 1) {
        rc = read_frame(reading, &frame, err);
        if (rc != 0) {
            *why = SEGMENT_REFUSED_DAMAGED;
            return rc;
        }
    }
    *why = segment_walk_refusal(*walk);
    return rc;
}

int intake_log_read(const struct segment_config *config, intake_each each, void *self,
                    struct segment_end *end, enum segment_refusal *why, struct error *err)
{
    struct intake_reading reading = {.each = each, .self = self, .last_ms = INT64_MIN};
    struct segment_walk *walk;
    int rc = intake_read_all(config, &reading, &walk, why, err);

    if (rc == 0 && end != NULL) {
        *end = *segment_walk_end(walk);
        end->places = NULL;
    }
    segment_walk_destroy(walk);
    return rc;
}
