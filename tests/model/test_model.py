"""Aim: the model says what docs/correlation.md says. Method: small logs worked out by
hand; expected lines are written from the document, ids hashed from their parts here."""
import ast
import json
import os
import re
import sys
import unittest

import xxhash

import model
from frame.run import run as run_scenario
from generate_trees import COUNT, at_least, distinct, is_text, parts_of

T = 1_700_000_000_000  # a multiple of the round, 200 ms
DEFAULTS = {"round_ms": 200, "past_ms": 86400000, "future_ms": 1000, "behind_ms": 5000,
            "alerts_max": 1000, "expire_ms": 300000, "flap_window_ms": 600000, "flap_start": 6,
            "flap_stop": 2}


def problem(check, time, severity="major", **more):
    return dict(source="s", resource="db01", check=check, severity=severity, state="problem",
                time=T + time, **more)


def clear(check, time):
    return dict(problem(check, time), state="clear")


def rule(**changes):
    return dict({"id": "r", "where": is_text(">=", "check", ""), "by": ["host"], "window_ms": 10000,
                 "when": at_least(COUNT, 2), "title": [["field", "host"], ": ", COUNT], "priority": "P2",
                 "close": ["or", ["quiet", 20000], ["cleared"]]}, **changes)


def scenario(events, rules, marks=(), log_times=None, **config):
    """One partition t/0, a record per event; offsets 0, 1, ...; log time = own time."""
    records = [{"offset": i, "log_time": e["time"] if log_times is None else T + log_times[i],
                "events": [e]} for i, e in enumerate(events)]
    return {"config": dict(DEFAULTS, **config),
            "topics": [{"topic": "t", "disorder_ms": 500, "log_append_time": False,
                        "tenant": "acme", "tenant_fixed": False}],
            "sinks": [{"name": "page"}], "rules": rules, "marks": list(marks),
            "partitions": [{"topic": "t", "partition": 0, "records": records}]}


def seal(offset, value):
    return {"kind": "seal", "topic": "t", "partition": 0, "offset": offset, "value": T + value}


def run(*args, **kwargs):
    """Log lines as dictionaries with times relative to T; and the ledger."""
    rows = [json.loads(line) for line in run_scenario(scenario(*args, **kwargs))]
    counts = next(i for i, row in enumerate(rows) if "ledger" in row)
    for row in rows[:counts]:
        for name in ("at", "opened", "first"):
            if name in row:
                row[name] -= T
    return rows[:counts], rows[counts]["ledger"]


def changes(rows):
    return [(r["at"], r["change"], r["cause"]) for r in rows if "change" in r]


def counts(ledger, *names):
    return tuple(ledger[name] for name in names)


