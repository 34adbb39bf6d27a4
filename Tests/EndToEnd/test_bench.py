"""The benchmark harness measures what is there: it is given servers that are slow, stall and lose by a known amount."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest
from harness.program import program
from harness.waiting import eventually


def bench(*arguments: str, within: float = 120) -> dict:
    done = subprocess.run(
        [program(), "bench", *arguments, "--output", "json"], capture_output=True, text=True, timeout=within, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def against(cluster, *arguments: str, endpoints: list[str] | None = None) -> list[str]:
    return [
        *arguments, "--sender", cluster.sender.address, "--endpoint", ",".join(endpoints or cluster.endpoints),
        "--warm-up", "0", "--repeat", "1",
    ]


class SlowPath:
    """Passes bytes on, in one direction later by a known time."""

    def __init__(self, target: str, delay: float):
        self.target = (target.split(":")[0], int(target.split(":")[1]))
        self.delay = delay
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            threading.Thread(target=self._pass, args=(client, server, 0.0), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, self.delay), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, delay: float) -> None:
        try:
            while data := source.recv(65536):
                if delay:
                    time.sleep(delay)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()
            source.close()

    def close(self) -> None:
        self.listener.close()


def test_a_path_that_is_slower_by_a_known_time_shows_that_time(cluster):
    plain = bench("push", *against(cluster, "--sessions", "20", "--rate", "50", "--duration", "3"))
    paths = [SlowPath(endpoint, 0.05) for endpoint in cluster.endpoints]
    try:
        slow = bench(
            "push",
            *against(cluster, "--sessions", "20", "--rate", "50", "--duration", "3", endpoints=[p.address for p in paths]),
        )
    finally:
        for path in paths:
            path.close()
    assert plain["lost"] == slow["lost"] == 0
    added = slow["latencyMs"]["p50"] - plain["latencyMs"]["p50"]
    assert 48 <= added <= 90, (plain["latencyMs"], slow["latencyMs"])


def test_a_stall_of_a_second_shows_as_a_second(cluster):
    """Open loop: all that was due meanwhile is late, not only the one push that was under way."""
    sender = cluster.start_sender("stalls", strategy="directory")
    command = [
        program(), "bench", "push", "--sessions", "20", "--rate", "200", "--duration", "6", "--warm-up", "0", "--repeat", "1",
        "--sender", sender.address, "--endpoint", ",".join(cluster.endpoints), "--output", "json",
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        # It tells of pushes once a second.
        eventually("pushes are under way", lambda: "pushes" in running.stderr.readline(), within=30)
        sender.child.send(signal.SIGSTOP)
        time.sleep(1)
        sender.child.send(signal.SIGCONT)
        output, errors = running.communicate(timeout=60)
    finally:
        running.kill()
        sender.child.terminate()
    assert running.returncode == 0, errors
    latency = json.loads(output)["latencyMs"]
    # 200 of 1,200 pushes were due while it stood still: the largest is the whole of it, and one in ten waited half of it.
    assert 0 <= json.loads(output)["stolenShare"] < 1
    assert latency["max"] >= 950, latency
    assert latency["p90"] >= 300, latency
    assert latency["p50"] < 100, latency


def test_clients_that_overlook_messages_are_found_out(cluster):
    result = bench(
        "push", *against(cluster, "--sessions", "20", "--rate", "100", "--duration", "3", "--drop-every", "10")
    )
    pushes = result["pushesPerSecond"] * 3
    assert 0.05 * pushes <= result["lost"] <= 0.15 * pushes, result["lost"]


def test_reads_are_counted_as_redis_counts_them():
    result = bench(
        "push", "--pods", "2", "--sessions", "60", "--rate", "100", "--duration", "3", "--warm-up", "1", "--repeat", "1",
        "--strategy", "directory-grouped", "--sessions-per-user", "3",
    )
    assert result["registryReadsPerPush"] == 1
    # A pod looks a record up now and then, for reasons of its own.
    assert result["redisReadsPerPush"] == pytest.approx(1, abs=0.05)
    assert result["lost"] == result["duplicated"] == result["missed"] == 0
    assert result["rpcsPerPush"] <= 2


def test_modulo_misses_those_whom_a_new_pod_takes_over():
    figures = {}
    for strategy in ("ring", "modulo"):
        figures[strategy] = bench(
            "rebalance", "--pods", "3", "--sessions", "90", "--rate", "100", "--duration", "6", "--warm-up", "0",
            "--strategy", strategy,
        )
    assert figures["ring"]["missed"] == figures["ring"]["lost"] == 0
    assert figures["modulo"]["missed"] > 50
    assert figures["modulo"]["strayShare"] > 0.5 > figures["ring"]["strayShare"]


def test_failover_pushes_to_all_before_it_kills_a_pod():
    result = bench(
        "failover", "--sessions", "60", "--sessions-per-user", "3", "--pods", "2", "--rate", "50", "--duration", "4",
        "--repeat", "1",
    )
    assert any("60 of 60 sessions received it" in note for note in result["notes"]), result["notes"]
    assert result["recoverySeconds"] > 0


def test_what_the_machine_can_not_do_is_refused_by_the_setting_that_says_so():
    for arguments, setting in (
        (("--sessions", "900000", "--pods", "50", "--load-processes", "1"), "--load-processes"),
        (("--sessions", "1000000", "--pods", "1"), "--pods"),
    ):
        done = subprocess.run([program(), "bench", "idle", *arguments], capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and setting in done.stderr and "ulimit" in done.stderr, done.stderr


def test_a_report_and_a_comparison(tmp_path: pathlib.Path, cluster):
    files = []
    for name in ("before", "after"):
        files.append(tmp_path / f"{name}.json")
        bench("push", *against(cluster, "--sessions", "10", "--rate", "50", "--duration", "1"), "--out", str(files[-1]))
    page = tmp_path / "page.html"
    done = subprocess.run(
        [program(), "bench", "report", *map(str, files), "--out", str(page)], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0 and done.stdout.strip() == str(page)
    assert "<svg" in page.read_text() and os.path.getsize(page) > 2000
    compared = subprocess.run([program(), "bench", "compare", *map(str, files)], capture_output=True, text=True, timeout=20)
    assert compared.returncode == 0 and "pushesPerSecond" in compared.stdout
    wrong = subprocess.run([program(), "bench", "report", str(page)], capture_output=True, text=True, timeout=20)
    assert wrong.returncode == 1 and "no benchmark's result" in wrong.stderr
