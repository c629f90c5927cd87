"""Compares when maintenance windows are open, by calendars.py and by the daemon, on random windows.

    run_calendars.py --runner PROGRAM [--seed N] [--count N]     PROGRAM is calendar_runner
"""
import argparse
import bisect
import datetime
import functools
import random
import subprocess
import sys

from calendars import (DAY_MS, DAY_NAMES, MONTH_NAMES, date_holds, intervals_open, local_at, minute_holds, spells, starts,
                       utc_ms)
from generate_world import ZONES
from write import maintenance_yaml

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
HOUR_MS, MINUTE_MS = 3600000, 60000
NEVER = 2 ** 63 - 1
# How far ahead an answer is compared; what is rare is looked for farther away.
NEAR_DAYS, FAR_DAYS = 900, 41 * 366


# ---- random windows ----


def some(r, low, high, most=3):
    return sorted(r.sample(range(low, high + 1), r.randint(1, most)))


def rare_rule(r, start):
    """Those that come years apart, if they come."""
    days = r.sample(WEEKDAYS, r.randint(1, 3))
    rule = r.choice([
        f"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY={days[0]}", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        f"FREQ=YEARLY;INTERVAL={r.choice([3, 4, 7])};BYMONTH=2;BYMONTHDAY=29",
        f"FREQ=MONTHLY;BYDAY={r.choice(['5', '-5'])}{days[0]}", f"FREQ=YEARLY;BYDAY={r.choice(['53', '-53'])}{days[0]}",
        "FREQ=YEARLY;BYYEARDAY=" + r.choice(["366", "-366"]),
        f"FREQ=MONTHLY;INTERVAL={r.choice([1, 7, 13])};BYMONTHDAY={r.choice(['31', '-31', '13'])};BYDAY={days[0]}",
        f"FREQ=WEEKLY;INTERVAL={r.choice([53, 200])}", f"FREQ=DAILY;INTERVAL={r.choice([100, 366, 1000])}"])
    if r.random() < 0.4:
        return f"{rule};COUNT={r.choice([1, 2, 3, 9])}"
    if r.random() < 0.3:
        return f"{rule};UNTIL={start.year + r.choice([1, 8, 30])}0301T000000Z"
    return rule


def random_rule(r, start):
    if r.random() < 0.2:
        return rare_rule(r, start)
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
        # Not 53: dateutil sees one in years that have 52 weeks, and none of -53's days in December (test_calendar has).
        parts.append("BYWEEKNO=" + ",".join(str(r.choice([n, n, -(n % 9 + 1)])) for n in some(r, 1, 52)))
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
        until = start + datetime.timedelta(days=r.choice([1, 30, 400]), seconds=r.choice([0, -1, r.randint(0, 90000)]))
        parts.append("UNTIL=" + until.strftime("%Y%m%dT%H%M%S") + r.choice(["", "Z"]))
    return ";".join(parts)


@functools.lru_cache(maxsize=None)
def clock_changes(zone, year):
    """The UTC times of a year at which clocks are put forward or back."""
    def offset(ms):
        return local_at(ms, zone) - local_at(ms, "UTC")
    begin, found = utc_ms(datetime.datetime(year, 1, 1), "UTC"), []
    for low in range(begin, begin + 366 * DAY_MS, DAY_MS):
        high = low + DAY_MS
        if offset(low) != offset(high):
            before = offset(low)
            while high - low > 1000:
                middle = (low + high) // 2000 * 1000
                low, high = (middle, high) if offset(middle) == before else (low, middle)
            found.append(high)
    return found


