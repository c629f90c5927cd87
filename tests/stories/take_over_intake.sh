# Aim (S3, S4, C3): a Redis that has let go of what was pushed first is enough for an empty directory to take
# the unit over: silences made by hand hold on, what was told is told to nobody again, what is pushed goes on; and
# one that has forgotten everything gets what the owner has left, which is enough for the next empty directory.
# Method: an owner with small segments that takes snapshots all the time, killed with -9 once the Redis has let
# go of something; a second directory; FLUSHALL; a third one.
. "$TOCSIN_TREE/tests/stories/shared_lib.sh"
small="intake: {body: {max: 8192}, bytes: {max: 256KiB}, keep: 1s}"
long=$(head -c 7000 /dev/zero | tr '\0' x)
fill() {
    printf '{"tenant":"acme","source":"s","resource":"r","check":"nothing","severity":"minor","summary":"%s"}' \
        "$long" | push /events
    [[ $(cat status) == 200 ]] || fail "a push: $(cat status) $(cat answer)"
}
first_there() { # frame with which the Redis has the intake log; 0: none
    local id
    id=$(ask XRANGE 'tocsin:{main}:intake' - + COUNT 1 | sed -n 1p)
    [[ $id == *-0 ]] && echo "${id%-0}" || echo 0
}
fill_until() { # COMMAND...
    local until=$((SECONDS + 100))
    until "$@"; do
        [[ $SECONDS -lt $until ]] || fail "in vain: $*; the intake log begins there with $(first_there)"
        fill
    done
}
begins_behind() { # FRAME
    [[ $(first_there) -gt $1 ]]
}
has_image() {
    [[ $(ask EXISTS 'tocsin:{main}:image') == 1 ]]
}
silenced() { # HOST: its incident opens, and nobody is told
    event alpha "$1" problem | push '/events?wait=8s'
    [[ $(cat status) == 20[02] ]] || fail "pushed: $(cat status) $(cat answer)"
    wait_for "$1 opens" file_has "$2" "host=$1"
    file_has "$2" "host=$1.*\"muted_by\":\"silence by-hand-1\"" || fail "$1 is not muted"
}

directory one "$small"
start_daemon
wait_for "one is ready" answers /readyz 200
event alpha h1 problem | push '/events?wait=8s'
echo '{"where": "host != \"h1\" && host != \"h9\"", "for": "2h"}' | push /silences/add
kept '"id":"by-hand-1"'
wait_for "h1 is told" file_has hook.log '^open first tenant=acme host=h1$'
fill_until begins_behind 5
kill -KILL "$daemon"
wait "$daemon" || true

# An empty directory.
directory two "$small"
start_daemon
wait_for "two is ready" answers /readyz 200
file_has run.log 'event=recovering .*snapshot=[1-9]' || fail "no image was begun with"
file_has two/intake-anchor '^[1-9]' || fail "its intake log begins with the first frame"
silenced h2 two.log
fill_until begins_behind "$(first_there)"

# A Redis that has forgotten all of it, and another empty directory.
ask FLUSHALL >/dev/null
fill_until has_image
begins_behind 1 || fail "a frame is there that the owner has let go of: $(first_there)"
kill -KILL "$daemon"
wait "$daemon" || true
directory three "$small"
start_daemon
wait_for "three is ready" answers /readyz 200
silenced h3 three.log
event alpha h9 problem | push '/events?wait=8s'
wait_for "h9 is told" file_has hook.log '^open first tenant=acme host=h9$'
event alpha h1 clear | push '/events?wait=8s'
wait_for "h1's end is told" file_has hook.log '^resolve first tenant=acme host=h1$'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open' hook.log) == 2 && $(grep '^open' hook.log | sort | uniq -d) == "" ]] || fail "told: $(cat hook.log)"
"$TOCSIN" fsck three >fsck || fail "fsck: code $?: $(cat fsck)"
file_has fsck '^intake: it begins with record [1-9][0-9]*, of 20' || fail "fsck says: $(cat fsck)"
"$TOCSIN" audit three | sed -n 1p | grep '^the record begins with @intake/' >/dev/null || fail "audit: $("$TOCSIN" audit three | head -n 2)"

# A Redis that has lost the intake log alone: an empty directory would begin it anew, under positions that the
# journal has read. It is refused, and named; where the directory is that has the log, all goes on.
ask DEL 'tocsin:{main}:intake' 'tocsin:{main}:intake-end' >/dev/null
directory four "$small"
code=0
timeout 100 "$TOCSIN" run --config tocsin.yaml >run.log 2>&1 || code=$?
[[ $code == 65 ]] || fail "without the intake log: code $code"
file_has run.log 'four/intake: it holds no record, and the journal knows it up to record [0-9]+: .*; start the daemon of the unit first whose directory has it, or put back' ||
    fail "it says: $(tail -n 3 run.log)"
directory three "$small"
start_daemon
wait_for "three is ready again" answers /readyz 200
file_has run.log 'event=journal_put_aside' && fail "what is whole was put aside"
event alpha h9 clear | push '/events?wait=8s'
wait_for "h9's end is told" file_has hook.log '^resolve first tenant=acme host=h9$'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
