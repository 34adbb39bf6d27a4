"""A rolling restart by the StatefulSet's own settings, under a load of pushes: no push and no session is lost."""

import time

import pytest
from chart import helm
from chart.balancer import Balancer
from harness.load import Load, check_nothing_is_missing, never_without_a_stream
from harness.waiting import always, eventually

SESSIONS, RATE = 60, 50


def roll(node, workload: dict) -> list:
    """What the StatefulSet's controller does: from the last pod to the first, one at a time, each ready for a while before the next."""
    ended = []
    for number in reversed(range(workload["spec"]["replicas"])):
        before = node.pods[f"{workload['metadata']['name']}-{number}"]
        ended.append(before.stop())
        after = node.start(workload, number).wait_ready()
        assert after.address != before.address, "a new pod has a new address"
        always(f"{after.name} stays ready", lambda: after.probe("readinessProbe"), workload["spec"]["minReadySeconds"])
    return ended


def start(run, documents: list[dict]):
    node = run(documents)
    node.replicas("StatefulSet", "push-redis")[0].wait_ready()
    pods = node.replicas("StatefulSet", "push")
    sender = node.replicas("Deployment", "push-sender")[0].wait_ready()
    for pod in pods:
        pod.wait_ready()
    return node, sender


def test_a_rolling_restart_of_three_pods_loses_no_push_and_no_session(run, clients):
    from chart.manifests import find

    documents = helm.template(sender__replicas="1")
    workload = find(documents, "StatefulSet", "push")
    assert workload["spec"]["replicas"] == 3
    node, sender = start(run, documents)
    endpoints = [pod.endpoint("clients") for pod in node.ready("push")]
    opened = [clients.open(f"user-{number}", endpoints, "phone", wait=False) for number in range(SESSIONS)]
    for client in opened:
        client.wait_welcome()
    load = Load(clients, sender.endpoint("pushes"), [client.user for client in opened], RATE)

    ended = roll(node, workload)

    pushes = load.stop()
    assert [stopped.code for stopped in ended] == [0, 0, 0]
    grace = workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert all(stopped.seconds < grace for stopped in ended), ended
    assert len(pushes) > RATE * 3 * workload["spec"]["minReadySeconds"] * 0.8
    check_nothing_is_missing(pushes, opened)
    assert all(push.is_success and push.outcomes == ("delivered",) for push in pushes), [p for p in pushes if not p.is_success][:3]
    lost = [client.life for client in opened if not never_without_a_stream(client)]
    assert not lost, lost[:3]
    # Each had to move at least once, as no pod is the one that it was.
    alive = {pod.endpoint("clients") for pod in node.pods.values() if pod.name.startswith("push-") and pod.name[5:].isdigit()}
    assert all(client.of("reconnect") for client in opened) and len(alive) == 3
    assert all(client.of("welcome")[-1]["endpoint"] in alive for client in opened)
