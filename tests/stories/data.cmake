# Recorded input from real systems: into Kafka, through the daemon, to incidents.
tocsin_story(NAME publish SCRIPT publish.sh NEEDS kafka SANITIZED)

# The AIT alert data set is not part of the tree (docs/real-data.md says where it comes from). Where it
# is not, the story is reported as skipped by name; in CI, where a skipped test is a failed one, CTest
# lists it as disabled in its closing lines, and `./dev test` passes on what the configuration says.
set(TOCSIN_AIT_ADS "" CACHE PATH "folder of the AIT alert data set")
if(NOT "$ENV{TOCSIN_AIT_ADS}" STREQUAL "") # the cache keeps it for the next configuration
    set(TOCSIN_AIT_ADS "$ENV{TOCSIN_AIT_ADS}" CACHE PATH "folder of the AIT alert data set" FORCE)
endif()
set(ait_ads "${TOCSIN_AIT_ADS}")
if(NOT ait_ads)
    get_filename_component(ait_ads ${CMAKE_SOURCE_DIR}/../shared/data/ait-ads ABSOLUTE)
endif()
set(needed attack_phases.csv russellmitchell_alerts.csv.gz)
set(missing)
foreach(file ${needed})
    if(NOT EXISTS ${ait_ads}/${file})
        list(APPEND missing ${ait_ads}/${file})
    endif()
endforeach()
list(JOIN missing " and " missing)
if(missing)
    message(STATUS "real_data needs ${missing}; TOCSIN_AIT_ADS names the folder of the AIT alert data set")
endif()
tocsin_story(NAME real_data SCRIPT real_data.sh BUSY NEEDS kafka TIMEOUT 400 ARGS ${ait_ads})
if(missing AND TOCSIN_CI)
    set_tests_properties(real_data PROPERTIES DISABLED ON)
endif()
