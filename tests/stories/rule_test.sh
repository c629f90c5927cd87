# Aim: `tocsin test` finds the files that are meant, says what failed in every form of report, and leaves with
# the code that its help promises. Method: a folder of small files, good, failing and wrong.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
mkdir -p suite/below
cat >suite/host.yaml <<'EOF'
rules:
  - id: down
    where: check == "down"
    by: [host]
    window: 1m
    when: count() >= 1
    incident: {title: "{host} is down"}
    close: cleared()
EOF
one() { # TITLE
    printf 'tests:\n  - name: %s\n    events: [{at: 1m, resource: a, check: down}]\n    expect: [{rule: down, title: "%s"}]\n' \
        "$2" "$1"
}
one 'a is down' 'a host goes down' >suite/host.test.yaml
{ echo 'rules: ../host.yaml'; one 'b is down' 'it fails'; } >suite/below/more.test.yaml

ends() { # CODE ARGUMENTS
    local code=0 wanted=$1
    shift
    "$TOCSIN" test "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "$*: exit code $code instead of $wanted: $(cat out err)"
}
said() { grep -qE "$1" "$2" || fail "no $1 in: $(cat "$2")"; }

ends 0 suite/host.test.yaml
said '^1 test in 1 file: 1 passed, 0 failed \([0-9.]+ s\)$' out
ends 1 suite
said '^FAIL suite/below/more.test.yaml: it fails$' out
said 'suite/below/more.test.yaml:5:14: the incident differs' out
said '^2 tests in 2 files: 1 passed, 1 failed' out
ends 0 --run 'a host' suite
said '1 passed, 0 failed, 1 not chosen' out
ends 0 --run 'a*down' suite
ends 64 --run 'no such test' suite
said "no test has 'no such test' in its name" err
ends 0 -v suite/host.test.yaml
said '^pass suite/host.test.yaml: a host goes down$' out
said 'rule down, key tenant=default host=a, P3, opened at 1m, still open: "a is down"' out
(cd suite && ends 1) || exit 1
ends 0 --progress suite/host.test.yaml
said '^1 test, ' err

# A folder is named with or without a slash, and a file that is named twice is run once.
ends 1 suite/
said '^FAIL suite/below/more.test.yaml: it fails$' out
ends 0 suite/host.test.yaml suite/host.test.yaml
said '^1 test in 1 file: 1 passed' out
ends 1 suite/host.test.yaml suite//
said '^2 tests in 2 files: 1 passed, 1 failed' out

# Two tests of one name in one file could not be told apart; files may use the same names.
mkdir twice
{ echo 'rules: [../suite/host.yaml]'; one 'a is down' 'same'; } >twice/one.test.yaml
{ echo 'rules: [../suite/host.yaml]'; one 'a is down' 'same'; one '' 'same' | sed 1d; } >twice/two.test.yaml
ends 65 twice
said '^twice/two.test.yaml:6:11: the test at twice/two.test.yaml:3:11 has the name "same" already$' err
said '^1 test in 2 files: 1 passed, 0 failed, 1 file refused' out
# So it is with the first and the last of many.
{
    printf 'rules: [../suite/host.yaml]\ntests:\n'
    for i in {1..300} 1; do printf '  - {name: n%d, events: [], expect: []}\n' "$i"; done
} >twice/two.test.yaml
ends 65 twice
said '^twice/two.test.yaml:303:12: the test at twice/two.test.yaml:3:12 has the name "n1" already$' err
cp twice/one.test.yaml twice/two.test.yaml
ends 0 twice
said '^2 tests in 2 files: 2 passed' out

# Other rules may stand in: the files' own are not read then.
sed 's/is down/fell/' suite/host.yaml >other.yaml
ends 1 --rules other.yaml suite/host.test.yaml
said 'a fell' out
printf 'rules: [other.yaml]\nengine: {expire: 30s}\n' >tocsin.yaml
ends 1 --config tocsin.yaml suite/host.test.yaml
said 'a fell' out

