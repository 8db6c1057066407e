"""Where a request goes: taken apart once for a host, and not again for each of its paths.

To take an address apart costs as much as sending the request. A path of nothing but characters
that stay as they are is put behind the host as it is; every other one goes the long way, which encodes what
has to be.
"""

from __future__ import annotations

import re
from typing import Final

from cockpit.adapters.http_trouble import host_port
from cockpit.adapters.url import InvalidUrl, Url
from cockpit.core.clean import clean_text

_AS_IT_IS: Final = re.compile(
    r"(?:/(?!\.)(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-F]{2})*)+"
    r"(?:\?(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})*)?",
    re.ASCII,
)


class Address:
    """target: path and query as they leave. netloc: what the header Host says."""

    __slots__ = ("_shown", "_url", "host", "host_port", "netloc", "port", "scheme", "target")

    def __init__(self, url: Url) -> None:
        self._url: Url | None = url
        self._shown = ""
        self.scheme = url.scheme
        self.host = url.host
        self.port = url.port or (443 if url.scheme == "https" else 80)
        self.netloc = url.netloc.encode()
        self.host_port = host_port(url)
        self.target = url.target.encode()

    def at(self, path: str) -> Address:
        """The same host's `path`. Raises InvalidUrl."""
        if not path.isascii():
            raise InvalidUrl("letters that were not escaped")
        if not _AS_IT_IS.fullmatch(path):
            return Address(self.url.with_target(path))
        made: Address = object.__new__(Address)
        made._url, made._shown = None, ""
        made.scheme, made.host, made.port = self.scheme, self.host, self.port
        made.netloc, made.host_port, made.target = self.netloc, self.host_port, path.encode("ascii")
        return made

    @property
    def url(self) -> Url:
        if self._url is None:
            authority = self.netloc.decode("ascii")
            self._url = Url.parse(f"{self.scheme}://{authority}{self.target.decode('ascii')}")
        return self._url

    @property
    def shown(self) -> str:
        """Without query, safe to print."""
        if not self._shown:
            path = self.target.split(b"?", 1)[0].decode("ascii", "replace")
            self._shown = clean_text(f"{self.scheme}://{self.host_port}{path}", limit=160)
        return self._shown
