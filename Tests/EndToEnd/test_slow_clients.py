"""What strangers do to a pod by taking their time, or by many connections; with the same bounds as in test_attacks.py.
And clients that are welcome and stop reading: what they cost is bounded, others don't notice, nothing is lost in silence."""

from __future__ import annotations

import json
import pathlib
import resource
import signal
import time

import grpc
import hpack
import pytest
from hyperframe import frame as frames
from pushring.v1 import message_pb2, push_pb2, push_pb2_grpc

from harness.attacks import SLOW, connect_many, hold
from harness.bounds import ENHANCE_YOUR_CALM, SETTINGS_TIMEOUT, attacked
from harness.cluster import http
from harness.http2 import (
    PREFACE,
    SETTINGS_ACKNOWLEDGED,
    Connection,
    data,
    headers,
    hello,
    message,
    raw_frame,
    settings,
    window_update,
)
from harness.processes import Child
from harness.program import program
from harness.waiting import eventually

# Slowness


@pytest.mark.parametrize("stage", SLOW)
def test_who_drips_is_given_up(pod, stage):
    start, rest = SLOW[stage]
    with attacked(pod):
        held = hold(pod.address, 100, start)
        began = time.monotonic()
        while not all(connection.closed for connection in held) and time.monotonic() - began < 10:
            for connection in held:
                if rest and not connection.closed:
                    connection.send(rest[:1])
                connection.read(0.001)
            rest = rest[1:]
            time.sleep(0.3)
        took = time.monotonic() - began
    assert all(connection.closed for connection in held) and took > 1.0
    expected = {
        "half a frame's head": ENHANCE_YOUR_CALM,
        "half a frame": ENHANCE_YOUR_CALM,
        "half a header block": ENHANCE_YOUR_CALM,
        "no call": 0,
    }.get(stage, SETTINGS_TIMEOUT)
    assert {connection.error for connection in held} == {expected}


def test_a_message_that_drips_ends_its_call(pod):
    with attacked(pod):
        held = [Connection(pod.address) for _ in range(50)]
        for connection in held:
            connection.send(headers(1) + data(1, message(b"a" * 100)[:20]))
        began = time.monotonic()
        while not all(_is_over(connection) for connection in held) and time.monotonic() - began < 8:
            for connection in held:
                connection.send(data(1, b"a") + raw_frame(6, 0, 0, b"12345678"))
                connection.read(0.001)
            time.sleep(0.3)
        assert all(_is_over(connection) for connection in held)
    for connection in held:
        assert dict(hpack.Decoder().decode(connection.of(frames.HeadersFrame)[-1].data))["grpc-status"] == "4"
        connection.close()


def _is_over(connection: Connection) -> bool:
    return any("END_STREAM" in frame.flags for frame in connection.of(frames.HeadersFrame)) or connection.closed


def test_a_call_without_hello_is_ended(pod):
    with attacked(pod):
        held = [Connection(pod.address) for _ in range(100)]
        for connection in held:
            connection.send(headers(1))
        for connection in held:
            assert connection.read_until(lambda: _is_over(connection), within=8)
            trailers = dict(hpack.Decoder().decode(connection.of(frames.HeadersFrame)[-1].data))
            assert trailers["grpc-status"] == "4" and trailers["pushring-reason"] == "hello-timeout"
    for connection in held:
        connection.close()


def test_who_sends_and_reads_nothing_is_given_up(impatient, pod, push):
    """Its socket is full, so no PING of ours arrives either; and what it sends would pass for a sign of life."""
    with attacked(pod, seconds=20):
        connection = Connection(pod.address).open_session("deaf")
        connection.send(window_update(0, 1 << 30) + window_update(1, 1 << 30))
        outcomes = [push("deaf", 200_000) for _ in range(100)]
        assert outcomes[0] == message_pb2.OUTCOME_DELIVERED and outcomes[-1] == message_pb2.OUTCOME_SLOW
        began = time.monotonic()
        while not _is_reset(connection) and time.monotonic() - began < 15:
            time.sleep(0.2)
    assert time.monotonic() - began < 12, "it is still connected"
    eventually("it has no session any more", lambda: impatient.records("deaf") == [])


def _is_reset(connection: Connection) -> bool:
    """Whether the server has closed it: then sending fails, the second time at the latest."""
    try:
        connection.socket.send(raw_frame(6, 0, 0, b"12345678"))
        return False
    except OSError:
        return True


