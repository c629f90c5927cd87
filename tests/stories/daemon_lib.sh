# Sourced by the stories of the daemon: starts its neighbours, waits for conditions, asks its
# endpoints. Everything that was started is ended when the story ends.
set -euo pipefail
# shellcheck disable=SC2034 # used by the stories
started=()
finish() {
    local pid
    for pid in "${started[@]}"; do
        kill -KILL "$pid" 2>/dev/null || true
    done
}
trap finish EXIT

fail() {
    echo "FAILED: $*"
    [[ -f run.log ]] && { echo "-- run.log"; tail -n 40 run.log; }
    exit 1
}

# Waits until the command succeeds; generous, because sanitized programs on busy machines are slow.
wait_for() { # WHAT COMMAND...
    local what=$1 until=$((SECONDS + 100))
    shift
    until "$@"; do
        [[ $SECONDS -lt $until ]] || fail "waited in vain until $what"
        sleep 0.1
    done
}

file_has() { # FILE PATTERN
    grep -qE -- "$2" "$1" 2>/dev/null
}

free_port() {
    python3 "$TOCSIN_TREE/tests/stories/free_port.py"
}

start_broker() { # TOPIC:PARTITIONS
    "$TOCSIN" broker --topic "$1" --port-file broker.port >broker.log 2>&1 &
    started+=($!)
    wait_for "the broker listens" test -s broker.port
    broker=$(cat broker.port)
}

# A webhook that listens at $hook; what it answers and writes down is hook.py's.
start_hook() { # LINE [PATH=CODE | FILE=CODE]...
    python3 "$TOCSIN_TREE/tests/stories/hook.py" "$@" &
    started+=($!)
    wait_for "the hook listens" test -s hook.port
    # shellcheck disable=SC2034 # used by the stories
    hook=127.0.0.1:$(cat hook.port)
}

# Writes tocsin.yaml with the broker, a free admin port and what comes on standard input.
write_config() {
    admin=$(free_port)
    {
        printf 'input:\n  brokers: "%s"\n  start: earliest\n' "$broker"
        printf 'admin: {listen: "127.0.0.1:%s"}\nincident_log: {path: incidents.log}\n' "$admin"
        cat
    } >tocsin.yaml
}

start_daemon() { # ARGUMENTS
    : >run.log # here, and not some time later in the child: nobody takes lines of the run before for its
    "$TOCSIN" run --config tocsin.yaml "$@" 2>run.log &
    daemon=$!
    started+=("$daemon")
}

is_running() {
    kill -0 "$1" 2>/dev/null
}

ends() { # PID: succeeds when it has ended
    ! is_running "$1"
}

# Ends within the deadline; its exit code is in $code.
wait_end() { # PID
    wait_for "process $1 ends" ends "$1"
    code=0
    wait "$1" || code=$?
}

answers() { # PATH CODE
    [[ $(curl -s -o answer -w '%{http_code}' "http://127.0.0.1:$admin$1") == "$2" ]]
}

header=()
push() { # PATH: what comes on standard input, to files answer and status
    curl -s -o answer -w '%{http_code}' --data-binary @- "${header[@]}" "http://127.0.0.1:$admin$1" >status
}
answered() { # CODE PATTERN
    [[ $(cat status) == "$1" ]] && file_has answer "$2" || fail "answered $(cat status) $(cat answer), not $1 $2"
}
# It is on record. How long it takes until it is worked off is the machine's: 202 says that it was too long for an
# answer to wait, and what follows has to be waited for in either case.
kept() { # PATTERN
    [[ $(cat status) == 20[02] ]] && file_has answer "$1" || fail "answered $(cat status) $(cat answer), not kept as $1"
}
metric() { # SERIES
    curl -s "http://127.0.0.1:$admin/metrics" | awk -v s="$1" '$1 == s { print $2 }'
}

metric_is() { # SERIES VALUE
    [[ $(metric "$1") == "$2" ]]
}

send() { # JSON line on standard input
    kcat -P -b "$broker" -t events 2>>kcat.log
}

event() { # CHECK HOST STATE
    printf '{"tenant":"acme","source":"s","resource":"%s","check":"%s","severity":"critical","state":"%s"}\n' \
        "$2" "$1" "$3"
}

# A rule that opens an incident for each host on which CHECK fails, and closes it when it clears.
rule() { # ID CHECK
    printf '  - id: %s\n    where: check == "%s"\n    by: [tenant, host]\n    window: 1m\n' "$1" "$2"
    printf '    when: count() >= 1\n    incident: {title: "%s on {host}", priority: P1}\n' "$2"
    printf '    close: cleared()\n'
}
