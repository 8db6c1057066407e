"""What a plan may say about a home-grown flag endpoint. Light on purpose: no network library is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Annotated, Final, Literal

from cockpit.adapters.base import Settings
from cockpit.adapters.fields import BaseUrl, HeaderName, Headers, JsonScalar, Pointer, Reference
from cockpit.core.clean import FULL, Percent
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After, JsonValue

KEY: Final = "{key}"
PERCENT: Final = "{percent}"
ON: Final = "{on}"
REVISION: Final = "{revision}"
PLACEHOLDERS: Final = (KEY, PERCENT, ON, REVISION)
UNITS: Final = {"percent": 100, "fraction": 1, "basis_points": 10_000}
"""What a service calls everybody."""


class Guard(StrEnum):
    """What keeps a write from overwriting what somebody else wrote in the meantime."""

    ETAG = "etag"
    VERSION = "version"
    NONE = "none"


def _path(path: str) -> str:
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or set(path) & set(' #"<>\\'):
        raise ValueError("a path starts with / and is plain ASCII, such as /flags/{key}")
    if "{" in path.replace(KEY, "") or "}" in path.replace(KEY, ""):
        raise ValueError("a path knows one placeholder, {key}")
    return path


def _path_of_one(path: str) -> str:
    if KEY not in _path(path):
        raise ValueError("the path of one flag holds {key}, such as /flags/{key}")
    return path


def _template(body: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """A placeholder is a whole text: it stands for a value with its type and is never pasted into text."""
    for text in texts(body):
        if text not in PLACEHOLDERS and any(each in text for each in PLACEHOLDERS):
            raise ValueError('a placeholder stands alone, such as percent = "{percent}"')
    return body


def _step(step: float) -> float:
    finest = Percent.parse(step)
    if not finest.hundredths or 10_000 % finest.hundredths:
        raise ValueError("the step goes into 100 without a rest, such as 1, 0.5 or 5")
    return step


def texts(value: object) -> Iterator[str]:
    """Every text value inside a JSON value; names of fields do not count."""
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for each in inner:
        yield from texts(each)


Path = Annotated[str, After(_path)]
PathOfOne = Annotated[str, After(_path_of_one)]
Body = Annotated[Mapping[str, JsonValue], After(_template)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFlag(Settings):
    """Where one flag is read, and where in the answer its parts stand (JSON Pointer, RFC 6901)."""

    path: PathOfOne
    """Such as "/flags/{key}"."""
    percent: Pointer | None = None
    """The percentage. Without it a flag is on or off, and only 0 and 100 % can be asked."""
    on: Pointer | None = None
    """The switch, true or false. Without it a flag is always on."""
    revision: Pointer | None = None
    """A number or text that changes with every write."""
    changed_by: Pointer | None = None
    """Who wrote last."""
    changed_at: Pointer | None = None
    """When: ISO 8601 with a zone, or seconds or milliseconds since 1970."""
    key: Pointer | None = None
    """Where the answer says which flag it is about; another one is refused."""
    expect: Mapping[Pointer, JsonScalar] = field(default_factory=dict)
    """What the answer must say besides, such as { "/environment" = "production" }."""

    def __post_init__(self) -> None:
        if self.percent is None and self.on is None:
            raise ValueError("percent or on is needed: there would be nothing to read")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAll(Settings):
    """One request for all flags. Their parts stand where `read` says, inside each flag."""

    path: Path
    """Such as "/flags"."""
    flags: Pointer = ""
    """Where the flags stand: an object by key, or a list."""
    key: Pointer | None = None
    """Where a flag in a list says its key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRights(Settings):
    """Where the service tells what the write token may do, such as a page about who asks."""

    path: Path
    """Such as "/me"."""
    at: Pointer
    """Where in the answer: true or false, or with `needs` a list of rights or a text such as "read write"."""
    needs: str | None = None
    """The right that a write takes, such as "flags:write"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFlag(Settings):
    """How one flag is written. In its body "{percent}", "{on}", "{revision}" and "{key}" stand for values
    with their type.
    """

    path: PathOfOne
    method: Literal["PUT", "PATCH", "POST"] = "PUT"
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpJsonSettings(Settings):
    """A home-grown flag endpoint that speaks JSON over HTTP."""

    url: BaseUrl
    """Such as "https://flags.internal.example.com"."""
    token: Reference | None = None
    """Sent with every read."""
    write_token: Reference | None = None
    """Sent with every write and the reads around it. Without it the cockpit only watches."""
    token_header: HeaderName = "Authorization"
    """Authorization carries it as a Bearer token, any other header as it is."""
    headers: Headers = field(default_factory=dict)
    """Sent with everything; a secret value comes by reference."""
    ca_file: str | None = None
    """Trust this PEM file alone instead of the usual authorities."""
    read: ReadFlag
    """How one flag is read."""
    read_all: ReadAll | None = None
    """How all are read with one request. A write looks at its flag alone all the same."""
    write: WriteFlag | None = None
    """How a flag is written; needed with write_token."""
    rights: ReadRights | None = None
    """Where the service tells whether the write token may write. Without it `check` leaves that open."""
    kill: WriteFlag | None = None
    """How a flag is switched off at once, unguarded. Without it: percent 0 and off, by `write`."""
    guard: Guard = Guard.NONE
    """etag: If-Match with the ETag of the read before. version: "{revision}" in the body. none: the last
    one wins."""
    unit: Literal["percent", "fraction", "basis_points"] = "percent"
    """What the service calls everybody: 100, 1 or 10000."""
    step: Annotated[float, After(_step)] = 0.01
    """The finest percentage that the service can serve; anything between is refused, not rounded."""

    @property
    def everybody(self) -> int:
        return UNITS[self.unit]

    @property
    def finest(self) -> Percent:
        return FULL if self.read.percent is None else Percent.parse(self.step)

    def __post_init__(self) -> None:
        for wrong, words in self._misfits():
            if wrong:
                raise ValueError(words)

    def _misfits(self) -> Iterator[tuple[bool, str]]:
        read, write = self.read, self.write
        written = set(texts(write.body)) if write else set()
        killed = set(texts(self.kill.body)) if self.kill else set()
        yield self.write_token is not None and write is None, "write_token needs write: how is it written?"
        if write is not None and read.percent is not None:
            yield PERCENT not in written, 'the body of write has no "{percent}" to change the percentage with'
        if write is not None and read.percent is None:
            yield ON not in written, 'the body of write has no "{on}" to switch the flag with'
            yield PERCENT in written, "write changes a percentage, and read does not look: add read.percent"
        yield read.on is None and ON in written, "write switches, and read does not look: add read.on"
        yield REVISION in killed, 'a kill is unguarded: no "{revision}" in its body'
        by_version = self.guard is Guard.VERSION
        if by_version and write is not None:
            yield REVISION not in written, 'guard = "version" needs "{revision}" in the body of write'
        yield by_version and read.revision is None, 'guard = "version" needs read.revision'
        yield (
            REVISION in written and not by_version,
            '"{revision}" in the body of write is a guard: say guard = "version"',
        )
