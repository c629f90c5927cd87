#!/usr/bin/env python3
"""Aim: docs/statements.md names for each promise tests that exist, and each test that is named after a
promise is found there; what has no test says that it is open. Method: test functions are read from
tests/*.c, stories and other tests from the files of CMake. lint_statements.py [TREE]"""
import pathlib
import re
import sys

TREE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent)
# Every id that there is: a promise that is left out of the page would be one without a test.
COUNTS = {"D": 6, "C": 12, "O": 8, "T": 9, "X": 7, "L": 7, "F": 10, "S": 5, "H": 4}
IDS = [f"{letter}{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)] + ["X1b"]
IDS += [f"case {number}" for number in range(1, 16)]

functions, stories = set(), {"lint_includes", "lint_host", "lint_selftest"}
for source in (TREE / "tests").glob("*.c"):
    functions |= set(re.findall(r"^(?:static void|TEST\() ?(\w+)", source.read_text(), re.MULTILINE))
for source in [*(TREE / "tests" / "stories").glob("*.cmake"), TREE / "tests" / "CMakeLists.txt"]:
    stories |= set(re.findall(r"(?:tocsin_story\(NAME |tocsin_test\(|tocsin_python\()(\w+)", source.read_text()))

faults, named, seen = [], set(), []
for number, line in enumerate((TREE / "docs" / "statements.md").read_text().splitlines(), 1):
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if not re.fullmatch(r"[A-Z]\d+b?|case \d+", cells[0]) or len(cells) != 4:
        continue
    seen.append(cells[0])
    for test in cells[2].split():
        if test.startswith("*"):
            found = {test.strip("*")} & stories
        elif test.endswith("*"):
            found = {name for name in functions if name.startswith(test[:-1])}
        else:
            found = {test} & functions
        named |= found
        if not found:
            faults.append(f"{number}: {cells[0]} names {test}, and there is no such test")
    if not cells[2] and not cells[3]:
        faults.append(f"{number}: {cells[0]} has no test and is not said to be open")
for statement in IDS:
    if seen.count(statement) != 1:
        faults.append(f"{statement} stands there {seen.count(statement)} times")
for name in sorted(functions):
    if re.match(r"[A-Z]\d+b?_", name) and name not in named:
        faults.append(f"no statement names the test {name}")
for fault in faults:
    print(f"docs/statements.md:{fault}")
sys.exit(1 if faults else 0)
