#!/usr/bin/env python3
"""suite.py - all benches in one run: what they measured, on what, and how that stands to the goals.

    suite.py [--out FOLDER] [--tree FOLDER] [--check] [--compare REV [--rounds N]] [NAME ...]

Runs each program bench_NAME of the build tree [build/release] as bench/suite.csv says, or those that are named, one
after the other, and writes into the folder [build/bench]

    results.json   the machine, versions, commit; of each bench its workload, answer, exit code, time, what the machine
                   did beside it, and of each figure all samples, in their order, with median, least and most
    results.md     the same as a page, with the plots *.svg beside it

Goals are in bench/goals.csv: a figure of a bench, the goal's name, "at least" or "at most", what it must reach and what it
aims at, and the margin by which a median may miss the must before --check says so, as a share of it; "open" for a goal that
has not been reached yet, which is shown and gates nothing.

--compare builds another revision under build/compare and runs both in turns, N [5] times, with what bench/suite.csv says
here; a figure is then the ratio of the two medians of a turn, this tree / the other. Where the other revision has no such
bench or figure, that is said.

Exit codes: 0 all well; 1 a wrong answer, a bench that failed, a goal's figure that is not there, or, with --check, a goal
missed by more than its margin; 64 a wrong argument.
"""
import argparse
import csv
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from xml.sax.saxutils import escape

TREE = Path(__file__).resolve().parent.parent
LIBRARIES = ("rdkafka", "hiredis", "libevent", "jansson", "libcurl", "simdjson", "libhs", "libxxhash", "sqlite3", "mimalloc")
LIMIT_S = 900  # of one bench


def said(*command):
    """The first line of what a command prints; None where it is not there or fails."""
    try:
        done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip().split("\n")[0] or None


def first(path, pattern):
    """What a pattern finds in a file of the kernel's."""
    try:
        found = re.search(pattern, Path(path).read_text(errors="replace"), flags=re.M)
    except OSError:
        return None
    return found.group(1).strip() if found else None


def machine():
    """What the figures hold for."""
    return {
        "processor": first("/proc/cpuinfo", r"^model name\s*:(.*)") or platform.machine(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)),
        "cache": first("/proc/cpuinfo", r"^cache size\s*:(.*)"),
        "memory_mib": int(first("/proc/meminfo", r"^MemTotal:\s*(\d+)") or 0) // 1024,
        "virtual": "hypervisor" in (first("/proc/cpuinfo", r"^flags\s*:(.*)") or ""),
        "kernel": platform.release(),
        "system": first("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
        "compiler": said("cc", "--version"),
        "libraries": {name: version for name in LIBRARIES if (version := said("pkg-config", "--modversion", name))},
    }


def commit(folder=TREE):
    """The revision, and whether anything differs from it."""
    return {"commit": said("git", "-C", str(folder), "rev-parse", "HEAD"),
            "changed": bool(said("git", "-C", str(folder), "status", "--porcelain"))}


