# Aim (C7, C8, C11): a data directory belongs to one process, goes on under the rules it was made by,
# and what is not what it was is refused with a sentence and the code of its kind, and told to the
# sinks where the input gives something else. Method: one directory, through a few lives.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]}'
start_broker events:2
one_rule() {
    echo 'rules:'
    rule first "$1"
}
one_rule alpha >rules.yaml
config() {
    write_config <<TEXT
rules: [rules.yaml]
data: {dir: data}
outbox: {flush: 5s}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true"}}
TEXT
}
refused() { # CODE PATTERN: a start ends by itself, and says why
    code=0
    timeout 30 "$TOCSIN" run --config tocsin.yaml 2>second.log || code=$?
    [[ $code == "$1" ]] || fail "exit code $code instead of $1: $(cat second.log)"
    file_has second.log "$2" || fail "it does not say '$2': $(cat second.log)"
}

config
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
wait_for "the open is told" file_has hook.log '^open first .*host=h1$'
refused 73 "another tocsin uses this directory: process $daemon"
one_rule beta >rules.yaml
kill -HUP "$daemon"
wait_for "other rules are refused" file_has run.log 'event=reload_refused .*rules stay as they were'
one_rule alpha >rules.yaml
kill -HUP "$daemon"
wait_for "the same are not" file_has run.log 'event=reloaded'
kill -KILL "$daemon"
wait "$daemon" || true

# It goes on: the clear of what was opened before resolves it, and the open is not told again.
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered'
event alpha h1 clear | send
wait_for "the end is told" file_has hook.log '^resolve first .*host=h1$'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ $(grep -c '^open' hook.log) == 1 ]] || fail "the open was told again: $(cat hook.log)"
"$TOCSIN" fsck data >fsck || fail "fsck: code $?"
file_has fsck ', 2 changes, 2 ops of which 0 are owed or dead: whole$' || fail "fsck says: $(cat fsck)"
"$TOCSIN" digest --incidents told data >/dev/null
cmp told incidents.log || fail "the incident log is not what the journal says"
[[ $("$TOCSIN" ledger data | python3 -c 'import json, sys; o = json.load(sys.stdin)["ops"]; print(o["all"], o["done"], o["owed"])') == '2 2 0' ]] ||
    fail "the ledger says: $("$TOCSIN" ledger data)"

# Under other rules it does not start.
one_rule beta >rules.yaml
refused 78 'rules or settings are not those under which the journal was written'
one_rule alpha >rules.yaml

# Damage in the middle is named, and nothing is changed.
cp -r data damaged
printf '\xff' | dd of=damaged/journal/0000000000000001.seg bs=1 seek=4200 conv=notrunc status=none
before=$(cat damaged/journal/*.seg | sha256sum)
sed -i 's/dir: data/dir: damaged/' tocsin.yaml
refused 65 'damaged/journal/0000000000000001.seg: byte 4096: frame 1 is damaged'
[[ $(cat damaged/journal/*.seg | sha256sum) == "$before" ]] || fail "a refused directory was changed"
code=0
"$TOCSIN" fsck damaged >fsck 2>&1 || code=$?
[[ $code == 65 ]] || fail "fsck of a damaged directory: code $code"

# Another broker with other events under the same name: the sinks hear that nothing is read.
rm broker.port
start_broker events:2
event alpha h7 problem | send
event alpha h8 problem | send
config
refused 65 'the recovery does not come to what the journal says'
wait_for "the sinks are told" file_has hook.log '^open input-lost'
