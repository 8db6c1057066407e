"""A double of nginx as a lever sees it: a program that tests and reloads, a master, workers that are renewed.

Built from what was seen of 1.22 (see `nginx_program`). Unlike the real one it can be slow, deaf and gone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.adapters.flags import nginx_program
from tests.real.nginx_server import FLAGS, Splitter, blocks
from tests.real.servers import Server, running, scratch

_CONFIG = """
daemon off; pid nginx.pid; error_log error.log; worker_processes 2;
events { worker_connections 64; }
http {
  access_log off;
  include split.conf;
}
"""
_PYTHON = (sys.executable, "-I", nginx_program.__file__)


@dataclass(slots=True, kw_only=True)
class NginxDouble(Splitter):
    """While it runs, and while it does not: `gone`."""

    life: ExitStack = field(default_factory=ExitStack)

    @property
    def test(self) -> list[str]:
        return [*_PYTHON, "-t", *_place(self.folder)]

    @property
    def reloading(self) -> list[str]:
        """The program that tells the master."""
        return [*_PYTHON, "-s", "reload", *_place(self.folder)]

    @contextmanager
    def fault(self, name: str, text: str = "") -> Iterator[None]:
        """See `nginx_program`."""
        file = self.folder / name
        file.write_text(text)
        try:
            yield
        finally:
            file.unlink()

    @contextmanager
    def gone(self) -> Iterator[None]:
        """No master, no workers, until the block ends."""
        self.life.close()
        try:
            yield
        finally:
            self.server = self.life.enter_context(_master(self.folder))


@contextmanager
def nginx_double() -> Iterator[NginxDouble]:
    """All flags at 0 %, one block each."""
    with scratch("nginx-double") as folder, ExitStack() as life:
        (folder / "nginx.conf").write_text(_CONFIG)
        (folder / "split.conf").write_text(blocks(*FLAGS))
        yield NginxDouble(server=life.enter_context(_master(folder)), folder=folder, life=life)


def _master(folder: Path) -> AbstractContextManager[Server]:
    named = ["/bin/bash", "-c", 'exec -a "$0" "$@"', nginx_program.MASTER, *_PYTHON, *_place(folder)]
    return running("nginx", named, port=0, folder=folder, ready=(folder / "nginx.pid").exists)


def _place(folder: Path) -> list[str]:
    return ["-p", f"{folder}/", "-c", "nginx.conf"]
