"""Install, upgrade and roll back, by both Helms, at an API server that remembers what it was told."""

import base64
import hashlib
import re

import pytest
import yaml
from chart import helm
from chart.api import API
from chart.manifests import find, of_kind
from harness.program import REPOSITORY


@pytest.fixture(params=helm.MAJORS)
def release(request):
    api = API()
    # As in every namespace.
    api.create(("v1", "serviceaccounts", helm.NAMESPACE, ""), {"metadata": {"name": "default"}})
    yield Release(request.param, api)
    api.stop()


SCALED = (("StatefulSet", "push"), ("Deployment", "push-sender"))
AUTOSCALING = {
    "sessionManager__autoscaling__enabled": "true", "sender__autoscaling__enabled": "true", "networkPolicy__metrics": '[{"podSelector": {}}]',
}


class Release:
    def __init__(self, major: str, api: API):
        self.major = major
        self.api = api

    def run(self, command: str, *arguments: str) -> str:
        return self.ask(command, *arguments, "--timeout", "30s")

    def ask(self, *arguments: str) -> str:
        return helm.helm(self.major, *arguments, "--namespace", helm.NAMESPACE, "--kube-apiserver", self.api.address)

    def install(self, values: str = "default", command: str = "install", **settings: str) -> str:
        """What Helm prints."""
        named = {name.replace("__", "."): value for name, value in settings.items()}
        return self.run(
            command, helm.RELEASE, str(helm.CHART), "--disable-openapi-validation", *helm.flags(values, named)
        )

    def upgrade(self, values: str = "default", **settings: str) -> str:
        return self.install(values, "upgrade", **settings)

    def manifest(self, revision: int) -> list[dict]:
        """What Helm keeps of it, and applies again in a rollback."""
        text = self.ask("get", "manifest", helm.RELEASE, "--revision", str(revision))
        return [each for each in yaml.safe_load_all(text) if each]

    def replicas(self) -> list[int | None]:
        """Of pods and Senders; None where Kubernetes would take 1."""
        return [self.api.find(kind, name)["spec"].get("replicas") for kind, name in SCALED]

    def of_pods(self, kind: str) -> list[str]:
        """The Services, or routes, that pods have of their own."""
        names = [each["metadata"]["name"] for each in self.api.objects.values() if each["kind"] == kind]
        return sorted(name for name in names if re.fullmatch(r"push-\d+", name))

    @property
    def password(self) -> str:
        return base64.b64decode(self.api.find("Secret", "push-redis")["data"]["password"]).decode()

    @password.setter
    def password(self, text: str) -> None:
        self.api.find("Secret", "push-redis")["data"]["password"] = base64.b64encode(text.encode()).decode()

    def pods(self) -> dict[str, dict]:
        """What each workload makes pods of: another one replaces them."""
        return {name: self.api.find(kind, name)["spec"]["template"] for kind, name in (*SCALED, ("StatefulSet", "push-redis"))}

    def checksums(self) -> set[str | None]:
        """What the pods of all workloads have of the password."""
        return {pod["metadata"].get("annotations", {}).get("checksum/redis-password") for pod in self.pods().values()}


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


