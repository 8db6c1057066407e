"""A private sshd on a free loopback port, and a cockpit at the far end of a link to it."""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.conftest import ROOT, Stage
from tests.real.servers import free_port, listens, program, running, scratch

_RUN = Path("/run/sshd")
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/hostkey
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/pid
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
"""


@dataclass(frozen=True, slots=True)
class SshServer:
    port: int
    folder: Path
    client: str

    def command(self, stage: Stage, *words: str) -> list[str]:
        """An ssh client with a terminal at its far end, where the command runs on a stage."""
        return self.far(stage.command(*words), stage.env)

    def far(self, command: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """The same for any program."""
        variables = [f"{name}={value}" for name, value in env.items()]
        remote = shlex.join(["exec", "env", *variables, *command])
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": f"{self.folder}/known",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }
        return [
            *(self.client, "-F", "none", "-tt", "-p", str(self.port), "-i", f"{self.folder}/id"),
            *(f"-o{name}={value}" for name, value in options.items()),
            f"{getpass.getuser()}@127.0.0.1",
            f"cd {shlex.quote(str(ROOT))} && {remote}",
        ]


@contextmanager
def ssh_server() -> Iterator[SshServer]:
    """Skips (or fails, where nothing may be missing) without OpenSSH."""
    server, keygen, client = program("sshd", "/usr/sbin"), program("ssh-keygen"), program("ssh")
    if os.geteuid() == 0:
        _RUN.mkdir(exist_ok=True)  # where sshd wants to lock itself in before anybody has logged in
    with scratch("sshd") as folder:
        for name in ("hostkey", "id"):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        (folder / "authorized_keys").write_bytes((folder / "id.pub").read_bytes())
        port = free_port()
        config = folder / "sshd_config"
        config.write_text(_CONFIG.format(port=port, folder=folder))
        command = [server, "-D", "-e", "-f", str(config)]
        with running("sshd", command, port=port, folder=folder, ready=listens(port)):
            yield SshServer(port=port, folder=folder, client=client)