class Ids(unittest.TestCase):
    def test_fire_clear_and_fire_again_makes_two_incidents_with_ids_of_their_openers(self):
        rows, ledger = run([problem("a", 0), problem("b", 1000), clear("a", 2000), clear("b", 3000),
                            problem("a", 4000), problem("b", 5000)], [rule()])
        first = xxhash.xxh3_128_hexdigest(b"acme\0r\0tenant=acme host=db01\0event\0t/0/1/0")
        second = xxhash.xxh3_128_hexdigest(b"acme\0r\0tenant=acme host=db01\0event\0t/0/5/0")
        op = [xxhash.xxh3_128_hexdigest(i.encode() + b"\0page\0" + n) for i, n in
              ((first, b"1"), (first, b"2"), (second, b"1"))]
        common = {"tenant": "acme", "rule": "r", "key": "tenant=acme host=db01", "priority": "P2",
                  "severity": "major"}
        text = {"title": "db01: 2", "why": "2 alerts in 10s (needs 2)"}
        self.assertEqual(rows, [
            {"at": 1000, "change": "opened", "cause": "rule", "incident": first, "n": 1, **common,
             "events": 2, "alerts": 2, "open": 2, "opened": 1000, "first": 0, **text},
            {"at": 1000, "op": "open", "incident": first, "sink": "page", "number": 1, "id": op[0]},
            {"at": 3000, "change": "closed", "cause": "cleared", "incident": first, "n": 2, **common,
             "events": 4, "alerts": 2, "open": 0, "opened": 1000, "first": 0, **text},
            {"at": 3000, "op": "resolve", "incident": first, "sink": "page", "number": 2,
             "id": op[1]},
            {"at": 5000, "change": "opened", "cause": "rule", "incident": second, "n": 1, **common,
             "events": 2, "alerts": 2, "open": 2, "opened": 5000, "first": 4000, **text},
            {"at": 5000, "op": "open", "incident": second, "sink": "page", "number": 1,
             "id": op[2]}])
        self.assertEqual(counts(ledger, "events", "routed", "correlated", "opened", "closed", "open"),
                         (6, 6, 6, 2, 1, 1))

    def test_a_line_is_canonical_json_in_the_order_of_the_document(self):
        lines = run_scenario(scenario([problem("a\"/\n\u00e9\x01", 0)], [
            rule(when=at_least(distinct("check"), 1), priority="P4", title=parts_of("{check}"))]))
        i = xxhash.xxh3_128_hexdigest(b"acme\0r\0tenant=acme host=db01\0event\0t/0/0/0")
        self.assertEqual(lines[0], (
            '{"at":1700000000000,"change":"opened","cause":"rule","incident":"%s","n":1,'
            '"tenant":"acme","rule":"r","key":"tenant=acme host=db01","priority":"P4",'
            '"severity":"major","events":1,"alerts":1,"open":1,"opened":1700000000000,'
            '"first":1700000000000,"title":"a\\"/\\n\u00e9\\u0001",'
            '"why":"1 different value of check in 10s (needs 1): a\\"/\\n\u00e9\\u0001"}') % i)


class Closing(unittest.TestCase):
    def test_quiet_counts_from_the_clear_that_leaves_none_open(self):
        events = [problem("a", 0), problem("b", 1000), clear("a", 2000), clear("b", 9000), problem("z", 40000)]
        rows, _ = run(events, [rule(close=["quiet", 20000])])
        self.assertEqual(changes(rows), [(1000, "opened", "rule"), (29000, "closed", "quiet")])

    def test_quiet_waits_while_an_alert_is_open(self):
        events = [problem("a", 0), problem("b", 1000), clear("a", 9000), dict(problem("z", 40000), resource="other")]
        rows, _ = run(events, [rule(close=["quiet", 20000])])
        self.assertEqual(changes(rows), [(1000, "opened", "rule")])

    def test_quiet_and_cleared_closes_at_the_later_of_both(self):
        both = rule(close=["and", ["quiet", 5000], ["cleared"]])
        events = [problem("a", 0), problem("b", 1000), clear("a", 2000), clear("b", 3000),
                  dict(problem("z", 9000), resource="other")]
        rows, _ = run(events, [both])
        self.assertEqual(changes(rows), [(1000, "opened", "rule"), (8000, "closed", "quiet")])


