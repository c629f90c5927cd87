/* window_sums.c - see window_sums.h. */
#include "correlate/window_sums.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include "correlate/exact_sum.h"
#include "correlate/order_tree.h"
#include "correlate/value_counts.h"
#include "correlate/window_extremes.h"
#include "correlate/window_repeats.h"

/* How many entries have a number, and the places (as in window_extremes.h) of the first and the
 * last of them. */
struct ends {
    uint32_t count, first, last;
};

struct part {
    union {
        struct exact_moments moments; /* sum, avg, stddev */
        exact_number increase;        /* rate */
        struct extremes extremes;     /* min, max */
        struct value_counts counts;   /* distinct */
        struct order_tree tree;       /* quantile */
    };
    struct ends ends; /* first, last, rate */
};

struct window_sums {
    struct window_repeats repeats; /* of a rule that keeps values */
    uint32_t base;                 /* how many have left at the old end, modulo 2^32 */
    struct part part[];
};

static size_t sums_bytes(const struct rule *rule)
{
    return sizeof(struct window_sums) + rule->aggregate_count * sizeof(struct part);
}

bool window_sums_wanted(const struct rule *rule)
{
    if (rule->keeps_values)
        return true;
    for (uint32_t i = 0; i < rule->aggregate_count && !rule->looks_at_end; i++)
        if (rule->aggregate[i].kind != AGGREGATE_COUNT)
            return true;
    return false;
}

/* --- neighbours that have a number ---------------------------------------------------------- */

/* The one before entry `i`; false if there is none. */
static bool number_before(const struct window_column *column, uint32_t i, uint32_t *found)
{
    while (i-- > 0) {
        if (window_is_gone(column->window, i)) {
            i -= window_gone_run(column->window, i) - 1;
            continue;
        }
        double number = window_number(column, i);
        if (number == number) {
            *found = i;
            return true;
        }
    }
    return false;
}

static bool number_after(const struct window_column *column, uint32_t i, uint32_t *found)
{
    while (++i < column->window->span) {
        if (window_is_gone(column->window, i)) {
            i += window_gone_run(column->window, i) - 1;
            continue;
        }
        double number = window_number(column, i);
        if (number == number) {
            *found = i;
            return true;
        }
    }
    return false;
}

static void ends_put(struct ends *ends, uint32_t base, uint32_t i)
{
    if (ends->count == 0 || i < ends->first - base)
        ends->first = base + i;
    if (ends->count == 0 || i > ends->last - base)
        ends->last = base + i;
    ends->count++;
}

static void ends_take(struct ends *ends, const struct window_column *column, uint32_t base,
                      uint32_t i)
{
    uint32_t found = i;

    if (--ends->count == 0)
        return;
    if (ends->first == base + i && number_after(column, i, &found))
        ends->first = base + found;
    if (ends->last == base + i && number_before(column, i, &found))
        ends->last = base + found;
}

static void ends_close_up(struct ends *ends, uint32_t base, uint32_t i)
{
    if (ends->count == 0)
        return;
    ends->first -= ends->first - base > i;
    ends->last -= ends->last - base > i;
}

/* --- rate --------------------------------------------------------------------------------------
 */

/* From one number to the next; a counter that fell began again at 0. */
static exact_number rise(const struct window_column *column, uint32_t from, uint32_t to)
{
    exact_number before = exact_of(window_number(column, from));
    exact_number now = exact_of(window_number(column, to));

    if (now >= before)
        return now - before;
    return now > 0 ? now : 0;
}

/* What entry `i`, which has a number, adds to the increase by standing between its neighbours. */
static exact_number rise_of(const struct part *part, const struct window_column *column,
                            uint32_t base, uint32_t i)
{
    uint32_t before = 0, after = 0;
    /* The ends are known: from outside of them nothing has to be looked for. */
    bool has_before = part->ends.count > 0 && part->ends.first - base < i;
    bool has_after = part->ends.count > 0 && part->ends.last - base > i;
    exact_number increase = 0;

    if (has_before && number_before(column, i, &before))
        increase += rise(column, before, i);
    if (has_after && number_after(column, i, &after))
        increase += rise(column, i, after);
    if (has_before && has_after)
        increase -= rise(column, before, after);
    return increase;
}

