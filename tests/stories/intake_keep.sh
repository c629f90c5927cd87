# Aim (C3, C5, X5): an intake log that has reached intake.bytes.max lets go of what no start needs, and stays
# so bounded; silences made by hand hold on over that and over a kill -9, ids of them are not given again, what
# was told is not told again; the audit says from when on it knows. Method: a daemon with small segments that
# takes snapshots all the time, pushes until segments have gone, a kill, a start, and what commands say then.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]}'
start_broker events:1
{
    echo 'rules:'
    rule first alpha
} >rules.yaml
write_config <<TEXT
rules: [rules.yaml]
data: {dir: data, snapshot: {every: 100ms}}
intake: {body: {max: 8192}, bytes: {max: 256KiB}}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true", rate_per_minute: "0"}}
TEXT
sed -i 's/^  start: .*/&\n  topics: [{topic: events, disorder: 0ms}]/' tocsin.yaml
long=$(head -c 7000 /dev/zero | tr '\0' x)
pushed=0
fill() { # pushes something that opens nothing
    pushed=$((pushed + 1))
    printf '{"tenant":"acme","source":"s","resource":"r%s","check":"nothing","severity":"minor","summary":"%s"}' \
        $((pushed % 50)) "$long" | push /events
    [[ $(cat status) == 200 ]] || fail "push $pushed: $(cat status) $(cat answer)"
}
recycled() { # COUNT
    [[ $(metric tocsin_intake_recycled_total) -ge $1 ]]
}
start_daemon
wait_for "it is ready" answers /readyz 200

event alpha h1 problem | push '/events?wait=8s'
answered 200 '"position":"@intake/0"'
echo '{"where": "host == \"h2\"", "for": "2h", "comment": "disk is swapped"}' | push /silences/add
kept '"id":"by-hand-1"'
echo '{"where": "host == \"h3\"", "for": "2h"}' | push /silences/add
kept '"id":"by-hand-2"'
echo '{"id": "by-hand-2"}' | push /silences/end
kept '"position":'
until=$((SECONDS + 100))
until recycled 2; do
    [[ $SECONDS -lt $until ]] || fail "nothing goes: $(curl -s "http://127.0.0.1:$admin/metrics" | grep intake)"
    fill
done
[[ $(metric tocsin_intake_checkpoints_total) -ge 1 ]] || fail "no checkpoint"
first=$(metric tocsin_intake_first_timestamp_seconds)
awk -v first="$first" -v now="$(date +%s)" 'BEGIN { exit !(first > now - 300 && first < now + 2) }' || fail "it begins at $first"
kill -KILL "$daemon"
wait "$daemon" || true

# A start goes on from what is left.
cp incidents.log before.log
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered'
wait_for "it is ready" answers /readyz 200
cmp incidents.log before.log || fail "the recovery added lines"
curl -s "http://127.0.0.1:$admin/silences" >listed
file_has listed '"id": ?"by-hand-1"' || fail "the silence is gone: $(cat listed)"
file_has listed 'by-hand-2|made_ms' && fail "what has ended, or is not for people, is listed: $(cat listed)"
for host in h2 h3; do
    event alpha "$host" problem
done | push '/events?wait=8s'
kept '"position":"@intake/'
wait_for "h2 is muted" file_has incidents.log 'host=h2.*"muted_by":"silence by-hand-1"'
wait_for "h3 is told" file_has hook.log '^open first tenant=acme host=h3$'
echo '{"where": "host == \"h4\"", "for": "2h"}' | push /silences/add
kept '"id":"by-hand-3"'
h2=$(sed -nE 's/.*"change":"opened".*"incident":"([0-9a-f]{32})".*host=h2".*/\1/p' incidents.log)

# It goes on so.
more=$(($(metric tocsin_intake_recycled_total) + 3))
until recycled "$more"; do
    [[ $SECONDS -lt $((until + 100)) ]] || fail "nothing goes any more"
    fill
done
event alpha h1 clear | push '/events?wait=8s'
kept '"position":"@intake/'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open' hook.log) == 2 && $(sort hook.log | uniq -d) == "" ]] || fail "told: $(cat hook.log)"

# Who asks hears from when on there is something.
"$TOCSIN" audit data >all
head -n 1 all | grep -qE '^the record begins with @intake/[1-9][0-9]*, at [^ ]+: what came before has been let go of' ||
    fail "the audit begins: $(head -n 1 all)"
grep -q checkpoint all && fail "what the daemon wrote for itself is in the audit"
"$TOCSIN" audit --json data >all.json 2>all.note
file_has all.note '^the record begins with @intake/' || fail "the audit says: $(cat all.note)"
grep -q 'the record begins' all.json && fail "a line that is no JSON: $(head -n 1 all.json)"
"$TOCSIN" audit --from "$(date -u -d '+1 hour' +%FT%TZ)" data | grep 'the record begins' >/dev/null && fail "that late nothing is missing"
"$TOCSIN" fsck data >fsck || fail "fsck: code $?"
file_has fsck '^intake: it begins with record [1-9][0-9]*, of 20' || fail "fsck says: $(cat fsck)"
"$TOCSIN" whynot --config tocsin.yaml --from earliest @intake/0 >why 2>&1 || true
file_has why '@intake/0 is not on record any more \(intake.keep, intake.bytes.max\)' || fail "whynot: $(cat why)"
"$TOCSIN" why --config tocsin.yaml --from earliest "$h2" >why 2>&1 || true

# Without its snapshots a directory whose intake begins later is refused, and not begun with a gap.
mkdir aside
mv data/snapshots/*.snap aside/ 2>/dev/null || mv data/snapshots/* aside/
start_daemon
wait_end "$daemon"
[[ $code == 65 ]] || fail "exit code $code"
file_has run.log 'intake: it begins with record [1-9][0-9]*, and the snapshot that is gone on from needs it from record 0 on' ||
    fail "it says: $(tail -n 3 run.log)"
mv aside/* data/snapshots/
start_daemon
wait_for "it is ready" answers /readyz 200
kill -TERM "$daemon"
wait_end "$daemon"
