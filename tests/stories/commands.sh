# Aim: whoever mistypes something at the prompt gets one clear sentence and the exit code of that kind
# of mistake, whatever the command. Method: a mistake per line, each with the code and the beginning of
# what is said; then every command that prints, with its standard output on a full device.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
cat >rules.yaml <<'EOF'
rules:
  - id: down
    where: check == "down"
    by: [host]
    window: 1m
    when: count() >= 1
    incident: {title: "{host} is down"}
    close: cleared()
EOF
cat >rack.yaml <<'EOF'
rules:
  - {id: rack-down, where: check == "down", by: [host, labels.rack], window: 1m, when: count() >= 1, incident: {title: t}, close: cleared()}
  - {id: site-down, where: check == "down", by: [labels.site], window: 1m, when: count() >= 1, incident: {title: t}, close: cleared()}
  - {id: unit-down, where: check == "down", by: [host, labels.unit], window: 1m, when: count() >= 1, incident: {title: t}, close: cleared()}
EOF
cat >rules.test.yaml <<'EOF'
tests:
  - name: a host goes down
    events: [{at: 1m, resource: a, check: down}]
    expect: [{rule: down}]
EOF
printf '{"time":"2026-01-01T00:00:00Z","resource":"a","check":"down","severity":"major"}\n' >one.jsonl
mkdir folder
head -c 4096 /dev/zero >zeros.trec
printf 'sinks:\n  - {name: a, type: pagerdut}\n' >type.yaml
printf 'sinks:\n  - {name: a, type: webhook, options: {urll: "http://a/"}}\n' >option.yaml
# A silence and rules in such number that looking at each pair would take longer than people wait.
{
    echo 'rules:'
    for i in {1..5001}; do
        echo "  - {id: r$i, where: check == \"c$i\", window: 1m, when: count() > 1, incident: {title: t}, close: cleared()}"
    done
    echo 'silences:'
    for i in {1..1000}; do echo "  - {id: s$i, where: rule == \"none\", to: 2999-01-01T00:00:00Z}"; done
} >many.yaml

ends() { # CODE BEGINNING ARGUMENTS: how it ends and what it says first on standard error
    local code=0 wanted=$1 says=$2
    shift 2
    timeout 100 "$TOCSIN" "$@" >out 2>err || code=$?
    [[ $code == "$wanted" ]] || fail "$*: exit code $code instead of $wanted: $(head -c 600 out err)"
    [[ $(cat err) == "$says"* ]] || fail "$*: does not begin with '$says': $(head -c 600 err)"
}

