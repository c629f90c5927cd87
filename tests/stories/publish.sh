# Aim: `tocsin publish` puts into Kafka what was recorded from it: partitions, keys, log times, payloads,
# tombstones; dates lines of JSON by their events; and says clearly what it cannot do. Method: kcat, as
# an independent client, writes the first topic and reads all of them.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
dir=$(dirname "$TOCSIN_KAFKA_CA")/..
broker=$TOCSIN_KAFKA
new_topic() { # NAME PARTITIONS
    "$TOCSIN_TREE/tests/kafka/kafka" topic "$dir" "$1" "$2" retention.ms=-1
}
read_all() { # TOPIC PARTITION
    kcat -C -q -e -b "$broker" -t "$1" -p "$2" -o beginning -f '%o %T %K/%k %S/%s\n'
}
publish() { # ARGUMENTS
    "$TOCSIN" publish --brokers "$broker" "$@" 2>publish.log || fail "publish $*: $?: $(cat publish.log)"
}
refused() { # CODE PATTERN ARGUMENTS
    local code=0 wanted=$1 pattern=$2
    shift 2
    "$TOCSIN" publish "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "$*: exit code $code instead of $wanted: $(cat err)"
    grep -qE -- "$pattern" err || fail "$*: no sentence like $pattern: $(cat err)"
}
first=$STORY.$$.first second=$STORY.$$.second lines=$STORY.$$.lines
new_topic "$first" 3
new_topic "$second" 3
new_topic "$lines" 2

# A recording: partition 0 has keys and a tombstone, 1 has none, 2 is empty.
{ seq 1 2000 | sed 's/.*/key&|{"n":&}/'; echo 'gone|'; } | kcat -P -b "$broker" -t "$first" -p 0 -K '|' -Z
seq -f '{"n":%g}' 1 700 | kcat -P -b "$broker" -t "$first" -p 1
"$TOCSIN" record --brokers "$broker" --topic "$first" --to latest --output first.trec 2>record.log
publish --topic "$second" first.trec
for p in 0 1 2; do
    read_all "$first" $p >"first.$p"
    read_all "$second" $p >"second.$p"
    cmp "first.$p" "second.$p" || fail "partition $p of the copy differs"
done
[[ $(wc -l <first.0) == 2001 && $(wc -l <first.1) == 700 ]] || fail "kcat read other numbers than it wrote"
file_has first.0 ' -1/$' || fail "there was no tombstone to copy"

# Lines of JSON: the time is that of the first event, else of the line before.
cat >a.json <<'TEXT'
{"resource":"r","check":"c","time":1642213952}
{"resource":"r","check":"c","time":"2022-01-15T02:32:33.250Z"}
{"resource":"r","check":"c"}
[{"resource":"r","check":"c","time":1642213955},{"resource":"r","check":"c","time":1642213959}]
no event
TEXT
echo '{"resource":"r","check":"c","time":1642213953}' >b.json
refused 65 '^tocsin publish: a\.json:5: this line is no JSON: .*; of the lines before it 5 were published; --raw puts lines there as they are$' \
    --brokers "$broker" --topic "$lines" a.json b.json
[[ $(kcat -C -q -e -b "$broker" -t "$lines" -p 0 -o beginning | wc -l) == 4 ]] || fail "the lines before it are not there"
lines=$lines.raw
new_topic "$lines" 2
publish --topic "$lines" --raw a.json b.json
kcat -C -q -e -b "$broker" -t "$lines" -p 0 -o beginning -f '%T\n' >times.0
printf '%s\n' 1642213952000 1642213953250 1642213953250 1642213955000 1642213955000 | cmp - times.0 ||
    fail "other log times: $(cat times.0)"
file_has publish.log '^note: 1 of the lines is no event, the first is a\.json:5: .*; a daemon will reject it$' || fail "$(cat publish.log)"
[[ $(kcat -C -q -e -b "$broker" -t "$lines" -p 1 -o beginning -f '%T %s\n') == "1642213953000 $(cat b.json)" ]] ||
    fail "the second file is not partition 1"

# JSON that is no event is published, and told; what is no line of JSON at all ends it before anything is.
printf '%s\n' '{"resource":"r","check":"c"}' '{"check":"c"}' '{"check":"d"}' >some.json
publish --topic "$lines" some.json
file_has publish.log '^note: 2 of the lines are no events, the first is some\.json:2: .*; a daemon will reject them$' ||
    fail "$(cat publish.log)"
printf 'rules:\n  - id: a\n' >rules.yaml
refused 65 '^tocsin publish: rules\.yaml:1: this line is no JSON: .*; nothing was published; --raw puts lines there as they are$' \
    --brokers "$broker" --topic "$lines" rules.yaml
refused 69 'has 2 partitions, and the input has one of number 2' --brokers "$broker" --topic "$lines" first.trec
refused 66 'nothing.trec.*No such file' --brokers "$broker" --topic "$lines" nothing.trec
refused 64 '--brokers is needed' --topic "$lines" a.json
refused 64 '--set nonsense: a property is written KEY=VALUE' --brokers "$broker" --topic "$lines" --set nonsense a.json
python3 - <<'PY' # a byte of the first packed block of records; its head is 80 bytes long
data = bytearray(open("first.trec", "rb").read())
at = 64
while data[at + 4] != 2:
    at += 80 + int.from_bytes(data[at + 52:at + 56], "little")
data[at + 80 + 20] ^= 1
open("damaged.trec", "wb").write(data)
PY
refused 65 'damaged.trec: byte' --brokers "$broker" --topic "$second" damaged.trec
