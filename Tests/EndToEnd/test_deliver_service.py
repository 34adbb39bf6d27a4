"""A pod's peer port, as a Sender in any language would use it."""

import queue

import grpc
import pytest
from pushring.v1 import delivery_pb2, delivery_pb2_grpc, message_pb2


class Peer:
    """One Deliver stream to one pod."""

    def __init__(self, pod):
        self.channel = grpc.insecure_channel(f"127.0.0.1:{pod.peer}")
        self.batches: queue.Queue = queue.Queue()
        stub = delivery_pb2_grpc.DeliveryStub(self.channel)
        self.call = stub.Deliver(iter(self.batches.get, None), timeout=30)

    def ask(self, requests, payloads=(b"hello",)):
        """Sends one batch; returns its results by correlation."""
        messages = [message_pb2.Message(id=f"m-{index}", payload=payload) for index, payload in enumerate(payloads)]
        self.batches.put(delivery_pb2.DeliverBatch(messages=messages, requests=requests))
        results = {}
        while len(results) < len(requests):
            results.update({result.correlation: result for result in next(self.call).results})
        return results

    def close(self):
        self.batches.put(None)
        self.call.cancel()
        self.channel.close()


@pytest.fixture
def pod(cluster):
    return cluster.pods["pod-0"]


@pytest.fixture
def peer(pod):
    made = Peer(pod)
    yield made
    made.close()


def request(correlation, user, sessions=(), message=0):
    targets = [delivery_pb2.SessionTarget(session_id=session, epoch=epoch) for session, epoch in sessions]
    return delivery_pb2.DeliverRequest(
        correlation=correlation, user_id=user, sessions=targets, message_index=message
    )


def outcomes(result):
    return {each.session_id: each.outcome for each in result.sessions}


def test_without_named_sessions_all_of_the_user_here_are_delivered_to(cluster, clients, pod, peer, user):
    here = [clients.at(pod, user, name) for name in ("phone", "tablet")]
    elsewhere = clients.at(cluster.pods["pod-1"], user, "laptop")
    result = peer.ask([request(1, user)])[1]
    assert outcomes(result) == {"phone": message_pb2.OUTCOME_DELIVERED, "tablet": message_pb2.OUTCOME_DELIVERED}
    # Before there is a placement protocol no pod may vouch for the others.
    assert result.complete is False
    for client in here:
        client.wait_payload("hello")
    assert elsewhere.payloads == []


def test_named_sessions_are_delivered_to_at_their_epoch_or_a_later_one(clients, pod, peer, user):
    client = clients.at(pod, user, "phone")
    results = peer.ask(
        [
            request(1, user, [("phone", client.epoch)]),
            request(2, user, [("phone", client.epoch - 1)]),
            request(3, user, [("phone", client.epoch + 1)]),
            request(4, user, [("no-such-session", 1)]),
        ]
    )
    assert outcomes(results[1]) == {"phone": message_pb2.OUTCOME_DELIVERED}
    assert outcomes(results[2]) == {"phone": message_pb2.OUTCOME_DELIVERED}
    assert outcomes(results[3]) == {"phone": message_pb2.OUTCOME_GONE}
    assert outcomes(results[4]) == {"no-such-session": message_pb2.OUTCOME_GONE}
    assert results[1].sessions[0].epoch == client.epoch


def test_one_message_of_a_batch_goes_to_many_users(clients, pod, peer, user):
    users = [f"{user}-{number}" for number in range(10)]
    opened = [clients.at(pod, each) for each in users]
    requests = [request(number, each, message=number % 2) for number, each in enumerate(users)]
    peer.ask(requests, payloads=(b"even", b"odd"))
    for number, client in enumerate(opened):
        client.wait_payload("odd" if number % 2 else "even")
        assert len(client.payloads) == 1


def test_a_message_larger_than_the_session_takes_is_refused(clients, pod, peer, user):
    clients.at(pod, user, "phone")
    result = peer.ask([request(1, user)], payloads=(b"x" * (300 * 1024),))[1]
    assert outcomes(result) == {"phone": message_pb2.OUTCOME_REFUSED}


def test_a_wrong_request_is_answered_alone(clients, pod, peer, user):
    client = clients.at(pod, user)
    results = peer.ask([request(1, ""), request(2, user, message=7), request(3, user)])
    assert results[1].error and results[2].error
    assert not results[3].error
    client.wait_payload("hello")
    assert client.payloads == ["hello"]


def test_answers_tell_the_pod_s_view(cluster, peer, user):
    peer.batches.put(delivery_pb2.DeliverBatch(requests=[request(1, user)], messages=[message_pb2.Message(id="m")]))
    window = next(peer.call).window
    assert window.current.version == cluster.inspect()["version"]
    assert 0 < window.settled.version <= window.current.version
