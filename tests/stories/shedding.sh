# Aim (L7, X1): a daemon that is hours behind, and stays so for a second, leaves out what its configuration lets it,
# tells so, and reads in full again once it has caught up; a kill in the middle of it, a replay of its directory and
# one of a recording with its marks have left out the same.
# Method: shedding_lib.sh; one data directory through three lives.
. "$TOCSIN_TREE/tests/stories/shedding_lib.sh"
config() { # SHEDDING
    write_config <<TEXT
rules: [rules.yaml]
data: {dir: data}
marks: {path: marks.log}
engine: {workers: 1, take: 1, expire: 1d}
quarantine: {path: quarantine.log}
$1
TEXT
}
config 'shedding: {behind: 10m, for: 1s}'
start_daemon
wait_for "it sheds, and that is durable" told shed opened 1
kill -KILL "$daemon"
wait "$daemon" || true
file_has run.log 'event=shedding_begins topic=events partition=0 offset=[0-9]+ behind_ms=[0-9]{7,8} waiting=[0-9]+ shed=0 below=warning ' ||
    fail "the log does not say from where on"
[[ $(grep -c event=shedding_begins run.log) == 1 ]] || fail "it begins more than once"

cp run.log first.log
start_daemon
recovers
! file_has run.log event=shedding_begins || fail "it is told again"
wait_for "all is read" metric_is "tocsin_partition_read_offset$of" $((2 * HOSTS + NOISE))
wait_for "it has caught up" file_has run.log "event=shedding_ends topic=events partition=0 offset=$((2 * HOSTS + NOISE)) .* shed=[1-9][0-9]* "
metric_is "tocsin_partition_shedding$of" 0 || fail "it sheds nevertheless"
all_from_its_begin first.log
here=$(metric "tocsin_partition_shed_total$of") # of what this life has read
((here > 0 && here <= shed)) || fail "of the partition it is $here"
metric_is tocsin_events_total $((2 * HOSTS + NOISE + 1)) || fail "$(metric tocsin_events_total) events are counted"
[[ ! -s quarantine.log ]] || fail "it is in quarantine: $(head quarantine.log)"
! file_has run.log event=record_rejected || fail "the log is flooded"

# What comes now counts, and clears the self-alert.
event down after problem | sed 's/"severity":"critical"/"severity":"info"/' | kcat -P -b "$broker" -t events -p 0 2>>kcat.log
wait_for "it is told that it is over" told shed closed 1
wait_for "who went down is told, and nobody twice" told down opened $((HOSTS + 1))
wait_for "whose end was no matter of severity" told down closed "$HOSTS"
metric_is "$rejected" "$shed" || fail "what comes now is left out"
ends_well

# From the image of the stop, by a configuration that sheds nothing.
config ''
start_daemon
recovers
metric_is "$rejected" "$shed" || fail "$(metric "$rejected") of what had been told was left out"
ends_well

# Whoever reads it all again leaves out the same: the directory, and a recording with its marks.
"$TOCSIN" replay --config tocsin.yaml --data data --ledger ledger --json 2>replay.log >replayed || fail "replay: $(cat replay.log)"
same ledger
"$TOCSIN" record --brokers "$broker" --topic events --to latest --output log.trec --quiet || fail "no recording"
"$TOCSIN" replay --config tocsin.yaml --marks data log.trec --ledger ledger --json 2>replay.log >replayed || fail "replay: $(cat replay.log)"
same ledger
"$TOCSIN" replay --config tocsin.yaml --marks data log.trec --ledger text 2>replay.log >replayed || fail "replay: $(cat replay.log)"
file_has text "shedding +events/0 shed $shed spells 1" || fail "the ledger does not say so: $(cat text)"
"$TOCSIN" replay --config tocsin.yaml log.trec --ledger ledger --json 2>replay.log >replayed || fail "replay: $(cat replay.log)"
python3 -c 'import json; assert json.load(open("ledger"))["events"]["rejected_quota"] == 0' || fail "without marks something is left out"

"$TOCSIN" whynot --config tocsin.yaml --from earliest "events/0/$((HOSTS + NOISE - 1))/0" >why.log 2>&1 || true
file_has why.log 'event 0 of the record was rejected \(quota\): it was shed: events/0 was [0-9hms]+ behind: events of severity below warning are left out' ||
    fail "whynot does not know: $(cat why.log)"
"$TOCSIN" fsck data >fsck.log || fail "fsck: $(cat fsck.log)"