class Alerts(unittest.TestCase):
    def test_an_event_at_the_moment_of_expiry_makes_a_new_alert(self):
        rows, ledger = run([problem("a", 0), problem("a", 4999), problem("a", 9999)],
                           [rule(when=at_least(COUNT, 1), close=["cleared"])], expire_ms=5000)
        # 4999 is a repeat and moves the expiry to 9999: CLEAR there, and then a new RAISE.
        self.assertEqual(changes(rows), [(0, "opened", "rule"), (9999, "closed", "cleared"),
                                         (9999, "opened", "rule")])
        self.assertEqual(counts(ledger, "routed", "duplicate", "alerts_expired"), (2, 1, 1))

    def test_changes_of_a_flapping_alert_are_held_back_until_it_calms_down(self):
        events = [problem("a", 0), clear("a", 100), problem("a", 200), clear("a", 300),
                  problem("a", 400), problem("z", 9000)]
        rows, ledger = run(events, [rule(when=at_least(COUNT, 1), close=["cleared"], by=["check"])],
                           flap_start=3, flap_stop=1, flap_window_ms=2000)
        # The third change, at 200, begins flapping and is routed; 300 and 400 are folded. At
        # 300 + 2000 one change (400) is left in the window: told open, is open, nothing to say.
        self.assertEqual(changes(rows), [(0, "opened", "rule"), (100, "closed", "cleared"),
                                         (200, "opened", "rule"), (9000, "opened", "rule")])
        self.assertEqual(counts(ledger, "flap_folded", "duplicate", "routed"), (2, 2, 4))

    def test_re_fires_and_clears_of_a_flapping_alert_are_counted(self):
        events = [make("c", 100 * i) for i, make in enumerate([problem, clear] * 4)]
        _, ledger = run(events, [rule()], flap_start=6, flap_stop=2)
        self.assertEqual([ledger[name] for name in ("alerts_opened", "alerts_refired", "alerts_cleared", "flap_folded")],
                         [1, 3, 4, 2])

    def test_flapping_that_ends_closed_sends_the_clear_at_its_timer(self):
        events = [problem("a", 0), clear("a", 100), problem("a", 200), clear("a", 300),
                  problem("z", 9000)]
        rows, _ = run(events, [rule(when=at_least(COUNT, 1), close=["cleared"], by=["check"])],
                      flap_start=3, flap_stop=1, flap_window_ms=2000)
        # Changes 100, 200, 300: the second newest is 200, so it ends at 2200.
        self.assertEqual(changes(rows)[3:], [(2200, "closed", "cleared"), (9000, "opened", "rule")])

    def test_flapping_that_ends_open_after_a_told_clear_raises_by_timer(self):
        events = [problem("a", 0), clear("a", 100), problem("a", 200, "critical"), problem("z", 9000)]
        rows, _ = run(events, [rule(when=at_least(COUNT, 1), close=["cleared"], by=["check"])],
                      flap_start=2, flap_stop=1, flap_window_ms=2000)
        # 100 begins flapping, told closed. The second newest change is 100: it ends at 2100.
        self.assertEqual(changes(rows)[2:], [(2100, "opened", "rule"), (9000, "opened", "rule")])
        raised = [r for r in rows if "change" in r][2]
        self.assertEqual(raised["incident"], xxhash.xxh3_128_hexdigest(
            b"acme\0r\0tenant=acme check=a\0timer\0" + str(T + 2100).encode()))
        self.assertEqual((raised["first"], raised["severity"]), (200, "critical"))

    def test_the_bound_of_four_alerts_evicts_the_oldest_at_the_round_end(self):
        events = [problem(c, i * 10) for i, c in enumerate("abcde")] + [clear("a", 300)]
        rows, ledger = run(events, [rule(where=is_text("==", "source", "s"), when=at_least(COUNT, 1),
                                         close=["cleared"])], alerts_max=4)
        # a goes at 200: its incident says so and is never closed by cleared().
        self.assertEqual(changes(rows), [(0, "opened", "rule"), (200, "updated", "evicted")])
        self.assertEqual([(r["alerts"], r["open"]) for r in rows if "change" in r], [(1, 1), (5, 4)])
        # Unmatched: the clear of a, which is not there any more. No minute ends, so nothing is told.
        self.assertEqual(counts(ledger, "unmatched", "routed", "derived"), (1, 5, 0))

    def test_what_is_no_longer_watched_is_told_by_an_event_of_the_next_minute(self):
        events = [problem(c, i * 10) for i, c in enumerate("abcde")] + [problem("z", 41000)]
        rows, ledger = run(events, [rule(id="self", where=is_text("==", "tenant", "@tocsin"),
                                         when=at_least(COUNT, 1), title=parts_of("{message}")),
                                    rule(where=is_text("==", "source", "s"), when=at_least(COUNT, 1))],
                           alerts_max=4)
        told = [r for r in rows if r.get("rule") == "self"][0]
        self.assertEqual((told["at"], told["change"], told["key"], told["severity"], told["title"]),
                         (40000, "opened", "tenant=@tocsin host=r", "warning",
                          "1 incident of rule r is no longer watched: a bound was reached"))
        self.assertEqual(told["incident"], xxhash.xxh3_128_hexdigest(
            b"@tocsin\0self\0tenant=@tocsin host=r\0event\0@derived/-1/%d/0" % (T + 40000)))
        self.assertEqual(counts(ledger, "events", "derived"), (6, 1))


