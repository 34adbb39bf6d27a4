"""An HTTP/2 client by hand, that may send whatever it likes, and honest sessions that are measured beside it."""

from __future__ import annotations

import selectors
import socket
import threading
import time

import hpack
from hyperframe import frame as frames
from pushring.v1 import sessions_pb2

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONNECT = "/pushring.v1.Sessions/Connect"


def literal(name: bytes, value: bytes) -> bytes:
    """A field that touches no table (RFC 7541, section 6.2.2)."""
    assert max(len(name), len(value)) < 127
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def request(path: str = CONNECT, *more: tuple[bytes, bytes]) -> bytes:
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"pod"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *more,
    ]
    # The first block after the acknowledgement of the server's settings has to empty the table, and each may.
    return b"\x20" + b"".join(literal(*field) for field in fields)


def raw_frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def headers(stream: int, block: bytes | None = None, flags: int = 4) -> bytes:
    return raw_frame(1, flags, stream, request() if block is None else block)


def data(stream: int, payload: bytes, flags: int = 0) -> bytes:
    return raw_frame(0, flags, stream, payload)


def reset(stream: int, code: int = 8) -> bytes:
    return raw_frame(3, 0, stream, code.to_bytes(4, "big"))


def window_update(stream: int, increment: int) -> bytes:
    return raw_frame(8, 0, stream, increment.to_bytes(4, "big"))


def settings(**values: int) -> bytes:
    numbers = {"header_table_size": 1, "initial_window_size": 4}
    return raw_frame(
        4, 0, 0, b"".join(numbers[name].to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items())
    )


SETTINGS_ACKNOWLEDGED = raw_frame(4, 1, 0)


def message(payload: bytes) -> bytes:
    """gRPC's prefix before it."""
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def client_frame(**frame) -> bytes:
    return message(sessions_pb2.ClientFrame(**frame).SerializeToString())


def hello(user: str, session: str = "") -> bytes:
    return client_frame(hello=sessions_pb2.Hello(user_id=user, session_id=session))


class Connection:
    """One TCP connection; `source` is the loopback address that it comes from."""

    def __init__(self, address: str, source: str = "127.0.0.2", greet: bool = True, acknowledge: bool = True, **values: int):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10, source_address=(source, 0))
        self.frames: list[frames.Frame] = []
        self.closed = False
        self._unread = b""
        if greet:
            self.send(PREFACE + settings(**values) + (SETTINGS_ACKNOWLEDGED if acknowledge else b""))

    def send(self, bytes_: bytes) -> bool:
        """False when the server has hung up, or takes no more."""
        try:
            self.socket.sendall(bytes_)
            return True
        except OSError:
            return False

    def read(self, within: float = 0.0) -> bool:
        """Waits that long for something; False when nothing came, and when the connection is over."""
        if self.closed:
            return False
        self.socket.settimeout(max(within, 0.001))
        try:
            some = self.socket.recv(1 << 18)
        except (TimeoutError, socket.timeout):
            return False
        except OSError:
            some = b""
        finally:
            self.socket.settimeout(10)
        self.closed = not some
        self._unread += some
        self._parse()
        return bool(some)

    def _parse(self) -> None:
        while len(self._unread) >= 9:
            frame, length = frames.Frame.parse_frame_header(memoryview(self._unread[:9]))
            if len(self._unread) < 9 + length:
                return
            frame.parse_body(memoryview(self._unread[9 : 9 + length]))
            self._unread = self._unread[9 + length :]
            self.frames.append(frame)

    def read_until(self, condition, within: float = 10.0) -> bool:
        end = time.monotonic() + within
        while not condition() and not self.closed and time.monotonic() < end:
            self.read(0.1)
        return bool(condition())

    def read_to_end(self, within: float = 10.0) -> "Connection":
        self.read_until(lambda: self.closed, within)
        return self

    def of(self, kind: type) -> list:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    @property
    def error(self) -> int | None:
        """The code of the last GOAWAY."""
        gone = self.of(frames.GoAwayFrame)
        return gone[-1].error_code if gone else None

    @property
    def words(self) -> str:
        gone = self.of(frames.GoAwayFrame)
        return gone[-1].additional_data.decode() if gone else ""

    @property
    def statuses(self) -> dict[int, str]:
        """`grpc-status` of the streams that have ended with one. Blocks are decoded one by one: the server uses no table."""
        ends = [frame for frame in self.of(frames.HeadersFrame) if "END_STREAM" in frame.flags]
        fields = {frame.stream_id: dict(hpack.Decoder().decode(frame.data)) for frame in ends}
        return {stream: found["grpc-status"] for stream, found in fields.items() if "grpc-status" in found}

    @property
    def resets(self) -> list[int]:
        return [frame.error_code for frame in self.of(frames.RstStreamFrame)]

    @property
    def welcomed(self) -> bool:
        return bool(self.of(frames.DataFrame))

    def open_session(self, user: str, stream: int = 1) -> "Connection":
        self.send(headers(stream) + data(stream, hello(user)))
        assert self.read_until(lambda: self.welcomed), f"no Welcome for {user}: {self.frames}"
        return self

    def close(self) -> None:
        self.socket.close()


