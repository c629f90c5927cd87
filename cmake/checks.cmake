# Checks of the tree that every build makes: an include against the direction of the folders, or a
# call to the outside world past base/host.h, fails the build. They run again when a source changes.
file(GLOB_RECURSE checked CONFIGURE_DEPENDS
    base/*.[ch] ingest/*.[ch] rules/*.[ch] store/*.[ch] correlate/*.[ch] predict/*.[ch]
    sinks/*.[ch] daemon/*.[ch])
foreach(check includes host)
    set(script ${CMAKE_SOURCE_DIR}/tests/lint_${check}.sh)
    set(stamp ${CMAKE_BINARY_DIR}/lint_${check}.stamp)
    add_custom_command(OUTPUT ${stamp}
        COMMAND ${script} ${CMAKE_SOURCE_DIR}
        COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
        DEPENDS ${script} ${checked}
        COMMENT "Checking the tree: ${check}" VERBATIM)
    list(APPEND stamps ${stamp})
endforeach()
add_custom_target(check_tree ALL DEPENDS ${stamps})