class Windows(unittest.TestCase):
    def test_an_entry_leaves_at_exactly_its_window(self):
        r = rule(when=at_least(COUNT, 2))
        self.assertEqual(changes(run([problem("a", 0), problem("b", 9999)], [r])[0]),
                         [(9999, "opened", "rule")])
        rows, ledger = run([problem("a", 0), problem("b", 10000)], [r])
        self.assertEqual((rows, counts(ledger, "expired", "pending")), ([], (1, 1)))

    def test_max_members_drops_the_oldest_entry(self):
        rows, ledger = run([problem(c, i) for i, c in enumerate("abcd")],
                           [rule(when=at_least(COUNT, 4), max_members=3)])
        self.assertEqual((rows, counts(ledger, "evicted", "pending")), ([], (1, 3)))

    def test_max_members_drops_the_oldest_entry_whose_value_comes_again(self):
        events = [problem(c, i) for i, c in enumerate("abaaac")]
        for when, opened in [(at_least(distinct("check"), 3), [(5, "opened", "rule")]),
                             (["and", at_least(distinct("check"), 3), at_least(distinct("host"), 1)], [])]:
            rows, ledger = run(events, [rule(when=when, max_members=3, on="events", title=["t"])])
            self.assertEqual((changes(rows), counts(ledger, "evicted")), (opened, (3,)))

    def test_updates_come_once_at_the_round_end_severity_first(self):
        events = [problem("a", 0), problem("b", 10), problem("c", 20), problem("d", 30, "critical"),
                  problem("e", 250), problem("f", 260), problem("g", 270), problem("h", 280)]
        rows, _ = run(events, [rule()])
        self.assertEqual(changes(rows), [(10, "opened", "rule"), (200, "updated", "severity"),
                                         (400, "updated", "grew")])

    def test_max_keys_drops_watching_keys_before_open_ones(self):
        events = [dict(problem(c, i), resource=h) for i, (c, h) in
                  enumerate([("a", "h1"), ("b", "h1"), ("a", "h2"), ("a", "h3"), ("b", "h3")])]
        rows, ledger = run(events, [rule(max_keys=1, where=is_text("==", "source", "s"))])
        # h1 and h3 have incidents, h2 watches one entry. At 200 h2 goes, then h1, the older.
        self.assertEqual(changes(rows), [(1, "opened", "rule"), (4, "opened", "rule"),
                                         (200, "updated", "evicted")])
        self.assertEqual(rows[-2]["key"], "tenant=acme host=h1")
        self.assertEqual(counts(ledger, "evicted", "open"), (1, 2))


class Times(unittest.TestCase):
    def test_disorder_seals_and_clamps_give_the_effective_time(self):
        # kt:        0     2000        2100         2200               5000
        # own time:  0     2000        1600 (in L)  1000 (late: 1500)  9000 (beyond F: 5000)
        events = [problem("a", 0), problem("b", 2000), problem("c", 1600), problem("d", 1000),
                  problem("e", 9000)]
        rows, ledger = run(events, [rule(when=at_least(COUNT, 1), by=["check"],
                                         close=["quiet", 3600000])],
                           log_times=[0, 2000, 2100, 2200, 5000])
        self.assertEqual([(r["at"], r["key"][-1], r["first"]) for r in rows if "change" in r],
                         [(0, "a", 0), (1500, "d", 1000), (1600, "c", 1600), (2000, "b", 2000),
                          (5000, "e", 9000)])
        self.assertEqual(counts(ledger, "late", "late_by_seal", "time_clamped"), (1, 0, 1))

    def test_a_seal_raises_what_comes_behind_it(self):
        events = [problem("a", 0), problem("b", 100)]
        rows, ledger = run(events, [rule(when=at_least(COUNT, 1), by=["check"])],
                           marks=[seal(1, 450)])
        self.assertEqual(changes(rows), [(0, "opened", "rule"), (450, "opened", "rule")])
        self.assertEqual(counts(ledger, "late", "late_by_seal"), (0, 1))

    def test_a_recording_ends_at_the_round_end_behind_its_last_event(self):
        # M + L = 700, the end is 800: a timer due at 799 fires, one at 800 does not.
        for ms, expected in ((599, [(799, "closed", "fewer")]), (600, [])):
            rows, _ = run([problem("a", 0), problem("b", 200)], [rule(close=["fewer", 1, ms])])
            self.assertEqual(changes(rows)[1:], expected)


