/*
 * incident_match.c - see incident_match.h.
 *
 * Three stages, each of which looks at all incidents as the stage before left them, so that
 * neither the order of incidents nor which run is called old makes a difference. A key may find
 * what has a partner, an alert may not: else each incident of a rule that was added would change
 * those of every rule that looks at the same alerts. What may meet is found in runs: incidents with
 * one (rule, key), ordered by opening, or with one alert, ordered by when it joined. For the stages
 * a run falls into lanes, by side and by whether a stage before found a partner, and the latest end
 * and the longest life of any stretch of a lane are known. So the best by key is found without a
 * look at the others, and of those that have an alert only the nearest that fit are looked at:
 * thousands of incidents of one key cost each of them a search, not a look at all.
 */
#include "daemon/incident_match.h"

#include <stdlib.h>
#include <string.h>
#include "base/slab.h"
#include "daemon/peaks.h"

/* One incident in the run of one word: a key, or an alert since it joined. */
struct place {
    struct id128 word;
    int64_t from_ms, end_ms;
    uint32_t at; /* index of the incident */
    uint8_t lane;
};

struct run_set {
    struct place *at;
    size_t count;
    struct peaks ends, lives; /* of each place: the end, and end less begin */
};

/* Places `from` .. `to` - 1 of a run set. */
struct stretch {
    size_t from, to;
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
    uint32_t *sharing;         /* those with a count in `shared` */
    size_t sharing_count;
    struct match_cost cost;
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
    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
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

static void runs_order(struct run_set *runs)
{
    if (runs->count > 1)
        qsort(runs->at, runs->count, sizeof(runs->at[0]), place_order);
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
        m->keys.at[m->keys.count++] = (struct place){
            .word = held->key, .from_ms = opened_of(m, i), .end_ms = end_of(m, i), .at = i};
        for (uint32_t k = 0; k < held->member_count; k++)
            m->alerts.at[m->alerts.count++] = (struct place){.word = held->member[k].alert,
                                                             .from_ms = held->member[k].from_ms,
                                                             .end_ms = end_of(m, i),
                                                             .at = i};
    }
    runs_order(&m->keys);
    runs_order(&m->alerts);
}

static uint8_t lane_of(enum diff_side side, bool is_joined)
{
    return (uint8_t)(1 + 2 * (int)side + (is_joined ? 1 : 0));
}

/* Parts the runs of what is settled, which is all that may meet each other, into lanes by what the
 * stages before found. */
static void lanes_make(const struct match *m, struct run_set *runs)
{
    size_t settled = 0;

    for (size_t i = 0; i < runs->count; i++) {
        uint32_t at = runs->at[i].at;
        if (!m->held[at]->is_settled)
            continue;
        runs->at[settled] = runs->at[i];
        runs->at[settled++].lane = lane_of(m->held[at]->side, m->is_joined[at]);
    }
    runs->count = settled;
    runs_order(runs);
    peaks_init(&runs->ends, runs->count);
    peaks_init(&runs->lives, runs->count);
    for (size_t i = 0; i < runs->count; i++) {
        runs->ends.level[0][i] = runs->at[i].end_ms;
        runs->lives.level[0][i] = runs->at[i].end_ms - runs->at[i].from_ms;
    }
    peaks_build(&runs->ends);
    peaks_build(&runs->lives);
}

static void runs_release(struct run_set *runs)
{
    peaks_release(&runs->ends);
    peaks_release(&runs->lives);
    free(runs->at);
    *runs = (struct run_set){0};
}

