# An overload that is artificial, and sure: a backlog of hours whose records lie further apart than bins reach, beside a
# partition that is sealed by the clock alone. Each record waits for a round of seals, so however fast the machine is,
# reading takes some seconds. Sourced by stories.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
HOSTS=5 NOISE=${NOISE:-400} # 11 hours, and at least 4 s
start_broker events:2
cat >rules.yaml <<TEXT
rules:
  - {id: down, where: 'check == "down"', by: [resource], window: 1m, when: count() >= 1,
     incident: {title: "{resource}"}, close: cleared()}
  - {id: noise, where: 'check == "noise"', by: [resource], window: 1d, when: count() >= 1000,
     incident: {title: "{resource}"}, close: cleared()}
  - {id: shed, where: 'check == "input-shed"', by: [resource], window: 1m, when: count() >= 1,
     incident: {title: "{message}"}, close: cleared()}
TEXT
# Hosts that go down at first, much that nobody needs to know, and at last hosts that are up again.
python3 - "$HOSTS" "$NOISE" >backlog.jsonl <<'PY'
import json, sys, time
hosts, noise = map(int, sys.argv[1:])
at = int(time.time() - 100 * (2 * hosts + noise) - 3600) * 1000
for i in range(2 * hosts + noise):
    at += 100000
    said = {"resource": f"h{i}", "check": "down", "severity": "critical"}
    if i >= hosts:
        said = {"resource": "n", "check": "noise", "severity": "info"}
    if i >= hosts + noise:
        said = {"resource": f"h{i - hosts - noise}", "check": "down", "state": "clear"}
    print(json.dumps({"time": at, **said}))
PY
head -n 1 backlog.jsonl | sed 's/"down"/"other"/' >other.jsonl
"$TOCSIN" publish --brokers "$broker" --topic events --quiet backlog.jsonl other.jsonl || fail "the backlog is not there"
rejected='tocsin_events_rejected_total{reason="quota"}'
of='{topic="events",partition="0"}'
recovers() {
    wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
}
told() { # RULE CHANGE COUNT [FILE]: what is in the journal, and so in this file, is told by no other life
    [[ $(grep "\"rule\":\"$1\"" "${4:-incidents.log}" 2>/dev/null | grep -c "\"change\":\"$2\"") == "$3" ]]
}
ends_well() {
    kill -TERM "$daemon"
    wait_end "$daemon"
    [[ $code == 0 ]] || fail "exit code $code"
}

# All noise from there on where it began, which RUN.LOG says.
all_from_its_begin() { # RUN.LOG
    local from
    from=$(sed -n 's/.*event=shedding_begins topic=events partition=0 offset=\([0-9]*\) .*/\1/p' "$1")
    shed=$(metric "$rejected")
    [[ $shed == $((HOSTS + NOISE - from)) ]] || fail "$shed events are left out from $from on"
}
# Whoever reads it again leaves out the same.
same() { # LEDGER
    python3 -c 'import json, sys; got, shed = json.load(open(sys.argv[1])), int(sys.argv[2]); assert got["events"]["rejected_quota"] == shed, got; assert [p["shed"] for p in got["partitions"] if p.get("shed")] == [shed], got' "$1" "$shed" ||
        fail "the replay left out others: $(cat "$1")"
}