class Marks(unittest.TestCase):
    """What a live run's marks do: joins, leaves, switches, blind spells."""

    def live(self, events, marks, rules, switches=(), **config):
        whole = dict(scenario(events, rules, **config), script=[], switches=list(switches))
        whole["marks"] = [dict({"member": 0, "topic": "t", "partition": 0, "offset": 0}, **m)
                          for m in marks]
        lines = run_scenario(whole)
        rows = [json.loads(line) for line in lines]
        told = [(r["at"] - T, r["change"], r["rule"], r["key"]) for r in rows[:-1] if "change" in r]
        return told, rows[-1]["ledger"]

    def test_a_join_seals_and_a_leave_drops(self):
        one = rule(id="one", by=["check"], when=at_least(COUNT, 1), close=["quiet", 60000])
        rows, ledger = self.live(
            [problem("a", 0), problem("b", 900), problem("c", 1000), problem("d", 1100)],
            [{"kind": "join", "value": T + 300}, {"kind": "leave", "offset": 3, "value": T + 1000}],
            [one])
        # a is raised to V; c lies at the leave's value; d is not read any more.
        self.assertEqual(rows, [(300, "opened", "one", "tenant=acme check=a"),
                                (900, "opened", "one", "tenant=acme check=b")])
        self.assertEqual((ledger["records"], ledger["left"], ledger["late_by_seal"]), (3, 1, 1))

    def test_a_membership_that_never_joined_is_not_read(self):
        _, ledger = self.live([problem("a", 0)], [], [rule()])
        self.assertEqual(ledger["records"], 0)

    def test_a_switch_moves_nothing_of_a_rule_that_stays(self):
        kept = rule(id="kept", when=at_least(COUNT, 1), close=["fewer", 1, 1000])
        fresh = rule(id="fresh", when=at_least(COUNT, 1), close=["quiet", 60000])
        rows, ledger = self.live([problem("a", 0), problem("a", 500), problem("x", 3000)],
                                 [{"kind": "join", "value": None}], [kept],
                                 [{"at": T + 200, "rules": [dict(kept, title=["anew"]), fresh]}])
        # The repeat at 500 opens the rule that came, and is nothing new to the other.
        self.assertEqual(rows[:3], [(0, "opened", "kept", "tenant=acme host=db01"),
                                    (500, "opened", "fresh", "tenant=acme host=db01"),
                                    (1000, "closed", "kept", "tenant=acme host=db01")])
        self.assertEqual((ledger["routed"], ledger["duplicate"]), (3, 0))

    def test_what_is_shed_counts_as_rejected_and_is_told(self):
        shed = {"kind": "shed", "topic": "t", "partition": 0}
        told = rule(id="told", where=is_text("==", "check", "input-shed"), by=["resource"], on="events",
                    when=at_least(COUNT, 1), close=["cleared"])
        rows, ledger = run([problem("a", 0, "info"), problem("b", 100, "info"), problem("c", 200, "warning"),
                            clear("a", 300), problem("d", 60100, "debug"), problem("e", 60200, "info")],
                           [rule(when=at_least(COUNT, 1), where=is_text("==", "source", "s")), told],
                           [dict(shed, offset=1, value=8 * 90000 + 3), dict(shed, offset=5, value=0)])
        self.assertEqual([(row["at"], row["change"], row["rule"]) for row in rows if "change" in row],
                         [(0, "opened", "r"), (100, "opened", "told"), (400, "updated", "r"), (60200, "closed", "told")])
        self.assertEqual((ledger["events"], ledger["rejected"], ledger["derived"]), (6, 2, 3))

    def test_a_blind_spell_is_told_at_its_ends_and_between(self):
        told = rule(id="told", where=is_text("==", "source", "tocsin"), by=["resource"], on="events",
                    when=at_least(COUNT, 1), close=["cleared"])
        rows, ledger = self.live([problem("a", 0), problem("x", 3000)],
                                 [{"kind": "join", "value": None},
                                  {"kind": "blind-begin", "value": T + 350},
                                  {"kind": "blind-end", "value": T + 1500}], [told],
                                 expire_ms=1000)
        # Values are rounded up to the round, 400 and 1600; reminders each 400 ms, half of expire
        # in whole rounds: 800 and 1200.
        self.assertEqual(rows, [(400, "opened", "told", "tenant=@tocsin resource=t/0"),
                                (1600, "closed", "told", "tenant=@tocsin resource=t/0")])
        self.assertEqual(ledger["derived"], 4)


