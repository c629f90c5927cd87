# Seconds that the longest tests take beside others on two cores, in the slowest of their trees: a full run
# begins with them, so that none is left over to run alone at its end. CTest remembers times by itself, but
# a fresh tree has none to remember. Those of stories that need Kafka begin first in any case.
set(costs
    hostile 70 test_key_queue 50 by_hand 50 why_switch 50 replay 50 data_dir 45 test_snapshot 45
    take_over_images 40 check_against 40 test_outbox_http 40 test_kafka_source 37 take_over 36
    take_over_reads 36 intake 35 run_broker_gone 33 take_over_redis 32 test_patterns_random 30
    test_window_sums 30 test_bit_rot 28 model_live_cases 25 demo 25 why_settings 25 diff 24 model 24
    run_input_lost 22 run_blind 21 test_determinism 20 rule_test 20 test_patterns 19 sink_lies 18
    test_recording 18 reload_storm 18 test_kafka_storm 17 take_over_lost 17 intake_keep 17)
while(costs)
    list(POP_FRONT costs name seconds)
    set(found)
    foreach(test ${name} asan.${name} tsan.${name})
        if(TEST ${test})
            set_tests_properties(${test} PROPERTIES COST ${seconds})
            list(APPEND found ${test})
        endif()
    endforeach()
    if(TOCSIN_ALL_TREES AND NOT found)
        message(FATAL_ERROR "tests/costs.cmake: no test is named ${name}")
    endif()
endwhile()
