# Aim: a sink hears nothing of an incident while a silence or an inhibition mutes it, and hears of it
# once when that ends: by a reload without the silence, by the end of the source. What a reload would
# change of a mute is told the same by the daemon and by who asks it for what is in force. Method: one
# webhook that writes down what it is told, in order.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]}'
start_broker events:1
rules() {
    echo 'rules:'
    rule first alpha
    rule power beta
    rule down gamma
    echo 'inhibit: [{id: dark, source: rule == "power", target: rule == "down", equal: [host]}]'
}
{
    rules
    echo 'silences: [{id: h1-moves, where: rule == "first" && host == "h1", to: 2999-01-01T00:00:00Z}]'
} >rules.yaml
write_config <<YAML
rules: [rules.yaml]
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/"}}
YAML
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
event alpha h2 problem | send
wait_for "the other host is told of" file_has hook.log '^open first .*host=h2$'
file_has incidents.log '"change":"opened".*host=h1.*"muted_by":"silence h1-moves"}' || fail "no cause in the log"
metric_is 'tocsin_mute_incidents{kind="silence",mute="h1-moves"}' 1 || fail "not counted"
metric_is tocsin_incidents_muted_total 1 || fail "not counted as muted"
! file_has hook.log 'host=h1$' || fail "told while silenced"

# Others than those in force: which of their keys, as the daemon itself says it.
cp rules.yaml in_force.yaml
sed -i 's/equal: .host./equal: [host, resource]/; s/2999-/2998-/' rules.yaml
code=0
"$TOCSIN" check --config tocsin.yaml --against running >check.out 2>&1 || code=$?
[[ $code == 1 ]] || fail "changed mutes are no change: $code $(cat check.out)"
{ grep -A 1 -E '^  (silence|inhibit) ' check.out || true; } >rows
diff rows - <<'ROWS' || fail "other keys of mutes"
  inhibit dark                       changed      muted incidents 0
      equal "[host]" -> "[host, resource]"
  silence h1-moves                   changed      muted incidents 1
      to "2999-01-01T00:00:00Z" -> "2998-01-01T00:00:00Z"
ROWS
"$TOCSIN" check --config tocsin.yaml --against running --json >check.json || true
curl -s -o dry.json -X POST "http://127.0.0.1:$admin/reload?dry=1"
python3 -c '
import json
asked, dry = json.load(open("check.json"))["mutes"], json.load(open("dry.json"))["mutes"]
assert asked == dry and all(len(mute["changes"]) == 1 for mute in asked), (asked, dry)' || fail "a look from outside sees other changes of mutes"
cp in_force.yaml rules.yaml

# Without the silence.
rules >rules.yaml
code=0
"$TOCSIN" check --config tocsin.yaml --against running >check.out 2>&1 || code=$?
[[ $code == 1 ]] && file_has check.out 'h1-moves +gone +muted incidents 1$' ||
    fail "what the silence mutes is not told before the reload: $code $(cat check.out)"
kill -HUP "$daemon"
wait_for "the reload is done" metric_is tocsin_reloads_total 1
# The switch waits for a round later than any record: records carry time on.
switched() {
    event nothing h9 problem | send
    file_has hook.log '^open first .*host=h1$'
}
wait_for "what was silenced is told" switched
file_has incidents.log '"cause":"unmuted".*host=h1' || fail "the log does not say why"
event alpha h1 clear | send
event alpha h2 clear | send
wait_for "both ends are told" file_has hook.log '^resolve first .*host=h1$'
wait_for "both ends are told" file_has hook.log '^resolve first .*host=h2$'
[[ $(grep -c 'host=h1$' hook.log) == 2 ]] || fail "told more than an open and a resolve"

# The power is out on h3: that it is down is no news.
event beta h3 problem | send
wait_for "the source is told" file_has hook.log '^open power .*host=h3$'
event gamma h3 problem | send
wait_for "the target opens" file_has incidents.log '"rule":"down".*"muted_by":"inhibit dark by [0-9a-f]{32}"}'
event gamma h4 problem | send
wait_for "another host is told of" file_has hook.log '^open down .*host=h4$'
! file_has hook.log '^open down .*host=h3$' || fail "told while inhibited"
event beta h3 clear | send
wait_for "the target is told" file_has hook.log '^open down .*host=h3$'
[[ $(grep -c '^open down .*host=h3$' hook.log) == 1 ]] || fail "told twice"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
