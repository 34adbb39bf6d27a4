"""The `pushring` program, as a command line."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from dataclasses import dataclass

from .waiting import CommandFailed

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def program() -> str:
    """The program under test: $PUSHRING_BIN, or what `swift build` left."""
    path = os.environ.get("PUSHRING_BIN") or str(REPOSITORY / ".build" / "debug" / "pushring")
    found = shutil.which(path)
    if not found:
        raise RuntimeError(f"no program at {path}: build it (swift build --product pushring) or set PUSHRING_BIN")
    # Children are started in folders of their own.
    return os.path.abspath(found)


@dataclass
class Finished:
    code: int
    out: str
    error: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.error


def run(*arguments: str, environment: dict[str, str] | None = None, within: float = 20) -> Finished:
    """Runs it to its end; fails the test when that does not come."""
    done = subprocess.run(
        [program(), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=within,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def run_json(*arguments: str, codes: tuple[int, ...] = (0,), **options):
    """Runs it, and returns the JSON it printed; CommandFailed with its words if it ended with none of `codes`."""
    done = run(*arguments, "--output", "json", **options)
    if done.code not in codes:
        raise CommandFailed(f"pushring {' '.join(map(str, arguments))} ended with {done.code}: {done.text}")
    return done.json
