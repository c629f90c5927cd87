/*
 * mute_stage.c - see mute_stage.h.
 */
#include "correlate/mute_stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "correlate/image.h"
#include "correlate/incident_make.h"
#include "rules/mute.h"

enum { GROUPS_MIN = 64, NAMED_MAX = 5 };

/* What an incident is to a mute. Silences and windows know targets alone. */
enum role { ROLE_NONE, ROLE_TARGET, ROLE_SOURCE, ROLE_BOTH, ROLES };

/* One incident and one mute that matches it. */
struct mute_link {
    struct held *held;
    struct mute_link *next_of_held; /* by place */
    struct mute_link *before, *after;
    struct mute_list *list;
    struct mute_group *group; /* NULL: a silence or a window */
    uint64_t since;           /* of all links, counted as they are made */
    uint32_t place;
    uint8_t role;
    bool mutes;
    bool was_muting; /* when that was counted last */
};

/* The incidents of one inhibition that agree in all equal values. */
struct mute_group {
    struct id128 hash; /* of the values */
    uint32_t place;
    struct mute_group *next;
    struct mute_list list[ROLES];
    bool mutes[ROLES]; /* what is so is muted, as its links have it */
};

/* ---- telling ---- */

/* Logs `incident` (taken) as the latest of `held`. */
static void tell(struct mute_stage *stage, struct held *held, struct incident *incident,
                 bool has_op, enum op_kind kind)
{
    struct telling telling = {incident, has_op, (uint8_t)kind, 0};

    if (has_op)
        telling.op_number = ++held->op_count;
    incident_unref(held->latest);
    held->latest = incident_ref(incident);
    vector_add(&stage->out) = telling;
}

/* What is named: by place, an inhibition by the incident that is its source for the longest. */
static void name_mutes(const struct mute_stage *stage, const struct held *held,
                       struct text_buffer *to)
{
    uint32_t named = 0;

    for (const struct mute_link *link = held->links; link != NULL; link = link->next_of_held) {
        if (!link->mutes)
            continue;
        const struct mute *mute = stage->places[link->place].mute;
        if (named++ == NAMED_MAX) {
            text_put_string(to, ", ...");
            return;
        }
        if (named > 1)
            text_put(to, ", ", 2);
        text_put_string(to, mute_kind_name(mute->kind));
        text_put(to, " ", 1);
        text_put_string(to, mute->id);
        if (link->group != NULL) {
            const struct mute_link *source = link->group->list[ROLE_SOURCE].first;
            const struct mute_link *both = link->group->list[ROLE_BOTH].first;
            if (source == NULL ||
                (link->role == ROLE_TARGET && both != NULL && both->since < source->since))
                source = both;
            char id[ID128_TEXT_BYTES];
            id128_format(source->held->latest->id, id);
            text_put_string(to, " by ");
            text_put_string(to, id);
        }
    }
}

/* Who did it, and what they said. */
static void words_of_act(const struct event_text *by_hand, struct incident_words *words)
{
    words->by = event_text_field(by_hand, FIELD_SOURCE);
    words->comment = event_text_field(by_hand, FIELD_MESSAGE);
}

/* The change as it is logged: renumbered, with what mutes it and who has taken it on. Takes and
 * gives a reference. */
static struct incident *as_logged(struct mute_stage *stage, const struct held *held,
                                  struct incident *incident, bool is_muted,
                                  const struct event_text *by_hand)
{
    struct text_buffer names;

    if (!is_muted && held->shift == 0 && by_hand == NULL)
        return incident;
    text_begin(&names);
    if (is_muted)
        name_mutes(stage, held, &names);
    struct incident_words words = {.muted_by = {names.at, (uint32_t)names.used},
                                   .acked_by = text_of(held->latest->acked_by)};
    if (by_hand != NULL)
        words_of_act(by_hand, &words);
    struct incident *logged = incident_copy_with(incident, &words);
    logged->change_number += held->shift;
    text_end(&names);
    incident_unref(incident);
    return logged;
}

/* A change that no worker made. Returns owned. */
static struct incident *add_change(struct mute_stage *stage, struct held *held,
                                   const struct incident_words *words, enum incident_cause cause,
                                   int64_t at_ms)
{
    struct incident *incident = incident_copy_with(held->latest, words);

    incident->change = INCIDENT_UPDATED;
    incident->cause = cause;
    incident->at_ms = at_ms;
    incident->change_number++;
    held->shift++;
    stage->counts.added++;
    return incident;
}

