"""Aim: the harness finds a wrong engine and makes its case small; and passes a right one.
Method: the model itself stands in for the engine, once as it is and once for each of several
faults, each a small change of one rule of docs/correlation.md. Not one may go unnoticed."""
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))

# name -> code that changes the model inside the stand-in
FAULTS = {
    "a watermark too early": """
init = Recording.__init__
def early(self, *of):
    init(self, *of)
    self.end = self.end and self.end - self.config["round_ms"]
Recording.__init__ = early""",
    "expiry a millisecond late": """
timer_at = Alert.timer_at
Alert.timer_at = lambda self: timer_at(self) + (not self.is_flapping)
timer = Alert.timer
def late(self, now):
    self.last += not self.is_flapping
    timer(self, now)
Alert.timer = late""",
    "a window that holds its border": """
leaves_at = Window.leaves_at
Window.leaves_at = lambda self, entry: leaves_at(self, entry) + (self.rule.window == "sliding")""",
    "an event before the timers of its time": "model.EVENT, model.KEY_TIMER = model.KEY_TIMER, model.EVENT",
    "a last clear that does not move quiet": """
leave = Incident.leave
def unmoved(self, touch):
    last = self.last_touch
    is_member = leave(self, touch)
    self.last_touch = last
    return is_member
Incident.leave = unmoved""",
    "evictions newest first": """
beyond = model.beyond
def newest(bound, held):
    is_of_alerts = held and isinstance(held[0][2], Alert)
    return sorted(held, reverse=True)[:max(0, len(held) - bound)] if is_of_alerts else beyond(bound, held)
model.beyond = newest""",
    "flapping that forgets the clear": """
timer = Alert.timer
def forget(self, now):
    if self.is_flapping and not self.is_open and now < self.expires_at():
        self.told = None
    timer(self, now)
Alert.timer = forget""",
    "ids from the half that is lower": """
hash_of = incidents.hash_of
incidents.hash_of = lambda *parts: hash_of(*parts)[16:] + hash_of(*parts)[:16]""",
}

STAND_IN = """#!{python} -O
import json, sys
sys.path.insert(0, {here!r})
import incidents
import model
from forms import Incident, Window
from frame.run import run
from model import Alert, Recording
{fault}
for line in sys.stdin:
    with open(line.split()[0] + "/scenario.json", encoding="utf-8") as file:
        lines = run(json.load(file))
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
                [sys.executable, "-B", os.path.join(HERE, "run_model.py"), "--runner", runner,
                 "--work", folder, *arguments], capture_output=True, text=True, check=False)

    def test_an_engine_that_agrees_passes(self):
        got = self.run_with("", "--count", "20")
        self.assertEqual(got.returncode, 0, got.stdout + got.stderr)
        self.assertIn("20 scenarios from 0, 40 runs", got.stdout)

    def test_no_fault_goes_unnoticed(self):
        for name, fault in FAULTS.items():
            with self.subTest(name):
                got = self.run_with(fault, "--count", "150", "--stop-after", "1")
                self.assertEqual(got.returncode, 1, got.stdout + got.stderr)
                self.assertIn("model: ", got.stdout + got.stderr)

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
        self.assertIn("runner ended with code 66", got.stdout)

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
