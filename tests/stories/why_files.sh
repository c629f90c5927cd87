# Aim: why and whynot about files name what became of each event, and what they take for granted.
# Method: a file in which each event is stopped by something else; a file without times.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
{ event disk db1 problem; event disk db1 problem; } >events.json
{ echo 'rules:'; rule disks disk; } >rules.yaml
ask() { # CODE ARGUMENTS...: the answer is in the file answer
    local want=$1 got=0
    shift
    "$TOCSIN" "$@" >answer 2>answer.err || got=$?
    [[ $got == "$want" ]] || fail "$*: exit code $got: $(cat answer answer.err)"
}
ask 0 whynot events/0/1 events.json
file_has answer '^note: no rules are named: this is the shipped pack demo; --rules names others$' ||
    fail "another's rules are not told of: $(cat answer)"
ask 0 whynot events/0/1 events.json --rules rules.yaml
if file_has answer '^note: no rules are named'; then fail "rules are named: $(cat answer)"; fi
echo 'rules: [rules.yaml]' >tocsin.yaml
ask 0 whynot events/0/1 events.json --config tocsin.yaml
if file_has answer '^note: no rules are named'; then fail "the configuration names rules: $(cat answer)"; fi

python3 - <<'PY'
import json
begin = "2026-03-01T10:00:"
with open("stopped.json", "w") as to:
    def put(second, resource, check, **more):
        to.write(json.dumps(dict(time="%s%02dZ" % (begin, second), source="s", resource=resource, check=check,
                                 severity="major", **more)) + "\n")
    for i in range(4):
        put(i, "h1/%d" % i, "disk", value=95)  # 0 to 3
    put(4, "h1/0", "disk", value=95)
    put(5, "h2/0", "disk", value=50)
    to.write('{"nonsense":1}\n')  # 6
    put(7, "h7", "down")
    put(8, "h8", "down")
    put(9, "h9", "down")
    put(2, "h3/0", "disk", value=99)  # 10
    put(11, "h5/0", "disk", value=99)
    put(12, "h6/0", "disk", value=99)
    put(40, "end", "end")
PY
sed 's/"time": "[^"]*", //' stopped.json >timeless.json
cat >stopped.yaml <<'YAML'
rules:
- id: full
  where: check == "disk" && value > 90.0
  by: [host]
  window: 10m
  when: count() >= 5
  max_keys: 3
  incident: {title: full}
  close: quiet(1h)
- id: one
  where: check == "down"
  by: [host]
  window: 1m
  when: count() >= 1
  incident: {title: "{host} down"}
  close: cleared()
silences:
- {id: work, where: host == "h7", from: 2026-03-01T00:00:00Z, to: 2026-03-02T00:00:00Z}
inhibit:
- {id: rack, source: host == "h8", target: host == "h9"}
YAML
told() { # ARGUMENTS PATTERN
    local pattern=${*: -1}
    ask 0 whynot "${@:1:$#-1}" --rules stopped.yaml
    file_has answer "$pattern" || fail "$*: $(cat answer)"
}
at=2026-03-01T10:00
told events/0/2 stopped.json "^rule full: count\(\) 3 of 5 at $at:02.000Z; then the key was evicted"
told events/0/4 stopped.json "^folded as repeat 1 of h1/0 disk \(s\), which events/0/0/0 opened at $at:00.000Z"
told events/0/5 stopped.json '^no rule matches; the nearest is rule full: where does not hold: value > 90: 50 > 90 is false$'
told events/0/6 stopped.json '^the record was rejected \(schema\): at byte 0: '
told events/0/7 stopped.json '^it opened incident [0-9a-f]* of rule one; it was muted by silence work$'
told events/0/9 stopped.json '^it opened incident [0-9a-f]* of rule one; it was muted by inhibit rack by [0-9a-f]*$'
told events/0/10 stopped.json 'counts 6s500ms later: newer ones came before it, by more than the disorder of 500ms$'
# Effective time: that of the record before it, 2191 days later (six years, one leap day between), less the disorder of 500 ms.
printf '{"resource":"r","check":"c","time":"%s-03-01T10:00:00Z"}\n' 2026 2020 >years.json
told events/0/1 years.json 'counts 2190d23h59m59s500ms later: newer ones came before it'
told host=h1 --rule full --at $at:01Z stopped.json "^rule full: count\(\) 2 of 5 at $at:01.000Z; by itself it stays so until 2026-03-01T10:10:00.000Z$"
told events/0/1 --at $at:01Z stopped.json "^rule full: count\(\) 2 of 5 at $at:01.000Z; by itself it stays so until 2026-03-01T10:10:00.000Z$"
ask 64 whynot events/0/1 --at 2026 stopped.json --rules stopped.yaml
file_has answer.err '^tocsin whynot: --at: 2026 milliseconds since 1970 are a time before 1973: write it like 2026-02-01T10:00:00Z$' ||
    fail "a year: $(cat answer.err)"
# Without times it is the clock's, another in each of the runs that one question takes.
told events/0/3 timeless.json '^rule full: count\(\) 4 of 5 at '
told events/0/7 timeless.json '^it opened incident [0-9a-f]* of rule one$'
# An input without records, and an incident without members, say why they are.
: >empty.json
ask 1 whynot events/0/0 empty.json --rules stopped.yaml
file_has answer '^note: the input is empty: no record was read$' || fail "an empty input: $(cat answer)"
ask 0 whynot events/0/0 stopped.json --rules stopped.yaml
if file_has answer 'the input is empty'; then fail "records were read: $(cat answer)"; fi
cat >alive.yaml <<'YAML'
rules:
- {id: alive, where: check == "disk", by: [host], expect: {every: 5s}, incident: {title: silent}, close: quiet(1h)}
YAML
"$TOCSIN" replay stopped.json --rules alive.yaml >log 2>/dev/null
id=$(sed -n 's/.*"change":"opened".*"incident":"\([0-9a-f]*\)".*/\1/p' log | sed -n 1p)
ask 0 why "$id" stopped.json --rules alive.yaml
file_has answer '^members: 0: it counts as one alert that what was due did not come$' || fail "members of an absence: $(cat answer)"
