# Aim: a broker that goes away for 10 s and comes back costs readiness for that time and nothing else:
# no event is lost or counted twice, incidents are right. Method: a Kafka of the story's own is stopped
# and started on the same data while kcat produces: before, the moment it is back, and after; what
# the ledger says is compared with what kcat counts.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
kafka=$TOCSIN_TREE/tests/kafka/kafka own=$PWD/kafka
"$kafka" up "$own" 0
stop_kafka() { "$kafka" down "$own"; }
trap 'finish; stop_kafka' EXIT
broker=$(sed -n 's/^TOCSIN_KAFKA=//p' "$own/env") kafka_dir=$own
make_topic 3
{ echo 'rules:'; rule disk disk_full; } >rules.yaml
config_for main <<TEXT
$(plain_input 300ms)
  unreachable: 3s
rules: [rules.yaml]
TEXT
run_daemon main
wait_for "it is ready" answers /readyz 200

# 300 lines over three partitions: 30 hosts, each problem told ten times.
batch() { # NAME
    local host
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        for host in {1..30}; do event disk_full "$1-$host" problem; done
    done
}
batch before >before.json
batch gap >gap.json
batch after >after.json
send_batch() { # NAME: each host to one partition
    local partition
    for partition in 0 1 2; do
        awk -v p=$partition 'NR % 3 == p' "$1.json" | produce $partition -X message.timeout.ms=60000 -X acks=all
    done
}
send_batch before
wait_for "the first are read" metric_is tocsin_events_total 300
stop_kafka
down=$SECONDS
# Delivers as soon as the broker is back, whether the daemon has found it again or not.
{
    until kcat -L -m 1 -b "$broker" >/dev/null 2>&1; do sleep 0.1; done
    send_batch gap
} &
producer=$!
started+=("$producer")
wait_for "it is not ready" answers /readyz 503
cp answer not_ready
answers /healthz 200 || fail "not alive without a broker"
gone_for() { [[ $((SECONDS - down)) -ge $1 ]]; }
wait_for "the broker was gone for 10 s" gone_for 10
"$kafka" up "$own" "${broker##*:}"
wait_for "it is ready again" answers /readyz 200
wait_for "the gap's producer ends" ends "$producer"
send_batch after
wait_for "all are read" metric_is tocsin_events_total 900
wait_for "everything is worked off" metric_is tocsin_events_waiting 0
there=$(kcat -C -q -e -b "$broker" -t "$topic" -o beginning | wc -l)
[[ $there == 900 ]] || fail "kcat counts $there records"
metric_is tocsin_input_records_total 900 || fail "records: $(metric tocsin_input_records_total)"
metric_is tocsin_input_gaps_total 0 || fail "gaps"
metric_is tocsin_incidents_opened_total 90 || fail "incidents: $(metric tocsin_incidents_opened_total)"
metric_is tocsin_events_routed_total 90 || fail "routed: $(metric tocsin_events_routed_total)"
metric_is tocsin_events_duplicate_total 810 || fail "duplicates: $(metric tocsin_events_duplicate_total)"
redelivered=$(metric tocsin_input_redelivered_total) late=$(metric tocsin_events_late_by_seal_total)
stop_daemon # checks L1 to L4 once more
grep -o '"key":"[^"]*"' main.incidents | sort | uniq -d | grep . && fail "opened twice"
echo "900 records, 90 incidents; not ready: $(cat not_ready); delivered again and dropped: $redelivered; late by seal: $late"
grep -E 'event=(ready|not_ready)' main.log
