/*
 * incident_diff.c - see incident_diff.h.
 *
 * Each side has a table of what it holds under a lock of its own, which only settling takes from
 * the other side: both, the old one first. Settling costs a sort of all that is held, so it waits
 * until twice as much is held as was left by the last.
 */
#include "daemon/incident_diff.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/host.h"
#include "base/slab.h"
#include "base/vector.h"
#include "daemon/incident_match.h"

enum { WAIT_NS = 1000000, SETTLE_SHARE = 8 };
/* Below this settling would cost more than what it frees is worth. */
#define SETTLE_BYTES UINT64_C(8 << 20)

static const struct {
    const char *name, *words;
    enum diff_kind mirror;
} kinds_of_change[DIFF_KINDS] = {
    [DIFF_GAINED] = {"gained", "gained", DIFF_LOST},
    [DIFF_LOST] = {"lost", "lost", DIFF_GAINED},
    [DIFF_MERGED] = {"merged", "merged", DIFF_SPLIT},
    [DIFF_SPLIT] = {"split", "split", DIFF_MERGED},
    [DIFF_REGROUPED] = {"regrouped", "regrouped", DIFF_REGROUPED},
    [DIFF_PRIORITY] = {"priority", "priority", DIFF_PRIORITY},
    [DIFF_SEVERITY] = {"severity", "severity", DIFF_SEVERITY},
    [DIFF_ROUTE] = {"route", "route", DIFF_ROUTE},
    [DIFF_TOLD_SOONER] = {"told_sooner", "told sooner", DIFF_TOLD_LATER},
    [DIFF_TOLD_LATER] = {"told_later", "told later", DIFF_TOLD_SOONER},
    [DIFF_NEVER_TOLD] = {"never_told", "never told", DIFF_NEWLY_TOLD},
    [DIFF_NEWLY_TOLD] = {"newly_told", "newly told", DIFF_NEVER_TOLD},
    [DIFF_RETIMED] = {"retimed", "retimed", DIFF_RETIMED},
    [DIFF_REWORDED] = {"reworded", "reworded", DIFF_REWORDED},
};

const char *diff_kind_name(enum diff_kind kind)
{
    return kinds_of_change[kind].name;
}

const char *diff_kind_words(enum diff_kind kind)
{
    return kinds_of_change[kind].words;
}

enum diff_kind diff_kind_mirror(enum diff_kind kind)
{
    return kinds_of_change[kind].mirror;
}

/* What one side holds, found by incident id: open addressing, load <= 1/2, built anew when
 * something leaves. */
struct side {
    pthread_mutex_t lock;
    VECTOR_OF(struct held *) held;
    struct held **slots;
    size_t mask;
    _Atomic int64_t passed_ms; /* relaxed: what it covers lies under the lock */
    int waker;
};

struct incident_diff {
    struct incident_diff_config config;
    struct side sides[DIFF_SIDES];
    atomic_uint_fast64_t bytes;     /* relaxed: a sum */
    atomic_uint_fast64_t settle_at; /* bytes; relaxed, a hint */
    atomic_bool has_failed, has_given_up;
    /* Under both locks. */
    struct diff_result result;
    size_t rule_room, team_room;
    VECTOR_OF(const char *) words; /* of the group that is settled */
    bool is_final;
};

/* ---- what a side holds ---- */

static struct held **slot_of(const struct side *side, struct id128 id)
{
    for (uint64_t i = id.lo;; i++) {
        struct held **slot = &side->slots[i & side->mask];
        if (*slot == NULL || id128_equal((*slot)->incident.opened->id, id))
            return slot;
    }
}

static void side_index(struct side *side, size_t room)
{
    size_t slots = 1024;

    while (slots < 2 * room)
        slots *= 2;
    if (slots != side->mask + 1 || side->slots == NULL) {
        free(side->slots);
        side->slots = memory_alloc(slots * sizeof(struct held *));
        side->mask = slots - 1;
    }
    memset(side->slots, 0, slots * sizeof(struct held *));
    for (size_t i = 0; i < side->held.count; i++)
        *slot_of(side, side->held.at[i]->incident.opened->id) = side->held.at[i];
}

