"""spoil_image.py FILE: gives a snapshot an image that makes no sense, and all checksums that are due to it.

The file is a head, blocks of three parts, a tail (store/snapshot_format.h). The image's blocks make room for one, not
packed, that begins as the image did, as far as the door looks: a mark and a version.
"""
import struct
import sys

VERSION = 4


def crc32c(crc, data):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def block(part, data):
    head = struct.pack("<III", part, len(data), len(data))
    return head + struct.pack("<I", crc32c(crc32c(0, head), data)) + data


def main():
    path = sys.argv[1]
    with open(path, "rb") as file:
        old = file.read()
    image = b"TOCS" + struct.pack("<I", VERSION) + bytes(range(100))
    head = old[:56] + struct.pack("<Q", len(image)) + old[64:68]
    blocks, at = [], 72
    while at < len(old) - 24:
        part, _, packed, _ = struct.unpack_from("<IIII", old, at)
        if part < 2:
            blocks.append(old[at:at + 16 + packed])
        at += 16 + packed
    blocks.append(block(2, image))
    chain = 0
    for one in blocks:
        chain = crc32c(chain, one[12:16])
    tail = b"TOCSINSE" + struct.pack("<QI", len(blocks), chain)
    with open(path, "wb") as file:
        for part in (head, *blocks, tail):
            file.write(part)
            if part in (head, tail):
                file.write(struct.pack("<I", crc32c(0, part)))


main()
