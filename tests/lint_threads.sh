#!/usr/bin/env bash
#
# lint_threads.sh PROGRAM... - refuses a program that can start a thread.
#
# The programs are those that tests/CMakeLists.txt leaves out of the tree of ThreadSanitizer because
# nothing in them starts one. They are asked for what they call: of our static libraries a program
# holds only the objects that it needs, so one without these calls cannot come to a second thread.
# Prints PROGRAM: sentence for each that has one and exits with 1.
set -euo pipefail
[[ $# -gt 0 ]] || { echo "lint_threads: no program is named" >&2; exit 1; }

failures=0
for program in "$@"; do
    # A pipe's reader that ends early would end nm as well: all of it is read first.
    calls=$(nm --undefined-only "$program")
    for call in pthread_create thrd_create clone rd_kafka_new curl_easy_perform curl_multi_perform \
        curl_multi_socket_action; do
        if grep -qE " U $call(@|\$)" <<<"$calls"; then
            echo "${program##*/}: calls $call: take it out of the list \"threadless\" of tests/CMakeLists.txt"
            failures=$((failures + 1))
        fi
    done
done
[[ $failures -eq 0 ]]
