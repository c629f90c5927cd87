# Aim: what Wazuh, Suricata and AMiner write reaches the rules of the pack `security`. Method: lines in the
# detectors' own forms through tools/detectors.py into a replay; an attack on one machine as they would tell it.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"

# A request that carries an attack and a scan on web1, a guessed password, somebody who becomes root.
wazuh() { # SECOND RULE LEVEL GROUPS DESCRIPTION
    printf '{"timestamp":"2026-02-01T10:%02d:%02d.126+0000","rule":{"level":%d,"description":"%s","id":"%s","firedtimes":2,"mail":false,"groups":[%s],"pci_dss":["11.4"]},' \
        $(($1 / 60)) $(($1 % 60)) "$3" "$5" "$2" "$4"
    printf '"agent":{"id":"003","name":"web1","ip":"10.0.0.3"},"manager":{"name":"soc"},"id":"1769940000.%d","full_log":"x","decoder":{"name":"y"},"data":{"srcip":"203.0.113.9"},"location":"/var/log/z"}\n' "$1"
}
{
    wazuh 0 5706 6 '"syslog","sshd","recon"' 'sshd: insecure connection attempt (scan).'
    wazuh 60 31151 10 '"web","accesslog","web_scan","recon"' 'Multiple web server 400 error codes from same source ip.'
    wazuh 80 31516 6 '"web","appsec","attack"' 'Suspicious URL access.'
    wazuh 90 31106 6 '"web","accesslog","attack"' 'A web attack returned code 200 (success).'
    wazuh 200 5712 10 '"syslog","sshd","authentication_failures"' 'sshd: brute force trying to get access to the system. Non existent user.'
    wazuh 240 40112 12 '"syslog","attacks"' 'Multiple authentication failures followed by a success.'
    wazuh 300 5403 4 '"syslog","sudo"' 'First time user executed sudo.'
    wazuh 310 5402 3 '"syslog","sudo"' 'Successful sudo to ROOT executed.'
    # Suricata's, as Wazuh passes it on: its numbers are texts.
    cat <<'TEXT'
{"timestamp":"2026-02-01T10:00:30.126+0000","rule":{"level":3,"description":"Suricata: Alert - ET SCAN Possible Nmap User-Agent Observed","id":"86601","firedtimes":1,"mail":false,"groups":["ids","suricata"]},"agent":{"id":"003","name":"web1"},"data":{"timestamp":"2026-02-01T10:00:29.900000+0000","event_type":"alert","src_ip":"203.0.113.9","dest_ip":"10.0.0.3","alert":{"action":"allowed","gid":"1","signature_id":"2024364","rev":"4","signature":"ET SCAN Possible Nmap User-Agent Observed","category":"Web Application Attack","severity":"1"}}}
TEXT
} >alerts.json
cat >eve.json <<'TEXT'
{"timestamp":"2026-02-01T10:00:00.515262+0000","event_type":"flow","src_ip":"10.0.0.7","dest_ip":"203.0.113.9","proto":"TCP"}
{"timestamp":"2026-02-01T10:06:00.515262+0000","flow_id":1234,"in_iface":"eth0","event_type":"alert","src_ip":"203.0.113.9","src_port":443,"dest_ip":"10.0.0.7","dest_port":40000,"proto":"TCP","alert":{"action":"allowed","gid":1,"signature_id":2030919,"rev":1,"signature":"ET MALWARE Mozi Botnet DHT Config Sent","category":"Malware Command and Control Activity Detected","severity":1}}
{"timestamp":"2026-02-01T10:06:01.515262+0000","event_type":"alert","src_ip":"203.0.113.9","dest_ip":"10.0.0.8","host":"db1","proto":"TCP","alert":{"action":"allowed","gid":1,"signature_id":2013028,"rev":7,"signature":"ET POLICY curl User-Agent Outbound","category":"Attempted Information Leak","severity":2}}
TEXT
cat >aminer.json <<'TEXT'
{"AnalysisComponent":{"AnalysisComponentIdentifier":6,"AnalysisComponentType":"EntropyDetector","AnalysisComponentName":"AMiner: High entropy in Apache Access request.","Message":"Value entropy anomaly detected","TrainingMode":false,"AffectedLogAtomPaths":["/model/fm/request/request"],"AffectedLogAtomValues":["/x"]},"LogData":{"RawLogData":["x"],"Timestamps":[1769940180],"DetectionTimestamp":[1769940180],"LogLinesCount":1,"LogResources":["/var/log/apache2/access.log"]},"AMiner":{"ID":"web1"}}
TEXT

