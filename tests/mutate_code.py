#!/usr/bin/env python3
"""mutate_code.py - would the tests notice if this code were wrong?

    mutate_code.py --tests A,B [--count N] [--seed N] [--tree DIR] [--least PERCENT] [--argued FILE] [--list] FILE...

Makes N copies of the files, each with one thing changed, drawn by the seed from all that could be:

    compare   <  <=  >  >=  ==  !=   by its neighbour          negate    if (a)  ->  if (!(a))
    logic     &&  ||  by the other one                         one       "+ 1" and "- 1" go
    drop      a call or an assignment goes: a sync, a write    swap      two calls that reach the world, or another
                                                                         thread, and follow on each other

and runs the tests (programs under tests/, with AddressSanitizer, in this order) with it until one fails. A change that none of
them notices survived, and is listed with its place: either a test is missing, or the change does not
matter, which the file of --argued says: FILE, KIND, the line as it stands, trimmed, and why, with a tab between them, held
against the code, so that one that is not there any more is an error.

Fails when less than --least percent of those that are not argued were noticed. Builds on the tree of the
preset asan (--tree, else build/asan), as tests/weaken_orders.py does on tsan's: a change costs the
compilation of its file and a link.
"""

import argparse
import random
import re
import resource
import subprocess
import sys
from pathlib import Path

import weaken_orders
from weaken_orders import TREE, Builder, blank_comments

WAIT_S = 120
NEIGHBOUR = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
COMPARE = re.compile(r"(?<= )(<=|>=|==|!=|<|>)(?= )")
LOGIC = re.compile(r"&&|\|\|")
ONE = re.compile(r" [+-] 1(?![\d.xu])")
STATEMENT = re.compile(r"^( +)(?!return\b|break\b|continue\b|goto\b|else\b|case\b|struct\b|const\b|static\b|enum\b"
                       r"|char\b|u?int\d*(?:_t)?\b|size_t\b|bool\b|uint64_t\b|int64_t\b|unsigned\b|double\b|\w+:$)"
                       r"((?:\(void\))?[\w>.\[\]()*&-]+(?: [-+|&]?= [^;]+|\(.*\)|\+\+|--));$", re.M)
REACHES = re.compile(r"\b\w*(?:write|sync|rename|unlink|append|commit|permit|submit|store|put|wake|flush|wipe)\w*\(")
SENTENCE = re.compile(r"\b(?:error_set|error_prefix|log_event)\(")  # what is said is held by other tests
NEGATE = re.compile(r"^( *(?:\} else )?if )\((.+)\)( \{)?$", re.M)


class Change:
    def __init__(self, file, kind, start, end, put, text):
        self.file, self.kind, self.start, self.end, self.put = file, kind, start, end, put
        self.line = text.count("\n", 0, start) + 1
        self.stands = text.splitlines()[self.line - 1].strip()

    def __str__(self):
        return f"{self.file}:{self.line}: {self.kind}: {self.stands}"


def balanced(words):
    depth = 0
    for letter in words:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0


def changes_of(file):
    text = (TREE / file).read_text()
    code, _ = blank_comments(text)
    code = re.sub(r"^ *#.*(?:\\\n.*)*$", lambda found: re.sub(r"[^\n]", " ", found.group(0)), code, flags=re.M)
    body = code.find("\n{\n")
    found = []

    def add(kind, start, end, put):
        if start > body > 0:
            found.append(Change(file, kind, start, end, put, text))

    for match in COMPARE.finditer(code):
        add("compare", match.start(), match.end(), NEIGHBOUR[match.group(1)])
    for match in LOGIC.finditer(code):
        add("logic", match.start(), match.end(), "||" if match.group(0) == "&&" else "&&")
    for match in ONE.finditer(code):
        add("one", match.start(), match.end(), "")
    for match in NEGATE.finditer(code):
        if balanced(match.group(2)):
            add("negate", match.start(2), match.end(2), f"!({text[match.start(2):match.end(2)]})")
    before = None
    for match in STATEMENT.finditer(code):
        if not balanced(match.group(2)) or SENTENCE.search(match.group(2)):
            before = None
            continue
        add("drop", match.start(2), match.end(2), "")
        if before and before.end() + 1 == match.start() and before.group(1) == match.group(1) and \
                REACHES.search(before.group(2)) and REACHES.search(match.group(2)):
            first, second = text[before.start(2):before.end(2)], text[match.start(2):match.end(2)]
            between = text[before.end(2):match.start(2)]
            add("swap", before.start(2), match.end(2), second + between + first)
        before = match
    return text, found