class Size(unittest.TestCase):
    """The model is there to be read: it stays as short as it is. Its files are all of the rules' meaning; those of
    FRAME read a scenario, write lines and sum up."""
    FILES = ["model", "events", "alerts", "enrich", "forms", "incidents", "values", "calendars"]
    FRAME = ["frame." + name for name in ("scenario", "trees", "lines", "words", "ledger", "run")]
    CODE_LINES_MAX, FRAME_CODE_LINES_MAX, LINE_MAX = 1031, 282, 120

    def setUp(self):
        self.texts = {name: self.text_of(name) for name in self.FILES + self.FRAME}

    @staticmethod
    def text_of(name):
        here = os.path.dirname(model.__file__)
        with open(os.path.join(here, name.replace(".", os.sep) + ".py"), encoding="utf-8") as file:
            return file.read()

    @staticmethod
    def code_lines(text):
        """Those that are neither blank nor a comment, and no docstring."""
        lines = {at for at, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] != "#"}
        for part in ast.walk(ast.parse(text)):
            if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant):
                lines -= set(range(part.lineno, part.end_lineno + 1))
        return len(lines)

    def test_it_does_not_grow(self):
        for names, limit in ((self.FILES, self.CODE_LINES_MAX), (self.FRAME, self.FRAME_CODE_LINES_MAX)):
            self.assertLessEqual(sum(self.code_lines(self.texts[name]) for name in names), limit)
        self.assertLessEqual(max(len(line) for text in self.texts.values() for line in text.splitlines()), self.LINE_MAX)

    def test_the_pages_say_how_large_it_may_be(self):
        here = os.path.dirname(os.path.abspath(model.__file__))
        for page in (os.path.join(here, "README.md"), os.path.join(here, "..", "..", "docs", "correlation.md")):
            with open(page, encoding="utf-8") as file:
                text = " ".join(file.read().split())
            for size in (f"at most {self.CODE_LINES_MAX} lines of code", f"at most {self.FRAME_CODE_LINES_MAX}"):
                self.assertTrue(re.search(size + r"\b", text), f"{page} does not say: {size}")

    def test_it_uses_nothing_of_what_tests_it(self):
        for part in (part for text in self.texts.values() for part in ast.walk(ast.parse(text))):
            names = [part.module] if isinstance(part, ast.ImportFrom) else (
                [alias.name for alias in part.names] if isinstance(part, ast.Import) else [])
            self.assertLessEqual(set(names), {*self.texts, "frame", "dateutil", "xxhash"} | sys.stdlib_module_names)


if __name__ == "__main__":
    unittest.main()
