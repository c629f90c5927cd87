# Aim: a replay gives the same incident log and ledger however it is run, and says clearly what it
# cannot read. Method: a synthetic stream; every pair of runs is compared byte for byte.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
"$TOCSIN" generate --seed 7 --rate 500 --duration 60s --quiet --output events.json
run() { # NAME ARGUMENTS
    local name=$1
    shift
    "$TOCSIN" replay --incidents "$name.incidents" --ledger "$name.ledger" --json "$@" 2>"$name.log" ||
        fail "$name: exit code $?: $(cat "$name.log")"
}
run one --workers 1 events.json
grep -q '"change":"opened"' one.incidents || fail "no incident: nothing is compared"
for workers in 1 2 3 8; do
    for take in 1 7 65536; do
        run again --workers $workers --take $take --epoch $((workers > 2 ? 200 : 1))ms --shuffle $take events.json
        cmp one.incidents again.incidents || fail "$workers workers, take $take: other incidents"
        cmp one.ledger again.ledger || fail "$workers workers, take $take: another ledger"
    done
done
"$TOCSIN" replay --quiet --ledger off - <events.json 2>stdin.log | cmp - one.incidents || fail "standard input"
python3 -c '
import json
d = json.load(open("one.ledger"))
e = d["events"]
lines = sum(1 for _ in open("events.json"))
assert d["input"]["records"] == lines == e["events"], (d["input"], lines)
assert e["events"] == sum(v for k, v in e.items() if k.startswith("rejected")) + e["dropped"] + e["duplicate"] + e["unmatched"] + e["routed"]
opened = sum(1 for l in open("one.incidents") if "\"change\":\"opened\"" in l)
assert d["incidents"]["opened"] == opened'
grep -q '^note: no rules are named: these are incidents of the shipped pack demo; --rules names others$' one.log ||
    fail "it does not say whose rules they are: $(cat one.log)"

# Two files are two partitions; the order in which they are read does not show.
awk 'NR % 2' events.json >a.json
awk 'NR % 2 == 0' events.json >b.json
run two a.json b.json
run two_again --workers 2 --shuffle 3 a.json b.json
cmp two.incidents two_again.incidents || fail "two files: other incidents"

# A file of another form is told in words.
printf '{"a":1}\n{"b":2}\n' >other_form.json
code=0
"$TOCSIN" replay --quiet --ledger off other_form.json >out 2>err || code=$?
[[ $code == 65 ]] || fail "exit code $code: $(cat err)"
grep -q '^nothing was replayed: every record, 2 of them, was rejected; docs/events.md says what a record looks like$' err || fail "$(cat err)"
printf '# ours\nrules:\n  - id: a\n' >ours.yaml
code=0
"$TOCSIN" replay --quiet --ledger off ours.yaml >out 2>err || code=$?
[[ $code == 65 ]] || fail "exit code $code: $(cat err)"
grep -q '^nothing was replayed: every record, 3 of them, was rejected; ours.yaml is a rule file: give it with --rules$' err || fail "$(cat err)"
{ cat other_form.json; head -1 events.json; } >mixed_form.json
"$TOCSIN" replay --quiet --ledger off mixed_form.json >out 2>err || fail "exit code $?: $(cat err)"
if grep -q 'nothing was replayed' err; then fail "one record was replayed"; fi

# What nothing dates is dated by its file, so that two replays are equal, and a note says so.
printf '{"resource":"h%d","check":"down","severity":"critical","ts":%d}\n' 1 1 2 2 3 3 >undated.json
printf 'rules:\n  - id: each\n    where: check == "down"\n    by: [resource]\n    window: 1m\n    when: count() >= 1\n    incident: {title: t}\n    close: cleared()\n' >each.yaml
touch -d 2026-01-05T07:00:00Z undated.json
"$TOCSIN" replay --quiet --ledger off --rules each.yaml undated.json >out 2>err || fail "exit code $?: $(cat err)"
if grep -q 'no rules are named' err; then fail "rules are named: $(cat err)"; fi
echo 'rules: [each.yaml]' >named.yaml
"$TOCSIN" replay --quiet --ledger off --config named.yaml undated.json 2>&1 >out | grep 'no rules are named' >/dev/null && fail "the configuration names rules"
[[ $(grep -c '"at":1767596400000,"change":"opened"' out) == 3 ]] || fail "dated otherwise: $(cat out)"
grep -q '^note: 3 records have no time, .* the first as of the last change of the file, 2026-01-05T07:00:00' err || fail "$(cat err)"
"$TOCSIN" diff --quiet --rules each.yaml --rules each.yaml undated.json >out 2>err || fail "differs from itself: $(cat out err)"
grep -q '^note: 3 records have no time' err || fail "$(cat err)"
"$TOCSIN" diff --quiet --json --rules each.yaml --rules each.yaml undated.json 2>err | grep '"undated": *3' >/dev/null || fail "no count in --json"
"$TOCSIN" whynot --rules each.yaml events/0/0 undated.json >out 2>err || true
grep -q '3 records have no time' out || fail "whynot says nothing: $(cat out err)"
if "$TOCSIN" replay --ledger off events.json 2>&1 >out | grep 'no time' >/dev/null; then fail "these have times"; fi

# For people: each incident as it was at its end, and sums. h1 comes back after 20 minutes, h2 does not, and is muted
# for five minutes from before it opened; what a terminal would obey is shown as a question mark.
cat >list.yaml <<'YAML'
rules:
  - id: each
    where: check == "down"
    by: [resource]
    window: 1m
    when: count() >= 1
    incident: {title: "{resource}: {message}", priority: P2}
    close: cleared()
  - {id: never, where: check == "up", by: [resource], window: 1m, when: count() >= 1, incident: {title: t}, close: cleared()}
