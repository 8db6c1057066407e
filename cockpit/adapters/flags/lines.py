"""Lines of `cockpit check` that every lever has."""

from __future__ import annotations

from cockpit.adapters.base import AdapterError, Preflight, RefusedByService
from cockpit.adapters.flags.outcome import words
from cockpit.core.agreement import setting_words
from cockpit.core.clean import ZERO
from cockpit.core.model import FlagValue


def trouble_line(subject: str, question: str, error: AdapterError) -> Preflight:
    """A no is a no; anything else means that nobody could find out."""
    ok = False if isinstance(error, RefusedByService) else None
    return Preflight(subject=subject, question=question, ok=ok, detail=words(error))


def flag_lines(key: str, found: FlagValue | AdapterError) -> list[Preflight]:
    """Whether the flag can be read, is plain, and hides no percentage behind its switch."""
    if isinstance(found, AdapterError):
        return [trouble_line(key, "it can be read", found)]
    plain = "; ".join(found.complexities) or f"it reads {setting_words(found)}"
    lines = [Preflight(subject=key, question="one plain percentage", ok=not found.complexities, detail=plain)]
    if not found.on and found.percent not in (None, ZERO):
        detail = f"whoever switches it on exposes {found.percent} at once"
        lines.append(Preflight(subject=key, question="nothing stored while off", ok=False, detail=detail))
    return lines
