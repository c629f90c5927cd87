# Aim: the preview of a reload that changes an enrich step, or a table behind it, says which of its keys names something
# else, where that is known, and of which rules open incidents may close and open anew by it; so does the log of the
# reload, and it is so. Method: files against files; then a daemon with incidents whose rack a table gives.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"

check() { # CODE ARGUMENTS
    local code=0 wanted=$1
    shift
    "$TOCSIN" check "$@" >check.out 2>check.err || code=$?
    [[ $code == "$wanted" ]] || fail "check $*: exit code $code instead of $wanted: $(cat check.out check.err)"
}

# ---- which key it is ----
mkdir old new
cat >old/rules.yaml <<'YAML'
sets: {core: {file: core.csv}}
tables: {own: {file: own.csv, key: host}}
enrich:
  - {id: marks, where: host in core, set: {labels.core: '"1"'}}
  - {id: owns, where: host in own, set: {labels.team: 'own[host].team', labels.core: '"2"'}, remove: [labels.pod]}
  - {id: reads, extract: {from: message, pattern: 'rack=(?<rack>\w+)'}}
rules:
  - {id: r, where: check == "x", by: [host], window: 10m, when: count() >= 1, incident: {title: x}, close: quiet(1m)}
maintenance:
  - {id: m, where: host in own, start: 2026-01-04T02:00, duration: 4h, rrule: FREQ=WEEKLY, timezone: Europe/Zurich}
YAML
cp old/rules.yaml new/rules.yaml
printf 'host\na\nb\n' | tee old/core.csv >new/core.csv
printf 'host,team\na,t1\nb,t2\n' | tee old/own.csv >new/own.csv
names() { # STEP: the keys of it that are said to name something else
    sed -n "/^  enrich $1 /,/^  enrich /{s/^      \([a-z]*\) .*: what it names means something else\$/\1/p}" check.out | tr '\n' ' '
}
check 0 --rules new/rules.yaml --against old/rules.yaml
printf 'host\na\nc\n' >new/core.csv
check 1 --rules new/rules.yaml --against old/rules.yaml
[[ $(names marks) == "where " ]] || fail "the set is named by where alone: $(cat check.out)"
printf 'host\na\nb\n' >new/core.csv
printf 'host,team\na,t1\nb,t3\n' >new/own.csv
check 1 --rules new/rules.yaml --against old/rules.yaml
[[ $(names owns) == "set " ]] || fail "the cells are named by set alone: $(cat check.out)"
# Beside a text that has changed, too.
sed -i "s/labels.core: '\"2\"'/labels.core: '\"3\"'/; s/host in own,/host in core,/" new/rules.yaml
printf 'host\na\nc\n' >new/core.csv
sed -i 's/host in own,/host in core,/' old/rules.yaml
check 1 --rules new/rules.yaml --against old/rules.yaml
[[ $(names owns) == "where " ]] || fail "beside a text that has changed: $(cat check.out)"
file_has check.out '^      set .*"2".* -> .*"3".*' || fail "the text that has changed: $(cat check.out)"

# ---- whose incidents it reaches ----
cat >old/rules.yaml <<'YAML'
tables: {racks: {file: racks.csv, key: host}}
enrich:
  - id: rack
    where: host in racks
    set: {labels.rack: 'racks[host].rack', labels.row: 'racks[host].row', severity: 'racks[host].row == "1" ? CRITICAL : MAJOR'}
  - {id: named, extract: {from: message, pattern: 'on (?<site>\w+)'}, remove: [labels.pod]}
