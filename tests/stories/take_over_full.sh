# Aim (S3, F6): a standby whose disk is full says so long before it is needed - in its log, in /readyz and in its
# counters - follows again by itself once there is room, and takes over then without a second ticket.
# Method: the real daemon twice, the standby's directory on a small file system of its own (a tmpfs, for which the
# story goes into a namespace of mounts), that is filled by another file and by what is pushed to the owner.
if [[ ${TAKE_OVER_FULL:-} != inside ]]; then
    mkdir -p disk
    if ! unshare -rm mount -t tmpfs tmpfs disk 2>unshare.log; then
        echo "no file system of one's own can be mounted here: $(cat unshare.log)"
        exit 77
    fi
    TAKE_OVER_FULL=inside exec unshare -rm bash "$0" "$@"
fi
. "$TOCSIN_TREE/tests/stories/shared_lib.sh"
mount -t tmpfs -o size=400m tmpfs disk
push() {
    curl -s -o answer -w '%{http_code}' --data-binary @- "http://127.0.0.1:$admin$1" >status
    [[ $(cat status) == 20[02] ]] || fail "pushed: $(cat status) $(cat answer)"
}
options="intake: {body: {max: 1MiB}}
history: {enabled: false}"

directory one "$options"
start_daemon
owner=$daemon
wait_for "one is ready" answers /readyz 200
event alpha h1 problem | push '/events?wait=8s'
wait_for "h1 is told" file_has hook.log '^open first tenant=acme host=h1$'
cp run.log one.run.log

of_owner=$admin
directory disk/two "$options"
start_daemon
wait_for "two follows" file_has run.log 'event=following '
[[ $(metric tocsin_unit_follow_failures_total) == 0 ]] || fail "it could not follow, with room"
of_standby=$admin

head -c 600m /dev/zero >>disk/ballast 2>/dev/null || true
python3 - >pushed <<'PYTHON'
import json
for _ in range(15):
    print(json.dumps({"tenant": "acme", "source": "s", "resource": "p", "check": "beta", "labels": {"pad": "x" * 60000}}))
PYTHON
falls_behind() {
    admin=$of_owner
    push /events <pushed
    admin=$of_standby
    file_has run.log 'event=follow_failed '
}
wait_for "two says that it does not follow" falls_behind
file_has run.log 'event=follow_failed why=".*disk/two/.*No space left on device"' || fail "$(grep follow_failed run.log)"
[[ $(metric tocsin_unit_follow_failures_total) -ge 3 && $(metric tocsin_unit_owner) == 0 ]] || fail "it does not count that"
says_why() {
    answers /readyz 503 && file_has answer 'standing by: .*; this directory does not follow: .*No space left on device'
}
wait_for "/readyz says why" says_why
[[ $(grep -c 'event=follow_failed' run.log) == 1 ]] || fail "it says so again and again"

rm disk/ballast
wait_for "two follows again" file_has run.log 'event=following_again '
followed_since() { # SECOND of the clock
    python3 -c 'import sys; sys.exit(float(sys.argv[1]) < float(sys.argv[2]))' \
        "$(metric tocsin_unit_followed_timestamp_seconds)" "$1"
}
wait_for "its counter says so" followed_since "$(date +%s)"
clean() {
    answers /readyz 503 && ! file_has answer 'does not follow'
}
wait_for "/readyz does not say it any more" clean

kill -KILL "$owner"
wait "$owner" || true
wait_for "two is ready" answers /readyz 200
event alpha h1 clear | push '/events?wait=8s'
wait_for "h1's end is told" file_has hook.log '^resolve first tenant=acme host=h1$'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open' hook.log) == 1 ]] || fail "told: $(cat hook.log)"
"$TOCSIN" fsck disk/two >fsck || fail "fsck: code $?: $(cat fsck)"
