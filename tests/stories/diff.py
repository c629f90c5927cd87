#!/usr/bin/python3
"""Aim: `tocsin diff` tells each kind of change by its name, by rule and team, with pages and examples; tells
nothing of equal sets; and old and new in each other's place mirror the result. Method: small logs with
worked-out incidents, then random logs and rules of the generator of tests/model (its seeds are printed)."""
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ["TOCSIN_TREE"], "tests", "model"))
import generate  # noqa: E402
import run_model  # noqa: E402
import write as write_files  # noqa: E402
from random_seed import random_seed  # noqa: E402

T0 = 1_700_000_000_000
KINDS = ["gained", "lost", "merged", "split", "regrouped", "priority", "severity", "route", "told_sooner", "told_later", "never_told", "newly_told",
         "retimed", "reworded"]
MIRROR = {"gained": "lost", "lost": "gained", "merged": "split", "split": "merged", "told_sooner": "told_later", "told_later": "told_sooner",
          "never_told": "newly_told", "newly_told": "never_told"}


def fail(what):
    print("FAILED:", what)
    sys.exit(1)


def check(what, got, expected):
    if got != expected:
        fail(f"{what}: {got!r} instead of {expected!r}")


def run(*arguments):
    done = subprocess.run([os.environ["TOCSIN"], "diff", *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def diff(*arguments, may_be_refused=False):
    code, out, err = run("--json", "--quiet", *arguments)
    if may_be_refused and (code == 78 and re.search(run_model.IMPOSSIBLE, err) or code == 71 and "do not hold" in err):
        return None
    if code not in (0, 1):
        fail(f"{arguments}: exit code {code}: {err}")
    result = json.loads(out)
    check("exit code", code, 1 if result["changed"] else 0)
    check("schema", result["schema"], "tocsin-diff/1")
    return result


def changes(result):
    check("kinds", sorted(result["changes"]), sorted(KINDS))
    return {kind: n for kind, n in result["changes"].items() if n > 0}


def write(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


def event(second, host, check_, severity="major", clear=False, **labels):
    return {"source": "test", "resource": f"{host}/{check_}", "check": check_, "time": T0 + int(second * 1000),
            "severity": severity, "state": "clear" if clear else "problem", "labels": {"host": host, **labels}}


def log(*events):
    lines = [json.dumps({"topic": "events", "partition": 0, "offset": i, "log_time": e["time"], "payload": json.dumps(e)})
             for i, e in enumerate(sorted(events, key=lambda e: e["time"]))]
    write("case.tlog", "\n".join(lines) + "\n")


def rule(id="r", where="true", by="[tenant, host]", window="10s", when="count() >= 2", title="{host}", priority="P2",
         close="fewer(1, 20s)", team="ops", more=""):
    return (f"  - id: {id}\n    where: '{where}'\n    by: {by}\n    window: {window}\n    when: {when}\n"
            f"    incident: {{title: '{title}', priority: {priority}, team: {team}{more and ', ' + more}}}\n    close: {close}\n")


def rules(name, *parts):
    write(name, "rules:\n" + "".join(parts))


def mute(id, source, target):
    return f"inhibit:\n  - id: {id}\n    source: '{source}'\n    target: '{target}'\n"


def case(what, events, old, new, expected, same=0, pages=None, more=()):
    """Both ways round."""
    log(*events, event(1000, "end", "tick"))  # so that what is due by then happens
    rules("old.yaml", *old)
    rules("new.yaml", *new)
    result = diff("--rules", "old.yaml", "--rules", "new.yaml", *more, "case.tlog")
    check(what, changes(result), expected)
    check(what + ": same", result["same"], same)
    if pages is not None:
        check(what + ": pages", (result["pages"]["old"], result["pages"]["new"]), pages)
    back = diff("--rules", "new.yaml", "--rules", "old.yaml", *more, "case.tlog")
    check(what + ": mirrored", changes(back), {MIRROR.get(k, k): n for k, n in expected.items()})
    check(what + ": equal", changes(diff("--rules", "old.yaml", "--rules", "old.yaml", *more, "case.tlog")), {})
    return result


# Two alerts of h at 0 and 1 s: r opens at 1 s and is quiet 20 s later, at 21 s.
pair = [event(0, "h", "a"), event(1, "h", "b")]
# One event more: h opens at its second, and its third comes while it is open.
three = pair + [event(5, "h", "c")]

result = case("gained", pair, [rule(when="count() >= 3")], [rule()], {"gained": 1}, pages=(0, 1))
example = result["examples"][0]
check("an example", (example["kinds"], example["old"], example["old_count"], example["new_count"]), (["gained"], [], 0, 1))
incident = example["new"][0]
check("its incident", {k: incident[k] for k in ("rule", "key", "title", "priority", "severity", "team", "opened", "closed", "alerts", "pages", "sinks")},
      {"rule": "r", "key": "tenant=default host=h", "title": "h", "priority": "P2", "severity": "major", "team": "ops",
       "opened": T0 + 1000, "closed": T0 + 21000, "alerts": 2, "pages": 1, "sinks": ["page"]})
check("why", incident["why"], "2 alerts in 10s (needs 2)")
# First event at 0 s, the last at 1000 s; sealed 500 ms later, the disorder of a topic: in the round of 200 ms that ends at 1000.6 s.
check("span", result["span"], {"from": T0, "to": T0 + 1000600})
check("pages a day", round(result["pages"]["delta_per_day"], 3), round(86400000 / 1000600, 3))

case("lost", pair, [rule()], [rule(where='check == "a"')], {"lost": 1}, pages=(1, 0))
# Opens at 5 s instead of 1 s, and so closes then too: another opener, the same key.
case("retimed at its opening", three, [rule()], [rule(when="count() >= 3")], {"retimed": 1, "told_later": 1}, pages=(1, 1))
# The same opener: closes 20 s or 30 s after the last touch.
case("retimed at its end", pair, [rule()], [rule(close="fewer(1, 30s)")], {"retimed": 1})
case("another priority, with another route", pair, [rule()], [rule(priority="P3")], {"priority": 1, "route": 1, "never_told": 1}, pages=(1, 0))
case("another priority, the same route", pair, [rule()], [rule(priority="P1")], {"priority": 1}, pages=(1, 1))
result = case("another team", pair, [rule()], [rule(team="net")], {"route": 1}, pages=(1, 1))
check("what differs", result["examples"][0]["differs"], {"team": ["ops", "net"]})
result = case("another title", pair, [rule()], [rule(title="on {host}")], {"reworded": 1})
check("what differs", result["examples"][0]["differs"], {"title": ["h", "on h"]})
result = case("another runbook and tier", pair, [rule(more="runbook: kb/1, tier: T1")], [rule(more="runbook: kb/2")], {"reworded": 1})
check("what differs", result["examples"][0]["differs"], {"tier": ["T1", ""], "runbook": ["kb/1", "kb/2"]})
check("whom it concerns", [(i["team"], i["tier"], i["runbook"]) for side in ("old", "new") for i in result["examples"][0][side]],
      [("ops", "T1", "kb/1"), ("ops", "", "kb/2")])
# The third alert is critical; without it h opens at the same event, as major, and closes 20 s after its own last.
graver = pair + [event(5, "h", "c", severity="critical")]
case("another severity", graver, [rule()], [rule(where='check != "c"')], {"severity": 1, "retimed": 1})
# Another name, so other ids and keys: the alerts tell.
case("renamed", pair, [rule()], [rule(id="s")], {"reworded": 1})
# h is quiet for 35 s in between: two incidents, or one with fewer(1, 40s).
twice = pair + [event(37, "h", "c"), event(38, "h", "d")]
result = case("merged", twice, [rule()], [rule(close="fewer(1, 40s)")], {"merged": 1}, pages=(2, 1))
check("both old ones are shown", [i["opened"] for i in result["examples"][0]["old"]], [T0 + 1000, T0 + 38000])
# One rule by rack, two rules by kind of check; each with its own team.
rack = [event(0, "h1", "cpu", rack="r7"), event(0.5, "h2", "disk", rack="r7"), event(1, "h1", "cpu2", rack="r7"),
        event(1.5, "h2", "disk2", rack="r7")]
result = case("split across rules", rack, [rule(id="rack", by="[labels.rack]", team="room", title="rack {labels.rack}")],
              [rule(id="cpu", where='check.startsWith("cpu")', team="compute"), rule(id="disk", where='check.startsWith("disk")', team="store")],
              {"split": 1}, pages=(1, 2))
check("by rule", [(r["rule"], r["changes"]["split"], r["pages"]["delta"]) for r in result["rules"]], [("cpu", 1, 1), ("disk", 1, 1), ("rack", 1, -1)])
check("by team", [(t["team"], t["incidents"]["old"], t["incidents"]["new"]) for t in result["teams"]],
      [("compute", 0, 1), ("room", 1, 0), ("store", 0, 1)])
# A change of one rule leaves the other's incident the same.
case("the other rule", pair + [event(0, "g", "x"), event(1, "g", "y")], [rule(where='labels.host == "h"'), rule(id="g", where='labels.host == "g"')],
     [rule(where='labels.host == "h"', team="net"), rule(id="g", where='labels.host == "g"')], {"route": 1}, same=1)
# --near: 21 s to 61 s are 40 s between the old end and the new opening.
apart = pair + [event(60, "h", "c"), event(61, "h", "d")]
first, second = 'check in ["a", "b"]', 'check in ["c", "d"]'
case("near", apart, [rule(where=first)], [rule(where=second)], {"retimed": 1, "told_later": 1}, more=("--near", "40s"))
case("not near", apart, [rule(where=first)], [rule(where=second)], {"lost": 1, "gained": 1}, more=("--near", "39999ms"))
# A rule more over the same alerts, by check: its incidents are new, and r's is what it was.
case("a rule more", pair, [rule()], [rule(), rule(id="each", where='labels.host == "h"', by="[host, check]", when="count() >= 1")], {"gained": 2}, same=1)
# The same two alerts of h by host alone, or by host and which of two kinds they are: another key, so another id.
kinds = [event(0, "h", "a", kind="k"), event(1, "h", "b", kind="k")]
result = case("another key", kinds, [rule(by="[host, labels.kind]")], [rule(by="[host]")], {"regrouped": 1}, pages=(1, 1))
check("what differs", result["examples"][0]["differs"], {"key": ["tenant=default host=h labels.kind=k", "tenant=default host=h"]})
# g's page waits until h's incident is over, at 21 s: as long as that inhibits it. g opens at 3 s and is quiet at 30 s, 20 s after its last.
cause = [rule(id="cause", where='host == "h"', priority="P4")]
effect = [rule(id="effect", where='host == "g"', team="net")]
both = pair + [event(2, "g", "a"), event(3, "g", "b"), event(10, "g", "c")]
waits = mute("h-down", 'rule == "cause"', 'rule == "effect"')
result = case("told sooner", both, cause + effect + [waits], cause + effect, {"told_sooner": 1}, same=1, pages=(1, 1))
check("what differs", result["examples"][0]["differs"], {"told": [T0 + 21000, T0 + 3000]})
check("when it was told", [i["told"] for side in ("old", "new") for i in result["examples"][0][side]], [T0 + 21000, T0 + 3000])
check("by rule", [(r["rule"], r["changes"]["told_sooner"]) for r in result["rules"]], [("cause", 0), ("effect", 1)])
check("by team", [(t["team"], t["changes"]["told_sooner"]) for t in result["teams"]], [("net", 1), ("ops", 0)])
code, out, err = run("--rules", "old.yaml", "--rules", "new.yaml", "case.tlog")
for words in ("  told sooner  1\n", ", 1 told sooner\n", "  told sooner:\n", "major; told page after 18s\n", "major; told page\n",
              "    told at 2023-11-14T22:13:41.000Z -> 2023-11-14T22:13:23.000Z\n"):
    if words not in out:
        fail(f"no {words!r} in: {out}")
# h stays open for a minute now: g's incident is over before that.
lingers = [rule(id="cause", where='host == "h"', priority="P4", close="fewer(1, 1m)")]
case("never told", both, cause + effect + [waits], lingers + effect + [waits], {"never_told": 1, "route": 1, "retimed": 1}, pages=(1, 0))
# Ten incidents of two alerts, 50 s apart: one, where a minute has to be quiet. Eight of them are shown.
ten = [event(50 * i + k, "h", f"{i}-{k}") for i in range(10) for k in range(2)]
result = case("ten merged", ten, [rule()], [rule(close="fewer(1, 1m)")], {"merged": 1}, pages=(10, 1))
example = result["examples"][0]
check("of ten", ([i["opened"] for i in example["old"]], example["old_count"], example["new_count"]),
      ([T0 + 1000 + 50000 * i for i in range(8)], 10, 1))
code, out, err = run("--rules", "old.yaml", "--rules", "new.yaml", "case.tlog")
check("eight in words", (len(re.findall("^    - h ", out, re.M)), len(re.findall("^    [+] h ", out, re.M)), out.count("    - and 2 more\n")), (8, 1, 1))
# As many examples as are asked for, the earliest.
rules("new.yaml", rule(team="net"))
for more, expected in ((), 3), (("--examples", "2"), 2), (("--examples", "0"), 0), (("--examples", "100"), 10):
    result = diff("--rules", "old.yaml", "--rules", "new.yaml", *more, "case.tlog")
    check(f"{more}", [e["old"][0]["opened"] for e in result["examples"]], [T0 + 1000 + 50000 * i for i in range(expected)])
# The sinks of the configuration decide what a page is; and its rules are the old ones where --rules is given once.
rules("old.yaml", rule())
write("tocsin.yaml", "rules: [old.yaml]\nsinks:\n"
      '  - {name: all, type: webhook, options: {url: "http://127.0.0.1:9/"}}\n'
      '  - {name: urgent, type: webhook, priority: P1, options: {url: "http://127.0.0.1:9/"}}\n')
result = case("sinks", pair, [rule()], [rule(priority="P1")], {"priority": 1, "route": 1}, pages=(1, 2), more=("--config", "tocsin.yaml"))
check("sinks told", [i["sinks"] for side in ("old", "new") for i in result["examples"][0][side]], [["all"], ["all", "urgent"]])
check("what differs", result["examples"][0]["differs"], {"priority": ["P2", "P1"], "sinks": [["all"], ["all", "urgent"]]})
check("a group that is no pair says nothing of it", "differs" in diff("--rules", "old.yaml", "--rules", "demo", "case.tlog")["examples"][0], False)
result = diff("--config", "tocsin.yaml", "--rules", "new.yaml", "case.tlog")
check("configured", (changes(result), result["old"]["name"]), ({"priority": 1, "route": 1}, "tocsin.yaml"))

# For people.
code, out, err = run("--rules", "old.yaml", "--rules", "new.yaml", "case.tlog")
check("exit code", code, 1)
# The span is that of above, 1000.6 s.
for words in ("--- old.yaml (1 rule)\n", "pages 1 -> 1, +0.0 a day reckoned from 16m40s600ms\n", "  priority     1", "    - h [P2 r] 2023-11-14T22:13:21.000Z .. 2023-11-14T22:13:41.000Z"):
    if words not in out:
        fail(f"no {words!r} in: {out}")
# Whom an example concerns, what they are to do, and what of it is another.
rules("old.yaml", rule(more="runbook: kb/disks, tier: T2"))
rules("new.yaml", rule(team="net", close="fewer(1, 1h)", priority="P4"))
code, out, err = run("--rules", "old.yaml", "--rules", "new.yaml", "case.tlog")
for words in ("      team ops, tier T2, runbook kb/disks; major; told page\n", "      team net, no runbook; major; told nobody\n",
              "    team ops -> net; tier T2 -> none; runbook kb/disks -> none; priority P2 -> P4; told page -> nobody; closed 2023-11-14T22:13:41.000Z -> open\n"):
    if words not in out:
        fail(f"no {words!r} in: {out}")


def refused(code, words, *arguments):
    got, _, err = run(*arguments)
    if got != code or words not in err:
        fail(f"{arguments}: {got}: {err!r} instead of {code}: {words!r}")


refused(64, "--rules is needed twice", "case.tlog")
refused(64, "no --config says what the old rules are", "--rules", "new.yaml", "case.tlog")
refused(64, "read twice", "--rules", "new.yaml", "--rules", "old.yaml", "-")
refused(78, "none.yaml", "--rules", "none.yaml", "--rules", "old.yaml", "case.tlog")
refused(66, "No such file", "--rules", "new.yaml", "--rules", "old.yaml", "none.trec")
refused(71, "do not hold", "--memory", "1", "--rules", "new.yaml", "--rules", "old.yaml", "case.tlog")

def whole(rules):
    """Without rules on incidents of rules that are not there, or of rules on incidents."""
    plain = {r["id"] for r in rules if "of" not in r}
    return [r for r in rules if plain.issuperset(r.get("of", []))]


# Random logs and rules.
count, found = int(sys.argv[1]), dict.fromkeys(KINDS, 0)
seed = random_seed(*sys.argv[2:3])
refused_sets = 0
for name, text in write_files.table_files():  # that the rules of the generator look things up in
    write(name, text)
for i in range(seed, seed + count):
    one, two = generate.scenario_of(i), generate.scenario_of(i + 1)
    write("random.tlog", write_files.tlog({**one, "marks": []}))
    write("one.yaml", write_files.rules_yaml(one["rules"]))
    if i % 3 == 0:  # the same rules, each a little different
        rules = [{**r, "priority": "P4" if r.get("priority") == "P1" else "P1", "close": ["quiet", 700]} for r in one["rules"]]
    else:
        kept = one["rules"][1:] if i % 3 == 1 else []
        rules = whole(kept + [r for r in two["rules"] if r["id"] not in {k["id"] for k in kept}])
    write("two.yaml", write_files.rules_yaml(rules))
    # 16 MiB: rules made for another log may open an incident each half second of a day without events in this one.
    equal = diff("--memory", "16MiB", "--rules", "one.yaml", "--rules", "one.yaml", "random.tlog", may_be_refused=True)
    forth = diff("--memory", "16MiB", "--rules", "one.yaml", "--rules", "two.yaml", "random.tlog", may_be_refused=True)
    if equal is None or forth is None:  # a `when` at random, or too much
        refused_sets += 1
        continue
    if equal["changed"] or equal["same"] != equal["incidents"]["old"]:
        fail(f"seed {i}: equal sets differ: {changes(equal)}")
    back = diff("--rules", "two.yaml", "--rules", "one.yaml", "random.tlog", "--workers", "2", "--take", "1")
    for name, a, b in [("all", forth, back)] + [
            (word, x, y) for word in ("rules", "teams") for x, y in zip(forth[word], back[word])]:
        for kind in KINDS:
            check(f"seed {i}: {name}: {kind}", b["changes"][MIRROR.get(kind, kind)], a["changes"][kind])
        check(f"seed {i}: {name}: same", b["same"], a["same"])
        for what in ("incidents", "pages"):
            check(f"seed {i}: {name}: {what}", (b[what]["new"], b[what]["old"]), (a[what]["old"], a[what]["new"]))
    check(f"seed {i}: span", back["span"], forth["span"])
    check(f"seed {i}: incidents", (forth["old"]["incidents"], forth["new"]["incidents"]), (forth["incidents"]["old"], forth["incidents"]["new"]))
    for kind, n in forth["changes"].items():
        found[kind] += n
print(found, "refused", refused_sets)
if 2 * refused_sets > count:
    fail(f"{refused_sets} of {count} random sets are refused")
if sum(found[kind] > 0 for kind in KINDS) < 6:
    fail(f"the random sets hardly change anything: {found}")
