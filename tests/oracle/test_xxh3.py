"""Aim: xxh3.py is XXH3-128. Method: every length from 0 to 1200 and some beyond a
block, compared with the C library that the daemon itself is built on."""
import ctypes
import ctypes.util
import unittest

from xxh3 import xxh3_128


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


class Xxh3(unittest.TestCase):
    def test_every_length_class_agrees_with_the_c_library(self):
        library = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
        library.XXH3_128bits.restype = Hash128
        library.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        data = bytes((i * 73 + (i >> 8) * 151 + 29) & 255 for i in range(5000))
        for n in [*range(1201), 2047, 2048, 2049, 3072, 5000]:
            expected = library.XXH3_128bits(data[:n], n)
            self.assertEqual(xxh3_128(data[:n]), (expected.high, expected.low), f"{n} bytes")


if __name__ == "__main__":
    unittest.main()
