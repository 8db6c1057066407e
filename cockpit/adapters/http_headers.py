"""The headers of requests: as they were said, as they leave, and what of them no answer may show again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from cockpit.adapters.base import AdapterError, RefusedByService
from cockpit.adapters.credentials import escaped
from cockpit.adapters.http_message import Unsendable
from cockpit.core.clean import clean_text
from cockpit.core.model import Failure, Fault
from cockpit.core.secret import REDACTED, Secret

_SHORTEST_BLANKED: Final = 6
_REDACTED: Final = REDACTED.encode()


class Wire(NamedTuple):
    """Headers as they leave. names: in lower case."""

    raw: Sequence[tuple[bytes, bytes]]
    names: frozenset[bytes]


class Headers:
    """What a host says with every request is made ready once. Shows nothing of it: there are secrets in it.

    said: values that are Secrets are credentials.
    """

    __slots__ = ("_forms", "_wire", "said")

    def __init__(self, said: Mapping[str, Secret | str]) -> None:
        self.said = said
        self._wire: Wire | None = None
        self._forms: tuple[bytes, ...] | None = None

    def also(self, more: Mapping[str, Secret | str]) -> Headers:
        """These and `more`, which win."""
        return Headers({**self.said, **more}) if more else self

    @property
    def credential(self) -> bool:
        return any(isinstance(value, Secret) for value in self.said.values())

    def wire(self, with_ours: Callable[[Mapping[str, str]], Mapping[str, str]]) -> Wire:
        """As they leave, with what every request says. Raises RefusedByService for a secret that no header
        can carry, Unsendable for a name that is none."""
        if self._wire is None:
            leaving = with_ours({name: _text(name, value) for name, value in self.said.items()})
            try:
                raw = tuple((name.encode("ascii"), leaving[name].encode("ascii")) for name in leaving)
            except UnicodeEncodeError:
                raise Unsendable("no name of a header") from None
            self._wire = Wire(raw, frozenset(name.lower() for name, _ in raw))
        return self._wire

    def blank(self, body: bytes) -> bytes:
        """Bytes without our own secrets, should the service echo them."""
        if self._forms is None:
            # The longest first: blanked after a part of itself, the rest of it would stay.
            self._forms = tuple(sorted(self._blanked(), key=len, reverse=True))
        for form in self._forms:
            body = body.replace(form, _REDACTED)
        return body

    def _blanked(self) -> set[bytes]:
        return {
            form.encode()
            for value in self.said.values()
            if isinstance(value, Secret)
            for part in value.reveal().split()
            if len(part) >= _SHORTEST_BLANKED
            for form in escaped(part)
        }


def _text(name: str, value: Secret | str) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    if text.isascii() and text.isprintable():
        return text
    raise _unsendable(name, secret=isinstance(value, Secret))


def _unsendable(name: str, *, secret: bool) -> AdapterError:
    """An error without the value: the library's own text would quote it."""
    title = f"the value for header {clean_text(name, limit=40)} holds characters that no header can carry"
    fault = Fault.CREDENTIAL if secret else Fault.PLAN
    return RefusedByService(Failure(title=title, retryable=False, fault=fault), sent=False)
