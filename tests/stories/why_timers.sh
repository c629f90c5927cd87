# Aim: an incident that a timer opened on a daemon whose topic is quiet since is explained like any other:
# the clock of the daemon has gone on, and no event tells. Method: a real Kafka with one handful of events,
# then silence; rules of each form that opens by the clock; every incident is asked for with nothing but
# the configuration, with marks and without.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
broker=$TOCSIN_KAFKA topic=$STORY.$$
"$TOCSIN_TREE/tests/kafka/kafka" topic "$(dirname "$TOCSIN_KAFKA_CA")/.." "$topic" 2 retention.ms=-1
cat >rules.yaml <<'YAML'
rules:
  - id: learned
    where: check == "alive"
    by: [host]
    expect: {every: 1s}
    incident: {title: "{host} is silent"}
    close: cleared()
  - id: listed
    where: check == "alive"
    by: [host]
    expect: {every: 1s, keys: [{tenant: acme, host: never}]}
    incident: {title: "{host} was never seen"}
    close: cleared()
  - id: unfollowed
    by: [host]
    sequence: [{where: check == "begin", as: begin}, {not: check == "done", as: done}]
    within: 1s
    incident: {title: "{host} begins and does not end"}
    close: quiet(1h)
  - id: held
    where: check == "link"
    by: [host]
    window: open
    for: 1s
    when: count() >= 1
    incident: {title: "{host} has no link"}
    close: cleared()
  - id: fallen
    on: events
    where: check == "login"
    by: [host]
    window: {tumbling: 1s}
    baseline: {season: 1s, learn: 2, forget: 10s}
    when: deviation(count()) < -1
    incident: {title: "nobody logs in at {host}"}
    close: quiet(1h)
  - id: above
    on: incidents
    of: [learned, unfollowed]
    by: [host]
    window: open
    when: count() >= 2
    incident: {title: "{host} has two"}
    close: cleared()
YAML
write_config <<YAML
rules: [rules.yaml]
marks: {path: marks.log}
YAML
sed -i "s/^  start: earliest/&\n  topics: [{topic: $topic}]/" tocsin.yaml
grep -v '^marks' tocsin.yaml >bare.yaml

# A login in each of three seconds, so that the fourth is one without; in one partition, in order.
begin=$(($(date +%s) - 10))
at() { # SECOND CHECK
    event "$2" h1 problem | sed "s/}$/,\"time\":\"$(date -u -d "@$((begin + $1))" +%Y-%m-%dT%H:%M:%SZ)\"}/"
}
{ at 0 login; at 1 login; at 2 login; at 2 alive; at 2 begin; at 2 link; } |
    kcat -P -p 0 -b "$broker" -t "$topic"
start_daemon
opened() { # RULE
    grep '"change":"opened"' incidents.log | grep "\"rule\":\"$1\"" | grep -o '"incident":"[0-9a-f]*' | cut -d'"' -f4
}
has_opened() { [[ -n $(opened "$1") ]]; } 2>/dev/null

ask() { # RULE CONFIG PATTERN
    local id got=0
    id=$(opened "$1")
    "$TOCSIN" why "$id" --config "$2" >answer 2>answer.err || got=$?
    [[ $got == 0 ]] || fail "$1, by $2: exit code $got: $(cat answer answer.err)"
    file_has answer "^it opened at .*: $3; it is open at the end of the input$" || fail "$1, by $2: $(cat answer)"
}
while read -r rule why; do
    wait_for "rule $rule opens" has_opened "$rule"
    ask "$rule" tocsin.yaml "$why"
    ask "$rule" bare.yaml "$why"
done <<'TABLE'
learned nothing for 1s \(expects an event every 1s\)
listed nothing since it was listed, 1s ago \(expects an event every 1s\)
unfollowed begin: begin on h1, then no done \(within 1s\)
held 1 alert open now \(needs 1\); held for 1s
fallen count\(\) is 0 in 1s, -1000000 standard deviations \(needs less than -1\) from its mean 1 of 3 seasons
above 2 incidents open now \(needs 2\)
TABLE

# Once the daemon is gone, its clock is known from the marks that it wrote at its end.
kill -TERM "$daemon"
wait_end "$daemon"
ask learned tocsin.yaml 'nothing for 1s .*'
