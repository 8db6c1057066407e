"""flagd's evaluation core behind OFREP, in an environment of its own (see .ci/install-real)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.real.servers import Server, answers, free_port, missing, running, scratch

FOLDER = Path(__file__).with_name("ofrep")
PYTHON = FOLDER / ".venv" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Ofrep:
    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    def serve(self, percent: int, *, state: str = "ENABLED") -> None:
        """One flag `reads` with so much of it on, as a flagd definition."""
        shares = [["on", percent], ["off", 100 - percent]]
        flag = {
            "state": state,
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": {"fractional": shares},
        }
        self.load(json.dumps({"flags": {"reads": flag}}).encode())

    def load(self, definition: bytes) -> None:
        """A whole flagd definition, as a file of it reads."""
        put = httpx.put(f"{self.url}/flags", content=definition, trust_env=False, timeout=5)
        put.raise_for_status()


@contextmanager
def ofrep() -> Iterator[Ofrep]:
    if not PYTHON.exists():
        missing("flagd's evaluation core is not installed in tests/real/ofrep")
    port = free_port()
    argv = [str(PYTHON), str(FOLDER / "app.py"), str(port)]
    ready = answers(f"http://127.0.0.1:{port}/healthz")
    with (
        scratch("ofrep") as folder,
        running("ofrep", argv, port=port, folder=folder, ready=ready) as server,
    ):
        yield Ofrep(server)
