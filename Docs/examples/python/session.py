"""A PushRing session in Python: connects, prints what arrives as JSON lines, and stays connected.

    python generate.py                                   # once
    python session.py --endpoint HOST:PORT[,HOST:PORT...] --user alice [--session phone] [--count 1]

Written from the .proto files alone, as a model for clients in any language. What a client has to do:

1. Locate: ask any pod which pods the user belongs on, and connect to the first one that accepts.
2. Say Hello first, with the same session id on every connection of this device, and the epoch of the last Welcome.
3. Drop a message whose id was seen before: while a session moves, both pods deliver.
4. Reconnect: open the new stream (to the endpoint in the frame and nowhere else, with its ticket) before the old one
   closes. If that fails, stay: the old stream is as good as before, and the pod asks again.
5. When a stream ends, read the trailers: "pushring-endpoints" says where to go next, and "pushring-reason" why. Come
   back with backoff and jitter, unless the status says that coming back cannot help.
6. Answer Ping with Pong.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import collections
import contextlib
import json
import pathlib
import random
import signal
import sys
from dataclasses import dataclass, field
from typing import Callable, Iterable

import grpc

sys.path.append(str(pathlib.Path(__file__).resolve().parent / "generated"))

from pushring.v1 import sessions_pb2, sessions_pb2_grpc  # noqa: E402

CHANNEL_OPTIONS = [
    # Finds a dead connection: without it a stream over a cut cable looks alive for hours.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # One connection for each session, as on a device; gRPC would share one between channels of a process.
    ("grpc.use_local_subchannel_pool", 1),
    # This file does its own reconnecting, elsewhere: never by the channel to the same address.
    ("grpc.enable_retries", 0),
]
WELCOME_TIMEOUT = 10.0
LOCATE_TIMEOUT = 2.0
REST_OF_OLD_STREAM = 10.0
REMEMBERED_IDS = 1024

# Statuses that say: this Hello can never be accepted, or somebody else has taken this session id over.
FINAL_CODES = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
}
FINAL_REASONS = {"taken-over", "bad-hello"}


@dataclass
class Ended(Exception):
    """Why a stream is over, and where its pod says to go."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    endpoints: list[str] = field(default_factory=list)

    @property
    def final(self) -> bool:
        return self.code in FINAL_CODES or self.reason in FINAL_REASONS


@dataclass
class Backoff:
    """Exponential with full jitter: a thousand clients of a lost pod must not come back in the same instant."""

    first: float = 0.1
    largest: float = 10.0
    attempts: int = 0

    def next(self) -> float:
        self.attempts += 1
        return random.uniform(0, min(self.largest, self.first * 2**self.attempts))

    def reset(self) -> None:
        self.attempts = 0


