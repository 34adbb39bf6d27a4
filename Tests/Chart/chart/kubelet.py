"""A kubelet for loopback: runs the containers of rendered manifests as the processes they would be.

Arguments, environment, probes, preStop and grace period are those of the manifest. What a cluster would do is done here: each pod has
an address of its own in 127/8, where it listens on the manifest's ports; names of Services become addresses; `0.0.0.0` is the pod's own
address, as in a network namespace; volumes are folders."""

from __future__ import annotations

import base64
import itertools
import pathlib
import random
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Iterator

from harness.processes import Child
from harness.program import program
from harness.waiting import eventually

from .manifests import find, of_kind

REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
FIELD_LABEL = re.compile(r"metadata\.labels\['(.+)'\]")


@dataclass
class Stopped:
    code: int
    seconds: float


class Node:
    """Runs pods of one release."""

    def __init__(
        self,
        folder: pathlib.Path,
        documents: list[dict],
        node_labels: dict[str, str] | None = None,
        secrets: dict[str, dict[str, str]] | None = None,
        addresses: Iterator[str] | None = None,
    ):
        self.folder = folder
        self.documents = documents
        self.pods: dict[str, Pod] = {}
        self.all: list[Pod] = []
        # What Kubernetes 1.35 copies from the node to the pod's labels.
        self.node_labels = node_labels or {}
        # Two runs at once do not meet.
        network = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"
        self.addresses = addresses or (f"{network}.{number}" for number in itertools.count(1))
        self.secrets = {
            each["metadata"]["name"]: {key: base64.b64decode(text).decode() for key, text in each["data"].items()}
            for each in of_kind(documents, "Secret")
        } | (secrets or {})

    def replicas(self, kind: str, name: str) -> list["Pod"]:
        """Starts what the workload asks for."""
        workload = find(self.documents, kind, name)
        return [self.start(workload, number) for number in range(workload["spec"]["replicas"])]

    def start(self, workload: dict, number: int) -> "Pod":
        name = f"{workload['metadata']['name']}-{number}"
        pod = Pod(self, name, workload["spec"]["template"], next(self.addresses))
        self.pods[name] = pod
        self.all.append(pod)
        return pod

    def ready(self, service: str) -> list["Pod"]:
        """The endpoints of a Service."""
        selector = find(self.documents, "Service", service)["spec"]["selector"]
        labelled = [pod for pod in self.pods.values() if selector.items() <= pod.labels.items()]
        return [pod for pod in labelled if not pod.is_leaving and pod.probe("readinessProbe")]

    def resolve(self, text: str) -> str:
        """Names of Services become the address of a pod that is behind it, ready or not: it is asked before there is one."""
        for service in sorted(of_kind(self.documents, "Service"), key=lambda each: -len(each["metadata"]["name"])):
            name, selector = service["metadata"]["name"], service["spec"]["selector"]
            pattern = re.compile(rf"(?<![\w.-]){re.escape(name)}(?=:\d)")
            if pattern.search(text):
                behind = [pod for pod in self.pods.values() if selector.items() <= pod.labels.items()]
                assert behind, f"no pod is behind the Service {name}, which {text!r} names"
                text = pattern.sub(behind[0].host, text)
        return text

    def logs(self) -> str:
        return "\n".join(child.tail() for pod in self.all for child in pod.children.values())

    def stop(self) -> None:
        for pod in self.all:
            for child in pod.children.values():
                child.stop()