static struct id128 key_of(const struct incident *incident)
{
    size_t rule = strlen(incident->rule_id) + 1, key = strlen(incident->key);
    char few[1024], *text = rule + key <= sizeof(few) ? few : memory_alloc(rule + key);
    struct id128 hash;

    memcpy(text, incident->rule_id, rule);
    memcpy(text + rule, incident->key, key);
    hash = hash128(text, rule + key, 0);
    if (text != few)
        free(text);
    return hash;
}

static uint64_t bytes_of(const struct held *held)
{
    return sizeof(*held) + held->incident.opened->block_bytes +
           held->member_room * sizeof(held->member[0]);
}

static void count_bytes(struct incident_diff *diff, uint64_t more)
{
    atomic_fetch_add_explicit(&diff->bytes, more, memory_order_relaxed);
}

static struct held *add_held(struct incident_diff *diff, enum diff_side which,
                             struct incident *incident)
{
    struct side *side = &diff->sides[which];
    struct held *held = memory_alloc(sizeof(*held));

    *held = (struct held){.incident = {.opened = incident_ref(incident),
                                       .closed_ms = DIFF_OPEN,
                                       .told_ms = DIFF_UNTOLD},
                          .side = which,
                          .key = key_of(incident)};
    vector_add(&side->held) = held;
    if (2 * side->held.count > side->mask)
        side_index(side, 2 * side->held.count);
    else
        *slot_of(side, incident->id) = held;
    count_bytes(diff, bytes_of(held));
    return held;
}

static void held_destroy(struct held *held)
{
    incident_unref(held->incident.opened);
    free(held->member);
    free(held);
}

void incident_diff_told(struct incident_diff *diff, enum diff_side which, struct incident *incident)
{
    struct side *side = &diff->sides[which];
    struct held *held;

    pthread_mutex_lock(&side->lock);
    held = incident->change == INCIDENT_OPENED ? add_held(diff, which, incident)
                                               : *slot_of(side, incident->id);
    if (held != NULL) {
        held->incident.event_count = incident->event_count;
        held->incident.alert_count = incident->alert_count;
        held->incident.severity = incident->severity;
        if (incident->change == INCIDENT_CLOSED)
            held->incident.closed_ms = incident->at_ms;
    }
    pthread_mutex_unlock(&side->lock);
}

void incident_diff_op(struct incident_diff *diff, enum diff_side which, const struct op *op)
{
    struct side *side = &diff->sides[which];
    struct held *held;

    pthread_mutex_lock(&side->lock);
    held = *slot_of(side, op->incident->id);
    if (held != NULL) {
        held->incident.pages += op->kind == OP_OPEN;
        if (held->incident.told_ms == DIFF_UNTOLD)
            held->incident.told_ms = op->incident->at_ms;
        held->incident.sinks |= UINT64_C(1) << (op->sink & 63);
    }
    pthread_mutex_unlock(&side->lock);
}

void incident_diff_joined(struct incident_diff *diff, enum diff_side which, struct id128 incident,
                          struct id128 alert, int64_t at_ms)
{
    struct side *side = &diff->sides[which];
    struct held *held;

    pthread_mutex_lock(&side->lock);
    held = *slot_of(side, incident);
    if (held != NULL) {
        if (held->member_count == held->member_room) {
            uint32_t room = held->member_room > 0 ? 2 * held->member_room : 4;
            held->member = memory_grow(held->member, room * sizeof(held->member[0]));
            count_bytes(diff, (room - held->member_room) * sizeof(held->member[0]));
            held->member_room = room;
        }
        held->member[held->member_count++] = (struct held_member){alert, at_ms};
    }
    pthread_mutex_unlock(&side->lock);
}

/* ---- sums ---- */