def processor_ticks():
    """Ticks of all processors: at work for anybody here, taken away by the host of a virtual machine, all."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return {"busy": sum(ticks) - ticks[3] - ticks[4], "stolen": ticks[7] if len(ticks) > 7 else 0, "all": sum(ticks)}


def median(values):
    """The median, as the benches reckon it."""
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def run_one(tree, name, arguments, folder):
    """One run of one bench: what it said, and what went on beside it."""
    told = folder / "told.jsonl"
    told.unlink(missing_ok=True)
    # By hand: a bench writes into the folder that it is in.
    command = [str(tree / "bench" / f"bench_{name}"), *arguments]
    result = {"bench": name, "arguments": arguments, "figures": {}, "curves": {}, "workload": None, "answer": None, "load": os.getloadavg()[0]}
    before, began = processor_ticks(), time.monotonic()
    used = os.times()
    try:
        done = subprocess.run(command, cwd=folder, env={**os.environ, "TOCSIN_BENCH_RESULT": str(told)}, timeout=LIMIT_S,
                              capture_output=True, text=True, errors="replace")
        result["exit"] = done.returncode
        if done.returncode != 0:
            result["said"] = (done.stdout + done.stderr)[-2000:]
    except (OSError, subprocess.TimeoutExpired) as error:
        result["exit"], result["said"] = -1, str(error)
    after, spent = processor_ticks(), os.times()
    every = max(1, after["all"] - before["all"])
    own = (spent.children_user + spent.children_system - used.children_user - used.children_system) * os.sysconf("SC_CLK_TCK")
    result["seconds"] = round(time.monotonic() - began, 2)
    # What others did meanwhile, of all that the processors can; a process that outlives its bench would be among them.
    result["others"] = round(max(0.0, (after["busy"] - before["busy"] - own) / every), 3)
    result["stolen"] = round((after["stolen"] - before["stolen"]) / every, 3)
    for line in told.read_text().split("\n") if told.exists() else []:
        if not line:
            continue
        row = json.loads(line)
        if "workload" in row:
            result["workload"] = row["workload"]
        elif "answer" in row:
            result["answer"], result["answer_said"] = row["answer"], row["said"]
        elif "curve" in row:
            result["curves"][row["curve"]] = {key: row[key] for key in ("what", "unit", "count", "points")}
        else:
            figure = {key: row[key] for key in ("what", "unit", "samples", "absent") if key in row}
            if "samples" in row:
                figure |= {"median": median(row["samples"]), "least": min(row["samples"]), "most": max(row["samples"])}
            result["figures"][row["figure"]] = figure
    told.unlink(missing_ok=True)
    return result


def rows(path):
    """The rows of a table, each as a dictionary."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def judge(goal, result):
    """How one goal stands: its figure, a word, and whether --check is to fail of it."""
    figure = result["figures"].get(goal["figure"])
    verdict = dict(goal, state="missing", gates=goal["margin"] != "open")
    if figure is None:
        return verdict
    if "absent" in figure:
        return dict(verdict, state="not measured", why=figure["absent"])
    sign = 1 if goal["sense"] == "at least" else -1
    value, must = figure["median"], float(goal["must"])
    margin = 0 if goal["margin"] == "open" else float(goal["margin"])
    aim = float(goal["aim"]) if goal["aim"] else None
    if sign * value >= sign * must:
        state = "aim reached" if aim is not None and sign * value >= sign * aim else "reached"
    else:
        state = "within the margin" if sign * value >= sign * must - margin * abs(must) else "missed"
    return dict(verdict, state=state, median=value, least=figure["least"], most=figure["most"], unit=figure["unit"])


def failures(results, verdicts, must_hold):
    """What makes the run fail, a sentence each."""
    for result in results:
        if result["exit"] != 0 or result["answer"] != "right":
            why = result.get("answer_said") if result["answer"] == "wrong" else result.get("said", "it said no answer")
            yield f"bench_{result['bench']}: exit code {result['exit']}, answer {result['answer']}: {why}"
    for verdict in verdicts:
        name = f"bench_{verdict['bench']}, {verdict['figure']}"
        if verdict["state"] == "missing":
            yield f"{name}: a goal is held against it, and there is no such figure"
        elif must_hold and verdict["gates"] and verdict["state"] == "missed":
            yield (f"{name}: {verdict['median']:.4g}, and it must be {verdict['sense']} {verdict['must']}, "
                   f"with a margin of {float(verdict['margin']) * 100:.0f} %")


# ---- plots ----

INK, SOFT, MARK = "#1f2933", "#9aa5b1", "#0b6e99"


