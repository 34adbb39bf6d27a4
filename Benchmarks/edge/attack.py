"""Called by Benchmarks/edge/attack."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import sys
import tempfile
import threading
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests" / "EndToEnd"))

import harness.stubs  # noqa: E402, F401
from harness import attacks  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.http2 import Connection, HonestSessions  # noqa: E402

SECONDS = 6.0
# Honest sessions, and how often each pings.
SESSIONS, INTERVAL = 50, 0.1
# Connections that attack at once.
HANDS = 4
HELD = 1_000


def repeat(attack):
    """One connection after another, from several hands."""

    def run(address: str, end: float) -> int:
        rounds = [0] * HANDS

        def hand(number: int) -> None:
            while time.monotonic() < end:
                try:
                    attack(address)
                except (OSError, AssertionError):  # Closed; not welcomed.
                    continue
                rounds[number] += 1

        threads = [threading.Thread(target=hand, args=(number,)) for number in range(HANDS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(rounds)

    return run


def drip(start: bytes, rest: bytes):
    """Many connections, each a byte further every half second; those that were closed come again."""

    def run(address: str, end: float) -> int:
        held: list[tuple[Connection, int]] = []
        made = 0
        while time.monotonic() < end:
            while len(held) < HELD and time.monotonic() < end:
                try:
                    held += [(connection, 0) for connection in attacks.hold(address, 1, start)]
                    made += 1
                except OSError:
                    break
            left = []
            for connection, place in held:
                if rest[place : place + 1] and not connection.send(rest[place : place + 1]):
                    connection.close()
                else:
                    left.append((connection, place + 1))
            held = left
            time.sleep(max(0.0, min(0.5, end - time.monotonic())))
        return made

    return run


def gather(attack):
    """As `repeat`, and the connections stay open until the end."""
    held: list[Connection] = []
    run = repeat(lambda address: held.append(attack(address)))

    def gathered(address: str, end: float) -> int:
        try:
            return run(address, end)
        finally:
            for connection in held:
                connection.close()

    return gathered


def connect_only(address: str) -> None:
    Connection(address, greet=False).close()


ATTACKS = {
    **{name: repeat(attack) for name, attack in attacks.FLOODS.items()},
    "huge metadata": repeat(attacks.huge_metadata),
    "a window that overflows": repeat(attacks.a_window_overflows),
    "Hellos, each reset when it is welcomed": repeat(lambda address: attacks.hellos(address, 1.0)),
    "connections, opened and closed": repeat(connect_only),
    "Hellos, each on a connection of its own": repeat(attacks.a_hello),
    "sessions that ask, and whose windows stay shut": gather(attacks.never_reads),
    **{f"{HELD} connections, {name}": drip(*parts) for name, parts in (attacks.SLOW | attacks.SLOW_CALLS).items()},
}


def attack_from_elsewhere(name: str, address: str, end: float, made) -> None:
    os.nice(19)
    made.value = ATTACKS[name](address, end)


def cpu(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def memory(pid: int) -> float:
    """MiB."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) / 256


def measure(pod, name: str | None) -> str:
    honest = HonestSessions(pod.address, SESSIONS, INTERVAL)
    pid = pod.child.process.pid
    used, before = cpu(pid), memory(pid)
    honest.start()
    made = multiprocessing.Value("q", 0)
    end = time.monotonic() + SECONDS
    if name is None:
        time.sleep(SECONDS)
    else:
        attacker = multiprocessing.Process(target=attack_from_elsewhere, args=(name, pod.address, end, made))
        attacker.start()
        attacker.join(timeout=SECONDS + 30)
        if attacker.is_alive():
            attacker.kill()
    share = (cpu(pid) - used) / SECONDS
    honest.stop()
    times = [1_000 * honest.percentile(part) for part in (0.5, 0.99, 1.0)]
    return (
        f"| {name or 'none'} | {made.value or ''} | {times[0]:.2f} | {times[1]:.2f} | {times[2]:.1f} | {honest.lost} "
        f"| {100 * share:.0f} % | {memory(pid) - before:+.1f} |"
    )


def pin(pid: int, core: int) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})


def main() -> None:
    chosen = sys.argv[1:] or list(ATTACKS)
    unknown = set(chosen) - set(ATTACKS)
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are: {', '.join(ATTACKS)}")
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(pathlib.Path(folder), pods=1, options={"--edge-threads": "1"})
        try:
            pod = cluster.pods["pod-0"]
            if os.cpu_count() > 1:
                pin(pod.child.process.pid, 0)
                os.sched_setaffinity(0, {1})
            print("| attack | connections | p50, ms | p99, ms | longest, ms | lost | CPU of the pod | its memory, MiB |")
            print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
            for name in [None, *chosen, None]:
                print(measure(pod, name), flush=True)
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
