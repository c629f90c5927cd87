"""A scenario as the files that the daemon reads: rules.yaml, log.tlog or live.jsonl, and the tables that its rules look
things up in; scenario.json, which the model reads, and settings.json, the runners' part of it."""
import csv
import datetime
import functools
import io
import json
import os

from frame.scenario import SETS, TABLES
from values import duration_text


def time_text(ms):
    """RFC 3339 with milliseconds."""
    time = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    return time.isoformat(timespec="milliseconds") + "Z"


# ---- expressions as rules write them ----


def constant_text(kind, value):
    if kind == "duration":
        return f'duration("{value}ms")' if value % 1000 else duration_text(value)
    return {"time": lambda: f'timestamp("{time_text(value)}")', "severity": lambda: value.upper()}.get(
        kind, lambda: json.dumps(value))()


def zone_text(minutes):
    if minutes is None:
        return ""
    hours, rest = divmod(abs(minutes), 60)
    return json.dumps(f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}" if minutes else "UTC")


SHAPES = {  # what is not `(a op b)`; operands in the order of the tree
    "field": "{}", "labels": "size(labels)", "has": "has({})", "not": "!({})", "neg": "-({})",
    "?:": "({} ? {} : {})", "has cell": "has({}[{}].{})", "cell": "{}[{}].{}", "in table": "({1} in {0})",
    "in set": "({} in {})", "in labels": "({} in labels)", "label of": "labels[{}]", "size": "size({})", "int": "int({})",
    "double": "double({})", "string": "string({})", "lower": "({}).lowerAscii()", "upper": "({}).upperAscii()",
    "startsWith": "({}).startsWith({})", "endsWith": "({}).endsWith({})", "contains": "({}).contains({})",
    "severity_of": "severity({})", "aggregate": "{}", "cleared": "cleared()", "last": "last({})",
}


def text(tree):
    op, *args = tree
    got = [text(arg) if isinstance(arg, list) else arg for arg in args]
    if op in SHAPES:
        return SHAPES[op].format(*got)
    if op in ("and", "or"):
        return "(" + (" && " if op == "and" else " || ").join(got) + ")"
    special = {
        "const": lambda: constant_text(*args),
        "in": lambda: f"({got[0]} in [{', '.join(got[1:])}])",
        "matches": lambda: f"({got[0]}).matches({json.dumps(got[1])})",
        "part": lambda: f"({got[2]}).{got[0]}({zone_text(got[1])})",
        "quiet": lambda: f"quiet({duration_text(got[0])})",
        "fewer": lambda: f"fewer({got[0]}, {duration_text(got[1])})",
    }
    return special.get(op, lambda: f"({got[0]} {op} {got[1]})")()


def title_text(title):
    return "".join(part.replace("{", "{{").replace("}", "}}") if isinstance(part, str)
                   else "{" + text(part).replace('"', "'") + "}" for part in title)


# ---- rules as YAML ----


def quoted(tree):
    return json.dumps(text(tree))


def window_text(rule):
    kind = rule.get("window", "sliding")
    if kind == "open":
        return kind
    length = duration_text(rule["window_ms"])
    if kind == "session":
        return f"{{session: {length}, max: {duration_text(rule['session_max_ms'])}}}"
    return length if kind == "sliding" else f"{{{kind}: {length}}}"


def where_yaml(rule):
    if not rule.get("where"):
        return []
    if not rule.get("vars"):
        return [f"    where: {quoted(rule['where'])}"]
    return ["    vars:", f"      w1: {quoted(rule['where'])}", "      w2: w1 && true", "    where: w2 || w1"]


def window_yaml(rule):
    lines = where_yaml(rule) + [f"    window: {window_text(rule)}", f"    when: {quoted(rule['when'])}"]
    if "baseline" in rule:
        own = rule["baseline"]
        known = [f"season: {duration_text(own['season_ms'])}"] + ([f"learn: {own['learn']}"] if "learn" in own else [])
        known += [f"forget: {duration_text(own['forget_ms'])}"] if "forget_ms" in own else []
        lines.append(f"    baseline: {{{', '.join(known)}}}")
    if "for_ms" in rule:
        lines.append(f"    for: {duration_text(rule['for_ms'])}")
    if "look" in rule:
        lines.append(f"    look: {rule['look']}")
    return lines


