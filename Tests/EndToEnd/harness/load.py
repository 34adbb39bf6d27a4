"""A steady load of pushes, and the account of what each said and what arrived."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass

import grpc
from pushring.v1 import message_pb2, push_pb2, push_pb2_grpc

from .clients import Client, Clients
from .waiting import eventually

# A stream that the pod has ended may look open to its client for this long.
BLUR = 1.0


@dataclass
class Push:
    user: str
    payload: str
    began: float
    ended: float = 0.0
    route: str = ""
    is_complete: bool = False
    error: str = ""
    outcomes: tuple[str, ...] = ()

    @property
    def is_success(self) -> bool:
        """Vouched for, and every session has the message."""
        return self.is_complete and all(outcome == "delivered" for outcome in self.outcomes)


class Load:
    """Pushes to `users` in turn, `rate` a second, until it is stopped."""

    def __init__(self, clients: Clients, address: str, users: list[str], rate: float, name: str = "load"):
        self.pushes: list[Push] = []
        self.users = users
        self.rate = rate
        self.name = name
        self.is_stopping = False
        self.future = asyncio.run_coroutine_threadsafe(self._run(address), clients.loop)

    def stop(self) -> list[Push]:
        self.is_stopping = True
        self.future.result(timeout=60)
        return self.pushes

    async def _run(self, address: str) -> None:
        async with grpc.aio.insecure_channel(address) as channel:
            stub = push_pb2_grpc.PushesStub(channel)
            under_way: set[asyncio.Task] = set()
            start = time.monotonic()
            for number in itertools.count():
                if self.is_stopping:
                    break
                user = self.users[number % len(self.users)]
                task = asyncio.create_task(self._push(stub, Push(user, f"{self.name}-{number}", time.monotonic())))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                await asyncio.sleep(max(0.0, start + (number + 1) / self.rate - time.monotonic()))
            if under_way:
                await asyncio.wait(under_way, timeout=30)

    async def _push(self, stub, push: Push) -> None:
        request = push_pb2.PushRequest(user_id=push.user, payload=push.payload.encode())
        try:
            result = await stub.Push(request, timeout=20)
            push.route = push_pb2.Route.Name(result.route).removeprefix("ROUTE_").lower()
            push.is_complete = result.completeness == push_pb2.COMPLETENESS_COMPLETE
            push.outcomes = tuple(
                message_pb2.Outcome.Name(each.outcome).removeprefix("OUTCOME_").lower() for each in result.results
            )
        except grpc.aio.AioRpcError as error:
            push.error = f"{error.code().name}: {error.details()}"
        push.ended = time.monotonic()
        self.pushes.append(push)


def was_open_throughout(client: Client, began: float, ended: float) -> bool:
    """One stream of the client was open from before the push until after it."""
    events = client.events
    opened = None
    for event in [*events, {"event": "end-of-time", "at": float("inf")}]:
        if event["event"] == "welcome" and opened is None:
            opened = event["at"]
        elif event["event"] in ("ended", "end-of-time"):
            if opened is not None and opened <= began and ended + BLUR <= event["at"]:
                return True
            opened = None
    return False


def check_no_success_hid_a_session(pushes: list[Push], clients: list[Client]) -> int:
    """Every push that reported success reached every session that was open throughout. Returns how many were checked."""
    by_user: dict[str, list[Client]] = {}
    for client in clients:
        by_user.setdefault(client.user, []).append(client)
    owed: dict[int, tuple[Client, set[str]]] = {}
    checked = 0
    for push in pushes:
        if not push.is_success:
            continue
        checked += 1
        for client in by_user.get(push.user, []):
            if was_open_throughout(client, push.began, push.ended):
                owed.setdefault(id(client), (client, set()))[1].add(push.payload)

    for client, payloads in owed.values():
        eventually(
            f"{client.user} {client.session.session} has all of {len(payloads)} pushes that reported success: "
            f"missing {sorted(payloads - set(client.payloads))[:5]}",
            lambda client=client, payloads=payloads: payloads <= set(client.payloads),
            within=10,
        )
    return checked


def never_without_a_stream(client: Client) -> bool:
    """Each new Welcome came while the stream before it still lived."""
    return not client.of("ended")


def check_nothing_is_missing(pushes: list[Push], opened: list[Client]) -> None:
    """Every push reached every session of its user, exactly once for the application."""
    assert pushes
    by_user: dict[str, dict[str, Push]] = {}
    for push in pushes:
        assert not push.error, push
        by_user.setdefault(push.user, {})[push.payload] = push
    for client in opened:
        sent = by_user.get(client.user, {})

        def has_all(client=client, sent=sent) -> bool:
            missing = [push for payload, push in sent.items() if payload not in set(client.payloads)]
            assert not missing, (missing[:3], client.life)
            return True

        eventually(f"{client.user} has all of its {len(sent)} pushes", has_all, within=10)
        assert len(client.payloads) == len(set(client.payloads)), f"{client.user} saw a repeat"
