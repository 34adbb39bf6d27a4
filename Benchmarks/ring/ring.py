"""The tables of what was measured, and the judgement of `run --check`; `run` starts it with files of lines of JSON."""

import json
import sys

# What the ring has to keep to; Docs/ring.md says why. Each figure is of its best attempt: what else the machine does, above all
# on the other half of the same physical core, only ever makes a look-up slower.
LEAST_SPEEDUP = 8.0
MOST_BYTES_PER_TOKEN = 16.0
MOST_MILLISECONDS_OF_A_CHANGE = 1.0
MOST_SHARE = 1.10
TOKENS = 256


def rows(paths: list[str]) -> list[dict]:
    return [json.loads(line) for path in paths for line in open(path) if line.strip()]


def table(title: str, header: list[str], lines: list[list[str]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for line in lines:
        print(f"| {' | '.join(line)} |")


def show(all_rows: list[dict]) -> None:
    compared = [row for row in all_rows if "bytesPerMember" in row]
    names = list(dict.fromkeys(row["name"] for row in compared))
    of = {(row["name"], row["members"]): row for row in compared}
    sizes = (3, 100, 1_000)
    hash_alone = next(row for row in all_rows if row["name"] == "hash alone")
    print(f"PushRing's hash alone: {hash_alone['nanoseconds']:.1f} ns; of a UUID {hash_alone['nanosecondsOfUUID']:.1f} ns")

    def time(name: str, members: int, key: str = "nanoseconds") -> str:
        return f"{of[name, members][key]:.1f}" if (name, members) in of else "–"

    table(
        "A look-up, hash included (ns), of a user id of 12 or 13 bytes, by members; and of 36 bytes at 100",
        ["", *map(str, sizes), "UUID, 100"],
        [
            [name, *(time(name, size) for size in sizes), time(name, 100, "nanosecondsOfUUID")]
            for name in names
        ],
    )
    table(
        "100 members: the largest share over the mean, keys that a 101st moves over the ideal, and bytes per member",
        ["", "largest share", "movement", "bytes"],
        [
            [
                name,
                f"{of[name, 100]['largestShare']:.2f}",
                f"{of[name, 100]['moved']:.2f}",
                f"{of[name, 100]['bytesPerMember']:,.0f}",
            ]
            for name in names
        ],
    )
    table(
        "A change of one member (ms)",
        ["", "members", "quicker quarter", "median", "worst"],
        [
            [row["name"], str(row["members"]), *(f"{row[key]:.2f}" for key in ("changeP25", "changeMedian", "changeWorst"))]
            for row in all_rows
            if "changeP25" in row
        ],
    )
    table(
        "Capped shares: the largest over its fair part, and movement beyond what the newcomer gets or the leaver had",
        ["", "members", "largest share", "extra of a join", "extra of a leave"],
        [
            [
                row["name"],
                str(row["members"]),
                f"{row['largestShare']:.3f}",
                f"{row['extraMovementOfJoin']:.1%}",
                f"{row['extraMovementOfLeave']:.1%}",
            ]
            for row in all_rows
            if "extraMovementOfJoin" in row
        ],
    )


def judge(attempts: list[list[dict]]) -> list[str]:
    """What is wrong."""

    def find(attempt: list[dict], name: str, members: int) -> dict:
        return next(row for row in attempt if row["name"] == name and row["members"] == members)

    def speedup(attempt: list[dict]) -> float:
        return find(attempt, "binary search", 100)["nanoseconds"] / find(attempt, "PushRing", 100)["nanoseconds"]

    shares = [row["largestShare"] for row in attempts[0] if row["name"].startswith("cap 110")]
    sizes = {row["members"] for row in attempts[0] if row["name"].startswith("cap 110")}
    figures = [
        ("look-ups, times a binary search's, 100 members", max(map(speedup, attempts)), LEAST_SPEEDUP, False),
        (
            "change of 1,000 members (ms)",
            min(find(attempt, "a change", 1_000)["changeP25"] for attempt in attempts),
            MOST_MILLISECONDS_OF_A_CHANGE,
            True,
        ),
        ("largest share with a cap of 110 %", max(shares), MOST_SHARE, True),
    ]
    for members in (100, 1_000):
        bytes_per_token = find(attempts[0], "PushRing", members)["bytesPerMember"] / TOKENS
        figures.append((f"bytes per token, {members} members", bytes_per_token, MOST_BYTES_PER_TOKEN, True))
    wrong = [] if sizes == {3, 10, 100, 1_000} else ["shares were not measured at 3 to 1,000 members"]
    for name, value, bound, is_most in figures:
        kept = value <= bound + 1e-9 if is_most else value >= bound
        print(f"{name:<50} {value:8.2f}   {'at most' if is_most else 'at least'} {bound:g}{'' if kept else '   NOT KEPT'}")
        if not kept:
            wrong.append(name)
    return wrong


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        found = judge([rows([path]) for path in sys.argv[2:]])
        sys.exit(f"failed: {'; '.join(found)}" if found else 0)
    show(rows(sys.argv[1:]))
