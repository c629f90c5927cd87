#!/usr/bin/env bash
#
# lint_host.sh [TREE] - refuses a call to the outside world past its doors.
#
# Clocks, randomness, files, sockets and waiting are reached through
# base/host.h, so that a simulator can stand in for all of them. The names below
# are those of libc and of library functions that open files by themselves.
# Comments, strings and members (`h->open(...)`) are not calls. Prints
# FILE:LINE: sentence for each violation and exits with 1 if there was one.
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

existing=()
for folder in base ingest rules store correlate predict sinks daemon; do
    [[ -d $folder ]] && existing+=("$folder")
done
[[ ${#existing[@]} -gt 0 ]] || { echo "lint_host: no product folder in $PWD" >&2; exit 1; }

find "${existing[@]}" \( -name '*.c' -o -name '*.h' \) | LC_ALL=C sort | xargs -r awk '
    BEGIN {
        kind("clock", "clock_gettime clock_getres gettimeofday time times clock timespec_get ftime " \
            "clock_nanosleep nanosleep sleep usleep alarm setitimer timer_create timerfd_create " \
            "pthread_cond_timedwait pthread_cond_clockwait sem_timedwait __rdtsc __builtin_ia32_rdtsc")
        kind("random", "rand srand random srandom drand48 lrand48 arc4random getrandom getentropy " \
            "RAND_bytes")
        kind("file", "open openat creat fopen freopen fdopen tmpfile mkstemp mkdtemp mkostemp " \
            "read pread readv write pwrite writev fsync fdatasync ftruncate truncate fallocate " \
            "posix_fallocate rename renameat unlink unlinkat remove mkdir rmdir link symlink stat " \
            "fstat lstat fstatat statvfs fstatvfs statfs access opendir readdir scandir glob realpath flock lockf sendfile " \
            "json_load_file json_dump_file fy_document_build_from_file fy_parser_set_input_file")
        kind("socket", "socket socketpair connect bind listen accept accept4 send sendto sendmsg " \
            "recv recvfrom recvmsg getaddrinfo gethostbyname")
        kind("wait", "poll ppoll select pselect epoll_create1 epoll_wait epoll_pwait eventfd " \
            "eventfd_read eventfd_write")

        # The doors: file, kinds or names that may pass, one line each with its reason.
        door["base/host.c"] = "clock random file wait"
        # The last words of a process that is out of memory, when nothing else can be called.
        door["base/slab.c"] = "write"
        # Which file a path names is asked of the file system.
        door["base/same_file.c"] = "stat"
        # A command that only waits for the signal that ends it.
        door["daemon/cmd_broker.c"] = "poll"
        # The demo makes a folder for the processes that it starts, and removes it.
        door["daemon/children.c"] = "mkdir mkdtemp rmdir"
        # The admin server and the receiver of the demo listen.
        door["daemon/admin_server.c"] = "socket"
    }
    function kind(name, words,   list, n) {
        n = split(words, list, " ")
        while (n > 0)
            kind_of[list[n--]] = name
    }
    FNR == 1 { in_comment = 0 }
    {
        code = ""
        text = $0
        # Blank out comments, strings and character constants.
        while (text != "") {
            if (in_comment) {
                at = index(text, "*/")
                if (!at) break
                in_comment = 0
                text = substr(text, at + 2)
            } else if (match(text, /\/\*|\/\/|"([^"\\]|\\.)*"|\047([^\047\\]|\\.)*\047/)) {
                code = code substr(text, 1, RSTART - 1) " "
                token = substr(text, RSTART, 2)
                text = substr(text, RSTART + (token == "/*" ? 2 : RLENGTH))
                if (token == "/*") in_comment = 1
                if (token == "//") text = ""
            } else {
                code = code text
                text = ""
            }
        }
        if (code ~ /^[ \t]*#/) next
        while (match(code, /(->[ \t]*|\.[ \t]*)?[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
            name = substr(code, RSTART, RLENGTH - 1)
            code = substr(code, RSTART + RLENGTH)
            if (name ~ /^(->|\.)/) continue
            sub(/[ \t]+$/, "", name)
            if (!(name in kind_of)) continue
            allowed = " " door[FILENAME] " "
            if (index(allowed, " " kind_of[name] " ") || index(allowed, " " name " ")) continue
            printf "%s:%d: %s() reaches the world (%s) past base/host.h\n", FILENAME, FNR, name, kind_of[name]
            bad = 1
        }
    }
    END { exit bad }'
