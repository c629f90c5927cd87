#!/usr/bin/env bash
#
# The demo, short: it ends by itself, every fault is caught, nothing is paged that
# is no fault, pages were shown with their reason, and every event is accounted for.
set -euo pipefail
"$TOCSIN" demo --for 20s --seed 7 --dir run | tee shown

want() { # PATTERN WHAT
    grep -Eq "$1" shown || { echo "not shown: $2"; tail -n 20 run/*.log; exit 1; }
}
want '^  7 of 7 faults caught, 0 missed, 0 false' 'that all faults were caught'
want 'P1 OPEN ' 'the opening of a P1 incident'
want ' why: ' 'why it opened'
want 'RESOLVED .* after ' 'that an incident was resolved'
want 'events in .* sent, none lost$' 'that every event arrived'
want '0 wrong$' 'that the signatures of the webhook are right'
want 'opened, .* resolved, 0 open$' 'that no incident stays open'

# Both sinks were told of the same incidents, each once.
python3 - <<'PY'
import collections
import json

told = collections.Counter()
for line in open("run/pages.jsonl"):
    page = json.loads(line)
    told[page["by"], page["kind"], page["incident"]] += 1
assert told and set(told.values()) <= {1, 2, 3}, told
for kind in ("open", "resolve"):
    by = {who: sorted(i for w, k, i in told if (w, k) == (who, kind)) for who in ("pager", "webhook")}
    assert by["pager"] == by["webhook"], by
    assert all(told[w, k, i] == 1 for w, k, i in told if k == kind), told
opened = {i for w, k, i in told if k == "open"}
assert len(opened) >= 7, opened
PY
