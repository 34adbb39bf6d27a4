"""A balancer that knows no users: each new connection goes to one of the pods that are ready, in turn."""

from __future__ import annotations

import itertools
import socket
from typing import Callable

from harness.proxy import Proxy


class Balancer(Proxy):
    """What kube-proxy, or a cloud's balancer, does for one Service."""

    def __init__(self, endpoints: Callable[[], list[str]], port: int = 0):
        self.endpoints = endpoints
        self.turn = itertools.count()
        super().__init__(target=0, port=port)

    def _reach(self) -> socket.socket:
        ready = self.endpoints()
        if not ready:
            raise ConnectionRefusedError("no pod is ready")
        host, _, port = ready[next(self.turn) % len(ready)].rpartition(":")
        return socket.create_connection((host, int(port)), timeout=5)
