"""When maintenance windows are open: dateutil's recurrence rules, Python's zoneinfo, and Alertmanager's time intervals
looked at minute by minute. run_calendars.py compares this with what the daemon computes.
"""
import calendar
import datetime
import re
import zoneinfo

from dateutil import rrule

DAY_MS, QUARTER_MS = 86400000, 900000
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
DAY_NAMES = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
MONTH_NAMES = [name.lower() for name in calendar.month_name[1:]]


def utc_ms(local, zone):
    """fold=0: the first of two, and the offset before a gap, as RFC 5545 says."""
    return (local.replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=0) - EPOCH) // datetime.timedelta(milliseconds=1)


def local_at(ms, zone):
    return (EPOCH + datetime.timedelta(seconds=ms // 1000)).astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)


def starts(window, low_ms, high_ms):
    """The UTC times at which it opens, within a range and some days beyond."""
    start = datetime.datetime.fromisoformat(window["start"])
    rule = window.get("rrule") or "FREQ=DAILY;COUNT=1"
    until = re.search(r";UNTIL=(\w+)Z", rule)  # others are in local time, as dateutil has all
    low, high = (local_at(ms, "UTC") for ms in (low_ms - 2 * DAY_MS, high_ms + 2 * DAY_MS))
    found = rrule.rrulestr(rule.replace(until[0], "") if until else rule, dtstart=start).between(low, high, inc=True)
    times = [utc_ms(local, window["timezone"]) for local in found
             if not {local.isoformat(), local.date().isoformat()} & set(window.get("except", ()))]
    end = utc_ms(datetime.datetime.fromisoformat(until[1]), "UTC") if until else max(times, default=None)
    return sorted(at for at in times if at <= end)


def in_ranges(ranges, got, number):
    """Ranges are one value or `from:to`; `number` reads a value."""
    return any(number(text.split(":")[0]) <= got <= number(text.split(":")[-1]) for text in ranges)


def date_holds(interval, date):
    days = calendar.monthrange(date.year, date.month)[1]
    parts = {  # what the date is, and what a word in the interval stands for
        "weekdays": (date.isoweekday() % 7, DAY_NAMES.index),
        "days_of_month": (date.day, lambda word: int(word) + (days + 1 if word[0] == "-" else 0)),
        "months": (date.month, lambda word: MONTH_NAMES.index(word) + 1 if word in MONTH_NAMES else int(word)),
        "years": (date.year, int)}
    return all(in_ranges(interval[name], *parts[name]) for name in parts if name in interval)


def minute_holds(interval, clock):
    return any(low <= clock < high for low, high in interval.get("times", [("00:00", "24:00")]))


def intervals_open(window, at_ms):
    locals_of = [(each, local_at(at_ms, each.get("location", window.get("timezone", "UTC"))))
                 for each in window["time_intervals"]]
    return any(date_holds(each, local) and minute_holds(each, f"{local:%H:%M}") for each, local in locals_of)


def spells(window, low_ms, high_ms):
    """All (begin, end) of it that reach into a range, and perhaps some more."""
    if "time_intervals" in window:
        # Limits of times and changes of clocks lie on quarters of an hour in what is generated.
        quarters = range(low_ms // QUARTER_MS * QUARTER_MS, high_ms + 1, QUARTER_MS)
        return [(at, at + QUARTER_MS) for at in quarters if intervals_open(window, at)]
    return [(at, at + window["duration_ms"]) for at in starts(window, low_ms - window["duration_ms"], high_ms)]
