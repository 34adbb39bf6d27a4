"""uhashring from PyPI, measured as measure-ring measures: see run. Lines of JSON on stdout."""

import collections
import json
import time
import tracemalloc

import uhashring

KEYS, ROUNDS, SAMPLE, TOKENS = 4096, 10, 1_000_000, 256


def names(members: int) -> list[str]:
    return [f"session-manager-{member}" for member in range(members)]


def ring(members: list[str]) -> uhashring.HashRing:
    return uhashring.HashRing(nodes=members, vnodes=TOKENS)


def nanoseconds(made: uhashring.HashRing, keys: list[str]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        for key in keys:
            made.get_node(key)
        best = min(best, (time.perf_counter_ns() - start) / len(keys))
    return best


def main() -> None:
    numbers = [1_000_000 + key * 7_919 for key in range(KEYS)]
    users = [f"user-{number}" for number in numbers]
    uuids = [f"{number + 20_000_000}-3d5f-4b4a-9c1e-0123456789ab" for number in numbers]
    for members in (3, 100, 1_000):
        tracemalloc.start()
        made = ring(names(members))
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        row = {
            "name": "uhashring (Python)",
            "members": members,
            "nanoseconds": nanoseconds(made, users),
            "nanosecondsOfUUID": nanoseconds(made, uuids),
            "bytesPerMember": size / members,
        }
        if members == 100:
            joined = ring([*names(members), "newcomer"])
            owners = [made.get_node(f"sample-{number}") for number in range(SAMPLE)]
            moved = sum(owner != joined.get_node(f"sample-{number}") for number, owner in enumerate(owners))
            row["largestShare"] = max(collections.Counter(owners).values()) * members / SAMPLE
            row["moved"] = moved * (members + 1) / SAMPLE
        print(json.dumps(row), flush=True)


main()
