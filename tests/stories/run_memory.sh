# Aim: at 90 % of its memory budget the daemon says what takes it, to the log, in its metrics and to the
# sinks, and goes on reading; a budget that its bounds do not fit is told at the start (F7). Method: more
# alerts than the budget holds, which engine.alerts.max would allow; and none too many.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][why]}'
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
memory.budget: 128MiB
sinks: [{name: hook, type: webhook, options: {url: "http://$hook/x"}}]
YAML
start_daemon
wait_for "it is ready" answers /readyz 200
file_has run.log 'event=memory_budget mib=128 from=memory.budget fetched=8 ' || fail "the budget is not told"
file_has run.log 'level=warning event=memory_bound_too_large key=engine.alerts.max mib=286 ' || fail "a bound that does not fit is not told"
file_has run.log 'event=outbox_bound_lowered mib=32 ' || fail "the lower bound of the outbox is not told"
[[ $(metric tocsin_memory_budget_bytes) == 134217728 ]] || fail "another budget in the metrics"
[[ $(metric tocsin_memory_short) == 0 ]] || fail "memory is short with nothing in it"
# 200 bytes of tables, and as many of words, each; 2 MiB at a time, because the mock broker holds 5.
all_read() { [[ $(metric tocsin_input_records_total) == "$1" ]]; }
for n in {1..25}; do
    awk -v n="$n" 'BEGIN { for (i = (n - 1) * 16000; i < n * 16000; i++) printf "{\"resource\":\"machine-%07d\",\"check\":\"beta\",\"state\":\"problem\",\"message\":\"the value is out of its usual range since a while: %07d\"}\n", i, i }' >many.jsonl
    "$TOCSIN" publish --brokers "$broker" --topic events --quiet many.jsonl || fail "publish: $?"
    wait_for "all is read" all_read $((n * 16000))
done
wait_for "the sink is told" file_has hook.log '^open memory-short [0-9]+ of 128 MiB \(memory.budget\) are used: alerts, keys and windows [0-9]+, decoded events [0-9]+, touches [0-9]+, changes of incidents [0-9]+, ops for sinks [0-9]+, fetched records about [0-9]+$'
wait_for "the log says it" file_has run.log 'level=error event=memory_short why='
all_counted() { (($(metric tocsin_alerts) == 400000 && $(metric tocsin_table_bytes) >= 40000000 && $(metric tocsin_state_bytes) >= 20000000)); }
wait_for "all alerts are counted" all_counted
(($(metric tocsin_memory_used_bytes) >= 120795955)) || fail "less than 90 % are used"
[[ $(metric tocsin_memory_short) == 1 ]] || fail "the metrics do not say it"
answers /readyz 200 || fail "not ready"
! file_has incidents.log 'memory-short' || fail "the incident log speaks of it"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"

config_refused() { # TEXT PATTERN
    printf '%s\n' "$1" >bad.yaml
    "$TOCSIN" check --config bad.yaml >said 2>&1 && fail "accepted: $1"
    file_has said "$2" || fail "no sentence like $2: $(cat said)"
}
config_refused 'memory: {budget: 64MiB}' 'bad.yaml:1:18: memory.budget: at least 128MiB are needed, or 0 to go by'
config_refused 'memory: {budget: lots}' 'bad.yaml:1:18: memory.budget'
