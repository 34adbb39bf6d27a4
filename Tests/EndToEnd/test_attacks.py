"""What strangers do to a pod by frames, headers and windows, each against its bound: it ends with the right error, costs bounded
memory and time, and the sessions of others are served meanwhile. Docs/edge.md has the bounds and their settings."""

from __future__ import annotations

import re
import signal
import time

import hpack
import pytest
from hyperframe import frame as frames
from pushring.v1 import message_pb2, sessions_pb2

from harness.attacks import BOMB, FLOODS, METADATA, a_window_overflows, hellos
from harness.bounds import ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, REFUSED_STREAM, attacked, cpu
from harness.http2 import Connection, client_frame, data, headers, hello, message, raw_frame, request, settings, window_update
from harness.waiting import eventually

# Of gRPC.
DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = "4", "8"

# Floods


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_is_told_to_be_calm(pod, name):
    with attacked(pod):
        ended = [FLOODS[name](pod.address) for _ in range(3)]
    assert [connection.error for connection in ended] == [ENHANCE_YOUR_CALM] * 3, [connection.words for connection in ended]


def test_hellos_are_limited_on_a_connection(impatient, pod):
    """As fast as they are welcomed: only a bound on calls holds that back, for every Hello is answered."""
    registered = impatient.metric(pod, "pushring_registration_seconds_count")
    with attacked(pod, seconds=30):
        welcomed, connection = hellos(pod.address, seconds=4)
    # Twice the calls that may be open, and a hundred a second.
    assert 200 < welcomed < 2_048 + 100 * 8
    assert connection.error in (None, ENHANCE_YOUR_CALM)
    assert impatient.metric(pod, "pushring_registration_seconds_count") - registered <= welcomed + 200
    connection.close()


def test_many_sessions_of_one_user_cost_what_those_of_many_do(cluster, user):
    """A registration looks at its own record only: a thousand of one user are neither quadratic for Redis nor for the pod."""
    cluster.redis.call("CONFIG", "RESETSTAT")
    connection = Connection(cluster.pods["pod-0"].address)
    connection.send(window_update(0, 1 << 30))
    connection.send(b"".join(headers(stream) + data(stream, hello(user)) for stream in range(1, 2_001, 2)))
    assert connection.read_until(lambda: len({f.stream_id for f in connection.of(frames.DataFrame)}) == 1_000)
    used = dict(re.findall(r"cmdstat_(\w+):calls=(\d+)", cluster.redis.call("INFO", "commandstats")))
    assert int(used["hset"]) >= 1_000 and int(used.get("hgetall", 0)) < 100, used
    connection.close()
    eventually("their records are gone", lambda: not cluster.redis.keys(f"*u:{user}*"))


def test_hellos_are_refused_while_too_many_wait_for_the_registry(own_cluster):
    """8,192 of the pod, from nine connections of strangers while Redis hangs, and nobody has noticed yet."""
    cluster = own_cluster(pods=1, options={"--lease": "20s", "--redis-timeout": "15s"})
    pod = cluster.pods["pod-0"]
    connections = [Connection(pod.address) for _ in range(9)]
    cluster.redis.child.send(signal.SIGSTOP)
    try:
        for connection in connections:
            connection.send(b"".join(headers(s) + data(s, hello("many")) for s in range(1, 2_001, 2)))

        def refused() -> int:
            for connection in connections:
                connection.read()
            return sum(len(connection.resets) for connection in connections)

        eventually("the others are refused", lambda: refused() == 9_000 - 8_192)
        assert {status for connection in connections for status in connection.statuses.values()} == {RESOURCE_EXHAUSTED}
    finally:
        cluster.redis.child.send(signal.SIGCONT)
        for connection in connections:
            connection.close()
    eventually("it registers again", lambda: Connection(pod.address).open_session("later"))


def test_calls_beyond_the_limit_are_refused_and_the_others_stay(pod):
    with attacked(pod):
        connection = Connection(pod.address).open_session("many")
        connection.send(b"".join(headers(2 * number + 3) for number in range(1_100)))
        assert connection.read_until(lambda: len(connection.resets) >= 77)
        assert set(connection.resets) == {REFUSED_STREAM} and len(connection.resets) == 77
        connection.send(data(1, hello("again")))
        assert connection.read_until(lambda: any(f.stream_id == 1 for f in connection.of(frames.HeadersFrame)[1:]))
        connection.close()


@pytest.mark.parametrize("method", ["pushring.v1.Sessions/Locate", "grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"])
def test_a_call_without_its_message_ends(pod, method):
    with attacked(pod):
        connection = Connection(pod.address)
        connection.send(headers(1, request(f"/{method}")))
        assert connection.read_until(lambda: connection.statuses), connection.frames
        assert connection.statuses == {1: DEADLINE_EXCEEDED}
        connection.close()


# Windows


