"""What the rendered manifests say, where Kubernetes' schemas have no opinion."""

import json
import re
import shutil

import pytest
import yaml
from chart import helm, schemas
from chart.manifests import environment, find, kinds, of_kind, own_containers, pod_templates

VALUES = helm.value_files()


def pods(values: str, **settings):
    return list(pod_templates(helm.template(values, **settings)))


def container(documents, kind, name):
    return find(documents, kind, name)["spec"]["template"]["spec"]["containers"][0]


def every(document, key):
    """All values of a key, however deep."""
    if isinstance(document, dict):
        if key in document:
            yield document[key]
        for value in document.values():
            yield from every(value, key)
    elif isinstance(document, list):
        for value in document:
            yield from every(value, key)


# Security


@pytest.mark.parametrize("values", VALUES)
def test_pods_fit_the_restricted_pod_security_standard(values):
    for name, pod in pods(values):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["runAsUser"] > 0, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec), name
        for each in spec.get("volumes", []):
            assert {"emptyDir", "secret", "configMap"} & set(each), (name, each)
        for each in own_containers(pod):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }, (name, each["name"])
            assert not [port for port in each.get("ports", []) if "hostPort" in port], name


@pytest.mark.parametrize("values", VALUES)
def test_no_pod_gets_a_token_and_every_container_has_limits(values):
    documents = helm.template(values)
    assert not {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"} & kinds(documents)
    for account in of_kind(documents, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False
    for name, pod in pod_templates(documents):
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert pod["spec"]["enableServiceLinks"] is False, name
        for each in own_containers(pod):
            assert each["resources"]["requests"] and each["resources"]["limits"]["memory"], (name, each["name"])


@pytest.mark.parametrize("values", VALUES)
def test_no_password_stands_in_a_manifest_but_in_secrets(values):
    documents = helm.template(values)
    for each in documents:
        if each["kind"] != "Secret":
            assert "not-a-real-password" not in str(each) and not re.search(r"rediss?://[^$@\s]*:[^$@\s]+@", str(each)), each["kind"]


def test_a_password_is_made_and_is_never_the_same():
    passwords = {
        re.search(r'^  "password": (\S+)$', helm.helm("helm4", "template", "push", str(helm.CHART)), re.MULTILINE).group(1)
        for _ in range(2)
    }
    assert len(passwords) == 2


@pytest.mark.parametrize("major", helm.MAJORS)
def test_without_a_cluster_a_password_replaces_no_pods(major):
    """Each rendering makes another, and nobody knows which is applied."""
    one, other = (rendered(major, "push", helm.CHART) for _ in range(2))
    assert find(one, "Secret", "push-redis") != find(other, "Secret", "push-redis")
    assert list(pod_templates(one)) == list(pod_templates(other))


# Ports, names, labels


@pytest.mark.parametrize("values", VALUES)
def test_every_port_says_its_protocol(values):
    for each in helm.template(values):
        for ports in every(each, "ports"):
            for port in ports:
                assert port["protocol"] in ("TCP", "UDP"), (each["kind"], each["metadata"]["name"], port)


@pytest.mark.parametrize("values", VALUES)
def test_services_name_ports_that_their_pods_have(values):
    documents = helm.template(values)
    templates = [pod for _, pod in pod_templates(documents)]
    for service in of_kind(documents, "Service"):
        selector = {k: v for k, v in service["spec"]["selector"].items() if k != "statefulset.kubernetes.io/pod-name"}
        behind = [pod for pod in templates if selector.items() <= pod["metadata"]["labels"].items()]
        assert len(behind) == 1, service["metadata"]["name"]
        names = {port["name"] for port in behind[0]["spec"]["containers"][0]["ports"]}
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in names and port["appProtocol"], service["metadata"]["name"]


@pytest.mark.parametrize("values", VALUES)
def test_workloads_and_budgets_select_their_own_pods(values):
    documents = helm.template(values)
    for each in documents:
        if each["kind"] in ("StatefulSet", "Deployment"):
            selector = each["spec"]["selector"]["matchLabels"]
            assert selector.items() <= each["spec"]["template"]["metadata"]["labels"].items()
        if each["kind"] == "PodDisruptionBudget":
            selector = each["spec"]["selector"]["matchLabels"]
            selected = [name for name, pod in pod_templates(documents) if selector.items() <= pod["metadata"]["labels"].items()]
            assert len(selected) == 1, each["metadata"]["name"]


def test_names_are_the_release_s_and_short_enough_for_labels():
    assert find(helm.template(), "StatefulSet", "push")
    long = helm.template(fullnameOverride=f'"{"a" * 40}"')
    for each in long:
        assert len(each["metadata"]["name"]) <= 52, each["metadata"]["name"]


@pytest.mark.parametrize("name, override", [("true", ""), ("on", ""), ("null", ""), ("2024", "push"), ("1e3", "no")])
def test_a_name_is_text_also_where_yaml_would_read_something_else(name, override):
    for values in ("production", "gateway-header", "default"):
        settings = {"fullnameOverride": json.dumps(override), "nameOverride": json.dumps(name), "exposure.gateway.headerName": json.dumps(name)}
        text = helm.helm("helm3", "template", name, str(helm.CHART), *helm.flags(values, settings))
        documents = [each for each in yaml.safe_load_all(text) if each]
        assert schemas.problems(documents, helm.NEWEST) == []
        assert find(documents, "StatefulSet", override or name)
        # Kubernetes' schemas know no custom resources.
        for each in documents:
            labels = [each["metadata"]["labels"], *every(each, "matchLabels")]
            assert {type(text) for found in labels for text in found.values()} == {str}, each
            assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == each["metadata"]["labels"]["app.kubernetes.io/name"] == name
            assert {type(found) for found in every(each, "name")} == {str}, each


@pytest.mark.parametrize("metric", ["on", "custom.googleapis.com|pushring{a, b}", "2024"])
def test_the_metric_s_name_is_taken_as_it_is(metric):
    scaler = find(helm.template("production", sessionManager__autoscaling__metric=json.dumps(metric)), "HorizontalPodAutoscaler", "push")
    assert scaler["spec"]["metrics"][0]["pods"]["metric"] == {"name": metric}


def test_a_subchart_has_names_of_its_own(tmp_path):
    parent = tmp_path / "shop"
    shutil.copytree(helm.CHART, parent / "charts" / "pushring")
    (parent / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    for major in helm.MAJORS:
        text = helm.helm(major, "template", "live", str(parent), "--set-json", 'global={"a": 1}')
        names = {each["metadata"]["name"] for each in yaml.safe_load_all(text) if each}
        assert "live-pushring" in names and all(name.startswith("live-pushring") for name in names)


@pytest.fixture
def parent(tmp_path):
    """parent(names): a chart that has this one as a dependency by each of these names, and values that switch each on and off."""

    def make(*names: str):
        folder = tmp_path / "shop"
        shutil.copytree(helm.CHART, folder / "charts" / "pushring")
        version = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())["version"]
        dependencies = [
            {"name": "pushring", "version": version, "condition": f"{name}.enabled", **({} if name == "pushring" else {"alias": name})}
            for name in names
        ]
        chart = {"apiVersion": "v2", "name": "shop", "version": "1.0.0", "dependencies": dependencies}
        (folder / "Chart.yaml").write_text(yaml.safe_dump(chart))
        return folder

    return make


def rendered(major, release, chart, **settings):
    text = helm.helm(major, "template", release, str(chart), *helm.flags(None, settings))
    return [each for each in yaml.safe_load_all(text) if each]


@pytest.mark.parametrize("major", helm.MAJORS)
def test_a_parent_switches_it_on_and_off(parent, major):
    shop = parent("pushring")
    for enabled, count in (("true", 1), ("false", 0)):
        documents = rendered(major, "live", shop, **{"pushring.enabled": enabled})
        assert len([each for each in documents if each["metadata"]["name"] == "live-pushring-sender" and each["kind"] == "Deployment"]) == count
    assert rendered(major, "live", shop, **{"pushring.enabled": "false"}) == []
    # On its own it says nothing.
    without = helm.template(major=major, enabled="false", redis__bundled__auth__existingSecret='{"name": "given"}')
    assert without == helm.template(major=major, redis__bundled__auth__existingSecret='{"name": "given"}')


@pytest.mark.parametrize("major", helm.MAJORS)
def test_two_of_one_parent_have_names_of_their_own_if_told(parent, major):
    """A name that the release's contains is not added to it: Docs/kubernetes.md asks for fullnameOverride."""
    shop = parent("eu", "us")
    sets = [each["metadata"]["name"] for each in rendered(major, "europe-us", shop) if each["kind"] == "StatefulSet"]
    assert sorted(sets) == ["europe-us", "europe-us", "europe-us-redis", "europe-us-redis"]
    told = {"eu.fullnameOverride": '"push-eu"', "us.fullnameOverride": '"push-us"'}
    keys = [(each["kind"], each["metadata"]["name"]) for each in rendered(major, "europe-us", shop, **told)]
    assert len(keys) == len(set(keys)) and {("StatefulSet", "push-eu"), ("StatefulSet", "push-us")} <= set(keys)


def test_no_label_or_annotation_that_the_chart_sets_can_be_set_again():
    """Two of a key are no YAML, and of two that are merged one is lost."""
    documents = helm.template("extensions") + helm.template("production")
    metadata = [each["metadata"] for each in documents] + [pod["metadata"] for _, pod in pod_templates(documents)]
    own = {"labels": set(), "annotations": set()}
    for each in metadata:
        for part in own:
            own[part] |= {key for key in each.get(part, {}) if re.match(r"(app\.kubernetes\.io|helm\.sh|pushring|checksum)/", key)}
    for value, part in (("commonLabels", "labels"), ("commonAnnotations", "annotations")):
        told = helm.refusal(**{value: json.dumps(dict.fromkeys(own[part], "x"))})
        for key in own[part]:
            assert f"{value} has {key}," in told, key


def test_the_nearer_of_two_labels_wins():
    settings = {
        "commonLabels": '{"team": "all"}', "sender.podLabels": '{"team": "push"}',
        "metrics.prometheusRule": '{"enabled": true, "labels": {"team": "monitoring"}}', "networkPolicy.metrics": '[{"podSelector": {}}]',
    }
    # As text, since of a key that is there twice a parser shows one.
    text = helm.helm("helm3", "template", helm.RELEASE, str(helm.CHART), *helm.flags(None, settings))
    head = text.split("kind: PrometheusRule\n")[1].split("\nspec:")[0]
    assert re.findall("team: .*", head) == ["team: monitoring"]
    documents = list(yaml.safe_load_all(text))
    assert find(documents, "Deployment", "push-sender")["spec"]["template"]["metadata"]["labels"]["team"] == "push"
    assert find(documents, "Deployment", "push-sender")["metadata"]["labels"]["team"] == "all"


# Life of a pod


def test_a_new_version_of_the_chart_alone_replaces_no_pods(tmp_path):
    def templates(chart):
        text = helm.helm("helm3", "template", "push", str(chart), "--set-json", 'redis.bundled.auth.existingSecret={"name": "a"}')
        return {name: pod for name, pod in pod_templates([each for each in yaml.safe_load_all(text) if each]) if "Pod/" not in name}

    newer = shutil.copytree(helm.CHART, tmp_path / "pushring")
    description = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(re.sub(r"(?m)^version: .*$", "version: 99.0.0", description))
    assert templates(newer) == templates(helm.CHART)


def test_the_grace_period_is_the_pause_the_deadline_and_a_margin():
    for deadline, seconds in (("40s", 60), ("2m", 140), ("1500ms", 22)):
        documents = helm.template(sessionManager__config__drainDeadline=f'"{deadline}"')
        assert find(documents, "StatefulSet", "push")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == seconds


def test_the_pause_before_sigterm_needs_no_shell_and_a_kubernetes_that_has_it():
    for version in helm.KUBERNETES:
        documents = helm.template(kubernetes=version)
        for kind, name in (("StatefulSet", "push"), ("Deployment", "push-sender")):
            hook = container(documents, kind, name).get("lifecycle")
            expected = {"preStop": {"sleep": {"seconds": 5}}} if int(version.split(".")[1]) >= 30 else None
            assert hook == expected, (version, name)


def test_a_rollout_takes_one_pod_at_a_time_and_waits_for_it():
    spec = find(helm.template(), "StatefulSet", "push")["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate"} and spec["minReadySeconds"] == 10
    assert spec["podManagementPolicy"] == "Parallel" and spec["serviceName"] == "push-peers"
    budget = find(helm.template(), "PodDisruptionBudget", "push")["spec"]
    assert budget["maxUnavailable"] == 1


def test_pods_that_autoscaling_counts_are_not_counted_by_an_upgrade():
    documents = helm.template("production")
    assert "replicas" not in find(documents, "StatefulSet", "push")["spec"]
    assert "replicas" not in find(documents, "Deployment", "push-sender")["spec"]
    scaler = find(documents, "HorizontalPodAutoscaler", "push")["spec"]
    assert scaler["metrics"][0]["pods"]["metric"]["name"] == "pushring_sessions"
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 600


def test_the_test_s_pod_goes_where_it_is_told():
    [pod] = of_kind(helm.template("extensions"), "Pod")
    spec = pod["spec"]
    assert spec["nodeSelector"] == {"disk": "ssd"} and spec["tolerations"] == [{"key": "push", "operator": "Exists"}]
    assert spec["priorityClassName"] == "push" and "nodeAffinity" in spec["affinity"]
    assert {"sidecar.istio.io/inject": "false", "team": "push"}.items() <= pod["metadata"]["labels"].items()
    # It stays a test.
    assert pod["metadata"]["annotations"] == {
        "example.com/note": "yes", "example.com/owner": "push", "helm.sh/hook": "test", "helm.sh/hook-delete-policy": "before-hook-creation",
    }
    [plain] = of_kind(helm.template(), "Pod")
    assert not {"nodeSelector", "tolerations", "priorityClassName", "affinity", "topologySpreadConstraints"} & set(plain["spec"])


@pytest.mark.parametrize("part, kind, name", [("sessionManager", "StatefulSet", "push"), ("sender", "Deployment", "push-sender"), ("redis__bundled", "StatefulSet", "push-redis")])
def test_a_workload_goes_where_it_is_told(part, kind, name):
    given = {
        "nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "push", "operator": "Exists"}], "priorityClassName": "push",
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    }
    documents = helm.template(**{f"{part}__{key}": json.dumps(value) for key, value in given.items()})
    spec = find(documents, kind, name)["spec"]["template"]["spec"]
    assert {key: spec.get(key) for key in given} == given


# Where clients and pods reach a pod


@pytest.mark.parametrize(
    "values, expected",
    [
        ("default", "$(POD_IP):7400"),
        ("ipv6", "[$(POD_IP)]:7400"),
        ("single-address", "push.example.com:443"),
        ("per-pod", "$(POD_NAME).push.example.com:443"),
        ("production", "$(POD_NAME).push.example.com:443"),
        ("gateway-header", "push.example.com:443"),
    ],
)
def test_clients_are_told_an_address_that_they_reach(values, expected):
    given = environment(container(helm.template(values), "StatefulSet", "push"))
    assert given["PUSHRING_ADVERTISE"] == expected
    # Never a Service's: a refused connection has to prove that the process is gone.
    assert given["PUSHRING_PEER_ADVERTISE"] == ("[$(POD_IP)]:7401" if values == "ipv6" else "$(POD_IP):7401")


@pytest.mark.parametrize("values, homes", [("default", True), ("per-pod", True), ("single-address", False), ("gateway-header", False)])
def test_strays_are_not_sent_home_where_home_has_no_address(values, homes):
    given = environment(container(helm.template(values), "StatefulSet", "push"))
    assert given.get("PUSHRING_HOMING_RATE") == (None if homes else "0")


@pytest.mark.parametrize("values, count", [("per-pod", 3), ("production", 6), ("gateway-header", 3), ("default", 0)])
def test_each_pod_that_there_can_be_has_a_service_that_it_keeps_while_it_drains(values, count):
    services = [
        each for each in of_kind(helm.template(values), "Service")
        if "statefulset.kubernetes.io/pod-name" in each["spec"]["selector"]
    ]
    assert [each["metadata"]["name"] for each in services] == [f"push-{number}" for number in range(count)]
    assert all(each["spec"]["publishNotReadyAddresses"] for each in services)


def test_a_service_of_a_pod_has_the_names_that_pods_tell():
    service = find(helm.template("per-pod"), "Service", "push-1")
    assert service["spec"]["type"] == "LoadBalancer" and service["spec"]["ports"][0]["port"] == 443
    assert service["metadata"]["annotations"] == {
        "external-dns.alpha.kubernetes.io/hostname": "push-1.push.example.com", "example.com/name": "push-1",
    }


@pytest.mark.parametrize(
    "written, told",
    [
        ("HOST", "push-1.push.example.com"), ("POD", "push-1"), ("HOST,POD.in.example.com", "push-1.push.example.com,push-1.in.example.com"),
        ("https://HOST:443/POD-a", "https://push-1.push.example.com:443/push-1-a"), ('{"name": "POD"}', '{"name": "push-1"}'),
        ("HOSTGROUP", "HOSTGROUP"), ("GHOST=HOST", "GHOST=push-1.push.example.com"), ("MY_POD/PODS", "MY_POD/PODS"), ("$1 host pod", "$1 host pod"),
    ],
)
def test_in_annotations_of_a_pod_s_service_whole_words_stand_for_it(written, told):
    documents = helm.template("per-pod", exposure__perPod__annotations=json.dumps({"example.com/a": written}))
    assert find(documents, "Service", "push-1")["metadata"]["annotations"]["example.com/a"] == told


def test_routes_lead_to_each_pod_by_host_name_or_by_header():
    for values, host, match in (("production", "push-2.push.example.com", None), ("gateway-header", "push.example.com", "push-2")):
        documents = helm.template(values)
        route = find(documents, "GRPCRoute", "push-2")["spec"]
        rule = route["rules"][0]
        assert route["hostnames"] == [host] and rule["backendRefs"] == [{"name": "push-2", "port": 7400}]
        assert route["parentRefs"][0]["name"] == "public"
        headers = [{"type": "Exact", "name": "pushring-pod", "value": match}] if match else None
        assert (rule["matches"][0]["headers"] if match else rule.get("matches")) == headers
        start = find(documents, "GRPCRoute", "push")["spec"]
        assert start["hostnames"] == ["push.example.com"] and start["rules"][0]["backendRefs"][0]["name"] == "push"


PER_POD = {"exposure__perPod": '{"domain": "push.example.com", "port": 443}'}
GATEWAY = {"exposure__gateway": '{"domain": "in.example.com", "parentRefs": [{"name": "public"}]}'}
EXPOSURES = {**PER_POD, **GATEWAY}


@pytest.mark.parametrize(
    "mode, previous, told, kind, routes",
    [
        ("single", "perPod", "$(POD_IP):7400", "LoadBalancer", False),
        ("gateway", "perPod", "$(POD_NAME).in.example.com:443", "LoadBalancer", True),
        ("perPod", "gateway", "$(POD_NAME).push.example.com:443", "LoadBalancer", True),
        ("single", "gateway", "$(POD_IP):7400", "ClusterIP", True),
    ],
)
def test_the_exposure_before_is_reached_while_pods_tell_the_new_one(mode, previous, told, kind, routes):
    documents = helm.template(**EXPOSURES, exposure__mode=f'"{mode}"', exposure__previous=f'"{previous}"')
    assert environment(container(documents, "StatefulSet", "push"))["PUSHRING_ADVERTISE"] == told
    names = [f"push-{number}" for number in range(3)]
    port = 443 if kind == "LoadBalancer" else 7400
    for name in names:
        service = find(documents, "Service", name)
        assert service["spec"]["type"] == kind and [each["port"] for each in service["spec"]["ports"]] == [port]
        assert ("annotations" in service["metadata"]) == (kind == "LoadBalancer")
    assert [each["metadata"]["name"] for each in of_kind(documents, "GRPCRoute")] == (["push", *names] if routes else [])
    for name in names if routes else []:
        route = find(documents, "GRPCRoute", name)["spec"]
        assert route["hostnames"] == [f"{name}.in.example.com"]
        assert route["rules"][0]["backendRefs"] == [{"name": name, "port": port}]
    # Nothing but what is asked for: without `previous` the old one goes.
    alone = helm.template(**EXPOSURES, exposure__mode=f'"{mode}"')
    own = {"single": (0, 0), "perPod": (3, 0), "gateway": (3, 4)}[mode]
    services = [each for each in of_kind(alone, "Service") if "statefulset.kubernetes.io/pod-name" in each["spec"]["selector"]]
    assert (len(services), len(of_kind(alone, "GRPCRoute"))) == own


@pytest.mark.parametrize("pods, count", [("0", 3), ("2", 3), ("5", 5)])
def test_pods_that_may_come_have_services_and_routes_if_told(pods, count):
    documents = helm.template("gateway-header", exposure__pods=pods)
    assert len(of_kind(documents, "GRPCRoute")) == count + 1
    services = [each["metadata"]["name"] for each in of_kind(documents, "Service")]
    assert {f"push-{number}" for number in range(count)} <= set(services) and f"push-{count}" not in services


# Redis


def test_an_external_redis_is_read_from_a_secret_and_trusted_by_its_ca():
    for values, secret, key, path, volume in (
        ("production", "registry", "url", "ca.crt", {"configMap": {"name": "registry-ca"}}),
        ("external-url", "push-redis-url", "url", "authority.pem", {"secret": {"secretName": "registry-ca"}}),
    ):
        documents = helm.template(values)
        assert "push-redis" not in [each["metadata"]["name"] for each in documents]
        for kind, name in (("StatefulSet", "push"), ("Deployment", "push-sender")):
            spec = find(documents, kind, name)["spec"]["template"]["spec"]
            variables = {each["name"]: each for each in spec["containers"][0]["env"]}
            assert variables["PUSHRING_REDIS"]["valueFrom"]["secretKeyRef"] == {"name": secret, "key": key}
            assert variables["PUSHRING_REDIS_CA_FILE"]["value"] == f"/etc/pushring/redis-ca/{path}"
            # Nothing else that is in the Secret, such as the certificate's key.
            [source] = volume.values()
            source["items"] = [{"key": path, "path": path}]
            assert spec["volumes"] == [{"name": "redis-ca", **volume}]


def test_another_url_replaces_the_pods():
    def checksums(url):
        documents = helm.template("external-url", redis__external__url=f'"{url}"')
        return {name: pod["metadata"]["annotations"]["checksum/redis-url"] for name, pod in pod_templates(documents) if "Pod/" not in name}

    before, after = checksums("rediss://one"), checksums("rediss://two")
    assert before.keys() == after.keys() == {"StatefulSet/push", "Deployment/push-sender"}
    assert all(before[name] != after[name] for name in before)


def test_a_bundled_redis_with_a_volume_writes_to_it():
    spec = find(helm.template("persistent-redis"), "StatefulSet", "push-redis")["spec"]
    arguments = spec["template"]["spec"]["containers"][0]["args"]
    assert arguments[arguments.index("--appendonly") + 1] == "yes"
    assert spec["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert spec["volumeClaimTemplates"][0]["spec"]["storageClassName"] == "fast"
    assert "volumes" not in spec["template"]["spec"]


# Zones


def test_a_pod_s_zone_is_its_label_or_the_release_s():
    labelled = {each["name"]: each for each in container(helm.template(), "StatefulSet", "push")["env"]}["PUSHRING_ZONE"]
    assert labelled["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['topology.kubernetes.io/zone']"
    documents = helm.template("zone")
    assert environment(container(documents, "StatefulSet", "push"))["PUSHRING_ZONE"] == "eu-1a"
    node = find(documents, "StatefulSet", "push")["spec"]["template"]["spec"]["nodeSelector"]
    assert node == {"disk": "ssd", "topology.kubernetes.io/zone": "eu-1a"}


def test_pods_spread_over_zones_and_nodes():
    spread = find(helm.template(), "StatefulSet", "push")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
