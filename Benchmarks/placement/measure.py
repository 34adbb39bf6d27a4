#!/usr/bin/env python3
"""Measures what the placement protocol does and costs, on real processes: pods, Sender, Redis, gRPC clients.

    Benchmarks/placement/measure costs      RPCs and registry reads per push: all at home, and with 10 % strays
    Benchmarks/placement/measure timeline   the same, per 100 ms, while a pod joins and leaves
    Benchmarks/placement/measure failover   SIGKILLs; the time until a push reaches each lost session again
    Benchmarks/placement/measure outage     Redis killed under load, with sessions coming and going
    Benchmarks/placement/measure join       what a join costs clusters of 10, 100 and 1,000 members

Prints tables; --out FOLDER also keeps the figures as JSON and, for timeline and failover, a plot (SVG).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pathlib
import platform
import random
import signal
import statistics
import sys
import tempfile
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "Tests" / "EndToEnd"))

import grpc  # noqa: E402
import harness.stubs  # noqa: E402, F401
from harness.clients import Clients  # noqa: E402
from harness.cluster import CLUSTER, Cluster  # noqa: E402
from harness.load import Load, check_no_success_hid_a_session  # noqa: E402
from harness.redis import Redis  # noqa: E402
from harness.waiting import eventually  # noqa: E402
from pushring.v1 import push_pb2, push_pb2_grpc  # noqa: E402

# The program's defaults.
DEFAULTS = {"--lease": "3s", "--renewal-interval": "1s", "--grace": "60s"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["costs", "timeline", "failover", "outage", "join"])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--sessions", type=int, default=0, help="default: 300, for failover 30, for outage 1000")
    parser.add_argument("--seconds", type=float, default=30, help="how long Redis is away")
    parser.add_argument("--rate", type=float, default=100, help="pushes per second")
    parser.add_argument("--empty", action="store_true", help="Redis comes back empty (otherwise with what it had)")
    parser.add_argument(
        "--faults", action="store_true", help="outage: one pod is killed as well, and another one stopped for 8 s"
    )
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = globals()[arguments.what](arguments, pathlib.Path(folder))
    result["machine"] = f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}"
    result["command"] = "Benchmarks/placement/measure " + " ".join(sys.argv[1:])
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / f"{arguments.what}.json").write_text(json.dumps(result, indent=1) + "\n")


class Measured:
    """A cluster with the program's defaults and its clients, ended together."""

    def __init__(self, folder: pathlib.Path, pods: int = 3, audit: str = "0", **options):
        self.cluster = Cluster(folder, pods=pods, options=DEFAULTS, **options)
        self.cluster.sender.child.stop()
        self.cluster.sender = self.cluster.start_sender(
            "measured", audit_interval=audit, lease="3s", renewal_interval="1s", grace="60s"
        )
        self.clients = Clients()

    def __enter__(self) -> "Measured":
        return self

    def __exit__(self, *_) -> None:
        self.clients.close()
        self.cluster.stop()

    def open(self, users: list[str], session: str = "home", stray: set[str] = frozenset()):
        opened = []
        for user in users:
            if user in stray:
                opened.append(self.clients.at(self.cluster.others(user)[0], user, session))
            else:
                opened.append(self.clients.open(user, self.cluster.endpoints, session, wait=False))
            # Hundreds at once would measure this process.
            if len(opened) % 50 == 0:
                opened[-50].wait_welcome()
        for client in opened:
            client.wait_welcome()
        return opened

    def settle(self) -> None:
        self.cluster.wait_settled()


def table(rows: list[list], head: list[str]) -> None:
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(str(cell).rjust(width) if index else str(cell).ljust(width)
                        for index, (cell, width) in enumerate(zip(row, widths))))


# Costs