def test_a_window_that_shrinks_leaves_the_pod_nothing_to_do(pod):
    """Below what was sent, while the connection's window held answers back and then opens."""
    ping = client_frame(ping=sessions_pb2.Ping(nonce=1 << 63))
    with attacked(pod):
        connections = [Connection(pod.address, initial_window_size=1 << 20) for _ in range(4)]
        for connection in connections:
            connection.open_session("shrinking")
            while sum(len(frame.data) for frame in connection.of(frames.DataFrame)) < 65_535:
                connection.send(data(1, ping * 80))
                connection.read(0.1)
                assert not connection.closed, connection.words
            connection.send(settings(initial_window_size=0) + window_update(0, 1_000) + raw_frame(6, 0, 0, b"answered"))
            assert connection.read_until(lambda: connection.of(frames.PingFrame))
        used, began = cpu(pod), time.monotonic()
        eventually("a second has passed", lambda: time.monotonic() - began > 1)
        assert cpu(pod) - used < 0.5
    for connection in connections:
        connection.close()


def test_pings_whose_answers_are_not_read_are_counted_with_what_they_cost(own_cluster):
    """An answer has two bytes, and takes 66 until it is read: 2,000 are more than 64 KiB."""
    cluster = own_cluster(pods=1, options={"--outbound-limit": "65536", "--client-patience": "1s"})
    ping = client_frame(ping=sessions_pb2.Ping(nonce=0))
    connection = Connection(cluster.pods["pod-0"].address, initial_window_size=100).open_session("never reads")
    connection.send(settings(initial_window_size=0))
    for _ in range(9):
        connection.send(data(1, ping * 100))
    connection.send(raw_frame(6, 0, 0, b"answered"))
    assert connection.read_until(lambda: connection.of(frames.PingFrame)) and not connection.resets
    for _ in range(11):
        connection.send(data(1, ping * 100))
    # Its end has to be read within the patience, and is behind what is not.
    assert connection.read_until(lambda: connection.resets), connection.frames
    assert connection.error is None
    assert cluster.metric(cluster.pods["pod-0"], "pushring_streams_ended_total") == 1
    connection.close()


def test_many_that_do_not_read_do_not_fill_the_pod_together(own_cluster, clients, user):
    """Each stays below its own limit, a mebibyte; for all together there is one more of it."""
    cluster = own_cluster(pods=1, options={"--outbound-total-limit": "1048576", "--client-patience": "1s"})
    pod = cluster.pods["pod-0"]
    reader = clients.open(user, cluster.endpoints, "reads")
    ping = client_frame(ping=sessions_pb2.Ping(nonce=0))
    connections = [
        Connection(pod.address, initial_window_size=100).open_session(f"never reads {number}") for number in range(60)
    ]
    most = 0
    for connection in connections:
        connection.send(settings(initial_window_size=0))
        for _ in range(3):
            connection.send(data(1, ping * 100))
        connection.send(raw_frame(6, 0, 0, b"answered"))
        assert connection.read_until(lambda connection=connection: connection.of(frames.PingFrame) or connection.resets)
        most = max(most, cluster.metric(pod, "pushring_outbound_queued_bytes"))
    # 60 times 300 answers of 66 bytes would be more than that. When a sixteenth of the rest is less than what one has, the next end.
    assert 600_000 < most <= 1 << 20, most
    assert cluster.metric(pod, "pushring_streams_ended_total") > 0
    assert reader.undisturbed
    for number in range(20):
        result = cluster.push(user, f"still-{number}")
        assert result["completeness"] == "complete", result
        reader.wait_payload(f"still-{number}")
    for connection in connections:
        connection.close()


# Messages


def test_a_message_that_is_too_large_ends_its_call_before_it_came(pod):
    with attacked(pod):
        connection = Connection(pod.address).open_session("large")
        connection.send(headers(3) + data(3, b"\0" + (64 * 1024 + 1).to_bytes(4, "big")))
        assert connection.read_until(lambda: connection.statuses), connection.frames
        assert connection.statuses == {3: RESOURCE_EXHAUSTED}
        connection.close()


def test_the_bounds_on_messages_and_header_lists_are_settings(own_cluster):
    cluster = own_cluster(pods=1, options={"--max-client-message": "2000", "--max-client-headers": "4096"})
    connection = Connection(cluster.pods["pod-0"].address)
    connection.send(headers(1) + data(1, b"\0" + (2_001).to_bytes(4, "big")))
    connection.send(headers(3, request("/a/b", *[(b"x", b"y" * 100)] * 32)))
    assert connection.read_until(lambda: len(connection.of(frames.HeadersFrame)) == 2), connection.frames
    assert connection.statuses == {1: RESOURCE_EXHAUSTED}
    answers = {frame.stream_id: dict(hpack.Decoder().decode(frame.data)) for frame in connection.of(frames.HeadersFrame)}
    assert answers[3][":status"] == "431"
    connection.close()


