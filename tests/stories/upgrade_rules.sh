# Aim (X5): what was in force, and makes no sense to a later version, is gone by as it was: a start goes on with it, what was
# done under it is explained, and silences made by hand stay; a reload and `check` refuse it. Method: tests/tocsin_former,
# which knows of no condition that nothing can meet, takes rules and a silence of such; tocsin goes on from its directory.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
write_config <<'TEXT'
rules: [rules.yaml]
data: {dir: data}
TEXT
sed -i 's/^  start: .*/&\n  topics: [{topic: events, disorder: 20ms}]/' tocsin.yaml
program=$TOCSIN
former=$(dirname "$TOCSIN")/tests/tocsin_former
ask() { # CODE ARGUMENTS...: the answer is in the file answer
    local want=$1 got=0
    shift
    "$TOCSIN" "$@" --config tocsin.yaml >answer 2>&1 || got=$?
    [[ $got == "$want" ]] || fail "$*: exit code $got: $(cat answer)"
}
says() { file_has answer "$1" || fail "no line like $1: $(cat answer)"; }
by_hand() { # ARGUMENTS...
    "$TOCSIN" silence "$@" --admin "127.0.0.1:$admin" >answer 2>&1 || fail "silence $*: code $?: $(cat answer)"
}
# A switch takes effect behind what was sent before it: what comes too early is sent again.
has_opened() { # CHECK HOST
    event "$1" "$2" problem | send
    file_has incidents.log "\"change\":\"opened\".*host=$2\""
}
opens() { # CHECK HOST
    wait_for "$2 opens" has_opened "$1" "$2"
}
end_daemon() {
    kill -TERM "$daemon"
    wait_end "$daemon"
    [[ $code == 0 ]] || fail "the daemon ended with $code: $(cat run.log)"
}
idle='  - {id: idle, where: "value > 5 && value < 3", by: [host], when: count() >= 1, window: 1m, incident: {title: x}, close: cleared()}'
steps='  - {id: steps, by: [host], within: 1m, sequence: [{where: host == "a"}, {where: host == "b"}], incident: {title: x}, close: cleared()}'

# Before the upgrade, with one set and another.
{ echo 'rules:'; rule first alpha; echo "$idle"; } >rules.yaml
TOCSIN=$former
start_daemon
wait_for "it is ready" answers /readyz 200
opens alpha h1
by_hand add --where 'priority == "P1" && priority == "P2"' --for 1h
{ echo 'rules:'; rule first alpha; rule second beta; echo "$idle"; echo "$steps"; } >rules.yaml
kill -HUP "$daemon"
wait_for "the reload is done" metric_is tocsin_reloads_total 1
opens beta h2
end_daemon
TOCSIN=$program

# All that looks into the directory.
ask 78 check
says 'rules.yaml:[0-9]*:.*this can never be true'
ask 0 why "$(grep '"change":"opened"' incidents.log | grep 'host=h1"' | head -1 | grep -o '"incident":"[0-9a-f]*' | cut -d'"' -f4)" --from earliest
says '^rule first, key '
! file_has answer 'cannot be had' || fail "the rules of then are not had: $(cat answer)"
ask 0 whynot host=h2 --rule second --from earliest
says '^incident .* of rule second'
"$TOCSIN" fsck data >answer 2>&1 || fail "fsck: code $?: $(cat answer)"

# The start with what was in force, and what people do then.
start_daemon
wait_for "it is ready" answers /readyz 200
file_has run.log 'event=rules_refused why="rules.yaml:[0-9]*:.*this can never be true' || fail "no word of what is refused: $(cat run.log)"
by_hand list
says '^by-hand-1  '
by_hand add --where 'host == "h9"' --for 1h
by_hand end by-hand-1
opens beta h3
kill -HUP "$daemon"
wait_for "the reload is refused" file_has run.log 'event=reload_refused why="rules.yaml:[0-9]*:.*this can never be true'
ask 0 whynot host=h1 --rule first --from earliest
says '^incident .* of rule first'

# Mended, by a reload; another start reads all sets of before.
{ echo 'rules:'; rule first alpha; rule second beta; } >rules.yaml
kill -HUP "$daemon"
wait_for "the reload is done" metric_is tocsin_reloads_total 1
end_daemon
start_daemon
wait_for "it is ready" answers /readyz 200
! file_has run.log rules_refused || fail "good rules are called refused: $(cat run.log)"
end_daemon

# Rules of another set than was in force last are refused by a start as well.
{ echo 'rules:'; rule first alpha; echo "$idle"; } >rules.yaml
ask 78 run
says 'rules.yaml:[0-9]*:.*this can never be true'
