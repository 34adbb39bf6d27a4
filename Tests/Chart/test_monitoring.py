"""Alerts and dashboard ask for series that the programs have."""

import json
import re

import pytest
import yaml
from chart import helm
from chart.kubelet import Node
from chart.manifests import find, matches, of_kind, pod_templates

SERIES = re.compile(r"\b(pushring_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~?)"([^"]*)"')
# Of Kubernetes' service discovery, not of the programs.
DISCOVERED = {"namespace", "pod"}
MONITORED = {
    "metrics__prometheusRule__enabled": "true", "metrics__grafanaDashboard__enabled": "true", "metrics__podMonitor__enabled": "true",
    "networkPolicy__metrics": '[{"podSelector": {}}]',
}


@pytest.fixture(scope="module")
def exposed(tmp_path_factory):
    """Series and labels of a pod and a Sender that have just started: {name: [labels, …]}."""
    node = Node(tmp_path_factory.mktemp("exposed"), helm.template(sessionManager__replicas="1", sender__replicas="1"))
    try:
        node.replicas("StatefulSet", "push-redis")[0].wait_ready()
        servers = [*node.replicas("StatefulSet", "push"), *node.replicas("Deployment", "push-sender")]
        text = "".join(server.wait_ready().get("/metrics")[1] for server in servers)
    finally:
        node.stop()
    found: dict[str, list[dict[str, str]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line).groups()
            found.setdefault(name, []).append({key: value for key, _, value in MATCHER.findall(labels or "")})
    return found


def check(expression: str, exposed) -> None:
    asked = SERIES.findall(expression)
    assert asked, expression
    for name, selector in asked:
        wanted = {key: value for key, operator, value in MATCHER.findall(selector) if key not in DISCOVERED}
        assert name in exposed, f"no program has {name}: {expression}"
        assert any(wanted.items() <= labels.items() for labels in exposed[name]), f"no {name} has {wanted}: {expression}"
        grouped = [label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")]
        for label in set(grouped) - DISCOVERED:
            assert any(label in labels for each in SERIES.findall(expression) for labels in exposed[each[0]]) or label == "reason"


def rules(**settings):
    return find(helm.template(**MONITORED, **settings), "PrometheusRule", "push")["spec"]["groups"][0]["rules"]


def test_alerts_ask_for_series_that_there_are(exposed):
    for rule in rules():
        check(rule["expr"], exposed)


def dashboard_of(release: str = helm.RELEASE, namespace: str = helm.NAMESPACE) -> tuple[str, dict]:
    """The name of its file, and what is in it."""
    text = helm.helm("helm3", "template", release, str(helm.CHART), "--namespace", namespace, "--set", "metrics.grafanaDashboard.enabled=true")
    config = find([each for each in yaml.safe_load_all(text) if each], "ConfigMap", f"{release}-dashboard")
    [(file, written)] = config["data"].items()
    return file, json.loads(written)


def test_each_release_has_a_dashboard_of_its_own():
    """Grafana would show one of two with the same uid, or the same title in a folder; its sidecar keeps one of two files of a name."""
    places = [("push", "notices"), ("push", "orders"), ("push-b", "notices"), ("b", "notices-push"), ("p" * 40, "n" * 63)]
    made = [dashboard_of(*each) for each in places]
    for told in ([file for file, _ in made], [each["uid"] for _, each in made], [each["title"] for _, each in made]):
        assert len(set(told)) == len(places)
    for file, each in made:
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", each["uid"]) and file == f"{each['uid']}.json"
    assert made[0][1]["title"] == "PushRing notices/push"
    assert dashboard_of() == made[0]
    # Nothing else is changed of the file, which can be imported as it is.
    original = json.loads((helm.CHART / "dashboards" / "pushring.json").read_text())
    assert original["uid"] == "pushring" and {**made[0][1], "uid": original["uid"], "title": original["title"]} == original


def test_the_dashboard_asks_for_series_that_there_are(exposed):
    _, dashboard = dashboard_of()
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) >= len(dashboard["panels"]) >= 12
    for expression in expressions:
        check(expression, exposed)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_the_alerts_are_those_that_matter_and_say_what_to_do():
    names = {rule["alert"] for rule in rules()}
    assert {
        "PushRingLeaseShort", "PushRingViewUnsettled", "PushRingRegistryReads", "PushRingStrays", "PushRingSlowClients",
        "PushRingSessionsLost", "PushRingSessionsMissed", "PushRingNoPods", "PushRingNoSenders",
    } <= names
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning") and rule["for"]
        assert len(rule["annotations"]["description"]) > 40 and "{{" not in rule["annotations"]["description"]
        assert 'namespace="notices",pod=~"push-([0-9]+|sender-[a-z0-9]+-[a-z0-9]+)"' in rule["expr"]


@pytest.mark.parametrize(
    "values, settings, asked",
    [
        ("default", {}, True), ("per-pod", {}, True), ("production", {}, True), ("single-address", {}, False), ("gateway-header", {}, False),
        ("gateway-header", {"sessionManager__config__homingRate": "10"}, True),
        ("per-pod", {"sessionManager__config__homingRate": "0"}, True),
    ],
)
def test_no_alert_tells_of_strays_where_they_are_the_rule(values, settings, asked):
    rule = find(helm.template(values, **MONITORED, **settings), "PrometheusRule", "push")
    names = {each["alert"] for each in rule["spec"]["groups"][0]["rules"]}
    about_strays = {"PushRingStrays", "PushRingRegistryReads"}
    assert names & about_strays == (about_strays if asked else set())
    assert "PushRingPushesUnknown" in names


def test_any_alert_can_be_left_out_and_no_other_name_be_given():
    names = {rule["alert"] for rule in rules()}
    schema = next(schema for name, schema, _ in helm.values() if name == "metrics__prometheusRule__disabled")
    assert set(schema["items"]["enum"]) == names and len(names) >= 15
    left = rules(metrics__prometheusRule__disabled=json.dumps(sorted(names - {"PushRingNoPods"})))
    assert [rule["alert"] for rule in left] == ["PushRingNoPods"]


def test_without_a_sender_in_the_release_none_is_missed():
    """Backends in Swift can have the Sender in them."""
    assert "PushRingNoSenders" not in {rule["alert"] for rule in rules(sender__replicas="0")}
    assert "PushRingNoSenders" in {rule["alert"] for rule in rules(sender__replicas="0", sender__autoscaling__enabled="true")}


def test_without_pods_in_the_release_none_is_missed():
    """They are stopped for a change that all have to make at once (UPGRADING.md)."""
    stopped = {rule["alert"] for rule in rules(sessionManager__replicas="0")}
    assert "PushRingNoPods" not in stopped and "PushRingNoSenders" in stopped
    assert "PushRingNoPods" in {rule["alert"] for rule in rules(sessionManager__replicas="0", sessionManager__autoscaling__enabled="true")}


def test_pods_and_senders_are_missed_by_series_that_the_other_kind_has_not(exposed):
    """One pod and one Sender run; a Sender tells of links that are up and of those that are down."""
    counts = {name: len(exposed[name]) for name in ("pushring_sessions", "pushring_pod_links")}
    assert counts == {"pushring_sessions": 1, "pushring_pod_links": 2}
    expressions = {rule["alert"]: rule["expr"] for rule in rules()}
    assert expressions["PushRingNoPods"].startswith("absent(pushring_sessions{")
    # A Sender that is not ready, or not there.
    assert re.fullmatch(r'\(sum\(pushring_pod_links\{state="up",.*\}\) or vector\(0\)\) == 0', expressions["PushRingNoSenders"])


def test_thresholds_and_alerts_can_be_chosen():
    by_name = {rule["alert"]: rule["expr"] for rule in rules(cluster__lease='"6s"', metrics__prometheusRule__thresholds__lostSessions="7")}
    assert by_name["PushRingLeaseShort"].endswith("< 2")
    assert re.search(r" < \(1 - 0\.2\) \* .* and .* offset 10m\) - sum\(.*\) >= 7$", by_name["PushRingSessionsLost"])
    chosen = find(helm.template("production"), "PrometheusRule", "push")["spec"]["groups"][0]["rules"]
    assert "PushRingMovesFail" not in {rule["alert"] for rule in chosen}
    assert all(rule["labels"]["team"] == "push" for rule in chosen)


def test_the_pod_monitor_finds_pods_and_senders_and_not_redis():
    documents = helm.template(**MONITORED)
    spec = find(documents, "PodMonitor", "push")["spec"]
    chosen = {name for name, pod in pod_templates(documents) if matches(spec["selector"], pod["metadata"]["labels"])}
    assert chosen == {"StatefulSet/push", "Deployment/push-sender"}
    assert spec["podMetricsEndpoints"][0]["port"] == "admin"
    assert not of_kind(helm.template(), "PodMonitor")
