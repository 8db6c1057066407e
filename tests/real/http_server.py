"""A real HTTP service (uvicorn), plain or with TLS and a certificate of our own making."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.real.servers import Server, answers, free_port, listens, program, running, scratch

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Service:
    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    def make(self, *, sick: bool) -> None:
        url = f"{self.url}/make/{'sick' if sick else 'well'}"
        httpx.post(url, timeout=10, trust_env=False).raise_for_status()


@contextmanager
def service() -> Iterator[Service]:
    port = free_port()
    with (
        scratch("service") as folder,
        running(
            "service",
            _uvicorn(port),
            port=port,
            folder=folder,
            env={"PYTHONPATH": str(ROOT)},
            ready=answers(f"http://127.0.0.1:{port}/health"),
        ) as server,
    ):
        yield Service(server)


@dataclass(frozen=True, slots=True)
class Secured:
    """`ca_file` is the authority that signed the server's certificate."""

    url: str
    ca_file: str


@contextmanager
def secured_service(*, days: int) -> Iterator[Secured]:
    """The service with TLS; its certificate is good for `days` more days (0: it ends at once)."""
    port = free_port()
    with scratch("tls") as folder:
        make_certificates(folder, days=days)
        argv = [*_uvicorn(port), "--ssl-keyfile", "server.key", "--ssl-certfile", "server.pem"]
        environment = {"PYTHONPATH": str(ROOT)}
        with running("tls", argv, port=port, folder=folder, env=environment, ready=listens(port)):
            yield Secured(url=f"https://127.0.0.1:{port}", ca_file=str(folder / "ca.pem"))


def make_certificates(folder: Path, *, days: int) -> None:
    """ca.pem, and server.key with server.pem for 127.0.0.1, signed by it."""
    openssl = program("openssl")

    def call(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    (folder / "server.ext").write_text("subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    call(
        "req",
        "-x509",
        *curve,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-days",
        "3650",
        "-subj",
        "/CN=cockpit test CA",
    )
    call("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.ext")
    call("x509", "-req", "-in", "server.csr", *signing, "-out", "server.pem", "-days", str(days))


def _uvicorn(port: int) -> list[str]:
    return [
        sys.executable, "-m", "uvicorn", "tests.real.http_app:app",
        "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
