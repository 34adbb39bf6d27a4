"""Install, upgrade and roll back, by both Helms, at an API server that remembers what it was told."""

import base64
import json
import re

import pytest
from chart import helm
from chart.api import API


@pytest.fixture(params=helm.MAJORS)
def release(request):
    api = API()
    yield Release(request.param, api)
    api.stop()


class Release:
    def __init__(self, major: str, api: API):
        self.major = major
        self.api = api

    def run(self, command: str, *arguments: str) -> str:
        return helm.helm(
            self.major, command, *arguments, "--namespace", helm.NAMESPACE, "--kube-apiserver", self.api.address, "--timeout", "30s"
        )

    def install(self, values: str = "default", command: str = "install", **settings: str) -> str:
        """What Helm prints."""
        named = {name.replace("__", "."): value for name, value in settings.items()}
        return self.run(
            command, helm.RELEASE, str(helm.CHART), "--disable-openapi-validation", *helm.flags(values, named)
        )

    def upgrade(self, values: str = "default", **settings: str) -> str:
        return self.install(values, "upgrade", **settings)

    @property
    def password(self) -> str:
        return base64.b64decode(self.api.find("Secret", "push-redis")["data"]["password"]).decode()


def test_the_password_is_kept_over_upgrades_and_rollbacks(release):
    release.install()
    first = release.password
    assert len(first) == 32
    release.upgrade(sessionManager__replicas="4")
    assert release.api.find("StatefulSet", "push")["spec"]["replicas"] == 4
    assert release.password == first
    release.run("rollback", "push", "1")
    assert release.api.find("StatefulSet", "push")["spec"]["replicas"] == 3
    assert release.password == first


def test_a_secret_that_lost_its_password_gets_one(release):
    release.install()
    release.api.find("Secret", "push-redis")["data"] = {}
    release.upgrade()
    assert len(release.password) == 32


