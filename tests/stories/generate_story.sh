#!/usr/bin/env bash
#
# The generator's files are the same each time and hold what it says; through Kafka
# comes the same, and each alert's events come in order by one partition.
set -euo pipefail
options=(--duration 20s --rate 500 --storm-events 1000 --start 2026-02-01T10:00:00Z --seed 5)

"$TOCSIN" generate "${options[@]}" --output first --truth first.truth 2>counts
"$TOCSIN" generate "${options[@]}" --output second --truth second.truth 2>/dev/null
cmp first second
cmp first.truth second.truth
events=$(wc -l <first)
grep -q "^generated $events events" counts || { echo "$events lines, but:"; cat counts; exit 1; }
[[ $(grep -c '"fault"' first.truth) == 7 ]]

# The same as a recording: the rules of the demo find every fault in it and nothing else.
"$TOCSIN" generate "${options[@]}" --recording run.trec --quiet
"$TOCSIN" replay --rules demo --incidents incidents --ledger ledger --quiet run.trec
python3 - <<'PY'
import json

faults = [json.loads(line) for line in open("first.truth")][:-1]
opened = [i for i in map(json.loads, open("incidents")) if i.get("change") == "opened"]
for fault in faults:
    caught = [i for i in opened if i["rule"] in fault["rules"] and i["key"] == fault["key"]
              and fault["start"] <= i["at"] <= fault["end"]]
    assert len(caught) == 1, (fault, caught)
assert len(opened) == len(faults) == 7, opened
PY

command -v kcat >/dev/null || { echo 'skipped: kcat is not installed'; exit 77; }
"$TOCSIN" broker --topic events:4 --port-file address >/dev/null &
broker=$!
trap 'kill $broker' EXIT
for _ in $(seq 600); do [[ -s address ]] && break; sleep 0.1; done
"$TOCSIN" generate "${options[@]}" --brokers "$(cat address)" --pace fast --quiet
kcat -b "$(cat address)" -C -t events -e -q -o beginning -f '%p %s\n' >consumed 2>/dev/null
cut -d' ' -f2- consumed | sort >consumed.sorted
sort first | cmp - consumed.sorted

python3 - <<'PY'
import json

partition, last, used = {}, {}, set()
for line in open("consumed"):
    number, text = line.split(" ", 1)
    event = json.loads(text)
    alert = event["source"], event["resource"], event["check"]
    assert partition.setdefault(alert, number) == number, alert
    assert last.get(alert, "") <= event["time"], alert
    last[alert] = event["time"]
    used.add(number)
assert used == {"0", "1", "2", "3"}, used
PY

code=0
"$TOCSIN" generate --hosts 3 --racks 16 2>said || code=$?
[[ $code == 64 ]]
grep -q hosts said
code=0
"$TOCSIN" generate --output /nowhere/file 2>said || code=$?
[[ $code == 74 ]]
grep -q '/nowhere/file' said
