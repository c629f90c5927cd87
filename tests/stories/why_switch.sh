# Aim: why and whynot go by the rules that were in force when something happened, also after a reload:
# of a running daemon with and without a data directory, of one that has ended, and of a recording.
# Method: one event before the switch opens an incident by a rule that the second set lacks; another
# is of a check that only the second set names.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1

ask() { # CODE COMMAND ARGUMENTS...: the answer is in the file answer
    local want=$1 got=0
    shift
    "$TOCSIN" "$@" --config tocsin.yaml >answer 2>answer.err || got=$?
    [[ $got == "$want" ]] || fail "$*: exit code $got: $(cat answer answer.err)"
}
is_told() { # INCIDENT OPTIONS...
    "$TOCSIN" why "$@" --config tocsin.yaml >answer 2>answer.err
}
says() { file_has answer "$1" || fail "no line like $1: $(cat answer)"; }
says_not() { ! file_has answer "$1" || fail "a line like $1: $(cat answer)"; }
incident_of() { # HOST
    grep '"change":"opened"' incidents.log | grep "host=$1\"" | sed -n 1p | grep -o '"incident":"[0-9a-f]*' | cut -d'"' -f4
}
switched='^note: the daemon switched its rules at 20[^ ,]*Z: what came before is decided by the rules of then$'

# The daemon with the first set, the two events, a reload, and an event of the second set. `hosts` tells the
# runs apart: they read the same topic.
live() { # HOSTS
    { echo 'rules:'; rule first alpha; } >rules.yaml
    start_daemon
    wait_for "it is ready" answers /readyz 200
    event alpha "$1a" problem | send
    event beta "$1b" problem | send
    wait_for "the first rule opens" file_has incidents.log "\"change\":\"opened\".*\"rule\":\"first\".*host=$1a\""
    ask 0 why "$(incident_of "$1a")" --from earliest
    says_not 'rules of then|cannot be had|switched'
    { echo 'rules:'; rule second beta; } >rules.yaml
    kill -HUP "$daemon"
    wait_for "the reload is done" metric_is tocsin_reloads_total 1
    wait_for "the new rule opens" opened_by_new "$1c"
    event alpha "$1a" clear | send
    wait_for "nothing is open by the first rule" file_has incidents.log "\"change\":\"closed\".*host=$1a\""
}
# The switch takes effect at a round later than any record that was binned before.
opened_by_new() { # HOST
    event beta "$1" problem | send
    file_has incidents.log "\"change\":\"opened\".*\"rule\":\"second\".*host=$1\""
}
# Answers that one set alone cannot give. With `second` alone there is no such incident.
told() { # HOSTS OFFSET OPTIONS...: the alpha event's offset, what the input is
    local hosts=$1 offset=$2
    shift 2
    ask 0 why "$(incident_of "${hosts}a")" "$@"
    says "^rule first, key tenant=acme host=${hosts}a$"
    says "$switched"
    ask 0 whynot "events/0/$((offset + 1))" "$@"
    says 'check == "alpha": "beta" == "alpha" is false'
    # A mark is in its file within a second, and one may say on which side of the switch the event is.
    wait_for "what opened behind the switch is told" is_told "$(incident_of "${hosts}c")" "$@"
    says "^rule second, key tenant=acme host=${hosts}c$"
    ask 0 whynot "host=${hosts}a" --rule first "$@"
    says "^incident $(incident_of "${hosts}a") of rule first "
}

write_config <<<'rules: [rules.yaml]
marks: {path: marks.log}'
live x
told x 0 --from earliest
says_not 'has switched its rules'
# What a daemon does not hold any more it says; and rules that are named are those that count.
ask 1 why "$(incident_of xa)" --from earliest --rules rules.yaml
says '^note: the daemon has switched its rules 1 time since its start; this answer was made with those of now alone$'
curl -s "http://127.0.0.1:$admin/rules/past" >sets.json
python3 - <<'PY'
import json
sets = json.load(open("sets.json"))["sets"]
assert [s["from"] is None for s in sets] == [True, False], sets
PY
answers "/rules/past?set=00000000000000000000000000000000" 404 || fail "a set that is not there: $(cat answer)"
answers "/rules/past?set=zebra" 400 || fail "no set: $(cat answer)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
# Its sets went with it.
ask 1 why "$(incident_of xa)" --from earliest