class Pod:
    def __init__(self, node: Node, name: str, template: dict, address: str):
        self.node = node
        self.name = name
        self.address = address
        self.spec = template["spec"]
        self.labels = {**template["metadata"]["labels"], **node.node_labels}
        self.is_leaving = False
        self.folder = node.folder / f"{name}-{address.replace(':', '.')}"
        self.folder.mkdir()
        self._fill_volumes()
        self.children = {each["name"]: self._start(each) for each in self.spec["containers"]}

    # Starting

    def _fill_volumes(self) -> None:
        for volume in self.spec.get("volumes", []):
            place = self.folder / volume["name"]
            place.mkdir()
            if secret := volume.get("secret"):
                for key, text in self.node.secrets[secret["secretName"]].items():
                    (place / key).write_text(text)

    def _start(self, container: dict) -> Child:
        environment = self.environment(container)
        command = container.get("command") or [program()]
        words = [self._place(self.expand(word, environment), container) for word in [*command, *container.get("args", [])]]
        return Child(container["name"], words, self.folder, environment)

    def environment(self, container: dict) -> dict[str, str]:
        """In order, as a variable may refer to those before it."""
        known: dict[str, str] = {}
        for each in container.get("env", []):
            value = self.expand(each["value"], known) if "value" in each else self._from(each["valueFrom"])
            known[each["name"]] = self._place(value, container)
        return known

    def expand(self, text: str, known: dict[str, str]) -> str:
        return REFERENCE.sub(lambda found: known.get(found.group(1), found.group(0)), text)

    def _from(self, source: dict) -> str:
        if secret := source.get("secretKeyRef"):
            return self.node.secrets[secret["name"]][secret["key"]]
        path = source["fieldRef"]["fieldPath"]
        if label := FIELD_LABEL.fullmatch(path):
            return self.labels.get(label.group(1), "")
        return {"metadata.name": self.name, "status.podIP": self.address}[path]

    def _place(self, text: str, container: dict) -> str:
        text = text.replace("0.0.0.0", self.address).replace("[::]", self.host)
        text = self.node.resolve(self.address if text == "::" else text)
        for mount in container.get("volumeMounts", []):
            if text == mount["mountPath"] or text.startswith(mount["mountPath"] + "/"):
                place = self.folder / mount["name"]
                place.mkdir(exist_ok=True)  # One of a claim; the others are there.
                return str(place) + text.removeprefix(mount["mountPath"])
        return text

    # Probes

    @property
    def container(self) -> dict:
        return self.spec["containers"][0]

    @property
    def child(self) -> Child:
        return self.children[self.container["name"]]

    def port(self, name: str) -> int:
        return next(each["containerPort"] for each in self.container["ports"] if each["name"] == name)

    @property
    def host(self) -> str:
        """The address, as it stands before a port."""
        return f"[{self.address}]" if ":" in self.address else self.address

    def endpoint(self, port: str) -> str:
        return f"{self.host}:{self.port(port)}"

    def probe(self, kind: str) -> bool:
        """Asks once, as the manifest says."""
        probe = self.container[kind]
        if get := probe.get("httpGet"):
            return self.get(get["path"], probe["timeoutSeconds"])[0] == 200
        if connect := probe.get("tcpSocket"):
            return self._connects(self.port(connect["port"]), probe["timeoutSeconds"])
        return self._run(probe["exec"]["command"], probe["timeoutSeconds"])

    def get(self, path: str, within: float = 5) -> tuple[int, str]:
        """From the port named admin; 0 when nothing answers."""
        try:
            with urllib.request.urlopen(f"http://{self.endpoint('admin')}{path}", timeout=within) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def _connects(self, port: int, within: float) -> bool:
        try:
            with socket.create_connection((self.address, port), timeout=within):
                return True
        except OSError:
            return False

    def _run(self, command: list[str], within: float) -> bool:
        """In the pod localhost is the pod; redis-cli is told so."""
        words = [*command[:1], "-h", self.address, *command[1:]] if command[0] == "redis-cli" else command
        environment = {**self.environment(self.container), "PATH": "/usr/bin:/bin:/usr/local/bin"}
        return subprocess.run(words, env=environment, capture_output=True, timeout=within + 5).returncode == 0

    def wait(self, kind: str) -> "Pod":
        """Until the probe says yes, for as long as its manifest allows the start-up."""
        start = self.container["startupProbe"]
        patience = start["periodSeconds"] * start["failureThreshold"]

        def says_yes() -> bool:
            if not self.child.running:
                raise RuntimeError(f"{self.name} ended with {self.child.process.returncode}: {self.child.log}")
            return self.probe(kind)

        eventually(f"the {kind} of {self.name} says yes", says_yes, patience)
        return self

    def wait_ready(self) -> "Pod":
        return self.wait("startupProbe").wait("readinessProbe")

    # Ending

    def stop(self) -> Stopped:
        """preStop, SIGTERM, and a kill when the grace period is over; the code is -9 then."""
        self.is_leaving = True
        began = time.monotonic()
        hook = self.container.get("lifecycle", {}).get("preStop", {})
        time.sleep(hook.get("sleep", {}).get("seconds", 0))  # This is the hook: the kubelet sleeps.
        self.child.terminate()
        left = self.spec["terminationGracePeriodSeconds"] - (time.monotonic() - began)
        try:
            code = self.child.process.wait(timeout=left)
        except subprocess.TimeoutExpired:
            self.child.kill()
            code = self.child.process.returncode
        self.node.pods.pop(self.name, None)
        return Stopped(code, time.monotonic() - began)