rules:
  - {id: rack-down, where: check == "ping" && has(labels.rack), by: [labels.rack], window: open, when: distinct(host) >= 2, incident: {title: "rack {labels.rack}"}, close: cleared()}
  - {id: host-down, where: check == "ping", by: [host, labels.rack], window: 1m, when: count() >= 1, incident: {title: "{host} down"}, close: cleared()}
  - {id: row-down, where: check == "ping" && labels.row == "1", by: [host], window: 1m, when: count() >= 1, incident: {title: "{host} in row 1"}, close: cleared()}
  - {id: rack-alive, where: check == "beat", by: [labels.rack], expect: {every: 1h}, incident: {title: "{labels.rack}"}, close: cleared()}
  - {id: of-site, where: check == "ping", by: [labels.site], window: 1h, when: count() >= 900, incident: {title: t}, close: cleared()}
  - {id: other, where: check == "ping", by: [check], window: 1h, when: count() >= 900, incident: {title: t}, close: cleared()}
YAML
printf 'host,rack,row\nw1,r1,1\nw2,r1,1\n' >old/racks.csv
cp old/rules.yaml new/rules.yaml
printf 'host,rack,row\nw1,r9,2\nw2,r9,2\n' >new/racks.csv
reaches() { # FILE EFFECTS
    python3 - "$1" "$2" <<'PY' || fail "it reaches other rules"
import json, sys
steps = json.load(open(sys.argv[1]))["enrich"]
got = {s["step"]: [(e["name"], e["in"], e["rules"], e["keys"], e["open"]) for e in s["effects"]] for s in steps}
if got != eval(sys.argv[2]):
    sys.exit(f"{got} instead of {sys.argv[2]}")
PY
}
check 1 --rules new/rules.yaml --against old/rules.yaml --json
reaches check.out '{"rack": [("labels.rack", "by", ["host-down", "rack-down"], None, None),
    ("labels.rack", "expect", ["rack-alive"], None, None), ("labels.row", "where, close", ["row-down"], None, None)], "named": []}'
# A step that goes, or comes, reaches as far.
sed '/id: named/d' old/rules.yaml >gone.yaml
cp old/racks.csv .
check 1 --rules gone.yaml --against old/rules.yaml --json
reaches check.out '{"rack": [], "named": [("labels.site", "by", ["of-site"], None, None)]}'
check 1 --rules old/rules.yaml --against gone.yaml --json
reaches check.out '{"rack": [], "named": [("labels.site", "by", ["of-site"], None, None)]}'

# What later steps make of it, which have not changed, counts too: told once, of the first step that comes to it.
cat >chain.yaml <<'YAML'
enrich:
  - {id: before, set: {labels.early: labels.dc}}
  - {id: site, set: {labels.dc: '"d1"'}}
  - {id: rack, set: {labels.rack: 'labels.dc + "-r"', labels.unit: '"u"'}}
  - {id: row, where: labels.rack == "d1-r", extract: {from: message, pattern: 'row (?<row>\w+)'}, set: {severity: MINOR}}
  - {id: pod, where: check == "ping", set: {labels.pod: '"p"'}, remove: [labels.zone]}
rules:
  - {id: by-dc, where: check == "ping", by: [labels.dc], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: by-early, where: check == "ping", by: [labels.early], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: by-rack, where: check == "ping", by: [labels.rack], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: by-row, where: check == "ping", by: [labels.row], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: by-unit, where: check == "ping", by: [labels.unit], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: by-pod, where: check == "ping" && has(labels.zone), by: [labels.pod], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: severe, where: severity >= MINOR, by: [host], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
YAML
chain='("labels.dc", "by", ["by-dc"], None, None), ("labels.rack", "by", ["by-rack"], None, None),
    ("labels.row", "by", ["by-row"], None, None), ("severity", "where, close", ["severe"], None, None)'
calm='"before": [], "rack": [], "row": [], "pod": []'
sed 's/"d1"/"d2"/' chain.yaml >chain-new.yaml
check 1 --rules chain-new.yaml --against chain.yaml --json
reaches check.out "{\"site\": [$chain], $calm}"
check 1 --rules chain-new.yaml --against chain.yaml
file_has check.out '^      labels.rack, which step rack makes of what it sets, is in by of by-rack: ' || fail "the way there: $(cat check.out)"
sed '/id: site/d' chain.yaml >chain-gone.yaml
check 1 --rules chain-gone.yaml --against chain.yaml --json
reaches check.out "{\"site\": [$chain], $calm}"
check 1 --rules chain.yaml --against chain-gone.yaml --json
reaches check.out "{\"site\": [$chain], $calm}"
# Of one that has changed itself, below that one.
sed 's/"d1"/"d2"/; s/"-r"/"-s"/' chain.yaml >chain-both.yaml
check 1 --rules chain-both.yaml --against chain.yaml --json
reaches check.out '{"before": [], "site": [("labels.dc", "by", ["by-dc"], None, None)], "pod": [],
    "rack": [("labels.rack", "by", ["by-rack"], None, None), ("labels.unit", "by", ["by-unit"], None, None),
        ("labels.row", "by", ["by-row"], None, None), ("severity", "where, close", ["severe"], None, None)], "row": []}'

