#!/usr/bin/python3
"""Aim: what the manual names is there, and what it shows runs. Method: README.md and docs/*.md are read; each
link, command, option, configuration key, metric, file and program that they name is looked for where it comes
from, and each block of YAML or JSON goes to the command that takes it. (The blocks of docs/rules.md are
loaded by test_rules_files, those of docs/testing-rules.md run by the story rule_test.)"""
import json
import os
import re
import subprocess
import sys

TREE = os.environ["TOCSIN_TREE"]
COMMANDS = ("ack audit broker check close demo diff digest fsck generate history import incidents ledger publish push receive "
            "record redrive replay run silence test why whynot").split()
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
found = []


def tocsin(*arguments):
    done = subprocess.run([os.environ["TOCSIN"], *arguments], capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


def wrong(page, what):
    found.append(f"{page}: {what}")


def anchors(text):
    """As GitHub makes them of headings."""
    names = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.M)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", n).strip().lower()).replace(" ", "-") for n in names}


def check_links(page, pages):
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", pages[page])):
        path, _, anchor = link.partition("#")
        if re.match(r"https?:", link):
            continue
        target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(os.path.join(TREE, target)):
            wrong(page, f"no file {link}")
        elif anchor and anchor not in anchors(pages[target]):
            wrong(page, f"no section {link}")


def check_commands(page, code, help_of):
    """`tocsin NAME ... --option`: up to the end of the line, or of what a shell takes for one command."""
    for line in code.splitlines():
        for call in re.findall(r"(?:^|[/$ ])tocsin ((?:[a-z]+|--[a-z]+)(?: [^|;#]*)?)", line):
            words = call.split()
            if words[0].startswith("--"):
                continue
            if words[0] not in help_of:
                wrong(page, f"no command in: tocsin {call}")
                continue
            for option in re.findall(r"(?:^| )(--[a-z][a-z-]*)", call):
                if not re.search(rf"^  {option}(?![\w-])", help_of[words[0]], re.M):
                    wrong(page, f"tocsin {words[0]} has no {option}")


def check_names(page, text, keys, metrics):
    spans = re.findall(r"`([^`\n]+)`", FENCED.sub("", text))
    sections = {key.split(".")[0] for key in keys if "." in key}
    for span in spans:
        if re.fullmatch(r"[a-z]+(_[a-z]+)?(\.[a-z_]+)+", span) and span.split(".")[0] in sections and span[-3:] != ".py":
            if not any(key == span or key.startswith(span + ".") for key in keys):
                wrong(page, f"no configuration key {span}")
        # A program of bench/ or tests/, a file of the tree.
        if re.fullmatch(r"(bench|test)_\w+( .*)?", span):
            name = span.split()[0]
            path = os.path.join(TREE, "bench" if name[0] == "b" else "tests", name)
            if not os.path.exists(path + ".c") and not os.path.exists(path + ".cc"):
                wrong(page, f"no program {name}")
        if re.match(r"(tests|tools|bench|packaging|rules/packs|daemon|rules|correlate|ingest|base|sinks|store)/[\w./]+$", span):
            if not os.path.exists(os.path.join(TREE, span)) and "NAME" not in span and not span.startswith("rules/"):
                wrong(page, f"no file {span}")
    for name in re.findall(r"\btocsin_[a-z_]+[a-z]", text):
        if name not in metrics:
            wrong(page, f"no metric {name}")


