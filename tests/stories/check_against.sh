# Aim: before a reload `tocsin check --against` says for each rule what becomes of its windows and incidents,
# of how many, and what else of it changes; of each mute, whether it changes. POST /reload says the same and
# does it, or changes nothing. Method: a daemon whose rules hold keys and incidents that the story has made.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:2
make_rules() { # TITLE WINDOW IDS...: each opens at two events of its check
    local title=$1 window=$2
    shift 2
    echo 'rules:'
    for id in "$@"; do
        echo "  - {id: $id, where: 'check == \"$id\"', on: events, by: [host], window: $window, when: count() >= 2, incident: {title: \"$title\"}, close: quiet(10m)}"
    done
}
make_rules old 5m alpha beta gamma >rules.yaml
write_config <<<'rules: [rules.yaml]'
start_daemon
wait_for "it is ready" answers /readyz 200
# alpha: two keys that watch; beta: an incident and a key that watches; gamma: an incident.
for one in "alpha h1" "alpha h2" "beta h1" "beta h1" "beta h2" "gamma h3" "gamma h3"; do
    # shellcheck disable=SC2086 # check and host
    event $one problem | send
done
keys_are() {
    curl -s "http://127.0.0.1:$admin/rules" | python3 -c '
import json, sys
rules = json.load(sys.stdin)["rules"]
sys.exit([(r["rule"], r["current"], r["keys"], r["open"]) for r in rules] != [("alpha", True, 2, 0), ("beta", True, 2, 1), ("gamma", True, 1, 1)])'
}
wait_for "the rules hold what was sent" keys_are

check() { # CODE ARGUMENTS
    local code=0 wanted=$1
    shift
    "$TOCSIN" check --config tocsin.yaml "$@" >check.out 2>check.err || code=$?
    [[ $code == "$wanted" ]] || fail "check $*: exit code $code instead of $wanted: $(cat check.out check.err)"
}
rows_are() { # FILE ROWS
    python3 - "$1" "$2" <<'PY' || fail "other rows in $1"
import json, sys
got = [(r["rule"], r["state"], r["keys"], r["open"]) for r in json.load(open(sys.argv[1]))["rules"]]
expected = eval(sys.argv[2])
if got != expected:
    print(got, "instead of", expected)
    sys.exit(1)
PY
}
check 0 --against running
file_has check.out 'a reload would change nothing' || fail "no word of no change"
file_has check.out 'beta +carries on +keys 2, open incidents 1' || fail "no row of beta: $(cat check.out)"

# One thing at a time, nothing of which a form knows: each is a change, and named.
alone() { # PATTERN SED-SCRIPT
    sed "$2" before.yaml >after.yaml
    check 1 --rules after.yaml --against before.yaml
    file_has check.out "$1" || fail "$2 is not told: $(cat check.out)"
    check 1 --rules after.yaml --against before.yaml --json
    python3 -c 'import json; assert json.load(open("check.out"))["changed"]' || fail "$2: changed is false"
}
cp rules.yaml before.yaml
printf 'silences:\n  - {id: deploy, where: "host == \\"h9\\"", to: "2030-01-01T00:00:00Z"}\n' >>before.yaml
alone 'priority "P3" -> "P1"' '2s/title: "old"/&, priority: P1/'
alone 'team "" -> "dba"' '2s/title: "old"/&, team: dba/'
alone 'title "old" -> "young"' '2s/"old"/"young"/'
alone 'close "quiet.10m." -> "quiet.11m."' '2s/quiet(10m)/quiet(11m)/'
alone 'max_keys "100000" -> "7"' '2s/on: events/&, max_keys: 7/'
alone 'silence deploy +changed' 's/2030/2031/'
check 1 --rules after.yaml --against before.yaml
file_has check.out '^      to "2030-01-01T00:00:00Z" -> "2031-01-01T00:00:00Z"$' || fail "what has changed of it: $(cat check.out)"
alone 'silence deploy +gone' '/silences/,$d'
alone 'silence second +new' '$s/.*/&\n  - {id: second, where: tenant != "", to: "2030-01-01T00:00:00Z"}/'
alone 'beta +starts empty' '3s/window: 5m/window: 6m/'
# What has made another form of it is told, as it is written, and nothing else.
alone '^      window "5m" -> "6m"$' '3s/window: 5m/window: 6m/'
alone '^      when "count\(\) >= 2" -> "count\(\) >= 3"$' '3s/count() >= 2/count() >= 3/'
alone '^      where "check == "beta"" -> "check == "zeta""$' '3s/check == "beta"/check == "zeta"/'
alone '^      by "\[host\]" -> "\[host, labels.rack\]"$' '3s/by: .host./by: [host, labels.rack]/'
alone '^      on "events" -> ""$' '3s/on: events, //'
alone '^      for "" -> "2m"$' '3s/window: 5m/window: open, for: 2m/'
check 1 --rules after.yaml --against before.yaml
[[ $(grep -c ' -> ' check.out) == 2 ]] || fail "window and for, and no more: $(cat check.out)"
# Who is told, and how urgently, is told beside it: in text, as JSON.
sed '3s/window: 5m/window: 6m/; 3s/title: "old"/title: "young", priority: P1, team: dba/' before.yaml >after.yaml
check 1 --rules after.yaml --against before.yaml
[[ $(grep -A4 'beta  *starts empty' check.out | tail -n +2 | tr -s ' \n' ' ') == ' window "5m" -> "6m" title "old" -> "young" priority "P3" -> "P1" team "" -> "dba" ' ]] ||
    fail "the settings of a rule that starts empty: $(cat check.out)"
