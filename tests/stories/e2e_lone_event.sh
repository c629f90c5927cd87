# Aim: in a quiet night one lone event is a page soon after: its time must pass first (disorder L), the
# rest of the way is short. Method: twelve events, one at a time, each into a topic of four otherwise
# silent partitions; from the log time of the record, which kcat stamped, to the receiver's clock.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
make_topic 4
run_receiver main
export ROUTING_KEY=$routing_key HOOK_SECRET=$secret
{ echo 'rules:'; rule disk disk_full; } >rules.yaml
config_for main <<TEXT
$(plain_input 200ms)
rules: [rules.yaml]
$(sinks)
TEXT
run_daemon main
wait_for "it is ready" answers /readyz 200
event disk_full warm problem | produce 0
wait_for "the first page arrives" file_has main.pages 'webhook.*host=warm"'
for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
    event disk_full "h$n" problem | produce $((n % 4))
    wait_for "the page of h$n arrives" file_has main.pages "webhook.*host=h$n\""
done
# When each record was made, by the clock of its producer.
kcat -C -q -e -b "$broker" -t "$topic" -o beginning -f '%T %s\n' |
    sed -n 's/^\([0-9]*\) .*"resource":"\(h[0-9]*\)".*/\2 \1/p' >sent
stop_daemon
# The wire of a loaded test machine is no yardstick: the gate is wide, the figures are printed.
python3 - <<'PY'
import json
sent = dict(line.split() for line in open("sent"))
got = {}
for line in open("main.pages"):
    page = json.loads(line)
    host = page["key"].split("host=")[1]
    if host in sent and page["kind"] == "open":
        got.setdefault(page["by"], []).append(page["received"] - int(sent[host]))
for by, ms in sorted(got.items()):
    ms.sort()
    assert len(ms) == 12, (by, ms)
    p50 = ms[len(ms) // 2]
    print(f"{by}: L = 200 ms, p50 {p50} ms, p99 {ms[-1]} ms of 12 lone events: {ms}")
    assert ms[0] >= 200, "a page before its time had passed"
    # The best of twelve is free of the machine's load: 240 ms here, 540 ms when an idle partition
    # waits for the default disorder of 500 ms instead of this topic's.
    assert ms[0] < 480, "even the fastest page came late"
    assert p50 < 2000, "far behind"
PY
