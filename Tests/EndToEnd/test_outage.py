"""The faults of the design, one by one, on real processes: nobody is disconnected for nothing, and no push that
reports success has missed a session."""

import re
import signal
import time

import pytest
from hyperframe import frame as frames

from harness import http2
from harness.cluster import http
from harness.load import Load, check_no_success_hid_a_session
from harness.processes import free_port
from harness.proxy import Proxy
from harness.waiting import always, eventually

# A pause must not outlast it where sessions are to survive.
LONG_GRACE = {"--grace": "30s"}


@pytest.fixture
def proxies():
    made = []

    def make(target: int) -> Proxy:
        made.append(Proxy(target))
        return made[-1]

    yield make
    for proxy in made:
        proxy.stop()


def open_users(cluster, clients, user, count, sessions=1):
    opened = [
        clients.open(f"{user}-{number}", cluster.endpoints, f"s{session}", wait=False)
        for number in range(count)
        for session in range(sessions)
    ]
    for client in opened:
        client.wait_welcome()
    return opened


def users_of(opened):
    return sorted({client.user for client in opened})


def records_are_exact(cluster, opened):
    """Every open session is recorded where it is, and nothing else is."""

    def exact() -> bool:
        for user in users_of(opened):
            expected = sorted((c.session.session, c.pod, c.epoch) for c in opened if c.user == user)
            found = sorted((r["session"], r["pod"], r["epoch"]) for r in cluster.records(user))
            assert found == expected, (user, found, expected)
        return True

    eventually("records are exact", exact, within=40)


def all_are_reached_without_doubt(cluster, opened, text):
    def reached() -> bool:
        for user in users_of(opened):
            result = cluster.push(user, text)
            assert result["completeness"] == "complete", result
            assert len(result["results"]) == len([c for c in opened if c.user == user]), result
        return True

    eventually("each push is complete and reaches all", reached)
    for client in opened:
        client.wait_payload(text)


def pod_with_proxies(cluster, proxies, pod_id, peers=False, **options):
    """A pod that reaches Redis, and that peers reach, only through proxies."""
    redis = proxies(cluster.redis.port)
    settings = {"redis": f"redis://{redis.address}", **options}
    if peers:
        peer = free_port()
        peer_proxy = proxies(peer)
        settings |= {"peer_listen": f"127.0.0.1:{peer}", "peer_advertise": peer_proxy.address}
        return cluster.start_pod(pod_id, **settings), redis, peer_proxy
    return cluster.start_pod(pod_id, **settings), redis


@pytest.mark.parametrize("pause", [8.0], ids=["8s"])
def test_a_pod_paused_within_its_grace_keeps_its_sessions_and_claims_nothing_meanwhile(own_cluster, clients, user, pause):
    cluster = own_cluster(options=LONG_GRACE)
    cluster.sender.child.stop()
    cluster.sender = cluster.start_sender("patient", grace="30s")
    opened = open_users(cluster, clients, user, 20)
    opened += [clients.at(pod, f"{user}-0", f"stray-{pod.id}") for pod in cluster.pods.values()]
    load = Load(clients, cluster.sender.address, users_of(opened), rate=40)
    paused = cluster.pods["pod-1"]
    paused.child.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        eventually("its lease ends", lambda: cluster.members()["pod-1"]["state"] == "grace")
        always("the others are undisturbed", lambda: True, during=max(0.0, pause - (time.monotonic() - began)))
    finally:
        paused.child.send(signal.SIGCONT)
    eventually("it resumes", lambda: cluster.active() == set(cluster.pods))
    cluster.wait_settled()
    pushes = load.stop()
    assert all(client.undisturbed for client in opened), [c.life for c in opened if not c.undisturbed]
    assert check_no_success_hid_a_session(pushes, opened) > len(pushes) / 3
    records_are_exact(cluster, opened)
    all_are_reached_without_doubt(cluster, opened, "after the pause")


