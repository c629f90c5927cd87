"""Aim: the harness finds a wrong engine and makes its case small; and passes a right one.
Method: the oracle itself stands in for the engine, once as it is and once for each of several
faults, each a small change of one rule of docs/correlation.md. Not one may go unnoticed."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

# name -> code that changes the oracle inside the stand-in
FAULTS = {
    "a watermark too early": "end = Oracle.timed_events\n"
        "def early(self):\n"
        "    events, at = end(self)\n"
        "    return events, at and at - self.config['round_ms']\n"
        "Oracle.timed_events = early",
    "expiry a millisecond late": "timers = Oracle.alert_timers\n"
        "Oracle.alert_timers = lambda self, a: timers(self, a) if a.is_flapping else "
        "[a.last + self.config['expire_ms'] + 1]\n"
        "due = Oracle.alert_timer\n"
        "def late(self, a, now):\n"
        "    a.last += not a.is_flapping\n"
        "    due(self, a, now)\n"
        "Oracle.alert_timer = late",
    "a window that holds its border": "def slide(self, rule, key, now):\n"
        "    while key.entries and key.entries[0].time < now - rule.window:\n"
        "        key.entries.pop(0)\n"
        "        self.ledger['expired'] += 1\n"
        "timers = Oracle.key_timers\n"
        "Oracle.slide = slide\n"
        "Oracle.key_timers = lambda self, i, k: timers(self, i, k) if k.incident else "
        "[k.entries[0].time + self.rules[i].window + 1]",
    "an event before the timers of its time": "oracle.EVENT, oracle.KEY_TIMER = "
        "oracle.KEY_TIMER, oracle.EVENT",
    "a clear that moves quiet": "leave = Oracle.leave\n"
        "def moved(self, i, values, key, kind, alert, now):\n"
        "    key.incident.last_touch = now\n"
        "    leave(self, i, values, key, kind, alert, now)\n"
        "Oracle.leave = moved",
    "evictions newest first": "evict = Oracle.evict_alerts\n"
        "def newest(self, now):\n"
        "    for a in self.alerts.values(): a.last = -a.last\n"
        "    evict(self, now)\n"
        "    for a in self.alerts.values(): a.last = -a.last\n"
        "Oracle.evict_alerts = newest",
    "flapping that forgets the clear": "due = Oracle.alert_timer\n"
        "def forget(self, a, now):\n"
        "    if a.is_flapping and not a.is_open and now < a.last + self.config['expire_ms']:\n"
        "        a.told_open = False\n"
        "    due(self, a, now)\n"
        "Oracle.alert_timer = forget",
    "ids from the half that is lower": "hex_of = oracle.xxh3_128_hex\n"
        "oracle.xxh3_128_hex = lambda d: hex_of(d)[16:] + hex_of(d)[:16]",
}

STAND_IN = """#!{python} -O
import json, sys
sys.path.insert(0, {here!r})
import oracle
from oracle import Oracle
{fault}
for line in sys.stdin:
    with open(line.split()[0] + "/scenario.json", encoding="utf-8") as file:
        lines, _ = oracle.run(json.load(file))
    print("\\n".join(lines + ["done"]), flush=True)
"""


class Harness(unittest.TestCase):
    def run_with(self, fault, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            runner = os.path.join(folder, "runner")
            with open(runner, "w", encoding="utf-8") as file:
                file.write(STAND_IN.format(python=sys.executable, here=HERE, fault=fault))
            os.chmod(runner, 0o700)
            return subprocess.run(
                [sys.executable, "-B", os.path.join(HERE, "run_oracle.py"), "--runner", runner,
                 "--work", folder, *arguments], capture_output=True, text=True, check=False)

    def test_an_engine_that_agrees_passes(self):
        got = self.run_with("", "--count", "20")
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertIn("20 scenarios from seed 0, 80 runs", got.stdout)

    def test_no_fault_goes_unnoticed(self):
        for name, fault in FAULTS.items():
            with self.subTest(name):
                got = self.run_with(fault, "--count", "150", "--stop-after", "1")
                self.assertEqual(got.returncode, 1, got.stdout + got.stderr)
                self.assertIn("oracle: ", got.stdout + got.stderr)

    def test_an_engine_that_ends_is_a_difference(self):
        got = self.run_with("sys.exit(7)", "--count", "1")
        self.assertEqual(got.returncode, 1)
        self.assertIn("the engine ended with code 7", got.stdout)

    def test_an_engine_that_gives_up_is_a_difference_each_time(self):
        got = self.run_with("input()\nprint('not finished after 60 s\\ndone', flush=True)\nsys.exit(3)",
                            "--count", "2")
        self.assertEqual(got.returncode, 1)
        self.assertEqual(got.stdout.count("engine: not finished after 60 s"), 2, got.stdout)
        self.assertNotIn("Traceback", got.stderr)

    def test_an_exit_code_at_the_end_is_a_failure(self):
        got = self.run_with("import atexit, os; atexit.register(lambda: os._exit(66))",
                            "--count", "1")
        self.assertEqual(got.returncode, 1)
        self.assertIn("engine_runner ended with code 66", got.stdout)

    def test_a_case_is_made_small(self):
        with tempfile.TemporaryDirectory() as folder:
            got = self.run_with(FAULTS["flapping that forgets the clear"], "--count", "150",
                                "--stop-after", "1", "--shrink", "--work", folder)
            self.assertEqual(got.returncode, 1)
            case = os.path.join(folder, os.listdir(folder)[0])
            for name in os.listdir(folder):
                if name.startswith("seed-"):
                    case = os.path.join(folder, name)
            with open(os.path.join(case, "log.tlog"), encoding="utf-8") as file:
                lines = file.read().splitlines()
            # At the least: a partition, flap.start changes of one alert, and something later.
            self.assertLessEqual(len(lines), 12, lines)


if __name__ == "__main__":
    unittest.main()
