"""A private nginx that answers each address with the side that its split gives to `?id=`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.real.servers import Server, answers, free_port, program, running, scratch

FLAGS = tuple(f"flag{number}" for number in range(16))
_CONFIG = """
daemon off; pid nginx.pid; error_log error.log; worker_processes 2;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u;
  scgi_temp_path s;
  include split.conf;
  server {{ listen 127.0.0.1:{port};
{locations}
  }}
}}
"""
_LOCATION = "    location = /{name} {{ return 200 ${name}; }}"
_BLOCK = 'split_clients "$arg_id" ${name} {{\n    * legacy;\n}}\n'


@dataclass(slots=True, kw_only=True)
class Splitter:
    """What runs with a split file, past our adapter."""

    server: Server
    folder: Path

    @property
    def split(self) -> Path:
        return self.folder / "split.conf"

    @property
    def pid_file(self) -> Path:
        return self.folder / "nginx.pid"

    @property
    def test(self) -> list[str]:
        raise NotImplementedError

    def write(self, text: str) -> None:
        """What an editor does: the file is there at once, nginx knows nothing of it."""
        self.split.write_text(text)

    def reload(self) -> None:
        """What an operator's `systemctl reload nginx` does; returns once all workers are new ones."""
        before = set(self.workers())
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_until(lambda: bool(now := set(self.workers())) and not now & before, "reloaded")

    def workers(self) -> list[str]:
        """Their process ids."""
        pid = self.server.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@dataclass(slots=True, kw_only=True)
class Nginx(Splitter):
    """A running nginx."""

    binary: str

    @property
    def test(self) -> list[str]:
        return [self.binary, "-t", "-p", f"{self.folder}/", "-c", "nginx.conf", "-e", "error.log"]

    def served(self, flag: str, users: int = 400) -> int:
        """How many of so many users are on the new side."""
        with httpx.Client(base_url=self.server.url, trust_env=False, timeout=5) as client:
            return sum(client.get(f"/{flag}?id=user{number}").text == "new" for number in range(users))


def blocks(*names: str) -> str:
    return "".join(_BLOCK.format(name=name) for name in names)


@contextmanager
def nginx() -> Iterator[Nginx]:
    """All flags at 0 %, one block each."""
    binary = program("nginx", "/usr/sbin")
    port = free_port()
    with scratch("nginx") as folder:
        locations = "\n".join(_LOCATION.format(name=name) for name in FLAGS)
        (folder / "nginx.conf").write_text(_CONFIG.format(port=port, locations=locations))
        (folder / "split.conf").write_text(blocks(*FLAGS))
        argv = [binary, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"]
        ready = answers(f"http://127.0.0.1:{port}/{FLAGS[0]}")
        with running("nginx", argv, port=port, folder=folder, ready=ready) as server:
            yield Nginx(server=server, folder=folder, binary=binary)
