# Aim (C3, X1, X5): what is pushed over HTTP is on the disk before it is answered, comes to incidents as
# from a topic, and comes to the same again after a kill -9; what people have the daemon do is on record
# with who, from where and what came of it; what is refused is not half there. Method: one data directory
# through four lives, a webhook that writes down what it is told, and the audit.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]}'
start_broker events:2
{
    echo 'rules:'
    rule first alpha
    echo 'silences: [{id: of-file, where: host == "nobody", to: "2999-01-01T00:00:00Z"}]'
} >rules.yaml
config() { # FIRST LINES
    write_config <<TEXT
$1
rules: [rules.yaml]
data: {dir: data}
intake: {body: {max: 20000}}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true"}}
TEXT
    sed -i 's/^  start: .*/&\n  topics: [{topic: events, disorder: 0ms}]/' tocsin.yaml # nothing waits for it
}
audit() {
    "$TOCSIN" audit data "$@"
}

# Without a directory to keep it in nothing is taken.
config ''
sed -i '/^data:/d' tocsin.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h0 problem | push /events
answered 501 '^without data.dir this cannot be kept, so it is not taken$'
kill -TERM "$daemon"
wait_end "$daemon"

# Events: one document, or lines of which each is one; all or nothing.
config ''
start_daemon
wait_for "it is ready" answers /readyz 200
{ event alpha h1 problem; } | push '/events?wait'
answered 200 '^\{"position":"@intake/0","records":1,"events":1,"at":"[^"]*","applied":true\}$'
file_has incidents.log 'host=h1' || fail "it was applied, and is not in the incident log"
{ event alpha h2 problem; echo; event alpha h3 problem; } | push /events
answered 200 '"position":"@intake/1","records":2,"events":2,"at":"[^"]*"\}$'
printf '[%s,\n%s]' "$(event alpha h4 problem)" "$(event alpha h5 problem)" | push /events
answered 200 '"position":"@intake/3","records":1,"events":2'
{ event alpha h6 problem; echo '{"check":"alpha"}'; } | push /events
answered 400 '^line 2, byte [0-9]+: .*; nothing of the request was kept$'
head -c 30000 /dev/zero | tr '\0' ' ' | push /events
answered 413 '^30000 bytes are more than a request may have \(intake.body.max\): 20000$'
header=(-H 'Content-Encoding: gzip')
event alpha h6 problem | gzip | push /events
answered 415 '^a body in a Content-Encoding is not taken: send it as it is$'
header=(-H 'Content-Encoding: identity')
push /events </dev/null
answered 400 '^the request holds no event$'
header=()
event alpha h6 problem | push '/events?wait=1h'
answered 400 '^wait is a duration of at most 8 s'
echo '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"alpha","instance":"h7","severity":"critical"}}]}' |
    push '/alertmanager?wait=8s'
answered 200 '"position":"@intake/4","records":1,"events":1,.*"applied":true'
for host in h1 h2 h3 h4 h5 h7; do
    wait_for "$host is told" file_has hook.log "^open first tenant=(acme|default) host=$host\$"
done
metric_is tocsin_intake_pushes_total 4 && metric_is tocsin_intake_events_total 6 &&
    metric_is tocsin_intake_refused_bad_total 3 || fail "metrics: $(curl -s "http://127.0.0.1:$admin/metrics" | grep intake)"

# Stamps are the daemon's clock, and no seal has overtaken them (T4).
metric_is tocsin_events_late_by_seal_total 0 || fail "late by a seal: $(metric tocsin_events_late_by_seal_total)"
[[ $(audit --from "$(date -u -d '-5 min' +%FT%TZ)" | wc -l) == 5 ]] || fail "not of these minutes: $(audit)"