static struct diff_row *row_of(struct diff_row **rows, size_t *count, size_t *room,
                               const char *name)
{
    size_t low = 0, high = *count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp((*rows)[middle].name, name);
        if (order == 0)
            return &(*rows)[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (*count == *room) {
        *room = *room > 0 ? 2 * *room : 16;
        *rows = memory_grow(*rows, *room * sizeof(**rows));
    }
    memmove(&(*rows)[low + 1], &(*rows)[low], (*count - low) * sizeof(**rows));
    (*count)++;
    (*rows)[low] = (struct diff_row){.name = memory_alloc(strlen(name) + 1)};
    memcpy((*rows)[low].name, name, strlen(name) + 1);
    return &(*rows)[low];
}

static struct diff_row *rule_row(struct incident_diff *diff, const struct held *held)
{
    return row_of(&diff->result.rules, &diff->result.rule_count, &diff->rule_room,
                  held->incident.opened->rule_id);
}

static struct diff_row *team_row(struct incident_diff *diff, const struct held *held)
{
    return row_of(&diff->result.teams, &diff->result.team_count, &diff->team_room,
                  held->incident.opened->team);
}

/* ---- examples ---- */

static void example_release(struct diff_example *example)
{
    for (int s = 0; s < DIFF_SIDES; s++)
        for (size_t i = 0; i < example->count[s] && i < DIFF_SHOWN; i++)
            incident_unref(example->shown[s][i].opened);
}

static const struct incident *first_of(const struct diff_example *example)
{
    const struct incident *first = NULL;

    for (int s = 0; s < DIFF_SIDES; s++) {
        const struct incident *opened = example->count[s] > 0 ? example->shown[s][0].opened : NULL;
        if (first == NULL || (opened != NULL && opened->opened_ms < first->opened_ms))
            first = opened;
    }
    return first;
}

/* By time, then by the id of the first incident: the order of settling does not show. */
static int example_order(const struct diff_example *a, const struct diff_example *b)
{
    struct id128 x = first_of(a)->id, y = first_of(b)->id;

    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return x.hi != y.hi ? (x.hi < y.hi ? -1 : 1) : (x.lo > y.lo) - (x.lo < y.lo);
}

/* Takes the example's references. */
static void keep_example(struct incident_diff *diff, enum diff_kind kind,
                         const struct diff_example *example)
{
    struct diff_row *row = row_of(&diff->result.rules, &diff->result.rule_count, &diff->rule_room,
                                  first_of(example)->rule_id);
    struct diff_example *list = row->examples[kind];
    size_t at = row->example_count[kind];

    if (list == NULL)
        list = row->examples[kind] = memory_alloc((diff->config.examples_max + 1) * sizeof(*list));
    for (; at > 0 && example_order(example, &list[at - 1]) < 0; at--)
        list[at] = list[at - 1];
    list[at] = *example;
    if (++row->example_count[kind] > diff->config.examples_max)
        example_release(&list[--row->example_count[kind]]);
}

/* ---- groups ---- */

static bool differs(const char *a, const char *b)
{
    return strcmp(a, b) != 0;
}

/* The whole of it comes down to one: who is told never is not told later, too. */
static unsigned told_kind(int64_t old_ms, int64_t new_ms)
{
    return old_ms == new_ms        ? 0
           : new_ms == DIFF_UNTOLD ? 1u << DIFF_NEVER_TOLD
           : old_ms == DIFF_UNTOLD ? 1u << DIFF_NEWLY_TOLD
           : new_ms < old_ms       ? 1u << DIFF_TOLD_SOONER
                                   : 1u << DIFF_TOLD_LATER;
}

static unsigned pair_kinds(const struct diff_incident *old, const struct diff_incident *new)
{
    const struct incident *a = old->opened, *b = new->opened;
    unsigned kinds = told_kind(old->told_ms, new->told_ms);

    if (differs(a->key, b->key))
        kinds |= 1u << DIFF_REGROUPED;
    if (a->priority != b->priority)
        kinds |= 1u << DIFF_PRIORITY;
    if (old->severity != new->severity)
        kinds |= 1u << DIFF_SEVERITY;
    if (old->sinks != new->sinks || differs(a->team, b->team))
        kinds |= 1u << DIFF_ROUTE;
    if (a->opened_ms != b->opened_ms || old->closed_ms != new->closed_ms)
        kinds |= 1u << DIFF_RETIMED;
    if (differs(a->rule_id, b->rule_id) || differs(a->title, b->title) ||
        differs(a->tier, b->tier) || differs(a->runbook, b->runbook))
        kinds |= 1u << DIFF_REWORDED;
    return kinds;
}

static unsigned group_kinds(struct held *const *group, const size_t count[DIFF_SIDES])
{
    size_t old = count[DIFF_OLD], new = count[DIFF_NEW];
    bool old_first = group[0]->side == DIFF_OLD;

    if (old == 1 && new == 1)
        return pair_kinds(&group[old_first ? 0 : 1]->incident, &group[old_first ? 1 : 0]->incident);
    return 1u << (old == 0              ? DIFF_GAINED
                  : new == 0            ? DIFF_LOST
                  : old > 1 && new == 1 ? DIFF_MERGED
                  : old == 1            ? DIFF_SPLIT
                                        : DIFF_REGROUPED);
}

static void add_kinds(struct diff_row *row, unsigned kinds)
{
    row->same += kinds == 0;
    for (int k = 0; k < DIFF_KINDS; k++)
        row->changed[k] += kinds >> k & 1;
}

static void add_incident(struct diff_row *row, const struct held *held)
{
    row->incidents[held->side]++;
    row->pages[held->side] += held->incident.pages;
}

/* True when the word was not among the group's before; there are few. */
static bool is_new_word(struct incident_diff *diff, const char *word)
{
    for (size_t i = 0; i < diff->words.count; i++)
        if (strcmp(diff->words.at[i], word) == 0)
            return false;
    vector_add(&diff->words) = word;
    return true;
}

static void add_example(struct incident_diff *diff, struct held *const *group, size_t size,
                        unsigned kinds)
{
    struct diff_example example = {.kinds = kinds, .at_ms = group[0]->incident.opened->opened_ms};
    enum diff_kind kind = DIFF_GAINED;

    if (diff->config.examples_max == 0)
        return;
    while ((kinds >> kind & 1) == 0)
        kind++;
    for (size_t i = 0; i < size; i++) {
        size_t n = example.count[group[i]->side]++;
        if (n >= DIFF_SHOWN)
            continue;
        example.shown[group[i]->side][n] = group[i]->incident;
        incident_ref(group[i]->incident.opened);
    }
    keep_example(diff, kind, &example);
}

/* `group` is ordered by opening. */
static void settle_group(struct incident_diff *diff, struct held *const *group, size_t size)
{
    size_t count[DIFF_SIDES] = {0};
    unsigned kinds;

    for (size_t i = 0; i < size; i++)
        count[group[i]->side]++;
    kinds = group_kinds(group, count);
    add_kinds(&diff->result.total, kinds);
    for (size_t i = 0; i < size; i++) {
        add_incident(&diff->result.total, group[i]);
        add_incident(rule_row(diff, group[i]), group[i]);
        add_incident(team_row(diff, group[i]), group[i]);
    }
    diff->words.count = 0;
    for (size_t i = 0; i < size; i++)
        if (is_new_word(diff, group[i]->incident.opened->rule_id))
            add_kinds(rule_row(diff, group[i]), kinds);
    diff->words.count = 0;
    for (size_t i = 0; i < size; i++)
        if (is_new_word(diff, group[i]->incident.opened->team))
            add_kinds(team_row(diff, group[i]), kinds);
    if (kinds != 0)
        add_example(diff, group, size, kinds);
}

/* ---- settling ---- */

/* By group, and in it by opening; what stays comes last. */
static int group_order(const void *a, const void *b)
{
    const struct held *const *x = a, *const *y = b;
    const struct incident *p = (*x)->incident.opened, *q = (*y)->incident.opened;

    if ((*x)->is_settled != (*y)->is_settled)
        return (*x)->is_settled ? -1 : 1;
    if ((*x)->group != (*y)->group)
        return (*x)->group < (*y)->group ? -1 : 1;
    if (p->opened_ms != q->opened_ms)
        return p->opened_ms < q->opened_ms ? -1 : 1;
    if (!id128_equal(p->id, q->id))
        return p->id.hi != q->id.hi ? (p->id.hi < q->id.hi ? -1 : 1)
                                    : (p->id.lo < q->id.lo ? -1 : 1);
    return (int)(*x)->side - (int)(*y)->side;
}

static uint64_t least_bytes(const struct incident_diff *diff)
{
    uint64_t share = diff->config.bytes_max / SETTLE_SHARE;

    return share < SETTLE_BYTES ? share : SETTLE_BYTES;
}

/* Under both locks. */
static void settle(struct incident_diff *diff)
{
    struct side *sides = diff->sides;
    size_t count = sides[DIFF_OLD].held.count + sides[DIFF_NEW].held.count;
    size_t at = 0, done = 0;
    int64_t old_ms = atomic_load_explicit(&sides[DIFF_OLD].passed_ms, memory_order_relaxed);
    int64_t new_ms = atomic_load_explicit(&sides[DIFF_NEW].passed_ms, memory_order_relaxed);
    struct held **all = memory_alloc((count + 1) * sizeof(struct held *));
    uint64_t freed = 0, left;
    struct match_cost cost;

    for (int s = 0; s < DIFF_SIDES; s++)
        for (size_t i = 0; i < sides[s].held.count; i++)
            all[at++] = sides[s].held.at[i];
    cost = incident_match(all, count, diff->config.near_ms, old_ms < new_ms ? old_ms : new_ms);
    diff->result.weighed += cost.weighed;
    diff->result.nearest_only += cost.nearest_only;
    if (count > 1)
        qsort(all, count, sizeof(struct held *), group_order);
    while (done < count && all[done]->is_settled) {
        size_t end = done + 1;
        while (end < count && all[end]->is_settled && all[end]->group == all[done]->group)
            end++;
        settle_group(diff, &all[done], end - done);
        done = end;
    }
    for (int s = 0; s < DIFF_SIDES; s++)
        sides[s].held.count = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i]->is_settled) {
            freed += bytes_of(all[i]);
            held_destroy(all[i]);
        } else {
            sides[all[i]->side].held.at[sides[all[i]->side].held.count++] = all[i];
        }
    }
    for (int s = 0; s < DIFF_SIDES; s++)
        side_index(&sides[s], 2 * sides[s].held.count);
    free(all);
    diff->result.settled_times++;
    left = atomic_fetch_sub_explicit(&diff->bytes, freed, memory_order_relaxed) - freed;
    /* Not at every step while much is held, and often enough to see the bound. */
    left += left < diff->config.bytes_max / SETTLE_SHARE ? left + least_bytes(diff)
                                                         : diff->config.bytes_max / SETTLE_SHARE;
    atomic_store_explicit(&diff->settle_at, left, memory_order_relaxed);
}