tool=$TOCSIN_TREE/tools/detectors.py
python3 "$tool" eve.json aminer.json >one.jsonl 2>one.log || fail "detectors.py: $(cat one.log)"
python3 "$tool" <alerts.json >>one.jsonl || fail "detectors.py: standard input"
[[ $(cat one.log) == "detectors: 1 lines are no alerts" ]] || fail "said: $(cat one.log)"
python3 - <<'PY'
import json
events = {(e["resource"], e["check"]): e for e in map(json.loads, open("one.jsonl"))}
assert len(events) == 12, len(events)
assert events["web1", "31151"] == {
    "time": "2026-02-01T10:01:00.126+0000", "resource": "web1", "source": "wazuh", "check": "31151",
    "message": "Multiple web server 400 error codes from same source ip.", "severity": "major",
    "labels": {"groups": "web,accesslog,web_scan,recon", "level": 10, "srcip": "203.0.113.9"}}, events["web1", "31151"]
assert events["web1", "2024364"] == {
    "time": "2026-02-01T10:00:30.126+0000", "resource": "web1", "source": "suricata", "check": "2024364",
    "message": "ET SCAN Possible Nmap User-Agent Observed", "severity": "major",
    "labels": {"category": "Web Application Attack", "srcip": "203.0.113.9", "destip": "10.0.0.3"}}
assert ("10.0.0.7", "2030919") in events and ("db1", "2013028") in events
assert [events["web1", c]["severity"] for c in ("40112", "5706", "5403", "5402")] == ["critical", "warning", "warning", "info"]
assert events["web1", "AMiner: High entropy in Apache Access request."]["time"] == 1769940180
PY

# Several detectors lie in several files; here they are put in order.
python3 - <<'PY'
import json
read = [json.loads(line) for line in open("one.jsonl")]
for event in read:
    if event["source"] == "aminer":
        event["time"] = "2026-02-01T10:03:00.000+0000"
with open("sorted.jsonl", "w") as out:
    for event in sorted(read, key=lambda e: e["time"][:23]):
        out.write(json.dumps(event) + "\n")
PY
"$TOCSIN" replay --rules security --json --quiet --ledger ledger sorted.jsonl >incidents 2>replay.log || fail "replay: $(cat replay.log)"
python3 - <<'PY'
import json
opened = sorted((i["rule"], i["key"], i["title"]) for i in map(json.loads, open("incidents")) if i["change"] == "opened")
web1 = "tenant=default host=web1"
assert opened == [
    ("sec-attack-request", web1, "web1: request with a known web attack"),
    ("sec-detector-high", web1, "web1: Multiple authentication failures followed by a success."),
    ("sec-encoded-request", "tenant=default", "web1: encoded request"),
    ("sec-login-guessing", web1, "web1: passwords are guessed (sshd: brute force trying to get access to the system. Non existent user.)"),
    ("sec-malware", "tenant=default host=10.0.0.7",
     "10.0.0.7: Malware Command and Control Activity Detected (ET MALWARE Mozi Botnet DHT Config Sent)"),
    ("sec-root-gained", web1, "web1: a user became root (Successful sudo to ROOT executed.)"),
    ("sec-service-scan", "tenant=default", "network scan seen at web1: sshd: insecure connection attempt (scan)."),
    ("sec-web-probing", web1, "web1: web server is probed (Multiple web server 400 error codes from same source ip.)"),
    ("sec-web-shell", web1, "web1: encoded request after a web scan, probably a web shell"),
], opened
assert json.load(open("ledger"))["events"]["events"] == 12
PY

# A line that should be an alert and is none is told with its place, and the others go on.
printf '%s\n' '{"rule":{"level":"high","id":"1"}}' 'no json' '[1]' '' >broken.json
if python3 "$tool" broken.json aminer.json >two.jsonl 2>two.log; then fail "a broken line and exit code 0"; fi
[[ $(wc -l <two.jsonl) == 1 ]] || fail "the line behind those that are broken is missing"
grep -q '^detectors: broken.json:1: no alert can be read from it: ' two.log || fail "said: $(cat two.log)"
grep -q '^detectors: broken.json:2: ' two.log || fail "said: $(cat two.log)"
if python3 "$tool" none.json 2>three.log; then fail "no such file, and exit code 0"; fi
[[ $(cat three.log) == "detectors: none.json: No such file or directory" ]] || fail "said: $(cat three.log)"
