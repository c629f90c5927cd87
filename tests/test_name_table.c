/*
 * Aim: names get rows that stay, items the order of their names, and a name that comes twice is
 * told, whatever was known before.
 * Method: random objects out of few names, many names and names that share long beginnings; sorting
 * by memcmp as the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "ingest/name_table.h"
#include "tests/random_seed.h"

enum { POOL = 6000, NAME_ROOM = 64, ITEMS_MAX = 300, OBJECTS = 3000 };

static char pool[POOL][NAME_ROOM];
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((random_state >> 33) % limit);
}

/* Names of 1 to 32 bytes, all different; some with high bytes, which stand behind ASCII. */
static void make_pool(void)
{
    for (uint32_t i = 0; i < POOL; i++) {
        static const char *const forms[] = {"%u", "app_kubernetes_io_very_long_%u", "l%ux",
                                            "%u_label_app_kubernetes_", "\xc3\xa9%u"};
        snprintf(pool[i], NAME_ROOM, forms[i % 5], i);
        assert_true(strlen(pool[i]) <= NAME_TABLE_BYTES);
    }
}

static uint32_t row_of(struct name_table *table, const char *name, bool quickly)
{
    char room[NAME_TABLE_BYTES + NAME_ROOM];

    if (!quickly)
        return name_table_row(table, name, (uint32_t)strlen(name));
    /* What stands behind the name must not count. */
    memset(room, 'x', sizeof(room));
    memcpy(room, name, strlen(name));
    return name_table_row_quick(table, room, (uint32_t)strlen(name));
}

static const char *const *sorted_names;

static int compare_items(const void *a, const void *b)
{
    return strcmp(sorted_names[*(const uint16_t *)a], sorted_names[*(const uint16_t *)b]);
}

/* One object of names from pool[from .. from + range). Returns whether all of them had rows. */
static bool check_object(struct name_table *table, uint32_t from, uint32_t range)
{
    const char *name[ITEMS_MAX];
    uint16_t got[ITEMS_MAX], want[ITEMS_MAX];
    uint32_t count = 0, wanted = random_below(range < 40 ? range : 40) + 1;
    bool is_whole = true;

    name_table_start(table);
    while (count < wanted) {
        const char *it = pool[from + random_below(range)];
        uint32_t row = row_of(table, it, random_below(2) == 0);
        bool is_new = true;
        for (uint32_t i = 0; i < count; i++)
            is_new &= name[i] != it;
        if (row == NAME_TABLE_STRANGER) {
            is_whole = false;
            wanted--;
            continue;
        }
        assert_int_equal(row, row_of(table, it, random_below(2) == 0));
        assert_int_equal(name_table_see(table, row, count), is_new);
        if (!is_new)
            return is_whole; /* the reader stops there */
        want[count] = (uint16_t)count;
        name[count++] = it;
    }
    sorted_names = name;
    qsort(want, count, sizeof(want[0]), compare_items);
    name_table_order(table, got);
    assert_memory_equal(got, want, count * sizeof(got[0]));
    return is_whole;
}

static void items_come_in_the_order_of_their_names(void **state)
{
    struct name_table *table = calloc(1, sizeof(*table));

    (void)state;
    for (int i = 0; i < OBJECTS; i++)
        assert_true(check_object(table, 0, 40));
    for (int i = 0; i < OBJECTS; i++)
        check_object(table, 0, 400);
    free(table);
}

/* More names than rows: those that come lately are known again, those kept never go. */
static void names_are_forgotten_when_too_many_are_strangers(void **state)
{
    static const char *const kept[] = {"severity", "time", "a_name_of_just_thirty-two_bytes."};
    struct name_table *table = calloc(1, sizeof(*table));
    bool is_whole = false;

    (void)state;
    name_table_keep(table, kept, 3);
    for (uint32_t i = 0; i < POOL; i++) {
        name_table_start(table);
        row_of(table, pool[i], false);
    }
    assert_int_equal(row_of(table, pool[POOL - 1], true), NAME_TABLE_STRANGER);
    for (int i = 0; i < 1000 && !is_whole; i++)
        is_whole = check_object(table, POOL - 30, 30);
    assert_true(is_whole);
    for (int i = 0; i < OBJECTS; i++)
        assert_true(check_object(table, POOL - 30, 30));
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(row_of(table, kept[i], true), i + 1);
        assert_int_equal(row_of(table, kept[i], false), i + 1);
    }
    free(table);
}

static void what_is_no_name_of_the_table_is_a_stranger(void **state)
{
    struct name_table *table = calloc(1, sizeof(*table));
    char longer[NAME_TABLE_BYTES + 2];

    (void)state;
    memset(longer, 'n', sizeof(longer));
    assert_int_equal(name_table_row(table, longer, NAME_TABLE_BYTES + 1), NAME_TABLE_STRANGER);
    assert_int_equal(name_table_row(table, longer, 0), NAME_TABLE_STRANGER);
    assert_int_equal(name_table_row(table, longer, NAME_TABLE_BYTES), 1);
    assert_int_equal(name_table_row(table, longer, NAME_TABLE_BYTES - 1), 2);
    assert_int_equal(name_table_row_quick(table, longer, NAME_TABLE_BYTES), 1);
    free(table);
}

static int setup(void **state)
{
    (void)state;
    random_state = random_seed("TOCSIN_NAMES_SEED");
    make_pool();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_the_order_of_their_names),
        cmocka_unit_test(names_are_forgotten_when_too_many_are_strangers),
        cmocka_unit_test(what_is_no_name_of_the_table_is_a_stranger),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