static void lock_both(struct incident_diff *diff)
{
    pthread_mutex_lock(&diff->sides[DIFF_OLD].lock);
    pthread_mutex_lock(&diff->sides[DIFF_NEW].lock);
}

static void unlock_both(struct incident_diff *diff)
{
    pthread_mutex_unlock(&diff->sides[DIFF_NEW].lock);
    pthread_mutex_unlock(&diff->sides[DIFF_OLD].lock);
}

void incident_diff_settle(struct incident_diff *diff)
{
    lock_both(diff);
    settle(diff);
    unlock_both(diff);
}

static uint64_t bytes_held(struct incident_diff *diff)
{
    return atomic_load_explicit(&diff->bytes, memory_order_relaxed);
}

static bool is_over(const struct incident_diff *diff)
{
    return atomic_load_explicit(&diff->has_failed, memory_order_relaxed) ||
           atomic_load_explicit(&diff->has_given_up, memory_order_relaxed);
}

/* Has the other side fewer changes told of? */
static bool is_ahead(const struct incident_diff *diff, enum diff_side which, int64_t to_ms)
{
    return atomic_load_explicit(&diff->sides[1 - which].passed_ms, memory_order_relaxed) < to_ms;
}

void incident_diff_passed(struct incident_diff *diff, enum diff_side which, int64_t to_ms)
{
    struct side *side = &diff->sides[which];

    pthread_mutex_lock(&side->lock);
    atomic_store_explicit(&side->passed_ms, to_ms, memory_order_relaxed);
    pthread_mutex_unlock(&side->lock);
    if (bytes_held(diff) < atomic_load_explicit(&diff->settle_at, memory_order_relaxed) ||
        is_over(diff))
        return;
    incident_diff_settle(diff);
    if (bytes_held(diff) >= 2 * diff->config.bytes_max)
        atomic_store_explicit(&diff->has_failed, true, memory_order_relaxed);
    while (bytes_held(diff) >= diff->config.bytes_max && is_ahead(diff, which, to_ms) &&
           !is_over(diff))
        host()->waker_sleep(host()->self, side->waker, WAIT_NS); /* the other settles */
}

