tocsin_story(NAME real_kafka SCRIPT real_kafka.sh NEEDS kafka)
tocsin_story(NAME ci SCRIPT ci.sh)
tocsin_story(NAME bench_suite SCRIPT bench_suite.sh)

if(EXISTS ${CMAKE_SOURCE_DIR}/daemon/main/main.c)
    tocsin_story(NAME manual SCRIPT manual.py)
    tocsin_story(NAME hardening SCRIPT hardening.sh BUSY)
endif()

# The sanitized trees and the copies that are weakened are part of the full run alone.
if(TOCSIN_ALL_TREES)
    tocsin_weaken(NAME ring TEST test_batch_ring FILES base/batch_ring.c)
    # And the check itself: a test that never touches the ring cannot see anything.
    tocsin_weaken(NAME selftest TEST test_options FILES base/batch_ring.c EDGES P)
    set_tests_properties(weaken_selftest PROPERTIES
        PASS_REGULAR_EXPRESSION "0 weakenings seen, 2 survived, 0 orders without an edge")
endif()
