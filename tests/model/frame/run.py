"""Runs the model on a scenario: the lines of the incident log, the ledger's, and in a recording those of its parts."""
from frame.lines import canonical
from model import Model


def run(scenario):
    model = Model(scenario)
    model.run()
    if "script" in scenario:  # a replay caps nothing itself
        model.count("capped", sum(mark["kind"] == "cap" for mark in scenario["marks"]))
    rows = [] if "script" in scenario else model.ledger.rows(model, scenario)
    return model.telling.writer.lines + [canonical(row) for row in [model.ledger.totals(model), *rows]]
