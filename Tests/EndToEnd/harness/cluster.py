"""Pods, Senders and their Redis."""

from __future__ import annotations

import pathlib
import re
import signal
import urllib.error
import urllib.request
from dataclasses import dataclass

from .processes import Child, free_port
from .program import program, run, run_json
from .redis import Redis
from .waiting import CommandFailed, eventually

# Short, so that what follows the end of a lease is seen within seconds; long enough for two busy cores.
LEASE = {"--lease": "2s", "--renewal-interval": "500ms", "--grace": "2s"}
# Strays stay where a test puts them, unless it is about moves.
NO_HOMING = {"--homing-rate": "0"}
CLUSTER = "end-to-end"


def http(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@dataclass
class Server:
    """A pod or a Sender."""

    child: Child
    port: int
    admin: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def wait_ready(self) -> "Server":
        def ready() -> bool:
            if not self.child.running:
                raise RuntimeError(f"{self.child.name} ended with {self.child.process.returncode}: {self.child.log}")
            return http(self.admin, "/readyz")[0] == 200

        eventually(f"{self.child.name} is ready", ready)
        return self


@dataclass
class Pod(Server):
    id: str
    peer: int


class Cluster:
    def __init__(
        self,
        folder: pathlib.Path,
        pods: int = 3,
        password: str = "",
        options: dict[str, str] | None = None,
        settled: bool = True,
    ):
        self.folder = folder
        self.options = options or {}
        self.children: list[Child] = []
        self.pods: dict[str, Pod] = {}
        self.sender: Server | None = None
        self.redis = Redis(folder, password)
        try:
            for number in range(pods):
                self.start_pod(f"pod-{number}", wait=False)
            for pod in self.pods.values():
                pod.wait_ready()
            if pods:
                self.sender = self.start_sender()
                self.wait_members(pods)
            if settled:
                self.wait_settled()
        except BaseException:
            print(self.logs())
            self.stop()
            raise

    # Starting and stopping

    def start_pod(self, pod_id: str, wait: bool = True, **options: str) -> Pod:
        port, peer, admin = free_port(), free_port(), free_port()
        flags = {
            "--pod-id": pod_id,
            "--listen": f"127.0.0.1:{port}",
            "--peer-listen": f"127.0.0.1:{peer}",
            "--admin-listen": f"127.0.0.1:{admin}",
            "--advertise": f"127.0.0.1:{port}",
            "--peer-advertise": f"127.0.0.1:{peer}",
            **NO_HOMING,
            **self.options,
        }
        flags.update({"--" + name.replace("_", "-"): value for name, value in options.items()})
        pod = Pod(self._server(pod_id, "session-manager", flags), port, admin, pod_id, peer)
        self.pods[pod_id] = pod
        if wait:
            pod.wait_ready()
        return pod

    def restart(self, pod: Pod) -> Pod:
        """A killed pod, started again as it was: the same name at the same addresses."""
        pod.child.exit_code()
        child = Child(pod.child.name, pod.child.command, self.folder)
        self.children.append(child)
        again = Pod(child, pod.port, pod.admin, pod.id, pod.peer)
        self.pods[pod.id] = again
        again.wait_ready()
        return again

    def start_sender(self, name: str = "sender", port: int = 0, **options: str) -> Server:
        port, admin = port or free_port(), free_port()
        flags = {"--listen": f"127.0.0.1:{port}", "--admin-listen": f"127.0.0.1:{admin}"}
        flags.update({"--" + key.replace("_", "-"): value for key, value in options.items()})
        return Server(self._server(name, "sender", flags), port, admin).wait_ready()

    def _server(self, name: str, command: str, flags: dict[str, str]) -> Child:
        registry = {"--redis": self.redis.url, "--cluster": CLUSTER}
        # A flag whose value is "" is a switch.
        parts = [part for flag, value in {**registry, **LEASE, **flags}.items() for part in (flag, value) if part != ""]
        child = Child(name, [program(), command, *parts], self.folder)
        self.children.append(child)
        return child

    def kill(self, pod_id: str) -> Pod:
        pod = self.pods.pop(pod_id)
        pod.child.send(signal.SIGKILL)
        pod.child.exit_code()
        return pod

    def stop(self) -> None:
        for child in self.children:
            child.stop()
        self.redis.stop()

    def logs(self) -> str:
        return "\n".join(child.tail() for child in [*self.children, self.redis.child])

    # Asking

    @property
    def endpoints(self) -> list[str]:
        return [pod.address for pod in self.pods.values()]

    @property
    def registry(self) -> list[str]:
        return ["--redis", self.redis.url, "--cluster", CLUSTER]

    def inspect(self) -> dict:
        # A cluster that nobody has joined yet ends with 1, and an object without members.
        done = run("ring", "inspect", *self.registry, "--output", "json")
        if done.code not in (0, 1) or not done.out:
            raise CommandFailed(f"ring inspect ended with {done.code}: {done.text}")
        return done.json

    def members(self) -> dict[str, dict]:
        return {member["id"]: member for member in self.inspect()["members"]}

    def active(self) -> set[str]:
        return {id for id, member in self.members().items() if member["state"] == "active"}

    def wait_members(self, count: int) -> None:
        eventually(f"{count} active members", lambda: len(self.active()) == count)

    def wait_settled(self) -> dict:
        def settled() -> dict | None:
            view = self.inspect()
            is_known = view["version"] > 0 or not self.pods
            return view if is_known and view["version"] == view["settledVersion"] else None

        return eventually("the view is settled", settled)

    def incarnations(self) -> list[int]:
        return [member["incarnation"] for member in self.inspect()["members"]]

    def owner(self, user: str) -> Pod:
        answer = run_json("ring", "owner", user, *self.registry)
        return self.pods[answer["owner"]["id"]]

    def others(self, user: str) -> list[Pod]:
        owner = self.owner(user)
        return [pod for pod in self.pods.values() if pod is not owner]

    def user_owned_by(self, pod_id: str, prefix: str) -> str:
        """A user whose owner is this pod."""
        for number in range(1000):
            user = f"{prefix}-{number}"
            if self.owner(user).id == pod_id:
                return user
        raise AssertionError(f"none of 1000 users is owned by {pod_id}")

    def records(self, user: str) -> list[dict]:
        """The user's records in the registry."""
        return run_json("sessions", user, *self.registry)["sessions"]

    def metric(self, server: Server, name: str) -> float:
        """The sum over all its series."""
        lines = [line for line in http(server.admin, "/metrics")[1].splitlines() if not line.startswith("#")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def costs(self) -> dict[str, float]:
        """What pushes have cost so far, by the Sender's counters and by Redis' own."""
        found = re.search(r"cmdstat_hgetall:calls=(\d+)", self.redis.call("INFO", "commandstats"))
        return {
            "pushes": self.metric(self.sender, "pushring_pushes_total"),
            "rpcs": self.metric(self.sender, "pushring_push_deliver_rpcs_total"),
            "reads": self.metric(self.sender, "pushring_push_registry_reads_total"),
            "hgetall": float(found.group(1)) if found else 0.0,
        }

    def push(self, user: str, message: str, *more: str, sender: Server | None = None) -> dict:
        """The result; also when not all sessions (2), or none (3), got the message."""
        address = (sender or self.sender).address
        return run_json("push", "--sender", address, "--user", user, "--message", message, *more, codes=(0, 2, 3))