class Drawing:
    """An SVG file, piece by piece."""

    def __init__(self, width, height, title):
        self.width, self.height = width, height
        self.parts = [f'<rect width="{width}" height="{height}" fill="#ffffff"/>']
        self.text(12, 20, title, size=14, weight="bold")

    def text(self, x, y, words, size=11, anchor="start", colour=INK, weight="normal"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-family="sans-serif" font-size="{size}" font-weight="{weight}" '
                          f'text-anchor="{anchor}" fill="{colour}">{escape(words)}</text>')

    def line(self, x1, y1, x2, y2, colour=SOFT, width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>')

    def bar(self, x, y, width, height, colour=MARK):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" fill="{colour}"/>')

    def write(self, path):
        path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
                        f'viewBox="0 0 {self.width} {self.height}">\n' + "\n".join(self.parts) + "\n</svg>\n")


def plot_bars(path, title, figures):
    """A bar for each median, a line from least to most across it."""
    left, right, high = 330, 110, 22
    drawing = Drawing(860, 40 + high * len(figures), title)
    room, top = 860 - left - right, max(figure["most"] for _, figure in figures) or 1
    for number, (what, figure) in enumerate(figures):
        y = 34 + number * high
        drawing.text(left - 8, y + 12, what, anchor="end")
        drawing.bar(left, y + 2, room * figure["median"] / top, high - 8)
        drawing.line(left + room * figure["least"] / top, y + 9, left + room * figure["most"] / top, y + 9, INK, 1.5)
        drawing.text(left + room + 8, y + 12, f"{figure['median']:.4g} {figure['unit']}")
    drawing.write(path)


def plot_curves(path, title, curves):
    """What share of all is no more than what: shares by the decade of what is beyond them, to the right the rarest."""
    left, top, room, high, colours = 60, 44, 560, 260, (MARK, "#c2703d", "#5b8c2a", "#7b4fa3", INK, SOFT)
    drawing = Drawing(860, top + high + 50, title)
    rarest = min(1 - share for _, curve in curves for share, _ in curve["points"] if share < 1)
    decades = math.ceil(-math.log10(rarest) - 1e-9) + 1  # the last one is for the most of all
    most = max(value for _, curve in curves for _, value in curve["points"]) or 1

    def place(share, value):
        beyond = decades if share >= 1 else min(decades, -math.log10(1 - share))
        return left + room * beyond / decades, top + high * (1 - max(0, value) / most)

    for decade in range(decades + 1):
        x = left + room * decade / decades
        drawing.line(x, top, x, top + high)
        share = "0" if decade == 0 else "all" if decade == decades else f"{100 - 100 / 10 ** decade:.6g} %"
        drawing.text(x, top + high + 16, share, anchor="middle")
    for part in range(5):
        y = top + high * (1 - part / 4)
        drawing.line(left, y, left + room, y)
        drawing.text(left - 6, y + 4, f"{most * part / 4:.3g}", anchor="end")
    for place_of, (what, curve) in enumerate(curves):
        colour = colours[place_of % len(colours)]
        points = [place(share, value) for share, value in curve["points"]]
        for (x1, y1), (x2, y2) in zip(points, points[1:]):
            drawing.line(x1, y1, x2, y2, colour, 2)
        drawing.text(left + room + 12, top + 12 + 18 * place_of, f"{what}, {curve['unit']}, n={curve['count']}", colour=colour)
    drawing.text(left + room / 2, top + high + 38, "share of all that took no longer", anchor="middle")
    drawing.write(path)


