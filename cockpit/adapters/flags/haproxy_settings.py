"""What a plan may say about HAProxy as a lever."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from cockpit.adapters.base import Settings
from cockpit.adapters.flags.haproxy_socket import SocketAddress
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name in HAProxy is letters, digits and . _ : -")
    return name


Name = Annotated[str, After(_name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HaproxySettings(Settings):
    """One HAProxy process, asked on its runtime socket. The key of a flag is the name of a backend."""

    socket: SocketAddress
    """For reading: a path such as "/run/haproxy/admin.sock" or a loopback address; level user will do."""
    write_socket: SocketAddress | None = None
    """For writing: a socket of level admin, which may be the same one. Without it the cockpit only reads."""
    legacy: Name = "legacy"
    """The name of the server that is the legacy side."""
    new: Name = "new"
    """The name of the server that is the new side."""
    kill_state: Literal["ready", "drain", "maint"] = "ready"
    """What a rollback makes of the new server beside weight 0. Weight 0 and drain leave users there who
    are bound by a cookie or a stick table; maint takes them off too, and stops its health checks."""
