# Aim (C7, C8, C11, X5): a data directory belongs to one process, goes on after a kill under the rules
# that were in force then and switches where they were switched, and what is not what it was is
# refused with a sentence and the code of its kind, and told to the sinks where the input gives
# something else. Method: one directory, through a few lives.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]} {code}' mended=503
touch mended
start_broker events:2
one_rule() {
    echo 'rules:'
    rule first "$1"
}
one_rule alpha >rules.yaml
config() {
    write_config <<TEXT
input.topics: [{topic: events, disorder: 20ms}]
rules: [rules.yaml]
data: {dir: data}
outbox: {flush: 5s}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true"}}
TEXT
}
refused() { # CODE PATTERN: a start ends by itself, and says why
    code=0
    timeout 100 "$TOCSIN" run --config tocsin.yaml 2>second.log || code=$?
    [[ $code == "$1" ]] || fail "exit code $code instead of $1: $(cat second.log)"
    file_has second.log "$2" || fail "it does not say '$2': $(cat second.log)"
}

# What a start would refuse, the check says beforehand, also while a daemon runs.
check_says() { # CODE PATTERN ARGUMENTS...
    local want=$1 pattern=$2
    shift 2
    code=0
    "$TOCSIN" check --config tocsin.yaml "$@" >check.log 2>&1 || code=$?
    [[ $code == "$want" ]] && file_has check.log "$pattern" || fail "check: $code, not $want $2: $(cat check.log)"
}

has_done() { # so many ops: they are not told again
    "$TOCSIN" ledger data | grep "\"done\":$1," >/dev/null
}

has_groups() { # or more
    [[ $(metric tocsin_journal_groups_total) -ge $1 ]]
}

has_lines() {
    [[ $(wc -l <incidents.log) == "$1" ]]
}

config
start_daemon
event alpha h1 problem | send
wait_for "the open is told" file_has hook.log '^open first .*host=h1 200$'
wait_for "what became of it is durable" has_groups 2
[[ $(metric tocsin_journal_segments) == 1 ]] ||
    fail "metrics say: $(curl -s "http://127.0.0.1:$admin/metrics" | grep journal)"
check_says 0 ''
sed -i 's/^admin:/engine: {round: 400ms}\n&/' tocsin.yaml
check_says 78 '^data\.dir: data: these settings cannot change .* then "engine.round 200ms", now "engine.round 400ms"; .*a data directory of their own$'
sed -i '/^engine:/d' tocsin.yaml
refused 73 "another tocsin uses this directory: process $daemon;"
rm data/LOCK # somebody takes it for something left behind
refused 73 'another tocsin uses this directory, although its LOCK was taken away;'
kill -HUP "$daemon"
wait_for "the same rules are no switch" file_has run.log 'event=reloaded'
one_rule beta >rules.yaml
kill -HUP "$daemon"
wait_for "other rules are loaded" file_has run.log 'event=reloaded .*rules_changed=1'
event beta h2 problem | send
wait_for "they are in force" file_has hook.log '^open first .*host=h2 200$'
wait_for "its lines are there" has_lines 4
wait_for "it is written down that both were taken" has_done 2
kill -KILL "$daemon"
wait "$daemon" || true

# What the kill might have kept from the incident log is written from the journal: a line and a half.
head -c $(($(head -n 2 incidents.log | wc -c) + 40)) incidents.log >cut.log
mv cut.log incidents.log

# It goes on, through the switch, and then under the rules that are configured by now: what was
# opened is resolved under each, and nothing is told again.
one_rule gamma >rules.yaml
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered changes=2'
file_has run.log 'event=incident_log_mended .*lines=2' || fail "the incident log was not mended"
event gamma h3 problem | send
wait_for "the configured rules are in force" file_has hook.log '^open first .*host=h3 200$'
{ event alpha h1 clear && event beta h2 clear && event gamma h3 clear; } | send
for host in h1 h2 h3; do
    wait_for "the end is told" file_has hook.log "^resolve first .*host=$host 200\$"
done
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open' hook.log) == 3 ]] || fail "an open was told again: $(cat hook.log)"
"$TOCSIN" fsck data >fsck || fail "fsck: code $?"
file_has fsck ', 6 changes, 6 ops of which 0 are owed and 0 dead: whole$' || fail "fsck says: $(cat fsck)"
file_has fsck '^rules: (1 set|[23] sets), [1-9]' || fail "fsck says: $(cat fsck)"
file_has fsck '^snapshots: 1, .*: whole$' || fail "fsck says: $(cat fsck)"
"$TOCSIN" digest --incidents told data >/dev/null
cmp told incidents.log || fail "the incident log is not what the journal says"
[[ $("$TOCSIN" ledger data | python3 -c 'import json, sys; o = json.load(sys.stdin)["ops"]; print(o["all"], o["done"], o["owed"])') == '6 6 0' ]] ||
    fail "the ledger says: $("$TOCSIN" ledger data)"

