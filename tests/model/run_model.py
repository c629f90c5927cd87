"""Compares the engine with the model, byte for byte, on random scenarios.

    run_model.py --runner PROGRAM --work FOLDER [--seed N] [--count N] [--runs N] [--all] [--big] [--live] [--images]
                 [--shrink] [--form NAME]
    run_model.py --runner PROGRAM --work FOLDER --seed N --count 1      a single seed
    run_model.py --runner PROGRAM --work FOLDER --case FILE ...         kept scenarios (scenario.json), all runs

With --live the program is live_runner: each run answers with the marks that it made, and the model computes with those.

With --images each run is cut by images of the engine (correlate/snapshot.h): what several engines tell, each going on
from the image of the one before, has to be what the model tells.

Each scenario runs in some configurations (workers, take, epoch, shuffle, seed of the hashes): one worker, and others
that are drawn by its seed, or with --all every one. A scenario that differs is kept in WORK/seed-N with both logs and,
with --shrink, made as small as the difference allows. Several processes share the seeds.
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

import generate
from frame.run import run
from write import payload_of, write

WORKERS, TAKES, EPOCHS = (1, 2, 3, 4, 8), (1, 7, 512, 65536), (1, 20, 200)
CONTEXT = 3
IMPOSSIBLE = "can never be|is always true|no rule of `of` has|an incident has no"
DRAWS_MAX = 20  # of one seed, while its rules are refused as impossible
CHUNK = 50  # seeds that a process takes at a time


class Runner:
    """One engine_runner process; started anew when a run ended it."""

    def __init__(self, program):
        self.program = program
        self.process = None
        self.runs = 0
        self.lines = 0  # compared
        self.refused = 0  # scenarios

    def run(self, folder, setup):
        if self.process is None:
            self.process = subprocess.Popen([self.program], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE)
        self.runs += 1
        self.process.stdin.write((" ".join(map(str, (folder, *setup))) + "\n").encode())
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                code = self.process.wait()
                self.process = None
                return lines + [f"the engine ended with code {code}"]
            line = line.decode("utf-8", "replace").rstrip("\n")
            if line == "done":
                if lines and lines[-1].startswith("not finished"):
                    self.end()  # it ends itself: its threads cannot be trusted
                    self.process = None
                return lines
            lines.append(line)

    def end(self):
        """The exit code of the process: a sanitizer's report shows in it."""
        if self.process is None:
            return 0
        self.process.stdin.close()
        return self.process.wait()


def setups(seed, count, everything, images=False):
    """Workers, take, epoch, shuffle, hash seed. One worker without shuffle is always there.

    With images, further: after how many steps one is asked for.
    """
    if images:
        r = random.Random(seed)
        return [(r.choice(WORKERS), r.choice((1, 1, 1, 2, 7)), r.choice(EPOCHS), r.choice([0, r.randrange(1, 1 << 32)]),
                 r.randrange(1 << 63), int(2 ** r.uniform(0, 4))) for _ in range(count)]
    if everything:
        return [(w, t, e, s, s + 5) for w, t, e in itertools.product(WORKERS, TAKES, EPOCHS)
                for s in (0, 17)]
    r = random.Random(seed)
    chosen = [(1, r.choice(TAKES), r.choice(EPOCHS), 0, 0)]
    while len(chosen) < count:
        chosen.append((r.choice(WORKERS), r.choice(TAKES), r.choice(EPOCHS),
                       r.choice([0, r.randrange(1, 1 << 32)]), r.randrange(1 << 63)))
    return chosen


def first_difference(expected, got):
    for i, (a, b) in enumerate(itertools.zip_longest(expected, got)):
        if a != b:
            return i
    return None


def report(expected, got, setup):
    at = first_difference(expected, got)
    text = ["workers %d, take %d, epoch %d ms, shuffle %d, seed %d%s: line %d differs"
            % (*setup[:5], "".join(f", image after {steps} steps" for steps in setup[5:]), at + 1)]
    text += ["    " + line for line in expected[max(0, at - CONTEXT):at]]
    for sign, lines in (("model", expected), ("engine", got)):
        text.append(f"  {sign}: {lines[at] if at < len(lines) else '(end)'}")
    return "\n".join(text)


