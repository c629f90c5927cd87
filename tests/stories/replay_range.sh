# Aim: a stretch of recorded events is the same stretch wherever it lies: in a Kafka, in a recording of
# all of it, in a recording of the stretch; and a pace changes when lines come, not which. Method: one
# synthetic stream in a real Kafka (the mock knows no offsets of times); every pair of runs is compared byte for byte.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
broker=$TOCSIN_KAFKA topic=$STORY.$$
"$TOCSIN_TREE/tests/kafka/kafka" topic "$(dirname "$TOCSIN_KAFKA_CA")/.." "$topic" 3 retention.ms=-1
"$TOCSIN" generate --seed 5 --rate 400 --duration 40s --faults 6 --storm-events 500 --brokers "$broker" --topic "$topic" --pace fast \
    --start 2026-02-01T00:00:00Z --quiet
"$TOCSIN" record --brokers "$broker" --topic "$topic" --to latest --output all.trec --quiet

run() { # NAME ARGUMENTS
    local name=$1
    shift
    "$TOCSIN" replay --incidents "$name.incidents" --ledger "$name.ledger" --json "$@" 2>"$name.log" ||
        fail "$name: exit code $?: $(cat "$name.log")"
}
same() { # NAME NAME
    cmp "$1.incidents" "$2.incidents" || fail "$1 and $2: other incidents"
    cmp "$1.ledger" "$2.ledger" || fail "$1 and $2: another ledger"
}
run all all.trec
run topic --brokers "$broker" --topic "$topic"
same all topic
grep -q '"change":"opened"' all.incidents || fail "no incident: nothing is compared"

from=2026-02-01T00:00:12Z to=2026-02-01T00:00:31.500Z
"$TOCSIN" record --brokers "$broker" --topic "$topic" --from $from --to $to --output part.trec --quiet
run part part.trec
run cut --from $from --to $to all.trec
run range --from $from --to $to --brokers "$broker" --topic "$topic"
same part cut
same part range
grep -q '"change":"opened"' part.incidents || fail "no incident in the stretch"
if cmp -s all.incidents part.incidents; then fail "the stretch is the whole"; fi

# The input of the configuration, and offsets.
cat >tocsin.yaml <<TEXT
input: {brokers: "$broker", topics: [{topic: $topic}]}
TEXT
run offsets --from offset:700 --to offset:3000 all.trec
run configured --config tocsin.yaml --from offset:700 --to offset:3000
same offsets configured
python3 - <<'PY'
import json
d = json.load(open("offsets.ledger"))
assert [(p["start"], p["read"], p["gaps"]) for p in d["partitions"]] == [(700, 3000, 0)] * 3, d["partitions"]
part = json.load(open("part.ledger"))["input"]["records"]
whole = json.load(open("all.ledger"))["input"]["records"]
assert 0 < part < whole, (part, whole)
PY
# A file of lines has offsets, the numbers of its lines, and the lines keep them.
for i in 0 1 2 3 4 5 6 7; do
    echo "{\"resource\":\"r$i\",\"check\":\"c\",\"severity\":\"critical\",\"time\":\"2026-02-01T00:00:0$i.000Z\"}"
done >lines.json
run lines --from offset:2 --to offset:5 lines.json
grep -q '"records": 3' lines.ledger || fail "lines 2, 3 and 4: $(cat lines.ledger)"
# They have no log time: that of their first event stands for it, for every command that takes a stretch.
stretch=(--from 2026-02-01T00:00:02Z --to 2026-02-01T00:00:05Z)
run times "${stretch[@]}" lines.json
same lines times
"$TOCSIN" diff --rules demo --rules demo "${stretch[@]}" lines.json >out 2>err || fail "diff: $(cat out err)"
file_has out '^3 events over' || fail "diff of another stretch: $(cat out)"
"$TOCSIN" whynot events/0/5 --rules demo "${stretch[@]}" lines.json >out 2>err || true
file_has out 'in this input, which has 2 to 4$' || fail "whynot of another stretch: $(cat out err)"
# A stretch of nothing says so, and blames no broker.
empty=2026-02-01T00:01:00Z
run nothing --from $empty lines.json
file_has nothing.log "^note: the input has no record from $empty to its end" || fail "replay of nothing: $(cat nothing.log)"
"$TOCSIN" diff --rules demo --rules demo --from $empty --quiet lines.json >out 2>err || fail "diff: $(cat out err)"
file_has err "^note: the input has no record from $empty to its end" || fail "diff of nothing: $(cat out err)"
"$TOCSIN" whynot events/0/5 --rules demo --from $empty lines.json >out 2>err || true
file_has out 'the input is empty: the files have no record of that stretch$' || fail "whynot of nothing: $(cat out err)"

# Paced: nothing else comes out, and not before its time. 19.5 s at 20x are 0.97 s; with a slow machine more.
begin=$(date +%s%N)
run paced --pace 20x --from $from --to $to all.trec
took=$((($(date +%s%N) - begin) / 1000000))
same part paced
[[ $took -ge 950 ]] || fail "19 s of log time at 20x took $took ms"
run progress --progress --pace 20x --from $from --to $to all.trec
file_has progress.log '^[0-9]+ of [0-9]+ records, [0-9]+ %' || fail "no progress: $(cat progress.log)"
if file_has paced.log 'records,'; then fail "progress without a terminal that nobody asked for"; fi

refused() { # CODE PATTERN ARGUMENTS
    local code=0 wanted=$1 pattern=$2
    shift 2
    "$TOCSIN" replay "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "$*: exit code $code instead of $wanted: $(cat err)"
    grep -qE -- "$pattern" err || fail "$*: no sentence like $pattern: $(cat err)"
}
refused 64 '--to offset:3 is not after --from offset:3' --from offset:3 --to offset:3 all.trec
refused 64 '--from yesterday: it is earliest, offset:N or a time' --from yesterday all.trec
refused 64 '--pace 0x: a pace is written like' --pace 0x all.trec
refused 64 'is not after --from' --from 2026-02-01T00:00:03Z --to 2026-02-01T00:00:02Z lines.json
refused 65 'goes by log times' --pace 1x lines.json
refused 64 'one or the other' --brokers "$broker" all.trec
refused 64 'an argument is missing'
