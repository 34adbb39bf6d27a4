"""A peer's figures in the form of `pushring bench`, a file for each workload, for `bench report` and `bench compare`."""

import json
import os
import sys
import time


def write(document, folder):
    """Writes NAME-idle.json, NAME-connect.json, NAME-push.json and NAME-latency.json."""
    os.makedirs(folder, exist_ok=True)
    parts = {
        "idle": {
            "workload": "idle", "rate": 0, "userBytesPerSession": document["userBytesPerSession"],
            "kernelBytesPerSession": document["kernelBytesPerSession"],
        },
        "connect": {
            "workload": "connect", "rate": 0, "connectsPerCPUSecond": document["connectsPerCPUSecond"],
            "stormSeconds": document["stormSeconds"],
        },
        "push": {
            "workload": "push", "rate": 0, "pushesPerSecond": document["pushesPerSecond"],
            "pushesPerPodCPUSecond": document["pushesPerPodCPUSecond"], "lost": document["lost"],
            "duplicated": document["duplicated"],
        },
        "latency": {
            "workload": "push", "rate": document["settings"]["rate"], "latencyMs": document["latencyMs"],
            "lost": document["latency"]["lost"], "duplicated": document["latency"]["duplicated"],
        },
    }
    for name, part in parts.items():
        target = os.path.join(folder, f"{document['peer']}-{name}.json")
        with open(target, "w") as f:
            json.dump(result(document, part), f, indent=1)
            f.write("\n")


def result(document, part):
    machine = document["machine"]
    with open("/proc/meminfo") as f:
        memory = int(f.readline().split()[1]) * 1024
    figures = {key: value for key, value in part.items() if key not in ("workload", "rate")}
    settings = {"sessions": str(document["sessions"]), "rate": str(part["rate"]),
                "size": str(document["settings"]["payloadBytes"]), "duration": str(document["settings"]["seconds"])}
    return {
        "workload": part["workload"], "subject": document["peer"], "version": document["version"],
        "startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]]),
        "machine": {"cores": machine["cores"], "processor": machine["cpu"], "kernel": machine["kernel"],
                    "memoryBytes": memory},
        "settings": settings, "seed": 0, **figures, "notes": document["notes"], "processes": [],
        "repetitions": [{key: value for key, value in figures.items() if isinstance(value, (int, float))}],
        "noise": {}, "histograms": {}, "timeline": [], "marks": [],
    }
