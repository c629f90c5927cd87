# Aim (X5): settings that change between two runs on one data directory take effect behind what was
# told, and never within it: a sink that is added hears of what opens from then on, one that is taken
# away of nothing more, and every recovery comes to what the journal says. Method: one directory
# through four lives under three configurations, one of them killed.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{path} {body[op][kind]} {body[incident][key]}'
start_broker events:2
{
    echo 'rules:'
    rule first alpha | sed 's/priority: P1/priority: P3/'
} >rules.yaml
config() { # TOPICS SINK[, KEY: VALUE]...
    write_config <<TEXT
input.topics: $1
rules: [rules.yaml]
data: {dir: data}
outbox: {flush: 5s}
sinks:
TEXT
    for sink in "${@:2}"; do
        echo "  - {name: $sink, type: webhook, options: {url: \"http://$hook/${sink%%,*}\", idempotent: \"true\"}}"
    done >>tocsin.yaml
}
heard() { # LINE: is in hook.log; more than once where a kill came before its end was written down
    file_has hook.log "^$1\$"
}
ends_well() {
    kill -TERM "$daemon"
    wait_end "$daemon"
    [[ $code == 0 ]] || fail "exit code $code"
}

events='{topic: events, disorder: 20ms}'
config "[$events]" one
start_daemon
event alpha h1 problem | send
wait_for "one hears of h1" heard '/one open .*host=h1'
ends_well

# A line that was cut off, before any was whole, is gone on with, and so are all behind it.
head -c 40 incidents.log >cut.log
mv cut.log incidents.log

# A sink, a topic, and how far behind the others a partition may be.
config "[$events, {topic: more}]" zero one two
sed -i 's/^admin:/engine: {behind: 6s}\n&/' tocsin.yaml
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
file_has run.log 'event=incident_log_mended .*lines=2' || fail "the incident log was not mended"
file_has run.log 'event=settings_switched ' || fail "the switch is not told of"
event alpha h2 problem | send
for sink in zero one two; do
    wait_for "$sink hears of h2" heard "/$sink open .*host=h2"
done
event alpha h1 clear | send
wait_for "one hears of the end of h1" heard '/one resolve .*host=h1'
kill -KILL "$daemon"
wait "$daemon" || true

start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
! file_has run.log 'event=settings_switched ' || fail "the same settings were switched to"
ends_well

# One is taken away, and two takes nothing less urgent than P2 any more.
config "[$events, {topic: more}]" zero "two, priority: P2"
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
event alpha h2 clear | send
event alpha h3 problem | send
for sink in zero two; do
    wait_for "$sink hears of the end of h2" heard "/$sink resolve .*host=h2"
done
wait_for "zero hears of h3" heard '/zero open .*host=h3'
ends_well
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
ends_well
"$TOCSIN" digest --incidents told data >/dev/null
cmp told incidents.log || fail "the incident log is not what the journal says"
[[ $(sort -u hook.log | wc -l) == 8 ]] || fail "something else was told: $(cat hook.log)"

# How records are read, and when alerts are over: `check` says so beforehand, a start switches to it
# behind what was told, and whatever comes after goes on from there.
event_of_nobody() { # HOST
    event alpha "$1" problem | sed 's/"tenant":"acme",//' | send
}
settings() { # EXPIRE TENANT
    events="{topic: events, disorder: 40ms, tenant: $2}"
    config "[$events, {topic: more}]" zero "two, priority: P2"
    sed -i "s/^admin:/engine: {expire: $1, past: 12h}\n&/" tocsin.yaml
}
start_daemon
event_of_nobody h4
wait_for "zero hears of h4" heard '/zero open .*tenant=default.host=h4'
kill -KILL "$daemon"
wait "$daemon" || true
settings 6m beta
"$TOCSIN" check --config tocsin.yaml >check.log 2>&1 || fail "check: $(cat check.log)"
for change in 'then "engine.expire 5m", now "engine.expire 6m"' \
    'then "engine.past 1d", now "engine.past 12h"' 'tenant default, .* now "input.topics events: .*tenant beta'; do
    file_has check.log "note: a start switches behind what was told: .*$change" ||
        fail "check does not say $change: $(cat check.log)"
done
! file_has check.log 'over at once' || fail "a longer time takes nothing: $(cat check.log)"
# What a shorter one takes, without numbers: of a daemon that does not run there are none.
settings 2m beta
"$TOCSIN" check --config tocsin.yaml >check.log 2>&1 || fail "check: $(cat check.log)"
file_has check.log '^note: by engine.expire 2m an alert of which nothing was heard for 2m is over at once: of open incidents those' ||
    fail "check does not say what engine.expire takes: $(cat check.log)"
settings 6m beta
start_daemon
wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
file_has run.log 'event=settings_switched .*what="then .*engine.expire 5m.*now .*engine.expire 6m.*partitions=[1-9]' ||
    file_has run.log 'event=settings_switched .*partitions=[1-9].*what="then .*engine.expire 5m.*now .*engine.expire 6m' || fail "the switch is not told of"
event_of_nobody h5
wait_for "zero hears of h5" heard '/zero open .*tenant=beta.host=h5'
kill -KILL "$daemon"
wait "$daemon" || true
for life in 1 2; do
    start_daemon
    wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
    ! file_has run.log 'event=settings_switched ' || fail "the same settings were switched to"
    [[ $life == 2 ]] && break
    # While it runs, by a reload.
    settings 7m beta
    kill -HUP "$daemon"
    wait_for "it has reloaded" file_has run.log 'event=reloaded '
    ! file_has run.log 'event=reload_needs_restart .*engine' || fail "the reload cannot follow"
    file_has run.log 'event=reloaded .*engine_changed="?engine.expire 6m -> 7m' || fail "the log does not say what changed"
    audit_says() { "$TOCSIN" audit data >audit.out && file_has audit.out 'reload .*done; engine.expire 6m -> 7m'; }
    wait_for "the audit says what changed" audit_says
    event_of_nobody h6
    wait_for "zero hears of h6" heard '/zero open .*tenant=beta.host=h6'
    ends_well
