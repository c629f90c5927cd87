#!/usr/bin/env python3
"""weaken_orders.py - is every memory order of a lock-free file needed, and does a test see it?

    weaken_orders.py --test NAME [--tree DIR] [--edges P,C] [--tries N] [--list] FILE...

A test of a lock-free hand-over that passes proves little: on x86 most orders cost nothing and do
nothing that shows. So each order of the given files that is stronger than relaxed is weakened, one
at a time, and the test tests/NAME.c, built with ThreadSanitizer, must then fail:

    memory_order_acquire, memory_order_release, memory_order_seq_cst  ->  memory_order_relaxed
    memory_order_acq_rel                        ->  memory_order_acquire, and memory_order_release

A weakening that passes all tries survived: either the order is not needed, or the test does not
reach the hand-over that it is for. Both are findings, and the exit code is 1.

The comment above the order, or behind it, names its edge: `/* P, release end: ... */`, `edge P`, or
the letter alone. An order without a letter is a finding too. Where no test can see an order, that comment says
why: `unseen by tsan: <reason>`; the order is then listed and left alone.

Builds on the tree of the preset tsan (--tree, else build/tsan, made if missing): a weakening costs
the compilation of its file, or of all that include it, and one link. What is weakened lies in the
folder weakened/ below the current one; neither the checkout nor the programs of the tree change.
Needs what `./dev test` needs: cmake, ninja and a compiler with ThreadSanitizer.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
ORDER = re.compile(r"\bmemory_order_(acquire|release|acq_rel|seq_cst)\b")
EDGE = re.compile(r"\bedges? ([A-Z][0-9]?)\b|\b([A-Z][0-9]?), (?:acquire|release|both|unseen)\b|^/\* *([A-Z][0-9]?) *$")
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


def said_by(command, folder):
    """What a command prints; one that fails ends it all."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        words = command if isinstance(command, str) else " ".join(map(str, command))
        sys.exit(f"weaken_orders: {words}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


class Builder:
    """A tree, and how one test is linked from it with a changed file in front of the rest."""

    made = {}  # by object: the file and the text that it was made with; tests share them

    def __init__(self, tree, test, preset="tsan"):
        self.tree, self.own = tree, Path.cwd() / "weakened"
        self.program = self.own / test
        self.own.mkdir(exist_ok=True)
        if not (tree / "build.ninja").exists():
            said_by(["cmake", "--preset", preset, "-B", tree], TREE)
        said_by(["cmake", "--build", tree, "--target", test], TREE)
        self.compile, self.link = {}, None
        wanted = set(said_by(["ninja", "-t", "inputs", test], tree).split())
        for rule in json.loads(said_by(["ninja", "-t", "compdb"], tree)):
            if rule["output"] == f"tests/{test}":
                words = shlex.split(rule["command"])
                self.link = words[words.index("&&") + 1:words.index("&&", 2)]  # ": && cc ... && :"
            elif rule["output"] in wanted and rule["file"].endswith(".c"):
                self.compile[rule["output"]] = (Path(rule["file"]), shlex.split(rule["command"]))
        if self.link is None:
            sys.exit(f"weaken_orders: no program of {tree} is named {test}")
        self.users = self.users_of_files()

    def users_of_files(self):
        """By file of the checkout: the objects of the test that it is part of."""
        users, current = {}, None
        for line in said_by(["ninja", "-t", "deps"], self.tree).splitlines():
            if line.startswith("    "):
                path = (self.tree / line.strip()).resolve()
                if current in self.compile and path.is_relative_to(TREE):
                    users.setdefault(str(path.relative_to(TREE)), []).append(current)
            elif line:
                current = line.split(":")[0]
        return users

    def objects(self, file):
        """The objects that a weakening of the file makes again."""
        found = self.users.get(file, [])
        if not found:
            sys.exit(f"weaken_orders: {file} is no part of {self.program.name}")
        return found

    def make(self, file, text):
        """Builds the test with the text in place of the file."""
        weakened = self.own / file
        weakened.parent.mkdir(parents=True, exist_ok=True)
        weakened.write_text(text)
        made = []
        for output in self.objects(file):
            source, command = self.compile[output]
            target = self.own / (output.replace("/", "-"))
            if Builder.made.get(target) == (file, text):
                made.append((output, str(target)))
                continue
            Builder.made.pop(target, None)
            # In place of the source, or before it among the folders that are looked through. What
            # is weakened may draw warnings; they must not stand for a failed test.
            words = [word for word in command if not word.startswith("-MD")]
            for option in ("-MT", "-MF"):
                del words[words.index(option):words.index(option) + 2]
            words[words.index("-o") + 1] = str(target)
            words[-1] = str(weakened if source == TREE / file else source)
            options = next(at for at, word in enumerate(words) if word.startswith("-"))  # a launcher may come first
            words[options:options] = [f"-I{self.own}", f"-iquote{source.parent}"]
            said_by(words + ["-Wno-error"], self.tree)
            Builder.made[target] = (file, text)
            made.append((output, str(target)))
        weakened.unlink()
        link = list(self.link)
        link[link.index("-o") + 1] = str(self.program)
        # An object of a library: what is named before the library is taken in its place.
        front = link.index("-o")
        for output, target in made:
            if output in link:
                link[link.index(output)] = target
            else:
                link.insert(front, target)
        said_by(link, self.tree)

    def run(self, limit_s):
        """None if the test passed, else a word on how it failed."""
        environment = dict(os.environ)
        environment["TSAN_OPTIONS"] = f"halt_on_error=1:suppressions={TREE}/tests/tsan.supp"
        try:
            # Line by line, so that what was begun before a report is told.
            done = subprocess.run(["stdbuf", "-oL", self.program], cwd=self.own, timeout=limit_s,
                                  env=environment, capture_output=True, text=True, errors="replace")
        except subprocess.TimeoutExpired:
            return "no end"
        if done.returncode == 0:
            return None
        report = re.search(r"WARNING: ThreadSanitizer: ([a-z ]+)", done.stdout + done.stderr)
        begun = re.findall(r"^\[ RUN +\] (\w+)", done.stdout, flags=re.M)
        what = report.group(1).strip() if report else f"exit code {done.returncode}"
        return f"{what} in {begun[-1]}" if begun else what


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test", required=True, help="the program under tests/ that must notice, e.g. test_batch_ring")
    parser.add_argument("--tree", type=Path, default=TREE / "build" / "tsan", help="a build tree of the preset tsan [build/tsan]")
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
        sys.exit("weaken_orders: no order but relaxed in " + " ".join(args.files))
    if args.list:
        for site in sites:
            print(site, f"(unseen by tsan: {site.unseen})" if site.unseen else "")
        return 0

    if any(not site.unseen for site in sites):
        builder = Builder(args.tree.resolve(), args.test)
        first = next(site.file for site in sites if not site.unseen)
        builder.make(first, (TREE / first).read_text())
        failure = builder.run(args.limit)
        if failure:
            sys.exit(f"weaken_orders: {args.test} fails as it is ({failure}), so weakening would show nothing")

    survivors, nameless, seen = [], [], 0
    for site in sites:
        if not site.edge:
            nameless.append(site)
        if site.unseen:
            print(f"{site}: left alone, unseen by tsan: {site.unseen}", flush=True)
            continue
        original = (TREE / site.file).read_text()
        for weaker in site.weaker():
            builder.make(site.file, original[:site.start] + f"memory_order_{weaker}" + original[site.end:])
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
    for survivor in survivors:
        print(f"survived: {survivor}: {args.test} passed {args.tries} times")
    for site in nameless:
        print(f"no edge: {site.file}:{site.line}: the comment above names no edge")
    alone = sum(1 for site in sites if site.unseen)
    print(f"{seen} weakenings seen, {len(survivors)} survived, {len(nameless)} orders without an edge, "
          f"{alone} left alone")
    return 1 if survivors or nameless else 0


if __name__ == "__main__":
    sys.exit(main())
