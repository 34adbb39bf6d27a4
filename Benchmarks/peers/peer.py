"""What the peer benchmarks share: a server child on its own core, a cheap epoll client, the workloads, the JSON.

A peer is a subclass of `Peer` (how to install, start and describe a server) and one of `Protocol` (the few bytes of its
protocol that a client speaks). `main(Peer)` runs the same work for each:

1. steady   a fresh server; N clients connect at a fixed rate; every one has the server's word that it is subscribed.
            Memory is read here, on the first fill, before anything was freed and used again.
2. storm    a fresh server again; N clients connect at once.
3. push     a 200-byte message to one client each in turn; a fixed number in flight (closed loop).
4. latency  a message each 1/rate s whatever the server does (open loop); timed from when each was due.

Only the standard library. Loopback only. The server and the load each have a core where there are two.
"""

import argparse
import array
import ctypes
import gc
import json
import os
import platform
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import results

PAYLOAD = 200
RECV = 16384
IP_BIND_ADDRESS_NO_PORT = 24
SPARE_DESCRIPTORS = 256
PORTS_PER_ADDRESS = 20000
now = time.monotonic


class PeerError(Exception):
    """What stops a run, in words that say what to do."""


# ---- the operating system's figures -------------------------------------------------------------------------------


def process_cpu(pid):
    """CPU seconds of a process, all threads, ended ones too. The process's CPU clock is what /proc/PID/stat shows
    in ticks of 10 ms, in nanoseconds."""
    try:
        return time.clock_gettime(((~pid) << 3) | 2)
    except OSError:
        pass
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rsplit(b")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def process_wait(pid):
    """Seconds that a process's threads were ready and had no core, since something else had it."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as f:
                total += int(f.read().split()[1])
    except (OSError, IndexError):
        pass
    return total / 1e9


def process_memory(pid):
    """Bytes of a process: (resident set, what of it is its own). The second is anonymous and shared memory, a page that
    k of the server's processes share counted as 1/k; without pages of files, whose share moves with whatever else on
    the machine maps the same library."""
    rss = own = 0
    split = False
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as f:
            for line in f:
                if line.startswith(b"Rss:"):
                    rss = int(line.split()[1]) * 1024
                elif line.startswith((b"Pss_Anon:", b"Pss_Shmem:")):
                    own += int(line.split()[1]) * 1024
                    split = True
    except OSError:
        try:
            with open(f"/proc/{pid}/statm", "rb") as f:
                rss = int(f.read().split()[1]) * resource.getpagesize()
        except OSError:
            pass
    return rss, own if split else rss


def started(pid):
    """When a process began (ticks since boot): with its pid it names one process for good. None when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rsplit(b")", 1)[1].split()
            return None if fields[0] == b"Z" else int(fields[19])
    except (OSError, IndexError):
        return None


def family(pid):
    """A process and its descendants."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as f:
                    parents.setdefault(int(f.read().rsplit(b")", 1)[1].split()[1]), []).append(int(name))
            except (OSError, IndexError):
                pass
    found, queue = [], [pid]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue.extend(parents.get(pid, ()))
    return found


# The slab caches that a TCP socket in an epoll set lives in. The sum of all slabs moves with whatever else the machine
# does (a build moves it by megabytes); these hardly do.
SOCKET_CACHES = {
    "TCP", "TCPv6", "sock_inode_cache", "filp", "eventpoll_epi", "eventpoll_pwq", "ep_head", "tcp_bind_bucket",
    "tcp_bind2_bucket", "request_sock_TCP", "skbuff_head_cache", "skbuff_fclone_cache", "skbuff_small_head",
    "lsm_inode_cache", "lsm_file_cache",
}


def kernel_memory():
    """What the kernel holds: slabs in all, the slabs of sockets, a dentry's size, TCP buffers."""
    figures = {"slab": 0, "caches": {}, "dentry": 192, "tcpBuffers": 0, "tcpSockets": 0}
    with open("/proc/meminfo") as f:
        for line in f:
            if line.startswith("Slab:"):
                figures["slab"] = int(line.split()[1]) * 1024
    page = resource.getpagesize()
    try:
        with open("/proc/slabinfo") as f:
            for line in f:
                fields = line.split()
                if fields and fields[0] in SOCKET_CACHES:
                    figures["caches"][fields[0]] = int(fields[14]) * int(fields[5]) * page
                elif fields and fields[0] == "dentry":
                    figures["dentry"] = int(fields[3])
    except OSError:
        pass  # root alone may read it
    with open("/proc/net/sockstat") as f:
        match = re.search(r"TCP: inuse (\d+).*mem (\d+)", f.read())
        if match:
            figures["tcpSockets"] = int(match.group(1))
            figures["tcpBuffers"] = int(match.group(2)) * page
    return figures


def machine():
    cpu = platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                if line.startswith("model name"):
                    cpu = line.split(":", 1)[1].strip()
                    break
    except OSError:
        pass
    return {"cores": os.cpu_count(), "kernel": platform.release(), "cpu": cpu, "loadAverage": os.getloadavg()[0]}


def raise_descriptors():
    """As many descriptors as this process may have; what that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wish in ((1048576, 1048576), (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, wish)
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run_text(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
        return done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def package_version(name):
    text = run_text("dpkg-query", "-W", "-f", "${Version}", name)
    return text if text and "no packages" not in text else "unknown"


def install(packages, present):
    """Debian packages, only when `present()` says that something is missing."""
    if present():
        return
    if not shutil.which("apt-get"):
        raise PeerError(f"missing: {' '.join(packages)}; there is no apt-get here to install them with")
    if os.geteuid() != 0:
        raise PeerError(f"missing: {' '.join(packages)}; run as root once, or: apt-get install {' '.join(packages)}")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    output = ""
    for update in (False, True):
        try:
            if update:
                subprocess.run(["apt-get", "update"], env=environment, stdin=subprocess.DEVNULL, timeout=300,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, timeout=600, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output = done.stdout
        except subprocess.TimeoutExpired as error:
            raise PeerError(f"{' '.join(error.cmd)} did not end in {error.timeout:.0f} s")
        if done.returncode == 0 and present():
            return
    raise PeerError(f"could not install {' '.join(packages)}:\n{output[-1500:]}")


# ---- the server ---------------------------------------------------------------------------------------------------

_libc = ctypes.CDLL(None, use_errno=True)


class Server:
    """The peer's server as a child, on its own core, ended by its pid whatever happens."""

    def __init__(self, command, port, core, log, environment=None, cwd=None):
        self.port = port
        self.log = log
        self.pids = []
        self.begun = {}

        def before_exec():
            os.sched_setaffinity(0, {core})
            _libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: it ends when this process does

        with open(log, "ab") as out:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd,
                                          env=environment, preexec_fn=before_exec)

    def wait_ready(self, seconds=15):
        end = now() + seconds
        while now() < end:
            if self.child.poll() is not None:
                raise PeerError(f"the server ended at once with status {self.child.returncode}:\n{self.tail()}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    break
            except OSError:
                time.sleep(0.05)
        else:
            raise PeerError(f"the server did not listen on 127.0.0.1:{self.port} in {seconds} s:\n{self.tail()}")
        time.sleep(0.3)
        self.pids = family(self.child.pid)
        self.begun = {pid: started(pid) for pid in self.pids}

    def tail(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read()[-1500:] or "(it said nothing)"
        except OSError:
            return "(no log)"

    def meter(self, load=None):
        """CPU seconds of the server and of the load, then the seconds that each waited for its core."""
        load = load or os.getpid()
        return self.cpu(), process_cpu(load), self.wait(), process_wait(load)

    def alive(self):
        return self.child.poll() is None

    def cpu(self):
        return sum(process_cpu(pid) for pid in self.pids)

    def wait(self):
        return sum(process_wait(pid) for pid in self.pids)

    def memory(self):
        figures = [process_memory(pid) for pid in self.pids]
        return sum(f[0] for f in figures), sum(f[1] for f in figures)

    def stop(self):
        """Ends the child and what it started: by pid, and only when the pid is still the same process."""
        begun = {pid: started(pid) for pid in set(self.pids) | set(family(self.child.pid)) if pid != self.child.pid}
        for pid, at in self.begun.items():
            if pid in begun and begun[pid] != at:
                del begun[pid]
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(8)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(5)
        for number in (signal.SIGTERM, signal.SIGKILL):
            end = now() + 3
            left = [pid for pid, at in begun.items() if at and started(pid) == at]
            for pid in left:
                try:
                    os.kill(pid, number)
                except OSError:
                    pass
            while left and now() < end:
                time.sleep(0.05)
                left = [pid for pid in left if started(pid) == begun[pid]]


# ---- the load -----------------------------------------------------------------------------------------------------


class Protocol:
    """What a client says and hears. `load` calls these; they call `load.ready(i)` and `load.reply(i, bytes)`.

    opening(i)      what session i sends as soon as it is connected
    feed(i, data)   bytes came for session i: the payloads of the messages in them (bytes that begin with the marker)
    publisher()     a new Publisher
    """

    def __init__(self):
        self.load = None
        self.partial = {}

    def opening(self, i):
        return b""

    def feed(self, i, data):
        raise NotImplementedError

    def forget(self, i):
        self.partial.pop(i, None)


class Publisher:
    """One connection that carries all pushes, one after another."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.out = []
        self.answers = 0      # answers to pushes, where the peer gives any
        self.refused = 0      # answers that say that nobody was reached
        self.blocked = False

    def open(self, load):
        self.load = load
        self.sock = load.connect_blocking()
        self.greet()
        self.sock.setblocking(False)
        load.watch(self.sock, self)

    def greet(self):
        """What must be said and heard first; the socket blocks, with a timeout."""

    def encode(self, target, payload):
        raise NotImplementedError

    def heard(self, data):
        """The server said this on the publishing connection."""

    def submit(self, target, payload):
        self.out.append(self.encode(target, payload))

    def flush(self):
        if self.blocked or not self.out:
            return
        data = b"".join(self.out)
        self.out.clear()
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.out.append(data[sent:])
            self.blocked = True
            self.load.epoll.modify(self.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def event(self, sock, what):
        if what & select.EPOLLOUT and self.blocked:
            self.blocked = False
            self.load.epoll.modify(self.sock.fileno(), select.EPOLLIN)
            self.flush()
        if what & ~select.EPOLLOUT:
            try:
                data = sock.recv(65536)
            except BlockingIOError:
                return
            except OSError as error:
                raise PeerError(f"the publishing connection broke: {error}")
            if not data:
                raise PeerError("the server closed the publishing connection")
            self.heard(data)

    def close(self):
        self.sock.close()


class Load:
    """N sessions and a publisher in one epoll set."""

    def __init__(self, protocol, port, count):
        self.protocol = protocol
        protocol.load = self
        protocol.partial.clear()
        self.port = port
        self.count = count
        self.socks = [None] * count
        self.state = bytearray(count)  # 0 none, 1 connecting, 2 connected, 3 ready
        self.session = {}              # descriptor: session
        self.special = {}              # descriptor: (socket, handler)
        self.epoll = select.epoll()
        self.established = 0
        self.retries = 0
        self.disconnected = 0
        self.tries = {}
        self.publisher = None
        self.seen = bytearray()
        self.duplicated = 0
        self.misdelivered = 0
        self.received = 0
        self.filler = b"x" * (PAYLOAD - 26)

    def cpu(self):
        return time.process_time()

    def answers(self):
        return self.publisher.answers

    def refused(self):
        return self.publisher.refused

    # connections

    def address(self, i):
        return f"127.0.0.{1 + i // PORTS_PER_ADDRESS}"

    def connect_blocking(self):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def watch(self, sock, handler):
        self.special[sock.fileno()] = (sock, handler)
        self.epoll.register(sock.fileno(), select.EPOLLIN)

    def start(self, i):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.count > PORTS_PER_ADDRESS:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((self.address(i), 0))
        self.socks[i] = sock
        self.state[i] = 1
        self.session[sock.fileno()] = i
        code = sock.connect_ex(("127.0.0.1", self.port))
        if code not in (0, 115):
            raise PeerError(f"connect: {os.strerror(code)}"
                            + (": no port is free; see net.ipv4.ip_local_port_range" if code == 99 else ""))
        self.epoll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def broken(self, i, why):
        sock = self.socks[i]
        if sock is None:
            return
        self.session.pop(sock.fileno(), None)
        sock.close()
        self.socks[i] = None
        self.protocol.forget(i)
        if self.state[i] == 3:
            self.state[i] = 0
            self.established -= 1
            self.disconnected += 1
            return
        self.state[i] = 0
        self.tries[i] = self.tries.get(i, 0) + 1
        if self.tries[i] > 5:
            raise PeerError(f"session {i} could not connect in 5 tries: {why}")
        self.retries += 1
        self.start(i)

    def ready(self, i):
        if self.state[i] == 2:
            self.state[i] = 3
            self.established += 1

    def reply(self, i, data):
        try:
            self.socks[i].send(data)  # a few bytes into an empty buffer
        except OSError as error:
            self.broken(i, str(error))

    # the loop

    def turn(self, timeout):
        """Handles what has come; waits `timeout` seconds at most. True when anything had come."""
        events = self.epoll.poll(timeout, 1024)
        session, socks, state, feed = self.session, self.socks, self.state, self.protocol.feed
        for fd, what in events:
            i = session.get(fd)
            if i is None:
                if fd in self.special:
                    sock, handler = self.special[fd]
                    handler.event(sock, what)
                continue
            if state[i] == 1:
                error = socks[i].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    self.broken(i, os.strerror(error))
                    continue
                state[i] = 2
                self.epoll.modify(fd, select.EPOLLIN)
                opening = self.protocol.opening(i)
                if opening:
                    self.reply(i, opening)
                if not what & select.EPOLLIN:
                    continue
            try:
                data = socks[i].recv(RECV)
            except BlockingIOError:
                continue
            except OSError as error:
                self.broken(i, str(error))
                continue
            if not data:
                self.broken(i, "the server closed the connection")
                continue
            for message in feed(i, data):
                self.arrived(i, message)
        return bool(events)

    # messages

    def payload(self, seq, target):
        return b"PR1:%012d:%08d:%b" % (seq, target, self.filler)

    def arrived(self, i, message):
        if len(message) != PAYLOAD or message[:4] != b"PR1:":
            raise PeerError(f"session {i} got a message that nobody sent: {bytes(message[:60])!r}")
        seq = int(message[4:16])
        if int(message[17:25]) != i:
            self.misdelivered += 1
            return
        if self.seen[seq]:
            self.duplicated += 1
            return
        self.seen[seq] = 1
        self.received += 1
        self.on_arrival(seq)

    def on_arrival(self, seq):
        pass

    def reset(self):
        self.seen = bytearray()
        self.received = self.duplicated = self.misdelivered = 0

    def push(self, seq):
        target = seq % self.count
        self.seen.append(0)
        self.publisher.submit(target, self.payload(seq, target))

    # workloads

    def connect(self, rate, limit, alive):
        """Connects all; `rate` a second, or at once when 0. The seconds until the last one was ready."""
        begin = now()
        started = 0
        while self.established < self.count:
            at = now()
            if at - begin > limit:
                states = [self.state.count(s) for s in range(4)]
                raise PeerError(f"after {limit:.0f} s {self.established} of {self.count} sessions are subscribed "
                                f"({states[1]} connecting, {states[2]} connected without an answer)")
            if not alive():
                raise PeerError("the server ended while clients connected")
            if started < self.count:
                if rate:
                    until = min(self.count, int((at - begin) * rate) + 1)
                else:
                    until = min(self.count, started + 64)
                while started < until:
                    self.start(started)
                    started += 1
                self.turn(0 if not rate else 0.001)
            else:
                self.turn(0.05)
        return now() - begin

    def idle(self, seconds):
        end = now() + seconds
        while now() < end:
            self.turn(max(0.001, end - now()))

    def open_publisher(self):
        self.publisher = self.protocol.publisher()
        self.publisher.open(self)

    def closed_loop(self, seconds, warm, in_flight, meter, give_up=5):
        """As many pushes as will go with `in_flight` at once."""
        self.reset()
        flying = 0
        seq = 0
        expired = 0

        def arrival(_):
            nonlocal flying
            flying -= 1

        self.on_arrival = arrival
        begin = now()
        warm_end, end = begin + warm, begin + warm + seconds
        mark = None
        progress, progress_at = 0, begin
        at = begin
        while at < end:
            if mark is None and at >= warm_end:
                mark = (at, *meter(), self.received)
            while flying < in_flight:
                self.push(seq)
                seq += 1
                flying += 1
            self.publisher.flush()
            self.turn(0.05)
            at = now()
            if self.received != progress:
                progress, progress_at = self.received, at
            elif at - progress_at > give_up:  # everything in flight is lost: go on with new ones
                expired += flying
                flying = 0
                progress_at = at
        if mark is None:
            raise PeerError("the push workload had no time after its warm-up")
        wall = at - mark[0]
        server, load, server_wait, load_wait = (b - a for a, b in zip(mark[1:5], meter()))
        pushes = self.received - mark[5]
        self.drain(seq)
        return {
            "pushes": pushes, "seconds": wall, "serverCPUSeconds": server, "loadCPUSeconds": load,
            "serverWaitSeconds": server_wait, "loadWaitSeconds": load_wait,
            "sent": seq, "received": self.received, "lost": seq - self.received, "expired": expired,
            "duplicated": self.duplicated, "misdelivered": self.misdelivered,
        }

    def open_loop(self, seconds, warm, rate, meter):
        """A push each 1/rate s. Latency from when each was due to when its client had it."""
        self.reset()
        due_base = now() + 0.05
        total = int((seconds + warm) * rate)
        first = int(warm * rate)
        latency = array.array("d", bytes(8 * total))
        lag = array.array("d", bytes(8 * total))

        def arrival(seq):
            latency[seq] = now() - (due_base + seq / rate)

        self.on_arrival = arrival
        timer = Timer(due_base, max(1 / rate, 0.00005))
        self.watch(timer, timer)
        mark = None
        seq = 0
        try:
            while seq < total:
                self.turn(0.1)
                at = now()
                if mark is None and at >= due_base + warm:
                    mark = (at, *meter())
                until = min(total, int((at - due_base) * rate) + 1) if at >= due_base else 0
                while seq < until:
                    lag[seq] = at - (due_base + seq / rate)
                    self.push(seq)
                    seq += 1
                self.publisher.flush()
        finally:
            self.epoll.unregister(timer.fileno())
            self.special.pop(timer.fileno(), None)
            timer.close()
        at = now()
        if mark is None:
            raise PeerError("the latency workload had no time after its warm-up")
        wall = at - mark[0]
        server, load, server_wait, load_wait = (b - a for a, b in zip(mark[1:5], meter()))
        self.drain(total, 10)
        samples = sorted(latency[s] for s in range(first, total) if self.seen[s])
        lags = sorted(lag[first:])
        return {
            "latencyMs": percentiles(samples), "generatorLagMs": percentiles(lags), "samples": len(samples),
            "rate": rate, "serverCPUShare": round(server / wall, 4), "loadCPUShare": round(load / wall, 4),
            "serverWaitShare": round(server_wait / wall, 4), "loadWaitShare": round(load_wait / wall, 4),
            "sent": total, "received": self.received, "lost": total - self.received,
            "duplicated": self.duplicated, "misdelivered": self.misdelivered,
        }

    def drain(self, sent, seconds=5):
        """Waits for what is on its way, and a little longer for what comes twice."""
        end = now() + seconds
        while self.received < sent and now() < end:
            self.publisher.flush()
            self.turn(0.05)
        self.idle(0.3)
        self.on_arrival = lambda seq: None

    def close(self):
        if self.publisher:
            self.publisher.close()
        for sock in self.socks:
            if sock is not None:
                sock.close()
        self.epoll.close()


class Timer:
    """A timerfd: epoll's own timeout is in milliseconds, which is too coarse for a due time."""

    def __init__(self, first, interval):
        self.fd = _libc.timerfd_create(1, 0o4000)  # CLOCK_MONOTONIC, TFD_NONBLOCK
        if self.fd < 0:
            raise PeerError(f"timerfd_create: {os.strerror(ctypes.get_errno())}")

        def split(t):
            return int(t), int((t - int(t)) * 1e9)

        value = struct.pack("qqqq", *split(interval), *split(first))
        _libc.timerfd_settime(self.fd, 1, value, None)  # TFD_TIMER_ABSTIME

    def fileno(self):
        return self.fd

    def event(self, _, __):
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            pass

    def close(self):
        os.close(self.fd)


def percentiles(ordered):
    """Exact ones, by nearest rank, in milliseconds."""
    if not ordered:
        return {"p50": None, "p90": None, "p99": None, "p999": None, "max": None}

    def at(q):
        rank = -(-q * len(ordered) // 1)  # ceil
        return round(ordered[min(len(ordered) - 1, max(0, int(rank) - 1))] * 1000, 4)

    return {"p50": at(0.5), "p90": at(0.9), "p99": at(0.99), "p999": at(0.999), "max": round(ordered[-1] * 1000, 4)}


# ---- the run ------------------------------------------------------------------------------------------------------


class Peer:
    name = ""
    notes = []
    kernel_note = None

    def __init__(self, options, folder):
        self.options = options
        self.folder = folder

    @classmethod
    def arguments(cls, parser):
        """More of the command line, for one peer."""

    def install(self):
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def settings(self):
        return {}

    def command(self, port):
        """The command that runs the server in the foreground (and its environment, or None)."""
        raise NotImplementedError

    def protocol(self):
        raise NotImplementedError

    def load(self, server, count):
        """Who makes the load; has the methods of `Load` that `measure` calls."""
        return Load(self.protocol(), server.port, count)

    def start(self, core):
        last = None
        for attempt in range(3):  # another process may take the free port in between
            port = free_port()
            command, environment = self.command(port)
            server = Server(command, port, core, os.path.join(self.folder, "server.log"), environment, self.folder)
            try:
                server.wait_ready()
                return server
            except PeerError as error:
                server.stop()
                last = error
            except BaseException:
                server.stop()
                raise
        raise last


def wait_quiet(seconds):
    """Waits, `seconds` at most, until four fifths of the machine's time is idle or goes to niced processes."""
    def sample():
        with open("/proc/stat") as f:
            return [int(n) for n in f.readline().split()[1:9]]

    end = now() + seconds
    before = sample()
    while now() < end:
        time.sleep(1)
        after = sample()
        spent = [b - a for a, b in zip(before, after)]
        if spent[1] + spent[3] + spent[4] >= 0.8 * sum(spent):
            return
        before = after


def say(text):
    print(text, file=sys.stderr, flush=True)


def warm_up(peer, server):
    """A few sessions and pushes, so that what a server allocates once is not counted as the sessions'."""
    load = peer.load(server, 20)
    try:
        load.connect(0, 20, server.alive)
        load.open_publisher()
        result = load.closed_loop(0.3, 0.0, 8, server.meter, give_up=3)
        if not result["received"]:
            raise PeerError(f"not one push of {result['sent']} arrived:\n{server.tail()}")
    finally:
        load.close()
    time.sleep(0.7)


def measure(peer, options, cores):
    load_core, server_core = cores[0], cores[-1]
    os.sched_setaffinity(0, {load_core})
    count = options.sessions
    limit = 60 + count / 200
    result = {}

    # steady, and memory
    wait_quiet(options.wait_quiet)
    server = peer.start(server_core)
    load = None
    try:
        warm_up(peer, server)
        kernel0, (rss0, own0), cpu0 = kernel_memory(), server.memory(), server.cpu()
        load = peer.load(server, count)
        seconds = load.connect(options.connect_rate, limit + count / options.connect_rate, server.alive)
        cpu1 = server.cpu()
        load.idle(options.settle)
        kernel1, (rss1, own1), cpu2 = kernel_memory(), server.memory(), server.cpu()
        caches = {k: round((v - kernel0["caches"].get(k, 0)) / count) for k, v in kernel1["caches"].items()}
        caches = {k: v for k, v in caches.items() if v}
        buffers = (kernel1["tcpBuffers"] - kernel0["tcpBuffers"]) / count
        slab = (kernel1["slab"] - kernel0["slab"]) / count
        both = sum(caches.values()) + 2 * kernel1["dentry"] if caches else slab
        result["memory"] = {
            "method": "anonymous and shared memory of the server (all its processes, shared pages once), "
                      f"{options.settle:g} s after the last of {count} sessions, less that before the first",
            "rssBefore": rss0, "rssAfter": rss1, "ownBefore": own0, "ownAfter": own1,
            "rssPerSession": round((rss1 - rss0) / count),
            "kernelMethod": "slab caches of sockets, files and epoll entries, and one dentry a socket; both ends of "
                            "each connection are on this machine, half is given; TCP buffer pages are not in it: "
                            "idle connections have none, the kernel keeps some for each core" if caches else
                            "the growth of all slabs (/proc/slabinfo could not be read), half of it",
            "kernelBothEndsPerSession": round(both), "slabGrowthBothEndsPerSession": round(slab),
            "slabCachesBothEndsPerSession": caches, "tcpBuffersBothEndsPerSession": round(buffers),
        }
        result["userBytesPerSession"] = round((own1 - own0) / count)
        result["kernelBytesPerSession"] = round(both / 2)
        result["connectSteady"] = {
            "rate": options.connect_rate, "seconds": round(seconds, 4), "serverCPUSeconds": round(cpu1 - cpu0, 4),
            "connectsPerCPUSecond": round(count / max(1e-9, cpu1 - cpu0)), "retries": load.retries,
        }
        result["idle"] = {"seconds": options.settle,
                          "serverCPUShare": round((cpu2 - cpu1) / max(1e-9, options.settle), 5),
                          "disconnected": load.disconnected}
        say(f"{peer.name}: steady {count / seconds:.0f}/s, {result['userBytesPerSession']} B a session"
            f" + {result['kernelBytesPerSession']} B in the kernel")
    finally:
        if load:
            load.close()
        server.stop()

    # storm, push, latency
    wait_quiet(options.wait_quiet)
    server = peer.start(server_core)
    load = None
    try:
        warm_up(peer, server)
        load = peer.load(server, count)
        cpu0, own0 = server.cpu(), load.cpu()
        seconds = load.connect(0, limit, server.alive)
        cpu1, own1 = server.cpu(), load.cpu()
        result["connectStorm"] = {
            "seconds": round(seconds, 4), "serverCPUSeconds": round(cpu1 - cpu0, 4),
            "loadCPUSeconds": round(own1 - own0, 4), "retries": load.retries,
            "connectsPerSecond": round(count / seconds),
        }
        result["stormSeconds"] = round(seconds, 4)
        result["connectsPerCPUSecond"] = round(count / max(1e-9, cpu1 - cpu0))
        say(f"{peer.name}: storm of {count} in {seconds:.2f} s, {result['connectsPerCPUSecond']} a server CPU second")
        load.idle(0.5)
        load.open_publisher()
        gc.collect()
        gc.freeze()
        gc.disable()
        warm = min(2.0, max(0.5, options.seconds * 0.2))
        closed = load.closed_loop(options.seconds, warm, options.in_flight, server.meter)
        wall = closed["seconds"]
        server_share, load_share = closed["serverCPUSeconds"] / wall, closed["loadCPUSeconds"] / wall
        waits = closed["serverWaitSeconds"] / wall, closed["loadWaitSeconds"] / wall
        limited = ("other processes on these cores" if max(waits) > 0.1 else "server CPU" if server_share > 0.9
                   else "load CPU" if load_share > 0.9 else "turn-around")
        result["push"] = {k: round(v, 4) for k, v in closed.items()} | {
            "inFlight": options.in_flight, "warmSeconds": warm, "serverCPUShare": round(server_share, 4),
            "loadCPUShare": round(load_share, 4), "serverWaitShare": round(waits[0], 4),
            "loadWaitShare": round(waits[1], 4), "limitedBy": limited,
            "answers": load.answers(), "refused": load.refused(),
        }
        result["pushesPerSecond"] = round(closed["pushes"] / wall)
        result["pushesPerPodCPUSecond"] = round(closed["pushes"] / max(1e-9, closed["serverCPUSeconds"]))
        say(f"{peer.name}: {result['pushesPerSecond']} pushes/s (limit: {limited}; server {server_share:.0%},"
            f" load {load_share:.0%}), {result['pushesPerPodCPUSecond']} a server CPU second, lost {closed['lost']}")
        opened = load.open_loop(options.seconds, warm, options.rate, server.meter)
        result["latency"] = opened
        result["latencyMs"] = opened["latencyMs"]
        say(f"{peer.name}: at {options.rate}/s " + " ".join(f"{k} {v}" for k, v in opened["latencyMs"].items())
            + f" ms, lost {opened['lost']}")
        for key in ("lost", "duplicated", "misdelivered"):
            result[key] = closed[key] + opened[key]
        result["disconnected"] = load.disconnected
    finally:
        gc.enable()
        gc.unfreeze()
        if load:
            load.close()
        server.stop()
    return result


def positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError("must be above 0")
        return value
    return parse


def main(peer_class):
    parser = argparse.ArgumentParser(description=f"Measures {peer_class.name} with the work that pushring bench does.")
    parser.add_argument("--sessions", type=positive(int), default=1000, help="clients that hold a connection")
    parser.add_argument("--seconds", type=positive(float), default=10, help="of each push workload")
    parser.add_argument("--rate", type=positive(float), default=2000, help="pushes a second for latency (open loop)")
    parser.add_argument("--in-flight", type=positive(int), default=64, help="pushes at once (closed loop)")
    parser.add_argument("--connect-rate", type=positive(float), default=1000, help="connects a second (steady)")
    parser.add_argument("--settle", type=positive(float), default=3, help="idle seconds before memory is read")
    parser.add_argument("--wait-quiet", type=float, default=0, metavar="S",
                        help="wait this long at most, twice, for a machine that is not busy with something else")
    parser.add_argument("--out", required=True, metavar="FILE.json", help="where the figures go")
    parser.add_argument("--results", metavar="FOLDER", help="also write files for `pushring bench report` there")
    peer_class.arguments(parser)
    options = parser.parse_args()

    def ended(number, _):
        raise PeerError("it took too long" if number == signal.SIGALRM else f"stopped by signal {number}")

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, ended)
    folder = tempfile.mkdtemp(prefix=f"peer-{peer_class.name}-")
    try:
        descriptors = raise_descriptors()
        if options.sessions + SPARE_DESCRIPTORS > descriptors:
            raise PeerError(f"{options.sessions} sessions need {options.sessions + SPARE_DESCRIPTORS} descriptors in "
                            f"the load and in the server, and this process may have {descriptors}: raise `ulimit -Hn` "
                            f"(LimitNOFILE, /etc/security/limits.conf) or ask for fewer")
        peer = peer_class(options, folder)
        peer.install()
        cores = sorted(os.sched_getaffinity(0))
        signal.alarm(int(300 + 2 * options.wait_quiet + 2 * (60 + options.sessions / 200)
                         + options.sessions / options.connect_rate + 3 * options.seconds))
        version = peer.version()
        notes = list(peer.notes)
        if len(cores) < 2:
            notes.append("one core: the server and the load share it, so its figures are not the server's alone")
        figures = measure(peer, options, cores)
        push = figures["push"]
        if push["limitedBy"] != "server CPU":
            notes.append(f"pushesPerSecond is limited by {push['limitedBy']} (server {push['serverCPUShare']:.0%}, "
                         f"load {push['loadCPUShare']:.0%} of a core): the server could do more; pushesPerPodCPUSecond "
                         f"is what one core would do at this batching")
        waits = [figures[part][key] for part in ("push", "latency") for key in ("serverWaitShare", "loadWaitShare")]
        quiet = max(waits) <= 0.1
        if max(waits) > 0.02:
            notes.append(f"the machine was not idle: server or load waited up to {max(waits):.0%} of the time (all "
                         f"threads added up) for a core that another process had; "
                         f"latencies are the machine's as much as the peer's")
        if figures["connectStorm"]["retries"]:
            notes.append(f"{figures['connectStorm']['retries']} connects of the storm were refused and tried again")
        order = ("connectsPerCPUSecond", "stormSeconds", "userBytesPerSession", "kernelBytesPerSession",
                 "pushesPerSecond", "pushesPerPodCPUSecond", "latencyMs", "lost", "duplicated")
        document = {
            "peer": peer.name, "version": version, "machine": machine(),
            "settings": {
                "seconds": options.seconds, "rate": options.rate, "inFlight": options.in_flight,
                "connectRate": options.connect_rate, "settleSeconds": options.settle, "payloadBytes": PAYLOAD,
                "serverCore": cores[-1], "loadCore": cores[0], "descriptors": descriptors,
                "load": f"one process, epoll, Python {platform.python_version()}", **peer.settings(),
            },
            "sessions": options.sessions, "quiet": quiet,
            **{key: figures[key] for key in order}, "notes": notes,
            **{key: value for key, value in figures.items() if key not in order},
        }
        target = os.path.abspath(options.out)
        with open(target + ".part", "w") as f:
            json.dump(document, f, indent=2)
            f.write("\n")
        os.replace(target + ".part", target)
        if options.results:
            results.write(document, options.results)
        return 0
    except (PeerError, OSError) as error:
        say(f"{peer_class.name}: {error}")
        try:
            with open(os.path.join(folder, "server.log"), errors="replace") as f:
                log = f.read()[-1500:].strip()
            if log and log not in str(error):
                say(f"the end of what the server said:\n{log}")
        except OSError:
            pass
        return 1
    except KeyboardInterrupt:
        say(f"{peer_class.name}: interrupted")
        return 130
    finally:
        signal.alarm(0)
        shutil.rmtree(folder, ignore_errors=True)
