/* rule_test_names.c - a table with open addresses; it doubles when it is half full. See
 * rule_test_names.h. */
#include "daemon/rule_test_names.h"

#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/hash.h"

enum { SLOTS_MIN = 256 };
#define WORDS_BYTES_MAX ((size_t)1 << 30)

struct rule_test_names {
    struct arena *words;
    const char *path; /* the last one, kept once for all its tests */
    struct rule_test_name *slots;
    size_t slot_count, count;
};

struct rule_test_names *rule_test_names_create(void)
{
    struct rule_test_names *names = calloc(1, sizeof(*names));

    if (names == NULL)
        return NULL;
    names->words = arena_create(WORDS_BYTES_MAX);
    names->slots = calloc(SLOTS_MIN, sizeof(*names->slots));
    names->slot_count = SLOTS_MIN;
    if (names->words != NULL && names->slots != NULL)
        return names;
    rule_test_names_destroy(names);
    return NULL;
}

void rule_test_names_destroy(struct rule_test_names *names)
{
    if (names == NULL)
        return;
    arena_destroy(names->words);
    free(names->slots);
    free(names);
}

/* The slot of the name, or the free one that it would get. */
static struct rule_test_name *find(struct rule_test_name *slots, size_t slot_count,
                                   const char *name)
{
    size_t at = hash64(name, strlen(name), 0) & (slot_count - 1);

    while (slots[at].name != NULL && strcmp(slots[at].name, name) != 0)
        at = (at + 1) & (slot_count - 1);
    return &slots[at];
}

static bool grow(struct rule_test_names *names)
{
    size_t slot_count = 2 * names->slot_count;
    struct rule_test_name *slots = calloc(slot_count, sizeof(*slots));

    if (slots == NULL)
        return false;
    for (size_t i = 0; i < names->slot_count; i++)
        if (names->slots[i].name != NULL)
            *find(slots, slot_count, names->slots[i].name) = names->slots[i];
    free(names->slots);
    names->slots = slots;
    names->slot_count = slot_count;
    return true;
}

bool rule_test_names_add(struct rule_test_names *names, const struct rule_test_name *test,
                         const struct rule_test_name **taken)
{
    struct rule_test_name *slot = find(names->slots, names->slot_count, test->name);

    *taken = NULL;
    if (slot->name != NULL) {
        *taken = slot;
        return true;
    }
    if (2 * (names->count + 1) > names->slot_count) {
        if (!grow(names))
            return false;
        slot = find(names->slots, names->slot_count, test->name);
    }
    if (names->path == NULL || strcmp(names->path, test->path) != 0)
        names->path = arena_copy(names->words, test->path, strlen(test->path));
    slot->name = arena_copy(names->words, test->name, strlen(test->name));
    slot->path = names->path;
    slot->place = test->place;
    if (slot->name == NULL || names->path == NULL) {
        slot->name = NULL;
        return false;
    }
    names->count++;
    return true;
}