def with_marks(scenario, got):
    """A live run's scenario as the marks that it made, its first lines, have it; and the rest."""
    count = next((i for i, line in enumerate(got) if not line.startswith('{"kind":')), len(got))
    marks = [json.loads(line) for line in got[:count]]
    asked = [int(step["switch"][len("rules-"):-len(".yaml")]) for step in scenario["script"]
             if "switch" in step]
    switches = [{"at": m["value"], "rules": scenario["rule_sets"][number - 1],
                 "mutes": scenario["mute_sets"][number - 1], "enrich": scenario["enrich_sets"][number - 1]}
                for m, number in zip((m for m in marks if m["kind"] == "switch"), asked)]
    watermark = next((m["value"] for m in marks if m["kind"] == "watermark"), None)
    return dict(scenario, switches=switches, watermark=watermark,
                marks=[m for m in marks if m["kind"] not in ("switch", "watermark")]), got[count:]


def compare(scenario, folder, runner, all_setups):
    """None when all agree, else (setup, expected, got)."""
    write(scenario, folder)
    expected = None
    for setup in all_setups:
        got = runner.run(folder, setup)
        if is_refusal(got):
            return setup, [], got
        if "script" in scenario:
            marked, got = with_marks(scenario, got)
            expected = run(marked)
        elif expected is None:
            expected = run(scenario)
        runner.lines += len(expected)
        if got != expected:
            return setup, expected, got
    return None


# ---- shrinking ----


def without(items, at, count):
    return items[:at] + items[at + count:]


