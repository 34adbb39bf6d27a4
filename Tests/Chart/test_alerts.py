"""The alerts in Prometheus' own rule engine: each fires on what it is for, and alone, and none while all is well."""

import json

import pytest
from chart import helm, prometheus
from chart.manifests import find
from chart.prometheus import Counter, Gauge, Story

MONITORED = {
    "metrics__prometheusRule__enabled": "true", "metrics__grafanaDashboard__enabled": "true", "networkPolicy__metrics": '[{"podSelector": {}}]',
}
PODS = ("push-0", "push-1", "push-2")
SENDERS = ("push-sender-7d4b9c8f5-x2x7k", "push-sender-7d4b9c8f5-9qzlm")


def series(name: str, pod: str, **labels: str) -> str:
    named = {"namespace": helm.NAMESPACE, "pod": pod, **labels}
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in named.items()) + "}"


def well() -> Story:
    """Three pods and two Senders, with as much of everything as there is on a usual day."""
    story: Story = {}
    for pod in PODS:
        story |= {
            series("pushring_sessions", pod): Gauge(100),
            series("pushring_streams", pod): Gauge(110),
            series("pushring_descriptor_limit", pod): Gauge(1_000),
            series("pushring_strays", pod): Gauge(5),
            series("pushring_lease_left_seconds", pod): Gauge(2.4),
            series("pushring_view_settled", pod): Gauge(1),
            series("pushring_audit_missed_sessions_total", pod): Counter(0),
            series("pushring_renewals_total", pod, result="renewed"): Counter(60),
            series("pushring_renewals_total", pod, result="failed"): Counter(1),
            series("pushring_deliveries_total", pod, outcome="delivered"): Counter(6000),
            series("pushring_deliveries_total", pod, outcome="slow"): Counter(6),
            series("pushring_moves_total", pod, result="moved"): Counter(60),
            series("pushring_moves_total", pod, result="failed"): Counter(1),
            series("pushring_streams_ended_total", pod, reason="membership-lost"): Counter(0),
            series("pushring_streams_ended_total", pod, reason="rebalanced"): Counter(60),
            series("pushring_clean_ups_dropped_total", pod): Counter(0),
        }
    for sender in SENDERS:
        story |= {
            series("pushring_descriptor_limit", sender): Gauge(1_000),
            series("pushring_pod_links", sender, state="up"): Gauge(3),
            series("pushring_pod_links", sender, state="down"): Gauge(0),
            series("pushring_pushes_total", sender, route="ring", completeness="complete"): Counter(6000),
            series("pushring_pushes_total", sender, route="registry", completeness="unknown"): Counter(6),
            series("pushring_push_registry_reads_total", sender): Counter(60),
        }
    return story


def become(number: float, name: str, pods: tuple[str, ...], **labels: str) -> dict[str, float | None]:
    """A gauge's value, or what a counter grows by in a minute."""
    return {series(name, pod, **labels): number for pod in pods}


def silent(pods: tuple[str, ...]) -> dict[str, float | None]:
    return {name: None for name in well() if any(f'pod="{pod}"' in name for pod in pods)}


def links(senders: tuple[str, ...], up: int, down: int) -> dict[str, float | None]:
    return become(up, "pushring_pod_links", senders, state="up") | become(down, "pushring_pod_links", senders, state="down")