ends 1 --json --junit junit.xml suite
python3 - <<'EOF'
import json, xml.dom.minidom
d = json.load(open("out"))
assert (d["passed"], d["failed"]) == (1, 1), d
bad = [t for t in d["tests"] if not t["passed"]][0]
f = bad["findings"][0]
assert f["kind"] == "differs" and (f["line"], f["column"]) == (5, 14), f
title = [r for r in f["rows"] if r["field"] == "title"][0]
assert title["expected"] == "b is down" and title["got"] == "a is down" and not title["met"], title
assert bad["incidents"][0]["opened_ms"] == 60000, bad
# The chain of decisions is in both.
chain = f["why"][f["why"].index("why it opened:"):]
assert any("counts a down" in line and "opens incident" in line for line in chain), chain
assert chain[-1].startswith("  it opened at 1m: "), chain
x = xml.dom.minidom.parse("junit.xml")
assert x.getElementsByTagName("testsuite")[0].getAttribute("failures") == "1"
assert len(x.getElementsByTagName("testcase")) == 2
said = x.getElementsByTagName("failure")[0].firstChild.data
assert "the incident differs" in said and "why it opened:" in said and "it opened at 1m: " in said, said
EOF

# A character that XML cannot hold.
mkdir odd
cp suite/host.yaml odd
{ echo 'rules: [host.yaml]'; one 'a is down' '"an odd\uFFFE <name> & \"more\""'; } >odd/odd.test.yaml
ends 0 --junit odd.xml odd
python3 -c 'import xml.dom.minidom
x = xml.dom.minidom.parse("odd.xml")
one = x.getElementsByTagName("testcase")[0]
assert one.getAttribute("name") == "an odd <name> & \"more\"", one.getAttribute("name")
assert (one.getAttribute("file"), one.getAttribute("line")) == ("odd/odd.test.yaml", "3"), one.toxml()'

# Nor a byte that is no UTF-8, of a name or of a refused file's line: U+FFFD stands for it.
mkdir raw
cp suite/host.yaml raw
{ echo 'rules: [host.yaml]'; one 'a is down' 'a name of bytes'; } >"$(printf 'raw/g\xff.test.yaml')"
printf 'tests: "\xff"\n' >raw/a.test.yaml
ends 65 --json --junit raw.xml raw
python3 - <<'EOF'
import json, xml.dom.minidom
d = json.load(open("out", encoding="utf-8"))
assert d["files_refused"] == 1, d
bad = [t for t in d["tests"] if "trouble" in t]
assert len(bad) == 1 and bad[0]["file"] == "raw/a.test.yaml" and "0xff" in bad[0]["trouble"], d
assert [t["file"] for t in d["tests"] if t["passed"]] == ["raw/g\ufffd.test.yaml"], d
files = [t.getAttribute("classname") for t in xml.dom.minidom.parse("raw.xml").getElementsByTagName("testcase")]
assert files == ["raw/a.test.yaml", "raw/g\ufffd.test.yaml"], files
EOF

# What is wrong with a file is told with its place, and the other files run.
mkdir wrong
cp suite/host.yaml suite/host.test.yaml wrong
printf 'tests:\n  - name: t\n    event: []\n' >wrong/a.test.yaml
ends 65 wrong
said 'wrong/a.test.yaml:3:5: a test has no key "event"; did you mean "events"\?' err
said '1 passed, 0 failed, 1 file refused' out
ends 66 nothing.test.yaml
said 'nothing.test.yaml: No such file' err
ends 66 linux-host
said 'linux-host: there is no file, folder or shipped pack of this name; did you mean "linux-hosts"\?' err
ends 66 quite-another
said 'quite-another: there is no file, folder or shipped pack of this name$' err
mkdir alone
cp suite/host.test.yaml alone/orphan.test.yaml
ends 78 alone/orphan.test.yaml
said 'alone/orphan.test.yaml has no `rules`, so its rules are alone/orphan.yaml: alone/orphan.yaml: No such file' err
mkdir empty
ends 66 empty
said 'there is no \*.test.yaml file' err
rm wrong/a.test.yaml
echo 'rules: 5' >wrong/host.yaml
ends 78 wrong
said 'host.yaml:1:8: rules takes a list' err
ends 64 --no-such
ends 74 --junit /nowhere/x.xml suite/host.test.yaml

