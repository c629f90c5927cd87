# Aim: a storm of rebalances loses nothing: members that come and go, by leave and by kill -9, while events
# stream in, never take the input from the one that has it; each record is read, each incident is opened once,
# and the ledger adds up (D1, T8, L1). Method: a real Kafka; one daemon that owns the group's input, and four
# that join and go. Each rebalance takes the partitions from the owner for a moment; it reads them again from
# the positions that it told last, so some records come twice, and those that had counted are passed over.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
make_topic 4
{ echo 'rules:'; rule disk disk_full; } >rules.yaml
member() { # NAME
    config_for "$1" <<TEXT
$(plain_input 100ms)
  mode: group
  properties: {session.timeout.ms: "6000", heartbeat.interval.ms: "300"}
rules: [rules.yaml]
TEXT
    run_daemon "$1"
}
stands_by() {
    answers /readyz 503 && file_has answer 'standing by: another member of group'
}
BATCH=40 rounds=4
batch() { # ROUND: a fault of each host, over all partitions
    local host
    for ((host = 0; host < BATCH; host++)); do
        event disk_full "r$1-$host" problem | produce $((host % 4))
    done
}

member owner
owner=$daemon owner_admin=$admin
wait_for "the first is ready" answers /readyz 200
for ((round = 1; round <= rounds; round++)); do
    member "m$round"
    joined=$daemon joined_admin=$admin
    batch $round & # beside the rebalance
    producer=$!
    started+=("$producer")
    admin=$joined_admin
    wait_for "number $round stands by" stands_by
    metric_is tocsin_input_records_total 0 || fail "number $round has read"
    if ((round % 2 == 1)); then
        kill -KILL "$joined"
        wait_for "number $round is gone" ends "$joined"
    else
        daemon=$joined
        stop_daemon
    fi
    wait_for "the producer ends" ends "$producer"
done
admin=$owner_admin
total=$((rounds * BATCH))
wait_for "all are routed" metric_is tocsin_events_routed_total $total
wait_for "the owner is ready" answers /readyz 200
wait_for "nothing waits" metric_is tocsin_events_waiting 0
metric_is tocsin_incidents_opened_total $total || fail "incidents: $(metric tocsin_incidents_opened_total)"
metric_is tocsin_input_gaps_total 0 || fail "gaps"
left=$(metric tocsin_events_left_total) folded=$(metric tocsin_events_duplicate_total) again=$(metric tocsin_input_redelivered_total)
daemon=$owner
stop_daemon # checks the ledger: what was read is closed, left or waits, and each event is in one place
[[ $(grep -h '"change":"opened"' ./*.incidents | grep -o '"key":"[^"]*"' | sort | uniq -c | awk '$1 == 1' | wc -l) == "$total" ]] ||
    fail "not each incident was opened once"
echo "$rounds members came and went: $total records, $total incidents; left unread and read again: $left, passed over: $again, counted again and folded: $folded"
