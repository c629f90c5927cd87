# Aim: any file of bytes is taken or refused within a second, by each command that reads one: rule files,
# tests of rules, mapping files, Sigma, Alertmanager, calendars, sets and tables. Method: for each reader
# the worst that its limits let through, found by a search over many kinds of files, and one step beyond
# each limit; and events that are the worst for the steps of such a file. The CPU time of a run counts,
# so that a busy machine does not decide.
. "$TOCSIN_TREE/tests/stories/daemon_lib.sh"
python3 - <<'PY'
import json, os, subprocess, zoneinfo

tocsin = os.environ["TOCSIN"]
FULL = (4 << 20) - 64


def fill(unit, head="", limit=FULL, most=10**9):
    """The head and unit(0), unit(1), ... up to the limit of a file."""
    out, size, i = [head], len(head), 0
    while i < most:
        text = unit(i) if callable(unit) else unit
        size += len(text)
        if size > limit:
            break
        out.append(text)
        i += 1
    return "".join(out)


def rule(i, where):
    return ("- {id: r%d, where: '%s', by: [host], window: 1m, when: count() >= 2, incident: {title: t}, "
            "close: quiet(1m)}\n" % (i, where))


def maintenance(when, most=1000):
    return fill(lambda i: "- {id: m%d, where: tenant != \"\", %s}\n" % (i, when(i) if callable(when) else when),
                "maintenance:\n", most=most)


def intervals(i, zone):
    """A day of the month, by fifty clocks."""
    return "time_intervals: [%s]" % ",".join(
        "{days_of_month: [\"31\"], location: %s}" % zone(i * 50 + k) for k in range(50))


def sigma(i, detection):
    return "---\ntitle: Rule %d\nlevel: high\ndetection:\n  s: {%s}\n  condition: s\n" % (i, detection)


def route(i, sign="="):
    return "  - {receiver: \"null\", matchers: ['team%s\"t%d.*x\"']}\n" % (sign, i)


def settings(steps):
    return fill(lambda i: "- id: s%d\n  set: {%s}\n" % (i, ", ".join("labels.a%d: '\"%d\"'" % (j, i) for j in range(250))),
                "enrich:\n", most=steps)


def event(name, labels):
    return json.dumps({"resource": "r", "check": "c", "severity": "major",
                       "labels": {"%s%d" % (name, i): text for i, text in enumerate(labels)}}) + "\n"


routes = "route:\n  receiver: top\n  group_by: [alertname]\n  routes:\n"
zones = sorted(zoneinfo.available_timezones() - {"localtime", "Factory"})
hours = ",".join(map(str, range(24)))
check, test = ["check", "--rules"], ["test"]
replay = ["replay", "--quiet", "--incidents", "off", "--json", "--rules", "settings.yaml"]
with open("settings.yaml", "w") as to:
    to.write(settings(40) + "rules:\n" + rule(0, "value > 1"))
