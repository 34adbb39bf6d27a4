"""What a pod does with streams that behave, and with those that don't. After each, it still serves others."""

import grpc
import pytest
from pushring.v1 import sessions_pb2, sessions_pb2_grpc

from harness.waiting import always, eventually


@pytest.fixture
def pod(cluster):
    return cluster.pods["pod-0"]


@pytest.fixture(autouse=True)
def others_are_served(cluster, clients, pod, request):
    """A bystander on the same pod: undisturbed by whatever the test did, and still reached."""
    bystander = clients.at(pod, f"bystander of {request.node.name}")
    yield
    assert bystander.undisturbed, bystander.events
    cluster.push(bystander.user, "still served")
    bystander.wait_payload("still served")


def test_a_stream_without_hello_ends_within_seconds(cluster, raw):
    impatient = cluster.start_pod("impatient", hello_timeout="300ms")
    try:
        status = raw(impatient.address).status(within=5)
        assert status.code == grpc.StatusCode.DEADLINE_EXCEEDED
        assert status.trailers["pushring-reason"] == "hello-timeout"
        assert "Hello" in status.message
    finally:
        impatient.child.terminate()
        assert impatient.child.exit_code() == 0
        del cluster.pods["impatient"]
        cluster.wait_members(3)


def test_a_second_hello_ends_the_stream(pod, raw, user):
    stream = raw(pod.address).hello(user)
    stream.welcome()
    status = stream.hello(user).status()
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert status.trailers["pushring-reason"] == "bad-hello"
    assert "Hello" in status.message


def test_a_first_frame_that_is_no_hello_ends_the_stream(pod, raw):
    status = raw(pod.address).send(ping=sessions_pb2.Ping(nonce=1)).status()
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert "Hello" in status.message


@pytest.mark.parametrize("bad", ["", "u" * 257, "tab\there"], ids=["empty", "over-long", "control-character"])
def test_a_malformed_user_is_refused_in_words(pod, raw, bad):
    status = raw(pod.address).hello(bad).status()
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert status.trailers["pushring-reason"] == "bad-hello"
    assert "user" in status.message


def test_too_many_labels_are_refused(pod, raw, user):
    status = raw(pod.address).hello(user, labels={str(number): "x" for number in range(17)}).status()
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT
    assert "label" in status.message