# A page of blocks, and what takes them: written to `file`, given to these arguments; the code must be one of these.
BLOCKS = {
    "README.md": [("yaml", "readme.yaml", ["check", "--rules", "./readme.yaml"])],
    "docs/muting.md": [("yaml", "mutes.yaml", ["check", "--rules", "./mutes.yaml", "--rules", "demo"]),
                       ("yaml", "intervals.yaml", ["check", "--rules", "./intervals.yaml", "--rules", "demo"]),
                       ("yaml", "lingers.yaml", ["check", "--rules", "./lingers.yaml"])],
    "docs/importing.md": [("yaml", "map.yaml", ["import", "--map", "map.yaml", "sigma.yml"])],
    "docs/operating.md": [("yaml", "blind.yaml", ["check", "--rules", "./blind.yaml"]),
                          ("yaml", "bounds.yaml", ["check", "--rules", "./bounds.yaml"]),
                          ("yaml", "quotas.yaml", ["check", "--config", "quotas.yaml", "--rules", "demo"]),
                          ("yaml", "quota-rule.yaml", ["check", "--rules", "./quota-rule.yaml"]),
                          ("yaml", "shedding.yaml", ["check", "--config", "shedding.yaml", "--rules", "demo"]),
                          ("yaml", "shed-rule.yaml", ["check", "--rules", "./shed-rule.yaml"])],
    "docs/sinks.md": [("yaml", "sinks.yaml", ["check", "--config", "sinks.yaml", "--rules", "demo"])],
    "docs/events.md": [("json", "one.jsonl", ["replay", "--json", "--quiet", "--rules", "demo", "one.jsonl"]),
                       ("json", "two.jsonl", ["replay", "--json", "--quiet", "--rules", "demo", "two.jsonl"])],
    "docs/real-data.md": [("yaml", "ait.yaml", ["check", "--config", "ait.yaml"])],
}
ELSEWHERE = {"docs/rules.md", "docs/testing-rules.md"}
NO_COMMAND_TAKES = {("docs/sinks.md", "json")}  # what a sink is sent


def check_blocks(page, text):
    rows = BLOCKS.get(page, [])
    blocks = [(kind, body) for kind, body in FENCED.findall(text)
              if kind in ("yaml", "json") and (page, kind) not in NO_COMMAND_TAKES]
    if page in ELSEWHERE:
        return
    if [kind for kind, _ in blocks] != [row[0] for row in rows]:
        wrong(page, f"{len(blocks)} blocks, and {len(rows)} are tried")
        return
    for (kind, body), (_, file, arguments) in zip(blocks, rows):
        with open(file, "w") as to:
            to.write(body.replace("\n", " ") + "\n" if kind == "json" else body)
        code, out = tocsin(*arguments)
        if code != 0 or (kind == "json" and '"events": 1,' not in out) or "was rejected" in out:
            wrong(page, f"{' '.join(arguments)}: exit code {code}: {out[:600]}")


def main():
    pages = {}
    for name in ["README.md", "CONTRIBUTING.md"] + sorted(f"docs/{n}" for n in os.listdir(f"{TREE}/docs")):
        with open(os.path.join(TREE, name)) as at:
            pages[name] = at.read()
    help_of = {name: tocsin(name, "--help")[1] for name in COMMANDS}
    listed = re.findall(r"^  ([a-z]+) {2,}", tocsin("--help")[1].split("Options:")[0], re.M)
    if sorted(listed) != COMMANDS:
        wrong("--help", f"other commands than are known here: {listed}")
    keys = re.findall(r"^\| `([a-z_.\[\]]+)`", tocsin("check", "--keys")[1], re.M)
    metrics = re.findall(r"^\| `(tocsin_\w+)`", tocsin("check", "--metrics")[1], re.M)
    with open("sigma.yml", "w") as to:
        to.write("{title: T, id: 0e1a, level: high, logsource: {category: process_creation, product: windows},\n"
                 " detection: {here: {CommandLine: a, Bytes|gt: 5}, condition: here}}\n")
    for page, text in pages.items():
        check_links(page, pages)
        check_names(page, text, keys, metrics)
        for code in [body for _, body in FENCED.findall(text)] + re.findall(r"`([^`\n]+)`", FENCED.sub("", text)):
            check_commands(page, code, help_of)
        check_blocks(page, text)
    for line in found:
        print("FAILED:", line)
    sys.exit(1 if found else 0)


main()
