"""What Alertmanager's API v2 has in common wherever we ask it: matchers, and how it says no.

Source: prometheus/alertmanager, api/v2/openapi.yaml; tried against Alertmanager 0.25.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final

from cockpit.adapters.base import BrokenAnswer, Settings
from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.tables import After, Size

if TYPE_CHECKING:
    from cockpit.adapters.http import Answer

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,199}\Z")
_OPERATORS: Final = {(False, False): "=", (False, True): "!=", (True, False): "=~", (True, True): "!~"}


def _label(name: str) -> str:
    if not _LABEL.match(name):
        raise ValueError('a label is named like "alertname"')
    return name


Label = Annotated[str, After(_label)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher(Settings):
    """One condition on an alert's labels; several hold when all of them do."""

    label: Label
    """The label's name."""
    value: Annotated[str, Size(1, 500)]
    """What it must be, or the regular expression that must match all of it."""
    regex: bool = False
    """Whether `value` is a regular expression."""
    negate: bool = False
    """True is for alerts whose label is anything else."""

    @property
    def is_plain(self) -> bool:
        """Whether it names one value."""
        return not self.regex and not self.negate

    @property
    def narrows(self) -> bool:
        """Whether an alert without this label fails it. What nobody can read is judged by Alertmanager."""
        if self.negate or self.value in (".+", "..*"):
            return False
        try:
            return not self.regex or re.fullmatch(self.value, "") is None
        except re.error:
            return True

    def body(self) -> dict[str, object]:
        """As Alertmanager writes it."""
        return {"name": self.label, "value": self.value, "isRegex": self.regex, "isEqual": not self.negate}

    def as_filter(self) -> str:
        """As its `filter` parameter wants it."""
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.label}{_OPERATORS[self.regex, self.negate]}"{escaped}"'


def said(answer: Answer) -> str:
    """Why it refused, in clean words: a bare JSON string, or an object with a message."""
    try:
        body = answer.json()
    except BrokenAnswer:
        return ""
    words = body.get("message") if isinstance(body, dict) else body
    return clean_text(words, limit=120) if isinstance(words, str) else ""
