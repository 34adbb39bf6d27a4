"""What strangers do to a pod by taking their time, or by many connections; with the same bounds as in test_attacks.py."""

from __future__ import annotations

import resource
import time

import hpack
import pytest
from hyperframe import frame as frames
from pushring.v1 import message_pb2

from harness.attacks import SLOW, connect_many, hold
from harness.bounds import ENHANCE_YOUR_CALM, SETTINGS_TIMEOUT, attacked
from harness.http2 import (
    PREFACE,
    SETTINGS_ACKNOWLEDGED,
    Connection,
    data,
    headers,
    message,
    raw_frame,
    settings,
    window_update,
)
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


def _is_welcomed(address: str) -> bool:
    try:
        Connection(address, source="127.0.0.5").open_session("newcomer").close()
        return True
    except OSError:
        return False
