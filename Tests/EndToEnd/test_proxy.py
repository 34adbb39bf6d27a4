"""nginx in front of the pods, with the lines that Docs/kubernetes.md gives for it: hashing consistently on the user's id, which the
client sends as metadata. Where the documents have names and TLS, this has the pods' addresses and none."""

from __future__ import annotations

import os
import re
import shutil

import grpc
import pytest

from harness.processes import Child, free_port
from harness.program import REPOSITORY
from harness.waiting import eventually

USERS, DEVICES = 8, 4
# scripts/setup unpacks it, so that no server of the system's is started.
UNPACKED = REPOSITORY / ".build" / "nginx" / "usr" / "sbin" / "nginx"


def documented(pods: list[str], address: str) -> str:
    text = (REPOSITORY / "Docs" / "kubernetes.md").read_text()
    lines = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)[1].splitlines()
    replaced = {
        "resolver ": [],
        "server push": [f"server {pod};" for pod in pods],
        "listen ": [f"listen {address} http2;"],
        "http2 on;": [],
    }
    result = []
    for line in lines:
        found = [start for start in replaced if line.strip().startswith(start)]
        result += replaced.pop(found[0]) if found else [line]
    assert not replaced, f"not in the documents any more: {list(replaced)}"
    return "\n".join(result)


@pytest.fixture
def nginx(tmp_path):
    """nginx(pods): the address that it listens on."""
    started = []

    def start(pods: list[str]) -> str:
        address = f"127.0.0.1:{free_port()}"
        folders = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;" if os.geteuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; master_process off; {user} pid {tmp_path}/nginx.pid;\n"
            f"events {{ worker_connections 1024; }}\nhttp {{ access_log off;\n{folders}{documented(pods, address)}\n}}\n"
        )
        binary = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or str(UNPACKED)
        started.append(
            Child("nginx", [binary, "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")], tmp_path)
        )
        channel = grpc.insecure_channel(address)
        eventually("nginx listens", lambda: _is_ready(channel))
        channel.close()
        return address

    yield start
    for child in started:
        child.kill()


def _is_ready(channel: grpc.Channel) -> bool:
    try:
        grpc.channel_ready_future(channel).result(timeout=1)
        return True
    except grpc.FutureTimeoutError:
        return False


def test_each_users_sessions_come_to_one_pod_and_are_pushed_to(own_cluster, nginx, raw, user):
    cluster = own_cluster(options={"--homing-rate": "0"})
    address = nginx([pod.address for pod in cluster.pods.values()])
    users = [f"{user}-{number}" for number in range(USERS)]
    opened = {}
    for one in users:
        opened[one] = [raw(address, ("user-id", one)).hello(one, f"device-{device}") for device in range(DEVICES)]
        for stream in opened[one]:
            stream.welcome()
    placed = {one: {record["pod"] for record in cluster.records(one)} for one in users}
    assert all(len(pods) == 1 for pods in placed.values()), placed
    assert len(set.union(*placed.values())) > 1, "and not all users' to the same"
    for one in users:
        result = cluster.push(one, "by a proxy")
        assert result["completeness"] == "complete" and len(result["results"]) == DEVICES, result
        for stream in opened[one]:
            assert stream.read().message.payload == b"by a proxy"


def test_sessions_of_a_pod_that_is_killed_come_in_again(own_cluster, nginx, raw, user):
    cluster = own_cluster(options={"--homing-rate": "0"})
    address = nginx([pod.address for pod in cluster.pods.values()])
    stream = raw(address, ("user-id", user)).hello(user, "phone")
    killed = stream.welcome().pod_id
    cluster.kill(killed)
    assert stream.status().code is not grpc.StatusCode.OK

    def again():
        one = raw(address, ("user-id", user)).hello(user, "phone")
        frame = one.read()
        return one if frame is not None and frame.WhichOneof("frame") == "welcome" else None

    back = eventually("the proxy has found another pod", again)
    eventually("a push reaches it", lambda: cluster.push(user, "still here")["completeness"] == "complete")
    assert back.read().message.payload == b"still here"