# A silence holds from its answer on, is kept over a kill, and ends by hand.
echo '{"where": "host ==", "for": "2h"}' | push /silences/add
answered 400 '^[a-z]'
file_has answer 'silences-by-hand|^[0-9]' && fail "a place in a file that nobody sees: $(cat answer)"
echo '{"id": "of-file", "where": "host == \"h8\"", "for": "2h"}' | push /silences/add
answered 409 "^there is a silence 'of-file' already, .*rules\.yaml:[0-9]+:[0-9]+; give this one another id\$"
echo '{"where": "host == \"h8\"", "for": "2h", "comment": "disk \"is\" swapped"}' | push /silences/add
kept '"id":"by-hand-1",.*"by":"local","position":"@intake/5"'
event alpha h8 problem | push '/events?wait=8s'
kept '"position":"@intake/'
wait_for "h8 is muted" file_has incidents.log 'host=h8.*"muted_by":"silence by-hand-1"'
# A reload keeps it, and is foretold so.
"$TOCSIN" check --config tocsin.yaml --against running >check.out 2>&1 || fail "check: code $?: $(cat check.out)"
file_has check.out 'silence by-hand-1 +unchanged' || fail "check: $(cat check.out)"
kill -KILL "$daemon"
wait "$daemon" || true

# The same again, from the intake as from the topics; and nothing is told twice.
cp incidents.log before.log
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered'
wait_for "it is ready" answers /readyz 200
cmp incidents.log before.log || fail "the recovery added lines"
curl -s "http://127.0.0.1:$admin/silences" | grep '"id":"by-hand-1"' >/dev/null || fail "the silence is gone"
echo '{"id": "by-hand-2"}' | push /silences/end
answered 404 "^there is no silence 'by-hand-2'"
echo '{"id": "by-hand-1"}' | push /silences/end
kept '"position":"@intake/8"'
wait_for "its end tells what was muted" file_has hook.log '^open first tenant=acme host=h8$'
kill -HUP "$daemon"
wait_for "it has reloaded" file_has run.log 'event=reloaded'
push /reload </dev/null
answered 200 '"changed":false'
push '/outbox/redrive?all=1' </dev/null
answered 200 '"redriven":0'
for host in h1 h8; do
    event alpha "$host" clear
done | push '/events?wait=8s'
kept '"position":"@intake/'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open' hook.log) == 7 && $(sort hook.log | uniq -d) == "" ]] || fail "told: $(cat hook.log)"
"$TOCSIN" digest --incidents told data >/dev/null
cmp told incidents.log || fail "the incident log is not what the journal says"
"$TOCSIN" fsck data >fsck || fail "fsck: code $?"
file_has fsck '^intake: 1 segment, 8 records of events, 5 acts: whole$' || fail "fsck says: $(cat fsck)"
# Who was told is explained with the silence, as it held until it was ended by hand.
h8=$(sed -nE 's/.*"change":"opened".*"incident":"([0-9a-f]{32})".*host=h8".*/\1/p' incidents.log)
"$TOCSIN" why --config tocsin.yaml --from earliest "$h8" >why 2>&1 || fail "why: code $?: $(cat why)"
file_has why '  nobody is told: it is muted by silence by-hand-1$' || fail "not muted: $(cat why)"
file_has why '^it opened at .*; it was muted by silence by-hand-1 until ' || fail "no end of it: $(cat why)"
# A change of rules is tried on what was pushed as a replay reads it, also while more comes; without the
# directory a note says what is not in the input.
"$TOCSIN" replay --config tocsin.yaml --data data --incidents again --ledger off --quiet 2>err || fail "replay: code $?: $(cat err)"
file_has again 'host=h8.*"muted_by":"silence by-hand-1"' || fail "a replay tells who a silence kept from being told: $(cat again err)"
sed 's/first/second/' rules.yaml >second.yaml
compare() { # CODE ARGUMENTS
    local want=$1 code=0
    shift
    "$TOCSIN" diff --config tocsin.yaml --rules second.yaml --json "$@" >diff.json 2>err || code=$?
    [[ $code == "$want" ]] || fail "diff $*: code $code, not $want: $(cat diff.json err)"
}
compare 1 --data data
python3 - <<'PY' || fail "diff --data: $(cat diff.json err)"
import json
d, opened = json.load(open("diff.json")), sum('"change":"opened"' in line for line in open("again"))
assert d["incidents"] == {"old": opened, "new": opened} and opened >= 7, (d["incidents"], opened)
assert d["old"]["events"] == d["new"]["events"] == 9, d
PY
file_has err 'is not in the input' && fail "a note of what is there: $(cat err)"
compare 0
file_has err '^note: what was pushed, and done to incidents, is not in the input; --data data reads it beside the topics$' ||
    fail "no word of what was pushed: $(cat err)"
