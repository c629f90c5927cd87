/* rules_version.c - see rules_version.h. */
#include "correlate/rules_version.h"

#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "rules/mute.h"

/* Slots in the order of (rule id, slot), for qsort. */
static int slot_order(const void *a, const void *b)
{
    const struct rule_slot *const *x = a, *const *y = b;
    int order = strcmp((*x)->rule->id, (*y)->rule->id);

    return order != 0 ? order : (*x > *y) - (*x < *y);
}

/* The slot of an earlier version whose rule has the same id and form, or -1. */
static int64_t slot_find(const struct rules_version *older, const struct rule *rule)
{
    for (uint32_t i = 0; older != NULL && i < older->rule_count; i++) {
        uint32_t slot = older->slot_of[i];
        const struct rule *old = older->slots[slot].rule;
        if (strcmp(old->id, rule->id) == 0)
            return id128_equal(old->form, rule->form) ? (int64_t)slot : -1;
    }
    return -1;
}

static struct rule_tally *tally_alloc(unsigned worker_count)
{
    size_t bytes = worker_count * sizeof(struct rule_tally);
    struct rule_tally *tally = aligned_alloc(_Alignof(struct rule_tally), bytes);

    if (tally == NULL)
        tally = memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    return memset(tally, 0, bytes);
}

/* The tally of the same mute in the version before, or NULL. Both are in order. */
static struct mute_tally *mute_tally_find(const struct rules_version *older,
                                          const struct mute *mute, uint32_t *at)
{
    for (; older != NULL && *at < older->mute_count; (*at)++) {
        const struct mute *old = rule_set_mute(older->set, *at);
        int order =
            old->kind != mute->kind ? (old->kind > mute->kind ? 1 : -1) : strcmp(old->id, mute->id);
        if (order >= 0)
            return order == 0 ? older->mutes[*at] : NULL;
    }
    return NULL;
}

static void mutes_create(struct rules_version *version)
{
    uint32_t at = 0;

    version->mute_count = rule_set_mute_count(version->set);
    version->mutes = memory_alloc((version->mute_count + 1) * sizeof(struct mute_tally *));
    for (uint32_t i = 0; i < version->mute_count; i++) {
        struct mute_tally *tally =
            mute_tally_find(version->older, rule_set_mute(version->set, i), &at);
        if (tally == NULL) {
            tally = memory_alloc(sizeof(*tally));
            *tally = (struct mute_tally){0};
        }
        tally->versions++;
        version->mutes[i] = tally;
    }
}

static void mutes_release(struct rules_version *version)
{
    for (uint32_t i = 0; i < version->mute_count; i++)
        if (--version->mutes[i]->versions == 0)
            free(version->mutes[i]);
    free(version->mutes);
}

struct rules_version *rules_version_create(struct rule_set *set, struct rules_version *older,
                                           unsigned worker_count)
{
    struct rules_version *version = memory_alloc(sizeof(*version));
    uint32_t count = rule_set_count(set);
    uint32_t slots = older != NULL ? older->slot_count : 0;

    *version = (struct rules_version){.set = set,
                                      .older = older,
                                      .rule_count = count,
                                      .from_ms = INT64_MIN,
                                      .generation = older != NULL ? older->generation + 1 : 1,
                                      .reads_message = rule_set_reads_message(set),
                                      .takes_all = rule_set_takes_all(set)};
    version->slot_of = memory_alloc(count * sizeof(*version->slot_of));
    version->slots = memory_alloc(((size_t)slots + count) * sizeof(*version->slots));
    for (uint32_t s = 0; s < slots; s++) {
        version->slots[s] = older->slots[s];
        version->slots[s].current = false;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct rule *rule = rule_set_rule(set, i);
        int64_t found = slot_find(older, rule);
        uint32_t slot = found >= 0 ? (uint32_t)found : slots++;
        version->slot_of[i] = slot;
        struct rule_tally *tally =
            found >= 0 ? version->slots[slot].tally : tally_alloc(worker_count);
        version->slots[slot] = (struct rule_slot){.rule = rule, .tally = tally, .current = true};
    }
    version->slot_count = slots;
    struct rule_slot **sorted = memory_alloc(slots * sizeof(struct rule_slot *));
    for (uint32_t s = 0; s < slots; s++)
        sorted[s] = &version->slots[s];
    qsort(sorted, slots, sizeof(struct rule_slot *), slot_order);
    for (uint32_t s = 0; s < slots; s++)
        sorted[s]->order = s;
    free(sorted);
    mutes_create(version);
    return version;
}

void rules_version_destroy(struct rules_version *version)
{
    for (uint32_t s = 0; version != NULL && s < version->slot_count; s++)
        free(version->slots[s].tally);
    while (version != NULL) {
        struct rules_version *older = version->older;
        if (older != NULL)
            rule_set_destroy(version->set);
        free(version->slot_of);
        free(version->slots);
        mutes_release(version);
        free(version);
        version = older;
    }
}
