/*
 * Aim: an id is of the stretch of its lane that an image has, or has as of some moment, by its
 * place alone, to the place (C6, X4). Method: rows at both sides of each edge. Runs of the engine
 * hardly see one: an id falls just there once in four thousand million.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "correlate/lane_times.h"

#define LAST (PLACES - 1)

/* What is beside the place says nothing. */
static struct id128 id_at(uint64_t place, uint32_t beside)
{
    return (struct id128){.hi = beside, .lo = (uint64_t)beside << 32 | (uint32_t)place};
}

static void C6_an_image_has_the_lanes_and_places_before_where_it_stands(void **state)
{
    (void)state;
    static const struct {
        struct lane_reach reach;
        uint32_t lane;
        uint64_t place;
        bool has;
    } rows[] = {
        {{5, 1000}, 4, 0, true},     {{5, 1000}, 4, 1000, true},   {{5, 1000}, 4, LAST, true},
        {{5, 1000}, 5, 0, true},     {{5, 1000}, 5, 999, true},    {{5, 1000}, 5, 1000, false},
        {{5, 1000}, 5, 1001, false}, {{5, 1000}, 5, LAST, false},  {{5, 1000}, 6, 0, false},
        {{5, 1000}, 6, 999, false},  {{5, 0}, 5, 0, false},        {{5, 0}, 4, LAST, true},
        {{5, PLACES}, 5, 0, true},   {{5, PLACES}, 5, LAST, true}, {{5, PLACES}, 6, 0, false},
        {{0, 0}, 0, 0, false},       {{0, 1}, 0, 0, true},         {{0, 1}, 0, 1, false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (uint32_t beside = 0; beside < 2; beside++)
            if (lane_reach_has(&rows[i].reach, rows[i].lane,
                               id_at(rows[i].place, beside * UINT32_MAX)) != rows[i].has)
                fail_msg("row %zu: an image up to lane %u, place %llu: lane %u, place %llu", i,
                         (unsigned)rows[i].reach.lane, (unsigned long long)rows[i].reach.until,
                         (unsigned)rows[i].lane, (unsigned long long)rows[i].place);
}

/* A stretch that ends before a slot ends before the first place that falls to it. */
static void C6_the_first_place_of_a_slot_is_the_first(void **state)
{
    (void)state;
    static const uint32_t rooms[] = {1, 2, 3, 7, 64, 1000003, UINT32_C(1) << 31};

    for (size_t r = 0; r < sizeof(rooms) / sizeof(rooms[0]); r++) {
        const uint32_t room = rooms[r], slots[] = {0, 1, room / 3, room / 2, room - 1, room};
        for (size_t s = 0; s < sizeof(slots) / sizeof(slots[0]); s++) {
            uint64_t first = place_first(slots[s], room);
            assert_true(first <= PLACES);
            if (first < PLACES)
                assert_true(place_home((uint32_t)first, room) >= slots[s]);
            if (first > 0)
                assert_true(place_home((uint32_t)(first - 1), room) < slots[s]);
        }
        assert_true(place_first(room, room) == PLACES);
    }
}

static void C6_each_place_is_of_the_moment_of_its_stretch(void **state)
{
    (void)state;
    struct lane_stretch stretches[] = {{10, 100}, {11, 200}, {1000, 300}, {PLACES, 400}};
    static const struct {
        uint64_t place;
        int64_t at_ms;
    } rows[] = {{0, 100},   {9, 100},    {10, 200},   {11, 300},
                {999, 300}, {1000, 400}, {1001, 400}, {LAST, 400}};
    struct lane_times times = {.all = {.at = stretches, .count = 4}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(lane_times_at(&times, id_at(rows[i].place, UINT32_MAX)), rows[i].at_ms);
    times.all.at = &stretches[3]; /* a lane that was taken at once */
    times.all.count = 1;
    assert_int_equal(lane_times_at(&times, id_at(0, 0)), 400);
    assert_int_equal(lane_times_at(&times, id_at(LAST, 0)), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C6_an_image_has_the_lanes_and_places_before_where_it_stands),
        cmocka_unit_test(C6_the_first_place_of_a_slot_is_the_first),
        cmocka_unit_test(C6_each_place_is_of_the_moment_of_its_stretch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