class Connection:
    """One stream to one pod, welcomed."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint
        self.channel = grpc.aio.insecure_channel(endpoint, options=CHANNEL_OPTIONS)
        self.call = sessions_pb2_grpc.SessionsStub(self.channel).Connect()
        self.welcome: sessions_pb2.Welcome | None = None
        self.reader: asyncio.Task | None = None
        self.move: asyncio.Task | None = None
        self.closing = False

    async def open(self, hello: sessions_pb2.Hello) -> None:
        await self.send(hello=hello)
        try:
            self.welcome = (await asyncio.wait_for(self.read(), WELCOME_TIMEOUT)).welcome
        except asyncio.TimeoutError:
            await self.close()
            raise Ended(grpc.StatusCode.DEADLINE_EXCEEDED, f"{self.endpoint} sent no Welcome")
        except BaseException:
            await self.close()
            raise

    async def send(self, **frame) -> None:
        try:
            await self.call.write(sessions_pb2.ClientFrame(**frame))
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            pass  # The stream is over: the next read says why.

    async def read(self) -> sessions_pb2.ServerFrame:
        try:
            frame = await self.call.read()
        except grpc.aio.AioRpcError as error:
            raise self._ended(error.code(), error.details() or "", error.trailing_metadata())
        except asyncio.CancelledError:
            if not self.closing:
                raise
            raise Ended(grpc.StatusCode.CANCELLED, "closed by this client")
        if frame is grpc.aio.EOF:
            raise self._ended(
                await self.call.code(), await self.call.details() or "", await self.call.trailing_metadata()
            )
        return frame

    @staticmethod
    def _ended(code, message, trailers) -> Ended:
        values = {key: value for key, value in trailers or ()}
        endpoints = [endpoint for endpoint in values.get("pushring-endpoints", "").split(",") if endpoint]
        return Ended(code, message, values.get("pushring-reason", ""), endpoints)

    def cancel(self) -> None:
        self.closing = True
        self.call.cancel()

    async def close(self) -> None:
        self.cancel()
        await self.channel.close()


class Session:
    """A session that lives as long as `run`, over as many streams as it takes. `on_event` gets a dictionary each time."""

    def __init__(
        self,
        user: str,
        endpoints: Iterable[str],
        session: str = "",
        labels: dict[str, str] | None = None,
        locate: bool = True,
        acknowledge: bool = False,
        on_event: Callable[[dict], None] = lambda event: None,
    ):
        self.user = user
        self.session = session
        self.endpoints = list(endpoints)
        self.labels = labels or {}
        self.locates = locate
        self.acknowledges = acknowledge
        self.on_event = on_event
        self.epoch = 0
        self.successors: list[str] = []
        self.backoff = Backoff()
        self.seen: collections.OrderedDict[str, None] = collections.OrderedDict()
        self.open: set[Connection] = set()

    async def run(self) -> Ended:
        """Returns when the session ended for good; cancel the task to end it from this side."""
        try:
            candidates = await self.locate()
            while True:
                try:
                    connection = await self._connect(candidates)
                    ended = await self._serve(connection)
                except Ended as refused:
                    ended = refused
                self._tell_end(ended)
                if ended.final:
                    return ended
                await asyncio.sleep(self.backoff.next())
                candidates = _distinct(ended.endpoints + self.successors) or await self.locate()
        finally:
            for connection in list(self.open):
                await self._drop(connection)

    async def locate(self) -> list[str]:
        """Where to connect, best first: what a pod that answers says, then the endpoints given."""
        if not self.locates:
            return self.endpoints
        for endpoint in _distinct(self.successors + self.endpoints):
            async with grpc.aio.insecure_channel(endpoint, options=CHANNEL_OPTIONS) as channel:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    request = sessions_pb2.LocateRequest(user_id=self.user)
                    located = await sessions_pb2_grpc.SessionsStub(channel).Locate(request, timeout=LOCATE_TIMEOUT)
                    return _distinct([pod.endpoint for pod in located.pods] + self.endpoints)
        return self.endpoints

    async def _connect(self, candidates: list[str]) -> Connection:
        """The first candidate that welcomes this session; throws the last refusal when none does."""
        refusal = Ended(grpc.StatusCode.UNAVAILABLE, "no endpoint to connect to")
        for endpoint in candidates:
            try:
                return await self._open(endpoint)
            except Ended as ended:
                refusal = ended
                if ended.final:
                    break
        self.successors = []  # None of them helped: ask again.
        raise refusal

    async def _open(self, endpoint: str, ticket: bytes = b"") -> Connection:
        connection = Connection(endpoint)
        await connection.open(
            sessions_pb2.Hello(
                user_id=self.user,
                session_id=self.session,
                epoch=self.epoch,
                labels=self.labels,
                capabilities=sessions_pb2.Capabilities(moves=True, acknowledges=self.acknowledges),
                ticket=ticket,
            )
        )
        welcome = connection.welcome
        self.open.add(connection)
        self.session, self.epoch = welcome.session_id, welcome.epoch
        self.successors = [pod.endpoint for pod in welcome.successors]
        self.backoff.reset()
        self.on_event(
            {"event": "welcome", "session": self.session, "pod": welcome.pod_id, "epoch": self.epoch, "endpoint": endpoint}
        )
        connection.reader = asyncio.create_task(self._read(connection))
        return connection

    async def _serve(self, connection: Connection) -> Ended:
        """Follows the session from stream to stream; returns when the last one ended."""
        while True:
            ended = await connection.reader
            successor = await connection.move if connection.move else None
            await self._drop(connection)
            if successor is None:
                return ended
            connection = successor

    async def _read(self, connection: Connection) -> Ended:
        try:
            while True:
                frame = await connection.read()
                match frame.WhichOneof("frame"):
                    case "message":
                        await self._received(frame.message, connection)
                    case "ping":
                        await connection.send(pong=sessions_pb2.Pong(nonce=frame.ping.nonce))
                    case "dropped":
                        self.on_event({"event": "dropped", "messages": frame.dropped.messages})
                    case "reconnect" if connection.move is None or connection.move.done():
                        connection.move = asyncio.create_task(self._move(connection, frame.reconnect))
        except Ended as ended:
            return ended

    async def _received(self, message, connection: Connection) -> None:
        if self.acknowledges:
            await connection.send(acknowledge=sessions_pb2.Acknowledge(message_ids=[message.id]))
        if message.id in self.seen:
            return
        self.seen[message.id] = None
        if len(self.seen) > REMEMBERED_IDS:
            self.seen.popitem(last=False)
        self.on_event(
            {
                "event": "message",
                "id": message.id,
                **_payload(message.payload),
                "headers": dict(message.headers),
                "sentAtUnixMicros": message.sent_at_unix_micros,
                "pod": connection.welcome.pod_id,
            }
        )

    async def _move(self, old: Connection, reconnect) -> Connection | None:
        """Make before break: the new stream is welcomed while the old one lives. None if no pod takes it."""
        self.on_event(
            {
                "event": "reconnect",
                "reason": sessions_pb2.Reconnect.Reason.Name(reconnect.reason),
                "endpoint": reconnect.endpoint.endpoint,
            }
        )
        # The endpoint that is named has granted a place; only without one the client chooses for itself.
        targets = [reconnect.endpoint.endpoint] if reconnect.endpoint.endpoint else _distinct(
            [pod.endpoint for pod in reconnect.successors]
            + [endpoint for endpoint in self.successors if endpoint != old.endpoint]
        )
        for endpoint in targets:
            try:
                successor = await self._open(endpoint, reconnect.ticket)
            except Ended as refused:
                self._tell_end(refused)
                continue
            # The new pod released the old stream, which ends when all is read that its pod has queued.
            asyncio.get_running_loop().call_later(REST_OF_OLD_STREAM, old.cancel)
            return successor
        return None

    def _tell_end(self, ended: Ended) -> None:
        self.on_event(
            {
                "event": "ended",
                "code": ended.code.name,
                "reason": ended.reason,
                "message": ended.message,
                "endpoints": ended.endpoints,
                "final": ended.final,
            }
        )

    async def _drop(self, connection: Connection) -> None:
        self.open.discard(connection)
        for task in (connection.reader, connection.move):
            if task is not None and not task.done():
                task.cancel()
        await connection.close()


def _payload(payload: bytes) -> dict:
    try:
        return {"payload": payload.decode()}
    except UnicodeDecodeError:
        return {"payloadBase64": base64.b64encode(payload).decode()}


def _distinct(endpoints: Iterable[str]) -> list[str]:
    return [endpoint for endpoint in dict.fromkeys(endpoints) if endpoint]


async def _main(arguments) -> int:
    remaining = arguments.count
    finished = asyncio.Event()

    def print_event(event: dict) -> None:
        nonlocal remaining
        print(json.dumps(event), flush=True)
        if event["event"] == "message" and arguments.count:
            remaining -= 1
            if remaining == 0:
                finished.set()

    session = Session(
        arguments.user,
        arguments.endpoint.split(","),
        session=arguments.session,
        locate=not arguments.no_locate,
        acknowledge=arguments.acknowledge,
        on_event=print_event,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, finished.set)
    run = asyncio.create_task(session.run())
    stop = asyncio.create_task(finished.wait())
    done, _ = await asyncio.wait({run, stop}, return_when=asyncio.FIRST_COMPLETED)
    if run in done:
        run.result()
        return 1
    run.cancel()
    await asyncio.wait({run})
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A PushRing session: prints what arrives as JSON lines.")
    parser.add_argument("--endpoint", required=True, help="HOST:PORT[,HOST:PORT...] of any pods")
    parser.add_argument("--user", required=True)
    parser.add_argument("--session", default="", help="this device's name, the same each time")
    parser.add_argument("--count", type=int, default=0, help="end after so many messages")
    parser.add_argument("--no-locate", action="store_true", help="stay with the endpoints given")
    parser.add_argument("--acknowledge", action="store_true", help="acknowledge each message")
    sys.exit(asyncio.run(_main(parser.parse_args())))
