# Stories: whole ways through the program, told by scripts in tests/stories/, and the real parts they
# need. Each area lists its own in tests/stories/<area>.cmake.
#
#   tocsin_story(NAME <name> SCRIPT <file in tests/stories> [NEEDS kafka] [SANITIZED] [BUSY]
#                [LABELS <label>...] [TIMEOUT <seconds>] [ARGS <argument>...])
#
# The script passes with exit code 0; 77 means that something it needs cannot be had here, and it
# says what. It starts in an empty folder of its own and gets
#   TOCSIN        the program under test        STORY         the test's name, for names of topics
#   TOCSIN_TREE   the checkout                  TOCSIN_KAFKA  host:port, and the rest of the variables
#                                               that tests/kafka/kafka writes, with NEEDS kafka
# SANITIZED runs the story on the programs of the presets asan and tsan as well, as asan.<name> and
# tsan.<name>; BUSY says that it computes for more than a third of its time, where most stories wait (see
# tocsin_waits); the label `long` keeps it out of a plain `./dev test`.
set(kafka_dir ${CMAKE_BINARY_DIR}/kafka)

function(tocsin_story)
    cmake_parse_arguments(ARG "SANITIZED;BUSY" "NAME;SCRIPT;TIMEOUT" "NEEDS;LABELS;ARGS" ${ARGN})
    set(script ${CMAKE_CURRENT_SOURCE_DIR}/stories/${ARG_SCRIPT})
    if(ARG_UNPARSED_ARGUMENTS OR NOT ARG_NAME OR NOT EXISTS ${script})
        message(FATAL_ERROR "tocsin_story: ${ARGV}: no such script, or an argument that is unknown")
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 300)
    endif()
    set(runs "${ARG_NAME}|${CMAKE_BINARY_DIR}/tocsin")
    if(ARG_SANITIZED AND TOCSIN_ALL_TREES)
        list(APPEND runs "asan.${ARG_NAME}|${trees}/asan/tocsin" "tsan.${ARG_NAME}|${trees}/tsan/tocsin")
    endif()
    foreach(run ${runs})
        string(REPLACE "|" ";" run ${run})
        list(GET run 0 name)
        list(GET run 1 program)
        set(kafka_env "-")
        if("kafka" IN_LIST ARG_NEEDS)
            set(kafka_env ${kafka_dir})
        endif()
        tocsin_test(${name} ${CMAKE_CURRENT_SOURCE_DIR}/run_story ${kafka_env} ${script} ${ARG_ARGS})
        set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
            "TOCSIN=${program}" "TOCSIN_TREE=${CMAKE_SOURCE_DIR}" "STORY=${name}")
        set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
        if(ARG_LABELS)
            set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
        endif()
        if(NOT ARG_BUSY)
            tocsin_waits(${name})
        endif()
        if("kafka" IN_LIST ARG_NEEDS)
            set_property(TEST ${name} APPEND PROPERTY FIXTURES_REQUIRED kafka)
        endif()
    endforeach()
endfunction()

# One real Kafka for all stories that need it: CTest brings it up before the first and takes it down
# after the last. The time allows for fetching it.
tocsin_test(kafka_up ${CMAKE_CURRENT_SOURCE_DIR}/kafka/fixture up ${kafka_dir})
tocsin_test(kafka_down ${CMAKE_CURRENT_SOURCE_DIR}/kafka/fixture down ${kafka_dir})
set_tests_properties(kafka_up PROPERTIES FIXTURES_SETUP kafka TIMEOUT 600)
set_tests_properties(kafka_down PROPERTIES FIXTURES_CLEANUP kafka TIMEOUT 120)
tocsin_waits(kafka_up kafka_down)

# Checks of the tree itself.
tocsin_test(lint_statements ${CMAKE_CURRENT_SOURCE_DIR}/lint_statements.py)
foreach(check includes host selftest)
    tocsin_test(lint_${check} ${CMAKE_CURRENT_SOURCE_DIR}/lint_${check}.sh)
endforeach()

# tocsin_weaken(NAME <name> TEST <test program> [FILES <source>...] [FOLDERS <folder>...] [EDGES <letter>,...]
#               [LABELS ...] [TIMEOUT <seconds>])
# Weakens each memory order of the files, and of all sources in the folders, and wants the test program
# to fail under tsan each time; see weaken_orders.py. All look at the tree of the preset tsan, hence
# the lock.
function(tocsin_weaken)
    cmake_parse_arguments(ARG "" "NAME;TEST;EDGES;TIMEOUT" "FILES;FOLDERS;LABELS" ${ARGN})
    foreach(folder ${ARG_FOLDERS})
        file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${folder}/*.c
            ${CMAKE_SOURCE_DIR}/${folder}/*.h)
        list(APPEND ARG_FILES ${sources})
    endforeach()
    set(edges)
    if(ARG_EDGES)
        set(edges --edges ${ARG_EDGES})
    endif()
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 1800)
    endif()
    tocsin_test(weaken_${ARG_NAME} ${CMAKE_CURRENT_SOURCE_DIR}/weaken_orders.py --test ${ARG_TEST} ${edges}
        --tree ${trees}/tsan ${ARG_FILES})
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/scratch/weaken)
    set_tests_properties(weaken_${ARG_NAME} PROPERTIES TIMEOUT ${ARG_TIMEOUT} RESOURCE_LOCK weaken COST 100
        WORKING_DIRECTORY ${CMAKE_BINARY_DIR}/scratch/weaken LABELS "${ARG_LABELS}")
    tocsin_needs_tree(tsan weaken_${ARG_NAME})
endfunction()

# tocsin_mutate(NAME <name> TESTS <test program>... FILES <source>... COUNT <changes> [SEED <number>]
#               [LEAST <percent>] [LABELS ...] [TIMEOUT <seconds>])
# Changes one thing in one of the files, COUNT times, and wants one of the test programs to notice LEAST [90]
# percent of that; see mutate_code.py. All look at the tree of the preset asan.
function(tocsin_mutate)
    cmake_parse_arguments(ARG "" "NAME;COUNT;SEED;LEAST;TIMEOUT" "TESTS;FILES;LABELS" ${ARGN})
    list(JOIN ARG_TESTS "," tests)
    if(NOT ARG_TIMEOUT)
        set(ARG_TIMEOUT 300)
    endif()
    if(NOT ARG_SEED)
        set(ARG_SEED 1)
    endif()
    if(NOT ARG_LEAST)
        set(ARG_LEAST 90)
    endif()
    tocsin_test(mutants_${ARG_NAME} ${CMAKE_CURRENT_SOURCE_DIR}/mutate_code.py --tests ${tests} --count ${ARG_COUNT}
        --seed ${ARG_SEED} --least ${ARG_LEAST} --argued ${CMAKE_CURRENT_SOURCE_DIR}/mutate_code.argued --tree ${trees}/asan ${ARG_FILES})
    set_tests_properties(mutants_${ARG_NAME} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
    tocsin_needs_tree(asan mutants_${ARG_NAME})
endfunction()

file(GLOB areas CONFIGURE_DEPENDS stories/*.cmake)
foreach(area ${areas})
    include(${area})
endforeach()
