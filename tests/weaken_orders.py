#!/usr/bin/env python3
"""weaken_orders.py - is every memory order of a lock-free file needed, and does a test see it?

    weaken_orders.py --test NAME [--edges P,C] [--tries N] [--list] FILE...

A test of a lock-free hand-over that passes proves little: on x86 most orders cost nothing and do
nothing that shows. So each acquire, release and acq_rel of the given files is weakened, one at a
time, and the test tests/NAME.c, built with ThreadSanitizer, must then fail:

    memory_order_acquire, memory_order_release  ->  memory_order_relaxed
    memory_order_acq_rel                        ->  memory_order_acquire, and memory_order_release

A weakening that passes all tries survived: either the order is not needed, or the test does not
reach the hand-over that it is for. Both are findings, and the exit code is 1.

The comment above the order, or behind it, names its edge: `/* P, release end: ... */`, `edge P`, or
the letter alone. An order without a letter is a finding too. Where no test can see an order, that comment says
why: `unseen by tsan: <reason>`; the order is then listed and left alone.

Works in a copy of the tree below the current folder and never touches the checkout.
Needs what `./dev test` needs: cmake, ninja and a compiler with ThreadSanitizer.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
COPIED = ["CMakeLists.txt", "CMakePresets.json", "cmake", "base", "ingest", "rules", "store", "correlate",
          "predict", "sinks", "daemon", "tests", "bench"]
ORDER = re.compile(r"\bmemory_order_(acquire|release|acq_rel)\b")
EDGE = re.compile(r"\bedges? ([A-Z][0-9]?)\b|\b([A-Z][0-9]?), (?:acquire|release|both)\b|^/\* *([A-Z][0-9]?) *$")
UNSEEN = re.compile(r"unseen by tsan: *([^*]+?) *(?:\.|$)")
COMMENT_REACH = 12  # lines from the start of the comment to the order it speaks of


class Site:
    """One order of one file, and what its comment says."""

    def __init__(self, file, line, start, end, order, comment):
        self.file, self.line, self.start, self.end, self.order = file, line, start, end, order
        edge = EDGE.search(comment)
        self.edge = next(filter(None, edge.groups())) if edge else None
        unseen = UNSEEN.search(comment)
        self.unseen = unseen.group(1) if unseen else None

    def weaker(self):
        return ["acquire", "release"] if self.order == "acq_rel" else ["relaxed"]

    def __str__(self):
        return f"{self.file}:{self.line}: {self.order} of edge {self.edge or '?'}"


def blank_comments(text):
    """The text with comments and strings as blanks of the same length, and the comments."""
    comments = []

    def blank(match):
        found = match.group(0)
        if found.startswith("/"):
            comments.append((match.start(), match.end(), found))
        return re.sub(r"[^\n]", " ", found)

    code = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', blank, text, flags=re.S)
    return code, comments


def sites_of(file):
    text = (TREE / file).read_text()
    code, comments = blank_comments(text)
    found = []
    for match in ORDER.finditer(code):
        line = text.count("\n", 0, match.start()) + 1
        # The nearest comment before the end of this line that starts close enough above.
        line_end = text.find("\n", match.end())
        near = ""
        for start, _, words in comments:
            if start < line_end and line - (text.count("\n", 0, start) + 1) <= COMMENT_REACH:
                near = words
        near = re.sub(r"\s*\n\s*\*?\s*", " ", near.removesuffix("*/").rstrip())
        found.append(Site(file, line, match.start(), match.end(), match.group(1), near))
    return found


def write_if_other(path, text):
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copy_tree(copy):
    """Brings the copy up to date; equal files keep their time, so that little is built again."""
    wanted = set()
    for name in COPIED:
        root = TREE / name
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                target = copy / path.relative_to(TREE)
                wanted.add(target)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists() or target.read_bytes() != path.read_bytes():
                    shutil.copy(path, target)
    for path in copy.rglob("*"):
        if path.is_file() and path not in wanted and "build" not in path.relative_to(copy).parts:
            path.unlink()


class Builder:
    """The copy of the tree, its tsan build, and the one test that is built and run there."""

    def __init__(self, copy, test):
        self.copy, self.test, self.build = copy, test, copy / "build" / "tsan"
        # Weakened code may draw warnings; they must not stand for a failed test.
        self.must(["cmake", "--preset", "tsan", "-DCMAKE_C_FLAGS=-Wno-error"])

    def must(self, command):
        done = subprocess.run(command, cwd=self.copy, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"weaken_orders: {' '.join(map(str, command))}: {done.stdout[-3000:]}{done.stderr[-1000:]}")

    def make(self):
        self.must(["cmake", "--build", self.build, "--target", self.test])

    def run(self, limit_s):
        """None if the test passed, else a word on how it failed."""
        environment = dict(os.environ)
        environment["TSAN_OPTIONS"] = f"halt_on_error=1:suppressions={self.copy}/tests/tsan.supp"
        try:
            done = subprocess.run([self.build / "tests" / self.test], cwd=self.copy, timeout=limit_s,
                                  env=environment, capture_output=True, text=True, errors="replace")
        except subprocess.TimeoutExpired:
            return "no end"
        if done.returncode == 0:
            return None
        report = re.search(r"WARNING: ThreadSanitizer: ([a-z ]+)", done.stdout + done.stderr)
        return report.group(1).strip() if report else f"exit code {done.returncode}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", required=True, help="the program under tests/ that must notice, e.g. test_batch_ring")
    parser.add_argument("--edges", help="only these edges, comma separated")
    parser.add_argument("--tries", type=int, default=3, help="runs before a weakening counts as survived [3]")
    parser.add_argument("--limit", type=int, default=240, help="seconds that one run may take [240]")
    parser.add_argument("--list", action="store_true", help="only list the orders and their edges")
    parser.add_argument("files", nargs="+", metavar="FILE", help="sources, named from the top of the tree")
    args = parser.parse_args()

    sites = [site for file in args.files for site in sites_of(file)]
    if args.edges:
        sites = [site for site in sites if site.edge in args.edges.split(",")]
    if not sites:
        sys.exit("weaken_orders: no acquire, release or acq_rel in " + " ".join(args.files))
    if args.list:
        for site in sites:
            print(site, f"(unseen by tsan: {site.unseen})" if site.unseen else "")
        return 0

    copy = Path.cwd() / "weakened"
    copy_tree(copy)
    builder = Builder(copy, args.test)
    builder.make()
    failure = builder.run(args.limit)
    if failure:
        sys.exit(f"weaken_orders: {args.test} fails as it is ({failure}), so weakening would show nothing")

    survivors, nameless, seen = [], [], 0
    for site in sites:
        if site.unseen:
            print(f"{site}: left alone, unseen by tsan: {site.unseen}", flush=True)
            continue
        if not site.edge:
            nameless.append(site)
        original = (TREE / site.file).read_text()
        for weaker in site.weaker():
            write_if_other(copy / site.file, original[:site.start] + f"memory_order_{weaker}" + original[site.end:])
            builder.make()
            failure = None
            for _ in range(args.tries):
                failure = builder.run(args.limit)
                if failure:
                    break
            if failure:
                seen += 1
            else:
                survivors.append(f"{site} -> {weaker}")
            print(f"{site} -> {weaker}: {'seen, ' + failure if failure else 'SURVIVED'}", flush=True)
        write_if_other(copy / site.file, original)
    for survivor in survivors:
        print(f"survived: {survivor}: {args.test} passed {args.tries} times")
    for site in nameless:
        print(f"no edge: {site.file}:{site.line}: the comment above names no edge")
    print(f"{seen} weakenings seen, {len(survivors)} survived, {len(nameless)} orders without an edge")
    return 1 if survivors or nameless else 0


if __name__ == "__main__":
    sys.exit(main())
