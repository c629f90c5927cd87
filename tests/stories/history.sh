# Aim: tocsin history lists what was and tells one incident's story with who was told what, also
# while the daemon writes; the history stays behind when its file is trouble, and is made anew by one
# command to the same rows; it is refused where it is not one. Method: one directory, a hook that takes
# and one that refuses, and what the command prints.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][key]}' /gone=400
start_broker events:1
{
    echo 'rules:'
    rule first alpha
    printf '  - id: many\n    where: check != "alpha"\n    by: [tenant]\n    window: 1h\n'
    printf '    when: count() >= 2\n    incident: {title: many}\n    close: cleared()\n'
} >rules.yaml
write_config <<TEXT
input.topics: [{topic: events, disorder: 20ms}]
rules: [rules.yaml]
data: {dir: data}
history: {timezone: Asia/Kathmandu}
outbox: {flush: 5s}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true"}}
  - {name: gone, type: webhook, options: {url: "http://$hook/gone"}}
TEXT
history() { # ARGUMENTS: prints to `out`
    code=0
    "$TOCSIN" history --config tocsin.yaml "$@" >out 2>&1 || code=$?
}
says() { # PATTERN ARGUMENTS
    local pattern=$1
    shift
    history "$@"
    [[ $code == 0 ]] && file_has out "$pattern"
}
must_say() { # PATTERN ARGUMENTS
    says "$@" || fail "history ${*:2}: code $code, not '$1': $(cat out)"
}
refuses() { # CODE PATTERN ARGUMENTS
    history "${@:3}"
    [[ $code == "$1" ]] && file_has out "$2" || fail "history ${*:3}: code $code, not '$2': $(cat out)"
}

