# Aim: real alerts of real detectors, from their files through Kafka and the daemon to incidents: nothing
# is lost or counted twice, the live run and a replay agree, and the attack is found. Method: scenario
# russellmitchell of the AIT alert data set, which the rules were not written on; the first argument is
# the folder. kcat reads the topic as an independent client.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
folder=$1 scenario=russellmitchell alerts=45544 # the data set's own count
for file in attack_phases.csv ${scenario}_alerts.csv.gz; do
    [[ -f $folder/$file ]] || { echo "skipped: $folder/$file is missing; TOCSIN_AIT_ADS names the folder"; exit 77; }
done
dir=$(dirname "$TOCSIN_KAFKA_CA")/..
broker=$TOCSIN_KAFKA
topic=$STORY.$$
"$TOCSIN_TREE/tests/kafka/kafka" topic "$dir" "$topic" 2 retention.ms=-1

python3 "$TOCSIN_TREE/tools/ait_ads.py" "$folder" $scenario --output .
[[ $(cat $scenario.?.json | wc -l) == "$alerts" ]] || fail "other than $alerts events were made"
if grep -m1 -E 'false_positive|time_label|event_label|webshell_cmd|service_scan|escalated_sudo' $scenario.?.json; then
    fail "the truth is in the events"
fi

"$TOCSIN" publish --brokers "$broker" --topic "$topic" $scenario.0.json $scenario.1.json
for p in 0 1; do
    kcat -C -q -e -b "$broker" -t "$topic" -p $p -o beginning -f '%T %s\n' >read.$p
    sed -E 's/^(.*"time":([0-9]+),.*)$/\2000 \1/' $scenario.$p.json | cmp - read.$p || fail "partition $p holds something else"
done

write_config <<TEXT
input.topics: [{topic: "$topic"}]
input.group: "$topic"
rules: [security]
TEXT
start_daemon
wait_for "all events are read" metric_is tocsin_events_total $alerts
wait_for "all epochs are closed" metric_is tocsin_events_waiting 0
curl -s "http://127.0.0.1:$admin/metrics" >metrics
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code: the daemon checks its sums at the end"

for input in "$scenario.0.json $scenario.1.json" recorded.trec; do
    [[ $input != *.trec ]] ||
        "$TOCSIN" record --brokers "$broker" --topic "$topic" --to latest --quiet --output recorded.trec
    # shellcheck disable=SC2086 # a list of files
    "$TOCSIN" replay --config tocsin.yaml --topic "$topic" --quiet --json --ledger replay.ledger \
        --incidents "replay.${input##*.}" $input 2>replay.log || fail "replay: $(cat replay.log)"
done
cmp replay.json replay.trec || fail "the files and what was recorded from Kafka give different incidents"

python3 "$TOCSIN_TREE/tools/ait_ads_score.py" "$folder" incidents.log --scenario $scenario --json >score.json
python3 "$TOCSIN_TREE/tools/ait_ads_score.py" "$folder" incidents.log --scenario $scenario
python3 - $alerts <<'PY'
import json, sys
alerts = int(sys.argv[1])
metrics, rejected = {}, 0
for line in open("metrics"):
    if not line.startswith("#"):
        name, value = line.rsplit(" ", 1)
        metrics[name] = float(value)
        rejected += float(value) if name.startswith("tocsin_events_rejected_total") else 0
m = lambda name: int(metrics[name])
parts = {k: m(f"tocsin_events_{k}_total") for k in ("duplicate", "unmatched", "routed")}
assert m("tocsin_events_total") == alerts == rejected + sum(parts.values()), (rejected, parts)
assert rejected == m("tocsin_events_late_by_seal_total") == m("tocsin_events_time_clamped_total") == 0
ledger = json.load(open("replay.ledger"))
assert parts == {k: ledger["events"][k] for k in parts}, (parts, ledger["events"])

# Up to the common watermark both logs are the same, byte for byte. The replay ends at the first round
# end behind the last event and the allowed disorder, the live run goes on with the clock.
last = max(json.loads(line)["time"] for n in (0, 1) for line in open(f"russellmitchell.{n}.json"))
common = min(metrics["tocsin_watermark_seconds"] * 1000, ((last * 1000 + 500) // 200 + 1) * 200)
upto = lambda path: [l for l in open(path) if json.loads(l)["at"] < common]
live, replay = upto("incidents.log"), upto("replay.json")
assert live == replay and sum('"change":"opened"' in l for l in live) >= 10, (len(live), len(replay))

score, = json.load(open("score.json"))["scenarios"]
said = {p["phase"]: p["result"] for p in score["phases"]}
for phase in "service_scans dirb wpscan webshell privilege_escalation service_stop".split():
    assert said[phase] == "opened", (phase, said)
assert said["cracking"] in ("opened", "joined"), said
assert score["false_urgent_per_day"] == 0 and score["false_per_day"] < 5, score
PY