def test_settings_that_running_pods_would_be_refused_with_are_refused(release):
    release.install()
    with pytest.raises(helm.HelmFailed) as refused:
        release.upgrade(cluster__lease='"6s"')
    told = " ".join(str(refused.value).split())
    assert "'name=default redis=bundled lease=3s renewalInterval=1s grace=60s tokens=256'" in told and "lease=6s" in told
    assert "UPGRADING.md" in told
    assert "sessionManager.replicas=0" in told
    release.upgrade(sessionManager__replicas="0")
    assert release.api.find("StatefulSet", "push")["spec"]["replicas"] == 0
    release.upgrade(cluster__lease='"6s"')
    container = release.api.find("StatefulSet", "push")["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "PUSHRING_LEASE", "value": "6s"} in container["env"]
    assert release.api.find("StatefulSet", "push")["spec"]["replicas"] == 3


def test_the_same_settings_in_other_words_are_no_change(release):
    release.install()
    release.upgrade(cluster__lease='"3000ms"', cluster__grace='"1m"')
    release.upgrade(cluster__lease="null", cluster__tokens="null", cluster__recoveryWait="null")
    release.upgrade(cluster__renewalInterval='"1.0s"')
    with pytest.raises(helm.HelmFailed, match="pushes would miss sessions"):
        release.upgrade(cluster__lease='"3001ms"')


def test_autoscaling_takes_over_what_runs(release):
    """Without `replicas` Kubernetes would make it 1 of both, and an autoscaler leaves a workload at 0 alone."""
    release.install()
    scaling = {"sessionManager__autoscaling__enabled": "true", "sender__autoscaling__enabled": "true"}
    release.upgrade(**scaling)
    assert release.api.find("StatefulSet", "push")["spec"]["replicas"] == 3
    assert release.api.find("Deployment", "push-sender")["spec"]["replicas"] == 2
    for running, expected in ((7, 7), (0, 3)):
        release.api.find("StatefulSet", "push")["spec"]["replicas"] = running
        release.upgrade(**scaling)
        assert release.api.find("StatefulSet", "push")["spec"]["replicas"] == expected


def test_running_pods_are_not_split_over_two_external_redis(release):
    external = {"redis__bundled__enabled": "false"}
    release.install(**external, redis__external__url='"rediss://user:old@one:6379"')
    release.upgrade(**external, redis__external__url='"rediss://user:new@one:6379"')
    with pytest.raises(helm.HelmFailed, match="pushes would miss sessions"):
        release.upgrade(**external, redis__external__url='"rediss://user:new@two:6379"')
    # Written by a chart that did not say where.
    annotations = release.api.find("StatefulSet", "push")["metadata"]["annotations"]
    annotations["pushring/cluster-settings"] = re.sub(" redisAt=[0-9a-f]+", "", annotations["pushring/cluster-settings"])
    release.upgrade(**external, redis__external__url='"rediss://user:new@two:6379"')


def test_a_service_that_is_there_keeps_its_kind_of_address(release):
    release.install()
    with pytest.raises(helm.HelmFailed, match="kubectl delete service/push-sender"):
        release.upgrade(sender__service__headless="true")


@pytest.mark.parametrize(
    "settings",
    [
        {"cluster__name": '"other"'},
        {"redis__bundled__enabled": "false", "redis__external__existingSecret": '{"name": "registry"}'},
    ],
)
def test_running_pods_are_not_split_into_two_clusters(release, settings):
    release.install()
    with pytest.raises(helm.HelmFailed, match="pushes would miss sessions"):
        release.upgrade(**settings)


def test_an_upgrade_changes_nothing_that_can_not_be_changed(release):
    """Selectors, the governing Service, how pods are managed: Kubernetes refuses another one."""
    fixed = ("selector", "serviceName", "podManagementPolicy")
    release.install()
    before = {name: release.api.find("StatefulSet", name)["spec"] for name in ("push", "push-redis")}
    release.upgrade("gateway-header", commonLabels='{"team": "push"}', nameOverride='""', sessionManager__podLabels='{"tier": "edge"}')
    for name, spec in before.items():
        after = release.api.find("StatefulSet", name)["spec"]
        assert [after.get(key) for key in fixed] == [spec.get(key) for key in fixed], name


OWN_IMAGE = {"image__registry": '"registry.example.com"'}


def notes(release, values: str, **settings: str) -> str:
    return release.install(values, **settings).split("NOTES:\n", 1)[1]


def test_notes_say_what_to_type_next(release):
    text = notes(release, "default")
    for words in (
        "port-forward service/push 7400:7400", "port-forward service/push-sender 7410:7410", "pushring connect --endpoint",
        "pushring push --sender", "pushring ring inspect", "helm -n notices test push",
        "exec -it push-0 -c session-manager -- pushring connect", "exec deployment/push-sender -c sender -- pushring push",
        "swift build --product pushring",
    ):
        assert words in text, words
    assert "which is for trials" in text and "a restart of it loses all records" in text
    assert "NOTE:" not in text


@pytest.mark.parametrize(
    "values, words",
    [
        ("single-address", "most sessions are strays"),
        ("gateway-header", "most sessions are strays"),
        ("minimal", "There is one pod"),
        ("persistent-redis", "one process."),
        ("zone", "at port 6379 only"),
    ],
)
def test_notes_say_what_values_cost(release, values, words):
    assert words in notes(release, values)


def test_notes_warn_of_the_image_that_nobody_published(release):
    text = notes(release, "default")
    assert "ghcr.io/pushring/pushring:0.1.0, a placeholder" in text and "ImagePullBackOff" in text
    assert "docker build -f Containerfile -t registry.example.com/pushring:0.1.0 ." in text
    assert "upgrade push charts/pushring" in text


def test_notes_say_who_reaches_pods_with_services_of_their_own(release):
    inside = notes(release, "per-pod", exposure__perPod__type='"ClusterIP"')
    assert "which is not reached from outside of the cluster" in inside and "push-0.push.example.com:443" in inside
    assert "set exposure.perPod.type to LoadBalancer" in inside
    begin = "The Service push, where clients begin, is a ClusterIP"
    assert begin in inside
    release.run("uninstall", "push")
    outside = notes(release, "per-pod", sessionManager__service__type='"LoadBalancer"')
    assert "not reached from outside" not in outside and begin not in outside


def test_notes_do_not_warn_of_what_is_well(release):
    text = notes(release, "external-url", **OWN_IMAGE)
    assert "WARNING" not in text and "NOTE:" not in text


def test_uninstalling_leaves_nothing_behind(release):
    release.install()
    release.run("uninstall", "push")
    assert json.dumps(sorted(key[1:] for key in release.api.objects)) == "[]"