def costs(arguments, folder) -> dict:
    count = arguments.sessions or 300
    with Measured(folder) as measured:
        cluster = measured.cluster
        single = [f"single-{number}" for number in range(count // 4)]
        triple = [f"triple-{number}" for number in range(count // 4)]
        strayed = [f"strayed-{number}" for number in range(count // 4)]
        measured.open(single)
        for session in ("phone", "desk", "watch"):
            measured.open(triple, session)
        measured.open(strayed)
        measured.open(strayed[: len(strayed) // 10], "stray", stray=set(strayed))
        measured.settle()
        rows, result = [], {}
        for name, users in (("1 session", single), ("3 sessions", triple), ("1 session, 10 % of users with a stray", strayed)):
            before = cluster.costs()
            pushes = Load(measured.clients, cluster.sender.address, users, rate=arguments.rate)
            eventually("each user was pushed to", lambda: len(pushes.pushes) >= len(users), within=120)
            done = pushes.stop()
            after = cluster.costs()
            number = after["pushes"] - before["pushes"]
            figures = {key: (after[key] - before[key]) / number for key in ("rpcs", "reads", "hgetall")}
            figures["complete"] = sum(push.is_success for push in done) / len(done)
            result[name] = figures
            rows.append([name, int(number), *(f"{figures[key]:.2f}" for key in ("rpcs", "reads", "hgetall")),
                         f"{figures['complete']:.0%}"])
        table(rows, ["users", "pushes", "RPCs per push", "registry reads per push", "HGETALL in Redis per push", "complete"])
        return {"costs": result}


# Timeline


def timeline(arguments, folder) -> dict:
    count = arguments.sessions or 300
    with Measured(folder) as measured:
        cluster = measured.cluster
        users = [f"user-{number}" for number in range(count)]
        measured.open(users)
        measured.settle()
        start = time.monotonic()
        samples: list[tuple[float, dict]] = []
        marks: list[tuple[float, str]] = []
        load = Load(measured.clients, cluster.sender.address, users, rate=arguments.rate)

        def watch(what: str, seconds: float, members: int = 0) -> None:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                samples.append((time.monotonic() - start, cluster.costs()))
                if members and settled_with(cluster, members):
                    marks.append((time.monotonic() - start, what))
                    members = 0
                time.sleep(0.05)

        watch("", 2)
        marks.append((time.monotonic() - start, "a pod starts"))
        cluster.start_pod("pod-3", wait=False)
        watch("settled with 4", 4, members=4)
        share = next(member["share"] for member in cluster.inspect()["members"] if member["id"] == "pod-3")
        marks.append((time.monotonic() - start, "SIGTERM to it"))
        leaving = cluster.pods.pop("pod-3")
        leaving.child.terminate()
        watch("settled with 3", 4, members=3)
        load.stop()
        points = []
        for (at, before), (later, after) in zip(samples, samples[1:]):
            pushes = after["pushes"] - before["pushes"]
            if pushes:
                points.append((round(later, 2), round((after["reads"] - before["reads"]) / pushes, 3)))
        print(f"The newcomer took {share:.0%} of the ring.\n")
        rows = [[f"{at:.2f} s", "", what] for at, what in marks] + [[f"{at:.2f} s", f"{reads:.2f}", ""] for at, reads in points]
        changed = [row for index, row in enumerate(sorted(rows, key=lambda row: float(row[0].split()[0])))]
        shown, last = [], None
        for row in changed:
            if row[2] or row[1] != last:
                shown.append(row)
                last = row[1] or last
        table(shown, ["time", "registry reads per push", "what happened"])
        plot(arguments, "timeline", lambda axes: draw_timeline(axes, points, marks))
        return {"share": share, "users": len(users), "marks": marks, "readsPerPush": points}


def settled_with(cluster, members: int) -> bool:
    """By one look at Redis: a process of ours would cost more than what is measured."""
    key = f"pushring:{{{CLUSTER}}}"
    version, settled = cluster.redis.call("HMGET", f"{key}:meta", "version", "settled_version").splitlines()
    return version == settled and cluster.redis.call("HLEN", f"{key}:members") == str(members)


def draw_timeline(axes, points, marks) -> None:
    axes.step([at for at, _ in points], [reads for _, reads in points], where="post")
    for at, what in marks:
        axes.axvline(at, color="grey", linestyle=":")
        axes.text(at, axes.get_ylim()[1], what, rotation=90, va="top", ha="right", fontsize=7)
    axes.set(xlabel="seconds", ylabel="registry reads per push", ylim=(0, None))


# Failover


def failover(arguments, folder) -> dict:
    count = arguments.sessions or 30
    times: list[float] = []
    with Measured(folder) as measured:
        cluster, clients = measured.cluster, measured.clients
        opened = measured.open([f"user-{number}" for number in range(count)])
        for client in opened:
            # The first pause of a client that lost its stream is up to twice that.
            client.session.backoff.first = 0.05
        for kill in range(arguments.kills):
            measured.settle()
            victim = max(cluster.pods, key=lambda pod: sum(client.pod == pod for client in opened))
            hit = [client for client in opened if client.pod == victim]
            killed = cluster.pods.pop(victim)
            killed.child.send(signal.SIGKILL)
            began = time.monotonic()
            future = asyncio.run_coroutine_threadsafe(reach(cluster.sender.address, hit, kill, began), clients.loop)
            times += future.result(timeout=90)
            cluster.restart(killed)
            cluster.wait_members(3)
            print(f"\r{kill + 1} kills, {len(times)} sessions", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    times.sort()
    figures = {name: percentile(times, share) for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))}
    table([[arguments.kills, len(times), *(f"{value * 1000:.0f} ms" for value in figures.values())]],
          ["SIGKILLs", "sessions lost", *figures])
    plot(arguments, "failover", lambda axes: draw_failover(axes, times))
    return {"kills": arguments.kills, "sessions": len(times), "seconds": figures, "times": [round(t, 4) for t in times]}


async def reach(address: str, hit: list, kill: int, began: float) -> list[float]:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = push_pb2_grpc.PushesStub(channel)
        return await asyncio.gather(*(reach_one(stub, client, kill, began) for client in hit))


async def reach_one(stub, client, kill: int, began: float) -> float:
    """From the kill until a push made after it has arrived."""
    for number in range(4000):
        payload = f"after-{kill}-{number}"
        try:
            await stub.Push(push_pb2.PushRequest(user_id=client.user, payload=payload.encode()), timeout=5)
        except grpc.aio.AioRpcError:
            pass
        await asyncio.sleep(0.01)
        arrived = [event["at"] for event in client.of("message") if event["payload"].startswith(f"after-{kill}-")]
        if arrived:
            return arrived[0] - began
    raise AssertionError(f"{client.user} was not reached")


def draw_failover(axes, times) -> None:
    axes.plot([value * 1000 for value in times], [(index + 1) / len(times) for index in range(len(times))])
    axes.set(xlabel="ms from SIGKILL until a push arrives again", ylabel="share of the lost sessions", xlim=(0, None))
    axes.grid(alpha=0.3)


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# Outage


def outage(arguments, folder) -> dict:
    count = arguments.sessions or 1000
    with Measured(folder, pods=3) as measured:
        cluster, clients = measured.cluster, measured.clients
        users = [f"user-{number}" for number in range(count * 4 // 5)]
        opened = measured.open(users)
        opened += measured.open(users[: count - len(users)], "second")
        measured.settle()
        stable = opened[: count * 9 // 10]
        load = Load(clients, cluster.sender.address, users, rate=arguments.rate)
        eventually("the load runs", lambda: len(load.pushes) > 50)
        if not arguments.empty:
            cluster.redis.call("SAVE")
        cluster.redis.child.kill()
        began = time.monotonic()
        faults = [(5.0, kill_one), (8.0, stop_one), (16.0, continue_one)] if arguments.faults else []
        hit: list = []
        leaving, joined = list(opened[len(stable):]), []
        random.seed(7)
        while time.monotonic() - began < arguments.seconds:
            if faults and time.monotonic() - began >= faults[0][0]:
                faults.pop(0)[1](cluster, hit)
            if leaving:
                leaving.pop().stop()
            joined.append(clients.open(f"late-{len(joined)}", cluster.endpoints, "late", wait=False))
            time.sleep(arguments.seconds / (count // 10))
        cluster.redis.start()
        back = time.monotonic()
        for client in joined:
            client.wait_welcome()
        living = stable + joined
        killed = {pod.id for pod in hit[:1]}
        moved = [client for client in stable if client.of("welcome")[0]["pod"] in killed]

        def exact() -> bool:
            for client in living:
                records = [(r["session"], r["pod"], r["epoch"]) for r in cluster.records(client.user)]
                assert (client.session.session, client.pod, client.epoch) in records, client.user
            return True

        cluster.wait_settled()
        settled = time.monotonic() - back
        eventually("records are exact", exact, within=120)
        pushes = load.stop()
        checked = check_no_success_hid_a_session(pushes, living)
        disturbed = sum(not client.undisturbed for client in stable if client not in moved)
        away = [push for push in pushes if began <= push.began < back]
        routes = {route: sum(push.route == route for push in away) for route in ("ring", "directory", "scatter", "")}
        result = {
            "sessions": count, "pushes": len(pushes), "whileAway": len(away), "routesWhileAway": routes,
            "successesChecked": checked, "successesThatMissedASession": 0, "ofTheKilledPod": len(moved), "othersDisconnected": disturbed,
            "arrivedMeanwhile": len(joined), "leftMeanwhile": count - len(stable), "settledAfterSeconds": round(settled, 2),
        }
        table([[key, value] for key, value in result.items()], ["figure", "value"])
        assert disturbed == 0
        return result


def kill_one(cluster, hit: list) -> None:
    pod = cluster.pods.pop("pod-2")
    pod.child.send(signal.SIGKILL)
    hit.append(pod)


def stop_one(cluster, hit: list) -> None:
    hit.append(cluster.pods["pod-1"])
    hit[-1].child.send(signal.SIGSTOP)


def continue_one(cluster, hit: list) -> None:
    hit[-1].child.send(signal.SIGCONT)


# Join


def join(arguments, folder) -> dict:
    redis = Redis(folder)
    try:
        command = [os.environ["PUSHRING_BIN"], "join-cost", "--redis", redis.url, "--json", "--members", "10", "100", "1000"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1200)
    finally:
        redis.child.kill()
    costs = json.loads(done.stdout)
    head = {
        "members": "members", "movedUsers": "users that move", "reportCalls": "reports", "reportBytes": "their bytes",
        "acknowledgements": "acknowledgements", "redisMicrosecondsOfJoin": "Redis: join, µs",
        "redisMicrosecondsPerAcknowledgement": "acknowledgement, µs", "redisMicrosecondsPerRenewal": "renewal, µs",
        "announcementBytes": "announcement, bytes", "windowBytes": "window, bytes",
    }
    table([[round(cost[key]) for key in head] for cost in costs], list(head.values()))
    return {"join": costs}


def plot(arguments, name: str, draw) -> None:
    if not arguments.out:
        return
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.2), layout="constrained")
    draw(axes)
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out / f"{name}.svg")


if __name__ == "__main__":
    main()