def keys_text(rule):
    names = ["tenant"] + [name for name in rule["by"] if name != "tenant"]
    rows = [zip(names, values) for values in rule["expect"]["keys"]]
    # Tenant `default` is the one that may be left out.
    return "[" + ", ".join("{" + ", ".join(f"{name}: {json.dumps(text)}" for name, text in row
                                          if (name, text) != ("tenant", "default")) + "}" for row in rows) + "]"


def expect_yaml(rule):
    expect = [f"every: {duration_text(rule['expect']['every_ms'])}"]
    if "severity" in rule["expect"]:
        expect.append(f"severity: {rule['expect']['severity'].upper()}")
    if "keys" in rule["expect"]:
        expect.append("keys: " + keys_text(rule))
    return where_yaml(rule) + [f"    expect: {{{', '.join(expect)}}}"]


def steps_yaml(rule):
    lines = ["    sequence:" if rule["in_order"] else "    all:"]
    for n, step in enumerate(rule["steps"]):
        lines.append(f"      - {'not' if step.get('not') else 'where'}: {quoted(step['where'])}")
        if step["name"] != f"step {n + 1}":
            lines.append(f"        as: {step['name']}")
    lines.append(f"    within: {duration_text(rule['window_ms'])}")
    lines += ["    contiguity: strict"] if rule.get("strict") else []
    lines += ["    skip: to_next"] if rule.get("to_next") else []
    return lines + ([f"    where: {quoted(rule['own_where'])}"] if rule.get("own_where") else [])


def maintenance_yaml(window, indent="    "):
    lines = []
    if "timezone" in window:
        lines.append(f"timezone: {window['timezone']}")
    if "time_intervals" in window:
        lines.append("time_intervals:")
        for interval in window["time_intervals"]:
            fields = []
            if "times" in interval:
                fields.append("times: [" + ", ".join(
                    f'{{start_time: "{a}", end_time: "{b}"}}' for a, b in interval["times"]) + "]")
            for name in ("weekdays", "days_of_month", "months", "years"):
                if name in interval:
                    fields.append(f"{name}: [" + ", ".join(f'"{v}"' for v in interval[name]) + "]")
            if "location" in interval:
                fields.append(f"location: {interval['location']}")
            lines.append("  - {" + ", ".join(fields) + "}")
    else:
        lines += [f"start: {window['start']}", f"duration: {window['duration_ms']}ms"]
        if window.get("rrule"):
            lines.append(f"rrule: {window['rrule']}")
        if "except" in window:
            lines.append("except: [" + ", ".join(window["except"]) + "]")
    return "".join(indent + line + "\n" for line in lines)


def mutes_yaml(mutes):
    lines = []
    for kind in ("silences", "maintenance", "inhibit"):
        lines += [kind + ":"] if mutes.get(kind) else []
        for mute in mutes.get(kind, []):
            lines.append(f"  - id: {mute['id']}")
            lines += [f"    {name}: {quoted(mute[name])}" for name in ("where", "source", "target") if name in mute]
            lines += [f"    {name}: {time_text(mute[name])}" for name in ("from", "to") if name in mute]
            if kind == "inhibit":
                lines.append(f"    equal: [{', '.join(mute['equal'])}]")
            if kind == "maintenance":
                lines += maintenance_yaml(mute).splitlines()
    return lines


