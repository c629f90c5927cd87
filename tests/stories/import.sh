# Aim: foreign rules become a rule file that loads, finds what they would have found, and a list of
# what was not carried over. Method: a correlation and its base rules in two files, converted with a
# mapping file, loaded and replayed on events whose count is known; an Alertmanager configuration;
# input that is none.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
cat >base.yml <<'YAML'
title: Refused login
name: refused
logsource: {product: windows, service: security}
detection:
  selection: {EventID: 4625}
  filter: {User: probe}
  condition: selection and not filter
YAML
cat >correlation.yml <<'YAML'
title: Many refused logins
correlation:
  type: event_count
  rules: [refused]
  group-by: [User]
  timespan: 10m
  condition: {gte: 3}
level: high
YAML
cat >map.yaml <<'YAML'
case: exact
logsource: {product: source, service: ignore}
fields: {EventID: check}
YAML
code=0
"$TOCSIN" import --map map.yaml --output sigma.yaml base.yml correlation.yml 2>err || code=$?
[[ $code == 0 ]] || fail "import: exit code $code: $(cat err)"
"$TOCSIN" check --rules sigma.yaml >check.log || fail "the result does not load: $(cat check.log sigma.yaml)"

# Three refused logins of ann within ten minutes, two of bob, four of the probe, three of cat over an hour.
while read -r minute user; do
    printf '{"resource":"dc1","source":"windows","check":"4625","time":"2026-03-01T10:%02d:00Z","labels":{"User":"%s"}}\n' "$minute" "$user"
done >events.json <<'EVENTS'
0 ann
1 bob
2 probe
3 probe
4 ann
5 probe
6 probe
7 cat
8 ann
9 bob
25 cat
45 cat
EVENTS
"$TOCSIN" replay --quiet --rules sigma.yaml --ledger off events.json >incidents 2>replay.log || fail "$(cat replay.log)"
opened=$(grep -c '"change":"opened"' incidents) || true
[[ $opened == 1 ]] || fail "$opened incidents instead of 1: $(cat incidents)"
grep '"change":"opened"' incidents | grep 'Many refused logins (ann)' >/dev/null || fail "not the one of ann: $(cat incidents)"

# A key that is not carried over: listed three times, and the exit code says so.
{ cat correlation.yml; echo 'weight: 7'; } >weight.yml
code=0
"$TOCSIN" import --map map.yaml base.yml weight.yml >out.yaml 2>err || code=$?
[[ $code == 1 ]] || fail "exit code $code instead of 1"
line='weight.yml:9:1: ignored: key weight: it is not of the specification'
grep -qF "$line" err || fail "not on standard error: $(cat err)"
grep -qF "$line" out.yaml || fail "not in the result: $(cat out.yaml)"
"$TOCSIN" import --json --map map.yaml base.yml weight.yml 2>err >out.json || true
python3 - out.yaml out.json <<'PY' || fail "JSON"
import json, sys
d = json.load(open(sys.argv[2]))
assert d["text"] == open(sys.argv[1]).read()
assert d["from"] == "sigma" and d["rules"] == ["sigma-many-refused-logins"], d
assert [(f["file"], f["line"], f["column"], f["effect"], f["construct"]) for f in d["not_carried_over"]] == [
    ("weight.yml", 9, 1, "ignored", "key weight")], d
PY

# What is read is not overwritten, by whatever name.
ln -sf base.yml other.yml
cp base.yml before.yml
for output in base.yml ./base.yml other.yml; do
    code=0
    "$TOCSIN" import --output "$output" base.yml 2>err || code=$?
    [[ $code == 64 ]] || fail "--output $output: exit code $code instead of 64"
    grep -qF "tocsin import: --output $output is one of the files that are read, and is not overwritten: name another" err ||
        fail "$(cat err)"
    cmp -s base.yml before.yml || fail "--output $output has replaced its input"
done

# Alertmanager: what fires for group_wait opens one incident per group, at the end of it; what is
# resolved before does not; an inhibited warning is muted.
cat >alertmanager.yml <<'YAML'
route:
  receiver: duty
  group_by: [alertname, cluster]
  repeat_interval: 4h
  routes:
    - receiver: nobody
      matchers: [team="test"]
inhibit_rules:
  - source_matchers: [alertname="ClusterDown"]
    target_matchers: [alertname="NodeDown"]
    equal: [cluster]
YAML
code=0
"$TOCSIN" import alertmanager.yml >am.yaml 2>err || code=$?
[[ $code == 1 ]] || fail "exit code $code instead of 1"
grep -q 'alertmanager.yml:4:[0-9]*: differs: repeat_interval: .*: set engine.expire: 4h5m$' err || fail "$(cat err)"
[[ $(grep -c 'alertmanager.yml' err) == 1 ]] || fail "more than one thing was not carried over: $(cat err)"
"$TOCSIN" check --rules am.yaml >check.log || fail "the result does not load: $(cat check.log am.yaml)"
while read -r second state alertname cluster instance team; do
    printf '{"resource":"%s","check":"%s","state":"%s","time":"2026-03-01T10:00:%02dZ","labels":{"alertname":"%s","cluster":"%s","instance":"%s","team":"%s"}}\n' \
        "$instance" "$alertname" "$state" "$second" "$alertname" "$cluster" "$instance" "$team"
