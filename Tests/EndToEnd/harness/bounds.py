"""What an attack may cost a pod, and those whom it serves meanwhile."""

from __future__ import annotations

import contextlib

from .http2 import HonestSessions

MIB = 1 << 20
# Seconds. The test program is a debug build, so this is many times what an attack costs.
PATIENCE = 2.0
# HTTP/2's error codes (RFC 9113, section 7).
FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, REFUSED_STREAM, ENHANCE_YOUR_CALM = 3, 4, 7, 11


def memory(pod) -> int:
    """Bytes of the process that are in memory."""
    with open(f"/proc/{pod.child.process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


def cpu(pod) -> float:
    """Seconds."""
    with open(f"/proc/{pod.child.process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextlib.contextmanager
def attacked(pod, mebibytes: int = 24, seconds: float = 4.0):
    """Holds the pod to its bounds while the body attacks it."""
    honest = HonestSessions(pod.address)
    before, used = memory(pod), cpu(pod)
    honest.start()
    try:
        yield
    finally:
        honest.stop()
    assert honest.lost == 0, "an honest session was lost"
    assert len(honest.latencies) > 4 and max(honest.latencies) < PATIENCE, sorted(honest.latencies)[-5:]
    assert cpu(pod) - used < seconds, f"it cost {cpu(pod) - used} s"
    grown = memory(pod) - before
    assert grown < mebibytes * MIB, f"the pod grew by {grown / MIB:.1f} MiB"
