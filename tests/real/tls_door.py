"""A real nginx with TLS before a plain HTTP service; its log says what was spoken, on which connection."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.http_server import make_certificates
from tests.real.servers import Server, free_port, listens, program, running, scratch

_CONFIG = """
daemon off; pid nginx.pid; error_log error.log; worker_processes 1;
events {{ worker_connections 256; }}
http {{
  log_format spoken '$connection $server_protocol $status $request_method $uri';
  access_log access.log spoken;
  client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  ssl_certificate {certificates}/server.pem; ssl_certificate_key {certificates}/server.key;
  server {{
    listen 127.0.0.1:{port} ssl{http2};
    {more}
    location / {{ proxy_pass {target}; proxy_set_header Host $http_host; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One request that nginx has answered. connection: its number of the connection."""

    connection: str
    protocol: str
    status: int
    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsDoor:
    """A running nginx. `ca_file` has signed its certificate."""

    server: Server
    folder: Path
    ca_file: str

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.port}"

    def lines(self) -> list[Line]:
        found = []
        for text in (self.folder / "access.log").read_text().splitlines():
            connection, protocol, status, method, path = text.split()
            found.append(
                Line(connection=connection, protocol=protocol, status=int(status), method=method, path=path)
            )
        return found

    def writes(self) -> list[Line]:
        return [line for line in self.lines() if line.method not in ("GET", "HEAD")]

    def reload(self) -> None:
        """As `systemctl reload nginx`; returns once a new worker is there, while an old one may be busy."""
        before = self._workers()
        self.server.process.send_signal(signal.SIGHUP)
        self.server.wait_until(lambda: bool(self._workers() - before), "reloaded")

    def _workers(self) -> set[str]:
        pid = self.server.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


@contextmanager
def tls_door(
    target: str, certificates: Path, *, http2: bool = True, more: str = "", port: int | None = None
) -> Iterator[TlsDoor]:
    """nginx before `target`. more: directives of its server. port: the one of a door that is gone."""
    binary = program("nginx", "/usr/sbin")
    port = port or free_port()
    if not (certificates / "ca.pem").exists():
        make_certificates(certificates, days=30)
    with scratch("tls-door") as folder:
        spoken = " http2" if http2 else ""
        config = _CONFIG.format(port=port, http2=spoken, more=more, target=target, certificates=certificates)
        (folder / "nginx.conf").write_text(config)
        argv = [binary, "-p", f"{folder}/", "-c", "nginx.conf", "-e", "error.log"]
        with running("tls-door", argv, port=port, folder=folder, ready=listens(port)) as server:
            yield TlsDoor(server=server, folder=folder, ca_file=str(certificates / "ca.pem"))
