"""The network policies let through what is needed, and nothing else: each pair of peers and each port is tried."""

import itertools

import pytest
from chart import helm
from chart.flows import Network, Peer
from chart.manifests import find, of_kind, pod_templates

CLIENTS, PEERS, POD_ADMIN, PUSHES, SENDER_ADMIN, REDIS, DNS = 7400, 7401, 7402, 7410, 7412, 6379, 53
PORTS = [CLIENTS, PEERS, POD_ADMIN, PUSHES, SENDER_ADMIN, REDIS, 6380, DNS, 443]


def namespace(name: str) -> dict[str, str]:
    return {"kubernetes.io/metadata.name": name}


def peers(documents: list[dict]) -> dict[str, Peer]:
    """The chart's own pods, and others that there may be."""
    names = {
        "StatefulSet/push": "pod", "Deployment/push-sender": "sender", "StatefulSet/push-redis": "redis", "Pod/push-test": "test",
    }
    own = {
        names[name]: Peer(names[name], pod["metadata"]["labels"]) for name, pod in pod_templates(documents) if name in names
    }
    other_zone = {**own["pod"].labels, "app.kubernetes.io/instance": "push-b"}
    other_cluster = {**other_zone, "pushring/cluster": "another"}
    return own | {
        "pod of another zone": Peer("pod of another zone", other_zone),
        "pod of another cluster": Peer("pod of another cluster", other_cluster),
        "neighbour": Peer("neighbour", {"app": "shop"}),
        "backend": Peer("backend", {"role": "backend"}),
        "gateway": Peer("gateway", {"app": "envoy"}, namespace("gateways")),
        "prometheus": Peer("prometheus", {"app": "prometheus"}, namespace("monitoring")),
        "names": Peer("names", {"k8s-app": "kube-dns"}, namespace("kube-system")),
        "internet": Peer("internet"),
        "registry": Peer("registry", address="10.1.2.3"),
    }


def flows(documents: list[dict]) -> set[tuple[str, str, int]]:
    """All that get through, from or to one of the chart's own pods."""
    network, everyone = Network(documents, helm.NAMESPACE), peers(documents)
    own = {"pod", "sender", "redis", "test"} & everyone.keys()
    return {
        (source, target, port)
        for source, target in itertools.product(everyone, everyone)
        for port in PORTS
        if source != target and own & {source, target} and network.lets(everyone[source], everyone[target], port)
    }


def test_by_default_clients_may_come_from_anywhere_and_backends_from_the_namespace():
    documents = helm.template()
    everyone = peers(documents).keys()
    strangers = {"neighbour", "backend", "gateway", "prometheus", "names", "internet", "registry"}
    in_cluster = {"pod", "sender", "pod of another zone"}
    # What leaves the chart's own pods is limited too: these may not call the client port of a pod.
    sessions = {(source, "pod", CLIENTS) for source in strangers | {"test", "pod of another zone", "pod of another cluster"}}
    placements = {(source, "pod", PEERS) for source in in_cluster - {"pod"}}
    placements |= {(source, "pod of another zone", PEERS) for source in ("pod", "sender")}
    pushes = {(source, "sender", PUSHES) for source in ("neighbour", "backend", "test", "pod of another zone", "pod of another cluster")}
    registry = {(source, "redis", REDIS) for source in in_cluster}
    # No peers are named for DNS, as its address differs from cluster to cluster.
    names = {(source, target, DNS) for source in ("pod", "sender", "test") for target in everyone - {"pod", "sender", "redis", "test"}}
    assert flows(documents) == sessions | placements | pushes | registry | names


def test_with_peers_named_only_they_get_through():
    documents = helm.template("production")
    found = flows(documents)
    own_pods = {"pod", "sender", "test"}
    assert {flow for flow in found if flow[2] == CLIENTS} == {("gateway", "pod", CLIENTS), ("test", "pod", CLIENTS)}
    assert {flow for flow in found if flow[2] == PUSHES} == {("backend", "sender", PUSHES), ("test", "sender", PUSHES)}
    assert {flow for flow in found if flow[2] in (POD_ADMIN, SENDER_ADMIN)} == {
        ("prometheus", "pod", POD_ADMIN), ("prometheus", "sender", SENDER_ADMIN),
    }
    assert {flow for flow in found if flow[2] == DNS} == {(source, "names", DNS) for source in own_pods}
    assert {flow for flow in found if flow[2] == 6380} == {(source, "registry", 6380) for source in own_pods - {"test"}}
    assert not {flow for flow in found if flow[2] in (REDIS, 443)}


@pytest.mark.parametrize(
    "url, ports",
    [
        ("rediss://push:pass%40word@redis.example.com:6380/2", [6380]), ("redis://redis.example.com", [6379]), ("redis://redis:7000", [7000]),
        ("redis://:8000@redis", [6379]), ("redis://[fd00::1]", [6379]), ("redis://[fd00::1]:7001/0", [7001]), ("", [6379]),
    ],
)
def test_the_port_of_an_external_redis_is_that_of_its_url(url, ports):
    external = f'{{"url": "{url}"}}' if url else '{"existingSecret": {"name": "registry"}}'
    documents = helm.template(redis__bundled__enabled="false", redis__external=external)
    for name in ("push", "push-sender"):
        egress = find(documents, "NetworkPolicy", name)["spec"]["egress"]
        assert [port["port"] for port in egress[1]["ports"]] == ports


def test_a_redis_of_the_release_admits_its_cluster_and_calls_nobody():
    documents = helm.template()
    assert {flow for flow in flows(documents) if flow[0] == "redis"} == set()
    assert find(documents, "NetworkPolicy", "push-redis")["spec"]["policyTypes"] == ["Ingress", "Egress"]


@pytest.mark.parametrize("values", [each for each in helm.value_files() if each != "minimal"])
def test_the_helm_test_stays_at_the_pods_that_it_reaches(values):
    """Those of its release, by the Service; Locate may name a pod of another one, or an address for clients outside."""
    documents = helm.template(values)
    [test] = of_kind(documents, "Pod")
    receive = next(each for each in test["spec"]["containers"] if each["name"] == "receive")
    assert "--stay" in receive["args"]
    endpoint = receive["args"][receive["args"].index("--endpoint") + 1]
    assert endpoint.partition(":")[0] in [each["metadata"]["name"] for each in of_kind(documents, "Service")]
    if values in ("default", "zone"):
        found = {flow for flow in flows(documents) if flow[0] == "test"}
        assert ("test", "pod", CLIENTS) in found and ("test", "pod of another zone", CLIENTS) not in found


def test_without_policies_everything_gets_through():
    documents = helm.template("minimal")
    assert ("internet", "redis", REDIS) in flows(documents)
