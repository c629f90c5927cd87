# Aim (X5): a reload that gives a rule another form opens no second incident of a thing that somebody was told of,
# nor does a restart in between; the key is the new form's once the incident has closed, and why says who held it.
# Method: a daemon with a data directory, an open incident, a reload, repeats of its alert, a kill. Behind each repeat
# comes another host, whose incident shows by its title which form is in force, and that the repeat was counted.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
write_config <<'TEXT'
input.topics: [{topic: events, disorder: 20ms}]
rules: [rules.yaml]
data: {dir: data}
TEXT
form() { # WHEN TITLE EVERY OF-LEAF
    { echo 'rules:'; rule first alpha; } | sed "s/count() >= 1/$1/; s/alpha on/$2 on/" >rules.yaml
    printf '  - {id: pulse, where: check == "beat", by: [host], expect: {every: %s}, incident: {title: "{host}"}, close: cleared()}\n' "$3" >>rules.yaml
    printf '  - {id: leaf, where: check == "leaf", by: [host], expect: {every: %s}, incident: {title: "{host}"}, close: cleared()}\n' "$4" >>rules.yaml
}
opened() { grep -cE "\"change\":\"opened\".*host=$1\"" incidents.log || true; }
has_opened() { [[ $(opened "$1") == "$2" ]]; }
marker=0
repeat() { # a repeat of x, and what shows that it was counted
    marker=$((marker + 1))
    { event alpha x problem; event alpha "m$marker" problem; } | send
    wait_for "m$marker opens" has_opened "m$marker" 1
}
is_new() {
    repeat
    file_has incidents.log "\"title\":\"new on m$marker\""
}

form 'count() >= 1' former 1h 1s
start_daemon
wait_for "it is ready" answers /readyz 200
{ event beat q problem; event leaf z problem; } | send
repeat
has_opened x 1 || fail "x opened $(opened x) times"
wait_for "z is missed" has_opened z 1
form 'count() > 0' new 2h 3h
"$TOCSIN" check --config tocsin.yaml --against running >check.out 2>&1 || true
file_has check.out 'first +drains' || fail "the preview: $(cat check.out)"
file_has check.out 'pulse +drains +keys 1, open incidents 0$' || fail "the preview of pulse: $(cat check.out)"
file_has check.out '^      no incident is open: who stays silent is missed by the new form, no sooner than by this one$' ||
    fail "the preview of who is expected: $(cat check.out)"
kill -HUP "$daemon"
wait_for "the new form is in force" is_new
repeat
has_opened x 1 || fail "x opened $(opened x) times after the reload"

kill -KILL "$daemon"
wait_end "$daemon"
start_daemon
wait_for "it is ready again" answers /readyz 200
repeat
has_opened x 1 || fail "x opened $(opened x) times after the restart"
event alpha x clear | send
wait_for "it closes" file_has incidents.log '"change":"closed".*host=x"'
repeat
has_opened x 2 || fail "x opened $(opened x) times when it was let go"
file_has incidents.log '"title":"new on x"' || fail "x did not go to the new form: $(grep 'host=x"' incidents.log)"

incident=$(grep '"change":"opened"' incidents.log | grep 'host=x"' | sed -n 1p | grep -o '"incident":"[0-9a-f]*' | cut -d'"' -f4)
# z is heard of again, waited for by the rule as it is, and then by nobody, for the rule goes: whynot says so, of the
# daemon that runs.
event leaf z clear | send
wait_for "z is missed no more" file_has incidents.log '"change":"closed".*host=z"'
sed -i '/id: leaf/d' rules.yaml
kill -HUP "$daemon"
is_let_go() {
    repeat
    [[ $(curl -s "http://127.0.0.1:$admin/rules" | grep -c '"rule": *"leaf"') == 0 ]]
}
wait_for "nobody waits for z" is_let_go
"$TOCSIN" whynot host=z --rule leaf --config tocsin.yaml --from earliest >answer 2>&1 || fail "whynot: $(cat answer)"
file_has answer '^incident [0-9a-f]* of rule leaf was open from .* to .*; since then, rule leaf: expects an event every 3h, one came at .*; the rule was taken out by the switch of rules at .*, and let the key go$' ||
    fail "whynot does not say what became of z: $(cat answer)"

kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
"$TOCSIN" why "$incident" --config tocsin.yaml --from earliest >answer 2>&1 || fail "why: $(cat answer)"
file_has answer 'the rule as it was before the switch of rules at .* holds the key until that incident closes' ||
    fail "why does not say who held the key: $(cat answer)"
