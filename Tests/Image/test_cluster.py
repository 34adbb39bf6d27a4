"""A whole cluster from the image, each container without rights, a shell or a place to write to."""

from __future__ import annotations

import json

from harness.load import Load, check_nothing_is_missing, never_without_a_stream
from harness.waiting import eventually
from image.cluster import CLIENTS, PUSHES, Cluster, Server
from image.podman import HARDENED

SESSIONS, RATE = 40, 50


def connect(cluster: Cluster, user: str, *more: str) -> Server:
    """The image's own client, in a container, welcomed by a pod."""
    arguments = ["--endpoint", ",".join(cluster.endpoints), "--user", user, "--output", "json", *more]
    client = cluster.command("connect", "connect", *arguments)
    eventually(f"{user} is welcomed", lambda: '"welcome"' in client.log)
    return client


def push(cluster: Cluster, user: str, sender: Server | None = None) -> Server:
    address = (sender or cluster.sender).endpoint(PUSHES)
    return cluster.command("push", "push", "--sender", address, "--user", user, "--message", "hello")


def members(cluster: Cluster) -> dict[str, dict]:
    """By `podman exec`, with the container's own settings, as an operator would do it."""
    done = cluster.pods[0].execute("pushring", "ring", "inspect", "--output", "json")
    assert done.code == 0, done.text
    return {member["id"]: member for member in done.json["members"]}


def test_no_process_has_any_rights(cluster):
    for server in cluster.programs:
        status = server.status()
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}, status
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
        assert "0" not in status["Uid"].split(), status
        assert status["Groups"].split() in ([], ["0"], ["65532"]), status


def test_users_are_those_that_were_asked_for(cluster):
    users = [server.status()["Uid"].split()[0] for server in cluster.programs]
    assert users == ["65532", "65532", "1000660000", "1000660000"]


def test_the_program_is_the_first_process(cluster):
    for server in cluster.programs:
        status = server.status()
        assert status["Name"] == "pushring" and status["NSpid"].split()[-1] == "1", status


def test_probes_say_that_all_are_well(cluster):
    assert [server.get(path)[0] for server in cluster.programs for path in ("/healthz", "/readyz")] == [200] * 8


def test_an_operator_needs_no_flags(cluster):
    found = members(cluster)
    assert {name: found[name]["endpoint"] for name in found} == {
        f"push-{number}": pod.endpoint(CLIENTS) for number, pod in enumerate(cluster.pods)
    }
    done = cluster.pods[1].execute("pushring", "ring", "check")
    assert done.code == 0, done.text


def test_a_client_receives_what_is_pushed(cluster):
    client, pushed = connect(cluster, "alice", "--count", "1"), push(cluster, "alice")
    assert pushed.exit_code() == 0, pushed.log
    assert client.exit_code() == 0, client.log
    events = [json.loads(line) for line in client.log.splitlines() if line.startswith("{")]
    assert [event["payload"] for event in events if event["event"] == "message"] == ["hello"]


def test_a_push_to_nobody_ends_with_3(cluster):
    pushed = push(cluster, "nobody")
    assert pushed.exit_code() == 3, pushed.log


def test_a_client_ends_with_its_container(cluster):
    client = connect(cluster, "bob")
    stopped = client.stop(grace=10)
    assert stopped.code == 0 and stopped.seconds < 8, (stopped, client.log)


def test_nothing_is_written(cluster):
    """Where it could be: on a root file system that is not read-only."""
    writable = [option for option in HARDENED if not option.startswith("--read-only")]
    sender = cluster.start_sender(options=writable).wait_ready()
    connect(cluster, "carol", "--count", "1")
    pushed = push(cluster, "carol", sender)
    assert pushed.exit_code() == 0, pushed.log
    assert sender.execute("pushring", "ring", "inspect").code == 0
    # podman itself puts some files there, whatever runs.
    idle = cluster.command("idle", "--version", options=writable)
    assert idle.exit_code() == 0
    assert sender.changes() == idle.changes()
    assert sender.stop().code == 0


def test_sigterm_moves_a_pods_sessions_and_loses_nothing(cluster, clients):
    """The last tests of this file end what the others need."""
    opened = [clients.open(f"user-{number}", cluster.endpoints, "phone", wait=False) for number in range(SESSIONS)]
    for client in opened:
        client.wait_welcome()
    load = Load(clients, cluster.sender.endpoint(PUSHES), [client.user for client in opened], RATE)
    leaving = cluster.pods[2]
    there = [client for client in opened if client.pod == "push-2"]
    assert there, "no client is at the pod that leaves"
    eventually("the load is under way", lambda: len(load.pushes) > RATE)
    stopped = leaving.stop()
    eventually("only two are left", lambda: members(cluster).keys() == {"push-0", "push-1"})
    before = len(load.pushes)
    eventually("the load went on", lambda: len(load.pushes) > before + RATE)
    pushes = load.stop()
    assert stopped.code == 0 and stopped.seconds < 30, (stopped, leaving.log)
    assert "The pod has left" in leaving.log
    check_nothing_is_missing(pushes, opened)
    assert not [push for push in pushes if set(push.outcomes) != {"delivered"}]
    assert all(never_without_a_stream(client) and client.pod != "push-2" for client in there), [client.life for client in there][:3]


def test_a_sender_ends_with_zero(cluster):
    stopped = cluster.sender.stop()
    assert stopped.code == 0 and stopped.seconds < 10, (stopped, cluster.sender.log)


def test_pods_end_with_zero_also_when_they_are_the_last(cluster):
    assert [pod.stop().code for pod in cluster.pods[:2]] == [0, 0]
