"""A TCP proxy that can be cut: to partition a real process without touching it."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading


class Proxy:
    """Forwards 127.0.0.1:port to `target`. While cut it accepts, keeps every connection, and carries nothing, as a network
    that drops packets does; nothing is refused or reset, so nobody is proven gone."""

    def __init__(self, target: int, port: int = 0):
        self.target = target
        self.is_cut = False
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = socket.socketpair()
        self.peers: dict[socket.socket, socket.socket] = {}
        self.waiting: list[socket.socket] = []
        self.commands: list = []
        self.lock = threading.Lock()
        self.is_stopped = False
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.wake_read, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def cut(self) -> None:
        self._do(self._cut)

    def mend(self) -> None:
        self._do(self._mend)

    def retarget(self, port: int) -> None:
        """New connections go there; those that are open are reset, as in a failover."""

        def change() -> None:
            self.target = port
            for one in list(self.peers):
                self._close(one)

        self._do(change)

    def stop(self) -> None:
        self.is_stopped = True
        self.wake_write.send(b"x")
        self.thread.join(timeout=10)
        # Not by the thread: it may see the flag, and be through, before it is woken.
        self.wake_write.close()

    def _do(self, command) -> None:
        done = threading.Event()
        with self.lock:
            self.commands.append((command, done))
        self.wake_write.send(b"x")
        assert done.wait(10), "the proxy does not answer"

    # In the proxy's thread

    def _run(self) -> None:
        while not self.is_stopped:
            for key, _ in self.selector.select(1):
                if key.fileobj is self.listener:
                    self._accept()
                elif key.fileobj is self.wake_read:
                    self.wake_read.recv(1024)
                elif key.fileobj in self.peers:
                    self._forward(key.fileobj)
            with self.lock:
                commands, self.commands = self.commands, []
            for command, done in commands:
                command()
                done.set()
        for one in [*self.peers, *self.waiting, self.listener, self.wake_read]:
            one.close()

    def _accept(self) -> None:
        near, _ = self.listener.accept()
        if self.is_cut:
            self.waiting.append(near)
        else:
            self._connect(near)

    def _connect(self, near: socket.socket) -> None:
        try:
            far = self._reach()
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.settimeout(5)
            self.peers[one] = other
            self.selector.register(one, selectors.EVENT_READ)

    def _reach(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.target), timeout=5)

    def _forward(self, one: socket.socket) -> None:
        try:
            data = one.recv(65536)
            if data:
                self.peers[one].sendall(data)
                return
        except OSError:
            pass
        self._close(one)

    def _close(self, one: socket.socket) -> None:
        other = self.peers.pop(one, None)
        for each in (one, other):
            if each is None:
                continue
            self.peers.pop(each, None)
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(each)
            each.close()

    def _cut(self) -> None:
        self.is_cut = True
        for one in self.peers:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(one)

    def _mend(self) -> None:
        self.is_cut = False
        for one in self.peers:
            self.selector.register(one, selectors.EVENT_READ)
        waiting, self.waiting = self.waiting, []
        for near in waiting:
            self._connect(near)
