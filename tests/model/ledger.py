"""What is counted: the sums that must come out, and the counts of each rule, enrich step, mute and partition."""

TOTALS = ["records", "events", "derived", "left", "rejected", "dropped", "duplicate", "unmatched", "routed", "touches",
          "correlated", "expired", "evicted", "retired", "pending", "opened", "closed", "open", "time_clamped", "late",
          "late_by_seal", "alerts_expired", "flap_folded", "capped", "alerts", "alerts_opened", "alerts_refired",
          "alerts_cleared", "alerts_evicted", "flap_begun", "flap_ended", "keys", "keys_evicted", "enrich_errors",
          "numbers_unfit", "updates", "ops", "muted", "unmuted", "withheld"]
OF_A_RULE = ["touches", "opened", "closed", "open", "keys", "evicted", "expired", "pending"]


def totals(model):
    count = model.ledger
    for (place, _), key in model.keys.items():
        pending = sum(not entry.is_counted for entry in key.form.held())
        key.count("pending", pending)
        key.count("keys")
    for counts in (count, *model.rule_counts.values()):
        counts["open"] = counts["opened"] - counts["closed"]
    count["alerts"] = len(model.alerts.table)
    assert count["events"] + count["derived"] == sum(
        count[name] for name in ("rejected", "dropped", "duplicate", "unmatched", "routed", "left")), "L2"
    assert count["touches"] == sum(
        count[name] for name in ("correlated", "expired", "evicted", "retired", "pending")), "L3"
    return {"ledger": {name: count[name] for name in TOTALS}}


def rows(model):
    for place in model.in_force:
        yield {"counts of rule": place[0], **{name: model.rule_counts[place][name] for name in OF_A_RULE}}
    for i, step in enumerate(model.enrichment.ids):
        yield {"counts of step": step, "applied": model.enrichment.applied[i], "errors": model.enrichment.errors[i]}
    log = model.log
    for kind, mutes in (("silence", log.silences), ("maintenance", log.windows), ("inhibit", log.inhibits)):
        for name in [(kind, mute["id"]) for mute in mutes]:
            yield {f"counts of {kind}": name[1], "incidents": sum(name in inc.muting for inc in log.open),
                   "total": log.mute_counts[name]}
    for place, counts in sorted(model.recording.parts.items()):
        yield {"counts of partition": "/".join(map(str, place)),
               **{name: counts[name] for name in ("records", "gaps", "redelivered", "rejected")}}
