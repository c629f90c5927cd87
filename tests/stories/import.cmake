if(EXISTS ${CMAKE_SOURCE_DIR}/daemon/main/main.c)
    tocsin_story(NAME import SCRIPT import.sh BUSY SANITIZED)
    tocsin_story(NAME import_chain SCRIPT import_chain.sh)
endif()
# Seconds are those of a release build; sanitizers see the readers in fuzz tests.
tocsin_story(NAME hostile SCRIPT hostile.sh TIMEOUT 600)
