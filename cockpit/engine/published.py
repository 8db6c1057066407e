"""The snapshot as bytes, for those who only look on.

Reading and writing are exact inverses of each other. The format carries its number: an observer of another
version says so instead of showing half a picture. Fields that a newer driver has added are passed over; a
field that is missing or of another kind is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cockpit.core.clean import clean_text
from cockpit.core.dataclass import dataclass
from cockpit.core.rollback import Flip
from cockpit.core.snapshot import FlagStatus, ProbeStatus, SignalStatus, Snapshot
from cockpit.engine.parsing import Misfit, parsed, read

if TYPE_CHECKING:
    from cockpit.engine.spelling import Speller

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    format: int = FORMAT
    snapshot: Snapshot


class SnapshotTrouble(Exception):
    """Published bytes that cannot be shown. `title` and `detail` are clean text."""

    def __init__(self, title: str, detail: str) -> None:
        super().__init__(f"{title}: {detail}")
        self.title = title
        self.detail = detail


def speller() -> Speller:
    """Writes one `Envelope` after the other. Who only reads, and ends, loads nothing that writes."""
    from cockpit.engine.spelling import Speller

    return Speller(Envelope, parts=(ProbeStatus, FlagStatus, SignalStatus, Flip))


def encode(snapshot: Snapshot) -> bytes:
    """One by itself."""
    return speller().spell(Envelope(snapshot=snapshot))


def decode(published: bytes) -> Snapshot:
    """Raises SnapshotTrouble for bytes that are no snapshot, or one of another format."""
    try:
        envelope: Any = parsed(published)
        found = envelope["format"]
    except (ValueError, KeyError, TypeError):
        raise _damaged() from None
    if type(found) is not int:
        raise _damaged()
    if found != FORMAT:
        raise SnapshotTrouble(
            "The published snapshot is of another version of the cockpit",
            f"it has format {found}, this version shows format {FORMAT}",
        )
    try:
        return read(envelope.get("snapshot"), Snapshot)
    except Misfit as misfit:
        where = clean_text(".".join(("snapshot", *misfit.place)))
        raise SnapshotTrouble(
            "The published snapshot cannot be shown", f"{where}: {clean_text(misfit.what)}"
        ) from None


def _damaged() -> SnapshotTrouble:
    return SnapshotTrouble("The published snapshot is damaged", "it is not the JSON of a snapshot")
