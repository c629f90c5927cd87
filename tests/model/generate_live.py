"""Random scripts for live_runner.c, on virtual time: what a recording cannot hold, such as members that come and go,
rules that are switched, and partitions that cannot be read."""
import json

from generate_recording import Recording
from generate_trees import parts_of, rule_by

LIVE_START = 1_000_000_000_000  # where the clock of live_runner.c begins: BENCH_T0


class Live(Recording):
    start = LIVE_START
    computes = False  # in `when`: a live run cannot go on without its rules

    def rules(self):
        """Each further set is the last one with something changed."""
        sets = [super().rules()]
        self.rule_sets = sets
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            sets.append(self.changed_rules(sets[-1]))
        return sets[0]

    def changed_rules(self, rules):
        fresh = super().rules()
        names = [rule["id"] for rule in fresh]
        changed = []
        for rule in json.loads(json.dumps(rules)):
            kind = self.random.random()
            if kind < 0.3:
                changed.append(rule)
            elif kind < 0.6:  # of the same form: windows and incidents carry on
                rule["title"] = parts_of("anew" if "expect" in rule else "{resource}, anew")
                rule["close"] = self.close(hears="expect" not in rule)
                if "expect" in rule and kind < 0.5:  # but another form of an absence: its keys may go over
                    rule["expect"]["every_ms"] += 1000 if kind < 0.4 else -rule["expect"]["every_ms"] // 2
                if "keys" in rule.get("expect", {}):
                    rule["expect"]["keys"] = self.listed_keys(rule_by(rule))
                if self.tight:
                    rule["max_keys"] = self.random.choice([3, 4] if "expect" in rule else [1, 2, 3])
                changed.append(rule)
            elif kind < 0.8 and rule["id"] in names:
                changed.append(fresh[names.index(rule["id"])])
        held = [rule["id"] for rule in changed]
        changed += [rule for rule in fresh if rule["id"] not in held and self.chance(0.5)]
        return self.with_parts(changed) or [rule for rule in fresh if "of" not in rule] or self.changed_rules(rules)

    @staticmethod
    def with_parts(rules):
        """Composites name rules that are there."""
        for rule in sorted(rules, key=lambda rule: rule["id"]):
            if "of" in rule:
                rule["of"] = [name for name in rule["of"] if any(other["id"] == name for other in rules)]
                rules = rules if rule["of"] else [other for other in rules if other is not rule]
        return rules

    def scenario(self):
        config, topics = self.config(), self.topics()
        rules = self.rules()
        self.config_now, self.clock, self.script = config, self.start, []
        self.pool = self.alerts()
        self.state_of = [False] * len(self.pool)
        self.members = []
        self.inside = []       # memberships that joined and have not left
        self.dark = set()      # of these, those that cannot be read or get no answers
        for topic in topics:
            for number in self.random.sample([0, 1, 2, 10], self.random.choice([1, 1, 2])):
                self.member(topic, number, self.chance(0.2) and len(self.members) > 0)
        for _ in range(self.random.choice([5, 20, 40, 60])):
            self.live_step()
        self.script += [{"settle": True}]
        mute_sets = [self.mutes() for _ in self.rule_sets]
        enrich_sets = [self.enrich() for _ in self.rule_sets]
        return {"config": config, "topics": topics, "sinks": self.sinks(), "rules": rules,
                "mutes": mute_sets[0], "mute_sets": mute_sets[1:], "enrich": enrich_sets[0], "enrich_sets": enrich_sets[1:],
                "rule_sets": self.rule_sets[1:], "script": self.script, "marks": [], "forms": self.forms,
                "partitions": [{name: value for name, value in member.items() if name != "config"}
                               for member in self.members]}

    def member(self, topic, number, joins, start=0):
        self.members.append({"topic": topic["topic"], "partition": number, "start": start,
                             "joins": bool(joins), "records": [], "config": topic})
        if not joins:
            self.inside.append(len(self.members) - 1)

    def pass_time(self, ms):
        self.clock += ms
        self.script.append({"pass": ms})

    def live_step(self):
        r = self.random
        if self.chance(0.7):
            self.pass_time(r.choice([1, 10, 20, 50, 50, 100, 200, 300]))
        elif self.chance(0.3):
            self.pass_time(r.choice([self.window, min(self.expire, 3000), 1500, 2000, 5000]))
        if self.chance(0.3):
            self.script.append({"settle": True})
        what = r.random()
        if what < 0.1:
            self.membership_step()
        elif what < 0.16:
            self.reach_step()
        elif what < 0.22 and len(self.rule_sets) > 1 + self.switched():
            self.script += [{"settle": True}, {"switch": f"rules-{self.switched() + 1}.yaml"},
                            {"pass": 10}, {"settle": True}]
            self.clock += 10
        elif self.inside:
            self.put(r.choice(self.inside))

    def switched(self):
        return sum("switch" in step for step in self.script)

    def put(self, number):
        member = self.members[number]
        record, payload = self.record(member["config"], self.clock, self.pool, self.state_of,
                                      self.config_now["past_ms"])
        if self.chance(0.1):
            record["log_time"] += self.on_grid(self.random.randint(-800, 3000))
        if payload is None:
            payload = self.payload(record["events"])
        place = (member["topic"], member["partition"])
        offset = member["start"]
        for other in self.members:
            if (other["topic"], other["partition"]) == place and other["records"]:
                offset = max(offset, other["records"][-1]["offset"] + 1)
        record = dict(record, offset=offset, payload=payload)
        member["records"].append(record)
        self.script.append({"put": number, **{name: record[name]
                                              for name in ("offset", "log_time", "payload")}})

    def membership_step(self):
        """One comes, one goes, or one that went comes again and reads a part once more."""
        r = self.random
        outside = [i for i in range(len(self.members)) if i not in self.inside]
        calm = [i for i in self.inside if i not in self.dark]
        if outside and self.chance(0.6):
            number = r.choice(outside)
            member = self.members[number]
            if "left" in member:
                again = [i for i in self.inside if self.place(i) == self.place(number)]
                if again or len(self.members) > 12:
                    return
                records = member["records"][r.randint(0, len(member["records"])):]
                start = records[0]["offset"] if records else member["next"]
                self.member(member["config"], member["partition"], True, start)
                number = len(self.members) - 1
                self.members[number]["records"] = json.loads(json.dumps(records))
                self.script += [{"put": number, **{n: record[n] for n in ("offset", "log_time", "payload")}}
                                for record in records]
            self.inside.append(number)
            self.script.append({"join": number})
        elif len(calm) > 1 and not self.dark:
            number = r.choice(calm)
            self.inside.remove(number)
            member = self.members[number]
            member["left"] = True
            member["next"] = member["records"][-1]["offset"] + 1 if member["records"] else member["start"]
            self.script += [{"settle": True}, {"leave": number}]
        self.script += [{"pass": 20}, {"settle": True}]
        self.clock += 20

    def place(self, number):
        return (self.members[number]["topic"], self.members[number]["partition"])

    def reach_step(self):
        """A partition that cannot be read for a while, or whose fetches are not answered."""
        r = self.random
        if self.dark:
            for number in sorted(self.dark):
                self.script += [{"readable": number, "is": True}, {"answers": number, "is": True}]
            self.dark.clear()
        elif self.inside:
            chosen = self.inside if self.chance(0.2) else [r.choice(self.inside)]
            for number in chosen:
                self.script.append({r.choice(["readable", "readable", "answers"]): number, "is": False})
                self.dark.add(number)
            if self.chance(0.7):
                for _ in range(r.choice([2, 11, 11, 25])):
                    self.pass_time(1000)
                    self.script.append({"settle": True})