# What a step drops, of whom it may be; of the others that is known, with steps that change things and without.
cat >kept.yaml <<'YAML'
rules:
  - {id: any, where: severity >= WARNING, by: [host], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: beats, where: check == "ping", by: [host], expect: {every: 1h}, incident: {title: t}, close: cleared()}
  - {id: disks, where: check == "disk", by: [host], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: grave, where: 'check in ["ping", "disk"] && severity == CRITICAL', by: [host], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
  - {id: own, where: tenant == "@tocsin", by: [check], window: 1h, when: count() >= 9, incident: {title: t}, close: cleared()}
YAML
{ echo 'enrich: [{id: nop, where: check == "ping" && severity < CRITICAL, drop: true}]'; cat kept.yaml; } >drop.yaml
check 1 --rules drop.yaml --against kept.yaml --json
reaches check.out '{"nop": [(None, "drop", ["any"], None, None), (None, "drop, expect", ["beats"], None, None)]}'
check 1 --rules kept.yaml --against drop.yaml --json
reaches check.out '{"nop": []}'
{ echo 'enrich: [{id: nop, where: check == "ping" && severity < MAJOR, drop: true}]'; cat kept.yaml; } >wider.yaml
check 1 --rules drop.yaml --against wider.yaml --json
reaches check.out '{"nop": [(None, "drop", ["any"], None, None), (None, "drop, expect", ["beats"], None, None)]}'
sed 's/drop: true}]/drop: true}, {id: changes, set: {severity: MAJOR}}]/' drop.yaml >changes.yaml
sed 's/^enrich: .*/enrich: [{id: changes, set: {severity: MAJOR}}]/' drop.yaml >changed.yaml
check 1 --rules changes.yaml --against changed.yaml --json
reaches check.out '{"nop": [(None, "drop", ["any", "grave"], None, None), (None, "drop, expect", ["beats"], None, None)], "changes": []}'
# A step that drops by what another one makes.
{ echo 'enrich: [{id: dc, set: {labels.dc: "\"d1\""}}, {id: nop, where: check == "ping" && labels.dc == "d1", drop: true}]'; cat kept.yaml; } >by-dc.yaml
sed 's/set: {labels.dc: "\\"d1/set: {labels.dc: "\\"d2/' by-dc.yaml >by-dc2.yaml
check 1 --rules by-dc2.yaml --against by-dc.yaml --json
reaches check.out '{"dc": [(None, "drop", ["any", "grave"], None, None), (None, "drop, expect", ["beats"], None, None)], "nop": []}'
check 1 --rules by-dc2.yaml --against by-dc.yaml
file_has check.out '^      what step nop drops by what it sets may be a sign of life of beats: of keys, whichever gets none any more is missed$' ||
    fail "what is dropped by it: $(cat check.out)"

start_broker events:1
cp old/rules.yaml old/racks.csv .
write_config <<'TEXT'
input.topics: [{topic: events, disorder: 20ms}]
rules: [rules.yaml]
TEXT
start_daemon
wait_for "it is ready" answers /readyz 200
{ event ping w1 problem; event ping w2 problem; event beat w1 problem; } | send
holds() {
    curl -s "http://127.0.0.1:$admin/rules" | python3 -c '
import json, sys
got = {r["rule"]: (r["keys"], r["open"]) for r in json.load(sys.stdin)["rules"]}
sys.exit(got != {"host-down": (2, 2), "of-site": (1, 0), "other": (1, 0), "rack-alive": (1, 0), "rack-down": (1, 1), "row-down": (2, 2)} and str(got))'
}
wait_for "the rules hold what was sent" holds
cp new/racks.csv .
check 1 --config tocsin.yaml --against running
file_has check.out '^  rack-down +carries on +keys 1, open incidents 1$' || fail "rack-down: $(cat check.out)"
file_has check.out '^      labels.rack, which it sets, is in by of host-down and rack-down: .* so 3 open incidents may close, and open, and page, anew$' ||
    fail "by: $(cat check.out)"
file_has check.out '^      labels.rack, which it sets, is in by of rack-alive: .* and of the key that is there now, whichever gets none any more is missed$' || fail "expect: $(cat check.out)"
file_has check.out '^      labels.row, which it sets, is read by where or close of row-down: .* so 2 open incidents may close, and open, and page, anew$' ||
    fail "where: $(cat check.out)"
[[ $(grep -c 'which it sets' check.out) == 3 ]] || fail "more is said to be reached: $(cat check.out)"
check 1 --config tocsin.yaml --against running --json
reaches check.out '{"rack": [("labels.rack", "by", ["host-down", "rack-down"], 3, 3),
    ("labels.rack", "expect", ["rack-alive"], 1, 0), ("labels.row", "where, close", ["row-down"], 2, 2)], "named": []}'