done
ends_well
"$TOCSIN" fsck data >fsck.log || fail "fsck: $(cat fsck.log)"

# A start that finds other rules says which, once.
start_daemon
wait_for "it is ready" answers /readyz 200
sets_now() { "$TOCSIN" fsck --sets data | grep -c '^from .*: rule set '; }
has_more_sets() { [[ $(sets_now) -gt $sets ]]; }
sets=$(sets_now)
"$TOCSIN" silence add --config tocsin.yaml --where 'host == "nobody"' --for 1h --comment "nobody is here" >/dev/null ||
    fail "no silence is taken"
wait_for "the silence is in force" has_more_sets
kill -KILL "$daemon"
wait "$daemon" || true
! file_has run.log 'event=rules_switched ' || fail "the same rules were switched to"
"$TOCSIN" check --config tocsin.yaml >check.log 2>&1 || fail "check: $(cat check.log)"
! file_has check.log 'a start would' || fail "check says that a start would change the same rules: $(cat check.log)"
"$TOCSIN" check --config tocsin.yaml --json >check.json 2>/dev/null || fail "check --json: $(cat check.json)"
file_has check.json '"start": null' || fail "and so in JSON: $(cat check.json)"
# A start reads the silences made by hand behind the files, and is refused where they have one of its id: so is the check.
cp rules.yaml good.yaml
echo 'silences: [{id: by-hand-1, where: host == "h9", to: "2999-01-01T00:00:00Z"}]' >>rules.yaml
for what in check run; do
    code=0
    "$TOCSIN" $what --config tocsin.yaml >refused.log 2>&1 || code=$?
    [[ $code == 65 ]] && file_has refused.log 'with the silences made by hand the rules cannot be loaded: .*the id "by-hand-1" is taken already: .*rules.yaml' ||
        fail "$what with a silence of an id that is taken: exit code $code: $(cat refused.log)"
done
mv good.yaml rules.yaml
{
    echo 'rules:'
    rule first beta
    rule second gamma
} >rules.yaml
"$TOCSIN" check --config tocsin.yaml >check.log 2>&1 || fail "check: $(cat check.log)"
for line in 'note: a start would change 2 rules' '  first +starts empty' '      where "check == "alpha"" -> "check == "beta""' \
    '  first +drains' '  second +new' '  silence by-hand-1 +unchanged'; do
    file_has check.log "^$line$" || fail "check does not say $line: $(cat check.log)"
done
"$TOCSIN" check --config tocsin.yaml --json 2>/dev/null >check.json
python3 -c 'import json; got = json.load(open("check.json"))["start"]; assert [(r["rule"], r["state"], r["keys"]) for r in got["rules"]] == [("first", "starts empty", None), ("first", "drains", None), ("second", "new", None)], got' ||
    fail "not so in JSON: $(cat check.json)"
"$TOCSIN" check --config tocsin.yaml --against rules.yaml >check.log 2>&1 || fail "check --against: $(cat check.log)"
! file_has check.log 'a start would' || fail "a start is told beside a reload: $(cat check.log)"
for life in 1 2; do
    start_daemon
    wait_for "it has recovered" file_has run.log 'event=recovered .*differences=0'
    if [[ $life == 1 ]]; then
        file_has run.log 'event=rules_switched .*rules_changed=2 .*what="changed: rule first; new: rule second"' ||
            fail "the log does not say which rules are others: $(grep switched run.log)"
    else
        ! file_has run.log 'event=rules_switched ' || fail "the same rules were switched to"
    fi
    wait_for "it is ready" answers /readyz 200
    event beta "h7$life" problem | send
    wait_for "the new form opens" heard "/zero open .*host=h7$life"
    ends_well
done

# The grid on which all of it lies stays.
sed -i 's/^engine: {/&round: 400ms, /' tocsin.yaml
code=0
timeout 100 "$TOCSIN" run --config tocsin.yaml 2>second.log || code=$?
[[ $code == 78 ]] && file_has second.log 'then "engine.round 200ms", now "engine.round 400ms"' ||
    fail "exit code $code: $(cat second.log)"

# What happens at the very end of what was told, a key that is pushed out say, was told by the sinks of then: one
# that comes back with the next start changes nothing of it.
{
    echo 'rules:'
    rule first alpha | sed 's/close: .*/max_keys: 1\n    &/'
} >rules.yaml
evicting() { # SINK...
    config "[$events]" "$@"
    sed -i 's|data: {dir: .*|data: {dir: evicted, snapshot: {every: 0s}}|' tocsin.yaml
    start_daemon
    wait_for "it is ready" answers /readyz 200
}
dies_when_told() { # HOST
    event alpha "$1" problem | send
    wait_for "x hears of $1" heard "/x open .*host=$1"
    [[ $1 == e1 ]] || wait_for "x hears that e1 is pushed out" heard '/x update .*host=e1'
    wait_for "its end is written down" written "$(grep -c '^/[ax] ' hook.log)"
    kill -KILL "$daemon"
    wait "$daemon" || true
}
written() { # so many ops
    "$TOCSIN" ledger evicted | grep "\"done\":$1," >/dev/null
}
: >hook.log # the hook appends
evicting a x
dies_when_told e1
evicting x
dies_when_told e2
evicting a x
file_has run.log 'event=recovered .*differences=0' || fail "a sink that came back: $(cat run.log)"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
