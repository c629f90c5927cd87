# Aim: a broker that goes away while the daemon runs makes it not ready, with a reason, and ends
# nothing: outbox and endpoints go on, and it leaves with 0 when asked. (Not ready after 30 s.)
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<<'rules: [rules.yaml]'
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
wait_for "the incident opens" file_has incidents.log '"change":"opened".*host=h1'
kill -TERM "${started[0]}"
wait_for "it is not ready" answers /readyz 503
[[ $(cat answer) != ok && -s answer ]] || fail "/readyz gives no reason"
wait_for "the log says so" file_has run.log 'event=not_ready why='
answers /healthz 200 || fail "not alive without a broker"
metric_is tocsin_incidents_opened_total 1 || fail "the metrics are gone"
# A Kafka client may take a minute to close without its broker: nobody waits for that, and it is not
# given a reason to.
since=$SECONDS
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $((SECONDS - since)) -lt 50 ]] || fail "it took $((SECONDS - since)) s to leave"
! file_has run.log kafka_left_open || fail "the Kafka client was left open"
