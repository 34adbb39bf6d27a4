"""Complete means complete: what a push costs when all is quiet, and where strays are."""

import signal

import grpc
import pytest

from harness.waiting import eventually


def spent(cluster, act):
    """What `act` cost, each figure per push."""
    before = cluster.costs()
    act()
    after = cluster.costs()
    pushes = after["pushes"] - before["pushes"]
    assert pushes > 0
    return {name: (after[name] - before[name]) / pushes for name in ("rpcs", "reads", "hgetall")}


@pytest.fixture
def settled(own_cluster):
    cluster = own_cluster()
    cluster.sender.child.stop()
    # No claim is compared with the registry here, so that the figures are exact.
    cluster.sender = cluster.start_sender("exact", audit_interval="0")
    return cluster


def test_in_a_settled_cluster_a_push_is_one_rpc_and_no_read(settled, clients, user):
    cluster = settled
    one = [f"{user}-one-{number}" for number in range(5)]
    three = [f"{user}-three-{number}" for number in range(5)]
    opened = [clients.open(each, cluster.endpoints) for each in one]
    opened += [clients.open(each, cluster.endpoints, f"device-{number}") for each in three for number in range(3)]

    def push_to(users):
        for each in users:
            result = cluster.push(each, "hello")
            assert (result["route"], result["completeness"]) == ("ring", "complete"), result
            assert {entry["outcome"] for entry in result["results"]} == {"delivered"}

    for users in (one, three):
        assert spent(cluster, lambda: push_to(users)) == {"rpcs": 1.0, "reads": 0.0, "hgetall": 0.0}
    for client in opened:
        client.wait_payload("hello")


def test_only_users_with_strays_cost_a_read(settled, clients, user):
    cluster = settled
    users = [f"{user}-{number}" for number in range(10)]
    for each in users:
        clients.open(each, cluster.endpoints, "home")
    stray = clients.at(cluster.others(users[0])[0], users[0], "stray")

    results = {}

    def push_to_all():
        for each in users:
            results[each] = cluster.push(each, "hello")

    # One RPC more, to the stray's pod.
    cost = spent(cluster, push_to_all)
    assert (cost["rpcs"], cost["reads"]) == (1.1, 0.1)
    assert [each for each in users if results[each]["registryReads"]] == [users[0]]
    assert {entry["session"] for entry in results[users[0]]["results"]} == {"home", "stray"}
    stray.wait_payload("hello")

    stray.stop()
    eventually("the stray is forgotten", lambda: cluster.push(users[0], "again")["registryReads"] == 0)


def test_a_join_costs_reads_for_moved_users_only_and_settles(settled, clients, user):
    cluster = settled
    users = [f"{user}-{number}" for number in range(12)]
    for each in users:
        clients.open(each, cluster.endpoints)
    before = {each: cluster.owner(each).id for each in users}

    cluster.start_pod("pod-3")
    cluster.wait_settled()
    moved = {each for each in users if cluster.owner(each).id != before[each]}
    results = {each: cluster.push(each, "after the join") for each in users}
    assert all(result["completeness"] == "complete" for result in results.values())
    # Their sessions are strays now, and stay until somebody moves them.
    assert {each for each in users if results[each]["registryReads"]} == moved

    cluster.pods["pod-3"].child.terminate()
    assert cluster.pods.pop("pod-3").child.exit_code() == 0
    eventually("three members", lambda: len(cluster.members()) == 3)
    cluster.wait_settled()
    results = [cluster.push(each, "after the leave") for each in users]
    assert [result["registryReads"] for result in results] == [0] * len(users)


def test_a_killed_pod_is_proven_gone_and_nothing_waits_for_its_grace(settled, clients, user):
    """By the refused connection: the lease is 2 s and the grace after it 2 s more."""
    cluster = settled
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, "phone") for number in range(12)]
    hit = [client for client in opened if client.pod == "pod-1"]
    assert hit
    cluster.kill("pod-1")
    for client in hit:
        client.wait_welcome(2)
        assert client.of("welcome")[1]["at"] - client.of("ended")[0]["at"] < 1.5
    view = cluster.wait_settled()
    assert {member["id"] for member in view["members"]} == {"pod-0", "pod-2"}
    for client in opened:
        assert cluster.push(client.user, "settled")["registryReads"] == 0


