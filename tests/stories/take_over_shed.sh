# Aim (L7, S3, X1): who takes over from a daemon that was killed while it shed has its marks from the shared store: it
# leaves out what that one left out, ends it when it has caught up, and nobody is told twice.
# Method: shedding_lib.sh; two daemons with directories of their own, and a real Redis.
NOISE=1000 # it is still at it when the other stands by; if it is not, nothing else shall come of it
. "$TOCSIN_TREE/tests/stories/shedding_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]}'
redis=$(free_port)
redis-server --port "$redis" --bind 127.0.0.1 --save '' --appendonly no >redis.log 2>&1 &
started+=($!)
wait_for "Redis answers" eval 'redis-cli -p "$redis" PING >/dev/null 2>&1'
run_in() { # NAME: the process is in $daemon
    write_config <<TEXT
rules: [rules.yaml]
data: {dir: $1, snapshot: {every: 100ms}}
shared: {address: "127.0.0.1:$redis", lease: 4s}
engine: {workers: 1, take: 1, expire: 1d}
shedding: {behind: 10m, for: 1s}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true", rate_per_minute: "0"}}
TEXT
    sed -i "s/path: incidents.log/path: $1.log/" tocsin.yaml
    "$TOCSIN" run --config tocsin.yaml 2>"$1.run" &
    daemon=$!
    started+=("$daemon")
    ln -sf "$1.run" run.log
}

run_in one
one=$daemon
wait_for "one sheds, and that is durable" told shed opened 1 one.log
run_in two
wait_for "two stands by" file_has two.run event=following
kill -KILL "$one"
wait "$one" || true
wait_for "two has taken over" answers /readyz 200
wait_for "all is read" metric_is "tocsin_partition_read_offset$of" $((2 * HOSTS + NOISE))
wait_for "it has caught up" metric_is "tocsin_partition_shedding$of" 0
file_has one.run 'event=shedding_begins topic=events partition=0 ' || fail "one did not begin it"
! file_has two.run event=shedding_begins || fail "two begins it anew"
all_from_its_begin one.run
event down after problem | kcat -P -b "$broker" -t events -p 0 2>>kcat.log
is_told() { # LINE
    file_has hook.log "^$1\$"
}
wait_for "it is told that it is over" is_told 'resolve shed tenant=@tocsin resource=events/0'
wait_for "what comes now is told" is_told 'open down tenant=acme resource=after'
wait_for "who went down is counted once" metric_is 'tocsin_rule_incidents_opened_total{rule="down"}' $((HOSTS + 1))
wait_for "and whoever is up again" metric_is 'tocsin_rule_incidents_closed_total{rule="down"}' "$HOSTS"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
[[ -z $(sort hook.log | uniq -d) ]] || fail "told twice: $(sort hook.log | uniq -d)"
"$TOCSIN" fsck two >fsck.log || fail "fsck: $(cat fsck.log)"
