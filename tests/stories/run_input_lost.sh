# Aim: when nothing of the input can be read, the sink is told, once and with its end, though no time
# passes for rules, and the incident log knows nothing of it. Method: a webhook; the mock broker is
# stopped as a process and goes on.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][why]}'
start_broker events:2
server=${started[-1]}
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
input.unreachable: 8s
sinks: [{name: hook, type: webhook, options: {url: "http://$hook/x"}}]
YAML
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
wait_for "the incident is told" file_has hook.log '^open first '
! file_has hook.log 'input-lost' || fail "told though the input can be read"
kill -STOP "$server"
trap 'kill -CONT "$server"; finish' EXIT
wait_for "the sink is told that the input is lost" file_has hook.log '^open input-lost no '
file_has run.log 'level=error event=input_lost' || fail "the log does not say it"
answers /readyz 503 || fail "ready without input"
kill -CONT "$server"
trap finish EXIT
wait_for "the sink is told of the end" file_has hook.log '^resolve input-lost '
wait_for "the log says that it is over" file_has run.log 'event=input_back'
event alpha h1 clear | send
wait_for "input goes on" file_has hook.log '^resolve first '
[[ $(grep -c '^open input-lost' hook.log) == 1 ]] || fail "told more than once"
! file_has incidents.log 'input-lost' || fail "the incident log speaks of it"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