class HonestSessions(threading.Thread):
    """Sessions that ping (the protocol's own Ping, through the session table and back) at fixed times, and how long each
    answer took, counted from the time at which its ping was due: so a stall of server or client counts fully."""

    def __init__(self, address: str, sessions: int = 4, interval: float = 0.05):
        super().__init__(daemon=True)
        self.interval = interval
        self.latencies: list[float] = []
        self.lost = 0
        self._due: dict[int, float] = {}
        self._stopped = threading.Event()
        self.connections = []
        for number in range(sessions):
            connection = Connection(address, source="127.0.0.1").open_session(f"honest-{number}")
            connection.send(window_update(0, 1 << 30) + window_update(1, 1 << 30))
            self.connections.append(connection)

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for connection in self.connections:
                connection.socket.setblocking(False)
                connection.frames.clear()
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            due, nonce = time.monotonic(), 0
            while not self._stopped.is_set():
                now = time.monotonic()
                while due <= now:
                    nonce += 1
                    self._due[nonce] = due
                    ping = data(1, client_frame(ping=sessions_pb2.Ping(nonce=nonce)))
                    self.connections[nonce % len(self.connections)].socket.send(ping)
                    due += self.interval / len(self.connections)
                for key, _ in selector.select(max(0.0, due - time.monotonic())):
                    self._read(key.data, selector)

    def _read(self, connection: Connection, selector) -> None:
        some = connection.socket.recv(1 << 16)
        if not some:
            self.lost += 1
            return selector.unregister(connection.socket)
        connection._unread += some
        connection._parse()
        now = time.monotonic()
        for frame in connection.frames:
            if isinstance(frame, frames.DataFrame):
                self._answered(frame.data, now)
            elif isinstance(frame, frames.PingFrame) and "ACK" not in frame.flags:
                connection.socket.send(raw_frame(6, 1, 0, frame.opaque_data))
        connection.frames.clear()

    def _answered(self, messages: bytes, now: float) -> None:
        while messages:
            end = 5 + int.from_bytes(messages[1:5], "big")
            answer = sessions_pb2.ServerFrame.FromString(messages[5:end])
            messages = messages[end:]
            if answer.WhichOneof("frame") == "pong":
                self.latencies.append(now - self._due.pop(answer.pong.nonce))

    def stop(self) -> None:
        """Pings that have no answer yet count with their age."""
        time.sleep(2 * self.interval)
        self._stopped.set()
        self.join(timeout=10)
        now = time.monotonic()
        self.latencies += [now - due for due in self._due.values() if now - due > 4 * self.interval]
        for connection in self.connections:
            connection.close()

    def percentile(self, part: float) -> float:
        """Seconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
