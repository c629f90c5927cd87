"""What is counted: the sums that must come out, and the counts of each rule, enrich step, mute and partition."""
import collections
import itertools

from values import NUMBERS, computed, fits

TOTALS = ["records", "events", "derived", "left", "rejected", "dropped", "duplicate", "unmatched", "routed", "touches",
          "correlated", "expired", "evicted", "retired", "pending", "opened", "closed", "open", "time_clamped", "late",
          "late_by_seal", "alerts_expired", "flap_folded", "capped", "alerts", "alerts_opened", "alerts_refired",
          "alerts_cleared", "alerts_evicted", "flap_begun", "flap_ended", "keys", "keys_evicted", "enrich_errors",
          "numbers_unfit", "updates", "ops", "muted", "unmuted", "withheld"]
OF_A_RULE = ["touches", "opened", "closed", "open", "keys", "evicted", "expired", "pending"]


class Ledger:
    def __init__(self):
        self.counts = collections.Counter()  # by name, and by what it is of and name

    def count(self, name, times=1, of=None):
        """In all; and of a rule, partition, step or mute."""
        self.counts[name] += times
        self.counts[of, name] += times

    def count_enriched(self, model, event):
        """What steps made of an event: what nobody looks at runs only up to the last step that drops."""
        enrichment, has_beats = model.enrichment, any(rule.expect for rule in model.in_force)
        last_drop = max((i for i, step in enumerate(enrichment.steps) if "drop" in step), default=-1)
        self.count("dropped", not event)
        for i, is_applied, errors in enrichment.done:
            if i <= last_drop or event and (event.is_problem and not event.goes_nowhere or has_beats):
                self.count("applied", is_applied, ("step", i))
                self.count("enrich_errors", errors, ("step", i))

    def count_unfit(self, rule, event):
        """Numbers of an entry that was made or changed."""
        numbers = [computed(("double", argument), event)
                   for argument in {part[3] for part in rule.aggregates if part[2] in NUMBERS}]
        self.count("numbers_unfit", sum(number is not None and not fits(number) for number in numbers))

    def totals(self, model):
        counts = self.counts
        for key in model.keys.values():
            self.count("keys", 1, key.place)
        for touch in model.touches:
            self.count("touches", 1, touch.place)
            self.count(touch.fate, 1, touch.place)
        self.count("alerts", len(model.alerts))
        assert counts["events"] + counts["derived"] == sum(
            counts[name] for name in ("rejected", "dropped", "duplicate", "unmatched", "routed", "left")), "L2"
        assert counts["touches"] == sum(
            counts[name] for name in ("correlated", "expired", "evicted", "retired", "pending")), "L3"
        return {"ledger": {name: counts[name] for name in TOTALS}}

    def rows(self, model, scenario):
        counts = self.counts
        for rule in model.in_force:
            yield {"counts of rule": rule.id, **{name: counts[rule.place, name] for name in OF_A_RULE}}
        for i, step in enumerate(model.enrichment.steps):
            yield {"counts of step": step["id"], "applied": counts[("step", i), "applied"],
                   "errors": counts[("step", i), "enrich_errors"]}
        for mute in model.telling.mutes:
            yield {f"counts of {mute.kind}": mute.id,
                   "incidents": sum(mute.name in names for names in model.telling.writer.muting.values()),
                   "total": counts[mute.name, "total"]}
        for part in sorted(scenario["partitions"], key=lambda part: (part["topic"], part["partition"])):
            place, offsets = (part["topic"], part["partition"]), [record["offset"] for record in part["records"]]
            yield {"counts of partition": "{}/{}".format(*place), "records": counts[place, "records"],
                   "gaps": sum(b - a - 1 for a, b in itertools.pairwise(offsets)), "redelivered": 0,
                   "rejected": counts[place, "rejected"]}