# An image whose checksums are right and whose content makes no sense is passed over like one that is
# damaged: what was told is told again, to nobody.
cp -r data spoiled
python3 "$TOCSIN_TREE/tests/stories/spoil_image.py" spoiled/snapshots/0* || fail "the image cannot be spoiled"
sed -i 's/dir: data/dir: spoiled/' tocsin.yaml
lines=$(wc -l <hook.log)
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered changes=6'
file_has run.log 'event=start_begins_anew .*made with another seed' || fail "it does not say so: $(cat run.log)"
file_has run.log 'event=snapshot_passed_over .*spoiled/snapshots/0.*made with another seed' || fail "it is not passed over"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(wc -l <hook.log) == "$lines" ]] || fail "the sinks were told: $(cat hook.log)"
"$TOCSIN" fsck spoiled >fsck || fail "fsck of a directory with a spoiled image: $(cat fsck)"
sed -i 's/dir: spoiled/dir: data/' tocsin.yaml

# Under other settings it does not start; without rules that it will need neither, and says so first.
sed -i 's/^admin:/engine: {round: 400ms}\n&/' tocsin.yaml
refused 78 'settings cannot change .* then "engine.round 200ms", now "engine.round 400ms"'
check_says 78 '^data\.dir: .*settings cannot change'
check_says 0 '^note: a restart would be refused: data\.dir: .*settings cannot change' --against rules.yaml
sed -i '/^engine:/d' tocsin.yaml
one_rule delta >rules.yaml # what is configured is kept anew
kept=$(grep -l 'check == "gamma"' data/blobs/*)
mv "$kept" gamma.kept
refused 65 "$kept: the file is missing; put back"
sed s/gamma/gammb/ gamma.kept >"$kept"
refused 65 "$kept: the file is damaged; put back"
code=0
"$TOCSIN" fsck data >fsck 2>&1 || code=$?
[[ $code == 65 ]] && file_has fsck "$kept: the file is damaged" || fail "fsck: code $code: $(cat fsck)"
mv gamma.kept "$kept"
one_rule gamma >rules.yaml

# Damage in the middle is named, and nothing is changed.
cp -r data damaged
printf damage | dd of=damaged/journal/0000000000000001.seg bs=1 seek=4200 conv=notrunc status=none
before=$(cat damaged/journal/*.seg | sha256sum)
sed -i 's/dir: data/dir: damaged/' tocsin.yaml
refused 65 'damaged/journal/0000000000000001.seg: byte 4096: frame 1 is damaged'
# Who would page now does not run: the sinks are told that, for one reason as one incident (D4).
file_has hook.log '^open not-running .* 200$' || fail "the sinks are not told that it does not run: $(cat hook.log)"
file_has second.log 'event=refusal_told .*undelivered=0' || fail "it does not say who was told: $(cat second.log)"
# Refused again it is noted once, beside the two of above, and told again to nobody who has confirmed
# it within the hour: whoever starts it again and again does not page each time.
told_of=$(grep -c '^open not-running .* 200$' hook.log)
file_has second.log 'event=refusal_told sinks=1 known=0 ' || fail "it does not say how many were told: $(cat second.log)"
refused 65 'frame 1 is damaged'
file_has second.log 'event=refusal_told sinks=0 known=1 ' || fail "it does not say who knows: $(cat second.log)"
[[ $(grep -c '^open not-running .* 200$' hook.log) == "$told_of" ]] || fail "it was told again: $(cat hook.log)"
perl -pi -e 's/"told":(\d+)/"\"told\":" . ($1 - 3600001)/ge' damaged/refusals
refused 65 'frame 1 is damaged'
[[ $(grep -c '^open not-running .* 200$' hook.log) == $((told_of + 1)) ]] || fail "an hour later it is not told: $(cat hook.log)"
noted() {
    grep -o "$1" damaged/refusals | wc -l
}
[[ $(noted 'frame 1 is damaged') == 1 && $(noted '"sink":"hook"') == 3 ]] || fail "noted: $(cat damaged/refusals)"
check_says 65 '^data\.dir: damaged/journal/0000000000000001.seg: byte 4096: frame 1 is damaged'
[[ $(cat damaged/journal/*.seg | sha256sum) == "$before" ]] || fail "a refused directory was changed"
code=0
"$TOCSIN" fsck damaged >fsck 2>&1 || code=$?
[[ $code == 65 ]] || fail "fsck of a damaged directory: code $code"

# Where its loss is accepted it goes on from before, and says so. It runs, so what was told of it is
# over; a sink that takes nothing hears of it from a later start.
rm mended
start_daemon --accept-loss
wait_for "the loss is told of" \
    file_has run.log 'event=journal_loss_accepted what="damaged/journal/0000000000000001.seg: byte 4096'
wait_for "it has begun" file_has run.log 'event=data_dir '
wait_for "its end is told, in vain" file_has hook.log '^resolve not-running .* 503$'
kill -KILL "$daemon"
wait_end "$daemon"
file_has damaged/refusals '"sink":"hook"' || fail "the end was not told, and is forgotten"
touch mended
start_daemon
wait_for "its end is told" file_has hook.log '^resolve not-running .* 200$'
no_refusals() {
    [[ ! -e damaged/refusals ]]
}
wait_for "nothing of it is owed" no_refusals
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
start_daemon
wait_for "it is ready" answers /readyz 200
kill -TERM "$daemon"
wait_end "$daemon"
[[ $(grep -c '^resolve not-running .* 200$' hook.log) == 3 ]] || fail "its end was told again: $(cat hook.log)"
"$TOCSIN" fsck damaged >fsck || fail "fsck after an accepted loss: $(cat fsck)"

# Another broker with other events under the same name: nothing of it is read, the sinks hear that,
# and what was owed to them when the run before was killed leaves all the same.
config
rm mended
start_daemon
event gamma h5 problem | send
wait_for "an op is owed" file_has hook.log '^open first .*host=h5 503$'
kill -KILL "$daemon"
wait "$daemon" || true
touch mended
opens=$(grep -c '^open not-running .* 200$' hook.log)
ends=$(grep -c '^resolve not-running .* 200$' hook.log)
rm broker.port
start_broker events:2
for partition in 0 1; do
    for _ in {1..12}; do # more than were read of a partition before
        event gamma h8 problem
    done | kcat -P -b "$broker" -t events -p $partition 2>>kcat.log
done
config
refused 65 'the recovery does not come to what the journal says.*--trust-journal goes on'
[[ $(grep -c '^open not-running .* 200$' hook.log) == $((opens + 1)) ]] || fail "the sinks are not told: $(cat hook.log)"
file_has hook.log '^open first .*host=h5 200$' || fail "what was owed was not sent: $(cat hook.log)"
! file_has hook.log 'host=h8' || fail "the input of another broker was read: $(cat hook.log)"

# Where the journal is trusted what differs is listed, what it says stands, and the rest is told. What
# had ended before the snapshot that the first stop wrote is not gone over again.
start_daemon --trust-journal
wait_for "it has recovered" file_has run.log 'event=recovered changes=7 differences=1'
[[ $(grep -cE 'event=recovery_differs incident=[0-9a-f]{32} .*host=h5.*what="it is not told any more' run.log) == 1 ]] ||
    fail "the differences are not listed"
wait_for "what is new is told" file_has hook.log '^open first .*host=h8 200$'
has_ended() { # and so have those of before that could not be told
    [[ $(grep -c '^resolve not-running .* 200$' hook.log) -gt $ends ]]
}
wait_for "the sinks are told that it runs again" has_ended
wait_for "nothing of it is owed" test ! -e data/refusals
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open first .* 200$' hook.log) == 5 ]] || fail "an open was told again: $(cat hook.log)"
"$TOCSIN" fsck data >fsck || fail "fsck of a trusted journal: $(cat fsck)"

# The same without a word to it: refused by the engine that wrote the journal, and trusted by one of
# another version, which an update brings, and which may well decide otherwise.
refused 65 'the recovery does not come to what the journal says.*--trust-journal goes on'
version=$("$TOCSIN" --version)
version=${version%%$'\n'*} # what it runs on is behind it
LC_ALL=C sed "s/$version/${version%?}x/g" "$TOCSIN" >newer # as long as the other
chmod +x newer
[[ $(./newer --version) == "${version%?}x"$'\n'* ]] || fail "it is not of another version: $(./newer --version)"
TOCSIN=./newer start_daemon
wait_for "the journal is trusted" file_has run.log "event=journal_trusted why=\"another engine\" engine=\"$version\""
wait_for "what differs is listed" file_has run.log 'event=recovery_differs .*host=h5.*what="it is not told any more'
wait_for "it has recovered" file_has run.log 'event=recovered .*differences=1$'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open first .* 200$' hook.log) == 5 ]] || fail "an open was told again: $(cat hook.log)"

# A directory that goes from under a run takes what is written with it.
rm -r data
start_daemon
wait_for "it is ready" answers /readyz 200
mv data elsewhere
wait_for "it ends" ends "$daemon"
wait_end "$daemon"
[[ $code == 74 ]] || fail "exit code $code"
file_has run.log 'event=giving_up why="data: the data directory of this run is not there any more: it was moved' ||
    fail "it does not say why"
[[ ! -e data ]] || fail "something was made where it was: $(ls -R data)"
"$TOCSIN" fsck elsewhere >fsck || fail "fsck of a directory that was moved: $(cat fsck)"