file_has check.out '^a reload would change 1 rule$' || fail "it is counted twice: $(cat check.out)"
check 1 --rules after.yaml --against before.yaml --json
python3 -c '
import json
row = next(r for r in json.load(open("check.out"))["rules"] if r["state"] == "starts empty")
assert [c["key"] for c in row["changes"]] == ["window", "title", "priority", "team"], row' || fail "not so in JSON"
# Or what they name is another.
sed '2s/id: alpha,/&vars: {least: "2"}, /; 2s/>= 2/>= least/' before.yaml >named.yaml
sed 's/least: "2"/least: "3"/' named.yaml >after.yaml
check 1 --rules after.yaml --against named.yaml
file_has check.out '^      when "count\(\) >= least": this, or another of these, names something else$' || fail "no word of a variable: $(cat check.out)"
[[ $(grep -c 'names something else' check.out) == 2 ]] || fail "where and when, and no more: $(cat check.out)"
alone 'gamma +gone' '4d'
alone 'delta +new' '4{p;s/gamma/delta/g}'
# Other words, the same meaning.
sed '2s/window: 5m/window: 300s/; 2s/quiet(10m)/quiet(600s)/; 2s/on: events/description: d, &/; s/host == .h9./"h9" == host/' before.yaml >after.yaml
check 0 --rules after.yaml --against before.yaml

# Enrich steps: a says something else, b goes behind c, d goes and e comes.
make_steps() { # ID VALUE ...
    cat before.yaml
    echo "enrich:"
    printf '  - {id: %s, set: {labels.x: "string(%s)"}}\n' "$@"
}
make_steps a 1 b 2 c 3 d 4 >steps.yaml
make_steps a 9 c 3 b 2 e 5 >after.yaml
check 1 --rules after.yaml --against steps.yaml
file_has check.out '^a reload would change 4 enrich steps$' || fail "steps: $(cat check.out)"
for row in 'a +changed' 'b +unchanged' 'c +moved' 'd +gone' 'e +new'; do
    file_has check.out "enrich $row" || fail "no row $row: $(cat check.out)"
done
file_has check.out '^      set "\{labels[.]x: string[(]1[)]\}" -> "\{labels[.]x: string[(]9[)]\}"$' || fail "what has changed of it: $(cat check.out)"
[[ $(grep -c ' -> ' check.out) == 1 ]] || fail "more is said to have changed: $(cat check.out)"
check 1 --rules after.yaml --against steps.yaml --json
python3 - <<'PYTHON' || fail "as JSON: $(cat check.out)"
import json
steps = {s["step"]: s["changes"] for s in json.load(open("check.out"))["enrich"]}
assert steps == {"a": [{"key": "set", "from": "{labels.x: string(1)}", "to": "{labels.x: string(9)}"}],
                 "b": [], "c": [], "d": [], "e": []}, steps
