"""Known attacks on HTTP/2 and gRPC servers, as one connection's worth each. Loopback only, and each is over by itself.

Tests/EndToEnd/test_attacks.py asserts how each ends, Benchmarks/edge/attack repeats them beside honest sessions.
"""

from __future__ import annotations

import itertools
import socket
import time
from typing import Callable

from pushring.v1 import sessions_pb2

from .http2 import (
    PREFACE,
    SETTINGS_ACKNOWLEDGED,
    Connection,
    client_frame,
    data,
    headers,
    hello,
    message,
    raw_frame,
    request,
    reset,
    settings,
    window_update,
)

_numbers = itertools.count()
# More than the server allows at once, by default: six for each call that a connection may have open.
MANY = 7_000


def flood(one: Callable[[int], bytes], count: int = MANY, greeting: bytes = b"", **options) -> Callable[[str], Connection]:
    """A connection with a call, then `count` times what `one` gives for a fresh stream number."""
    everything = greeting + b"".join(one(2 * number + 5) for number in range(count))

    def attack(address: str) -> Connection:
        connection = Connection(address, **options)
        connection.send(headers(1) + headers(3) + reset(3) + everything)
        return connection.read_to_end()

    return attack


# The table as large as it is at first, an entry of 4,000 bytes, and a reference of one byte to it, twelve thousand times.
_ENTRY = b"\x3f\xe1\x1f\x40\x01x\x7f\x81\x1e" + b"a" * 4_000
BOMB = _ENTRY + b"\xbe" * 12_000
METADATA = request("/a/b", *[(b"x-%d" % number, b"y" * 100) for number in range(140)])

FLOODS: dict[str, Callable[[str], Connection]] = {
    "rapid reset": flood(lambda stream: headers(stream) + reset(stream)),
    "resets that the server is made to send": flood(lambda stream: headers(stream) + window_update(stream, 0)),
    "CONTINUATION": flood(lambda _: raw_frame(9, 0, 5, b"\x82"), greeting=headers(5, b"\x82", flags=0)),
    "empty CONTINUATION": flood(lambda _: raw_frame(9, 0, 5), greeting=headers(5, b"\x82", flags=0)),
    "SETTINGS": flood(lambda number: settings(initial_window_size=number)),
    "PING": flood(lambda _: raw_frame(6, 0, 0, b"12345678")),
    "empty DATA": flood(lambda _: data(1, b"")),
    "DATA of one byte": flood(lambda _: data(1, b"\0")),
    "empty messages": flood(lambda _: data(1, message(b""))),
    "PRIORITY": flood(lambda stream: raw_frame(2, 0, stream, b"\0\0\0\0\1")),
    "unknown frames": flood(lambda _: raw_frame(200, 0, 0)),
    "window updates of a byte": flood(lambda _: window_update(1, 1), initial_window_size=0),
    "HPACK bomb": flood(lambda stream: headers(stream, BOMB), count=20, acknowledge=False),
    "calls that stay open": flood(headers),
}



def session_flood(payload: bytes, count: int) -> Callable[[str], Connection]:
    """A session that was welcomed, and reads what it is answered."""

    def attack(address: str) -> Connection:
        connection = Connection(address)
        connection.send(window_update(0, 1 << 30) + headers(1) + window_update(1, 1 << 30) + data(1, hello("flood")))
        if not connection.read_until(lambda: connection.welcomed):
            return connection
        for _ in range(count):
            if not connection.send(data(1, payload) * 100):
                break
            connection.read(0)
        return connection.read_to_end()

    return attack



def watch_flood(address: str) -> Connection:
    """One call of the health service that is told its service again and again."""
    connection = Connection(address)
    connection.send(headers(1, request("/grpc.health.v1.Health/Watch")) + data(1, message(b"")) * MANY)
    return connection.read_to_end()


