# The model: a second program that computes incidents from docs/correlation.md and docs/rules.md alone, and the engine
# held to it. See tests/model/. Without Python these fail: a comparison that is not made shows nothing. Debian's own
# Python comes first: it is the one that has Debian's packages.
set(model_dir ${CMAKE_CURRENT_SOURCE_DIR}/model)
find_program(TOCSIN_PYTHON NAMES python3 HINTS /usr/bin)
set(model_python ${TOCSIN_PYTHON} -B)
foreach(test model run_model)
    tocsin_test(model_test_${test} ${model_python} ${model_dir}/test_${test}.py)
endforeach()

add_executable(calendar_runner model/calendar_runner.c)
target_link_libraries(calendar_runner PRIVATE tocsin_rules)
set(calendars ${model_python} ${model_dir}/run_calendars.py --runner $<TARGET_FILE:calendar_runner>)
tocsin_test(model_calendars ${calendars} --count 150)
tocsin_test(model_calendars_long ${calendars} --count 2000 --seed 1000000)

add_executable(engine_runner model/engine_runner.c)
target_link_libraries(engine_runner PRIVATE tocsin_daemon)
add_executable(live_runner model/live_runner.c)
target_link_libraries(live_runner PRIVATE tocsin_daemon PkgConfig::CMOCKA)
set(compare ${model_python} ${model_dir}/run_model.py --work . --runner)
set(compare_all ${compare} $<TARGET_FILE:engine_runner>)
set(compare_live ${compare} $<TARGET_FILE:live_runner> --live)
tocsin_test(model_cover ${model_python} ${model_dir}/cover.py --work . --live-runner $<TARGET_FILE:live_runner>)
# What once differed, each by the name of what was wrong.
file(GLOB model_cases CONFIGURE_DEPENDS ${model_dir}/cases/*.json)
tocsin_test(model_cases ${compare_all} --case ${model_cases})
file(GLOB model_live_cases CONFIGURE_DEPENDS ${model_dir}/cases/live/*.json)
tocsin_test(model_live_cases ${compare_live} --case ${model_live_cases})
tocsin_test(model_10000 ${compare_all} --count 10000)
tocsin_test(model_big ${compare_all} --count 25 --big --runs 4)
# Engines that go on from images of each other.
tocsin_test(model_images ${compare_all} --images --count 60 --runs 3)
tocsin_test(model_images_big ${compare_all} --images --big --count 8 --runs 3)
tocsin_test(model_live ${compare_live} --count 300 --runs 4)
# Long runs are of a size that one works beside: all of `./dev test --long` takes an hour on two cores.
tocsin_test(model_long ${compare_all} --count 20000 --seed 1000000 --runs 4 --shrink)
tocsin_test(model_images_long ${compare_all} --images --count 10000 --seed 1000000 --runs 3 --shrink)
tocsin_test(model_live_long ${compare_live} --count 1500 --seed 1000000 --runs 4 --shrink)
set_tests_properties(model_10000 model_big model_live model_cover model_calendars model_test_run_model
    PROPERTIES TIMEOUT 1800)
# On both cores, and first; the other places are left for tests that wait, and for two that do not.
math(EXPR both "${busy} + 1")
set_tests_properties(model_10000 model_long model_live_long PROPERTIES PROCESSORS ${both} COST 1000)
set_tests_properties(model_big model_live model_cover model_calendars PROPERTIES COST 100)
set_tests_properties(model_long model_images_long model_live_long model_calendars_long PROPERTIES LABELS long TIMEOUT 14400)
if(TOCSIN_ALL_TREES)
    foreach(tree asan tsan)
        tocsin_test(${tree}.model ${compare} ${trees}/${tree}/tests/engine_runner --count 150)
        tocsin_test(${tree}.model_live ${compare} ${trees}/${tree}/tests/live_runner --live --count 60)
        tocsin_test(${tree}.model_images ${compare} ${trees}/${tree}/tests/engine_runner --images --count 30)
        set_tests_properties(${tree}.model ${tree}.model_images ${tree}.model_live PROPERTIES TIMEOUT 900)
    endforeach()
endif()
