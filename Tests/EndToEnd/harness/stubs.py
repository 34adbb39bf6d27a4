"""The clients are written from the .proto files alone. Importing this generates their code and makes it importable, so it
comes before whatever imports pushring.v1."""

from __future__ import annotations

import subprocess
import sys

from .program import REPOSITORY

STUBS = REPOSITORY / ".build" / "end-to-end" / "python"
sys.path.insert(0, str(STUBS))
subprocess.run(
    [sys.executable, str(REPOSITORY / "Docs" / "examples" / "python" / "generate.py"), str(STUBS)], check=True, timeout=120
)
