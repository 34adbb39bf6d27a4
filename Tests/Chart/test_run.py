"""What the manifests say is run: each container's arguments, environment and probes, with the real programs on loopback."""

import itertools
import json
import pathlib
import subprocess
import threading

import pytest
from chart import helm
from chart.kubelet import Node, Pod
from chart.manifests import find
from harness.clients import RawStream
from harness.processes import Child, free_port
from harness.program import program
from harness.waiting import eventually

# Without a pause before SIGTERM, where it is not what a test is about.
QUICK = {"sessionManager__preStopSleepSeconds": "0", "sender__preStopSleepSeconds": "0"}


def start(run, pods: int = 2, **settings):
    """A whole release: its Redis, pods and a Sender, ready."""
    documents = helm.template(**{**QUICK, "sender__replicas": "1", "sessionManager__replicas": str(pods), **settings})
    node = run(documents)
    node.replicas("StatefulSet", "push-redis")[0].wait_ready()
    for pod in [*node.replicas("StatefulSet", "push"), *node.replicas("Deployment", "push-sender")]:
        pod.wait_ready()
    eventually("the Sender has a connection to each pod", lambda: links(node) == pods)
    return node


def links(node) -> float:
    metrics = node.pods["push-sender-0"].get("/metrics")[1]
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith('pushring_pod_links{state="up"}'))


