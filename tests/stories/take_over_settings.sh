# Aim (D4, S3): a standby whose settings cannot go on with the unit says so while it stands by, takes it from
# nobody, and when nobody else has it ends with code 78 and tells the sinks; one that could not know beforehand
# tells them as well.
# Method: two daemons and a real Redis; the second has another engine.round. Its owner is killed, and comes back.
. "$TOCSIN_TREE/tests/stories/shared_lib.sh"
run_in() { # NAME [LINE OF CONFIGURATION]: the process is in $daemon
    directory "$@"
    : >"$1.run"
    "$TOCSIN" run --config tocsin.yaml 2>>"$1.run" &
    daemon=$!
    started+=("$daemon")
    ln -sf "$1.run" run.log
}
OTHER='engine: {round: 400ms}'
says_so() { # NAME
    file_has "$1.run" 'event=giving_up .*engine.round' || fail "$1 does not say why it ended"
    file_has hook.log '^open .*data\.dir' || fail "nobody is told: $(cat hook.log)"
}
is_unfit() {
    answers /readyz 503 && file_has answer 'it cannot take over: .*engine.round'
}
fence() {
    ask GET 'tocsin:{main}:fence'
}

run_in one
one=$daemon
wait_for "one is ready" answers /readyz 200
event alpha h1 problem | send
wait_for "h1 is told" file_has hook.log '^open first tenant=acme host=h1$'
run_in two "$OTHER"
two=$daemon
wait_for "two says that it does not fit" file_has two.run 'event=standby_unfit .*engine.round'
wait_for "and to whoever asks" is_unfit
before=$(fence)
kill -KILL "$one"
wait "$one" || true
daemon=$two
wait_end "$daemon"
[[ $code == 78 ]] || fail "two: exit code $code"
[[ $(fence) == "$before" ]] || fail "two has taken the unit: $(fence), and it was $before"
says_so two

# The other one, which has nothing, takes the unit to find out.
: >hook.log
run_in three "$OTHER"
wait_end "$daemon"
[[ $code == 78 ]] || fail "three: exit code $code"
file_has three.run 'event=unit_taken' || fail "three did not take the unit"
says_so three

# Its owner comes back.
run_in one
wait_for "one is back" answers /readyz 200
event alpha h1 clear | send
wait_for "h1's end is told" file_has hook.log '^resolve first tenant=acme host=h1$'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "one: exit code $code"
