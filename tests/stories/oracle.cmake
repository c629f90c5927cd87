# The oracle: a second program that computes incidents from docs/correlation.md alone. See
# tests/oracle/. Without Python these fail: a comparison that is not made shows nothing.
set(oracle_dir ${CMAKE_CURRENT_SOURCE_DIR}/oracle)
foreach(test xxh3 oracle run_oracle)
    tocsin_test(oracle_${test} python3 -B ${oracle_dir}/test_${test}.py)
endforeach()
tocsin_test(oracle_cover python3 -B ${oracle_dir}/generate.py --cover 500)

add_executable(calendar_runner oracle/calendar_runner.c)
target_link_libraries(calendar_runner PRIVATE tocsin_rules)
tocsin_test(oracle_calendars python3 -B ${oracle_dir}/calendars.py --runner
    ${CMAKE_CURRENT_BINARY_DIR}/calendar_runner --count 150)
tocsin_test(oracle_calendars_long python3 -B ${oracle_dir}/calendars.py --runner
    ${CMAKE_CURRENT_BINARY_DIR}/calendar_runner --count 2000 --seed 1000000)
set_tests_properties(oracle_calendars PROPERTIES TIMEOUT 900)
set_tests_properties(oracle_calendars_long PROPERTIES LABELS long TIMEOUT 7200)

add_executable(engine_runner oracle/engine_runner.c)
target_link_libraries(engine_runner PRIVATE tocsin_daemon)
add_executable(live_runner oracle/live_runner.c)
target_link_libraries(live_runner PRIVATE tocsin_daemon PkgConfig::CMOCKA)
set(compare python3 -B ${oracle_dir}/run_oracle.py --work . --runner)
tocsin_test(oracle_1000 ${compare} ${CMAKE_CURRENT_BINARY_DIR}/engine_runner --count 1000)
tocsin_test(oracle_big ${compare} ${CMAKE_CURRENT_BINARY_DIR}/engine_runner --count 25 --big)
set(compare_live ${compare} ${CMAKE_CURRENT_BINARY_DIR}/live_runner --live)
tocsin_test(oracle_live ${compare_live} --count 300)
tocsin_test(oracle_live_long ${compare_live} --count 5000 --seed 1000000 --shrink)
tocsin_test(oracle_long ${compare} ${CMAKE_CURRENT_BINARY_DIR}/engine_runner --count 20000
    --seed 1000000 --shrink)
set_tests_properties(oracle_1000 oracle_big oracle_live PROPERTIES TIMEOUT 900)
set_tests_properties(oracle_long oracle_live_long PROPERTIES LABELS long TIMEOUT 7200)
if(TOCSIN_ALL_TREES)
    foreach(tree asan tsan)
        tocsin_test(${tree}.oracle ${compare} ${trees}/${tree}/tests/engine_runner --count 100)
        tocsin_test(${tree}.oracle_live ${compare} ${trees}/${tree}/tests/live_runner --live --count 40)
        set_tests_properties(${tree}.oracle ${tree}.oracle_live PROPERTIES TIMEOUT 900)
    endforeach()
endif()
