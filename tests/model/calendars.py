"""When maintenance windows are open: dateutil's recurrence rules and Python's zoneinfo, and Alertmanager's time intervals
looked at minute by minute. run_calendars.py compares this with what the daemon computes.
"""
import calendar
import datetime
import functools
import zoneinfo

from dateutil import rrule

DAY = datetime.timedelta(days=1)
EPOCH = datetime.datetime(1970, 1, 1)
ZONES = ["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
         "Africa/Casablanca", "America/St_Johns", "Europe/Dublin", "Pacific/Apia", "Asia/Gaza",
         "America/Sao_Paulo"]
DAY_NAMES = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
MONTH_NAMES = [name.lower() for name in calendar.month_name[1:]]


def utc_ms(local, zone):
    """fold=0: the first of two, and the offset before a gap, as RFC 5545 says."""
    aware = local.replace(tzinfo=zoneinfo.ZoneInfo(zone), fold=0)
    return round((aware - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc))
                 .total_seconds() * 1000)


def local_at(ms, zone):
    utc = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return utc.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None)


# ---- recurrence ----


@functools.lru_cache(maxsize=4096)
def locals_between(rule, start, low, high):
    if rule is None:
        return [start] if low <= start <= high else []
    text = ";".join(p for p in rule.split(";") if not (p.startswith("UNTIL=") and p.endswith("Z")))
    return rrule.rrulestr(text, dtstart=start).between(low, high, inc=True)


def starts(window, low_ms, high_ms):
    """The UTC times at which it opens, within a range, and a good deal beyond."""
    zone, start = window["timezone"], datetime.datetime.fromisoformat(window["start"])
    low = EPOCH + datetime.timedelta(milliseconds=low_ms) - 2 * DAY
    high = EPOCH + datetime.timedelta(milliseconds=high_ms) + 2 * DAY
    got = []
    until = None
    for part in (window.get("rrule") or "").split(";"):
        if part.startswith("UNTIL=") and part.endswith("Z"):
            until = utc_ms(datetime.datetime.strptime(part[6:], "%Y%m%dT%H%M%SZ"), "UTC")
    for local in locals_between(window.get("rrule"), start, low, high):
        text = local.isoformat()
        if any(text == e or text[:10] == e for e in window.get("except", [])):
            continue
        at = utc_ms(local, zone)
        if until is None or at <= until:
            got.append(at)
    return sorted(got)


def recurrence_open(window, at_ms):
    duration = window["duration_ms"]
    return any(s <= at_ms < s + duration for s in starts(window, at_ms - duration, at_ms))


# ---- time intervals ----


def in_range(text, value, names, base):
    """One value or from:to, of names or numbers."""
    def number(word):
        return names.index(word) + base if word in names else int(word)
    low, _, high = text.partition(":")
    return number(low) <= value <= number(high or low)


def month_day_in(text, day, days):
    low, _, high = text.partition(":")
    low, high = int(low), int(high or low)
    low = days + low + 1 if low < 0 else low
    high = days + high + 1 if high < 0 else high
    return low <= day <= high


def interval_open(interval, zone, at_ms):
    local = local_at(at_ms, interval.get("location", zone))
    minute = "%02d:%02d" % (local.hour, local.minute)
    days = calendar.monthrange(local.year, local.month)[1]
    return ((not interval.get("times")
             or any(low <= minute < high for low, high in interval["times"]))
            and ("weekdays" not in interval
                 or any(in_range(w, (local.weekday() + 1) % 7, DAY_NAMES, 0)
                        for w in interval["weekdays"]))
            and ("days_of_month" not in interval
                 or any(month_day_in(d, local.day, days) for d in interval["days_of_month"]))
            and ("months" not in interval
                 or any(in_range(m, local.month, MONTH_NAMES, 1) for m in interval["months"]))
            and ("years" not in interval
                 or any(in_range(y, local.year, [], 0) for y in interval["years"])))


def open_at(window, at_ms):
    if "time_intervals" in window:
        return any(interval_open(i, window.get("timezone", "UTC"), at_ms)
                   for i in window["time_intervals"])
    return recurrence_open(window, at_ms)


def next_edge(window, at_ms):
    """A time later than `at_ms`, at or before the next at which it opens or closes; None: never."""
    if "time_intervals" in window:
        # Limits of times and changes of clocks lie on quarters of an hour in what is generated.
        return at_ms // 900000 * 900000 + 900000
    duration = window["duration_ms"]
    for ahead in (3600000, 40 * 86400000, 800 * 86400000):
        edges = [t for s in starts(window, at_ms - duration, at_ms + ahead)
                 for t in (s, s + duration) if t > at_ms]
        if edges:
            return min(edges)
    return None
