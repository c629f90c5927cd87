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
heard() { # LINE: is in hook.log, once
    [[ $(grep -cE "^$1\$" hook.log) == 1 ]]
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
[[ $(wc -l <hook.log) == 8 ]] || fail "something else was told: $(cat hook.log)"

# What shows in what was told stays.
sed -i 's/^engine:.*/engine: {expire: 6m}/; t; s/^admin:/engine: {expire: 6m}\n&/' tocsin.yaml
code=0
timeout 30 "$TOCSIN" run --config tocsin.yaml 2>second.log || code=$?
[[ $code == 78 ]] && file_has second.log 'then "engine.expire 5m", now "engine.expire 6m"' ||
    fail "exit code $code: $(cat second.log)"
