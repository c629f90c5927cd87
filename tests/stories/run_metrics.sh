# Aim: Prometheus' own reader finds nothing wrong with /metrics of a daemon that has worked, and the
# figures are those of what was sent. Method: promtool check metrics.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
if ! command -v promtool >/dev/null; then
    echo "skipped: no promtool here (Debian package prometheus)"
    exit 77
fi
start_broker events:2
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<<'rules: [rules.yaml]
quarantine: {path: quarantine.log}'
start_daemon
wait_for "it is ready" answers /readyz 200
{ event alpha h1 problem; event alpha h1 problem; event other h1 problem; echo '{"cut":'; } | send
wait_for "everything is in" metric_is tocsin_events_total 4
wait_for "everything is worked off" metric_is tocsin_events_waiting 0
metric_is tocsin_events_duplicate_total 1 || fail "duplicate"
metric_is tocsin_events_unmatched_total 1 || fail "unmatched"
metric_is tocsin_events_routed_total 1 || fail "routed"
metric_is 'tocsin_events_rejected_total{reason="parse"}' 1 || fail "rejected"
metric_is tocsin_quarantine_written_total 1 || fail "quarantine"
metric_is tocsin_incidents_opened_total 1 || fail "opened"
metric_is 'tocsin_rule_incidents_opened_total{rule="first"}' 1 || fail "opened by rule"
python3 -c '
import json
line = json.load(open("quarantine.log"))
assert line["reason"] == "parse" and line["head"] == "{\"cut\":" and line["topic"] == "events", line'
curl -s "http://127.0.0.1:$admin/metrics" >metrics.txt
promtool check metrics <metrics.txt || fail "promtool found faults"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
