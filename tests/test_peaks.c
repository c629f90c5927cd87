/*
 * Aim: the largest of a stretch, and the next and the last place with so much, are those that a
 * look at every place finds. Method: arrays of random numbers, of few values so that many are
 * equal, from none to some that have four levels; all places asked for by chance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/hash.h"
#include "base/host.h"
#include "daemon/peaks.h"
#include "tests/sanitized.h"

enum { COUNT_MAX = 5000 };

static uint64_t seed;

static size_t pick(size_t below)
{
    seed += 0x9e3779b97f4a7c15ULL;
    return (size_t)(hash_mix(seed) % below);
}

static void ask(const struct peaks *peaks, size_t from, size_t to, int64_t least)
{
    const int64_t *at = peaks->level[0];
    int64_t largest = INT64_MIN;
    size_t next = to, last = to;

    for (size_t i = from; i < to; i++) {
        largest = at[i] > largest ? at[i] : largest;
        if (at[i] < least)
            continue;
        next = next == to ? i : next;
        last = i;
    }
    if (peaks_largest(peaks, from, to) != largest || peaks_next(peaks, from, to, least) != next ||
        peaks_last(peaks, from, to, least) != last)
        fail_msg("seed %llu: of %zu places %zu .. %zu, at least %lld", (unsigned long long)seed,
                 peaks->count, from, to, (long long)least);
}

static void a_search_finds_what_a_look_at_all_does(void **state)
{
    (void)state;
    struct peaks peaks;

    host()->random(host()->self, &seed, sizeof(seed));
    for (int round = 0; round < ROUNDS(400, 40); round++) {
        size_t count = pick(round % 4 == 0 ? COUNT_MAX : 70), values = 1 + pick(200);
        peaks_init(&peaks, count);
        for (size_t i = 0; i < count; i++)
            peaks.level[0][i] = (int64_t)pick(values) - 3;
        peaks_build(&peaks);
        for (int i = 0; i < 100; i++) {
            size_t from = pick(count + 1), to = from + pick(count - from + 1);
            ask(&peaks, from, to, (int64_t)pick(values + 2) - 4);
        }
        peaks_release(&peaks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_finds_what_a_look_at_all_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