# What changes, and the alerts that this has to bring, without others.
TROUBLES = {
    "nothing": ({}, set()),
    "sessions have moved": (become(0, "pushring_sessions", PODS[:1]) | become(150, "pushring_sessions", PODS[1:]), set()),
    "a few clients have left": (become(60, "pushring_sessions", PODS[:1]), set()),
    "a pod is stopped": (become(150, "pushring_sessions", PODS[1:]) | silent(PODS[:1]), set()),
    "a session was missed": (become(1, "pushring_audit_missed_sessions_total", PODS[:1]), {"PushRingSessionsMissed"}),
    "a third of the sessions is gone": (become(0, "pushring_sessions", PODS[:1]), {"PushRingSessionsLost"}),
    "a pod has gone with its sessions": (silent(PODS[:1]), {"PushRingSessionsLost"}),
    "all pods have gone": (silent(PODS), {"PushRingNoPods"}),
    "all Senders have gone": (silent(SENDERS), {"PushRingNoSenders"}),
    "Senders reach no pod": (links(SENDERS, up=0, down=3), {"PushRingNoSenders", "PushRingLinksDown"}),
    "a Sender does not reach a pod": (links(SENDERS[:1], up=2, down=1), {"PushRingLinksDown"}),
    "a pod renews late": (become(0.7, "pushring_lease_left_seconds", PODS[:1]), {"PushRingLeaseShort"}),
    "a pod can't renew": (become(30, "pushring_renewals_total", PODS[:1], result="failed"), {"PushRingRenewalsFail"}),
    "the view does not settle": (become(0, "pushring_view_settled", PODS[:1]), {"PushRingViewUnsettled"}),
    "many strays": (become(30, "pushring_strays", PODS), {"PushRingStrays"}),
    "pushes read Redis": (become(600, "pushring_push_registry_reads_total", SENDERS), {"PushRingRegistryReads"}),
    "Senders can't vouch": (
        become(120, "pushring_pushes_total", SENDERS, route="registry", completeness="unknown"), {"PushRingPushesUnknown"},
    ),
    "clients read slowly": (become(600, "pushring_deliveries_total", PODS[:1], outcome="slow"), {"PushRingSlowClients"}),
    "clients do not move": (become(60, "pushring_moves_total", PODS[:1], result="failed"), {"PushRingMovesFail"}),
    "a pod has few files left": (become(950, "pushring_streams", PODS[:1]), {"PushRingDescriptorsShort"}),
    "a pod was cut off": (become(10, "pushring_streams_ended_total", PODS[:1], reason="membership-lost"), {"PushRingMembershipLost"}),
    "records stay in Redis": (become(1, "pushring_clean_ups_dropped_total", PODS[:1]), {"PushRingCleanUpsDropped"}),
}


def groups() -> list[dict]:
    return find(helm.template(**MONITORED), "PrometheusRule", "push")["spec"]["groups"]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_an_alert_tells_of_its_trouble_and_of_no_other(trouble, tmp_path):
    change, alerts = TROUBLES[trouble]
    assert change.keys() <= well().keys()
    assert prometheus.fired(groups(), well(), change, tmp_path) == alerts


def test_each_alert_has_its_trouble():
    assert {rule["alert"] for group in groups() for rule in group["rules"]} == {name for _, alerts in TROUBLES.values() for name in alerts}


def test_other_releases_troubles_are_theirs(tmp_path):
    """All of them at once, in another namespace and in other releases of this one, also one whose name begins with ours."""
    bad = {name: number for change, _ in TROUBLES.values() for name, number in change.items() if number is not None}
    story, change = well(), {}
    others = (('namespace="notices"', 'namespace="elsewhere"'), ('pod="push-', 'pod="push-b-'), ('pod="push-', 'pod="push-sender-'))
    for ours, theirs in others:
        story |= {name.replace(ours, theirs): kind for name, kind in well().items()}
        change |= {name.replace(ours, theirs): number for name, number in bad.items()}
    assert len(change) == 3 * len(bad) >= 30
    assert prometheus.fired(groups(), story, change, tmp_path) == set()


def test_prometheus_takes_what_the_dashboard_asks(tmp_path):
    [text] = find(helm.template(**MONITORED), "ConfigMap", "push-dashboard")["data"].values()
    dashboard = json.loads(text)
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) > 12
    prometheus.check([each.replace("$__rate_interval", "1m") for each in expressions], tmp_path)
    with pytest.raises(prometheus.Refused, match="parse error"):
        prometheus.check([f"{expressions[0]} by"], tmp_path)
