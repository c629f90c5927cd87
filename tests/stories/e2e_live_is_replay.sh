# Aim: what a daemon found live is what a replay finds, byte for byte (X1, X1b). Method: a synthetic
# estate goes into six partitions, out of order, while two daemons read: one that allows for the
# disorder and leaves in the middle, and one that does not allow for it, so that its clock moves events.
# The topic is then recorded, and replayed with many numbers of workers, batch sizes and epochs, with
# the marks of each live run.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
make_topic 6
# Beside the demo's rules a step that changes words, and a rule on incidents, which waits for rounds.
cat >more.yaml <<'YAML'
enrich:
  - id: of-rack
    where: has(labels.rack)
    set: {labels.place: 'check + " in " + labels.rack', severity: 'severity == MINOR ? MAJOR : severity'}
rules:
  - id: place
    where: has(labels.place) && check in ["host.down", "disk.smart", "disk.full", "process.restart"]
    by: [tenant, labels.place]
    window: 10s
    when: count() >= 1
    incident: {title: "{labels.place}: {count()}", priority: P4}
    close: cleared() || quiet(5s)
  - id: ill
    on: incidents
    of: [place, host-down, link-down, service-outage]
    by: [tenant]
    window: 1m
    when: count() >= 2
    incident: {title: "{count()} incidents, last {message}", priority: P2}
    close: quiet(2s)
YAML
config() { # NAME DISORDER
    config_for "$1" <<TEXT
$(plain_input "$2")
rules: [demo, more.yaml]
marks: {path: $1.marks}
sinks: [{name: hook, type: webhook, options: {url: "http://127.0.0.1:1/", idempotent: "true"}}]
outbox: {flush: 0s}
TEXT
}
config strict 0ms
strict_admin=$admin
run_daemon strict
strict=$daemon
wait_for "it is ready" answers /readyz 200
config live 2s
live_admin=$admin
run_daemon live
live=$daemon
wait_for "the other is ready" answers /readyz 200

generate() {
    "$TOCSIN" generate --brokers "$broker" --topic "$topic" --disorder 200ms --compression zstd "$@" 2>generate.log ||
        fail "generate: $(cat generate.log)"
}
settle() { # NAME ADMIN PID: what it counted goes to NAME.counts
    admin=$2 daemon=$3
    sent=$(kcat -C -q -e -b "$broker" -t "$topic" -o beginning | wc -l)
    wait_for "$1: everything is read" metric_is tocsin_events_total "$sent"
    wait_for "$1: everything is worked off" metric_is tocsin_events_waiting 0
    echo "$(metric tocsin_events_late_by_seal_total) $(metric tocsin_records_capped_total)" >"$1.counts"
    stop_daemon
}
generate --seed 11 --rate 400 --storm-events 1500 --faults 6 --duration 8s
settle live "$live_admin" "$live" # the topic goes on without it
# So few events that the clock closes time between two of a partition.
generate --seed 12 --rate 40 --storm-events 50 --faults 2 --duration 5s
settle strict "$strict_admin" "$strict"

"$TOCSIN" record --brokers "$broker" --topic "$topic" --to latest --output topic.trec 2>record.log ||
    fail "record: $(cat record.log)"
replay() { # OUT CONFIG ARGUMENTS
    local out=$1 config=$2
    shift 2
    "$TOCSIN" replay --config "$config.yaml" --incidents "$out.incidents" --ledger "$out.ledger" --json \
        --quiet "$@" topic.trec 2>"$out.err" || fail "replay $*: exit code $?: $(cat "$out.err")"
}
for name in live strict; do
    replay "$name.one" "$name" --workers 1 --marks "$name.marks"
    file_has "$name.one.err" note && fail "the marks do not fit the recording: $(cat "$name.one.err")"
    replay "$name.bare" "$name" --workers 1
    epochs=(20ms 1ms 200ms)
    [[ $name == live ]] && all_workers="1 2 3 4 8" takes="1 7 512 65536" || { all_workers="2 8" takes="7 65536"; }
    for workers in $all_workers; do
        for take in $takes; do
            replay again "$name" --workers $workers --take $take --epoch "${epochs[workers % 3]}" \
                --marks "$name.marks"
            cmp "$name.one.incidents" again.incidents || fail "$workers workers, take $take: other incidents"
            cmp "$name.one.ledger" again.ledger || fail "$workers workers, take $take: another ledger"
        done
    done
done

# A live run ends where its watermark stood; a replay goes to the end of the recording.
python3 - "$sent" <<'PY'
import json, sys
sent = int(sys.argv[1])

def lines(name):
    return open(name + ".incidents").read().splitlines()

def same_up_to_the_shorter(a, b, what):
    for i in range(min(len(a), len(b))):
        assert a[i] == b[i], f"{what}: line {i + 1}:\n{a[i]}\n{b[i]}"

for name in "live", "strict":
    late_by_seal, capped = map(int, open(name + ".counts").read().split())
    live, replay, bare = lines(name), lines(name + ".one"), lines(name + ".bare")
    opened = sum('"change":"opened"' in line for line in live)
    assert opened >= 5, opened
    for rule in "place", "ill":
        assert any(f'"rule":"{rule}"' in line for line in live), f"{name}: {rule} opened nothing"
    same_up_to_the_shorter(live, replay, name + ", live and replayed with its marks")
    assert len(replay) >= len(live), (len(replay), len(live))
    ledger = json.load(open(name + ".one.ledger"))
    assert ledger["input"]["records"] == sent, (ledger["input"], sent)
    if late_by_seal == 0 and capped == 0:
        same_up_to_the_shorter(live, bare, name + ", live and replayed without marks")
    if name == "strict":
        assert late_by_seal > 0, "the clock moved nothing: the marks were not tried"
    marks = sum(1 for _ in open(name + ".marks"))
    differ = sum(a != b for a, b in zip(live, bare)) + abs(len(live) - len(bare))
    print(f"{name}: {sent} records, {opened} incidents; the {len(live)} lines of the live log are the first of "
          f"{len(replay)} of the replay with its {marks} marks; without marks {differ} lines differ; "
          f"late by seal {late_by_seal}, capped {capped}")
PY
