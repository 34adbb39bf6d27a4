#!/usr/bin/env python3
"""nats-server: core NATS, one subject per client."""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer  # noqa: E402

CONNECT = (b'CONNECT {"verbose":false,"pedantic":false,"tls_required":false,"lang":"bench","version":"1",'
           b'"protocol":1,"echo":false}\r\n')


class Nats(peer.Protocol):
    """INFO, then CONNECT, SUB and PING; the PONG says that the subscription is in place."""

    def feed(self, i, data):
        if i in self.partial:
            data = self.partial.pop(i) + data
        messages = []
        at, size = 0, len(data)
        while at < size:
            end = data.find(b"\r\n", at)
            if end < 0:
                break
            kind = data[at:at + 4]
            if kind == b"MSG ":
                length = int(data[data.rfind(b" ", at, end) + 1:end])
                stop = end + 2 + length
                if stop + 2 > size:
                    break
                messages.append(data[end + 2:stop])
                at = stop + 2
                continue
            if kind == b"PING":
                self.load.reply(i, b"PONG\r\n")
            elif kind == b"PONG":
                self.load.ready(i)
            elif kind == b"INFO":
                if self.load.state[i] == 2:
                    self.load.reply(i, CONNECT + b"SUB c.%08d 1\r\nPING\r\n" % i)
            elif kind == b"-ERR":
                raise peer.PeerError(f"nats-server to session {i}: {data[at:end].decode(errors='replace')}")
            at = end + 2
        if at < size:
            self.partial[i] = data[at:]
        return messages

    def publisher(self):
        return NatsPublisher(self)


class NatsPublisher(peer.Publisher):
    def greet(self):
        self.sock.recv(4096)
        self.sock.sendall(CONNECT + b"PING\r\n")
        text = b""
        while b"PONG\r\n" not in text:
            more = self.sock.recv(4096)
            if not more:
                raise peer.PeerError(f"nats-server closed the publishing connection: {text!r}")
            text += more

    def encode(self, target, payload):
        return b"PUB c.%08d %d\r\n%b\r\n" % (target, len(payload), payload)

    def heard(self, data):
        if b"PING\r\n" in data:
            self.out.append(b"PONG\r\n")
        if b"-ERR" in data:
            raise peer.PeerError(f"nats-server to the publisher: {data.decode(errors='replace')}")


class NatsPeer(peer.Peer):
    name = "nats-server"
    notes = [
        "core NATS, at most once: a push to a subject without a subscriber is dropped, and the publisher is told "
        "nothing",
        "no registry of who is connected where and no outcome for each push: the publisher does not learn whether the "
        "client was there; counted as delivered is what the client received",
        "one server, no cluster: routing between servers is not measured",
        "one publishing connection; PUB lines are written together as they come (pipelined)",
    ]
    # https://docs.nats.io/running-a-nats-service/configuration: max_connections is 64 Ki unless set; the rest are
    # its defaults. The server counts the cores that it may use itself (GOMAXPROCS by affinity).
    config = """\
listen: "127.0.0.1:{port}"
max_connections: {connections}
max_payload: 64KB
ping_interval: "2m"
ping_max: 2
write_deadline: "10s"
"""

    def install(self):
        peer.install(["nats-server"], lambda: shutil.which("nats-server") is not None)

    def version(self):
        text = peer.run_text("nats-server", "--version")
        match = re.search(r"v?(\d+\.\d+\.\d+)", text)
        return f"{match.group(1) if match else text} (Debian {peer.package_version('nats-server')})"

    def settings(self):
        return {"config": self.config, "publisherConnections": 1}

    def command(self, port):
        path = os.path.join(self.folder, "nats.conf")
        with open(path, "w") as f:
            f.write(self.config.format(port=port, connections=self.options.sessions + 1000))
        return [shutil.which("nats-server"), "-c", path], None

    def protocol(self):
        return Nats()


if __name__ == "__main__":
    sys.exit(peer.main(NatsPeer))