def test_an_oversize_frame_from_a_client_ends_its_stream(pod, raw, user):
    stream = raw(pod.address).hello(user)
    stream.welcome()
    status = stream.send(acknowledge=sessions_pb2.Acknowledge(message_ids=["x" * (512 * 1024)])).status()
    assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_bytes_that_are_no_frame_end_the_stream(pod, raw):
    with grpc.insecure_channel(pod.address) as channel:
        call = channel.stream_stream("/pushring.v1.Sessions/Connect")(iter([b"\xff\xff\xff no protobuf"]))
        with pytest.raises(grpc.RpcError) as refused:
            next(call)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_method_is_unimplemented(pod):
    with grpc.insecure_channel(pod.address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary("/pushring.v1.Sessions/Nothing")(b"", timeout=10)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_devices_cannot_push_or_deliver_at_a_session_port(pod):
    with grpc.insecure_channel(pod.address) as channel:
        for path in ("/pushring.v1.Delivery/Deliver", "/pushring.v1.Pushes/Push"):
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(path)(b"", timeout=10)
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_ping_is_answered_with_its_nonce(pod, raw, user):
    stream = raw(pod.address).hello(user)
    stream.welcome()
    assert stream.send(ping=sessions_pb2.Ping(nonce=4711)).read().pong.nonce == 4711


def test_welcome_tells_where_the_session_is_and_where_to_go(cluster, pod, raw, user):
    welcome = raw(pod.address).hello(user, "phone").welcome()
    assert (welcome.session_id, welcome.pod_id) == ("phone", pod.id)
    assert welcome.epoch > 0
    assert welcome.incarnation == cluster.members()[pod.id]["incarnation"]
    assert welcome.view.version == cluster.inspect()["version"]
    assert welcome.max_message_bytes > 0
    successors = [each.endpoint for each in welcome.successors]
    assert set(successors) == {other.address for other in cluster.pods.values() if other is not pod}


def test_a_session_without_a_name_gets_one(pod, raw, user):
    first, second = raw(pod.address).hello(user).welcome(), raw(pod.address).hello(user).welcome()
    assert first.session_id and second.session_id
    assert first.session_id != second.session_id


def test_locate_names_the_owner_first_then_its_successors(cluster, pod, user):
    with grpc.insecure_channel(pod.address) as channel:
        located = sessions_pb2_grpc.SessionsStub(channel).Locate(sessions_pb2.LocateRequest(user_id=user), timeout=10)
    assert located.pods[0].pod_id == cluster.owner(user).id
    assert {each.pod_id for each in located.pods} == set(cluster.pods)
    assert {each.endpoint for each in located.pods} == set(cluster.endpoints)


def test_locate_of_a_malformed_user_is_refused(pod):
    with grpc.insecure_channel(pod.address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            sessions_pb2_grpc.SessionsStub(channel).Locate(sessions_pb2.LocateRequest(user_id=""), timeout=10)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_takeover_on_the_same_pod_ends_the_old_stream_and_says_why(cluster, clients, pod, user):
    old = clients.at(pod, user, "phone")
    new = clients.at(pod, user, "phone")
    check_takeover(cluster, old, new, user)


def test_a_takeover_on_another_pod_ends_the_old_stream_and_says_why(cluster, clients, pod, user):
    old = clients.at(pod, user, "phone")
    new = clients.at(cluster.pods["pod-1"], user, "phone")
    check_takeover(cluster, old, new, user)


def check_takeover(cluster, old, new, user):
    end = old.wait_final()
    assert end["reason"] == "taken-over"
    assert end["message"]
    assert new.epoch > old.epoch
    eventually("one record", lambda: [record["pod"] for record in cluster.records(user)] == [new.pod])
    result = cluster.push(user, "to the new one")
    new.wait_payload("to the new one")
    assert [each["outcome"] for each in result["results"]] == ["delivered"]
    assert old.payloads == []


def test_epochs_grow_from_connection_to_connection(pod, raw, user):
    epochs = [raw(pod.address).hello(user, "phone").welcome().epoch for _ in range(4)]
    assert epochs == sorted(set(epochs))


def test_a_client_that_half_closes_leaves_in_good_order(cluster, pod, raw, user):
    stream = raw(pod.address).hello(user, "phone")
    stream.welcome()
    stream.half_close()
    assert stream.status().code == grpc.StatusCode.OK
    eventually("its record is gone", lambda: cluster.records(user) == [])


def test_a_client_that_does_not_read_is_slow_until_it_does(cluster, raw, user):
    narrow = cluster.pods["pod-0"]
    stream = raw(narrow.address).hello(user, "phone")
    stream.welcome()
    payload = "x" * 100_000

    def outcome() -> str:
        return cluster.push(user, payload)["results"][0]["outcome"]

    delivered = 0
    while (seen := outcome()) == "delivered":
        delivered += 1
        assert delivered < 100, "10 MB are queued for a client that reads nothing"
    assert seen == "slow"
    assert delivered > 0
    for _ in range(delivered):
        assert len(stream.read().message.payload) == len(payload)
    assert stream.read().dropped.messages == 1
    eventually("the client is delivered to again", lambda: outcome() == "delivered")
    assert stream.read().WhichOneof("frame") == "message"


def test_a_client_that_is_gone_without_a_word_is_found_out(cluster, raw, user, pod):
    stream = raw(pod.address).hello(user, "phone")
    stream.welcome()
    stream.close()
    eventually("its record is gone", lambda: cluster.records(user) == [])


def test_a_quiet_session_stays(clients, pod, user):
    client = clients.at(pod, user)
    always("nothing happens to a quiet session", lambda: client.undisturbed, during=3)
