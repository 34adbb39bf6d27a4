"""What callgrind counted for each part, against Thresholds/counts.json; `check` starts it.

A dump of callgrind's counters is a text file: "desc: Trigger: Client Request: NAME" says which part it is of, "totals: N"
how many instructions were executed. A name's first "fn=(ID) NAME" or "cfn=(ID) NAME" stands for later "(ID)"s, and
"calls=N ..." after a "cfn=" says how often that function was called.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import subprocess
import sys

THRESHOLDS = pathlib.Path(__file__).parent / "Thresholds" / "counts.json"
ALLOCATING = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}

# The same program gives the same counts. But code that a change does not touch may be compiled a little differently for
# it: inlined or not, in other registers.
INSTRUCTIONS_TOLERANCE = 0.05
# Allocations do not vary so: less than one in ten operations is a table that happened to grow.
ALLOCATIONS_TOLERANCE = 0.1


def counts_of_dump(path):
    """The part's name, and how many instructions and allocations there were in all."""
    name, instructions, allocations = None, 0, 0
    functions, callee = {}, None
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("desc: Trigger: Client Request: "):
            name = line.removeprefix("desc: Trigger: Client Request: ")
        elif line.startswith("totals: "):
            instructions = int(line.split()[1])
        elif match := re.match(r"(c?)fn=\((\d+)\)(?: (.*))?$", line):
            called, number, text = match.groups()
            if text:
                functions[number] = text.split("'")[0]
            if called:
                callee = functions[number]
        elif line.startswith("calls=") and callee in ALLOCATING:
            allocations += int(line.removeprefix("calls=").split()[0])
    return name, instructions, allocations


def counts(folder):
    """By part, in the order that the program did them in: instructions and allocations of one operation."""
    dumps = {}
    for path in folder.glob("dump.*"):
        name, instructions, allocations = counts_of_dump(path)
        if name:
            dumps[name] = (instructions, allocations)
    result = {}
    for line in (folder / "parts").read_text().splitlines():
        name, operations, _ = line.split("\t")
        if name not in dumps:
            sys.exit(f"error: callgrind dumped nothing for {name!r}")
        instructions, allocations = (number / int(operations) for number in dumps[name])
        result[name] = {"instructions": round(instructions, 1), "allocations": round(allocations, 2)}
    return result


def toolchain():
    """What the counts depend on, beside the sources."""
    version = subprocess.run(["swift", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "swift": re.search(r"Swift version (\S+)", version).group(1),
        "architecture": platform.machine(),
        "libc": os.confstr("CS_GNU_LIBC_VERSION"),
    }


def verdict(found, allowed):
    if allowed is None:
        return "not in the thresholds"
    if found["allocations"] > allowed["allocations"] + ALLOCATIONS_TOLERANCE:
        return "more allocations"
    if found["instructions"] > allowed["instructions"] * (1 + INSTRUCTIONS_TOLERANCE):
        return "more instructions"
    if found["instructions"] < allowed["instructions"] * (1 - INSTRUCTIONS_TOLERANCE):
        return "better"
    return ""


def row(name, found, allowed):
    change = ""
    if allowed and allowed["instructions"]:
        change = f"{found['instructions'] / allowed['instructions'] - 1:+.1%}"
    figures = f"{found['instructions']:>14,.1f} {change:>8} {found['allocations']:>12,.2f}"
    return f"{name:<50} {figures}  {verdict(found, allowed)}"


def judge(found, thresholds):
    """Prints the table; what is wrong."""
    allowed = thresholds.get("parts", {})
    print(f"{'one operation':<50} {'instructions':>14} {'change':>8} {'allocations':>12}")
    for name, figures in found.items():
        print(row(name, figures, allowed.get(name)).rstrip())
    wrong = [name for name, figures in found.items() if verdict(figures, allowed.get(name)) not in ("", "better")]
    return wrong + [f"{name} (gone)" for name in allowed if name not in found]


def check(found):
    thresholds = json.loads(THRESHOLDS.read_text()) if THRESHOLDS.exists() else {}
    wrong = judge(found, thresholds)
    recorded, here = thresholds.get("toolchain"), toolchain()
    if recorded and recorded != here:
        words = [", ".join(f"{key} {value}" for key, value in of.items()) for of in (recorded, here)]
        print(f"\nNOT JUDGED: the thresholds were recorded with {words[0]}; this is {words[1]}.")
        return 0
    if wrong:
        print(f"\nfailed: {'; '.join(wrong)}\nIf that is what the change is worth: Benchmarks/parts/check --record")
        return 1
    print(f"\n{len(found)} parts are within their thresholds")
    return 0


def record(found):
    THRESHOLDS.parent.mkdir(exist_ok=True)
    THRESHOLDS.write_text(json.dumps({"toolchain": toolchain(), "parts": found}, indent=2) + "\n")
    judge(found, {})
    print(f"\nrecorded in {THRESHOLDS}: commit it with the reason")


def main():
    parser = argparse.ArgumentParser(prog="Benchmarks/parts/check")
    parser.add_argument("--record", action="store_true", help="make what is counted now the thresholds")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    found = counts(arguments.folder)
    sys.exit(record(found) if arguments.record else check(found))


main()
