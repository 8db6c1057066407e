"""Field types that settings classes share: secrets by reference, addresses, header names.

A settings class is what the plan's TOML is checked against, so every refusal here is a sentence that
an engineer reads beside a line number.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from cockpit.adapters.pointer import Scalar, split_pointer
from cockpit.core.secret import SecretRef
from cockpit.core.tables import After, Before, Bound

_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "apikey"})
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")


def split_url(url: str) -> SplitResult:
    """The parts of an http(s) address. Raises ValueError; the text never repeats the address."""
    if not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise ValueError("an address is plain ASCII without spaces")
    parts = _split(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address starts with http:// or https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user or password in an address: use token")
    if _port(parts) == 0:
        raise ValueError("port 0 is no port")
    return parts


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("the host of an address is a name, or an address in brackets") from None


def _port(parts: SplitResult) -> int | None:
    """The standard library would repeat what stands in the port's place: a password without a user."""
    try:
        return parts.port
    except ValueError:
        raise ValueError("the port of an address is a number from 1 to 65535") from None


def _plain_url(url: str) -> str:
    if split_url(url).fragment:
        raise ValueError("no #fragment in an address")
    return url


def _base_url(url: str) -> str:
    if split_url(_plain_url(url)).query:
        raise ValueError("no ?query in the address of a service")
    return url.rstrip("/")


def _header_name(name: str) -> str:
    if not _HEADER_NAME.match(name):
        raise ValueError("not a header name")
    return name


def _header_value(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("a header value is printable ASCII")
    return value


def _variable(name: str) -> str:
    if not _VARIABLE.match(name):
        raise ValueError("not the name of an environment variable")
    return name


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("an argument holds no NUL")
    return text


def _host(name: str) -> str:
    if not _HOST.match(name) and not _is_address(name):
        raise ValueError('a host is a name or an address, without port or scheme, such as "db.example.com"')
    return name


def needs_extra(module: str, extra: str) -> None:
    """Raises ValueError, with the remedy, when the library that a kind needs is not installed."""
    if find_spec(module) is None:
        raise ValueError(f"this kind needs a library: pip install 'cutover-cockpit[{extra}]'")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _pointer(pointer: str) -> str:
    split_pointer(pointer)
    return pointer


def _scalar(raw: object) -> Scalar:
    if isinstance(raw, float) and not math.isfinite(raw):
        raise ValueError("JSON knows no such number")
    if not isinstance(raw, Scalar):
        raise ValueError("a text, a number, true or false")
    return raw


def _headers(headers: Mapping[str, object]) -> Mapping[str, object]:
    for name, value in headers.items():
        if isinstance(value, str) and name.lower() in _SECRET_HEADERS:
            raise ValueError(f'{name} holds a secret: give it by reference, such as {{ env = "NAME" }}')
    return headers


Reference = SecretRef
"""A secret is never written in a plan: the plan reads where it is to be found."""
Url = Annotated[str, After(_plain_url)]
BaseUrl = Annotated[str, After(_base_url)]
HeaderName = Annotated[str, After(_header_name)]
HeaderValue = Annotated[str, After(_header_value)]
Variable = Annotated[str, After(_variable)]
Argument = Annotated[str, After(_argument)]
Host = Annotated[str, After(_host)]
Port = Annotated[int, Bound(ge=1, le=65535)]
Headers = Annotated[Mapping[HeaderName, HeaderValue | Reference], After(_headers)]
Pointer = Annotated[str, After(_pointer)]
JsonScalar = Annotated[Scalar, Before(_scalar)]
