"""When a picture is drawn, who sees it, and when observers get one.

Many readings in one moment make one picture. Observers get the driver's twice a second, news at once, and in
steps of their own: what waits for the loop goes between the drawing and the writing, and where much of a
picture is new, between parts of the writing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property, partial
from sys import maxsize
from typing import TYPE_CHECKING

from cockpit.core.snapshot import Level, Snapshot
from cockpit.engine.guard import Guard
from cockpit.engine.journal_port import Journal
from cockpit.engine.published import Envelope, speller

if TYPE_CHECKING:
    from cockpit.engine.spelling import Speller

SNAPSHOT_SPACING_S = 0.05
MOST_OF_THE_TIME = 0.05
"""Of the loop's time that pictures may take: in a large plan polls, writes and read-backs go first."""
PUBLISH_AFTER_S = 0.002
PUBLISH_SPACING_S = 0.5
PUBLISH_NEWS_SPACING_S = 0.1
PARTS_AT_ONCE = 50
"""Of a picture for observers: half a millisecond's worth."""


class Studio:
    """On the engine's loop only. paint: makes picture number n. publishes: whether this one is the driver."""

    def __init__(
        self,
        *,
        paint: Callable[[int], Snapshot],
        show: Callable[[Snapshot], None],
        journal: Journal,
        publishes: Callable[[], bool],
        guard: Guard,
        ready: Callable[[], bool],
    ) -> None:
        self._paint = paint
        self._ready = ready
        self._show = show
        self._journal = journal
        self._publishes = publishes
        self._guard = guard
        self._seq = 0
        self._redraw: asyncio.TimerHandle | None = None
        self._handing_out: asyncio.TimerHandle | None = None
        self._waiting: Snapshot | None = None
        self._drawn_at = self._published_at = float("-inf")
        self._spacing_s = SNAPSHOT_SPACING_S
        self._published_news: tuple[Level, int] | None = None

    def draw_soon(self) -> None:
        if self._redraw is not None:
            return
        loop = asyncio.get_running_loop()
        wait_s = max(0.0, self._drawn_at + self._spacing_s - loop.time())
        self._redraw = loop.call_later(wait_s, self.draw)

    def hold(self) -> None:
        """No picture until one is asked for again."""
        if self._redraw is not None:
            self._redraw.cancel()
            self._redraw = None

    def draw(self) -> None:
        ready = self._ready()
        self.hold()
        if ready:
            self._draw()

    def _draw(self) -> Snapshot | None:
        loop = asyncio.get_running_loop()
        self._drawn_at = loop.time()
        self._seq += 1
        snapshot = self._guard.run("picture", partial(self._paint, self._seq))
        if snapshot is not None:
            self._guard.run("screen", partial(self._show, snapshot))
            if self._due(snapshot):
                self._waiting = snapshot
                self._handing_out = loop.call_later(PUBLISH_AFTER_S, self._hand_out, snapshot)
        took_s = loop.time() - self._drawn_at
        self._spacing_s = min(max(SNAPSHOT_SPACING_S, took_s / MOST_OF_THE_TIME), PUBLISH_SPACING_S)
        return snapshot

    def draw_last(self) -> None:
        """The last picture is published however soon after the one before: observers are to see the end."""
        self.hold()
        snapshot = self._draw()
        if self._handing_out is not None:
            self._handing_out.cancel()
            self._handing_out = None
        if snapshot is not None:
            self._hand_out(snapshot, at_once=True)

    @cached_property
    def _speller(self) -> Speller:
        return speller()

    def _due(self, snapshot: Snapshot) -> bool:
        """Never while one is being written: it is finished first, however many are drawn meanwhile."""
        if self._handing_out is not None:
            return False
        news = (snapshot.level, snapshot.journal.last_seq)
        spacing_s = PUBLISH_SPACING_S if news == self._published_news else PUBLISH_NEWS_SPACING_S
        if not self._publishes() or self._drawn_at - self._published_at < spacing_s:
            return False
        self._published_at, self._published_news = self._drawn_at, news
        return True

    def hand_out_now(self) -> None:
        """The picture that waits for its step, whole and at once."""
        if self._handing_out is not None and self._waiting is not None:
            self._handing_out.cancel()
            self._hand_out(self._waiting, at_once=True)

    def _hand_out(self, snapshot: Snapshot, *, at_once: bool = False) -> None:
        self._handing_out = None
        if not self._publishes():
            return
        writing = partial(self._write, snapshot, maxsize if at_once else PARTS_AT_ONCE)
        written = self._guard.run("picture in writing", writing)
        if written is not None:
            publishing = partial(self._journal.publish, written, snapshot.engine_at)
            self._guard.run("picture for observers", publishing)

    def _write(self, snapshot: Snapshot, most: int) -> bytes | None:
        """None while it is not whole: it goes on when others had their turn."""
        written = self._speller.spell_some(Envelope(snapshot=snapshot), most)
        if written is None:
            loop = asyncio.get_running_loop()
            self._handing_out = loop.call_later(PUBLISH_AFTER_S, self._hand_out, snapshot)
        return written
