#!/usr/bin/env python3
"""Checks of the peers' load itself: parsers fed a byte at a time, the count of lost, doubled and misled messages, and
a server stopped for a second. The last needs mosquitto; it is skipped without."""

import os
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "grpc_go")]
import grpc_go  # noqa: E402
import mosquitto  # noqa: E402
import nats  # noqa: E402
import nchan  # noqa: E402
import peer  # noqa: E402


class Ear:
    """Stands in for a Load."""

    def __init__(self):
        self.state, self.said, self.is_ready = {0: 2}, [], 0

    def reply(self, i, data):
        self.said.append(data)

    def ready(self, i):
        self.is_ready += 1


BODY = b"PR1:%012d:%08d:" % (7, 0) + b"x" * (peer.PAYLOAD - 26)
MQTT_MESSAGE = mosquitto.packet(0x30, mosquitto.text(b"c/00000000") + BODY)
H2_MESSAGE = grpc_go.message(grpc_go.field(1, BODY))
STREAMS = {
    "nats": (nats.Nats, b"INFO {}\r\nPONG\r\n", b"MSG c.00000000 1 200\r\n" + BODY + b"\r\n", b"PING\r\n"),
    "mqtt": (mosquitto.Mqtt, b"\x20\x02\0\0\x90\x03\0\x01\0", MQTT_MESSAGE, b"\xd0\0"),
    "nchan": (nchan.EventSource, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: hi\n\n",
              b"id: 1:0\ndata: " + BODY + b"\n\n", b": ping\n\n"),
    "grpc": (lambda: grpc_go.Grpc("unary"), grpc_go.frame(4, 0, 0, b"") + grpc_go.frame(1, 4, 1, b"\x88"),
             grpc_go.frame(0, 0, 1, H2_MESSAGE[:50]) + grpc_go.frame(0, 0, 1, H2_MESSAGE[50:]),
             grpc_go.frame(6, 0, 0, b"12345678")),
}


class Parsers(unittest.TestCase):
    def test_any_split(self):
        for name, (make, opening, message, other) in STREAMS.items():
            stream = opening + message + other + message + message
            for step in (1, 2, 3, 7, 64, 199, 200, 201, len(stream)):
                with self.subTest(peer=name, step=step):
                    protocol = make()
                    protocol.load = Ear()
                    got = []
                    for at in range(0, len(stream), step):
                        got.extend(protocol.feed(0, stream[at:at + step]))
                    self.assertEqual([bytes(m) for m in got], [BODY] * 3)
                    self.assertGreaterEqual(protocol.load.is_ready, 1)
                    self.assertEqual(protocol.partial, {})

    def test_refusals(self):
        for make, data in ((nats.Nats, b"-ERR 'maximum connections exceeded'\r\n"),
                           (mosquitto.Mqtt, b"\x20\x02\0\x05"),
                           (nchan.EventSource, b"HTTP/1.1 503 Service Unavailable\r\n\r\n"),
                           (lambda: grpc_go.Grpc("unary"), grpc_go.frame(7, 0, 0, struct.pack(">II", 0, 11)))):
            protocol = make()
            protocol.load = Ear()
            with self.assertRaises(peer.PeerError):
                protocol.feed(0, data)

    def test_percentiles(self):
        figures = peer.percentiles([n / 1000 for n in range(1, 1001)])
        self.assertEqual(figures, {"p50": 500, "p90": 900, "p99": 990, "p999": 999, "max": 1000})
        self.assertIsNone(peer.percentiles([])["p50"])


class Faulty(threading.Thread):
    """A NATS server that drops, doubles or misleads every tenth message."""

    def __init__(self, fault):
        super().__init__(daemon=True)
        self.fault, self.clients, self.count = fault, {}, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        sock.sendall(b"INFO {}\r\n")
        reader = sock.makefile("rb")
        try:
            for line in reader:
                words = line.split()
                if words[0] == b"SUB":
                    self.clients[words[1]] = sock
                elif words[0] == b"PING":
                    sock.sendall(b"PONG\r\n")
                elif words[0] == b"PUB":
                    body = reader.read(int(words[2]) + 2)
                    self.count += 1
                    text = b"MSG %b 1 %b\r\n%b" % (words[1], words[2], body)
                    fault = self.fault if self.count % 10 == 0 else ""
                    if fault == "lose":
                        continue
                    to = self.clients[words[1]]
                    if fault == "mislead":
                        to = next(c for c in self.clients.values() if c is not to)
                    to.sendall(text * (2 if fault == "double" else 1))
        except OSError:
            pass


class Counting(unittest.TestCase):
    def outcome(self, fault):
        server = Faulty(fault)
        server.start()
        load = peer.Load(nats.Nats(), server.port, 10)
        try:
            load.connect(0, 10, lambda: True)
            load.open_publisher()
            return load.open_loop(0.8, 0.2, 500, lambda: (0, 0, 0, 0))
        finally:
            load.close()
            server.listener.close()

    def test_clean(self):
        result = self.outcome("")
        self.assertEqual((result["sent"], result["lost"], result["duplicated"], result["misdelivered"]), (500, 0, 0, 0))
        self.assertEqual(result["samples"], 400)

    def test_lost(self):
        self.assertEqual(self.outcome("lose")["lost"], 50)

    def test_doubled(self):
        result = self.outcome("double")
        self.assertEqual((result["lost"], result["duplicated"]), (0, 50))

    def test_misled(self):
        result = self.outcome("mislead")
        self.assertEqual((result["lost"], result["misdelivered"]), (50, 50))

    def test_closed_loop_goes_on_after_losses(self):
        server = Faulty("lose")
        server.start()
        load = peer.Load(nats.Nats(), server.port, 10)
        try:
            load.connect(0, 10, lambda: True)
            load.open_publisher()
            result = load.closed_loop(2, 0.1, 8, lambda: (0, 0, 0, 0), give_up=0.3)
        finally:
            load.close()
            server.listener.close()
        self.assertGreater(result["received"], 72)  # more than the first eight losses leave room for
        self.assertEqual(result["lost"], result["sent"] - result["received"])
        self.assertGreater(result["expired"], 0)


@unittest.skipUnless(mosquitto.MosquittoPeer.binary(), "mosquitto is not installed")
class Stall(unittest.TestCase):
    def test_a_stopped_server_shows(self):
        with tempfile.TemporaryDirectory() as folder:
            one = mosquitto.MosquittoPeer(types.SimpleNamespace(sessions=50), folder)
            server = one.start(max(os.sched_getaffinity(0)))
            pid = server.child.pid
            load = None
            try:
                load = one.load(server, 50)
                load.connect(0, 20, server.alive)
                load.open_publisher()

                def stall():
                    time.sleep(1.5)
                    os.kill(pid, signal.SIGSTOP)
                    time.sleep(1)
                    os.kill(pid, signal.SIGCONT)

                thread = threading.Thread(target=stall)
                thread.start()
                result = load.open_loop(5, 0.5, 500, server.meter)
                thread.join()
            finally:
                if load:
                    load.close()
                server.stop()
            self.assertEqual(result["lost"], 0)
            # 1 s of 5 s: a fifth of the pushes came due while it stood; they waited 1 s and less, evenly.
            self.assertGreaterEqual(result["latencyMs"]["max"], 990)
            self.assertGreaterEqual(result["latencyMs"]["p99"], 900)
            self.assertGreaterEqual(result["latencyMs"]["p90"], 350)
            self.assertLess(result["latencyMs"]["p50"], 300)


if __name__ == "__main__":
    unittest.main()