refuses 66 'data: the data directory cannot be read'
start_daemon
event alpha h1 problem | send
wait_for "it is in the history" says '1 GIVEN UP' --open
must_say '^  [0-9:]{8}  OPEN .* P1 critical alpha on h1$'
must_say ' \(Asia/Kathmandu\)$'
must_say '^1 incident, 1 open'
id=$(awk '/first, tenant=acme host=h1/ { print $1 }' out)
[[ ${#id} == 12 ]] || fail "no id in $(cat out)"
must_say '            -> hook: open, told at ' "$id"
must_say '            -> gone: open, GIVEN UP at .*: ' "$id"
must_say '            because 1 alert in 1m' "$id"
must_say '^0 incidents, 0 open' --rule other
must_say '^tocsin history: no incident here is of a rule "other"$' --rule other
must_say '^tocsin history: no incident here is of a rule "frist"; did you mean "first"\?$' --rule frist
must_say '^0 incidents' --rule first --tenant nobody
file_has out 'no incident here' && fail "a rule that is known is called unknown: $(cat out)"
must_say '^1 incident' --key host=h1
event alpha h1 clear | send
wait_for "it has ended" says '  was open from .*: cleared$' "$id"
must_say 'closed, cleared: 1 alert, 0 open' "$id"
mkdir elsewhere
(cd elsewhere && "$TOCSIN" history --config ../tocsin.yaml "$id" >../out) || fail "from elsewhere: $(cat out)"
"$TOCSIN" history data >out 2>&1 && file_has out '^1 incident, 0 open' || fail "history data: $(cat out)"
"$TOCSIN" history data "$id" >out 2>&1 && file_has out 'closed, cleared: 1 alert, 0 open' ||
    fail "history data ID: $(cat out)"
"$TOCSIN" history "$id" >out 2>&1 && fail "an id is no directory"
file_has out "^tocsin history: the first word is the data directory, where no --config names it: $id: " ||
    fail "history ID: $(cat out)"
refuses 64 '^tocsin history: --config says where the history is: no more than an incident' data "$id"
refuses 1 'there is no incident ffffffff in the history' ffffffff
refuses 64 "'host' is not the id of an incident" host
refuses 64 "timezone: .*Nowhere" --timezone Nowhere
refuses 73 'another tocsin uses this directory' --rebuild
metric_is tocsin_history_paused 0 || fail "it is paused"
settled() { # both sinks have answered both changes, so the story is told to its end
    history --json "$id" && file_has out '"told": 2,' && file_has out '"owed": 0,' && file_has out '"dead": 2,'
}
wait_for "all is told" settled
[[ $(metric tocsin_history_rows_total) -ge 8 ]] || fail "rows: $(metric tocsin_history_rows_total)"
python3 - <<'PY' || fail "the story as JSON is another: $(cat out)"
import json
story = json.load(open("out", encoding="utf-8"))
assert [c["change"] for c in story["timeline"]] == ["opened", "closed"], story
assert [t["state"] for t in story["timeline"][0]["told"]] == ["dead", "done"], story
assert not story["open"] and story["opened_at"].endswith("Z"), story
PY

# The same over HTTP, bounded. But for how far the daemon had come: it goes on between two looks.
answers "/incidents/$id" 200 || fail "/incidents/$id: $(cat answer)"
python3 - <<'PY' || fail "over HTTP it is another: $(cat answer)"
import json
one, other = (json.load(open(name, encoding="utf-8")) for name in ("answer", "out"))
assert one.pop("as_of") and other.pop("as_of")
assert one == other
PY
answers '/incidents?rule=first&limit=1' 200 && [[ $(wc -l <answer) == 1 ]] || fail "/incidents: $(cat answer)"
file_has answer '"incidents":\[\{"incident":"'"$id" || fail "/incidents: $(cat answer)"
answers '/incidents?open=1' 200 && file_has answer '^\{"incidents":\[\],"more":false,' || fail "open: $(cat answer)"
answers '/incidents?to=2001-01-01T00:00:00Z' 200 && file_has answer '"incidents":\[\]' || fail "to: $(cat answer)"
answers '/incidents?from=yesterday' 400 && file_has answer '^from: ' || fail "from: $(cat answer)"
answers '/incidents?limit=1001' 400 && file_has answer '^limit: it is a number from 1 to 1000$' || fail "limit: $(cat answer)"
answers /incidents/ffffffff 404 && file_has answer '^there is no incident ffffffff' || fail "404: $(cat answer)"
answers /incidents/xyz 400 || fail "400: $(cat answer)"

# Its alerts have names, but for those that were in the window before it opened; long ones are cut.
long=$(printf 'é%.0s' {1..200})
event beta m1 problem | send
wait_for "it was seen first" metric_is tocsin_alerts 2
event beta m2 problem | send
wait_for "it is in the history" says '; 2 alerts' --rule many
event "$long" m3 problem | send
many=$(awk '/ many, tenant=acme/ { print $1 }' out)
wait_for "the third one has joined" says '^  [0-9:]{8}  critical s m3 é' "$many"
must_say "^  [0-9:]{8}  critical s m2 beta\$" "$many"
must_say "^  and 1 of which no words are kept$" "$many"
history --json "$many"
python3 - <<'PY' || fail "its alerts are others: $(cat out)"
import json
members = json.load(open("out", encoding="utf-8"))["members"]
assert [(m["resource"], m["check"]) for m in members] == [("m2", "beta"), ("m3", "é" * 127)], members
assert members[0]["source"] == "s" and members[0]["host"] == "m2" and members[0]["severity"] == "critical"
PY
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"

# Who only looks leaves nothing behind.
ls -l --time-style=full-iso data >before
history "$id"
"$TOCSIN" fsck data >fsck || fail "fsck: code $?"
file_has fsck '^history: 2 incidents, up to frame ([0-9]+) of \1: whole$' || fail "fsck says: $(cat fsck)"
ls -l --time-style=full-iso data | cmp - before || fail "something was written: $(ls -l data)"

# Made anew it says the same, also in place of what is none, which is kept.
# But for how far the daemon came after its last group.
listed() {
    history --json --limit 10
    grep -v '"as_of"' out
}
listed >lived
file_has lived '"incidents"' || fail "nothing is listed: $(cat out)"
must_say '^[0-9]+ groups of the journal, 2 incidents in the history$' --rebuild
listed | cmp - lived || fail "made anew it is another"
[[ $(stat -c %a data/history.db) == 600 ]] || fail "others may read it: $(stat -c %a data/history.db)"
echo 'a shopping list, and no database' >data/history.db
refuses 65 'tocsin history --rebuild makes it anew: data/history.db: file is not a database'
code=0
"$TOCSIN" fsck data >fsck 2>&1 || code=$?
[[ $code == 65 ]] && file_has fsck '^the history; tocsin history --rebuild makes it anew: ' || fail "fsck: code $code: $(cat fsck)"
must_say 'the former file is kept as data/history.db.aside.1: ' --rebuild
listed | cmp - lived || fail "made anew it is another"

# A daemon that finds such a file moves it aside, pages on, and writes another one.
echo 'another shopping list' >data/history.db
start_daemon
event alpha h2 problem | send
wait_for "the page goes out" file_has hook.log '^open .*host=h2$'
wait_for "it is told of" file_has run.log 'event=history_moved_aside why="data/history.db: file is not a database; it is kept as data/history.db.aside.2"'
wait_for "both are in the history" says '^3 incidents, 2 open'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"

# Without it there is none.
sed -i 's/^history:.*/history: {enabled: false}/' tocsin.yaml
rm data/history.db*
start_daemon
event alpha h3 problem | send
wait_for "the page goes out" file_has hook.log '^open .*host=h3$'
answers /incidents 404 && file_has answer '^no history is kept' || fail "without a history: $(cat answer)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ ! -e data/history.db ]] || fail "there is a history"
refuses 66 'data/history.db: there is no history: it is written by a daemon with history.enabled'
