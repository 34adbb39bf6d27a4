"""A push reaches every session of its user, wherever they are, and says so; what it costs depends on the strategy."""

import grpc
from pushring.v1 import push_pb2, push_pb2_grpc

from harness.waiting import eventually


def place(cluster, clients, user):
    """Three sessions of one user on two pods: two at the owner, one elsewhere."""
    owner, stray = cluster.owner(user), cluster.others(user)[0]
    return [
        clients.at(owner, user, "phone"),
        clients.at(owner, user, "tablet"),
        clients.at(stray, user, "laptop"),
    ]


def outcomes(result):
    return {(each["session"], each["pod"]): each["outcome"] for each in result["results"]}


def test_a_python_client_receives_exactly_the_pushed_message(cluster, clients, user):
    client = clients.open(user, cluster.endpoints, "phone")
    message = 'hällo "wörld" \\ 🎉'
    result = cluster.push(user, message)
    client.wait_payload(message)
    assert client.payloads == [message]
    assert result["user"] == user
    assert result["completeness"] == "complete"
    assert outcomes(result) == {("phone", client.pod): "delivered"}


def test_a_client_that_locates_lands_on_its_owner(cluster, clients, user):
    assert clients.open(user, cluster.endpoints).pod == cluster.owner(user).id


def test_three_sessions_on_two_pods_cost_two_rpcs_by_the_ring(cluster, clients, user):
    sessions = place(cluster, clients, user)
    result = cluster.push(user, "ring")
    for session in sessions:
        session.wait_payload("ring")
    assert result["deliverRPCs"] == 2
    assert result["registryReads"] == 1
    assert result["completeness"] == "complete"
    assert outcomes(result) == {(each.id, each.pod): "delivered" for each in sessions}


def test_the_directory_costs_one_rpc_a_pod_grouped_and_one_a_session_ungrouped(cluster, clients, user):
    sessions = place(cluster, clients, user)
    grouped = cluster.push(user, "grouped", "--strategy", "directory")
    ungrouped = cluster.push(user, "ungrouped", "--strategy", "directory", "--no-grouping")
    for session in sessions:
        session.wait_payload("grouped")
        session.wait_payload("ungrouped")
    assert (grouped["route"], grouped["deliverRPCs"], grouped["registryReads"]) == ("directory", 2, 1)
    assert (ungrouped["route"], ungrouped["deliverRPCs"], ungrouped["registryReads"]) == ("directory", 3, 1)


def test_a_sender_configured_ungrouped_costs_one_rpc_a_session(cluster, clients, user):
    place(cluster, clients, user)
    sender = cluster.start_sender("sender-ungrouped", strategy="directory", no_grouping="")
    assert cluster.push(user, "hello", sender=sender)["deliverRPCs"] == 3


def test_modulo_asks_one_pod_and_never_claims_completeness(cluster, clients, user):
    place(cluster, clients, user)
    result = cluster.push(user, "modulo", "--strategy", "modulo")
    assert (result["deliverRPCs"], result["registryReads"]) == (1, 0)
    assert result["completeness"] == "unknown"


def test_a_push_to_one_session_reaches_only_that_one(cluster, clients, user):
    phone, tablet, laptop = place(cluster, clients, user)
    result = cluster.push(user, "only the laptop", "--session", "laptop")
    laptop.wait_payload("only the laptop")
    assert outcomes(result) == {("laptop", laptop.pod): "delivered"}
    # Whatever was sent to the others before this one would have arrived before it.
    cluster.push(user, "everybody")
    for other in (phone, tablet):
        other.wait_payload("everybody")
        assert other.payloads == ["everybody"]


def test_a_push_to_nobody_is_complete_and_reaches_none(cluster, user):
    result = cluster.push(user, "hello?")
    assert result["results"] == []
    assert result["completeness"] == "complete"


def test_a_session_that_ended_is_pushed_to_no_more(cluster, clients, user):
    client = clients.open(user, cluster.endpoints)
    client.stop()
    eventually("its record is gone", lambda: cluster.records(user) == [])
    assert cluster.push(user, "too late")["results"] == []


def test_a_message_given_twice_with_one_id_is_seen_once(cluster, clients, user):
    client = clients.open(user, cluster.endpoints)
    with grpc.insecure_channel(cluster.sender.address) as channel:
        pushes = push_pb2_grpc.PushesStub(channel)
        for payload in (b"first", b"repeated"):
            request = push_pb2.PushRequest(user_id=user, payload=payload, message_id="one-id", headers={"trace": "7"})
            assert pushes.Push(request, timeout=10).message_id == "one-id"
    cluster.push(user, "last")
    client.wait_payload("last")
    assert client.payloads == ["first", "last"]
    assert client.of("message")[0]["headers"] == {"trace": "7"}
    assert client.of("message")[0]["id"] == "one-id"
