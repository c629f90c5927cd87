# Aim: the preview of a reload that makes a bound or a time smaller says what that takes from rules that carry on (keys
# beyond max_keys, alerts beyond engine.alerts.max, alerts that engine.expire has over, alerts that engine.flap.* calls calm),
# so does the log of the reload, and it is so. Method: files against files; then a daemon with open incidents of rules on
# alerts, on events and on flapping, a look before each reload.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"

look() { # CODE ARGUMENTS: the preview in check.out
    local code=0 wanted=$1
    shift
    "$TOCSIN" check "$@" >check.out 2>check.err || code=$?
    [[ $code == "$wanted" ]] || fail "check $*: exit code $code instead of $wanted: $(cat check.out check.err)"
}
says() {
    grep -qF -- "$1" check.out || fail "the preview does not say $1: $(cat check.out)"
}
rules() { # MAX_KEYS
    echo 'rules:'
    echo "  - {id: x, where: check == \"ping\", by: [host], max_keys: $1, window: 1m, when: count() >= 1, incident: {title: '{host}'}, close: cleared()}"
    echo '  - {id: logs, on: events, where: check == "log", by: [host], window: 1h, when: count() >= 1, incident: {title: "{host}"}, close: cleared()}'
    echo '  - {id: ports, where: check == "port", by: [host], window: open, when: count() >= 1, incident: {title: "{host}"}, close: cleared()}'
    echo '  - {id: port-flaps, on: flapping, where: check == "port", by: [host], window: open, when: count() >= 1, incident: {title: "{host}"}, close: cleared()}'
}
config() { # ENGINE
    write_config <<TEXT
input.topics: [{topic: events, disorder: 20ms}]
rules: [rules.yaml]
$1
TEXT
}

# ---- of files nothing is counted ----
rules 100 >before.yaml
rules 4 >rules.yaml
look 1 --rules rules.yaml --against before.yaml
says '      keys beyond the new max_keys are given up, first those without an open incident'
look 1 --rules before.yaml --against rules.yaml
! grep -q 'beyond' check.out || fail "a bound that grows takes nothing: $(cat check.out)"

members() { # MAX_KEYS MAX_MEMBERS: and rules that hold nothing that it bounds
    rules "$1" | sed "s/max_keys: [0-9]*,/&  max_members: $2,/"
    echo "  - {id: beats, where: check == \"beat\", by: [host], max_members: $2, expect: {every: 1h}, incident: {title: '{host}'}, close: cleared()}"
}
full='a window that holds more entries than the new max_members stays as full, and gives one up for each that comes; an open incident goes by the former bound'
members 100 50 >before.yaml
members 100 10 >rules.yaml
look 1 --rules rules.yaml --against before.yaml
says "      $full"
[[ $(grep -c 'new max_members' check.out) == 1 ]] || fail "told of more than a rule with windows: $(cat check.out)"
members 4 10 >rules.yaml
look 1 --rules rules.yaml --against before.yaml
says "; $full"
look 1 --rules before.yaml --against rules.yaml
! grep -q 'max_members stays' check.out || fail "a bound that grows takes nothing: $(cat check.out)"

# ---- of a daemon ----
start_broker events:1
rules 100 >rules.yaml
config ''
start_daemon
wait_for "it is ready" answers /readyz 200
# The sixth change begins to flap: ports hears that p has cleared, and not that it came back.
{
    for host in a b c d e f; do event ping "$host" problem; done
    event log z problem
    for state in problem clear problem clear problem clear problem; do event port p $state; done
} | send
changes() { grep -c "\"change\":\"$1\".*\"rule\":\"$2\"" incidents.log; }
all_open() { [[ $(changes opened x) == 6 && $(changes opened logs) == 1 && $(changes closed ports) == 3 && $(changes opened port-flaps) == 1 ]]; }
wait_for "all are open" all_open
holds() {
    curl -s "http://127.0.0.1:$admin/rules" | python3 -c '
import json, sys
got = json.load(sys.stdin)
x = [(r["keys"], r["open"]) for r in got["rules"] if r["rule"] == "x"]
sys.exit(x != [(6, 6)] or got["alerts"] != 8 or got["flapping"] != 1)'
}
wait_for "the rules hold what was sent" holds
cp tocsin.yaml plain.yaml