/* Somebody is told that it is open. */
static void announce(struct mute_stage *stage, struct held *held)
{
    if (held->suppressed_by > 0)
        stage->counts.suppressed[held->suppressed_by - 1]--;
    held->suppressed_by = 0;
    held->is_told = true;
    stage->counts.announced++;
}

/* Nobody is, for the first of what mutes it. */
static void suppress(struct mute_stage *stage, struct held *held)
{
    const struct mute_link *link = held->links;

    while (link != NULL && !link->mutes)
        link = link->next_of_held;
    assert(link != NULL);
    held->suppressed_by = (uint8_t)(1 + stage->places[link->place].mute->kind);
    stage->counts.suppressed[held->suppressed_by - 1]++;
}

/* The incident is told at last, or anew. */
static void tell_unmuted(struct mute_stage *stage, struct held *held, int64_t at_ms)
{
    struct incident *incident =
        add_change(stage, held, &(struct incident_words){.by = {NULL, 0}}, CAUSE_UNMUTED, at_ms);

    tell(stage, held, incident, true, held->is_told ? OP_UPDATE : OP_OPEN);
    if (!held->is_told)
        announce(stage, held);
    held->is_behind = false;
}

/* ---- links ---- */

static void list_append(struct mute_list *list, struct mute_link *link)
{
    link->list = list;
    link->before = list->last;
    link->after = NULL;
    if (list->last != NULL)
        list->last->after = link;
    else
        list->first = link;
    list->last = link;
}

static void list_take_out(struct mute_link *link)
{
    struct mute_list *list = link->list;

    if (link->before != NULL)
        link->before->after = link->after;
    else
        list->first = link->after;
    if (link->after != NULL)
        link->after->before = link->before;
    else
        list->last = link->before;
}