compare 0 --quiet
file_has err 'is not in the input' && fail "quiet: $(cat err)"
compare 64 --data data audit.json
file_has err '^--data goes with topics, and files are named$' || fail "files: $(cat err)"

# With tokens who pushes has a name, and others are not heard.
secret=0123456789abcdef-ada
export secret
config 'x: y'
sed -i 's/^x: y$//; s/^admin: {/admin: {tokens: {ada: "env:secret"}, /' tocsin.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h9 problem | push /events
answered 401 '^this needs a token: send Authorization: Bearer TOKEN$'
header=(-H 'Authorization: Bearer 0123456789abcdef-ad')
event alpha h9 problem | push /events
answered 401 '^the token is not one of admin.tokens$'
header=(-H 'Authorization: Bearer 0123456789abcdef-ada')
event alpha h9 problem | push '/events?wait=8s'
kept '"position":"@intake/'
header=()

# A command finds address and token in the daemon's configuration, and says what it lacks there.
pushes() { # CODE PATTERN ARGUMENTS
    local want=$1 pattern=$2 code=0
    shift 2
    event alpha h9 problem | "$TOCSIN" push "$@" - >said 2>&1 || code=$?
    [[ $code == "$want" ]] && file_has said "$pattern" || fail "push $*: code $code: $(cat said); wanted $want $pattern"
}
pushes 0 '^-: 1 event kept at ' --config tocsin.yaml
# Far beyond what the server takes it ends a request before it has all of it.
head -c 3000000 /dev/zero | tr '\0' ' ' >large.json
pushes_large() { # PATTERN ARGUMENTS
    local pattern=$1 code=0
    shift
    "$TOCSIN" push "$@" large.json >said 2>&1 || code=$?
    [[ $code == 65 ]] && file_has said "$pattern" || fail "push $* large.json: code $code: $(cat said); wanted 65 $pattern"
}
pushes_large '^tocsin push: large.json: 3000000 bytes are more than a request may have \(intake.body.max\): 20000$' --config tocsin.yaml
pushes_large "^tocsin push: large.json: the daemon at 127.0.0.1:$admin answers, and broke off this request of 3000000 bytes: " --admin "127.0.0.1:$admin"
(unset secret; pushes 64 '^tocsin push: this needs a token' --admin "127.0.0.1:$admin") || exit 1
(unset secret; pushes 64 '^tocsin push: this needs a token' --config tocsin.yaml) || exit 1
file_has said '^tocsin push: a token is that of --config FILE and --as NAME, or of the environment variable TOCSIN_TOKEN$' ||
    fail "where a token comes from: $(cat said)"
