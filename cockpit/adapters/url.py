"""Addresses of http and https, taken apart and put together as httpx does it (RFC 3986), without loading it.

A property test holds the two to the same answers. What is no address raises InvalidUrl; nothing is repaired
but what is meant the same: letters of scheme and host become small ones, characters that no address may
hold are escaped, `.` and `..` are resolved, and a port that the scheme implies is left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, Self
from urllib.parse import urlencode, urljoin

from cockpit.core.dataclass import dataclass, replace

Params = Mapping[str, str] | Sequence[tuple[str, str]]

_LONGEST: Final = 65536
_PARTS: Final = re.compile(
    r"(?:(?P<scheme>(?:[a-zA-Z][a-zA-Z0-9+.-]*)?):)?(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)
_AUTHORITY: Final = re.compile(r"(?:(?P<userinfo>.*)@)?(?P<host>\[.*\]|[^:@]*):?(?P<port>.*)", re.DOTALL)
_DOTTED: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_IMPLIED: Final = {"ftp": 21, "http": 80, "https": 443, "ws": 80, "wss": 443}
_ESCAPED: Final = re.compile("(%[A-Fa-f0-9]{2})")

# What stands in each part as it is (https://url.spec.whatwg.org/#percent-encoded-bytes).
_IN_FRAGMENT: Final = frozenset(map(chr, range(0x20, 0x7F))) - frozenset(' "<>`')
_IN_QUERY: Final = frozenset(map(chr, range(0x20, 0x7F))) - frozenset(' "#<>')
_IN_PATH: Final = _IN_QUERY - frozenset("?`{}")
_IN_USERINFO: Final = _IN_PATH - frozenset("/;=@[\\]^|")
_IN_HOST: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") | frozenset(
    "-._~!$&'()*+,;=\"`{}%|\\"
)


class InvalidUrl(ValueError):
    """No address; its text quotes nothing, because an address may hold a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """Its parts, escaped. host: as it is looked up, an IPv6 address without brackets. port: None where the
    scheme implies it. query, fragment: None where there is not even the sign before it.
    """

    scheme: str = ""
    userinfo: str = ""
    host: str = ""
    port: int | None = None
    path: str = ""
    query: str | None = None
    fragment: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidUrl."""
        _no_controls(text)
        found = _PARTS.fullmatch(text)
        if found is None:
            raise InvalidUrl("no address")
        authority = _AUTHORITY.fullmatch(found["authority"] or "")
        if authority is None:
            raise InvalidUrl("no host")
        scheme = found["scheme"] or ""
        userinfo = _escaped(authority["userinfo"] or "", _IN_USERINFO)
        host, port = _host(authority["host"]), _port(authority["port"], scheme)
        has_authority = bool(userinfo or host or port is not None)
        return cls(
            scheme=scheme.lower(),
            userinfo=userinfo,
            host=host,
            port=port,
            path=_path(found["path"], has_scheme=bool(scheme), has_authority=has_authority),
            query=None if found["query"] is None else _escaped(found["query"], _IN_QUERY),
            fragment=None if found["fragment"] is None else _escaped(found["fragment"], _IN_FRAGMENT),
        )

    @property
    def shown_host(self) -> str:
        """The host for people: a name in their own letters. Raises UnicodeError for one that has none."""
        if not self.host.startswith("xn--"):
            return self.host
        import idna  # few names need it, and its tables are large

        return idna.decode(self.host)

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """Path and query, as a request names them."""
        path = self.path or "/"
        return path if self.query is None else f"{path}?{self.query}"

    def with_target(self, target: str) -> Url:
        """Another path and query at the same place. Raises InvalidUrl."""
        _no_controls(target)
        path, asks, query = target.partition("?")
        if "#" in target:
            raise InvalidUrl("a fragment in a path")
        has_authority = bool(self.userinfo or self.host or self.port is not None)
        return replace(
            self,
            path=_path(path, has_scheme=bool(self.scheme), has_authority=has_authority),
            query=_escaped(query, _IN_QUERY) if asks else None,
        )

    def with_params(self, params: Params) -> Url:
        """With these for its query, and no other; none at all for no query."""
        pairs = list(params.items()) if isinstance(params, Mapping) else list(params)
        return replace(self, query=_escaped(urlencode(pairs), _IN_QUERY) if pairs else None)

    def join(self, reference: str) -> Url:
        """Where a reference leads from here. Raises InvalidUrl, ValueError."""
        return Url.parse(urljoin(str(self), str(Url.parse(reference))))

    def __str__(self) -> str:
        authority = f"{self.userinfo}@{self.netloc}" if self.userinfo else self.netloc
        return "".join(
            (
                f"{self.scheme}:" if self.scheme else "",
                f"//{authority}" if authority else "",
                self.path,
                "" if self.query is None else f"?{self.query}",
                "" if self.fragment is None else f"#{self.fragment}",
            )
        )


def _no_controls(text: str) -> None:
    if len(text) > _LONGEST:
        raise InvalidUrl("too long")
    if any(char < " " or char == "\x7f" for char in text):
        raise InvalidUrl("a control character")


def _host(text: str) -> str:
    try:
        if _DOTTED.fullmatch(text):
            return str(IPv4Address(text))
        if text.startswith("[") and text.endswith("]"):
            IPv6Address(text[1:-1])
            return text[1:-1]
    except AddressValueError:
        raise InvalidUrl("no IP address") from None
    if text.isascii():
        return _escaped(text.lower(), _IN_HOST)
    import idna  # few names need it, and its tables are large

    try:
        return idna.encode(text.lower()).decode("ascii")
    except idna.IDNAError:
        raise InvalidUrl("no host name") from None


def _port(text: str, scheme: str) -> int | None:
    if not text:
        return None
    try:
        port = int(text)
    except ValueError:
        raise InvalidUrl("no port") from None
    return None if port == _IMPLIED.get(scheme) else port


def _path(text: str, *, has_scheme: bool, has_authority: bool) -> str:
    if has_authority and text and not text.startswith("/"):
        raise InvalidUrl("a path without a slash")
    if not has_scheme and not has_authority and text.startswith(("//", ":")):
        raise InvalidUrl("no relative path")
    return _escaped(_resolved(text) if has_scheme or has_authority else text, _IN_PATH)


def _resolved(path: str) -> str:
    """Without `.` and `..` (RFC 3986, section 5.2.4)."""
    steps = path.split("/")
    if "." not in steps and ".." not in steps:
        return path
    taken: list[str] = []
    for step in steps:
        if step == "..":
            if taken and taken != [""]:
                taken.pop()
        elif step != ".":
            taken.append(step)
    return "/".join(taken)


def _escaped(text: str, safe: frozenset[str]) -> str:
    """What is escaped already stays so."""
    if safe.issuperset(text) and "%" not in text:
        return text
    return "".join(
        part if number % 2 else "".join(char if char in safe else _percent(char) for char in part)
        for number, part in enumerate(_ESCAPED.split(text))
    )


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())
