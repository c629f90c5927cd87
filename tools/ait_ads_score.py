#!/usr/bin/env python3
"""Scores an incident log of `tocsin run` or `tocsin replay` against the truth of the AIT alert data set.

    ait_ads_score.py FOLDER INCIDENTS [--rules FILE] [--scenario NAME ...] [--ledger FILE] [--json]

FOLDER is that of the data set; its labels are read here and nowhere else. For each attack phase of a
scenario (attack_phases.csv) one of these is said:

  opened    an incident opened in the phase, and an alert that the data set ties to an attack step is in it
  joined    no such opening, but alerts of the phase's own steps went into an incident that was open already
  chance    incidents opened in the phase, none of them through an alert of an attack step
  missed    none of these

A phase that no alert is tied to can only be met by chance: `silent` says so. "Is in it" is judged from
outside: an alert with an event_label, of the incident's tenant and host, whose check stands in the rule's
`where`, came in the rule's window before the opening, or while the incident was open and the phase went
on. An incident that opened outside of every attack phase, and without such an alert, is false.
"""
import argparse
import bisect
import collections
import csv
import datetime
import gzip
import json
import os
import re
import sys

NOISE = ("false_positive_test", "false_positive_same_day")  # of attack_phases.csv: no attacks
PACK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rules", "packs", "security.yaml")
UNIT_S = {"s": 1, "m": 60, "h": 3600}


def fail(text):
    sys.exit(f"ait_ads_score: {text}")


def rules_of(path):
    """-> {rule id: (names of the data set that it goes by, window in seconds)}; reads just these out of the pack, line by line."""
    rules, current = {}, None
    for line in open(path, encoding="utf-8"):
        begin = re.match(r"\s*- id:\s*(\S+)", line)
        if begin:
            current = begin.group(1)
            rules[current] = (set(), 0)
        elif current and (window := re.match(r"\s*window:\s*(\d+)([smh])", line)):
            rules[current] = (rules[current][0], int(window.group(1)) * UNIT_S[window.group(2)])
        elif current:
            rules[current][0].update(re.findall(r'"([WSA]-[A-Za-z0-9-]+)"', line))
    for rule, (checks, window) in rules.items():  # without one of these names, what it opens shows no step of the attack
        if checks and not window:
            fail(f"{path}: no window found in rule {rule}")
    if not any(checks for checks, _ in rules.values()):
        fail(f"{path}: no rule names a signature of the data set")
    return rules


def phases_of(folder):
    """-> {scenario: [(phase, start, end)] in order of time}"""
    path = os.path.join(folder, "attack_phases.csv")
    if not os.path.exists(path):
        fail(f"{path} is missing; FOLDER should be that of the AIT alert data set")
    phases = collections.defaultdict(list)
    for row in csv.DictReader(open(path, encoding="utf-8")):
        if row["phase"] not in NOISE:
            start, end = (datetime.datetime.strptime(row[k], "%Y-%m-%d %H:%M:%S")
                          .replace(tzinfo=datetime.timezone.utc).timestamp() for k in ("start_utc", "end_utc"))
            phases[row["scenario"]].append((row["phase"], start, end))
    return {s: sorted(p, key=lambda x: x[1]) for s, p in phases.items()}


class Scenario:
    """The alerts of a scenario: how many, from when to when, and those tied to attack steps."""

    def __init__(self, folder, name):
        path = os.path.join(folder, f"{name}_alerts.csv.gz")
        if not os.path.exists(path):
            fail(f"{path} is missing; FOLDER should be that of the AIT alert data set")
        self.count, self.first, self.last = 0, float("inf"), 0
        self.steps = collections.defaultdict(list)  # (check, host) -> times
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                time, _, _, host, short, _, event_label = line.rstrip("\n").split(",")
                time = int(time)
                self.count += 1
                self.first, self.last = min(self.first, time), max(self.last, time)
                if event_label != "-":
                    self.steps[short, host].append(time)
        for times in self.steps.values():
            times.sort()

    def has_step(self, checks, host, start, end):
        """Is there an alert of an attack step in [start, end]? checks, host None: any."""
        for (check, at), times in self.steps.items():
            if (checks is None or check in checks) and (host is None or at == host):
                i = bisect.bisect_left(times, start)
                if i < len(times) and times[i] <= end:
                    return True
        return False


def incidents_of(path):
    """-> {id: {tenant, rule, host, opened, closed}}, times in seconds"""
    incidents = {}
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        try:
            change = json.loads(line)
        except ValueError:
            fail(f"{path}:{number}: not a line of an incident log")
        if change.get("change") == "opened":
            host = re.search(r"(?:^| )host=(\S+)", change["key"])
            incidents[change["incident"]] = {
                "tenant": change["tenant"], "rule": change["rule"], "host": host and host.group(1),
                "opened": change["at"] / 1000, "closed": float("inf"), "priority": change["priority"]}
        elif change.get("change") == "closed" and change["incident"] in incidents:
            incidents[change["incident"]]["closed"] = change["at"] / 1000
    return incidents


