"""XXH3, 128 bits, seed 0, in plain Python: the hash of incident and op ids.

Written for reading: the six length classes of the algorithm, one function each.
Source: the XXH3 specification in xxHash's doc/xxhash_spec.md; test_xxh3.py compares
it with the C library at every length from 0 to 1200 bytes.
"""

MASK32 = (1 << 32) - 1
MASK64 = (1 << 64) - 1

PRIME32_1 = 0x9E3779B1
PRIME32_2 = 0x85EBCA77
PRIME32_3 = 0xC2B2AE3D
PRIME64_1 = 0x9E3779B185EBCA87
PRIME64_2 = 0xC2B2AE3D27D4EB4F
PRIME64_3 = 0x165667B19E3779F9
PRIME64_4 = 0x85EBCA77C2B2AE63
PRIME64_5 = 0x27D4EB2F165667C5

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
SECRET_BYTES_MIN = 136
STRIPE_BYTES = 64
STRIPES_PER_BLOCK = (len(SECRET) - STRIPE_BYTES) // 8


def u32(data, at):
    return int.from_bytes(data[at : at + 4], "little")


def u64(data, at):
    return int.from_bytes(data[at : at + 8], "little")


def swap32(x):
    return int.from_bytes(x.to_bytes(4, "little"), "big")


def swap64(x):
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def fold(a, b):
    """The two halves of the 128-bit product, xored."""
    product = a * b
    return (product & MASK64) ^ (product >> 64)


def avalanche(h):
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & MASK64
    return h ^ (h >> 32)


def avalanche_xxh64(h):
    h ^= h >> 33
    h = h * PRIME64_2 & MASK64
    h ^= h >> 29
    h = h * PRIME64_3 & MASK64
    return h ^ (h >> 32)


def hash_0(_):
    high = avalanche_xxh64(u64(SECRET, 80) ^ u64(SECRET, 88))
    low = avalanche_xxh64(u64(SECRET, 64) ^ u64(SECRET, 72))
    return high, low


def hash_1_to_3(data):
    n = len(data)
    combined = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
    swapped = swap32(combined)
    rotated = (swapped << 13 | swapped >> 19) & MASK32
    low = avalanche_xxh64(combined ^ u32(SECRET, 0) ^ u32(SECRET, 4))
    high = avalanche_xxh64(rotated ^ u32(SECRET, 8) ^ u32(SECRET, 12))
    return high, low


def hash_4_to_8(data):
    n = len(data)
    both = u32(data, 0) + (u32(data, n - 4) << 32)
    keyed = both ^ u64(SECRET, 16) ^ u64(SECRET, 24)
    product = keyed * (PRIME64_1 + (n << 2))
    low = product & MASK64
    high = ((product >> 64) + (low << 1)) & MASK64
    low ^= high >> 3
    low ^= low >> 35
    low = low * 0x9FB21C651E98DF25 & MASK64
    low ^= low >> 28
    return avalanche(high), low


def hash_9_to_16(data):
    n = len(data)
    flip_low = u64(SECRET, 32) ^ u64(SECRET, 40)
    flip_high = u64(SECRET, 48) ^ u64(SECRET, 56)
    first, last = u64(data, 0), u64(data, n - 8)
    product = (first ^ last ^ flip_low) * PRIME64_1
    low, high = product & MASK64, product >> 64
    low = (low + ((n - 1) << 54)) & MASK64
    last ^= flip_high
    high = (high + last + (last & MASK32) * (PRIME32_2 - 1)) & MASK64
    low ^= swap64(high)
    product = low * PRIME64_2
    low = product & MASK64
    high = ((product >> 64) + high * PRIME64_2) & MASK64
    return avalanche(high), avalanche(low)


def mix_16(data, at, secret_at):
    return fold(u64(data, at) ^ u64(SECRET, secret_at), u64(data, at + 8) ^ u64(SECRET, secret_at + 8))


