#!/usr/bin/env bash
#
# However the demo ends - Ctrl-C, a part that dies, a kill of the demo itself -
# no process of it stays behind.
set -euo pipefail

parts() { pgrep -f "^tocsin (broker|receive|run|generate) .*$PWD/$1/" || true; }

wait_for() { # WHAT COMMAND...
    local what=$1 end=$((SECONDS + 100))
    shift
    until "$@"; do
        ((SECONDS < end)) || { echo "not within 100 s: $what"; exit 1; }
        sleep 0.1
    done
}
has_parts() { [[ $(parts "$1" | wc -l) -ge 3 ]]; }
has_none() { [[ -z $(parts "$1") ]]; }
has_truth() { [[ -s $1/truth.jsonl ]]; }

start() { # DIR: in the background, Ctrl-C not ignored as a shell would have it
    python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$TOCSIN" demo --forever --dir "$PWD/$1" >"$1.shown" 2>&1 &
    pid=$!
    wait_for "traffic in $1" has_truth "$1"
    wait_for "its processes" has_parts "$1"
}

start interrupted
kill -INT "$pid"
wait "$pid" || { echo "Ctrl-C: exit code $?"; cat interrupted.shown; exit 1; }
wait_for 'the end of all parts after Ctrl-C' has_none interrupted
grep -q 'What came of it' interrupted.shown || { echo 'no report after Ctrl-C'; exit 1; }

start lost
kill -KILL "$(pgrep -f "^tocsin run .*$PWD/lost/")"
code=0
wait "$pid" || code=$?
[[ $code == 69 ]] || { echo "a dead daemon: exit code $code, not 69"; exit 1; }
grep -q 'the daemon was ended by signal 9' lost.shown || { cat lost.shown; exit 1; }
wait_for 'the end of all parts after the daemon died' has_none lost

start killed
kill -KILL "$pid"
wait_for 'the end of all parts after the demo was killed' has_none killed