PYTHON
check 0 --rules steps.yaml --against steps.yaml

# What is wrong is told to scripts as well.
printf 'rules: [{id: broken}]\n' >broken.yaml
code=0
"$TOCSIN" check --rules broken.yaml --json >mistakes.json 2>/dev/null || code=$?
[[ $code == 78 ]] || fail "a broken file: exit code $code"
python3 -c 'import json; assert "broken.yaml:1:9: " in json.load(open("mistakes.json"))["mistakes"]'
# So is what is no UTF-8, of a line or of a file's name: U+FFFD stands for such a byte.
spoilt=$(printf 'spoilt\xff.yaml')
printf 'rules:\n  - id: r\n    where: check == "a\xff"\n' >"$spoilt"
code=0
"$TOCSIN" check --rules "$spoilt" --json >mistakes.json 2>/dev/null || code=$?
[[ $code == 78 ]] || fail "a spoilt file: exit code $code"
python3 - <<'PYTHON' || fail "a spoilt file as JSON: $(cat -v mistakes.json)"
import json
said = json.load(open("mistakes.json", encoding="utf-8"))["mistakes"]
assert "spoilt\ufffd.yaml:3:" in said and "the byte 0xff here is no UTF-8 text" in said and '"a\ufffd"' in said, said
PYTHON
{ sed '/^silences/,$d' before.yaml; echo "inhibit: [{id: no, source: 'rule == \"alpha9\"', target: 'rule == \"zzz\"'}]"; } >"$spoilt"
check 0 --rules "$spoilt" --json
python3 -c 'import json; assert "spoilt\ufffd.yaml" in json.load(open("check.out"))["mutes"][0]["place"]' || fail "its place: $(cat -v check.out)"
# Of an inhibition of which neither side can be, both are told.
{
    sed '/^silences/,$d' before.yaml
    echo "inhibit: [{id: no, source: 'rule == \"alpha9\"', target: 'rule == \"zzz\"'}]"
} >neither.yaml
check 0 --rules neither.yaml
file_has check.out 'inhibit no can inhibit nothing: no incident of these rules can match its source, and none its target; there is no rule "zzz"' || fail "not both sides are told: $(cat check.out)"
# A name of `equal` that one side alone counts by: what is empty there is muted all the same.
cat >one_side.yaml <<'YAML'
rules:
  - {id: c, where: check == "c", by: [host, labels.rack], window: 1h, when: count() >= 1, incident: {title: c}, close: cleared()}
  - {id: d, where: check == "d", by: [host], window: 1h, when: count() >= 1, incident: {title: d}, close: cleared()}
inhibit: [{id: i, source: 'rule == "d"', target: 'rule == "c"', equal: [host, labels.rack]}]
YAML
check 0 --rules one_side.yaml
file_has check.out ': inhibit i: no two rules that it is about both have labels.rack in `by`, so it is only about incidents whose labels.rack is empty or missing$' || fail "not told of what it is: $(cat check.out)"
check 0 --rules one_side.yaml --json
python3 -c 'import json; got = json.load(open("check.out"))["mutes"][0]; assert got["equal_where_empty"] == ["labels.rack"] and not got["matches_nothing"] and got["equal_without_effect"] == [], got' || fail "not so in JSON"
sed "s/target: 'rule/target: 'labels.rack != \"\" \&\& rule/" one_side.yaml >apart.yaml
check 0 --rules apart.yaml
file_has check.out ': inhibit i can inhibit nothing: of each two rules .* one has a name of `equal` in `by` that the other has not, and it is never empty there$' || fail "sides that have nothing in common: $(cat check.out)"
# Mutes are counted, and those that can do nothing named; so is a rule that holds longer than alerts live.
{
    cat before.yaml
    printf '  - {id: typo, where: "rule == \\"aplha\\"", to: "2030-01-01T00:00:00Z"}\n'
    echo "inhibit: [{id: rack, source: 'rule == \"alpha\"', target: 'rule == \"beta\"', equal: [host, labels.rakc]}]"
} | sed '4s/window: 5m/window: open, for: 5m/' >after.yaml
check 0 --rules after.yaml
file_has check.out '^mutes 3: silences 2, maintenance windows 0, inhibitions 1' || fail "mutes are not counted: $(cat check.out)"
file_has check.out '^note: [^ ]*:[0-9]*:[0-9]*: silence typo can match no incident of these rules; there is no rule "aplha"; did you mean "alpha"[?]$' || fail "no word of the typo"
file_has check.out '^note: [^ ]*: inhibit rack: no rule that it is about has labels.rakc in ' || fail "no word of the typo in equal"
file_has check.out '^note: [^ ]*: silence deploy' && fail "a good silence is doubted"
file_has check.out '^note: rule gamma holds for 5m, .* engine.expire, 5m' || fail "no word of the rule that holds too long"
# Which side of an inhibition nothing matches, and what has ended; ids stand behind "  - {id: ".
cat >doubtful.yaml <<'YAML'
rules:
  - {id: alpha, where: check == "ü", by: [host], window: 5m, when: count() >= 1, incident: {title: t, priority: P3}, close: cleared()}
  - {id: grave, where: check == "v" && severity >= MAJOR, by: [host], window: 5m, when: count() >= 1, incident: {title: t, priority: P3}, close: cleared()}
