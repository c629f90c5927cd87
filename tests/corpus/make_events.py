#!/usr/bin/env python3
"""Writes the corpus of tests/corpus/events: documents that the decoder must accept or refuse.

Deterministic: run it again after a change here and commit what changes.
  python3 tests/corpus/make_events.py
Names say what is meant: ok-* are accepted, no-* refused (test_decoder holds them to it).
"""
import json
import os
import random
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "events")
shutil.rmtree(OUT, ignore_errors=True)
os.makedirs(OUT)
random.seed(20260201)
counter = 0


def put(kind, name, text):
    global counter
    data = text if isinstance(text, bytes) else text.encode("utf-8")
    with open(os.path.join(OUT, "%s-%03d-%s.json" % (kind, counter, name)), "wb") as out:
        out.write(data)
    counter += 1


def event(**more):
    doc = {"resource": "db-01", "check": "disk"}
    doc.update(more)
    return doc


def dump(doc, **how):
    return json.dumps(doc, separators=how.pop("separators", (",", ":")), **how)


# The smallest events, and every field alone.
put("ok", "minimal", '{"resource":"db-01","check":"disk"}')
put("ok", "minimal-dedup", '{"dedup_key":"42"}')
put("ok", "blanks", ' \t\r\n{ "resource" : "db-01" ,\n "check" : "disk" } \n')
for field, value in [("tenant", "acme"), ("source", "zabbix"), ("message", "disk 98%"), ("dedup_key", "k"),
                     ("severity", "critical"), ("state", "resolved"), ("time", "2026-02-01T10:00:00Z"),
                     ("value", 98.5), ("labels", {"site": "a"})]:
    put("ok", "field-" + field, dump(event(**{field: value})))
    put("ok", "null-" + field, dump(event(**{field: None})))
for field in ["tenant", "source", "resource", "check", "dedup_key", "message", "severity", "state", "time"]:
    put("ok", "empty-" + field, dump(event(dedup_key="k", **{field: ""}) if field != "dedup_key" else event(dedup_key="")))
for field in ["tenant", "source", "resource", "check", "dedup_key", "message", "severity", "labels", "value", "time", "state"]:
    for name, bad in [("number", 7), ("bool", True), ("array", [1]), ("object", {"a": 1}), ("string", "x")]:
        good = (field in ("time", "value") and name == "number") or (field == "labels" and name == "object") or \
               (name == "string" and field not in ("labels", "value", "severity", "state", "time"))
        doc = event(dedup_key="k")
        doc[field] = bad
        put("ok" if good else "no", "type-%s-%s" % (field, name), dump(doc))
put("no", "nothing-named", "{}")
put("no", "resource-only", '{"resource":"db-01"}')
put("no", "check-only", '{"check":"disk"}')
put("no", "empty-array", "[]")

# Times.
for n, t in enumerate(["2026-02-01T10:00:00.2Z", "2026-02-01T10:00:00.265543312Z", "2026-02-01t10:00:00z",
                       "2026-02-01 10:00:00+02:00", "2026-02-01T10:00:00.1234567Z", "2026-02-01T10:00:00.000+0000",
                       "2026-02-01T10:00:00-0730", "2026-02-01T10:00:00", "2026.02.01 10:00:00", "0001-01-01T00:00:00Z",
                       "2024-02-29T23:59:60Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59Z", "1769940000",
                       "1769940000.12", "1769940000000", "1769940000000000", "1769940000000000000", "0",
                       1769940000, 1769940000.12, 1769940000000, 1769940000123456, 1769940000123456789, 0, 0.5, 1e9,
                       1.76994e9, 99999999999, 100000000000]):
    put("ok", "time-%d" % n, dump(event(time=t)))
for n, t in enumerate(["yesterday", "2026-02-30T10:00:00Z", "2025-02-29T10:00:00Z", "2026-13-01T10:00:00Z",
                       "2026-00-01T10:00:00Z", "2026-02-01T24:00:00Z", "2026-02-01T10:60:00Z", "2026-02-01T10:00:61Z",
                       "2026-02-01T10:00:00.Z", "2026-02-01T10:00:00.1234567890Z", "2026-02-01T10:00:00+25:00",
                       "2026-02-01T10:00:00+0", "2026-02-01T10:00:00Zz", "2026-02-01", "10:00", "2026.02-01 10:00:00",
                       "2026-02-01X10:00:00Z", "-1", -1, 1e20, "99999999999999999999", "1769940000 ", " 1769940000",
                       "+1769940000", "1,769,940,000"]):
    put("no", "time-%d" % n, dump(event(time=t)))

