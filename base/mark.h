/*
 * mark.h - decisions that are no function of the records (semantics, section 0).
 *
 * Whatever lets the clock, the network or a person into a result is written down
 * as one of these, with the place in the log at which it took effect. The list
 * is closed: same records + same marks give the same incident log (X1).
 */
#ifndef BASE_MARK_H
#define BASE_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/event.h"
#include "base/hash.h"

enum mark_kind {
    MARK_SEAL,        /* V(part) = value_ms from offset on */
    MARK_CAP,         /* the log time of record `offset` was read as value_ms */
    MARK_BLIND_BEGIN, /* the partition cannot be read, from value_ms on */
    MARK_BLIND_END,
    MARK_JOIN,   /* the partition entered at `offset` with V = value_ms */
    MARK_LEAVE,  /* and left at `offset`; events at or after value_ms were dropped unread */
    MARK_SWITCH, /* a new rule set takes effect at value_ms, a round's start */
    MARK_CRASH,  /* record `offset` is refused: processes died at it. Told of at value_ms */
    MARK_SHED,   /* from `offset` on events are left out, or no more: see mark_shed_value() */
    MARK_BEGIN,  /* the first watermark: nothing was closed before value_ms */
    MARK_INPUT,  /* from `offset` on the partition is read by the settings that value_ms names */
    MARK_AWAY_BEGIN, /* nobody could push, from value_ms on; its end is the next mark of the two */
    MARK_AWAY_END,
    MARK_KIND_COUNT
};

struct mark {
    enum mark_kind kind;
    uint16_t part;    /* index into the partition table */
    int64_t offset;   /* next record of the partition when the mark was made */
    int64_t value_ms; /* a time on the scale of effective time, but for MARK_SHED, MARK_INPUT */
};

/* Times lie between this and its negative, some 285,000 years: durations can be added to them and
 * multiples taken of them. */
#define TIME_MS_MAX ((int64_t)1 << 53)

/* How MARK_SHED says that the partition is so far behind, and which events of it are left out:
 * those of a severity below `below`. SEVERITY_OK: none, shedding ends. */
static inline int64_t mark_shed_value(int64_t behind_ms, enum severity below)
{
    int64_t most = TIME_MS_MAX / 8 - 1;

    return (behind_ms < 0 ? 0 : behind_ms < most ? behind_ms : most) * 8 + (int64_t)below;
}

static inline enum severity mark_shed_below(int64_t value)
{
    return (enum severity)(value & 7);
}

static inline int64_t mark_shed_behind(int64_t value)
{
    return value / 8;
}

/* False for what no run writes, and what nothing could be reckoned from. A partition that is read
 * from its beginning joins at INT64_MIN; what is known of a crash before time begins is told of
 * then. */
static inline bool mark_is_possible(const struct mark *mark)
{
    if (mark->kind == MARK_SHED &&
        (mark->value_ms < 0 || mark_shed_below(mark->value_ms) >= SEVERITY_COUNT))
        return false;
    return ((mark->kind == MARK_JOIN || mark->kind == MARK_CRASH) && mark->value_ms == INT64_MIN) ||
           (mark->value_ms >= -TIME_MS_MAX && mark->value_ms <= TIME_MS_MAX);
}

/* That say how the records of a partition are read: its owner goes by them, in their order. */
static inline bool mark_is_of_reading(enum mark_kind kind)
{
    return kind == MARK_SEAL || kind == MARK_CAP || kind == MARK_INPUT || kind == MARK_SHED;
}

/* Where one of kind MARK_INPUT that comes last belongs among those that were made before it: in
 * front of all that hold from a later offset of its partition on. Settings are put in force when
 * all that was told has been told again, and by then the partition has been read further. */
static inline size_t mark_input_place(const struct mark *marks, size_t count,
                                      const struct mark *input)
{
    for (size_t i = 0; i < count; i++)
        if (marks[i].part == input->part && mark_is_of_reading(marks[i].kind) &&
            marks[i].offset > input->offset)
            return i;
    return count;
}

/* How MARK_INPUT names settings of this hash. */
static inline int64_t mark_input_value(struct id128 settings)
{
    return (int64_t)(settings.hi >> 12);
}

const char *mark_kind_name(enum mark_kind kind);

#endif
