# Aim (X5): another list of keys of a rule that carries on is told before it takes effect: who is not waited for any more,
# who is from then on, and that an open incident of the former is over; the log of the reload names the rule. Method: a
# daemon whose keys are silent; a look before each reload, by the command, by the daemon and at the start after.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
write_config <<'TEXT'
input.topics: [{topic: events, disorder: 20ms}]
rules: [rules.yaml]
data: {dir: data}
TEXT
rules() { # KEYS [SETTING]
    echo 'rules:'
    rule first alpha
    printf '  - {id: listed, where: check == "pulse", by: [host], %sexpect: {every: 1s, keys: [%s]}, incident: {title: "{host}"}, close: cleared()}\n' "${2:-}" "$1"
}
look() { # the preview in check.out
    local code=0
    "$TOCSIN" check --config tocsin.yaml --against "${1:-running}" >check.out 2>&1 || code=$?
    [[ $code == 1 ]] || fail "the preview: exit code $code: $(cat check.out)"
}
says() {
    grep -qF -- "$1" "${2:-check.out}" || fail "there is no $1: $(cat "${2:-check.out}")"
}
take() { # WHAT the log says of what may close
    kill -HUP "$daemon"
    reloads=$((reloads + 1))
    wait_for "the reload is done" metric_is tocsin_reloads_total "$reloads"
    wait_for "the log says $1" file_has run.log "event=reloaded .*$1"
}
# A switch waits for a round later than any record: records carry time on.
is_told() { # HOST CHANGE
    event nothing h9 problem | send
    file_has incidents.log "\"change\":\"$2\".*host=$1\""
}

reloads=0
rules '{host: a}, {host: nas}' >rules.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
for host in a nas; do
    wait_for "$host is missed" is_told "$host" opened
done

# By the command, by the daemon, and against a file, which knows no numbers of incidents.
cp rules.yaml rules.before
rules '{host: a}, {host: b}, {host: c}' >rules.yaml
dropped='1 of 2 keys is not waited for any more (nas): '
added='2 new keys are waited for from then on (b and 1 more), due `every` after that'
closing="${dropped}of 2 open incidents those of such keys are resolved at once, cause unlisted; $added"
look
says '  listed                             carries on   keys 2, open incidents 2'
says "      $closing"
curl -sS -X POST "http://127.0.0.1:$admin/reload?dry=1" >dry.json
python3 -c 'import json, sys
got = {rule["rule"]: rule["meaning"] for rule in json.load(open("dry.json"))["rules"]}
assert got == {"first": None, "listed": sys.argv[1]}, got' "$closing" || fail "asked dry: $(cat dry.json)"
look rules.before
says "      ${dropped}an open incident of such a key is resolved at once, cause unlisted; $added"
take 'what="changed: rule listed" may_reopen="" may_close="?listed"? '
wait_for "nas is over" is_told nas closed
! file_has incidents.log '"change":"closed".*host=a"' || fail "a is over, too"
for host in b c; do
    wait_for "$host is missed" is_told "$host" opened
done

# Who is only new takes nothing from anybody.
rules '{host: a}, {host: b}, {host: c}, {host: d}' >rules.yaml
look
says '      1 new key is waited for from then on (d), due `every` after that'
! grep -q 'resolved' check.out || fail "something is said to close: $(cat check.out)"
take 'may_close="" '
wait_for "d is missed" is_told d opened

# What leaves the list is not beyond max_keys as well: the list is there first. A start is a switch, too.
rules '{host: a}' 'max_keys: 2, ' >rules.yaml
look
! grep -q 'beyond' check.out || fail "keys are given up: $(cat check.out)"
says '      3 of 4 keys are not waited for any more (b and 2 more): of 4 open incidents those of such keys are resolved at once, cause unlisted'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
"$TOCSIN" check --config tocsin.yaml >start.out 2>&1 || fail "check: $(cat start.out)"
says '      3 of 4 keys are not waited for any more (b and 2 more): an open incident of such a key is resolved at once, cause unlisted' start.out