(export TOCSIN_TOKEN=wrong; pushes 64 '^tocsin push: the token is not one of admin.tokens$' --config tocsin.yaml) || exit 1
(export TOCSIN_TOKEN=wrong; pushes 0 '^-: 1 event kept at ' --config tocsin.yaml --as ada) || exit 1
pushes 64 '^tocsin push: --as: admin.tokens has no adda; did you mean "ada"\?$' --config tocsin.yaml --as adda
pushes 64 '^tocsin push: --as is a name of admin.tokens: say --config FILE, too$' --as ada
sed 's/ada: "env:secret"/&, bob: "env:secret"/' tocsin.yaml >two.yaml
pushes 64 '^tocsin push: admin.tokens has more than one that can be read here: say whose is sent, --as one of ada, bob$' --config two.yaml
"$TOCSIN" silence list --config two.yaml >said 2>&1 || fail "who looks needs no token: $(cat said)"
sed 's/listen: [^,}]*/listen: off/' tocsin.yaml >off.yaml
pushes 64 '^tocsin push: admin.listen is off: ' --config off.yaml
pushes 78 '^tocsin push: none.yaml: ' --config none.yaml
kill -TERM "$daemon"
wait_end "$daemon"

# The audit, of all and of some.
audit >all
[[ $(wc -l <all) == 16 ]] || fail "the audit: $(cat all)"
file_has all '@intake/0  local  127\.0\.0\.1:[0-9]+  events  [0-9]+ bytes$' || fail "$(cat all)"
file_has all '@intake/5  local  .*  silence\.add  \{"where":"host == \\"h8\\"".*  in force$' || fail "$(cat all)"
file_has all '  signal  SIGHUP  reload  \{\}  done$' || fail "$(cat all)"
[[ $(audit --who ada | wc -l) == 3 && $(audit --what silence | wc -l) == 2 && $(audit --what reload | wc -l) == 2 ]] ||
    fail "who or what: $(audit --who ada; audit --what silence; audit --what reload)"
says_kind() {
    local code=0
    audit --what "$1" >said 2>&1 || code=$?
    [[ $code == 64 ]] && file_has said "$2" || fail "audit --what $1: code $code: $(cat said)"
}
says_kind silense '^tocsin audit: --what: there is no kind "silense"; did you mean "silence"[?]$'
says_kind ack '^tocsin audit: --what: there is no kind "ack"; did you mean "incident[.]acknowledge"[?]$'
third=$(sed -n 3p all | cut -d' ' -f1)
[[ $(audit --from "$third" | wc -l) -ge 11 && $(audit --to "$third" | wc -l) -le 2 ]] || fail "from and to"
"$TOCSIN" fsck --sets data | grep '^from ' >sets # (X5) by these ids audit and journal are joined
[[ $(wc -l <sets) == 3 && $(head -n 1 sets) == "from the beginning: rule set "* ]] || fail "sets: $(cat sets)"
audit --json --what silence.add | python3 -c '
import json, sys
line = json.loads(sys.stdin.readline())
assert line["who"] == "local" and line["what"] == "silence.add" and line["position"] == "@intake/5", line
assert line["with"]["comment"] == "disk \"is\" swapped" and line["outcome"].pop("set") in open("sets").read(), line
assert line["outcome"] == {"ok": True, "result": "in force"}, line
' || fail "audit --json"
audit --json --what reload | tail -n 1 | python3 -c '
import json, sys
line = json.loads(sys.stdin.readline())
last = open("sets").read().rstrip().split("\n")[-1]
assert line["outcome"]["result"] == "done" and "rule set " + line["outcome"]["set"] in last, (line, last)
' || fail "the set of a reload"
[[ $(audit --json --who ada | python3 -c 'import json, sys; print(json.loads(json.loads(sys.stdin.readline())["body"])["resource"])') == h9 ]] ||
    fail "the body is not on record"
code=0
audit --from yesterday 2>wrong || code=$?
[[ $code == 64 ]] || fail "a time that is none: code $code"
cp -r data damaged
printf damage | dd of=damaged/intake/0000000000000001.seg bs=1 seek=4200 conv=notrunc status=none
code=0
"$TOCSIN" audit damaged >/dev/null 2>wrong || code=$?
[[ $code == 65 ]] && file_has wrong 'damaged/intake/0000000000000001.seg: byte 4096: ' || fail "damage: code $code: $(cat wrong)"
