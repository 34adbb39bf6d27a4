"""Parts die; sessions come back, pushes reach them, and what was not hit is not disturbed."""

import signal
import time

from harness.cluster import http
from harness.waiting import always, eventually

SESSIONS = 21


def open_many(cluster, clients, user, count=SESSIONS):
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, "phone", wait=False) for number in range(count)]
    for client in opened:
        client.wait_welcome()
    assert {client.pod for client in opened} == set(cluster.pods), "each pod holds some"
    return opened


def check_reached(cluster, clients, text):
    """Every one is where its record says, and a push to its user arrives there."""
    for client in clients:

        def placed() -> bool:
            return [(r["session"], r["pod"], r["epoch"]) for r in cluster.records(client.user)] == [
                (client.id, client.pod, client.epoch)
            ]

        eventually(f"{client.user} is recorded where it is", placed)

        def delivered() -> bool:
            result = cluster.push(client.user, text)
            assert [each["outcome"] for each in result["results"]] == ["delivered"], result
            return True

        eventually(f"a push to {client.user} is delivered", delivered)
        client.wait_payload(text)


def test_a_killed_pod_s_clients_are_back_and_nobody_else_noticed(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_many(cluster, clients, user)
    lost_user = cluster.user_owned_by("pod-1", "lost")
    lost = clients.open(lost_user, cluster.endpoints, "gone-for-good")
    assert lost.pod == "pod-1"
    incarnation = str(cluster.members()["pod-1"]["incarnation"])
    hit = [client for client in opened if client.pod == "pod-1"]
    spared = [client for client in opened if client.pod != "pod-1"]
    epochs = {client.user: client.epoch for client in opened}

    cluster.kill("pod-1")
    lost.stop()
    for client in hit:
        client.wait_welcome(2)
        assert client.pod in cluster.pods
        assert client.epoch > epochs[client.user]
    eventually("the killed pod is off the ring", lambda: cluster.active() == {"pod-0", "pod-2"})
    check_reached(cluster, opened, "after the kill")

    # The session that did not come back left a record, which nobody but the sweeper deletes.
    eventually("the dead incarnation's records are swept", lambda: cluster.records(lost_user) == [])
    eventually(
        f"nothing in Redis is left of user {lost_user}", lambda: not cluster.redis.keys(f"*{lost_user}*")
    )
    eventually(
        f"nothing in Redis indexes incarnation {incarnation}",
        lambda: not [key for key in cluster.redis.keys() if incarnation in key.replace("}", ":").split(":")],
    )
    for client in spared:
        assert client.undisturbed, client.events
        assert client.epoch == epochs[client.user]


def test_a_pod_that_comes_back_is_a_new_incarnation_and_takes_its_users(own_cluster, clients, user):
    cluster = own_cluster(pods=2)
    before = cluster.members()["pod-1"]["incarnation"]
    cluster.kill("pod-1")
    cluster.start_pod("pod-1")
    cluster.wait_members(2)
    eventually("one pod-1, a later one", lambda: cluster.members()["pod-1"]["incarnation"] > before)
    mine = cluster.user_owned_by("pod-1", user)
    client = clients.open(mine, cluster.endpoints)
    assert client.pod == "pod-1"
    cluster.push(mine, "welcome back")
    client.wait_payload("welcome back")


def test_redis_restarted_empty_disconnects_nobody_and_records_are_complete_again(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_many(cluster, clients, user)
    stray_user = f"{user}-strays"
    opened += [clients.at(pod, stray_user, pod.id) for pod in cluster.pods.values()]
    placed = {client.user: (client.pod, client.epoch) for client in opened}

    cluster.redis.restart_empty()

    eventually("all pods are members again", lambda: cluster.active() == set(cluster.pods))
    for client in opened[:SESSIONS]:
        eventually(
            f"{client.user} is recorded again",
            lambda: [(r["session"], r["pod"]) for r in cluster.records(client.user)] == [("phone", client.pod)],
        )
    eventually("all three strays are recorded again", lambda: len(cluster.records(stray_user)) == 3)
    for client in opened:
        assert client.undisturbed, client.events
    check_reached(cluster, opened[:SESSIONS], "after the loss")
    assert {client.user: (client.pod, client.epoch) for client in opened} == placed
    eventually(
        "three sessions on three pods are all reached",
        lambda: len(cluster.push(stray_user, "all three")["results"]) == 3,
    )
    for client in opened[SESSIONS:]:
        client.wait_payload("all three")
    # New sessions are admitted again, too.
    eventually("every pod is ready", lambda: all(http(pod.admin, "/readyz")[0] == 200 for pod in cluster.pods.values()))
    clients.open(f"{user}-late", cluster.endpoints)


def test_redis_gone_for_a_while_disconnects_nobody(own_cluster, clients, user):
    cluster = own_cluster(pods=2)
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, "phone") for number in range(6)]
    cluster.redis.child.send(signal.SIGSTOP)
    try:
        always("nobody is disconnected", lambda: all(client.undisturbed for client in opened), during=1.5)
    finally:
        cluster.redis.child.send(signal.SIGCONT)
    check_reached(cluster, opened, "after the silence")
    assert all(client.undisturbed for client in opened), [client.events for client in opened]