def execute(pod, *arguments) -> dict:
    """As by kubectl exec: in the container's own environment."""
    done = subprocess.run(
        [program(), *arguments, "--output", "json"], env=pod.environment(pod.container), capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """Two pods that the tests below share, on nodes that have a zone."""
    documents = helm.template(**QUICK, sender__replicas="1", sessionManager__replicas="2")
    node = Node(tmp_path_factory.mktemp("release"), documents, {"topology.kubernetes.io/zone": "eu-1a"})
    try:
        node.replicas("StatefulSet", "push-redis")[0].wait_ready()
        for pod in [*node.replicas("StatefulSet", "push"), *node.replicas("Deployment", "push-sender")]:
            pod.wait_ready()
        yield node
    except BaseException:
        print(node.logs())
        raise
    finally:
        node.stop()


def test_an_operator_in_a_pod_needs_no_flags(release):
    view = execute(release.pods["push-0"], "ring", "inspect")
    members = {member["id"]: member for member in view["members"]}
    assert members.keys() == {"push-0", "push-1"}
    for name, member in members.items():
        address = release.pods[name].address
        assert (member["endpoint"], member["peerEndpoint"]) == (f"{address}:7400", f"{address}:7401")
        assert member["zone"] == "eu-1a"


def test_a_pod_on_a_node_without_a_zone_has_none(run):
    node = start(run, pods=1)
    assert [member["zone"] for member in execute(node.pods["push-0"], "ring", "inspect")["members"]] == [""]


@pytest.mark.parametrize(
    "exposure, endpoint",
    [
        ({"exposure__mode": '"perPod"', "exposure__perPod__domain": '"push.example.com"'}, "push-0.push.example.com:7400"),
        (
            {"exposure__mode": '"gateway"', "exposure__gateway": '{"domain": "push.example.com", "parentRefs": [{"name": "public"}]}'},
            "push-0.push.example.com:443",
        ),
        ({"exposure__single__address": '"push.example.com:443"'}, "push.example.com:443"),
    ],
)
def test_clients_are_told_what_the_exposure_says(run, exposure, endpoint):
    node = start(run, pods=1, **exposure)
    assert [member["endpoint"] for member in execute(node.pods["push-0"], "ring", "inspect")["members"]] == [endpoint]
    # Also by Locate, which any client asks; the helm test goes by the Service, as these names may not be reached from inside.
    outcome = helm_test(node)
    assert {name: child.exit_code() for name, child in outcome.children.items()} == {"receive": 0, "push": 0}


@pytest.mark.skipif(not pathlib.Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")
def test_with_ipv6_all_addresses_stand_in_brackets(run):
    documents = helm.template(**QUICK, sessionManager__replicas="1", sender__replicas="1", ipFamily='"IPv6"')
    node = run(documents, addresses=itertools.repeat("::1"))
    for pod in [
        *node.replicas("StatefulSet", "push-redis"), *node.replicas("StatefulSet", "push"), *node.replicas("Deployment", "push-sender"),
    ]:
        pod.wait_ready()
    member = execute(node.pods["push-0"], "ring", "inspect")["members"][0]
    assert (member["endpoint"], member["peerEndpoint"]) == ("[::1]:7400", "[::1]:7401")
    eventually("the Sender has a connection to the pod", lambda: links(node) == 1)


def test_all_probes_say_yes_when_all_is_well(release):
    for name, pod in release.pods.items():
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert pod.probe(kind), (name, kind)


def test_redis_takes_the_password_and_does_not_show_it(release):
    redis = release.pods["push-redis-0"]
    password = redis.environment(redis.container)["REDIS_PASSWORD"]
    assert len(password) == 32
    with open(f"/proc/{redis.child.process.pid}/cmdline", "rb") as file:
        assert password.encode() not in file.read()
    for words, answer in ((["-a", password], "PONG"), ([], "NOAUTH")):
        done = subprocess.run(
            ["redis-cli", "-h", redis.address, "--no-auth-warning", *words, "ping"], capture_output=True, text=True, timeout=10
        )
        assert answer in done.stdout


def test_no_log_has_the_password(release):
    redis = release.pods["push-redis-0"]
    password = redis.environment(redis.container)["REDIS_PASSWORD"]
    logs = {pod.name: child.log for pod in release.all for child in pod.children.values()}
    assert all(logs.values()) and not [name for name, log in logs.items() if password in log]


def test_pods_are_started_before_redis_and_say_so(run):
    documents = helm.template(**QUICK, sessionManager__replicas="1")
    node = run(documents)
    # Its address has to be known, so it is started, and ended again.
    redis = node.replicas("StatefulSet", "push-redis")[0].wait_ready()
    redis.child.kill()
    pod = node.replicas("StatefulSet", "push")[0].wait("startupProbe")
    assert pod.probe("livenessProbe") and not pod.probe("readinessProbe")
    assert "has not answered yet" in pod.get("/readyz")[1]


def test_while_a_pod_drains_it_is_unready_and_alive_and_then_ends_with_zero(run):
    """A client that can't move holds the drain up until four fifths of its deadline."""
    node = start(run, sessionManager__config__drainDeadline='"6s"')
    pod = node.pods["push-1"]
    stream = RawStream(pod.endpoint("clients"))
    stream.hello("someone", "phone")
    stream.welcome()
    pod.child.terminate()
    eventually("it is not ready", lambda: not pod.probe("readinessProbe"))
    assert pod.probe("livenessProbe"), "a drain must not look like a hang"
    status = stream.status()
    assert status.trailers["pushring-reason"] == "leaving"
    assert status.trailers["pushring-endpoints"] == node.pods["push-0"].endpoint("clients")
    assert pod.stop().code == 0
    stream.close()


def test_the_slowest_drain_ends_within_the_grace_period(run):
    """The client neither moves nor reads how its stream ends."""
    node = start(run, sessionManager__config__drainDeadline='"4s"')
    pod = node.pods["push-1"]
    stream = RawStream(pod.endpoint("clients"))
    stream.hello("someone", "phone")
    stream.welcome()
    stopped = pod.stop()
    assert stopped.code == 0 and stopped.seconds < pod.spec["terminationGracePeriodSeconds"] - 10, stopped
    stream.close()


def test_the_pause_before_sigterm_keeps_the_pod_in_service(run, clients):
    """Balancers that have not heard yet may go on sending clients."""
    node = start(run, sessionManager__preStopSleepSeconds="3")
    pod = node.pods["push-1"]
    ended = threading.Thread(target=pod.stop)
    ended.start()
    late = clients.open("late", [pod.endpoint("clients")], locate=False)
    assert late.pod == "push-1"
    ended.join(timeout=30)
    eventually("the late client has moved", lambda: late.pod == "push-0")
    assert not late.of("ended"), late.life


def test_a_sender_finishes_and_ends_with_zero(run):
    node = start(run, pods=1)
    stopped = node.pods["push-sender-0"].stop()
    assert stopped.code == 0 and stopped.seconds < 10


def test_the_helm_test_opens_a_stream_and_sees_what_is_pushed(release):
    outcome = helm_test(release)
    assert {name: child.exit_code() for name, child in outcome.children.items()} == {"receive": 0, "push": 0}
    assert '"payload":"helm test of push"' in outcome.children["receive"].log
    assert '"outcome":"delivered"' in outcome.children["push"].log.replace(" ", "")


def test_the_helm_test_pod_fails_without_a_pod_to_take_the_stream(run):
    node = start(run, pods=1)
    node.pods["push-0"].child.kill()
    outcome = helm_test(node, attempts=2)
    assert outcome.children["push"].exit_code() != 0 and outcome.children["receive"].running


def helm_test(node, attempts: int = 20):
    """Starts the test's pod; `push` is started again until it succeeds, as restartPolicy says."""
    template = find(node.documents, "Pod", "push-test")
    assert template["spec"]["restartPolicy"] == "OnFailure"
    pod = Pod(node, "push-test", template, next(node.addresses))
    node.all.append(pod)
    push = next(each for each in pod.spec["containers"] if each["name"] == "push")
    for _ in range(attempts):
        if pod.children["push"].exit_code() == 0:
            break
        pod.children["push"] = pod._start(push)
    return pod


def test_settings_that_the_chart_can_give_are_taken_by_the_programs(run):
    """Every one of them, from charts/pushring/ci/extensions.yaml."""
    documents = helm.template("extensions", sessionManager__extraContainers="[]", sender__extraContainers="[]", sender__replicas="1",
                              sessionManager__replicas="1", sessionManager__extraVolumeMounts="[]", sender__extraVolumeMounts="[]")
    node = run(documents)
    node.replicas("StatefulSet", "notify-redis")[0].wait_ready()
    for pod in [*node.replicas("StatefulSet", "notify"), *node.replicas("Deployment", "notify-sender")]:
        pod.wait_ready()
    view = execute(node.pods["notify-0"], "ring", "inspect")
    assert [(member["id"], member["weight"]) for member in view["members"]] == [("notify-0", 2)]


# A Redis of the user's, over TLS


def certificate(folder: pathlib.Path, name: str) -> pathlib.Path:
    """NAME.crt, which is its own authority, with NAME.key beside it."""
    made = folder / f"{name}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", made.with_suffix(".key"), "-out", made],
        check=True, capture_output=True, timeout=30,
    )
    return made


