"""Web addresses that are secrets: whoever knows one can post. Texts show the host and four characters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult

from cockpit.adapters.base import RefusedByService
from cockpit.adapters.fields import split_url
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault
from cockpit.core.secret import Secret

if TYPE_CHECKING:
    from cockpit.adapters.http import HttpHost, Web

_MAX_BODY: Final = 64_000
_SHOWN: Final = 4
_SHORTEST_SHOWN: Final = 16


class SecretAddress:
    """One address to post to. `host` shows no path of it in any text."""

    def __init__(self, host: HttpHost, path: Secret) -> None:
        self.host = host
        self.path = path

    def __str__(self) -> str:
        """Host and last four characters of the address; all of a short path stays hidden."""
        path = self.path.reveal()
        tail = path[-_SHOWN:] if len(path) >= _SHORTEST_SHOWN else ""
        return f"{self.host.address}/…{clean_text(tail, limit=_SHOWN)}"


def open_address(url: Secret, web: Web, *, timeout_s: float, ca_file: str | None, what: str) -> SecretAddress:
    """Raises RefusedByService when the secret is not an address; nothing of it is shown."""
    parts = _split(url, what)
    host = web.host(
        f"{parts.scheme}://{parts.netloc}",
        timeout_s=timeout_s,
        max_body=_MAX_BODY,
        ca_file=ca_file,
        max_concurrent=1,
        secret_path=True,
    )
    return SecretAddress(host, Secret((parts.path or "/") + (f"?{parts.query}" if parts.query else "")))


def _split(url: Secret, what: str) -> SplitResult:
    try:
        return split_url(url.reveal().strip())
    except ValueError as error:
        failure = Failure(
            title=f"the secret for {what} is not an address",
            detail=clean_text(error),
            retryable=False,
            fault=Fault.CREDENTIAL,
        )
        raise RefusedByService(failure, sent=False) from None
