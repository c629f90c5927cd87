#!/usr/bin/env python3
"""Aim: `tocsin publish` ends when brokers say nothing more, before the first record and behind it, with a sentence and
the exit code of what cannot be reached. Method: a listener that never answers; then a broker behind a relay that
passes everything on, until the first record if told so, and shows the broker at its own port."""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

PRODUCE = 0  # the number of this request in Kafka's protocol
PATIENCE_S = 60


def fail(what):
    print("FAILED:", what)
    sys.exit(1)


def received(connection, count):
    got = b""
    while len(got) < count:
        part = connection.recv(count - len(got))
        if not part:
            raise ConnectionError
        got += part
    return got


def frame(connection):
    """One request or answer, with its length."""
    head = received(connection, 4)
    return head + received(connection, struct.unpack(">i", head)[0])


class Relay:
    def __init__(self, to_port, is_deaf):
        self.to_port, self.is_deaf = to_port, is_deaf
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start(self.accept)

    @staticmethod
    def start(work, *of):
        threading.Thread(target=Relay.until_it_ends, args=(work, *of), daemon=True).start()

    @staticmethod
    def until_it_ends(work, *of):
        try:
            work(*of)
        except OSError:
            pass

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            broker = socket.create_connection(("127.0.0.1", self.to_port))
            self.start(self.forth, client, broker)
            self.start(self.back, client, broker)

    def forth(self, client, broker):
        while True:
            request = frame(client)
            if not (self.is_deaf and struct.unpack_from(">h", request, 4)[0] == PRODUCE):
                broker.sendall(request)

    def back(self, client, broker):
        while True:
            client.sendall(frame(broker).replace(struct.pack(">i", self.to_port), struct.pack(">i", self.port)))


def publish(port, silence, code, pattern):
    begin = time.monotonic()
    done = subprocess.run([os.environ["TOCSIN"], "publish", "--brokers", f"127.0.0.1:{port}", "--topic", "t", "--silence", silence,
                           "five.json"], capture_output=True, text=True, timeout=PATIENCE_S)
    if done.returncode != code or not re.fullmatch(pattern.format(port=port), done.stderr):
        fail(f"exit code {done.returncode}: {done.stderr!r} instead of {code}: {pattern!r}")
    return time.monotonic() - begin


with open("five.json", "w", encoding="utf-8") as file:
    for i in range(5):
        file.write(json.dumps({"resource": "r", "check": f"c{i}", "time": 1700000000}) + "\n")

silent = socket.create_server(("127.0.0.1", 0))  # the kernel takes the connection, nobody answers
took = publish(silent.getsockname()[1], "400ms", 69,
               r"tocsin publish: no broker of 127\.0\.0\.1:{port} has answered within 400ms; nothing was published\n")
if took < 0.4:
    fail(f"it gave up after {took} s")

mock = subprocess.Popen([os.environ["TOCSIN"], "broker", "--topic", "t:1", "--port-file", "broker.port"], stdout=subprocess.DEVNULL)
try:
    until = time.monotonic() + PATIENCE_S
    while not (os.path.exists("broker.port") and os.path.getsize("broker.port")) and time.monotonic() < until:
        time.sleep(0.02)
    with open("broker.port", encoding="utf-8") as file:
        broker_port = int(file.read().rsplit(":", 1)[-1])
    publish(Relay(broker_port, False).port, "20s", 0, r"published 5 records, .*\n")
    took = publish(Relay(broker_port, True).port, "2s", 69, r"tocsin publish: no broker of 127\.0\.0\.1:{port} has acknowledged "
                   r"anything for 2s; of 5 records 5 may not be there\n")
    if took < 2:
        fail(f"it gave up after {took} s")
finally:
    mock.terminate()
    mock.wait()