sed 's/^rules:/engine: {expire: 2m}\nrules:/' plain.yaml >tocsin.yaml
look 1 --config tocsin.yaml --against running
says '      an alert of which nothing was heard for 2m is over at once: of 8 open incidents those that only such alerts hold close, and open, and page, anew with the next repeat'
sed 's/^rules:/engine: {expire: 20m}\nrules:/' plain.yaml >tocsin.yaml
look 1 --config tocsin.yaml --against running
! grep -q 'at once' check.out || fail "a longer time takes nothing: $(cat check.out)"
sed 's/^rules:/engine: {alerts: {max: 2}}\nrules:/' plain.yaml >tocsin.yaml
look 1 --config tocsin.yaml --against running
says '6 of 8 alerts beyond the new bound are given up, those that were silent the longest first: of 8 open incidents one '
for max in 8 9; do
    sed "s/^rules:/engine: {alerts: {max: $max}}\nrules:/" plain.yaml >tocsin.yaml
    look 1 --config tocsin.yaml --against running
    ! grep -q 'given up' check.out || fail "eight alerts are within a bound of $max: $(cat check.out)"
done
for flap in 'window: 1m' 'stop: 5'; do
    sed "s/^rules:/engine: {flap: {$flap}}\nrules:/" plain.yaml >tocsin.yaml
    look 1 --config tocsin.yaml --against running
    says '      an alert that does not flap by this any more stops at once (1 alert flaps now): of 1 open incident on flapping those that only such alerts hold close; rules on alerts and on events, which heard nothing of it meanwhile, are told what it is by then: an incident of theirs may close, or open, and page'
done
for flap in 'window: 20m' 'stop: 1' 'start: 3' 'start: 9'; do
    sed "s/^rules:/engine: {flap: {$flap}}\nrules:/" plain.yaml >tocsin.yaml
    look 1 --config tocsin.yaml --against running
    ! grep -q 'any more' check.out || fail "by $flap nothing stops to flap: $(cat check.out)"
done

cp plain.yaml tocsin.yaml
rules 6 >rules.yaml
look 1 --config tocsin.yaml --against running
! grep -q 'beyond' check.out || fail "six keys are within a bound of six: $(cat check.out)"
rules 2 >rules.yaml
look 1 --config tocsin.yaml --against running
says '      4 of 6 keys are beyond the new max_keys and given up, first those without an open incident, then those that nothing came for the longest: 4 with an open incident, which is watched no more'
look 1 --config tocsin.yaml --against running --json
python3 - <<'PY' || fail "as JSON"
import json
rows = {r["rule"]: r for r in json.load(open("check.out"))["rules"]}
assert rows["x"]["meaning"].startswith("4 of 6 keys ") and rows["x"]["beside"] is None, rows
assert rows["logs"]["meaning"] is None, rows
PY
# Each key has an open incident: no window may be too full.
rules 100 | sed 's/max_keys: 100,/max_members: 10,/' >rules.yaml
look 1 --config tocsin.yaml --against running
! grep -q 'max_members stays' check.out || fail "no key watches: $(cat check.out)"
rules 2 >rules.yaml
kill -HUP "$daemon"
wait_for "it has reloaded" file_has run.log 'event=reloaded .*may_reopen="" may_close="" gives_up="?x"? '
evicted() { # records carry time on
    event log z problem | send
    [[ $(grep -c '"change":"updated","cause":"evicted"' incidents.log) == 4 ]]
}
wait_for "four are watched no more" evicted

sed 's/^rules:/engine: {flap: {window: 1s}}\nrules:/' plain.yaml >tocsin.yaml
kill -HUP "$daemon"
wait_for "it has reloaded with another stretch" file_has run.log 'event=reloaded .*may_reopen="?logs,port-flaps,ports,x"? may_close="" gives_up="" engine_changed="engine.flap.window 10m -> 1s"'
calm() {
    event log z problem | send
    [[ $(changes closed port-flaps) == 1 && $(changes opened ports) == 4 ]]
}
wait_for "p flaps no more, and its port is told of" calm

sed 's/^rules:/engine: {expire: 1m, flap: {window: 1s}}\nrules:/' plain.yaml >tocsin.yaml
kill -HUP "$daemon"
wait_for "it has reloaded again" file_has run.log 'event=reloaded .*may_reopen="?logs,ports,x"? may_close="" gives_up="" engine_changed="engine.expire 5m -> 1m"'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