def score(name, scenario, phases, rules, incidents):
    for incident in incidents:
        if incident["rule"] not in rules:
            fail(f"rule {incident['rule']} of the incident log is not in the rule file; use --rules")
        checks, window = rules[incident["rule"]]
        phase, _, end = next((p for p in phases if p[1] <= incident["opened"] < p[2]), (None, 0, 0))
        incident["phase"] = phase
        incident["is_of_attack"] = scenario.has_step(
            checks, incident["host"], incident["opened"] - window,
            max(incident["opened"], min(incident["closed"], end - 1)))
    said = []
    for phase, start, end in phases:
        inside = [i for i in incidents if i["phase"] == phase]
        found = sorted({i["rule"] for i in inside if i["is_of_attack"]})
        joined = sorted({i["rule"] for i in incidents if i["opened"] < start <= i["closed"] and
                         scenario.has_step(rules[i["rule"]][0], i["host"], start, min(end - 1, i["closed"]))})
        word = "opened" if found else "joined" if joined else "chance" if inside else "missed"
        said.append({"phase": phase, "result": word, "silent": not scenario.has_step(None, None, start, end - 1),
                     "incidents": len(inside), "of_attack": sum(i["is_of_attack"] for i in inside),
                     "rules": found or joined or sorted({i["rule"] for i in inside})})
    days = (scenario.last - scenario.first) / 86400
    outside = [i for i in incidents if i["phase"] is None]
    false = [i for i in outside if not i["is_of_attack"]]
    return {"scenario": name, "alerts": scenario.count, "days": round(days, 2), "incidents": len(incidents),
            "in_phases": len(incidents) - len(outside), "outside_of_attack": len(outside) - len(false),
            "false": len(false), "false_per_day": round(len(false) / days, 2),
            "false_urgent_per_day": round(sum(i["priority"] <= "P3" for i in false) / days, 2),
            "false_by_rule": dict(collections.Counter(i["rule"] for i in false).most_common()),
            "phases": said}


def ledger_figures(path):
    ledger = json.load(open(path, encoding="utf-8"))
    events = ledger["events"]
    return {"events": events["events"], "duplicate": events["duplicate"], "unmatched": events["unmatched"],
            "routed": events["routed"], "alerts_opened": ledger["alerts"]["opened"],
            "incidents": ledger["incidents"]["opened"]}


def print_text(results, figures):
    for result in results:
        print(f"{result['scenario']}: {result['alerts']} alerts in {result['days']} days, {result['incidents']} "
              f"incidents, {result['in_phases']} in attack phases, {result['false']} false "
              f"({result['false_per_day']} a day, {result['false_urgent_per_day']} of P1 to P3)")
        for phase in result["phases"]:
            print(f"  {phase['phase']:22} {phase['result']:7}{' (silent)' if phase['silent'] else ''} "
                  f"{phase['of_attack']} of {phase['incidents']} incidents  {', '.join(phase['rules'])}")
        for rule, count in result["false_by_rule"].items():
            print(f"  false: {count:4} {rule}")
    words = collections.Counter(p["result"] for r in results for p in r["phases"] if not p["silent"])
    heard = sum(words.values())
    silent = sum(p["silent"] for r in results for p in r["phases"])
    print(f"phases with alerts of their own: {heard}, of these {words['opened']} opened, {words['joined']} joined, "
          f"{words['chance']} met by chance, {words['missed']} missed; {silent} more are silent")
    if figures:
        print("ledger:", ", ".join(f"{k} {v}" for k, v in figures.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("folder")
    parser.add_argument("incidents", help="incident log")
    parser.add_argument("--rules", default=PACK, help="the rule file that was in force")
    parser.add_argument("--scenario", action="append", help="those that were fed; all of the log without it")
    parser.add_argument("--ledger", help="of `tocsin replay --json --ledger FILE`")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    phases = phases_of(options.folder)
    rules = rules_of(options.rules)
    incidents = list(incidents_of(options.incidents).values())
    results = []
    for name in options.scenario or sorted({i["tenant"] for i in incidents}):
        if name not in phases:
            fail(f"{name}: no such scenario in attack_phases.csv; there are {', '.join(sorted(phases))}")
        results.append(score(name, Scenario(options.folder, name), phases[name], rules,
                             [i for i in incidents if i["tenant"] == name]))
    figures = ledger_figures(options.ledger) if options.ledger else None
    if options.json:
        json.dump({"scenarios": results, "ledger": figures}, sys.stdout, indent=1)
        print()
    else:
        print_text(results, figures)


if __name__ == "__main__":
    main()