static void tally_move(_Atomic uint64_t *counter, uint64_t by)
{
    /* relaxed, load and store: the incident role is the only writer. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

/* Whether the same mute had it under the rule set before. */
static bool was_muting(const struct held *held, const struct mute_tally *tally)
{
    for (uint32_t i = 0; i < held->before_count; i++)
        if (held->before[i] == tally)
            return true;
    return false;
}

static void mark(struct mute_stage *stage, struct held *held)
{
    if (held->is_marked)
        return;
    held->is_marked = true;
    vector_add(&stage->moved) = held;
}

/* The one place where a link begins or ends to mute. */
static void link_set(struct mute_stage *stage, struct mute_link *link, bool mutes)
{
    struct held *held = link->held;
    struct mute_tally *tally = stage->places[link->place].tally;

    if (link->mutes == mutes)
        return;
    link->mutes = mutes;
    tally_move(&tally->now, mutes ? 1 : UINT64_MAX);
    held->muting += mutes ? 1 : UINT32_MAX;
    mark(stage, held);
}

static void list_set(struct mute_stage *stage, const struct mute_list *list, bool mutes)
{
    for (struct mute_link *link = list->first; link != NULL; link = link->after)
        link_set(stage, link, mutes);
}

/* ---- groups of inhibitions ---- */

static struct mute_group **group_place(const struct mute_stage *stage, struct id128 hash,
                                       uint32_t place)
{
    struct mute_group **at = &stage->groups[(hash.lo + place) & stage->group_mask];

    while (*at != NULL && !((*at)->place == place && id128_equal((*at)->hash, hash)))
        at = &(*at)->next;
    return at;
}

static void groups_make(struct mute_stage *stage, uint32_t count)
{
    stage->groups = memory_alloc(count * sizeof(struct mute_group *));
    memset(stage->groups, 0, count * sizeof(struct mute_group *));
    stage->group_mask = count - 1;
}

static struct mute_group *group_get(struct mute_stage *stage, struct id128 hash, uint32_t place)
{
    struct mute_group **at = group_place(stage, hash, place);

    if (*at != NULL)
        return *at;
    if (stage->group_count > stage->group_mask) {
        struct mute_group **old = stage->groups;
        uint32_t old_mask = stage->group_mask;
        groups_make(stage, (old_mask + 1) * 2);
        for (uint32_t i = 0; i <= old_mask; i++)
            for (struct mute_group *group = old[i], *next; group != NULL; group = next) {
                next = group->next;
                struct mute_group **to =
                    &stage->groups[(group->hash.lo + group->place) & stage->group_mask];
                group->next = *to;
                *to = group;
            }
        free(old);
        at = group_place(stage, hash, place);
    }
    *at = slab_alloc(stage->slab, sizeof(**at));
    memset(*at, 0, sizeof(**at));
    (*at)->hash = hash;
    (*at)->place = place;
    stage->group_count++;
    return *at;
}

/* What is target alone is muted by any source; what is both, by what is source alone. */
static void group_refresh(struct mute_stage *stage, struct mute_group *group)
{
    bool has_source = group->list[ROLE_SOURCE].first != NULL;
    bool has_both = group->list[ROLE_BOTH].first != NULL;
    bool wanted[ROLES] = {[ROLE_TARGET] = has_source || has_both, [ROLE_BOTH] = has_source};

    for (int role = ROLE_TARGET; role < ROLES; role++)
        if (group->mutes[role] != wanted[role]) {
            group->mutes[role] = wanted[role];
            list_set(stage, &group->list[role], wanted[role]);
        }
}

static void group_drop_if_empty(struct mute_stage *stage, struct mute_group *group)
{
    for (int role = ROLE_TARGET; role < ROLES; role++)
        if (group->list[role].first != NULL)
            return;
    struct mute_group **at = group_place(stage, group->hash, group->place);
    *at = group->next;
    stage->group_count--;
    slab_free(stage->slab, group, sizeof(*group));
}

/* ---- silences and windows in time ---- */

static void place_look(struct mute_place *place, int64_t at_ms)
{
    struct calendar_state state = mute_at(place->mute, at_ms);

    place->is_open = state.is_open;
    place->until_ms = state.until_ms;
}

static void due_find(struct mute_stage *stage)
{
    stage->due_ms = INT64_MAX;
    for (uint32_t i = 0; i < stage->place_count; i++) {
        const struct mute_place *place = &stage->places[i];
        if (place->list.first != NULL && place->until_ms < stage->due_ms)
            stage->due_ms = place->until_ms;
    }
}

/* ---- one incident and all mutes ---- */

static enum role role_of(const struct mute *mute, const struct mute_view *view)
{
    bool is_target = mute_hits(mute, view);

    if (mute->kind != MUTE_INHIBIT)
        return is_target ? ROLE_TARGET : ROLE_NONE;
    if (mute_is_source(mute, view))
        return is_target ? ROLE_BOTH : ROLE_SOURCE;
    return is_target ? ROLE_TARGET : ROLE_NONE;
}

static struct mute_link *link_make(struct mute_stage *stage, struct held *held, uint32_t index,
                                   enum role role, const struct mute_view *view, int64_t at_ms)
{
    struct mute_place *place = &stage->places[index];
    struct mute_link *link = slab_alloc(stage->slab, sizeof(*link));

    *link = (struct mute_link){
        .held = held, .place = index, .role = (uint8_t)role, .since = stage->next_link++};
    if (place->mute->kind == MUTE_INHIBIT) {
        link->group = group_get(stage, mute_equal_hash(place->mute, view, stage->seed), index);
        list_append(&link->group->list[role], link);
        return link;
    }
    if (place->list.first == NULL) {
        place_look(place, at_ms);
        if (place->until_ms < stage->due_ms)
            stage->due_ms = place->until_ms;
    }
    list_append(&place->list, link);
    return link;
}

static void link_free(struct mute_stage *stage, struct mute_link *link)
{
    struct mute_group *group = link->group;

    link_set(stage, link, false);
    list_take_out(link);
    slab_free(stage->slab, link, sizeof(*link));
    if (group != NULL) {
        group_refresh(stage, group);
        group_drop_if_empty(stage, group);
    }
}

/* Links the incident as it is now, and takes out links that do not hold any more. A link that
 * stays as it is goes on. */
static void link_all(struct mute_stage *stage, struct held *held, const struct incident *incident,
                     int64_t at_ms)
{
    struct mute_link **at = &held->links;
    struct mute_view view;

    if (stage->place_count == 0)
        return;
    mute_view_begin(&view, incident);
    for (uint32_t i = 0; i < stage->place_count; i++) {
        enum role role = role_of(stage->places[i].mute, &view);
        struct mute_link *link = *at != NULL && (*at)->place == i ? *at : NULL;
        bool was_muting = link != NULL && link->was_muting;
        if (link != NULL && link->role != role) {
            *at = link->next_of_held;
            link_free(stage, link);
            link = NULL;
        }
        if (role == ROLE_NONE)
            continue;
        if (link == NULL) {
            struct mute_link *next = *at;
            *at = link = link_make(stage, held, i, role, &view, at_ms);
            link->next_of_held = next;
            link->was_muting = was_muting;
            if (link->group != NULL) /* first what it is to those that are there */
                group_refresh(stage, link->group);
            link_set(stage, link,
                     link->group != NULL ? link->group->mutes[role] : stage->places[i].is_open);
        }
        at = &link->next_of_held;
    }
    mute_view_end(&view);
}

static void unlink_all(struct mute_stage *stage, struct held *held)
{
    while (held->links != NULL) {
        struct mute_link *link = held->links;
        held->links = link->next_of_held;
        link_free(stage, link);
    }
}

/* ---- who came free ---- */

static int by_opening(const void *a, const void *b)
{
    const struct held *const *x = a, *const *y = b;

    return ((*x)->order > (*y)->order) - ((*x)->order < (*y)->order);
}

/* Counts the mutes that began: not those that only ended and began again by one change, as when
 * what muted others by its severity does so by its new one. */
static void count_begun(struct mute_stage *stage, struct held *held)
{
    for (struct mute_link *link = held->links; link != NULL; link = link->next_of_held) {
        struct mute_tally *tally = stage->places[link->place].tally;
        if (link->mutes && !link->was_muting && !was_muting(held, tally))
            tally_move(&tally->total, 1);
        link->was_muting = link->mutes;
    }
}

/* Counts whose muting began or ended, and tells of those that came free, in the order of their
 * openings. `but` is told of by its own change. */
static void settle(struct mute_stage *stage, int64_t at_ms, const struct held *but)
{
    if (stage->moved.count > 1)
        qsort(stage->moved.at, stage->moved.count, sizeof(struct held *), by_opening);
    for (size_t i = 0; i < stage->moved.count; i++) {
        struct held *held = stage->moved.at[i];
        bool is_muted = held->muting > 0;
        held->is_marked = false;
        count_begun(stage, held);
        if (held->is_muted == is_muted)
            continue;
        held->is_muted = is_muted;
        stage->counts.begun += is_muted;
        stage->counts.ended += !is_muted;
        if (!is_muted && held != but && (!held->is_told || held->is_behind))
            tell_unmuted(stage, held, at_ms);
    }
    stage->moved.count = 0;
}

/* ---- what happens ---- */

void mute_stage_advance(struct mute_stage *stage, int64_t at_ms)
{
    while (stage->due_ms <= at_ms) {
        int64_t now_ms = stage->due_ms;
        for (uint32_t i = 0; i < stage->place_count; i++) {
            struct mute_place *place = &stage->places[i];
            if (place->list.first == NULL || place->until_ms > now_ms)
                continue;
            bool was_open = place->is_open;
            place_look(place, now_ms);
            if (place->is_open != was_open)
                list_set(stage, &place->list, place->is_open);
        }
        settle(stage, now_ms, NULL);
        due_find(stage);
    }
}

static void places_make(struct mute_stage *stage, const struct rules_version *version)
{
    free(stage->places);
    stage->version = version;
    stage->place_count = rule_set_mute_count(version->set);
    stage->places = memory_alloc((stage->place_count + 1) * sizeof(*stage->places));
    for (uint32_t i = 0; i < stage->place_count; i++)
        stage->places[i] = (struct mute_place){.mute = rule_set_mute(version->set, i),
                                               .tally = version->mutes[i],
                                               .until_ms = INT64_MAX};
    stage->due_ms = INT64_MAX;
}

/* What mutes it now, to be told from what begins with the switch. */
static void remember(struct mute_stage *stage, struct held *held)
{
    held->before = held->muting > 0
                       ? slab_alloc(stage->slab, held->muting * sizeof(struct mute_tally *))
                       : NULL;
    held->before_count = 0;
    for (const struct mute_link *link = held->links; link != NULL; link = link->next_of_held)
        if (link->mutes) {
            assert(held->before != NULL);
            held->before[held->before_count++] = stage->places[link->place].tally;
        }
}

void mute_stage_switch(struct mute_stage *stage, const struct rules_version *version, int64_t at_ms)
{
    VECTOR_OF(struct held *) all = {0};

    /* The same set, of which slots of rules were freed. */
    if (stage->version != NULL && stage->version->set == version->set) {
        stage->version = version;
        return;
    }
    if (stage->version != NULL && stage->place_count == 0 &&
        rule_set_mute_count(version->set) == 0) {
        stage->version = version;
        return;
    }
    if (stage->version != NULL)
        mute_stage_advance(stage, at_ms - 1);
    for (uint32_t i = 0; i <= stage->held.mask; i++)
        if (stage->held.slots[i] != NULL)
            vector_add(&all) = stage->held.slots[i];
    if (all.count > 1)
        qsort(all.at, all.count, sizeof(struct held *), by_opening);
    for (size_t i = 0; i < all.count; i++)
        remember(stage, all.at[i]);
    for (size_t i = 0; i < all.count; i++)
        unlink_all(stage, all.at[i]);
    places_make(stage, version);
    for (size_t i = 0; i < all.count; i++)
        link_all(stage, all.at[i], all.at[i]->latest, at_ms);
    settle(stage, at_ms, NULL);
    for (size_t i = 0; i < all.count; i++) {
        struct held *held = all.at[i];
        slab_free(stage->slab, held->before, held->before_count * sizeof(struct mute_tally *));
        held->before = NULL;
        held->before_count = 0;
    }
    free(all.at);
}

static struct held *held_make(struct mute_stage *stage, struct incident *incident)
{
    struct held *held = slab_alloc(stage->slab, sizeof(*held));

    *held = (struct held){.latest = incident_ref(incident), .order = stage->next_order++};
    held_add(&stage->held, held);
    return held;
}

static void held_drop(struct mute_stage *stage, struct held *held)
{
    held_remove(&stage->held, held->latest->id);
    incident_unref(held->latest);
    slab_free(stage->slab, held, sizeof(*held));
}

/* Logs the change, and decides what sinks are told. */
static void tell_change(struct mute_stage *stage, struct held *held, struct incident *incident,
                        bool is_muted, const struct event_text *by_hand)
{
    bool closes = incident->change == INCIDENT_CLOSED;
    bool has_op = closes ? held->is_told : !is_muted;
    enum op_kind kind = closes ? OP_RESOLVE : held->is_told ? OP_UPDATE : OP_OPEN;

    held->is_behind |= held->is_told && !has_op;
    stage->counts.withheld += !has_op;
    if (has_op) {
        if (!held->is_told)
            announce(stage, held);
        held->is_behind = false;
    } else if (incident->change == INCIDENT_OPENED) {
        suppress(stage, held);
    }
    tell(stage, held, as_logged(stage, held, incident, is_muted, by_hand), has_op, kind);
}

void mute_stage_change(struct mute_stage *stage, const struct order *order,
                       struct incident *incident, const struct event_text *by_hand)
{
    /* A round's end comes before what begins or ends at that time. */
    int64_t at_ms = order->at_ms - (order->class == ORDER_ROUND_END);
    bool is_last = incident->change == INCIDENT_CLOSED || incident->is_forgotten;
    struct held *held;

    mute_stage_advance(stage, at_ms);
    held = held_find(&stage->held, incident->id);
    assert((held == NULL) == (incident->change == INCIDENT_OPENED));
    if (held == NULL) {
        held = held_make(stage, incident);
        link_all(stage, held, incident, at_ms);
    } else if (!is_last && incident->severity != held->latest->severity) {
        link_all(stage, held, incident, at_ms);
    }
    /* Nobody watches it from now on, so somebody is told. */
    tell_change(stage, held, incident, held->muting > 0 && !incident->is_forgotten, by_hand);
    if (is_last)
        unlink_all(stage, held);
    settle(stage, order->at_ms, held);
    if (is_last)
        held_drop(stage, held);
}

bool mute_stage_acknowledge(struct mute_stage *stage, const struct order *order, struct id128 id,
                            const struct event_text *by_hand)
{
    struct incident_words words = {.by = {NULL, 0}};
    struct text_buffer names;
    struct held *held;

    mute_stage_advance(stage, order->at_ms);
    held = held_find(&stage->held, id);
    if (held == NULL)
        return false;
    text_begin(&names);
    if (held->muting > 0)
        name_mutes(stage, held, &names);
    words.muted_by = (struct text){names.at, (uint32_t)names.used};
    words_of_act(by_hand, &words);
    words.acked_by = words.by;
    /* Muted or not: who was paged for it is not paged on. Where nobody was there is nothing to
     * say. */
    stage->counts.withheld += !held->is_told;
    tell(stage, held, add_change(stage, held, &words, CAUSE_ACKNOWLEDGED, order->at_ms),
         held->is_told, OP_ACK);
    text_end(&names);
    return true;
}

void mute_stage_init(struct mute_stage *stage, uint64_t seed, struct slab *slab)
{
    memset(stage, 0, sizeof(*stage));
    stage->seed = seed;
    stage->slab = slab;
    stage->due_ms = INT64_MAX;
    held_table_init(&stage->held);
    groups_make(stage, GROUPS_MIN);
}

void mute_stage_release(struct mute_stage *stage)
{
    if (stage->held.slots == NULL)
        return; /* was never made ready */
    for (uint32_t i = 0; i <= stage->held.mask; i++)
        if (stage->held.slots[i] != NULL)
            incident_unref(stage->held.slots[i]->latest);
    for (size_t i = 0; i < stage->out.count; i++)
        incident_unref(stage->out.at[i].incident);
    held_table_release(&stage->held);
    free(stage->groups);
    free(stage->places);
    free(stage->moved.at);
    free(stage->out.at);
}

/* ---- images ---- */

enum { HELD_BYTES_LEAST = 64, LINK_BYTES_LEAST = 16 };

static const char stage_mark[4] = {'M', 'U', 'T', 'E'};

static void held_put(struct image_out *out, const struct held *held)
{
    uint32_t count = 0;

    image_put_u64(out, held->order);
    image_put_u32(out, held->shift);
    image_put_u32(out, held->op_count);
    image_put_u32(out, held->is_told);
    image_put_u32(out, held->is_behind);
    image_put_u32(out, held->suppressed_by);
    incident_save(held->latest, out);
    for (const struct mute_link *link = held->links; link != NULL; link = link->next_of_held)
        count++;
    image_put_u32(out, count);
    for (const struct mute_link *link = held->links; link != NULL; link = link->next_of_held) {
        image_put_u32(out, link->place);
        image_put_u32(out, link->role);
        image_put_u64(out, link->since);
        if (link->group != NULL)
            image_put_id(out, link->group->hash);
    }
}

void mute_stage_save(const struct mute_stage *stage, struct image_out *out)
{
    image_put_mark(out, stage_mark);
    image_put_u64(out, stage->next_order);
    image_put_u64(out, stage->next_link);
    image_put_u32(out, stage->place_count);
    for (uint32_t i = 0; i < stage->place_count; i++) {
        /* relaxed: this role is its only writer. */
        uint64_t total = atomic_load_explicit(&stage->places[i].tally->total, memory_order_relaxed);
        image_put_u64(out, total);
    }
    image_put_u32(out, stage->held.count);
    for (uint32_t i = 0; i <= stage->held.mask; i++)
        if (stage->held.slots[i] != NULL)
            held_put(out, stage->held.slots[i]);
}

/* One link of `held`, in no list yet; NULL when the image is none. `last` is the one before it. */
static struct mute_link *link_take(struct mute_stage *stage, struct held *held,
                                   const struct mute_link *last, struct image_in *in)
{
    uint32_t place = image_take_below(in, stage->place_count, "there is no such mute");
    uint32_t role = image_take_u32(in);
    uint64_t since = image_take_u64(in);
    bool is_group = in->fault == NULL && stage->places[place].mute->kind == MUTE_INHIBIT;

    if (role == ROLE_NONE || role >= ROLES || (!is_group && role != ROLE_TARGET))
        image_fail(in, "an incident is nothing to a mute");
    if (last != NULL && place <= last->place)
        image_fail(in, "the mutes of an incident are not in order");
    struct id128 hash = is_group ? image_take_id(in) : (struct id128){0, 0};
    if (in->fault != NULL)
        return NULL;
    struct mute_link *link = slab_alloc(stage->slab, sizeof(*link));
    *link = (struct mute_link){.held = held,
                               .group = is_group ? group_get(stage, hash, place) : NULL,
                               .since = since,
                               .place = place,
                               .role = (uint8_t)role};
    return link;
}

struct links {
    struct mute_link **at;
    size_t count, room;
};

static void held_take(struct mute_stage *stage, struct links *links, struct image_in *in)
{
    struct held read = {.order = image_take_u64(in)};

    read.shift = image_take_u32(in);
    read.op_count = image_take_u32(in);
    read.is_told = image_take_flag(in);
    read.is_behind = image_take_flag(in);
    read.suppressed_by =
        (uint8_t)image_take_below(in, 1 + MUTE_KIND_COUNT, "an incident is kept back by no mute");
    if (read.is_told == (read.suppressed_by > 0))
        image_fail(in, "an incident is told of, and is not");
    read.latest = incident_load(in);
    if (read.latest != NULL && held_find(&stage->held, read.latest->id) != NULL)
        image_fail(in, "an incident is open twice");
    if (in->fault != NULL) {
        incident_unref(read.latest);
        return;
    }
    struct held *held = slab_alloc(stage->slab, sizeof(*held));
    *held = read;
    held_add(&stage->held, held);
    struct mute_link *last = NULL;
    for (uint32_t count = image_take_count(in, LINK_BYTES_LEAST); count > 0; count--) {
        struct mute_link *link = link_take(stage, held, last, in);
        if (link == NULL)
            return;
        if (last == NULL)
            held->links = link;
        else
            last->next_of_held = link;
        last = link;
        vector_add(links) = link;
    }
}

static int by_making(const void *a, const void *b)
{
    const struct mute_link *const *x = a, *const *y = b;

    return ((*x)->since > (*y)->since) - ((*x)->since < (*y)->since);
}

/* Into their lists, as if they had been made now, and what mutes, mutes. Nobody is told. */
static void links_join(struct mute_stage *stage, struct links *links, int64_t now_ms)
{
    if (links->count > 1)
        qsort(links->at, links->count, sizeof(struct mute_link *), by_making);
    for (size_t i = 0; i < links->count; i++) {
        struct mute_link *link = links->at[i];
        list_append(link->group != NULL ? &link->group->list[link->role]
                                        : &stage->places[link->place].list,
                    link);
    }
    for (uint32_t i = 0; i < stage->place_count; i++)
        if (stage->places[i].list.first != NULL)
            place_look(&stage->places[i], now_ms - 1);
    for (size_t i = 0; i < links->count; i++) {
        struct mute_link *link = links->at[i];
        if (link->group != NULL)
            group_refresh(stage, link->group);
        else
            link_set(stage, link, stage->places[link->place].is_open);
    }
    for (size_t i = 0; i < links->count; i++)
        links->at[i]->was_muting = links->at[i]->mutes;
    for (size_t i = 0; i < stage->moved.count; i++) {
        stage->moved.at[i]->is_marked = false;
        stage->moved.at[i]->is_muted = stage->moved.at[i]->muting > 0;
    }
    stage->moved.count = 0;
}

void mute_stage_load(struct mute_stage *stage, int64_t now_ms, struct image_in *in)
{
    struct links links = {.at = NULL};

    image_take_mark(in, stage_mark);
    stage->next_order = image_take_u64(in);
    stage->next_link = image_take_u64(in);
    if (image_take_u32(in) != stage->place_count)
        image_fail(in, "there are other mutes in the rule set");
    for (uint32_t i = 0; i < stage->place_count && in->fault == NULL; i++) {
        /* relaxed: nobody else is there yet. */
        atomic_store_explicit(&stage->places[i].tally->total, image_take_u64(in),
                              memory_order_relaxed);
    }
    for (uint32_t count = image_take_count(in, HELD_BYTES_LEAST); count > 0; count--)
        held_take(stage, &links, in);
    if (in->fault == NULL) {
        links_join(stage, &links, now_ms);
        due_find(stage);
    }
    free(links.at);
}
