"""The one way in which these tests wait."""

from __future__ import annotations

import time
from typing import Callable, TypeVar

Value = TypeVar("Value")

# Generous, as two busy cores can make a process start take seconds; it is only ever reached by a failure.
PATIENCE = 30.0
INTERVAL = 0.05


def eventually(what: str, check: Callable[[], Value], within: float = PATIENCE) -> Value:
    """Calls `check` until it returns something true, and returns that. An assertion that fails, or a connection that is
    refused, counts as "not yet"; after `within` seconds it fails the test, saying what was awaited and what was seen."""
    deadline = time.monotonic() + within
    seen: object = None
    while True:
        try:
            value = check()
            if value:
                return value
            seen = value
        except (AssertionError, OSError, CommandFailed) as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}; last seen: {seen!r}")
        time.sleep(INTERVAL)


def always(what: str, check: Callable[[], bool], during: float) -> None:
    """Fails as soon as `check` is false. For "nothing happened", which no event announces."""
    deadline = time.monotonic() + during
    while time.monotonic() < deadline:
        assert check(), f"no longer true: {what}"
        time.sleep(INTERVAL)


class CommandFailed(Exception):
    """A command line that ended with an error; `eventually` takes it as "not yet"."""