silences:
  - {id: deploy, where: resource == "h2", from: "2026-01-05T07:00:00Z", to: "2026-01-05T07:05:10Z"}
YAML
down() { # MINUTE HOST STATE
    printf '{"resource":"%s","check":"down","severity":"critical","state":"%s","time":"2026-01-05T07:%s:10Z","message":"no\\u001b[2J\\u009b answer"}\n' "$2" "$3" "$1"
}
{ down 00 h1 problem; down 01 h2 problem; for m in 04 08 12 16; do down $m h1 problem; down $m h2 problem; done; down 20 h1 clear; down 20 h2 problem; } >list.json
"$TOCSIN" replay --quiet --list --ledger list.ledger --incidents list.log --rules list.yaml list.json >out 2>err || fail "exit code $?: $(cat err)"
mapfile -t ids < <(grep '"change":"opened"' list.log | grep -o '"incident":"[0-9a-f]*' | cut -d'"' -f4 | cut -c1-8)
cat >expected <<TEXT
2026-01-05T07:00:10.000Z  ${ids[0]}  P2  each: h1: no?[2J? answer
  tenant=default resource=h1; critical; 1 alert; closed after 20m, cleared
2026-01-05T07:01:10.000Z  ${ids[1]}  P2  each: h2: no?[2J? answer
  tenant=default resource=h2; critical; 1 alert; open at the end; muted by silence deploy until 2026-01-05T07:05:10.000Z
2 incidents, 1 of them open at the end; 1 opened muted; P2 2
  each                               2, 1 open at the end
TEXT
cmp out expected || fail "listed otherwise: $(cat out)"
file_has list.ledger '^incidents +opened +2$' || fail "no ledger beside the list"
"$TOCSIN" replay --quiet --ledger off --rules list.yaml list.json 2>/dev/null | cmp - list.log || fail "the log is another without a list"
# At a terminal it is the list, unless the log is asked for.
at_terminal() { python3 -c 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)' "$TOCSIN" replay --quiet --ledger off "$@" </dev/null | tr -d '\r'; }
at_terminal --rules list.yaml list.json >out || fail "exit code $?: $(cat out)"
tail -n 6 out | cmp - expected || fail "at a terminal: $(cat out)"
head -1 list.json | sed 's/["\\]/\\&/g; s/.*/{"topic":"t","partition":0,"offset":0,"log_time":1767596410000,"payload":"&"}/' >begin.tlog
for more in "--incidents - --rules list.yaml list.json" "--json --rules list.yaml list.json" "--pace 1000x --rules list.yaml begin.tlog"; do
    at_terminal $more >out || fail "$more: exit code $?: $(cat out)"
    tail -n 1 out | grep -q '^{"at":' || fail "$more: $(cat out)"
done
code=0
"$TOCSIN" replay --quiet --list --ledger off --rules list.yaml list.json 2>err >/dev/full || code=$?
[[ $code == 74 ]] || fail "a list that cannot be written: exit code $code: $(cat err)"
# No more than 10,000 are held.
seq 10001 | sed 's/.*/{"resource":"r&","check":"down","severity":"major","time":"2026-01-05T07:00:00Z"}/' >many.json
"$TOCSIN" replay --quiet --list --ledger off --rules list.yaml many.json 2>err >out || fail "exit code $?: $(cat err)"
[[ $(grep -c '^2026' out) == 10000 ]] || fail "$(grep -c '^2026' out) of 10,001 are listed"
[[ $(tail -n 3 out) == 'and 1 more; the incident log has all of them
10001 incidents, 10001 of them open at the end; P2 10001
  each                               10001, 10001 open at the end' ]] || fail "$(tail -n 3 out)"

# Marks of a run that began to read behind the input's first record.
marked() { # OFFSET OF ITS JOIN, OPTIONS
    printf '{"mark":"join","topic":"events","partition":0,"offset":%d,"value":1767596400000}\n' "$1" >late.marks
    "$TOCSIN" replay --quiet --ledger off --incidents off --rules list.yaml --marks late.marks "${@:2}" list.json 2>err || fail "exit code $?: $(cat err)"
}
marked 2
grep -q '^note: the run read events/0 from offset 2 on, and the input has it from 0 on: results differ by what these bring; --from offset:N leaves them out$' err || fail "no note: $(cat err)"
marked 0
if grep -q 'the run read' err; then fail "a note for nothing: $(cat err)"; fi
marked 2 --from offset:2
if grep -q 'the run read' err; then fail "a note for nothing: $(cat err)"; fi

refused() { # CODE PATTERN ARGUMENTS
    local code=0 wanted=$1 pattern=$2
    shift 2
    "$TOCSIN" replay "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "$*: exit code $code instead of $wanted: $(cat err)"
    grep -qE "$pattern" err || fail "$*: no sentence like $pattern: $(cat err)"
}
echo '{"topic":' >broken.tlog
refused 66 'nothing.json.*No such file' nothing.json
refused 65 'broken.tlog:1' broken.tlog
refused 65 'different forms' events.json broken.tlog
refused 78 'no.yaml.*No such file' --rules no.yaml events.json
refused 64 '^--list and --incidents - are both for standard output; name a file for the log$' --list --incidents - events.json
refused 64 'does not divide' --epoch 30ms events.json
refused 64 'an argument is missing'
refused 74 '/dev/full cannot be written' --incidents /dev/full events.json
