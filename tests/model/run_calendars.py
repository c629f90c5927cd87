"""Compares when maintenance windows are open, by calendars.py and by the daemon, on random windows.

    run_calendars.py --runner PROGRAM [--seed N] [--count N]     PROGRAM is calendar_runner
"""
import argparse
import datetime
import random
import subprocess
import sys

from calendars import DAY_NAMES, MONTH_NAMES, ZONES, open_at, starts, utc_ms
from write import maintenance_yaml

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


# ---- random windows ----


def some(r, low, high, most=3):
    return sorted(r.sample(range(low, high + 1), r.randint(1, most)))


def random_rule(r, start):
    freq = r.choice(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
    parts = [f"FREQ={freq}"]
    if r.random() < 0.4:
        parts.append(f"INTERVAL={r.choice([1, 2, 3, 5])}")
    if r.random() < 0.2 and freq == "WEEKLY":
        parts.append(f"WKST={r.choice(WEEKDAYS)}")
    if r.random() < 0.25:
        parts.append("BYMONTH=" + ",".join(map(str, some(r, 1, 12, 4))))
    kind = r.random()
    numbered = freq in ("MONTHLY", "YEARLY")
    has_days = True
    if kind < 0.3:
        days = r.sample(WEEKDAYS, r.randint(1, 3))
        if numbered and r.random() < 0.6:
            days = [str(r.choice([1, 2, 3, 4, 5, -1, -2, -5])) + d for d in days]
        parts.append("BYDAY=" + ",".join(days))
    elif kind < 0.55 and freq != "WEEKLY":
        parts.append("BYMONTHDAY=" + ",".join(str(r.choice([n, -n])) for n in some(r, 1, 31)))
    elif kind < 0.65 and freq == "YEARLY":
        parts.append("BYYEARDAY=" + ",".join(str(r.choice([n, -n])) for n in some(r, 1, 366)))
    elif kind < 0.75 and freq == "YEARLY":
        parts.append("BYWEEKNO=" + ",".join(str(r.choice([n, n, -(n % 9 + 1)])) for n in some(r, 1, 53)))
        parts.append("BYDAY=" + ",".join(r.sample(WEEKDAYS, r.randint(1, 3))))
    else:
        has_days = False
    if has_days and numbered and r.random() < 0.25:
        parts.append("BYSETPOS=" + ",".join(str(r.choice([1, 2, -1, -2, 3])) for _ in range(2)))
    if r.random() < 0.4:
        parts.append("BYHOUR=" + ",".join(map(str, some(r, 0, 23))))
    if r.random() < 0.3:
        parts.append("BYMINUTE=" + ",".join(map(str, some(r, 0, 59))))
    if r.random() < 0.1:
        parts.append(f"BYSECOND={r.randint(0, 59)}")
    end = r.random()
    if end < 0.15:
        parts.append(f"COUNT={r.choice([1, 2, 3, 10, 40])}")
    elif end < 0.3:
        until = start + datetime.timedelta(days=r.choice([1, 30, 400]), seconds=r.randint(0, 90000))
        parts.append("UNTIL=" + until.strftime("%Y%m%dT%H%M%S") + r.choice(["", "Z"]))
    return ";".join(parts)


def random_recurrence(r, start, durations):
    start = start.replace(microsecond=0)
    if r.random() < 0.7:
        start = start.replace(second=0, minute=r.choice([0, 0, 30, 15]))
    if r.random() < 0.5:  # where clocks change
        start = start.replace(hour=r.choice([0, 1, 2, 3]))
    window = {"timezone": r.choice(ZONES), "start": start.isoformat(),
              "duration_ms": r.choice(durations)}
    if r.random() < 0.95:
        window["rrule"] = random_rule(r, start)
    if r.random() < 0.2:
        days = [start + datetime.timedelta(days=r.randint(0, 40)) for _ in range(3)]
        window["except"] = [d.isoformat() if r.random() < 0.4 else d.date().isoformat()
                            for d in days]
    return window


def random_range(r, low, high, names=None):
    a, b = sorted((r.randint(low, high), r.randint(low, high)))
    text = (lambda n: names[n - low]) if names else str
    return text(a) if r.random() < 0.4 else f"{text(a)}:{text(b)}"


def random_interval(r, year):
    interval = {}
    if r.random() < 0.7:
        interval["times"] = []
        for _ in range(r.choice([1, 1, 2])):
            a, b = sorted(r.sample(range(0, 24 * 60 + 1, r.choice([1, 30])), 2))
            interval["times"].append(["%02d:%02d" % (t // 60, t % 60) for t in (a, b)])
    if r.random() < 0.5:
        interval["weekdays"] = [random_range(r, 0, 6, DAY_NAMES)]
    if r.random() < 0.4:
        low = r.randint(1, 31)
        interval["days_of_month"] = [r.choice([random_range(r, 1, 31), random_range(r, -31, -1),
                                               f"{low}:{r.randint(-5, -1)}"])]
    if r.random() < 0.3:
        interval["months"] = [r.choice([random_range(r, 1, 12), random_range(r, 1, 12, MONTH_NAMES)])]
    if r.random() < 0.2:
        interval["years"] = [random_range(r, year - 1, year + 2)]
    if r.random() < 0.5:
        interval["location"] = r.choice(ZONES)
    return interval or {"weekdays": ["sunday"]}


def random_window(r):
    year = r.choice([1999, 2011, 2023, 2024, 2026, 2038, 2045, 2099])
    start = datetime.datetime(year, 1, 1) + datetime.timedelta(
        days=r.randint(0, 364), seconds=r.randint(0, 86399))
    if r.random() < 0.35:
        window = {"time_intervals": [random_interval(r, year) for _ in range(r.choice([1, 1, 2]))]}
        if r.random() < 0.5:
            window["timezone"] = r.choice(ZONES)
        return window, start
    hour = 3600000
    return random_recurrence(r, start, [1, 60000, hour, 3 * hour, 25 * hour, 72 * hour]), start


# ---- the comparison ----


class Runner:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, window, times):
        text = ("maintenance:\n  - id: w\n    where: tenant == \"a\"\n" + maintenance_yaml(window)).encode()
        self.process.stdin.write(b"%d %d\n" % (len(text), len(times)) + text
                                 + b"".join(b"%d\n" % t for t in times))
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().decode()
            if line == "":
                sys.exit("the runner ended")
            if line == "done\n":
                return lines
            lines.append(line.rstrip("\n"))


def interesting(r, window, start):
    """Times near openings, closings, midnights and changes of clocks."""
    base = utc_ms(start, "UTC")
    times = []
    if "start" in window:
        near = starts(window, base, base + 400 * 86400000)[:60]
        for at in r.sample(near, min(6, len(near))):
            times += [at - 1, at, at + window["duration_ms"] - 1, at + window["duration_ms"]]
    for _ in range(8):
        day = base // 86400000 * 86400000 + r.randint(-2, 500) * 86400000
        times.append(day + r.choice([0, -1, 3600000, 7200000 - 1, r.randint(0, 86399999)]))
    return times


def next_change(window, at_ms, is_open):
    """What the window's `until` must be; None where that is not known."""
    if "start" in window:
        if is_open:
            before = starts(window, at_ms - window["duration_ms"], at_ms)
            return max(s for s in before if s <= at_ms) + window["duration_ms"]
        horizon = at_ms + 900 * 86400000
        after = [s for s in starts(window, at_ms, horizon) if s > at_ms]
        return after[0] if after else None
    step = at_ms // 60000 * 60000
    for _ in range(3 * 24 * 60):
        step += 60000
        if open_at(window, step) != is_open:
            return step
    return None


def check(runner, seed):
    r = random.Random(seed)
    window, start = random_window(r)
    times = interesting(r, window, start)
    got = runner.ask(window, times)
    if len(got) != len(times):
        if "never" in got[0] and not any(open_at(window, t) for t in times):
            return "refused"
        return f"refused: {got[0]}"
    for at, line in zip(times, got):
        is_open, until = line == "1 " + line[2:], int(line[2:])
        wanted = open_at(window, at)
        if is_open != wanted:
            return f"at {at} open is {is_open}, not {wanted}"
        if until <= at:
            return f"at {at} it stays so until {until}"
        change = next_change(window, at, is_open)
        if change is not None and until != change and ("start" in window or not is_open):
            return f"at {at} it stays {is_open} until {until}, not {change}"
        if change is not None and "start" not in window and until > change:
            return f"at {at} it stays open until {until}, longer than {change}"
        # Of several intervals that hold one after the other the first may answer.
        if change is None and until < at + 3 * 86400000 and ("start" in window or not is_open):
            return f"at {at} it stays {is_open} until {until} only"
    return "open" if any(line.startswith("1") for line in got) else "closed"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runner", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    args = parser.parse_args()
    runner, seen = Runner(args.runner), {}
    for seed in range(args.seed, args.seed + args.count):
        result = check(runner, seed)
        if result not in ("open", "closed", "refused"):
            print(f"seed {seed}: {result}\n{maintenance_yaml(random_window(random.Random(seed))[0])}")
            sys.exit(1)
        seen[result] = seen.get(result, 0) + 1
    print(f"{args.count} windows from seed {args.seed} agree: {seen}")
    if seen.get("open", 0) < args.count // 3:
        sys.exit("too few of them were ever open")


if __name__ == "__main__":
    main()