def on_external_redis(run, tmp_path, trusted: str):
    """A pod that finds its Redis, and whom to trust, in Secrets."""
    shown, port = certificate(tmp_path, "redis"), free_port()
    redis = Child(
        "redis-with-tls",
        ["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--tls-cert-file", shown, "--tls-key-file",
         shown.with_suffix(".key"), "--tls-ca-cert-file", shown, "--tls-auth-clients", "no", "--requirepass", "p@ss", "--save", ""],
        tmp_path,
    )
    authority = shown if trusted == "redis" else certificate(tmp_path, trusted)
    documents = helm.template(
        **QUICK, sessionManager__replicas="1", redis__bundled__enabled="false", redis__external__existingSecret='{"name": "registry"}',
        redis__external__ca='{"secretName": "registry-ca", "key": "authority.pem"}',
    )
    secrets = {
        "registry": {"url": f"rediss://:p%40ss@127.0.0.1:{port}"}, "registry-ca": {"authority.pem": authority.read_text()},
    }
    return redis, run(documents, secrets=secrets).replicas("StatefulSet", "push")[0]


def test_a_pod_trusts_the_authority_of_a_secret(run, tmp_path):
    redis, pod = on_external_redis(run, tmp_path, trusted="redis")
    try:
        pod.wait_ready()
        assert pod.environment(pod.container)["PUSHRING_REDIS_CA_FILE"].endswith("/redis-ca/authority.pem")
    finally:
        redis.stop()


def test_a_pod_does_not_trust_another_authority(run, tmp_path):
    redis, pod = on_external_redis(run, tmp_path, trusted="stranger")
    try:
        pod.wait("startupProbe")
        eventually("the pod says why", lambda: "certificate" in pod.child.log.lower())
        assert not pod.probe("readinessProbe") and pod.probe("livenessProbe")
    finally:
        redis.stop()
