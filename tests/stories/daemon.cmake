# The daemon and its commands, from outside.
tocsin_story(NAME commands SCRIPT commands.sh)
tocsin_story(NAME run_config SCRIPT run_config.sh SANITIZED)
tocsin_story(NAME run_unreachable SCRIPT run_unreachable.sh SANITIZED)
tocsin_story(NAME run_broker_gone SCRIPT run_broker_gone.sh TIMEOUT 150)
tocsin_story(NAME run_reload SCRIPT run_reload.sh SANITIZED)
tocsin_story(NAME check_against SCRIPT check_against.sh SANITIZED)
tocsin_story(NAME run_stop SCRIPT run_stop.sh SANITIZED)
tocsin_story(NAME data_dir SCRIPT data_dir.sh SANITIZED)
tocsin_story(NAME disk_full SCRIPT disk_full.sh)
tocsin_story(NAME settings_switch SCRIPT settings_switch.sh)
tocsin_story(NAME history SCRIPT history.sh SANITIZED)
tocsin_story(NAME intake SCRIPT intake.sh SANITIZED)
tocsin_story(NAME by_hand SCRIPT by_hand.sh SANITIZED)
# SIGKILL at random moments: a few here, 2,000 in the long forms together, with those of intake_kill and
# those at durable steps.
tocsin_story(NAME kill SCRIPT kill.py ARGS 4)
tocsin_story(NAME kill_switch SCRIPT kill.py ARGS 4 --switch)
# The same at durable steps, one life each (H3).
tocsin_story(NAME kill_steps SCRIPT kill.py ARGS 8 --steps)
# The journal lets go of what nobody needs any more, a segment every few moments.
tocsin_story(NAME kill_recycle SCRIPT kill.py ARGS 4 --recycle)
tocsin_story(NAME kill_recycle_steps SCRIPT kill.py ARGS 8 --recycle --steps)
# Without memory, from some allocation on (F7).
tocsin_story(NAME kill_memory SCRIPT kill.py ARGS 8 --memory)
tocsin_story(NAME kill_memory_long SCRIPT kill.py LABELS long TIMEOUT 1200 ARGS 200 --memory)
# Of a fault of its own, at a record (F2).
tocsin_story(NAME crash_marks SCRIPT crash_marks.py)
# Sinks that lie, over HTTP and TLS (D3).
tocsin_story(NAME sink_lies SCRIPT sink_lies.py)
# A sink that is ten times too slow (O7): for three seconds, and for five minutes at an op a second.
tocsin_story(NAME slow_sink SCRIPT slow_sink.py ARGS 3 0.03)
tocsin_story(NAME slow_sink_long SCRIPT slow_sink.py LABELS long TIMEOUT 900 ARGS 300 1)
tocsin_story(NAME kill_steps_long SCRIPT kill.py LABELS long TIMEOUT 1800 ARGS 550 --steps)
tocsin_story(NAME kill_every_long SCRIPT kill.py LABELS long TIMEOUT 1200 ARGS 150 --every)
tocsin_story(NAME intake_kill SCRIPT intake_kill.py ARGS 4)
tocsin_story(NAME intake_kill_steps SCRIPT intake_kill.py ARGS 5 --steps)
tocsin_story(NAME intake_kill_long SCRIPT intake_kill.py LABELS long TIMEOUT 1200 ARGS 300)
tocsin_story(NAME intake_kill_steps_long SCRIPT intake_kill.py LABELS long TIMEOUT 1200 ARGS 200 --steps)
tocsin_story(NAME kill_long SCRIPT kill.py LABELS long TIMEOUT 1800 ARGS 800)
# Another daemon goes on with a unit, by a real Redis: mostly waiting for leases to end.
tocsin_story(NAME take_over SCRIPT take_over.py ARGS 4 --faults=kill-torn,freeze,wipe,password)
tocsin_story(NAME take_over_long SCRIPT take_over.py LABELS long TIMEOUT 3600 ARGS 280)
tocsin_story(NAME run_metrics SCRIPT run_metrics.sh)
tocsin_story(NAME why_live SCRIPT why_live.sh SANITIZED)
tocsin_story(NAME why_switch SCRIPT why_switch.sh SANITIZED)
tocsin_story(NAME why_files SCRIPT why_files.sh SANITIZED)
tocsin_story(NAME run_redrive SCRIPT run_redrive.sh SANITIZED)
tocsin_story(NAME run_input_lost SCRIPT run_input_lost.sh SANITIZED TIMEOUT 150)
tocsin_story(NAME run_memory SCRIPT run_memory.sh)
tocsin_story(NAME run_self_alert SCRIPT run_self_alert.sh SANITIZED)
tocsin_story(NAME replay SCRIPT replay.sh BUSY SANITIZED TIMEOUT 240)
tocsin_story(NAME replay_range SCRIPT replay_range.sh NEEDS kafka SANITIZED TIMEOUT 240)
tocsin_story(NAME diff SCRIPT diff.py BUSY SANITIZED TIMEOUT 240 ARGS 40)
tocsin_story(NAME publish_silent SCRIPT publish_silent.py)
tocsin_story(NAME run_mute SCRIPT run_mute.sh SANITIZED)
tocsin_story(NAME run_blind SCRIPT run_blind.sh TIMEOUT 150)
tocsin_story(NAME rule_test SCRIPT rule_test.sh BUSY SANITIZED)
# The tests of the packs that ship.
tocsin_test(rule_packs ${CMAKE_BINARY_DIR}/tocsin test ${CMAKE_SOURCE_DIR}/rules/packs)
# Does a test see each of their numbers? Every sixth, and all of them in the long form.
tocsin_test(pack_mutants ${CMAKE_CURRENT_SOURCE_DIR}/mutate_packs.py --tocsin ${CMAKE_BINARY_DIR}/tocsin --every 6)
tocsin_test(pack_mutants_long ${CMAKE_CURRENT_SOURCE_DIR}/mutate_packs.py --tocsin ${CMAKE_BINARY_DIR}/tocsin)
set_tests_properties(pack_mutants_long PROPERTIES LABELS long TIMEOUT 600)
tocsin_story(NAME rule_test_speed SCRIPT rule_test_speed.sh BUSY)
# What each form of rule does, as rule tests; the address sanitizer looks on in the full run.
tocsin_test(rule_forms ${CMAKE_BINARY_DIR}/tocsin test ${CMAKE_SOURCE_DIR}/tests/rule_tests)
if(TOCSIN_ALL_TREES)
    tocsin_test(asan.rule_forms ${trees}/asan/tocsin test ${CMAKE_SOURCE_DIR}/tests/rule_tests)
    tocsin_test(asan.rule_packs ${trees}/asan/tocsin test ${CMAKE_SOURCE_DIR}/rules/packs)
endif()
tocsin_story(NAME reload_storm SCRIPT reload_storm.sh SANITIZED TIMEOUT 150 ARGS 5)
# The whole minute, some 600 reloads; mostly waiting, so that it costs little beside other tests.
tocsin_story(NAME reload_storm_minute SCRIPT reload_storm.sh NEEDS kafka TIMEOUT 300 ARGS 60)