def argued_in(path, texts):
    reasons = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != 4:
            sys.exit(f"{path}:{number}: four parts with a tab between them, not {len(parts)}")
        file, kind, stands, why = parts
        if file in texts and stands not in (each.strip() for each in texts[file].splitlines()):
            sys.exit(f"{path}:{number}: {file} has no such line any more: {stands}")
        reasons[file, kind, stands] = why
    return reasons


def processor_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def seconds_of(builder):
    """What the test takes of the processor with nothing changed; it must pass."""
    before = processor_s()
    how = notices(builder, 600)
    if how:
        sys.exit(f"mutate_code: {builder.program.name} fails with nothing changed: {how}")
    return processor_s() - before


def notices(builder, limit_s):
    """How the test failed; None when it passed. Its time is the processor's, as a machine may be busy; by
    the clock it only has to come to an end."""

    def bound():
        resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    try:
        done = subprocess.run([builder.program], cwd=builder.own, timeout=WAIT_S, capture_output=True, errors="replace",
                              text=True, preexec_fn=bound)
    except subprocess.TimeoutExpired:
        return "no end"
    return None if done.returncode == 0 else f"exit code {done.returncode}"


def defined(path):
    """The functions and data that an object or a program has."""
    words = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True, check=True).stdout.split("\n")
    return {line.split()[-1] for line in words if len(line.split()) == 3 and line.split()[1] in "TDBR"}


def has_file(builder, file, symbols):
    """Whether the program has something of the file: a library gives only the objects that are needed."""
    return any(defined(builder.tree / output) & symbols for output in builder.users.get(file, []))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tests", required=True, help="programs under tests/, comma separated, the quick ones first")
    parser.add_argument("--tree", type=Path, default=TREE / "build" / "asan")
    parser.add_argument("--count", type=int, default=50, help="changes that are tried [50]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--least", type=float, default=90, help="percent that have to be noticed [90]")
    parser.add_argument("--argued", type=Path, help="changes that do not matter, and why")
    parser.add_argument("--list", action="store_true", help="only list the changes that would be tried")
    parser.add_argument("files", nargs="+", metavar="FILE", help="sources, named from the top of the tree")
    args = parser.parse_args()

    texts, every = {}, []
    for file in args.files:
        texts[file], found = changes_of(file)
        every += found
    reasons = argued_in(args.argued, texts) if args.argued else {}
    chosen = random.Random(args.seed).sample(every, min(args.count, len(every)))
    print(f"mutate_code: {len(chosen)} of {len(every)} changes, seed {args.seed}", flush=True)
    if args.list:
        print(*chosen, sep="\n")
        return 0
    builders = [Builder(args.tree, name, "asan") for name in args.tests.split(",")]
    for builder in builders:
        symbols = defined(builder.tree / "tests" / builder.program.name)
        builder.sees = {file for file in args.files if has_file(builder, file, symbols)}
        if not builder.sees:
            sys.exit(f"mutate_code: {builder.program.name} has none of these files")
        file = sorted(builder.sees)[0]
        builder.make(file, texts[file])
        builder.limit_s = int(max(10, 10 * seconds_of(builder)))
    noticed = unbuilt = argued = 0
    survived = []
    for change in chosen:
        text = texts[change.file]
        changed = text[:change.start] + change.put + text[change.end:]
        how = None
        for builder in builders:
            if change.file not in builder.sees:
                continue
            try:
                builder.make(change.file, changed)
            except SystemExit:
                how = "no program"
                break
            how = notices(builder, builder.limit_s)
            if how:
                how = f"{builder.program.name}: {how}"
                break
        if how == "no program":
            unbuilt += 1
        elif how:
            noticed += 1
        elif (change.file, change.kind, change.stands) in reasons:
            argued += 1
        else:
            survived.append(change)
        print(f"{change}\n    {how or reasons.get((change.file, change.kind, change.stands), 'SURVIVED')}", flush=True)
    tried = noticed + len(survived)
    percent = 100 * noticed / tried if tried else 0
    print(f"mutate_code: {noticed} of {tried} noticed ({percent:.0f} %), {argued} argued, {unbuilt} do not compile")
    for change in survived:
        print(f"survived: {change}")
    return 0 if percent >= args.least else 1


if __name__ == "__main__":
    sys.exit(main())