static double rate(const struct window *window, const struct part *part)
{
    if (part->ends.count == 0)
        return NAN;
    int64_t first_ms = window_at_ms(window, part->ends.first - window->sums->base);
    int64_t last_ms = window_at_ms(window, part->ends.last - window->sums->base);
    return last_ms > first_ms
               ? exact_to_real(part->increase) / ((double)(last_ms - first_ms) / 1000)
               : NAN;
}

/* --- one aggregate -----------------------------------------------------------------------------
 */

/* Takes the number of entry `i` in, or out again. */
static void part_change(struct window_sums *sums, uint32_t p, const struct window_column *column,
                        uint32_t i, bool comes, struct slab *slab)
{
    const struct rule_aggregate *aggregate = &column->window->rule->aggregate[p];
    struct part *part = &sums->part[p];
    double number = window_number(column, i);

    if (number != number)
        return;
    switch (aggregate->kind) {
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_STDDEV:
        (comes ? exact_add : exact_take)(&part->moments, exact_of(number));
        break;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        (comes ? extremes_put : extremes_take)(&part->extremes, column, sums->base, i, slab);
        break;
    case AGGREGATE_QUANTILE:
        if (comes)
            order_tree_add(&part->tree, number, slab);
        else
            order_tree_take(&part->tree, number);
        break;
    default: /* of its ends: first, last, rate */
        if (aggregate->kind == AGGREGATE_RATE)
            part->increase += (comes ? 1 : -1) * rise_of(part, column, sums->base, i);
        if (comes)
            ends_put(&part->ends, sums->base, i);
        else
            ends_take(&part->ends, column, sums->base, i);
    }
}

static struct window_column column_of(const struct window *window, uint32_t p)
{
    return (struct window_column){window, (uint32_t)window->rule->has_distinct +
                                              window->rule->aggregate[p].argument};
}

static void value_add(const struct window *window, struct value_counts *counts, uint32_t i,
                      uint64_t hash, struct slab *slab)
{
    struct window_repeats *repeats = &window->sums->repeats;

    if (!window->rule->keeps_values) {
        value_counts_add(counts, hash, 0, slab);
        return;
    }
    uint32_t number = window_repeats_number(repeats, window, i);
    window_repeats_add(repeats, window, value_counts_add(counts, hash, number, slab), slab);
}

static void change(const struct window *window, uint32_t i, bool comes, struct slab *slab)
{
    const struct rule *rule = window->rule;
    uint32_t distinct = 0;

    for (uint32_t p = 0; p < rule->aggregate_count; p++) {
        struct part *part = &window->sums->part[p];
        if (rule->aggregate[p].kind == AGGREGATE_DISTINCT) {
            uint64_t hash = window_values(window, i)->value[distinct++].hash;
            if (comes)
                value_add(window, &part->counts, i, hash, slab);
            else
                value_counts_take(&part->counts, hash);
        } else if (aggregate_is_real(rule->aggregate[p].kind)) {
            const struct window_column column = column_of(window, p);
            part_change(window->sums, p, &column, i, comes, slab);
        }
    }
}

/* --- the window --------------------------------------------------------------------------------
 */

static void make(struct window *window, struct slab *slab)
{
    const struct rule *rule = window->rule;
    size_t bytes = sums_bytes(rule);

    window->sums = memset(slab_alloc(slab, bytes), 0, bytes);
    for (uint32_t p = 0; p < rule->aggregate_count; p++)
        if (rule->aggregate[p].kind == AGGREGATE_MAX)
            window->sums->part[p].extremes.is_max = true;
    for (uint32_t i = 0; i < window->span; i++)
        change(window, i, true, slab);
    *window_ring_sums(window->block, window->stride) = window->sums;
}

void window_sums_put(struct window *window, uint32_t i, struct slab *slab)
{
    if (window->sums != NULL)
        change(window, i, true, slab);
    else if (window->has_sums)
        make(window, slab);
}

void window_sums_take(struct window *window, uint32_t i, struct slab *slab)
{
    if (window->sums == NULL)
        return;
    if (window->rule->keeps_values)
        window_repeats_change(&window->sums->repeats, window, i);
    change(window, i, false, slab);
}

void window_sums_pop(struct window *window, struct slab *slab)
{
    if (window->sums == NULL)
        return;
    change(window, 0, false, slab);
    window_repeats_leave(&window->sums->repeats, 0);
    window->sums->base++;
}

