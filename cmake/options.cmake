# Compiler options in one place: every target links tocsin_options.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
include(CheckCCompilerFlag)
include(CheckPIESupported)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported() # so that programs are linked as position independent too
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
# -O3 pays in the decoder; asserts stay on in every build (they guard hand-overs).
set(CMAKE_C_FLAGS_RELEASE "-O3 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O3 -g1")

set(TOCSIN_SANITIZE "" CACHE STRING "sanitizers, comma separated: address,undefined or thread")
option(TOCSIN_COVERAGE "instrument for gcov" OFF)
option(TOCSIN_FUZZ "build the libFuzzer targets (clang)" OFF)

add_library(tocsin_options INTERFACE)
target_compile_definitions(tocsin_options INTERFACE _GNU_SOURCE TOCSIN_VERSION="${PROJECT_VERSION}")
target_compile_options(tocsin_options INTERFACE
    -Wall -Wextra -Werror
    $<$<COMPILE_LANGUAGE:C>:-Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla>
    -fstack-protector-strong -fstack-clash-protection -fno-strict-aliasing
    -ffp-contract=off) # the same double everywhere: no a * b + c in one rounding
check_c_compiler_flag(-fcf-protection=full TOCSIN_HAS_CF_PROTECTION) # x86 alone
if(TOCSIN_HAS_CF_PROTECTION)
    target_compile_options(tocsin_options INTERFACE -fcf-protection=full)
endif()
# Nobody replaces a function of a program by preloading: calls within a file may be inlined.
check_c_compiler_flag(-fno-semantic-interposition TOCSIN_HAS_NO_INTERPOSITION)
if(TOCSIN_HAS_NO_INTERPOSITION)
    target_compile_options(tocsin_options INTERFACE -fno-semantic-interposition)
endif()
# gcc clears structures from 100 bytes on by `rep stos`, whose start alone costs more
# than the few stores it saves.
check_c_compiler_flag(-mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign
    TOCSIN_HAS_MEMSET_STRATEGY)
if(TOCSIN_HAS_MEMSET_STRATEGY)
    target_compile_options(tocsin_options INTERFACE
        -mmemset-strategy=vector_loop:512:noalign,libcall:-1:noalign)
endif()
if(NOT TOCSIN_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_options(tocsin_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
target_link_options(tocsin_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(TOCSIN_SANITIZE)
    target_compile_options(tocsin_options INTERFACE -fsanitize=${TOCSIN_SANITIZE}
        -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(tocsin_options INTERFACE -fsanitize=${TOCSIN_SANITIZE})
endif()
# Every program has these sources too; see there.
set(TOCSIN_PROGRAM_SOURCES)
if(TOCSIN_SANITIZE MATCHES thread)
    set(TOCSIN_PROGRAM_SOURCES ${CMAKE_SOURCE_DIR}/tests/tsan_threads.c)
endif()
if(TOCSIN_COVERAGE)
    target_compile_options(tocsin_options INTERFACE --coverage)
    target_link_options(tocsin_options INTERFACE --coverage)
endif()
