#!/usr/bin/env python3
"""Turns alerts of Wazuh, Suricata and AMiner into tocsin's native events, as the pack `security` expects them.

    detectors.py [FILE ...] >events.jsonl

Reads JSON lines, of standard input where no FILE is named: Wazuh's alerts.json, Suricata's eve.json, AMiner's JSON
output, mixed or not. What is of none of the three, as the flows of eve.json, is left out and counted on standard
error. docs/packs.md has the mapping, for shippers that do the same by themselves.
"""
import argparse
import json
import sys


def wazuh(alert):
    """An alert of alerts.json; one of Suricata that Wazuh has read is Suricata's."""
    rule, data = alert["rule"], alert.get("data") or {}
    event = {"time": alert.get("timestamp"), "resource": (alert.get("agent") or {}).get("name") or "wazuh"}
    if data.get("event_type") == "alert" and isinstance(data.get("alert"), dict):
        return event | signature(data)
    level = int(rule["level"])
    words = ((12, "critical"), (10, "major"), (7, "minor"), (4, "warning"), (0, "info"))
    return event | {
        "source": "wazuh", "check": str(rule["id"]), "message": rule.get("description"),
        "severity": next(word for least, word in words if level >= least),
        "labels": {"groups": ",".join(rule.get("groups") or []) or None, "level": level, "srcip": data.get("srcip"),
                   "user": data.get("dstuser") or data.get("srcuser")}}


def signature(record):
    """What an alert of eve.json says, wherever it was read. Wazuh writes its numbers as text."""
    alert = record["alert"]
    words = {"1": "major", "2": "minor", "3": "warning"}
    return {"source": "suricata", "check": str(alert["signature_id"]), "message": alert.get("signature"),
            "severity": words.get(str(alert.get("severity")), "info"),
            "labels": {"category": alert.get("category") or None, "srcip": record.get("src_ip"), "destip": record.get("dest_ip")}}


def suricata(record):
    """An alert of eve.json. `host` is the sensor-name; without it the address that was attacked stands for the machine."""
    resource = record.get("host") or record.get("dest_ip") or "suricata"
    return {"time": record.get("timestamp"), "resource": resource} | signature(record)


def aminer(anomaly):
    """An anomaly; its name is the `id` that the detector has in AMiner's configuration."""
    component, log = anomaly["AnalysisComponent"], anomaly.get("LogData") or {}
    name = component["AnalysisComponentName"]
    return {"time": (log.get("Timestamps") or [None])[-1], "resource": (anomaly.get("AMiner") or {}).get("ID") or "aminer",
            "source": "aminer", "check": name, "message": name, "labels": {"type": component.get("AnalysisComponentType")}}


def event_of(line):
    """The event of a line, None if it is of none of the three; KeyError, TypeError, ValueError: it should be, and is not."""
    record = json.loads(line)
    if not isinstance(record, dict):
        return None
    if isinstance(record.get("rule"), dict) and "level" in record["rule"]:
        event = wazuh(record)
    elif record.get("event_type") == "alert":
        event = suricata(record)
    elif "AnalysisComponent" in record:
        event = aminer(record)
    else:
        return None
    event["labels"] = {name: value for name, value in event["labels"].items() if value is not None}
    return {name: value for name, value in event.items() if value is not None}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("file", nargs="*", help="standard input without one")
    left_out = wrong = 0
    for path in parser.parse_args().file or ["-"]:
        try:
            lines = sys.stdin if path == "-" else open(path, encoding="utf-8")
        except OSError as error:
            sys.exit(f"detectors: {path}: {error.strerror}")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                event = event_of(line)
            except (KeyError, TypeError, ValueError) as error:
                wrong += 1
                print(f"detectors: {path}:{number}: no alert can be read from it: {error!r}", file=sys.stderr)
                continue
            left_out += event is None
            if event is not None:
                print(json.dumps(event, separators=(",", ":"), ensure_ascii=False), flush=True)
    if left_out:
        print(f"detectors: {left_out} lines are no alerts", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