def checksum(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def test_another_password_replaces_all_that_read_it_and_the_same_one_nothing(release):
    release.install()
    before = release.pods()
    first = release.password
    assert release.checksums() == {checksum(first)}
    release.upgrade()
    assert release.pods() == before
    release.password = "of-my-own"
    release.upgrade()
    assert release.password == "of-my-own" and release.checksums() == {checksum("of-my-own")}
    release.api.find("Secret", "push-redis")["data"] = {}
    release.upgrade()
    assert len(release.password) == 32 and release.checksums() == {checksum(release.password)}
    # The Secret of that revision, and the pods with it.
    release.run("rollback", "push", "1")
    assert (release.password, release.pods()) == (first, before)


def test_pods_without_a_checksum_are_not_replaced_to_have_one(release):
    """Of a chart that wrote none, or of a release whose namespace was made with it."""
    account = ("v1", "serviceaccounts", helm.NAMESPACE, "default")
    kept = release.api.objects[account]
    release.api.delete(account)
    release.install()
    before = release.pods()
    assert release.checksums() == {None}
    release.api.objects[account] = kept
    release.upgrade()
    assert release.pods() == before
    release.api.find("Secret", "push-redis")["data"] = {}
    release.upgrade()
    assert release.checksums() == {checksum(release.password)}


def test_a_password_of_the_user_s_has_no_checksum(release):
    release.install("persistent-redis")
    assert release.checksums() == {None}


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
    release.upgrade(**AUTOSCALING)
    assert release.replicas() == [3, 2]
    for running, expected in ((7, 7), (0, 3)):
        release.api.find("StatefulSet", "push")["spec"]["replicas"] = running
        release.upgrade(**AUTOSCALING)
        assert release.api.find("StatefulSet", "push")["spec"]["replicas"] == expected


def test_a_rollback_with_autoscaling_leaves_no_fewer_than_the_fewest(release):
    """It applies what was rendered then. Without a number Helm would take the one away that the autoscaler set, and Kubernetes make it 1."""
    release.install(**AUTOSCALING)
    assert release.replicas() == [3, 2]
    for kind, name in SCALED:
        release.api.find(kind, name)["spec"]["replicas"] = 9
    release.upgrade(**AUTOSCALING)
    assert release.replicas() == [9, 9]
    for revision, expected in ((1, [3, 2]), (2, [9, 9])):
        manifest = release.manifest(revision)
        assert [find(manifest, *each)["spec"]["replicas"] for each in SCALED] == expected
    release.run("rollback", "push", "1")
    assert release.replicas() == [3, 2]


def test_a_namespace_that_is_made_with_the_release_counts_nothing(release):
    """Its account comes after the rendering: UPGRADING.md warns of a rollback to this revision."""
    release.api.delete(("v1", "serviceaccounts", helm.NAMESPACE, "default"))
    release.install(**AUTOSCALING)
    assert release.replicas() == [None, None]
    if release.major == "helm3":  # Helm 4 leaves it to the server to take away what is not applied again, which this one does not.
        release.api.create(("v1", "serviceaccounts", helm.NAMESPACE, ""), {"metadata": {"name": "default"}})
        release.upgrade(**AUTOSCALING)
        assert release.replicas() == [3, 2]
        release.run("rollback", "push", "1")
        assert release.replicas() == [None, None]
    assert "--create-namespace" in (REPOSITORY / "UPGRADING.md").read_text()


@pytest.mark.parametrize("values, kinds", [("per-pod", ["Service"]), ("gateway-header", ["Service", "GRPCRoute"])])
def test_a_pod_that_an_upgrade_takes_away_is_reached_until_the_next(release, values, kinds):
    three, two = ["push-0", "push-1", "push-2"], ["push-0", "push-1"]
    release.install(values)
    release.upgrade(values, sessionManager__replicas="2")
    assert [release.of_pods(kind) for kind in kinds] == [three] * len(kinds)
    # It drains still.
    release.api.find("StatefulSet", "push")["status"] = {"replicas": 3}
    release.upgrade(values, sessionManager__replicas="2")
    assert [release.of_pods(kind) for kind in kinds] == [three] * len(kinds)
    release.api.find("StatefulSet", "push")["status"] = {"replicas": 2}
    release.upgrade(values, sessionManager__replicas="2")
    assert [release.of_pods(kind) for kind in kinds] == [two] * len(kinds)


@pytest.mark.parametrize("told, first, second", [({}, 3, 0), ({"exposure__pods": "10"}, 10, 10)])
def test_pods_that_are_stopped_keep_all_their_balancers_only_if_told(release, told, first, second):
    settings = {"sessionManager__replicas": "0", **told}
    release.install("per-pod", **AUTOSCALING, **told)
    assert len(release.of_pods("Service")) == 10
    # Those of the pods that ran, and then none.
    for count in (first, second):
        release.upgrade("per-pod", **settings)
        assert len(release.of_pods("Service")) == count


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


def test_notes_warn_of_a_balancer_whose_clients_are_told_other_addresses(release):
    words = "sessionManager.service.type is LoadBalancer, for clients outside of the cluster, but clients are then told the pods' own IP addresses"
    assert words in notes(release, "default", sessionManager__service__type='"LoadBalancer"')
    release.run("uninstall", "push")
    assert "clients are then told" not in notes(release, "single-address")


def test_notes_warn_of_zones_that_would_be_clusters_of_their_own(release):
    words = "With\na release for each zone each would be a cluster of its own"
    assert words in notes(release, "default", sessionManager__zone__name='"eu-1a"')
    for values in ("default", "zone"):
        release.run("uninstall", "push")
        assert words not in notes(release, values)


def test_notes_remind_of_an_exposure_that_is_still_kept(release):
    words = "The Services and routes of exposure.mode perPod stay until you take exposure.previous away"
    assert words in notes(release, "changing-exposure")
    release.run("uninstall", "push")
    assert "exposure.previous" not in notes(release, "per-pod")


def test_notes_say_how_long_to_wait_where_helm_would_not(release):
    """The pause, the deadline, the pod's start and 15 s for each pod; Helm's own time-out is five minutes."""
    assert "--timeout" not in notes(release, "default", sessionManager__replicas="4")
    release.run("uninstall", "push")
    assert "--wait --timeout 350s" in notes(release, "default", sessionManager__replicas="5")
    release.run("uninstall", "push")
    assert "--wait --timeout 900s" in notes(release, "production", metrics__podMonitor__enabled="false", metrics__prometheusRule__enabled="false")


def test_uninstalling_leaves_what_the_document_says(release):
    """The volume's claim is the StatefulSet's, and the test's pod a hook's: Helm knows of neither."""
    before = set(release.api.objects)
    release.install("persistent-redis")
    documents = helm.template("persistent-redis")
    redis = find(documents, "StatefulSet", "push-redis")
    [claim] = redis["spec"]["volumeClaimTemplates"]
    [test] = of_kind(documents, "Pod")
    left = {
        ("v1", "persistentvolumeclaims", helm.NAMESPACE, f"{claim['metadata']['name']}-push-redis-0"),
        ("v1", "pods", helm.NAMESPACE, test["metadata"]["name"]),
    }
    for *place, name in left:
        release.api.create((*place, ""), {"metadata": {"name": name}})
    release.run("uninstall", "push")
    assert set(release.api.objects) - before == left
    section = (REPOSITORY / "Docs" / "kubernetes.md").read_text().split("## Uninstalling\n")[1].split("\n## ")[0]
    assert {("v1", "persistentvolumeclaims", "data-push-redis-0"), ("v1", "pods", "push-test")} == {(v, kind, name) for v, kind, _, name in left}
    assert "pvc/data-push-redis-0" in section and "pod/push-test" in section


def test_uninstalling_leaves_nothing_else_behind(release):
    before = set(release.api.objects)
    release.install()
    release.run("uninstall", "push")
    assert set(release.api.objects) == before
