# Aim (L7, X5): a tenant over its quota is cut to it, in the daemon as in a replay of its topic; a kill,
# a start from an image and quotas that change between two runs leave what was rejected as it was.
# Method: records of 40 events of one time, so that what is over the burst of 10 is known; one data
# directory through four lives.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
cat >rules.yaml <<TEXT
rules:
  - {id: down, where: 'check == "down"', by: [tenant], window: 1m, when: count() >= 10,
     incident: {title: "{tenant}"}, close: cleared()}
  - {id: cut, where: 'check == "tenant-over-quota"', by: [resource], window: 1m, when: count() >= 1,
     incident: {title: "{message}"}, close: cleared()}
TEXT
config() { # QUOTAS
    write_config <<TEXT
rules: [rules.yaml]
data: {dir: data}
quarantine: {path: quarantine.log}
quotas: $1
TEXT
}
many() { # TENANT COUNT
    for i in $(seq "$2"); do
        printf '%s{"tenant":"%s","resource":"r%d","check":"down"}' "$([[ $i == 1 ]] && echo '[' || echo ,)" "$1" "$i"
    done
    echo ']'
}
rejected='tocsin_events_rejected_total{reason="quota"}'
recovers() {
    wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
}
opened() { # RULE COUNT
    metric_is "tocsin_rule_incidents_opened_total{rule=\"$1\"}" "$2"
}

config '{events: 1, burst: 10, tenants: [{tenant: own, events: 0}, {tenant: big, events: 1, burst: 30}]}'
start_daemon
wait_for "it is ready" answers /readyz 200
many flood 40 | send
wait_for "the flood is cut" metric_is "$rejected" 30
many own 40 | send
many big 40 | send
wait_for "and who may send more, to that" metric_is "$rejected" 40
for row in 'flood"} 30' 'big"} 10'; do
    metric_is "tocsin_quota_rejected_total{tenant=\"${row% *}" "${row#* }" || fail "not so by tenant: $row"
done
! metric 'tocsin_quota_rejected_total{tenant="own"}' | grep . >/dev/null || fail "who is not limited is cut"
metric_is tocsin_quota_tenants_cut 2 || fail "$(metric tocsin_quota_tenants_cut) tenants are cut"
wait_for "all three open, and two are told of" opened down 3
wait_for "all three open, and two are told of" opened cut 2
told() { # what is in the journal, and so in this file, is told by no other life
    [[ $(grep '"rule":"cut"' incidents.log | grep -c '"change":"opened"') == "$1" ]]
}
wait_for "and that is durable" told 2
file_has run.log 'event=tenant_over_quota tenant=flood .*offset=0 ' || fail "the log does not say who is cut"
[[ $(grep -c event=tenant_over_quota run.log) == 2 ]] || fail "it is told more than once"
! file_has run.log event=record_rejected || fail "the log is flooded"
[[ ! -s quarantine.log ]] || fail "so is the quarantine: $(cat quarantine.log)"
kill -KILL "$daemon"
wait "$daemon" || true

start_daemon
recovers
wait_for "the same are rejected" metric_is "$rejected" 40
! file_has run.log event=tenant_over_quota || fail "it is told again"
metric_is tocsin_quota_tenants_cut 2 || fail "nobody is cut any more"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"

# From the image of the stop, by other quotas from here on.
config '{events: 1, burst: 5}'
start_daemon
recovers
file_has run.log 'event=settings_switched .*quotas: events 1, burst 10' || fail "the switch is not told of"
metric_is "$rejected" 40 || fail "$(metric "$rejected") were rejected of what had been told"
many own 40 | send
wait_for "own is like others" metric_is "$rejected" 75
kill -KILL "$daemon"
wait "$daemon" || true
start_daemon
recovers
wait_for "by either quotas as before" metric_is "$rejected" 75
metric_is tocsin_events_total 160 || fail "$(metric tocsin_events_total) events are counted"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"

# And who reads it all again finds the same.
"$TOCSIN" replay --config tocsin.yaml --data data --incidents off --ledger ledger --json 2>replay.log ||
    fail "replay: $(cat replay.log)"
python3 -c 'import json; got = json.load(open("ledger")); assert got["events"]["rejected_quota"] == 75, got; assert [(t["tenant"], t["rejected_quota"]) for t in got["tenants"]] == [("big", 10), ("flood", 30), ("own", 35)], got' ||
    fail "the replay rejected others: $(cat ledger)"
"$TOCSIN" whynot --config tocsin.yaml --from earliest events/0/0/39 >why.log 2>&1 || true
file_has why.log 'event 39 of the record was rejected \(quota\)' || fail "whynot does not know: $(cat why.log)"
"$TOCSIN" fsck data >fsck.log || fail "fsck: $(cat fsck.log)"

# What is pushed has no partition for a person.
start_daemon
recovers
wait_for "it is ready" answers /readyz 200
many web 40 | push /events
kept '"records":'
wait_for "it is told as what is pushed" file_has incidents.log \
    '"title":"tenant web sends more than its quota of 1 events/s \(burst 5\) of what is pushed over HTTP: what is beyond'
file_has run.log 'event=tenant_over_quota tenant=web topic=@intake partition=- offset=' || fail "the log says otherwise"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
