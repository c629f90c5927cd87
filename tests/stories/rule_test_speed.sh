# Aim: a thousand rule tests take less than a second, in one file and in a thousand. Method: the CPU time of a
# run, so that a busy machine does not decide; the limit is generous, the figure is printed.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
python3 - <<'EOF'
import os, resource, subprocess
head = "rules: [demo]\ntests:\n"
test = """  - name: four hosts of one rack page once, %d
    events:
      - {at: 10s, repeat: 4x1s, resource: "h{i}", check: host.down, severity: critical, labels: {rack: r7}}
      - {at: 5m, repeat: 4x1s, resource: "h{i}", check: host.down, clear: true, labels: {rack: r7}}
    expect:
      - {rule: rack-power, key: {labels.rack: r7}, priority: P1, opened: 13s, closed: 5m3s, alerts: 4,
         sent: {pagerduty: [{event_action: trigger}, {event_action: resolve}]}}
"""
os.mkdir("many")
for i in range(1000):
    open("many/%04d.test.yaml" % i, "w").write(head + test % i)
open("one.test.yaml", "w").write(head + "".join(test % i for i in range(1000)))
for what in "one.test.yaml", "many":
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run([os.environ["TOCSIN"], "test", what], check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert "1000 passed, 0 failed" in out, out
    print("%s: 1,000 tests in %.2f s of CPU" % (what, cpu))
    assert cpu < 2, "too slow"
EOF
