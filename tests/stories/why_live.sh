# Aim: why and whynot about what a running daemon has read: the same incident is found again, with what
# the daemon alone knows of its pages; without the daemon the answer says what it lacks. Method: a
# webhook that refuses our credentials; the daemon's configuration is all that is named.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{code}' never=401
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
marks: {path: marks.log}
sinks: [{name: hook, type: webhook, options: {url: "http://$hook/x"}}]
YAML
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
event beta h2 problem | send
wait_for "the incident is logged" file_has incidents.log '"change":"opened"'
wait_for "the hook is held" metric_is 'tocsin_sink_held{sink="hook",type="webhook"}' 1
incident=$(grep -o '"incident":"[0-9a-f]*' incidents.log | sed -n 1p | cut -d'"' -f4)

ask() { # CODE COMMAND ARGUMENTS...: the answer is in the file answer
    local want=$1 got=0
    shift
    "$TOCSIN" "$@" --config tocsin.yaml --from earliest >answer 2>answer.err || got=$?
    [[ $got == "$want" ]] || fail "$*: exit code $got: $(cat answer answer.err)"
}
ask 0 why "${incident:0:12}"
file_has answer "^incident $incident: " || fail "not the incident: $(cat answer)"
file_has answer ' events/0/0/0 ' || fail "its event is not named: $(cat answer)"
file_has answer '^it opened at ' || fail "no verdict: $(cat answer)"
file_has answer "^note: the open of incident $incident still waits for hook: the sink refuses our credentials: it is held, for .*; it said HTTP 401" ||
    fail "the page's fate is not told: $(cat answer)"
if file_has answer '^note: the daemon runs with other values'; then fail "it runs with these: $(cat answer)"; fi
cp tocsin.yaml same.yaml
echo 'engine: {past: 23h}' >>tocsin.yaml
ask 0 why "$incident"
mv same.yaml tocsin.yaml
file_has answer '^note: the daemon runs with other values than this configuration has, until it is started again: engine.past; ' ||
    fail "a key that needs a restart is not told of: $(cat answer)"
ask 0 why "$incident" --json
python3 - "$incident" <<'PY'
import json, sys
answer = json.load(open("answer"))
assert answer["found"] and answer["asked"] == "incident", answer
assert answer["incident"]["id"] == sys.argv[1], answer
assert [m["event"] for m in answer["incident"]["members"]] == ["events/0/0/0"], answer
assert [n["what"] for n in answer["story"] if "alert" not in n and n.get("incident")] == ["opened", "op"], answer
PY
ask 0 whynot events/0/1
file_has answer 'check == "alpha": "beta" == "alpha" is false' || fail "the test is not told: $(cat answer)"
ask 1 whynot events/0/77
file_has answer '^there is no event at offset 77 of events/0 in this input, which has 0 to 1$' || fail "$(cat answer)"
ask 1 why 0000000000000000000000000000000f
ask 64 why zebra
ask 64 whynot events/0/1 --rule third
file_has answer.err '^tocsin whynot: there is no rule "third"$' || fail "$(cat answer.err)"

kill -TERM "$daemon"
wait_end "$daemon"
ask 0 why "$incident"
file_has answer "^note: what waits for sinks is not known: " || fail "a dead daemon is not told of: $(cat answer)"
