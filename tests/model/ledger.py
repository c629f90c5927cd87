"""What is counted: the sums that must come out, and the counts of each rule, enrich step, mute and partition."""

TOTALS = ["records", "events", "derived", "left", "rejected", "dropped", "duplicate", "unmatched", "routed", "touches",
          "correlated", "expired", "evicted", "retired", "pending", "opened", "closed", "open", "time_clamped", "late",
          "late_by_seal", "alerts_expired", "flap_folded", "capped", "alerts", "alerts_opened", "alerts_refired",
          "alerts_cleared", "alerts_evicted", "flap_begun", "flap_ended", "keys", "keys_evicted", "enrich_errors",
          "numbers_unfit", "updates", "ops", "muted", "unmuted", "withheld"]
OF_A_RULE = ["touches", "opened", "closed", "open", "keys", "evicted", "expired", "pending"]
OF_A_PARTITION = ["records", "gaps", "redelivered", "rejected"]


def totals(model):
    counts = model.counts
    for key in model.keys.values():
        key.count("keys")
        key.count("pending", sum(not entry.is_counted for entry in key.entries))
    model.count("alerts", len(model.alerts.table))
    assert counts["events"] + counts["derived"] == sum(
        counts[name] for name in ("rejected", "dropped", "duplicate", "unmatched", "routed", "left")), "L2"
    assert counts["touches"] == sum(
        counts[name] for name in ("correlated", "expired", "evicted", "retired", "pending")), "L3"
    return {"ledger": {name: counts[name] for name in TOTALS}}


def rows(model, scenario):
    counts = model.counts
    for place in model.in_force:
        yield {"counts of rule": place[0], **{name: counts[place, name] for name in OF_A_RULE}}
    for i, step in enumerate(model.enrichment.steps):
        yield {"counts of step": step["id"], "applied": counts[("step", i), "applied"],
               "errors": counts[("step", i), "enrich_errors"]}
    for kind, mute in model.log.mutes:
        name = (kind, mute["id"])
        yield {f"counts of {kind}": name[1], "incidents": sum(name in inc.muting for inc in model.log.open),
               "total": counts[name, "total"]}
    for topic, number in sorted({(part["topic"], part["partition"]) for part in scenario["partitions"]}):
        yield {"counts of partition": f"{topic}/{number}",
               **{name: counts[(topic, number), name] for name in OF_A_PARTITION}}
