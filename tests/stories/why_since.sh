# Aim: why and whynot with the configuration of a running daemon and nothing else answer from the last hour,
# say so when what is asked about lies before it, and say by which rules they go once these were switched.
# Method: a real Kafka (the mock knows no offsets of times) with an event of two hours ago and events of now.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
broker=$TOCSIN_KAFKA topic=$STORY.$$
"$TOCSIN_TREE/tests/kafka/kafka" topic "$(dirname "$TOCSIN_KAFKA_CA")/.." "$topic" 1 retention.ms=-1
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
marks: {path: marks.log}
YAML
sed -i "s/^  start: earliest/&\n  topics: [{topic: $topic}]/" tocsin.yaml
old=$(date -u -d '2 hours ago' +%Y-%m-%dT%H:%M:%SZ)
event alpha h0 problem | sed "s/}$/,\"time\":\"$old\"}/" >old.json
"$TOCSIN" publish --brokers "$broker" --topic "$topic" --quiet old.json
start_daemon
wait_for "it is ready" answers /readyz 200
{ event alpha h1 problem; event beta h2 problem; } | kcat -P -b "$broker" -t "$topic"

incident_of() { # HOST
    grep '"change":"opened"' incidents.log | grep "host=$1" | grep -o '"incident":"[0-9a-f]*' | cut -d'"' -f4
}
is_open() { [[ -n $(incident_of "$1") ]]; } 2>/dev/null
wait_for "the incident of two hours ago is logged" is_open h0
wait_for "that of now is logged" is_open h1

ask() { # CODE COMMAND ARGUMENTS...: the answer is in the file answer
    local want=$1 got=0
    shift
    "$TOCSIN" "$@" --config tocsin.yaml >answer 2>answer.err || got=$?
    [[ $got == "$want" ]] || fail "$*: exit code $got: $(cat answer answer.err)"
}
says() { file_has answer "$1" || fail "no line like $1: $(cat answer)"; }
says_not() { ! file_has answer "$1" || fail "a line like $1: $(cat answer)"; }
outside="^note: nothing from before .* was read: that is 1h ago \(--since\), and 6m more for windows and alerts; "
switched="^note: the daemon switched its rules at 20[^ ,]*Z: what came before is decided by the rules of then$"

# Offset 0 is of two hours ago, 1 and 2 are of now.
ask 0 why "$(incident_of h1)"
says "^incident $(incident_of h1): "
says " $topic/0/1/0 "
says_not "$outside"
says_not "$switched"
ask 0 whynot "$topic/0/2"
says 'check == "alpha": "beta" == "alpha" is false'
says_not "$outside"
ask 1 whynot "$topic/0/0"
says "^there is no event at offset 0 of $topic/0 in this input, which has 1 to 2$"
says "$outside"
ask 1 why "$(incident_of h0)"
says "$outside"
# The same with a stretch that reaches it.
ask 0 whynot "$topic/0/0" --since 3h
says_not "$outside"
ask 0 why "$(incident_of h0)" --since 3h

# By other rules the event of now would have opened an incident; it came before they were in force.
{ echo 'rules:'; rule first alpha; rule second beta; } >rules.yaml
kill -HUP "$daemon"
wait_for "the reload is done" metric_is tocsin_reloads_total 1
# The engine takes it at the next round.
is_switched() { answers /rules/past 200 && file_has answer '"from":[0-9]+'; }
wait_for "it is in force" is_switched
ask 0 whynot "$topic/0/2"
says 'check == "alpha": "beta" == "alpha" is false'
says "$switched"
ask 0 whynot "$topic/0/2" --rules rules.yaml
says 'rule second'
ask 0 why "$(incident_of h1)"
says "$switched"
