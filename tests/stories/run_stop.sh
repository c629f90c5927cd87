# Aim (F10): SIGTERM gives the sinks what is waiting before the daemon leaves with 0; a dead sink is waited
# for no longer than outbox.flush and what is left is counted; a second signal ends it at once.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
start_broker events:1
port=$(free_port)
{ echo 'rules:'; rule first alpha; } >rules.yaml
config() { # FLUSH
    write_config <<TEXT
rules: [rules.yaml]
outbox: {flush: $1}
sinks:
  - {name: hook, type: webhook, options: {url: "http://127.0.0.1:$port/webhook", idempotent: "true"}}
TEXT
}

# A sink that answers, but only after the signal: it is started late.
config 60s
TOCSIN_ISA=scalar start_daemon
wait_for "it is ready" answers /readyz 200
file_has run.log 'event=started .*isa=scalar ' || fail "the start does not name the instruction set"
event alpha h1 problem | send
wait_for "the incident opens" file_has incidents.log '"change":"opened".*host=h1'
kill -TERM "$daemon"
wait_for "it says that it stops" file_has run.log 'event=stopping'
answers /readyz 503 || true # it may be gone already
"$TOCSIN" receive --port "$port" --out pages >receive.log 2>&1 &
receiver=$!
started+=("$receiver")
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
file_has run.log 'event=stopped .*undelivered=0' || fail "something was left undelivered"
grep -q h1 pages || fail "the page did not arrive"

# A dead sink: the flush ends, and what is left is told.
kill -TERM "$receiver"
wait_for "the receiver is gone" ends "$receiver"
rm -f incidents.log
config 1s
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h2 problem | send
wait_for "the incident opens" file_has incidents.log '"change":"opened".*host=h2'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code with a dead sink"
file_has run.log 'level=warning event=stopped .*undelivered=1' || fail "the page that was left is not told"

# A second signal does not wait for the flush of an hour.
rm -f incidents.log
config 1h
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h3 problem | send
wait_for "the incident opens" file_has incidents.log '"change":"opened".*host=h3'
kill -TERM "$daemon"
wait_for "it says that it stops" file_has run.log 'event=stopping'
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 143 ]] || fail "exit code $code after the second signal"
file_has run.log 'event=stopped_at_once' || fail "no word about the second signal"