def random_recurrence(r, start, durations):
    start, zone = start.replace(microsecond=0), r.choice(ZONES)
    if r.random() < 0.7:
        start = start.replace(second=0, minute=r.choice([0, 0, 30, 15]))
    if r.random() < 0.5:  # where clocks change
        start = start.replace(hour=r.choice([0, 1, 2, 3]))
    if r.random() < 0.1:
        start = start.replace(hour=0, minute=0, second=0)
    changes = clock_changes(zone, start.year)
    if changes and r.random() < 0.4:
        start = local_at(r.choice(changes) + r.choice([-HOUR_MS, -HOUR_MS // 2, -1000, 0, HOUR_MS]), zone)
        start -= datetime.timedelta(days=r.choice([0, 0, 1, 7]))
    window = {"timezone": zone, "start": start.isoformat(), "duration_ms": r.choice(durations)}
    if r.random() < 0.95:
        window["rrule"] = random_rule(r, start)
    if r.random() < 0.2:
        days = [start + datetime.timedelta(days=r.choice([0, r.randint(0, 40)])) for _ in range(3)]
        window["except"] = [d.isoformat() if r.random() < 0.4 else d.date().isoformat()
                            for d in days]
    return window


def random_range(r, low, high, names=None):
    a, b = sorted((r.randint(low, high), r.randint(low, high)))
    text = (lambda n: names[n - low]) if names else str
    return text(a) if r.random() < 0.4 else f"{text(a)}:{text(b)}"


def random_interval(r, year):
    interval = {}
    if r.random() < 0.6:
        interval["times"] = []
        for _ in range(r.choice([1, 1, 2])):
            a, b = sorted(r.sample(range(0, 24 * 60 + 1, r.choice([1, 30])), 2))
            interval["times"].append(["%02d:%02d" % (t // 60, t % 60) for t in (a, b)])
    if r.random() < 0.2:  # comes years apart, if it comes
        interval["weekdays"] = [random_range(r, 0, 6, DAY_NAMES)]
        interval.update(r.choice([{"days_of_month": ["29"], "months": ["february"]},
                                  {"days_of_month": [r.choice(["31", "-31", "-1"])], "months": [r.choice(MONTH_NAMES)]},
                                  {"years": [str(year + r.choice([-1, 0, 3, 12]))]}]))
    else:
        if r.random() < 0.5:
            interval["weekdays"] = [random_range(r, 0, 6, DAY_NAMES) for _ in range(r.choice([1, 1, 2]))]
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
    year = r.choice([1999, 2006, 2011, 2023, 2024, 2026, 2038, 2045, 2099])
    start = datetime.datetime(year, 1, 1) + datetime.timedelta(
        days=r.randint(0, 364), seconds=r.randint(0, 86399))
    if r.random() < 0.4:
        window = {"time_intervals": [random_interval(r, year) for _ in range(r.choice([1, 1, 2, 3]))]}
        if r.random() < 0.5:
            window["timezone"] = r.choice(ZONES)
        return window, start
    durations = [1, MINUTE_MS, HOUR_MS, 3 * HOUR_MS, 25 * HOUR_MS, 36 * HOUR_MS, 72 * HOUR_MS, 31 * DAY_MS]
    return random_recurrence(r, start, durations), start


# ---- what is asked of both ----


class Recurrence:
    """What a window with a start must say. Its starts are computed once for all times that are asked for."""

    def __init__(self, window, base_ms):
        self.window, self.duration = window, window["duration_ms"]
        self.horizon = base_ms + (500 + NEAR_DAYS) * DAY_MS
        self.starts = starts(window, base_ms - 40 * DAY_MS, self.horizon)

    def at(self, at_ms):
        """Whether it is open, and until when; NEVER where nothing follows up to the horizon."""
        behind = bisect.bisect(self.starts, at_ms)
        if behind > 0 and at_ms < self.starts[behind - 1] + self.duration:
            return True, self.starts[behind - 1] + self.duration
        if behind == len(self.starts) and self.horizon < at_ms + FAR_DAYS * DAY_MS:
            low, self.horizon = self.horizon, at_ms + FAR_DAYS * DAY_MS
            self.starts = sorted({*self.starts, *starts(self.window, low, self.horizon)})
        return False, self.starts[behind] if behind < len(self.starts) else NEVER


class Interval:
    """What one time interval must say, day by day of UTC and minute by minute within: days are passed over only where
    every date that a clock may show on them is the same to the interval."""

    def __init__(self, interval, zone):
        self.interval, self.zone = interval, interval.get("location", zone)
        self.minutes = [minute_holds(interval, f"{m // 60:02}:{m % 60:02}") for m in range(24 * 60)]
        self.dates = functools.lru_cache(maxsize=None)(self.date_holds)
        self.day = functools.lru_cache(maxsize=None)(self.day_minutes)
        self.days = functools.lru_cache(maxsize=None)(self.day_is)

    def date_holds(self, day):
        return date_holds(self.interval, datetime.date(1970, 1, 1) + datetime.timedelta(days=day))

    def local_minute(self, minute):
        return utc_ms(local_at(minute * MINUTE_MS, self.zone), "UTC") // MINUTE_MS

    def day_minutes(self, day):
        """Each minute of a day of UTC. Within an hour at whose ends the clock is as far off it runs evenly."""
        found = []
        for hour in range(day * 24 * 60, (day + 1) * 24 * 60, 60):
            local = self.local_minute(hour)
            runs = self.local_minute(hour + 60) == local + 60
            for minute in range(60):
                clock = local + minute if runs else self.local_minute(hour + minute)
                found.append(self.dates(clock // 1440) and self.minutes[clock % 1440])
        return found

    def day_is(self, day):
        """True, False, or None where it is not the same all day long."""
        dates = {self.dates(day + near) for near in (-2, -1, 0, 1, 2)}
        if dates == {False}:
            return False
        return True if dates == {True} and all(self.minutes) else None

    def at(self, at_ms, days):
        minute = at_ms // MINUTE_MS
        day, is_open = minute // 1440, self.day(minute // 1440)[minute % 1440]
        for next_day in range(day, day + days):
            if self.days(next_day) is is_open:
                continue
            minutes = self.day(next_day)
            for at in range(minute % 1440 + 1 if next_day == day else 0, 1440):
                if minutes[at] != is_open:
                    return is_open, (next_day * 1440 + at) * MINUTE_MS
        return is_open, NEVER


class Intervals:
    """Closed until the first of them opens; open until that which stays open for the longest closes."""

    def __init__(self, window, base_ms):
        self.each = [Interval(each, window.get("timezone", "UTC")) for each in window["time_intervals"]]

    def at(self, at_ms):
        states = [each.at(at_ms, NEAR_DAYS) for each in self.each]
        if any(is_open for is_open, _ in states):
            states = [each.at(at_ms, FAR_DAYS) for each in self.each]
            return True, max(until for is_open, until in states if is_open)
        until = min(until for _, until in states)
        return False, until if until < NEVER else min(each.at(at_ms, FAR_DAYS)[1] for each in self.each)


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


def interesting(r, window, wanted, base):
    """Times near openings, closings, midnights and changes of clocks."""
    times = []
    if "start" in window:
        near = [at for at in wanted.starts if base <= at < base + 400 * DAY_MS][:60]
        # Rather those at a change of clocks, where there are such.
        changes = [change for change in clock_changes(window["timezone"], local_at(base, "UTC").year)]
        odd = [at for at in near if any(abs(at - change) < 3 * HOUR_MS for change in changes)]
        for at in r.sample(near, min(4, len(near))) + r.sample(odd, min(2, len(odd))):
            times += [at - 1, at, at + window["duration_ms"] - 1, at + window["duration_ms"]]
            times.append(at + r.randint(0, window["duration_ms"] * 5 // 4))
    zones = [window.get("timezone", "UTC")] + [each.get("location", "UTC") for each in window.get("time_intervals", ())]
    year = local_at(base, "UTC").year
    changes = [at for zone in sorted(set(zones)) for at in clock_changes(zone, year)]
    for at in r.sample(changes, min(2, len(changes))):
        away = r.choice([MINUTE_MS, HOUR_MS // 2, HOUR_MS, DAY_MS, 2 * DAY_MS])
        times += [at - 1, at, at + r.choice([-away, away])]
    for _ in range(8):
        day = base // DAY_MS * DAY_MS + r.randint(-2, 500) * DAY_MS
        times.append(day + r.choice([0, -1, HOUR_MS, 2 * HOUR_MS - 1, r.randint(0, DAY_MS - 1)]))
    return times


def open_at(window, at):
    if "time_intervals" in window:
        return intervals_open(window, at)
    return any(begin <= at < end for begin, end in spells(window, at, at))


def check(runner, seed):
    r = random.Random(seed)
    window, start = random_window(r)
    base = utc_ms(datetime.datetime.fromisoformat(window["start"]) if "start" in window else start, "UTC")
    wanted = (Recurrence if "start" in window else Intervals)(window, base)
    times = interesting(r, window, wanted, base)
    got = runner.ask(window, times)
    if len(got) != len(times):
        if "never" in got[0] and not any(wanted.at(t) != (False, NEVER) for t in times):
            return "refused"
        return f"refused: {got[0]}"
    # The short cuts above, held against the long way.
    for at in r.sample(times, 3):
        if wanted.at(at)[0] != open_at(window, at):
            return f"at {at} the two readings of the model differ"
    for at, line in zip(times, got):
        is_open, until = wanted.at(at)
        if line.startswith("1 ") != is_open:
            return f"at {at} open is {not is_open}, not {is_open}"
        said = int(line[2:])
        if said != until and not (until == NEVER and said >= at + (FAR_DAYS - 1) * DAY_MS):
            return f"at {at} it stays {is_open} until {said}, not {until}"
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