inhibit:
  - {id: one, source: 'rule == "nosuch"', target: 'rule == "alpha"'}
  - {id: two, source: 'rule == "alpha"', target: 'priority == "P5"'}
silences:
  - {id: past, where: tenant != "", to: "2020-01-05T00:20:00Z"}
  - {id: never, where: rule == "grave" && severity < MAJOR, to: "2120-01-05T00:20:00Z"}
maintenance:
  - {id: once, where: tenant != "", start: "2020-03-01T22:00", duration: 8h, timezone: Europe/Zurich}
  - {id: five, where: tenant != "", start: "2020-03-01T22:00", duration: 8h, rrule: FREQ=WEEKLY;COUNT=5}
  - {id: years, where: tenant != "", time_intervals: [{years: ["2019:2020"], months: ["january:march"]}]}
  - {id: weekly, where: tenant != "", start: "2020-03-01T22:00", duration: 8h, rrule: FREQ=WEEKLY}
  - {id: always, where: tenant != "", time_intervals: [{weekdays: ["sunday:saturday"]}]}
enrich:
  - {id: swallows, where: 'check == "ping" && severity <= INFO', drop: true}
  - {id: listed, where: 'severity in [OK, INFO]', drop: true}
  - {id: problems, where: 'check == "ping" && severity <= INFO && state == "problem"', drop: true}
  - {id: worse, where: severity >= INFO, drop: true}
  - {id: any, where: 'check == "ping" && severity >= OK', drop: true}
  - {id: changes, where: severity <= INFO, set: {labels.a: check}}
YAML
sed '2{p;s/alpha/few/;s/count() >= 1/count() < 5/;p;s/few/whole/;s/5m/{tumbling: 5m}, look: end/}' doubtful.yaml >few.yaml
check 0 --rules few.yaml
file_has check.out '^note: rule few opens at the first event .* 5 that .* asks count[(][)] to stay below' || fail "no word of the first event"
[[ $(grep -c 'opens at the first event' check.out) == 1 ]] || fail "more rules are doubted than few: $(cat check.out)"
# Of a folder that has both endings those of one are read, which is told.
mkdir both
cp few.yaml both/a.yaml
printf 'rules: []\n' >both/b.yml
check 0 --rules ./both
file_has check.out '^note: ./both/b.yml is not read: of a folder those files are that end with .yaml$' || fail "no word of b.yml: $(cat check.out)"
# What no event opens knows no field of one, and a deviation need not have alerts that clear.
cat >silent.yaml <<'YAML'
rules:
  - {id: held, where: check == "a", by: [labels.rack], window: open, for: 1m, when: count() >= 2, incident: {title: "{labels.rack}: {host} {check}"}, close: cleared()}
  - {id: ended, where: check == "a", by: [host], window: {tumbling: 5m}, look: end, when: count() < 2, incident: {title: "{host}: {count()} of {labels.rack}"}, close: cleared()}
  - {id: at-once, where: check == "a", by: [labels.rack], window: 5m, when: count() >= 2, incident: {title: "{host}"}, close: cleared()}
  - {id: known, where: check == "a", by: [host], window: open, for: 1m, when: count() >= 2, incident: {title: "{host}: {count()}"}, close: cleared()}
  - {id: fell, where: check == "a", by: [host], window: {tumbling: 1h}, baseline: {season: 1d}, when: deviation(count()) < -4, incident: {title: "{host}"}, close: cleared()}