# Scales.
for n, w in enumerate(["critical", "CRITICAL", "Warning", "Not classified", "not_classified", "Disaster", "err", "P1",
                       "Sev3", "informational", "cleared", "OK", "none", "indeterminate"]):
    put("ok", "severity-%d" % n, dump(event(severity=w)))
for n, w in enumerate(["5", "terrible", "criticall", "critica", "crit\u0000ical", "war ning", "\u00b5"]):
    put("no", "severity-%d" % n, dump(event(severity=w), ensure_ascii=n == 4))
for n, w in enumerate(["problem", "FIRING", "clear", "Resolved", "re-triggered", "No Data", "1", "0", 1, 0, "up"]):
    put("ok", "state-%d" % n, dump(event(state=w)))
for n, w in enumerate(["2", 2, 1.0, -1, "acknowledged", "maybe", "true"]):
    put("no", "state-%d" % n, dump(event(state=w)))
put("ok", "severity-ok-beats-problem", dump(event(severity="ok", state="problem")))

# Numbers.
for n, v in enumerate(["0", "-0", "1", "-1", "0.1", "1e5", "1E+5", "1e-5", "123456789012345678901234567890", "1e308",
                       "1.7976931348623157e308", "5e-324", "1e-400", "0e999999999999", "98.76543210987654",
                       "9007199254740993", "0.30000000000000004", "1.00000000000000000000000000000001", "-12.5e-3"]):
    put("ok", "value-%d" % n, '{"resource":"a","check":"b","value":%s}' % v)
    put("ok", "ignored-number-%d" % n, '{"resource":"a","check":"b","other":[%s]}' % v)
for n, v in enumerate(["01", "1.", ".5", "+1", "-", "1e", "1e+", "0x1", "NaN", "Infinity", "-Infinity", "1e309", "1_0",
                       "1 2", "--1", "1.e5", "00", "-01", "1e400", "9" * 400]):
    put("no", "value-%d" % n, '{"resource":"a","check":"b","value":%s}' % v)
    put("no", "ignored-number-%d" % n, '{"resource":"a","check":"b","other":{"x":%s}}' % v)

# Strings.
for n, s in enumerate([r'\"', r'\\', r'\/', r'\b\f\n\r\t', r'\u00e9', r'\u20ac', r'\ud83d\ude00', r'\\\\\"', 'é', '€', '😀',
                       '\x7f', r'\uFFFF', 'a' * 70, r'a\\', r'\\u0041', r'\u0041' * 20, 'ü' * 40]):
    put("ok", "string-%d" % n, '{"resource":"%s","check":"b","other":"%s"}' % (s, s))
    put("ok", "label-%d" % n, '{"resource":"a","check":"b","labels":{"%s":"%s"}}' % (s, s))
for n, s in enumerate([b'\\x', b'\\u12', b'\\u12g4', b'\\ud83d', b'\\ude00', b'\\ud83d\\u0041', b'\\ud83dx', b'\\u0000', b'\n', b'\x00',
                       b'\x1f', b'\\', b'\xff', b'\xc0\xaf', b'\xc3', b'\xe2\x82', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xf0\x80\x80\x80',
                       b'\x80', b'\xe0\x9f\xbf', b'\\ud83d\\', b'\\U0041', b"\\'"]):
    for where, text in [("value", b'{"resource":"a","check":"b","message":"x%sy"}'), ("other", b'{"resource":"a","check":"b","o":["%s"]}'),
                        ("name", b'{"resource":"a","check":"b","%s":1}')]:
        put("no", "string-%s-%d" % (where, n), text.replace(b"%s", s))

# Labels.
put("ok", "label-kinds", '{"resource":"a","check":"b","labels":{"n":1,"f":1.50,"t":true,"g":false,"z":null,"s":"x","e":""}}')
put("ok", "labels-empty", '{"resource":"a","check":"b","labels":{}}')
put("ok", "labels-many", dump(event(labels={"label_app_kubernetes_io_%03d" % i: "v%d" % i for i in range(200)})))
put("no", "label-object", '{"resource":"a","check":"b","labels":{"x":{}}}')
put("no", "label-array", '{"resource":"a","check":"b","labels":{"x":[]}}')
put("no", "label-no-name", '{"resource":"a","check":"b","labels":{"":"x"}}')

# Repeated fields.
for n, s in enumerate(['"check":"c"', r'"ch\u0065ck":"c"', '"x":1,"x":2', '"x":1,"y":2,"x":1', '"labels":{"a":"1","a":"1"}',
                       r'"labels":{"a":"1","\u0061":"1"}', '"o":{"a":1,"a":2}', '"o":[{"p":{"long_name_of_a_field":1,"long_name_of_a_field":2}}]']):
    put("no", "twice-%d" % n, '{"resource":"a","check":"b",%s}' % s)
