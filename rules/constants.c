/* constants.c - see constants.h. */
#include "rules/constants.h"

#include <stdlib.h>
#include <string.h>
#include "rules/text_sort.h"

static int order_texts(const void *a, const void *b)
{
    const struct text *x = a, *y = b;

    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x->len > 0 ? memcmp(x->at, y->at, x->len) : 0;
}

static int order_numbers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int order_reals(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

size_t constant_bytes(enum value_type type)
{
    _Static_assert(sizeof(double) == sizeof(int64_t), "one size for both kinds of number");
    return type == TYPE_TEXT ? sizeof(struct text) : sizeof(int64_t);
}

void constants_sort(void *items, uint32_t count, enum value_type type)
{
    /* Without memory for the fast way the slow one does. */
    if (type == TYPE_TEXT     ? text_sort_by_length(items, count)
        : type == TYPE_DOUBLE ? text_sort_reals(items, count)
                              : text_sort_whole(items, count))
        return;
    qsort(items, count, constant_bytes(type),
          type == TYPE_TEXT     ? order_texts
          : type == TYPE_DOUBLE ? order_reals
                                : order_numbers);
}

/* Whole numbers are found among real ones, and the other way round, where they are the same. */
static bool hold_mixed(const struct constant_list *list, const struct value *value)
{
    struct value other = {.type = TYPE_DOUBLE};
    int64_t whole;

    if (list->type == TYPE_DOUBLE) {
        other.real = (double)value->number;
        return value_order(&other, value) == 0 &&
               bsearch(&other.real, list->reals, list->count, sizeof(double), order_reals) != NULL;
    }
    if (value->real < -9223372036854775808.0 || value->real >= 9223372036854775808.0)
        return false;
    whole = (int64_t)value->real;
    return (double)whole == value->real &&
           bsearch(&whole, list->numbers, list->count, sizeof(whole), order_numbers) != NULL;
}

bool constants_hold(const struct constant_list *list, const struct value *value)
{
    if ((list->type == TYPE_DOUBLE) != (value->type == TYPE_DOUBLE))
        return hold_mixed(list, value);
    if (list->type == TYPE_TEXT)
        return bsearch(&value->text, list->texts, list->count, sizeof(struct text), order_texts) !=
               NULL;
    if (list->type == TYPE_DOUBLE)
        return bsearch(&value->real, list->reals, list->count, sizeof(double), order_reals) != NULL;
    return bsearch(&value->number, list->numbers, list->count, sizeof(int64_t), order_numbers) !=
           NULL;
}