YAML
check 0 --rules silent.yaml
file_has check.out '^note: rule held: host stays empty in its title' || fail "no word of an empty title: $(cat check.out)"
file_has check.out '^note: rule ended: labels.rack stays empty in its title' || fail "no word of an empty title: $(cat check.out)"
[[ $(grep -c 'stays empty' check.out) == 2 ]] || fail "more titles are doubted than two: $(cat check.out)"
file_has check.out '^note: rule fell closes by alerts that cleared alone' || fail "no word of what does not close: $(cat check.out)"
sed 's/close: cleared()/close: cleared() || quiet(5m)/' silent.yaml >quiet.yaml
check 0 --rules quiet.yaml
file_has check.out 'alone, and what' && fail "quiet() closes it: $(cat check.out)"
# What bounds took is heard of, wholly, in part or not at all.
check 0 --rules few.yaml
file_has check.out '^note: no rule takes what tocsin says .* [(]tenant @tocsin, check no-longer-watched, keys-evicted, members-evicted[)], so no incident' ||
    fail "no word of bounds that nobody hears of: $(cat check.out)"
check 0 --rules few.yaml --rules kafka
file_has check.out 'no rule takes what tocsin says' && fail "the pack kafka does not hear of bounds: $(cat check.out)"
sample=$(dirname "${BASH_SOURCE[0]}")/../../packaging/tocsin.yaml
"$TOCSIN" check --config "$sample" >check.out || fail "the sample: $(cat check.out)"
file_has check.out 'no rule takes what tocsin says' && fail "the sample does not hear of bounds: $(cat check.out)"
# Of one such event no alert flaps, and no silence is broken off that would be told of.
cat >deaf.yaml <<'YAML'
rules:
  - {id: flaps, on: flapping, where: 'true', by: [check], window: 5m, when: count() >= 1, incident: {title: t}, close: quiet(5m)}
  - {id: signs, where: 'true', by: [check], expect: {every: 5m}, incident: {title: t}, close: cleared()}
YAML
check 0 --rules deaf.yaml
file_has check.out '[(]tenant @tocsin, check no-longer-watched, keys-evicted, members-evicted[)]' ||
    fail "a rule that opens for no such event is taken to hear it: $(cat check.out)"
cat >part.yaml <<'YAML'
rules:
  - {id: part, where: tenant == "@tocsin" && check.endsWith("evicted") && resource == "part" && message.contains("was reached"), by: [check], window: 5m, when: count() >= 1, incident: {title: t, priority: P3}, close: cleared()}
YAML
check 0 --rules part.yaml
file_has check.out '[(]tenant @tocsin, check no-longer-watched[)]' || fail "heard of in part: $(cat check.out)"
check 0 --json --rules part.yaml
python3 -c 'import json, sys; assert json.load(sys.stdin)["bounds_unheard"] == ["no-longer-watched"]' <check.out || fail "$(cat check.out)"

# Of many rules those are asked of, too, that a condition names.
{
    cat part.yaml
    for i in $(seq -w 99); do
        echo "  - {id: a$i, where: check == \"a$i\", by: [host], window: 5m, when: count() >= 2, incident: {title: t}, close: quiet(5m)}"
    done
} >many.yaml
check 0 --rules many.yaml
file_has check.out '[(]tenant @tocsin, check no-longer-watched[)]' || fail "of the last of 100 rules: $(cat check.out)"

# Of two large patterns the one that has many ways which begin and end apart.
cat >slow.yaml <<'YAML'
rules:
  - {id: slow, where: 'message.matches(r"(a?){100}a{100}b") || message.matches(r"(ab|cd|ef|gh){100}!")', by: [host], window: 5m, when: count() >= 1, incident: {title: t, priority: P3}, close: cleared()}
