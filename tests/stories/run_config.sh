# Aim: a broken configuration, rule file, sink or port is one sentence with its place, exit code 78 or
# 71, and nothing has been started or changed. Method: one broken thing at a time.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
broker=127.0.0.1:1 # nobody listens there, and nobody may ask

refused() { # WHAT CODE PATTERN
    local code=0
    rm -f incidents.log
    "$TOCSIN" run --config tocsin.yaml >out 2>run.log || code=$?
    [[ $code == "$2" ]] || fail "$1: exit code $code instead of $2"
    file_has run.log "$3" || fail "$1: no sentence like $3"
    [[ ! -s out ]] || fail "$1: something on standard output"
    if [[ $2 == 78 ]]; then
        [[ ! -e incidents.log ]] || fail "$1: the incident log was opened"
        # `tocsin check` says the same.
        code=0
        "$TOCSIN" check --config tocsin.yaml >out 2>check.log || code=$?
        [[ $code == 78 ]] || fail "$1: check: exit code $code"
        cmp run.log check.log || fail "$1: check and run say different things"
    fi
}

write_config <<<'engine: {wrokers: 2}'
refused "unknown key" 78 "^tocsin.yaml:[0-9]+:10: there is no key 'wrokers' here; did you mean 'workers'\?$"
write_config <<<'engine: {workers: 2'
refused "no YAML" 78 '^tocsin.yaml:[0-9]+:[0-9]+: '
write_config <<<'rules: [mine.yaml]'
refused "no rule file" 78 '^tocsin.yaml:[0-9]+:9: rules: mine.yaml: No such file or directory$'
{ echo 'rules:'; rule a alpha | sed 's/check ==/chek ==/'; } >mine.yaml
refused "broken rule" 78 '^mine.yaml:3:12: .*chek'
# Who reads lines of JSON gets one, whatever is wrong, and no word beside it.
write_config <<'TEXT'
log: {format: json}
rules: [mine.yaml]
engine: {wrokers: 2}
TEXT
code=0
"$TOCSIN" run --config tocsin.yaml >out 2>run.log || code=$?
[[ $code == 78 ]] || fail "in JSON: exit code $code"
python3 - <<'PYTHON' || fail "in JSON: $(cat run.log)"
import json
line, = open("run.log").read().splitlines()
line = json.loads(line)
assert line["level"] == "error" and line["event"] == "start_refused" and line["code"] == 78 and "time" in line, line
assert "there is no key 'wrokers' here" in line["why"], line
PYTHON
write_config <<<'rules: [no_such_pack]'
refused "no such pack" 78 "^tocsin.yaml:[0-9]+:9: rules: there is no shipped rule pack 'no_such_pack'; "
write_config <<<'sinks: [{name: a, type: webhok, options: {url: "http://127.0.0.1:1/"}}]'
refused "unknown sink type" 78 '^tocsin.yaml:[0-9]+:[0-9]+: .*webhok'
write_config <<<'sinks: [{name: a, type: webhook, options: {url: "http://127.0.0.1:1/", secret: "env:TOCSIN_NOT_SET"}}]'
code=0
"$TOCSIN" run --config tocsin.yaml >out 2>run.log || code=$?
[[ $code == 78 ]] || fail "secret that is not there: exit code $code"
file_has run.log '^tocsin.yaml:[0-9]+:[0-9]+: secret: .*TOCSIN_NOT_SET is not set$' || fail "secret that is not there: no sentence"
# Who sends nothing needs none.
"$TOCSIN" check --config tocsin.yaml --rules demo >out || fail "check needs secrets"
file_has out '^note: 1 of the secrets .* refuses: secret: .*TOCSIN_NOT_SET is not set$' || fail "check says nothing of the secret"
"$TOCSIN" generate --seed 7 --rate 10 --duration 2s --quiet --output events.json
"$TOCSIN" replay --config tocsin.yaml --rules demo --quiet --ledger off events.json >out || fail "replay needs secrets"
{
    printf 'input:\n  brokers: "127.0.0.1:1"\n  properties: {no.such.property: "1"}\n'
} >tocsin.yaml
refused "unknown Kafka property" 78 '^tocsin.yaml:3:16: input: kafka option no.such.property cannot be set'
for setting in 'sasl.mechanism: FOO' 'security.protocol: pigeon'; do
    printf 'input:\n  brokers: "127.0.0.1:1"\n  properties:\n    %s\n' "$setting" >tocsin.yaml
    key=${setting%%:*}
    refused "$setting" 78 "^tocsin.yaml:4:$((${#key} + 7)): input: kafka option $key: "
done
# Files that cannot be written: no folder, a file in its place, a folder in the file's.
for key in quarantine marks; do
    write_config <<<"$key: {path: none/of/these}"
    refused "$key without a folder" 78 "^tocsin.yaml:[0-9]+:[0-9]+: $key.path: no file can be made in the folder none/of: No such file"
done
write_config </dev/null
sed -i 's|path: incidents.log|path: tocsin.yaml/x|' tocsin.yaml
refused "a file for a folder" 78 '^tocsin.yaml:[0-9]+:[0-9]+: incident_log.path: .*Not a directory$'
write_config <<<'marks: {path: .}'
refused "a folder for a file" 78 '^tocsin.yaml:[0-9]+:[0-9]+: marks.path: . cannot be written: Is a directory$'

# A port that is taken.
write_config </dev/null
python3 -c '
import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen()
open("taken", "w").write("x")
time.sleep(300)' "$admin" &
started+=($!)
wait_for "the port is taken" test -s taken
refused "taken port" 71 "^admin.listen: 127.0.0.1:$admin cannot be listened on: Address already in use$"

# What is right is accepted by check, in both forms.
write_config <<<'rules: [demo]'
"$TOCSIN" check --config tocsin.yaml >out
[[ $(tail -n 1 out) == ok ]] || fail "check does not say ok"
"$TOCSIN" check --config tocsin.yaml --json | python3 -c '
import json, sys
d = json.load(sys.stdin)
assert d["config"]["input.start"] == "earliest", d
assert "host-down" in d["rules"], d'

# What would run, but do nothing, is said.
write_config <<<'rules: [mine.yaml]'
echo 'rules: []' >mine.yaml
"$TOCSIN" check --config tocsin.yaml >out || fail "no rules: refused"
file_has out '^note: there are no rules, so no incident would be opened$' || fail "no rules: no note"
