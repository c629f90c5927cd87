"""What holds for all of a random scenario: its source of chance, and how tight, how long and how fine everything in it is."""
import collections
import random

START = 1_700_000_036_000  # a multiple of every round length, 4 s before a minute: bounds are told then
ZONES = ["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
         "America/St_Johns", "Europe/Dublin", "Pacific/Apia", "Asia/Gaza", "America/Sao_Paulo"]


class World:
    start = START

    def __init__(self, seed, big=False):
        self.random = random.Random(seed)
        self.big = big
        r = self.random
        self.forms = collections.Counter()
        self.tight = r.random() < 0.45
        self.flappy = r.random() < 0.42
        self.tenants = r.choice([["acme"], ["acme"], ["acme", "blue"]])
        self.window = r.choice([100, 500, 1000, 3000])
        self.expire = r.choice([3000, 30000, 300000] if big else
                               [400, 400, 1000, 1000, 3000, 3000, 300000, 300000, 2592000000])
        self.grid = r.choice([1, 50, 100, 100, 200])

    def chance(self, share):
        return self.random.random() < share

    def on_grid(self, ms):
        return ms // self.grid * self.grid
