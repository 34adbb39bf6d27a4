"""A rolling restart by the StatefulSet's own settings, under a load of pushes: no push and no session is lost."""

from __future__ import annotations

from dataclasses import dataclass

from chart import helm
from chart.balancer import Balancer
from chart.kubelet import Node, Pod, Stopped
from chart.manifests import find
from harness.clients import Client, Clients
from harness.load import Load, Push, check_nothing_is_missing, never_without_a_stream
from harness.waiting import always, eventually

PODS, SESSIONS, RATE = 3, 60, 50


@dataclass
class Rolled:
    pushes: list[Push]
    opened: list[Client]
    ended: list[Stopped]


def start(node: Node) -> Pod:
    """Everything that the release has, ready; returns the Sender."""
    node.replicas("StatefulSet", "push-redis")[0].wait_ready()
    pods = node.replicas("StatefulSet", "push")
    sender = node.replicas("Deployment", "push-sender")[0]
    for pod in [*pods, sender]:
        pod.wait_ready()
    # A registry that is new can't be told from one that has lost everything, so for a moment pushes ask all pods.
    eventually("the view is settled", lambda: all("pushring_view_settled 1" in pod.get("/metrics")[1] for pod in pods))
    return sender


def roll(node: Node, workload: dict) -> list[Stopped]:
    """What the StatefulSet's controller does: from the last pod to the first, one at a time, each ready for a while before the next."""
    ended = []
    for number in reversed(range(workload["spec"]["replicas"])):
        before = node.pods[f"push-{number}"]
        ended.append(before.stop())
        after = node.start(workload, number).wait_ready()
        assert after.address != before.address, "a new pod has a new address"
        always(f"{after.name} stays ready", lambda: after.probe("readinessProbe"), workload["spec"]["minReadySeconds"])
    return ended


def roll_under_load(node: Node, clients: Clients, endpoints: list[str], sender: Pod) -> Rolled:
    workload = find(node.documents, "StatefulSet", "push")
    assert workload["spec"]["replicas"] == PODS and workload["spec"]["updateStrategy"]["type"] == "RollingUpdate"
    opened = [clients.open(f"user-{number}", endpoints, "phone", wait=False) for number in range(SESSIONS)]
    for client in opened:
        client.wait_welcome()
    load = Load(clients, sender.endpoint("pushes"), [client.user for client in opened], RATE)
    ended = roll(node, workload)
    return Rolled(load.stop(), opened, ended)


def check_nothing_is_lost(rolled: Rolled, node: Node) -> None:
    workload = find(node.documents, "StatefulSet", "push")
    assert [stopped.code for stopped in rolled.ended] == [0] * PODS
    grace = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert all(stopped.seconds < grace for stopped in rolled.ended), rolled.ended
    assert len(rolled.pushes) > RATE * PODS * workload["spec"]["minReadySeconds"] * 0.8
    check_nothing_is_missing(rolled.pushes, rolled.opened)
    undelivered = [push for push in rolled.pushes if set(push.outcomes) != {"delivered"}]
    assert not undelivered, undelivered[:3]
    # While a view is new, one may reach all sessions and not be sure of it.
    unsure = [push for push in rolled.pushes if not push.is_complete]
    assert len(unsure) <= len(rolled.pushes) / 100, (len(unsure), unsure[:3])
    lost = [client.life for client in rolled.opened if not never_without_a_stream(client)]
    assert not lost, lost[:3]
    # All had to move, as no pod is the one that it was.
    assert all(client.of("reconnect") and len(client.of("welcome")) > 1 for client in rolled.opened)


def test_a_rolling_restart_of_three_pods_loses_no_push_and_no_session(run, clients):
    node = run(helm.template(sender__replicas="1"))
    sender = start(node)
    rolled = roll_under_load(node, clients, [pod.endpoint("clients") for pod in node.ready("push")], sender)
    check_nothing_is_lost(rolled, node)
    alive = {pod.endpoint("clients") for pod in node.pods.values() if "clients" in [p["name"] for p in pod.container["ports"]]}
    assert {client.of("welcome")[-1]["endpoint"] for client in rolled.opened} <= alive


def test_behind_one_balancer_address_neither(run, clients):
    """Each connection ends up at some pod, so most sessions are strays, and a move can't name its target."""
    node: Node | None = None
    balancer = Balancer(lambda: [pod.endpoint("clients") for pod in node.ready("push")])
    try:
        documents = helm.template(
            sender__replicas="1", sessionManager__minReadySeconds="3", exposure__single__address=f'"{balancer.address}"'
        )
        node = run(documents)
        sender = start(node)
        rolled = roll_under_load(node, clients, [balancer.address], sender)
        check_nothing_is_lost(rolled, node)
        assert {event["endpoint"] for client in rolled.opened for event in client.of("welcome")} == {balancer.address}
    finally:
        balancer.stop()
