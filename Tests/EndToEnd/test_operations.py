"""What an operator sees: inspection, health, metrics, logs; and how the program answers mistakes."""

import json
import re
import signal
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from harness.cluster import CLUSTER, http
from harness.processes import Child, free_port
from harness.program import program, run
from harness.waiting import eventually

# ring inspect, ring owner, sessions


def test_inspect_shows_shares_that_add_up_and_the_sessions_that_are_connected(cluster, clients, user):
    before = {id: member["sessions"] for id, member in cluster.members().items()}
    opened = [clients.open(f"{user}-{number}", cluster.endpoints, wait=False) for number in range(60)]
    for client in opened:
        client.wait_welcome()
    expected = {pod: before[pod] + sum(client.pod == pod for client in opened) for pod in cluster.pods}

    def counts():
        return {id: member["sessions"] for id, member in cluster.members().items()}

    eventually(f"inspect counts {expected}", lambda: counts() == expected)
    inspected = cluster.inspect()
    assert inspected["version"] >= inspected["settledVersion"] > 0
    assert abs(sum(member["share"] for member in inspected["members"]) - 1) < 1e-6
    assert {member["id"] for member in inspected["members"]} == set(cluster.pods)
    for member in inspected["members"]:
        assert member["state"] == "active"
        assert member["incarnation"] > 0
        assert member["weight"] == 1
        assert member["zone"] == ""
        assert 0.2 < member["share"] < 0.5
        assert member["strays"] >= 0
        assert 0 < member["leaseSeconds"] <= 2.1
    assert len(set(member["incarnation"] for member in inspected["members"])) == 3


def test_inspect_prints_a_table_and_a_picture(cluster):
    table = run("ring", "inspect", *cluster.registry)
    assert table.code == 0, table.text
    for pod in cluster.pods:
        assert pod in table.out
    pictures = [("ring", "inspect"), ("ring", "owner", "alice")]
    for picture in [run(*command, *cluster.registry, "--output", "svg") for command in pictures]:
        assert picture.code == 0, picture.text
        assert picture.out.lstrip().startswith("<") and "<svg" in picture.out and "</svg>" in picture.out


def test_sessions_lists_a_user_s_sessions_with_their_pods(cluster, clients, user):
    here = clients.at(cluster.pods["pod-0"], user, "phone")
    there = clients.at(cluster.pods["pod-2"], user, "laptop")
    records = cluster.records(user)
    assert {(record["session"], record["pod"], record["epoch"]) for record in records} == {
        ("phone", "pod-0", here.epoch),
        ("laptop", "pod-2", there.epoch),
    }
    table = run("sessions", user, *cluster.registry)
    assert "phone" in table.out and "pod-2" in table.out


# Health, readiness, metrics, logs


@pytest.mark.parametrize("server", ["pod-0", "sender"])
def test_grpc_health_says_serving(cluster, server):
    address = cluster.sender.address if server == "sender" else cluster.pods[server].address
    with grpc.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        assert stub.Check(health_pb2.HealthCheckRequest(), timeout=10).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as unknown:
            stub.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=10)
        assert unknown.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("server", ["pod-0", "sender"])
def test_the_administration_port_serves_health_readiness_and_metrics(cluster, clients, user, server):
    clients.at(cluster.pods["pod-0"], user).wait_welcome()
    cluster.push(user, "counted")
    admin = cluster.sender.admin if server == "sender" else cluster.pods[server].admin
    assert http(admin, "/healthz")[0] == 200
    assert http(admin, "/readyz")[0] == 200
    assert http(admin, "/nothing")[0] == 404
    status, text = http(admin, "/metrics")
    assert status == 200
    samples = check_prometheus(text)
    assert any(name.startswith("pushring_") for name in samples), sorted(samples)


def check_prometheus(text: str) -> dict[str, float]:
    """Every line is a comment or a sample of the Prometheus text format; returns the samples by name."""
    sample = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_]\w*="[^"]*"(,[a-zA-Z_]\w*="[^"]*")*\})? (\S+)$')
    samples = {}
    for line in filter(None, text.splitlines()):
        if line.startswith("#"):
            assert re.match(r"^# (TYPE|HELP) \S+", line), line
            continue
        match = sample.match(line)
        assert match, f"not Prometheus text: {line!r}"
        samples[match[1]] = float(match[4])
    assert samples
    return samples


def test_json_logs_are_one_object_a_line(cluster):
    pod = cluster.start_pod("json-logs", log_format="json", log_level="debug")
    pod.child.terminate()
    assert pod.child.exit_code() == 0
    del cluster.pods["json-logs"]
    lines = pod.child.log.splitlines()
    assert lines
    for line in lines:
        entry = json.loads(line)
        assert entry["level"] and entry["message"], entry
    cluster.wait_members(3)