# It reads the topic from its beginning, so those of before as well.
count=$(kcat -C -b "$broker" -t events -e -q | wc -l)
rm incidents.log
write_config <<<'rules: [rules.yaml]
data: {dir: data}'
live y
answers /rules/past 404 || fail "a directory keeps the sets: $(cat answer)"
told y "$count" --from earliest
# A silence makes a set, and no switch that is spoken of.
"$TOCSIN" silence add --admin "127.0.0.1:$admin" --for 1h --where 'host == "yd"' >silence.log 2>&1 || fail "$(cat silence.log)"
silenced() {
    event beta yd problem | send
    file_has incidents.log '"change":"opened".*host=yd"'
}
wait_for "an incident opens that is muted" silenced
told y "$count" --from earliest
ask 0 why "$(incident_of yd)" --from earliest
says 'it was muted by silence '
says "$switched"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
told y "$count" --from earliest
# A daemon that goes on from a snapshot needs the second set alone, and keeps the first for who asks.
for i in 1 2 3; do
    start_daemon
    event beta "again$i" problem | send
    wait_for "it goes on" file_has incidents.log "host=again$i\""
    kill -TERM "$daemon"
    wait_end "$daemon"
    [[ $code == 0 ]] || fail "exit code $code"
done
told y "$count" --from earliest
"$TOCSIN" record --brokers "$broker" --topic events --to latest --output all.trec --quiet
told y "$count" all.trec --marks data
# With the rules of now alone there is no such incident.
ask 1 why "$(incident_of ya)" all.trec --rules rules.yaml
# A set that cannot be read any more: the answer says so, and goes on with the others.
rm data/blobs/*.files
ask 1 why "$(incident_of ya)" all.trec --marks data
says '^note: the rules that the daemon had from its start on cannot be had, so others decide here what came then: '

# What a form opens by its time when a reload has taken it out, behind a silence by hand, which makes a set, too: the
# incident that sinks heard of is the one that is told of.
rm incidents.log
write_config <<<'rules: [rules.yaml]
data: {dir: held}'
holding() { printf '  - {id: hold, where: check == "gamma", by: [host], window: open, for: %s, when: count() >= 1, incident: {title: t}, close: cleared()}\n' "$1"; }
{ echo 'rules:'; rule second beta; holding 1h; } >rules.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
"$TOCSIN" silence add --admin "127.0.0.1:$admin" --for 1h --where 'host == "nobody"' >silence.log 2>&1 || fail "$(cat silence.log)"
{ echo 'rules:'; rule second beta; holding 3s; } >rules.yaml
kill -HUP "$daemon"
wait_for "the form with 3s is in force" opened_by_new z1
event gamma zh problem | send
holds() {
    curl -s "http://127.0.0.1:$admin/rules" | python3 -c '
import json, sys
sys.exit(not any(r["rule"] == "hold" and r["current"] and r["keys"] for r in json.load(sys.stdin)["rules"]))'
}
wait_for "it is counted" holds
{ echo 'rules:'; rule second beta; } >rules.yaml
kill -HUP "$daemon"
opened_hold() {
    event nothing z2 problem | send
    file_has incidents.log '"change":"opened".*"rule":"hold".*host=zh"'
}
wait_for "it opens" opened_hold
ask 0 why "$(incident_of zh)" --from earliest
says '^rule hold, key tenant=acme host=zh$'
ask 0 whynot host=zh --rule hold --from earliest
says "^incident $(incident_of zh) of rule hold "
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