def rule_yaml(rule):
    lines = [f"  - id: {rule['id']}"]
    lines += [f"    on: {rule['on']}"] if "on" in rule else []
    lines += [f"    of: [{', '.join(rule['of'])}]"] if "of" in rule else []
    lines.append(f"    by: [{', '.join(rule['by'])}]")
    lines += (expect_yaml if "expect" in rule else steps_yaml if "steps" in rule else window_yaml)(rule)
    lines += ["    incident:", f"      title: {json.dumps(title_text(rule['title']))}"]
    lines += [f"      {name}: {rule[name]}" for name in ("team", "priority") if name in rule]
    lines.append(f"    close: {quoted(rule['close'])}")
    return lines + [f"    {name}: {rule[name]}" for name in ("max_keys", "max_members") if name in rule]


def step_yaml(step):
    lines = [f"  - id: {step['id']}"] + (where_yaml(step) if "where" in step else [])
    lines += ["    drop: true"] if step.get("drop") else []
    if step.get("extract"):
        lines += ["    extract:"] + [f"      - {{from: {quoted(tree)}, pattern: {json.dumps(pattern)}}}"
                                     for tree, pattern in step["extract"]]
    if step.get("set"):
        lines += ["    set:"] + [f"      {name}: {quoted(tree)}" for name, tree in step["set"]]
    return lines + ([f"    remove: [{', '.join(step['remove'])}]"] if step.get("remove") else [])


def lookups_yaml():
    lines = ["sets:"] + [f"  {name}: {json.dumps(words)}" for name, words in SETS.items()]
    return lines + ["tables:"] + [f"  {name}: {{file: {name}.csv, key: name}}" for name in TABLES]


def rules_yaml(rules, mutes=None, enrich=None):
    lines = lookups_yaml() + ["rules:"] + [line for rule in rules for line in rule_yaml(rule)]
    lines += (["enrich:"] if enrich else []) + [line for step in enrich or [] for line in step_yaml(step)]
    return "\n".join(lines + mutes_yaml(mutes or {})) + "\n"


@functools.cache
def table_files():
    """The same for all scenarios."""
    return list(table_texts())


def table_texts():
    for name, rows in TABLES.items():
        out = io.StringIO()
        columns = sorted({column for row in rows.values() for column in row})
        writer = csv.DictWriter(out, columns, restval="")
        writer.writeheader()
        writer.writerows(rows.values())
        yield f"{name}.csv", out.getvalue()


# ---- all files ----


def payload_of(event):
    return {name: time_text(value) if name == "time" else value for name, value in event.items()}


def tlog(scenario):
    lines = []
    for part in scenario["partitions"]:
        place = {"topic": part["topic"], "partition": part["partition"]}
        lines.append(place)
        lines += [dict(place, offset=record["offset"], log_time=record["log_time"], payload=record["payload"])
                  for record in part["records"]]
    lines += [{"mark": mark["kind"], **{name: value for name, value in mark.items() if name != "kind"}}
              for mark in scenario["marks"]]
    return "".join(json.dumps(line) + "\n" for line in lines)


def settings_of(scenario):
    """What the runners want to know: they read it at each run, and the rest of a scenario is long."""
    return {"config": scenario["config"], "topics": scenario["topics"], "sinks": scenario["sinks"],
            "partitions": [{name: value for name, value in part.items() if name != "records"}
                           for part in scenario["partitions"]]}


def files_of(scenario):
    yield "scenario.json", json.dumps(scenario) + "\n"
    yield "settings.json", json.dumps(settings_of(scenario)) + "\n"
    yield "rules.yaml", rules_yaml(scenario["rules"], scenario.get("mutes"), scenario.get("enrich"))
    if "script" in scenario:
        yield "live.jsonl", "".join(json.dumps(step) + "\n" for step in scenario["script"])
        for i, rules in enumerate(scenario["rule_sets"]):
            yield f"rules-{i + 1}.yaml", rules_yaml(rules, *(of[i] for of in (scenario["mute_sets"], scenario["enrich_sets"])))
    else:
        yield "log.tlog", tlog(scenario)
    yield from table_files()


def write(scenario, folder):
    os.makedirs(folder, exist_ok=True)
    for name, content in files_of(scenario):
        path = os.path.join(folder, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(path + ".new", path)  # whoever reads it meanwhile reads a whole file
