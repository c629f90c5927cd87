"""Aim: `tocsin record` keeps exactly what a topic holds, by each way of logging in; and a broker that
restarts under it costs nothing. Method: kcat writes and reads the topic as an independent client; the
recording is read by a second reader, below, written from docs/recording.md."""
import os
import signal
import socket
import struct
import subprocess
import sys
import time

TOCSIN, TREE, STORY = (os.environ[n] for n in ("TOCSIN", "TOCSIN_TREE", "STORY"))
BROKER = os.environ["TOCSIN_KAFKA"]
DIR = os.path.dirname(os.environ["TOCSIN_KAFKA_CA"]) + "/.."
topic = f"{STORY}.{os.getpid()}"


def read_recording(path, is_whole=True):
    """-> {(topic, partition): [(offset, time, key, payload)]}; not whole: still being written"""
    data = open(path, "rb").read()
    if not is_whole and len(data) < 64:
        return {}
    magic, version = struct.unpack_from("<8sI", data)
    assert magic == b"TOCSINRC" and version == 1, (magic, version)
    parts, logs, at = [], {}, 64
    while at + 80 <= len(data) and data[at:at + 4] == b"TBLK":
        (_, kind, flags, part, count, first, last, first_time, _, raw_bytes, packed_bytes, _, _, _,
         _) = struct.unpack_from("<IHHIIqqqqIIiIQQ", data, at)
        body = data[at + 80:at + 80 + packed_bytes]
        if len(body) < packed_bytes:
            break
        if flags & 1:
            body = subprocess.run(["zstd", "-dc"], input=body, stdout=subprocess.PIPE, check=True).stdout
        assert len(body) == raw_bytes
        at += 80 + packed_bytes
        if kind == 1:
            parts.append((body.decode(), last))
            logs[parts[-1]] = []
        elif kind == 2:
            logs[parts[part]] += read_body(body, count, first - 1, None if flags & 2 else first_time)
    assert not is_whole or data[at:at + 8] == b"TOCSINIX" and at + 32 == len(data)
    return logs


