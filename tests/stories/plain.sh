# Aim: a text of an event neither steers the terminal of who reads a command's answer nor looks like a line of
# that command. Method: events whose fields have control characters, line ends and turns of the direction of
# writing; each command that tells of events by texts is to print none of them, and a ? for each.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
bad='a\u001b[31mX\u0007\u007f\u009b2J\u2028\u202e\u2067\nFORGED'
shown='a?[31mX??' # what stands for its beginning
event() { printf '{"time":"2026-01-05T00:%s:00Z","resource":"%s","check":"alive","message":"%s","labels":{"n":"%s","w":"%s"}}\n' "$1" "$bad" "$bad" "$2" "$bad"; }
{ event 00 1; event 01 2; event 02 3; } >events.json
rules() { # NAME COUNT
    cat >"$1" <<YAML
rules:
  - id: e
    where: message != "none"
    by: [host, labels.w]
    on: events
    window: 10m
    when: count() >= $2
    incident: {title: "{host} says {message}", runbook: "{message}"}
    close: quiet(10m)
YAML
}
rules old.yaml 2
rules new.yaml 3
cat >t.test.yaml <<'YAML'
rules: [old.yaml]
tests:
  - name: "n\e[2J\nFORGED"
    events:
      - {at: 0s, repeat: 2x1s, resource: "a\e[31mX\a\x7f\u009b2J\u2028\u202e\u2067\nFORGED", check: alive, message: "\e[2J", labels: {w: "\e[2J"}}
      - {at: 1h, resource: "a\e[31mX\a\x7f", check: alive, message: "\e[2J\nFORGED"}
    expect: [{rule: e, key: {host: "q\e[2J\nFORGED", labels.w: b}}]
YAML
plain() { # NAME CODE PATTERN ARGUMENTS: out has the pattern, and nothing that a terminal obeys
    local name=$1 wanted=$2 pattern=$3 code=0
    shift 3
    "$TOCSIN" "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "$name: exit code $code: $(cat -v out err)"
    grep -qF -- "$pattern" out || fail "$name: no \"$pattern\": $(cat -v out err)"
    python3 - "$name" <<'PY' || fail "$name: $(cat -v out err)"
import re, sys, unicodedata
for file in "out", "err":
    text = open(file, encoding="utf-8", newline="").read()
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text), (sys.argv[1], file)
    assert not re.search("^FORGED", text, re.M), (sys.argv[1], file)
PY
}
plain whynot 0 "a new alert of $shown" whynot events/0/0 events.json --rules old.yaml
plain 'whynot of a rule' 0 "$shown" whynot events/0/0 events.json --rules new.yaml --rule e
"$TOCSIN" replay --quiet --ledger off --rules old.yaml events.json >log || fail "exit code $?"
id=$(grep -o '"incident":"[0-9a-f]*' log | sed -n 1p | cut -d'"' -f4)
plain why 0 ": $shown" why "$id" events.json --rules old.yaml
grep -qF "key tenant=default host=$shown" out || fail "why: no key: $(cat -v out)"
sed -n '/^members/,$p' out | grep -F "  $shown" >/dev/null || fail "why: no member: $(cat -v out)"
plain diff 1 "$shown" diff --rules old.yaml --rules new.yaml events.json
plain test 1 "host=$shown" test t.test.yaml
plain 'test, more words' 1 "$shown" test -v t.test.yaml
plain 'replay --list' 0 "$shown" replay --quiet --list --ledger off --rules old.yaml events.json
# JSON has them all, escaped.
"$TOCSIN" why "$id" events.json --rules old.yaml --json >out || fail "exit code $?"
python3 - <<'PY' || fail "JSON: $(cat -v out)"
import json
text = open("out").read()
assert not any(c in text.rstrip("\n") for c in "\x1b\x07\n"), text
assert "a\x1b[31mX\x07\x7f\x9b2J\u2028\u202e\u2067\nFORGED" in json.loads(text)["incident"]["title"]
PY
