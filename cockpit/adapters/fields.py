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

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from cockpit.adapters.pointer import Scalar, split_pointer
from cockpit.core.secret import SecretRef

_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "apikey"})
_REFERENCE_KEYS: Final = frozenset({"env", "file", "command"})
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")


def read_reference(raw: object) -> SecretRef:
    """A `SecretRef` from a TOML table. A plain string is refused without repeating it."""
    if isinstance(raw, SecretRef):
        return raw
    if not isinstance(raw, Mapping):
        raise ValueError(
            'a secret is never written here: use { env = "NAME" }, { file = "path" } or { command = [...] }'
        )
    if len(raw) != 1 or not set(raw) <= _REFERENCE_KEYS:
        raise ValueError("a secret is a table with exactly one of env, file, command")
    ((key, value),) = raw.items()
    if key == "command":
        if (
            not isinstance(value, list | tuple)
            or not value
            or not all(isinstance(part, str) for part in value)
        ):
            raise ValueError('command is a list of text such as ["pass", "show", "unleash"]')
        return SecretRef(command=tuple(value))
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is text")
    return SecretRef(env=value) if key == "env" else SecretRef(file=value)


def split_url(url: str) -> SplitResult:
    """The parts of an http(s) address. Raises ValueError; the text never repeats the address."""
    if not url.isascii() or any(char <= " " or char == "\x7f" for char in url):
        raise ValueError("an address is plain ASCII without spaces")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address starts with http:// or https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("no user or password in an address: use token")
    if parts.port == 0:
        raise ValueError("port 0 is no port")
    return parts


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


Reference = Annotated[SecretRef, BeforeValidator(read_reference)]
Url = Annotated[str, AfterValidator(_plain_url)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
Variable = Annotated[str, AfterValidator(_variable)]
Argument = Annotated[str, AfterValidator(_argument)]
Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, Field(ge=1, le=65535)]
Headers = Annotated[Mapping[HeaderName, HeaderValue | Reference], AfterValidator(_headers)]
Pointer = Annotated[str, AfterValidator(_pointer)]
JsonScalar = Annotated[Scalar, PlainValidator(_scalar, json_schema_input_type=Scalar)]