sigma_in, alert_in = ["import", "--from", "sigma"], ["import", "--from", "alertmanager"]
cases = [
    # What all YAML is read with: name, arguments, text, exit code, a part of what is said.
    ("values", check, fill("- a\n"), 78, "more than 500000 values"),
    ("brackets", test, fill("[a,\"\",[a],\n"), 65, "more than 500000 brackets and commas"),
    ("brackets, fewer", sigma_in, fill("[\n", limit=999999), 65, "nested deeper than 16 levels"),
    ("documents", alert_in, fill("---\n"), 65, "more than 20000 documents"),
    ("tabs", check, fill("\t\t\n" * 50 + "a\n"), 78, "begins with"),
    ("two bytes a character", check, "rules: []\n".encode("utf-16"), 78, "no UTF-8"),
    ("digits", check, "rules:\n" + rule(0, "value > " + "1" * 15000), 78, "c.yaml:2:"),
    # Rule files.
    ("empty rules", check, fill("- a\n", "rules:\n", most=499000), 78, "and 19991 more"),
    ("arithmetic", check, fill(lambda i: rule(i, "value > " + "+".join(["1"] * 60)), "rules:\n"), 0, "ok"),
    ("patterns of long gaps", check, fill(lambda i: rule(i, 'message.matches(r"user%d .{1,100}failed")' % i), "rules:\n",
                                          most=10000), 0, "ok"),
    ("more of them", check, fill(lambda i: rule(i, 'message.matches(r"(?i)abcdef%d.{1,30}ghijkl[a-z]{1,20}mnopqr")' % i),
                                 "rules:\n", most=10000), 0, "ok"),
    ("large patterns", check, fill(lambda i: rule(i, 'message.matches(r"x%d[a-z]{0,990}y")' % i), "rules:\n", most=2000),
     78, "take too long to build"),
    ("many ways", check, fill(lambda i: rule(i, 'message.matches(r"([ab]?[bc]?[cd]?){25}%d")' % i), "rules:\n", most=4000),
     0, "ok"),
    ("texts made", check, fill(lambda i: rule(i, "+".join(["message"] * 60) + ' == "x"'), "rules:\n"), 0, "ok"),
    ("classes of any script", check, fill(lambda i: rule(i, 'message.matches(r"%s")' % "".join(
        "[\\pL%s]" % chr(0x4e00 + i + j) for j in range(90))), "rules:\n", most=4000), 78, "too long to"),
    ("groups in groups", check, fill(lambda i: rule(i, 'message.matches(r"%s%s%s%d")' % (
        "(" * 45, "|".join("abcdefgh"[j % 8] for j in range(200)), "!)" * 45, i)), "rules:\n"), 78, "too long to"),
    ("extracts of any script", check, fill(lambda i: "- id: e%d\n  extract:\n" % i + "".join(
        "  - {from: message, pattern: '(?i)(?P<a>%s)%d'}\n" % ("".join("[\\pL\\pN%c]?" % (97 + k) for k in range(20)), j)
        for j in range(50)), "enrich:\n", most=200), 78, "take too long to read"),
    ("many fields", check, fill(lambda i: rule(i, " && ".join('labels.a%d == "%d"' % (j, i) for j in range(600))),
                                "rules:\n"), 0, "ok"),
    ("extracts", check, fill(lambda i: "- id: e%d\n  extract:\n" % i + "".join(
        '  - {from: message, pattern: "(?P<a%d>[a-z]{1,90}) .*[0-9]{90}x"}\n' % j for j in range(500)),
        "enrich:\n"), 78, "remove at most 10000 things"),
    ("settings", check, settings(80), 78, "remove at most 10000 things"),
    # Ten events of which each of 10,000 entries copies the words, until 16 MiB are passed over: after 20 entries of
    # large ones, after 254 where there are many labels.
    ("large events", replay, event("l", ["x" * 50000] * 16) * 10, 0, '"errors": 99800'),
    ("events of many labels", replay, event("a", [""] * 500) * 10, 0, '"errors": 97460'),
    ("mutes", check, "rules:\n" + "".join(rule(i, 'check == "%d"' % i) for i in range(3000)) + fill(
        lambda i: "- {id: i%d, source: '%s', target: 'rule == \"x\"'}\n" % (
            i, " || ".join('rule == "q%d"' % j for j in range(200))), "inhibit:\n", 3 << 20, 1000), 0, "not looked at"),
    # Names that are none, beside many that may have been meant.
    ("sets nobody has", check, fill(lambda i: "  %s%03d: [a]\n" % ("s" * 40, i), "sets:\n", most=256) + fill(lambda i: rule(
        i, " || ".join("check in %sx%02d" % ("s" * 40, (i + j) % 100) for j in range(7))), "rules:\n", 4 << 20, 8000),
     78, "there is no set or table"),
    ("set", check, fill(lambda i: "  - w%d\n" % i, "sets:\n  s:\n", most=200000) + "rules:\n" + "".join(
        rule(i, "check in s") for i in range(4000)), 0, "ok"),
    # Calendars: one that is never open, one that seldom is, one whose times meet, one with many starts.
    ("never", check, maintenance("time_intervals: [{days_of_month: [\"31\"], months: [\"2\", \"4\", \"6\"]}]"), 78, "never opens"),
    ("seldom", check, maintenance("start: 2026-01-04T02:00, duration: 4h, "
                                  "rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=1000"), 78, "take too long"),
    ("all day", check, maintenance("time_intervals: [{times: [{start_time: \"00:00\", end_time: \"12:00\"}, "
                                   "{start_time: \"12:00\", end_time: \"24:00\"}], location: UTC}]"), 0, "ok"),
    ("starts", check, maintenance("start: 1970-01-01T00:00, duration: 31d, rrule: \"FREQ=YEARLY;BYDAY=MO,TU;BYHOUR=%s;"
                                  "BYSETPOS=%s\"" % (hours, ",".join(map(str, range(1, 65))))), 78, "take too long"),
    # Time zones, each read once, and names that are none.
    ("zones", check, maintenance(lambda i: intervals(i, lambda j: zones[j % len(zones)]), 1000), 0, "ok"),
    ("no zones", check, maintenance(lambda i: intervals(i, lambda j: "No/Zone%d" % j), 1000), 78, "there is no time zone"),
    # Importers.
    ("rules of Sigma", sigma_in, fill(lambda i: sigma(i, "X: %d" % i), most=10000), 0, "10000 carried over"),
    ("patterns of Sigma", sigma_in, fill(lambda i: sigma(i, "X|re: 'a%d.*b'" % i), most=2000), 0, "2000 carried over"),
    ("many more of them", sigma_in, fill(lambda i: sigma(i, "X|re: 'a%d.*b'" % i), most=9000), 0, "9000 carried over"),
    ("too long together", sigma_in, fill(lambda i: sigma(i, "X: %d" % i), most=20000), 65, "more than 10000 rules"),
    ("long gaps of Sigma", sigma_in, fill(lambda i: sigma(i, "X|re: '(?i)abcdef%d.{1,30}ghijkl[a-z]{1,20}mnopqr'"
                                                          % i), most=2000), 0, "2000 carried over"),
    ("letters of any script", sigma_in, fill(lambda i: sigma(i, "X|re: '(?i)\\pL%d'" % i), most=8000), 1, "too long to"),
    ("wildcards", sigma_in, fill(lambda i: sigma(i, "X: [%s]" % ",".join("'a*b%d*c'" % (60 * i + j) for j in range(60))),
                                 most=1500), 1, "too long to"),
    ("refused ones", sigma_in, fill(lambda i: sigma(i, "X|re: 'a(?=b)%d'" % i), most=9000), 1, "0 carried over"),
    ("receivers", alert_in, fill(lambda i: "  - {receiver: x%d, matchers: ['a=\"%d\"']}\n" % (i, i), routes, most=999) + fill(
        lambda i: "- {name: r%d}\n" % i, "receivers:\n", 3 << 20, 130000), 65, "more than 20000 things"),
    ("routes to nobody", alert_in, fill(route, routes, most=999), 1, "1000 carried over"),
    ("routes of patterns", alert_in, fill(lambda i: route(i, "=~"), routes, most=999), 1, "pass the 16 KiB"),
    ("routes of other labels", alert_in, fill(lambda i: "    - {receiver: top, matchers: ['a%d=\"x\"']}\n" % i, routes, most=18000), 1,
     "pass 1 MiB together"),
    ("time intervals", alert_in, fill(lambda i: "- {name: i%d, time_intervals: [%s]}\n" % (i, ",".join(
        ["{months: ['1:12']}"] * 45)), "time_intervals:\n", most=1000) + routes, 1, "more than 2,000 entries"),
    ("intervals of routes", alert_in, fill(lambda i: "- {name: i%d, time_intervals: [%s]}\n" % (i, ",".join(
        ["{months: ['1:12']}"] * 40)), "time_intervals:\n", most=50) + fill(lambda i: (
            "  - {receiver: x, matchers: ['a=\"%d\"'], mute_time_intervals: [%s]}\n" % (
                i, ",".join("i%d" % ((i + j) % 50) for j in range(400)))), routes, 4 << 20, 900), 1, "pass 1 MiB together"),
    ("inhibitions", alert_in, fill(route, routes, most=100) + "inhibit_rules:\n" + "".join(
        "- {source_matchers: ['alertname=\"A%d\"'], target_matchers: ['alertname=\"B%d\"'], equal: [alertname]}\n" % (i, i)
        for i in range(2000)), 1, "a set holds at most 1000 mutes"),
]


