"""A private redis-server that keeps nothing on disk, so that a restart is a loss of all data."""

from __future__ import annotations

import pathlib
import subprocess

from .processes import Child, free_port
from .waiting import eventually


class Redis:
    def __init__(self, folder: pathlib.Path, password: str = "", name: str = "redis"):
        self.folder = folder
        self.name = name
        self.password = password
        self.port = free_port()
        self.child: Child | None = None
        self.start()

    @property
    def url(self) -> str:
        credentials = f":{self.password}@" if self.password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self.folder),
        ]
        if self.password:
            command += ["--requirepass", self.password]
        self.child = Child(self.name, command, self.folder)
        eventually("redis-server answers", lambda: self.call("PING") == "PONG")

    def replica(self, folder: pathlib.Path) -> "Redis":
        """Another server that copies this one until it is told otherwise."""
        made = Redis(folder, self.password, "redis-replica")
        made.call("REPLICAOF", "127.0.0.1", str(self.port))
        eventually("the replica follows", lambda: "master_link_status:up" in made.call("INFO", "replication"))
        return made

    def restart_empty(self) -> None:
        """Another process at the same address, that knows nothing of what the first one held."""
        self.child.kill()
        self.start()

    def call(self, *arguments: str) -> str:
        command = ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), "--raw"]
        if self.password:
            command += ["--no-auth-warning", "-a", self.password]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=10)
        return done.stdout.strip()

    def keys(self, pattern: str = "*") -> list[str]:
        return self.call("KEYS", pattern).split()

    def stop(self) -> None:
        self.child.stop()
