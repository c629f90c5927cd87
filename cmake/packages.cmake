# Every third-party library, named once. Debian packages: see `dev`.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka>=2.0.2)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(FYAML REQUIRED IMPORTED_TARGET libfyaml)
pkg_check_modules(VECTORSCAN REQUIRED IMPORTED_TARGET libhs)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET libevent)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
# RE2 is what patterns are held against, in one test.
pkg_check_modules(RE2 IMPORTED_TARGET re2)
pkg_check_modules(SSL IMPORTED_TARGET libssl)
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
# malloc of the programs: records are allocated by threads of librdkafka and freed by ours, and libc
# takes the lock of the allocating thread's arena for each. mimalloc has no lock there. A sanitizer
# brings its own malloc.
if(NOT TOCSIN_SANITIZE)
    find_library(TOCSIN_MALLOC mimalloc REQUIRED)
endif()
pkg_check_modules(SIMDJSON IMPORTED_TARGET simdjson)
