"""Random steps that change or drop events before rules see them."""
from generate_conditions import Conditions

EXTRACTS = [r"(?P<rack>r[0-9])", r"^(?P<word>[a-z]+)(?P<n>\d)?", "(?P<rack>x|y)", "(?P<rack>.*?)1", "(?P<word>c|c1)(?P<n>1?)",
            r"(?i)(?P<word>FAULT) (?P<host>.)", "(?P<ms>[0-9.]+)|(?P<word>debug|fast|INFO)", "(?P<n>a*)", "^$(?P<rack>)",
            "(?P<word>minor|Error|[a-z]{4,})$"]


class Enrich(Conditions):
    def enrich(self):
        r = self.random
        if self.chance(0.7):
            return []
        self.forms["enrich"] += 1
        steps = []
        for name in r.sample(["e1", "e2", "e3", "e4"], r.choice([1, 1, 2, 4])):
            step = {"id": name}
            is_drop = self.chance(0.2)
            if is_drop or self.chance(0.6):
                step["where"] = self.where(1)
            steps.append(step)
            if is_drop:
                step["drop"] = True
                continue
            make = self.expressions()
            texts = [["field", name] for name in ("check", "resource", "host", "labels.rack", "labels.ms")]
            texts += [["field", "message"]] * 2 if self.unstable else []
            if self.chance(0.5):
                step["extract"] = [[r.choice(texts + [make.text(1)]), r.choice(EXTRACTS)]
                                   for _ in range(r.choice([1, 1, 2]))]
            words = ["?:", make.truth(1), ["const", "text", r.choice(["P1", "Not_Classified", "up"])], r.choice(texts)]
            values = {"severity": lambda: r.choice([
                          ["?:", make.truth(1), ["const", "severity", "critical"], ["field", "severity"]],
                          ["severity_of", r.choice(texts + [["field", "labels.word"], words])], ["const", "severity", "info"]]),
                      "value": lambda: make.one_of(lambda: make.real(1), lambda: make.number(1),
                                                   lambda: ["double", ["field", "labels.n"]])}
            names = r.sample(["severity", "value", "message", "labels.rack", "labels.rack", "host", "labels.ms",
                              "labels.new"], r.randint(0 if "extract" in step else 1, 3))
            step["set"] = [[name, values.get(name, lambda: make.one_of(
                lambda: make.text(2), lambda: make.number(1), lambda: make.truth(1), make.word))()]
                for name in dict.fromkeys(names)]
            if self.chance(0.3):
                step["remove"] = r.sample(["labels.rack", "host", "labels.new", "labels.word"], r.randint(1, 2))
        return steps