YAML
check 78 --rules slow.yaml
file_has check.err '^slow.yaml:2:[0-9]*: the pattern may take [0-9]* ns for each character of a text, more than 76, which is 5 ms for 64 KiB: ' ||
    fail "no word of the slow pattern: $(cat check.err)"
check 0 --rules doubtful.yaml
file_has check.out '^note: doubtful.yaml:5:10: inhibit one .* can match its source; there is no rule "nosuch"$' || fail "no word of the source"
file_has check.out '^note: doubtful.yaml:6:10: inhibit two .* can match its target$' || fail "no word of the target"
file_has check.out '^note: doubtful.yaml:8:10: silence past ended at 2020-01-05T00:20:00.000Z$' || fail "no word of the end"
file_has check.out '^note: doubtful.yaml:9:10: silence never can match no incident of these rules; the rules that it names open no incident of such a severity$' || fail "no word of the severity"
# The first of March at 22:00 in Zurich is 21:00 UTC; five weeks end on the 30th, a Monday.
while read -r id line end; do
    file_has check.out "^note: doubtful.yaml:$line:10: maintenance $id ended at $end, and opens no more$" || fail "no word of $id: $(grep "$id" check.out)"
done <<'ENDS'
once 11 2020-03-02T05:00:00.000Z
five 12 2020-03-30T06:00:00.000Z
years 13 2020-04-01T00:00:00.000Z
ENDS
file_has check.out 'weekly ended' && fail "a window that comes again has ended"
file_has check.out 'always ended' && fail "a window that is always open has ended"
noted=$(sed -n 's/^note: enrich step \(.*\) drops clears as well: .*/\1/p' check.out | tr '\n' ' ')
[[ $noted == "swallows listed " ]] || fail "noted as dropping clears: $noted"
"$TOCSIN" check --rules doubtful.yaml --json | python3 -c '
import json, sys
got = json.load(sys.stdin)
assert got["enrich_drops_clears"] == ["swallows", "listed"]
ended = {m["id"]: m["ended"] for m in got["mutes"]}
assert ended["once"] == 1583125200000 and ended["weekly"] is None and ended["one"] is None, ended' || fail "not so in JSON"
file_has check.out '^  engine.expire' || fail "keys of a configuration are not listed"
"$TOCSIN" check --rules doubtful.yaml >check.out
file_has check.out 'engine.expire +5m' && fail "defaults that nobody asked for are listed"

# Keys of the configuration that a reload does not follow are named: one of the engine, a sink; log.level is followed.
cp tocsin.yaml as_started.yaml
sed 's/^admin:.*/&\nengine: {past: 23h}\nlog: {level: debug}\nsinks: [{name: chat, type: webhook, options: {url: "http:\/\/127.0.0.1:9\/"}}]/' as_started.yaml >tocsin.yaml
check 0 --against running
file_has check.out '^a reload would not change engine.past,sinks: these keys need the restart of the daemon$' || fail "no word of the restart: $(cat check.out)"
check 0 --against running --json
python3 -c 'import json; got = json.load(open("check.out"))["restart"]; assert got == ["engine.past", "sinks"], got' || fail "not so in JSON"
cp as_started.yaml tocsin.yaml
# The same file by another path is the same configuration.
code=0
"$TOCSIN" check --config "$PWD/tocsin.yaml" --against running >check.out 2>check.err || code=$?
[[ $code == 0 ]] || fail "by its whole path: exit code $code: $(cat check.out check.err)"
file_has check.out 'restart' && fail "it seems to differ by its path: $(cat check.out)"