def plot_goals(path, verdicts):
    """Each goal as what was reached of what must be: to the right of the line it is met."""
    shown = [v for v in verdicts if "median" in v and float(v["must"]) != 0 and v["median"] > 0]
    left, right, high = 330, 150, 22
    drawing = Drawing(860, 48 + high * len(shown), "What was reached, of what must be (right of the line: met)")
    room, top = 860 - left - right, 3.0

    def place(verdict, value):
        must = float(verdict["must"])
        share = value / must if verdict["sense"] == "at least" else must / max(value, must / top)
        return left + room * min(share, top) / top

    for number, verdict in enumerate(shown):
        y = 34 + number * high
        ends = sorted((place(verdict, verdict["least"]), place(verdict, verdict["most"])))
        met = verdict["state"] in ("reached", "aim reached")
        drawing.text(left - 8, y + 12, f"{verdict['goal']} {verdict['bench']}: {verdict['figure']}".strip(), anchor="end")
        drawing.bar(left, y + 2, place(verdict, verdict["median"]) - left, high - 8, MARK if met else "#c2703d")
        drawing.line(ends[0], y + 9, ends[1], y + 9, INK, 1.5)
        drawing.text(left + room + 8, y + 12, f"{verdict['median']:.3g}, {verdict['sense']} {verdict['must']}")
    at = left + room / top
    drawing.line(at, 30, at, 36 + high * len(shown), INK, 1)
    drawing.write(path)


# File, title, and the figures of which bench a plot is of.
PLOTS = (
    ("kafka.svg", "Throughput: Kafka to incidents, and a bare consumer", "kafka", r"(bare|ours)(\.lz4)?"),
    ("kafka-stages.svg", "CPU of an event from Kafka, own threads, by stage", "kafka", r"stage-[a-z]+"),
    ("workers.svg", "Throughput of a replay by workers", "replay", r"rate-\d"),
    ("stages.svg", "CPU of an event: all of a replay, and parts of it alone", None,
     ("replay cpu-1", "decode full.300", "rules_match match.10", "windows cpu.0.1000", "enrich all")),
    ("rules.svg", "CPU of finding an event's rules, by their number", "rules_plan", r"match\.\d+"),
    ("peers.svg", "CPU of an event of one job, tocsin and its peers", "peers", r"cpu\..*"),
    ("forms.svg", "CPU of an event by form of the rule", "forms", r"cpu\.\d+"),
    ("windows.svg", "CPU of an event by what its window holds", "windows", r"cpu\..*"),
    ("memory.svg", "Memory of a rule's key", "keys", r"bytes\..*"),
    ("images.svg", "How long nothing is planned while an image is taken", "snapshot", r"(hold|floor)-p\d+\..*"),
)

# Of the plot of a bench's curves, which any may have.
CURVES = {"latency": "From an event to the POST that tells of it"}


def plots(results, verdicts, folder):
    """Draws what there are figures for; the names of the files with their titles."""
    by_name = {result["bench"]: result["figures"] for result in results}
    drawn = []
    if any("median" in verdict for verdict in verdicts):
        plot_goals(folder / "goals.svg", verdicts)
        drawn.append(("goals.svg", "Goals"))
    for file, title, bench, wanted in PLOTS:
        if bench is None:
            chosen = [by_name.get(name.split()[0], {}).get(name.split()[1]) for name in wanted]
        else:
            chosen = [figure for key, figure in by_name.get(bench, {}).items() if re.fullmatch(wanted, key)]
        chosen = [(figure["what"], figure) for figure in chosen if figure and "samples" in figure]
        if chosen:
            plot_bars(folder / file, title, chosen)
            drawn.append((file, title))
    for result in results:
        if result["curves"]:
            file, title = f"{result['bench']}-spread.svg", CURVES.get(result["bench"], f"How what {result['bench']} took is spread")
            plot_curves(folder / file, title, [(curve["what"], curve) for curve in result["curves"].values()])
            drawn.append((file, title))
    return drawn


# ---- the page ----

def number(value):
    return f"{value:.4g}"


def span(figure):
    """A median with what it lies between."""
    if len(figure["samples"]) == 1:
        return number(figure["median"])
    return f"{number(figure['median'])} [{number(figure['least'])} .. {number(figure['most'])}], n={len(figure['samples'])}"


