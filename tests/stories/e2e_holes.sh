# Aim: a hole in the offsets of a topic stops its partition where a person sees it, accept_gap goes on
# behind it, and a topic that is declared has no holes (L1). Method: two transactions, whose first
# marker takes an offset, and three daemons with other configurations.
. "$TOCSIN_TREE/tests/stories/e2e_lib.sh"
make_topic 1
{ echo 'rules:'; rule down down; } >rules.yaml
for host in a b; do
    event down "$host" problem | kcat -P -b "$broker" -t "$topic" -p 0 -X "transactional.id=$topic" 2>>kcat.log
done

read_with() { # NAME INPUT TOPIC
    config_for "$1" <<TEXT
  brokers: "$broker"
$2
  topics: [{topic: $topic$3}]
rules: [rules.yaml]
TEXT
    sed -i "s/  group: .*/  group: $topic.$1/" "$1.yaml"
    "$TOCSIN" check --config "$1.yaml" >/dev/null || fail "$1: check refuses its configuration"
    run_daemon "$1"
}

why="$topic/0: offsets 1 to 1 \(1\) never came, and the topic is not declared gaps_expected; the partition is stopped until tocsin is started with input.accept_gap: true"
read_with stops '' ''
wait_for "it is not ready" answers /readyz 503
wait_for "the partition is stopped" sum_is tocsin_kafka_partitions_stopped 1
wait_for "it says why" eval 'answers /readyz 503 && file_has answer "$why"'
wait_for "the engine has seen it" sum_is tocsin_partition_state 3
sum_is tocsin_kafka_holes_total 1 || fail "not fetched once more"
sum_is tocsin_input_records_total 1 || fail "something behind the hole was read"
file_has stops.log "$why" || fail "the log does not say why"
stop_daemon

read_with accepts '  accept_gap: true' ''
wait_for "both hosts have incidents" sum_is tocsin_incidents_opened_total 2
wait_for "it is ready" answers /readyz 200
# The marker at the end of the log is a hole as well.
wait_for "the holes are counted" sum_is tocsin_kafka_skipped_total 2
sum_is tocsin_input_gaps_total 1 || fail "the hole between records is not in the ledger"
stop_daemon

read_with declared '' ', gaps_expected: true'
wait_for "both hosts have incidents" sum_is tocsin_incidents_opened_total 2
sum_is tocsin_kafka_holes_total 0 || fail "a declared topic has holes"
wait_for "it is ready" answers /readyz 200
stop_daemon
