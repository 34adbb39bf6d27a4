"""Clients: the example of Docs/examples/python many times in one process, and a raw stream to misbehave with."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import sys
import threading
import time
from dataclasses import dataclass

import grpc

from .program import REPOSITORY
from .waiting import PATIENCE, eventually

EXAMPLES = REPOSITORY / "Docs" / "examples"
sys.path.insert(0, str(EXAMPLES / "python"))

import session as example  # noqa: E402  (Docs/examples/python/session.py)
from pushring.v1 import sessions_pb2, sessions_pb2_grpc  # noqa: E402


class Clients:
    """Runs the example's sessions on an event loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.all: list[Client] = []

    def open(self, user: str, endpoints: list[str], session: str = "", locate: bool = True, wait: bool = True) -> "Client":
        client = Client(self.loop, user, endpoints, session, locate)
        self.all.append(client)
        if wait:
            client.wait_welcome()
        return client

    def at(self, pod, user: str, session: str = "") -> "Client":
        """A session on this very pod, owner or not."""
        return self.open(user, [pod.address], session, locate=False)

    def close(self) -> None:
        for client in self.all:
            client.future.cancel()
        for client in self.all:
            client.wait_stopped()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)


class Client:
    def __init__(self, loop, user: str, endpoints: list[str], session: str, locate: bool):
        self.user = user
        self.events: list[dict] = []
        self.session = example.Session(user, endpoints, session, locate=locate, on_event=self._saw)
        self.future = asyncio.run_coroutine_threadsafe(self.session.run(), loop)

    def _saw(self, event: dict) -> None:
        self.events.append({**event, "at": time.monotonic()})

    def of(self, kind: str) -> list[dict]:
        return [event for event in list(self.events) if event["event"] == kind]

    @property
    def id(self) -> str:
        return self.of("welcome")[-1]["session"]

    @property
    def pod(self) -> str:
        return self.of("welcome")[-1]["pod"]

    @property
    def epoch(self) -> int:
        return self.of("welcome")[-1]["epoch"]

    @property
    def payloads(self) -> list[str]:
        return [event["payload"] for event in self.of("message")]

    def wait_welcome(self, count: int = 1) -> "Client":
        eventually(f"{self.user} is welcomed {count} times: {self.events}", lambda: len(self.of("welcome")) >= count)
        return self

    def wait_payload(self, payload: str) -> None:
        eventually(f"{self.user} received {payload!r}", lambda: payload in self.payloads)

    def wait_final(self) -> dict:
        """The end that this client does not come back from."""
        return eventually(f"{self.user} ended for good", lambda: [e for e in self.of("ended") if e["final"]])[0]

    def stop(self) -> None:
        self.future.cancel()
        self.wait_stopped()

    def wait_stopped(self) -> None:
        try:
            self.future.result(timeout=10)
        except (concurrent.futures.CancelledError, asyncio.CancelledError):
            pass

    @property
    def life(self) -> list[dict]:
        """All that happened but messages, for an assertion to show."""
        return [event for event in list(self.events) if event["event"] != "message"]

    @property
    def stayed(self) -> bool:
        """One stream since the welcome, however many pods had to be asked before."""
        kinds = [event["event"] for event in list(self.events)]
        after = kinds[kinds.index("welcome") + 1 :] if "welcome" in kinds else []
        return not {"welcome", "ended", "reconnect"} & set(after)

    @property
    def undisturbed(self) -> bool:
        """One stream from the beginning: never ended, never asked to move."""
        return len(self.of("welcome")) == 1 and not self.of("ended") and not self.of("reconnect")


@dataclass
class StreamStatus:
    code: grpc.StatusCode
    message: str
    trailers: dict[str, str]


class RawStream:
    """One Connect call, frame by frame, and nothing by itself: it reads only when asked to."""

    def __init__(self, address: str, *metadata: tuple[str, str]):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
        self.channel = grpc.insecure_channel(address, options=options)
        self.frames: queue.Queue = queue.Queue()
        self.call = sessions_pb2_grpc.SessionsStub(self.channel).Connect(iter(self.frames.get, None), metadata=metadata)
        self.reader = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    def send(self, **frame) -> "RawStream":
        self.frames.put(sessions_pb2.ClientFrame(**frame))
        return self

    def hello(self, user: str, session: str = "", **fields) -> "RawStream":
        return self.send(hello=sessions_pb2.Hello(user_id=user, session_id=session, **fields))

    def read(self, within: float = PATIENCE):
        """The next frame; None when the stream is over."""

        def next_frame():
            try:
                return next(self.call)
            except (grpc.RpcError, StopIteration):
                return None

        return self.reader.submit(next_frame).result(timeout=within)

    def welcome(self):
        frame = self.read()
        assert frame is not None, f"no Welcome: {self.status()}"
        assert frame.WhichOneof("frame") == "welcome", frame
        return frame.welcome

    def status(self, within: float = PATIENCE) -> StreamStatus:
        """Reads to the end, and says how the stream ended."""
        while self.read(within) is not None:
            pass
        trailers = {key: value for key, value in self.call.trailing_metadata() or ()}
        return StreamStatus(self.call.code(), self.call.details(), trailers)

    def half_close(self) -> None:
        self.frames.put(None)

    def close(self) -> None:
        self.call.cancel()
        self.frames.put(None)
        self.channel.close()
        self.reader.shutdown(wait=False, cancel_futures=True)
