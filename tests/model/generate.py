"""Small random scenarios that press on the edges: equal times, disorder, late records, seals,
tight bounds, timers that meet events. One number makes one scenario.

    generate.py SEED FOLDER      writes scenario.json, rules.yaml and log.tlog
    generate.py SEED FOLDER big  the same, with hundreds of alerts and events
    generate.py SEED FOLDER live a script on virtual time (live_runner.c) instead of a recording
"""
import sys

from generate_dense import Dense, Loud
from generate_live import Live
from generate_recording import Recording
from write import write


DENSE_EVERY = 20  # seeds: the model takes its time over them
LOUD_EVERY = 40


def scenario_of(seed, big=False, live=False, draw=0):
    """`draw`: which one of this seed, where those before it were refused."""
    of = f"{seed} again {draw}" if draw else seed
    if live:
        return Live(of).scenario()
    if seed % LOUD_EVERY == 13 and not big:
        return Loud(of).scenario()
    return Dense(of).scenario() if seed % DENSE_EVERY == 7 and not big else Recording(of, big).scenario()


if __name__ == "__main__":
    write(scenario_of(int(sys.argv[1]), "big" in sys.argv[3:], "live" in sys.argv[3:]), sys.argv[2])
