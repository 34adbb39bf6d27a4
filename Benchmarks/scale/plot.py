"""Three plots from the JSON of `pushring scale --output json`: limits by size, a third's strays, what Redis' core does."""

from __future__ import annotations

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
# The same input gives the same file.
matplotlib.rcParams["svg.hashsalt"] = "pushring"
from matplotlib import pyplot  # noqa: E402


def main() -> None:
    report = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "Docs/plots")
    folder.mkdir(parents=True, exist_ok=True)
    # The clusters of 10,000 sessions per pod; the others are in the tables.
    sizes = [size for size in report["sizes"] if size["sessions"] == 10_000 * size["pods"]]
    if len(sizes) < 2:
        sys.exit("the plots are of clusters of 10,000 sessions per pod; this run has less than two of them")
    for name, draw in (("scale-limits", limits), ("scale-events", events), ("scale-redis", redis)):
        figure, axes = pyplot.subplots(figsize=(7.5, 3.8), layout="constrained")
        draw(axes, report, sizes)
        axes.set_xscale("log")
        axes.set_xlabel("pods, of 10,000 sessions each")
        axes.set_xticks([size["pods"] for size in sizes], [f"{size['pods']:,}" for size in sizes], rotation=0)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        print(folder / f"{name}.svg")


def limits(axes, report, sizes) -> None:
    """How much of each limit is used: what crosses 1 is broken."""
    for name in sorted({limit["name"] for size in sizes for limit in size["limits"]}):
        used = [next(100 * limit["value"] / limit["limit"] for limit in size["limits"] if limit["name"] == name) for size in sizes]
        axes.plot([size["pods"] for size in sizes], used, marker="o", markersize=3, label=name)
    axes.axhline(100, color="black", linewidth=1, linestyle="--")
    axes.set_yscale("log")
    axes.set_ylim(0.01, 1000)
    axes.set_ylabel("used, % of the limit")
    axes.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))


def events(axes, report, sizes) -> None:
    """Users that get another owner."""
    for event in [event["event"] for event in sizes[0]["events"]]:
        moved = [next(found["moved"] for found in size["events"] if found["event"] == event) for size in sizes]
        axes.plot([size["pods"] for size in sizes], moved, marker="o", markersize=3, label=event,
                  linestyle="--" if event in ("zone-return", "crash") else "-")
    axes.set_yscale("log")
    axes.set_ylabel("sessions that get another owner")
    axes.legend(fontsize="small")


def redis(axes, report, sizes) -> None:
    """What Redis' one core is busy with at rest."""
    pods = [size["pods"] for size in sizes]
    parts = {part: [100 * size["registry"]["cpuAtRestByPart"][part] for size in sizes]
             for part in sizes[0]["registry"]["cpuAtRestByPart"]}
    for part, values in sorted(parts.items()):
        axes.plot(pods, values, marker="o", markersize=3, label=part)
    axes.plot(pods, [100 * size["registry"]["cpuAtRest"] for size in sizes], color="black", linewidth=2, label="together")
    axes.axhline(100, color="black", linewidth=1, linestyle="--")
    axes.set_yscale("log")
    axes.set_ylabel("Redis at rest, % of its core")
    axes.legend(fontsize="small")


if __name__ == "__main__":
    main()