def test_a_header_list_that_is_too_large_ends_its_call_and_not_its_neighbours(pod):
    """Also where its block is longer than the list may be, as that of grpcio is."""
    with attacked(pod):
        connection = Connection(pod.address).open_session("neighbour")
        block = request("/a/b", *[(b"x", b"y" * 120)] * 160)
        connection.send(headers(3, block[:16_000], flags=0) + raw_frame(9, 4, 3, block[16_000:]))
        assert connection.read_until(lambda: len(connection.of(frames.HeadersFrame)) == 2), connection.words
        assert dict(hpack.Decoder().decode(connection.of(frames.HeadersFrame)[1].data))[":status"] == "431"
        connection.send(data(1, client_frame(ping=sessions_pb2.Ping(nonce=7))))
        assert connection.read_until(lambda: len(connection.of(frames.DataFrame)) == 2)
        connection.close()


def test_messages_that_are_not_completed_share_a_bound(pod):
    """Of 256 KiB: four calls that wait for the end of a message of 60,000 bytes have a place, a fifth has not."""
    with attacked(pod, mebibytes=8):
        connection = Connection(pod.address)
        for number in range(5):
            stream = 2 * number + 1
            part = (message(b"\1" * 60_000))[:-1]
            connection.send(headers(stream))
            connection.send(b"".join(data(stream, part[start : start + 16_000]) for start in range(0, len(part), 16_000)))
        assert connection.read_until(lambda: connection.statuses), connection.frames
        assert connection.statuses == {9: RESOURCE_EXHAUSTED}
        connection.close()


def test_what_follows_a_fatal_frame_is_counted_once(impatient, pod):
    before = impatient.metric(pod, "pushring_streams_ended_total")
    connection = Connection(pod.address)
    connection.send(headers(1) + b"".join(data(1, client_frame(ping=sessions_pb2.Ping(nonce=1))) for _ in range(50)))
    assert connection.read_until(lambda: connection.of(frames.HeadersFrame))
    assert impatient.metric(pod, "pushring_streams_ended_total") - before == 1
    connection.close()


# Headers


def test_metadata_that_is_too_large_is_refused_with_431(pod):
    with attacked(pod):
        connection = Connection(pod.address)
        connection.send(headers(1, METADATA))
        connection.send(headers(3))
        assert connection.read_until(lambda: connection.of(frames.HeadersFrame))
        answer = connection.of(frames.HeadersFrame)[0]
        assert answer.stream_id == 1 and "END_STREAM" in answer.flags
        # :status by its name in the static table, and a literal of three bytes, perhaps in Huffman's code.
        assert dict(hpack.Decoder().decode(answer.data))[":status"] == "431"
        connection.close()


def test_a_header_block_of_megabytes_is_not_kept(pod):
    with attacked(pod):
        connection = Connection(pod.address)
        for number in range(200):
            if not connection.send(raw_frame(1 if number == 0 else 9, 0, 1, b"\0" * 16_000)):
                break
        connection.read_to_end()
    assert connection.error == ENHANCE_YOUR_CALM


def test_an_hpack_bomb_is_not_expanded(pod):
    with attacked(pod, mebibytes=8):
        connection = Connection(pod.address, acknowledge=False)
        connection.send(headers(1, BOMB))
        connection.read_to_end()
    assert connection.error == ENHANCE_YOUR_CALM and "header list" in connection.words


# Windows


def test_a_window_that_overflows_ends_the_connection_or_its_stream(pod):
    with attacked(pod):
        assert a_window_overflows(pod.address).error == FLOW_CONTROL_ERROR
        connection = Connection(pod.address).open_session("overflow")
        connection.send(window_update(1, 0x7FFF_FFFF))
        assert connection.read_until(lambda: connection.resets)
    assert connection.resets == [FLOW_CONTROL_ERROR]


def test_a_window_that_stays_shut_keeps_a_bounded_queue(pod, push):
    """A megabyte, --outbound-limit; then pushes are told that the session is slow."""
    with attacked(pod, seconds=20):
        connection = Connection(pod.address, initial_window_size=0)
        connection.send(headers(1) + data(1, hello("shut")) + window_update(1, 5_000))
        assert connection.read_until(lambda: connection.welcomed)
        outcomes = [push("shut", 100_000) for _ in range(15)]
    assert outcomes[0] == message_pb2.OUTCOME_DELIVERED and outcomes[-1] == message_pb2.OUTCOME_SLOW
    connection.close()


def test_a_window_that_opens_a_byte_at_a_time_is_given_up(pod, push):
    with attacked(pod, seconds=6):
        connection = Connection(pod.address, initial_window_size=0)
        connection.send(headers(1) + data(1, hello("bytes")) + window_update(1, 5_000))
        assert connection.read_until(lambda: connection.welcomed)
        push("bytes", 100_000)
        connection.send(window_update(1, 1) * 8_000)
        connection.read_to_end()
    assert connection.error == ENHANCE_YOUR_CALM
