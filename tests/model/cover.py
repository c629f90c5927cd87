"""What random scenarios reach: every line of the model, and every way in which an incident changes, must come up in some
of them, or their agreement says nothing about it.

    cover.py --live-runner PROGRAM --work FOLDER [--count N] [--live-count N]

Joins, leaves, switches and blind spells show in live runs alone, whose marks live_runner makes.
"""
import argparse
import collections
import glob
import json
import os
import sys

import alerts
import enrich
import events
import forms
import frame.ledger
import frame.lines
import frame.scenario
import frame.trees
import frame.words
import generate
import incidents
import model
import run_model
import values
from frame.run import run

LARGE, LARGE_LOOKS_MIN = 17, 500  # entries from which on the engine keeps aggregates up to date; looks at such windows
CHANGES = ["opened rule", "closed cleared", "closed quiet", "closed fewer", "closed value", "updated severity",
           "updated grew", "updated evicted", "updated unmuted", "opened under silence", "opened under maintenance",
           "opened under inhibit", "closed under silence", "op open", "op update", "op resolve"]
# An incident whose key is listed no more, which one live run in some hundreds shows.
UNREACHED = {'"unlisted"'}
# Live runs in which a key that only watches is let go by a former form: one in some hundreds, too.
LIVE_SEEDS_MORE = (1573, 2308)


class Lines:
    """Which lines of the model have not run yet, by function; one of which all have run is not looked at any more."""

    def __init__(self):
        self.left = {}
        for module in (alerts, enrich, events, forms, frame.ledger, frame.lines, frame.scenario, frame.trees, frame.words,
                       incidents, model, values):
            self.add_lines_of(module.__file__)
        self.count = sum(map(len, self.left.values()))

    @staticmethod
    def name_of(code):
        return code.co_filename, code.co_firstlineno, code.co_name

    def add_lines_of(self, name):
        with open(name, encoding="utf-8") as file:
            module = compile(file.read(), name, "exec")
        todo = [module]
        while todo:
            code = todo.pop()
            inner = [const for const in code.co_consts if hasattr(const, "co_lines")]
            # A table that is computed outside of functions has been so by then.
            todo += [const for const in inner if code is not module or not const.co_name.endswith("comp>")]
            if code.co_flags & 2:  # of functions: what stands outside of them has run when they do
                self.left[self.name_of(code)] = {line for _, _, line in code.co_lines() if line and line > code.co_firstlineno}

    def trace(self, frame, event, _argument):
        left = self.left.get(self.name_of(frame.f_code))
        if not left:
            return None
        left.discard(frame.f_lineno)
        return self.trace

    def run(self, scenario):
        sys.settrace(self.trace)
        try:
            return run(scenario)
        finally:
            sys.settrace(None)

    def unreached(self):
        for name, line in sorted((name, line) for (name, _, _), lines in self.left.items() for line in lines):
            with open(name, encoding="utf-8") as file:
                text = file.readlines()[line - 1].strip()
            if not any(part in text for part in UNREACHED):
                yield f"{os.path.basename(name)}:{line}: {text}"


def count_looks(looks):
    """Of conditions at windows, by whether these are large."""
    look = forms.Window.look

    def counted(window):
        looks[len(window.entries) >= LARGE] += 1
        return look(window)
    forms.Window.look = counted


def changes_of(lines):
    for line in map(json.loads, lines):
        if "op" in line:
            yield "op " + line["op"]
        elif "change" in line:
            yield f"{line['change']} {line['cause']}"
            for name in line.get("muted_by", "").split(", "):
                yield f"{line['change']} under {name.split(' ')[0]}"


def live_scenarios(args):
    """With the marks that a run made."""
    runner = run_model.Runner(args.live_runner)
    for seed in (*range(args.live_count), *LIVE_SEEDS_MORE):
        scenario = generate.scenario_of(seed, live=True)
        folder = os.path.join(args.work, "cover")
        run_model.write(scenario, folder)
        got = runner.run(folder, run_model.setups(seed, 1, False)[0])
        if not run_model.is_impossible(got):
            yield run_model.with_marks(scenario, got)[0]
    runner.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--live-runner", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--live-count", type=int, default=150)
    args = parser.parse_args()
    lines, shown, made, looks = Lines(), collections.Counter(), collections.Counter(), collections.Counter()
    count_looks(looks)
    scenarios = [generate.scenario_of(seed) for seed in range(args.count)]
    # The bounds of enrichment are reached by these alone.
    for name in ("enrich-*.json", "extract*.json"):
        scenarios += map(run_model.case_of, glob.glob(os.path.join(os.path.dirname(__file__), "cases", name)))
    for scenario in scenarios + list(live_scenarios(args)):
        shown.update(set(changes_of(lines.run(scenario))))
        made.update(scenario["forms"].keys())
    rare = list(lines.unreached()) + [name for name in CHANGES if not shown[name]]
    rare += [f"looks at windows of {LARGE} entries or more: {looks[True]}"] if looks[True] < LARGE_LOOKS_MIN else []
    print(f"{args.count} scenarios and {args.live_count + len(LIVE_SEEDS_MORE)} live ones reach {lines.count} lines; "
          f"{looks[True]} of {sum(looks.values())} looks at windows of {LARGE} entries or more; forms: {dict(made)}")
    if rare:
        sys.exit("not reached:\n" + "\n".join(rare))


if __name__ == "__main__":
    main()
