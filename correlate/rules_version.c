/* rules_version.c - see rules_version.h. */
#include "correlate/rules_version.h"

#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "rules/mute.h"

/* Slots in the order of (rule id, age), for qsort; none of them is free. */
static int slot_order(const void *a, const void *b)
{
    const struct rule_slot *const *x = a, *const *y = b;
    int order = strcmp((*x)->rule->id, (*y)->rule->id);

    return order != 0 ? order : ((*x)->since > (*y)->since) - ((*x)->since < (*y)->since);
}

static bool holds_windows(const struct rule *rule)
{
    return rule != NULL && (rule->form_kind == FORM_WINDOW || rule->form_kind == FORM_BASELINE);
}

/* Counts what drains and gives each slot its place in the order by id. */
static void slots_finish(struct rules_version *version)
{
    struct rule_slot **sorted = memory_alloc((version->slot_count + 1) * sizeof(*sorted));
    uint32_t count = 0;

    version->drain_count = 0;
    version->members_least = UINT32_MAX;
    for (uint32_t s = 0; s < version->slot_count; s++) {
        version->slots[s].order = UINT32_MAX;
        version->drain_count += version->slots[s].rule != NULL && !version->slots[s].current;
        if (holds_windows(version->slots[s].rule) &&
            version->slots[s].rule->max_members < version->members_least)
            version->members_least = version->slots[s].rule->max_members;
        if (version->slots[s].rule != NULL)
            sorted[count++] = &version->slots[s];
    }
    if (count > 1)
        qsort(sorted, count, sizeof(*sorted), slot_order);
    for (uint32_t i = 0; i < count; i++)
        sorted[i]->order = i;
    free(sorted);
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

/* Keys of the two can be compared. */
static bool is_akin(const struct rule *a, const struct rule *b)
{
    return strcmp(a->id, b->id) == 0 && id128_equal(a->key_kind, b->key_kind);
}

/* The families of a version that is being made. */
struct families {
    const struct rule_slot **older; /* slots of the version before that are not free, by order */
    uint32_t older_count;
    bool *is_used;
    uint32_t unused; /* all below are used */
};

static struct families families_begin(const struct rules_version *older, uint32_t room)
{
    struct families families = {.older = memory_alloc((room + 1) * sizeof(*families.older)),
                                .is_used = memory_alloc(room + 1)};

    memset(families.is_used, 0, room + 1);
    for (uint32_t s = 0; older != NULL && s < older->slot_count; s++) {
        if (older->slots[s].rule == NULL)
            continue;
        families.older[older->slots[s].order] = &older->slots[s];
        families.is_used[older->slots[s].family] = true;
        families.older_count++;
    }
    return families;
}

static void families_end(struct families *families)
{
    free(families->older);
    free(families->is_used);
}

/* That of the newest form whose keys are such keys, or one of its own. */
static uint32_t family_find(struct families *families, const struct rule *rule)
{
    uint32_t low = 0, high = families->older_count;

    while (low < high) { /* behind all of this id */
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(families->older[middle]->rule->id, rule->id) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0 && strcmp(families->older[low - 1]->rule->id, rule->id) == 0; low--)
        if (is_akin(families->older[low - 1]->rule, rule))
            return families->older[low - 1]->family;
    while (families->is_used[families->unused])
        families->unused++;
    families->is_used[families->unused] = true;
    return families->unused;
}

/* Incidents of an earlier form of a rule are its incidents, too. */
static void slots_tell(struct rules_version *version)
{
    for (uint32_t s = 0; s < version->slot_count; s++) {
        struct rule_slot *slot = &version->slots[s];
        slot->is_told = slot->current && slot->rule->is_named;
        for (uint32_t i = 0; version->takes_incidents && slot->rule != NULL && !slot->current &&
                             i < version->rule_count;
             i++) {
            const struct rule *rule = rule_set_rule(version->set, i);
            slot->is_told |= rule->is_named && strcmp(rule->id, slot->rule->id) == 0;
        }
    }
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

static void mutes_create(struct rules_version *version, const struct rules_version *older)
{
    uint32_t at = 0;

    version->mute_count = rule_set_mute_count(version->set);
    version->mutes = memory_alloc((version->mute_count + 1) * sizeof(struct mute_tally *));
    for (uint32_t i = 0; i < version->mute_count; i++) {
        struct mute_tally *tally = mute_tally_find(older, rule_set_mute(version->set, i), &at);
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

static void enrich_create(struct rules_version *version, unsigned worker_count)
{
    enum { ALIGNMENT = 64, PER_LINE = ALIGNMENT / sizeof(struct enrich_tally) };
    struct enrich_counts *counts;
    size_t bytes;

    version->enrich = rule_set_enrich(version->set);
    version->drop_reach = enrich_drop_reach(version->enrich);
    version->enrich_counts = NULL;
    if (version->enrich == NULL)
        return;
    counts = memory_alloc(sizeof(*counts));
    counts->versions = 1;
    counts->stride = (enrich_count(version->enrich) + PER_LINE - 1) / PER_LINE * PER_LINE;
    bytes = worker_count * counts->stride * sizeof(*counts->rows);
    counts->rows = aligned_alloc(ALIGNMENT, bytes);
    if (counts->rows == NULL)
        memory_alloc(SIZE_MAX / 2); /* ends the process in one place */
    memset(counts->rows, 0, bytes);
    version->enrich_counts = counts;
}

static void enrich_release(struct rules_version *version)
{
    if (version->enrich_counts == NULL || --version->enrich_counts->versions > 0)
        return;
    free(version->enrich_counts->rows);
    free(version->enrich_counts);
}

struct rules_version *rules_version_create(struct rule_set *set, const struct engine_terms *terms,
                                           struct rules_version *older, unsigned worker_count)
{
    struct rules_version *version = memory_alloc(sizeof(*version));
    uint32_t count = rule_set_count(set);
    uint32_t slots = older != NULL ? older->slot_count : 0;
    uint32_t unused = 0; /* slots below are in use */
    struct families families = families_begin(older, slots + count);

    *version =
        (struct rules_version){.set = set,
                               .rule_count = count,
                               .from_ms = INT64_MIN,
                               .terms = *terms,
                               .terms_from_ms = older != NULL ? older->terms_from_ms : INT64_MIN,
                               .generation = older != NULL ? older->generation + 1 : 1,
                               .reads_message = rule_set_reads_message(set),
                               .takes_all = rule_set_takes(set, RULE_INPUT_ALL),
                               .takes_flapping = rule_set_takes(set, RULE_INPUT_FLAPPING),
                               .takes_incidents = rule_set_takes(set, RULE_INPUT_INCIDENTS)};
    version->slot_of = memory_alloc((count + 1) * sizeof(*version->slot_of));
    version->family_of = memory_alloc((count + 1) * sizeof(*version->family_of));
    version->input_of = memory_alloc(count + 1);
    version->slots = memory_alloc(((size_t)slots + count + 1) * sizeof(*version->slots));
    version->earlier = memory_alloc(((size_t)slots + count + 1) * sizeof(*version->earlier));
    for (uint32_t s = 0; s < slots; s++) {
        version->slots[s] = older->slots[s];
        version->slots[s].current = false;
        version->earlier[s] = older->earlier[s];
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct rule *rule = rule_set_rule(set, i);
        int64_t found = slot_find(older, rule);
        uint32_t slot = (uint32_t)found;
        if (found >= 0) {
            version->slots[slot].rule = rule;
            version->slots[slot].current = true;
        } else {
            while (unused < slots && version->slots[unused].rule != NULL)
                unused++;
            slot = unused < slots ? unused : slots++;
            version->slots[slot] = (struct rule_slot){.rule = rule,
                                                      .tally = tally_alloc(worker_count),
                                                      .current = true,
                                                      .family = family_find(&families, rule),
                                                      .since = version->generation};
            version->earlier[slot] = (struct rule_counts){0};
        }
        version->lists_keys |= rule->listed_count > 0;
        version->slots[slot].input = version->input_of[i] = (uint8_t)rule->input;
        version->slots[slot].has_steps = rule->step_count > 0;
        version->slots[slot].is_listed = rule->listed_count > 0;
        version->slot_of[i] = slot;
        version->family_of[i] = version->slots[slot].family;
    }
    families_end(&families);
    version->slot_count = slots;
    slots_tell(version);
    slots_finish(version);
    mutes_create(version, older);
    enrich_create(version, worker_count);
    return version;
}

/* As the version that follows one that had the same slots: each rule finds its own again. */
struct rules_version *rules_version_restore(struct rule_set *set, const struct engine_terms *terms,
                                            const struct rule_slot_kept *kept, uint32_t slot_count,
                                            uint32_t generation, unsigned worker_count)
{
    struct rules_version before = {.set = set,
                                   .generation = generation - 1,
                                   .slot_count = slot_count,
                                   .terms_from_ms = INT64_MIN};
    struct rules_version *version;

    before.slots = memory_alloc((slot_count + 1) * sizeof(*before.slots));
    before.slot_of = memory_alloc((slot_count + 1) * sizeof(*before.slot_of));
    before.earlier = memory_alloc((slot_count + 1) * sizeof(*before.earlier));
    memset(before.earlier, 0, (slot_count + 1) * sizeof(*before.earlier));
    for (uint32_t s = 0; s < slot_count; s++) {
        const struct rule *rule = kept[s].rule;
        before.slots[s] = (struct rule_slot){.rule = rule};
        if (rule == NULL)
            continue;
        before.slots[s].tally = tally_alloc(worker_count);
        before.slots[s].since = kept[s].since;
        before.slots[s].family = kept[s].family;
        before.slots[s].input = (uint8_t)rule->input;
        before.slots[s].has_steps = rule->step_count > 0;
        before.slots[s].is_listed = rule->listed_count > 0;
        if (kept[s].is_current)
            before.slot_of[before.rule_count++] = s;
    }
    slots_finish(&before);
    version = rules_version_create(set, terms, &before, worker_count);
    free(before.slots);
    free(before.slot_of);
    free(before.earlier);
    return version;
}

static int family_order(const void *a, const void *b)
{
    const struct rule_slot_kept *const *x = a, *const *y = b;

    return ((*x)->family > (*y)->family) - ((*x)->family < (*y)->family);
}

bool rules_version_families_fit(const struct rule_slot_kept *kept, uint32_t count)
{
    const struct rule_slot_kept **sorted = memory_alloc((count + 1) * sizeof(*sorted));
    uint32_t used = 0;
    bool fit = true;

    for (uint32_t s = 0; s < count; s++)
        if (kept[s].rule != NULL)
            sorted[used++] = &kept[s];
    if (used > 1)
        qsort(sorted, used, sizeof(*sorted), family_order);
    for (uint32_t i = 0; i < used && fit; i++)
        fit = sorted[i]->family < count && (i == 0 || sorted[i]->family != sorted[i - 1]->family ||
                                            is_akin(sorted[i]->rule, sorted[i - 1]->rule));
    free(sorted);
    return fit;
}

uint32_t rules_version_heir(const struct rules_version *version, uint32_t slot)
{
    const char *id = version->slots[slot].rule->id;
    uint32_t low = 0, high = version->rule_count;

    while (low < high) { /* rules are in the order of their ids */
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(version->slots[version->slot_of[middle]].rule->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < version->rule_count && version->family_of[low] == version->slots[slot].family
               ? version->slot_of[low]
               : UINT32_MAX;
}

/* What the slot has counted moves to the rule's form in force, if there is one: sums per rule do
 * not fall when a form is forgotten. */
static void counts_move(struct rules_version *version, uint32_t slot, unsigned worker_count)
{
    const struct rule_slot *dead = &version->slots[slot];
    const struct rule_counts *counts = &version->earlier[slot];

    for (uint32_t i = 0; i < version->rule_count; i++) {
        struct rule_counts *earlier = &version->earlier[version->slot_of[i]];
        if (strcmp(version->slots[version->slot_of[i]].rule->id, dead->rule->id) != 0)
            continue;
        earlier->touches += counts->touches;
        earlier->opened += counts->opened;
        earlier->closed += counts->closed;
        earlier->evicted += counts->evicted;
        earlier->expired += counts->expired;
        for (unsigned w = 0; w < worker_count; w++) {
            const struct rule_tally *tally = &dead->tally[w];
            /* relaxed: nobody counts under the slot any more. */
            earlier->touches += atomic_load_explicit(&tally->touches, memory_order_relaxed);
            earlier->opened += atomic_load_explicit(&tally->opened, memory_order_relaxed);
            earlier->closed += atomic_load_explicit(&tally->closed, memory_order_relaxed);
            earlier->evicted += atomic_load_explicit(&tally->evicted, memory_order_relaxed);
            earlier->expired += atomic_load_explicit(&tally->expired, memory_order_relaxed);
        }
        return;
    }
}

struct rules_version *rules_version_trim(const struct rules_version *version, const bool *is_dead,
                                         unsigned worker_count)
{
    struct rules_version *trimmed = memory_alloc(sizeof(*trimmed));
    size_t slot_bytes = version->slot_count * sizeof(*version->slots);
    size_t earlier_bytes = version->slot_count * sizeof(*version->earlier);

    *trimmed = *version;
    trimmed->slot_of = memory_alloc((version->rule_count + 1) * sizeof(*version->slot_of));
    memcpy(trimmed->slot_of, version->slot_of, version->rule_count * sizeof(*version->slot_of));
    trimmed->family_of = memory_alloc((version->rule_count + 1) * sizeof(*version->family_of));
    memcpy(trimmed->family_of, version->family_of,
           version->rule_count * sizeof(*version->family_of));
    trimmed->slots = memory_alloc(slot_bytes + sizeof(*version->slots));
    memcpy(trimmed->slots, version->slots, slot_bytes);
    trimmed->input_of = memory_alloc(version->rule_count + 1);
    memcpy(trimmed->input_of, version->input_of, version->rule_count);
    trimmed->earlier = memory_alloc(earlier_bytes + sizeof(*version->earlier));
    memcpy(trimmed->earlier, version->earlier, earlier_bytes);
    for (uint32_t s = 0; s < version->slot_count; s++)
        if (is_dead[s]) {
            counts_move(trimmed, s, worker_count);
            trimmed->slots[s] = (struct rule_slot){.rule = NULL};
            trimmed->earlier[s] = (struct rule_counts){0};
        }
    slots_finish(trimmed);
    trimmed->mutes = memory_alloc((version->mute_count + 1) * sizeof(struct mute_tally *));
    for (uint32_t i = 0; i < version->mute_count; i++) {
        trimmed->mutes[i] = version->mutes[i];
        trimmed->mutes[i]->versions++;
    }
    if (trimmed->enrich_counts != NULL)
        trimmed->enrich_counts->versions++;
    return trimmed;
}

void rules_version_drop(struct rules_version *version)
{
    free(version->slot_of);
    free(version->family_of);
    free(version->input_of);
    free(version->slots);
    free(version->earlier);
    mutes_release(version);
    enrich_release(version);
    free(version);
}

void rules_version_destroy(struct rules_version *version)
{
    if (version == NULL)
        return;
    for (uint32_t s = 0; s < version->slot_count; s++)
        free(version->slots[s].tally);
    rules_version_drop(version);
}