def mix_32(acc, data, at_1, at_2, secret_at):
    low, high = acc
    low = (low + mix_16(data, at_1, secret_at)) & MASK64
    low ^= (u64(data, at_2) + u64(data, at_2 + 8)) & MASK64
    high = (high + mix_16(data, at_2, secret_at + 16)) & MASK64
    high ^= (u64(data, at_1) + u64(data, at_1 + 8)) & MASK64
    return low, high


def finish_middle(acc, n):
    low, high = acc
    both = (low + high) & MASK64
    mixed = (low * PRIME64_1 + high * PRIME64_4 + n * PRIME64_2) & MASK64
    return -avalanche(mixed) & MASK64, avalanche(both)


def hash_17_to_128(data):
    n = len(data)
    acc = (n * PRIME64_1 & MASK64, 0)
    for i in (3, 2, 1, 0):
        if n > 32 * i:
            acc = mix_32(acc, data, 16 * i, n - 16 * (i + 1), 32 * i)
    return finish_middle(acc, n)


def hash_129_to_240(data):
    n = len(data)
    acc = (n * PRIME64_1 & MASK64, 0)
    for i in range(4):
        acc = mix_32(acc, data, 32 * i, 32 * i + 16, 32 * i)
    acc = (avalanche(acc[0]), avalanche(acc[1]))
    for i in range(4, n // 32):
        acc = mix_32(acc, data, 32 * i, 32 * i + 16, 3 + 32 * (i - 4))
    acc = mix_32(acc, data, n - 16, n - 32, SECRET_BYTES_MIN - 17 - 16)
    return finish_middle(acc, n)


def accumulate(acc, data, at, secret_at):
    for i in range(8):
        value = u64(data, at + 8 * i)
        keyed = value ^ u64(SECRET, secret_at + 8 * i)
        acc[i ^ 1] = (acc[i ^ 1] + value) & MASK64
        acc[i] = (acc[i] + (keyed & MASK32) * (keyed >> 32)) & MASK64


def scramble(acc):
    for i in range(8):
        a = acc[i] ^ (acc[i] >> 47) ^ u64(SECRET, len(SECRET) - STRIPE_BYTES + 8 * i)
        acc[i] = a * PRIME32_1 & MASK64


def merge(acc, secret_at, start):
    total = start
    for i in range(4):
        total += fold(acc[2 * i] ^ u64(SECRET, secret_at + 16 * i),
                      acc[2 * i + 1] ^ u64(SECRET, secret_at + 16 * i + 8))
    return avalanche(total & MASK64)


def hash_long(data):
    n = len(data)
    acc = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1]
    block = STRIPE_BYTES * STRIPES_PER_BLOCK
    blocks = (n - 1) // block
    for b in range(blocks):
        for s in range(STRIPES_PER_BLOCK):
            accumulate(acc, data, b * block + s * STRIPE_BYTES, 8 * s)
        scramble(acc)
    for s in range((n - 1 - blocks * block) // STRIPE_BYTES):
        accumulate(acc, data, blocks * block + s * STRIPE_BYTES, 8 * s)
    accumulate(acc, data, n - STRIPE_BYTES, len(SECRET) - STRIPE_BYTES - 7)
    low = merge(acc, 11, n * PRIME64_1 & MASK64)
    high = merge(acc, len(SECRET) - 64 - 11, ~(n * PRIME64_2) & MASK64)
    return high, low


def xxh3_128(data):
    """(high, low) of `data`, two 64-bit numbers."""
    n = len(data)
    for limit, function in ((0, hash_0), (3, hash_1_to_3), (8, hash_4_to_8), (16, hash_9_to_16),
                            (128, hash_17_to_128), (240, hash_129_to_240)):
        if n <= limit:
            return function(data)
    return hash_long(data)


def xxh3_128_hex(data):
    """32 hexadecimal digits, high half first, as ids are written."""
    return "%016x%016x" % xxh3_128(data)
