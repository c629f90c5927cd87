"""What rules see of an event, once the steps of the set have run over it: docs/correlation.md, section 2, "Enrichment"."""
import collections
import copy
import re

from values import Undefined, is_true, is_volatile, text_of, value

LABELS_MAX, TEXT_BYTES_MAX, EVENT_BYTES_MAX = 512, 64 << 10, 1 << 20
LOOK_BYTES, LOOK_EVENT_BYTES = 4 << 10, 64 << 10  # of one extraction, and of those of an event
PASS_BYTES, PASS_LABEL_BYTES = 16 << 20, 128      # of all entries of an event; for each label


class Step:
    def __init__(self, raw):
        self.where, self.drops = raw.get("where"), raw.get("drop", False)
        self.extract, self.set, self.remove = (raw.get(name, ()) for name in ("extract", "set", "remove"))
        trees = [self.where or (), *(tree for tree, _ in self.extract), *(tree for _, tree in self.set)]
        self.is_volatile = not self.drops and any(map(is_volatile, filter(None, trees)))

    def run(self, event):
        """Whether an entry of it changed anything, and how many could not be done."""
        done = []  # of each entry: True, False, or None where it could not be
        for tree, pattern in self.extract:
            try:
                pass_over(event, len(re.compile(pattern).groupindex))
                found = re.search(pattern, look_at(value(tree, event), event), re.ASCII)
                parts = found.groupdict() if found else {}
                done += [put(event, "labels." + name, part) for name, part in sorted(parts.items()) if part is not None]
            except Undefined:
                done.append(None)
        for name, tree in self.set:
            try:
                pass_over(event)
                done.append(put(event, name, value(tree, event)))
            except Undefined:
                done.append(None)
        for name in self.remove:
            try:
                pass_over(event)
                done.append(event.labels.pop(name.removeprefix("labels."), None) is not None)
            except Undefined:
                done.append(None)
        return any(done), done.count(None)


def look_at(text, event):
    """Of a text what an extraction sees; undefined where the event has had its share."""
    seen = text.encode()[:LOOK_BYTES].decode(errors="ignore")  # what is left of a character is none
    looked_at = event.looked_at + max(1, len(seen.encode()))
    if looked_at > LOOK_EVENT_BYTES:
        raise Undefined
    event.looked_at = looked_at
    return seen


def pass_over(event, times=1):
    """What an entry does to the words of the event; undefined where the event has had its share."""
    passed = event.passed + times * (sum(text_sizes(event)) + PASS_LABEL_BYTES * len(event.labels))
    if passed > PASS_BYTES:
        raise Undefined
    event.passed = passed


def text_sizes(event):
    texts = [event.tenant, event.source, event.resource, event.check, event.dedup_key, event.message,
             *event.labels, *event.labels.values()]
    return [len(text.encode()) for text in texts]


def put(event, name, got):
    """Whether that changes it; None, and it does not, where it may not be."""
    if name == "severity" and got == 0 and event.is_problem:
        return None
    after = copy.copy(event)
    if name in ("severity", "value"):
        setattr(after, name, got)
    elif name == "message":
        after.message = text_of(got)
    else:
        after.labels = {**event.labels, name.removeprefix("labels."): text_of(got)}
    sizes = text_sizes(after)
    if len(after.labels) > LABELS_MAX or max(sizes) > TEXT_BYTES_MAX or sum(sizes) > EVENT_BYTES_MAX:
        return None
    before, now = ((of.severity, of.value, of.message, of.labels) for of in (event, after))
    event.severity, event.value, event.message, event.labels = now
    return now != before


class Enrichment:
    """The steps of a set. `noted` is what they made of the last event: of those whose `where` was true."""

    def __init__(self, raw):
        self.ids, self.steps, self.noted = [step["id"] for step in raw], list(map(Step, raw)), []
        self.drops = max((i for i, step in enumerate(self.steps) if step.drops), default=-1)  # the last that does
        self.applied, self.errors = collections.Counter(), collections.Counter()

    def run(self, event):
        """None where a step drops it."""
        self.noted = []
        if event.topic == "@derived":
            return event
        made = copy.copy(event)
        made.labels, made.looked_at, made.passed = dict(event.labels), 0, 0
        for i, step in enumerate(self.steps):
            if step.where is None or is_true(step.where, made):
                self.noted.append((i, *((True, 0) if step.drops else step.run(made))))
                if step.drops:
                    return None
        return made

    def count(self, ran_all):
        """Of the last event, where it ran through all steps or only up to the last that drops; returns the errors."""
        ran = [noted for noted in self.noted if ran_all or noted[0] <= self.drops]
        for i, was_applied, errors in ran:
            self.applied[i] += was_applied
            self.errors[i] += errors
        return sum(errors for _, _, errors in ran)
