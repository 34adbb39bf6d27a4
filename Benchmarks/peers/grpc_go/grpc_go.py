#!/usr/bin/env python3
"""A plain push server on grpc-go: a server stream per client, a unary Push that finds the session and sends."""

import json
import os
import re
import select
import shutil
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import peer  # noqa: E402

GOCODE = "/usr/share/gocode"
PACKAGE = f"{GOCODE}/src/google.golang.org/grpc"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
MOST = 2 ** 31 - 1


def frame(kind, flags, stream, body):
    return struct.pack(">IBI", len(body) << 8 | kind, flags, stream) + body


# As a client begins: SETTINGS without push and with the widest windows, so that no message waits for an update.
GREETING = (PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HIHI", 2, 0, 4, MOST))
            + frame(WINDOW, 0, 0, struct.pack(">I", MOST - 65535)))
SETTINGS_ACK = frame(SETTINGS, 1, 0, b"")


def literal(name, value):
    """HPACK: a literal that goes into the dynamic table, as grpc's own clients write it; no Huffman code."""
    head = bytes([0x40 | name]) if isinstance(name, int) else b"\x40" + bytes([len(name)]) + name
    return head + bytes([len(value)]) + value


def call(path):
    """The header block of a connection's first call."""
    return (b"\x83\x86" + literal(4, path) + literal(1, b"localhost") + literal(31, b"application/grpc")
            + literal(58, b"bench/1") + literal(b"te", b"trailers"))


AGAIN = b"\x83\x86\xc2\xc1\xc0\xbf\xbe"  # the same call again: all in the dynamic table


def message(body):
    return b"\0" + struct.pack(">I", len(body)) + body


def field(number, value):
    size = len(value)
    length = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
    return bytes([number << 3 | 2]) + length + value


SUBSCRIBE = frame(HEADERS, 4, 1, call(b"/bench.Push/Subscribe"))


def trouble(kind, body):
    what = {RESET: "RST_STREAM", GOAWAY: "GOAWAY"}[kind]
    code = struct.unpack(">I", body[-4:] if kind == RESET else body[4:8])[0]
    return f"{what} with code {code} {body[8:].decode(errors='replace') if kind == GOAWAY else ''}"


class Grpc(peer.Protocol):
    """The whole opening goes at once; response HEADERS say that the session is in the server's map."""

    def __init__(self, mode):
        super().__init__()
        self.mode = mode
        self.body = {}  # a message that came in more than one DATA frame

    def opening(self, i):
        return GREETING + SUBSCRIBE + frame(DATA, 1, 1, message(field(1, b"c%08d" % i)))

    def forget(self, i):
        super().forget(i)
        self.body.pop(i, None)

    def feed(self, i, data):
        if i in self.partial:
            data = self.partial.pop(i) + data
        messages = []
        at, size = 0, len(data)
        while size - at >= 9:
            end = at + 9 + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])
            if end > size:
                break
            kind, flags = data[at + 3], data[at + 4]
            if kind == DATA:
                body = data[at + 9:end]
                if i in self.body:
                    body = self.body.pop(i) + body
                while len(body) >= 5:
                    stop = 5 + int.from_bytes(body[1:5], "big")
                    if len(body) < stop:
                        break
                    # 0a, the length in one or two bytes, the payload
                    messages.append(body[7 if body[6] < 128 else 8:stop])
                    body = body[stop:]
                if body:
                    self.body[i] = body
            elif kind == HEADERS:
                if flags & 1:
                    raise peer.PeerError(f"the server ended the stream of session {i}")
                self.load.ready(i)
            elif kind == SETTINGS:
                if not flags & 1:
                    self.load.reply(i, SETTINGS_ACK)
            elif kind == PING:
                if not flags & 1:
                    self.load.reply(i, frame(PING, 1, 0, data[at + 9:end]))
            elif kind in (RESET, GOAWAY):
                raise peer.PeerError(f"session {i}: {trouble(kind, data[at + 9:end])}")
            at = end
        if at < size:
            self.partial[i] = data[at:]
        return messages

    def publisher(self):
        return StreamPusher(self) if self.mode == "stream" else UnaryPusher(self)