# an instruction set
TOCSIN_ISA=fastest ends 64 'tocsin: TOCSIN_ISA: no instruction set is named "fastest"; what this processor has is ' check --rules rules.yaml
foreign=neon
[[ $(uname -m) == aarch64 ]] && foreign=avx2
TOCSIN_ISA=$foreign ends 64 "tocsin: TOCSIN_ISA: this processor has no $foreign; what it has is " --version
TOCSIN_ISA=scalar ends 0 "" --version
[[ $(sed -n 2p out) == "instruction set scalar; what this processor has: "*scalar ]] || fail "--version says: $(cat out)"
TOCSIN_ISA='' ends 0 "" --version
[[ $(sed -n 2p out) =~ ^'instruction set '([a-z0-9]+)'; what this processor has: '([a-z0-9]+), && ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" ]] ||
    fail "--version does not name the largest: $(cat out)"

# names
ends 64 "tocsin: unknown command '--verison'; did you mean '--version'?" --verison
ends 64 "tocsin: unknown command 'tset'; did you mean 'test'?" tset
ends 78 "there is no shipped rule pack 'storge'; did you mean \"storage\"?" check --rules storge
ends 78 "there is no shipped rule pack 'runing'; did you mean \"running\"?" check --rules rules.yaml --against runing
ends 64 'tocsin broker: unknown option --port; did you mean --port-file?' broker --port 9092
ends 78 "there is no shipped rule pack 'folder'; what has this name here is written ./folder" check --rules folder
ends 78 "there is no shipped rule pack 'xyzzy'; a file is written with its folder or ending, like ./xyzzy.yaml" check --rules xyzzy
ends 78 'type.yaml:2:21: sink a: unknown type "pagerdut"; there are: pagerduty, servicenow, webhook, zendesk; did you mean "pagerduty"?' check --config type.yaml
ends 78 'option.yaml:2:40: sink a: unknown option "urll"; a webhook sink has: url,' check --config option.yaml
# a data directory: looked into, and nothing is made
mkdir photos && touch photos/cat.jpg && mkdir empty
echo 'data: {dir: photos}' >photos.yaml
echo 'data: {dir: ~/data/}' >home.yaml
echo 'data: {dir: one.jsonl}' >file.yaml
echo 'data: {dir: empty}' >empty.yaml
echo 'data: {dir: fresh}' >fresh.yaml
for command in check run; do
    ends 78 'photos.yaml:1:13: data.dir: photos: holds cat.jpg and no FORMAT, so it is not the directory of a tocsin; give it an empty one' $command --config photos.yaml
    ends 78 'home.yaml:1:13: data.dir: no directory can be made in the folder ~: No such file or directory' $command --config home.yaml
    ends 78 'file.yaml:1:13: data.dir: one.jsonl: the data directory cannot be read: Not a directory' $command --config file.yaml
done
ends 0 '' check --config empty.yaml
ends 0 '' check --config fresh.yaml
[[ ! -e fresh && -z $(ls empty) ]] || fail "check made a data directory"

ends 78 'option.yaml:2:40: sink a: unknown option "urll"; a webhook sink has: url,' check --config option.yaml
grep -q '; did you mean "url"?' err || fail "no nearest option: $(cat err)"
ends 64 'tocsin whynot: there is no rule "donw"; did you mean "down"?' whynot --rules rules.yaml --rule donw host=a one.jsonl

ends 64 'tocsin whynot: no rule counts by these names: "hst=a"; did you mean "host"?' whynot --rules rules.yaml hst=a one.jsonl
ends 64 'tocsin whynot: no rule counts by these names: "host=a"; rule rack-down counts by tenant, host and labels.rack (and 1 more by one of them)' whynot --rules rack.yaml host=a one.jsonl
ends 64 'tocsin whynot: no rule counts by these names: "host=a rack=b"; did you mean "labels.rack"?' whynot --rules rack.yaml "host=a rack=b" one.jsonl

# a repeat of an alert whose window lacks some: that it does not count is said where it bites
sed 's/>= 1/>= 2/' rules.yaml >twice.yaml
cat one.jsonl one.jsonl >two.jsonl
ends 0 '' whynot events/0/1 --rules twice.yaml two.jsonl
grep -q 'count() 1 of 2 .*; repeats do not count for this rule, as they would with on: events$' out || fail "nothing about repeats: $(cat out)"
ends 0 '' whynot events/0/1 --rules rules.yaml two.jsonl
grep -q 'repeats do not' out && fail "a rule that opened lacks none: $(cat out)"
ends 64 "tocsin import: --from: 'sigm' is not one of: auto sigma alertmanager; did you mean \"sigma\"?" import --from sigm rules.yaml

# addresses, numbers and shares
ends 64 "'nowhere' is not an address: write it like 127.0.0.1:9099" check --rules rules.yaml --against running --admin nowhere
ends 64 "tocsin redrive: 'nowhere' is not an address: write it like 127.0.0.1:9099" redrive --list --admin nowhere
ends 64 "tocsin publish: --brokers: the port '70000' is no number from 1 to 65535" publish --brokers a:70000 one.jsonl
ends 64 'tocsin replay: --round: 0s is out of range, it must be from 1ms to 1m' replay --round 0s one.jsonl
ends 64 "tocsin receive: --fail: '2' is not a share: a number from 0 to 1" receive --fail 2
ends 64 "tocsin demo: --fail: 'half' is not a share: a number from 0 to 1" demo --fail half

# what is no input: a folder cannot be read, a file of something else is wrong
ends 66 'folder: Is a directory' replay --rules rules.yaml folder
ends 66 'folder: Is a directory' diff --rules rules.yaml --rules rules.yaml folder
ends 66 'tocsin why: folder: Is a directory' why --rules rules.yaml ab folder
ends 66 'tocsin publish: folder: Is a directory' publish --brokers 127.0.0.1:1 folder
ends 65 'zeros.trec: byte 0: this is no recording' replay --rules rules.yaml zeros.trec
ends 65 'zeros.trec: byte 0: this is no recording' diff --rules rules.yaml --rules rules.yaml zeros.trec
ends 65 'tocsin publish: zeros.trec: byte 0: this is no recording' publish --brokers 127.0.0.1:1 zeros.trec
ends 66 'nowhere: the data directory cannot be read: No such file or directory' fsck nowhere
ends 66 'folder: holds no data of a tocsin' ledger folder
ends 64 'tocsin digest: ' digest
ends 69 'tocsin record: ' record --brokers 127.0.0.1:1 --topic t --output new.trec --for 100ms
[[ ! -e new.trec ]] || fail "a recording of nothing was left behind"

# What has no end of its own says so, and how far it is where that is asked for.
"$TOCSIN" record --brokers 127.0.0.1:1 --topic t --output new.trec --progress 2>said &
recorder=$!
for ((i = 0; i < 300; i++)); do
    grep -q '^0 records, ' said && break
    sleep 0.1
done
kill -TERM "$recorder"
wait "$recorder" || fail "record: code $?: $(cat said)"
grep -q '^recording t into new.trec until interrupted; with --to latest it ends at what is there now$' said &&
    grep -q '^0 records, ' said || fail "record says: $(cat said)"
rm new.trec

# As many partitions as an engine takes, and one more.
for i in {1..4095}; do echo "{\"topic\":\"t\",\"partition\":$i,\"offset\":0,\"payload\":\"{}\"}"; done >parts.tlog
ends 65 '' replay --quiet --ledger off --incidents off --rules rules.yaml parts.tlog
grep -q '^nothing was replayed: every record, 4095 of them, was rejected; ' err || fail "$(cat err)"
echo '{"topic":"t","partition":0}' >>parts.tlog
ends 65 'the input has more than 4095 partitions' replay --rules rules.yaml parts.tlog
ends 65 'the input has more than 4095 partitions' diff --rules rules.yaml --rules rules.yaml parts.tlog

# What a pipe gives once cannot be read twice, and a second reading that finds nothing left looks like
# a run without incidents.
mkfifo pipe
ends 64 'standard input cannot be read twice: name a file' diff --rules rules.yaml --rules rules.yaml -
ends 64 'pipe: this is no regular file, and cannot be read twice' diff --rules rules.yaml --rules rules.yaml pipe
ends 64 'tocsin why: pipe: this is no regular file, and cannot be read twice' why --rules rules.yaml ab pipe
ends 64 'tocsin whynot: pipe: this is no regular file, and cannot be read twice' whynot --rules rules.yaml host=a pipe
ends 66 'pipe: this is no regular file; a pipe is read as -' replay --rules rules.yaml --marks pipe one.jsonl
# A pipe that is read once will do.
cat one.jsonl >pipe &
ends 0 '' replay --quiet --ledger off --rules rules.yaml pipe

# Standard input is read for one thing: two would share its lines by chance, or the second find none.
ends 64 '-: standard input is read for something else already: name a file' replay --rules rules.yaml - - <one.jsonl
ends 64 '-: standard input is read for something else already' replay --rules - - <rules.yaml
ends 78 '-: standard input is read for something else already' check --rules - --rules - <rules.yaml
ends 64 "tocsin why: --since: 9999999d is out of range, it must be from 1ms to 3650d" why --since 9999999d --config type.yaml ab

# What is read is not written over.
not_over() { # FILE ARGUMENTS
    local kept=$1
    shift
    cp "$kept" kept
    ends 64 "$@"
    cmp "$kept" kept || fail "$kept was written over"
}
ln -s one.jsonl link.jsonl
not_over one.jsonl '--incidents one.jsonl is another of the files named here, and is not overwritten' \
    replay --rules rules.yaml --incidents one.jsonl one.jsonl
not_over one.jsonl '--ledger link.jsonl is another of the files' replay --rules rules.yaml --ledger link.jsonl one.jsonl
not_over rules.yaml '--ledger rules.yaml is another of the files' replay --rules rules.yaml --ledger rules.yaml one.jsonl
not_over one.jsonl '--ledger both is another of the files' replay --rules rules.yaml --incidents both --ledger both one.jsonl
not_over rules.test.yaml 'tocsin test: --junit rules.test.yaml is one of the files that are read' test --junit rules.test.yaml rules.test.yaml
ends 0 '' replay --quiet --rules rules.yaml --incidents /dev/null --ledger /dev/null one.jsonl

# Links that lead back to where they lie in are not followed for ever, nor is a test run twice for them.
mkdir -p circle/a && cp rules.yaml rules.test.yaml circle && ln -s . circle/self && ln -s ../../circle circle/a/back
ends 0 '' test circle
grep -q '^1 test in 1 file: 1 passed' out || fail "links in circles: $(cat out)"

# - is standard input, of rules and of tests
ends 0 '' check --rules - <rules.yaml
ends 0 '' test --rules rules.yaml - <rules.test.yaml
# rules/ is the folder rules
mkdir wrong && sed 's/check ==/chek ==/' rules.yaml >wrong/down.yaml
ends 78 'wrong/down.yaml:3:12: there is no field "chek"; did you mean "check"?' check --rules wrong/

# what was not looked at is said
ends 0 '' check --rules many.yaml
grep -q '^note: whether each mute can match anything was not looked at: 1000 mutes beside 5001 rules are too many for that$' out ||
    fail "nothing is said of mutes that were not looked at: $(grep -v '^  r' out | head -c 600)"
grep -q 'can match no incident' out && fail "mutes were looked at all the same"
ends 0 '' check --json --rules many.yaml
grep -q '"mutes_looked_at": false' out || fail "the JSON does not say that mutes were not looked at"

# one is singular
ends 0 'replayed 1 event in ' replay --ledger off --rules rules.yaml --workers 1 one.jsonl
grep -q ' s with 1 worker: ' err || fail "one worker: $(cat err)"
ends 0 '1 test, ' test --progress rules.test.yaml

# Output that cannot be written is not lost in silence.
lost() {
    local code=0
    timeout 100 "$TOCSIN" "$@" >/dev/full 2>err || code=$?
    [[ $code == 74 ]] || fail "$* >/dev/full: exit code $code instead of 74: $(cat err)"
    grep -qE 'cannot be written: No space left on device$|: -: No space left on device$' err || fail "$* >/dev/full says: $(cat err)"
    [[ $(grep -c 'No space' err) == 1 ]] || fail "$* >/dev/full is told twice: $(cat err)"
}
lost check --rules rules.yaml
lost check --json --rules rules.yaml
lost check --rules rules.yaml --against rules.yaml
lost check --keys
lost test rules.test.yaml
lost test --json rules.test.yaml
lost test --junit - rules.test.yaml
lost replay --quiet --ledger off --rules rules.yaml one.jsonl
lost replay --quiet --incidents off --ledger - --rules rules.yaml one.jsonl
lost diff --quiet --rules rules.yaml --rules rules.yaml one.jsonl
lost whynot --rules rules.yaml events/0/0 one.jsonl
lost generate --quiet --duration 1s --rate 10
lost --help
lost --version
lost why --help
# Nor is it where it was closed: the first file that is opened does not take its place.
closed() {
    local code=0
    timeout 100 "$TOCSIN" "$@" >&- 2>err || code=$?
    [[ $code == 74 ]] || fail "$* >&-: exit code $code instead of 74: $(cat err)"
    grep -q 'standard output cannot be written: Bad file descriptor$' err || fail "$* >&- says: $(cat err)"
}
closed --help
closed replay --quiet --ledger off --rules rules.yaml one.jsonl
closed replay --quiet --incidents off --ledger - --rules rules.yaml one.jsonl
closed test rules.test.yaml
ends 0 '' replay --quiet --ledger off --rules rules.yaml --incidents log one.jsonl
code=0
"$TOCSIN" replay --quiet --ledger off --rules rules.yaml --incidents log.closed one.jsonl <&- >&- 2>&- || code=$?
[[ $code == 0 ]] && cmp log log.closed || fail "with all of them closed: exit code $code"
