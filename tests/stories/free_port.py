"""A port of 127.0.0.1 that nobody listens on, and that nobody else gets before it is listened on, or while who
listens there is away for a moment. So none of those that the system gives out by itself - a connection of any other
test could have it meanwhile - and each test is given the one behind the last that any was given: who that was stands
in a file that all share. free_port.py [COUNT] prints them, with blanks between.
"""

import fcntl
import os
import random
import socket
import sys
import tempfile

FIRST, END = 20000, 32000  # connections get 32768 and more


def is_free(port):
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    last = os.open(os.path.join(tempfile.gettempdir(), f"tocsin-ports-{os.getuid()}"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(last, fcntl.LOCK_EX)
        text = os.read(last, 16)
        port = int(text) if text.isdigit() else random.SystemRandom().randrange(FIRST, END)
        for _ in range(FIRST, END):
            port = port + 1 if FIRST <= port + 1 < END else FIRST
            if is_free(port):
                os.pwrite(last, b"%05d" % port, 0)
                return port
    finally:
        os.close(last)
    sys.exit("no port is free")


if __name__ == "__main__":
    print(*[free_port() for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 1)])
