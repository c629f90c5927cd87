# The oracle: a second program that computes incidents from docs/correlation.md alone. See
# tests/oracle/. Without Python these fail: a comparison that is not made shows nothing.
set(oracle_dir ${CMAKE_CURRENT_SOURCE_DIR}/oracle)
foreach(test xxh3 oracle run_oracle)
    tocsin_test(oracle_${test} python3 -B ${oracle_dir}/test_${test}.py)
endforeach()
tocsin_test(oracle_cover python3 -B ${oracle_dir}/generate.py --cover 500)

add_executable(engine_runner oracle/engine_runner.c)
target_link_libraries(engine_runner PRIVATE tocsin_daemon)
set(compare python3 -B ${oracle_dir}/run_oracle.py --work . --runner)
tocsin_test(oracle_1000 ${compare} ${CMAKE_CURRENT_BINARY_DIR}/engine_runner --count 1000)
tocsin_test(oracle_big ${compare} ${CMAKE_CURRENT_BINARY_DIR}/engine_runner --count 25 --big)
tocsin_test(oracle_long ${compare} ${CMAKE_CURRENT_BINARY_DIR}/engine_runner --count 20000
    --seed 1000000 --shrink)
set_tests_properties(oracle_1000 oracle_big PROPERTIES TIMEOUT 900)
set_tests_properties(oracle_long PROPERTIES LABELS long TIMEOUT 7200)
if(TOCSIN_ALL_TREES)
    foreach(tree asan tsan)
        tocsin_test(${tree}.oracle ${compare} ${trees}/${tree}/tests/engine_runner --count 100)
        set_tests_properties(${tree}.oracle PROPERTIES TIMEOUT 900)
    endforeach()
endif()
