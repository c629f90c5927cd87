/*
 * Aim: short loads and copies give what memcpy gives, and touch nothing else.
 * Method: every length up to 200, in allocations of exactly that size (asan sees one
 * byte more), with guard bytes behind the copy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "base/bytes.h"

enum { LONGEST = 200, GUARD = 70 };

static void copies_are_exact_at_every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= LONGEST; len++) {
        char *from = malloc(len > 0 ? len : 1), to[LONGEST + GUARD];
        for (size_t i = 0; i < len; i++)
            from[i] = (char)(i + 1);
        memset(to, 0x55, sizeof(to));
        assert_ptr_equal(bytes_put(to, from, len), to + len);
        for (size_t i = 0; i < sizeof(to); i++)
            assert_int_equal((unsigned char)to[i], i < len ? (unsigned char)(i + 1) : 0x55);
        free(from);
    }
}

static void short_loads_end_with_zeros(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 16; len++) {
        char *from = malloc(len > 0 ? len : 1);
        uint64_t want = 0;
        for (size_t i = 0; i < len; i++) {
            from[i] = (char)(0xf1 + i);
            if (i < 8)
                want |= (uint64_t)(0xf1 + i) << 8 * i;
        }
        assert_true(bytes_load_short(from, len) == want);
        free(from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_exact_at_every_length),
        cmocka_unit_test(short_loads_end_with_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
