"""The Sender's gRPC service as a backend in another language sees it."""

import queue

import grpc
import pytest
from pushring.v1 import message_pb2, push_pb2, push_pb2_grpc


@pytest.fixture
def pushes(cluster):
    with grpc.insecure_channel(cluster.sender.address) as channel:
        yield push_pb2_grpc.PushesStub(channel)


def test_push_many_answers_for_each_user_in_the_order_asked(cluster, clients, pushes, user):
    users = [f"{user}-{number}" for number in range(20)]
    sessions = [clients.open(each, cluster.endpoints, wait=False) for each in users]
    for session in sessions:
        session.wait_welcome()
    answer = pushes.PushMany(push_pb2.PushManyRequest(user_ids=users, payload=b"to all"), timeout=20)
    assert [result.user_id for result in answer.results] == users
    for result in answer.results:
        assert [each.outcome for each in result.results] == [message_pb2.OUTCOME_DELIVERED]
    for session in sessions:
        session.wait_payload("to all")


def test_a_stream_of_pushes_answers_each_by_its_correlation(cluster, clients, pushes, user):
    client = clients.open(user, cluster.endpoints)
    requests: queue.Queue = queue.Queue()
    answers = pushes.PushStream(iter(requests.get, None), timeout=20)
    for number in range(100):
        push = push_pb2.PushRequest(user_id=user, payload=str(number).encode())
        requests.put(push_pb2.PushStreamRequest(correlation=number, push=push))
    requests.put(None)
    received = list(answers)
    assert sorted(answer.correlation for answer in received) == list(range(100))
    assert all(answer.result.results[0].outcome == message_pb2.OUTCOME_DELIVERED for answer in received)
    client.wait_payload("99")
    assert sorted(map(int, client.payloads)) == list(range(100))


def test_hundreds_of_pushes_in_flight_on_one_connection(cluster, clients, pushes, user):
    client = clients.open(user, cluster.endpoints)
    under_way = [
        pushes.Push.future(push_pb2.PushRequest(user_id=user, payload=str(number).encode()), timeout=30)
        for number in range(500)
    ]
    for one in under_way:
        assert one.result().results[0].outcome == message_pb2.OUTCOME_DELIVERED
    client.wait_payload("499")
    assert sorted(map(int, client.payloads)) == list(range(500))


def test_a_bad_push_in_a_stream_is_refused_alone(cluster, clients, pushes, user):
    client = clients.open(user, cluster.endpoints)
    requests = [
        push_pb2.PushStreamRequest(correlation=1, push=push_pb2.PushRequest(user_id="", payload=b"nobody")),
        push_pb2.PushStreamRequest(correlation=2, push=push_pb2.PushRequest(user_id=user, payload=b"somebody")),
    ]
    answers = {answer.correlation: answer.result for answer in pushes.PushStream(iter(requests), timeout=20)}
    assert answers[1].error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answers[2].results[0].outcome == message_pb2.OUTCOME_DELIVERED
    client.wait_payload("somebody")


@pytest.mark.parametrize("user_id", ["", "u" * 257, "line\nbreak"], ids=["empty", "over-long", "control-character"])
def test_a_push_to_a_malformed_user_is_an_invalid_argument(cluster, pushes, user_id):
    with pytest.raises(grpc.RpcError) as refused:
        pushes.Push(push_pb2.PushRequest(user_id=user_id, payload=b"x"), timeout=10)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "user" in refused.value.details()


def test_a_message_larger_than_sessions_take_is_refused_in_words(cluster, clients, pushes, user):
    client = clients.open(user, cluster.endpoints)
    too_large = push_pb2.PushRequest(user_id=user, payload=b"x" * (1024 * 1024))
    try:
        outcome = pushes.Push(too_large, timeout=10).results[0].outcome
        assert outcome == message_pb2.OUTCOME_REFUSED
    except grpc.RpcError as refused:
        assert refused.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert refused.details()
    cluster.push(user, "small enough")
    client.wait_payload("small enough")
    assert client.payloads == ["small enough"]