def words(name, head, count, step, form="%x"):
    """A file of words in no order, as large as one may be."""
    with open(name, "w") as to:
        to.write(head + "\n" + "".join((form + "\n") % (i * step % (1 << 24)) for i in range(count)))
    assert (8 << 20) - 200000 < os.path.getsize(name) <= 8 << 20, (name, os.path.getsize(name))


def listed(i, file="hosts.csv"):
    return ("- {id: e%s, where: 'check == \"a\"', by: [host], max_keys: 10000000, expect: {every: 1h, "
            "keys: {file: %s}}, incident: {title: t}, close: cleared()}\n" % (i, file))


def set_of(name, file):
    return "  %s: {file: %s, column: k}\n" % (name, file)


def mixture(patterns, conditions=1000, windows=0):
    """Two large files, patterns, conditions and calendars, each within bounds of its own."""
    sides = " && ".join('(value > %d || value < %d || check == "c%d")' % (i, -i, i) for i in range(1, 20))
    return ("sets:\n" + set_of("s", "words.csv") + set_of("t", "others.csv") + "rules:\n" + rule(0, "host in s || host in t")
            + "".join(rule(10000 + i, 'message.matches(r"user%d .{1,100}failed")' % i) for i in range(patterns))
            + "".join(rule(20000 + i, sides) for i in range(conditions))
            + (maintenance("start: 2026-01-04T02:00, duration: 1h, rrule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", windows)
               if windows else ""))