kill -HUP "$daemon"
wait_for "it has reloaded" file_has run.log 'event=reloaded '
file_has run.log 'event=reloaded .*rules_changed=0 mutes_changed=0 enrich_steps_changed=1 what="changed: enrich step rack" may_reopen="?host-down,rack-down,row-down"? ' ||
    fail "the log: $(grep reloaded run.log)"
# And so it is. The switch takes effect at a round later than any record that was binned before, so what is sent may be
# of before.
is_moved() {
    { event ping w1 problem; event ping w2 problem; } | send
    file_has incidents.log '"change":"opened".*"title":"rack r9"'
}
wait_for "rack r9 is down" is_moved
wait_for "rack r1 is not" file_has incidents.log '"change":"closed".*"title":"rack r1"'
wait_for "w1 is not in row 1" file_has incidents.log '"change":"closed".*"title":"w1 in row 1"'
opens_moved() {
    curl -s "http://127.0.0.1:$admin/rules" | python3 -c '
import json, sys
got = {r["rule"]: r["open"] for r in json.load(sys.stdin)["rules"]}
sys.exit([got[rule] for rule in ("host-down", "rack-down", "row-down")] != [2, 1, 0])'
}
wait_for "what was open is of the new rack" opens_moved
# A step that drops what is told of w1, whose alerts are heard of no more.
{ sed '/^rules:/,$d' rules.yaml; echo '  - {id: nop, where: check == "ping" && resource == "w1", drop: true}'; sed -n '/^rules:/,$p' rules.yaml; } >more.yaml
mv more.yaml rules.yaml
check 1 --config tocsin.yaml --against running
file_has check.out '^      what it drops may be of host-down and rack-down: an alert of which nothing is heard any more expires, so 3 open incidents may close though it still fires$' ||
    fail "what is dropped: $(cat check.out)"
reloads_logged() { [[ $(grep -c 'event=reloaded ' run.log) == 2 ]]; }
kill -HUP "$daemon"
wait_for "it has reloaded again" reloads_logged
file_has run.log 'event=reloaded .*what="new: enrich step nop" may_reopen="" may_close="?host-down,rack-down"? ' ||
    fail "the log: $(grep reloaded run.log)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
