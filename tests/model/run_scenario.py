"""What the model says of a scenario: the incident log, then lines with what was counted.

    run_scenario.py scenario.json
"""
import json
import sys

from frame.run import run

if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as scenario_file:
        print("\n".join(run(json.load(scenario_file))))