def smaller_script(scenario):
    """The same for a live scenario: steps are left out, and records that no step puts."""
    script = scenario["script"]
    size = max(1, len(script) // 2)
    while size >= 1:
        for at in range(0, len(script), size):
            left = without(script, at, size)
            put = set((step["put"], step["offset"]) for step in left if "put" in step)
            parts = [dict(part, records=[r for r in part["records"] if (i, r["offset"]) in put])
                     for i, part in enumerate(scenario["partitions"])]
            yield dict(scenario, script=left, partitions=parts)
        size //= 2
    for i in range(len(scenario["rules"])):
        if len(scenario["rules"]) > 1:
            yield dict(scenario, rules=without(scenario["rules"], i, 1))


def smaller(scenario):
    """Every scenario with something left out, larger pieces first."""
    if "script" in scenario:
        yield from smaller_script(scenario)
        return
    for p, part in enumerate(scenario["partitions"]):
        if len(scenario["partitions"]) > 1:
            place = (part["topic"], part["partition"])
            yield dict(scenario, partitions=without(scenario["partitions"], p, 1),
                       marks=[m for m in scenario["marks"] if (m["topic"], m["partition"]) != place])
    for name in ("silences", "maintenance", "inhibit"):
        for i in range(len(scenario.get("mutes", {}).get(name, []))):
            mutes = dict(scenario["mutes"], **{name: without(scenario["mutes"][name], i, 1)})
            yield dict(scenario, mutes=mutes)
    for name in ("rules", "sinks", "marks"):
        for i in range(len(scenario[name])):
            if len(scenario[name]) > (name != "marks"):
                yield dict(scenario, **{name: without(scenario[name], i, 1)})
    for p, part in enumerate(scenario["partitions"]):
        records = part["records"]
        size = max(1, len(records) // 2)
        while size >= 1:
            for at in range(0, len(records), size):
                parts = list(scenario["partitions"])
                parts[p] = dict(part, records=without(records, at, size))
                yield dict(scenario, partitions=parts)
            size //= 2
        for i, record in enumerate(records):
            if len(record.get("events", [])) > 1:
                for e in range(len(record["events"])):
                    events = without(record["events"], e, 1)
                    yield with_record(scenario, p, i, dict(record, events=events))
            for e, event in enumerate(record.get("events", [])):
                for name in ("labels", "message", "value", "dedup_key", "tenant"):
                    if event.get(name):
                        plain = {k: v for k, v in event.items() if k != name}
                        events = list(record["events"])
                        events[e] = plain
                        yield with_record(scenario, p, i, dict(record, events=events))


def with_record(scenario, p, i, record):
    if record.get("events"):
        record["payload"] = json.dumps([payload_of(e) for e in record["events"]])
    parts = list(scenario["partitions"])
    records = list(parts[p]["records"])
    records[i] = record
    parts[p] = dict(parts[p], records=records)
    return dict(scenario, partitions=parts)


def shrink(scenario, folder, runner, setup):
    """The smallest scenario found that still differs in this configuration."""
    tries, changed = 0, True
    while changed and tries < 3000:
        changed = False
        for candidate in smaller(scenario):
            tries += 1
            try:
                differs = compare(candidate, folder, runner, [setup])
            except AssertionError:
                continue  # no valid scenario any more
            if differs and not is_refusal(differs[2]):
                scenario, changed = candidate, True
                break
    return scenario


def is_refusal(got):
    return len(got) > 0 and re.search(r"/rules(-\d+)?\.yaml:\d+:\d+: ", got[0]) is not None


def is_impossible(got):
    """Refused as nothing can meet it, or all does, or as incidents do not have it: which that are, the generator does not know."""
    return is_refusal(got) and re.search(IMPOSSIBLE, got[0]) is not None


# ---- all of it ----


def keep(scenario, folder, found, runner, wants_shrink):
    setup, expected, got = found
    if wants_shrink and not is_refusal(got):
        scenario = shrink(scenario, folder + ".try", runner, setup)
        shutil.rmtree(folder + ".try", ignore_errors=True)
        setup, expected, got = compare(scenario, folder, runner, [setup] * 5) or found
    write(scenario, folder)
    for name, lines in (("expected.log", expected), ("got.log", got)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    with open(os.path.join(folder, "run.txt"), "w", encoding="utf-8") as file:
        file.write(" ".join(map(str, setup)) + "\n")
    said = [report(expected, got, setup)]
    if is_refusal(got):
        said.append("  bytes: " + ", ".join(f"{entry.name} {entry.stat().st_size}"
                                            for entry in sorted(os.scandir(folder), key=lambda e: e.name)))
    return said + [f"  kept in {folder}"]


def case_of(name):
    with open(name, encoding="utf-8") as file:
        return json.load(file)


def run_seeds(args, seeds):
    """Returns how many scenarios, runs and lines there were, and scenarios refused or different; and what is to be said."""
    os.makedirs(args.work, exist_ok=True)
    # Several may work in one place, and not all of them need see each other's process numbers.
    folder = tempfile.mkdtemp(prefix="now-", dir=args.work)
    runner, said, done, differences = Runner(args.runner), [], 0, 0
    for seed in seeds:
        for draw in range(1 if args.case else DRAWS_MAX):
            scenario = case_of(seed) if args.case else generate.scenario_of(seed, args.big, args.live, draw)
            if args.form and args.form not in scenario["forms"]:
                found = None
                break
            # A folder for each: to write a file anew makes the file system put it on the disk first.
            here = os.path.join(folder, f"{done}-{draw}")
            try:
                found = compare(scenario, here, runner, setups(seed, args.runs, args.all, args.images))
            except Exception as error:
                raise RuntimeError(f"the model fails at seed {seed}") from error
            shutil.rmtree(here)
            if not (found and is_impossible(found[2])):
                done += 1
                break
            runner.refused += 1
        if found:
            differences += 1
            said += [f"seed {seed}:"] + keep(scenario, os.path.join(args.work, f"seed-{os.path.basename(str(seed))}"), found, runner, args.shrink)
            if differences >= args.stop_after:
                break
    shutil.rmtree(folder, ignore_errors=True)
    code = runner.end()
    if code != 0:
        said.append(f"{os.path.basename(args.runner)} ended with code {code}: see its reports above")
    return (done, runner.runs, runner.lines, runner.refused, differences + (code != 0)), said


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runner", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=2, help="of each scenario")
    # One more than cores: each waits while its engine runs.
    parser.add_argument("--jobs", type=int, default=os.cpu_count() + 1, help="processes that share the seeds")
    parser.add_argument("--all", action="store_true", help="configurations")
    parser.add_argument("--big", action="store_true", help="hundreds of alerts and events")
    parser.add_argument("--live", action="store_true", help="scripts for live_runner")
    parser.add_argument("--images", action="store_true", help="engines go on from images of each other")
    parser.add_argument("--form", help="only scenarios that hold it, such as baseline or enrich")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--stop-after", type=int, default=5, help="differences")
    parser.add_argument("--case", nargs="+", default=[])
    args = parser.parse_args()
    seeds = args.case or range(args.seed, args.seed + args.count)
    args.all |= len(args.case) > 0
    chunk = max(1, min(CHUNK, -(-len(seeds) // args.jobs)))
    totals = [0] * 5
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        parts = [pool.submit(run_seeds, args, seeds[at:at + chunk]) for at in range(0, len(seeds), chunk)]
        for part in concurrent.futures.as_completed(parts):
            numbers, said = part.result()
            totals = [a + b for a, b in zip(totals, numbers)]
            print("\n".join(said), end="\n" if said else "", flush=True)
            if totals[-1] >= args.stop_after:
                for other in parts:
                    other.cancel()
                break
    done, runs, lines, refused, differences = totals
    print(f"{done} scenarios from {seeds[0]}, {runs} runs, {lines} lines compared, "
          f"{refused} refused as impossible, {differences} differ")
    if differences or done == 0 or lines == 0 or refused > done // 4 + 10:
        sys.exit(1)


if __name__ == "__main__":
    main()