# What a reload follows of the engine is a change, like that of a rule: looked at, done, and told.
sed 's/^admin:.*/&\nengine: {expire: 7m, flap.start: 7}/' as_started.yaml >tocsin.yaml
check 1 --against running
file_has check.out '^a reload would change 2 settings of the engine$' || fail "no count of settings: $(cat check.out)"
file_has check.out '^  engine.expire "5m" -> "7m"$' || fail "no word of engine.expire: $(cat check.out)"
file_has check.out '^  engine.flap.start "6" -> "7"$' || fail "no word of engine.flap.start: $(cat check.out)"
terms_are() { # FILE
    python3 - "$1" <<'PY' || fail "settings of the engine in $1"
import json, sys
got = json.load(open(sys.argv[1]))
assert got["changed"] is True, got
assert got["engine"] == [{"key": "engine.expire", "from": "5m", "to": "7m", "meaning": None},
                         {"key": "engine.flap.start", "from": "6", "to": "7", "meaning": None}], got["engine"]
PY
}
check 1 --against running --json
terms_are check.out
[[ $(curl -s -o dry -w '%{http_code}' -X POST "http://127.0.0.1:$admin/reload?dry=1") == 200 ]] || fail "not looked at: $(cat dry)"
terms_are dry
[[ $(curl -s -o answer -w '%{http_code}' -X POST "http://127.0.0.1:$admin/reload") == 200 ]] || fail "not reloaded: $(cat answer)"
terms_are answer
file_has run.log 'event=reloaded .*rules_changed=0 .*engine_changed="?engine.expire 5m -> 7m, engine.flap.start 6 -> 7' || fail "the log does not say so: $(grep reloaded run.log)"
check 0 --against running
cp as_started.yaml tocsin.yaml
check 1 --against running
file_has check.out '^  engine.expire "7m" -> "5m"$' || fail "the way back: $(cat check.out)"
kill -HUP "$daemon"
wait_for "the way back is taken" file_has run.log 'event=reloaded .*engine.expire 7m -> 5m, engine.flap.start 7 -> 6'
check 0 --against running

# alpha gets a title, beta a window; gamma goes and delta comes.
cp rules.yaml before.yaml
{ make_rules new 5m alpha; make_rules old 6m beta delta | tail -n +2; } >rules.yaml
check 1 --against running --json
expected='[("alpha", "carries on", 2, 0), ("beta", "starts empty", 0, 0), ("beta", "drains", 2, 1), ("delta", "new", 0, 0), ("gamma", "gone", 1, 1)]'
rows_are check.out "$expected"
mv check.out preview.json
python3 -c '
import json
row = json.load(open("preview.json"))["rules"][0]
assert row["changes"] == [{"key": "title", "from": "old", "to": "new"}], row
row = json.load(open("preview.json"))["rules"][1]
assert row["changes"] == [{"key": "window", "from": "5m", "to": "6m"}], row
said = {(r["rule"], r["state"]): (r["beside"], r["meaning"]) for r in json.load(open("preview.json"))["rules"]}
assert said == {("alpha", "carries on"): (None, None), ("beta", "starts empty"): (None, None), ("delta", "new"): (None, None),
                ("beta", "drains"): (False, "1 open incident keeps its key until it closes; the new form opens none for the same key before; of the other keys a window is let go when something comes for its key, and the new form begins anew"),
                ("gamma", "gone"): (False, "1 open incident keeps its key until it closes; no rule opens another for the same key after that, and the next event of an alert, a repeat too, takes it out there")}, said'
check 1 --against running
file_has check.out '^      1 open incident keeps its key until it closes; the new form opens none for the same key before; of the other keys a window is let go ' || fail "no word of what drains: $(cat check.out)"
# Keys by other names stand side by side, and so do an absence and what is none; of windows alone other words.
cp rules.yaml good.yaml
{ make_rules old 6m alpha | sed 's/when: count() >= 2/when: count() >= 3/'; make_rules old 5m beta gamma | tail -n +2; } |
    sed '3s/\[host\]/[host, check]/; 4s/window: 5m, when: count() >= 2/expect: {every: 5m}/; 4s/on: events, //' >rules.yaml