# Mistakes


def test_help_lists_the_commands_and_each_command_its_flags():
    top = run("--help")
    assert top.code == 0
    for command in ("session-manager", "sender", "connect", "push", "ring", "sessions", "demo"):
        assert command in top.out
    for command in ("session-manager", "sender"):
        shown = run(command, "--help")
        assert shown.code == 0
        for flag in ("--listen", "--admin-listen", "--redis", "--cluster"):
            assert flag in shown.out


def failed(*arguments, **options):
    """Runs a command that must fail by itself, soon and with words."""
    done = run(*arguments, within=30, **options)
    assert done.code != 0, done.text
    return done.text


@pytest.fixture
def ports():
    return [
        part
        for flag in ("--listen", "--peer-listen", "--admin-listen")
        for part in (flag, f"127.0.0.1:{free_port()}")
    ]


def test_an_unknown_flag_is_named(cluster, ports):
    text = failed("session-manager", "--pod-id", "x", *ports, *cluster.registry, "--listne", "127.0.0.1:1")
    assert "--listne" in text


def test_a_malformed_value_is_named_with_its_flag(cluster, ports):
    text = failed("session-manager", "--pod-id", "x", *ports, *cluster.registry, "--weight", "heavy")
    assert "weight" in text and "heavy" in text


@pytest.mark.parametrize("suffix,content", [("json", '{"lisen": "127.0.0.1:1"}'), ("yaml", "lisen: 127.0.0.1:1\n")])
def test_an_unknown_key_in_the_configuration_file_is_named(cluster, ports, tmp_path, suffix, content):
    file = tmp_path / f"pushring.{suffix}"
    file.write_text(content)
    text = failed("session-manager", "--config", file, "--pod-id", "x", *ports, *cluster.registry)
    assert "lisen" in text


def test_an_unknown_environment_variable_is_named(cluster, ports):
    text = failed(
        "session-manager", "--pod-id", "x", *ports, *cluster.registry, environment={"PUSHRING_LISEN": "127.0.0.1:1"}
    )
    assert "PUSHRING_LISEN" in text


def test_settings_come_from_flags_then_environment_then_file(cluster, tmp_path):
    file = tmp_path / "pushring.json"
    file.write_text(json.dumps({"redis": "redis://127.0.0.1:1", "cluster": CLUSTER}))
    done = run(
        "ring", "inspect", "--config", file, "--output", "json", environment={"PUSHRING_REDIS": cluster.redis.url}
    )
    assert done.code == 0, done.text
    assert {member["id"] for member in done.json["members"]} == set(cluster.pods)


@pytest.mark.parametrize("which", ["--listen", "--peer-listen", "--admin-listen"])
def test_a_port_in_use_is_named(cluster, ports, which):
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        taken = occupied.getsockname()[1]
        arguments = list(ports)
        arguments[arguments.index(which) + 1] = f"127.0.0.1:{taken}"
        text = failed("session-manager", "--pod-id", "twin", *arguments, *cluster.registry)
    assert f"127.0.0.1:{taken} ({which}): the port is in use" in text
    assert "descriptor" not in text and "error   " not in text, text
    # It is no member: a pod that can't be reached must not own users.
    eventually("the twin is not active", lambda: "twin" not in cluster.active())


@pytest.mark.parametrize("which", ["--advertise", "--peer-advertise"])
def test_an_address_that_nobody_can_reach_is_not_advertised(cluster, ports, which):
    text = failed("session-manager", "--pod-id", "twin", *ports, which, "0.0.0.0:7401", *cluster.registry)
    assert which in text and "0.0.0.0:7401" in text
    assert "twin" not in cluster.active()


def test_a_pod_that_advertises_the_address_of_another_is_refused(cluster):
    other = cluster.pods["pod-0"]
    before = cluster.incarnations()
    twin = cluster.start_pod("twin", wait=False, peer_advertise=f"127.0.0.1:{other.peer}")
    del cluster.pods["twin"]
    assert twin.child.exit_code() == 1
    assert "--peer-advertise" in twin.child.log and str(other.peer) in twin.child.log
    # The other one has not noticed.
    eventually("the twin is gone", lambda: cluster.incarnations() == before)


def test_a_port_in_use_fails_a_sender(cluster):
    text = failed(
        "sender", "--listen", cluster.sender.address, "--admin-listen", f"127.0.0.1:{free_port()}", *cluster.registry
    )
    assert f"{cluster.sender.address} (--listen): the port is in use" in text
    assert "descriptor" not in text and "error   " not in text, text


