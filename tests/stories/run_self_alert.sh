# Aim: when one sink refuses our credentials, the other is told, once and with its end, and the
# incident log stays what records and marks make of it: not a word about the outbox. Method: two
# webhooks, one of which answers 401.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
cat >hook.py <<'PYTHON'
import http.server, json
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        good = self.path != "/locked"
        inc = body["incident"]
        with open("hook.log", "a") as log:
            log.write(f'{self.path} {200 if good else 401} {body["op"]["kind"]} {inc["rule"]} {inc["tenant"]} {inc["id"]}\n')
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
with open("hook.port", "w") as to:
    to.write(f"{server.server_port}\n")
server.serve_forever()
PYTHON
python3 hook.py &
started+=($!)
wait_for "the hooks listen" test -s hook.port
start_broker events:1
{ echo 'rules:'; rule first alpha; } >rules.yaml
port=$(cat hook.port)
write_config <<YAML
rules: [rules.yaml]
sinks:
  - {name: locked, type: webhook, options: {url: "http://127.0.0.1:$port/locked"}}
  - {name: open, type: webhook, priority: P1, options: {url: "http://127.0.0.1:$port/open"}}
YAML
start_daemon
wait_for "it is ready" answers /readyz 200
event alpha h1 problem | send
locked='{sink="locked",type="webhook"}'
open='{sink="open",type="webhook"}'
wait_for "the sink is held" metric_is "tocsin_sink_held$locked" 1
wait_for "the other one is told" file_has hook.log '^/open 200 open sink-held @tocsin [0-9a-f]{32}$'
wait_for "the log says so as well" file_has run.log 'event=sink_held'
metric_is "tocsin_sink_notices_total$open" 1 || fail "not counted"
metric_is "tocsin_sink_notices_total$locked" 0 || fail "the held one is told of itself"
event alpha h1 clear | send
wait_for "both changes of the incident were taken" metric_is "tocsin_sink_done_total$open" 3
[[ $(grep -c sink-held hook.log) == 1 ]] || fail "told more than once"
file_has incidents.log '"change":"closed"' || fail "no incident log"
! file_has incidents.log 'sink-held' || fail "the incident log speaks of the outbox"
ops=$(metric "tocsin_ops_total")
[[ $ops == 4 ]] || fail "the engine made $ops ops instead of 4"
kill -TERM "$daemon"
wait_end "$daemon"
[[ $code == 0 ]] || fail "exit code $code"
