"""Rules made of steps (docs/correlation.md, section 3): `sequence` and `all`.

Where the engine keeps one chain per step, this keeps one for every beginning there can be, so
that "the chain that began last is as good as all" is checked and not assumed.
"""


class Seen:
    """A touch that a key holds on to."""

    def __init__(self, number, now, identity, event, is_counted):
        self.number = number          # which came first
        self.time = now
        self.identity = identity
        self.event = event
        self.severity = event.severity
        self.ts = event.ts
        self.is_cleared = False
        self.is_counted = is_counted  # with an incident


def latest(chains):
    """The chain that began last; of those of one beginning, the one that went on last."""
    return max(chains, key=lambda chain: (chain[0].number, went_on(chain)), default=())


def went_on(chain):
    return [s.number for s in reversed(chain)]


class Sequence:
    def __init__(self, rule):
        self.rule = rule
        self.come = [i for i, step in enumerate(rule.steps) if not step.get("not")]
        self.waits = bool(rule.steps[-1].get("not"))  # the last step must not come
        self.chains = [[] for _ in self.come]         # by how many steps they have done, less one
        self.made = 0

    def unwanted(self, i):
        """Steps that must not come behind the i-th that comes."""
        end = self.come[i + 1] if i + 1 < len(self.come) else len(self.rule.steps)
        return set(range(self.come[i] + 1, end))

    def held(self):
        """Touches that some chain which matters holds."""
        return {seen for chains in self.chains if chains for seen in latest(chains)}

    def take(self, seen, steps):
        """Returns the chain that the touch completes, or ()."""
        for i, chains in enumerate(self.chains):
            if self.unwanted(i) & steps:
                chains.clear()
        longer = []
        for i, step in enumerate(self.come):
            before = [()] if i == 0 else self.chains[i - 1]
            longer.append([chain + (seen,) for chain in before] if step in steps else [])
        last = len(self.come) - 1
        match = ()
        if not self.waits:
            match = latest(longer[last])
        elif self.chains[last] and not self.rule.is_strict:
            longer[last] = []  # what waits stays
        elif longer[last]:
            longer[last] = [latest(longer[last])]
        for i, chains in enumerate(self.chains):
            if self.rule.is_strict or (self.waits and i == last and longer[i]):
                chains.clear()
            if self.waits or i < last:
                chains += longer[i]
            chains[:] = list({c[0]: c for c in sorted(chains, key=went_on)}.values())
        return match

    def skip(self, match):
        for i, chains in enumerate(self.chains):
            self.chains[i] = [c for c in chains
                              if self.rule.to_next and c[0].time > match[0].time]

    def ends(self):
        """When the chains that matter are over."""
        return {latest(chains)[0].time + self.rule.window for chains in self.chains if chains}

    def expire(self, now, waiting_too=False):
        """Drops what is over; returns the chain whose waiting has come to an end, or ()."""
        match = ()
        for i, chains in enumerate(self.chains):
            over = [c for c in chains if c[0].time + self.rule.window <= now]
            if over and self.waits and i == len(self.come) - 1 and not waiting_too:
                match = over[0]
            self.chains[i] = [c for c in chains if c not in over]
        return match

    def why(self, match, duration):
        text = ""
        for i, seen in enumerate(match):
            text += (", then " if i else "") + self.rule.steps[self.come[i]]["name"] + ": " + said(seen)
            if i:
                text += f" {duration(seen.time - match[i - 1].time)} later"
        if self.waits:
            text += ", then no " + self.rule.steps[-1]["name"]
        return text + f" (within {duration(self.rule.window)})"


class All:
    def __init__(self, rule):
        self.rule = rule
        self.met = [None] * len(rule.steps)
        self.made = 0

    def held(self):
        return {seen for seen in self.met if seen}

    def take(self, seen, steps):
        self.met = [seen if i in steps else old for i, old in enumerate(self.met)]
        return tuple(self.met) if all(self.met) else ()

    def skip(self, _match):
        self.met = [None] * len(self.met)

    def ends(self):
        return {seen.time + self.rule.window for seen in self.held()}

    def expire(self, now, waiting_too=False):
        self.met = [s if s and s.time + self.rule.window > now else None for s in self.met]
        return ()

    def why(self, match, duration):
        return " and ".join(f"{step['name']}: {said(seen)}"
                            for step, seen in zip(self.rule.steps, match)) \
            + f" (within {duration(self.rule.window)})"


def said(seen):
    return f"{seen.event.check or '(none)'} on {seen.event.resource or '(none)'}"


def where_of(raw):
    """What makes an event one of the rule's."""
    if raw.get("strict"):
        return raw["own_where"]
    steps = ["or"] + [step["where"] for step in raw["steps"]]
    return ["and", raw["own_where"], steps] if raw.get("own_where") else steps
