# Aim: when one sink refuses our credentials, the other is told, once and with its end, also where
# that takes a restart and the process was killed; and the incident log stays what records and marks
# make of it: not a word about the outbox. Method: two webhooks, one of which answers 401.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{path} {code} {body[op][kind]} {body[incident][rule]} {body[incident][tenant]} {body[incident][id]}' \
    /locked=401
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
data: {dir: data}
sinks:
  - {name: locked, type: webhook, options: {url: "http://$hook/locked"}}
  - {name: open, type: webhook, priority: P1, options: {url: "http://$hook/open"}}
YAML
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
locked='{sink="locked",type="webhook"}'
open='{sink="open",type="webhook"}'
wait_for "the sink is held" metric_is "tocsin_sink_held$locked" 1
wait_for "the other one is told" file_has hook.log '^/open 200 open sink-held @tocsin [0-9a-f]{32}$'
wait_for "the log says so as well" file_has run.log 'event=sink_held'
metric_is "tocsin_sink_notices_total$open" 1 || fail "not counted"
metric_is "tocsin_sink_notices_total$locked" 0 || fail "the held one is told of itself"
event alpha h1 clear | send
wait_for "both changes of the incident were taken" metric_is "tocsin_sink_done_total$open" 3
[[ $(grep -c sink-held hook.log) == 1 ]] || fail "told more than once"
file_has incidents.log '"change":"closed"' || fail "no incident log"
! file_has incidents.log 'sink-held' || fail "the incident log speaks of the outbox"
ops=$(metric "tocsin_ops_total")
[[ $ops == 4 ]] || fail "the engine made $ops ops instead of 4"

# Another key needs a restart, and this one is a kill: what is held still is told no second time, and
# with the first thing that it takes the end of that very page is.
kill -KILL "$daemon"
wait_end "$daemon"
file_has data/refusals '"held":\[\{"sink":"locked",' || fail "it is not noted: $(cat data/refusals)"
start_daemon
wait_for "the sink is held again" metric_is "tocsin_sink_held$locked" 1
kill -KILL "$daemon"
wait_end "$daemon"
sed -i "s#http://$hook/locked#http://$hook/mended#" tocsin.yaml
start_daemon
wait_for "its end is told" file_has hook.log "^/open 200 resolve sink-held @tocsin $(sed -n 's#^/open 200 open sink-held @tocsin ##p' hook.log)\$"
[[ $(grep -c 'open sink-held' hook.log) == 1 ]] || fail "told anew: $(cat hook.log)"
wait_for "nothing of it is owed" test ! -e data/refusals
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
