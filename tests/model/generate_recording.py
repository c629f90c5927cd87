"""Random recordings: records of some partitions with their marks, and the settings and rules to replay them with."""
import random

from generate_enrich import Enrich
from generate_events import Events
from generate_mutes import Mutes
from generate_rules import Rules


class Recording(Rules, Enrich, Mutes, Events):
    def config(self):
        r = self.random
        start = r.choice([2, 3, 4, 6])
        return {
            "round_ms": r.choice([200, 200, 200, 400, 1000]),
            "past_ms": r.choice([86400000, 86400000, 2000]),
            "future_ms": r.choice([1000, 100]), "behind_ms": r.choice([5000, 300]),
            "alerts_max": r.choice([50, 90] if self.big else [2, 4])
                          if self.tight and self.chance(0.7) else 1000,
            "expire_ms": self.expire, "flap_window_ms": r.choice([300, 1000, 3000]),
            "flap_start": start if self.flappy or self.chance(0.3) else 6,
            "flap_stop": r.randrange(start),
        }

    def topics(self):
        r = self.random
        return [{"topic": name, "disorder_ms": r.choice([0, 50, 500, 500]),
                 "log_append_time": self.chance(0.25), "tenant": r.choice(self.tenants),
                 "tenant_fixed": self.chance(0.1)}
                for name in r.sample(["a", "a.b", "raw", "zeta"], r.choice([1, 1, 2, 3]))]

    def sinks(self):
        sinks = [{"name": "page"}, {"name": "hook", "priority": self.random.choice(["P1", "P2", "P3"])},
                 {"name": "all of it"}]
        return self.random.sample(sinks, self.random.choice([1, 1, 2, 3]))

    def step(self, config):
        r = self.random
        kind = r.random()
        if kind < (0.7 if self.big else 0.3):
            return 0
        if kind > 0.995:
            # A rule whose bound is reached may be told so each minute; keys that are listed are missed again and again.
            idle = [60000] * 5 + ([] if self.bounded else [3600000] * 5 + [172800000, 4320000000])
            return r.choice(idle) + r.choice([0, 1, 77])
        if kind < 0.75:
            return self.on_grid(r.choice([1, 20, 50, 100, 100, 200, 300]))
        if kind < 0.9:
            return self.on_grid(r.randint(0, 1500))
        return r.choice([self.window, min(self.expire, 3000), config["round_ms"],
                         config["flap_window_ms"], 2000, 4000]) - r.choice([0, 0, 0, 1])

    def record_count(self):
        return self.random.choice([300, 900] if self.big else [1, 5, 20, 40, 40, 80])

    def partitions(self, topics, config):
        r = self.random
        parts = []
        for topic in topics:
            for number in r.sample([0, 1, 2, 10], 4 if self.big else r.choice([1, 1, 2])):
                parts.append({"topic": topic["topic"], "partition": number, "records": [],
                              "next": r.choice([0, 0, 100]), "config": topic,
                              "log_times": r.choice(["all"] * 6 + ["some", "none"])})
        silent = parts[r.randrange(len(parts))] if len(parts) > 1 and self.chance(0.3) else None
        pool = self.alerts()
        state_of = [False] * len(pool)
        marks, clock = [], self.start + r.choice([0, 1, 150, 7777])
        for _ in range(self.record_count()):
            clock += self.step(config)
            part = r.choice([p for p in parts if p is not silent])
            record, payload = self.record(part["config"], clock, pool, state_of, config["past_ms"])
            if self.chance(0.05):
                record["log_time"] += self.on_grid(r.randint(-800, 300))
            self.finish_record(part, record, clock, marks)
            if payload is None:
                payload = self.payload(record["events"])
            part["records"].append(dict(record, offset=part["next"], payload=payload))
            part["next"] += 1
            if self.chance(0.05):
                if self.chance(0.3):  # of a record that never came: it caps no other
                    marks.append({"kind": "cap", "topic": part["topic"],
                                  "partition": part["partition"], "offset": part["next"],
                                  "value": clock - 700})
                part["next"] += r.randint(1, 5)
            if self.chance(0.1):
                self.seal(r.choice(parts), clock, marks)
        if self.chance(0.1):
            self.seal(r.choice(parts), clock + r.choice([700, 3000]), marks)  # behind the last record
        return parts, marks

    def finish_record(self, part, record, clock, marks):
        lacks_time = any("time" not in e for e in record.get("events", []))
        if part["log_times"] == "none" or part["log_times"] == "some" and self.chance(0.3):
            # A first record that has no time at all would take the daemon's.
            if part["records"] and "events" in part["records"][0] \
                    or "time" in record.get("events", [{}])[0] and not part["config"]["tenant_fixed"]:
                record["log_time"] = None
                for event in record.get("events", []):  # which may be the partition's clock
                    if "time" in event:
                        event["time"] = max(clock - 90000, min(event["time"], clock + 90000))
            elif lacks_time:
                record["events"][0]["time"] = clock
        elif self.chance(0.03):
            marks.append({"kind": "cap", "topic": part["topic"], "partition": part["partition"],
                          "offset": part["next"], "value": record["log_time"]})
            record["log_time"] += self.random.choice([1, 5000, 1000000])

    def seal(self, part, clock, marks):
        before = [m["value"] for m in marks if m["kind"] == "seal"
                  and (m["topic"], m["partition"]) == (part["topic"], part["partition"])]
        value = clock - self.on_grid(self.random.choice([0, 50, 50, 100, 500, -200]))
        if self.chance(0.1):
            value -= 2000  # V never falls
        if not before or value > max(before) or self.chance(0.3):
            marks.append({"kind": "seal", "topic": part["topic"], "partition": part["partition"],
                          "offset": part["next"], "value": value})

    def shed(self, parts, marks):
        """Marks of shedding, by chance of their own: what else is drawn does not depend on them."""
        r = random.Random(f"shed {self.random.getstate()[1][:3]}")
        for part in parts:
            offsets = [record["offset"] for record in part["records"]]
            for _ in range(r.choice([0, 0, 0, 1, 2, 4]) if offsets else 0):
                value = 8 * r.choice([0, 5, 1500, 312000, 7200000]) + r.choice([0, 0, 2, 3, 4, 5, 6])
                marks.append({"kind": "shed", "topic": part["topic"], "partition": part["partition"],
                              "offset": r.randint(offsets[0], offsets[-1] + 1), "value": value})
        marks.sort(key=lambda mark: mark["offset"])

    def scenario(self):
        config, topics = self.config(), self.topics()
        rules = self.rules()
        self.bounded = config["alerts_max"] < 1000 or any(
            "max_keys" in rule or "keys" in rule.get("expect", {}) for rule in rules)
        parts, marks = self.partitions(topics, config)
        self.shed(parts, marks)
        for part in parts:
            del part["next"], part["config"], part["log_times"]
        return {"config": config, "topics": topics, "sinks": self.sinks(), "rules": rules,
                "partitions": parts, "marks": marks, "forms": self.forms, "mutes": self.mutes(), "enrich": self.enrich()}
