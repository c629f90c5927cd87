#!/usr/bin/env python3
"""Turns the AIT alert data set into tocsin's native events; docs/real-data.md explains the mapping.

    ait_ads.py FOLDER [SCENARIO ...] --output DIR

FOLDER holds `<scenario>_alerts.csv.gz`, each with the columns time, name, ip, host, short, time_label,
event_label, and in it two stretches sorted by time, one after the other: Wazuh with Suricata, then
AMiner. Each stretch becomes a file of JSON lines, DIR/<scenario>.<stretch>.json, to be a partition of
its own: one after the other they would be hours of disorder, side by side they are two sources.

time_label and event_label are the truth of the data set. They never reach an event.
"""
import argparse
import gzip
import json
import os
import sys

HEAD = "time,name,ip,host,short,time_label,event_label"
SOURCES = {"W": "wazuh", "S": "suricata", "A": "aminer"}  # by the first letter of `short`


def scenarios_of(folder):
    """The scenarios of a folder, or the end of the program with what is missing."""
    ending = "_alerts.csv.gz"
    try:
        found = sorted(n[:-len(ending)] for n in os.listdir(folder) if n.endswith(ending))
    except OSError as error:
        sys.exit(f"ait_ads: {folder}: {error.strerror}; it should be the folder of the AIT alert data set")
    if not found:
        sys.exit(f"ait_ads: {folder}: no <scenario>{ending} in it; it should be the folder of the AIT "
                 "alert data set")
    return found


def rows_of(folder, scenario):
    """-> (time, name, ip, host, short, time_label) of each alert, in the order of the file"""
    path = os.path.join(folder, f"{scenario}_alerts.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        if next(lines, "").rstrip("\n") != HEAD:
            sys.exit(f"ait_ads: {path}:1: the first line is not {HEAD}")
        for number, line in enumerate(lines, 2):
            fields = line.rstrip("\n").split(",")
            if len(fields) != 7 or not fields[0].isdigit() or fields[4][:2] not in ("W-", "S-", "A-"):
                sys.exit(f"ait_ads: {path}:{number}: not an alert of seven fields: {line!r}")
            yield int(fields[0]), *fields[1:6]


def stretch_of(short):
    return 1 if short.startswith("A-") else 0


def convert(folder, scenario, out):
    """Writes the files of a scenario; returns the number of events of each."""
    tails = {}  # text behind the time; few hundred different ones in hundreds of thousands of alerts
    head = f'{{"tenant":{json.dumps(scenario)},"time":'
    paths = [os.path.join(out, f"{scenario}.{stretch}.json") for stretch in (0, 1)]
    counts, newest = [0, 0], [0, 0]
    with open(paths[0], "w", encoding="utf-8") as first, open(paths[1], "w", encoding="utf-8") as second:
        writes = first.write, second.write
        for time, name, ip, host, short, _ in rows_of(folder, scenario):
            tail = tails.get((name, ip, host, short))
            if tail is None:
                tail = "," + json.dumps({"source": SOURCES[short[0]], "resource": host, "check": short,
                                         "message": name, "labels": {"ip": ip}},
                                        separators=(",", ":"), ensure_ascii=False)[1:] + "\n"
                tails[name, ip, host, short] = tail
            stretch = stretch_of(short)
            if time < newest[stretch]:
                sys.exit(f"ait_ads: {scenario}: stretch {stretch} is not sorted by time at {time}")
            newest[stretch] = time
            counts[stretch] += 1
            writes[stretch](f"{head}{time}{tail}")
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("folder")
    parser.add_argument("scenario", nargs="*", help="all of the folder without one")
    parser.add_argument("--output", required=True, metavar="DIR")
    options = parser.parse_args()
    known = scenarios_of(options.folder)
    for scenario in options.scenario:
        if scenario not in known:
            sys.exit(f"ait_ads: {options.folder}: no {scenario}_alerts.csv.gz; there are {', '.join(known)}")
    os.makedirs(options.output, exist_ok=True)
    for scenario in options.scenario or known:
        counts = convert(options.folder, scenario, options.output)
        print(f"{scenario}: {counts[0]} events of Wazuh and Suricata, {counts[1]} of AMiner")


if __name__ == "__main__":
    main()