/* The first of `within`, a part of the set, that does not come before (word, lane, begin). */
static size_t find_place(const struct run_set *runs, struct stretch within, struct id128 word,
                         uint8_t lane, int64_t from_ms)
{
    const struct place sought = {.word = word, .lane = lane, .from_ms = from_ms};
    size_t low = within.from, high = within.to;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (place_order(&runs->at[middle], &sought) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct stretch find_lane(const struct run_set *runs, struct id128 word, uint8_t lane)
{
    struct stretch all = {0, runs->count};

    all.from = find_place(runs, all, word, lane, INT64_MIN);
    all.to = find_place(runs, all, word, (uint8_t)(lane + 1), INT64_MIN);
    return all;
}

/* ---- clusters ---- */

/* Of runs that have no lanes yet: each has one order by begin. */
static void clusters_of_runs(struct match *m, const struct run_set *runs)
{
    int64_t reach_ms = INT64_MIN; /* latest end of the run so far */

    for (size_t i = 0; i < runs->count; i++) {
        const struct place *place = &runs->at[i];
        bool is_first = i == 0 || !id128_equal(place->word, place[-1].word);
        if (!is_first && place->from_ms <= later(reach_ms, m->near_ms))
            unite(m->cluster, place->at, place[-1].at);
        if (is_first || place->end_ms > reach_ms)
            reach_ms = place->end_ms;
    }
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

/* Both have the word since `from_ms` and `b->from_ms`. Where the other has a partner, it has to be
 * at one time. Else it is enough to be near. */
static bool may_join(const struct match *m, uint32_t a, int64_t from_ms, const struct place *b)
{
    int64_t from = from_ms > b->from_ms ? from_ms : b->from_ms;
    int64_t to = end_of(m, a) < b->end_ms ? end_of(m, a) : b->end_ms;

    return to - from >= (m->is_joined[b->at] ? 0 : -m->near_ms);
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

static void weigh(struct match *m, uint32_t at, const struct place *place)
{
    m->cost.weighed++;
    if (may_join(m, at, opened_of(m, at), place))
        prefer(m, at, place->at);
}

/* The best of those that opened before: the part that both have ends with the one or the other, so
 * it is longest where the other lasts to this one's end, and else where it ends last. Of several,
 * the opening that is nearest is the last. */
static void weigh_before(struct match *m, uint32_t at, struct stretch before)
{
    const struct run_set *runs = &m->keys;
    int64_t most_ms = peaks_largest(&runs->ends, before.from, before.to);
    struct stretch tied = before;
    size_t best;

    if (before.from == before.to)
        return;
    if (most_ms > end_of(m, at))
        most_ms = end_of(m, at);
    best = peaks_last(&runs->ends, before.from, before.to, most_ms);
    tied.to = best + 1;
    tied.from =
        find_place(runs, tied, runs->at[best].word, runs->at[best].lane, runs->at[best].from_ms);
    weigh(m, at, &runs->at[peaks_next(&runs->ends, tied.from, tied.to, most_ms)]);
}

/* The best of those that opened with it or after: the first that lasts to this one's end, since
 * each later one has less of it; or the longest of those before that one, which end sooner. */
static void weigh_after(struct match *m, uint32_t at, struct stretch after)
{
    const struct run_set *runs = &m->keys;
    size_t lasts = peaks_next(&runs->ends, after.from, after.to, end_of(m, at));
    int64_t longest_ms = peaks_largest(&runs->lives, after.from, lasts);

    if (lasts > after.from)
        weigh(m, at, &runs->at[peaks_next(&runs->lives, after.from, lasts, longest_ms)]);
    if (lasts < after.to)
        weigh(m, at, &runs->at[lasts]);
}

/* In each lane the best is the one that fits, if any does. */
static void choose_by_key(struct match *m, uint32_t at)
{
    const struct held *held = m->held[at];
    enum diff_side other = held->side == DIFF_OLD ? DIFF_NEW : DIFF_OLD;

    for (int joined = 0; joined < 2; joined++) {
        uint8_t lane = lane_of(other, joined != 0);
        struct stretch all = find_lane(&m->keys, held->key, lane);
        size_t middle = find_place(&m->keys, all, held->key, lane, opened_of(m, at));
        weigh_before(m, at, (struct stretch){all.from, middle});
        weigh_after(m, at, (struct stretch){middle, all.to});
    }
}

static void share(struct match *m, uint32_t at)
{
    m->cost.weighed++;
    if (m->shared[at]++ == 0)
        m->sharing[m->sharing_count++] = at;
}

/* Counts for each of the nearest that fit by an alert that it is shared. Returns true where there
 * are more. */
static bool share_alert(struct match *m, uint32_t at, const struct held_member *member,
                        uint8_t lane)
{
    const struct run_set *runs = &m->alerts;
    struct stretch all = find_lane(runs, member->alert, lane);
    size_t middle = find_place(runs, all, member->alert, lane, member->from_ms);
    int64_t since_ms = member->from_ms - m->near_ms, until_ms = later(end_of(m, at), m->near_ms);
    bool has_more = false;

    for (size_t end = middle, found = 0; end > all.from && !has_more;) {
        size_t place = peaks_last(&runs->ends, all.from, end, since_ms);
        if (place == end)
            break;
        end = place;
        if (!may_join(m, at, member->from_ms, &runs->at[place]))
            continue;
        has_more = found++ == MATCH_NEAREST;
        if (!has_more)
            share(m, runs->at[place].at);
    }
    for (size_t place = middle, found = 0;
         place < all.to && runs->at[place].from_ms <= until_ms && found <= MATCH_NEAREST; place++) {
        if (!may_join(m, at, member->from_ms, &runs->at[place]))
            continue;
        if (found++ < MATCH_NEAREST)
            share(m, runs->at[place].at);
        else
            has_more = true;
    }
    return has_more;
}

/* Counts what is shared, chooses, and wipes the counts. */
static void choose_by_alerts(struct match *m, uint32_t at)
{
    const struct held *held = m->held[at];
    uint8_t lane = lane_of(held->side == DIFF_OLD ? DIFF_NEW : DIFF_OLD, false);
    bool has_more = false;

    m->sharing_count = 0;
    for (uint32_t k = 0; k < held->member_count; k++)
        has_more |= share_alert(m, at, &held->member[k], lane);
    for (size_t i = 0; i < m->sharing_count; i++)
        prefer(m, at, m->sharing[i]);
    for (size_t i = 0; i < m->sharing_count; i++)
        m->shared[m->sharing[i]] = 0;
    m->cost.nearest_only += has_more;
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

struct match_cost incident_match(struct held **held, size_t count, int64_t near_ms,
                                 int64_t passed_ms)
{
    struct match m = {.held = held, .count = count, .near_ms = near_ms};

    if (count > 1)
        qsort(held, count, sizeof(struct held *), held_order);
    m.cluster = memory_alloc((count + 1) * sizeof(uint32_t));
    m.group = memory_alloc((count + 1) * sizeof(uint32_t));
    m.partner = memory_alloc((count + 1) * sizeof(uint32_t));
    m.shared = memory_alloc((count + 1) * sizeof(uint32_t));
    m.sharing = memory_alloc((count + 1) * sizeof(uint32_t));
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
    lanes_make(&m, &m.keys);
    stage(&m, choose_by_key);
    runs_release(&m.keys);
    lanes_make(&m, &m.alerts);
    stage(&m, choose_by_alerts);
    runs_release(&m.alerts);
    for (uint32_t i = 0; i < count; i++)
        held[i]->group = find(m.group, i);
    free(m.cluster);
    free(m.group);
    free(m.partner);
    free(m.shared);
    free(m.sharing);
    free(m.is_joined);
    return m.cost;
}
