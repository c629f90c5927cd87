# Aim (X5): what the preview says of rules with `expect` is what the reload then does: who is listed no more is over, forms
# of earlier reloads are told apart, and of a rule that goes no sign of life ends what is open. Method: a daemon, two
# absences that are listed, learned ones in two forms; a look before each reload.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
write_config <<'TEXT'
input.topics: [{topic: events, disorder: 20ms}]
rules: [rules.yaml]
data: {dir: data}
TEXT
rules() { # LISTED EVERY...: expect of `listed`; of `learned` one that is not there ends the list
    echo 'rules:'
    rule first alpha
    printf '  - {id: listed, where: check == "pulse", by: [host], expect: {%s}, incident: {title: "{host}"}, close: cleared()}\n' "$1"
    [[ -z ${2:-} ]] ||
        printf '  - {id: learned, where: check == "beat", by: [host], expect: {every: %s}, incident: {title: "{host}"}, close: cleared()}\n' "$2"
}
look() { # the preview in check.out
    local code=0
    "$TOCSIN" check --config tocsin.yaml --against running >check.out 2>&1 || code=$?
    [[ $code == 1 ]] || fail "the preview: exit code $code: $(cat check.out)"
}
says() {
    grep -qF -- "$1" check.out || fail "the preview does not say $1: $(cat check.out)"
}
take() {
    reloads=$((reloads + 1))
    kill -HUP "$daemon"
    wait_for "the reload is done" metric_is tocsin_reloads_total "$reloads"
}
# A switch waits for a round later than any record: records carry time on.
is_over() { # HOST
    event nothing h9 problem | send
    file_has incidents.log "\"change\":\"closed\",\"cause\":\"unlisted\".*host=$1\""
}
beats() { # HOST: counted when this is over
    marker=$((marker + 1))
    { event beat "$1" problem; event alpha "m$marker" problem; } | send
    wait_for "m$marker opens" file_has incidents.log "\"change\":\"opened\".*host=m$marker\""
}

marker=0
reloads=0
rules 'every: 1s, keys: [{host: a}, {host: nas}]' 1s >rules.yaml
start_daemon
wait_for "it is ready" answers /readyz 200
beats x
for host in a nas x; do
    wait_for "$host is missed" file_has incidents.log "\"change\":\"opened\".*host=$host\""
done

rules 'every: 2h, keys: [{host: a}]' 1h >rules.yaml
look
says '      2 open incidents keep their keys until they close; the new form opens none for the same key before; one of a key that the new list does not name closes at once, cause unlisted'
says '      1 open incident keeps its key until it closes; the new form opens none for the same key before'
take
wait_for "nas is over" is_over nas
! file_has incidents.log '"change":"closed".*host=a"' || fail "a is over, too"

beats y

# Of learned ones now two forms hold something; a third would come.
rules 'every: 2h, keys: [{host: a}]' 3h >rules.yaml
look
says '      expect "{every: 1s}" -> "{every: 3h}"'
[[ $(grep -c 'expect "{every: 1h}" -> "{every: 3h}"' check.out) == 1 ]] || fail "a form of this reload is told twice: $(cat check.out)"
says '      no incident is open: who stays silent is missed by the new form, no sooner than by this one'
says '      expect "{every: 1s, keys: [{host: a}, {host: nas}]}" -> "{every: 2h, keys: [{host: a}]}"'
[[ $(grep -c 'unlisted' check.out) == 0 ]] || fail "a list that stays is told as another: $(cat check.out)"

# Learned ones get a list.
rules 'every: 2h, keys: [{host: a}]' '3h, keys: [{host: y}]' >rules.yaml
look
says '      1 open incident keeps its key until it closes; the new form opens none for the same key before; one of a key that the new list does not name closes at once, cause unlisted'
says '      no incident is open: the new form expects those in its list: whom this one waits for, by the new `every`, but no sooner than this one would; others a whole `every` after it takes effect; and nobody else'

# Gone, or by other names: x is up to a person.
rules 'every: 2h, keys: [{host: a}]' >rules.yaml
look
unheard='      1 open incident keeps its key until it closes; no sign of life ends one any more: it ends by `quiet` of its `close`, where that has it, or by hand'
says "$unheard"
says '      expect "{every: 1s}" -> ""'
says '      no incident is open: nobody is expected any more'
rules 'every: 2h, keys: [{host: a}]' 1h | sed '/learned/s/\[host\]/[check, host]/' >rules.yaml
look
says "$unheard; the new form may open others beside: "
rules 'every: 2h, keys: [{host: b}]' >rules.yaml
take
wait_for "a is over" is_over a
beats x
rules 'every: 2h, keys: [{host: a}]' >rules.yaml
look
says "$unheard"
! file_has incidents.log '"change":"closed".*host=x"' || fail "a sign of life ends x"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