class UnaryPusher(peer.Publisher):
    """A unary Push for each message, all on one connection, each on a stream of its own."""

    path = b"/bench.Push/Push"
    slack = 0  # bytes that a window keeps back

    def greet(self):
        self.window = 65535
        self.stream = -1
        self.waiting = []
        self.rest = b""
        self.out.append(GREETING)

    def wire(self, body):
        self.stream += 2
        head = call(self.path) if self.stream == 1 else AGAIN
        return frame(HEADERS, 4, self.stream, head) + frame(DATA, 1, self.stream, body)

    def submit(self, target, payload):
        body = message(field(1, b"c%08d" % target) + field(2, payload))
        if self.waiting or self.window < len(body):
            self.waiting.append(body)  # until the server's WINDOW_UPDATE
            return
        self.window -= len(body)
        self.out.append(self.wire(body))

    def update(self, stream, more):
        if stream == 0:
            self.window += more

    def release(self):
        at = 0
        while at < len(self.waiting) and self.window >= len(self.waiting[at]):
            self.window -= len(self.waiting[at])
            self.out.append(self.wire(self.waiting[at]))
            at += 1
        if at:
            del self.waiting[:at]
            self.flush()

    def heard(self, data):
        data = self.rest + data
        at, size = 0, len(data)
        while size - at >= 9:
            end = at + 9 + (data[at] << 16 | data[at + 1] << 8 | data[at + 2])
            if end > size:
                break
            kind, flags = data[at + 3], data[at + 4]
            if kind == DATA:
                self.outcomes(data[at + 9:end])
            elif kind == WINDOW:
                self.update(int.from_bytes(data[at + 5:at + 9], "big"), int.from_bytes(data[at + 9:end], "big"))
            elif kind == SETTINGS and not flags & 1:
                self.out.append(SETTINGS_ACK)
            elif kind == PING and not flags & 1:
                self.out.append(frame(PING, 1, 0, data[at + 9:end]))
            elif kind in (RESET, GOAWAY):
                raise peer.PeerError(f"publisher: {trouble(kind, data[at + 9:end])}")
            at = end
        self.rest = data[at:]
        if self.waiting:
            self.release()

    def outcomes(self, body):
        """PushReply {delivered}: 08 01, or nothing when it is false."""
        at = 0
        while at < len(body):
            length = int.from_bytes(body[at + 1:at + 5], "big")
            self.answers += 1
            if not length:
                self.refused += 1
            at += 5 + length


class StreamPusher(UnaryPusher):
    """All pushes on one bidirectional stream, an answer to each."""

    path = b"/bench.Push/PushStream"

    def greet(self):
        super().greet()
        self.pending = b""
        self.out.append(frame(HEADERS, 4, 1, call(self.path)))

    def wire(self, body):
        return frame(DATA, 0, 1, body)

    def outcomes(self, body):
        body = self.pending + body
        at = 0
        while len(body) - at >= 5:
            length = int.from_bytes(body[at + 1:at + 5], "big")
            if len(body) - at < 5 + length:
                break
            self.answers += 1
            if not length:
                self.refused += 1
            at += 5 + length
        self.pending = body[at:]


