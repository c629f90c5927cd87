/* mute_set.c - see mute_set.h. */
#include "rules/mute_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"

static const char *place_of(struct mute_gathering *gathering, struct span span, struct arena *arena)
{
    char text[512];
    unsigned column = 1;

    if (gathering->counted != span.script || gathering->counted_to > span.from) {
        gathering->counted = span.script;
        gathering->counted_to = gathering->line_start = 0;
        gathering->line = 1;
    }
    for (; gathering->counted_to < span.from; gathering->counted_to++)
        if (span.script->text[gathering->counted_to] == '\n') {
            gathering->line++;
            gathering->line_start = gathering->counted_to + 1;
        }
    for (uint32_t i = gathering->line_start; i < span.from; i++)
        column += ((unsigned char)span.script->text[i] & 0xc0) != 0x80; /* characters */
    snprintf(text, sizeof(text), "%.400s:%u:%u", span.script->name, (unsigned)gathering->line,
             column);
    return arena_copy(arena, text, strlen(text));
}

/* One entry; false when reading should stop. */
static bool take(struct mute_gathering *gathering, const struct yaml_node *node,
                 enum mute_kind kind, struct rule_build *build, struct arena *kept)
{
    struct compiled_mute *mute;

    if (gathering->seen++ == MUTES_MAX) {
        diagnose(build->diag, node->span,
                 "a set holds at most %d silences, maintenance windows and inhibitions", MUTES_MAX);
        return false;
    }
    mute = gathering->spare != NULL ? gathering->spare : arena_alloc(kept, sizeof(*mute));
    gathering->spare = mute;
    if (mute == NULL) {
        diagnose_memory(build->diag);
        return false;
    }
    if (!mute_read(node, kind, build, mute))
        return !build->diag->out_of_memory;
    mute->open.place = place_of(gathering, mute->id_span, build->arena);
    if (mute->open.place == NULL) {
        diagnose_memory(build->diag);
        return false;
    }
    gathering->spare = NULL;
    if (gathering->last != NULL)
        gathering->last->next = mute;
    else
        gathering->first = mute;
    gathering->last = mute;
    gathering->count++;
    return true;
}

void mute_gather(struct mute_gathering *gathering, const struct yaml_node *root,
                 struct rule_build *build, struct arena *kept)
{
    for (int kind = 0; kind < MUTE_KIND_COUNT; kind++) {
        const char *section = mute_section_name((enum mute_kind)kind);
        const struct yaml_node *list = yaml_node_find(root, section);
        if (list == NULL)
            continue;
        if (list->kind != YAML_LIST) {
            diagnose(build->diag, list->span, "%s takes a list, each entry beginning with \"-\"",
                     section);
            continue;
        }
        for (const struct yaml_node *node = list->first; node != NULL; node = node->next)
            if (!take(gathering, node, (enum mute_kind)kind, build, kept))
                return;
    }
}

static int by_kind_and_id(const void *a, const void *b)
{
    const struct compiled_mute *const *x = a, *const *y = b;

    if ((*x)->open.kind != (*y)->open.kind)
        return (*x)->open.kind < (*y)->open.kind ? -1 : 1;
    return strcmp((*x)->open.id, (*y)->open.id);
}

bool mute_set_make(const struct mute_gathering *gathering, struct arena *arena, struct arena *kept,
                   struct diagnostics *diag, struct mute_set *out, struct id128 *hash)
{
    struct compiled_mute **sorted = arena_alloc_many(kept, gathering->count + 1u, sizeof(*sorted));
    bool is_good = true;
    uint32_t count = 0;

    out->mutes = arena_alloc_many(arena, gathering->count + 1u, sizeof(*out->mutes));
    if (sorted == NULL || out->mutes == NULL)
        return diagnose_memory(diag) != NULL;
    for (struct compiled_mute *mute = gathering->first; mute != NULL; mute = mute->next)
        sorted[count++] = mute;
    qsort(sorted, count, sizeof(*sorted), by_kind_and_id);
    for (uint32_t i = 0; i < count; i++) {
        const struct span *span = &sorted[i]->id_span;
        if (i > 0 && by_kind_and_id(&sorted[i - 1], &sorted[i]) == 0) {
            const struct span *other = &sorted[i - 1]->id_span;
            struct place place = script_place(other->script, other->from);
            diagnose(diag, *span, "the id \"%s\" is taken already: %.200s:%u:%u",
                     sorted[i]->open.id, other->script->name, (unsigned)place.line,
                     (unsigned)place.column);
            is_good = false;
        }
        out->mutes[i] = *sorted[i];
        out->mutes[i].next = NULL;
        struct id128 pair[2] = {*hash, sorted[i]->open.digest};
        *hash = hash128(pair, sizeof(pair), 1);
    }
    out->count = count;
    return is_good;
}
