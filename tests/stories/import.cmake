if(EXISTS ${CMAKE_SOURCE_DIR}/daemon/main/main.c)
    tocsin_story(NAME import SCRIPT import.sh BUSY SANITIZED)
endif()
