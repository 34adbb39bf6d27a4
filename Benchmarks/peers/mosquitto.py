#!/usr/bin/env python3
"""mosquitto: MQTT 3.1.1, QoS 0, one topic per client."""

import os
import re
import shutil
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer  # noqa: E402

KEEPALIVE = 3600


def packet(kind, body):
    size, head = len(body), bytearray([kind])
    while True:
        size, low = size >> 7, size & 127
        head.append(low | (128 if size else 0))
        if not size:
            return bytes(head) + body


def text(value):
    return struct.pack(">H", len(value)) + value


def connect(client):
    return packet(0x10, text(b"MQTT") + b"\x04\x02" + struct.pack(">H", KEEPALIVE) + text(client))


class Mqtt(peer.Protocol):
    """CONNECT, on CONNACK SUBSCRIBE; the SUBACK says that the subscription is in place."""

    def opening(self, i):
        return connect(b"c%08d" % i)

    def feed(self, i, data):
        if i in self.partial:
            data = self.partial.pop(i) + data
        messages = []
        at, size = 0, len(data)
        while size - at >= 2:
            length, shift, body = 0, 0, at + 1
            while body < size:
                byte = data[body]
                length |= (byte & 127) << shift
                shift += 7
                body += 1
                if byte < 128:
                    break
            else:
                break
            end = body + length
            if end > size:
                break
            kind = data[at] & 0xF0
            if kind == 0x30:  # PUBLISH, QoS 0
                messages.append(data[body + 2 + (data[body] << 8 | data[body + 1]):end])
            elif kind == 0x20:  # CONNACK
                if data[body + 1]:
                    raise peer.PeerError(f"mosquitto refused session {i} with code {data[body + 1]}")
                self.load.reply(i, packet(0x82, b"\x00\x01" + text(b"c/%08d" % i) + b"\x00"))
            elif kind == 0x90:  # SUBACK
                if data[body + 2] & 0x80:
                    raise peer.PeerError(f"mosquitto refused the subscription of session {i}")
                self.load.ready(i)
            at = end
        if at < size:
            self.partial[i] = data[at:]
        return messages

    def publisher(self):
        return MqttPublisher(self)


class MqttPublisher(peer.Publisher):
    def greet(self):
        self.sock.sendall(connect(b"publisher"))
        answer = self.sock.recv(4)
        if answer != b"\x20\x02\x00\x00":
            raise peer.PeerError(f"mosquitto refused the publisher: {answer!r}")

    def encode(self, target, payload):
        return packet(0x30, text(b"c/%08d" % target) + payload)


class MosquittoPeer(peer.Peer):
    name = "mosquitto"
    notes = [
        "QoS 0, at most once: a push to a topic without a subscriber is dropped, and the publisher is told nothing",
        "no registry of who is connected where and no outcome for each push; counted as delivered is what the client "
        "received",
        "one broker, no cluster; mosquitto runs on one thread, so one core is all that it would use anyway",
        "mosquitto's listen backlog is 100 and fixed: in a storm the kernel drops SYNs beyond it and clients try again "
        "after 1 s and more, which is in stormSeconds",
        "one publishing connection; PUBLISH packets are written together as they come (pipelined)",
    ]
    # mosquitto.conf(5): no limit on connections, no persistence, TCP_NODELAY ("set_tcp_nodelay"), no $SYS tree,
    # no log; the broker must be allowed the descriptors.
    config = """\
listener {port} 127.0.0.1
protocol mqtt
max_connections -1
allow_anonymous true
persistence false
set_tcp_nodelay true
sys_interval 0
max_queued_messages 0
log_dest none
"""

    @staticmethod
    def binary():
        return shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

    def install(self):
        peer.install(["mosquitto"], lambda: self.binary() is not None)

    def version(self):
        match = re.search(r"version (\S+)", peer.run_text(self.binary(), "-h"))
        return f"{match.group(1) if match else 'unknown'} (Debian {peer.package_version('mosquitto')})"

    def settings(self):
        return {"config": self.config, "publisherConnections": 1, "protocol": "MQTT 3.1.1, QoS 0"}

    def command(self, port):
        path = os.path.join(self.folder, "mosquitto.conf")
        user = "user root\n" if os.geteuid() == 0 else ""
        with open(path, "w") as f:
            f.write(self.config.format(port=port) + user)
        return [self.binary(), "-c", path], None

    def protocol(self):
        return Mqtt()


if __name__ == "__main__":
    sys.exit(peer.main(MosquittoPeer))
