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
    enum { ROOM = 16 };
    char *room = malloc(ROOM);
    for (size_t i = 0; i < ROOM; i++)
        room[i] = (char)(0xf0 + i);
    for (size_t len = 0; len <= ROOM; len++) {
        uint64_t want = 0; /* of the last `len` bytes, up to the end of the allocation */
        for (size_t i = 0; i < len && i < 8; i++)
            want |= (uint64_t)(0xf0 + ROOM - len + i) << 8 * i;
        assert_true(bytes_load_short(room + ROOM - len, len) == want);
    }
    free(room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_exact_at_every_length),
        cmocka_unit_test(short_loads_end_with_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