void incident_diff_ended(struct incident_diff *diff, enum diff_side which)
{
    atomic_store_explicit(&diff->sides[which].passed_ms, INT64_MAX, memory_order_relaxed);
}

bool incident_diff_is_well(struct incident_diff *diff, struct error *why)
{
    if (!atomic_load_explicit(&diff->has_failed, memory_order_relaxed))
        return true;
    error_set(why,
              "twice %" PRIu64
              " bytes do not hold the incidents that are open or near at one time; allow "
              "more with --memory, or compare a shorter stretch",
              diff->config.bytes_max);
    return false;
}

void incident_diff_give_up(struct incident_diff *diff)
{
    atomic_store_explicit(&diff->has_given_up, true, memory_order_relaxed);
}

/* ---- result and life ---- */

const struct diff_result *incident_diff_result(struct incident_diff *diff)
{
    if (!diff->is_final)
        incident_diff_settle(diff);
    diff->is_final = true;
    return &diff->result;
}

struct incident_diff *incident_diff_create(const struct incident_diff_config *config)
{
    struct incident_diff *diff = calloc(1, sizeof(*diff));

    if (diff == NULL)
        return NULL;
    diff->config = *config;
    if (diff->config.bytes_max > UINT64_MAX / 4) /* twice of it has to be a number */
        diff->config.bytes_max = UINT64_MAX / 4;
    atomic_init(&diff->settle_at, least_bytes(diff));
    for (int s = 0; s < DIFF_SIDES; s++) {
        pthread_mutex_init(&diff->sides[s].lock, NULL);
        atomic_init(&diff->sides[s].passed_ms, INT64_MIN);
        diff->sides[s].waker = host()->waker_create(host()->self);
        side_index(&diff->sides[s], 0);
    }
    return diff;
}

static void rows_free(struct diff_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (int k = 0; k < DIFF_KINDS; k++) {
            for (size_t e = 0; e < rows[i].example_count[k]; e++)
                example_release(&rows[i].examples[k][e]);
            free(rows[i].examples[k]);
        }
        free(rows[i].name);
    }
    free(rows);
}

void incident_diff_destroy(struct incident_diff *diff)
{
    if (diff == NULL)
        return;
    for (int s = 0; s < DIFF_SIDES; s++) {
        struct side *side = &diff->sides[s];
        for (size_t i = 0; i < side->held.count; i++)
            held_destroy(side->held.at[i]);
        free(side->held.at);
        free(side->slots);
        if (side->waker >= 0)
            host()->close(host()->self, side->waker);
        pthread_mutex_destroy(&side->lock);
    }
    free(diff->words.at);
    rows_free(diff->result.rules, diff->result.rule_count);
    rows_free(diff->result.teams, diff->result.team_count);
    free(diff);
}