void window_sums_remove(struct window *window, uint32_t i, struct slab *slab)
{
    const struct rule *rule = window->rule;
    struct window_sums *sums = window->sums;

    if (sums == NULL)
        return;
    change(window, i, false, slab);
    window_repeats_leave(&sums->repeats, i);
    for (uint32_t p = 0; p < rule->aggregate_count; p++) {
        enum aggregate_kind kind = rule->aggregate[p].kind;
        if (kind == AGGREGATE_MIN || kind == AGGREGATE_MAX)
            extremes_close_up(&sums->part[p].extremes, sums->base, i);
        else if (kind == AGGREGATE_FIRST || kind == AGGREGATE_LAST || kind == AGGREGATE_RATE)
            ends_close_up(&sums->part[p].ends, sums->base, i);
    }
}

void window_sums_gone(struct window *window, uint32_t i, struct slab *slab)
{
    if (window->sums == NULL)
        return;
    change(window, i, false, slab);
    window_repeats_gone(&window->sums->repeats, i);
}

void window_sums_trimmed(struct window *window, uint32_t places)
{
    if (window->sums == NULL)
        return;
    window_repeats_trimmed(&window->sums->repeats, places, window->span);
    window->sums->base += places;
}

void window_sums_again(struct window *window, struct slab *slab)
{
    if (window->sums == NULL)
        return;
    window_sums_free(window, slab);
    make(window, slab);
}

static double real_of(const struct window *window, uint32_t p)
{
    const struct rule_aggregate *aggregate = &window->rule->aggregate[p];
    const struct part *part = &window->sums->part[p];
    const struct window_column column = column_of(window, p);
    uint32_t base = window->sums->base;

    switch (aggregate->kind) {
    case AGGREGATE_SUM:
        return exact_to_real(part->moments.sum);
    case AGGREGATE_AVG:
        return part->moments.count > 0 ? exact_average(&part->moments) : NAN;
    case AGGREGATE_STDDEV:
        return part->moments.count > 0 ? exact_deviation(&part->moments) : NAN;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        return extremes_get(&part->extremes);
    case AGGREGATE_QUANTILE: {
        uint32_t count = order_tree_count(&part->tree);
        double rank = ceil(aggregate->share * count);
        return count > 0 ? order_tree_at(&part->tree, rank < 1 ? 1 : (uint32_t)rank) : NAN;
    }
    case AGGREGATE_RATE:
        return rate(window, part);
    case AGGREGATE_FIRST:
        return part->ends.count > 0 ? window_number(&column, part->ends.first - base) : NAN;
    case AGGREGATE_LAST:
        return part->ends.count > 0 ? window_number(&column, part->ends.last - base) : NAN;
    default:
        assert(false && "an aggregate that is kept");
        return NAN;
    }
}

int64_t window_sums_value(const struct window *window, uint32_t i)
{
    if (window->rule->aggregate[i].kind == AGGREGATE_DISTINCT)
        return window->sums->part[i].counts.different;
    return aggregate_of_real(real_of(window, i));
}

uint32_t window_sums_oldest_repeated(const struct window *window, uint32_t looks)
{
    const struct rule *rule = window->rule;
    uint32_t p = 0;

    assert(rule->keeps_values);
    while (rule->aggregate[p].kind != AGGREGATE_DISTINCT)
        p++;
    return window_repeats_oldest(&window->sums->repeats, window, &window->sums->part[p].counts,
                                 looks);
}

void window_sums_free(struct window *window, struct slab *slab)
{
    const struct rule *rule = window->rule;

    if (window->sums == NULL)
        return;
    for (uint32_t p = 0; p < rule->aggregate_count; p++) {
        struct part *part = &window->sums->part[p];
        switch (rule->aggregate[p].kind) {
        case AGGREGATE_MIN:
        case AGGREGATE_MAX:
            extremes_free(&part->extremes, slab);
            break;
        case AGGREGATE_DISTINCT:
            value_counts_free(&part->counts, slab);
            break;
        case AGGREGATE_QUANTILE:
            order_tree_free(&part->tree, slab);
            break;
        default:
            break;
        }
    }
    window_repeats_free(&window->sums->repeats, slab);
    slab_free(slab, window->sums, sums_bytes(rule));
    window->sums = NULL;
}