put("ok", "same-name-other-object", '{"resource":"a","check":"b","o":{"a":1},"p":{"a":1,"o":{"a":1}},"q":[{"a":1},{"a":1}],"labels":{"a":"1","check":"x"}}')
put("ok", "same-name-other-event", '[{"resource":"a","check":"b","x":1},{"resource":"a","check":"b","x":1}]')

# Syntax.
good = '{"resource":"db-01","check":"disk","value":1.5,"labels":{"a":"b"},"o":[1,{"x":null},true]}'
put("ok", "syntax", good)
for n in range(0, len(good), 3):
    put("no", "cut-%d" % n, good[:n])
for n, s in enumerate([good + "x", good + good, good + ",", "[" + good, good + "]", good[:-1] + ",}", good.replace(",", ";"), "'" + good,
                       good.replace(":", "="), good.replace('"check"', "check"), "[" + good + ",]", "[," + good + "]", good.replace("true", "True"),
                       good.replace("null", "nul"), good.replace("true", "tru e"), "\ufeff" + good, "[1]", "[[]]", '"x"', "1", "null", "true", "{", "}", "[", "]", "{}}",
                       good.replace("{", "{,"), good.replace("[1", "[,1"), good.replace(":1.5", ":"), good.replace("[1,", "[1 "), good.replace(",", "\v,"),
                       good + "\0", "\0" + good, good.replace("1.5", "1.5\0"), good.replace("true", "true\0"), good.replace("]", "}"), good.replace('"a":"b"', '"a" "b"'), good.replace('"a":"b"', '"a":"b'), good + '"', "//x\n" + good]):
    put("no", "syntax-%d" % n, s)

# Limits.
put("ok", "depth-32", '{"resource":"a","check":"b","o":%s%s}' % ("[" * 31, "]" * 31))
put("no", "depth-33", '{"resource":"a","check":"b","o":%s%s}' % ("[" * 32, "]" * 32))
put("ok", "depth-32-object", '[{"resource":"a","check":"b","o":%s1%s}]' % ('{"a":' * 30, "}" * 30))
put("no", "depth-33-object", '[{"resource":"a","check":"b","o":%s1%s}]' % ('{"a":' * 31, "}" * 31))
put("ok", "fields-512", dump(event(**{"f%d" % i: i for i in range(510)})))
put("no", "fields-513", dump(event(**{"f%d" % i: i for i in range(511)})))
put("no", "fields-513-nested", dump(event(labels={"f%d" % i: i for i in range(300)}, o=[{"g%d" % i: i for i in range(209)}])))
put("ok", "string-64k", dump(event(message="x" * 65536)))
put("no", "string-64k-1", dump(event(message="x" * 65537)))
put("ok", "string-64k-escaped", '{"resource":"a","check":"b","message":"%s"}' % (r"\u0041" * 20000))
put("no", "name-64k-1", '{"resource":"a","check":"b","%s":1}' % ("x" * 65537))

# Arrays of events.
put("ok", "array", dump([event(), event(check="cpu"), event(labels={"a": "b"})]))
put("ok", "array-mixed-tenants", dump([event(tenant="a"), event(tenant="b"), event()]))
put("no", "array-one-bad", dump([event(), {"resource": "x"}, event()]))
put("no", "array-not-object", dump([event(), "x"]))


# Alertmanager.
def alert(**more):
    doc = {"status": "firing", "labels": {"alertname": "DiskFull", "instance": "db01", "severity": "critical"},
           "annotations": {"summary": "disk 98%"}, "startsAt": "2026-02-01T10:00:00.265543312Z",
           "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prom.example/g", "fingerprint": "941f90aa0dff5c4c"}
    doc.update(more)
    return {k: v for k, v in doc.items() if v != "-"}


def body(*alerts, **more):
    doc = {"version": "4", "groupKey": "{}:{alertname=\"DiskFull\"}", "truncatedAlerts": 0, "status": "firing",
           "receiver": "wh", "groupLabels": {"alertname": "DiskFull"},
           "commonLabels": {"alertname": "DiskFull", "instance": "db01", "severity": "critical"},
           "commonAnnotations": {"summary": "disk 98%"}, "externalURL": "http://am.example", "alerts": list(alerts)}
    doc.update(more)
    return {k: v for k, v in doc.items() if v != "-"}


