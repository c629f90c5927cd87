# Two daemons that share one unit through a real Redis, and a sink that logs what it gets. Sourced by stories.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_hook '{body[op][kind]} {body[incident][rule]} {body[incident][key]}'
start_broker events:1
redis=$(free_port)
redis-server --port "$redis" --bind 127.0.0.1 --save '' --appendonly no >redis.log 2>&1 &
started+=($!)
ask() {
    redis-cli -p "$redis" "$@"
}
wait_for "Redis answers" ask PING
{
    echo 'rules:'
    rule first alpha
} >rules.yaml
directory() { # NAME [LINE OF CONFIGURATION]: the next daemon runs in it
    write_config <<TEXT
rules: [rules.yaml]
data: {dir: $1, snapshot: {every: 100ms}}
shared: {address: "127.0.0.1:$redis", lease: 4s}
${2:-}
sinks:
  - {name: hook, type: webhook, options: {url: "http://$hook/", idempotent: "true", rate_per_minute: "0"}}
TEXT
    sed -i "s/path: incidents.log/path: ${1##*/}.log/; s/^  start: .*/&\n  topics: [{topic: events, disorder: 0ms}]/" tocsin.yaml
}
