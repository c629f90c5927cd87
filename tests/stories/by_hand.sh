# Aim (C3, X1): somebody takes an incident on, or says that it is over: it is on record with who and
# why, sinks are told in their way, the incident log says so, and a kill -9 changes none of it. What is
# not open is refused, and that is on record, too. Method: one data directory through three lives, with
# a webhook that writes down what it is told, and the audit.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][key]} {body[incident][cause]}'
start_broker events:2
{ echo 'rules:'; rule first alpha; } >rules.yaml
sed -i 's/close: cleared()/close: quiet(1h)/' rules.yaml
write_config <<TEXT
rules: [rules.yaml]
data: {dir: data}
marks: {path: marks.log}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true"}}
TEXT
sed -i 's/^  start: .*/&\n  topics: [{topic: events, disorder: 0ms}]/' tocsin.yaml # nothing waits for it
at=(--admin "127.0.0.1:$admin")
says() { # CODE PATTERN COMMAND...
    local want=$1 pattern=$2 code=0
    shift 2
    "$TOCSIN" "$@" "${at[@]}" >said 2>&1 || code=$?
    [[ $code == "$want" ]] && file_has said "$pattern" || fail "$*: code $code: $(cat said); wanted $want $pattern"
}
id_of() { # HOST
    sed -nE "s/.*\"change\":\"opened\".*\"incident\":\"([0-9a-f]{32})\".*host=$1\".*/\1/p" incidents.log | tail -n 1
}
none=00000000000000000000000000000000
start_daemon
wait_for "it is ready" answers /readyz 200

# Three incidents, pushed.
for host in h1 h2 h3; do event alpha "$host" problem; done >events.json
says 0 '^events.json: 3 events kept at @intake/0, and applied$' push --wait events.json
says 65 '^tocsin push: -: byte 0: .*nothing of the request was kept$' push - <<<'{}'
{ event alpha h1 problem; echo '{}'; } >bad.json
says 65 '^tocsin push: bad.json: line 2, byte 0: .*nothing of the request was kept$' push bad.json none.json
says 66 '^tocsin push: none.json: No such file' push none.json
h1=$(id_of h1) h2=$(id_of h2)
event alpha h4 problem | send
wait_for "the one of Kafka opens" file_has incidents.log '"change":"opened".*host=h4'

# Taken on: by id, or by its first digits.
says 0 "^$h1 is acknowledged\$" ack "$h1" --comment 'looking into it'
file_has incidents.log "\"cause\":\"acknowledged\",\"incident\":\"$h1\",\"n\":2,.*\"acked_by\":\"local\",\"by\":\"local\",\"comment\":\"looking into it\"\}\$" ||
    fail "the incident log: $(cat incidents.log)"
wait_for "the hook hears of it" file_has hook.log '^ack tenant=acme host=h1 acknowledged$'
wait_for "it is in the history" answers "/incidents/${h2:0:9}" 200
says 0 "^$h2 is acknowledged\$" ack "${h2:0:9}"

# Refused: what is no id, what is not there.
says 64 "^tocsin ack: 'xyz' is not the id of an incident" ack xyz
says 1 '^tocsin ack: no incident that is open and watched has this id$' ack $none
says 1 '^tocsin close: 0123: there is no incident 0123' close 0123
curl -s -o answer -w '%{http_code}' -d '{"comment": 3}' "http://127.0.0.1:$admin/incidents/$h1/close" >status
[[ $(cat status) == 400 ]] && file_has answer '^comment is a text$' || fail "$(cat status answer)"
curl -s -o answer -w '%{http_code}' -d '{"why": "x"}' "http://127.0.0.1:$admin/incidents/$h1/close" >status
[[ $(cat status) == 400 ]] && file_has answer '^the body is an object with a comment' || fail "$(cat status answer)"

# Over: closed by hand, told as resolved; its alert is open still, so a repeat opens nothing, and a
# second close finds nothing.
says 0 "\"outcome\":\"closed\",\"position\":\"@intake/[0-9]+\",\"applied\":true" close "$h1" --comment 'disk swapped' --json
file_has incidents.log "\"change\":\"closed\",\"cause\":\"by-hand\",\"incident\":\"$h1\",\"n\":3,.*\"open\":1,.*\"acked_by\":\"local\",\"by\":\"local\",\"comment\":\"disk swapped\"\}\$" ||
    fail "the incident log: $(cat incidents.log)"
