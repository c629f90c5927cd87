/* capture_run.c - see capture_run.h. */
#include "rules/capture_run.h"

#include "rules/capture_written.h"

enum { BYTES_OF_WORK = 8 };

static const uint32_t EVER = UINT32_MAX;

static uint32_t multiply(uint32_t count, uint32_t repeats)
{
    if (count == 0 || repeats == 0)
        return 0;
    return count == EVER || repeats == EVER || (uint64_t)count * repeats >= EVER ? EVER
                                                                                 : count * repeats;
}

static uint32_t add(uint32_t a, uint32_t b)
{
    return a == EVER || b == EVER || (uint64_t)a + b >= EVER ? EVER : a + b;
}

/* Without a character it is of any class. */
static bool same_class(struct capture_run *run, const struct capture_run *other)
{
    if (run->max == 0)
        run->class = other->class;
    return other->max == 0 || capture_class_is(&run->class, &other->class);
}

/* `run`, then `next`. */
static bool append(struct capture_run *run, const struct capture_run *next)
{
    if (!same_class(run, next))
        return false;
    run->min = add(run->min, next->min);
    run->max = add(run->max, next->max);
    return true;
}

/* `run` or `side`: of the same class as many as either takes, with none left out between. */
static bool join(struct capture_run *run, const struct capture_run *side,
                 struct written_classes *classes)
{
    if (run->min == 1 && run->max == 1 && side->min == 1 && side->max == 1)
        return capture_class_is(&run->class, &side->class) ||
               written_class_unite(&run->class, &side->class, classes);
    if (!same_class(run, side) || side->min > add(run->max, 1) || run->min > add(side->max, 1))
        return false;
    run->min = side->min < run->min ? side->min : run->min;
    run->max = side->max > run->max ? side->max : run->max;
    return true;
}

/* From as many as `min` repeats take to as many as `max` do none may be left out: the more repeats,
 * the closer they come, so it is enough to look at the first two. */
static bool repeat(struct capture_run *run, const struct written_times *repeats)
{
    uint32_t first = repeats->min;

    if (repeats->max > first && multiply(run->min, first + 1) > add(multiply(run->max, first), 1))
        return false;
    run->min = multiply(run->min, repeats->min);
    run->max = multiply(run->max, repeats->max);
    return true;
}

static bool find_sides(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                       struct capture_run *out);

/* A piece without its repetition. */
static bool find_piece(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                       struct capture_run *out)
{
    if (++classes->work > CAPTURE_RUN_WORK_MAX)
        return false;
    if (written_is_class(text, at)) {
        out->min = out->max = 1;
        return written_class(text, at, end, classes, &out->class);
    }
    if (text[at] != '(' || text[at + 2] != ':') /* an assertion */
        return false;
    return find_sides(text, at + 3, end - 1, classes, out);
}

static bool find_side(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                      struct capture_run *out)
{
    *out = (struct capture_run){.max = 0};
    while (at < end) {
        uint32_t behind = written_piece_end(text, at);
        struct written_times repeats;
        struct capture_run piece;
        if (!find_piece(text, at, behind, classes, &piece))
            return false;
        at = written_times_at(text, behind, &repeats);
        if (!repeat(&piece, &repeats) || !append(out, &piece))
            return false;
    }
    return true;
}

static bool find_sides(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                       struct capture_run *out)
{
    uint32_t side = written_side_end(text, at, end);

    classes->work += (end - at) / BYTES_OF_WORK; /* where groups end is found by looking through */
    if (!find_side(text, at, side, classes, out))
        return false;
    while (side < end) {
        struct capture_run other;
        at = side + 1;
        side = written_side_end(text, at, end);
        if (!find_side(text, at, side, classes, &other) || !join(out, &other, classes))
            return false;
    }
    return true;
}

bool capture_run_find(const char *text, uint32_t at, uint32_t end, struct written_classes *classes,
                      struct capture_run *out)
{
    return find_side(text, at, end, classes, out);
}