FLOODS["messages on a Watch"] = watch_flood
_PING = client_frame(ping=sessions_pb2.Ping(nonce=1))
FLOODS["Pings of a session, each answered"] = session_flood(_PING, MANY // 100)
FLOODS["messages, many to a frame"] = session_flood(client_frame(acknowledge=sessions_pb2.Acknowledge()) * 1_000, 1)


huge_metadata = flood(lambda stream: headers(stream, METADATA))


def a_window_overflows(address: str) -> Connection:
    connection = Connection(address)
    connection.send(headers(1) + window_update(0, 0x7FFF_FFFF))
    return connection.read_to_end()


def hellos(address: str, seconds: float) -> tuple[int, Connection]:
    """Opens calls, says Hello, and resets each as soon as it is welcomed. How many were."""
    connection = Connection(address)
    connection.send(window_update(0, 1 << 30))
    end, stream, answered, welcomed = time.monotonic() + seconds, 1, 0, 0
    while time.monotonic() < end and not connection.closed:
        batch = range(stream, stream + 64, 2)
        connection.send(b"".join(headers(one) + data(one, hello(f"hello-{one}")) for one in batch))
        connection.frames.clear()
        connection.read_until(lambda: len({f.stream_id for f in connection.frames if f.stream_id}) >= 32, within=1)
        said = {frame.stream_id for frame in connection.frames if frame.type == 0}
        refused = {frame.stream_id for frame in connection.frames if frame.type == 3}
        answered += len(refused)
        welcomed += len(said)
        connection.send(b"".join(reset(one) for one in batch if one in said))
        stream += 64
    return welcomed, connection


def a_hello(address: str) -> None:
    """A session of its own, and gone."""
    connection = Connection(address)
    try:
        connection.open_session(f"once-{next(_numbers)}")
    finally:
        connection.close()


def never_reads(address: str) -> Connection:
    """A session that asks, and whose window never opens: what it is answered waits."""
    connection = Connection(address, initial_window_size=100).open_session(f"never-{next(_numbers)}")
    connection.send(settings(initial_window_size=0))
    ping = client_frame(ping=sessions_pb2.Ping(nonce=0))
    for _ in range(9):
        connection.send(data(1, ping * 100))
    return connection


# Slowness: what is sent at first, and then a byte at a time of what would follow. None: nothing is read either.

_GREETED = PREFACE + settings() + SETTINGS_ACKNOWLEDGED
SLOW: dict[str, tuple[bytes, bytes]] = {
    "TCP only": (b"", b""),
    "half a preface": (PREFACE[:5], PREFACE[5:]),
    "a greeting without SETTINGS": (PREFACE, settings()),
    "settings that are never acknowledged": (PREFACE + settings(), b""),
    "half a frame's head": (_GREETED + headers(1) + b"\0\0", b"\0\0\0\0\0\0"),
    "half a frame": (_GREETED + headers(1) + raw_frame(0, 0, 1, b"a" * 1_000)[:20], b"a" * 900),
    "half a header block": (_GREETED + headers(1, b"\x83", flags=0), raw_frame(9, 0, 1, b"\x86") * 50),
    "no call": (_GREETED, b""),
}
# These lose the call, and keep the connection.
SLOW_CALLS = {
    "a call without Hello": (_GREETED + headers(1), b""),
    "half a message": (_GREETED + headers(1) + data(1, b"\0\0\0\4\0"), data(1, b"a") * 90),
}


def hold(address: str, count: int, start: bytes) -> list[Connection]:
    held = []
    for _ in range(count):
        connection = Connection(address, greet=False)
        connection.send(start)
        held.append(connection)
    return held


def connect_many(address: str, count: int, source: str = "127.0.0.2") -> tuple[list[Connection], int]:
    """Connections that greet, and how many of them the server closed at once."""
    opened = []
    for _ in range(count):
        try:
            opened.append(Connection(address, source=source))
        except (OSError, socket.timeout):
            pass
    closed = 0
    for connection in opened:
        connection.read(0.05)
        closed += connection.closed
    return opened, closed