wait_for "the hook hears of it" file_has hook.log '^resolve tenant=acme host=h1 by-hand$'
says 1 '^tocsin close: no incident that is open' close "$h1"
event alpha h1 problem >one.json
says 0 'and applied$' push --wait one.json
[[ $(grep -c '"change":"opened"' incidents.log) == 4 ]] || fail "a repeat opened another one"
# The condition anew: the alert clears, and fires again.
{ event alpha h1 clear; event alpha h1 problem; } >one.json
says 0 'and applied$' push --wait - <one.json
again=$(id_of h1)
[[ $again != "$h1" && $(grep -c '"change":"opened"' incidents.log) == 5 ]] || fail "nothing opened anew"
in_history() {
    "$TOCSIN" history --data data "$h1" >said && file_has said 'closed, by-hand by local: '
}
wait_for "the history has the close" in_history
file_has said '^  acknowledged by local$' && file_has said '"looking into it"' && file_has said '"disk swapped"' || fail "history: $(cat said)"

# A silence, by command.
says 0 '^by-hand-1  .*host == "h9".*  "rack" *  by local$' silence add --where 'host == "h9"' --for 1h --comment rack
says 0 '^by-hand-1  ' silence list
says 0 '^by-hand-1 has ended$' silence end by-hand-1
says 1 "^tocsin silence: there is no silence 'by-hand-1' .*\`tocsin silence list\`" silence end by-hand-1
# One that can match nothing is taken, with a note.
says 0 '^note: it can match no incident of the rules as they are; there is no rule "frist"; did you mean "first"[?]$' silence add --where 'rule == "frist"' --for 1h
says 0 '^by-hand-2 has ended$' silence end by-hand-2
says 0 '^by-hand-3  ' silence add --where 'rule == "first" && host == "h9"' --for 1h
! file_has said '^note' || fail "a note of a silence that can match: $(cat said)"
says 0 '^by-hand-3 has ended$' silence end by-hand-3
says 64 '^tocsin silence: say add' silence end
says 0 '^no silence was made by hand$' silence list
# One whose time is over is still there, and told as such.
says 0 'host == "nobody"' silence add --id short --where 'host == "nobody"' --for 1s
list_has() { "$TOCSIN" silence list --config tocsin.yaml | grep -E "$1" >/dev/null; }
wait_for "it has ended" list_has '^short  .*Z, ended  host == "nobody"'
# A reload that is refused says more than a line of it.
cp rules.yaml good.yaml
sed -i 's/check/chekc/' rules.yaml
[[ $(curl -s -o said -w '%{http_code}' -X POST "http://127.0.0.1:$admin/reload") == 400 && $(wc -l <said) -gt 1 ]] ||
    fail "the reload is not refused: $(cat said)"
mv good.yaml rules.yaml
# One that comes late: the clock has closed its time before.
event alpha h5 problem | sed "s/}$/,\"time\":\"$(date -u -d '-1 min' +%FT%TZ)\"}/" | send
wait_for "it opens" file_has incidents.log '"change":"opened".*host=h5'
# What the hook was told and the journal does not know yet would be told again.
all_is_told() {
    "$TOCSIN" ledger data >ledger && file_has ledger '"ops":\{"all":9,.*"done":9,'
}
wait_for "all is told" all_is_told
kill -KILL "$daemon"
wait "$daemon" || true

