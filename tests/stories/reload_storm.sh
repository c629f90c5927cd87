# Aim: reloads that follow each other every 100 ms under load change nothing of a rule that stays as it is,
# and leave nothing behind. Method: a live stream; one rule of the set changes its form with each reload, or
# goes and comes. Afterwards the recording of the stream is replayed with the marks of the run and without any
# reload: the rules that stayed have the same incident log, byte for byte.
# reload_storm.sh SECONDS
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
seconds=$1
topic=events
if [[ -n ${TOCSIN_KAFKA:-} ]]; then # the broker in memory forgets the beginning of a long stream
    broker=$TOCSIN_KAFKA topic=$STORY.$$
    "$TOCSIN_TREE/tests/kafka/kafka" topic "$(dirname "$TOCSIN_KAFKA_CA")/.." "$topic" 4
else
    start_broker events:4
fi
stays() { # its incidents come and go all the time
    cat <<TEXT
rules:
  - id: stays-host
    where: severity >= WARNING
    on: events
    by: [tenant, host]
    window: 5s
    when: count() >= 3
    incident: {title: "{host}: {count()}", priority: P2}
    close: quiet(2s)
  - id: stays-check
    where: severity >= WARNING
    by: [tenant, check]
    window: 10s
    when: distinct(resource) >= 2
    incident: {title: "{check}", priority: P3}
    close: quiet(3s) || cleared()
TEXT
}
changes() { # WINDOW in ms
    printf '  - {id: changes, where: "severity >= WARNING", on: events, by: [host], window: %sms, when: count() >= 3, incident: {title: x}, close: quiet(2s)}\n' "$1"
}
{ stays; changes 4000; } >rules.yaml
write_config <<<'rules: [rules.yaml]
marks: {path: marks.log}
engine: {expire: 5s}' # alerts hold the forms that they were counted under
sed -i "s/^  start: earliest/  start: earliest\n  group: $topic\n  topics: [{topic: $topic}]/" tocsin.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
"$TOCSIN" generate --seed 11 --rate 1500 --duration "$((seconds + 2))s" --faults 10 --storm-events 800 --brokers "$broker" --topic "$topic" --pace live --quiet &
generator=$!
started+=("$generator")
has_read() { # COUNT
    [[ $(metric tocsin_events_total) -ge $1 ]]
}
wait_for "events come" has_read 1000

most=0 reloads=0 begin=$(date +%s%N)
while [[ $((($(date +%s%N) - begin) / 1000000000)) -lt $seconds ]]; do
    case $((reloads % 3)) in
    0) { stays; changes $((2000 + reloads)); } >next.yaml ;;
    1) stays >next.yaml ;;
    2) { stays; changes $((3000 + reloads)); echo "  # $reloads"; } >next.yaml ;;
    esac
    mv next.yaml rules.yaml
    status=$(curl -s -o answer -w '%{http_code}' -X POST "http://127.0.0.1:$admin/reload")
    [[ $status == 200 ]] || fail "reload $reloads: $status: $(cat answer)"
    reloads=$((reloads + 1))
    sets=$(metric tocsin_rule_sets)
    most=$((sets > most ? sets : most))
    due=$((begin + reloads * 100000000)) # the pace, not a wait for anything
    left=$((due - $(date +%s%N)))
    [[ $left -le 0 ]] || sleep "$(printf '0.%09d' "$left")"
done
wait "$generator"
sets_are_few() {
    [[ $(metric tocsin_rule_sets) -le 2 ]]
}
echo "$reloads reloads, at most $most rule sets at a time"
[[ $reloads -ge $seconds ]] || fail "only $reloads reloads in $seconds s"
[[ $most -le 100 ]] || fail "$most rule sets at a time"
wait_for "the old sets are gone" sets_are_few
no_lag() {
    curl -s "http://127.0.0.1:$admin/metrics" | awk '/^tocsin_partition_lag_records/ { lag += $2 } END { exit lag != 0 }'
}
wait_for "all has been read" no_lag
"$TOCSIN" record --brokers "$broker" --topic "$topic" --to latest --output all.trec --quiet
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code: the ledger does not hold, or worse"

# The run ends where it was stopped, the replay at the end of the recording: a prefix.
stays >stays.yaml
"$TOCSIN" replay --config tocsin.yaml --rules stays.yaml --marks marks.log --incidents replay.log --ledger off --quiet all.trec 2>replay.err ||
    fail "replay: $(cat replay.err)"
grep '"rule":"stays-' incidents.log >live.stays
grep '"rule":"stays-' replay.log >replay.stays
lines=$(wc -l <live.stays)
[[ $lines -gt 20 ]] || fail "only $lines lines: nothing is compared"
head -n "$lines" replay.stays | cmp - live.stays || fail "a rule that stayed has other incidents"
echo "$lines lines of rules that stayed, as without reloads"
