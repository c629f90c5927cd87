# Aim: from records that an independent producer wrote to one page per fault, with every count adding
# up (L1 to L5) and refused records kept aside. Method: kcat writes native events, an Alertmanager body
# and one poison record of each kind; the receiver plays PagerDuty and a signed webhook; kcat reads back
# that the topic holds what was written and nothing else.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
make_topic 3
run_receiver main
export ROUTING_KEY=$routing_key HOOK_SECRET=$secret
{
    echo 'rules:'
    rule disk disk_full
    rule target TargetDown
} >rules.yaml
config_for main <<TEXT
$(plain_input 500ms)
rules: [rules.yaml]
$(sinks)
TEXT
run_daemon main
wait_for "it is ready" answers /readyz 200

# Two faults as native events: one host tells twice (a repeat), one event matches no rule.
{ event disk_full h1 problem; event disk_full h1 problem; event other h9 problem; } >native.0
event disk_full h2 problem >native.1
# One fault as Alertmanager tells it, with two alerts of which one is no fault for us.
python3 - >alertmanager.2 <<'PY'
import json, time
now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
def alert(name, host, mark):
    return {"status": "firing", "labels": {"alertname": name, "host": host, "severity": "critical", "tenant": "acme"},
            "annotations": {"summary": f"{host} does not answer"}, "startsAt": now,
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": mark}
print(json.dumps({"version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "tocsin",
                  "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "",
                  "alerts": [alert("TargetDown", "h3", "a" * 16), alert("Watchdog", "h4", "b" * 16)]}))
PY
produce 0 <native.0
produce 1 <native.1
produce 2 <alertmanager.2

# One poison record of each kind, one file each, so that it may hold anything; between good ones.
python3 - <<'PY'
good = b'{"resource":"h5","check":"other","message":"%s"}'
poison = {  # name: (record, reason)
    "truncated": (b'{"resource":"h5","check":"dis', "parse"),
    "empty": (b" ", "parse"),
    "oversized": (good % (b"x" * 70000), "size"),
    "deep": (b'{"resource":"h5","check":"other","x":' + b"[" * 40 + b"]" * 40 + b"}", "depth"),
    "wrong_type": (b'{"resource":["h5"],"check":"other"}', "schema"),
    "duplicate": (b'{"resource":"h5","check":"other","check":"disk_full"}', "schema"),
    "utf8": (b'{"resource":"h5\xff","check":"other"}', "utf8"),
}
with open("poison.list", "w") as names:
    for name, (record, reason) in poison.items():
        open("poison." + name, "wb").write(record)
        names.write(f"{name} {reason} {len(record)}\n")
PY
partition=0
while read -r name _; do
    kcat -P -b "$broker" -t "$topic" -p $((partition++ % 3)) "poison.$name" 2>>kcat.log
done <poison.list
printf 'key:\n' | kcat -P -b "$broker" -t "$topic" -p 1 -K: -Z 2>>kcat.log # a tombstone
for host in h1 h2; do
    event disk_full $host clear
done | produce 0 # h2's clear comes through another partition than its problem did
event disk_full h6 problem | produce 1 # the pipeline goes on behind the poison

# 4 native, 1 of Alertmanager, 7 poison, a tombstone, 2 clears, 1 behind; kcat counts what is there.
records=$(kcat -C -q -e -b "$broker" -t "$topic" -o beginning -f '%p %o %S\n' | sort | tee there | wc -l)
events=$((records + 1)) # the Alertmanager body is one record and two events
wait_for "everything is read" metric_is tocsin_events_total "$events"
wait_for "the page of h6 arrives" file_has main.pages 'host=h6"'
wait_for "everything is worked off" metric_is tocsin_events_waiting 0
wait_for "the sinks took all" sum_is tocsin_sink_waiting 0
curl -s "http://127.0.0.1:$admin/metrics" >metrics.txt
stop_daemon
file_has main.log 'event=stopped undelivered=0' || fail "something was left"
kill -TERM "$receiver"
wait_end "$receiver"

# An independent reader: the topic is as it was, nothing was written to it.
kcat -C -q -e -b "$broker" -t "$topic" -o beginning -f '%p %o %S\n' | sort | cmp - there || fail "the topic has changed"

python3 - "$records" <<'PY'
import collections, json, re, sys
records = int(sys.argv[1])
metric = collections.defaultdict(float)
for line in open("metrics.txt"):
    if line[0] != "#":
        series, value = line.rsplit(" ", 1)
        metric[series] = float(value)
def total(name, **labels):
    return sum(v for k, v in metric.items() if re.split(r"[{]", k)[0] == name
               and all(f'{a}="{b}"' in k for a, b in labels.items()))

# L1: every record of every partition was read, and kcat counts the same.
there = collections.Counter(line.split()[0] for line in open("there"))
for partition, count in there.items():
    assert total("tocsin_partition_records_total", partition=partition) == count, partition
    assert total("tocsin_partition_read_offset", partition=partition) == count, partition
assert total("tocsin_input_records_total") == records and total("tocsin_input_gaps_total") == 0
# L2, with the reasons worked out from what was written.
reasons = collections.Counter(line.split()[1] for line in open("poison.list"))
reasons["parse"] += 1 # the tombstone
assert records == 4 + 1 + 7 + 1 + 2 + 1, records
for reason in "parse", "size", "depth", "schema", "utf8":
    assert total("tocsin_events_rejected_total", reason=reason) == reasons[reason], reason
e = {k: total(f"tocsin_events_{k}_total") for k in ("rejected", "dropped", "duplicate", "unmatched", "routed")}
assert total("tocsin_events_total") == sum(e.values()) == records + 1, e
# routed: four problems and two clears; h1's repeat is a duplicate; two events match no rule.
assert e == {"rejected": 8, "dropped": 0, "duplicate": 1, "unmatched": 2, "routed": 6}, e
# L3, L4: four faults, two of them over.
t = {k: total(f"tocsin_touches_{k}_total") for k in ("correlated", "expired", "evicted", "retired")}
assert total("tocsin_touches_total") == sum(t.values()) + total("tocsin_touches_pending") == 6, t
assert total("tocsin_incidents_opened_total") == 4 and total("tocsin_incidents_closed_total") == 2
assert total("tocsin_incidents_open") == 2
# L5: each sink got an open for each, and a resolve for the two.
for sink in "pager", "hook":
    s = {k: total(f"tocsin_sink_{k}_total", sink=sink) for k in ("ops", "done", "dead", "superseded")}
    assert s == {"ops": 6, "done": 6, "dead": 0, "superseded": 0}, (sink, s)
assert total("tocsin_ops_total") == 12

# One page per fault and service, at both; the same incidents.
pages = [json.loads(line) for line in open("main.pages")]
told = collections.Counter((p["by"], p["kind"]) for p in pages)
incidents = {json.loads(l)["incident"]: json.loads(l)["key"] for l in open("main.incidents") if '"change":"opened"' in l}
hosts = sorted(k.split("host=")[1] for k in incidents.values())
assert hosts == ["h1", "h2", "h3", "h6"], hosts
for channel in {p["by"] for p in pages}:
    opens = [p["incident"] for p in pages if p["by"] == channel and p["kind"] == "open"]
    assert sorted(opens) == sorted(incidents), (channel, opens)
    assert told[channel, "resolve"] == 2, told
assert len({p["by"] for p in pages}) == 2, told

# Each poison record lies in quarantine, with reason and the position that kcat saw.
kept = [json.loads(line) for line in open("main.quarantine")]
sizes = {(int(p), int(o)): int(s) for p, o, s in (l.split() for l in open("there"))}
assert collections.Counter(k["reason"] for k in kept) == reasons, kept
for k in kept:
    assert max(sizes[k["partition"], k["offset"]], 0) == k["bytes"], k # kcat shows -1 for none
    assert k["why"] and 0 <= k["byte"] <= k["bytes"], k
by_size = {k["bytes"]: k for k in kept}
for name, reason, size in (l.split() for l in open("poison.list")):
    assert by_size[int(size)]["reason"] == reason, (name, by_size[int(size)])
print(f"{records} records of 3 partitions, {records + 1} events, {int(e['rejected'])} refused; 4 faults, "
      f"{len(pages)} pages: {dict((' '.join(map(str, k)), v) for k, v in told.items())}")
PY
file_has main.receiver 'webhook signatures: 6 right, 0 wrong' || fail "signatures: $(tail -n 3 main.receiver)"