def test_a_pod_paused_past_its_grace_ends_its_streams_first_and_is_a_new_incarnation(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_users(cluster, clients, user, 15)
    before = cluster.members()["pod-1"]["incarnation"]
    hit = [client for client in opened if client.pod == "pod-1"]
    load = Load(clients, cluster.sender.address, users_of(opened), rate=40)
    paused = cluster.pods["pod-1"]
    paused.child.send(signal.SIGSTOP)
    try:
        eventually("it is written off", lambda: "pod-1" not in cluster.members())
    finally:
        paused.child.send(signal.SIGCONT)
    for client in hit:
        client.wait_welcome(2)
    eventually("it is a member again", lambda: cluster.members()["pod-1"]["incarnation"] > before)
    cluster.wait_settled()
    pushes = load.stop()
    assert check_no_success_hid_a_session(pushes, opened) > 0
    for client in opened:
        assert client in hit or client.undisturbed, client.events
    records_are_exact(cluster, opened)
    all_are_reached_without_doubt(cluster, opened, "after the pause")


def test_a_pod_cut_off_from_redis_only_serves_what_it_has_and_admits_nobody(own_cluster, clients, raw, proxies, user):
    cluster = own_cluster(pods=2, options=LONG_GRACE)
    cluster.sender.child.stop()
    cluster.sender = cluster.start_sender("patient", grace="30s")
    pod, redis = pod_with_proxies(cluster, proxies, "pod-cut")
    cluster.wait_settled()
    opened = open_users(cluster, clients, user, 15)
    mine = [client for client in opened if client.pod == "pod-cut"]
    assert mine

    redis.cut()
    load = Load(clients, cluster.sender.address, users_of(opened), rate=40)
    eventually("it is in grace", lambda: cluster.members()["pod-cut"]["state"] == "grace")
    eventually("it is not ready", lambda: http(pod.admin, "/readyz")[0] == 503)
    # Its peers reach Redis, so it may not admit; it names them.
    stranger = raw(pod.address).hello(f"{user}-stranger")
    status = stranger.status()
    assert status.trailers["pushring-reason"] == "registry-unavailable"
    assert set(status.trailers["pushring-endpoints"].split(",")) == {
        other.address for other in cluster.pods.values() if other is not pod
    }
    for client in mine:
        result = cluster.push(client.user, "through the records")
        assert (result["route"], result["completeness"]) == ("directory", "complete"), result
        client.wait_payload("through the records")

    redis.mend()
    eventually("it resumes", lambda: cluster.active() == set(cluster.pods))
    cluster.wait_settled()
    pushes = load.stop()
    assert check_no_success_hid_a_session(pushes, opened) > len(pushes) / 2
    assert all(client.undisturbed for client in opened)
    records_are_exact(cluster, opened)
    all_are_reached_without_doubt(cluster, opened, "after the cut")


def test_a_pod_cut_off_from_redis_for_longer_than_its_grace_tells_its_clients_to_go(own_cluster, clients, proxies, user):
    cluster = own_cluster(pods=2)
    _, redis = pod_with_proxies(cluster, proxies, "pod-cut")
    cluster.wait_settled()
    opened = open_users(cluster, clients, user, 15)
    mine = [client for client in opened if client.pod == "pod-cut"]
    redis.cut()
    for client in mine:
        client.wait_welcome(2)
        assert client.of("ended")[0]["reason"] == "membership-lost"
    eventually("it is written off", lambda: "pod-cut" not in cluster.members())
    cluster.wait_settled()
    redis.mend()
    eventually("it is back as a new incarnation", lambda: "pod-cut" in cluster.active())
    records_are_exact(cluster, opened)
    all_are_reached_without_doubt(cluster, opened, "after the cut")


def test_a_pod_cut_off_from_everything_tells_its_clients_to_go_within_the_grace(own_cluster, clients, proxies, user):
    cluster = own_cluster(pods=2)
    _, redis, peers = pod_with_proxies(cluster, proxies, "pod-cut", peers=True)
    cluster.wait_settled()
    opened = open_users(cluster, clients, user, 15)
    mine = [client for client in opened if client.pod == "pod-cut"]
    load = Load(clients, cluster.sender.address, users_of(opened), rate=40)
    redis.cut()
    peers.cut()
    cut = time.monotonic()
    for client in mine:
        client.wait_welcome(2)
        # Lease and grace are 2 s each.
        assert client.of("ended")[0]["at"] - cut < 6
    eventually("it is written off", lambda: "pod-cut" not in cluster.members())
    cluster.wait_settled()
    pushes = load.stop()
    assert check_no_success_hid_a_session(pushes, opened) > 0
    del cluster.pods["pod-cut"]
    records_are_exact(cluster, opened)
    all_are_reached_without_doubt(cluster, opened, "after the cut")


def test_redis_down_for_all_disconnects_nobody_and_hides_nothing(own_cluster, clients, user):
    """For longer than lease and grace together, with sessions coming and going; then it is back, empty."""
    cluster = own_cluster()
    opened = open_users(cluster, clients, user, 20, sessions=2)
    load = Load(clients, cluster.sender.address, users_of(opened), rate=40)
    cluster.redis.child.kill()
    began = time.monotonic()

    def push_scatters() -> bool:
        result = cluster.push(opened[0].user, "while Redis is away")
        return result["route"] == "scatter" and len(result["results"]) == 2

    eventually("pushes ask all pods", push_scatters)
    # No pod reaches it, and they tell each other so: sessions are admitted again.
    late = [clients.open(f"{user}-late-{number}", cluster.endpoints, "s0", wait=False) for number in range(5)]
    for client in late:
        client.wait_welcome()
    gone, opened = opened[:5], opened[5:]
    for client in gone:
        client.stop()
    result = cluster.push(late[0].user, "to the late")
    assert (result["route"], result["completeness"]) == ("scatter", "unknown"), result
    late[0].wait_payload("to the late")
    always(
        "nobody is disconnected",
        lambda: all(client.undisturbed for client in opened),
        during=max(0.0, 8 - (time.monotonic() - began)),
    )
    cluster.redis.start()
    eventually("all pods are members again", lambda: cluster.active() == set(cluster.pods))
    cluster.wait_settled()
    pushes = load.stop()
    assert all(client.undisturbed for client in opened), [c.life for c in opened if not c.undisturbed]
    assert all(client.stayed for client in late), [c.life for c in late if not c.stayed]
    assert check_no_success_hid_a_session(pushes, opened + late) > 0
    records_are_exact(cluster, opened + late)
    all_are_reached_without_doubt(cluster, opened + late, "Redis is back")


def test_redis_down_with_a_pod_killed_and_one_paused(own_cluster, clients, user):
    cluster = own_cluster(pods=4, options=LONG_GRACE)
    cluster.sender.child.stop()
    cluster.sender = cluster.start_sender("patient", grace="30s")
    opened = open_users(cluster, clients, user, 20, sessions=2)
    load = Load(clients, cluster.sender.address, users_of(opened), rate=40)
    cluster.redis.child.kill()
    killed = {client for client in opened if client.pod == "pod-1"}
    cluster.kill("pod-1")
    paused = cluster.pods["pod-2"]
    paused.child.send(signal.SIGSTOP)
    try:
        always("a while passes", lambda: True, during=8)
    finally:
        paused.child.send(signal.SIGCONT)
    cluster.redis.start()
    for client in killed:
        client.wait_welcome(2)
    eventually("the living are members again", lambda: cluster.active() == set(cluster.pods))
    pushes = load.stop()
    assert check_no_success_hid_a_session(pushes, opened) > 0
    for client in opened:
        assert client in killed or client.undisturbed, client.events
    records_are_exact(cluster, opened)
    # What the registry forgot, the killed pod among it, may have streams until lease and grace are over.
    eventually("it settles without the dead", lambda: "pod-1" not in cluster.members(), within=60)
    cluster.wait_settled()
    all_are_reached_without_doubt(cluster, opened, "all is well")


def test_a_stale_replica_takes_over_and_nothing_is_lost(own_cluster, clients, proxies, tmp_path, user):
    """It lacks a pod that has joined since, and the sessions that have come."""
    cluster = own_cluster(pods=0)
    primary = cluster.redis.port
    front = proxies(primary)
    replica = cluster.redis.replica(tmp_path)
    through = {"redis": f"redis://{front.address}"}
    for number in range(2):
        cluster.start_pod(f"pod-{number}", **through)
    cluster.sender = cluster.start_sender("through", **through)
    cluster.wait_settled()
    opened = open_users(cluster, clients, user, 10)
    eventually("the replica has it all", lambda: replica.call("DBSIZE") == cluster.redis.call("DBSIZE"))
    replica.call("REPLICAOF", "NO", "ONE")
    cluster.start_pod("pod-late", **through)
    cluster.wait_settled()
    opened += open_users(cluster, clients, f"{user}-late", 10)
    assert {client.pod for client in opened} == set(cluster.pods)
    load = Load(clients, cluster.sender.address, users_of(opened), rate=40)

    front.retarget(replica.port)
    cluster.redis.child.kill()
    cluster.redis = replica
    eventually("all pods are members again", lambda: cluster.active() == set(cluster.pods))
    cluster.wait_settled()
    pushes = load.stop()
    assert all(client.undisturbed for client in opened), [c.life for c in opened if not c.undisturbed]
    assert check_no_success_hid_a_session(pushes, opened) > 0
    records_are_exact(cluster, opened)
    all_are_reached_without_doubt(cluster, opened, "the replica has it")


def test_a_storm_waits_in_the_pod_and_who_has_gone_meanwhile_is_not_registered(own_cluster, user):
    """What waits at Redis delays everything behind it, and comes too late itself; so no more than 1,024 do."""
    cluster = own_cluster(pods=1)
    pod = cluster.pods["pod-0"]
    staying = [http2.Connection(pod.address) for _ in range(2)]
    going = http2.Connection(pod.address)

    def hellos(name: str, count: int) -> bytes:
        streams = range(1, 2 * count, 2)
        return b"".join(http2.headers(s) + http2.data(s, http2.hello(f"{user}-{name}-{s}")) for s in streams)

    def registrations() -> int:
        found = re.search(r"cmdstat_sadd:calls=(\d+)", cluster.redis.call("INFO", "commandstats"))
        return int(found[1]) if found else 0

    before = registrations()
    cluster.redis.child.send(signal.SIGSTOP)
    try:
        staying[0].send(hellos("first", 700))
        staying[1].send(hellos("second", 500))
        eventually("they wait", lambda: cluster.metric(pod, "pushring_streams") == 1_200)
        going.send(hellos("going", 300))
        eventually("they wait as well", lambda: cluster.metric(pod, "pushring_streams") == 1_500)
        going.close()
        eventually("they have gone", lambda: cluster.metric(pod, "pushring_streams_closed_total") == 300)
    finally:
        cluster.redis.child.send(signal.SIGCONT)
    for connection, count in ((staying[0], 700), (staying[1], 500)):
        assert connection.read_until(lambda: len(connection.of(frames.DataFrame)) == count), connection.frames[-3:]
        assert not connection.resets
    assert registrations() - before == 1_200
    for connection in staying:
        connection.close()
