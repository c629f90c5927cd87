#!/usr/bin/env python3
"""mutate_packs.py - does a rule test see every number of the rule packs?

    mutate_packs.py --tocsin PROGRAM [--packs DIR] [--every N] [--list] [PACK...]

A rule pack ships with tests, and a test that passes whatever the rule says proves nothing. So each
number of each rule is changed, one at a time and by the least that can matter, and `tocsin test` of
its pack must then fail:

    a threshold, of count(), distinct(), value, fewer()   one less, one more; >= and > exchanged
    window, within, quiet(), fewer()                      a millisecond less, one more
    a tumbling window, its season, what it learns         half and double; one less, one more
    the terms of close                                    each left out
    a severity                                            the one below, the one above
    priority, tier, team, runbook                         another
    a name of a check                                     another, so that it is not known

A mutant that passes survived: no test looks there. Those that no test can see, because the rule
means the same, are listed in EQUIVALENT with the reason; an entry there that names no survivor is
an error too. A mutant that the reader of rules refuses, as one that can never be true, is seen.

The packs are copied to the folder mutated_packs/ below the current one; the checkout stays as it
is. --every N takes each N-th mutant, for a run that has no time for all. Exit code 0: 0 unexplained
survivors.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PACKS = Path(__file__).resolve().parent.parent / "rules/packs"
SEVERITIES = ["INFO", "WARNING", "MINOR", "MAJOR", "CRITICAL"]  # those that rules compare with
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SECONDS_MAX = 60  # for one run of one pack's tests, which take a tenth of a second on an idle machine
PASSED, FAILED, RULES_REFUSED = 0, 1, 78  # exit codes of `tocsin test`

# (rule, what is changed, reason): regular expressions that match the whole.
EQUIVALENT = [
    (
        r".*",
        r"window-of-one window: .*",
        "count() >= 1 is true of every entry when it comes, so none is ever left behind in the window",
    ),
    (
        r"storage-degrading",
        r"threshold when: count\(\) >= 1 && .*",
        "what has two checks or two resources are two alerts at least",
    ),
]


def mutants_of_line(line, in_baseline):
    """Yields (kind, new line) for every change of a line of a rule."""

    def changed(match, group, text):
        return line[: match.start(group)] + str(text) + line[match.end(group) :]

    if match := re.match(r"\s+(priority): P(\d)$", line):
        yield match[1], changed(match, 2, 1 + int(match[2]) % 5)
    elif match := re.match(r"\s+(tier): T(\d)$", line):
        yield match[1], changed(match, 2, 1 + int(match[2]) % 5)
    elif match := re.match(r"\s+(team|runbook): (\S+)$", line):
        yield match[1], changed(match, 2, match[2] + "-other")
    elif re.match(r"\s+(window|within|close|baseline):", line):
        for match in re.finditer(r"\b(\d+)(ms|s|m|h|d)\b", line):
            ms = int(match[1]) * UNITS[match[2]]
            kind = re.findall(r"(\w+)(?:\(|: )", line[: match.start()])[-1]
            whole = "tumbling" in line or in_baseline
            for other in (ms // 2, ms * 2) if whole else (ms - 1, ms + 1):
                yield kind, changed(match, 0, f"{other}ms")
        for match in re.finditer(r"\b(learn: |fewer\()(\d+)\b", line):
            for other in (int(match[2]) - 1, int(match[2]) + 1):
                if other > 0:
                    yield match[1].strip(":( "), changed(match, 2, other)
        if match := re.match(r"(\s+close: )(.+) \|\| (.+)$", line):
            yield "close", match[1] + match[2]
            yield "close", match[1] + match[3]
    elif match := re.match(r"\s+(max_keys|max_members): (\d+)$", line):
        for other in (int(match[2]) - 1, int(match[2]) + 1):
            yield match[1], changed(match, 2, other)
    else:
        for match in re.finditer(r"(>=?|<=?) (\d+)\b", line):
            for other in (int(match[2]) - 1, int(match[2]) + 1):
                if other > 0:  # at least none is no condition
                    yield "threshold", changed(match, 2, other)
            if "value" in line or "deviation" in line:
                yield "threshold", changed(match, 1, ">" if match[1] == ">=" else ">=")
        for match in re.finditer(r"\bseverity >= (\w+)", line):
            at = SEVERITIES.index(match[1])
            for other in SEVERITIES[at - 1 : at] + SEVERITIES[at + 1 : at + 2]:
                yield "severity", changed(match, 1, other)
        if not re.match(r"\s+(title|description):", line):
            for match in re.finditer(r'"([^"]+)"', line):
                yield "name", changed(match, 1, match[1] + "-other")


def mutants_of_pack(text):
    """Yields (rule, kind, old line, new line, text of the mutant)."""
    lines = text.split("\n")
    when = {}
    for line in lines:
        if match := re.match(r"  - id: (\S+)$", line):
            rule = match[1]
        elif match := re.match(r"    when: (.*)$", line):
            when[rule] = match[1]
    rule = None
    described = False
    for number, line in enumerate(lines):
        if match := re.match(r"  - id: (\S+)$", line):
            rule = match[1]
        if re.match(r"    \w", line):
            described = line.startswith("    description:")
        if rule is None or described:
            continue
        for kind, new in mutants_of_line(line, line.lstrip().startswith("baseline:")):
            if kind == "window" and when.get(rule) == "count() >= 1":
                kind = "window-of-one"
            mutant = "\n".join(lines[:number] + [new] + lines[number + 1 :])
            yield rule, kind, line.strip(), new.strip(), mutant


def run_tests(tocsin, rules, tests):
    """The exit code of `tocsin test`."""
    done = subprocess.run(
        [tocsin, "test", "--rules", rules, tests],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=SECONDS_MAX,
    )
    return done.returncode


def explanation(rule, kind, new):
    """The index of the entry of EQUIVALENT that explains a survivor, or None."""
    for index, (rules, what, _) in enumerate(EQUIVALENT):
        if re.fullmatch(rules, rule) and re.fullmatch(what, f"{kind} {new}"):
            return index
    return None


def judge(tocsin, folder, tests, serial, mutant):
    rule, kind, old, new, text = mutant
    path = folder / f"{serial}.yaml"
    path.write_text(text)
    code = run_tests(tocsin, path, tests)
    path.unlink()
    return rule, kind, old, new, code


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tocsin", required=True, help="the program")
    parser.add_argument("--packs", type=Path, default=PACKS, help="their folder [rules/packs]")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th mutant only [1]")
    parser.add_argument("--list", action="store_true", help="show the explained survivors too")
    parser.add_argument("pack", nargs="*", help="packs [all]")
    options = parser.parse_args()

    folder = Path("mutated_packs").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    packs = options.pack or sorted(
        path.stem for path in options.packs.glob("*.yaml") if not path.name.endswith(".test.yaml")
    )
    mutants = findings = 0
    used = set()
    for pack in packs:
        rules = options.packs / f"{pack}.yaml"
        tests = options.packs / f"{pack}.test.yaml"
        if run_tests(options.tocsin, rules, tests) != PASSED:
            print(f"{pack}: its tests do not pass as it is")
            findings += 1
            continue
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            judged = [
                pool.submit(judge, options.tocsin, folder, tests, f"{pack}-{serial}", mutant)
                for serial, mutant in enumerate(mutants_of_pack(rules.read_text()))
                if serial % options.every == 0
            ]
        for rule, kind, old, new, code in (job.result() for job in judged):
            mutants += 1
            index = explanation(rule, kind, new)
            if code in (FAILED, RULES_REFUSED) and index is None:
                continue
            if code == PASSED and index is not None:
                used.add(index)
                if options.list:
                    print(f"explained: {rule}: {kind}: {new}: {EQUIVALENT[index][2]}")
                continue
            verdict = {
                PASSED: "survived",
                FAILED: "is seen, and explained as one that cannot be",
            }.get(code, f"was not tried: exit code {code}")
            print(f"{pack}.yaml: {rule}: {kind}: {old}  ->  {new}: {verdict}")
            findings += 1
    if not options.pack and options.every == 1:
        for index in sorted(set(range(len(EQUIVALENT))) - used):
            print(f"EQUIVALENT: {EQUIVALENT[index][:2]} explains nothing")
            findings += 1
    print(f"{mutants} mutants, {findings} unexplained survivors or other findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