def read_body(body, count, offset, when):
    at = 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = body[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed():
        value = number()
        return value >> 1 ^ -(value & 1)

    records = []
    for _ in range(count):
        offset += 1 + signed()
        if when is not None:
            when += signed()
        key_bytes, payload_bytes = number() - 1, number() - 1
        key = body[at:at + key_bytes] if key_bytes >= 0 else None
        at += max(key_bytes, 0)
        payload = body[at:at + payload_bytes] if payload_bytes >= 0 else None
        at += max(payload_bytes, 0)
        records.append((offset, when, key, payload))
    assert at == len(body)
    return records


def kcat_write(partition, lines):
    subprocess.run(["kcat", "-P", "-b", BROKER, "-t", topic, "-p", str(partition), "-K", "|"],
                   input="".join(f"key{i % 3}|{line}\n" for i, line in enumerate(lines)).encode(), check=True)


def kcat_read(partition):
    text = subprocess.run(["kcat", "-C", "-q", "-e", "-b", BROKER, "-t", topic, "-p", str(partition), "-o",
                           "beginning", "-f", "%o|%T|%k|%s\n"], stdout=subprocess.PIPE, check=True).stdout
    rows = [line.split(b"|", 3) for line in text.splitlines()]
    return [(int(o), int(t), k, p) for o, t, k, p in rows]


def record(name, broker, *more):
    path = f"{name}.trec"
    done = subprocess.run([TOCSIN, "record", "--brokers", broker, "--topic", topic, "--output", path, *more],
                          stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"{name}: code {done.returncode}: {done.stderr}"
    return read_recording(path)


# Nobody answers at this port, which is held but not listened on; given up after 30 s, looked at below.
dead = socket.socket()
dead.bind(("127.0.0.1", 0))
unreachable = subprocess.Popen([TOCSIN, "record", "--brokers", f"127.0.0.1:{dead.getsockname()[1]}", "--topic",
                                topic, "--output", "unreachable.trec"], stderr=open("unreachable.log", "w"))

subprocess.run([f"{TREE}/tests/kafka/kafka", "topic", DIR, topic, "3"], check=True)
for p in range(3):
    kcat_write(p, [f'{{"partition":{p},"n":{n}}}' for n in range(3000 if p < 2 else 0)])
truth = {(topic, p): kcat_read(p) for p in range(3)}
assert [len(truth[topic, p]) for p in range(3)] == [3000, 3000, 0]

assert record("plain", BROKER, "--to", "latest") == truth, "another content than kcat reads"
os.environ["SECRET"] = os.environ["TOCSIN_KAFKA_PASSWORD"]
assert record("tls", os.environ["TOCSIN_KAFKA_TLS"], "--to", "latest", "--set", "security.protocol=ssl",
              "--set", f"ssl.ca.location={os.environ['TOCSIN_KAFKA_CA']}") == truth
for mechanism in ("PLAIN", "SCRAM-SHA-256"):
    assert record(mechanism, os.environ["TOCSIN_KAFKA_SASL"], "--to", "latest",
                  "--set", "security.protocol=sasl_plaintext", "--set", f"sasl.mechanism={mechanism}",
                  "--set", f"sasl.username={os.environ['TOCSIN_KAFKA_USER']}",
                  "--set", "sasl.password=env:SECRET") == truth

# From and to a time: the border is in the middle of partition 0.
border = truth[topic, 0][1500][1] + 1
stamp = str(border)
part = record("later", BROKER, "--from", stamp, "--to", "latest")
for p in range(3):
    assert part[topic, p] == [r for r in truth[topic, p] if r[1] >= border], f"--from a time, partition {p}"
part = record("earlier", BROKER, "--to", stamp)
for p in range(3):
    assert part[topic, p] == [r for r in truth[topic, p] if r[1] < border], f"--to a time, partition {p}"

# Where nothing was read, what may be wrong is told: the name, or the time.
subprocess.run([f"{TREE}/tests/kafka/kafka", "topic", DIR, f"{topic}.none", "1"], check=True)
for where, said in (("earliest", "see whether the topic's name is right: many brokers make"),
                    ("1", "where the broker cannot look up offsets by time, --from earliest")):
    done = subprocess.run([TOCSIN, "record", "--brokers", BROKER, "--topic", f"{topic}.none", "--output",
                           f"none{where}.trec", "--from", where, "--to", "latest"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0 and f"note: no record was there; {said}" in done.stderr, done

# What exists is not overwritten; a missing topic is said.
done = subprocess.run([TOCSIN, "record", "--brokers", BROKER, "--topic", topic, "--output", "plain.trec"],
                      stderr=subprocess.PIPE, text=True)
assert done.returncode == 74 and "plain.trec: the recording cannot be made: File exists" in done.stderr, done

# What recorded nothing because it failed leaves no file in the way of the next try.
assert unreachable.wait(150) == 69, open("unreachable.log").read()
assert not os.path.exists("unreachable.trec"), "an empty recording was left behind"

# A broker of our own is restarted while it is recorded from.
if len(sys.argv) > 1:
    KAFKA = [f"{TREE}/tests/kafka/kafka"]
    own = os.path.abspath("own")
    subprocess.run(KAFKA + ["up", own, "0"], check=True)
    try:
        env = dict(line.rstrip("\n").split("=", 1) for line in open(f"{own}/env"))
        BROKER = env["TOCSIN_KAFKA"]
        subprocess.run(KAFKA + ["topic", own, topic, "2"], check=True)
        kcat_write(0, [f"before {n}" for n in range(100)])
        recorder = subprocess.Popen([TOCSIN, "record", "--brokers", BROKER, "--topic", topic, "--output",
                                     "restart.trec"], stderr=open("restart.log", "w"))
        until = time.monotonic() + 150
        while not os.path.exists("restart.trec") or \
                (topic, 1) not in read_recording("restart.trec", is_whole=False):
            assert time.monotonic() < until and recorder.poll() is None, open("restart.log").read()
            time.sleep(0.1)  # between two looks
        subprocess.run(KAFKA + ["down", own], check=True)
        subprocess.run(KAFKA + ["up", own, BROKER.split(":")[1]], check=True)
        kcat_write(0, [f"after {n}" for n in range(100)])
        kcat_write(1, ["first of its partition"])
        truth = {(topic, p): kcat_read(p) for p in range(2)}
        until = time.monotonic() + 150
        while read_recording("restart.trec", is_whole=False) != truth and time.monotonic() < until:
            time.sleep(0.2)  # between two looks; the recorder writes every five seconds
        recorder.send_signal(signal.SIGTERM)
        assert recorder.wait(100) == 0, open("restart.log").read()
        assert read_recording("restart.trec") == truth, open("restart.log").read()
        assert "cannot" in open("restart.log").read() or "Kafka at" in open("restart.log").read(), \
            "nothing was said about the broker that was away"
    finally:
        subprocess.run(KAFKA + ["down", own], check=False)
