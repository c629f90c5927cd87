/*
 * incident_match.c - see incident_match.h.
 *
 * Three stages, each of which looks at all incidents as the stage before left them, so that
 * neither the order of incidents nor which run is called old makes a difference. A key may find
 * what has a partner, an alert may not: else each incident of a rule that was added would change
 * those of every rule that looks at the same alerts. What may meet is found in runs: incidents with
 * one (rule, key), ordered by opening, or with one alert, ordered by when it joined, each with the
 * latest end so far, so that a search begins where anything can still overlap.
 */
#include "daemon/incident_match.h"

#include <stdlib.h>
#include <string.h>
#include "base/slab.h"

/* One incident in the run of one word: a key, or an alert since it joined. */
struct place {
    struct id128 word;
    int64_t from_ms;
    int64_t reach_ms; /* latest end of the run up to here */
    uint32_t at;      /* index of the incident */
};

struct run_set {
    struct place *at;
    size_t count;
};

struct match {
    struct held **held;
    size_t count;
    int64_t near_ms;
    struct run_set keys, alerts;
    uint32_t *cluster, *group; /* union-find */
    bool *is_joined;           /* has a partner since an earlier stage */
    uint32_t *partner;         /* chosen in this stage; UINT32_MAX: none */
    uint32_t *shared;          /* alerts shared with the incident that chooses */
};

