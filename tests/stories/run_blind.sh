# Aim: a broker that answers nothing for a while is told of as a blind spell (T4b), closes nothing
# meanwhile (T9), and a replay with the marks tells the same (X1). Method: the mock broker is stopped
# as a process, for longer than the 10 s after which partitions are blind, and goes on.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:2
server=${started[0]}
{
    echo 'rules:'
    rule first alpha
    cat <<'TEXT'
  - id: blind
    where: tenant == "@tocsin" && check == "input-blind"
    by: [resource]
    window: 1m
    when: count() >= 1
    incident: {title: "{message}"}
    close: cleared()
  - id: quiet
    where: check == "beta"
    by: [host]
    window: 1m
    when: count() >= 1
    incident: {title: "{message}"}
    close: quiet(1h)
TEXT
} >rules.yaml
write_config <<'TEXT'
rules: [rules.yaml]
marks: {path: marks}
TEXT
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
wait_for "the incident opens" file_has incidents.log '"change":"opened".*host=h1'
kill -STOP "$server"
trap 'kill -CONT "$server"; finish' EXIT
blind() { [[ $(curl -s "http://127.0.0.1:$admin/metrics" | grep -c '^tocsin_partition_blind.* 1$') == "$1" ]]; }
unreadable() { [[ $(curl -s "http://127.0.0.1:$admin/metrics" | grep -c '^tocsin_partition_state.* 2$') == 2 ]]; }
wait_for "both cannot be read" unreadable
lines=$(wc -l <incidents.log)
wait_for "both partitions are blind" blind 2 # some seconds later, in which nothing may close
[[ $(wc -l <incidents.log) == "$lines" ]] || fail "something closed though nothing could be read"
kill -CONT "$server"
trap finish EXIT
wait_for "they can be read again" blind 0
for partition in 0 1; do
    wait_for "the spell of events/$partition is told" file_has incidents.log '"change":"opened".*"rule":"blind".*resource=events/'"$partition"
    wait_for "and its end" file_has incidents.log '"change":"closed".*"rule":"blind".*resource=events/'"$partition"
done
# An event after the spell, so that the recording reaches beyond it.
event beta h2 problem | send
wait_for "input goes on" file_has incidents.log '"change":"opened".*host=h2'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
for mark in blind-begin blind-end; do
    [[ $(grep -c "\"mark\":\"$mark\"" marks) == 2 ]] || fail "not two marks $mark"
done
"$TOCSIN" record --brokers "$broker" --topic events --to latest --output events.trec --quiet
for workers in 1 2 8; do
    "$TOCSIN" replay --config tocsin.yaml --marks marks --workers $workers --incidents replayed --quiet events.trec 2>replay.err ||
        fail "replay: $(cat replay.err)"
    head -n "$(wc -l <incidents.log)" replayed | cmp - incidents.log || fail "$workers workers: another story"
done
"$TOCSIN" replay --config tocsin.yaml --workers 1 --incidents bare --quiet events.trec 2>replay.err || true
file_has bare '"rule":"blind"' && fail "without marks nobody knows of the spell"
exit 0
