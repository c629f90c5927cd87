# Aim (F6, C3, C4, F10): while the disk is full what is pushed is refused and input waits; a stop does not
# wait for room; once there is room all goes on by itself, and nothing was lost. Method: the real daemon
# with its data directory on a small file system of its own (a tmpfs, for which the story goes into a
# namespace of mounts), that is filled by another file, by pushes and by incidents, and emptied.
if [[ ${DISK_FULL:-} != inside ]]; then
    mkdir -p disk
    if ! unshare -rm mount -t tmpfs tmpfs disk 2>unshare.log; then
        echo "no file system of one's own can be mounted here: $(cat unshare.log)"
        exit 77
    fi
    DISK_FULL=inside exec unshare -rm bash "$0" "$@"
fi
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
rules=30 hosts=24 body=60000 # more than a segment of the journal takes: a change has its key twice
python3 - "$rules" >rules.yaml <<'PYTHON'
import sys
print("rules:")
for i in range(int(sys.argv[1])):
    print(f"  - {{id: r{i}, where: check == \"alpha\", by: [host, labels.pad], window: 1h, when: count() >= 1,\n"
          f"     incident: {{title: \"{{host}}\", priority: P1}}, close: cleared()}}")
PYTHON
start_broker events:2
mount -t tmpfs -o size=90m tmpfs disk
write_config <<TEXT
rules: [rules.yaml]
data: {dir: disk/data}
history: {enabled: false}
intake: {body: {max: 1MiB}}
TEXT
sed -i '/^incident_log/d' tocsin.yaml
python3 - "$hosts" "$body" <<'PYTHON'
import json, sys
hosts, body = int(sys.argv[1]), int(sys.argv[2])
event = {"tenant": "acme", "source": "s", "check": "alpha", "labels": {"pad": "x" * body}}
with open("events", "w") as to:
    for i in range(hosts):
        to.write(json.dumps({**event, "resource": f"h{i}"}) + "\n")
with open("pushed", "w") as to:  # they open nothing
    for i in range(15):
        to.write(json.dumps({**event, "resource": "p", "check": "beta"}) + "\n")
PYTHON
# A directory that is new finds no room for its first segments: it is said beforehand, and nothing is made.
mount -o remount,size=60m disk
small="disk/data: a new data directory needs 72 MiB for its first segments, and its disk has 60 MiB left"
code=0
timeout 100 "$TOCSIN" run --config tocsin.yaml 2>small.log || code=$?
[[ $code == 74 ]] && file_has small.log "$small" || fail "a small disk: $code $(cat small.log)"
code=0
"$TOCSIN" check --config tocsin.yaml >small.log 2>&1 || code=$?
[[ $code == 74 ]] && file_has small.log "data.dir: $small" || fail "check of a small disk: $code $(cat small.log)"
[[ ! -e disk/data ]] || fail "something was made: $(ls disk/data)"
mount -o remount,size=90m disk
push() { # the code goes to `status`
    curl -s -o answer -w '%{http_code}' --data-binary @pushed "http://127.0.0.1:$admin/events" >status
}
start_daemon
wait_for "it is ready" answers /readyz 200
push
[[ $(cat status) == 200 ]] || fail "the first push: $(cat status answer)"
fill() { # what a segment that cannot be made whole gives back, too
    head -c 200m /dev/zero >>disk/ballast 2>/dev/null || true
    [[ $(df --output=avail disk | tail -n 1 | tr -d ' ') == 0 ]]
}
wait_for "the disk is full" fill

# What is pushed fits into the segment there is; then it is refused. A segment that could not be made whole
# may be given back at any time: what it leaves is taken as well.
kept=1
finds_no_room() {
    fill || true
    push
    [[ $(cat status) != 200 ]] || { kept=$((kept + 1)); return 1; }
}
wait_for "a push finds no room" finds_no_room
[[ $(cat status) == 503 ]] && file_has answer 'the disk is full, so it was not kept; try again when there is room' ||
    fail "a push without room: $(cat status answer)"
[[ $kept -gt 5 && $(metric tocsin_intake_waits_for_disk) == 1 ]] || fail "$kept pushes were kept"

# Incidents fill the journal; then input waits.
kcat -P -b "$broker" -t events <events 2>kcat.log
wait_for "the journal waits for room" metric_is tocsin_journal_waits_for_disk 1
is_running "$daemon" || fail "the daemon has ended"

# A stop does not wait for it, and says what it leaves undone.
kill -TERM "$daemon"
wait_end "$daemon"
file_has run.log 'event=journal_not_flushed' || fail "a stop on a full disk does not say so"
[[ $code == 0 ]] || fail "exit code $code"

# The next start does again what was not committed, waits where that one waited, and goes on by itself.
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered'
wait_for "the journal waits again" metric_is tocsin_journal_waits_for_disk 1
wait_for "a push finds no room" finds_no_room
[[ $(cat status) == 503 ]] || fail "a push without room: $(cat status answer)"
opened() {
    "$TOCSIN" ledger disk/data | python3 -c 'import json, sys; print(json.load(sys.stdin)["incidents"]["opened"])'
}
[[ $(opened) -lt $((rules * hosts)) ]] || fail "all was told on a full disk"
rm disk/ballast
mount -o remount,size=300m disk
all_opened() {
    [[ $(opened) == $((rules * hosts)) ]]
}
wait_for "all is told" all_opened
wait_for "nothing waits" metric_is tocsin_journal_waits_for_disk 0
push
[[ $(cat status) == 200 ]] || fail "with room again: $(cat status answer)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
"$TOCSIN" fsck disk/data >fsck || fail "fsck: $(cat fsck)"
[[ $("$TOCSIN" audit --json disk/data | wc -l) == $((15 * (kept + 1))) ]] || fail "the audit has other pushes than were answered"