def test_sigterm_moves_a_pod_s_clients_and_ends_it_with_zero(own_cluster, clients, user):
    cluster = own_cluster()
    opened = open_many(cluster, clients, user)
    leaving = cluster.pods.pop("pod-2")
    hit = [client for client in opened if client.pod == "pod-2"]
    leaving.child.send(signal.SIGTERM)
    for client in hit:
        client.wait_welcome(2)
        assert client.pod in cluster.pods
        told = client.of("reconnect")
        assert told and told[0]["reason"] == "REASON_LEAVING", client.events
    assert leaving.child.exit_code() == 0
    eventually("it left the ring", lambda: set(cluster.members()) == {"pod-0", "pod-1"})
    check_reached(cluster, opened, "after the leave")
    for client in opened:
        if client not in hit:
            assert client.undisturbed, client.events


def test_a_client_that_cannot_move_is_closed_with_where_to_go(own_cluster, raw, user):
    cluster = own_cluster(pods=2, options={"--drain-deadline": "1s"})
    pod, other = cluster.pods["pod-0"], cluster.pods["pod-1"]
    stream = raw(pod.address).hello(user, "phone")
    stream.welcome()
    pod.child.send(signal.SIGTERM)
    status = stream.status()
    assert status.trailers["pushring-reason"] == "leaving"
    assert other.address in status.trailers["pushring-endpoints"].split(",")
    assert pod.child.exit_code() == 0


def test_a_killed_sender_leaves_nothing_behind_and_another_serves(own_cluster, clients, user):
    cluster = own_cluster(pods=2)
    client = clients.open(user, cluster.endpoints)
    cluster.push(user, "by the first")
    port = cluster.sender.port
    cluster.sender.child.kill()
    cluster.sender = cluster.start_sender("sender-again", port=port)
    result = cluster.push(user, "by the second")
    assert [each["outcome"] for each in result["results"]] == ["delivered"]
    client.wait_payload("by the second")
    assert client.payloads == ["by the first", "by the second"]
    assert client.undisturbed, client.events


def test_a_push_to_a_pod_that_just_died_fails_fast_and_says_what_it_knows(own_cluster, raw, user):
    cluster = own_cluster(pods=2)
    mine = cluster.user_owned_by("pod-0", user)
    stream = raw(cluster.pods["pod-0"].address).hello(mine, "phone")
    stream.welcome()
    assert cluster.push(mine, "alive")["completeness"] == "complete"
    cluster.kill("pod-0")
    # The refused connection says it at once: nobody waits for the time-out of five seconds.
    began = time.monotonic()
    result = cluster.push(mine, "dead")
    assert time.monotonic() - began < 4
    assert [each["outcome"] for each in result["results"]] in (["unreachable"], ["gone"])
    assert "delivered" not in str(result)


def test_a_pod_that_was_paused_past_its_lease_does_not_claim_sessions(own_cluster, clients, user):
    """SIGSTOP, longer than the lease: its users are served elsewhere; continued, it is a member again or restarts its
    sessions elsewhere. Either way, in the end everybody is reached."""
    cluster = own_cluster()
    opened = open_many(cluster, clients, user, count=15)
    paused = cluster.pods["pod-1"]
    paused.child.send(signal.SIGSTOP)
    try:
        eventually("the paused pod is off the ring", lambda: "pod-1" not in cluster.active())
    finally:
        paused.child.send(signal.SIGCONT)
    eventually("all pods are active again", lambda: cluster.active() == set(cluster.pods))
    check_reached(cluster, opened, "after the pause")
