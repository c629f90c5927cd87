# Aim: a daemon whose clock is hours from that of the brokers says so, to the log, in its metrics and to the
# sinks, and says when it is over (T6). Method: a topic whose log times are declared to be the broker's, into
# which records of two hours ago are published while the daemon waits at its end, and then one of now.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][why]}'
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
sinks: [{name: hook, type: webhook, options: {url: "http://$hook/x"}}]
YAML
sed -i "s/^  start: earliest/&\n  topics: [{topic: events, log_append_time: true}]/" tocsin.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
[[ $(metric tocsin_clock_off_seconds) == 0.000000 ]] || fail "off before a record came"
publish() { # WHEN
    event beta h1 problem | sed "s/}$/,\"time\":\"$(date -u -d "$1" +%Y-%m-%dT%H:%M:%SZ)\"}/" >one.json
    "$TOCSIN" publish --brokers "$broker" --topic events --quiet one.json || fail "publish: $?"
}
# The first may come before it is known to stand at the end, and says nothing then.
is_told() { publish '2 hours ago' && file_has run.log 'level=error event=clock_off why="this run.s clock is 7[0-9][0-9][0-9] s ahead of that of the brokers" '; }
wait_for "the log says it" is_told
wait_for "the sink is told" file_has hook.log '^open clock-off this run.s clock is 7[0-9]+ s ahead of that of the brokers$'
metric tocsin_clock_off_seconds | grep -E '^-7[0-9][0-9][0-9]\.' >/dev/null || fail "the metrics do not say it: $(metric tocsin_clock_off_seconds)"
answers /readyz 200 || fail "not ready"
publish now
wait_for "the log says that it is over" file_has run.log 'level=info event=clock_agrees'
wait_for "the sink is told that it is over" file_has hook.log '^resolve clock-off '
[[ $(metric tocsin_clock_off_seconds) == 0.000000 ]] || fail "still off"
! file_has incidents.log 'clock-off' || fail "the incident log speaks of it"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