class GoLoad:
    """The load as grpc-go clients, in a process of its own on the load's core; the methods of peer.Load."""

    def __init__(self, program, server, count, folder):
        self.server = server
        self.count = count
        self.retries = self.disconnected = 0
        self.last = {"answers": 0, "refused": 0}
        self.child = None
        self.rest = b""
        self.errors = open(os.path.join(folder, "load.log"), "w+b")
        self.child = subprocess.Popen([program, f"127.0.0.1:{server.port}"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=self.errors)

    def ask(self, text):
        try:
            self.child.stdin.write(text.encode() + b"\n")
            self.child.stdin.flush()
        except OSError:
            pass  # it ended; hear() says why

    def hear(self, seconds):
        out = self.child.stdout.fileno()
        end = peer.now() + seconds
        while b"\n" not in self.rest:
            if not select.select([out], [], [], max(0, end - peer.now()))[0]:
                raise peer.PeerError(f"the grpc-go load gave no answer in {seconds:.0f} s")
            more = os.read(out, 1 << 20)
            if not more:
                self.errors.seek(0)
                raise peer.PeerError(f"the grpc-go load ended: {self.errors.read()[-1000:].decode(errors='replace')}")
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def cpu(self):
        return peer.process_cpu(self.child.pid)

    def answers(self):
        return self.last["answers"]

    def refused(self):
        return self.last["refused"]

    def connect(self, rate, limit, alive):
        self.ask(f"connect {self.count} {rate}")
        return self.hear(limit)["seconds"]

    def idle(self, seconds):
        time.sleep(seconds)

    def open_publisher(self):
        pass

    def workload(self, command, seconds, warm):
        self.ask(command)
        first = self.hear(warm + 30)
        begin, before = peer.now(), self.server.meter(self.child.pid)
        then = self.hear(seconds + 60)
        wall, after = peer.now() - begin, self.server.meter(self.child.pid)
        self.last = self.hear(60)
        self.disconnected = self.last["disconnected"]
        counted = {key: self.last[key] for key in ("sent", "received", "duplicated", "misdelivered")}
        counted["lost"] = counted["sent"] - counted["received"]
        return first, then, wall, [b - a for a, b in zip(before, after)], counted

    def closed_loop(self, seconds, warm, in_flight, meter, give_up=5):
        first, then, wall, spent, counted = self.workload(f"closed {seconds} {warm} {in_flight}", seconds, warm)
        return {"pushes": then["received"] - first["received"], "seconds": wall, "serverCPUSeconds": spent[0],
                "loadCPUSeconds": spent[1], "serverWaitSeconds": spent[2], "loadWaitSeconds": spent[3], **counted}

    def open_loop(self, seconds, warm, rate, meter):
        _, _, wall, spent, counted = self.workload(f"open {seconds} {warm} {rate}", seconds, warm)
        shares = ("serverCPUShare", "loadCPUShare", "serverWaitShare", "loadWaitShare")
        return {"latencyMs": peer.percentiles(sorted(self.last["latency"])),
                "generatorLagMs": peer.percentiles(sorted(self.last["lag"])), "samples": len(self.last["latency"]),
                "rate": rate, **{key: round(s / wall, 4) for key, s in zip(shares, spent)}, **counted}

    def close(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(5)
        self.child.stdin.close()
        self.child.stdout.close()
        self.errors.close()


class GrpcPeer(peer.Peer):
    name = "grpc-go"
    notes = [
        "one server with a map of its sessions: no registry shared between servers, no routing, no reconnect logic",
        "the outcome of each push says that grpc-go took the message for the session's stream, not that the client "
        "received it; counted as delivered is what the client received",
    ]

    @classmethod
    def arguments(cls, parser):
        parser.add_argument("--publish", choices=("unary", "stream"), default="unary",
                            help="a unary call for each push, or all on one bidirectional stream")
        parser.add_argument("--client", choices=("epoll", "grpc-go"), default="epoll",
                            help="who makes the load: the same epoll process as for the other peers, speaking HTTP/2 "
                                 "itself, or grpc-go clients, which cost as much as the server does")
        parser.add_argument("--buffers", type=int, default=4096,
                            help="read and write buffer of a connection; grpc-go's own default is 32768")

    def install(self):
        peer.install(["golang-go", "golang-google-grpc-dev"],
                     lambda: shutil.which("go") is not None and os.path.exists(f"{PACKAGE}/server.go"))
        self.programs = {}
        for name in ("server", "check", "load"):
            self.programs[name] = self.build(name)

        if self.options.client == "grpc-go":
            if self.options.publish != "unary":
                raise peer.PeerError("--client grpc-go pushes by unary calls alone")
            self.notes = self.notes + [
                "the load is grpc-go itself: it costs as much as the server, or more, so pushesPerSecond and "
                "stormSeconds are the load's limits as much as the server's"]
        else:
            self.notes = self.notes + [
                "the clients are epoll clients that speak HTTP/2 themselves, so that the load costs less than the "
                "server; a grpc-go client checks at the start of each server that it speaks gRPC with the real thing"]

    def build(self, name):
        target = os.path.join(self.folder, name)
        environment = dict(os.environ, GOPATH=GOCODE, GO111MODULE="off", GOFLAGS="", CGO_ENABLED="0", GOPROXY="off")
        environment.setdefault("GOCACHE", os.path.join(os.environ.get("XDG_CACHE_HOME")
                                                       or os.path.expanduser("~/.cache"), "go-build"))
        try:
            done = subprocess.run(["go", "build", "-o", target, "."], cwd=os.path.join(HERE, name), text=True,
                                  env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        except subprocess.TimeoutExpired:
            raise peer.PeerError(f"go build of {name} did not end in 600 s")
        if done.returncode:
            raise peer.PeerError(f"go build of {name}:\n{done.stdout[-2000:]}")
        return target

    def version(self):
        version = "unknown"
        with open(f"{PACKAGE}/version.go") as f:
            match = re.search(r'Version = "([^"]+)"', f.read())
            version = match.group(1) if match else version
        go = peer.run_text("go", "version").split()
        return (f"grpc-go {version} (Debian {peer.package_version('golang-google-grpc-dev')}), "
                f"{go[2] if len(go) > 2 else 'go'}")

    def settings(self):
        other = {"load": "one process, grpc-go clients, GOMAXPROCS 1"} if self.options.client == "grpc-go" else {}
        return {**other, "publish": self.options.publish, "readAndWriteBufferBytes": self.options.buffers,
                "publisherConnections": 1,
                "tuning": "ReadBufferSize and WriteBufferSize below their 32 KiB (the write buffer takes twice its "
                          "size), as their documentation says for memory; receive windows of 1 MiB for the publisher"}

    def command(self, port):
        return [self.programs["server"], "-listen", f"127.0.0.1:{port}", "-buffers", str(self.options.buffers)], None

    def start(self, core):
        server = super().start(core)
        try:
            done = subprocess.run([self.programs["check"], f"127.0.0.1:{server.port}"], text=True, timeout=30,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            server.stop()
            raise peer.PeerError("the grpc-go client's check did not end in 30 s")
        except BaseException:
            server.stop()
            raise
        if done.returncode:
            server.stop()
            raise peer.PeerError(f"the grpc-go client's check failed: {done.stdout}")
        return server

    def load(self, server, count):
        if self.options.client == "grpc-go":
            return GoLoad(self.programs["load"], server, count, self.folder)
        return super().load(server, count)

    def protocol(self):
        return Grpc(self.options.publish)


if __name__ == "__main__":
    sys.exit(peer.main(GrpcPeer))
