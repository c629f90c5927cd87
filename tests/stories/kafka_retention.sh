# Aim: a daemon takes snapshots each quarter of the shortest retention of its topics, and says so (C6). Method:
# a real Kafka (the mock does not tell how a topic is kept) with a topic that keeps records for eight seconds,
# and a configuration by which no snapshot is due while the story runs.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
broker=$TOCSIN_KAFKA topic=$STORY.$$
"$TOCSIN_TREE/tests/kafka/kafka" topic "$(dirname "$TOCSIN_KAFKA_CA")/.." "$topic" 1 retention.ms=8000
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
data: {dir: data, snapshot: {every: 1h}}
YAML
sed -i "s/^  start: earliest/&\n  topics: [{topic: $topic}]/" tocsin.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
wait_for "the log says how often" file_has run.log "topic $topic keeps records for retention.ms 8000: a snapshot is taken at least each 2000 ms"
event alpha h1 problem | kcat -P -b "$broker" -t "$topic"
has_snapshot() { (($(metric tocsin_snapshots_total) > 0)); }
wait_for "a snapshot is taken" has_snapshot
[[ $(metric tocsin_kafka_topics_unsafe) == 0 ]] || fail "a retention that snapshots keep up with is warned of"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