# Connections


@pytest.fixture
def guarded(impatient):
    """A pod that limits what an address may do."""
    pod = impatient.start_pod("guarded", max_connections_per_address="20", max_new_connections="5")
    yield pod
    pod.child.terminate()
    assert pod.child.exit_code() == 0
    del impatient.pods["guarded"]
    impatient.wait_members(1)


def test_an_address_has_as_many_connections_as_it_may(guarded):
    with attacked(guarded):
        opened, closed = connect_many(guarded.address, 60)
        assert closed == 40
        # Another address is not concerned.
        assert connect_many(guarded.address, 10, source="127.0.0.3")[1] == 0
        for connection in opened:
            connection.close()


def test_an_address_opens_as_many_connections_a_second_as_it_may(guarded):
    with attacked(guarded):
        refused = 0
        for _ in range(100):
            opened, closed = connect_many(guarded.address, 1, source="127.0.0.4")
            refused += closed
            opened[0].close()
    # Ten seconds' worth at once, and five a second: a hundred took about five seconds.
    assert 5 <= refused <= 50


def test_connections_without_a_call_make_room_when_descriptors_run_out(impatient):
    pod = impatient.start_pod("crowded", idle_timeout="60s", client_patience="60s")
    try:
        resource.prlimit(pod.child.process.pid, resource.RLIMIT_NOFILE, (200, 200))
        with attacked(pod, seconds=8):
            held = hold(pod.address, 400, PREFACE + settings() + SETTINGS_ACKNOWLEDGED)
            eventually("another client is welcomed", lambda: _is_welcomed(pod.address), within=10)
        for connection in held:
            connection.close()
    finally:
        pod.child.terminate()
        assert pod.child.exit_code() == 0
        del impatient.pods["crowded"]
        impatient.wait_members(1)


