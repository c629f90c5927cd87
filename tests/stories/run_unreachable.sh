# Aim: without Kafka the daemon stays, says so, is alive but not ready, and still leaves when asked.
# When the broker appears, it gets ready by itself.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
broker=127.0.0.1:$(free_port)
write_config </dev/null
start_daemon
wait_for "the daemon answers" answers /healthz 200
wait_for "it says that Kafka does not answer" file_has run.log 'level=(warning|error) event=kafka .*'"$broker"
answers /readyz 503 || fail "ready without a broker"
grep -q . answer || fail "/readyz gives no reason"
[[ $(cat answer) != ok ]] || fail "/readyz says ok"
metric_is tocsin_ready 0 || fail "tocsin_ready is not 0"
answers /healthz 200 || fail "not alive without a broker"
is_running "$daemon" || fail "the daemon ended"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
file_has run.log 'event=stopped .*undelivered=0' || fail "no last line"
