/* aggregates.c - see aggregates.h. */
#include "correlate/aggregates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "correlate/exact_sum.h"
#include "correlate/window_sums.h"

/* How many different values of distinct `index` are in the window; counting stops
 * above `enough`, which is all that a comparison with a constant can tell apart. */
static int64_t distinct(const struct window *window, uint32_t index, int64_t enough)
{
    enum { SEEN = 64 };
    uint64_t few[SEEN], *seen = few;
    int64_t count = 0, room = enough + 1 < SEEN ? enough + 1 : window->count;

    if (room > SEEN)
        seen = memory_alloc((size_t)room * sizeof(*seen));
    for (uint32_t e = window->span; e-- > 0 && count <= enough;) {
        if (window_is_gone(window, e))
            continue;
        uint64_t hash = window_values(window, e)->value[index].hash;
        int64_t i = 0;
        while (i < count && seen[i] != hash)
            i++;
        if (i == count)
            seen[count++] = hash;
    }
    if (seen != few)
        free(seen);
    return count;
}

static double sum_of(const struct window_column *column, enum aggregate_kind kind)
{
    struct exact_moments moments = {0};

    for (uint32_t e = 0; e < column->window->span; e++) {
        double number = window_number(column, e);
        if (number == number)
            exact_add(&moments, exact_of(number));
    }
    if (kind == AGGREGATE_SUM)
        return exact_to_real(moments.sum);
    if (moments.count == 0)
        return NAN;
    return kind == AGGREGATE_AVG ? exact_average(&moments) : exact_deviation(&moments);
}

static double end_of(const struct window_column *column, enum aggregate_kind kind)
{
    double found = NAN;

    for (uint32_t e = 0; e < column->window->span; e++) {
        double number = window_number(column, e);
        if (number != number)
            continue;
        if (found != found || kind == AGGREGATE_LAST || (kind == AGGREGATE_MIN && number < found) ||
            (kind == AGGREGATE_MAX && number > found))
            found = number;
    }
    return found;
}

static int number_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The smallest number that at least that share of them does not pass: one of them, always. */
static double quantile_of(const struct window_column *column, double share)
{
    enum { FEW = 64 };
    double few[FEW], *numbers = few, found = NAN;
    uint32_t count = 0;

    if (column->window->count > FEW)
        numbers = memory_alloc(column->window->count * sizeof(*numbers));
    for (uint32_t e = 0; e < column->window->span; e++) {
        double number = window_number(column, e);
        if (number == number)
            numbers[count++] = number;
    }
    if (count > 0) {
        double rank = ceil(share * count);
        qsort(numbers, count, sizeof(*numbers), number_order);
        found = numbers[rank < 1 ? 0 : (uint32_t)rank - 1];
    }
    if (numbers != few)
        free(numbers);
    return found;
}

/* Increase per second from the first number to the last; a counter that fell began again at 0. */
static double rate_of(const struct window_column *column)
{
    exact_number increase = 0, before = 0;
    int64_t first_ms = 0, last_ms = 0;
    uint32_t count = 0;

    for (uint32_t e = 0; e < column->window->span; e++) {
        double number = window_number(column, e);
        if (number != number)
            continue;
        exact_number now = exact_of(number);
        last_ms = window_at_ms(column->window, e);
        if (count++ == 0)
            first_ms = last_ms;
        else if (now >= before)
            increase += now - before;
        else if (now > 0)
            increase += now;
        before = now;
    }
    return last_ms > first_ms ? exact_to_real(increase) / ((double)(last_ms - first_ms) / 1000)
                              : NAN;
}

static double real_of(const struct rule *rule, const struct rule_aggregate *aggregate,
                      const struct window *window)
{
    struct window_column column = {window, (uint32_t)rule->has_distinct + aggregate->argument};

    switch (aggregate->kind) {
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
    case AGGREGATE_STDDEV:
        return sum_of(&column, aggregate->kind);
    case AGGREGATE_QUANTILE:
        return quantile_of(&column, aggregate->share);
    case AGGREGATE_RATE:
        return rate_of(&column);
    default:
        return end_of(&column, aggregate->kind);
    }
}

void aggregates_compute(const struct rule *rule, const struct window *window, bool exact,
                        int64_t value[RULE_AGGREGATES_MAX], uint32_t index[RULE_AGGREGATES_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < rule->aggregate_count; i++) {
        const struct rule_aggregate *aggregate = &rule->aggregate[i];
        index[i] = 0;
        if (aggregate->kind == AGGREGATE_COUNT) {
            value[i] = window->count;
        } else if (aggregate->kind == AGGREGATE_DISTINCT) {
            index[i] = count++;
            value[i] = window->sums != NULL
                           ? window_sums_value(window, i)
                           : distinct(window, index[i], exact ? window->count : aggregate->limit);
        } else if (aggregate->kind == AGGREGATE_DEVIATION) {
            value[i] = aggregate_of_real(NAN); /* no window knows what is usual */
        } else if (window->sums != NULL) {
            value[i] = window_sums_value(window, i);
        } else {
            value[i] = aggregate_of_real(real_of(rule, aggregate, window));
        }
    }
}