def test_audits_agree(own_cluster, clients, user):
    cluster = own_cluster()
    cluster.sender = cluster.start_sender("auditor", audit_interval="1")
    clients.open(user, cluster.endpoints)
    for number in range(5):
        assert cluster.push(user, f"{number}")["registryReads"] == 1
    assert cluster.metric(cluster.sender, "pushring_audits_total") == 5
    assert cluster.metric(cluster.sender, "pushring_audit_missed_sessions_total") == 0


def test_metrics_tell_strays_and_whether_the_view_is_settled(own_cluster, clients, user):
    """Counted with each renewal; a paused pod acknowledges no view, so the next one does not settle while it is a member."""
    cluster = own_cluster(options={"--grace": "60s"})
    clients.open(user, cluster.endpoints, "home")
    elsewhere, third = cluster.others(user)
    clients.at(elsewhere, user, "stray")
    for pod in cluster.pods.values():
        expected = 1 if pod is elsewhere else 0
        eventually(f"{pod.id} has {expected} strays", lambda: cluster.metric(pod, "pushring_strays") == expected)
        eventually(f"{pod.id} sees a settled view", lambda: cluster.metric(pod, "pushring_view_settled") == 1)

    third.child.send(signal.SIGSTOP)
    eventually("the view does not settle", lambda: cluster.metric(elsewhere, "pushring_view_settled") == 0)
    third.child.send(signal.SIGCONT)
    eventually("it settles again", lambda: cluster.metric(elsewhere, "pushring_view_settled") == 1)


def test_pods_senders_and_commands_agree_on_owners_when_shares_are_capped(own_cluster, clients, user):
    """The cap is given to the pods alone; without it one of these three pods would own more than 34 %."""
    cluster = own_cluster(options={"--share-cap": "101"})
    shares = [member["share"] for member in cluster.members().values()]
    assert max(shares) <= 1.01 / 3 + 1e-9 and sum(shares) == pytest.approx(1)
    exact = cluster.start_sender("exact", audit_interval="0")
    cluster.sender.child.stop()
    cluster.sender = exact
    for number in range(40):
        each = f"{user}-{number}"
        owner = cluster.owner(each).id
        # Where a pod sends the client to, by its ring; and whom the Sender asks first, by its own.
        assert clients.open(each, cluster.endpoints).pod == owner
        result = cluster.push(each, "hello")
        assert (result["route"], result["completeness"], result["registryReads"]) == ("ring", "complete", 0), result
        assert [entry["pod"] for entry in result["results"]] == [owner]

    stranger = cluster.start_pod("pod-3", wait=False, share_cap="110")
    assert stranger.child.exit_code() == 1
    assert "share-cap 101% there and 110% here" in stranger.child.log


def test_a_second_hello_gives_back_the_record_of_a_stream_that_waits(own_cluster, raw):
    """The record is written, and the Welcome waits for an owner that is silent."""
    cluster = own_cluster(pods=2, options={"--lease": "6s", "--grace": "6s"})
    user = cluster.user_owned_by("pod-1", "twice")
    owner = cluster.pods["pod-1"].child
    owner.send(signal.SIGSTOP)
    try:
        stream = raw(cluster.pods["pod-0"].address).hello(user, "s")
        eventually("its record is written", lambda: cluster.records(user))
        status = stream.hello(user, "s").status()
        assert (status.code, status.trailers["pushring-reason"]) == (grpc.StatusCode.INVALID_ARGUMENT, "bad-hello")
        eventually("its record is gone", lambda: not cluster.records(user))
    finally:
        owner.send(signal.SIGCONT)