static int compare_id(struct id128 a, struct id128 b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

static int held_order(const void *a, const void *b)
{
    const struct held *const *x = a, *const *y = b;
    const struct incident *p = (*x)->incident.opened, *q = (*y)->incident.opened;
    int order;

    if (p->opened_ms != q->opened_ms)
        return p->opened_ms < q->opened_ms ? -1 : 1;
    order = compare_id(p->id, q->id);
    return order != 0 ? order : (int)(*x)->side - (int)(*y)->side;
}

static int place_order(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    int order = compare_id(x->word, y->word);

    if (order != 0)
        return order;
    if (x->from_ms != y->from_ms)
        return x->from_ms < y->from_ms ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int64_t opened_of(const struct match *m, uint32_t at)
{
    return m->held[at]->incident.opened->opened_ms;
}

static int64_t end_of(const struct match *m, uint32_t at)
{
    int64_t closed_ms = m->held[at]->incident.closed_ms;

    return closed_ms < INT64_MAX / 2 ? closed_ms : INT64_MAX / 2; /* so that spans can be taken */
}

static int64_t later(int64_t at_ms, int64_t by_ms)
{
    return at_ms > INT64_MAX - by_ms ? INT64_MAX : at_ms + by_ms;
}

/* ---- union-find ---- */

static uint32_t find(uint32_t *parent, uint32_t at)
{
    while (parent[at] != at) {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    return at;
}

/* The smaller number stays the root: no matter in which order things are joined. */
static void unite(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = find(parent, a);
    b = find(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* ---- runs ---- */

static void runs_order(const struct match *m, struct run_set *runs)
{
    if (runs->count > 1)
        qsort(runs->at, runs->count, sizeof(runs->at[0]), place_order);
    for (size_t i = 0; i < runs->count; i++) {
        bool is_first = i == 0 || !id128_equal(runs->at[i].word, runs->at[i - 1].word);
        int64_t end = end_of(m, runs->at[i].at);
        runs->at[i].reach_ms =
            is_first || runs->at[i - 1].reach_ms < end ? end : runs->at[i - 1].reach_ms;
    }
}

static void runs_make(struct match *m)
{
    size_t members = 0;

    for (size_t i = 0; i < m->count; i++)
        members += m->held[i]->member_count;
    m->keys.at = memory_alloc((m->count + 1) * sizeof(struct place));
    m->alerts.at = memory_alloc((members + 1) * sizeof(struct place));
    for (uint32_t i = 0; i < m->count; i++) {
        const struct held *held = m->held[i];
        m->keys.at[m->keys.count++] =
            (struct place){.word = held->key, .from_ms = opened_of(m, i), .at = i};
        for (uint32_t k = 0; k < held->member_count; k++)
            m->alerts.at[m->alerts.count++] = (struct place){
                .word = held->member[k].alert, .from_ms = held->member[k].from_ms, .at = i};
    }
    runs_order(m, &m->keys);
    runs_order(m, &m->alerts);
}

/* The part of a word's run in which something may be as near as `near_ms` to the incident, which
 * has the word since `from_ms`. */
static void run_find(const struct match *m, const struct run_set *runs, struct id128 word,
                     int64_t from_ms, uint32_t at, size_t *from, size_t *to)
{
    int64_t latest = later(end_of(m, at), m->near_ms);
    size_t low = 0, high = runs->count;

    /* The first place of the word whose reach comes near the opening. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct place *place = &runs->at[middle];
        int order = compare_id(place->word, word);
        if (order < 0 || (order == 0 && later(place->reach_ms, m->near_ms) < from_ms))
            low = middle + 1;
        else
            high = middle;
    }
    *from = low;
    while (low < runs->count && id128_equal(runs->at[low].word, word) &&
           runs->at[low].from_ms <= latest)
        low++;
    *to = low;
}

/* ---- clusters ---- */

static void clusters_of_runs(struct match *m, const struct run_set *runs)
{
    for (size_t i = 1; i < runs->count; i++)
        if (id128_equal(runs->at[i].word, runs->at[i - 1].word) &&
            runs->at[i].from_ms <= later(runs->at[i - 1].reach_ms, m->near_ms))
            unite(m->cluster, runs->at[i].at, runs->at[i - 1].at);
}

/* Two with one id opened at one time, so they are neighbours. */
static bool is_twin(const struct match *m, size_t i)
{
    return i > 0 &&
           id128_equal(m->held[i]->incident.opened->id, m->held[i - 1]->incident.opened->id) &&
           m->held[i]->side != m->held[i - 1]->side;
}

static void settle_clusters(struct match *m, int64_t passed_ms)
{
    int64_t *end = memory_alloc((m->count + 1) * sizeof(*end));

    for (uint32_t i = 0; i < m->count; i++)
        end[i] = INT64_MIN;
    for (uint32_t i = 0; i < m->count; i++) {
        int64_t *last = &end[find(m->cluster, i)];
        if (end_of(m, i) > *last)
            *last = end_of(m, i);
    }
    for (uint32_t i = 0; i < m->count; i++)
        m->held[i]->is_settled =
            passed_ms == INT64_MAX || later(end[find(m->cluster, i)], m->near_ms) < passed_ms;
    free(end);
}

/* ---- stages ---- */

/* How long both last together; negative: how long they lie apart. */
static int64_t overlap(const struct match *m, uint32_t a, uint32_t b)
{
    int64_t from = opened_of(m, a) > opened_of(m, b) ? opened_of(m, a) : opened_of(m, b);
    int64_t to = end_of(m, a) < end_of(m, b) ? end_of(m, a) : end_of(m, b);

    return to - from;
}

/* Where the other has a partner, both have to have the word at one time. Else it is enough to be
 * near. */
static bool may_join(const struct match *m, uint32_t a, int64_t from_ms, const struct place *b)
{
    int64_t from = from_ms > b->from_ms ? from_ms : b->from_ms;
    int64_t to = end_of(m, a) < end_of(m, b->at) ? end_of(m, a) : end_of(m, b->at);

    return m->held[a]->side != m->held[b->at]->side &&
           to - from >= (m->is_joined[b->at] ? 0 : -m->near_ms);
}

static int64_t apart(const struct match *m, uint32_t a, uint32_t b)
{
    int64_t distance = opened_of(m, a) - opened_of(m, b);

    return distance < 0 ? -distance : distance;
}

/* Whether `b` suits `a` better than `c`: more alerts, longer together, nearer openings; the earlier
 * in the order of all where nothing tells them apart. */
static bool is_better(const struct match *m, uint32_t a, uint32_t b, uint32_t c)
{
    if (m->shared[b] != m->shared[c])
        return m->shared[b] > m->shared[c];
    if (overlap(m, a, b) != overlap(m, a, c))
        return overlap(m, a, b) > overlap(m, a, c);
    if (apart(m, a, b) != apart(m, a, c))
        return apart(m, a, b) < apart(m, a, c);
    return b < c;
}

static void prefer(struct match *m, uint32_t at, uint32_t candidate)
{
    if (m->partner[at] == UINT32_MAX || is_better(m, at, candidate, m->partner[at]))
        m->partner[at] = candidate;
}

static void choose_by_key(struct match *m, uint32_t at)
{
    size_t from, to;

    run_find(m, &m->keys, m->held[at]->key, opened_of(m, at), at, &from, &to);
    for (size_t i = from; i < to; i++)
        if (may_join(m, at, opened_of(m, at), &m->keys.at[i]))
            prefer(m, at, m->keys.at[i].at);
}

/* Counts what is shared, chooses, and wipes the counts. */
static void choose_by_alerts(struct match *m, uint32_t at)
{
    const struct held *held = m->held[at];
    size_t from, to;

    for (int pass = 0; pass < 3; pass++)
        for (uint32_t k = 0; k < held->member_count; k++) {
            int64_t from_ms = held->member[k].from_ms;
            run_find(m, &m->alerts, held->member[k].alert, from_ms, at, &from, &to);
            for (size_t i = from; i < to; i++) {
                const struct place *place = &m->alerts.at[i];
                if (m->is_joined[place->at] || !may_join(m, at, from_ms, place))
                    continue;
                if (pass == 0)
                    m->shared[place->at]++;
                else if (pass == 1)
                    prefer(m, at, place->at);
                else
                    m->shared[place->at] = 0;
            }
        }
}

static void stage(struct match *m, void (*choose)(struct match *m, uint32_t at))
{
    for (uint32_t i = 0; i < m->count; i++) {
        m->partner[i] = UINT32_MAX;
        if (m->held[i]->is_settled && !m->is_joined[i])
            choose(m, i);
    }
    for (uint32_t i = 0; i < m->count; i++)
        if (m->partner[i] != UINT32_MAX) {
            unite(m->group, i, m->partner[i]);
            m->is_joined[i] = m->is_joined[m->partner[i]] = true;
        }
}

void incident_match(struct held **held, size_t count, int64_t near_ms, int64_t passed_ms)
{
    struct match m = {.held = held, .count = count, .near_ms = near_ms};

    if (count > 1)
        qsort(held, count, sizeof(struct held *), held_order);
    m.cluster = memory_alloc((count + 1) * sizeof(uint32_t));
    m.group = memory_alloc((count + 1) * sizeof(uint32_t));
    m.partner = memory_alloc((count + 1) * sizeof(uint32_t));
    m.shared = memory_alloc((count + 1) * sizeof(uint32_t));
    m.is_joined = memory_alloc((count + 1) * sizeof(bool));
    memset(m.shared, 0, (count + 1) * sizeof(uint32_t));
    memset(m.is_joined, 0, (count + 1) * sizeof(bool));
    for (uint32_t i = 0; i < count; i++)
        m.cluster[i] = m.group[i] = i;
    runs_make(&m);
    clusters_of_runs(&m, &m.keys);
    clusters_of_runs(&m, &m.alerts);
    for (uint32_t i = 0; i < count; i++)
        if (is_twin(&m, i)) {
            unite(m.cluster, i, i - 1);
            unite(m.group, i, i - 1);
            m.is_joined[i] = m.is_joined[i - 1] = true;
        }
    settle_clusters(&m, passed_ms);
    stage(&m, choose_by_key);
    stage(&m, choose_by_alerts);
    for (uint32_t i = 0; i < count; i++)
        held[i]->group = find(m.group, i);
    free(m.cluster);
    free(m.group);
    free(m.partner);
    free(m.shared);
    free(m.is_joined);
    free(m.keys.at);
    free(m.alerts.at);
}
