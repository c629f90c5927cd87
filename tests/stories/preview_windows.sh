# Aim (X5): the preview says of windows of a form that is in force no more whether they may still open an incident: those
# whose time opens one (`for`, look: end, a step that must not come), and not those that only events fill. Method: a daemon
# whose rules of each kind hold a key, and looks with all of them gone, changed, and counting by other names.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
write_config <<'TEXT'
input.topics: [{topic: events, disorder: 20ms}]
engine.expire: 5h
rules: [rules.yaml]
TEXT
rules() { # BY COUNT
    cat <<YAML
rules:
  - {id: ends, where: check == "a", by: [$1], window: {session: 4h, max: 4h}, look: end, when: count() >= $2, incident: {title: t}, close: cleared()}
  - {id: held, where: check == "a", by: [$1], window: open, for: 4h, when: count() >= $2, incident: {title: t}, close: cleared()}
  - {id: idle, where: check == "b", by: [$1], window: open, for: 4h, when: count() >= $2, incident: {title: t}, close: cleared()}
  - {id: missing, by: [$1], sequence: [{where: 'check == "a" && value != $2.5'}, {not: check == "c", as: c}], within: 4h, incident: {title: t}, close: quiet(1h)}
  - {id: slides, where: check == "a", by: [$1], window: 4h, when: count() >= $2, incident: {title: t}, close: cleared()}
  - {id: steps, by: [$1], sequence: [{where: 'check == "a" && value != $2.5'}, {where: check == "c", as: c}], within: 4h, incident: {title: t}, close: quiet(1h)}
YAML
}
rules host 3 >rules.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
event a h problem | sed 's/}$/,"value":1}/' | send
all_hold() {
    [[ $(curl -s "http://127.0.0.1:$admin/rules" | grep -o '"keys": *1' | wc -l) == 5 ]]
}
wait_for "each rule but one holds a key" all_hold

look_is() { # WHAT; the rows and sentences of what drains, on standard input
    local code=0
    "$TOCSIN" check --config tocsin.yaml --against running >check.out 2>&1 || code=$?
    [[ $code == 1 ]] || fail "$1: exit code $code: $(cat check.out)"
    { grep -A 1 -E ' (drains|gone) ' check.out || true; } | grep -v '^--$' | sed -E 's/^  ([a-z]+) +(drains|gone) +keys (.*)/\1 \2 \3/; s/^      //' >rows
    diff rows - || fail "$1"
}
none='open incidents 0'
echo 'rules: []' >rules.yaml
look_is "all are gone" <<ROWS
ends gone 1, $none
no incident is open: windows get nothing new, and may still open an incident, and page, when their time comes
held gone 1, $none
no incident is open: windows get nothing new, and may still open an incident, and page, when their time comes
idle gone 0, $none
no incident is open: it holds nothing
missing gone 1, $none
no incident is open: windows get nothing new, and may still open an incident, and page, when their time comes
slides gone 1, $none
no incident is open: windows get nothing new, and end
steps gone 1, $none
no incident is open: windows get nothing new, and end
ROWS
rules host 4 >rules.yaml
let_go='no incident is open: a window is let go when something comes for its key, and the new form begins anew'
look_is "all are changed" <<ROWS
ends drains 1, $none
$let_go; until then it may still open an incident when its time comes
held drains 1, $none
$let_go; until then it may still open an incident when its time comes
idle drains 0, $none
no incident is open: it holds nothing
missing drains 1, $none
$let_go; until then it may still open an incident when its time comes
slides drains 1, $none
$let_go
steps drains 1, $none
$let_go
ROWS
rules resource 3 >rules.yaml
apart='with another `by`, or `expect` against none, keys cannot be compared'
look_is "all count by other names" <<ROWS
ends drains 1, $none
no incident is open: windows end beside those of the new form, and may still open an incident when their time comes: $apart
held drains 1, $none
no incident is open: windows end beside those of the new form, and may still open an incident when their time comes: $apart
idle drains 0, $none
no incident is open: it holds nothing
missing drains 1, $none
no incident is open: windows end beside those of the new form, and may still open an incident when their time comes: $apart
slides drains 1, $none
no incident is open: windows end beside those of the new form: $apart
steps drains 1, $none
no incident is open: windows end beside those of the new form: $apart
ROWS
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
