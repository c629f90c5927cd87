"""Where the random part of a story begins: the same in each plain run, another one with TOCSIN_FRESH_SEEDS,
which `./dev test --long` sets (see tests/random_seed.h), or what the story's argument says. It is printed."""

import os


def random_seed(given=None):
    if given is not None:
        seed = int(given)
    elif "TOCSIN_FRESH_SEEDS" in os.environ:
        seed = int.from_bytes(os.urandom(4), "little")
    else:
        seed = 20261123
    print("seed", seed)
    return seed
