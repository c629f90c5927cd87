#!/usr/bin/env python3
"""Writes rules/unicode_tables.c: categories, scripts and simple case folding of all characters, as
the ICU library of this machine knows them.

    tools/unicode_tables.py > rules/unicode_tables.c
"""
import ctypes
import ctypes.util
import re

LAST = 0x10FFFF
# In the order of ICU's u_charType(); 0 is what is not assigned.
CATEGORIES = ("Cn Lu Ll Lt Lm Lo Mn Me Mc Nd Nl No Zs Zl Zp Cc Cf Co Cs Pd Ps Pe Pc Po "
              "Sm Sc Sk So Pi Pf").split()


class Icu:
    def __init__(self):
        name = ctypes.util.find_library("icuuc")
        self.suffix = "_" + re.search(r"\.so\.(\d+)", name).group(1)
        self.library = ctypes.CDLL(name)
        self.name = self.call("uscript_getName")
        self.name.restype = ctypes.c_char_p

    def call(self, name):
        return getattr(self.library, name + self.suffix)

    def version(self):
        parts = (ctypes.c_uint8 * 4)()
        self.call("u_getUnicodeVersion")(parts)
        return "%d.%d" % (parts[0], parts[1])

    def scripts(self):
        error = ctypes.c_int(0)
        script = self.call("uscript_getScript")
        return [script(c, ctypes.byref(error)) for c in range(LAST + 1)]


def runs(values):
    """Where each run of the same value begins, and the value."""
    out = []
    for at, value in enumerate(values):
        if not out or out[-1][1] != value:
            out.append((at, value))
    return out


def fold_steps(fold):
    """What folds to the same is a ring: each character of it, how far the next one is."""
    rings = {}
    for c in range(LAST + 1):
        rings.setdefault(fold(c, 0), []).append(c)
    steps = {}
    for ring in rings.values():
        for i, c in enumerate(ring):
            if len(ring) > 1:
                steps[c] = ring[(i + 1) % len(ring)] - c
    return sorted(steps.items())


def fold_runs(steps):
    """(low, high, step): all from low to high go by step; 0: they are pairs, A a B b."""
    out, left = [], dict(steps)
    while left:
        low = min(left)
        step, high = left[low], low
        if step == 1 and left.get(low + 1) == -1:
            step, high = 0, low + 1
            while left.get(high + 1) == 1 and left.get(high + 2) == -1:
                high += 2
        else:
            while left.get(high + 1) == step:
                high += 1
        for c in range(low, high + 1):
            del left[c]
        out.append((low, high, step))
    return out


def rows(words):
    line, out = "   ", []
    for word in words:
        if len(line) + len(word) + 2 > 100:
            out.append(line)
            line = "   "
        line += " " + word + ","
    return "\n".join(out + [line])


def main():
    icu = Icu()
    kind, fold = icu.call("u_charType"), icu.call("u_foldCase")
    kind.restype = ctypes.c_int8
    categories = runs([kind(c) for c in range(LAST + 1)])
    scripts = icu.scripts()
    names = sorted({icu.name(s).decode() for s in set(scripts)} - {"Unknown"})
    number = {name: i + 1 for i, name in enumerate(names)}
    scripts = runs([number.get(icu.name(s).decode(), 0) for s in scripts])
    folds = fold_runs(fold_steps(fold))
    print("/*\n * unicode_tables.c - see unicode_tables.h. Unicode %s, written by "
          "tools/unicode_tables.py.\n */" % icu.version())
    print('#include "rules/unicode_tables.h"\n\n/* clang-format off */')
    for name, words in (
            ("char *const unicode_category_name[]", ['"%s"' % c for c in CATEGORIES]),
            ("char *const unicode_script_name[]", ['"Unknown"'] + ['"%s"' % n for n in names]),
            ("uint32_t unicode_category_run[]", ["0x%x" % (c << 5 | v) for c, v in categories]),
            ("uint32_t unicode_script_run[]", ["0x%x" % (c << 8 | v) for c, v in scripts]),
            ("struct unicode_fold unicode_fold[]", ["{0x%x, 0x%x, %d}" % f for f in folds])):
        print("const %s = {\n%s\n};" % (name, rows(words)))
    print("/* clang-format on */\n")
    for name in ("category_name", "script_name", "category_run", "script_run", "fold"):
        print("const uint32_t unicode_%s_count =\n    sizeof(unicode_%s) / sizeof(unicode_%s[0]);"
              % (name, name, name))


if __name__ == "__main__":
    main()
