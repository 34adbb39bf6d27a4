"""Fixtures that every suite with real clients has."""

from __future__ import annotations

import pytest

from .clients import Clients


@pytest.fixture
def clients():
    made = Clients()
    yield made
    made.close()
