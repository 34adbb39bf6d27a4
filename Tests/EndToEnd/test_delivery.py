"""A push reaches every session of its user, wherever they are, and says so; what it costs depends on the strategy."""

import concurrent.futures
import signal

import grpc
from pushring.v1 import push_pb2, push_pb2_grpc

from harness.processes import Child
from harness.program import program, run_json
from harness.waiting import eventually

LIMIT = 262144


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


def test_users_whose_names_look_alike_are_two(cluster, raw, user):
    """An é in one code point and in two, with the same session id on one pod."""
    one, other = f"{user}-caf\u00e9", f"{user}-cafe\u0301"
    pod = cluster.pods["pod-0"]
    streams = {name: raw(pod.address).hello(name, "s") for name in (one, other)}
    for name, stream in streams.items():
        stream.welcome()
    for name in (one, other):
        assert [each["outcome"] for each in cluster.push(name, f"for {name}")["results"]] == ["delivered"]
    for name, stream in streams.items():
        assert stream.read().message.payload.decode() == f"for {name}"


def test_a_push_to_one_that_waits_for_its_welcome_reaches_no_other(own_cluster, raw):
    """Of users whose names look alike, while their owner is silent and their streams wait elsewhere."""
    cluster = own_cluster(pods=2, options={"--lease": "6s", "--grace": "6s"})
    pairs = ((f"caf\u00e9-{number}", f"cafe\u0301-{number}") for number in range(1_000))
    pairs = [pair for pair in pairs if all(cluster.owner(name).id == "pod-1" for name in pair)][:4]
    owner = cluster.pods["pod-1"].child
    owner.send(signal.SIGSTOP)
    try:
        streams = {name: raw(cluster.pods["pod-0"].address).hello(name, "s") for pair in pairs for name in pair}
        eventually("all are registered", lambda: all(cluster.records(name) for name in streams))
        with concurrent.futures.ThreadPoolExecutor() as pushes:
            pushed = [pushes.submit(cluster.push, one, "for one") for one, _ in pairs]
            eventually("the pushes wait", lambda: cluster.metric(cluster.sender, "pushring_pushes_in_flight") >= 1)
            owner.send(signal.SIGCONT)
            results = [each.result() for each in pushed]
    finally:
        owner.send(signal.SIGCONT)
    assert [each["outcome"] for result in results for each in result["results"]] == ["delivered"] * len(pairs)
    for _, other in pairs:
        assert [each["outcome"] for each in cluster.push(other, "for other")["results"]] == ["delivered"]
    for one, other in pairs:
        for name, payload in ((one, "for one"), (other, "for other")):
            streams[name].welcome()
            assert streams[name].read().message.payload.decode() == payload


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


def push_file(cluster, sender, user, tmp_path, size, *more, codes=(0, 2, 3)):
    file = tmp_path / "payload"
    file.write_bytes(b"x" * size)
    return run_json("push", "--sender", sender.address, "--user", user, "--file", file, *more, codes=codes)


def test_a_payload_of_exactly_the_limit_arrives_with_the_largest_headers(cluster, clients, user, tmp_path):
    client = clients.open(user, cluster.endpoints)
    headers = [part for number in range(32) for part in ("--header", f"{number:064}={'v' * 1024}")]
    result = push_file(cluster, cluster.sender, user, tmp_path, LIMIT, *headers, "--message-id", "i" * 128)
    assert [each["outcome"] for each in result["results"]] == ["delivered"]
    client.wait_payload("x" * LIMIT)


def test_a_raised_limit_holds_from_the_sender_to_the_client(cluster, user, tmp_path):
    pod = cluster.start_pod("roomy", max_message="6000000")
    sender = cluster.start_sender("roomy-sender", max_message="6000000")
    try:
        command = [program(), "connect", "--endpoint", pod.address, "--stay", "--user", user, "--count", "1"]
        session = Child("connect", command + ["--output", "json"], tmp_path)
        eventually("the session is welcomed", lambda: '"event":"welcome"' in session.log)
        result = push_file(cluster, sender, user, tmp_path, 6_000_000)
        assert [each["outcome"] for each in result["results"]] == ["delivered"]
        assert session.exit_code() == 0
        assert "x" * 6_000_000 in session.log
    finally:
        sender.child.terminate()
        pod.child.terminate()
        assert pod.child.exit_code() == 0
        del cluster.pods["roomy"]
        cluster.wait_members(3)


def test_a_pod_with_a_lower_limit_refuses_and_names_it(cluster, clients, user, tmp_path):
    clients.open(user, cluster.endpoints)
    sender = cluster.start_sender("sender-with-a-higher-limit", max_message=str(2 * LIMIT))
    result = push_file(cluster, sender, user, tmp_path, LIMIT + 1)
    assert [each["outcome"] for each in result["results"]] == ["refused"]
    assert f"at most {LIMIT} (--max-message)" in result["results"][0]["detail"]


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