put("ok", "am", dump(body(alert())))
put("ok", "am-pretty", json.dumps(body(alert(), alert(status="resolved")), indent=2))
put("ok", "am-mixed", dump(body(alert(), alert(status="resolved", endsAt="2026-02-01T11:00:00Z", annotations={}, generatorURL=""))))
put("ok", "am-url-last", dump({"alerts": [alert()], "externalURL": "http://late.example"}))
put("ok", "am-receiver-only", dump(body(alert(), externalURL="-")))
put("ok", "am-truncated", dump(body(alert(), truncatedAlerts=17)))
put("ok", "am-newer-fields", dump(body(alert(), notification_reason="x", routeLabels={"a": "b"})))
put("ok", "am-no-fingerprint", dump(body(alert(fingerprint="-"))))
put("ok", "am-no-alertname", dump(body(alert(labels={"instance": "db01"}))))
for role in ["host", "hostname", "node", "pod", "service", "job"]:
    put("ok", "am-resource-" + role, dump(body(alert(labels={"alertname": "X", role: "r1"}))))
put("ok", "am-no-labels", dump(body(alert(labels="-", annotations="-", startsAt="-", endsAt="-"))))
put("ok", "am-empty-labels", dump(body(alert(labels={}, fingerprint=""))))
put("ok", "am-severity-none", dump(body(alert(labels={"alertname": "Watchdog", "severity": "none"}))))
put("ok", "am-severity-ok", dump(body(alert(labels={"alertname": "W", "severity": "ok"}))))
put("ok", "am-severity-free", dump(body(alert(labels={"alertname": "W", "severity": "whatever"}))))
put("ok", "am-description", dump(body(alert(annotations={"description": "d", "runbook_url": "u"}))))
put("ok", "am-resolved-no-end", dump(body(alert(status="resolved"))))
put("ok", "am-like-native", dump(dict(event(), alerts=[alert()])))
put("ok", "am-hidden-by-native-fault", dump({"severity": 3, "alerts": [alert()]}))
put("ok", "native-alerts-nested", dump(event(o={"alerts": [1]})))
put("ok", "native-alerts-in-array", dump([event(alerts=3)]))
put("no", "am-alerts-null", dump(event(alerts=None)))
put("no", "am-empty", dump(body()))
put("no", "am-status", dump(body(alert(status="pending"))))
put("no", "am-no-status", dump(body(alert(status="-"))))
put("no", "am-bad-time", dump(body(alert(startsAt="soon"))))
put("no", "am-alert-string", dump(body("x")))
put("no", "am-alerts-object", dump(body(alerts={})))
put("no", "am-labels-array", dump(body(alert(labels=[]))))
put("no", "am-annotation-number", dump(body(alert(annotations={"summary": 3}))))
put("no", "am-fingerprint-number", dump(body(alert(fingerprint=3))))
put("no", "am-truncated-negative", dump(body(alert(), truncatedAlerts=-1)))
put("no", "am-truncated-fraction", dump(body(alert(), truncatedAlerts=1.5)))
put("no", "am-truncated-string", dump(body(alert(), truncatedAlerts="1")))
put("no", "am-url-number", dump(body(alert(), externalURL=1)))
put("no", "am-twice", dump(body(alert()))[:-1] + ',"alerts":[]}')

# Shuffled full events, as estates send them.
HOSTS = ["web-%02d.example.net" % i for i in range(20)] + ["db\u00e4r-1", "\u8def\u7531\u5668"]
for n in range(60):
    doc = event(tenant="acme", source=random.choice(["zabbix", "prometheus", "nagios"]), resource=random.choice(HOSTS),
                severity=random.choice(["critical", "warning", "info", "error"]), state=random.choice(["problem", "clear"]),
                time="2026-02-01T10:%02d:%02d.%03dZ" % (random.randrange(60), random.randrange(60), random.randrange(1000)),
                message="Load is \"high\" on\t%s" % random.choice(HOSTS), value=round(random.uniform(-10, 1000), random.randrange(6)),
                labels={random.choice(["site", "rack", "team", "app", "zone"]) + str(i): random.choice(["a", "b-%d" % n, "caf\u00e9", 5, True, None])
                        for i in range(random.randrange(7))})
    if random.random() < 0.3:
        doc["extra"] = {"list": [1, 2.5, "x", {"deep": [None]}], "n": n}
    keys = list(doc)
    random.shuffle(keys)
    doc = {k: doc[k] for k in keys}
    put("ok", "full-%d" % n, json.dumps(doc, ensure_ascii=random.random() < 0.5, indent=random.choice([None, None, 1]),
                                        separators=random.choice([(",", ":"), (", ", ": ")])))