# The same comes out when all is read again.
cp incidents.log before.log
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
wait_for "it is ready" answers /readyz 200
cmp incidents.log before.log || fail "the recovery added lines"
says 0 "^$again is closed\$" close "$again"
# Digits that are those of several: of seventeen ids two begin with the same one.
for number in {1..17}; do event alpha "p$number" problem; done >many.json
says 0 '' push --wait many.json
digit=$(sed -nE 's/.*"change":"opened".*"incident":"([0-9a-f]).*host=p.*/\1/p' incidents.log | sort | uniq -d | head -n 1)
wait_for "both are in the history" answers "/incidents/$digit" 400
says 64 "^tocsin ack: $digit: several incidents begin with $digit: give more digits\$" ack "$digit"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
grep -v host=p hook.log | sort | uniq -c | awk '{print $1, $2, $4}' >told_counts
cmp told_counts - <<'TEXT' || fail "told: $(cat hook.log)"
1 ack host=h1
1 ack host=h2
2 open host=h1
1 open host=h2
1 open host=h3
1 open host=h4
1 open host=h5
2 resolve host=h1
TEXT
"$TOCSIN" digest --incidents told data >/dev/null
cmp told incidents.log || fail "the incident log is not what the journal says"
# Read again by other commands, beside the topic: the same log, the same story, while it is said where
# what was pushed stands.
"$TOCSIN" replay --config tocsin.yaml --data data --quiet --ledger off >replayed || fail "replay: code $?"
cmp replayed incidents.log || fail "a replay of the directory tells otherwise"
says_why() { # CODE PATTERN COMMAND...
    local want=$1 pattern=$2
    shift 2
    code=0
    "$TOCSIN" "$@" --config tocsin.yaml --from earliest >why 2>&1 || code=$?
    [[ $code == "$want" ]] && file_has why "$pattern" || fail "$*: code $code: $(cat why); wanted $want $pattern"
}
says_why 0 "closed|closes" why "$h1"
file_has why '  local has acknowledged it: "looking into it"$' && file_has why '  local has closed it: "disk swapped"$' ||
    fail "why: $(cat why)"
says_why 0 'h1' whynot @intake/0
# What stands there and was not pushed is told as such, and what was not there is not.
"$TOCSIN" audit data >audit
act=$(sed -nE 's,.*  @intake/([0-9]+)  .*  incident\.close  .*,\1,p' audit | sed -n 1p)
says_why 1 "^no event was pushed at @intake/$act of this input; the first that was is at @intake/0, the last at @intake/[0-9]+\$" whynot "@intake/$act"
file_has why "^note: @intake/$act is no push: local asked there for incident\.close, at 20.*Z; .tocsin audit. has what came of it\$" ||
    fail "whynot of an act: $(cat why)"
outcome=0 # the audit has what came of an act beside it, and not by its position
while file_has audit "  @intake/$outcome  "; do outcome=$((outcome + 1)); done
says_why 1 "^note: @intake/$outcome is no push: it says what came of what was asked for at @intake/[0-9]+\$" whynot "@intake/$outcome"
says_why 1 '^no event was pushed at @intake/9999 of this input' whynot @intake/9999
! file_has why 'is no push' || fail "of nothing: $(cat why)"
# By the marks of all lives, not by the file of the last one alone.
ms=$(sed -nE 's/^\{"at":([0-9]*),"change":"opened".*host=h5".*/\1/p' incidents.log)
says_why 0 "^it opened at $(date -u -d "@${ms:0:10}" +%FT%T).${ms:10}Z: " why "$(id_of h5)"
"$TOCSIN" fsck data >fsck || fail "fsck: $(cat fsck)"
"$TOCSIN" ledger data >ledger || fail "ledger: $(cat ledger)"
"$TOCSIN" audit --what reload data >audit
[[ $(wc -l <audit) == 1 ]] && file_has audit '  reload  .*rules\.yaml:[0-9]+:.*chekc.* \(all of it: --json\)$' || fail "$(cat audit)"
"$TOCSIN" audit --what incident data >audit
[[ $(grep -c '  acknowledged$' audit) == 2 && $(grep -c '  closed$' audit) == 2 ]] || fail "$(cat audit)"
[[ $(grep -c '  no incident that is open and watched has this id$' audit) == 2 ]] || fail "$(cat audit)"
file_has audit "  local  .*  incident\.close  \{\"id\":\"$h1\",\"comment\":\"disk swapped\",\"rule\":\"first\",\"key\":\[\"acme\",\"h1\"\]\}  closed\$" ||
    fail "$(cat audit)"