def large_set():
    """What nobody is to be refused: 10,000 rules, 200 of them with patterns, a table of 100,000 rows, 1,000 calendars."""
    return ("tables: {owners: {file: owners.csv, key: host}}\nrules:\n"
            + "".join(rule(i, 'owners[host].team == "t%d" && check == "disk%d" && severity >= MAJOR' % (i % 50, i))
                      for i in range(9800))
            + "".join(rule(20000 + i, 'message.matches(r"(?i)(disk|volume) [a-z]+%d (failed|degraded)")' % i) for i in range(200))
            + maintenance(lambda i: "start: 2026-01-04T02:00, duration: 4h, rrule: \"FREQ=WEEKLY;BYDAY=SU\", timezone: "
                          + zones[i % len(zones)]))


words("hosts.csv", "host", 1208000, 2654435761)
words("words.csv", "k", 1208000, 2654435761)
words("others.csv", "k", 1208000, 2654435769)
words("numbers.csv", "k", 997000, 2654435761, "%d")
words("long.csv", "k", 8180, 2654435761, "a" * 1018 + "%06x")
with open("large.csv", "w") as to:  # more than a file may have
    to.write("k\n" + "%x\n" % (1 << 20) * 1400000)
with open("damaged.csv", "w") as to:
    to.write("host\n" + "abcdef\n" * 1000000 + "a,b\n")
with open("owners.csv", "w") as to:
    to.write("host,team,site,tier,mail\n" + "".join("host%06d,t%d,site%d,gold,team%d@example.org\n" % (i, i % 50, i % 20, i % 50)
                                                  for i in range(100000)))
