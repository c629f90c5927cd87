# Aim: what a sink refused is listed, named with its reason, and delivered in order once the cause is
# mended and somebody says so; web pages and wrong names change nothing. Method: a webhook that
# answers 404 until a file appears, and the operator's own commands.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{code} {body[op][kind]} {body[op][id]}' mended=404
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml
write_config <<YAML
rules: [rules.yaml]
sinks: [{name: hook, type: webhook, options: {url: "http://$hook/x"}}]
YAML
redrive() {
    "$TOCSIN" redrive --admin "127.0.0.1:$admin" "$@"
}
start_daemon
wait_for "it is ready" answers /readyz 200
redrive --list >listed
file_has listed '^0 changes given up can be sent again$' || fail "something is listed too early"
event alpha h1 problem | send
series='{sink="hook",type="webhook"}'
wait_for "the open is dead" metric_is "tocsin_sink_dead_total$series" 1
event alpha h1 clear | send
wait_for "the resolve is dead" metric_is "tocsin_sink_dead_total$series" 2
metric_is "tocsin_sink_dead_kept$series" 2 || fail "not kept"
redrive --list >listed
file_has listed '  hook  [0-9a-f]{32} resolve P1$' || fail "the resolve is not listed"
file_has listed '^  alpha on h1$' || fail "no title"
file_has listed '^  refused by the sink after 1 attempt: HTTP 404$' || fail "no reason"
[[ $(grep -n resolve listed | cut -d: -f1) -lt $(grep -n ' open ' listed | cut -d: -f1) ]] || fail "not the newest first"
incident=$(redrive --list --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["dead"][0]["incident"])')

# What is refused changes nothing.
refused() { # CODE SENTENCE ARGUMENTS...
    local want=$1 sentence=$2 got=0
    shift 2
    redrive "$@" >out 2>&1 || got=$?
    [[ $got == "$want" ]] || fail "redrive $*: exit code $got"
    file_has out "$sentence" || fail "redrive $*: $(cat out)"
}
touch mended
refused 64 "^tocsin redrive: say which"
refused 64 "there is no sink named 'hock'" --sink hock
refused 64 "'12' is no incident id" --incident 12
[[ $(curl -s -o out -w '%{http_code}' "http://127.0.0.1:$admin/outbox/redrive?all=1") == 405 ]] || fail "GET redrives"
[[ $(curl -s -o out -w '%{http_code}' -X POST -H 'Origin: http://evil.example' "http://127.0.0.1:$admin/outbox/redrive?all=1") == 403 ]] || fail "a web page redrives"
[[ $(curl -s -o out -w '%{http_code}' -X POST "http://127.0.0.1:$admin/outbox/redrive") == 400 ]] || fail "nothing picked redrives"
metric_is "tocsin_sink_redriven_total$series" 0 || fail "something was redriven"

redrive --incident "$incident" --sink hook >out
file_has out '^2 changes sent again$' || fail "redrive said: $(cat out)"
wait_for "both are taken" metric_is "tocsin_sink_done_total$series" 2
metric_is "tocsin_sink_redriven_total$series" 2 || fail "not counted"
metric_is "tocsin_sink_dead_kept$series" 0 || fail "still kept"
file_has run.log 'event=redriven' || fail "not in the log"
[[ $(awk '{ print $1, $2 }' hook.log | tr '\n' ' ') == "404 open 404 resolve 200 open 200 resolve " ]] || fail "order: $(cat hook.log)"
[[ $(awk '{ print $3 }' hook.log | sort -u | wc -l) == 2 ]] || fail "other op ids than before"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
refused 69 "no daemon answers at 127.0.0.1:$admin" --all
