/*
 * ordered_source.c - see ordered_source.h.
 *
 * Feeds are the inner source's own: what is done with them goes past this one.
 */
#include "ingest/ordered_source.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/vector.h"

struct ordered_source {
    struct source source; /* first */
    struct source *inner;
    const struct source_part *parts;
    size_t part_count;
    struct feed **joined;                 /* by part; NULL: it has not come */
    VECTOR_OF(struct source_change) rest; /* of other partitions, until all have come */
    size_t told;                          /* of the parts, then of the rest */
    bool is_complete;
    _Atomic size_t missing; /* relaxed: for people. The first part that has not come */
};

static struct ordered_source *self_of(const struct source *base)
{
    return (struct ordered_source *)base;
}

static size_t part_of(const struct ordered_source *self, const struct feed *feed)
{
    size_t i = 0;

    while (i < self->part_count && (self->parts[i].partition != feed->partition ||
                                    strcmp(self->parts[i].topic, feed->topic) != 0))
        i++;
    return i;
}

static void take(struct ordered_source *self, const struct source_change *change)
{
    size_t part = part_of(self, change->feed);

    if (part < self->part_count)
        self->joined[part] = change->kind == SOURCE_JOIN ? change->feed : NULL;
    else
        vector_add(&self->rest) = *change;
    /* The engine has not heard of it, so nobody else gives it back. */
    if (part < self->part_count && change->kind == SOURCE_LEAVE && self->inner->ops->drop != NULL)
        self->inner->ops->drop(self->inner, change->feed);
}

static void collect(struct ordered_source *self)
{
    struct source_change change[16];
    size_t count, missing = 0;

    do {
        count = self->inner->ops->changes(self->inner, change, 16);
        for (size_t i = 0; i < count; i++)
            take(self, &change[i]);
    } while (count == 16);
    while (missing < self->part_count && self->joined[missing] != NULL)
        missing++;
    self->is_complete = missing == self->part_count;
    atomic_store_explicit(&self->missing, missing, memory_order_relaxed);
}

static size_t changes(struct source *base, struct source_change *out, size_t max)
{
    struct ordered_source *self = self_of(base);
    size_t count = 0;

    if (!self->is_complete)
        collect(self);
    if (!self->is_complete)
        return 0;
    for (; count < max && self->told < self->part_count; count++)
        out[count] = (struct source_change){SOURCE_JOIN, self->joined[self->told++]};
    for (; count < max && self->told < self->part_count + self->rest.count; count++)
        out[count] = self->rest.at[self->told++ - self->part_count];
    if (count == max)
        return count;
    return count + self->inner->ops->changes(self->inner, out + count, max - count);
}

static void drop(struct source *base, struct feed *feed)
{
    struct source *inner = self_of(base)->inner;

    if (inner->ops->drop != NULL)
        inner->ops->drop(inner, feed);
}

static void wake_on(struct source *base, struct feed *feed, int waker)
{
    struct source *inner = self_of(base)->inner;

    inner->ops->wake_on(inner, feed, waker);
}

static void prove_at(struct source *base, uint64_t at_ns)
{
    struct source *inner = self_of(base)->inner;

    if (inner->ops->prove_at != NULL)
        inner->ops->prove_at(inner, at_ns);
}

static void position(struct source *base, struct feed *feed, int64_t low_offset)
{
    struct source *inner = self_of(base)->inner;

    if (inner->ops->position != NULL)
        inner->ops->position(inner, feed, low_offset);
}

const struct source_part *ordered_source_waits(const struct source *base)
{
    const struct ordered_source *self = self_of(base);
    size_t missing = atomic_load_explicit(&self->missing, memory_order_relaxed);

    return missing < self->part_count ? &self->parts[missing] : NULL;
}

static bool ready(struct source *base, struct error *why)
{
    struct source *inner = self_of(base)->inner;
    const struct source_part *part = ordered_source_waits(base);

    if (!inner->ops->ready(inner, why))
        return false;
    if (part != NULL)
        error_set(why,
                  "%s/%" PRId32 " is not there yet, and what was read of it is to be read again",
                  part->topic, part->partition);
    return part == NULL;
}

static void close_all(struct source *base)
{
    struct ordered_source *self = self_of(base);

    self->inner->ops->close(self->inner);
    free(self->joined);
    free(self->rest.at);
    free(self);
}

struct source *ordered_source_create(struct source *inner, const struct source_part *parts,
                                     size_t part_count)
{
    static const struct source_ops ops = {.changes = changes,
                                          .drop = drop,
                                          .wake_on = wake_on,
                                          .position = position,
                                          .prove_at = prove_at,
                                          .ready = ready,
                                          .close = close_all};
    struct ordered_source *self = calloc(1, sizeof(*self));

    if (self == NULL)
        return NULL;
    self->source.ops = &ops;
    self->inner = inner;
    self->parts = parts;
    self->part_count = part_count;
    self->joined = calloc(part_count + 1, sizeof(struct feed *));
    if (self->joined == NULL) {
        free(self);
        return NULL;
    }
    return &self->source;
}