apart='the new form may open others beside: with another `by`, or `expect` against none, keys cannot be compared'
check 1 --against running
[[ $(grep -cF "      1 open incident keeps its key until it closes; $apart" check.out) == 2 ]] || fail "beta and gamma stand apart: $(cat check.out)"
file_has check.out '^      no incident is open: a window is let go when something comes for its key, and the new form begins anew$' || fail "alpha holds windows: $(cat check.out)"
check 1 --against running --json
python3 -c '
import json
beside = {r["rule"]: r["beside"] for r in json.load(open("check.out"))["rules"] if r["state"] == "drains"}
assert beside == {"alpha": False, "beta": True, "gamma": True}, beside'
check 1 --against before.yaml
[[ $(grep -cF "      open incidents keep their keys until they close; $apart" check.out) == 2 ]] || fail "no numbers of a file: $(cat check.out)"
# Nor whether there are windows: what becomes of them is said, too.
file_has check.out '^      open incidents keep their keys until they close; the new form opens none for the same key before; of the other keys a window is let go when something comes for its key, and the new form begins anew$' ||
    fail "no word of windows: $(cat check.out)"
mv good.yaml rules.yaml
check 1 --against before.yaml --json
rows_are check.out "[(r, s, None, None) for r, s, k, o in $expected]"
check 1 --rules before.yaml --against rules.yaml
file_has check.out 'gamma +new' || fail "the other way round: $(cat check.out)"
check 0 --rules before.yaml --against before.yaml
check 78 --against none.yaml
check 69 --against running --admin 127.0.0.1:1

reload() { # ANSWER-FILE [?QUERY] [CURL OPTIONS]: the status
    local query=
    [[ ${2:-} == \?* ]] && query=$2 && set -- "$1" "${@:3}"
    curl -s -o "$1" -w '%{http_code}' -X POST "${@:2}" "http://127.0.0.1:$admin/reload$query"
}
# Refused: by a page, by GET, by a mistake in the file. Nothing changes.
[[ $(reload answer -H 'Origin: http://evil') == 403 ]] || fail "a page may reload"
[[ $(curl -s -o answer -w '%{http_code}' "http://127.0.0.1:$admin/reload") == 405 ]] || fail "a GET may reload"
cp rules.yaml good.yaml
sed -i 's/count() >= 2/cuont() >= 2/' rules.yaml
[[ $(reload answer) == 400 ]] || fail "a broken file is not refused"
file_has answer 'rules.yaml:2:.*cuont' || fail "no place of the mistake: $(cat answer)"
keys_are || fail "a refused reload changed something"
metric_is tocsin_reload_failures_total 1 || fail "it is not counted"
metric_is tocsin_reloads_total 2 || fail "a refused one is counted as done"
# Only looked at: the same answer, and nothing changes; nor does a wrong word reload.
cp good.yaml rules.yaml
sed -i 's/^admin:.*/&\nengine: {past: 23h}/' tocsin.yaml
[[ $(reload answer '?dri=1') == 400 ]] || fail "a parameter that is not there reloads"
[[ $(reload dry '?dry=1') == 200 ]] || fail "not looked at: $(cat dry)"
keys_are || fail "a look changed something"
metric_is tocsin_reloads_total 2 || fail "a look is counted as a reload"
# And done: the answer is the preview.
[[ $(reload answer) == 200 ]] || fail "not reloaded: $(cat answer)"
rows_are answer "$expected"
cmp answer dry || fail "the look said something else: $(cat dry)"
python3 -c '
import json
a, b = json.load(open("answer")), json.load(open("preview.json"))
assert a.pop("restart") == ["engine.past"] and b.pop("restart") == [], (a, b)
assert a == b, (a, b)
assert a["totals"]["drains"] == {"rules": 1, "keys": 2, "open": 1}, a["totals"]'
# Now that is what runs; what drains is still shown, and changes no more.
check 0 --against running --json
rows_are check.out '[("alpha", "carries on", 2, 0), ("beta", "carries on", 0, 0), ("beta", "drains", 2, 1), ("delta", "carries on", 0, 0), ("gamma", "drains", 1, 1)]'
# alpha carried on: one more event on h1 opens it, with the new title.
event alpha h1 problem | send
wait_for "alpha opens with what it had" file_has incidents.log '"change":"opened".*"rule":"alpha".*host=h1.*"title":"new"'
# A series is told once, whatever forms there are.
curl -s "http://127.0.0.1:$admin/metrics" | grep -v '^#' | sed 's/ [^ ]*$//' | sort | uniq -d >twice
[[ ! -s twice ]] || fail "series that are there twice: $(cat twice)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
