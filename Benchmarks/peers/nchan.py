#!/usr/bin/env python3
"""nginx with nchan: an EventSource stream per client, publishing by HTTP POST."""

import os
import re
import shutil
import sys
from collections import deque

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import peer  # noqa: E402

MODULE = "/usr/lib/nginx/modules/ngx_nchan_module.so"


class EventSource(peer.Protocol):
    """GET; the response head and nchan's first comment (": hi") say that the subscription is in place."""

    def __init__(self):
        super().__init__()
        self.headed = set()

    def opening(self, i):
        return b"GET /sub/%08d HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n" % i

    def forget(self, i):
        super().forget(i)
        self.headed.discard(i)

    def feed(self, i, data):
        if i in self.partial:
            data = self.partial.pop(i) + data
        at = 0
        if i not in self.headed:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self.partial[i] = data
                return ()
            if not data.startswith(b"HTTP/1.1 200"):
                raise peer.PeerError(f"nginx to session {i}: {data[:end].decode(errors='replace')}")
            if b"ransfer-Encoding" in data[:end]:
                raise peer.PeerError("nginx sent a chunked EventSource; this client reads a plain one")
            self.headed.add(i)
            at = end + 4
        messages = []
        while True:
            end = data.find(b"\n\n", at)
            if end < 0:
                break
            if data[at:at + 1] == b":":
                self.load.ready(i)
            else:
                start = data.find(b"data: ", at, end)
                if start >= 0:
                    messages.append(data[start + 6:end])
            at = end + 2
        if at < len(data):
            self.partial[i] = data[at:]
        return messages

    def publisher(self):
        return PostPublisher(self, self.connections)


class PostPublisher(peer.Publisher):
    """Kept-alive connections, a POST on each at a time; the answer frees the connection."""

    def __init__(self, protocol, connections):
        super().__init__(protocol)
        self.count = connections
        self.free = []
        self.queue = deque()
        self.answer = {}

    def open(self, load):
        self.load = load
        self.socks = []
        for _ in range(self.count):
            sock = load.connect_blocking()
            sock.setblocking(False)
            load.watch(sock, self)
            self.socks.append(sock)
            self.free.append(sock)

    def submit(self, target, payload):
        self.queue.append(b"POST /pub/%08d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"
                          % (target, len(payload), payload))

    def flush(self):
        queue, free = self.queue, self.free
        while queue and free:
            free.pop().send(queue.popleft())  # a few hundred bytes into an empty buffer

    def event(self, sock, what):
        try:
            data = sock.recv(4096)
        except BlockingIOError:
            return
        except OSError as error:
            raise peer.PeerError(f"a publishing connection broke: {error}")
        if not data:
            raise peer.PeerError("nginx closed a publishing connection")
        fd = sock.fileno()
        data = self.answer.pop(fd, b"") + data
        head = data.find(b"\r\n\r\n")
        if head >= 0:
            length = data.find(b"Content-Length: ", 0, head)
            size = int(data[length + 16:data.find(b"\r", length)]) if length >= 0 else 0
            if len(data) >= head + 4 + size:
                self.answers += 1
                if data[9:12] == b"202":
                    self.refused += 1  # accepted, and no subscriber was there
                elif data[9:12] not in (b"201", b"200"):
                    raise peer.PeerError(f"nchan to a POST: {data[:head].decode(errors='replace')}")
                self.free.append(sock)
                self.flush()
                return
        self.answer[fd] = data

    def close(self):
        for sock in self.socks:
            sock.close()


class NchanPeer(peer.Peer):
    name = "nginx-nchan"
    notes = [
        "one nginx worker with nchan's store in memory: no registry shared between servers (that would be nchan with "
        "Redis), no cluster",
        "nchan's answer to a POST tells how many subscribers the channel has (201) or that there are none (202), not "
        "that one received the message; counted as delivered is what the client received",
        "messages are not stored (nchan_store_messages off): at most once, as the other peers",
        "each push is an HTTP request of its own on a kept-alive connection; nchan has no batch or stream to publish "
        "to many channels",
        "memory is that of master and worker, nchan's shared memory included once; nginx's table of "
        "connections (about 0.4 KB for each of worker_connections) is allocated at its start and so is not in "
        "userBytesPerSession",
    ]
    # nginx and nchan documentation for many connections: worker_rlimit_nofile and worker_connections above the number
    # of clients (a quarter above it: with less than a sixteenth free, nginx closes kept-alive connections), a long
    # backlog, no access log, enough nchan_shared_memory_size, kept-alive publishers.
    config = """\
load_module {module};
worker_processes 1;
worker_rlimit_nofile {descriptors};
daemon off;
{user}pid {folder}/nginx.pid;
error_log stderr error;
events {{
    worker_connections {connections};
    use epoll;
    multi_accept on;
}}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_body_buffer_size 1k;
    client_header_buffer_size 512;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    nchan_shared_memory_size {shared}M;
    server {{
        listen 127.0.0.1:{port} backlog=65535;
        location ~ ^/sub/(\\w+)$ {{
            nchan_subscriber eventsource;
            nchan_channel_id $1;
            nchan_subscriber_timeout 0;
            nchan_eventsource_ping_interval 0;
        }}
        location ~ ^/pub/(\\w+)$ {{
            nchan_publisher http;
            nchan_channel_id $1;
            nchan_store_messages off;
        }}
    }}
}}
"""

    @classmethod
    def arguments(cls, parser):
        parser.add_argument("--publishers", type=peer.positive(int), default=64, help="publishing connections")

    @staticmethod
    def binary():
        return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")

    def install(self):
        peer.install(["nginx", "libnginx-mod-nchan"], lambda: self.binary() is not None and os.path.exists(MODULE))

    def version(self):
        match = re.search(r"nginx/(\S+)", peer.run_text(self.binary(), "-v"))
        return (f"nginx {match.group(1) if match else 'unknown'} (Debian {peer.package_version('nginx')}), "
                f"nchan {peer.package_version('libnginx-mod-nchan')}")

    def settings(self):
        return {"config": self.config, "publisherConnections": self.options.publishers}

    def command(self, port):
        path = os.path.join(self.folder, "nginx.conf")
        sessions = self.options.sessions
        with open(path, "w") as f:
            f.write(self.config.format(
                module=MODULE, folder=self.folder, port=port, user="user root;\n" if os.geteuid() == 0 else "",
                descriptors=peer.raise_descriptors(), connections=(sessions + self.options.publishers) * 5 // 4 + 512,
                shared=max(128, sessions // 20)))
        return [self.binary(), "-c", path, "-p", self.folder, "-e", "stderr"], None

    def protocol(self):
        protocol = EventSource()
        protocol.connections = self.options.publishers
        return protocol


if __name__ == "__main__":
    sys.exit(peer.main(NchanPeer))
