/* key_sort.c - see key_sort.h. */
#include "correlate/key_sort.h"

#include <stdlib.h>

enum { INSERTION_MAX = 24 };

static int time_order(const void *a, const void *b)
{
    const struct key_candidate *x = a, *y = b;

    return (x->last_ms > y->last_ms) - (x->last_ms < y->last_ms);
}

/* Of keys of one time. */
static int words_order(const void *a, const void *b)
{
    const struct key_candidate *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return key_text_compare(x->text, y->text);
}

/* Up to `most`, how many bytes two texts begin with alike. */
static uint32_t alike(struct text a, struct text b, uint32_t most)
{
    uint32_t n = 0;

    most = most < a.len ? most : a.len;
    most = most < b.len ? most : b.len;
    while (n < most && a.at[n] == b.at[n])
        n++;
    return n;
}

/* Where keys begin to differ: in this of their values, behind so many of its bytes. */
struct fork {
    uint32_t value, bytes;
};

/* Narrows the fork of `a` and others to that of all of them and `b`. */
static void fork_narrow(struct fork *fork, const struct key_text *a, const struct key_text *b)
{
    for (uint32_t v = 0; v <= fork->value && v < a->count && v < b->count; v++) {
        struct text x = key_text_value(a, v), y = key_text_value(b, v);
        uint32_t bytes = alike(x, y, v == fork->value ? fork->bytes : UINT32_MAX);
        if (v == fork->value || bytes < x.len || bytes < y.len) {
            *fork = (struct fork){v, bytes};
            return;
        }
    }
}

/* Eight bytes from the fork on, as a number that goes by their order; a text that ends before them
 * goes before those that do not. */
static uint64_t begin_of(const struct key_text *key, struct fork fork)
{
    uint64_t begin = 0;

    if (fork.value >= key->count)
        return 0;
    struct text text = key_text_value(key, fork.value);
    for (uint32_t i = 0; i < sizeof(begin); i++)
        begin =
            begin << 8 | (fork.bytes + i < text.len ? (unsigned char)text.at[fork.bytes + i] : 0);
    return begin;
}

/* Keys of one time. */
static void words_sort(struct key_candidate *at, size_t count)
{
    struct fork fork = {UINT32_MAX, UINT32_MAX};

    for (size_t i = 1; i < count; i++)
        fork_narrow(&fork, at[0].text, at[i].text);
    for (size_t i = 0; i < count; i++)
        at[i].begin = begin_of(at[i].text, fork);
    if (count > INSERTION_MAX) {
        qsort(at, count, sizeof(*at), words_order);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        const struct key_candidate candidate = at[i];
        size_t to = i;
        for (; to > 0 && words_order(&candidate, &at[to - 1]) < 0; to--)
            at[to] = at[to - 1];
        at[to] = candidate;
    }
}

static bool are_in_time(const struct key_candidate *at, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (at[i].last_ms < at[i - 1].last_ms)
            return false;
    return true;
}

void key_sort(struct key_candidate *at, size_t count)
{
    /* New keys come in the order of their times. */
    if (!are_in_time(at, count))
        qsort(at, count, sizeof(*at), time_order);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && at[to].last_ms == at[from].last_ms; to++)
            ;
        if (to - from > 1)
            words_sort(at + from, to - from);
    }
}
