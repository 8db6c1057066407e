"""Following a driver: the pictures it publishes beside its journal, and nothing else.

A follower asks no service, holds no credential and opens no connection; everything it knows comes from
the journal's published shelf. It looks at the shelf's mark fifty times a second, which is one `lstat`, and
reads only what is new. A driver that falls silent is met by opening the journal anew, once a second: that
finds a journal that has gone, been replaced or become another version's.

The last good picture always stays, with the instant of its making: whoever shows it shows its age. What is
wrong with following is said in words, in `trouble` and as the first reason of the picture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from cockpit.core.clean import clean_text
from cockpit.core.clock import Clock
from cockpit.core.commands import Command, CommandState, CommandStatus
from cockpit.core.model import Mode
from cockpit.core.snapshot import FOLLOWING, NOBODY_PUBLISHES, Level, Reason, Snapshot
from cockpit.engine.journal_port import FailureKind, JournalFailure, JournalReader
from cockpit.engine.published import SnapshotTrouble, decode

FRESH_S: Final = 3.0
LOOK_S: Final = 0.02
AGAIN_S: Final = 1.0
NOBODY_YET: Final = "no driver has published a picture yet"
REMOVED: Final = "the driver's published picture was removed"
ONLY_LOOKS: Final = "observers only look"
_REFUSALS_KEPT: Final = 20


def is_fresh(made_at: datetime, now: datetime) -> bool:
    """Whether a picture made then means that somebody drives now: the one rule for all who look on."""
    return abs((now - made_at).total_seconds()) <= FRESH_S


def fresh_snapshot(journal: JournalReader, now: datetime) -> Snapshot | None:
    """The driver's newest picture while it is fresh, else None.

    Raises SnapshotTrouble for a picture that cannot be shown, JournalFailure for a shelf that cannot be read.
    """
    found = journal.latest_published()
    if found is None or not is_fresh(found[1], now):
        return None
    return decode(found[0])


class Follower:
    """A port for the face whose pictures come from elsewhere; every command is refused here.

    open_journal: opens the journal to read; called again whenever it may have changed.
    """

    failed: BaseException | None = None

    def __init__(
        self, open_journal: Callable[[], JournalReader], clock: Clock, *, look_s: float = LOOK_S
    ) -> None:
        self._open_journal = open_journal
        self._clock = clock
        self._look_s = look_s
        self._guard = threading.Lock()
        self._subscribers: dict[int, Callable[[], None]] = {}
        self._next_subscriber = 0
        self._newest: Snapshot | None = None
        self._shown: Snapshot | None = None
        self._refused: tuple[CommandStatus, ...] = ()
        self._picture_trouble = self._trouble = NOBODY_YET
        self._trouble_since = clock.now()
        self._deaf = ""
        self._journal: JournalReader | None = None
        self._mark = ""
        self._silent_at_s = self._reopen_at_s = float("inf")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="cockpit-follower", daemon=True)

    # --- the port ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Look once, so that `newest` and `trouble` mean something, then go on in a thread."""
        self._tick()
        self._thread.start()

    @property
    def newest(self) -> Snapshot | None:
        """The driver's last good picture as it is shown here; None before the first one ever."""
        return self._shown

    @property
    def trouble(self) -> str:
        """Why there is no picture, or no newer one; empty while following."""
        return self._trouble

    def latest(self) -> Snapshot:
        """Raises RuntimeError before the first picture ever: see `newest`."""
        if self._shown is None:
            raise RuntimeError(NOBODY_YET)
        return self._shown

    def submit(self, command: Command) -> None:
        refusal = CommandStatus(
            id=command.id, what=type(command).__name__, state=CommandState.REFUSED, text=ONLY_LOOKS
        )
        with self._guard:
            self._refused = (*self._refused, refusal)[-_REFUSALS_KEPT:]
            self._show()
        self._tell()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Also told when `trouble` changes, picture or not."""
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
        """Like `stop`: whoever only looks leaves nothing behind that a reason would be written into."""
        self._stop.set()

    def leave_now(self, why: str) -> None:
        self.stop_because(why)

    @property
    def last_words(self) -> tuple[str, ...]:
        """None: whoever only looks journals nothing that could be lost."""
        return ()

    def grounded(self) -> bool:
        """Never: it looks from the moment it is started, and says what it cannot see."""
        return False

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread; True when it has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # --- the thread -------------------------------------------------------------------------------

    def _follow(self) -> None:
        while not self._stop.wait(AGAIN_S if self._journal is None else self._look_s):
            self._tick()
        self._let_go()

    def _tick(self) -> None:
        newest = self._newest
        try:
            self._look()
            trouble = self._picture_trouble or self._silence() or clean_text(self._deaf)
        except JournalFailure as failure:
            self._let_go()
            trouble = self._words(failure)
        except Exception as error:  # the poll edge: a fault of our own is one more way of not knowing
            self._let_go()
            trouble = clean_text(f"the cockpit's own fault: {type(error).__name__}: {error}")
        if newest is not self._newest or trouble != self._trouble:
            self._change(trouble)

    def _look(self) -> None:
        """Read the shelf if its mark is new. A mark is read once: a rename leaves nothing half done."""
        now_s = self._clock.monotonic()
        if now_s >= self._reopen_at_s:
            self._reopen_at_s = now_s + AGAIN_S
            self._let_go()
        if self._journal is None:
            self._journal = self._open_journal()
        mark = self._journal.published_mark()
        if mark == self._mark:
            return
        found = self._journal.latest_published()
        self._mark = mark
        self._silent_at_s = self._reopen_at_s = now_s + FRESH_S
        self._picture_trouble = REMOVED if found is None else self._read(found[0])

    def _silence(self) -> str:
        """Told by the steady clock too: a clock that was set back must not make an old picture young."""
        return NOBODY_PUBLISHES if self._clock.monotonic() >= self._silent_at_s else ""

    def _read(self, published: bytes) -> str:
        """Take the picture; what is wrong with it, empty for nothing."""
        try:
            self._newest = decode(published)
        except SnapshotTrouble as trouble:
            return str(trouble)
        return ""

    def _words(self, failure: JournalFailure) -> str:
        if failure.kind is FailureKind.MISSING and self._newest is not None:
            return "The journal was removed or moved away"
        return str(failure)

    def _let_go(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close()

    def _change(self, trouble: str) -> None:
        with self._guard:
            if trouble != self._trouble:
                self._trouble = trouble
                self._trouble_since = self._clock.now()
            self._show()
        self._tell()

    def _show(self) -> None:
        """The driver's picture as an observer sees it. What the driver's own hands do is not repeated."""
        newest = self._newest
        if newest is None:
            return
        reasons = newest.reasons
        if self._trouble:
            why = Reason(
                level=Level.UNKNOWN, subject=FOLLOWING, what=self._trouble, since=self._trouble_since
            )
            reasons = (why, *reasons)
        self._shown = replace(
            newest,
            mode=Mode.WATCH if newest.mode is Mode.LIVE else newest.mode,
            read_only=True,
            reasons=reasons,
            commands=self._refused,
            hint="",
        )

    def _tell(self) -> None:
        with self._guard:
            callbacks = tuple(self._subscribers.values())
        self._deaf = ""
        for callback in callbacks:
            try:
                callback()
            except Exception as error:  # the screen's edge: a broken one keeps nobody else from following
                self._deaf = f"the screen's own fault: {type(error).__name__}: {error}"
