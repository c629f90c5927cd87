"""What rules see of an event once the steps of the set have run over it: docs/correlation.md, section 2, Enrichment."""
import copy
import re

from values import attempt, checked, is_true, is_volatile, text_of, value

LABELS_MAX, TEXT_BYTES_MAX, EVENT_BYTES_MAX = 512, 64 << 10, 1 << 20
LOOK_BYTES, LOOK_EVENT_BYTES = 4 << 10, 64 << 10  # of one extraction, and of those of an event
PASS_BYTES, PASS_LABEL_BYTES = 16 << 20, 128      # of all entries of an event; for each label


def text_sizes(event):
    texts = [event.tenant, event.source, event.resource, event.check, event.dedup_key, event.message]
    return [len(text.encode()) for text in (*texts, *event.labels, *event.labels.values())]


def pass_over(event, times=1):
    """What an entry does to the words of the event; undefined where the event has had its share."""
    passed = event.passed + times * (sum(text_sizes(event)) + PASS_LABEL_BYTES * len(event.labels))
    event.passed = checked(passed, passed <= PASS_BYTES)


def extracted(event, tree, pattern):
    """What to put of what groups of the pattern found; undefined where the event has been looked at enough."""
    pass_over(event, len(re.compile(pattern).groupindex))
    seen = value(tree, event).encode()[:LOOK_BYTES].decode(errors="ignore")  # what is left of a character is none
    looked_at = event.looked_at + max(1, len(seen.encode()))
    event.looked_at = checked(looked_at, looked_at <= LOOK_EVENT_BYTES)
    found = re.search(pattern, seen, re.ASCII)
    groups = sorted(found.groupdict().items()) if found else ()
    return [("labels." + name, ("const", "text", text), 0) for name, text in groups if text is not None]


def put(event, name, tree, passes=1):
    """Whether that changes it; undefined where it may not be."""
    pass_over(event, passes)
    got = value(tree, event)
    checked(got, not (name == "severity" and got == 0 and event.is_problem))
    if name == "message":
        got = text_of(got)
    elif name not in ("severity", "value"):
        name, got = "labels", event.labels | {name.removeprefix("labels."): text_of(got)}
    after = copy.copy(event)
    setattr(after, name, got)
    sizes = text_sizes(after)
    checked(got, len(after.labels) <= LABELS_MAX and max(sizes) <= TEXT_BYTES_MAX and sum(sizes) <= EVENT_BYTES_MAX)
    is_change = getattr(event, name) != got
    setattr(event, name, got)
    return is_change


def removed(event, name):
    pass_over(event)
    return event.labels.pop(name.removeprefix("labels."), None) is not None


def run_entries(step, event):
    """Of each entry, whether it changes something; None where it cannot be done."""
    for tree, pattern in step.get("extract", ()):
        groups = attempt(extracted, event, tree, pattern)
        yield from [None] if groups is None else [attempt(put, event, *group) for group in groups]
    for name, tree in step.get("set", ()):
        yield attempt(put, event, name, tree)
    for name in step.get("remove", ()):
        yield attempt(removed, event, name)


class Enrichment:
    """The steps of a set. `done` is what they made of the last event: of those whose `where` was true."""

    def __init__(self, steps):
        self.steps, self.done = steps, []
        self.is_volatile = any(is_volatile(tuple(step.values())) for step in steps if "drop" not in step)

    def run(self, event):
        """None where a step drops it."""
        made, self.done = copy.copy(event), []
        made.labels, made.looked_at, made.passed = dict(event.labels), 0, 0
        for i, step in enumerate(self.steps if event.topic != "@derived" else ()):
            if "where" not in step or is_true(step["where"], made):
                changes = [True] if "drop" in step else list(run_entries(step, made))
                self.done.append((i, any(changes), changes.count(None)))
                if "drop" in step:
                    return None
        return made
