"""A cluster made of the image, on a network of its own, each container as the chart would run it."""

from __future__ import annotations

import ipaddress
import urllib.error
import urllib.request

from harness.waiting import eventually

from . import podman
from .podman import HARDENED, Container

CLIENTS, PEERS, PUSHES, ADMIN = 7400, 7401, 7410, 7402
# The chart's user, which is the image's own; one that is named; and one as OpenShift gives, without a name and in group 0.
IMAGES_OWN: list[str] = []
NAMED = ["--user", "65532:65532"]
ANY = ["--user", "1000660000:0"]


class Network:
    """A bridge, so that containers have addresses of their own, which this machine reaches too."""

    def __init__(self, name: str):
        self.name = podman.check("network", "create", "--disable-dns", name)
        self.subnet = ipaddress.ip_network(podman.inspect("network", name)["subnets"][0]["subnet"])
        # The first is this machine.
        self.given = 1

    def address(self) -> str:
        self.given += 1
        return str(self.subnet.network_address + self.given)

    def remove(self) -> None:
        podman.run("network", "rm", "--force", self.name)


class Server(Container):
    """A pod, a Sender or a Redis."""

    def __init__(
        self,
        network: Network,
        name: str,
        image: str,
        arguments: list[str],
        environment: dict[str, str] | None = None,
        options: list[str] = HARDENED,
        user: list[str] = IMAGES_OWN,
    ):
        self.address = network.address()
        # As the kubelet tells it by status.podIP.
        variables = {key: value.replace("POD_IP", self.address) for key, value in (environment or {}).items()}
        place = ["--network", network.name, "--ip", self.address, "--hostname", name]
        super().__init__(name, image, arguments, [*place, *options, *user], variables)

    def endpoint(self, port: int) -> str:
        return f"{self.address}:{port}"

    def get(self, path: str) -> tuple[int, str]:
        """From the administration port; 0 when nothing answers."""
        try:
            with urllib.request.urlopen(f"http://{self.endpoint(ADMIN)}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_ready(self) -> "Server":
        def ready() -> bool:
            if not self.running:
                raise RuntimeError(f"{self.tail()}")
            return self.get("/readyz")[0] == 200

        eventually(f"{self.name} is ready", ready)
        return self


class Cluster:
    def __init__(self, network: Network, image: str, redis_image: str, pods: int = 3):
        self.network = network
        self.image = image
        self.servers: list[Server] = []
        try:
            command = ["--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "", "--dir", "/"]
            self.redis = self._add(Server(network, "redis", redis_image, ["redis-server", *command], user=NAMED))
            users = [IMAGES_OWN, NAMED, ANY]
            self.pods = [self.start_pod(number, users[number % len(users)]) for number in range(pods)]
            self.sender = self.start_sender(user=ANY)
            for server in [*self.pods, self.sender]:
                server.wait_ready()
            up = f'pushring_pod_links{{state="up"}} {pods}'
            eventually("the Sender has a connection to each pod", lambda: up in self.sender.get("/metrics")[1])
            settled = "pushring_view_settled 1"
            eventually("the view is settled", lambda: all(settled in pod.get("/metrics")[1] for pod in self.pods))
        except BaseException:
            print(self.logs())
            self.stop()
            raise

    def _add(self, server: Server) -> Server:
        self.servers.append(server)
        return server

    @property
    def registry(self) -> dict[str, str]:
        return {
            "PUSHRING_REDIS": f"redis://{self.redis.endpoint(6379)}",
            "PUSHRING_CLUSTER": "image",
            "PUSHRING_ADMIN_LISTEN": f"0.0.0.0:{ADMIN}",
        }

    def start_pod(self, number: int, user: list[str], options: list[str] = HARDENED) -> Server:
        environment = {
            **self.registry,
            "PUSHRING_POD_ID": f"push-{number}",
            "PUSHRING_LISTEN": f"0.0.0.0:{CLIENTS}",
            "PUSHRING_PEER_LISTEN": f"0.0.0.0:{PEERS}",
            "PUSHRING_ADVERTISE": f"POD_IP:{CLIENTS}",
            "PUSHRING_PEER_ADVERTISE": f"POD_IP:{PEERS}",
        }
        return self._add(Server(self.network, f"push-{number}", self.image, ["session-manager"], environment, options, user))

    def start_sender(self, user: list[str] = IMAGES_OWN, options: list[str] = HARDENED) -> Server:
        environment = {**self.registry, "PUSHRING_LISTEN": f"0.0.0.0:{PUSHES}"}
        return self._add(Server(self.network, "sender", self.image, ["sender"], environment, options, user))

    def command(self, name: str, *arguments: str, options: list[str] = HARDENED) -> Server:
        """Another program of the image, inside of the network: a client, or a push."""
        return self._add(Server(self.network, name, self.image, list(arguments), options=options))

    @property
    def endpoints(self) -> list[str]:
        return [pod.endpoint(CLIENTS) for pod in self.pods]

    @property
    def programs(self) -> list[Server]:
        """Those that are of the image under test."""
        return [*self.pods, self.sender]

    def logs(self) -> str:
        return "\n".join(server.tail() for server in self.servers)

    def stop(self) -> None:
        for server in self.servers:
            server.remove()
