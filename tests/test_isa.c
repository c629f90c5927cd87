/*
 * Aim: whichever instruction set is chosen, the answers are those of plain C; what is chosen is
 * what is asked for, or nothing. Method: isa_answers.h under each set that this processor has, item
 * by item; names that there are, that this processor lacks and that there are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include "tests/isa_answers.h"
#include "tests/random_seed.h"

static int back_to_the_best(void **state)
{
    (void)state;
    isa_use(isa_best());
    return 0;
}

static void the_best_is_chosen_before_main(void **state)
{
    (void)state;
    assert_int_equal(isa_chosen(), isa_best());
#if defined(__x86_64__)
    assert_true(isa_is_supported(ISA_SSE2));
    assert_true(isa_best() >= ISA_SSE2);
#endif
}

static void a_set_that_is_there_is_chosen_by_name(void **state)
{
    struct error err = {{0}};
    char list[ISA_LIST_BYTES], want[ISA_LIST_BYTES] = "";

    (void)state;
    for (unsigned isa = ISA_COUNT; isa-- > 0;) {
        if (!isa_is_supported((enum isa)isa))
            continue;
        assert_int_equal(isa_choose(isa_name((enum isa)isa), &err), 0);
        assert_int_equal(isa_chosen(), isa);
        snprintf(want + strlen(want), sizeof(want) - strlen(want), "%s%s",
                 want[0] != '\0' ? ", " : "", isa_name((enum isa)isa));
    }
    assert_string_equal(isa_list(list), want);
    assert_string_equal(err.text, "");
}

static void a_set_that_is_not_there_is_refused_with_those_that_are(void **state)
{
    char list[ISA_LIST_BYTES], want[512];
    unsigned refused = 0;

    (void)state;
    isa_list(list);
    for (unsigned isa = 0; isa < ISA_COUNT; isa++) {
        struct error err = {{0}};
        const char *name = isa_name((enum isa)isa);
        if (isa_is_supported((enum isa)isa))
            continue;
        assert_int_equal(isa_choose(name, &err), -ENOTSUP);
        snprintf(want, sizeof(want), "this processor has no %s; what it has is %s", name, list);
        assert_string_equal(err.text, want);
        assert_int_equal(isa_chosen(), isa_best());
        refused++;
    }
    assert_true(refused > 0); /* no processor is of both architectures */
}

static void a_mistyped_set_is_refused_with_the_nearest(void **state)
{
    static const char *const names[][2] = {
        {"scalr", "; did you mean \"scalar\"?"}, {"fastest", ""}, {"", ""}};
    char list[ISA_LIST_BYTES], want[512];

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct error err = {{0}};
        assert_int_equal(isa_choose(names[i][0], &err), -EINVAL);
        snprintf(want, sizeof(want),
                 "no instruction set is named \"%s\"; what this processor has is %s%s", names[i][0],
                 isa_list(list), names[i][1]);
        assert_string_equal(err.text, want);
        assert_int_equal(isa_chosen(), isa_best());
    }
}

static void every_set_answers_as_plain_c_does(void **state)
{
    static uint64_t want[ISA_ITEMS], got[ISA_ITEMS];
    uint64_t seed = random_seed("TOCSIN_ISA_SEED");
    unsigned compared = 0;

    (void)state;
    for (unsigned c = 0; c < ISA_CHAPTERS; c++) {
        isa_use(ISA_SCALAR);
        isa_chapters[c].answer(seed, want);
        for (unsigned isa = ISA_SCALAR + 1; isa < ISA_COUNT; isa++) {
            if (!isa_is_supported((enum isa)isa))
                continue;
            isa_use((enum isa)isa);
            isa_chapters[c].answer(seed, got);
            for (uint32_t i = 0; i < ISA_ITEMS; i++)
                if (got[i] != want[i])
                    fail_msg("%s, item %u: %s and scalar do not agree", isa_chapters[c].name, i,
                             isa_name((enum isa)isa));
            compared++;
        }
    }
    print_message("%u comparisons of %d items\n", compared, ISA_ITEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_is_chosen_before_main),
        cmocka_unit_test_teardown(a_set_that_is_there_is_chosen_by_name, back_to_the_best),
        cmocka_unit_test(a_set_that_is_not_there_is_refused_with_those_that_are),
        cmocka_unit_test(a_mistyped_set_is_refused_with_the_nearest),
        cmocka_unit_test_teardown(every_set_answers_as_plain_c_does, back_to_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
