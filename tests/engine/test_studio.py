"""When observers get a picture: written bit by bit where much of it is new, whole, and by the driver only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

from cockpit.core.snapshot import Level, Snapshot
from cockpit.engine.guard import Guard
from cockpit.engine.journal_memory import MemoryJournal
from cockpit.engine.journal_port import FailureKind, JournalFailure
from cockpit.engine.published import decode
from cockpit.engine.studio import PARTS_AT_ONCE, Studio
from tests.adapters.flags.crew import until
from tests.face import pictures


def crowded() -> Snapshot:
    """So many probes that they are written in four goes."""
    calm = pictures.calm()
    first, *others = calm.backends
    probe = first.probes[0]
    many = tuple(replace(probe, name=f"probe {number}") for number in range(3 * PARTS_AT_ONCE + 1))
    return replace(calm, backends=(replace(first, probes=many), *others))


@dataclass
class Shop:
    """A studio whose pictures are numbered. drives: of each time it is asked whether this one drives."""

    picture: Snapshot = field(default_factory=crowded)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    drives: Iterator[bool] = field(default_factory=lambda: (True for _ in count()))
    asked: int = 0
    shown: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.guard = Guard(self.told.append)
        self.studio = Studio(
            paint=lambda seq: replace(self.picture, seq=seq),
            show=lambda snapshot: self.shown.append(snapshot.seq),
            journal=self.journal,
            publishes=self._drives,
            guard=self.guard,
            ready=lambda: True,
        )

    def _drives(self) -> bool:
        self.asked += 1
        return next(self.drives)

    @property
    def published(self) -> int | None:
        """The number of the last one."""
        latest = self.journal.latest_published()
        return None if latest is None else decode(latest[0]).seq


async def test_a_picture_with_much_that_is_new_is_written_in_several_goes() -> None:
    shop = Shop()
    shop.studio.draw()
    assert (shop.shown, shop.published) == ([1], None), "the own screen does not wait for observers"
    await until(lambda: shop.published == 1)
    assert shop.asked == 1 + 4, "before each go"


async def test_who_loses_the_seat_while_a_picture_is_written_publishes_nothing() -> None:
    shop = Shop(drives=iter([True, True, False]))
    shop.studio.draw()
    await until(lambda: shop.asked == 3)
    assert shop.published is None


async def test_a_picture_that_is_being_written_is_finished_before_a_newer_one() -> None:
    shop = Shop()
    shop.studio.draw()
    shop.picture = replace(crowded(), level=Level.BAD)
    shop.studio.draw()
    await until(lambda: shop.published is not None)
    assert (shop.shown, shop.published) == ([1, 2], 1)


async def test_the_last_picture_is_published_at_once_and_no_older_one_after_it() -> None:
    shop = Shop()
    shop.studio.draw()
    shop.studio.draw_last()
    assert (shop.published, shop.journal.published_mark()) == (2, "1")
    shop.studio.draw_last()
    assert (shop.published, shop.journal.published_mark()) == (3, "2")


class Full(MemoryJournal):
    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    def publish(self, snapshot: bytes, at: datetime) -> None:
        self.refused += 1
        raise JournalFailure(FailureKind.FULL, "The snapshot cannot be published", "no space left")


async def test_a_picture_that_cannot_be_published_is_told_once_in_however_many_goes_it_is_written() -> None:
    full = Full()
    shop = Shop(journal=full)

    def refused_again() -> bool:
        shop.picture = crowded()
        shop.studio.draw()
        return full.refused >= 3

    await until(refused_again)
    assert len(shop.told) == 1 and "no space left" in shop.told[0]
