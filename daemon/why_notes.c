/* why_notes.c - see why_parts.h. */
#include <stdlib.h>
#include <string.h>
#include "daemon/why_parts.h"

enum { LOOK_BACK = 64 };

const char why_word_enriched[] = "enriched";
const char why_word_failed[] = "where-false";

void why_notes_init(struct why_notes *notes, size_t first_max, size_t last_max)
{
    *notes = (struct why_notes){.first_max = first_max, .last_max = last_max > 0 ? last_max : 1};
}

static void note_release(struct why_note *note)
{
    free(note->text);
    free(note->tests);
    free(note->until_state);
}

void why_notes_release(struct why_notes *notes)
{
    for (size_t i = 0; i < notes->list.count; i++)
        note_release(&notes->list.at[i]);
    free(notes->list.at);
}

void why_notes_add(struct why_notes *notes, const struct why_note *note)
{
    if (notes->list.count < notes->first_max + notes->last_max) {
        vector_add(&notes->list) = *note;
        return;
    }
    struct why_note *oldest = &notes->list.at[notes->first_max + notes->next];
    notes->dropped += oldest->count;
    note_release(oldest);
    *oldest = *note;
    notes->next = (notes->next + 1) % notes->last_max;
}

/* Which lines are looked for: of a step with this text, aside of this rule, or all others. */
struct wanted {
    const char *deed, *rule;
};

static bool is_wanted(const struct why_note *note, const struct wanted *wanted)
{
    if (strcmp(note->what, why_word_enriched) == 0)
        return wanted->deed != NULL && strcmp(note->text, wanted->deed) == 0;
    if (note->is_beat || strcmp(note->what, why_word_failed) == 0)
        return wanted->rule != NULL && strcmp(note->rule, wanted->rule) == 0;
    return wanted->deed == NULL && wanted->rule == NULL;
}

static struct why_note *find_last(struct why_notes *notes, struct id128 alert,
                                  const struct wanted *wanted)
{
    size_t count = notes->list.count;
    struct why_note *newest = NULL;

    /* The ring may have turned: the number says what is newest. */
    for (size_t i = 0; i < LOOK_BACK && i < count; i++) {
        size_t at = count - 1 - i;
        if (count == notes->first_max + notes->last_max && at >= notes->first_max)
            at = notes->first_max +
                 (notes->next + 2 * notes->last_max - 1 - i % notes->last_max) % notes->last_max;
        struct why_note *note = &notes->list.at[at];
        if (id128_equal(note->alert, alert) && is_wanted(note, wanted) &&
            (newest == NULL || note->number > newest->number))
            newest = note;
    }
    return newest;
}

struct why_note *why_notes_last_of(struct why_notes *notes, struct id128 alert)
{
    return find_last(notes, alert, &(struct wanted){0});
}

struct why_note *why_notes_last_deed(struct why_notes *notes, struct id128 alert, const char *text)
{
    return find_last(notes, alert, &(struct wanted){.deed = text});
}

struct why_note *why_notes_last_aside(struct why_notes *notes, struct id128 alert, const char *rule)
{
    return find_last(notes, alert, &(struct wanted){.rule = rule});
}

void why_notes_cut(struct why_notes *notes, int64_t from_ms)
{
    size_t kept = 0;

    why_notes_sort(notes); /* the ring lies straight then */
    for (size_t i = 0; i < notes->list.count; i++) {
        if (notes->list.at[i].until_ms < from_ms)
            note_release(&notes->list.at[i]);
        else
            notes->list.at[kept++] = notes->list.at[i];
    }
    if (kept < notes->list.count) /* what was dropped lay before what is dropped now */
        notes->dropped = 0;
    notes->list.count = kept;
    notes->next = 0;
}

static int note_order(const void *a, const void *b)
{
    const struct why_note *x = a, *y = b;
    int order;

    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    if (x->class == ORDER_EVENT && x->place.topic != NULL && y->place.topic != NULL) {
        order = strcmp(x->place.topic, y->place.topic);
        if (order != 0)
            return order;
        if (x->place.partition != y->place.partition)
            return x->place.partition < y->place.partition ? -1 : 1;
        if (x->place.offset != y->place.offset)
            return x->place.offset < y->place.offset ? -1 : 1;
        if (x->place.sub != y->place.sub)
            return x->place.sub < y->place.sub ? -1 : 1;
    }
    if (x->stage != y->stage)
        return x->stage < y->stage ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

void why_notes_sort(struct why_notes *notes)
{
    if (notes->list.count > 1)
        qsort(notes->list.at, notes->list.count, sizeof(notes->list.at[0]), note_order);
    notes->next = 0;
}

void why_notes_move(struct why_notes *from, struct why_notes *to)
{
    why_notes_sort(from);
    for (size_t i = 0; i < from->list.count; i++)
        why_notes_add(to, &from->list.at[i]);
    to->dropped += from->dropped;
    from->list.count = from->dropped = 0;
}

void why_notes_settle(struct why_notes *before, struct why_notes *after)
{
    size_t kept = before->list.count, moved;

    while (kept > 0 && after->list.count > 0 &&
           note_order(&before->list.at[kept - 1], &after->list.at[0]) > 0)
        kept--;
    moved = before->list.count - kept;
    after->first_max += moved;
    for (size_t i = kept; i < before->list.count; i++)
        vector_add(&after->list) = before->list.at[i];
    before->list.count = kept;
    if (moved > 0)
        why_notes_sort(after);
}