@pytest.mark.parametrize("which", ["--listen", "--peer-listen", "--admin-listen"])
@pytest.mark.parametrize("host,words", [("no-such-host.invalid", "can't be resolved"), ("192.0.2.1", "no such address")])
def test_an_address_that_is_not_this_machine_s_is_named(cluster, ports, which, host, words):
    arguments = list(ports)
    arguments[arguments.index(which) + 1] = f"{host}:{free_port()}"
    # The cluster's settings, or it may end sooner because of them.
    settings = [part for flag in cluster.options.items() for part in flag]
    text = failed("session-manager", "--pod-id", "lost", *arguments, *settings, *cluster.registry)
    assert f"on {host}:" in text and f"({which})" in text and words in text


def test_a_second_process_with_a_pod_s_id_warns(own_cluster):
    cluster = own_cluster(pods=1)
    first = cluster.pods["pod-0"]
    twin = cluster.start_pod("pod-0")
    warning = "Another process is a member with this pod's id at another address"
    eventually("it warns", lambda: warning in twin.child.log)
    assert f"127.0.0.1:{first.peer}" in twin.child.log


def test_inspect_names_a_redis_that_does_not_answer():
    port = free_port()
    text = failed("ring", "inspect", "--redis", f"redis://127.0.0.1:{port}", "--cluster", CLUSTER)
    assert f"127.0.0.1:{port}" in text


@pytest.mark.parametrize("bad", ["", "u" * 257], ids=["empty", "over-long"])
def test_a_user_that_no_pod_takes_ends_connect(cluster, bad):
    done = run("connect", "--endpoint", cluster.pods["pod-0"].address, "--user", bad)
    assert done.code == 1, done.text
    assert "refused" in done.text and "the user id" in done.text


@pytest.mark.parametrize("which", ["peer", "sender"])
def test_an_address_that_is_no_session_port_ends_connect(cluster, which):
    address = cluster.sender.address if which == "sender" else f"127.0.0.1:{cluster.pods['pod-0'].peer}"
    done = run("connect", "--endpoint", address, "--user", "u")
    assert done.code == 1, done.text
    assert address in done.text and "--listen" in done.text


def test_a_push_names_a_sender_that_does_not_answer():
    port = free_port()
    text = failed("push", "--sender", f"127.0.0.1:{port}", "--user", "u", "--message", "m")
    assert f"127.0.0.1:{port}" in text


def test_a_push_to_an_empty_user_fails_in_words(cluster):
    assert "user" in failed("push", "--sender", cluster.sender.address, "--user", "", "--message", "m")


def test_a_push_above_the_sender_s_limit_names_it(cluster, tmp_path):
    file = tmp_path / "large"
    file.write_bytes(b"x" * 16 * 1024 * 1024)
    text = failed("push", "--sender", cluster.sender.address, "--user", "u", "--file", file)
    assert "16777216 bytes" in text and "at most 262144" in text


def test_a_push_needs_a_message_or_a_file(cluster):
    text = failed("push", "--sender", cluster.sender.address, "--user", "u")
    assert "--message" in text and "--file" in text


def test_a_wrong_redis_password_is_an_error_that_does_not_show_it(own_cluster):
    cluster = own_cluster(pods=1, password="right-password")
    assert cluster.active() == {"pod-0"}
    for credentials in ("", ":wrong-password@"):
        url = f"redis://{credentials}127.0.0.1:{cluster.redis.port}"
        text = failed("ring", "inspect", "--redis", url, "--cluster", CLUSTER)
        assert "password" in text.lower() or "auth" in text.lower()
        assert "wrong-password" not in text


def test_a_server_without_its_registry_says_so_and_is_not_ready(tmp_path):
    redis, admin = free_port(), free_port()
    command = [
        program(), "session-manager", "--pod-id", "alone", "--listen", f"127.0.0.1:{free_port()}",
        "--peer-listen", f"127.0.0.1:{free_port()}", "--admin-listen", f"127.0.0.1:{admin}",
        "--redis", f"redis://127.0.0.1:{redis}", "--cluster", CLUSTER,
    ]  # fmt: skip
    child = Child("alone", command, tmp_path)
    try:

        def told() -> bool:
            if child.running and http(admin, "/readyz")[0] == 200:
                raise RuntimeError("ready without a registry")
            return f"127.0.0.1:{redis}" in child.log

        eventually("its log names the address", told)
        if child.running:
            child.terminate()
            child.exit_code()
    finally:
        child.stop()


def test_sigterm_ends_a_sender_in_good_order(cluster):
    sender = cluster.start_sender("sender-to-stop")
    sender.child.send(signal.SIGTERM)
    assert sender.child.exit_code() == 0
