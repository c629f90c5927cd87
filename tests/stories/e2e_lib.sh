# Sourced by the stories that go the whole way on a real Kafka: topics, the daemon's configuration,
# the receiver.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
kafka_dir=$(dirname "$TOCSIN_KAFKA_CA")/..
broker=$TOCSIN_KAFKA
topic=$STORY.$$
# shellcheck disable=SC2034 # used by the stories
routing_key=0123456789abcdef0123456789abcdef secret="of the story"

make_topic() { # PARTITIONS
    "$TOCSIN_TREE/tests/kafka/kafka" topic "$kafka_dir" "$topic" "$1"
}

# NAME.yaml: reads the topic from its beginning and keeps its files as NAME.*; what comes on standard
# input follows, lines for `input:` (indented) first. The admin port is in $admin.
config_for() { # NAME
    admin=$(free_port)
    {
        printf 'admin: {listen: "127.0.0.1:%s"}\n' "$admin"
        printf 'incident_log: {path: %s.incidents}\nquarantine: {path: %s.quarantine}\n' "$1" "$1"
        printf 'input:\n  group: %s\n  start: earliest\n' "$topic"
        cat
    } >"$1.yaml"
}

# Brokers and topic for config_for.
plain_input() { # DISORDER
    printf '  brokers: "%s"\n  topics: [{topic: %s, disorder: %s}]\n' "$broker" "$topic" "$1"
}

run_daemon() { # NAME: starts it; its process id is in $daemon
    "$TOCSIN" run --config "$1.yaml" 2>"$1.log" &
    daemon=$!
    started+=("$daemon")
}

# The receiver as PagerDuty and as signed webhook; pages go to NAME.pages, its port is in $port.
run_receiver() { # NAME
    port=$(free_port)
    "$TOCSIN" receive --port "$port" --secret "$secret" --out "$1.pages" >"$1.receiver" 2>&1 &
    receiver=$!
    started+=("$receiver")
    wait_for "the receiver listens" file_has "$1.receiver" 'receiving pages'
}

sinks() {
    cat <<TEXT
sinks:
  - {name: pager, type: pagerduty, options: {routing_key: "env:ROUTING_KEY", url: "http://127.0.0.1:$port/v2/enqueue"}}
  - {name: hook, type: webhook, options: {url: "http://127.0.0.1:$port/webhook", secret: "env:HOOK_SECRET", idempotent: "true"}}
TEXT
}

# Sum of a series over its labels.
metric_sum() { # NAME
    curl -s "http://127.0.0.1:$admin/metrics" |
        awk -v s="$1" 'index($1, s) == 1 && (length($1) == length(s) || substr($1, length(s) + 1, 1) == "{") { n += $2 } END { print n + 0 }'
}

sum_is() { # NAME VALUE
    [[ $(metric_sum "$1") == "$2" ]]
}

stop_daemon() { # leaves with 0
    kill -TERM "$daemon"
    wait_end "$daemon"
    [[ $code == 0 ]] || fail "exit code $code"
}

produce() { # PARTITION [kcat options]: one record per line of standard input
    local partition=$1
    shift
    kcat -P -b "$broker" -t "$topic" -p "$partition" "$@" 2>>kcat.log
}
