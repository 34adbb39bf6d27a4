"""Tests/WireProbe: our HTTP/2 and HPACK, a command a line."""

from __future__ import annotations

import pathlib
import subprocess

from .program import program


class WireProbe:
    """Built with the Swift tests, beside the program."""

    def __init__(self):
        path = pathlib.Path(program()).resolve().parent / "wire-probe"
        if not path.exists():
            raise RuntimeError(f"no program at {path}: build it (swift build --product wire-probe)")
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words) -> str:
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"wire-probe has ended at {words}"
        return answer.rstrip("\n")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    # HPACK

    def decode(self, block: bytes) -> list[tuple[bytes, bytes, bool]] | str:
        """The fields; "too-large" or "error CODE"."""
        answer = self.ask("decode", block.hex())
        if answer.startswith(("error", "too-large")):
            return answer
        return [_field(text) for text in answer.split(",") if text]

    def encode(self, fields: list[tuple[bytes, bytes, bool]]) -> bytes:
        texts = [f"{name.hex()}:{value.hex()}:{int(sensitive)}" for name, value, sensitive in fields]
        return bytes.fromhex(self.ask("encode", ",".join(texts)))

    # Frames

    def read(self, data: bytes) -> list[str]:
        return self.ask("read", data.hex()).split()

    def receive(self, data: bytes) -> bytes:
        return bytes.fromhex(self.ask("receive", data.hex()))


def _field(text: str) -> tuple[bytes, bytes, bool]:
    name, value, sensitive = text.split(":")
    return bytes.fromhex(name), bytes.fromhex(value), sensitive == "1"