done >alerts.json <<'ALERTS'
0 firing ClusterDown a a1 core
1 firing DiskFull a a2 core
2 firing DiskFull a a3 core
3 firing Flap b b1 core
4 firing NodeDown a a4 core
5 firing NodeDown b b4 core
6 firing DiskFull c c1 test
20 resolved Flap b b1 core
59 firing Late z z1 core
ALERTS
"$TOCSIN" replay --quiet --rules am.yaml --ledger off alerts.json >incidents 2>replay.log || fail "$(cat replay.log)"
python3 - incidents <<'PY' || fail "Alertmanager: $(cat incidents)"
import json, sys
opened = [d for d in map(json.loads, open(sys.argv[1])) if d["change"] == "opened"]
told = {(d["rule"], d["title"]): d.get("muted_by", "") for d in opened}
wanted = {("am-duty", "ClusterDown a: 1 firing"), ("am-duty", "DiskFull a: 2 firing"),
          ("am-duty", "NodeDown a: 1 firing"), ("am-duty", "NodeDown b: 1 firing"),
          ("am-nobody", "DiskFull c: 1 firing")}
assert set(told) == wanted, told
muted = {title for (rule, title), by in told.items() if by}
assert muted == {"NodeDown a: 1 firing"}, told
PY

# Words that are one severity, and none at all, stay apart where the routes group by the label.
cat >severity.yml <<'YAML'
route: {receiver: a, group_by: [alertname, severity], group_wait: 0s, group_interval: 1m, repeat_interval: 1m}
inhibit_rules:
  - {source_matchers: ['severity="page"'], target_matchers: ['severity="critical"'], equal: [alertname]}
  - {source_matchers: ['severity="critical"'], target_matchers: ['severity=""'], equal: [alertname]}
YAML
cat >severity.test.yaml <<'YAML'
rules: severity.yaml
tests:
  - name: one critical word inhibits another, and a critical alert one without a severity
    events:
      - {at: 0s, alert: {labels: {alertname: X, severity: page, instance: a}}}
      - {at: 10s, alert: {labels: {alertname: X, severity: critical, instance: b}}}
      - {at: 20s, alert: {labels: {alertname: X, severity: warning, instance: c}}}
      - {at: 30s, alert: {labels: {alertname: X, instance: d}}}
    expect:
      - {rule: am-a, key: {labels.severity: page}, muted_by: ""}
      - {rule: am-a, key: {labels.severity: critical}, muted_by: {contains: am-inhibit-1}}
      - {rule: am-a, key: {labels.severity: warning}, muted_by: ""}
      - {rule: am-a, key: {labels.severity: ""}, muted_by: {contains: am-inhibit-2}}
YAML
"$TOCSIN" import severity.yml >severity.yaml 2>err || grep -q inhibit err && fail "an inhibition is listed: $(cat err)"
"$TOCSIN" test severity.test.yaml >out 2>&1 || fail "words of severity: $(cat out)"

refused() { # CODE PATTERN ARGUMENTS
    local code=0 wanted=$1 pattern=$2
    shift 2
    "$TOCSIN" import "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "$*: exit code $code instead of $wanted: $(cat err)"
    grep -qE "$pattern" err || fail "$*: no sentence like $pattern: $(cat err)"
    [[ ! -s out ]] || fail "$*: something was printed"
}
refused 66 'nothing.yml: No such file' nothing.yml
head -n 1 events.json >event.json
refused 65 'event.json:1:1: neither Sigma' event.json
refused 65 'base.yml:1:1: this is of the form of sigma' --from alertmanager base.yml
refused 65 'base.yml:1:1: a mapping file has no key "title"' --map base.yml base.yml
refused 64 'an argument is missing'
refused 64 'auto, sigma or alertmanager|sigma' --from snort base.yml
refused 74 '/dev/full cannot be written' --output /dev/full base.yml

# An alias of different fields: the source address of one rule is the user of the other.
cat >alias.yml <<'YAML'
title: A
name: a
detection: {s: {X: '1'}, condition: s}
---
title: B
name: b
detection: {s: {X: '2'}, condition: s}
---
title: C
correlation: {type: temporal, rules: [a, b], group-by: [who], timespan: 5m, aliases: {who: {a: src.ip, b: user}}}
YAML
"$TOCSIN" import --output alias.yaml alias.yml 2>err && fail "an alias that differs is not listed"
cat >alias.test.yaml <<'YAML'
settings: {expire: 1d}
tests:
  - name: two fields are one key
    defaults: {source: s, check: c, severity: major}
    events:
      - {at: 1m, resource: r1, labels: {X: "1", "src.ip": "10.1"}}
      - {at: 2m, resource: r2, labels: {X: "2", user: "10.2"}}
      - {at: 3m, resource: r3, labels: {X: "2", user: "10.1"}}
    expect:
      - {rule: sigma-c, opened: 3m, title: "C (10.1)"}
YAML
"$TOCSIN" test --rules alias.yaml alias.test.yaml >out 2>&1 || fail "the alias makes no key: $(cat out)"