with open("few.csv", "w") as to:  # as many cells as there may be, the same words again and again
    to.write("k\n" + "".join("%x\n" % (i * 2654435761 % 4096) for i in range(2097152)))
cases += [
    ("keys listed", check, "rules:\n" + listed(0), 0, "ok"),
    ("keys listed twice", check, "rules:\n" + listed(0) + listed(1), 0, "ok"),
    ("keys listed by 50", check, "rules:\n" + "".join(map(listed, range(50))), 78, "each as often as it is named, 16 MiB"),
    ("two sets", check, "sets:\n" + set_of("s", "words.csv") + set_of("t", "others.csv") + "rules:\n"
     + rule(0, "host in s || host in t"), 0, "ok"),
    ("a large file listed by 20,000", check, "rules:\n" + "".join(listed(i, "large.csv") for i in range(20000)), 78,
     "each as often as it is named, 16 MiB"),
    ("a large file of 256 tables", check, "tables:\n" + "".join("  t%d: {file: large.csv, key: k}\n" % i for i in range(256))
     + "rules: []\n", 78, "each as often as it is named, 16 MiB"),
    ("a damaged file listed by 20,000", check, "rules:\n" + "".join(listed(i, "damaged.csv") for i in range(20000)), 78,
     "more cells than the first one has names"),
    ("a file that is not there", check, "rules:\n" + "".join(listed(i, "absent.csv") for i in range(20000)), 78,
     "No such file"),
    ("a file of 200 sets", check, "sets:\n" + "".join(set_of("s%d" % i, "words.csv") for i in range(200)) + "rules:\n"
     + rule(0, "host in s1"), 78, "each as often as it is named, 16 MiB"),
    ("a mixture", check, mixture(3000), 0, "ok"),
    ("a mixture of more patterns", check, mixture(8000), 78, "files of sets, tables and keys 0.32 s"),
    ("a mixture of calendars", check, mixture(0, 2000, 1000), 78, "calendars 0."),
    ("keys and long conditions", check, fill(lambda i: rule(i, "value > " + "+".join(["1"] * 60)),
                                             "rules:\n" + listed("a") + listed("b")), 78, "files of sets, tables and keys 0."),
    ("a large set", check, large_set(), 0, "ok"),
    ("sets of numbers", check, "sets:\n" + set_of("s", "numbers.csv") + set_of("t", "numbers.csv") + "rules:\n"
     + rule(0, "value in s || value in t"), 0, "ok"),
    ("sets of words that begin alike", check, "sets:\n" + set_of("s", "long.csv") + set_of("t", "long.csv") + "rules:\n"
     + rule(0, "host in s || host in t"), 0, "ok"),
    ("sets of few words", check, "sets:\n" + set_of("s", "few.csv") + set_of("t", "few.csv") + "rules:\n"
     + rule(0, "host in s || host in t"), 0, "ok"),
]
slow = []
total = 0
for name, arguments, text, code, said in cases:
    path = "c.test.yaml" if arguments == test else "c.yaml"
    with open(path, "wb") as to:
        to.write(text if isinstance(text, bytes) else text.encode())
    cpu = 9e9
    for again in range(10):  # the least counts: it is the work that is held, not what else runs beside it
        with open("out", "wb") as out:
            run = subprocess.Popen([tocsin] + arguments + [path], stdout=out, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(run.pid, 0)
        cpu = min(cpu, used.ru_utime + used.ru_stime)
        if cpu < 1:
            break
    total += cpu
    answer = open("out", errors="replace").read()
    print("%-32s %.2f s of CPU, %.1f MB" % (name, cpu, os.path.getsize(path) / 1e6))
    assert os.waitstatus_to_exitcode(status) == code and said in answer, (name, status, answer[-600:])
    if cpu >= 1:
        slow.append(name)
print("%.1f s in all" % total)
assert not slow, slow
PY