def page(run, folder):
    """The run as Markdown."""
    facts = run["machine"]
    lines = ["# What this machine carries", "",
             f"{run['began']}, commit {run['revision']['commit']}{', changed since' if run['revision']['changed'] else ''}.", "",
             f"{facts['processor']}, {facts['cores_usable']} of {facts['cores']} cores"
             f"{' of a virtual machine' if facts['virtual'] else ''}, {facts['memory_mib']} MiB, {facts['system']}, kernel "
             f"{facts['kernel']}, {facts['compiler']}; " + ", ".join(f"{k} {v}" for k, v in facts["libraries"].items()) + ".", "",
             "Figures are medians, with the least and the most of so many samples. \"Others\" is what other processes took of all "
             "cores while a bench ran, \"stolen\" what the host of a virtual machine took: ratios bear both better than rates do.", ""]
    if run["failures"]:
        lines += ["## What failed", ""] + [f"- {failure}" for failure in run["failures"]] + [""]
    lines += ["## Goals", "", "| goal | bench | figure | must | aim | measured | |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for verdict in run["goals"]:
        measured = verdict.get("why", "-")
        if "median" in verdict:
            measured = f"{number(verdict['median'])} [{number(verdict['least'])} .. {number(verdict['most'])}] {verdict['unit']}"
        state = verdict["state"] + ("" if verdict["gates"] else ", no gate yet")
        lines.append(f"| {verdict['goal']} | {verdict['bench']} | {verdict['figure']} | {verdict['sense']} {verdict['must']} | "
                     f"{verdict['aim']} | {measured} | {state} |")
    lines += [""] + [f"![{title}]({file})\n" for file, title in plots(run["benches"], run["goals"], folder)]
    for result in run["benches"]:
        lines += [f"## {result['bench']}", "",
                  f"`bench_{' '.join([result['bench'], *result['arguments']])}`: {result['workload'] or 'it said nothing'}. "
                  f"{result['seconds']} s, load {result['load']:.1f} before it, others {result['others'] * 100:.0f} %, "
                  f"stolen {result['stolen'] * 100:.0f} %. Answer: {result['answer']}"
                  + (f" ({result['answer_said']})" if result["answer"] else "") + ".", "",
                  "| figure | | unit |", "| --- | --- | --- |"]
        lines += [f"| {figure['what'].strip()} | {span(figure) if 'samples' in figure else 'not measured: ' + figure['absent']} | "
                  f"{figure.get('unit', '')} |" for figure in result["figures"].values()] + [""]
    (folder / "results.md").write_text("\n".join(lines))


# ---- two revisions ----

def other_tree(revision):
    """Builds another revision and returns its build tree."""
    found = said("git", "rev-parse", "--verify", "--quiet", revision + "^{commit}")
    if found is None:
        sys.exit(f"suite.py: {revision} is no revision of this repository")
    folder = TREE / "build" / "compare" / found
    if not (folder / "dev").exists():
        folder.mkdir(parents=True, exist_ok=True)
        files = subprocess.run(["git", "archive", found], cwd=TREE, check=True, stdout=subprocess.PIPE).stdout
        subprocess.run(["tar", "-x", "-C", str(folder)], input=files, check=True)
    subprocess.run([str(folder / "dev"), "build"], cwd=folder, check=True, stdout=sys.stderr)
    return folder / "build" / "release"


def compare(mine, theirs, names, rounds, folder):
    """Both trees in turns: by bench and figure the ratio of each turn."""
    ratios, wrong = {}, []
    for turn in range(rounds):
        for name, arguments in names:
            pair = {}
            for side, tree in (("mine", mine), ("theirs", theirs))[::1 if turn % 2 == 0 else -1]:
                pair[side] = run_one(tree, name, arguments, folder)
                if pair[side]["exit"] != 0:
                    wrong.append(f"bench_{name} of {'this tree' if side == 'mine' else 'the other'}: exit code {pair[side]['exit']}")
            for key, figure in pair["mine"]["figures"].items():
                other = pair["theirs"]["figures"].get(key, {})
                if "median" in figure and other.get("median"):
                    ratios.setdefault((name, key), (figure, []))[1].append(figure["median"] / other["median"])
                elif "median" in figure:
                    ratios.setdefault((name, key), (figure, []))
    return ratios, wrong


def print_comparison(ratios, revision, out):
    """The ratios as lines and as a file."""
    table = []
    for (name, key), (figure, values) in ratios.items():
        if values:
            print(f"{name:12} {figure['what'].strip()[:56]:56} {median(values):7.3f} [{min(values):.3f} .. {max(values):.3f}]")
        else:
            print(f"{name:12} {figure['what'].strip()[:56]:56} not there, or zero, in {revision}")
        table.append({"bench": name, "figure": key, "what": figure["what"], "unit": figure["unit"], "ratios": values})
    (out / "compare.json").write_text(json.dumps({"machine": machine(), "revision": commit(), "other": revision, "figures": table}, indent=1))
    print(f"this tree / {revision}, medians of turns with the least and the most: {out / 'compare.json'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda why: (print(f"suite.py: {why}", file=sys.stderr), sys.exit(64))
    parser.add_argument("--out", type=Path, default=TREE / "build" / "bench")
    parser.add_argument("--tree", type=Path, default=TREE / "build" / "release")
    parser.add_argument("--runs", type=Path, default=TREE / "bench" / "suite.csv", help="which benches, with which arguments")
    parser.add_argument("--goals", type=Path, default=TREE / "bench" / "goals.csv")
    parser.add_argument("--check", action="store_true", help="fail where a goal is missed by more than its margin")
    parser.add_argument("--compare", metavar="REV", help="run another revision in turns with this one")
    parser.add_argument("--rounds", type=int, default=5, help="turns of --compare [5]")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()

    names = [(row["bench"], row["arguments"].split()) for row in rows(args.runs)]
    known = [name for name, _ in names]
    for name in args.names:
        if name not in known:
            parser.error(f"no benchmark is named {name}; there are {' '.join(known)}")
    names = [row for row in names if not args.names or row[0] in args.names]
    args.out = args.out.resolve()  # a bench has it as its folder
    args.out.mkdir(parents=True, exist_ok=True)
    tree = args.tree.resolve()
    if args.compare:
        ratios, wrong = compare(tree, other_tree(args.compare), names, max(1, args.rounds), args.out)
        print_comparison(ratios, args.compare, args.out)
        for why in wrong:
            print(f"suite.py: {why}", file=sys.stderr)
        return 1 if wrong else 0

    run = {"machine": machine(), "revision": commit(), "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "benches": []}
    for name, arguments in names:
        print(f"bench_{name}", flush=True)
        result = run_one(tree, name, arguments, args.out)
        for figure in result["figures"].values():
            print(f"  {figure['what']:56} " + (f"{span(figure)}  {figure['unit']}" if "samples" in figure else "not measured: " + figure["absent"]))
        run["benches"].append(result)
    by_name = {result["bench"]: result for result in run["benches"]}
    run["goals"] = [judge(goal, by_name[goal["bench"]]) for goal in rows(args.goals) if goal["bench"] in by_name]
    run["failures"] = list(failures(run["benches"], run["goals"], args.check))
    (args.out / "results.json").write_text(json.dumps(run, indent=1))
    page(run, args.out)
    for verdict in run["goals"]:
        if "median" in verdict:
            print(f"{verdict['goal']:4} {verdict['bench']} {verdict['figure']}: {number(verdict['median'])}, {verdict['sense']} "
                  f"{verdict['must']}: {verdict['state']}" + ("" if verdict["gates"] else " (no gate yet)"))
    for why in run["failures"]:
        print(f"suite.py: {why}", file=sys.stderr)
    print(f"{args.out / 'results.md'}, {args.out / 'results.json'}")
    return 1 if run["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
