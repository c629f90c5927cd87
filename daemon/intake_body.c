/*
 * intake_body.c - see intake_body.h.
 *
 * Senders do not say which of the two it is (curl calls everything a form), so it is tried as one
 * document first; where another follows on the next line that ends early.
 */
#include "daemon/intake_body.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "ingest/json_scan.h"

struct reading {
    struct decoder *decoder;
    enum event_format format;
    intake_body_take take;
    void *self;
    uint64_t events;
    size_t line; /* of what was refused, from 1; 0: the body as a whole */
    struct decode_result refused;
    struct error of_whole; /* what was refused of the body as one document */
};

/* Takes one record, unless a topic would refuse it. */
static bool read_record(struct reading *reading, const char *at, size_t bytes)
{
    const struct decode_result *decoded =
        decoder_decode(reading->decoder, reading->format, at, bytes, (struct text){"default", 7});

    if (decoded->reason != REJECT_NONE) {
        reading->refused = *decoded;
        return false;
    }
    reading->events += decoded->draft_count;
    reading->take(reading->self, at, bytes);
    return true;
}

static bool is_blank(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\r'))
        at++;
    return at == end;
}

/* Each line that is not blank is a record. */
static bool read_lines(struct reading *reading, const char *body, size_t bytes)
{
    const char *at = body, *end = body + bytes;

    for (reading->line = 1; at < end; reading->line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop != NULL ? stop : end;
        if (!is_blank(at, stop) && !read_record(reading, at, (size_t)(stop - at)))
            return false;
        at = stop + (stop < end);
    }
    return true;
}

static bool read_all(struct reading *reading, const char *body, size_t bytes)
{
    struct decode_result whole;

    if (read_record(reading, body, bytes))
        return true;
    whole = reading->refused;
    /* The decoder's sentence is its own until the next record. */
    error_set(&reading->of_whole, "%s", whole.why);
    if (memchr(body, '\n', bytes) == NULL)
        return false;
    if (read_lines(reading, body, bytes))
        return true;
    if (reading->events > 0 || reading->line > 1)
        return false;
    /* Not even the first line is a record: it was meant as one document. */
    reading->line = 0;
    reading->refused = whole;
    reading->refused.why = reading->of_whole.text;
    return false;
}

/* What to do about it, where that is known: `curl -d @file` leaves one line of a file. */
static const char *remedy(const struct decode_result *refused, const char *body, size_t bytes)
{
    if (strcmp(refused->why, json_scan_second) != 0)
        return "";
    return memchr(body, '\n', bytes) != NULL
               ? ", and each needs a line of its own"
               : ", and each needs a line of its own (curl takes line ends out of a file with -d, "
                 "and leaves them there with --data-binary)";
}

int intake_body_read(struct decoder *decoder, enum event_format format, const char *body,
                     size_t bytes, intake_body_take take, void *self, uint64_t *events,
                     struct error *err)
{
    struct reading reading = {.decoder = decoder, .format = format, .take = take, .self = self};
    const struct decode_result *refused = &reading.refused;
    bool is_read = bytes == 0 || read_all(&reading, body, bytes);

    *events = reading.events;
    if (is_read && reading.events > 0)
        return 0;
    if (is_read)
        error_set(err, "the request holds no event");
    else if (reading.line > 0)
        error_set(err, "line %zu, byte %" PRIu32 ": %s%s; nothing of the request was kept",
                  reading.line, refused->at, refused->why, remedy(refused, body, bytes));
    else
        error_set(err, "byte %" PRIu32 ": %s%s; nothing of the request was kept", refused->at,
                  refused->why, remedy(refused, body, bytes));
    return -EINVAL;
}