def test_strangers_leave_descriptors_for_what_has_to_work(own_cluster):
    """Sessions, which no sweep ends, up to what clients may have."""
    cluster = own_cluster(pods=1)
    pod = cluster.pods["pod-0"]
    resource.prlimit(pod.child.process.pid, resource.RLIMIT_NOFILE, (200, 200))
    cluster.sender.child.stop()
    connections = [Connection(pod.address) for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.send(headers(1) + data(1, hello(f"crowd-{number}")))
    assert all(connection.read_until(lambda: connection.welcomed or connection.closed) for connection in connections)
    assert sum(connection.welcomed for connection in connections) == 200 - 48
    for path in ("/healthz", "/readyz", "/metrics"):
        assert http(pod.admin, path)[0] == 200
    cluster.sender = cluster.start_sender("late")
    assert [each["outcome"] for each in cluster.push("crowd-0", "hello")["results"]] == ["delivered"]
    for connection in connections:
        connection.close()


def test_a_server_may_have_as_many_files_as_its_hard_limit_says(own_cluster, tmp_path, monkeypatch):
    """Whatever the soft one is: containers often have 1,024."""
    hard = 5_000
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nexec prlimit --nofile=256:{hard} "{program()}" "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setenv("PUSHRING_BIN", str(limited))
    cluster = own_cluster(pods=1)
    for server in (cluster.pods["pod-0"], cluster.sender):
        assert resource.prlimit(server.child.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
        assert cluster.metric(server, "pushring_descriptor_limit") == hard


def test_a_connection_whose_session_has_ended_is_idle(own_cluster):
    """Long before anything else would be due on it."""
    cluster = own_cluster(pods=1, options={"--idle-timeout": "2s", "--keepalive-interval": "30s"})
    address = cluster.pods["pod-0"].address
    first = Connection(address)
    first.send(headers(1) + data(1, hello("idle", "s")))
    assert first.read_until(lambda: first.welcomed)
    began = time.monotonic()
    eventually("what was due for its greeting has passed", lambda: time.monotonic() - began > 3)
    second = Connection(address)
    second.send(headers(1) + data(1, hello("idle", "s")))
    assert first.read_until(lambda: first.error is not None, within=5), first.frames
    assert first.error == 0 and first.statuses
    second.close()


def _is_welcomed(address: str) -> bool:
    try:
        Connection(address, source="127.0.0.5").open_session("newcomer").close()
        return True
    except OSError:
        return False


# Sessions whose clients don't read

LIMIT = 400_000
PAYLOAD = 50_000
PUSHES = 400
# The end of a stream is kept for the phone for as long as the test needs.
# One thread writes to both, so that when the tablet has read, it has been asked to make room for the phone as well.
OPTIONS = {"--outbound-limit": str(LIMIT), "--client-patience": "60s", "--edge-threads": "1"}


class Scene:
    """One user with a phone that does not read and a tablet that does, on one pod, and some megabytes for both."""

    def __init__(self, own_cluster, raw, clients, user: str, policy: str):
        self.cluster = own_cluster(pods=1, options={**OPTIONS, "--slow-policy": policy})
        self.pod = self.cluster.pods["pod-0"]
        self.user = user
        self.phone = raw(self.pod.address).hello(user, "phone")
        self.phone.welcome()
        self.tablet = clients.at(self.pod, user, "tablet")
        self.outcomes: list[push_pb2.SessionOutcome] = []

    def push_all(self) -> None:
        before = self.memory()
        with grpc.insecure_channel(self.cluster.sender.address) as channel:
            pushes = push_pb2_grpc.PushesStub(channel)
            for number in range(PUSHES):
                payload = f"{number:08}".encode() + b"x" * PAYLOAD
                result = pushes.Push(push_pb2.PushRequest(user_id=self.user, message_id=str(number), payload=payload))
                of = {outcome.session_id: outcome for outcome in result.results}
                assert of["tablet"].outcome == message_pb2.OUTCOME_DELIVERED
                assert of["tablet"].slow_policy == message_pb2.SLOW_POLICY_UNSPECIFIED
                if "phone" in of:
                    self.outcomes.append(of["phone"])
                # The tablet reads, so that it is the phone alone that is slow.
                if number % 4 == 3:
                    eventually("the tablet has read", lambda: len(self.tablet.payloads) == number + 1)
        assert [int(payload[:8]) for payload in self.tablet.payloads] == list(range(PUSHES))
        assert self.tablet.undisturbed
        assert self.cluster.metric(self.pod, "pushring_outbound_queued_bytes") <= 2 * LIMIT
        # 20 MB were pushed.
        assert self.memory() - before < 10_000_000

    def memory(self) -> int:
        status = pathlib.Path(f"/proc/{self.pod.child.process.pid}/status").read_text()
        return int(status.split("RssAnon:")[1].split()[0]) * 1024

    def dropped(self) -> float:
        return self.cluster.metric(self.pod, "pushring_messages_dropped_total")

    def read_until(self, accounted: int) -> tuple[list[int], int]:
        """What the phone reads once it reads: messages, and how many it is told that it lost."""
        received, lost = [], 0
        while len(received) + lost < accounted:
            frame = self.phone.read()
            assert frame is not None, self.phone.status()
            if frame.WhichOneof("frame") == "dropped":
                assert frame.dropped.messages > 0
                lost += frame.dropped.messages
            else:
                received.append(int(frame.message.payload[:8]))
        return received, lost

    def is_delivered_to_again(self) -> None:
        def outcome() -> str:
            result = self.cluster.push(self.user, "again")["results"]
            return {session["session"]: session["outcome"] for session in result}["phone"]

        eventually("the phone is delivered to again", lambda: outcome() == "delivered")


@pytest.fixture
def scene(own_cluster, raw, clients, user):
    return lambda policy: Scene(own_cluster, raw, clients, user, policy)


def test_drop_newest_keeps_what_was_taken_and_tells_both_sides(scene):
    stage = scene("drop-newest")
    stage.push_all()
    slow = [outcome for outcome in stage.outcomes if outcome.outcome == message_pb2.OUTCOME_SLOW]
    assert slow
    assert {outcome.slow_policy for outcome in slow} == {message_pb2.SLOW_POLICY_DROP_NEWEST}
    assert "--slow-policy drop-newest" in slow[0].detail
    assert stage.dropped() == len(slow)
    received, lost = stage.read_until(PUSHES)
    assert received == list(range(PUSHES - len(slow)))
    assert lost == len(slow)
    stage.is_delivered_to_again()


def test_drop_oldest_delivers_the_latest(scene):
    stage = scene("drop-oldest")
    stage.push_all()
    assert {outcome.outcome for outcome in stage.outcomes} == {message_pb2.OUTCOME_DELIVERED}
    assert stage.outcomes[-1].slow_policy == message_pb2.SLOW_POLICY_DROP_OLDEST
    assert "--slow-policy drop-oldest" in stage.outcomes[-1].detail
    received, lost = stage.read_until(PUSHES)
    assert received == sorted(received)
    assert received[-1] == PUSHES - 1
    # What is queued at the end are the latest without a gap.
    latest = received[-4:]
    assert latest == list(range(PUSHES - 4, PUSHES))
    assert lost == stage.dropped() > 0
    stage.is_delivered_to_again()


def test_disconnect_ends_the_stream_and_says_why(scene):
    stage = scene("disconnect")
    stage.push_all()
    assert stage.outcomes[-1].outcome == message_pb2.OUTCOME_SLOW
    assert stage.outcomes[-1].slow_policy == message_pb2.SLOW_POLICY_DISCONNECT
    delivered = [outcome for outcome in stage.outcomes if outcome.outcome == message_pb2.OUTCOME_DELIVERED]
    assert len(delivered) == len(stage.outcomes) - 1 < PUSHES - 1
    status = stage.phone.status()
    assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert status.trailers["pushring-reason"] == "slow"
    assert stage.dropped() > 1
    eventually(
        "its record is gone", lambda: [record["session"] for record in stage.cluster.records(stage.user)] == ["tablet"]
    )


@pytest.mark.parametrize("policy", ["drop-newest", "drop-oldest"])
def test_a_session_that_moves_while_messages_are_dropped_hears_of_each(own_cluster, user, tmp_path, policy):
    """A real client that is stopped, as a phone asleep, and wakes up while its session is asked to move."""
    cluster = own_cluster(pods=2, options={"--outbound-limit": str(LIMIT), "--slow-policy": policy})
    mine = cluster.user_owned_by("pod-1", user)
    connect = [program(), "connect", "--endpoint", cluster.pods["pod-0"].address, "--stay", "--user", mine]
    client = Child("phone", [*connect, "--session", "phone", "--output", "json"], tmp_path)
    rebalance = None
    try:
        eventually("it is welcomed", lambda: _events(client, "welcome"))
        client.send(signal.SIGSTOP)
        with grpc.insecure_channel(cluster.sender.address) as channel:
            push = _numbered(push_pb2_grpc.PushesStub(channel), mine)
            slow = sum(push() for _ in range(PUSHES))
            assert slow > 0
            rebalance = Child("rebalance", [program(), "rebalance", "apply", *cluster.registry], tmp_path)
            stays = cluster.pods["pod-0"]
            eventually(
                "Reconnect waits in the phone's queue", lambda: cluster.metric(stays, "pushring_moves_under_way") == 1
            )
            slow += sum(push() for _ in range(20))
            client.send(signal.SIGCONT)
            # Into the middle of the move.
            slow += sum(push() for _ in range(20))
            eventually("it has moved", lambda: [e["pod"] for e in _events(client, "welcome")] == ["pod-0", "pod-1"])
            eventually("a push is as good as ever", lambda: push() == 0)
            pushed = push.count
        lost = slow if policy == "drop-newest" else cluster.metric(cluster.pods["pod-0"], "pushring_messages_dropped_total")

        def accounted() -> bool:
            received = {event["payload"][:8] for event in _events(client, "message")}
            told = sum(event["messages"] for event in _events(client, "dropped"))
            assert (len(received) + told, told) == (pushed, lost)
            return True

        eventually("it has each push, or word of it", accounted)
        assert not _events(client, "ended")
    finally:
        client.send(signal.SIGCONT)
        client.kill()
        if rebalance:
            rebalance.kill()


class _numbered:
    """Pushes to one phone: each call is one push, and says whether the phone's queue was full."""

    def __init__(self, pushes, user: str):
        self.pushes, self.user, self.count = pushes, user, 0

    def __call__(self) -> int:
        payload = f"{self.count:08}".encode() + b"x" * PAYLOAD
        self.count += 1
        result = self.pushes.Push(push_pb2.PushRequest(user_id=self.user, payload=payload))
        assert [outcome.session_id for outcome in result.results] == ["phone"]
        return int(result.results[0].slow_policy != message_pb2.SLOW_POLICY_UNSPECIFIED)


def _events(client: Child, kind: str) -> list[dict]:
    lines = [line for line in client.log.splitlines() if line.startswith("{") and line.endswith("}")]
    return [event for event in map(json.loads, lines) if event["event"] == kind]
