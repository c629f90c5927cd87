/* names_spread.c - see names_spread.h. */
#include "rules/names_spread.h"

#include <string.h>
#include "base/text.h"
#include "rules/enrich_set.h"
#include "rules/operands.h"

#define LABELS "labels."

bool names_spread_init(struct names_spread *spread, size_t max, struct arena *arena)
{
    *spread = (struct names_spread){.at = arena_alloc_many(arena, max + 1, sizeof(*spread->at)),
                                    .max = max};
    return spread->at != NULL;
}

/* `name` against the two texts, one behind the other. */
static int order_of(const char *name, const char *first, struct text rest)
{
    const size_t bytes = strlen(first);
    int order = strncmp(name, first, bytes);

    if (order != 0)
        return order;
    order = strncmp(name + bytes, rest.at, rest.len);
    return order != 0 ? order : name[bytes + rest.len] != '\0';
}

/* The place of the first name that is not before it. */
static size_t place_of(const struct names_spread *spread, const char *first, struct text rest)
{
    size_t low = 0, high = spread->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (order_of(spread->at[middle].name, first, rest) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct spread_name *find(const struct names_spread *spread, const char *first,
                                      struct text rest)
{
    const size_t place = place_of(spread, first, rest);

    return place < spread->count && order_of(spread->at[place].name, first, rest) == 0
               ? &spread->at[place]
               : NULL;
}

bool names_spread_add(struct names_spread *spread, const char *name, size_t origin)
{
    const size_t place = place_of(spread, name, text_of(""));

    if (spread->count == spread->max ||
        (place < spread->count && strcmp(spread->at[place].name, name) == 0))
        return false;
    memmove(&spread->at[place + 1], &spread->at[place],
            (spread->count - place) * sizeof(*spread->at));
    spread->at[place] = (struct spread_name){name, origin};
    spread->count++;
    return true;
}

/* NULL: it is none of the names. */
static const struct spread_name *operand_name(const struct names_spread *spread,
                                              const struct operand *operand)
{
    if (operand->kind == OPERAND_LABEL)
        return find(spread, LABELS, operand->text);
    if (operand->kind != OPERAND_FIELD)
        return NULL;
    return operand->field == RULE_FIELD_HOST
               ? find(spread, LABELS, text_of("host"))
               : find(spread, field_row((enum rule_field)operand->field)->name, text_of(""));
}

static const struct spread_name *any_label(const struct names_spread *spread)
{
    const size_t place = place_of(spread, LABELS, text_of(""));

    return place < spread->count && strncmp(spread->at[place].name, LABELS, strlen(LABELS)) == 0
               ? &spread->at[place]
               : NULL;
}

/* One that the program reads; NULL: none. */
static const struct spread_name *name_in(const struct names_spread *spread,
                                         const struct program *program)
{
    const struct spread_name *found = NULL;

    for (uint32_t i = 0; found == NULL && i < program->count; i++) {
        const struct operands operands = operands_of(&program->code[i]);
        if (operands.every_label)
            found = any_label(spread);
        for (uint32_t k = 0; found == NULL && k < operands.count; k++)
            found = operand_name(spread, operands.at[k]);
    }
    return found;
}

static uint32_t add_made(struct names_spread *spread, const char *name, size_t origin,
                         struct spread_name *made, uint32_t count)
{
    if (names_spread_add(spread, name, origin))
        made[count++] = (struct spread_name){name, origin};
    return count;
}

uint32_t names_spread_step(struct names_spread *spread, const struct enrich_set *set,
                           uint32_t index, struct spread_name *made)
{
    const struct compiled_step *step = &set->steps[index];
    const struct spread_name *read = step->has_where ? name_in(spread, &step->where) : NULL;
    const bool is_whole = read != NULL;
    size_t origin = is_whole ? read->origin : 0;
    uint32_t count = 0;

    if (step->open.drops && is_whole)
        made[count++] = (struct spread_name){NULL, origin};
    for (uint32_t i = 0; i < step->deed_count; i++) {
        const struct deed *deed = &step->deeds[i];
        if (!is_whole) {
            /* What it removes is gone as before. */
            read = deed->kind != DEED_REMOVE ? name_in(spread, &deed->program) : NULL;
            if (read == NULL)
                continue;
            origin = read->origin; /* adding names moves them */
        }
        if (deed->kind != DEED_EXTRACT)
            count = add_made(spread, deed->what, origin, made, count);
        for (uint32_t g = 0; deed->kind == DEED_EXTRACT && g < capture_count(deed->capture); g++)
            count = add_made(spread, deed->group_what[g], origin, made, count);
    }
    return count;
}
