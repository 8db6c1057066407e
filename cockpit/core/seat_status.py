"""The driver's seat and who is there, as one cockpit sees it."""

from __future__ import annotations

from datetime import datetime

from cockpit.core.dataclass import dataclass
from cockpit.core.driver import Holder, Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A cockpit that has the journal open. beat_at: when the maker of the picture saw it beat last."""

    session: str
    name: str
    beat_at: datetime
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatStatus:
    """The driver's seat as one cockpit sees it. session: its own, empty where it only looks on.
    lost_to: who took the seat from it and has it still."""

    session: str
    holder: Holder | None
    offer: Offer | None = None
    present: tuple[Present, ...] = ()
    lost_to: Holder | None = None

    @property
    def drives(self) -> bool:
        return self.holder is not None and self.holder.session == self.session

    @property
    def holder_lives(self) -> bool:
        """Whether the holder's heart was heard lately by whoever made this picture."""
        session = None if self.holder is None else self.holder.session
        return any(each.session == session and not each.silent for each in self.present)

    @property
    def offered_here(self) -> bool:
        return self.offer is not None and self.offer.session == self.session
