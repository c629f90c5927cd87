/*
 * away.c - see away.h.
 *
 * Spells stand in the order of their times and apart from each other: what a run that was soon over
 * saw of its own lies inside of the next one's.
 */
#include "correlate/away.h"

#include <stdlib.h>
#include "correlate/mark.h"
#include "correlate/part.h"

enum {
    SPELLS_LOOKED_AT = 1024, /* the last; in those before nobody was away */
    SPELL_BYTES = 16,
    WAITS_IN_ALL = 3,
};

/* --- the list ------------------------------------------------------------------------------ */

static void spell_add(struct engine *engine, struct away_spell spell)
{
    struct away_spell *last =
        engine->away.count > 0 ? &engine->away.at[engine->away.count - 1] : NULL;

    if (last == NULL || spell.begin_ms > last->end_ms)
        vector_add(&engine->away) = spell;
    else if (spell.end_ms > last->end_ms)
        last->end_ms = spell.end_ms;
}

static int by_begin(const void *a, const void *b)
{
    const struct away_spell *x = a, *y = b;

    return (x->begin_ms > y->begin_ms) - (x->begin_ms < y->begin_ms);
}

/* In any order, and one may lie in another. */
static void spells_unite(struct engine *engine)
{
    size_t count = engine->away.count;

    if (count > 1)
        qsort(engine->away.at, count, sizeof(struct away_spell), by_begin);
    engine->away.count = 0;
    for (size_t i = 0; i < count; i++)
        spell_add(engine, engine->away.at[i]);
}

/* An end is that of the begin right before it. One whose begin the journal has let go of is in the
 * image. */
void away_load(struct engine *engine)
{
    const struct mark *begin = NULL;

    for (size_t i = 0; i < engine->config.mark_count; i++) {
        const struct mark *mark = &engine->config.marks[i];
        if (mark->kind == MARK_AWAY_BEGIN)
            begin = mark;
        if (mark->kind != MARK_AWAY_END || begin == NULL)
            continue;
        if (mark->value_ms >= begin->value_ms)
            vector_add(&engine->away) = (struct away_spell){begin->value_ms, mark->value_ms};
        begin = NULL;
    }
    spells_unite(engine);
}

void away_save(const struct engine *engine, struct image_out *out)
{
    image_put_u32(out, (uint32_t)engine->away.count);
    for (size_t i = 0; i < engine->away.count; i++) {
        image_put_i64(out, engine->away.at[i].begin_ms);
        image_put_i64(out, engine->away.at[i].end_ms);
    }
}

void away_take(struct engine *engine, struct image_in *in)
{
    for (uint32_t count = image_take_count(in, SPELL_BYTES); count > 0; count--) {
        struct away_spell spell = {.begin_ms = image_take_time(in)};
        spell.end_ms = image_take_time(in);
        if (spell.end_ms < spell.begin_ms)
            image_fail(in, "the daemon came back before it went away");
        if (in->fault == NULL)
            vector_add(&engine->away) = spell;
    }
    spells_unite(engine);
}

/* --- marks are made ------------------------------------------------------------------------ */

/* Both at once: they are in one commit group, or in none. The end is what a push would be stamped
 * with by now. */
static void spell_tell(struct engine *engine, const struct part *part)
{
    const int64_t begin_ms = engine->planned_epoch * (int64_t)engine->config.epoch_ms;
    const int64_t now_ms = engine_stamp(engine);
    struct mark mark = {
        .kind = MARK_AWAY_BEGIN,
        .part = part->id,
        .offset = atomic_load_explicit(&part->read_offset, memory_order_relaxed),
        .value_ms = begin_ms,
    };

    if (now_ms <= begin_ms)
        return;
    mark_tell(engine, &mark);
    mark.kind = MARK_AWAY_END;
    mark.value_ms = now_ms;
    mark_tell(engine, &mark);
    if (engine->away.count >= (size_t)2 * SPELLS_LOOKED_AT) {
        engine->away.count -= SPELLS_LOOKED_AT;
        memmove(engine->away.at, engine->away.at + SPELLS_LOOKED_AT,
                engine->away.count * sizeof(struct away_spell));
    }
    spell_add(engine, (struct away_spell){begin_ms, now_ms});
}

void away_recovered(struct engine *engine)
{
    for (unsigned i = 1; i < part_total(engine); i++) {
        const struct part *part = engine->parts[i];
        /* relaxed: what was told has been read. Where nothing was pushed nobody is waited for. */
        if (away_is_intake(part) && part_is_member(part) &&
            atomic_load_explicit(&part->has_events, memory_order_relaxed))
            spell_tell(engine, part);
    }
}

/* --- who goes by them ---------------------------------------------------------------------- */

/* How many have begun. */
static size_t begun(const struct engine *engine, int64_t at_ms)
{
    size_t from = 0, to = engine->away.count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (engine->away.at[middle].begin_ms <= at_ms)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

const struct away_spell *away_at(const struct engine *engine, int64_t at_ms)
{
    size_t count = begun(engine, at_ms);

    return count > 0 ? &engine->away.at[count - 1] : NULL;
}

int64_t away_due(const struct engine *engine, int64_t since_ms, int64_t wait_ms, int64_t now_ms)
{
    const size_t count = begun(engine, now_ms);
    size_t i = count;
    int64_t due_ms = since_ms + wait_ms, left_ms = WAITS_IN_ALL * wait_ms, up_ms = since_ms;

    while (i > 0 && count - i < SPELLS_LOOKED_AT && engine->away.at[i - 1].end_ms > since_ms)
        i--;
    for (; i < count && engine->away.at[i].begin_ms <= due_ms; i++) {
        const struct away_spell *spell = &engine->away.at[i];
        if (spell->begin_ms > up_ms)
            left_ms -= spell->begin_ms - up_ms;
        up_ms = spell->end_ms;
        due_ms = up_ms + (wait_ms < left_ms ? wait_ms : left_ms);
    }
    return due_ms;
}
