"""Follow the driver; where the rule allows it, look with an own read-only engine while nobody publishes.

The own engine is made when it is needed and ended when the driver is back: two sources never mix in one
picture, and the picture says which of the two it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command
from cockpit.core.dataclass import dataclass
from cockpit.core.snapshot import FOLLOWING, Level, Reason, Snapshot
from cockpit.engine.follower import Follower

if TYPE_CHECKING:
    from cockpit.engine.engine import Engine

POLL_AFTER_S: Final = 10.0
DECIDE_S: Final = 0.25
TRY_AGAIN_S: Final = 10.0
POLLS_ITSELF: Final = "no driver publishes: this screen asks every service by itself"

Rule = Callable[[Snapshot | None, datetime], bool]


def nothing_ever(newest: Snapshot | None, now: datetime) -> bool:
    """Poll only while nobody has ever published a picture of this plan."""
    return newest is None


def driver_silent(newest: Snapshot | None, now: datetime) -> bool:
    """Poll whenever nobody has published for POLL_AFTER_S."""
    return newest is None or (now - newest.engine_at).total_seconds() > POLL_AFTER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLook:
    """A started read-only engine, and what to release once it has ended."""

    engine: Engine
    release: Callable[[], None]

    def end(self) -> None:
        self.engine.stop()
        self.engine.join()
        self.release()


class Standby:
    """A port for the face in front of a follower and, at times, an engine.

    look: makes the own engine; it may raise whatever keeps it from looking, which is told and tried again.
    ours: the exceptions whose own words may be shown. A library's may hold the secret that it choked on, so
    that of any other its name alone is. follower: not started yet.
    """

    def __init__(
        self,
        follower: Follower,
        look: Callable[[], OwnLook],
        rule: Rule,
        clock: Clock,
        *,
        ours: tuple[type[Exception], ...] = (),
    ) -> None:
        self._follower = follower
        self._make_look = look
        self._rule = rule
        self._clock = clock
        self._ours = ours
        self._guard = threading.Lock()
        self._subscribers: dict[int, Callable[[], None]] = {}
        self._next_subscriber = 0
        self._own: OwnLook | None = None
        self._refusal = ""
        self._try_at_s = float("-inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cockpit-standby", daemon=True)

    def start(self) -> None:
        """Raises what keeps it from looking by itself if that is needed at once."""
        self._follower.start()
        try:
            if self._must_look():
                self._begin(self._make_look())
        except BaseException:
            self._follower.stop()
            raise
        self._follower.subscribe(self._tell)
        self._thread.start()

    def latest(self) -> Snapshot:
        own = self._own
        if own is None:
            return self._with(self._follower.latest(), Level.UNKNOWN, self._refusal)
        return self._with(own.engine.latest(), Level.NOTE, POLLS_ITSELF)

    def submit(self, command: Command) -> None:
        """Refused by whoever makes the pictures just now."""
        own = self._own
        (own.engine if own is not None else self._follower).submit(command)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        with self._guard:
            number, self._next_subscriber = self._next_subscriber, self._next_subscriber + 1
            self._subscribers[number] = callback

        def stop() -> None:
            with self._guard:
                self._subscribers.pop(number, None)

        return stop

    def stop(self) -> None:
        self._stop.set()

    def stop_because(self, why: str) -> None:
        self._stop.set()

    def leave_now(self, why: str) -> None:
        self.stop_because(why)

    @property
    def last_words(self) -> tuple[str, ...]:
        """None: whoever only looks journals nothing that could be lost."""
        return ()

    def grounded(self) -> bool:
        """Never: what cannot be looked at by itself is followed."""
        return False

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread, which ends the follower and the own engine first; True when it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def failed(self) -> BaseException | None:
        """What ended the own engine, if it did not end by itself."""
        own = self._own
        return own.engine.failed if own is not None else None

    # --- who makes the pictures --------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._stop.wait(DECIDE_S):
            self._decide()
        self._end_own()
        self._follower.stop()
        self._follower.join()

    def _must_look(self) -> bool:
        return self._rule(self._follower.newest, self._clock.now())

    def _decide(self) -> None:
        try:
            self._choose()
        except Exception as error:  # the screen's edge: a broken one keeps nobody else from following
            self._refusal = f"the screen's own fault: {type(error).__name__}"

    def _choose(self) -> None:
        if not self._must_look():
            self._refusal = ""
            self._end_own()
        elif self._own is None and self._clock.monotonic() >= self._try_at_s:
            self._try_at_s = self._clock.monotonic() + TRY_AGAIN_S
            self._try()

    def _try(self) -> None:
        try:
            own = self._make_look()
        except Exception as error:  # the poll edge: not being able to look is told, following goes on
            words = clean_text(error) if isinstance(error, self._ours) else type(error).__name__
            self._refusal = f"this screen cannot look by itself: {words}"
            self._tell()
        else:
            self._begin(own)

    def _begin(self, own: OwnLook) -> None:
        own.engine.subscribe(self._tell)
        self._own, self._refusal = own, ""
        self._tell()

    def _end_own(self) -> None:
        own = self._own
        if own is None:
            return
        try:
            if self._follower.newest is not None:
                self._own = None
                self._tell()
        finally:
            own.end()

    def _tell(self) -> None:
        with self._guard:
            callbacks = tuple(self._subscribers.values())
        for callback in callbacks:
            callback()

    def _with(self, snapshot: Snapshot, level: Level, words: str) -> Snapshot:
        """The picture with a word about where it comes from."""
        if not words:
            return snapshot
        why = Reason(level=level, subject=FOLLOWING, what=words)
        return replace(snapshot, reasons=(why, *snapshot.reasons))
