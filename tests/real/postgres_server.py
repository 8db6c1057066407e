"""Private PostgreSQL clusters on free loopback ports: a primary, a replica of it, a pooler before it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.servers import Server, free_port, listens, program, running, scratch

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
GUARDED = "guarded"
"""The one role that needs a password."""
_DOORS = f"""\
local all all trust
host all {GUARDED} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The files of a cluster; it runs while `running` says so, as often as wanted."""

    folder: Path
    port: int
    user: str | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def dsn(self, user: str = "postgres", password: str = "") -> str:
        secret = f":{password}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/postgres"

    @contextmanager
    def running(self) -> Iterator[Server]:
        argv = [
            program("postgres", *FOLDERS),
            "-D",
            str(self.data),
            "-p",
            str(self.port),
            "-k",
            str(self.folder),
        ]
        for option in (
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
        ):
            argv += ["-c", option]
        ready = [program("pg_isready", *FOLDERS), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        with running(
            "postgres",
            argv,
            port=self.port,
            folder=self.folder,
            user=self.user,
            stop_with=signal.SIGINT,
            ready=lambda: subprocess.run(ready, check=False).returncode == 0,
        ) as started:
            yield started

    @contextmanager
    def replica(self) -> Iterator[Cluster]:
        """A copy that follows this cluster, which has to run."""
        with scratch("replica", owner=self.user) as folder:
            copy = Cluster(folder=folder, port=free_port(), user=self.user)
            self._call(
                "pg_basebackup", "-d", self.dsn(), "-D", str(copy.data), "-R", "-c", "fast", "--no-sync"
            )
            copy.data.chmod(0o700)
            yield copy

    def _call(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [program(name, *FOLDERS), *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            user=self.user,
            group=self.user,
        )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A fresh cluster that forgets everything at the end. Never runs as root."""
    user = "postgres" if os.geteuid() == 0 else None
    initdb = program("initdb", *FOLDERS)
    with scratch("postgres", owner=user) as folder:
        made = Cluster(folder=folder, port=free_port(), user=user)
        options = ("-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        made._call(initdb, "-D", str(made.data), *options)
        (made.data / "pg_hba.conf").write_text(_DOORS)
        yield made


@contextmanager
def postgres() -> Iterator[Server]:
    """A fresh cluster that runs."""
    with cluster() as made, made.running() as server:
        yield server


@contextmanager
def pooler(behind: Cluster) -> Iterator[Cluster]:
    """pgbouncer in transaction mode before a cluster; its admin console is the database `pgbouncer`."""
    argv = [program("pgbouncer", "/usr/sbin"), "pgbouncer.ini"]
    with scratch("pgbouncer", owner=behind.user) as folder:
        port = free_port()
        (folder / "users").write_text('"postgres" ""\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={behind.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nauth_type = trust\nauth_file = users\nadmin_users = postgres\n"
            f"pool_mode = transaction\nunix_socket_dir = {folder}\n"
        )
        with running("pgbouncer", argv, port=port, folder=folder, user=behind.user, ready=listens(port)):
            yield Cluster(folder=folder, port=port, user=behind.user)
