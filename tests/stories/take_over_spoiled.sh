# Aim (C6, S3, D4): an image whose checksums are right and whose content makes no sense is passed over also by
# who shares a unit: by the owner that comes back, and by the one that stands by and takes over from what it had
# before; one that has nothing but such an image ends with code 65, and the sinks are told why.
# Method: two daemons and a real Redis; files of images are given other content while nobody looks at them.
. "$TOCSIN_TREE/tests/stories/shared_lib.sh"
run_in() { # NAME: the process is in $daemon
    directory "$1"
    : >"$1.run"
    "$TOCSIN" run --config tocsin.yaml 2>>"$1.run" &
    daemon=$!
    started+=("$daemon")
    ln -sf "$1.run" run.log
}
snapshots() { # NAME
    find "$1/snapshots" -maxdepth 1 -name '0*.snap' 2>/dev/null | sort
}
has_snapshots() { # NAME COUNT
    [[ $(snapshots "$1" | wc -l) -ge $2 ]]
}
spoil_newest() { # NAME
    python3 "$TOCSIN_TREE/tests/stories/spoil_image.py" "$(snapshots "$1" | tail -n 1)" || fail "the image cannot be spoiled"
}
spoil_shared() {
    local line key
    read -r -a line <<<"$(ask GET 'tocsin:{main}:image')"
    [[ ${line[1]} == 1 ]] || fail "the image has more than one chunk: ${line[*]}"
    key="tocsin:{main}:image:${line[0]}:0"
    ask --raw GET "$key" | head -c -1 >image.snap
    python3 "$TOCSIN_TREE/tests/stories/spoil_image.py" image.snap || fail "the shared image cannot be spoiled"
    ask -x SET "$key" <image.snap >/dev/null
    line[2]=$(stat -c %s image.snap)
    ask SET 'tocsin:{main}:image' "${line[*]}" >/dev/null
}
passed_over() { # NAME
    file_has "$1.run" 'event=start_begins_anew .*made with another seed' || fail "$1 does not begin anew"
    file_has "$1.run" "event=snapshot_passed_over .*$1/snapshots/0.*made with another seed" || fail "$1 passes nothing over"
}
is_told() { # KIND HOST
    file_has hook.log "^$1 first tenant=acme host=$2\$"
}

run_in one
one=$daemon
wait_for "one is ready" answers /readyz 200
run_in two
wait_for "two stands by" file_has two.run 'event=following'
for host in h1 h2; do
    before=$(snapshots two | tail -n 1)
    event alpha $host problem | send
    wait_for "$host is told" is_told open $host
    wait_for "two has a newer image" eval '[[ $(snapshots two | tail -n 1) != "$before" ]]'
done
wait_for "two has the one before as well" has_snapshots two 2
kill -KILL "$daemon" "$one"
wait "$daemon" "$one" || true

# Whichever of them two goes by, it makes no sense.
spoil_newest two
spoil_shared
run_in two
wait_for "two has taken over" answers /readyz 200
passed_over two
event alpha h1 clear | send
wait_for "h1's end is told" is_told resolve h1
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"

# The owner comes back.
spoil_newest two
run_in two
wait_for "two is back" answers /readyz 200
passed_over two
event alpha h2 clear | send
wait_for "h2's end is told" is_told resolve h2
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(sort hook.log) == "$(printf '%s\n' 'open first tenant=acme host=h1' 'open first tenant=acme host=h2' \
    'resolve first tenant=acme host=h1' 'resolve first tenant=acme host=h2')" ]] || fail "told: $(cat hook.log)"
"$TOCSIN" fsck two >fsck || fail "fsck: code $?: $(cat fsck)"

# An empty directory has nothing else to go on from.
spoil_shared
run_in three
wait_end "$daemon"
[[ $code == 65 ]] || fail "three: exit code $code"
passed_over three
file_has three.run 'event=giving_up .*of 1 snapshots none is good' || fail "three does not say why"
file_has hook.log '^open .*data\.dir' || fail "nobody is told: $(cat hook.log)"