# A shipped pack's tests go by its name.
ends 0 demo

# What the manual shows passes.
mkdir manual
awk '/^```yaml/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > "manual/" n ".test.yaml" }' \
    "$TOCSIN_TREE/docs/testing-rules.md"
ends 0 --rules storage manual/1.test.yaml
ends 0 --rules demo manual/2.test.yaml
ends 0 --rules demo manual/3.test.yaml
ends 0 --rules demo manual/4.test.yaml
[[ ! -e manual/5.test.yaml ]] || fail "an example that nobody runs"

# A source that lingers mutes a target that ends after it; one that does not lets it be told.
mkdir linger
awk '/^```yaml/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > "linger/" n ".yaml" }' \
    "$TOCSIN_TREE/docs/muting.md"
lingers=$(grep -lx '  - id: host-down' linger/*.yaml) || fail "the manual of mutes has no source that lingers"
cat >linger/a.test.yaml <<'YAML'
sinks: [{name: pager, type: webhook}]
tests:
  - name: a service that is back half a minute after its host
    events:
      - {at: 0s, resource: db1, check: ping, severity: critical}
      - {at: 10s, resource: db1, check: http, severity: critical}
      - {at: 2m, resource: db1, check: ping, clear: true}
      - {at: 2m30s, resource: db1, check: http, clear: true}
    expect:
      - {rule: host-down, opened: 0s, closed: {at: 4m, cause: quiet}}
      - {rule: service-down, opened: 10s, closed: 2m30s, muted_by: {contains: inhibit by-its-host}, updates: [], sent: {pager: []}}
YAML
ends 0 --rules "$lingers" linger/a.test.yaml
sed 's/close: quiet(2m) .*/close: cleared()/' "$lingers" >linger/hasty.yaml
sed -i -e 's/at: 4m, cause: quiet/at: 2m, cause: cleared/' \
    -e 's/updates: \[\], .*/updates: [{at: 2m, cause: unmuted}]}/' linger/a.test.yaml
ends 0 --rules linger/hasty.yaml linger/a.test.yaml

# So do the worked examples of the manual of rules, taken from its text.
mkdir examples
awk '/^```yaml/ { n++; inside = 1; next } /^```/ { inside = 0 } inside { print > "examples/" n ".yaml" }' \
    "$TOCSIN_TREE/docs/rules.md"
examples=()
while read -r id; do
    examples+=(--rules "$(grep -lx "  - id: $id" examples/*.yaml)") || fail "the manual has no $id"
done < <(sed -n 's/^  - id: //p' "$TOCSIN_TREE/tests/rule_tests/manual.yaml")
[[ ${#examples[@]} == 16 ]] || fail "not the eight examples: ${examples[*]}"
ends 0 "${examples[@]}" "$TOCSIN_TREE/tests/rule_tests/manual.test.yaml"

# A rule that opens incidents by the clock alone does not take the memory of the machine: the test fails, and
# the others of the call are run.
cat >clock.test.yaml <<'EOF'
rules: [clock.yaml]
tests:
  - {name: too many, events: [{at: 0s, resource: a, check: alive}], until: 400s, others: allowed, expect: []}
  - {name: fewer, events: [{at: 0s, resource: a, check: alive}], until: 1s, others: allowed, expect: []}
EOF
cat >clock.yaml <<'EOF'
rules:
  - id: e
    where: check == "alive"
    by: [host]
    expect: {every: 1ms, keys: [{host: a}, {host: b}]}
    incident: {title: t}
    close: quiet(1ms)
EOF
ends 1 --junit clock.xml clock.test.yaml
said 'clock.test.yaml:3:5: the changes of its incidents, .* take more than the 256 MiB that a test may have' out
said '^2 tests in 1 file: 1 passed, 1 failed' out
grep -q '<error message="the changes of its incidents' clock.xml || fail "the report: $(cat clock.xml)"
